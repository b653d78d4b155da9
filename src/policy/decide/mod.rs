//! Answers questions by the policy. Pure: a policy and a question in, an answer with its rule out.
//!
//! `prompt` answers drizzle-kit; [`stakes`] judges what statements would do.

mod announced;
mod decision;
mod hazard;
mod limit;
mod prompt;
mod question;
mod rename;
mod scope;
mod stake;
#[cfg(test)]
mod testing;
mod unanswered;
mod unknown;

pub(crate) use announced::loss_stakes;
pub(in crate::policy) use announced::unique_stake;
pub use decision::{Decision, Doubt, Refusal};
pub use hazard::{Consent, stakes};
pub(crate) use hazard::{consenting, conversions, judge};
pub(crate) use prompt::prompt;
pub(in crate::policy) use question::{Applies, Question, Reading};
pub(crate) use rename::renamed;
pub(in crate::policy) use rename::{question, sections};
pub use scope::{Scope, TablesByName};
pub use stake::{Count, Objects, Stake};
