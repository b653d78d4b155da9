//! Finds out whether and how a database can be used, before anything is done there.
//!
//! drizzle-kit 0.31.10 and later print no reason at all where they cannot connect.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tokio_postgres::Client;

use crate::db::connection::client::Connection;
use crate::db::connection::connect::{Session, open};
use crate::db::connection::conversation::{Patience, within};
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::{ConnectError, at, explained};
use crate::db::connection::server::{QUESTION, Server};
use crate::db::limits::{ATTEMPT, PAUSE};

/// Finds out whether drizzle-kit will be able to connect, and to what. Whether the server [checks
/// clients](Server::checks_clients) is only seen where the session asks for [`CLIENT_CHECK`](crate::db::connection::connect::CLIENT_CHECK), and whether it is [read
/// only](Server::read_only) only before the connection holds a lock: its looks may not write.
pub fn preflight(connection: &Connection, deadline: Duration) -> Result<Server, ConnectError> {
    known(connection.dsn(), connection.look(deadline, ask_server)?)
}

/// Finds out whether the server would keep a session that begins with these options from writing: some poolers refuse
/// start-up options, and others swallow them. Must not be called from asynchronous code.
///
/// # Errors
/// When the server cannot be asked.
pub fn keeps_from_writing(dsn: &Dsn, run_id: &str, options: &str, deadline: Duration) -> Result<bool, ConnectError> {
    let application_name = format!("{run_id} preflight");
    within(dsn, deadline, async |patience| {
        match open(dsn, patience, &Session { application_name: &application_name, options }).await {
            Ok(client) => {
                let server = ask_server(&client).await.map_err(|error| explained(dsn, &error))?;
                Ok(known(dsn, server)?.read_only)
            }
            Err(ConnectError::OptionsRefused { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    })
}

/// Waits until the database can be used, and says each other reason why it cannot yet. Must not be called from
/// asynchronous code.
///
/// # Errors
/// With the last reason, when the time is over; at once, where waiting does not help: a wrong password, an unknown
/// database, a certificate.
pub fn await_server(
    dsn: &Dsn,
    run_id: &str,
    wait: Duration,
    told: &mut dyn FnMut(&str),
) -> Result<Server, ConnectError> {
    let application_name = format!("{run_id} wait");
    let session = Session { application_name: &application_name, options: "" };
    // The end of the last attempt says more than our own deadline would.
    within(dsn, wait + ATTEMPT, async |patience| {
        let end = patience.end - ATTEMPT;
        let mut last = String::new();
        loop {
            let attempt = Patience::from_now(ATTEMPT.min(end.saturating_duration_since(Instant::now())));
            let asked = async {
                let client = open(dsn, attempt, &session).await?;
                let server = ask_server(&client).await.map_err(|error| explained(dsn, &error))?;
                known(dsn, server)
            };
            let error = match timeout_at(attempt.end, asked).await {
                Ok(Ok(server)) => return Ok(server),
                Ok(Err(error)) => error,
                Err(_) => ConnectError::Mute { at: at(dsn), within: attempt.within },
            };
            if !error.may_pass() || Instant::now() + PAUSE >= end {
                return Err(error);
            }
            let reason = error.to_string();
            if reason != last {
                told(&reason);
                last = reason;
            }
            tokio::time::sleep(PAUSE).await;
        }
    })
}

/// Asks a server what it is; nothing where it answers otherwise than PostgreSQL does.
async fn ask_server(client: &Client) -> Result<Option<Server>, tokio_postgres::Error> {
    let row = client.query_typed_one(QUESTION, &[]).await?;
    let answers: Vec<Option<String>> = (0..row.len()).map(|idx| row.get(idx)).collect();
    Ok(Server::of(&answers))
}

fn known(dsn: &Dsn, server: Option<Server>) -> Result<Server, ConnectError> {
    server.ok_or_else(|| ConnectError::NotPostgres {
        at: at(dsn),
        reason: "the properties it reports cannot be read".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener};
    use std::thread;

    use super::*;
    use crate::db::connection::connect::CLIENT_CHECK;
    use crate::db::connection::error::TlsFault;

    const SHORT: Duration = Duration::from_millis(300);
    const LONG: Duration = Duration::from_secs(10);

    fn dsn(port: u16, parameters: &str) -> Dsn {
        let url = format!("postgres://app:s3cret@127.0.0.1:{port}/shop{parameters}");
        Dsn::from_url(&url, &|_| None).expect("a good URL")
    }

    /// Serves one answer to each connection's first message, in turn.
    fn serve(answers: Vec<Vec<u8>>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("the listener is bound").port();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().expect("the test connects");
                let n_read = stream.read(&mut [0; 1024]).expect("the test asks");
                assert!(n_read > 0);
                stream.write_all(&answer).expect("the test listens");
                stream.shutdown(Shutdown::Write).expect("the connection stands");
                // Read to the end: closing over unread bytes would reset the connection and drop the answer.
                stream.read_to_end(&mut Vec::new()).unwrap_or_default();
            }
        });
        port
    }

    /// An ErrorResponse (protocol documentation, "Message Formats").
    fn refusal(sqlstate: &str, message: &str) -> Vec<u8> {
        let fields = format!("SFATAL\0VFATAL\0C{sqlstate}\0M{message}\0\0");
        let len = u32::try_from(fields.len() + 4).expect("a message is short");
        [b"E", &len.to_be_bytes()[..], fields.as_bytes()].concat()
    }

    fn outcome(dsn: &Dsn, deadline: Duration) -> ConnectError {
        let connection = Connection::to(dsn, "test", CLIENT_CHECK).expect("the system has a runtime to give");
        preflight(&connection, deadline).expect_err("there is no PostgreSQL")
    }

    fn check_refusal(sqlstate: &str, message: &str, expected: &str) {
        let error = outcome(&dsn(serve(vec![refusal(sqlstate, message); 2]), ""), LONG);
        assert_eq!(error.sqlstate(), Some(sqlstate));
        let shown = error.to_string();
        let words = shown.split_once(' ').expect("the message starts with the server").1;
        assert_eq!(words, expected, "{error:?}");
        assert!(!format!("{error:?} {error} {}", error.hint()).contains("s3cret"));
    }

    #[test]
    fn a_port_without_a_listener_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("the listener is bound").port();
        drop(listener);
        let error = outcome(&dsn(port, ""), LONG);
        assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
        assert_eq!(error.to_string(), format!("127.0.0.1:{port} refused the connection"));
    }

    #[test]
    fn a_server_that_stays_mute_is_given_up_at_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("the listener is bound").port();
        for parameters in ["", "?sslmode=no-verify"] {
            let started = std::time::Instant::now();
            let error = outcome(&dsn(port, parameters), SHORT);
            assert!(matches!(error, ConnectError::Mute { .. }), "{error:?}");
            assert!(started.elapsed() < LONG, "{:?}", started.elapsed());
        }
    }

    #[test]
    fn a_server_that_hangs_up_is_told_from_one_that_is_not_postgresql() {
        let error = outcome(&dsn(serve(vec![Vec::new()]), ""), LONG);
        assert!(matches!(error, ConnectError::HungUp { .. }), "{error:?}");
        for answer in ["HTTP/1.1 400 Bad Request\r\n\r\n", "-ERR unknown command\r\n"] {
            let error = outcome(&dsn(serve(vec![answer.into()]), ""), LONG);
            assert!(matches!(error, ConnectError::NotPostgres { .. }), "{answer}: {error:?}");
        }
    }

    #[test]
    fn a_server_without_tls_is_told_so() {
        let error = outcome(&dsn(serve(vec![b"N".to_vec()]), "?sslmode=no-verify"), LONG);
        assert!(matches!(error, ConnectError::Tls { fault: TlsFault::NotOffered, .. }), "{error:?}");
    }

    #[test]
    fn refusals_of_the_server_are_told_apart() {
        check_refusal("28P01", "password authentication failed", "refused the password of user app");
        check_refusal("28000", "role is not permitted", "refused the login of user app (role is not permitted)");
        check_refusal("53300", "sorry, too many clients", "has no free connection (sorry, too many clients)");
        check_refusal("57P03", "the system is starting up", "is not ready (the system is starting up)");
        check_refusal(
            "08P01",
            "unsupported startup parameter: options",
            "refused the start-up options (unsupported startup parameter: options)",
        );
        check_refusal("58000", "odd", "as app: odd");
    }

    #[test]
    fn a_missing_database_is_named() {
        let error = outcome(&dsn(serve(vec![refusal("3D000", "database does not exist")]), ""), LONG);
        assert!(error.to_string().starts_with("database shop does not exist on 127.0.0.1:"), "{error}");
        assert_eq!(error.hint(), "correct the name, or create it: CREATE DATABASE \"shop\"");
    }

    #[test]
    fn refused_options_are_left_out_at_the_second_try() {
        for (sqlstate, message) in [
            ("08P01", "unsupported startup parameter: options"),
            ("08P01", "unsupported startup parameter in options: client_connection_check_interval"),
            ("0A000", "Feature not supported: RDS Proxy currently doesn't support command-line options."),
            ("42704", "unrecognized configuration parameter \"client_connection_check_interval\""),
            ("22023", "invalid value for parameter \"client_connection_check_interval\": 500"),
        ] {
            let port = serve(vec![refusal(sqlstate, message), refusal("57P03", "starting up")]);
            let error = outcome(&dsn(port, ""), LONG);
            assert!(matches!(error, ConnectError::StartingUp { .. }), "{message}: {error:?}");
        }
    }

    #[test]
    fn a_missing_unix_socket_is_unreachable() {
        let dsn = Dsn::from_url("socket:/nonexistent?db=d&user=u", &|_| None).expect("a good URL");
        let error = outcome(&dsn, LONG);
        assert_eq!(error.to_string(), "/nonexistent:5432 cannot be reached (no such file or directory)");
    }

    #[test]
    fn a_missing_certificate_file_is_named() {
        let error = outcome(&dsn(serve(vec![Vec::new()]), "?sslrootcert=/nonexistent.pem"), LONG);
        assert!(error.to_string().contains("reading /nonexistent.pem: "), "{error}");
    }
}
