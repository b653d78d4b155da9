//! What a run of drizzle-kit came to, from what it printed. Its exit status alone proves nothing: it is 0 after
//! a failed statement, after "No, abort", and after a dead database (drizzle-kit 0.20 to 0.31.9).

use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use crate::kit::hints::envelope::Envelope;
use crate::term::ended::Ended;

/// What a command must do for the hook to be loaded.
pub const NEEDS_HOOK: &str = "--kit must start drizzle-kit with node and keep NODE_OPTIONS (which bun and deno do not read); without --kit, drizzle-kit is found in node_modules and started with node";

/// What is known when drizzle-kit has ended.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The drizzle-kit command, as `push` or `generate`.
    pub command: &'a str,
    /// The lines printed after the last prompt, or all if there was none.
    pub text: &'a [String],
    pub ended: Ended,
    /// Whether a choice was made that executes statements.
    pub consented: bool,
    /// Whether we declined.
    pub declined: bool,
    /// Whether it was made to ask before executing: then doing something unasked is disobedience.
    pub must_ask: bool,
    /// Whether the text is all that was printed, and nothing in it could have wiped or forged the rest.
    pub intact: bool,
    /// Whether the command writes to no database.
    pub writes_files_only: bool,
    /// What drizzle-kit 1.0 says in place of text.
    pub envelope: Option<&'a Envelope>,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// drizzle-kit says that it succeeded, its status is good and no error was printed.
    Done,
    /// drizzle-kit says that there is nothing to do.
    NothingToDo,
    /// It was told no, and did nothing.
    Declined,
    /// It failed. The error is missing where drizzle-kit prints none (0.31.10 and later on a dead database).
    Failed { error: Option<KitError>, ended: Ended },
    /// It did something although it was not told yes.
    Disobeyed,
    /// It ended well and said neither that it succeeded nor that it failed.
    Unproven,
}

/// An error as drizzle-kit printed it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KitError {
    pub message: String,
    /// SQLSTATE of PostgreSQL, or the code of the driver or of node (`ECONNREFUSED`, `ER_DUP_ENTRY`, `SQLITE_ERROR`).
    pub code: Option<String>,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

impl KitError {
    /// Tells whether the database could not be reached, or refused the login: nothing was executed then.
    pub fn is_connection(&self) -> bool {
        // SQLSTATE classes 08 (connection) and 28 (login), a missing database, no free connection, starting up.
        let codes = [
            "3D000",
            "53300",
            "57P03",
            "ECONNREFUSED",
            "ENOTFOUND",
            "EAI_AGAIN",
            "ETIMEDOUT",
            "ECONNRESET",
            "EHOSTUNREACH",
            "ENETUNREACH",
            "EPIPE",
            // MySQL and mysql2
            "ER_ACCESS_DENIED_ERROR",
            "ER_ACCESS_DENIED_NO_PASSWORD_ERROR",
            "ER_DBACCESS_DENIED_ERROR",
            "ER_BAD_DB_ERROR",
            "ER_CON_COUNT_ERROR",
            "ER_HOST_IS_BLOCKED",
            "ER_HOST_NOT_PRIVILEGED",
            "ER_NOT_SUPPORTED_AUTH_MODE",
            "ER_SERVER_SHUTDOWN",
            "HANDSHAKE_NO_SSL_SUPPORT",
            "PROTOCOL_CONNECTION_LOST",
            // SQLite and libSQL
            "SQLITE_AUTH",
            "SQLITE_CANTOPEN",
            "SQLITE_NOTADB",
        ];
        // drizzle-kit prints these without a code: libsql 0.3 to 0.5, better-sqlite3, node's fetch, D1.
        let sentences = [
            "Unable to open connection to local database",
            "Failed to connect to database:",
            "Cannot open database because",
            "fetch failed",
            "Server returned HTTP status 401",
            "Server returned HTTP status 403",
            "10000: Authentication error",
        ];
        let says = |sentence: &&str| self.message.contains(*sentence);
        let is_known = |code: &str| code.starts_with("08") || code.starts_with("28") || codes.contains(&code);
        self.code.as_deref().is_some_and(is_known) || sentences.iter().any(says)
    }

    /// Returns everything that was said, for looking for causes.
    pub fn text(&self) -> String {
        [Some(self.message.as_str()), self.detail.as_deref(), self.hint.as_deref()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// What drizzle-kit prints when a command did something, and when there was nothing to do.
/// The lines are searched anywhere in a row: 0.21 prints them after a spinner without a line end.
struct Witnesses {
    command: &'static str,
    done: &'static [&'static str],
    nothing: &'static [&'static str],
}

const WITNESSES: [Witnesses; 8] = [
    // push.ts: printed after the last statement; No changes: before anything is asked.
    Witnesses { command: "push", done: &["[✓] Changes applied"], nothing: &["[i] No changes detected"] },
    // migrate.ts and views.ts
    Witnesses {
        command: "generate",
        done: &["[✓] Your SQL migration file ➜"],
        nothing: &["No schema changes, nothing to migrate"],
    },
    Witnesses { command: "migrate", done: &["[✓] migrations applied successfully!"], nothing: &[] },
    Witnesses { command: "drop", done: &["migration successfully dropped"], nothing: &[] },
    Witnesses { command: "check", done: &["Everything's fine"], nothing: &[] },
    Witnesses { command: "up", done: &["Everything's fine"], nothing: &[] },
    // introspect.ts: "You" in some versions and dialects, "Your" in others.
    Witnesses { command: "introspect", done: &["schema file is ready ➜"], nothing: &[] },
    Witnesses { command: "pull", done: &["schema file is ready ➜"], nothing: &[] },
];

/// push.ts: the answer "No, abort" was understood.
const ABORTED: &str = "[x] All changes were aborted";

/// Judges a run by what drizzle-kit 1.0 says of it. It was kept from executing anything.
fn by_envelope(envelope: &Envelope, evidence: &Evidence) -> Outcome {
    match envelope {
        Envelope::Failed(failure) => {
            let error = KitError { message: failure.text(), ..KitError::default() };
            Outcome::Failed { error: Some(error), ended: evidence.ended }
        }
        Envelope::NoChanges => Outcome::NothingToDo,
        Envelope::Explained(_) if evidence.command == "export" => Outcome::Done,
        Envelope::Done | Envelope::Missing(_) | Envelope::Explained(_) if evidence.declined => Outcome::Declined,
        Envelope::Done | Envelope::Missing(_) | Envelope::Explained(_) => Outcome::Unproven,
    }
}

/// Judges a run by what it printed.
pub fn judge(evidence: &Evidence) -> Outcome {
    if let Some(envelope) = evidence.envelope {
        return by_envelope(envelope, evidence);
    }
    let Evidence { text, ended, .. } = *evidence;
    let says = |sentences: &[&str]| text.iter().any(|line| sentences.iter().any(|sentence| line.contains(sentence)));
    // 0.20 calls it `push:pg`, `generate:mysql` and so on.
    let command = evidence.command.split(':').next().unwrap_or_default();
    let witnesses = WITNESSES.iter().find(|witnesses| witnesses.command == command);
    let done = witnesses.is_some_and(|witnesses| says(witnesses.done));

    if evidence.declined {
        return if done { Outcome::Disobeyed } else { Outcome::Declined };
    }
    if let Some(error) = find_error(text) {
        return Outcome::Failed { error: Some(error), ended };
    }
    if ended != Ended::Code(0) {
        return Outcome::Failed { error: None, ended };
    }
    match witnesses {
        _ if says(&[ABORTED]) => Outcome::Unproven,
        Some(_) if done && evidence.must_ask && !evidence.consented => Outcome::Disobeyed,
        Some(_) if !evidence.intact => Outcome::Unproven,
        Some(_) if done => Outcome::Done,
        Some(witnesses) if says(witnesses.nothing) && !evidence.consented => Outcome::NothingToDo,
        Some(_) => Outcome::Unproven,
        // The status is all there is; it is enough where no database could be changed.
        None if evidence.writes_files_only => Outcome::Done,
        None => Outcome::Unproven,
    }
}

/// Finds the first error that was printed, with the properties node prints below it.
pub fn find_error(text: &[String]) -> Option<KitError> {
    /// `error: …` is pg's DatabaseError, `Error  …` drizzle-kit's own label.
    static FIRST: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"^\s*(?:\[[^\]]*\] .*?\.{3})?\s*(?:Uncaught )?(?:(?:[A-Za-z]*[Ee]rror|Err)(?: \[(?<code>[A-Z0-9_]+)\])?: (?<message>.+)|Error  (?<label>.+)|(?<plain>(?:Transform failed|AggregateError|Interactive prompts require|Please install|To connect to .* database).*))$",
        )
    });
    static PROPERTY: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"^\s+\[?(code|detail|hint)\]?: ['"`](.*?)['"`],?\s*\}?$"#));
    let (idx, found) = text.iter().enumerate().find_map(|(idx, line)| Some((idx, FIRST.captures(line)?)))?;
    let part = |name: &str| found.name(name).map(|part| part.as_str().trim().to_owned());
    let mut error = KitError {
        message: part("message").or_else(|| part("label")).or_else(|| part("plain")).unwrap_or_default(),
        code: part("code"),
        ..KitError::default()
    };
    // esbuild names the place on the next line: "Transform failed with 1 error:".
    if error.message.ends_with(':')
        && let Some(next) = text[idx + 1..].iter().find(|line| !line.trim().is_empty())
    {
        error.message = format!("{} {}", error.message, next.trim());
    }
    for line in &text[idx + 1..] {
        if let Some(property) = PROPERTY.captures(line) {
            let slot = match &property[1] {
                "code" => &mut error.code,
                "detail" => &mut error.detail,
                _ => &mut error.hint,
            };
            slot.get_or_insert_with(|| property[2].to_owned());
        }
    }
    // "connect ECONNREFUSED 127.0.0.1:5432" and "SQLITE_ERROR: no such table" carry their code in the sentence.
    static WORD: LazyLock<Regex> = LazyLock::new(|| regex(r"\b(E[A-Z]{4,}|SQLITE_[A-Z_]+)\b"));
    error.code = error.code.or_else(|| Some(WORD.captures(&error.message)?[1].to_owned()));
    Some(error)
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant that a test compiles")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(command: &str, text: &[&str], ended: Ended, consented: bool, declined: bool) -> Outcome {
        let text: Vec<String> = text.iter().map(|line| (*line).to_owned()).collect();
        let must_ask = command.starts_with("push");
        let writes_files_only = command == "export";
        let envelope = None;
        judge(&Evidence {
            command,
            text: &text,
            ended,
            consented,
            declined,
            must_ask,
            intact: true,
            writes_files_only,
            envelope,
        })
    }

    #[test]
    fn exit_0_after_a_failed_statement_is_not_success() {
        let text = [
            "error: column \"age\" cannot be cast automatically to type integer",
            "    at pg/lib/client.js:535:17 {",
            "  length: 170,",
            "  severity: 'ERROR',",
            "  code: '42804',",
            "  detail: undefined,",
            "  hint: 'You might need to specify \"USING age::integer\".',",
            "}",
        ];
        let Outcome::Failed { error: Some(error), .. } = check("push", &text, Ended::Code(0), true, false) else {
            panic!("it failed");
        };
        assert_eq!(error.message, "column \"age\" cannot be cast automatically to type integer");
        assert_eq!(error.code.as_deref(), Some("42804"));
        assert_eq!(error.hint.as_deref(), Some("You might need to specify \"USING age::integer\"."));
    }

    #[test]
    fn the_witness_decides_and_not_the_status() {
        let applied = ["[✓] Pulling schema from database...[✓] Changes applied"];
        let ok = Ended::Code(0);
        assert_eq!(check("push", &applied, ok, true, false), Outcome::Done);
        assert_eq!(check("push", &applied, ok, false, false), Outcome::Disobeyed);
        assert_eq!(check("push", &applied, ok, true, true), Outcome::Disobeyed);
        assert_eq!(
            check("push", &applied, Ended::Signal(9), true, false),
            Outcome::Failed { error: None, ended: Ended::Signal(9) }
        );
        assert_eq!(check("push", &["[i] No changes detected"], ok, false, false), Outcome::NothingToDo);
        assert_eq!(check("push", &["[i] No changes detected"], ok, true, false), Outcome::Unproven);
        assert_eq!(check("push", &[], ok, true, false), Outcome::Unproven);
        assert_eq!(check("push", &["[x] All changes were aborted"], ok, false, false), Outcome::Unproven);
        assert_eq!(check("push", &["[x] All changes were aborted"], ok, false, true), Outcome::Declined);
        assert_eq!(
            check("generate", &["[✓] Your SQL migration file ➜ drizzle/0000_x.sql 🚀"], ok, false, false),
            Outcome::Done
        );
        assert_eq!(check("export", &["CREATE TABLE …"], ok, false, false), Outcome::Done);
        let ready = ["[✓] You schema file is ready ➜ drizzle/schema.ts 🚀"];
        assert_eq!(check("introspect:pg", &ready, ok, false, false), Outcome::Done);
        assert_eq!(check("introspect", &["[✓] 1 tables fetched"], ok, false, false), Outcome::Unproven);
        assert_eq!(check("push:pg", &["[✓] Changes applied"], ok, true, false), Outcome::Done);
    }

    #[test]
    fn a_database_that_cannot_be_reached_is_known_for_every_driver() {
        let check = |message: &str, code: Option<&str>, expected: bool| {
            let error = KitError { message: message.to_owned(), code: code.map(str::to_owned), ..KitError::default() };
            assert_eq!(error.is_connection(), expected, "{error:?}");
        };
        for code in ["ECONNREFUSED", "28P01", "3D000", "ER_ACCESS_DENIED_ERROR", "ER_BAD_DB_ERROR", "SQLITE_NOTADB"] {
            check("some words", Some(code), true);
        }
        for sentence in [
            "ConnectionFailed(\"Unable to open connection to local database no/such/x.db: 14\")",
            "Failed to connect to database: `no/such/x.db`",
            "Cannot open database because the directory does not exist",
            "fetch failed",
            "10000: Authentication error",
        ] {
            check(sentence, None, true);
        }
        for code in ["42P01", "ER_NO_SUCH_TABLE", "SQLITE_ERROR"] {
            check("some words", Some(code), false);
        }
        check("some words", None, false);
    }

    #[test]
    fn errors_are_read_in_every_form_seen() {
        let check = |text: &[&str], message: &str, code: Option<&str>| {
            let text: Vec<String> = text.iter().map(|line| (*line).to_owned()).collect();
            let error = find_error(&text).expect("there is an error");
            assert_eq!((error.message.as_str(), error.code.as_deref()), (message, code));
        };
        check(
            &["[⣷] Pulling schema from database...Error: connect ECONNREFUSED 127.0.0.1:1"],
            "connect ECONNREFUSED 127.0.0.1:1",
            Some("ECONNREFUSED"),
        );
        check(&["LibsqlError: SQLITE_ERROR: no such table: x"], "SQLITE_ERROR: no such table: x", Some("SQLITE_ERROR"));
        check(&["AggregateError [ECONNREFUSED]: "], "AggregateError [ECONNREFUSED]:", Some("ECONNREFUSED"));
        check(
            &[" Error  No schema files found for path config ['./nope.ts']"],
            "No schema files found for path config ['./nope.ts']",
            None,
        );
        assert_eq!(find_error(&["[✓] Changes applied".to_owned()]), None);
    }
}
