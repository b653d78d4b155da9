//! `docs/getting-started.md`, command by command, on a real drizzle-kit and database: what the page shows is what they print.
//!
//! `UPDATE_DOCS=1 cargo test --test live getting_started` writes what they print into the page.

use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

use crate::NEWEST;
use crate::npm::{pnpm, tarballs};
use crate::support::{Database, lab_variable};

const PAGE: &str = "docs/getting-started.md";

/// What the page calls the things that have other names here.
const HOME: &str = "/home/ann";
const URL: &str = "postgres://app:secret@localhost:5432/shop";

/// Where the commands of the page run.
struct Session {
    home: tempfile::TempDir,
    /// The project's folder below it.
    folder: PathBuf,
    database: Database,
    code: i32,
    /// What is written here instead of what the page says, and the other way round.
    names: Vec<(String, &'static str)>,
}

impl Session {
    fn new(folder: &str) -> Session {
        let database = Database::create();
        let home = tempfile::Builder::new().prefix("getting started ").tempdir().expect("there is room");
        let at = |url: &url::Url| {
            let port = url.port().expect("the laboratory has ports");
            format!("{}:{port}{} as {}", url.host_str().expect("it has a host"), url.path(), url.username())
        };
        let database_url = database.url();
        let path = home.path().canonicalize().expect("it is there");
        let names = vec![
            (database_url.to_string(), URL),
            (at(&database_url), "localhost:5432/shop as app"),
            (format!("{} as {}", database_url.path().trim_start_matches('/'), database_url.username()), "shop as app"),
            (path.display().to_string(), HOME),
        ];
        let folder = home.path().join(folder);
        std::fs::create_dir_all(&folder).expect("the folder is ours");
        Session { home, folder, database, code: 0, names }
    }

    /// Returns text of the page as it is here.
    fn ours(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (ours, theirs)| text.replace(theirs, ours))
    }

    /// Returns what was printed as the page has it.
    fn theirs(&self, text: &str) -> String {
        let text = self.names.iter().fold(text.to_owned(), |text, (ours, theirs)| text.replace(ours, theirs));
        let versions = [
            (r"\bv\d+\.\d+\.\d+ \(.*/node\)", "v22.12.0 (/usr/bin/node)"),
            (r"PostgreSQL \d+\.\d+", "PostgreSQL 17.2"),
            (r"counted  [-0-9]+T[:0-9]+Z", "counted  2026-03-12T09:30:00Z"),
        ];
        versions.iter().fold(text, |text, (pattern, shown)| {
            Regex::new(pattern).expect("the pattern is right").replace_all(&text, *shown).into_owned()
        })
    }

    /// Writes a file that the page shows; a piece of one, where it says below which line it goes.
    fn write(&self, file: &str, below: Option<&str>, text: &str) {
        let path = self.folder.join(file);
        std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder is ours");
        let text = match below {
            None => self.ours(text),
            Some(below) => {
                let whole = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
                let line = format!("\n{below}\n");
                assert_eq!(whole.matches(&line).count(), 1, "{file} has one line {below}");
                whole.replace(&line, &format!("{line}{text}"))
            }
        };
        std::fs::write(path, text).expect("the folder is ours");
    }

    /// Runs a command line and returns what a terminal would show.
    fn run(&mut self, line: &str) -> String {
        let pnpm = format!("pnpm() {{ node '{}' \"$@\"; }}; ", pnpm());
        let script = format!("exec 2>&1; {pnpm}(exit {}); {}", self.code, installs(line));
        let output = Command::new("sh")
            .args(["-c", &script])
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").expect("cargo has a PATH"))
            .env("HOME", self.home.path())
            .env("npm_config_update_notifier", "false")
            .env("npm_config_audit", "false")
            .env("npm_config_fund", "false")
            // What a workspace's packages read; the project of its own has a file.
            .envs((!self.folder.join(".env").exists()).then(|| ("DATABASE_URL", self.database.url().to_string())))
            .stdin(std::process::Stdio::null())
            .output()
            .expect("there is a shell");
        self.code = output.status.code().expect("it ends by itself");
        let shown = String::from_utf8(output.stdout).expect("it prints UTF-8");
        self.theirs(&without_context(&shown))
    }
}

/// Leaves out what a diff of package.json shows around the scripts: every npm writes it in another order.
fn without_context(shown: &str) -> String {
    let mut kept = String::new();
    let mut is_diff = false;
    for line in shown.lines() {
        is_diff = line == "+++ package.json" || is_diff && line.starts_with([' ', '+', '-', '@']);
        match line {
            line if is_diff && line.starts_with("@@") => kept += "@@ … @@\n",
            line if is_diff && line.starts_with(' ') && !matches!(line.trim(), "\"scripts\": {" | "},") => {}
            line => kept += &format!("{line}\n"),
        }
    }
    kept
}

/// Replaces what comes from the registry by what is here: drizzle's packages in the laboratory, and ours as they were packed.
fn installs(line: &str) -> String {
    let (npm, words) = match line {
        "mkdir shop && cd shop && npm init -y" => return "npm init -y".to_owned(),
        line if line.starts_with("npm i ") => {
            ("npm install --offline --ignore-scripts --install-links=false".to_owned(), line)
        }
        line if line.starts_with("pnpm -r add ") => {
            ("for package in packages/*; do pnpm add --offline --dir \"$package\" --ignore-scripts".to_owned(), line)
        }
        line => return line.to_owned(),
    };
    let lab = Path::new(&lab_variable("DRIZZLE_PILOT_LAB")).join(NEWEST).join("node_modules");
    let is_dev = line.contains(" -D ");
    let mut packages = Vec::new();
    for word in words.split(' ').skip_while(|word| !matches!(*word, "i" | "add")).skip(1).filter(|word| *word != "-D") {
        match word {
            "drizzle-pilot" => packages.extend(tarballs().iter().map(|path| path.display().to_string())),
            // Nothing checks types here.
            word if word.starts_with("@types/") => {}
            word => packages.push(lab.join(word).display().to_string()),
        }
    }
    let dev = if is_dev { " --save-dev" } else { "" };
    let done = if npm.starts_with("for ") { " || exit; done" } else { "" };
    format!("{npm}{dev} '{}'{done}", packages.join("' '"))
}

#[test]
fn a_single_project_goes_as_the_page_says() {
    follow("A single project", "A workspace with two packages", Session::new("shop"));
}

#[test]
fn a_workspace_with_two_packages_goes_as_the_page_says() {
    follow("A workspace with two packages", "Next steps", Session::new("shops"));
}

/// Follows the page from one heading to another.
#[track_caller]
fn follow(from: &str, to: &str, mut session: Session) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = std::fs::read_to_string(&path).expect("the page is part of the repository");
    let begin = page.find(&format!("\n## {from}\n")).expect("the heading is there");
    let end = page.find(&format!("\n## {to}\n")).expect("the heading is there");
    let file = Regex::new(r"`([^`]+)`(?:, below `([^`]+)`)?:$").expect("the pattern is right");
    let mut followed = String::new();
    let mut lines = page[begin..end].lines();
    let mut last = "";
    while let Some(line) = lines.next() {
        followed += &format!("{line}\n");
        let Some(language) = line.strip_prefix("```") else {
            if !line.is_empty() {
                last = line;
            }
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        match language {
            "console" => {
                for command in block.iter().filter_map(|line| line.strip_prefix("$ ")) {
                    followed += &format!("$ {command}\n{}", session.run(command));
                }
            }
            "sh" => {
                for command in &block {
                    let said = session.run(command);
                    assert_eq!(session.code, 0, "{command}\n{said}");
                    followed += &format!("{command}\n");
                }
            }
            language => {
                let named = file
                    .captures(last)
                    .unwrap_or_else(|| panic!("no file stands before a block of {language}: {last}"));
                let text = format!("{}\n", block.join("\n"));
                session.write(&named[1], named.get(2).map(|below| below.as_str()), &text);
                followed += &text;
            }
        }
        followed += "```\n";
    }
    let followed = followed.trim_end().to_owned() + "\n";
    if std::env::var_os("UPDATE_DOCS").is_some_and(|update| update == "1") {
        // The other test may have written its part meanwhile.
        static WRITING: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let writing = WRITING.lock().expect("nobody panics with it");
        let page = std::fs::read_to_string(&path).expect("the page is part of the repository");
        let begin = page.find(&format!("\n## {from}\n")).expect("the heading is there");
        let end = page.find(&format!("\n## {to}\n")).expect("the heading is there");
        std::fs::write(&path, format!("{}{followed}{}", &page[..begin], &page[end..]))
            .expect("the page can be written");
        drop(writing);
        return;
    }
    let shown = page[begin..end].trim_end().to_owned() + "\n";
    let differs = shown.lines().zip(followed.lines()).find(|(shown, followed)| shown != followed);
    assert!(
        shown == followed,
        "the page shows something else: UPDATE_DOCS=1 cargo test --test live getting_started\n{differs:#?}\n{followed}"
    );
}
