//! Exports to the lake, in five steps: discover, read, conform, stage, write; then one commit.
//!
//! ```text
//! path ─ discover ─> export ─ read ─> blocks ─┬─ cells ─ conform ─ stage (SQL) ─ write ─┐
//!                                             └─ cells ─ conform ─ stage (SQL) ─ write ─┴─> commit: core tables, rejects, then batch
//! ```
//! A file is known by the hash of its content: offered again, it changes nothing. Rows in = accepted + rejected, checked for every file.
//! Memory holds a few blocks and the writers' buffers, not the file.

pub mod conform;
pub mod discover;
pub mod original;
pub mod plan;
mod query;
pub mod read;
pub mod reject;
mod stage;
pub mod trace;

use crate::lake::archive;
use crate::lake::delta::Mode;
use crate::lake::truth::{TruthError, visible_batches};
use crate::lake::write::TableWriter;
use crate::lake::{Lake, LakeError, Table};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use chrono::{DateTime, Utc};
use deltalake_core::kernel::Add;
use discover::Discovered;
use rayon::prelude::*;
use reject::Reject;
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::runtime::Handle;

/// Files of one commit: a stop loses at most this much work.
const FILES_PER_COMMIT: usize = 64;
/// Rows after which a commit is made however few the files.
const ROWS_PER_COMMIT: u64 = 4_000_000;

/// Why a file, or the whole ingest, failed.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The file cannot be read to its end.
    #[error("could not read `{}`: {detail}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system or the decompressor says.
        detail: String,
    },
    /// Nothing in it.
    #[error("`{}` is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// JSON without a single record, which does not say what it is.
    #[error("`{}` holds no records, so it cannot be told what it is", path.display())]
    NoRecords {
        /// The file.
        path: PathBuf,
    },
    /// Not UTF-8.
    #[error("`{}` is {encoding}; save it as UTF-8", path.display())]
    Encoding {
        /// The file.
        path: PathBuf,
        /// What it seems to be.
        encoding: &'static str,
    },
    /// Not text at all.
    #[error("`{}` is not a text file that Shortfall can read", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// An archive of files.
    #[error("`{}` is a ZIP archive or an Excel workbook; unpack it, or save the sheet as CSV in UTF-8", path.display())]
    Packed {
        /// The file.
        path: PathBuf,
    },
    /// Columns are not separated by commas.
    #[error("`{}`: the columns are separated by {separator:?}; save it with commas", path.display())]
    Separator {
        /// The file.
        path: PathBuf,
        /// What separates them.
        separator: char,
    },
    /// Lines end as on systems before 2001.
    #[error("`{}` ends its lines with CR alone; save it with LF or CRLF", path.display())]
    LineEnds {
        /// The file.
        path: PathBuf,
    },
    /// Broken JSON.
    #[error("`{}`:{line}:{column}: broken JSON: {detail}", path.display())]
    BrokenJson {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the parser says.
        detail: String,
    },
    /// No source has such columns.
    #[error("`{}` is no export that Shortfall knows (its columns begin {found})", path.display())]
    Unrecognised {
        /// The file.
        path: PathBuf,
        /// Its first columns.
        found: String,
    },
    /// Nearly an export.
    #[error("`{}` looks like {system} {entity} but lacks the columns {}", path.display(), missing.join(", "))]
    MissingColumns {
        /// The file.
        path: PathBuf,
        /// System it looks like.
        system: &'static str,
        /// Export it looks like.
        entity: &'static str,
        /// What is missing.
        missing: Vec<String>,
    },
    /// All rows are within the header.
    #[error("`{}`: a quote in the header row is never closed", path.display())]
    OpenQuote {
        /// The file.
        path: PathBuf,
    },
    /// A record that does not end.
    #[error("`{}`: the record in row {row} is longer than {limit} bytes; a quote is probably not closed", path.display())]
    RecordTooLong {
        /// The file.
        path: PathBuf,
        /// The row.
        row: u64,
        /// The limit.
        limit: usize,
    },
    /// A staging query failed.
    #[error("`{}`: query `staging/{query}.sql` failed: {detail}", path.display())]
    Staging {
        /// The file.
        path: PathBuf,
        /// Name of the query.
        query: String,
        /// What the engine says.
        detail: String,
    },
    /// Rows went missing between reading and writing: a defect of Shortfall.
    #[error("`{}`: {rows_in} rows in but {accepted} accepted and {rejected} rejected; nothing of it was committed. Please report this", path.display())]
    NotConserved {
        /// The file.
        path: PathBuf,
        /// Rows read.
        rows_in: u64,
        /// Rows written.
        accepted: u64,
        /// Rows rejected.
        rejected: u64,
    },
    /// Another process is writing.
    #[error("another `shortfall` is writing to this lake; wait for it to end")]
    Locked,
    /// The lake failed.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The lake could not be read.
    #[error(transparent)]
    Truth(#[from] TruthError),
}

impl IngestError {
    pub(crate) fn unreadable(path: &std::path::Path, source: &std::io::Error) -> Self {
        let detail = match source.kind() {
            std::io::ErrorKind::UnexpectedEof => "it ends too early; export or copy it again".to_owned(),
            _ => source.to_string(),
        };
        Self::Unreadable { path: path.to_owned(), detail }
    }

    /// Whether the fault is the file's: others can still be ingested.
    #[must_use]
    pub fn is_file_fault(&self) -> bool {
        !matches!(self, Self::Lake(_) | Self::Truth(_) | Self::Locked | Self::Staging { .. } | Self::NotConserved { .. })
    }
}

/// What to ingest and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Force one system.
    pub system: Option<String>,
    /// When the files became known, where the caller knows better than their names.
    pub recorded_at: Option<DateTime<Utc>>,
    /// Threads that conform and write.
    pub threads: usize,
    /// Queries of the user beside the embedded ones.
    pub queries: Option<PathBuf>,
}

/// What became of one file.
#[derive(Debug)]
pub enum Outcome {
    /// Landed.
    Landed(Batch),
    /// The same content was ingested before.
    Known,
    /// Nothing of it could be used.
    Refused(IngestError),
}

/// One ingested file.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Names the content, and the date it was stated for.
    pub batch_id: String,
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
}

/// Told how an ingest goes on.
pub trait Progress: Sync {
    /// All bytes to be read.
    fn start(&self, bytes: u64);
    /// `rows` more rows and `bytes` more bytes are done.
    fn advance(&self, rows: u64, bytes: u64);
}

/// Says nothing.
#[derive(Debug)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _bytes: u64) {}
    fn advance(&self, _rows: u64, _bytes: u64) {}
}

/// Ingests files into the lake; one outcome per path, in their order.
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
    let _lock = lake.lock()?.ok_or(IngestError::Locked)?;
    let mut known = if lake.folder(Table::Batch).exists() { runtime.block_on(visible_batches(lake))? } else { HashSet::new() };
    let unfinished = runtime.block_on(unfinished_batches(lake, &known))?;
    let sizes: Vec<u64> = paths.iter().map(|p| std::fs::metadata(p).map_or(0, |m| m.len())).collect();
    progress.start(sizes.iter().sum());
    let mut outcomes = Vec::with_capacity(paths.len());
    let mut pending = Pending::default();
    let fingerprints: Vec<_> = paths.par_iter().map(|path| archive::fingerprint(path)).collect();
    for ((path, size), fingerprint) in paths.iter().zip(sizes).zip(fingerprints) {
        let landed = named(path, fingerprint)
            .and_then(|(sha256, bytes)| one_file(lake, path, sha256, bytes, options, runtime, progress, &known));
        let outcome = match landed {
            Ok(Some((batch, adds, rejects))) => {
                known.insert(batch.batch_id.clone());
                pending.take(batch.clone(), adds, rejects);
                Outcome::Landed(batch)
            }
            Ok(None) => {
                progress.advance(0, size);
                Outcome::Known
            }
            Err(error) if error.is_file_fault() => {
                progress.advance(0, size);
                Outcome::Refused(error)
            }
            Err(error) => return Err(error),
        };
        outcomes.push((path.clone(), outcome));
        if pending.batches.len() >= FILES_PER_COMMIT || pending.rows >= ROWS_PER_COMMIT {
            runtime.block_on(std::mem::take(&mut pending).commit(lake, &unfinished))?;
        }
    }
    runtime.block_on(pending.commit(lake, &unfinished))?;
    Ok(outcomes)
}

/// Batches whose rows were committed to some table by a run that was stopped before it committed `core/batch`.
async fn unfinished_batches(lake: &Lake, known: &HashSet<String>) -> Result<HashSet<(Table, String)>, IngestError> {
    let mut unfinished = HashSet::new();
    for &table in crate::lake::schema::TABLES {
        if table.area() == "core" && table != Table::Batch {
            for file in lake.files(table, None).await? {
                if !known.contains(&file.batch_id) {
                    unfinished.insert((table, file.batch_id));
                }
            }
        }
    }
    Ok(unfinished)
}

type Landed = (Batch, Vec<(Table, Vec<Add>)>, Vec<Reject>);

/// A file that cannot be read is the file's fault, not the lake's.
fn named(path: &std::path::Path, fingerprint: Result<(String, u64), LakeError>) -> Result<(String, u64), IngestError> {
    fingerprint.map_err(|e| match e {
        LakeError::Io { source, .. } => IngestError::unreadable(path, &source),
        other => IngestError::Lake(other),
    })
}

#[expect(clippy::too_many_arguments, reason = "one file of one ingest, with everything the ingest shares")]
fn one_file(
    lake: &Lake,
    path: &std::path::Path,
    sha256: String,
    bytes: u64,
    options: &Options,
    runtime: &Handle,
    progress: &dyn Progress,
    known: &HashSet<String>,
) -> Result<Option<Landed>, IngestError> {
    let (recorded_at, is_stated) = discover::arrival(path, options.recorded_at);
    let batch_id = batch_id(&sha256, is_stated.then_some(recorded_at));
    if known.contains(&batch_id) {
        return Ok(None);
    }
    let found: Discovered = discover::discover(path, options.system.as_deref())?;
    let mut batch = Batch {
        batch_id,
        sha256,
        bytes,
        file: path.display().to_string(),
        system: found.recognised.source.system,
        entity: found.recognised.export.entity,
        rows_in: 0,
        rows_accepted: 0,
        rows_rejected: 0,
        recorded_at,
    };
    let is_always_known = found.recognised.export.is_reference && !is_stated;
    let staged = std::thread::scope(|scope| {
        let kept = scope.spawn(|| archive::keep(lake, path, &batch.sha256));
        let staged = stage::stage(lake, &found, &batch, is_always_known, options, runtime, progress);
        match kept.join() {
            Ok(kept) => kept.map_err(IngestError::Lake).and(staged),
            Err(_) => {
                Err(IngestError::unreadable(path, &std::io::Error::other("archiving stopped unexpectedly; please report this")))
            }
        }
    })?;
    batch.rows_in = staged.rows_in;
    batch.rows_accepted = staged.rows_accepted;
    batch.rows_rejected = staged.rejects.len() as u64;
    if batch.rows_in != batch.rows_accepted + batch.rows_rejected {
        return Err(IngestError::NotConserved {
            path: path.to_owned(),
            rows_in: batch.rows_in,
            accepted: batch.rows_accepted,
            rejected: batch.rows_rejected,
        });
    }
    Ok(Some((batch, staged.adds, staged.rejects)))
}

/// What the same bytes say again on a later stated date is a statement of its own (a quantity that went back); without a stated
/// date the same bytes are the same batch, whatever the file is called.
fn batch_id(sha256: &str, stated: Option<DateTime<Utc>>) -> String {
    match stated {
        None => sha256[..16].to_owned(),
        Some(date) => {
            use sha2::{Digest, Sha256};
            let hash = Sha256::digest(format!("{sha256} {}", date.timestamp_micros()));
            archive::hex(&hash[..8])
        }
    }
}

/// Files written but not committed.
#[derive(Debug, Default)]
struct Pending {
    batches: Vec<Batch>,
    rows: u64,
    adds: BTreeMap<Table, Vec<(String, Add)>>,
    rejects: Vec<(String, Vec<Reject>)>,
}

impl Pending {
    fn take(&mut self, batch: Batch, adds: Vec<(Table, Vec<Add>)>, rejects: Vec<Reject>) {
        self.rows += batch.rows_in;
        for (table, adds) in adds {
            self.adds.entry(table).or_default().extend(adds.into_iter().map(|add| (batch.batch_id.clone(), add)));
        }
        if !rejects.is_empty() {
            self.rejects.push((batch.batch_id.clone(), rejects));
        }
        self.batches.push(batch);
    }

    /// Core tables first, `core/batch` last: what a stop leaves in between is invisible, and taken up by the next run.
    async fn commit(self, lake: &Lake, unfinished: &HashSet<(Table, String)>) -> Result<(), IngestError> {
        if self.batches.is_empty() {
            return Ok(());
        }
        for (table, adds) in self.adds {
            let fresh: Vec<Add> =
                adds.into_iter().filter(|(batch, _)| !unfinished.contains(&(table, batch.clone()))).map(|(_, add)| add).collect();
            if !fresh.is_empty() {
                lake.commit(table, fresh, Mode::Append).await?;
            }
        }
        let attempt = format!("{:08x}", rand::random::<u32>());
        let mut adds = Vec::new();
        for (batch_id, rejects) in &self.rejects {
            if !unfinished.contains(&(Table::Reject, batch_id.clone())) {
                let mut writer = TableWriter::new(lake, Table::Reject, batch_id, &attempt);
                writer.push(&reject_rows(batch_id, rejects)?)?;
                adds.append(&mut writer.finish()?);
            }
        }
        if !adds.is_empty() {
            lake.commit(Table::Reject, adds, Mode::Append).await?;
        }
        let mut writer = TableWriter::new(lake, Table::Batch, &self.batches[0].batch_id, &attempt);
        writer.push(&batch_rows(&self.batches)?)?;
        lake.commit(Table::Batch, writer.finish()?, Mode::Append).await?;
        Ok(())
    }
}

fn text<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn counts(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(values.map(u64::cast_signed).collect::<Int64Array>())
}

fn rows(table: Table, columns: Vec<ArrayRef>) -> Result<RecordBatch, IngestError> {
    RecordBatch::try_new(table.schema(), columns)
        .map_err(|e| IngestError::Lake(LakeError::Encode { table: table.name(), action: "build rows", detail: e.to_string() }))
}

fn reject_rows(batch_id: &str, rejects: &[Reject]) -> Result<RecordBatch, IngestError> {
    let columns = vec![
        text(rejects.iter().map(|_| batch_id)),
        counts(rejects.iter().map(|r| r.source_row)),
        text(rejects.iter().map(|r| r.column.as_str())),
        text(rejects.iter().map(|r| r.value.as_str())),
        text(rejects.iter().map(|r| r.reason.as_str())),
    ];
    rows(Table::Reject, columns)
}

fn batch_rows(batches: &[Batch]) -> Result<RecordBatch, IngestError> {
    let recorded: TimestampMicrosecondArray = batches.iter().map(|b| Some(b.recorded_at.timestamp_micros())).collect();
    let columns = vec![
        text(batches.iter().map(|b| b.batch_id.as_str())),
        text(batches.iter().map(|b| b.file.as_str())),
        text(batches.iter().map(|b| b.sha256.as_str())),
        counts(batches.iter().map(|b| b.bytes)),
        text(batches.iter().map(|b| b.system)),
        text(batches.iter().map(|b| b.entity)),
        counts(batches.iter().map(|b| b.rows_in)),
        counts(batches.iter().map(|b| b.rows_accepted)),
        counts(batches.iter().map(|b| b.rows_rejected)),
        Arc::new(recorded.with_timezone("UTC")),
    ];
    rows(Table::Batch, columns)
}
