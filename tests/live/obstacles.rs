//! What cannot run, and what goes along unnamed: found before drizzle-kit gets to execute anything.

use crate::NEWEST;
use crate::support::{Database, Project, Ran};

const APPROVE_ALL: &str = "[hazards]\ndata_loss = 'approve'\naccess = 'approve'\n";

/// A database that these statements have made, and a project with this schema and policy.
fn project(database: &Database, before: &str, schema: &str, policy: &str) -> Project {
    database.sql(before);
    let project = Project::new(NEWEST, database);
    project.schema(schema);
    project.policy(policy);
    project
}

/// Plans and pushes, and checks that both refuse for this reason, whatever the policy says, and that nothing is changed.
#[track_caller]
fn check_stopped(before: &str, schema: &str, says: &[&str]) {
    let database = Database::create();
    let project = project(&database, before, schema, APPROVE_ALL);
    let state = database.everything();
    for arguments in [&["plan"][..], &["push"], &["push", "--accept-data-loss"], &["push", "--apply", "transaction"]] {
        let ran = project.pilot(arguments).run().expect(3).database("unchanged").says(says).offers_no_lines();
        assert_eq!(database.everything(), state, "{arguments:?}\n{ran}");
    }
}

#[test]
fn one_name_for_indexes_of_two_tables_stops_the_plan() {
    check_stopped(
        "SELECT 1",
        "const shared = { s: text('s').unique('both') };
         export const a = pgTable('a', { ...shared });
         export const b = pgTable('b', { ...shared });",
        &[
            "refused: public.both would be the name of two indexes or constraints, one of public.a and one of public.b, but a \
             schema can have only one: name one of them in the schema files, as in .unique('b_both')\n",
        ],
    );
    check_stopped(
        "CREATE SCHEMA elsewhere; CREATE SEQUENCE orders",
        "export const orders = pgTable('orders', { id: integer('id') });",
        &["creates table public.orders, but sequence public.orders already exists"],
    );
}

#[test]
fn a_name_that_drizzle_kit_could_not_be_let_at_again_stops_the_plan() {
    check_stopped(
        "SELECT 1",
        "export const t = pgTable(\"o'clock\", { id: integer('id') });",
        &[
            "table public.\"o'clock\" would have quotes or control characters in its name",
            "give it another name in the schema files",
        ],
    );
}

#[test]
fn what_stands_on_a_column_stops_its_change_of_type() {
    check_stopped(
        "CREATE TABLE s (c integer); CREATE SCHEMA r; CREATE VIEW r.v AS SELECT c FROM s",
        "import { bigint } from 'drizzle-orm/pg-core';
         export const s = pgTable('s', { c: bigint('c', { mode: 'number' }) });
         export const a = pgTable('a', { id: integer('id') });",
        &["refused: public.s.c cannot change its type while view r.v uses it: drop it before the push and create it \
             again afterwards, or do everything in a migration (its definition: SELECT pg_get_viewdef('\"r\".\"v\"'::regclass))\n"],
    );
}

#[test]
fn what_needs_a_column_stops_its_drop() {
    check_stopped(
        "CREATE TABLE s (id integer, c integer); CREATE SCHEMA r; CREATE VIEW r.v AS SELECT c FROM s",
        "export const s = pgTable('s', { id: integer('id') });",
        &["refused: column public.s.c cannot be dropped while view r.v needs it"],
    );
}

#[test]
fn an_enum_that_its_old_default_needs_stops_the_plan() {
    check_stopped(
        "CREATE TYPE mood AS ENUM ('ok', 'bad'); CREATE TABLE t (id integer, m mood DEFAULT 'bad'); INSERT INTO t VALUES (1, 'ok')",
        "export const mood = pgEnum('mood', ['ok']); export const t = pgTable('t', { id: integer('id'), m: mood('m') });",
        &[
            "refused: type public.mood cannot be dropped while default value public.t.m needs it: drop it before the push, and set \
             it again afterwards if it is still wanted: ALTER TABLE \"public\".\"t\" ALTER COLUMN \"m\" DROP DEFAULT\n",
        ],
    );
}

#[test]
fn a_reference_to_a_table_that_is_not_there_stops_the_plan() {
    check_stopped(
        "CREATE TABLE t (id integer PRIMARY KEY)",
        "const gone = pgTable('gone', { id: integer('id').primaryKey() });
         export const t = pgTable('t', { id: integer('id').primaryKey(), gone: integer('gone').references(() => gone.id) });",
        &["refers to table public.gone, which does not exist"],
    );
}

#[test]
fn rows_without_the_value_that_they_must_have_stop_the_plan() {
    check_stopped(
        "CREATE TABLE t (id integer, name text); INSERT INTO t VALUES (1, NULL), (2, 'x')",
        "export const t = pgTable('t', { id: integer('id'), name: text('name').notNull() });",
        &[
            "refused: public.t.name must have a value, and 1 row has none: fill them first; SELECT * FROM \"public\".\"t\" WHERE \
             \"name\" IS NULL shows them\n",
        ],
    );
}

/// drizzle-kit from 0.31 on writes "undefined" before the words of such a type.
#[test]
fn a_type_whose_schema_is_lost_is_refused_or_put_right() {
    let database = Database::create();
    let schema = "import { customType } from 'drizzle-orm/pg-core';
                  const d = customType({ dataType: () => 'd' }); export const t = pgTable('t', { m: d('m') });";
    let before = "CREATE DOMAIN d AS text; CREATE TABLE t (m text); INSERT INTO t VALUES ('x')";
    let project = project(&database, before, schema, APPROVE_ALL);
    let says = ["drizzle-kit has lost the schema of the type d, and writes \"undefined\".\"d\" for public.t.m"];
    let ran = project.push().expect(3).database("unchanged").says(&says).offers_no_lines();
    let ran = ran.never_says("CREATE SCHEMA");
    assert_eq!(database.state(), ["public.t (m text): 1 rows"], "{ran}");
    let ran = project.pilot(&["push", "--apply", "transaction"]).run().expect(0).database("changed");
    assert_eq!(database.state(), ["public.t (m d): 1 rows"], "{ran}");
}

/// drizzle-kit drops a reference that the CASCADE before has taken along, and stops there.
#[test]
fn a_drop_of_what_is_gone_is_left_out_of_one_transaction() {
    let database = Database::create();
    let before = "CREATE TABLE gone (id integer PRIMARY KEY);
                  CREATE TABLE refers (gone integer CONSTRAINT refers_gone_gone_id_fk REFERENCES gone)";
    let schema = "export const refers = pgTable('refers', { gone: integer('gone') });";
    let project = project(&database, before, schema, APPROVE_ALL);
    let says = [
        "drops constraint public.refers.refers_gone_gone_id_fk, which no longer exists then: it is dropped with public.gone",
    ];
    project.push().expect(3).database("unchanged").says(&says).says(&["use --apply transaction, which omits it"]);
    let ran = project.pilot(&["push", "--apply", "transaction"]).run().expect(0).database("changed");
    let ran = ran.says(&[
        "drop_constraint public.refers.refers_gone_gone_id_fk (foreign key reached by the CASCADE of public.gone)",
    ]);
    assert_eq!(database.state(), ["public.refers (gone integer): 0 rows"], "{ran}");
}

/// Refuses, says this, and pushes once the printed lines are in the policy.
#[track_caller]
fn check_allowed_by_its_lines(before: &str, schema: &str, policy: &str, says: &[&str]) -> (Database, Ran) {
    let database = Database::create();
    let project = project(&database, before, schema, policy);
    let state = database.everything();
    let ran = project.push().expect(3).database("unchanged").says(says);
    assert_eq!(database.everything(), state, "{ran}");
    project.policy(&format!("[hazards]\ndrop_column = 'approve'\n{}", ran.allow_with().replace("[hazards]", "")));
    let ran = project.push().expect(0).database("changed");
    (database, ran)
}

/// No CASCADE is needed for any of this.
#[test]
fn what_goes_with_a_column_is_named_and_judged() {
    let before = "CREATE TABLE keep (id integer, a integer, b integer, CONSTRAINT ck CHECK (a < b), CONSTRAINT ex EXCLUDE USING btree (a WITH =));
                  CREATE STATISTICS st ON a, b FROM keep; CREATE INDEX ix ON keep ((a + b)); INSERT INTO keep VALUES (1, 2, 3)";
    let schema = "import { check, index } from 'drizzle-orm/pg-core'; import { sql } from 'drizzle-orm';
                  export const keep = pgTable('keep', { id: integer('id'), b: integer('b') },
                    (t) => [check('ck', sql`b > 0`), index('ix').on(sql`(a + b)`)]);";
    let policy = "[hazards]\ndrop_column = 'approve'\ndrop_index = 'refuse'\ndrop_constraint = 'refuse'\n";
    let says = [
        "refused: drop_index public.ix needs consent: slows down queries that used the index; index dropped with public.keep.a",
        "refused: drop_constraint public.keep.ck needs consent: allows values that the constraint rejected; check dropped with public.keep.a",
        "refused: drop_constraint public.keep.ex needs consent: allows values that the constraint rejected; exclusion constraint dropped \
         with public.keep.a",
        "the drop of public.keep.a also drops the statistics object public.st",
        "{ only = [\"public.ix\"] }",
    ];
    drop(check_allowed_by_its_lines(before, schema, policy, &says));

    let before = "CREATE TABLE t (id serial PRIMARY KEY, n integer); INSERT INTO t (n) VALUES (1), (2)";
    let schema = "export const t = pgTable('t', { n: integer('n') });";
    let says = [
        "refused: drop_sequence public.t_id_seq needs consent: a sequence is dropped, together with its position; sequence dropped \
         with public.t.id",
        "refused: drop_primary_key public.t needs consent: a table loses its primary key, perhaps permanently; primary key dropped with \
         public.t.id",
    ];
    let (database, ran) = check_allowed_by_its_lines(before, schema, "[hazards]\ndrop_column = 'approve'\n", &says);
    assert_eq!(database.state(), ["public.t (n integer): 2 rows"], "{ran}");
}

#[test]
fn a_view_that_nobody_named_is_not_dropped() {
    let database = Database::create();
    let before = "CREATE TABLE keep (id integer); CREATE VIEW report AS SELECT id, 'hand-made'::text AS t FROM keep;
                  CREATE RULE r AS ON INSERT TO report DO INSTEAD INSERT INTO keep VALUES (new.id)";
    let schema = "export const keep = pgTable('keep', { id: integer('id') });";
    let project = project(&database, before, schema, "");
    let says =
        ["refused: drop_view public.report needs consent: a view is dropped, materialised or not; perhaps foreign:"];
    let ran = project.push().expect(3).database("unchanged").says(&says).never_says("0 rows");
    project.paste(&ran.allow_with());
    project.push().expect(0).database("changed");
    assert_eq!(database.value("SELECT to_regclass('report') IS NULL"), "t");
}

#[test]
fn code_of_users_that_would_run_is_not_understood() {
    let before =
        "CREATE FUNCTION tricky() RETURNS integer LANGUAGE sql VOLATILE AS 'SELECT 1'; CREATE TABLE t (id integer);
                  CREATE VIEW inner_view AS SELECT tricky() AS n; INSERT INTO t VALUES (0)";
    let run = |entities: &str| {
        let database = Database::create();
        let schema = format!(
            "import {{ check, pgMaterializedView, pgView }} from 'drizzle-orm/pg-core'; import {{ sql }} from 'drizzle-orm';
             export const inner = pgView('inner_view', {{ n: integer('n') }}).existing();\n{entities}"
        );
        let project = project(&database, before, &schema, "");
        project.push()
    };
    let table = "export const t = pgTable('t', { id: integer('id')";
    for entities in [
        format!("{table}, n: integer('n').default(sql`tricky()`) }});"),
        format!("{table} }}, (t) => [check('c', sql`tricky() > id`)]);"),
        format!(
            "{table} }}); export const m = pgMaterializedView('m', {{ n: integer('n') }}).as(sql`select n from inner_view`);"
        ),
    ] {
        let says = ["the statement calls tricky(), which is neither built in nor from an extension"];
        run(&entities).expect(3).database("unchanged").says(&says);
    }
    // It is written down, and runs for what comes later.
    run(&format!("{table}.default(sql`tricky()`) }});")).expect(0).database("changed");
}
