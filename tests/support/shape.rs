//! The shapes of `fixtures/shapes`: objects as a schema can have them, each with neighbours that differ in one thing.
//!
//! A file is a TypeScript module, and each of its exports a function that returns the entities of one shape. The lines that
//! begin with `//#` are one TOML document about them. Shapes do not touch one another, so that they are pushed together; a
//! statement belongs to the shape whose name it has in it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

use super::database::Server;

/// How many entities a shape may return; drizzle-kit reads each from an export of its own.
const MOST_ENTITIES: usize = 4;

/// Objects that belong together.
pub(crate) struct Shape {
    /// The file that it is in, without its ending.
    pub(crate) theme: String,
    pub(crate) name: String,
    pub(crate) about: About,
}

/// What the `//#` lines say of a shape.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct About {
    /// The drizzle-kits that can create it; without it, all can.
    #[serde(default)]
    kits: VersionReq,
    /// Why others cannot, if not for want of the words.
    why: Option<String>,
    /// The first PostgreSQL that has it.
    #[serde(default)]
    postgres: u32,
    /// The extension that it needs.
    pub(crate) extension: Option<String>,
    /// Whether it is pushed alone, because no transaction can make it.
    #[serde(default)]
    alone: bool,
    /// The schemas that it is in, beside `public`.
    #[serde(default)]
    pub(crate) schemas: Vec<String>,
    /// The drizzle-kits that change something of it at every push, and what.
    #[serde(default)]
    restless: HashMap<VersionReq, String>,
    #[serde(default)]
    pub(crate) neighbours: Vec<Neighbour>,
}

/// A shape that is another one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Neighbour {
    /// In what it differs.
    pub(crate) differs: String,
    /// What makes it of the shape.
    pub(crate) sql: String,
    /// What the statements about it have in them, if not just the name of the shape.
    of: Option<String>,
}

impl Shape {
    /// Reads all of them.
    pub(crate) fn all() -> Vec<Self> {
        let mut shapes = Vec::new();
        for path in files() {
            let text = read(&path);
            let about: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("//#")).collect();
            let about: BTreeMap<String, About> =
                toml::from_str(&about.join("\n")).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let theme = path.file_stem().and_then(|stem| stem.to_str()).expect("a plain name").to_owned();
            shapes.extend(about.into_iter().map(|(name, about)| Self { theme: theme.clone(), name, about }));
        }
        shapes
    }

    /// Tells whether it is called so, or its theme.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.theme == name
    }

    /// Says why this drizzle-kit or server cannot have it.
    pub(crate) fn missing(&self, kit: &str, server: Server) -> Option<String> {
        let About { kits, why, postgres, .. } = &self.about;
        if !kits.matches(&version(kit)) {
            return Some(why.as_ref().map_or(format!("drizzle-kit {kits}"), |why| format!("drizzle-kit {kit} {why}")));
        }
        (server.version() < *postgres).then(|| format!("PostgreSQL >={postgres}"))
    }

    /// Returns what a push needs to make it as the schema files say. drizzle-kit's own leaves out the conditions of policies.
    pub(crate) fn push(shapes: &[&Self]) -> &'static [&'static str] {
        match shapes.iter().any(|shape| shape.about.alone) {
            true => &["push"],
            false => &["push", "--apply", "transaction"],
        }
    }

    /// Says what this drizzle-kit changes of it at every push, so that its statements are no phantoms.
    pub(crate) fn restless(&self, kit: &str) -> Option<&str> {
        let About { restless, .. } = &self.about;
        restless.iter().find(|(kits, _)| kits.matches(&version(kit))).map(|(_, why)| why.as_str())
    }

    /// Tells whether the statement is about this neighbour.
    pub(crate) fn concerns(&self, neighbour: &Neighbour, sql: &str) -> bool {
        sql.contains(neighbour.of.as_ref().unwrap_or(&self.name))
    }

    /// Returns the module that exports the entities of these shapes.
    pub(crate) fn schema(shapes: &[&Self]) -> String {
        let mut themes: Vec<&str> = shapes.iter().map(|shape| shape.theme.as_str()).collect();
        themes.dedup();
        let imports = themes.iter().map(|theme| format!("import * as {theme} from './shapes/{theme}';\n"));
        let exports = shapes.iter().enumerate().map(|(idx, Self { theme, name, .. })| {
            let names: Vec<String> = (0..MOST_ENTITIES).map(|entity| format!("s{idx}_{entity}")).collect();
            format!("export const [{}]: any[] = {theme}.{name}();\n", names.join(", "))
        });
        imports.chain(exports).collect()
    }

    /// Returns drizzle-kit's config for these shapes.
    pub(crate) fn config(shapes: &[&Self]) -> String {
        let schemas: Vec<&str> = shapes.iter().flat_map(|shape| &shape.about.schemas).map(String::as_str).collect();
        let schemas = serde_json::json!([&["public"], schemas.as_slice()].concat());
        format!(
            "export default {{ dialect: 'postgresql', schema: './schema.ts', out: './drizzle', schemaFilter: {schemas},\n  \
             dbCredentials: {{ url: process.env.DATABASE_URL }} }};\n"
        )
    }

    /// Returns the modules, by their paths in a project.
    pub(crate) fn modules() -> Vec<(String, String)> {
        let name = |path: &PathBuf| path.file_name().expect("it is a file").to_string_lossy().into_owned();
        files().iter().map(|path| (format!("shapes/{}", name(path)), read(path))).collect()
    }
}

/// Returns the shapes that are pushed together, and each of the others.
pub(crate) fn together(shapes: Vec<&Shape>) -> Vec<Vec<&Shape>> {
    let (alone, together): (Vec<&Shape>, Vec<&Shape>) = shapes.into_iter().partition(|shape| shape.about.alone);
    std::iter::once(together).chain(alone.into_iter().map(|shape| vec![shape])).collect()
}

/// Returns the shape that a statement is about: that with the longest name in it.
pub(crate) fn owner<'a>(shapes: &[&'a Shape], sql: &str) -> Option<&'a Shape> {
    let named = shapes.iter().filter(|shape| sql.contains(&shape.name));
    named.max_by_key(|shape| shape.name.len()).copied()
}

/// `fixtures/shapes/repeated.toml`: how many statements each drizzle-kit repeats with PostgreSQL 15, by shape.
#[derive(Default, Deserialize, Serialize)]
#[serde(transparent)]
pub(crate) struct Repeated {
    pub(crate) kits: BTreeMap<String, BTreeMap<String, usize>>,
}

impl Repeated {
    pub(crate) fn read() -> Self {
        toml::from_str(&read(&file("repeated.toml"))).expect("it is written by this program")
    }

    pub(crate) fn write(&self) {
        let about = "# How many statements each drizzle-kit repeats with PostgreSQL 15, by shape. Written by: scripts/shapes --table";
        let text = toml::to_string(self).expect("names and numbers are TOML");
        std::fs::write(file("repeated.toml"), format!("{about}\n\n{text}")).expect("the fixtures can be written");
    }

    /// Returns the table of the documentation: what is repeated by the same drizzle-kits is in one row.
    pub(crate) fn markdown(&self) -> String {
        let mut shapes: BTreeMap<&String, Vec<bool>> = BTreeMap::new();
        for name in self.kits.values().flat_map(BTreeMap::keys) {
            shapes.insert(name, self.kits.values().map(|repeated| repeated.contains_key(name)).collect());
        }
        let mut rows: BTreeMap<Reverse<Vec<bool>>, Vec<String>> = BTreeMap::new();
        for (name, kits) in shapes {
            rows.entry(Reverse(kits)).or_default().push(format!("`{name}`"));
        }
        let kits: Vec<&str> = self.kits.keys().map(String::as_str).collect();
        let mut table = format!("| object | {} |\n|---|{}\n", kits.join(" | "), ":-:|".repeat(kits.len()));
        for (Reverse(kits), names) in rows {
            let marks: Vec<&str> = kits.iter().map(|repeats| if *repeats { "x" } else { "" }).collect();
            table += &format!("| {} | {} |\n", names.join(" "), marks.join(" | "));
        }
        table
    }
}

/// Returns a file of the fixtures' folder.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/shapes").join(name)
}

fn files() -> Vec<PathBuf> {
    let files = std::fs::read_dir(file("")).expect("the fixtures are part of the repository");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("the folder can be read").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "ts"));
    paths.sort();
    paths
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn version(kit: &str) -> Version {
    Version::parse(kit).expect("a kit is called by its version")
}
