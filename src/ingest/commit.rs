//! From written files to committed ones: a group of files becomes visible at once, or not at all.

use super::ledger::{batch_table, encode};
use super::reject::Reject;
use super::{Batch, IngestError};
use crate::lake::delta::Mode;
use crate::lake::write::TableWriter;
use crate::lake::{Lake, LakeError, Table};
use arrow::array::{ArrayRef, AsArray as _, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::filter_record_batch;
use deltalake_core::kernel::Add;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Batches whose rows were committed to some table by a run that was stopped before it committed `core/batch`.
pub(super) async fn unfinished_batches(lake: &Lake, known: &HashSet<String>) -> Result<HashSet<(Table, String)>, IngestError> {
    let mut unfinished = HashSet::new();
    for &table in crate::lake::schema::TABLES {
        if table.area() == "core" && table != Table::Batch {
            for file in lake.files(table, None).await? {
                let unknown = file.parts.into_iter().filter(|part| !known.contains(&part.batch_id));
                unfinished.extend(unknown.map(|part| (table, part.batch_id)));
            }
        }
    }
    Ok(unfinished)
}

/// Files written but not committed.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) batches: Vec<Batch>,
    pub(super) rows: u64,
    adds: BTreeMap<Table, Vec<(String, Add)>>,
    rejects: Vec<(String, Vec<Reject>)>,
    /// Batches that no longer count.
    pub(super) withdrawn: HashSet<String>,
}

impl Pending {
    pub(super) fn take(&mut self, batch: Batch, adds: Vec<(Table, Vec<Add>)>, rejects: Vec<Reject>) {
        self.rows += batch.rows_in;
        for (table, adds) in adds {
            self.adds.entry(table).or_default().extend(adds.into_iter().map(|add| (batch.batch_id.clone(), add)));
        }
        if !rejects.is_empty() {
            self.rejects.push((batch.batch_id.clone(), rejects));
        }
        self.batches.push(batch);
    }

    /// Core tables first, `core/batch` last: what a stop leaves in between is invisible, and taken up by the next run.
    pub(super) async fn commit(self, lake: &Lake, unfinished: &HashSet<(Table, String)>) -> Result<(), IngestError> {
        if self.batches.is_empty() {
            return Ok(());
        }
        for (table, adds) in self.adds {
            let fresh: Vec<Add> =
                adds.into_iter().filter(|(batch, _)| !unfinished.contains(&(table, batch.clone()))).map(|(_, add)| add).collect();
            if !fresh.is_empty() {
                lake.commit(table, fresh, Mode::Append).await?;
            }
        }
        let attempt = format!("{:08x}", rand::random::<u32>());
        let mut adds = Vec::new();
        for (batch_id, rejects) in &self.rejects {
            if !unfinished.contains(&(Table::Reject, batch_id.clone())) {
                let mut writer = TableWriter::new(lake, Table::Reject, batch_id, &attempt);
                writer.push(&reject_rows(batch_id, rejects)?)?;
                adds.append(&mut writer.finish()?.files);
            }
        }
        if !adds.is_empty() {
            lake.commit(Table::Reject, adds, Mode::Append).await?;
        }
        let mut writer = TableWriter::new(lake, Table::Batch, &self.batches[0].batch_id, &attempt);
        let mut mode = Mode::Append;
        if !self.withdrawn.is_empty() {
            mode = Mode::Overwrite;
            for rows in batch_table(lake).await? {
                let ids = rows.column(0).as_string::<i32>();
                let stays: BooleanArray = ids.iter().map(|id| Some(id.is_none_or(|id| !self.withdrawn.contains(id)))).collect();
                writer.push(&filter_record_batch(&rows, &stays).map_err(|e| encode(&e))?)?;
            }
        }
        writer.push(&batch_rows(&self.batches)?)?;
        lake.commit(Table::Batch, writer.finish()?.files, mode).await?;
        Ok(())
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
    ];
    rows(Table::Batch, columns)
}
