//! Finds types that the server does not know, and values that do not become those of another type.

use std::collections::BTreeMap;

use tokio_postgres::Client;

use crate::db::inspect::column;
use crate::db::inspect::convertible::{self, Conversion, Convertible};
use crate::db::inspect::reach::wanted::{NewType, Retyped};

/// Finds which of these words are no type to the server.
pub(super) async fn unknown_types(
    client: &Client,
    types: &[String],
) -> Result<BTreeMap<String, String>, tokio_postgres::Error> {
    let mut unknown = BTreeMap::new();
    for words in types {
        if let Err(message) = column::read_type(client, words).await? {
            unknown.insert(words.clone(), message);
        }
    }
    Ok(unknown)
}

/// Finds what comes of the values of a column.
pub(super) async fn convertible(client: &Client, retyped: &Retyped) -> Result<Convertible, tokio_postgres::Error> {
    let Retyped { table, column, to, is_cast, has_rows } = retyped;
    client.batch_execute("SAVEPOINT converting").await?;
    let how = if *is_cast { Conversion::Cast } else { Conversion::Assignment };
    let outcome = match to {
        NewType::Words(words) => convertible::convertible(client, table, column, words, how, *has_rows).await,
        NewType::Enum { name, labels } => {
            convertible::fits_enum(client, table, column, (name, labels), how, *has_rows).await
        }
    };
    client.batch_execute("ROLLBACK TO SAVEPOINT converting; RELEASE SAVEPOINT converting").await?;
    match outcome {
        // Hidden by a policy, locked, or too slow.
        Err(error) if error.as_db_error().is_some() => Ok(Convertible::Unknown),
        outcome => outcome,
    }
}
