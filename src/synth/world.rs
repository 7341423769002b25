//! The simulated MSP's true history: who bought what, when, how much, at which price and cost.
//!
//! Built in three steps: a book in which every party agrees (this file), benign effects on top (`benign`), and leaks on
//! some of the remaining pairs (`leaks`). The writers only read it.

use super::agreement::Terms;
use super::calendar::{Billing, Span, months, nth};
use super::catalogue::{SERVICES, Service};
use super::customers::{Currency, Customer, customers};
use super::dice::{Dice, Topic};
use super::invoices::{Line, LineKind};
use super::landscape::{Feed, Msp};
use super::pair::{MonthlyUsage, Pair, Volume};
use super::timeline::Timeline;
use crate::month::Month;
use chrono::NaiveDate;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Days of the month on which people ask for more or fewer seats. The first is the commonest.
pub(crate) const CHANGE_DAYS: [u32; 7] = [1, 1, 1, 8, 11, 18, 22];

/// The cosine of twelve months in percent, for seasons without floating point.
const SEASON: [i64; 12] = [100, 87, 50, 0, -50, -87, -100, -87, -50, 0, 50, 87];

/// Everything that happened.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) first_month: Month,
    pub(crate) n_months: usize,
    pub(crate) customers: Vec<Customer>,
    pub(crate) pairs: Vec<Pair>,
    /// Dollars per euro on the first of each month.
    pub(crate) dollars_per_euro: Vec<(Month, Decimal)>,
    pub(crate) trials: Vec<Trial>,
    pub(crate) one_offs: Vec<OneOff>,
}

/// Licences that cost nothing for a month and are not billed.
pub(crate) struct Trial {
    pub(crate) customer: usize,
    pub(crate) service: &'static Service,
    pub(crate) month: Month,
    pub(crate) seats: Decimal,
}

/// A project or piece of hardware, invoiced once.
pub(crate) struct OneOff {
    pub(crate) customer: usize,
    pub(crate) day: NaiveDate,
    pub(crate) description: &'static str,
    pub(crate) price: Decimal,
    pub(crate) channel: Channel,
}

/// Who invoices a one-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// The PSA, where it was sold.
    Psa,
    /// Whichever system invoices the recurring services.
    Billing,
}

impl World {
    /// A book in which vendor, PSA and invoices agree.
    pub(crate) fn build(seed: u64, n_customers: usize, first_month: Month, n_months: usize) -> Self {
        let month_count = i32::try_from(n_months).unwrap_or(i32::MAX);
        let customers = customers(seed, n_customers, first_month, month_count);
        let mut world = Self {
            seed,
            first_month,
            n_months,
            customers,
            pairs: Vec::new(),
            dollars_per_euro: exchange_rates(seed, first_month, n_months),
            trials: Vec::new(),
            one_offs: Vec::new(),
        };
        for index in 0..world.customers.len() {
            let dice = &mut Dice::new(seed, Topic::Pair, index);
            for service in basket(dice, world.customers[index].is_internal) {
                let number = world.pairs.len();
                let pair = world.pair(dice, index, service, number);
                world.pairs.extend(pair);
            }
        }
        world
    }

    pub(crate) fn months(&self) -> impl Iterator<Item = Month> + use<> {
        months(self.first_month, self.n_months)
    }

    /// The simulated days.
    pub(crate) fn span(&self) -> Span {
        let after = self.months().last().map_or(self.first_month, |last| last.plus(1));
        Span { from: self.first_month.first_day(), until: after.first_day() }
    }

    pub(crate) fn last_month(&self) -> Month {
        self.months().last().unwrap_or(self.first_month)
    }

    /// The day on which somebody ran the last exports.
    pub(crate) fn exported_on(&self) -> NaiveDate {
        nth(self.last_month().plus(1), 10)
    }

    /// Whether the MSP uses something of its own at this customer's site.
    pub(crate) fn uses_at(&self, customer: &Customer) -> bool {
        self.pairs.iter().any(|pair| pair.internal_units > Decimal::ZERO && self.customer_of(pair).key == customer.key)
    }

    /// What one unit of a currency was worth in dollars in a month; before the first known month, as in it.
    pub(crate) fn dollars_per_unit(&self, currency: Currency, month: Month) -> Decimal {
        let known = self.dollars_per_euro.iter().rev().find(|(of, _)| *of <= month).or(self.dollars_per_euro.first());
        match currency {
            Currency::Usd => Decimal::ONE,
            Currency::Eur => known.map_or(Decimal::ONE, |(_, rate)| *rate),
        }
    }

    /// The customers that the MSP knows of.
    pub(crate) fn registered(&self) -> impl Iterator<Item = &Customer> {
        self.customers.iter().filter(|customer| !customer.is_unknown)
    }

    /// Whether the vendor behind `feed` found more of `month` than it had reported.
    pub(crate) fn is_restated(&self, msp: Msp, feed: Feed, month: Month) -> bool {
        self.pairs.iter().any(|pair| pair.restated.contains_key(&month) && msp.feed(pair.service) == Some(feed))
    }

    /// What was given back of an invoice line, if anything was.
    pub(crate) fn given_back(&self, line: &Line) -> Option<Decimal> {
        let pair = &self.pairs[line.pair.filter(|_| line.kind == LineKind::Cycle)?];
        let percent = pair.given_back.get(&Month::of(line.period.from))?;
        Some((line.amount * Decimal::new(*percent, 2)).round_dp(2))
    }

    pub(crate) fn customer_of(&self, pair: &Pair) -> &Customer {
        &self.customers[pair.customer]
    }

    fn pair(&self, dice: &mut Dice, customer: usize, service: &'static Service, number: usize) -> Option<Pair> {
        let buyer = &self.customers[customer];
        let since = start_of(dice, buyer, service, self.first_month);
        let until = buyer.left.map(|left| if is_monthly(service) { Month::of(left).first_day() } else { left });
        if until.is_some_and(|until| until <= since) || since >= self.span().until {
            return None;
        }
        let pack = service.pack.as_ref().filter(|pack| dice.chance(pack.share));
        let terms = terms(dice, buyer, service);
        let included = included(dice, service, terms, pack.is_some());
        let (price, cost) = self.rates(dice, buyer, service, since);
        let volume = if service.is_metered() {
            Volume::Flow(self.flow(service, since, until, included, number))
        } else {
            self.level(dice, buyer, service, since, included, pack.map_or(1, |pack| i64::from(pack.size)))
        };
        Some(Pair {
            customer,
            service,
            since,
            until,
            volume,
            billed_price: price.clone(),
            contract_price: price,
            unit_cost: cost,
            included,
            pack,
            terms,
            do_not_bill: buyer.is_internal,
            reserved: buyer.is_internal,
            ..Pair::unused(customer, service, since)
        })
    }

    /// Contract price and vendor cost, with the vendor's list-price change passed on.
    fn rates(&self, dice: &mut Dice, buyer: &Customer, service: &Service, since: NaiveDate) -> (Timeline, Timeline) {
        let decimals = if service.is_metered() { 4 } else { 2 };
        let rate = Decimal::new(dice.between(92, 112), 2);
        let local = if buyer.currency == Currency::Eur { Decimal::new(93, 2) } else { Decimal::ONE };
        let mut size = Decimal::ONE;
        if service.key == "support" {
            size = Decimal::new(dice.between(8, 50), 1);
        }
        let mut price = Timeline::starting(since, (service.price() * rate * local * size).round_dp(decimals));
        let mut cost = Timeline::starting(since, service.cost());
        if let Some((offset, percent)) = service.list_change {
            let month = self.first_month.plus(offset);
            let factor = Decimal::new(100 + percent, 2);
            let charged_from = buyer.billing.period_starting_in(month).from.max(since);
            let costs_from = month.first_day().max(since);
            price.set(charged_from, (price.at(since) * factor).round_dp(decimals));
            cost.set(costs_from, (service.cost() * factor).round_dp(decimals));
        }
        (price, cost)
    }

    /// Seats, devices, hours or a flat agreement: a walk of hires and leavers that every party follows the same day.
    fn level(
        &self,
        dice: &mut Dice,
        buyer: &Customer,
        service: &Service,
        since: NaiveDate,
        included: Decimal,
        step: i64,
    ) -> Volume {
        let is_licence = service.is_licence();
        let mut count = match service.key {
            "support" | "web_hosting" => 1,
            "support_hours" => step * dice.between(1, 4),
            _ if dice.chance(20) => step * (dice.between(40, 140) / step),
            _ => step * (dice.between(6, 40) / step).max(1),
        };
        let mut quantity = Timeline::starting(since, Decimal::from(count));
        let seasonal = is_licence && step == 1 && dice.chance(4);
        for month in self.months().filter(|_| is_licence) {
            let day = nth(month, dice.pick(CHANGE_DAYS));
            let change = walk(dice, count, step, seasonal, month);
            if day > since && change != 0 && count + change >= step.max(3) {
                count += change;
                quantity.set(day, Decimal::from(count));
            }
        }
        if let Some(left) = buyer.left {
            quantity.hold(left, Decimal::ZERO);
        }
        let mut billed = Timeline::default();
        for day in quantity.changes().collect::<Vec<_>>() {
            let free = if buyer.is_internal { quantity.at(day) } else { included };
            billed.set(day, (quantity.at(day) - free).max(Decimal::ZERO));
        }
        let delivered = if is_licence { quantity.clone() } else { Timeline::default() };
        Volume::Level { delivered, contracted: quantity, billed }
    }

    /// Metered usage with a level, a slow trend, a season and noise that remembers the month before.
    fn flow(
        &self,
        service: &Service,
        since: NaiveDate,
        until: Option<NaiveDate>,
        included: Decimal,
        number: usize,
    ) -> BTreeMap<Month, MonthlyUsage> {
        let dice = &mut Dice::new(self.seed, Topic::Usage, number);
        let is_daily = !is_monthly(service);
        let base = Decimal::from(if is_daily { dice.between(900, 6_000) } else { dice.between(400, 4_000) });
        let trend = Decimal::new(dice.between(-2, 6), 3);
        let season = if dice.chance(15) { dice.between(15, 30) } else { dice.between(0, 3) };
        let peak = dice.between(0, 11);
        let weekend = if dice.chance(30) { Decimal::new(75, 2) } else { Decimal::ONE };
        let mut noise = Decimal::ZERO;
        let mut level = base;
        let mut usage = BTreeMap::new();
        let until = until.unwrap_or(self.span().until);
        for month in self.months() {
            noise = (noise * Decimal::new(5, 1) + dice.bell() * Decimal::new(25, 3)).round_dp(6);
            level = (level * (Decimal::ONE + trend)).round_dp(6);
            let swing = Decimal::new(season * SEASON[season_index(month, peak)], 4);
            let monthly = level * (Decimal::ONE + noise) * (Decimal::ONE + swing);
            let span = Span { from: month.first_day().max(since), until: Span::month(month).until.min(until) };
            let days: Vec<(NaiveDate, Decimal)> = if is_daily {
                span.days().map(|day| (day, daily(dice, monthly, day, weekend))).collect()
            } else {
                span.days().take(1).map(|day| (day, monthly.round_dp(3))).collect()
            };
            if !days.is_empty() {
                let mut entry = MonthlyUsage { days, billed: None };
                entry.billed = Some((entry.delivered() - included).max(Decimal::ZERO));
                usage.insert(month, entry);
            }
        }
        usage
    }
}

/// What a customer buys.
fn basket(dice: &mut Dice, is_internal: bool) -> Vec<&'static Service> {
    if is_internal {
        return SERVICES.iter().filter(|service| matches!(service.key, "m365_e3" | "edr")).collect();
    }
    let mut basket: Vec<&'static Service> = SERVICES.iter().filter(|service| dice.chance(service.share)).collect();
    if basket.is_empty() {
        basket.extend(SERVICES.first());
    }
    basket
}

/// Metered services begin on the first of a month; the others with the customer, some of them later.
fn start_of(dice: &mut Dice, buyer: &Customer, service: &Service, first_month: Month) -> NaiveDate {
    let later = if dice.chance(10) { dice.months(1, 12) } else { 0 };
    if service.is_metered() {
        let month = Month::of(buyer.joined);
        let month = if month.first_day() < buyer.joined { month.plus(1) } else { month };
        return month.plus(later).first_day();
    }
    if later == 0 {
        return buyer.joined;
    }
    let begins = buyer.billing.period_starting_in(Month::of(buyer.joined).max(first_month).plus(later)).from;
    begins.max(buyer.joined)
}

/// Metered once a month, so that the service begins and ends with a month.
fn is_monthly(service: &Service) -> bool {
    service.meter().is_some_and(|meter| !meter.daily)
}

fn terms(dice: &mut Dice, buyer: &Customer, service: &Service) -> Option<Terms> {
    let chosen = match service.key {
        "m365_bp" => (12, Terms::PerUnit),
        "support" => (30, Terms::FlatFee),
        "backup_gb" => (55, Terms::Included),
        "aws_compute" if buyer.currency == Currency::Usd => (25, Terms::CostPlus(dice.pick([15, 20, 25]))),
        _ => return None,
    };
    (dice.chance(chosen.0) && !buyer.is_internal).then_some(chosen.1)
}

/// Units that are free by contract.
fn included(dice: &mut Dice, service: &Service, terms: Option<Terms>, in_packs: bool) -> Decimal {
    match (terms, service.key) {
        (Some(Terms::Included), _) => Decimal::from(dice.pick([100, 100, 200, 250])),
        (None, "m365_bp" | "edr") if !in_packs && dice.chance(6) => Decimal::from(dice.between(1, 2)),
        _ => Decimal::ZERO,
    }
}

/// One month's hires less leavers.
fn walk(dice: &mut Dice, count: i64, step: i64, seasonal: bool, month: Month) -> i64 {
    if seasonal {
        // Extra hands for the holidays: in at the start of November, gone at the start of January.
        let extra = (count / 6).max(1);
        match month.index().rem_euclid(12) {
            10 => return extra,
            0 => return -(count / 7).max(1),
            _ => {}
        }
    }
    if !dice.chance(if step == 1 { 24 } else { 8 }) {
        return 0;
    }
    let size = step * dice.between(1, (count / step / 18).max(2));
    if dice.chance(58) { size } else { -size }
}

fn season_index(month: Month, peak: i64) -> usize {
    let distance = (i64::from(month.index()) - peak).rem_euclid(12);
    usize::try_from(distance).unwrap_or(0)
}

fn daily(dice: &mut Dice, monthly: Decimal, day: NaiveDate, weekend: Decimal) -> Decimal {
    use chrono::{Datelike, Weekday};
    let usual = match day.weekday() {
        Weekday::Sat | Weekday::Sun => weekend,
        _ => Decimal::ONE,
    };
    let noise = Decimal::ONE + dice.bell() * Decimal::new(4, 2);
    (monthly / Decimal::from(30) * usual * noise).round_dp(3)
}

/// A slow walk between 1.02 and 1.20 dollars per euro.
fn exchange_rates(seed: u64, first_month: Month, n_months: usize) -> Vec<(Month, Decimal)> {
    let dice = &mut Dice::new(seed, Topic::Exchange, 0);
    let mut rate = Decimal::new(1_095, 3);
    months(first_month, n_months + 1)
        .map(|month| {
            rate = (rate + dice.bell() * Decimal::new(12, 3)).clamp(Decimal::new(102, 2), Decimal::new(120, 2));
            rate = rate.round_dp(4);
            (month, rate)
        })
        .collect()
}

impl Billing {
    /// What a PSA calls it.
    pub(crate) fn period_type(self) -> &'static str {
        match self {
            Self::Arrears => "Current",
            Self::Advance | Self::Anchor15 => "Future",
        }
    }
}
