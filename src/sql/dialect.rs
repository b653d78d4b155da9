//! Which language the statements are in.

/// A dialect of SQL that drizzle-kit writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    Postgres,
    MySql,
    SingleStore,
    Sqlite,
    /// libSQL: SQLite with a few statements of its own.
    Turso,
}

impl Dialect {
    /// Finds a dialect by the name it has in drizzle's config.
    pub fn from_name(name: &str) -> Option<Dialect> {
        match name {
            "postgresql" => Some(Dialect::Postgres),
            "mysql" => Some(Dialect::MySql),
            "singlestore" => Some(Dialect::SingleStore),
            "sqlite" => Some(Dialect::Sqlite),
            "turso" => Some(Dialect::Turso),
            // gel, mssql and cockroach: no push, or statements that nobody has read yet.
            _ => None,
        }
    }
}
