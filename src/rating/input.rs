//! What decides a month: deliveries, contract lines, written terms, users and devices, with the days on which each held.

use super::terms::Terms;
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

/// What vendors say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Levels, which add up day by day.
    pub levels: Vec<Segment>,
    /// Consumption of the month, if any was reported.
    pub flow: Option<Decimal>,
    /// What the vendors charged for it, in the currency of the month.
    pub cost: Option<Decimal>,
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
    pub terms: Vec<Terms>,
    /// Users and devices.
    pub lifecycle: Lifecycle,
    /// The quantity on the invoices of the month, to be priced by the same terms.
    pub billed: Option<Decimal>,
}

/// The month cut wherever anything changes.
pub(super) fn stretches(input: &MonthInput) -> Vec<(i32, i32)> {
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
pub(super) fn level(segments: &[Segment], day: i32) -> Option<Decimal> {
    let mut covering = segments.iter().filter(|s| s.from <= day && day < s.to).peekable();
    covering.peek()?;
    covering.try_fold(Decimal::ZERO, |sum, s| sum.checked_add(s.quantity))
}
