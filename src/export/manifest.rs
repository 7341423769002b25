//! What a folder holds (`export.json`) and what each export changed in it (`change_manifest`).
//!
//! Incremental refreshes read the manifest: periods are half-open, one row per file and export, the newest export last.

use super::error::ExportError;
use super::write_if_other;
use crate::findings::marts::Run;
use crate::findings::read::month_days;
use crate::lake::archive::fingerprint;
use crate::month::Month;
use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};
use parquet::arrow::ArrowWriter;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// What the folder holds.
const STATE: &str = "export.json";
/// What changed, for programs and for people.
const MANIFEST_JSON: &str = "change_manifest.json";
/// The same for BI tools.
const MANIFEST_PARQUET: &str = "change_manifest.parquet";

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// Its rows are others.
    Restated,
    /// Somebody removed or altered it; its rows are what they were.
    Repaired,
    /// It is gone.
    Removed,
}

impl ChangeKind {
    /// As the manifest says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Restated => "restated",
            Self::Repaired => "repaired",
            Self::Removed => "removed",
        }
    }
}

/// One file that an export changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Which export of the folder, counted from 1.
    pub export: u64,
    /// When it was made.
    pub exported_at: DateTime<Utc>,
    /// Its table.
    pub table: String,
    /// Its month; none for a dimension.
    pub period: Option<Month>,
    /// Its place.
    pub file: String,
    /// What became of it.
    #[serde(rename = "change")]
    pub kind: ChangeKind,
    /// Rows that it held.
    pub rows_before: Option<u64>,
    /// Rows that it holds.
    pub rows_after: Option<u64>,
    /// The run that its rows come from.
    pub run_id: String,
    /// What led to it.
    pub why: String,
}

impl Change {
    pub(super) fn new(
        export: u64,
        table: &str,
        period: Option<Month>,
        file: &str,
        kind: ChangeKind,
        rows_before: Option<u64>,
        rows_after: Option<u64>,
    ) -> Self {
        let (table, file) = (table.to_owned(), file.to_owned());
        let (run_id, why) = (String::new(), String::new());
        Self { export, exported_at: DateTime::UNIX_EPOCH, table, period, file, kind, rows_before, rows_after, run_id, why }
    }
}

/// One file of the folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Held {
    pub(super) table: String,
    pub(super) period: Option<Month>,
    pub(super) rows: u64,
    pub(super) rows_sha256: String,
    pub(super) file_sha256: String,
    /// The export that wrote it.
    pub(super) export: u64,
}

impl Held {
    /// Whether the file is there as it was written.
    pub(super) fn stands(&self, path: &Path) -> Result<bool, ExportError> {
        if !path.is_file() {
            return Ok(false);
        }
        let (sha256, _) = fingerprint(path).map_err(crate::bi::StarError::from)?;
        Ok(sha256 == self.file_sha256)
    }
}

/// What the folder holds, and what it was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// Number of the last export that changed something.
    #[serde(rename = "export")]
    pub(super) number: u64,
    pub(super) engine_version: String,
    pub(super) fiscal_year_start: u32,
    /// The newest run of each quarter.
    pub(super) runs: BTreeMap<String, String>,
    /// Versions of the tables that the newest quarter's run was made from.
    pub(super) core_versions: BTreeMap<String, u64>,
    /// Columns of each table with their types.
    pub(super) columns: BTreeMap<String, Vec<(String, String)>>,
    /// By place.
    pub(super) files: BTreeMap<String, Held>,
}

impl State {
    /// The state of a folder; none if it is new or empty.
    pub(super) fn open(folder: &Path) -> Result<Option<Self>, ExportError> {
        let path = folder.join(STATE);
        if !path.is_file() {
            let is_other = |entry: std::io::Result<std::fs::DirEntry>| {
                entry.is_ok_and(|it| !it.file_name().to_string_lossy().starts_with('.'))
            };
            return match std::fs::read_dir(folder) {
                Ok(mut entries) => match entries.any(is_other) {
                    true => Err(ExportError::NotAnExport { folder: folder.to_owned() }),
                    false => Ok(None),
                },
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(e) => Err(ExportError::io("read", folder, e)),
            };
        }
        let text = std::fs::read(&path).map_err(|e| ExportError::io("read", &path, e))?;
        let state = serde_json::from_slice(&text).map_err(|e| ExportError::Damaged { path, detail: e.to_string() })?;
        Ok(Some(state))
    }

    pub(super) fn new(before: Option<&Self>, runs: &[Run], fiscal_year_start: u32) -> Self {
        Self {
            number: before.map_or(1, |state| state.number + 1),
            engine_version: env!("CARGO_PKG_VERSION").to_owned(),
            fiscal_year_start,
            runs: runs.iter().map(|run| (run.quarter.clone(), run.run_id.clone())).collect(),
            core_versions: runs.last().map(|run| run.core_versions.clone()).unwrap_or_default(),
            columns: BTreeMap::new(),
            files: BTreeMap::new(),
        }
    }

    /// Whether another export says the same of itself but for its number.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        let other = Self { number: self.number, ..other.clone() };
        *self == other
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), ExportError> {
        let path = folder.join(STATE);
        write_if_other(&path, json(self, &path)?.as_bytes())
    }
}

/// Adds changes to the manifest.
pub(super) fn append(folder: &Path, changes: &[Change]) -> Result<(), ExportError> {
    let path = folder.join(MANIFEST_JSON);
    let mut all: Vec<Change> = match std::fs::read(&path) {
        Ok(text) => {
            serde_json::from_slice(&text).map_err(|e| ExportError::Damaged { path: path.clone(), detail: e.to_string() })?
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(ExportError::io("read", &path, e)),
    };
    // An export that was stopped before its end has said some of it already.
    let number = changes.first().map(|change| change.export);
    all.retain(|change| Some(change.export) != number);
    all.extend_from_slice(changes);
    let bytes = parquet(&all).map_err(|e| ExportError::encode("change_manifest", &e))?;
    write_if_other(&path, json(&all, &path)?.as_bytes())?;
    write_if_other(&folder.join(MANIFEST_PARQUET), &bytes)
}

fn json<T: Serialize>(value: &T, path: &Path) -> Result<String, ExportError> {
    let text = serde_json::to_string_pretty(value).map_err(|e| ExportError::encode(&path.display().to_string(), &e))?;
    Ok(text + "\n")
}

fn parquet(changes: &[Change]) -> Result<Vec<u8>, ArrowError> {
    let text =
        |get: &dyn Fn(&Change) -> Option<String>| -> ArrayRef { Arc::new(changes.iter().map(get).collect::<StringArray>()) };
    let whole = |get: &dyn Fn(&Change) -> Option<u64>| -> ArrayRef {
        Arc::new(changes.iter().map(|change| get(change).map(u64::cast_signed)).collect::<Int64Array>())
    };
    let day = |get: &dyn Fn(Month) -> Month| -> ArrayRef {
        Arc::new(changes.iter().map(|change| change.period.map(|month| month_days(get(month)))).collect::<Date32Array>())
    };
    let at: TimestampMicrosecondArray = changes.iter().map(|change| Some(change.exported_at.timestamp_micros())).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("export", whole(&|c| Some(c.export))),
        ("exported_at", Arc::new(at.with_timezone("UTC"))),
        ("table", text(&|c| Some(c.table.clone()))),
        ("period", text(&|c| c.period.map(|month| month.to_string()))),
        ("period_start", day(&|month| month)),
        ("period_end", day(&|month| month.plus(1))),
        ("file", text(&|c| Some(c.file.clone()))),
        ("change", text(&|c| Some(c.kind.as_str().to_owned()))),
        ("rows_before", whole(&|c| c.rows_before)),
        ("rows_after", whole(&|c| c.rows_after)),
        ("run_id", text(&|c| Some(c.run_id.clone()))),
        ("why", text(&|c| Some(c.why.clone()))),
    ];
    let rows = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))?;
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), None)?;
    writer.write(&rows)?;
    writer.close()?;
    Ok(bytes)
}
