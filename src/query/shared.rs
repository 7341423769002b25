//! Where the rows of a fact are kept in an analysis on a cluster: Parquet files in its work folder, which every executor can read.
//!
//! The client writes them, from the rows that a job returns, in parts of [`ROWS`] rows, so that those who read them share the work. A job that is
//! asked for again writes other files; the table names only those of the attempt that came to its end. The folder goes with the analysis.

use super::compact::compact;
use super::kept::scan_files;
use crate::cluster::Cluster;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use chrono::DateTime;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{DataFusionError, Result, Statistics, project_schema};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::FileGroup;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use futures::future::BoxFuture;
use futures::{FutureExt as _, TryStreamExt as _};
use object_store::ObjectStore;
use object_store::buffered::BufWriter;
use object_store::path::Path as StorePath;
use parquet::arrow::AsyncArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use std::sync::Arc;

/// Rows of a file.
const ROWS: usize = 1 << 20;
/// Rows of a row group: what one thread decodes at least.
const ROW_GROUP_ROWS: usize = 128 << 10;

/// Runs a plan, on the cluster if it reads much, and keeps its rows as a table of `schema`; says how many they are.
///
/// # Errors
/// Those of the plan, of the cluster and of the store.
pub(super) fn keep(
    cluster: &Arc<Cluster>,
    name: &str,
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    schema: SchemaRef,
) -> BoxFuture<'static, Result<(Arc<dyn TableProvider>, usize)>> {
    let (url, place) = cluster.place();
    let folder = place.clone().join("facts").join(name);
    let store = context.runtime_env().object_store(&url);
    let mut job = cluster.job(&format!("facts.{name}"), plan, context);
    async move {
        let store = store?;
        let files = 'attempt: loop {
            let mut rows = job.rows().await?;
            let mut parts = Parts {
                store: Arc::clone(&store),
                schema: Arc::clone(&schema),
                folder: folder.clone(),
                attempt: job.attempt(),
                open: None,
                files: Vec::new(),
            };
            loop {
                match rows.try_next().await {
                    Ok(Some(batch)) if batch.num_rows() > 0 => parts.write(&compact(&batch)?).await?,
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    // What cannot be written is no fault of the cluster's, and is not asked for again.
                    Err(error) => {
                        job.lost(error)?;
                        continue 'attempt;
                    }
                }
            }
            parts.close().await?;
            break parts.files;
        };
        let rows = files.iter().map(|file| file.rows).sum();
        let table: Arc<dyn TableProvider> = Arc::new(Shared { schema: TableSchema::builder(schema).build(), url, files });
        Ok((table, rows))
    }
    .boxed()
}

/// One file of a fact.
#[derive(Debug)]
struct File {
    path: StorePath,
    rows: usize,
    bytes: u64,
}

/// The files of one attempt.
struct Parts {
    store: Arc<dyn ObjectStore>,
    schema: SchemaRef,
    folder: StorePath,
    attempt: usize,
    open: Option<(StorePath, AsyncArrowWriter<BufWriter>, usize)>,
    files: Vec<File>,
}

impl Parts {
    async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = batch.clone().with_schema(Arc::clone(&self.schema))?;
        if self.open.is_none() {
            let path = self.folder.clone().join(format!("{}-{}.parquet", self.attempt, self.files.len()));
            let properties = WriterProperties::builder()
                .set_compression(Compression::LZ4_RAW)
                .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
                .build();
            let file = BufWriter::new(Arc::clone(&self.store), path.clone());
            self.open = Some((path, AsyncArrowWriter::try_new(file, Arc::clone(&self.schema), Some(properties))?, 0));
        }
        let Some((_, writer, rows)) = &mut self.open else { return Ok(()) };
        writer.write(&batch).await?;
        *rows += batch.num_rows();
        if *rows >= ROWS { self.close().await } else { Ok(()) }
    }

    async fn close(&mut self) -> Result<()> {
        let Some((path, mut writer, rows)) = self.open.take() else { return Ok(()) };
        writer.finish().await?;
        let bytes = u64::try_from(writer.bytes_written()).map_err(|e| DataFusionError::External(Box::new(e)))?;
        self.files.push(File { path, rows, bytes });
        Ok(())
    }
}

/// A fact in the work folder.
#[derive(Debug)]
struct Shared {
    schema: TableSchema,
    url: ObjectStoreUrl,
    files: Vec<File>,
}

#[async_trait]
impl TableProvider for Shared {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if self.files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(project_schema(&self.schema(), projection)?)));
        }
        let groups = self.files.iter().map(|file| {
            let mut planned = PartitionedFile::new("", file.bytes);
            planned.object_meta.location = file.path.clone();
            planned.object_meta.last_modified = DateTime::UNIX_EPOCH;
            let mut statistics = Statistics::new_unknown(self.schema.file_schema());
            statistics.num_rows = Precision::Exact(file.rows);
            FileGroup::new(vec![planned.with_statistics(Arc::new(statistics))])
        });
        scan_files(state, &self.schema, self.url.clone(), groups.collect(), projection, limit).await
    }
}
