//! drizzle-kit 1.0: the same policy comes to the same end as with 0.31, and nothing reaches the server through drizzle-kit.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::NEWEST;
use crate::gate::{begin, fixture, reported};
use crate::support::{Change, Database, Project, Theme};

const RC: &str = "1.0.0-rc.5";

/// What comes of the changes of `fixtures/changes` otherwise than with 0.31.
#[derive(Deserialize)]
struct Otherwise {
    refused: Vec<Refused>,
    different: Vec<Different>,
}

/// A change that is refused.
#[derive(Deserialize)]
struct Refused {
    change: String,
    /// None: alone it is applied, and refused beside the others of its theme.
    says: Option<String>,
    why: String,
}

/// What is made otherwise.
#[derive(Deserialize)]
struct Different {
    theme: String,
    why: String,
    only_0_31: Vec<String>,
    only_1_0: Vec<String>,
}

static OTHERWISE: LazyLock<Otherwise> =
    LazyLock::new(|| toml::from_str(include_str!("../../fixtures/hints/otherwise.toml")).expect("the fixture is TOML"));

fn is_refused(change: &Change) -> Option<&'static Refused> {
    OTHERWISE.refused.iter().find(|refused| refused.change == change.name)
}

/// Makes a check of each theme of `fixtures/changes`.
macro_rules! themes {
    ($($theme:ident)*) => {
        $(#[test] fn $theme() { check_theme(stringify!($theme)); })*
    };
}

themes! {
    tables columns types defaults enums schemas schema_renames schema_moves indexes constraints names identity generated
    sequences views policies
}

/// Pushes the changes of a theme, and checks that the same comes of it as with 0.31, from the same beginning. What that is
/// stands in `fixtures/hints/made`: `UPDATE_HINTS=1 cargo test --test live hints`.
fn check_theme(name: &str) {
    let made = format!("{}/fixtures/hints/made/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_HINTS").is_some() {
        std::fs::write(&made, pushed(NEWEST, name).join("\n") + "\n").expect("the fixtures can be written");
    }
    let old = std::fs::read_to_string(&made).expect("the fixtures are part of the repository");
    let (old, new): (Vec<String>, _) = (old.lines().map(str::to_owned).collect(), pushed(RC, name));
    let only = |one: &[String], other: &[String]| -> Vec<String> {
        one.iter().filter(|line| !other.contains(line)).cloned().collect()
    };
    let mut found = (only(&old, &new), only(&new, &old));
    for Different { why, only_0_31, only_1_0, .. } in OTHERWISE.different.iter().filter(|it| it.theme == name) {
        assert!(!why.is_empty());
        for (listed, found) in [(only_0_31, &mut found.0), (only_1_0, &mut found.1)] {
            assert!(listed.iter().all(|line| found.contains(line)), "{name}: not found any more: {listed:#?}");
            found.retain(|line| !listed.contains(line));
        }
    }
    assert_eq!(found, (Vec::new(), Vec::new()), "{name}: only with 0.31, and only with 1.0");
    for change in Theme::read(RC, name).each() {
        let Some(Refused { says, why, .. }) = is_refused(&change.changes[0]) else { continue };
        assert!(!why.is_empty());
        let (database, project) = begin(RC, &change, |database, _| before(database, name));
        let state = database.state();
        match says {
            Some(says) => {
                drop(project.pilot(&["push"]).run().expect(3).database("unchanged").says(&[says]));
                assert_eq!(database.state(), state);
            }
            None => drop(project.pilot(&["push"]).run().expect(0).database("changed")),
        }
    }
}

fn before(database: &Database, theme: &str) {
    database.sql(&fixture("before", NEWEST, &format!("{theme}.sql")));
}

/// Pushes the changes of a theme that both know, and returns the schema that comes of it.
fn pushed(kit: &str, name: &str) -> Vec<String> {
    let mut theme = Theme::read(kit, name);
    let both = Theme::read(if kit == RC { NEWEST } else { RC }, name);
    let is_known = |change: &Change| both.changes.iter().any(|other| other.name == change.name);
    theme.changes.retain(|change| is_known(change) && is_refused(change).is_none());
    let (database, project) = begin(kit, &theme, |database, _| before(database, name));
    let log = database.log_statements();
    let ran = project.pilot(&["push"]).run().expect(0).database("changed");
    let told = log.end();
    if kit == RC {
        let is_read =
            |sql: &&String| ["select", "with"].iter().any(|word| sql.trim_start().to_lowercase().starts_with(word));
        let others: Vec<&String> = told.iter().filter(|sql| !is_read(sql)).collect();
        assert!(others.is_empty(), "drizzle-kit itself has sent {others:#?}\n{ran}");
        assert!(!reported(&ran).is_empty());
        drop(project.pilot(&["push"]).run().expect(0).says(&["no changes"]));
    }
    database.schema().lines.iter().map(|line| unnamed(line).replace('\n', "⏎")).collect()
}

/// Returns a line of a fingerprint without the name of a constraint or an index: drizzle-kit 1.0 gives other ones to those that
/// the schema files do not name (`t_a_key`, `t_a_fkey`, `t_pkey`, as PostgreSQL does).
fn unnamed(line: &str) -> String {
    let Some((key, facts)) = line.split_once('|').and_then(|(kind, rest)| Some((kind, rest.split_once('|')?))) else {
        return line.to_owned();
    };
    let (name, facts) = facts;
    match (key, name.rsplit_once('.')) {
        ("constraint", Some((table, _))) => format!("{key}|{table}|{facts}"),
        ("index", Some((schema, own))) => {
            format!("{key}|{schema}|{}", facts.replacen(&format!("INDEX {own} "), "INDEX ", 1))
        }
        _ => line.to_owned(),
    }
}

/// Each is loaded in another way.
#[test]
fn every_kind_of_config_file_is_seen() {
    const SCHEMA: &str = "export const a = pgTable('a', { id: integer('id').primaryKey() });";
    let database = Database::create();
    let project = Project::new(RC, &database);
    project.schema(SCHEMA);
    let config = "{ dialect: 'postgresql', schema: './schema.ts', dbCredentials: { url: process.env.DATABASE_URL } }";
    let typed = format!("const config: object = {config};\nexport default config;\n");
    let (module, common) = (format!("export default {config};\n"), format!("module.exports = {config};\n"));
    let awaited = format!("await Promise.resolve();\nexport default Promise.resolve({config});\n");
    project.write("esm/package.json", "{ \"type\": \"module\" }");
    for (name, text) in [
        ("a.config.ts", &typed),
        ("b.config.mts", &typed),
        ("c.config.cts", &typed),
        ("d.config.mjs", &module),
        ("e.config.cjs", &common),
        ("f.config.js", &common),
        ("esm/g.config.js", &module),
        ("h.config.mjs", &awaited),
        ("i.config.ts", &awaited),
    ] {
        project.write(name, text);
        let ran = project.pilot(&["plan", "--config", name]).without_paste().run().expect(2);
        assert_eq!(ran.report["target"]["database"], database.value("SELECT current_database()"), "{name}: {ran}");
        assert_eq!(reported(&ran).len(), 1, "{name}: {ran}");
    }
    assert_eq!(database.list("SELECT relname FROM pg_class WHERE relname = 'a'"), Vec::<String>::new());
}

/// drizzle-kit 1.0 asks about none of these.
#[test]
fn a_change_that_nobody_is_asked_about_is_judged() {
    let database = Database::create();
    database.sql(
        "CREATE TABLE t (id integer PRIMARY KEY, cut varchar(100), rounded numeric(10, 4), cast_to text, made text);
         INSERT INTO t VALUES (1, 'longer than five', 1.2345, '7', 'kept'), (2, 'five', 1.5, '8', 'kept')",
    );
    let project = Project::new(RC, &database);
    project.schema(
        "import { numeric, varchar } from 'drizzle-orm/pg-core';
         import * as orm from 'drizzle-orm';
         export const t = pgTable('t', { id: integer('id').primaryKey(), cut: varchar('cut', { length: 5 }),
           rounded: numeric('rounded', { precision: 10, scale: 1 }), castTo: integer('cast_to'),
           made: text('made').generatedAlwaysAs(orm.sql`'x'::text`) });",
    );
    let before = database.state();
    let ran = project.pilot(&["push"]).without_paste().run().expect(3).database("unchanged");
    let ran = ran.says(&["change_type public.t.cut", "change_type public.t.rounded", "change_type public.t.cast_to"]);
    drop(ran.says(&["drop_column public.t.made"]));
    assert_eq!(database.state(), before);
}

/// What appears after the plan is not dropped with it.
#[test]
fn a_plan_does_not_cover_what_appeared_since() {
    let database = Database::create();
    database.sql("CREATE TABLE t (id integer PRIMARY KEY, old text)");
    let project = Project::new(RC, &database);
    project.schema("export const t = pgTable('t', { id: integer('id').primaryKey() });");
    project.policy("[hazards]\ndata_loss = 'approve'\n");
    drop(project.pilot(&["plan", "--out", "plan.json"]).run().expect(2));
    database.sql("CREATE TABLE newcomer (id integer); CREATE TYPE e AS ENUM ('a')");
    let before = database.state();
    drop(project.pilot(&["push", "--plan", "plan.json"]).run().expect(5).database("unchanged"));
    assert_eq!(database.state(), before);
}

/// Without a filter drizzle-kit 1.0 compares every schema of the database, and would drop these.
#[test]
fn schemas_that_the_schema_files_do_not_name_are_left_alone() {
    let database = Database::create();
    database.sql(
        "CREATE SCHEMA other; CREATE TABLE other.x (id integer); INSERT INTO other.x VALUES (1); CREATE SCHEMA empty",
    );
    let project = Project::new(RC, &database);
    project.config(
        "export default { dialect: 'postgresql', schema: './schema.ts', dbCredentials: { url: process.env.DATABASE_URL } };",
    );
    project.schema(
        "export const own = pgSchema('own');
         export const t = own.table('t', { id: integer('id').primaryKey() });",
    );
    let ran = project.pilot(&["push"]).run().expect(0).database("changed");
    assert_eq!(
        reported(&ran),
        ["CREATE SCHEMA \"own\";", "CREATE TABLE \"own\".\"t\" (\n\t\"id\" integer PRIMARY KEY\n);"]
    );
    assert_eq!(database.value("SELECT count(*) FROM other.x"), "1");
}

#[test]
fn what_drizzle_kit_1_0_cannot_load_is_said_before_it_is_started() {
    let database = Database::create();
    let project = Project::new(RC, &database);
    project.write("drizzle.config.json", "{ \"dialect\": \"postgresql\" }");
    let run = project.pilot(&["plan", "--config", "drizzle.config.json"]).run();
    drop(run.expect(78).says(&["drizzle-kit 1.0 cannot load", "drizzle.config.json"]));
    project.config(
        "export default { dialect: 'postgresql', schema: './schema.ts', casing: 'snake_case',
           dbCredentials: { url: process.env.DATABASE_URL } };",
    );
    project.schema("export const a = pgTable('a', { id: integer('id') });");
    drop(project.pilot(&["push"]).run().expect(0).says(&["ignores casing", "snake_case"]));
    for (arguments, code, says) in [
        (&["push", "--apply", "kit"][..], 64, "--apply kit is not possible with drizzle-kit 1.0"),
        (&["generate"], 126, "is not supported for this"),
        (&["run", "--", "push"], 126, "is not supported for this"),
    ] {
        drop(project.pilot(arguments).run().expect(code).says(&[says]));
    }
}

/// Its push does not compare the bodies of checks and the conditions of policies either.
#[test]
fn what_its_push_does_not_compare_is_compared() {
    let database = Database::create();
    let project = Project::new(RC, &database);
    project.schema(
        "import { check, pgPolicy } from 'drizzle-orm/pg-core';
         import * as orm from 'drizzle-orm';
         export const t = pgTable('t', { id: integer('id') }, () => [check('positive', orm.sql`id > 0`),
           pgPolicy('mine', { for: 'select', using: orm.sql`id = 1` })]);",
    );
    project.policy("[hazards]\naccess = 'approve'\n");
    drop(project.pilot(&["push"]).run().expect(0).never_says("does not see"));
    let check = ["check", "--push", "--migrations", "."];
    assert_eq!(project.pilot(&check).run().expect(0).report["findings"], serde_json::json!([]));
    database.sql("ALTER POLICY mine ON t USING (id = 2); ALTER TABLE t DROP CONSTRAINT positive, ADD CONSTRAINT positive CHECK (id > 1)");
    drop(project.pilot(&["push"]).run().expect(0).says(&[
        "2 differences",
        "policy public.t.mine",
        "public.t.positive",
    ]));
    let ran = project.pilot(&check).run().expect(2);
    drop(ran.says(&["using=(id = 2)", "using=(id = 1)", "CHECK ((id > 1))", "CHECK ((id > 0))"]));
}
