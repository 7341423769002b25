//! Effects that look like leaks and are none: each is recorded somewhere, or followed by the invoice.
//!
//! Proration, seasons, calendar length, new and leaving customers, list-price changes, packs, tenants, currencies and
//! billing days are part of every book (`world`); this file adds the rarer ones and lists them all for people.

mod agreed;

use super::agreement::Terms;
use super::calendar::{Billing, Span, nth};
use super::catalogue::service;
use super::customers::Currency;
use super::dice::{Dice, Topic};
use super::pair::{LateUsage, Pair, Restatement, Volume};
use super::world::{Channel, OneOff, Trial, World};
use crate::month::Month;
use rust_decimal::Decimal;

/// One benign effect, for people who read `benign.csv`.
pub(crate) struct Benign {
    pub(crate) effect: &'static str,
    pub(crate) customer_key: String,
    pub(crate) service_key: &'static str,
    pub(crate) month: Option<Month>,
    pub(crate) note: String,
}

/// Plants the rarer benign effects and lists all of them.
pub(crate) fn plant(world: &mut World) -> Vec<Benign> {
    let dice = &mut Dice::new(world.seed, Topic::Benign, 0);
    let mut listed = standing(world);
    price_cuts(world, dice, &mut listed);
    internal_units(world, dice, &mut listed);
    trials(world, dice, &mut listed);
    late_usage(world, dice, &mut listed);
    late_changes(world, dice, &mut listed);
    reissues(world, dice, &mut listed);
    one_offs(world, dice, &mut listed);
    service_credits(world, dice, &mut listed);
    agreed::plant(world, dice, &mut listed);
    listed
}

/// Effects that came with the book.
fn standing(world: &World) -> Vec<Benign> {
    let mut listed = Vec::new();
    for customer in &world.customers {
        let mut note = |effect, month: Option<Month>, note: String| {
            listed.push(Benign { effect, customer_key: customer.key.clone(), service_key: "", month, note });
        };
        if customer.is_internal {
            note("internal_use", None, "the MSP's own licences, DoNotBill in the PSA".to_owned());
        }
        if customer.tenants.len() > 1 {
            note("several_tenants", None, format!("seats spread over {} Microsoft tenants", customer.tenants.len()));
        }
        if customer.currency == Currency::Eur {
            note("currency", None, "pays euros, costs dollars".to_owned());
        }
        match customer.billing {
            Billing::Advance => note("billed_in_advance", None, "invoice of the first is for the month ahead".to_owned()),
            Billing::Arrears => {}
            Billing::Anchor15 => note("anchor_day", None, "billing periods run from the 15th to the 15th".to_owned()),
        }
        if customer.joined >= world.span().from {
            note("new_customer", Some(Month::of(customer.joined)), format!("joined on {}", customer.joined));
        }
        if let Some(left) = customer.left {
            note("churn", Some(Month::of(left)), format!("no customer from {left} on"));
        }
    }
    for pair in &world.pairs {
        if pair.included > Decimal::ZERO {
            listed.push(of_pair(world, pair, "included_units", None, format!("{} units are free", pair.included)));
        }
        if let Some(pack) = pair.pack {
            listed.push(of_pair(world, pair, "bundle", None, format!("sold in packs of {}", pack.size)));
        }
        if let Some((offset, percent)) = pair.service.list_change {
            let month = world.first_month.plus(offset);
            let note = format!("vendor list price up {percent} %, passed on");
            listed.push(of_pair(world, pair, "list_price_change", Some(month), note));
        }
    }
    listed
}

fn of_pair(world: &World, pair: &Pair, effect: &'static str, month: Option<Month>, note: String) -> Benign {
    let customer_key = world.customer_of(pair).key.clone();
    Benign { effect, customer_key, service_key: pair.service.key, month, note }
}

/// About `per_mille` of the customers, at least one.
fn some(world: &World, per_mille: usize) -> usize {
    (world.customers.len() * per_mille / 1_000).max(1)
}

/// Up to `count` free pairs that fit, in random order, now reserved.
fn reserve(world: &mut World, dice: &mut Dice, count: usize, fits: impl Fn(&World, &Pair) -> bool) -> Vec<usize> {
    let mut fitting: Vec<usize> = (0..world.pairs.len())
        .filter(|index| {
            let pair = &world.pairs[*index];
            let stays = world.customer_of(pair).left.is_none();
            !pair.reserved && stays && fits(world, pair)
        })
        .collect();
    dice.shuffle(&mut fitting);
    fitting.truncate(count);
    for index in &fitting {
        world.pairs[*index].reserved = true;
    }
    fitting
}

/// A month between the `skip`-th simulated one and the last but `keep`.
fn some_month(world: &World, dice: &mut Dice, skip: i32, keep: i32) -> Month {
    let n_months = i32::try_from(world.n_months).unwrap_or(i32::MAX);
    world.first_month.plus(dice.months(skip, n_months - 1 - keep))
}

/// A lower price agreed at renewal: the PSA records it and the invoice follows.
fn price_cuts(world: &mut World, dice: &mut Dice, listed: &mut Vec<Benign>) {
    let count = some(world, 40);
    let licence = |_: &World, pair: &Pair| pair.service.is_licence() && pair.pack.is_none();
    for index in reserve(world, dice, count, licence) {
        let month = some_month(world, dice, 4, 2);
        let percent = dice.pick([5, 8, 10, 12]);
        let billing = world.customer_of(&world.pairs[index]).billing;
        let pair = &mut world.pairs[index];
        let from = billing.period_starting_in(month).from.max(pair.since);
        // A later change of the list price is passed on all the same.
        for price in [&mut pair.contract_price, &mut pair.billed_price] {
            price.discount(from, Decimal::new(100 - percent, 2));
        }
        let note = format!("price {percent} % lower from {from}, in PSA and on invoices");
        listed.push(of_pair(world, &world.pairs[index], "price_cut", Some(Month::of(from)), note));
    }
}

/// Units that the MSP uses at the customer's site itself.
fn internal_units(world: &mut World, dice: &mut Dice, listed: &mut Vec<Benign>) {
    let count = some(world, 25);
    let devices = |_: &World, pair: &Pair| pair.service.key == "edr" && pair.pack.is_none();
    for index in reserve(world, dice, count, devices) {
        let units = Decimal::from(dice.between(1, 3));
        let pair = &mut world.pairs[index];
        pair.internal_units = units;
        let since = pair.since;
        if let Volume::Level { delivered, .. } = &mut pair.volume {
            delivered.raise(since, units);
        }
        let note = format!("{units} devices of the MSP itself, DoNotBill in the PSA");
        listed.push(of_pair(world, &world.pairs[index], "internal_use", None, note));
    }
}

/// A free month of a licence that the customer does not have.
fn trials(world: &mut World, dice: &mut Dice, listed: &mut Vec<Benign>) {
    let Some(copilot) = service("copilot") else { return };
    let mut customers: Vec<usize> = (0..world.customers.len())
        .filter(|customer| {
            let has_it = world.pairs.iter().any(|pair| pair.customer == *customer && pair.service.key == copilot.key);
            let stays = world.customers[*customer].left.is_none() && world.customers[*customer].joined < world.span().from;
            !has_it && stays && !world.customers[*customer].is_internal
        })
        .collect();
    dice.shuffle(&mut customers);
    customers.truncate(some(world, 50));
    for customer in customers {
        let month = some_month(world, dice, 1, 0);
        let seats = Decimal::from(dice.pick([5, 10, 25]));
        world.trials.push(Trial { customer, service: copilot, month, seats });
        listed.push(Benign {
            effect: "trial",
            customer_key: world.customers[customer].key.clone(),
            service_key: copilot.key,
            month: Some(month),
            note: format!("{seats} free trial seats"),
        });
    }
}

/// The last days of a month arrive with the next month's file and are billed with the next month's usage.
fn late_usage(world: &mut World, dice: &mut Dice, listed: &mut Vec<Benign>) {
    let count = some(world, 30);
    let metered = |world: &World, pair: &Pair| {
        pair.terms.is_none()
            && pair.since <= world.span().from
            && pair.usage().is_some_and(|months| months.values().any(|usage| usage.days.len() > 1))
    };
    for index in reserve(world, dice, count, metered) {
        let month = some_month(world, dice, 1, 1);
        let from = nth(month, month.days() - 3);
        world.pairs[index].late_usage.insert(month, LateUsage { from, is_billed: true });
        let note = format!("usage from {from} on arrived and was billed a month late");
        listed.push(of_pair(world, &world.pairs[index], "late_usage_rebilled", Some(month), note));
    }
}

/// A seat change that the vendor's file shows only a month later.
fn late_changes(world: &mut World, dice: &mut Dice, listed: &mut Vec<Benign>) {
    let changed_month = |world: &World, pair: &Pair| {
        let Volume::Level { delivered, .. } = &pair.volume else { return None };
        let months = world.months().take(world.n_months.saturating_sub(1));
        months.skip(1).find(|month| {
            let span = Span::month(*month);
            pair.since < span.from && !delivered.changes_between(span.from, span.until).is_empty()
        })
    };
    let count = some(world, 20);
    let fits = |world: &World, pair: &Pair| pair.service.is_licence() && changed_month(world, pair).is_some();
    for index in reserve(world, dice, count, fits) {
        let month = changed_month(world, &world.pairs[index]);
        world.pairs[index].late_changes = month;
        let note = "seat change appears in the next month's vendor file; it was billed in time".to_owned();
        listed.push(of_pair(world, &world.pairs[index], "late_vendor_rows", month, note));
    }
}

/// The vendor issues a month's file again with more units, and the customer is billed for them.
fn reissues(world: &mut World, dice: &mut Dice, listed: &mut Vec<Benign>) {
    let n_months = i32::try_from(world.n_months).unwrap_or(i32::MAX);
    for offset in [n_months / 3, n_months - 5] {
        let month = world.first_month.plus(offset);
        let span = Span::month(month);
        let count = some(world, 10);
        let steady = |_: &World, pair: &Pair| {
            let Volume::Level { delivered, .. } = &pair.volume else { return false };
            let before = span.from.pred_opt().unwrap_or(span.from);
            let calm = delivered.changes_between(before, span.until.succ_opt().unwrap_or(span.until)).is_empty();
            pair.service.is_licence() && pair.service.subject.is_none() && pair.since < span.from && calm
        };
        for index in reserve(world, dice, count, steady) {
            let units = Decimal::from(dice.between(1, 3));
            let pair = &mut world.pairs[index];
            if let Volume::Level { delivered, .. } = &mut pair.volume {
                let corrected = delivered.at(span.from) + units;
                delivered.during(span.from, span.until, corrected);
            }
            pair.restated.insert(month, Restatement { units, day: span.from, is_billed: true });
            let note = format!("vendor corrected the month to {units} more units later, billed afterwards");
            listed.push(of_pair(world, &world.pairs[index], "correction_passed_on", Some(month), note));
        }
    }
}

/// Projects and hardware.
fn one_offs(world: &mut World, dice: &mut Dice, listed: &mut Vec<Benign>) {
    const OFFERS: [(&str, i64, Channel); 5] = [
        ("Firewall replacement", 1_450, Channel::Psa),
        ("Notebooks, delivered and set up", 3_870, Channel::Psa),
        ("Server room cabling project", 5_200, Channel::Psa),
        ("On-site migration weekend", 2_400, Channel::Billing),
        ("Security awareness workshop", 950, Channel::Billing),
    ];
    for customer in 0..world.customers.len() {
        let (from, until) = (world.customers[customer].joined, world.customers[customer].left);
        if !dice.chance(22) || world.customers[customer].is_internal {
            continue;
        }
        let month = some_month(world, dice, 0, 0);
        let day = nth(month, dice.pick([3, 9, 17, 24]));
        if day < from || until.is_some_and(|until| day >= until) {
            continue;
        }
        let (description, price, channel) = dice.pick(OFFERS);
        world.one_offs.push(OneOff { customer, day, description, price: Decimal::from(price), channel });
        listed.push(Benign {
            effect: "one_off_invoice",
            customer_key: world.customers[customer].key.clone(),
            service_key: "projects",
            month: Some(month),
            note: description.to_owned(),
        });
    }
}

/// One month partly given back after an outage.
fn service_credits(world: &mut World, dice: &mut Dice, listed: &mut Vec<Benign>) {
    let count = some(world, 25);
    let fits = |world: &World, pair: &Pair| {
        let simple = pair.terms != Some(Terms::Included) && pair.pack.is_none() && !pair.service.is_metered();
        simple && pair.since < world.span().from && pair.included.is_zero()
    };
    for index in reserve(world, dice, count, fits) {
        let month = some_month(world, dice, 2, 1);
        let percent = dice.pick([10, 15, 25]);
        world.pairs[index].given_back.insert(month, percent);
        let note = format!("{percent} % of the month credited once");
        listed.push(of_pair(world, &world.pairs[index], "service_credit", Some(month), note));
    }
}
