//! Users and devices: when each was provisioned, suspended, resumed and removed.

use crate::month::Month;
use crate::synth::calendar::nth;
use crate::synth::catalogue::Subject;
use crate::synth::customers::Customer;
use crate::synth::dice::{Dice, Topic};
use crate::synth::error::SynthError;
use crate::synth::landscape::{Article, Msp};
use crate::synth::output::{Output, Table};
use crate::synth::pair::{Pair, Volume};
use crate::synth::world::World;
use chrono::NaiveDate;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// Writes `lifecycle/subjects_*.csv`.
pub(crate) fn write(world: &World, msp: Msp, output: &mut Output) -> Result<(), SynthError> {
    let mut table = Table::new(&[
        "system",
        "customer_native_id",
        "subject_kind",
        "subject_id",
        "native_sku",
        "event",
        "event_at",
        "recorded_at",
    ]);
    for (index, pair) in world.pairs.iter().enumerate() {
        let Some(subject) = pair.service.subject.filter(|_| !world.customer_of(pair).is_unknown) else { continue };
        for event in history(world, index, pair) {
            table.rows.push(event.cells(msp, world.customer_of(pair), pair, subject));
        }
    }
    output.csv("lifecycle", &format!("lifecycle/subjects_{}.csv", world.exported_on()), &table)
}

/// Something that happened to one user or device.
struct Event {
    number: usize,
    name: &'static str,
    day: NaiveDate,
}

impl Event {
    fn cells(&self, msp: Msp, customer: &Customer, pair: &Pair, subject: Subject) -> Vec<String> {
        let letter = match subject {
            Subject::User => 'U',
            Subject::Device => 'D',
        };
        vec![
            msp.name().to_owned(),
            customer.company_id.to_string(),
            subject.as_str().to_owned(),
            format!("{}-{letter}{:04}", customer.identifier, self.number + 1),
            msp.psa_sku(Article::Service(pair.service)),
            self.name.to_owned(),
            format!("{}T00:00:00Z", self.day),
            format!("{}T18:30:00Z", self.day),
        ]
    }
}

/// Events that lead to the delivered count on every day.
fn history(world: &World, index: usize, pair: &Pair) -> Vec<Event> {
    let Volume::Level { delivered, .. } = &pair.volume else { return Vec::new() };
    let dice = &mut Dice::new(world.seed, Topic::Subjects, index);
    let (mut active, mut suspended) = (Vec::new(), Vec::new());
    let mut known = 0;
    let mut events = Vec::new();
    let idle_from: Vec<NaiveDate> = pair.idle.changes().collect();
    for day in delivered.changes() {
        let wanted = whole(delivered.at(day));
        while active.len() < wanted {
            let (number, name) = match suspended.pop() {
                Some(number) => (number, "resumed"),
                None => {
                    known += 1;
                    (known - 1, "provisioned")
                }
            };
            active.push(number);
            events.push(Event { number, name, day });
        }
        while active.len() > wanted {
            let place = usize::try_from(dice.between(0, active.len() as i64 - 1)).unwrap_or(0);
            let number = active.swap_remove(place);
            let by_chance = wanted > 0 && dice.chance(20);
            let suspends = if idle_from.contains(&day) { pair.idle_event == "suspended" } else { by_chance };
            if suspends {
                suspended.push(number);
            }
            events.push(Event { number, name: if suspends { "suspended" } else { "deprovisioned" }, day });
        }
    }
    let end = nth(Month::of(world.exported_on()), 1);
    events.retain(|event| event.day < end);
    events
}

fn whole(units: Decimal) -> usize {
    units.to_usize().unwrap_or(0)
}
