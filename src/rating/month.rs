//! Rating of one customer, service and month.

use super::day::{Day, owed, rate_day};
use super::input::{MonthInput, stretches};
use super::terms::{Model, Proration, Terms};
use crate::money::round_to_minor_unit;
use rust_decimal::Decimal;

/// The month, rated. Quantities are means over the days of the month (flows: totals).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rated {
    /// What was delivered; none if nothing says.
    pub delivered: Option<Decimal>,
    /// What was committed; none if no contract line was in force.
    pub contracted: Option<Decimal>,
    /// What is to be billed.
    pub billable: Decimal,
    /// What would be to be billed if nothing had been delivered beyond the contract.
    pub billable_contracted: Decimal,
    /// Money for `billable`; none if no price is known.
    pub expected: Option<Decimal>,
    /// Money for `billable_contracted`.
    pub expected_contracted: Option<Decimal>,
    /// Part of `expected` that is owed for a minimum alone.
    pub minimum_due: Decimal,
    /// Money for the billed quantity by the same terms; none if it was not given, or units have no price.
    pub expected_billed: Option<Decimal>,
    /// Price of a unit, mean over the days on which one is known; for tiers what a unit came to.
    pub unit_price: Option<Decimal>,
    /// Active users or devices.
    pub active: Option<Decimal>,
    /// Suspended users or devices.
    pub suspended: Option<Decimal>,
    /// What vendors say is there, suspended ones included; none if they state no level.
    pub reported: Option<Decimal>,
    /// Suspended users or devices that vendors still count, and charge for.
    pub suspended_charged: Decimal,
    /// How quantity became money.
    pub price_model: PriceModel,
    /// Whether the contract says on all its days that nothing is to be billed.
    pub is_not_billable: bool,
}

/// How quantity became money in a month, by the strongest that was in force on some day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum PriceModel {
    /// No price is known.
    #[default]
    Unpriced,
    /// A price for each unit.
    PerUnit,
    /// Tiers.
    Tiered,
    /// A fee, and a price for what lies beyond its allowance.
    FlatFeeOverage,
    /// A mark-up on cost.
    CostPlus,
    /// A fee, whatever was used.
    FlatFee,
}

impl PriceModel {
    /// Its name in `fact_monthly.price_model`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unpriced => "unpriced",
            Self::PerUnit => "per_unit",
            Self::Tiered => "tiered",
            Self::FlatFeeOverage => "flat_fee_overage",
            Self::CostPlus => "cost_plus",
            Self::FlatFee => "flat_fee",
        }
    }

    fn of(terms: &Terms) -> Self {
        match &terms.model {
            Model::Unreadable => Self::Unpriced,
            Model::PerUnit(_) => Self::PerUnit,
            Model::Graduated(_) | Model::Volume(_) => Self::Tiered,
            Model::FlatFee(_) if terms.overage_unit_price.is_some() => Self::FlatFeeOverage,
            Model::FlatFee(_) => Self::FlatFee,
            Model::CostPlus(_) => Self::CostPlus,
        }
    }
}

/// Digits after the point that are meant: thirds and thirty-firsts end somewhere behind, and must not make less of an exact half
/// of a cent.
const DIGITS: u32 = 15;

/// Rates a month. `None` only if a product leaves the range of 28 digits.
#[must_use]
pub fn rate(input: &MonthInput) -> Option<Rated> {
    let length = Decimal::from(input.month_end - input.month_start);
    let mut sums = Sums::default();
    for (from, to) in stretches(input) {
        sums.add(input, rate_day(input, from)?, from, to)?;
    }
    let mean = |sum: Decimal| sum.checked_div(length);
    let contracted = if sums.is_contracted { Some(mean(sums.contracted)?) } else { None };
    let mut rated = Rated {
        delivered: if sums.is_delivered { Some(mean(sums.delivered)?) } else { None },
        contracted,
        billable: mean(sums.billable)?,
        billable_contracted: mean(sums.billable_contracted)?,
        unit_price: if sums.priced_days.is_zero() { None } else { sums.price.checked_div(sums.priced_days) },
        active: if sums.has_lifecycle { Some(mean(sums.active)?) } else { None },
        suspended: if sums.has_lifecycle { Some(mean(sums.suspended)?) } else { None },
        reported: if sums.is_reported { Some(mean(sums.reported)?) } else { None },
        suspended_charged: mean(sums.suspended_charged)?,
        price_model: sums.price_model,
        is_not_billable: !input.contract.is_empty()
            && input.terms.is_empty()
            && input.contract.iter().all(|line| !line.is_billable),
        ..Rated::default()
    };
    let mut money = sums.money;
    if let Some(flow) = input.delivered.flow {
        // Consumption has no level on a day: what lies beyond the mean commitment is added once for the month.
        rated.delivered = Some(rated.delivered.unwrap_or_default().checked_add(flow)?);
        let covered = rated.billable_contracted;
        let basis = input.terms.last().map(|terms| terms.basis).unwrap_or_default();
        let minimum = input.terms.last().map_or(Decimal::ZERO, |terms| terms.minimum);
        let (owed, _) = owed(basis, contracted.unwrap_or_default(), flow);
        let billable = (owed - mean(sums.included)?).max(minimum).max(Decimal::ZERO);
        let beyond = (billable - covered).max(Decimal::ZERO);
        rated.billable = rated.billable.checked_add(beyond)?;
        let charged = |quantity| sums.charged(quantity, covered);
        money.by_priced_days = charged(covered.checked_add(beyond)?)?.checked_sub(charged(covered)?)?;
        money.priced_days = sums.versions.iter().map(|version| version.days).sum();
    }
    if sums.is_priced {
        let round = |money: Decimal| Some(round_to_minor_unit(money.round_dp(DIGITS), &input.currency));
        rated.expected = round(money.of_month(length)?);
        rated.expected_contracted = round(sums.money_contracted.of_month(length)?);
        rated.expected_billed = match input.billed {
            Some(billed) if !sums.versions.is_empty() => round(sums.billed(billed, rated.billable_contracted, length)?),
            _ => None,
        };
    }
    rated.minimum_due = minimum_due(input, rated.expected)?;
    Some(rated)
}

/// What would not be owed without the minimum.
fn minimum_due(input: &MonthInput, expected: Option<Decimal>) -> Option<Decimal> {
    let Some(expected) = expected.filter(|_| input.terms.iter().any(|terms| !terms.minimum.is_zero())) else {
        return Some(Decimal::ZERO);
    };
    let mut free = input.clone();
    free.terms.iter_mut().for_each(|terms| terms.minimum = Decimal::ZERO);
    expected.checked_sub(rate(&free)?.expected.unwrap_or_default())
}

/// Money of stretches, each in the fraction of the month that its terms give it: summed as whole numerators and divided once, so that
/// an exact half of a cent is one.
#[derive(Clone, Copy, Debug, Default)]
struct Prorated {
    by_days: Decimal,
    by_thirtieths: Decimal,
    /// Money of a month weighted by days of which `priced_days` count.
    by_priced_days: Decimal,
    priced_days: Decimal,
}

impl Prorated {
    fn add(&mut self, money: Decimal, proration: Proration, part: Decimal) -> Option<()> {
        let sum = match proration {
            Proration::ActualDays => &mut self.by_days,
            Proration::ThirtyDays => &mut self.by_thirtieths,
        };
        *sum = sum.checked_add(money.checked_mul(part)?)?;
        Some(())
    }

    fn of_month(&self, length: Decimal) -> Option<Decimal> {
        let parts = [(self.by_days, length), (self.by_thirtieths, Decimal::from(30)), (self.by_priced_days, self.priced_days)];
        let (mut sum, mut whole) = (Decimal::ZERO, Decimal::ONE);
        for (part, of) in parts.into_iter().filter(|(part, _)| !part.is_zero()) {
            if of == whole {
                sum = sum.checked_add(part)?;
            } else {
                sum = sum.checked_mul(of)?.checked_add(part.checked_mul(whole)?)?;
                whole = whole.checked_mul(of)?;
            }
        }
        sum.checked_div(whole)
    }
}

/// Terms that price units, on how many days.
#[derive(Debug)]
struct Version {
    terms: Terms,
    own_price: Option<Decimal>,
    days: Decimal,
    part: Decimal,
}

#[derive(Debug, Default)]
struct Sums {
    delivered: Decimal,
    is_delivered: bool,
    contracted: Decimal,
    is_contracted: bool,
    billable: Decimal,
    billable_contracted: Decimal,
    money: Prorated,
    money_contracted: Prorated,
    is_priced: bool,
    price: Decimal,
    priced_days: Decimal,
    included: Decimal,
    active: Decimal,
    suspended: Decimal,
    has_lifecycle: bool,
    reported: Decimal,
    is_reported: bool,
    suspended_charged: Decimal,
    price_model: PriceModel,
    versions: Vec<Version>,
}

impl Sums {
    fn add(&mut self, input: &MonthInput, day: Day, from: i32, to: i32) -> Option<()> {
        let days = Decimal::from(to - from);
        let start = input.month_start;
        let (part, _) = day.terms.proration.share(from - start, to - start, input.month_end - start);
        let add = |sum: &mut Decimal, value: Decimal| -> Option<()> {
            *sum = sum.checked_add(value.checked_mul(days)?)?;
            Some(())
        };
        if let Some(delivered) = day.delivered {
            self.is_delivered = true;
            add(&mut self.delivered, delivered)?;
        }
        if let Some(contracted) = day.contracted {
            self.is_contracted = true;
            add(&mut self.contracted, contracted)?;
        }
        add(&mut self.billable, day.billable)?;
        add(&mut self.billable_contracted, day.billable_contracted)?;
        add(&mut self.included, day.included)?;
        if let (Some(money), Some(money_contracted)) = (day.money, day.money_contracted) {
            self.is_priced = true;
            self.price_model = self.price_model.max(PriceModel::of(&day.terms));
            self.money.add(money, day.terms.proration, part)?;
            self.money_contracted.add(money_contracted, day.terms.proration, part)?;
        }
        if let Some(price) = day.unit_price {
            add(&mut self.price, price)?;
            self.priced_days = self.priced_days.checked_add(days)?;
        }
        if let (Some(active), Some(suspended)) = (day.active, day.suspended) {
            self.has_lifecycle = true;
            add(&mut self.active, active)?;
            add(&mut self.suspended, suspended)?;
        }
        if let Some(reported) = day.reported {
            self.is_reported = true;
            add(&mut self.reported, reported)?;
        }
        add(&mut self.suspended_charged, day.suspended_charged)?;
        let prices_units = day.terms.charge(Decimal::ZERO, Decimal::ZERO, day.own_price)?.is_some();
        if prices_units {
            self.versions.push(Version { terms: day.terms, own_price: day.own_price, days, part });
        }
        Some(())
    }

    /// What a quantity of the whole month comes to, times the days on which units had a price.
    fn charged(&self, quantity: Decimal, committed: Decimal) -> Option<Decimal> {
        self.versions.iter().try_fold(Decimal::ZERO, |sum, version| {
            let charge = version.terms.charge(quantity, committed, version.own_price)?.unwrap_or_default();
            sum.checked_add(charge.checked_mul(version.days)?)
        })
    }

    /// What the terms make of a billed quantity, which is a mean over the month: on the days that had a price it was larger.
    fn billed(&self, quantity: Decimal, committed: Decimal, length: Decimal) -> Option<Decimal> {
        let days: Decimal = self.versions.iter().map(|version| version.days).sum();
        let on_its_days = |mean: Decimal| if days == length { Some(mean) } else { mean.checked_mul(length)?.checked_div(days) };
        let (quantity, committed) = (on_its_days(quantity)?, on_its_days(committed)?);
        let mut money = Prorated::default();
        for version in &self.versions {
            let charge = version.terms.charge(quantity, committed, version.own_price)?.unwrap_or_default();
            money.add(charge, version.terms.proration, version.part)?;
        }
        money.of_month(length)
    }
}

#[cfg(test)]
mod tests {
    use super::super::input::{ContractSegment, Delivered, Segment};
    use super::super::terms::Basis;
    use super::super::tiers::Tiers;
    use super::*;
    use proptest::prelude::*;
    use rust_decimal::prelude::FromPrimitive;

    fn dec(text: &str) -> Decimal {
        text.parse().expect("a decimal")
    }

    fn segment(from: i32, to: i32, quantity: &str) -> Segment {
        Segment { from, to, quantity: dec(quantity) }
    }

    fn line(from: i32, to: i32, quantity: &str, price: &str) -> ContractSegment {
        ContractSegment {
            days: segment(from, to, quantity),
            included: Decimal::ZERO,
            unit_price: Some(dec(price)),
            is_billable: true,
        }
    }

    fn terms(model: Model) -> Terms {
        Terms {
            from: 0,
            to: 31,
            model,
            overage_unit_price: None,
            included: Decimal::ZERO,
            minimum: Decimal::ZERO,
            basis: Basis::Max,
            proration: Proration::ActualDays,
        }
    }

    fn july() -> MonthInput {
        MonthInput { month_start: 0, month_end: 31, currency: "USD".to_owned(), ..MonthInput::default() }
    }

    #[test]
    fn worked_example_seats_are_prorated_by_day() {
        let mut input = july();
        input.contract = vec![line(0, 15, "40", "22"), line(15, 31, "46", "22")];
        input.delivered.levels = vec![segment(0, 15, "40"), segment(15, 31, "46")];
        assert_eq!(rate(&input).expect("rated").expected, Some(dec("948.13")));
        input.contract = vec![line(0, 31, "46", "22")];
        input.delivered.levels = vec![segment(0, 31, "48")];
        let september = rate(&input).expect("rated");
        assert_eq!(september.expected, Some(dec("1056.00")));
        assert_eq!(september.expected_contracted, Some(dec("1012.00")));
    }

    #[test]
    fn worked_example_suspended_devices_are_no_delivery() {
        let mut input = july();
        input.contract = vec![line(0, 31, "10", "7")];
        input.delivered.levels = vec![segment(0, 31, "15")];
        input.lifecycle.suspended = vec![segment(0, 31, "1"); 5];
        let rated = rate(&input).expect("rated");
        assert_eq!(rated.expected, Some(dec("70.00")));
        assert_eq!((rated.reported, rated.suspended_charged), (Some(dec("15")), dec("5")));
        input.lifecycle.active = vec![segment(0, 31, "1"); 10];
        input.lifecycle.is_complete = true;
        assert_eq!(rate(&input).expect("rated").expected, Some(dec("70.00")));
    }

    /// Five were replaced by others, and five came besides: what the list shows alive is delivered, and nobody suspended is charged for.
    #[test]
    fn replaced_devices_hide_no_new_ones() {
        let mut input = july();
        input.contract = vec![line(0, 31, "10", "7")];
        input.delivered.levels = vec![segment(0, 31, "15")];
        input.lifecycle.suspended = vec![segment(0, 31, "1"); 5];
        input.lifecycle.active = vec![segment(0, 31, "1"); 15];
        let rated = rate(&input).expect("rated");
        assert_eq!(rated.expected, Some(dec("105.00")));
        assert_eq!((rated.delivered, rated.suspended_charged), (Some(dec("15")), dec("0")));
    }

    #[test]
    fn worked_example_included_gigabytes_are_free() {
        let mut input = july();
        input.terms = vec![Terms { included: dec("100"), ..terms(Model::PerUnit(Some(dec("0.25")))) }];
        input.delivered.flow = Some(dec("340"));
        assert_eq!(rate(&input).expect("rated").expected, Some(dec("60.00")));
        input.delivered = Delivered { levels: vec![segment(0, 31, "400")], ..Delivered::default() };
        assert_eq!(rate(&input).expect("rated").expected, Some(dec("75.00")));
    }

    #[test]
    fn flat_fee_ignores_usage_and_is_prorated() {
        let mut input = july();
        let fee = terms(Model::FlatFee(dec("100")));
        input.terms = vec![fee.clone()];
        input.delivered.flow = Some(dec("999"));
        assert_eq!(rate(&input).expect("rated").expected, Some(dec("100.00")));
        input.terms = vec![Terms { from: 10, ..fee }];
        assert_eq!(rate(&input).expect("rated").expected, Some(dec("67.74")));
    }

    #[test]
    fn lines_that_are_not_billed_cover_their_units() {
        let mut input = july();
        input.contract = vec![line(0, 31, "20", "10"), ContractSegment { is_billable: false, ..line(0, 31, "5", "10") }];
        input.delivered.levels = vec![segment(0, 31, "25")];
        assert_eq!(rate(&input).expect("rated").expected, Some(dec("200.00")));
        input.contract.remove(0);
        input.delivered.levels = vec![segment(0, 31, "5")];
        let internal = rate(&input).expect("rated");
        assert_eq!(internal.expected, Some(dec("0.00")));
        assert!(internal.is_not_billable);
    }

    #[test]
    fn without_a_price_there_is_no_expectation() {
        let mut input = july();
        input.contract = vec![ContractSegment { unit_price: None, ..line(0, 31, "1", "0") }];
        input.delivered.flow = Some(dec("340"));
        let rated = rate(&input).expect("rated");
        assert_eq!((rated.expected, rated.delivered), (None, Some(dec("340"))));
    }

    #[test]
    fn worked_example_cloud_is_cost_plus_twenty_percent() {
        let mut input = july();
        input.terms = vec![terms(Model::CostPlus(dec("20")))];
        input.delivered.cost = Some(dec("500"));
        let rated = rate(&input).expect("rated");
        assert_eq!((rated.expected, rated.price_model), (Some(dec("600.00")), PriceModel::CostPlus));
        // Terms that end within the month mark up their share of it.
        input.terms[0].to = 15;
        assert_eq!(rate(&input).expect("rated").expected, Some(dec("290.32")));
        input.delivered.cost = None;
        assert_eq!(rate(&input).expect("rated").expected, None);
    }

    #[test]
    fn tiers_charge_the_quantity_of_the_month_and_the_billed_one_alike() {
        let mut input = july();
        input.terms = vec![Terms { included: dec("10"), ..terms(Model::Graduated(Tiers::parse("100:2;:1").expect("tiers"))) }];
        input.delivered.flow = Some(dec("310"));
        input.billed = Some(dec("150"));
        let rated = rate(&input).expect("rated");
        assert_eq!((rated.expected, rated.expected_billed), (Some(dec("400.00")), Some(dec("250.00"))));
        assert_eq!(rated.unit_price, None);
        // A level on ten of 31 days costs ten days of its tier, not the tier of a third of it.
        input.delivered = Delivered { levels: vec![segment(0, 10, "210")], ..Delivered::default() };
        assert_eq!(rate(&input).expect("rated").expected, Some(dec("96.77")));
    }

    #[test]
    fn minimums_are_owed_once_and_overage_has_its_price() {
        let mut input = july();
        let minimum = Terms { minimum: dec("100"), ..terms(Model::PerUnit(Some(dec("2")))) };
        input.terms = vec![minimum.clone()];
        for (flow, expected) in [("50", "200.00"), ("100", "200.00"), ("130", "260.00")] {
            input.delivered.flow = Some(dec(flow));
            let rated = rate(&input).expect("rated");
            assert_eq!(rated.expected, Some(dec(expected)), "{flow}");
            assert_eq!(rated.minimum_due, if flow == "50" { dec("100.00") } else { Decimal::ZERO }, "{flow}");
        }
        input.terms = vec![Terms { overage_unit_price: Some(dec("3")), ..minimum }];
        assert_eq!(rate(&input).expect("rated").expected, Some(dec("290.00")));
        let fee = Terms { included: dec("100"), overage_unit_price: Some(dec("0.5")), ..terms(Model::FlatFee(dec("80"))) };
        input.terms = vec![fee];
        let rated = rate(&input).expect("rated");
        assert_eq!((rated.expected, rated.price_model), (Some(dec("95.00")), PriceModel::FlatFeeOverage));
    }

    #[test]
    fn months_of_thirty_days_prorate_by_thirtieths() {
        let mut input = july();
        let fee = Terms { from: 15, proration: Proration::ThirtyDays, ..terms(Model::FlatFee(dec("100"))) };
        input.terms = vec![fee];
        assert_eq!(rate(&input).expect("rated").expected, Some(dec("50.00")));
        input.terms[0].from = 0;
        assert_eq!(rate(&input).expect("rated").expected, Some(dec("100.00")));
    }

    #[test]
    fn terms_that_change_within_the_month_split_it() {
        let mut input = july();
        let at = |from, to, price: &str| Terms { from, to, ..terms(Model::PerUnit(Some(dec(price)))) };
        input.terms = vec![at(0, 10, "31"), at(10, 31, "62")];
        input.delivered.levels = vec![segment(0, 31, "1")];
        assert_eq!(rate(&input).expect("rated").expected, Some(dec("52.00")));
        input.delivered = Delivered { flow: Some(dec("3")), ..Delivered::default() };
        assert_eq!(rate(&input).expect("rated").expected, Some(dec("156.00")));
        input.delivered.flow = None;
        input.billed = Some(dec("1"));
        assert_eq!(rate(&input).expect("rated").expected_billed, Some(dec("52.00")));
    }

    /// A plain rating, one day at a time in twentieths of a cent, to compare with.
    fn plainly(input: &MonthInput) -> Decimal {
        let mut money = Decimal::ZERO;
        for day in input.month_start..input.month_end {
            let on = |s: &Segment| s.from <= day && day < s.to;
            let c: Decimal = input.contract.iter().filter(|l| on(&l.days)).map(|l| l.days.quantity).sum();
            let d: Decimal = input.delivered.levels.iter().filter(|s| on(s)).map(|s| s.quantity).sum();
            let priced = input.contract.iter().any(|l| on(&l.days));
            if priced {
                money += c.max(d) * dec("22");
            }
        }
        round_to_minor_unit(money / Decimal::from(input.month_end - input.month_start), "USD")
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_daily_sum(
            lines in prop::collection::vec((0..31_i32, 1..31_i32, 0..500_u32), 0..4),
            levels in prop::collection::vec((0..31_i32, 1..31_i32, 0..500_u32), 0..4),
        ) {
            let quantity = |q: u32| Decimal::from_u32(q).expect("small");
            let mut input = july();
            input.contract = lines.iter().map(|&(from, n, q)| ContractSegment {
                days: Segment { from, to: (from + n).min(31), quantity: quantity(q) },
                included: Decimal::ZERO, unit_price: Some(dec("22")), is_billable: true,
            }).collect();
            input.delivered.levels =
                levels.iter().map(|&(from, n, q)| Segment { from, to: (from + n).min(31), quantity: quantity(q) }).collect();
            let rated = rate(&input).expect("rated");
            prop_assert_eq!(rated.expected.unwrap_or_default(), plainly(&input));
        }
    }
}
