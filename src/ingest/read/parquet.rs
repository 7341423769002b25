//! Parquet: typed columns to the texts that the same export has as CSV, one run of rows after the other.
//!
//! Decimals and whole numbers are written exactly, floats as the shortest decimal that reads back as the same float
//! ([`crate::money::float_text`]), instants and dates in ISO 8601, in UTC where the column says so. Maps, lists and structures are JSON. A column table
//! names an item of a map or structure as `product/region`, `product['region']` or `product.region`. The first row is row 1.

use super::{Block, Cells, JSON_BLOCK_ROWS, TextRows};
use crate::ingest::IngestError;
use crate::money::float_text;
use crate::sources::{Column, Export};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float16Type, Float32Type, Float64Type, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::panic::AssertUnwindSafe;
use std::path::Path;

fn damaged(path: &Path, detail: &dyn ToString) -> IngestError {
    let detail = detail.to_string();
    // Messages of the format begin with the kind of error, which says nothing to a person.
    let detail = detail.trim_start_matches("Parquet error: ").trim_start_matches("Parquet argument error: ").to_owned();
    IngestError::Parquet { path: path.to_owned(), detail }
}

/// The reader does not promise to refuse every damaged file; it may stop instead.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, IngestError>) -> Result<T, IngestError> {
    crate::ingest::guard::quietly(AssertUnwindSafe(work))
        .unwrap_or_else(|| Err(damaged(path, &"the file is damaged; export or copy it again")))
}

fn builder(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, IngestError> {
    let file = File::open(path).map_err(|e| IngestError::unreadable(path, &e))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| damaged(path, &e))
}

/// Names of the columns of a file.
///
/// # Errors
/// [`IngestError::Parquet`] if it is damaged.
pub fn header(path: &Path) -> Result<Vec<String>, IngestError> {
    guarded(path, || Ok(builder(path)?.schema().fields().iter().map(|field| field.name().clone()).collect()))
}

/// Where a declared column stands: a column of the file, and the item within it.
#[derive(Clone, Debug)]
pub struct Place {
    root: usize,
    item: Option<&'static str>,
}

/// Where a column stands among the names of a file, also as an item of one of them.
fn place(column: &Column, names: &[String]) -> Option<Place> {
    if let Some(root) = column.position(names) {
        return Some(Place { root, item: None });
    }
    let (root, item) = column.item_position(names)?;
    Some(Place { root, item: Some(item) })
}

pub(super) fn blocks(path: &Path, export: &Export, sink: &mut dyn FnMut(Block) -> bool) -> Result<(), IngestError> {
    let names = header(path)?;
    let places: Vec<Option<Place>> = export.columns.iter().map(|column| place(column, &names)).collect();
    let wanted: BTreeSet<usize> = places.iter().flatten().map(|place| place.root).collect();
    let mut reader = guarded(path, || reader(path, Some(&wanted), 0))?;
    // Columns that were left out have moved the others.
    let moved: Vec<Option<Place>> = places
        .into_iter()
        .map(|place| place.map(|place| Place { root: wanted.iter().take_while(|&&root| root < place.root).count(), ..place }))
        .collect();
    let moved = std::sync::Arc::new(moved);
    let mut first_row = 1;
    loop {
        let batch = guarded(path, || reader.next().transpose().map_err(|e| damaged(path, &e)))?;
        let Some(batch) = batch else { return Ok(()) };
        let rows = batch.num_rows() as u64;
        if !sink(Block::Parquet { batch, places: std::sync::Arc::clone(&moved), first_row }) {
            return Ok(());
        }
        first_row += rows;
    }
}

fn reader(path: &Path, roots: Option<&BTreeSet<usize>>, offset: usize) -> Result<ParquetRecordBatchReader, IngestError> {
    let builder = builder(path)?;
    let mask = match roots {
        Some(roots) => ProjectionMask::roots(builder.parquet_schema(), roots.iter().copied()),
        None => ProjectionMask::all(),
    };
    let builder = builder.with_projection(mask).with_batch_size(JSON_BLOCK_ROWS).with_offset(offset);
    builder.build().map_err(|e| damaged(path, &e))
}

/// The texts of a run of rows.
pub(super) fn cells(batch: &RecordBatch, places: &[Option<Place>], first_row: u64) -> TextRows {
    let columns = places
        .iter()
        .map(|place| {
            let Place { root, item } = place.as_ref()?;
            let array = batch.columns().get(*root)?;
            Some(match item {
                None => texts(array),
                Some(key) => {
                    let texts: Vec<Option<String>> = (0..array.len()).map(|row| text_of(&item_at(array, row, key))).collect();
                    Cells::Stated { stated: vec![false; texts.len()], texts }
                }
            })
        })
        .collect();
    TextRows { source_rows: (first_row..first_row + batch.num_rows() as u64).collect(), columns }
}

fn texts(array: &ArrayRef) -> Cells {
    let is_text =
        matches!(array.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..));
    let texts: Vec<Option<String>> = match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect(),
        _ => (0..array.len()).map(|row| text_of(&value_at(array, row))).collect(),
    };
    Cells::Stated { stated: vec![!is_text; texts.len()], texts }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// One value; numbers keep all their digits.
fn value_at(array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    let float = |value: f64| float_text(value).map_or(Value::Null, |text| number(&text));
    match array.data_type() {
        DataType::Float64 => float(array.as_primitive::<Float64Type>().value(row)),
        // The shortest decimal of the narrower type, not of its widening.
        DataType::Float32 => {
            let value = array.as_primitive::<Float32Type>().value(row);
            float(value.to_string().parse().unwrap_or(f64::NAN))
        }
        DataType::Float16 => float(f64::from(array.as_primitive::<Float16Type>().value(row))),
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let pairs = (0..entries.len()).filter_map(|at| Some((text_of(&value_at(keys, at))?, value_at(values, at))));
            Value::Object(pairs.collect())
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            Value::Object(
                fields.iter().zip(columns).map(|(field, column)| (field.name().clone(), value_at(column, row))).collect(),
            )
        }
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            Value::Array((0..items.len()).map(|at| value_at(&items, at)).collect())
        }
        DataType::LargeList(_) => {
            let items = array.as_list::<i64>().value(row);
            Value::Array((0..items.len()).map(|at| value_at(&items, at)).collect())
        }
        // Text that its writer did not mark as text.
        DataType::Binary => Value::String(String::from_utf8_lossy(array.as_binary::<i32>().value(row)).into_owned()),
        kind => {
            let options = FormatOptions::default();
            let text = ArrayFormatter::try_new(array, &options).ok().and_then(|cells| cells.value(row).try_to_string().ok());
            match text {
                Some(text) if kind.is_numeric() => number(&text),
                Some(text) => Value::String(text),
                None => Value::Null,
            }
        }
    }
}

fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// The value under a key of a map or structure; keys compared exactly, then without case.
fn item_at(array: &ArrayRef, row: usize, key: &str) -> Value {
    let Value::Object(items) = value_at(array, row) else { return Value::Null };
    let exact = items.get(key).cloned();
    exact
        .or_else(|| items.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value))
        .unwrap_or_default()
}

/// Rows of a file as JSON objects, without what is null.
///
/// # Errors
/// [`IngestError::Parquet`] if it is damaged.
pub fn originals(path: &Path, rows: &[u64]) -> Result<Vec<(u64, String)>, IngestError> {
    let (Some(first), Some(last)) = (rows.iter().min(), rows.iter().max()) else { return Ok(Vec::new()) };
    guarded(path, || {
        let mut found = Vec::new();
        let mut next = *first;
        for batch in reader(path, None, usize::try_from(first.saturating_sub(1)).unwrap_or(usize::MAX))? {
            let batch = batch.map_err(|e| damaged(path, &e))?;
            let schema: SchemaRef = batch.schema();
            for row in 0..batch.num_rows() {
                if rows.contains(&next) {
                    let cells = schema.fields().iter().zip(batch.columns());
                    let cells = cells.map(|(field, column)| (field.name().clone(), value_at(column, row)));
                    found.push((next, Value::Object(cells.filter(|(_, value)| !value.is_null()).collect()).to_string()));
                }
                next += 1;
            }
            if next > *last {
                break;
            }
        }
        Ok(found)
    })
}
