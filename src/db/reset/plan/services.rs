//! Schemas that belong to a managed service, and are never emptied.

use crate::db::inspect::objects::Catalog;
use crate::db::reset::plan::refusal::ManagedSchema;

/// A managed service, and how its schemas are known.
struct Service {
    name: &'static str,
    /// A role that is there wherever the service is. Without it, names that others may use as well mean nothing.
    role: Option<&'static str>,
    /// A `*` at the end stands for anything.
    schemas: &'static [&'static str],
    source: &'static str,
}

const SERVICES: [Service; 8] = [
    Service {
        name: "Supabase",
        role: Some("supabase_admin"),
        schemas: &[
            "auth",
            "storage",
            "realtime",
            "_realtime",
            "_analytics",
            "_supavisor",
            "extensions",
            "graphql",
            "graphql_public",
            "vault",
            "pgsodium*",
            "pgtle",
            "pgmq",
            "pgbouncer",
            "net",
            "cron",
            "supabase_functions",
            "supabase_migrations",
        ],
        source: "supabase/postgres, migrations/db; supabase/cli, the schemas that a diff leaves out",
    },
    Service { name: "Neon", role: None, schemas: &["neon*"], source: "neondatabase/neon, pgxn/neon; Neon Auth" },
    Service {
        name: "Amazon RDS",
        role: None,
        schemas: &["rds*", "aws_*"],
        source: "the manual of RDS for PostgreSQL, extensions",
    },
    Service {
        name: "Google Cloud SQL",
        role: None,
        schemas: &["cloudsql*", "google_*"],
        source: "the manual of Cloud SQL, extensions",
    },
    Service { name: "Hasura", role: None, schemas: &["hdb_*"], source: "hasura/graphql-engine, metadata storage" },
    Service {
        name: "Heroku",
        role: None,
        schemas: &["heroku_ext"],
        source: "the manual of Heroku Postgres, extensions",
    },
    Service {
        name: "Timescale",
        role: None,
        schemas: &["_timescaledb*", "timescaledb_*"],
        source: "timescale/timescaledb, sql",
    },
    Service {
        name: "PostGIS",
        role: None,
        schemas: &["tiger", "tiger_data", "topology"],
        source: "the manual of PostGIS, extensions",
    },
];

pub(super) fn managed(catalog: &Catalog, schema: &str) -> Option<ManagedSchema> {
    let service = SERVICES.iter().find(|service| {
        service.role.is_none_or(|role| catalog.roles.contains(role))
            && service.schemas.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => schema.starts_with(start),
                None => schema == *pattern,
            })
    })?;
    Some(ManagedSchema { schema: schema.to_owned(), service: service.name, source: service.source })
}
