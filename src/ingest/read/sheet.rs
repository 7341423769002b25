//! Sheets of workbooks, as [`crate::ingest::workbook`] writes them down: a line that names the sheet, then one JSON array per row.
//!
//! Row numbers are those of the spreadsheet. A row without a single value is no row; the header row again is none either.

use super::{Block, Cells, JSON_BLOCK_ROWS, Layout, TextRows};
use crate::ingest::IngestError;
use crate::ingest::discover::open;
use crate::ingest::reject::Reject;
use crate::sources::Export;
use serde_json::Value;
use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

/// Key of the first line, which tells a sheet from other JSON.
pub const MARK: &str = "worksheet";
/// Key that tells a date cell from text that looks like one.
pub const DATE: &str = "date";

/// One cell: its text, and whether the workbook itself says that it is a number, a date or a truth value.
pub fn cell(value: &Value) -> (Option<String>, bool) {
    match value {
        Value::Null => (None, false),
        Value::String(text) => (Some(text.clone()), false),
        Value::Object(typed) => (typed.get(DATE).and_then(Value::as_str).map(str::to_owned), true),
        other => (Some(other.to_string()), true),
    }
}

/// Cells of a line of the file.
#[must_use]
pub fn cells_of(line: &str) -> Option<Vec<(Option<String>, bool)>> {
    match serde_json::from_str(line).ok()? {
        Value::Array(values) => Some(values.iter().map(cell).collect()),
        _ => None,
    }
}

pub(super) fn blocks(
    path: &Path,
    header_row: u64,
    export: &Export,
    sink: &mut dyn FnMut(Block, Option<&Arc<Layout>>) -> bool,
) -> Result<(), IngestError> {
    let mut layout: Option<Arc<Layout>> = None;
    let mut rows = Vec::new();
    for (number, line) in (0..).zip(open(path)?.lines()) {
        let line = line.map_err(|e| IngestError::unreadable(path, &e))?;
        if number == header_row {
            let header = header(&line).unwrap_or_default();
            layout = Some(Arc::new(Layout::new(header, b',', export)));
        }
        if number <= header_row || line == "[]" {
            continue;
        }
        rows.push((number, line));
        if rows.len() >= JSON_BLOCK_ROWS && !sink(Block::Sheet { rows: std::mem::take(&mut rows) }, layout.as_ref()) {
            return Ok(());
        }
    }
    sink(Block::Sheet { rows }, layout.as_ref());
    Ok(())
}

/// The column names in a line.
#[must_use]
pub fn header(line: &str) -> Option<Vec<String>> {
    Some(cells_of(line)?.into_iter().map(|(text, _)| text.unwrap_or_default().trim().to_owned()).collect())
}

pub(super) fn cells(rows: Vec<(u64, String)>, layout: &Layout, rejects: &mut Vec<Reject>) -> TextRows {
    let mut source_rows = Vec::with_capacity(rows.len());
    let mut columns: Vec<(Vec<Option<String>>, Vec<bool>)> = vec![Default::default(); layout.positions.len()];
    for (number, line) in rows {
        let Some(cells) = cells_of(&line) else {
            rejects.push(Reject::new(number, "", &line, "the row of the sheet cannot be read"));
            continue;
        };
        let is_header = !layout.signature.is_empty()
            && layout.signature.iter().all(|&at| {
                let text = cells.get(at).and_then(|(text, _)| text.as_deref()).unwrap_or("");
                text.trim().eq_ignore_ascii_case(&layout.header[at])
            });
        if is_header {
            continue;
        }
        source_rows.push(number);
        for ((texts, stated), at) in columns.iter_mut().zip(&layout.positions) {
            let (text, is_stated) = at.and_then(|at| cells.get(at)).cloned().unwrap_or((None, false));
            texts.push(text);
            stated.push(is_stated);
        }
    }
    let columns = columns.into_iter().zip(&layout.positions);
    let columns = columns.map(|((texts, stated), at)| at.map(|_| Cells::Stated { texts, stated })).collect();
    TextRows { source_rows, columns }
}
