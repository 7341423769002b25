//! JSON: records out of pages and their shells, one row per line of a record, cells by dotted paths.

use super::{Block, Cells, JSON_BLOCK_ROWS, Layout, MAX_RECORD_BYTES, TextRows};
use crate::ingest::IngestError;
use crate::ingest::discover::open;
use crate::ingest::reject::Reject;
use crate::sources::{Column, Export, Shape};
use serde_json::Value;
use std::io::{BufRead, Read};
use std::path::Path;
use std::sync::Arc;

/// Records of arrays and pages, in blocks.
pub(super) fn values(
    path: &Path,
    export: &Export,
    sink: &mut dyn FnMut(Block, Option<&Arc<Layout>>) -> bool,
) -> Result<(), IngestError> {
    let values = whole_json(path)?;
    let rows = records(&values, Some(&export.shape));
    let mut next_row = 1;
    let mut block = Vec::new();
    for record in rows {
        for line in lines_of(record, &export.shape) {
            block.push((next_row, Ok(line)));
            next_row += 1;
        }
        if lacks_lines(record, &export.shape) {
            let id = record.get("id").and_then(Value::as_str).unwrap_or("this record");
            let reason = format!("the export leaves out further lines of {id}; export it with all lines expanded");
            block.push((next_row, Err(Reject::new(next_row, "lines.has_more", "true", &reason))));
            next_row += 1;
        }
        if block.len() >= JSON_BLOCK_ROWS && !sink(Block::Json { rows: std::mem::take(&mut block) }, None) {
            return Ok(());
        }
    }
    sink(Block::Json { rows: block }, None);
    Ok(())
}

/// One object per line; a broken line costs its row.
pub(super) fn json_lines(path: &Path, sink: &mut dyn FnMut(Block, Option<&Arc<Layout>>) -> bool) -> Result<(), IngestError> {
    let mut input = open(path)?;
    let mut line = Vec::new();
    let mut rows = Vec::new();
    let mut next_row = 1;
    loop {
        line.clear();
        let count = (&mut input)
            .take(MAX_RECORD_BYTES as u64)
            .read_until(b'\n', &mut line)
            .map_err(|e| IngestError::unreadable(path, &e))?;
        if count == 0 {
            sink(Block::Json { rows }, None);
            return Ok(());
        }
        let text = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line).trim_ascii();
        if text.is_empty() {
            continue;
        }
        let value = serde_json::from_slice(text)
            .map_err(|e| Reject::new(next_row, "", &String::from_utf8_lossy(text), &format!("not a JSON object: {e}")));
        rows.push((next_row, value));
        next_row += 1;
        if rows.len() >= JSON_BLOCK_ROWS && !sink(Block::Json { rows: std::mem::take(&mut rows) }, None) {
            return Ok(());
        }
    }
}

/// Every JSON value of a file: one, or several written one after the other.
///
/// # Errors
/// [`IngestError::BrokenJson`] with line and column, [`IngestError::Unreadable`].
pub fn whole_json(path: &Path) -> Result<Vec<Value>, IngestError> {
    let mut text = Vec::new();
    open(path)?.read_to_end(&mut text).map_err(|e| IngestError::unreadable(path, &e))?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    serde_json::Deserializer::from_slice(text)
        .into_iter::<Value>()
        .collect::<Result<_, _>>()
        .map_err(|e| IngestError::BrokenJson { path: path.to_owned(), line: e.line(), column: e.column(), detail: e.to_string() })
}

/// The records in some JSON values: the values themselves, the items of arrays, or of the array under the envelope's key.
#[must_use]
pub fn records<'a>(values: &'a [Value], shape: Option<&Shape>) -> Vec<&'a Value> {
    let envelopes: Vec<&str> = match shape {
        Some(Shape::Json { envelope, .. }) => vec![envelope],
        _ => crate::sources::all_exports()
            .filter_map(|r| match r.export.shape {
                Shape::Json { envelope, .. } => Some(envelope),
                _ => None,
            })
            .collect(),
    };
    let mut found = Vec::new();
    for value in values {
        match value {
            Value::Array(items) => found.extend(items),
            Value::Object(object) => match envelopes.iter().find_map(|key| object.get(*key)?.as_array()) {
                Some(items) if !object.contains_key("lines") => found.extend(items),
                _ => found.push(value),
            },
            _ => found.push(value),
        }
    }
    found
}

/// Whether a record says that it has more lines than stand in it.
#[must_use]
pub fn lacks_lines(record: &Value, shape: &Shape) -> bool {
    let Shape::Json { lines: Some([parents @ .., _]), .. } = shape else { return false };
    let list = parents.iter().try_fold(record, |at, key| at.get(key));
    list.and_then(|list| list.get("has_more")).and_then(Value::as_bool).unwrap_or(false)
}

/// The rows of a record: itself, or one per line with the line under `line`.
#[must_use]
pub fn lines_of(record: &Value, shape: &Shape) -> Vec<Value> {
    let Shape::Json { lines: Some(path), .. } = shape else { return vec![record.clone()] };
    let mut at = record;
    for key in *path {
        match at.get(key) {
            Some(inner) => at = inner,
            None => return vec![record.clone()],
        }
    }
    let Value::Array(lines) = at else { return vec![record.clone()] };
    let mut head = record.clone();
    if let Value::Object(object) = &mut head
        && let Some(first) = path.first()
    {
        object.shift_remove(*first);
    }
    lines
        .iter()
        .map(|line| {
            let mut row = head.clone();
            if let Value::Object(object) = &mut row {
                object.insert("line".to_owned(), line.clone());
            }
            row
        })
        .collect()
}

pub(super) fn json_cells(rows: Vec<(u64, Result<Value, Reject>)>, export: &Export, rejects: &mut Vec<Reject>) -> TextRows {
    let mut source_rows = Vec::new();
    let mut columns: Vec<Vec<Option<String>>> = vec![Vec::new(); export.columns.len()];
    let wanted_object = match export.shape {
        Shape::Json { object, .. } => object,
        _ => None,
    };
    for (row, value) in rows {
        let value = match value {
            Ok(value @ Value::Object(_)) => value,
            Ok(other) => {
                rejects.push(Reject::new(row, "", &other.to_string(), "not a JSON object"));
                continue;
            }
            Err(reject) => {
                rejects.push(reject);
                continue;
            }
        };
        let object = value.get("object").and_then(Value::as_str);
        if wanted_object.is_some() && object != wanted_object {
            let reason = format!("expected an object of kind `{}`", wanted_object.unwrap_or_default());
            rejects.push(Reject::new(row, "object", object.unwrap_or(""), &reason));
            continue;
        }
        source_rows.push(row);
        for (cells, column) in columns.iter_mut().zip(export.columns) {
            cells.push(at_path(&value, column));
        }
    }
    TextRows { source_rows, columns: columns.into_iter().map(|cells| Some(Cells::Plain(cells))).collect() }
}

/// The text at a column's path: keys compared exactly, then without case; scalars as written.
fn at_path(value: &Value, column: &Column) -> Option<String> {
    std::iter::once(column.name).chain(column.aliases.iter().copied()).find_map(|name| text_at(value, name))
}

fn text_at(value: &Value, path: &str) -> Option<String> {
    let mut at = value;
    for key in path.split('.') {
        let Value::Object(object) = at else { return None };
        at = object.get(key).or_else(|| object.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v))?;
    }
    match at {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Object(object) => object.get("id").and_then(Value::as_str).map(str::to_owned),
        other => Some(other.to_string()),
    }
}
