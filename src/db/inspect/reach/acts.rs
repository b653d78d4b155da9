//! Finds what acts take along and where they would stop, in the catalog of the server.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use crate::db::inspect::catalog;
use crate::db::inspect::foresee::{self, Deed, Found as Subjects, Known, Why};
use crate::db::inspect::objects::{Dependency, Object, ObjectId};
use crate::db::inspect::reach::facts::{Facts, Obstacle, Reached, Stop, Thing};
use crate::db::inspect::reach::wanted::{Act, Subject};
use crate::db::inspect::relation::Relation;

/// Finds what the acts take along and where they would stop, with `pg_catalog` alone in the search path.
pub(super) async fn foresee(client: &Client, acts: &[Act], facts: &mut Facts) -> Result<(), tokio_postgres::Error> {
    let found = resolve(client, acts).await?;
    let roots: Vec<ObjectId> =
        found.iter().flat_map(|found| found.ids.iter().chain(&found.inherited)).copied().collect();
    let dependencies = dependencies(client, &roots).await?;
    let mut ids: BTreeSet<ObjectId> = roots.into_iter().collect();
    ids.extend(dependencies.iter().flat_map(|dependency| [dependency.of, dependency.on]));
    let ids: Vec<ObjectId> = ids.into_iter().collect();
    let objects = catalog::describe(client, &ids).await?;
    let objects: BTreeMap<ObjectId, Object> = objects.into_iter().map(|object| (object.id, object)).collect();
    let us: String = client.query_typed_one("SELECT current_user::text", &[]).await?.get(0);

    let deeds: Vec<Deed> = acts.iter().map(|act| act.deed).collect();
    let known = Known { found: &found, dependencies: &dependencies, objects: &objects };
    let seen = foresee::foresee(&deeds, &known);
    let drops = |act: &Act| matches!(act.deed, Deed::Drop { .. } | Deed::TakeOut);
    let lost = acts.iter().zip(&found).enumerate().filter(|(_, (act, found))| drops(act) && found.ids.is_empty());
    facts.lost = lost.map(|(act_idx, _)| act_idx).collect();
    let thing = |id: &ObjectId| objects.get(id).map(Thing::of);
    facts.reached = seen
        .taken
        .iter()
        .filter_map(|taken| {
            let owner = objects.get(&taken.id).and_then(|object| object.owner.clone()).filter(|owner| *owner != us);
            Some(Reached { act_idx: taken.act_idx, thing: thing(&taken.id)?, owner })
        })
        .collect();
    facts.reached.sort_by(|one, other| (&one.thing, one.act_idx).cmp(&(&other.thing, other.act_idx)));
    facts.reached.dedup_by(|one, other| one.thing == other.thing);
    let things = |ids: &[ObjectId]| ids.iter().filter_map(thing).collect();
    let stops = seen.stops.into_iter().filter_map(|(act_idx, why)| {
        let why = match why {
            Why::Needed(by) => Obstacle::Needed(things(&by)),
            Why::PartOf(whole) => Obstacle::PartOf(thing(&whole)?),
            Why::GoneBy(act_idx) => Obstacle::GoneBy(act_idx),
            Why::Missing => Obstacle::Missing,
            Why::Held(by) => Obstacle::Held(things(&by)),
            Why::There(there) => Obstacle::There(things(&there)),
        };
        Some(Stop { act_idx, why })
    });
    facts.stops = stops.collect();
    let identities = acts.iter().zip(&found).filter_map(|(act, found)| {
        let Subject::Identity { table, column } = &act.subject else { return None };
        let [schema, name] = objects.get(found.ids.first()?)?.names.as_slice() else { return None };
        Some((table.clone(), column.clone(), Relation { schema: schema.clone(), name: name.clone() }))
    });
    facts.identities = identities.collect();
    Ok(())
}

/// Finds the objects that acts are about.
async fn resolve(client: &Client, acts: &[Act]) -> Result<Vec<Subjects>, tokio_postgres::Error> {
    // What a column is called by in a table, it is called by in those that inherit it. There it goes as well, unless it was
    // declared there, too, or is inherited from another table (`ATExecDropColumn`, `ATExecDropConstraint`).
    const SUBJECTS: &str = "
        WITH RECURSIVE wanted AS (
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
                     WITH ORDINALITY AS wanted(kind, schema, name, part, number)
        ), relation AS (
            SELECT w.*, c.oid FROM wanted w JOIN pg_namespace n ON n.nspname = w.schema
              JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
        ), type AS (
            SELECT w.*, t.oid, t.typelem, t.typtype FROM wanted w JOIN pg_namespace n ON n.nspname = w.schema
              JOIN pg_type t ON t.typnamespace = n.oid AND t.typname = w.name
        ), columned AS (
            SELECT number, oid, part, false AS inherited FROM relation
             WHERE kind IN ('column', 'default', 'constraint')
            UNION
            SELECT l.number, i.inhrelid, l.part, true
              FROM columned l JOIN pg_inherits i ON i.inhparent = l.oid
        ), columns AS (
            SELECT l.number, w.kind, l.oid, a.attnum, l.inherited
              FROM columned l
              JOIN wanted w ON w.number = l.number AND w.kind IN ('column', 'default')
              JOIN pg_attribute a ON a.attrelid = l.oid AND a.attname = l.part AND a.attnum > 0
             WHERE NOT l.inherited OR (a.attinhcount = 1 AND NOT a.attislocal)
        )
        SELECT number, 'pg_class'::regclass::oid, oid, 0, false FROM relation WHERE kind = 'relation'
        UNION ALL
        SELECT number, 'pg_type'::regclass, oid, 0, false FROM type WHERE kind = 'type' OR kind = 'free type' AND typelem = 0
        UNION ALL
        SELECT w.number, 'pg_namespace'::regclass, n.oid, 0, false
          FROM wanted w JOIN pg_namespace n ON n.nspname = w.schema WHERE w.kind = 'schema'
        UNION ALL
        SELECT number, 'pg_class'::regclass, oid, attnum, inherited FROM columns WHERE kind = 'column'
        UNION ALL
        SELECT c.number, 'pg_attrdef'::regclass, d.oid, 0, c.inherited
          FROM columns c JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = c.attnum WHERE c.kind = 'default'
        UNION ALL
        SELECT l.number, 'pg_constraint'::regclass, k.oid, 0, l.inherited
          FROM columned l
          JOIN wanted w ON w.number = l.number AND w.kind = 'constraint'
          JOIN pg_constraint k ON k.conrelid = l.oid AND k.conname = l.part
         WHERE NOT l.inherited OR (k.coninhcount = 1 AND NOT k.conislocal)
        UNION ALL
        SELECT r.number, 'pg_policy'::regclass, p.oid, 0, false
          FROM relation r JOIN pg_policy p ON p.polrelid = r.oid AND p.polname = r.part WHERE r.kind = 'policy'
        UNION ALL
        SELECT r.number, d.classid, d.objid, 0, false
          FROM relation r
          JOIN pg_attribute a ON a.attrelid = r.oid AND a.attname = r.part
          JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = r.oid AND d.refobjsubid = a.attnum
           AND d.deptype = 'i' AND d.classid = 'pg_class'::regclass
         WHERE r.kind = 'identity'
        UNION ALL
        SELECT r.number, 'pg_constraint'::regclass, k.oid, 0, false
          FROM relation r
          JOIN pg_constraint k ON k.conrelid = r.oid AND k.contype = 'p'
          LEFT JOIN pg_attribute a ON a.attrelid = r.oid AND a.attname = r.part
         WHERE r.kind = 'key' AND (r.part = '' OR a.attnum = ANY (k.conkey))
        UNION ALL
        SELECT w.number, 'pg_authid'::regclass, o.oid, 0, false
          FROM wanted w JOIN pg_roles o ON o.rolname = w.name WHERE w.kind = 'role'
        UNION ALL
        SELECT w.number, s.classid, s.objid, s.objsubid, false
          FROM wanted w
          JOIN pg_roles o ON o.rolname = w.name
          JOIN pg_shdepend s ON s.refclassid = 'pg_authid'::regclass AND s.refobjid = o.oid AND s.deptype = 'o'
         WHERE w.kind = 'owned' AND s.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
         ORDER BY 1, 2, 3, 4";
    let (mut kinds, mut schemas, mut names, mut parts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for act in acts {
        let nowhere = Relation { schema: String::new(), name: String::new() };
        let (kind, Relation { schema, name }, part) = match &act.subject {
            Subject::Relation(relation) => ("relation", relation.clone(), ""),
            // The server calls the type of an array otherwise where its name is wanted.
            Subject::Type(relation) if act.deed == Deed::Create => ("free type", relation.clone(), ""),
            Subject::Type(relation) => ("type", relation.clone(), ""),
            Subject::Schema(schema) => ("schema", Relation { schema: schema.clone(), ..nowhere }, ""),
            Subject::Column { table, column } => ("column", table.clone(), &**column),
            Subject::Constraint { table, name } => ("constraint", table.clone(), &**name),
            Subject::Policy { table, name } => ("policy", table.clone(), &**name),
            Subject::Default { table, column } => ("default", table.clone(), &**column),
            Subject::Identity { table, column } => ("identity", table.clone(), &**column),
            Subject::Key { table, column } => ("key", table.clone(), column.as_deref().unwrap_or_default()),
            Subject::Role(role) => ("role", Relation { name: role.clone(), ..nowhere }, ""),
            Subject::OwnedBy(role) => ("owned", Relation { name: role.clone(), ..nowhere }, ""),
            Subject::Nothing => ("nothing", nowhere, ""),
        };
        kinds.push(kind);
        schemas.push(schema);
        names.push(name);
        parts.push(part);
    }
    let parameters: Vec<(&(dyn ToSql + Sync), Type)> = vec![
        (&kinds, Type::TEXT_ARRAY),
        (&schemas, Type::TEXT_ARRAY),
        (&names, Type::TEXT_ARRAY),
        (&parts, Type::TEXT_ARRAY),
    ];
    let mut found = vec![Subjects::default(); acts.len()];
    for row in client.query_typed(SUBJECTS, &parameters).await? {
        let number = usize::try_from(row.get::<_, i64>(0)).expect("the subjects are counted from one");
        let id = ObjectId { class: row.get(1), oid: row.get(2), column: row.get(3) };
        let Subjects { ids, inherited } = &mut found[number - 1];
        if row.get(4) { inherited.push(id) } else { ids.push(id) }
    }
    Ok(found)
}

/// Finds all that needs these objects in one way or another, and what those need.
async fn dependencies(client: &Client, roots: &[ObjectId]) -> Result<Vec<Dependency>, tokio_postgres::Error> {
    const DEPENDENCIES: &str = "
        WITH RECURSIVE reached AS (
            SELECT * FROM unnest($1::oid[], $2::oid[], $3::int4[]) AS root(classid, objid, objsubid)
            UNION
            SELECT next.* FROM reached r, LATERAL (
                SELECT d.classid, d.objid, d.objsubid
                  FROM pg_depend d
                 WHERE d.refclassid = r.classid AND d.refobjid = r.objid
                   AND (r.objsubid = 0 OR d.refobjsubid = r.objsubid)
                   AND d.deptype IN ('n', 'a', 'i', 'P', 'S')
                UNION ALL
                SELECT d.refclassid, d.refobjid, d.refobjsubid
                  FROM pg_depend d
                 WHERE d.classid = r.classid AND d.objid = r.objid AND d.objsubid = 0 AND r.objsubid = 0
                   AND d.deptype IN ('i', 'e')
            ) AS next
             WHERE r.classid <> 'pg_extension'::regclass
        )
        SELECT DISTINCT d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid, d.refobjsubid, d.deptype::text
          FROM (SELECT DISTINCT classid, objid FROM reached) r
          JOIN pg_depend d ON d.classid = r.classid AND d.objid = r.objid AND d.deptype <> 'p'
         ORDER BY 1, 2, 3, 4, 5, 6";
    if roots.is_empty() {
        return Ok(Vec::new());
    }
    let classes: Vec<u32> = roots.iter().map(|id| id.class).collect();
    let oids: Vec<u32> = roots.iter().map(|id| id.oid).collect();
    let columns: Vec<i32> = roots.iter().map(|id| id.column).collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&classes, Type::OID_ARRAY), (&oids, Type::OID_ARRAY), (&columns, Type::INT4_ARRAY)];
    let rows = client.query_typed(DEPENDENCIES, &parameters).await?;
    Ok(rows.iter().map(catalog::dependency).collect())
}
