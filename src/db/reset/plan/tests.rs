//! Plans for small databases.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::*;
use crate::db::inspect::identity::Identity;
use crate::db::inspect::objects::{Argument, Columns, Dependency, Extension, Facts, Object, ObjectId, Schema};

const PUBLIC: u32 = 2200;
const SHOP: u32 = 20_000;
const PG_PROC: u32 = 1255;
const PG_OPERATOR: u32 = 2617;

fn id(class: u32, oid: u32) -> ObjectId {
    ObjectId { class, oid, column: 0 }
}

fn empty() -> Catalog {
    let schema =
        |oid, name: &str| Schema { oid, name: name.to_owned(), owner: "app".to_owned(), mine: true, usable: true };
    Catalog {
        facts: Facts {
            identity: Identity { system_identifier: None, database: "d".to_owned(), oid: 1 },
            version_num: 150_018,
            in_recovery: false,
            read_only: false,
            database: "d".to_owned(),
            user: "app".to_owned(),
            superuser: false,
            lock_capacity: 100,
        },
        schemas: vec![schema(PUBLIC, "public"), schema(SHOP, "shop")],
        extensions: Vec::new(),
        objects: Vec::new(),
        dependencies: Vec::new(),
        columns: BTreeMap::new(),
        roles: BTreeSet::from(["app".to_owned()]),
    }
}

/// Puts an object into a schema.
fn put(catalog: &mut Catalog, id: ObjectId, kind: &str, schema: u32, name: &str) {
    let of = if schema == PUBLIC { "public" } else { "shop" };
    catalog.objects.push(Object {
        id,
        kind: kind.to_owned(),
        names: vec![of.to_owned(), name.to_owned()],
        arguments: Vec::new(),
        schema: Some(of.to_owned()),
        owner: Some("app".to_owned()),
        mine: true,
        part_of: None,
        rows: None,
        lockable: kind == "table",
        constraint: None,
        is_partition: false,
    });
    need(catalog, id, self::id(class::SCHEMA, schema), 'n');
}

fn need(catalog: &mut Catalog, of: ObjectId, on: ObjectId, kind: char) {
    catalog.dependencies.push(Dependency { of, on, kind });
}

fn scope(schemas: &[&str]) -> Scope {
    Scope {
        schemas: Schemas::Named(schemas.iter().map(|schema| (*schema).to_owned()).collect()),
        keep: BTreeSet::new(),
        migrations: None,
        owners: Owners::Us,
    }
}

fn sql(catalog: &Catalog, scope: &Scope) -> Vec<String> {
    let plan = plan(catalog, scope).unwrap_or_else(|refusal| panic!("{refusal}"));
    plan.statements().map(|step| step.sql.clone()).collect()
}

#[test]
fn names_are_quoted_and_arguments_are_types_with_their_schemas() {
    let mut catalog = empty();
    put(&mut catalog, id(class::RELATION, 30_001), "table", PUBLIC, "a\"; DROP TABLE users; --");
    put(&mut catalog, id(PG_PROC, 30_002), "function", PUBLIC, "f");
    put(&mut catalog, id(PG_PROC, 30_003), "procedure", SHOP, "p");
    put(&mut catalog, id(PG_PROC, 30_004), "aggregate", SHOP, "n");
    put(&mut catalog, id(PG_OPERATOR, 30_005), "operator", SHOP, "=#=");
    let of_type = |schema: &str, name: &str| Some((schema.to_owned(), name.to_owned()));
    let argument = |mode, of_type| Argument { mode, of_type };
    catalog.objects[1].arguments = vec![argument(None, of_type("my\"x", "_mood"))];
    catalog.objects[2].arguments =
        vec![argument(Some('i'), of_type("pg_catalog", "int4")), argument(Some('o'), of_type("pg_catalog", "text"))];
    catalog.objects[4].arguments = vec![argument(None, None), argument(None, of_type("pg_catalog", "int4"))];
    let expected = [
        "LOCK TABLE ONLY \"public\".\"a\"\"; DROP TABLE users; --\" IN ACCESS EXCLUSIVE MODE",
        "DROP TABLE IF EXISTS \"public\".\"a\"\"; DROP TABLE users; --\" CASCADE",
        "DROP OPERATOR IF EXISTS \"shop\".=#= (NONE, \"pg_catalog\".\"int4\") CASCADE",
        "DROP AGGREGATE IF EXISTS \"shop\".\"n\"(*) CASCADE",
        "DROP PROCEDURE IF EXISTS \"shop\".\"p\"(IN \"pg_catalog\".\"int4\", OUT \"pg_catalog\".\"text\") CASCADE",
        "DROP FUNCTION IF EXISTS \"public\".\"f\"(\"my\"\"x\".\"_mood\") CASCADE",
        "DROP SCHEMA IF EXISTS \"shop\" RESTRICT",
    ];
    assert_eq!(sql(&catalog, &scope(&["public", "shop"])), expected);
}

#[test]
fn a_kind_or_a_name_that_is_unknown_is_refused() {
    for (kind, name) in [("property graph", "g"), ("operator", "+; DROP TABLE users"), ("operator", "/*")] {
        let mut catalog = empty();
        put(&mut catalog, id(9999, 30_001), kind, PUBLIC, name);
        catalog.objects[0].arguments = vec![Argument { mode: None, of_type: None }; 2];
        let refusal = plan(&catalog, &scope(&["public"])).expect_err("it cannot be dropped");
        assert!(matches!(refusal, Refusal::UnknownKind(_)), "{refusal}");
    }
}

#[test]
fn the_journal_goes_first_and_a_statement_has_a_hundred_names_at_most() {
    let mut catalog = empty();
    for idx in 0..250 {
        put(&mut catalog, id(class::RELATION, 30_000 + idx), "table", PUBLIC, &format!("t{idx}"));
    }
    put(&mut catalog, id(class::RELATION, 40_000), "table", SHOP, "journal");
    let migrations = Some(Relation { schema: "shop".to_owned(), name: "journal".to_owned() });
    let plan = plan(&catalog, &Scope { migrations, ..scope(&["public"]) }).expect("all of it is ours");
    assert_eq!(plan.steps[0].sql, "DROP TABLE IF EXISTS \"shop\".\"journal\" CASCADE");
    let n_names = |steps: &[Step]| steps.iter().map(|step| step.objects.len()).collect::<Vec<_>>();
    assert_eq!((n_names(&plan.locking), n_names(&plan.steps)), (vec![100, 100, 51], vec![1, 100, 100, 50]));
    assert_eq!((plan.locks.n_locks, plan.room()), (251, Room::No));
}

#[test]
fn what_has_no_room_for_its_locks_goes_in_parts_and_the_journal_first() {
    let mut catalog = empty();
    for idx in 0..5 {
        put(&mut catalog, id(class::RELATION, 30_000 + idx), "table", SHOP, &format!("t{idx}"));
        put(&mut catalog, id(class::RELATION, 31_000 + idx), "view", SHOP, &format!("v{idx}"));
        need(&mut catalog, id(class::RELATION, 31_000 + idx), id(class::RELATION, 30_000 + idx), 'n');
    }
    put(&mut catalog, id(class::RELATION, 40_000), "table", SHOP, "journal");
    let migrations = Some(Relation { schema: "shop".to_owned(), name: "journal".to_owned() });
    let scope = Scope { migrations, ..scope(&["shop"]) };
    let mut dropped = Vec::new();
    while dropped.last().is_none_or(|sql: &String| !sql.contains("SCHEMA")) {
        let part = first_part(&catalog, &scope, 3).expect("all of it is ours");
        let names: BTreeSet<String> = part.steps.iter().flat_map(|step| step.objects.clone()).collect();
        catalog.objects.retain(|object| !names.contains(&object.told()));
        let there: HashSet<ObjectId> = catalog.objects.iter().map(|object| object.id).collect();
        catalog.dependencies.retain(|dependency| there.contains(&dependency.of));
        dropped.extend(part.steps.into_iter().map(|step| step.sql));
    }
    let expected = [
        "DROP TABLE IF EXISTS \"shop\".\"journal\" CASCADE",
        "DROP VIEW IF EXISTS \"shop\".\"v0\", \"shop\".\"v1\", \"shop\".\"v2\" CASCADE",
        "DROP VIEW IF EXISTS \"shop\".\"v3\", \"shop\".\"v4\" CASCADE",
        "DROP TABLE IF EXISTS \"shop\".\"t0\" CASCADE",
        "DROP TABLE IF EXISTS \"shop\".\"t1\", \"shop\".\"t2\", \"shop\".\"t3\" CASCADE",
        "DROP TABLE IF EXISTS \"shop\".\"t4\" CASCADE",
        "DROP SCHEMA IF EXISTS \"shop\" RESTRICT",
    ];
    assert_eq!(dropped, expected);
}

#[test]
fn an_extension_is_reached_through_its_member() {
    let (ours, member) = (id(class::RELATION, 30_001), id(PG_PROC, 30_002));
    let mut catalog = empty();
    put(&mut catalog, ours, "table", PUBLIC, "users");
    put(&mut catalog, member, "function", PUBLIC, "helper");
    catalog.extensions.push(Extension {
        name: "pgcrypto".to_owned(),
        version: "1".to_owned(),
        schema: "public".to_owned(),
        n_members: 1,
        oid: 30_000,
    });
    need(&mut catalog, member, id(class::EXTENSION, 30_000), 'e');
    assert_eq!(sql(&catalog, &scope(&["public"])).len(), 2);
    need(&mut catalog, member, ours, 'n');
    let refusal = plan(&catalog, &scope(&["public"])).expect_err("the extension would fall");
    let told = "the drops would also remove:\n  extension pgcrypto, because of its member function public.helper()";
    assert_eq!(refusal.to_string(), told);
}

#[test]
fn a_column_goes_alone_and_takes_only_what_needs_it() {
    let (mood, table) = (id(1247, 30_001), id(class::RELATION, 30_002));
    let (by_mood, by_other) = (id(class::RELATION, 30_003), id(class::RELATION, 30_004));
    let mut catalog = empty();
    put(&mut catalog, mood, "type", PUBLIC, "mood");
    for (id, name) in [(table, "t"), (by_mood, "by_mood"), (by_other, "by_other")] {
        put(&mut catalog, id, "table", SHOP, name);
    }
    let column = |column| ObjectId { column, ..table };
    need(&mut catalog, column(2), mood, 'n');
    need(&mut catalog, by_mood, column(2), 'n');
    need(&mut catalog, by_other, column(1), 'n');
    let Err(Refusal::Collateral(offences)) = plan(&catalog, &scope(&["public"])) else { panic!("it reaches shop") };
    let told: Vec<_> = offences.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["table shop.by_mood, in schema shop, which is not in scope"]);
}

#[test]
fn a_column_that_is_computed_by_what_goes_is_no_part_of_it() {
    let (function, table) = (id(PG_PROC, 30_001), id(class::RELATION, 30_002));
    let mut catalog = empty();
    put(&mut catalog, function, "function", PUBLIC, "f");
    put(&mut catalog, table, "table", SHOP, "t");
    let computed = ObjectId { column: 2, ..table };
    catalog.objects.push(Object {
        id: computed,
        kind: "table column".to_owned(),
        names: ["shop", "t", "total"].map(str::to_owned).to_vec(),
        part_of: Some(table.oid),
        lockable: false,
        ..catalog.objects[1].clone()
    });
    need(&mut catalog, computed, function, 'a');
    let refusal = plan(&catalog, &scope(&["public"])).expect_err("it is in another schema");
    let told = "the drops would also remove:\n  table column shop.t.total, in schema shop, which is not in scope";
    assert_eq!(refusal.to_string(), told);
}

/// A catalog in which a table of another schema has lost something that was in no plan.
#[test]
fn whatever_is_gone_and_was_in_no_plan_is_named() {
    let (gone, kept) = (id(class::RELATION, 30_001), id(class::RELATION, 30_002));
    let mut before = empty();
    put(&mut before, gone, "table", PUBLIC, "gone");
    put(&mut before, kept, "table", SHOP, "kept");
    let names = BTreeMap::from([(1, "id".to_owned()), (2, "total".to_owned())]);
    before.columns.insert(kept.oid, Columns { of: "table shop.kept".to_owned(), names });
    // A row of a catalog that nobody has heard of, and what is an internal part of it.
    let (unheard, part) = (id(9999, 30_003), id(9998, 30_004));
    need(&mut before, unheard, kept, 'n');
    need(&mut before, part, unheard, 'i');
    let after = |without: &[ObjectId], columns: &[i32]| {
        let mut after = before.clone();
        after.objects.retain(|object| !without.contains(&object.id));
        after.dependencies.retain(|dependency| !without.contains(&dependency.of));
        let left = after.columns.get_mut(&kept.oid).expect("it has columns");
        left.names.retain(|column, _| columns.contains(column));
        unplanned(&before, &after, &scope(&["public"]))
    };
    assert_eq!(after(&[gone], &[1, 2]), [""; 0]);
    assert_eq!(after(&[gone], &[1]), ["column total of table shop.kept"]);
    assert_eq!(after(&[gone, unheard, part], &[1, 2]), ["row 30003 of the catalog 9999"]);
    assert_eq!(after(&[gone, part], &[1, 2]), ["row 30004 of the catalog 9998"]);
    assert_eq!(after(&[gone, kept, unheard, part], &[]), ["table shop.kept", "row 30003 of the catalog 9999"]);
}

#[test]
fn what_is_of_another_role_goes_only_where_that_is_said() {
    let mut catalog = empty();
    for (idx, name) in ["a", "b", "c", "d", "e", "f"].into_iter().enumerate() {
        put(&mut catalog, id(class::RELATION, 30_001 + idx as u32), "table", SHOP, name);
    }
    for object in &mut catalog.objects {
        object.owner = Some("app_owner".to_owned());
    }
    let told = "objects of other roles would be dropped:
  6 of app_owner: table shop.a, table shop.b, table shop.c, table shop.d, table shop.e, …";
    let refusal = plan(&catalog, &scope(&["shop"])).expect_err("they are not ours");
    assert_eq!(refusal.to_string(), told);
    catalog.schemas[1].owner = "app_owner".to_owned();
    let plan = plan(&catalog, &Scope { owners: Owners::Anyone, ..scope(&["shop"]) }).expect("it is said");
    assert_eq!(plan.owners, BTreeMap::from([("app_owner".to_owned(), 7)]));
}

#[test]
fn schemas_of_services_are_known_by_their_names_and_by_their_roles() {
    let mut catalog = empty();
    catalog.schemas[1].name = "auth".to_owned();
    assert!(plan(&catalog, &scope(&["auth"])).is_ok());
    catalog.roles.insert("supabase_admin".to_owned());
    assert!(matches!(plan(&catalog, &scope(&["auth"])), Err(Refusal::Managed(_))));
    let plan = plan(&catalog, &Scope { schemas: Schemas::All, ..scope(&[]) }).expect("it is left out");
    assert!(plan.is_empty() && plan.stays[0].why == "belongs to Supabase", "{plan:?}");
}
