//! `reset` at servers that do not let it in, or should not be touched: each has its own message and code, and nothing
//! is executed.

use std::net::TcpListener;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use url::Url;

use crate::NEWEST;
use crate::support::{Database, OwnServer, Project};

const POLICY: &str = "[guard]\nhosts = ['127.0.0.1', 'localhost', '*.invalid']\n";

/// Resets what is behind a URL, and checks what is said about it.
#[track_caller]
fn check(project: &Project, url: &Url, code: i32, says: &[&str]) {
    let ran = project.pilot(&["reset", "--yes", "--url", url.as_str()]).run();
    let ran = ran.expect(code).database("unchanged").says(says);
    if let Some(password) = url.password().filter(|password| password.len() > 5) {
        ran.never_says(password);
    }
}

/// Returns a URL with something else in it.
fn with(url: &Url, change: impl FnOnce(&mut Url)) -> Url {
    let mut url = url.clone();
    change(&mut url);
    url
}

fn query(url: &Url, query: &str) -> Url {
    with(url, |url| url.set_query(Some(query)))
}

fn prepared(database: &Database) -> Project {
    let project = Project::fixture(NEWEST, "add_column", database);
    project.policy(POLICY);
    project
}

#[test]
fn a_server_that_cannot_be_reached_is_69_and_says_why() {
    let database = Database::create();
    let project = prepared(&database);
    let url = database.url();
    let check = |url: &Url, says: &[&str]| check(&project, url, 69, says);
    check(&with(&url, |url| url.set_password(Some("not this one")).expect("it has a host")), &["28P01", "password"]);
    check(&with(&url, |url| url.set_path("no_such_database")), &["3D000", "no_such_database"]);
    check(&with(&url, |url| url.set_host(Some("nowhere.invalid")).expect("it is a name")), &["nowhere.invalid"]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = listener.local_addr().expect("it listens").port();
    let mute = with(&url, |url| url.set_port(Some(port)).expect("it has a host"));
    check(&mute, &["accepted the connection and did not answer within 10s"]);
    drop(listener);
    check(&mute, &["refused the connection"]);

    let role = format!("{}_reader", database.value("SELECT current_database()"));
    database.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD 'reader of tests'"));
    database.sql(&format!("REVOKE CONNECT ON DATABASE {} FROM public", database.value("SELECT current_database()")));
    let reader = with(&url, |url| {
        url.set_username(&role).and_then(|()| url.set_password(Some("reader of tests"))).expect("it has a host");
    });
    check(&reader, &["42501", "permission denied for database"]);
    database.sql(&format!("ALTER ROLE {role} NOLOGIN"));
    check(&reader, &["28000", "not permitted to log in"]);
    database.sql(&format!("DROP ROLE {role}"));
}

#[test]
fn a_server_that_is_full_says_so() {
    let server =
        OwnServer::start("15", &[("postgresql.conf", "max_connections = 4\nsuperuser_reserved_connections = 0\n")]);
    let database = Database::create_at(server.url());
    let project = prepared(&database);
    let held: Vec<_> = (0..3).map(|_| database.hold("SELECT 1")).collect();
    check(&project, &database.url(), 69, &["53300", "too many clients"]);
    drop(held);
}

#[test]
fn a_standby_and_a_read_only_database_are_guarded() {
    let server = OwnServer::start("15", &[]);
    let database = Database::create_at(server.url());
    let project = prepared(&database);
    let name = database.value("SELECT current_database()");
    database.sql(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    check(&project, &database.url(), 77, &["read only", &name]);
    database.sql(&format!(
        "SET default_transaction_read_only = off; ALTER DATABASE {name} RESET default_transaction_read_only"
    ));
    let url = database.url();
    server.halt("fast");
    server.resume(&[("standby.signal", "")]);
    check(&project, &url, 77, &["standby", "primary"]);
    server.halt("fast");
    std::mem::forget(database); // with the server, which does not take it down any more
}

/// A certificate authority and servers' certificates, made for this test.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are right names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("ring makes keys");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("the parameters are right") }
    }

    /// Makes a certificate and its key for a name, valid up to a year.
    fn certificate(&self, name: &str, until: i32) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("the name is one");
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(until, 1, 1));
        let key = KeyPair::generate().expect("ring makes keys");
        let certificate = params.signed_by(&key, &self.issuer).expect("the parameters are right");
        (certificate.pem(), key.serialize_pem())
    }
}

#[test]
fn tls_is_never_weaker_than_what_was_asked_for() {
    let authority = Authority::new();
    let files = |name: &str, until: i32| {
        let (certificate, key) = authority.certificate(name, until);
        [("server.crt", certificate), ("server.key", key)]
    };
    let server = OwnServer::start("15", &[]);
    let present = |files: [(&str, String); 2], hba: &str| {
        server.halt("fast");
        let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
        server.resume(&[files[0], files[1], ("postgresql.conf", "ssl = on\n"), ("pg_hba.conf", hba)]);
    };
    let either = "host all all 127.0.0.1/32 scram-sha-256\n";

    let plain = server.url().clone();
    let database = Database::create_at(&plain);
    let project = prepared(&database);
    project.write("ca.pem", &authority.issuer.pem());
    project.write("other.pem", &Authority::new().issuer.pem());
    let url = with(&database.url(), |url| url.set_host(Some("localhost")).expect("it is a name"));
    let check = |with: &str, code: i32, says: &[&str]| check(&project, &query(&url, with), code, says);
    let empty = with(&url, |url| url.set_path("postgres"));
    let check_empty = |with: &str| super::logins::check(&project, &query(&empty, with), 0, &["nothing to drop"]);
    check("sslmode=require", 69, &["does not offer TLS", "sslmode=disable"]);
    check("sslmode=prefer", 69, &["does not offer TLS"]);
    check("channel_binding=require", 69, &["channel binding"]);
    check("sslmode=require&require_auth=scram-sha-256", 78, &["require_auth=scram-sha-256", "remove it"]);
    drop(database);

    // A server that restarts forgets the test's connections, so every database is made anew.
    present(files("elsewhere.test", 2090), either);
    for mode in ["verify-full", "verify-ca", "require", "prefer"] {
        // node-pg takes all of them for verify-full, and so does the look of our own.
        check(&format!("sslmode={mode}"), 69, &["not signed by a trusted authority", "sslrootcert"]);
        check(&format!("sslmode={mode}&sslrootcert=ca.pem"), 69, &["is for another name"]);
    }
    check("sslmode=verify-full&sslrootcert=other.pem", 69, &["not signed by a trusted authority"]);
    check("sslmode=verify-full&sslrootcert=nowhere.pem", 69, &["nowhere.pem"]);

    present(files("localhost", 2021), either);
    check("sslmode=verify-full&sslrootcert=ca.pem", 69, &["has expired", "clock"]);

    present(files("localhost", 2090), "hostssl all all 127.0.0.1/32 scram-sha-256\n");
    check("sslmode=disable", 69, &["28000", "the server requires TLS"]);
    check_empty("sslmode=verify-full&sslrootcert=ca.pem");
    check_empty("sslmode=verify-full&sslrootcert=ca.pem&channel_binding=require");
    check_empty("sslmode=no-verify&schema=public&pgbouncer=true&connection_limit=1");
    check_empty("sslmode=verify-ca&sslrootcert=ca.pem&uselibpqcompat=true");
}
