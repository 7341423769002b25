//! One signal's verdict on one customer, service and month.

use super::schema::Basis;
use super::signal::{REQUIRED, Signal};
use crate::money::{format_scaled, to_decimal};
use crate::month::Month;
use crate::query::run::QueryError;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Float64Type, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{Duration, NaiveDate};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Customer, service, currency: what a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// Empty where the signal is about a service as a whole.
    pub customer_key: Option<String>,
    /// Empty where the signal is about a customer as a whole.
    pub service_key: Option<String>,
    /// ISO 4217.
    pub currency: String,
    /// What tells findings apart where customer and service cannot: the system whose usage belongs to nobody.
    pub scope: Option<String>,
}

/// One row of a signal.
#[derive(Clone, Debug)]
pub struct Cell {
    /// What it is about.
    pub subject: Subject,
    /// Service month.
    pub month: Month,
    /// Whose money it is: the signal's basis, unless the row says another.
    pub basis: Basis,
    /// The money of the cell.
    pub amount: Decimal,
    /// Interval of the money.
    pub amount_low: Decimal,
    /// Interval of the money.
    pub amount_high: Decimal,
    /// Statistics, where the signal is one.
    pub p_value: Option<f64>,
    /// Adjusted p.
    pub q_value: Option<f64>,
    /// Slope of the tested series.
    pub slope: Option<f64>,
    /// Lower limit.
    pub slope_low: Option<f64>,
    /// Upper limit.
    pub slope_high: Option<f64>,
    /// Onset that the statistic found.
    pub change_month: Option<Month>,
    /// All columns as text, for the explanation.
    pub texts: BTreeMap<String, String>,
    /// What of the amount this signal is counted for, after signals that claim first.
    pub counted: Decimal,
}

impl Cell {
    /// A month without money.
    #[must_use]
    pub fn empty(subject: Subject, basis: Basis, month: Month) -> Self {
        Self {
            subject,
            basis,
            month,
            amount: Decimal::ZERO,
            amount_low: Decimal::ZERO,
            amount_high: Decimal::ZERO,
            p_value: None,
            q_value: None,
            slope: None,
            slope_low: None,
            slope_high: None,
            change_month: None,
            texts: BTreeMap::new(),
            counted: Decimal::ZERO,
        }
    }
}

/// Reads the rows of a signal, in a fixed order.
///
/// # Errors
/// [`QueryError`] if a required column is missing or of a wrong type.
pub fn cells(signal: &Signal, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Vec<Cell>, QueryError> {
    for name in REQUIRED {
        if schema.field_with_name(name).is_err() {
            let message = format!("the query returns no column `{name}`; a signal returns {}", REQUIRED.join(", "));
            return Err(QueryError::new(&signal.query, &message));
        }
    }
    // Told by the schema: a signal that is silent today must not fail on the day it finds something.
    for name in ["amount", "amount_low", "amount_high"] {
        if schema.field_with_name(name).is_ok_and(|field| field.data_type().is_floating()) {
            let message = format!("column `{name}` is a float; money is a decimal");
            return Err(QueryError::new(&signal.query, &message));
        }
    }
    let mut cells = Vec::new();
    for batch in batches {
        let columns = Columns { signal, batch };
        for row in 0..batch.num_rows() {
            cells.push(columns.cell(row)?);
        }
    }
    cells.sort_by(|a, b| (&a.subject, a.month, a.basis).cmp(&(&b.subject, b.month, b.basis)));
    Ok(cells)
}

struct Columns<'a> {
    signal: &'a Signal,
    batch: &'a RecordBatch,
}

impl Columns<'_> {
    fn as_type(&self, name: &str, kind: &DataType, row: usize) -> Result<Option<ArrayRef>, QueryError> {
        let Some(column) = self.batch.column_by_name(name) else { return Ok(None) };
        if column.is_null(row) {
            return Ok(None);
        }
        let cell = cast(&column.slice(row, 1), kind).map_err(|_| {
            let message = format!("column `{name}` is {}, which is no {kind}", column.data_type());
            QueryError::new(&self.signal.query, &message)
        })?;
        Ok(cell.is_valid(0).then_some(cell))
    }

    fn text(&self, name: &str, row: usize) -> Result<Option<String>, QueryError> {
        Ok(self.as_type(name, &DataType::Utf8, row)?.map(|cell| cell.as_string::<i32>().value(0).to_owned()))
    }

    fn real(&self, name: &str, row: usize) -> Result<Option<f64>, QueryError> {
        Ok(self.as_type(name, &DataType::Float64, row)?.map(|cell| cell.as_primitive::<Float64Type>().value(0)))
    }

    fn amount(&self, name: &str, row: usize) -> Result<Option<Decimal>, QueryError> {
        let cell = self.as_type(name, &crate::functions::exact::MONEY, row)?;
        Ok(cell.and_then(|cell| to_decimal(cell.as_primitive::<Decimal128Type>().value(0))).map(|d| d.normalize()))
    }

    fn month(&self, name: &str, row: usize) -> Result<Option<Month>, QueryError> {
        let cell = self.as_type(name, &DataType::Date32, row)?;
        Ok(cell.map(|cell| {
            let days = Duration::days(i64::from(cell.as_primitive::<Date32Type>().value(0)));
            Month::of(NaiveDate::default().checked_add_signed(days).unwrap_or_default())
        }))
    }

    fn cell(&self, row: usize) -> Result<Cell, QueryError> {
        let needed = |name: &str| QueryError::new(&self.signal.query, &format!("column `{name}` is empty in some row"));
        let amount = self.amount("amount", row)?.ok_or_else(|| needed("amount"))?;
        let basis = match self.text("basis", row)? {
            None => self.signal.basis,
            Some(text) => Basis::parse(&text).ok_or_else(|| {
                QueryError::new(
                    &self.signal.query,
                    &format!("column `basis` says `{text}`, which is none of `revenue`, `cost`, `overbilling`"),
                )
            })?,
        };
        Ok(Cell {
            subject: Subject {
                customer_key: self.text("customer_key", row)?,
                service_key: self.text("service_key", row)?,
                currency: self.text("currency", row)?.ok_or_else(|| needed("currency"))?,
                scope: self.text("scope", row)?,
            },
            basis,
            month: self.month("month", row)?.ok_or_else(|| needed("month"))?,
            amount,
            amount_low: self.amount("amount_low", row)?.unwrap_or(amount).min(amount),
            amount_high: self.amount("amount_high", row)?.unwrap_or(amount).max(amount),
            p_value: self.real("p_value", row)?,
            q_value: self.real("q_value", row)?,
            slope: self.real("slope", row)?,
            slope_low: self.real("slope_low", row)?,
            slope_high: self.real("slope_high", row)?,
            change_month: self.month("change_month", row)?,
            texts: self.texts(row),
            counted: amount,
        })
    }

    fn texts(&self, row: usize) -> BTreeMap<String, String> {
        let options = FormatOptions::default();
        let schema = self.batch.schema();
        schema
            .fields()
            .iter()
            .zip(self.batch.columns())
            .filter(|(_, column)| column.is_valid(row))
            .filter_map(|(field, column)| {
                let text = match column.as_primitive_opt::<Decimal128Type>() {
                    Some(amounts) if amounts.scale() == crate::money::SCALE.cast_signed() as i8 => shown(amounts.value(row)),
                    _ => ArrayFormatter::try_new(column, &options).ok()?.value(row).to_string(),
                };
                Some((field.name().clone(), text))
            })
            .collect()
    }
}

/// A quantity or amount for a sentence: at most four decimals, none if whole.
fn shown(scaled: i128) -> String {
    to_decimal(scaled).map_or_else(|| format_scaled(scaled), |value| value.round_dp(4).normalize().to_string())
}
