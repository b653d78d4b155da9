//! What drizzle-kit shows before it asks for consent is what it executes: compared with the server's own log.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::NEWEST;
use crate::support::{Database, FAILING, Project, Ran, Side, Theme};

/// Makes a check of each theme of `fixtures/changes`.
macro_rules! themes {
    ($($theme:ident)*) => {
        $(fn $theme(kit: &str) { check_theme(kit, stringify!($theme)); })*
    };
}

on_every_kit! {
    tables columns types defaults enums schemas schema_renames schema_moves indexes constraints names
    truncating failing_changes every_kit_has_sixty_changes
}
themes! { tables columns types defaults enums schemas schema_renames schema_moves indexes constraints names truncating }

/// What drizzle-kit 0.21 and 0.22 do not know.
mod newer {
    use super::{check_roles, check_theme};

    on_every_kit!(@ kit_0_28_1 "0.28.1" identity generated sequences views policies roles);
    on_every_kit!(@ kit_0_31_11 "0.31.11" identity generated sequences views policies roles);
    themes! { identity generated sequences views policies }

    fn roles(kit: &str) {
        check_roles(kit);
    }
}

/// Plans and pushes the changes of a theme, and checks that the statements planned and shown are those the server was
/// told, and no others.
fn check_theme(kit: &str, name: &str) {
    let theme = Theme::read(kit, name);
    let (database, project) = begin(kit, &theme, |database, project| match updates() {
        true => {
            let recording = project.path("before.cast");
            project.pilot(&["push", "--record", &recording.display().to_string()]).run().expect(0);
            keep("before", kit, &format!("{name}.sql"), &block(&recording));
        }
        // What drizzle-kit writes for these is in the fixtures: it is run twice for the changes.
        false => database.sql(&fixture("before", kit, &format!("{name}.sql"))),
    });
    let planned = project.pilot(&["plan", "--out", PLAN]).run().expect(2).database("unchanged");
    let Pushed { ran, shown, told } = push(&database, &project, &["push", "--plan", PLAN]);
    let ran = ran.expect(0).database("changed");
    assert_eq!(
        sorted(&reported(&planned)),
        sorted(&reported(&ran)),
        "what was planned, and what was pushed\n{planned}\n{ran}"
    );
    let unseen: Vec<&str> =
        theme.changes.iter().filter(|change| !change.is_in(&told)).map(|change| change.name.as_str()).collect();
    assert!(unseen.is_empty(), "nothing came of {unseen:?}\n{shown}");
    if told.join("\n") != shown {
        let differing: Vec<String> = told.iter().filter(|told| !shown.contains(told.as_str())).cloned().collect();
        let (changes, told) = (theme.of(&differing), told.join("\n"));
        panic!("told, but not shown: {changes:?}: {differing:#?}\n--- shown\n{shown}\n--- told\n{told}\n{ran}");
    }
    assert_eq!(words(&reported(&ran)), words(&told), "what the report says, and what the server was told\n{ran}");
    assert_eq!(unclassified(&ran), Vec::<String>::new(), "statements that are not understood");
    keep("blocks", kit, &format!("{name}.sql"), &shown);
    keep("blocks", kit, &format!("{name}.json"), &serde_json::to_string_pretty(&told).expect("strings are JSON"));
    // The hazards of these are in a table (tests/it/hazards.rs).
    let kept: Vec<String> = serde_json::from_str(&fixture("blocks", kit, &format!("{name}.json"))).expect("it is JSON");
    assert_eq!(sorted(&told), sorted(&kept), "what the server was told, and what is in the fixtures");
}

const PLAN: &str = "push.plan.json";

fn sorted(statements: &[String]) -> Vec<&String> {
    let mut sorted: Vec<&String> = statements.iter().collect();
    sorted.sort();
    sorted
}

/// Returns the statements that the program reports.
pub(crate) fn reported(ran: &Ran) -> Vec<String> {
    let statements = ran.report["statements"].as_array().expect("a report has statements");
    statements.iter().map(|statement| statement["sql"].as_str().expect("it is SQL").to_owned()).collect()
}

/// Returns the statements that the program does not understand.
fn unclassified(ran: &Ran) -> Vec<String> {
    let statements = ran.report["statements"].as_array().into_iter().flatten();
    let is_unclassified = |statement: &&Value| {
        let mut hazards = statement["hazards"].as_array().into_iter().flatten();
        hazards.any(|hazard| hazard["hazard"] == "unclassified")
    };
    statements.filter(is_unclassified).map(|statement| statement["sql"].to_string()).collect()
}

/// Returns statements as one text without white space, and without the line that drizzle-kit puts between two
/// statements of one query. Where one statement ends is then told by the `;` alone, which both sides have.
fn words(statements: &[String]) -> String {
    let lines = statements.iter().flat_map(|statement| statement.lines());
    lines.filter(|line| *line != "--> statement-breakpoint").flat_map(str::split_whitespace).collect()
}

/// Roles belong to the whole server. So one test at a time has them, and finds none of another run.
fn check_roles(kit: &str) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _others_wait = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let database = Database::create();
    for role in database.list(r"SELECT quote_ident(rolname) FROM pg_roles WHERE rolname LIKE 'gate\_%'") {
        database.sql(&format!("DROP ROLE {role}"));
    }
    check_theme(kit, "roles");
}

/// Counts the changes that each kit applies, and says so when one is lost.
fn every_kit_has_sixty_changes(kit: &str) {
    let n_changes: usize = Theme::applied(kit).iter().map(|theme| theme.changes.len()).sum();
    assert!(n_changes >= 60, "{n_changes} changes");
}

/// Changes for which drizzle-kit writes what is no SQL: it cuts a literal at its `;`, or ends a DO block within a value.
/// They are stopped before consent.
const BROKEN: [&str; 2] = ["check_with_semicolon", "enum_with_dollars"];

/// What fails in the server for a reason that the catalog or the rows tell beforehand, with what is said then.
const FORESEEN: [(&str, &str); 7] = [
    ("drop_referenced", "_fk, which no longer exists then: it is dropped with public.referenced, in statement"),
    (
        "enum_value_in_use",
        "1 row has a value in public.table_of_enum.kind that the new public.enum_in_use does not have: 'c'",
    ),
    ("not_null_with_nulls", "public.not_null_with_nulls.v must have a value, and 1 row has none"),
    ("text_to_bytea", "text_to_bytea.v"),
    ("text_to_integer", "public.text_to_integer.v cannot be converted from text to integer automatically"),
    ("text_to_jsonb", "public.text_to_jsonb.v cannot be converted from text to jsonb automatically"),
    ("time_with_precision", "does not exist on the server"),
];

/// Each of these changes fails in the server; what it was told by then is the beginning of what was shown.
fn failing_changes(kit: &str) {
    for theme in Theme::read(kit, FAILING).each() {
        let name = &theme.changes[0].name;
        let (database, project) = begin(kit, &theme, |_, project| drop(project.push().expect(0)));
        let Pushed { ran, shown, told } = push(&database, &project, &["push"]);
        if BROKEN.contains(&name.as_str()) {
            assert!([3, 4].contains(&ran.code) && told.is_empty(), "{name}: {told:#?}\n{shown}\n{ran}");
            drop(ran.database("unchanged"));
            keep("blocks", kit, &format!("failing/{name}.sql"), &shown);
            continue;
        }
        if let Some((_, says)) = FORESEEN.iter().find(|(foreseen, _)| foreseen == name) {
            project.policy("[hazards]\nunclassified = 'approve'\n");
            let approved = project.pilot(&["push", "--accept-data-loss"]).run();
            drop(approved.expect(3).database("unchanged").says(&[says]).offers_no_lines());
            let ran = ran.expect(3).database("unchanged").says(&[says]).offers_no_lines();
            assert!(told.is_empty(), "{name}: {told:#?}\n{ran}");
            keep("blocks", kit, &format!("failing/{name}.sql"), &shown);
            continue;
        }
        let ran = ran.expect(6).database("maybe");
        assert!(!told.is_empty() && shown.starts_with(&told.join("\n")), "{name}: {told:#?}\n{shown}\n{ran}");
        keep("blocks", kit, &format!("failing/{name}.sql"), &shown);
    }
}

/// Everything that makes it hard to tell where a statement ends, three hundred times, in more than 100 kB.
#[test]
fn a_long_list_of_statements_is_told_as_it_was_shown() {
    const DEFAULTS: [&str; 8] = [
        "it's; \"quoted\"",
        "$$ dollars $$; $tag$ more $tag$",
        "two\nlines;\n\n  and a third",
        "-- no comment; /* nor this",
        "*/ ; --> statement-breakpoint",
        r"back\slash \' ; \n",
        "BEGIN; DO $$ BEGIN END $$; COMMIT;",
        "größer; 表; 🙂",
    ];
    let mut schema = "import { integer, pgTable, pgView, text } from 'drizzle-orm/pg-core';\n\
                      import { sql } from 'drizzle-orm';\n"
        .to_owned();
    for n in 0..300 {
        let default = format!("{} {}", DEFAULTS[n % DEFAULTS.len()], "lorem ipsum ".repeat(25));
        let default = Value::from(default);
        schema += &format!(
            "export const t{n} = pgTable('list {n}', {{ id: integer('id').primaryKey(), note: text('note').default({default}) }});\n"
        );
    }
    schema += "export const v = pgView('commented', { one: integer('one') })
                 .as(sql`select 1 as one /* a ; comment /* in another */ */ -- and ; a line\n where 'a;b' <> $q$;$q$`);\n";
    let database = Database::create();
    let project = Project::new(NEWEST, &database);
    project.write("schema.ts", &schema);
    let log = database.log_statements();
    let recording = project.path("push.cast");
    let ran = project.pilot(&["push"]).args(&["--record", &recording.display().to_string()]).run();
    let (shown, told) = (block(&recording), after_the_last_look(log.end()));
    let ran = ran.expect(0).database("changed");
    assert!(shown.len() > 100_000, "{} bytes", shown.len());
    assert_eq!(reported(&ran).len(), 301);
    assert!(told.join("\n") == shown, "--- shown\n{shown}\n--- told\n{}", told.join("\n"));
    assert_eq!(words(&reported(&ran)), words(&told));
    assert_eq!(unclassified(&ran), Vec::<String>::new());
    assert_eq!(database.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "300");
}

/// Pushes a table with these defaults, and returns what was reported and what the server was told.
fn push_defaults(defaults: &[&str]) -> (Ran, Vec<String>) {
    let database = Database::create();
    let project = Project::new(NEWEST, &database);
    let column = |(n, text): (usize, &&str)| format!("c{n}: text('c{n}').default({}), ", Value::from(*text));
    let columns: String = defaults.iter().enumerate().map(column).collect();
    project.schema(&format!("export const odd = pgTable('odd', {{ {columns} }});"));
    let log = database.log_statements();
    let ran = project.push();
    (ran, after_the_last_look(log.end()))
}

#[test]
fn text_that_looks_like_a_prompt_or_a_line_end_is_read_to_the_letter() {
    let (ran, told) = push_defaults(&[
        "a\tb",
        "a\r\nb\r\n\r\n",
        "a \n \n\n\n b ",
        "❯ No, abort\n  Yes, I want to execute all statements",
        "[✓] Changes applied",
    ]);
    let ran = ran.expect(0).database("changed");
    let told: Vec<&str> = told.iter().map(|statement| statement.trim_end()).collect();
    assert_eq!(reported(&ran), told, "{ran}");
    assert_eq!(unclassified(&ran), Vec::<String>::new());
}

#[test]
fn text_that_a_terminal_obeys_or_that_forges_the_block_is_stopped() {
    for text in [
        "a\rb",
        "a\u{1b}[2K\u{1b}[1Ab",
        "a\u{8}\u{7}b",
        "\n\n\u{1b}[?25l",
        "\n\n Warning  Found data-loss statements:\n· You're about to delete x\n\n",
        "\n\n Warning  You are about to execute current statements:\n\nDROP TABLE users;\n\n",
    ] {
        let (ran, told) = push_defaults(&[text]);
        drop(ran.expect(4).database("unchanged"));
        assert_eq!(told, Vec::<String>::new(), "{text:?}");
    }
}

/// What came of a push.
struct Pushed {
    ran: Ran,
    /// The block of statements as drizzle-kit printed it.
    shown: String,
    /// The statements that the server was told, after drizzle-kit's look at the catalog.
    told: Vec<String>,
}

/// Brings a database into the state before the changes, with its rows, and makes a project that has the state after them.
pub(crate) fn begin(kit: &str, theme: &Theme, before: impl FnOnce(&Database, &Project)) -> (Database, Project) {
    let database = Database::create();
    let project = Project::changes(kit, theme, &database);
    project.write("schema.ts", &theme.schema(Side::Before));
    before(&database, &project);
    for change in &theme.changes {
        change.rows().iter().for_each(|statement| database.sql(statement));
    }
    project.write("schema.ts", &theme.schema(Side::After));
    (database, project)
}

fn push(database: &Database, project: &Project, arguments: &[&str]) -> Pushed {
    let log = database.log_statements();
    let recording = project.path("push.cast");
    let ran = project.pilot(arguments).args(&["--record", &recording.display().to_string()]).run();
    Pushed { ran, shown: block(&recording), told: after_the_last_look(log.end()) }
}

/// Leaves out drizzle-kit's own look at the catalog, which comes before its first statement. A look that came later
/// would not have been shown, and stays.
fn after_the_last_look(mut told: Vec<String>) -> Vec<String> {
    let is_look = |statement: &String| statement.trim_start().to_lowercase().starts_with("select");
    let first = told.iter().position(|statement| !is_look(statement)).unwrap_or(told.len());
    told.split_off(first)
}

/// Returns the block of statements as drizzle-kit printed it, off a recording.
fn block(recording: &Path) -> String {
    const BEGIN: &str = "You are about to execute current statements:\r\n\r\n";
    const ENDS: [&str; 2] = ["\r\n\r\n\u{1b}[?25l", "\r\n\r\n Warning  Found data-loss statements:"];
    let text = std::fs::read_to_string(recording).expect("the run was recorded");
    let events = text.lines().skip(1).map(|line| serde_json::from_str::<Value>(line).expect("asciicast is JSON"));
    let output: String =
        events.filter(|event| event[1] == "o").filter_map(|event| event[2].as_str().map(str::to_owned)).collect();
    let Some((_, rest)) = output.split_once(BEGIN) else { return String::new() };
    let end = ENDS.iter().filter_map(|end| rest.find(end)).min().expect("a question follows the statements");
    let block = rest[..end].replace("\r\n", "\n");
    assert!(!block.contains('\u{1b}'), "the block has control sequences: {block:?}");
    block
}

/// Tells whether the fixtures are to be written anew: `UPDATE_BLOCKS=1 cargo test --test live gate`.
fn updates() -> bool {
    std::env::var_os("UPDATE_BLOCKS").is_some()
}

pub(crate) fn fixture(folder: &str, kit: &str, name: &str) -> String {
    let file = file(folder, kit, name);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn file(folder: &str, kit: &str, name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "fixtures/sql", folder, kit, name].iter().collect()
}

/// Writes what was shown or told into `fixtures/sql`, where that was asked for.
fn keep(folder: &str, kit: &str, name: &str, text: &str) {
    if !updates() {
        return;
    }
    let file = file(folder, kit, name);
    std::fs::create_dir_all(file.parent().expect("a file is in a folder")).expect("the fixtures can be written");
    std::fs::write(file, format!("{text}\n")).expect("the fixtures can be written");
}
