//! What may run, and where. Pure.

use crate::host::Pattern as HostPattern;
use crate::policy::model::rule::Ruled;
use crate::policy::model::variable::RefuseEnv;

/// Which commands may run, and where a database may be changed at all.
#[derive(Debug, Clone, Default)]
pub(in crate::policy) struct Guard {
    pub(in crate::policy) hosts: Vec<HostPattern>,
    /// None: no line of the file speaks of it.
    pub(in crate::policy) refuse_env: Option<RefuseEnv>,
    /// The only commands that may run; none where they are not limited.
    pub(in crate::policy) commands: Option<Ruled<Vec<String>>>,
    /// `false` bans `--accept-data-loss`.
    pub(in crate::policy) accept_data_loss: Option<Ruled<bool>>,
}
