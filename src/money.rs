//! Exact decimals: text to scaled integers and back, without a float.
//!
//! Vendor quantities, prices and costs are `Decimal128(38, 18)`: real exports carry 15 to 18 decimals. Digits beyond the 18th are rounded
//! half-even: Azure and Partner Center write up to 28, and a double that a system prints in full has 17 significant digits wherever its point
//! stands, so that a price of a third of a cent has 19 decimals, and what is left of a zero has 30. No money is lost by
//! it: the smallest coin is 10^-3. A text that is no number, or too large, is refused with the reason. Arithmetic that multiplies or divides leaves this scale and happens value by
//! value in `rust_decimal` (28 significant digits), see [`crate::rating`].

use rust_decimal::{Decimal, RoundingStrategy};
use std::cmp::Ordering;

/// Digits after the point in every stored quantity, price and amount.
pub const SCALE: u32 = 18;
/// Total digits of the stored type.
pub const PRECISION: u8 = 38;
const UNIT: i128 = 1_000_000_000_000_000_000;
const LIMIT: i128 = 100_000_000_000_000_000_000_000_000_000_000_000_000; // 10^38
/// A mantissa of at least this size takes no more decimals.
const ROOM: i128 = LIMIT / 10;

/// Why a text is not an exact decimal of the stored type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not a number at all.
    #[error("not a number")]
    NotANumber,
    /// More digits before the point than are stored.
    #[error("more than 20 digits before the point")]
    TooLarge,
}

/// Reads a number into units of 10^-18.
///
/// Understands what real exports contain: a leading apostrophe (`'22.000`, the spreadsheet guard of Partner Center), a sign,
/// padding zeros, and E-notation (`5.64902E-05`, `'0E-20`). Separators and currency signs are refused: which of `1,234` and
/// `1.234` is a thousand differs by tenant, so that is a setting of the source, never a guess per value.
///
/// Digits beyond the 18th after the point are rounded half-even.
///
/// # Errors
/// [`DecimalError`] if the text is no number or too large.
pub fn parse_decimal(text: &str) -> Result<i128, DecimalError> {
    let bytes = text.as_bytes();
    parse_short(bytes).map_or_else(|| parse_long(bytes, 0), Ok)
}

/// As [`parse_decimal`], of an amount in minor units: `1999` with two digits is 19.99. Rounded once, behind the shift.
///
/// # Errors
/// [`DecimalError`] if the text is no number or too large.
pub fn parse_minor(text: &str, digits: u32) -> Result<i128, DecimalError> {
    parse_long(text.as_bytes(), -digits.cast_signed())
}

/// Plain digits with at most one point, few enough for a machine word: nearly every number of an export.
fn parse_short(bytes: &[u8]) -> Option<i128> {
    let (negative, digits) = bytes.strip_prefix(b"-").map_or((false, bytes), |digits| (true, digits));
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let (mut mantissa, mut point) = (0_u64, None);
    for (at, &byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => mantissa = mantissa * 10 + u64::from(byte - b'0'),
            b'.' if point.is_none() && digits.len() > 1 => point = Some(at),
            _ => return None,
        }
    }
    let decimals = point.map_or(0, |at| digits.len() - at - 1);
    let scaled = i128::from(mantissa) * 10_i128.pow(SCALE - u32::try_from(decimals).ok()?);
    Some(if negative { -scaled } else { scaled })
}

/// A number of any length, times 10^`shift`.
fn parse_long(bytes: &[u8], shift: i32) -> Result<i128, DecimalError> {
    let bytes = bytes.strip_prefix(b"'").unwrap_or(bytes);
    let (negative, bytes) = match bytes.first() {
        Some(b'-') => (true, &bytes[1..]),
        Some(b'+') => (false, &bytes[1..]),
        _ => (false, bytes),
    };
    let mut mantissa: i128 = 0;
    let mut decimals: i32 = 0;
    let mut seen_point = false;
    let mut seen_digit = false;
    let mut pending_zeros: usize = 0;
    // Whether there were digits that the mantissa has no room for: below 10^19 far behind the last that is stored.
    let mut is_cut = false;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            digit @ b'0'..=b'9' => {
                seen_digit = true;
                if seen_point && digit == b'0' {
                    // Padding zeros after the point must not overflow the mantissa.
                    pending_zeros += 1;
                } else if seen_point {
                    for digit in std::iter::repeat_n(b'0', pending_zeros).chain([digit]) {
                        if mantissa < ROOM {
                            mantissa = mantissa * 10 + i128::from(digit - b'0');
                            decimals += 1;
                        } else {
                            is_cut |= digit != b'0';
                        }
                    }
                    pending_zeros = 0;
                } else {
                    mantissa = mantissa
                        .checked_mul(10)
                        .and_then(|m| m.checked_add(i128::from(digit - b'0')))
                        .ok_or(DecimalError::TooLarge)?;
                }
            }
            b'.' if !seen_point => seen_point = true,
            b'e' | b'E' if seen_digit => break,
            _ => return Err(DecimalError::NotANumber),
        }
        at += 1;
    }
    if !seen_digit {
        return Err(DecimalError::NotANumber);
    }
    let exponent: i32 = if at < bytes.len() {
        let text = std::str::from_utf8(&bytes[at + 1..]).map_err(|_| DecimalError::NotANumber)?;
        text.parse().map_err(|_| DecimalError::NotANumber)?
    } else {
        0
    };
    let scaled = rescale(mantissa, exponent.saturating_sub(decimals).saturating_add(shift), is_cut)?;
    Ok(if negative { -scaled } else { scaled })
}

/// `mantissa` x 10^`exponent` in units of 10^-18; a little more if digits were cut off.
fn rescale(mut mantissa: i128, exponent: i32, is_cut: bool) -> Result<i128, DecimalError> {
    if mantissa == 0 {
        return Ok(0);
    }
    let mut shift = exponent.saturating_add(SCALE.cast_signed());
    if shift < 0 {
        // A divisor beyond the type is larger than twice any mantissa: nothing is left.
        let Some(divisor) = 10_i128.checked_pow(shift.unsigned_abs()) else { return Ok(0) };
        let (quotient, remainder) = (mantissa / divisor, mantissa % divisor);
        let is_up = match remainder.cmp(&(divisor - remainder)) {
            Ordering::Less => false,
            Ordering::Equal => is_cut || quotient % 2 != 0,
            Ordering::Greater => true,
        };
        let rounded = quotient + i128::from(is_up);
        return if rounded >= LIMIT { Err(DecimalError::TooLarge) } else { Ok(rounded) };
    }
    while shift > 0 {
        mantissa = mantissa.checked_mul(10).ok_or(DecimalError::TooLarge)?;
        shift -= 1;
    }
    if mantissa >= LIMIT { Err(DecimalError::TooLarge) } else { Ok(mantissa) }
}

/// A stored value as `rust_decimal`, which holds 28 digits: values beyond are rounded half-even at the 28th digit. `None` beyond
/// 7.9e28.
#[must_use]
pub fn to_decimal(scaled: i128) -> Option<Decimal> {
    let (mut value, mut scale) = (scaled, SCALE);
    while value % 10 == 0 && scale > 0 {
        value /= 10;
        scale -= 1;
    }
    while value.unsigned_abs() >= 1 << 96 && scale > 0 {
        let (quotient, remainder) = (value / 10, (value % 10).unsigned_abs());
        let away = remainder > 5 || (remainder == 5 && quotient % 2 != 0);
        value = if away { quotient + value.signum() } else { quotient };
        scale -= 1;
    }
    Decimal::try_from_i128_with_scale(value, scale).ok()
}

/// A `rust_decimal` in units of 10^-18, rounded half-even at the last stored digit. `None` beyond 10^20.
#[must_use]
pub fn from_decimal(value: Decimal) -> Option<i128> {
    let value = value.round_dp_with_strategy(SCALE, RoundingStrategy::MidpointNearestEven);
    let factor = 10_i128.checked_pow(SCALE - value.scale())?;
    value.mantissa().checked_mul(factor).filter(|scaled| scaled.abs() < LIMIT)
}

/// Rounds half-even to the currency's minor unit, the rule of invoice lines, and shows all its digits: `1571.30`.
#[must_use]
pub fn round_to_minor_unit(value: Decimal, currency: &str) -> Decimal {
    let digits = minor_units(currency);
    let mut rounded = value.round_dp_with_strategy(digits, RoundingStrategy::MidpointNearestEven);
    rounded.rescale(digits);
    rounded
}

/// Digits after the point of the currency's minor unit (ISO 4217), 2 for an unknown code.
#[must_use]
pub fn minor_units(currency: &str) -> u32 {
    iso_currency::Currency::from_code(currency).and_then(iso_currency::Currency::exponent).map_or(2, u32::from)
}

/// The code of a currency of ISO 4217, if `code` is one.
#[must_use]
pub fn currency_code(code: &str) -> Option<&'static str> {
    iso_currency::Currency::from_code(code).map(|currency| currency.code())
}

/// A stored value as text without padding zeros, for messages and CSV.
#[must_use]
pub fn format_scaled(scaled: i128) -> String {
    let sign = if scaled < 0 { "-" } else { "" };
    let (whole, fraction) = (scaled.unsigned_abs() / UNIT.unsigned_abs(), scaled.unsigned_abs() % UNIT.unsigned_abs());
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let fraction = format!("{fraction:018}");
    format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
}

/// A float of a file that knows no decimals (Excel, Parquet) as the shortest decimal that reads back as the same float. Digits beyond the 18th
/// after the point, which no float of money means, are rounded half-even. `None` if it is no number.
#[must_use]
pub fn float_text(value: f64) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    if value == 0.0 {
        return Some("0".to_owned());
    }
    let text = value.to_string();
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    if decimals <= SCALE as usize { Some(text) } else { parse_decimal(&text).ok().map(format_scaled) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn real_export_spellings_are_exact() {
        for (text, expected) in [
            ("'22.000000000000000000", "22"),
            ("'0E-20", "0"),
            ("'-2.0000", "-2"),
            ("5.64902E-05", "0.0000564902"),
            ("6.71E-8", "0.0000000671"),
            ("35.2e2", "3520"),
            ("0.000000000000000001", "0.000000000000000001"),
            ("00012.50", "12.5"),
            (".5", "0.5"),
            ("1.10000000000000000000000000000000000000000000", "1.1"),
        ] {
            assert_eq!(format_scaled(parse_decimal(text).expect(text)), expected, "{text}");
        }
    }

    #[test]
    fn what_is_too_large_or_would_be_guessed_is_refused() {
        assert_eq!(parse_decimal("1e30"), Err(DecimalError::TooLarge));
        assert_eq!(parse_decimal("99999999999999999999999999999999999999999"), Err(DecimalError::TooLarge));
        for text in ["", "-", "1,234.5", "$3", "1.2.3", "e5", "1e", "NaN", "inf", "12 ", "0x1F", "1e5.2", "--1"] {
            assert_eq!(parse_decimal(text), Err(DecimalError::NotANumber), "{text:?}");
        }
    }

    #[test]
    fn digits_beyond_the_18th_are_rounded_half_even() {
        for (text, expected) in [
            ("0.0001188669167459011366", "0.000118866916745901"),
            ("0.0000000072922557592391990000", "0.000000007292255759"),
            ("-1.5e-18", "-0.000000000000000002"),
            ("2.5e-18", "0.000000000000000002"),
            ("0.00000000000000000051", "0.000000000000000001"),
            ("1e-60", "0"),
            ("5.64902E-05", "0.0000564902"),
            ("12", "12"),
            ("0.1999968000511991808131", "0.199996800051199181"),
            ("0.0033333333333333335", "0.003333333333333334"),
            ("1.4210854715202004E-14", "0.000000000000014211"),
            ("0.0000000000000000005000000000000000000000000000000000000000000000000001", "0.000000000000000001"),
            ("1234567890123456789.1234567890123456789", "1234567890123456789.123456789012345679"),
            ("1.0000000000000000000000000000000000000000000000000000000001", "1"),
            ("0.33333333333333333333333333333333333333333333333333333333", "0.333333333333333333"),
        ] {
            assert_eq!(format_scaled(parse_decimal(text).expect(text)), expected, "{text}");
        }
        for (text, expected) in [("1999", "19.99"), ("0.25", "0.0025"), ("1.00000000000000005", "0.01")] {
            assert_eq!(format_scaled(parse_minor(text, 2).expect(text)), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn format_then_parse_is_identity(scaled in -(LIMIT - 1)..LIMIT) {
            prop_assert_eq!(parse_decimal(&format_scaled(scaled)), Ok(scaled));
        }

        #[test]
        fn short_numbers_read_as_long_ones_do(text in "-?[0-9]{0,12}[.]?[0-9]{0,12}") {
            if let Some(short) = parse_short(text.as_bytes()) {
                prop_assert_eq!(Ok(short), parse_long(text.as_bytes(), 0));
            }
        }

        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = parse_decimal(&text);
        }

        #[test]
        fn decimal_round_trip_is_exact_within_28_digits(mantissa in -(1_i128 << 90)..(1_i128 << 90)) {
            let value = to_decimal(mantissa).expect("fits");
            prop_assert_eq!(from_decimal(value), Some(mantissa));
        }
    }

    #[test]
    fn floats_are_written_as_the_decimal_that_they_were() {
        for (value, expected) in [
            (0.1, "0.1"),
            (-0.0, "0"),
            (12345.0, "12345"),
            (0.1 + 0.2, "0.30000000000000004"),
            (6.71e-8, "0.0000000671"),
            (1.234_567_890_123_456_7e-5, "0.000012345678901235"),
            (1e22, "10000000000000000000000"),
            (5e-324, "0"),
        ] {
            assert_eq!(float_text(value).as_deref(), Some(expected));
        }
        assert_eq!(float_text(f64::NAN), None);
    }
}
