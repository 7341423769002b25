//! What an analysis says that earlier ones did not: findings that are new, and those that cost more than they did.
//!
//! | change | says |
//! | --- | --- |
//! | new | no earlier run had it |
//! | worsened | its money or its severity is higher than in the newest earlier run, of this or an earlier quarter, that had it |
//!
//! Earlier is what was committed earlier, whatever its quarter and its as-of date. A finding that was resolved and has returned is worsened, from
//! nothing. One that only runs of later quarters had is neither: it is known, and there is nothing before it to compare with.

use super::analyze::AnalyzeError;
use super::cell::Subject;
use super::earlier::current_id;
use super::marts::Run;
use super::schema::{Basis, Finding};
use super::status::{is_open, money};
use crate::functions::exact::MONEY;
use crate::lake::scan::FileTable;
use crate::lake::{Lake, Table};
use crate::money::{round_to_minor_unit, to_decimal};
use crate::month::Quarter;
use crate::query::session;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type};
use arrow::error::ArrowError;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// From the mildest.
const SEVERITIES: [&str; 4] = ["low", "medium", "high", "critical"];

/// A finding that somebody should hear of.
#[derive(Clone, Debug)]
pub struct Change {
    /// As it is now.
    pub finding: Finding,
    /// As it was; nothing if it is new.
    pub before: Option<Before>,
}

impl Change {
    /// By how much its money rose; all of it if it is new, and never less than nothing (its severity may have risen alone).
    #[must_use]
    pub fn increase(&self) -> Decimal {
        let before = self.before.as_ref().map_or(Decimal::ZERO, |before| before.money);
        (money(&self.finding) - before).max(Decimal::ZERO)
    }
}

/// A finding as an earlier run had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    /// The run.
    pub run_id: String,
    /// The run's quarter.
    pub quarter: Quarter,
    /// Its money in that quarter, whoever's it is.
    pub money: Decimal,
    /// Its severity then.
    pub severity: String,
}

/// What earlier runs had: by finding, its rows, the newest run first.
#[derive(Clone, Debug, Default)]
pub struct Known {
    rows: HashMap<String, Vec<(usize, Before)>>,
}

/// Reads the findings of runs.
///
/// # Errors
/// [`AnalyzeError`] if the marts cannot be read.
pub async fn known(lake: &Lake, runs: &[Run]) -> Result<Known, AnalyzeError> {
    let mut files = BTreeMap::new();
    let mut of_run: HashMap<&str, (usize, Quarter)> = HashMap::new();
    for run in runs {
        let Ok(quarter) = run.quarter.parse::<Quarter>() else { continue };
        // The newest time that a run was committed counts; its rows are the same each time.
        of_run.insert(&run.run_id, (run.number, quarter));
        if let Some(version) = run.versions.get(Table::Finding.name()) {
            let all = lake.files(Table::Finding, Some(*version)).await?;
            files.extend(all.into_iter().filter(|file| file.batch_id == run.run_id).map(|file| (file.path.clone(), file)));
        }
    }
    let mut known = Known::default();
    if files.is_empty() {
        return Ok(known);
    }
    let ctx = session::context(1);
    let failed = AnalyzeError::engine("reading earlier findings");
    let table = FileTable::new(lake, Table::Finding, files.into_values().collect());
    let frame = ctx.read_table(Arc::new(table)).map_err(&failed)?.select_columns(&COLUMNS).map_err(&failed)?;
    for batch in frame.collect().await.map_err(&failed)? {
        known.read(&batch, &of_run).map_err(AnalyzeError::arrow("reading earlier findings"))?;
    }
    for rows in known.rows.values_mut() {
        rows.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    }
    Ok(known)
}

/// Columns that are read; the first eight are text, the others money.
const COLUMNS: [&str; 10] =
    ["run_id", "finding_id", "signal", "customer_key", "service_key", "currency", "basis", "severity", "leakage", "overbilled"];

impl Known {
    fn read(&mut self, batch: &RecordBatch, of_run: &HashMap<&str, (usize, Quarter)>) -> Result<(), ArrowError> {
        let texts: Vec<ArrayRef> = (0..8).map(|at| cast(batch.column(at), &DataType::Utf8)).collect::<Result<_, _>>()?;
        let amounts = [cast(batch.column(8), &MONEY)?, cast(batch.column(9), &MONEY)?];
        for row in 0..batch.num_rows() {
            let text = |at: usize| {
                let cells = texts[at].as_string::<i32>();
                cells.is_valid(row).then(|| cells.value(row).to_owned())
            };
            let stated = |at: usize| text(at).unwrap_or_default();
            let amount = |at: usize| to_decimal(amounts[at].as_primitive::<Decimal128Type>().value(row)).unwrap_or_default();
            let run_id = stated(0);
            let Some(&(number, quarter)) = of_run.get(run_id.as_str()) else { continue };
            let currency = stated(5);
            let basis = Basis::parse(&stated(6)).unwrap_or(Basis::Revenue);
            let amount = if basis == Basis::Overbilling { amount(1) } else { amount(0) };
            let money = round_to_minor_unit(amount, &currency);
            let subject = Subject { customer_key: text(3), service_key: text(4), currency, scope: None };
            let id = current_id(&stated(1), &stated(2), &subject, basis);
            self.rows.entry(id).or_default().push((number, Before { run_id, quarter, money, severity: stated(7) }));
        }
        Ok(())
    }

    /// What is new or worse against the runs up to number `until`, in the order of the findings.
    #[must_use]
    pub fn changes(&self, findings: &[Finding], until: usize) -> Vec<Change> {
        findings.iter().filter(|finding| is_open(finding)).filter_map(|finding| self.change(finding, until)).collect()
    }

    fn change(&self, finding: &Finding, until: usize) -> Option<Change> {
        let rows = self.rows.get(&finding.finding_id).map(Vec::as_slice).unwrap_or_default();
        let mut rows = rows.iter().filter(|(number, _)| *number <= until).map(|(_, before)| before).peekable();
        if rows.peek().is_none() {
            return Some(Change { finding: finding.clone(), before: None });
        }
        let before = rows.find(|before| before.quarter <= finding.quarter)?;
        let rank = |severity: &str| SEVERITIES.iter().position(|known| *known == severity);
        let is_worse = money(finding) > before.money || rank(&finding.severity) > rank(&before.severity);
        is_worse.then(|| Change { finding: finding.clone(), before: Some(before.clone()) })
    }
}
