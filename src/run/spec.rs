//! What a run is started for, and what it may do. Values only.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use crate::command_name::CommandName;
use crate::db::limits;
use crate::kit::config::Overlay;
use crate::outcome::Database;
use crate::output::record::View;
use crate::policy::Policy;
use crate::policy::model::Apply;

/// What drizzle-kit is started for.
#[derive(Debug)]
pub struct RunSpec<'a> {
    /// Our own command.
    pub command: CommandName,
    /// The drizzle-kit command and its arguments.
    pub kit_args: &'a [OsString],
    pub asks: Asks,
    pub touches: Touches,
    pub consent: Consent<'a>,
    /// None: what the policy says. Of a plan, what the plan says.
    pub apply: Option<Apply>,
    pub accept_data_loss: bool,
    /// What drizzle-kit gets otherwise than the project's config says.
    pub overlay: Overlay,
    pub lock: Locking,
}

/// What is answered to the last question.
#[derive(Debug, Clone, Copy)]
pub enum Consent<'a> {
    /// What the policy says.
    ByPolicy,
    /// What the policy says, if everything is still as it was planned.
    Planned,
    /// "No, abort", whatever the policy says: only the plan is wanted.
    Never(Keep<'a>),
}

/// What becomes of a plan beside its being shown.
#[derive(Debug, Clone, Copy)]
pub enum Keep<'a> {
    Nothing,
    /// It is written to this file, and may be used for so long.
    File(&'a Path, Duration),
}

/// Whether drizzle-kit is made to ask before it executes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// Yes, always, whatever the project's config says; it shows the statements first.
    BeforeExecuting,
    AsItLikes,
}

/// Whether no other run of this program may change the database meanwhile.
#[derive(Debug, Clone, Copy)]
pub enum Locking {
    /// Others may.
    None,
    /// The run takes the lock before drizzle-kit connects, waits so long for another to end, and keeps it to its own end.
    Take {
        wait: Duration,
        /// It was asked for on the command line, and is no default.
        is_asked: bool,
    },
    /// The lock is held for this run by who started it.
    Held,
}

impl Locking {
    /// Returns how long the run waits for others who hold what it needs in the database.
    pub fn wait(self) -> Duration {
        match self {
            Locking::Take { wait, .. } => wait.min(limits::TABLES),
            Locking::None | Locking::Held => limits::TABLES,
        }
    }
}

/// What a command may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touches {
    Database,
    /// A database is looked at, and stays as it is.
    Reads,
    Files,
}

impl<'a> RunSpec<'a> {
    /// Returns the run to find out what drizzle-kit would execute, with nothing kept and no policy loosened.
    pub fn to_look(command: CommandName, kit_args: &'a [OsString], overlay: Overlay) -> RunSpec<'a> {
        RunSpec {
            command,
            kit_args,
            asks: Asks::BeforeExecuting,
            touches: Touches::Reads,
            consent: Consent::Never(Keep::Nothing),
            apply: Some(Apply::Kit),
            accept_data_loss: false,
            overlay,
            lock: Locking::None,
        }
    }
}

impl RunSpec<'_> {
    /// Returns who executes the statements, by what was asked for or planned, and by what the policy says.
    pub fn apply_by(&self, policy: &Policy) -> Apply {
        self.apply.unwrap_or_else(|| policy.apply().0)
    }

    /// Tells whether drizzle-kit is made to ask before it executes.
    pub fn asks_first(&self) -> bool {
        self.asks == Asks::BeforeExecuting
    }

    /// Tells whether drizzle-kit reads the catalog, to compare it with the schema files or to write them.
    pub fn reads_catalog(&self) -> bool {
        self.asks_first() || self.touches == Touches::Reads
    }

    /// Tells whether drizzle-kit may send no query but reads, and what was approved.
    pub fn holds(&self) -> bool {
        self.asks_first() || self.touches != Touches::Database
    }

    /// Tells whether drizzle-kit is asked to execute what it shows, once that is approved.
    pub fn executes(&self) -> bool {
        self.asks_first() && !self.only_plans()
    }

    /// Returns how the run is shown.
    pub fn view(&self) -> View {
        if self.only_plans() { View::Plan } else { View::Run }
    }

    /// Tells whether only the plan is wanted.
    pub fn only_plans(&self) -> bool {
        matches!(self.consent, Consent::Never(_))
    }

    /// Tells whether the command tells itself how the database differs from the schema files, pending statements or not.
    pub fn tells_differences(&self) -> bool {
        self.command == CommandName::Check && self.asks_first()
    }

    /// Tells whether a database is connected to.
    pub fn connects(&self) -> bool {
        matches!(self.touches, Touches::Database | Touches::Reads)
    }

    /// Returns the name of the drizzle-kit command.
    pub fn kit_command(&self) -> String {
        self.kit_args.first().map(|command| command.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Returns the name among our own commands of what `run` has drizzle-kit do. The other commands are what they are
    /// called: a plan uses drizzle-kit's push, and is none.
    pub fn known_as(&self) -> Option<CommandName> {
        if self.command != CommandName::Run {
            return None;
        }
        let command = self.kit_command();
        let name = command.split(':').next().unwrap_or_default(); // 0.20 says `push:pg`
        [CommandName::Push, CommandName::Generate, CommandName::Migrate, CommandName::Check]
            .into_iter()
            .find(|known| known.as_str() == name)
    }

    /// Tells whether the command works by the config file; drizzle-kit's questions about itself do not.
    pub fn reads_config(&self) -> bool {
        !self.kit_command().starts_with('-') && !matches!(self.kit_command().as_str(), "help" | "version")
    }

    /// Returns what is known about the database when drizzle-kit failed. Before its config was cleared it has no database
    /// to change.
    pub fn left(&self, consented: bool, cleared: bool) -> Database {
        match (self.asks, self.touches) {
            (_, Touches::Files) => Database::Unchanged,
            _ if consented => Database::Maybe,
            (Asks::BeforeExecuting, _) | (_, Touches::Reads) => Database::Unchanged,
            (Asks::AsItLikes, Touches::Database) if !cleared => Database::Unchanged,
            (Asks::AsItLikes, Touches::Database) => Database::Maybe,
        }
    }

    /// Returns the command that executes a plan of this run, and nothing else.
    pub fn push_of_plan(&self, file: &str) -> String {
        let mut words = vec!["push".to_owned(), "--plan".to_owned(), shell_words::quote(file).into_owned()];
        words.extend(self.accept_data_loss.then(|| "--accept-data-loss".to_owned()));
        let kit_args: Vec<String> =
            self.kit_args.iter().skip(1).map(|arg| shell_words::quote(&arg.to_string_lossy()).into_owned()).collect();
        if !kit_args.is_empty() {
            words.push("--".to_owned());
            words.extend(kit_args);
        }
        words.join(" ")
    }

    /// Tells whether what drizzle-kit prints is what the command is run for.
    pub fn prints_its_result(&self) -> bool {
        self.command == CommandName::Run && self.kit_command() == "export"
    }
}
