//! Asks a server which one it is, and for which database.

use tokio_postgres::Client;

use crate::db::inspect::identity::Identity;

pub(in crate::db) async fn identify(client: &Client) -> Result<Identity, tokio_postgres::Error> {
    let row = client.query_typed_one(DATABASE, &[]).await?;
    let system_identifier = match row.get(1) {
        true => Some(client.query_typed_one(SERVER, &[]).await?.get(0)),
        false => None,
    };
    Ok(Identity { system_identifier, database: row.get(0), oid: row.get(2) })
}

/// As [`identify`], in one journey, for which it takes a transaction: what the server refuses is rolled back in it.
pub(in crate::db) async fn identify_within(client: &Client) -> Result<Identity, tokio_postgres::Error> {
    let (_, row, server, over) = tokio::join!(
        biased;
        client.batch_execute("SAVEPOINT identity"),
        client.query_typed_one(DATABASE, &[]),
        client.query_typed_one(SERVER, &[]),
        client.batch_execute("ROLLBACK TO SAVEPOINT identity; RELEASE SAVEPOINT identity"),
    );
    let row = row?;
    over?;
    let system_identifier = match row.get(1) {
        true => Some(server?.get(0)),
        false => None,
    };
    Ok(Identity { system_identifier, database: row.get(0), oid: row.get(2) })
}

// A query that names a function is refused even where it would not call it; hence two.
const DATABASE: &str = "
    SELECT pg_catalog.current_database()::text,
           coalesce(pg_catalog.has_function_privilege(
               pg_catalog.to_regprocedure('pg_catalog.pg_control_system()'), 'EXECUTE'), false),
           (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())";
const SERVER: &str = "SELECT system_identifier::text FROM pg_catalog.pg_control_system()";
