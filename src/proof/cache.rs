//! Keeps the schemas that were made for comparisons in the user's cache folder, under a digest of all that decides them.
//!
//! Nobody else may write there: a schema that is found decides whether migrations are marked as applied.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::db::change::scratch::Built;
use crate::files;

/// How many schemas are kept.
const MOST: usize = 64;

/// The longest file that is kept or read, in bytes.
const LONGEST: u64 = 16 * 1024 * 1024;

/// Returns what was kept under a key.
pub(super) fn find(key: &str) -> Option<Built> {
    let folder = folder()?;
    let file = folder.join(key);
    if !is_ours_alone(&folder) || !is_ours_alone(&file) {
        return None;
    }
    let text = files::text_if_there(&file, LONGEST).ok()??;
    serde_json::from_str(&text).ok()
}

/// Keeps something under a key. Where that fails, it is made anew next time.
pub(super) fn keep(key: &str, built: &Built) {
    let kept = serde_json::to_vec(built).map_err(io::Error::other).and_then(|text| write(key, &text));
    if let Err(error) = kept {
        tracing::debug!(%error, "the schema is not kept");
    }
}

fn write(key: &str, text: &[u8]) -> io::Result<()> {
    let Some(folder) = folder() else { return Ok(()) };
    if text.len() as u64 > LONGEST {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    if !is_ours_alone(&folder) {
        return Err(io::Error::other("others may write to the folder"));
    }
    let partial = folder.join(format!("{key}.{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)?;
    file.write_all(text)?;
    std::fs::rename(&partial, folder.join(key))?;
    forget_the_oldest(&folder)
}

/// Leaves the newest files.
fn forget_the_oldest(folder: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in folder.read_dir()? {
        let entry = entry?;
        files.push((entry.metadata()?.modified()?, entry.path()));
    }
    files.sort();
    let n_too_many = files.len().saturating_sub(MOST);
    files[..n_too_many].iter().try_for_each(|(_, file)| std::fs::remove_file(file))
}

/// Returns the folder, as the XDG base directory specification has it: what is not absolute does not count.
fn folder() -> Option<PathBuf> {
    let of_variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = of_variable("XDG_CACHE_HOME").or_else(|| Some(of_variable("HOME")?.join(".cache")))?;
    Some(caches.join("drizzle-pilot/schemas"))
}

/// Tells whether something is ours, and nobody else may read or write it.
fn is_ours_alone(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| {
        found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o077 == 0 && !found.is_symlink()
    })
}
