//! Original rows from the archive: the evidence behind every figure.

use super::discover::{Dialect, Form, decompressed, discover_named};
use super::mapped::{self, Format};
use super::read::encoding::decoded;
use super::scratch::Scratch;
use super::{IngestError, read};
use crate::lake::{Lake, LakeError, archive};
use crate::sources::{Shape, find};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

/// The rows with these numbers as they stood in a file of an export, in the order of the file.
///
/// # Errors
/// [`LakeError`] if the archive lacks the file or cannot be read.
pub fn original_rows(
    lake: &Lake,
    sha256: &str,
    system: &str,
    entity: &str,
    rows: &[u64],
) -> Result<Vec<(u64, String)>, LakeError> {
    let failed = |e| LakeError::io("read the archived", lake.root(), e);
    let kept = archive::mapping_of(lake, sha256)?.and_then(|text| mapped::file::parse("mapping", &text).ok()).unwrap_or_default();
    let mapping = kept.iter().find(|map| map.source.system == system && map.export.entity == entity);
    let shape = mapping.map(|map| map.export.shape).or_else(|| find(system, entity).map(|found| found.export.shape));
    let stored = BufReader::with_capacity(1 << 20, archive::open(lake, sha256)?);
    let mut input = decompressed(stored).map_err(failed)?;
    let head = input.fill_buf().map_err(failed)?;
    if head.starts_with(b"PAR1") {
        return parquet_rows(input, rows).map_err(failed);
    }
    if head.starts_with(b"{\"worksheet\":") {
        return sheet_rows(input, rows).map_err(failed);
    }
    let first = head.iter().copied().find(|b| !b.is_ascii_whitespace() && !b"\xef\xbb\xbf".contains(b));
    if let Some(rules) = mapping.map(|map| &map.rules).filter(|rules| rules.format == Some(Format::Csv)) {
        return csv_rows(decoded(input, rules.encoding), rules.separator.unwrap_or(b','), rows).map_err(failed);
    }
    let found = match (first, shape) {
        (Some(b'{'), Some(shape @ Shape::CsvOrJson { .. })) if is_of_lines(head, &shape) => json_lines(input, rows),
        (Some(b'{' | b'['), shape) => json_rows(input, rows, shape.as_ref()),
        _ => {
            let dialect = dialect(head, system);
            csv_rows(decoded(input, dialect.encoding), dialect.separator, rows)
        }
    };
    found.map_err(failed)
}

/// How delimited text is written, told by its beginning as it was when it was ingested.
fn dialect(head: &[u8], system: &str) -> Dialect {
    let found = Scratch::create(&std::env::temp_dir()).and_then(|(scratch, mut file)| {
        file.write_all(head)?;
        Ok(scratch)
    });
    let found = found.ok().and_then(|scratch| discover_named(scratch.path(), Path::new(""), Some(system)).ok());
    match found.map(|found| found.form) {
        Some(Form::Csv(dialect)) => dialect,
        _ => Dialect::PLAIN,
    }
}

/// Rows of a sheet as JSON arrays; a date is shown as its text.
fn sheet_rows(input: impl BufRead, rows: &[u64]) -> std::io::Result<Vec<(u64, String)>> {
    let mut found = Vec::new();
    for (number, line) in (0_u64..).zip(input.lines()) {
        let line = line?;
        if number > 0 && rows.contains(&number) {
            let cells = read::sheet::cells_of(&line).unwrap_or_default();
            let values = match serde_json::from_str(&line) {
                Ok(Value::Array(values)) => values,
                _ => Vec::new(),
            };
            let shown =
                values.into_iter().zip(cells).map(|(value, (text, _))| if value.is_object() { Value::from(text) } else { value });
            found.push((number, Value::Array(shown.collect()).to_string()));
        }
    }
    Ok(found)
}

/// Parquet is read from its end, so it is unpacked first.
fn parquet_rows(mut input: impl Read, rows: &[u64]) -> std::io::Result<Vec<(u64, String)>> {
    let (scratch, mut file) = Scratch::create(&std::env::temp_dir())?;
    std::io::copy(&mut input, &mut file)?;
    file.flush()?;
    read::parquet::originals(scratch.path(), rows).map_err(|e: IngestError| std::io::Error::other(e.to_string()))
}

fn csv_rows(input: impl Read, separator: u8, rows: &[u64]) -> std::io::Result<Vec<(u64, String)>> {
    let last = rows.iter().copied().max().unwrap_or(0);
    let mut reader = read::csv_reader(input, separator);
    let mut record = csv::ByteRecord::new();
    let mut found = Vec::new();
    let mut number = 0;
    while number < last && read::next_record(&mut reader, &mut record)? {
        number += 1;
        if rows.contains(&number) {
            let mut writer = csv::WriterBuilder::new().delimiter(separator).flexible(true).from_writer(Vec::new());
            writer.write_byte_record(&record)?;
            let line = writer.into_inner().map_err(|e| std::io::Error::other(e.to_string()))?;
            found.push((number, String::from_utf8_lossy(&line).trim_end().to_owned()));
        }
    }
    Ok(found)
}

/// Whether a text is JSON Lines, told by its beginning: a line that is a record, not a page. Rows of a page have the same numbers, unless a
/// line is broken.
fn is_of_lines(head: &[u8], shape: &Shape) -> bool {
    head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()).take(1).all(|line| {
        let value = serde_json::from_slice::<Value>(line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line));
        value.map_or(!matches!(line.last(), Some(b'{' | b'[' | b',')), |value| {
            read::records(std::slice::from_ref(&value), shape) == [&value]
        })
    })
}

fn json_lines(input: impl BufRead, rows: &[u64]) -> std::io::Result<Vec<(u64, String)>> {
    let mut found = Vec::new();
    let mut number = 0;
    for line in input.split(b'\n') {
        let line = line?;
        let text = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line).trim_ascii();
        number += u64::from(!text.is_empty());
        if !text.is_empty() && rows.contains(&number) {
            found.push((number, String::from_utf8_lossy(text).into_owned()));
        }
    }
    Ok(found)
}

fn json_rows(mut input: impl Read, rows: &[u64], shape: Option<&Shape>) -> std::io::Result<Vec<(u64, String)>> {
    let mut text = Vec::new();
    input.read_to_end(&mut text)?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let values: Vec<Value> = serde_json::Deserializer::from_slice(text).into_iter().map_while(Result::ok).collect();
    let records = match shape {
        Some(shape) => read::records(&values, shape),
        None => values.iter().collect(),
    };
    let mut found = Vec::new();
    let mut number = 0;
    for record in records {
        let mut lines = shape.map(|shape| read::lines_of(record, shape)).unwrap_or_default();
        let is_cut = shape.is_some_and(|shape| read::lacks_lines(record, shape));
        if lines.is_empty() {
            lines.push(record);
        }
        for line in lines {
            number += 1;
            if rows.contains(&number) {
                // The line is what the row is; its record's fields are the same for all its lines.
                found.push((number, line.to_string()));
            }
        }
        // The reject that says so has a number of its own.
        number += u64::from(is_cut);
    }
    Ok(found)
}
