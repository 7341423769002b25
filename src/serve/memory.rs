//! Memory of queries: a limit for each, and one for all of them together.
//!
//! A query's own pool makes its operators share fairly and spill; what they take is taken from the server's budget as well. Where that is
//! used up, the query that asks next fails, and those that hold memory go on.

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of a mebibyte.
const MEBIBYTE: usize = 1 << 20;

/// What all queries of a server hold together.
#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    used: AtomicUsize,
}

impl Budget {
    /// A budget of so many bytes.
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0) })
    }

    fn take(&self, bytes: usize) -> Result<()> {
        let within = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within) {
            Ok(_) => Ok(()),
            Err(_) => Err(DataFusionError::ResourcesExhausted(format!(
                "all queries of this server together may use {} MiB, which others use now: try again later",
                self.limit / MEBIBYTE
            ))),
        }
    }
}

/// The pool of one query.
#[derive(Debug)]
pub(super) struct QueryPool {
    own: FairSpillPool,
    server: Arc<Budget>,
}

impl QueryPool {
    /// A pool of so many bytes, within the server's.
    pub(super) fn new(bytes: usize, server: Arc<Budget>) -> Self {
        Self { own: FairSpillPool::new(bytes), server }
    }
}

impl fmt::Display for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.own.fmt(f)
    }
}

impl MemoryPool for QueryPool {
    fn name(&self) -> &str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.own.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.own.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.own.grow(reservation, additional);
        self.server.used.fetch_add(additional, Ordering::Relaxed);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.own.shrink(reservation, shrink);
        self.server.used.fetch_sub(shrink, Ordering::Relaxed);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.own.try_grow(reservation, additional)?;
        // The budget is asked second: a query that wants too much for itself is told so.
        self.server.take(additional).inspect_err(|_| self.own.shrink(reservation, additional))
    }

    fn reserved(&self) -> usize {
        self.own.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.own.memory_limit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_fails_at_its_own_limit_and_at_that_of_all() {
        let server = Budget::new(1000);
        let pools: [Arc<dyn MemoryPool>; 3] =
            [700, 700, 700].map(|bytes| Arc::new(QueryPool::new(bytes, Arc::clone(&server))) as _);
        let reserve = |pool: &Arc<dyn MemoryPool>| MemoryConsumer::new("sort").register(pool);
        let (first, second, third) = (reserve(&pools[0]), reserve(&pools[1]), reserve(&pools[2]));
        assert!(first.try_grow(701).is_err(), "its own limit");
        assert!(first.try_grow(600).is_ok());
        let told = second.try_grow(500).expect_err("600 of 1000 are taken").to_string();
        assert!(told.contains("all queries"), "{told}");
        assert!(second.try_grow(400).is_ok() && third.try_grow(1).is_err());
        drop(first);
        assert!(third.try_grow(600).is_ok(), "what a query held is free when it ends");
        drop((second, third));
        assert_eq!(server.used.load(Ordering::Relaxed), 0);
    }
}
