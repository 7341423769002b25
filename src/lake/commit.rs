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
use super::write::written_now;
use chrono::TimeDelta;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake_core::kernel::{Action, Add};
use deltalake_core::logstore::LogStore;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaTable, DeltaTableError};
use memchr::memmem;
use std::time::Duration;

/// How often others may come first before a command gives up.
pub(crate) const TRIES: u32 = 60;
/// The longest pause between two tries; it grows up to that, and is drawn by lot so that writers do not march in step.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long files in a store may wait until they count. Nothing tells others of them, so whoever removes what stopped runs have left goes by age alone
/// ([`super::unnamed`], [`crate::optimize`]): who was held up for longer (a machine asleep) writes its files again.
pub(crate) const UNCOMMITTED: TimeDelta = TimeDelta::hours(24);
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
        let mut actions: Vec<Action> = Vec::with_capacity(adds.len());
        if *mode != Mode::Append {
            for view in self.views(table, opened).await? {
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
        self.commit_actions(table, opened, actions, operation).await
    }

    /// Refuses to go on with files that were written so long ago, by the same clock, that `optimize` may have taken them for what a stopped run
    /// left.
    ///
    /// # Errors
    /// [`LakeError::Stale`], in a store only: in a folder `optimize` waits for the lock.
    pub(crate) fn refuse_stale(&self, table: Table, written: i64) -> Result<(), LakeError> {
        if self.is_shared() && written_now() - written > UNCOMMITTED.num_milliseconds() {
            return Err(LakeError::Stale { table: table.name() });
        }
        Ok(())
    }

    /// Makes actions the version after the one that was opened, or does nothing if the table has moved on since.
    pub(super) async fn commit_actions(
        &self,
        table: Table,
        opened: &DeltaTable,
        actions: Vec<Action>,
        operation: DeltaOperation,
    ) -> Result<Option<u64>, LakeError> {
        let state = opened.snapshot().map_err(|e| self.delta(table, "read the table log", e))?;
        let log_store = opened.log_store();
        for action in &actions {
            if let Action::Add(add) = action {
                self.refuse_stale(table, add.modification_time)?;
            }
        }
        let mark = format!("{:016x}", rand::random::<u64>());
        // Tries are counted here: the library would put the same actions on a version that they were not made for. An analysis and an
        // export ask for old versions, so that the log is never cut.
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
            TransactionError::MaxCommitAttempts(_)
                | TransactionError::CommitConflict(_)
                | TransactionError::VersionAlreadyExists(_)
        ),
        _ => false,
    }
}

/// Lets others finish.
pub(crate) async fn pause(tried: u32) {
    let longest = Duration::from_millis(20).saturating_mul(1 << tried.min(10)).min(LONGEST_PAUSE);
    tokio::time::sleep(longest.mul_f64(rand::random())).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::delta::DataFile;
    use crate::lake::place::Place;
    use crate::lake::store::Client;
    use crate::lake::write::TableWriter;
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use object_store::ObjectStoreExt as _;
    use object_store::memory::InMemory;
    use std::collections::{BTreeSet, HashSet};
    use std::sync::Arc;
    use url::Url;

    const WRITERS: usize = 6;
    const COMMITS: usize = 6;
    /// After so many versions the library writes a checkpoint.
    const CHECKPOINT: usize = 100;

    /// An empty lake in a folder, and one in a store.
    fn lakes() -> (tempfile::TempDir, [Lake; 2]) {
        let folder = tempfile::tempdir().expect("a folder");
        let local = Lake::create(folder.path()).expect("a lake");
        (folder, [local, in_store(Arc::new(InMemory::new()))])
    }

    fn in_store(store: Arc<InMemory>) -> Lake {
        let url = Url::parse("s3://bucket/a/lake/").expect("a URL");
        Lake::at(Place::of_client(Client { store, url, location: "a/lake".into() }))
    }

    /// A file of one row.
    fn file(lake: &Lake, batch: &str) -> Vec<Add> {
        let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
        let columns = vec![text(batch), Arc::new(Int64Array::from(vec![1])), text("a"), text("b"), text("c")];
        let row = RecordBatch::try_new(Table::Reject.schema(), columns).expect("a row");
        let mut writer = TableWriter::new(lake, Table::Reject, batch, "0");
        writer.push(&row).and_then(|()| writer.finish()).expect("a file").files
    }

    /// The versions that writers at the same time get for their commits, each with its batch.
    async fn raced(lake: &Lake, mode: &Mode) -> Vec<(u64, String)> {
        let writer = |writer: usize| {
            let (lake, mode) = (lake.clone(), mode.clone());
            tokio::spawn(async move {
                let mut versions = Vec::new();
                for commit in 0..COMMITS {
                    let batch = format!("{writer}x{commit}");
                    let version = lake.commit(Table::Reject, file(&lake, &batch), mode.clone()).await.expect("committed");
                    versions.push((version, batch));
                }
                versions
            })
        };
        let writers: Vec<_> = (0..WRITERS).map(writer).collect();
        let mut versions = Vec::new();
        for writer in writers {
            versions.extend(writer.await.expect("no panic"));
        }
        let distinct: BTreeSet<u64> = versions.iter().map(|(version, _)| *version).collect();
        assert_eq!(distinct.len(), WRITERS * COMMITS);
        versions
    }

    fn batches(mut files: Vec<DataFile>) -> Vec<String> {
        files.sort_by(|a, b| a.batch_id.cmp(&b.batch_id));
        files.into_iter().map(|file| file.batch_id).collect()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn appends_at_the_same_time_all_stand_once() {
        let (_folder, lakes) = lakes();
        for lake in lakes {
            let raced = raced(&lake, &Mode::Append).await;
            let mut expected: Vec<String> = raced.into_iter().map(|(_, batch)| batch).collect();
            expected.sort();
            assert_eq!(batches(lake.files(Table::Reject, None).await.expect("files")), expected);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn what_replaces_all_stands_alone_in_its_version() {
        let (_folder, lakes) = lakes();
        for lake in lakes {
            for (version, batch) in raced(&lake, &Mode::Overwrite).await {
                let files = lake.files(Table::Reject, Some(version)).await.expect("files");
                assert_eq!(batches(files), [batch], "version {version}");
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_several_commits_on_one_version_one_is_made() {
        let (_folder, lakes) = lakes();
        for lake in lakes {
            let first = lake.commit_after(Table::Reject, None, file(&lake, "first"), Mode::Append).await.expect("committed");
            let second = |number: usize| {
                let lake = lake.clone();
                tokio::spawn(async move {
                    lake.commit_after(Table::Reject, first, file(&lake, &format!("second{number}")), Mode::Append).await
                })
            };
            let mut made = 0;
            for writer in (0..WRITERS).map(second).collect::<Vec<_>>() {
                made += usize::from(writer.await.expect("no panic").expect("an answer").is_some());
            }
            let files = lake.files(Table::Reject, None).await.expect("files");
            assert_eq!((first, made, files.len()), (Some(1), 1, 2));
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_two_that_merge_the_same_files_one_does_and_what_others_append_stays() {
        let (_folder, lakes) = lakes();
        for lake in lakes {
            for batch in ["a", "b", "c"] {
                lake.commit(Table::Reject, file(&lake, batch), Mode::Append).await.expect("committed");
            }
            let small = lake.files(Table::Reject, None).await.expect("files").into_iter().map(|file| file.path);
            let small: HashSet<String> = small.collect();
            let merge = |number: usize| {
                let (lake, small) = (lake.clone(), small.clone());
                tokio::spawn(async move { lake.replace(Table::Reject, &small, file(&lake, &format!("merged{number}")), 1).await })
            };
            let append = |number: usize| {
                let lake = lake.clone();
                tokio::spawn(async move { lake.commit(Table::Reject, file(&lake, &format!("d{number}")), Mode::Append).await })
            };
            let (appends, merges): (Vec<_>, Vec<_>) = (0..3).map(|number| (append(number), merge(number))).unzip();
            let (mut last, mut made) = (0, 0);
            for writer in appends {
                last = writer.await.expect("no panic").expect("committed").max(last);
            }
            for writer in merges {
                made += usize::from(writer.await.expect("no panic").expect("an answer").is_some());
            }
            let mut stand = batches(lake.files(Table::Reject, None).await.expect("files"));
            assert!(made == 1 && stand.pop().is_some_and(|merged| merged.starts_with("merged")), "{stand:?}");
            assert_eq!(stand, ["d0", "d1", "d2"]);
            assert_eq!(lake.content_version(Table::Reject).await.expect("a log"), Some(last));
        }
    }

    #[tokio::test]
    async fn what_waited_for_more_than_a_day_is_refused_where_it_may_have_been_cleaned_away() {
        let (_folder, [local, store]) = lakes();
        let written = |lake: &Lake, ago: TimeDelta| {
            let mut adds = file(lake, "a");
            adds.iter_mut().for_each(|add| add.modification_time -= ago.num_milliseconds());
            adds
        };
        let minute = TimeDelta::minutes(1);
        for (lake, ago) in [(&store, UNCOMMITTED - minute), (&local, UNCOMMITTED * 9)] {
            lake.commit(Table::Reject, written(lake, ago), Mode::Append).await.expect("committed");
        }
        let late = store.commit(Table::Reject, written(&store, UNCOMMITTED + minute), Mode::Append).await;
        assert!(matches!(late, Err(LakeError::Stale { .. })), "{late:?}");
        assert_eq!(store.files(Table::Reject, None).await.expect("files").len(), 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_table_in_a_store_is_read_from_its_checkpoint() {
        let store = Arc::new(InMemory::new());
        let lake = in_store(Arc::clone(&store));
        let mut expected: Vec<String> = (0..CHECKPOINT).map(|number| format!("{number}x")).collect();
        for batch in &expected {
            lake.commit(Table::Reject, file(&lake, batch), Mode::Append).await.expect("committed");
        }
        expected.sort();
        let log = "a/lake/core/reject/_delta_log";
        store.head(&format!("{log}/_last_checkpoint").into()).await.expect("a checkpoint");
        store.delete(&format!("{log}/{:020}.json", 1).into()).await.expect("deleted");
        assert_eq!(batches(in_store(store).files(Table::Reject, None).await.expect("files")), expected);
    }
}
