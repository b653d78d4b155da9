//! Talks to a server to an end: that of the conversation, of the deadline, or a signal that ends us.
//!
//! Every function here ends by its deadline, whatever the network or the server does.

use std::io;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, timeout_at};

use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::{ConnectError, at, unreachable};

/// A deadline, and how long it was when it was set.
#[derive(Debug, Clone, Copy)]
pub(in crate::db) struct Patience {
    pub(in crate::db) end: Instant,
    pub(in crate::db) within: Duration,
}

impl Patience {
    pub(in crate::db) fn from_now(within: Duration) -> Patience {
        Patience { end: Instant::now() + within, within }
    }
}

/// Runs a conversation with the server on a runtime of its own, to its end, to the deadline or to a signal that ends us.
pub(in crate::db) fn within<T>(
    dsn: &Dsn,
    deadline: Duration,
    conversation: impl AsyncFnOnce(Patience) -> Result<T, ConnectError>,
) -> Result<T, ConnectError> {
    converse(dsn, || attended(dsn, deadline, conversation))?
}

/// Runs a conversation to its end, to the deadline or to a signal that ends us. Needs a runtime.
pub(in crate::db) async fn attended<T>(
    dsn: &Dsn,
    deadline: Duration,
    conversation: impl AsyncFnOnce(Patience) -> Result<T, ConnectError>,
) -> Result<T, ConnectError> {
    in_time(dsn, deadline, async |patience| {
        let mut signals = Signals::watch();
        tokio::select! {
            outcome = conversation(patience) => outcome,
            signal = signals.next() => Err(ConnectError::Interrupted { at: at(dsn), signal }),
        }
    })
    .await
}

/// The signals that ask us to end. Needs a runtime.
pub(in crate::db) struct Signals([(SignalKind, io::Result<Signal>); 3]);

impl Signals {
    pub(in crate::db) fn watch() -> Signals {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        Signals(kinds.map(|kind| (kind, signal(kind))))
    }

    /// Waits for a signal, and returns its number.
    pub(in crate::db) async fn next(&mut self) -> i32 {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            signal = arrival(interrupt) => signal,
            signal = arrival(terminate) => signal,
            signal = arrival(hangup) => signal,
        }
    }
}

/// Waits for a signal; for ever where it cannot be watched.
async fn arrival((kind, watched): &mut (SignalKind, io::Result<Signal>)) -> i32 {
    let came = match watched {
        Ok(signal) => signal.recv().await.is_some(),
        Err(_) => false,
    };
    if !came {
        std::future::pending().await
    }
    kind.as_raw_value()
}

/// As [`within`], for what must be finished although we were asked to end.
pub(in crate::db) fn by_deadline<T>(
    dsn: &Dsn,
    deadline: Duration,
    conversation: impl AsyncFnOnce(Patience) -> Result<T, ConnectError>,
) -> Result<T, ConnectError> {
    converse(dsn, || in_time(dsn, deadline, conversation))?
}

async fn in_time<T>(
    dsn: &Dsn,
    deadline: Duration,
    conversation: impl AsyncFnOnce(Patience) -> Result<T, ConnectError>,
) -> Result<T, ConnectError> {
    let patience = Patience::from_now(deadline);
    let mute = || ConnectError::Mute { at: at(dsn), within: deadline };
    timeout_at(patience.end, conversation(patience)).await.unwrap_or_else(|_| Err(mute()))
}

/// Runs a conversation on a runtime of its own. Its end closes every connection, whatever the server is still doing.
pub(in crate::db) fn converse<T>(dsn: &Dsn, conversation: impl AsyncFnOnce() -> T) -> Result<T, ConnectError> {
    let runtime = runtime(dsn)?;
    let outcome = runtime.block_on(conversation());
    leave(runtime);
    Ok(outcome)
}

/// Makes a runtime for conversations with a server.
pub(in crate::db) fn runtime(dsn: &Dsn) -> Result<Runtime, ConnectError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| unreachable(dsn, &error))
}

/// Ends a runtime whose clients are dropped already.
pub(in crate::db) fn leave(runtime: Runtime) {
    // One turn for the task of a dropped client, which takes leave of the server.
    runtime.block_on(tokio::task::yield_now());
    // Dropping the runtime would wait for a name look-up that hangs in the resolver.
    runtime.shutdown_background();
}
