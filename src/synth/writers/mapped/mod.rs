//! Exports that no source knows, each with the mapping file (TOML) that explains it.
//!
//! | file | writes |
//! |---|---|
//! | `distributor` | a distributor's list of subscriptions: English dates, dollar signs, thousands separators |
//! | `backup_vendor` | a backup vendor's statement: semicolons, decimal commas, days first |

pub(super) mod backup_vendor;
pub(super) mod distributor;

use rust_decimal::Decimal;

/// A number with a separator between thousands: `1,234.50`, or `1.234,50` where the comma is for decimals.
fn grouped(value: Decimal, thousands: char, point: char) -> String {
    let text = value.abs().to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut written = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            written.push(thousands);
        }
        written.push(digit);
    }
    if !fraction.is_empty() {
        written.push(point);
        written.push_str(fraction);
    }
    if value.is_sign_negative() && !value.is_zero() { format!("-{written}") } else { written }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped_from_the_point_on() {
        let grouped = |text: &str| grouped(text.parse().expect("a number"), ',', '.');
        assert_eq!(grouped("1234567.50"), "1,234,567.50");
        assert_eq!(grouped("-999"), "-999");
        assert_eq!(grouped("-1000.1"), "-1,000.1");
        assert_eq!(grouped("0.00"), "0.00");
    }
}
