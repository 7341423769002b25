//! `export`: the star as Parquet files that BI tools read, rewritten only where rows changed.
//!
//! ```text
//! out/
//!   dim_customer.parquet ...              one file per dimension
//!   fact_monthly/period=2026-07/data.parquet ...   one folder per month
//!   change_manifest.json, .parquet        which file changed in which export, by which run, and why
//!   dictionary.md, dictionary.json        every table and column
//!   power_bi/                             a project (PBIP) for Power BI Desktop
//!   export.json                           what this folder holds: rows and hashes; written last
//! ```
//! Every table is written to `.staging/` first, sorted by period and key. A file whose rows hash to what the folder holds already is
//! dropped; the others take the place of the old ones, one rename each. `export.json` is written last: a stop before it makes the next export
//! report the same changes again, never fewer. Memory: one batch of rows and one row group, beside DataFusion's sort.

mod dictionary;
mod error;
mod manifest;
mod power_bi;
mod reason;
mod stage;

pub use error::ExportError;
pub use manifest::{Change, ChangeKind};

use crate::bi;
use crate::findings::marts::newest_runs;
use crate::lake::Lake;
use crate::lake::lock::lock;
use crate::query::catalog::Catalog;
use crate::query::session;
use crate::steps::{Silent, Steps};
use chrono::{DateTime, Utc};
use manifest::{Held, State};
use stage::Staged;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where staged files wait.
const STAGING: &str = ".staging";

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Folder to write to: a new one, an empty one, or an earlier export.
    pub folder: PathBuf,
    /// Month in which the fiscal year begins, 1 to 12.
    pub fiscal_start: u32,
    /// Threads.
    pub threads: usize,
    /// Now.
    pub at: DateTime<Utc>,
}

/// What an export did.
#[derive(Clone, Debug)]
pub struct Exported {
    /// What changed, in the order of tables and periods.
    pub changes: Vec<Change>,
    /// Files that the folder holds, and their rows.
    pub files: usize,
    /// Rows of all files.
    pub rows: u64,
}

/// Writes the star of a lake, or what of it changed since the folder was written.
///
/// # Errors
/// [`ExportError`] if no quarter has been analysed, the folder holds something else, or a table cannot be built or written.
pub async fn export(lake: &Lake, request: &Request) -> Result<Exported, ExportError> {
    export_in_steps(lake, request, &Silent).await
}

/// The same; each table is a step.
///
/// # Errors
/// As [`export`].
pub async fn export_in_steps(lake: &Lake, request: &Request, steps: &dyn Steps) -> Result<Exported, ExportError> {
    let folder = &request.folder;
    let runs = newest_runs(lake).await.map_err(bi::StarError::from)?;
    if runs.is_empty() {
        return Err(ExportError::NothingAnalysed);
    }
    let before = State::open(folder)?;
    create_folder(folder)?;
    // One export at a time writes to a folder.
    let held = lock(folder).map_err(bi::StarError::from)?;
    let _lock = held.ok_or_else(|| ExportError::Busy { folder: folder.to_owned() })?;
    let staging = folder.join(STAGING);
    remove_folder(&staging)?;
    create_folder(&staging)?;
    let ctx = session::context(request.threads);
    let catalog = Catalog::load(None).map_err(bi::StarError::from)?;
    steps.step("view of the lake");
    let star = bi::register(&ctx, lake, &catalog, None, request.fiscal_start).await?;
    steps.begin(star.tables.len() + 2);
    let mut now = State::new(before.as_ref(), &runs, request.fiscal_start);
    let mut staged = Vec::new();
    for table in &star.tables {
        steps.step(&table.name);
        staged.extend(stage::stage(&ctx, table, &staging).await?);
    }
    steps.step("changes");
    let mut changes = changes(folder, before.as_ref(), &staged, now.number)?;
    if !changes.is_empty() {
        let reasons = reason::Reasons::new(&ctx, lake, before.as_ref(), &runs).await?;
        for change in &mut changes {
            (change.run_id, change.why) = reasons.of(change);
            change.exported_at = request.at;
        }
    }
    let changed: BTreeMap<&str, &Change> = changes.iter().map(|change| (change.file.as_str(), change)).collect();
    for file in staged {
        let schema = file.columns.clone();
        let held = match (changed.get(file.path.as_str()), before.as_ref().and_then(|state| state.files.get(&file.path))) {
            (None, Some(held)) => held.clone(),
            _ => place(folder, &file, now.number)?,
        };
        now.columns.insert(file.table.clone(), schema);
        now.files.insert(file.path, held);
    }
    for gone in changes.iter().filter(|change| change.kind == ChangeKind::Removed) {
        remove(&folder.join(&gone.file))?;
    }
    remove_folder(&staging)?;
    let texts = dictionary::files(&star, &now.columns)?.into_iter().chain(power_bi::files(&star, &now, folder)?);
    for (path, text) in texts {
        write_if_other(&folder.join(path), text.as_bytes())?;
    }
    if !changes.is_empty() || before.as_ref().is_none_or(|state| !state.says_the_same(&now)) {
        manifest::append(folder, &changes)?;
        now.write(folder)?;
    }
    let rows = now.files.values().map(|held| held.rows).sum();
    Ok(Exported { changes, files: now.files.len(), rows })
}

/// What is not as the folder holds it.
fn changes(folder: &Path, before: Option<&State>, staged: &[Staged], number: u64) -> Result<Vec<Change>, ExportError> {
    let mut changes = Vec::new();
    let none = BTreeMap::new();
    let held = before.map_or(&none, |state| &state.files);
    for file in staged {
        let old = held.get(&file.path);
        let kind = match old {
            None => ChangeKind::Added,
            Some(old) if old.rows_sha256 != file.rows_sha256 => ChangeKind::Restated,
            Some(old) if !old.stands(&folder.join(&file.path))? => ChangeKind::Repaired,
            Some(_) => continue,
        };
        changes.push(Change::new(number, &file.table, file.period, &file.path, kind, old.map(|old| old.rows), Some(file.rows)));
    }
    let stays = |path: &str| staged.iter().any(|file| file.path == path);
    for (path, old) in held.iter().filter(|(path, _)| !stays(path)) {
        changes.push(Change::new(number, &old.table, old.period, path, ChangeKind::Removed, Some(old.rows), None));
    }
    changes.sort_by(|a, b| (&a.table, a.period).cmp(&(&b.table, b.period)));
    Ok(changes)
}

/// Moves a staged file to its place.
fn place(folder: &Path, file: &Staged, number: u64) -> Result<Held, ExportError> {
    let target = folder.join(&file.path);
    if let Some(parent) = target.parent() {
        create_folder(parent)?;
    }
    std::fs::rename(&file.staged, &target).map_err(|e| ExportError::io("write", &target, e))?;
    let (file_sha256, _) = crate::lake::archive::fingerprint(&target).map_err(bi::StarError::from)?;
    Ok(Held {
        table: file.table.clone(),
        period: file.period,
        rows: file.rows,
        rows_sha256: file.rows_sha256.clone(),
        file_sha256,
        export: number,
    })
}

fn create_folder(folder: &Path) -> Result<(), ExportError> {
    std::fs::create_dir_all(folder).map_err(|e| ExportError::io("create", folder, e))
}

fn remove_folder(folder: &Path) -> Result<(), ExportError> {
    match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(ExportError::io("remove", folder, e)),
        _ => Ok(()),
    }
}

/// Removes a file, and its folder if that held nothing else.
fn remove(path: &Path) -> Result<(), ExportError> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(ExportError::io("remove", path, e)),
        _ => {}
    }
    if let Some(parent) = path.parent() {
        let _ = std::fs::remove_dir(parent);
    }
    Ok(())
}

/// Writes a file unless it holds just that; whole or not at all.
fn write_if_other(path: &Path, content: &[u8]) -> Result<(), ExportError> {
    if std::fs::read(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_folder(parent)?;
    }
    let beside = path.with_extension("new");
    std::fs::write(&beside, content).map_err(|e| ExportError::io("write", &beside, e))?;
    std::fs::rename(&beside, path).map_err(|e| ExportError::io("write", path, e))
}
