//! What drizzle's config leaves out of a project: several projects may share one database.

use std::collections::BTreeSet;

use semver::Version;

use crate::compare::renamed::indexed;
use crate::db::inspect::lines::{Difference, Line};
use crate::kit::config::Config;
use crate::project::config::Drizzle;

/// The filters of a config. Where it has none, nothing is left out.
pub struct Filters<'a>(Option<(&'a Config, Option<&'a Version>)>);

/// A comparison of a database with what the migrations make, within the filters.
pub struct Divided {
    pub differences: Vec<Difference>,
    /// The schemas and tables that only the database has and the config leaves out.
    pub left_out: Vec<String>,
}

impl<'a> Filters<'a> {
    /// Returns those of a project.
    pub fn of(drizzle: Option<&'a Drizzle>) -> Filters<'a> {
        Filters(drizzle.map(|drizzle| (&drizzle.config, drizzle.kit.version.as_ref())))
    }

    /// Tells whether the config says anything.
    pub fn say_something(&self) -> bool {
        self.0.is_some_and(|(config, _)| config.schema_filter.is_some() || config.tables_filter.is_some())
    }

    /// Tells whether a schema is left out.
    pub fn leave_out_schema(&self, schema: &str) -> bool {
        self.0.is_some_and(|(config, _)| {
            config.schema_filter.is_some() && !config.schemas().iter().any(|named| named == schema)
        })
    }

    /// Tells whether a table is left out by its own name.
    pub fn leave_out_table(&self, table: &str) -> bool {
        self.0.is_some_and(|(config, version)| config.leaves_out(version, table))
    }

    /// Tells whether a table is left out.
    pub fn leave_out(&self, schema: &str, table: &str) -> bool {
        self.leave_out_schema(schema) || self.leave_out_table(table)
    }

    /// Takes out of a comparison what only the database has and the config leaves out. Whatever the migrations make is compared.
    pub fn divide(&self, differences: Vec<Difference>, made: &[String], seen: &[String]) -> Divided {
        let Some((config, _)) = self.0 else { return Divided { differences, left_out: Vec::new() } };
        let made: Vec<Line> = made.iter().map(|line| Line::read(line)).collect();
        let made_schemas: BTreeSet<&str> = made.iter().filter_map(|line| line.schema()).collect();
        let is_other_schema = |schema: &str| self.leave_out_schema(schema) && !made_schemas.contains(schema);
        // Where drizzle's migrator keeps our records, others may keep theirs.
        let (records_schema, records) = config.migrations_table();
        let is_beside = |schema: &str| {
            let mut made = made.iter().filter(|line| line.kind == "table" && line.schema() == Some(schema));
            schema == records_schema
                && !config.schemas().contains(&records_schema)
                && made.all(|line| line.of_table().is_some_and(|[_, table]| table == records))
        };
        let appeared: Vec<Line> = differences
            .iter()
            .filter_map(|difference| match difference {
                Difference::Appeared { line } => Some(Line::read(line)),
                Difference::Disappeared { .. } | Difference::Changed { .. } => None,
            })
            .collect();
        let tables: BTreeSet<[&str; 2]> = appeared
            .iter()
            .filter(|line| matches!(line.kind, "table" | "view"))
            .filter_map(|line| line.of_table())
            .filter(|[schema, table]| is_other_schema(schema) || is_beside(schema) || self.leave_out_table(table))
            .collect();
        let all: Vec<Line> = seen.iter().map(|line| Line::read(line)).collect();
        let columns = || all.iter().filter(|line| line.kind == "column");
        let is_of_tables = |line: &Line| line.of_table().is_some_and(|table| tables.contains(&table));
        let is_out = |line: &Line| match line.kind {
            "extension" => false,
            _ if line.schema().is_some_and(is_other_schema) => true,
            "table" | "view" | "column" | "constraint" | "trigger" | "policy" | "rule" => is_of_tables(line),
            "index" => indexed(line).is_some_and(|[schema, table]| tables.contains(&[schema.as_str(), table.as_str()])),
            // The sequence of a column, and a type that the columns of those tables alone have.
            "sequence" | "enum" | "domain" | "type" => {
                let Some(name) = line.parts.last() else { return false };
                let uses = |column: &Line| {
                    let own = column.parts.iter().skip(1).map(String::as_str).collect::<Vec<_>>().join("_");
                    column.facts.contains(name.as_str()) || (line.kind == "sequence" && *name == format!("{own}_seq"))
                };
                let (theirs, ours): (Vec<&Line>, Vec<&Line>) =
                    columns().filter(|column| uses(column)).partition(|column| is_of_tables(column));
                !theirs.is_empty() && ours.is_empty()
            }
            _ => false,
        };
        let mut left_out = BTreeSet::new();
        let differences = differences.iter().filter(|difference| {
            let Difference::Appeared { line } = difference else { return true };
            let line = Line::read(line);
            let is_out = is_out(&line);
            if is_out {
                match line.of_table() {
                    Some([schema, table]) if matches!(line.kind, "table" | "view") => {
                        left_out.insert(format!("{schema}.{table}"));
                    }
                    _ if line.kind == "schema" => drop(left_out.insert(line.parts.join("."))),
                    _ => {}
                }
            }
            !is_out
        });
        let differences = differences.cloned().collect();
        Divided { differences, left_out: left_out.into_iter().collect() }
    }
}

/// Says what was not compared; nothing where all was.
pub fn said(left_out: &[String]) -> Option<String> {
    const MOST: usize = 10;
    let (first, more) = left_out.split_at(left_out.len().min(MOST));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    (!left_out.is_empty()).then(|| {
        format!(
            "not compared, because drizzle's config excludes it from this project (schemaFilter, tablesFilter, migrations): {}{more}",
            first.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::inspect::lines::difference;

    fn divided(config: &str, made: &[&str], seen: &[&str]) -> (Vec<String>, Vec<String>) {
        let config: Config = serde_json::from_str(config).expect("it is a config");
        let version = Version::new(0, 31, 11);
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let (made, seen) = (lines(made), lines(seen));
        let filters = Filters(Some((&config, Some(&version))));
        let Divided { differences, left_out } = filters.divide(difference(&made, &seen), &made, &seen);
        (differences.iter().map(ToString::to_string).collect(), left_out)
    }

    const THEIRS: [&str; 9] = [
        "column|public.b_users.id|integer notnull default=nextval('b_users_id_seq'::regclass)",
        "column|public.b_users.mood|b_mood",
        "constraint|public.b_users.b_users_pkey|PRIMARY KEY (id)",
        "enum|public.b_mood|'a','b'",
        "index|public.b_users_pkey|CREATE UNIQUE INDEX b_users_pkey ON public.b_users USING btree (id)",
        "sequence|public.b_users_id_seq|integer 1 1",
        "table|public.b_users|kind=r",
        "column|public.a_users.id|integer",
        "table|public.a_users|kind=r",
    ];

    #[test]
    fn what_the_filters_leave_out_is_not_compared_and_named() {
        let own = &THEIRS[7..];
        let (differences, left_out) = divided(r#"{ "tablesFilter": ["a_*"] }"#, own, &THEIRS);
        assert_eq!((differences, left_out), (vec![], vec!["public.b_users".to_owned()]));
        let (differences, _) = divided("{}", own, &THEIRS);
        assert_eq!(differences.len(), 7);

        let seen = [own, &["schema|b|", "table|b.users|kind=r", "function|b.f()|x", "function|public.f()|x"]].concat();
        let (differences, left_out) = divided(r#"{ "dialect": "postgresql", "schemaFilter": ["public"] }"#, own, &seen);
        assert_eq!(differences, ["appeared: function public.f() x"]);
        assert_eq!(left_out, ["b", "b.users"]);
    }

    #[test]
    fn what_the_migrations_make_is_compared_whatever_the_filters_say() {
        let made = ["column|b.users.id|integer", "schema|b|", "table|b.users|kind=r"];
        let seen = ["column|b.users.id|bigint", "column|b.users.more|text", "schema|b|", "table|b.users|kind=r"];
        let (differences, left_out) = divided(r#"{ "dialect": "postgresql", "schemaFilter": "public" }"#, &made, &seen);
        assert_eq!(differences, ["changed: column b.users.id integer → bigint", "appeared: column b.users.more text"]);
        assert_eq!(left_out, Vec::<String>::new());
        let (differences, _) = divided(r#"{ "tablesFilter": "a_*" }"#, &made, &[]);
        assert_eq!(differences.len(), 3);
        // The records of another project beside ours.
        let made = ["table|drizzle.__drizzle_migrations|kind=r"];
        let seen = ["table|drizzle.__drizzle_migrations|kind=r", "table|drizzle.log_b|kind=r"];
        assert_eq!(divided("{}", &made, &seen), (Vec::new(), vec!["drizzle.log_b".to_owned()]));
    }
}
