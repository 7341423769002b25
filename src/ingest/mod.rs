//! Exports to the lake, in five steps: discover, read, conform, stage, write; then one commit.
//!
//! ```text
//! file, folder, URL ─ member ─> one file to land each
//! member ─ discover ─> export ─ read ─> blocks ─┬─ cells ─ conform ─ stage (SQL) ─ write ─┐
//!                                               └─ cells ─ conform ─ stage (SQL) ─ write ─┴─> commit: core tables, rejects, then batch
//! ```
//! A file is known by the hash of its content: offered again, it changes nothing. Rows in = accepted + rejected, checked for every file.
//! Memory holds a few blocks and the writers' buffers, not the file.

pub mod conform;
pub mod discover;
mod guard;
pub mod member;
pub mod original;
pub mod plan;
mod query;
pub mod read;
pub mod reject;
pub mod scratch;
mod stage;
pub mod trace;
pub mod workbook;

use crate::lake::archive;
use crate::lake::delta::Mode;
use crate::lake::truth::{TruthError, visible_batches};
use crate::lake::write::TableWriter;
use crate::lake::{Lake, LakeError, Table};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use chrono::{DateTime, Utc};
use deltalake_core::kernel::Add;
use discover::Discovered;
use member::Member;
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
    /// An archive that cannot be read.
    #[error("`{}` is a damaged ZIP archive, or part of one: {detail}", path.display())]
    Zip {
        /// The archive or the entry.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// An entry with a password.
    #[error("`{}` is encrypted; unpack it first", path.display())]
    Encrypted {
        /// The entry.
        path: PathBuf,
    },
    /// An archive with too many entries.
    #[error("`{}` has more than {limit} entries; unpack it first", path.display())]
    TooManyEntries {
        /// The archive.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// An archive made to fill a disk, it seems.
    #[error("`{}` is over {ratio} times larger unpacked than packed ({bytes} bytes and more), as no export is; unpack it first", path.display())]
    TooLarge {
        /// The entry.
        path: PathBuf,
        /// Where unpacking stopped.
        bytes: u64,
        /// The limit.
        ratio: u64,
    },
    /// A workbook that cannot be read.
    #[error("`{}` is a workbook that cannot be read: {detail}", path.display())]
    Workbook {
        /// The workbook or the sheet.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A workbook without an export.
    #[error("`{}`: none of its sheets ({sheets}) is an export that Shortfall knows", path.display())]
    NoKnownSheet {
        /// The workbook.
        path: PathBuf,
        /// Names of its sheets.
        sheets: String,
    },
    /// A Parquet file that cannot be read.
    #[error("`{}` is a Parquet file that cannot be read: {detail}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// Two mappings mean it.
    #[error("`{}` is meant by {first} and by {second}; say in one of them which columns, name or sheet tell them apart", path.display())]
    Ambiguous {
        /// The file.
        path: PathBuf,
        /// One mapping.
        first: String,
        /// The other.
        second: String,
    },
    /// A mapping means it by its name, but not by its columns.
    #[error("`{}` is meant by {mapping} but lacks the columns {}", path.display(), missing.join(", "))]
    MissingMapped {
        /// The file.
        path: PathBuf,
        /// The mapping.
        mapping: String,
        /// What is missing.
        missing: Vec<String>,
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

    /// The same fault under the name that a person knows the file by.
    #[must_use]
    pub(crate) fn named(mut self, name: &std::path::Path) -> Self {
        match &mut self {
            Self::Unreadable { path, .. }
            | Self::Empty { path }
            | Self::NoRecords { path }
            | Self::Encoding { path, .. }
            | Self::NotText { path }
            | Self::Zip { path, .. }
            | Self::Encrypted { path }
            | Self::TooManyEntries { path, .. }
            | Self::TooLarge { path, .. }
            | Self::Workbook { path, .. }
            | Self::NoKnownSheet { path, .. }
            | Self::Parquet { path, .. }
            | Self::Ambiguous { path, .. }
            | Self::MissingMapped { path, .. }
            | Self::LineEnds { path }
            | Self::BrokenJson { path, .. }
            | Self::Unrecognised { path, .. }
            | Self::MissingColumns { path, .. }
            | Self::OpenQuote { path }
            | Self::RecordTooLong { path, .. }
            | Self::Staging { path, .. }
            | Self::NotConserved { path, .. } => name.clone_into(path),
            Self::Locked | Self::Lake(_) | Self::Truth(_) => {}
        }
        self
    }

    /// Whether it says no more than that the content is no export.
    fn is_foreign(&self) -> bool {
        matches!(self, Self::Unrecognised { .. } | Self::Empty { .. } | Self::NotText { .. })
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
    /// A sheet that is no export, in a workbook that has one: a cover, a pivot table, notes.
    PassedOver,
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

/// Ingests files into the lake; one outcome per member of each path, in their order.
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
    scratch::clear(lake);
    let known = if lake.folder(Table::Batch).exists() { runtime.block_on(visible_batches(lake))? } else { HashSet::new() };
    let unfinished = runtime.block_on(unfinished_batches(lake, &known))?;
    let sizes: Vec<u64> = paths.iter().map(|p| std::fs::metadata(p).map_or(0, |m| m.len())).collect();
    progress.start(sizes.iter().sum());
    let mut run =
        Run { lake, options, runtime, unfinished, known, pending: Pending::default(), outcomes: Vec::with_capacity(paths.len()) };
    let fingerprints: Vec<_> = paths.par_iter().map(|path| member::is_single(path).then(|| archive::fingerprint(path))).collect();
    for ((path, size), fingerprint) in paths.iter().zip(sizes).zip(fingerprints) {
        let modified = std::fs::metadata(path).and_then(|m| m.modified()).ok().map(DateTime::<Utc>::from);
        let file = Member { name: path.clone(), content: path.clone(), modified, scratch: None, is_sheet: false };
        match fingerprint {
            Some(fingerprint) => run.land(&file, fingerprint, size, progress)?,
            None => {
                run.unpack(file, &RowsOnly(progress))?;
                progress.advance(0, size);
            }
        }
    }
    let Run { pending, outcomes, unfinished, .. } = run;
    runtime.block_on(pending.commit(lake, &unfinished))?;
    scratch::clear(lake);
    Ok(outcomes)
}

/// Counts rows, but not the bytes of what was unpacked: the container's own bytes are what was promised.
struct RowsOnly<'a>(&'a dyn Progress);

impl Progress for RowsOnly<'_> {
    fn start(&self, _bytes: u64) {}
    fn advance(&self, rows: u64, _bytes: u64) {
        self.0.advance(rows, 0);
    }
}

/// One ingest on its way from file to file.
struct Run<'a> {
    lake: &'a Lake,
    options: &'a Options,
    runtime: &'a Handle,
    unfinished: HashSet<(Table, String)>,
    known: HashSet<String>,
    pending: Pending,
    outcomes: Vec<(PathBuf, Outcome)>,
}

impl Run<'_> {
    /// Lands one member whose hash is known.
    fn land(
        &mut self,
        file: &Member,
        fingerprint: Result<(String, u64), LakeError>,
        size: u64,
        progress: &dyn Progress,
    ) -> Result<(), IngestError> {
        let landed = named(&file.content, fingerprint).and_then(|(sha256, bytes)| {
            one_file(self.lake, file, sha256, bytes, self.options, self.runtime, progress, &self.known)
        });
        let outcome = match landed {
            Ok(Some((batch, adds, rejects))) => {
                self.known.insert(batch.batch_id.clone());
                self.pending.take(batch.clone(), adds, rejects);
                Outcome::Landed(batch)
            }
            Ok(None) => {
                progress.advance(0, size);
                Outcome::Known
            }
            Err(error) if error.is_file_fault() => {
                progress.advance(0, size);
                Outcome::Refused(error.named(&file.name))
            }
            Err(error) => return Err(error.named(&file.name)),
        };
        self.outcomes.push((file.name.clone(), outcome));
        if self.pending.batches.len() >= FILES_PER_COMMIT || self.pending.rows >= ROWS_PER_COMMIT {
            self.runtime.block_on(std::mem::take(&mut self.pending).commit(self.lake, &self.unfinished))?;
        }
        Ok(())
    }

    /// Lands every member of a container.
    fn unpack(&mut self, file: Member, progress: &dyn Progress) -> Result<(), IngestError> {
        let first = self.outcomes.len();
        let folder = scratch::folder(self.lake);
        let mut sheets = HashSet::new();
        member::members(file, &folder, &mut |found| {
            match found {
                Ok(member) => {
                    if member.is_sheet {
                        sheets.insert(member.name.clone());
                    }
                    let fingerprint = archive::fingerprint(&member.content);
                    self.land(&member, fingerprint, 0, progress)?;
                }
                Err((name, error)) => self.outcomes.push((name, Outcome::Refused(error))),
            }
            Ok(())
        })?;
        let outcomes = self.outcomes.split_off(first);
        self.outcomes.extend(with_sheets_settled(outcomes, &sheets));
        Ok(())
    }
}

/// A workbook with one export in it may have other sheets; one without any is refused as a whole.
fn with_sheets_settled(outcomes: Vec<(PathBuf, Outcome)>, sheets: &HashSet<PathBuf>) -> Vec<(PathBuf, Outcome)> {
    let book_of = |name: &PathBuf| -> Option<(PathBuf, String)> {
        let text = name.to_string_lossy();
        let (book, sheet) = text.rsplit_once('!')?;
        sheets.contains(name).then(|| (PathBuf::from(book), sheet.to_owned()))
    };
    let is_foreign = |outcome: &Outcome| matches!(outcome, Outcome::Refused(error) if error.is_foreign());
    let mut books: BTreeMap<PathBuf, (bool, Vec<String>)> = BTreeMap::new();
    for (name, outcome) in &outcomes {
        if let Some((book, sheet)) = book_of(name) {
            let (has_export, names) = books.entry(book).or_default();
            *has_export |= !is_foreign(outcome);
            names.push(sheet);
        }
    }
    let mut settled = Vec::with_capacity(outcomes.len());
    for (name, outcome) in outcomes {
        let book = book_of(&name).filter(|_| is_foreign(&outcome));
        match book.and_then(|(book, _)| books.get(&book).map(|(has_export, names)| (book, *has_export, names.clone()))) {
            Some((_, true, _)) => settled.push((name, Outcome::PassedOver)),
            Some((book, false, names)) if names.len() > 1 => {
                if settled.last().is_none_or(|(last, _): &(PathBuf, Outcome)| *last != book) {
                    let sheets = names.join(", ");
                    settled.push((book.clone(), Outcome::Refused(IngestError::NoKnownSheet { path: book, sheets })));
                }
            }
            _ => settled.push((name, outcome)),
        }
    }
    settled
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
    file: &Member,
    sha256: String,
    bytes: u64,
    options: &Options,
    runtime: &Handle,
    progress: &dyn Progress,
    known: &HashSet<String>,
) -> Result<Option<Landed>, IngestError> {
    let path = file.content.as_path();
    let (recorded_at, is_stated) = discover::arrival_of(&file.name, file.modified, options.recorded_at);
    let batch_id = batch_id(&sha256, is_stated.then_some(recorded_at));
    if known.contains(&batch_id) {
        return Ok(None);
    }
    let found: Discovered = discover::discover_named(path, &file.name, options.system.as_deref())?;
    let mut batch = Batch {
        batch_id,
        sha256,
        bytes,
        file: file.name.display().to_string(),
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
