//! What has been written and not committed yet, and the commit: core tables first, `core/batch` last.
//!
//! ```text
//! data files ─> commits of the core tables ─> core/batch on the version that was read ─┬─> visible, all of it
//!                                                     ^                                └─> another process came first:
//!                                                     └── without the batches that it has brought in, ── read again ─┘
//! ```
//! What a stop leaves before the last commit is invisible: it is of an attempt that `core/batch` does not name, as is what a process
//! wrote that came second ([`crate::lake::visible`]). In a folder one process writes at a time, and nobody comes first.

use super::reject::Reject;
use super::{Batch, IngestError, batch_id};
use crate::lake::commit::{TRIES, pause};
use crate::lake::delta::{DataFile, Mode};
use crate::lake::scan::FileTable;
use crate::lake::truth::TruthError;
use crate::lake::write::TableWriter;
use crate::lake::{Lake, LakeError, Table};
use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::prelude::SessionContext;
use deltalake_core::kernel::Add;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Files of one commit: a stop loses at most this much work.
const FILES_PER_COMMIT: usize = 64;
/// Rows after which a commit is made however few the files.
const ROWS_PER_COMMIT: u64 = 4_000_000;

/// What stands in `core/batch`, and what this process is about to add.
#[derive(Debug)]
pub(super) struct Ledger {
    /// The version that was read, or committed since; none if there was no table.
    version: Option<u64>,
    /// Batches of other ingests.
    pub(super) earlier: Vec<Earlier>,
    known: HashSet<String>,
    /// Batches of this ingest.
    own: HashSet<String>,
}

impl Ledger {
    /// As the table stands now.
    pub(super) async fn read(lake: &Lake) -> Result<Self, IngestError> {
        let (version, files) = match lake.newest(Table::Batch).await? {
            Some((version, files)) => (Some(version), files),
            None => (None, Vec::new()),
        };
        let rows = rows_of(lake, files).await?;
        let earlier: Vec<Earlier> = rows.iter().flat_map(earlier).collect();
        let known = earlier.iter().map(|batch| batch.batch_id.clone()).collect();
        Ok(Self { version, earlier, known, own: HashSet::new() })
    }

    /// Whether a batch stands there, or is about to.
    pub(super) fn has(&self, batch_id: &str) -> bool {
        self.known.contains(batch_id)
    }

    /// A batch is about to be added, in the place of those that it withdraws.
    pub(super) fn take(&mut self, batch: &Batch) {
        self.known.insert(batch.batch_id.clone());
        self.own.insert(batch.batch_id.clone());
        for withdrawn in self.withdrawn_by(batch) {
            self.known.remove(&withdrawn);
        }
    }

    /// What the same content said through another mapping, for the same date, no longer counts: a mapping that was mended is the truth
    /// about the whole file. The rows stay where they are; without their batch nobody sees them.
    fn withdrawn_by(&self, batch: &Batch) -> Vec<String> {
        let run = batch.run.as_ref().map(|run| run.name.as_str());
        let is_unstated = |earlier: &str, mapping: Option<&str>| batch_id(&batch.sha256, None, run, mapping) == earlier;
        let is_undated = is_unstated(&batch.batch_id, batch.mapping_sha256.as_deref());
        let is_withdrawn = |earlier: &&Earlier| {
            let is_other = earlier.mapping != batch.mapping_sha256 && earlier.batch_id != batch.batch_id;
            let is_same_statement = earlier.recorded_at == batch.recorded_at.timestamp_micros()
                || (is_undated && is_unstated(&earlier.batch_id, earlier.mapping.as_deref()));
            earlier.sha256 == batch.sha256 && is_other && is_same_statement
        };
        self.earlier.iter().filter(is_withdrawn).map(|earlier| earlier.batch_id.clone()).collect()
    }

    /// Reads the table again, as another process has added to it. Returns which of `batches` it has added.
    async fn read_again(&mut self, lake: &Lake, batches: &[Batch]) -> Result<HashSet<String>, IngestError> {
        let mut now = Self::read(lake).await?;
        let added: HashSet<String> = batches.iter().map(|batch| batch.batch_id.clone()).filter(|id| now.has(id)).collect();
        now.own = std::mem::take(&mut self.own);
        now.own.retain(|id| !added.contains(id));
        // What this ingest has committed is no earlier batch, whichever commit it went with.
        now.earlier.retain(|batch| !now.own.contains(&batch.batch_id));
        *self = now;
        batches.iter().filter(|batch| !added.contains(&batch.batch_id)).for_each(|batch| self.take(batch));
        Ok(added)
    }
}

/// A batch that stands in the lake.
#[derive(Debug)]
pub(super) struct Earlier {
    pub(super) batch_id: String,
    pub(super) sha256: String,
    pub(super) recorded_at: i64,
    pub(super) mapping: Option<String>,
    pub(super) run: Option<String>,
}

/// The rows of `core/batch`.
pub(super) async fn batch_table(lake: &Lake) -> Result<Vec<RecordBatch>, IngestError> {
    rows_of(lake, lake.files(Table::Batch, None).await?).await
}

async fn rows_of(lake: &Lake, files: Vec<DataFile>) -> Result<Vec<RecordBatch>, IngestError> {
    let engine = |e: datafusion::common::DataFusionError| IngestError::Truth(TruthError::Engine(e));
    let table = Arc::new(FileTable::new(lake, Table::Batch, files));
    let rows = SessionContext::new().read_table(table).map_err(engine)?.collect().await.map_err(engine)?;
    let schema = Table::Batch.schema();
    let plain = |batch: &RecordBatch| {
        let cast = |field: &Arc<arrow::datatypes::Field>| match batch.column_by_name(field.name()) {
            Some(array) => arrow::compute::cast(array, field.data_type()),
            None => Ok(arrow::array::new_null_array(field.data_type(), batch.num_rows())),
        };
        let columns = schema.fields().iter().map(cast).collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(Arc::clone(&schema), columns)
    };
    rows.iter().map(plain).collect::<Result<_, _>>().map_err(|e| encode(&e))
}

fn encode(error: &arrow::error::ArrowError) -> IngestError {
    IngestError::Lake(LakeError::Encode { table: Table::Batch.name(), action: "build rows", detail: error.to_string() })
}

fn earlier(rows: &RecordBatch) -> Vec<Earlier> {
    let text = |name: &str| rows.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    let recorded = rows.column_by_name("recorded_at").and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
    let (Some(ids), Some(hashes), Some(mappings), Some(runs), Some(recorded)) =
        (text("batch_id"), text("sha256"), text("mapping_sha256"), text("run"), recorded)
    else {
        return Vec::new();
    };
    let row = |row: usize| Earlier {
        batch_id: ids.value(row).to_owned(),
        sha256: hashes.value(row).to_owned(),
        recorded_at: recorded.value(row),
        mapping: mappings.is_valid(row).then(|| mappings.value(row).to_owned()),
        run: runs.is_valid(row).then(|| runs.value(row).to_owned()),
    };
    (0..rows.num_rows()).map(row).collect()
}

/// Files written but not committed.
#[derive(Debug, Default)]
pub(super) struct Pending {
    batches: Vec<Batch>,
    rows: u64,
    adds: BTreeMap<Table, Vec<Add>>,
    /// By place in `batches`.
    rejects: Vec<(usize, Vec<Reject>)>,
}

impl Pending {
    pub(super) fn take(&mut self, batch: Batch, adds: Vec<(Table, Vec<Add>)>, rejects: Vec<Reject>) {
        self.rows += batch.rows_in;
        for (table, adds) in adds {
            self.adds.entry(table).or_default().extend(adds);
        }
        if !rejects.is_empty() {
            self.rejects.push((self.batches.len(), rejects));
        }
        self.batches.push(batch);
    }

    /// Whether it is time to commit.
    pub(super) fn is_enough(&self) -> bool {
        self.batches.len() >= FILES_PER_COMMIT || self.rows >= ROWS_PER_COMMIT
    }

    /// Commits. Returns the batches that another process has brought in first, and that this one has therefore not.
    pub(super) async fn commit(mut self, lake: &Lake, ledger: &mut Ledger) -> Result<HashSet<String>, IngestError> {
        let mut second = HashSet::new();
        if self.batches.is_empty() {
            return Ok(second);
        }
        for (at, rejects) in &self.rejects {
            let batch = &self.batches[*at];
            let mut writer = TableWriter::new(lake, Table::Reject, &batch.batch_id, &batch.attempt);
            writer.push(&reject_rows(&batch.batch_id, rejects)?)?;
            self.adds.entry(Table::Reject).or_default().append(&mut writer.finish()?);
        }
        for (table, adds) in self.adds {
            if !adds.is_empty() {
                lake.commit(table, adds, Mode::Append).await?;
            }
        }
        for tried in 0..TRIES {
            let withdrawn: HashSet<String> = self.batches.iter().flat_map(|batch| ledger.withdrawn_by(batch)).collect();
            let attempt = format!("{:016x}", rand::random::<u64>());
            let mut writer = TableWriter::new(lake, Table::Batch, &self.batches[0].batch_id, &attempt);
            let mut mode = Mode::Append;
            if !withdrawn.is_empty() {
                mode = Mode::Overwrite;
                for rows in rows_of(lake, lake.files(Table::Batch, ledger.version).await?).await? {
                    let ids = rows.column(0).as_string::<i32>();
                    let stays: BooleanArray = ids.iter().map(|id| Some(id.is_none_or(|id| !withdrawn.contains(id)))).collect();
                    writer.push(&filter_record_batch(&rows, &stays).map_err(|e| encode(&e))?)?;
                }
            }
            writer.push(&batch_rows(&self.batches)?)?;
            if let Some(version) = lake.commit_after(Table::Batch, ledger.version, writer.finish()?, mode).await? {
                ledger.version = Some(version);
                return Ok(second);
            }
            pause(tried).await;
            let added = ledger.read_again(lake, &self.batches).await?;
            self.batches.retain(|batch| !added.contains(&batch.batch_id));
            second.extend(added);
            if self.batches.is_empty() {
                return Ok(second);
            }
        }
        Err(LakeError::Contended { table: Table::Batch.name() }.into())
    }
}

fn text<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn counts(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(values.map(u64::cast_signed).collect::<Int64Array>())
}

fn rows(table: Table, columns: Vec<ArrayRef>) -> Result<RecordBatch, IngestError> {
    RecordBatch::try_new(table.schema(), columns)
        .map_err(|e| IngestError::Lake(LakeError::Encode { table: table.name(), action: "build rows", detail: e.to_string() }))
}

fn reject_rows(batch_id: &str, rejects: &[Reject]) -> Result<RecordBatch, IngestError> {
    let columns = vec![
        text(rejects.iter().map(|_| batch_id)),
        counts(rejects.iter().map(|r| r.source_row)),
        text(rejects.iter().map(|r| r.column.as_str())),
        text(rejects.iter().map(|r| r.value.as_str())),
        text(rejects.iter().map(|r| r.reason.as_str())),
    ];
    rows(Table::Reject, columns)
}

fn batch_rows(batches: &[Batch]) -> Result<RecordBatch, IngestError> {
    let recorded: TimestampMicrosecondArray = batches.iter().map(|b| Some(b.recorded_at.timestamp_micros())).collect();
    let made: TimestampMicrosecondArray = batches.iter().map(|b| b.run.as_ref().map(|run| run.at.timestamp_micros())).collect();
    let columns = vec![
        text(batches.iter().map(|b| b.batch_id.as_str())),
        text(batches.iter().map(|b| b.file.as_str())),
        text(batches.iter().map(|b| b.sha256.as_str())),
        counts(batches.iter().map(|b| b.bytes)),
        text(batches.iter().map(|b| b.system)),
        text(batches.iter().map(|b| b.entity)),
        counts(batches.iter().map(|b| b.rows_in)),
        counts(batches.iter().map(|b| b.rows_accepted)),
        counts(batches.iter().map(|b| b.rows_rejected)),
        Arc::new(recorded.with_timezone("UTC")),
        Arc::new(batches.iter().map(|b| b.mapping_sha256.as_deref()).collect::<StringArray>()),
        Arc::new(batches.iter().map(|b| b.run.as_ref().map(|run| run.name.as_str())).collect::<StringArray>()),
        Arc::new(made.with_timezone("UTC")),
        text(batches.iter().map(|b| b.attempt.as_str())),
    ];
    rows(Table::Batch, columns)
}
