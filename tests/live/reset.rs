//! An empty database on a real server: everything that must go is gone, and everything that must stay is there.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use drizzle_pilot::db::change::advisory_lock::{AdvisoryLock, Request};
use drizzle_pilot::db::change::apply::{Cut, Hold, LOCK, Proof, Run, TransactionError};
use drizzle_pilot::db::inspect::catalog::{self, Catalog};
use drizzle_pilot::db::inspect::reach::Relation;
use drizzle_pilot::db::reset::guard::{self, Guarded, Rules, Target};
use drizzle_pilot::db::reset::plan::{self, Owners, Refusal, ResetPlan, Room, Schemas, Scope};
use drizzle_pilot::db::reset::{self, Blockers, Emptied, Event, ResetError, ResetRun};
use drizzle_pilot::db::{Connection, Dsn};

use drizzle_pilot::outcome;

use crate::NEWEST;
use crate::migrations::folder;
use crate::support::{AtCommit, Database, OwnServer, Project, Server, proxy, until};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);
const EACH: [Server; 3] = [Server::Postgres13, Server::Postgres15, Server::Postgres18];

fn quiet(_: Event<'_>) {}

fn run() -> ResetRun<'static> {
    ResetRun {
        run: Run {
            application_name: "reset-test",
            lock: Hold::Take,
            lock_timeout: LONG,
            statement_timeout: None,
            deadline: LONG,
            commit_patience: LONG,
        },
        n_attempts: 3,
        blockers: Blockers::Name,
        watch: &quiet,
    }
}

/// Does something of the test's own in the middle of a reset, whose thread is busy with its connection.
fn aside<T: Send>(what: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(what).join().expect("it does not panic"))
}

fn impatient() -> ResetRun<'static> {
    let run = run();
    ResetRun { run: Run { lock_timeout: SHORT, ..run.run }, n_attempts: 2, ..run }
}

fn scope(schemas: &[&str]) -> Scope {
    Scope {
        schemas: Schemas::Named(schemas.iter().map(|schema| (*schema).to_owned()).collect()),
        keep: BTreeSet::new(),
        migrations: Some(Relation { schema: "drizzle".to_owned(), name: "__drizzle_migrations".to_owned() }),
        owners: Owners::Us,
    }
}

fn read(database: &Database) -> Catalog {
    read_by(&database.dsn())
}

fn read_by(dsn: &Dsn) -> Catalog {
    let connection = Connection::to(dsn, "reset-test look", "").expect("the system has a runtime to give");
    catalog::catalog(&connection, LONG).expect("the laboratory answers")
}

fn target_by(dsn: &Dsn, catalog: &Catalog) -> Target {
    let rules = Rules { hosts: vec!["127.0.0.1".to_owned()], ..Rules::default() };
    guard::check(dsn, &catalog.facts, &rules).expect("the laboratory may be emptied")
}

fn planned(database: &Database, scope: &Scope) -> (Target, ResetPlan) {
    let catalog = read(database);
    let plan = plan::plan(&catalog, scope).unwrap_or_else(|refusal| panic!("{refusal}"));
    (target_by(&database.dsn(), &catalog), plan)
}

fn emptied(database: &Database, scope: &Scope) -> (ResetPlan, Emptied) {
    let (target, plan) = planned(database, scope);
    let emptied = reset::reset(&target, &plan, &run()).unwrap_or_else(|error| panic!("{error}: {}", error.hint()));
    (plan, emptied)
}

fn refusal(database: &Database, scope: &Scope) -> Refusal {
    plan::plan(&read(database), scope).expect_err("it is to be refused")
}

/// Everything that a reset has to leave as it is, one line each.
fn staying(database: &Database, schemas: &str) -> Vec<String> {
    database.list(&format!(
        "SELECT 'extension ' || extname || extversion || extnamespace::regnamespace || extowner::regrole FROM pg_extension
         UNION ALL SELECT 'member ' || i.type || ' ' || i.identity || ' ' || d.objid || coalesce(c.relacl::text, p.proacl::text, '')
           FROM pg_depend d LEFT JOIN pg_class c ON c.oid = d.objid AND d.classid = 'pg_class'::regclass
           LEFT JOIN pg_proc p ON p.oid = d.objid AND d.classid = 'pg_proc'::regclass,
                LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) i WHERE d.deptype = 'e'
         UNION ALL SELECT 'schema ' || nspname || nspowner::regrole || coalesce(nspacl::text, '') || coalesce(obj_description(oid, 'pg_namespace'), '')
           FROM pg_namespace WHERE nspname IN ({schemas})
         UNION ALL SELECT 'defaults ' || defaclrole::regrole || ' ' || defaclnamespace || ' ' || defaclobjtype::text || defaclacl::text FROM pg_default_acl
           WHERE defaclnamespace = 0 OR defaclnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ({schemas}))
         UNION ALL SELECT 'role ' || rolname FROM pg_roles WHERE rolname LIKE current_database() || '%'
         UNION ALL SELECT 'server ' || srvname FROM pg_foreign_server UNION ALL SELECT 'mapping ' || umuser FROM pg_user_mapping
         UNION ALL SELECT 'publication ' || pubname FROM pg_publication UNION ALL SELECT 'language ' || lanname FROM pg_language
         UNION ALL SELECT 'wrapper ' || fdwname FROM pg_foreign_data_wrapper
         UNION ALL SELECT 'large object ' || oid FROM pg_largeobject_metadata
         UNION ALL SELECT 'index ' || pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = to_regclass('catalog_of_ours')
         UNION ALL SELECT 'other ' || i.type || ' ' || i.identity || ' ' || d.objid FROM pg_depend d, LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) i
          WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = to_regnamespace('other')
         ORDER BY 1"
    ))
}

/// What stands in schemas of ours and belongs to no extension.
fn contents(database: &Database) -> Vec<String> {
    database.list(
        "SELECT i.type || ' ' || i.identity FROM pg_depend d JOIN pg_namespace n ON n.oid = d.refobjid,
                LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) i
          WHERE d.refclassid = 'pg_namespace'::regclass AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'other')
            AND d.classid <> 'pg_extension'::regclass AND d.deptype = 'n'
            AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e')
          ORDER BY 1",
    )
}

fn nasty(server: Server) -> Database {
    let database = Database::create_on(server);
    let second = format!("{}_second", database.value("SELECT current_database()"));
    let sql = include_str!("nasty.sql").replace("{second}", &second).replace("{long}", &"x".repeat(63));
    database.sql(&sql);
    if matches!(server, Server::Postgres15 | Server::Postgres18) {
        database.sql(
            "CREATE TYPE ranged AS RANGE (subtype = int4, multirange_type_name = ranges);
             CREATE TABLE of_ranges (r ranges); CREATE FUNCTION of_ranges(ranges) RETURNS int LANGUAGE sql AS 'SELECT 1';
             CREATE PROCEDURE q(IN int) LANGUAGE sql AS ''; CREATE PROCEDURE q(OUT a int) LANGUAGE sql AS 'SELECT 1';
             CREATE FUNCTION even(n int) RETURNS bool LANGUAGE sql RETURN n = 0;
             CREATE FUNCTION odd(n int) RETURNS bool LANGUAGE sql RETURN even(n - 1);
             CREATE OR REPLACE FUNCTION even(n int) RETURNS bool LANGUAGE sql RETURN n = 0 OR odd(n - 1);
             CREATE PUBLICATION whole FOR TABLES IN SCHEMA shop;
             CREATE STATISTICS expressed ON (id + 1) FROM users",
        );
    }
    database
}

const SCHEMAS: [&str; 4] = ["public", "shop", "my odd schema", "drizzle"];

#[test]
fn everything_goes_and_what_must_stay_stays() {
    for server in EACH {
        let database = nasty(server);
        let before = staying(&database, "'public', 'other', 'extras'");
        assert!(contents(&database).len() > 100, "{:#?}", contents(&database));
        let told = refusal(&database, &scope(&SCHEMAS)).to_string();
        let second = format!("{}_second", database.value("SELECT current_database()"));
        assert_eq!(
            told,
            format!(
                "objects of other roles would be dropped:\n  2 of {second}: type public.mood, table public.of_second"
            )
        );
        let scope = Scope { owners: Owners::Anyone, ..scope(&SCHEMAS) };
        let (plan, emptied) = emptied(&database, &scope);
        assert_eq!((emptied.proof, emptied.n_attempts, plan.room()), (Proof::Answered, 1, Room::Surely));
        assert_eq!(contents(&database), Vec::<String>::new());
        assert_eq!(staying(&database, "'public', 'other', 'extras'"), before);
        let schemas = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1";
        assert_eq!(database.list(schemas), ["extras", "information_schema", "other", "public"]);
        assert_eq!(database.list("SELECT note FROM catalog_of_ours"), ["stays"]);
        assert_eq!(database.list("SELECT name FROM other.seen"), ["Ann"]);

        let first = plan.steps.first().expect("there are steps");
        assert_eq!(first.sql, "DROP TABLE IF EXISTS \"drizzle\".\"__drizzle_migrations\" CASCADE");
        assert!(plan.statements().all(|step| step.objects.len() <= 100));
        assert_eq!(plan.owners, BTreeMap::from([(second.clone(), 2)]));
        assert!(plan.rows >= 50);
        let taken: Vec<_> = plan.collateral.iter().map(|taken| taken.object.as_str()).collect();
        let event_trigger = format!("event trigger on_ddl_{second}");
        let privileges = format!("default privileges of {second} for sequences in schema my odd schema");
        let mut expected = vec![
            "cast public.base.pg_catalog.text",
            "cast public.mood.public.base",
            "trigger public.catalog_of_ours.ours_on_theirs",
            "access method method_of_ours",
            "transform public.mood.plpgsql",
            &event_trigger,
            "default privileges of postgres for tables in schema shop",
            &privileges,
        ];
        if server != Server::Postgres13 {
            expected.push("publication namespace shop.whole");
        }
        assert_eq!(
            taken.iter().copied().collect::<BTreeSet<_>>(),
            expected.into_iter().collect::<BTreeSet<_>>(),
            "{taken:#?}"
        );

        // Nothing is left to do.
        let (_, plan) = planned(&database, &scope);
        assert!(plan.is_empty(), "{plan:#?}");
        push_and_migrate(&database);
        assert_eq!(staying(&database, "'public', 'other', 'extras'"), before);
    }
}

/// Builds the schema in both ways, after one another, without a question in between.
#[track_caller]
fn push_and_migrate(database: &Database) {
    let project = Project::new(NEWEST, database);
    project.policy("[guard]\nhosts = ['127.0.0.1']\n");
    project.schema("export const users = pgTable('users', { id: serial('id').primaryKey(), name: text('name') });\n");
    let n_users = || database.value("SELECT count(*) FROM users");
    let ran = project.push().expect(0).database("changed");
    let prompts = ran.report["prompts"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert!(prompts.len() <= 1, "only consent is asked for\n{ran}");
    assert_eq!(n_users(), "0", "{ran}");

    folder(&project, &[(10, "CREATE TABLE users (id serial PRIMARY KEY, name text);")]);
    let ran = project.pilot(&["reset", "--yes", "--then", "migrate"]).run().expect(0).database("changed");
    assert_eq!((n_users(), ran.report["prompts"].as_array().map(Vec::len)), ("0".to_owned(), Some(0)), "{ran}");
}

#[test]
fn as_many_locks_are_taken_as_were_predicted() {
    for server in EACH {
        let database = Database::create_on(server);
        database.sql(
            "CREATE TYPE mood AS ENUM ('a');
             CREATE TABLE root (id serial PRIMARY KEY);
             DO $$ BEGIN FOR i IN 1..120 LOOP EXECUTE format(
                 'CREATE TABLE t%s (id serial PRIMARY KEY, name text UNIQUE, at timestamptz DEFAULT now(), root int REFERENCES root, mood mood)', i);
             END LOOP; END $$",
        );
        let (target, plan) = planned(&database, &scope(&["public"]));
        assert_eq!(plan.steps.iter().map(|step| step.objects.len()).collect::<Vec<_>>(), [100, 21, 1]);
        // The last drop has to wait; without it, the two locks of the type and its array are missing.
        let holder = database.hold("COMMENT ON TYPE mood IS 'held'");
        let locks = |granted: &str| {
            database.value(&format!(
                "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE application_name = 'reset-test'
                 AND a.datname = current_database() AND locktype IN ('relation', 'object') AND granted = {granted}
                 AND (l.objid >= 16384 OR l.relation >= 16384) AND mode = 'AccessExclusiveLock'"
            ))
        };
        let most = thread::scope(|scope| {
            let running = scope.spawn(|| reset::reset(&target, &plan, &run()));
            until("the last drop waits", || locks("false") == "1");
            let most: u64 = locks("true").parse().expect("a count is a number");
            holder.release();
            running.join().expect("it does not panic").unwrap_or_else(|error| panic!("{error}"));
            most
        });
        assert_eq!(plan.locks.n_locks, most + 2);
    }
}

#[test]
fn what_is_to_be_kept_stays_with_its_parts() {
    let database = Database::create();
    database.sql(
        "CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE kept (id serial PRIMARY KEY); CREATE TABLE gone (id serial, m mood);
         CREATE SCHEMA shop; CREATE TABLE shop.kept (id int); CREATE TABLE shop.gone (id int)",
    );
    let keep = ["public", "shop"].map(|schema| Relation { schema: schema.to_owned(), name: "kept".to_owned() });
    let scope = Scope { keep: BTreeSet::from(keep), ..scope(&["public", "shop"]) };
    let (plan, _) = emptied(&database, &scope);
    assert_eq!(contents(&database), ["sequence public.kept_id_seq", "table public.kept", "table shop.kept"]);
    let stays: Vec<_> = plan.stays.iter().map(|stays| format!("{}: {}", stays.object, stays.why)).collect();
    let why = "schema public: with its owner, its grants, its default privileges and its comment";
    assert_eq!(stays, [why, "schema shop: table shop.kept is kept in it"]);
}

#[test]
fn what_is_to_be_kept_does_not_go_with_something_else() {
    let database = Database::create();
    database.sql("CREATE TABLE users (id serial); CREATE TABLE parted (id int) PARTITION BY LIST (id); CREATE TABLE part PARTITION OF parted DEFAULT");
    let keep = |name: &str| BTreeSet::from([Relation { schema: "public".to_owned(), name: name.to_owned() }]);
    let told = |name: &str| refusal(&database, &Scope { keep: keep(name), ..scope(&["public"]) }).to_string();
    assert_eq!(
        told("users_id_seq"),
        "the drops would also remove:\n  sequence public.users_id_seq, which is to be kept"
    );
    assert_eq!(told("part"), "the drops would also remove:\n  table public.part, which is to be kept");
}

#[test]
fn what_must_not_fall_is_refused_before_anything_is_dropped() {
    for server in EACH {
        let database = Database::create_on(server);
        let second = format!("{}_second", database.value("SELECT current_database()"));
        database.sql(&format!(
            "CREATE ROLE {second};
             CREATE EXTENSION pgcrypto; CREATE SCHEMA other; CREATE SCHEMA auth AUTHORIZATION {second};
             CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE users (id int PRIMARY KEY);
             CREATE FUNCTION helper(mood) RETURNS int LANGUAGE sql AS 'SELECT 1';
             ALTER EXTENSION pgcrypto ADD FUNCTION helper(mood);
             CREATE TABLE other.orders (id int REFERENCES users, m mood); CREATE VIEW other.seen AS SELECT id FROM users;
             CREATE TABLE kept (m mood)"
        ));
        let before = contents(&database);
        let keep = BTreeSet::from([Relation { schema: "public".to_owned(), name: "kept".to_owned() }]);
        let told = refusal(&database, &Scope { keep, ..scope(&["public"]) }).to_string();
        let expected = "the drops would also remove:
  extension pgcrypto, because of its member function public.helper(public.mood)
  table column other.orders.m, in schema other, which is not in scope
  table column public.kept.m, which is to be kept
  view other.seen, in schema other, which is not in scope
  table constraint other.orders.orders_id_fkey, in schema other, which is not in scope";
        let sorted = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
        assert_eq!(sorted(&told), sorted(expected));
        assert!(matches!(refusal(&database, &scope(&["pg_catalog"])), Refusal::System(_)));
        let told = refusal(&database, &scope(&["neon_auth"])).to_string();
        assert!(told.contains("schema neon_auth of Neon"), "{told}");
        assert_eq!(contents(&database), before);
    }
}

/// One of everything that hangs on a function or a type of the schema `public`, in a schema that is not in scope.
const ELSEWHERE: &str = "
    CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2';
    CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE FUNCTION near(int, int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 = $2';
    CREATE FUNCTION compared(int8, int4) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 0';
    CREATE SCHEMA shop; CREATE TYPE shop.pair AS (m public.mood, x int); CREATE TABLE shop.pairs (p shop.pair);
    INSERT INTO shop.pairs VALUES (row('ok', 1));
    CREATE DOMAIN shop.even AS int CHECK (public.f(VALUE) > 0);
    CREATE TABLE shop.t (id int DEFAULT public.f(1), total int GENERATED ALWAYS AS (public.f(id)) STORED, m public.mood,
        CONSTRAINT checked CHECK (public.f(id) > 0));
    CREATE TABLE shop.child () INHERITS (shop.t);
    CREATE INDEX by_f ON shop.t (public.f(id)); CREATE STATISTICS shop.stats ON id, m FROM shop.t;
    CREATE POLICY seen ON shop.t USING (public.f(id) > 0); CREATE VIEW shop.v AS SELECT public.f(id) FROM shop.t;
    CREATE RULE written AS ON INSERT TO shop.pairs WHERE public.f(1) > 2 DO INSTEAD NOTHING;
    CREATE TRIGGER noted BEFORE INSERT ON shop.t FOR EACH ROW EXECUTE FUNCTION public.noted();
    CREATE OPERATOR shop.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = public.near);
    CREATE OPERATOR FAMILY shop.family USING btree;
    ALTER OPERATOR FAMILY shop.family USING btree ADD FUNCTION 1 public.compared(int8, int4)";

#[test]
fn whatever_would_go_in_a_schema_that_is_not_in_scope_is_refused_and_named() {
    for server in EACH {
        let database = Database::create_on(server);
        database.sql(ELSEWHERE);
        let mut expected = vec![
            "composite type column shop.pair.m",
            "domain constraint shop.even.even_check",
            "default value shop.t.id",
            "default value shop.child.id",
            "function of access method btree.shop.family.1.bigint.integer",
            "index shop.by_f",
            "operator shop.===(int4, int4)",
            "policy shop.t.seen",
            "rule shop.pairs.written",
            "statistics object shop.stats",
            "table column shop.child.m",
            "table column shop.child.total",
            "table column shop.t.m",
            "table column shop.t.total",
            "table constraint shop.child.checked",
            "table constraint shop.t.checked",
            "trigger shop.t.noted",
            "view shop.v",
        ];
        expected.sort_unstable();
        let told = refusal(&database, &scope(&["public"])).to_string();
        let suffix = ", in schema shop, which is not in scope";
        let mut lines: Vec<&str> = told.lines().skip(1).map(|line| line.trim().trim_end_matches(suffix)).collect();
        lines.sort_unstable();
        assert_eq!(lines, expected, "{told}");
    }
}

#[test]
fn a_column_of_a_kept_table_that_is_computed_by_what_goes_is_kept() {
    let database = Database::create();
    database.sql(
        "CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2';
         CREATE TABLE users (id int, twice int GENERATED ALWAYS AS (f(id)) STORED)",
    );
    let keep = BTreeSet::from([Relation { schema: "public".to_owned(), name: "users".to_owned() }]);
    let told = refusal(&database, &Scope { keep, ..scope(&["public"]) }).to_string();
    assert_eq!(told, "the drops would also remove:\n  table column public.users.twice, which is to be kept");
}

/// What an event trigger does is in no plan, whatever catalog it is a row of.
#[test]
fn whatever_else_is_gone_before_the_commit_undoes_it() {
    let victims = [
        ("ALTER TABLE other.victim DROP COLUMN n", "column n of table other.victim"),
        ("ALTER TABLE other.victim DROP CONSTRAINT positive", "table constraint other.victim.positive"),
        ("DROP INDEX other.by_n", "index other.by_n"),
        ("ALTER TABLE other.victim ALTER n DROP DEFAULT", "default value other.victim.n"),
        ("DROP STATISTICS other.stats", "statistics object other.stats"),
        ("ALTER PUBLICATION published DROP TABLE other.victim", "publication relation other.victim.published"),
        ("DROP POLICY seen ON other.victim", "policy other.victim.seen"),
        ("DROP RULE quiet ON other.victim", "rule other.victim.quiet"),
        ("DROP TRIGGER noted ON other.victim", "trigger other.victim.noted"),
        ("DROP TYPE other.mood", "type other.mood"),
        ("ALTER TYPE other.pair DROP ATTRIBUTE b", "column b of type other.pair"),
        ("DROP FUNCTION other.unused()", "function other.unused()"),
        ("ALTER DOMAIN other.even DROP CONSTRAINT even", "domain constraint other.even.even"),
    ];
    for (statement, told) in victims {
        let database = Database::create();
        database.sql(&format!(
            "CREATE SCHEMA other; CREATE TABLE users (id int);
             CREATE TABLE other.victim (id int PRIMARY KEY, n int DEFAULT 7 CONSTRAINT positive CHECK (n > 0));
             CREATE INDEX by_n ON other.victim (n); CREATE STATISTICS other.stats ON id, n FROM other.victim;
             CREATE PUBLICATION published FOR TABLE other.victim; CREATE POLICY seen ON other.victim;
             CREATE RULE quiet AS ON DELETE TO other.victim DO INSTEAD NOTHING;
             CREATE FUNCTION other.noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
             CREATE TRIGGER noted BEFORE INSERT ON other.victim FOR EACH ROW EXECUTE FUNCTION other.noted();
             CREATE TYPE other.mood AS ENUM ('sad'); CREATE TYPE other.pair AS (a int, b int);
             CREATE FUNCTION other.unused() RETURNS int LANGUAGE sql AS 'SELECT 1';
             CREATE DOMAIN other.even AS int CONSTRAINT even CHECK (VALUE > 0);
             CREATE FUNCTION other.too() RETURNS event_trigger LANGUAGE plpgsql AS $$
                 BEGIN IF to_regclass('public.users') IS NULL AND current_setting('lab.done', true) IS DISTINCT FROM 'yes' THEN
                     PERFORM set_config('lab.done', 'yes', true); {statement}; END IF; END $$;
             CREATE EVENT TRIGGER too ON ddl_command_end WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION other.too()"
        ));
        let (target, plan) = planned(&database, &scope(&["public"]));
        let before = database.everything();
        let error = reset::reset(&target, &plan, &run()).expect_err(statement);
        let ResetError::Unplanned { objects } = &error else { panic!("{statement}: {error:?}") };
        assert!(objects.contains(&told.to_owned()), "{statement}: {objects:?}");
        assert_eq!(database.everything(), before, "{statement}");
    }
}

#[test]
fn what_is_of_another_role_is_refused_and_named() {
    for server in EACH {
        let database = Database::create_on(server);
        let name = database.value("SELECT current_database()");
        database.sql(&format!(
            "CREATE ROLE {name}_app LOGIN PASSWORD 'app'; CREATE ROLE {name}_admin;
             CREATE SCHEMA app AUTHORIZATION {name}_app; GRANT USAGE, CREATE ON SCHEMA public TO {name}_app;
             SET ROLE {name}_app; CREATE TABLE app.mine (id int PRIMARY KEY); CREATE TYPE app.mood AS ENUM ('a');
             CREATE CAST (app.mood AS int) WITH INOUT; RESET ROLE;
             CREATE TABLE app.theirs (id int REFERENCES app.mine, n serial); CREATE TABLE public.theirs (id int);
             ALTER TABLE public.theirs OWNER TO {name}_admin; CREATE SCHEMA closed; CREATE TABLE closed.t (id int);
             ALTER TABLE closed.t OWNER TO {name}_app"
        ));
        let mut url = database.url();
        url.set_username(&format!("{name}_app")).expect("the URL has a host");
        url.set_password(Some("app")).expect("the URL has a host");
        let dsn = Dsn::from_url(url.as_str(), &|_| None).expect("the URL is right");
        let catalog = read_by(&dsn);
        let refused =
            |schemas: &[&str]| plan::plan(&catalog, &scope(schemas)).expect_err("it is to be refused").to_string();
        let told = format!(
            "these objects belong to other roles and cannot be dropped:\n  table public.theirs of {name}_admin"
        );
        assert_eq!(refused(&["public", "app"]), told);
        assert!(refused(&["closed"]).starts_with("the objects of these schemas cannot be named"));
        // The owner of a schema may drop what others have put there, and has to say so.
        assert_eq!(
            refused(&["app"]),
            "objects of other roles would be dropped:\n  2 of postgres: sequence app.theirs_n_seq, table app.theirs"
        );
        let said = Scope { owners: Owners::Anyone, ..scope(&["app"]) };
        let plan = plan::plan(&catalog, &said).unwrap_or_else(|refusal| panic!("{refusal}"));
        assert_eq!(plan.owners, BTreeMap::from([("postgres".to_owned(), 2)]));
        reset::reset(&target_by(&dsn, &catalog), &plan, &run()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(contents(&database), ["table closed.t", "table public.theirs"]);
    }
}

#[test]
fn a_database_that_moved_is_left_alone() {
    let database = Database::create();
    database.sql("CREATE TABLE users (id int); CREATE TABLE orders (id int)");
    let (target, plan) = planned(&database, &scope(&["public"]));
    database.sql("CREATE VIEW late AS SELECT * FROM users");
    let error = reset::reset(&target, &plan, &run()).expect_err("the database has changed");
    assert_eq!(error.to_string(), "the database has changed since it was inspected\n  appeared: view public.late");
    assert_eq!(error.database(), outcome::Database::Unchanged);
    database.sql("DROP TABLE orders");
    let error = reset::reset(&target, &plan, &run()).expect_err("the database has changed");
    let told = "the database has changed since it was inspected\n  appeared: view public.late\n  disappeared: table public.orders";
    assert_eq!(error.to_string(), told);
    assert_eq!(contents(&database), ["table public.users", "view public.late"]);
    // What is gone altogether is no reason to stop, as long as nothing else has come.
    let (_, plan) = planned(&database, &scope(&["public"]));
    database.sql("DROP TABLE users CASCADE");
    let emptied = reset::reset(&target, &plan, &run()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((emptied.n_objects, emptied.n_statements), (0, 0));
    let elsewhere = Database::create();
    let target = target_by(&elsewhere.dsn(), &read(&database));
    assert!(matches!(
        reset::reset(&target, &plan, &run()),
        Err(ResetError::Transaction(TransactionError::Elsewhere { .. }))
    ));
}

#[test]
fn an_event_trigger_that_forbids_drops_is_told() {
    let database = Database::create();
    database.sql(
        "CREATE SCHEMA other; CREATE FUNCTION other.no() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''not here''; END';
         CREATE TABLE users (id int); CREATE EVENT TRIGGER no ON sql_drop EXECUTE FUNCTION other.no()",
    );
    let (target, plan) = planned(&database, &scope(&["public"]));
    let error = reset::reset(&target, &plan, &run()).expect_err("it is forbidden");
    assert_eq!(error.to_string(), "DROP TABLE IF EXISTS \"public\".\"users\" CASCADE failed: not here (P0001)");
    assert_eq!(
        (error.database(), contents(&database)),
        (outcome::Database::Unchanged, vec!["table public.users".to_owned()])
    );
}

#[test]
fn limits_of_the_database_do_not_end_a_long_reset() {
    for server in EACH {
        let database = Database::create_on(server);
        let name = database.value("SELECT current_database()");
        database.sql(&format!(
            "CREATE SCHEMA other; CREATE FUNCTION other.slowly() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.4); END';
             CREATE TABLE users (id int); CREATE EVENT TRIGGER slowly ON sql_drop EXECUTE FUNCTION other.slowly();
             ALTER DATABASE {name} SET statement_timeout = '200ms'"
        ));
        let limit =
            "SELECT name FROM pg_settings WHERE name IN ('transaction_timeout', 'idle_in_transaction_session_timeout')";
        for limit in database.list(limit) {
            database.sql(&format!("ALTER DATABASE {name} SET {limit} = '300ms'"));
        }
        emptied(&database, &scope(&["public"]));
        assert_eq!(contents(&database), Vec::<String>::new());
    }
}

#[test]
fn who_blocks_is_named_and_ended_only_when_asked() {
    for server in EACH {
        let database = Database::create_on(server);
        database.sql("CREATE TABLE users (id int); CREATE TABLE orders (id int)");
        let held = database.hold("SELECT FROM users");
        let (target, plan) = planned(&database, &scope(&["public"]));
        let n_events = RefCell::new(0);
        let watch = |event: Event<'_>| {
            if let Event::Blocked { by, .. } = event {
                assert_eq!(by.len(), 1);
                *n_events.borrow_mut() += 1;
            }
        };
        let error =
            reset::reset(&target, &plan, &ResetRun { watch: &watch, ..impatient() }).expect_err("it is blocked");
        assert_eq!((error.database(), n_events.into_inner()), (outcome::Database::Unchanged, 1));
        let ResetError::Transaction(TransactionError::Busy { by, n_attempts: 2, .. }) = &error else {
            panic!("{error:?}")
        };
        let told = by[0].to_string();
        assert!(told.contains(", called live-test, idle in transaction, "), "{told}");
        assert!(told.ends_with(", holds public.users"), "{told}");
        assert!(error.hint().contains("SELECT pg_terminate_backend(pid)"), "{}", error.hint());
        assert_eq!(contents(&database), ["table public.orders", "table public.users"]);

        let run = ResetRun { blockers: Blockers::TerminateOwn, ..impatient() };
        let emptied = reset::reset(&target, &plan, &run).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((emptied.n_attempts, emptied.terminated.len()), (2, 1));
        assert_eq!(contents(&database), Vec::<String>::new());
        drop(held);
    }
}

#[test]
fn a_blocker_is_named_whatever_it_holds() {
    let server = OwnServer::start("15", &[("postgresql.conf", "max_prepared_transactions = 2\n")]);
    let database = Database::create_at(server.url());
    database.sql("CREATE TABLE users (id int); CREATE TYPE mood AS ENUM ('sad'); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE SCHEMA shop");
    let (target, plan) = planned(&database, &scope(&["public", "shop"]));
    // Long enough for the look from a second connection, which only a wait can show to.
    let once = ResetRun { run: Run { lock_timeout: Duration::from_secs(2), ..run().run }, n_attempts: 1, ..run() };
    let told = || {
        let error = reset::reset(&target, &plan, &once).expect_err("it is blocked");
        let ResetError::Transaction(TransactionError::Busy { by, .. }) = &error else { panic!("{error:?}") };
        assert_eq!(by.len(), 1, "{by:?}");
        (by[0].to_string(), error.hint())
    };
    for (statement, holds) in [
        ("COMMENT ON TYPE mood IS 'x'", "type public.mood"),
        ("COMMENT ON FUNCTION f() IS 'x'", "function public.f()"),
        ("COMMENT ON SCHEMA shop IS 'x'", "schema shop"),
    ] {
        let held = database.hold(statement);
        let (told, hint) = told();
        assert!(told.contains(", called live-test, idle in transaction, "), "{told}");
        assert!(told.ends_with(&format!(", holds {holds}")) && hint.contains("pg_terminate_backend"), "{told}: {hint}");
        held.release();
    }
    database.sql("BEGIN; SELECT FROM users; PREPARE TRANSACTION 'it''s'");
    let (told, hint) = told();
    assert!(
        told.starts_with("prepared transaction it's of postgres, ") && told.ends_with(", holds public.users"),
        "{told}"
    );
    assert_eq!(hint, "end the prepared transaction: ROLLBACK PREPARED 'it''s'");
    database.sql("ROLLBACK PREPARED 'it''s'");
    emptied(&database, &scope(&["public", "shop"]));
}

#[test]
fn sessions_of_another_role_are_never_ended() {
    for server in EACH {
        let database = Database::create_on(server);
        let app = format!("{}_app", database.value("SELECT current_database()"));
        database.sql(&format!(
            "CREATE ROLE {app} LOGIN PASSWORD 'app'; CREATE SCHEMA app AUTHORIZATION {app}; SET ROLE {app}; CREATE TABLE app.users (id int); RESET ROLE"
        ));
        let mut url = database.url();
        url.set_username(&app).and_then(|()| url.set_password(Some("app"))).expect("the URL has a host");
        let dsn = Dsn::from_url(url.as_str(), &|_| None).expect("the URL is right");
        let catalog = read_by(&dsn);
        let plan = plan::plan(&catalog, &scope(&["app"])).unwrap_or_else(|refusal| panic!("{refusal}"));
        let target = target_by(&dsn, &catalog);
        let held = database.hold("SELECT FROM app.users");
        let run = ResetRun { blockers: Blockers::TerminateOwn, ..impatient() };
        let error = reset::reset(&target, &plan, &run).expect_err("it is blocked");
        let ResetError::Transaction(TransactionError::Busy { by, .. }) = &error else { panic!("{error:?}") };
        assert!(by.iter().all(|blocker| !blocker.terminated && blocker.user == "postgres"), "{error}");
        held.commit();
        reset::reset(&target, &plan, &run).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn two_at_once_end_well() {
    for server in EACH {
        let database = nasty(server);
        let (target, plan) = planned(&database, &Scope { owners: Owners::Anyone, ..scope(&SCHEMAS) });
        let outcomes = thread::scope(|scope| {
            let runs = [(); 2].map(|()| scope.spawn(|| reset::reset(&target, &plan, &run())));
            runs.map(|run| run.join().expect("no run panics"))
        });
        // The second one waits, and finds nothing to do.
        let mut n_dropped: Vec<usize> = outcomes
            .iter()
            .map(|outcome| outcome.as_ref().map(|emptied| emptied.n_objects).expect("it ends well"))
            .collect();
        n_dropped.sort_unstable();
        assert_eq!(n_dropped, [0, plan.n_objects]);
        assert_eq!(contents(&database), Vec::<String>::new());

        let held = database.hold(&format!("SELECT pg_advisory_xact_lock({}, {})", LOCK.class, LOCK.object));
        let error = reset::reset(&target, &plan, &impatient()).expect_err("another run holds the lock");
        assert!(error.to_string().contains("called live-test, idle in transaction"), "{error}");
        held.release();
    }
}

#[test]
fn the_lock_of_a_run_is_given_back_with_the_commit_or_the_refusal() {
    for server in EACH {
        let database = Database::create_on(server);
        database.sql("CREATE TABLE users (id int); CREATE VIEW names AS SELECT id FROM users");
        let (target, plan) = planned(&database, &scope(&["public"]));
        let take = || {
            let connection = Connection::to(&database.dsn(), "reset-test lock", "").expect("the system has a runtime");
            let request = Request { wait: SHORT, deadline: LONG };
            AdvisoryLock::take(connection, &request, &mut |_| ()).unwrap_or_else(|error| panic!("{error}"))
        };
        // Each one is taken from the one before, which has given it back.
        database.sql("CREATE TABLE late (id int)");
        let moved = reset::reset_and_release(take(), &target, &plan, &impatient()).expect_err("the database has moved");
        assert_eq!(moved.database(), outcome::Database::Unchanged, "{moved}");
        assert_eq!(contents(&database), ["table public.late", "table public.users", "view public.names"]);

        database.sql("DROP TABLE late");
        let sessions = RefCell::new(BTreeSet::new());
        let watch = |event: Event<'_>| {
            if let Event::Step { .. } = event {
                let ours = "SELECT application_name FROM pg_stat_activity
                             WHERE application_name LIKE 'reset-test%' AND datname = current_database()";
                sessions.borrow_mut().extend(aside(|| database.list(ours)));
            }
        };
        let run = ResetRun { watch: &watch, ..impatient() };
        let emptied = reset::reset_and_release(take(), &target, &plan, &run).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((emptied.n_objects, emptied.n_transactions), (plan.n_objects, 1));
        assert_eq!(emptied.proof, Proof::Answered);
        assert_eq!(contents(&database), Vec::<String>::new());
        // There is no other login.
        assert_eq!(sessions.into_inner().into_iter().collect::<Vec<_>>(), ["reset-test lock"]);
        drop(take());
    }
}

#[test]
fn a_lost_commit_is_told_truly() {
    for (at_commit, committed) in [
        (AtCommit::CutBefore, false),
        (AtCommit::CutAfter, true),
        (AtCommit::SwallowCommit, false),
        (AtCommit::SwallowReply, true),
    ] {
        for server in EACH {
            let database = Database::create_on(server);
            database.sql("CREATE TABLE users (id int)");
            let plan = planned(&database, &scope(&["public"])).1;
            let dsn = Dsn::from_url(proxy(database.url(), at_commit).as_str(), &|_| None).expect("the URL is right");
            let target = target_by(&dsn, &read(&database));
            let quick = Run { deadline: Duration::from_secs(5), commit_patience: SHORT, ..run().run };
            let outcome = reset::reset(&target, &plan, &ResetRun { run: quick, ..run() });
            match (&outcome, committed) {
                (Ok(Emptied { proof: Proof::Asked, .. }), true) => {}
                (
                    Err(ResetError::Transaction(TransactionError::Undone { cut: Cut::Lost(_) | Cut::Deadline(_) })),
                    false,
                ) => {}
                _ => panic!("{at_commit:?}: {outcome:?}"),
            }
            assert_eq!(contents(&database).is_empty(), committed, "{at_commit:?}");
        }
    }
}

#[test]
fn what_comes_while_it_runs_undoes_it() {
    let database = Database::create();
    database.sql("CREATE TABLE users (id int)");
    let (target, plan) = planned(&database, &scope(&["public"]));
    let watch = |event: Event<'_>| {
        if let Event::Step { step, .. } = event
            && step.sql.starts_with("DROP")
        {
            aside(|| database.sql("CREATE TYPE late AS ENUM ('a')"));
        }
    };
    let error = reset::reset(&target, &plan, &ResetRun { watch: &watch, ..run() }).expect_err("something is left");
    assert_eq!(error.to_string(), "after the drops these objects are still there:\n  type public.late");
    assert_eq!(contents(&database), ["table public.users", "type public.late"]);
    until("the backend is gone", || database.foreign_backends().is_empty());
}

#[test]
fn what_was_in_no_plan_must_not_go() {
    for server in EACH {
        let database = Database::create_on(server);
        database.sql(
            "CREATE EXTENSION citext; CREATE SCHEMA other; CREATE TABLE other.victim (id int); CREATE TABLE users (id int);
             CREATE FUNCTION other.too() RETURNS event_trigger LANGUAGE plpgsql AS
                 'BEGIN IF to_regclass(''other.victim'') IS NOT NULL THEN DROP TABLE other.victim; DROP EXTENSION citext; END IF; END';
             CREATE EVENT TRIGGER too ON ddl_command_end WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION other.too()",
        );
        let (target, plan) = planned(&database, &scope(&["public"]));
        let error = reset::reset(&target, &plan, &run()).expect_err("more than the plan is gone");
        let ResetError::Unplanned { objects } = &error else { panic!("{error:?}") };
        assert!(objects.contains(&"table other.victim".to_owned()), "{objects:?}");
        assert!(objects.contains(&"extension citext, or a part of it".to_owned()), "{objects:?}");
        assert_eq!(
            (error.database(), contents(&database)),
            (outcome::Database::Unchanged, vec!["table public.users".to_owned()])
        );
        assert_eq!(database.value("SELECT count(*) FROM other.victim"), "0");
    }
}

#[test]
fn a_database_that_is_read_only_is_guarded_and_read_nevertheless() {
    let database = Database::create();
    database.sql("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$");
    let catalog = read(&database);
    let rules = Rules { hosts: vec!["*".to_owned()], ..Rules::default() };
    let guarded = guard::check(&database.dsn(), &catalog.facts, &rules).expect_err("it is read only");
    assert!(matches!(guarded, Guarded::ReadOnly { .. }), "{guarded}");
}

#[test]
fn a_temporary_table_of_another_session_is_not_taken_along() {
    let database = Database::create();
    database.sql("CREATE TYPE mood AS ENUM ('sad'); CREATE TEMP TABLE scratch (id int, m mood)");
    let told = refusal(&database, &scope(&["public"])).to_string();
    assert!(told.contains("table column pg_temp") && told.contains(".scratch.m, in schema pg_temp_"), "{told}");
}

#[test]
fn what_needs_too_many_locks_goes_in_parts() {
    let server = OwnServer::start("15", &[("postgresql.conf", FEW_LOCKS)]);
    let database = Database::create_at(server.url());
    let n_tables = many_tables(&database);
    let (target, plan) = planned(&database, &scope(&["public", "drizzle"]));
    assert_eq!(plan.room(), Room::No);
    let said = RefCell::new(Vec::new());
    let watch = |event: Event<'_>| match event {
        Event::InParts { .. } => said.borrow_mut().push("in parts".to_owned()),
        Event::Part { n_dropped, n_objects } => said.borrow_mut().push(format!("{n_dropped} of {n_objects}")),
        _ => {}
    };
    let emptied =
        reset::reset(&target, &plan, &ResetRun { watch: &watch, ..run() }).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((emptied.n_objects, contents(&database)), (plan.n_objects, Vec::new()));
    let said = said.into_inner();
    assert_eq!(emptied.n_transactions + 1, said.len());
    assert!(emptied.n_transactions > n_tables / 100, "{said:?}");
    // The records of the migrations are gone before anything else is.
    assert_eq!(said[..2], ["in parts".to_owned(), format!("2 of {}", plan.n_objects)]);
}

#[test]
fn a_part_that_is_refused_leaves_the_parts_before_it_and_says_so() {
    let server = OwnServer::start("15", &[("postgresql.conf", FEW_LOCKS)]);
    let database = Database::create_at(server.url());
    many_tables(&database);
    let (target, plan) = planned(&database, &scope(&["public", "drizzle"]));
    let n_parts = RefCell::new(0);
    let watch = |event: Event<'_>| {
        if let Event::Part { .. } = event {
            *n_parts.borrow_mut() += 1;
            if *n_parts.borrow() == 2 {
                aside(|| database.sql("CREATE TABLE late (id int)"));
            }
        }
    };
    let error = reset::reset(&target, &plan, &ResetRun { watch: &watch, ..run() }).expect_err("something has come");
    assert_eq!(error.database(), outcome::Database::Maybe);
    let ResetError::Partial { n_dropped, n_objects, cause } = &error else { panic!("{error:?}") };
    assert!(matches!(**cause, ResetError::Moved { .. }), "{error}");
    let told = format!("{n_dropped} of {n_objects} objects are dropped, and then: the database has changed");
    assert!(
        error.to_string().starts_with(&told) && error.hint().starts_with("run it again, which finishes it"),
        "{error}"
    );
    let left = database
        .value("SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'drizzle') AND tablename <> 'late'");
    assert!(left.parse::<usize>().expect("a count is a number") > 0);
    assert_eq!(database.value("SELECT to_regclass('drizzle.__drizzle_migrations') IS NULL"), "t");

    emptied(&database, &scope(&["public", "drizzle"]));
    assert_eq!(contents(&database), Vec::<String>::new());
}

/// Room for 200 locks as it is promised, and for a good deal more in truth.
pub(crate) const FEW_LOCKS: &str = "max_connections = 20\nmax_locks_per_transaction = 10\n";

/// Makes tables as drizzle does, with more locks than the server has room for.
pub(crate) fn many_tables(database: &Database) -> usize {
    const N_TABLES: usize = 120;
    database.sql("CREATE SCHEMA drizzle; CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text, created_at bigint)");
    database.sql("CREATE TABLE root (id serial PRIMARY KEY)");
    database.sql(&format!(
        "DO $$ BEGIN FOR i IN 1..{N_TABLES} LOOP EXECUTE format(
             'CREATE TABLE t%s (id serial PRIMARY KEY, name text UNIQUE, at timestamptz DEFAULT now(), root int REFERENCES root)', i);
             COMMIT; END LOOP; END $$"
    ));
    N_TABLES
}
