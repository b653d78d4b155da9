//! Reads `[reset]`. Pure.

use toml::Spanned;

use crate::policy::file::format::{ResetEntry, ThenEntry};
use crate::policy::file::reader::Reader;
use crate::policy::model::{CommandLine, Reset, Then};

/// Lays the keys of the file or of a profile over those of a policy.
pub(super) fn lay(reader: &mut Reader<'_>, reset: &mut Reset, entry: &ResetEntry) {
    if let Some(then) = &entry.then {
        reset.then = Some(match then.get_ref() {
            ThenEntry::Push => Then::Push,
            ThenEntry::Migrate => Then::Migrate,
            ThenEntry::None => Then::Nothing,
        });
    }
    if let Some(lines) = &entry.before {
        reset.before = lines.iter().filter_map(|line| command_line(reader, line)).collect();
    }
    if let Some(lines) = &entry.after {
        reset.after = lines.iter().filter_map(|line| command_line(reader, line)).collect();
    }
}

fn command_line(reader: &mut Reader<'_>, line: &Spanned<String>) -> Option<CommandLine> {
    match shell_words::split(line.get_ref()).ok().filter(|words| !words.is_empty()) {
        Some(words) => Some(CommandLine { text: line.get_ref().clone(), words }),
        None => {
            reader
                .problem(line.span(), "this is not a command line")
                .hint("write a program and its arguments, such as \"pnpm db:seed\"; it is run without a shell");
            None
        }
    }
}
