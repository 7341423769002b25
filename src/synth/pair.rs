//! One service of one customer, as its four witnesses know it: the vendor, the PSA, the invoices and the price list.
//!
//! In a clean book the witnesses agree, up to effects that can be explained. A leak is where one of them falls behind;
//! `expected` and `billed` put the difference into money without knowing which leak was planted.

use super::agreement::{Bands, Escalator, Terms};
use super::calendar::{Billing, Span};
use super::catalogue::{Pack, Service};
use super::timeline::Timeline;
use crate::month::Month;
use chrono::NaiveDate;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

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
    /// Units that are owed in any case while the contract runs.
    pub(crate) minimum: Decimal,
    /// A yearly rise of the price that stands in the terms.
    pub(crate) escalator: Option<Escalator>,
    /// Prices by bands of the month's usage.
    pub(crate) bands: Option<Bands>,
    /// No agreement line was ever entered in the PSA.
    pub(crate) missing_in_psa: bool,
    /// The day on which the PSA's line of a metered service ended, before the service did.
    pub(crate) line_ended: Option<NaiveDate>,
    /// The day on which the PSA's line ended and another went on in its place.
    pub(crate) renewed_on: Option<NaiveDate>,
    /// The whole line is `DoNotBill`.
    pub(crate) do_not_bill: bool,
    /// Carries a benign effect that a leak would blur, so none is planted here.
    pub(crate) reserved: bool,
    /// Months of which the last days' usage arrived a month late.
    pub(crate) late_usage: BTreeMap<Month, LateUsage>,
    /// A month whose mid-month changes appear only in the next vendor file.
    pub(crate) late_changes: Option<Month>,
    /// Months of which the vendor found more afterwards than it had reported first.
    pub(crate) restated: BTreeMap<Month, Restatement>,
    /// Units that nobody uses any more and that the vendor charges for all the same, and what became of their users or devices.
    pub(crate) idle: Timeline,
    pub(crate) idle_event: &'static str,
    /// Billing periods that a second invoice carries, by the month they begin in.
    pub(crate) billed_twice: BTreeSet<Month>,
    /// Percent of a billing period's charge that was given back, by the month it begins in.
    pub(crate) given_back: BTreeMap<Month, i64>,
    /// Months whose invoice lines were prepared and never invoiced, in billing systems that show such things.
    pub(crate) forgotten: Option<Forgotten>,
}

/// Months from one to before another, or for good.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forgotten {
    pub(crate) from: Month,
    pub(crate) until: Option<Month>,
}

/// Usage from a day on that arrived after its month was invoiced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LateUsage {
    pub(crate) from: NaiveDate,
    /// Invoiced a month late, else never.
    pub(crate) is_billed: bool,
}

/// Units of a month that its first report did not know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Restatement {
    pub(crate) units: Decimal,
    /// For a meter, the day that they belong to; seats count for the whole month.
    pub(crate) day: NaiveDate,
    /// Invoiced by hand afterwards, else never.
    pub(crate) is_billed: bool,
}

/// A line of the PSA's contract.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AgreedLine {
    /// 0, or 1 for the line that a renewal began.
    pub(crate) number: usize,
    pub(crate) from: NaiveDate,
    /// First day on which it was over, if it ever is.
    pub(crate) until: Option<NaiveDate>,
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
    /// A service that nobody uses, pays for or agreed to yet.
    pub(crate) fn unused(customer: usize, service: &'static Service, since: NaiveDate) -> Self {
        let nothing = Timeline::default;
        Self {
            customer,
            service,
            since,
            until: None,
            volume: Volume::Level { delivered: nothing(), contracted: nothing(), billed: nothing() },
            contract_price: nothing(),
            billed_price: nothing(),
            unit_cost: nothing(),
            included: Decimal::ZERO,
            internal_units: Decimal::ZERO,
            pack: None,
            terms: None,
            minimum: Decimal::ZERO,
            escalator: None,
            bands: None,
            missing_in_psa: false,
            line_ended: None,
            renewed_on: None,
            do_not_bill: false,
            reserved: false,
            late_usage: BTreeMap::new(),
            late_changes: None,
            restated: BTreeMap::new(),
            idle: nothing(),
            idle_event: "suspended",
            billed_twice: BTreeSet::new(),
            given_back: BTreeMap::new(),
            forgotten: None,
        }
    }

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

    /// Days of metered usage that the vendor reports with `month`: late ones of the month before, and all but its own late ones, as they
    /// were first known.
    pub(crate) fn days_known_in(&self, month: Month) -> Vec<(NaiveDate, Decimal)> {
        let is_late = |day: NaiveDate, month| self.late_usage.get(&month).is_some_and(|late| day >= late.from);
        let earlier = month.plus(-1);
        let late = self.days_first_known(earlier).into_iter().filter(|(day, _)| is_late(*day, earlier));
        late.chain(self.days_first_known(month).into_iter().filter(|(day, _)| !is_late(*day, month))).collect()
    }

    /// The days of a month without what the vendor found afterwards.
    fn days_first_known(&self, month: Month) -> Vec<(NaiveDate, Decimal)> {
        let days = self.usage().and_then(|months| months.get(&month)).map_or(&[][..], |usage| &usage.days);
        let unknown = |day: NaiveDate| self.restated.get(&month).filter(|it| it.day == day).map_or(Decimal::ZERO, |it| it.units);
        days.iter().map(|(day, quantity)| (*day, *quantity - unknown(*day))).collect()
    }

    /// The days of a month that were invoiced in the end.
    fn days_invoiced(&self, month: Month, usage: &MonthlyUsage) -> Vec<(NaiveDate, Decimal)> {
        let restated = self.restated.get(&month).is_some_and(|it| !it.is_billed);
        let days = if restated { self.days_first_known(month) } else { usage.days.clone() };
        let lost = self.late_usage.get(&month).filter(|late| !late.is_billed);
        days.into_iter().filter(|(day, _)| lost.is_none_or(|late| *day < late.from)).collect()
    }

    /// The day on which the PSA's last line ended.
    pub(crate) fn contract_end(&self) -> Option<NaiveDate> {
        match &self.volume {
            Volume::Level { contracted, .. } => contracted.end(),
            Volume::Flow(_) => self.line_ended.or(self.until),
        }
    }

    /// The PSA's lines, one after the other.
    pub(crate) fn agreed_lines(&self) -> Vec<AgreedLine> {
        let end = self.contract_end();
        match self.renewed_on {
            None => vec![AgreedLine { number: 0, from: self.since, until: end }],
            Some(day) => vec![
                AgreedLine { number: 0, from: self.since, until: Some(day) },
                AgreedLine { number: 1, from: day, until: end },
            ],
        }
    }

    /// The number of the PSA's line in force on `day`.
    pub(crate) fn line_number_on(&self, day: NaiveDate) -> usize {
        usize::from(self.renewed_on.is_some_and(|renewed| renewed <= day))
    }

    /// Units that the customer owes for on `day`: what it committed to or used, less what is free, and no fewer than the minimum.
    pub(crate) fn owed_on(&self, day: NaiveDate) -> Decimal {
        match &self.volume {
            Volume::Level { delivered, contracted, .. } if !self.do_not_bill => {
                let used = delivered.at(day) - self.internal_units;
                let least = if contracted.at(day).is_zero() { Decimal::ZERO } else { self.minimum };
                (contracted.at(day).max(used) - self.included).max(least)
            }
            _ => Decimal::ZERO,
        }
    }

    /// Seats or devices that the vendor charges for: those in use, and those that only it still counts.
    pub(crate) fn charged(&self) -> Timeline {
        match &self.volume {
            Volume::Level { delivered, .. } => delivered.plus(&self.idle),
            Volume::Flow(_) => Timeline::default(),
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
                match (self.terms, &self.bands) {
                    (Some(Terms::CostPlus(percent)), _) => self.cost_plus(&usage.days, percent),
                    (_, Some(bands)) => bands.graduated(billable).iter().map(|(units, price)| *units * *price).sum(),
                    _ => billable * self.contract_price.at(month.first_day()),
                }
                .round_dp(2)
            }),
        }
    }

    /// What invoices carry for the service month, to the cent; what was given back is not taken off.
    pub(crate) fn billed(&self, month: Month, billing: Billing) -> Decimal {
        let times = |begins: Month| if self.billed_twice.contains(&begins) { Decimal::TWO } else { Decimal::ONE };
        match &self.volume {
            Volume::Level { .. } => by_day(month, billing, |day| {
                self.billed_on(day) * self.billed_price.at(day) * times(Month::of(billing.period_of(day).from))
            })
            .round_dp(2),
            Volume::Flow(months) => {
                let Some((usage, billed)) = months.get(&month).and_then(|usage| Some((usage, usage.billed?))) else {
                    return Decimal::ZERO;
                };
                let amount = match self.terms {
                    Some(Terms::CostPlus(_)) => self.cost_plus_invoiced(month, usage),
                    _ => self.usage_lines(month, billed).iter().map(|(units, price)| (*units * *price).round_dp(2)).sum(),
                };
                amount * times(month)
            }
        }
    }

    /// What was given back of the service month's charge. Only for customers billed by calendar months.
    pub(crate) fn credited(&self, month: Month) -> Decimal {
        let first = month.first_day();
        let Some(percent) = self.given_back.get(&month) else { return Decimal::ZERO };
        let charge = (self.billed_on(first) * self.billed_price.at(first)).round_dp(2);
        (charge * Decimal::new(*percent, 2)).round_dp(2)
    }

    /// Units and prices of the invoice lines for a month's metered quantity.
    pub(crate) fn usage_lines(&self, month: Month, quantity: Decimal) -> Vec<(Decimal, Decimal)> {
        match &self.bands {
            Some(bands) => bands.invoiced(month, quantity),
            None => vec![(quantity, self.billed_price.at(month.first_day()))],
        }
    }

    /// What the vendor charges in the month for units that nobody uses, to the cent.
    pub(crate) fn cost_of_idle(&self, month: Month) -> Decimal {
        by_day(month, Billing::Advance, |day| self.idle.at(day) * self.unit_cost.at(day)).round_dp(2)
    }

    /// What the vendor charges for the month, to the cent.
    pub(crate) fn cost(&self, month: Month) -> Decimal {
        match &self.volume {
            Volume::Level { delivered, .. } => by_day(month, Billing::Advance, |day| delivered.at(day) * self.unit_cost.at(day)),
            Volume::Flow(months) => months.get(&month).map_or(Decimal::ZERO, |usage| {
                usage.days.iter().map(|(day, quantity)| *quantity * self.unit_cost.at(*day)).sum()
            }),
        }
        .round_dp(2)
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

    /// The vendor's cost of what was invoiced of the month, and the mark-up on it, to the cent.
    pub(crate) fn cost_plus_invoiced(&self, month: Month, usage: &MonthlyUsage) -> Decimal {
        match self.terms {
            Some(Terms::CostPlus(percent)) => self.cost_plus(&self.days_invoiced(month, usage), percent),
            _ => Decimal::ZERO,
        }
    }

    /// The vendor's cost of these days and the mark-up on it, to the cent.
    fn cost_plus(&self, days: &[(NaiveDate, Decimal)], percent: i64) -> Decimal {
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
