//! Where the rows of a fact are kept while others read them: in memory, or on disk where memory is limited. (On a cluster: [`super::shared`].)
//!
//! ```text
//! rows of a partition ──> memory, as long as all facts together stay within their share of the limit
//!                    └──> from then on the whole fact goes to temporary Parquet files, one of each partition; they go with the table
//! ```
//! Without a limit everything stays in memory. What is on disk costs decoding, and of that only the columns that a query asks for.
//! Batches refer to larger buffers; they are copied out of them first ([`super::compact`]), so that what is held is what is counted, and no more than
//! the rows need.

use super::compact::compact;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{DataFusionError, Result, Statistics};
use datafusion::datasource::MemTable;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer, MemoryPool, MemoryReservation, UnboundedMemoryPool};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::spill_file::{SpillFile, SpillWriter};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::{ExecutionPlan, execute_stream_partitioned};
use datafusion::prelude::SessionContext;
use deltalake_core::Path as StorePath;
use futures::TryStreamExt as _;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use std::fmt;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Rows of a row group on disk: what a writer buffers.
const ROW_GROUP_ROWS: usize = 64 << 10;

/// Memory for the facts of one session, an extension of its configuration; without it they may take what they need.
#[derive(Debug)]
pub(super) struct Room(Arc<dyn MemoryPool>);

impl Room {
    /// So many bytes for all facts together.
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(GreedyMemoryPool::new(bytes)))
    }
}

/// Whether the facts of a session have only so much room.
pub(super) fn is_limited(ctx: &SessionContext) -> bool {
    ctx.state_ref().read().config().get_extension::<Room>().is_some()
}

/// Runs a plan and keeps its rows as a table of `schema`; says how many they are.
///
/// # Errors
/// Those of the plan and of temporary files, and that memory is short.
pub(super) async fn keep(
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    schema: SchemaRef,
) -> Result<(Arc<dyn TableProvider>, usize)> {
    let room = context.session_config().get_extension::<Room>();
    let room: Arc<dyn MemoryPool> =
        room.map_or_else(|| Arc::new(UnboundedMemoryPool::default()) as _, |room| Arc::clone(&room.0));
    let runtime = context.runtime_env();
    let mut running = JoinSet::new();
    for (number, stream) in execute_stream_partitioned(plan, context)?.into_iter().enumerate() {
        let (runtime, schema) = (Arc::clone(&runtime), Arc::clone(&schema));
        let held = MemoryConsumer::new("facts").register(&room);
        running.spawn(async move { Ok::<_, DataFusionError>((number, part(stream, &runtime, &schema, held).await?)) });
    }
    let mut parts = Vec::with_capacity(running.len());
    while let Some(done) = running.join_next().await {
        parts.push(done.map_err(|e| DataFusionError::External(Box::new(e)))??);
    }
    parts.sort_by_key(|(number, _)| *number);
    let parts: Vec<Part> = parts.into_iter().map(|(_, part)| part).collect();
    let rows = parts.iter().map(Part::rows).sum();
    if parts.iter().any(|part| matches!(part, Part::Disk(_))) {
        let files = parts.into_iter().map(|part| part.on_disk(&runtime, &schema)).collect::<Result<_>>()?;
        return Ok((Arc::new(Kept::OnDisk(TableSchema::builder(schema).build(), files)), rows));
    }
    let (batches, held) = parts.into_iter().filter_map(Part::in_memory).unzip();
    Ok((Arc::new(Kept::InMemory(MemTable::try_new(schema, batches)?, held)), rows))
}

/// The rows of one partition.
enum Part {
    Memory(Vec<RecordBatch>, MemoryReservation),
    Disk(File),
}

impl Part {
    fn rows(&self) -> usize {
        match self {
            Self::Memory(batches, _) => batches.iter().map(RecordBatch::num_rows).sum(),
            Self::Disk(file) => file.rows,
        }
    }

    fn in_memory(self) -> Option<(Vec<RecordBatch>, MemoryReservation)> {
        match self {
            Self::Memory(batches, held) => Some((batches, held)),
            Self::Disk(_) => None,
        }
    }

    fn on_disk(self, runtime: &RuntimeEnv, schema: &SchemaRef) -> Result<File> {
        match self {
            Self::Memory(batches, _) => {
                let mut file = Writer::create(runtime, schema)?;
                batches.iter().try_for_each(|batch| file.write(batch))?;
                file.finish()
            }
            Self::Disk(file) => Ok(file),
        }
    }
}

async fn part(
    mut stream: SendableRecordBatchStream,
    runtime: &RuntimeEnv,
    schema: &SchemaRef,
    held: MemoryReservation,
) -> Result<Part> {
    let mut batches = Vec::new();
    while let Some(batch) = stream.try_next().await? {
        let batch = compact(&batch)?;
        if held.try_grow(batch.get_array_memory_size()).is_ok() {
            batches.push(batch);
            continue;
        }
        let mut file = Writer::create(runtime, schema)?;
        std::mem::take(&mut batches).iter().try_for_each(|batch| file.write(batch))?;
        held.free();
        file.write(&batch)?;
        while let Some(batch) = stream.try_next().await? {
            file.write(&batch)?;
        }
        return Ok(Part::Disk(file.finish()?));
    }
    Ok(Part::Memory(batches, held))
}

/// A temporary Parquet file; it is deleted when this is dropped.
struct File {
    /// Its place, as long as this is held.
    temporary: Arc<dyn SpillFile>,
    rows: usize,
    bytes: u64,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("path", &self.temporary.path()).field("rows", &self.rows).finish()
    }
}

/// A temporary file that is being written.
struct Writer {
    temporary: Arc<dyn SpillFile>,
    schema: SchemaRef,
    writer: ArrowWriter<Box<dyn SpillWriter>>,
    rows: usize,
}

impl Writer {
    fn create(runtime: &RuntimeEnv, schema: &SchemaRef) -> Result<Self> {
        let temporary = runtime.disk_manager.create_tmp_file("keeping a fact")?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::LZ4_RAW)
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(temporary.open_writer()?, Arc::clone(schema), Some(properties))?;
        Ok(Self { temporary, schema: Arc::clone(schema), writer, rows: 0 })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows();
        Ok(self.writer.write(&batch.clone().with_schema(Arc::clone(&self.schema))?)?)
    }

    fn finish(self) -> Result<File> {
        self.writer.into_inner()?.finish()?;
        let bytes = self.temporary.size().unwrap_or_default();
        Ok(File { temporary: self.temporary, rows: self.rows, bytes })
    }
}

/// A fact within the room there is.
#[derive(Debug)]
enum Kept {
    InMemory(MemTable, #[expect(dead_code, reason = "held as long as the rows, not read")] Vec<MemoryReservation>),
    OnDisk(TableSchema, Vec<File>),
}

#[async_trait]
impl TableProvider for Kept {
    fn schema(&self) -> SchemaRef {
        match self {
            Self::InMemory(table, _) => table.schema(),
            Self::OnDisk(schema, _) => Arc::clone(schema.table_schema()),
        }
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (schema, files) = match self {
            Self::InMemory(table, _) => return table.scan(state, projection, filters, limit).await,
            Self::OnDisk(schema, files) => (schema, files),
        };
        let groups = files
            .iter()
            .map(|file| {
                let mut planned = PartitionedFile::new("", file.bytes);
                let path =
                    file.temporary.path().ok_or_else(|| DataFusionError::Internal("a temporary file has no path".to_owned()))?;
                planned.object_meta.location =
                    StorePath::from_absolute_path(path).map_err(|e| DataFusionError::External(Box::new(e)))?;
                let mut statistics = Statistics::new_unknown(schema.file_schema());
                statistics.num_rows = Precision::Exact(file.rows);
                Ok(FileGroup::new(vec![planned.with_statistics(Arc::new(statistics))]))
            })
            .collect::<Result<Vec<_>>>()?;
        scan_files(state, schema, ObjectStoreUrl::local_filesystem(), groups, projection, limit).await
    }

    fn statistics(&self) -> Option<Statistics> {
        match self {
            Self::InMemory(table, _) => table.statistics(),
            Self::OnDisk(..) => None,
        }
    }
}

/// A scan of Parquet files.
pub(super) async fn scan_files(
    state: &dyn Session,
    schema: &TableSchema,
    url: ObjectStoreUrl,
    files: Vec<FileGroup>,
    projection: Option<&Vec<usize>>,
    limit: Option<usize>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let source = Arc::new(ParquetSource::new(schema.clone()));
    let config = FileScanConfigBuilder::new(url, source)
        .with_file_groups(files)
        .with_projection_indices(projection.cloned())?
        .with_limit(limit)
        .build();
    ParquetFormat::default().create_physical_plan(state, config).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::session;
    use arrow::util::pretty::pretty_format_batches;

    /// Everything that facts hold: texts short and long, decimals, lists of structs, instants, nothing.
    const ROWS: &str = "SELECT n, 'a customer with a long name ' || n AS name, CAST(n AS DECIMAL(38, 18)) / 7 AS money,
                               CASE WHEN n % 3 = 0 THEN NULL ELSE make_array(named_struct('day', DATE '2026-07-01', 'quantity', n)) END AS levels,
                               CAST(DATE '2026-07-01' AS TIMESTAMP) AS at, NULL AS nothing
                        FROM (SELECT unnest(generate_series(1, 20000)) AS n)";

    async fn kept(ctx: &SessionContext) -> (bool, String) {
        let frame = ctx.sql(ROWS).await.expect("a plan");
        let schema = crate::query::run::nullable(frame.schema().as_arrow());
        let context = Arc::new(frame.task_ctx());
        let plan = frame.create_physical_plan().await.expect("a plan");
        let (table, rows) = keep(plan, context, schema).await.expect("rows");
        assert_eq!(rows, 20_000);
        let is_on_disk = matches!(table.downcast_ref::<Kept>(), Some(Kept::OnDisk(..)));
        ctx.register_table("kept", table).expect("registered");
        let sql = "SELECT count(*), sum(money), min(name), max(at), sum(levels[1]['quantity']), count(nothing) FROM kept";
        let said = ctx.sql(sql).await.expect("a plan").collect().await.expect("rows");
        (is_on_disk, pretty_format_batches(&said).expect("text").to_string())
    }

    #[test]
    fn rows_on_disk_are_those_in_memory() {
        let runtime = tokio::runtime::Builder::new_multi_thread().thread_stack_size(crate::STACK).build().expect("a runtime");
        runtime.block_on(async {
            let (unlimited, ample, tight) = (
                session::context(2),
                session::within(2, 1 << 30).expect("a session"),
                session::within(2, 1 << 20).expect("a session"),
            );
            let (is_on_disk, expected) = kept(&unlimited).await;
            assert!(!is_on_disk);
            assert_eq!(kept(&ample).await, (false, expected.clone()));
            assert_eq!(kept(&tight).await, (true, expected));
            let manager = Arc::clone(&tight.runtime_env().disk_manager);
            drop(tight);
            assert_eq!(manager.used_disk_space(), 0, "temporary files go with the session");
        });
    }
}
