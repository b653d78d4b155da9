//! Holds the queries that drizzle-kit sends against the text that was approved, to the letter. Pure.
//!
//! drizzle-kit shows its queries joined by line ends and sends them one by one, in that order (`pgPush` and its siblings,
//! 0.20 to 0.31). One query may hold several statements.

/// What may still be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    /// None once everything was sent.
    rest: Option<String>,
    n_sent: usize,
    around: &'static [(&'static str, When)],
}

/// When something may be sent that was not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    After,
    /// It undoes what was sent, or ends what stood around it.
    Anytime,
}

/// What drizzle-kit 0.25 to 0.30.5 sends around the statements for SQLite (`sqlitePush`).
const SQLITE: [(&str, When); 3] = [("begin", When::Before), ("commit", When::After), ("rollback", When::Anytime)];

/// What @libsql/client 0.8 to 0.15 sends around the statements for a file (`Sqlite3Client.migrate`), which drizzle-kit calls
/// with the dialect `turso` (`libSQLPush`).
const TURSO: [(&str, When); 5] = [
    ("PRAGMA foreign_keys=off", When::Before),
    ("BEGIN DEFERRED", When::Before),
    ("COMMIT", When::After),
    ("ROLLBACK", When::Anytime),
    ("PRAGMA foreign_keys=on", When::Anytime),
];

impl Approved {
    /// Takes the text that was shown, and that consent was given to.
    pub fn new(shown: &str) -> Approved {
        Approved { rest: Some(shown.to_owned()), n_sent: 0, around: &[] }
    }

    /// Takes what is known to be sent around the text as well, by the name of the dialect.
    pub fn with_around(self, dialect: &str) -> Approved {
        let around: &[(&str, When)] = match dialect {
            "sqlite" => &SQLITE,
            "turso" => &TURSO,
            _ => &[],
        };
        Approved { around, ..self }
    }

    /// Returns how many queries were sent.
    pub fn n_sent(&self) -> usize {
        self.n_sent
    }

    /// Takes a query that is about to be sent, and tells whether it is the next one that was approved.
    pub fn take(&mut self, query: &str) -> bool {
        let is_when = |when: When| match when {
            When::Before => self.n_sent == 0,
            When::After => self.rest.is_none(),
            When::Anytime => true,
        };
        if self.around.iter().any(|(word, when)| *word == query && is_when(*when)) {
            return true;
        }
        let Some(rest) = &self.rest else { return false };
        // Line ends at the end of the whole are not shown.
        let is_last = rest.trim_end_matches('\n') == query.trim_end_matches('\n');
        let left = match rest.strip_prefix(query).and_then(|left| left.strip_prefix('\n')) {
            _ if is_last => None,
            Some(left) => Some(left.to_owned()),
            None => return false,
        };
        self.rest = left;
        self.n_sent += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_shown_is_what_may_be_sent() {
        let check = |shown: &str, sent: &[&str], n_expected: usize| {
            let mut approved = Approved::new(shown);
            let n_passed = sent.iter().take_while(|query| approved.take(query)).count();
            assert_eq!((n_passed, approved.n_sent()), (n_expected, n_expected), "{shown:?} {sent:?}");
        };
        check("A;\nB;", &["A;", "B;"], 2);
        check("A;\nB;", &["A;\nB;"], 1);
        check("CREATE TABLE a (\n);\n\nB;\n\nC", &["CREATE TABLE a (\n);\n", "B;\n", "C\n"], 3);
        // Another order, another text, a part, more than was shown, and anything after the end.
        check("A;\nB;", &["B;", "A;"], 0);
        check("A;\nB;", &["A;", "b;"], 1);
        check("A;\nB;", &["A"], 0);
        check("A;\nB;", &["A;", "A;"], 1);
        check("A;\nB;", &["A;", "B; DROP TABLE c;"], 1);
        check("A;\nB;", &["A;", "B;", "C;"], 2);
        check("A;", &["A;", ""], 1);
        check("DROP COLUMN \"legacy\";", &["DROP COLUMN \"leg\u{1b}[0macy\";"], 0);
    }

    #[test]
    fn what_stands_around_is_known_and_has_its_place() {
        let check = |dialect: &str, sent: &[&str], expected: bool| {
            let mut approved = Approved::new("A;\nB;").with_around(dialect);
            assert_eq!(sent.iter().all(|query| approved.take(query)), expected, "{dialect} {sent:?}");
        };
        check("sqlite", &["begin", "A;", "B;", "commit"], true);
        check("sqlite", &["begin", "A;", "rollback"], true);
        check("sqlite", &["A;", "commit"], false);
        check("sqlite", &["A;", "begin"], false);
        check("sqlite", &["PRAGMA foreign_keys=off"], false);
        let all = ["PRAGMA foreign_keys=off", "BEGIN DEFERRED", "A;", "B;", "COMMIT", "PRAGMA foreign_keys=on"];
        check("turso", &all, true);
        check("turso", &["A;", "PRAGMA foreign_keys=off"], false);
        check("turso", &["A;", "ROLLBACK", "PRAGMA foreign_keys=on"], true);
        check("postgresql", &["begin"], false);
    }

    #[test]
    fn every_block_that_was_recorded_is_sent_as_it_was_shown() {
        let blocks = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sql/blocks");
        let folders = std::fs::read_dir(blocks).expect("the fixtures are there");
        let mut n_blocks = 0;
        for folder in folders.map(|folder| folder.expect("it can be read").path()) {
            for file in
                std::fs::read_dir(&folder).expect("it is a folder").map(|file| file.expect("it is there").path())
            {
                if file.extension().is_none_or(|extension| extension != "json") {
                    continue;
                }
                let sent = std::fs::read_to_string(&file).expect("it is text");
                let sent: Vec<String> = serde_json::from_str(&sent).expect("it is JSON");
                let shown = std::fs::read_to_string(file.with_extension("sql")).expect("it stands beside it");
                let mut approved = Approved::new(&shown);
                let n_passed = sent.iter().take_while(|query| approved.take(query)).count();
                assert_eq!((n_passed, &approved.rest), (sent.len(), &None), "{}", file.display());
                n_blocks += 1;
            }
        }
        assert!(n_blocks > 50, "{n_blocks}");
    }
}
