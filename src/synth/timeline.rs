//! A value that changes on certain days: seats, prices and costs as each party knows them.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use std::collections::BTreeSet;

/// Steps in time; a step's value holds from its day on until the next step, and the value before the first is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timeline {
    steps: Vec<(NaiveDate, Decimal)>,
}

impl Timeline {
    /// `value` from `day` on.
    pub(crate) fn starting(day: NaiveDate, value: Decimal) -> Self {
        Self { steps: vec![(day, value)] }
    }

    /// `value` from `from` on, until `until` if there is an end.
    pub(crate) fn of_span(from: NaiveDate, until: Option<NaiveDate>, value: Decimal) -> Self {
        let end = until.map(|until| (until, Decimal::ZERO));
        Self { steps: std::iter::once((from, value)).chain(end).collect() }
    }

    /// Every value divided by `size`.
    pub(crate) fn divided_by(&self, size: Decimal) -> Self {
        Self { steps: self.steps.iter().map(|(day, value)| (*day, value.checked_div(size).unwrap_or(*value))).collect() }
    }

    /// The sum of two courses.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        let days: BTreeSet<NaiveDate> = self.steps.iter().chain(&other.steps).map(|(day, _)| *day).collect();
        Self { steps: days.into_iter().map(|day| (day, self.at(day) + other.at(day))).collect() }
    }

    /// The same course, zero before `day`.
    pub(crate) fn since(&self, day: NaiveDate) -> Self {
        let later = self.steps.iter().filter(|(from, _)| *from > day).copied();
        Self { steps: std::iter::once((day, self.at(day))).chain(later).collect() }
    }

    /// The same course, zero from `day` on.
    pub(crate) fn until(&self, day: NaiveDate) -> Self {
        let mut ended = self.clone();
        ended.hold(day, Decimal::ZERO);
        ended
    }

    /// The largest value.
    pub(crate) fn most(&self) -> Decimal {
        self.steps.iter().map(|(_, value)| *value).max().unwrap_or_default()
    }

    /// The value in force on `day`.
    pub(crate) fn at(&self, day: NaiveDate) -> Decimal {
        let after = self.steps.partition_point(|(from, _)| *from <= day);
        after.checked_sub(1).map_or(Decimal::ZERO, |last| self.steps[last].1)
    }

    /// `value` from `day` until the next step that is already there.
    pub(crate) fn set(&mut self, day: NaiveDate, value: Decimal) {
        match self.steps.binary_search_by_key(&day, |(from, _)| *from) {
            Ok(found) => self.steps[found].1 = value,
            Err(place) => self.steps.insert(place, (day, value)),
        }
    }

    /// `value` from `day` on, for good: later steps are dropped.
    pub(crate) fn hold(&mut self, day: NaiveDate, value: Decimal) {
        self.steps.retain(|(from, _)| *from < day);
        self.steps.push((day, value));
    }

    /// The value of `day` stays for good: later steps are dropped.
    pub(crate) fn freeze(&mut self, day: NaiveDate) {
        self.steps.retain(|(from, _)| *from <= day);
    }

    /// Adds `change` to every value from `day` on.
    pub(crate) fn raise(&mut self, day: NaiveDate, change: Decimal) {
        let value = self.at(day);
        self.set(day, value);
        for (from, value) in &mut self.steps {
            if *from >= day {
                *value += change;
            }
        }
    }

    /// Multiplies every value from `day` on and rounds it to cents.
    pub(crate) fn discount(&mut self, day: NaiveDate, factor: Decimal) {
        let value = self.at(day);
        self.set(day, value);
        for (_, value) in self.steps.iter_mut().filter(|(from, _)| *from >= day) {
            *value = (*value * factor).round_dp(2);
        }
    }

    /// `value` from `from` until `until`, where the old course goes on.
    pub(crate) fn during(&mut self, from: NaiveDate, until: NaiveDate, value: Decimal) {
        let resumed = self.at(until);
        self.steps.retain(|(day, _)| *day < from || *day >= until);
        self.set(from, value);
        self.set(until, resumed);
    }

    /// The days strictly between `from` and `until` on which the value really changes.
    pub(crate) fn changes_between(&self, from: NaiveDate, until: NaiveDate) -> Vec<NaiveDate> {
        self.changes().filter(|day| *day > from && *day < until).collect()
    }

    /// Every day on which the value really changes, the first one included.
    pub(crate) fn changes(&self) -> impl Iterator<Item = NaiveDate> + '_ {
        let before = std::iter::once(Decimal::ZERO).chain(self.steps.iter().map(|(_, value)| *value));
        self.steps.iter().zip(before).filter(|((_, value), before)| value != before).map(|((day, _), _)| *day)
    }

    /// The smallest value that is not zero, or zero.
    pub(crate) fn least(&self) -> Decimal {
        self.steps.iter().map(|(_, value)| *value).filter(|value| !value.is_zero()).min().unwrap_or_default()
    }

    /// The day from which the value is zero for good, if there is one.
    pub(crate) fn end(&self) -> Option<NaiveDate> {
        let (_, last) = self.steps.last()?;
        if !last.is_zero() {
            return None;
        }
        self.changes().last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    #[test]
    fn a_step_holds_until_the_next() {
        let mut seats = Timeline::starting(day("2026-07-01"), Decimal::from(40));
        seats.raise(day("2026-07-16"), Decimal::from(6));
        assert_eq!(seats.at(day("2026-06-30")), Decimal::ZERO);
        assert_eq!(seats.at(day("2026-07-15")), Decimal::from(40));
        assert_eq!(seats.at(day("2026-07-16")), Decimal::from(46));
        assert_eq!(seats.changes_between(day("2026-07-01"), day("2026-08-01")), [day("2026-07-16")]);
    }

    #[test]
    fn a_gap_ends_where_the_old_course_goes_on() {
        let mut billed = Timeline::starting(day("2026-01-01"), Decimal::from(5));
        billed.during(day("2026-03-01"), day("2026-04-01"), Decimal::ZERO);
        assert_eq!(billed.at(day("2026-03-31")), Decimal::ZERO);
        assert_eq!(billed.at(day("2026-04-01")), Decimal::from(5));
        assert_eq!(billed.end(), None);
        billed.hold(day("2026-06-01"), Decimal::ZERO);
        assert_eq!(billed.end(), Some(day("2026-06-01")));
    }
}
