//! From written files to committed ones: a group of files becomes visible at once, or not at all.
//!
//! ```text
//! data files ─> commits of the core tables ─> core/batch on the version that was read ─┬─> visible, all of it
//!                                                     ^                                └─> another process came first:
//!                                                     └── without the batches that it has brought in, ── read again ─┘
//! ```
//! What a stop leaves before the last commit is invisible: it is of an attempt that `core/batch` does not name, as is what a process
//! wrote that came second ([`crate::lake::visible`]). In a folder one process writes at a time, and nobody comes first.

use super::ledger::{Ledger, batch_table, encode};
use super::reject::Reject;
use super::{Batch, IngestError};
use crate::lake::commit::{TRIES, pause};
use crate::lake::delta::Mode;
use crate::lake::write::TableWriter;
use crate::lake::{Lake, LakeError, Table};
use arrow::array::{ArrayRef, AsArray as _, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::filter_record_batch;
use deltalake_core::kernel::Add;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Files written but not committed.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) batches: Vec<Batch>,
    pub(super) rows: u64,
    adds: BTreeMap<Table, Vec<Add>>,
    /// When the oldest file was written, in milliseconds.
    oldest: Option<i64>,
    /// By place in `batches`.
    rejects: Vec<(usize, Vec<Reject>)>,
}

impl Pending {
    pub(super) fn take(&mut self, batch: Batch, adds: Vec<(Table, Vec<Add>)>, rejects: Vec<Reject>) {
        self.rows += batch.rows_in;
        for (table, adds) in adds {
            self.oldest = self.oldest.into_iter().chain(adds.iter().map(|add| add.modification_time)).min();
            self.adds.entry(table).or_default().extend(adds);
        }
        if !rejects.is_empty() {
            self.rejects.push((self.batches.len(), rejects));
        }
        self.batches.push(batch);
    }

    /// Commits: core tables first, `core/batch` last. Returns the batches that another process has brought in first, and that this one has
    /// therefore not.
    pub(super) async fn commit(mut self, lake: &Lake, ledger: &mut Ledger<'_>) -> Result<HashSet<String>, IngestError> {
        let mut second = HashSet::new();
        if self.batches.is_empty() {
            return Ok(second);
        }
        for (at, rejects) in &self.rejects {
            let batch = &self.batches[*at];
            let mut writer = TableWriter::new(lake, Table::Reject, &batch.batch_id, &batch.attempt);
            writer.push(&reject_rows(&batch.batch_id, rejects)?)?;
            self.adds.entry(Table::Reject).or_default().append(&mut writer.finish()?.files);
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
                for rows in batch_table(lake, ledger.version()).await? {
                    let ids = rows.column(0).as_string::<i32>();
                    let stays: BooleanArray = ids.iter().map(|id| Some(id.is_none_or(|id| !withdrawn.contains(id)))).collect();
                    writer.push(&filter_record_batch(&rows, &stays).map_err(|e| encode(&e))?)?;
                }
            }
            writer.push(&batch_rows(&self.batches)?)?;
            // They must still be there when they count.
            lake.refuse_stale(Table::Batch, self.oldest.unwrap_or(i64::MAX))?;
            if let Some(version) = lake.commit_after(Table::Batch, ledger.version(), writer.finish()?.files, mode).await? {
                ledger.committed(version);
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
        Arc::new(batches.iter().map(|b| b.months.as_ref().map(ToString::to_string)).collect::<StringArray>()),
        text(batches.iter().map(|b| b.attempt.as_str())),
    ];
    rows(Table::Batch, columns)
}
