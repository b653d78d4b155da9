//! Opens a transaction of ours, with what holds for its length alone, and makes it one that can be asked about later.

use std::time::Duration;

use tokio_postgres::Client;

use crate::db::inspect::identify;
use crate::db::inspect::identity::Identity;
use crate::db::limits::milliseconds;

/// By what a transaction is found in `pg_stat_activity`. Behind a pooler the backend serves others afterwards, with
/// transactions that start later.
#[derive(Clone)]
pub(in crate::db) struct Mark {
    pub(in crate::db) identity: Identity,
    pub(in crate::db) pid: i32,
    /// `xact_start` in microseconds.
    pub(super) started: i64,
}

/// Opens the transaction, and sets what holds for its length alone.
pub(in crate::db) async fn begin(client: &Client, lock_timeout: Duration) -> Result<Mark, tokio_postgres::Error> {
    begin_with(client, lock_timeout, async || Ok(())).await.map(|(mark, ())| mark)
}

/// As [`begin`], with what is to follow on the same journey. It is sent a second time where the server has refused it
/// the first time because of ours.
pub(in crate::db) async fn begin_with<T>(
    client: &Client,
    lock_timeout: Duration,
    along: impl AsyncFn() -> Result<T, tokio_postgres::Error>,
) -> Result<(Mark, T), tokio_postgres::Error> {
    // The keepalives make the server find out within 35 s that a network has swallowed us, and not after two hours. A
    // limit that the user, the database or the server have set for transactions (17 and later) is not for us. Statements mean
    // here what they were read as (`connect::MEANINGS`).
    const SETTINGS: &str = "
        SET LOCAL tcp_keepalives_idle = 20; SET LOCAL tcp_keepalives_interval = 5; SET LOCAL tcp_keepalives_count = 3;
        SET LOCAL idle_in_transaction_session_timeout = 0;
        SET LOCAL standard_conforming_strings = on; SET LOCAL backslash_quote = safe_encoding;
        SET LOCAL quote_all_identifiers = off; SET LOCAL transform_null_equals = off; SET LOCAL array_nulls = on;
        SELECT pg_catalog.set_config('transaction_timeout', '0', true)
         WHERE pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL;
        SAVEPOINT watch";
    // A server before 14 does not know the setting. One that lacks the kernel's event for it says no.
    const WATCH: &str = "
        SELECT pg_catalog.set_config('client_connection_check_interval', '500', true)
         WHERE pg_catalog.current_setting('client_connection_check_interval', true) IS NOT NULL";
    const WATCHED: &str = "RELEASE SAVEPOINT watch";
    const UNWATCHED: &str = "ROLLBACK TO SAVEPOINT watch; RELEASE SAVEPOINT watch";
    const WHO: &str = "SELECT pg_catalog.pg_backend_pid(), (extract(epoch FROM pg_catalog.now()) * 1000000)::int8";

    // The wait for the advisory lock has the lock's limit alone.
    let limit = milliseconds(lock_timeout);
    // Each look has to see what others have committed meanwhile, and a transaction that only waits holds up no vacuum.
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {limit}; SET LOCAL statement_timeout = 0;{SETTINGS}"
    );
    let (begun, who, watched, over, identity, followed) = tokio::join!(
        biased;
        client.batch_execute(&begin),
        client.query_typed_one(WHO, &[]),
        client.batch_execute(WATCH),
        client.batch_execute(WATCHED),
        identify::identify_within(client),
        along(),
    );
    begun?;
    let who = who?;
    let (over, identity, followed) = match watched {
        Ok(()) => (over, identity, followed),
        // Until this is rolled back, everything is refused.
        Err(_) => tokio::join!(
            biased;
            client.batch_execute(UNWATCHED),
            identify::identify_within(client),
            along(),
        ),
    };
    over?;
    Ok((Mark { identity: identity?, pid: who.get(0), started: who.get(1) }, followed?))
}

/// Takes the transaction's number, by which the server can be asked later, and sets the statements' limit.
pub(in crate::db) async fn mark_for_asking(
    client: &Client,
    statement_timeout: Option<Duration>,
) -> Result<Option<i64>, tokio_postgres::Error> {
    // A standby gives no numbers; there the first statement fails. The function has this name since PostgreSQL 8.3.
    const NUMBER: &str = "SELECT CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN pg_catalog.txid_current() END";
    let limit = statement_timeout.map_or_else(|| "DEFAULT".to_owned(), |limit| milliseconds(limit).to_string());
    let limit = format!("SET LOCAL statement_timeout TO {limit}");
    let (xid, limited) = tokio::join!(biased; client.query_typed_one(NUMBER, &[]), client.batch_execute(&limit));
    limited?;
    Ok(xid?.get(0))
}
