//! Which files were delivered together: rows of one key in several parts of one delivery are one statement, in two deliveries two.
//!
//! | export | a delivery is |
//! | --- | --- |
//! | usage cut by size, without row identities ([`Export::parts_add_up`](crate::sources::Export::parts_add_up)) | all files of the export that became known at the same instant |
//! | the same, billed and not billed yet on one day | two: what is billed replaces what was not |
//! | the same, in folders of runs (`run` of `core.batch`) | all files of the export and the run; two runs never add up |
//! | invoice lines without a line id | all files of the export that became known at the same instant |
//! | everything else (records with ids, pages, mapping files) | one file |
//!
//! A date in the name is an instant: all parts of `2026-08-06` stand together; a time tells two deliveries of a day apart
//! (`2026-08-06T1430`). Without a date the modification time counts, which two deliveries hardly share. Exports that a mapping
//! file describes are taken for cut by size. Of two runs with one time, the one that was made later counts (`run_at`), else that with the greater name. Deliveries are numbered in the order in which they became known, so that their number
//! decides between versions, whatever the order in which the files were ingested.

use super::schema::{Table, instant};
use super::truth::TruthError;
use crate::sources::all_exports;
use arrow::array::{Array as _, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimestampMicrosecondType};
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
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

/// Where a text has a GUID in it: 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12.
#[must_use]
pub fn guid_in(text: &str) -> Option<Range<usize>> {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let bytes = text.as_bytes();
    (0..bytes.len()).find_map(|start| {
        let mut at = start;
        for (number, length) in GROUPS.into_iter().enumerate() {
            if number > 0 {
                if bytes.get(at) != Some(&b'-') {
                    return None;
                }
                at += 1;
            }
            let group = bytes.get(at..at + length)?;
            if !group.iter().all(u8::is_ascii_hexdigit) {
                return None;
            }
            at += length;
        }
        let is_apart = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_none_or(|byte| !byte.is_ascii_hexdigit());
        (is_apart(start.checked_sub(1)) && is_apart(Some(at))).then_some(start..at)
    })
}

/// Deliveries by their batches, where parts add up: files of one delivery cannot contest each other.
pub type Deliveries = HashMap<String, i64>;

/// Registers `core.delivery` over `core.batch`: for each file the number of its delivery, and that of the file by itself. Returns the
/// deliveries of parts.
///
/// # Errors
/// [`TruthError::Engine`] if the batch table cannot be read.
pub(super) async fn register(ctx: &SessionContext) -> Result<Deliveries, TruthError> {
    let rows = ctx.sql("SELECT batch_id, system, entity, recorded_at, run, run_at FROM core.batch").await?.collect().await?;
    let deliveries = deliveries(&rows)?;
    let parts = parts(&deliveries);
    ctx.register_table(
        TableReference::partial("core", "delivery"),
        Arc::new(MemTable::try_new(schema(), vec![vec![deliveries]])?),
    )?;
    Ok(parts)
}

fn parts(deliveries: &RecordBatch) -> Deliveries {
    let (ids, adds_up) = (deliveries.column(0).as_string_view(), deliveries.column(5).as_boolean());
    let numbers = deliveries.column(3).as_primitive::<Int64Type>();
    let rows = (0..deliveries.num_rows()).filter(|&row| adds_up.value(row));
    rows.map(|row| (ids.value(row).to_owned(), numbers.value(row))).collect()
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
        // The run, empty where the file is of none, and whether its name tells it from every other: then its parts belong together however
        // far their modification times lie apart.
        Field::new("run", DataType::Utf8View, true),
        Field::new("run_at", instant(), true),
        Field::new("is_whole_run", DataType::Boolean, true),
    ]))
}

/// A file as its batch describes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Landed {
    /// When its delivery became known: the first of its files.
    at: i64,
    export: String,
    run_at: Option<i64>,
    run: String,
    id: String,
}

fn deliveries(rows: &[RecordBatch]) -> datafusion::common::Result<RecordBatch> {
    let mut files: Vec<Landed> = Vec::new();
    let mut arrivals: Vec<i64> = Vec::new();
    let mut entities: Vec<String> = Vec::new();
    let mut adds_up: Vec<bool> = Vec::new();
    for batch in rows {
        let text = |at: usize| cast(batch.column(at), &DataType::Utf8);
        let (ids, systems, named, runs) = (text(0)?, text(1)?, text(2)?, text(4)?);
        let runs = runs.as_string::<i32>();
        let instants = |at: usize| batch.column(at).as_primitive::<TimestampMicrosecondType>();
        for row in 0..batch.num_rows() {
            let [id, system, entity] = [&ids, &systems, &named].map(|column| column.as_string::<i32>().value(row));
            let at = instants(3).value(row);
            arrivals.push(at);
            entities.push(entity.to_owned());
            files.push(Landed {
                at,
                export: format!("{system}\u{1f}{entity}"),
                run_at: instants(5).is_valid(row).then(|| instants(5).value(row)),
                run: if runs.is_valid(row) { runs.value(row).to_owned() } else { String::new() },
                id: id.to_owned(),
            });
            // Built-in exports alone: a mapping file is there at ingest, and need not be later.
            let export = all_exports().find(|found| found.source.system == system && found.export.entity == entity);
            adds_up.push(export.is_none_or(|found| found.export.parts_add_up()));
        }
    }
    let whole: Vec<bool> = files.iter().map(|file| guid_in(&file.run).is_some()).collect();
    let mut runs: BTreeMap<(String, String), (i64, Option<i64>)> = BTreeMap::new();
    for (file, _) in files.iter().zip(&whole).filter(|(_, is_whole)| **is_whole) {
        let first = runs.entry((file.export.clone(), file.run.clone())).or_insert((file.at, file.run_at));
        *first = (first.0.min(file.at), first.1.min(file.run_at));
    }
    for file in &mut files {
        if let Some(&(at, run_at)) = runs.get(&(file.export.clone(), file.run.clone())) {
            (file.at, file.run_at) = (at, run_at);
        }
    }
    // A file's own number lies among those of its instant; a delivery's number is that of its first file.
    let order: BTreeSet<&Landed> = files.iter().collect();
    let numbers: BTreeMap<&Landed, i64> = order.into_iter().zip(1..).collect();
    let mut firsts: BTreeMap<(i64, &str, &str), i64> = BTreeMap::new();
    for (file, number) in &numbers {
        firsts.entry((file.at, file.export.as_str(), file.run.as_str())).or_insert(*number);
    }
    let of_file: Int64Array = files.iter().map(|file| numbers.get(file).copied()).collect();
    let delivery: Int64Array =
        files.iter().map(|file| firsts.get(&(file.at, file.export.as_str(), file.run.as_str())).copied()).collect();
    let arrived: TimestampMicrosecondArray = arrivals.into_iter().map(Some).collect();
    let made: TimestampMicrosecondArray = files.iter().map(|file| file.run_at).collect();
    let schema = schema();
    let texts = |values: StringArray| cast(&values, &DataType::Utf8View);
    let batch = RecordBatch::try_new(
        schema,
        vec![
            texts(files.iter().map(|file| Some(file.id.as_str())).collect())?,
            texts(entities.iter().map(Some).collect())?,
            Arc::new(arrived.with_timezone("UTC")),
            Arc::new(delivery),
            Arc::new(of_file),
            Arc::new(BooleanArray::from(adds_up)),
            texts(files.iter().map(|file| Some(file.run.as_str())).collect())?,
            Arc::new(made.with_timezone("UTC")),
            Arc::new(BooleanArray::from(whole)),
        ],
    )?;
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_stands_alone_or_within_a_name() {
        let guid = "6f0c1f3e-1111-4111-8111-111111111111";
        for text in [guid.to_owned(), format!("cost_{guid}.csv"), format!("2024-09-11T05:20:10.123Z-{guid}")] {
            assert_eq!(guid_in(&text).map(|at| text[at].to_owned()).as_deref(), Some(guid), "{text}");
        }
        for text in ["6f0c1f3e-1111-4111-8111-11111111111", "6f0c1f3e-1111-4111-8111-1111111111111", "part_0_0001.csv", ""] {
            assert_eq!(guid_in(text), None, "{text}");
        }
    }
}
