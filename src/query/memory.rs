//! Who gets how much of limited memory while a query runs.
//!
//! A plan of many joins has a hundred sorts, of which a few hold rows at a time. An equal share for each is too little for those, and leaves
//! most of the memory unused; first come, first served leaves nothing for who comes last, whose sort then fails at its first batch. So:
//!
//! | what asks | may have |
//! | --- | --- |
//! | what can go to disk | its *floor* always: half of the memory by the number of such operators; beyond, what is left when every other one of them has its floor and [`HEADROOM`] stays free |
//! | what cannot | what is left |
//!
//! Who is refused goes to disk. Cost: a look at the reservations of all operators for each batch.

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, human_readable_size};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One part in so many stays free of what can go to disk, for what cannot.
const HEADROOM: usize = 4;

/// Memory with floors.
#[derive(Debug)]
pub(super) struct Floors {
    bytes: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// By what can go to disk, by the operator's number.
    spillable: HashMap<usize, usize>,
    /// By everything else.
    fixed: usize,
}

impl Held {
    fn total(&self) -> usize {
        self.fixed + self.spillable.values().sum::<usize>()
    }

    /// What counts against an operator's share: its own, or nothing where it has none.
    fn own(&self, consumer: &MemoryConsumer) -> usize {
        self.spillable.get(&consumer.id()).copied().unwrap_or(0)
    }

    fn of(&mut self, consumer: &MemoryConsumer) -> &mut usize {
        match consumer.can_spill() {
            true => self.spillable.entry(consumer.id()).or_insert(0),
            false => &mut self.fixed,
        }
    }
}

impl Floors {
    pub(super) fn new(bytes: usize) -> Self {
        Self { bytes, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an operator may hold at most, as things stand.
    fn most(&self, held: &Held, consumer: &MemoryConsumer) -> usize {
        let free = self.bytes.saturating_sub(held.total());
        if !consumer.can_spill() {
            return free;
        }
        let floor = self.bytes / 2 / held.spillable.len().max(1);
        let others = held.spillable.iter().filter(|(id, _)| **id != consumer.id()).map(|(_, held)| (*held).max(floor));
        let kept = others.sum::<usize>() + held.fixed.max(self.bytes / HEADROOM);
        self.bytes.saturating_sub(kept).max(floor).min(held.own(consumer) + free)
    }
}

impl fmt::Display for Floors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of memory", human_readable_size(self.bytes))
    }
}

impl MemoryPool for Floors {
    fn name(&self) -> &'static str {
        "floors"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            self.held().spillable.entry(consumer.id()).or_insert(0);
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            self.held().spillable.remove(&consumer.id());
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        *self.held().of(reservation.consumer()) += additional;
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        let mut held = self.held();
        let of = held.of(reservation.consumer());
        *of = of.saturating_sub(shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let (mut held, consumer) = (self.held(), reservation.consumer());
        let own = held.own(consumer);
        let most = self.most(&held, consumer);
        if own + additional > most {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "`{}` holds {} and asks for {} more; of {} it may hold {}",
                consumer.name(),
                human_readable_size(own),
                human_readable_size(additional),
                human_readable_size(self.bytes),
                human_readable_size(most),
            )));
        }
        *held.of(consumer) += additional;
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.held().total()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const MIB: usize = 1 << 20;

    fn pool() -> Arc<dyn MemoryPool> {
        Arc::new(Floors::new(64 * MIB))
    }

    fn sort(pool: &Arc<dyn MemoryPool>) -> MemoryReservation {
        MemoryConsumer::new("sort").with_can_spill(true).register(pool)
    }

    fn join(pool: &Arc<dyn MemoryPool>) -> MemoryReservation {
        MemoryConsumer::new("join").register(pool)
    }

    #[test]
    fn one_of_many_sorts_may_use_what_the_others_leave() {
        let pool = pool();
        let sorts: Vec<MemoryReservation> = (0..8).map(|_| sort(&pool)).collect();
        // Seven floors of 4 MiB and a quarter stay free.
        sorts[0].try_grow(20 * MIB).expect("room");
        assert!(sorts[0].try_grow(MIB).is_err());
        sorts[1..].iter().for_each(|sort| sort.try_grow(4 * MIB).expect("a floor"));
        assert!(sorts[1].try_grow(1).is_err());
        // What is given back is there for all.
        sorts[0].free();
        sorts[1].try_grow(16 * MIB).expect("room");
    }

    #[test]
    fn what_cannot_go_to_disk_has_its_part_and_all_that_is_left() {
        let pool = pool();
        let (sort, join) = (sort(&pool), join(&pool));
        sort.try_grow(48 * MIB).expect("room");
        assert!(sort.try_grow(1).is_err());
        join.try_grow(16 * MIB).expect("the part that stays free");
        assert!(join.try_grow(1).is_err());
        sort.free();
        join.try_grow(48 * MIB).expect("what is left");
        assert_eq!(pool.reserved(), 64 * MIB);
        // Nothing is left, not even for a floor.
        let refused = sort.try_grow(1).expect_err("nothing is left").strip_backtrace();
        assert_eq!(refused, "Resources exhausted: `sort` holds 0.0 B and asks for 1.0 B more; of 64.0 MB it may hold 0.0 B");
        drop(join);
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn parts_of_one_sort_count_together() {
        let pool = pool();
        let (mut sort, _other) = (sort(&pool), sort(&pool));
        sort.try_grow(30 * MIB).expect("room");
        let merge = sort.split(20 * MIB);
        assert!(sort.try_grow(3 * MIB).is_err());
        drop(merge);
        sort.try_grow(20 * MIB).expect("room");
        drop(sort.take());
        assert_eq!(pool.reserved(), 0);
    }
}
