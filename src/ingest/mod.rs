//! Exports to the lake, in five steps: discover, read, conform, stage, write; then one commit.
//!
//! ```text
//! file, folder, URL ─ member ─> one file to land each
//! member ─ discover ─> export ─ read ─> blocks ─┬─ cells ─ conform ─ stage (SQL) ─ write ─┐
//!                                               └─ cells ─ conform ─ stage (SQL) ─ write ─┴─> commit: core tables, rejects, then batch
//! ```
//! A file is known by the hash of its content: offered again, it changes nothing. Rows in = accepted + rejected, checked for every file.
//! Memory holds a few blocks and the writers' buffers, not the file.

pub mod arrival;
pub mod conform;
pub mod discover;
mod error;
pub mod export_run;
mod fault;
pub mod fetch;
mod guard;
pub mod mapped;
pub mod member;
pub mod original;
mod pending;
pub mod plan;
mod query;
pub mod read;
pub mod reject;
pub mod sample;
pub mod scratch;
mod stage;
pub mod trace;
pub mod workbook;

pub use error::IngestError;

use crate::lake::archive;
use crate::lake::{Lake, LakeError, Table};
use chrono::{DateTime, Utc};
use deltalake_core::kernel::Add;
use discover::Discovered;
use export_run::{ExportRun, Manifests};
use member::Member;
use pending::{Earlier, Ledger, Pending, batch_table};
use rayon::prelude::*;
use reject::Reject;
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use tokio::runtime::Handle;

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

/// What was named on the command line: a file, or an object in a store.
#[derive(Clone, Debug)]
pub enum Input {
    /// A file.
    Local(PathBuf),
    /// An object.
    Remote(fetch::Remote),
}

impl Input {
    fn bytes(&self) -> u64 {
        match self {
            Self::Local(path) => std::fs::metadata(path).map_or(0, |meta| meta.len()),
            Self::Remote(remote) => remote.bytes,
        }
    }
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
    let ledger = runtime.block_on(Ledger::read(lake))?;
    let sizes: Vec<u64> = inputs.iter().map(Input::bytes).collect();
    progress.start(sizes.iter().sum());
    let mut run = Run {
        lake,
        options,
        runtime,
        ledger,
        manifests: Manifests::default(),
        pending: Pending::default(),
        outcomes: Vec::with_capacity(inputs.len()),
    };
    let fingerprint_of = |input: &Input| match input {
        Input::Local(path) if member::is_single(path) => Some(archive::fingerprint(path)),
        _ => None,
    };
    let fingerprints: Vec<_> = inputs.par_iter().map(fingerprint_of).collect();
    for ((input, size), fingerprint) in inputs.iter().zip(sizes).zip(fingerprints) {
        let file = match input {
            Input::Local(path) => {
                let modified = std::fs::metadata(path).and_then(|m| m.modified()).ok().map(DateTime::<Utc>::from);
                Member { name: path.clone(), content: path.clone(), modified, scratch: None, is_sheet: false }
            }
            Input::Remote(remote) => match runtime.block_on(remote.download(&scratch::folder(lake))) {
                Ok(scratch) => Member {
                    name: PathBuf::from(&remote.url),
                    content: scratch.path().to_owned(),
                    modified: Some(remote.modified),
                    scratch: Some(scratch),
                    is_sheet: false,
                },
                Err(error) => {
                    progress.advance(0, size);
                    run.outcomes.push((PathBuf::from(&remote.url), Outcome::Refused(error.into())));
                    continue;
                }
            },
        };
        match fingerprint {
            Some(fingerprint) => run.land(&file, fingerprint, size, progress)?,
            None if member::is_single(&file.content) => run.land(&file, archive::fingerprint(&file.content), size, progress)?,
            None => {
                run.unpack(file, &RowsOnly(progress))?;
                progress.advance(0, size);
            }
        }
    }
    run.commit()?;
    scratch::clear(lake);
    Ok(run.outcomes)
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
    ledger: Ledger,
    manifests: Manifests,
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
        let landed = named(&file.content, fingerprint).and_then(|(sha256, bytes)| self.one_file(file, sha256, bytes, progress));
        let outcome = match landed {
            Ok(Some((batch, adds, rejects))) => {
                self.ledger.take(&batch);
                self.pending.take(batch.clone(), adds, rejects);
                Outcome::Landed(batch)
            }
            Ok(None) => {
                progress.advance(0, size);
                Outcome::Known
            }
            Err(IngestError::Manifest { .. }) => {
                progress.advance(0, size);
                Outcome::Manifest
            }
            Err(error) if error.is_file_fault() => {
                progress.advance(0, size);
                Outcome::Refused(error.named(&file.name))
            }
            Err(error) => return Err(error.named(&file.name)),
        };
        self.outcomes.push((file.name.clone(), outcome));
        if self.pending.is_enough() { self.commit() } else { Ok(()) }
    }

    /// Commits what has landed. What another process has landed meanwhile is known, as if it had been there before.
    fn commit(&mut self) -> Result<(), IngestError> {
        let pending = std::mem::take(&mut self.pending);
        let second = self.runtime.block_on(pending.commit(self.lake, &mut self.ledger))?;
        for (_, outcome) in &mut self.outcomes {
            if matches!(outcome, Outcome::Landed(batch) if second.contains(&batch.batch_id)) {
                *outcome = Outcome::Known;
            }
        }
        Ok(())
    }

    fn one_file(
        &self,
        file: &Member,
        sha256: String,
        bytes: u64,
        progress: &dyn Progress,
    ) -> Result<Option<Landed>, IngestError> {
        let (lake, options, path) = (self.lake, self.options, file.content.as_path());
        let mut run = self.manifests.run_of(&file.name, file.modified);
        let modified = run.as_ref().map_or(file.modified, |run| Some(run.at));
        let (recorded_at, is_stated) = arrival::arrival_of(&file.name, modified, options.recorded_at);
        if let Some(run) = run.as_mut().filter(|_| is_stated) {
            // A run that is stated again for a later date is a delivery of that date.
            run.name += &recorded_at.format(" %Y-%m-%dT%H:%M:%S%.fZ").to_string();
        }
        // The same part in two runs belongs to both.
        let within = run.as_ref().map(|run| run.name.as_str());
        let id = |mapping: Option<&str>| batch_id(&sha256, is_stated.then_some(recorded_at), within, mapping);
        let ledger = &self.ledger;
        if ledger.has(&id(None)) && mapped::all().is_empty() {
            return Ok(None);
        }
        // A copy that lost its folder and has no date says nothing that its run did not say.
        let is_copy = |batch: &Earlier| batch.sha256 == sha256 && batch.run.is_some() && ledger.has(&batch.batch_id);
        if !is_stated && run.is_none() && mapped::all().is_empty() && ledger.earlier.iter().any(is_copy) {
            return Ok(None);
        }
        let found: Discovered = match discover::discover_named(path, &file.name, options.system.as_deref()) {
            Ok(found) => found,
            Err(error) => {
                // Read before, through a mapping that is not given now.
                let mut through = ledger.earlier.iter().filter(|batch| batch.sha256 == sha256 && batch.mapping.is_some());
                let is_known = through.any(|batch| ledger.has(&id(batch.mapping.as_deref())));
                return if is_known { Ok(None) } else { Err(error) };
            }
        };
        let mapping = mapped::behind(found.recognised);
        let batch_id = id(mapping.map(|map| map.sha256.as_str()));
        if ledger.has(&batch_id) {
            return Ok(None);
        }
        let mut batch = Batch {
            batch_id,
            attempt: format!("{:016x}", rand::random::<u64>()),
            sha256,
            bytes,
            file: file.name.display().to_string(),
            system: found.recognised.source.system,
            entity: found.recognised.export.entity,
            rows_in: 0,
            rows_accepted: 0,
            rows_rejected: 0,
            recorded_at,
            mapping_sha256: mapping.map(|map| map.sha256.clone()),
            run: run.clone(),
        };
        let is_always_known = found.recognised.export.is_reference && !is_stated;
        let staged = std::thread::scope(|scope| {
            let kept = scope.spawn(|| {
                archive::keep(lake, path, &batch.sha256)?;
                mapping.map_or(Ok(()), |map| archive::keep_mapping(lake, &batch.sha256, &map.sha256, &map.text))
            });
            let staged = stage::stage(lake, &found, &batch, is_always_known, options, self.runtime, progress);
            match kept.join() {
                Ok(kept) => kept.map_err(IngestError::Lake).and(staged),
                Err(_) => Err(IngestError::unreadable(
                    path,
                    &std::io::Error::other("archiving stopped unexpectedly; please report this"),
                )),
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

type Landed = (Batch, Vec<(Table, Vec<Add>)>, Vec<Reject>);

/// A file that cannot be read is the file's fault, not the lake's.
fn named(path: &std::path::Path, fingerprint: Result<(String, u64), LakeError>) -> Result<(String, u64), IngestError> {
    fingerprint.map_err(|e| match e {
        LakeError::Io { source, .. } => IngestError::unreadable(path, &source),
        other => IngestError::Lake(other),
    })
}

/// What the same bytes say again on a later stated date is a statement of its own (a quantity that went back); without a stated
/// date the same bytes are the same batch, whatever the file is called.
///
/// What is read through a mapping is what the mapping makes of it.
fn batch_id(sha256: &str, stated: Option<DateTime<Utc>>, run: Option<&str>, mapping: Option<&str>) -> String {
    use sha2::{Digest, Sha256};
    let mut named = sha256.to_owned();
    if let Some(run) = run {
        named += &format!(" {run}");
    }
    if let Some(date) = stated {
        named += &format!(" {}", date.timestamp_micros());
    }
    if let Some(mapping) = mapping {
        named += &format!(" {mapping}");
    }
    if named == sha256 { sha256[..16].to_owned() } else { archive::hex(&Sha256::digest(named)[..8]) }
}
