//! Rating of one customer, service and month.

use crate::money::round_to_minor_unit;
use rust_decimal::Decimal;

/// Days of a month by number since 1970: `from` inclusive, `to` exclusive, and a level that held on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// First day.
    pub from: i32,
    /// Day after the last.
    pub to: i32,
    /// The level.
    pub quantity: Decimal,
}

/// A contract line as it stood on some days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContractSegment {
    /// Days and quantity.
    pub days: Segment,
    /// Part of the quantity that is free.
    pub included: Decimal,
    /// Price of a unit and month, if the PSA knows it.
    pub unit_price: Option<Decimal>,
    /// Whether the line is billed to the customer at all.
    pub is_billable: bool,
}

/// Written terms as they stood on some days; they outrank the PSA's prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermsSegment {
    /// First day.
    pub from: i32,
    /// Day after the last.
    pub to: i32,
    /// A fixed fee for a month instead of a price for a unit.
    pub flat_fee: Option<Decimal>,
    /// Price of a unit and month.
    pub unit_price: Option<Decimal>,
    /// Whether these terms can be rated: tiers, mark-ups, overage prices and escalators cannot yet, and are left without a price
    /// rather than rated wrongly.
    pub is_rated: bool,
    /// Free units.
    pub included: Decimal,
    /// Units that are billed even if neither committed nor used.
    pub minimum: Decimal,
    /// Which quantity counts.
    pub basis: Basis,
}

/// Which quantity a service is billed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Basis {
    /// The larger of the two.
    #[default]
    Max,
    /// What the PSA says.
    Contracted,
    /// What was delivered.
    Delivered,
}

/// What vendors say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Levels, which add up day by day.
    pub levels: Vec<Segment>,
    /// Consumption of the month, if any was reported.
    pub flow: Option<Decimal>,
}

/// What is known of single users and devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifecycle {
    /// Active ones, one segment each.
    pub active: Vec<Segment>,
    /// Suspended, cancelled or removed ones.
    pub suspended: Vec<Segment>,
    /// Whether every subject's start is known, so that the active ones are all there are.
    pub is_complete: bool,
}

/// Everything that decides a month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MonthInput {
    /// First day of the month.
    pub month_start: i32,
    /// First day of the next.
    pub month_end: i32,
    /// Currency of the prices, for rounding.
    pub currency: String,
    /// Deliveries.
    pub delivered: Delivered,
    /// Contract lines.
    pub contract: Vec<ContractSegment>,
    /// Written terms.
    pub terms: Vec<TermsSegment>,
    /// Users and devices.
    pub lifecycle: Lifecycle,
}

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
    /// Price of one more unit, mean over the days on which one is known.
    pub unit_price: Option<Decimal>,
    /// Active users or devices.
    pub active: Option<Decimal>,
    /// Suspended users or devices.
    pub suspended: Option<Decimal>,
    /// Whether a fixed fee was in force on some day.
    pub is_flat_fee: bool,
    /// Whether the contract says on all its days that nothing is to be billed.
    pub is_not_billable: bool,
}

/// Quantities and prices that hold on some days.
#[derive(Clone, Copy, Debug, Default)]
struct Day {
    delivered: Option<Decimal>,
    contracted: Option<Decimal>,
    billable: Decimal,
    billable_contracted: Decimal,
    money: Option<Decimal>,
    money_contracted: Option<Decimal>,
    price: Option<Decimal>,
    included: Decimal,
    active: Option<Decimal>,
    suspended: Option<Decimal>,
    is_flat_fee: bool,
}

/// Rates a month. `None` only if a product leaves the range of 28 digits.
#[must_use]
pub fn rate(input: &MonthInput) -> Option<Rated> {
    let length = Decimal::from(input.month_end - input.month_start);
    let mut sums = Sums::default();
    for (from, to) in stretches(input) {
        let day = rate_day(input, from)?;
        sums.add(&day, Decimal::from(to - from))?;
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
        is_flat_fee: sums.is_flat_fee,
        is_not_billable: !input.contract.is_empty()
            && input.terms.is_empty()
            && input.contract.iter().all(|line| !line.is_billable),
        expected: None,
        expected_contracted: None,
    };
    let mut money = mean(sums.money)?;
    let money_contracted = mean(sums.money_contracted)?;
    if let Some(flow) = input.delivered.flow {
        // Consumption has no level on a day: what lies beyond the mean commitment is added once for the month.
        rated.delivered = Some(rated.delivered.unwrap_or_default().checked_add(flow)?);
        let included = mean(sums.included)?;
        let committed = contracted.unwrap_or_default();
        let covered = (committed - included).max(Decimal::ZERO);
        let billable = (flow.max(committed) - included).max(Decimal::ZERO);
        let beyond = (billable - covered).max(Decimal::ZERO);
        rated.billable = rated.billable.checked_add(beyond)?;
        if let (Some(price), false) = (rated.unit_price, rated.is_flat_fee) {
            money = money.checked_add(beyond.checked_mul(price)?)?;
        }
    }
    if sums.is_priced {
        rated.expected = Some(round_to_minor_unit(money, &input.currency));
        rated.expected_contracted = Some(round_to_minor_unit(money_contracted, &input.currency));
    }
    Some(rated)
}

#[derive(Debug, Default)]
struct Sums {
    delivered: Decimal,
    is_delivered: bool,
    contracted: Decimal,
    is_contracted: bool,
    billable: Decimal,
    billable_contracted: Decimal,
    money: Decimal,
    money_contracted: Decimal,
    is_priced: bool,
    price: Decimal,
    priced_days: Decimal,
    included: Decimal,
    active: Decimal,
    suspended: Decimal,
    has_lifecycle: bool,
    is_flat_fee: bool,
}

impl Sums {
    fn add(&mut self, day: &Day, days: Decimal) -> Option<()> {
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
            add(&mut self.money, money)?;
            add(&mut self.money_contracted, money_contracted)?;
        }
        if let Some(price) = day.price {
            add(&mut self.price, price)?;
            self.priced_days = self.priced_days.checked_add(days)?;
        }
        if let (Some(active), Some(suspended)) = (day.active, day.suspended) {
            self.has_lifecycle = true;
            add(&mut self.active, active)?;
            add(&mut self.suspended, suspended)?;
        }
        self.is_flat_fee |= day.is_flat_fee;
        Some(())
    }
}

/// The month cut wherever anything changes.
fn stretches(input: &MonthInput) -> Vec<(i32, i32)> {
    let mut cuts = vec![input.month_start, input.month_end];
    let levels = input.delivered.levels.iter().chain(&input.lifecycle.active).chain(&input.lifecycle.suspended);
    let segments = levels.copied().chain(input.contract.iter().map(|line| line.days));
    cuts.extend(segments.flat_map(|s| [s.from, s.to]));
    cuts.extend(input.terms.iter().flat_map(|t| [t.from, t.to]));
    cuts.retain(|day| (input.month_start..=input.month_end).contains(day));
    cuts.sort_unstable();
    cuts.dedup();
    cuts.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

/// The level on a day; none if no segment covers it.
fn level(segments: &[Segment], day: i32) -> Option<Decimal> {
    let mut covering = segments.iter().filter(|s| s.from <= day && day < s.to).peekable();
    covering.peek()?;
    covering.try_fold(Decimal::ZERO, |sum, s| sum.checked_add(s.quantity))
}

fn rate_day(input: &MonthInput, day: i32) -> Option<Day> {
    let lines: Vec<&ContractSegment> = input.contract.iter().filter(|line| line.days.from <= day && day < line.days.to).collect();
    let terms = input.terms.iter().rev().find(|t| t.from <= day && day < t.to);
    // A line without a price beside metered consumption is a placeholder ("1 x as used"), not a commitment.
    let commits = |line: &&&ContractSegment| line.unit_price.is_some() || input.delivered.flow.is_none();
    let contracted =
        if lines.is_empty() { None } else { Some(lines.iter().filter(commits).map(|l| l.days.quantity).sum::<Decimal>()) };
    let vendor = level(&input.delivered.levels, day);
    let (active, suspended) = lifecycle_counts(&input.lifecycle, day);
    let delivered = delivered_level(vendor, contracted, active, suspended, input.lifecycle.is_complete);

    // Units that the contract gives away: allowances, and lines that are kept but not billed.
    let given_away: Decimal = lines.iter().map(|l| if l.is_billable { l.included } else { l.days.quantity }).sum::<Decimal>();
    let included = given_away + terms.map_or(Decimal::ZERO, |t| t.included);
    let basis = terms.map_or(Basis::Max, |t| t.basis);
    let committed = contracted.unwrap_or_default();
    let used = delivered.unwrap_or_default();
    let owed = match basis {
        Basis::Max => committed.max(used),
        Basis::Contracted => committed,
        Basis::Delivered => used,
    };
    let owed_by_contract = if basis == Basis::Delivered { Decimal::ZERO } else { committed };
    let minimum = terms.map_or(Decimal::ZERO, |t| t.minimum);
    let billable = (owed - included).max(minimum).max(Decimal::ZERO);
    let billable_contracted = (owed_by_contract - included).max(minimum).max(Decimal::ZERO);

    let mut result = Day { delivered, contracted, billable, billable_contracted, included, active, suspended, ..Day::default() };
    if terms.is_some_and(|t| !t.is_rated) {
        return Some(result);
    }
    if let Some(fee) = terms.and_then(|t| t.flat_fee) {
        result.is_flat_fee = true;
        result.money = Some(fee);
        result.money_contracted = Some(fee);
        return Some(result);
    }
    let priced: Vec<(&&ContractSegment, Decimal)> =
        lines.iter().filter(|l| l.is_billable).filter_map(|l| Some((l, l.unit_price?))).collect();
    let price = terms.and_then(|t| t.unit_price).or_else(|| priced.iter().max_by_key(|(l, _)| l.days.from).map(|(_, p)| *p));
    result.price = price;
    let Some(price) = price else {
        // A line that is given away has a price: nothing.
        let is_free = !lines.is_empty() && lines.iter().all(|l| !l.is_billable);
        result.money = is_free.then_some(Decimal::ZERO);
        result.money_contracted = result.money;
        return Some(result);
    };
    let own_prices = terms.is_none_or(|t| t.unit_price.is_none()) && priced.iter().any(|(_, p)| *p != price);
    let money_contracted = if own_prices {
        // Lines at different prices: each covers its own units, the allowance stays with its line.
        priced.iter().try_fold(Decimal::ZERO, |sum, (line, price)| {
            sum.checked_add((line.days.quantity - line.included).max(Decimal::ZERO).checked_mul(*price)?)
        })?
    } else {
        billable_contracted.checked_mul(price)?
    };
    let beyond = (billable - billable_contracted).checked_mul(price)?;
    result.money_contracted = Some(money_contracted);
    result.money = Some(money_contracted.checked_add(beyond)?.max(Decimal::ZERO));
    Some(result)
}

fn lifecycle_counts(lifecycle: &Lifecycle, day: i32) -> (Option<Decimal>, Option<Decimal>) {
    if lifecycle.active.is_empty() && lifecycle.suspended.is_empty() {
        return (None, None);
    }
    let count = |segments: &[Segment]| level(segments, day).unwrap_or_default();
    (Some(count(&lifecycle.active)), Some(count(&lifecycle.suspended)))
}

/// A suspended user or device is no delivery, though its vendor may still charge for it.
///
/// With a complete list the delivery is what is active, as far as the vendor says it exists. With suspensions alone they are taken
/// off what the vendor says, but never below what the PSA still lists: the vendor may have dropped them already.
fn delivered_level(
    vendor: Option<Decimal>,
    contracted: Option<Decimal>,
    active: Option<Decimal>,
    suspended: Option<Decimal>,
    is_complete: bool,
) -> Option<Decimal> {
    let (Some(active), Some(suspended)) = (active, suspended) else { return vendor };
    let Some(vendor) = vendor else { return is_complete.then_some(active) };
    let listed = contracted.map_or(Decimal::ZERO, |contracted| contracted.min(vendor));
    let living = if is_complete { active.min(vendor) } else { vendor - suspended };
    Some(living.max(listed))
}

#[cfg(test)]
mod tests {
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
        assert_eq!(rate(&input).expect("rated").expected, Some(dec("70.00")));
        input.lifecycle.active = vec![segment(0, 31, "1"); 10];
        input.lifecycle.is_complete = true;
        assert_eq!(rate(&input).expect("rated").expected, Some(dec("70.00")));
    }

    #[test]
    fn worked_example_included_gigabytes_are_free() {
        let mut input = july();
        input.terms = vec![TermsSegment {
            from: 0,
            to: 31,
            flat_fee: None,
            unit_price: Some(dec("0.25")),
            is_rated: true,
            included: dec("100"),
            minimum: Decimal::ZERO,
            basis: Basis::Max,
        }];
        input.delivered.flow = Some(dec("340"));
        assert_eq!(rate(&input).expect("rated").expected, Some(dec("60.00")));
        input.delivered = Delivered { levels: vec![segment(0, 31, "400")], flow: None };
        assert_eq!(rate(&input).expect("rated").expected, Some(dec("75.00")));
    }

    #[test]
    fn flat_fee_ignores_usage_and_is_prorated() {
        let mut input = july();
        let fee = TermsSegment {
            from: 0,
            to: 31,
            flat_fee: Some(dec("100")),
            unit_price: None,
            is_rated: true,
            included: Decimal::ZERO,
            minimum: Decimal::ZERO,
            basis: Basis::Max,
        };
        input.terms = vec![fee];
        input.delivered.flow = Some(dec("999"));
        assert_eq!(rate(&input).expect("rated").expected, Some(dec("100.00")));
        input.terms = vec![TermsSegment { from: 10, ..fee }];
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
