//! Exports to the lake, in five steps: discover, read, conform, stage, write; then one commit.
//!
//! ```text
//! file, folder, URL ─ member ─> one file to land each
//! member ─ discover ─> export ─ read ─> blocks ─┬─ cells ─ conform ─ stage (SQL) ─ write ─┐
//!                                               └─ cells ─ conform ─ stage (SQL) ─ write ─┴─> commit: core tables, rejects, then batch
//! ```
//! Files are landed in the order of [`schedule`]; `run` reads and commits them in groups, [`dry_run`] says what that would be.
//! A file is known by the hash of its content: offered again, it changes nothing. Rows in = accepted + rejected, checked for every file.
//! Memory holds a few blocks and the writers' buffers, not the files.

pub mod arrival;
pub mod calendar;
mod commit;
pub mod conform;
pub mod discover;
pub mod dry_run;
mod error;
pub mod export_run;
mod fault;
pub mod fetch;
mod guard;
mod ledger;
pub mod mapped;
pub mod member;
pub mod original;
pub mod plan;
mod query;
pub mod read;
pub mod reject;
mod run;
pub mod sample;
pub mod schedule;
pub mod scratch;
mod sheets;
mod stage;
pub mod trace;
pub mod workbook;

pub use error::IngestError;

use crate::lake::Lake;
use calendar::Calendar;
use chrono::{DateTime, Utc};
use export_run::ExportRun;
use std::path::PathBuf;
use tokio::runtime::Handle;

/// What to ingest and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Force one system.
    pub system: Option<String>,
    /// When the files became known, where the caller knows better than their names.
    pub recorded_at: Option<DateTime<Utc>>,
    /// Threads that read and write: a small file each, all of them one that is large.
    pub threads: usize,
    /// Queries of the user beside the embedded ones.
    pub queries: Option<PathBuf>,
}

/// What became of one file.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one for each file, and most files land")]
pub enum Outcome {
    /// Landed.
    Landed(Batch),
    /// The same content was ingested before.
    Known,
    /// Nothing of it could be used.
    Refused(IngestError),
    /// A sheet that is no export, in a workbook that has one: a cover, a pivot table, notes.
    PassedOver,
    /// What a vendor writes beside an export to describe its files.
    Manifest,
}

/// One ingested file.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Names the content, and the date it was stated for.
    pub batch_id: String,
    /// Names the files that this attempt to ingest it has written.
    pub attempt: String,
    /// Hash of the content.
    pub sha256: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// The file, as given.
    pub file: String,
    /// Its system.
    pub system: &'static str,
    /// Its export.
    pub entity: &'static str,
    /// Rows read.
    pub rows_in: u64,
    /// Rows that stand in the lake.
    pub rows_accepted: u64,
    /// Rows that stand in `core/reject`.
    pub rows_rejected: u64,
    /// When it became known.
    pub recorded_at: DateTime<Utc>,
    /// Hash of the mapping file that it was read through.
    pub mapping_sha256: Option<String>,
    /// The run of a scheduled export that it is part of.
    pub run: Option<ExportRun>,
    /// The months that its rows speak of; nothing where rows of the export have no service month.
    pub months: Option<Calendar>,
}

/// Told how an ingest goes on.
pub trait Progress: Sync {
    /// So many files are looked at, to find their order.
    fn plan(&self, _files: usize) {}
    /// All bytes to be read, and all files.
    fn start(&self, bytes: u64, files: usize);
    /// File number `number` of all is being read, an export of this system.
    fn file(&self, _number: usize, _system: &str, _entity: &str) {}
    /// `rows` more rows and `bytes` more bytes are done.
    fn advance(&self, rows: u64, bytes: u64);
}

/// Says nothing.
#[derive(Debug)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _bytes: u64, _files: usize) {}
    fn advance(&self, _rows: u64, _bytes: u64) {}
}

/// What was named on the command line: a file, or an object in a store.
#[derive(Clone, Debug)]
pub enum Input {
    /// A file.
    Local(PathBuf),
    /// An object.
    Remote(fetch::Remote),
}

impl Input {
    /// What it is called.
    #[must_use]
    pub fn name(&self) -> PathBuf {
        match self {
            Self::Local(path) => path.clone(),
            Self::Remote(remote) => PathBuf::from(&remote.url),
        }
    }
}

/// Ingests files into the lake; one outcome per member of each path, in the order of the paths (which is not that of landing).
///
/// # Errors
/// [`IngestError`] only where going on makes no sense; a file that cannot be used is an outcome.
pub fn ingest(
    lake: &Lake,
    paths: &[PathBuf],
    options: &Options,
    runtime: &Handle,
    progress: &dyn Progress,
) -> Result<Vec<(PathBuf, Outcome)>, IngestError> {
    let inputs: Vec<Input> = paths.iter().cloned().map(Input::Local).collect();
    ingest_inputs(lake, &inputs, options, runtime, progress)
}

/// As [`ingest`], for files and objects.
///
/// # Errors
/// [`IngestError`] only where going on makes no sense; a file that cannot be used is an outcome.
pub fn ingest_inputs(
    lake: &Lake,
    inputs: &[Input],
    options: &Options,
    runtime: &Handle,
    progress: &dyn Progress,
) -> Result<Vec<(PathBuf, Outcome)>, IngestError> {
    let _lock = lake.lock()?.ok_or(IngestError::Locked)?;
    scratch::clear(lake);
    progress.plan(inputs.len());
    let run = run::Run::new(lake, options, runtime, progress)?;
    let turns = schedule::turns(inputs, options.system.as_deref());
    progress.start(turns.iter().map(|turn| turn.bytes).sum(), turns.len());
    let outcomes = run.land(turns)?;
    scratch::clear(lake);
    Ok(outcomes)
}
