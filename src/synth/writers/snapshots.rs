//! When somebody saves what a PSA shows: everything on the first of each month, and what changed on the day it did.

use crate::synth::pair::Volume;
use crate::synth::world::World;
use chrono::NaiveDate;
use std::collections::{BTreeMap, BTreeSet};

/// The days of snapshots; with a set, only these customers' agreements were saved that day.
pub(crate) fn snapshot_days(world: &World) -> BTreeMap<NaiveDate, Option<BTreeSet<usize>>> {
    let mut days: BTreeMap<NaiveDate, Option<BTreeSet<usize>>> = BTreeMap::new();
    for pair in world.pairs.iter().filter(|pair| !pair.missing_in_psa) {
        let mut changes: Vec<NaiveDate> = pair.contract_price.changes().chain([pair.since]).collect();
        changes.extend(pair.contract_end().into_iter().chain(pair.renewed_on));
        if let Volume::Level { contracted, .. } = &pair.volume {
            changes.extend(contracted.changes());
        }
        for day in changes.into_iter().filter(|day| *day >= world.span().from && *day < world.span().until) {
            days.entry(day).or_insert_with(|| Some(BTreeSet::new())).get_or_insert_default().insert(pair.customer);
        }
    }
    for month in world.months().chain([world.last_month().plus(1)]) {
        days.insert(month.first_day(), None);
    }
    days
}
