//! Takes what a session of drizzle-kit is, before its first query: it must be where this run looked, and read SQL as we do.

use crate::db::{Connection, Dsn, Server};
use crate::kit::config::KitSession;
use crate::kit::run::Held;
use crate::migrations::disk;
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::policy::decide;
use crate::run::context::{Cleared, OURSELVES, Starting};
use crate::run::gate;
use crate::run::record::{RunRecord, Stop};
use crate::sql::{self, Dialect};

/// Takes a session, and lets it begin.
///
/// # Errors
/// With what drizzle-kit is kept from, where the session is elsewhere, or cannot be trusted.
#[tracing::instrument(name = "session", skip_all)]
pub(super) fn take(
    start: &Starting,
    cleared: &mut Cleared,
    session: &KitSession,
    record: &mut RunRecord,
    console: &mut Console,
) -> Result<(), Held> {
    if session.driver.is_some() {
        other(start, cleared, session, record, console)?;
    } else {
        over_a_socket(start, cleared, session)?;
    }
    record.n_sessions += 1;
    Ok(())
}

/// Takes a session of PostgreSQL over a socket.
fn over_a_socket(start: &Starting, cleared: &Cleared, session: &KitSession) -> Result<(), Held> {
    let told = session.answers.as_deref().and_then(Server::of).ok_or_else(|| {
        let error = session.error.as_deref().unwrap_or("its answer cannot be read");
        Held::Session(format!("the database of a drizzle-kit session cannot be determined: {error}"))
    })?;
    let elsewhere = match (&cleared.sessions.server, &cleared.place.dsn) {
        (Some(server), _) => server.differs(&told),
        // Our own look failed, and the address is all there is to compare.
        (None, Some(dsn)) => {
            let address = dsn.address();
            let is_there = address.database == told.current_database && address.user == told.session_user;
            (!is_there).then(|| format!("it is in {} as {}", told.current_database, told.session_user))
        }
        (None, None) => None,
    };
    if let Some(difference) = elsewhere {
        let place = cleared.place.dsn.as_ref().map(ToString::to_string).unwrap_or_default();
        let reason =
            format!("drizzle-kit's session is not on the database that this run inspected ({place}): {difference}");
        return Err(Held::Session(reason));
    }
    refuse_misreading(start, told.misreads())
}

/// Refuses a session whose settings have SQL mean something else, where drizzle-kit reads the catalog by it.
fn refuse_misreading(start: &Starting, reason: Option<String>) -> Result<(), Held> {
    reason.filter(|_| start.spec.reads_catalog()).map_or(Ok(()), |reason| Err(Held::Meaning(reason)))
}

/// Takes what a session is that is not one of PostgreSQL over a socket.
fn other(
    start: &Starting,
    cleared: &mut Cleared,
    session: &KitSession,
    record: &mut RunRecord,
    console: &mut Console,
) -> Result<(), Held> {
    let unknown = || {
        let error = session.error.as_deref().unwrap_or("its answer cannot be read");
        Held::Session(format!("the properties of a drizzle-kit session cannot be determined: {error}"))
    };
    match cleared.place.dialect {
        Some(Dialect::Postgres) => {
            let told = session.answers.as_deref().and_then(Server::of).ok_or_else(unknown)?;
            refuse_misreading(start, told.misreads())?;
            look_through_bridge(cleared, &told);
            cleared.sessions.server = Some(told);
        }
        Some(Dialect::MySql | Dialect::SingleStore) => {
            let told = session.answers.as_deref().and_then(sql::mysql::Server::of).ok_or_else(unknown)?;
            refuse_misreading(start, told.misreads())?;
            take_mysql(start, cleared, told, record, console)?;
        }
        Some(Dialect::Sqlite | Dialect::Turso) | None => {
            let told = session.catalog.clone().unwrap_or_default();
            let counted = |table: &str, column: &str| {
                let count = told.counts.iter().find(|count| count.table == table && count.column == column)?;
                let rows = count.rows.as_ref()?;
                rows.as_u64().or_else(|| rows.as_str()?.parse().ok())
            };
            let known = cleared.sessions.catalog.take();
            cleared.sessions.catalog = known.or_else(|| sql::sqlite::Catalog::of(&told.answers, &counted));
            if record.n_sessions == 0 && start.spec.kit_command() == "migrate" {
                judge_pending(start, cleared, record, console)?;
            }
        }
    }
    Ok(())
}

fn take_mysql(
    start: &Starting,
    cleared: &mut Cleared,
    told: sql::mysql::Server,
    record: &mut RunRecord,
    console: &mut Console,
) -> Result<(), Held> {
    if told.is_locked_by_another {
        let summary = "another run that changes this database did not end in time";
        record
            .stop(Stop::Verdict(Verdict::nothing(Exit::Locked, summary).hint("wait for it, or raise --lock-timeout")));
        return Err(Held::Session(summary.to_owned()));
    }
    if told.is_mariadb() && cleared.sessions.mysql.is_none() && start.spec.reads_catalog() {
        let warning = format!(
            "the server is MariaDB ({}), which drizzle-kit treats as MySQL: unchanged objects may look changed",
            told.version
        );
        console.warn_in(record.report, &warning);
    }
    cleared.sessions.mysql = Some(told);
    Ok(())
}

/// Has our own looks go to the database within node, by the socket that it has for us.
fn look_through_bridge(cleared: &mut Cleared, told: &Server) {
    let Some(folder) = cleared.sessions.bridge.as_ref().map(|bridge| bridge.path().display().to_string()) else {
        return;
    };
    let parts = serde_json::json!({ "host": folder, "ssl": false, "user": told.current_user, "database": told.current_database });
    let dsn = Dsn::from_credentials("postgresql", &parts, &|_| None).and_then(Result::ok);
    cleared.looks.connection = dsn.and_then(|dsn| Connection::to(&dsn, OURSELVES, "").ok());
}

/// Judges what the migrations that are not applied yet take along without naming it. What they name is theirs to do: a
/// reviewer has seen it.
fn judge_pending(
    start: &Starting,
    cleared: &Cleared,
    record: &mut RunRecord,
    console: &mut Console,
) -> Result<(), Held> {
    let (Some(dialect), Some(knows)) = (cleared.place.dialect, cleared.knows(start.spec, start.kit_version.as_ref()))
    else {
        return Ok(());
    };
    let Ok(folder) = disk::read(&cleared.files.out) else { return Ok(()) };
    let last = knows.catalog.and_then(|catalog| catalog.last_migration);
    let entries = folder.journal().map(|journal| journal.entries.as_slice()).unwrap_or_default();
    let pending = entries.iter().filter(|entry| last.is_none_or(|last| entry.when > last));
    let mut statements = Vec::new();
    for entry in pending {
        match folder.file(entry).map(|file| sql::split(&file.text, dialect)) {
            Some(Ok(split)) => statements.extend(split),
            Some(Err(error)) => {
                let tag = &entry.tag;
                let warning = format!("{tag} cannot be read, so it is unknown which other rows it deletes: {error}");
                console.warn_in(record.report, &warning);
            }
            None => {}
        }
    }
    let assessed = sql::assess(&statements, dialect, &sql::Facts::default());
    let stakes = gate::sqlite::taken_along(&assessed, knows);
    let decision = decide::stakes(&cleared.policy, &stakes, &cleared.scope(start.spec, &record.answers));
    match decision {
        Ok(consent) => {
            consent.warnings.iter().for_each(|warning| console.warn_in(record.report, warning));
            Ok(())
        }
        Err(refusal) => {
            let reason = "the pending migrations would also delete rows that they do not name";
            record.refuse(&refusal);
            record.stop(Stop::Verdict(Verdict::nothing(Exit::Refused, reason)));
            Err(Held::Query(reason.to_owned()))
        }
    }
}
