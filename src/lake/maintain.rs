//! What maintenance asks of a table beside reading and appending: other files for the same rows, checkpoints, and what no version needs.
//!
//! A rewrite changes no row. It is committed as Delta's `OPTIMIZE`, so that [`Lake::content_version`] tells what a table *says* by version: an
//! analysis names its inputs by that, and is the same analysis before and after.

use super::delta::{Lake, LakeError, commit, views};
use super::schema::Table;
use chrono::{DateTime, Utc};
use deltalake_core::Path as StorePath;
use deltalake_core::kernel::{Action, Add};
use deltalake_core::logstore::LogStoreRef;
use deltalake_core::protocol::DeltaOperation;
use deltalake_core::protocol::checkpoints::create_checkpoint;
use object_store::ObjectStoreExt as _;
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;

/// Name of the operation in Delta's log.
const REWRITE: &str = "OPTIMIZE";

/// A data file as it lies there.
#[derive(Clone, Debug)]
pub struct Lying {
    /// Path below the table.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub modified: DateTime<Utc>,
}

impl Lake {
    /// Puts `adds` in the place of `removed` files, which hold the same rows, in one step: readers see the ones or the others. Without
    /// either it only tells watchers that files have moved.
    ///
    /// # Errors
    /// [`LakeError`] if the table was never written, does not name one of `removed`, or its log cannot be written.
    pub async fn replace(
        &self,
        table: Table,
        removed: &HashSet<String>,
        adds: Vec<Add>,
        target_size: i64,
    ) -> Result<u64, LakeError> {
        let missing =
            |detail: &str| LakeError::Encode { table: table.name(), action: "replace data files", detail: detail.to_owned() };
        let opened = self.table(table, None).await?.ok_or_else(|| missing("it was never written"))?;
        let mut actions: Vec<Action> = Vec::with_capacity(removed.len() + adds.len());
        if !removed.is_empty() {
            let views = views(table, &opened).await?;
            let named = views.iter().filter(|view| removed.contains(view.object_store_path().as_ref()));
            actions.extend(named.map(|view| Action::Remove(view.remove_action(false))));
            if actions.len() != removed.len() {
                return Err(missing("another process has removed some of them"));
            }
        }
        actions.extend(adds.into_iter().map(|add| Action::Add(Add { data_change: false, ..add })));
        commit(table, &opened, actions, DeltaOperation::Optimize { predicate: None, target_size }).await
    }

    /// Newest version of a table that changed what it says: rewrites are not counted.
    ///
    /// # Errors
    /// [`LakeError::Delta`] if the log is damaged.
    pub async fn content_version(&self, table: Table) -> Result<Option<u64>, LakeError> {
        let Some(mut version) = self.version(table).await? else { return Ok(None) };
        let log = self.unopened(table)?.log_store();
        while version > 0 {
            // A version that stands in a checkpoint alone is taken as it is.
            let Some(actions) = entry(table, &log, version).await? else { break };
            let is_rewrite = actions.iter().any(|action| action["commitInfo"]["operation"] == REWRITE);
            if !is_rewrite {
                break;
            }
            version -= 1;
        }
        Ok(Some(version))
    }

    /// Sums the log up to now, so that it opens fast, if it has grown by `commits` since it was last summed up. Whether it was.
    ///
    /// # Errors
    /// [`LakeError::Delta`] if the log cannot be read or written.
    pub async fn checkpoint(&self, table: Table, commits: u64) -> Result<bool, LakeError> {
        let Some(opened) = self.table(table, None).await? else { return Ok(false) };
        let last = match opened.log_store().object_store(None).get(&StorePath::from("_delta_log/_last_checkpoint")).await {
            Ok(found) => {
                let text = found.bytes().await.map_err(|e| LakeError::delta(table, "read the last checkpoint", e.into()))?;
                serde_json::from_slice::<Value>(&text).ok().and_then(|hint| hint["version"].as_u64())
            }
            Err(_) => None,
        };
        if opened.version().unwrap_or(0) < last.unwrap_or(0) + commits {
            return Ok(false);
        }
        create_checkpoint(&opened, None).await.map_err(|e| LakeError::delta(table, "write a checkpoint", e))?;
        Ok(true)
    }

    /// Files that versions of the table named after `since`, and the newest one does not; nothing if the log does not reach back so far.
    ///
    /// # Errors
    /// [`LakeError::Delta`] if the log is damaged.
    pub async fn removed_since(&self, table: Table, since: DateTime<Utc>) -> Result<Option<HashSet<String>>, LakeError> {
        let mut removed = HashSet::new();
        let Some(newest) = self.version(table).await? else { return Ok(Some(removed)) };
        let log = self.unopened(table)?.log_store();
        for version in (0..=newest).rev() {
            let Some(actions) = entry(table, &log, version).await? else { return Ok(None) };
            let at = actions.iter().find_map(|action| action["commitInfo"]["timestamp"].as_i64());
            if at.is_some_and(|at| at <= since.timestamp_millis()) {
                break;
            }
            removed.extend(actions.into_iter().filter_map(|action| match serde_json::from_value(action) {
                Ok(Action::Remove(remove)) => Some(remove.path),
                _ => None,
            }));
        }
        Ok(Some(removed))
    }

    /// Opens a data file.
    ///
    /// # Errors
    /// [`LakeError::Io`] if it is not there.
    pub fn open_data(&self, table: Table, path: &str) -> Result<File, LakeError> {
        let path = self.folder(table).join(path);
        File::open(&path).map_err(|e| LakeError::io("read", &path, e))
    }

    /// The data files in a table's folder, whether a version names them or not, by path.
    ///
    /// # Errors
    /// [`LakeError::Io`] if the folder cannot be read.
    pub fn lying(&self, table: Table) -> Result<BTreeMap<String, Lying>, LakeError> {
        let folder = self.folder(table);
        let mut found = BTreeMap::new();
        if !folder.is_dir() {
            return Ok(found);
        }
        for entry in walkdir::WalkDir::new(&folder).into_iter().filter_entry(|entry| entry.file_name() != "_delta_log") {
            let entry = entry.map_err(|e| LakeError::io("list", &folder, e.into()))?;
            let is_data = entry.file_type().is_file() && entry.path().extension().is_some_and(|kind| kind == "parquet");
            if let (true, Ok(path)) = (is_data, entry.path().strip_prefix(&folder)) {
                let meta = entry.metadata().map_err(|e| LakeError::io("list", entry.path(), e.into()))?;
                let modified = meta.modified().map_err(|e| LakeError::io("list", entry.path(), e))?;
                let path = path.to_string_lossy().replace('\\', "/");
                found.insert(path.clone(), Lying { path, size: meta.len(), modified: modified.into() });
            }
        }
        Ok(found)
    }

    /// Removes a data file that no version needs.
    ///
    /// # Errors
    /// [`LakeError::Io`] if it cannot be removed.
    pub fn remove_data(&self, table: Table, path: &str) -> Result<(), LakeError> {
        let path = self.folder(table).join(path);
        std::fs::remove_file(&path).map_err(|e| LakeError::io("remove", &path, e))
    }
}

/// The actions of one version; nothing if its entry is gone.
async fn entry(table: Table, log: &LogStoreRef, version: u64) -> Result<Option<Vec<Value>>, LakeError> {
    let bytes = log.read_commit_entry(version).await.map_err(|e| LakeError::delta(table, "read the table log", e))?;
    let Some(bytes) = bytes else { return Ok(None) };
    // Adds are many, and nobody here asks for them.
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(b"{\"add\""));
    let parsed: Result<Vec<Value>, _> = lines.map(serde_json::from_slice).collect();
    let damaged = |e: serde_json::Error| LakeError::Encode {
        table: table.name(),
        action: "read the table log",
        detail: format!("version {version}: {e}"),
    };
    parsed.map(Some).map_err(damaged)
}
