//! Rows to sorted Parquet files: buffers by partition, flushed when large, named after the batch they come from.
//!
//! ```text
//! batches ──> one buffer per partition ──> sort by customer, service, period ──> Parquet (zstd, dictionary) ──> Add action
//! ```
//! Memory is bounded by [`MAX_BUFFERED_BYTES`] per writer, whatever the size of the input: when all buffers together pass it, the
//! largest is written. Files are written before anything is committed; an interrupted run leaves files that no table names. Beside each file of
//! usage lies one of its sums ([`super::usage_sum`]).

use super::delta::{Lake, LakeError};
use super::order::sorted_rows;
use super::schema::Table;
use super::usage_sum;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::{concat, interleave_record_batch, max, min, partition, take_record_batch};
use arrow::datatypes::{DataType, Date32Type, Schema, SchemaRef};
use chrono::{DateTime, NaiveDate};
use deltalake_core::kernel::Add;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Buffered bytes of one writer before its largest buffer is flushed.
pub(super) const MAX_BUFFERED_BYTES: usize = 384 << 20;
/// Rows of one partition before its buffer is flushed: about 128 MiB on disk for usage rows.
pub(super) const MAX_BUFFERED_ROWS: usize = 4 << 20;
/// Rows of a row group: the unit of pruning and of parallel reading.
const ROW_GROUP_ROWS: usize = 256 << 10;

/// Rows that are put in order at a time: a copy of them is all that sorting adds to what is buffered.
const ORDERED_ROWS: usize = 32 << 10;

pub(super) type PartitionValues = BTreeMap<String, Option<String>>;

/// Writes the rows of one table that come from one batch.
#[derive(Debug)]
pub struct TableWriter {
    lake: Lake,
    table: Table,
    file_schema: SchemaRef,
    prefix: String,
    next_file: usize,
    buffers: HashMap<PartitionValues, Buffer>,
    buffered_bytes: usize,
    written: Written,
}

/// Files that were written, as actions for [`Lake::commit`].
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// Of the table itself.
    pub files: Vec<Add>,
    /// Of [`Table::UsageSum`], if the table is usage.
    pub sums: Vec<Add>,
}

#[derive(Debug, Default)]
struct Buffer {
    batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

impl TableWriter {
    /// A writer for `table`; `attempt` tells writers and repeated runs apart.
    #[must_use]
    pub fn new(lake: &Lake, table: Table, batch_id: &str, attempt: &str) -> Self {
        let schema = table.schema();
        let partition = table.partition_columns();
        let file_fields: Vec<_> = schema.fields().iter().filter(|f| !partition.contains(&f.name().as_str())).cloned().collect();
        Self {
            lake: lake.clone(),
            table,
            file_schema: Arc::new(Schema::new(file_fields)),
            prefix: format!("part-{batch_id}-{attempt}"),
            next_file: 0,
            buffers: HashMap::new(),
            buffered_bytes: 0,
            written: Written::default(),
        }
    }

    /// Takes rows in the table's full schema.
    ///
    /// # Errors
    /// [`LakeError`] if a full buffer cannot be written.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        for (partition, part) in self.split(batch)? {
            let bytes = part.get_array_memory_size();
            self.buffered_bytes += bytes;
            let buffer = self.buffers.entry(partition.clone()).or_default();
            buffer.rows += part.num_rows();
            buffer.bytes += bytes;
            buffer.batches.push(part);
            if buffer.rows >= MAX_BUFFERED_ROWS {
                self.flush(&partition)?;
            }
        }
        while self.buffered_bytes > MAX_BUFFERED_BYTES {
            let Some(largest) =
                self.buffers.iter().max_by(|a, b| a.1.bytes.cmp(&b.1.bytes).then(b.0.cmp(a.0))).map(|(p, _)| p.clone())
            else {
                break;
            };
            self.flush(&largest)?;
        }
        Ok(())
    }

    /// A writer of merged files: rows of many batches, whose names only tell attempts apart.
    pub(super) fn merging(lake: &Lake, table: Table, attempt: &str) -> Self {
        Self { prefix: format!("merged-{attempt}"), ..Self::new(lake, table, "", attempt) }
    }

    /// Writes these rows, which lack the partition's columns, as one file (and its sums).
    ///
    /// # Errors
    /// [`LakeError`] if the file cannot be written.
    pub(super) fn whole(mut self, partition: &PartitionValues, batches: Vec<RecordBatch>) -> Result<Written, LakeError> {
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        self.buffers.insert(partition.clone(), Buffer { batches, rows, bytes: 0 });
        self.flush(partition)?;
        Ok(self.written)
    }

    /// Columns of its files: those of the table without the partition's.
    pub(super) fn file_schema(&self) -> SchemaRef {
        Arc::clone(&self.file_schema)
    }

    /// Writes what is left and returns the files.
    ///
    /// # Errors
    /// [`LakeError`] if a file cannot be written.
    pub fn finish(mut self) -> Result<Written, LakeError> {
        let mut partitions: Vec<_> = self.buffers.keys().cloned().collect();
        partitions.sort();
        for partition in partitions {
            self.flush(&partition)?;
        }
        Ok(self.written)
    }

    fn encode_error(&self, action: &'static str, detail: &impl ToString) -> LakeError {
        LakeError::Encode { table: self.table.name(), action, detail: detail.to_string() }
    }

    /// Rows by partition values, without the partition columns.
    fn split(&self, batch: &RecordBatch) -> Result<Vec<(PartitionValues, RecordBatch)>, LakeError> {
        let columns = self.table.partition_columns();
        let schema = batch.schema();
        let kept: Vec<usize> =
            (0..batch.num_columns()).filter(|&i| !columns.contains(&schema.field(i).name().as_str())).collect();
        let data = batch.project(&kept).map_err(|e| self.encode_error("split by partition", &e))?;
        if columns.is_empty() {
            return Ok(vec![(PartitionValues::new(), data)]);
        }
        let arrays: Vec<ArrayRef> = columns
            .iter()
            .map(|name| batch.column_by_name(name).cloned().ok_or_else(|| self.encode_error("find the partition column", name)))
            .collect::<Result<_, _>>()?;
        // Neighbours mostly agree: equal runs are found column by column, and only their first rows are looked at one by one.
        let runs = partition(&arrays).map_err(|e| self.encode_error("split by partition", &e))?;
        let mut rows_of: BTreeMap<Vec<Option<PartitionValue<'_>>>, Vec<u32>> = BTreeMap::new();
        for run in runs.ranges() {
            let key = arrays.iter().map(|array| partition_value(array, run.start)).collect();
            let rows = run.map(|row| u32::try_from(row).unwrap_or(u32::MAX));
            rows_of.entry(key).or_default().extend(rows);
        }
        let single = rows_of.len() == 1;
        rows_of
            .into_iter()
            .map(|(key, rows)| {
                let values =
                    columns.iter().map(|c| (*c).to_owned()).zip(key.into_iter().map(|v| v.map(|v| v.to_string()))).collect();
                let part = if single {
                    data.clone()
                } else {
                    take_record_batch(&data, &UInt32Array::from(rows)).map_err(|e| self.encode_error("split by partition", &e))?
                };
                Ok((values, part))
            })
            .collect()
    }

    fn flush(&mut self, partition: &PartitionValues) -> Result<(), LakeError> {
        let Some(buffer) = self.buffers.remove(partition) else { return Ok(()) };
        self.buffered_bytes -= buffer.bytes;
        let order = self.order(&buffer.batches)?;
        let path = self.next_path(partition);
        let sums = match self.table {
            usage_sum::OF => {
                usage_sum::sums(&buffer.batches, order.as_deref()).map_err(|e| self.encode_error("sum usage", &e))?
            }
            _ => None,
        };
        let bytes = encoded(self.table, &self.file_schema, &buffer.batches, order)
            .map_err(|e| self.encode_error("encode Parquet", &e))?;
        self.written.files.push(self.place(self.table, partition, &path, stats(&buffer), bytes)?);
        if let Some(sums) = sums {
            let stats = serde_json::json!({ "numRecords": sums.num_rows() });
            let bytes = encoded(Table::UsageSum, &usage_sum::file_schema(), &[sums], None)
                .map_err(|e| self.encode_error("encode Parquet", &e))?;
            self.written.sums.push(self.place(Table::UsageSum, partition, &path, stats, bytes)?);
        }
        Ok(())
    }

    /// The rows of all batches in sorted order, as batch and row; nothing if they are sorted as they stand.
    fn order(&self, batches: &[RecordBatch]) -> Result<Option<Vec<(usize, usize)>>, LakeError> {
        let column = |name: &&str| {
            let parts: Vec<&dyn Array> = batches.iter().filter_map(|b| b.column_by_name(name)).map(|c| c.as_ref() as _).collect();
            (!parts.is_empty()).then(|| concat(&parts))
        };
        let columns: Vec<ArrayRef> = self
            .table
            .sort_columns()
            .iter()
            .filter_map(column)
            .collect::<Result<_, _>>()
            .map_err(|e| self.encode_error("sort rows", &e))?;
        let Some(order) = sorted_rows(&columns) else { return Ok(None) };
        let places: Vec<(usize, usize)> =
            batches.iter().enumerate().flat_map(|(batch, rows)| (0..rows.num_rows()).map(move |row| (batch, row))).collect();
        Ok(Some(order.into_iter().map(|row| places[row as usize]).collect()))
    }

    /// Where the next file of a partition goes, below its table.
    fn next_path(&mut self, partition: &PartitionValues) -> String {
        let mut path = String::new();
        for column in self.table.partition_columns() {
            let value = partition.get(*column).cloned().flatten();
            let value = value.as_deref().unwrap_or("__HIVE_DEFAULT_PARTITION__");
            path.push_str(&format!("{column}={value}/"));
        }
        path.push_str(&format!("{}-{:05}.parquet", self.prefix, self.next_file));
        self.next_file += 1;
        path
    }

    /// Writes the bytes to their place and describes them.
    fn place(
        &self,
        table: Table,
        partition: &PartitionValues,
        path: &str,
        stats: serde_json::Value,
        bytes: Vec<u8>,
    ) -> Result<Add, LakeError> {
        let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        self.lake.place().write_data(&table.file(path), bytes)?;
        Ok(Add {
            path: path.to_owned(),
            partition_values: partition.clone().into_iter().collect(),
            size,
            modification_time: written_now(),
            data_change: true,
            stats: Some(stats.to_string()),
            ..Add::default()
        })
    }
}

/// The rows as a Parquet file, in this order or as they stand.
fn encoded(
    table: Table,
    schema: &SchemaRef,
    batches: &[RecordBatch],
    order: Option<Vec<(usize, usize)>>,
) -> Result<Vec<u8>, ParquetError> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, Arc::clone(schema), Some(properties(table)))?;
    match order {
        None => batches.iter().try_for_each(|rows| writer.write(rows))?,
        Some(order) => {
            let batches: Vec<&RecordBatch> = batches.iter().collect();
            for rows in order.chunks(ORDERED_ROWS) {
                writer.write(&interleave_record_batch(&batches, rows)?)?;
            }
        }
    }
    writer.close()?;
    Ok(bytes)
}

/// How files are encoded. A row's number in its file is never repeated: a dictionary of numbers would only cost.
fn properties(table: Table) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by(concat!("shortfall ", env!("CARGO_PKG_VERSION")).to_owned());
    if table.schema().column_with_name("source_row").is_some() {
        properties = properties
            .set_column_dictionary_enabled("source_row".into(), false)
            .set_column_encoding("source_row".into(), Encoding::DELTA_BINARY_PACKED);
    }
    properties.build()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PartitionValue<'a> {
    Text(&'a str),
    Date(i32),
}

impl std::fmt::Display for PartitionValue<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Date(days) => {
                let date = NaiveDate::default().checked_add_signed(chrono::Duration::days(i64::from(*days)));
                write!(f, "{}", date.unwrap_or_default())
            }
        }
    }
}

fn partition_value(array: &ArrayRef, row: usize) -> Option<PartitionValue<'_>> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Date32 => Some(PartitionValue::Date(array.as_primitive::<Date32Type>().value(row))),
        DataType::Utf8 => Some(PartitionValue::Text(array.as_string::<i32>().value(row))),
        _ => None,
    }
}

/// When a file is written, in milliseconds: how long it may wait for its commit depends on it, and no row does.
#[expect(
    clippy::disallowed_methods,
    reason = "how old a file is when it is committed is told by the clock; no result depends on it"
)]
pub(crate) fn written_now() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// Delta's per-file statistics, for the columns that planning prunes by.
fn stats(rows: &Buffer) -> serde_json::Value {
    let mut low = serde_json::Map::new();
    let mut high = serde_json::Map::new();
    let fields = rows.batches.first().map(RecordBatch::schema);
    for field in fields.iter().flat_map(|schema| schema.fields()) {
        let columns: Option<Vec<&TimestampMicrosecondArray>> = rows
            .batches
            .iter()
            .map(|batch| batch.column_by_name(field.name())?.as_primitive_opt().filter(|column| column.null_count() == 0))
            .collect();
        let Some(columns) = columns else { continue };
        let ends = (columns.iter().filter_map(|c| min(c)).min(), columns.iter().filter_map(|c| max(c)).max());
        if let (Some(first), Some(last)) = ends {
            let text = |micros| DateTime::from_timestamp_micros(micros).map(|t| t.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
            low.insert(field.name().clone(), text(first).into());
            high.insert(field.name().clone(), text(last).into());
        }
    }
    // How many rows belong to no statement, and to no invoice of the vendor: truth tells files apart by it.
    let mut nulls = serde_json::Map::new();
    for column in ["statement", "vendor_invoice"] {
        let count: Option<usize> = rows.batches.iter().map(|b| b.column_by_name(column).map(|c| c.null_count())).sum();
        nulls.extend(count.map(|count| (column.to_owned(), count.into())));
    }
    serde_json::json!({ "numRecords": rows.rows, "minValues": low, "maxValues": high, "nullCount": nulls })
}
