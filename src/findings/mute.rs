//! Findings that somebody decided to leave alone: muted with a reason, until a day or for good.
//!
//! A mute is a row that is appended to `marts.mute`; of several rows of a finding the newest counts, and nothing is updated in place. It ends
//! by itself, and the finding is listed again,
//!
//! - when the analysed data are newer than its `until` (no result depends on the clock);
//! - when the quarter costs more than the quarter in which it was muted did;
//! - when the leak has stopped and returned.
//!
//! Marts hold muted findings like all others; only lists and totals leave them out, and say how many.

use super::analyze::{AnalyzeError, texts};
use super::earlier::{earlier, id_of};
use super::marts::{self, Run};
use super::read::date_days;
use super::schema::Finding;
use super::status::{REOPENED, RESOLVED, is_open, money};
use crate::functions::exact::MONEY;
use crate::lake::commit::{TRIES, pause};
use crate::lake::{Lake, LakeError, Table, truth};
use crate::money::{PRECISION, SCALE, from_decimal, round_to_minor_unit, to_decimal};
use crate::month::Quarter;
use crate::query::session;
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Field, Schema, TimestampMicrosecondType};
use arrow::error::ArrowError;
use chrono::{DateTime, Duration, NaiveDate, Utc};
use rust_decimal::Decimal;
use std::collections::HashMap;
use std::sync::Arc;

/// What somebody decided about a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mute {
    /// The finding.
    pub finding_id: String,
    /// Muted, or listed again.
    pub is_muted: bool,
    /// Why.
    pub reason: String,
    /// The last day of data for which it holds; for good if none.
    pub until: Option<NaiveDate>,
    /// The quarter whose finding was looked at.
    pub quarter: Quarter,
    /// What it cost in that quarter.
    pub money: Decimal,
    /// ISO 4217.
    pub currency: String,
    /// When it was decided.
    pub decided_at: DateTime<Utc>,
}

/// Findings of a run by what was decided about them.
#[derive(Clone, Debug, Default)]
pub struct Split {
    /// To be listed.
    pub listed: Vec<Finding>,
    /// Left out.
    pub muted: Vec<(Finding, Mute)>,
    /// Listed again although they were muted, and why.
    pub ended: Vec<(Finding, String)>,
}

/// Appends a decision.
///
/// # Errors
/// [`AnalyzeError`] if another process writes, or the lake cannot be written.
pub async fn decide(lake: &Lake, mute: &Mute) -> Result<(), AnalyzeError> {
    let _lock = lake.lock()?.ok_or(AnalyzeError::Locked)?;
    // Its number makes it the newest, so it must be the newest when it is committed: others may decide at the same time.
    for tried in 0..TRIES {
        let read = lake.version(Table::Mute).await?;
        let number = rows(lake).await?.len() as u64 + 1;
        let row = to_row(mute, number).map_err(AnalyzeError::arrow("writing a decision"))?;
        if marts::append_after(lake, Table::Mute, read, &mute.finding_id, &row).await? {
            return Ok(());
        }
        pause(tried).await;
    }
    Err(LakeError::Contended { table: Table::Mute.name() }.into())
}

fn to_row(mute: &Mute, number: u64) -> Result<RecordBatch, ArrowError> {
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let money: Decimal128Array = std::iter::once(from_decimal(mute.money)).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("finding_id", text(&mute.finding_id)),
        ("is_muted", Arc::new(BooleanArray::from(vec![mute.is_muted]))),
        ("reason", text(&mute.reason)),
        ("until", Arc::new(Date32Array::from(vec![mute.until.map(date_days)]))),
        ("quarter", text(&mute.quarter.to_string())),
        ("money", Arc::new(money.with_precision_and_scale(PRECISION, SCALE as i8)?)),
        ("currency", text(&mute.currency)),
        ("decided_at", Arc::new(TimestampMicrosecondArray::from(vec![mute.decided_at.timestamp_micros()]).with_timezone("UTC"))),
        ("number", Arc::new(Int64Array::from(vec![number.cast_signed()]))),
    ];
    let fields: Vec<Field> = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, array)| array).collect())
}

/// Every decision, oldest first.
async fn rows(lake: &Lake) -> Result<Vec<Mute>, AnalyzeError> {
    let ctx = session::context(1);
    truth::register_schemas(&ctx)?;
    marts::register_mutes(&ctx, lake).await?;
    let sql = "SELECT finding_id, reason, quarter, currency, is_muted, until, money, decided_at FROM marts.mute ORDER BY number";
    let mut found = Vec::new();
    for batch in texts(&ctx, sql).await? {
        found.extend(of_batch(&batch).map_err(AnalyzeError::arrow("reading decisions"))?);
    }
    Ok(found)
}

fn of_batch(batch: &RecordBatch) -> Result<Vec<Mute>, ArrowError> {
    let texts: Vec<ArrayRef> = (0..4).map(|at| cast(batch.column(at), &DataType::Utf8)).collect::<Result<_, _>>()?;
    let text = |at: usize, row: usize| texts[at].as_string::<i32>().value(row).to_owned();
    let money = cast(batch.column(6), &MONEY)?;
    let (money, until) = (money.as_primitive::<Decimal128Type>(), batch.column(5).as_primitive::<Date32Type>());
    let decided = batch.column(7).as_primitive::<TimestampMicrosecondType>();
    let row = |row: usize| -> Result<Mute, ArrowError> {
        let day = |days: i32| NaiveDate::default().checked_add_signed(Duration::days(i64::from(days)));
        Ok(Mute {
            finding_id: text(0, row),
            reason: text(1, row),
            quarter: text(2, row).parse().map_err(|_| ArrowError::SchemaError("`marts.mute` holds a bad quarter".to_owned()))?,
            currency: text(3, row),
            is_muted: batch.column(4).as_boolean().value(row),
            until: until.is_valid(row).then(|| day(until.value(row))).flatten(),
            money: round_to_minor_unit(to_decimal(money.value(row)).unwrap_or_default(), &text(3, row)),
            decided_at: DateTime::from_timestamp_micros(decided.value(row)).unwrap_or_default(),
        })
    };
    (0..batch.num_rows()).map(row).collect()
}

/// What was decided last about each finding, where that is to mute it.
///
/// # Errors
/// [`AnalyzeError`] if the decisions cannot be read.
pub async fn in_force(lake: &Lake) -> Result<HashMap<String, Mute>, AnalyzeError> {
    let mut newest: HashMap<String, Mute> = rows(lake).await?.into_iter().map(|mute| (mute.finding_id.clone(), mute)).collect();
    newest.retain(|_, mute| mute.is_muted);
    Ok(newest)
}

/// Splits the findings of a run of `quarter` with data up to `known_until`.
///
/// # Errors
/// [`AnalyzeError`] if decisions or earlier findings cannot be read.
pub async fn split(lake: &Lake, run: Spoken, findings: Vec<Finding>) -> Result<Split, AnalyzeError> {
    let mutes = in_force(lake).await?;
    if mutes.is_empty() {
        return Ok(Split { listed: findings, ..Split::default() });
    }
    // A leak that stopped after it was muted, and is back.
    let mut returned: HashMap<String, Quarter> = HashMap::new();
    for before in earlier(lake, run.quarter, run.as_of).await? {
        let stopped = before.findings.iter().filter(|f| [RESOLVED, REOPENED].contains(&f.status.as_str()));
        returned.extend(stopped.map(|finding| (finding.finding_id.clone(), before.quarter)));
    }
    let mut split = Split::default();
    for finding in findings {
        let id = id_of(&finding);
        let Some(mute) = mutes.get(&id).filter(|_| is_open(&finding)) else {
            split.listed.push(finding);
            continue;
        };
        let is_returned = finding.status == REOPENED && mute.quarter < run.quarter;
        let is_returned = is_returned || returned.get(&id).is_some_and(|quarter| *quarter > mute.quarter);
        match why_ended(mute, &finding, run.known_until, is_returned) {
            Some(why) => {
                split.ended.push((finding.clone(), why));
                split.listed.push(finding);
            }
            None => split.muted.push((finding, mute.clone())),
        }
    }
    Ok(split)
}

/// What a run knew.
#[derive(Clone, Copy, Debug)]
pub struct Spoken {
    /// Its quarter.
    pub quarter: Quarter,
    /// As-of date in microseconds, if one was asked for.
    pub as_of: Option<i64>,
    /// The day up to which its data reach.
    pub known_until: Option<NaiveDate>,
}

impl Spoken {
    /// As `marts/run` tells it.
    #[must_use]
    pub fn of(run: &Run) -> Option<Self> {
        Some(Self { quarter: run.quarter.parse().ok()?, as_of: run.as_of, known_until: run.known_until })
    }
}

fn why_ended(mute: &Mute, finding: &Finding, known_until: Option<NaiveDate>, is_returned: bool) -> Option<String> {
    let (now, currency) = (money(finding), &finding.currency);
    if let (Some(until), Some(known)) = (mute.until, known_until)
        && known > until
    {
        return Some(format!("was muted until {until}, the data reach {known}"));
    }
    if is_returned {
        return Some(format!("was muted in {}, has stopped since, and returned", mute.quarter));
    }
    (now > mute.money).then(|| {
        let grown = now - mute.money;
        format!("costs {grown} {currency} more than the {} {currency} that were muted in {}", mute.money, mute.quarter)
    })
}
