//! Products of stored decimals, exact or rounded at the 18th digit half-even; SQL's own `*` would overflow the scale. Prices in other units are
//! exact or none.

use super::columnar;
use crate::money::{PRECISION, SCALE, from_decimal, to_decimal};
use arrow::array::{Array, ArrayRef, Decimal128Array};
use arrow::datatypes::{DataType, i256};
use datafusion::common::cast::as_decimal128_array;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ScalarUDF;
use rust_decimal::Decimal;
use std::sync::Arc;

pub(crate) const MONEY: DataType = DataType::Decimal128(PRECISION, SCALE as i8);

pub(super) fn functions() -> Vec<ScalarUDF> {
    vec![
        columnar("exact_product", vec![MONEY, MONEY], MONEY, |arrays| binary(&arrays[0], &arrays[1], Decimal::checked_mul)),
        columnar("exact_quotient", vec![MONEY, MONEY], MONEY, |arrays| {
            // A quotient by nothing is no value, as in every price that is "amount by quantity".
            binary(&arrays[0], &arrays[1], |a, b| if b.is_zero() { None } else { a.checked_div(b) })
        }),
        columnar("converted_unit_price", vec![MONEY, MONEY, MONEY], MONEY, converted_unit_price),
        columnar("share_of", vec![MONEY, MONEY, MONEY], MONEY, share_of),
        columnar("round_money", vec![MONEY, DataType::Utf8], MONEY, |arrays| {
            let amounts = as_decimal128_array(&arrays[0])?;
            let currencies = datafusion::common::cast::as_string_array(&arrays[1])?;
            let rounded: Decimal128Array = (0..amounts.len())
                .map(|row| {
                    let amount = amounts.is_valid(row).then(|| amounts.value(row)).and_then(to_decimal)?;
                    let currency = if currencies.is_valid(row) { currencies.value(row) } else { "" };
                    from_decimal(crate::money::round_to_minor_unit(amount, currency))
                })
                .collect();
            money(rounded)
        }),
    ]
}

pub(super) fn money(values: Decimal128Array) -> Result<ArrayRef> {
    Ok(Arc::new(values.with_precision_and_scale(PRECISION, SCALE as i8)?))
}

/// The price of one unit of a second quantity, where the price is that of one unit of the first and both state the same thing: 4.00 for each
/// of 5 millions is 0.000004 for each of 5,000,000. None where the quotient has more than the stored decimals: a price is not rounded.
fn converted_unit_price(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    let columns: Vec<&Decimal128Array> = arrays.iter().map(|array| as_decimal128_array(array)).collect::<Result<_>>()?;
    let at = |column: usize, row: usize| columns[column].is_valid(row).then(|| i256::from_i128(columns[column].value(row)));
    let price = |row: usize| {
        let (amount, other) = (at(0, row)?.checked_mul(at(1, row)?)?, at(2, row)?);
        // Nothing divides by zero: there is no remainder then.
        (amount.checked_rem(other)? == i256::ZERO).then(|| amount.checked_div(other)).flatten()?.to_i128()
    };
    money((0..columns[0].len()).map(price).collect())
}

/// The part of an amount between two shares of it, both from 0 to 1: differences of running shares, so that the parts of all shares sum
/// exactly to the amount. Without shares it is the whole.
fn share_of(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    let columns: Vec<&Decimal128Array> = arrays.iter().map(|array| as_decimal128_array(array)).collect::<Result<_>>()?;
    let mut values = Vec::with_capacity(columns[0].len());
    for row in 0..columns[0].len() {
        if columns[0].is_null(row) {
            values.push(None);
            continue;
        }
        let amount = columns[0].value(row);
        let until = |share: &Decimal128Array, whole: Decimal| -> Option<i128> {
            let share = if share.is_null(row) { whole } else { to_decimal(share.value(row))? };
            match share {
                share if share >= Decimal::ONE => Some(amount),
                share if share <= Decimal::ZERO => Some(0),
                share => from_decimal(to_decimal(amount)?.checked_mul(share)?),
            }
        };
        let part =
            until(columns[2], Decimal::ONE).zip(until(columns[1], Decimal::ZERO)).and_then(|(to, from)| to.checked_sub(from));
        match part {
            Some(part) => values.push(Some(part)),
            None => return exec_err!("an amount beyond 10^28 cannot be shared exactly"),
        }
    }
    money(Decimal128Array::from(values))
}

fn binary(left: &ArrayRef, right: &ArrayRef, apply: fn(Decimal, Decimal) -> Option<Decimal>) -> Result<ArrayRef> {
    let (left, right) = (as_decimal128_array(left)?, as_decimal128_array(right)?);
    let mut values = Vec::with_capacity(left.len());
    for row in 0..left.len() {
        if left.is_null(row) || right.is_null(row) {
            values.push(None);
            continue;
        }
        let (a, b) = (to_decimal(left.value(row)), to_decimal(right.value(row)));
        match (a, b) {
            (Some(a), Some(b)) => values.push(apply(a, b).and_then(from_decimal)),
            _ => return exec_err!("a quantity or amount beyond 10^28 cannot be multiplied exactly"),
        }
    }
    money(Decimal128Array::from(values))
}
