//! `generate` writes migrations, answers renames by the policy, and needs no database.

use std::path::PathBuf;

use crate::support::{Project, Ran};

on_every_kit! {
    a_migration_is_written_once
    a_rename_is_answered_by_the_policy
    a_rename_without_a_rule_is_refused
    a_schema_that_is_broken_fails
    no_credentials_are_needed
    what_drizzle_will_pass_over_is_told_when_it_is_written
}

const USERS: &str = "export const users = pgTable('users', { id: integer('id').primaryKey(), name: text('name') });\n";
const RENAMED: &str =
    "export const users = pgTable('users', { id: integer('id').primaryKey(), full_name: text('full_name') });\n";

/// A project without a database.
fn project(kit: &str) -> Project {
    let project = Project::without_database(kit);
    project.schema(USERS);
    project
}

fn generate(project: &Project) -> Ran {
    project.pilot(&["generate"]).run()
}

/// Returns the texts of the migrations, in their order.
fn migrations(project: &Project) -> Vec<String> {
    let Ok(folder) = std::fs::read_dir(project.path("drizzle")) else { return Vec::new() };
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.expect("the folder can be read").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).expect("a migration is text")).collect()
}

fn a_migration_is_written_once(kit: &str) {
    let project = project(kit);
    generate(&project).expect(0).says(&["migration generated"]).database("unchanged");
    let written = migrations(&project);
    assert!(
        matches!(&written[..], [sql] if sql.contains(r#"CREATE TABLE"#) && sql.contains(r#""users""#)),
        "{written:?}"
    );
    generate(&project).expect(0).says(&["no changes"]).database("unchanged");
    assert_eq!(migrations(&project), written);
}

fn a_rename_is_answered_by_the_policy(kit: &str) {
    let project = project(kit);
    generate(&project).expect(0);
    project.schema(RENAMED);
    project.policy("[renames.columns]\n\"public.users.name\" = \"full_name\"\n");
    let ran = generate(&project).expect(0).database("unchanged");
    assert_eq!(ran.report["prompts"][0]["rule"], "drizzle-pilot.toml:3 renames.columns.\"public.users.name\"", "{ran}");
    let written = migrations(&project);
    let [_, rename] = &written[..] else { panic!("{written:?}\n{ran}") };
    assert_eq!(rename.trim(), r#"ALTER TABLE "users" RENAME COLUMN "name" TO "full_name";"#, "{ran}");
}

fn a_rename_without_a_rule_is_refused(kit: &str) {
    let project = project(kit);
    generate(&project).expect(0);
    project.schema(RENAMED);
    let before = migrations(&project);
    let ran = generate(&project).expect(3).database("unchanged");
    assert_eq!(migrations(&project), before, "{ran}");
    // The printed lines are those that let the next run pass.
    project.paste(ran.allow_with().split("\n\n").next().unwrap_or_default());
    generate(&project).expect(0);
    assert_eq!(migrations(&project).len(), before.len() + 1);
}

fn a_schema_that_is_broken_fails(kit: &str) {
    for (schema, says) in [
        ("throw new Error('users moved to another file, says the schema');", "users moved to another file"),
        ("export const users = pgTable('users', {", "schema.ts"),
    ] {
        let project = project(kit);
        project.schema(schema);
        let ran = generate(&project).expect(1).says(&[says]).database("unchanged");
        assert_eq!(migrations(&project), [""; 0], "{ran}");
    }
}

fn no_credentials_are_needed(kit: &str) {
    let project = project(kit);
    generate(&project).expect(0);
    project.pilot(&["run", "--", "check"]).run().expect(0).says(&["succeeded"]).database("unchanged");
    // Who connects needs them still.
    project.push().expect(78).says(&["dbCredentials"]);
}

fn what_drizzle_will_pass_over_is_told_when_it_is_written(kit: &str) {
    let project = project(kit);
    generate(&project).expect(0);
    let path = project.path("drizzle/meta/_journal.json");
    let text = std::fs::read_to_string(&path).expect("there is a journal");
    let mut journal: serde_json::Value = serde_json::from_str(&text).expect("a journal is JSON");
    journal["entries"][0]["when"] = 4_102_444_800_000_i64.into();
    std::fs::write(&path, journal.to_string()).expect("the folder is ours");
    project.pilot(&["check"]).without_report().run().expect(2).says(&["is ahead of the clock [journal-ahead]"]);
    project.schema(&format!("{USERS}export const posts = pgTable('posts', {{ id: integer('id') }});\n"));
    let ran = generate(&project).expect(65).database("unchanged");
    ran.says(&["drizzle would never run it", "drizzle/meta/_journal.json the `when` 4102444800001"]);
    assert_eq!(migrations(&project).len(), 2);
}

/// drizzle-kit prints a line and ends with 0.
#[test]
fn snapshots_that_drizzle_kit_cannot_read_are_named_and_nothing_was_written() {
    let project = project(crate::NEWEST);
    generate(&project).expect(0);
    let path = project.path("drizzle/meta/0000_snapshot.json");
    let text = std::fs::read_to_string(&path).expect("there is a snapshot");
    project.schema(&format!("{USERS}export const posts = pgTable('posts', {{ id: integer('id') }});\n"));
    for (version, says) in [("6", "run -- up"), ("9", "update drizzle-kit")] {
        let other = text.replacen("\"version\": \"7\"", &format!("\"version\": \"{version}\""), 1);
        assert_ne!(other, text, "a snapshot says its version");
        std::fs::write(&path, other).expect("the folder is ours");
        let ran = generate(&project).expect(65).database("unchanged");
        ran.says(&[&format!("nothing was written: 0000_snapshot.json has format {version}"), says]);
    }
    assert_eq!(migrations(&project).len(), 1);
}
