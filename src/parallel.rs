//! Work that is done on all cores at once, and whose results come in their order all the same.

use std::num::NonZero;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, Builder};

/// How many results a worker is ahead at most: what is ready and not taken yet needs memory.
const AHEAD: usize = 16;

/// The stack of the main thread as Linux gives it: what recurses there must not fill a smaller one here.
const STACK_SIZE: usize = 8 << 20;

/// Makes something of each item on all cores, and hands it over in the order of the items.
///
/// The threads end before it returns.
pub(crate) fn in_order<'t, T: Sync, R: Send>(
    items: &'t [T],
    make: impl Fn(&'t T) -> R + Sync,
    mut take: impl FnMut(&'t T, R),
) {
    let n_cores = thread::available_parallelism().map_or(1, NonZero::get);
    let n_workers = n_cores.min(items.len());
    thread::scope(|scope| {
        let make = &make;
        let start = |worker_idx: usize| {
            let (sender, receiver) = sync_channel(AHEAD);
            let work = move || {
                let mut own = items.iter().skip(worker_idx).step_by(n_workers);
                // Nobody takes any more where taking panicked.
                own.all(|item| sender.send(make(item)).is_ok());
            };
            Builder::new().stack_size(STACK_SIZE).spawn_scoped(scope, work).map(|_| receiver)
        };
        let workers = match n_workers {
            0 | 1 => Vec::new(),
            _ => (0..n_workers).map(start).collect::<Result<Vec<Receiver<R>>, _>>().unwrap_or_default(),
        };
        for (idx, item) in items.iter().enumerate() {
            match workers.get(idx % n_workers) {
                Some(worker) => {
                    // A worker that panicked ends the scope with its panic.
                    let Ok(made) = worker.recv() else { break };
                    take(item, made);
                }
                // There is one core, or the system allows us no more threads.
                None => take(item, make(item)),
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for n_items in [0, 1, 2, 3, 1000] {
            let items: Vec<usize> = (0..n_items).collect();
            let mut taken = Vec::new();
            in_order(&items, |item| item * 2, |item, double| taken.push((*item, double)));
            assert_eq!(taken, items.iter().map(|item| (*item, item * 2)).collect::<Vec<_>>());
        }
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_of_a_worker_is_one_of_the_caller() {
        let items: Vec<usize> = (0..1000).collect();
        in_order(&items, |item| assert_ne!(*item, 500), |_, ()| {});
        // Where there is one core, the caller itself panicked above with the words of the assertion.
    }
}
