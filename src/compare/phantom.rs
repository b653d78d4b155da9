//! Finds the statements of a plan that change nothing: drizzle-kit repeats them at every push, although the database has what
//! they define exactly as the schema files make it.

use std::collections::{BTreeMap, BTreeSet};

use crate::db::inspect::lines::Line;
use crate::sql::effect::{Effect, Kind};
use crate::sql::{self, Dialect, ObjectName, Subject};

/// Why a statement is a phantom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phantom {
    /// In words.
    pub reason: String,
    /// The lines of the fingerprint that are the same in both schemas.
    pub lines: Vec<String>,
}

/// A schema, by the kind and the name of each thing in it.
struct Schema<'a>(BTreeMap<(&'a str, Vec<String>), &'a String>);

impl<'a> Schema<'a> {
    fn of(lines: &'a [String]) -> Schema<'a> {
        let keyed = lines.iter().map(|line| {
            let Line { kind, parts, .. } = Line::read(line);
            ((kind, parts), line)
        });
        Schema(keyed.collect())
    }

    /// Returns the names of the indexes that are called so, in whatever schema.
    fn indexes(&self, name: &str) -> impl Iterator<Item = ObjectName> {
        let keys = self
            .0
            .keys()
            .filter(move |(kind, parts)| *kind == "index" && parts.last().is_some_and(|last| last == name));
        keys.map(|(_, parts)| ObjectName::new(parts.clone()))
    }

    /// Returns the line on a thing.
    fn line(&self, kind: &'static str, name: &ObjectName) -> Option<&'a String> {
        self.0.get(&(kind, name.clipped().parts().to_vec())).copied()
    }
}

/// Says in words how many statements are phantoms.
pub fn counted(n: usize) -> String {
    match n {
        1 => "drizzle-kit repeats 1 statement that changes nothing".to_owned(),
        n => format!("drizzle-kit repeats {n} statements that change nothing"),
    }
}

/// Tells whether one of the statements defines only things that a schema has, so that it may be a phantom there.
pub fn may_be_among(statements: &[String], there: &[String]) -> bool {
    let there = Schema::of(there);
    let is_there = |(kind, name, must_be): &Thing| !must_be || there.line(kind, name).is_some();
    let mut subjects = statements.iter().filter_map(|sql| sql::subjects(sql));
    subjects.any(|subjects| {
        let things: Vec<_> = subjects.iter().flat_map(|subject| things(subject, &[&there])).collect();
        !things.is_empty() && things.iter().all(is_there)
    })
}

/// Returns for each statement of a plan why it is a phantom; nothing for one that is not proven to be. Of statements that
/// belong together, as dropping and adding the same constraint do, all are phantoms or none is.
///
/// `made` is the schema that the schema files make, and `there` that of the database, both as lines of a fingerprint.
pub fn find(statements: &[String], made: &[String], there: &[String]) -> Vec<Option<Phantom>> {
    let (made, there) = (Schema::of(made), Schema::of(there));
    let emptied: BTreeSet<ObjectName> = statements.iter().flat_map(|sql| rows_of(sql)).collect();
    let defined: Vec<Option<Vec<Subject>>> = statements.iter().map(|sql| sql::subjects(sql)).collect();
    let mut reasons: Vec<Option<Phantom>> =
        defined.iter().map(|defined| same(defined.as_deref()?, &made, &there)).collect();
    let of_statement = |(defined, sql): (Option<Vec<Subject>>, &String)| defined.unwrap_or_else(|| types_of(sql));
    let subjects: Vec<Vec<Subject>> = defined.into_iter().zip(statements).map(of_statement).collect();
    for (reason, subjects) in reasons.iter_mut().zip(&subjects) {
        // Whether rows were touched for its sake, nobody can tell.
        if subjects.iter().any(|subject| table(subject).is_some_and(|table| emptied.contains(&table))) {
            *reason = None;
        }
    }
    // One that is none takes those with it that belong to it, until nothing changes any more.
    loop {
        let belongs = |one: usize, other: usize| together(&subjects[one], &subjects[other], &made, &there);
        let is_real = |idx: &usize| reasons[*idx].is_none() && !subjects[*idx].is_empty();
        let real: Vec<usize> = (0..statements.len()).filter(is_real).collect();
        let taken = |idx: &usize| reasons[*idx].is_some() && real.iter().any(|real| belongs(*idx, *real));
        let taken: Vec<usize> = (0..statements.len()).filter(taken).collect();
        if taken.is_empty() {
            return reasons;
        }
        for idx in taken {
            reasons[idx] = None;
        }
    }
}

/// Says that all of these are the same in both schemas, if they are.
fn same(subjects: &[Subject], made: &Schema, there: &Schema) -> Option<Phantom> {
    let things: Vec<_> = subjects.iter().flat_map(|subject| things(subject, &[made, there])).collect();
    let mut lines = Vec::new();
    for (kind, name, must_be) in &things {
        match (made.line(kind, name), there.line(kind, name)) {
            (Some(made), Some(there)) if made == there => lines.push(there.clone()),
            (None, None) if !must_be => {}
            _ => return None,
        }
    }
    for subject in subjects {
        if let Subject::Identity(column) = subject
            && !has_sequences(column, made, there)
        {
            return None;
        }
    }
    let Line { kind, facts, .. } = Line::read(lines.first()?);
    let (_, name, _) = things.first()?;
    let reason = format!("the database has {kind} {} as the schema files make it: {facts}", name.clipped());
    Some(Phantom { reason: reason.trim_end().to_owned(), lines })
}

/// What has a line in a fingerprint: kind, name, and whether there must be one.
type Thing = (&'static str, ObjectName, bool);

/// Returns what a subject is in fingerprints.
fn things(subject: &Subject, schemas: &[&Schema]) -> Vec<Thing> {
    match subject {
        Subject::Column(name) | Subject::Identity(name) => vec![("column", name.clone(), true)],
        Subject::Constraint(name) => {
            let table = name.parent();
            let index = table.and_then(|table| Some(table.parent()?.child(name.last())));
            let index = index.map(|index| ("index", index, false));
            [("constraint", name.clone(), true)].into_iter().chain(index).collect()
        }
        Subject::Index(name) => vec![("index", name.clone(), true)],
        Subject::AnyIndex(name) => {
            let names: BTreeSet<ObjectName> =
                schemas.iter().flat_map(|schema| schema.indexes(name.clipped().last()).collect::<Vec<_>>()).collect();
            names.into_iter().map(|name| ("index", name, true)).collect()
        }
        Subject::Policy(name) => vec![("policy", name.clone(), true)],
        Subject::RowSecurity(name) => vec![("table", name.clone(), true)],
        Subject::View(name) => vec![("view", name.clone(), true), ("table", name.clone(), true)],
        Subject::Sequence(name) => vec![("sequence", name.clone(), true)],
        Subject::Type(name) => vec![("enum", name.clone(), true)],
    }
}

/// Tells whether all sequences that the schema files make in the schema of a column are there, just so. A fingerprint does not
/// say which of them is that of the column.
fn has_sequences(column: &ObjectName, made: &Schema, there: &Schema) -> bool {
    let schema = &column.parts()[0];
    let of_schema = made.0.iter().filter(|((kind, parts), _)| *kind == "sequence" && parts.first() == Some(schema));
    of_schema.into_iter().all(|(key, facts)| there.0.get(key) == Some(facts))
}

/// Returns the table that a subject is a part of, where its rows could matter.
fn table(subject: &Subject) -> Option<ObjectName> {
    match subject {
        Subject::Column(name) | Subject::Identity(name) | Subject::Constraint(name) => name.parent(),
        Subject::Index(_)
        | Subject::AnyIndex(_)
        | Subject::Policy(_)
        | Subject::RowSecurity(_)
        | Subject::View(_)
        | Subject::Sequence(_)
        | Subject::Type(_) => None,
    }
}

/// Returns the tables whose rows a statement touches.
fn rows_of(sql: &str) -> Vec<ObjectName> {
    let effects = sql::read(sql, Dialect::Postgres).effects;
    let table = |effect: Effect| match effect {
        Effect::Truncate { table, .. } | Effect::DeleteRows { table } | Effect::InsertRows { table, .. } => Some(table),
        _ => None,
    };
    effects.into_iter().filter_map(table).collect()
}

/// Returns the types that a statement concerns which does more than to define them.
fn types_of(sql: &str) -> Vec<Subject> {
    let effects = sql::read(sql, Dialect::Postgres).effects;
    let name = |effect: &Effect| match effect {
        Effect::Create { kind: Kind::Type, name, .. } | Effect::Drop { kind: Kind::Type, name, .. } => {
            Some(name.clone())
        }
        Effect::Rename { kind: Kind::Type, from, .. } => Some(from.clone()),
        Effect::RenameValue { of } => Some(of.clone()),
        _ => None,
    };
    effects.iter().filter_map(name).map(Subject::Type).collect()
}

/// Tells whether two statements belong together: they define the same thing, indexes of one name, or a column and its type.
fn together(one: &[Subject], other: &[Subject], made: &Schema, there: &Schema) -> bool {
    let is_of = |subject: &Subject, of: &Subject| {
        let (column, name) = match (subject, of) {
            (Subject::Column(column), Subject::Type(name)) => (column, name),
            (Subject::Index(index), Subject::AnyIndex(name)) => return index.clipped().last() == name.clipped().last(),
            _ => return false,
        };
        let facts = [made, there].into_iter().filter_map(|schema| schema.line("column", column));
        // A name that stands in the facts for another reason only makes one phantom less.
        facts.into_iter().any(|facts| facts.contains(name.clipped().last()))
    };
    one.iter().any(|one| other.iter().any(|other| one == other || is_of(one, other) || is_of(other, one)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const THERE: [&str; 12] = [
        "column|public.t.a|integer notnull default=1",
        "column|public.t.m|shop.mood",
        "column|public.t.n|integer notnull identity=a",
        "constraint|public.t.u|UNIQUE NULLS NOT DISTINCT (a)",
        "enum|shop.mood|'sad','ok'",
        "index|public.i|CREATE INDEX i ON public.t USING btree (lower(a))",
        "index|public.u|CREATE UNIQUE INDEX u ON public.t USING btree (a) NULLS NOT DISTINCT",
        "policy|public.t.p|cmd=r permissive=t",
        "sequence|public.t_n_seq|integer 1 1 1 2147483647 5 f",
        "table|public.t|kind=r persist=p rls=t/f",
        "table|public.v|kind=v persist=p rls=f/f",
        "view|public.v| SELECT 1 AS n;",
    ];

    /// Which of the statements are phantoms, where these lines are different in the database.
    #[track_caller]
    fn check(statements: &[&str], differs: &[(&str, &str)], expected: &[bool]) {
        let made: Vec<String> = THERE.iter().map(|line| (*line).to_owned()).collect();
        let mut there = made.clone();
        for (old, new) in differs {
            let line = there.iter_mut().find(|line| line.as_str() == *old).expect("the line is there");
            (*new).clone_into(line);
        }
        let statements: Vec<String> = statements.iter().map(|sql| (*sql).to_owned()).collect();
        let found: Vec<bool> = find(&statements, &made, &there).iter().map(Option::is_some).collect();
        assert_eq!(found, expected, "{statements:?}");
    }

    #[test]
    fn what_is_there_as_the_schema_files_make_it_is_a_phantom() {
        let all = [
            "ALTER TABLE \"t\" ALTER COLUMN \"a\" SET DEFAULT 1;",
            "ALTER TABLE \"t\" DROP CONSTRAINT \"u\";",
            "ALTER TABLE \"t\" ADD CONSTRAINT \"u\" UNIQUE NULLS NOT DISTINCT(\"a\");",
            "DROP INDEX \"i\";",
            "CREATE INDEX \"i\" ON \"t\" USING btree (lower(\"a\"));",
            "DROP POLICY \"p\" ON \"t\" CASCADE;",
            "ALTER TABLE \"t\" ENABLE ROW LEVEL SECURITY;",
            "DROP VIEW \"public\".\"v\";",
            "ALTER TABLE \"t\" ALTER COLUMN \"n\" SET CACHE 5;",
            "ALTER TABLE \"t\" ALTER COLUMN \"m\" SET DATA TYPE \"shop\".\"mood\";",
        ];
        check(&all, &[], &[true; 10]);
    }

    #[test]
    fn what_differs_in_anything_is_none() {
        let check = |sql: &str, old: &str, new: &str| check(&[sql], &[(old, new)], &[false]);
        check("ALTER TABLE \"t\" ALTER COLUMN \"a\" SET DEFAULT 1;", THERE[0], "column|public.t.a|integer notnull");
        check("ALTER TABLE \"t\" DROP CONSTRAINT \"u\";", THERE[3], "constraint|public.t.u|UNIQUE (a)");
        check("ALTER TABLE \"t\" DROP CONSTRAINT \"u\";", THERE[6], "index|public.u|CREATE UNIQUE INDEX u INVALID");
        check("DROP INDEX \"i\";", THERE[5], "index|public.i|CREATE INDEX i ON public.t USING btree (lower(a) DESC)");
        check("DROP VIEW \"v\";", THERE[11], "view|public.v| SELECT 2 AS n;");
        check("DROP VIEW \"v\";", THERE[10], "table|public.v|kind=m persist=p rls=f/f");
        check("DROP POLICY \"p\" ON \"t\" CASCADE;", THERE[7], "policy|public.t.p|cmd=r permissive=f");
        check("ALTER TABLE \"t\" DISABLE ROW LEVEL SECURITY;", THERE[9], "table|public.t|kind=r persist=p rls=f/f");
        let cache = "ALTER TABLE \"t\" ALTER COLUMN \"n\" SET CACHE 5;";
        check(cache, THERE[8], "sequence|public.t_n_seq|integer 1 1 1 2147483647 1 f");
        check(cache, THERE[8], "sequence|public.other_seq|integer 1 1 1 2147483647 5 f");
    }

    #[test]
    fn what_touches_rows_is_none_nor_what_they_may_be_touched_for() {
        let change = "ALTER TABLE \"t\" ALTER COLUMN \"a\" SET DATA TYPE integer;";
        check(&["truncate table \"t\" cascade;", change], &[], &[false, false]);
        check(&["DELETE FROM \"t\";", change], &[], &[false, false]);
        check(&["truncate table \"other\" cascade;", change], &[], &[false, true]);
        check(&["REFRESH MATERIALIZED VIEW \"v\";"], &[], &[false]);
        check(&["ALTER TABLE \"t\" DROP COLUMN \"a\";"], &[], &[false]);
        check(&["SELECT setval('t_n_seq', 1);"], &[], &[false]);
    }

    /// A column is text for a moment, so that its enum can be made anew: its own type is the same before and after.
    #[test]
    fn what_belongs_to_a_real_change_is_none() {
        let statements = [
            "ALTER TABLE \"t\" ALTER COLUMN \"m\" SET DATA TYPE text;",
            "DROP TYPE \"shop\".\"mood\";",
            "CREATE TYPE \"shop\".\"mood\" AS ENUM('sad', 'ok');",
            "ALTER TABLE \"t\" ALTER COLUMN \"m\" SET DATA TYPE \"shop\".\"mood\" USING \"m\"::\"shop\".\"mood\";",
            "ALTER TABLE \"t\" ALTER COLUMN \"a\" SET DEFAULT 1;",
        ];
        check(&statements, &[], &[true; 5]);
        check(&statements, &[(THERE[4], "enum|shop.mood|'sad'")], &[false, false, false, false, true]);
        let cascade =
            ["ALTER TABLE \"t\" ALTER COLUMN \"m\" SET DATA TYPE text;", "DROP TYPE \"shop\".\"mood\" CASCADE;"];
        check(&cascade, &[], &[false, false]);
    }

    /// drizzle-kit 0.21 to 0.28 leaves the schema out where it drops an index.
    #[test]
    fn an_index_that_is_dropped_if_there_is_one_is_the_same_in_every_schema() {
        const SHOP: &str = "index|shop.i|CREATE INDEX i ON shop.t USING btree (b, a)";
        let found = |made: &[&str], there: &[&str]| {
            let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
            let statements =
                ["DROP INDEX IF EXISTS \"i\";", "CREATE INDEX IF NOT EXISTS \"i\" ON \"shop\".\"t\" (\"b\",\"a\");"];
            let found = find(&statements.map(str::to_owned), &lines(made), &lines(there));
            found.iter().map(Option::is_some).collect::<Vec<_>>()
        };
        assert_eq!(found(&[SHOP], &[SHOP]), [true, true]);
        assert_eq!(found(&[SHOP, THERE[5]], &[SHOP, THERE[5]]), [true, true]);
        assert_eq!(found(&[SHOP], &[SHOP, THERE[5]]), [false, false]);
        assert_eq!(found(&[SHOP, THERE[5]], &[SHOP]), [false, false]);
        let other = "index|shop.i|CREATE INDEX i ON shop.t USING btree (b)";
        assert_eq!(found(&[SHOP], &[other]), [false, false]);
        assert_eq!(found(&[], &[]), [false, false]);
        assert!(!may_be_among(&["DROP INDEX IF EXISTS \"i\";".to_owned()], &[]));
        assert!(may_be_among(&["DROP INDEX IF EXISTS \"i\";".to_owned()], &[SHOP.to_owned()]));
    }

    #[test]
    fn a_name_is_clipped_as_the_server_clips_it() {
        let long = "n".repeat(70);
        let line = format!("constraint|public.t.{}|UNIQUE (a)", "n".repeat(63));
        let statements = [format!("ALTER TABLE \"t\" DROP CONSTRAINT \"{long}\";")];
        assert!(find(&statements, std::slice::from_ref(&line), std::slice::from_ref(&line))[0].is_some());
        assert!(may_be_among(&statements, &[line]));
        assert!(!may_be_among(&statements, &[]));
    }
}
