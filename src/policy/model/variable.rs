//! Variables of the environment and the values that count, in each of their usual spellings. Pure.

use std::fmt;

use crate::policy::model::rule::{Layer, Ruled};

/// What says that this is production, where no file says what does.
pub(super) const PRODUCTION: [(&str, &str); 8] = [
    ("NODE_ENV", "production"),
    ("VERCEL_ENV", "production"),
    ("APP_ENV", "production"),
    ("RAILWAY_ENVIRONMENT_NAME", "production"),
    ("CONTEXT", "production"), // Netlify
    ("ENVIRONMENT", "production"),
    ("ENV", "production"),
    ("STAGE", "production"),
];

/// The variables under which no database is changed.
#[derive(Debug, Clone)]
pub(in crate::policy) struct RefuseEnv {
    pub(in crate::policy) lines: Vec<Ruled<Variable>>,
    pub(in crate::policy) layer: Layer,
}

/// A variable of the environment and the value that counts, in each of its usual spellings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub(in crate::policy) name: String,
    pub(in crate::policy) value: String,
}

/// Words that mean the same value.
const SAME: [&[&str]; 6] = [
    &["production", "prod", "prd"],
    &["development", "dev"],
    &["staging", "stage", "stg"],
    &["test", "testing"],
    &["true", "1", "yes", "on"],
    &["false", "0", "no", "off"],
];

/// Tells whether a variable has a value, in any of its usual spellings: without regard to case and blanks around it, and with
/// the words of [`SAME`] for one another.
fn is_value(found: &str, wanted: &str) -> bool {
    let (found, wanted) = (found.trim().to_lowercase(), wanted.trim().to_lowercase());
    found == wanted || SAME.iter().any(|words| words.contains(&&*found) && words.contains(&&*wanted))
}

impl Variable {
    pub(in crate::policy) fn is_set(&self, env: &dyn Fn(&str) -> Option<String>) -> bool {
        env(&self.name).is_some_and(|value| is_value(&value, &self.value))
    }

    /// Tells whether both name one variable and one value.
    pub(in crate::policy) fn is_same(&self, other: &Variable) -> bool {
        self.name == other.name && is_value(&self.value, &other.value)
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}
