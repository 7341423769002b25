//! What earlier analyses said, as far as they knew no more than this one: of each quarter the best informed of its runs.

use super::analyze::{AnalyzeError, findings_of, texts};
use super::cell::Subject;
use super::fold::identity;
use super::marts::{self, Run};
use super::recovered::Recovered;
use super::schema::{Basis, Finding};
use super::scorecard::Score;
use crate::functions::exact::MONEY;
use crate::lake::{Lake, truth};
use crate::month::{Month, Quarter};
use crate::query::session;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type};
use arrow::error::ArrowError;
use chrono::{Duration, NaiveDate};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashMap};

/// One analysis of this or an earlier quarter.
#[derive(Clone, Debug)]
pub struct Earlier {
    /// The run.
    pub run_id: String,
    /// Its quarter.
    pub quarter: Quarter,
    /// Its findings, those that it reported as resolved too.
    pub findings: Vec<Finding>,
    /// The months behind them.
    pub evidence: Vec<Evidence>,
    /// Its scorecard.
    pub scores: Vec<Score>,
    /// What it saw come back.
    pub recovered: Vec<Recovered>,
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
    /// What was billed for the month, as was known then; runs of older versions do not say.
    pub billed: Option<Decimal>,
}

/// Identity of a finding, whatever its row says: former versions hashed the onset too.
#[must_use]
pub fn id_of(finding: &Finding) -> String {
    let (customer_key, service_key) = (finding.customer_key.clone(), finding.service_key.clone());
    let subject = Subject { customer_key, service_key, currency: finding.currency.clone(), scope: None };
    current_id(&finding.finding_id, &finding.signal, &subject, finding.basis)
}

/// The same, from the parts of a row.
pub(super) fn current_id(stated: &str, signal: &str, subject: &Subject, basis: Basis) -> String {
    if subject.customer_key.is_none() && subject.service_key.is_none() {
        // About nobody: what tells it apart is no part of the row, and former versions had none.
        return stated.to_owned();
    }
    identity(signal, subject, basis)
}

/// Of each quarter up to `quarter` the run that knew most, but nothing later than `as_of`.
///
/// # Errors
/// [`AnalyzeError`] if the runs cannot be read.
pub(super) async fn best_informed(
    lake: &Lake,
    quarter: Quarter,
    as_of: Option<i64>,
) -> Result<BTreeMap<Quarter, Run>, AnalyzeError> {
    let knew_no_more = |run: &Run| as_of.is_none_or(|as_of| run.as_of.is_some_and(|known| known <= as_of));
    let knowledge = |run: &Run| (run.as_of.unwrap_or(i64::MAX), run.number);
    let mut chosen: BTreeMap<Quarter, Run> = BTreeMap::new();
    for run in marts::runs(lake).await?.into_iter().filter(knew_no_more) {
        let Some(of) = run.quarter.parse::<Quarter>().ok().filter(|of| *of <= quarter) else { continue };
        if chosen.get(&of).is_none_or(|known| knowledge(known) < knowledge(&run)) {
            chosen.insert(of, run);
        }
    }
    Ok(chosen)
}

/// What the [`best_informed`] runs said, oldest quarter first.
///
/// # Errors
/// [`AnalyzeError`] if the marts cannot be read.
pub async fn earlier(lake: &Lake, quarter: Quarter, as_of: Option<i64>) -> Result<Vec<Earlier>, AnalyzeError> {
    let chosen = best_informed(lake, quarter, as_of).await?;
    let mut all = Vec::with_capacity(chosen.len());
    for (quarter, run) in chosen {
        let mut findings = findings_of(lake, &run).await?;
        let Rest { mut evidence, mut recovered, scores } = rest_of(lake, &run).await?;
        let ids: HashMap<String, String> = findings.iter().map(|f| (f.finding_id.clone(), id_of(f))).collect();
        for finding in &mut findings {
            finding.finding_id = id_of(finding);
        }
        for row in &mut evidence {
            if let Some(id) = ids.get(&row.finding_id) {
                row.finding_id.clone_from(id);
            }
        }
        for row in &mut recovered {
            if let Some(id) = ids.get(&row.finding_id) {
                row.finding_id.clone_from(id);
            }
        }
        let mut whole: HashMap<String, (Decimal, usize)> = HashMap::new();
        for row in &evidence {
            let sums = whole.entry(row.finding_id.clone()).or_default();
            *sums = (sums.0 + row.counted + row.corroborates, sums.1 + 1);
        }
        all.push(Earlier { run_id: run.run_id, quarter, findings, evidence, recovered, scores, whole });
    }
    Ok(all)
}

/// What a run says besides its findings.
struct Rest {
    evidence: Vec<Evidence>,
    recovered: Vec<Recovered>,
    scores: Vec<Score>,
}

async fn rest_of(lake: &Lake, run: &Run) -> Result<Rest, AnalyzeError> {
    let ctx = session::context(1);
    truth::register_schemas(&ctx)?;
    marts::register(&ctx, lake, Some(run)).await?;
    let failed = AnalyzeError::arrow("reading earlier findings");
    let sql =
        "SELECT finding_id, customer_key, service_key, currency, month, counted, corroborates, billed FROM marts.finding_evidence
               ORDER BY finding_id, month";
    let mut evidence = Vec::new();
    for batch in texts(&ctx, sql).await? {
        evidence.extend(evidence_of(&batch).map_err(&failed)?);
    }
    let sql = "SELECT finding_id, customer_key, service_key, currency, month, lost, billed_then, billed_now, recovered, found_quarter, basis
               FROM marts.recovered ORDER BY finding_id, month";
    let mut recovered = Vec::new();
    for batch in texts(&ctx, sql).await? {
        recovered.extend(recovered_of(&batch).map_err(&failed)?);
    }
    let mut scores = Vec::new();
    for batch in texts(&ctx, "SELECT measure, system, currency, value FROM marts.scorecard").await? {
        scores.extend(scores_of(&batch).map_err(&failed)?);
    }
    Ok(Rest { evidence, recovered, scores })
}

/// The columns of a batch that begins with `finding_id, customer_key, service_key, currency, month` and goes on with money.
struct Rows {
    texts: Vec<ArrayRef>,
    months: ArrayRef,
    money: Vec<ArrayRef>,
}

impl Rows {
    fn of(batch: &RecordBatch, amounts: usize) -> Result<Self, ArrowError> {
        let of_type = |at: usize, kind: &DataType| cast(batch.column(at), kind);
        Ok(Self {
            texts: (0..4).map(|at| of_type(at, &DataType::Utf8)).collect::<Result<_, _>>()?,
            months: of_type(4, &DataType::Date32)?,
            money: (5..5 + amounts).map(|at| of_type(at, &MONEY)).collect::<Result<_, _>>()?,
        })
    }

    fn text(&self, at: usize, row: usize) -> Option<String> {
        let cells = self.texts[at].as_string::<i32>();
        cells.is_valid(row).then(|| cells.value(row).to_owned())
    }

    fn subject(&self, row: usize) -> Subject {
        Subject {
            customer_key: self.text(1, row),
            service_key: self.text(2, row),
            currency: self.text(3, row).unwrap_or_default(),
            scope: None,
        }
    }

    fn month(&self, row: usize) -> Month {
        let days = Duration::days(i64::from(self.months.as_primitive::<Date32Type>().value(row)));
        Month::of(NaiveDate::default().checked_add_signed(days).unwrap_or_default())
    }

    fn amount(&self, at: usize, row: usize) -> Option<Decimal> {
        let cells = self.money[at].as_primitive::<Decimal128Type>();
        cells.is_valid(row).then(|| crate::money::to_decimal(cells.value(row))).flatten()
    }
}

fn evidence_of(batch: &RecordBatch) -> Result<Vec<Evidence>, ArrowError> {
    let rows = Rows::of(batch, 3)?;
    let evidence = |row: usize| Evidence {
        finding_id: rows.text(0, row).unwrap_or_default(),
        subject: rows.subject(row),
        month: rows.month(row),
        counted: rows.amount(0, row).unwrap_or_default(),
        corroborates: rows.amount(1, row).unwrap_or_default(),
        billed: rows.amount(2, row),
    };
    Ok((0..batch.num_rows()).map(evidence).collect())
}

/// What a later run compares with.
fn scores_of(batch: &RecordBatch) -> Result<Vec<Score>, ArrowError> {
    let texts: Vec<ArrayRef> = (0..3).map(|at| cast(batch.column(at), &DataType::Utf8)).collect::<Result<_, _>>()?;
    let values = cast(batch.column(3), &MONEY)?;
    let values = values.as_primitive::<Decimal128Type>();
    let text = |at: usize, row: usize| {
        let cells = texts[at].as_string::<i32>();
        cells.is_valid(row).then(|| cells.value(row).to_owned())
    };
    let score = |row: usize| Score {
        measure: text(0, row).unwrap_or_default(),
        system: text(1, row),
        currency: text(2, row),
        value: values.is_valid(row).then(|| crate::money::to_decimal(values.value(row))).flatten(),
        ..Score::default()
    };
    Ok((0..batch.num_rows()).map(score).collect())
}

fn recovered_of(batch: &RecordBatch) -> Result<Vec<Recovered>, ArrowError> {
    let rows = Rows::of(batch, 4)?;
    let (quarters, bases) = (cast(batch.column(9), &DataType::Utf8)?, cast(batch.column(10), &DataType::Utf8)?);
    let row = |row: usize| -> Result<Recovered, ArrowError> {
        let quarter = quarters.as_string::<i32>().value(row).parse();
        let amount = |at: usize| rows.amount(at, row).unwrap_or_default();
        Ok(Recovered {
            finding_id: rows.text(0, row).unwrap_or_default(),
            found_quarter: quarter.map_err(|_| ArrowError::SchemaError("`marts.recovered` holds a bad quarter".to_owned()))?,
            subject: rows.subject(row),
            month: rows.month(row),
            basis: if bases.as_string::<i32>().value(row) == "overbilling" { Basis::Overbilling } else { Basis::Revenue },
            lost: amount(0),
            billed_then: amount(1),
            billed_now: amount(2),
            recovered: amount(3),
        })
    };
    (0..batch.num_rows()).map(row).collect()
}
