//! Commits of several writers to one table: none is lost, and none is made twice.
//!
//! A commit is made on the version that was read, or not at all: it is the object `_delta_log/<version + 1>.json`, which is created only if
//! it is not there (a link on a disk, `If-None-Match: *` in a store). Who comes second reads the newer version and makes its commit
//! anew on that, so that what it replaces is what stands there, never what stood there before.
//!
//! ```text
//! read version v ─> actions for v ─> create v + 1 ─┬─> done
//!        ^                                         └─> taken: whose mark is in it? ours: done, another's ─┐
//!        └──────────────────── a pause ─────────────────────────────────────────────────────────────────┘
//! ```
//! A store may carry out a request and lose the answer; the client asks again and hears "taken". So every commit bears a mark
//! of its own, and who is refused looks for it in the versions since.
//!
//! Cost: one listing and one request per commit; for each writer that comes first, the same again.

use super::delta::{Lake, LakeError, Mode};
use super::schema::Table;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake_core::kernel::{Action, Add};
use deltalake_core::logstore::LogStore;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaTable, DeltaTableError};
use futures::TryStreamExt as _;
use memchr::memmem;
use std::time::Duration;

/// How often others may come first before a command gives up.
pub(crate) const TRIES: u32 = 60;
/// The longest pause between two tries; it grows up to that, and is drawn by lot so that writers do not march in step.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Where a commit bears its mark.
const MARK: &str = "shortfallCommit";

impl Lake {
    /// Makes `adds` part of the table in one step, on whatever is its newest version.
    ///
    /// # Errors
    /// [`LakeError::Delta`] if the log cannot be written, [`LakeError::Contended`] if others come first again and again.
    pub async fn commit(&self, table: Table, adds: Vec<Add>, mode: Mode) -> Result<u64, LakeError> {
        for tried in 0..TRIES {
            let opened = self.table_or_create(table).await?;
            if let Some(version) = self.commit_on(table, &opened, &adds, &mode).await? {
                return Ok(version);
            }
            pause(tried).await;
        }
        Err(LakeError::Contended { table: table.name() })
    }

    /// The same on the version that was read (none: there was no table), or nothing if the table has moved on since.
    ///
    /// # Errors
    /// [`LakeError::Delta`] if the log cannot be written.
    pub async fn commit_after(
        &self,
        table: Table,
        read: Option<u64>,
        adds: Vec<Add>,
        mode: Mode,
    ) -> Result<Option<u64>, LakeError> {
        let opened = self.table_or_create(table).await?;
        // The first version is the table itself, without a row.
        if opened.version().unwrap_or(0) != read.unwrap_or(0) {
            return Ok(None);
        }
        self.commit_on(table, &opened, &adds, &mode).await
    }

    async fn commit_on(&self, table: Table, opened: &DeltaTable, adds: &[Add], mode: &Mode) -> Result<Option<u64>, LakeError> {
        let state = opened.snapshot().map_err(|e| self.delta(table, "read the table log", e))?;
        let log_store = opened.log_store();
        let mut actions: Vec<Action> = Vec::with_capacity(adds.len());
        if *mode != Mode::Append {
            let views: Vec<_> = state
                .snapshot()
                .file_views(log_store.as_ref(), None)
                .try_collect()
                .await
                .map_err(|e| self.delta(table, "list the files", e))?;
            for view in views {
                let replaced = match mode {
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
        actions.extend(adds.iter().cloned().map(Action::Add));
        let operation = DeltaOperation::Write {
            mode: if *mode == Mode::Append { SaveMode::Append } else { SaveMode::Overwrite },
            partition_by: None,
            predicate: None,
        };
        let mark = format!("{:016x}", rand::random::<u64>());
        // Tries are counted here: the library would put the same actions on a version that they were not made for.
        let properties = CommitProperties::default()
            .with_max_retries(0)
            .with_metadata([(MARK.to_owned(), mark.as_str().into())])
            .with_cleanup_expired_logs(Some(false));
        let done = CommitBuilder::from(properties).with_actions(actions).build(Some(state), log_store.clone(), operation).await;
        let error = match done {
            Ok(commit) => return Ok(Some(commit.version())),
            Err(error) => error,
        };
        // What failed may have been done: the answer was lost, or what failed came after (a checkpoint).
        match landed(log_store.as_ref(), opened.version().unwrap_or(0), &mark).await {
            Ok(Some(version)) => Ok(Some(version)),
            Ok(None) if is_taken(&error) => Ok(None),
            _ => Err(self.delta(table, "commit", error)),
        }
    }
}

/// The version after `base` that bears the mark.
async fn landed(log: &dyn LogStore, base: u64, mark: &str) -> Result<Option<u64>, DeltaTableError> {
    let mut version = base + 1;
    while let Some(entry) = log.read_commit_entry(version).await? {
        if memmem::find(&entry, mark.as_bytes()).is_some() {
            return Ok(Some(version));
        }
        version += 1;
    }
    Ok(None)
}

/// Whether another commit has taken the version.
fn is_taken(error: &DeltaTableError) -> bool {
    match error {
        DeltaTableError::VersionAlreadyExists(_) => true,
        DeltaTableError::Transaction { source } => matches!(
            source,
            TransactionError::MaxCommitAttempts(_) | TransactionError::CommitConflict(_) | TransactionError::VersionAlreadyExists(_)
        ),
        _ => false,
    }
}

/// Lets others finish.
pub(crate) async fn pause(tried: u32) {
    let longest = Duration::from_millis(20).saturating_mul(1 << tried.min(10)).min(LONGEST_PAUSE);
    tokio::time::sleep(longest.mul_f64(rand::random())).await;
}
