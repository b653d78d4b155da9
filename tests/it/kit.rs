//! What drizzle-kit prints and asks, as scripts for the fake one.

use serde_json::json;

use crate::support::list::ABORT;
use crate::support::script::{Fault, FaultKind, Mail, Menu, Script, Step};

/// What drizzle-kit prints around everything it does.
pub(crate) const PULLED: &str =
    "[⣷] Pulling schema from database...\n\x1b[2K\x1b[1A\x1b[2K\x1b[G[✓] Pulling schema from database...\n";
pub(crate) const APPLIED: &str = "[✓] Changes applied\n";
pub(crate) const NO_CHANGES: &str = "[i] No changes detected\n";
const ABORTED: &str = "[x] All changes were aborted";

/// A `push` on a database that needs no server: the config is handed over, the schema is pulled, then the steps follow.
pub(crate) fn push(steps: impl IntoIterator<Item = Step>) -> Script {
    let mut all = vec![out(PULLED)];
    all.extend(steps);
    Script { mail: Mail::Config(json!({ "dialect": "sqlite" })), steps: all }
}

pub(crate) fn out(text: &str) -> Step {
    Step::Out(text.to_owned())
}

/// Asks "Is NEW table created or renamed?" with these old names.
pub(crate) fn rename_table(new: &str, olds: &[&str]) -> Menu {
    rename("table", &format!("{new} table"), new, olds)
}

/// Asks the same about a column.
pub(crate) fn rename_column(table: &str, new: &str, olds: &[&str]) -> Menu {
    rename("column", &format!("{new} column in {table} table"), new, olds)
}

fn rename(entity: &str, asked: &str, new: &str, olds: &[&str]) -> Menu {
    let labels: Vec<String> =
        std::iter::once(new.to_owned()).chain(olds.iter().map(|old| format!("{old} › {new}"))).collect();
    let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    let pad = |label: &String| format!("{label}{}", " ".repeat(width - label.chars().count()));
    let verbs = std::iter::once("create").chain(std::iter::repeat("rename"));
    let signs = std::iter::once("+").chain(std::iter::repeat("~"));
    let rows = labels.iter().zip(signs).zip(verbs);
    let moved = if entity == "column" { "renamed" } else { "renamed/moved" };
    let renamed = olds.iter().map(|old| format!("~ {old} › {new} {entity} will be {moved}"));
    Menu {
        question: format!("\nIs {asked} created or renamed from another {entity}?"),
        choices: match olds {
            [] => vec![format!("+ {new} create {entity}")],
            _ => rows.map(|((label, sign), verb)| format!("{sign} {} {verb} {entity}", pad(label))).collect(),
        },
        confirm: std::iter::once(format!("+ {new} {entity} will be created")).chain(renamed).collect(),
        ..Menu::default()
    }
}

/// Shows what would be executed, as `--verbose` does.
pub(crate) fn block(statements: &[&str]) -> String {
    format!("\n Warning  You are about to execute current statements:\n\n{}\n\n", statements.join("\n"))
}

/// Asks for consent to losses, which stand above, below the statements. The button says what drizzle-kit 0.31 would say.
pub(crate) fn data_loss(statements: &[&str], lines: &[&str], button: &str) -> [Step; 2] {
    let lines = lines.join("\n");
    let warning = format!(
        "{} Warning  Found data-loss statements:\n{lines}\n\nTHIS ACTION WILL CAUSE DATA LOSS AND CANNOT BE REVERTED\n\n\
         Do you still want to push changes?\n",
        block(statements)
    );
    [out(&warning), Step::Menu(consent(button))]
}

/// Asks for consent where nothing is lost, as `--strict` does.
pub(crate) fn execute() -> Menu {
    Menu {
        above: block(&["ALTER TABLE \"users\" ADD \"nick\" text;"]),
        ..consent("Yes, I want to execute all statements")
    }
}

/// The last question. After "No, abort" drizzle-kit says so and ends with status 0.
pub(crate) fn consent(button: &str) -> Menu {
    Menu {
        choices: vec![ABORT.to_owned(), button.to_owned()],
        confirm: vec![ABORTED.to_owned()],
        ends_on: Some(0),
        ..Menu::default()
    }
}

/// The statement of [`drop_column`].
pub(crate) const DROP_COLUMN: &[&str] = &["ALTER TABLE \"users\" DROP COLUMN \"age\";"];

/// A drop of the column `users.age`, which the built-in policy refuses.
pub(crate) fn drop_column() -> [Step; 2] {
    data_loss(
        DROP_COLUMN,
        &["· You're about to delete age column in users table with 3 items"],
        "Yes, I want to remove 1 column, ",
    )
}

/// The policy that allows exactly [`drop_column`].
pub(crate) const ALLOW_DROP_COLUMN: &str = "[hazards]\ndrop_column = { only = [\"public.users.age\"] }\n";

/// Draws a menu wrong at one moment: 0 is the first frame, `n` what follows the `n`th key.
pub(crate) fn faulty(menu: Menu, at: usize, kind: FaultKind) -> Step {
    Step::Menu(Menu { fault: Some(Fault { at, kind }), ..menu })
}
