//! One file through read, conform, staging query and writer, on several threads.

use super::calendar::Counter;
use super::conform::{SeenKeys, conform, raw_schema};
use super::discover::Discovered;
use super::fault::faults;
use super::query::StagingQuery;
use super::read::{Block, Layout, blocks, cells};
use super::reject::Reject;
use super::{Batch, IngestError, Options, Progress};
use crate::lake::write::TableWriter;
use crate::lake::{Lake, Table};
use crate::query::catalog::Catalog;
use crate::sources::Export;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Date32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{Date32Type, Int64Type, SchemaRef, TimestampMicrosecondType};
use chrono::Datelike;
use deltalake_core::kernel::Add;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// What came of a file.
#[derive(Debug, Default)]
pub(super) struct Staged {
    pub rows_in: u64,
    pub rows_accepted: u64,
    pub rejects: Vec<Reject>,
    /// The months that the accepted rows are of.
    pub months: Counter,
    /// Files written, by table.
    pub adds: Vec<(Table, Vec<Add>)>,
}

type Work = (Block, Option<Arc<Layout>>, u64);

pub(super) fn stage(
    lake: &Lake,
    found: &Discovered,
    batch: &Batch,
    is_always_known: bool,
    options: &Options,
    runtime: &Handle,
    progress: &dyn Progress,
) -> Result<Staged, IngestError> {
    let export = found.recognised.export;
    // A row is a repetition of an earlier one, so files with row identities are read in order.
    let threads = if export.unique.is_empty() { options.threads.max(1) } else { 1 };
    let (sender, receiver) = sync_channel::<Work>(2);
    let receiver = Mutex::new(receiver);
    let has_failed = AtomicBool::new(false);
    let mut total = Staged::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|number| {
                let (receiver, has_failed) = (&receiver, &has_failed);
                scope.spawn(move || {
                    let next = || receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let work = || {
                        let mut worker = Worker::new(lake, found, batch, is_always_known, options, runtime, number)?;
                        while let Ok((block, layout, bytes)) = next() {
                            let rows = worker.take(block, layout.as_deref())?;
                            progress.advance(rows, bytes);
                        }
                        worker.finish()
                    };
                    let staged = work();
                    if staged.is_err() {
                        // The reader must not wait for a worker that is gone: tell it to stop, and take what it still sends.
                        has_failed.store(true, Ordering::Relaxed);
                        while next().is_ok() {}
                    }
                    staged
                })
            })
            .collect();
        let mut left = batch.bytes;
        let read = blocks(found, &mut |block, layout| {
            // Compressed files and JSON are counted when they end: what a block took of the file is not known.
            let bytes = match &block {
                Block::Csv { bytes, .. } => left.min(bytes.len() as u64),
                Block::Json { .. } | Block::Sheet { .. } | Block::Parquet { .. } => 0,
            };
            left -= bytes;
            !has_failed.load(Ordering::Relaxed) && sender.send((block, layout.cloned(), bytes)).is_ok()
        });
        drop(sender);
        let mut failed = read.err();
        for worker in workers {
            match worker.join() {
                Ok(Ok(staged)) => {
                    total.rows_in += staged.rows_in;
                    total.rows_accepted += staged.rows_accepted;
                    total.rejects.extend(staged.rejects);
                    total.months.add(staged.months);
                    total.adds.extend(staged.adds);
                }
                Ok(Err(error)) => failed = Some(error),
                Err(_) => {
                    failed = Some(staging_error(
                        found,
                        &found.recognised.staging(),
                        &"a worker stopped unexpectedly; please report this",
                    ));
                }
            }
        }
        progress.advance(0, left);
        failed.map_or(Ok(()), Err)
    })?;
    total.rejects.sort_by_key(|reject| reject.source_row);
    total.adds.iter_mut().for_each(|(_, adds)| adds.sort_by(|a, b| a.path.cmp(&b.path)));
    total.adds.sort_by_key(|add| add.0);
    Ok(total)
}

fn staging_error(found: &Discovered, query: &str, detail: &dyn ToString) -> IngestError {
    IngestError::Staging { path: found.path.clone(), query: query.to_owned(), detail: detail.to_string() }
}

struct Worker<'a> {
    found: &'a Discovered,
    batch: &'a Batch,
    is_always_known: bool,
    runtime: &'a Handle,
    /// The target, then the tables beside it.
    outlets: Vec<Outlet>,
    seen: SeenKeys,
    done: Staged,
}

/// One table that a file fills.
struct Outlet {
    table: Table,
    name: String,
    sql: String,
    /// Planned when the first block is there: of a small file most workers see none.
    query: Option<StagingQuery>,
    writer: TableWriter,
}

impl Outlet {
    /// What the staging query makes of a block.
    async fn staged(&mut self, export: &Export, raw: RecordBatch) -> datafusion::common::Result<Vec<RecordBatch>> {
        let query = match &mut self.query {
            Some(query) => query,
            none => none.insert(StagingQuery::plan(&self.sql, raw_schema(export)).await?),
        };
        query.run(raw).await
    }
}

impl<'a> Worker<'a> {
    fn new(
        lake: &Lake,
        found: &'a Discovered,
        batch: &'a Batch,
        is_always_known: bool,
        options: &Options,
        runtime: &'a Handle,
        number: usize,
    ) -> Result<Self, IngestError> {
        let catalog =
            Catalog::load(options.queries.as_deref()).map_err(|e| staging_error(found, &found.recognised.staging(), &e))?;
        // Attempts have names of their own: a file that another run has committed is never written over, and never seen with these.
        let attempt = format!("{}-{number}", batch.attempt);
        let outlet = |(table, name): (Table, String)| {
            let own = catalog.text(&format!("staging/{name}.sql"));
            let mapping = super::mapped::behind(found.recognised);
            let sql = own.or_else(|| mapping?.staging(&name));
            let sql = sql.ok_or_else(|| staging_error(found, &name, &"the query is missing"))?.to_owned();
            Ok(Outlet { table, name, sql, query: None, writer: TableWriter::new(lake, table, &batch.batch_id, &attempt) })
        };
        let outlets = found.recognised.stagings().map(outlet).collect::<Result<_, IngestError>>()?;
        Ok(Self { found, batch, is_always_known, runtime, outlets, seen: SeenKeys::new(), done: Staged::default() })
    }

    fn finish(self) -> Result<Staged, IngestError> {
        let mut done = self.done;
        for outlet in self.outlets {
            let written = outlet.writer.finish()?;
            done.adds.push((outlet.table, written.files));
            if !written.sums.is_empty() {
                done.adds.push((Table::UsageSum, written.sums));
            }
        }
        Ok(done)
    }

    fn take(&mut self, block: Block, layout: Option<&Layout>) -> Result<u64, IngestError> {
        let export = self.found.recognised.export;
        let mut rejects = Vec::new();
        let text = cells(block, layout, export, &mut rejects);
        let main = self.found.recognised.staging();
        let raw = conform(&text, export, self.batch.recorded_at, &mut self.seen, &mut rejects)
            .map_err(|e| staging_error(self.found, &main, &e))?;
        drop(text);
        let accepted = raw.num_rows() as u64;
        let rows = accepted + rejects.len() as u64;
        self.done.rows_in += rows;
        self.done.rejects.append(&mut rejects);
        if accepted == 0 {
            return Ok(rows);
        }
        let mut refused = HashSet::new();
        for at in 0..self.outlets.len() {
            let outlet = &mut self.outlets[at];
            let staged = self.runtime.block_on(outlet.staged(export, raw.clone()));
            for part in staged.map_err(|e| staging_error(self.found, &self.outlets[at].name, &e))? {
                let table = self.outlets[at].table;
                let failed = |e| staging_error(self.found, &self.found.recognised.staging(), &e);
                let part = if at == 0 {
                    let (part, faults) = without_faults(part, table).map_err(failed)?;
                    refused.extend(faults.iter().map(|reject| reject.source_row));
                    self.done.rejects.extend(faults);
                    self.done.rows_accepted += part.num_rows() as u64;
                    part
                } else {
                    without_rows(part, &refused).map_err(failed)?
                };
                let canonical = self.canonical(&part, table).map_err(failed)?;
                if at == 0 {
                    self.done.months.take(&canonical);
                }
                self.outlets[at].writer.push(&canonical)?;
            }
        }
        Ok(rows)
    }

    /// The staged columns in the order and types of the target table, with provenance.
    fn canonical(&self, staged: &RecordBatch, table: Table) -> Result<RecordBatch, arrow::error::ArrowError> {
        let schema: SchemaRef = table.schema();
        let count = staged.num_rows();
        let columns: Vec<ArrayRef> = schema
            .fields()
            .iter()
            .map(|field| {
                let array: ArrayRef = match (field.name().as_str(), staged.column_by_name(field.name())) {
                    ("service_month", None) => service_month(staged),
                    (_, Some(array)) => Arc::clone(array),
                    ("system", None) => Arc::new(StringArray::from(vec![self.batch.system; count])),
                    ("batch_id", None) => Arc::new(StringArray::from(vec![self.batch.batch_id.as_str(); count])),
                    ("is_always_known", None) => Arc::new(BooleanArray::from(vec![self.is_always_known; count])),
                    ("recorded_at", None) => {
                        let micros = self.batch.recorded_at.timestamp_micros();
                        Arc::new(TimestampMicrosecondArray::from_value(micros, count).with_timezone("UTC"))
                    }
                    (_, None) => arrow::array::new_null_array(field.data_type(), count),
                };
                cast(&array, field.data_type())
            })
            .collect::<Result<_, _>>()?;
        RecordBatch::try_new(schema, columns)
    }
}

/// Rejects rows whose cells are each in order, but not together.
fn without_faults(staged: RecordBatch, table: Table) -> Result<(RecordBatch, Vec<Reject>), arrow::error::ArrowError> {
    let faults = faults(&staged, table);
    if faults.is_empty() {
        return Ok((staged, Vec::new()));
    }
    let rows = staged.column_by_name("source_row").and_then(|c| c.as_primitive_opt::<Int64Type>());
    let row_of = |row: usize| rows.map_or(0, |rows| rows.value(row).unsigned_abs());
    let rejects =
        faults.iter().map(|(&row, fault)| Reject::new(row_of(row), fault.column, &fault.value, &fault.reason)).collect();
    let kept: BooleanArray = (0..staged.num_rows()).map(|row| Some(!faults.contains_key(&row))).collect();
    Ok((filter_record_batch(&staged, &kept)?, rejects))
}

/// What a refused row says besides is not taken either.
fn without_rows(staged: RecordBatch, refused: &HashSet<u64>) -> Result<RecordBatch, arrow::error::ArrowError> {
    let rows = staged.column_by_name("source_row").and_then(|c| c.as_primitive_opt::<Int64Type>());
    match rows {
        Some(rows) if !refused.is_empty() => {
            let kept: BooleanArray = rows.values().iter().map(|row| Some(!refused.contains(&row.unsigned_abs()))).collect();
            filter_record_batch(&staged, &kept)
        }
        _ => Ok(staged),
    }
}

/// First of the month in which the service happened: of the period's start, else of the invoice's date.
fn service_month(staged: &RecordBatch) -> ArrayRef {
    let starts = staged.column_by_name("period_start").and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
    let dates = staged.column_by_name("invoice_date").and_then(|c| c.as_primitive_opt::<Date32Type>());
    let mut last: Option<(i64, i32)> = None;
    let months: Date32Array = (0..staged.num_rows())
        .map(|row| {
            let start = starts.filter(|s| s.is_valid(row)).map(|s| s.value(row).div_euclid(86_400_000_000));
            let day = start.or_else(|| dates.filter(|d| d.is_valid(row)).map(|d| i64::from(d.value(row))))?;
            if let Some((known, month)) = last
                && known == day
            {
                return Some(month);
            }
            let date = chrono::NaiveDate::default().checked_add_signed(chrono::Duration::days(day))?;
            let month = i32::try_from(day - i64::from(date.day0())).ok()?;
            last = Some((day, month));
            Some(month)
        })
        .collect();
    Arc::new(months)
}
