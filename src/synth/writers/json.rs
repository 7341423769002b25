//! Exact decimals as JSON numbers.

use rust_decimal::Decimal;
use serde_json::{Number, Value};

/// `value` with all its digits: never by way of a float.
pub(crate) fn number(value: Decimal) -> Value {
    serde_json::from_str::<Number>(&value.to_string()).map_or_else(|_| Value::from(value.to_string()), Value::Number)
}
