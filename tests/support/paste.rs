//! After every push that was refused with lines for the policy: the lines are pasted into a copy of the project, and pushed to a copy
//! of the database. A line that is printed must lead to what the refusal promised, and never half way.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use regex::Regex;
use url::Url;

use super::database::Copy;
use super::lab_variable;
use super::ran::Ran;
use super::run::Run;

/// Pastes the lines of a refused push, and pushes again. Where the database is in use by something that the test does meanwhile,
/// it cannot be copied, and nothing is tried.
pub(super) fn check(project: &Path, arguments: &[String], environment: &[(String, String)], ran: &Ran) {
    let refusals = ran.report["refusals"].as_array().map(Vec::as_slice).unwrap_or_default();
    let lines: Vec<&str> = refusals.iter().filter_map(|refusal| refusal["allow_with"].as_str()).collect();
    let url = environment.iter().rev().find(|(name, _)| name == "DATABASE_URL").map(|(_, url)| url);
    let is_push = arguments.first().is_some_and(|command| command == "push");
    let names_files = arguments.iter().any(|argument| ["--policy", "--plan", "--cwd", "--kit"].contains(&&**argument));
    let (Some(url), true, true, 3) = (url, is_push && !names_files, !lines.is_empty(), ran.code) else { return };
    let Ok(url) = url.parse::<Url>() else { return };
    let Some(copy) = Copy::of(&url) else { return };

    let beside = tempfile::Builder::new().prefix("pasted project ").tempdir().expect("there is a temporary folder");
    copy_folder(project, beside.path());
    let file = beside.path().join("drizzle-pilot.toml");
    let old = std::fs::read_to_string(&file).unwrap_or_default();
    let policy = pasted(&old, &ran.stderr);
    std::fs::write(&file, &policy).expect("the folder is ours");

    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let run =
        environment.iter().fold(Run::within(beside.path(), &arguments), |run, (name, value)| run.env(name, value));
    let again = run.env("DATABASE_URL", copy.url().as_str()).without_paste().run();
    // Something else may be refused now that was not looked at before, but what is allowed by the lines must work.
    let says_all = refusals.iter().all(|refusal| refusal["allow_with"].is_string());
    let fits = again.code == 0 || (again.code == 3 && !says_all);
    count(again.code);
    assert!(
        fits,
        "the lines of a refusal were pasted:\n{policy}\nand this came of it:\n{again}\nthe refusal was:\n{ran}"
    );
}

/// Counts for the summary of `scripts/test`: a line for each refusal that was pasted, with what came of it.
fn count(code: i32) {
    let file = Path::new(&lab_variable("DRIZZLE_PILOT_LAB_RUN")).join("pasted");
    let mut file = OpenOptions::new().create(true).append(true).open(file).expect("the run of the laboratory is there");
    writeln!(file, "{code}").expect("the laboratory has room");
}

/// Does to a file what refusals say: the first way that each of them names, as a person would who reads it.
fn pasted(old: &str, said: &str) -> String {
    let mut lines: Vec<Vec<String>> =
        std::iter::once(Vec::new()).chain(old.lines().map(|line| vec![line.to_owned()])).collect();
    let mut end: Vec<String> = Vec::new();
    let (mut n_ways, mut place) = (0, None);
    for line in said.lines() {
        if line.starts_with("  drizzle-pilot.toml") || line.starts_with("  and in drizzle-pilot.toml") {
            n_ways += usize::from(!line.starts_with("  and in "));
            place = (n_ways == 1).then(|| Place::read(line));
            if let Some(Place::Instead(first, last)) = &place {
                lines[*first..=*last].iter_mut().for_each(Vec::clear);
            }
        } else if let (Some(place), true) = (&place, line.is_empty() || line.starts_with("      ")) {
            let line = line.trim_start().to_owned();
            match place {
                Place::After(idx) => lines[*idx].push(line),
                Place::Instead(first, _) => lines[*first].push(line),
                Place::End => end.push(line),
            }
        } else if line.starts_with("refused: ") {
            (n_ways, place) = (0, None);
        } else {
            place = None;
        }
    }
    lines.into_iter().flatten().chain(end).map(|line| line + "\n").collect()
}

/// Where lines go, in a file whose lines are counted from 1.
enum Place {
    After(usize),
    Instead(usize, usize),
    End,
}

impl Place {
    /// Reads what stands above the lines.
    fn read(head: &str) -> Self {
        let number = |pattern: &str| -> Option<Vec<usize>> {
            let found = Regex::new(pattern).expect("the pattern is right").captures(head)?;
            Some(
                found.iter().skip(1).flatten().map(|number| number.as_str().parse().expect("it is a number")).collect(),
            )
        };
        if let Some(lines) = number(r"(?:in place of|without) lines (\d+) to (\d+):?$") {
            return Self::Instead(lines[0], lines[1]);
        }
        if let Some(lines) = number(r"(?:in place of|without) line (\d+):?$") {
            return Self::Instead(lines[0], lines[0]);
        }
        if let Some(lines) = number(r"(?:, line|after line) (\d+):$") {
            return Self::After(lines[0]);
        }
        if head.ends_with("before the first line:") { Self::After(0) } else { Self::End }
    }
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("the project is there").map(|entry| entry.expect("it can be read")) {
        let to = to.join(entry.file_name());
        let kind = entry.file_type().expect("it is there");
        if kind.is_symlink() {
            let target = std::fs::read_link(entry.path()).expect("it is a link");
            std::os::unix::fs::symlink(target, to).expect("the folder is ours");
        } else if kind.is_dir() {
            std::fs::create_dir(&to).expect("the folder is ours");
            copy_folder(&entry.path(), &to);
        } else if kind.is_file() {
            std::fs::copy(entry.path(), to).expect("the folder is ours");
        }
    }
}
