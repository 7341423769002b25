//! One table of the star to sorted Parquet files, one per period, with a hash of their rows.

use super::error::ExportError;
use crate::bi::star::StarTable;
use crate::lake::archive::hex;
use crate::month::Month;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Field, Schema, SchemaRef};
use arrow::row::{RowConverter, SortField};
use chrono::{Duration, NaiveDate};
use datafusion::prelude::SessionContext;
use futures::StreamExt as _;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Hive's name of the partition without a value: the folder of a fact without a row.
const NO_PERIOD: &str = "__HIVE_DEFAULT_PARTITION__";

/// A file that waits to be placed.
#[derive(Clone, Debug)]
pub(super) struct Staged {
    pub(super) table: String,
    pub(super) period: Option<Month>,
    /// Its place below the export's folder.
    pub(super) path: String,
    /// Where it waits.
    pub(super) staged: PathBuf,
    pub(super) rows: u64,
    pub(super) rows_sha256: String,
    /// Columns with their types, as the dictionary names them.
    pub(super) columns: Vec<(String, String)>,
}

/// Writes the files of a table below `staging`.
pub(super) async fn stage(ctx: &SessionContext, table: &StarTable, staging: &Path) -> Result<Vec<Staged>, ExportError> {
    let failed = |e| ExportError::from(table.failed(&e));
    let frame = ctx.sql(&table.sorted()).await.map_err(failed)?;
    let schema = stable(frame.schema().as_arrow(), table);
    let columns: Vec<(String, String)> =
        schema.fields().iter().map(|field| (field.name().clone(), type_name(field.data_type()))).collect();
    let mut rows = frame.execute_stream().await.map_err(failed)?;
    let (mut files, mut open): (Vec<Staged>, Option<Writer>) = (Vec::new(), None);
    // A dimension has its one file, also without a row.
    if !table.is_fact() {
        open = Some(Writer::new(table, None, &schema, staging)?);
    }
    while let Some(batch) = rows.next().await {
        let batch = conform(&batch.map_err(failed)?, &schema).map_err(|e| ExportError::encode(&table.name, &e))?;
        for (period, rows) in by_period(table, &batch)? {
            let other = open.take_if(|writer| writer.period != period);
            if let Some(finished) = other {
                files.push(finished.finish(&columns)?);
            }
            let writer = match &mut open {
                Some(writer) => writer,
                none => none.insert(Writer::new(table, period, &schema, staging)?),
            };
            writer.write(&rows)?;
        }
    }
    // A fact without a row still tells readers its columns.
    if open.is_none() {
        open = Some(Writer::new(table, None, &schema, staging)?);
    }
    if let Some(last) = open {
        files.push(last.finish(&columns)?);
    }
    Ok(files)
}

/// Types that every reader knows and that stay, whatever the engine computes with; each field with its description.
fn stable(schema: &Schema, table: &StarTable) -> SchemaRef {
    let description = |name: &str| table.columns.iter().find(|(column, _)| column == name).map(|(_, text)| text.clone());
    let field = |field: &Arc<Field>| {
        let kind = match field.data_type() {
            DataType::Utf8View | DataType::LargeUtf8 | DataType::Dictionary(..) | DataType::Null => DataType::Utf8,
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64 => DataType::Int64,
            DataType::Float32 => DataType::Float64,
            kept => kept.clone(),
        };
        let comment = description(field.name()).unwrap_or_default();
        Field::new(field.name(), kind, true).with_metadata(HashMap::from([("description".to_owned(), comment)]))
    };
    Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, arrow::error::ArrowError> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| cast(column, field.data_type()));
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_, _>>()?)
}

/// What a dictionary calls a type: SQL's names.
fn type_name(kind: &DataType) -> String {
    match kind {
        DataType::Utf8 => "VARCHAR".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        DataType::Timestamp(..) => "TIMESTAMP".to_owned(),
        other => other.to_string(),
    }
}

/// A batch cut where the month of its period changes; rows come sorted by it.
fn by_period(table: &StarTable, batch: &RecordBatch) -> Result<Vec<(Option<Month>, RecordBatch)>, ExportError> {
    let Some(column) = &table.period else { return Ok(vec![(None, batch.clone())]) };
    let no_period = || ExportError::NoPeriod { table: table.name.clone(), column: column.clone() };
    let days = batch.column_by_name(column).and_then(|days| days.as_primitive_opt::<Date32Type>()).ok_or_else(no_period)?;
    let mut parts: Vec<(Option<Month>, RecordBatch)> = Vec::new();
    let mut start = 0;
    let month = |row: usize| {
        let date = NaiveDate::default().checked_add_signed(Duration::days(i64::from(days.value(row))));
        date.filter(|_| days.is_valid(row)).map(Month::of).ok_or_else(no_period)
    };
    while start < days.len() {
        let period = month(start)?;
        let mut end = start + 1;
        while end < days.len() && (days.is_valid(end) && days.value(end) == days.value(end - 1) || month(end)? == period) {
            end += 1;
        }
        parts.push((Some(period), batch.slice(start, end - start)));
        start = end;
    }
    Ok(parts)
}

/// One file while it is written.
struct Writer {
    table: String,
    period: Option<Month>,
    path: String,
    staged: PathBuf,
    rows: u64,
    hash: Sha256,
    converter: RowConverter,
    parquet: ArrowWriter<BufWriter<File>>,
}

impl Writer {
    fn new(table: &StarTable, period: Option<Month>, schema: &SchemaRef, staging: &Path) -> Result<Self, ExportError> {
        let path = match period {
            Some(period) => format!("{}/period={period}/data.parquet", table.name),
            None if table.is_fact() => format!("{}/period={NO_PERIOD}/data.parquet", table.name),
            None => format!("{}.parquet", table.name),
        };
        let staged = staging.join(path.replace('/', "_"));
        let file = File::create(&staged).map_err(|e| ExportError::io("create", &staged, e))?;
        let encode = |e: &dyn std::fmt::Display| ExportError::encode(&table.name, &e.to_string());
        let about = |key: &str, value: &str| KeyValue::new(format!("shortfall.{key}"), value.to_owned());
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_key_value_metadata(Some(vec![
                about("table", &table.name),
                about("title", &table.title),
                about("description", &table.meaning),
                about("grain", &table.grain),
                about("key", &table.key.join(", ")),
            ]))
            .build();
        let parquet = ArrowWriter::try_new(BufWriter::new(file), Arc::clone(schema), Some(properties)).map_err(|e| encode(&e))?;
        let fields = schema.fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
        let mut hash = Sha256::new();
        for field in schema.fields() {
            hash.update(format!("{} {};", field.name(), type_name(field.data_type())));
        }
        Ok(Self {
            table: table.name.clone(),
            period,
            path,
            staged,
            rows: 0,
            hash,
            converter: RowConverter::new(fields).map_err(|e| encode(&e))?,
            parquet,
        })
    }

    fn write(&mut self, rows: &RecordBatch) -> Result<(), ExportError> {
        let encode = |e: &dyn std::fmt::Display| ExportError::encode(&self.table, &e.to_string());
        let columns: &[ArrayRef] = rows.columns();
        for row in &self.converter.convert_columns(columns).map_err(|e| encode(&e))? {
            self.hash.update(row.as_ref());
        }
        self.rows += rows.num_rows() as u64;
        self.parquet.write(rows).map_err(|e| encode(&e))
    }

    fn finish(self, columns: &[(String, String)]) -> Result<Staged, ExportError> {
        self.parquet.close().map_err(|e| ExportError::encode(&self.table, &e))?;
        Ok(Staged {
            table: self.table,
            period: self.period,
            path: self.path,
            staged: self.staged,
            rows: self.rows,
            rows_sha256: hex(&self.hash.finalize()),
            columns: columns.to_vec(),
        })
    }
}
