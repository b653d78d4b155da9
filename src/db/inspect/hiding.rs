//! Tells whether a database has something that drizzle-kit's push compares only in part (drizzle-kit 0.21 to 0.31,
//! `pgPushIntrospect` and `squashPgScheme`), so that a push without changes may leave a difference.

use std::time::Duration;

use crate::db::connection::client::Connection;
use crate::db::connection::error::ConnectError;

/// Of policies, views and checks the names are compared, of generated columns and of indexes some facts, and of the other
/// constraints and tables not whether they are deferrable, valid or forced.
const MAY_HIDE: &str = "
    WITH member AS (
        SELECT objid FROM pg_catalog.pg_depend
         WHERE deptype = 'e' AND classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    ), rel AS (
        SELECT c.oid, c.relkind, c.relforcerowsecurity
          FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
           AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.oid NOT IN (SELECT objid FROM member)
    )
    SELECT EXISTS (SELECT FROM rel WHERE relkind IN ('v', 'm') OR relforcerowsecurity)
        OR EXISTS (SELECT FROM rel JOIN pg_catalog.pg_policy p ON p.polrelid = rel.oid)
        OR EXISTS (SELECT FROM rel JOIN pg_catalog.pg_constraint k ON k.conrelid = rel.oid
                    WHERE k.contype = 'c' OR k.condeferrable OR NOT k.convalidated
                       OR k.contype = 'f' AND k.confmatchtype <> 's')
        OR EXISTS (SELECT FROM rel JOIN pg_catalog.pg_attribute a ON a.attrelid = rel.oid
                    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
                    WHERE NOT a.attisdropped AND (a.attgenerated <> '' OR a.attcollation <> t.typcollation))
        OR EXISTS (SELECT FROM rel JOIN pg_catalog.pg_index i ON i.indrelid = rel.oid
                    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
                    WHERE i.indexprs IS NOT NULL OR i.indpred IS NOT NULL OR NOT i.indisvalid OR i.indnatts > i.indnkeyatts
                       OR c.reloptions IS NOT NULL
                       OR EXISTS (SELECT FROM pg_catalog.pg_opclass o WHERE o.oid = ANY (i.indclass) AND NOT o.opcdefault))";

/// Tells whether the database has such a thing, outside of extensions.
///
/// # Errors
/// When the server cannot be asked.
pub fn may_hide(connection: &Connection, deadline: Duration) -> Result<bool, ConnectError> {
    connection.look(deadline, async |client| {
        let rows = client.query_typed(MAY_HIDE, &[]).await?;
        Ok(rows.iter().any(|row| row.get(0)))
    })
}
