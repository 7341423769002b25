//! On how much each signal could be tested, and how much money flows where it could not: no finding must not look like no data.
//!
//! `queries/coverage/<signal>.sql` returns one row per unit that the signal is about (a month of a pair, a series):
//!
//! | column | holds |
//! | --- | --- |
//! | `customer_key`, `service_key`, `currency` | whose unit it is, as in the signal's own rows: what stopped is told from what could not be tested |
//! | `untested` | nothing where the unit was tested, else why not, in snake_case: `too_short`, `no_delivery_source`, ... |
//! | `money` | what flows through the unit in the quarter: revenue, or what was expected, or cost |
//!
//! Its header's `unit` says in words what is counted. A signal of which no file says this, and one that found nothing to look at, have a
//! row too.

use super::analyze::AnalyzeError;
use super::cell::Subject;
use super::signal::Signal;
use crate::functions::exact::MONEY;
use crate::money::round_to_minor_unit;
use crate::query::catalog::{Catalog, Query};
use crate::query::header::Header;
use crate::query::run::{self, Parameters, QueryError};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::prelude::{DataFrame, SessionContext, col, lit};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashMap};

/// Columns of a coverage query.
pub const REQUIRED: [&str; 5] = ["customer_key", "service_key", "currency", "untested", "money"];
/// The reason of a signal without a coverage query.
pub const UNSTATED: &str = "coverage_not_stated";
/// The reason of a signal of which the lake has no unit at all.
pub const NOTHING: &str = "nothing_to_test";

/// Units of one signal that were tested, or not for one reason, in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// ISO 4217, where money is known.
    pub currency: Option<String>,
    /// Why they were not tested; nothing where they were.
    pub untested: Option<String>,
    /// How many.
    pub units: u64,
    /// What flows through them in the quarter.
    pub money: Decimal,
}

/// On how much a signal could be tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// The signal.
    pub signal: String,
    /// What is counted.
    pub unit: String,
    /// By reason and currency.
    pub parts: Vec<Part>,
}

impl Coverage {
    fn units(&self, is_wanted: impl Fn(&Part) -> bool) -> u64 {
        self.parts.iter().filter(|part| is_wanted(part)).map(|part| part.units).sum()
    }

    /// Units that were tested.
    #[must_use]
    pub fn tested(&self) -> u64 {
        self.units(|part| part.untested.is_none())
    }

    /// Series with too little history.
    #[must_use]
    pub fn too_short(&self) -> u64 {
        self.units(|part| part.untested.as_deref() == Some("too_short"))
    }

    /// Units that lack something else.
    #[must_use]
    pub fn not_testable(&self) -> u64 {
        self.units(|part| part.untested.as_deref().is_some_and(|why| why != "too_short"))
    }

    /// Why some were not tested, and what flows through them: `no delivery source: 12 (3,400.00 USD)`.
    #[must_use]
    pub fn why(&self) -> String {
        let mut reasons: BTreeMap<&str, (u64, Vec<String>)> = BTreeMap::new();
        for part in &self.parts {
            let Some(why) = part.untested.as_deref() else { continue };
            let (units, money) = reasons.entry(why).or_default();
            *units += part.units;
            if let Some(currency) = part.currency.as_ref().filter(|_| !part.money.is_zero()) {
                money.push(format!("{} {currency}", round_to_minor_unit(part.money, currency)));
            }
        }
        let sentence = |(why, (units, money)): (&str, (u64, Vec<String>))| {
            let why = why.replace('_', " ");
            let money = if money.is_empty() { String::new() } else { format!(" ({})", money.join(", ")) };
            if units == 0 { why } else { format!("{why}: {units}{money}") }
        };
        reasons.into_iter().map(sentence).collect::<Vec<_>>().join("; ")
    }
}

/// Counts the units of every signal.
///
/// # Errors
/// [`AnalyzeError`] if a query fails or lacks a column.
pub async fn coverage(
    ctx: &SessionContext,
    catalog: &Catalog,
    signals: &[&Signal],
    parameters: Parameters,
) -> Result<Vec<Coverage>, AnalyzeError> {
    let mut all = Vec::with_capacity(signals.len());
    for signal in signals {
        all.push(of_signal(ctx, catalog, &signal.id, parameters).await?);
    }
    all.sort_by(|a, b| a.signal.cmp(&b.signal));
    Ok(all)
}

/// A coverage query, checked; nothing if the signal has none.
async fn planned(
    ctx: &SessionContext,
    catalog: &Catalog,
    signal: &str,
    parameters: Parameters,
) -> Result<Option<(Query, DataFrame)>, AnalyzeError> {
    let Some((_, query)) = catalog.folder("coverage").find(|(name, _)| *name == signal) else { return Ok(None) };
    let frame = run::plan(ctx, query, parameters).await?;
    for name in REQUIRED {
        if frame.schema().field_with_unqualified_name(name).is_err() {
            let message = format!("the query returns no column `{name}`; a coverage query returns {}", REQUIRED.join(", "));
            return Err(QueryError::new(query, &message).into());
        }
    }
    Ok(Some((query.clone(), frame)))
}

/// Of each subject of a signal whether any unit was tested; nothing if the signal has no coverage query.
///
/// # Errors
/// [`AnalyzeError`] if the query fails or lacks a column.
pub async fn tested_subjects(
    ctx: &SessionContext,
    catalog: &Catalog,
    signal: &str,
    parameters: Parameters,
) -> Result<Option<HashMap<Subject, bool>>, AnalyzeError> {
    let Some((query, frame)) = planned(ctx, catalog, signal, parameters).await? else { return Ok(None) };
    let failed = |e| AnalyzeError::from(QueryError::from_engine(&query, &e));
    let columns = frame.select_columns(&REQUIRED[..4]).map_err(failed)?;
    let mut found: HashMap<Subject, bool> = HashMap::new();
    for batch in columns.collect().await.map_err(failed)? {
        let texts = (0..4).map(|at| cast(batch.column(at), &DataType::Utf8)).collect::<Result<Vec<_>, _>>();
        let texts = texts.map_err(AnalyzeError::arrow("reading what was tested"))?;
        let text = |at: usize, row: usize| {
            let cells = texts[at].as_string::<i32>();
            cells.is_valid(row).then(|| cells.value(row).to_owned())
        };
        for row in 0..batch.num_rows() {
            let currency = text(2, row).unwrap_or_default();
            let subject = Subject { customer_key: text(0, row), service_key: text(1, row), currency, scope: None };
            *found.entry(subject).or_default() |= text(3, row).is_none();
        }
    }
    Ok(Some(found))
}

async fn of_signal(
    ctx: &SessionContext,
    catalog: &Catalog,
    signal: &str,
    parameters: Parameters,
) -> Result<Coverage, AnalyzeError> {
    let none = |why: &str| vec![Part { currency: None, untested: Some(why.to_owned()), units: 0, money: Decimal::ZERO }];
    let Some((query, frame)) = planned(ctx, catalog, signal, parameters).await? else {
        return Ok(Coverage { signal: signal.to_owned(), unit: String::new(), parts: none(UNSTATED) });
    };
    let group = vec![col("untested"), col("currency")];
    let counted = frame.aggregate(group.clone(), vec![count(lit(1)).alias("units"), sum(col("money")).alias("money")]);
    let sorted = counted.and_then(|frame| frame.sort(group.into_iter().map(|column| column.sort(true, true)).collect()));
    let failed = |e| AnalyzeError::from(QueryError::from_engine(&query, &e));
    let batches = sorted.map_err(failed)?.collect().await.map_err(failed)?;
    let mut parts = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            parts.push(part(batch, row)?);
        }
    }
    if parts.is_empty() {
        parts = none(NOTHING);
    }
    let unit = Header::parse(&query.text).get("unit").unwrap_or_default().to_owned();
    Ok(Coverage { signal: signal.to_owned(), unit, parts })
}

/// One row of `untested, currency, units, money`.
fn part(batch: &RecordBatch, row: usize) -> Result<Part, AnalyzeError> {
    let as_type = |at: usize, kind: &DataType| {
        cast(&batch.column(at).slice(row, 1), kind).map_err(AnalyzeError::arrow("counting what was tested"))
    };
    let text = |at: usize| -> Result<Option<String>, AnalyzeError> {
        let cell = as_type(at, &DataType::Utf8)?;
        Ok(cell.is_valid(0).then(|| cell.as_string::<i32>().value(0).to_owned()))
    };
    let money = as_type(3, &MONEY)?;
    let money = money.as_primitive::<Decimal128Type>();
    Ok(Part {
        untested: text(0)?,
        currency: text(1)?,
        units: u64::try_from(as_type(2, &DataType::Int64)?.as_primitive::<Int64Type>().value(0)).unwrap_or(0),
        money: if money.is_valid(0) { crate::money::to_decimal(money.value(0)).unwrap_or_default() } else { Decimal::ZERO },
    })
}
