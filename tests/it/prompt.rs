//! Prompts as drizzle-kit draws them: read right or called ambiguous, never wrong.

use std::cell::Cell;

use drizzle_pilot::kit::prompt::{self, Entity, Kind, Loss, LossKind, Prompt, Rename, Unique};
use drizzle_pilot::kit::replay::{Observation, Observer};
use drizzle_pilot::kit::session::Doubt;
use drizzle_pilot::term::Screen;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::support::list;

/// Draws a prompt as hanji does, lets a Down move the highlight, and returns what is read.
fn read(context: &str, question: &str, choices: &[String]) -> Result<Prompt, Doubt> {
    let frame = |highlighted: usize| list::frame(question.trim_end_matches('\n'), choices, &[highlighted]);
    // What hanji counts: the line ends of what it drew. (Rows wider than the terminal it counts several times.)
    let erase = list::erase(frame(0).split('\n').count());
    let moved = frame(list::below(0, choices.len()));
    let drawn = format!("{context}\x1b[?25l{}{erase}{moved}", frame(0)).replace('\n', "\r\n");
    let mut observer = Observer::default();
    let mut asked = None;
    Screen::default().feed(drawn.as_bytes(), |event| asked = asked.take().or(observer.on(event)));
    match asked {
        Some(Observation::Asked(prompt)) => Ok(prompt),
        Some(Observation::Doubted(doubt)) => Err(doubt),
        other => panic!("the redraw proves the frame, but: {other:?}"),
    }
}

/// A question about a rename, in drizzle-kit's words.
fn asked(entity: Entity, name: &str, table: Option<&str>, olds: &[String]) -> (String, Vec<String>) {
    let word = entity.word();
    let of = table.map(|table| format!(" in {table} table")).unwrap_or_default();
    let question = format!("\nIs {name} {word}{of} created or renamed from another {word}?\n");
    let labels: Vec<String> = olds.iter().map(|old| format!("{old} › {name}")).collect();
    let longest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0).max(name.chars().count());
    let pad = |label: &str| format!("{label}{}", " ".repeat(longest - label.chars().count()));
    let mut choices = vec![format!("+ {} create {word}", pad(name))];
    choices.extend(labels.iter().map(|label| format!("~ {} rename {word}", pad(label))));
    (question, choices)
}

/// Names as PostgreSQL allows them, with a liking for those that look like drizzle-kit's own words.
fn name() -> impl Strategy<Value = String> {
    let plain = "[a-z_][a-z0-9_]{0,62}";
    let wild = prop::collection::vec(any::<char>().prop_filter("PostgreSQL has no NUL", |c| *c != '\0'), 1..12)
        .prop_map(String::from_iter);
    let pieces = prop::sample::select(vec![
        " › ",
        "›",
        " ",
        "  ",
        "\"",
        "'",
        "❯ ",
        "+ ",
        "~ ",
        " column in ",
        " table",
        " column",
        "create table",
        " rename table",
        " created or renamed from another",
        "?",
        "\n",
        "\r",
        "\t",
        "users",
        "a",
        "größe",
        "表",
        "👩‍🚀",
        "e\u{301}",
        "\u{202e}",
        "\u{200b}",
        "\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308}\u{309}\u{30a}\u{30b}\u{30c}",
        ".",
        "public.",
        "Is ",
    ]);
    let woven = prop::collection::vec(pieces, 1..6).prop_map(|pieces| pieces.concat());
    prop_oneof![2 => plain.prop_map(String::from), 1 => wild, 4 => woven]
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() }
}

/// Where the prompt is read as a rename, the names are exactly those that drizzle-kit means.
#[test]
fn a_rename_is_read_right_or_called_ambiguous() {
    let n_read = Cell::new(0);
    let renames = (prop::sample::select(Entity::ALL.to_vec()), name(), name(), prop::collection::vec(name(), 0..5));
    let held = TestRunner::new(config()).run(&renames, |(entity, name, table, olds)| {
        let table = (entity == Entity::Column).then_some(table);
        let (question, choices) = asked(entity, &name, table.as_deref(), &olds);
        match read("", &question, &choices) {
            Ok(Prompt { kind: Kind::Rename(read), highlighted, .. }) => {
                n_read.set(n_read.get() + 1);
                prop_assert_eq!(read, Rename { entity, name, table, schema: None, candidates: olds });
                prop_assert_eq!(highlighted, 0);
            }
            // Not taken for a question that is known: nothing but a rule for unknown ones answers it.
            Ok(Prompt { kind, .. }) => prop_assert_eq!(kind, Kind::Unknown),
            Err(Doubt::Unreadable(_) | Doubt::Forged | Doubt::Torn { .. }) => {}
            Err(other) => prop_assert!(false, "{other}"),
        }
        Ok(())
    });
    held.unwrap_or_else(|error| panic!("{error}"));
    assert!(n_read.get() >= 50, "{n_read:?} were read");
}

proptest! {
    #![proptest_config(config())]

    /// Names without anything in them that drizzle-kit's words could be mixed up with are always read.
    #[test]
    fn an_ordinary_name_is_never_ambiguous(
        entity in prop::sample::select(Entity::ALL.to_vec()),
        names in prop::collection::hash_set("[a-zA-Z_äöüß表][a-zA-Z0-9_.äöüß表]{0,62}", 2..40),
    ) {
        let names: Vec<String> = names.into_iter().collect();
        let (name, olds) = names.split_first().expect("there are two at least");
        let table = (entity == Entity::Column).then_some("users");
        let (question, choices) = asked(entity, name, table, olds);
        let read = read("", &question, &choices).map(|prompt| prompt.kind);
        let table = table.map(str::to_owned);
        prop_assert_eq!(read, Ok(Kind::Rename(Rename { entity, name: name.clone(), table, schema: None, candidates: olds.to_vec() })));
    }
}

/// A line of the warning is read with the names that drizzle-kit means, or not understood.
#[test]
fn a_loss_is_read_right_or_not_at_all() {
    let n_read = Cell::new(0);
    let held = TestRunner::new(config()).run(&(name(), name(), any::<u32>()), |(table, column, rows)| {
        let line = format!("· You're about to delete {column} column in {table} table with {rows} items");
        // Between prompts only the screen is looked at, and there a letter carries a few marks at most.
        prop_assume!(!line.contains('\u{30c}'));
        let context = warning(&[&line]);
        match read(&context, "", &consent("Yes, I want to remove 1 column, ")).map(|prompt| prompt.kind) {
            Ok(Kind::DataLoss(losses)) => {
                for Loss { kind, .. } in losses {
                    // A line end in a name makes several lines of one; then each is what it looks like, or unknown.
                    if let (LossKind::Column { table: read_table, column: read_column }, false) =
                        (&kind, line.contains(['\n', '\t']))
                    {
                        n_read.set(n_read.get() + 1);
                        prop_assert_eq!((read_table, read_column), (&table, &column));
                    }
                }
            }
            Ok(other) => prop_assert!(false, "{other:?}"),
            Err(Doubt::Unreadable(_) | Doubt::Forged) => {}
            Err(other) => prop_assert!(false, "{other}"),
        }
        Ok(())
    });
    held.unwrap_or_else(|error| panic!("{error}"));
    assert!(n_read.get() >= 50, "{n_read:?} were read");
}

fn warning(lines: &[&str]) -> String {
    let lines = lines.join("\n");
    format!(
        " Warning  Found data-loss statements:\n{lines}\n\nTHIS ACTION WILL CAUSE DATA LOSS AND CANNOT BE REVERTED\n\n\
         Do you still want to push changes?\n"
    )
}

fn consent(button: &str) -> Vec<String> {
    vec![prompt::ABORT.to_owned(), button.to_owned()]
}

/// Every line of the warning (KIT.md §1), with the button that stands below it alone.
#[test]
fn every_announced_loss_is_understood() {
    let own = |name: &str| name.to_owned();
    let column = |table: &str, column: &str| LossKind::Column { table: own(table), column: own(column) };
    let truncate = |column: &str| LossKind::Truncate { column: own(column) };
    let one_table = ["Yes, I want to remove 1 table, ", "Yes, I want to remove 1 table"];
    let one_column = ["Yes, I want to remove 1 column, ", "Yes, I want to remove 1 column"];
    let one_truncate = ["Yes, I want to truncate 1 table ", "Yes, I want to truncate 1 table"];
    let nothing = ["Yes, I want to ", "Yes, I want to"];
    let view = ["Yes, I want to remove 1 materialize view", "Yes, I want to remove 1 materialize view"];
    let cases: [(&str, LossKind, Option<u64>, [&str; 2]); 13] = [
        ("delete users table with 3 items", LossKind::Table(own("users")), Some(3), one_table),
        ("delete age column in users table with 1 items", column("users", "age"), Some(1), one_column),
        ("delete auth schema with 2 tables", LossKind::Schema(own("auth")), Some(2), nothing),
        ("delete \"recent\" materialized view with 4 items", LossKind::View(own("recent")), Some(4), view),
        (
            "change age column type from text to integer with 3 items",
            LossKind::ChangeType { column: own("age"), from: own("text"), to: own("integer") },
            Some(3),
            one_truncate,
        ),
        ("remove default value from age not-null column with 3 items", truncate("age"), Some(3), one_truncate),
        (
            "set not-null constraint to age column without default, which contains 3 items",
            truncate("age"),
            Some(3),
            one_truncate,
        ),
        (
            "add not-null constraint to age column without default value, which contains 3 items",
            truncate("age"),
            Some(3),
            one_truncate,
        ),
        (
            "add not-null age column without default value, which contains 3 items",
            truncate("age"),
            Some(3),
            one_truncate,
        ),
        (
            "add not-null age column without default value to table, which contains 3 items",
            truncate("age"),
            Some(3),
            one_truncate,
        ),
        (
            "change users primary key. This statements may fail and you table may left without primary key",
            LossKind::PrimaryKey { table: own("users") },
            None,
            one_truncate,
        ),
        ("do something new to users table with 3 items", LossKind::Unknown, Some(3), one_table),
        ("delete 3 items", LossKind::Unknown, Some(3), nothing),
    ];
    for (announced, kind, count, buttons) in cases {
        let line = format!("· You're about to {announced}");
        for button in buttons {
            let read = read(&warning(&[&line]), "", &consent(button)).map(|prompt| prompt.kind);
            let Ok(Kind::DataLoss(losses)) = &read else { panic!("{line} {button:?}: {read:?}") };
            let expected = Loss { kind: kind.clone(), text: line.clone(), count };
            assert_eq!(losses.first(), Some(&expected), "{button:?}");
            // Where the line is not understood, the button may say that there is more.
            assert!(losses.len() == 1 || losses[0].kind == LossKind::Unknown, "{losses:?}");
        }
    }
}

#[test]
fn a_button_that_announces_more_than_the_lines_is_not_understood() {
    let table = "· You're about to delete users table with 3 items";
    let column = "· You're about to delete age column in users table with 3 items";
    let cases: [(&[&str], &str, usize); 6] = [
        (&[table, column], "Yes, I want to remove 1 table, remove 1 column, ", 0),
        (&[table], "Yes, I want to remove 2 tables, ", 1),
        (&[table], "Yes, I want to remove 1 table, remove 1 column, ", 1),
        (&[table, column], "Yes, I want to remove 1 table, remove 1 column, truncate 1 table ", 1),
        (&[column], "Yes, I want to remove 1 column, remove 2 materialized views", 1),
        (&[], "Yes, I want to remove 1 table", 1),
    ];
    for (lines, button, n_unknown) in cases {
        let read = read(&warning(lines), "", &consent(button)).map(|prompt| prompt.kind);
        let Ok(Kind::DataLoss(losses)) = read else { panic!("{button:?}: {read:?}") };
        let unknown = losses.iter().filter(|loss| loss.kind == LossKind::Unknown).count();
        assert_eq!(unknown, n_unknown, "{button:?}: {losses:?}");
    }
}

#[test]
fn the_other_prompts_are_known() {
    let kind = |context: &str, question: &str, choices: &[&str]| {
        let choices: Vec<String> = choices.iter().map(|choice| (*choice).to_owned()).collect();
        read(context, question, &choices).map(|prompt| prompt.kind)
    };
    let execute = "Yes, I want to execute all statements";
    assert_eq!(kind("", "", &["No, abort", execute]), Ok(Kind::Execute));
    // Nothing but this very sentence may stand there without a warning above.
    assert!(kind("", "", &["No, abort", "Yes, I want to remove 1 table, "]).is_err());
    assert!(
        kind(&warning(&["· You're about to delete users table with 3 items"]), "", &["No, abort", execute]).is_err()
    );
    assert_eq!(kind("", "", &[execute, "No, abort"]), Ok(Kind::Unknown));

    let unique = "· You're about to add users_email_unique unique constraint to the table, which contains 3 items. If this \
                  statement fails, you will receive an error from the database. Do you want to truncate users table?\n\n";
    let choices = ["No, add the constraint without truncating the table", "Yes, truncate the table"];
    let expected = Unique { constraint: "users_email_unique".to_owned(), table: "users".to_owned(), rows: 3 };
    assert_eq!(kind(unique, "", &choices), Ok(Kind::Unique(expected.clone())));
    // 0.21 ends its spinner without a line end.
    let glued = format!("[✓] Pulling schema from database...{unique}");
    assert_eq!(kind(&glued, "", &choices), Ok(Kind::Unique(expected)));
    assert!(kind("", "", &choices).is_err());

    let drop = kind("", "Please select migration to drop:\n", &["0000_first", "0001_second"]);
    assert_eq!(drop, Ok(Kind::DropMigration));
    assert_eq!(kind("", "What now?\n", &["this", "that"]), Ok(Kind::Unknown));
    // A created object is asked about also where nothing is left that it could have been.
    let (question, choices) = asked(Entity::Table, "beta", None, &[]);
    let alone =
        Rename { entity: Entity::Table, name: "beta".to_owned(), table: None, schema: None, candidates: Vec::new() };
    assert_eq!(read("", &question, &choices).map(|prompt| prompt.kind), Ok(Kind::Rename(alone)));
}

#[test]
fn long_lists_and_long_names_are_read_whole() {
    let olds: Vec<String> = (0..300).map(|idx| format!("{idx:0>63}")).collect();
    let name = "n".repeat(63);
    let (question, choices) = asked(Entity::Table, &name, None, &olds);
    let read = read("", &question, &choices).map(|prompt| prompt.kind);
    assert_eq!(
        read,
        Ok(Kind::Rename(Rename { entity: Entity::Table, name, table: None, schema: None, candidates: olds }))
    );
}
