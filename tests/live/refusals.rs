//! What drizzle-kit does without a word: refused, with each object and its rows named, and nothing touched.

use crate::NEWEST;
use crate::support::{Database, Project, Ran, until};

on_every_kit! {
    an_empty_table_is_not_dropped_unasked
    a_foreign_table_and_one_in_another_schema_are_not_dropped
    a_table_of_an_extension_is_not_dropped
    a_chosen_truncation_does_not_allow_what_it_reaches
    a_truncation_reaches_what_a_new_reference_adds
}
on_1_0_as_well! {
    an_empty_table_is_not_dropped_unasked
    a_foreign_table_and_one_in_another_schema_are_not_dropped
    a_table_of_an_extension_is_not_dropped
}

/// drizzle-kit 0.31 changes a type without emptying the table.
mod before_0_31 {
    use super::a_type_change_empties_no_table;

    on_every_kit!(@ kit_0_21_4 "0.21.4" a_type_change_empties_no_table);
    on_every_kit!(@ kit_0_22_8 "0.22.8" a_type_change_empties_no_table);
    on_every_kit!(@ kit_0_28_1 "0.28.1" a_type_change_empties_no_table);
}

/// What drizzle-kit 0.21 and 0.22 do not know.
mod newer {
    use super::row_level_security_is_not_switched_off;

    on_every_kit!(@ kit_0_28_1 "0.28.1" row_level_security_is_not_switched_off);
    on_every_kit!(@ kit_0_31_11 "0.31.11" row_level_security_is_not_switched_off);
}

const USERS: &str = "export const users = pgTable('users', { id: integer('id').primaryKey(), name: text('name') });\n";

/// A project that has `users`, on a database that has it too, with three rows, and what the statements make beside it.
fn project(kit: &str, database: &Database, beside: &str) -> Project {
    let project = Project::new(kit, database);
    project.schema(USERS);
    database.sql(
        "CREATE TABLE users (id integer PRIMARY KEY, name text);
         INSERT INTO users VALUES (1, 'ann'), (2, 'ben'), (3, 'cy')",
    );
    database.sql(beside);
    project
}

/// Pushes and checks that the program refused, with these texts, and that the database is what it was.
#[track_caller]
fn check_refused(project: &Project, database: &Database, says: &[&str]) -> Ran {
    let before = database.state();
    let ran = project.push().expect(3).says(says).database("unchanged");
    assert_eq!(database.state(), before, "{ran}");
    ran
}

fn an_empty_table_is_not_dropped_unasked(kit: &str) {
    let database = Database::create();
    let project = project(kit, &database, "CREATE TABLE drafts (id integer PRIMARY KEY)");
    let ran = check_refused(&project, &database, &["drop_table public.drafts"]);
    project.paste(&ran.allow_with());
    project.push().expect(0).database("changed");
    assert_eq!(database.state(), ["public.users (id integer, name text): 3 rows"]);
}

fn a_foreign_table_and_one_in_another_schema_are_not_dropped(kit: &str) {
    let database = Database::create();
    let project = project(
        kit,
        &database,
        "CREATE SCHEMA shop;
         CREATE TABLE shop.orders (id integer PRIMARY KEY);
         INSERT INTO shop.orders VALUES (1), (2);
         CREATE TABLE billing (id integer PRIMARY KEY);
         INSERT INTO billing SELECT generate_series(1, 5)",
    );
    // The migrations know the one table, and never spoke of the other.
    std::fs::create_dir(project.path("drizzle")).expect("the folder is ours");
    project.write("drizzle/0000_init.sql", "CREATE TABLE \"shop\".\"orders\" (\"id\" integer PRIMARY KEY NOT NULL);\n");
    project.schema(&format!("{USERS}export const shop = pgSchema('shop');\n"));
    let ran = check_refused(
        &project,
        &database,
        &[
            "refused: drop_table public.billing would delete 5 rows; foreign: it is not in the schema files, the last \
             snapshot or the migrations of this project\n",
            "refused: drop_table shop.orders would delete 2 rows\n",
        ],
    );
    project.paste(&ran.allow_with());
    project.push().expect(0).database("changed");
    assert_eq!(database.state(), ["public.users (id integer, name text): 3 rows"]);
}

fn a_table_of_an_extension_is_not_dropped(kit: &str) {
    let database = Database::create();
    let project = project(
        kit,
        &database,
        "CREATE EXTENSION citext;
         CREATE TABLE places (id integer PRIMARY KEY);
         INSERT INTO places VALUES (1);
         ALTER EXTENSION citext ADD TABLE places",
    );
    let before = database.state();
    // drizzle-kit does not get to see it, and so does not want it gone.
    project.push().expect(0).database("unchanged").says(&["no changes"]);
    assert_eq!(database.state(), before);
}

/// Nothing of what hangs on the table is in a schema that drizzle-kit looks at, or was ever the project's.
#[test]
fn what_a_dropped_table_takes_along_is_named() {
    let database = Database::create();
    let role = format!("billing_{}", database.value("SELECT current_database()"));
    let project = project(
        NEWEST,
        &database,
        &format!(
            "CREATE ROLE {role};
             CREATE SCHEMA other;
             CREATE TABLE legacy (id integer PRIMARY KEY);
             CREATE TABLE other.child () INHERITS (legacy);
             CREATE TABLE other.bills (legacy_id integer REFERENCES legacy);
             CREATE VIEW other.ids AS SELECT id FROM legacy;
             INSERT INTO legacy VALUES (1), (2);
             INSERT INTO other.child VALUES (7), (8), (9);
             ALTER TABLE other.child OWNER TO {role}"
        ),
    );
    let foreign = "foreign: it is not in the schema files, the last snapshot or the migrations of this project";
    std::fs::create_dir(project.path("drizzle")).expect("the folder is ours");
    project.write("drizzle/0000_init.sql", "CREATE TABLE \"users\" ();\n");
    let ran = check_refused(
        &project,
        &database,
        &[
            &format!("refused: drop_table public.legacy would delete 5 rows; {foreign}\n"),
            &format!(
                "refused: drop_table other.child would delete 3 rows; table reached by the CASCADE of public.legacy; owned by \
                 {role}; {foreign}\n"
            ),
            &format!(
                "refused: drop_view other.ids needs consent: a view is dropped, materialised or not; view reached by the CASCADE \
                 of public.legacy; {foreign}\n"
            ),
            "drop_constraint other.bills.bills_legacy_id_fkey (foreign key reached by the CASCADE of public.legacy): allowed ",
        ],
    );
    project.paste(&ran.allow_with());
    project.push().expect(0).database("changed");
    assert_eq!(
        database.state(),
        ["other.bills (legacy_id integer): 0 rows", "public.users (id integer, name text): 3 rows"]
    );
    database.sql(&format!("DROP ROLE {role}"));
}

/// Three tables that a TRUNCATE of `users` reaches, the last of them by way of the others.
const BELOW_USERS: &str = "
    CREATE TABLE orders (id integer PRIMARY KEY, user_id integer REFERENCES users);
    CREATE TABLE lines (id integer PRIMARY KEY, order_id integer REFERENCES orders);
    CREATE TABLE notes (id integer PRIMARY KEY, line_id integer REFERENCES lines);
    INSERT INTO orders SELECT n, 1 FROM generate_series(1, 4) n;
    INSERT INTO lines SELECT n, 1 FROM generate_series(1, 5) n;
    INSERT INTO notes SELECT n, 1 FROM generate_series(1, 6) n";

const TABLES_BELOW_USERS: &str = "
export const orders = pgTable('orders', {
  id: integer('id').primaryKey(), userId: integer('user_id').references(() => users.id) });
export const lines = pgTable('lines', {
  id: integer('id').primaryKey(), orderId: integer('order_id').references(() => orders.id) });
export const notes = pgTable('notes', {
  id: integer('id').primaryKey(), lineId: integer('line_id').references(() => lines.id) });
";

/// Foreign keys as drizzle-kit calls them, so that it finds nothing to change.
const AS_DRIZZLE_NAMES: &str = "
    ALTER TABLE orders RENAME CONSTRAINT orders_user_id_fkey TO orders_user_id_users_id_fk;
    ALTER TABLE lines RENAME CONSTRAINT lines_order_id_fkey TO lines_order_id_orders_id_fk;
    ALTER TABLE notes RENAME CONSTRAINT notes_line_id_fkey TO notes_line_id_lines_id_fk";

const REACHED: [&str; 3] = [
    "truncate public.lines would delete 5 rows; reached by the CASCADE of public.users",
    "truncate public.notes would delete 6 rows; reached by the CASCADE of public.users",
    "truncate public.orders would delete 4 rows; reached by the CASCADE of public.users",
];

fn with_tables_below(kit: &str, database: &Database, users: &str) -> Project {
    let project = project(kit, database, BELOW_USERS);
    database.sql(AS_DRIZZLE_NAMES);
    project.schema(&format!("{users}{TABLES_BELOW_USERS}"));
    project
}

/// Checks that the push empties the four tables, now that the policy names them.
#[track_caller]
fn check_emptied(project: &Project, database: &Database) {
    let ran = project.push().expect(0).database("changed");
    for table in ["users", "orders", "lines", "notes"] {
        assert_eq!(database.value(&format!("SELECT count(*) FROM {table}")), "0", "{table}\n{ran}");
    }
}

fn a_type_change_empties_no_table(kit: &str) {
    let database = Database::create();
    let project = with_tables_below(kit, &database, USERS);
    database.sql("ALTER TABLE users ALTER name TYPE integer USING 7");
    let ran = check_refused(&project, &database, &["change_type public.users.name would convert 3 values"]);
    let ran = ran.says(&REACHED).says(&["refused: truncate public.users would delete 3 rows\n"]);
    let lines = ran.allow_with();
    // The three that are reached are allowed by their names alone, one by one.
    let all = r#"["public.users", "public.lines", "public.notes", "public.orders"]"#;
    assert!(lines.contains(all), "{lines}");
    project.paste(&lines.replace(all, r#"["public.users", "public.lines", "public.orders"]"#));
    check_refused(&project, &database, &["truncate public.notes would delete 6 rows"]).never_says("public.lines would");
    project.paste(&lines);
    check_emptied(&project, &database);
}

fn a_chosen_truncation_does_not_allow_what_it_reaches(kit: &str) {
    let database = Database::create();
    let project = with_tables_below(kit, &database, &USERS.replace("text('name')", "text('name').unique()"));
    let policy = "[hazards]\nadd_unique = \"truncate\"\n";
    project.policy(policy);
    let ran = check_refused(&project, &database, &REACHED).never_says("refused: truncate public.users");
    project.policy(&format!("{policy}{}", ran.allow_with()));
    check_emptied(&project, &database);
}

/// drizzle-kit writes new foreign keys before the truncation for a unique constraint: what refers by then is emptied too.
fn a_truncation_reaches_what_a_new_reference_adds(kit: &str) {
    let database = Database::create();
    let users = USERS.replace("text('name')", "text('name').unique()");
    let beside = "
        CREATE TABLE orders (id integer PRIMARY KEY, user_id integer);
        CREATE TABLE lines (id integer PRIMARY KEY, order_id integer CONSTRAINT lines_order_id_orders_id_fk REFERENCES orders);
        INSERT INTO orders VALUES (1, 1), (2, 1);
        INSERT INTO lines VALUES (1, 1), (2, 1), (3, 1)";
    let project = project(kit, &database, beside);
    let tables = TABLES_BELOW_USERS.split("export const notes").next().expect("a text has a beginning");
    project.schema(&format!("{users}{tables}"));
    let policy = "[hazards]\nadd_unique = \"truncate\"\n";
    project.policy(policy);
    let ran = check_refused(
        &project,
        &database,
        &[
            "refused: truncate public.lines would delete 3 rows; reached by the CASCADE of public.users\n",
            "refused: truncate public.orders would delete 2 rows; reached by the CASCADE of public.users\n",
        ],
    );
    project.policy(&format!("{policy}{}", ran.allow_with()));
    let ran = project.push().expect(0).database("changed");
    for table in ["users", "orders", "lines"] {
        assert_eq!(database.value(&format!("SELECT count(*) FROM {table}")), "0", "{table}\n{ran}");
    }
}

fn row_level_security_is_not_switched_off(kit: &str) {
    let database = Database::create();
    let project = project(kit, &database, "ALTER TABLE users ENABLE ROW LEVEL SECURITY");
    let ran = check_refused(&project, &database, &["disable_rls public.users"]);
    let is_on = || database.value("SELECT relrowsecurity FROM pg_class WHERE relname = 'users'");
    assert_eq!(is_on(), "t", "{ran}");
    project.paste(&ran.allow_with());
    project.push().expect(0).database("changed");
    assert_eq!(is_on(), "f");
}

/// Without a look of our own nobody can tell a primary key by another name from any other constraint.
#[test]
fn what_could_not_be_looked_up_is_not_taken_for_harmless() {
    let database = Database::create();
    let role = format!("single_{}", database.value("SELECT current_database()"));
    database.sql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'single' CONNECTION LIMIT 2;
         CREATE TABLE orders (a integer NOT NULL, b integer NOT NULL, CONSTRAINT orders_key PRIMARY KEY (a, b));
         ALTER TABLE orders OWNER TO {role}"
    ));
    let project = Project::new(NEWEST, &database);
    project
        .schema("export const orders = pgTable('orders', { a: integer('a').notNull(), b: integer('b').notNull() });");
    let mut url = database.url();
    url.set_username(&role).and_then(|()| url.set_password(Some("single"))).expect("a postgres URL has a user");
    // drizzle-kit, which looks at sequences, has the only connection while it asks.
    let sequences = database.hold("LOCK TABLE pg_catalog.pg_sequence IN ACCESS EXCLUSIVE MODE");
    let planning = project.pilot(&["plan"]).env("DATABASE_URL", url.as_str()).spawn();
    let waits = "SELECT count(*) FROM pg_stat_activity
                  WHERE datname = current_database() AND wait_event_type = 'Lock' AND query ILIKE '%pg_sequences%'";
    until("drizzle-kit reads the sequences", || database.value(waits) != "0");
    database.sql(&format!("ALTER ROLE {role} CONNECTION LIMIT 0"));
    sequences.release();
    let ran = planning.finish().expect(3).database("unchanged");
    ran.says(&["it could not be determined whether public.orders.orders_key is a primary key"]);
    // A push looks over the connection of its lock.
    database.sql(&format!("ALTER ROLE {role} CONNECTION LIMIT 2"));
    let ran = project.pilot(&["push"]).env("DATABASE_URL", url.as_str()).run().expect(3).database("unchanged");
    ran.says(&["drop_primary_key public.orders"]);
    database.sql(&format!("ALTER TABLE orders OWNER TO CURRENT_USER; DROP ROLE {role}"));
}

/// drizzle-kit leaves the schema public out of its statements.
#[test]
fn names_that_would_mean_another_schema_are_not_consented_to() {
    let database = Database::create();
    let name = database.value("SELECT current_database()");
    database.sql(&format!("CREATE SCHEMA tenant; ALTER DATABASE {name} SET search_path = tenant, public"));
    let project = Project::new(NEWEST, &database);
    project.schema("export const users = pgTable('users', { id: integer('id') });");
    for arguments in [&["plan"][..], &["push"], &["push", "--accept-data-loss"]] {
        let ran = project.pilot(arguments).run().expect(4).database("unchanged");
        drop(ran.says(&["this login searches tenant first"]));
    }
    assert_eq!(database.value("SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'tenant')"), "0");
}

#[test]
fn a_truncation_that_the_plan_chose_is_chosen_again() {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "unique", &database);
    project.policy("[hazards]\nadd_unique = 'truncate'\n");
    project.pilot(&["plan", "--out", "p.json"]).run().expect(2).says(&["truncate public.users"]);
    let ran = project.pilot(&["push", "--plan", "p.json"]).run().expect(0).database("changed");
    assert_eq!(database.value("SELECT count(*) FROM users"), "0", "{ran}");
}

/// A limit is of the rows of the table, whatever is at stake in it.
#[test]
fn a_limit_of_rows_holds_for_what_may_fail_or_blocks() {
    let database = Database::create();
    let project = project(NEWEST, &database, "");
    project.schema(
        "import { index } from 'drizzle-orm/pg-core';
         export const users = pgTable('users', { id: integer('id').primaryKey(), name: text('name').notNull() },
           (table) => [index('users_by_name').on(table.name)]);\n",
    );
    let before = database.everything();
    for (hazard, what) in [("add_not_null", "public.users.name"), ("build_index", "public.users")] {
        for key in [hazard, if hazard == "add_not_null" { "may_fail" } else { "blocking" }] {
            project.policy(&format!("[hazards]\n{key} = {{ max_rows = 2 }}\n"));
            let ran = project.push().expect(3).database("unchanged").says(&[&format!(
                "refused: {hazard} {what} would concern 3 rows (drizzle-pilot.toml:3 hazards.{key}: 3 are more than max_rows = 2)\n"
            )]);
            assert_eq!(database.everything(), before, "{ran}");
        }
    }
    project.policy("[hazards]\nmay_fail = { max_rows = 3 }\nblocking = { max_rows = 3 }\n");
    project.push().expect(0).database("changed");
}

#[test]
fn a_primary_key_by_another_name_is_counted_too() {
    let database = Database::create();
    let project = Project::new(NEWEST, &database);
    database.sql(
        "CREATE TABLE orders (a integer NOT NULL, b integer NOT NULL, CONSTRAINT orders_key PRIMARY KEY (a, b));
         INSERT INTO orders VALUES (1, 1), (1, 2)",
    );
    project
        .schema("export const orders = pgTable('orders', { a: integer('a').notNull(), b: integer('b').notNull() });");
    project.policy("[hazards]\ndrop_primary_key = { max_rows = 1 }\n");
    project.push().expect(3).says(&[
        "drop_primary_key public.orders would leave 2 rows without a primary key (",
        "2 are more than max_rows = 1)\n",
    ]);
    project.policy("[hazards]\ndrop_primary_key = { max_rows = 2 }\n");
    project.push().expect(0).database("changed");
}
