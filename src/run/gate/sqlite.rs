//! What is at stake in SQLite and libSQL beyond what the statements name: rows of other tables that go with the rows that they
//! refer to, and the columns of a table that is built anew.

use std::collections::BTreeSet;

use crate::policy::decide::{Count, Objects, Stake};
use crate::run::gate::held::Held;
use crate::sql::sqlite::{self, Catalog, MOST, OnDelete, Reference};
use crate::sql::{self, Assessed, Hazard, ObjectName, Replaced};

/// What is known of the database.
#[derive(Debug, Clone, Copy)]
pub struct Knows<'a> {
    /// None where it could not be asked.
    pub catalog: Option<&'a Catalog>,
    pub switch: Switch,
}

/// Whether `PRAGMA foreign_keys` does what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    Works,
    /// References are checked nowhere among the statements.
    Off,
    /// It has no effect, for this reason.
    Ineffective(&'static str),
}

/// What the statements come to in SQLite.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) held: Vec<Held>,
    /// What cannot go well, whatever the policy says.
    pub(super) forbidden: Vec<String>,
    /// What a statement says and the database has already.
    pub(super) unchanged: Vec<Unchanged>,
}

/// A column that is defined anew and stays in one respect what it is.
#[derive(Debug)]
pub(super) struct Unchanged {
    statement_idx: usize,
    hazard: Hazard,
    column: ObjectName,
}

impl Unchanged {
    /// Tells whether this is what is held.
    pub(super) fn is(&self, held: &Held) -> bool {
        held.statement_idx == Some(self.statement_idx)
            && held.stake.hazard == self.hazard
            && held.stake.objects.names() == std::slice::from_ref(&self.column)
    }
}

/// Tells whether a table has a name that drizzle-kit gives it while it builds another one anew.
pub(super) fn is_left_over(table: &ObjectName) -> bool {
    ["__new_", "__old_push_"].iter().any(|prefix| table.last().starts_with(prefix))
}

/// Finds what is at stake beyond what the statements name.
pub(super) fn find(assessed: &[Assessed], knows: Knows) -> Found {
    let mut found = Found::default();
    let mut checks = knows.switch != Switch::Off && knows.catalog.is_none_or(|catalog| catalog.checks_references);
    let mut why_not = None;
    let mut told = BTreeSet::new();
    let mut rebuilt: Vec<&ObjectName> = Vec::new();
    for (statement_idx, statement) in assessed.iter().enumerate() {
        let words = statement.sql.to_lowercase();
        if statement.kind == "pragma" && words.contains("foreign_keys") {
            match knows.switch {
                Switch::Works => checks = !words.contains("off"),
                Switch::Off => {}
                Switch::Ineffective(why) => why_not = Some(why),
            }
        }
        for (before, kind) in &statement.retyped {
            found.unchanged.extend(unchanged(statement, statement_idx, before, kind, knows));
        }
        if let Some(replaced) = &statement.replaced {
            columns(replaced, statement_idx, knows, &mut found);
            rebuilt.push(&replaced.before);
        }
        let emptied = statement
            .hazards
            .iter()
            .filter(|found| matches!(found.hazard, Hazard::DropTable | Hazard::DeleteRows | Hazard::RebuildTable));
        for table in emptied.flat_map(|found| &found.before).filter(|_| checks) {
            let of = Emptied { table, statement_idx, why_not };
            match knows.catalog {
                Some(catalog) => of.rows(catalog, assessed, &rebuilt, &mut told, &mut found),
                None => found.held.push(of.unknown()),
            }
        }
    }
    found
}

/// Returns what goes beyond what the statements name: rows of other tables, and values in them.
pub fn taken_along(assessed: &[Assessed], knows: Knows) -> Vec<Stake> {
    let stakes = find(assessed, knows).held.into_iter().map(|held| held.stake);
    stakes.filter(|stake| matches!(stake.hazard, Hazard::DeleteRows | Hazard::ClearColumn)).collect()
}

/// libSQL defines a column anew whatever changes of it. Returns in what it stays the same.
fn unchanged(
    statement: &Assessed,
    statement_idx: usize,
    before: &ObjectName,
    kind: &str,
    knows: Knows,
) -> Vec<Unchanged> {
    let there = before.parent().and_then(|table| knows.catalog?.columns(&table));
    let there = there.and_then(|columns| columns.iter().find(|column| column.name.eq_ignore_ascii_case(before.last())));
    let Some(there) = there else { return Vec::new() };
    let stays = |hazard: Hazard| match hazard {
        Hazard::ChangeType => normal(kind) == normal(&there.kind),
        Hazard::AddNotNull => there.not_null,
        _ => false,
    };
    let of = |found: &&sql::Found| found.before.contains(before) && stays(found.hazard);
    let found = statement.hazards.iter().filter(of);
    let unchanged = found.flat_map(|found| {
        found.objects.iter().map(|column| Unchanged { statement_idx, hazard: found.hazard, column: column.clone() })
    });
    unchanged.collect()
}

/// Returns a type as it is compared.
fn normal(kind: &str) -> String {
    kind.split_whitespace().collect::<String>().to_lowercase()
}

/// A table whose rows are deleted.
struct Emptied<'a> {
    table: &'a ObjectName,
    statement_idx: usize,
    why_not: Option<&'a str>,
}

impl Emptied<'_> {
    /// What goes along where nobody could look.
    fn unknown(&self) -> Held {
        let note =
            format!("rows of other tables that refer to {} with ON DELETE CASCADE are deleted as well", self.table);
        let stake =
            Stake { hazard: Hazard::DeleteRows, objects: Objects::Unknown, count: None, note: Some(self.noted(note)) };
        Held::by(Some(self.statement_idx), stake)
    }

    fn noted(&self, note: String) -> String {
        match self.why_not {
            Some(why) => format!("{note}; PRAGMA foreign_keys=OFF does not protect them: {why}"),
            None => note,
        }
    }

    /// Finds the rows that refer to those of the table, those that refer to them, and so on.
    fn rows(
        &self,
        catalog: &Catalog,
        assessed: &[Assessed],
        rebuilt: &[&ObjectName],
        told: &mut BTreeSet<(Hazard, ObjectName)>,
        found: &mut Found,
    ) {
        let mut emptied = vec![self.table.clone()];
        let mut next_idx = 0;
        while let Some(table) = emptied.get(next_idx).cloned() {
            next_idx += 1;
            for reference in catalog.referring(&table) {
                let Reference { column, on_delete, rows, .. } = reference;
                let child = sqlite::name(&reference.table);
                // What is dropped by a statement of its own is at stake there.
                if is_dropped(assessed, &child) {
                    continue;
                }
                let (hazard, object, action) = match on_delete {
                    OnDelete::Cascade => (Hazard::DeleteRows, child.clone(), "ON DELETE CASCADE"),
                    OnDelete::SetNull => (Hazard::ClearColumn, child.child(column), "ON DELETE SET NULL"),
                    OnDelete::SetDefault => (Hazard::ClearColumn, child.child(column), "ON DELETE SET DEFAULT"),
                    OnDelete::Fail if rows.is_some_and(|rows| rows > 0) && !rebuilt.contains(&&child) => {
                        let why = self.noted(format!("rows of {child} refer to it through {column}"));
                        found.forbidden.push(format!(
                            "statement {} would fail after the statements before it were executed: deleting the rows of \
                             {table} is not allowed while {why}",
                            self.statement_idx + 1
                        ));
                        continue;
                    }
                    OnDelete::Fail => continue,
                };
                if *on_delete == OnDelete::Cascade && !emptied.contains(&child) {
                    emptied.push(child.clone());
                }
                if !told.insert((hazard, object.clone())) {
                    continue;
                }
                let note = self.noted(format!("they refer to {table} through {column} {action}"));
                let count = rows.map(|rows| if rows >= MOST { Count::AtLeast(rows) } else { Count::Rows(rows) });
                let stake = Stake { hazard, objects: Objects::All(vec![object]), count, note: Some(note) };
                found.held.push(Held::by(Some(self.statement_idx), stake));
            }
        }
    }
}

fn is_dropped(assessed: &[Assessed], table: &ObjectName) -> bool {
    let dropped = assessed.iter().flat_map(|statement| &statement.hazards);
    let mut dropped = dropped.filter(|found| found.hazard == Hazard::DropTable).flat_map(|found| &found.before);
    dropped.any(|dropped| dropped.last().eq_ignore_ascii_case(table.last()))
}

/// Compares a table that is built anew with the one that is there.
fn columns(replaced: &Replaced, statement_idx: usize, knows: Knows, found: &mut Found) {
    let Replaced { table, before, columns, in_order, is_filled } = replaced;
    let Some(there) = knows.catalog.and_then(|catalog| catalog.columns(before)) else {
        let note = format!("the columns of {before} could not be determined, nor which of them would be dropped");
        found.held.push(Held::in_doubt(statement_idx, note));
        return;
    };
    if *in_order && columns.len() != there.len() {
        let why = format!("the new {table} has {} columns, and the old one {}", columns.len(), there.len());
        found.forbidden.push(format!("the copy of {table} would fail halfway: {why}"));
        return;
    }
    let mut hold = |hazard: Hazard, column: ObjectName, note: Option<String>| {
        let stake = Stake { hazard, objects: Objects::All(vec![column]), count: None, note };
        found.held.push(Held::by(Some(statement_idx), stake));
    };
    let mut missing = Vec::new();
    let sources = columns.iter().enumerate().map(|(idx, (defined, source))| {
        (defined, if *in_order { there.get(idx).map(|column| column.name.clone()) } else { source.clone() })
    });
    let sources: Vec<_> = sources.collect();
    for (defined, source) in &sources {
        let Some(source) = source else { continue };
        let Some(column) = there.iter().find(|column| column.name.eq_ignore_ascii_case(source)) else {
            missing.push(source.clone());
            continue;
        };
        if normal(&defined.kind) != normal(&column.kind) {
            let note = format!("from {} to {}", column.kind, defined.kind);
            hold(Hazard::ChangeType, table.child(&defined.name), Some(note));
        }
        if defined.not_null && !column.not_null {
            hold(Hazard::AddNotNull, table.child(&defined.name), None);
        }
    }
    // Without a copy no value is kept, and that is said of the rows.
    if *is_filled {
        let is_kept = |name: &str| {
            sources.iter().any(|(_, source)| source.as_ref().is_some_and(|source| source.eq_ignore_ascii_case(name)))
        };
        for column in there.iter().filter(|column| !is_kept(&column.name)) {
            hold(Hazard::DropColumn, before.child(&column.name), None);
        }
    }
    if !missing.is_empty() {
        found.forbidden.push(format!(
            "drizzle-kit would copy {} from {before}, which has no such column: SQLite treats the name as a string and writes \
             it into every row, or the copy fails; add the column in a separate push first",
            missing.join(", ")
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Dialect, Facts};

    fn catalog() -> Catalog {
        let rows = |text: &str| Some(serde_json::from_str(text).expect("the case is JSON"));
        let answers = [
            rows("[[1]]"),
            rows(
                r#"[["users","id","INTEGER",1,1],["users","name","text",0,0],["users","legacy","text",0,0],
                    ["posts","id","integer",1,1],["posts","user","integer",0,0],["likes","post","integer",0,0],
                    ["notes","author","integer",0,0],["marks","user","integer",0,0]]"#,
            ),
            rows(
                r#"[["posts","users","user","CASCADE"],["likes","posts","post","CASCADE"],
                    ["notes","USERS","author","SET NULL"],["marks","users","user","NO ACTION"]]"#,
            ),
        ];
        let counted = |table: &str, _: &str| {
            Some(match table {
                "marks" => 0,
                "likes" => MOST,
                _ => 3,
            })
        };
        Catalog::of(&answers, &counted).expect("these are the answers")
    }

    const REBUILD: [&str; 6] = [
        "PRAGMA foreign_keys=OFF;",
        "CREATE TABLE `__new_users` (`id` text PRIMARY KEY NOT NULL, `name` text NOT NULL);",
        "INSERT INTO `__new_users`(\"id\", \"name\") SELECT \"id\", \"name\" FROM `users`;",
        "DROP TABLE `users`;",
        "ALTER TABLE `__new_users` RENAME TO `users`;",
        "PRAGMA foreign_keys=ON;",
    ];

    #[track_caller]
    fn check(plan: &[&str], switch: Switch, catalog: Option<&Catalog>, expected: &[&str]) -> Found {
        let plan: Vec<String> = plan.iter().map(|sql| (*sql).to_owned()).collect();
        let found = find(&sql::assess(&plan, Dialect::Sqlite, &Facts::default()), Knows { catalog, switch });
        let shown = found.held.iter().map(|Held { stake, .. }| {
            let names = stake.objects.names().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            format!("{} {names}", stake.hazard).trim_end().to_owned()
        });
        assert_eq!(shown.collect::<Vec<_>>(), expected, "{plan:?}");
        found
    }

    const COLUMNS: [&str; 3] =
        ["change_type public.users.id", "add_not_null public.users.name", "drop_column public.users.legacy"];
    const ROWS: [&str; 3] =
        ["delete_rows public.posts", "clear_column public.notes.author", "delete_rows public.likes"];

    #[test]
    fn a_rebuild_loses_the_columns_that_are_not_copied() {
        let catalog = catalog();
        check(&REBUILD, Switch::Works, Some(&catalog), &COLUMNS);
        check(&REBUILD, Switch::Off, Some(&catalog), &COLUMNS);
        check(&REBUILD, Switch::Off, None, &["unclassified"]);
        let copied = REBUILD[2].replace("\"name\" FROM", "\"nick\" FROM");
        let plan = [REBUILD[0], REBUILD[1], &copied, REBUILD[3], REBUILD[4]];
        let found = check(
            &plan,
            Switch::Off,
            Some(&catalog),
            &["change_type public.users.id", "drop_column public.users.name", "drop_column public.users.legacy"],
        );
        assert!(found.forbidden[0].contains("would copy nick from public.users"), "{:?}", found.forbidden);
        let in_order = [
            "ALTER TABLE `users` RENAME TO `__old_push_users`;",
            "CREATE TABLE `users` (`id` integer NOT NULL, `name` text, `legacy` text);",
            "INSERT INTO \"users\" SELECT * FROM \"__old_push_users\";",
            "DROP TABLE `__old_push_users`;",
        ];
        check(&in_order, Switch::Off, Some(&catalog), &[]);
        let fewer = in_order[1].replace(", `legacy` text", "");
        let found = check(&[in_order[0], &fewer, in_order[2], in_order[3]], Switch::Off, Some(&catalog), &[]);
        assert!(found.forbidden[0].contains("halfway"), "{:?}", found.forbidden);
    }

    #[test]
    fn rows_that_refer_to_a_table_go_with_it_where_the_switch_does_not_keep_them() {
        let catalog = catalog();
        let both: Vec<&str> = COLUMNS.into_iter().chain(ROWS).collect();
        let found = check(&REBUILD, Switch::Ineffective("it is in a transaction"), Some(&catalog), &both);
        let note = found.held[3].stake.note.clone().unwrap_or_default();
        assert!(note.contains("through user ON DELETE CASCADE") && note.contains("it is in a transaction"), "{note}");
        assert_eq!(found.held[3].stake.count, Some(Count::Rows(3)));
        assert_eq!(found.held[5].stake.count, Some(Count::AtLeast(MOST)));
        check(&REBUILD[1..], Switch::Works, Some(&catalog), &both);
        check(&["DROP TABLE `users`;"], Switch::Works, Some(&catalog), &ROWS);
        check(&["DELETE FROM `Users`;"], Switch::Works, Some(&catalog), &ROWS);
        let later = [REBUILD[0], REBUILD[5], "DROP TABLE `users`;"];
        check(&later, Switch::Works, Some(&catalog), &ROWS);
        // By the name from before the plan.
        let renamed = ["ALTER TABLE `users` RENAME TO `people`;", "DROP TABLE `people`;"];
        check(&renamed, Switch::Works, Some(&catalog), &ROWS);
        // What goes by itself is said there.
        let both = ["DROP TABLE `posts`;", "DROP TABLE `users`;"];
        check(&both, Switch::Works, Some(&catalog), &["delete_rows public.likes", "clear_column public.notes.author"]);
        check(&["DROP TABLE `users`;"], Switch::Works, None, &["delete_rows"]);
        let mut unchecked = catalog.clone();
        unchecked.checks_references = false;
        check(&["DROP TABLE `users`;"], Switch::Works, Some(&unchecked), &[]);
    }

    #[test]
    fn a_deletion_that_a_reference_forbids_is_not_begun() {
        let catalog = catalog();
        let found = check(&["DROP TABLE `marks`;", "DROP TABLE `likes`;"], Switch::Works, Some(&catalog), &[]);
        assert_eq!(found.forbidden, Vec::<String>::new());
        let rows = |text: &str| Some(serde_json::from_str(text).expect("the case is JSON"));
        let answers = [rows("[[1]]"), rows("[]"), rows(r#"[["marks","users","user","RESTRICT"]]"#)];
        let catalog = Catalog::of(&answers, &|_, _| Some(1)).expect("these are the answers");
        let found = check(&["DROP TABLE `users`;"], Switch::Works, Some(&catalog), &[]);
        assert!(found.forbidden[0].contains("rows of public.marks refer to it through user"), "{:?}", found.forbidden);
    }
}
