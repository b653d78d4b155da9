//! Writes a schema down as [lines](super::lines) of text that are equal exactly when the schemas are.
//!
//! A line is `kind|name|facts`, about one thing: a table, a column, a constraint … Things are known by their names, so
//! that two databases can be compared. Left out on purpose: column order, comments, grants, owners, and rows; what
//! belongs to an extension; what drizzle keeps its own records in.

use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio_postgres::Client;

use crate::db::connection::client::Connection;
use crate::db::connection::connect::{Session, open};
use crate::db::connection::conversation::within;
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::{ConnectError, explained};
use crate::db::inspect::identify;
pub use crate::db::inspect::identity::Identity;
use crate::db::limits::{LONG_QUERY, milliseconds};

/// A schema as lines, in the order of their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    pub identity: Identity,
    pub lines: Vec<String>,
}

impl Fingerprint {
    /// Returns the SHA-256 of the lines, in hexadecimal. The identity is not in it.
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for line in &self.lines {
            // No text of PostgreSQL holds a NUL, while a line may hold line breaks.
            digest.update(line);
            digest.update([0]);
        }
        digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Reads the schema of a database, in a transaction that may not write. Must not be called from asynchronous code.
///
/// # Errors
/// When the server cannot be asked, or not within the deadline: an ACCESS EXCLUSIVE lock on a table makes the
/// definitions of its views unreadable.
pub fn fingerprint(dsn: &Dsn, deadline: Duration) -> Result<Fingerprint, ConnectError> {
    within(dsn, deadline, async |patience| {
        let client = open(dsn, patience, &Session { application_name: "drizzle-pilot", options: "" }).await?;
        let read = read_only(&client, deadline).await;
        // Poolers hand the connection on: nothing of ours may stay behind.
        let _ = client.batch_execute("ROLLBACK").await;
        read.map_err(|error| explained(dsn, &error))
    })
}

/// Reads the schema over a connection that is there. Must not be called from asynchronous code.
///
/// # Errors
/// As [`fingerprint`].
pub fn through(connection: &Connection, deadline: Duration) -> Result<Fingerprint, ConnectError> {
    connection.look_at_once(deadline, "", read)
}

pub(in crate::db) async fn read_only(
    client: &Client,
    deadline: Duration,
) -> Result<Fingerprint, tokio_postgres::Error> {
    let limit = milliseconds(deadline.min(LONG_QUERY));
    client
        .batch_execute(&format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
             SET LOCAL lock_timeout = {limit}; SET LOCAL statement_timeout = {limit}"
        ))
        .await?;
    read(client).await
}

/// Reads the schema in a transaction that is open, and leaves its settings as they were.
pub(in crate::db) async fn read(client: &Client) -> Result<Fingerprint, tokio_postgres::Error> {
    // How the server writes names and constants depends on these. The rollback puts them back.
    const SETTINGS: &str = "SAVEPOINT fingerprint;
        SET LOCAL search_path = '';
        SET LOCAL quote_all_identifiers = off;
        SET LOCAL standard_conforming_strings = on;
        SET LOCAL timezone = 'UTC';
        SET LOCAL datestyle = 'ISO, YMD';
        SET LOCAL intervalstyle = 'postgres';
        SET LOCAL extra_float_digits = 1;
        SET LOCAL bytea_output = 'hex';
        SET LOCAL lc_monetary = 'C'";
    client.batch_execute(SETTINGS).await?;
    let identity = identify::identify_within(client).await?;
    let mut lines: Vec<String> = client.query_typed(LINES, &[]).await?.iter().map(|row| row.get(0)).collect();
    client.batch_execute("ROLLBACK TO SAVEPOINT fingerprint; RELEASE SAVEPOINT fingerprint").await?;
    lines.sort();
    Ok(Fingerprint { identity, lines })
}

/// One line for each fact. Runs on PostgreSQL 12 and later, under an empty `search_path`.
const LINES: &str = r#"
WITH member AS (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), ns AS (
    SELECT oid, nspname FROM pg_namespace n
     WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
       AND NOT EXISTS (SELECT FROM member WHERE classid = 'pg_namespace'::regclass AND objid = n.oid)
), rel AS (
    SELECT c.*, n.nspname, format('%I.%I', n.nspname, c.relname) AS name
      FROM pg_class c JOIN ns n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
       AND c.relname NOT LIKE '\_\_drizzle\_migrations%'
       AND NOT EXISTS (SELECT FROM member WHERE classid = 'pg_class'::regclass AND objid = c.oid)
), typ AS (
    SELECT t.*, format('%I.%I', n.nspname, t.typname) AS name
      FROM pg_type t JOIN ns n ON n.oid = t.typnamespace
     WHERE t.typtype IN ('e', 'd', 'r')
       AND NOT EXISTS (SELECT FROM member WHERE classid = 'pg_type'::regclass AND objid = t.oid)
), att AS (
    SELECT a.attrelid, rel.relkind, rel.name AS relation, quote_ident(a.attname) AS name, a.attnum,
           format_type(a.atttypid, a.atttypmod)
           || CASE WHEN a.attnotnull THEN ' notnull' ELSE '' END
           || CASE a.attidentity WHEN '' THEN '' ELSE ' identity=' || a.attidentity::text END
           || CASE a.attgenerated WHEN '' THEN '' ELSE ' generated=' || a.attgenerated::text END
           || coalesce(' default=' || pg_get_expr(d.adbin, d.adrelid), '')
           || coalesce((SELECT ' collate=' || format('%I.%I', cn.nspname, co.collname)
                          FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace
                         WHERE co.oid = a.attcollation AND a.attcollation <> t.typcollation), '') AS facts
      FROM rel
      JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped
      JOIN pg_type t ON t.oid = a.atttypid
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
), fact(kind, name, facts) AS (
    -- drizzle keeps its records in a schema of this name, which comes and goes with the first migration.
    SELECT 'schema', quote_ident(nspname), '' FROM ns WHERE nspname <> 'drizzle'
    UNION ALL
    SELECT 'extension', quote_ident(e.extname), format('version=%s schema=%I', e.extversion, n.nspname)
      FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE n.nspname <> 'pg_catalog'
    UNION ALL
    SELECT 'table', name,
           concat('kind=', relkind, ' persist=', relpersistence, ' rls=', relrowsecurity, '/', relforcerowsecurity,
                  ' opts=' || reloptions::text,
                  ' bound=' || pg_get_expr(relpartbound, oid),
                  ' partkey=' || CASE relkind WHEN 'p' THEN pg_get_partkeydef(oid) END,
                  ' inherits=' || (SELECT string_agg(format('%I.%I', pn.nspname, p.relname), ',' ORDER BY i.inhseqno)
                                     FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
                                     JOIN pg_namespace pn ON pn.oid = p.relnamespace WHERE i.inhrelid = rel.oid))
      FROM rel WHERE relkind NOT IN ('S', 'c')
    UNION ALL
    SELECT 'column', relation || '.' || name, facts FROM att WHERE relkind IN ('r', 'p', 'f')
    UNION ALL
    SELECT 'constraint', rel.name || '.' || quote_ident(k.conname), pg_get_constraintdef(k.oid)
      FROM rel JOIN pg_constraint k ON k.conrelid = rel.oid WHERE k.contype <> 't'
    UNION ALL
    SELECT 'index', format('%I.%I', rel.nspname, c.relname),
           pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' END
      FROM rel JOIN pg_index i ON i.indrelid = rel.oid JOIN pg_class c ON c.oid = i.indexrelid
    UNION ALL
    SELECT 'trigger', rel.name || '.' || quote_ident(t.tgname),
           pg_get_triggerdef(t.oid) || ' enabled=' || t.tgenabled::text
      FROM rel JOIN pg_trigger t ON t.tgrelid = rel.oid AND NOT t.tgisinternal
    UNION ALL
    SELECT 'policy', rel.name || '.' || quote_ident(p.polname),
           concat('cmd=', p.polcmd, ' permissive=', p.polpermissive,
                  ' roles=' || (SELECT string_agg(role.name, ',' ORDER BY role.name COLLATE "C")
                                  FROM unnest(p.polroles) r,
                                       LATERAL (SELECT CASE r WHEN 0 THEN 'public'
                                                       ELSE pg_get_userbyid(r)::text END) AS role(name)),
                  ' using=' || pg_get_expr(p.polqual, p.polrelid),
                  ' check=' || pg_get_expr(p.polwithcheck, p.polrelid))
      FROM rel JOIN pg_policy p ON p.polrelid = rel.oid
    UNION ALL
    SELECT 'rule', rel.name || '.' || quote_ident(r.rulename), pg_get_ruledef(r.oid)
      FROM rel JOIN pg_rewrite r ON r.ev_class = rel.oid WHERE r.rulename <> '_RETURN'
    UNION ALL
    SELECT 'view', name, pg_get_viewdef(oid) FROM rel WHERE relkind IN ('v', 'm')
    UNION ALL
    SELECT 'sequence', rel.name,
           concat_ws(' ', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
                     s.seqcycle)
      FROM rel JOIN pg_sequence s ON s.seqrelid = rel.oid
    UNION ALL
    SELECT 'statistics', format('%I.%I', ns.nspname, s.stxname), pg_get_statisticsobjdef(s.oid)
      FROM pg_statistic_ext s JOIN ns ON ns.oid = s.stxnamespace
    UNION ALL
    SELECT 'enum', name, (SELECT string_agg(quote_literal(enumlabel), ',' ORDER BY enumsortorder)
                            FROM pg_enum WHERE enumtypid = typ.oid)
      FROM typ WHERE typtype = 'e'
    UNION ALL
    SELECT 'domain', name,
           concat(format_type(typbasetype, typtypmod), CASE WHEN typnotnull THEN ' notnull' END,
                  -- The text in typdefault is as it was written, under the search_path of that moment.
                  ' default=' || pg_get_expr(typdefaultbin, 0),
                  (SELECT string_agg(' ' || pg_get_constraintdef(k.oid), '' ORDER BY k.conname)
                     FROM pg_constraint k WHERE k.contypid = typ.oid))
      FROM typ WHERE typtype = 'd'
    UNION ALL
    SELECT 'type', name, 'range of ' || format_type(r.rngsubtype, NULL)
      FROM typ JOIN pg_range r ON r.rngtypid = typ.oid
    UNION ALL
    SELECT 'type', rel.name, (SELECT string_agg(att.name || ' ' || att.facts, ', ' ORDER BY att.attnum)
                                FROM att WHERE att.attrelid = rel.oid)
      FROM rel WHERE relkind = 'c'
    UNION ALL
    SELECT 'function', format('%I.%I(%s)', ns.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
           CASE p.prokind WHEN 'a' THEN 'aggregate'
           -- A body may be long, and nobody's business; into its own encoding every text can be converted.
           ELSE encode(sha256(convert_to(pg_get_functiondef(p.oid), getdatabaseencoding())), 'hex') END
      FROM pg_proc p JOIN ns ON ns.oid = p.pronamespace
     WHERE NOT EXISTS (SELECT FROM member WHERE classid = 'pg_proc'::regclass AND objid = p.oid)
)
SELECT concat(kind, '|', name, '|', facts) FROM fact"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_tells_where_a_line_ends() {
        let identity = Identity { system_identifier: None, database: "shop".to_owned(), oid: 1 };
        let digest = |lines: &[&str]| {
            let lines = lines.iter().map(|line| (*line).to_owned()).collect();
            Fingerprint { identity: identity.clone(), lines }.digest()
        };
        assert_eq!(digest(&[]), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_ne!(digest(&["a", "b"]), digest(&["ab"]));
        assert_ne!(digest(&["a", "b"]), digest(&["a\nb"]));
    }
}
