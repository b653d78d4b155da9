//! What a plan puts at stake beyond what its statements name: what goes with them, and what nobody could look up. Pure.

use std::collections::BTreeSet;

use crate::db::inspect::reach::{self, Reached, Relation, Rows, Thing, Wanted};
use crate::kit::prompt::{Loss, LossKind};
use crate::policy::ObjectName;
use crate::policy::decide::{Objects, Stake};
use crate::run::gate::foresight::{Asked, Questions};
use crate::run::gate::held::Held;
use crate::run::gate::relations::{count, named, relation};
use crate::run::gate::sqlite;
use crate::sql::effect::Kind;
use crate::sql::hazard::{Class, Object};
use crate::sql::{self, Assessed, Change, Dialect, Hazard, Reference};

/// Returns what is in doubt because the database could not be looked into, or cannot be for this dialect.
pub(super) fn unseen(assessed: &[Assessed], dialect: Dialect, blind: Option<&str>) -> Vec<Held> {
    let mut held = Vec::new();
    for (statement_idx, statement) in assessed.iter().enumerate() {
        for found in &statement.hazards {
            // Without a look nobody can tell a primary key from another constraint.
            if let (Dialect::Postgres, Hazard::DropConstraint, Some(reason)) = (dialect, found.hazard, blind) {
                let names: Vec<String> = found.objects.iter().map(ToString::to_string).collect();
                let note =
                    format!("it could not be determined whether {} is a primary key: {reason}", names.join(", "));
                held.push(Held::in_doubt(statement_idx, note));
            }
        }
    }
    held
}

/// Outside of SQLite nobody knows the columns of a table that is built anew.
pub(super) fn rebuilt_unseen(assessed: &[Assessed]) -> sqlite::Found {
    let replaced = assessed.iter().enumerate().filter_map(|(idx, statement)| Some((idx, statement.replaced.as_ref()?)));
    let note = |table: &ObjectName| format!("{table} is rebuilt, and it is unknown which of its columns are dropped");
    let held = replaced.map(|(idx, replaced)| Held::in_doubt(idx, note(&replaced.before))).collect();
    sqlite::Found { held, ..sqlite::Found::default() }
}

/// drizzle-kit empties a table for a type that does not change.
pub(super) fn only_a_width(loss: &Loss) -> Option<String> {
    let LossKind::ChangeType { column, from, to } = &loss.kind else { return None };
    sql::mysql::differ_in_width_alone(from, to).then(|| {
        format!(
            "drizzle-kit would truncate the table of {column} to change {from} to {to}, which is the same type: MariaDB, and MySQL \
             before 8.0.19, report a display width"
        )
    })
}

/// Returns the relations whose rows would be lost, by the names from before the plan.
pub(super) fn at_stake(assessed: &[Assessed], facts: &reach::Facts) -> Vec<Relation> {
    let founds = assessed.iter().flat_map(|statement| &statement.hazards);
    let founds = founds.filter(|found| found.hazard.class() == Class::DataLoss);
    let named = founds.flat_map(|found| {
        found.before.iter().filter_map(|object| match found.hazard.object() {
            Object::Table | Object::View => relation(object),
            Object::Column => relation(&object.parent()?),
            _ => None,
        })
    });
    let mut tables: Vec<Relation> = named.collect();
    tables.extend(facts.emptied.values().flatten().cloned());
    tables.extend(facts.reached.iter().filter_map(|reached| reached.thing.relation()));
    tables.retain(|table| facts.relations.contains_key(table));
    tables.sort();
    tables.dedup();
    tables
}

/// Returns what must be known of every TRUNCATE with CASCADE.
pub(super) fn truncating(assessed: &[Assessed]) -> Wanted {
    let mut wanted = Wanted::default();
    let truncated = assessed.iter().flat_map(|statement| &statement.hazards);
    let truncated = truncated.filter(|found| found.cascade && found.hazard == Hazard::Truncate);
    for object in truncated.flat_map(|found| &found.before) {
        wanted.truncated.extend(relation(object));
    }
    if !wanted.truncated.is_empty() {
        let added = assessed.iter().flat_map(|statement| &statement.references);
        let referring: Vec<Relation> = added.filter_map(|reference| relation(&reference.from)).collect();
        wanted.counted.extend(referring.iter().cloned());
        wanted.truncated.extend(referring);
    }
    wanted
}

/// Returns the views that are dropped and made again, with the statements that drop them.
pub(super) fn remade(assessed: &[Assessed]) -> impl Iterator<Item = (usize, ObjectName)> {
    let drops = assessed.iter().enumerate().flat_map(|(statement_idx, statement)| {
        statement.changes.iter().filter_map(move |change| match change {
            Change::Drop { kind: Kind::View, name, .. } => Some((statement_idx, name)),
            _ => None,
        })
    });
    let is_spared = |(statement_idx, name): &(usize, &ObjectName)| {
        let hazards = &assessed[*statement_idx].hazards;
        !hazards.iter().any(|found| found.hazard == Hazard::DropView && found.before.contains(name))
    };
    drops.filter(is_spared).map(|(statement_idx, name)| (statement_idx, name.clone()))
}

/// Returns what the TRUNCATEs empty beyond what they name, given who says whose a table is.
pub(super) fn emptied(
    assessed: &[Assessed],
    facts: Option<&reach::Facts>,
    whose: &dyn Fn(&ObjectName) -> Option<String>,
) -> Vec<Held> {
    let cascading = assessed.iter().enumerate().flat_map(|(statement_idx, statement)| {
        let truncates = statement.hazards.iter().filter(|found| found.cascade && found.hazard == Hazard::Truncate);
        truncates.map(move |found| (statement_idx, found))
    });
    let Some(facts) = facts else {
        let unknown = cascading.map(|(statement_idx, found)| {
            Held::in_doubt(statement_idx, unseen_reach(&format!("the CASCADE of {}", listed(&found.objects))))
        });
        return unknown.collect();
    };
    let mut held = Vec::new();
    let mut emptied = BTreeSet::new();
    for (statement_idx, found) in cascading {
        let added: Vec<&Reference> = assessed[..statement_idx].iter().flat_map(|before| &before.references).collect();
        for table in &found.before {
            for reached in emptied_with(table, &added, facts) {
                let name = match reached {
                    Ok(name) => name,
                    Err(lost) => {
                        let note = format!("what the CASCADE of {table} affects is unknown: there is no table {lost}");
                        held.push(Held::in_doubt(statement_idx, note));
                        continue;
                    }
                };
                if is_dropped(assessed, Hazard::Truncate, &name) || !emptied.insert(name.clone()) {
                    continue;
                }
                let notes = [Some(format!("reached by the CASCADE of {table}")), whose(&name)];
                let rows = relation(&name).and_then(|name| facts.relations.get(&name)).map(|found| found.rows);
                let (objects, count, note) = (Objects::All(vec![name]), rows.and_then(count), joined(notes));
                let stake = Stake { hazard: Hazard::Truncate, objects, count, note };
                held.push(Held { is_hidden: rows == Some(Rows::Hidden), ..Held::by(Some(statement_idx), stake) });
            }
        }
    }
    held
}

/// Tells whether a statement of the plan names an object as what has this hazard.
fn is_dropped(assessed: &[Assessed], hazard: Hazard, name: &ObjectName) -> bool {
    let founds = assessed.iter().flat_map(|statement| &statement.hazards);
    founds.filter(|found| found.hazard == hazard).any(|found| found.before.contains(name))
}

/// Nothing is destroyed that the policy does not name, and nobody can say what this would destroy.
fn unseen_reach(by: &str) -> String {
    format!("what {by} affects could not be determined")
}

fn listed(names: &[ObjectName]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Returns what goes with the drops of a plan and is not named by them, given who says whose a table is.
pub(super) fn taken_along(
    assessed: &[Assessed],
    questions: &Questions,
    facts: Option<&reach::Facts>,
    whose: &dyn Fn(&ObjectName) -> Option<String>,
) -> Vec<Held> {
    let mut held = Vec::new();
    let Some(facts) = facts else {
        // A column takes its indexes and constraints along without a word.
        let unknown = questions.acts.iter().filter(|asked| asked.takes_along()).map(|asked| {
            let by = if asked.cascades {
                format!("the CASCADE of {}", asked.name)
            } else {
                format!("the drop of {}", asked.name)
            };
            Held::in_doubt(asked.statement_idx, unseen_reach(&by))
        });
        return unknown.collect();
    };
    for asked in facts.lost.iter().map(|act_idx| &questions.acts[*act_idx]).filter(|asked| asked.takes_along()) {
        let name = &asked.name;
        let what = if asked.cascades { format!("the CASCADE of {name}") } else { format!("the drop of {name}") };
        let note = format!("what {what} affects is unknown: {name} does not exist");
        held.push(Held::in_doubt(asked.statement_idx, note));
    }
    // Where a CASCADE begins at what no catalog lists, nobody can ask for it.
    for (statement_idx, statement) in assessed.iter().enumerate() {
        let cascading = statement.hazards.iter().filter(|found| found.cascade && found.hazard != Hazard::Truncate);
        let is_asked = questions.acts.iter().any(|asked| asked.statement_idx == statement_idx && asked.cascades);
        if cascading.count() > 0 && !is_asked {
            let note = format!("what the CASCADE of {} affects is unknown", sql::excerpt(&statement.sql));
            held.push(Held::in_doubt(statement_idx, note));
        }
    }
    for Reached { act_idx, thing, owner } in &facts.reached {
        let asked = &questions.acts[*act_idx];
        let Asked { statement_idx, name: by, .. } = asked;
        let (hazard, name) = hazard_of(thing);
        if name.as_ref().is_some_and(|name| is_dropped(assessed, hazard, name)) {
            continue;
        }
        let goes =
            if asked.cascades { format!("reached by the CASCADE of {by}") } else { format!("dropped with {by}") };
        let (objects, told) = match name {
            Some(name) => (Objects::All(vec![name]), format!("{} {goes}", thing.kind_and_part())),
            None if asked.cascades => (Objects::Unknown, format!("the CASCADE of {by} drops the {}", thing.told)),
            None => (Objects::Unknown, format!("the drop of {by} also drops the {}", thing.told)),
        };
        let rows = thing.relation().and_then(|relation| facts.relations.get(&relation)).map(|found| found.rows);
        let rows = rows.filter(|_| thing.kind != "view");
        let owned = owner.as_ref().map(|owner| format!("owned by {owner}"));
        let again = made_again(assessed, *statement_idx, thing);
        let whose = match (hazard, objects.names()) {
            (Hazard::DropTable | Hazard::DropView, [name]) => whose(name),
            _ => None,
        };
        let note = joined([Some(told), again, owned, whose]);
        let stake = Stake { hazard, objects, count: rows.and_then(count), note };
        held.push(Held { is_hidden: rows == Some(Rows::Hidden), ..Held::by(Some(*statement_idx), stake) });
    }
    held
}

/// Says that a later statement makes an object of this name again, where one does.
fn made_again(assessed: &[Assessed], statement_idx: usize, thing: &Thing) -> Option<String> {
    let name = ObjectName::new(&thing.name);
    let later = assessed.iter().enumerate().skip(statement_idx + 1);
    let mut makes = later.filter(|(_, statement)| {
        statement.changes.iter().any(|change| matches!(change, Change::Create { name: made, .. } if *made == name))
    });
    makes.next().map(|(idx, _)| format!("statement {} creates one of this name again", idx + 1))
}

/// Returns the hazard of losing an object, and the name by which the policy knows it; none where no hazard fits.
fn hazard_of(thing: &Thing) -> (Hazard, Option<ObjectName>) {
    let hazard = match (&*thing.kind, thing.name.len()) {
        ("table" | "foreign table", 2) => Hazard::DropTable,
        ("table column" | "foreign table column" | "composite type column", 3) => Hazard::DropColumn,
        ("view" | "materialized view", 2) => Hazard::DropView,
        ("sequence", 2) => Hazard::DropSequence,
        ("type", 2) => Hazard::DropType,
        // The key of a table is named by the table.
        ("table constraint", 3) if thing.constraint == Some('p') => {
            return (Hazard::DropPrimaryKey, ObjectName::new(&thing.name).parent());
        }
        ("table constraint" | "domain constraint", 3) => Hazard::DropConstraint,
        ("policy", 3) => Hazard::DropPolicy,
        ("index", 2) => Hazard::DropIndex,
        ("default value", 3) => Hazard::DropDefault,
        _ => return (Hazard::Unclassified, None),
    };
    (hazard, Some(ObjectName::new(&thing.name)))
}

/// Joins what there is to say of an object.
pub(super) fn joined(notes: impl IntoIterator<Item = Option<String>>) -> Option<String> {
    let notes: Vec<String> = notes.into_iter().flatten().collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// Returns the tables that `TRUNCATE … CASCADE` empties beside its own: by the foreign keys that there are, and by those
/// that the plan has added to them by then. A table that should be there and is not is an error.
fn emptied_with(table: &ObjectName, added: &[&Reference], facts: &reach::Facts) -> Vec<Result<ObjectName, ObjectName>> {
    let mut reached = vec![table.clone()];
    let mut lost = Vec::new();
    let mut next_idx = 0;
    while let Some(name) = reached.get(next_idx).cloned() {
        next_idx += 1;
        let is_new = |name: &ObjectName| added.iter().any(|reference| reference.is_from_new && reference.from == *name);
        match relation(&name).filter(|relation| facts.relations.contains_key(relation)) {
            Some(relation) => {
                let emptied = facts.emptied.get(&relation).into_iter().flatten().map(named);
                extend_unseen(&mut reached, emptied);
            }
            // What the plan created has nothing to lose, but others may refer to it.
            None if is_new(&name) => {}
            None => lost.push(name.clone()),
        }
        let referring = added.iter().filter(|reference| reference.to == name);
        extend_unseen(&mut reached, referring.map(|reference| reference.from.clone()));
    }
    let is_there = |name: &ObjectName| relation(name).is_some_and(|relation| facts.relations.contains_key(&relation));
    let others = reached.into_iter().skip(1).filter(is_there).map(Ok);
    others.chain(lost.into_iter().map(Err)).collect()
}

fn extend_unseen(reached: &mut Vec<ObjectName>, names: impl Iterator<Item = ObjectName>) {
    for name in names {
        if !reached.contains(&name) {
            reached.push(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::decide::Count;
    use crate::run::gate::foresight;
    use crate::sql::PUBLIC;

    fn table(name: &str) -> Relation {
        Relation { schema: PUBLIC.to_owned(), name: name.to_owned() }
    }

    /// Says what the TRUNCATEs of a plan empty beyond what they name, in a catalog with these tables of one row each,
    /// where emptying the first of a list empties the rest of it as well.
    fn reached(plan: &[&str], catalog: &[&[&str]]) -> Vec<String> {
        let plan: Vec<String> = plan.iter().map(|sql| (*sql).to_owned()).collect();
        let assessed = sql::assess(&plan, Dialect::Postgres, &sql::Facts::default());
        let wanted = truncating(&assessed);
        let mut facts = reach::Facts::default();
        for tables in catalog {
            let tables: Vec<Relation> = tables.iter().map(|name| table(name)).collect();
            for name in &tables {
                facts.relations.insert(name.clone(), reach::Found { rows: Rows::Exact(1), extension: None });
            }
            if let [first, others @ ..] = tables.as_slice()
                && wanted.truncated.contains(first)
            {
                facts.emptied.insert(first.clone(), others.to_vec());
            }
        }
        emptied(&assessed, Some(&facts), &|_| None).iter().map(show).collect()
    }

    fn show(held: &Held) -> String {
        let names: Vec<String> = held.stake.objects.names().iter().map(ToString::to_string).collect();
        let note = held.stake.note.as_deref().unwrap_or_default();
        let rows = match held.stake.count {
            Some(Count::Rows(rows)) if held.stake.hazard == Hazard::DropTable => format!(" {rows}"),
            _ => String::new(),
        };
        let names: String = names.iter().map(|name| format!("{name}: ")).collect();
        format!("{} {names}{note}{rows}", held.stake.hazard)
    }

    /// Says what the DROPs of a plan take along beyond what they name.
    fn told(plan: &[&str], facts: &reach::Facts) -> Vec<String> {
        let plan: Vec<String> = plan.iter().map(|sql| (*sql).to_owned()).collect();
        let assessed = sql::assess(&plan, Dialect::Postgres, &sql::Facts::default());
        let questions = foresight::questions(&assessed);
        let whose = |_: &ObjectName| Some("whose?".to_owned());
        taken_along(&assessed, &questions, Some(facts), &whose).iter().map(show).collect()
    }

    fn thing(kind: &str, name: &[&str]) -> Thing {
        let name: Vec<String> = name.iter().map(|part| (*part).to_owned()).collect();
        Thing { kind: kind.to_owned(), told: format!("{kind} {}", name.join(".")), name, constraint: None }
    }

    #[test]
    fn a_truncation_is_followed_through_the_references_of_the_plan() {
        let by_users = |name: &str| format!("truncate public.{name}: reached by the CASCADE of public.users");
        let refer = |from: &str, to: &str| format!("ALTER TABLE {from} ADD FOREIGN KEY (x) REFERENCES {to}(id);");
        let truncate = "TRUNCATE users CASCADE;";
        let catalog: &[&[&str]] = &[&["users", "posts"], &["orders", "lines"]];
        let (orders_to_users, orders_to_posts) = (refer("orders", "users"), refer("orders", "posts"));
        assert_eq!(reached(&[truncate], catalog), [by_users("posts")]);
        let all = [by_users("posts"), by_users("orders"), by_users("lines")];
        assert_eq!(reached(&[&orders_to_users, truncate], catalog), all);
        assert_eq!(reached(&[&orders_to_posts, truncate], catalog), all);
        // What refers only afterwards is not emptied.
        assert_eq!(reached(&[truncate, &orders_to_users], catalog), [by_users("posts")]);
        // By way of a table that is new, which itself has nothing to lose.
        let (new, orders_to_new) = ("CREATE TABLE new (x int REFERENCES users);", refer("orders", "new"));
        assert_eq!(reached(&[new, &orders_to_new, truncate], catalog), all);
        // The names are those of now, and the catalog has those from before.
        let (renamed, to_members) = ("ALTER TABLE users RENAME TO members;", refer("orders", "members"));
        assert_eq!(
            reached(&[renamed, &to_members, "TRUNCATE members, logs CASCADE;"], &[catalog, &[&["logs"]]].concat()),
            all
        );
    }

    #[test]
    fn what_a_drop_begins_at_and_is_not_found_is_not_harmless() {
        let facts = |lost: Vec<usize>| reach::Facts { lost, ..reach::Facts::default() };
        let lost = "unclassified what the CASCADE of public.users affects is unknown: public.users does not exist";
        let drop = ["DROP TABLE users CASCADE;"];
        assert_eq!(told(&drop, &facts(vec![0])), [lost]);
        assert_eq!(told(&drop, &facts(Vec::new())), [""; 0]);
        // A rename is followed, and a table that is dropped without CASCADE takes its own parts along and nothing else.
        let renamed = ["ALTER TABLE users RENAME TO people;", "DROP TABLE people CASCADE;"];
        assert_eq!(told(&renamed, &facts(vec![2])), [lost]);
        assert_eq!(told(&["DROP TABLE users;", "DROP TABLE logs CASCADE;"], &facts(vec![0])), [""; 0]);
        let column =
            "unclassified what the drop of public.users.name affects is unknown: public.users.name does not exist";
        assert_eq!(told(&["ALTER TABLE users DROP COLUMN name;"], &facts(vec![0])), [column]);
        let schema = "unclassified what the CASCADE of shop affects is unknown: shop does not exist";
        assert_eq!(told(&["DROP SCHEMA shop CASCADE;"], &facts(vec![0])), [schema]);
    }

    #[test]
    fn what_goes_with_a_column_is_unknown_where_nobody_can_look() {
        let plan = ["ALTER TABLE users DROP COLUMN name;".to_owned(), "DROP INDEX by_name;".to_owned()];
        let assessed = sql::assess(&plan, Dialect::Postgres, &sql::Facts::default());
        let held = taken_along(&assessed, &foresight::questions(&assessed), None, &|_| None);
        let told: Vec<String> = held.iter().map(show).collect();
        assert_eq!(told, ["unclassified what the drop of public.users.name affects could not be determined"]);
    }

    #[test]
    fn what_a_drop_takes_along_is_named_with_its_rows_and_its_owner() {
        let reached = |act_idx: usize, thing: Thing, owner: Option<&str>| Reached {
            act_idx,
            thing,
            owner: owner.map(str::to_owned),
        };
        let mut facts = reach::Facts {
            reached: vec![
                reached(1, thing("table", &["public", "child"]), Some("billing")),
                reached(0, thing("function", &["public", "f"]), None),
            ],
            ..reach::Facts::default()
        };
        facts.relations.insert(table("child"), reach::Found { rows: Rows::Exact(2), extension: None });
        assert_eq!(
            told(&["DROP TABLE logs CASCADE;", "DROP TABLE users CASCADE;"], &facts),
            [
                "drop_table public.child: table reached by the CASCADE of public.users; owned by billing; whose? 2",
                "unclassified the CASCADE of public.logs drops the function public.f",
            ]
        );
    }

    #[test]
    fn what_goes_with_a_column_is_judged_by_a_hazard_of_its_own() {
        let constraint =
            |kind: char| Thing { constraint: Some(kind), ..thing("table constraint", &["public", "users", "c"]) };
        let cases = [
            (thing("index", &["public", "i"]), "drop_index public.i: index dropped with public.users.name"),
            (constraint('c'), "drop_constraint public.users.c: check dropped with public.users.name"),
            (constraint('p'), "drop_primary_key public.users: primary key dropped with public.users.name"),
            (thing("sequence", &["public", "s"]), "drop_sequence public.s: sequence dropped with public.users.name"),
            (
                thing("table column", &["public", "users", "twice"]),
                "drop_column public.users.twice: table column dropped with public.users.name",
            ),
            (
                thing("composite type column", &["shop", "pair", "a"]),
                "drop_column shop.pair.a: composite type column dropped with public.users.name",
            ),
            (
                thing("statistics object", &["public", "st"]),
                "unclassified the drop of public.users.name also drops the statistics object public.st",
            ),
            (
                thing("publication relation", &["public", "users", "p"]),
                "unclassified the drop of public.users.name also drops the publication relation public.users.p",
            ),
        ];
        for (thing, expected) in cases {
            let facts =
                reach::Facts { reached: vec![Reached { act_idx: 0, thing, owner: None }], ..reach::Facts::default() };
            assert_eq!(told(&["ALTER TABLE users DROP COLUMN name;"], &facts), [expected]);
        }
        let again = ["ALTER TABLE users DROP COLUMN name;", "CREATE INDEX i ON users (id);"];
        let facts = reach::Facts {
            reached: vec![Reached { act_idx: 0, thing: thing("index", &["public", "i"]), owner: None }],
            ..reach::Facts::default()
        };
        let told = told(&again, &facts);
        assert_eq!(
            told,
            ["drop_index public.i: index dropped with public.users.name; statement 2 creates one of this name again"]
        );
    }

    #[test]
    fn a_table_that_is_not_found_is_not_one_that_reaches_nothing() {
        let lost = |name: &str| {
            format!("unclassified what the CASCADE of public.users affects is unknown: there is no table public.{name}")
        };
        assert_eq!(reached(&["TRUNCATE users CASCADE;"], &[&["people"]]), [lost("users")]);
        let refer = "ALTER TABLE orders ADD FOREIGN KEY (x) REFERENCES users(id);";
        assert_eq!(reached(&[refer, "TRUNCATE users CASCADE;"], &[&["users"]]), [lost("orders")]);
    }
}
