//! Divides what differs between two schemas into substance and names, and writes the statements that mend the names. Pure.
//!
//! A table that is renamed keeps the names of its constraints, indexes and sequences, while a table that is created under
//! the new name gets them anew. A trigger's name is substance: triggers fire in the order of their names.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use postgres_protocol::escape::escape_identifier;

use crate::db::inspect::lines::{Difference, Line};
use crate::sql::effect::Effect;
use crate::sql::{self, Dialect};

/// What differs between a schema that is made and one that is found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Division {
    /// What differs in more than a name.
    pub substance: Vec<Difference>,
    /// What is the same but for its name: its line in the schema that is made, and in the one that is found.
    pub names: Vec<[String; 2]>,
    /// In this order, they give everything that is found under another name the name that is made.
    pub statements: Vec<String>,
}

/// A line in each of two schemas, of the same thing under two names.
#[derive(Clone, Copy)]
struct Pair<'a> {
    made: &'a Line<'a>,
    found: &'a Line<'a>,
    /// The index of a constraint, whose name goes with that of the constraint.
    index: Option<[&'a Line<'a>; 2]>,
}

/// A name that is taken: what kinds of names may not be the same, and the name.
type Slot = (&'static str, Vec<String>);

/// Divides the differences between a schema that is made and one that is found.
pub fn divide(differences: &[Difference], made: &[String], found: &[String]) -> Division {
    let (gone, come) = apart(differences);
    let (gone, come) = (read(&gone), read(&come));
    let (made, found) = (read(made), read(found));
    let changed: Vec<Changed> = differences.iter().filter_map(Changed::of).collect();
    let mut pairs = alike(&gone, &come);
    pairs.extend(sequences(&gone, &come, &made, &found, &changed));
    pairs.sort_by_key(|pair| (pair.made.kind, pair.made.name));
    let taken: BTreeSet<Slot> = found.iter().filter_map(slot).collect();
    forget_taken(&mut pairs, &taken);

    let key = |line: &Line| (line.kind.to_owned(), line.name.to_owned());
    let of_pair = |pair: &Pair| {
        let index = pair.index.map(|[made, found]| (key(made), key(found)));
        [Some((key(pair.made), key(pair.found))), index]
    };
    let (made_keys, found_keys): (BTreeSet<_>, BTreeSet<_>) = pairs.iter().flat_map(of_pair).flatten().unzip();
    let mut substance: Vec<Difference> = Vec::new();
    for difference in differences {
        let is_made_elsewhere = |line: &str| made_keys.contains(&key(&Line::read(line)));
        let is_found_elsewhere = |line: &str| found_keys.contains(&key(&Line::read(line)));
        match difference {
            Difference::Disappeared { line } if is_made_elsewhere(line) => {}
            Difference::Appeared { line } if is_found_elsewhere(line) => {}
            Difference::Changed { key, old, new } => {
                let (old_line, new_line) = (format!("{key}|{old}"), format!("{key}|{new}"));
                match (is_made_elsewhere(&old_line), is_found_elsewhere(&new_line)) {
                    (true, true) => {}
                    (true, false) => substance.push(Difference::Appeared { line: new_line }),
                    (false, true) => substance.push(Difference::Disappeared { line: old_line }),
                    (false, false) if Changed::of(difference).is_some_and(|it| it.is_by(&pairs)) => {}
                    (false, false) => substance.push(difference.clone()),
                }
            }
            difference => substance.push(difference.clone()),
        }
    }
    let line = |line: &Line| format!("{}|{}|{}", line.kind, line.name, line.facts);
    let names = pairs.iter().flat_map(|pair| [Some([pair.made, pair.found]), pair.index]).flatten();
    let names = names.map(|[made, found]| [line(made), line(found)]).collect();
    let own: Vec<Pair> = pairs.iter().filter(|pair| !is_inherited(pair, &pairs, &found)).copied().collect();
    Division { substance, names, statements: statements(&own, &taken) }
}

/// Returns the table that an index is on.
pub fn indexed(line: &Line) -> Option<[String; 2]> {
    // The statement is read without the name, and as that of a table without parts.
    let statement = nameless(line).replacen(" ON ONLY ", " ON ", 1);
    let effects = sql::read(statement.trim_end_matches(" INVALID"), Dialect::Postgres).effects;
    let table = effects.into_iter().find_map(|effect| match effect {
        Effect::BuildIndex { table } | Effect::AddUnique { table } => Some(table),
        _ => None,
    })?;
    let [schema, table] = table.parts() else { return None };
    Some([schema.clone(), table.clone()])
}

/// Returns the sequence that the default of a column takes its values from, and where its name stands.
pub fn sequence_of(column: &Line) -> Option<(Vec<String>, Range<usize>)> {
    const BEGIN: &str = "nextval('";
    let begin = column.facts.find(BEGIN)? + BEGIN.len();
    let end = begin + column.facts[begin..].find("'::regclass)")?;
    let line = format!("sequence|{}|", column.facts[begin..end].replace("''", "'"));
    let mut parts = Line::read(&line).parts;
    if let ([_], Some(schema)) = (parts.as_slice(), column.schema()) {
        parts.insert(0, schema.to_owned());
    }
    Some((parts, begin..end))
}

/// Returns the name that PostgreSQL gives the sequence of a column (`makeObjectName`), which has 63 bytes at most.
pub fn sequence_name(table: &str, column: &str) -> String {
    const LONGEST: usize = 63 - "__seq".len();
    let (mut table_len, mut column_len) = (table.len(), column.len());
    while table_len + column_len > LONGEST {
        if table_len > column_len { table_len -= 1 } else { column_len -= 1 }
    }
    let clipped = |name: &str, len: usize| name[..name.floor_char_boundary(len)].to_owned();
    format!("{}_{}_seq", clipped(table, table_len), clipped(column, column_len))
}

fn read(lines: &[String]) -> Vec<Line<'_>> {
    lines.iter().map(|line| Line::read(line)).collect()
}

/// Returns the lines that one side has and the other lacks. Two things may have changed their names with each other.
fn apart(differences: &[Difference]) -> (Vec<String>, Vec<String>) {
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    for difference in differences {
        match difference {
            Difference::Disappeared { line } => gone.push(line.clone()),
            Difference::Appeared { line } => come.push(line.clone()),
            Difference::Changed { key, old, new } => {
                gone.push(format!("{key}|{old}"));
                come.push(format!("{key}|{new}"));
            }
        }
    }
    (gone, come)
}

/// A column that both schemas have, with two defaults that differ in the name of a sequence alone.
struct Changed {
    made: Vec<String>,
    found: Vec<String>,
}

impl Changed {
    fn of(difference: &Difference) -> Option<Changed> {
        let Difference::Changed { key, old, new } = difference else { return None };
        let (old, new) = (format!("{key}|{old}"), format!("{key}|{new}"));
        let (old, new) = (Line::read(&old), Line::read(&new));
        let ((made, at_made), (found, at_found)) = sequence_of(&old).zip(sequence_of(&new))?;
        let around =
            |line: &Line, at: Range<usize>| [line.facts[..at.start].to_owned(), line.facts[at.end..].to_owned()];
        (old.kind == "column" && around(&old, at_made) == around(&new, at_found)).then_some(Changed { made, found })
    }

    /// Tells whether these pairs are why it differs.
    fn is_by(&self, pairs: &[Pair]) -> bool {
        pairs.iter().any(|pair| pair.made.parts == self.made && pair.found.parts == self.found)
    }
}

/// Pairs the constraints, indexes and policies that are alike. Where several are, it does not matter which is which; but where
/// one side has more of them, nobody can tell which is the one that is missing.
fn alike<'a>(gone: &'a [Line<'a>], come: &'a [Line<'a>]) -> Vec<Pair<'a>> {
    type Class<'a> = (&'a str, &'a [String], String, Option<String>);
    type Members<'a> = Vec<(&'a Line<'a>, Option<&'a Line<'a>>)>;
    let mut classes: BTreeMap<Class<'a>, [Members<'a>; 2]> = BTreeMap::new();
    for (side, lines) in [gone, come].into_iter().enumerate() {
        let behind: Vec<(&Line, &Line)> =
            lines.iter().filter_map(|line| Some((line, index_of(line, lines)?))).collect();
        for line in lines {
            let index = behind.iter().find(|(constraint, _)| std::ptr::eq(*constraint, line)).map(|(_, index)| *index);
            let is_behind = behind.iter().any(|(_, index)| std::ptr::eq(*index, line));
            if is_behind || !matches!(line.kind, "constraint" | "index" | "policy") {
                continue;
            }
            let Some((_, around)) = line.parts.split_last() else { continue };
            let class = (line.kind, around, nameless(line), index.map(nameless));
            classes.entry(class).or_default()[side].push((line, index));
        }
    }
    let even = classes.into_values().filter(|[gone, come]| gone.len() == come.len());
    let pairs = even.flat_map(|[gone, come]| gone.into_iter().zip(come));
    let pair = |((made, made_index), (found, found_index)): ((_, Option<_>), (_, Option<_>))| Pair {
        made,
        found,
        index: made_index.zip(found_index).map(|(made, found)| [made, found]),
    };
    // What has the same name in both differs in something else.
    pairs.map(pair).filter(|pair| pair.made.name != pair.found.name).collect()
}

/// Returns the index that a constraint stands on: it has the name of the constraint.
fn index_of<'a>(constraint: &Line, lines: &'a [Line<'a>]) -> Option<&'a Line<'a>> {
    let [schema, table, name] = constraint.parts.as_slice() else { return None };
    let has_index = ["PRIMARY KEY", "UNIQUE", "EXCLUDE"].iter().any(|kind| constraint.facts.starts_with(kind));
    if constraint.kind != "constraint" || !has_index {
        return None;
    }
    let is_it = |line: &&Line| {
        line.kind == "index"
            && line.parts == [schema.clone(), name.clone()]
            && indexed(line).is_some_and(|indexed| indexed == [schema.clone(), table.clone()])
    };
    lines.iter().find(is_it)
}

/// Returns what a line says besides the name: the statement that makes an index says it too.
fn nameless(line: &Line) -> String {
    let begins = ["CREATE UNIQUE INDEX ", "CREATE INDEX "].iter().find(|begin| line.facts.starts_with(**begin));
    let rest = begins
        .filter(|_| line.kind == "index")
        .and_then(|begin| line.facts[begin.len()..].strip_prefix(line.own).map(|rest| format!("{begin}{rest}")));
    rest.unwrap_or_else(|| line.facts.to_owned())
}

/// Pairs the sequences of the same column. Their values differ, so that it matters which is which: the default of the column
/// names its sequence; that of an identity column has the name that PostgreSQL gives it, in one of the schemas.
fn sequences<'a>(
    gone: &'a [Line<'a>],
    come: &'a [Line<'a>],
    made: &[Line],
    found: &[Line],
    changed: &[Changed],
) -> Vec<Pair<'a>> {
    let in_defaults = |lines: &[Line]| -> BTreeSet<Vec<String>> {
        let columns = lines.iter().filter(|line| line.kind == "column");
        columns.filter_map(|column| Some(sequence_of(column)?.0)).collect()
    };
    let (in_made, in_found) = (in_defaults(made), in_defaults(found));
    let is_sequence = |line: &&Line| line.kind == "sequence";
    let of_name =
        |lines: &'a [Line<'a>], name: &[String]| lines.iter().filter(is_sequence).find(|line| line.parts == name);
    let by_default = changed.iter().filter_map(|it| Some((of_name(gone, &it.made)?, of_name(come, &it.found)?)));
    let mut proposals: Vec<(&Line, &Line)> = by_default.collect();

    let free = |lines: &'a [Line<'a>], named: &BTreeSet<Vec<String>>| -> Vec<&'a Line<'a>> {
        lines.iter().filter(is_sequence).filter(|line| !named.contains(&line.parts)).collect()
    };
    let (free_gone, free_come) = (free(gone, &in_made), free(come, &in_found));
    let is_identity = |line: &&Line| line.kind == "column" && line.facts.contains(" identity=");
    for column in made.iter().filter(is_identity) {
        let [schema, table, name] = column.parts.as_slice() else { continue };
        if !found.iter().filter(is_identity).any(|other| other.parts == column.parts) {
            continue;
        }
        let given = [schema.clone(), sequence_name(table, name)];
        let only = |one: &Line, others: &[&'a Line<'a>]| -> Option<&'a Line<'a>> {
            let fits: Vec<_> = others.iter().filter(|it| it.facts == one.facts && it.parts[0] == *schema).collect();
            let end = format!("_{name}_seq");
            let of_column = |it: &&&&Line| it.parts.last().is_some_and(|own| own.ends_with(&end));
            let ended: Vec<_> = fits.iter().filter(of_column).copied().collect();
            match (ended.as_slice(), fits.as_slice()) {
                ([one], _) | ([], [one]) => Some(**one),
                _ => None,
            }
        };
        let of_made = free_gone.iter().find(|it| it.parts == given).and_then(|it| Some((*it, only(it, &free_come)?)));
        let of_found =
            || free_come.iter().find(|it| it.parts == given).and_then(|it| Some((only(it, &free_gone)?, *it)));
        proposals.extend(of_made.or_else(of_found));
    }
    proposals.sort_by_key(|(made, found)| (made.name, found.name));
    proposals.dedup();
    let is_once = |(made, found): &(&Line, &Line)| {
        let others = proposals.iter().filter(|(other, another)| other.name == made.name || another.name == found.name);
        made.facts == found.facts && made.name != found.name && made.schema() == found.schema() && others.count() == 1
    };
    let once = proposals.iter().filter(|proposal| is_once(proposal));
    once.map(|(made, found)| Pair { made, found, index: None }).collect()
}

/// Returns the name that a line takes. Relations of a schema share theirs, whatever they are.
fn slot(line: &Line) -> Option<Slot> {
    match line.kind {
        "table" | "view" | "index" | "sequence" | "type" => Some(("relation", line.parts.clone())),
        "constraint" => Some(("constraint", line.parts.clone())),
        "policy" => Some(("policy", line.parts.clone())),
        _ => None,
    }
}

/// Tells whether a table has a constraint from another, whose constraint is renamed as well: PostgreSQL renames both then.
fn is_inherited(pair: &Pair, pairs: &[Pair], found: &[Line]) -> bool {
    let is_passed_on = ["CHECK ", "NOT NULL "].iter().any(|kind| pair.found.facts.starts_with(kind));
    if pair.found.kind != "constraint" || !is_passed_on || pair.found.facts.ends_with(" NO INHERIT") {
        return false;
    }
    let table = found.iter().find(|line| line.kind == "table" && line.of_table() == pair.found.of_table());
    let Some((_, parents)) = table.and_then(|table| table.facts.rsplit_once(" inherits=")) else { return false };
    let parents = format!(",{parents},");
    let is_of_parent = |other: &&Pair| {
        let table = other.found.name.strip_suffix(other.found.own).and_then(|table| table.strip_suffix('.'));
        let is_same = |one: &Line, other: &Line| one.kind == other.kind && one.own == other.own;
        is_same(other.made, pair.made)
            && is_same(other.found, pair.found)
            && table.is_some_and(|table| parents.contains(&format!(",{table},")))
    };
    pairs.iter().any(|other| is_of_parent(&other))
}

/// A renaming that is still to be written.
struct Step<'a> {
    found: &'a Line<'a>,
    from: String,
    to: String,
    sources: Vec<Slot>,
    targets: Vec<Slot>,
}

impl<'a> Step<'a> {
    fn of(pair: &Pair<'a>) -> Step<'a> {
        let slots = |side: usize| {
            let index = pair.index.map(|index| index[side]);
            [Some([pair.made, pair.found][side]), index].into_iter().flatten().filter_map(slot).collect()
        };
        let own = |line: &Line| line.parts.last().cloned().unwrap_or_default();
        Step { found: pair.found, from: own(pair.found), to: own(pair.made), sources: slots(1), targets: slots(0) }
    }
}

/// Leaves out what cannot get its name, because something else has it that keeps it.
fn forget_taken(pairs: &mut Vec<Pair>, taken: &BTreeSet<Slot>) {
    loop {
        let steps: Vec<Step> = pairs.iter().map(Step::of).collect();
        let leaves: BTreeSet<&Slot> = steps.iter().flat_map(|step| &step.sources).collect();
        let stays = |target: &Slot| taken.contains(target) && !leaves.contains(target);
        let Some(idx) = steps.iter().position(|step| step.targets.iter().any(stays)) else { return };
        pairs.remove(idx);
    }
}

/// Returns the statements in an order in which each name is free when it is given. Where names go round in a circle, one of
/// them waits under a name of its own.
fn statements(pairs: &[Pair], taken: &BTreeSet<Slot>) -> Vec<String> {
    let mut steps: Vec<Step> = pairs.iter().map(Step::of).collect();
    let mut waiting = (1..).map(|n| format!("drizzle_pilot_waits_{n}"));
    let mut statements = Vec::new();
    while !steps.is_empty() {
        let is_ready = |idx: &usize| {
            let mut others = steps.iter().enumerate().filter(|(other, _)| other != idx);
            !others.any(|(_, other)| steps[*idx].targets.iter().any(|target| other.sources.contains(target)))
        };
        let ready = (0..steps.len()).find(is_ready);
        match ready {
            Some(idx) => {
                let step = steps.remove(idx);
                statements.extend(statement(step.found, &step.from, &step.to));
            }
            None => {
                let is_free = |name: &String| !taken.iter().any(|(_, parts)| parts.last() == Some(name));
                let name = waiting.find(is_free).expect("there is always another number");
                let step = &mut steps[0];
                statements.extend(statement(step.found, &step.from, &name));
                (step.from, step.sources) = (name, Vec::new());
            }
        }
    }
    statements
}

fn statement(line: &Line, from: &str, to: &str) -> Option<String> {
    let around: Vec<String> = line.parts.iter().map(|part| escape_identifier(part)).collect();
    let (from, to) = (escape_identifier(from), escape_identifier(to));
    Some(match (line.kind, around.as_slice()) {
        ("constraint", [schema, table, _]) => {
            format!("ALTER TABLE {schema}.{table} RENAME CONSTRAINT {from} TO {to};")
        }
        ("policy", [schema, table, _]) => format!("ALTER POLICY {from} ON {schema}.{table} RENAME TO {to};"),
        ("index", [schema, _]) => format!("ALTER INDEX {schema}.{from} RENAME TO {to};"),
        ("sequence", [schema, _]) => format!("ALTER SEQUENCE {schema}.{from} RENAME TO {to};"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::inspect::lines::difference;

    #[track_caller]
    fn check(made: &[&str], found: &[&str], statements: &[&str], n_others: usize) {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let (made, found) = (lines(made), lines(found));
        let division = divide(&difference(&made, &found), &made, &found);
        assert_eq!(division.statements, statements);
        assert_eq!(division.substance.len(), n_others, "{division:#?}");
    }

    #[test]
    fn names_that_a_renamed_table_has_kept_are_told_with_the_statements_that_change_them() {
        check(
            &[
                "column|public.docs.id|integer default=nextval('docs_id_seq'::regclass)",
                "column|public.docs.nr|integer notnull identity=a",
                "constraint|public.docs.docs_pkey|PRIMARY KEY (id)",
                "index|public.\"Docs at\"|CREATE INDEX \"Docs at\" ON public.docs USING btree (at)",
                "index|public.docs_pkey|CREATE UNIQUE INDEX docs_pkey ON public.docs USING btree (id)",
                "sequence|public.docs_id_seq|integer 1 1",
                "sequence|public.docs_nr_seq|integer 1 1",
            ],
            &[
                "column|public.docs.id|integer default=nextval('files_id_seq'::regclass)",
                "column|public.docs.nr|integer notnull identity=a",
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
        check(
            &["trigger|p.t.a|CREATE TRIGGER a BEFORE INSERT ON p.t FOR EACH ROW EXECUTE FUNCTION p.f() enabled=O"],
            &["trigger|p.t.b|CREATE TRIGGER b BEFORE INSERT ON p.t FOR EACH ROW EXECUTE FUNCTION p.f() enabled=O"],
            &[],
            2,
        );
    }

    #[test]
    fn of_constraints_that_are_alike_it_does_not_matter_which_is_which() {
        let of = |[one, other]: [&str; 2]| {
            let constraint = |name: &str| format!("constraint|p.t.{name}|UNIQUE (x)");
            let index = |name: &str| format!("index|p.{name}|CREATE UNIQUE INDEX {name} ON p.t USING btree (x)");
            [constraint(one), constraint(other), index(one), index(other)]
        };
        let (made, found) = (of(["a", "b"]), of(["c", "d"]));
        let (made, found) = (made.each_ref().map(String::as_str), found.each_ref().map(String::as_str));
        let statements = [
            "ALTER TABLE \"p\".\"t\" RENAME CONSTRAINT \"c\" TO \"a\";",
            "ALTER TABLE \"p\".\"t\" RENAME CONSTRAINT \"d\" TO \"b\";",
        ];
        check(&made, &found, &statements, 0);
        // An index beside them that no constraint stands on is not one of theirs.
        let beside = |name: &str| format!("index|p.{name}|CREATE UNIQUE INDEX {name} ON p.t USING btree (x)");
        let (one, other) = (beside("e"), beside("f"));
        let (made, found) = ([&made[..], &[one.as_str()]].concat(), [&found[..], &[other.as_str()]].concat());
        check(&made, &found, &[&statements[..], &["ALTER INDEX \"p\".\"f\" RENAME TO \"e\";"]].concat(), 0);
    }

    #[test]
    fn what_a_table_has_from_another_is_renamed_with_that() {
        let lines = |check: &str, key: &str| {
            [
                format!("constraint|p.t.{check}|CHECK ((a > 1))"),
                format!("constraint|p.t.{key}|PRIMARY KEY (a)"),
                format!("constraint|p.u.{check}|CHECK ((a > 1))"),
                format!("index|p.{key}|CREATE UNIQUE INDEX {key} ON ONLY p.t USING btree (a)"),
                "table|p.t|kind=p persist=p partkey=RANGE (a)".to_owned(),
                "table|p.u|kind=r persist=p inherits=p.s,p.t".to_owned(),
            ]
        };
        let (made, found) = (lines("a", "k"), lines("b", "l"));
        let (made, found) = (made.each_ref().map(String::as_str), found.each_ref().map(String::as_str));
        let rename =
            |from: &str, to: &str| format!("ALTER TABLE \"p\".\"t\" RENAME CONSTRAINT \"{from}\" TO \"{to}\";");
        check(&made, &found, &[&rename("b", "a"), &rename("l", "k")], 0);
    }

    #[test]
    fn names_that_go_round_in_a_circle_wait_for_each_other() {
        let rename =
            |from: &str, to: &str| format!("ALTER TABLE \"p\".\"t\" RENAME CONSTRAINT \"{from}\" TO \"{to}\";");
        let swapped = [rename("b", "drizzle_pilot_waits_1"), rename("a", "b"), rename("drizzle_pilot_waits_1", "a")];
        check(
            &["constraint|p.t.a|CHECK (x)", "constraint|p.t.b|CHECK (y)"],
            &["constraint|p.t.a|CHECK (y)", "constraint|p.t.b|CHECK (x)"],
            &swapped.each_ref().map(String::as_str),
            0,
        );
        // A name that gets free only after another was given.
        let chain = [rename("b", "c"), rename("a", "b")];
        check(
            &["constraint|p.t.b|CHECK (x)", "constraint|p.t.c|CHECK (y)"],
            &["constraint|p.t.a|CHECK (x)", "constraint|p.t.b|CHECK (y)"],
            &chain.each_ref().map(String::as_str),
            0,
        );
    }

    #[test]
    fn a_name_that_something_else_keeps_is_given_to_nothing() {
        let index = |name: &str| format!("index|p.{name}|CREATE INDEX {name} ON p.t USING btree (x)");
        let (a, b) = (index("a"), index("b"));
        check(&[&a], &[&b, "table|p.a|kind=r"], &[], 3);
        // Under a name that is free it is another matter.
        check(&[&a, "table|p.c|kind=r"], &[&b], &["ALTER INDEX \"p\".\"b\" RENAME TO \"a\";"], 1);
    }

    #[test]
    fn sequences_are_those_of_one_column_or_substance() {
        let column = |sequence: &str| format!("column|p.t.id|bigint default=nextval('{sequence}'::regclass)");
        let (one, other) = (column("p.\"T_id_seq\""), column("p.o_id_seq"));
        let (seq_one, seq_other) = ("sequence|p.\"T_id_seq\"|bigint 1 1", "sequence|p.o_id_seq|bigint 1 1");
        check(
            &[&one, seq_one],
            &[&other, seq_other],
            &["ALTER SEQUENCE \"p\".\"o_id_seq\" RENAME TO \"T_id_seq\";"],
            0,
        );
        check(&[&one, seq_one], &[&other, "sequence|p.o_id_seq|bigint 5 1"], &[], 3);
        // Another default besides.
        check(&[&one, seq_one], &[&other.replace("bigint", "integer"), seq_other], &[], 3);
        // Without a column that says so, two sequences that are alike are two sequences.
        check(&[seq_one], &[seq_other], &[], 2);
        // Two identity columns whose sequences are named after other tables: nobody can tell which is which.
        let identity = |table: &str| format!("column|p.{table}.id|bigint notnull identity=a");
        let sequence = |table: &str| format!("sequence|p.{table}_id_seq|bigint 1 1");
        let tables = [identity("c"), identity("d")];
        let (made, found) = (
            [&tables[..], &[sequence("c"), sequence("d")]].concat(),
            [&tables[..], &[sequence("o"), sequence("q")]].concat(),
        );
        let (made, found): (Vec<_>, Vec<_>) =
            (made.iter().map(String::as_str).collect(), found.iter().map(String::as_str).collect());
        check(&made, &found, &[], 4);
    }

    #[test]
    fn a_long_name_is_clipped_as_the_server_clips_it() {
        let long = "a".repeat(63);
        assert_eq!(sequence_name(&long, "id"), format!("{}_id_seq", "a".repeat(56)));
        assert_eq!(sequence_name(&"ä".repeat(31), &long), format!("{}_{}_seq", "ä".repeat(14), "a".repeat(29)));
        let identity = format!("column|p.{long}.id|bigint notnull identity=d");
        let clipped = format!("sequence|p.{}|bigint 1 1", sequence_name(&long, "id"));
        let statement = format!("ALTER SEQUENCE \"p\".\"t_id_seq\" RENAME TO \"{}\";", sequence_name(&long, "id"));
        check(&[&identity, &clipped], &[&identity, "sequence|p.t_id_seq|bigint 1 1"], &[&statement], 0);
    }
}
