//! Shows a plan: for people by hazard, as SQL, and as a comment for a pull request.

use std::fmt::Write;

use crate::output::report::markup::{code, fence, inline};
use crate::output::report::{Hazard, Judgement, Report, Statement};
use crate::term::paint::{Paint, Painted};

/// A hazard of a statement, with the statement.
type At<'a> = (&'a Hazard, &'a Statement);

/// The classes, the gravest first, with what a reader calls them.
const CLASSES: [(&str, &str); 6] = [
    ("data_loss", "data loss"),
    ("access", "access"),
    ("unknown", "not understood"),
    ("may_fail", "may fail"),
    ("blocking", "blocks others"),
    ("breaking", "breaks running programs"),
];

/// Returns the place of a hazard's class among them.
pub(super) fn gravity(hazard: &Hazard) -> usize {
    CLASSES.iter().position(|(class, _)| *class == hazard.class).unwrap_or(CLASSES.len())
}

impl Report {
    /// Returns the statements alone, each ended by `;`.
    pub fn sql(&self) -> String {
        let mut sql = String::new();
        for statement in self.real() {
            sql += statement.sql.trim_end();
            sql += if statement.sql.trim_end().ends_with(';') { "\n" } else { ";\n" };
        }
        sql
    }

    /// Returns the plan for people: the statements by hazard, with rows, and with the rule that decides.
    pub fn plan_text(&self) -> Painted {
        let mut text = self.head();
        text.plain(&self.asked());
        for (name, groups) in self.by_class() {
            let _ = writeln!(text, "\n{name}");
            for (hazard, statement) in groups {
                text.plain("  ");
                text.add(hazard.verdict.paint(), hazard.verdict.word());
                let _ = writeln!(text, "  {}   [{}]", hazard.text(), hazard.rule);
                push_sql(&mut text, statement);
            }
        }
        let harmless: Vec<&Statement> = self.real().filter(|statement| statement.hazards.is_empty()).collect();
        if !harmless.is_empty() {
            text.plain("\nno hazard\n");
            harmless.iter().for_each(|statement| push_sql(&mut text, statement));
        }
        if let Some(repeated) = self.repeated() {
            let _ = writeln!(text, "\n{repeated}");
        }
        text
    }

    /// Returns the plan as a comment for a pull request (GitHub's Markdown).
    pub fn markdown(&self) -> String {
        let mut text = format!("### drizzle-pilot plan: {}\n\n", inline(&self.summary));
        if let Some(target) = &self.target {
            let _ = writeln!(text, "Target {}", code(&target.text()));
        }
        let classes: Vec<(&str, Vec<At<'_>>)> = self.by_class();
        if !classes.is_empty() {
            text += "\n| | hazard | what | rows | rule |\n|---|---|---|---|---|\n";
        }
        for (_, groups) in &classes {
            for (hazard, _) in groups {
                let sign = match hazard.verdict {
                    Judgement::Refused => "❌ refused",
                    Judgement::Warned => "⚠️ warned",
                    Judgement::Allowed => "✅ allowed",
                };
                let what: Vec<String> = hazard.objects.iter().map(|object| code(object)).collect();
                let note = hazard.note.as_deref().map(|note| format!(" ({})", inline(note))).unwrap_or_default();
                let rows = hazard.quantity().unwrap_or_default();
                let (name, rule) = (code(&hazard.hazard), inline(&hazard.rule));
                let _ = writeln!(text, "| {sign} | {name} | {}{note} | {rows} | {rule} |", what.join(", "));
            }
        }
        if let Some(repeated) = self.repeated() {
            let _ = writeln!(text, "\n{repeated}");
        }
        if self.real().next().is_some() {
            let sql = self.sql();
            let fence = fence(&sql);
            let n_statements = match self.real().count() {
                1 => "1 statement".to_owned(),
                n_statements => format!("{n_statements} statements"),
            };
            let _ = write!(
                text,
                "\n<details><summary>{n_statements}</summary>\n\n{fence}sql\n{sql}{fence}\n\n</details>\n"
            );
        }
        for refusal in &self.refusals {
            let fence = fence(&refusal.text);
            let _ = write!(text, "\n{fence}text\n{}\n{fence}\n", refusal.text);
        }
        text
    }

    /// Returns the hazards of each class that has any, each with its statement.
    fn by_class(&self) -> Vec<(&'static str, Vec<At<'_>>)> {
        let of_class = |class: &str| -> Vec<At<'_>> {
            let all = self
                .statements
                .iter()
                .flat_map(|statement| statement.hazards.iter().map(move |hazard| (hazard, statement)));
            all.filter(|(hazard, _)| hazard.class == class).collect()
        };
        let classes = CLASSES.iter().map(|(class, name)| (*name, of_class(class)));
        classes.filter(|(_, hazards)| !hazards.is_empty()).collect()
    }
}

fn push_sql(text: &mut Painted, statement: &Statement) {
    for line in statement.sql.lines() {
        text.plain("      ");
        text.add(Paint::Sql, line);
        text.plain("\n");
    }
}
