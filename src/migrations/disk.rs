//! Reads a migrations folder from the disk.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::files;
use crate::migrations::folder::{Folder, FolderError, MIGRATION, is_meta, is_sql};

/// Reads a migrations folder.
///
/// # Errors
///
/// Returns an error where there is no such folder, where something in it cannot be read, and where it is one of
/// drizzle-kit 1.0. What is wrong with its files is in the value.
pub fn read(path: &Path) -> Result<Folder, FolderError> {
    let mut contents: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut newer = Vec::new();
    for (name, is_folder) in list(path)?.ok_or_else(|| FolderError::Missing(path.to_owned()))? {
        if is_folder && path.join(&name).join(MIGRATION).is_file() {
            newer.push(name);
        } else if !is_folder && is_sql(&name) {
            let content = bytes(&path.join(&name))?;
            contents.insert(name, content);
        }
    }
    for (name, is_folder) in list(&path.join("meta"))?.unwrap_or_default() {
        let below = format!("meta/{name}");
        if !is_folder && is_meta(&below) {
            let content = bytes(&path.join(&below))?;
            contents.insert(below, content);
        }
    }
    Folder::of(path, contents, newer)
}

/// Returns what a folder contains, and whether each is a folder itself; nothing where there is no such folder.
fn list(path: &Path) -> Result<Option<Vec<(String, bool)>>, FolderError> {
    let unreadable = |error: io::Error| FolderError::Unreadable { path: path.to_owned(), source: error.into() };
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match files::is_there(path).map_err(unreadable)? {
                // A link that leads nowhere is no folder that is still to come.
                true => Err(unreadable(error)),
                false => Ok(None),
            };
        }
        Err(error) => return Err(unreadable(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        // A name that is no text is none that a journal could list. A link counts as what it leads to, as for node.
        if let Ok(name) = entry.file_name().into_string() {
            names.push((name, entry.path().is_dir()));
        }
    }
    Ok(Some(names))
}

fn bytes(path: &Path) -> Result<Vec<u8>, FolderError> {
    files::read(path, files::CODE).map_err(|source| FolderError::Unreadable { path: path.to_owned(), source })
}
