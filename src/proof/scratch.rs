//! Makes the schema that statements make of an empty database: chooses the server for it, and has them run there.
//!
//! A server that is given comes first. Statements that somebody has written run on a throwaway server, where PostgreSQL is
//! installed, and what drizzle-kit has generated on the target's own, which is faster than to start one. The target's server
//! is used only for what stays within a database, and a program or a file of the machine for nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::cli::Shared;
use crate::db::change::scratch::{self, Blueprint, Built, ScratchError, Site};
use crate::db::change::surroundings::{self, Surroundings};
use crate::db::change::throwaway::{self, Binaries, Throwaway};
use crate::db::inspect::reach::Relation;
use crate::db::{ConnectError, Dsn};
use crate::files;
use crate::policy::Policy;
use crate::proof::cache;
use crate::proof::confine;
use crate::proof::services;
use crate::sql::action::confined::{Confined, Leaves, Server};

/// What is to be made.
pub struct Wanted<'a> {
    /// The database that it is compared with.
    pub dsn: &'a Dsn,
    /// One query each, as drizzle's migrator sends them.
    pub statements: &'a [String],
    /// How many of them belong to each file, in their order.
    pub files: &'a [usize],
    /// The migrations table, where the database has it.
    pub migrations_table: Option<Relation>,
    pub origin: Origin,
    pub settings: &'a Settings,
}

/// Who has written the statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// They are migrations, and may be anything.
    Migrations,
    /// drizzle-kit has, just now, from the schema files.
    Generated,
}

/// Where the user wants it made.
#[derive(Debug, Clone)]
pub struct Settings {
    url: Option<String>,
    starts: bool,
    prelude: Option<PathBuf>,
    caches: bool,
    /// The project's folder.
    cwd: PathBuf,
}

impl Settings {
    /// Returns what the command line and the policy say.
    pub fn of(shared: &Shared, policy: &Policy, cwd: &Path) -> Settings {
        let scratch = policy.scratch();
        Settings {
            url: shared.scratch_url.clone().or_else(|| scratch.url.clone()),
            starts: scratch.starts,
            prelude: scratch.prelude.as_ref().map(|file| cwd.join(file)),
            caches: scratch.caches,
            cwd: cwd.to_owned(),
        }
    }
}

/// Why nothing was made.
#[derive(Debug)]
pub enum NotMade {
    /// What a statement does would not stay where it may run. Nothing was run.
    Leaves {
        leaves: Leaves,
        advice: String,
    },
    /// What the user has given for it cannot be used.
    Unfit {
        why: String,
        advice: &'static str,
    },
    Failed(ScratchError),
}

impl From<ConnectError> for NotMade {
    fn from(error: ConnectError) -> NotMade {
        NotMade::Failed(ScratchError::Unready(error))
    }
}

/// A server to make it on.
enum Place {
    Target,
    Given(Box<Dsn>, BTreeSet<String>),
    Throwaway(Binaries),
}

/// Makes it, or takes what was made of the same before. `warn` hears of what earlier runs have left behind.
///
/// # Errors
/// Where a statement would act beyond what it may, the database cannot be created, or a statement fails in it.
pub fn make(wanted: &Wanted, rest: Duration, warn: &mut dyn FnMut(String)) -> Result<Built, NotMade> {
    let prelude = prelude(wanted.settings)?;
    let all: Vec<String> = prelude.iter().chain(wanted.statements).cloned().collect();
    let read = Confined::read(&all);
    let surroundings = surroundings::look_around(wanted.dsn, &confine::asks(&read), rest)?;
    let job = Job { wanted, n_prelude: prelude.len(), all: &all, read: &read, surroundings: &surroundings, rest };
    job.allowed(Server::Own).map_err(|leaves| NotMade::Leaves { leaves, advice: BEYOND.to_owned() })?;
    let key = (wanted.settings.caches && all.iter().all(|text| is_repeatable(text))).then(|| job.digest());
    if let Some(built) = key.as_ref().and_then(|key| cache::find(key)) {
        tracing::info!("the schema was made before");
        return Ok(built);
    }
    let mut failed = None;
    for place in job.places()? {
        match job.make_at(&place, warn) {
            Ok(built) => {
                if let Some(key) = &key {
                    cache::keep(key, &built);
                }
                return Ok(built);
            }
            Err(error) if is_over(&error) => return Err(error),
            // What the programs of this machine lack, the target's own server may have.
            Err(error) => {
                tracing::info!(?error, "the schema could not be made there");
                failed = Some(error);
            }
        }
    }
    Err(failed.expect("there is a place, or an error"))
}

const BEYOND: &str = "no migration was run: this one would change the server itself, or the machine. drizzle-pilot check \
                      --push compares the database with the schema files instead";

/// Tells whether statements make the same every time: a block of code may make something of the present day.
fn is_repeatable(statement: &str) -> bool {
    const PRESENT: [&str; 7] =
        ["now", "current_date", "current_timestamp", "localtimestamp", "clock_timestamp", "timeofday", "random"];
    let words = || statement.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_ascii_lowercase);
    !words().any(|word| word == "do" || word == "execute") || !words().any(|word| PRESENT.contains(&word.as_str()))
}

/// Reads the statements that the user wants to run before.
fn prelude(settings: &Settings) -> Result<Vec<String>, NotMade> {
    let Some(file) = &settings.prelude else { return Ok(Vec::new()) };
    let text = files::text(file, files::SETTINGS).map_err(|error| NotMade::Unfit {
        why: format!("the prelude of the scratch database cannot be read: {error}"),
        advice: "correct [scratch] prelude in the policy; it is a path in the project's folder",
    })?;
    Ok(vec![text])
}

/// Tells whether another place is not to be tried.
fn is_over(error: &NotMade) -> bool {
    matches!(
        error,
        NotMade::Failed(ScratchError::Unready(
            ConnectError::Interrupted { .. } | ConnectError::TimedOut { .. } | ConnectError::Mute { .. }
        ))
    )
}

/// Words what a server of our own refuses besides the statements: an extension that is not installed here, for one.
fn lacking(error: NotMade) -> NotMade {
    match error {
        NotMade::Failed(ScratchError::Unready(ConnectError::Other { message, .. })) => NotMade::Unfit {
            why: format!("the scratch database could not be made on a server of its own: {message}"),
            advice: "install what is missing on this machine, or give a server for it with --scratch-url",
        },
        other => other,
    }
}

struct Job<'a> {
    wanted: &'a Wanted<'a>,
    n_prelude: usize,
    /// The prelude and the statements.
    all: &'a [String],
    read: &'a Confined,
    surroundings: &'a Surroundings,
    rest: Duration,
}

impl Job<'_> {
    /// Returns all statements as they may run on a server, which has these roles.
    fn allowed_among(&self, server: Server, roles: &BTreeSet<String>) -> Result<Vec<String>, Leaves> {
        let mut known = confine::known(&self.surroundings.found);
        known.server = server;
        known.roles.clone_from(roles);
        let statements = self.read.within(&known).map_err(|leaves| self.of_statement(leaves))?;
        // The gate reads them as every server does by default.
        let reads_backslashes = self.surroundings.settings.get("standard_conforming_strings").map(String::as_str);
        let idx = statements.iter().position(|statement| statement.contains('\\'));
        match idx.filter(|_| reads_backslashes == Some("off")) {
            Some(idx) => {
                let why = "it has a backslash, and standard_conforming_strings is off in the database".to_owned();
                Err(self.of_statement(Leaves { query_idx: idx, at: 0, why, role: None }))
            }
            None => Ok(statements),
        }
    }

    /// Counts from the first statement that is not in the prelude.
    fn of_statement(&self, leaves: Leaves) -> Leaves {
        match leaves.query_idx.checked_sub(self.n_prelude) {
            Some(query_idx) => Leaves { query_idx, ..leaves },
            None => Leaves { query_idx: 0, at: 0, why: format!("the prelude: {}", leaves.why), ..leaves },
        }
    }

    fn allowed(&self, server: Server) -> Result<Vec<String>, Leaves> {
        match server {
            Server::Shared | Server::Given => self.allowed_among(server, &self.surroundings.roles),
            Server::Own => self.allowed_among(server, &BTreeSet::new()),
        }
    }

    /// Returns where it can be made, in the order of trying: at least one.
    fn places(&self) -> Result<Vec<Place>, NotMade> {
        if let Some(url) = &self.wanted.settings.url {
            return self.given(url).map(|place| vec![place]);
        }
        let settings = self.wanted.settings;
        let target = match self.allowed(Server::Shared) {
            Ok(_) if self.surroundings.may_create_databases => Ok(Place::Target),
            Ok(_) => Err(NotMade::Failed(ScratchError::MayNotCreate { user: self.surroundings.user.clone() })),
            Err(leaves) => Err(NotMade::Leaves { advice: self.advice(&leaves), leaves }),
        };
        let throwaway = || {
            let binaries = settings.starts.then(|| Binaries::find(self.surroundings.major(), &settings.cwd));
            binaries.flatten().map(Place::Throwaway)
        };
        match (self.wanted.origin, target) {
            (Origin::Generated, Ok(target)) => Ok(vec![target]),
            (Origin::Migrations, Ok(target)) => Ok(throwaway().into_iter().chain([target]).collect()),
            (_, Err(why)) => throwaway().map(|place| vec![place]).ok_or(why),
        }
    }

    /// Says what would let a statement run that may not run on the target's server.
    fn advice(&self, leaves: &Leaves) -> String {
        let major = self.surroundings.major();
        let start = if self.wanted.settings.starts {
            format!("install PostgreSQL {major} on this machine, so that drizzle-pilot can start a server for it")
        } else {
            "remove start = \"never\" from [scratch] in the policy".to_owned()
        };
        let role = match leaves.role {
            Some(_) => ", or create the role on the server first: its CREATE ROLE is skipped if it exists",
            None => "",
        };
        format!("no migration was run: {start}, or give a server for it with --scratch-url{role}")
    }

    /// Looks at the server that was given.
    fn given(&self, url: &str) -> Result<Place, NotMade> {
        const ADVICE: &str = "give --scratch-url a PostgreSQL server that holds nothing else, of the same major version and with the same extensions";
        let unfit = |why: String| NotMade::Unfit { why, advice: ADVICE };
        let env = |name: &str| std::env::var(name).ok();
        let dsn = Dsn::from_url(url, &env).map_err(|error| unfit(format!("the scratch server's URL: {error}")))?;
        let dsn = dsn.in_dir(&self.wanted.settings.cwd);
        let given = surroundings::look_around(&dsn, &confine::asks(self.read), self.rest)?;
        let (ours, theirs) = (&self.surroundings.identity.system_identifier, &given.identity.system_identifier);
        let is_same = match (ours, theirs) {
            (Some(ours), Some(theirs)) => ours == theirs,
            // A server that does not tell is taken for the same.
            _ => true,
        };
        if is_same {
            self.allowed(Server::Shared).map_err(|leaves| NotMade::Leaves { advice: self.advice(&leaves), leaves })?;
            return Ok(Place::Target);
        }
        let (wanted, found) = (self.surroundings.major(), given.major());
        if wanted != found {
            return Err(unfit(format!("the scratch server {dsn} runs PostgreSQL {found}, and the database {wanted}")));
        }
        let missing = self.surroundings.extensions.iter().find(|extension| !given.has_available(extension));
        if let Some(extension) = missing {
            let (name, version) = (&extension.name, &extension.version);
            return Err(unfit(format!("the scratch server {dsn} does not offer the extension {name} {version}")));
        }
        self.allowed_among(Server::Given, &given.roles)
            .map_err(|leaves| NotMade::Leaves { advice: self.advice(&leaves), leaves })?;
        Ok(Place::Given(Box::new(dsn), given.roles))
    }

    fn make_at(&self, place: &Place, warn: &mut dyn FnMut(String)) -> Result<Built, NotMade> {
        let leaves = |leaves| NotMade::Leaves { leaves, advice: BEYOND.to_owned() };
        match place {
            Place::Target => {
                let statements = self.allowed(Server::Shared).map_err(leaves)?;
                self.build(Site::Among(self.wanted.dsn), &statements, warn)
            }
            Place::Given(dsn, roles) => {
                let statements = self.allowed_among(Server::Given, roles).map_err(leaves)?;
                self.build(Site::Given(dsn), &statements, warn)
            }
            Place::Throwaway(binaries) => {
                let statements = self.allowed(Server::Own).map_err(leaves)?;
                for folder in throwaway::sweep() {
                    warn(format!(
                        "removed the scratch server in {}, which an earlier run left behind",
                        folder.display()
                    ));
                }
                let started = Throwaway::start(binaries, &self.surroundings.user, self.rest);
                let server = started.map_err(|error| match NotMade::from(error) {
                    over if is_over(&over) => over,
                    NotMade::Failed(error) => NotMade::Unfit {
                        why: format!("a server for the scratch database could not be started: {error}"),
                        advice: "correct that, or give a server for it with --scratch-url",
                    },
                    other => other,
                })?;
                self.build(Site::Own(server.dsn()), &statements, warn).map_err(lacking)
            }
        }
    }

    fn build(&self, site: Site, all: &[String], warn: &mut dyn FnMut(String)) -> Result<Built, NotMade> {
        let (given, statements) = all.split_at(self.n_prelude);
        let blueprint = Blueprint {
            surroundings: self.surroundings,
            statements,
            files: self.wanted.files,
            prelude: &self.before(given),
            stand_ins: &self.stand_ins(),
            new_roles: &confine::asks(self.read).roles,
            migrations_table: self.wanted.migrations_table.clone(),
        };
        let told = &mut |left: scratch::Leftover| warn(left.to_string());
        scratch::build(site, &blueprint, self.rest, told).map_err(NotMade::Failed)
    }

    /// Returns what runs before the statements: stubs of what a service owns, and the prelude.
    fn before(&self, prelude: &[String]) -> Vec<String> {
        let stubs = services::stubs(self.all, &self.surroundings.schemas);
        stubs.into_iter().map(str::to_owned).chain(prelude.iter().cloned()).collect()
    }

    /// Returns the roles of the target's server that are named, and not made.
    fn stand_ins(&self) -> Vec<String> {
        let asked = confine::asks(self.read).roles;
        let stubs = services::stubs(self.all, &self.surroundings.schemas);
        let is_named = |role: &&String| {
            let mut texts = self.all.iter().map(String::as_str).chain(stubs.iter().copied());
            texts.any(|text| text.contains(role.as_str()))
        };
        let named = self.surroundings.roles.iter().filter(|role| !asked.contains(role)).filter(is_named);
        named.cloned().collect()
    }

    /// Returns a digest of all that decides what is made.
    fn digest(&self) -> String {
        let mut digest = Sha256::new();
        let Surroundings { version, user, locale, settings, extensions, identity, found, .. } = self.surroundings;
        let place = (self.wanted.settings.url.is_some(), self.wanted.settings.starts, self.wanted.origin);
        let around = (version, user, &identity.database, locale, settings, extensions, &found.roles, place);
        let table = self.wanted.migrations_table.as_ref().map(|table| (&table.schema, &table.name));
        let texts = (self.n_prelude, self.all, self.wanted.files, self.before(&[]), self.stand_ins(), table);
        digest.update(format!("{} {around:?} {texts:?}", env!("CARGO_PKG_VERSION")));
        digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_depends_on_the_day_is_made_anew() {
        assert!(is_repeatable("CREATE TABLE t (at timestamptz DEFAULT now())"));
        assert!(is_repeatable("DO $$ BEGIN EXECUTE 'CREATE TABLE t ()'; END $$"));
        assert!(!is_repeatable("DO $$ BEGIN EXECUTE format('CREATE TABLE t_%s ()', to_char(now(), 'YYYY')); END $$"));
    }
}
