//! `rate_month(month, currency, flow, levels, contract, terms, active, suspended, is_complete, cost, billed)`: [`crate::rating`] in SQL.
//!
//! | argument | type |
//! | --- | --- |
//! | `levels`, `active`, `suspended` | list of `{from_day, to_day, quantity}` |
//! | `contract` | list of `{from_day, to_day, quantity, included_quantity, unit_price, is_billable}` |
//! | `terms` | list of `{from_day, to_day, model, flat_fee, unit_price, included_quantity, minimum_quantity, quantity_basis, overage_unit_price, tiers, markup_percent, escalator_percent, escalator_month, proration}` |
//! | `cost`, `billed` | vendor cost in the currency, quantity on the invoices |
//!
//! Days are dates, half-open, and may reach beyond the month. Returns a struct with the fields of [`crate::rating::Rated`].

use super::exact::{MONEY, money};
use super::period::month_bounds;
use crate::money::{from_decimal, to_decimal};
use crate::rating::terms::{Basis, Escalator, Model, Proration};
use crate::rating::tiers::Tiers;
use crate::rating::{ContractSegment, Delivered, Lifecycle, MonthInput, Rated, Segment, Terms, rate};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, StringArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Field, Fields};
use chrono::Datelike;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use rust_decimal::Decimal;
use std::sync::Arc;

const ARGUMENTS: usize = 11;

pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(RateMonth { signature: Signature::any(ARGUMENTS, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct RateMonth {
    signature: Signature,
}

fn fields() -> Fields {
    let amount = |name: &str| Field::new(name, MONEY, true);
    let flag = |name: &str| Field::new(name, DataType::Boolean, true);
    Fields::from(vec![
        amount("delivered"),
        amount("contracted"),
        amount("billable"),
        amount("billable_contracted"),
        amount("expected"),
        amount("expected_contracted"),
        amount("expected_billed"),
        amount("minimum_due"),
        amount("unit_price"),
        amount("active"),
        amount("suspended"),
        amount("reported"),
        amount("suspended_charged"),
        Field::new("price_model", DataType::Utf8, true),
        flag("is_not_billable"),
    ])
}

impl ScalarUDFImpl for RateMonth {
    fn name(&self) -> &'static str {
        "rate_month"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let inputs = Inputs::new(&arrays)?;
        let mut rated: Vec<Rated> = Vec::with_capacity(inputs.months.len());
        for row in 0..inputs.months.len() {
            let input = inputs.row(row);
            let month = rate(&input).ok_or_else(|| exec_datafusion_err!("a month's amounts exceed 28 digits"))?;
            rated.push(month);
        }
        columns(&rated).map(|array| ColumnarValue::Array(Arc::new(array)))
    }
}

fn columns(rated: &[Rated]) -> Result<StructArray> {
    let amounts = |get: fn(&Rated) -> Option<Decimal>| -> Result<ArrayRef> {
        money(rated.iter().map(|r| get(r).and_then(from_decimal)).collect::<Decimal128Array>())
    };
    let flags = |get: fn(&Rated) -> bool| -> ArrayRef { Arc::new(rated.iter().map(|r| Some(get(r))).collect::<BooleanArray>()) };
    let arrays = vec![
        amounts(|r| r.delivered)?,
        amounts(|r| r.contracted)?,
        amounts(|r| Some(r.billable))?,
        amounts(|r| Some(r.billable_contracted))?,
        amounts(|r| r.expected)?,
        amounts(|r| r.expected_contracted)?,
        amounts(|r| r.expected_billed)?,
        amounts(|r| Some(r.minimum_due))?,
        amounts(|r| r.unit_price)?,
        amounts(|r| r.active)?,
        amounts(|r| r.suspended)?,
        amounts(|r| r.reported)?,
        amounts(|r| Some(r.suspended_charged))?,
        Arc::new(rated.iter().map(|r| Some(r.price_model.name())).collect::<StringArray>()),
        flags(|r| r.is_not_billable),
    ];
    Ok(StructArray::try_new(fields(), arrays, None)?)
}

/// The argument columns, typed.
struct Inputs {
    months: ArrayRef,
    currencies: StringArray,
    flows: Decimal128Array,
    levels: Option<Items>,
    contract: Option<Items>,
    terms: Option<Items>,
    active: Option<Items>,
    suspended: Option<Items>,
    complete: ArrayRef,
    costs: Decimal128Array,
    billed: Decimal128Array,
}

impl Inputs {
    fn new(arrays: &[ArrayRef]) -> Result<Self> {
        if arrays.len() != ARGUMENTS {
            return exec_err!("rate_month takes {ARGUMENTS} arguments");
        }
        Ok(Self {
            months: cast(&arrays[0], &DataType::Date32)?,
            currencies: cast(&arrays[1], &DataType::Utf8)?.as_string().clone(),
            flows: cast(&arrays[2], &MONEY)?.as_primitive::<Decimal128Type>().clone(),
            levels: Items::new(&arrays[3])?,
            contract: Items::new(&arrays[4])?,
            terms: Items::new(&arrays[5])?,
            active: Items::new(&arrays[6])?,
            suspended: Items::new(&arrays[7])?,
            complete: cast(&arrays[8], &DataType::Boolean)?,
            costs: cast(&arrays[9], &MONEY)?.as_primitive::<Decimal128Type>().clone(),
            billed: cast(&arrays[10], &MONEY)?.as_primitive::<Decimal128Type>().clone(),
        })
    }

    fn row(&self, row: usize) -> MonthInput {
        let day = i64::from(self.months.as_primitive::<Date32Type>().value(row));
        let (start, end) = month_bounds(day);
        let number = |day: i64| i32::try_from(day).unwrap_or(i32::MAX);
        let amount = |column: &Decimal128Array| column.is_valid(row).then(|| to_decimal(column.value(row))).flatten();
        MonthInput {
            month_start: number(start),
            month_end: number(end),
            currency: if self.currencies.is_valid(row) { self.currencies.value(row).to_owned() } else { String::new() },
            delivered: Delivered {
                levels: segments(self.levels.as_ref(), row),
                flow: amount(&self.flows),
                cost: amount(&self.costs),
            },
            contract: contract(self.contract.as_ref(), row),
            terms: terms(self.terms.as_ref(), row, month_number(number(start)).unwrap_or_default()),
            lifecycle: Lifecycle {
                active: segments(self.active.as_ref(), row),
                suspended: segments(self.suspended.as_ref(), row),
                is_complete: self.complete.is_valid(row) && self.complete.as_boolean().value(row),
            },
            billed: amount(&self.billed),
        }
    }
}

/// A column of lists of structs.
struct Items {
    offsets: Vec<(usize, usize)>,
    values: StructArray,
}

impl Items {
    fn new(array: &ArrayRef) -> Result<Option<Self>> {
        if array.data_type() == &DataType::Null {
            return Ok(None);
        }
        let Some(list) = array.as_list_opt::<i32>() else {
            return exec_err!("rate_month expects a list, got {}", array.data_type());
        };
        let Some(values) = list.values().as_struct_opt() else {
            return exec_err!("rate_month expects a list of structs");
        };
        let offsets = (0..list.len())
            .map(|row| {
                if list.is_null(row) {
                    return (0, 0);
                }
                let at = |i: usize| usize::try_from(list.value_offsets()[i]).unwrap_or(0);
                (at(row), at(row + 1))
            })
            .collect();
        Ok(Some(Self { offsets, values: values.clone() }))
    }

    /// The items of a row whose days are given, in a fixed order whatever order they were gathered in.
    fn of<T>(&self, row: usize, read: impl Fn(&Self, usize, i32, i32) -> Option<T>) -> Vec<T> {
        let (from, to) = self.offsets[row];
        let mut items: Vec<(i32, i32, usize)> = (from..to)
            .filter_map(|at| Some((self.day("from_day", at)?, self.day("to_day", at).unwrap_or(i32::MAX), at)))
            .collect();
        items.sort_by_key(|&(from, to, at)| (from, to, self.amount("unit_price", at), self.amount("quantity", at)));
        items.into_iter().filter_map(|(from, to, at)| read(self, at, from, to)).collect()
    }

    fn day(&self, name: &str, at: usize) -> Option<i32> {
        let column = self.values.column_by_name(name)?.as_primitive_opt::<Date32Type>()?;
        column.is_valid(at).then(|| column.value(at))
    }

    fn amount(&self, name: &str, at: usize) -> Option<Decimal> {
        let column = self.values.column_by_name(name)?.as_primitive_opt::<Decimal128Type>()?;
        column.is_valid(at).then(|| to_decimal(column.value(at))).flatten()
    }

    fn text(&self, name: &str, at: usize) -> Option<String> {
        let column = self.values.column_by_name(name)?;
        let text = cast(&column.slice(at, 1), &DataType::Utf8).ok()?;
        let text = text.as_string::<i32>();
        text.is_valid(0).then(|| text.value(0).to_owned())
    }

    fn flag(&self, name: &str, at: usize) -> bool {
        let column = self.values.column_by_name(name).and_then(|c| c.as_boolean_opt());
        column.is_none_or(|c| c.is_null(at) || c.value(at))
    }
}

fn segments(items: Option<&Items>, row: usize) -> Vec<Segment> {
    let read = |items: &Items, at, from, to| Some(Segment { from, to, quantity: items.amount("quantity", at)? });
    items.map(|items| items.of(row, read)).unwrap_or_default()
}

fn contract(items: Option<&Items>, row: usize) -> Vec<ContractSegment> {
    let read = |items: &Items, at, from, to| {
        Some(ContractSegment {
            days: Segment { from, to, quantity: items.amount("quantity", at)? },
            included: items.amount("included_quantity", at).unwrap_or_default(),
            unit_price: items.amount("unit_price", at),
            is_billable: items.flag("is_billable", at),
        })
    };
    items.map(|items| items.of(row, read)).unwrap_or_default()
}

/// Terms as they price this month: an escalator has raised them by then.
fn terms(items: Option<&Items>, row: usize, month: i32) -> Vec<Terms> {
    let read = |items: &Items, at, from, to| {
        let raised = escalation(items, at, from, month);
        let model = model(items, at).and_then(|model| model.scaled(raised?));
        let overage = items.amount("overage_unit_price", at);
        Some(Terms {
            from,
            to,
            model: model.unwrap_or(Model::Unreadable),
            overage_unit_price: overage.and_then(|price| price.checked_mul(raised?)),
            included: items.amount("included_quantity", at).unwrap_or_default(),
            minimum: items.amount("minimum_quantity", at).unwrap_or_default(),
            basis: match items.text("quantity_basis", at).as_deref() {
                Some("contracted") => Basis::Contracted,
                Some("delivered") => Basis::Delivered,
                _ => Basis::Max,
            },
            proration: match items.text("proration", at).as_deref() {
                Some("thirty_days") => Proration::ThirtyDays,
                _ => Proration::ActualDays,
            },
        })
    };
    items.map(|items| items.of(row, read)).unwrap_or_default()
}

/// The model of some terms; none if what it needs is missing or cannot be read.
fn model(items: &Items, at: usize) -> Option<Model> {
    let tiers = || Tiers::parse(&items.text("tiers", at)?).ok();
    match items.text("model", at)?.as_str() {
        "per_unit" => Some(Model::PerUnit(items.amount("unit_price", at))),
        "flat_fee" => items.amount("flat_fee", at).map(Model::FlatFee),
        "tiered_graduated" => tiers().map(Model::Graduated),
        "tiered_volume" => tiers().map(Model::Volume),
        "cost_plus" => items.amount("markup_percent", at).map(Model::CostPlus),
        _ => None,
    }
}

/// What prices are multiplied with in a month; none if the escalator cannot be read.
fn escalation(items: &Items, at: usize, from_day: i32, month: i32) -> Option<Decimal> {
    let Some(percent) = items.amount("escalator_percent", at) else { return Some(Decimal::ONE) };
    Escalator::parse(percent, &items.text("escalator_month", at)?)?.factor(month_number(from_day)?, month)
}

/// Months since January of year 0.
fn month_number(day: i32) -> Option<i32> {
    let date = chrono::NaiveDate::default().checked_add_signed(chrono::Duration::days(day.into()))?;
    i32::try_from(date.month0()).ok().map(|month| date.year() * 12 + month)
}
