//! Makes a lake of many small files one of few large files: nothing that it says changes.
//!
//! ```text
//! lock ──> plan (all tables) ──> merge, commit ──> merge, commit ... ──> core/batch last ──> checkpoints ──> remove what is unneeded
//! ```
//! Each commit puts merged files in the place of small ones ([`crate::lake::merge`]): readers see the ones or the others, and a stop leaves a
//! lake that is merged up to there. The small files stay for as long as readers of before may need them ([`crate::lake::unnamed`]).
//!
//! In a store nothing is locked. What others append meanwhile is no hindrance; where another process has merged or replaced one of the
//! small files first, the merge is dropped, and what it wrote is removed again.
//!
//! Files of attempts that do not count leave their tables: of an ingest that was stopped or came second, and of batches whose mapping was mended
//! ([`crate::lake::visible`]). No attempt is taken up again, so they never will count; but in a store one that is younger than two days may be on its way.
//!
//! What has been merged says the same by content and by version ([`Lake::content_version`]): the same analysis is the same run.
//!
//! Cost: every small file is read and written once. Logs that have grown by [`COMMITS`] are summed up. They are never cut: analyses and
//! exports ask for old versions.

use crate::findings::marts;
use crate::ingest::Progress;
use crate::lake::delta::{DataFile, Mode};
use crate::lake::merge::{self, Merge};
use crate::lake::schema::TABLES;
use crate::lake::truth::TruthError;
use crate::lake::unnamed::{clock, kept, removable, unnamed};
use crate::lake::visible::Visible;
use crate::lake::write::Written;
use crate::lake::{Lake, LakeError, Table, usage_sum};
use chrono::{DateTime, Duration, Utc};
use deltalake_core::kernel::Add;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use tokio::runtime::Handle;

/// Bytes of small files after which what was merged is committed: a stop loses at most the work on them.
const COMMIT_BYTES: u64 = 1 << 30;
/// Commits after which a log is summed up.
const COMMITS: u64 = 10;
/// Size of files that the log names as aimed at; how large they become is decided in memory.
const TARGET_BYTES: i64 = 128 << 20;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// How long files stay that no version names any more. In a store it is two days at least.
    pub keep: Duration,
    /// Say what would be done.
    pub dry_run: bool,
    /// The clock.
    pub now: fn() -> DateTime<Utc>,
}

/// What was done, or would be.
#[derive(Debug, Default, Serialize)]
pub struct Optimized {
    /// Whether nothing was done.
    pub dry_run: bool,
    /// Tables with files that were merged or removed.
    pub tables: Vec<Change>,
    /// Logs that were summed up.
    pub checkpoints: u64,
    /// Days for which files stay that no version names any more.
    pub keep_days: i64,
    /// Files of all tables that no version names, and that stay for now.
    pub kept_files: u64,
    /// Their bytes.
    pub kept_bytes: u64,
    /// Files that left their tables, as none of their rows counts.
    pub dropped_files: u64,
    /// Files that were left alone: not all of their rows count, and some do or still may.
    pub unfinished_files: u64,
    /// Small files that another process merged or replaced first.
    pub contested_files: u64,
}

/// One table.
#[derive(Debug, Serialize)]
pub struct Change {
    /// `core.vendor_usage`.
    pub table: String,
    /// Data files that its newest version named.
    pub files_before: u64,
    /// Data files that it names now.
    pub files_after: u64,
    /// Their bytes before.
    pub bytes_before: u64,
    /// Their bytes now; nothing if nothing was written.
    pub bytes_after: Option<u64>,
    /// Files that were removed.
    pub vacuumed_files: u64,
    /// Their bytes.
    pub vacuumed_bytes: u64,
}

/// Why a lake could not be optimised.
#[derive(Debug, thiserror::Error)]
pub enum OptimizeError {
    /// The lake.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// What is visible cannot be told.
    #[error(transparent)]
    Truth(#[from] TruthError),
    /// Somebody writes.
    #[error("another process is writing to this lake; wait for it to end")]
    Locked,
}

/// A table and what is to be done with it.
struct Job {
    table: Table,
    files: u64,
    bytes: u64,
    merges: Vec<Merge>,
    /// Paths of files none of whose rows counts or will.
    dead: HashSet<String>,
}

impl Job {
    fn changes_files(&self) -> bool {
        !self.merges.is_empty() || !self.dead.is_empty()
    }
}

/// Merges small files and removes what nobody needs.
///
/// # Errors
/// [`OptimizeError`]. What was committed before stays.
pub fn optimize(lake: &Lake, request: Request, runtime: &Handle, progress: &dyn Progress) -> Result<Optimized, OptimizeError> {
    let _lock = match request.dry_run {
        true => None,
        false => Some(lake.lock()?.ok_or(OptimizeError::Locked)?),
    };
    let keep_days = kept(lake, request.keep).num_days();
    let mut done = Optimized { dry_run: request.dry_run, keep_days, ..Optimized::default() };
    // A dry run writes nothing, not even to learn the time.
    let now = || if request.dry_run { Ok((request.now)()) } else { clock(lake, (request.now)()) };
    let settled = if lake.is_shared() { Some(now()? - kept(lake, Duration::zero())) } else { None };
    let jobs = plan(lake, runtime, settled, &mut done)?;
    let small: Vec<&DataFile> = jobs.iter().flat_map(|job| &job.merges).flat_map(|merge| &merge.files).collect();
    progress.start(small.iter().map(|file| file.size).sum(), small.len());
    let mut was_told = false;
    if !request.dry_run {
        jobs.iter().try_for_each(|job| work(lake, job, runtime, progress, &mut done))?;
        was_told = jobs.iter().any(Job::changes_files);
        // The last job is `core/batch`.
        if was_told && !jobs.last().is_some_and(Job::changes_files) {
            runtime.block_on(tell(lake))?;
        }
        for job in &jobs {
            done.checkpoints += u64::from(runtime.block_on(lake.checkpoint(job.table, COMMITS))?);
        }
    }
    // Asked again: what was merged just now may go, too, where nothing is kept.
    let since = now()? - kept(lake, request.keep);
    let removals = removals(lake, &jobs, since, runtime, &mut done)?;
    if !request.dry_run && removals.values().any(|paths| !paths.is_empty()) {
        if !was_told {
            runtime.block_on(tell(lake))?;
        }
        for (table, paths) in &removals {
            lake.remove_data(*table, paths.iter().map(|(path, _)| path.as_str()))?;
        }
    }
    for job in &jobs {
        let removed = removals.get(&job.table).map(Vec::as_slice).unwrap_or_default();
        done.tables.extend(change(lake, job, removed, request.dry_run, runtime)?);
    }
    Ok(done)
}

/// Tells who watches `core/batch` that files have moved: the view of a server must not outlive the files it was made from.
async fn tell(lake: &Lake) -> Result<(), LakeError> {
    lake.replace(Table::Batch, &HashSet::new(), Vec::new(), TARGET_BYTES).await.map(|_| ())
}

/// All tables that were ever written, `core/batch` last. What was written after `settled` may be of an attempt on its way.
fn plan(lake: &Lake, runtime: &Handle, settled: Option<DateTime<Utc>>, done: &mut Optimized) -> Result<Vec<Job>, OptimizeError> {
    let visible = runtime.block_on(Visible::now(lake))?;
    let mut jobs = Vec::new();
    for &table in TABLES.iter().filter(|&&table| table != Table::Batch).chain(&[Table::Batch]) {
        if runtime.block_on(lake.version(table))?.is_none() {
            continue;
        }
        let files = runtime.block_on(lake.files(table, None))?;
        let (count, bytes) = (files.len() as u64, files.iter().map(|file| file.size).sum());
        let mut dead = HashSet::new();
        let is_settled = |file: &&DataFile| settled.is_none_or(|settled| file.written <= settled.timestamp_millis());
        if table == Table::UsageSum {
            // Sums are committed with their files, or before them.
            let summed: HashSet<String> =
                runtime.block_on(lake.files(usage_sum::OF, None))?.into_iter().map(|file| file.path).collect();
            let of_none = files.iter().filter(|file| !summed.contains(&file.path));
            dead = of_none.filter(is_settled).map(|file| file.path.clone()).collect();
        }
        if merge::is_of_batches(table) {
            let is_dead = |file: &&DataFile| !file.parts.is_empty() && !file.parts.iter().any(|part| visible.has(part));
            dead = files.iter().filter(is_dead).filter(is_settled).map(|file| file.path.clone()).collect();
            let is_unfinished = |file: &&DataFile| file.parts.iter().any(|part| !visible.has(part)) && !dead.contains(&file.path);
            done.unfinished_files += files.iter().filter(is_unfinished).count() as u64;
            done.dropped_files += dead.len() as u64;
        }
        let merges = if merge::is_merged(table) { merge::plan(lake, table, files, &visible)? } else { Vec::new() };
        jobs.push(Job { table, files: count, bytes, merges, dead });
    }
    Ok(jobs)
}

fn work(lake: &Lake, job: &Job, runtime: &Handle, progress: &dyn Progress, done: &mut Optimized) -> Result<(), LakeError> {
    if !job.dead.is_empty() && !replaced(lake, job.table, &job.dead, Written::default(), runtime)? {
        done.contested_files += job.dead.len() as u64;
    }
    let mut rest = job.merges.as_slice();
    while !rest.is_empty() {
        let mut bytes = 0;
        let of_commit = rest.iter().take_while(|merge| {
            let fits = bytes < COMMIT_BYTES;
            bytes += merge.files.iter().map(|file| file.size).sum::<u64>();
            fits
        });
        let (now, later) = rest.split_at(of_commit.count());
        let written = merge::write(lake, job.table, now, &|rows, bytes| progress.advance(rows, bytes))?;
        let removed: HashSet<String> = now.iter().flat_map(|merge| &merge.files).map(|file| file.path.clone()).collect();
        if !replaced(lake, job.table, &removed, written, runtime)? {
            done.contested_files += removed.len() as u64;
        }
        rest = later;
    }
    Ok(())
}

/// Puts what was written in the place of `removed` files, and its sums in the place of theirs. If another process has come first nothing is
/// replaced, and what was written is removed again.
///
/// The new sums come before their files, and the old ones go after them: a stop between leaves sums that are of no file, which are never read
/// and go with the next run, and no file without its sums.
fn replaced(lake: &Lake, table: Table, removed: &HashSet<String>, written: Written, runtime: &Handle) -> Result<bool, LakeError> {
    let Written { files, sums } = written;
    let paths = |adds: &[Add]| adds.iter().map(|add| add.path.clone()).collect::<HashSet<String>>();
    let (of_files, of_sums) = (paths(&files), paths(&sums));
    if !sums.is_empty() {
        let commit = async {
            match lake.version(Table::UsageSum).await? {
                Some(_) => lake.replace(Table::UsageSum, &HashSet::new(), sums, TARGET_BYTES).await,
                // A lake from before there were sums.
                None => lake.commit(Table::UsageSum, sums, Mode::Append).await.map(Some),
            }
        };
        runtime.block_on(commit)?;
    }
    let is_replaced = runtime.block_on(lake.replace(table, removed, files, TARGET_BYTES))?.is_some();
    if table == usage_sum::OF {
        let unneeded = if is_replaced { removed } else { &of_sums };
        let summed = runtime.block_on(lake.files(Table::UsageSum, None))?;
        let summed: HashSet<String> = summed.into_iter().map(|file| file.path).filter(|path| unneeded.contains(path)).collect();
        if !summed.is_empty() {
            runtime.block_on(lake.replace(Table::UsageSum, &summed, Vec::new(), TARGET_BYTES))?;
        }
    }
    if !is_replaced {
        lake.remove_data(table, of_files.iter().map(String::as_str))?;
        lake.remove_data(Table::UsageSum, of_sums.iter().map(String::as_str))?;
    }
    Ok(is_replaced)
}

type Removals = BTreeMap<Table, Vec<(String, u64)>>;

fn removals(
    lake: &Lake,
    jobs: &[Job],
    since: DateTime<Utc>,
    runtime: &Handle,
    done: &mut Optimized,
) -> Result<Removals, OptimizeError> {
    let mut removals = Removals::new();
    let of_runs = runtime.block_on(marts::files_of_runs(lake))?;
    for job in jobs {
        // What lies there first, what is named then: whatever is committed between the two is named.
        let lying = lake.lying(job.table)?;
        let mut named = of_runs.get(&job.table).cloned().unwrap_or_default();
        named.extend(runtime.block_on(lake.files(job.table, None))?.into_iter().map(|file| (file.path.clone(), file)));
        let unnamed = unnamed(lying, Some(&named));
        let (files, bytes) = (unnamed.len() as u64, unnamed.iter().map(|file| file.size).sum::<u64>());
        let removed = runtime.block_on(removable(lake, job.table, unnamed, since))?;
        let removed: Vec<(String, u64)> = removed.into_iter().map(|file| (file.path, file.size)).collect();
        done.kept_files += files - removed.len() as u64;
        done.kept_bytes += bytes - removed.iter().map(|(_, size)| size).sum::<u64>();
        removals.insert(job.table, removed);
    }
    Ok(removals)
}

/// What became of a table; nothing if it is as it was.
fn change(
    lake: &Lake,
    job: &Job,
    removed: &[(String, u64)],
    dry_run: bool,
    runtime: &Handle,
) -> Result<Option<Change>, LakeError> {
    if !job.changes_files() && removed.is_empty() {
        return Ok(None);
    }
    let merged: u64 = job.merges.iter().map(|merge| merge.files.len() as u64).sum();
    let mut change = Change {
        table: format!("{}.{}", job.table.area(), job.table.name()),
        files_before: job.files,
        files_after: job.files - merged - job.dead.len() as u64 + job.merges.len() as u64,
        bytes_before: job.bytes,
        bytes_after: job.merges.is_empty().then_some(job.bytes),
        vacuumed_files: removed.len() as u64,
        vacuumed_bytes: removed.iter().map(|(_, size)| size).sum(),
    };
    if !dry_run {
        let files = runtime.block_on(lake.files(job.table, None))?;
        change.files_after = files.len() as u64;
        change.bytes_after = Some(files.iter().map(|file| file.size).sum());
    }
    Ok(Some(change))
}
