//! The assurance scorecard: whether revenue integrity rests on systems or on people, and whether that gets better.
//!
//! `queries/scorecard/<measure>.sql` returns `system` (none for the whole book), `currency` (none where it is no money), `part` and
//! `whole`. Its header says the rest: `unit: share` is `part / whole`, `unit: days` is `part` itself, over `whole` cases; `better:` says
//! which way is up. Nothing measured is no value, never a zero. The trend is against the newest earlier quarter that has a value.

use super::analyze::AnalyzeError;
use super::earlier::Earlier;
use crate::functions::exact::MONEY;
use crate::month::Quarter;
use crate::query::catalog::{Catalog, Query};
use crate::query::header::Header;
use crate::query::run::{self, Parameters, QueryError};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type};
use datafusion::prelude::SessionContext;
use rust_decimal::Decimal;

/// Columns of a measure's query.
pub const REQUIRED: [&str; 4] = ["system", "currency", "part", "whole"];

/// Decimals of a share.
const DIGITS: u32 = 6;

/// One measure of the whole book or of one system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// The measure's id.
    pub measure: String,
    /// Its name for people.
    pub title: String,
    /// `share` or `days`.
    pub unit: String,
    /// `higher` or `lower`.
    pub better: String,
    /// The system; none for the whole book.
    pub system: Option<String>,
    /// ISO 4217, where it is about money.
    pub currency: Option<String>,
    /// The numerator, or the days.
    pub part: Option<Decimal>,
    /// The denominator, or how many cases.
    pub whole: Decimal,
    /// The measure; none where nothing was measured.
    pub value: Option<Decimal>,
    /// The newest earlier quarter that has a value, and that value.
    pub previous: Option<(String, Decimal)>,
}

impl Score {
    /// `better`, `worse`, `same`; `first` without an earlier value; nothing without a value.
    #[must_use]
    pub fn trend(&self) -> Option<&'static str> {
        let value = self.value?;
        let Some((_, before)) = &self.previous else { return Some("first") };
        // What a reader sees as the same is the same.
        let seen = |value: Decimal| value.round_dp(if self.unit == "share" { 3 } else { 1 });
        Some(match (seen(value).cmp(&seen(*before)), self.better == "higher") {
            (std::cmp::Ordering::Equal, _) => "same",
            (std::cmp::Ordering::Greater, true) | (std::cmp::Ordering::Less, false) => "better",
            _ => "worse",
        })
    }

    /// The measure for people: `93.4 %`, `47 days`.
    #[must_use]
    pub fn shown(&self, value: Option<Decimal>) -> String {
        match (value, self.unit.as_str()) {
            (None, _) => "no data".to_owned(),
            (Some(share), "share") => format!("{:.1} %", share * Decimal::ONE_HUNDRED),
            (Some(days), _) => format!("{} days", days.round_dp(1).normalize()),
        }
    }
}

/// Every measure, for the whole book first and then by system.
///
/// # Errors
/// [`AnalyzeError`] if a query fails, or its file lacks something.
pub async fn scorecard(
    ctx: &SessionContext,
    catalog: &Catalog,
    parameters: Parameters,
    quarter: Quarter,
    earlier: &[Earlier],
) -> Result<Vec<Score>, AnalyzeError> {
    let mut all = Vec::new();
    for (measure, query) in catalog.folder("scorecard") {
        let mut scores = of_query(ctx, measure, query, parameters).await?;
        if !scores.iter().any(|score| score.system.is_none()) {
            scores.push(empty(measure, query)?);
        }
        all.extend(scores);
    }
    for score in &mut all {
        let same =
            |other: &&Score| (&other.measure, &other.system, &other.currency) == (&score.measure, &score.system, &score.currency);
        let before = earlier.iter().rev().filter(|run| run.quarter < quarter).find_map(|run| {
            let value = run.scores.iter().find(same)?.value?;
            Some((run.quarter.to_string(), value))
        });
        score.previous = before;
    }
    all.sort_by(|a, b| (&a.measure, &a.system, &a.currency).cmp(&(&b.measure, &b.system, &b.currency)));
    Ok(all)
}

/// A measure of which nothing was measured.
fn empty(measure: &str, query: &Query) -> Result<Score, QueryError> {
    let header = Header::parse(&query.text);
    let stated = |key: &str| {
        header.get(key).map(str::to_owned).ok_or_else(|| QueryError::new(query, &format!("the header lacks `{key}`")))
    };
    let (unit, better) = (stated("unit")?, stated("better")?);
    if !["share", "days"].contains(&unit.as_str()) || !["higher", "lower"].contains(&better.as_str()) {
        let message = format!("`unit: {unit}` is `share` or `days`, `better: {better}` is `higher` or `lower`");
        return Err(QueryError::new(query, &message));
    }
    Ok(Score {
        measure: measure.to_owned(),
        title: stated("title")?,
        unit,
        better,
        system: None,
        currency: None,
        part: None,
        whole: Decimal::ZERO,
        value: None,
        previous: None,
    })
}

async fn of_query(
    ctx: &SessionContext,
    measure: &str,
    query: &Query,
    parameters: Parameters,
) -> Result<Vec<Score>, AnalyzeError> {
    let empty = empty(measure, query)?;
    let (schema, batches) = run::rows(ctx, query, parameters).await?;
    for name in REQUIRED {
        if schema.field_with_name(name).is_err() {
            let message = format!("the query returns no column `{name}`; a measure returns {}", REQUIRED.join(", "));
            return Err(QueryError::new(query, &message).into());
        }
    }
    let mut scores = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let score = of_row(batch, row, &empty).map_err(AnalyzeError::arrow("reading the scorecard"))?;
            // A book of which nothing is measured has its row without a currency.
            scores.extend((!score.whole.is_zero()).then_some(score));
        }
    }
    Ok(scores)
}

fn of_row(batch: &RecordBatch, row: usize, empty: &Score) -> Result<Score, arrow::error::ArrowError> {
    let cell = |name: &str, kind: &DataType| {
        let column = batch.column_by_name(name).map(|column| column.slice(row, 1));
        column.map(|column| cast(&column, kind)).transpose()
    };
    let text = |name: &str| -> Result<Option<String>, arrow::error::ArrowError> {
        let found = cell(name, &DataType::Utf8)?;
        Ok(found.filter(|cell| cell.is_valid(0)).map(|cell| cell.as_string::<i32>().value(0).to_owned()))
    };
    let amount = |name: &str| -> Result<Option<Decimal>, arrow::error::ArrowError> {
        let found = cell(name, &MONEY)?.filter(|cell| cell.is_valid(0));
        Ok(found.and_then(|cell| crate::money::to_decimal(cell.as_primitive::<Decimal128Type>().value(0))))
    };
    let (part, whole) = (amount("part")?, amount("whole")?.unwrap_or_default());
    let value = if empty.unit == "share" { part.and_then(|part| part.checked_div(whole)) } else { part };
    Ok(Score {
        system: text("system")?,
        currency: text("currency")?,
        part,
        whole,
        value: value.map(|value| value.round_dp(DIGITS)),
        ..empty.clone()
    })
}
