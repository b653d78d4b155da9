//! Takes drizzle's config from a drizzle-kit that is stopped before it does anything else.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::kit::config::{Config, ConfigError, KitSession};
use crate::kit::driver::{Reply, Supervisor};
use crate::kit::prompt::Prompt;
use crate::kit::run::{Held, Passage};
use crate::kit::session::Answer;
use crate::term::redact::Secrets;

/// Takes the config, and lets drizzle-kit do nothing with it.
#[derive(Default)]
pub(super) struct Reader {
    pub config: Option<Config>,
    /// Those that a config had set that was not loaded.
    pub variables: BTreeMap<String, Option<String>>,
}

impl Supervisor for Reader {
    fn config(&mut self, config: &Config) -> Reply {
        self.config = Some(config.clone());
        Reply::Abort
    }

    fn config_failed(&mut self, failed: &ConfigError) -> Secrets {
        self.variables.clone_from(&failed.variables);
        Secrets::default() // nothing is recorded
    }

    fn ask(&mut self, _: &Prompt) -> Answer {
        Answer::Unclear("drizzle-kit asked before drizzle-pilot saw its config".to_owned())
    }

    fn session(&mut self, _: &KitSession) -> Result<(), Held> {
        Err(Held::Runner("drizzle-kit connected before drizzle-pilot saw its config".to_owned()))
    }

    fn query(&mut self, _: &str, _: bool) -> Result<Passage, Held> {
        Err(Held::Runner("drizzle-kit sent a query before drizzle-pilot saw its config".to_owned()))
    }

    fn is_executing(&mut self, _: bool) -> bool {
        false
    }

    fn has_lock(&mut self) -> bool {
        true
    }

    fn loaded(&mut self, _: PathBuf) {}

    fn printed(&mut self, _: &str) {}

    fn progress(&mut self, _: &str) {}
}
