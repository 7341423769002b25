//! A seeded mutator over every good file below `tests/sources`: whatever bytes arrive, nothing panics and no row is lost.
//!
//! Each input is a good file with one to four mutations: of bytes (bits flipped, pieces deleted, repeated, spliced in from another
//! good file, cut off), of text (line ends, byte order marks, quotes, separators, NULs), of CSV (cells swapped, columns and rows
//! dropped or doubled), of JSON (values replaced, dropped, doubled, wrapped, moved), and of containers (packed, packed and damaged; ZIP
//! archives, workbooks and Parquet, damaged).
//! What must hold for each:
//!
//! 1. It is refused with an error that is the file's, or read.
//! 2. Rows that are read are numbered without a gap, each accepted or rejected once; a gap is a repeated header and nothing else.
//! 3. There are as many as a reader of this file's own finds in it ([`rows_in`]).
//! 4. The fast and the careful way to split CSV agree on every cell.
//! 5. Archives, workbooks and Parquet files with good files in them are damaged, also within, and ingested: nothing panics, and what lands
//!    lands as 6 says.
//! 6. A sample is ingested: rows in = accepted + rejected, so many stand in the lake, and each has its original line in the archive.
//!
//! `SHORTFALL_FUZZ=1000000` asks for that many inputs, `SHORTFALL_FUZZ_FIRST=123` begins with that one. An input that fails is kept, and
//! named in the message.

use super::exports::good_files;
use super::support::{Place, rows};
use flate2::write::GzEncoder;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use shortfall::ingest::conform::{SeenKeys, conform};
use shortfall::ingest::discover::{Form, discover, open};
use shortfall::ingest::member::{Member, members};
use shortfall::ingest::original::original_rows;
use shortfall::ingest::read::{Block, TextRows, blocks, cells};
use shortfall::ingest::{Batch, IngestError, Options, Outcome, Silent, ingest};
use shortfall::lake::schema::TABLES;
use shortfall::lake::{Lake, Table};
use shortfall::sources::{Export, Shape, find};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Inputs of a usual test run.
const USUAL: u64 = 3_000;
/// Every so many inputs one is ingested.
const INGESTED: u64 = 60;
/// A file of many mutations stays a file of exports, not of megabytes.
const LONGEST: usize = 256 << 10;

/// Texts that have broken readers of numbers, dates, CSV and JSON.
const NASTY: &[&str] = &[
    "",
    " ",
    "-",
    "'",
    "\"",
    "\"\"",
    "\"a\nb\"",
    "\"a\r\nb,c\"\"d\"",
    "x\"y",
    "\"x\"y",
    "a\rb",
    "\0",
    "\u{feff}",
    "é",
    "\u{202e}1",
    "NULL",
    "null",
    "NaN",
    "-inf",
    "0x10",
    "1e999999999",
    "1e-999999999",
    "-0",
    "1E2147483648",
    "99999999999999999999.999999999999999999",
    "-99999999999999999999.999999999999999999",
    "100000000000000000000",
    "170141183460469231731687303715884105728",
    "0.0000000000000000001",
    "1,234.56",
    "1.234,56",
    "$5",
    "(5)",
    "9223372036854775807",
    "-9223372036854775808",
    "0001-01-01",
    "9999-12-31",
    "2026-02-30",
    "2026-07-01T25:61:61Z",
    "2026-07-01T10:00:00.123456789123+99:99",
    "13/13/2026",
    "7/1/26",
    "7258118400",
    "253402300800",
    "USDX",
    "€",
    "true",
    "[]",
    "{}",
    "=1+1",
    ",",
    "\n",
    ";",
    "\t",
];

/// The good files, each with its name.
struct Corpus(Vec<(PathBuf, Vec<u8>)>);

impl Corpus {
    fn read() -> Self {
        let files = good_files().into_values().flatten();
        Self(files.map(|path| (path.clone(), std::fs::read(path).expect("a good file"))).collect())
    }
}

fn place_in(dice: &mut ChaCha8Rng, length: usize) -> usize {
    dice.random_range(0..=length)
}

/// A piece of some bytes, mostly short.
fn piece(dice: &mut ChaCha8Rng, length: usize) -> std::ops::Range<usize> {
    let start = place_in(dice, length);
    let longest = if dice.random_bool(0.8) { 24 } else { length };
    let end = (start + dice.random_range(0..=longest)).min(length);
    start..end
}

/// Bytes for whatever kind of file.
fn mutate_bytes(content: &mut Vec<u8>, corpus: &Corpus, dice: &mut ChaCha8Rng) {
    let length = content.len();
    match dice.random_range(0..12) {
        0 if length > 0 => {
            for _ in 0..dice.random_range(1..=4) {
                let at = dice.random_range(0..length);
                content[at] ^= 1 << dice.random_range(0..8);
            }
        }
        1 if length > 0 => {
            let at = dice.random_range(0..length);
            content[at] = *b"\",\n\r;{}[]:0 \\-\0\xff".choose(dice).expect("bytes");
        }
        2 => drop(content.drain(piece(dice, length))),
        3 => {
            let copy = content[piece(dice, length)].to_vec();
            let at = place_in(dice, length);
            content.splice(at..at, copy);
        }
        4 => {
            let (_, other) = corpus.0.choose(dice).expect("a good file");
            let copy = other[piece(dice, other.len())].to_vec();
            let place = piece(dice, length);
            content.splice(place, copy);
        }
        5 => content.truncate(place_in(dice, length)),
        6 => {
            let at = place_in(dice, length);
            content.splice(at..at, NASTY.choose(dice).expect("a text").bytes());
        }
        7 => {
            let (from, to) = *[
                ("\r\n", "\n"),
                ("\n", "\r\n"),
                ("\n", "\r"),
                ("\n", "\n\n"),
                (",", ";"),
                ("\"", ""),
                ("\"", "\"\""),
                (",", ",,"),
            ]
            .choose(dice)
            .expect("a pair");
            replace(content, from.as_bytes(), to.as_bytes(), dice);
        }
        8 => drop(content.splice(0..0, *b"\xef\xbb\xbf")),
        9 => {
            // The file again behind itself, as joined downloads are.
            let copy = content.clone();
            content.extend(copy);
        }
        10 => content.extend(*[&b"\n"[..], b"\r\n", b"\"", b",", b"\n\n\n", b"\0", b"\x1a"].choose(dice).expect("an end")),
        _ => {
            let digits: Vec<usize> = (0..length).filter(|&at| content[at].is_ascii_digit()).collect();
            if let Some(&at) = digits.choose(dice) {
                content.splice(at..=at, std::iter::repeat_n(b'9', dice.random_range(1..60)));
            }
        }
    }
}

/// Some or all occurrences of a text by another.
fn replace(content: &mut Vec<u8>, from: &[u8], to: &[u8], dice: &mut ChaCha8Rng) {
    let share = if dice.random_bool(0.5) { 1.0 } else { 0.1 };
    let mut replaced = Vec::with_capacity(content.len());
    let mut at = 0;
    while at < content.len() {
        if content[at..].starts_with(from) && dice.random_bool(share) {
            replaced.extend(to);
            at += from.len();
        } else {
            replaced.push(content[at]);
            at += 1;
        }
    }
    *content = replaced;
}

/// Cells, rows and columns, left as they are in their quotes.
fn mutate_table(content: &mut Vec<u8>, dice: &mut ChaCha8Rng) {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(content.as_slice());
    let mut table: Vec<Vec<Vec<u8>>> =
        reader.byte_records().map_while(Result::ok).map(|record| record.iter().map(<[u8]>::to_vec).collect()).collect();
    let (rows, columns) = (table.len(), table.first().map_or(0, Vec::len));
    if rows < 2 || columns < 2 {
        return;
    }
    let (row, other) = (dice.random_range(0..rows), dice.random_range(0..rows));
    let (column, second) = (dice.random_range(0..columns), dice.random_range(0..columns));
    match dice.random_range(0..8) {
        0 => {
            let width = table[row].len();
            if column < width && second < width {
                table[row].swap(column, second);
            }
        }
        1 => table.iter_mut().filter(|row| row.len() == columns).for_each(|row| row.swap(column, second)),
        2 => table.iter_mut().filter(|row| row.len() == columns).for_each(|row| drop(row.remove(column))),
        3 => table.iter_mut().filter(|row| row.len() == columns).for_each(|row| row.insert(column, row[second].clone())),
        4 => {
            let copy = table[other].clone();
            table.insert(row, copy);
        }
        5 => drop(table.remove(row)),
        // Header rows again, in the middle and at the end.
        6 => table.insert(1 + other % rows, table[0].clone()),
        _ => {
            for _ in 0..dice.random_range(1..=3) {
                let row = dice.random_range(1..rows);
                let cell = dice.random_range(0..table[row].len().max(1));
                if let Some(cell) = table[row].get_mut(cell) {
                    *cell = NASTY.choose(dice).expect("a text").as_bytes().to_vec();
                }
            }
        }
    }
    // Sometimes quotes go where a careless writer leaves them out.
    let style = if dice.random_bool(0.2) { csv::QuoteStyle::Never } else { csv::QuoteStyle::Necessary };
    let mut writer = csv::WriterBuilder::new().flexible(true).quote_style(style).from_writer(Vec::new());
    if table.iter().try_for_each(|row| writer.write_byte_record(&csv::ByteRecord::from(row.clone()))).is_ok()
        && let Ok(bytes) = writer.into_inner()
    {
        *content = bytes;
    }
}

/// Values of one JSON document or of each line.
fn mutate_json(content: &mut Vec<u8>, dice: &mut ChaCha8Rng) {
    let documents = serde_json::Deserializer::from_slice(content).into_iter::<Value>();
    let mut documents: Vec<Value> = documents.map_while(Result::ok).collect();
    let Some(at) = (!documents.is_empty()).then(|| dice.random_range(0..documents.len())) else { return };
    for _ in 0..dice.random_range(1..=3) {
        let count = nodes(&documents[at]);
        let chosen = dice.random_range(0..count);
        let donor = dice.random_range(0..count);
        let donor = node(&mut documents[at], &mut { donor }).cloned().unwrap_or(Value::Null);
        if let Some(target) = node(&mut documents[at], &mut { chosen }) {
            mutate_value(target, donor, dice);
        }
    }
    let lines: Vec<String> = documents.iter().map(Value::to_string).collect();
    *content = lines.join("\n").into_bytes();
}

fn mutate_value(target: &mut Value, donor: Value, dice: &mut ChaCha8Rng) {
    match dice.random_range(0..7) {
        0 => *target = donor,
        1 => *target = Value::Array(vec![target.take()]),
        2 => *target = serde_json::json!({ "data": target.take(), "id": donor }),
        3 => match target {
            Value::Array(items) => {
                let copy = items.choose(dice).cloned();
                items.extend(copy);
            }
            Value::Object(fields) => {
                let key = fields.keys().nth(dice.random_range(0..fields.len().max(1))).cloned();
                if let Some(key) = key {
                    fields.shift_remove(&key);
                }
            }
            other => *other = Value::Null,
        },
        4 => match target {
            Value::Array(items) if !items.is_empty() => drop(items.remove(dice.random_range(0..items.len()))),
            Value::Object(fields) => {
                let key = *[
                    "id",
                    "object",
                    "data",
                    "lines",
                    "line",
                    "has_more",
                    "currency",
                    "items",
                    "value",
                    "QueryResponse",
                    "list",
                    "invoice",
                    "Line",
                ]
                .choose(dice)
                .expect("a key");
                fields.insert(key.to_owned(), donor);
            }
            other => *other = Value::Bool(true),
        },
        5 => {
            // A number as some programme spelt it.
            let text = *NASTY.choose(dice).expect("a text");
            *target = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
        }
        _ => *target = Value::from(*NASTY.choose(dice).expect("a text")),
    }
}

/// Values in a document, itself included.
fn nodes(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(nodes).sum(),
        Value::Object(fields) => fields.values().map(nodes).sum(),
        _ => 0,
    }
}

/// The value with a number, counted from the root.
fn node<'a>(value: &'a mut Value, left: &mut usize) -> Option<&'a mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| node(item, left)),
        Value::Object(fields) => fields.values_mut().find_map(|field| node(field, left)),
        _ => None,
    }
}

fn packed(content: &[u8], dice: &mut ChaCha8Rng) -> Vec<u8> {
    if dice.random_bool(0.5) {
        return zstd::encode_all(content, 1).expect("memory");
    }
    let mut packed = Vec::new();
    // Of several members, as the vendors' downloads are.
    for part in content.chunks(content.len().div_ceil(dice.random_range(1..=3)).max(1)) {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(part).expect("memory");
        packed.extend(encoder.finish().expect("memory"));
    }
    packed
}

/// The input with a number: the same on every machine.
fn input(number: u64, corpus: &Corpus) -> (String, Vec<u8>) {
    let mut dice = ChaCha8Rng::seed_from_u64(number);
    let (path, content) = corpus.0.choose(&mut dice).expect("a good file");
    let mut content = content.clone();
    let ending = path.extension().map(|e| e.to_string_lossy().into_owned()).unwrap_or_default();
    for _ in 0..dice.random_range(1..=4) {
        match ending.as_str() {
            "csv" | "tsv" if dice.random_bool(0.5) => mutate_table(&mut content, &mut dice),
            "json" | "jsonl" if dice.random_bool(0.6) => mutate_json(&mut content, &mut dice),
            _ => mutate_bytes(&mut content, corpus, &mut dice),
        }
        content.truncate(LONGEST);
    }
    if dice.random_bool(0.1) {
        content = packed(&content, &mut dice);
        if dice.random_bool(0.5) {
            mutate_bytes(&mut content, corpus, &mut dice);
        }
    }
    let system = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    (format!("{number}_{system}_{name}"), content)
}

/// What reading a file gives.
struct Counted {
    rows: u64,
    rejected: u64,
}

/// Reads, splits and types a file, and checks what must hold on the way.
fn check(path: &Path) -> Result<Counted, IngestError> {
    let found = discover(path, None)?;
    let export = found.recognised.export;
    let mut seen = SeenKeys::new();
    let mut numbers: BTreeSet<u64> = BTreeSet::new();
    let (mut skipped, mut rejected, mut gave_back) = (0, 0, false);
    let separator = match found.form {
        Form::Csv(dialect) => dialect.separator,
        _ => b',',
    };
    blocks(&found, &mut |block, layout| {
        let layout = layout.map(|layout| &**layout);
        let held = match &block {
            Block::Csv { first_row, records, .. } => *first_row..*first_row + *records as u64,
            Block::Json { rows } => {
                let first = rows.first().map_or(1, |(row, _)| *row);
                first..first + rows.len() as u64
            }
            // A sheet has empty rows, which nobody counts; a batch of Parquet has its rows in columns.
            Block::Sheet { .. } | Block::Parquet { .. } => 0..0,
        };
        let mut rejects = Vec::new();
        let careful = match &block {
            Block::Csv { bytes, first_row, records, is_regular: true } => {
                let careful = Block::Csv { bytes: bytes.clone(), first_row: *first_row, records: *records, is_regular: false };
                let mut rejects = Vec::new();
                Some((cells(careful, layout, export, &mut rejects), rejects))
            }
            _ => None,
        };
        let text = cells(block, layout, export, &mut rejects);
        if let Some((careful, refused)) = careful {
            same_cells(&text, &careful);
            assert_eq!(rejects, refused, "fast and careful reading reject differently");
        }
        gave_back |= rejects.iter().any(|reject| reject.reason.ends_with("is never closed"));
        let read = text.source_rows.len();
        let refused = rejects.len();
        let typed =
            conform(&text, export, chrono::DateTime::UNIX_EPOCH, &mut seen, &mut rejects).expect("arrays of equal length");
        assert_eq!(typed.num_rows() + rejects.len(), read + refused, "rows lost between text and types");
        rejected += rejects.len() as u64;
        let accepted = typed.column_by_name("source_row").expect("a column");
        let accepted = accepted.as_any().downcast_ref::<arrow::array::Int64Array>().expect("numbers");
        for row in accepted.values().iter().map(|row| row.unsigned_abs()).chain(rejects.iter().map(|reject| reject.source_row)) {
            assert!(numbers.insert(row), "row {row} stands twice");
        }
        skipped += held.filter(|row| !numbers.contains(row)).count() as u64;
        true
    })?;
    let is_csv = matches!(found.form, Form::Csv(_));
    let first = match found.form {
        Form::Csv(dialect) => 2 + u64::from(dialect.skipped),
        _ => 1,
    };
    if matches!(found.form, Form::Sheet { .. } | Form::Parquet) {
        return Ok(Counted { rows: numbers.len() as u64, rejected });
    }
    let last = numbers.last().copied().unwrap_or(first - 1);
    let gaps = (first..=last).filter(|row| !numbers.contains(row)).count() as u64;
    assert!(gaps <= skipped && (skipped == 0 || is_csv), "{gaps} rows are missing, {skipped} were headers");
    let mut content = Vec::new();
    open(path)?
        .read_to_end(&mut content)
        .map_err(|e| IngestError::Unreadable { path: path.to_owned(), detail: e.to_string() })?;
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&content);
    assert_eq!(gave_back, is_csv && ends_within_quotes(content, separator), "an open quote swallows rows");
    let there = rows_in(content, found.form, export);
    let rows = numbers.len() as u64;
    if gave_back {
        assert!(rows + skipped >= there, "{rows} rows of at least {there}");
    } else {
        assert_eq!(rows + skipped, there, "rows read, and repeated headers, of those in the file");
    }
    Ok(Counted { rows, rejected })
}

/// Whether a record appended to a CSV is not seen as one.
fn ends_within_quotes(content: &[u8], separator: u8) -> bool {
    let more = [content, b"\nmore\n"].concat();
    let last = csv_reader(&more, separator).into_byte_records().map_while(Result::ok).last();
    last.is_none_or(|last| last != vec!["more"])
}

fn csv_reader(content: &[u8], separator: u8) -> csv::Reader<&[u8]> {
    let mut builder = csv::ReaderBuilder::new();
    builder.delimiter(separator).has_headers(false).flexible(true).terminator(csv::Terminator::Any(b'\n')).from_reader(content)
}

fn same_cells(fast: &TextRows, careful: &TextRows) {
    assert_eq!(fast.source_rows, careful.source_rows);
    for (at, (fast, careful)) in fast.columns.iter().zip(&careful.columns).enumerate() {
        let texts = |cells: &Option<shortfall::ingest::read::Cells>| -> Option<Vec<Option<String>>> {
            cells.as_ref().map(|cells| cells.iter().map(|cell| cell.map(str::to_owned)).collect())
        };
        assert_eq!(texts(fast), texts(careful), "column {at}, read fast and with care");
    }
}

/// Rows of a file below its header, by nothing but the `csv` and `serde_json` crates.
fn rows_in(content: &[u8], form: Form, export: &Export) -> u64 {
    match form {
        Form::Sheet { .. } | Form::Parquet => 0,
        Form::Csv(dialect) => {
            let is_empty_line = |record: &csv::ByteRecord| record.len() == 1 && record[0] == *b"\r";
            let records = csv_reader(content, dialect.separator).into_byte_records().map_while(Result::ok);
            let records = records.filter(|record| !is_empty_line(record));
            (records.count() as u64).saturating_sub(1 + u64::from(dialect.skipped))
        }
        Form::JsonLines => content.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count() as u64,
        Form::Json => {
            let (envelope, lines) = match export.shape {
                Shape::Json { envelope, lines, .. } => (envelope, lines),
                Shape::CsvOrJson { envelope } => (envelope, None),
                Shape::Csv => return 0,
            };
            let mut rows = 0;
            for document in serde_json::Deserializer::from_slice(content).into_iter::<Value>().map_while(Result::ok) {
                let items = document.as_array().cloned().unwrap_or_else(|| vec![document.clone()]);
                for record in items.iter().flat_map(|item| records_in(item, envelope)) {
                    let paths = lines.into_iter().flatten().filter(|_| record.is_object());
                    let count: usize = paths.clone().map(|path| lines_in(&record, path)).sum();
                    let is_cut = |path: &&str| {
                        let (parents, array) = path.rsplit_once('.').unwrap_or(("", path));
                        let pointer =
                            parents.split('.').filter(|key| !key.is_empty()).fold(String::new(), |at, key| at + "/" + key);
                        let marks = ["has_more".to_owned(), format!("has_more_{array}")];
                        marks.iter().any(|mark| record.pointer(&format!("{pointer}/{mark}")) == Some(&Value::Bool(true)))
                    };
                    rows += count.max(1) as u64 + u64::from(paths.clone().any(is_cut));
                }
            }
            rows
        }
    }
}

/// What a page holds, level by level of its shell: found in the end, or standing where the shell should go on.
fn records_in(page: &Value, envelope: &str) -> Vec<Value> {
    for way in envelope.split('|') {
        let keys: Vec<&str> = way.split('.').filter(|key| !key.is_empty()).collect();
        for (at, key) in keys.iter().enumerate() {
            let Some(first) = page.get(*key).filter(|inner| inner.is_array() || inner.is_object()) else { continue };
            let (mut level, mut found) = (vec![first.clone()], Vec::new());
            for key in &keys[at + 1..] {
                let mut next = Vec::new();
                for value in level {
                    match value {
                        Value::Array(items) => {
                            for item in items {
                                // A plain value under that name is a field of the record.
                                let inner = item.get(*key).filter(|inner| inner.is_array() || inner.is_object()).cloned();
                                if let Some(inner) = inner { next.push(inner) } else { found.push(item) }
                            }
                        }
                        other => match other.get(*key) {
                            Some(inner) => next.push(inner.clone()),
                            None if other.as_object().is_some_and(|o| !o.values().any(|v| v.is_array() || v.is_object())) => {}
                            None => found.push(other),
                        },
                    }
                }
                level = next;
            }
            let records = level.into_iter().flat_map(|value| match value {
                Value::Array(items) => items,
                other => vec![other],
            });
            found.extend(records);
            return found;
        }
    }
    vec![page.clone()]
}

fn lines_in(record: &Value, path: &str) -> usize {
    let mut level = vec![record];
    for key in path.split('.') {
        let items =
            level.into_iter().flat_map(|value| value.as_array().map_or_else(|| vec![value], |items| items.iter().collect()));
        level = items.filter_map(|item| item.get(key)).collect();
    }
    level.into_iter().filter_map(Value::as_array).map(Vec::len).sum()
}

fn asked(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// A folder in memory where there is one: inputs are many and small.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.expect("a folder")
}

#[test]
fn no_input_panics_or_loses_a_row() {
    let corpus = Corpus::read();
    let (first, count) = (asked("SHORTFALL_FUZZ_FIRST", 0), asked("SHORTFALL_FUZZ", USUAL));
    let (next, read) = (AtomicU64::new(first), AtomicU64::new(0));
    let folder = scratch();
    let work = |worker: usize| {
        let path = folder.path().join(worker.to_string());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= first + count {
                return;
            }
            let (name, content) = input(number, &corpus);
            std::fs::write(&path, &content).expect("a file");
            match catch_unwind(AssertUnwindSafe(|| check(&path))) {
                Ok(Ok(counted)) => {
                    read.fetch_add(u64::from(counted.rows > 0), Ordering::Relaxed);
                }
                Ok(Err(error)) => assert!(error.is_file_fault(), "{name}: {error}"),
                Err(_) => {
                    next.store(first + count, Ordering::Relaxed);
                    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
                    std::fs::write(&kept, &content).expect("a file");
                    panic!("input {number}, kept as {}", kept.display());
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for worker in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let work = &work;
            scope.spawn(move || work(worker));
        }
    });
    let read = read.into_inner();
    // A mutator that only makes rubbish tests nothing but the first look at a file.
    assert!(read * 3 >= count, "only {read} of {count} inputs had rows");
}

/// Archives, workbooks and Parquet, as the other tests of containers make them.
fn containers(corpus: &Corpus) -> Vec<(&'static str, Vec<u8>)> {
    let entries: Vec<(String, &[u8])> = corpus
        .0
        .iter()
        .take(4)
        .enumerate()
        .map(|(at, (path, content))| (format!("{at}/{}", path.display()), content.as_slice()))
        .collect();
    let entries: Vec<(&str, &[u8])> = entries.iter().map(|(name, content)| (name.trim_start_matches('/'), *content)).collect();
    let zipped = super::containers::zipped(&entries);
    let nested = super::containers::zipped(&[("inner.zip", &zipped), ("book.xlsx", &super::containers::book())]);
    let parquet = super::containers::cur_2_parquet(parquet::basic::Compression::SNAPPY);
    let packed = zstd::encode_all(parquet.as_slice(), 1).expect("memory");
    vec![
        ("exports.zip", zipped),
        ("nested.zip", nested),
        ("book.xlsx", super::containers::book()),
        ("cur.parquet", parquet),
        ("cur.parquet.zst", packed),
    ]
}

/// Reads every member of a file; an error is the file's or the member's.
fn check_members(path: &Path, name: &str, folder: &Path) -> u64 {
    let mut rows = 0;
    let file = Member { name: PathBuf::from(name), content: path.to_owned(), modified: None, scratch: None, is_sheet: false };
    let walked = members(file, folder, &mut |member| {
        match member.and_then(|member| check(&member.content).map_err(|error| (member.name.clone(), error))) {
            Ok(counted) => rows += counted.rows,
            Err((name, error)) => assert!(error.is_file_fault(), "{}: {error}", name.display()),
        }
        Ok(())
    });
    if let Err(error) = walked {
        assert!(error.is_file_fault(), "{error}");
    }
    rows
}

#[test]
fn no_container_panics_or_loses_a_row() {
    let corpus = Corpus::read();
    let containers = containers(&corpus);
    // Unpacking and typing a workbook takes longer than a text: a tenth of the inputs.
    let (first, count) = (asked("SHORTFALL_FUZZ_FIRST", 0), asked("SHORTFALL_FUZZ", USUAL).div_ceil(10));
    let folder = scratch();
    for (name, content) in &containers {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("a file");
        assert!(check_members(&path, name, folder.path()) > 0, "{name} as it was");
    }
    let next = AtomicU64::new(first);
    let work = |worker: usize| {
        let folder = tempfile::tempdir_in(folder.path()).expect("a folder");
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= first + count {
                return;
            }
            let mut dice = ChaCha8Rng::seed_from_u64(number);
            let (name, content) = containers.choose(&mut dice).expect("a container");
            let mut content = content.clone();
            for _ in 0..dice.random_range(1..=3) {
                mutate_bytes(&mut content, &corpus, &mut dice);
            }
            content.truncate(LONGEST);
            let path = folder.path().join(format!("{worker}-{name}"));
            std::fs::write(&path, &content).expect("a file");
            if catch_unwind(AssertUnwindSafe(|| check_members(&path, name, folder.path()))).is_err() {
                next.store(first + count, Ordering::Relaxed);
                let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{number}_{name}"));
                std::fs::write(&kept, &content).expect("a file");
                panic!("container {number}, kept as {}", kept.display());
            }
        }
    };
    std::thread::scope(|scope| {
        for worker in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let work = &work;
            scope.spawn(move || work(worker));
        }
    });
}

#[test]
fn a_sample_of_inputs_lands_with_every_row() {
    let corpus = Corpus::read();
    let place = Place::new();
    let count = (asked("SHORTFALL_FUZZ", USUAL) / INGESTED).min(2_000);
    let paths: Vec<PathBuf> = (0..count)
        .map(|number| {
            // Not those of the other test.
            let (name, content) = input(u64::MAX - number, &corpus);
            place.write(&format!("in/{name}"), content)
        })
        .collect();
    lands_with_every_row(&place, &paths, |path, landed, refused| match (landed, refused) {
        (Some(batch), _) => {
            let counted = check(path).expect("what lands can be read");
            assert_eq!(batch.rows_in, counted.rows, "{}", path.display());
            assert!(batch.rows_rejected >= counted.rejected, "{}", path.display());
        }
        (None, Some(error)) => assert!(check(path).is_err(), "{}: {error}", path.display()),
        (None, None) => {}
    });
}

/// Ingests files; rows that were accepted stand in the lake, and each has its original line. `see` is told what became of each.
fn lands_with_every_row(place: &Place, paths: &[PathBuf], see: impl Fn(&Path, Option<&Batch>, Option<&IngestError>)) {
    let lake = Lake::create(&place.lake()).expect("a lake");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let options = Options { system: None, recorded_at: None, threads: 2, queries: None };
    let outcomes = ingest(&lake, paths, &options, runtime.handle(), &Silent).expect("every fault is a file's");
    let mut landed: BTreeMap<(String, Table), Vec<u64>> = BTreeMap::new();
    for &table in TABLES.iter().filter(|table| table.is_ingested()) {
        for row in rows(&place.lake(), table) {
            landed.entry((row["batch_id"].clone(), table)).or_default().push(row["source_row"].parse().expect("a number"));
        }
    }
    for (path, outcome) in &outcomes {
        match outcome {
            Outcome::Landed(batch) => {
                see(path, Some(batch), None);
                assert_eq!(batch.rows_in, batch.rows_accepted + batch.rows_rejected, "{}", path.display());
                let export = find(batch.system, batch.entity).expect("a source").export;
                let mut standing = landed.remove(&(batch.batch_id.clone(), export.target)).unwrap_or_default();
                for &table in export.beside {
                    landed.remove(&(batch.batch_id.clone(), table));
                }
                standing.sort_unstable();
                assert_eq!(standing.len() as u64, batch.rows_accepted, "{}", path.display());
                let originals = original_rows(&lake, &batch.sha256, batch.system, batch.entity, &standing).expect("the archive");
                let shown: Vec<u64> = originals.iter().map(|(row, _)| *row).collect();
                assert_eq!(shown, standing, "{}: rows with an original line, of those that stand", path.display());
            }
            Outcome::Known | Outcome::PassedOver | Outcome::Manifest => {}
            Outcome::Refused(error) => {
                assert!(error.is_file_fault(), "{}: {error}", path.display());
                see(path, None, Some(error));
            }
        }
    }
    assert!(landed.is_empty(), "rows of no file: {landed:?}");
}

/// A CSV as a sheet: numbers as numbers where they are plain.
fn as_workbook(content: &[u8]) -> Vec<u8> {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(content);
    for (row, record) in (0..).zip(reader.records().map_while(Result::ok)) {
        for (column, text) in (0..).zip(record.iter()) {
            let text = text.trim_start_matches('\u{feff}');
            match text.parse::<f64>() {
                Ok(number) if number.is_finite() && !text.starts_with('0') => sheet.write(row, column, number).expect("a cell"),
                _ => sheet.write(row, column, text).expect("a cell"),
            };
        }
    }
    book.save_to_buffer().expect("memory")
}

/// A CSV as Parquet, all text.
fn as_parquet(content: &[u8]) -> Option<Vec<u8>> {
    let mut reader = csv::Reader::from_reader(content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content));
    let header = reader.headers().ok()?.clone();
    let records: Vec<csv::StringRecord> = reader.records().map_while(Result::ok).collect();
    let column = |at: usize| -> arrow::array::ArrayRef {
        std::sync::Arc::new(records.iter().map(|record| record.get(at)).collect::<arrow::array::StringArray>())
    };
    let batch = arrow::array::RecordBatch::try_from_iter(header.iter().enumerate().map(|(at, name)| (name, column(at)))).ok()?;
    let mut bytes = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).ok()?;
    writer.write(&batch).ok()?;
    writer.close().ok()?;
    Some(bytes)
}

/// The entries of an archive, one of them damaged, packed again.
fn damaged_within(content: &[u8], corpus: &Corpus, dice: &mut ChaCha8Rng) -> Option<Vec<u8>> {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(content)).ok()?;
    let chosen = dice.random_range(0..zip.len());
    let mut entries = Vec::new();
    for at in 0..zip.len() {
        let mut entry = zip.by_index(at).ok()?;
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).ok()?;
        if at == chosen {
            mutate_bytes(&mut bytes, corpus, dice);
        }
        entries.push((entry.name().ok()?.into_owned(), bytes));
    }
    let entries: Vec<(&str, &[u8])> = entries.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    Some(super::containers::zipped(&entries))
}

#[test]
fn damaged_archives_workbooks_and_parquet_files_panic_nowhere_and_lose_no_row() {
    let corpus = Corpus::read();
    let tables: Vec<&Vec<u8>> =
        corpus.0.iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "csv")).map(|(_, content)| content).collect();
    let place = Place::new();
    let count = (asked("SHORTFALL_FUZZ", USUAL) / 20).min(20_000);
    let paths: Vec<PathBuf> = (0..count)
        .map(|number| {
            let mut dice = ChaCha8Rng::seed_from_u64(0x5eed_0000 + number);
            let table = *tables.choose(&mut dice).expect("a good file");
            let (ending, mut content) = match number % 3 {
                0 => (
                    "zip",
                    super::containers::zipped(&[
                        ("a.csv", table),
                        ("b/c.json", &corpus.0.choose(&mut dice).expect("a good file").1),
                    ]),
                ),
                1 => ("xlsx", as_workbook(table)),
                _ => ("parquet", as_parquet(table).unwrap_or_default()),
            };
            if ending != "parquet" && dice.random_bool(0.5) {
                content = damaged_within(&content, &corpus, &mut dice).unwrap_or(content);
            } else if dice.random_bool(0.9) {
                mutate_bytes(&mut content, &corpus, &mut dice);
            }
            place.write(&format!("in/{number}.{ending}"), content)
        })
        .collect();
    let landed = std::cell::Cell::new(0);
    lands_with_every_row(&place, &paths, |_, batch, _| {
        landed.set(landed.get() + u64::from(batch.is_some_and(|batch| batch.rows_accepted > 0)))
    });
    assert!(landed.get() * 4 >= count, "only {} of {count} had rows", landed.get());
}
