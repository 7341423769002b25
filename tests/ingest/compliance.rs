//! What every source must do, checked alike for all: the good file means what a person read in it, and each kind of badness made from
//! it costs a row with a reason or the file with a message, never anything else.

use super::exports::good_files;
use super::support::{Place, binary_junk, fixtures, rows};
use serde_json::Value;
use shortfall::sources::{Column, Export, Kind, Shape, find};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn export_of(system: &str, entity: &str) -> &'static Export {
    find(system, entity).expect("a file for every export is checked elsewhere").export
}

/// Every good file with its export.
fn cases() -> Vec<(&'static Export, String, PathBuf)> {
    let files = good_files().into_iter();
    files
        .flat_map(|((system, entity), files)| {
            files
                .into_iter()
                .map(move |file| (export_of(&system, &entity), format!("{system}/{entity}"), file))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn name_of(file: &Path) -> String {
    file.file_name().expect("a name").to_string_lossy().into_owned()
}

/// A cell as the expectation spells it: decimals without padding.
fn plain(text: &str) -> String {
    match text.split_once('.') {
        Some((whole, fraction))
            if !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit()) && whole.parse::<i128>().is_ok() =>
        {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => text.to_owned(),
    }
}

#[test]
fn good_files_mean_what_a_person_reads_in_them() {
    let mut without = Vec::new();
    for (export, name, file) in cases() {
        let of_form = file.extension().map(|e| format!("expected_{}.{}.csv", export.entity, e.to_string_lossy()));
        let candidates = of_form.into_iter().chain([format!("expected_{}.csv", export.entity)]);
        let expected: Vec<PathBuf> = candidates.map(|name| file.with_file_name(name)).collect();
        let Some(expected) = expected.iter().find(|path| path.exists()) else {
            let expected = &expected[expected.len() - 1];
            without.push(format!("{name}: write {}", expected.strip_prefix(fixtures()).unwrap_or(expected).display()));
            continue;
        };
        let place = Place::new();
        // Where a row does not say when it became known, the file does.
        place.ingest(&[&file], &["--recorded-at", "2026-05-01"]).says(0, &[]);
        let mut found = rows(&place.lake(), export.target);
        found.sort_by_key(|row| row["source_row"].parse::<u64>().expect("a row number"));
        let mut reader = csv::Reader::from_path(expected).expect("the expectation");
        let header = reader.headers().expect("a header").clone();
        assert_eq!(header.get(0), Some("source_row"), "{name}");
        let wanted: Vec<Vec<String>> =
            reader.records().map(|r| r.expect("a record").iter().map(str::to_owned).collect()).collect();
        let cell = |row: &BTreeMap<String, String>, column: &str| {
            plain(row.get(column).unwrap_or_else(|| panic!("{name}: {} has no column {column}", export.target.name())))
        };
        let found: Vec<Vec<String>> = found.iter().map(|row| header.iter().map(|column| cell(row, column)).collect()).collect();
        assert_eq!(found, wanted, "{name} from {}, columns {header:?}", name_of(&file));
    }
    assert!(without.is_empty(), "{without:#?}");
}

/// Offers broken content; whatever becomes of it, rows are conserved and nothing panics.
fn offer(file: &Path, content: impl AsRef<[u8]>) -> (Place, i32, String) {
    let (place, ran) = Place::offer(&name_of(file), content);
    if ran.code < 2 {
        place.counts();
    }
    (place, ran.code, ran.to_string())
}

#[test]
fn half_a_file_is_said_to_be_broken_or_loses_its_last_row_with_a_reason() {
    for (_, name, file) in cases() {
        let content = std::fs::read(&file).expect("the file");
        let (_place, code, said) = offer(&file, &content[..content.len() * 3 / 4]);
        let is_json = file.extension().is_some_and(|e| e == "json");
        // A CSV may by chance be cut where a record can end.
        assert!(if is_json { code == 2 } else { code <= 2 }, "{name}\n{said}");
        if is_json {
            assert!(said.contains("broken JSON"), "{name}\n{said}");
        }
    }
}

#[test]
fn empty_files_and_foreign_encodings_are_named() {
    for (_, name, file) in cases() {
        let (_place, code, said) = offer(&file, "");
        assert!(code == 2 && said.contains("is empty"), "{name}\n{said}");
        let text = String::from_utf8(std::fs::read(&file).expect("the file")).expect("UTF-8");
        let utf16: Vec<u8> = std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let (_place, code, said) = offer(&file, utf16);
        assert!(code == 2 && said.contains("UTF-16"), "{name}\n{said}");
        let (_place, code, said) = offer(&file, binary_junk());
        assert!(code == 2 && said.contains("not a text file"), "{name}\n{said}");
    }
}

/// A file as a table of cells: CSV only.
struct Sheet {
    rows: Vec<Vec<String>>,
}

impl Sheet {
    fn read(file: &Path) -> Option<Self> {
        if file.extension().is_none_or(|e| e != "csv") {
            return None;
        }
        let text = std::fs::read_to_string(file).expect("UTF-8");
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        let rows = reader.records().map(|r| r.expect("a record").iter().map(str::to_owned).collect()).collect();
        Some(Self { rows })
    }

    fn at(&self, column: &str) -> Option<usize> {
        self.rows[0].iter().position(|cell| cell.trim().eq_ignore_ascii_case(column))
    }

    fn write(rows: &[Vec<String>]) -> Vec<u8> {
        let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        rows.iter().for_each(|row| writer.write_record(row).expect("memory"));
        writer.into_inner().expect("memory")
    }
}

#[test]
fn a_header_alone_lands_with_no_rows() {
    for (_, name, file) in cases() {
        let Some(sheet) = Sheet::read(&file) else { continue };
        let (place, code, said) = offer(&file, Sheet::write(&sheet.rows[..1]));
        assert_eq!(code, 0, "{name}\n{said}");
        assert_eq!(place.counts(), (0, 0, 0), "{name}");
    }
}

#[test]
fn a_renamed_column_that_is_needed_is_missed_by_name() {
    for (export, name, file) in cases() {
        let Some(sheet) = Sheet::read(&file) else { continue };
        for column in export.columns.iter().filter(|column| column.required) {
            let Some(at) = sheet.at(column.name) else { continue };
            let mut rows = sheet.rows.clone();
            rows[0][at] = "something else".to_owned();
            let (_place, code, said) = offer(&file, Sheet::write(&rows));
            assert!(
                code == 2 && (said.contains(column.name) || said.contains("no export that Shortfall knows")),
                "{name}: {}\n{said}",
                column.name
            );
        }
    }
}

/// What no cell of the kind can be.
fn nonsense(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Text | Kind::Id => None,
        Kind::Currency => Some("QQQ"),
        Kind::Boolean => Some("maybe"),
        _ => Some("n0nsense"),
    }
}

/// The items of the arrays at a path, through the arrays on the way.
fn lines_at<'a>(value: &'a mut Value, path: &[&str]) -> Vec<&'a mut Value> {
    match (value, path) {
        (Value::Array(items), []) => items.iter_mut().collect(),
        (Value::Array(items), path) => items.iter_mut().flat_map(|item| lines_at(item, path)).collect(),
        (value, [key, rest @ ..]) => value.get_mut(*key).map(|inner| lines_at(inner, rest)).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// The value at a column's path; of an array in brackets the first item that counts.
fn cell_at<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    path.split('.').try_fold(value, |at, key| {
        let Some((array, condition)) = key.strip_suffix(']').and_then(|key| key.split_once('[')) else { return at.get_mut(key) };
        let counts = |item: &Value| {
            condition.split_once('=').is_none_or(|(name, wanted)| item[name].to_string().trim_matches('"') == wanted)
        };
        at.get_mut(array)?.as_array_mut()?.iter_mut().find(|item| counts(item))
    })
}

/// Puts `text` in the place of the first value at `path`, looking into arrays and envelopes. Paths that begin with `line` go on
/// inside the arrays at `lines`.
fn put(document: &mut Value, path: &str, lines: &[&str], text: &str) -> bool {
    let replace = |at: Option<&mut Value>| match at {
        Some(value) if !value.is_null() => {
            *value = Value::from(text);
            true
        }
        _ => false,
    };
    match document {
        Value::Array(items) => items.iter_mut().any(|item| put(item, path, lines, text)),
        Value::Object(_) => {
            let is_done = match (path.strip_prefix("line."), lines) {
                (Some(inner), [_, ..]) => lines.iter().any(|array| {
                    let array: Vec<&str> = array.split('.').collect();
                    lines_at(document, &array).into_iter().any(|line| replace(cell_at(line, inner)))
                }),
                _ => replace(cell_at(document, path)),
            };
            is_done
                || document.as_object_mut().is_some_and(|object| object.values_mut().any(|inner| put(inner, path, lines, text)))
        }
        _ => false,
    }
}

/// The good file with nonsense in one cell of the column; nothing if the file has no value there.
fn spoilt(export: &Export, column: &Column, text: &str, file: &Path) -> Option<Vec<u8>> {
    if let Some(mut sheet) = Sheet::read(file) {
        let at = sheet.at(column.name)?;
        let header = sheet.rows[0].clone();
        let row = sheet.rows.iter_mut().skip(1).find(|row| **row != header && !row[at].trim().is_empty())?;
        text.clone_into(&mut row[at]);
        return Some(Sheet::write(&sheet.rows));
    }
    let lines = match export.shape {
        Shape::Json { lines, .. } => lines.unwrap_or_default(),
        _ => &[],
    };
    let content = std::fs::read_to_string(file).expect("UTF-8");
    let documents = serde_json::Deserializer::from_str(&content).into_iter();
    let mut documents: Vec<Value> = documents.collect::<Result<_, _>>().expect("JSON");
    documents.iter_mut().any(|document| put(document, column.name, lines, text)).then(|| {
        let lines: Vec<String> = documents.iter().map(Value::to_string).collect();
        lines.join("\n").into_bytes()
    })
}

#[test]
fn nonsense_in_any_typed_cell_costs_its_rows_with_place_value_and_reason() {
    let mut tried: BTreeMap<String, u32> = BTreeMap::new();
    for (export, name, file) in cases() {
        for column in export.columns {
            let Some(text) = nonsense(column.kind) else { continue };
            let tried = tried.entry(name.clone()).or_default();
            let Some(content) = spoilt(export, column, text, &file) else { continue };
            *tried += 1;
            let (place, code, said) = offer(&file, content);
            assert_eq!(code, 1, "{name}: {}\n{said}", column.name);
            let rejects = place.rejects();
            let is_named = rejects.iter().all(|r| r.0 > 0 && r.1 == column.name && r.2 == text && !r.3.is_empty());
            assert!(is_named && !rejects.is_empty(), "{name}: {}: {rejects:?}", column.name);
        }
    }
    let without: Vec<_> = tried.iter().filter(|(_, tried)| **tried == 0).map(|(name, _)| name).collect();
    assert!(without.is_empty(), "no good file has a value in any typed column of {without:?}");
    assert!(tried.values().sum::<u32>() > 50, "only few cells were spoilt: {tried:?}");
}
