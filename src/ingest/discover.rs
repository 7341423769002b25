//! Which export a file is, told by its content: the header row of a CSV, the keys of its first records in JSON. Never its name.

use super::IngestError;
use crate::sources::{Recognised, Shape, all_exports};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use flate2::read::MultiGzDecoder;
use serde_json::Value;
use std::cmp::Reverse;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Bytes read to recognise a file.
const SNIFF_BYTES: u64 = 256 << 10;

/// Lines of which one must be a whole JSON object, if a file is JSON Lines.
const LINES_TRIED: usize = 20;

/// What kind of text a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A header row and records.
    Csv,
    /// One JSON object per line.
    JsonLines,
    /// Arrays or objects, perhaps several in a row.
    Json,
}

/// A file whose export is known.
#[derive(Clone, Debug)]
pub struct Discovered {
    /// Where it lies.
    pub path: PathBuf,
    /// What it is.
    pub recognised: Recognised,
    /// How it is written.
    pub form: Form,
}

/// Opens a file for reading, decompressed: gzip of any number of members, Zstandard, or plain.
///
/// # Errors
/// [`IngestError::Unreadable`] if it cannot be opened.
pub fn open(path: &Path) -> Result<Box<dyn BufRead + Send>, IngestError> {
    let unreadable = |e: std::io::Error| IngestError::unreadable(path, &e);
    let file = BufReader::with_capacity(1 << 20, File::open(path).map_err(unreadable)?);
    decompressed(file).map_err(unreadable)
}

/// The content of a stream that may be compressed.
///
/// # Errors
/// If the stream cannot be read.
pub fn decompressed<R: BufRead + Send + 'static>(mut input: R) -> std::io::Result<Box<dyn BufRead + Send>> {
    let magic = input.fill_buf()?;
    if magic.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(BufReader::with_capacity(1 << 20, MultiGzDecoder::new(input))));
    }
    if magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Ok(Box::new(BufReader::with_capacity(1 << 20, zstd::Decoder::new(input)?)));
    }
    Ok(Box::new(input))
}

/// Recognises one file, or says why not. `system` narrows the choice to one source.
///
/// # Errors
/// [`IngestError::Empty`], [`IngestError::Encoding`], [`IngestError::NotText`], [`IngestError::Unrecognised`],
/// [`IngestError::MissingColumns`] or [`IngestError::Unreadable`].
pub fn discover(path: &Path, system: Option<&str>) -> Result<Discovered, IngestError> {
    let mut head = Vec::new();
    open(path)?.take(SNIFF_BYTES).read_to_end(&mut head).map_err(|e| IngestError::unreadable(path, &e))?;
    let is_whole = (head.len() as u64) < SNIFF_BYTES;
    if head.is_empty() {
        return Err(IngestError::Empty { path: path.to_owned() });
    }
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return Err(IngestError::Encoding { path: path.to_owned(), encoding: "UTF-16" });
    }
    if head.starts_with(b"PK\x03\x04") {
        return Err(IngestError::Packed { path: path.to_owned() });
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    if is_utf_16_unmarked(text) {
        return Err(IngestError::Encoding { path: path.to_owned(), encoding: "UTF-16" });
    }
    if text.contains(&0) {
        return Err(IngestError::NotText { path: path.to_owned() });
    }
    let first = text.iter().copied().find(|b| !b.is_ascii_whitespace());
    match first {
        None => Err(IngestError::Empty { path: path.to_owned() }),
        Some(b'{' | b'[') => discover_json(path, text, is_whole, system),
        Some(_) => discover_csv(path, text, system),
    }
}

/// Latin text in UTF-16 without its mark: every other byte is zero.
fn is_utf_16_unmarked(text: &[u8]) -> bool {
    let start = &text[..text.len().min(64) & !1];
    let zeros = |offset: usize| start.iter().skip(offset).step_by(2).all(|&byte| byte == 0);
    start.len() >= 8 && (zeros(0) != zeros(1))
}

/// Header cells of a CSV, cleaned of quotes and spaces. Bytes that are no UTF-8 do no harm in columns that nobody reads.
#[must_use]
pub fn header_cells(line: &[u8]) -> Option<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line);
    let mut record = csv::ByteRecord::new();
    if !reader.read_byte_record(&mut record).ok()? {
        return None;
    }
    Some(record.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect())
}

fn discover_csv(path: &Path, text: &[u8], system: Option<&str>) -> Result<Discovered, IngestError> {
    let header = header_cells(text).ok_or_else(|| IngestError::NotText { path: path.to_owned() })?;
    if header.len() == 1 && header[0].len() > 4096 {
        return Err(IngestError::NotText { path: path.to_owned() });
    }
    let content = text.trim_ascii_start();
    let line_end = content.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
    if let Some(at) = line_end
        && content[at] == b'\r'
        && !matches!(content.get(at + 1), None | Some(b'\n'))
    {
        return Err(IngestError::LineEnds { path: path.to_owned() });
    }
    let is_delimited = |shape: &Shape| matches!(shape, Shape::Csv | Shape::CsvOrJsonLines);
    let recognised = best_match(&header, system, is_delimited);
    let found = recognised.map_err(|near| {
        let line = String::from_utf8_lossy(&content[..line_end.unwrap_or(content.len())]);
        let separator = [';', '\t', '|'].into_iter().find(|&separator| {
            let cells: Vec<String> = line.split(separator).map(|cell| cell.trim_matches(['"', ' ']).to_owned()).collect();
            best_match(&cells, system, is_delimited).is_ok()
        });
        if let Some(separator) = separator {
            return IngestError::Separator { path: path.to_owned(), separator };
        }
        if line.contains(|c: char| c.is_control() && c != '\t') {
            return IngestError::NotText { path: path.to_owned() };
        }
        unrecognised(path, &header, near)
    })?;
    let missing: Vec<String> =
        found.export.columns.iter().filter(|c| c.required && c.position(&header).is_none()).map(|c| c.name.to_owned()).collect();
    if !missing.is_empty() {
        return Err(IngestError::MissingColumns {
            path: path.to_owned(),
            system: found.source.system,
            entity: found.export.entity,
            missing,
        });
    }
    Ok(Discovered { path: path.to_owned(), recognised: found, form: Form::Csv })
}

fn discover_json(path: &Path, text: &[u8], is_whole: bool, system: Option<&str>) -> Result<Discovered, IngestError> {
    // One of the first lines must be whole: a broken one costs its row, not the file.
    let mut lines = text.split(|&b| b == b'\n').filter(|line| !line.trim_ascii().is_empty()).take(LINES_TRIED);
    let is_array = text.trim_ascii_start().starts_with(b"[");
    let first_object = lines.find_map(|line| match serde_json::from_slice::<Value>(line) {
        Ok(Value::Object(object)) if is_whole || line.len() < text.len() => Some(object),
        _ => None,
    });
    if !is_array && let Some(object) = first_object {
        let keys: Vec<String> = object.keys().cloned().collect();
        let by_line = best_match(&keys, system, |shape| matches!(shape, Shape::CsvOrJsonLines));
        if let Ok(recognised) = by_line {
            return Ok(Discovered { path: path.to_owned(), recognised, form: Form::JsonLines });
        }
    }
    let values = super::read::whole_json(path)?;
    let records = super::read::records(&values, None);
    let mut keys: Vec<String> = Vec::new();
    let mut objects: Vec<&str> = Vec::new();
    for record in records.iter().take(50) {
        if let Value::Object(object) = record {
            keys.extend(object.keys().filter(|k| !keys.contains(k)).cloned().collect::<Vec<_>>());
            objects.extend(object.get("object").and_then(Value::as_str));
        }
    }
    if records.is_empty() {
        return Err(IngestError::NoRecords { path: path.to_owned() });
    }
    let recognised = best_match(&keys, system, |shape| match shape {
        Shape::Json { object: Some(wanted), .. } => objects.contains(wanted),
        Shape::Json { object: None, .. } => true,
        Shape::Csv | Shape::CsvOrJsonLines => false,
    });
    let found = recognised.map_err(|near| unrecognised(path, &keys, near))?;
    Ok(Discovered { path: path.to_owned(), recognised: found, form: Form::Json })
}

/// The export with the longest signature that is wholly there; else the one of which most is there.
fn best_match(
    names: &[String],
    system: Option<&str>,
    fits: impl Fn(&Shape) -> bool,
) -> Result<Recognised, Option<(Recognised, Vec<&'static str>)>> {
    let mut best: Option<Recognised> = None;
    let mut near: Vec<(Recognised, Vec<&'static str>)> = Vec::new();
    for candidate in all_exports() {
        if system.is_some_and(|wanted| wanted != candidate.source.system) || !fits(&candidate.export.shape) {
            continue;
        }
        let is_missing = |column: &&'static str| candidate.export.position(column, names).is_none();
        let missing: Vec<&'static str> = candidate.export.signature.iter().copied().filter(is_missing).collect();
        let present = candidate.export.signature.len() - missing.len();
        if missing.is_empty() {
            if best.is_none_or(|b| candidate.export.signature.len() > b.export.signature.len()) {
                best = Some(candidate);
            }
        } else if present >= 2 {
            near.push((candidate, missing));
        }
    }
    // Of those that lack equally much, the one whose other columns are there is meant.
    let columns =
        |candidate: &Recognised| candidate.export.columns.iter().filter(|column| column.position(names).is_some()).count();
    let nearest = near.into_iter().min_by_key(|(candidate, missing)| (missing.len(), Reverse(columns(candidate))));
    best.ok_or(nearest)
}

fn unrecognised(path: &Path, names: &[String], near: Option<(Recognised, Vec<&'static str>)>) -> IngestError {
    if let Some((near, missing)) = near {
        return IngestError::MissingColumns {
            path: path.to_owned(),
            system: near.source.system,
            entity: near.export.entity,
            missing: missing.into_iter().map(str::to_owned).collect(),
        };
    }
    let shown: Vec<String> = names.iter().take(8).map(|name| name.chars().take(40).collect()).collect();
    IngestError::Unrecognised { path: path.to_owned(), found: shown.join(", ") }
}

/// When a file became known: the flag, else the last date in its name or folders, else its modification time. The second value
/// says whether the date was stated (flag or name).
#[must_use]
pub fn arrival(path: &Path, flag: Option<DateTime<Utc>>) -> (DateTime<Utc>, bool) {
    if let Some(stated) = flag.or_else(|| date_in_path(path)) {
        return (stated, true);
    }
    let modified = std::fs::metadata(path).and_then(|m| m.modified()).map(DateTime::<Utc>::from);
    (modified.unwrap_or(DateTime::UNIX_EPOCH), false)
}

/// The date in the file name, else in the nearest folder that has one: `2026-08-05`, `2026-08-05T1430` (UTC) for an instant of it,
/// or `2026-08` for its first day.
fn date_in_path(path: &Path) -> Option<DateTime<Utc>> {
    path.components().rev().find_map(|part| date_in(&part.as_os_str().to_string_lossy()))
}

fn date_in(name: &str) -> Option<DateTime<Utc>> {
    let bytes = name.as_bytes();
    let is_digits =
        |from: usize, count: usize| bytes.get(from..from + count).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    let at = |from: usize, wanted: u8| bytes.get(from) == Some(&wanted);
    let mut found = None;
    for start in 0..bytes.len() {
        let begins = start == 0 || !bytes[start - 1].is_ascii_digit();
        if !begins || !is_digits(start, 4) || !at(start + 4, b'-') || !is_digits(start + 5, 2) {
            continue;
        }
        let text = |from: usize, to: usize| name.get(start + from..start + to)?.parse::<u32>().ok();
        let has_day = at(start + 7, b'-') && is_digits(start + 8, 2) && !is_digits(start + 10, 1);
        let bare_month = !is_digits(start + 7, 1);
        let day = if has_day { text(8, 10) } else { bare_month.then_some(1) };
        let date = text(0, 4)
            .zip(text(5, 7))
            .zip(day)
            .and_then(|((year, month), day)| NaiveDate::from_ymd_opt(year.cast_signed(), month, day));
        found = date.map(|date| date.and_time(name.get(start + 10..).and_then(time_in).unwrap_or(NaiveTime::MIN)).and_utc()).or(found);
    }
    found
}

/// The time behind a date: `T1430`, `T14-30`, `T143005`, `T14:30:05Z`. Without the `T` digits behind a date may be anything.
fn time_in(rest: &str) -> Option<NaiveTime> {
    let is_part_of_time = |c: &char| c.is_ascii_digit() || matches!(c, '-' | ':');
    let digits: String = rest.strip_prefix('T')?.chars().take_while(is_part_of_time).filter(char::is_ascii_digit).collect();
    let part = |at: usize| digits.get(at..at + 2).map_or(Some(0), |text| text.parse().ok());
    if digits.len() != 4 && digits.len() != 6 {
        return None;
    }
    NaiveTime::from_hms_opt(part(0)?, part(2)?, part(4)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(path: &str) -> Option<String> {
        date_in_path(Path::new(path)).map(|t| t.format("%Y-%m-%d").to_string())
    }

    #[test]
    fn dates_in_names_win_over_folders_and_bare_months_mean_the_first() {
        assert_eq!(day("x/2026-08-05/additions.json").as_deref(), Some("2026-08-05"));
        assert_eq!(day("x/2026-08-05/additions_2026-09-01.json").as_deref(), Some("2026-09-01"));
        assert_eq!(day("licences_2026-08.csv").as_deref(), Some("2026-08-01"));
        assert_eq!(day("report-20260805.csv"), None);
        assert_eq!(day("a_2026-13-01.csv"), None);
        assert_eq!(day("plain.csv"), None);
    }

    #[test]
    fn times_behind_a_date_tell_two_files_of_a_day_apart() {
        let instant = |name: &str| date_in_path(Path::new(name)).map(|t| t.format("%Y-%m-%dT%H:%M:%S").to_string());
        for (name, expected) in [
            ("usage_2026-08-05T1430.json", "2026-08-05T14:30:00"),
            ("2026-08-05T14-30-05Z/usage.json", "2026-08-05T14:30:05"),
            ("usage_2026-08-05T99.json", "2026-08-05T00:00:00"),
            ("usage_2026-08-05_1430.json", "2026-08-05T00:00:00"),
            ("usage_2026-08-05T2561.json", "2026-08-05T00:00:00"),
        ] {
            assert_eq!(instant(name).as_deref(), Some(expected), "{name}");
        }
    }
}
