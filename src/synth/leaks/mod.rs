//! The leaks: after some month one of the parties stops following the others.
//!
//! Each leak takes a pair of its own, and a customer of its own as long as there are enough. A leak that would be too
//! small to matter in the analysed quarter is planted somewhere else.
//!
//! | file | kinds |
//! |---|---|
//! | `quantity` | `unbilled_delivery`, `underbilled_quantity`, `psa_change_not_billed`, `usage_up_revenue_flat`, `flatline_estimate` |
//! | `price` | `arpu_decline`, `discount_creep`, `contract_terms_not_enforced`, `psa_change_not_billed` |
//! | `contract` | `orphan_billing`, `expired_contract_served` |
//! | `invoicing` | `late_usage_not_rebilled`, `correction_not_passed_on`, `duplicate_billing`, `fix_habit` |
//! | `vendor` | `cost_charge_drift`, `suspended_still_charged`, `unmapped` |

mod contract;
pub(in crate::synth) mod invoicing;
pub(in crate::synth) mod price;
mod quantity;
mod vendor;

use super::agreement::Terms;
use super::calendar::Billing;
use super::customers::{Currency, Customer};
use super::dice::{Dice, Topic};
use super::pair::Pair;
use super::truth::{Basis, Worth, worth};
use super::world::World;
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
    LateUsageNotRebilled,
    CorrectionNotPassedOn,
    SuspendedStillCharged,
    ContractTermsNotEnforced,
    ExpiredContractServed,
    DuplicateBilling,
    DiscountCreep,
    FlatlineEstimate,
    FixHabit,
    Unmapped,
}

impl Kind {
    /// In the order in which they take their pairs.
    pub(crate) const ALL: [Self; 17] = [
        Self::UnbilledDelivery,
        Self::UnderbilledQuantity,
        Self::OrphanBilling,
        Self::UsageUpRevenueFlat,
        Self::CostChargeDrift,
        Self::ArpuDecline,
        Self::PsaChangeNotBilled,
        Self::LateUsageNotRebilled,
        Self::CorrectionNotPassedOn,
        Self::SuspendedStillCharged,
        Self::ContractTermsNotEnforced,
        Self::ExpiredContractServed,
        Self::DuplicateBilling,
        Self::DiscountCreep,
        Self::FlatlineEstimate,
        Self::FixHabit,
        Self::Unmapped,
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
            Self::LateUsageNotRebilled => "late_usage_not_rebilled",
            Self::CorrectionNotPassedOn => "correction_not_passed_on",
            Self::SuspendedStillCharged => "suspended_still_charged",
            Self::ContractTermsNotEnforced => "contract_terms_not_enforced",
            Self::ExpiredContractServed => "expired_contract_served",
            Self::DuplicateBilling => "duplicate_billing",
            Self::DiscountCreep => "discount_creep",
            Self::FlatlineEstimate => "flatline_estimate",
            Self::FixHabit => "fix_habit",
            Self::Unmapped => "unmapped",
        }
    }

    /// Whose loss it is.
    pub(crate) fn basis(self) -> Basis {
        match self {
            Self::OrphanBilling | Self::DuplicateBilling => Basis::Overbilling,
            Self::CostChargeDrift | Self::SuspendedStillCharged | Self::Unmapped => Basis::Cost,
            _ => Basis::Revenue,
        }
    }

    fn fits(self, pair: &Pair, customer: &Customer) -> bool {
        let is_flat = matches!(pair.service.key, "support" | "web_hosting");
        let licence = pair.service.is_licence() && pair.pack.is_none();
        let metered = pair.usage().is_some() && pair.terms.is_none();
        let is_simple = pair.terms.is_none() && pair.included.is_zero();
        let in_dollars = customer.currency == Currency::Usd;
        match self {
            Self::UnbilledDelivery => licence || metered,
            Self::UnderbilledQuantity | Self::ArpuDecline | Self::PsaChangeNotBilled => licence,
            Self::OrphanBilling => licence || (is_flat && pair.terms.is_none()),
            Self::UsageUpRevenueFlat => metered,
            Self::CostChargeDrift => (licence || metered) && in_dollars,
            Self::LateUsageNotRebilled => pair.service.meter().is_some_and(|meter| meter.daily),
            Self::CorrectionNotPassedOn => {
                let by_cost = matches!(pair.terms, Some(Terms::CostPlus(_)));
                (licence && is_simple && pair.service.subject.is_none()) || metered || by_cost
            }
            Self::SuspendedStillCharged => licence && is_simple && pair.service.subject.is_some() && in_dollars,
            Self::ContractTermsNotEnforced | Self::ExpiredContractServed | Self::FlatlineEstimate => {
                (licence || metered) && is_simple
            }
            Self::DuplicateBilling => is_simple && (licence || metered || is_flat),
            Self::DiscountCreep => licence && is_simple,
            Self::FixHabit => (licence || is_flat) && is_simple && customer.billing != Billing::Anchor15,
            // Takes no pair of the book.
            Self::Unmapped => false,
        }
    }

    fn is_trend(self) -> bool {
        matches!(
            self,
            Self::UsageUpRevenueFlat | Self::CostChargeDrift | Self::ArpuDecline | Self::DiscountCreep | Self::FlatlineEstimate
        )
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
        if kind == Kind::Unmapped {
            leaks.extend(vendor::unmapped(world, dice, wanted, quarter));
            continue;
        }
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

/// Where and when a leak is about to be planted.
struct Site<'a> {
    world: &'a World,
    customer: &'a Customer,
    quarter: Quarter,
}

impl Site<'_> {
    /// The months from `first` on.
    fn months_from(&self, first: Month) -> impl Iterator<Item = Month> + use<> {
        self.world.months().filter(move |month| *month >= first)
    }

    /// The last month whose later files still reach the exports.
    fn last_with_later_files(&self) -> Month {
        self.world.last_month().plus(-1).min(self.quarter.last_month())
    }
}

/// Changes one pair, unless the leak would be too small or the pair too young.
fn try_plant(world: &mut World, dice: &mut Dice, kind: Kind, index: usize, quarter: Quarter) -> Option<Leak> {
    let onset = onset(dice, kind, world.first_month, quarter);
    let mut pair = world.pairs[index].clone();
    let site = &Site { world, customer: world.customer_of(&pair), quarter };
    if pair.since > onset.plus(-CALM_MONTHS).first_day() {
        return None;
    }
    let mut leak = Leak { kind, pair: index, first_month: onset, cost_before: Decimal::ZERO, note: String::new() };
    match kind {
        Kind::UnbilledDelivery => quantity::unbilled_delivery(site, dice, &mut pair, &mut leak),
        Kind::UnderbilledQuantity => quantity::more_seats(dice, &mut pair, &mut leak, false),
        Kind::PsaChangeNotBilled if pair.terms.is_none() && dice.chance(30) => {
            price::raised_in_psa(site, dice, &mut pair, &mut leak)
        }
        Kind::PsaChangeNotBilled => quantity::more_seats(dice, &mut pair, &mut leak, true),
        Kind::UsageUpRevenueFlat => quantity::usage_up(dice, &mut pair, &mut leak),
        Kind::FlatlineEstimate => quantity::typed_in(site, dice, &mut pair, &mut leak),
        Kind::ArpuDecline => price::slide(site, dice, &mut pair, &mut leak),
        Kind::DiscountCreep => price::discounts(site, dice, &mut pair, &mut leak),
        Kind::ContractTermsNotEnforced => price::terms_not_enforced(site, dice, &mut pair, &mut leak),
        Kind::OrphanBilling => contract::orphan_billing(site, &mut pair, &mut leak),
        Kind::ExpiredContractServed => contract::expired(site, &mut pair, &mut leak),
        Kind::LateUsageNotRebilled => invoicing::late_usage(site, dice, &mut pair, &mut leak),
        Kind::CorrectionNotPassedOn => invoicing::correction(site, dice, &mut pair, &mut leak),
        Kind::DuplicateBilling => invoicing::duplicate(site, dice, &mut pair, &mut leak),
        Kind::FixHabit => invoicing::habit(site, dice, &mut pair, &mut leak),
        Kind::CostChargeDrift => vendor::cost_drift(site, dice, &mut pair, &mut leak),
        Kind::SuspendedStillCharged => vendor::suspended(dice, &mut pair, &mut leak),
        Kind::Unmapped => return None,
    }
    let worth = worth(&leak, &pair, site.customer.billing, quarter);
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
        Kind::DiscountCreep => dice.months(9, 16),
        Kind::FlatlineEstimate => dice.months(7, 14),
        Kind::FixHabit => dice.months(6, 12),
        Kind::UnbilledDelivery => dice.months(1, 7),
        Kind::LateUsageNotRebilled | Kind::SuspendedStillCharged | Kind::ExpiredContractServed => dice.months(1, 8),
        Kind::CorrectionNotPassedOn => dice.months(1, 2),
        Kind::DuplicateBilling => dice.months(0, 2),
        _ => dice.months(1, 14),
    };
    let month = quarter.last_month().plus(-back);
    if kind.is_trend() { month.max(first_month.plus(CALM_MONTHS)) } else { month.max(first_month.plus(3)) }
}

fn percent(share: Decimal) -> Decimal {
    (share * Decimal::ONE_HUNDRED).normalize()
}

/// Units that cost at least the least money in a month that touches the quarter.
fn least_units(price: Decimal) -> Decimal {
    (Decimal::from(LEAST_MONEY) / price.max(Decimal::new(1, 2))).ceil()
}
