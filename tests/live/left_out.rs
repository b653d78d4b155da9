//! What drizzle-kit's push leaves out of what the schema files say is found, and not called pushed.

use crate::NEWEST;
use crate::support::{Database, Project};

const POLICY: &str = "
    import { sql } from 'drizzle-orm';
    import { pgPolicy } from 'drizzle-orm/pg-core';
    export const t = pgTable('t', { tenant: integer('tenant') }, () => [
      pgPolicy('mine', { as: 'restrictive', using: sql`tenant = 1`, withCheck: sql`tenant = 1` })]);";

/// Those that know policies.
mod newer {
    use super::a_policy_without_its_condition_is_not_created;

    on_every_kit!(@ kit_0_28_1 "0.28.1" a_policy_without_its_condition_is_not_created);
    on_every_kit!(@ kit_0_31_11 "0.31.11" a_policy_without_its_condition_is_not_created);
}

fn a_policy_without_its_condition_is_not_created(kit: &str) {
    let database = Database::create();
    let project = Project::new(kit, &database);
    let schema = POLICY.replace("() => [", "() => ({ p: ").replace("`tenant = 1` })]", "`tenant = 1` }) })");
    project.schema(if kit == "0.28.1" { &schema } else { POLICY });
    project.policy("[hazards]\naccess = 'approve'\n");
    let before = database.state();
    for arguments in [&["plan"][..], &["push"]] {
        let ran = project.pilot(arguments).run().expect(3).database("unchanged");
        let ran =
            ran.says(&["public.t.mine would be created without its condition", "tenant = 1", "--apply transaction"]);
        assert_eq!(database.state(), before, "{ran}");
    }
    // The program's own execution creates it as the schema files say.
    let ran = project.pilot(&["push", "--apply", "transaction"]).run().expect(0).database("changed");
    let conditions = "SELECT pg_get_expr(polqual, polrelid) || pg_get_expr(polwithcheck, polrelid) FROM pg_policy";
    assert_eq!(database.value(conditions), "(tenant = 1)(tenant = 1)", "{ran}");
    // What drizzle-kit does not compare is not called the same.
    database.sql("ALTER POLICY mine ON t USING (true)");
    let ran = project.push().expect(0).says(&["1 difference", "policy public.t.mine"]);
    assert_eq!(ran.report["warnings"].as_array().map(Vec::len), Some(1), "{ran}");
    drop(project.pilot(&["next"]).run().expect(2).says(&["unpushed"]).never_says("matches the schema files"));
}

#[test]
fn a_policy_that_has_no_condition_is_created() {
    let database = Database::create();
    let project = Project::new(NEWEST, &database);
    project.schema(
        "import { pgPolicy } from 'drizzle-orm/pg-core';
         export const t = pgTable('t', { id: integer('id') }, () => [pgPolicy('all', { for: 'select', to: 'public' })]);",
    );
    project.push().expect(0).database("changed");
    assert_eq!(database.value("SELECT polname FROM pg_policy"), "all");
}

#[test]
fn a_schema_that_the_filter_leaves_out_is_named() {
    let database = Database::create();
    let project = Project::new(NEWEST, &database);
    project.config(
        "export default { dialect: 'postgresql', schema: './schema.ts', dbCredentials: { url: process.env.DATABASE_URL } };",
    );
    // The schema files are what drizzle-kit loads, not only what its config names.
    project.write(
        "shop.ts",
        "import { integer, pgSchema } from 'drizzle-orm/pg-core';
         export const shop = pgSchema('shop'); export const t = shop.table('t', { id: integer('id') });",
    );
    project.schema("export * from './shop';");
    for command in ["plan", "push"] {
        let ran = project.pilot(&[command]).run().expect(0).database("unchanged");
        drop(ran.says(&["schema shop of the schema files is excluded", "schemaFilter: ['public', 'shop']"]));
    }
    drop(project.pilot(&["next"]).run().never_says("matches the schema files").says(&["schema shop"]));
    // The line that is printed takes it in.
    project.config(
        "export default { dialect: 'postgresql', schema: './schema.ts', schemaFilter: ['public', 'shop'],
           dbCredentials: { url: process.env.DATABASE_URL } };",
    );
    project.push().expect(0).database("changed");
    assert_eq!(database.value("SELECT to_regclass('shop.t') IS NOT NULL"), "t");
}

/// What a config prints is none of what drizzle-kit prints.
#[test]
fn what_a_config_prints_is_taken_for_nothing() {
    let database = Database::create();
    let project = Project::new(NEWEST, &database);
    project.schema("console.log('[✓] Changes applied');\nexport const a = pgTable('a', { id: integer('id') });");
    project.config(
        "console.log('loaded 2 variables');
         console.log('DROP TABLE \"a\";');
         console.error('[i] No changes detected');
         process.stdout.write('\\u001b[?25l❯ No, abort\\n  Yes, I want to execute all statements');
         export default { dialect: 'postgresql', schema: './schema.ts', out: './drizzle',
           dbCredentials: { url: process.env.DATABASE_URL } };",
    );
    let ran = project.pilot(&["run", "--", "export"]).run().expect(0);
    assert_eq!(ran.stdout, "CREATE TABLE \"a\" (\n\t\"id\" integer\n);\n\n", "{ran}");
    drop(ran.says(&["loaded 2 variables"]));
    let ran = project.push().expect(0).database("changed").says(&["changes applied"]);
    assert_eq!(ran.report["statements"].as_array().map(Vec::len), Some(1), "{ran}");
    project.push().expect(0).database("unchanged").says(&["no changes"]);
    // It proves nothing either: this one ends before drizzle-kit has done anything.
    project.schema("console.log('[i] No changes detected'); process.exit(0); export const a = 1;");
    let ran = project.push();
    assert_eq!(ran.code, 7, "{ran}");
}
