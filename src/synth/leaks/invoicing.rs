//! What becomes known after the invoice, and what invoices do twice or take back.

use super::{Leak, Site, least_units};
use crate::month::Month;
use crate::synth::calendar::{Billing, Span, nth};
use crate::synth::dice::Dice;
use crate::synth::pair::{LateUsage, Pair, Restatement, Volume};
use rust_decimal::Decimal;

/// The last days of every month arrive with the next month's file, when the invoice is out, and nobody looks back.
pub(super) fn late_usage(site: &Site<'_>, dice: &mut Dice, pair: &mut Pair, leak: &mut Leak) {
    let last = site.last_with_later_files();
    let Volume::Flow(months) = &mut pair.volume else { return };
    for (month, usage) in months.range_mut(leak.first_month..=last.max(leak.first_month)) {
        let from = nth(*month, u32::try_from(dice.between(19, 25)).unwrap_or(19));
        pair.late_usage.insert(*month, LateUsage { from, is_billed: false });
        usage.billed = Some(usage.days.iter().filter(|(day, _)| *day < from).map(|(_, quantity)| *quantity).sum());
    }
    leak.note = format!("the last days of each month from {} to {last} arrived late and were never billed", leak.first_month);
}

/// The vendor finds more of a month after it was invoiced.
pub(super) fn correction(site: &Site<'_>, dice: &mut Dice, pair: &mut Pair, leak: &mut Leak) {
    leak.first_month = leak.first_month.min(site.last_with_later_files());
    if let Some(units) = restate(dice, pair, site.customer.billing, leak.first_month, false) {
        leak.note = format!("vendor corrected {} to {units} more units later, never billed", leak.first_month);
    }
}

/// Adds units to a month that its first report did not know; none where the month is not calm enough to tell.
pub(in crate::synth) fn restate(
    dice: &mut Dice,
    pair: &mut Pair,
    billing: Billing,
    month: Month,
    is_billed: bool,
) -> Option<Decimal> {
    let span = Span::month(month);
    let share = Decimal::new(dice.between(12, 28), 2);
    let price = pair.contract_price.at(span.from);
    let (units, day) = match &mut pair.volume {
        Volume::Level { delivered, contracted, billed } => {
            // Changes next to the month, or within a billing period that touches it, would blur what was corrected.
            let (from, until) =
                (billing.period_of(span.from).from.pred_opt()?, billing.period_of(span.last_day()).until.succ_opt()?);
            let is_calm = [&*delivered, &*contracted, &*billed].iter().all(|known| known.changes_between(from, until).is_empty());
            let seats = delivered.at(span.from);
            if !is_calm || seats.is_zero() {
                return None;
            }
            let units = (seats * share).ceil().max(least_units(price));
            delivered.during(span.from, span.until, seats + units);
            (units, span.from)
        }
        Volume::Flow(months) => {
            let usage = months.get_mut(&month)?;
            let units = (usage.delivered() * share).round_dp(3);
            let place = usize::try_from(dice.between(0, usage.days.len() as i64 - 1)).unwrap_or(0);
            let (day, quantity) = usage.days.get_mut(place)?;
            *quantity += units;
            if is_billed {
                usage.billed = usage.billed.map(|billed| billed + units);
            }
            (units, *day)
        }
    };
    pair.restated.insert(month, Restatement { units, day, is_billed });
    Some(units)
}

/// Two invoices carry one billing period, once or twice in the quarter.
pub(super) fn duplicate(site: &Site<'_>, dice: &mut Dice, pair: &mut Pair, leak: &mut Leak) {
    let months = if dice.chance(30) { 2 } else { 1 };
    for month in site.months_from(leak.first_month).take(months).filter(|month| *month <= site.quarter.last_month()) {
        let period = site.customer.billing.period_starting_in(month);
        let is_calm = match &pair.volume {
            Volume::Level { billed, .. } => {
                let before = period.from.pred_opt().unwrap_or(period.from);
                let steady =
                    [billed, &pair.billed_price].iter().all(|it| it.changes_between(period.from, period.until).is_empty());
                steady && !billed.at(before).is_zero()
            }
            Volume::Flow(_) => true,
        };
        if !is_calm {
            break;
        }
        pair.billed_twice.insert(month);
    }
    let twice: Vec<String> = pair.billed_twice.iter().map(ToString::to_string).collect();
    leak.note = format!("two invoices for {}", twice.join(" and "));
}

/// A goodwill credit nearly every month.
pub(super) fn habit(site: &Site<'_>, dice: &mut Dice, pair: &mut Pair, leak: &mut Leak) {
    for month in site.months_from(leak.first_month) {
        let pauses = (month.index() - leak.first_month.index()) % 5 == 3 && month < site.quarter.first_month();
        if !pauses {
            pair.given_back.insert(month, dice.pick([6, 8, 10, 12, 15]));
        }
    }
    leak.note = format!("a credit of 6 to 15 % nearly every month from {} on", leak.first_month);
}
