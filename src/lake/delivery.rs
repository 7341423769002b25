//! Which files were delivered together: rows of one key in several parts of one delivery are one statement, in two deliveries two.
//!
//! | export | a delivery is |
//! | --- | --- |
//! | usage cut by size, without row identities ([`Export::parts_add_up`](crate::sources::Export::parts_add_up)) | all files of the export that became known at the same instant |
//! | the same, billed and not billed yet on one day | two: what is billed replaces what was not |
//! | invoice lines without a line id | all files of the export that became known at the same instant |
//! | everything else (records with ids, pages, mapping files) | one file |
//!
//! A date in the name is an instant: all parts of `2026-08-06` stand together; a time tells two deliveries of a day apart
//! (`2026-08-06T1430`). Without a date the modification time counts, which two deliveries hardly share. Exports that a mapping
//! file describes are taken for cut by size. Deliveries are numbered in the order in which they became known, so that their number
//! decides between versions, whatever the order in which the files were ingested.

use super::schema::{Table, instant};
use super::truth::TruthError;
use crate::sources::all_exports;
use arrow::array::{AsArray, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampMicrosecondType};
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The SQL expression that numbers the delivery of a row, over a join with `core.delivery AS delivery`. `row` qualifies the row's
/// columns, with its point.
pub(super) fn number(table: Table, row: &str) -> String {
    match table {
        // Twice the number leaves room for what is billed behind what is not.
        Table::VendorUsage => format!(
            "CASE WHEN delivery.parts_add_up THEN 2 * delivery.delivery + CASE WHEN {row}vendor_invoice IS NULL THEN 0 ELSE 1 END
             ELSE 2 * delivery.of_file END"
        ),
        Table::InvoiceLine => format!("CASE WHEN {row}line_id IS NULL THEN delivery.delivery ELSE delivery.of_file END"),
        _ => "delivery.of_file".to_owned(),
    }
}

/// Registers `core.delivery` over `core.batch`: for each file the number of its delivery, and that of the file by itself.
///
/// # Errors
/// [`TruthError::Engine`] if the batch table cannot be read.
pub(super) async fn register(ctx: &SessionContext) -> Result<(), TruthError> {
    let rows = ctx.sql("SELECT batch_id, system, entity, recorded_at FROM core.batch").await?.collect().await?;
    ctx.register_table(TableReference::partial("core", "delivery"), Arc::new(table(&rows)?))?;
    Ok(())
}

/// Columns of `core.delivery`.
#[must_use]
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("batch_id", DataType::Utf8View, true),
        Field::new("entity", DataType::Utf8View, true),
        Field::new("arrived_at", instant(), true),
        Field::new("delivery", DataType::Int64, true),
        Field::new("of_file", DataType::Int64, true),
        Field::new("parts_add_up", DataType::Boolean, true),
    ]))
}

fn table(rows: &[RecordBatch]) -> datafusion::common::Result<MemTable> {
    let mut files: Vec<(i64, String, String)> = Vec::new();
    let mut adds_up: Vec<bool> = Vec::new();
    for batch in rows {
        let text = |at: usize| cast(batch.column(at), &DataType::Utf8);
        let (ids, systems, entities) = (text(0)?, text(1)?, text(2)?);
        let arrivals = batch.column(3).as_primitive::<TimestampMicrosecondType>();
        for row in 0..batch.num_rows() {
            let [id, system, entity] = [&ids, &systems, &entities].map(|column| column.as_string::<i32>().value(row));
            files.push((arrivals.value(row), format!("{system}\u{1f}{entity}"), id.to_owned()));
            // Built-in exports alone: a mapping file is there at ingest, and need not be later.
            let export = all_exports().find(|found| found.source.system == system && found.export.entity == entity);
            adds_up.push(export.is_none_or(|found| found.export.parts_add_up()));
        }
    }
    // A file's own number lies among those of its instant; a delivery's number is that of its first file.
    let order: BTreeSet<(i64, &str, &str)> = files.iter().map(|(at, export, id)| (*at, export.as_str(), id.as_str())).collect();
    let numbers: BTreeMap<(i64, &str, &str), i64> = order.into_iter().zip(1..).collect();
    let mut firsts: BTreeMap<(i64, &str), i64> = BTreeMap::new();
    for ((at, export, _), number) in &numbers {
        firsts.entry((*at, export)).or_insert(*number);
    }
    let of_file: Int64Array =
        files.iter().map(|(at, export, id)| numbers.get(&(*at, export.as_str(), id.as_str())).copied()).collect();
    let delivery: Int64Array = files.iter().map(|(at, export, _)| firsts.get(&(*at, export.as_str())).copied()).collect();
    let arrived: TimestampMicrosecondArray = files.iter().map(|(at, ..)| Some(*at)).collect();
    let schema = schema();
    let entities: StringArray =
        files.iter().map(|(_, export, _)| export.split_once('\u{1f}').map(|(_, entity)| entity)).collect();
    let ids: StringArray = files.iter().map(|(_, _, id)| Some(id.as_str())).collect();
    let batch = RecordBatch::try_new(
        Arc::clone(&schema),
        vec![
            cast(&ids, &DataType::Utf8View)?,
            cast(&entities, &DataType::Utf8View)?,
            Arc::new(arrived.with_timezone("UTC")),
            Arc::new(delivery),
            Arc::new(of_file),
            Arc::new(BooleanArray::from(adds_up)),
        ],
    )?;
    MemTable::try_new(schema, vec![vec![batch]])
}
