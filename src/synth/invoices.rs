//! Which invoice carries which line: billing periods, proration, arrears and one-offs, before any file format.

use super::agreement::Terms;
use super::calendar::{Billing, Span, nth};
use super::landscape::Biller;
use super::pair::{Forgotten, MonthlyUsage, Pair, Volume};
use super::world::{Channel, World};
use crate::month::Month;
use chrono::{Days, NaiveDate};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// An invoice to one customer.
pub(crate) struct Invoice {
    pub(crate) customer: usize,
    pub(crate) date: NaiveDate,
    pub(crate) lines: Vec<Line>,
}

/// One line. Quantity and price are per article sold, so a pack counts as one.
#[derive(Clone)]
pub(crate) struct Line {
    /// Absent for a one-off that belongs to no service.
    pub(crate) pair: Option<usize>,
    pub(crate) kind: LineKind,
    pub(crate) description: String,
    pub(crate) quantity: Decimal,
    pub(crate) unit_price: Decimal,
    pub(crate) amount: Decimal,
    pub(crate) period: Span,
}

/// Why a line is on the invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineKind {
    /// A whole billing period.
    Cycle,
    /// Part of a period, given back or added.
    Proration,
    /// Metered usage of a past month.
    Usage,
    /// Added by hand.
    Manual,
}

/// Days after an invoice on which somebody sends another for the same thing.
const SENT_AGAIN_AFTER: u64 = 3;

impl Line {
    /// The billing period, or the month of consumption, that the line belongs to.
    pub(crate) fn service_period(&self, billing: Billing) -> Span {
        match self.kind {
            LineKind::Cycle | LineKind::Proration => billing.period_of(self.period.from),
            LineKind::Usage | LineKind::Manual if self.pair.is_some() => Span::month(Month::of(self.period.from)),
            LineKind::Usage | LineKind::Manual => self.period,
        }
    }
}

/// The same lines for systems that write a change as one line for the difference, and what is given back as fewer units.
pub(crate) fn netted(lines: Vec<Line>) -> Vec<Line> {
    let mut netted: Vec<Line> = Vec::new();
    for mut line in lines {
        if line.kind == LineKind::Proration && line.amount.is_sign_negative() {
            line.quantity = -line.quantity;
        }
        match netted.last_mut() {
            Some(back) if line.kind == LineKind::Proration && line.is_other_half_of(back) => {
                back.quantity += line.quantity;
                back.amount += line.amount;
                back.description = line.description;
            }
            _ => netted.push(line),
        }
    }
    netted
}

impl Line {
    /// Whether `back` gives back what this line charges again, at the same price.
    fn is_other_half_of(&self, back: &Self) -> bool {
        let same = (back.pair, back.kind, back.period, back.unit_price) == (self.pair, self.kind, self.period, self.unit_price);
        same && back.quantity.is_sign_negative() && self.quantity.is_sign_positive()
    }
}

/// What the forgotten invoice lines of a pair would have been: posted, and on no invoice.
pub(crate) fn forgotten(world: &World, index: usize) -> Vec<Line> {
    let pair = &world.pairs[index];
    let Some(Forgotten { from, until }) = pair.forgotten else { return Vec::new() };
    let billing = world.customer_of(pair).billing;
    let months = world.months().filter(|month| *month >= from && until.is_none_or(|until| *month < until));
    let lines = months.filter_map(|month| match &pair.volume {
        Volume::Level { .. } => {
            let period = billing.period_starting_in(month);
            let quantity = pair.owed_on(period.from) / pair.pack_size();
            let unit_price = pair.contract_price.at(period.from) * pair.pack_size();
            let amount = (quantity * unit_price).round_dp(2);
            let description = format!("{} × {}", quantity.normalize(), pair.service.name);
            Some(Line { pair: Some(index), kind: LineKind::Cycle, description, quantity, unit_price, amount, period })
        }
        Volume::Flow(months) => {
            let usage = months.get(&month)?;
            Some(metered(index, pair, month, usage.delivered(), pair.billed_price.at(month.first_day()), Span::month(month)))
        }
    });
    lines.collect()
}

/// All invoices of the landscape's billing system up to the day of export, by date and customer.
pub(crate) fn invoices(world: &World, biller: Biller) -> Vec<Invoice> {
    let mut book = Book { world, lines: BTreeMap::new() };
    for (index, pair) in world.pairs.iter().enumerate() {
        match &pair.volume {
            Volume::Level { billed, .. } => {
                let billed_days: Vec<NaiveDate> = billed.changes().chain(pair.billed_price.changes()).collect();
                book.levels(index, pair, &billed_days);
            }
            Volume::Flow(months) => months.iter().for_each(|(month, usage)| book.usage(index, pair, *month, usage)),
        }
    }
    book.corrections();
    book.one_offs(biller);
    let invoices = book.lines.into_iter();
    invoices.map(|((date, customer), lines)| Invoice { customer, date, lines }).collect()
}

struct Book<'a> {
    world: &'a World,
    lines: BTreeMap<(NaiveDate, usize), Vec<Line>>,
}

impl Book<'_> {
    fn add(&mut self, date: NaiveDate, customer: usize, line: Line) {
        if date <= self.world.exported_on() {
            self.lines.entry((date, customer)).or_default().push(line);
        }
    }

    /// Every billing period of a recurring service, and the changes within it.
    fn levels(&mut self, index: usize, pair: &Pair, changes: &[NaiveDate]) {
        let billing = self.world.customer_of(pair).billing;
        let mut period = billing.period_of(pair.since.max(self.world.span().from));
        while period.from <= self.world.exported_on() {
            let start = period.from.max(pair.since);
            let (first_date, later_date) = invoice_dates(billing, period, start);
            self.charge(index, pair, first_date, start, period, Decimal::ONE);
            if pair.billed_twice.contains(&Month::of(period.from)) {
                self.charge(index, pair, first_date + Days::new(SENT_AGAIN_AFTER), start, period, Decimal::ONE);
            }
            let mut days: Vec<NaiveDate> = changes.iter().copied().filter(|day| *day > start && *day < period.until).collect();
            days.sort_unstable();
            days.dedup();
            let mut before = start;
            for day in days {
                let date = later_date.unwrap_or(day);
                // A changed item is given back at its old terms and charged again at its new ones.
                self.give_back(index, pair, date, before, day, period);
                self.charge(index, pair, date, day, period, Decimal::ONE);
                before = day;
            }
            period = billing.period_of(period.until);
        }
    }

    fn give_back(&mut self, index: usize, pair: &Pair, date: NaiveDate, terms_of: NaiveDate, day: NaiveDate, period: Span) {
        let rest = Span { from: day, until: period.until };
        let line = recurring(index, pair, terms_of, rest, period, Decimal::NEGATIVE_ONE);
        self.add_if_any(date, pair.customer, line);
    }

    fn charge(&mut self, index: usize, pair: &Pair, date: NaiveDate, day: NaiveDate, period: Span, sign: Decimal) {
        let rest = Span { from: day, until: period.until };
        let line = recurring(index, pair, day, rest, period, sign);
        self.add_if_any(date, pair.customer, line);
    }

    fn add_if_any(&mut self, date: NaiveDate, customer: usize, line: Line) {
        if !line.quantity.is_zero() {
            self.add(date, customer, line);
        }
    }

    /// A month's metered quantity, invoiced on the fifth after it; late usage a month later.
    fn usage(&mut self, index: usize, pair: &Pair, month: Month, usage: &MonthlyUsage) {
        let Some(billed) = usage.billed else { return };
        let until = Span::month(month).until;
        let period = Span { from: month.first_day().max(pair.since), until: pair.until.map_or(until, |end| end.min(until)) };
        let invoiced_on = nth(month.plus(1), 5);
        let lines: Vec<Line> = match pair.terms {
            Some(Terms::CostPlus(_)) => vec![marked_up(index, pair, month, usage, period)],
            _ => {
                let (in_time, late) = pair.late_usage.get(&month).filter(|late| late.is_billed).map_or((billed, None), |late| {
                    let quantity = usage.days.iter().filter(|(day, _)| *day >= late.from).map(|(_, quantity)| *quantity).sum();
                    (billed - quantity, Some((late.from, quantity)))
                });
                if let Some((from, quantity)) = late {
                    let rest = Span { from, until: period.until };
                    let line = by_hand(metered(index, pair, month, quantity, pair.billed_price.at(month.first_day()), rest));
                    self.add(nth(month.plus(2), 5), pair.customer, line);
                }
                let found_later = pair.restated.get(&month).filter(|it| it.is_billed).map_or(Decimal::ZERO, |it| it.units);
                let period = late.map_or(period, |(until, _)| Span { until, ..period });
                let parts = pair.usage_lines(month, in_time - found_later).into_iter();
                parts.map(|(quantity, price)| metered(index, pair, month, quantity, price, period)).collect()
            }
        };
        if pair.billed_twice.contains(&month) {
            lines.iter().for_each(|line| self.add(invoiced_on + Days::new(SENT_AGAIN_AFTER), pair.customer, line.clone()));
        }
        lines.into_iter().for_each(|line| self.add(invoiced_on, pair.customer, line));
    }

    /// Units that a vendor added afterwards, billed by hand.
    fn corrections(&mut self) {
        for (index, pair) in self.world.pairs.iter().enumerate() {
            for (month, restated) in pair.restated.iter().filter(|(_, restated)| restated.is_billed) {
                let unit_price = pair.billed_price.at(month.first_day());
                let line = Line {
                    pair: Some(index),
                    kind: LineKind::Manual,
                    description: format!("{}: correction for {month}", pair.service.name),
                    quantity: restated.units,
                    unit_price,
                    amount: (restated.units * unit_price).round_dp(2),
                    period: Span::month(*month),
                };
                self.add(nth(month.plus(2), 5), pair.customer, line);
            }
        }
    }

    fn one_offs(&mut self, biller: Biller) {
        let is_here = |channel| channel == Channel::Billing || biller == Biller::Psa;
        for one_off in self.world.one_offs.iter().filter(|one_off| is_here(one_off.channel)) {
            let line = Line {
                pair: None,
                kind: LineKind::Manual,
                description: one_off.description.to_owned(),
                quantity: Decimal::ONE,
                unit_price: one_off.price,
                amount: one_off.price,
                period: Span { from: one_off.day, until: one_off.day },
            };
            self.add(one_off.day, one_off.customer, line);
        }
    }
}

/// When a period is invoiced, and when changes within it are; `None`: each on its own day.
fn invoice_dates(billing: Billing, period: Span, start: NaiveDate) -> (NaiveDate, Option<NaiveDate>) {
    match billing {
        Billing::Advance => (start, Some(period.until)),
        Billing::Arrears => {
            let date = nth(Month::of(period.until), 5);
            (date, Some(date))
        }
        Billing::Anchor15 => (start, None),
    }
}

/// What `rest` of `period` costs at the quantity and price of the day `terms_of`.
fn recurring(index: usize, pair: &Pair, terms_of: NaiveDate, rest: Span, period: Span, sign: Decimal) -> Line {
    let quantity = pair.billed_on(terms_of) / pair.pack_size();
    let unit_price = pair.billed_price.at(terms_of) * pair.pack_size();
    let whole = quantity * unit_price;
    let is_whole = rest == period && sign == Decimal::ONE;
    let amount = if is_whole {
        whole.round_dp(2)
    } else {
        (sign * whole * Decimal::from(rest.n_days()) / Decimal::from(period.n_days())).round_dp(2)
    };
    let name = pair.pack.map_or(pair.service.name, |pack| pack.name);
    let description = match (is_whole, sign.is_sign_negative()) {
        (true, _) => format!("{} × {name} (at {unit_price:.2} / month)", quantity.normalize()),
        (false, true) => format!("Unused time on {} × {name} after {}", quantity.normalize(), rest.from),
        (false, false) => format!("Remaining time on {} × {name} after {}", quantity.normalize(), rest.from),
    };
    let kind = if is_whole { LineKind::Cycle } else { LineKind::Proration };
    Line { pair: Some(index), kind, description, quantity, unit_price, amount, period: rest }
}

/// One line for the vendor's cost of a month and the mark-up.
fn marked_up(index: usize, pair: &Pair, month: Month, usage: &MonthlyUsage, period: Span) -> Line {
    let amount = pair.cost_plus_invoiced(month, usage);
    Line {
        pair: Some(index),
        kind: LineKind::Usage,
        description: format!("{} for {month}", pair.service.name),
        quantity: Decimal::ONE,
        unit_price: amount,
        amount,
        period,
    }
}

fn metered(index: usize, pair: &Pair, month: Month, quantity: Decimal, unit_price: Decimal, period: Span) -> Line {
    Line {
        pair: Some(index),
        kind: LineKind::Usage,
        description: format!("{} {} of {} in {month}", quantity.normalize(), pair.service.unit, pair.service.name),
        quantity,
        unit_price,
        amount: (quantity * unit_price).round_dp(2),
        period,
    }
}

fn by_hand(line: Line) -> Line {
    Line { kind: LineKind::Manual, ..line }
}
