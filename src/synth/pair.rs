//! One service of one customer, as its four witnesses know it: the vendor, the PSA, the invoices and the price list.
//!
//! In a clean book the witnesses agree, up to effects that can be explained. A leak is where one of them falls behind;
//! `expected` and `billed` put the difference into money without knowing which leak was planted.

use super::calendar::{Billing, Span};
use super::catalogue::{Pack, Service};
use super::timeline::Timeline;
use crate::month::Month;
use chrono::NaiveDate;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// A customer's use of a service over its whole life.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) customer: usize,
    pub(crate) service: &'static Service,
    pub(crate) since: NaiveDate,
    /// First day after the service ended with the customer.
    pub(crate) until: Option<NaiveDate>,
    pub(crate) volume: Volume,
    /// Agreed price per unit in the customer's currency.
    pub(crate) contract_price: Timeline,
    /// Price per unit that invoices carry.
    pub(crate) billed_price: Timeline,
    /// What the vendor charges per unit, in dollars.
    pub(crate) unit_cost: Timeline,
    /// Units free of charge: a PSA's `lessIncluded`, or an allowance in the terms.
    pub(crate) included: Decimal,
    /// Units for the MSP's own use, recorded in the PSA as `DoNotBill`.
    pub(crate) internal_units: Decimal,
    pub(crate) pack: Option<&'static Pack>,
    pub(crate) terms: Option<Terms>,
    /// No agreement line was ever entered in the PSA.
    pub(crate) missing_in_psa: bool,
    /// The whole line is `DoNotBill`.
    pub(crate) do_not_bill: bool,
    /// Carries a benign effect that a leak would blur, so none is planted here.
    pub(crate) reserved: bool,
    /// Usage of the last days of a month that arrived and was billed a month late.
    pub(crate) late_usage: Option<LateUsage>,
    /// A month whose mid-month changes appear only in the next vendor file.
    pub(crate) late_changes: Option<Month>,
    /// Months whose invoice lines were prepared and never invoiced, in billing systems that show such things.
    pub(crate) forgotten: Option<Forgotten>,
}

/// Months from one to before another, or for good.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forgotten {
    pub(crate) from: Month,
    pub(crate) until: Option<Month>,
}

/// Usage that arrived after its month was invoiced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LateUsage {
    pub(crate) month: Month,
    pub(crate) from: NaiveDate,
}

/// Contract terms that no PSA export carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Terms {
    /// The unit price stands in the contract only.
    PerUnit,
    FlatFee,
    /// A free monthly allowance, then a price per unit.
    Included,
    /// The vendor's cost and a mark-up in percent.
    CostPlus(i64),
}

/// How much of a service there was.
#[derive(Clone, Debug)]
pub(crate) enum Volume {
    /// A level that holds from day to day, in the service's unit.
    Level {
        delivered: Timeline,
        contracted: Timeline,
        /// Units on invoices, free ones already taken off.
        billed: Timeline,
    },
    /// A flow that adds up over the month.
    Flow(BTreeMap<Month, MonthlyUsage>),
}

/// One month's metered usage.
#[derive(Clone, Debug)]
pub(crate) struct MonthlyUsage {
    pub(crate) days: Vec<(NaiveDate, Decimal)>,
    /// The quantity on the invoice; absent where no line was written.
    pub(crate) billed: Option<Decimal>,
}

impl MonthlyUsage {
    pub(crate) fn delivered(&self) -> Decimal {
        self.days.iter().map(|(_, quantity)| *quantity).sum()
    }
}

impl Pair {
    /// Units per article sold: more than one for packs.
    pub(crate) fn pack_size(&self) -> Decimal {
        self.pack.map_or(Decimal::ONE, |pack| Decimal::from(pack.size))
    }

    pub(crate) fn usage(&self) -> Option<&BTreeMap<Month, MonthlyUsage>> {
        match &self.volume {
            Volume::Flow(months) => Some(months),
            Volume::Level { .. } => None,
        }
    }

    /// Days of metered usage that the vendor reports with `month`: late ones of the month before, and all but its own late ones.
    pub(crate) fn days_known_in(&self, month: Month) -> Vec<(NaiveDate, Decimal)> {
        let days = |month: Month| self.usage().and_then(|months| months.get(&month)).into_iter().flat_map(|usage| &usage.days);
        let is_late = |day: NaiveDate, month| self.late_usage.is_some_and(|late| late.month == month && day >= late.from);
        let earlier = days(month.plus(-1)).filter(|(day, _)| is_late(*day, month.plus(-1)));
        earlier.chain(days(month).filter(|(day, _)| !is_late(*day, month))).copied().collect()
    }

    /// The day on which the PSA's line ended.
    pub(crate) fn contract_end(&self) -> Option<NaiveDate> {
        match &self.volume {
            Volume::Level { contracted, .. } => contracted.end(),
            Volume::Flow(_) => self.until,
        }
    }

    /// Units that the customer owes for on `day`: what it committed to or used, less what is free.
    pub(crate) fn owed_on(&self, day: NaiveDate) -> Decimal {
        match &self.volume {
            Volume::Level { delivered, contracted, .. } if !self.do_not_bill => {
                let used = delivered.at(day) - self.internal_units;
                (contracted.at(day).max(used) - self.included).max(Decimal::ZERO)
            }
            _ => Decimal::ZERO,
        }
    }

    /// Seats or devices that the vendor delivers on `day`.
    pub(crate) fn delivered_on(&self, day: NaiveDate) -> Decimal {
        match &self.volume {
            Volume::Level { delivered, .. } => delivered.at(day),
            Volume::Flow(_) => Decimal::ZERO,
        }
    }

    pub(crate) fn billed_on(&self, day: NaiveDate) -> Decimal {
        match &self.volume {
            Volume::Level { billed, .. } => billed.at(day),
            Volume::Flow(_) => Decimal::ZERO,
        }
    }

    /// What the service month should have brought, to the cent.
    pub(crate) fn expected(&self, month: Month, billing: Billing) -> Decimal {
        match &self.volume {
            Volume::Level { .. } => by_day(month, billing, |day| self.owed_on(day) * self.contract_price.at(day)).round_dp(2),
            Volume::Flow(months) => months.get(&month).map_or(Decimal::ZERO, |usage| {
                let billable = (usage.delivered() - self.included).max(Decimal::ZERO);
                self.usage_amount(month, usage, billable, &self.contract_price)
            }),
        }
    }

    /// What invoices carry for the service month, to the cent.
    pub(crate) fn billed(&self, month: Month, billing: Billing) -> Decimal {
        match &self.volume {
            Volume::Level { .. } => by_day(month, billing, |day| self.billed_on(day) * self.billed_price.at(day)).round_dp(2),
            Volume::Flow(months) => months.get(&month).map_or(Decimal::ZERO, |usage| {
                usage.billed.map_or(Decimal::ZERO, |billed| self.usage_amount(month, usage, billed, &self.billed_price))
            }),
        }
    }

    /// What the vendor charges above `unit_cost` per unit in the month, to the cent.
    pub(crate) fn cost_above(&self, month: Month, unit_cost: Decimal) -> Decimal {
        let rise = self.unit_cost.at(month.first_day()) - unit_cost;
        let units = match &self.volume {
            Volume::Level { delivered, .. } => by_day(month, Billing::Advance, |day| delivered.at(day)),
            Volume::Flow(months) => months.get(&month).map_or(Decimal::ZERO, MonthlyUsage::delivered),
        };
        (units * rise).round_dp(2)
    }

    fn usage_amount(&self, month: Month, usage: &MonthlyUsage, quantity: Decimal, price: &Timeline) -> Decimal {
        match self.terms {
            Some(Terms::CostPlus(percent)) => self.cost_plus(usage.days.as_slice(), percent),
            _ => (quantity * price.at(month.first_day())).round_dp(2),
        }
    }

    /// The vendor's cost of these days and the mark-up on it, to the cent.
    pub(crate) fn cost_plus(&self, days: &[(NaiveDate, Decimal)], percent: i64) -> Decimal {
        let cost: Decimal = days.iter().map(|(day, quantity)| *quantity * self.unit_cost.at(*day)).sum();
        (cost * Decimal::new(100 + percent, 2)).round_dp(2)
    }
}

/// The sum over the month of a daily value at monthly price, each day counting as its share of the billing period.
fn by_day(month: Month, billing: Billing, value: impl Fn(NaiveDate) -> Decimal) -> Decimal {
    let mut total = Decimal::ZERO;
    let mut run: Option<(Decimal, i64, i64)> = None;
    // Equal days are multiplied, not added, so that a full month of a period costs exactly its price.
    for day in Span::month(month).days() {
        let (value, length) = (value(day), billing.period_of(day).n_days());
        run = match run {
            Some((same, period, days)) if same == value && period == length => Some((same, period, days + 1)),
            other => {
                total += share(other);
                Some((value, length, 1))
            }
        };
    }
    total + share(run)
}

fn share(run: Option<(Decimal, i64, i64)>) -> Decimal {
    run.map_or(Decimal::ZERO, |(value, period, days)| value * Decimal::from(days) / Decimal::from(period))
}
