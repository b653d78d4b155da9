//! Judges a plan a second time, while nobody can write: what was counted at a look is not what is there at the drop.

use std::collections::BTreeSet;
use std::time::SystemTime;

use crate::db::inspect::reach::{self, Facts, Relation, Rows, Wanted};
use crate::output::report;
use crate::policy::decide::Consent;
use crate::policy::{ObjectName, Policy, Refusal, RuleRef, Scope, TablesByName};
use crate::run::gate::basis::Basis;
use crate::run::gate::judge::{Gate, Judged};
use crate::run::gate::owners::Owners;
use crate::run::gate::relations::{count, named};
use crate::sql::Dialect;

/// A plan that the policy has consented to, and what it was told of the database.
#[derive(Debug)]
pub struct Recheck {
    pub policy: Policy,
    pub schemas: Vec<String>,
    pub tables: TablesByName,
    pub renamed: Vec<(ObjectName, ObjectName)>,
    pub accept_data_loss: bool,
    pub in_transaction: bool,
    /// The tables in which drizzle's migrators keep their records.
    pub kept: Vec<Relation>,
    pub truncated: Vec<(ObjectName, RuleRef)>,
    pub owners: Owners,
    pub basis: Basis,
}

/// A plan that was judged a second time.
#[derive(Debug)]
pub struct Rechecked {
    /// The statements as they are judged at last, for the report.
    pub statements: Vec<report::Statement>,
    /// What is at stake beyond what was judged, or beyond what the policy allows, is refused.
    pub outcome: Result<Rejudged, Refusal>,
}

/// What is still consented to.
#[derive(Debug)]
pub struct Rejudged {
    /// Those of the policy, by what is there now.
    pub warnings: Vec<String>,
    /// Which tables have more rows than they had at first.
    pub grown: Vec<String>,
}

/// Returns the present time for a report.
pub fn counted_now(locked: bool) -> report::Counted {
    report::Counted { at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(), locked }
}

impl Recheck {
    /// Returns what must be looked up again.
    pub fn wanted(&self) -> Wanted {
        self.basis.wanted.at_stake()
    }

    /// Judges by what is there now.
    pub fn again(&self, now: Facts) -> Rechecked {
        let before = &self.basis.facts;
        let facts = now.or_as_before(before);
        let scope = Scope {
            schemas: &self.schemas,
            tables: &self.tables,
            renamed: &self.renamed,
            accept_data_loss: self.accept_data_loss,
        };
        let gate = Gate {
            policy: &self.policy,
            scope: &scope,
            dialect: Some(Dialect::Postgres),
            in_transaction: self.in_transaction,
            current_schema: None,
            kept: &self.kept,
            // The statements are put right already.
            row_policies: &[],
            truncated: &self.truncated,
            left_out: &[],
            look_up: &|_| Ok(facts.clone()),
            owners: &self.owners,
            sqlite: None,
        };
        let Judged { statements, obstacles, decision, .. } = gate.judge(&self.basis.statements, &self.basis.losses);
        Rechecked { statements, outcome: self.outcome(&facts, obstacles, decision) }
    }

    fn outcome(
        &self,
        facts: &Facts,
        obstacles: Vec<String>,
        decision: Result<Consent, Refusal>,
    ) -> Result<Rejudged, Refusal> {
        let before = &self.basis.facts;
        let more = more(before, facts, &self.basis.tables);
        let unforeseen: Vec<String> = obstacles.into_iter().chain(more).collect();
        if !unforeseen.is_empty() {
            let refused = decision.err();
            let because = refused.as_ref().and_then(|refusal| refusal.because.clone());
            let lines = refused.iter().flat_map(|refusal| refusal.what.lines()).map(str::to_owned);
            let what = lines.chain(unforeseen).collect::<Vec<_>>().join("\n");
            return Err(Refusal { what, because, allow: Vec::new() });
        }
        let warnings = decision?.warnings;
        Ok(Rejudged { warnings, grown: grown(before, facts, &self.basis.tables) })
    }
}

fn rows(facts: &Facts, table: &Relation) -> Option<Rows> {
    facts.relations.get(table).map(|found| found.rows)
}

/// Says what is lost now that was not when it was judged: an object that nobody was told of, and the rows of what was empty.
fn more(before: &Facts, now: &Facts, tables: &[Relation]) -> Vec<String> {
    let known: BTreeSet<&reach::Thing> = before.reached.iter().map(|reached| &reached.thing).collect();
    let new = now.reached.iter().filter(|reached| !known.contains(&reached.thing));
    let new = new.map(|reached| {
        format!("{} would also be dropped, and did not exist when the statements were judged", reached.thing.told)
    });
    let emptied = now.emptied.iter().flat_map(|(table, emptied)| {
        let known = before.emptied.get(table);
        emptied.iter().filter(move |other| !known.is_some_and(|known| known.contains(other)))
    });
    let emptied = emptied.map(|table| {
        format!("{} would also be emptied, and was not known when the statements were judged", named(table))
    });
    let filled = tables.iter().filter_map(|table| match (rows(before, table)?, rows(now, table)?) {
        (Rows::Exact(0), Rows::Exact(0)) => None,
        (Rows::Exact(0), rows) => {
            let rows = count(rows).map_or_else(|| "rows".to_owned(), |count| count.rows());
            Some(format!("{} was empty when the statements were judged, and has {rows} now", named(table)))
        }
        _ => None,
    });
    new.chain(emptied).chain(filled).collect()
}

/// Says which tables have more rows by now.
fn grown(before: &Facts, now: &Facts, tables: &[Relation]) -> Vec<String> {
    let grown = tables.iter().filter_map(|table| match (rows(before, table)?, rows(now, table)?) {
        (Rows::Exact(then), Rows::Exact(now)) if now > then => {
            Some(format!("{} has {now} rows by now, {} more than at the first count", named(table), now - then))
        }
        _ => None,
    });
    grown.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::db::inspect::reach::{Found, Reached, Thing};
    use crate::policy::file;
    use crate::run::gate::foresight;
    use crate::sql;

    fn scratch() -> Relation {
        Relation { schema: "public".to_owned(), name: "scratch".to_owned() }
    }

    fn facts(rows: Rows, reached: &[&str]) -> Facts {
        let reached = reached.iter().map(|name| Reached {
            act_idx: 0,
            thing: Thing {
                kind: "index".to_owned(),
                name: vec!["public".to_owned(), (*name).to_owned()],
                told: format!("index public.{name}"),
                constraint: None,
            },
            owner: None,
        });
        let reached = reached.collect();
        let relations = BTreeMap::from([(scratch(), Found { rows, extension: None })]);
        Facts { relations, reached, ..Facts::default() }
    }

    #[track_caller]
    fn check(hazards: &str, before: Facts, now: Facts, expected: Result<&[&str], &str>) {
        let policies = file::parse(Path::new("p.toml"), &format!("version = 1\n[hazards]\n{hazards}"));
        let policy = policies.expect("it parses").select(None, &|_| None, None).expect("no profile has a condition");
        let statements = vec!["ALTER TABLE scratch DROP COLUMN n;".to_owned()];
        let assessed = sql::assess(&statements, Dialect::Postgres, &sql::Facts::default());
        let mut wanted = Wanted { counted: vec![scratch()], ..Wanted::default() };
        foresight::questions(&assessed).add_to(&mut wanted);
        let basis = Basis { statements, losses: Vec::new(), wanted, facts: before, tables: vec![scratch()] };
        let recheck = Recheck {
            policy,
            schemas: Vec::new(),
            tables: TablesByName::UNKNOWN,
            renamed: Vec::new(),
            accept_data_loss: false,
            in_transaction: true,
            kept: Vec::new(),
            truncated: Vec::new(),
            owners: Owners::unknown(),
            basis,
        };
        let outcome = recheck.again(now).outcome.map(|rejudged| rejudged.grown).map_err(|refusal| refusal.what);
        let expected = expected.map(|warnings| warnings.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(outcome, expected.map_err(str::to_owned));
    }

    #[test]
    fn what_is_lost_is_what_was_judged_and_no_more() {
        const ONLY: &str = "drop_column = { only = [\"public.scratch.n\"] }\n";
        let exactly = |rows| facts(Rows::Exact(rows), &[]);
        check(ONLY, exactly(0), exactly(0), Ok(&[]));
        check(ONLY, exactly(5), exactly(3), Ok(&[]));
        // The policy has no limit, and what was told is told anew.
        let more = "public.scratch has 5 rows by now, 2 more than at the first count";
        check(ONLY, exactly(3), exactly(5), Ok(&[more]));
        let filled = "public.scratch was empty when the statements were judged, and has 500 rows now";
        check(ONLY, exactly(0), exactly(500), Err(filled));
        check(
            ONLY,
            exactly(0),
            facts(Rows::Unknown, &[]),
            Err("public.scratch was empty when the statements were judged, and has rows now"),
        );
        let limit = "drop_column = { only = [\"public.scratch.n\"], max_rows = 3 }\n";
        let above = "drop_column public.scratch.n would delete 5 values (p.toml:3 hazards.drop_column: 5 are more than max_rows = 3)";
        check(limit, exactly(3), exactly(5), Err(above));
        // An index goes by the built-in policy, but nobody was told of this one.
        let new = "index public.late would also be dropped, and did not exist when the statements were judged";
        check(ONLY, facts(Rows::Exact(1), &["old"]), facts(Rows::Exact(1), &["late", "old"]), Err(new));
        check(ONLY, facts(Rows::Exact(1), &["old"]), exactly(1), Ok(&[]));
    }
}
