//! The period that the text of an invoice line states.
//!
//! | function | gives |
//! | --- | --- |
//! | `period_in_text(text, invoice_date, day_order)` | `{from, to}`, half-open; NULL where the text states no period, or not clearly one |
//! | `day_order_in_text(text)` | `day` or `month`: what stands first in the dates of the text (`31/07/2026`, `07/31/2026`), where one of them shows it |
//!
//! Accounting systems have no field for the period of a line; their templates of repeating invoices write it into the text. Read are
//!
//! | written | |
//! | --- | --- |
//! | two days | `01/07/2026 to 31/07/2026`, `2026-07-01 - 2026-07-31`, `01.07.26-31.07.26`, `1 Jul 2026 – 31 Jul 2026`, `Jul 1 - Sep 30, 2026`, `1-31 July 2026` |
//! | months | `July 2026`, `2026-07`, `Jul - Sep 2026`, `Nov 2026 through Jan 2027` |
//! | a quarter | `Q3 2026`, `2026-Q3` |
//!
//! - **Last days.** The second day is the last one that counts, unless it is the same day of a later month: from 1 July to 1 August is July.
//! - **Day or month first.** A date of three numbers with strokes or hyphens is read in the order that a number above 12 in the same text shows,
//!   else in `day_order` (what other lines of the invoice show), else only if no more than one order makes a period. Points mean that the
//!   day stands first.
//! - **Refused** are a text with no period or several different ones, a single date (a delivery, a day of installation), a date without a
//!   year other than the first of two, a period that begins more than [`FARTHEST_MONTHS`] from the invoice's date or lasts longer than
//!   [`LONGEST_MONTHS`].
//!
//! Names of months are English. Assumed (inference): a month that a line of an invoice names, near the invoice's date, is the one it is for.

use super::columnar;
use crate::lake::schema::instant;
use crate::month::Month;
use arrow::array::{Array, ArrayRef, AsArray, StringArray, StructArray, TimestampMicrosecondArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Date32Type, Field, Fields};
use chrono::{Datelike, Days, Months, NaiveDate};
use datafusion::common::Result;
use datafusion::common::cast::as_string_array;
use datafusion::logical_expr::ScalarUDF;
use std::sync::Arc;

/// How far from the invoice's date a period may begin. A year in advance or in arrears, and half a year of delay.
const FARTHEST_MONTHS: u32 = 18;

/// How long it may last: the longest terms that vendors sell are five years.
const LONGEST_MONTHS: u32 = 60;

const DAY: i64 = 86_400_000_000;

pub(super) fn functions() -> Vec<ScalarUDF> {
    let arguments = vec![DataType::Utf8, DataType::Date32, DataType::Utf8];
    vec![
        columnar("period_in_text", arguments, DataType::Struct(fields()), period_rows),
        columnar("day_order_in_text", vec![DataType::Utf8], DataType::Utf8, |arrays| {
            let orders = as_string_array(&arrays[0])?.iter().map(|text| day_order(&tokens(text?)).map(Order::name));
            let orders: StringArray = orders.collect();
            Result::Ok(Arc::new(orders))
        }),
    ]
}

fn fields() -> Fields {
    Fields::from(vec![Field::new("from", instant(), true), Field::new("to", instant(), true)])
}

fn period_rows(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    let (texts, orders) = (as_string_array(&arrays[0])?, as_string_array(&arrays[2])?);
    let dates = arrays[1].as_primitive::<Date32Type>();
    let found: Vec<Option<Period>> = (0..texts.len())
        .map(|row| {
            let text = texts.is_valid(row).then(|| texts.value(row))?;
            let date = dates.is_valid(row).then(|| dates.value_as_date(row)).flatten()?;
            period_in_text(text, date, orders.is_valid(row).then(|| orders.value(row)).and_then(Order::of))
        })
        .collect();
    let micros = |date: NaiveDate| (date - NaiveDate::default()).num_days() * DAY;
    let edge = |pick: fn(&Period) -> NaiveDate| -> ArrayRef {
        let values: TimestampMicrosecondArray =
            found.iter().map(|period| period.as_ref().map(|period| micros(pick(period)))).collect();
        Arc::new(values.with_timezone("UTC"))
    };
    let nulls: NullBuffer = found.iter().map(Option::is_some).collect();
    let columns = vec![edge(|period| period.from), edge(|period| period.to)];
    Ok(Arc::new(StructArray::try_new(fields(), columns, Some(nulls))?))
}

/// Days from one to another, the second exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Period {
    from: NaiveDate,
    to: NaiveDate,
}

/// What stands first in a date of three numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Day,
    Month,
}

impl Order {
    fn of(name: &str) -> Option<Self> {
        [Self::Day, Self::Month].into_iter().find(|order| order.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

/// A piece of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// A number of so many digits; `1st` is one too.
    Number(u32, usize),
    /// A month's name, from 1.
    Month(u32),
    /// `Q3`.
    Quarter(u32),
    /// `to`, `through`, ...
    Until,
    Space,
    Sign(char),
    /// Any other word, or letters and digits in one (`E3`, `24x7`).
    Word,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let run = |is_part: fn(char) -> bool| rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let length = if first.is_alphanumeric() {
            run(char::is_alphanumeric)
        } else if first.is_whitespace() {
            run(char::is_whitespace)
        } else {
            first.len_utf8()
        };
        let (piece, left) = rest.split_at(length);
        found.push(if first.is_alphanumeric() {
            word(piece)
        } else if first.is_whitespace() {
            Token::Space
        } else {
            Token::Sign(first)
        });
        rest = left;
    }
    found
}

fn word(piece: &str) -> Token {
    let lower = piece.to_lowercase();
    let digits = ["st", "nd", "rd", "th"].iter().find_map(|end| lower.strip_suffix(end)).unwrap_or(&lower);
    if digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return digits.parse().map_or(Token::Word, |number| Token::Number(number, digits.len()));
    }
    let quarter = lower.strip_prefix('q').and_then(|number| number.parse().ok()).filter(|number| (1..=4).contains(number));
    if let Some(quarter) = quarter {
        return Token::Quarter(quarter);
    }
    if matches!(lower.as_str(), "to" | "through" | "thru" | "until" | "till" | "bis") {
        return Token::Until;
    }
    let name = if lower == "sept" { "sep" } else { lower.as_str() };
    name.parse::<chrono::Month>().map_or(Token::Word, |month| Token::Month(month.number_from_month()))
}

/// A date as it is written; what is left out may follow from the other date of a range.
#[derive(Clone, Copy, Debug)]
struct Written {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    /// Day and month are numbers that may stand the other way round.
    is_open: bool,
    /// Months that it lasts, where it is no day.
    months: i32,
}

impl Written {
    const NOTHING: Self = Self { year: None, month: None, day: None, is_open: false, months: 1 };

    fn is_whole(&self) -> bool {
        self.year.is_some() && self.month.is_some()
    }

    /// With day and month as an order says.
    fn ordered(mut self, order: Order) -> Self {
        if self.is_open && order == Order::Month {
            (self.day, self.month) = (self.month, self.day);
        }
        self.is_open = false;
        self
    }

    fn first_day(&self) -> Option<NaiveDate> {
        NaiveDate::from_ymd_opt(self.year?, self.month?, self.day.unwrap_or(1))
    }
}

/// A cursor over the tokens; each reader gives what it read and where it stopped.
#[derive(Clone, Copy)]
struct At<'t> {
    tokens: &'t [Token],
    place: usize,
}

impl<'t> At<'t> {
    fn peek(self) -> Option<Token> {
        self.tokens.get(self.place).copied()
    }

    fn next(mut self) -> Self {
        self.place += 1;
        self
    }

    /// Past a token, if it is the one.
    fn past(self, token: Token) -> Option<Self> {
        (self.peek() == Some(token)).then(|| self.next())
    }

    /// Past spaces, or none.
    fn spaced(self) -> Self {
        self.past(Token::Space).unwrap_or(self)
    }

    /// Past a sign or none, and spaces.
    fn loose(self, sign: char) -> Self {
        self.past(Token::Sign(sign)).unwrap_or(self).spaced()
    }

    fn number(self, digits: std::ops::RangeInclusive<usize>) -> Option<(u32, Self)> {
        match self.peek()? {
            Token::Number(number, length) if digits.contains(&length) => Some((number, self.next())),
            _ => None,
        }
    }

    fn day(self) -> Option<(u32, Self)> {
        self.number(1..=2).filter(|(day, _)| (1..=31).contains(day))
    }

    fn year(self) -> Option<(i32, Self)> {
        self.number(4..=4).filter(|(year, _)| (1990..2100).contains(year)).map(|(year, at)| (year.cast_signed(), at))
    }

    fn month(self) -> Option<(u32, Self)> {
        match self.peek()? {
            Token::Month(month) => Some((month, self.next().past(Token::Sign('.')).unwrap_or(self.next()))),
            _ => None,
        }
    }

    /// Whether the number before or behind belongs to a longer row of numbers (`1.2.3.4`, `2026-07-0012`).
    fn goes_on(self, sign: char) -> bool {
        self.past(Token::Sign(sign)).is_some_and(|at| matches!(at.peek(), Some(Token::Number(..) | Token::Word)))
    }

    fn comes_from(self, sign: char) -> bool {
        let before = |count: usize| self.place.checked_sub(count).and_then(|at| self.tokens.get(at));
        before(1) == Some(&Token::Sign(sign)) && matches!(before(2), Some(Token::Number(..) | Token::Word))
    }

    /// `2026-07-31`, `31/07/2026`, `31.07.26`.
    fn numeric_day(self) -> Option<(Written, Self)> {
        let (_, at) = self.number(1..=4)?;
        let Some(Token::Sign(sign @ ('/' | '-' | '.'))) = at.peek() else { return None };
        if self.comes_from(sign) {
            return None;
        }
        let part = |at: At<'t>| at.past(Token::Sign(sign));
        if let Some((year, at)) = self.year() {
            let (month, at) = part(at)?.number(1..=2)?;
            let (day, at) = part(at)?.day()?;
            return (!at.goes_on(sign))
                .then_some((Written { year: Some(year), month: Some(month), day: Some(day), ..Written::NOTHING }, at));
        }
        let (first, at) = self.day()?;
        let (second, at) = part(at)?.day()?;
        let at = part(at)?;
        let (year, end) = match at.year() {
            Some((year, end)) => (year, end),
            None => {
                let (year, end) = at.number(2..=2)?;
                // Three pairs of digits: `1.2.26` is a version.
                (end.place == self.place + 5 && self.number(2..=2).is_some()).then_some((year.cast_signed() + 2000, end))?
            }
        };
        let date = Written { year: Some(year), month: Some(second), day: Some(first), is_open: sign != '.', ..Written::NOTHING };
        (!end.goes_on(sign)).then_some((date, end))
    }

    /// `31 Jul 2026`, `31st of July, 2026`, `31-Jul-2026`, and without the year.
    fn named_day(self) -> Option<(Written, Self)> {
        let sign = |at: At<'t>| at.past(Token::Sign('-')).filter(|at| matches!(at.peek(), Some(Token::Month(_))));
        let (day, at) = self.day()?;
        let (month, at) = sign(at).unwrap_or(at.spaced()).month()?;
        let date = Written { month: Some(month), day: Some(day), ..Written::NOTHING };
        Some(with_year(date, at))
    }

    /// `Jul 31, 2026`, and without the year.
    fn american_day(self) -> Option<(Written, Self)> {
        let (month, at) = self.month()?;
        let (day, at) = at.spaced().day()?;
        Some(with_year(Written { month: Some(month), day: Some(day), ..Written::NOTHING }, at))
    }

    /// `July 2026`, `July`.
    fn named_month(self) -> Option<(Written, Self)> {
        let (month, at) = self.month()?;
        Some(with_year(Written { month: Some(month), ..Written::NOTHING }, at))
    }

    /// `2026-07`.
    fn numeric_month(self) -> Option<(Written, Self)> {
        let (year, at) = self.year()?;
        let (month, end) = at.past(Token::Sign('-'))?.number(2..=2)?;
        let is_alone = !self.comes_from('-') && !end.goes_on('-') && (1..=12).contains(&month);
        is_alone.then_some((Written { year: Some(year), month: Some(month), ..Written::NOTHING }, end))
    }

    /// `Q3 2026`, `2026-Q3`.
    fn quarter(self) -> Option<(Written, Self)> {
        let gap = |at: At<'t>| at.past(Token::Sign('-')).or(at.past(Token::Sign('/'))).unwrap_or(at.spaced());
        let (quarter, year, at) = match self.peek()? {
            Token::Quarter(quarter) => {
                let (year, at) = gap(self.next()).year()?;
                (quarter, year, at)
            }
            _ => {
                let (year, at) = self.year()?;
                let Token::Quarter(quarter) = gap(at).peek()? else { return None };
                (quarter, year, gap(at).next())
            }
        };
        Some((Written { year: Some(year), month: Some(quarter * 3 - 2), months: 3, ..Written::NOTHING }, at))
    }

    /// The longest date that stands here.
    fn date(self) -> Option<(Written, Self)> {
        self.numeric_day()
            .or_else(|| self.named_day())
            .or_else(|| self.american_day())
            .or_else(|| self.quarter())
            .or_else(|| self.numeric_month())
            .or_else(|| self.named_month())
    }

    /// What the first of two dates may be besides: a day whose month the second names.
    fn beginning(self) -> Option<(Written, Self)> {
        let (day, at) = self.day()?;
        Some((Written { day: Some(day), ..Written::NOTHING }, at))
    }

    /// What the second of two dates may be besides: `31, 2026` behind `Jul 1`.
    fn ending(self) -> Option<(Written, Self)> {
        let (day, at) = self.day()?;
        let (year, at) = at.loose(',').year()?;
        Some((Written { day: Some(day), year: Some(year), ..Written::NOTHING }, at))
    }

    /// Past what stands between two dates.
    fn until(self) -> Option<Self> {
        let at = self.spaced();
        match at.peek()? {
            Token::Until | Token::Sign('-' | '–' | '—') => Some(at.next().spaced()),
            _ => None,
        }
    }

    /// Two dates.
    fn range(self) -> Option<((Written, Written), Self)> {
        let whole = self.date().and_then(|(first, at)| {
            let at = at.until()?;
            let needs_month = first.month.is_some() && first.day.is_some() && first.year.is_none();
            let (mut last, end) = at.date().or_else(|| at.ending().filter(|_| needs_month))?;
            last.month = last.month.or(first.month);
            Some(((first, last), end))
        });
        let of_days = || {
            let (first, at) = self.beginning()?;
            let (last, end) = at.until()?.named_day().filter(|(last, _)| last.is_whole())?;
            // `Plan 2 - 5 Jul 2026 - 4 Aug 2026`: the number in front belongs to no date.
            let is_chain = end.until().is_some_and(|at| at.date().is_some());
            (!is_chain).then_some(((first, last), end))
        };
        let (dates, end) = whole.or_else(of_days)?;
        (dates.1.is_whole() && dates.0.day.is_some() == dates.1.day.is_some()).then_some((dates, end))
    }
}

/// A date with the year behind it, if one is there.
fn with_year<'t>(mut date: Written, at: At<'t>) -> (Written, At<'t>) {
    let hyphen = at.past(Token::Sign('-')).and_then(At::year);
    match hyphen.or_else(|| at.spaced().loose(',').year()) {
        Some((year, end)) => {
            date.year = Some(year);
            (date, end)
        }
        None => (date, at),
    }
}

/// What stands first in the dates of a text, if one shows it and none shows the other.
fn day_order(tokens: &[Token]) -> Option<Order> {
    let mut shown = [false; 2];
    for place in 0..tokens.len() {
        if let Some((date, _)) = (At { tokens, place }).numeric_day().filter(|(date, _)| date.is_open) {
            shown[0] |= date.day > Some(12);
            shown[1] |= date.month > Some(12);
        }
    }
    match shown {
        [true, false] => Some(Order::Day),
        [false, true] => Some(Order::Month),
        _ => None,
    }
}

/// The days from a first date to a last one.
fn between(mut first: Written, mut last: Written, order: Order) -> Option<Period> {
    (first, last) = (first.ordered(order), last.ordered(order));
    first.month = first.month.or(last.month);
    let had_year = first.year.is_some();
    first.year = first.year.or(last.year);
    if !had_year && first.first_day()? > last.first_day()? {
        first.year = last.year.map(|year| year - 1);
    }
    let (from, end) = (first.first_day()?, last.first_day()?);
    let to = if last.day.is_none() {
        Month::of(end).plus(last.months).first_day()
    } else if end > from && end.day() == from.day() {
        end
    } else {
        end.checked_add_days(Days::new(1))?
    };
    (to > from && to <= from.checked_add_months(Months::new(LONGEST_MONTHS))?).then_some(Period { from, to })
}

fn period_in_text(text: &str, invoice_date: NaiveDate, hint: Option<Order>) -> Option<Period> {
    let tokens = tokens(text);
    let order = day_order(&tokens).or(hint);
    let mut found: Option<Period> = None;
    let mut at = At { tokens: &tokens, place: 0 };
    while at.peek().is_some() {
        let (dates, end) = match at.range() {
            Some((dates, end)) => (Some(dates), end),
            None => match at.date() {
                Some((date, end)) => ((date.day.is_none() && date.is_whole()).then_some((date, date)), end),
                None => (None, at.next()),
            },
        };
        at = end;
        let Some((first, last)) = dates else { continue };
        let orders = order.map_or(vec![Order::Day, Order::Month], |order| vec![order]);
        let mut readings: Vec<Period> = orders.into_iter().filter_map(|order| between(first, last, order)).collect();
        readings.dedup();
        let [period] = readings[..] else { return None };
        if found.is_some_and(|known| known != period) {
            return None;
        }
        found = Some(period);
    }
    let farthest = Months::new(FARTHEST_MONTHS);
    let (earliest, latest) = (invoice_date.checked_sub_months(farthest)?, invoice_date.checked_add_months(farthest)?);
    found.filter(|period| (earliest..=latest).contains(&period.from))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The period of a text on an invoice of 1 August 2026, as `from..to`.
    fn read(text: &str) -> String {
        hinted(text, None)
    }

    fn hinted(text: &str, hint: Option<Order>) -> String {
        let date = NaiveDate::from_ymd_opt(2026, 8, 1).expect("a date");
        period_in_text(text, date, hint).map_or_else(|| "none".to_owned(), |period| format!("{}..{}", period.from, period.to))
    }

    #[test]
    fn every_usual_way_to_write_a_month_is_read() {
        for text in [
            "Offsite vault storage 01/07/2026 to 31/07/2026",
            "Endpoint antivirus | 1 Jul 2026 - 31 Jul 2026",
            "1-31 July 2026",
            "1st to 31st July 2026",
            "Call minutes - July 2026",
            "Visio Plan 2 - July 2026",
            "Backup 2026-07",
            "Jul 1, 2026 - Jul 31, 2026",
            "Jul 1 - 31, 2026",
            "July 1 – July 31, 2026",
            "(07/01/2026 - 07/31/2026)",
            "01.07.2026-31.07.2026",
            "01.07.26 bis 31.07.26",
            "2026-07-01 to 2026-07-31",
            "01-Jul-2026 - 31-Jul-2026",
            "1 July - 31 July 2026",
            "1 Jul 2026 - 1 Aug 2026",
            "July 2026 (1 Jul 2026 - 31 Jul 2026)",
            "Support 24x7, Microsoft 365 E3, JULY 2026",
        ] {
            assert_eq!(read(text), "2026-07-01..2026-08-01", "{text}");
        }
    }

    #[test]
    fn longer_and_shorter_periods_are_read() {
        for (text, expected) in [
            ("Firewall 01/04/2026 to 30/06/2026", "2026-04-01..2026-07-01"),
            ("Jul - Sep 2026", "2026-07-01..2026-10-01"),
            ("Nov 2026 through Jan 2027", "2026-11-01..2027-02-01"),
            ("Q3 2026", "2026-07-01..2026-10-01"),
            ("2026-Q3", "2026-07-01..2026-10-01"),
            ("15 Dec - 14 Jan 2027", "2026-12-15..2027-01-15"),
            ("1 Jun 2026 - 31 May 2027", "2026-06-01..2027-06-01"),
            ("Added Microsoft 365 E3 (05/12/2026 - 05/31/2026)", "2026-05-12..2026-06-01"),
            ("Visio Plan 2 - 5 Jul 2026 - 4 Aug 2026", "2026-07-05..2026-08-05"),
            ("31 Jan 2026 - 28 Feb 2026", "2026-01-31..2026-03-01"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_states_no_period_or_several_is_refused() {
        for text in [
            "",
            "Office move: cabling and firewall swap",
            "Laptop, delivered 12 Jul 2026",
            "Laptop, delivered 2026-07-12",
            "Windows Server 2025, 25 licences",
            "June 2026 and July 2026",
            "July 2026, less 3 days (29 Jul 2026 - 31 Jul 2026)",
            "July",
            "1 Jul - 31 Jul",
            "Ticket 2026-07-0012",
            "Firmware 1.2.26 - 1.3.26",
            "31 Jul 2026 - 1 Jul 2026",
            "July 2024",
            "March 2028",
            "1 Jul 2026 - 31 Jul 2036",
            "32/07/2026 - 33/07/2026",
        ] {
            assert_eq!(read(text), "none", "{text}");
        }
    }

    #[test]
    fn day_and_month_are_told_apart_or_not_read() {
        let open = "Seats 01/07/2026 - 10/07/2026";
        assert_eq!(read(open), "none");
        assert_eq!(hinted(open, Some(Order::Day)), "2026-07-01..2026-07-11");
        assert_eq!(hinted(open, Some(Order::Month)), "2026-01-07..2026-10-07");
        // What the text itself shows counts more; one that contradicts itself shows nothing.
        assert_eq!(hinted("01/07/2026 - 31/07/2026", Some(Order::Month)), "2026-07-01..2026-08-01");
        assert_eq!(read("13/07/2026 - 07/31/2026"), "none");
        // Read either way, this is one day; and here one order runs backwards.
        assert_eq!(read("07/07/2026 - 07/07/2026"), "2026-07-07..2026-07-08");
        assert_eq!(read("05/08/2026 - 04/09/2026"), "2026-08-05..2026-09-05");
        let order = |text: &str| day_order(&tokens(text)).map(Order::name);
        assert_eq!(order("31/07/2026"), Some("day"));
        assert_eq!(order("due 07/31/26"), Some("month"));
        assert_eq!(order("01/07/2026, 31.07.2026, 24/7"), None);
    }
}
