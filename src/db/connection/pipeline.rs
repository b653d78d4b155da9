//! Sends one request after the other without waiting for answers, so that all of them take one journey.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// A request that is on its way, or answered.
pub(in crate::db) struct Sent<F: Future> {
    request: Pin<Box<F>>,
    answer: Option<F::Output>,
}

impl<F: Future> Sent<F> {
    /// Sends a request. A request of tokio-postgres is on its way once it was polled, behind those before it.
    pub(in crate::db) async fn send(request: F) -> Sent<F> {
        let mut request = Box::pin(request);
        let answer = poll_fn(|context| {
            Poll::Ready(match request.as_mut().poll(context) {
                Poll::Ready(answer) => Some(answer),
                Poll::Pending => None,
            })
        });
        let answer = answer.await;
        Sent { request, answer }
    }

    /// Waits for the answer.
    pub(in crate::db) async fn answer(self) -> F::Output {
        match self.answer {
            Some(answer) => answer,
            None => self.request.await,
        }
    }
}
