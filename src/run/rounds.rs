//! Runs drizzle-kit 1.0 in rounds: each is a process of its own that is held like every other, and gets the answers of those
//! before it. Of what it sends, reads pass, and from the first statement on that is none everything is kept.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::cli::Shared;
use crate::kit::command::{Call, Kit};
use crate::kit::config::{Config, ConfigError, KitSession};
use crate::kit::config_file::ConfigFile;
use crate::kit::driver::{self, Reply, Supervisor as _};
use crate::kit::hints::hint::Hint;
use crate::kit::hints::rounds::{self, Purpose};
use crate::kit::hook_channel::Go;
use crate::kit::prompt::Prompt;
use crate::kit::run::{Held, KitRun, Passage};
use crate::kit::session::Answer;
use crate::outcome::Verdict;
use crate::project::kit;
use crate::run::context::Starting;
use crate::run::supervisor::Supervisor;
use crate::sql;
use crate::term::redact::Secrets;
use crate::term::stream::FileRecorder;

/// What every round is started with.
pub(super) struct Rounds<'r, 'a> {
    pub start: &'r Starting<'r>,
    pub kit: &'r Kit,
    pub kit_args: &'r [OsString],
    pub config: Option<&'r ConfigFile>,
    /// Takes the terminal of the first.
    pub recorder: Option<FileRecorder>,
    pub supervisor: &'r mut Supervisor<'a>,
    /// The config that was cleared, and what drizzle-kit went on with.
    pub cleared: Option<(Config, Box<Go>)>,
}

impl rounds::Rounds for Rounds<'_, '_> {
    type Error = Verdict;

    #[tracing::instrument(name = "round", skip_all)]
    fn run(&mut self, hints: &[Hint], purpose: Purpose) -> Result<rounds::Round, Verdict> {
        let Starting { cwd, shared, clock, spec, .. } = self.start;
        let hints = Some((hints, purpose));
        let call = Call { cwd, args: self.kit_args, config: self.config, asks: spec.asks_first(), hints };
        let started = kit::start(self.recorder.take(), |channel| self.kit.start(&call, channel))?;
        let shared = Shared { timeout: clock.rest(), ..(*shared).clone() };
        let mut round = Round { supervisor: self.supervisor, cleared: &mut self.cleared, kept: Vec::new() };
        let run: KitRun = started.drive(&shared, &mut round)?;
        let kept = round.kept;
        tracing::info!(?purpose, n_kept = kept.len(), envelope = run.out.trim(), "drizzle-kit's round is over");
        Ok(rounds::Round { run, kept })
    }

    fn ask(&mut self, prompt: &Prompt) -> Answer {
        self.supervisor.ask(prompt)
    }
}

/// The supervisor of one round.
struct Round<'r, 'a> {
    supervisor: &'r mut Supervisor<'a>,
    cleared: &'r mut Option<(Config, Box<Go>)>,
    kept: Vec<String>,
}

impl driver::Supervisor for Round<'_, '_> {
    fn config(&mut self, config: &Config) -> Reply {
        match self.cleared {
            Some((known, go)) if known == config => self.supervisor.proceed_again(go),
            Some(_) => self.supervisor.config_changed(),
            None => {
                let reply = self.supervisor.config(config);
                if let Reply::Proceed { go, .. } = &reply {
                    *self.cleared = Some((config.clone(), go.clone()));
                }
                reply
            }
        }
    }

    fn ask(&mut self, prompt: &Prompt) -> Answer {
        Answer::Unclear(format!("drizzle-kit 1.0 asks at the terminal: {}", prompt.headline()))
    }

    fn session(&mut self, session: &KitSession) -> Result<(), Held> {
        self.supervisor.session(session)
    }

    fn query(&mut self, query: &str, consented: bool) -> Result<Passage, Held> {
        // A statement may begin as a read does: `SELECT setval(…)`. It is never the first; and what comes of a read that is not
        // known must not be what comes of an empty database.
        if self.kept.is_empty() {
            match self.supervisor.query(query, consented) {
                Err(Held::Query(_)) if sql::read_only::defines(query) => {}
                passage => return passage,
            }
        }
        tracing::debug!(query, "kept from the server");
        self.kept.push(query.to_owned());
        Ok(Passage::Kept)
    }

    fn is_executing(&mut self, _: bool) -> bool {
        false
    }

    fn has_lock(&mut self) -> bool {
        self.supervisor.has_lock()
    }

    fn config_failed(&mut self, failed: &ConfigError) -> Secrets {
        self.supervisor.config_failed(failed)
    }

    fn loaded(&mut self, file: PathBuf) {
        self.supervisor.loaded(file);
    }

    fn printed(&mut self, text: &str) {
        self.supervisor.printed(text);
    }

    fn progress(&mut self, line: &str) {
        self.supervisor.progress(line);
    }
}
