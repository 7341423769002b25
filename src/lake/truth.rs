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

use super::contest::{self, Split};
use super::delivery::{self, Deliveries};
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
    let batches = read(lake, Table::Batch).await?;
    versions.extend(batches.said_by(Table::Batch));
    let visible = Visible::of(lake, batches.files.clone()).await?;
    // When a batch arrived decides between versions, so its table comes first.
    let batches = FileTable::new(lake, Table::Batch, batches.files);
    ctx.register_table(TableReference::partial("core", Table::Batch.name()), Arc::new(batches))?;
    let deliveries = delivery::register(ctx).await?;
    let core: Vec<Table> = TABLES.iter().copied().filter(|table| table.area() == "core" && *table != Table::Batch).collect();
    // A store answers after some time; all tables are asked at once. All answers are waited for, also where one is an error: a process
    // that ends meanwhile makes the Delta library's threads panic.
    let opened = join_all(core.iter().map(|&table| read(lake, table))).await;
    let mut found: BTreeMap<Table, Vec<DataFile>> = BTreeMap::new();
    for (table, opened) in core.into_iter().zip(opened) {
        let mut opened = opened?;
        // Sums are no table of their own to readers: only those of files that count as a whole are true.
        if table != Table::UsageSum {
            versions.extend(opened.said_by(table));
            visible.keep(&mut opened.files);
        }
        found.insert(table, opened.files);
    }
    let sums = found.remove(&Table::UsageSum).unwrap_or_default();
    for (table, files) in found {
        if !table.is_ingested() {
            let rows = FileTable::new(lake, table, files);
            ctx.register_table(TableReference::partial("core", table.name()), Arc::new(rows))?;
            continue;
        }
        register_versions(ctx, lake, table, files, &deliveries, &sums, as_of).await?;
    }
    Ok(versions)
}

/// The files of a table, and the version that last changed what it says: of the same moment, whoever writes or optimises meanwhile.
#[derive(Default)]
struct Read {
    version: Option<u64>,
    files: Vec<DataFile>,
}

impl Read {
    fn said_by(&self, table: Table) -> Option<(String, u64)> {
        self.version.map(|version| (table.name().to_owned(), version))
    }
}

async fn read(lake: &Lake, table: Table) -> Result<Read, LakeError> {
    let Some(newest) = lake.newest(table).await? else { return Ok(Read::default()) };
    let version = lake.content_version_at(table, newest.version).await?;
    Ok(Read { version: Some(version), files: newest.files })
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
    deliveries: &Deliveries,
    sums: &[DataFile],
    as_of: Option<DateTime<Utc>>,
) -> Result<(), TruthError> {
    let limit = as_of.map(|t| t.timestamp_micros());
    // Reference data without a date of its own is known at all times, so its files are never skipped.
    let skipped_from = limit.filter(|_| !is_reference(table));
    if let Some(limit) = skipped_from {
        files.retain(|file| file.recorded_at.is_none_or(|(first, _)| first <= limit));
    }
    let needs_filter = limit.is_some_and(|limit| files.iter().any(|file| file.recorded_at.is_none_or(|(_, last)| last > limit)));
    let moment = as_of.map(|as_of| format!("TIMESTAMP '{}'", as_of.format("%Y-%m-%dT%H:%M:%S%.6fZ")));
    let filter = match moment.as_ref().filter(|_| needs_filter) {
        Some(moment) => format!("(recorded_at <= {moment} OR is_always_known)"),
        None => "true".to_owned(),
    };
    let (stated, files) = files.into_iter().partition(|file| file.is_stated);
    let Split { plain, contested, mixed, is_contested } = contest::split(table, files, deliveries, skipped_from);
    let name = table.name();
    let (has_mixed, has_stated) = (!mixed.is_empty(), !stated.is_empty());
    let has_contested = has_mixed || !contested.is_empty();
    let whole = |file: &DataFile| limit.is_none_or(|limit| file.recorded_at.is_some_and(|(_, last)| last <= limit));
    let summed = (table == usage_sum::OF).then(|| Summed::of(&plain, sums, whole));
    for (part, files) in [("plain", plain), ("contested", contested), ("mixed", mixed), ("stated", stated)] {
        let reference = TableReference::partial("core_history", format!("_{name}_{part}"));
        ctx.register_table(reference, Arc::new(FileTable::new(lake, table, files)))?;
    }
    let columns: Vec<String> = table.schema().fields().iter().map(|f| f.name().clone()).collect();
    let columns = columns.join(", ");
    let rows = |part: &str| {
        let whole = format!("SELECT {columns} FROM core_history._{name}_{part} WHERE {filter}");
        let of_mixed = match part {
            "plain" | "unsummed" if has_mixed => format!("NOT ({is_contested})"),
            "contested" if has_mixed => format!("({is_contested})"),
            _ => return whole,
        };
        format!("{whole} UNION ALL SELECT {columns} FROM core_history._{name}_mixed WHERE {filter} AND {of_mixed}")
    };
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
        let has_unsummed = has_mixed || !unsummed.is_empty();
        for (part, of, files) in [("sums", Table::UsageSum, sums), ("unsummed", table, unsummed)] {
            let reference = TableReference::partial("core_history", format!("_{name}_{part}"));
            ctx.register_table(reference, Arc::new(FileTable::new(lake, of, files)))?;
        }
        let of_sums = format!("core_history._{name}_sums");
        let arrived = |of: &str| format!("SELECT system, provider, service_month, batch_id, recorded_at FROM {of}");
        let mut arrivals = arrived(&of_sums);
        if has_unsummed {
            arrivals += &format!(" UNION ALL {}", arrived(&format!("({})", rows("unsummed"))));
        }
        let arrivals = version_span::arrival_query(&arrivals, others.0, others.1, others.2);
        view(ctx, "core_history", version_span::ARRIVAL, &arrivals).await?;
        let mut unsummed: Vec<String> = has_unsummed.then(|| rows("unsummed")).into_iter().collect();
        unsummed.extend(known.iter().skip(1).cloned());
        let mut sums = vec![format!("SELECT {} FROM {of_sums}", usage_sum::column_list())];
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
                // A merged file may hold rows of a batch that is hidden, and so may its sums.
                Some(&found) => summed.sums.push(DataFile { hidden: file.hidden.clone(), ..found.clone() }),
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
