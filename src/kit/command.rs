//! Finds the project's own drizzle-kit as node would, and makes the command line that starts it.
//! Never a download, never a shell.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use semver::Version;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::files;
use crate::kit::config::Hello;
use crate::kit::config_file::ConfigFile;
use crate::kit::hints::hint::{self, Hint};
use crate::kit::hints::rounds::Purpose;
use crate::kit::hook_channel::HookChannel;
use crate::term::command::Command;

/// A drizzle-kit that can be started.
#[derive(Debug, Clone)]
pub struct Kit {
    /// The version that its `package.json` says; none where `--kit` names a command without one nearby.
    pub version: Option<Version>,
    /// The package's folder, or the program that `--kit` names.
    pub path: PathBuf,
    starts: Starts,
}

#[derive(Debug, Clone)]
enum Starts {
    /// `node --require HOOK bin.cjs`.
    Node { node: PathBuf, script: PathBuf },
    /// The words of `--kit`; the hook travels in `NODE_OPTIONS`.
    Command { program: PathBuf, args: Vec<String> },
}

/// Why drizzle-kit cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum LocateError {
    #[error("node is not on the PATH")]
    NoNode,
    #[error("drizzle-kit is not installed: no node_modules/drizzle-kit in {} or above", cwd.display())]
    NoKit { cwd: PathBuf },
    #[error("the program {program:?} of --kit is not on the PATH")]
    NoProgram { program: String },
    #[error("--kit {command:?} is not a command line")]
    NotACommand { command: String },
    #[error("reading {}", path.display())]
    Package { path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
}

impl LocateError {
    /// Says what to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            LocateError::NoNode => {
                "install Node.js, or run this where it is on the PATH (npm and pnpm scripts have it)"
            }
            LocateError::NoKit { .. } => {
                "install it in the project (npm install --save-dev drizzle-kit), specify the project with \
                 --cwd, or specify how to start it with --kit (Yarn PnP: --kit 'yarn drizzle-kit')"
            }
            LocateError::NoProgram { .. } | LocateError::NotACommand { .. } => {
                "--kit takes a program and its arguments, such as --kit 'yarn drizzle-kit'"
            }
            LocateError::Package { .. } => "reinstall drizzle-kit: its package.json is broken",
        }
    }
}

/// What matters in drizzle-kit's `package.json`.
#[derive(Deserialize)]
struct Package {
    version: Version,
    bin: std::collections::BTreeMap<String, PathBuf>,
}

/// Returns the version of the drizzle-kit that is installed in a project's folder or above, whether node is there or not.
pub fn installed_version(cwd: &Path) -> Option<Version> {
    read::<Package>(&package(cwd, "drizzle-kit")?).ok().map(|package| package.version)
}

/// Returns the version of a package that node finds from a folder upward.
pub fn version_of(folder: &Path, name: &str) -> Option<Version> {
    #[derive(Deserialize)]
    struct Versioned {
        version: Version,
    }
    read::<Versioned>(&package(folder, name)?).ok().map(|package| package.version)
}

fn package(cwd: &Path, name: &str) -> Option<PathBuf> {
    let mut packages = cwd.ancestors().map(|folder| folder.join("node_modules").join(name).join("package.json"));
    packages.find(|package| package.is_file())
}

/// Finds drizzle-kit from a project's folder upward, or takes the command that starts it.
///
/// # Errors
/// When node or drizzle-kit is missing or broken.
pub fn locate(cwd: &Path, command: Option<&str>) -> Result<Kit, LocateError> {
    let package = package(cwd, "drizzle-kit");
    if let Some(command) = command {
        let not_a_command = || LocateError::NotACommand { command: command.to_owned() };
        let words = shell_words::split(command).map_err(|_| not_a_command())?;
        let (program, args) = words.split_first().ok_or_else(not_a_command)?;
        let found = which::which_in(program, std::env::var_os("PATH"), cwd);
        let program = found.map_err(|_| LocateError::NoProgram { program: program.clone() })?;
        let version = package.and_then(|package| read::<Package>(&package).ok()).map(|package| package.version);
        let starts = Starts::Command { program: program.clone(), args: args.to_vec() };
        return Ok(Kit { version, path: program, starts });
    }
    let package = package.ok_or_else(|| LocateError::NoKit { cwd: cwd.to_owned() })?;
    let node = which::which("node").map_err(|_| LocateError::NoNode)?;
    let Package { version, bin } = read(&package)?;
    let folder = package.parent().expect("the path ends in package.json").to_owned();
    let script = bin.get("drizzle-kit").cloned().unwrap_or_else(|| "bin.cjs".into());
    let starts = Starts::Node { node, script: folder.join(script) };
    Ok(Kit { version: Some(version), path: folder, starts })
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, LocateError> {
    let broken =
        |source: Box<dyn std::error::Error + Send + Sync>| LocateError::Package { path: path.to_owned(), source };
    let text = files::text(path, files::SETTINGS).map_err(|error| broken(error.into()))?;
    serde_json::from_str(&text).map_err(|error| broken(error.into()))
}

/// A drizzle-kit command line.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    pub cwd: &'a Path,
    /// The command and its arguments, without `--config`.
    pub args: &'a [OsString],
    pub config: Option<&'a ConfigFile>,
    /// Whether drizzle-kit must ask before it executes, and show what it would execute.
    pub asks: bool,
    /// The answers that drizzle-kit 1.0 gets, and what for; none for those before it.
    pub hints: Option<(&'a [Hint], Purpose)>,
}

/// The versions that take `--strict` and `--verbose` beside a config file; before them, and from 1.0 on, they end with an
/// error (drizzle-kit 0.21.4, 0.22.8: ZodError; 1.0.0-rc.5: "Deprecated").
fn takes_flags(version: &Version) -> bool {
    (version.major, version.minor, version.patch) >= (0, 23, 1) && version.major == 0
}

impl Kit {
    /// Makes the command that starts drizzle-kit in a pseudo-terminal.
    ///
    /// # Errors
    /// Where the answers cannot be written.
    pub fn start(&self, call: &Call, channel: &HookChannel) -> io::Result<Command> {
        let mut env: Vec<(String, OsString)> = Vec::new();
        let mut set = |name: &str, value: OsString| env.push((name.to_owned(), value));
        set("TERM", "xterm-256color".into());
        set("FORCE_COLOR", "0".into()); // colours carry no meaning for us
        if let Some(config) = call.config {
            set("DRIZZLE_PILOT_MAIL", channel.path().into());
            set("DRIZZLE_PILOT_CONFIG", config.path.clone().into());
            if call.asks {
                set("DRIZZLE_PILOT_ASK", "1".into());
            }
        }
        // It keeps what it compiles where others can write, and runs that the next time (drizzle-kit 1.0.0-rc.5, jiti).
        set("JITI_FS_CACHE", "false".into());
        let (program, mut args, hooking) = self.hooked(channel);
        env.extend(hooking);
        args.extend(call.args.iter().cloned());
        // The hook asks for the same. Should it be lost on the way to drizzle-kit, these make it ask all the same.
        if call.asks && self.version.as_ref().is_some_and(takes_flags) {
            let given = |flag: &&str| call.args.iter().any(|arg| arg == flag);
            args.extend(["--strict", "--verbose"].iter().filter(|flag| !given(flag)).map(Into::into));
        }
        if let Some(config) = call.config.filter(|config| config.named) {
            let mut named = OsString::from("--config=");
            named.push(&config.path);
            args.push(named);
        }
        if let Some((hints, purpose)) = call.hints {
            args.push("--output=json".into());
            if purpose != Purpose::Export {
                let mut file = OsString::from("--hints-file=");
                file.push(channel.leave("hints.json", &hint::json(hints))?);
                args.push(file);
            }
            args.extend((purpose == Purpose::Explain).then(|| "--explain".into()));
        }
        Ok(Command { program, args, cwd: call.cwd.to_owned(), env, unset: unset() })
    }

    /// Tells whether a command of the user's starts it, and may do so in another way than it should.
    pub fn is_started_by_command(&self) -> bool {
        matches!(self.starts, Starts::Command { .. })
    }

    /// Makes the command that shows whether drizzle-kit starts under the hook: it tells its version, and ends before it has
    /// loaded anything.
    pub fn probe(&self, cwd: &Path, channel: &HookChannel) -> Command {
        let (program, mut args, mut env) = self.hooked(channel);
        env.push(("DRIZZLE_PILOT_MAIL".to_owned(), channel.path().into()));
        env.push(("DRIZZLE_PILOT_PROBE".to_owned(), "1".into()));
        args.push("--version".into());
        Command { program, args, cwd: cwd.to_owned(), env, unset: unset() }
    }

    /// Returns the program, its first arguments and its variables that start drizzle-kit under the hook.
    fn hooked(&self, channel: &HookChannel) -> (PathBuf, Vec<OsString>, Vec<(String, OsString)>) {
        match &self.starts {
            Starts::Node { node, script } => {
                let args = vec!["--require".into(), channel.hook().into(), script.clone().into()];
                (node.clone(), args, Vec::new())
            }
            Starts::Command { program, args } => {
                (program.clone(), args.iter().map(Into::into).collect(), by_options(channel))
            }
        }
    }

    /// Takes what the probe told.
    #[must_use]
    pub fn proved(self, hello: Hello) -> Kit {
        Kit { version: hello.version.or(self.version), ..self }
    }
}

/// Has every node that is started below load the hook.
fn by_options(channel: &HookChannel) -> Vec<(String, OsString)> {
    let mut options = std::env::var_os("NODE_OPTIONS").unwrap_or_default();
    options.push(" --require ");
    options.push(format!("{:?}", channel.hook()));
    // npx draws a spinner before drizzle-kit begins.
    vec![("NODE_OPTIONS".to_owned(), options), ("npm_config_progress".to_owned(), "false".into())]
}

/// node warns into the terminal when `NO_COLOR` is set beside `FORCE_COLOR`. And `pg` would connect by libpq, whose
/// sockets are not node's, where the other is set (pg 8.16.3, `lib/index.js`).
fn unset() -> Vec<String> {
    vec!["NO_COLOR".to_owned(), "NODE_PG_FORCE_NATIVE".to_owned()]
}
