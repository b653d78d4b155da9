//! Where a rule comes from: the file and its line, a flag, or what is built in. Pure.

use std::fmt;

/// The name that a policy file has where none is named.
pub(crate) const FILE_NAME: &str = "drizzle-pilot.toml";

/// Where a policy comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// No file was found.
    BuiltIn,
    /// A file, with the path by which it is named and its text.
    File { path: String, text: String },
}

/// The line that a value comes from. It is what a decision shows as its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRef {
    /// The place in the file's tree, such as `hazards.drop_column`. Empty where the origin says it all.
    pub(crate) path: String,
    /// Who wrote the rule.
    pub(crate) origin: Origin,
}

/// Who wrote a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A line of a policy file, counted from 1.
    File { file: String, line: usize },
    /// What applies where no file says otherwise.
    BuiltIn,
    /// A flag of the command line.
    Flag(&'static str),
    /// Nothing else could be chosen.
    OnlyChoice,
}

/// A value with the rule that set it.
#[derive(Debug, Clone)]
pub(crate) struct Ruled<T> {
    pub(crate) value: T,
    pub(crate) rule: RuleRef,
}

/// The part of the file that a rule stands in: a profile, or none for the part that all share.
pub(in crate::policy) type Layer = Option<String>;

impl RuleRef {
    pub(in crate::policy) fn built_in(path: &str) -> RuleRef {
        RuleRef { path: path.to_owned(), origin: Origin::BuiltIn }
    }
}

impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File { file, line } => write!(f, "{file}:{line} {}", self.path),
            Origin::BuiltIn if self.path.is_empty() => f.write_str("built-in policy"),
            Origin::BuiltIn => write!(f, "built-in policy ({})", self.path),
            Origin::Flag(flag) => f.write_str(flag),
            Origin::OnlyChoice => f.write_str("the only choice"),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::BuiltIn => f.write_str("built-in policy"),
            Source::File { path, .. } => f.write_str(path),
        }
    }
}
