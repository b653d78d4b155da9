//! Which functions and extensions of a server stay in the database in which they are used.

/// A function that the server has.
#[derive(Debug, Clone, Copy)]
pub struct Function<'a> {
    pub name: &'a str,
    pub is_volatile: bool,
    /// None: PostgreSQL's own.
    pub extension: Option<&'a str>,
}

/// Volatile functions of PostgreSQL whose effect stays in their database, or that only look.
const WITHIN: &[&str] = &[
    "clock_timestamp",
    "currval",
    "gen_random_uuid",
    "lastval",
    "lo_close",
    "lo_creat",
    "lo_create",
    "lo_from_bytea",
    "lo_get",
    "lo_open",
    "lo_put",
    "lo_truncate",
    "lo_unlink",
    "loread",
    "lowrite",
    "nextval",
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_advisory_unlock",
    "pg_advisory_unlock_all",
    "pg_advisory_unlock_shared",
    "pg_advisory_xact_lock",
    "pg_advisory_xact_lock_shared",
    "pg_database_size",
    "pg_indexes_size",
    "pg_is_in_recovery",
    // Whoever listens does so in another database.
    "pg_notify",
    "pg_partition_ancestors",
    "pg_partition_tree",
    "pg_relation_size",
    "pg_sequence_last_value",
    "pg_sleep",
    "pg_sleep_for",
    "pg_sleep_until",
    "pg_table_size",
    "pg_total_relation_size",
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
    "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared",
    "random",
    "random_normal",
    "set_config",
    "setseed",
    "setval",
    "suppress_redundant_updates_trigger",
    "timeofday",
    "tsvector_update_trigger",
    "tsvector_update_trigger_column",
    "uuidv4",
    "uuidv7",
];

/// Functions that execute a text, in whatever extension they are.
const EXECUTES: &[&str] =
    &["connectby", "crosstab", "crosstab2", "crosstab3", "crosstab4", "crosstabn", "xpath_table", "ts_stat"];

/// Extensions whose functions stay in their database.
pub(super) const EXTENSIONS: &[&str] = &[
    "address_standardizer",
    "amcheck",
    "autoinc",
    "bloom",
    "btree_gin",
    "btree_gist",
    "citext",
    "cube",
    "dict_int",
    "dict_xsyn",
    "earthdistance",
    "fuzzystrmatch",
    "h3",
    "hll",
    "hstore",
    "hypopg",
    "insert_username",
    "intagg",
    "intarray",
    "ip4r",
    "isn",
    "lo",
    "ltree",
    "moddatetime",
    "pg_bigm",
    "pg_hashids",
    "pg_jsonschema",
    "pg_trgm",
    "pg_uuidv7",
    "pgcrypto",
    "pgjwt",
    "pgrouting",
    "pgrowlocks",
    "pgstattuple",
    "plpgsql",
    "postgis",
    "postgis_raster",
    "postgis_sfcgal",
    "postgis_tiger_geocoder",
    "postgis_topology",
    "prefix",
    "refint",
    "rum",
    "seg",
    "semver",
    "tablefunc",
    "tcn",
    "tsm_system_rows",
    "tsm_system_time",
    "unaccent",
    "uuid-ossp",
    "vector",
    "xml2",
];

/// Extensions that may be created, and whose volatile functions reach further.
pub(super) const CREATABLE: &[&str] =
    &["pg_buffercache", "pg_freespacemap", "pg_stat_statements", "pg_visibility", "sslinfo"];

impl Function<'_> {
    /// Says why a call may leave the database; nothing where it does not.
    pub fn leaves(&self) -> Option<String> {
        let Function { name, is_volatile, extension } = *self;
        match extension {
            _ if EXECUTES.contains(&name.to_ascii_lowercase().as_str()) => {
                Some(format!("{name}() executes SQL text, which is not checked"))
            }
            _ if !is_volatile => None,
            None if WITHIN.contains(&name) => None,
            None => Some(format!("{name}() acts on the server, its files or other databases, or may do so")),
            Some(extension) if EXTENSIONS.contains(&extension) => None,
            Some(extension) => {
                Some(format!("{name}() is a function of the extension {extension}, which may act anywhere"))
            }
        }
    }
}
