//! Looks for a migration that was forgotten: drizzle-kit's own generate, into a copy of the migrations folder.

use std::ffi::OsString;
use std::path::Path;

use crate::cli::Shared;
use crate::command_name::CommandName;
use crate::kit::config::Overlay;
use crate::migrations::query::queries;
use crate::migrations::{Folder, disk};
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::output::record::Record;
use crate::output::report::Refusal;
use crate::policy::model::Apply;
use crate::project::folder;
use crate::run::spec::{Asks, Consent, Locking, RunSpec, Touches};
use crate::run::{Lent, story};

use crate::sql;

/// How the schema files differ from the last snapshot.
#[derive(Debug)]
pub enum Forgotten {
    /// The statements of the migration that is missing, each in a line.
    Statements(Vec<String>),
    /// drizzle-kit asks what was renamed, and the policy does not say.
    Asks(Vec<Refusal>),
}

impl Forgotten {
    /// Returns the difference in a sentence.
    pub fn sentence(&self) -> String {
        match self {
            Forgotten::Statements(statements) => {
                let shown = statements.first().cloned().unwrap_or_default();
                match statements.len() {
                    0 | 1 => format!("a migration is missing: {shown}"),
                    n => format!("a migration of {n} statements is missing: {shown} …"),
                }
            }
            Forgotten::Asks(_) => {
                "a migration is missing, and drizzle-kit asks what was renamed: run drizzle-pilot generate".to_owned()
            }
        }
    }
}

/// Says how the schema files differ from the last snapshot; none where they do not. The project stays as it is.
///
/// # Errors
/// With the verdict, where drizzle-kit cannot tell.
pub fn look(shared: &Shared, folder: &Folder, cwd: &Path, console: &mut Console) -> Result<Option<Forgotten>, Verdict> {
    let failed = |error: std::io::Error| {
        Verdict::nothing(Exit::Failed, format!("copying {} for `generate`: {error}", folder.path.display()))
    };
    let copy = tempfile::tempdir().map_err(failed)?;
    let path = copy.path().canonicalize().map_err(failed)?;
    copy_folder(&folder.path, &path).map_err(failed)?;
    let (verdict, log) = generate(shared, CommandName::Check, cwd, &path, console);
    match verdict.exit {
        Exit::Ok => {
            let after = disk::read(&path).map_err(|error| folder::unusable(&error))?;
            let known = |name: &str| folder.files.iter().any(|file| file.name == name);
            let Some(new) = after.files.iter().find(|file| !known(&file.name)) else { return Ok(None) };
            let statements = queries(new).filter(|query| !query.is_blank()).map(|query| sql::one_line(query.text));
            Ok(Some(Forgotten::Statements(statements.collect())))
        }
        // It asks only where something differs.
        Exit::Refused | Exit::UnknownPrompt => Ok(Some(Forgotten::Asks(log.refusals))),
        _ => Err(verdict),
    }
}

/// Lets drizzle-kit generate into a folder beside the project's own, as a run of this command.
pub fn generate(
    shared: &Shared,
    command: CommandName,
    cwd: &Path,
    folder: &Path,
    console: &mut Console,
) -> (Verdict, Record) {
    // drizzle-kit puts `./` before it, so it must be relative (0.31: an absolute one ends with ENOENT).
    let out = pathdiff::diff_paths(folder, cwd).expect("both are absolute");
    let overlay = Overlay { out: Some(out.display().to_string()), ..Overlay::default() };
    without_database(shared, command, "generate", overlay, console)
}

/// Lets drizzle-kit 1.0 say what the schema files make, as a run of this command.
pub fn export(shared: &Shared, command: CommandName, console: &mut Console) -> (Verdict, Record) {
    without_database(shared, command, "export", Overlay::default(), console)
}

fn without_database(
    shared: &Shared,
    command: CommandName,
    kit_command: &str,
    overlay: Overlay,
    console: &mut Console,
) -> (Verdict, Record) {
    let spec = RunSpec {
        command,
        kit_args: &[OsString::from(kit_command)],
        asks: Asks::AsItLikes,
        touches: Touches::Files,
        consent: Consent::ByPolicy,
        apply: Some(Apply::Kit),
        accept_data_loss: false,
        overlay,
        lock: Locking::None,
    };
    story::look(shared, &spec, &Lent::nothing(), console)
}

/// Copies the files that drizzle-kit reads.
fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir(to.join("meta"))?;
    for below in ["", "meta"] {
        let folder = from.join(below);
        if !folder.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.path().is_file() {
                std::fs::copy(entry.path(), to.join(below).join(entry.file_name()))?;
            }
        }
    }
    Ok(())
}
