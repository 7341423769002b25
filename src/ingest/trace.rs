//! From a row of the lake back to the file: the original line, when and how it became known, and what it became.
//!
//! ```text
//! batch id, row ──> core/batch (file, hash) ──> archive: the line as it stood, or the record that it is part of
//!                └─> the batch's own data files: rows of core tables that came of it ── core/reject: or why none did
//! ```
//! Only files that carry the batch's id are read, whatever the size of the lake.

use super::discover::decompressed;
use super::original::original_rows;
use super::read;
use crate::lake::delta::DataFile;
use crate::lake::scan::FileTable;
use crate::lake::schema::TABLES;
use crate::lake::truth::TruthError;
use crate::lake::visible::Visible;
use crate::lake::{Lake, LakeError, Table, archive};
use crate::sources::{Shape, find};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, Utc};
use datafusion::common::DataFusionError;
use datafusion::prelude::{SessionContext, col, in_list, lit};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufReader, Read};
use std::sync::Arc;

/// Why nothing can be shown.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// No batch fits.
    #[error("no ingested file has the id or the name `{wanted}`")]
    Unknown {
        /// Asked for.
        wanted: String,
    },
    /// Several batches fit.
    #[error("`{wanted}` may be {}", candidates.join(", "))]
    Ambiguous {
        /// Asked for.
        wanted: String,
        /// Ids and files.
        candidates: Vec<String>,
    },
    /// The file has no such row.
    #[error("`{file}` has no row {row}: its rows are those of a spreadsheet, its header is row 1")]
    NoRow {
        /// The file.
        file: String,
        /// The row.
        row: u64,
    },
    /// The lake.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The view of the lake.
    #[error(transparent)]
    Truth(#[from] TruthError),
}

impl From<DataFusionError> for TraceError {
    fn from(error: DataFusionError) -> Self {
        Self::Truth(TruthError::Engine(error))
    }
}

impl From<arrow::error::ArrowError> for TraceError {
    fn from(error: arrow::error::ArrowError) -> Self {
        DataFusionError::from(error).into()
    }
}

/// A file and some of its rows.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Names the batch.
    pub batch_id: String,
    /// The file as it was ingested.
    pub file: String,
    /// Hash of its content.
    pub sha256: String,
    /// Its system.
    pub system: String,
    /// Its export.
    pub entity: String,
    /// When the file became known.
    pub recorded_at: DateTime<Utc>,
    /// Whether the file's name or a flag said so; else its modification time did.
    pub is_date_stated: bool,
    /// The rows asked for.
    pub rows: Vec<TracedRow>,
}

/// One row of a file.
#[derive(Clone, Debug)]
pub struct TracedRow {
    /// Its number.
    pub row: u64,
    /// The line as it stands in the file; for a line of a record, that line.
    pub line: String,
    /// The whole record, where asked for and where it is more than the line.
    pub record: Option<String>,
    /// Rows of core tables that came of it: the table, and the columns that have a value.
    pub became: Vec<(Table, Vec<(String, String)>)>,
    /// Column, value and reason, if it was rejected.
    pub reject: Option<[String; 3]>,
}

/// Shows rows of a file. `wanted` is the beginning of a batch id, or the end of the file's path.
///
/// # Errors
/// [`TraceError`] if there is no such file or row, or the lake cannot be read.
pub async fn trace(lake: &Lake, wanted: &str, rows: &[u64], with_record: bool) -> Result<Trace, TraceError> {
    let mut found = batch(lake, wanted).await?;
    let lines: BTreeMap<u64, String> =
        original_rows(lake, &found.sha256, &found.system, &found.entity, rows)?.into_iter().collect();
    let mut records = if with_record { records(lake, &found, rows)? } else { BTreeMap::new() };
    let mut became = became(lake, &found.batch_id, rows).await?;
    let mut rejects = rejects(lake, &found.batch_id, rows).await?;
    for &row in rows {
        let reject = rejects.remove(&row);
        let line = match (lines.get(&row), &reject) {
            (Some(line), _) => line.clone(),
            // What a row lacks may be the very reason: a page that leaves out lines, a quote that is never closed.
            (None, Some([_, value, _])) => value.clone(),
            (None, None) => return Err(TraceError::NoRow { file: found.file, row }),
        };
        let record = records.remove(&row).filter(|record| *record != line);
        found.rows.push(TracedRow { row, line, record, became: became.remove(&row).unwrap_or_default(), reject });
    }
    Ok(found)
}

/// The one batch that is meant.
async fn batch(lake: &Lake, wanted: &str) -> Result<Trace, TraceError> {
    let ctx = SessionContext::new();
    let files = lake.files(Table::Batch, None).await?;
    let frame = ctx.read_table(Arc::new(FileTable::new(lake, Table::Batch, files)))?;
    let columns = ["batch_id", "file", "sha256", "system", "entity", "recorded_at"];
    let mut all = Vec::new();
    for batch in frame.select_columns(&columns)?.collect().await? {
        let text = |at: usize| -> Result<ArrayRef, TraceError> { Ok(cast(batch.column(at), &DataType::Utf8)?) };
        let texts = (0..5).map(text).collect::<Result<Vec<_>, _>>()?;
        let instants = batch.column(5).as_primitive::<TimestampMicrosecondType>();
        for row in 0..batch.num_rows() {
            let cell = |at: usize| texts[at].as_string::<i32>().value(row).to_owned();
            // A batch without a stated date is named by its content alone.
            let is_date_stated = !cell(2).starts_with(&cell(0));
            all.push(Trace {
                batch_id: cell(0),
                file: cell(1),
                sha256: cell(2),
                system: cell(3),
                entity: cell(4),
                recorded_at: DateTime::from_timestamp_micros(instants.value(row)).unwrap_or_default(),
                is_date_stated,
                rows: Vec::new(),
            });
        }
    }
    let by_id: Vec<&Trace> = all.iter().filter(|batch| !wanted.is_empty() && batch.batch_id.starts_with(wanted)).collect();
    let fits = if by_id.is_empty() { all.iter().filter(|batch| is_end_of(wanted, &batch.file)).collect() } else { by_id };
    match fits.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(TraceError::Unknown { wanted: wanted.to_owned() }),
        several => {
            let mut candidates: Vec<String> =
                several.iter().map(|batch| format!("{} ({})", batch.batch_id, batch.file)).collect();
            candidates.sort();
            candidates.truncate(5);
            Err(TraceError::Ambiguous { wanted: wanted.to_owned(), candidates })
        }
    }
}

/// Whether a path ends so, at a folder's border.
fn is_end_of(end: &str, path: &str) -> bool {
    let end = end.trim_start_matches("./");
    let rest = path.strip_suffix(end).filter(|_| !end.is_empty());
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with(['/', '\\', '!']) || end.starts_with('/'))
}

/// Rows with these numbers in the files of a batch.
async fn rows_of(lake: &Lake, table: Table, batch_id: &str, rows: &[u64]) -> Result<Vec<RecordBatch>, TraceError> {
    let mut files: Vec<DataFile> = lake.files(table, None).await?;
    files.retain(|file| file.parts.iter().any(|part| part.batch_id == batch_id));
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let visible = Visible::now(lake).await?;
    visible.keep(&mut files);
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let ctx = SessionContext::new();
    let wanted = rows.iter().map(|row| lit(row.cast_signed())).collect();
    let frame = ctx.read_table(Arc::new(FileTable::new(lake, table, files)))?;
    let is_wanted = col("batch_id").eq(lit(batch_id)).and(in_list(col("source_row"), wanted, false));
    Ok(frame.filter(is_wanted)?.collect().await?)
}

type Became = BTreeMap<u64, Vec<(Table, Vec<(String, String)>)>>;

async fn became(lake: &Lake, batch_id: &str, rows: &[u64]) -> Result<Became, TraceError> {
    let mut found = Became::new();
    for &table in TABLES.iter().filter(|table| table.is_ingested()) {
        for batch in rows_of(lake, table, batch_id, rows).await? {
            let numbers = batch.column_by_name("source_row").map(|column| column.as_primitive::<Int64Type>());
            for row in 0..batch.num_rows() {
                let mut cells = Vec::new();
                for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                    if column.is_valid(row) && !["batch_id", "source_row"].contains(&field.name().as_str()) {
                        cells.push((field.name().clone(), text_of(column.as_ref(), row)?));
                    }
                }
                let number = numbers.map_or(0, |numbers| numbers.value(row).unsigned_abs());
                found.entry(number).or_default().push((table, cells));
            }
        }
    }
    Ok(found)
}

/// A cell as text; decimals without padding zeros.
fn text_of(column: &dyn Array, row: usize) -> Result<String, TraceError> {
    if let Some(amounts) = column.as_primitive_opt::<Decimal128Type>() {
        let text = amounts.value_as_string(row);
        return Ok(if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text });
    }
    Ok(ArrayFormatter::try_new(column, &FormatOptions::default())?.value(row).to_string())
}

async fn rejects(lake: &Lake, batch_id: &str, rows: &[u64]) -> Result<BTreeMap<u64, [String; 3]>, TraceError> {
    let mut found = BTreeMap::new();
    for batch in rows_of(lake, Table::Reject, batch_id, rows).await? {
        let column = |name: &str| -> Result<ArrayRef, TraceError> {
            let column = batch.column_by_name(name).cloned();
            Ok(cast(&column.unwrap_or_else(|| arrow::array::new_null_array(&DataType::Utf8, batch.num_rows())), &DataType::Utf8)?)
        };
        let texts = [column("column_name")?, column("value")?, column("reason")?];
        let numbers = batch.column_by_name("source_row").map(|column| column.as_primitive::<Int64Type>());
        for row in 0..batch.num_rows() {
            let cells = texts.each_ref().map(|column| column.as_string::<i32>().value(row).to_owned());
            found.insert(numbers.map_or(0, |numbers| numbers.value(row).unsigned_abs()), cells);
        }
    }
    Ok(found)
}

/// The records of a JSON file that rows are lines of.
fn records(lake: &Lake, batch: &Trace, rows: &[u64]) -> Result<BTreeMap<u64, String>, LakeError> {
    let shape = find(&batch.system, &batch.entity).map(|found| found.export.shape);
    let Some(shape @ Shape::Json { .. }) = shape else { return Ok(BTreeMap::new()) };
    let failed = |e| LakeError::io("read the archived", lake.root(), e);
    let mut text = Vec::new();
    let stored =
        decompressed(BufReader::new(archive::open(lake, &batch.sha256)?)).and_then(|mut file| file.read_to_end(&mut text));
    stored.map_err(failed)?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let values: Vec<Value> = serde_json::Deserializer::from_slice(text).into_iter().map_while(Result::ok).collect();
    let mut found = BTreeMap::new();
    let mut number = 0;
    for record in read::records(&values, &shape) {
        // A record without lines is a row itself; the reject that says that lines are missing has a number of its own.
        let lines = read::lines_of(record, &shape).len().max(1) as u64 + u64::from(read::lacks_lines(record, &shape));
        for row in rows.iter().filter(|&&row| number < row && row <= number + lines) {
            found.insert(*row, record.to_string());
        }
        number += lines;
    }
    Ok(found)
}
