//! A network that fails, when COMMIT passes through it or at any byte, and a pooler that takes no start-up options.

use std::collections::VecDeque;
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

/// A network that counts connections, and round trips: an answer of the server after its client has said something.
pub(crate) struct Journeys {
    pub(crate) url: Url,
    n_connections: Arc<AtomicU64>,
    n_answers: Arc<AtomicU64>,
}

impl Journeys {
    /// Opens a port in front of a server.
    pub(crate) fn to(url: Url) -> Self {
        let (n_connections, n_answers) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (opened, counted) = (Arc::clone(&n_connections), Arc::clone(&n_answers));
        let url = before(url, move |client, server| {
            opened.fetch_add(1, Ordering::SeqCst);
            let (mut from_client, mut to_client) = (client.try_clone().expect("descriptors are left"), client);
            let (mut from_server, mut to_server) = (server.try_clone().expect("descriptors are left"), server);
            let (asked, counted) = (Arc::new(AtomicBool::new(false)), Arc::clone(&counted));
            let asks = Arc::clone(&asked);
            thread::spawn(move || {
                pump(&mut from_client, |bytes| {
                    asks.store(true, Ordering::SeqCst);
                    to_server.write_all(bytes).is_ok()
                });
                to_server.shutdown(Shutdown::Both).unwrap_or_default();
            });
            thread::spawn(move || {
                pump(&mut from_server, |bytes| {
                    counted.fetch_add(u64::from(asked.swap(false, Ordering::SeqCst)), Ordering::SeqCst);
                    to_client.write_all(bytes).is_ok()
                });
                to_client.shutdown(Shutdown::Both).unwrap_or_default();
            });
        });
        Self { url, n_connections, n_answers }
    }

    /// Returns how many connections there were so far.
    pub(crate) fn n_connections(&self) -> u64 {
        self.n_connections.load(Ordering::SeqCst)
    }

    /// Returns how many round trips there were so far, in all connections.
    pub(crate) fn n_round_trips(&self) -> u64 {
        self.n_answers.load(Ordering::SeqCst)
    }
}

/// A port in front of a server that ends every connection until it is opened: that of a container whose server starts.
pub(crate) struct Gate {
    pub(crate) url: Url,
    is_open: Arc<AtomicBool>,
}

impl Gate {
    pub(crate) fn before(url: Url) -> Self {
        let is_open = Arc::new(AtomicBool::new(false));
        let known = Arc::clone(&is_open);
        let url = before(url, move |client, server| {
            if known.load(Ordering::SeqCst) {
                carry_until(client, server, &Arc::default(), u64::MAX);
            }
        });
        Self { url, is_open }
    }

    pub(crate) fn open(&self) {
        self.is_open.store(true, Ordering::SeqCst);
    }
}

/// What a pooler does to start-up options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtOptions {
    /// Ends the connection, as PgBouncer does.
    Refuse,
    /// Leaves them out, as PgBouncer does with `ignore_startup_parameters = options`.
    Swallow,
}

/// Opens a port in front of a server as a pooler would, and returns the URL that leads through it.
pub(crate) fn pooler(url: Url, at_options: AtOptions) -> Url {
    before(url, move |client, server| pool(client, server, at_options))
}

/// Reads the message that begins a session, and carries the rest. The length comes first, then the version of the
/// protocol, then names and values.
fn pool(mut client: TcpStream, mut server: TcpStream, at_options: AtOptions) {
    const N_BEFORE: usize = 8;
    let mut length = [0; 4];
    if client.read_exact(&mut length).is_err() {
        return;
    }
    let mut rest = vec![0; u32::from_be_bytes(length) as usize - length.len()];
    client.read_exact(&mut rest).expect("a start-up message is whole");
    let (version, parameters) = rest.split_at(N_BEFORE - length.len());
    let parameters: Vec<&[u8]> = parameters.split(|byte| *byte == 0).collect();
    let is_options = |pair: &&[&[u8]]| pair[0] == b"options";
    if parameters.chunks_exact(2).any(|pair| is_options(&pair)) && at_options == AtOptions::Refuse {
        return refuse_options(&mut client);
    }
    let kept = parameters.chunks_exact(2).filter(|pair| !pair[0].is_empty() && !is_options(pair));
    let kept: Vec<u8> = kept.flatten().flat_map(|text| [*text, b"\0"].concat()).chain([0]).collect();
    let length = u32::try_from(N_BEFORE + kept.len()).expect("it is short").to_be_bytes();
    server.write_all(&[&length[..], version, &kept].concat()).expect("the laboratory answers");
    carry_until(client, server, &Arc::default(), u64::MAX);
}

/// Ends a connection as PgBouncer does where a start-up message has options.
fn refuse_options(client: &mut TcpStream) {
    const REFUSAL: &[u8] = b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0";
    let length = u32::try_from(REFUSAL.len() + 4).expect("it is short").to_be_bytes();
    client.write_all(&[b"E", &length[..], REFUSAL].concat()).unwrap_or_default();
}

/// Opens a port in front of a server as a pooler in transaction mode would, and returns the URL that leads to it. A client
/// logs in to the server itself; after that each of its transactions runs in the session that was free for longest, so
/// that nothing it leaves in one is there in the next.
pub(crate) fn transaction_pooler(url: Url) -> Url {
    let pool = Arc::new(Pool::default());
    before(url, move |client, server| {
        let pool = Arc::clone(&pool);
        thread::spawn(move || pool.serve(client, server));
    })
}

/// The sessions that no client's transaction is in, the one that was left last at the end.
#[derive(Default)]
struct Pool {
    idle: Mutex<VecDeque<TcpStream>>,
}

impl Pool {
    /// Serves a client until it leaves. Where one of the two fails, both are left: a pooler does not guess either.
    fn serve(&self, mut client: TcpStream, mut server: TcpStream) {
        // The start-up message has no type; the login may go back and forth.
        let Some(hello) = Self::untyped(&mut client) else { return };
        if hello.windows(9).any(|window| window == b"\0options\0") {
            return refuse_options(&mut client);
        }
        let mut logged_in = server.write_all(&hello).is_ok();
        loop {
            match Self::message(&mut server) {
                Some(message) if logged_in && client.write_all(&message).is_ok() => match message[0] {
                    b'Z' => break,
                    b'E' => return,
                    // A challenge, to which the client has to answer; 12 is the last word of SCRAM, 0 that all is well.
                    b'R' if !matches!(message[8], 0 | 12) => {
                        logged_in = Self::message(&mut client).is_some_and(|answer| server.write_all(&answer).is_ok());
                    }
                    _ => {}
                },
                _ => return,
            }
        }
        self.leave(server);
        let mut entered: Option<TcpStream> = None;
        while let Some(message) = Self::message(&mut client) {
            if message[0] == b'X' {
                break;
            }
            let mut server = entered.take().unwrap_or_else(|| self.enter());
            let mut is_idle = false;
            let asks = matches!(message[0], b'Q' | b'S');
            let mut carried = server.write_all(&message).is_ok();
            while asks && carried {
                let Some(answer) = Self::message(&mut server) else { return };
                carried = client.write_all(&answer).is_ok();
                if answer[0] == b'Z' {
                    is_idle = answer[5] == b'I';
                    break;
                }
            }
            if !carried {
                return;
            }
            match is_idle {
                true => self.leave(server),
                false => entered = Some(server),
            }
        }
    }

    fn enter(&self) -> TcpStream {
        let mut idle = self.idle.lock().expect("nobody panics with it");
        // Every client that is served has brought one, and takes one.
        idle.pop_front().expect("there is a session for each client")
    }

    fn leave(&self, server: TcpStream) {
        self.idle.lock().expect("nobody panics with it").push_back(server);
    }

    fn untyped(from: &mut TcpStream) -> Option<Vec<u8>> {
        let mut message = vec![0; 4];
        from.read_exact(&mut message).ok()?;
        let length = u32::from_be_bytes([message[0], message[1], message[2], message[3]]) as usize;
        message.resize(length.max(4), 0);
        from.read_exact(&mut message[4..]).ok()?;
        Some(message)
    }

    /// Reads one message: its type, its length without the type, the rest.
    fn message(from: &mut TcpStream) -> Option<Vec<u8>> {
        let mut kind = [0];
        from.read_exact(&mut kind).ok()?;
        Some([&kind[..], &Self::untyped(from)?].concat())
    }
}
