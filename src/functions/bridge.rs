//! `split_gap(currency, expected, expected_contracted, expected_billed, revenue, one_off, credit, repeated, late, corrected, calendar, minimum,
//! uncovered, is_billed, is_contracted, is_delivered, has_old_price)`: [`crate::rating::bridge`] in SQL.
//!
//! Returns `{gap, parts: [{cause, amount}]}`; both empty where nothing is expected because no price is known; one part of nothing without a
//! cause where the cell is in order, so that it stays in view. Amounts that are missing
//! count as nothing, except the three expectations.

use super::exact::{MONEY, money};
use crate::money::{from_decimal, to_decimal};
use crate::rating::bridge::{Cell, Part, split};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, ListArray, StringArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Field, Fields};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::ScalarUDF;
use rust_decimal::Decimal;
use std::sync::Arc;

pub(super) fn function() -> ScalarUDF {
    let flag = DataType::Boolean;
    let mut arguments = vec![DataType::Utf8];
    arguments.extend(vec![MONEY; 12]);
    arguments.extend(vec![flag; 4]);
    super::columnar("split_gap", arguments, DataType::Struct(fields()), split_rows)
}

fn part_fields() -> Fields {
    Fields::from(vec![Field::new("cause", DataType::Utf8, true), Field::new("amount", MONEY, true)])
}

fn item() -> Arc<Field> {
    Arc::new(Field::new_list_field(DataType::Struct(part_fields()), true))
}

fn fields() -> Fields {
    Fields::from(vec![Field::new("gap", MONEY, true), Field::new("parts", DataType::List(item()), true)])
}

fn split_rows(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    let currencies = cast(&arrays[0], &DataType::Utf8)?;
    let currencies: &StringArray = currencies.as_string();
    let amount = |at: usize, row: usize| {
        let column: &Decimal128Array = arrays[at].as_primitive::<Decimal128Type>();
        column.is_valid(row).then(|| to_decimal(column.value(row))).flatten()
    };
    let flag = |at: usize, row: usize| {
        let column: &BooleanArray = arrays[at].as_boolean();
        column.is_valid(row) && column.value(row)
    };
    let mut gaps: Vec<Option<i128>> = Vec::with_capacity(currencies.len());
    let mut parts: Vec<(Option<&str>, Decimal)> = Vec::new();
    let mut lengths = Vec::with_capacity(currencies.len());
    for row in 0..currencies.len() {
        let or_nothing = |at: usize| amount(at, row).unwrap_or_default();
        let cell = Cell {
            currency: if currencies.is_valid(row) { currencies.value(row).to_owned() } else { String::new() },
            expected: amount(1, row),
            expected_contracted: amount(2, row),
            expected_billed: amount(3, row),
            revenue: or_nothing(4),
            one_off: or_nothing(5),
            credit: or_nothing(6),
            repeated: or_nothing(7),
            late: or_nothing(8),
            corrected: or_nothing(9),
            calendar: or_nothing(10),
            minimum: or_nothing(11),
            uncovered: or_nothing(12),
            is_billed: flag(13, row),
            is_contracted: flag(14, row),
            is_delivered: flag(15, row),
            has_old_price: flag(16, row),
        };
        let (gap, of_row) = split(&cell).map_or((None, Vec::new()), |(gap, parts)| (Some(gap), parts));
        gaps.push(gap.map(stored).transpose()?);
        let is_in_order = gap.is_some() && of_row.is_empty();
        lengths.push(of_row.len() + usize::from(is_in_order));
        parts.extend(is_in_order.then_some((None, Decimal::ZERO)));
        parts.extend(of_row.into_iter().map(|Part { cause, amount }| (Some(cause), amount)));
    }
    let is_known = NullBuffer::from(gaps.iter().map(Option::is_some).collect::<Vec<_>>());
    let causes: StringArray = parts.iter().map(|(cause, _)| *cause).collect();
    let amounts: Decimal128Array = parts.iter().map(|(_, amount)| stored(*amount).map(Some)).collect::<Result<_>>()?;
    let items = StructArray::try_new(part_fields(), vec![Arc::new(causes), money(amounts)?], None)?;
    let lists = ListArray::try_new(item(), OffsetBuffer::from_lengths(lengths), Arc::new(items), Some(is_known))?;
    let gaps = money(gaps.into_iter().collect())?;
    Ok(Arc::new(StructArray::try_new(fields(), vec![gaps, Arc::new(lists)], None)?))
}

fn stored(amount: Decimal) -> Result<i128> {
    from_decimal(amount).ok_or_else(|| exec_datafusion_err!("a gap exceeds 38 digits"))
}
