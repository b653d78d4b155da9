//! Signals and kills at every phase: nothing stays behind, neither a process nor a statement in the server.

use std::io::Write;
use std::time::Duration;

use crate::NEWEST;
use crate::advisory_lock::take_away;
use crate::support::{
    AtOptions, Database, Held, Project, Ran, Run, Running, Server, Signal, gone_within, pooler, until,
};
use crate::surroundings::as_pid_1;

/// Where the run is when it is hit.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// drizzle-kit counts the rows of a table that is locked. It has asked nothing so far.
    BeforeTheQuestion,
    /// The policy has consented, and `ALTER TABLE` waits for a lock.
    WaitingForALock,
    /// The policy has consented, and `ALTER TABLE` is running.
    Executing,
}

/// What hits it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Blow {
    Terminate,
    Interrupt,
    HangUp,
    KillPilot,
    KillNode,
}

impl Blow {
    fn hit(self, running: &Running) {
        match self {
            Blow::Terminate => running.signal(Signal::TERM),
            Blow::Interrupt => running.signal(Signal::INT),
            Blow::HangUp => running.signal(Signal::HUP),
            Blow::KillPilot => running.signal(Signal::KILL),
            Blow::KillNode => running.signal_all("node", Signal::KILL),
        }
    }

    /// Checks the code and the last sentence of a run that was hit, before consent or after.
    #[track_caller]
    fn check(self, ran: Ran, consented: bool) {
        let code = match (self, consented) {
            (Blow::Terminate, _) => 143,
            (Blow::Interrupt, _) => 130,
            (Blow::HangUp, _) => 129,
            (Blow::KillNode, false) => 1,
            (Blow::KillNode, true) => 6,
            // Nobody is left to say anything. (An `unshare` around it turns the signal into 137 or 1.)
            (Blow::KillPilot, _) => {
                assert!(matches!(ran.code, -9 | 137 | 1), "{ran}");
                return;
            }
        };
        let sentence = if consented { "The database may be partly changed." } else { "Nothing was executed." };
        ran.expect(code).says(&[sentence]);
    }
}

/// A run that was brought to a phase and stays there.
struct Stuck {
    database: Database,
    running: Running,
    lock: Option<Held>,
    phase: Phase,
    before: Vec<String>,
}

fn stuck(kit: &str, server: Server, phase: Phase, prepare: impl FnOnce(Run, &Database) -> Run) -> Stuck {
    let database = Database::create_on(server);
    let project = Project::fixture(kit, "drop_column", &database);
    let before = database.state();
    let lock = match phase {
        Phase::BeforeTheQuestion => Some(database.hold("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")),
        // Reading is still possible, so drizzle-kit can count and ask.
        Phase::WaitingForALock => Some(database.hold("LOCK TABLE users IN ACCESS SHARE MODE")),
        Phase::Executing => {
            database.sql(
                "CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); END';
                 CREATE EVENT TRIGGER slow ON ddl_command_start WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION slow()",
            );
            None
        }
    };
    let running = prepare(project.pilot(&["push"]), &database).spawn();
    let reached = match phase {
        Phase::BeforeTheQuestion => "wait_event_type = 'Lock' AND query ILIKE '%count(%'",
        Phase::WaitingForALock => "wait_event_type = 'Lock' AND query ILIKE 'ALTER TABLE%'",
        Phase::Executing => "wait_event = 'PgSleep' AND query ILIKE 'ALTER TABLE%'",
    };
    let query = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND {reached}");
    let mut ended = false;
    until(&format!("drizzle-kit is stuck {phase:?}: {reached}"), || {
        ended = running.has_ended();
        ended || database.value(&query) != "0"
    });
    if ended {
        panic!("it ended before {phase:?}\n{}", running.finish());
    }
    // The project's folder is needed no more: drizzle-kit has read all of it.
    drop(project);
    Stuck { database, running, lock, phase, before }
}

impl Stuck {
    /// Waits for the end and checks what is left, while the statement would still be waiting.
    fn end(self) -> Ran {
        let Self { database, running, lock, before, .. } = self;
        let ran = running.finish();
        assert!(ran.took < Duration::from_secs(60), "{ran}");
        gone_within(Duration::from_secs(3), "a backend", || database.foreign_backends());
        if let Some(lock) = lock {
            lock.release();
        }
        assert_eq!(database.state(), before, "the statement was executed afterwards\n{ran}");
        ran
    }
}

/// Hits a run in a phase and checks its code and its last sentence.
fn check(kit: &str, server: Server, phase: Phase, blow: Blow, prepare: impl FnOnce(Run, &Database) -> Run) {
    let stuck = stuck(kit, server, phase, prepare);
    blow.hit(&stuck.running);
    let consented = stuck.phase != Phase::BeforeTheQuestion;
    blow.check(stuck.end(), consented);
}

/// Makes one test per phase and blow.
macro_rules! blows {
    ($($name:ident: $phase:ident, $blow:ident;)*) => {
        $(#[test] fn $name() { check(NEWEST, Server::Postgres15, Phase::$phase, Blow::$blow, |run, _| run); })*
    };
}

blows! {
    sigterm_before_the_question: BeforeTheQuestion, Terminate;
    sigterm_while_a_statement_waits: WaitingForALock, Terminate;
    sigterm_while_a_statement_runs: Executing, Terminate;
    sigint_before_the_question: BeforeTheQuestion, Interrupt;
    sigint_while_a_statement_waits: WaitingForALock, Interrupt;
    sigint_while_a_statement_runs: Executing, Interrupt;
    sighup_before_the_question: BeforeTheQuestion, HangUp;
    sighup_while_a_statement_waits: WaitingForALock, HangUp;
    sighup_while_a_statement_runs: Executing, HangUp;
    sigkill_before_the_question: BeforeTheQuestion, KillPilot;
    sigkill_while_a_statement_waits: WaitingForALock, KillPilot;
    sigkill_while_a_statement_runs: Executing, KillPilot;
    node_is_killed_before_the_question: BeforeTheQuestion, KillNode;
    node_is_killed_while_a_statement_waits: WaitingForALock, KillNode;
    node_is_killed_while_a_statement_runs: Executing, KillNode;
}

on_every_kit! {
    sigterm_after_consent
    sigkill_after_consent
    a_run_that_is_hit_at_an_open_question_ends_well
}

fn sigterm_after_consent(kit: &str) {
    check(kit, Server::Postgres15, Phase::WaitingForALock, Blow::Terminate, |run, _| run);
}

fn sigkill_after_consent(kit: &str) {
    check(kit, Server::Postgres15, Phase::Executing, Blow::KillPilot, |run, _| run);
}

/// Hits runs after the first of many answers. The statement after the last must not have run.
fn a_run_that_is_hit_at_an_open_question_ends_well(kit: &str) {
    let names: Vec<String> = (0..40).map(|n| format!("{n:02}")).collect();
    let each = |line: &dyn Fn(&str) -> String| names.iter().map(|name| line(name)).collect::<String>();
    let database = Database::create();
    database.sql(&each(&|n| format!("CREATE TABLE old_{n} (id integer PRIMARY KEY);")));
    let project = Project::new(kit, &database);
    project
        .schema(&each(&|n| format!("export const t{n} = pgTable('new_{n}', {{ id: integer('id').primaryKey() }});\n")));
    project.policy(&format!("[renames.tables]\n{}", each(&|n| format!("\"public.old_{n}\" = \"new_{n}\"\n"))));
    let before = database.state();

    // How drizzle-kit takes a signal depends on its version, how we do does not.
    let blows: &[Blow] = match kit {
        NEWEST => &[Blow::Terminate, Blow::Interrupt, Blow::HangUp, Blow::KillPilot, Blow::KillNode],
        _ => &[Blow::Terminate, Blow::KillPilot],
    };
    for blow in blows {
        let mut running = project.pilot(&["push", "-vv"]).spawn();
        running.wait_for("key=\"enter\"");
        blow.hit(&running);
        let ran = running.finish();
        gone_within(Duration::from_secs(3), "a backend", || database.foreign_backends());
        assert_eq!(database.state(), before, "{blow:?}\n{ran}");
        blow.check(ran, false);
    }
}

/// PostgreSQL 13 cannot notice that its client is gone while a statement runs: there the program cancels.
#[test]
fn an_older_server_is_left_clean_too() {
    for blow in [Blow::Terminate, Blow::KillNode] {
        for phase in [Phase::WaitingForALock, Phase::Executing] {
            check(NEWEST, Server::Postgres13, phase, blow, |run, _| run);
        }
    }
}

/// A pooler may take no start-up option: then the server does not look whether its client is gone, and the program ends
/// what has the name of its run.
#[test]
fn a_pooler_that_takes_no_options_is_left_clean_too() {
    let pooled =
        |run: Run, database: &Database| run.env("DATABASE_URL", pooler(database.url(), AtOptions::Refuse).as_str());
    let database = Database::create();
    let ran = pooled(Project::fixture(NEWEST, "drop_column", &database).pilot(&["push"]), &database).run();
    ran.expect(0).database("changed");
    for (phase, blow) in [(Phase::Executing, Blow::Terminate), (Phase::WaitingForALock, Blow::KillNode)] {
        check(NEWEST, Server::Postgres15, phase, blow, pooled);
    }
}

/// A run whose question is open, and whose program waits for a lock while it looks what the answer would reach. The
/// highlight stands on "Yes" meanwhile: the next key would be Enter.
fn looking(prepare: impl FnOnce(Run, &Database) -> Run) -> (Stuck, Held) {
    let mut stuck = stuck(NEWEST, Server::Postgres15, Phase::BeforeTheQuestion, prepare);
    // Of both, the program alone looks at extensions.
    let extensions = stuck.database.hold("LOCK TABLE pg_catalog.pg_extension IN ACCESS EXCLUSIVE MODE");
    stuck.lock.take().expect("the table is locked in this phase").release();
    let looks = "SELECT count(*) FROM pg_stat_activity
                  WHERE datname = current_database() AND wait_event_type = 'Lock' AND query ILIKE '%pg_extension%'";
    until("the program looks", || stuck.database.value(looks) != "0");
    (stuck, extensions)
}

/// A look that a signal ends is no reason to consent, not even where the policy allows what was to be looked at.
#[test]
fn a_signal_while_rows_are_counted_is_no_consent() {
    let mut policy = tempfile::NamedTempFile::new().expect("there is a temporary folder");
    policy.write_all(b"[hazards]\ndata_loss = 'approve'\nunclassified = 'approve'\n").expect("the file is ours");
    let path = policy.path().to_str().expect("the path is UTF-8");
    let (stuck, _extensions) = looking(|run, _| run.args(&["--policy", path]));
    Blow::Terminate.hit(&stuck.running);
    Blow::Terminate.check(stuck.end(), false);
}

/// The connection that looks is that of the lock. Where it ends, the lines of a policy that allows nothing would not help.
#[test]
fn a_lock_that_is_lost_while_rows_are_counted_is_told_as_that() {
    let mut policy = tempfile::NamedTempFile::new().expect("there is a temporary folder");
    policy.write_all(b"version = 1\n").expect("the file is ours");
    let path = policy.path().to_str().expect("the path is UTF-8");
    let (stuck, _extensions) = looking(|run, _| run.args(&["--policy", path]));
    take_away(&stuck.database);
    let ran = stuck.end().expect(69).says(&["the lock on this database was lost, before consent"]);
    assert_eq!(ran.report["refusals"], serde_json::json!([]), "{ran}");
}

#[test]
fn pid_1_obeys_signals_too() {
    for blow in [Blow::Terminate, Blow::Interrupt, Blow::KillPilot] {
        check(NEWEST, Server::Postgres15, Phase::WaitingForALock, blow, |run, _| {
            run.by(&as_pid_1().iter().map(String::as_str).collect::<Vec<_>>())
        });
    }
}

#[test]
fn a_deadline_is_an_ending_like_a_signal() {
    for (flag, phase, sentence) in [
        ("--timeout", Phase::BeforeTheQuestion, "Nothing was executed."),
        ("--idle-timeout", Phase::WaitingForALock, "The database may be partly changed."),
    ] {
        let stuck = stuck(NEWEST, Server::Postgres15, phase, |run, _| run.args(&[flag, "10s"]));
        stuck.end().expect(124).says(&[sentence]);
    }
}
