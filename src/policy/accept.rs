//! Writes old faults that `check` is to accept into a policy. Pure: the text of a policy in, its new text out.

use std::path::Path;

use crate::policy::edit::Draft;
use crate::policy::file::parse::parse;
use crate::policy::model::FILE_NAME;

/// Returns the text of a policy that accepts these old faults as well, each a line of `[check] accepted`; none where the
/// text cannot be edited so.
pub(crate) fn accept(text: &str, lines: &[String]) -> Option<String> {
    let start = if text.trim().is_empty() { "version = 1\n" } else { text };
    let mut draft = Draft::read(start)?;
    draft.push_lines(&["check", "accepted"], lines)?;
    let text = draft.text();
    parse(Path::new(FILE_NAME), &text).ok().map(|_| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_faults_are_accepted_in_the_file_as_it_is_laid_out() {
        let check = |text: &str, expected: &str| {
            let line = "journal-order drizzle/0001_a.sql".to_owned();
            assert_eq!(accept(text, &[line]).as_deref(), Some(expected), "{text}");
        };
        let line = "\n  \"journal-order drizzle/0001_a.sql\",";
        check("", &format!("version = 1\n\n[check]\naccepted = [{line}\n]\n"));
        check("version = 1 # yes\n", &format!("version = 1 # yes\n\n[check]\naccepted = [{line}\n]\n"));
        check(
            "version = 1\n[check]\nfail_on = \"error\" # of all\n",
            &format!("version = 1\n[check]\naccepted = [{line}\n]\nfail_on = \"error\" # of all\n"),
        );
        check(
            "version = 1\n[check]\naccepted = [\n  # from 2023\n  \"snapshot-missing drizzle/0000_a.sql\",\n]\n",
            &format!(
                "version = 1\n[check]\naccepted = [{line}\n  # from 2023\n  \"snapshot-missing drizzle/0000_a.sql\",\n]\n"
            ),
        );
        check(
            "version = 1\n[check]\naccepted = [\"snapshot-missing drizzle/0000_a.sql\"]\n",
            &format!("version = 1\n[check]\naccepted = [{line}\n  \"snapshot-missing drizzle/0000_a.sql\"]\n"),
        );
        check(
            "version = 1\n[check]\naccepted = [\"snapshot-missing a.sql\"] # of 2023\n",
            &format!("version = 1\n[check]\naccepted = [{line}\n  \"snapshot-missing a.sql\"] # of 2023\n"),
        );
        assert_eq!(accept("version = 1\n[check]\naccepted = 1\n", &["journal-order a.sql".to_owned()]), None);
    }
}
