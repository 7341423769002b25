//! Cause of onset: what happened when a finding began, most likely first.
//!
//! `facts/onset_event` holds what happened to a customer and service, by month. A finding's onset is its change point, where a statistic
//! found one, else its first month. As-of: only events of that month and of the one before are looked at, never a later one.
//!
//! | order | first comes |
//! | --- | --- |
//! | 1 | what the signal's header names first in `caused_by`: by which mechanism such a leak begins. What it does not name is no cause of it |
//! | 2 | the month of the onset, then the month before |
//! | 3 | what happened to the pair, then to the whole customer, then to the whole service |
//! | 4 | what happened last |
//!
//! The mechanism goes before closeness because a change point is known to about a month. `first_record` stands last in every header: that
//! nothing is known of the time before explains a beginning only if nothing else does. Where nothing fits, nothing is said. A cause is what is
//! likely, not what is proven: that it came just before is all that the exports can tell.

use super::analyze::{AnalyzeError, text_at, texts};
use super::fold::Folded;
use super::read::month_days;
use super::signal::Signal;
use super::status::is_open;
use crate::functions::exact::MONEY;
use crate::month::Month;
use crate::query::text_literal;
use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Field, Int64Type, Schema};
use arrow::error::ArrowError;
use chrono::{Duration, NaiveDate};
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use rust_decimal::Decimal;
use std::collections::HashMap;
use std::sync::Arc;

/// Causes that are kept for one finding.
const KEPT: usize = 3;

/// What may be named in `caused_by`.
pub const EVENTS: [&str; 19] = [
    "contract_began",
    "contract_ended",
    "contract_quantity_up",
    "contract_quantity_down",
    "contract_price_up",
    "contract_price_down",
    "renewal",
    "escalator",
    "list_price_up",
    "list_price_down",
    "vendor_price_up",
    "vendor_price_down",
    "source_migration",
    "first_record",
    "delivery_began",
    "delivery_ended",
    "provisioned",
    "suspended",
    "cancelled",
];

/// What happened when a finding began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The finding.
    pub finding_id: String,
    /// 1 is the most likely.
    pub rank: usize,
    /// One of [`EVENTS`].
    pub event: String,
    /// The day, or the first of the month where the source tells only that.
    pub happened_on: NaiveDate,
    /// Figure before.
    pub before: Option<Decimal>,
    /// Figure after.
    pub after: Option<Decimal>,
    /// In a sentence.
    pub detail: String,
    /// The system whose export shows it.
    pub system: Option<String>,
    /// `contract`, `terms`, `catalogue`, `lifecycle`, `usage`, `invoice`.
    pub source: String,
    /// The row that states it; none where a whole month of rows shows it.
    pub row: Option<(String, i64)>,
}

/// The likely causes of the open findings, in the order of findings and ranks.
///
/// # Errors
/// [`AnalyzeError`] if the facts cannot be read.
pub async fn causes(ctx: &SessionContext, folded: &[Folded], signals: &[Signal]) -> Result<Vec<Cause>, AnalyzeError> {
    let named: HashMap<&str, &[String]> =
        signals.iter().map(|signal| (signal.id.as_str(), signal.caused_by.as_slice())).collect();
    let named_of = |f: &Folded| named.get(f.finding.signal.as_str()).copied().unwrap_or_default();
    let asked: Vec<&Folded> = folded.iter().filter(|f| is_open(&f.finding) && !named_of(f).is_empty()).collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let mut found: HashMap<usize, Vec<(Place, Cause)>> = HashMap::new();
    for batch in happened(ctx, &asked).await? {
        let rows = of_batch(&batch).map_err(AnalyzeError::arrow("reading what happened"))?;
        for (at, distance, scope, cause) in rows {
            let Some(folded) = asked.get(at) else { continue };
            let Some(mechanism) = named_of(folded).iter().position(|event| *event == cause.event) else { continue };
            let finding_id = folded.finding.finding_id.clone();
            let place = Place { mechanism, distance, scope, last: std::cmp::Reverse(cause.happened_on) };
            found.entry(at).or_default().push((place, Cause { finding_id, ..cause }));
        }
    }
    let mut causes = Vec::new();
    for at in 0..asked.len() {
        let mut of_finding = found.remove(&at).unwrap_or_default();
        of_finding
            .sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| (&one.detail, &one.row).cmp(&(&other.detail, &other.row))));
        of_finding.dedup_by(|(_, one), (_, other)| one.event == other.event && one.detail == other.detail);
        // That nothing is known of before is no second cause beside a real one.
        if of_finding.iter().any(|(_, cause)| cause.event != "first_record") {
            of_finding.retain(|(_, cause)| cause.event != "first_record");
        }
        causes.extend(of_finding.into_iter().take(KEPT).zip(1..).map(|((_, cause), rank)| Cause { rank, ..cause }));
    }
    Ok(causes)
}

/// The order of the module's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    mechanism: usize,
    distance: i64,
    scope: i64,
    last: std::cmp::Reverse<NaiveDate>,
}

/// The events of these findings in the month of their onset and the one before, with the finding's place in the list.
async fn happened(ctx: &SessionContext, asked: &[&Folded]) -> Result<Vec<RecordBatch>, AnalyzeError> {
    let action = "reading what happened";
    let failed = AnalyzeError::engine(action);
    let windows: Vec<(usize, &Folded, i64)> = asked.iter().enumerate().flat_map(|(at, f)| [(at, *f, 0), (at, *f, 1)]).collect();
    let text = |get: fn(&Folded) -> Option<&str>| -> ArrayRef {
        Arc::new(windows.iter().map(|(_, f, _)| get(f)).collect::<StringArray>())
    };
    let month =
        |f: &Folded, before: i64| f.finding.change_month.unwrap_or(f.finding.first_month).plus(if before > 0 { -1 } else { 0 });
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("place", Arc::new(windows.iter().map(|(at, _, _)| Some(*at as i64)).collect::<Int64Array>())),
        ("customer_key", text(|f| f.finding.customer_key.as_deref())),
        ("service_key", text(|f| f.finding.service_key.as_deref())),
        ("month", Arc::new(windows.iter().map(|(_, f, before)| Some(month_days(month(f, *before)))).collect::<Date32Array>())),
        ("distance", Arc::new(windows.iter().map(|(_, _, before)| Some(*before)).collect::<Int64Array>())),
    ];
    let fields: Vec<Field> = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, array)| array).collect());
    let rows = rows.map_err(AnalyzeError::arrow(action))?;
    let table = MemTable::try_new(rows.schema(), vec![vec![rows]]).map_err(&failed)?;
    let name = TableReference::partial("facts", "wanted_onset");
    ctx.register_table(name.clone(), Arc::new(table)).map_err(&failed)?;
    let of_scope = |scope: u8, condition: &str| {
        format!(
            "SELECT wanted.place, wanted.distance, CAST({scope} AS BIGINT) AS scope, event.event, event.happened_on, event.value_before,
                    event.value_after, event.detail, event.system, event.source, event.batch_id, event.source_row
             FROM facts.wanted_onset AS wanted JOIN facts.onset_event AS event ON wanted.month = event.month AND {condition}"
        )
    };
    let (same_customer, same_service) = ("wanted.customer_key = event.customer_key", "wanted.service_key = event.service_key");
    let sql = [
        of_scope(0, &format!("{same_customer} AND {same_service}")),
        of_scope(1, &format!("{same_customer} AND event.service_key IS NULL")),
        of_scope(2, &format!("{same_service} AND event.customer_key IS NULL")),
    ]
    .join(" UNION ALL ");
    let batches = texts(ctx, &sql).await;
    ctx.deregister_table(name).map_err(&failed)?;
    batches
}

fn of_batch(batch: &RecordBatch) -> Result<Vec<(usize, i64, i64, Cause)>, ArrowError> {
    let whole = |name: &str| Ok::<_, ArrowError>(column(batch, name, &DataType::Int64)?.as_primitive::<Int64Type>().clone());
    let (places, distances, scopes) = (whole("place")?, whole("distance")?, whole("scope")?);
    let rows = Rows::of(batch)?;
    let found = |row: usize| {
        let cause = rows.cause(row);
        let place = usize::try_from(places.value(row)).unwrap_or(usize::MAX);
        (place, distances.value(row), scopes.value(row), Cause { detail: sentence(&cause), ..cause })
    };
    Ok((0..batch.num_rows()).map(found).collect())
}

fn column(batch: &RecordBatch, name: &str, kind: &DataType) -> Result<ArrayRef, ArrowError> {
    let column = batch.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("there is no column `{name}`")))?;
    cast(column, kind)
}

/// The columns that fact and mart share.
struct Rows {
    texts: [StringArray; 5],
    figures: [Decimal128Array; 2],
    days: Date32Array,
    source_rows: Int64Array,
}

impl Rows {
    fn of(batch: &RecordBatch) -> Result<Self, ArrowError> {
        let text = |name: &str| Ok::<_, ArrowError>(column(batch, name, &DataType::Utf8)?.as_string::<i32>().clone());
        let figure = |name: &str| Ok::<_, ArrowError>(column(batch, name, &MONEY)?.as_primitive::<Decimal128Type>().clone());
        Ok(Self {
            texts: [text("event")?, text("detail")?, text("system")?, text("source")?, text("batch_id")?],
            figures: [figure("value_before")?, figure("value_after")?],
            days: column(batch, "happened_on", &DataType::Date32)?.as_primitive::<Date32Type>().clone(),
            source_rows: column(batch, "source_row", &DataType::Int64)?.as_primitive::<Int64Type>().clone(),
        })
    }

    fn text(&self, at: usize, row: usize) -> Option<String> {
        self.texts[at].is_valid(row).then(|| self.texts[at].value(row).to_owned())
    }

    fn figure(&self, at: usize, row: usize) -> Option<Decimal> {
        let figures = &self.figures[at];
        figures.is_valid(row).then(|| crate::money::to_decimal(figures.value(row))).flatten().map(|value| value.normalize())
    }

    /// A row, without finding and rank.
    fn cause(&self, row: usize) -> Cause {
        let day = Duration::days(i64::from(self.days.value(row)));
        Cause {
            finding_id: String::new(),
            rank: 0,
            event: self.text(0, row).unwrap_or_default(),
            happened_on: NaiveDate::default().checked_add_signed(day).unwrap_or_default(),
            before: self.figure(0, row),
            after: self.figure(1, row),
            detail: self.text(1, row).unwrap_or_default(),
            system: self.text(2, row),
            source: self.text(3, row).unwrap_or_default(),
            row: self.text(4, row).filter(|_| self.source_rows.is_valid(row)).map(|id| (id, self.source_rows.value(row))),
        }
    }
}

/// The causes of one finding, of the run whose marts the session has; none in a lake that was written before there were any.
///
/// # Errors
/// [`AnalyzeError`] if the mart cannot be read.
pub async fn of_finding(ctx: &SessionContext, finding_id: &str) -> Result<Vec<Cause>, AnalyzeError> {
    let sql = format!(
        "SELECT finding_id, rank, event, happened_on, value_before, value_after, detail, system, source, batch_id, source_row
         FROM marts.finding_cause WHERE finding_id = {} ORDER BY rank",
        text_literal(finding_id)
    );
    let mut causes = Vec::new();
    for batch in texts(ctx, &sql).await? {
        let rows = Rows::of(&batch).map_err(AnalyzeError::arrow("reading causes"))?;
        causes.extend((0..batch.num_rows()).map(|row| rows.cause(row)));
    }
    let ranked = causes.into_iter().zip(1..);
    Ok(ranked.map(|(cause, rank)| Cause { finding_id: finding_id.to_owned(), rank, ..cause }).collect())
}

/// The most likely cause of each finding that has one, in a sentence.
///
/// # Errors
/// [`AnalyzeError`] if the mart cannot be read.
pub async fn most_likely(ctx: &SessionContext) -> Result<HashMap<String, String>, AnalyzeError> {
    let mut found = HashMap::new();
    for batch in texts(ctx, "SELECT finding_id, detail FROM marts.finding_cause WHERE rank = 1").await? {
        for row in 0..batch.num_rows() {
            found.insert(text_at(&batch, 0, row)?, text_at(&batch, 1, row)?);
        }
    }
    Ok(found)
}

/// What happened, for people. `cause.detail` holds what the query says beside the figures.
fn sentence(cause: &Cause) -> String {
    let shown = |value: Option<Decimal>| value.map_or_else(|| "?".to_owned(), |v| v.round_dp(4).normalize().to_string());
    let (before, after, said) = (shown(cause.before), shown(cause.after), cause.detail.as_str());
    let system = cause.system.as_deref().unwrap_or_default();
    let is_monthly = matches!(cause.source.as_str(), "usage" | "invoice") || cause.event == "escalator";
    let when = if is_monthly { Month::of(cause.happened_on).to_string() } else { cause.happened_on.to_string() };
    let what = if cause.source == "invoice" { "invoiced" } else { "delivered" };
    let direction = if cause.event.ends_with("_up") { "rose" } else { "fell" };
    let subjects = if after == "1" { "1 user or device was".to_owned() } else { format!("{after} users or devices were") };
    // Some lines state no quantity.
    let units = cause.before.unwrap_or_default().max(cause.after.unwrap_or_default());
    let told = match cause.event.as_str() {
        "contract_began" | "contract_ended" if units.is_zero() => {
            format!("a contract line {} ({system} {said})", if cause.event == "contract_began" { "began" } else { "ended" })
        }
        "contract_began" => format!("the PSA began to commit to {after} ({system} {said})"),
        "contract_ended" => format!("the PSA's commitment to {before} ended ({system} {said})"),
        "contract_quantity_up" | "contract_quantity_down" => {
            format!("the PSA quantity {direction} from {before} to {after} ({system} {said})")
        }
        "contract_price_up" | "contract_price_down" => format!("the contract price {direction} from {before} to {after} {said}"),
        "list_price_up" | "list_price_down" => {
            format!("the list price of {said} ({system}) {direction} from {before} to {after}")
        }
        "vendor_price_up" | "vendor_price_down" => {
            format!("the vendor's unit cost {direction} from {before} to {after} ({said})")
        }
        "escalator" => format!("the escalator of {after} % took effect"),
        "source_migration" => format!("what is {what} comes from {system}, until then from {said}"),
        "first_record" => format!("first month of which {system} tells what was {what}: what was before is not known"),
        "delivery_began" => format!("delivered for the first time ({system})"),
        "delivery_ended" => format!("no longer delivered ({system})"),
        "provisioned" | "suspended" | "cancelled" => format!("{subjects} {} ({system})", cause.event),
        _ => said.to_owned(),
    };
    format!("{when}: {told}")
}
