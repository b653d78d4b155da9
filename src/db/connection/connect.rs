//! Opens our own connection to PostgreSQL: name look-up, TCP, TLS and login, all by one deadline.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::config::{ChannelBinding, SslMode};
use tokio_postgres::tls::{MakeTlsConnect, NoTls, TlsConnect};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::db::connection::address::Host;
use crate::db::connection::conversation::Patience;
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::{ConnectError, TlsFault, at, explained, unreachable};
use crate::db::connection::pgpass::find_in_pgpass;
use crate::db::connection::tls::{self, Unprepared};
use crate::db::connection::trust::Tls;
use crate::db::limits::LOGIN;
use crate::files;

/// Makes a server look every 500 ms whether the client of a running statement is gone (PostgreSQL 14 and later).
///
/// Without it, a killed drizzle-kit's statement runs to its end and commits.
pub const CLIENT_CHECK: &str = "-c client_connection_check_interval=500";

/// Makes us notice within 35 s that a server has vanished without a word, and keeps an idle firewall's door open.
///
/// Our transactions ask the server for the same (`transaction::begin`).
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(20)).with_interval(Duration::from_secs(5)).with_retries(3);

/// Makes a server refuse every write of a session (SQLSTATE 25006).
pub const READ_ONLY: &str = "-c default_transaction_read_only=on";

/// What our session calls itself and sets.
#[derive(Debug, Clone, Copy)]
pub struct Session<'a> {
    /// Shown in `pg_stat_activity`; the server cuts it after 63 bytes.
    pub application_name: &'a str,
    /// Start-up options (`-c name=value`), sent after those of the [`Dsn`]. May be empty.
    pub options: &'a str,
}

/// Connects, by a deadline that is running already and covers name look-up, TCP, TLS and login. The connection is driven by
/// a task of the current runtime, and ends when the client is dropped.
pub(in crate::db) async fn open(dsn: &Dsn, patience: Patience, session: &Session<'_>) -> Result<Client, ConnectError> {
    open_watched(dsn, patience, session).await.map(|(client, _)| client)
}

/// As [`open`]. The connection's descriptor comes along: what is readable there has not been read by the client.
pub(in crate::db) async fn open_watched(
    dsn: &Dsn,
    patience: Patience,
    session: &Session<'_>,
) -> Result<(Client, OwnedFd), ConnectError> {
    let login = Patience::from_now(LOGIN);
    let patience = if login.end < patience.end { login } else { patience };
    let config = config(dsn, session);
    let watch = |fd: BorrowedFd| fd.try_clone_to_owned().map_err(|error| unreachable(dsn, &error));
    match &dsn.address().host {
        Host::Tcp(_) => {
            let stream = dial(dsn, dsn.dialled(), patience).await?;
            let watched = watch(stream.as_fd())?;
            Ok((log_in(dsn, &config, stream, patience).await?, watched))
        }
        Host::Socket(dir) => {
            let stream = dial_socket(dsn, dir, patience).await?;
            let watched = watch(stream.as_fd())?;
            Ok((log_in(dsn, &config, stream, patience).await?, watched))
        }
    }
}

fn config(dsn: &Dsn, session: &Session<'_>) -> Config {
    let address = dsn.address();
    let mut config = Config::new();
    config.user(&address.user).dbname(&address.database).application_name(session.application_name);
    config.ssl_mode(match dsn.tls() {
        Tls::Off => SslMode::Disable,
        Tls::Required(_) => SslMode::Require,
        Tls::Preferred(_) => SslMode::Prefer,
    });
    if dsn.binds_channel() {
        config.channel_binding(ChannelBinding::Require);
    }
    let options: Vec<_> =
        dsn.options().into_iter().chain(Some(session.options)).filter(|text| !text.is_empty()).collect();
    if !options.is_empty() {
        config.options(options.join(" "));
    }
    if let Some(password) = dsn.password().cloned().or_else(|| password_from_file(dsn)) {
        config.password(password.expose_secret());
    }
    config
}

/// Looks the password up as pgpass 1.0.5 does, which leaves a file alone that others may read.
fn password_from_file(dsn: &Dsn) -> Option<SecretString> {
    let file = dsn.password_file()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || metadata.permissions().mode() & 0o077 != 0 {
            return None;
        }
    }
    find_in_pgpass(&files::text(file, files::SETTINGS).ok()?, dsn)
}

/// Opens a TCP connection to one of the host's addresses.
///
/// `localhost` has two addresses, and often only one of them has a server. Each gets its share of the time, so that a
/// black hole at the first does not hide the second.
async fn dial(dsn: &Dsn, name: &str, patience: Patience) -> Result<TcpStream, ConnectError> {
    let timed_out = || ConnectError::TimedOut { at: at(dsn), within: patience.within };
    let unknown = |reason: String| ConnectError::UnknownHost { at: at(dsn), reason };

    let found = timeout_at(patience.end, tokio::net::lookup_host((name, dsn.address().port))).await;
    let addresses: Vec<_> = found.map_err(|_| timed_out())?.map_err(|error| unknown(resolver_words(&error)))?.collect();

    let mut error = unknown("it has no address".to_owned());
    for (idx, address) in addresses.iter().enumerate() {
        let n_left = u32::try_from(addresses.len() - idx).expect("a host has few addresses");
        let share = patience.end.saturating_duration_since(Instant::now()) / n_left;
        let next = match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true).map_err(|error| unreachable(dsn, &error))?;
                SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE).map_err(|error| unreachable(dsn, &error))?;
                return Ok(stream);
            }
            Ok(Err(cause)) if cause.kind() == io::ErrorKind::ConnectionRefused => ConnectError::Refused { at: at(dsn) },
            Ok(Err(cause)) if cause.kind() == io::ErrorKind::TimedOut => timed_out(),
            Ok(Err(cause)) => unreachable(dsn, &cause),
            Err(_) => timed_out(),
        };
        // "Refused" says more than "no route" from the address of the other kind.
        if !matches!(error, ConnectError::Refused { .. }) {
            error = next;
        }
    }
    Err(error)
}

#[cfg(unix)]
async fn dial_socket(dsn: &Dsn, dir: &Path, patience: Patience) -> Result<tokio::net::UnixStream, ConnectError> {
    let path = dir.join(format!(".s.PGSQL.{}", dsn.address().port));
    match timeout_at(patience.end, tokio::net::UnixStream::connect(path)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Err(ConnectError::Refused { at: at(dsn) })
        }
        Ok(Err(error)) => Err(unreachable(dsn, &error)),
        Err(_) => Err(ConnectError::TimedOut { at: at(dsn), within: patience.within }),
    }
}

#[cfg(not(unix))]
async fn dial_socket(dsn: &Dsn, _: &Path, _: Patience) -> Result<TcpStream, ConnectError> {
    Err(unreachable(dsn, &io::Error::new(io::ErrorKind::Unsupported, "unix sockets are not supported here")))
}

/// Goes through TLS and login on a connection that stands.
async fn log_in<S>(dsn: &Dsn, config: &Config, stream: S, patience: Patience) -> Result<Client, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match dsn.tls() {
        Tls::Off => shake_hands(dsn, config, stream, NoTls, patience).await,
        Tls::Required(trust) | Tls::Preferred(trust) => {
            let settings = tls::client_config(dsn.address(), trust)
                .map_err(|Unprepared(reason)| ConnectError::Tls { at: at(dsn), fault: TlsFault::File(reason) })?;
            let name = tls::handshake_name(dsn.address(), trust);
            let Ok(tls) = MakeTlsConnect::<S>::make_tls_connect(&mut MakeRustlsConnect::new(settings), &name);
            shake_hands(dsn, config, stream, tls, patience).await
        }
    }
}

async fn shake_hands<S, T>(
    dsn: &Dsn,
    config: &Config,
    stream: S,
    tls: T,
    patience: Patience,
) -> Result<Client, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: TlsConnect<S>,
    T::Stream: Send + 'static,
{
    match timeout_at(patience.end, config.connect_raw(stream, tls)).await {
        Ok(Ok((client, connection))) => {
            // Whatever ends the connection also ends the client's next request with an error.
            tokio::spawn(async move { connection.await.unwrap_or_default() });
            Ok(client)
        }
        Ok(Err(error)) => Err(explained(dsn, &error)),
        Err(_) => Err(ConnectError::Mute { at: at(dsn), within: patience.within }),
    }
}

/// Returns getaddrinfo's own words, without std's "failed to lookup address information: ".
fn resolver_words(error: &io::Error) -> String {
    let words = error.to_string();
    words.rsplit(": ").next().unwrap_or(&words).to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_connection_notices_a_server_that_vanished() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("the listener is bound").port();
        let dsn = Dsn::from_url(&format!("postgres://app@127.0.0.1:{port}/shop"), &|_| None).expect("a good URL");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        let stream =
            runtime.block_on(dial(&dsn, "127.0.0.1", Patience::from_now(Duration::from_secs(10)))).expect("it listens");
        let socket = SockRef::from(&stream);
        let found = (socket.keepalive(), socket.tcp_keepalive_time(), socket.tcp_keepalive_retries());
        let (on, idle, retries) = (found.0.ok(), found.1.ok(), found.2.ok());
        assert_eq!((on, idle, retries), (Some(true), Some(Duration::from_secs(20)), Some(3)));
    }
}
