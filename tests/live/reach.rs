//! What our own connection finds behind the statements of a plan, in a real catalog.

use std::collections::BTreeSet;
use std::time::Duration;

use drizzle_pilot::db::Connection;
use drizzle_pilot::db::connection::url::Dsn;
use drizzle_pilot::db::inspect::reach::{
    self, Act, Code, Convertible, Deed, Facts, NewType, Obstacle, Relation, Retyped, Rows, Subject, Thing, Wanted,
};

use crate::support::{Database, Server};

fn look_up(database: &Database, wanted: &Wanted) -> Facts {
    let credentials = serde_json::json!({ "url": database.url().as_str() });
    let dsn = Dsn::from_credentials("postgresql", &credentials, &|_| None);
    let dsn = dsn.expect("PostgreSQL has an address").expect("the laboratory's URLs are right");
    look_up_at(&dsn, wanted)
}

fn look_up_at(dsn: &Dsn, wanted: &Wanted) -> Facts {
    let connection = Connection::to(dsn, "reach", "").expect("the system lets us");
    reach::look_up(&connection, wanted, Duration::from_secs(10)).expect("the laboratory answers")
}

fn relation(name: &str) -> Relation {
    let (schema, name) = name.split_once('.').unwrap_or(("public", name));
    Relation { schema: schema.to_owned(), name: name.to_owned() }
}

const EACH: [Server; 3] = [Server::Postgres13, Server::Postgres15, Server::Postgres18];

fn drop_of(subject: Subject) -> Act {
    Act { deed: Deed::Drop { cascade: true, if_exists: false }, subject }
}

/// As drizzle-kit drops most things: without CASCADE.
fn plain_drop_of(subject: Subject) -> Act {
    Act { deed: Deed::Drop { cascade: false, if_exists: false }, subject }
}

fn table(name: &str) -> Subject {
    Subject::Relation(relation(name))
}

fn column(table: &str, column: &str) -> Subject {
    Subject::Column { table: relation(table), column: column.to_owned() }
}

fn foreseen(database: &Database, acts: Vec<Act>) -> Facts {
    look_up(database, &Wanted { acts, ..Wanted::default() })
}

fn reached(facts: &Facts) -> Vec<&str> {
    facts.reached.iter().map(|reached| reached.thing.told.as_str()).collect()
}

fn told(things: &[Thing]) -> Vec<&str> {
    things.iter().map(|thing| thing.told.as_str()).collect()
}

#[test]
fn truncate_cascade_names_every_table_it_empties() {
    let database = Database::create();
    database.sql(
        "CREATE SCHEMA shop;
         CREATE TABLE users (id int PRIMARY KEY, boss int REFERENCES users);
         CREATE TABLE shop.orders (id int PRIMARY KEY, \"user\" int REFERENCES users);
         CREATE TABLE \"Line Items\" (\"order\" int REFERENCES shop.orders) PARTITION BY RANGE (\"order\");
         CREATE TABLE items_1 PARTITION OF \"Line Items\" FOR VALUES FROM (0) TO (10);
         CREATE TABLE other (id int);
         INSERT INTO users VALUES (1), (2);
         INSERT INTO shop.orders VALUES (1, 1);
         INSERT INTO \"Line Items\" VALUES (1)",
    );
    let facts = look_up(&database, &Wanted { truncated: vec![relation("users")], ..Wanted::default() });
    let emptied = [relation("Line Items"), relation("items_1"), relation("shop.orders")];
    assert_eq!(facts.emptied[&relation("users")], emptied);
    for (table, rows) in emptied.iter().zip([1, 1, 1]) {
        assert_eq!(facts.relations[table].rows, Rows::Exact(rows), "{table:?}");
    }
}

#[test]
fn drop_cascade_names_what_it_takes_along_and_not_its_own_parts() {
    let database = Database::create();
    database.sql(
        "CREATE TYPE mood AS ENUM ('sad');
         CREATE TABLE users (id serial PRIMARY KEY, name text UNIQUE, mood mood);
         CREATE INDEX ON users (name);
         CREATE POLICY own ON users;
         CREATE TABLE orders (id int, \"user\" int REFERENCES users, mood mood);
         CREATE VIEW names AS SELECT name FROM users;
         CREATE MATERIALIZED VIEW many AS SELECT * FROM names;
         CREATE TABLE child () INHERITS (users);
         CREATE POLICY sees ON orders USING (EXISTS (SELECT FROM users));
         CREATE FUNCTION of_user(users) RETURNS int LANGUAGE sql AS 'SELECT 1';
         CREATE TABLE unrelated (id int)",
    );
    let dropped = |subjects: Vec<Subject>| foreseen(&database, subjects.into_iter().map(drop_of).collect());
    assert_eq!(
        reached(&dropped(vec![table("users")])),
        [
            "function public.of_user(public.users)",
            "materialized view public.many",
            "policy public.orders.sees",
            "table public.child",
            "table constraint public.orders.orders_user_fkey",
            "view public.names",
        ]
    );
    // What goes by a statement of its own is not taken along.
    let all = ["users", "orders", "child"].map(table).to_vec();
    assert_eq!(
        reached(&dropped(all)),
        ["function public.of_user(public.users)", "materialized view public.many", "view public.names"]
    );
    assert_eq!(
        reached(&dropped(vec![Subject::Type(relation("mood"))])),
        ["table column public.child.mood", "table column public.orders.mood", "table column public.users.mood"]
    );
    assert_eq!(
        reached(&dropped(vec![column("users", "name")])),
        [
            "index public.users_name_idx",
            "materialized view public.many",
            "table column public.child.name",
            "table constraint public.users.users_name_key",
            "view public.names",
        ]
    );
    assert_eq!(reached(&dropped(vec![table("unrelated")])), [""; 0]);
}

/// Nothing of this needs CASCADE.
#[test]
fn a_column_takes_along_what_no_statement_names() {
    for server in EACH {
        let database = Database::create_on(server);
        database.sql(
            "CREATE TABLE t (id serial PRIMARY KEY, a int NOT NULL DEFAULT 7, b int, n int GENERATED ALWAYS AS IDENTITY,
                 twice int GENERATED ALWAYS AS (a * 2) STORED, CONSTRAINT ck CHECK (a < b), CONSTRAINT uq UNIQUE (a, b),
                 CONSTRAINT ex EXCLUDE USING btree (a WITH =));
             CREATE INDEX ix ON t ((a + b)); CREATE INDEX partly ON t (b) WHERE a > 3; CREATE STATISTICS st ON a, b FROM t;
             CREATE TABLE parted (k int, v int) PARTITION BY LIST (k); CREATE TABLE part PARTITION OF parted DEFAULT;
             CREATE INDEX of_part ON part (v); CREATE TABLE base (v int, CHECK (v > 0)); CREATE TABLE child () INHERITS (base);
             CREATE TABLE declared (v int) INHERITS (base); CREATE INDEX of_child ON child (v)",
        );
        let dropped = |of: &str, name: &str| foreseen(&database, vec![plain_drop_of(column(of, name))]);
        // The server decides whether a column that another one is computed from takes that along, or needs CASCADE.
        let facts = dropped("t", "a");
        let needed = facts.stops.iter().flat_map(|stop| match &stop.why {
            Obstacle::Needed(by) => told(by),
            why => panic!("{why:?}"),
        });
        let computed = ["table column public.t.twice"];
        match database.fails("ALTER TABLE t DROP COLUMN a") {
            Some(_) => assert_eq!(needed.collect::<Vec<_>>(), computed),
            None => assert_eq!((facts.stops.len(), reached(&facts).contains(&computed[0])), (0, true), "{facts:?}"),
        }
        database.sql("ALTER TABLE t DROP COLUMN twice");
        let facts = dropped("t", "a");
        assert_eq!(
            (reached(&facts), facts.stops.as_slice()),
            (
                vec![
                    "index public.ix",
                    "index public.partly",
                    "statistics object public.st",
                    "table constraint public.t.ck",
                    "table constraint public.t.ex",
                    "table constraint public.t.uq",
                ],
                [].as_slice()
            )
        );
        let kinds: BTreeSet<Option<char>> = facts.reached.iter().map(|reached| reached.thing.constraint).collect();
        assert_eq!(kinds, [None, Some('c'), Some('u'), Some('x')].into());
        let facts = dropped("t", "id");
        assert_eq!(reached(&facts), ["sequence public.t_id_seq", "table constraint public.t.t_pkey"]);
        assert_eq!(facts.reached[1].thing.constraint, Some('p'));
        assert_eq!(reached(&dropped("t", "n")), ["sequence public.t_n_seq"]);
        // The column of a partition is a part of the column; one that is inherited is a thing of its own.
        assert_eq!(reached(&dropped("parted", "v")), ["index public.of_part"]);
        assert_eq!(
            reached(&dropped("base", "v")),
            [
                "index public.of_child",
                "table column public.child.v",
                "table constraint public.base.base_v_check",
                "table constraint public.child.base_v_check",
            ]
        );
        let types = dropped("t", "b");
        database.sql("ALTER TABLE t DROP COLUMN b");
        assert!(reached(&types).contains(&"index public.ix"), "{types:?}");
    }
}

/// One of everything that hangs on a column without being a part of it.
#[test]
fn what_stands_in_the_way_of_a_drop_is_named() {
    for server in EACH {
        let database = Database::create_on(server);
        database.sql(
            "CREATE TYPE mood AS ENUM ('ok', 'bad');
             CREATE TABLE t (a int PRIMARY KEY, m mood DEFAULT 'bad'); CREATE TABLE other (a int REFERENCES t);
             CREATE VIEW v AS SELECT a FROM t; CREATE POLICY p ON other USING (EXISTS (SELECT a FROM t));
             CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
             CREATE TRIGGER noted BEFORE UPDATE OF a ON t FOR EACH ROW EXECUTE FUNCTION noted();
             CREATE SCHEMA full_one; CREATE TABLE full_one.x (); CREATE SEQUENCE s; CREATE TABLE by_s (id int DEFAULT nextval('s'))",
        );
        let needed = |subject: Subject| {
            let facts = foreseen(&database, vec![plain_drop_of(subject)]);
            match facts.stops.as_slice() {
                [stop] => match &stop.why {
                    Obstacle::Needed(by) => by.iter().map(|thing| thing.told.clone()).collect(),
                    why => vec![format!("{why:?}")],
                },
                stops => panic!("{stops:?}"),
            }
        };
        assert_eq!(
            needed(column("t", "a")),
            [
                "view public.v",
                "table constraint public.other.other_a_fkey",
                "trigger public.t.noted",
                "policy public.other.p"
            ]
        );
        let key = Subject::Constraint { table: relation("t"), name: "t_pkey".to_owned() };
        assert_eq!(needed(key), ["table constraint public.other.other_a_fkey"]);
        assert_eq!(
            needed(Subject::Type(relation("mood"))),
            ["table column public.t.m", "default value public.t.m"][..1]
        );
        assert_eq!(needed(Subject::Schema("full_one".to_owned())), ["table full_one.x"]);
        assert_eq!(needed(Subject::Relation(relation("s"))), ["default value public.by_s.id"]);
        // An index that belongs to a constraint goes with that.
        let facts = foreseen(&database, vec![plain_drop_of(table("t_pkey"))]);
        assert!(
            matches!(&facts.stops[0].why, Obstacle::PartOf(of) if of.told == "table constraint public.t.t_pkey"),
            "{facts:?}"
        );
        // Once what needs it is gone, nothing is in the way.
        let acts = ["v", "other"].map(table).map(drop_of).into_iter();
        let trigger = drop_of(Subject::Policy { table: relation("other"), name: "p".to_owned() });
        let acts = acts
            .chain([trigger, plain_drop_of(Subject::Constraint { table: relation("t"), name: "t_pkey".to_owned() })]);
        assert!(
            foreseen(&database, acts.collect()).stops.iter().all(|stop| stop.act_idx == 2),
            "the policy is gone by then"
        );
    }
}

#[test]
fn what_uses_a_column_keeps_it_from_changing_its_type() {
    for server in EACH {
        let database = Database::create_on(server);
        database.sql(
            "CREATE TABLE t (a int, b int, c int, d int, e int, free int DEFAULT 7 CHECK (free > 0) UNIQUE, twice int GENERATED ALWAYS AS (e * 2) STORED);
             CREATE SCHEMA r; CREATE VIEW r.v AS SELECT a FROM t; CREATE RULE loud AS ON UPDATE TO t WHERE new.b > 1 DO INSTEAD NOTHING;
             CREATE POLICY p ON t USING (c > 0);
             CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
             CREATE TRIGGER noted BEFORE UPDATE ON t FOR EACH ROW WHEN (new.d > 1) EXECUTE FUNCTION noted()",
        );
        let held = |name: &str| {
            let facts = foreseen(&database, vec![Act { deed: Deed::ChangeType, subject: column("t", name) }]);
            let held = facts.stops.iter().flat_map(|stop| match &stop.why {
                Obstacle::Held(by) => by.iter().map(|thing| thing.told.clone()).collect(),
                why => vec![format!("{why:?}")],
            });
            let foretold: Vec<String> = held.collect();
            let refused = database.fails(&format!("ALTER TABLE t ALTER {name} TYPE bigint"));
            assert_eq!(foretold.is_empty(), refused.is_none(), "{name}: {refused:?}");
            foretold
        };
        assert_eq!(held("a"), ["view r.v"]);
        assert_eq!(held("b"), ["rule public.t.loud"]);
        assert_eq!(held("c"), ["policy public.t.p"]);
        assert_eq!(held("d"), ["trigger public.t.noted"]);
        assert_eq!(held("e"), ["table column public.t.twice"]);
        assert_eq!(held("free"), [""; 0]);
        let acts = vec![plain_drop_of(table("r.v")), Act { deed: Deed::ChangeType, subject: column("t", "a") }];
        assert_eq!(foreseen(&database, acts).stops, []);
    }
}

/// drizzle-kit drops a table and what refers to it with CASCADE, and then drops the reference.
#[test]
fn what_an_earlier_statement_has_taken_along_cannot_be_dropped_again() {
    let database = Database::create();
    database.sql(
        "CREATE TABLE gone (id int PRIMARY KEY, n int); CREATE INDEX by_n ON gone (n);
         CREATE TABLE refers (id int CONSTRAINT fk REFERENCES gone)",
    );
    let fk = || Subject::Constraint { table: relation("refers"), name: "fk".to_owned() };
    let facts = foreseen(&database, vec![drop_of(table("gone")), plain_drop_of(fk())]);
    assert_eq!(facts.stops, [reach::Stop { act_idx: 1, why: Obstacle::GoneBy(0) }]);
    // It has a statement of its own, and is named there.
    assert_eq!(reached(&facts), [""; 0]);
    assert_eq!(foreseen(&database, vec![plain_drop_of(fk()), drop_of(table("gone"))]).stops, []);
    let if_exists = Act { deed: Deed::Drop { cascade: false, if_exists: true }, subject: table("by_n") };
    assert_eq!(foreseen(&database, vec![plain_drop_of(column("gone", "n")), if_exists]).stops, []);
    let refers = Act { deed: Deed::Need, subject: table("gone") };
    let stops = foreseen(&database, vec![drop_of(table("gone")), refers.clone()]).stops;
    assert_eq!(stops, [reach::Stop { act_idx: 1, why: Obstacle::GoneBy(0) }]);
    let nowhere = Act { deed: Deed::Need, subject: table("nowhere") };
    assert_eq!(foreseen(&database, vec![nowhere.clone()]).stops, [reach::Stop { act_idx: 0, why: Obstacle::Missing }]);
    // Nobody knows what a statement does that nobody understands.
    let unknown = Act { deed: Deed::Unknown, subject: Subject::Nothing };
    assert_eq!(foreseen(&database, vec![unknown, nowhere]).stops, []);
}

#[test]
fn a_name_that_is_taken_is_told_until_it_is_free() {
    let database = Database::create();
    database.sql(
        "CREATE TABLE a (s text CONSTRAINT s_unique UNIQUE); CREATE VIEW v AS SELECT 1; CREATE TYPE mood AS ENUM ('x');
         CREATE TABLE elements (id int)",
    );
    let make = |subject: Subject| Act { deed: Deed::Create, subject };
    let there = |acts: Vec<Act>| {
        let facts = foreseen(&database, acts);
        let told = facts.stops.iter().flat_map(|stop| match &stop.why {
            Obstacle::There(there) => told(there).into_iter().map(str::to_owned).collect(),
            why => vec![format!("{why:?}")],
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(there(vec![make(table("s_unique"))]), ["index public.s_unique"]);
    assert_eq!(there(vec![make(table("v"))]), ["view public.v"]);
    assert_eq!(there(vec![make(Subject::Type(relation("mood")))]), ["type public.mood"]);
    assert_eq!(there(vec![make(column("a", "s"))]), ["table column public.a.s"]);
    assert_eq!(there(vec![make(Subject::Schema("public".to_owned()))]), ["schema public"]);
    // The server gives the type of an array another name.
    assert_eq!(there(vec![make(table("_elements")), make(Subject::Type(relation("_elements")))]), [""; 0]);
    assert_eq!(there(vec![drop_of(table("a")), make(table("s_unique"))]), [""; 0]);
    let constraint = Subject::Constraint { table: relation("a"), name: "s_unique".to_owned() };
    assert_eq!(there(vec![plain_drop_of(constraint), make(table("s_unique"))]), [""; 0]);
    let rename = Act { deed: Deed::Rename, subject: table("a") };
    assert_eq!(there(vec![rename.clone(), make(table("a"))]), [""; 0]);
    let rename_type = Act { deed: Deed::Rename, subject: Subject::Type(relation("a")) };
    assert_eq!(there(vec![rename, rename_type, make(Subject::Type(relation("a")))]), [""; 0]);
}

#[test]
fn an_enum_whose_old_default_needs_it_is_in_the_way() {
    let database = Database::create();
    database.sql("CREATE TYPE mood AS ENUM ('ok', 'bad'); CREATE TABLE t (m mood DEFAULT 'bad', plain mood)");
    let retype = |name: &str| Act { deed: Deed::ChangeType, subject: column("t", name) };
    let default = Subject::Default { table: relation("t"), column: "m".to_owned() };
    let redefault = Act { deed: Deed::ChangeDefault, subject: default };
    let drop = || plain_drop_of(Subject::Type(relation("mood")));
    let facts = foreseen(&database, vec![retype("m"), retype("plain"), drop()]);
    assert!(
        matches!(&facts.stops[0].why, Obstacle::Needed(by) if told(by) == ["default value public.t.m"]),
        "{facts:?}"
    );
    assert_eq!(foreseen(&database, vec![retype("m"), retype("plain"), redefault.clone(), drop()]).stops, []);
    let facts = foreseen(&database, vec![retype("m"), redefault, drop()]);
    assert!(matches!(&facts.stops[0].why, Obstacle::Needed(by) if told(by) == ["table column public.t.plain"]));
}

#[test]
fn values_that_do_not_become_those_of_a_type_are_found() {
    let database = Database::create();
    database.sql(
        "CREATE TABLE t (short text, long text, number int, words text[], state text, wide int DEFAULT 7);
         INSERT INTO t VALUES ('a', 'abcdefgh', 100000, '{ok,dead}', 'ok', 1), ('b', 'c', 1, '{ok}', 'dead', 1), ('c', 'd', 2, NULL, 'dead', 1);
         CREATE DOMAIN d AS text; CREATE DOMAIN n AS int; ALTER TABLE t ADD COLUMN of_domain n",
    );
    let check = |column: &str, to: NewType, is_cast: bool, has_rows: bool| {
        let retyped = Retyped { table: relation("t"), column: column.to_owned(), to, is_cast, has_rows };
        let wanted = Wanted { retyped: vec![retyped.clone()], ..Wanted::default() };
        look_up(&database, &wanted).conversions.remove(&retyped).expect("it was asked for")
    };
    let words = |words: &str| NewType::Words(words.to_owned());
    let is_no_cast = |found: Convertible| matches!(found, Convertible::NoCast { .. });
    assert!(is_no_cast(check("short", words("bytea"), false, true)));
    assert!(is_no_cast(check("short", words("bytea"), false, false)), "also where no row is left");
    assert!(is_no_cast(check("number", words("uuid"), true, true)));
    for (column, to) in [
        ("short", "varchar(3)"),
        ("number", "bigint"),
        ("words", "varchar(9)[]"),
        ("of_domain", "bigint"),
        ("wide", "text"),
    ] {
        assert_eq!(check(column, words(to), false, true), Convertible::Fits, "{column} {to}");
    }
    assert_eq!(check("short", words("d"), false, true), Convertible::Unknown);
    let unfit = |found: Convertible| match found {
        Convertible::Unfit { n_failed, examples, .. } => (n_failed, examples),
        found => panic!("{found:?}"),
    };
    assert_eq!(unfit(check("long", words("varchar(3)"), false, true)), (1, vec!["abcdefgh".to_owned()]));
    assert_eq!(check("long", words("varchar(3)"), false, false), Convertible::Fits);
    assert_eq!(unfit(check("number", words("smallint"), false, true)), (1, vec!["100000".to_owned()]));
    assert_eq!(unfit(check("state", words("integer"), true, true)).0, 3);
    let new = || NewType::Enum { name: relation("state"), labels: vec!["ok".to_owned()] };
    assert_eq!(unfit(check("state", new(), true, true)), (2, vec!["dead".to_owned()]));
    assert_eq!(unfit(check("words", new(), true, true)), (1, vec!["dead".to_owned()]));
    assert!(is_no_cast(check("state", new(), false, true)));
}

#[test]
fn code_of_users_that_may_do_what_it_likes_is_found_wherever_it_is_called_from() {
    let database = Database::create();
    database.sql(
        "CREATE EXTENSION citext; CREATE SCHEMA shop; CREATE TABLE log (n int);
         CREATE FUNCTION tricky(int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
         CREATE FUNCTION shop.steady(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
         CREATE FUNCTION pure(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
         CREATE FUNCTION near(int, int) RETURNS bool LANGUAGE sql VOLATILE AS 'SELECT true';
         CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = near);
         CREATE DOMAIN checked AS int CHECK (tricky(VALUE) > 0);
         CREATE VIEW inner_view AS SELECT tricky(n) FROM log; CREATE VIEW outer_view AS SELECT * FROM inner_view;
         CREATE VIEW plain_view AS SELECT n, now() FROM log",
    );
    let runs = |code: Code| {
        let facts = look_up(&database, &Wanted { code: vec![code], ..Wanted::default() });
        facts.runs.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
    };
    let function =
        |schema: Option<&str>, name: &str| Code::Function { schema: schema.map(str::to_owned), name: name.to_owned() };
    assert_eq!(runs(function(None, "tricky")), ["tricky(integer)"]);
    assert_eq!(runs(function(Some("public"), "tricky")), ["tricky(integer)"]);
    assert_eq!(runs(function(Some("shop"), "steady")), ["shop.steady(integer)"]);
    assert_eq!(runs(Code::Operator("===".to_owned())), ["near(integer,integer)"]);
    assert_eq!(runs(Code::Type(relation("checked"))), ["tricky(integer)"]);
    assert_eq!(runs(Code::Relation(relation("outer_view"))), ["tricky(integer)"]);
    for harmless in [
        function(None, "pure"),
        function(None, "now"),
        function(None, "gen_random_uuid"),
        function(None, "citext_eq"),
        // Not where a name without a schema is looked for.
        function(None, "steady"),
        function(None, "nowhere"),
        Code::Operator("=".to_owned()),
        Code::Type(relation("citext")),
        Code::Type(relation("integer")),
        Code::Relation(relation("plain_view")),
        Code::Relation(relation("log")),
    ] {
        assert_eq!(runs(harmless.clone()), [""; 0], "{harmless:?}");
    }
}

#[test]
fn a_type_that_the_server_does_not_know_is_told() {
    let database = Database::create();
    database.sql("CREATE SCHEMA shop; CREATE TYPE shop.mood AS ENUM ('x'); CREATE DOMAIN d AS text");
    let types = [
        "\"undefined\".\"d\"",
        "mood",
        "vector(3)",
        "d",
        "shop.mood[]",
        "varchar(10)",
        "timestamp (3) with time zone",
        "numeric(10, 2)",
    ];
    let wanted = Wanted { types: types.map(str::to_owned).to_vec(), ..Wanted::default() };
    let unknown = look_up(&database, &wanted).unknown_types;
    assert_eq!(unknown.keys().map(String::as_str).collect::<Vec<_>>(), ["\"undefined\".\"d\"", "mood", "vector(3)"]);
}

#[test]
fn what_is_lost_with_a_view_that_is_made_again_is_named() {
    let database = Database::create();
    let role = format!("reach_{}", database.value("SELECT current_database()"));
    database.sql(&format!(
        "CREATE ROLE {role}; CREATE TABLE t (id int); CREATE VIEW plain AS SELECT id FROM t; CREATE VIEW rich AS SELECT id FROM t;
         CREATE RULE r AS ON INSERT TO rich DO INSTEAD NOTHING; GRANT SELECT ON rich TO {role}; COMMENT ON VIEW rich IS 'x'"
    ));
    let wanted = Wanted { remade: ["plain", "rich"].map(relation).to_vec(), ..Wanted::default() };
    let found = look_up(&database, &wanted).on_views;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        found[&relation("rich")],
        ["a comment".to_owned(), format!("privileges of {role}"), "rule r".to_owned()]
    );
    database.sql(&format!("DROP VIEW rich; DROP ROLE {role}"));
}

#[test]
fn what_a_drop_takes_along_has_rows_an_owner_and_a_beginning() {
    let database = Database::create();
    let role = format!("reach_{}", database.value("SELECT current_database()"));
    database.sql(&format!(
        "CREATE ROLE {role};
         CREATE TABLE users (id int PRIMARY KEY);
         CREATE TABLE orders (id int);
         CREATE TABLE child () INHERITS (users);
         INSERT INTO child VALUES (1), (2);
         CREATE VIEW ids AS SELECT id FROM orders;
         ALTER TABLE child OWNER TO {role}"
    ));
    let facts = foreseen(&database, ["orders", "users"].map(table).map(drop_of).to_vec());
    let reached: Vec<_> = facts
        .reached
        .iter()
        .map(|reached| (reached.act_idx, reached.thing.told.as_str(), reached.owner.as_deref()))
        .collect();
    assert_eq!(reached, [(1, "table public.child", Some(role.as_str())), (0, "view public.ids", None)]);
    assert_eq!(facts.relations[&relation("child")].rows, Rows::Exact(2));
    database.sql(&format!("DROP TABLE child; DROP ROLE {role}"));
}

#[test]
fn what_is_not_there_is_not_taken_for_something_that_reaches_nothing() {
    let database = Database::create();
    database.sql("CREATE TABLE users (id int); CREATE TYPE mood AS ENUM ('sad'); CREATE SCHEMA shop");
    let subjects = [
        table("users"),
        Subject::Type(relation("mood")),
        Subject::Schema("shop".to_owned()),
        column("users", "id"),
        table("Users"),
        table("nowhere.users"),
        Subject::Type(relation("shop.mood")),
        Subject::Schema("Shop".to_owned()),
        column("users", "name"),
    ];
    assert_eq!(foreseen(&database, subjects.map(drop_of).to_vec()).lost, [4, 5, 6, 7, 8]);
}

#[test]
fn rows_extensions_and_primary_keys_are_found() {
    let database = Database::create();
    database.sql(
        "CREATE TABLE few AS SELECT generate_series(1, 7);
         CREATE TABLE many AS SELECT generate_series(1, 100001);
         CREATE TABLE keyed (id int CONSTRAINT \"odd name\" PRIMARY KEY);
         CREATE TABLE locked (id int);
         CREATE VIEW slow AS SELECT FROM pg_sleep(600);
         CREATE EXTENSION citext;
         ALTER EXTENSION citext ADD TABLE few;
         ANALYZE many",
    );
    let _held = database.hold("LOCK TABLE locked");
    let tables = ["few", "many", "locked", "slow", "no such table"].map(relation);
    let wanted = Wanted { counted: tables.to_vec(), constrained: vec![relation("keyed")], ..Wanted::default() };
    let facts = look_up(&database, &wanted);
    assert_eq!(facts.relations[&relation("few")].rows, Rows::Exact(7));
    assert_eq!(facts.relations[&relation("few")].extension.as_deref(), Some("citext"));
    assert!(matches!(facts.relations[&relation("many")].rows, Rows::Estimate(100_001)), "{facts:?}");
    assert_eq!(facts.relations[&relation("locked")].rows, Rows::Unknown);
    // A view holds no rows, and is not read.
    assert_eq!(facts.relations[&relation("slow")].rows, Rows::Exact(0));
    assert!(!facts.relations.contains_key(&relation("no such table")));
    assert_eq!(facts.primary_keys, [(relation("keyed"), "odd name".to_owned())]);
}

#[test]
fn a_number_that_may_be_too_small_is_told_from_a_count() {
    let database = Database::create();
    let role = format!("reach_{}", database.value("SELECT current_database()"));
    database.sql(&format!(
        "CREATE TABLE many WITH (autovacuum_enabled = false) AS SELECT generate_series(1, 100002);
         CREATE ROLE {role} LOGIN PASSWORD 'reach';
         CREATE TABLE tenants AS SELECT generate_series(1, 3);
         ALTER TABLE tenants OWNER TO {role};
         ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
         ALTER TABLE tenants FORCE ROW LEVEL SECURITY"
    ));
    let many = look_up(&database, &Wanted { counted: vec![relation("many")], ..Wanted::default() });
    assert_eq!(many.relations[&relation("many")].rows, Rows::AtLeast(100_001));

    // Its owner would count no row, and drops all of them.
    let mut url = database.url();
    url.set_username(&role).and_then(|()| url.set_password(Some("reach"))).expect("a postgres URL has a user");
    let credentials = serde_json::json!({ "url": url.as_str() });
    let dsn = Dsn::from_credentials("postgresql", &credentials, &|_| None);
    let dsn = dsn.expect("PostgreSQL has an address").expect("the URL is right");
    let wanted = Wanted { counted: vec![relation("tenants")], ..Wanted::default() };
    let hidden = look_up_at(&dsn, &wanted);
    assert_eq!(hidden.relations[&relation("tenants")].rows, Rows::Hidden);
    database.sql(&format!("DROP TABLE tenants; DROP ROLE {role}"));
}
