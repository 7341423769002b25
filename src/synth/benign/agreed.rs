//! The benign twins of leaks about contracts and vendors' statements: the same circumstances, and everybody does what follows from them.

use super::{Benign, of_pair, reserve, some, some_month};
use crate::month::Month;
use crate::synth::calendar::{Billing, nth};
use crate::synth::customers::Customer;
use crate::synth::dice::Dice;
use crate::synth::leaks::invoicing::restate;
use crate::synth::leaks::price::{agree_bands, agree_escalator, agree_minimum};
use crate::synth::pair::{Pair, Volume};
use crate::synth::world::{CHANGE_DAYS, World};
use rust_decimal::Decimal;

pub(super) fn plant(world: &mut World, dice: &mut Dice, listed: &mut Vec<Benign>) {
    minimums(world, dice, listed);
    escalators(world, dice, listed);
    bands(world, dice, listed);
    renewals(world, dice, listed);
    suspensions(world, dice, listed);
    restatements(world, dice, listed);
}

/// Seats at an agreed price, with nothing else to it.
fn is_plain_licence(pair: &Pair) -> bool {
    pair.service.is_licence() && pair.pack.is_none() && pair.terms.is_none() && pair.included.is_zero()
}

/// Billed by calendar months, and old enough.
fn is_settled(world: &World, customer: &Customer, pair: &Pair) -> bool {
    customer.billing != Billing::Anchor15 && pair.since < world.first_month.plus(-1).first_day()
}

/// A minimum that is charged although fewer are used.
fn minimums(world: &mut World, dice: &mut Dice, listed: &mut Vec<Benign>) {
    let count = some(world, 15);
    for index in reserve(world, dice, count, |_, pair| is_plain_licence(pair)) {
        let pair = &mut world.pairs[index];
        agree_minimum(dice, pair);
        let note = format!("a minimum of {} units is charged", pair.minimum);
        listed.push(of_pair(world, &world.pairs[index], "minimum_honoured", None, note));
    }
}

/// A price that rises every year as agreed.
fn escalators(world: &mut World, dice: &mut Dice, listed: &mut Vec<Benign>) {
    let count = some(world, 15);
    let fits = |world: &World, pair: &Pair| is_plain_licence(pair) && is_settled(world, world.customer_of(pair), pair);
    for index in reserve(world, dice, count, fits) {
        let rise = world.last_month().plus(-dice.months(2, 13)).max(world.first_month.plus(3));
        let (first_month, last_month) = (world.first_month, world.last_month());
        let pair = &mut world.pairs[index];
        agree_escalator(dice, pair, rise, first_month, last_month);
        let note = format!("price up {} % every year, charged", pair.escalator.map_or(0, |it| it.percent));
        listed.push(of_pair(world, &world.pairs[index], "escalator_applied", Some(rise), note));
    }
}

/// Usage charged by bands.
fn bands(world: &mut World, dice: &mut Dice, listed: &mut Vec<Benign>) {
    let count = some(world, 15);
    for index in reserve(world, dice, count, |_, pair| pair.usage().is_some() && pair.terms.is_none()) {
        agree_bands(dice, &mut world.pairs[index]);
        let note = "each unit charged at the price of its band".to_owned();
        listed.push(of_pair(world, &world.pairs[index], "tiers_applied", None, note));
    }
}

/// A contract line that ended and went on as a new line.
fn renewals(world: &mut World, dice: &mut Dice, listed: &mut Vec<Benign>) {
    let count = some(world, 25);
    let old = |world: &World, pair: &Pair| {
        let first_day = world.first_month.first_day();
        pair.since < first_day && !pair.do_not_bill && pair.internal_units.is_zero()
    };
    for index in reserve(world, dice, count, old) {
        let month = some_month(world, dice, 3, 1);
        let pair = &world.pairs[index];
        let day = match pair.usage() {
            Some(_) => month.first_day(),
            None => world.customer_of(pair).billing.period_starting_in(month).from,
        };
        world.pairs[index].renewed_on = Some(day);
        let note = format!("contract line ended on {day} and was renewed in a new line");
        listed.push(of_pair(world, &world.pairs[index], "contract_renewed", Some(Month::of(day)), note));
    }
}

/// Users or devices that are suspended, and for which the vendor stops charging the same day.
fn suspensions(world: &mut World, dice: &mut Dice, listed: &mut Vec<Benign>) {
    let count = some(world, 20);
    let fits = |_: &World, pair: &Pair| is_plain_licence(pair) && pair.service.subject.is_some();
    for index in reserve(world, dice, count, fits) {
        let day = nth(some_month(world, dice, 3, 1), dice.pick(CHANGE_DAYS));
        let share = Decimal::new(dice.between(10, 25), 2);
        let pair = &mut world.pairs[index];
        let Volume::Level { delivered, contracted, billed } = &mut pair.volume else { continue };
        let units = (delivered.at(day) * share).floor();
        if pair.since >= day || units.is_zero() {
            continue;
        }
        for known in [&mut *delivered, contracted, billed] {
            known.freeze(day);
            known.raise(day, -units);
        }
        let note = format!("{units} suspended on {day}, the vendor stopped charging for them");
        listed.push(of_pair(world, &world.pairs[index], "suspended_and_returned", Some(Month::of(day)), note));
    }
}

/// Metered usage that the vendor corrected upwards and that was billed afterwards.
fn restatements(world: &mut World, dice: &mut Dice, listed: &mut Vec<Benign>) {
    let count = some(world, 15);
    let fits = |world: &World, pair: &Pair| {
        pair.usage().is_some() && pair.terms.is_none() && pair.since <= world.first_month.first_day()
    };
    for index in reserve(world, dice, count, fits) {
        let month = some_month(world, dice, 2, 3);
        let billing = world.customer_of(&world.pairs[index]).billing;
        let Some(units) = restate(dice, &mut world.pairs[index], billing, month, true) else { continue };
        let note = format!("vendor corrected the month to {units} more units later, billed afterwards");
        listed.push(of_pair(world, &world.pairs[index], "correction_passed_on", Some(month), note));
    }
}
