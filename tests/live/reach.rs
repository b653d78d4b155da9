//! What our own connection finds behind a CASCADE, in a real catalog.

use std::time::Duration;

use drizzle_pilot::db::Visit;
use drizzle_pilot::db::reach::{self, Facts, Reached, Relation, Root, Rows, Wanted};
use drizzle_pilot::db::url::Dsn;

use crate::support::Database;

fn look_up(database: &Database, wanted: &Wanted) -> Facts {
    let credentials = serde_json::json!({ "url": database.url().as_str() });
    let dsn = Dsn::from_credentials("postgresql", &credentials, &|_| None);
    let dsn = dsn.expect("PostgreSQL has an address").expect("the laboratory's URLs are right");
    look_up_at(&dsn, wanted)
}

fn look_up_at(dsn: &Dsn, wanted: &Wanted) -> Facts {
    let visit = Visit::to(dsn, "reach", "").expect("the system lets us");
    reach::look_up(&visit, wanted, Duration::from_secs(10)).expect("the laboratory answers")
}

fn relation(name: &str) -> Relation {
    let (schema, name) = name.split_once('.').unwrap_or(("public", name));
    Relation { schema: schema.to_owned(), name: name.to_owned() }
}

fn told(reached: &[Reached]) -> Vec<String> {
    reached.iter().map(|Reached { kind, name, .. }| format!("{kind} {}", name.join("."))).collect()
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
    let dropped = |roots: Vec<Root>| told(&look_up(&database, &Wanted { dropped: roots, ..Wanted::default() }).reached);
    assert_eq!(
        dropped(vec![Root::Relation(relation("users"))]),
        [
            "function public.of_user",
            "materialized view public.many",
            "policy public.orders.sees",
            "table public.child",
            "table constraint public.orders.orders_user_fkey",
            "view public.names",
        ]
    );
    // What goes by a statement of its own is not taken along.
    let all = ["users", "orders", "child"].map(|table| Root::Relation(relation(table))).to_vec();
    assert_eq!(dropped(all), ["function public.of_user", "materialized view public.many", "view public.names"]);
    assert_eq!(
        dropped(vec![Root::Type(relation("mood"))]),
        ["table column public.child.mood", "table column public.orders.mood", "table column public.users.mood"]
    );
    let column = Root::Column { table: relation("users"), column: "name".to_owned() };
    assert_eq!(
        dropped(vec![column]),
        ["materialized view public.many", "table constraint public.users.users_name_key", "view public.names"]
    );
    assert_eq!(dropped(vec![Root::Relation(relation("unrelated"))]), Vec::<String>::new());
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
    let roots = vec![Root::Relation(relation("orders")), Root::Relation(relation("users"))];
    let facts = look_up(&database, &Wanted { dropped: roots.clone(), ..Wanted::default() });
    let reached = |kind: &str, name: &str, from: &Root, owner: Option<&String>| Reached {
        kind: kind.to_owned(),
        name: vec!["public".to_owned(), name.to_owned()],
        from: from.clone(),
        owner: owner.cloned(),
    };
    assert_eq!(
        facts.reached,
        [reached("table", "child", &roots[1], Some(&role)), reached("view", "ids", &roots[0], None)]
    );
    assert_eq!(facts.relations[&relation("child")].rows, Rows::Exact(2));
    database.sql(&format!("DROP TABLE child; DROP ROLE {role}"));
}

#[test]
fn what_is_not_there_is_not_taken_for_something_that_reaches_nothing() {
    let database = Database::create();
    database.sql("CREATE TABLE users (id int); CREATE TYPE mood AS ENUM ('sad'); CREATE SCHEMA shop");
    let column = |column: &str| Root::Column { table: relation("users"), column: column.to_owned() };
    let there = [
        Root::Relation(relation("users")),
        Root::Type(relation("mood")),
        Root::Schema("shop".to_owned()),
        column("id"),
    ];
    let lost = [
        Root::Relation(relation("Users")),
        Root::Relation(relation("nowhere.users")),
        Root::Type(relation("shop.mood")),
        Root::Schema("Shop".to_owned()),
        column("name"),
    ];
    let dropped = there.iter().chain(&lost).cloned().collect();
    assert_eq!(look_up(&database, &Wanted { dropped, ..Wanted::default() }).lost, lost);
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
    assert_eq!(facts.relations[&relation("slow")].rows, Rows::Unknown);
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
