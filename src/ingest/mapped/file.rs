//! A mapping file: TOML that says which files are an export, how their cells are written and what their columns mean.
//!
//! ```toml
//! system = "dicker"                        # name in every `system` column, and in the crosswalks
//!
//! [[export]]
//! name = "details"
//! table = "vendor_usage"
//!
//! [export.file]                            # which files, and how they are written
//! format = "xlsx"                          # csv, tsv, json, jsonl, xlsx (any workbook), parquet
//! sheet = "DETAILS"                        # patterns with `*`; also `name = "dicker_*.xlsx"`
//! columns = ["TENANT ID", "REFERENCE"]     # must be there besides those used below
//!
//! [export.cells]                           # how texts are written; real numbers and dates of a workbook or Parquet need none of it
//! dates = ["D-MON-YYYY"]                   # tried in this order: iso, us, unix_seconds, unix_millis, dotnet, D-MON-YYYY, or a pattern (%d.%m.%Y)
//! decimal = "."
//! thousands = ","
//! signs = ["$", "AUD"]                     # stripped from amounts; `($5.00)` is -5
//! empty = ["n/a"]                          # texts that mean no value
//! unique = ["REFERENCE"]                   # no two rows share these
//!
//! [export.columns]                         # canonical column = where it comes from
//! customer_native_id = "TENANT ID"
//! quantity = "QTY"
//! currency = { constant = "AUD" }
//! cost = { multiply = ["QTY", "UNIT PRICE"], divide = { column = "STOCK CODE", values = { "P1Y:*:Y:" = "12" }, otherwise = "1" } }
//! category = { column = "CHARGE TYPE", values = { "Cycle fee" = "usage" }, otherwise = "usage" }
//! measure = { constant = "level" }
//! period_end = { column = "END USAGE", inclusive = true }
//!
//! [export.beside.contract]                 # rows of other tables that each row speaks of besides
//! ```
//! Nothing is guessed per value, unknown keys are errors, and an error names file, line and key. Mappings are checked when they are loaded:
//! columns of the table that must have a source, what a constant or a value may be, patterns of dates.

use super::Mapped;
use super::build::{Builder, leaked};
use crate::lake::archive::hex;
use crate::sources::{Source, all_exports};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// What is wrong with a mapping file.
#[derive(Debug, thiserror::Error)]
#[error("`{file}`:{line}: {detail}")]
pub struct MappingError {
    /// The file.
    pub file: String,
    /// Line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong, with the key, and what is allowed.
    pub detail: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSection {
    system: String,
    title: Option<String>,
    export: Vec<ExportSection>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportSection {
    pub(super) name: String,
    pub(super) table: String,
    pub(super) file: Recognition,
    #[serde(default)]
    pub(super) cells: Cells,
    pub(super) columns: BTreeMap<String, toml::Value>,
    #[serde(default)]
    pub(super) beside: BTreeMap<String, BTreeMap<String, toml::Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recognition {
    pub(super) format: String,
    pub(super) name: Option<String>,
    pub(super) sheet: Option<String>,
    #[serde(default)]
    pub(super) columns: Vec<String>,
    pub(super) separator: Option<String>,
    pub(super) encoding: Option<String>,
    pub(super) header_row: Option<u32>,
    /// Key of the array in a wrapping object.
    pub(super) records: Option<String>,
    /// Path to the lines within a record.
    pub(super) lines: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cells {
    pub(super) dates: Option<Vec<String>>,
    pub(super) decimal: Option<String>,
    pub(super) thousands: Option<String>,
    #[serde(default)]
    pub(super) signs: Vec<String>,
    #[serde(default)]
    pub(super) empty: Vec<String>,
    #[serde(default)]
    pub(super) unique: Vec<String>,
}

/// Where a canonical column comes from.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) column: Option<String>,
    #[serde(default)]
    pub(super) also: Vec<String>,
    pub(super) constant: Option<toml::Value>,
    pub(super) join: Option<Vec<String>>,
    pub(super) multiply: Option<Vec<String>>,
    pub(super) arrival: Option<String>,
    pub(super) divide: Option<toml::Value>,
    pub(super) values: Option<BTreeMap<String, toml::Value>>,
    pub(super) otherwise: Option<toml::Value>,
    pub(super) dates: Option<Vec<String>>,
    #[serde(default)]
    pub(super) negate: bool,
    #[serde(default)]
    pub(super) minor_units: bool,
    #[serde(default)]
    pub(super) inclusive: bool,
    pub(super) required: Option<bool>,
}

/// Reads a mapping file and makes its exports known.
///
/// # Errors
/// [`MappingError`] with file, line and key.
pub fn load(path: &Path) -> Result<(), MappingError> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| MappingError {
        file: file.clone(),
        line: 0,
        detail: format!("cannot be read: {e}"),
    })?;
    super::register(parse(&file, &text)?);
    Ok(())
}

/// The exports that a mapping file's text describes.
///
/// # Errors
/// [`MappingError`] with file, line and key.
pub fn parse(file: &str, text: &str) -> Result<Vec<Mapped>, MappingError> {
    let section: FileSection = toml::from_str(text).map_err(|e| {
        let line = e.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        MappingError { file: file.to_owned(), line, detail: e.message().to_owned() }
    })?;
    let fail = |key: &str, export: usize, detail: String| MappingError {
        file: file.to_owned(),
        line: line_of(text, export, key),
        detail: format!("`{key}`: {detail}"),
    };
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !is_name(&section.system) {
        return Err(fail("system", 0, "a name is lower-case letters, digits and `_`".to_owned()));
    }
    if section.export.is_empty() {
        return Err(fail("export", 0, "there is none".to_owned()));
    }
    let sha256 = hex(&Sha256::digest(text));
    let mut mapped = Vec::new();
    let system: &'static str = leaked(&section.system);
    let title: &'static str = leaked(section.title.as_deref().unwrap_or(&section.system));
    for (at, export) in (1..).zip(&section.export) {
        if !is_name(&export.name) {
            return Err(fail("name", at, "a name is lower-case letters, digits and `_`".to_owned()));
        }
        if all_exports().any(|known| known.source.system == system && known.export.entity == export.name) {
            return Err(fail("name", at, format!("`{system} {}` is built in; choose another name", export.name)));
        }
        let built = Builder::new(export, system).build().map_err(|(key, detail)| fail(&key, at, detail))?;
        let source: &'static Source = Box::leak(Box::new(Source { system, title, exports: &[] }));
        mapped.push(Mapped {
            source,
            export: Box::leak(Box::new(built.export)),
            rules: built.rules,
            stagings: built.stagings,
            file: Path::new(file).file_name().map_or_else(|| file.to_owned(), |name| name.to_string_lossy().into_owned()),
            text: text.to_owned(),
            sha256: sha256.clone(),
        });
    }
    Ok(mapped)
}

/// The line of a key: within the export with this number, from 1, or before the first.
fn line_of(text: &str, export: usize, key: &str) -> usize {
    let mut seen = 0;
    let mut header = 0;
    let key = key.rsplit('.').next().unwrap_or(key);
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim_start();
        if line.starts_with("[[export]]") {
            seen += 1;
            header = if seen == export { number } else { header };
        }
        let name = line.trim_start_matches(['"', '\'']);
        let is_key = name.strip_prefix(key).is_some_and(|rest| rest.trim_start_matches(['"', '\'', ' ']).starts_with('='));
        if seen == export && is_key {
            return number;
        }
    }
    header
}
