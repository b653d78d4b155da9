//! Decides whether what is at stake is allowed. Pure.

use crate::policy::allow::{Allow, layered};
use crate::policy::decide::decision::{Decision, Refusal};
use crate::policy::decide::limit::{own_rule, widened};
use crate::policy::decide::scope::Scope;
use crate::policy::decide::stake::{Objects, Stake};
use crate::policy::edit::{Draft, string};
use crate::policy::model::{HazardRule, Origin, Policy, RuleRef};
use crate::policy::name::ObjectName;
use crate::policy::wording::one_line;
use crate::sql::hazard::{Class, Hazard};

/// The consent of the policy to stakes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// The rule for each stake. Those come first that allow what is refused where no rule speaks.
    pub(crate) because: Vec<RuleRef>,
    /// One for each stake; what several say alike is said once.
    pub(crate) warnings: Vec<String>,
    n_grave: usize,
}

/// Decides whether stakes are allowed: those of one warning, of one statement or of a whole plan.
///
/// # Errors
/// The refusal names everything that is not allowed, and the lines that would allow all of it.
pub fn stakes(policy: &Policy, stakes: &[Stake], scope: &Scope<'_>) -> Result<Consent, Refusal> {
    let mut consent = Consent { because: Vec::new(), warnings: Vec::new(), n_grave: 0 };
    let mut refused: Vec<(&Stake, RuleRef, String)> = Vec::new();
    for stake in stakes {
        match judge(policy, stake, scope) {
            Ok(rule_ref) => consent.add(stake, rule_ref),
            Err((rule_ref, unmet)) => refused.push((stake, rule_ref, unmet)),
        }
    }
    let Some((_, because, _)) = refused.first() else { return Ok(consent) };
    let what = refused.iter().map(|(stake, rule_ref, unmet)| match rule_ref.origin {
        Origin::BuiltIn => stake.feared(),
        _ => format!("{} ({rule_ref}: {unmet})", stake.feared()),
    });
    let allow = Allow::of(policy.source(), "to allow exactly this", |draft| {
        let mut hazards: Vec<Hazard> = Vec::new();
        for (stake, _, _) in &refused {
            if !hazards.contains(&stake.hazard) {
                hazards.push(stake.hazard);
            }
        }
        // Each line is put above the one before.
        hazards.iter().rev().try_for_each(|hazard| {
            let concerned: Vec<&Stake> = stakes.iter().filter(|stake| stake.hazard == *hazard).collect();
            set_hazard(policy, draft, *hazard, &widened(own_rule(policy, *hazard), &concerned, scope))
        })
    });
    // Several statements may have one hazard, as those do that build an enum again: it is said once.
    let mut lines: Vec<String> = Vec::new();
    for line in what.map(|what| one_line(&what)) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let what = lines.join("\n");
    Err(Refusal { what, because: Some(because.clone()), allow: allow.into_iter().collect() })
}

/// Returns the lines that let columns change their type in one transaction, each by an expression for its values, and without
/// the truncates that drizzle-kit may put before.
pub(crate) fn conversions(
    policy: &Policy,
    conversions: &[(ObjectName, String)],
    skips_truncate: bool,
    scope: &Scope<'_>,
) -> Option<Allow> {
    let all: Vec<Stake> = conversions
        .iter()
        .map(|(column, _)| Stake {
            hazard: Hazard::ChangeType,
            objects: Objects::All(vec![column.clone()]),
            count: None,
            note: None,
        })
        .collect();
    let all: Vec<&Stake> = all.iter().collect();
    Allow::of(policy.source(), "for push --apply transaction", |draft| {
        for (column, using) in conversions.iter().rev() {
            draft.set(&layered(policy.profile(), &["using", &scope.spelled(column).to_string()]), string(using))?;
        }
        if all.iter().any(|stake| judge(policy, stake, scope).is_err()) {
            let rule = widened(own_rule(policy, Hazard::ChangeType), &all, scope);
            set_hazard(policy, draft, Hazard::ChangeType, &rule)?;
        }
        if skips_truncate && policy.skips_truncate().is_none() {
            set_hazard(policy, draft, Hazard::Truncate, &HazardRule::Skip)?;
        }
        Some(())
    })
}

/// Returns the rule that allows a stake.
///
/// # Errors
/// With the rule that does not, and why.
pub(crate) fn judge(policy: &Policy, stake: &Stake, scope: &Scope<'_>) -> Result<RuleRef, (RuleRef, String)> {
    let (rule, rule_ref) = policy.hazard(stake.hazard);
    match stake.unmet(&rule, scope) {
        None => Ok(rule_ref),
        Some(_) if scope.accepts(policy, stake.hazard) => Ok(FLAG_RULE),
        Some(unmet) => Err((rule_ref, unmet)),
    }
}

/// Answers the last question by what is decided about everything at stake.
pub(crate) fn consenting(decided: Result<Consent, Refusal>) -> Decision {
    match decided {
        Ok(Consent { because, warnings, .. }) => {
            let because = because.into_iter().next().unwrap_or_else(|| RuleRef::built_in(""));
            Decision::Choose { choice: 1, because, warnings }
        }
        Err(refusal) => Decision::Refuse(refusal),
    }
}

const FLAG_RULE: RuleRef = RuleRef { path: String::new(), origin: Origin::Flag("--accept-data-loss") };

/// Writes the line of a hazard, for the profile of this run if there is one.
fn set_hazard(policy: &Policy, draft: &mut Draft, hazard: Hazard, rule: &HazardRule) -> Option<()> {
    draft.set_hazard(&layered(policy.profile(), &["hazards", hazard.name()]), rule)
}

impl Consent {
    fn add(&mut self, stake: &Stake, rule: RuleRef) {
        let warning = one_line(&format!("{} ({rule})", stake.accepted()));
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
        let is_grave = stake.hazard.class().refused_by_default();
        let position = if is_grave { self.n_grave } else { self.because.len() };
        self.n_grave += usize::from(is_grave);
        self.because.insert(position, rule);
    }
}

impl Scope<'_> {
    fn accepts(&self, policy: &Policy, hazard: Hazard) -> bool {
        self.accept_data_loss && hazard.class() == Class::DataLoss && policy.bans_accepting_data_loss().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::prompt::LossKind;
    use crate::policy::decide::prompt::prompt;
    use crate::policy::decide::stake::Count;
    use crate::policy::decide::testing::{check, losing, names, policies, policy, scope, told};

    #[test]
    fn a_truncate_that_nobody_left_out_is_refused_under_skip() {
        let policy = policy("[push]\napply = \"transaction\"\n[hazards]\ntruncate = \"skip\"");
        let stake = |name: &str, count| Stake {
            hazard: Hazard::Truncate,
            objects: Objects::All(vec![ObjectName::new(["public", name])]),
            count,
            note: None,
        };
        let all = [stake("a", Some(Count::Rows(3))), stake("b", None)];
        let refusal = stakes(&policy, &all, &scope(&[])).expect_err("skip allows nothing");
        let why = "(p.toml:5 hazards.truncate: \"skip\" omits only a truncate before a type change, and only with \
                   apply = \"transaction\")";
        assert_eq!(
            refusal.to_string(),
            format!(
                "refused: truncate public.a would delete 3 rows {why}\n\
                 refused: truncate public.b needs consent: a table is emptied {why}\n  \
                 p.toml, to allow exactly this, in place of line 5:\n      \
                 truncate = {{ only = [\"public.a\", \"public.b\"] }}"
            )
        );
        let accepting = Scope { accept_data_loss: true, ..scope(&[]) };
        assert!(stakes(&policy, &all, &accepting).is_ok(), "the flag approves all of its class");
        assert!(!policy.wants_rows(Hazard::Truncate));
    }

    #[test]
    fn a_profile_may_ban_the_acceptance_of_data_loss() {
        let policies = policies("version = 1\n[profiles.p]\naccept_data_loss = false");
        let policy = policies.select(Some("p"), &|_| None, None).expect("the profile exists");
        let public = names(&["public"]);
        let accepting = Scope { accept_data_loss: true, ..scope(&public) };
        let loss = losing(&[(LossKind::Table("t".into()), Some(7))]);
        check(
            &policy,
            &loss,
            &accepting,
            "refused: drop_table public.t would delete 7 rows\n  p.toml, to allow exactly this:\n      \
             [profiles.p.hazards]\n      drop_table = { only = [\"public.t\"] }",
        );
    }

    #[test]
    fn a_limit_is_not_met_by_what_is_not_known() {
        let both = names(&["public", "auth"]);
        let cases = [
            ("drop_table = { only = [\"public.t\"] }", Some(1), "`only` does not name auth.t"),
            ("drop_table = { only = [\"*.t\"], max_rows = 1 }", None, "the number of rows is unknown"),
            ("drop_table = { only = [\"*.t\"], max_rows = 1 }", Some(2), "2 are more than max_rows = 1"),
        ];
        for (rule, count, reason) in cases {
            let asked = losing(&[(LossKind::Table("t".into()), count)]);
            let told = told(&prompt(&policy(&format!("[hazards]\n{rule}")), &asked, &scope(&both)));
            let expected = format!("(p.toml:3 hazards.drop_table: {reason})");
            assert!(told.lines().next().is_some_and(|line| line.ends_with(&expected)), "{told}");
        }
        let truncate = losing(&[(LossKind::Truncate { column: "c".into() }, Some(1))]);
        let decision = prompt(&policy("hazards.truncate.only = [\"*.*\"]"), &truncate, &scope(&both));
        assert!(matches!(decision, Decision::Refuse(_)), "the table is not known: {}", told(&decision));
    }
}
