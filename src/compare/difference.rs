//! What differs between a schema that is made and the one in the database, as a reader wants to see it: one line for each
//! object, by table. Pure.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::compare::renamed::{self, Division, indexed};
use crate::db::inspect::lines::{Difference, Line};
use crate::sql;

/// As many objects are shown in a text; a report has all.
const MOST: usize = 20;

/// Who makes the schema that a database is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadeBy {
    Migrations,
    SchemaFiles,
}

impl MadeBy {
    /// Returns the word for it in a report.
    pub fn word(self) -> &'static str {
        match self {
            MadeBy::Migrations => "migrations",
            MadeBy::SchemaFiles => "schema_files",
        }
    }

    /// Returns it in a sentence.
    pub fn in_words(self) -> &'static str {
        match self {
            MadeBy::Migrations => "the migrations",
            MadeBy::SchemaFiles => "the schema files",
        }
    }
}

/// An object that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// `table`, `column`, `constraint` …
    pub kind: String,
    pub schema: Option<String>,
    /// The table that it is, or is part of.
    pub table: Option<String>,
    /// Its own name, without quotes: the one that is made, where it has two.
    pub name: String,
    pub how: How,
    /// The whole name, and its own, as PostgreSQL writes them.
    shown: String,
    own: String,
}

/// How an object differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// The database lacks it.
    Missing {
        expected: String,
    },
    /// Only the database has it.
    Extra {
        found: String,
    },
    Different {
        expected: String,
        found: String,
    },
    /// The database has it under another name, and it differs in nothing else.
    Named {
        found_name: String,
        expected: String,
        found: String,
    },
}

/// All that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differences {
    made_by: MadeBy,
    objects: Vec<Object>,
    statements: Vec<String>,
}

/// An object with both sides, as a table shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The table that it is part of.
    pub table: Option<String>,
    /// Its kind and its name: its own, below a table.
    pub object: String,
    pub found: Option<String>,
    pub expected: Option<String>,
}

/// What a reader sees in one line: an object, or a table with all that it has.
struct Shown<'a> {
    object: &'a Object,
    with: Vec<&'a Object>,
}

impl Differences {
    /// Takes what differs, whatever it differs in. Each is looked at from the schema that is made.
    pub fn of(made_by: MadeBy, differences: &[Difference]) -> Differences {
        Differences { made_by, objects: in_order(objects(differences)), statements: Vec::new() }
    }

    /// As [`Differences::of`], and tells what differs by its name alone.
    pub fn divided(made_by: MadeBy, differences: &[Difference], made: &[String], found: &[String]) -> Differences {
        let Division { substance, names, statements } = renamed::divide(differences, made, found);
        let mut objects = objects(&substance);
        objects.extend(names.iter().map(|[made, found]| {
            let (made, found) = (Line::read(made), Line::read(found));
            let found_name = found.parts.last().cloned().unwrap_or_default();
            let (expected, found) = (made.facts.to_owned(), found.facts.to_owned());
            Object::of(&made, How::Named { found_name, expected, found })
        }));
        Differences { made_by, objects: in_order(objects), statements }
    }

    /// Returns who makes the other schema.
    pub fn made_by(&self) -> MadeBy {
        self.made_by
    }

    /// Returns every object that differs.
    pub fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// Returns the statements that mend the names.
    pub fn statements(&self) -> &[String] {
        &self.statements
    }

    /// Tells whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Tells whether something differs in more than its name.
    pub fn has_substance(&self) -> bool {
        self.objects.iter().any(|object| !object.is_named())
    }

    /// Tells whether something differs by its name alone.
    pub fn has_names(&self) -> bool {
        self.objects.iter().any(Object::is_named)
    }

    /// Says how many they are: objects, with tables that are there or not there as a whole counted once; and names.
    pub fn counted(&self) -> String {
        let counted = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
        match (self.shown().len(), self.statements.len()) {
            (n, 0) => counted(n, "difference"),
            (0, n) => format!("{}, and nothing else", counted(n, "name")),
            (n, n_names) => format!("{} and {}", counted(n, "difference"), counted(n_names, "name")),
        }
    }

    /// Returns the kind and the name of each that differs in more than its name.
    pub fn whole_names(&self) -> Vec<String> {
        self.shown().iter().map(|shown| shown.object.whole()).collect()
    }

    /// Returns what differs in more than its name, a sentence each.
    pub fn substance(&self) -> Vec<String> {
        self.shown().iter().map(|shown| shown.sentence(&shown.object.whole(), self.made_by)).collect()
    }

    /// Returns what differs by its name alone, a sentence each.
    pub fn names(&self) -> Vec<String> {
        let names = self.objects.iter().filter(|object| object.is_named());
        // The index of a constraint goes with it, and has no statement of its own.
        let has_constraint = |object: &Object| {
            let is_it = |other: &Object| {
                other.kind == "constraint"
                    && (&other.schema, &other.table, &other.how.found_name(), &other.name)
                        == (&object.schema, &object.table, &object.how.found_name(), &object.name)
            };
            object.kind == "index" && self.objects.iter().any(is_it)
        };
        let names = names.filter(|object| !has_constraint(object));
        let shown = |object| Shown { object, with: Vec::new() }.sentence(&object.whole(), self.made_by);
        names.map(shown).collect()
    }

    /// Returns all sentences, those on names last.
    pub fn sentences(&self) -> Vec<String> {
        self.substance().into_iter().chain(self.names()).collect()
    }

    /// Returns what differs in more than its name for people: by table, and not all of a long list. `see_all` says where all of
    /// it is.
    pub fn text(&self, see_all: &str) -> String {
        let shown = self.shown();
        let mut text = String::new();
        let mut of: Option<String> = None;
        for shown in shown.iter().take(MOST) {
            let table = shown.object.table_shown();
            let is_part = table.is_some() && !shown.object.is_relation();
            if let Some(table) = table.filter(|table| is_part && of.as_ref() != Some(table)) {
                let _ = writeln!(text, "table {table}");
                of = Some(table);
            }
            let (indent, name) = if is_part { ("  ", shown.object.within()) } else { ("", shown.object.whole()) };
            let _ = writeln!(text, "{indent}{}", shown.sentence(&name, self.made_by));
        }
        if shown.len() > MOST {
            let _ = writeln!(text, "and {} more of {}: {see_all}", shown.len() - MOST, shown.len());
        }
        text
    }

    /// Returns what differs in more than its name, with both sides.
    pub fn rows(&self) -> Vec<Row> {
        let row = |shown: &Shown| {
            let object = shown.object;
            let definition = |facts: &str| {
                let with = shown.contents();
                object.definition(facts).filter(|_| with.is_empty()).unwrap_or_else(|| format!("it{with}"))
            };
            let table = object.table_shown().filter(|_| !object.is_relation());
            Row {
                object: if table.is_some() { object.within() } else { object.whole() },
                table,
                found: object.how.found().map(definition),
                expected: object.how.expected().map(definition),
            }
        };
        self.shown().iter().map(row).collect()
    }

    /// Returns [`Differences::by_name`] for people, and not all of a long list. `see_all` says where all of it is.
    pub fn by_name_text(&self, see_all: &str) -> Option<String> {
        let (mut text, _) = self.by_name()?;
        for statement in self.statements.iter().take(MOST) {
            let _ = write!(text, "\n  {statement}");
        }
        if self.statements.len() > MOST {
            let n = self.statements.len();
            let _ = write!(text, "\n  and {} more of {n}: {see_all}", n - MOST);
        }
        Some(text)
    }

    /// Says how to give things their names, where some differ in nothing else: why, and the statements.
    pub fn by_name(&self) -> Option<(String, String)> {
        if self.statements.is_empty() {
            return None;
        }
        let made_by = self.made_by.in_words();
        let why = if self.has_substance() {
            format!("some objects differ only by name; these statements give them the names that {made_by} give:")
        } else {
            format!(
                "only names differ, as after renaming a table; these statements give the names that {made_by} give:"
            )
        };
        Some((why, self.statements.join("\n")))
    }

    /// Returns what differs in more than its name as a reader sees it: in the order of the tables, and in one line what is there
    /// or not there as a whole.
    fn shown(&self) -> Vec<Shown<'_>> {
        let substance: Vec<&Object> = self.objects.iter().filter(|object| !object.is_named()).collect();
        let wholes: Vec<&Object> = substance.iter().filter(|object| object.is_whole()).copied().collect();
        let whole_of = |object: &Object| {
            let is_it = |whole: &&&Object| {
                whole.table_parts() == object.table_parts() && whole.how.direction() == object.how.direction()
            };
            wholes.iter().find(is_it).copied().filter(|whole| !std::ptr::eq(*whole, object))
        };
        let mut with: BTreeMap<Option<[&str; 2]>, Vec<&Object>> = BTreeMap::new();
        let mut shown: Vec<Shown> = Vec::new();
        for object in substance {
            match whole_of(object) {
                Some(whole) => with.entry(whole.table_parts()).or_default().push(object),
                None => shown.push(Shown { object, with: Vec::new() }),
            }
        }
        for shown in shown.iter_mut().filter(|shown| shown.object.is_whole()) {
            shown.with = with.remove(&shown.object.table_parts()).unwrap_or_default();
        }
        shown
    }
}

impl Shown<'_> {
    fn sentence(&self, name: &str, made_by: MadeBy) -> String {
        let made_by = made_by.in_words();
        let with = self.contents();
        let definition = |facts: &str| match self.object.definition(facts) {
            _ if !with.is_empty() => None,
            definition => definition,
        };
        match &self.object.how {
            How::Missing { expected } => match definition(expected) {
                Some(expected) => format!("{name}: missing; {made_by} make {expected}"),
                None => format!("{name}: missing; {made_by} make it{with}"),
            },
            How::Extra { found } => match definition(found) {
                Some(found) => format!("{name}: the database has {found}, {made_by} do not make it"),
                None => format!("{name}: the database has it{with}, {made_by} do not make it"),
            },
            How::Different { expected, found } => match (definition(found), definition(expected)) {
                (Some(found), Some(expected)) => format!("{name}: the database has {found}, {made_by} make {expected}"),
                _ => format!("{name}: the database has another definition than {made_by} make"),
            },
            How::Named { found_name, .. } => {
                format!("{name}: only the name differs: the database has the name {found_name}")
            }
        }
    }

    /// Says what a table has that is there or not there as a whole.
    fn contents(&self) -> String {
        let mut kinds: Vec<(&str, usize)> = Vec::new();
        for object in &self.with {
            match kinds.iter_mut().find(|(kind, _)| *kind == object.kind) {
                Some((_, n)) => *n += 1,
                None => kinds.push((&object.kind, 1)),
            }
        }
        let counted = |(kind, n): &(&str, usize)| match (*kind, *n) {
            (kind, 1) => format!("1 {kind}"),
            ("index", n) => format!("{n} indexes"),
            ("policy", n) => format!("{n} policies"),
            (kind, n) => format!("{n} {kind}s"),
        };
        let counted: Vec<String> = kinds.iter().map(counted).collect();
        match counted.split_last() {
            None => String::new(),
            Some((last, [])) => format!(" with {last}"),
            Some((last, others)) => format!(" with {} and {last}", others.join(", ")),
        }
    }
}

impl Object {
    fn of(line: &Line, how: How) -> Object {
        let own = line.parts.last().cloned().unwrap_or_default();
        let table = match line.kind {
            "column" | "constraint" | "trigger" | "policy" | "rule" => {
                line.of_table().map(|[_, table]| table.to_owned())
            }
            "table" | "view" => Some(own.clone()),
            "index" => indexed(line).map(|[_, table]| table),
            _ => None,
        };
        let kind = match line.kind {
            "table" => relation(line.facts),
            kind => kind,
        };
        Object {
            kind: kind.to_owned(),
            schema: line.schema().map(str::to_owned),
            table,
            name: own,
            how,
            shown: line.name.to_owned(),
            own: line.own.to_owned(),
        }
    }

    /// Returns how it is only named otherwise.
    pub fn is_named(&self) -> bool {
        matches!(self.how, How::Named { .. })
    }

    /// Returns the table that it is, or is part of, with its schema, as PostgreSQL writes it.
    pub fn table_shown(&self) -> Option<String> {
        let [schema, table] = self.table_parts()?;
        Some(sql::ObjectName::new([schema, table]).to_string())
    }

    fn table_parts(&self) -> Option<[&str; 2]> {
        Some([self.schema.as_deref()?, self.table.as_deref()?])
    }

    fn is_relation(&self) -> bool {
        matches!(self.kind.as_str(), "table" | "view" | "materialized view" | "foreign table")
    }

    /// Tells whether it is a relation that is there or not there as a whole.
    fn is_whole(&self) -> bool {
        self.is_relation() && matches!(self.how, How::Missing { .. } | How::Extra { .. })
    }

    /// Returns the kind and the whole name.
    fn whole(&self) -> String {
        format!("{} {}", self.kind, self.shown)
    }

    /// Returns the kind and the name as they are said below the table.
    fn within(&self) -> String {
        format!("{} {}", self.kind, self.own)
    }

    /// Returns what it is defined as, where that says something to a reader.
    fn definition(&self, facts: &str) -> Option<String> {
        match self.kind.as_str() {
            // The line has a digest.
            "function" => None,
            "table" | "foreign table" | "materialized view" if self.is_whole() => None,
            _ if facts.is_empty() => None,
            _ => Some(sql::one_line(facts)),
        }
    }
}

impl How {
    /// Returns the word for it in a report.
    pub fn word(&self) -> &'static str {
        match self {
            How::Missing { .. } => "missing",
            How::Extra { .. } => "extra",
            How::Different { .. } => "different",
            How::Named { .. } => "name",
        }
    }

    /// Returns the name that the database has, where that alone differs.
    pub fn found_name(&self) -> Option<&str> {
        match self {
            How::Named { found_name, .. } => Some(found_name),
            How::Missing { .. } | How::Extra { .. } | How::Different { .. } => None,
        }
    }

    /// Returns what is made.
    pub fn expected(&self) -> Option<&str> {
        match self {
            How::Missing { expected } | How::Different { expected, .. } | How::Named { expected, .. } => Some(expected),
            How::Extra { .. } => None,
        }
    }

    /// Returns what the database has.
    pub fn found(&self) -> Option<&str> {
        match self {
            How::Extra { found } | How::Different { found, .. } | How::Named { found, .. } => Some(found),
            How::Missing { .. } => None,
        }
    }

    fn direction(&self) -> &'static str {
        self.word()
    }
}

/// Returns what a relation is called.
fn relation(facts: &str) -> &'static str {
    match facts.split_whitespace().next() {
        Some("kind=v") => "view",
        Some("kind=m") => "materialized view",
        Some("kind=f") => "foreign table",
        _ => "table",
    }
}

/// Sorts objects: what is no part of a table first, a table before its parts, and last what differs by its name alone.
fn in_order(mut objects: Vec<Object>) -> Vec<Object> {
    let key = |object: &Object| {
        let table = object.table_parts().map(|parts| parts.map(str::to_owned));
        (object.is_named(), table, !object.is_relation())
    };
    objects.sort_by_cached_key(key);
    objects
}

/// Takes each line for an object. The sequence of a column belongs to the column's table.
fn objects(differences: &[Difference]) -> Vec<Object> {
    let lines: Vec<(String, How)> = differences.iter().map(taken).collect();
    let read: Vec<(Line, &How)> = lines.iter().map(|(line, how)| (Line::read(line), how)).collect();
    // A view is told by its definition.
    let is_defined = |line: &Line| read.iter().any(|(other, _)| other.kind == "view" && other.parts == line.parts);
    let is_there = |how: &How| !matches!(how, How::Different { .. });
    let told = read.iter().filter(|(line, how)| !(line.kind == "table" && is_there(how) && is_defined(line)));
    let mut objects: Vec<Object> = told.map(|(line, how)| Object::of(line, (*how).clone())).collect();
    let columns = || read.iter().filter(|(line, _)| line.kind == "column");
    for object in objects.iter_mut().filter(|object| object.kind == "sequence") {
        let feeds = |column: &Line| {
            let named = renamed::sequence_of(column).map(|(parts, _)| parts.join("."));
            let [table, own] = [1, 2].map(|idx| column.parts.get(idx).map(String::as_str).unwrap_or_default());
            let is_given = column.facts.contains(" identity=") && renamed::sequence_name(table, own) == object.name;
            let whole = object.schema.iter().chain([&object.name]).cloned().collect::<Vec<_>>().join(".");
            column.schema() == object.schema.as_deref() && (named == Some(whole) || is_given)
        };
        let column = columns().find(|(column, how)| how.direction() == object.how.direction() && feeds(column));
        object.table = column.and_then(|(column, _)| column.of_table().map(|[_, table]| table.to_owned()));
    }
    objects
}

fn taken(difference: &Difference) -> (String, How) {
    let facts = |line: &str| Line::read(line).facts.to_owned();
    match difference {
        Difference::Disappeared { line } => (line.clone(), How::Missing { expected: facts(line) }),
        Difference::Appeared { line } => (line.clone(), How::Extra { found: facts(line) }),
        Difference::Changed { key, old, new } => {
            (format!("{key}|{old}"), How::Different { expected: old.clone(), found: new.clone() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::inspect::lines::difference;

    fn differences(made_by: MadeBy, made: &[&str], found: &[&str]) -> Differences {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let (made, found) = (lines(made), lines(found));
        Differences::divided(made_by, &difference(&made, &found), &made, &found)
    }

    #[track_caller]
    fn check(made: &[&str], found: &[&str], text: &str) {
        let differences = differences(MadeBy::Migrations, made, found);
        assert_eq!(differences.text("the report has all"), text, "{differences:#?}");
    }

    #[test]
    fn each_object_is_a_line_below_its_table() {
        check(
            &[
                "column|public.users.age|integer",
                "column|public.users.name|text",
                "enum|public.mood|'a','b'",
                "index|public.by_name|CREATE INDEX by_name ON public.users USING btree (name)",
                "schema|old|",
                "table|public.users|kind=r persist=p rls=f/f",
            ],
            &[
                "column|public.users.\"Nick\"|text",
                "column|public.users.age|bigint notnull",
                "enum|public.mood|'a'",
                "function|public.f(integer)|0f",
                "table|public.users|kind=r persist=p rls=t/f",
                "trigger|public.posts.t|CREATE TRIGGER t BEFORE INSERT ON public.posts\n EXECUTE FUNCTION f() enabled=O",
            ],
            "\
enum public.mood: the database has 'a', the migrations make 'a','b'
function public.f(integer): the database has it, the migrations do not make it
schema old: missing; the migrations make it
table public.posts
  trigger t: the database has CREATE TRIGGER t BEFORE INSERT ON public.posts EXECUTE FUNCTION f() enabled=O, the migrations do not make it
table public.users: the database has kind=r persist=p rls=t/f, the migrations make kind=r persist=p rls=f/f
table public.users
  column \"Nick\": the database has text, the migrations do not make it
  column age: the database has bigint notnull, the migrations make integer
  column name: missing; the migrations make text
  index by_name: missing; the migrations make CREATE INDEX by_name ON public.users USING btree (name)
",
        );
        check(
            &["function|public.f()|0f", "schema|a|"],
            &["function|public.f()|1f", "schema|a|"],
            "function public.f(): the database has another definition than the migrations make\n",
        );
        check(&["schema|a|"], &["schema|a|"], "");
    }

    #[test]
    fn a_table_that_is_there_or_not_as_a_whole_is_one_line() {
        let users = [
            "column|public.users.id|integer notnull default=nextval('public.users_id_seq'::regclass)",
            "column|public.users.nr|integer notnull identity=a",
            "constraint|public.users.users_pkey|PRIMARY KEY (id)",
            "index|public.users_pkey|CREATE UNIQUE INDEX users_pkey ON public.users USING btree (id)",
            "policy|public.users.own|cmd=r",
            "policy|public.users.own2|cmd=r",
            "sequence|public.users_id_seq|integer 1 1",
            "sequence|public.users_nr_seq|integer 1 1",
            "sequence|public.free|integer 1 1",
            "table|public.users|kind=r persist=p",
        ];
        let with = "with 2 columns, 1 constraint, 1 index, 2 policies and 2 sequences";
        let free = "sequence public.free: missing; the migrations make integer 1 1\n";
        check(&users, &[], &format!("{free}table public.users: missing; the migrations make it {with}\n"));
        check(
            &[],
            &users[..],
            &format!(
                "sequence public.free: the database has integer 1 1, the migrations do not make it\ntable public.users: the database has it {with}, the migrations do not make it\n"
            ),
        );
        check(
            &["table|public.v|kind=v persist=p", "view|public.v| SELECT 1;"],
            &[
                "table|public.m|kind=m persist=p",
                "view|public.m| SELECT\n 2;",
                "index|public.i|CREATE INDEX i ON public.m USING btree (a)",
            ],
            "view public.m: the database has it with 1 index, the migrations do not make it\nview public.v: missing; the migrations make SELECT 1;\n",
        );
        let all = differences(MadeBy::Migrations, &users, &[]);
        assert_eq!((all.objects().len(), all.counted().as_str()), (10, "2 differences"));
    }

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        let made: Vec<String> = (0..25).map(|n| format!("column|public.users.c{n:02}|text")).collect();
        let made: Vec<&str> = made.iter().map(String::as_str).collect();
        let differences = differences(MadeBy::SchemaFiles, &made, &[]);
        let text = differences.text("--format json has all");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 22, "{text}");
        assert_eq!(lines[20], "  column c19: missing; the schema files make text");
        assert_eq!(lines[21], "and 5 more of 25: --format json has all");
        assert_eq!(differences.substance().len(), 25);
        assert_eq!(differences.substance()[24], "column public.users.c24: missing; the schema files make text");
    }

    #[test]
    fn names_are_told_apart_from_substance() {
        let made = [
            "column|public.c.a|text",
            "constraint|public.c.c_pkey|PRIMARY KEY (id)",
            "index|public.c_pkey|CREATE UNIQUE INDEX c_pkey ON public.c USING btree (id)",
        ];
        let found = [
            "constraint|public.c.d_pkey|PRIMARY KEY (id)",
            "index|public.d_pkey|CREATE UNIQUE INDEX d_pkey ON public.c USING btree (id)",
        ];
        let all = differences(MadeBy::Migrations, &made, &found);
        assert!(all.has_substance() && all.has_names());
        assert_eq!(all.counted(), "1 difference and 1 name");
        assert_eq!(all.text(""), "table public.c\n  column a: missing; the migrations make text\n");
        assert_eq!(
            all.names(),
            ["constraint public.c.c_pkey: only the name differs: the database has the name d_pkey"]
        );
        let named = all.objects().iter().filter(|object| object.is_named());
        let definitions: Vec<Option<&str>> = named.map(|object| object.how.found()).collect();
        let index = "CREATE UNIQUE INDEX d_pkey ON public.c USING btree (id)";
        assert_eq!(definitions, [Some("PRIMARY KEY (id)"), Some(index)]);
        let names = differences(MadeBy::Migrations, &made[1..], &found);
        assert!(!names.has_substance());
        assert_eq!(names.counted(), "1 name, and nothing else");
        let (why, statements) = names.by_name().expect("a name differs");
        assert!(why.starts_with("only names differ, as after renaming a table"), "{why}");
        assert_eq!(statements, "ALTER TABLE \"public\".\"c\" RENAME CONSTRAINT \"d_pkey\" TO \"c_pkey\";");
        // Compared as a whole, a name is a difference as any other.
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let whole = Differences::of(MadeBy::SchemaFiles, &difference(&lines(&made[1..]), &lines(&found)));
        assert_eq!((whole.has_names(), whole.objects().len()), (false, 4));
    }
}
