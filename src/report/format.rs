//! Numbers, periods and foreign text as a reader sees them: English, plain characters, exact decimals.

use crate::foreign::steers;
use crate::month::{Month, Quarter};
use chrono::{Datelike, NaiveDate};
use iso_currency::Currency;
use rust_decimal::{Decimal, RoundingStrategy};

/// `EUR 12,345.60`: code first, the currency's minor units, halves away from zero.
///
/// A code that ISO 4217 does not know keeps every decimal it has, at least two.
pub(super) fn money(amount: Decimal, currency: &str) -> String {
    format!("{} {}", clean(currency), plain_money(amount, currency))
}

/// [`money`] without the code, for columns whose header names the currency.
pub(super) fn plain_money(amount: Decimal, currency: &str) -> String {
    let minor_units =
        Currency::from_code(currency).and_then(Currency::exponent).map_or_else(|| amount.normalize().scale().max(2), u32::from);
    grouped(amount.round_dp_with_strategy(minor_units, RoundingStrategy::MidpointAwayFromZero), minor_units)
}

/// [`plain_money`] that says of every amount but zero in which direction it goes: `+5.00`, `-5.00`.
pub(super) fn signed_money(amount: Decimal, currency: &str) -> String {
    let text = plain_money(amount, currency);
    if amount > Decimal::ZERO { format!("+{text}") } else { text }
}

/// A quantity with at most two decimals and no trailing zeros.
pub(super) fn quantity(amount: Decimal) -> String {
    let rounded = amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero).normalize();
    grouped(rounded, rounded.scale())
}

/// A count with thousands separators.
pub(super) fn count(number: u64) -> String {
    grouped(Decimal::from(number), 0)
}

/// `part` of `whole` as `4.6%`; nothing where the whole is not positive.
pub(super) fn share(part: Decimal, whole: Decimal) -> Option<String> {
    if whole <= Decimal::ZERO {
        return None;
    }
    let percent = part.checked_div(whole)?.checked_mul(Decimal::ONE_HUNDRED)?;
    Some(format!("{}%", grouped(percent.round_dp_with_strategy(1, RoundingStrategy::MidpointAwayFromZero), 1)))
}

fn grouped(amount: Decimal, decimals: u32) -> String {
    let text = format!("{:.*}", usize::try_from(decimals).unwrap_or(0), amount.abs());
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(w, f)| (w, Some(f)));
    let mut out = String::with_capacity(text.len() + text.len() / 3 + 1);
    if amount.is_sign_negative() && !amount.is_zero() {
        out.push('-');
    }
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// `Jul 2026`.
pub(super) fn month(month: Month) -> String {
    month.first_day().format("%b %Y").to_string()
}

/// `Jul 2026`, `Jul to Sep 2026` or `Nov 2025 to Sep 2026`.
pub(super) fn months(first: Month, last: Month) -> String {
    if first == last {
        return month(first);
    }
    let same_year = first.first_day().year() == last.first_day().year();
    let first = first.first_day().format(if same_year { "%b" } else { "%b %Y" });
    format!("{first} to {}", month(last))
}

/// `Q3 2026`.
pub(super) fn quarter(quarter: Quarter) -> String {
    let start = quarter.first_month().first_day();
    format!("Q{} {}", start.month0() / 3 + 1, start.year())
}

/// `8 October 2026`.
pub(super) fn date(date: NaiveDate) -> String {
    date.format("%-d %B %Y").to_string()
}

/// A p- or q-value: three decimals, never a false zero.
pub(super) fn probability(p: f64) -> String {
    if p < 0.001 { "below 0.001".to_owned() } else { format!("{p:.3}") }
}

/// A monthly slope of a logarithm as the percentage it means: `-2.4%`.
pub(super) fn log_slope(slope: f64) -> String {
    format!("{:+.1}%", slope.exp_m1() * 100.0)
}

/// A confidence as a percentage, rounded down so that only certainty prints as 100%.
pub(super) fn confidence(confidence: f64) -> String {
    format!("{}%", (confidence.clamp(0.0, 1.0) * 1000.0).floor() / 10.0)
}

/// Foreign text made safe to lay out: control and bidirectional-override characters become a visible `�`.
///
/// Right-to-left names keep their direction without overrides, and an override could make an amount read backwards.
/// HTML escaping is the template's work.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' | '\r' => ' ',
            c if steers(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// [`clean`] text cut to `limit` characters, with an ellipsis where something is missing.
pub(super) fn shortened(text: &str, limit: usize) -> String {
    let text = clean(text.trim());
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().expect("a decimal")
    }

    #[test]
    fn money_has_the_minor_units_of_its_currency() {
        assert_eq!(money(decimal("1234567.5"), "EUR"), "EUR 1,234,567.50");
        assert_eq!(money(decimal("1234567.5"), "JPY"), "JPY 1,234,568");
        assert_eq!(money(decimal("999.9994"), "KWD"), "KWD 999.999");
        assert_eq!(money(decimal("0.12345"), "QQQ"), "QQQ 0.12345");
    }

    #[test]
    fn rounding_to_nothing_leaves_no_minus() {
        assert_eq!(money(decimal("-0.004"), "USD"), "USD 0.00");
        assert_eq!(money(decimal("-1000.005"), "USD"), "USD -1,000.01");
    }

    #[test]
    fn quantities_drop_trailing_zeros() {
        assert_eq!(quantity(decimal("1200.00")), "1,200");
        assert_eq!(quantity(decimal("0.125")), "0.13");
    }

    #[test]
    fn month_ranges_repeat_the_year_only_where_it_changes() {
        let month = |text: &str| text.parse::<Month>().expect("a month");
        assert_eq!(months(month("2026-07"), month("2026-07")), "Jul 2026");
        assert_eq!(months(month("2026-07"), month("2026-09")), "Jul to Sep 2026");
        assert_eq!(months(month("2025-11"), month("2026-09")), "Nov 2025 to Sep 2026");
    }

    #[test]
    fn confidence_never_rounds_up_to_certainty() {
        assert_eq!(confidence(0.9999), "99.9%");
        assert_eq!(confidence(1.0), "100%");
    }

    #[test]
    fn overrides_and_controls_become_visible() {
        assert_eq!(clean("a\u{202e}b\0c\nd"), "a\u{fffd}b\u{fffd}c d");
        assert_eq!(shortened("שלום עולם", 4), "שלום…");
    }
}
