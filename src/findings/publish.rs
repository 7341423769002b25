//! The results of an analysis as rows of the marts, committed together.

use super::cause::Cause;
use super::cell::Cell;
use super::coverage::Coverage;
use super::error::AnalyzeError;
use super::fold::Folded;
use super::marts::{self, Mart, Run};
use super::read::{date_days, month_days, to_batch};
use super::recoverable::Money;
use super::recovered::{Key, Recovered};
use super::schema::Finding;
use super::scorecard::Score;
use super::unmapped::Unmapped;
use crate::lake::commit::{TRIES, pause};
use crate::lake::truth::Versions;
use crate::lake::write::written_now;
use crate::lake::{Lake, LakeError, Table};
use crate::money::{PRECISION, SCALE, from_decimal};
use crate::month::Quarter;
use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use chrono::{DateTime, NaiveDate, Utc};
use datafusion::prelude::SessionContext;
use futures::TryStreamExt as _;
use rust_decimal::Decimal;
use std::collections::HashMap;
use std::sync::Arc;

/// What a run says, and what it was made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Results<'a> {
    pub(super) run_id: &'a str,
    pub(super) quarter: Quarter,
    pub(super) as_of: Option<DateTime<Utc>>,
    pub(super) versions: &'a Versions,
    pub(super) queries_sha256: &'a str,
    pub(super) folded: &'a [Folded],
    pub(super) causes: &'a [Cause],
    pub(super) billed: &'a HashMap<Key, Decimal>,
    pub(super) recovered: &'a [Recovered],
    pub(super) known_until: NaiveDate,
    pub(super) back_billing_months: u32,
    pub(super) coverage: &'a [Coverage],
    pub(super) scorecard: &'a [Score],
    pub(super) unmapped: &'a [Unmapped],
    pub(super) fact_rows: u64,
}

/// Commits the marts of a run; nothing if the quarter's newest run is this one.
pub(super) async fn publish(ctx: &SessionContext, lake: &Lake, results: Results<'_>) -> Result<(), AnalyzeError> {
    let (run_id, quarter) = (results.run_id, results.quarter.to_string());
    let _lock = lake.lock()?.ok_or(AnalyzeError::Locked)?;
    let (mut runs, mut read) = marts::runs_and_version(lake).await?;
    let is_newest = |runs: &[Run]| runs.iter().rev().find(|run| run.quarter == quarter).is_some_and(|run| run.run_id == run_id);
    if is_newest(&runs) {
        return Ok(());
    }
    let encode = AnalyzeError::arrow("writing the marts");
    let failed = AnalyzeError::engine("writing the marts");
    let bridge = format!(
        "SELECT *, '{quarter}' AS quarter, '{run_id}' AS run_id FROM facts.gap_bridge ORDER BY customer_key, service_key, currency, month, cause"
    );
    let mut marts_versions = Versions::new();
    let began = written_now();
    let mut publish = async |table: Table, mart: Mart<'_>| -> Result<(), AnalyzeError> {
        marts_versions.insert(table.name().to_owned(), mart.publish(&quarter).await?);
        Ok(())
    };
    // These two grow with the book: they are never in memory as a whole.
    for (table, sql) in [(Table::FactMonthly, "SELECT * FROM facts.fact_monthly"), (Table::GapBridge, &bridge)] {
        let mut mart = Mart::new(lake, table, run_id);
        let mut rows = ctx.sql(sql).await.map_err(&failed)?.execute_stream().await.map_err(&failed)?;
        while let Some(batch) = rows.try_next().await.map_err(&failed)? {
            mart.push(&batch)?;
        }
        publish(table, mart).await?;
    }
    for (table, rows) in [
        (Table::Finding, findings(results.folded, run_id).map_err(&encode)?),
        (Table::FindingEvidence, evidence(results, &quarter).map_err(&encode)?),
        (Table::FindingCause, causes(results.causes, &quarter, run_id).map_err(&encode)?),
        (Table::Recovered, recovered(results.recovered, &quarter, run_id).map_err(&encode)?),
        (Table::Scorecard, scorecard(results.scorecard, &quarter, run_id).map_err(&encode)?),
        (Table::Coverage, coverage(results.coverage, &quarter, run_id).map_err(&encode)?),
    ] {
        let mut mart = Mart::new(lake, table, run_id);
        mart.push(&rows)?;
        publish(table, mart).await?;
    }
    // Its number makes it the newest, so it must be the newest when it is committed: another analysis may end at the same time.
    for tried in 0..TRIES {
        let number = runs.last().map_or(1, |run| run.number + 1);
        // Another analysis may have taken the place of its marts, and nothing names them until this is committed.
        lake.refuse_stale(Table::Run, began)?;
        let row = run_row(results, &marts_versions, number).map_err(&encode)?;
        if marts::append_after(lake, Table::Run, read, run_id, &row).await? {
            return Ok(());
        }
        pause(tried).await;
        (runs, read) = marts::runs_and_version(lake).await?;
        if is_newest(&runs) {
            return Ok(());
        }
    }
    Err(LakeError::Contended { table: Table::Run.name() }.into())
}

fn run_row(results: Results<'_>, marts_versions: &Versions, number: usize) -> Result<RecordBatch, ArrowError> {
    let json = |versions: &Versions| serde_json::to_string(versions).unwrap_or_default();
    let text = |value: String| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let whole = |value: u64| -> ArrayRef { Arc::new(Int64Array::from(vec![value.cast_signed()])) };
    let as_of = TimestampMicrosecondArray::from(vec![results.as_of.map(|t| t.timestamp_micros())]).with_timezone("UTC");
    batch(vec![
        ("run_id", text(results.run_id.to_owned())),
        ("quarter", text(results.quarter.to_string())),
        ("as_of", Arc::new(as_of)),
        ("engine_version", text(env!("CARGO_PKG_VERSION").to_owned())),
        ("queries_sha256", text(results.queries_sha256.to_owned())),
        ("core_versions", text(json(results.versions))),
        ("mart_versions", text(json(marts_versions))),
        ("unmapped", text(serde_json::to_string(results.unmapped).unwrap_or_default())),
        ("findings", whole(results.folded.len() as u64)),
        ("fact_rows", whole(results.fact_rows)),
        ("number", whole(number as u64)),
        ("known_until", Arc::new(Date32Array::from(vec![date_days(results.known_until)]))),
        ("back_billing_months", whole(u64::from(results.back_billing_months))),
    ])
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, ArrowError> {
    let fields: Vec<Field> = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, array)| array).collect())
}

fn money(values: Decimal128Array) -> Result<ArrayRef, ArrowError> {
    Ok(Arc::new(values.with_precision_and_scale(PRECISION, SCALE as i8)?))
}

/// The fixed schema, and what of the money can still be had.
fn findings(folded: &[Folded], run_id: &str) -> Result<RecordBatch, ArrowError> {
    let findings: Vec<&Finding> = folded.iter().map(|f| &f.finding).collect();
    let fixed = to_batch(&findings, run_id)?;
    let schema = fixed.schema();
    let mut columns: Vec<(&str, ArrayRef)> =
        schema.fields().iter().map(|field| field.name().as_str()).zip(fixed.columns().iter().cloned()).collect();
    let part = |get: fn(&Money) -> Decimal| money(folded.iter().map(|f| from_decimal(get(&f.money))).collect());
    columns.extend([
        ("detected", part(|m| m.detected)?),
        ("recoverable_now", part(|m| m.now)?),
        ("recoverable_from_next_cycle", part(|m| m.next_cycle)?),
        ("lost", part(|m| m.lost)?),
        ("recovered", part(|m| m.recovered)?),
    ]);
    batch(columns)
}

fn scorecard(scores: &[Score], quarter: &str, run_id: &str) -> Result<RecordBatch, ArrowError> {
    let text = |get: &dyn Fn(&Score) -> Option<String>| -> ArrayRef { Arc::new(scores.iter().map(get).collect::<StringArray>()) };
    let amount = |get: fn(&Score) -> Option<Decimal>| money(scores.iter().map(|s| get(s).and_then(from_decimal)).collect());
    batch(vec![
        ("measure", text(&|s| Some(s.measure.clone()))),
        ("title", text(&|s| Some(s.title.clone()))),
        ("unit", text(&|s| Some(s.unit.clone()))),
        ("better", text(&|s| Some(s.better.clone()))),
        ("system", text(&|s| s.system.clone())),
        ("currency", text(&|s| s.currency.clone())),
        ("quarter", text(&|_| Some(quarter.to_owned()))),
        ("part", amount(|s| s.part)?),
        ("whole", amount(|s| Some(s.whole))?),
        ("value", amount(|s| s.value)?),
        ("previous_quarter", text(&|s| s.previous.as_ref().map(|(quarter, _)| quarter.clone()))),
        ("previous_value", amount(|s| s.previous.as_ref().map(|(_, value)| *value))?),
        ("trend", text(&|s| s.trend().map(str::to_owned))),
        ("run_id", text(&|_| Some(run_id.to_owned()))),
    ])
}

fn recovered(rows: &[Recovered], quarter: &str, run_id: &str) -> Result<RecordBatch, ArrowError> {
    let text =
        |get: &dyn Fn(&Recovered) -> Option<String>| -> ArrayRef { Arc::new(rows.iter().map(get).collect::<StringArray>()) };
    let amount = |get: fn(&Recovered) -> Decimal| money(rows.iter().map(|r| from_decimal(get(r))).collect());
    batch(vec![
        ("finding_id", text(&|r| Some(r.finding_id.clone()))),
        ("found_quarter", text(&|r| Some(r.found_quarter.to_string()))),
        ("quarter", text(&|_| Some(quarter.to_owned()))),
        ("customer_key", text(&|r| r.subject.customer_key.clone())),
        ("service_key", text(&|r| r.subject.service_key.clone())),
        ("month", Arc::new(rows.iter().map(|r| Some(month_days(r.month))).collect::<Date32Array>())),
        ("currency", text(&|r| Some(r.subject.currency.clone()))),
        ("basis", text(&|r| Some(r.basis.as_str().to_owned()))),
        ("lost", amount(|r| r.lost)?),
        ("billed_then", amount(|r| r.billed_then)?),
        ("billed_now", amount(|r| r.billed_now)?),
        ("recovered", amount(|r| r.recovered)?),
        ("run_id", text(&|_| Some(run_id.to_owned()))),
    ])
}

fn evidence(results: Results<'_>, quarter: &str) -> Result<RecordBatch, ArrowError> {
    let cells: Vec<_> = results.folded.iter().flat_map(|f| f.cells.iter().map(move |cell| (&f.finding, cell))).collect();
    let text = |get: &dyn Fn(&Finding, &Cell) -> Option<String>| -> ArrayRef {
        Arc::new(cells.iter().map(|(f, c)| get(f, c)).collect::<StringArray>())
    };
    let amount = |get: fn(&Cell) -> Decimal| money(cells.iter().map(|(_, c)| from_decimal(get(c))).collect());
    // Of a customer as a whole, or a service as a whole, no single amount was billed.
    let billed = cells.iter().map(|(_, c)| {
        let is_pair = c.subject.customer_key.is_some() && c.subject.service_key.is_some();
        let billed = results.billed.get(&(c.subject.clone(), c.month)).copied().unwrap_or_default();
        if is_pair { from_decimal(billed) } else { None }
    });
    batch(vec![
        ("finding_id", text(&|f, _| Some(f.finding_id.clone()))),
        ("quarter", text(&|_, _| Some(quarter.to_owned()))),
        ("customer_key", text(&|_, c| c.subject.customer_key.clone())),
        ("service_key", text(&|_, c| c.subject.service_key.clone())),
        ("month", Arc::new(cells.iter().map(|(_, c)| Some(month_days(c.month))).collect::<Date32Array>())),
        ("currency", text(&|_, c| Some(c.subject.currency.clone()))),
        ("counted", amount(|c| c.counted)?),
        ("corroborates", amount(|c| c.amount - c.counted)?),
        ("run_id", text(&|_, _| Some(results.run_id.to_owned()))),
        ("billed", money(billed.collect())?),
    ])
}

fn causes(causes: &[Cause], quarter: &str, run_id: &str) -> Result<RecordBatch, ArrowError> {
    let text = |get: &dyn Fn(&Cause) -> Option<String>| -> ArrayRef { Arc::new(causes.iter().map(get).collect::<StringArray>()) };
    let figure = |get: fn(&Cause) -> Option<Decimal>| money(causes.iter().map(|c| get(c).and_then(from_decimal)).collect());
    let whole = |get: fn(&Cause) -> Option<i64>| -> ArrayRef { Arc::new(causes.iter().map(get).collect::<Int64Array>()) };
    batch(vec![
        ("finding_id", text(&|c| Some(c.finding_id.clone()))),
        ("quarter", text(&|_| Some(quarter.to_owned()))),
        ("rank", whole(|c| i64::try_from(c.rank).ok())),
        ("event", text(&|c| Some(c.event.clone()))),
        ("happened_on", Arc::new(causes.iter().map(|c| Some(date_days(c.happened_on))).collect::<Date32Array>())),
        ("value_before", figure(|c| c.before)?),
        ("value_after", figure(|c| c.after)?),
        ("detail", text(&|c| Some(c.detail.clone()))),
        ("system", text(&|c| c.system.clone())),
        ("source", text(&|c| Some(c.source.clone()))),
        ("batch_id", text(&|c| c.row.as_ref().map(|(batch_id, _)| batch_id.clone()))),
        ("source_row", whole(|c| c.row.as_ref().map(|(_, source_row)| *source_row))),
        ("run_id", text(&|_| Some(run_id.to_owned()))),
    ])
}

fn coverage(coverage: &[Coverage], quarter: &str, run_id: &str) -> Result<RecordBatch, ArrowError> {
    let parts: Vec<_> = coverage.iter().flat_map(|c| c.parts.iter().map(move |part| (c, part))).collect();
    let text = |values: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    batch(vec![
        ("signal", text(parts.iter().map(|(c, _)| Some(c.signal.as_str())).collect())),
        ("quarter", text(vec![Some(quarter); parts.len()])),
        ("currency", text(parts.iter().map(|(_, part)| part.currency.as_deref()).collect())),
        ("untested", text(parts.iter().map(|(_, part)| part.untested.as_deref()).collect())),
        ("units", Arc::new(parts.iter().map(|(_, part)| Some(part.units.cast_signed())).collect::<Int64Array>())),
        ("money", money(parts.iter().map(|(_, part)| from_decimal(part.money)).collect())?),
        ("unit", text(parts.iter().map(|(c, _)| Some(c.unit.as_str())).collect())),
        ("run_id", text(vec![Some(run_id); parts.len()])),
    ])
}
