//! Which export a file is, told by its content: the header row of a CSV or a sheet, the columns of a Parquet file, the keys of the first
//! records in JSON. Never its name, unless a mapping file asks for one; mapping files are asked first.

use super::IngestError;
use super::mapped::{self, Format, Mapped};
use super::read::encoding::{Encoding, decoded};
use super::read::{csv_reader, next_record, parquet, sheet};
use crate::sources::{Export, LOOKALIKES, Lookalike, Recognised, Shape, all_exports};
use flate2::read::MultiGzDecoder;
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Bytes read to recognise a file.
const SNIFF_BYTES: u64 = 256 << 10;

/// Lines of which one must be a whole JSON object, if a file is JSON Lines.
const LINES_TRIED: usize = 20;

/// Records among which the header is looked for: people put titles above it.
const HEADER_ROWS: usize = 20;

/// What may separate columns, in the order in which it is tried. A file of a known export is read with the separator that makes its header
/// the export's; how its numbers are written is not concluded from that.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// How delimited text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// What separates columns.
    pub separator: u8,
    /// How characters are encoded.
    pub encoding: Encoding,
    /// Records above the header.
    pub skipped: u32,
}

impl Dialect {
    /// Commas, UTF-8, the header first.
    pub const PLAIN: Self = Self { separator: b',', encoding: Encoding::Utf8, skipped: 0 };
}

/// What kind of content a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A header row and records.
    Csv(Dialect),
    /// One JSON object per line.
    JsonLines,
    /// Arrays or objects, perhaps several in a row.
    Json,
    /// A sheet of a workbook, as [`super::workbook`] writes it down.
    Sheet {
        /// Row of the header, as the spreadsheet numbers it.
        header_row: u64,
    },
    /// Typed columns.
    Parquet,
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
    discover_named(path, path, system)
}

/// As [`discover`], for content that lies elsewhere than its name says: mapping files may ask for names.
///
/// # Errors
/// Those of [`discover`], and [`IngestError::Ambiguous`].
pub fn discover_named(path: &Path, name: &Path, system: Option<&str>) -> Result<Discovered, IngestError> {
    let mut head = Vec::new();
    open(path)?.take(SNIFF_BYTES).read_to_end(&mut head).map_err(|e| IngestError::unreadable(path, &e))?;
    let is_whole = (head.len() as u64) < SNIFF_BYTES;
    if head.is_empty() {
        return Err(IngestError::Empty { path: path.to_owned() });
    }
    let maps: Vec<&'static Mapped> = mapped::all().into_iter().filter(|map| map.may_be(system, name)).collect();
    if let Some(found) = by_mapping(path, &head, &maps)? {
        return Ok(found);
    }
    let sheet = sheet_name(&head);
    let is_meant = |map: &&&Mapped| {
        let is_sheet = |pattern: &glob::Pattern| sheet.as_ref().is_some_and(|name| pattern.matches(name));
        map.rules.is_named() && map.rules.sheet.as_ref().is_none_or(is_sheet)
    };
    let near = maps.iter().find(is_meant).copied();
    if head.starts_with(b"PAR1") {
        let names = parquet::header(path)?;
        return recognised(path, &names, system, Form::Parquet, near);
    }
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return Err(IngestError::Encoding { path: path.to_owned(), encoding: "UTF-16" });
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(&OLE) {
        return Err(IngestError::NotText { path: path.to_owned() });
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    if is_utf_16_unmarked(text) {
        return Err(IngestError::Encoding { path: path.to_owned(), encoding: "UTF-16" });
    }
    if text.contains(&0) {
        return Err(IngestError::NotText { path: path.to_owned() });
    }
    if sheet_name(text).is_some() {
        return discover_sheet(path, system, near);
    }
    let first = text.iter().copied().find(|b| !b.is_ascii_whitespace());
    match first {
        None => Err(IngestError::Empty { path: path.to_owned() }),
        Some(b'{' | b'[') => discover_json(path, text, is_whole, system),
        Some(_) => discover_csv(path, text, system, near),
    }
}

/// First bytes of a workbook as Excel wrote it before 2007.
pub(super) const OLE: [u8; 8] = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];

/// The sheet that some content is.
fn sheet_name(text: &[u8]) -> Option<String> {
    let line = text.split(|&byte| byte == b'\n').next()?;
    if !line.starts_with(b"{\"worksheet\":") {
        return None;
    }
    serde_json::from_slice::<Value>(line).ok()?.get(sheet::MARK)?.as_str().map(str::to_owned)
}

/// The sheet that a file's first line names.
pub(super) fn sheet_header(line: &str) -> Option<String> {
    sheet_name(line.as_bytes())
}

/// Latin text in UTF-16 without its mark: every other byte is zero.
fn is_utf_16_unmarked(text: &[u8]) -> bool {
    let start = &text[..text.len().min(64) & !1];
    let zeros = |offset: usize| start.iter().skip(offset).step_by(2).all(|&byte| byte == 0);
    start.len() >= 8 && (zeros(0) != zeros(1))
}

/// Header cells of a CSV, cleaned of quotes and spaces. Bytes that are no UTF-8 do no harm in columns that nobody reads.
#[must_use]
pub fn header_cells(line: &[u8], separator: u8) -> Option<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().delimiter(separator).has_headers(false).flexible(true).from_reader(line);
    let mut record = csv::ByteRecord::new();
    if !reader.read_byte_record(&mut record).ok()? {
        return None;
    }
    Some(trimmed(&record))
}

fn trimmed(record: &csv::ByteRecord) -> Vec<String> {
    record.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect()
}

/// Cells of the first record of a text that ends at LF alone, cleaned as those of a header.
pub(super) fn record_cells(line: &[u8], separator: u8) -> Option<Vec<String>> {
    let mut record = csv::ByteRecord::new();
    matches!(next_record(&mut csv_reader(line, separator), &mut record), Ok(true)).then(|| trimmed(&record))
}

/// The first records of a text, each as a header could stand.
pub(super) fn first_records(text: &[u8], separator: u8, count: usize) -> Vec<Vec<String>> {
    let mut reader = csv_reader(text, separator);
    let mut record = csv::ByteRecord::new();
    let mut records = Vec::new();
    while records.len() < count && matches!(next_record(&mut reader, &mut record), Ok(true)) {
        records.push(trimmed(&record));
    }
    if let (Some(first), Some(header)) = (records.first_mut(), header_cells(text, separator)) {
        *first = header;
    }
    records
}

/// The rows of a sheet among which its header is.
fn first_rows(path: &Path) -> Result<Vec<(u64, Vec<String>)>, IngestError> {
    let mut rows = Vec::new();
    for (number, line) in (0_u64..).zip(open(path)?.lines()).skip(1) {
        let line = line.map_err(|e| IngestError::unreadable(path, &e))?;
        if line != "[]" {
            rows.extend(sheet::header(&line).map(|cells| (number, cells)));
        }
        if rows.len() >= HEADER_ROWS {
            break;
        }
    }
    Ok(rows)
}

/// Whether what stands above a header are titles, not rows of a table whose own header is another: they fill less than half as many cells.
fn are_titles<'a>(mut above: impl Iterator<Item = &'a Vec<String>>, header: &[String]) -> bool {
    let filled = |cells: &[String]| cells.iter().filter(|cell| !cell.is_empty()).count();
    above.all(|cells| filled(cells) * 2 < filled(header))
}

/// What the mapping files say of a file; nothing where none of them means it.
fn by_mapping(path: &Path, head: &[u8], maps: &[&'static Mapped]) -> Result<Option<Discovered>, IngestError> {
    let mut found: Option<(&'static Mapped, Discovered)> = None;
    for &map in maps {
        let form = match form_by(path, head, map)? {
            Some(form) => form,
            None => continue,
        };
        if let Some((other, _)) = &found {
            let names = [other, &map].map(|map| map.title());
            return Err(IngestError::Ambiguous { path: path.to_owned(), first: names[0].clone(), second: names[1].clone() });
        }
        found = Some((map, Discovered { path: path.to_owned(), recognised: map.recognised(), form }));
    }
    Ok(found.map(|(_, found)| found))
}

/// How a file is written, if it is one that a mapping means.
fn form_by(path: &Path, head: &[u8], map: &Mapped) -> Result<Option<Form>, IngestError> {
    let rules = &map.rules;
    let allows = |format: Format| rules.format.is_none_or(|wanted| wanted == format);
    if head.starts_with(b"PAR1") {
        let is_meant = allows(Format::Parquet) && rules.sheet.is_none() && map.is_header(&parquet::header(path)?, true);
        return Ok(is_meant.then_some(Form::Parquet));
    }
    if let Some(name) = sheet_name(head) {
        if !allows(Format::Excel) || rules.sheet.as_ref().is_some_and(|pattern| !pattern.matches(&name)) {
            return Ok(None);
        }
        let rows = first_rows(path)?;
        let header = match rules.header_row {
            Some(wanted) => rows.iter().find(|(number, cells)| *number == u64::from(wanted) && map.is_header(cells, false)),
            None => rows
                .iter()
                .find(|(_, cells)| map.is_header(cells, false))
                .filter(|(number, cells)| are_titles(rows.iter().filter(|row| row.0 < *number).map(|row| &row.1), cells)),
        };
        return Ok(header.map(|(number, _)| Form::Sheet { header_row: *number }));
    }
    if rules.sheet.is_some() {
        return Ok(None);
    }
    let mut text = Vec::new();
    let decoded = decoded(Box::new(std::io::Cursor::new(head.to_vec())), rules.encoding).read_to_end(&mut text);
    if decoded.is_err() || text.contains(&0) {
        return Ok(None);
    }
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let is_json = text.trim_ascii_start().starts_with(b"{") || text.trim_ascii_start().starts_with(b"[");
    if is_json {
        return json_by(path, text, map);
    }
    if !allows(Format::Csv) {
        return Ok(None);
    }
    let separator = rules.separator.unwrap_or(b',');
    let records = first_records(text, separator, HEADER_ROWS);
    let mut rows = (0_u32..).zip(&records);
    let header = match rules.header_row {
        Some(wanted) => rows.find(|(number, cells)| number + 1 == wanted && map.is_header(cells, false)),
        None => rows
            .find(|(_, cells)| map.is_header(cells, false))
            .filter(|(skipped, cells)| are_titles(records.iter().take(*skipped as usize), cells)),
    };
    Ok(header.map(|(skipped, _)| Form::Csv(Dialect { separator, encoding: rules.encoding, skipped })))
}

fn json_by(path: &Path, text: &[u8], map: &Mapped) -> Result<Option<Form>, IngestError> {
    let rules = &map.rules;
    if rules.format.is_none_or(|format| format == Format::JsonLines) && !text.trim_ascii_start().starts_with(b"[") {
        let mut lines = text.split(|&b| b == b'\n').filter(|line| !line.trim_ascii().is_empty()).take(LINES_TRIED);
        let object = lines.find_map(|line| serde_json::from_slice::<Value>(line).ok().filter(Value::is_object));
        let is_lines = text.trim_ascii().contains(&b'\n') || rules.format == Some(Format::JsonLines);
        if is_lines && object.is_some_and(|object| map.is_record(&object)) {
            return Ok(Some(Form::JsonLines));
        }
    }
    if rules.format.is_none_or(|format| format == Format::Json) {
        let values = super::read::whole_json(path)?;
        let records = super::read::records(&values, &map.export.shape);
        if records.iter().take(50).any(|record| map.is_record(record)) {
            return Ok(Some(Form::Json));
        }
    }
    Ok(None)
}

/// The export of some column names, where only a whole header will do.
fn recognised(
    path: &Path,
    names: &[String],
    system: Option<&str>,
    form: Form,
    near: Option<&'static Mapped>,
) -> Result<Discovered, IngestError> {
    match whole_match(names, system, form == Form::Parquet) {
        Ok(recognised) => Ok(Discovered { path: path.to_owned(), recognised, form }),
        Err(found) => Err(refusal(path, names, found, near)),
    }
}

fn is_delimited(shape: &Shape) -> bool {
    matches!(shape, Shape::Csv | Shape::CsvOrJson { .. })
}

/// Nearly an export: which one, and what it lacks.
type Near = Option<(Recognised, Vec<&'static str>)>;

/// An export whose signature and required columns are all there.
fn whole_match(names: &[String], system: Option<&str>, has_items: bool) -> Result<Recognised, Near> {
    let found = best_match(system, |export| is_delimited(&export.shape).then_some(names))?;
    let is_there = |column: &&crate::sources::Column| {
        column.position(names).is_some() || (has_items && column.item_position(names).is_some())
    };
    let missing: Vec<&'static str> =
        found.export.columns.iter().filter(|column| column.required && !is_there(column)).map(|column| column.name).collect();
    if missing.is_empty() { Ok(found) } else { Err(Some((found, missing))) }
}

fn refusal(path: &Path, names: &[String], near: Near, mapped: Option<&'static Mapped>) -> IngestError {
    if near.is_none()
        && let Some(map) = mapped
    {
        let missing = map.missing(names);
        if !missing.is_empty() {
            return IngestError::MissingMapped { path: path.to_owned(), mapping: map.title(), missing };
        }
    }
    unrecognised(path, names, near)
}

fn discover_sheet(path: &Path, system: Option<&str>, mapped: Option<&'static Mapped>) -> Result<Discovered, IngestError> {
    let rows = first_rows(path)?;
    if rows.is_empty() {
        return Err(IngestError::Empty { path: path.to_owned() });
    }
    let mut nearest: Option<(&Vec<String>, Near)> = None;
    for (at, (number, names)) in rows.iter().enumerate() {
        if !are_titles(rows[..at].iter().map(|(_, cells)| cells), names) {
            continue;
        }
        match whole_match(names, system, false) {
            Ok(recognised) => {
                return Ok(Discovered { path: path.to_owned(), recognised, form: Form::Sheet { header_row: *number } });
            }
            Err(near) if near.is_some() && nearest.as_ref().is_none_or(|(_, near)| near.is_none()) => {
                nearest = Some((names, near))
            }
            Err(near) => drop(nearest.get_or_insert((names, near))),
        }
    }
    let (names, near) = nearest.unwrap_or((&rows[0].1, None));
    Err(refusal(path, names, near, mapped))
}

fn discover_csv(
    path: &Path,
    text: &[u8],
    system: Option<&str>,
    mapped: Option<&'static Mapped>,
) -> Result<Discovered, IngestError> {
    let content = text.trim_ascii_start();
    let line_end = content.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
    if let Some(at) = line_end
        && content[at] == b'\r'
        && !matches!(content.get(at + 1), None | Some(b'\n'))
        && header_cells(text, b',').is_none_or(|header| header.len() > 1 || header[0].len() <= 4096)
    {
        return Err(IngestError::LineEnds { path: path.to_owned() });
    }
    let tries: Vec<(u8, Vec<Vec<String>>)> =
        SEPARATORS.into_iter().map(|separator| (separator, first_records(text, separator, HEADER_ROWS))).collect();
    // The first record with any separator, then what stands below titles.
    let mut nearest: Option<(&Vec<String>, Near)> = None;
    for skipped in 0..HEADER_ROWS {
        for (separator, records) in &tries {
            let Some(names) = records.get(skipped).filter(|names| are_titles(records[..skipped].iter(), names)) else {
                continue;
            };
            match whole_match(names, system, false) {
                Ok(recognised) => {
                    let skipped = u32::try_from(skipped).unwrap_or(0);
                    let dialect = Dialect { separator: *separator, encoding: Encoding::Utf8, skipped };
                    return Ok(Discovered { path: path.to_owned(), recognised, form: Form::Csv(dialect) });
                }
                Err(near) if near.is_some() && nearest.as_ref().is_none_or(|(_, near)| near.is_none()) => {
                    nearest = Some((names, near));
                }
                Err(near) => drop(nearest.get_or_insert((names, near))),
            }
        }
    }
    let Some((names, near)) = nearest else { return Err(IngestError::NotText { path: path.to_owned() }) };
    let line = String::from_utf8_lossy(&content[..line_end.unwrap_or(content.len())]);
    let is_one_long_line = names.len() == 1 && names[0].len() > 4096;
    if near.is_none() && (is_one_long_line || line.contains(|c: char| c.is_control() && c != '\t')) {
        return Err(IngestError::NotText { path: path.to_owned() });
    }
    Err(refusal(path, names, near, mapped))
}

fn discover_json(path: &Path, text: &[u8], is_whole: bool, system: Option<&str>) -> Result<Discovered, IngestError> {
    // One of the first lines must be whole: a broken one costs its row, not the file.
    let lines = text.split(|&b| b == b'\n').filter(|line| !line.trim_ascii().is_empty()).take(LINES_TRIED);
    let is_array = text.trim_ascii_start().starts_with(b"[");
    let objects: Vec<Value> = lines
        .filter(|line| is_whole || line.len() < text.len())
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok().filter(Value::is_object))
        .collect();
    if !is_array && !objects.is_empty() {
        // A record leaves out what it has no value for: several together tell which fields there are.
        let keys = Seen::of(&objects.iter().collect::<Vec<_>>()).keys;
        let is_of_lines = |export: &Export| matches!(export.shape, Shape::CsvOrJson { .. }).then_some(keys.as_slice());
        if let Ok(recognised) = best_match(system, is_of_lines)
            && !is_page_with_a_record_per_line(path, text, &recognised.export.shape)
        {
            return Ok(Discovered { path: path.to_owned(), recognised, form: Form::JsonLines });
        }
    }
    let values = super::read::whole_json(path)?;
    // What a page holds depends on where its records stand, so each export looks with its own eyes.
    let mut seen: BTreeMap<&'static str, Seen> = BTreeMap::new();
    for found in all_exports() {
        if let Shape::Json { envelope, .. } | Shape::CsvOrJson { envelope } = found.export.shape {
            seen.entry(envelope).or_insert_with(|| Seen::of(&super::read::records(&values, &found.export.shape)));
        }
    }
    let view = |export: &Export| match export.shape {
        Shape::Json { envelope, object, .. } => {
            seen.get(envelope).filter(|seen| object.is_none_or(|wanted| seen.objects.iter().any(|kind| kind == wanted)))
        }
        Shape::CsvOrJson { envelope } => seen.get(envelope),
        Shape::Csv => None,
    };
    let recognised = best_match(system, |export| view(export).map(|seen| seen.keys.as_slice()));
    if let Ok(recognised) = recognised {
        let has = |key: &str| view(recognised.export).is_some_and(|seen| seen.keys.iter().any(|there| there == key));
        let is_meant = |other: &&&Lookalike| {
            other.of == (recognised.source.system, recognised.export.entity)
                && has(other.key)
                && !other.lacks.iter().any(|key| has(key))
        };
        if let Some(found) = LOOKALIKES.iter().find(is_meant) {
            return Err(IngestError::Unfit { path: path.to_owned(), what: found.what, reason: found.reason });
        }
        return Ok(Discovered { path: path.to_owned(), recognised, form: Form::Json });
    }
    if values.iter().any(super::export_run::is_manifest) {
        return Err(IngestError::Manifest { path: path.to_owned() });
    }
    if let Some(recognised) = of_empty_page(system, &seen) {
        return Ok(Discovered { path: path.to_owned(), recognised, form: Form::Json });
    }
    if seen.values().any(|seen| seen.records == 0) {
        return Err(IngestError::NoRecords { path: path.to_owned() });
    }
    let mut shown = seen.into_values().max_by_key(|seen| seen.records).map(|seen| seen.keys).unwrap_or_default();
    shown.truncate(8);
    Err(unrecognised(path, &shown, recognised.err().flatten()))
}

/// Whether a text is a page after all, though a line of it is a record: its first line begins a value that goes on, and the whole is JSON
/// with other records in it. A first line that is merely broken is a row that is lost.
fn is_page_with_a_record_per_line(path: &Path, text: &[u8], shape: &Shape) -> bool {
    let first = text.trim_ascii_start().split(|&b| b == b'\n').next().unwrap_or_default().trim_ascii_end();
    let goes_on = matches!(first.last(), Some(b'{' | b'[' | b','));
    goes_on
        && super::read::whole_json(path)
            .is_ok_and(|values| super::read::records(&values, shape) != values.iter().collect::<Vec<&Value>>())
}

/// What an export sees in a file of JSON.
struct Seen {
    records: usize,
    /// Keys of the first records.
    keys: Vec<String>,
    /// Their kinds, where they name them.
    objects: Vec<String>,
}

impl Seen {
    fn of(records: &[&Value]) -> Self {
        let (mut keys, mut objects): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        for record in records.iter().take(50).filter_map(|record| record.as_object()) {
            keys.extend(record.keys().filter(|key| !keys.contains(*key)).cloned().collect::<Vec<String>>());
            objects.extend(record.get("object").and_then(Value::as_str).map(str::to_owned));
        }
        Self { records: records.len(), keys, objects }
    }
}

/// Which system wrote a page without records, if its shell tells: `{"QueryResponse":{}}` is no other's. Of its exports that look so
/// the first is as good as any. A shell that several systems have (`{"data":[]}`), or one around several kinds, says nothing.
fn of_empty_page(system: Option<&str>, seen: &BTreeMap<&'static str, Seen>) -> Option<Recognised> {
    let is_empty = |found: &Recognised| match found.export.shape {
        Shape::Json { envelope, .. } => seen.get(envelope).is_some_and(|seen| seen.records == 0),
        // Most of their files are no pages: only whoever asks for the system means one.
        Shape::CsvOrJson { envelope } => system.is_some() && seen.get(envelope).is_some_and(|seen| seen.records == 0),
        Shape::Csv => false,
    };
    let mut empty = all_exports().filter(|found| system.is_none_or(|wanted| wanted == found.source.system)).filter(is_empty);
    let first = empty.next()?;
    let is_mixed = matches!(first.export.shape, Shape::Json { object: Some(_), .. });
    (!is_mixed && empty.all(|other| other.source.system == first.source.system)).then_some(first)
}

/// The export with the longest signature that is wholly there, of equal ones that of which most other columns are; else the one of which
/// most is there. Where two have the same signature, one of the columns that only one has must be there.
///
/// `names` gives the columns that an export sees in the file, if it can be of the export's shape at all.
fn best_match<'n>(
    system: Option<&str>,
    names: impl Fn(&Export) -> Option<&'n [String]>,
) -> Result<Recognised, Option<(Recognised, Vec<&'static str>)>> {
    let mut best: Option<(Recognised, (usize, usize))> = None;
    let mut twin: Option<Recognised> = None;
    let mut near: Vec<(Recognised, Vec<&'static str>, usize)> = Vec::new();
    for candidate in all_exports() {
        if system.is_some_and(|wanted| wanted != candidate.source.system) {
            continue;
        }
        let Some(names) = names(candidate.export) else { continue };
        let is_missing = |column: &&'static str| candidate.export.position(column, names).is_none();
        let missing: Vec<&'static str> = candidate.export.signature.iter().copied().filter(is_missing).collect();
        let present = candidate.export.signature.len() - missing.len();
        let columns = candidate.export.columns.iter().filter(|column| column.position(names).is_some()).count();
        if missing.is_empty() {
            let weight = (present, columns);
            match best {
                Some((known, heaviest)) if weight <= heaviest => {
                    let is_twin = weight == heaviest && known.export.signature == candidate.export.signature;
                    twin = twin.or(is_twin.then_some(candidate));
                }
                _ => (best, twin) = (Some((candidate, weight)), None),
            }
        } else if present >= 2 {
            near.push((candidate, missing, columns));
        }
    }
    if let (Some((best, _)), Some(twin)) = (best, twin) {
        let is_own = |name: &&'static str| !twin.export.columns.iter().any(|column| column.name == *name);
        let own = best.export.columns.iter().map(|column| column.name).filter(is_own).collect();
        return Err(Some((best, own)));
    }
    // Of those that lack equally much, the one whose other columns are there is meant.
    let nearest = near.into_iter().min_by_key(|(_, missing, columns)| (missing.len(), Reverse(*columns)));
    best.map(|(best, _)| best).ok_or(nearest.map(|(candidate, missing, _)| (candidate, missing)))
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
