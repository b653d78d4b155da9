//! The architecture as `docs/architecture.md` states it: arrows, no circles, and what is pure, read from the imports; and how
//! large a part may be.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// The areas from top to bottom. A file may name those of later rows, and files of its own area.
const ROWS: [&[&str]; 13] = [
    &["main"],
    &["app"],
    &["commands"],
    &["proof"],
    &["run"],
    &["project"],
    &["output"],
    &["cli"],
    &["policy"],
    &["compare", "kit", "migrations"],
    &["db"],
    &["term", "sql"],
    &["outcome", "clock", "command_name", "files", "host", "parallel", "percent"],
];

/// What the world outside is reached by: paths, and methods of a `Path`.
const OUTSIDE: [&str; 9] =
    ["std::fs", "std::process", "std::net", "std::os", "std::env", "std::thread", "tokio", "rustix", "tempfile"];
const CLOCKS: [&str; 2] = ["Instant", "SystemTime"];
const METHODS: [&str; 9] = [
    "is_file",
    "is_dir",
    "exists",
    "try_exists",
    "canonicalize",
    "metadata",
    "symlink_metadata",
    "read_dir",
    "read_link",
];

/// Works on all cores, and gives the results in order: it reaches threads, and nothing that could differ.
const PARALLEL: &str = "parallel";

/// Fields that a struct may have. What has more is several things without a name of their own.
const MOST_FIELDS: usize = 12;

/// Lines that a function of a run may have.
const MOST_LINES: usize = 80;

/// Reports, arguments, and the keys of the policy file: they have as many fields as there is to say.
const LISTS: [&str; 4] = ["src/cli", "src/output/record.rs", "src/output/report", "src/policy/file/format.rs"];

/// The sources of a crate, by the path of each module, as in `db::reset`.
#[derive(Default)]
struct Sources {
    files: BTreeMap<String, Source>,
}

struct Source {
    path: PathBuf,
    text: String,
    syntax: syn::File,
}

impl Sources {
    fn of_this_crate() -> Sources {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut sources = Sources::default();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("the folder is part of the source") {
                let path = entry.expect("the folder can be read").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = std::fs::read_to_string(&path).expect("the file was listed");
                    let below = path.strip_prefix(&root).expect("it is below the folder").to_owned();
                    sources.add(&below, &text);
                }
            }
        }
        sources.forget_tests();
        sources
    }

    /// Forgets the files that only tests have: they are no part of the program.
    fn forget_tests(&mut self) {
        let declared = self.files.iter().flat_map(|(module, source)| {
            source.syntax.items.iter().filter_map(move |item| match item {
                syn::Item::Mod(item) if is_test(&item.attrs) => Some(format!("{module}::{}", item.ident)),
                _ => None,
            })
        });
        let tests: BTreeSet<String> = declared.collect();
        self.files.retain(|module, _| !tests.contains(module));
    }

    fn add(&mut self, path: &Path, text: &str) {
        let parts: Vec<&str> = path.iter().map(|part| part.to_str().expect("the names are ASCII")).collect();
        let module = parts.join("::").trim_end_matches(".rs").trim_end_matches("::mod").to_owned();
        let module = if module == "lib" { String::new() } else { module };
        let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.files.insert(module, Source { path: path.to_owned(), text: text.to_owned(), syntax: file });
    }

    fn path(&self, module: &str) -> String {
        format!("src/{}", self.files[module].path.display())
    }

    /// Returns the file in which what a path names is defined: through re-exports, to the end. None for another crate.
    fn resolve(&self, path: &[String]) -> Option<String> {
        let mut path = path.to_vec();
        for _ in 0..10 {
            let n_known = (0..=path.len()).rev().find(|n| self.files.contains_key(&path[..*n].join("::")))?;
            let module = path[..n_known].join("::");
            let Some(item) = path.get(n_known) else { return Some(module) };
            let uses = Names::of(&self.files[&module].syntax, &module);
            let Some(target) = uses.exported.get(item) else { return Some(module) };
            let target = match target.split_first()? {
                (first, rest) if first == "crate" => rest.to_vec(),
                // A module of this one, by its name.
                (first, _) if self.files.contains_key(&format!("{module}::{first}")) => {
                    path[..n_known].iter().chain(target).cloned().collect()
                }
                _ => return None,
            };
            path = target.into_iter().chain(path[n_known + 1..].iter().cloned()).collect();
        }
        None
    }

    /// Returns the files that a file names, without itself.
    fn named_by(&self, module: &str) -> BTreeSet<String> {
        let names = Names::of(&self.files[module].syntax, module);
        let mut named: BTreeSet<String> = names.paths.iter().filter_map(|path| self.resolve(path)).collect();
        named.remove(module);
        // The crate's own root has declarations and nothing else.
        named.remove("");
        named
    }

    fn graph(&self) -> BTreeMap<&str, BTreeSet<String>> {
        self.files.keys().map(|module| (module.as_str(), self.named_by(module))).collect()
    }

    /// Returns what breaks the order of the areas.
    fn upward(&self) -> Vec<String> {
        let area = |module: &str| module.split("::").next().unwrap_or_default().to_owned();
        let row = |area: &str| {
            ROWS.iter()
                .position(|row| row.contains(&area))
                .unwrap_or_else(|| panic!("{area} has no place among the areas"))
        };
        let mut upward = Vec::new();
        for (module, named) in self.graph() {
            if module.is_empty() {
                continue;
            }
            for other in named.iter().filter(|other| area(other) != area(module)) {
                if row(&area(other)) <= row(&area(module)) {
                    upward.push(format!("{} names {}", self.path(module), self.path(other)));
                }
            }
        }
        upward
    }

    /// Returns the circles of files, each as the way around.
    fn circles(&self) -> Vec<String> {
        let graph = self.graph();
        let mut circles = Vec::new();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for start in graph.keys() {
            if seen.contains(start) {
                continue;
            }
            if let Some(way) = way(&graph, start, |module| module == *start) {
                let way: Vec<String> = way.iter().map(|module| self.path(module)).collect();
                circles.push(way.join(" → "));
                seen.insert(start);
            }
        }
        circles
    }

    /// Returns the structs that have too many fields.
    fn wide(&self) -> Vec<String> {
        let mut wide = Vec::new();
        for (module, source) in &self.files {
            let path = self.path(module);
            if !LISTS.iter().any(|list| path.starts_with(list)) {
                let mut structs = Structs::default();
                structs.visit_file(&source.syntax);
                let found = structs.0.iter().filter(|(_, n_fields)| *n_fields > MOST_FIELDS);
                wide.extend(found.map(|(name, n_fields)| format!("{path}: {name} has {n_fields} fields")));
            }
        }
        wide
    }

    /// Returns the functions of a run that are too long.
    fn long(&self) -> Vec<String> {
        let of_a_run = self.files.iter().filter(|(module, _)| module.split("::").next() == Some("run"));
        let functions = of_a_run.flat_map(|(module, source)| {
            functions(&source.text).into_iter().map(move |(name, n_lines)| (self.path(module), name, n_lines))
        });
        let long = functions.filter(|(.., n_lines)| *n_lines > MOST_LINES);
        long.map(|(path, name, n_lines)| format!("{path}: {name} has {n_lines} lines")).collect()
    }

    /// Returns the ways by which files that are called pure reach the world outside.
    fn impure(&self, pure: &[&str]) -> Vec<String> {
        let graph = self.graph();
        let mut impure = Vec::new();
        for module in self.files.keys().filter(|module| {
            let path = self.path(module);
            pure.iter().any(|pure| path == *pure || (pure.ends_with('/') && path.starts_with(pure)))
        }) {
            let reaches = |module: &str| !self.outside(module).is_empty();
            let ways = if reaches(module) { Some(vec![module.clone()]) } else { way(&graph, module, reaches) };
            if let Some(way) = ways {
                let last = way.last().expect("a way has its end");
                let named: Vec<String> = way.iter().map(|module| self.path(module)).collect();
                impure.push(format!("{}: {}", named.join(" → "), self.outside(last).join(", ")));
            }
        }
        impure
    }

    /// Returns by what a file itself reaches the world outside.
    fn outside(&self, module: &str) -> Vec<String> {
        if module == PARALLEL {
            return Vec::new();
        }
        let names = Names::of(&self.files[module].syntax, module);
        let foreign = names.foreign.iter().map(|path| path.join("::"));
        let reached = |path: &String| {
            OUTSIDE.iter().any(|outside| path == outside || path.starts_with(&format!("{outside}::")))
                || CLOCKS.iter().any(|clock| path.ends_with(&format!("{clock}::now")))
        };
        let methods = names.methods.iter().filter(|method| METHODS.contains(&method.as_str()));
        foreign.filter(reached).chain(methods.map(|method| format!(".{method}()"))).collect()
    }
}

/// Returns a way from one file to the first that is wanted, without the start itself unless it is reached again.
fn way(graph: &BTreeMap<&str, BTreeSet<String>>, start: &str, is_wanted: impl Fn(&str) -> bool) -> Option<Vec<String>> {
    let mut from: BTreeMap<String, String> = BTreeMap::new();
    let mut queue = VecDeque::from([start.to_owned()]);
    while let Some(module) = queue.pop_front() {
        for next in &graph[module.as_str()] {
            if from.contains_key(next) {
                continue;
            }
            from.insert(next.clone(), module.clone());
            if is_wanted(next) {
                let mut way = vec![next.clone()];
                while let Some(before) = from.get(way.last().expect("it has its end")) {
                    way.push(before.clone());
                    if before == start {
                        break;
                    }
                }
                way.reverse();
                return Some(way);
            }
            queue.push_back(next.clone());
        }
    }
    None
}

/// What a file names.
#[derive(Default)]
struct Names {
    module: Vec<String>,
    /// Names that an import gives, with what they stand for.
    aliases: BTreeMap<String, Vec<String>>,
    /// Those of them that others may import from here.
    exported: BTreeMap<String, Vec<String>>,
    /// Paths within this crate, from its root.
    paths: Vec<Vec<String>>,
    /// Paths of other crates.
    foreign: Vec<Vec<String>>,
    methods: BTreeSet<String>,
}

impl Names {
    fn of(file: &syn::File, module: &str) -> Names {
        let module = module.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let mut imports = Names { module, ..Names::default() };
        for item in &file.items {
            if let syn::Item::Use(item) = item {
                let is_exported = !matches!(item.vis, syn::Visibility::Inherited);
                imports.import(&item.tree, &[], is_exported);
            }
        }
        imports.visit_file(file);
        imports
    }

    fn import(&mut self, tree: &syn::UseTree, before: &[String], is_exported: bool) {
        let with = |name: &syn::Ident| before.iter().cloned().chain([name.to_string()]).collect::<Vec<String>>();
        let (name, path) = match tree {
            syn::UseTree::Path(path) => return self.import(&path.tree, &with(&path.ident), is_exported),
            syn::UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(tree, before, is_exported));
            }
            syn::UseTree::Name(name) if name.ident == "self" => {
                (before.last().cloned().unwrap_or_default(), before.to_vec())
            }
            syn::UseTree::Name(name) => (name.ident.to_string(), with(&name.ident)),
            syn::UseTree::Rename(rename) => (rename.rename.to_string(), with(&rename.ident)),
            syn::UseTree::Glob(_) => return,
        };
        let path = self.rooted(path);
        if is_exported {
            self.exported.insert(name.clone(), path.clone());
        }
        self.aliases.insert(name, path);
    }

    /// Returns a path from the root: `crate::…` for this crate, and the crate's name first for another.
    fn rooted(&self, path: Vec<String>) -> Vec<String> {
        let ours = |base: &[String], rest: &[String]| {
            ["crate".to_owned()].iter().chain(base).chain(rest).cloned().collect::<Vec<String>>()
        };
        match path.first().map(String::as_str) {
            Some("self") => ours(&self.module, &path[1..]),
            Some("super") => {
                let n_up = path.iter().take_while(|part| *part == "super").count();
                ours(&self.module[..self.module.len().saturating_sub(n_up)], &path[n_up..])
            }
            Some("drizzle_pilot") => ours(&[], &path[1..]),
            _ => path,
        }
    }

    fn take(&mut self, path: Vec<String>) {
        let path = match path.first().and_then(|first| self.aliases.get(first)) {
            Some(alias) => alias.iter().chain(&path[1..]).cloned().collect(),
            None => self.rooted(path),
        };
        match path.split_first() {
            Some((first, rest)) if first == "crate" => self.paths.push(rest.to_vec()),
            Some(_) => self.foreign.push(path),
            None => {}
        }
    }
}

/// The structs of a file, with the numbers of their fields.
#[derive(Default)]
struct Structs(Vec<(String, usize)>);

impl<'ast> Visit<'ast> for Structs {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.0.push((item.ident.to_string(), item.fields.len()));
    }
}

/// Returns the functions of a text, each with its number of lines. The text is as rustfmt leaves it: the brace that closes a
/// function stands below its first word.
fn functions(text: &str) -> Vec<(String, usize)> {
    const BEGINS: &str = r"^( *)(?:pub(?:\([^)]*\))? )?(?:(?:const|async|unsafe) )*fn (\w+)";
    let begins = regex::Regex::new(BEGINS).expect("the pattern is right");
    let lines: Vec<&str> = text.lines().collect();
    let functions = lines.iter().enumerate().filter_map(|(first_idx, first)| {
        let (_, [indent, name]) = begins.captures(first)?.extract();
        let is_last = |(idx, line): (usize, &&str)| {
            let rest = line.strip_prefix(indent).unwrap_or_default();
            let is_declared = rest.ends_with(';') && (idx == 0 || rest.starts_with(')'));
            rest == "}" || is_declared || (idx == 0 && rest.ends_with('}'))
        };
        let last_idx = lines[first_idx..].iter().enumerate().position(is_last)?;
        Some((name.to_owned(), last_idx + 1))
    });
    functions.collect()
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    /// `pub(super)` names no more than it is.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.take(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.methods.insert(call.method.to_string());
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        // The arguments of most macros are expressions with commas between them.
        let parser = syn::punctuated::Punctuated::<syn::Expr, syn::Token![,]>::parse_terminated;
        if let Ok(arguments) = called.parse_body_with(parser) {
            arguments.iter().for_each(|argument| self.visit_expr(argument));
        }
        visit::visit_macro(self, called);
    }
}

/// Returns the files and folders that `docs/architecture.md` calls pure.
fn pure() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    let (_, list) = page.split_once("<!-- pure -->").expect("the page marks the beginning of its list");
    let (list, _) = list.split_once("<!-- /pure -->").expect("the page marks the end of its list");
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[track_caller]
fn check(found: &[String]) {
    let mut text = String::new();
    for line in found {
        let _ = writeln!(text, "  {line}");
    }
    assert!(found.is_empty(), "\n{text}");
}

#[test]
fn areas_name_only_what_is_below_them() {
    check(&Sources::of_this_crate().upward());
}

#[test]
fn no_files_name_each_other_in_a_circle() {
    check(&Sources::of_this_crate().circles());
}

#[test]
fn pure_files_reach_nothing_outside_also_through_what_they_name() {
    let (sources, pure) = (Sources::of_this_crate(), pure());
    for path in &pure {
        let is_there = Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists();
        assert!(is_there, "docs/architecture.md calls {path} pure, and it is not there");
    }
    assert!(pure.len() > 20, "{} files are pure", pure.len());
    check(&sources.impure(&pure.iter().map(String::as_str).collect::<Vec<_>>()));
}

#[test]
fn no_struct_is_several_things_at_once() {
    check(&Sources::of_this_crate().wide());
}

#[test]
fn no_function_of_a_run_is_long() {
    check(&Sources::of_this_crate().long());
}

/// Reads a planted crate.
fn planted(files: &[(&str, &str)]) -> Sources {
    let mut sources = Sources::default();
    files.iter().for_each(|(path, text)| sources.add(Path::new(path), text));
    sources.forget_tests();
    sources
}

#[test]
fn a_planted_arrow_upward_is_found() {
    let run = ("run/mod.rs", "pub mod spec;");
    let spec = ("run/spec.rs", "use crate::commands::push;\nfn f() { push::run() }");
    let push = ("commands/push.rs", "pub fn run() {}");
    assert_eq!(planted(&[run, spec, push]).upward(), ["src/run/spec.rs names src/commands/push.rs"]);
    // Through a re-export, and written out.
    let commands = ("commands/mod.rs", "pub mod push;\npub use push::run;");
    let spec = ("run/spec.rs", "fn f() { if true { println!(\"{}\", crate::commands::run()) } }");
    assert_eq!(planted(&[run, spec, push, commands]).upward(), ["src/run/spec.rs names src/commands/push.rs"]);
    let allowed = ("commands/push.rs", "use crate::run::spec;\npub fn run() { spec::f() }");
    assert!(planted(&[run, ("run/spec.rs", "pub fn f() {}"), allowed]).upward().is_empty());
}

#[test]
fn a_planted_circle_is_found() {
    let a = ("db/a.rs", "use super::b::B;\npub struct A(B);");
    let b = ("db/b.rs", "use crate::db::c;\npub struct B;\nfn f() { c::f() }");
    let c = ("db/c.rs", "pub fn f(_: &crate::db::a::A) {}");
    let circles = planted(&[a, b, c]).circles();
    assert_eq!(circles.first().map(String::as_str), Some("src/db/a.rs → src/db/b.rs → src/db/c.rs → src/db/a.rs"));
    assert!(planted(&[a, b, ("db/c.rs", "pub fn f() {}")]).circles().is_empty());
    // What only tests name is no arrow.
    let tested = ("db/c.rs", "pub fn f() {}\n#[cfg(test)]\nmod tests { use crate::db::a::A; fn g(_: A) {} }");
    assert!(planted(&[a, b, tested]).circles().is_empty());
}

#[test]
fn planted_input_and_output_is_found() {
    let check = |files: &[(&str, &str)], expected: &str| {
        assert_eq!(planted(files).impure(&["src/sql/plan.rs"]), [expected]);
    };
    check(&[("sql/plan.rs", "fn f(p: &std::path::Path) -> bool { p.is_file() }")], "src/sql/plan.rs: .is_file()");
    check(
        &[("sql/plan.rs", "use std::time::Instant;\nfn f() { Instant::now(); }")],
        "src/sql/plan.rs: std::time::Instant::now",
    );
    check(
        &[
            ("sql/plan.rs", "use crate::sql::a;\nfn f() { a::g() }"),
            ("sql/a.rs", "pub fn g() { std::fs::read(\"x\"); }"),
        ],
        "src/sql/plan.rs → src/sql/a.rs: std::fs::read",
    );
    let pure = ("sql/plan.rs", "use std::path::Path;\nfn f(p: &Path) -> bool { p.is_absolute() }");
    let declaring = ("sql.rs", "#[cfg(test)]\nmod plan;");
    assert!(
        planted(&[declaring, ("sql/plan.rs", "fn f() { std::fs::read(\"x\"); }")]).impure(&["src/sql/"]).is_empty()
    );
    assert!(planted(&[pure]).impure(&["src/sql/plan.rs"]).is_empty());
}

#[test]
fn a_planted_struct_of_too_many_fields_is_found() {
    let wide = |n_fields: usize| {
        let fields: String = (0..n_fields).map(|idx| format!("f{idx}: u8, ")).collect();
        format!("struct Wide {{ {fields} }}")
    };
    let found = |path: &str, text: &str| planted(&[(path, text)]).wide();
    assert_eq!(found("run/spec.rs", &wide(13)), ["src/run/spec.rs: Wide has 13 fields"]);
    assert_eq!(found("run/spec.rs", &format!("fn f() {{ {} }}", wide(14))), ["src/run/spec.rs: Wide has 14 fields"]);
    assert!(found("run/spec.rs", &wide(12)).is_empty());
    assert!(found("cli/policy.rs", &wide(13)).is_empty());
    assert!(found("run/spec.rs", &format!("#[cfg(test)]\nmod tests {{ {} }}", wide(13))).is_empty());
}

#[test]
fn a_planted_function_of_too_many_lines_is_found() {
    let long =
        |n_lines: usize| format!("pub(super) fn long(\n    a: u8,\n) {{\n{}}}\n", "    a;\n".repeat(n_lines - 4));
    let found = |path: &str, text: &str| planted(&[(path, text)]).long();
    assert_eq!(found("run/spec.rs", &long(81)), ["src/run/spec.rs: long has 81 lines"]);
    let method = format!(
        "impl A {{\n    fn short();\n{}}}",
        long(82).lines().map(|line| format!("    {line}\n")).collect::<String>()
    );
    assert_eq!(found("run/gate/judge.rs", &method), ["src/run/gate/judge.rs: long has 82 lines"]);
    assert!(found("run/spec.rs", &long(80)).is_empty());
    assert!(found("sql/plan.rs", &long(81)).is_empty());
    let two = format!("{}\nfn f() {{}}\n{}", long(50), long(50));
    assert!(found("run/spec.rs", &two).is_empty());
}
