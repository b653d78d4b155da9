//! Reads single values of the file and collects what is wrong with them. Pure.

use std::ops::Range;

use regex::Regex;
use toml::Spanned;

use crate::host::Pattern as HostPattern;
use crate::policy::file::problem::{Problem, position};
use crate::policy::model::{COMMANDS, CommandLine, Layer, Origin, RuleRef, Variable};
use crate::policy::name::{Pattern, Shape};
use crate::policy::toml_text::toml_key;
use crate::policy::wording::{closest, quoted};

/// Turns the file into policies and collects what is wrong with it.
pub(super) struct Reader<'a> {
    pub(super) path: &'a str,
    pub(super) text: &'a str,
    pub(super) problems: Vec<Problem>,
}

impl Reader<'_> {
    pub(super) fn problem(&mut self, span: Range<usize>, message: impl Into<String>) -> &mut Problem {
        let (line, column) = position(self.text, span.start);
        self.problems.push(Problem { message: message.into(), line, column, hint: None, span, also: None });
        self.problems.last_mut().expect("a problem was just added")
    }

    pub(super) fn rule(&self, layer: &Layer, path: &str, span: Range<usize>) -> RuleRef {
        let path = match layer {
            Some(profile) => format!("profiles.{}.{path}", toml_key(profile)),
            None => path.to_owned(),
        };
        let (line, _) = position(self.text, span.start);
        RuleRef { path, origin: Origin::File { file: self.path.to_owned(), line } }
    }

    pub(super) fn pattern(&mut self, text: &Spanned<String>, shape: Shape) -> Option<Pattern> {
        match Pattern::parse(text.get_ref(), shape) {
            Ok(pattern) => Some(pattern),
            Err(message) => {
                self.problem(text.span(), message);
                None
            }
        }
    }

    pub(super) fn regex(&mut self, text: &Spanned<String>) -> Option<Regex> {
        match Regex::new(text.get_ref()) {
            Ok(regex) => Some(regex),
            Err(error) => {
                // The last line says what is wrong; those above draw the expression again.
                let message = error.to_string();
                let reason = message.lines().last().unwrap_or_default().trim_start_matches("error: ");
                self.problem(text.span(), format!("this is not a regular expression: {reason}"));
                None
            }
        }
    }

    pub(super) fn host(&mut self, text: &Spanned<String>) -> Option<HostPattern> {
        if text.get_ref().trim().is_empty() {
            self.problem(text.span(), "a host cannot be empty").hint("write \"*\" for all hosts");
            return None;
        }
        match HostPattern::parse(text.get_ref()) {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                self.problem(text.span(), format!("`{}` is not a glob: {error}", text.get_ref()));
                None
            }
        }
    }

    pub(super) fn variable(&mut self, text: &Spanned<String>) -> Option<Variable> {
        match text.get_ref().split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
                if name.contains(char::is_whitespace) {
                    self.problem(text.span(), format!("`{name}` is not the name of a variable"));
                }
                Some(Variable { name, value })
            }
            _ => {
                self.problem(text.span(), format!("`{}` does not say which value counts", text.get_ref()))
                    .hint("write it as \"NAME=value\"");
                None
            }
        }
    }

    pub(super) fn command_line(&mut self, line: &Spanned<String>) -> Option<CommandLine> {
        match shell_words::split(line.get_ref()).ok().filter(|words| !words.is_empty()) {
            Some(words) => Some(CommandLine { text: line.get_ref().clone(), words }),
            None => {
                self.problem(line.span(), "this is no command line")
                    .hint("write a program and its arguments, as in \"pnpm db:seed\"; no shell reads it");
                None
            }
        }
    }

    pub(super) fn known_command(&mut self, command: &Spanned<String>) {
        if COMMANDS.contains(&command.get_ref().as_str()) {
            return;
        }
        let problem = self.problem(command.span(), format!("there is no command `{}` to allow", command.get_ref()));
        match closest(command.get_ref(), COMMANDS) {
            Some(closest) => problem.hint(format!("did you mean `{closest}`?")),
            None => problem.hint(format!("the commands are {}", quoted(&COMMANDS))),
        }
    }
}
