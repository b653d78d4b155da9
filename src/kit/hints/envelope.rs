//! Reads what drizzle-kit 1.0 prints for programs (`--output json`): one line, the last, that says what came of the run.
//! Pure: text and exit status in, value out.

use serde_json::{Map, Value};

use crate::kit::hints::hint::Item;
use crate::term::ended::Ended;

/// What drizzle-kit says of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Envelope {
    /// It did what it was asked to.
    Done,
    NoChanges,
    /// It wants to know these, in the order in which it depends on them.
    Missing(Vec<Item>),
    /// What it would do, as objects of its own (`--explain`).
    Explained(Vec<Value>),
    Failed(Failure),
}

/// Why drizzle-kit failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    pub code: String,
    /// The rest of what it says.
    pub details: Map<String, Value>,
}

/// Why nothing is known of a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("drizzle-kit ended with exit status 0 and printed no result; a config that ends the process does that")]
    Silent,
    #[error("drizzle-kit printed {0} results instead of one")]
    Several(usize),
    #[error("drizzle-kit's result is not the last line that was printed: {0:?} follows")]
    NotLast(String),
    #[error("drizzle-kit's result cannot be read: {0}")]
    Unknown(String),
    #[error("drizzle-kit says {status:?} and ended with {ended}")]
    Unfit { status: String, ended: String },
}

/// Reads what was printed on the standard output of a run that ended so. None where drizzle-kit failed and gave no reason,
/// as it does on a database that cannot be read.
///
/// # Errors
/// With the reason, where what was printed is not one result that fits.
pub fn read(out: &str, ended: Ended) -> Result<Option<Envelope>, Unreadable> {
    let lines: Vec<&str> = out.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let results: Vec<(usize, Map<String, Value>)> =
        lines.iter().enumerate().filter_map(|(idx, line)| Some((idx, result(line)?))).collect();
    let (idx, object) = match results.as_slice() {
        [] if ended == Ended::Code(0) => return Err(Unreadable::Silent),
        [] => return Ok(None),
        [only] => only,
        several => return Err(Unreadable::Several(several.len())),
    };
    if let Some(line) = lines.get(idx + 1) {
        return Err(Unreadable::NotLast((*line).to_owned()));
    }
    let status = object["status"].as_str().unwrap_or_default();
    let fits = match status {
        "ok" | "no_changes" => ended == Ended::Code(0),
        "missing_hints" => ended == Ended::Code(2),
        _ => ended == Ended::Code(1),
    };
    if !fits {
        let ended = match ended {
            Ended::Code(code) => format!("exit status {code}"),
            Ended::Signal(signal) => format!("signal {signal}"),
        };
        return Err(Unreadable::Unfit { status: status.to_owned(), ended });
    }
    let unknown = |reason: String| Unreadable::Unknown(reason);
    Ok(Some(match status {
        "no_changes" => Envelope::NoChanges,
        "missing_hints" => Envelope::Missing(items(object)?),
        "ok" => match object.get("statements") {
            None => Envelope::Done,
            Some(Value::Array(statements)) => Envelope::Explained(statements.clone()),
            Some(_) => return Err(unknown("its statements are no list".to_owned())),
        },
        _ => {
            let error = object.get("error").and_then(Value::as_object);
            let error = error.ok_or_else(|| unknown("it has no error".to_owned()))?;
            let code = error.get("code").and_then(Value::as_str);
            let code = code.ok_or_else(|| unknown("its error has no code".to_owned()))?.to_owned();
            Envelope::Failed(Failure { code, details: error.clone() })
        }
    }))
}

/// Reads a line that is a result of one of the four kinds.
fn result(line: &str) -> Option<Map<String, Value>> {
    let Ok(Value::Object(object)) = serde_json::from_str(line) else { return None };
    let is_known = |status: &str| ["ok", "no_changes", "missing_hints", "error"].contains(&status);
    object.get("status")?.as_str().is_some_and(is_known).then_some(object)
}

fn items(object: &Map<String, Value>) -> Result<Vec<Item>, Unreadable> {
    let unresolved = object.get("unresolved").cloned().unwrap_or_default();
    let items: Vec<Item> = serde_json::from_value(unresolved)
        .map_err(|error| Unreadable::Unknown(format!("this version does not know what it asks ({error})")))?;
    match items.iter().find(|item| !item.is_whole()) {
        Some(item) => Err(Unreadable::Unknown(format!("a name has the wrong number of parts: {item:?}"))),
        None if items.is_empty() => Err(Unreadable::Unknown("it asks nothing".to_owned())),
        None => Ok(items),
    }
}

impl Failure {
    /// Returns what it says in words.
    pub fn text(&self) -> String {
        let text = |key: &str| self.details.get(key).and_then(Value::as_str).map(str::to_owned);
        let message = text("message").or_else(|| Some(format!("a query failed: {}", text("sql")?)));
        message.unwrap_or_else(|| {
            let rest = self.details.iter().filter(|(key, _)| *key != "code" && *key != "issues");
            let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let rest = rest.map(|(key, value)| format!("{key} {}", shown(value)));
            [self.code.replace('_', " ")].into_iter().chain(rest).collect::<Vec<_>>().join("; ")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(out: &str, ended: Ended, expected: &str) {
        let found = match read(out, ended) {
            Ok(None) => "nothing".to_owned(),
            Ok(Some(Envelope::Failed(failure))) => format!("failed: {}", failure.text()),
            Ok(Some(envelope)) => format!("{envelope:?}"),
            Err(unreadable) => format!("unreadable: {unreadable}"),
        };
        assert_eq!(found, expected, "{out}");
    }

    #[test]
    fn one_line_that_fits_is_a_result() {
        check(r#"{"status":"ok","dialect":"postgresql"}"#, Ended::Code(0), "Done");
        check("my config says hello\n{\"status\":\"no_changes\"}\r\n", Ended::Code(0), "NoChanges");
        check(r#"{"status":"ok","statements":[],"hints":[]}"#, Ended::Code(0), "Explained([])");
        let missing =
            r#"{"status":"missing_hints","unresolved":[{"type":"rename_or_create","kind":"schema","entity":["a"]}]}"#;
        check(missing, Ended::Code(2), "Missing([RenameOrCreate { kind: Schema, entity: [\"a\"] }])");
        let failed = r#"{"status":"error","error":{"code":"query_error","sql":"DROP TABLE a","params":[]}}"#;
        check(failed, Ended::Code(1), "failed: a query failed: DROP TABLE a");
        let params = r#"{"status":"error","error":{"code":"missing_required_params_error","params":["dialect"]}}"#;
        check(params, Ended::Code(1), "failed: missing required params error; params [\"dialect\"]");
        check("", Ended::Code(1), "nothing");
        check("", Ended::Signal(9), "nothing");
    }

    #[test]
    fn everything_else_is_none() {
        const OK: &str = r#"{"status":"ok"}"#;
        let check = |out: &str, ended, reason: &str| check(out, ended, &format!("unreadable: {reason}"));
        check(
            "",
            Ended::Code(0),
            "drizzle-kit ended with exit status 0 and printed no result; a config that ends the process does that",
        );
        check(&format!("hello{OK}"), Ended::Code(0), &Unreadable::Silent.to_string());
        check(&format!("{OK}\n{OK}"), Ended::Code(0), "drizzle-kit printed 2 results instead of one");
        check(
            &format!("{OK}\nbye"),
            Ended::Code(0),
            "drizzle-kit's result is not the last line that was printed: \"bye\" follows",
        );
        check(OK, Ended::Code(1), "drizzle-kit says \"ok\" and ended with exit status 1");
        check(OK, Ended::Signal(9), "drizzle-kit says \"ok\" and ended with signal 9");
        check(
            r#"{"status":"ok","statements":1}"#,
            Ended::Code(0),
            "drizzle-kit's result cannot be read: its statements are no list",
        );
        check(
            r#"{"status":"missing_hints","unresolved":[]}"#,
            Ended::Code(2),
            "drizzle-kit's result cannot be read: it asks nothing",
        );
    }
}
