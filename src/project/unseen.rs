//! Says how a command ends whose own inspection of the database saw nothing: it was told to end, its time is over, or the
//! database cannot be used.

use crate::clock::Clock;
use crate::db::ConnectError;
use crate::outcome::{Error, Exit, Verdict, signal_name};

/// Returns the verdict for a look that saw nothing. It is one for a run that executed nothing.
pub fn verdict(error: &ConnectError, clock: &Clock) -> Verdict {
    match error {
        ConnectError::Interrupted { signal, .. } => {
            let summary = format!("stopped by {}, before consent", signal_name(*signal));
            Verdict::nothing(Exit::Signal(*signal), summary)
        }
        error if clock.is_over() && error.is_silence() => {
            Verdict::nothing(Exit::Timeout, format!("{error}, before consent")).hint(error.hint())
        }
        error => unavailable(error),
    }
}

fn unavailable(error: &ConnectError) -> Verdict {
    let code = error.sqlstate().map(|code| format!(" ({code})")).unwrap_or_default();
    let cause = Error {
        sqlstate: error.sqlstate().map(str::to_owned),
        message: error.to_string(),
        hint: Some(error.hint()),
        ..Error::default()
    };
    Verdict::nothing(Exit::Unavailable, format!("{error}{code}")).hint(error.hint()).because(cause)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::db::Dsn;

    /// Checks the exit codes of an error while time is left and when it is over.
    #[track_caller]
    fn check(make: impl Fn(Box<crate::db::connection::url::Address>) -> ConnectError, in_time: Exit, over: Exit) {
        let dsn = Dsn::from_url("postgres://app@db/shop", &|_| None).expect("the URL is right");
        let error = make(Box::new(dsn.address().clone()));
        let now = Instant::now();
        let codes = [Duration::from_secs(60), Duration::ZERO].map(|timeout| {
            let seen = verdict(&error, &Clock::new(now, timeout));
            assert_eq!(seen.database, crate::outcome::Database::Unchanged, "{seen:?}");
            seen.exit
        });
        assert_eq!(codes, [in_time, over], "{error:?}");
    }

    #[test]
    fn a_signal_and_a_deadline_are_not_an_unavailable_database() {
        const WITHIN: Duration = Duration::from_secs(10);
        let other = |sqlstate: &'static str| {
            move |at| ConnectError::Other { at, sqlstate: Some(sqlstate.to_owned()), message: String::new() }
        };
        check(|at| ConnectError::Interrupted { at, signal: 15 }, Exit::Signal(15), Exit::Signal(15));
        check(|at| ConnectError::Mute { at, within: WITHIN }, Exit::Unavailable, Exit::Timeout);
        check(|at| ConnectError::TimedOut { at, within: WITHIN }, Exit::Unavailable, Exit::Timeout);
        check(other("55P03"), Exit::Unavailable, Exit::Timeout);
        check(other("57014"), Exit::Unavailable, Exit::Timeout);
        check(other("42501"), Exit::Unavailable, Exit::Unavailable);
        check(|at| ConnectError::Refused { at }, Exit::Unavailable, Exit::Unavailable);
    }
}
