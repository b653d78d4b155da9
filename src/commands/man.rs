//! `completions` and `man`: what shells and `man` need to know, made from the definition of the command line.

use std::path::{Path, PathBuf};

use clap::Command;
use clap::builder::Resettable;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::{CompletionsArgs, ManArgs, Shared, ignored};
use crate::outcome::{Database, Exit, Verdict};
use crate::output::console::Console;

use crate::project::root;

/// The program's name, which is that of its first page.
const NAME: &str = "drizzle-pilot";

/// A page of the manual.
#[derive(Debug)]
pub struct Page {
    /// `drizzle-pilot-push.1`
    pub file: String,
    /// In roff.
    pub text: Vec<u8>,
}

/// Runs `completions`.
pub fn complete(args: &CompletionsArgs, console: &mut Console) -> Exit {
    console.document(&script(args.shell));
    Exit::Ok
}

/// Returns the completions of a shell.
pub fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut ignored::command(), NAME, &mut script);
    String::from_utf8(script).expect("the names of commands and flags are UTF-8")
}

/// Runs `man`: prints the first page, or writes all of them into a folder.
pub fn write(shared: &Shared, args: &ManArgs, console: &mut Console) -> Exit {
    let pages = pages();
    let Some(folder) = &args.folder else {
        console.document(&String::from_utf8_lossy(&pages[0].text));
        return Exit::Ok;
    };
    let written = root::find(shared).and_then(|cwd| write_all(&pages, &cwd.join(folder)));
    match written {
        Ok(()) => {
            console.result(&format!("wrote {} pages to {}\n", pages.len(), folder.display()));
            Exit::Ok
        }
        Err(verdict) => {
            console.error(verdict.exit.name(), &verdict.summary);
            console.insist(Database::Unchanged.sentence());
            verdict.exit
        }
    }
}

fn write_all(pages: &[Page], folder: &Path) -> Result<(), Verdict> {
    let failed = |path: PathBuf, error: std::io::Error| {
        Verdict::nothing(Exit::Failed, format!("writing {}: {error}", path.display()))
    };
    std::fs::create_dir_all(folder).map_err(|error| failed(folder.to_owned(), error))?;
    for Page { file, text } in pages {
        let path = folder.join(file);
        std::fs::write(&path, text).map_err(|error| failed(path, error))?;
    }
    Ok(())
}

/// Returns a page for the program, and one for each command, those of a command below it.
pub fn pages() -> Vec<Page> {
    let mut pages = Vec::new();
    // The default and the environment of whoever makes the pages are none of the reader's.
    let mut command = ignored::command().disable_help_subcommand(true).mut_args(|arg| arg.hide_env_values(true));
    command.build();
    describe(command, NAME, &mut pages);
    pages
}

fn describe(command: Command, name: &str, pages: &mut Vec<Page>) {
    let below: Vec<Command> = command.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let shown = command.name(name.to_owned()).after_help(Resettable::Reset);
    let mut text = Vec::new();
    Man::new(shown).render(&mut text).expect("memory takes what is written");
    text.extend(as_they_stand(&examples).into_bytes());
    pages.push(Page { file: format!("{name}.1"), text });
    for command in below {
        let name = format!("{name}-{}", command.get_name());
        describe(command, &name, pages);
    }
}

/// Returns a section with lines as they stand: examples have columns.
fn as_they_stand(examples: &str) -> String {
    let escape = |line: &str| {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
    };
    let lines: String = examples.lines().map(|line| format!("{}\n", escape(line))).collect();
    format!(".SH EXAMPLES\n.nf\n{lines}.fi\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_that_is_roff() {
        let pages = pages();
        let names: Vec<&str> = pages.iter().map(|page| page.file.as_str()).collect();
        fn expected(command: &Command, name: &str, names: &mut Vec<String>) {
            names.push(format!("{name}.1"));
            for command in command.get_subcommands() {
                expected(command, &format!("{name}-{}", command.get_name()), names);
            }
        }
        let mut all = Vec::new();
        expected(&ignored::command(), NAME, &mut all);
        assert_eq!(names, all);
        // The requests that `man` knows. Text that begins like one would vanish.
        let known = [".TH", ".SH", ".SS", ".TP", ".RS", ".RE", ".br", ".ie", ".el", ".PP", ".IP", ".nf", ".fi"];
        for Page { file, text } in &pages {
            let text = String::from_utf8(text.clone()).expect("a page is text");
            let heading = format!(".TH {} 1", file.trim_end_matches(".1"));
            assert!(text.lines().any(|line| line.starts_with(&heading)), "{file} has no {heading}\n{text}");
            for section in [".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH EXAMPLES"] {
                assert!(text.lines().any(|line| line == section), "{file} has no {section}\n{text}");
            }
            for line in text.lines().filter(|line| line.starts_with('.')) {
                let request = line.split_whitespace().next().unwrap_or_default();
                assert!(known.contains(&request), "{file}: {line}");
            }
        }
    }
}
