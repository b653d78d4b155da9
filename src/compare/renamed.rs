//! Finds what differs between two schemas by its name alone, and the statements that give it the other name. Pure.
//!
//! A table that is renamed keeps the names of its constraints, indexes and sequences, while a table that is created under
//! the new name gets them anew.

use postgres_protocol::escape::escape_identifier;

use crate::db::inspect::lines::{Difference, Line};

/// What differs by its name alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renamed {
    /// Each gives a thing of the later schema the name that it has in the earlier one.
    pub statements: Vec<String>,
    /// How many of the differences remain then.
    pub n_others: usize,
}

/// Reads the differences between an earlier schema and a later one.
pub fn renamed(differences: &[Difference]) -> Renamed {
    let of = |difference: &Difference| match difference {
        Difference::Disappeared { line } => (Some(line.clone()), None),
        Difference::Appeared { line } => (None, Some(line.clone())),
        Difference::Changed { .. } => (None, None),
    };
    let (gone, come): (Vec<_>, Vec<_>) = differences.iter().map(of).unzip();
    let (gone, come): (Vec<String>, Vec<String>) =
        (gone.into_iter().flatten().collect(), come.into_iter().flatten().collect());
    let gone: Vec<Line> = gone.iter().map(|line| Line::read(line)).collect();
    let come: Vec<Line> = come.iter().map(|line| Line::read(line)).collect();
    let changed: Vec<(&str, &str, &str)> = differences
        .iter()
        .filter_map(|difference| match difference {
            Difference::Changed { key, old, new } => Some((key.as_str(), old.as_str(), new.as_str())),
            Difference::Disappeared { .. } | Difference::Appeared { .. } => None,
        })
        .collect();

    let mut pairs: Vec<(&Line, &Line)> = Vec::new();
    for earlier in &gone {
        let fits = |later: &&Line| {
            is_same(earlier, later) && (earlier.kind != "sequence" || is_of_column(earlier, later, &changed))
        };
        let rivals = |one: &Line| gone.iter().filter(|other| is_same(other, one)).count();
        let mut found = come.iter().filter(fits);
        // Two that are alike could be meant in two ways, unless a column says which is which.
        if let (Some(later), None) = (found.next(), found.next())
            && (earlier.kind == "sequence" || rivals(later) == 1)
        {
            pairs.push((earlier, later));
        }
    }
    // The constraints first: the index of one takes its name along.
    pairs.sort_by_key(|(earlier, _)| (earlier.kind != "constraint", earlier.kind.to_owned(), earlier.parts.clone()));
    let of_constraint = |earlier: &Line, later: &Line| {
        earlier.kind == "index"
            && pairs.iter().any(|(constraint, other)| {
                constraint.kind == "constraint"
                    && constraint.parts.last() == earlier.parts.last()
                    && other.parts.last() == later.parts.last()
            })
    };
    let statements = pairs.iter().filter(|(earlier, later)| !of_constraint(earlier, later));
    let statements = statements.filter_map(|(earlier, later)| statement(earlier, later)).collect();
    let named = |text: &str| {
        pairs.iter().filter(|(earlier, _)| earlier.kind == "sequence").fold(
            text.to_owned(),
            |text, (earlier, later)| match (earlier.parts.last(), later.parts.last()) {
                (Some(earlier), Some(later)) => text.replace(later.as_str(), earlier),
                _ => text,
            },
        )
    };
    let explained = changed.iter().filter(|(_, old, new)| named(new) == *old).count();
    Renamed { statements, n_others: differences.len() - 2 * pairs.len() - explained }
}

/// Tells whether two things differ by their own names alone.
fn is_same(earlier: &Line, later: &Line) -> bool {
    let own = |line: &Line| {
        let name = line.parts.last().cloned().unwrap_or_default();
        // The statement that makes it says its name.
        match line.kind {
            "index" | "trigger" => {
                line.facts.replacen(&format!(" {} ", quoted(&name)), " * ", 1).replacen(&format!(" {name} "), " * ", 1)
            }
            _ => line.facts.to_owned(),
        }
    };
    let around = |line: &Line| line.parts.split_last().map(|(_, around)| around.to_vec());
    matches!(earlier.kind, "constraint" | "index" | "sequence" | "trigger" | "policy")
        && earlier.kind == later.kind
        && around(earlier) == around(later)
        && own(earlier) == own(later)
}

/// Tells whether two sequences are those of one column: its default names them, or both are named after it.
fn is_of_column(earlier: &Line, later: &Line, changed: &[(&str, &str, &str)]) -> bool {
    let (Some(before), Some(after)) = (earlier.parts.last(), later.parts.last()) else { return false };
    let by_default = changed.iter().any(|(_, old, new)| {
        let names = |text: &str, name: &str| {
            text.contains(&format!("nextval('{name}'")) || text.contains(&format!(".{name}'::regclass"))
        };
        names(old, before) && names(new, after)
    });
    let column = |name: &str| {
        name.strip_suffix("_seq").and_then(|name| name.rsplit_once('_')).map(|(_, column)| column.to_owned())
    };
    by_default || (column(before).is_some() && column(before) == column(after))
}

fn statement(earlier: &Line, later: &Line) -> Option<String> {
    let names: Vec<String> = later.parts.iter().map(|part| escape_identifier(part)).collect();
    let to = escape_identifier(earlier.parts.last()?);
    Some(match (later.kind, names.as_slice()) {
        ("constraint", [schema, table, name]) => {
            format!("ALTER TABLE {schema}.{table} RENAME CONSTRAINT {name} TO {to};")
        }
        ("trigger", [schema, table, name]) => format!("ALTER TRIGGER {name} ON {schema}.{table} RENAME TO {to};"),
        ("policy", [schema, table, name]) => format!("ALTER POLICY {name} ON {schema}.{table} RENAME TO {to};"),
        ("index", [schema, name]) => format!("ALTER INDEX {schema}.{name} RENAME TO {to};"),
        ("sequence", [schema, name]) => format!("ALTER SEQUENCE {schema}.{name} RENAME TO {to};"),
        _ => return None,
    })
}

fn quoted(name: &str) -> String {
    escape_identifier(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::inspect::lines::difference;

    #[track_caller]
    fn check(earlier: &[&str], later: &[&str], statements: &[&str], n_others: usize) {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let found = renamed(&difference(&lines(earlier), &lines(later)));
        assert_eq!(found.statements, statements);
        assert_eq!(found.n_others, n_others);
    }

    #[test]
    fn names_that_a_renamed_table_has_kept_are_told_with_the_statements_that_change_them() {
        check(
            &[
                "column|public.docs.id|integer default=nextval('docs_id_seq'::regclass)",
                "constraint|public.docs.docs_pkey|PRIMARY KEY (id)",
                "index|public.Docs at|CREATE INDEX \"Docs at\" ON public.docs USING btree (at)",
                "index|public.docs_pkey|CREATE UNIQUE INDEX docs_pkey ON public.docs USING btree (id)",
                "sequence|public.docs_id_seq|integer 1 1",
                "sequence|public.docs_nr_seq|integer 1 1",
            ],
            &[
                "column|public.docs.id|integer default=nextval('files_id_seq'::regclass)",
                "constraint|public.docs.files_pkey|PRIMARY KEY (id)",
                "index|public.files_at|CREATE INDEX files_at ON public.docs USING btree (at)",
                "index|public.files_pkey|CREATE UNIQUE INDEX files_pkey ON public.docs USING btree (id)",
                "sequence|public.files_id_seq|integer 1 1",
                "sequence|public.files_nr_seq|integer 1 1",
            ],
            &[
                "ALTER TABLE \"public\".\"docs\" RENAME CONSTRAINT \"files_pkey\" TO \"docs_pkey\";",
                "ALTER INDEX \"public\".\"files_at\" RENAME TO \"Docs at\";",
                "ALTER SEQUENCE \"public\".\"files_id_seq\" RENAME TO \"docs_id_seq\";",
                "ALTER SEQUENCE \"public\".\"files_nr_seq\" RENAME TO \"docs_nr_seq\";",
            ],
            0,
        );
    }

    #[test]
    fn what_differs_in_more_or_could_be_meant_in_two_ways_is_no_rename() {
        check(&["constraint|p.t.a|CHECK (x)"], &["constraint|p.t.b|CHECK (y)"], &[], 2);
        check(&["constraint|p.t.a|CHECK (x)"], &["constraint|p.u.b|CHECK (x)"], &[], 2);
        let (a, b, c) = ("constraint|p.t.a|UNIQUE (x)", "constraint|p.t.b|UNIQUE (x)", "constraint|p.t.c|UNIQUE (x)");
        check(&[a], &[b, c], &[], 3);
        check(&[a, b], &[c], &[], 3);
        check(&["column|p.t.a|text"], &["column|p.t.b|text"], &[], 2);
    }
}
