//! Delta tables of one lake: open, create, list files, commit.
//!
//! Data files are Parquet written by [`crate::lake::write`]; this module only speaks the table log. A data file's name carries
//! the *batch* it came from (one ingested export, or one analysis); of merged files the log lists the batches ([`super::part`]). A batch is
//! visible once it stands in `core/batch` (or `marts/run`), which is committed last: readers see all of it or nothing, also after a `kill -9`.

use super::part::{self, Part};
use super::schema::Table;
use chrono::DateTime;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel as _;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake_core::kernel::{Action, Add, LogicalFileView, StructType};
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use futures::TryStreamExt as _;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use url::Url;

/// What can go wrong with a lake.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The folder is no lake.
    #[error("`{}` is not a lake: it has no `core/batch` table", path.display())]
    NotALake {
        /// The folder.
        path: PathBuf,
    },
    /// The table log could not be read or written.
    #[error("table `{table}`: could not {action}: {source}")]
    Delta {
        /// Table in question.
        table: &'static str,
        /// What was tried.
        action: &'static str,
        /// What the Delta library says.
        source: Box<DeltaTableError>,
    },
    /// A file could not be read or written.
    #[error("could not {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Rows could not be encoded.
    #[error("table `{table}`: could not {action}: {detail}")]
    Encode {
        /// Table in question.
        table: &'static str,
        /// What was tried.
        action: &'static str,
        /// What the library says.
        detail: String,
    },
}

impl LakeError {
    pub(super) fn delta(table: Table, action: &'static str, source: DeltaTableError) -> Self {
        Self::Delta { table: table.name(), action, source: Box::new(source) }
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}

/// A data file of a table version, with what planning needs to know of it.
#[derive(Clone, Debug, Default)]
pub struct DataFile {
    /// Path below the table.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Rows.
    pub rows: usize,
    /// Partition values by column.
    pub partition: BTreeMap<String, Option<String>>,
    /// The batch or the run that its name says; nothing if it was merged.
    pub batch_id: String,
    /// The batches whose rows it holds.
    pub parts: Vec<Part>,
    /// Smallest and largest `period_start`, in microseconds.
    pub period_start: Option<(i64, i64)>,
    /// Smallest and largest `recorded_at`, in microseconds.
    pub recorded_at: Option<(i64, i64)>,
    /// Whether its rows belong to statements that are replaced as a whole.
    pub is_stated: bool,
}

/// How a commit treats the files already there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Keep them.
    Append,
    /// Replace all.
    Overwrite,
    /// Replace those with this partition value.
    ReplacePartition(&'static str, String),
}

/// One lake on a file system.
#[derive(Clone, Debug)]
pub struct Lake {
    root: PathBuf,
}

impl Lake {
    /// The lake at `root`, which need not exist yet.
    ///
    /// # Errors
    /// [`LakeError::Io`] if the folder cannot be made.
    pub fn create(root: &Path) -> Result<Self, LakeError> {
        std::fs::create_dir_all(root).map_err(|e| LakeError::io("create", root, e))?;
        let root = root.canonicalize().map_err(|e| LakeError::io("resolve", root, e))?;
        Ok(Self { root })
    }

    /// An existing lake.
    ///
    /// # Errors
    /// [`LakeError::NotALake`] if nothing was ever ingested there.
    pub fn open(root: &Path) -> Result<Self, LakeError> {
        let path = root.canonicalize().map_err(|_| LakeError::NotALake { path: root.to_owned() })?;
        let lake = Self { root: path };
        if lake.folder(Table::Batch).join("_delta_log").is_dir() {
            Ok(lake)
        } else {
            Err(LakeError::NotALake { path: root.to_owned() })
        }
    }

    /// The right to write, or nothing while another process holds it; it goes with the process, however that ends.
    ///
    /// # Errors
    /// [`LakeError::Io`] if the lock file cannot be made.
    pub fn lock(&self) -> Result<Option<std::fs::File>, LakeError> {
        lock(&self.root)
    }

    /// Where the lake lies.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Folder of a table.
    #[must_use]
    pub fn folder(&self, table: Table) -> PathBuf {
        self.root.join(table.area()).join(table.name())
    }

    fn url(&self, table: Table) -> Result<Url, LakeError> {
        let folder = self.folder(table);
        Url::from_directory_path(&folder)
            .map_err(|()| LakeError::io("name as URL", &folder, std::io::Error::other("not an absolute path")))
    }

    /// The table at `version` (newest if none), or nothing if it was never written.
    ///
    /// # Errors
    /// [`LakeError::Delta`] if the log is damaged.
    pub async fn table(&self, table: Table, version: Option<u64>) -> Result<Option<DeltaTable>, LakeError> {
        if !self.folder(table).join("_delta_log").is_dir() {
            return Ok(None);
        }
        let mut builder =
            DeltaTableBuilder::from_url(self.url(table)?).map_err(|e| LakeError::delta(table, "open the table", e))?;
        if let Some(version) = version {
            builder = builder.with_version(version);
        }
        match builder.load().await {
            Ok(opened) => Ok(Some(opened)),
            Err(DeltaTableError::NotATable(_)) => Ok(None),
            Err(e) => Err(LakeError::delta(table, "read the table log", e)),
        }
    }

    /// A table whose log has not been read.
    pub(super) fn unopened(&self, table: Table) -> Result<DeltaTable, LakeError> {
        let builder = DeltaTableBuilder::from_url(self.url(table)?);
        builder.and_then(DeltaTableBuilder::build).map_err(|e| LakeError::delta(table, "open the table", e))
    }

    async fn table_or_create(&self, table: Table) -> Result<DeltaTable, LakeError> {
        if let Some(existing) = self.table(table, None).await? {
            return Ok(existing);
        }
        let folder = self.folder(table);
        std::fs::create_dir_all(&folder).map_err(|e| LakeError::io("create", &folder, e))?;
        let schema: StructType =
            table.schema().as_ref().try_into_kernel().map_err(|e: deltalake_core::arrow::error::ArrowError| {
                LakeError::Encode { table: table.name(), action: "describe the schema", detail: e.to_string() }
            })?;
        self.unopened(table)?
            .create()
            .with_table_name(table.name())
            .with_columns(schema.fields().cloned())
            .with_partition_columns(table.partition_columns().iter().copied())
            .with_save_mode(SaveMode::Ignore)
            .await
            .map_err(|e| LakeError::delta(table, "create the table", e))
    }

    /// Makes `adds` part of the table in one step.
    ///
    /// # Errors
    /// [`LakeError::Delta`] if the log cannot be written.
    pub async fn commit(&self, table: Table, adds: Vec<Add>, mode: Mode) -> Result<u64, LakeError> {
        let opened = self.table_or_create(table).await?;
        let mut actions: Vec<Action> = Vec::with_capacity(adds.len());
        if mode != Mode::Append {
            for view in views(table, &opened).await? {
                let replaced = match &mode {
                    Mode::ReplacePartition(column, value) => {
                        view.partition_values_map().get(*column).cloned().flatten().as_deref() == Some(value.as_str())
                    }
                    _ => true,
                };
                if replaced {
                    actions.push(Action::Remove(view.remove_action(true)));
                }
            }
        }
        actions.extend(adds.into_iter().map(Action::Add));
        let operation = DeltaOperation::Write {
            mode: if mode == Mode::Append { SaveMode::Append } else { SaveMode::Overwrite },
            partition_by: None,
            predicate: None,
        };
        commit(table, &opened, actions, operation).await
    }

    /// Newest version of a table, by the names in its log: cheap enough to ask every other second.
    ///
    /// # Errors
    /// [`LakeError::Delta`] if the log is damaged.
    pub async fn version(&self, table: Table) -> Result<Option<u64>, LakeError> {
        if !self.folder(table).join("_delta_log").is_dir() {
            return Ok(None);
        }
        let unopened = self.unopened(table)?;
        match unopened.log_store().get_latest_version(0).await {
            Ok(version) => Ok(Some(version)),
            // A log without its beginning, or of a table that is being made.
            Err(_) => Ok(self.table(table, None).await?.and_then(|opened| opened.version())),
        }
    }

    /// The files of a table version, in the order of their paths.
    ///
    /// # Errors
    /// [`LakeError::Delta`] if the log is damaged.
    pub async fn files(&self, table: Table, version: Option<u64>) -> Result<Vec<DataFile>, LakeError> {
        let Some(opened) = self.table(table, version).await? else { return Ok(Vec::new()) };
        let views = views(table, &opened).await?;
        let mut files: Vec<DataFile> = views
            .iter()
            .map(|view| {
                let stats: serde_json::Value = view.stats().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
                let path = view.object_store_path().to_string();
                let rows = view.num_records().unwrap_or(0);
                let nulls = |column: &str| stats.get("nullCount").and_then(|counts| counts.get(column)?.as_u64());
                let all_or_none = |without: u64| match without {
                    0 => Some(true),
                    count => (count == rows as u64).then_some(false),
                };
                let batch_id = batch_of(&path).to_owned();
                let (period_start, recorded_at) = (range(&stats, "period_start"), range(&stats, "recorded_at"));
                let is_invoiced = nulls("vendor_invoice").and_then(all_or_none);
                let alone = || Part { batch_id: batch_id.clone(), period_start, recorded_at, is_invoiced };
                let parts = if batch_id.is_empty() { merged_parts(view).unwrap_or_default() } else { vec![alone()] };
                DataFile {
                    batch_id,
                    parts,
                    path,
                    size: u64::try_from(view.size()).unwrap_or(0),
                    rows,
                    partition: HashMap::into_iter(view.partition_values_map()).collect(),
                    period_start,
                    recorded_at,
                    is_stated: nulls("statement").is_some_and(|count| count < rows as u64),
                }
            })
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }
}

/// Takes a folder's lock; nothing if another process holds it. It is free again when the file is dropped, or its process ends.
pub(crate) fn lock(folder: &Path) -> Result<Option<std::fs::File>, LakeError> {
    let path = folder.join(".lock");
    let file = std::fs::File::create(&path).map_err(|e| LakeError::io("create", &path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(e)) => Err(LakeError::io("lock", &path, e)),
    }
}

/// What the log says of each data file of the version that was opened.
pub(super) async fn views(table: Table, opened: &DeltaTable) -> Result<Vec<LogicalFileView>, LakeError> {
    let state = opened.snapshot().map_err(|e| LakeError::delta(table, "read the table log", e))?;
    let views = state.snapshot().file_views(opened.log_store().as_ref(), None);
    views.try_collect().await.map_err(|e| LakeError::delta(table, "list the files", e))
}

/// Makes actions the table's next version.
pub(super) async fn commit(
    table: Table,
    opened: &DeltaTable,
    actions: Vec<Action>,
    operation: DeltaOperation,
) -> Result<u64, LakeError> {
    let state = opened.snapshot().map_err(|e| LakeError::delta(table, "read the table log", e))?;
    // An analysis and an export ask for old versions, so that the log is never cut.
    let properties = CommitProperties::default().with_cleanup_expired_logs(Some(false));
    let commit = CommitBuilder::from(properties)
        .with_actions(actions)
        .build(Some(state), opened.log_store(), operation)
        .await
        .map_err(|e| LakeError::delta(table, "commit", e))?;
    Ok(commit.version())
}

#[expect(deprecated, reason = "the library shows a file's tags nowhere else")]
fn merged_parts(view: &LogicalFileView) -> Option<Vec<Part>> {
    part::from_tags(view.add_action().tags.as_ref())
}

/// The batch in `.../part-<batch>-<number>.parquet`.
fn batch_of(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_prefix("part-").and_then(|rest| rest.split('-').next()).unwrap_or("")
}

fn range(stats: &serde_json::Value, column: &str) -> Option<(i64, i64)> {
    let side = |side: &str| {
        let text = stats.get(side)?.get(column)?.as_str()?;
        DateTime::parse_from_rfc3339(text).ok().map(|t| t.timestamp_micros())
    };
    Some((side("minValues")?, side("maxValues")?))
}
