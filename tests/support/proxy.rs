//! A network that fails: when COMMIT passes through it, or at any byte. And a pooler that refuses.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use url::Url;

/// What happens to a COMMIT and its reply. Connections that send no COMMIT are left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtCommit {
    /// The connection breaks, and the server never sees it.
    CutBefore,
    /// The server sees it and answers; then the connection breaks.
    CutAfter,
    /// Nothing arrives any more, at either side.
    SwallowCommit,
    /// The server sees it, and nobody sees the reply.
    SwallowReply,
}

/// Opens a port in front of a server, and returns the URL that leads through it.
pub(crate) fn proxy(url: Url, at_commit: AtCommit) -> Url {
    before(url, move |client, server| carry(client, server, at_commit))
}

/// Opens a port in front of a server, and returns the URL that leads to it. Each client is taken with a connection to the
/// server.
fn before(mut url: Url, take: impl Fn(TcpStream, TcpStream) + Send + 'static) -> Url {
    let server = format!("127.0.0.1:{}", url.port().expect("the laboratory's URLs have a port"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("the listener is bound").port();
    url.set_port(Some(port)).expect("the URL has a host");
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            take(client, TcpStream::connect(&server).expect("the laboratory answers"));
        }
    });
    url
}

fn carry(client: TcpStream, server: TcpStream, at_commit: AtCommit) {
    let deaf = Arc::new(AtomicBool::new(false));
    let (mut from_client, mut to_client) = (client.try_clone().expect("descriptors are left"), client);
    let (mut from_server, mut to_server) = (server.try_clone().expect("descriptors are left"), server);

    let deaf_too = Arc::clone(&deaf);
    thread::spawn(move || {
        pump(&mut from_client, |bytes| {
            // The simple query is one small message, and arrives whole.
            if bytes.windows(7).any(|window| window == b"COMMIT\0") {
                deaf_too.store(true, Ordering::SeqCst);
                match at_commit {
                    AtCommit::CutBefore => return false,
                    AtCommit::SwallowCommit => return true,
                    AtCommit::CutAfter | AtCommit::SwallowReply => {}
                }
            }
            to_server.write_all(bytes).is_ok()
        });
        // A network that swallows everything does not tell the server of our end either.
        let swallows = matches!(at_commit, AtCommit::SwallowCommit | AtCommit::SwallowReply);
        if !(swallows && deaf_too.load(Ordering::SeqCst)) {
            // The reader of the other direction ends with it.
            to_server.shutdown(Shutdown::Both).unwrap_or_default();
        }
    });
    thread::spawn(move || {
        pump(&mut from_server, |bytes| match (deaf.load(Ordering::SeqCst), at_commit) {
            (false, _) => to_client.write_all(bytes).is_ok(),
            (true, AtCommit::CutBefore | AtCommit::CutAfter) => false,
            (true, AtCommit::SwallowCommit | AtCommit::SwallowReply) => true,
        });
        to_client.shutdown(Shutdown::Both).unwrap_or_default();
    });
}

/// Reads until the end, or until what is read is not wanted any more.
fn pump(from: &mut TcpStream, mut take: impl FnMut(&[u8]) -> bool) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(n_read @ 1..) = from.read(&mut bytes) {
        if !take(&bytes[..n_read]) {
            return;
        }
    }
}

/// A network that falls silent after it has carried so much from clients, for every connection that is open then. Those
/// that come later are carried as if nothing had been.
pub(crate) struct Silence {
    pub(crate) url: Url,
    n_carried: Arc<AtomicU64>,
    servers: Arc<Mutex<Vec<TcpStream>>>,
}

impl Silence {
    /// Opens a port in front of a server that falls silent after this many bytes.
    pub(crate) fn after(url: Url, n_bytes: u64) -> Self {
        let n_carried = Arc::new(AtomicU64::new(0));
        let servers = Arc::new(Mutex::new(Vec::new()));
        let (carried, known) = (Arc::clone(&n_carried), Arc::clone(&servers));
        let url = before(url, move |client, server| {
            known.lock().expect("nobody panics with it").push(server.try_clone().expect("descriptors are left"));
            // A connection that begins after the silence is spared.
            let limit = if carried.load(Ordering::SeqCst) < n_bytes { n_bytes } else { u64::MAX };
            carry_until(client, server, &carried, limit);
        });
        Self { url, n_carried, servers }
    }

    /// Tells the server that its clients are gone, as its keepalives find out in the end.
    pub(crate) fn end(self) {
        for server in self.servers.lock().expect("nobody panics with it").iter() {
            server.shutdown(Shutdown::Both).unwrap_or_default();
        }
    }

    /// Returns the number of bytes that came from clients.
    pub(crate) fn n_carried(&self) -> u64 {
        self.n_carried.load(Ordering::SeqCst)
    }
}

/// Opens a port in front of a server that takes clients as PgBouncer does: one that asks for `options` is refused.
pub(crate) fn pooler(url: Url) -> Url {
    /// The code of a request for TLS, in the place of the version of the protocol.
    const TLS: i32 = 80_877_103;
    before(url, |mut client, mut server| {
        thread::spawn(move || {
            let first = loop {
                let message = start(&mut client)?;
                if message[4..8] != TLS.to_be_bytes() {
                    break message;
                }
                client.write_all(b"N")?;
            };
            if first.windows(9).any(|window| window == b"\0options\0") {
                let fields = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: options\0\0";
                let length = i32::try_from(fields.len() + 4).expect("it is short").to_be_bytes();
                return client.write_all(&[&b"E"[..], &length, fields].concat());
            }
            server.write_all(&first)?;
            carry_until(client, server, &Arc::new(AtomicU64::new(0)), u64::MAX);
            Ok(())
        });
    })
}

/// Reads a message of a client that has not begun yet: its length, and what follows.
fn start(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut message = vec![0; 4];
    client.read_exact(&mut message)?;
    let length = i32::from_be_bytes(message[..].try_into().expect("it is four bytes"));
    message.resize(usize::try_from(length).unwrap_or(0).clamp(8, 1 << 16), 0);
    client.read_exact(&mut message[4..])?;
    Ok(message)
}

fn carry_until(client: TcpStream, server: TcpStream, n_carried: &Arc<AtomicU64>, limit: u64) {
    let (mut from_client, mut to_client) = (client.try_clone().expect("descriptors are left"), client);
    let (mut from_server, mut to_server) = (server.try_clone().expect("descriptors are left"), server);
    let (count, silent) = (Arc::clone(n_carried), Arc::clone(n_carried));
    thread::spawn(move || {
        pump(&mut from_client, |bytes| {
            let before = count.fetch_add(bytes.len() as u64, Ordering::SeqCst);
            // What is cut is cut in the middle, as a network does.
            let room = usize::try_from(limit.saturating_sub(before)).unwrap_or(usize::MAX).min(bytes.len());
            to_server.write_all(&bytes[..room]).is_ok()
        });
        if count.load(Ordering::SeqCst) < limit {
            to_server.shutdown(Shutdown::Both).unwrap_or_default();
        } else {
            // The server is not told of our end; it has to find out.
            std::mem::forget(to_server);
        }
    });
    thread::spawn(move || {
        pump(&mut from_server, |bytes| silent.load(Ordering::SeqCst) >= limit || to_client.write_all(bytes).is_ok());
        to_client.shutdown(Shutdown::Both).unwrap_or_default();
    });
}
