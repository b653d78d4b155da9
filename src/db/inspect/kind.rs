//! Types of columns, as far as their conversion matters. Pure.

/// A type, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::db) struct Kind {
    /// As it is written in SQL, modifier included: `character varying(20)`.
    pub(in crate::db) text: String,
    /// The same without the modifier.
    pub(in crate::db) bare: String,
    pub(in crate::db) family: Family,
}

/// Types that are converted alike. A domain is of the family of its base type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::db) enum Family {
    Text,
    Bytes,
    Json,
    Jsonb,
    Bool,
    Int,
    /// `numeric`, `real`, `double precision`.
    Number,
    Date,
    Timestamp,
    TimestampTz,
    Uuid,
    Enum,
    Array,
    Other,
}

impl Family {
    /// Tells the family from the type's row in `pg_type`. `name` is empty for a type outside of `pg_catalog`.
    pub(in crate::db) fn of(name: &str, typtype: &str, category: &str) -> Family {
        match (typtype, category, name) {
            ("e", _, _) => Family::Enum,
            (_, "A", _) => Family::Array,
            (_, _, "text" | "varchar" | "bpchar") => Family::Text,
            (_, _, "bytea") => Family::Bytes,
            (_, _, "json") => Family::Json,
            (_, _, "jsonb") => Family::Jsonb,
            (_, _, "bool") => Family::Bool,
            (_, _, "int2" | "int4" | "int8") => Family::Int,
            (_, _, "numeric" | "float4" | "float8") => Family::Number,
            (_, _, "date") => Family::Date,
            (_, _, "timestamp") => Family::Timestamp,
            (_, _, "timestamptz") => Family::TimestampTz,
            (_, _, "uuid") => Family::Uuid,
            _ => Family::Other,
        }
    }
}
