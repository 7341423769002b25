//! Money that came back: months of earlier findings that have been billed since.
//!
//! Each run remembers what was billed of a finding's months (`finding_evidence.billed`). A later run looks at the same months again:
//!
//! ```text
//! recovered = billed now - billed then, but never more than was counted as lost     (over-billing: billed then - billed now)
//! ```
//! Of several findings on one month the one listed first is paid first, so that no unit comes back twice. In a run of the same quarter what had come
//! back before is carried on: `lost` is what is lost now and what had been recovered. Cost leaks are not measured: no invoice shows that
//! a cost has ended.

use super::analyze::{AnalyzeError, texts};
use super::cell::Subject;
use super::earlier::{Earlier, Evidence};
use super::read::month_days;
use super::schema::Basis;
use crate::functions::exact::MONEY;
use crate::month::{Month, Quarter};
use arrow::array::{Array, ArrayRef, AsArray, Date32Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Field, Schema};
use chrono::{Duration, NaiveDate};
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use rust_decimal::Decimal;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A month of a customer and service in a currency.
pub type Key = (Subject, Month);

/// A month of an earlier finding of which money has come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The finding.
    pub finding_id: String,
    /// The quarter that it was found in.
    pub found_quarter: Quarter,
    /// Whose month.
    pub subject: Subject,
    /// Which.
    pub month: Month,
    /// Whose money it is.
    pub basis: Basis,
    /// What was lost, in all.
    pub lost: Decimal,
    /// Billed when it was found first.
    pub billed_then: Decimal,
    /// Billed as is known now.
    pub billed_now: Decimal,
    /// What came back.
    pub recovered: Decimal,
}

/// What is billed for these months, as the facts of the session have it: recurring and one-off lines less credits.
///
/// # Errors
/// [`AnalyzeError`] if the facts cannot be read.
pub async fn billed(ctx: &SessionContext, keys: &BTreeSet<Key>) -> Result<HashMap<Key, Decimal>, AnalyzeError> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let text = |get: fn(&Subject) -> Option<&str>| -> ArrayRef {
        Arc::new(keys.iter().map(|(subject, _)| get(subject)).collect::<StringArray>())
    };
    let months: Date32Array = keys.iter().map(|(_, month)| Some(month_days(*month))).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("customer_key", text(|s| s.customer_key.as_deref())),
        ("service_key", text(|s| s.service_key.as_deref())),
        ("currency", text(|s| Some(&s.currency))),
        ("month", Arc::new(months)),
    ];
    let fields: Vec<Field> = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, array)| array).collect());
    let rows = rows.map_err(AnalyzeError::arrow("reading what was billed"))?;
    let failed = AnalyzeError::engine("reading what was billed");
    let table = MemTable::try_new(rows.schema(), vec![vec![rows]]).map_err(&failed)?;
    let name = TableReference::partial("facts", "wanted_month");
    ctx.register_table(name.clone(), Arc::new(table)).map_err(&failed)?;
    let sql = "SELECT fact.customer_key, fact.service_key, fact.currency, fact.month,
                      coalesce(fact.revenue, 0) + coalesce(fact.one_off_revenue, 0) + coalesce(fact.credit, 0) AS billed
               FROM facts.fact_monthly AS fact
               JOIN facts.wanted_month AS wanted
                 ON fact.customer_key = wanted.customer_key AND fact.service_key = wanted.service_key
                 AND fact.currency = wanted.currency AND fact.month = wanted.month";
    let batches = texts(ctx, sql).await;
    ctx.deregister_table(name).map_err(&failed)?;
    let mut found = HashMap::new();
    for batch in batches? {
        found.extend(of_batch(&batch).map_err(AnalyzeError::arrow("reading what was billed"))?);
    }
    Ok(found)
}

fn of_batch(batch: &RecordBatch) -> Result<Vec<(Key, Decimal)>, arrow::error::ArrowError> {
    let texts: Vec<ArrayRef> = (0..3).map(|at| cast(batch.column(at), &DataType::Utf8)).collect::<Result<_, _>>()?;
    let text = |at: usize, row: usize| texts[at].as_string::<i32>().value(row).to_owned();
    let months = cast(batch.column(3), &DataType::Date32)?;
    let money = cast(batch.column(4), &MONEY)?;
    let money = money.as_primitive::<Decimal128Type>();
    let row = |row: usize| {
        let subject = Subject { customer_key: Some(text(0, row)), service_key: Some(text(1, row)), currency: text(2, row) };
        let days = Duration::days(i64::from(months.as_primitive::<Date32Type>().value(row)));
        let month = Month::of(NaiveDate::default().checked_add_signed(days).unwrap_or_default());
        let amount =
            if money.is_valid(row) { crate::money::to_decimal(money.value(row)).unwrap_or_default() } else { Decimal::ZERO };
        ((subject, month), amount)
    };
    Ok((0..batch.num_rows()).map(row).collect())
}

/// What has come back of the months of these earlier findings. Findings are in the order of their rank.
///
/// # Errors
/// [`AnalyzeError`] if the facts cannot be read.
pub async fn recovered(ctx: &SessionContext, earlier: &[Earlier]) -> Result<Vec<Recovered>, AnalyzeError> {
    let found: Vec<Recovered> = earlier.iter().flat_map(known_losses).collect();
    let keys = found.iter().map(|loss| (loss.subject.clone(), loss.month)).collect();
    let now = billed(ctx, &keys).await?;
    let mut taken: HashMap<Key, Decimal> = HashMap::new();
    let mut back = Vec::new();
    for mut loss in found {
        let key = (loss.subject.clone(), loss.month);
        loss.billed_now = now.get(&key).copied().unwrap_or_default();
        let taken = taken.entry(key).or_default();
        let change = loss.billed_now - loss.billed_then;
        let change = if loss.basis == Basis::Overbilling { -change } else { change };
        loss.recovered = (change - *taken).clamp(Decimal::ZERO, loss.lost.max(Decimal::ZERO));
        if loss.basis == Basis::Revenue {
            *taken += loss.recovered;
        }
        if !loss.recovered.is_zero() {
            back.push(loss);
        }
    }
    Ok(back)
}

/// Months for which a run's findings were counted, and months of which something had come back before it.
fn known_losses(run: &Earlier) -> Vec<Recovered> {
    let own = run.recovered.iter().filter(|row| row.found_quarter == run.quarter);
    let mut carried: HashMap<(&str, &Subject, Month), &Recovered> =
        own.map(|row| ((row.finding_id.as_str(), &row.subject, row.month), row)).collect();
    let mut months: HashMap<&str, Vec<&Evidence>> = HashMap::new();
    for month in &run.evidence {
        months.entry(&month.finding_id).or_default().push(month);
    }
    let mut losses = Vec::new();
    for finding in run.findings.iter().filter(|finding| finding.basis != Basis::Cost) {
        for month in months.remove(finding.finding_id.as_str()).unwrap_or_default() {
            let before = carried.remove(&(finding.finding_id.as_str(), &month.subject, month.month));
            let Some(billed_then) = before.map(|before| before.billed_then).or(month.billed) else { continue };
            let lost = match before {
                Some(before) if month.counted.is_zero() => before.lost,
                Some(before) => month.counted + before.recovered,
                None => month.counted,
            };
            losses.push(Recovered {
                finding_id: finding.finding_id.clone(),
                found_quarter: run.quarter,
                subject: month.subject.clone(),
                month: month.month,
                basis: finding.basis,
                lost,
                billed_then,
                billed_now: Decimal::ZERO,
                recovered: Decimal::ZERO,
            });
        }
    }
    let mut rest: Vec<Recovered> = carried.into_values().cloned().collect();
    rest.sort_by(|a, b| (&a.finding_id, a.month).cmp(&(&b.finding_id, b.month)));
    losses.extend(rest);
    losses.retain(|loss| loss.lost > Decimal::ZERO);
    losses
}
