//! Exports that a mapping file (TOML) describes, beside the built-in ones.
//!
//! A mapping becomes what a source is: an [`Export`] with its column table and the staging queries ([`staging`]), and [`Rules`] that say which
//! files it means. Loaded mappings stand in one list for the whole process; they are never unloaded, so their number is that of the
//! mapping files.

mod build;
pub mod draft;
pub mod file;
mod staging;

use super::read::encoding::Encoding;
use crate::sources::{Export, Recognised, Source, column};
use serde_json::Value;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

/// What a file must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Delimited text.
    Csv,
    /// Arrays, pages, objects one after the other.
    Json,
    /// One object per line.
    JsonLines,
    /// A sheet of a workbook.
    Excel,
    /// Parquet.
    Parquet,
}

/// Which files a mapping means, and how they are written.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// What the file must be.
    pub format: Option<Format>,
    /// Pattern of its name.
    pub name: Option<glob::Pattern>,
    /// Pattern of the sheet's name.
    pub sheet: Option<glob::Pattern>,
    /// What separates columns; a comma if not said.
    pub separator: Option<u8>,
    /// How characters are encoded.
    pub encoding: Encoding,
    /// Row of the header; looked for if not said.
    pub header_row: Option<u32>,
    /// Columns that must be there.
    pub needed: Vec<String>,
}

impl Rules {
    /// Whether the file or the sheet is meant by name.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.name.is_some() || self.sheet.is_some()
    }
}

/// One export of a mapping file.
#[derive(Debug)]
pub struct Mapped {
    /// The system.
    pub source: &'static Source,
    /// The export.
    pub export: &'static Export,
    /// Which files it means.
    pub rules: Rules,
    /// Staging queries by name.
    pub stagings: Vec<(String, String)>,
    /// Name of the mapping file.
    pub file: String,
    /// The mapping file's text, to be kept with what was read through it.
    pub text: String,
    /// Hash of the text, in hex.
    pub sha256: String,
}

impl Mapped {
    /// As an export like any other.
    #[must_use]
    pub fn recognised(&self) -> Recognised {
        Recognised { source: self.source, export: self.export }
    }

    /// For messages: `dicker details (dicker.toml)`.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {} ({})", self.source.system, self.export.entity, self.file)
    }

    /// The query that fills a table.
    #[must_use]
    pub fn staging(&self, name: &str) -> Option<&str> {
        self.stagings.iter().find(|(known, _)| known == name).map(|(_, sql)| sql.as_str())
    }

    /// Whether a file of this name may be meant: the name of the file, or of the archive or workbook that it stands in.
    #[must_use]
    pub fn may_be(&self, system: Option<&str>, name: &Path) -> bool {
        let is_named = |pattern: &glob::Pattern| {
            let options = glob::MatchOptions { case_sensitive: false, ..Default::default() };
            let name = name.to_string_lossy();
            let mut parts = name.split('!').filter_map(|part| part.rsplit(['/', '\\']).next());
            parts.any(|part| pattern.matches_with(part, options))
        };
        system.is_none_or(|system| system == self.source.system) && self.rules.name.as_ref().is_none_or(is_named)
    }

    /// Columns that some column names lack.
    #[must_use]
    pub fn missing(&self, names: &[String]) -> Vec<String> {
        self.rules.needed.iter().filter(|name| column::position(names, name).is_none()).cloned().collect()
    }

    /// Whether all needed columns are there; `has_items` where columns may hold items (Parquet).
    #[must_use]
    pub fn is_header(&self, names: &[String], has_items: bool) -> bool {
        let is_item = |name: &str| {
            let item =
                self.export.columns.iter().find(|column| column.name == name).and_then(|column| column.item_position(names));
            has_items && item.is_some()
        };
        self.missing(names).iter().all(|name| is_item(name))
    }

    /// Whether a JSON record has all needed fields.
    #[must_use]
    pub fn is_record(&self, record: &Value) -> bool {
        self.rules.needed.iter().all(|name| {
            let found = name.split('.').try_fold(record, |at, key| {
                let object = at.as_object()?;
                object.get(key).or_else(|| object.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, value)| value))
            });
            found.is_some()
        })
    }
}

/// Every export that was ever loaded, and whether it still counts. What is being read keeps the mapping that it was recognised by.
static LOADED: RwLock<Vec<(&'static Mapped, bool)>> = RwLock::new(Vec::new());

/// Adds exports to the list. Those of the same name that came before no longer recognise files.
pub fn register(exports: Vec<Mapped>) {
    let mut loaded = LOADED.write().unwrap_or_else(PoisonError::into_inner);
    for export in exports {
        let name = (export.source.system, export.export.entity);
        for (known, counts) in loaded.iter_mut() {
            *counts &= (known.source.system, known.export.entity) != name;
        }
        loaded.push((Box::leak(Box::new(export)), true));
    }
}

/// Every export that counts.
#[must_use]
pub fn all() -> Vec<&'static Mapped> {
    let loaded = LOADED.read().unwrap_or_else(PoisonError::into_inner);
    loaded.iter().filter(|(_, counts)| *counts).map(|(export, _)| *export).collect()
}

/// The mapping behind an export, if one is.
#[must_use]
pub fn behind(found: Recognised) -> Option<&'static Mapped> {
    let loaded = LOADED.read().unwrap_or_else(PoisonError::into_inner);
    loaded.iter().map(|(export, _)| *export).find(|map| std::ptr::eq(map.export, found.export))
}
