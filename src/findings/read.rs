//! Findings between Rust and Arrow, both ways, in the fixed schema.

use super::schema::{Basis, Finding};
use crate::money::{PRECISION, SCALE, from_decimal, round_to_minor_unit, to_decimal};
use crate::month::{Month, Quarter};
use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Field, Float64Type, Schema};
use arrow::error::ArrowError;
use chrono::{Duration, NaiveDate};
use rust_decimal::Decimal;
use std::sync::Arc;

/// Days since 1970 of a month's first day.
#[must_use]
pub fn month_days(month: Month) -> i32 {
    i32::try_from((month.first_day() - NaiveDate::default()).num_days()).unwrap_or(0)
}

/// Days since 1970.
#[must_use]
pub fn date_days(date: NaiveDate) -> i32 {
    i32::try_from((date - NaiveDate::default()).num_days()).unwrap_or(0)
}

/// Findings as rows of `marts/finding`, ranked in their order.
///
/// # Errors
/// Only if Arrow refuses columns of equal length.
pub fn to_batch(findings: &[&Finding], run_id: &str) -> Result<RecordBatch, ArrowError> {
    let text = |get: &dyn Fn(&Finding) -> Option<String>| -> ArrayRef {
        Arc::new(findings.iter().map(|f| get(f)).collect::<StringArray>())
    };
    let money = |get: fn(&Finding) -> Decimal| -> Result<ArrayRef, ArrowError> {
        let values: Decimal128Array = findings.iter().map(|f| from_decimal(get(f))).collect();
        Ok(Arc::new(values.with_precision_and_scale(PRECISION, SCALE as i8)?))
    };
    let month = |get: fn(&Finding) -> Option<Month>| -> ArrayRef {
        Arc::new(findings.iter().map(|f| get(f).map(month_days)).collect::<Date32Array>())
    };
    let real =
        |get: fn(&Finding) -> Option<f64>| -> ArrayRef { Arc::new(findings.iter().map(|f| get(f)).collect::<Float64Array>()) };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("finding_id", text(&|f| Some(f.finding_id.clone()))),
        ("signal", text(&|f| Some(f.signal.clone()))),
        ("family", text(&|f| Some(f.family.clone()))),
        ("quarter", text(&|f| Some(f.quarter.to_string()))),
        ("customer_key", text(&|f| f.customer_key.clone())),
        ("customer_name", text(&|f| f.customer_name.clone())),
        ("service_key", text(&|f| f.service_key.clone())),
        ("service_name", text(&|f| f.service_name.clone())),
        ("first_month", month(|f| Some(f.first_month))),
        ("last_month", month(|f| Some(f.last_month))),
        ("currency", text(&|f| Some(f.currency.clone()))),
        ("leakage_low", money(|f| f.leakage_low)?),
        ("leakage", money(|f| f.leakage)?),
        ("leakage_high", money(|f| f.leakage_high)?),
        ("annual_run_rate", money(|f| f.annual_run_rate)?),
        ("severity", text(&|f| Some(f.severity.clone()))),
        ("confidence", real(|f| Some(f.confidence))),
        ("p_value", real(|f| f.p_value)),
        ("q_value", real(|f| f.q_value)),
        ("slope", real(|f| f.slope)),
        ("slope_low", real(|f| f.slope_low)),
        ("slope_high", real(|f| f.slope_high)),
        ("change_month", month(|f| f.change_month)),
        ("status", text(&|f| Some(f.status.clone()))),
        ("explanation", text(&|f| Some(f.explanation.clone()))),
        ("basis", text(&|f| Some(f.basis.as_str().to_owned()))),
        ("overbilled", money(|f| f.overbilled)?),
        ("rank", Arc::new((1..).take(findings.len()).map(Some).collect::<Int64Array>())),
        ("run_id", text(&|_| Some(run_id.to_owned()))),
    ];
    let fields: Vec<Field> = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, array)| array).collect())
}

/// Findings from rows of `marts/finding`.
///
/// # Errors
/// If a column is missing or of another type.
pub fn from_batch(batch: &RecordBatch) -> Result<Vec<Finding>, ArrowError> {
    let rows = Rows { batch };
    (0..batch.num_rows()).map(|row| rows.finding(row)).collect()
}

struct Rows<'a> {
    batch: &'a RecordBatch,
}

impl Rows<'_> {
    fn column(&self, name: &str, kind: &DataType) -> Result<ArrayRef, ArrowError> {
        let column = self.batch.column_by_name(name);
        let column = column.ok_or_else(|| ArrowError::SchemaError(format!("`marts.finding` has no column `{name}`")))?;
        cast(column, kind)
    }

    fn text(&self, name: &str, row: usize) -> Result<Option<String>, ArrowError> {
        let column = self.column(name, &DataType::Utf8)?;
        Ok(column.is_valid(row).then(|| column.as_string::<i32>().value(row).to_owned()))
    }

    fn stated(&self, name: &str, row: usize) -> Result<String, ArrowError> {
        Ok(self.text(name, row)?.unwrap_or_default())
    }

    fn real(&self, name: &str, row: usize) -> Result<Option<f64>, ArrowError> {
        let column = self.column(name, &DataType::Float64)?;
        Ok(column.is_valid(row).then(|| column.as_primitive::<Float64Type>().value(row)))
    }

    fn money(&self, name: &str, row: usize) -> Result<Decimal, ArrowError> {
        let column = self.column(name, &crate::functions::exact::MONEY)?;
        let scaled = column.as_primitive::<Decimal128Type>();
        Ok(if scaled.is_valid(row) { to_decimal(scaled.value(row)).unwrap_or_default() } else { Decimal::ZERO })
    }

    fn month(&self, name: &str, row: usize) -> Result<Option<Month>, ArrowError> {
        let column = self.column(name, &DataType::Date32)?;
        let days = column.as_primitive::<Date32Type>();
        Ok(days.is_valid(row).then(|| {
            let date = NaiveDate::default().checked_add_signed(Duration::days(i64::from(days.value(row))));
            Month::of(date.unwrap_or_default())
        }))
    }

    fn finding(&self, row: usize) -> Result<Finding, ArrowError> {
        let bad = |what: &str| ArrowError::SchemaError(format!("`marts.finding` holds a bad {what}"));
        let quarter: Quarter = self.stated("quarter", row)?.parse().map_err(|_| bad("quarter"))?;
        let currency = self.stated("currency", row)?;
        let money = |name: &str| Ok::<_, ArrowError>(round_to_minor_unit(self.money(name, row)?, &currency));
        Ok(Finding {
            finding_id: self.stated("finding_id", row)?,
            signal: self.stated("signal", row)?,
            family: self.stated("family", row)?,
            quarter,
            customer_key: self.text("customer_key", row)?,
            customer_name: self.text("customer_name", row)?,
            service_key: self.text("service_key", row)?,
            service_name: self.text("service_name", row)?,
            first_month: self.month("first_month", row)?.ok_or_else(|| bad("first_month"))?,
            last_month: self.month("last_month", row)?.ok_or_else(|| bad("last_month"))?,
            currency: currency.clone(),
            leakage_low: money("leakage_low")?,
            leakage: money("leakage")?,
            leakage_high: money("leakage_high")?,
            annual_run_rate: money("annual_run_rate")?,
            severity: self.stated("severity", row)?,
            confidence: self.real("confidence", row)?.unwrap_or_default(),
            p_value: self.real("p_value", row)?,
            q_value: self.real("q_value", row)?,
            slope: self.real("slope", row)?,
            slope_low: self.real("slope_low", row)?,
            slope_high: self.real("slope_high", row)?,
            change_month: self.month("change_month", row)?,
            status: self.stated("status", row)?,
            explanation: self.stated("explanation", row)?,
            basis: match self.stated("basis", row)?.as_str() {
                "cost" => Basis::Cost,
                "overbilling" => Basis::Overbilling,
                _ => Basis::Revenue,
            },
            overbilled: money("overbilled")?,
        })
    }
}
