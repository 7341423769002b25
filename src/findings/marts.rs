//! The marts of an analysis: written by one run, visible together.
//!
//! Each table is committed, then `marts/run` with the versions of all of them: a reader takes the versions of the newest run of a quarter
//! and sees all of it or the run before. A run's id names its inputs (lake versions, as-of date, queries, engine), so the same
//! analysis twice is one run.

use super::unmapped::Unmapped;
use crate::lake::delta::{DataFile, Mode, Newest};
use crate::lake::scan::FileTable;
use crate::lake::truth::TruthError;
use crate::lake::write::TableWriter;
use crate::lake::{Lake, LakeError, Table};
use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Int64Type};
use chrono::{Duration, NaiveDate};
use datafusion::common::TableReference;
use datafusion::prelude::SessionContext;
use futures::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Tables of a run besides `marts/run` itself.
pub const MARTS: [Table; 8] = [
    Table::FactMonthly,
    Table::GapBridge,
    Table::Finding,
    Table::FindingEvidence,
    Table::FindingCause,
    Table::Coverage,
    Table::Scorecard,
    Table::Recovered,
];

/// Table versions that are read at a time: a store answers after some time.
const AT_A_TIME: usize = 16;

/// One analysis as `marts/run` tells it.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its id.
    pub run_id: String,
    /// `2026Q3`.
    pub quarter: String,
    /// As-of date in microseconds, if one was asked for.
    pub as_of: Option<i64>,
    /// Versions of the marts by name.
    pub versions: BTreeMap<String, u64>,
    /// Versions of the tables that it was made from, by name.
    pub core_versions: BTreeMap<String, u64>,
    /// What belonged to no known customer or service.
    pub unmapped: Vec<Unmapped>,
    /// The day up to which its data reach; runs of older versions do not say.
    pub known_until: Option<NaiveDate>,
    /// Its place in the order of runs.
    pub number: usize,
}

/// Rows in a table's schema: columns by name, cast; what is missing is empty.
///
/// # Errors
/// [`LakeError::Encode`] if a column cannot be cast.
pub fn conform(table: Table, batch: &RecordBatch) -> Result<RecordBatch, LakeError> {
    let schema = table.schema();
    let failed = |e: arrow::error::ArrowError| LakeError::Encode {
        table: table.name(),
        action: "fit rows to the schema",
        detail: e.to_string(),
    };
    let columns: Vec<ArrayRef> = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            Some(column) => cast(column, field.data_type()).map_err(failed),
            None => Ok(arrow::array::new_null_array(field.data_type(), batch.num_rows())),
        })
        .collect::<Result<_, _>>()?;
    RecordBatch::try_new(schema, columns).map_err(failed)
}

/// One mart of a run on its way: rows go to files as they come, and are seen when it is published.
pub struct Mart<'a> {
    lake: &'a Lake,
    table: Table,
    writer: TableWriter,
}

impl<'a> Mart<'a> {
    /// An empty mart.
    #[must_use]
    pub fn new(lake: &'a Lake, table: Table, run_id: &str) -> Self {
        let attempt = format!("{:016x}", rand::random::<u64>());
        Self { lake, table, writer: TableWriter::new(lake, table, run_id, &attempt) }
    }

    /// Takes rows; columns by name.
    ///
    /// # Errors
    /// [`LakeError`] if they cannot be written.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        self.writer.push(&conform(self.table, batch)?)
    }

    /// Makes them the mart of their quarter and returns its new version, in which its files are those of this run, whoever writes at the same time.
    ///
    /// # Errors
    /// [`LakeError`] if they cannot be written.
    pub async fn publish(self, quarter: &str) -> Result<u64, LakeError> {
        let mode = match self.table {
            Table::FactMonthly => Mode::Overwrite,
            _ => Mode::ReplacePartition("quarter", quarter.to_owned()),
        };
        self.lake.commit(self.table, self.writer.finish()?.files, mode).await
    }
}

/// Appends a row that follows from those that are there (a number, say) to the version of the table that they were read from; `false` if the
/// table has moved on since, and they must be read again.
///
/// # Errors
/// [`LakeError`] if it cannot be written.
pub async fn append_after(lake: &Lake, table: Table, read: Option<u64>, id: &str, row: &RecordBatch) -> Result<bool, LakeError> {
    let mut rows = Mart::new(lake, table, id);
    rows.push(row)?;
    Ok(lake.commit_after(table, read, rows.writer.finish()?.files, Mode::Append).await?.is_some())
}

/// Every run, oldest first.
///
/// # Errors
/// [`TruthError`] if the run table cannot be read.
pub async fn runs(lake: &Lake) -> Result<Vec<Run>, TruthError> {
    Ok(runs_and_version(lake).await?.0)
}

/// The same, with the version of the table that they were read from.
///
/// # Errors
/// As [`runs`].
pub async fn runs_and_version(lake: &Lake) -> Result<(Vec<Run>, Option<u64>), TruthError> {
    let Some(Newest { version, files }) = lake.newest(Table::Run).await? else { return Ok((Vec::new(), None)) };
    if files.is_empty() {
        return Ok((Vec::new(), Some(version)));
    }
    let ctx = SessionContext::new();
    let frame = ctx.read_table(Arc::new(FileTable::new(lake, Table::Run, files)))?;
    let batches = frame
        .select_columns(&["run_id", "quarter", "as_of", "mart_versions", "number", "unmapped", "known_until", "core_versions"])?
        .collect()
        .await?;
    let mut found = Vec::new();
    for batch in batches {
        let text = |at: usize, row: usize| -> datafusion::common::Result<String> {
            let column = cast(batch.column(at), &DataType::Utf8)?;
            Ok(column.as_string::<i32>().value(row).to_owned())
        };
        let as_of = batch.column(2).as_primitive::<arrow::datatypes::TimestampMicrosecondType>();
        let known_until = batch.column(6).as_primitive::<Date32Type>();
        let number = batch.column(4).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            found.push(Run {
                run_id: text(0, row)?,
                quarter: text(1, row)?,
                as_of: arrow::array::Array::is_valid(as_of, row).then(|| as_of.value(row)),
                versions: serde_json::from_str(&text(3, row)?).unwrap_or_default(),
                core_versions: serde_json::from_str(&text(7, row)?).unwrap_or_default(),
                // Runs of older versions say nothing.
                unmapped: serde_json::from_str(&text(5, row)?).unwrap_or_default(),
                known_until: arrow::array::Array::is_valid(known_until, row)
                    .then(|| NaiveDate::default().checked_add_signed(Duration::days(i64::from(known_until.value(row)))))
                    .flatten(),
                number: usize::try_from(number.value(row)).unwrap_or(0),
            });
        }
    }
    found.sort_by_key(|run| run.number);
    Ok((found, Some(version)))
}

/// Files of the marts that some analysis still reads, by table and path: also where a newer one has taken its place.
///
/// # Errors
/// [`TruthError`] if the runs or one of their tables cannot be read.
pub async fn files_of_runs(lake: &Lake) -> Result<BTreeMap<Table, BTreeMap<String, DataFile>>, TruthError> {
    let mut versions: BTreeSet<(Table, u64)> = BTreeSet::new();
    for run in runs(lake).await? {
        versions.extend(MARTS.iter().filter_map(|table| Some((*table, *run.versions.get(table.name())?))));
    }
    let mut named: BTreeMap<Table, BTreeMap<String, DataFile>> = BTreeMap::new();
    let versions: Vec<(Table, u64)> = versions.into_iter().collect();
    for some in versions.chunks(AT_A_TIME) {
        let files = join_all(some.iter().map(|(table, version)| lake.files(*table, Some(*version)))).await;
        for ((table, _), files) in some.iter().zip(files) {
            named.entry(*table).or_default().extend(files?.into_iter().map(|file| (file.path.clone(), file)));
        }
    }
    Ok(named)
}

/// Of every quarter the newest run, by quarter.
///
/// # Errors
/// [`TruthError`] if the run table cannot be read.
pub async fn newest_runs(lake: &Lake) -> Result<Vec<Run>, TruthError> {
    let newest: BTreeMap<String, Run> = runs(lake).await?.into_iter().map(|run| (run.quarter.clone(), run)).collect();
    Ok(newest.into_values().collect())
}

/// Registers `marts.*`: of every quarter the newest run (or of one quarter the given run); the monthly facts are those of the newest quarter.
///
/// # Errors
/// [`TruthError`] if a table cannot be read.
pub async fn register(ctx: &SessionContext, lake: &Lake, only: Option<&Run>) -> Result<(), TruthError> {
    let newest = match only {
        Some(run) => vec![run.clone()],
        None => newest_runs(lake).await?,
    };
    let last = newest.last();
    // A store answers after some time; all tables are asked at once, and all answers waited for.
    let files = join_all(MARTS.map(|table| {
        let newest = &newest;
        async move {
            let mut files = Vec::new();
            if table == Table::FactMonthly {
                if let Some(version) = last.and_then(|run| run.versions.get(table.name())) {
                    files = lake.files(table, Some(*version)).await?;
                }
            } else {
                for run in newest {
                    if let Some(version) = run.versions.get(table.name()) {
                        let all = lake.files(table, Some(*version)).await?;
                        files.extend(all.into_iter().filter(|file| file.batch_id == run.run_id));
                    }
                }
            }
            Ok::<_, LakeError>(files)
        }
    }));
    for (table, files) in MARTS.into_iter().zip(files.await) {
        let name = TableReference::partial("marts", table.name());
        ctx.register_table(name, Arc::new(FileTable::new(lake, table, files?)))?;
    }
    register_mutes(ctx, lake).await?;
    let files = lake.files(Table::Run, None).await?;
    ctx.register_table(TableReference::partial("marts", "run"), Arc::new(FileTable::new(lake, Table::Run, files)))?;
    Ok(())
}

/// Registers `marts.mute`: every decision about a finding.
///
/// # Errors
/// [`TruthError`] if the table cannot be read.
pub async fn register_mutes(ctx: &SessionContext, lake: &Lake) -> Result<(), TruthError> {
    let files = lake.files(Table::Mute, None).await?;
    ctx.register_table(TableReference::partial("marts", "mute"), Arc::new(FileTable::new(lake, Table::Mute, files)))?;
    Ok(())
}
