//! Counting what is alive, so that a limit holds over all guests of an engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::NnError;

/// How many of something are alive, and how many may be.
#[derive(Debug)]
pub(crate) struct Counter {
    what: &'static str,
    limit: usize,
    alive: AtomicUsize,
}

impl Counter {
    pub(crate) fn new(what: &'static str, limit: usize) -> Arc<Self> {
        Arc::new(Self { what, limit, alive: AtomicUsize::new(0) })
    }

    /// Takes one place, which the permit gives back when it is dropped.
    pub(crate) fn acquire(self: &Arc<Self>) -> Result<Permit, NnError> {
        // Relaxed: the counter guards no other memory, and a read-modify-write is atomic in any order.
        self.alive
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |alive| {
                (alive < self.limit).then_some(alive + 1)
            })
            .map_err(|alive| NnError::Limit {
                what: self.what,
                found: alive as u64 + 1,
                limit: self.limit as u64,
            })?;
        Ok(Permit(Arc::clone(self)))
    }

    pub(crate) fn alive(&self) -> usize {
        self.alive.load(Ordering::Relaxed)
    }
}

/// One place taken.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Counter>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_after_its_drop() {
        let counter = Counter::new("graphs", 2);
        let first = counter.acquire().unwrap();
        let _second = counter.acquire().unwrap();
        assert_eq!(counter.acquire().unwrap_err(), NnError::Limit { what: "graphs", found: 3, limit: 2 });
        drop(first);
        assert_eq!(counter.alive(), 1);
        counter.acquire().unwrap();
    }
}
