//! One ingest on its way from file to file.
//!
//! ```text
//! turns ─ group ─ hash, on all cores ─ known? ─┬─ small files wait ─ read together, one thread each ─┬─ commit
//!                                              └─ a large one alone, all threads ────────────────────┘
//! ```
//! Files are hashed a group at a time, shortly before they are read: the first rows of a large history are committed long before its last
//! file was looked at, and what was hashed is still in memory when it is read. What waits together is bounded by `FILES_PER_COMMIT`
//! and [`WAITING_BYTES`]; each file that is read has its own buffers, one for each thread at most.

use super::commit::Pending;
use super::ledger::{Job, Ledger};
use super::member::{self, Member};
use super::schedule::{self, Turn};
use super::{Batch, IngestError, Input, Options, Outcome, Progress, guard, reject::Reject, scratch, sheets, stage};
use crate::lake::{Lake, LakeError, Table, archive};
use deltalake_core::kernel::Add;
use rayon::prelude::*;
use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use tokio::runtime::Handle;

/// Files of one commit: a stop loses at most this much work.
const FILES_PER_COMMIT: usize = 64;
/// Rows after which a commit is made however few the files.
const ROWS_PER_COMMIT: u64 = 4_000_000;
/// Bytes that are hashed ahead of reading.
const HASHED_AHEAD: u64 = 1 << 30;
/// A file of at least so many bytes is read by all threads, alone.
const LARGE_FILE: u64 = 8 << 20;
/// Bytes of the small files that wait to be read together.
const WAITING_BYTES: u64 = 64 << 20;

type Fingerprint = Result<(String, u64), LakeError>;

/// What came of reading a file.
type Landed = (Batch, Vec<(Table, Vec<Add>)>, Vec<Reject>);

/// A file that is to be read.
struct Waiting {
    /// The place of its outcome.
    slot: usize,
    job: Job,
    file: Member,
    /// Bytes that are told to have been read; none for what a container holds, whose own bytes were promised.
    size: Option<u64>,
    /// Number of its input in the order of landing.
    number: usize,
}

/// What became of a member, once that is known.
struct Slot {
    input: usize,
    name: PathBuf,
    outcome: Option<Outcome>,
}

pub(super) struct Run<'a> {
    lake: &'a Lake,
    options: &'a Options,
    runtime: &'a Handle,
    progress: &'a dyn Progress,
    ledger: Ledger<'a>,
    pending: Pending,
    waiting: Vec<Waiting>,
    slots: Vec<Slot>,
    /// Members that are sheets.
    sheets: HashSet<PathBuf>,
}

/// Whose turn it is.
#[derive(Clone, Copy)]
struct Whose {
    input: usize,
    number: usize,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        lake: &'a Lake,
        options: &'a Options,
        runtime: &'a Handle,
        progress: &'a dyn Progress,
    ) -> Result<Self, IngestError> {
        let ledger = Ledger::read(Some(lake), options, runtime)?;
        Ok(Self {
            lake,
            options,
            runtime,
            progress,
            ledger,
            pending: Pending::default(),
            waiting: Vec::new(),
            slots: Vec::new(),
            sheets: HashSet::new(),
        })
    }

    /// Lands everything; outcomes in the order of the inputs.
    pub(super) fn land(mut self, turns: Vec<Turn<'a>>) -> Result<Vec<(PathBuf, Outcome)>, IngestError> {
        let mut number = 0;
        for group in schedule::groups(turns, FILES_PER_COMMIT, HASHED_AHEAD) {
            let fingerprint_of = |turn: &Turn| match turn.input {
                Input::Local(path) if turn.is_single => Some(archive::fingerprint(path)),
                _ => None,
            };
            let fingerprints: Vec<Option<Fingerprint>> = group.par_iter().map(fingerprint_of).collect();
            for (turn, fingerprint) in group.into_iter().zip(fingerprints) {
                number += 1;
                self.turn(turn, fingerprint, number)?;
            }
        }
        self.read_waiting()?;
        self.commit()?;
        let mut slots = self.slots;
        slots.sort_by_key(|slot| slot.input);
        let outcomes = slots.into_iter().filter_map(|slot| Some((slot.name, slot.outcome?))).collect();
        let is_foreign = |outcome: &Outcome| matches!(outcome, Outcome::Refused(error) if error.is_foreign());
        Ok(sheets::settled(outcomes, &self.sheets, is_foreign, |error| error.map_or(Outcome::PassedOver, Outcome::Refused)))
    }

    fn turn(&mut self, mut turn: Turn, fingerprint: Option<Fingerprint>, number: usize) -> Result<(), IngestError> {
        let whose = Whose { input: turn.at, number };
        let size = turn.bytes;
        let found = turn.recognised();
        let file = match turn.input {
            Input::Local(path) => {
                Member { name: path.clone(), content: path.clone(), modified: turn.modified, scratch: None, is_sheet: false }
            }
            Input::Remote(remote) => match self.runtime.block_on(remote.download(&scratch::folder(self.lake))) {
                Ok(scratch) => Member {
                    name: PathBuf::from(&remote.url),
                    content: scratch.path().to_owned(),
                    modified: Some(remote.modified),
                    scratch: Some(scratch),
                    is_sheet: false,
                },
                Err(error) => {
                    self.progress.advance(0, size);
                    self.settle(whose, PathBuf::from(&remote.url), Outcome::Refused(error.into()));
                    return Ok(());
                }
            },
        };
        match fingerprint {
            Some(fingerprint) => self.offer(whose, file, fingerprint, found, Some(size)),
            None if member::is_single(&file.content) => {
                let fingerprint = archive::fingerprint(&file.content);
                self.offer(whose, file, fingerprint, found, Some(size))
            }
            None => {
                let folder = scratch::folder(self.lake);
                member::members(file, &folder, &mut |found| match found {
                    Ok(member) => {
                        if member.is_sheet {
                            self.sheets.insert(member.name.clone());
                        }
                        let fingerprint = archive::fingerprint(&member.content);
                        self.offer(whose, member, fingerprint, None, None)
                    }
                    Err((name, error)) => {
                        self.settle(whose, name, Outcome::Refused(error));
                        Ok(())
                    }
                })?;
                self.progress.advance(0, size);
                Ok(())
            }
        }
    }

    fn settle(&mut self, whose: Whose, name: PathBuf, outcome: Outcome) {
        self.slots.push(Slot { input: whose.input, name, outcome: Some(outcome) });
    }

    /// Decides about one file whose hash is known: it waits to be read, or its outcome is clear.
    fn offer(
        &mut self,
        whose: Whose,
        file: Member,
        fingerprint: Fingerprint,
        found: Option<Result<super::discover::Discovered, IngestError>>,
        size: Option<u64>,
    ) -> Result<(), IngestError> {
        let discover = || match found {
            Some(found) => found,
            None => super::discover::discover_named(&file.content, &file.name, self.options.system.as_deref()),
        };
        let identified = readable(&file.content, fingerprint)
            .and_then(|(sha256, bytes)| self.ledger.identify(&file, &sha256, bytes, discover));
        let job = match identified {
            Ok(Some(job)) => job,
            Ok(None) => return self.done(whose, file.name, Outcome::Known, size),
            Err(error) => {
                let outcome = refused(error, &file.name)?;
                return self.done(whose, file.name, outcome, size);
            }
        };
        let is_large = job.batch.bytes >= LARGE_FILE;
        let bytes: u64 = self.waiting.iter().map(|waiting| waiting.job.batch.bytes).sum();
        // Two of one content, even if they are two batches, would write the same original at once.
        let is_twin = self.waiting.iter().any(|waiting| waiting.job.batch.sha256 == job.batch.sha256);
        if is_large || is_twin || bytes + job.batch.bytes > WAITING_BYTES {
            self.read_waiting()?;
            // Its twin may have been refused: then this one is tried, too.
            if self.ledger.has(&job.batch.batch_id) {
                return self.done(whose, file.name, Outcome::Known, size);
            }
        }
        self.slots.push(Slot { input: whose.input, name: file.name.clone(), outcome: None });
        self.waiting.push(Waiting { slot: self.slots.len() - 1, job, file, size, number: whose.number });
        if is_large || self.pending.batches.len() + self.waiting.len() >= FILES_PER_COMMIT {
            self.read_waiting()?;
        }
        Ok(())
    }

    fn done(&mut self, whose: Whose, name: PathBuf, outcome: Outcome, size: Option<u64>) -> Result<(), IngestError> {
        self.progress.advance(0, size.unwrap_or(0));
        self.settle(whose, name, outcome);
        Ok(())
    }

    /// Reads what waits, and commits if that is enough for a commit.
    fn read_waiting(&mut self) -> Result<(), IngestError> {
        let waiting = std::mem::take(&mut self.waiting);
        let side_by_side = self.options.threads.clamp(1, waiting.len().max(1));
        let options = Options { threads: (self.options.threads / side_by_side).max(1), ..self.options.clone() };
        let (lake, runtime, progress) = (self.lake, self.runtime, self.progress);
        // One mapping is that of many files: it is kept before they are read side by side.
        for Job { batch, mapping, .. } in waiting.iter().map(|waiting| &waiting.job) {
            mapping.map_or(Ok(()), |map| archive::keep_mapping(lake, &batch.sha256, &map.sha256, &map.text))?;
        }
        let read = |waiting: &Waiting| {
            progress.file(waiting.number, waiting.job.batch.system, waiting.job.batch.entity);
            let rows_only = RowsOnly(progress);
            let progress: &dyn Progress = if waiting.size.is_some() { progress } else { &rows_only };
            one_file(lake, &waiting.job, &waiting.file, &options, runtime, progress)
        };
        for (waiting, landed) in waiting.iter().zip(on_threads(side_by_side, &waiting, read)) {
            let outcome = match landed.unwrap_or_else(|| Err(stopped(&waiting.file.name))) {
                Ok((batch, adds, rejects)) => {
                    self.ledger.take(&batch);
                    self.pending.take(batch.clone(), adds, rejects);
                    Outcome::Landed(batch)
                }
                Err(error) => {
                    progress.advance(0, waiting.size.unwrap_or(0));
                    refused(error, &waiting.file.name)?
                }
            };
            self.slots[waiting.slot].outcome = Some(outcome);
        }
        if self.pending.batches.len() >= FILES_PER_COMMIT || self.pending.rows >= ROWS_PER_COMMIT {
            self.commit()?;
        }
        Ok(())
    }

    /// Commits what has landed. What another process has landed meanwhile is known, as if it had been there before.
    fn commit(&mut self) -> Result<(), IngestError> {
        let pending = std::mem::take(&mut self.pending);
        let second = self.runtime.block_on(pending.commit(self.lake, &mut self.ledger))?;
        for slot in &mut self.slots {
            if matches!(&slot.outcome, Some(Outcome::Landed(batch)) if second.contains(&batch.batch_id)) {
                slot.outcome = Some(Outcome::Known);
            }
        }
        Ok(())
    }
}

/// The outcome of a file that cannot be used; an error that is not the file's is returned as it is.
fn refused(error: IngestError, name: &Path) -> Result<Outcome, IngestError> {
    match error {
        IngestError::Manifest { .. } => Ok(Outcome::Manifest),
        error if error.is_file_fault() => Ok(Outcome::Refused(error.named(name))),
        error => Err(error.named(name)),
    }
}

/// A file that cannot be read is the file's fault, not the lake's.
pub(super) fn readable(path: &Path, fingerprint: Fingerprint) -> Result<(String, u64), IngestError> {
    fingerprint.map_err(|e| match e {
        LakeError::Io { source, .. } => IngestError::unreadable(path, &source),
        other => IngestError::Lake(other),
    })
}

fn stopped(name: &Path) -> IngestError {
    IngestError::unreadable(name, &std::io::Error::other("reading stopped unexpectedly; please report this"))
}

/// The results of some work on each item, on so many threads, in the order of the items; nothing for work that panicked.
fn on_threads<T: Sync, R: Send>(threads: usize, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<Option<R>> {
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        let take = || {
            while let Some((item, result)) =
                Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| items.get(at).zip(results.get(at)))
            {
                let done = guard::quietly(AssertUnwindSafe(|| work(item)));
                *result.lock().unwrap_or_else(PoisonError::into_inner) = done;
            }
        };
        // A thread as large as the first one of a process: readers of JSON and workbooks recurse.
        let start = |_| std::thread::Builder::new().stack_size(8 << 20).spawn_scoped(scope, take).ok();
        let started: Vec<_> = (0..threads).filter_map(start).collect();
        if started.is_empty() {
            take();
        }
        started.into_iter().for_each(|thread| _ = thread.join());
    });
    results.into_iter().map(|result| result.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}

/// Reads one file, and keeps its original beside.
fn one_file(
    lake: &Lake,
    job: &Job,
    file: &Member,
    options: &Options,
    runtime: &Handle,
    progress: &dyn Progress,
) -> Result<Landed, IngestError> {
    let mut batch = job.batch.clone();
    let staged = std::thread::scope(|scope| {
        let kept = scope.spawn(|| archive::keep(lake, &file.content, &batch.sha256));
        let staged = stage::stage(lake, &job.found, &batch, job.is_always_known, options, runtime, progress);
        match kept.join() {
            Ok(kept) => kept.map_err(IngestError::Lake).and(staged),
            Err(_) => Err(stopped(&file.content)),
        }
    })?;
    batch.rows_in = staged.rows_in;
    batch.rows_accepted = staged.rows_accepted;
    batch.rows_rejected = staged.rejects.len() as u64;
    let has_months = job.found.recognised.export.target.partition_columns().contains(&"service_month");
    batch.months = has_months.then(|| staged.months.finish());
    if batch.rows_in != batch.rows_accepted + batch.rows_rejected {
        return Err(IngestError::NotConserved {
            path: file.content.clone(),
            rows_in: batch.rows_in,
            accepted: batch.rows_accepted,
            rejected: batch.rows_rejected,
        });
    }
    Ok((batch, staged.adds, staged.rejects))
}

/// Counts rows, but not the bytes of what was unpacked: the container's own bytes are what was promised.
struct RowsOnly<'a>(&'a dyn Progress);

impl Progress for RowsOnly<'_> {
    fn start(&self, _bytes: u64, _files: usize) {}
    fn advance(&self, rows: u64, _bytes: u64) {
        self.0.advance(rows, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_the_items_and_one_panic_costs_one_result() {
        let items: Vec<u32> = (0..50).collect();
        for threads in [1, 3, 60] {
            let results = on_threads(threads, &items, |&item| {
                assert!(item != 7, "work that fails");
                item * 2
            });
            let expected: Vec<Option<u32>> = items.iter().map(|&item| (item != 7).then_some(item * 2)).collect();
            assert_eq!(results, expected, "{threads} threads");
        }
    }
}
