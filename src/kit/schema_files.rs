//! The schema files that drizzle's config names, as one digest: whether they are still those that a plan was made from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use regex::Regex;
use sha2::{Digest, Sha256};
use walkdir::WalkDir;

use crate::files;
use crate::kit::config::OneOrMany;

/// Returns the SHA-256, in hexadecimal, over the paths and contents of the files that the config's `schema` names: files,
/// folders (all files in them) or patterns, as drizzle-kit reads them (`prepareFilenames`, 0.21 to 0.31).
///
/// What these files import from elsewhere is not in it. A file that cannot be read counts as empty.
pub fn digest(project: &Path, schema: Option<&OneOrMany>) -> String {
    let files = all(project, schema);
    let mut digest = Sha256::new();
    for file in files {
        let shown = file.strip_prefix(project).unwrap_or(&file).display().to_string();
        let content = files::read(&file, files::CODE).unwrap_or_default();
        for part in [shown.as_bytes(), &content] {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Tells whether one of these files has a name between quotes.
pub fn mention(project: &Path, schema: Option<&OneOrMany>, name: &str) -> bool {
    let quoted = ['\'', '"', '`'].map(|quote| format!("{quote}{name}{quote}"));
    all(project, schema).iter().any(|file| {
        let text = files::read(file, files::CODE).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        quoted.iter().any(|quoted| text.contains(quoted))
    })
}

/// Tells whether one of these files makes a table of this name, as far as that can be seen: the first argument of a function
/// whose name ends in `able` and perhaps more, as in `pgTable`, `.table`, `createTable`.
pub fn declare(project: &Path, schema: Option<&OneOrMany>, table: &str) -> bool {
    let pattern = format!(r#"able\w*\s*\(\s*['"`]{}['"`]"#, regex::escape(table));
    let Ok(pattern) = regex::bytes::Regex::new(&pattern) else { return true };
    all(project, schema).iter().any(|file| pattern.is_match(&files::read(file, files::CODE).unwrap_or_default()))
}

/// Returns the names that files give to schemas with `pgSchema`, as far as they are written there.
pub fn schemas<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> BTreeSet<String> {
    let called = Regex::new(r#"\bpgSchema\s*\(\s*(?:'([^']+)'|"([^"]+)"|`([^`$]+)`)"#).expect("the pattern is right");
    let mut names = BTreeSet::new();
    for file in files {
        let text = files::read(file, files::CODE).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let found = called.captures_iter(&text).filter_map(|found| found.iter().skip(1).flatten().next());
        names.extend(found.map(|name| name.as_str().to_owned()));
    }
    names
}

/// Returns the names that the files of the config's `schema` give to schemas, as far as they are written there.
pub fn named(project: &Path, schema: Option<&OneOrMany>) -> BTreeSet<String> {
    schemas(&all(project, schema))
}

fn all(project: &Path, schema: Option<&OneOrMany>) -> Vec<PathBuf> {
    let named: Vec<&str> = match schema {
        None => Vec::new(),
        Some(OneOrMany::One(path)) => vec![path],
        Some(OneOrMany::Many(paths)) => paths.iter().map(String::as_str).collect(),
    };
    let mut files: Vec<PathBuf> = named.iter().flat_map(|named| named_by(project, named)).collect();
    files.sort();
    files.dedup();
    files
}

fn named_by(project: &Path, named: &str) -> Vec<PathBuf> {
    let path = project.join(named);
    if path.is_file() {
        return vec![path];
    }
    if path.is_dir() {
        return below(&path, |_| true);
    }
    // The part of a pattern before its first special character is where looking begins.
    let plain: PathBuf = Path::new(named.trim_start_matches("./"))
        .components()
        .take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{', '!']))
        .collect();
    let Some(pattern) = matcher(named.trim_start_matches("./")) else { return Vec::new() };
    below(&project.join(plain), |file| pattern.is_match(file.strip_prefix(project).unwrap_or(file)))
}

fn matcher(pattern: &str) -> Option<GlobMatcher> {
    GlobBuilder::new(pattern).literal_separator(true).build().ok().map(|glob| glob.compile_matcher())
}

/// Returns the files below a folder, those of installed packages left out.
fn below(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let walk = WalkDir::new(folder).into_iter().filter_entry(|entry| entry.file_name() != "node_modules");
    let files = walk.flatten().filter(|entry| entry.file_type().is_file());
    files.map(walkdir::DirEntry::into_path).filter(|path| wanted(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_follows_the_files_that_are_named() {
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("it lies in the folder")).expect("the folder is ours");
            std::fs::write(path, text).expect("the folder is ours");
        };
        let ways = ["./src/a.schema.ts", "src", "./src/**/*.schema.ts", "src/{a,b}.schema.ts"];
        let digests = || ways.map(|way| digest(folder.path(), Some(&OneOrMany::One(way.to_owned()))));
        write("src/a.schema.ts", "a");
        write("src/node_modules/x.schema.ts", "x");
        let before = digests();
        write("other.schema.ts", "o");
        write("src/node_modules/x.schema.ts", "y");
        assert_eq!(digests(), before);
        write("src/a.schema.ts", "b");
        for (before, after) in before.iter().zip(digests()) {
            assert_ne!(*before, after);
        }
    }
}
