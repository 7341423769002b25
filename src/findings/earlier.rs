//! What earlier analyses said, as far as they knew no more than this one: of each quarter the best informed of its runs.

use super::analyze::{AnalyzeError, findings_of, texts};
use super::cell::Subject;
use super::fold::identity;
use super::marts::{self, Run};
use super::schema::Finding;
use crate::functions::exact::MONEY;
use crate::lake::{Lake, truth};
use crate::month::{Month, Quarter};
use crate::query::session;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type};
use chrono::{Duration, NaiveDate};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashMap};

/// One analysis of this or an earlier quarter.
#[derive(Clone, Debug)]
pub struct Earlier {
    /// Its quarter.
    pub quarter: Quarter,
    /// Its findings, those that it reported as resolved too.
    pub findings: Vec<Finding>,
    /// The months behind them.
    pub evidence: Vec<Evidence>,
    /// By finding: the money of all its months, whoever was counted for it, and how many months these are.
    pub whole: HashMap<String, (Decimal, usize)>,
}

/// A month of a finding.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The finding.
    pub finding_id: String,
    /// Whose month.
    pub subject: Subject,
    /// Which.
    pub month: Month,
    /// The money that the finding was counted for.
    pub counted: Decimal,
    /// The money that it shared with findings that claimed it first.
    pub corroborates: Decimal,
}

/// Identity of a finding, whatever its row says: former versions hashed the onset too.
#[must_use]
pub fn id_of(finding: &Finding) -> String {
    let (customer_key, service_key) = (finding.customer_key.clone(), finding.service_key.clone());
    if customer_key.is_none() && service_key.is_none() {
        // About nobody: what tells it apart is no part of the row, and former versions had none.
        return finding.finding_id.clone();
    }
    let subject = Subject { customer_key, service_key, currency: finding.currency.clone(), scope: None };
    identity(&finding.signal, &subject, finding.basis)
}

/// Of each quarter up to `quarter` the run that knew most, but nothing later than `as_of`; oldest quarter first.
///
/// # Errors
/// [`AnalyzeError`] if the marts cannot be read.
pub async fn earlier(lake: &Lake, quarter: Quarter, as_of: Option<i64>) -> Result<Vec<Earlier>, AnalyzeError> {
    let knew_no_more = |run: &Run| as_of.is_none_or(|as_of| run.as_of.is_some_and(|known| known <= as_of));
    let knowledge = |run: &Run| (run.as_of.unwrap_or(i64::MAX), run.number);
    let mut chosen: BTreeMap<Quarter, Run> = BTreeMap::new();
    for run in marts::runs(lake).await?.into_iter().filter(knew_no_more) {
        let Some(of) = run.quarter.parse::<Quarter>().ok().filter(|of| *of <= quarter) else { continue };
        if chosen.get(&of).is_none_or(|known| knowledge(known) < knowledge(&run)) {
            chosen.insert(of, run);
        }
    }
    let mut all = Vec::with_capacity(chosen.len());
    for (quarter, run) in chosen {
        let mut findings = findings_of(lake, &run).await?;
        let mut evidence = evidence_of(lake, &run).await?;
        let ids: HashMap<String, String> = findings.iter().map(|f| (f.finding_id.clone(), id_of(f))).collect();
        for finding in &mut findings {
            finding.finding_id = id_of(finding);
        }
        for row in &mut evidence {
            if let Some(id) = ids.get(&row.finding_id) {
                row.finding_id.clone_from(id);
            }
        }
        let mut whole: HashMap<String, (Decimal, usize)> = HashMap::new();
        for row in &evidence {
            let sums = whole.entry(row.finding_id.clone()).or_default();
            *sums = (sums.0 + row.counted + row.corroborates, sums.1 + 1);
        }
        all.push(Earlier { quarter, findings, evidence, whole });
    }
    Ok(all)
}

async fn evidence_of(lake: &Lake, run: &Run) -> Result<Vec<Evidence>, AnalyzeError> {
    let ctx = session::context(1);
    truth::register_schemas(&ctx)?;
    marts::register(&ctx, lake, Some(run)).await?;
    let sql = "SELECT finding_id, customer_key, service_key, currency, month, counted, corroborates FROM marts.finding_evidence
               ORDER BY finding_id, month";
    let mut rows = Vec::new();
    for batch in texts(&ctx, sql).await? {
        rows.extend(of_batch(&batch).map_err(AnalyzeError::arrow("reading earlier findings"))?);
    }
    Ok(rows)
}

fn of_batch(batch: &RecordBatch) -> Result<Vec<Evidence>, arrow::error::ArrowError> {
    let of_type = |at: usize, kind: &DataType| cast(batch.column(at), kind);
    let texts: Vec<ArrayRef> = (0..4).map(|at| of_type(at, &DataType::Utf8)).collect::<Result<_, _>>()?;
    let months = of_type(4, &DataType::Date32)?;
    let (counted, corroborates) = (of_type(5, &MONEY)?, of_type(6, &MONEY)?);
    let text = |at: usize, row: usize| {
        let cells = texts[at].as_string::<i32>();
        cells.is_valid(row).then(|| cells.value(row).to_owned())
    };
    let money = |cells: &ArrayRef, row: usize| {
        let cells = cells.as_primitive::<Decimal128Type>();
        cells.is_valid(row).then(|| crate::money::to_decimal(cells.value(row))).flatten().unwrap_or_default()
    };
    let evidence = |row: usize| {
        let days = Duration::days(i64::from(months.as_primitive::<Date32Type>().value(row)));
        Evidence {
            finding_id: text(0, row).unwrap_or_default(),
            subject: Subject {
                customer_key: text(1, row),
                service_key: text(2, row),
                currency: text(3, row).unwrap_or_default(),
                scope: None,
            },
            month: Month::of(NaiveDate::default().checked_add_signed(days).unwrap_or_default()),
            counted: money(&counted, row),
            corroborates: money(&corroborates, row),
        }
    };
    Ok((0..batch.num_rows()).map(evidence).collect())
}
