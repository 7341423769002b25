//! The invoice carries another price than was agreed.

use super::{Leak, Site, percent};
use crate::month::Month;
use crate::synth::agreement::{Bands, Escalator, Terms};
use crate::synth::calendar::Billing;
use crate::synth::dice::Dice;
use crate::synth::pair::{Pair, Volume};
use crate::synth::timeline::Timeline;
use rust_decimal::Decimal;

/// The price on the invoice slides below the agreed one, with steady seats.
pub(super) fn slide(site: &Site<'_>, dice: &mut Dice, pair: &mut Pair, leak: &mut Leak) {
    let shrink = Decimal::ONE - Decimal::new(dice.between(8, 16), 3);
    let start = site.customer.billing.period_starting_in(leak.first_month).from;
    if let Volume::Level { delivered, contracted, billed } = &mut pair.volume {
        for known in [delivered, contracted, billed] {
            known.freeze(start);
        }
    }
    let mut factor = Decimal::ONE;
    let agreed = pair.contract_price.clone();
    for month in site.months_from(leak.first_month) {
        factor = (factor * shrink).round_dp(8);
        let from = site.customer.billing.period_starting_in(month).from;
        pair.billed_price.hold(from, (agreed.at(from) * factor).round_dp(2));
    }
    leak.note = format!("billed price slides {} % a month below the agreed one", percent(Decimal::ONE - shrink));
}

/// Somebody grants another discount every few months, while seats come and go.
pub(super) fn discounts(site: &Site<'_>, dice: &mut Dice, pair: &mut Pair, leak: &mut Leak) {
    let (every, discount) = (dice.months(2, 4), dice.between(2, 4));
    let agreed = pair.contract_price.clone();
    let mut off = 0;
    for month in site.months_from(leak.first_month) {
        if (month.index() - leak.first_month.index()) % every == 0 {
            off += discount;
        }
        let from = site.customer.billing.period_starting_in(month).from;
        pair.billed_price.hold(from, (agreed.at(from) * Decimal::new(100 - off, 2)).round_dp(2));
    }
    leak.note = format!("another {discount} % off the agreed price every {every} months from {} on", leak.first_month);
}

/// What the contract says beyond the number of units does not reach the invoice.
pub(super) fn terms_not_enforced(site: &Site<'_>, dice: &mut Dice, pair: &mut Pair, leak: &mut Leak) {
    let is_calendar = site.customer.billing != Billing::Anchor15;
    match (pair.service.is_metered(), dice.between(0, 2)) {
        (true, 0 | 1) => bands(dice, pair, leak),
        (false, 0) => minimum(site, dice, pair, leak),
        (false, 1) if is_calendar => escalator(site, dice, pair, leak),
        _ => price(site, dice, pair, leak),
    }
}

/// An old price stays on, or a promotion.
fn price(site: &Site<'_>, dice: &mut Dice, pair: &mut Pair, leak: &mut Leak) {
    let decimals = if pair.service.is_metered() { 4 } else { 2 };
    let off = dice.between(6, 14);
    let from = match pair.usage() {
        Some(_) => leak.first_month.first_day(),
        None => site.customer.billing.period_starting_in(leak.first_month).from,
    };
    let price = (pair.contract_price.at(from) * Decimal::new(100 - off, 2)).round_dp(decimals);
    pair.billed_price.hold(from, price);
    if pair.service.is_metered() {
        // PSAs carry no price for what is billed by usage: it has to be written somewhere.
        pair.terms = Some(Terms::PerUnit);
    }
    leak.note = format!("billed at {price} instead of {} from {from} on", pair.contract_price.at(from));
}

/// The PSA has a new price, the invoices keep the old one.
pub(super) fn raised_in_psa(site: &Site<'_>, dice: &mut Dice, pair: &mut Pair, leak: &mut Leak) {
    let day = site.customer.billing.period_starting_in(leak.first_month).from;
    let before = day.pred_opt().unwrap_or(day);
    let price = (pair.contract_price.at(before) * Decimal::new(100 + dice.between(6, 14), 2)).round_dp(2);
    pair.contract_price.hold(day, price);
    pair.billed_price.freeze(before);
    leak.note = format!("{price} a unit in the PSA from {day} on, invoices unchanged");
}

/// A minimum that nobody charges any more.
fn minimum(site: &Site<'_>, dice: &mut Dice, pair: &mut Pair, leak: &mut Leak) {
    let Some(actual) = agree_minimum(dice, pair) else { return };
    let from = site.customer.billing.period_starting_in(leak.first_month).from;
    if let Volume::Level { billed, .. } = &mut pair.volume {
        *billed = billed.until(from).plus(&actual.since(from));
    }
    leak.note = format!("a minimum of {} units is charged no more from {from} on", pair.minimum);
}

/// Gives the pair a minimum above all that it uses, on invoices too. Returns the quantities that they had before.
pub(in crate::synth) fn agree_minimum(dice: &mut Dice, pair: &mut Pair) -> Option<Timeline> {
    let Volume::Level { delivered, contracted, billed } = &mut pair.volume else { return None };
    let most = delivered.most().max(contracted.most());
    let minimum = (most * Decimal::new(dice.between(108, 125), 2)).ceil();
    pair.minimum = minimum;
    pair.terms = Some(Terms::PerUnit);
    Some(std::mem::replace(billed, Timeline::starting(pair.since, minimum)))
}

/// The yearly rise of the price is missed.
fn escalator(site: &Site<'_>, dice: &mut Dice, pair: &mut Pair, leak: &mut Leak) {
    agree_escalator(dice, pair, leak.first_month, site.world.first_month, site.world.last_month());
    let day = leak.first_month.first_day();
    let before = day.pred_opt().unwrap_or(day);
    pair.billed_price.freeze(before);
    leak.note = format!("the rise of {} % in {} was missed", pair.escalator.map_or(0, |it| it.percent), leak.first_month);
}

/// Gives the pair a price that rises in the month of `rise` of each year, on invoices too.
pub(in crate::synth) fn agree_escalator(dice: &mut Dice, pair: &mut Pair, rise: Month, first_month: Month, last_month: Month) {
    let percent = dice.pick([5, 10]);
    let began = rise.plus(-dice.months(3, 9)).max(first_month.plus(1)).first_day().max(pair.since);
    // Prices whose rises are whole cents: invoices round them, contracts do not.
    let price = (pair.contract_price.at(began) / Decimal::from(4)).ceil() * Decimal::from(4);
    let month_of_year = u32::try_from(rise.index().rem_euclid(12) + 1).unwrap_or(1);
    pair.terms = Some(Terms::PerUnit);
    pair.escalator = Some(Escalator { percent, month_of_year, began });
    pair.contract_price.hold(began, price);
    let mut price = price;
    let rises = std::iter::successors(Some(rise), |month| Some(month.plus(12))).take_while(|month| *month <= last_month);
    for month in rises {
        price *= Decimal::new(100 + percent, 2);
        pair.contract_price.hold(month.first_day(), price);
    }
    pair.billed_price = pair.contract_price.clone();
}

/// Every unit at the price of the cheapest band.
fn bands(dice: &mut Dice, pair: &mut Pair, leak: &mut Leak) {
    agree_bands(dice, pair);
    pair.bands = pair.bands.take().map(|bands| bands.ignored_from(leak.first_month));
    leak.note = format!("all units at the price of the last band from {} on", leak.first_month);
}

/// Gives the pair bands that its usage reaches into, on invoices too.
pub(in crate::synth) fn agree_bands(dice: &mut Dice, pair: &mut Pair) {
    let usage = pair.usage().into_iter().flat_map(|months| months.values());
    let least = usage.map(crate::synth::pair::MonthlyUsage::delivered).min().unwrap_or_default();
    // The least month reaches the last band, or nearly.
    let size = (least / Decimal::from(dice.between(4, 6)) / Decimal::TEN).floor().max(Decimal::ONE) * Decimal::TEN;
    pair.terms = Some(Terms::Bands);
    pair.bands = Some(Bands::falling(pair.contract_price.at(pair.since), size));
}
