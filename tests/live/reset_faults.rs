//! A reset that is hit at any moment leaves the database whole or empty, and what it says about it is true.

use std::time::{Duration, Instant};

use url::Url;

use crate::NEWEST;
use crate::reset::{FEW_LOCKS, many_tables};
use crate::support::{Database, OwnServer, Project, Ran, Random, Run, Signal, Silence, gone_within};

const N_TABLES: u32 = 60;

/// Tables with everything that drizzle gives them.
const TABLES: &str = "
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TABLE t0 (id serial PRIMARY KEY, name text UNIQUE, mood mood, at timestamp DEFAULT now());
    DO $$ BEGIN
        FOR n IN 1..59 LOOP
            EXECUTE format('CREATE TABLE t%s (id serial PRIMARY KEY, name text UNIQUE, mood mood,
                at timestamp DEFAULT now(), t int REFERENCES t%s)', n, n - 1);
        END LOOP;
    END $$;
    INSERT INTO t0 (name) SELECT 'n' || n FROM generate_series(1, 1000) n";

/// What is left of them.
#[derive(Debug, PartialEq, Eq)]
enum Left {
    Whole,
    Empty,
}

fn left(database: &Database) -> Left {
    let tables = database.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'");
    let types = database.value("SELECT count(*) FROM pg_type WHERE typname = 'mood'");
    if tables == "0" && types == "0" {
        return Left::Empty;
    }
    assert_eq!((tables.as_str(), types.as_str()), (N_TABLES.to_string().as_str(), "1"), "neither whole nor empty");
    assert_eq!(database.value("SELECT count(*) FROM t0"), "1000");
    Left::Whole
}

fn fill(database: &Database) {
    database.sql(TABLES);
    assert_eq!(left(database), Left::Whole);
}

/// A folder without drizzle: the URL is all that a reset needs.
fn project(database: &Database) -> Project {
    let project = Project::new(NEWEST, database);
    std::fs::remove_file(project.path("drizzle.config.ts")).expect("it was copied");
    project.policy("[guard]\nhosts = ['127.0.0.1']\n");
    project
}

fn reset(project: &Project, url: &Url) -> Run {
    project.pilot(&["reset", "--yes", "--url", url.as_str()])
}

/// Checks that the run's word about the database is true. `maybe` is, unless it is said without need.
#[track_caller]
fn check_word(ran: &Ran, left: &Left) {
    match ran.report["database"].as_str().expect("a report has a word on the database") {
        "unchanged" => assert_eq!(*left, Left::Whole, "{ran}"),
        "changed" => assert_eq!(*left, Left::Empty, "{ran}"),
        word => assert_eq!((word, ran.code), ("maybe", 7), "{ran}"),
    }
    assert_eq!(ran.code == 0, ran.report["database"] == "changed", "{ran}");
}

/// Runs once without a fault, and returns how long that took.
fn usual(database: &Database, project: &Project) -> Duration {
    fill(database);
    let started = Instant::now();
    let ran = reset(project, &database.url()).run().expect(0).database("changed");
    assert_eq!(left(database), Left::Empty, "{ran}");
    started.elapsed()
}

#[test]
fn a_kill_at_forty_moments_leaves_it_whole_or_empty() {
    let database = Database::create();
    let project = project(&database);
    let usual = u64::try_from(usual(&database, &project).as_micros()).expect("it was short");
    let mut random = Random(40);
    let mut seen = [0, 0];
    for _ in 0..40 {
        if left(&database) == Left::Empty {
            fill(&database);
        }
        let moment = Duration::from_micros(random.below(usual));
        let running = reset(&project, &database.url()).spawn();
        // The moment itself is what is drawn; nothing is waited for.
        std::thread::sleep(moment);
        running.signal_starter(Signal::KILL);
        let ran = running.finish();
        gone_within(Duration::from_secs(3), "a backend", || database.foreign_backends());
        let left = left(&database);
        assert!(ran.code == -9 || left == Left::Empty, "{moment:?}\n{ran}");
        seen[usize::from(left == Left::Empty)] += 1;
    }
    assert!(seen[0] > 0, "some were hit in time: {seen:?}");
}

/// Where it goes in parts it is not all or nothing, but what is left says so, and running again finishes it.
#[test]
fn a_kill_between_two_parts_is_finished_by_running_again() {
    let server = OwnServer::start("15", &[("postgresql.conf", FEW_LOCKS)]);
    let database = Database::create_at(server.url());
    let project = project(&database);
    let dry = || project.pilot(&["reset", "--dry-run", "--url", database.url().as_str()]).run();
    let reset = || project.pilot(&["reset", "--yes", "--url", database.url().as_str()]);
    let n_left = || database.list("SELECT tablename FROM pg_tables WHERE schemaname IN ('public', 'drizzle')");
    let mut n_halfway = 0;
    for after in ["2 of 245", "90 of 245"] {
        let all = many_tables(&database) + 2;
        dry().expect(2).says(&["objects are dropped in several transactions"]);
        let mut running = reset().spawn();
        running.wait_for(after);
        running.signal(Signal::KILL);
        drop(running.finish());
        gone_within(Duration::from_secs(3), "a backend", || database.foreign_backends());
        let left = n_left();
        assert!(left.len() < all && !left.iter().any(|table| table == "__drizzle_migrations"), "{left:?}");
        n_halfway += usize::from(!left.is_empty());
        let ran = reset().run().expect(0);
        assert_eq!(n_left(), Vec::<String>::new(), "{ran}");
    }
    assert!(n_halfway > 0, "some were hit in time");
}

#[test]
fn a_server_that_stops_at_ten_moments_leaves_it_whole_or_empty() {
    let server = OwnServer::start("15", &[("postgresql.conf", "synchronous_commit = on\n")]);
    let mut database = Database::create_at(server.url());
    let project = project(&database);
    let usual = u64::try_from(usual(&database, &project).as_micros()).expect("it was short");
    let mut random = Random(10);
    for _ in 0..10 {
        if left(&database) == Left::Empty {
            fill(&database);
        }
        let moment = Duration::from_micros(random.below(usual));
        let running = reset(&project, &database.url()).spawn();
        std::thread::sleep(moment);
        server.halt("immediate");
        let ran = running.finish();
        server.resume(&[]);
        database.reconnect();
        check_word(&ran, &left(&database));
    }
}

#[test]
fn a_network_that_falls_silent_at_ten_moments_leaves_it_whole_or_empty() {
    let database = Database::create();
    let project = project(&database);
    fill(&database);
    let open = Silence::after(database.url(), u64::MAX);
    let ran = reset(&project, &open.url).run().expect(0);
    assert_eq!(left(&database), Left::Empty, "{ran}");
    // What comes after the reply to COMMIT is the good-bye of 5 bytes; numbers in other replies have a digit more or less.
    const ABOUT_LAST: u64 = 5 + 60;
    let last = open.n_carried() - ABOUT_LAST;
    let mut random = Random(7);
    let moments: Vec<u64> = (0..10).map(|_| 1 + random.below(open.n_carried())).collect();
    std::thread::scope(|scope| {
        for moment in moments {
            let project = &project;
            scope.spawn(move || {
                let database = Database::create();
                fill(&database);
                let silence = Silence::after(database.url(), moment);
                let ran = reset(project, &silence.url).args(&["--timeout", "5s"]).run();
                silence.end();
                gone_within(Duration::from_secs(3), "a backend", || database.foreign_backends());
                check_word(&ran, &left(&database));
                assert!(ran.code != 0 || moment > last, "after {moment} bytes\n{ran}");
            });
        }
    });
}
