//! Delta tables of one lake: open, create, list files.
//!
//! Data files are Parquet written by [`crate::lake::write`]; this module only speaks the table log, and [`super::commit`] adds to it. A
//! data file's name carries the *batch* it came from (one ingested export, or one analysis) and the *attempt* that wrote it; of merged files the log
//! lists both ([`super::part`]). A batch is visible once it stands in `core/batch` (or `marts/run`), which is committed last, and of its files
//! those of the attempt that stands there: readers see all of it once or nothing, also after a `kill -9`, and also where two processes have ingested one file.

use super::lock::{WriteLock, lock};
use super::part::{self, Part};
use super::place::Place;
use super::schema::Table;
use super::store::{StoreError, in_words, local, refused};
use chrono::DateTime;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel as _;
use deltalake_core::kernel::transaction::CommitProperties;
use deltalake_core::kernel::{LogicalFileView, StructType};
use deltalake_core::protocol::SaveMode;
use deltalake_core::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use futures::TryStreamExt as _;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
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
    /// Other processes wrote to the table without a pause.
    #[error("table `{table}`: other processes kept committing to it; run the command again")]
    Contended {
        /// Table in question.
        table: &'static str,
    },
    /// What is to be committed was written too long ago.
    #[error(
        "table `{table}`: this run was held up for more than a day, and what it wrote may have been cleaned away; run the command again"
    )]
    Stale {
        /// Table in question.
        table: &'static str,
    },
    /// The lake is named by a URL that cannot be used.
    #[error(transparent)]
    Address(StoreError),
    /// An object store does not do what it is asked.
    #[error(transparent)]
    Store(#[from] StoreError),
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
    /// When it was written, in milliseconds by the clock of who did; 0 where that was not noted.
    pub written: i64,
    /// Rows.
    pub rows: usize,
    /// Partition values by column.
    pub partition: BTreeMap<String, Option<String>>,
    /// The batch or the run that its name says; nothing if it was merged.
    pub batch_id: String,
    /// The batches whose rows it holds, each with the attempt that wrote them.
    pub parts: Vec<Part>,
    /// Batches whose rows stand in it and must not be seen ([`super::visible`]).
    pub hidden: BTreeSet<String>,
    /// Smallest and largest `period_start`, in microseconds.
    pub period_start: Option<(i64, i64)>,
    /// Smallest and largest `recorded_at`, in microseconds.
    pub recorded_at: Option<(i64, i64)>,
    /// Whether its rows belong to statements that are replaced as a whole.
    pub is_stated: bool,
}

/// A table as it stands at one moment.
#[derive(Clone, Debug)]
pub struct Newest {
    /// Its version.
    pub version: u64,
    /// Its files, in the order of their paths.
    pub files: Vec<DataFile>,
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

/// One lake, in a folder or below a prefix of an object store.
#[derive(Clone, Debug)]
pub struct Lake {
    root: PathBuf,
    place: Place,
}

impl Lake {
    /// The lake at `root`, a folder or a URL, which need not exist yet.
    ///
    /// # Errors
    /// [`LakeError::Io`] if the folder cannot be made; [`LakeError::Address`] or [`LakeError::Store`] if the store cannot be written, or two
    /// writers would overwrite each other there.
    pub fn create(root: &Path) -> Result<Self, LakeError> {
        if let Some(place) = Place::of_url(root)? {
            place.check_conditional_writes()?;
            return Ok(Self::at(place));
        }
        let root = &folder_of(root);
        std::fs::create_dir_all(root).map_err(|e| LakeError::io("create", root, e))?;
        let root = root.canonicalize().map_err(|e| LakeError::io("resolve", root, e))?;
        Ok(Self::at(Place::Folder(root)))
    }

    /// An existing lake, in a folder or at a URL.
    ///
    /// # Errors
    /// [`LakeError::NotALake`] if nothing was ever ingested there; [`LakeError::Address`] or [`LakeError::Store`] if the store cannot be read.
    pub fn open(root: &Path) -> Result<Self, LakeError> {
        let not_a_lake = || LakeError::NotALake { path: root.to_owned() };
        let place = match Place::of_url(root)? {
            Some(place) => place,
            None => Place::Folder(folder_of(root).canonicalize().map_err(|_| not_a_lake())?),
        };
        let lake = Self::at(place);
        if lake.has(Table::Batch)? { Ok(lake) } else { Err(not_a_lake()) }
    }

    pub(super) fn at(place: Place) -> Self {
        let root = match &place {
            Place::Folder(folder) => folder.clone(),
            Place::Store(client) => PathBuf::from(client.url.as_str().trim_end_matches('/')),
        };
        Self { root, place }
    }

    /// The right to write, or nothing while another process holds it; it goes with the process, however that ends.
    ///
    /// A store has no locks: several processes write there at a time, and the order of their commits decides (see
    /// `src/decisions/0016`).
    ///
    /// # Errors
    /// [`LakeError::Io`] if the lock file cannot be made.
    pub fn lock(&self) -> Result<Option<WriteLock>, LakeError> {
        match &self.place {
            Place::Folder(folder) => lock(folder),
            Place::Store(_) => Ok(Some(WriteLock::of_store())),
        }
    }

    /// Whether processes may write side by side: what was read may be old when something is committed.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.place, Place::Store(_))
    }

    /// Where the lake lies, as `--lake` takes it: an absolute path, or a URL.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its files that are no table logs.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Where a table lies: a folder, or the text of a URL.
    #[must_use]
    pub fn folder(&self, table: Table) -> PathBuf {
        self.root.join(table.path())
    }

    /// Whether a table was ever written.
    ///
    /// # Errors
    /// [`LakeError::Store`] if a store does not answer.
    pub fn has(&self, table: Table) -> Result<bool, LakeError> {
        self.place.has_any(&format!("{}/_delta_log", table.path()))
    }

    /// A table whose log has not been read.
    pub(super) fn unopened(&self, table: Table) -> Result<DeltaTable, LakeError> {
        self.builder(table)?.build().map_err(|e| self.delta(table, "open the table", e))
    }

    fn builder(&self, table: Table) -> Result<DeltaTableBuilder, LakeError> {
        let failed = |e| self.delta(table, "open the table", e);
        match &self.place {
            Place::Folder(_) => {
                let folder = self.folder(table);
                let url = Url::from_directory_path(&folder)
                    .map_err(|()| LakeError::io("name as URL", &folder, std::io::Error::other("not an absolute path")))?;
                DeltaTableBuilder::from_url(url).map_err(failed)
            }
            Place::Store(client) => {
                let text = format!("{}/", client.named(&table.path()));
                let url = Url::parse(&text).map_err(|e| StoreError::new(&text, e.to_string()))?;
                let builder = DeltaTableBuilder::from_url(url.clone()).map_err(failed)?;
                Ok(builder.with_storage_backend(Arc::clone(&client.store), url))
            }
        }
    }

    /// What the Delta library says, in the words of the store where that is to blame.
    pub(super) fn delta(&self, table: Table, action: &'static str, source: DeltaTableError) -> LakeError {
        if let Place::Store(client) = &self.place {
            let url = client.named(&table.path());
            let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&source);
            while let Some(error) = cause {
                if let Some(error) = error.downcast_ref::<object_store::Error>() {
                    return refused(&url, error).into();
                }
                cause = error.source();
            }
            return StoreError::new(&url, format!("could not {action}: {}", in_words(source.to_string()))).into();
        }
        LakeError::Delta { table: table.name(), action, source: Box::new(source) }
    }

    /// Whether a table may be there: a folder is asked at once, a store when the table is opened.
    fn may_have(&self, table: Table) -> bool {
        self.is_shared() || self.folder(table).join("_delta_log").is_dir()
    }

    /// The table at `version` (newest if none), or nothing if it was never written.
    ///
    /// # Errors
    /// [`LakeError::Delta`] if the log is damaged.
    pub async fn table(&self, table: Table, version: Option<u64>) -> Result<Option<DeltaTable>, LakeError> {
        if !self.may_have(table) {
            return Ok(None);
        }
        let mut builder = self.builder(table)?;
        if let Some(version) = version {
            builder = builder.with_version(version);
        }
        match builder.load().await {
            Ok(opened) => Ok(Some(opened)),
            Err(DeltaTableError::NotATable(_)) => Ok(None),
            Err(e) => Err(self.delta(table, "read the table log", e)),
        }
    }

    pub(super) async fn table_or_create(&self, table: Table) -> Result<DeltaTable, LakeError> {
        if let Some(existing) = self.table(table, None).await? {
            return Ok(existing);
        }
        if let Place::Folder(_) = &self.place {
            let folder = self.folder(table);
            std::fs::create_dir_all(&folder).map_err(|e| LakeError::io("create", &folder, e))?;
        }
        let schema: StructType =
            table.schema().as_ref().try_into_kernel().map_err(|e: deltalake_core::arrow::error::ArrowError| {
                LakeError::Encode { table: table.name(), action: "describe the schema", detail: e.to_string() }
            })?;
        let created = self
            .unopened(table)?
            .create()
            .with_table_name(table.name())
            .with_columns(schema.fields().cloned())
            .with_partition_columns(table.partition_columns().iter().copied())
            .with_save_mode(SaveMode::Ignore)
            // Tried again, it would describe a table anew that another process has made meanwhile.
            .with_commit_properties(CommitProperties::default().with_max_retries(0))
            .await;
        match created {
            Ok(created) => Ok(created),
            Err(error) => match self.table(table, None).await? {
                Some(existing) => Ok(existing),
                None => Err(self.delta(table, "create the table", error)),
            },
        }
    }

    /// Newest version of a table, by the names in its log: cheap enough to ask every other second.
    ///
    /// # Errors
    /// [`LakeError::Delta`] if the log is damaged.
    pub async fn version(&self, table: Table) -> Result<Option<u64>, LakeError> {
        if !self.may_have(table) {
            return Ok(None);
        }
        let unopened = self.unopened(table)?;
        match unopened.log_store().get_latest_version(0).await {
            Ok(version) => Ok(Some(version)),
            // A log without its beginning, or of a table that is being made.
            Err(_) => Ok(self.table(table, None).await?.and_then(|opened| opened.version())),
        }
    }

    /// The newest version of a table and its files, both of one moment; nothing if the table was never written.
    ///
    /// # Errors
    /// [`LakeError::Delta`] if the log is damaged.
    pub async fn newest(&self, table: Table) -> Result<Option<Newest>, LakeError> {
        let Some(opened) = self.table(table, None).await? else { return Ok(None) };
        let version = opened.version().unwrap_or(0);
        Ok(Some(Newest { version, files: self.files_of(table, &opened).await? }))
    }

    /// The files of a table version, in the order of their paths.
    ///
    /// # Errors
    /// [`LakeError::Delta`] if the log is damaged.
    pub async fn files(&self, table: Table, version: Option<u64>) -> Result<Vec<DataFile>, LakeError> {
        let Some(opened) = self.table(table, version).await? else { return Ok(Vec::new()) };
        self.files_of(table, &opened).await
    }

    /// What the log says of each data file of the version that was opened.
    pub(super) async fn views(&self, table: Table, opened: &DeltaTable) -> Result<Vec<LogicalFileView>, LakeError> {
        let state = opened.snapshot().map_err(|e| self.delta(table, "read the table log", e))?;
        let views = state.snapshot().file_views(opened.log_store().as_ref(), None);
        views.try_collect().await.map_err(|e| self.delta(table, "list the files", e))
    }

    async fn files_of(&self, table: Table, opened: &DeltaTable) -> Result<Vec<DataFile>, LakeError> {
        let views = self.views(table, opened).await?;
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
                let attempt = attempt_of(&path).to_owned();
                let alone = || Part { batch_id: batch_id.clone(), attempt, period_start, recorded_at, is_invoiced };
                let parts = if batch_id.is_empty() { merged_parts(view).unwrap_or_default() } else { vec![alone()] };
                DataFile {
                    batch_id,
                    parts,
                    hidden: BTreeSet::new(),
                    path,
                    size: u64::try_from(view.size()).unwrap_or(0),
                    written: view.modification_time(),
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

#[expect(deprecated, reason = "the library shows a file's tags nowhere else")]
fn merged_parts(view: &LogicalFileView) -> Option<Vec<Part>> {
    part::from_tags(view.add_action().tags.as_ref())
}

/// What stands in `.../part-<batch>-<attempt>-<number>.parquet`.
fn parts_of(path: &str) -> impl Iterator<Item = &str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_prefix("part-").into_iter().flat_map(|rest| rest.split('-'))
}

fn batch_of(path: &str) -> &str {
    parts_of(path).next().unwrap_or("")
}

fn attempt_of(path: &str) -> &str {
    parts_of(path).nth(1).unwrap_or("")
}

/// The folder that is meant by a path, or by a `file://` URL.
fn folder_of(root: &Path) -> PathBuf {
    root.to_str().filter(|_| !root.exists()).and_then(local).unwrap_or_else(|| root.to_owned())
}

fn range(stats: &serde_json::Value, column: &str) -> Option<(i64, i64)> {
    let side = |side: &str| {
        let text = stats.get(side)?.get(column)?.as_str()?;
        DateTime::parse_from_rfc3339(text).ok().map(|t| t.timestamp_micros())
    };
    Some((side("minValues")?, side("maxValues")?))
}
