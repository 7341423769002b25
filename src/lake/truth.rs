//! What is known as of a date: which rows are visible, and which version of each is the current truth.
//!
//! ```text
//! files of visible batches, recorded up to the as-of date
//!   ├── no other batch can hold a version of their rows  ──────────────> known.<table>
//!   ├── batches that overlap ──> newest differing version per key ─────> known.<table>
//!   └── statements ──> what no later delivery speaks of again ─────────> known.<table>
//! core_history.<table> shows all of them.
//! known.usage_sum sums known.vendor_usage, from files of sums where it can (super::usage_sum).
//! ```
//! Nothing is updated in place: a correction is a new row. Rows of one [`Table::identity`] are versions of one thing; all
//! rows of a key from one *delivery* stand together, because many vendors repeat a key and mean the sum (see
//! [`crate::lake::delivery`]: mostly a file, or all parts of one export). The truth is the newest set of rows, and where later
//! files merely repeat it, its first appearance: re-sent rows keep their provenance. Only batches whose periods overlap are compared,
//! so a history of disjoint months costs nothing.
//!
//! Some vendors write a whole month again until it is final, without ids that last: rows change, come and *vanish*. Such rows name
//! their `statement` (say, payer and billing month) and the instant from which it speaks; a later delivery of the same statement
//! replaces all earlier rows from the first instant that it speaks of.

use super::delivery::{self, Parts};
use super::delta::{DataFile, Lake, LakeError};
use super::scan::FileTable;
use super::schema::{TABLES, Table};
use super::visible::Visible;
use super::{usage_sum, version_span};
use chrono::{DateTime, Utc};
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::common::{DataFusionError, TableReference};
use datafusion::prelude::SessionContext;
use futures::future::join_all;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Schemas of a session; [`register`] fills the first three.
const SCHEMAS: [&str; 6] = ["core", "core_history", "known", "marts", "facts", "bi"];

/// Files of one statement and of no run whose arrivals follow one another within this time are parts of one delivery. Vendors cut a large month into
/// parts and write it anew every few hours at most.
const DELIVERY_GAP: &str = "INTERVAL '1 hour'";

/// The versions of the core tables that a view of the lake is built on.
pub type Versions = BTreeMap<String, u64>;

/// Registers `core_history.*` and `known.*` for everything ingested and recorded up to `as_of` (everything if none), and the
/// tables without versions under their own names. Returns the table versions read.
///
/// # Errors
/// [`LakeError`] if a table log is damaged, or a DataFusion error in its words.
pub async fn register(ctx: &SessionContext, lake: &Lake, as_of: Option<DateTime<Utc>>) -> Result<Versions, TruthError> {
    register_schemas(ctx)?;
    let mut versions = Versions::new();
    // It is committed last, so it is read first: whatever stands in it is complete in the tables that are read after it.
    let batches = lake.newest(Table::Batch).await?;
    versions.extend(batches.as_ref().map(|(version, _)| (Table::Batch.name().to_owned(), *version)));
    let batches = batches.map(|(_, files)| files).unwrap_or_default();
    let visible = Visible::of(lake, batches.clone()).await?;
    // When a batch arrived decides between versions, so its table comes first.
    let batches = FileTable::new(lake, Table::Batch, batches);
    ctx.register_table(TableReference::partial("core", Table::Batch.name()), Arc::new(batches))?;
    let parts = delivery::register(ctx).await?;
    let core: Vec<Table> = TABLES.iter().copied().filter(|table| table.area() == "core" && *table != Table::Batch).collect();
    // A store answers after some time; all tables are asked at once. All answers are waited for, also where one is an error: a process
    // that ends meanwhile makes the Delta library's threads panic.
    let opened = join_all(core.iter().map(|&table| lake.newest(table))).await;
    let mut found: BTreeMap<Table, Vec<DataFile>> = BTreeMap::new();
    for (table, opened) in core.into_iter().zip(opened) {
        let opened = opened?;
        versions.extend(opened.as_ref().map(|(version, _)| (table.name().to_owned(), *version)));
        let mut files = opened.map(|(_, files)| files).unwrap_or_default();
        files.retain(|file| visible.has(file));
        found.insert(table, files);
    }
    // Sums are no table of their own to readers: only those of files that count as a whole are true.
    let sums = found.remove(&Table::UsageSum).unwrap_or_default();
    for (table, files) in found {
        if !table.is_ingested() {
            let name = TableReference::partial("core", table.name());
            ctx.register_table(name, Arc::new(FileTable::new(lake, table, files)))?;
            continue;
        }
        register_versions(ctx, lake, table, files, &parts, &sums, as_of).await?;
    }
    Ok(versions)
}

/// Makes the schemas of the lake known to a session.
///
/// # Errors
/// [`TruthError::Engine`] if the session has no catalogue that takes them.
pub fn register_schemas(ctx: &SessionContext) -> Result<(), TruthError> {
    if let Some(catalog) = ctx.catalog("datafusion") {
        for schema in SCHEMAS {
            if catalog.schema(schema).is_none() {
                let provider: Arc<dyn SchemaProvider> = Arc::new(MemorySchemaProvider::new());
                catalog.register_schema(schema, provider)?;
            }
        }
    }
    Ok(())
}

/// Why a view of the lake could not be built.
#[derive(Debug, thiserror::Error)]
pub enum TruthError {
    /// The lake cannot be read.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The engine refuses.
    #[error("the query engine refused a view of the lake: {0}")]
    Engine(#[from] DataFusionError),
}

async fn register_versions(
    ctx: &SessionContext,
    lake: &Lake,
    table: Table,
    mut files: Vec<DataFile>,
    parts: &Parts,
    sums: &[DataFile],
    as_of: Option<DateTime<Utc>>,
) -> Result<(), TruthError> {
    let limit = as_of.map(|t| t.timestamp_micros());
    // Reference data without a date of its own is known at all times, so its files are never skipped.
    if let Some(limit) = limit
        && !is_reference(table)
    {
        files.retain(|file| file.recorded_at.is_none_or(|(first, _)| first <= limit));
    }
    let needs_filter = limit.is_some_and(|limit| files.iter().any(|file| file.recorded_at.is_none_or(|(_, last)| last > limit)));
    let moment = as_of.map(|as_of| format!("TIMESTAMP '{}'", as_of.format("%Y-%m-%dT%H:%M:%S%.6fZ")));
    let filter = match &moment {
        Some(moment) if needs_filter => format!("WHERE recorded_at <= {moment} OR is_always_known"),
        _ => String::new(),
    };
    let (stated, files) = files.into_iter().partition(|file| file.is_stated);
    let (plain, contested) = split_contested(table, files, parts);
    let name = table.name();
    let (has_contested, has_stated) = (!contested.is_empty(), !stated.is_empty());
    let whole = |file: &DataFile| limit.is_none_or(|limit| file.recorded_at.is_some_and(|(_, last)| last <= limit));
    let summed = (table == usage_sum::OF).then(|| Summed::of(&plain, sums, whole));
    for (part, files) in [("plain", plain), ("contested", contested), ("stated", stated)] {
        let reference = TableReference::partial("core_history", format!("_{name}_{part}"));
        ctx.register_table(reference, Arc::new(FileTable::new(lake, table, files)))?;
    }
    let columns: Vec<String> = table.schema().fields().iter().map(|f| f.name().clone()).collect();
    let columns = columns.join(", ");
    let rows = |part: &str| format!("SELECT {columns} FROM core_history._{name}_{part} {filter}");
    let (mut history, mut known) = (vec![rows("plain")], vec![rows("plain")]);
    if has_contested {
        history.push(rows("contested"));
        known.push(newest_version(table, &rows("contested"), &columns, moment.as_deref()));
    }
    if has_stated {
        history.push(rows("stated"));
        known.push(newest_statement(&rows("stated"), &columns));
    }
    view(ctx, "core_history", name, &history.join(" UNION ALL ")).await?;
    if let Some(Summed { sums, unsummed }) = summed {
        let (contested, stated) = (has_contested.then(|| rows("contested")), has_stated.then(|| rows("stated")));
        let others = (contested.as_deref(), stated.as_deref(), moment.as_deref());
        let spans = version_span::query(&rows("plain"), others.0, others.1, others.2);
        view(ctx, "core_history", version_span::NAME, &spans).await?;
        let has_unsummed = !unsummed.is_empty();
        for (part, of, files) in [("sums", Table::UsageSum, sums), ("unsummed", table, unsummed)] {
            let reference = TableReference::partial("core_history", format!("_{name}_{part}"));
            ctx.register_table(reference, Arc::new(FileTable::new(lake, of, files)))?;
        }
        let arrived = |of: &str| format!("SELECT system, provider, service_month, batch_id, recorded_at FROM {of}");
        let mut arrivals = arrived(&format!("core_history._{name}_sums"));
        if has_unsummed {
            arrivals += &format!(" UNION ALL {}", arrived(&format!("({})", rows("unsummed"))));
        }
        let arrivals = version_span::arrival_query(&arrivals, others.0, others.1, others.2);
        view(ctx, "core_history", version_span::ARRIVAL, &arrivals).await?;
        let mut unsummed: Vec<String> = has_unsummed.then(|| rows("unsummed")).into_iter().collect();
        unsummed.extend(known.iter().skip(1).cloned());
        let mut sums = vec![format!("SELECT {} FROM core_history._{name}_sums", usage_sum::column_list())];
        sums.extend((!unsummed.is_empty()).then(|| usage_sum::query(&unsummed.join(" UNION ALL "))));
        view(ctx, "known", usage_sum::NAME, &sums.join(" UNION ALL ")).await?;
    }
    view(ctx, "known", name, &known.join(" UNION ALL ")).await
}

/// Uncontested files of usage: the files of sums of those that have one and count as a whole, and the others themselves.
struct Summed {
    sums: Vec<DataFile>,
    unsummed: Vec<DataFile>,
}

impl Summed {
    fn of(plain: &[DataFile], sums: &[DataFile], is_whole: impl Fn(&DataFile) -> bool) -> Self {
        let sums: HashMap<&str, &DataFile> = sums.iter().map(|file| (file.path.as_str(), file)).collect();
        let mut summed = Self { sums: Vec::new(), unsummed: Vec::new() };
        for file in plain {
            match sums.get(file.path.as_str()).filter(|_| is_whole(file)) {
                Some(&found) => summed.sums.push(found.clone()),
                None => summed.unsummed.push(file.clone()),
            }
        }
        summed
    }
}

async fn view(ctx: &SessionContext, schema: &'static str, name: &str, sql: &str) -> Result<(), TruthError> {
    let frame = ctx.sql(sql).await?;
    ctx.register_table(TableReference::partial(schema, name), frame.into_view())?;
    Ok(())
}

/// Crosswalks, rates and terms: usable before the date on which somebody wrote them down.
fn is_reference(table: Table) -> bool {
    matches!(
        table,
        Table::CustomerMap | Table::ServiceMap | Table::Fx | Table::ContractTerms | Table::BillingCalendar | Table::Currency
    )
}

/// The newest differing set of rows per key, as a query over `rows`.
///
/// A source may date a row itself (an invoice's creation). That is when its first version became known; a later file that says
/// otherwise under the same date became known when it arrived, else a correction would be taken for what was always known. Rows of
/// one statement may carry different dates; it is known since the first.
fn newest_version(table: Table, rows: &str, columns: &str, as_of: Option<&str>) -> String {
    let key = table.identity().join(", ");
    let delivery = delivery::number(table, "");
    let versions = versions(table, rows, "", as_of);
    format!(
        "SELECT {columns} FROM (
           SELECT version.*, chosen.version_key AS chosen_key
           FROM (
             SELECT said.*, row_hash(system, {key}) AS version_key, {delivery} AS delivered
             FROM ({rows}) AS said JOIN core.delivery AS delivery ON said.batch_id = delivery.batch_id
           ) AS version
           JOIN (
             SELECT version_key, delivered FROM (
               SELECT version_key, delivered,
                      row_number() OVER (PARTITION BY version_key ORDER BY known_at DESC, delivered DESC) AS newest
               FROM ({versions}) WHERE before IS DISTINCT FROM content
             ) WHERE newest = 1
           ) AS chosen
           ON version.version_key = chosen.version_key AND version.delivered = chosen.delivered
         )"
    )
}

/// Every delivery of every key, when it became known, and whether it says something else than the one before (`before`, `content`), as a
/// query over `rows`. `apart` names columns, each with its comma, that no two versions of a key differ in: filters on them reach the rows.
pub(super) fn versions(table: Table, rows: &str, apart: &str, as_of: Option<&str>) -> String {
    let key = table.identity().join(", ");
    // That a row is billed now says nothing new about what was used.
    let provenance = ["recorded_at", "is_always_known", "batch_id", "source_row", "vendor_invoice"];
    let content: Vec<String> = table
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .filter(|name| !provenance.contains(&name.as_str()) && !table.identity().contains(&name.as_str()))
        .collect();
    let content = content.join(", ");
    let filter = as_of.map(|limit| format!("WHERE known_at <= {limit} OR is_always_known")).unwrap_or_default();
    let delivery = delivery::number(table, "");
    let group = (0..apart.matches(',').count() + 2).map(|at| (at + 1).to_string()).collect::<Vec<_>>().join(", ");
    format!(
        "SELECT {apart}version_key, known_at, delivered, content,
                lag(content) OVER (PARTITION BY {apart}version_key ORDER BY known_at, delivered) AS before
         FROM (
           SELECT {apart}version_key, arrived_at, delivered, content, is_always_known,
                  CASE WHEN delivered = first_value(delivered) OVER (PARTITION BY {apart}version_key ORDER BY delivered)
                       THEN recorded_at ELSE greatest(recorded_at, arrived_at) END AS known_at
           FROM (
             SELECT {apart}row_hash(system, {key}) AS version_key, {delivery} AS delivered, min(delivery.arrived_at) AS arrived_at,
                    min(recorded_at) AS recorded_at, sum(row_hash({content})) AS content,
                    bool_or(is_always_known) AS is_always_known
             FROM ({rows}) AS said JOIN core.delivery AS delivery ON said.batch_id = delivery.batch_id
             GROUP BY {group}
           )
         ) {filter}"
    )
}

/// The rows of statements that no later delivery of the same statement speaks of again, as a query over `rows`.
fn newest_statement(rows: &str, columns: &str) -> String {
    let deliveries = deliveries(rows);
    format!(
        "SELECT {columns} FROM (
           SELECT stated.*, delivery.replaced_from
           FROM ({rows}) AS stated
           JOIN (
             SELECT system AS of_system, statement AS of_statement, batch_id AS of_batch, recorded_at AS of_arrival,
                    min(speaks_from) OVER (PARTITION BY system, statement ORDER BY number
                                           RANGE BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS replaced_from
             FROM (
               {deliveries}
             )
           ) AS delivery
           ON stated.system = delivery.of_system AND stated.statement = delivery.of_statement
             AND stated.batch_id = delivery.of_batch AND stated.recorded_at = delivery.of_arrival
         )
         WHERE replaced_from IS NULL OR statement_from < replaced_from"
    )
}

/// The deliveries of each statement, numbered: the files of each, when they arrived and from when on they speak, as a query over `rows`.
///
/// Files of two exports, or of two runs, are two deliveries whenever they arrived; files of one run are one. Of two deliveries with
/// one time, the one counts that was made later, else that with the greater name.
pub(super) fn deliveries(rows: &str) -> String {
    format!(
        "SELECT system, statement, batch_id, recorded_at, speaks_from,
                CAST(dense_rank() OVER (PARTITION BY system, statement ORDER BY delivered_at, made_at, entity, run, part) AS BIGINT)
                  AS number
         FROM (
           SELECT system, statement, batch_id, recorded_at, speaks_from, entity, run, part,
                  min(recorded_at) OVER (PARTITION BY system, statement, entity, run, part) AS delivered_at,
                  min(coalesce(run_at, recorded_at)) OVER (PARTITION BY system, statement, entity, run, part) AS made_at
           FROM (
             SELECT system, statement, batch_id, recorded_at, speaks_from, entity, run, run_at,
                    sum(CASE WHEN NOT is_whole_run AND recorded_at > before + {DELIVERY_GAP} THEN 1 ELSE 0 END)
                      OVER (PARTITION BY system, statement, entity, run ORDER BY recorded_at) AS part
             FROM (
               SELECT said.system, said.statement, said.batch_id, said.recorded_at, said.speaks_from,
                      delivery.entity, delivery.run, delivery.run_at, delivery.is_whole_run,
                      lag(said.recorded_at) OVER (PARTITION BY said.system, said.statement, delivery.entity, delivery.run
                                                  ORDER BY said.recorded_at) AS before
               FROM (
                 SELECT system, statement, batch_id, recorded_at, min(statement_from) AS speaks_from
                 FROM ({rows}) GROUP BY system, statement, batch_id, recorded_at
               ) AS said JOIN core.delivery AS delivery ON said.batch_id = delivery.batch_id
             )
           )
         )"
    )
}

/// Files whose rows no other batch can have versions of, and the rest.
///
/// Where the key holds the period, two batches contest each other only within a partition and only if their periods overlap. Parts of one
/// delivery that became known at one instant are one batch in this: a large month is cut into many files.
fn split_contested(table: Table, files: Vec<DataFile>, parts: &Parts) -> (Vec<DataFile>, Vec<DataFile>) {
    let speaker = |file: &DataFile| {
        let is_one_instant = |(first, last): &(i64, i64)| first == last;
        match (parts.get(&file.batch_id), file.is_invoiced, file.recorded_at.filter(is_one_instant)) {
            // As `delivery::number` has it: what is billed and what is not are two deliveries.
            (Some(delivery), Some(is_invoiced), Some((known_at, _))) if table == Table::VendorUsage => {
                Speaker::Delivery(*delivery, is_invoiced, known_at)
            }
            _ => Speaker::Batch(file.batch_id.clone()),
        }
    };
    let by_period = table.key().contains(&"period_start");
    let mut groups: BTreeMap<Vec<Option<String>>, Vec<DataFile>> = BTreeMap::new();
    for file in files {
        let partition = if by_period { file.partition.values().cloned().collect() } else { Vec::new() };
        groups.entry(partition).or_default().push(file);
    }
    let (mut plain, mut contested) = (Vec::new(), Vec::new());
    for mut group in groups.into_values() {
        let span = |file: &DataFile| match file.period_start {
            Some(span) if by_period => span,
            _ => (i64::MIN, i64::MAX),
        };
        group.sort_by_key(|file| (span(file).0, file.path.clone()));
        let mut cluster: Vec<DataFile> = Vec::new();
        let mut end = i64::MIN;
        let mut close = |cluster: &mut Vec<DataFile>| {
            let many = cluster.iter().any(|file| speaker(file) != speaker(&cluster[0]));
            (if many { &mut contested } else { &mut plain }).append(cluster);
        };
        for file in group {
            if !cluster.is_empty() && span(&file).0 > end {
                close(&mut cluster);
                end = i64::MIN;
            }
            end = end.max(span(&file).1);
            cluster.push(file);
        }
        if !cluster.is_empty() {
            close(&mut cluster);
        }
    }
    (plain, contested)
}

/// Whose word a file is.
#[derive(PartialEq, Eq)]
enum Speaker {
    Batch(String),
    /// Its number, whether it is invoiced, and when it became known.
    Delivery(i64, bool, i64),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(batch: &str, span: (i64, i64)) -> DataFile {
        DataFile {
            path: format!("part-{batch}-0-00000.parquet"),
            size: 1,
            rows: 1,
            partition: BTreeMap::new(),
            batch_id: batch.to_owned(),
            attempt: "0".to_owned(),
            period_start: Some(span),
            recorded_at: None,
            is_stated: false,
            is_invoiced: Some(false),
        }
    }

    #[test]
    fn only_overlapping_batches_are_compared() {
        let files = vec![file("a", (0, 10)), file("b", (11, 20)), file("c", (15, 30)), file("d", (31, 40)), file("d", (35, 50))];
        let (plain, contested) = split_contested(Table::VendorUsage, files, &Parts::new());
        let ids = |files: &[DataFile]| files.iter().map(|f| f.batch_id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&plain), ["a", "d", "d"]);
        assert_eq!(ids(&contested), ["b", "c"]);
    }

    #[test]
    fn parts_of_one_delivery_do_not_contest_each_other() {
        let said_at = |batch, instant, is_invoiced| DataFile {
            recorded_at: Some((instant, instant)),
            is_invoiced: Some(is_invoiced),
            ..file(batch, (0, 10))
        };
        let parts = Parts::from(["a", "b", "c"].map(|batch| (batch.to_owned(), 1)));
        let split = |files: Vec<DataFile>| split_contested(Table::VendorUsage, files, &parts).1.len();
        assert_eq!(split(vec![said_at("a", 5, false), said_at("b", 5, false), said_at("c", 5, false)]), 0);
        assert_eq!(split(vec![said_at("a", 5, false), said_at("b", 5, true)]), 2, "what is billed replaces what was not");
        assert_eq!(split(vec![said_at("a", 5, false), said_at("b", 6, false)]), 2, "known at two instants");
        assert_eq!(split(vec![said_at("a", 5, false), said_at("other", 5, false)]), 2, "of another delivery");
        let unknown = DataFile { is_invoiced: None, ..said_at("b", 5, false) };
        assert_eq!(split(vec![said_at("a", 5, false), unknown]), 2, "nobody counted");
    }

    #[test]
    fn keys_without_a_period_are_compared_across_all_batches() {
        let (plain, contested) = split_contested(Table::InvoiceLine, vec![file("a", (0, 1)), file("b", (5, 6))], &Parts::new());
        assert!(plain.is_empty());
        assert_eq!(contested.len(), 2);
    }
}
