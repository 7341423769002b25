//! What a vendor of seats and devices charges for a month, before any file format: whole months, changes within them, trials.

use crate::month::Month;
use crate::synth::calendar::Span;
use crate::synth::catalogue::Service;
use crate::synth::dice::guid;
use crate::synth::landscape::{Feed, Msp};
use crate::synth::pair::Pair;
use crate::synth::timeline::Timeline;
use crate::synth::world::World;
use chrono::NaiveDate;
use rust_decimal::Decimal;

/// Whether a month's file is the first or was issued again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edition {
    First,
    Corrected,
}

/// Why a vendor charges.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A month that begins with seats; `is_new` in the subscription's first.
    Cycle { is_new: bool },
    /// More or fewer seats from a day within the month on.
    Change,
    /// Seats of an earlier month that its file did not know.
    Correction,
    /// Seats that cost nothing for a month.
    Trial,
}

/// One charge for the seats of one subscription.
pub(crate) struct Charge<'a> {
    pub(crate) reason: Reason,
    pub(crate) service: &'a Service,
    pub(crate) customer: usize,
    /// Which of the customer's tenants or accounts.
    pub(crate) account: usize,
    pub(crate) subscription: String,
    pub(crate) subscribed_on: NaiveDate,
    pub(crate) charged: Span,
    /// Seats whose rest of the month is given back.
    pub(crate) before: Decimal,
    /// Seats that are charged.
    pub(crate) after: Decimal,
    /// Price of a seat and whole month.
    pub(crate) list_price: Decimal,
    /// The part of it that falls on the charged days, to 18 decimals.
    pub(crate) day_price: Decimal,
}

/// What the vendor behind `feed` knows of `month` when that month's first file, or its corrected one, is issued.
pub(crate) fn charges(world: &World, msp: Msp, feed: Feed, month: Month, edition: Edition) -> Vec<Charge<'_>> {
    let mut charges = Vec::new();
    for (index, pair) in world.pairs.iter().enumerate() {
        if !pair.service.is_licence() || msp.feed(pair.service) != Some(feed) {
            continue;
        }
        let restated = pair.restated.get(&month).filter(|_| edition == Edition::First);
        let missed = restated.map_or(Decimal::ZERO, |restated| restated.units);
        let source = Subscriptions { world, index, pair, charged: pair.charged(), accounts: feed.accounts(world, pair), missed };
        for account in 0..source.accounts {
            let is_late = pair.late_changes == Some(month);
            charges.extend(source.cycle(account, month));
            charges.extend(source.changes(account, month).into_iter().filter(|_| !is_late));
            if pair.late_changes == Some(month.plus(-1)) {
                charges.extend(source.changes(account, month.plus(-1)));
            }
        }
    }
    charges.extend(trials(world, msp, feed, month));
    charges
}

/// Units that a vendor who issues no file twice adds in the month after, for the month before it.
pub(crate) fn caught_up(world: &World, msp: Msp, feed: Feed, month: Month) -> impl Iterator<Item = Charge<'_>> {
    let earlier = month.plus(-1);
    let seats = move |pair: &Pair| pair.service.is_licence() && msp.feed(pair.service) == Some(feed);
    world.pairs.iter().enumerate().filter(move |(_, pair)| seats(pair)).filter_map(move |(index, pair)| {
        let restated = pair.restated.get(&earlier)?;
        let source = Subscriptions { world, index, pair, charged: pair.charged(), accounts: 1, missed: Decimal::ZERO };
        Some(source.charge(0, Reason::Correction, Span::month(earlier), Decimal::ZERO, restated.units))
    })
}

impl Feed {
    /// Over how many of its accounts a customer's seats are spread.
    fn accounts(self, world: &World, pair: &Pair) -> usize {
        if self == Self::Pax8 { 1 } else { world.customer_of(pair).tenants.len() }
    }
}

/// The subscriptions behind one pair: one for each account.
struct Subscriptions<'a> {
    world: &'a World,
    index: usize,
    pair: &'a Pair,
    /// Seats that the vendor charges for.
    charged: Timeline,
    accounts: usize,
    /// Units of the first account that this edition of the file does not know yet.
    missed: Decimal,
}

impl<'a> Subscriptions<'a> {
    /// Seats of an account: a quarter sits in the second, the rest and every change in the first.
    fn seats(&self, account: usize, day: NaiveDate) -> Decimal {
        let all = self.charged.at(day);
        let elsewhere = (self.charged.least() / Decimal::from(4)).floor();
        match account {
            _ if all.is_zero() => all,
            0 if self.accounts == 1 => all - self.missed,
            0 => all - elsewhere - self.missed,
            _ => elsewhere,
        }
    }

    /// The charge for a month that begins with seats.
    fn cycle(&self, account: usize, month: Month) -> Option<Charge<'a>> {
        let span = Span::month(month);
        let seats = self.seats(account, span.from);
        let reason = Reason::Cycle { is_new: self.pair.since == span.from };
        (!seats.is_zero()).then(|| self.charge(account, reason, span, Decimal::ZERO, seats))
    }

    /// What happened between the second and the last day of `month`.
    fn changes(&self, account: usize, month: Month) -> Vec<Charge<'a>> {
        let span = Span::month(month);
        let days = self.charged.changes_between(span.from, span.until).into_iter();
        let changes = days.filter_map(|day| {
            let before = self.seats(account, day.pred_opt().unwrap_or(day));
            let after = self.seats(account, day);
            let rest = Span { from: day, until: span.until };
            (before != after).then(|| self.charge(account, Reason::Change, rest, before, after))
        });
        changes.collect()
    }

    fn charge(&self, account: usize, reason: Reason, charged: Span, before: Decimal, after: Decimal) -> Charge<'a> {
        let list_price = self.pair.unit_cost.at(charged.from);
        let month_days = Span::month(Month::of(charged.from)).n_days();
        let day_price = if charged.n_days() == month_days {
            list_price
        } else {
            (list_price * Decimal::from(charged.n_days()) / Decimal::from(month_days)).round_dp(18)
        };
        Charge {
            reason,
            service: self.pair.service,
            customer: self.pair.customer,
            account,
            subscription: guid(self.world.seed, 30, (self.index * 4 + account) as u64),
            subscribed_on: self.pair.since,
            charged,
            before,
            after,
            list_price,
            day_price,
        }
    }
}

fn trials(world: &World, msp: Msp, feed: Feed, month: Month) -> impl Iterator<Item = Charge<'_>> {
    let running = world.trials.iter().enumerate().filter(move |(_, trial)| trial.month == month);
    running.filter(move |(_, trial)| msp.feed(trial.service) == Some(feed)).map(move |(number, trial)| Charge {
        reason: Reason::Trial,
        service: trial.service,
        customer: trial.customer,
        account: 0,
        subscription: guid(world.seed, 31, number as u64),
        subscribed_on: month.first_day(),
        charged: Span::month(month),
        before: Decimal::ZERO,
        after: trial.seats,
        list_price: Decimal::ZERO,
        day_price: Decimal::ZERO,
    })
}
