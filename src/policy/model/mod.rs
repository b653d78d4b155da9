//! What a policy says once its file is read and its profile is merged. Pure; knows nothing of TOML.

mod ban;
mod guard;
mod hazard;
mod migrate;
mod policy;
mod profile;
mod prompt;
mod push;
mod rename;
mod reset;
mod rule;
mod scratch;
mod section;
mod variable;

pub use ban::Ban;
pub(crate) use hazard::HazardRule;
pub(in crate::policy) use hazard::{HazardKey, HazardLine};
pub(crate) use migrate::{Anomaly, MigrateGate};
pub use policy::Policy;
pub(in crate::policy) use profile::{COMMANDS, Profile};
pub use profile::{Match, Policies, SelectError};
pub(in crate::policy) use prompt::{PromptAnswer, PromptRule, Prompts};
pub use push::Apply;
pub(in crate::policy) use push::{ApplyLine, Using};
pub(crate) use rename::Otherwise;
pub(in crate::policy) use rename::{Create, Rename};
pub use reset::CommandLine;
pub(crate) use reset::{Reset, Then};
pub(in crate::policy) use rule::Layer;
pub use rule::RuleRef;
pub(crate) use rule::{FILE_NAME, Origin, Ruled, Source};
pub(crate) use scratch::Scratch;
pub(crate) use section::Section;
pub(in crate::policy) use section::beside;
pub(in crate::policy) use variable::RefuseEnv;
pub use variable::Variable;
