//! Text rows to typed rows: every cell is what its column says, or its row is rejected with the reason.
//!
//! The result is the table `raw` of a staging query: the declared columns, `source_row`, and `arrived_at` (when the file became known).

use super::read::{Cells, TextRows};
use super::reject::Reject;
use crate::lake::schema::instant;
use crate::money::{PRECISION, SCALE, currency_code, minor_units, parse_decimal, parse_rounded};
use crate::sources::column::NumberFormat;
use crate::sources::{Column, DateFormat, Export, Kind};
use arrow::array::{
    Array, ArrayRef, BooleanArray, BooleanBuilder, Decimal128Array, Decimal128Builder, Int64Array, RecordBatch, StringArray,
    StringBuilder, TimestampMicrosecondArray, TimestampMicrosecondBuilder,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use chrono::{DateTime, NaiveDate, Utc};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The Arrow type of a column.
#[must_use]
pub fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text | Kind::Id | Kind::Currency | Kind::OneOf(_) => DataType::Utf8,
        Kind::Decimal | Kind::LongDecimal | Kind::MinorUnits { .. } | Kind::Number(_) => {
            DataType::Decimal128(PRECISION, SCALE as i8)
        }
        Kind::Instant(_) => instant(),
        Kind::Boolean => DataType::Boolean,
    }
}

/// Schema of the table `raw` for an export.
#[must_use]
pub fn raw_schema(export: &Export) -> SchemaRef {
    let mut fields: Vec<Field> =
        export.columns.iter().map(|column| Field::new(column.name, data_type(column.kind), true)).collect();
    fields.push(Field::new("source_row", DataType::Int64, false));
    fields.push(Field::new("arrived_at", instant(), false));
    Arc::new(Schema::new(fields))
}

/// Remembers the keys of rows already accepted from a file, to reject a second row with the same key.
pub type SeenKeys = HashMap<Vec<String>, u64>;

/// Types the rows of a block.
///
/// # Errors
/// Only if Arrow refuses arrays of equal length, which would be a defect here.
pub fn conform(
    rows: &TextRows,
    export: &Export,
    arrived_at: DateTime<Utc>,
    seen: &mut SeenKeys,
    rejects: &mut Vec<Reject>,
) -> Result<RecordBatch, ArrowError> {
    let count = rows.source_rows.len();
    let mut faults: BTreeMap<usize, Reject> = BTreeMap::new();
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(export.columns.len() + 2);
    for (column, cells) in export.columns.iter().zip(&rows.columns) {
        let mut typed = Typed { column, nulls: export.nulls, rows: &rows.source_rows, faults: &mut faults };
        let array = match cells {
            None => arrow::array::new_null_array(&data_type(column.kind), count),
            Some(cells) => typed.array(cells, &arrays, export),
        };
        arrays.push(array);
    }
    reject_repeated_keys(rows, export, seen, &mut faults);
    let micros = arrived_at.timestamp_micros();
    arrays.push(Arc::new(rows.source_rows.iter().map(|&row| row.cast_signed()).collect::<Int64Array>()));
    arrays.push(Arc::new(TimestampMicrosecondArray::from_value(micros, count).with_timezone("UTC")));
    let batch = RecordBatch::try_new(raw_schema(export), arrays)?;
    if faults.is_empty() {
        return Ok(batch);
    }
    let kept: BooleanArray = (0..count).map(|row| Some(!faults.contains_key(&row))).collect();
    rejects.extend(faults.into_values());
    filter_record_batch(&batch, &kept)
}

fn reject_repeated_keys(rows: &TextRows, export: &Export, seen: &mut SeenKeys, faults: &mut BTreeMap<usize, Reject>) {
    if export.unique.is_empty() {
        return;
    }
    let columns: Vec<Vec<Option<&str>>> = export
        .unique
        .iter()
        .filter_map(|name| export.columns.iter().position(|column| column.name == *name))
        .map(|at| match &rows.columns[at] {
            Some(cells) => cells.iter().collect(),
            None => vec![None; rows.source_rows.len()],
        })
        .collect();
    for (row, &source_row) in rows.source_rows.iter().enumerate() {
        if faults.contains_key(&row) {
            continue;
        }
        let key: Vec<String> = columns.iter().map(|cells| whole_id(cells[row].unwrap_or("")).to_lowercase()).collect();
        if let Some(first) = seen.get(&key) {
            let reason = format!("the same key stands in row {first} of this file");
            faults.insert(row, Reject::new(source_row, &export.unique.join(", "), &key.join(", "), &reason));
        } else {
            seen.insert(key, source_row);
        }
    }
}

/// One column on its way from text to values.
struct Typed<'a> {
    column: &'a Column,
    nulls: &'a [&'a str],
    rows: &'a [u64],
    faults: &'a mut BTreeMap<usize, Reject>,
}

impl Typed<'_> {
    fn array(&mut self, cells: &Cells, before: &[ArrayRef], export: &Export) -> ArrayRef {
        let count = self.rows.len();
        match self.column.kind {
            Kind::Text => {
                let mut values = StringBuilder::with_capacity(count, count * 16);
                self.each(cells, Ok::<_, String>, |value| values.append_option(value));
                Arc::new(values.finish())
            }
            Kind::Id => {
                let mut values = StringBuilder::with_capacity(count, count * 8);
                self.each(cells, |text| Ok::<_, String>(whole_id(text)), |value| values.append_option(value));
                Arc::new(values.finish())
            }
            Kind::Decimal | Kind::LongDecimal => {
                let mut values = Decimal128Builder::with_capacity(count);
                let parse = if self.column.kind == Kind::LongDecimal { parse_rounded } else { parse_decimal };
                self.each(cells, |text| parse(trimmed(text)), |value| values.append_option(value));
                decimals(&mut values)
            }
            Kind::Number(format) => {
                let mut values = Decimal128Builder::with_capacity(count);
                let parse = |row: usize, text: &str| match cells.is_stated(row) {
                    true => parse_decimal(trimmed(text)).map_err(|e| e.to_string()),
                    false => parse_number(trimmed(text), format),
                };
                self.each_row(cells, parse, |value| values.append_option(value));
                decimals(&mut values)
            }
            Kind::OneOf(map) => {
                let mut values = StringBuilder::with_capacity(count, count * 8);
                let parse = |text: &str| map.value(text).ok_or("the mapping does not say what this means");
                self.each(cells, parse, |value| values.append_option(value));
                Arc::new(values.finish())
            }
            Kind::MinorUnits { currency } => {
                let codes = export.columns.iter().position(|c| c.name == currency).and_then(|at| before.get(at));
                let codes = codes.and_then(|array| array.as_any().downcast_ref::<StringArray>());
                let mut values = Decimal128Builder::with_capacity(count);
                for (row, cell) in cells.iter().enumerate() {
                    let code = codes.filter(|codes| codes.is_valid(row)).map_or("", |codes| codes.value(row));
                    let value = self.text(cell).map(|text| from_minor_units(text, code).map_err(|reason| (text, reason)));
                    match value {
                        None => self.check_required(row),
                        Some(Err((text, ref reason))) => self.fault(row, text, reason),
                        Some(Ok(_)) => {}
                    }
                    values.append_option(value.and_then(Result::ok));
                }
                decimals(&mut values)
            }
            Kind::Currency => {
                let mut values = StringBuilder::with_capacity(count, count * 3);
                // An export has one or two currencies: what the last cell said is most often right again.
                let mut last: (&str, Option<&'static str>) = ("", None);
                let parse = |text| {
                    if text != last.0 {
                        last = (text, currency_code(&trimmed(text).to_ascii_uppercase()));
                    }
                    last.1.ok_or("not a currency code of ISO 4217")
                };
                self.each(cells, parse, |value| values.append_option(value));
                Arc::new(values.finish())
            }
            Kind::Instant(formats) => {
                let mut values = TimestampMicrosecondBuilder::with_capacity(count).with_timezone("UTC");
                let parse = |row: usize, text: &str| {
                    // A date that the file itself says is one is written in ISO 8601, whatever its texts look like.
                    let stated = if cells.is_stated(row) { parse_iso(text.as_bytes()) } else { None };
                    stated.or_else(|| parse_instant(trimmed(text), formats)).ok_or_else(|| expected(formats))
                };
                self.each_row(cells, parse, |value| values.append_option(value));
                Arc::new(values.finish())
            }
            Kind::Boolean => {
                let mut values = BooleanBuilder::with_capacity(count);
                let parse = |text: &str| match text.trim().to_ascii_lowercase().as_str() {
                    "true" | "1" | "yes" => Ok(true),
                    "false" | "0" | "no" => Ok(false),
                    _ => Err("neither true nor false"),
                };
                self.each(cells, parse, |value| values.append_option(value));
                Arc::new(values.finish())
            }
        }
    }

    /// Parses every cell and hands the value, or nothing, to `push`; faults are noted by row.
    fn each<'c, T, E: ToString>(
        &mut self,
        cells: &'c Cells,
        mut parse: impl FnMut(&'c str) -> Result<T, E>,
        push: impl FnMut(Option<T>),
    ) {
        self.each_row(cells, |_, text| parse(text), push);
    }

    /// As [`Self::each`], for cells that are not read alike.
    fn each_row<'c, T, E: ToString>(
        &mut self,
        cells: &'c Cells,
        mut parse: impl FnMut(usize, &'c str) -> Result<T, E>,
        mut push: impl FnMut(Option<T>),
    ) {
        cells.each(|row, cell| match self.text(cell) {
            None => {
                self.check_required(row);
                push(None);
            }
            Some(text) => match parse(row, text) {
                Ok(value) => push(Some(value)),
                Err(reason) => {
                    self.fault(row, text, &reason.to_string());
                    push(None);
                }
            },
        });
    }

    fn text<'c>(&self, cell: Option<&'c str>) -> Option<&'c str> {
        cell.filter(|text| !trimmed(text).is_empty() && !self.nulls.contains(text))
    }

    fn check_required(&mut self, row: usize) {
        if self.column.required {
            let advice = self.column.advice.map(|advice| format!(": {advice}")).unwrap_or_default();
            self.fault(row, "", &format!("a value is required{advice}"));
        }
    }

    fn fault(&mut self, row: usize, value: &str, reason: &str) {
        let reject = Reject::new(self.rows[row], self.column.name, value, reason);
        self.faults.entry(row).or_insert(reject);
    }
}

/// An id without the `.0` that a float brought.
fn whole_id(text: &str) -> &str {
    let text = trimmed(text);
    match text.split_once('.') {
        Some((whole, zeros))
            if !zeros.is_empty()
                && zeros.bytes().all(|b| b == b'0')
                && !whole.is_empty()
                && whole.strip_prefix('-').unwrap_or(whole).bytes().all(|b| b.is_ascii_digit()) =>
        {
            whole
        }
        _ => text,
    }
}

/// The text without blanks around it; the common text has none, which two bytes tell.
fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        [only] if only.is_ascii_graphic() => text,
        _ => text.trim(),
    }
}

fn decimals(values: &mut Decimal128Builder) -> ArrayRef {
    // The precision was checked value by value, so the type is only a label here.
    let array: Decimal128Array = values.finish();
    Arc::new(array.with_precision_and_scale(PRECISION, SCALE as i8).unwrap_or_else(|_| Decimal128Array::from(Vec::<i128>::new())))
}

fn from_minor_units(text: &str, currency: &str) -> Result<i128, String> {
    let value = parse_decimal(text.trim()).map_err(|e| e.to_string())?;
    let divisor = 10_i128.pow(minor_units(currency));
    if value % divisor == 0 { Ok(value / divisor) } else { Err("more than 18 digits after the point".to_owned()) }
}

/// A number with the signs and separators that a mapping names, and no others. Groups have three digits, the first up to three. Brackets round
/// all of it are accountants' minus.
fn parse_number(text: &str, format: &NumberFormat) -> Result<i128, String> {
    let is_space = |c: char| matches!(c, ' ' | '\u{a0}' | '\u{202f}');
    let bracketed = text.trim_matches(is_space).strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let (mut is_negative, mut rest) = (bracketed.is_some(), bracketed.unwrap_or(text));
    // A minus stands before or after the currency sign, which may stand behind the number too.
    loop {
        let before = rest;
        rest = rest.trim_matches(is_space);
        if let Some(after) = rest.strip_prefix('-').filter(|_| !is_negative) {
            (is_negative, rest) = (true, after);
        }
        for sign in format.signs {
            rest = rest.strip_prefix(sign).or_else(|| rest.strip_suffix(sign)).unwrap_or(rest);
        }
        if rest == before {
            break;
        }
    }
    let (whole, decimals) = match rest.split_once(format.decimal) {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (rest, None),
    };
    let is_separator = |c: char| format.thousands.is_some_and(|wanted| c == wanted || (is_space(wanted) && is_space(c)));
    let groups: Vec<&str> = whole.split(is_separator).collect();
    let is_grouped = groups.len() == 1
        || ((1..=3).contains(&groups[0].len())
            && groups[1..].iter().all(|group| group.len() == 3)
            && groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_digit())));
    let is_plain = |text: &str| !text.contains(['.', ',', '-', '+', '\'']);
    if !is_grouped
        || !groups.iter().all(|group| is_plain(group))
        || decimals.is_some_and(|decimals| decimals.contains(['.', ',']))
    {
        return Err("not a number as the mapping says that numbers are written".to_owned());
    }
    let mut plain = if is_negative { "-".to_owned() } else { String::new() };
    plain.extend(groups);
    if let Some(decimals) = decimals {
        plain.push('.');
        plain.push_str(decimals);
    }
    parse_decimal(&plain).map_err(|e| e.to_string())
}

/// A date in a pattern: with offset, with time, or alone.
fn parse_pattern(text: &str, pattern: &str) -> Option<i64> {
    let instant = match chrono::DateTime::parse_from_str(text, pattern) {
        Ok(instant) => instant.naive_utc(),
        Err(_) => match chrono::NaiveDateTime::parse_from_str(text, pattern) {
            Ok(instant) => instant,
            Err(_) => NaiveDate::parse_from_str(text, pattern).ok()?.and_time(chrono::NaiveTime::MIN),
        },
    };
    let instant = instant.and_utc();
    (1970..=2199).contains(&chrono::Datelike::year(&instant)).then(|| instant.timestamp_micros())
}

fn expected(formats: &[DateFormat]) -> String {
    let names: Vec<&str> = formats
        .iter()
        .map(|format| match format {
            DateFormat::Iso => "`2026-07-01` with or without a time",
            DateFormat::UsSlash => "`7/31/2026`, month first",
            DateFormat::IsoMonth => "`2026-07`",
            DateFormat::UnixSeconds => "seconds since 1970",
            DateFormat::UnixMillis => "milliseconds since 1970",
            DateFormat::Pattern(pattern) => pattern,
            DateFormat::DotNet => "`/Date(1419937200000+1300)/`",
        })
        .collect();
    format!("not a date: expected {}", names.join(" or "))
}

/// Microseconds since 1970 of a text in the first of the forms that it has.
#[must_use]
pub fn parse_instant(text: &str, formats: &[DateFormat]) -> Option<i64> {
    formats.iter().find_map(|format| match format {
        DateFormat::Iso => parse_iso(text.as_bytes()),
        DateFormat::UsSlash => parse_us_slash(text),
        DateFormat::IsoMonth if text.len() == 7 => parse_iso(format!("{text}-01").as_bytes()),
        DateFormat::IsoMonth => None,
        DateFormat::UnixSeconds => since_1970(text, 1),
        DateFormat::UnixMillis => since_1970(text, 1_000),
        DateFormat::Pattern(pattern) => parse_pattern(text, pattern),
        DateFormat::DotNet => parse_dot_net(text),
    })
}

/// An instant counted from 1970 in parts of a second, until 2199 as dates are.
fn since_1970(text: &str, parts: i64) -> Option<i64> {
    let count = text.parse::<i64>().ok().filter(|count| (0..=7_258_118_400 * parts).contains(count))?;
    Some(count * (1_000_000 / parts))
}

/// `/Date(1419937200000+1300)/` means the local time that its offset gives: here the last day of 2014.
fn parse_dot_net(text: &str) -> Option<i64> {
    let inner = text.strip_prefix("/Date(")?.strip_suffix(")/")?;
    let end = inner.find(['+', '-']).unwrap_or(inner.len());
    let offset = match &inner.as_bytes()[end..] {
        [] => 0,
        [sign, digits @ ..] if digits.len() == 4 => {
            let minutes = i64::from(number(&digits[..2])?) * 60 + i64::from(number(&digits[2..])?);
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    Some(since_1970(&inner[..end], 1_000)? + offset * 60_000_000)
}

fn number(bytes: &[u8]) -> Option<u32> {
    let mut value = 0_u32;
    for byte in bytes {
        value = value.checked_mul(10)?.checked_add(u32::from(byte.checked_sub(b'0').filter(|digit| *digit < 10)?))?;
    }
    (!bytes.is_empty()).then_some(value)
}

fn midnight(year: u32, month: u32, day: u32) -> Option<i64> {
    // Years outside are typing errors (`0206`, `20226`), and would make the month spine enormous.
    if !(1970..=2199).contains(&year) {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(year.cast_signed(), month, day)?;
    Some((date - NaiveDate::default()).num_days() * 86_400_000_000)
}

fn parse_iso(bytes: &[u8]) -> Option<i64> {
    if bytes.len() < 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let day = midnight(number(&bytes[..4])?, number(&bytes[5..7])?, number(&bytes[8..10])?)?;
    if bytes.len() == 10 {
        return Some(day);
    }
    if !matches!(bytes[10], b'T' | b' ') || bytes.len() < 16 || bytes[13] != b':' {
        return None;
    }
    let (hours, minutes) = (number(&bytes[11..13])?, number(&bytes[14..16])?);
    let mut rest = &bytes[16..];
    let mut seconds = 0;
    let mut micros = 0_u32;
    if let Some(after) = rest.strip_prefix(b":") {
        seconds = number(after.get(..2)?)?;
        rest = &after[2..];
        if let Some(after) = rest.strip_prefix(b".") {
            let digits = after.iter().take_while(|b| b.is_ascii_digit()).count();
            let kept = digits.min(6);
            micros = number(&after[..kept])? * 10_u32.pow(6 - u32::try_from(kept).ok()?);
            rest = &after[digits..];
        }
    }
    if hours * 3600 + minutes * 60 + seconds > 86_400 || minutes > 59 || seconds > 60 {
        return None;
    }
    let offset_minutes: i64 = match rest {
        // As BigQuery writes it out.
        b"" | b"Z" | b"z" | b" UTC" => 0,
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let (hours, minutes) = match rest.len() {
                2 => (number(rest)?, 0),
                4 => (number(&rest[..2])?, number(&rest[2..])?),
                5 if rest[2] == b':' => (number(&rest[..2])?, number(&rest[3..])?),
                _ => return None,
            };
            let minutes = i64::from(hours * 60 + minutes);
            if *sign == b'+' { minutes } else { -minutes }
        }
        _ => return None,
    };
    let seconds = i64::from(hours) * 3600 + (i64::from(minutes) - offset_minutes) * 60 + i64::from(seconds);
    Some(day + seconds * 1_000_000 + i64::from(micros))
}

fn parse_us_slash(text: &str) -> Option<i64> {
    let (date, time) = text.split_once(' ').map_or((text, None), |(date, time)| (date, Some(time)));
    let mut parts = date.split('/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    let day = midnight(number(year.as_bytes())?, number(month.as_bytes())?, number(day.as_bytes())?)?;
    let Some(time) = time else { return Some(day) };
    let mut parts = time.trim().split(':').map(|part| number(part.as_bytes()));
    let (hours, minutes) = (parts.next()??, parts.next()??);
    let seconds = parts.next().unwrap_or(Some(0))?;
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    Some(day + i64::from(hours * 3600 + minutes * 60 + seconds) * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[DateFormat] = &[DateFormat::Iso, DateFormat::UsSlash, DateFormat::UnixSeconds];

    fn iso(text: &str) -> Option<String> {
        let micros = parse_instant(text, ALL)?;
        DateTime::from_timestamp_micros(micros).map(|t| t.format("%Y-%m-%dT%H:%M:%S%.6f").to_string())
    }

    #[test]
    fn dates_of_real_exports_are_read() {
        for (text, expected) in [
            ("2024-09-01 00:00:00", "2024-09-01T00:00:00.000000"),
            ("2024-09-01T00:00:00Z", "2024-09-01T00:00:00.000000"),
            ("2023-11-13T10:00Z", "2023-11-13T10:00:00.000000"),
            ("2023-11-13 10:00:00.5 UTC", "2023-11-13T10:00:00.500000"),
            ("2020-11-10T08:00:00.1234567-08:00", "2020-11-10T16:00:00.123456"),
            ("10/3/2020", "2020-10-03T00:00:00.000000"),
            ("10/3/2020 23:59", "2020-10-03T23:59:00.000000"),
            ("1764547200", "2025-12-01T00:00:00.000000"),
        ] {
            assert_eq!(iso(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_no_date() {
        for text in [
            "2026-02-30",
            "13/1/2026",
            "1/13/26",
            "2026-7-1",
            "yesterday",
            "",
            "0206-01-01",
            "2026-01-01T25:00",
            "2026-01-01T24:30",
            "-5",
        ] {
            assert_eq!(iso(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_id_written_as_a_float_is_the_same_id() {
        let given = ["12", "12.0", " 12.00 ", "-1.0", "12.5", "v1.0", ".0", "12.", "a"];
        assert_eq!(given.map(whole_id), ["12", "12", "12", "-1", "12.5", "v1.0", ".0", "12.", "a"]);
    }

    #[test]
    fn dates_of_dot_net_are_local_time() {
        let read = |text| parse_instant(text, &[DateFormat::DotNet]).and_then(DateTime::from_timestamp_micros);
        let day = |text| read(text).map(|t| t.format("%Y-%m-%dT%H:%M").to_string());
        assert_eq!(day("/Date(1419937200000+1300)/").as_deref(), Some("2014-12-31T00:00"));
        assert_eq!(day("/Date(1539993600000+0000)/").as_deref(), Some("2018-10-20T00:00"));
        assert_eq!(day("/Date(1552326816230)/").as_deref(), Some("2019-03-11T17:53"));
        assert_eq!(day("/Date(1539993600000-0530)/").as_deref(), Some("2018-10-19T18:30"));
        for text in ["/Date()/", "/Date(1+1)/", "/Date(x+0000)/", "/Date(1539993600000+é0)/", "1539993600000", "/Date(-1)/"] {
            assert_eq!(day(text), None, "{text}");
        }
    }

    #[test]
    fn milliseconds_are_no_seconds() {
        assert_eq!(parse_instant("1764547200123", &[DateFormat::UnixMillis]), Some(1_764_547_200_123_000));
        assert_eq!(parse_instant("1764547200123", &[DateFormat::UnixSeconds]), None);
        assert_eq!(parse_instant("9223372036854775807", &[DateFormat::UnixMillis]), None);
    }

    #[test]
    fn minor_units_follow_the_currency() {
        assert_eq!(from_minor_units("1999", "USD"), Ok(19_990_000_000_000_000_000));
        assert_eq!(from_minor_units("1999", "JPY"), Ok(1_999_000_000_000_000_000_000));
        assert_eq!(from_minor_units("0.25", "USD"), Ok(2_500_000_000_000_000));
    }

    #[test]
    fn numbers_are_read_as_the_mapping_says_and_not_otherwise() {
        let german = NumberFormat { decimal: ',', thousands: Some('.'), signs: &["EUR", "€"] };
        let swiss = NumberFormat { decimal: '.', thousands: Some('\''), signs: &["CHF"] };
        let french = NumberFormat { decimal: ',', thousands: Some(' '), signs: &[] };
        let dollar = NumberFormat { decimal: '.', thousands: Some(','), signs: &["A$", "$"] };
        for (text, format, expected) in [
            ("1.234,56 €", &german, Some("1234.56")),
            ("-€ 0,5", &german, Some("-0.5")),
            ("1234,5 EUR", &german, Some("1234.5")),
            ("1234.5", &german, None),
            ("12.34", &german, None),
            ("1.2345,6", &german, None),
            ("1,234,5", &german, None),
            ("$ 5", &german, None),
            ("CHF 1'234.50", &swiss, Some("1234.5")),
            ("1\u{202f}234\u{a0}567,8", &french, Some("1234567.8")),
            ("A$1,234.00", &dollar, Some("1234")),
            ("$-7", &dollar, Some("-7")),
            ("--7", &dollar, None),
            ("1,23", &dollar, None),
            ("($5.00)", &dollar, Some("-5")),
            ("(1.234,56) €", &german, None),
            ("(-5.00)", &dollar, None),
            ("(5.00", &dollar, None),
            ("5,6E-05", &german, Some("0.000056")),
            ("", &dollar, None),
        ] {
            let found = parse_number(text, format).ok().map(crate::money::format_scaled);
            assert_eq!(found.as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn patterns_of_dates_mean_what_they_say() {
        let day =
            |text: &str, pattern| parse_instant(text, &[DateFormat::Pattern(pattern)]).and_then(DateTime::from_timestamp_micros);
        let day = |text, pattern| day(text, pattern).map(|t| t.format("%Y-%m-%dT%H:%M").to_string());
        assert_eq!(day("1-Jan-2026", "%d-%b-%Y").as_deref(), Some("2026-01-01T00:00"));
        assert_eq!(day("31.12.2026", "%d.%m.%Y").as_deref(), Some("2026-12-31T00:00"));
        assert_eq!(day("31/12/2026 23:59", "%d/%m/%Y %H:%M").as_deref(), Some("2026-12-31T23:59"));
        assert_eq!(day("2026-12-31 23:59 +0200", "%Y-%m-%d %H:%M %z").as_deref(), Some("2026-12-31T21:59"));
        assert_eq!(day("12/31/2026", "%d/%m/%Y"), None);
        assert_eq!(day("1-Jan-0206", "%d-%b-%Y"), None);
    }
}
