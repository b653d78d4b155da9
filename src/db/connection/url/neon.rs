//! Whether the drivers of Neon read a URL as node-pg does. Pure.
//!
//! The reference is @neondatabase/serverless 0.9 to 1.2, which @vercel/postgres stands on.

use url::Url;

use crate::db::connection::url::driver::Driver;
use crate::db::connection::url::error::DsnError;
use crate::db::connection::url::escape::is_reserved_escape;

/// Looks whether the drivers of Neon read a URL as node-pg does. They have a parser of their own: it decodes more, knows no
/// sockets, and takes fewer parameters for a part of the address.
pub(super) fn is_plain(text: &str, driver: Driver) -> Result<(), DsnError> {
    let unreadable = |what| DsnError::Unreadable { what, driver };
    let (_, rest) = text.split_once("://").ok_or(DsnError::NotAUrl)?;
    let authority = rest.split(['?', '/', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host.is_empty() || host.starts_with(':') {
        return Err(unreadable("cannot read a URL without a host"));
    }
    if authority.contains('\\') || host.contains(['%', ' ']) {
        return Err(unreadable("misreads a host with escapes"));
    }
    let url = Url::parse(text).map_err(DsnError::Invalid)?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(DsnError::NotAUrl);
    }
    if is_reserved_escape(url.path()) {
        return Err(unreadable("misreads an escape in the name of a database"));
    }
    let taken = |name: &str| matches!(name, "user" | "password" | "port");
    match url.query_pairs().find(|(name, value)| taken(name) && !value.is_empty()) {
        Some((name, _)) => Err(DsnError::Elsewhere { parameter: name.into_owned(), driver }),
        None => Ok(()),
    }
}
