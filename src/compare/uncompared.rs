//! Finds what drizzle-kit's push does not see: it compares by names and by some of the facts, and leaves as they are the
//! conditions of row level security policies, the bodies of checks, views and generated columns, the expressions and
//! predicates of indexes, and all that drizzle's config leaves out (drizzle-kit 0.21 to 0.31, `pgPushIntrospect` and
//! `squashPgScheme` with `squashMode` `push`).

use crate::compare::renamed::{self, Division};
use crate::db::inspect::lines::{self, Difference, Line};
use crate::sql::effect::{Effect, Kind};
use crate::sql::{self, Dialect, ObjectName};

/// What drizzle's config leaves out of a project.
pub struct LeftOut<'a> {
    pub schema: &'a dyn Fn(&str) -> bool,
    pub table: &'a dyn Fn(&str) -> bool,
}

/// Returns what the schema files make and the database has otherwise or not at all, as far as no statement of a push
/// concerns it and not only its name differs.
///
/// `made` is the schema that the schema files make, and `there` that of the database, both as lines of a fingerprint. What
/// the config leaves out belongs to somebody else, and the schema files may describe only a part of it: of that, only what
/// is missing is returned.
pub fn find(made: &[String], there: &[String], statements: &[String], left_out: &LeftOut) -> Vec<Difference> {
    let Division { substance, .. } = renamed::divide(&lines::difference(made, there), made, there);
    let created: Vec<ObjectName> = statements.iter().flat_map(|sql| tables_of(sql)).collect();
    let is_told =
        |line: &Line| statements.iter().any(|sql| names(sql, line)) || created.iter().any(|table| is_part(line, table));
    let is_left_out = |line: &Line| {
        line.schema().is_some_and(left_out.schema) || line.of_table().is_some_and(|[_, table]| (left_out.table)(table))
    };
    let is_uncompared = |difference: &Difference| match difference {
        Difference::Appeared { .. } => false,
        Difference::Disappeared { line } => {
            let line = Line::read(line);
            let is_wanted = !is_left_out(&line) || matches!(line.kind, "table" | "column" | "view" | "enum");
            is_wanted && line.kind != "extension" && !is_told(&line)
        }
        Difference::Changed { key, old, new } => {
            let line = Line::read(key);
            !is_left_out(&line) && said(line.kind, old) != said(line.kind, new) && !is_told(&line)
        }
    };
    substance.into_iter().filter(is_uncompared).collect()
}

/// Returns those of the facts that schema files say.
fn said<'a>(kind: &str, facts: &'a str) -> &'a str {
    match kind {
        "extension" => "",
        // How a table is stored or divided is nothing that schema files speak of.
        "table" => facts.split(' ').find(|fact| fact.starts_with("rls=")).unwrap_or_default(),
        _ => facts,
    }
}

/// Tells whether a statement names an object as drizzle-kit writes names: between quotes, and perhaps longer than the server
/// keeps them.
fn names(sql: &str, line: &Line) -> bool {
    const MOST_BYTES: usize = 63;
    let Some(name) = line.parts.last() else { return false };
    let quoted = format!("\"{}\"", name.replace('"', "\"\""));
    let written = if name.len() < MOST_BYTES - 3 { quoted.as_str() } else { quoted.trim_end_matches('"') };
    sql.contains(written)
}

/// Returns the tables that a statement creates.
fn tables_of(sql: &str) -> Vec<ObjectName> {
    let created = |effect: Effect| match effect {
        Effect::Create { kind: Kind::Table, name, .. } => Some(name),
        _ => None,
    };
    sql::read(sql, Dialect::Postgres).effects.into_iter().filter_map(created).collect()
}

/// Tells whether an object comes with a table: by its own name, by that of the table that its definition names, or by a name
/// that the server makes of the table's.
fn is_part(line: &Line, table: &ObjectName) -> bool {
    let table = table.clipped();
    let Some(name) = table.parts().last() else { return false };
    let is_named = line.of_table().is_some_and(|[_, part]| part == name);
    let is_indexed = line.kind == "index" && line.facts.contains(name.as_str());
    is_named || is_indexed || (line.kind == "sequence" && line.parts.last().is_some_and(|own| own.starts_with(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::difference::{Differences, MadeBy};

    const MADE: [&str; 9] = [
        "column|public.t.a|integer notnull",
        "column|public.t.g|text generated=s default=lower(name)",
        "constraint|public.t.c|CHECK ((a > 0))",
        "constraint|public.t.t_pkey|PRIMARY KEY (a)",
        "index|public.i|CREATE INDEX i ON public.t USING btree (a) WHERE (a > 0)",
        "index|public.t_pkey|CREATE UNIQUE INDEX t_pkey ON public.t USING btree (a)",
        "policy|public.t.p|cmd=r permissive=t using=(a = 1)",
        "table|public.t|kind=r persist=p rls=t/f",
        "view|public.v| SELECT 1 AS n;",
    ];

    fn owned(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    /// What is found where a line of the database is another one, or, where that is empty, none.
    #[track_caller]
    fn check(changed: &[(usize, &str)], statements: &[&str], expected: &[&str]) {
        let mut there = owned(&MADE);
        for (idx, line) in changed {
            (*line).clone_into(&mut there[*idx]);
        }
        there.retain(|line| !line.is_empty());
        let left_out = LeftOut { schema: &|schema| schema == "auth", table: &|table| table == "hidden" };
        let found = find(&owned(&MADE), &there, &owned(statements), &left_out);
        assert_eq!(Differences::of(MadeBy::SchemaFiles, &found).substance(), expected);
    }

    #[test]
    fn what_differs_and_no_statement_names_is_found_with_both_definitions() {
        check(&[], &[], &[]);
        let policy = (6, "policy|public.t.p|cmd=r permissive=t");
        let told = "policy public.t.p: the database has cmd=r permissive=t, the schema files make cmd=r permissive=t using=(a = 1)";
        check(&[policy], &[], &[told]);
        check(&[policy], &["ALTER TABLE \"t\" ADD COLUMN \"b\" text;"], &[told]);
        check(&[policy], &["ALTER POLICY \"p\" ON \"t\" TO public USING (a = 1);"], &[]);
        check(
            &[(2, "constraint|public.t.c|CHECK ((a > 1))")],
            &[],
            &["constraint public.t.c: the database has CHECK ((a > 1)), the schema files make CHECK ((a > 0))"],
        );
        check(&[(7, "table|public.t|kind=p persist=p rls=t/f partkey=RANGE (a)")], &[], &[]);
        let row_security =
            "table public.t: the database has kind=r persist=p rls=f/f, the schema files make kind=r persist=p rls=t/f";
        check(&[(7, "table|public.t|kind=r persist=p rls=f/f")], &[], &[row_security]);
        check(&[(8, "")], &[], &["view public.v: missing; the schema files make SELECT 1 AS n;"]);
    }

    #[test]
    fn what_comes_with_a_table_that_is_created_is_not_told_twice() {
        let nothing: Vec<(usize, &str)> = (0..8).map(|idx| (idx, "")).collect();
        check(&nothing, &["CREATE TABLE \"t\" (\"a\" integer PRIMARY KEY NOT NULL);"], &[]);
    }

    #[test]
    fn what_has_another_name_only_is_none() {
        let renamed = [
            (3, "constraint|public.t.old_pkey|PRIMARY KEY (a)"),
            (5, "index|public.old_pkey|CREATE UNIQUE INDEX old_pkey ON public.t USING btree (a)"),
        ];
        check(&renamed, &[], &[]);
        let made = owned(&[
            "column|public.t.id|integer notnull default=nextval('public.t_id_seq'::regclass)",
            "sequence|public.t_id_seq|integer 1 1",
        ]);
        let there = owned(&[
            "column|public.t.id|integer notnull default=nextval('public.old_id_seq'::regclass)",
            "sequence|public.old_id_seq|integer 1 1",
        ]);
        let left_out = LeftOut { schema: &|_| false, table: &|_| false };
        assert_eq!(find(&made, &there, &[], &left_out), []);
    }

    #[test]
    fn of_what_the_config_leaves_out_only_what_is_missing_is_found() {
        let made = owned(&[
            "column|auth.users.id|uuid notnull",
            "constraint|auth.users.users_pkey|PRIMARY KEY (id)",
            "table|auth.users|kind=r persist=p rls=f/f",
            "table|public.hidden|kind=r persist=p rls=f/f",
        ]);
        let left_out = LeftOut { schema: &|schema| schema == "auth", table: &|table| table == "hidden" };
        let there = owned(&["column|auth.users.id|uuid notnull", "table|auth.users|kind=r persist=p rls=t/f"]);
        let found = find(&made, &there, &[], &left_out);
        let missing = Difference::Disappeared { line: made[3].clone() };
        assert_eq!(found, [missing]);
    }
}
