//! Files below the output folder, counted by kind, with the path in every error.

use super::error::SynthError;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// How much of one kind was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct FileCount {
    /// Files.
    pub files: usize,
    /// Rows or records in them, headers not counted.
    pub rows: usize,
}

/// A table on its way into a CSV file.
pub(crate) struct Table {
    pub(crate) header: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<String>>,
    /// Between cells.
    pub(crate) separator: u8,
    /// Begin with a UTF-8 byte-order mark.
    pub(crate) marked: bool,
    /// Repeat the header before this row, as pasted-together downloads do.
    pub(crate) header_again_before: Option<usize>,
}

impl Table {
    pub(crate) fn new(header: &[&'static str]) -> Self {
        Self { header: header.to_vec(), rows: Vec::new(), separator: b',', marked: false, header_again_before: None }
    }

    fn encode(&self) -> Result<Vec<u8>, csv::Error> {
        let start = if self.marked { "\u{feff}".as_bytes().to_vec() } else { Vec::new() };
        let mut writer = csv::WriterBuilder::new().delimiter(self.separator).from_writer(start);
        writer.write_record(&self.header)?;
        for (number, row) in self.rows.iter().enumerate() {
            if self.header_again_before == Some(number) {
                writer.write_record(&self.header)?;
            }
            writer.write_record(row)?;
        }
        writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
    }
}

/// The output folder.
pub(crate) struct Output {
    root: PathBuf,
    pub(crate) counts: BTreeMap<&'static str, FileCount>,
}

impl Output {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), counts: BTreeMap::new() }
    }

    pub(crate) fn bytes(&mut self, kind: &'static str, name: &str, rows: usize, bytes: &[u8]) -> Result<(), SynthError> {
        let path = self.root.join(name);
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(|source| SynthError::CreateFolder { path: folder.to_owned(), source })?;
        fs::write(&path, bytes).map_err(|source| SynthError::Write { path, source })?;
        let count = self.counts.entry(kind).or_default();
        count.files += 1;
        count.rows += rows;
        Ok(())
    }

    pub(crate) fn csv(&mut self, kind: &'static str, name: &str, table: &Table) -> Result<(), SynthError> {
        let bytes = table.encode().map_err(|source| SynthError::WriteCsv { path: self.root.join(name), source })?;
        self.bytes(kind, name, table.rows.len(), &bytes)
    }

    pub(crate) fn json(&mut self, kind: &'static str, name: &str, rows: usize, value: &Value) -> Result<(), SynthError> {
        let bytes = serde_json::to_vec(value).map_err(|source| SynthError::WriteJson { path: self.root.join(name), source })?;
        self.bytes(kind, name, rows, &bytes)
    }

    /// Pages of an API, each with the number of its records, one after the other as they were saved.
    pub(crate) fn pages(&mut self, kind: &'static str, name: &str, pages: &[(usize, Value)]) -> Result<(), SynthError> {
        let mut bytes = Vec::new();
        for (_, page) in pages {
            serde_json::to_writer(&mut bytes, page)
                .map_err(|source| SynthError::WriteJson { path: self.root.join(name), source })?;
            bytes.push(b'\n');
        }
        self.bytes(kind, name, pages.iter().map(|(records, _)| records).sum(), &bytes)
    }

    /// For files that are compressed or otherwise put together by their writer.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}
