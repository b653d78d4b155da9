//! What drizzle-kit repeats at every push although it changes nothing is left out, and nothing else is.

use serde_json::Value;

use crate::NEWEST;
use crate::support::{Database, Project, Ran};

on_every_kit!(
    a_plan_right_after_a_push_has_nothing_to_do
    what_really_differs_is_shown_beside_what_is_repeated
);

/// Things that one version or another repeats: constraints with NULLS NOT DISTINCT and long names, keys in another order
/// than the columns, indexes with expressions, operator classes, orders and predicates, and defaults that the server writes
/// otherwise than the schema files.
const SHAPES: &str = "
import { sql } from 'drizzle-orm';
import { boolean, foreignKey, index, integer, jsonb, numeric, pgEnum, pgTable, primaryKey, text, timestamp, unique,
  uniqueIndex, varchar } from 'drizzle-orm/pg-core';

export const mood = pgEnum('mood', ['sad', 'ok']);
export const keys = pgTable('keys', { z: integer('z').notNull(), a: integer('a').notNull(), b: integer('b') },
  (t) => ({
    key: primaryKey({ name: 'keys_key', columns: [t.a, t.z] }),
    pair: unique('keys_pair').on(t.z, t.a),
    distinct: unique('keys_distinct').on(t.b).nullsNotDistinct(),
  }));
export const aVeryLongTableNameThatMakesEverythingLong = pgTable('a_very_long_table_name_that_makes_everything_long', {
  a: integer('a').notNull(), z: integer('z').notNull(), also: text('also_a_long_column_name') },
  (t) => ({
    both: foreignKey({ columns: [t.a, t.z], foreignColumns: [keys.a, keys.z] }),
    one: unique().on(t.a, t.also),
  }));
export const indexed = pgTable('indexed', { a: text('a'), b: integer('b'), c: timestamp('c') },
  (t) => ({
    lower: index('indexed_lower').using('btree', sql`lower(${t.a})`),
    down: index('indexed_down').on(t.b.desc()),
    last: index('indexed_last').on(t.b.desc().nullsLast(), t.c.asc()),
    some: uniqueIndex('indexed_some').on(t.b).where(sql`${t.b} > 10`),
    op: index('indexed_op').using('btree', t.a.op('text_pattern_ops')),
  }));
export const defaults = pgTable('defaults', {
  id: integer('id').generatedAlwaysAsIdentity({ cache: 5, startWith: 10 }),
  json: jsonb('json').default({ b: [1, 'x'], a: null }),
  list: text('list').array().default(['a', 'b']),
  none: text('none').array().default([]),
  at: timestamp('at').default(sql`now()`),
  sum: numeric('sum', { precision: 10, scale: 2 }).default('1.50'),
  nil: varchar('nil', { length: 20 }).default(sql`null`),
  yes: boolean('yes').default(true),
  mood: mood('mood').default('ok'),
  expression: integer('expression').default(sql`1 + 1`),
  made: text('made').generatedAlwaysAs(sql`lower(nil)`),
});
";

/// Returns the shapes that a version of drizzle-kit can create at all.
fn shapes(version: &str) -> String {
    let missing: &[&str] = match version {
        // Its indexes are written otherwise, and it writes arrays and generated columns that no server takes.
        "0.21.4" => &["generatedAlways", "array()", ".using(", ".desc()", ".where("],
        "0.22.8" => &["generatedAlways", "array()"],
        _ => &[],
    };
    let lines = SHAPES.lines().filter(|line| !missing.iter().any(|missing| line.contains(missing)));
    lines.collect::<Vec<_>>().join("\n")
}

fn pushed(version: &str) -> (Database, Project) {
    let database = Database::create();
    let project = Project::new(version, &database);
    project.schema(&shapes(version));
    project.pilot(&["push"]).run().expect(0);
    (database, project)
}

/// Returns the statements of a report that change something, and how many do not.
fn real(ran: &Ran) -> (Vec<String>, usize) {
    let statements = ran.report["statements"].as_array().cloned().unwrap_or_default();
    let (phantoms, real): (Vec<Value>, Vec<Value>) =
        statements.into_iter().partition(|statement| statement["phantom"] == true);
    let sql = |statement: &Value| statement["sql"].as_str().expect("a statement has its text").to_owned();
    (real.iter().map(sql).collect(), phantoms.len())
}

fn a_plan_right_after_a_push_has_nothing_to_do(version: &str) {
    let (database, project) = pushed(version);
    database.sql("INSERT INTO keys (z, a, b) VALUES (1, 2, 3)");
    let (before, files) = (database.state(), database.rows(FILES));
    let ran = project.pilot(&["plan"]).run().expect(0);
    let (real, n_phantoms) = real(&ran);
    assert_eq!(real, Vec::<String>::new(), "{ran}");
    if version == NEWEST {
        assert_eq!(n_phantoms, 12, "{ran}");
        drop(ran.says(&["no changes; drizzle-kit repeats 12 statements that change nothing"]));
    }
    project.pilot(&["push"]).run().expect(0);
    project.pilot(&["push", "--apply", "transaction"]).run().expect(0);
    // No index was built anew.
    assert_eq!((database.state(), database.rows(FILES)), (before, files));
}

/// The file of every index.
const FILES: &str = "SELECT relname::text || ' ' || relfilenode FROM pg_class
    WHERE relkind = 'i' AND relnamespace = 'public'::regnamespace ORDER BY 1";

fn what_really_differs_is_shown_beside_what_is_repeated(version: &str) {
    let (database, project) = pushed(version);
    let made = database.state();
    database.sql("ALTER TABLE defaults ALTER COLUMN yes SET DEFAULT false");
    let default = "ALTER TABLE \"defaults\" ALTER COLUMN \"yes\" SET DEFAULT true;";
    let plan = project.pilot(&["check", "--push", "--migrations", "."]).run();
    assert_eq!(plan.report["findings"].as_array().map(Vec::len), Some(1), "{plan}");
    let ran = project.pilot(&["push", "--apply", "transaction"]).run().expect(0);
    assert_eq!(real(&ran).0, [default], "{ran}");
    assert_eq!(database.state(), made);
}

/// Something of the server's own changes what is left out while the rest is executed.
#[test]
fn what_is_left_out_must_stay_as_it_was() {
    let (database, project) = pushed(NEWEST);
    database.sql(
        "ALTER TABLE defaults ALTER COLUMN yes SET DEFAULT false;
         CREATE SCHEMA lab;
         CREATE FUNCTION lab.meddle() RETURNS event_trigger LANGUAGE plpgsql AS $$
           BEGIN
             IF EXISTS (SELECT FROM pg_constraint WHERE conname = 'keys_distinct') THEN
               ALTER TABLE public.keys DROP CONSTRAINT keys_distinct;
             END IF;
           END $$;
         CREATE EVENT TRIGGER meddle ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION lab.meddle()",
    );
    let before = database.state();
    let ran = project.pilot(&["push", "--apply", "transaction"]).run().expect(3);
    drop(ran.says(&["would change what they must leave as it is", "keys_distinct", "rolled back"]));
    assert_eq!(database.state(), before);
}

/// What differs from the shapes in one thing each, with a part of the statement that shows it.
const NEIGHBOURS: [(&str, &str); 11] = [
    ("ALTER TABLE keys DROP CONSTRAINT keys_distinct, ADD CONSTRAINT keys_distinct UNIQUE (b)", "keys_distinct"),
    ("ALTER TABLE keys DROP CONSTRAINT keys_pair, ADD CONSTRAINT keys_pair UNIQUE (z)", "keys_pair"),
    ("DROP INDEX indexed_down; CREATE INDEX indexed_down ON indexed (b)", "indexed_down"),
    ("DROP INDEX indexed_some; CREATE INDEX indexed_some ON indexed (b) WHERE b > 10", "indexed_some"),
    ("ALTER TABLE defaults ALTER COLUMN json SET DEFAULT '{\"b\": [1, \"y\"], \"a\": null}'", "\"json\""),
    ("ALTER TABLE defaults ALTER COLUMN none SET DEFAULT '{x}'", "\"none\""),
    ("ALTER TABLE defaults ALTER COLUMN nil SET DEFAULT 'nil'", "\"nil\""),
    ("ALTER TABLE defaults ALTER COLUMN expression SET DEFAULT 1 + 2", "\"expression\""),
    ("ALTER TABLE defaults ALTER COLUMN mood SET DEFAULT 'sad'", "\"mood\""),
    ("ALTER TABLE defaults ALTER COLUMN sum TYPE numeric(12, 2)", "\"sum\""),
    ("ALTER TABLE defaults ALTER COLUMN id SET CACHE 7", "\"id\""),
];

#[test]
fn what_differs_in_one_thing_is_no_phantom() {
    let (database, project) = pushed(NEWEST);
    let made = database.state();
    for (differs, _) in NEIGHBOURS {
        database.sql(differs);
    }
    let plan = project.pilot(&["plan", "--apply", "transaction"]).run();
    let (real, n_phantoms) = real(&plan);
    for (differs, shown) in NEIGHBOURS {
        assert!(real.iter().any(|sql| sql.contains(shown)), "{differs}: {real:#?}");
    }
    assert!(n_phantoms >= 4, "{plan}");
    project.pilot(&["push", "--accept-data-loss", "--apply", "transaction"]).run().expect(0);
    assert_eq!(database.state(), made);
}
