//! The header and the first rows of any file, for whoever wants to describe it. What is concluded here is a proposal: ingest concludes nothing.

use super::discover::{first_records, open, sheet_header};
use super::member::{Member, members};
use super::read::encoding::{Encoding, decoded};
use super::read::parquet;
use super::read::sheet::{self, Cell};
use super::{IngestError, read};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, Read as _};
use std::path::Path;

/// Rows of a sample.
const ROWS: usize = 500;

/// What a file begins with.
#[derive(Debug)]
pub struct Sample {
    /// Format as a mapping file names it.
    pub format: &'static str,
    /// Name of the sheet, if it is one.
    pub sheet: Option<String>,
    /// What separates columns.
    pub separator: u8,
    /// Encoding as a mapping file names it.
    pub encoding: &'static str,
    /// Row of the header, where there are rows above it.
    pub header_row: Option<u64>,
    /// Key of the array with the records.
    pub records: Option<String>,
    /// Column names.
    pub header: Vec<String>,
    /// Cells of the first rows: text, and whether the file itself says that it is a number or a date.
    pub rows: Vec<Vec<Cell>>,
    /// Other sheets and entries that were not looked at.
    pub others: Vec<String>,
}

/// Samples a file, or the member of it whose name ends in `wanted`; the first that has a table, if none is wanted.
///
/// # Errors
/// [`IngestError`] if it cannot be read, or holds no table.
pub fn sample(path: &Path, wanted: Option<&str>, folder: &Path) -> Result<Sample, IngestError> {
    let file = Member { name: path.to_owned(), content: path.to_owned(), modified: None, scratch: None, is_sheet: false };
    let mut found: Option<Sample> = None;
    let mut others = Vec::new();
    let mut refused = None;
    members(file, folder, &mut |member| {
        match member {
            Ok(member) => {
                let name = member.name.display().to_string();
                let inner = name.rsplit('!').next().unwrap_or("").to_owned();
                let is_wanted = wanted.is_none_or(|wanted| inner.eq_ignore_ascii_case(wanted) || name.ends_with(wanted));
                if found.is_some() || !is_wanted {
                    others.push(inner);
                } else {
                    match of_member(&member) {
                        Ok(sample) if sample.header.len() > 1 || wanted.is_some() => found = Some(sample),
                        Ok(_) => others.push(inner),
                        Err(error) => refused = Some(error.named(&member.name)),
                    }
                }
            }
            Err((_, error)) => refused = Some(error),
        }
        Ok(())
    })?;
    let empty = || IngestError::Empty { path: path.to_owned() };
    let mut found = found.ok_or_else(|| refused.unwrap_or_else(empty))?;
    found.others = others;
    Ok(found)
}

fn of_member(member: &Member) -> Result<Sample, IngestError> {
    let path = member.content.as_path();
    let mut head = Vec::new();
    open(path)?.take(4 << 20).read_to_end(&mut head).map_err(|e| IngestError::unreadable(path, &e))?;
    let plain = |format, header, rows| Sample {
        format,
        sheet: None,
        separator: b',',
        encoding: "utf-8",
        header_row: None,
        records: None,
        header,
        rows,
        others: Vec::new(),
    };
    if head.is_empty() {
        return Err(IngestError::Empty { path: path.to_owned() });
    }
    if head.starts_with(b"PAR1") {
        let header = parquet::header(path)?;
        let lines = parquet::originals(path, &(1..=ROWS as u64).collect::<Vec<_>>())?;
        let records: Vec<Value> = lines.iter().filter_map(|(_, line)| serde_json::from_str(line).ok()).collect();
        let rows = records.iter().map(|record| header.iter().map(|name| cell(record.get(name))).collect()).collect();
        return Ok(plain("parquet", header, rows));
    }
    if member.is_sheet {
        return of_sheet(path, plain("xlsx", Vec::new(), Vec::new()));
    }
    let is_utf16 =
        head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) || (head.len() > 3 && head[1] == 0 && head[3] == 0);
    // A cut character at the end of the sample is no other encoding.
    let is_utf8 = std::str::from_utf8(&head).map_or_else(|e| e.error_len().is_none(), |_| true);
    let (encoding, name) = match (is_utf16, is_utf8) {
        (true, _) => (Encoding::Utf16, "utf-16"),
        (false, true) => (Encoding::Utf8, "utf-8"),
        (false, false) => (Encoding::Windows1252, "windows-1252"),
    };
    let mut text = Vec::new();
    let mut input = decoded(Box::new(std::io::Cursor::new(head)), encoding);
    input.read_to_end(&mut text).map_err(|e| IngestError::unreadable(path, &e))?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    if text.contains(&0) {
        return Err(IngestError::NotText { path: path.to_owned() });
    }
    if text.trim_ascii_start().starts_with(b"{") || text.trim_ascii_start().starts_with(b"[") {
        return of_json(path, text, plain("json", Vec::new(), Vec::new()));
    }
    // The separator that cuts the most rows into the same number of cells, more than one.
    let best = [b',', b';', b'\t', b'|']
        .into_iter()
        .map(|separator| {
            let records = first_records(text, separator, ROWS + 20);
            let mut widths: BTreeMap<usize, usize> = BTreeMap::new();
            records.iter().filter(|cells| cells.len() > 1).for_each(|cells| *widths.entry(cells.len()).or_default() += 1);
            let (width, count) = widths.into_iter().max_by_key(|(width, count)| (*count, *width)).unwrap_or((1, 0));
            (count * width, width, separator, records)
        })
        .max_by_key(|(weight, ..)| *weight);
    let Some((_, width, separator, records)) = best else { return Err(IngestError::NotText { path: path.to_owned() }) };
    let at = records.iter().position(|cells| cells.len() == width && cells.iter().all(|cell| !cell.is_empty()));
    let at = at.or_else(|| records.iter().position(|cells| cells.len() == width)).unwrap_or(0);
    let header = records.get(at).cloned().unwrap_or_default();
    let text_cell = |text: &String| (Some(text.clone()).filter(|text| !text.is_empty()), false);
    let rows = records.iter().skip(at + 1).map(|cells| cells.iter().map(text_cell).collect()).collect();
    let format = if separator == b'\t' { "tsv" } else { "csv" };
    Ok(Sample { separator, encoding: name, header_row: (at > 0).then_some(at as u64 + 1), ..plain(format, header, rows) })
}

fn cell(value: Option<&Value>) -> Cell {
    match value {
        None | Some(Value::Null) => (None, false),
        Some(Value::String(text)) => (Some(text.clone()), false),
        Some(other) => (Some(other.to_string()), true),
    }
}

fn of_sheet(path: &Path, empty: Sample) -> Result<Sample, IngestError> {
    let mut name = None;
    let mut rows: Vec<(u64, Vec<Cell>)> = Vec::new();
    for (number, line) in (0_u64..).zip(open(path)?.lines()).take(ROWS + 100) {
        let line = line.map_err(|e| IngestError::unreadable(path, &e))?;
        if number == 0 {
            name = sheet_header(&line);
        } else if line != "[]" {
            rows.extend(sheet::cells_of(&line).map(|cells| (number, cells)));
        }
    }
    let filled = |cells: &[Cell]| cells.iter().filter(|(text, _)| text.is_some()).count();
    let widest = rows.iter().take(50).map(|(_, cells)| filled(cells)).max().unwrap_or(0);
    // The first row that is filled nearly as well as any.
    let at = rows.iter().position(|(_, cells)| filled(cells) * 5 >= widest * 4).unwrap_or(0);
    let Some((number, cells)) = rows.get(at) else { return Err(IngestError::Empty { path: path.to_owned() }) };
    let header = cells.iter().map(|(text, _)| text.clone().unwrap_or_default().trim().to_owned()).collect();
    let header_row = (at > 0).then_some(*number);
    Ok(Sample {
        sheet: name,
        header_row,
        header,
        rows: rows.split_off(at + 1).into_iter().map(|(_, cells)| cells).collect(),
        ..empty
    })
}

fn of_json(path: &Path, text: &[u8], empty: Sample) -> Result<Sample, IngestError> {
    let first = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).find(|line| !line.is_empty()).unwrap_or_default();
    let is_lines =
        text.trim_ascii().contains(&b'\n') && serde_json::from_slice::<Value>(first).is_ok_and(|value| value.is_object());
    let values: Vec<Value> = if is_lines {
        text.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).take(ROWS).collect()
    } else {
        read::whole_json(path)?
    };
    let mut key = None;
    let mut records: Vec<&Value> = Vec::new();
    for value in &values {
        match value {
            Value::Array(items) => records.extend(items),
            Value::Object(object) => {
                let inner =
                    object.iter().find(|(_, value)| value.as_array().is_some_and(|items| items.iter().any(Value::is_object)));
                match inner.filter(|_| !is_lines) {
                    Some((name, items)) => {
                        key = Some(name.clone());
                        records.extend(items.as_array().into_iter().flatten());
                    }
                    None => records.push(value),
                }
            }
            _ => {}
        }
    }
    let mut header: Vec<String> = Vec::new();
    let flat: Vec<BTreeMap<String, Value>> = records
        .iter()
        .take(ROWS)
        .map(|record| {
            let mut cells = BTreeMap::new();
            leaves(record, "", &mut |name, value| {
                if !header.contains(&name) {
                    header.push(name.clone());
                }
                cells.insert(name, value.clone());
            });
            cells
        })
        .collect();
    let rows = flat.iter().map(|cells| header.iter().map(|name| cell(cells.get(name))).collect()).collect();
    Ok(Sample { format: if is_lines { "jsonl" } else { "json" }, records: key, header, rows, ..empty })
}

/// Scalars of a record by their dotted paths; lists are left out.
fn leaves(value: &Value, path: &str, take: &mut dyn FnMut(String, &Value)) {
    if let Value::Object(object) = value {
        for (key, inner) in object {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match inner {
                Value::Object(_) => leaves(inner, &path, take),
                Value::Array(_) => {}
                _ => take(path, inner),
            }
        }
    }
}
