//! The invoice carries another quantity than was delivered or agreed, or none.

use super::{LEAST_MONEY, Leak, Site, percent};
use crate::synth::calendar::nth;
use crate::synth::dice::Dice;
use crate::synth::pair::{Forgotten, Pair, Volume};
use crate::synth::world::CHANGE_DAYS;
use rust_decimal::Decimal;

/// The invoice line is missing: for good, or for some months of the quarter.
pub(super) fn unbilled_delivery(site: &Site<'_>, dice: &mut Dice, pair: &mut Pair, leak: &mut Leak) {
    let only_months = dice.chance(50).then(|| dice.months(1, 2));
    if only_months.is_some() {
        leak.first_month = leak.first_month.max(site.quarter.first_month());
    }
    let from = leak.first_month;
    let until = only_months.map(|count| from.plus(count));
    let billing = site.customer.billing;
    match &mut pair.volume {
        Volume::Level { billed, .. } => {
            let first_day = billing.period_starting_in(from).from;
            match until {
                Some(until) => billed.during(first_day, billing.period_starting_in(until).from, Decimal::ZERO),
                None => billed.hold(first_day, Decimal::ZERO),
            }
        }
        Volume::Flow(months) => {
            for (_, usage) in months.iter_mut().filter(|(month, _)| **month >= from && until.is_none_or(|end| **month < end)) {
                usage.billed = None;
            }
        }
    }
    pair.forgotten = Some(Forgotten { from, until });
    leak.note = match until {
        Some(until) => format!("no invoice line for {from} to {}", until.plus(-1)),
        None => format!("no invoice line from {from} on"),
    };
}

/// The vendor delivers more seats; the PSA may know, the invoices do not.
pub(super) fn more_seats(dice: &mut Dice, pair: &mut Pair, leak: &mut Leak, in_psa: bool) {
    let day = nth(leak.first_month, dice.pick(CHANGE_DAYS));
    let Volume::Level { delivered, contracted, billed } = &mut pair.volume else { return };
    let percent = Decimal::new(dice.between(8, 22), 2);
    let price = pair.contract_price.at(day).max(Decimal::ONE);
    let least = (Decimal::new(LEAST_MONEY, 0) / price / Decimal::TWO).ceil();
    let seats = (delivered.at(day) * percent).ceil().max(least).max(Decimal::ONE);
    if in_psa {
        for known in [&mut *delivered, &mut *contracted, &mut *billed] {
            known.freeze(day);
        }
        contracted.raise(day, seats);
        leak.note = format!("{seats} more seats in PSA and delivery from {day} on, invoices unchanged");
    } else {
        leak.note = format!("{seats} more seats delivered from {day} on, unknown to PSA and invoices");
    }
    delivered.raise(day, seats);
}

/// Usage grows, and the quantity on the invoice stays what it was.
pub(super) fn usage_up(dice: &mut Dice, pair: &mut Pair, leak: &mut Leak) {
    let growth = Decimal::ONE + Decimal::new(dice.between(20, 40), 3);
    let Volume::Flow(months) = &mut pair.volume else { return };
    let Some(stuck) = months.get(&leak.first_month.plus(-1)).and_then(|usage| usage.billed) else { return };
    let mut factor = Decimal::ONE;
    for (_, usage) in months.range_mut(leak.first_month..) {
        factor = (factor * growth).round_dp(8);
        for (_, quantity) in &mut usage.days {
            *quantity = (*quantity * factor).round_dp(3);
        }
        usage.billed = Some(stuck);
    }
    leak.note = format!("usage grows {} % a month, invoices stay at {stuck}", percent(growth - Decimal::ONE));
}

/// Somebody types the quantity in: the same number every month, or a round one, while delivery goes up and down above it.
pub(super) fn typed_in(site: &Site<'_>, dice: &mut Dice, pair: &mut Pair, leak: &mut Leak) {
    let from = site.customer.billing.period_starting_in(leak.first_month).from;
    let months = site.months_from(leak.first_month);
    match &mut pair.volume {
        Volume::Level { delivered, contracted, billed } => {
            let typed = (delivered.at(from) / Decimal::from(5)).floor() * Decimal::from(5);
            for known in [contracted, billed] {
                known.hold(from, typed);
            }
            for month in months {
                let seats = (typed * Decimal::new(dice.between(108, 145), 2)).ceil();
                delivered.hold(month.first_day().max(from), seats);
            }
            leak.note = format!("{typed} typed into PSA and invoices from {from} on, delivery moves above it");
        }
        Volume::Flow(usage) => {
            let later = usage.range_mut(leak.first_month..);
            let mut least = Decimal::MAX;
            for (_, month) in later {
                let factor = Decimal::new(dice.between(95, 150), 2);
                for (_, quantity) in &mut month.days {
                    *quantity = (*quantity * factor).round_dp(3);
                }
                least = least.min(month.delivered());
            }
            let is_constant = dice.chance(70);
            // A fifth to a tenth of what the least month brings.
            let mut step = Decimal::ONE;
            while step * Decimal::TEN < least {
                step *= Decimal::TEN;
            }
            let step = if is_constant { step / Decimal::TEN } else { step / Decimal::TWO };
            let rounded = |quantity: Decimal| (quantity / step).floor() * step;
            for (_, month) in usage.range_mut(leak.first_month..) {
                month.billed = Some(rounded(if is_constant { least } else { month.delivered() }));
            }
            leak.note = if is_constant {
                format!("{} typed in every month from {} on, usage moves above it", rounded(least), leak.first_month)
            } else {
                format!("rounded down to full {step} from {} on", leak.first_month)
            };
        }
    }
}
