//! Many small files into few large ones that hold the same rows.
//!
//! ```text
//! files of one table and partition ──> by class ──> by period ──> merges of at most 384 MiB in memory ──> one sorted file each
//! ```
//! | class | why apart |
//! | --- | --- |
//! | statements | decided by a query of their own |
//! | uncontested | true as they stand; beside contested rows they would be compared |
//! | contested, and partly so | compared row by row |
//!
//! Only files of complete batches are merged. A merge is as large as its rows are in memory, which adds up: merged again, the same files give
//! the same merges, so that a second run finds nothing to do. On disk that is some 30 MB of usage rows. Sorted anew: customers and services of
//! all files stand together, as in a file that one ingest wrote.
//!
//! Memory: the merges that are made at once hold [`MAX_BUFFERED_BYTES`] together, and as much again while they are sorted and encoded.

use super::contest;
use super::delivery::Deliveries;
use super::delta::{DataFile, Lake, LakeError};
use super::part;
use super::schema::Table;
use super::visible::Visible;
use super::write::{MAX_BUFFERED_BYTES, MAX_BUFFERED_ROWS, PartitionValues, TableWriter, Written};
use arrow::array::{RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Type as Physical;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Encoded bytes to those in memory where a file does not say how long its texts are.
const EXPANSION: i64 = 4;

/// Tables whose files are merged: all that grow by a file with each batch, run or decision.
#[must_use]
pub fn is_merged(table: Table) -> bool {
    // The other marts are replaced by each run, and read by the names of its files. Sums are made with the files that they are of.
    (table.area() == "core" && table != Table::UsageSum) || matches!(table, Table::Run | Table::Mute)
}

/// Tables whose rows count once their batch is complete.
#[must_use]
pub fn is_of_batches(table: Table) -> bool {
    table.is_ingested() || table == Table::Reject
}

/// Files that become one.
#[derive(Clone, Debug)]
pub struct Merge {
    /// The files, at least two.
    pub files: Vec<DataFile>,
    /// Bytes of their rows in memory.
    pub bytes: usize,
}

/// What can be merged of a table's `files`: such as hold complete batches only, each of the attempt that counts.
///
/// # Errors
/// [`LakeError`] if a file's footer cannot be read.
pub fn plan(lake: &Lake, table: Table, mut files: Vec<DataFile>, visible: &Visible) -> Result<Vec<Merge>, LakeError> {
    if is_of_batches(table) {
        files.retain(|file| visible.has_all(file));
    }
    let mut groups: BTreeMap<(PartitionValues, &'static str), Vec<DataFile>> = BTreeMap::new();
    for (class, files) in classes(table, files) {
        for file in files {
            groups.entry((file.partition.clone(), class)).or_default().push(file);
        }
    }
    groups.retain(|_, files| files.len() > 1);
    let mut merges = Vec::new();
    for mut files in groups.into_values() {
        files.sort_by(|a, b| (a.period_start, a.recorded_at, &a.path).cmp(&(b.period_start, b.recorded_at, &b.path)));
        let sizes: Vec<usize> = files.par_iter().map(|file| bytes_in_memory(lake, table, file)).collect::<Result<_, _>>()?;
        let mut open = Merge { files: Vec::new(), bytes: 0 };
        let mut rows = 0;
        for (file, bytes) in files.into_iter().zip(sizes) {
            if open.bytes + bytes > MAX_BUFFERED_BYTES || rows + file.rows > MAX_BUFFERED_ROWS {
                merges.push(std::mem::replace(&mut open, Merge { files: Vec::new(), bytes: 0 }));
                rows = 0;
            }
            rows += file.rows;
            open.bytes += bytes;
            open.files.push(file);
        }
        merges.push(open);
    }
    merges.retain(|merge| merge.files.len() > 1);
    Ok(merges)
}

fn classes(table: Table, files: Vec<DataFile>) -> Vec<(&'static str, Vec<DataFile>)> {
    if !table.is_ingested() {
        return vec![("all", files)];
    }
    let (stated, files) = files.into_iter().partition(|file| file.is_stated);
    // Parts of one delivery count as contested here, which merges them with each other and decides nothing.
    let split = contest::split(table, files, &Deliveries::new(), None);
    vec![("stated", stated), ("plain", split.plain), ("contested", split.contested), ("mixed", split.mixed)]
}

/// Makes merges, several at once where they are small: the new files, which no version names yet. `done` hears of each, with rows and bytes of its files.
///
/// # Errors
/// [`LakeError`] if a file cannot be read or written, or has other rows than the log says.
pub fn write(lake: &Lake, table: Table, merges: &[Merge], done: &(dyn Fn(u64, u64) + Sync)) -> Result<Written, LakeError> {
    let mut all = Written::default();
    let mut rest = merges;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = rest.iter().take_while(|merge| {
            bytes += merge.bytes;
            bytes <= MAX_BUFFERED_BYTES
        });
        let (wave, behind) = rest.split_at(fits.count().max(1));
        let written: Result<Vec<Written>, LakeError> = wave
            .par_iter()
            .map(|merge| {
                let written = one(lake, table, merge)?;
                done(merge.files.iter().map(|file| file.rows as u64).sum(), merge.files.iter().map(|file| file.size).sum());
                Ok(written)
            })
            .collect();
        for Written { files, sums } in written? {
            all.files.extend(files);
            all.sums.extend(sums);
        }
        rest = behind;
    }
    Ok(all)
}

fn one(lake: &Lake, table: Table, merge: &Merge) -> Result<Written, LakeError> {
    let writer = TableWriter::merging(lake, table, &format!("{:016x}", rand::random::<u64>()));
    let schema = writer.file_schema();
    let mut batches = Vec::new();
    for file in &merge.files {
        let found = read(lake, table, file, &schema)?;
        let rows: usize = found.iter().map(RecordBatch::num_rows).sum();
        if rows != file.rows {
            return Err(failed(table, file, &format!("it has {rows} rows, and the table says {}", file.rows)));
        }
        batches.extend(found);
    }
    let partition = merge.files.first().map(|file| file.partition.clone()).unwrap_or_default();
    let tags = HashMap::from([(part::TAG.to_owned(), Some(part::tag(table, &merge.files)))]);
    let mut written = writer.whole(&partition, batches)?;
    for add in written.files.iter_mut().filter(|_| is_of_batches(table)) {
        add.tags = Some(tags.clone());
    }
    Ok(written)
}

/// The rows of a file in the table's columns: what older versions did not know is empty.
fn read(lake: &Lake, table: Table, file: &DataFile, schema: &SchemaRef) -> Result<Vec<RecordBatch>, LakeError> {
    let parquet = lake.place().parquet(&table.file(&file.path), file.size, true)?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(parquet).map_err(|e| failed(table, file, &e))?;
    if let Some(unknown) = builder.schema().fields().iter().find(|field| schema.field_with_name(field.name()).is_err()) {
        let what = format!("its column `{}` is not known to this version of Shortfall", unknown.name());
        return Err(failed(table, file, &what));
    }
    let reader = builder.with_batch_size(file.rows.max(1)).build().map_err(|e| failed(table, file, &e))?;
    let conformed = |rows: RecordBatch| {
        let columns = schema.fields().iter().map(|field| match rows.column_by_name(field.name()) {
            Some(column) => cast(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), rows.num_rows())),
        });
        columns.collect::<Result<_, _>>().and_then(|columns| RecordBatch::try_new(Arc::clone(schema), columns))
    };
    reader.map(|rows| rows.and_then(conformed)).collect::<Result<_, _>>().map_err(|e| failed(table, file, &e))
}

fn failed(table: Table, file: &DataFile, detail: &dyn std::fmt::Display) -> LakeError {
    LakeError::Encode { table: table.name(), action: "merge data files", detail: format!("{}: {detail}", file.path) }
}

/// Bytes of a file's rows in Arrow, by what its footer says.
fn bytes_in_memory(lake: &Lake, table: Table, file: &DataFile) -> Result<usize, LakeError> {
    let parquet = lake.place().parquet(&table.file(&file.path), file.size, false)?;
    let footer: ParquetMetaData = ParquetMetaDataReader::new().parse_and_finish(&parquet).map_err(|e| failed(table, file, &e))?;
    let schema = table.schema();
    let mut bytes = 0;
    for column in footer.row_groups().iter().flat_map(|group| group.columns()) {
        let values = column.num_values();
        let width = match schema.field_with_name(column.column_descr().name()).map(|field| field.data_type().clone()) {
            // The offset of each, and the texts themselves.
            Ok(DataType::Utf8) => {
                let texts = (column.column_type() == Physical::BYTE_ARRAY).then(|| column.unencoded_byte_array_data_bytes());
                bytes += texts.flatten().unwrap_or_else(|| column.uncompressed_size() * EXPANSION);
                4
            }
            Ok(kind) => kind.primitive_width().and_then(|width| i64::try_from(width).ok()).unwrap_or(1),
            Err(_) => 0,
        };
        bytes += values * width;
    }
    Ok(usize::try_from(bytes).unwrap_or(0))
}
