//! The schema changes of `fixtures/changes`: what each has before and after, and which drizzle-kits know it.
//!
//! A change is a TypeScript module that exports `before` and `after`, two functions that return the entities of a
//! schema. Lines that begin with `//#` are TOML about it. The changes of a theme do not touch one another, so that they
//! are pushed together; a statement belongs to the change that names one of its objects.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;
use semver::{Prerelease, Version, VersionReq};
use serde::Deserialize;

/// How many entities a change may return; drizzle-kit reads each from an export of its own.
const MOST_ENTITIES: usize = 12;

/// drizzle-kit's config, which stands beside the changes where a theme needs one of its own.
const CONFIG: &str = "drizzle.config.ts";

/// The theme of the changes that the server refuses.
pub(crate) const FAILING: &str = "failing";

/// A folder of `fixtures/changes`.
pub(crate) struct Theme {
    dir: PathBuf,
    pub(crate) changes: Vec<Change>,
}

/// One schema change.
pub(crate) struct Change {
    pub(crate) name: String,
    text: String,
    about: About,
    /// The names of the tables, types and the like. No two changes of a theme share one.
    objects: Vec<String>,
}

/// What the `//#` lines say.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    /// The drizzle-kits that know the change; without it, all do.
    #[serde(default)]
    kits: VersionReq,
    /// Statements to run between the two pushes.
    #[serde(default)]
    rows: Vec<String>,
    /// Names of objects that the change makes by another way than a literal in a call.
    #[serde(default)]
    objects: Vec<String>,
}

/// The two sides of a change.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    Before,
    After,
}

impl Theme {
    /// Reads all themes but that of the changes that fail.
    pub(crate) fn applied(kit: &str) -> Vec<Self> {
        let folders = std::fs::read_dir(fixtures()).expect("the fixtures are part of the repository");
        let paths = folders.map(|folder| folder.expect("the folder can be read").path());
        let names = paths.filter(|path| path.is_dir() && !path.ends_with(FAILING));
        names.map(|path| Self::read(kit, &path.file_name().expect("a folder has a name").to_string_lossy())).collect()
    }

    /// Reads a theme, with the changes that this drizzle-kit knows.
    pub(crate) fn read(kit: &str, name: &str) -> Self {
        // A requirement that names no candidate of a release is never met by one.
        let version =
            Version { pre: Prerelease::EMPTY, ..Version::parse(kit).expect("a kit is called by its version") };
        let dir = fixtures().join(name);
        let files = std::fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        let mut paths: Vec<PathBuf> = files.map(|file| file.expect("the folder can be read").path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "ts") && !path.ends_with(CONFIG));
        paths.sort();
        let mut changes: Vec<Change> = paths.iter().map(|path| Change::read(path)).collect();
        changes.retain(|change| change.about.kits.matches(&version));
        let mut owners = BTreeMap::new();
        for change in &changes {
            for object in &change.objects {
                if let Some(other) = owners.insert(object, &change.name) {
                    panic!("{name}: both {other} and {} have {object:?}", change.name);
                }
            }
        }
        Self { dir, changes }
    }

    /// Returns a theme for each of the changes, to be pushed alone.
    pub(crate) fn each(self) -> Vec<Self> {
        let Self { dir, changes } = self;
        changes.into_iter().map(|change| Self { dir: dir.clone(), changes: vec![change] }).collect()
    }

    /// Returns a file of the theme, or else the one of all themes.
    pub(crate) fn file(&self, name: &str) -> String {
        let own = self.dir.join(name);
        let path = if own.exists() { own } else { fixtures().join(name) };
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Returns the module that exports the entities of one side of every change.
    pub(crate) fn schema(&self, side: Side) -> String {
        let side = match side {
            Side::Before => "before",
            Side::After => "after",
        };
        let modules = self.changes.iter().enumerate().map(|(idx, change)| {
            let exports: Vec<String> = (0..MOST_ENTITIES).map(|entity| format!("c{idx}_{entity}")).collect();
            format!(
                "import {{ {side} as c{idx} }} from './changes/{}';\nexport const [{}]: any[] = c{idx}();\n",
                change.name,
                exports.join(", ")
            )
        });
        modules.collect()
    }

    /// Returns the changes that these statements belong to; for messages.
    pub(crate) fn of(&self, statements: &[String]) -> Vec<&str> {
        self.changes.iter().filter(|change| change.is_in(statements)).map(|change| change.name.as_str()).collect()
    }
}

impl Change {
    fn read(path: &Path) -> Self {
        static OBJECT: LazyLock<Regex> = LazyLock::new(|| {
            let call = r"\b(?:pg[A-Z]\w*|index|uniqueIndex|\w+\.(?:table|enum|sequence|view|materializedView))";
            Regex::new(&format!(r#"{call}\(\s*(?:'([^']+)'|"([^"]+)"|`([^`]+)`)"#)).expect("the expression is valid")
        });
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let about: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("//#")).collect();
        let about: About =
            toml::from_str(&about.join("\n")).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut objects = about.objects.clone();
        objects.extend(OBJECT.captures_iter(&text).filter_map(|call| {
            let name = (1..=3).find_map(|group| call.get(group));
            name.map(|name| name.as_str().to_owned())
        }));
        objects.sort();
        objects.dedup();
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a plain name").to_owned();
        Self { name, text, about, objects }
    }

    /// Returns the module.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the statements to run between the two pushes.
    pub(crate) fn rows(&self) -> &[String] {
        &self.about.rows
    }

    /// Tells whether one of the statements names an object of the change.
    pub(crate) fn is_in(&self, statements: &[String]) -> bool {
        let names = self.objects.iter().map(|object| format!("\"{object}\""));
        names.into_iter().any(|name| statements.iter().any(|statement| statement.contains(&name)))
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/changes")
}
