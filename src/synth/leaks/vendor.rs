//! What vendors charge that nobody passes on, uses or knows of.

use super::{Kind, Leak, Site, is_worthwhile, percent};
use crate::month::Quarter;
use crate::synth::calendar::{Span, nth};
use crate::synth::catalogue::{SERVICES, Service, UNLISTED};
use crate::synth::customers::unknown;
use crate::synth::dice::Dice;
use crate::synth::pair::{MonthlyUsage, Pair, Volume};
use crate::synth::timeline::Timeline;
use crate::synth::truth::worth;
use crate::synth::world::{CHANGE_DAYS, World};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// The vendor's price rises month by month and nobody passes it on.
pub(super) fn cost_drift(site: &Site<'_>, dice: &mut Dice, pair: &mut Pair, leak: &mut Leak) {
    let growth = Decimal::ONE + Decimal::new(dice.between(12, 22), 3);
    let decimals = if pair.service.is_metered() { 6 } else { 2 };
    let before = leak.first_month.first_day().pred_opt().unwrap_or(pair.since);
    leak.cost_before = pair.unit_cost.at(before);
    pair.contract_price.freeze(before);
    pair.billed_price.freeze(before);
    let mut cost = leak.cost_before;
    for month in site.months_from(leak.first_month) {
        cost = (cost * growth).round_dp(8);
        pair.unit_cost.hold(month.first_day(), cost.round_dp(decimals));
    }
    leak.note = format!("unit cost rises {} % a month, price fixed", percent(growth - Decimal::ONE));
}

/// Users or devices are suspended, or leave; PSA and invoices follow, the subscription at the vendor stays as it is.
pub(super) fn suspended(dice: &mut Dice, pair: &mut Pair, leak: &mut Leak) {
    let day = nth(leak.first_month, dice.pick(CHANGE_DAYS));
    let share = Decimal::new(dice.between(12, 30), 2);
    let Volume::Level { delivered, contracted, billed } = &mut pair.volume else { return };
    let units = (delivered.at(day) * share).ceil().min(delivered.at(day) - Decimal::ONE).max(Decimal::ZERO);
    for known in [&mut *delivered, contracted, billed] {
        known.freeze(day);
        known.raise(day, -units);
    }
    pair.idle = Timeline::starting(day, units);
    pair.idle_event = if dice.chance(30) { "deprovisioned" } else { "suspended" };
    leak.note = format!("{units} {} on {day}, the vendor still charges for them", pair.idle_event);
}

/// Vendors charge for accounts that stand in no register, and for an article that stands in no list.
pub(super) fn unmapped(world: &mut World, dice: &mut Dice, wanted: usize, quarter: Quarter) -> Vec<Leak> {
    let mut services: Vec<&'static Service> = SERVICES.iter().filter(|it| it.is_licence() || it.is_metered()).collect();
    dice.shuffle(&mut services);
    let mut customers: Vec<usize> = (0..world.customers.len())
        .filter(|index| {
            let customer = &world.customers[*index];
            customer.left.is_none() && !customer.is_internal && customer.joined < world.span().from
        })
        .collect();
    dice.shuffle(&mut customers);
    let mut leaks = Vec::new();
    // Each service once, so that what is known of it is enough to tell it apart; every third is an article of a known customer.
    let mut services = services.into_iter();
    for number in 0..wanted {
        let month = quarter.last_month().plus(-dice.months(2, 9)).max(world.first_month.plus(3));
        let since = month.first_day();
        let (customer, service) = if number % 3 == 2 {
            let Some(customer) = customers.pop() else { continue };
            (customer, &UNLISTED)
        } else {
            let Some(service) = services.next() else { continue };
            let index = world.customers.len();
            world.customers.push(unknown(world.seed, index, since));
            (index, service)
        };
        let volume = consumed(world, dice, service, since);
        let pair = Pair {
            volume,
            unit_cost: Timeline::starting(since, service.cost()),
            missing_in_psa: true,
            reserved: true,
            ..Pair::unused(customer, service, since)
        };
        let index = world.pairs.len();
        let note = format!("{} at {} since {since}, in no crosswalk", service.name, world.customers[customer].name);
        let leak = Leak { kind: Kind::Unmapped, pair: index, first_month: month, cost_before: Decimal::ZERO, note };
        if is_worthwhile(&worth(&leak, &pair, world.customers[customer].billing, quarter)) {
            leaks.push(leak);
            world.pairs.push(pair);
        }
    }
    leaks
}

/// What somebody uses whom nobody invoices.
fn consumed(world: &World, dice: &mut Dice, service: &Service, since: NaiveDate) -> Volume {
    let Some(meter) = service.meter() else {
        let delivered = Timeline::starting(since, Decimal::from(dice.between(8, 30)));
        return Volume::Level { delivered, contracted: Timeline::default(), billed: Timeline::default() };
    };
    let mut months = BTreeMap::new();
    let level = dice.between(20, 60);
    for month in world.months().filter(|month| month.first_day() >= since) {
        let n_days = if meter.daily { usize::MAX } else { 1 };
        let scale = if meter.daily { 1 } else { 30 };
        let days = Span::month(month).days().take(n_days);
        let days = days.map(|day| (day, Decimal::new(level * scale * dice.between(900, 1_100), 3))).collect();
        months.insert(month, MonthlyUsage { days, billed: None });
    }
    Volume::Flow(months)
}
