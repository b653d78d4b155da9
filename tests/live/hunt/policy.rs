//! Policies of random strictness, and a reading of them that the program has no part in.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use drizzle_pilot::sql::{Class, Hazard};

use super::world::{Named, World, quoted};
use crate::support::Random;

#[derive(Debug)]
pub(super) struct Policy {
    /// By the word of the line: a hazard or a class.
    lines: BTreeMap<&'static str, Rule>,
    renames: String,
    creates: bool,
    /// The flag of the command line.
    pub(super) accepts_losses: bool,
    pub(super) in_transaction: bool,
}

#[derive(Debug, Clone)]
enum Rule {
    Word(&'static str),
    Limits { only: Option<Vec<Vec<String>>>, max_rows: Option<u64> },
}

impl Policy {
    /// Makes one for a world that becomes another.
    pub(super) fn new(random: &mut Random, before: &World, after: &World) -> Policy {
        let strictness = random.below(4);
        let mut lines = BTreeMap::new();
        for class in Class::ALL.into_iter().filter(|class| *class != Class::Unknown) {
            if strictness == 0 || random.below(3) == 0 {
                let word = if random.below(4) < strictness { "refuse" } else { "approve" };
                lines.insert(class.name(), Rule::Word(word));
            }
        }
        for hazard in Hazard::all() {
            if random.below(if strictness == 0 { 8 } else { 3 }) != 0 {
                continue;
            }
            let rule = match random.below(5) {
                choice if choice < strictness => Rule::Word("refuse"),
                _ if hazard == Hazard::Unclassified => Rule::Word("approve"),
                0 if hazard == Hazard::Truncate => Rule::Word("skip"),
                0 if hazard == Hazard::AddUnique => Rule::Word("truncate"),
                0..=2 if hazard.class() != Class::Access => {
                    let only = (random.below(2) == 0).then(|| patterns(random, hazard, before));
                    let counts = !matches!(hazard.class(), Class::Breaking)
                        && !matches!(
                            hazard,
                            Hazard::DropSchema | Hazard::DropSequence | Hazard::DropType | Hazard::RecreateEnum
                        );
                    let max_rows = counts.then(|| *random.one_of(&[0, 2, 1000])).filter(|_| random.below(2) == 0);
                    match (&only, max_rows) {
                        (None, None) => Rule::Word("approve"),
                        _ => Rule::Limits { only, max_rows },
                    }
                }
                _ => Rule::Word("approve"),
            };
            lines.insert(hazard.name(), rule);
        }
        let creates = random.below(4) != 0;
        let in_transaction = random.below(2) == 0;
        // The word is for runs in a transaction alone.
        if !in_transaction && matches!(lines.get("truncate"), Some(Rule::Word("skip"))) {
            lines.remove("truncate");
        }
        Policy {
            lines,
            renames: if random.below(2) == 0 { renames(before, after) } else { String::new() },
            creates,
            accepts_losses: random.below(8) == 0,
            in_transaction,
        }
    }

    pub(super) fn toml(&self) -> String {
        let otherwise = if self.creates { "create" } else { "refuse" };
        let mut text = format!("[renames]\notherwise = '{otherwise}'\n{}[hazards]\n", self.renames);
        for (word, rule) in &self.lines {
            let value = match rule {
                Rule::Word(word) => format!("'{word}'"),
                Rule::Limits { only, max_rows } => {
                    let only = only.as_ref().map(|names| {
                        let names: Vec<String> = names
                            .iter()
                            .map(|parts| {
                                let parts: Vec<String> = parts
                                    .iter()
                                    .map(|part| if part == "*" { part.clone() } else { quoted(part) })
                                    .collect();
                                serde_json::to_string(&parts.join(".")).expect("a text is JSON")
                            })
                            .collect();
                        format!("only = [{}]", names.join(", "))
                    });
                    let max_rows = max_rows.map(|rows| format!("max_rows = {rows}"));
                    let limits: Vec<String> = only.into_iter().chain(max_rows).collect();
                    format!("{{ {} }}", limits.join(", "))
                }
            };
            let _ = writeln!(text, "{word} = {value}");
        }
        text
    }

    fn rule(&self, hazard: Hazard) -> Option<&Rule> {
        self.lines.get(hazard.name()).or_else(|| {
            let class = hazard.class();
            if class == Class::Unknown { None } else { self.lines.get(class.name()) }
        })
    }

    /// Tells whether a loss is allowed: of what, its name, and how many rows it had at least.
    pub(super) fn allows(&self, hazard: Hazard, name: &[String], n_rows: u64) -> bool {
        if self.accepts_losses && hazard.class() == Class::DataLoss {
            return true;
        }
        match self.rule(hazard) {
            None => !hazard.class().refused_by_default(),
            Some(Rule::Word(word)) => *word == "approve",
            Some(Rule::Limits { only, max_rows }) => {
                let fits = |pattern: &Vec<String>| {
                    pattern.len() == name.len()
                        && pattern.iter().zip(name).all(|(part, own)| part == "*" || part == own)
                };
                only.as_ref().is_none_or(|patterns| patterns.iter().any(fits))
                    && max_rows.is_none_or(|max| n_rows <= max)
            }
        }
    }

    /// Tells whether the table may be emptied to make room for a unique constraint.
    pub(super) fn empties_for_unique(&self) -> bool {
        matches!(self.rule(Hazard::AddUnique), Some(Rule::Word("truncate")))
    }
}

/// Returns names that something of the world may have.
fn patterns(random: &mut Random, hazard: Hazard, world: &World) -> Vec<Vec<String>> {
    use drizzle_pilot::sql::hazard::Object;
    let star = || "*".to_owned();
    let n = 1 + random.below(2);
    (0..n)
        .map(|_| {
            let table = random.one_of(&world.tables);
            let schema = table.of.schema.to_owned();
            match hazard.object() {
                Object::Schema | Object::Role => vec![schema],
                Object::Column | Object::Constraint | Object::Policy => {
                    let column = random.one_of(&table.columns).name.clone();
                    let last = if random.below(2) == 0 { column } else { star() };
                    let first = if random.below(4) == 0 { star() } else { schema };
                    vec![first, table.of.name.clone(), last]
                }
                _ if random.below(3) == 0 => vec![schema, star()],
                _ => vec![schema, table.of.name.clone()],
            }
        })
        .collect()
}

/// Returns the lines for what was renamed, by its place.
fn renames(before: &World, after: &World) -> String {
    let mut text = String::new();
    let mut line = |section: &str, old: &[&str], new: &str| {
        let old: Vec<String> = old.iter().map(|part| quoted(part)).collect();
        let text_of = |name: &str| serde_json::to_string(name).expect("a text is JSON");
        let _ = writeln!(text, "{section}.{} = {}", text_of(&old.join(".")), text_of(&quoted(new)));
    };
    for (old, new) in before.tables.iter().zip(&after.tables) {
        let is_same = |one: &Named, other: &Named| one == other;
        if before.tables.len() == after.tables.len() && !is_same(&old.of, &new.of) && old.of.schema == new.of.schema {
            line("tables", &[old.of.schema, &old.of.name], &new.of.name);
        } else if is_same(&old.of, &new.of) && old.columns.len() == new.columns.len() {
            for (one, other) in old.columns.iter().zip(&new.columns).filter(|(one, other)| one.name != other.name) {
                line("columns", &[old.of.schema, &old.of.name, &one.name], &other.name);
            }
        }
    }
    text
}
