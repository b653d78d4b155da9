//! Asks a server what became of a transaction, and sees to it that it does not go on.

use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::types::Type;

use crate::db::change::begin::Mark;
use crate::db::connection::connect::{Session, open};
use crate::db::connection::conversation::{Patience, converse};
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::{ConnectError, explained};
use crate::db::inspect::identify;
use crate::db::limits::{GRACE, LOOK_AGAIN, SETTLING};

/// What became of a transaction.
pub(super) enum Fate {
    Committed,
    Undone,
    Unknown(String),
}

/// Asks over a new connection what became of the transaction, and sees to it that it does not go on.
pub(super) fn fate(dsn: &Dsn, application_name: &str, mark: Option<&Mark>, xid: Option<i64>) -> Fate {
    // Without a mark, the server has seen BEGIN at most.
    let Some(mark) = mark else { return Fate::Undone };
    let settled = converse(dsn, async || {
        let patience = Patience::from_now(SETTLING);
        match timeout_at(patience.end, settle(dsn, application_name, mark, xid, patience)).await {
            Ok(settled) => settled,
            Err(_) => Ok(Fate::Unknown(format!("the server did not answer within {SETTLING:?}"))),
        }
    });
    match settled {
        Ok(Ok(fate)) => fate,
        Ok(Err(error)) | Err(error) => Fate::Unknown(error.to_string()),
    }
}

async fn settle(
    dsn: &Dsn,
    application_name: &str,
    mark: &Mark,
    xid: Option<i64>,
    patience: Patience,
) -> Result<Fate, ConnectError> {
    const RUNNING: &str = "
        SELECT FROM pg_catalog.pg_stat_activity
         WHERE pid = $1 AND (extract(epoch FROM xact_start) * 1000000)::int8 = $2";
    const TERMINATE: &str = "
        SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
         WHERE pid = $1 AND (extract(epoch FROM xact_start) * 1000000)::int8 = $2";
    // NULL where the transaction is so old that the server has forgotten it.
    const STATUS: &str = "SELECT pg_catalog.txid_status($1)";

    // A name of its own: the run's name is looked for by who wants to see it gone.
    let application_name = format!("ask {application_name}");
    let client = open(dsn, patience, &Session { application_name: &application_name, options: "" }).await?;
    let told = |error| explained(dsn, &error);
    if identify::identify(&client).await.map_err(told)? != mark.identity {
        return Ok(Fate::Unknown("another server answers at this address".to_owned()));
    }
    let backend: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
        [(&mark.pid, Type::INT4), (&mark.started, Type::INT8)];
    let grace_ends = Instant::now() + GRACE;
    loop {
        let question = if Instant::now() < grace_ends { RUNNING } else { TERMINATE };
        if client.query_typed(question, &backend).await.map_err(told)?.is_empty() {
            let Some(xid) = xid else { return Ok(Fate::Undone) };
            let row = client.query_typed_one(STATUS, &[(&xid, Type::INT8)]).await.map_err(told)?;
            match row.get::<_, Option<&str>>(0) {
                Some("committed") => return Ok(Fate::Committed),
                Some("aborted") => return Ok(Fate::Undone),
                Some("in progress") => {}
                _ => return Ok(Fate::Unknown("the server no longer knows the transaction".to_owned())),
            }
        }
        sleep(LOOK_AGAIN).await;
    }
}
