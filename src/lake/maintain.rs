//! What maintenance asks of a table beside reading and appending: other files for the same rows, checkpoints, and what no version needs.
//!
//! A rewrite changes no row. It is committed as Delta's `OPTIMIZE`, so that [`Lake::content_version`] tells what a table *says* by version: an
//! analysis names its inputs by that, and is the same analysis before and after.

use super::commit::{TRIES, pause};
use super::delta::{Lake, LakeError};
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

/// Name of the operation in Delta's log.
const REWRITE: &str = "OPTIMIZE";

/// A data file as it lies there.
#[derive(Clone, Debug)]
pub struct LyingFile {
    /// Path below the table.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub modified: DateTime<Utc>,
}

impl Lake {
    /// Puts `adds` in the place of `removed` files, which hold the same rows, in one step: readers see the ones or the others. Without
    /// either it only tells watchers that files have moved. Nothing is done if the table does not name all of `removed` any more, as
    /// another process has merged or replaced them.
    ///
    /// # Errors
    /// [`LakeError`] if the table was never written, its log cannot be written, or others commit to it again and again.
    pub async fn replace(
        &self,
        table: Table,
        removed: &HashSet<String>,
        adds: Vec<Add>,
        target_size: i64,
    ) -> Result<Option<u64>, LakeError> {
        let adds: Vec<Add> = adds.into_iter().map(|add| Add { data_change: false, ..add }).collect();
        for tried in 0..TRIES {
            let missing = || LakeError::Encode {
                table: table.name(),
                action: "replace data files",
                detail: "it was never written".to_owned(),
            };
            let opened = self.table(table, None).await?.ok_or_else(missing)?;
            let mut actions: Vec<Action> = Vec::with_capacity(removed.len() + adds.len());
            if !removed.is_empty() {
                let views = self.views(table, &opened).await?;
                let named = views.iter().filter(|view| removed.contains(view.object_store_path().as_ref()));
                actions.extend(named.map(|view| Action::Remove(view.remove_action(false))));
                if actions.len() != removed.len() {
                    return Ok(None);
                }
            }
            actions.extend(adds.iter().cloned().map(Action::Add));
            let operation = DeltaOperation::Optimize { predicate: None, target_size };
            if let Some(version) = self.commit_actions(table, &opened, actions, operation).await? {
                return Ok(Some(version));
            }
            pause(tried).await;
        }
        Err(LakeError::Contended { table: table.name() })
    }

    /// Newest version of a table that changed what it says: rewrites are not counted.
    ///
    /// # Errors
    /// [`LakeError::Delta`] if the log is damaged.
    pub async fn content_version(&self, table: Table) -> Result<Option<u64>, LakeError> {
        match self.version(table).await? {
            Some(version) => self.content_version_at(table, version).await.map(Some),
            None => Ok(None),
        }
    }

    /// The version up to `version` that last changed what the table says.
    ///
    /// # Errors
    /// [`LakeError::Delta`] if the log is damaged.
    pub(super) async fn content_version_at(&self, table: Table, mut version: u64) -> Result<u64, LakeError> {
        let log = self.unopened(table)?.log_store();
        while version > 0 {
            // A version that stands in a checkpoint alone is taken as it is.
            let Some(actions) = self.entry(table, &log, version).await? else { break };
            let is_rewrite = actions.iter().any(|action| action["commitInfo"]["operation"] == REWRITE);
            if !is_rewrite {
                break;
            }
            version -= 1;
        }
        Ok(version)
    }

    /// Sums the log up to now, so that it opens fast, if it has grown by `commits` since it was last summed up. Whether it was.
    ///
    /// # Errors
    /// [`LakeError::Delta`] if the log cannot be read or written.
    pub async fn checkpoint(&self, table: Table, commits: u64) -> Result<bool, LakeError> {
        let Some(opened) = self.table(table, None).await? else { return Ok(false) };
        let last = match opened.log_store().object_store(None).get(&StorePath::from("_delta_log/_last_checkpoint")).await {
            Ok(found) => {
                let text = found.bytes().await.map_err(|e| self.delta(table, "read the last checkpoint", e.into()))?;
                serde_json::from_slice::<Value>(&text).ok().and_then(|hint| hint["version"].as_u64())
            }
            Err(_) => None,
        };
        if opened.version().unwrap_or(0) < last.unwrap_or(0) + commits {
            return Ok(false);
        }
        create_checkpoint(&opened, None).await.map_err(|e| self.delta(table, "write a checkpoint", e))?;
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
            let Some(actions) = self.entry(table, &log, version).await? else { return Ok(None) };
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

    /// The data files below a table, whether a version names them or not, by path.
    ///
    /// # Errors
    /// [`LakeError`] if they cannot be listed.
    pub fn lying(&self, table: Table) -> Result<BTreeMap<String, LyingFile>, LakeError> {
        let folder = format!("{}/", table.path());
        let data = self.place().list(&table.path())?.into_iter().filter(|file| file.name.ends_with(".parquet"));
        let of_table = data.filter_map(|file| {
            let path = file.name.strip_prefix(&folder)?.to_owned();
            Some((path.clone(), LyingFile { path, size: file.size, modified: file.modified }))
        });
        Ok(of_table.collect())
    }

    /// Removes data files that no version needs.
    ///
    /// # Errors
    /// [`LakeError`] if one cannot be removed.
    pub fn remove_data<'a>(&self, table: Table, paths: impl Iterator<Item = &'a str>) -> Result<(), LakeError> {
        let names: Vec<String> = paths.map(|path| table.file(path)).collect();
        self.place().remove_all(&names)
    }

    /// The actions of one version; nothing if its entry is gone.
    async fn entry(&self, table: Table, log: &LogStoreRef, version: u64) -> Result<Option<Vec<Value>>, LakeError> {
        let bytes = log.read_commit_entry(version).await.map_err(|e| self.delta(table, "read the table log", e))?;
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
}
