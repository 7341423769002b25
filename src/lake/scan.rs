//! Data files as a DataFusion table: the one place where the Delta log meets the query engine.
//!
//! The files are resolved by the caller, so every reader of a plan (also on another machine) reads the same version. Text columns
//! are read as views, which group and join without copying. A plan names files by URLs of their store, and makes the store known to the session
//! that runs it; a worker elsewhere must know the store by the same URL.

use super::delta::{DataFile, Lake};
use super::place::Place;
use super::schema::Table;
use super::store::Client;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use chrono::{DateTime, NaiveDate};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, DataFusionError, Result, ScalarValue, Statistics, project_schema};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions::{self as physical, Column as PhysicalColumn};
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExecBuilder;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use deltalake_core::Path as StorePath;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use url::Position;

/// The column that says whose a row is.
const BATCH: &str = "batch_id";

/// Some files of one table, readable by DataFusion: all their rows but those of batches that a file hides.
#[derive(Debug)]
pub struct FileTable {
    root: Root,
    table_schema: TableSchema,
    files: Vec<DataFile>,
}

/// Where the table lies.
#[derive(Debug)]
enum Root {
    Folder(String),
    Store { client: Arc<Client>, table: StorePath },
}

impl Root {
    fn of(lake: &Lake, table: Table) -> Self {
        match lake.place() {
            Place::Folder(_) => Self::Folder(lake.folder(table).to_string_lossy().into_owned()),
            Place::Store(client) => Self::Store { client: Arc::clone(client), table: client.at(&table.path()) },
        }
    }

    fn path(&self, file: &DataFile) -> Result<StorePath> {
        let path = match self {
            Self::Folder(folder) => StorePath::from_absolute_path(format!("{folder}/{}", file.path)),
            Self::Store { table, .. } => StorePath::parse(format!("{table}/{}", file.path)),
        };
        path.map_err(|e| DataFusionError::External(Box::new(e)))
    }

    /// The store that the engine reads from, made known to it: sessions know of disks alone.
    fn register(&self, runtime: &RuntimeEnv) -> Result<ObjectStoreUrl> {
        match self {
            Self::Folder(_) => Ok(ObjectStoreUrl::local_filesystem()),
            Self::Store { client, .. } => {
                let url = ObjectStoreUrl::parse(&client.url[..Position::BeforePath])?;
                runtime.register_object_store(url.as_ref(), Arc::clone(&client.store));
                Ok(url)
            }
        }
    }
}

impl FileTable {
    /// The table `table` of `lake`, restricted to `files`.
    #[must_use]
    pub fn new(lake: &Lake, table: Table, files: Vec<DataFile>) -> Self {
        let partition = table.partition_columns();
        let schema = table.schema();
        let (inside, outside): (Vec<&FieldRef>, Vec<&FieldRef>) =
            schema.fields().iter().partition(|field| !partition.contains(&field.name().as_str()));
        let file_schema = Arc::new(Schema::new(inside.into_iter().map(as_view).collect::<Vec<_>>()));
        let partition_fields: Vec<FieldRef> = outside.into_iter().map(|field| Arc::new(as_view(field))).collect();
        Self {
            root: Root::of(lake, table),
            table_schema: TableSchema::builder(file_schema).with_table_partition_cols(partition_fields).build(),
            files,
        }
    }

    /// The files whose folder's values satisfy the filters that ask for nothing else: a year of months is read, not all of them.
    fn pruned(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<&DataFile>> {
        let fields = self.table_schema.table_partition_cols();
        let filters: Vec<&Expr> = filters.iter().filter(|filter| is_of(fields, filter)).collect();
        if filters.is_empty() || self.files.is_empty() {
            return Ok(self.files.iter().collect());
        }
        let columns = fields
            .iter()
            .map(|field| {
                let values =
                    self.files.iter().map(|file| partition_scalar(field, &file.partition)).collect::<Result<Vec<_>>>()?;
                ScalarValue::iter_to_array(values)
            })
            .collect::<Result<Vec<_>>>()?;
        let schema: SchemaRef = Arc::new(Schema::new(fields.iter().map(|field| field.as_ref().clone()).collect::<Vec<_>>()));
        let values = RecordBatch::try_new(Arc::clone(&schema), columns)?;
        let schema = DFSchema::try_from(schema)?;
        let mut is_kept = vec![true; self.files.len()];
        for filter in filters {
            // Columns are named alone here, whatever the table is called in the query.
            let bare = filter.clone().transform(|it| {
                Ok(match it {
                    Expr::Column(column) => Transformed::yes(Expr::Column(Column::new_unqualified(column.name))),
                    other => Transformed::no(other),
                })
            })?;
            let holds = state.create_physical_expr(bare.data, &schema)?.evaluate(&values)?.into_array(self.files.len())?;
            let holds = holds.as_boolean();
            is_kept.iter_mut().enumerate().for_each(|(at, kept)| *kept &= holds.is_valid(at) && holds.value(at));
        }
        Ok(self.files.iter().zip(is_kept).filter_map(|(file, is_kept)| is_kept.then_some(file)).collect())
    }

    fn partitioned_file(&self, file: &DataFile) -> Result<PartitionedFile> {
        let path = self.root.path(file)?;
        let values = self
            .table_schema
            .table_partition_cols()
            .iter()
            .map(|field| partition_scalar(field, &file.partition))
            .collect::<Result<Vec<_>>>()?;
        let mut planned = PartitionedFile::new(path.to_string(), file.size).with_partition_values(values);
        // From text the path would be percent-encoded a second time: `lake Ü` would not be found.
        planned.object_meta.location = path;
        // The default modification time is "now" in some releases; a fixed one keeps metadata caches usable.
        planned.object_meta.last_modified = DateTime::UNIX_EPOCH;
        let mut statistics = Statistics::new_unknown(self.table_schema.file_schema());
        statistics.num_rows = datafusion::common::stats::Precision::Exact(file.rows);
        Ok(planned.with_statistics(Arc::new(statistics)))
    }
}

/// Text as views, everything else as stored.
fn as_view(field: &FieldRef) -> Field {
    if field.data_type() == &DataType::Utf8 {
        Field::new(field.name(), DataType::Utf8View, field.is_nullable())
    } else {
        field.as_ref().clone()
    }
}

fn partition_scalar(field: &FieldRef, partition: &BTreeMap<String, Option<String>>) -> Result<ScalarValue> {
    let text = partition.get(field.name()).cloned().flatten();
    if field.data_type() == &DataType::Date32 {
        let days = text
            .map(|text| {
                text.parse::<NaiveDate>()
                    .map_err(|e| DataFusionError::Execution(format!("partition {}={text}: {e}", field.name())))
            })
            .transpose()?
            .map(|date| (date - NaiveDate::default()).num_days())
            .and_then(|days| i32::try_from(days).ok());
        return Ok(ScalarValue::Date32(days));
    }
    Ok(ScalarValue::Utf8View(text))
}

#[async_trait]
impl TableProvider for FileTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.table_schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Filters on the folders' values spare whole files; all filters are applied to the rows besides.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let partition = self.table_schema.table_partition_cols();
        let supported = |filter: &&Expr| match is_of(partition, filter) {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(supported).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.pruned(state, filters)?;
        if files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(project_schema(&self.schema(), projection)?)));
        }
        let mut by_hidden: BTreeMap<&BTreeSet<String>, Vec<&DataFile>> = BTreeMap::new();
        for file in files {
            by_hidden.entry(&file.hidden).or_default().push(file);
        }
        let mut scans = Vec::with_capacity(by_hidden.len());
        for (hidden, files) in by_hidden {
            scans.push(match hidden.is_empty() {
                true => self.rows(state, &files, projection.cloned(), limit).await?,
                false => self.rows_without(state, &files, projection, hidden).await?,
            });
        }
        UnionExec::try_new(scans)
    }
}

impl FileTable {
    /// The rows of some files.
    async fn rows(
        &self,
        state: &dyn Session,
        files: &[&DataFile],
        projection: Option<Vec<usize>>,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let groups = balanced(files, state.config().target_partitions())
            .into_iter()
            .map(|files| files.iter().map(|file| self.partitioned_file(file)).collect::<Result<Vec<_>>>())
            .map(|files| files.map(FileGroup::new))
            .collect::<Result<Vec<_>>>()?;
        let url = self.root.register(state.runtime_env())?;
        let source = Arc::new(ParquetSource::new(self.table_schema.clone()));
        let config = FileScanConfigBuilder::new(url, source)
            .with_file_groups(groups)
            .with_projection_indices(projection)?
            .with_limit(limit)
            .build();
        ParquetFormat::default().create_physical_plan(state, config).await
    }

    /// The same, without the rows of batches that must not be seen.
    async fn rows_without(
        &self,
        state: &dyn Session,
        files: &[&DataFile],
        projection: Option<&Vec<usize>>,
        hidden: &BTreeSet<String>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.schema();
        let wanted = projection.cloned().unwrap_or_else(|| (0..schema.fields().len()).collect());
        let (mut read, batch) = (wanted.clone(), schema.index_of(BATCH)?);
        let at = wanted.iter().position(|&column| column == batch).unwrap_or_else(|| {
            // Behind what is asked for.
            read.push(batch);
            wanted.len()
        });
        let rows = self.rows(state, files, Some(read), None).await?;
        let batch: Arc<dyn PhysicalExpr> = Arc::new(PhysicalColumn::new(BATCH, at));
        let hidden = hidden.iter().map(|id| physical::lit(ScalarValue::Utf8View(Some(id.clone())))).collect();
        let is_seen = physical::in_list(batch, hidden, &true, &rows.schema())?;
        let asked = (0..wanted.len()).collect::<Vec<_>>();
        Ok(Arc::new(FilterExecBuilder::new(is_seen, rows).apply_projection(Some(asked))?.build()?))
    }
}

/// Whether a filter asks for nothing but the values by which files are laid in folders.
fn is_of(partition: &[FieldRef], filter: &Expr) -> bool {
    let columns = filter.column_refs();
    !columns.is_empty()
        && !filter.is_volatile()
        && columns.iter().all(|column| partition.iter().any(|field| *field.name() == column.name))
}

/// Files dealt to at most `parts` groups of about equal bytes; neighbours stay together so that sorted data stays sorted.
fn balanced<'a>(files: &[&'a DataFile], parts: usize) -> Vec<Vec<&'a DataFile>> {
    let total: u64 = files.iter().map(|f| f.size).sum();
    let share = total / parts.max(1) as u64 + 1;
    let mut groups: Vec<Vec<&'a DataFile>> = vec![Vec::new()];
    let mut filled = 0;
    for &file in files {
        if filled >= share
            && groups.len() < parts
            && let Some(last) = groups.last()
            && !last.is_empty()
        {
            groups.push(Vec::new());
            filled = 0;
        }
        filled += file.size;
        if let Some(last) = groups.last_mut() {
            last.push(file);
        }
    }
    groups
}
