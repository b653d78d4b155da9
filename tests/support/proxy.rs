//! A network that fails at the worst moment: when COMMIT passes through it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
pub(crate) fn proxy(mut url: Url, at_commit: AtCommit) -> Url {
    let server = format!("127.0.0.1:{}", url.port().expect("the laboratory's URLs have a port"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("the listener is bound").port();
    url.set_port(Some(port)).expect("the URL has a host");
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(&server).expect("the laboratory answers");
            carry(client, server, at_commit);
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
