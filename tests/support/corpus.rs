//! Migrations folders in the shape of real ones, with a label at every place where a rule must find something, or must not.
//!
//! The labels come from how a pattern was written (`fixtures/corpus/patterns`, `+rule` and `-rule` before a line), and from what
//! was done to a folder here. Nothing in this file asks the program.
//!
//! A file of patterns has paragraphs: each is a statement. `---` begins the next migration. `{t}` and other letters stand
//! for names, which are written in several ways: `{t!}` without a schema, `{t?}` without quotes as well, `{t+_pkey}` with
//! more behind it, or before it where that begins with `__`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::random::Random;

/// Some time after everything that is made here.
pub(crate) const NOW: i64 = 1_900_000_000_000;
const ORIGIN: &str = "00000000-0000-0000-0000-000000000000";
/// The rules are about the journal and what lies beside it.
const JOURNAL: &str = "meta/_journal.json";
const DIALECTS: [&str; 4] = ["postgresql", "sqlite", "turso", "mysql"];

/// A folder, and what is to be found in it.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) name: String,
    /// By their paths in the folder.
    pub(crate) files: BTreeMap<String, String>,
    /// Folders of drizzle-kit 1.0 beside the journal.
    pub(crate) newer: Vec<String>,
    pub(crate) labels: Vec<Label>,
}

/// Whether a rule finds something at a place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Label {
    pub(crate) file: String,
    /// 0: anywhere in the file.
    pub(crate) line: usize,
    pub(crate) rule: String,
    pub(crate) is_found: bool,
}

/// A few migrations that belong together.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    pub(crate) title: String,
    pub(crate) dialect: String,
    /// What stands in brackets behind the title: `alone`, `fails 55P04`, …
    flags: Vec<String>,
    /// The paragraphs of each migration.
    migrations: Vec<Vec<String>>,
}

impl Pattern {
    pub(crate) fn is(&self, flag: &str) -> bool {
        self.flags.iter().any(|found| found == flag)
    }

    /// Returns what follows a flag: the SQLSTATE of `fails`, empty where it is not said.
    pub(crate) fn value(&self, flag: &str) -> Option<&str> {
        let found = self.flags.iter().find(|found| found.split(' ').next() == Some(flag))?;
        Some(found.split_once(' ').map_or("", |(_, value)| value))
    }

    /// Returns the statements of the pattern as they are, without their labels.
    pub(crate) fn statements(&self, random: &mut Random) -> Vec<String> {
        let mut names = Names::new(&self.dialect, random.below(1 << 30));
        let mut statements = Vec::new();
        for paragraph in self.migrations.iter().flatten() {
            let lines = paragraph.lines().filter(|line| labels_in(line).is_none());
            let text = lines.collect::<Vec<_>>().join("\n");
            statements.push(names.fill(&text, random));
        }
        statements
    }
}

/// Reads every pattern.
pub(crate) fn patterns() -> Vec<Pattern> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus/patterns");
    let mut patterns = Vec::new();
    for dialect in DIALECTS {
        let mut files: Vec<_> = std::fs::read_dir(root.join(dialect))
            .expect("the corpus is part of the repository")
            .map(|entry| entry.expect("the folder can be read").path())
            .collect();
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file).expect("a pattern is text");
            patterns.extend(text.split("## ").skip(1).map(|text| pattern(dialect, text)));
        }
    }
    patterns
}

fn pattern(dialect: &str, text: &str) -> Pattern {
    let (head, body) = text.split_once('\n').expect("a pattern has a title");
    let (title, flags) = head.split_once(" [").unwrap_or((head, ""));
    let flags = flags.trim_end_matches(']').split("] [").filter(|flag| !flag.is_empty()).map(str::to_owned).collect();
    let paragraphs =
        |part: &str| part.trim_matches('\n').split("\n\n").map(|text| text.trim_matches('\n').to_owned()).collect();
    let migrations = body.split("\n---\n").map(paragraphs).collect();
    Pattern { title: title.to_owned(), dialect: dialect.to_owned(), flags, migrations }
}

/// Returns the labels of a line that has nothing else: `+drop-table -rename-table`.
fn labels_in(line: &str) -> Option<Vec<(String, bool)>> {
    let words: Vec<&str> = line.split(' ').collect();
    let is_label = |word: &&str| {
        let rule = word.strip_prefix(['+', '-']).unwrap_or_default();
        rule.starts_with(|c: char| c.is_ascii_lowercase()) && rule.chars().all(|c| c.is_ascii_lowercase() || c == '-')
    };
    let all = !words.is_empty() && words.iter().all(is_label);
    all.then(|| words.iter().map(|word| (word[1..].to_owned(), word.starts_with('+'))).collect())
}

/// The names that the letters of a pattern stand for.
struct Names {
    quote: char,
    number: u64,
    has_schemas: bool,
}

const WORDS: [&str; 16] = [
    "users", "posts", "orders", "items", "accounts", "sessions", "invoices", "teams", "members", "events", "jobs",
    "files", "notes", "tags", "prices", "visits",
];

impl Names {
    fn new(dialect: &str, number: u64) -> Names {
        let is_postgres = dialect == "postgresql";
        Names { quote: if is_postgres { '"' } else { '`' }, number, has_schemas: is_postgres }
    }

    fn name(&self, letter: char) -> String {
        let idx = (letter as u64 * 7 + self.number) % WORDS.len() as u64;
        format!("{}_{}{letter}", WORDS[idx as usize], self.number)
    }

    fn fill(&mut self, text: &str, random: &mut Random) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let inner = after.split('}').next().unwrap_or_default();
            let mut characters = inner.chars();
            let letter = characters.next().filter(char::is_ascii_lowercase);
            let how = characters.next();
            match (letter, how) {
                (Some(letter), None | Some('!' | '?' | '+')) if after.len() > inner.len() && inner.len() < 12 => {
                    filled.push_str(&self.written(letter, how, characters.as_str(), random));
                    rest = &after[inner.len() + 1..];
                }
                // Braces of an array, say.
                _ => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled.push_str(rest);
        filled
    }

    fn written(&self, letter: char, how: Option<char>, more: &str, random: &mut Random) -> String {
        let name = self.name(letter);
        let name = match (how, more.starts_with("__")) {
            (Some('?'), _) => return name,
            (Some('+'), true) => format!("{more}{name}"),
            (Some('+'), false) => format!("{name}{more}"),
            _ => name,
        };
        let quoted = format!("{0}{name}{0}", self.quote);
        if !self.has_schemas {
            return quoted;
        }
        // Tables and types may have their schema before them; what lies in a table, roles and schemas have none.
        let in_schema = how.is_none() && "tuvwxyefghdc".contains(letter);
        match random.below(4) {
            0 if in_schema => format!("\"public\".{quoted}"),
            1 if in_schema => format!("public.{name}"),
            2 => name,
            _ => quoted,
        }
    }
}

/// A migration that is being written.
struct Migration {
    tag: String,
    text: String,
    labels: Vec<(usize, String, bool)>,
    is_empty: bool,
}

impl Migration {
    fn new(tag: String) -> Migration {
        Migration { tag, text: String::new(), labels: Vec::new(), is_empty: true }
    }

    /// Adds a paragraph, with a breakpoint before it.
    fn push(&mut self, paragraph: &str, on_line: bool) {
        if !self.is_empty {
            let ends_in_comment = self.text.lines().last().is_some_and(|last| last.contains("--"));
            let breakpoint =
                if on_line || ends_in_comment { "\n--> statement-breakpoint\n" } else { "--> statement-breakpoint\n" };
            self.text.push_str(breakpoint);
        }
        self.is_empty = false;
        let mut lines = Vec::new();
        let begin = self.text.matches('\n').count() + 1;
        for line in paragraph.lines() {
            match labels_in(line) {
                Some(labels) => {
                    self.labels
                        .extend(labels.into_iter().map(|(rule, is_found)| (begin + lines.len(), rule, is_found)));
                }
                None => lines.push(line),
            }
        }
        self.text.push_str(&lines.join("\n"));
    }
}

/// Writes words in lower case, but for what stands between quotes and in comments.
fn lower(text: &str) -> String {
    let mut lowered = String::new();
    let mut quote = None;
    for line in text.split_inclusive('\n') {
        if labels_in(line.trim_end()).is_some() || (quote.is_none() && line.trim_start().starts_with("--")) {
            lowered.push_str(line);
            continue;
        }
        for c in line.chars() {
            match quote {
                Some(open) if c == open => quote = None,
                None if matches!(c, '\'' | '"' | '`') => quote = Some(c),
                _ => {}
            }
            if quote.is_none() { lowered.extend(c.to_lowercase()) } else { lowered.push(c) }
        }
    }
    lowered
}

/// Makes the whole corpus.
pub(crate) fn generate(seed: u64) -> Vec<Made> {
    let mut random = Random(seed);
    let patterns = patterns();
    let mut made = Vec::new();
    for round in 0..ROUNDS {
        for dialect in DIALECTS {
            let of_dialect = patterns.iter().filter(|pattern| pattern.dialect == dialect);
            let (alone, mut others): (Vec<&Pattern>, Vec<&Pattern>) =
                of_dialect.partition(|pattern| pattern.is("alone"));
            // Another order in every round.
            for idx in (1..others.len()).rev() {
                others.swap(idx, random.below(idx as u64 + 1) as usize);
            }
            for (idx, chunk) in others.chunks(12).enumerate() {
                made.push(of_patterns(&format!("{dialect}-{round}-{idx}"), dialect, chunk, &mut random));
            }
            for (idx, pattern) in alone.iter().enumerate() {
                made.push(of_patterns(&format!("{dialect}-{round}-alone-{idx}"), dialect, &[pattern], &mut random));
            }
        }
    }
    made.extend(journals(&mut random));
    made
}

/// Returns the folders of `fixtures/corpus/folders`, which kits and people wrote.
pub(crate) fn folders() -> Vec<(PathBuf, Made)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus/folders");
    let paths = std::fs::read_dir(&root).expect("the corpus is part of the repository");
    let mut paths: Vec<PathBuf> = paths.map(|entry| entry.expect("the folder can be read").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), folder(&path))).collect()
}

fn folder(path: &Path) -> Made {
    let read =
        |path: &Path| std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut files = BTreeMap::new();
    for inner in ["", "meta/"] {
        let entries = std::fs::read_dir(path.join("drizzle").join(inner)).expect("a folder has migrations");
        for entry in entries.map(|entry| entry.expect("the folder can be read")) {
            let path = entry.path();
            if path.extension().is_some_and(|kind| kind == "sql" || kind == "json") {
                files.insert(format!("{inner}{}", entry.file_name().display()), read(&path));
            }
        }
    }
    let label = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [file, line, rule, is_found] = fields[..] else { panic!("{}: {line}", path.display()) };
        Label {
            file: file.to_owned(),
            line: line.parse().expect("a line is a number"),
            rule: rule.to_owned(),
            is_found: is_found == "true",
        }
    };
    let name = path.file_name().expect("a folder has a name").display().to_string();
    let labels = read(&path.join("labels.tsv")).lines().map(label).collect();
    Made { name, files, newer: Vec::new(), labels }
}

/// How often each pattern is made, with other names in other company.
const ROUNDS: usize = 9;

/// Makes a long history of some patterns, one beside the other.
fn of_patterns(name: &str, dialect: &str, patterns: &[&Pattern], random: &mut Random) -> Made {
    let longest = patterns.iter().map(|pattern| pattern.migrations.len()).max().unwrap_or(1);
    let n_migrations = longest + random.below(if patterns.len() > 1 { 14 } else { 4 }) as usize;
    let mut migrations: Vec<Migration> = (0..n_migrations)
        .map(|idx| Migration::new(format!("{idx:04}_{}", WORDS[random.below(WORDS.len() as u64) as usize])))
        .collect();
    let on_line = random.below(2) == 0;
    let is_alone = patterns.iter().any(|pattern| pattern.is("alone"));
    // What is put into each migration, in the order of the patterns.
    let mut contents: Vec<Vec<String>> = vec![Vec::new(); n_migrations];
    for pattern in patterns {
        let mut names = Names::new(dialect, random.below(9_000) + 1_000);
        let mut free = n_migrations - pattern.migrations.len();
        let mut at = 0;
        for paragraphs in &pattern.migrations {
            let skipped = random.below(free as u64 + 1) as usize;
            (at, free) = (at + skipped, free - skipped);
            for paragraph in paragraphs {
                let mut text = names.fill(paragraph, random);
                if !is_alone && random.below(5) == 0 {
                    text = lower(&text);
                }
                if !is_alone && random.below(6) == 0 {
                    text = format!("-- {}\n{text}", pattern.title);
                }
                contents[at].push(text);
            }
            at += 1;
        }
    }
    for (idx, (migration, paragraphs)) in migrations.iter_mut().zip(contents).enumerate() {
        if paragraphs.is_empty() {
            migration.push(&filler(dialect, idx, random), on_line);
        }
        for paragraph in paragraphs {
            if !is_alone && random.below(8) == 0 {
                migration.push(&filler(dialect, idx, random), on_line);
            }
            migration.push(&paragraph, on_line);
        }
    }
    finish(name, dialect, migrations, random)
}

/// The usual work, about which there is nothing to say.
fn filler(dialect: &str, idx: usize, random: &mut Random) -> String {
    let number = random.below(1 << 40);
    if dialect != "postgresql" {
        return format!("CREATE TABLE `filler_{number}` (`id` integer PRIMARY KEY NOT NULL, `at` text);");
    }
    match random.below(4) {
        0 => format!(
            "CREATE TABLE \"filler_{number}\" (\n\t\"id\" serial PRIMARY KEY NOT NULL,\n\t\"at\" timestamp DEFAULT now() NOT NULL\n);"
        ),
        1 => format!("CREATE TYPE \"public\".\"filler_{number}\" AS ENUM('a', 'b', 'job', 'x');"),
        2 => format!("CREATE SCHEMA \"filler_{number}\";"),
        _ => format!("COMMENT ON SCHEMA public IS 'migration {idx}';"),
    }
}

/// Writes the folder: files, journal, snapshots and labels.
fn finish(name: &str, dialect: &str, migrations: Vec<Migration>, random: &mut Random) -> Made {
    let line_end = if random.below(5) == 0 { "\r\n" } else { "\n" };
    let mut made = Made { name: name.to_owned(), files: BTreeMap::new(), newer: Vec::new(), labels: Vec::new() };
    let mut entries = Vec::new();
    for (idx, migration) in migrations.into_iter().enumerate() {
        let file = format!("{}.sql", migration.tag);
        let labels = migration.labels.into_iter();
        made.labels.extend(labels.map(|(line, rule, is_found)| Label { file: file.clone(), line, rule, is_found }));
        made.files.insert(file, migration.text.replace('\n', line_end));
        entries.push(Entry {
            idx: Some(idx as i64),
            when: 1_700_000_000_000 + idx as i64 * 60_000,
            tag: migration.tag,
            snapshot: Some((format!("s{idx}"), if idx == 0 { ORIGIN.to_owned() } else { format!("s{}", idx - 1) })),
        });
    }
    write(&mut made, dialect, &entries);
    made
}

/// An entry of a journal, and its snapshot.
#[derive(Debug, Clone)]
struct Entry {
    idx: Option<i64>,
    when: i64,
    tag: String,
    snapshot: Option<(String, String)>,
}

impl Entry {
    fn snapshot_name(&self) -> String {
        format!("meta/{}_snapshot.json", self.tag.split('_').next().unwrap_or_default())
    }
}

/// The line of an entry in the journal.
fn line_of(idx: usize) -> usize {
    idx + 2
}

fn write(made: &mut Made, dialect: &str, entries: &[Entry]) {
    let form = if dialect == "postgresql" {
        7
    } else if dialect == "mysql" {
        5
    } else {
        6
    };
    let mut journal = format!("{{ \"version\": \"7\", \"dialect\": \"{dialect}\", \"entries\": [\n");
    for (idx, entry) in entries.iter().enumerate() {
        let own = entry.idx.map(|idx| format!("\"idx\": {idx}, ")).unwrap_or_default();
        let comma = if idx + 1 < entries.len() { "," } else { "" };
        writeln!(
            journal,
            "  {{ {own}\"version\": \"7\", \"when\": {}, \"tag\": \"{}\", \"breakpoints\": true }}{comma}",
            entry.when, entry.tag
        )
        .expect("a string takes everything");
        if let Some((id, before)) = &entry.snapshot {
            let text = format!(
                "{{ \"id\": \"{id}\", \"prevId\": \"{before}\", \"version\": \"{form}\", \"dialect\": \"{dialect}\", \"tables\": {{}} }}"
            );
            made.files.insert(entry.snapshot_name(), text);
        }
    }
    journal.push_str("] }\n");
    made.files.insert(JOURNAL.to_owned(), journal);
}

/// How often each fault of a journal is made, and how often something that only looks like it.
const TIMES: usize = 26;

/// A folder before something is done to it.
struct Base {
    made: Made,
    dialect: String,
    entries: Vec<Entry>,
}

impl Base {
    fn new(name: &str, random: &mut Random) -> Base {
        let n = 3 + random.below(9) as usize;
        // drizzle-kit may put a time before a name instead of a number (`migrations.prefix`).
        let by_time = random.below(3) == 0;
        let tag = |idx: usize, random: &mut Random| {
            let word = WORDS[random.below(WORDS.len() as u64) as usize];
            if by_time { format!("{}_{word}", 20_240_101_120_000 + idx) } else { format!("{idx:04}_{word}") }
        };
        let entries: Vec<Entry> = (0..n)
            .map(|idx| Entry {
                idx: Some(idx as i64),
                when: 1_700_000_000_000 + idx as i64 * 60_000,
                tag: tag(idx, random),
                snapshot: Some((
                    format!("id-{idx}"),
                    if idx == 0 { ORIGIN.to_owned() } else { format!("id-{}", idx - 1) },
                )),
            })
            .collect();
        let made = Made { name: name.to_owned(), files: BTreeMap::new(), newer: Vec::new(), labels: Vec::new() };
        Base { made, dialect: "postgresql".to_owned(), entries }
    }

    /// One of the entries, but for the first and the last.
    fn middle(&self, random: &mut Random) -> usize {
        1 + random.below(self.entries.len() as u64 - 2) as usize
    }

    fn write(&mut self) {
        for entry in &self.entries {
            let file = format!("{}.sql", entry.tag);
            self.made.files.entry(file).or_insert_with(|| "SELECT 1;\n".to_owned());
        }
        let (dialect, entries) = (self.dialect.clone(), self.entries.clone());
        write(&mut self.made, &dialect, &entries);
    }

    fn label(&mut self, file: &str, line: usize, rule: &str, is_found: bool) {
        self.made.labels.push(Label { file: file.to_owned(), line, rule: rule.to_owned(), is_found });
    }
}

type Change = fn(&mut Base, &mut Random, &str, bool);

/// Makes folders in which one thing is wrong, and as many in which it only seems to be.
fn journals(random: &mut Random) -> Vec<Made> {
    let changes: [(&str, Change); 19] = [
        ("journal-missing", missing_journal),
        ("journal-conflict", conflicted_journal),
        ("journal-duplicate-index", duplicate_index),
        ("journal-missing-index", missing_index),
        ("journal-duplicate-tag", duplicate_tag),
        ("journal-missing-file", missing_file),
        ("journal-unlisted-file", unlisted_file),
        ("journal-order", order),
        ("journal-ahead", ahead),
        ("pulled-baseline", pulled),
        ("unread-dialect", dialect),
        ("snapshot-version", version),
        ("snapshot-unreadable", unreadable),
        ("snapshot-fork", fork),
        ("snapshot-chain", chain),
        ("snapshot-missing", missing_snapshot),
        ("snapshot-unlisted", unlisted_snapshot),
        ("file-conflict", file_conflict),
        ("newer-layout", newer),
    ];
    let mut made = Vec::new();
    for (rule, change) in changes {
        for time in 0..TIMES * 2 {
            let is_found = time % 2 == 0;
            let mut base = Base::new(&format!("{rule}-{time}"), random);
            change(&mut base, random, rule, is_found);
            made.push(base.made);
        }
    }
    made
}

fn missing_journal(base: &mut Base, _random: &mut Random, rule: &str, is_found: bool) {
    base.write();
    if is_found {
        base.made.files.remove(JOURNAL);
    }
    base.label(JOURNAL, 1, rule, is_found);
}

fn conflicted_journal(base: &mut Base, random: &mut Random, rule: &str, is_found: bool) {
    let at = base.middle(random);
    if !is_found {
        // The words of git within a string.
        base.entries[at].tag = format!("{at:04}_<<<<<<< HEAD");
        base.entries[at].snapshot = None;
        base.label(JOURNAL, line_of(at), rule, false);
        base.label(JOURNAL, line_of(at), "snapshot-missing", true);
        let before = base.entries[at - 1].snapshot.clone().expect("it was made");
        base.entries[at + 1].snapshot.as_mut().expect("it was made").1 = before.0;
        return base.write();
    }
    base.write();
    let journal = base.made.files[JOURNAL].clone();
    let lines: Vec<&str> = journal.lines().collect();
    let (before, after) = lines.split_at(at + 1);
    let text = [before, &["<<<<<<< HEAD"], &after[..1], &["======="], &after[..1], &[">>>>>>> theirs"], &after[1..]]
        .concat()
        .join("\n");
    base.made.files.insert(JOURNAL.to_owned(), text);
    base.label(JOURNAL, at + 2, rule, true);
}

fn duplicate_index(base: &mut Base, random: &mut Random, rule: &str, is_found: bool) {
    let at = base.middle(random);
    base.label(JOURNAL, line_of(at), rule, is_found);
    if is_found {
        // Both branches wrote the snapshot of this number, and one was kept.
        for entry in &mut base.entries[at..] {
            entry.idx = entry.idx.map(|idx| idx - 1);
        }
        base.entries[at].tag = format!("{}_other", base.entries[at - 1].tag.split('_').next().unwrap_or_default());
        base.entries[at].snapshot = None;
        let before = base.entries[at - 1].snapshot.clone().expect("it was made");
        base.entries[at + 1].snapshot.as_mut().expect("it was made").1 = before.0;
        for idx in at + 1..base.entries.len() {
            let word = base.entries[idx].tag.split('_').nth(1).unwrap_or_default().to_owned();
            if !base.entries[idx].tag.starts_with("2024") {
                base.entries[idx].tag = format!("{:04}_{word}", idx - 1);
            }
        }
    }
    base.write();
}

fn missing_index(base: &mut Base, random: &mut Random, rule: &str, is_found: bool) {
    let at = base.middle(random);
    let mut line = line_of(at);
    if is_found {
        match random.below(3) {
            // One was taken out.
            0 => {
                for entry in &mut base.entries[at..] {
                    entry.idx = entry.idx.map(|idx| idx + 1);
                    if !entry.tag.starts_with("2024") {
                        let word = entry.tag.split('_').nth(1).unwrap_or_default().to_owned();
                        entry.tag = format!("{:04}_{word}", entry.idx.unwrap_or_default());
                    }
                }
            }
            1 => base.entries[at].idx = None,
            // Two stand in the wrong order.
            _ => {
                base.entries[at].idx = Some(at as i64 + 1);
                base.entries[at + 1].idx = Some(at as i64);
                line = line_of(at + 1);
            }
        }
    }
    base.label(JOURNAL, line, rule, is_found);
    base.write();
}

fn duplicate_tag(base: &mut Base, random: &mut Random, rule: &str, is_found: bool) {
    let at = base.middle(random);
    let last = base.entries.last().expect("there are some").clone();
    let tag = base.entries[at].tag.clone();
    let tag = if is_found { tag } else { format!("{tag}_again") };
    let entry = Entry { idx: last.idx.map(|idx| idx + 1), when: last.when + 60_000, tag, snapshot: None };
    let line = line_of(base.entries.len());
    base.entries.push(entry);
    base.label(JOURNAL, line, rule, is_found);
    base.write();
}

fn missing_file(base: &mut Base, random: &mut Random, rule: &str, is_found: bool) {
    let at = base.middle(random);
    base.write();
    let file = format!("{}.sql", base.entries[at].tag);
    if is_found {
        base.made.files.remove(&file);
    } else {
        base.made.files.insert(file, String::new());
    }
    base.label(JOURNAL, line_of(at), rule, is_found);
}

fn unlisted_file(base: &mut Base, random: &mut Random, rule: &str, is_found: bool) {
    base.write();
    let name = format!("{:04}_lost.sql", 20 + random.below(50));
    if is_found {
        base.made.files.insert(name.clone(), "SELECT 1;\n".to_owned());
        base.label(&name, 1, rule, true);
    } else {
        let first = format!("{}.sql", base.entries[0].tag);
        base.label(&first, 1, rule, false);
    }
}

fn order(base: &mut Base, random: &mut Random, rule: &str, is_found: bool) {
    let at = base.middle(random);
    let before = base.entries[at - 1].when;
    base.entries[at].when = match (is_found, random.below(2)) {
        (true, 0) => before - 1 - random.below(1_000_000) as i64,
        (true, _) => before,
        (false, _) => before + 1,
    };
    base.label(JOURNAL, line_of(at), rule, is_found);
    base.write();
}

fn ahead(base: &mut Base, random: &mut Random, rule: &str, is_found: bool) {
    let last = base.entries.len() - 1;
    base.entries[last].when = match is_found {
        true => NOW + 3_600_000 + random.below(1 << 40) as i64,
        // Clocks differ by a little.
        false => NOW + 60_000 - random.below(1 << 30) as i64,
    };
    base.label(JOURNAL, line_of(last), rule, is_found);
    base.write();
}

const PULLED: &str = "-- Current sql file was generated after introspecting the database
-- If you want to run this migration please uncomment this code before executing migrations
/*
CREATE TABLE IF NOT EXISTS \"pulled\" (
\t\"id\" integer
);
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS \"pulled_too\" (
\t\"id\" integer PRIMARY KEY NOT NULL
);

*/";

fn pulled(base: &mut Base, random: &mut Random, rule: &str, is_found: bool) {
    let file = format!("{}.sql", base.entries[0].tag);
    // So drizzle-kit pull writes it.
    base.entries[0].snapshot = Some((ORIGIN.to_owned(), String::new()));
    base.entries[1].snapshot.as_mut().expect("it was made").1 = ORIGIN.to_owned();
    let text = match (is_found, random.below(2)) {
        (true, 0) => PULLED.to_owned(),
        (true, _) => PULLED.replace('\n', "\r\n"),
        (false, 0) => PULLED.replace("/*\n", "").replace("\n\n*/", ""),
        (false, _) => "CREATE TABLE \"pulled\" (\"id\" integer);".to_owned(),
    };
    base.made.files.insert(file.clone(), text);
    base.label(&file, 1, rule, is_found);
    base.write();
}

fn dialect(base: &mut Base, random: &mut Random, rule: &str, is_found: bool) {
    let (unread, read) =
        (["gel", "mssql", "cockroach"], ["mysql", "sqlite", "turso", "singlestore", "postgresql", "pg"]);
    let name = if is_found { unread[random.below(3) as usize] } else { read[random.below(6) as usize] };
    name.clone_into(&mut base.dialect);
    base.label(JOURNAL, 1, rule, is_found);
    base.write();
    let form = match name {
        "mysql" => "\"5\"",
        "singlestore" => "\"1\"",
        "sqlite" | "turso" => "\"6\"",
        _ => "\"7\"",
    };
    for (_, text) in base.made.files.iter_mut().filter(|(name, _)| name.ends_with("_snapshot.json")) {
        let (before, after) = text.split_once("\"version\": ").expect("it was written");
        *text = format!("{before}\"version\": {form}{}", &after[3..]);
    }
}

fn version(base: &mut Base, random: &mut Random, rule: &str, is_found: bool) {
    base.write();
    let at = base.entries.len() - 1;
    let form = match (is_found, random.below(3)) {
        (true, 0) => "\"version\": \"6\"",
        (true, 1) => "\"version\": \"5\"",
        (true, _) => "\"version\": \"8\"",
        (false, 0) => "\"other\": 0",
        (false, _) => "\"version\": \"7\"",
    };
    for entry in &base.entries {
        let text = base.made.files.get_mut(&entry.snapshot_name()).expect("it was written");
        *text = text.replace("\"version\": \"7\"", form);
    }
    let name = base.entries[at].snapshot_name();
    base.label(&name, 0, rule, is_found);
}

fn unreadable(base: &mut Base, random: &mut Random, rule: &str, is_found: bool) {
    base.write();
    let at = base.middle(random);
    let name = base.entries[at].snapshot_name();
    let text = base.made.files[&name].clone();
    let other = match (is_found, random.below(3)) {
        (true, 0) => format!("<<<<<<< HEAD\n{text}\n=======\n{text}\n>>>>>>> theirs\n"),
        (true, 1) => text[..text.len() / 2].to_owned(),
        (true, _) => "{ \"version\": \"7\" }".to_owned(),
        (false, _) => text.replace(", ", ",\n    "),
    };
    base.made.files.insert(name.clone(), other);
    base.label(&name, 0, rule, is_found);
}

fn fork(base: &mut Base, random: &mut Random, rule: &str, is_found: bool) {
    let at = base.middle(random);
    if is_found {
        let parent = base.entries[at - 1].snapshot.clone().expect("it was made").1;
        base.entries[at].snapshot.as_mut().expect("it was made").1 = parent;
    }
    let name = base.entries[at].snapshot_name();
    base.label(&name, 0, rule, is_found);
    base.write();
}

fn chain(base: &mut Base, random: &mut Random, rule: &str, is_found: bool) {
    let at = base.middle(random);
    if is_found {
        base.entries[at].snapshot.as_mut().expect("it was made").1 = format!("lost-{}", random.below(1000));
    }
    let name = base.entries[at].snapshot_name();
    base.label(&name, 0, rule, is_found);
    base.write();
}

fn missing_snapshot(base: &mut Base, random: &mut Random, rule: &str, is_found: bool) {
    let at = 1 + random.below(base.entries.len() as u64 - 1) as usize;
    if is_found {
        let lost = base.entries[at].snapshot.take().expect("it was made");
        // Written by hand from the start, or deleted later: what was made from it still says so.
        if let (Some(next), 0) = (base.entries.get_mut(at + 1), random.below(2)) {
            next.snapshot.as_mut().expect("it was made").1 = lost.1;
        }
    }
    base.label(JOURNAL, line_of(at), rule, is_found);
    base.write();
}

fn unlisted_snapshot(base: &mut Base, random: &mut Random, rule: &str, is_found: bool) {
    base.write();
    let last = base.entries.last().expect("there are some");
    if is_found {
        let name = format!("meta/{:04}_snapshot.json", 50 + random.below(40));
        let before = &last.snapshot.as_ref().expect("it was made").0;
        let text = format!("{{ \"id\": \"more\", \"prevId\": \"{before}\", \"version\": \"7\" }}");
        base.made.files.insert(name.clone(), text);
        base.label(&name, 0, rule, true);
    } else {
        let name = last.snapshot_name();
        base.label(&name, 0, rule, false);
    }
}

fn file_conflict(base: &mut Base, random: &mut Random, rule: &str, is_found: bool) {
    let at = base.middle(random);
    let file = format!("{}.sql", base.entries[at].tag);
    let text = match is_found {
        true => "SELECT 1;\n<<<<<<< HEAD\nSELECT 2;\n=======\nSELECT 3;\n>>>>>>> theirs\n",
        false => "-- Heading\n-- =======\n/*\n=======\n*/\nSELECT '<<<<<<< HEAD';\n",
    };
    base.made.files.insert(file.clone(), text.to_owned());
    base.label(&file, if is_found { 2 } else { 6 }, rule, is_found);
    base.write();
}

fn newer(base: &mut Base, random: &mut Random, rule: &str, is_found: bool) {
    base.write();
    let name = format!("20250101{:06}_new", random.below(1_000_000));
    let file = format!("{name}/migration.sql");
    if is_found {
        base.made.newer.push(name);
    }
    base.label(&file, 1, rule, is_found);
}
