//! What is gone after a run, by the numbers that the server gives its objects, and whether the policy names it.

use std::collections::{BTreeMap, BTreeSet};

use drizzle_pilot::sql::Hazard;

use super::policy::Policy;
use super::world::LATE;
use crate::support::Database;

/// Something that a database has.
#[derive(Debug, Clone)]
struct Thing {
    kind: String,
    name: Vec<String>,
    /// The table that it is a part of.
    whole: Option<String>,
    /// For a column, what its values are like; for a table, its row level security.
    detail: String,
}

/// Everything that can be lost, by its number.
pub(super) struct Catalog {
    things: BTreeMap<String, Thing>,
    /// The ids of the rows that were there at the beginning, by table.
    rows: BTreeMap<String, BTreeSet<u32>>,
    /// The values in the column, by row; what has none is left out.
    values: BTreeMap<String, BTreeMap<u32, String>>,
}

const THINGS: &str = "
WITH own AS (SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
rel AS (SELECT c.*, nspname FROM pg_class c JOIN own ON own.oid = c.relnamespace)
SELECT 'schema', 'n' || oid, json_build_array(nspname), '', '' FROM own
UNION ALL SELECT CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'view' WHEN 'S' THEN 'sequence' WHEN 'c' THEN 'composite'
    WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' ELSE 'table' END,
    'r' || rel.oid, json_build_array(nspname, relname),
    coalesce((SELECT 'r' || indrelid FROM pg_index WHERE indexrelid = rel.oid), ''), relrowsecurity::text FROM rel WHERE relkind <> 't'
UNION ALL SELECT 'column', 'r' || attrelid || '.' || attnum, json_build_array(nspname, relname, attname), 'r' || attrelid,
    format_type(atttypid, atttypmod) FROM pg_attribute JOIN rel ON rel.oid = attrelid
    WHERE attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p', 'v', 'm', 'c', 'f')
UNION ALL SELECT 'default', 'd' || adrelid || '.' || adnum, json_build_array(nspname, relname, attname), 'r' || adrelid, 'r' || adrelid || '.' || adnum
    FROM pg_attrdef JOIN rel ON rel.oid = adrelid JOIN pg_attribute a ON a.attrelid = adrelid AND attnum = adnum
UNION ALL SELECT CASE contype WHEN 'p' THEN 'primary' ELSE 'constraint' END, 'c' || k.oid, json_build_array(nspname, relname, conname), 'r' || conrelid, 'r' || conindid
    FROM pg_constraint k JOIN rel ON rel.oid = conrelid WHERE contype <> 't'
UNION ALL SELECT 'domain constraint', 'c' || k.oid, json_build_array(nspname, typname, conname), 't' || contypid, ''
    FROM pg_constraint k JOIN pg_type t ON t.oid = contypid JOIN own ON own.oid = typnamespace
UNION ALL SELECT 'type', 't' || t.oid, json_build_array(nspname, typname), '', '' FROM pg_type t JOIN own ON own.oid = typnamespace
    WHERE typtype IN ('e', 'd')
UNION ALL SELECT 'value', 'e' || e.enumtypid || '.' || enumlabel, json_build_array(nspname, typname), 't' || enumtypid, ''
    FROM pg_enum e JOIN pg_type t ON t.oid = enumtypid JOIN own ON own.oid = typnamespace
UNION ALL SELECT 'policy', 'p' || p.oid, json_build_array(nspname, relname, polname), 'r' || polrelid, '' FROM pg_policy p JOIN rel ON rel.oid = polrelid
UNION ALL SELECT 'trigger', 'g' || g.oid, json_build_array(nspname, relname, tgname), 'r' || tgrelid, '' FROM pg_trigger g JOIN rel ON rel.oid = tgrelid
    WHERE NOT tgisinternal
UNION ALL SELECT 'rule', 'w' || w.oid, json_build_array(nspname, relname, rulename), 'r' || ev_class, '' FROM pg_rewrite w JOIN rel ON rel.oid = ev_class
    WHERE rulename <> '_RETURN'
UNION ALL SELECT 'function', 'f' || f.oid, json_build_array(nspname, proname), '', '' FROM pg_proc f JOIN own ON own.oid = pronamespace
UNION ALL SELECT 'statistics', 's' || s.oid, json_build_array(nspname, stxname), 'r' || stxrelid, '' FROM pg_statistic_ext s JOIN own ON own.oid = stxnamespace
UNION ALL SELECT 'published table', 'b' || b.oid, json_build_array(nspname, relname), 'r' || prrelid, '' FROM pg_publication_rel b JOIN rel ON rel.oid = prrelid
UNION ALL SELECT 'publication', 'q' || oid, json_build_array(pubname), '', '' FROM pg_publication
UNION ALL SELECT 'parent', 'h' || inhrelid || '.' || inhparent, json_build_array(nspname, relname), 'r' || inhrelid, '' FROM pg_inherits JOIN rel ON rel.oid = inhrelid";

impl Catalog {
    pub(super) fn of(database: &Database) -> Catalog {
        let mut things = BTreeMap::new();
        for row in database.rows(THINGS) {
            let [kind, key, name, whole, detail] = &row[..] else { panic!("five columns: {row:?}") };
            let thing = Thing {
                kind: kind.clone(),
                name: serde_json::from_str(name).expect("a name is a list"),
                whole: Some(whole.clone()).filter(|whole| !whole.is_empty()),
                detail: detail.clone(),
            };
            things.insert(key.clone(), thing);
        }
        let mut rows = BTreeMap::new();
        let mut values = BTreeMap::new();
        for (key, table) in things.iter().filter(|(_, thing)| thing.kind == "table") {
            let has_id =
                |thing: &Thing| thing.whole.as_ref() == Some(key) && thing.name.last().is_some_and(|name| name == "id");
            if !things.values().any(|thing| thing.kind == "column" && has_id(thing)) {
                continue;
            }
            let of = sql_name(&table.name);
            let ids = database.list(&format!("SELECT id FROM ONLY {of} WHERE id < {LATE}"));
            rows.insert(key.clone(), ids.iter().filter_map(|id| id.parse().ok()).collect());
            let columns =
                things.iter().filter(|(_, thing)| thing.kind == "column" && thing.whole.as_ref() == Some(key));
            for (column, thing) in columns {
                let name = sql_name(&thing.name[2..]);
                let told = database
                    .rows(&format!("SELECT id, {name}::text FROM ONLY {of} WHERE id < {LATE} AND {name} IS NOT NULL"));
                let by_id = told.into_iter().map(|row| (row[0].parse().expect("an id is a number"), row[1].clone()));
                values.insert(column.clone(), by_id.collect());
            }
        }
        Catalog { things, rows, values }
    }

    /// Returns what is not there any more and what no rule of the policy names; and how much is gone at all.
    pub(super) fn losses(&self, after: &Catalog, policy: &Policy, counts: Counts) -> (Vec<String>, usize) {
        let mut found = Vec::new();
        let mut n_gone = 0;
        for (key, thing) in self.things.iter().filter(|(key, _)| !after.things.contains_key(*key)) {
            n_gone += 1;
            if !self.is_allowed(key, thing, after, policy, counts) {
                found.push(format!("{} {} is gone", thing.kind, sql_name(&thing.name)));
            }
        }
        for (key, thing) in &self.things {
            let Some(now) = after.things.get(key) else { continue };
            if thing.kind == "table" && thing.detail == "true" && now.detail == "false" {
                n_gone += 1;
                if !policy.allows(Hazard::DisableRls, &thing.name, 0) {
                    found.push(format!("row level security of {} is off", sql_name(&thing.name)));
                }
            }
        }
        for (key, ids) in &self.rows {
            let (Some(now), Some(thing)) = (after.rows.get(key), self.things.get(key)) else { continue };
            let n = ids.difference(now).count();
            if n > 0 {
                n_gone += 1;
                let rows = if counts == Counts::AsSeen { n as u64 } else { 0 };
                let is_allowed = [Hazard::Truncate, Hazard::DeleteRows]
                    .into_iter()
                    .any(|hazard| policy.allows(hazard, &thing.name, rows))
                    || policy.empties_for_unique();
                if !is_allowed {
                    found.push(format!("{n} rows of {} are gone", sql_name(&thing.name)));
                }
            }
        }
        for (key, values) in &self.values {
            let (Some(now), Some(thing)) = (after.values.get(key), self.things.get(key)) else { continue };
            let table = thing.whole.as_ref().expect("a column is a part of a table");
            let is_there = |id: &u32| after.rows.get(table).is_some_and(|ids| ids.contains(id));
            let changed = values.iter().filter(|(id, value)| is_there(id) && now.get(id) != Some(value)).count();
            if changed > 0 {
                n_gone += 1;
                let has_type = after.things[key].detail == thing.detail;
                let rows = if counts == Counts::AsSeen { changed as u64 } else { 0 };
                if has_type || !policy.allows(Hazard::ChangeType, &thing.name, rows) {
                    found.push(format!("{changed} values of {} are others", sql_name(&thing.name)));
                }
            }
        }
        (found, n_gone)
    }

    fn is_allowed(&self, key: &str, thing: &Thing, after: &Catalog, policy: &Policy, counts: Counts) -> bool {
        let is_gone = |key: &String| self.things.contains_key(key) && !after.things.contains_key(key);
        // What goes whole is judged as a whole.
        if thing.whole.as_ref().is_some_and(is_gone) {
            return true;
        }
        let schema = vec![thing.name[0].clone()];
        let schema_is_gone =
            self.things.iter().any(|(key, thing)| thing.kind == "schema" && thing.name == schema && is_gone(key));
        if schema_is_gone && policy.allows(Hazard::DropSchema, &schema, 0) {
            return true;
        }
        let n_rows = |n: usize| if counts == Counts::AsSeen { n as u64 } else { 0 };
        let rows = n_rows(self.rows.get(key).map_or(0, BTreeSet::len));
        let of_table = thing.whole.as_ref().and_then(|whole| self.rows.get(whole)).map_or(0, BTreeSet::len);
        let allows = |hazard| policy.allows(hazard, &thing.name, rows);
        match thing.kind.as_str() {
            "schema" => allows(Hazard::DropSchema),
            "table" => allows(Hazard::DropTable),
            "column" => {
                policy.allows(Hazard::DropColumn, &thing.name, n_rows(self.values.get(key).map_or(0, BTreeMap::len)))
            }
            "view" => allows(Hazard::DropView),
            "sequence" => allows(Hazard::DropSequence),
            "index" => {
                let of_key =
                    |thing: &&Thing| matches!(thing.kind.as_str(), "constraint" | "primary") && thing.detail == key;
                // The constraint that it is for is gone or not, and judged there.
                self.things.values().find(of_key).is_some() || allows(Hazard::DropIndex)
            }
            "primary" => policy.allows(Hazard::DropPrimaryKey, &thing.name[..2], n_rows(of_table)),
            "constraint" | "domain constraint" => allows(Hazard::DropConstraint),
            "type" => allows(Hazard::DropType) || allows(Hazard::RecreateEnum),
            "value" => allows(Hazard::RecreateEnum),
            "policy" => allows(Hazard::DropPolicy),
            // The expression of a column that is gone is a part of it.
            "default" => is_gone(&thing.detail) || allows(Hazard::DropDefault),
            _ => allows(Hazard::Unclassified),
        }
    }
}

/// Whether limits of rows can be held against the rows that were there at the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counts {
    AsSeen,
    /// Others write meanwhile.
    Moving,
}

fn sql_name(parts: &[String]) -> String {
    parts.iter().map(|part| super::world::quoted(part)).collect::<Vec<_>>().join(".")
}
