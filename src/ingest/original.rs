//! Original rows from the archive: the evidence behind every figure.

use super::discover::decompressed;
use super::read;
use crate::lake::{Lake, LakeError, archive};
use crate::sources::{Shape, find};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};

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
    let shape = find(system, entity).map(|found| found.export.shape);
    let stored = BufReader::with_capacity(1 << 20, archive::open(lake, sha256)?);
    let failed = |e| LakeError::io("read the archived", lake.root(), e);
    let mut input = decompressed(stored).map_err(failed)?;
    let head = input.fill_buf().map_err(failed)?;
    let first = head.iter().copied().find(|b| !b.is_ascii_whitespace() && !b"\xef\xbb\xbf".contains(b));
    let found = match (first, shape) {
        (Some(b'{' | b'['), Some(Shape::CsvOrJsonLines)) => json_lines(input, rows),
        (Some(b'{' | b'['), shape) => json_rows(input, rows, shape.as_ref()),
        _ => csv_rows(input, rows),
    };
    found.map_err(failed)
}

fn csv_rows(input: impl Read, rows: &[u64]) -> std::io::Result<Vec<(u64, String)>> {
    let last = rows.iter().copied().max().unwrap_or(0);
    let mut reader = read::csv_reader(input);
    let mut record = csv::ByteRecord::new();
    let mut found = Vec::new();
    let mut number = 0;
    while number < last && read::next_record(&mut reader, &mut record)? {
        number += 1;
        if rows.contains(&number) {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            writer.write_byte_record(&record)?;
            let line = writer.into_inner().map_err(|e| std::io::Error::other(e.to_string()))?;
            found.push((number, String::from_utf8_lossy(&line).trim_end().to_owned()));
        }
    }
    Ok(found)
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
