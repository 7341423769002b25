//! The leaks: after some month one of the parties stops following the others.
//!
//! Each leak takes a pair of its own, and a customer of its own as long as there are enough. A leak that would be too
//! small to matter in the analysed quarter is planted somewhere else.

use super::calendar::nth;
use super::customers::{Currency, Customer};
use super::dice::{Dice, Topic};
use super::pair::{Forgotten, Pair, Volume};
use super::truth::{Basis, Worth, worth};
use super::world::{CHANGE_DAYS, World};
use crate::month::{Month, Quarter};
use rust_decimal::Decimal;
use std::collections::BTreeSet;

/// What goes wrong. Each kind bears the name of the signal that is about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    UnbilledDelivery,
    UnderbilledQuantity,
    OrphanBilling,
    UsageUpRevenueFlat,
    CostChargeDrift,
    ArpuDecline,
    PsaChangeNotBilled,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] = [
        Self::UnbilledDelivery,
        Self::UnderbilledQuantity,
        Self::OrphanBilling,
        Self::UsageUpRevenueFlat,
        Self::CostChargeDrift,
        Self::ArpuDecline,
        Self::PsaChangeNotBilled,
    ];

    /// The signal's id.
    pub(crate) fn signal(self) -> &'static str {
        match self {
            Self::UnbilledDelivery => "unbilled_delivery",
            Self::UnderbilledQuantity => "underbilled_quantity",
            Self::OrphanBilling => "orphan_billing",
            Self::UsageUpRevenueFlat => "usage_up_revenue_flat",
            Self::CostChargeDrift => "cost_charge_drift",
            Self::ArpuDecline => "arpu_decline",
            Self::PsaChangeNotBilled => "psa_change_not_billed",
        }
    }

    /// Whose loss it is.
    pub(crate) fn basis(self) -> Basis {
        match self {
            Self::OrphanBilling => Basis::Overbilling,
            Self::CostChargeDrift => Basis::Cost,
            _ => Basis::Revenue,
        }
    }

    fn fits(self, pair: &Pair, customer: &Customer) -> bool {
        let is_flat = matches!(pair.service.key, "support" | "web_hosting");
        let licence = pair.service.is_licence() && pair.pack.is_none();
        let metered = pair.usage().is_some() && pair.terms.is_none();
        match self {
            Self::UnbilledDelivery => licence || metered,
            Self::UnderbilledQuantity | Self::ArpuDecline | Self::PsaChangeNotBilled => licence,
            Self::OrphanBilling => licence || (is_flat && pair.terms.is_none()),
            Self::UsageUpRevenueFlat => metered,
            Self::CostChargeDrift => (licence || metered) && customer.currency == Currency::Usd,
        }
    }

    fn is_trend(self) -> bool {
        matches!(self, Self::UsageUpRevenueFlat | Self::CostChargeDrift | Self::ArpuDecline)
    }
}

/// A planted leak.
pub(crate) struct Leak {
    pub(crate) kind: Kind,
    pub(crate) pair: usize,
    pub(crate) first_month: Month,
    /// What the vendor charged per unit before a cost drift began.
    pub(crate) cost_before: Decimal,
    pub(crate) note: String,
}

/// The least money in the quarter, and the least share of what the pair should bring, that makes a leak worth planting.
const LEAST_MONEY: i64 = 20;
const LEAST_SHARE_PERCENT: i64 = 4;
/// Months of an undisturbed course before a leak begins.
const CALM_MONTHS: i32 = 6;

/// Plants every kind in three to six percent of the customers.
pub(crate) fn plant(world: &mut World, quarter: Quarter) -> Vec<Leak> {
    let mut leaks = Vec::new();
    let mut touched = BTreeSet::new();
    for (number, kind) in Kind::ALL.into_iter().enumerate() {
        let dice = &mut Dice::new(world.seed, Topic::Leak, number);
        let per_mille = usize::try_from(dice.between(32, 55)).unwrap_or(40);
        let wanted = (world.customers.len() * per_mille / 1_000).max(1);
        let mut candidates = candidates(world, kind);
        dice.shuffle(&mut candidates);
        let mut planted = 0;
        // A second leak at one customer is possible, but only where customers are scarce.
        for shared in [false, true] {
            for index in &candidates {
                let customer = world.pairs[*index].customer;
                if planted == wanted || touched.contains(&customer) != shared || world.pairs[*index].reserved {
                    continue;
                }
                if let Some(leak) = try_plant(world, dice, kind, *index, quarter) {
                    touched.insert(customer);
                    // Every other time nothing was ever prepared; else only the invoice run missed the line.
                    if planted % 2 == 1 {
                        world.pairs[*index].forgotten = None;
                    }
                    leaks.push(leak);
                    planted += 1;
                }
            }
        }
    }
    leaks
}

fn candidates(world: &World, kind: Kind) -> Vec<usize> {
    let fits = |pair: &Pair| {
        let customer = world.customer_of(pair);
        !pair.reserved && customer.left.is_none() && kind.fits(pair, customer)
    };
    (0..world.pairs.len()).filter(|index| fits(&world.pairs[*index])).collect()
}

/// Changes one pair, unless the leak would be too small or the pair too young.
fn try_plant(world: &mut World, dice: &mut Dice, kind: Kind, index: usize, quarter: Quarter) -> Option<Leak> {
    let onset = onset(dice, kind, world.first_month, quarter);
    let mut pair = world.pairs[index].clone();
    let customer = world.customer_of(&pair);
    if pair.since > onset.plus(-CALM_MONTHS).first_day() {
        return None;
    }
    let mut leak = Leak { kind, pair: index, first_month: onset, cost_before: Decimal::ZERO, note: String::new() };
    match kind {
        Kind::UnbilledDelivery => unbilled_delivery(dice, &mut pair, customer, &mut leak, quarter),
        Kind::UnderbilledQuantity => more_seats(dice, &mut pair, &mut leak, false),
        Kind::PsaChangeNotBilled => more_seats(dice, &mut pair, &mut leak, true),
        Kind::OrphanBilling => orphan_billing(&mut pair, customer, &mut leak, world.first_month),
        Kind::UsageUpRevenueFlat => usage_up(dice, &mut pair, &mut leak),
        Kind::CostChargeDrift => cost_drift(dice, &mut pair, &mut leak, world),
        Kind::ArpuDecline => price_slide(dice, &mut pair, customer, &mut leak, world),
    }
    let worth = worth(&leak, &pair, customer.billing, quarter);
    if !is_worthwhile(&worth) {
        return None;
    }
    pair.reserved = true;
    world.pairs[index] = pair;
    Some(leak)
}

fn is_worthwhile(worth: &Worth) -> bool {
    let lost = worth.leakage + worth.overbilled;
    lost >= Decimal::from(LEAST_MONEY) && lost * Decimal::from(100) >= worth.turnover * Decimal::from(LEAST_SHARE_PERCENT)
}

fn onset(dice: &mut Dice, kind: Kind, first_month: Month, quarter: Quarter) -> Month {
    let back = match kind {
        Kind::UsageUpRevenueFlat => dice.months(10, 20),
        Kind::CostChargeDrift | Kind::ArpuDecline => dice.months(10, 18),
        Kind::UnbilledDelivery => dice.months(1, 7),
        _ => dice.months(1, 14),
    };
    let month = quarter.last_month().plus(-back);
    if kind.is_trend() { month.max(first_month.plus(CALM_MONTHS)) } else { month.max(first_month.plus(3)) }
}

/// The invoice line is missing: for good, or for some months of the quarter.
fn unbilled_delivery(dice: &mut Dice, pair: &mut Pair, customer: &Customer, leak: &mut Leak, quarter: Quarter) {
    let only_months = dice.chance(50).then(|| dice.months(1, 2));
    if only_months.is_some() {
        leak.first_month = leak.first_month.max(quarter.first_month());
    }
    let from = leak.first_month;
    let until = only_months.map(|count| from.plus(count));
    match &mut pair.volume {
        Volume::Level { billed, .. } => {
            let first_day = customer.billing.period_starting_in(from).from;
            match until {
                Some(until) => billed.during(first_day, customer.billing.period_starting_in(until).from, Decimal::ZERO),
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
fn more_seats(dice: &mut Dice, pair: &mut Pair, leak: &mut Leak, in_psa: bool) {
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

/// The service ended, or was never agreed, and is still on the invoice.
fn orphan_billing(pair: &mut Pair, customer: &Customer, leak: &mut Leak, first_month: Month) {
    let end = customer.billing.period_starting_in(leak.first_month).from;
    let Volume::Level { delivered, contracted, billed } = &mut pair.volume else { return };
    if pair.service.key == "web_hosting" {
        *contracted = super::timeline::Timeline::default();
        pair.missing_in_psa = true;
        leak.first_month = Month::of(pair.since).max(first_month);
        leak.note = "billed since the beginning, never in the PSA".to_owned();
        return;
    }
    billed.freeze(end);
    contracted.hold(end, Decimal::ZERO);
    if !delivered.at(end).is_zero() {
        delivered.hold(end, Decimal::ZERO);
    }
    leak.note = format!("cancelled on {end}, still billed");
}

/// Usage grows, and the quantity on the invoice stays what it was.
fn usage_up(dice: &mut Dice, pair: &mut Pair, leak: &mut Leak) {
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

/// The vendor's price rises month by month and nobody passes it on.
fn cost_drift(dice: &mut Dice, pair: &mut Pair, leak: &mut Leak, world: &World) {
    let growth = Decimal::ONE + Decimal::new(dice.between(12, 22), 3);
    let decimals = if pair.service.is_metered() { 6 } else { 2 };
    let before = leak.first_month.first_day().pred_opt().unwrap_or(pair.since);
    leak.cost_before = pair.unit_cost.at(before);
    pair.contract_price.freeze(before);
    pair.billed_price.freeze(before);
    let mut cost = leak.cost_before;
    for month in world.months().filter(|month| *month >= leak.first_month) {
        cost = (cost * growth).round_dp(8);
        pair.unit_cost.hold(month.first_day(), cost.round_dp(decimals));
    }
    leak.note = format!("unit cost rises {} % a month, price fixed", percent(growth - Decimal::ONE));
}

/// The price on the invoice slides below the agreed one, with steady seats.
fn price_slide(dice: &mut Dice, pair: &mut Pair, customer: &Customer, leak: &mut Leak, world: &World) {
    let shrink = Decimal::ONE - Decimal::new(dice.between(8, 16), 3);
    let start = customer.billing.period_starting_in(leak.first_month).from;
    if let Volume::Level { delivered, contracted, billed } = &mut pair.volume {
        for known in [delivered, contracted, billed] {
            known.freeze(start);
        }
    }
    let mut factor = Decimal::ONE;
    let agreed = pair.contract_price.clone();
    for month in world.months().filter(|month| *month >= leak.first_month) {
        factor = (factor * shrink).round_dp(8);
        let from = customer.billing.period_starting_in(month).from;
        pair.billed_price.hold(from, (agreed.at(from) * factor).round_dp(2));
    }
    leak.note = format!("billed price slides {} % a month below the agreed one", percent(Decimal::ONE - shrink));
}

fn percent(share: Decimal) -> Decimal {
    (share * Decimal::ONE_HUNDRED).normalize()
}
