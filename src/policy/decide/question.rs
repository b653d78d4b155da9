//! The question whether something is new or was renamed, with the names as the policy writes them. Pure.

use crate::policy::decide::scope::Scope;
use crate::policy::model::{Rename as RenameRule, Section};
use crate::policy::name::ObjectName;

/// "Is X created or renamed from Y?" with the names as the policy would write them.
pub(in crate::policy) struct Question<'a> {
    /// The kind of object that drizzle-kit asks about.
    pub(in crate::policy) section: Section,
    /// What drizzle-kit may mean. Several where its tables have no schema and several schemas come into question.
    pub(in crate::policy) readings: Vec<Reading>,
    /// The old names as drizzle-kit shows them.
    pub(in crate::policy) candidates: &'a [String],
}

/// One reading of the names in a question.
pub(in crate::policy) struct Reading {
    /// The names that the new object may have, the likeliest first.
    pub(in crate::policy) new: Vec<ObjectName>,
    /// The names that each candidate may have.
    pub(in crate::policy) old: Vec<Vec<ObjectName>>,
}

/// Whether a rename rule speaks of a question.
pub(in crate::policy) enum Applies {
    No,
    /// It takes this choice.
    To(usize),
    /// A table got the name that another had, and the rule's name may be that of either.
    Perhaps,
}

impl Reading {
    /// Returns the likeliest name of the new object.
    pub(in crate::policy) fn name(&self) -> &ObjectName {
        self.new.first().expect("every text can be read as a name")
    }

    /// Returns the likeliest names of a candidate and the new object that have the same form.
    pub(super) fn pair(&self, candidate_idx: usize) -> Option<(&ObjectName, &ObjectName)> {
        let olds = || self.old[candidate_idx].iter();
        let same_form = |new: &ObjectName| olds().find(|old| old.parts().len() == new.parts().len());
        self.new.iter().find_map(|new| Some((same_form(new)?, new)))
    }
}

impl RenameRule {
    pub(in crate::policy) fn applies(&self, reading: &Reading, scope: &Scope<'_>) -> Applies {
        // A rule may use the names from before or after the renames of this run.
        let fits = |name: &ObjectName, asked: &[ObjectName]| {
            let now = scope.now(name);
            (asked.contains(name), asked.contains(&now), now == *name)
        };
        let new = fits(&self.new, &reading.new);
        if !new.0 && !new.1 {
            return Applies::No;
        }
        let old = reading.old.iter().enumerate().map(|(idx, old)| (idx, fits(&self.old, old)));
        let Some((candidate, old)) = old.into_iter().find(|(_, old)| old.0 || old.1) else { return Applies::No };
        // The name as written is that of another object by now.
        let stale = |(written, _, unmoved): (bool, bool, bool)| written && !unmoved;
        if stale(old) { Applies::Perhaps } else { Applies::To(candidate + 1) }
    }
}
