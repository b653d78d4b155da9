//! The lock of this program on a database, and who holds it.

use std::fmt;
use std::time::{Duration, Instant};

use tokio_postgres::Client;
use tokio_postgres::types::Type;

/// The two numbers of an advisory lock. Locks are per database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockKey {
    pub class: i32,
    pub object: i32,
}

/// The lock that every run of this program takes before it changes a schema: `pg_advisory_xact_lock(1685745772, 1)`.
///
/// The first number is "dzpl" in ASCII, the second stands for the schema of the database as a whole.
pub const LOCK: LockKey = LockKey { class: 0x647a_706c, object: 1 };

/// Who holds the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub pid: i32,
    pub application_name: String,
    pub user: String,
    /// As in `pg_stat_activity`: `active`, `idle in transaction` … Empty where we may not see it.
    pub state: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Holder { pid, application_name, user, state } = self;
        write!(f, "backend {pid} of {user}")?;
        for (word, text) in [(", called ", application_name), (", ", state)] {
            if !text.is_empty() {
                write!(f, "{word}{text}")?;
            }
        }
        Ok(())
    }
}

pub(in crate::db) enum Lock {
    Taken,
    Held { holder: Option<Holder>, waited: Duration },
}

/// The numbers of the lock, as parameters.
const KEY: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
    [(&LOCK.class, Type::INT4), (&LOCK.object, Type::INT4)];

/// Takes the lock if nobody has it.
pub(super) async fn try_lock(client: &Client) -> Result<bool, tokio_postgres::Error> {
    const TRY: &str = "SELECT pg_catalog.pg_try_advisory_xact_lock($1, $2)";
    Ok(client.query_typed_one(TRY, &KEY).await?.get(0))
}

/// Takes the lock that somebody has. Before it waits, says for whom.
pub(super) async fn wait_for_lock(
    client: &Client,
    waits: &mut dyn FnMut(Option<&Holder>),
) -> Result<Lock, tokio_postgres::Error> {
    const WAIT: &str = "SELECT pg_catalog.pg_advisory_xact_lock($1, $2)";
    let first = holder(client).await?;
    waits(first.as_ref());
    let started = Instant::now();
    match client.query_typed(WAIT, &KEY).await {
        Ok(_) => Ok(Lock::Taken),
        Err(error) if error.code().is_some_and(|code| code.code() == "55P03") => {
            client.batch_execute("ROLLBACK").await?;
            let waited = started.elapsed();
            Ok(Lock::Held { holder: holder(client).await?.or(first), waited })
        }
        Err(error) => Err(error),
    }
}

/// Says what to do about another run that has the lock.
pub(super) fn locked_hint(holder: Option<&Holder>) -> String {
    match holder {
        Some(Holder { pid, .. }) => format!("wait for it, or end it: SELECT pg_terminate_backend({pid})"),
        None => "run it again: whoever held the lock is gone".to_owned(),
    }
}

async fn holder(client: &Client) -> Result<Option<Holder>, tokio_postgres::Error> {
    // objsubid is 2 for a lock of two numbers, which are kept as oids.
    const HOLDER: &str = "
        SELECT a.pid, coalesce(a.application_name, ''), coalesce(a.usename::text, ''), coalesce(a.state, '')
          FROM pg_catalog.pg_locks l
          JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = pg_catalog.current_database()
          JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
           AND l.classid = $1::int4::oid AND l.objid = $2::int4::oid
         LIMIT 1";
    let rows = client.query_typed(HOLDER, &KEY).await?;
    Ok(rows.first().map(|row| Holder {
        pid: row.get(0),
        application_name: row.get(1),
        user: row.get(2),
        state: row.get(3),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_a_documented_constant() {
        assert_eq!((LOCK.class.to_be_bytes(), LOCK.object), (*b"dzpl", 1));
        assert_eq!(LOCK.class, 1_685_745_772);
    }
}
