//! What drizzle-kit's driver calls back during a run: lets it go on, answers its questions, and holds what it sends.

use std::os::fd::AsFd;
use std::path::PathBuf;

use crate::command_name::CommandName;
use crate::db::Connection;
use crate::db::inspect::backends;
use crate::kit::config::{Config, ConfigError, KitSession};
use crate::kit::driver::{self, Reply};
use crate::kit::hook_channel::Go;
use crate::kit::mariadb;
use crate::kit::prompt::Prompt;
use crate::kit::run::{Held, Passage};
use crate::kit::session::Answer;
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::project::secrets;
use crate::run::answer;
use crate::run::clearance;
use crate::run::context::{Cleared, OURSELVES, Starting};
use crate::run::record::{Approval, RunRecord, Stop};
use crate::run::session;
use crate::run::spec::{Asks, Touches};
use crate::sql::{self, Dialect};
use crate::term::redact::Secrets;

/// The supervisor of one run.
pub(super) struct Supervisor<'a> {
    start: &'a Starting<'a>,
    phase: Phase,
    record: RunRecord<'a>,
    console: &'a mut Console,
    /// What the project's own files have printed, and nobody was shown.
    printed: String,
}

/// How far a run has come.
enum Phase {
    /// drizzle's config was not seen yet, or drizzle-kit may not go on.
    Starting,
    Cleared(Box<Cleared>),
}

/// What a supervisor leaves behind.
pub(super) struct Supervised<'a> {
    pub record: RunRecord<'a>,
    /// None where drizzle-kit was never let at its database.
    pub cleared: Option<Box<Cleared>>,
    pub console: &'a mut Console,
}

impl<'a> Supervisor<'a> {
    /// Makes the supervisor of a run that is about to start.
    pub(super) fn new(start: &'a Starting<'a>, record: RunRecord<'a>, console: &'a mut Console) -> Supervisor<'a> {
        Supervisor { start, phase: Phase::Starting, record, console, printed: String::new() }
    }

    /// Ends the supervision.
    pub(super) fn end(self) -> Supervised<'a> {
        let cleared = match self.phase {
            Phase::Starting => None,
            Phase::Cleared(cleared) => Some(cleared),
        };
        Supervised { record: self.record, cleared, console: self.console }
    }

    fn clear(&mut self, config: &Config) -> Result<Reply, Verdict> {
        let config = self.start.spec.overlay.over(config);
        let (cleared, env) = clearance::clear(self.start, &config, &mut self.record, self.console)?;
        let go = clearance::go(self.start, &cleared, env);
        let reply = self.proceed(&cleared, go)?;
        let target = cleared.place.dsn.as_ref().map(ToString::to_string);
        tracing::info!(target, profile = cleared.policy.profile(), apply = ?cleared.apply, "drizzle-kit may go on");
        self.phase = Phase::Cleared(Box::new(cleared));
        Ok(reply)
    }

    /// Lets drizzle-kit go on, with an eye on the lock.
    fn proceed(&self, cleared: &Cleared, go: Go) -> Result<Reply, Verdict> {
        let watched = cleared.lock(self.start).map(|lock| lock.as_fd().try_clone_to_owned()).transpose();
        let lock = watched.map_err(|error| Verdict::internal("watching the lock", &error))?;
        Ok(Reply::Proceed { go: Box::new(go), lock, secrets: self.console.secrets().clone() })
    }

    /// Ends a run before drizzle-kit goes on.
    fn abort(&mut self, verdict: Verdict) -> Reply {
        tracing::info!(outcome = verdict.exit.name(), verdict.summary, "drizzle-kit may not go on");
        self.record.stop(Stop::Verdict(verdict));
        Reply::Abort
    }

    /// Lets drizzle-kit go on as it did before in this run, with the same config.
    pub(super) fn proceed_again(&mut self, go: &Go) -> Reply {
        let Phase::Cleared(cleared) = &self.phase else { return Reply::Abort };
        let reply = self.proceed(cleared, go.clone());
        reply.unwrap_or_else(|verdict| self.abort(verdict))
    }

    /// Ends a run in which drizzle's config is not what it was.
    pub(super) fn config_changed(&mut self) -> Reply {
        let summary = "drizzle's config gave something else when drizzle-kit was run again";
        let verdict = Verdict::nothing(Exit::Config, summary)
            .hint("its values, those of dbCredentials included, must be the same each time it is loaded");
        self.abort(verdict)
    }

    /// Shows the lines that the project's own files have printed. Before the config is known so are its secrets, and nothing
    /// is shown.
    fn show_printed(&mut self) {
        const MOST: usize = 1 << 20; // bytes that wait, and of one line
        self.printed.truncate(self.printed.floor_char_boundary(MOST));
        if self.record.report.target.is_none() {
            return;
        }
        while let Some(end) = self.printed.find('\n') {
            let line: String = self.printed.drain(..=end).collect();
            let line = format!("  project: {}", line.trim_end());
            // `run` stands for drizzle-kit itself, which would show it.
            if self.start.spec.command == CommandName::Run {
                self.console.say(&line)
            } else {
                self.console.detail(&line)
            }
        }
    }
}

impl driver::Supervisor for Supervisor<'_> {
    fn config_failed(&mut self, failed: &ConfigError) -> Secrets {
        self.console.hide(|secrets| secrets::add_variables(secrets, &failed.variables, &[]));
        self.console.secrets().clone()
    }

    fn config(&mut self, config: &Config) -> Reply {
        self.record.report.timings.config_ms = Some(self.start.clock.elapsed().as_secs_f64() * 1e3);
        let cleared = self.clear(config);
        self.show_printed();
        cleared.unwrap_or_else(|verdict| self.abort(verdict))
    }

    fn ask(&mut self, prompt: &Prompt) -> Answer {
        let n_judged = self.record.report.statements.len();
        let answer = match &mut self.phase {
            Phase::Cleared(cleared) => answer::answer(self.start, cleared, prompt, &mut self.record, self.console),
            // The target is known once the config was seen, and then drizzle-kit was made to ask before executing as well.
            Phase::Starting => Answer::Unclear(
                "drizzle-kit asked before drizzle-pilot saw its config, so its target is unknown".to_owned(),
            ),
        };
        for statement in self.record.report.statements.iter().skip(n_judged) {
            let hazards: Vec<&str> = statement.hazards.iter().map(|hazard| hazard.hazard.as_str()).collect();
            let (verdict, rule) = (statement.verdict.word(), statement.rule.as_deref());
            tracing::info!(statement.sql, hazards = hazards.join(" "), statement.rows, verdict, rule, "judged");
        }
        let choice = match &answer {
            Answer::Choose(choice) => prompt.choices[*choice].trim_end(),
            Answer::Decline => "declined",
            Answer::Unclear(reason) => reason,
        };
        tracing::info!(question = prompt.headline(), choice, rule = self.record.answers.rules.last(), "answered");
        answer
    }

    fn session(&mut self, session: &KitSession) -> Result<(), Held> {
        match &mut self.phase {
            Phase::Cleared(cleared) => session::take(self.start, cleared, session, &mut self.record, self.console),
            Phase::Starting => {
                Err(Held::Runner("drizzle-kit connected before drizzle-pilot saw its config".to_owned()))
            }
        }
    }

    fn query(&mut self, query: &str, consented: bool) -> Result<Passage, Held> {
        let Phase::Cleared(cleared) = &self.phase else {
            return Err(Held::Runner("drizzle-kit sent a query before drizzle-pilot saw its config".to_owned()));
        };
        if let (Approval::Kit(approved), true) = (&mut self.record.approval, consented)
            && approved.take(query)
        {
            return Ok(Passage::Sent);
        }
        sql::read_only::reads(query, cleared.place.dialect.unwrap_or(Dialect::Postgres)).map_err(|reason| {
            let approved = if consented { "is not the one that was approved" } else { "was not approved" };
            let query = sql::excerpt(query);
            Held::Query(format!(
                "drizzle-kit was about to send a query that {approved} and is not read-only ({reason}): {query}"
            ))
        })?;
        let instead = match &cleared.sessions.mysql {
            Some(server) if server.is_mariadb() => mariadb::as_mysql(query),
            _ => cleared.unlisted.without(query),
        };
        Ok(instead.map_or(Passage::Sent, Passage::Instead))
    }

    fn is_executing(&mut self, consented: bool) -> bool {
        let spec = self.start.spec;
        let executes = consented || (spec.asks == Asks::AsItLikes && spec.touches == Touches::Database);
        let of_this_run = match &self.phase {
            Phase::Cleared(cleared) => self.start.of_this_run(cleared),
            Phase::Starting => None,
        };
        match of_this_run {
            Some(dsn) if executes => {
                let connection = Connection::to(dsn, OURSELVES, "");
                let patience = self.start.patience();
                let looked =
                    connection.and_then(|connection| backends::is_busy(&connection, &self.start.run_id, patience));
                looked.unwrap_or(false)
            }
            // Nobody can be asked. What was consented to is not cut off half way.
            _ => consented,
        }
    }

    fn has_lock(&mut self) -> bool {
        let Phase::Cleared(cleared) = &self.phase else { return true };
        if cleared.has_lost_lock(self.start) {
            self.record.stop(Stop::LockLost);
            return false;
        }
        true
    }

    fn loaded(&mut self, file: PathBuf) {
        if let Phase::Cleared(cleared) = &mut self.phase {
            cleared.files.loaded.insert(file);
        }
    }

    fn printed(&mut self, text: &str) {
        self.printed.push_str(text);
        self.show_printed();
    }

    fn progress(&mut self, line: &str) {
        self.console.progress(line);
    }
}
