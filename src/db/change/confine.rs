//! What has to be known of the server before statements run in a database of their own on it: which of the functions and roles that
//! they name it has. Whether they stay in that database is judged elsewhere.

use tokio_postgres::Client;
use tokio_postgres::types::Type;

/// What decides whether statements may run.
pub struct Confine<'a> {
    pub asks: Asks,
    /// Returns the statements as they may run; none where one of them acts beyond its database, or may.
    pub judge: &'a dyn Fn(&Found) -> Option<Vec<String>>,
}

/// What the server is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asks {
    /// Names that are called like functions.
    pub functions: Vec<String>,
    /// Roles that are created.
    pub roles: Vec<String>,
}

/// What the server has of that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Those of PostgreSQL and of extensions.
    pub functions: Vec<Function>,
    pub roles: Vec<String>,
    /// All extensions of the database.
    pub extensions: Vec<String>,
}

/// A function, with all that have its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    pub is_volatile: bool,
    /// None: PostgreSQL's own.
    pub extension: Option<String>,
}

impl Confine<'_> {
    /// Asks the server, and returns the statements as they may run.
    pub(in crate::db) async fn within(&self, client: &Client) -> Result<Option<Vec<String>>, tokio_postgres::Error> {
        Ok((self.judge)(&self.asks.of(client).await?))
    }
}

impl Asks {
    /// Asks the server.
    pub(in crate::db) async fn of(&self, client: &Client) -> Result<Found, tokio_postgres::Error> {
        const FUNCTIONS: &str = "
            SELECT p.proname::text, pg_catalog.bool_or(p.provolatile = 'v'), e.extname::text
              FROM pg_catalog.pg_proc p
              LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
                   AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
              LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
             WHERE p.proname = ANY ($1)
               AND (e.oid IS NOT NULL OR p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace)
             GROUP BY p.proname, e.extname";
        const ROLES: &str = "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname = ANY ($1)";
        const EXTENSIONS: &str = "SELECT extname::text FROM pg_catalog.pg_extension";
        let functions = client.query_typed(FUNCTIONS, &[(&self.functions, Type::TEXT_ARRAY)]).await?;
        let function =
            |row: &tokio_postgres::Row| Function { name: row.get(0), is_volatile: row.get(1), extension: row.get(2) };
        let roles = client.query_typed(ROLES, &[(&self.roles, Type::TEXT_ARRAY)]).await?;
        let extensions = client.query_typed(EXTENSIONS, &[]).await?;
        Ok(Found {
            functions: functions.iter().map(function).collect(),
            roles: roles.iter().map(|row| row.get(0)).collect(),
            extensions: extensions.iter().map(|row| row.get(0)).collect(),
        })
    }
}
