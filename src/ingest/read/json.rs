//! JSON: records out of pages and their shells, one row per line of a record, cells by dotted paths.
//!
//! Where records and lines stand is said by [`Shape::Json`]; whoever needs to know (reading, discovery, the display of original rows)
//! asks [`records`] and [`lines_of`].

use super::{Block, Cells, JSON_BLOCK_ROWS, Layout, MAX_RECORD_BYTES, TextRows};
use crate::ingest::IngestError;
use crate::ingest::discover::open;
use crate::ingest::reject::Reject;
use crate::money::{format_scaled, parse_decimal};
use crate::sources::{Column, Export, LINE_POSITION, Shape};
use serde_json::{Map, Value};
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
    let mut next_row = 1;
    let mut block = Vec::new();
    // The rows of one record stay in one block: a staging query may look at a whole invoice.
    for record in records(&values, &export.shape) {
        for row in rows_of(record, &export.shape) {
            block.push((next_row, Ok(row)));
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

/// The records in some JSON values: what stands under the envelope in pages, the items of arrays, else the values themselves.
///
/// What stands where a record should, but is none, is taken for one: it costs a row, and nothing is passed over.
#[must_use]
pub fn records<'a>(values: &'a [Value], shape: &Shape) -> Vec<&'a Value> {
    let (Shape::Json { envelope, .. } | Shape::CsvOrJson { envelope }) = shape else { return values.iter().collect() };
    let ways: Vec<Vec<&str>> = envelope.split('|').map(keys).collect();
    let mut found = Vec::new();
    for value in values {
        match value {
            Value::Array(items) => items.iter().for_each(|item| unpack(item, &ways, &mut found)),
            _ => unpack(value, &ways, &mut found),
        }
    }
    found
}

/// The keys of a dotted path.
fn keys(path: &str) -> Vec<&str> {
    path.split('.').filter(|key| !key.is_empty()).collect()
}

/// The records of one page; a record without a shell is itself. The outer part of the shell may be missing.
fn unpack<'a>(value: &'a Value, ways: &[Vec<&str>], found: &mut Vec<&'a Value>) {
    for way in ways {
        for (at, key) in way.iter().enumerate() {
            if let Some(inner @ (Value::Array(_) | Value::Object(_))) = value.get(*key) {
                return descend(inner, &way[at + 1..], found);
            }
        }
    }
    found.push(value);
}

/// Follows the rest of an envelope. A shell without the next key holds no records, if it holds nothing else either: the vendors leave
/// the key out of a page without results.
fn descend<'a>(value: &'a Value, way: &[&str], found: &mut Vec<&'a Value>) {
    match (value, way) {
        (Value::Array(items), []) => found.extend(items),
        (Value::Array(items), [key, ..]) => {
            for item in items {
                // A plain value of that name is the record's own: `object` wraps an event's record, and names the kind of one in a page.
                let is_shell = matches!(item.get(*key), Some(Value::Array(_) | Value::Object(_)));
                if is_shell { descend(item, way, found) } else { found.push(item) }
            }
        }
        (Value::Object(shell), [key, rest @ ..]) => match shell.get(*key) {
            Some(inner) => descend(inner, rest, found),
            None if shell.values().any(|inner| inner.is_array() || inner.is_object()) => found.push(value),
            None => {}
        },
        _ => found.push(value),
    }
}

/// Whether a record says that it has more lines than stand in it: `has_more` beside the array, or `has_more_<array>`.
#[must_use]
pub fn lacks_lines(record: &Value, shape: &Shape) -> bool {
    let Shape::Json { lines: Some(paths), .. } = shape else { return false };
    paths.iter().any(|path| {
        let path = keys(path);
        let Some((array, parents)) = path.split_last() else { return false };
        let holder = parents.iter().try_fold(record, |at, key| at.get(*key));
        let says = |key: &str| holder.and_then(|holder| holder.get(key)).and_then(Value::as_bool).unwrap_or(false);
        says("has_more") || says(&format!("has_more_{array}"))
    })
}

/// The lines of a record, from every array that holds some; none where the record is the row.
#[must_use]
pub fn lines_of<'a>(record: &'a Value, shape: &Shape) -> Vec<&'a Value> {
    let (Shape::Json { lines: Some(paths), .. }, Value::Object(_)) = (shape, record) else { return Vec::new() };
    let mut found = Vec::new();
    paths.iter().for_each(|path| gather(record, &keys(path), &mut found));
    found
}

/// The items of the arrays at a path, through the arrays on the way.
fn gather<'a>(value: &'a Value, path: &[&str], found: &mut Vec<&'a Value>) {
    match (value, path) {
        (Value::Array(items), []) => found.extend(items),
        (Value::Array(items), [key, rest @ ..]) => {
            items.iter().filter_map(|item| item.get(*key)).for_each(|inner| gather(inner, rest, found));
        }
        (_, [key, rest @ ..]) => {
            if let Some(inner) = value.get(*key) {
                gather(inner, rest, found);
            }
        }
        _ => {}
    }
}

/// The rows of a record: one per line, with the line under `line`, its place among all, and without the arrays of all lines; else the
/// record itself.
fn rows_of(record: &Value, shape: &Shape) -> Vec<Value> {
    let lines = lines_of(record, shape);
    let (Shape::Json { lines: Some(paths), .. }, Value::Object(object), [_, ..]) = (shape, record, lines.as_slice()) else {
        return vec![record.clone()];
    };
    let is_of_lines = |key: &str| paths.iter().any(|path| path.split('.').next() == Some(key));
    let head: Map<String, Value> =
        object.iter().filter(|(key, _)| !is_of_lines(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
    let row = |(place, line): (usize, &Value)| {
        let mut row = head.clone();
        row.insert("line".to_owned(), line.clone());
        row.insert(LINE_POSITION.to_owned(), Value::from(place + 1));
        Value::Object(row)
    };
    lines.into_iter().enumerate().map(row).collect()
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
            cells.push(cell(&value, column));
        }
    }
    TextRows { source_rows, columns: columns.into_iter().map(|cells| Some(Cells::Plain(cells))).collect() }
}

/// The text at a column's path, or at the first of its other paths that has one.
fn cell(value: &Value, column: &Column) -> Option<String> {
    std::iter::once(column.name).chain(column.aliases.iter().copied()).find_map(|path| at_path(value, path))
}

/// The text at a path: keys compared exactly, then without case; scalars as written; of an array in brackets the sum.
fn at_path(value: &Value, path: &str) -> Option<String> {
    let mut at = value;
    let mut rest = path;
    while !rest.is_empty() {
        let (key, after) = rest.split_once('.').unwrap_or((rest, ""));
        let Value::Object(object) = at else { return None };
        if let Some(inner) = field(object, key) {
            (at, rest) = (inner, after);
            continue;
        }
        let (array, condition) = key.strip_suffix(']')?.split_once('[')?;
        return sum_at(field(object, array)?, condition, after);
    }
    match at {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Object(object) => object.get("id").and_then(Value::as_str).map(str::to_owned),
        other => Some(other.to_string()),
    }
}

fn field<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    object.get(key).or_else(|| object.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v))
}

/// The sum of the numbers at a path in the items of an array: all, or those that the condition `field=value` is true of. What is no number
/// is the text itself, for which the row is rejected.
fn sum_at(array: &Value, condition: &str, path: &str) -> Option<String> {
    let items = match array {
        Value::Null => return None,
        Value::Array(items) => items,
        other => return Some(other.to_string()),
    };
    let fits = |item: &Value| match condition.split_once('=') {
        Some((name, wanted)) => !item.is_object() || at_path(item, name).is_some_and(|text| text.eq_ignore_ascii_case(wanted)),
        None => true,
    };
    let mut sum = 0_i128;
    for item in items.iter().filter(|item| fits(item)) {
        let Some(text) = at_path(item, path) else { return Some(array.to_string()) };
        match parse_decimal(text.trim()).ok().and_then(|number| sum.checked_add(number)) {
            Some(total) => sum = total,
            None => return Some(text),
        }
    }
    Some(format_scaled(sum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_array_in_brackets_is_summed_and_what_is_no_number_stays_to_be_rejected() {
        let line = json!({ "taxes": [{ "amount": 333, "kind": "inclusive" }, { "amount": "0.5", "kind": "Inclusive" }, { "amount": 7, "kind": "x" }],
                           "none": [], "null": null, "bad": [{ "amount": 1 }, { "amount": "n0" }], "odd": [{ "amont": 1 }], "flat": [5], "text": "t" });
        for (path, expected) in [
            ("taxes[].amount", Some("340.5")),
            ("taxes[kind=inclusive].amount", Some("333.5")),
            ("TAXES[kind=other].amount", Some("0")),
            ("none[].amount", Some("0")),
            ("null[].amount", None),
            ("absent[].amount", None),
            ("bad[].amount", Some("n0")),
            ("odd[].amount", Some("[{\"amont\":1}]")),
            ("flat[kind=inclusive].amount", Some("[5]")),
            ("text[].amount", Some("\"t\"")),
            ("text", Some("t")),
        ] {
            assert_eq!(at_path(&line, path).as_deref(), expected, "{path}");
        }
    }
}
