//! `check` on folders that real drizzle-kits made and real merges broke, and the search for a forgotten migration.
//!
//! `UPDATE_MIGRATIONS=1 cargo test --test live check` writes the folders to `fixtures/migrations` anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::NEWEST;
use crate::support::{Database, Project};

const USERS: &str = "export const users = pgTable('users', { id: serial('id').primaryKey() });\n";
const POSTS: &str = "export const posts = pgTable('posts', { id: serial('id').primaryKey() });\n";
const LIKES: &str = "export const likes = pgTable('likes', { id: serial('id').primaryKey() });\n";

macro_rules! on_old_and_new {
    ($($case:ident)*) => {
        mod kit_0_22_8 { $(#[test] fn $case() { super::$case("0.22.8"); })* }
        mod kit_0_31_11 { $(#[test] fn $case() { super::$case("0.31.11"); })* }
    };
}

on_old_and_new! {
    folders_that_merges_broke_are_named_right
    a_forgotten_migration_is_found_and_nothing_is_written
    a_database_that_is_not_what_the_schema_files_say_is_found_and_stays_as_it_is
}

fn generate(project: &Project, schema: &str, name: &str) {
    project.schema(schema);
    project.pilot(&["generate", "--", &format!("--name={name}")]).without_report().run().expect(0);
}

fn git(project: &Project, args: &[&str]) -> bool {
    project.git(args).status.success()
}

fn commit(project: &Project) {
    assert!(git(project, &["add", "drizzle", "schema.ts"]));
    assert!(git(project, &["commit", "-q", "-m", "all"]));
}

/// Returns the names of the rules that find something.
fn found(project: &Project) -> Vec<String> {
    let args = ["check", "--migrations", "drizzle", "--format", "json"];
    let ran = project.pilot(&args).without_report().run();
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("the report is JSON");
    let findings = report["findings"].as_array().expect("a report has findings");
    findings.iter().map(|finding| finding["id"].as_str().expect("an id is a string").to_owned()).collect()
}

/// Returns every file below a folder.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut contents = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("there is a folder") {
        let path = entry.expect("it can be read").path();
        match path.is_dir() {
            true => contents.extend(self::contents(&path)),
            false => drop(contents.insert(path.clone(), std::fs::read(&path).expect("it can be read"))),
        }
    }
    contents
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/migrations")
}

/// Checks that a folder has the findings that `index.tsv` names.
#[track_caller]
fn check(project: &Project, kit: &str, name: &str) {
    let index = std::fs::read_to_string(fixtures().join("index.tsv")).expect("the fixtures are part of the repository");
    let line = index.lines().find_map(|line| line.split_once('\t').filter(|(named, _)| *named == name));
    let (_, expected) = line.unwrap_or_else(|| panic!("index.tsv has no line for {name}"));
    assert_eq!(found(project), expected.split_whitespace().collect::<Vec<_>>(), "{kit} {name}");
    if std::env::var_os("UPDATE_MIGRATIONS").is_some_and(|update| update == "1") {
        let to = fixtures().join(kit).join(name);
        let _ = std::fs::remove_dir_all(&to); // it is not there the first time
        for (path, content) in contents(&project.path("drizzle")) {
            let path = to.join(path.strip_prefix(project.path("drizzle")).expect("it lies there"));
            std::fs::create_dir_all(path.parent().expect("it is a file")).expect("the fixtures can be written");
            std::fs::write(path, content).expect("the fixtures can be written");
        }
    }
}

fn read(project: &Project, file: &str) -> String {
    std::fs::read_to_string(project.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn folders_that_merges_broke_are_named_right(kit: &str) {
    const JOURNAL: &str = "drizzle/meta/_journal.json";
    const TABLES: &str = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
    let database = Database::create();
    let project = Project::new(kit, &database);
    // Neither node nor drizzle-kit is needed to compare a folder with a migrations table.
    let status = |code, says: &[&str]| {
        let args = ["status", "--migrations", "drizzle", "--url"];
        project.pilot(&args).args(&[database.url().as_str()]).env("PATH", "/nowhere").run().expect(code).says(says);
    };
    assert!(git(&project, &["init", "-q"]));
    generate(&project, USERS, "users");
    commit(&project);
    assert!(git(&project, &["checkout", "-q", "-b", "likes"]));
    generate(&project, &format!("{USERS}{LIKES}"), "likes");
    commit(&project);
    let (likes, likes_snapshot) = (read(&project, JOURNAL), read(&project, "drizzle/meta/0001_snapshot.json"));
    assert!(git(&project, &["checkout", "-q", "main"]));
    generate(&project, &format!("{USERS}{POSTS}"), "posts");
    commit(&project);
    check(&project, kit, "clean");
    status(2, &["2 pending"]);
    project.pilot(&["migrate"]).run().expect(0).says(&["2 migrations applied"]);
    let posts = read(&project, JOURNAL);

    assert!(!git(&project, &["merge", "-q", "likes"]), "both branches changed the journal");
    check(&project, kit, "conflicted");
    status(
        65,
        &["drizzle/meta/_journal.json:", "git left conflict markers in the journal", "keep the entries of both"],
    );

    // Both entries are kept as they are, and the snapshot of one side.
    let entries = |journal: &str| -> Vec<serde_json::Value> {
        let journal: serde_json::Value = serde_json::from_str(journal).expect("a journal is JSON");
        journal["entries"].as_array().expect("a journal has entries").clone()
    };
    let write = |entries: Vec<serde_json::Value>| {
        let journal = serde_json::json!({ "version": "7", "dialect": "postgresql", "entries": entries });
        project.write(JOURNAL, &format!("{journal:#}"));
    };
    let [init, posts]: [serde_json::Value; 2] = entries(&posts).try_into().expect("there are two");
    let likes = entries(&likes).pop().expect("there are two");
    assert!(git(&project, &["checkout", "-q", "--ours", "drizzle/meta/0001_snapshot.json"]));
    write(vec![init.clone(), likes.clone(), posts.clone()]);
    check(&project, kit, "duplicated");
    status(2, &["1 skipped, 2 applied", "drizzle-pilot sync --migrations drizzle --url URL --repair-order"]);

    // The one is numbered anew, and its snapshot still knows nothing of the other.
    let numbered = |entry: &serde_json::Value, idx: u64, when: i64| {
        let mut entry = entry.clone();
        entry["idx"] = idx.into();
        entry["when"] = (entry["when"].as_i64().expect("it is a number") + when).into();
        entry
    };
    project.write("drizzle/meta/0002_snapshot.json", &likes_snapshot);
    let behind = 60_000;
    write(vec![init.clone(), posts.clone(), numbered(&likes, 2, behind)]);
    check(&project, kit, "forked");

    // It is put behind, and keeps the time at which it was made.
    let mended = read(&project, "drizzle/meta/0001_snapshot.json");
    let mended: serde_json::Value = serde_json::from_str(&mended).expect("a snapshot is JSON");
    let mut forked: serde_json::Value = serde_json::from_str(&likes_snapshot).expect("a snapshot is JSON");
    forked["prevId"] = mended["id"].clone();
    project.write("drizzle/meta/0002_snapshot.json", &format!("{forked:#}"));
    write(vec![init.clone(), posts.clone(), numbered(&likes, 2, -behind)]);
    check(&project, kit, "skipped");
    status(2, &["1 skipped, 2 applied"]);
    let bare = project.kit(&["migrate"]).run();
    assert!(bare.code == 0 && bare.stdout.contains("migrations applied successfully"), "{bare}");
    assert_eq!(database.list(TABLES), ["posts", "users"], "the bare drizzle-kit skips it without a word");
    project.pilot(&["migrate"]).run().expect(3).says(&["skipped 0001_likes: "]);
    project.pilot(&["sync", "--repair-order"]).run().expect(0).says(&["0001_likes is now the newest in the journal"]);
    assert_eq!(found(&project), Vec::<String>::new());
    project.pilot(&["migrate"]).run().expect(0).says(&["1 migration applied"]);
    assert_eq!(database.list(TABLES), ["likes", "posts", "users"]);
    status(0, &["3 applied"]);

    let file = read(&project, "drizzle/0001_posts.sql");
    project.write("drizzle/0001_posts.sql", &format!("{file}-- edited\n"));
    status(2, &["1 edited, 2 applied"]);
    project.pilot(&["migrate"]).run().expect(3).says(&["edited 0001_posts: "]);
    project.write("drizzle/0001_posts.sql", &file);
    write(vec![init.clone(), posts.clone()]);
    status(
        2,
        &["2 applied, 1 unknown", "the migrations table has migrations that this folder lacks: from another branch"],
    );

    write(vec![init.clone(), posts.clone(), numbered(&likes, 2, behind)]);
    assert_eq!(found(&project), Vec::<String>::new());
    let file = read(&project, "drizzle/0001_likes.sql");
    std::fs::remove_file(project.path("drizzle/0001_likes.sql")).expect("it was generated");
    check(&project, kit, "missing-file");
    status(2, &["1 missing, 2 applied", "restore the file"]);
    project.write("drizzle/0001_likes.sql", &file);
    project.write("drizzle/0003_by_hand.sql", "SELECT 1;\n");
    check(&project, kit, "unlisted");
    std::fs::remove_file(project.path("drizzle/0003_by_hand.sql")).expect("it was written");
    std::fs::rename(project.path("drizzle/meta/0002_snapshot.json"), project.path("drizzle/meta/0003_snapshot.json"))
        .expect("it was written");
    write(vec![init, posts, numbered(&likes, 3, behind)]);
    check(&project, kit, "gap");
}

fn a_forgotten_migration_is_found_and_nothing_is_written(kit: &str) {
    let project = Project::without_database(kit);
    generate(&project, USERS, "users");
    let before = contents(&project.path("drizzle"));
    let look = || project.pilot(&["check", "--schema"]).without_report().run();
    look().expect(0).says(&["check: nothing found in 1 migration"]);

    project.schema(&format!("{USERS}{POSTS}"));
    look()
        .expect(2)
        .says(&["drizzle.config.ts:1:1: error: a migration is missing: CREATE TABLE ", "[forgotten-migration]"]);

    // drizzle-kit asks whether it was renamed; that it asks says enough.
    project.schema(&USERS.replace("'users'", "'people'"));
    look().expect(2).says(&["a migration is missing, and drizzle-kit asks what was renamed"]);
    assert_eq!(contents(&project.path("drizzle")), before);

    // Where drizzle-kit cannot tell, nothing is said to be well.
    project.schema("export const broken = ;");
    let broken = look();
    assert!(!matches!(broken.code, 0 | 2), "{broken}");
}

fn a_database_that_is_not_what_the_schema_files_say_is_found_and_stays_as_it_is(kit: &str) {
    let database = Database::create();
    database
        .sql("CREATE TABLE users (id serial PRIMARY KEY, fax text); CREATE STATISTICS by_fax ON id, fax FROM users");
    // drizzle-kit repeats a default of an array and NULL for these columns at every push; 0.22 cannot write the default.
    let (sql, default) = if kit == NEWEST { ("DEFAULT '{}'", ".default([])") } else { ("", "") };
    database.sql(&format!("CREATE TABLE likes (a integer, b integer, tags text[] {sql}, PRIMARY KEY (a, b))"));
    let project = Project::new(kit, &database);
    let likes = format!(
        "import {{ primaryKey }} from 'drizzle-orm/pg-core';
         export const likes = pgTable('likes', {{ a: integer('a'), b: integer('b'), tags: text('tags').array(){default} }},
             (t) => ({{ pk: primaryKey({{ columns: [t.a, t.b], name: 'likes_pkey' }}) }}));\n"
    );
    generate(&project, &format!("{USERS}{POSTS}{likes}"), "all");
    let before = (contents(&project.path("drizzle")), database.everything());
    let look = |args: &[&str]| project.pilot(&[&["check", "--push"], args].concat()).run();
    // A push would be refused for the column that it drops. Seen is all of it.
    look(&[]).expect(2).database("unchanged").says(&[
        "check: 2 errors in 1 migration",
        "drizzle.config.ts:1:1: error: a push would run: CREATE TABLE ",
        "drizzle.config.ts:1:1: error: a push would run: ALTER TABLE \"users\" DROP COLUMN ",
        "; the drop of public.users.fax also drops the statistics object public.by_fax [schema-drift]",
    ]);
    // drizzle-kit asks whether it was renamed; that it asks says enough.
    database.sql("ALTER TABLE users RENAME TO people");
    look(&[]).expect(2).says(&["drizzle-kit asks questions first: drizzle-pilot plan shows them"]);
    database.sql("ALTER TABLE people RENAME TO users");
    assert_eq!((contents(&project.path("drizzle")), database.everything()), before);
    database.sql("ALTER TABLE users DROP COLUMN fax; CREATE TABLE posts (id serial PRIMARY KEY)");
    let nowhere = project.pilot(&["check", "--push", "--url", "postgres://app:x@127.0.0.1:1/none"]).run();
    nowhere.expect(69).says(&["127.0.0.1:1 refused the connection"]);
    look(&["--url", database.url().as_str()]).expect(0).says(&["check: nothing found in 1 migration"]);
}

#[test]
fn a_project_that_pushes_has_no_folder_to_check() {
    let database = Database::create();
    let project = Project::new(NEWEST, &database);
    project.schema(USERS);
    let look = || project.pilot(&["check", "--push"]).run();
    look().expect(2).says(&["check: 1 error\n", "a push would run: CREATE TABLE "]);
    project.push().expect(0);
    look().expect(0).says(&["check: nothing found\n"]);
    // A folder that is asked for has to be there.
    project.pilot(&["check", "--push", "--migrations", "drizzle"]).run().expect(65);
    project.pilot(&["check"]).run().expect(65);
}
