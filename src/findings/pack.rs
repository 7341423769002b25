//! An evidence pack: the rows behind one finding as Parquet and CSV, and the SQL by which DuckDB computes each number of its sentence again.
//!
//! | file | holds |
//! | --- | --- |
//! | `finding.parquet` | the finding as `marts.finding` has it |
//! | `facts/<fact>.parquet` | what the signal's query reads, and the names: of facts by customer and service the finding's rows, of others all |
//! | `claim.parquet` | what other findings are counted for in the same months, and which of them claim first |
//! | `billed_line.parquet` | invoice lines of the finding's months, shared over service months |
//! | `source_rows.csv` | the lines of the exports: file, row, text; see [`crate::spreadsheet`] for text that begins with an apostrophe |
//! | `recompute.sql` | the signal's own query and what follows from it, for DuckDB |
//!
//! `duckdb -c ".read recompute.sql"` in the folder prints a table of every figure: stated, recomputed, whether they agree. The signal's query is
//! not copied by hand: it is the text of `queries/signals`, with its parameters filled in, and the functions that DuckDB lacks defined as
//! macros (`findings/recompute`). If the lake has learnt more since the analysis, figures differ, and say so: analyse again.

use super::analyze::{AnalyzeError, findings_of, parameters, text_at, texts};
use super::cell::cells;
use super::explain::source_rows;
use super::fold::identity;
use super::marts::{self, Run};
use super::recompute::{Columns, is_same, recompute};
use super::schema::{Basis, Finding};
use super::signal::Signal;
use super::status::is_open;
use crate::lake::{Lake, truth};
use crate::query::catalog::Catalog;
use crate::query::header::Header;
use crate::query::run::{Parameters, build_facts, plan};
use crate::query::session;
use crate::query::text_literal;
use crate::spreadsheet::guarded;
use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use chrono::DateTime;
use datafusion::common::TableReference;
use datafusion::prelude::SessionContext;
use parquet::arrow::ArrowWriter;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a pack could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The lake could not be read.
    #[error(transparent)]
    Analyze(#[from] AnalyzeError),
    /// The folder could not be written.
    #[error("could not write `{}`: {detail}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
    /// The finding's signal is not in this program.
    #[error("signal `{0}` has no query here; `--queries DIR` names the folder that it came from")]
    NoSignal(String),
    /// The run names no quarter.
    #[error("the run says `{0}` for its quarter")]
    NoQuarter(String),
    /// There is nothing to recompute.
    #[error("finding `{0}` is resolved; a pack shows the money of one that is not")]
    Resolved(String),
}

impl PackError {
    fn write(path: &Path, detail: &impl ToString) -> Self {
        Self::Write { path: path.to_owned(), detail: detail.to_string() }
    }
}

/// Writes the pack of the finding whose id begins with `id`; `None` if the run has none.
///
/// # Errors
/// [`PackError`].
pub async fn pack(
    lake: &Lake,
    run: &Run,
    id: &str,
    folder: &Path,
    queries: Option<&Path>,
    threads: usize,
) -> Result<Option<Finding>, PackError> {
    let Some(finding) = findings_of(lake, run).await?.into_iter().find(|f| f.finding_id.starts_with(id)) else {
        return Ok(None);
    };
    if !is_open(&finding) {
        return Err(PackError::Resolved(finding.finding_id));
    }
    let evidence = Evidence::of(lake, run, std::slice::from_ref(&finding), queries, threads).await?;
    evidence.pack(&finding, folder).await?;
    Ok(Some(finding))
}

/// What packs of a run's findings are written from: the facts that their signals read, built once.
pub struct Evidence {
    lake: Lake,
    ctx: SessionContext,
    signals: Vec<Signal>,
    parameters: Parameters,
}

impl Evidence {
    /// The facts of a run behind some of its findings, all of one quarter.
    ///
    /// # Errors
    /// [`PackError`] if the lake cannot be read, or a finding's signal is not in this program.
    pub async fn of(
        lake: &Lake,
        run: &Run,
        findings: &[Finding],
        queries: Option<&Path>,
        threads: usize,
    ) -> Result<Self, PackError> {
        let catalog = Catalog::load(queries).map_err(AnalyzeError::from)?;
        let signals = Signal::load_all(&catalog).map_err(AnalyzeError::from)?;
        let ctx = session::context(threads);
        let as_of = run.as_of.and_then(DateTime::from_timestamp_micros);
        truth::register(&ctx, lake, as_of).await.map_err(AnalyzeError::from)?;
        marts::register(&ctx, lake, Some(run)).await.map_err(AnalyzeError::from)?;
        let quarter = run.quarter.parse().map_err(|_| PackError::NoQuarter(run.quarter.clone()))?;
        let parameters = parameters(lake, quarter, as_of).await.map_err(AnalyzeError::from)?;
        let mut wanted: BTreeSet<String> = ["billed_line"].into_iter().chain(NAMED).map(str::to_owned).collect();
        for finding in findings {
            wanted.extend(facts_of(signal_of(&signals, finding)?));
        }
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        build_facts(&ctx, &catalog, parameters, Some(&wanted)).await.map_err(AnalyzeError::from)?;
        Ok(Self { lake: lake.clone(), ctx, signals, parameters })
    }

    /// Writes the pack of one of these findings.
    ///
    /// # Errors
    /// [`PackError`].
    pub async fn pack(&self, finding: &Finding, folder: &Path) -> Result<(), PackError> {
        if !is_open(finding) {
            return Err(PackError::Resolved(finding.finding_id.clone()));
        }
        let (ctx, signal) = (&self.ctx, signal_of(&self.signals, finding)?);
        std::fs::create_dir_all(folder.join("facts")).map_err(|e| PackError::write(folder, &e))?;
        let mut shown = facts_of(signal);
        shown.extend(NAMED.map(str::to_owned));
        for fact in &shown {
            let rows = of_subject(ctx, fact, finding).await?;
            write_parquet(&folder.join(format!("facts/{fact}.parquet")), &rows)?;
        }
        let own = format!("SELECT * FROM marts.finding WHERE finding_id = {}", text_literal(&finding.finding_id));
        write_parquet(&folder.join("finding.parquet"), &texts(ctx, &own).await?)?;
        write_parquet(&folder.join("claim.parquet"), &claims(ctx, finding, signal, &self.signals).await?)?;
        let lines = of_subject(ctx, "billed_line", finding).await?;
        write_parquet(&folder.join("billed_line.parquet"), &lines)?;
        let (rows, _) = source_rows(ctx, &self.lake, finding, usize::MAX).await?;
        write_source_rows(&folder.join("source_rows.csv"), &rows)?;
        let columns = self.columns(finding, signal).await?;
        let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
        let sql = recompute(finding, signal, &columns, &shown, self.parameters);
        let path = folder.join("recompute.sql");
        std::fs::write(&path, sql).map_err(|e| PackError::write(&path, &e))
    }

    /// What the signal's rows say, and the scope of this finding, which only its id remembers.
    async fn columns(&self, finding: &Finding, signal: &Signal) -> Result<Columns, PackError> {
        let frame = plan(&self.ctx, &signal.query, self.parameters).await.map_err(AnalyzeError::from)?;
        let schema = Arc::new(frame.schema().as_arrow().clone());
        let has = |name: &str| schema.field_with_name(name).is_ok();
        let mut scope = None;
        if has("scope") {
            let batches = frame.collect().await.map_err(AnalyzeError::engine("reading the evidence"))?;
            let cells = cells(signal, &schema, &batches).map_err(AnalyzeError::from)?;
            let own = cells.into_iter().find(|cell| identity(&signal.id, &cell.subject, cell.basis) == finding.finding_id);
            scope = own.and_then(|cell| cell.subject.scope);
        }
        Ok(Columns { basis: has("basis"), amount_low: has("amount_low"), amount_high: has("amount_high"), scope })
    }
}

/// Facts with the names of customers and services, and the months that a sentence's figures come from.
const NAMED: [&str; 3] = ["customer_alias", "fact_monthly", "service_alias"];

fn signal_of<'a>(signals: &'a [Signal], finding: &Finding) -> Result<&'a Signal, PackError> {
    signals.iter().find(|signal| signal.id == finding.signal).ok_or_else(|| PackError::NoSignal(finding.signal.clone()))
}

/// The facts that a signal reads.
fn facts_of(signal: &Signal) -> BTreeSet<String> {
    Header::parse(&signal.query.text).facts().into_iter().map(str::to_owned).collect()
}

/// Rows of a fact: those of the finding's customer and service where it has these columns, those of nobody where the finding names none.
async fn of_subject(ctx: &SessionContext, fact: &str, finding: &Finding) -> Result<Vec<RecordBatch>, AnalyzeError> {
    let failed = AnalyzeError::engine("reading the evidence");
    let table = ctx.table(TableReference::partial("facts", fact)).await.map_err(&failed)?;
    let schema = table.schema().as_arrow().clone();
    let mut conditions = Vec::new();
    for (column, key) in [("customer_key", &finding.customer_key), ("service_key", &finding.service_key)] {
        if schema.field_with_name(column).is_ok() {
            conditions.push(is_same(column, key.as_deref()));
        }
    }
    let filter = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let mut rows = texts(ctx, &format!("SELECT * FROM facts.{fact}{filter}")).await?;
    if rows.is_empty() {
        rows.push(RecordBatch::new_empty(Arc::new(schema)));
    }
    Ok(rows)
}

/// What the findings of the run are counted for on the finding's customer and service, and whether they claim before it.
async fn claims(
    ctx: &SessionContext,
    finding: &Finding,
    signal: &Signal,
    signals: &[Signal],
) -> Result<Vec<RecordBatch>, AnalyzeError> {
    let sql = format!(
        "SELECT evidence.finding_id, finding.signal, finding.basis, evidence.month, evidence.counted
         FROM marts.finding_evidence AS evidence JOIN marts.finding AS finding ON evidence.finding_id = finding.finding_id
         WHERE {} AND {} AND {} ORDER BY finding.signal, evidence.month",
        is_same("evidence.customer_key", finding.customer_key.as_deref()),
        is_same("evidence.service_key", finding.service_key.as_deref()),
        is_same("evidence.currency", Some(&finding.currency)),
    );
    // Those before it in the order of precedence, unless its header says that its money lies beside theirs (`findings/overlap`).
    let before = signals.iter().take_while(|other| other.id != signal.id).filter(|other| !signal.adds_to.contains(&other.id));
    let before: Vec<&str> = before.map(|other| other.id.as_str()).collect();
    let is_shared = |basis: &str| match finding.basis {
        Basis::Revenue => basis == Basis::Revenue.as_str(),
        Basis::Cost => basis != Basis::Overbilling.as_str(),
        Basis::Overbilling => false,
    };
    let mut rows = Vec::new();
    for batch in texts(ctx, &sql).await? {
        let is_first: BooleanArray = (0..batch.num_rows())
            .map(|row| Ok(Some(before.contains(&text_at(&batch, 1, row)?.as_str()) && is_shared(&text_at(&batch, 2, row)?))))
            .collect::<Result<_, AnalyzeError>>()?;
        let mut fields: Vec<Field> = batch.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
        fields.push(Field::new("claims_first", DataType::Boolean, true));
        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        columns.push(Arc::new(is_first));
        let row = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns);
        rows.push(row.map_err(AnalyzeError::arrow("reading the evidence"))?);
    }
    Ok(rows)
}

fn write_parquet(path: &Path, rows: &[RecordBatch]) -> Result<(), PackError> {
    let Some(first) = rows.first() else { return Ok(()) };
    let failed = |e: &dyn std::fmt::Display| PackError::write(path, &e);
    let file = std::fs::File::create(path).map_err(|e| failed(&e))?;
    let mut writer = ArrowWriter::try_new(file, first.schema(), None).map_err(|e| failed(&e))?;
    for batch in rows {
        writer.write(batch).map_err(|e| failed(&e))?;
    }
    writer.close().map(drop).map_err(|e| failed(&e))
}

fn write_source_rows(path: &Path, rows: &[super::explain::SourceRow]) -> Result<(), PackError> {
    let failed = |e: &dyn std::fmt::Display| PackError::write(path, &e);
    let mut writer = csv::Writer::from_path(path).map_err(|e| failed(&e))?;
    writer.write_record(["kind", "file", "batch_id", "source_row", "line"]).map_err(|e| failed(&e))?;
    for row in rows {
        let number = row.source_row.to_string();
        writer
            .write_record([&row.kind, &*guarded(&row.file), &row.batch_id, &number, &*guarded(&row.line)])
            .map_err(|e| failed(&e))?;
    }
    writer.flush().map_err(|e| failed(&e))
}
