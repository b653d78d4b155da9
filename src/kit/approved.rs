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
}

impl Approved {
    /// Takes the text that was shown, and that consent was given to.
    pub fn new(shown: &str) -> Approved {
        Approved { rest: Some(shown.to_owned()), n_sent: 0 }
    }

    /// Returns how many queries were sent.
    pub fn n_sent(&self) -> usize {
        self.n_sent
    }

    /// Takes a query that is about to be sent, and tells whether it is the next one that was approved.
    pub fn take(&mut self, query: &str) -> bool {
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
