//! Sends one request after the other without waiting for answers, so that all of them take one journey.

use std::pin::Pin;

use futures_util::future::{MaybeDone, maybe_done};
use futures_util::poll;

/// A request that is on its way, or answered.
pub(in crate::db) struct Sent<F: Future>(Pin<Box<MaybeDone<F>>>);

impl<F: Future> Sent<F> {
    /// Sends a request. A request of tokio-postgres is on its way once it was polled, behind those before it.
    pub(in crate::db) async fn send(request: F) -> Sent<F> {
        let mut request = Box::pin(maybe_done(request));
        let _ = poll!(request.as_mut());
        Sent(request)
    }

    /// Waits for the answer.
    pub(in crate::db) async fn answer(mut self) -> F::Output {
        self.0.as_mut().await;
        self.0.as_mut().take_output().expect("nobody else takes the answer")
    }
}
