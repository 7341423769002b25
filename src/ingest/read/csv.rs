//! CSV: blocks cut where a record ends, cells split by Polars where counting proved a block regular, row by row elsewhere.

use super::{Block, Cells, Layout, MAX_RECORD_BYTES, TextRows};
use crate::ingest::IngestError;
use crate::ingest::discover::{Dialect, header_cells, record_cells};
use crate::ingest::reject::Reject;
use crate::sources::Export;
use memchr::{memchr, memchr_iter, memchr2};
use polars::prelude::{CsvReadOptions, DataFrame, DataType, Field, Schema, SerReader};
use std::borrow::Cow;
use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::Arc;

pub(super) fn blocks(
    input: &mut dyn Read,
    path: &Path,
    block_bytes: usize,
    dialect: Dialect,
    export: &Export,
    sink: &mut dyn FnMut(Block, Option<&Arc<Layout>>) -> bool,
) -> Result<(), IngestError> {
    let separator = dialect.separator;
    let mut pending: Vec<u8> = Vec::with_capacity(2 * block_bytes);
    let mut layout: Option<Arc<Layout>> = None;
    let mut next_row = 2 + u64::from(dialect.skipped);
    loop {
        let wanted = pending.len().max(block_bytes);
        let more = Read::take(&mut *input, wanted as u64).read_to_end(&mut pending);
        let filled = more.map_err(|e| IngestError::unreadable(path, &e))?;
        let is_last = filled < wanted;
        if layout.is_none() {
            let start = if pending.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
            // Titles above the header are records too.
            let skipped = dialect.skipped as usize;
            let above = match skipped {
                0 => Frame { end: 0, records: 0, is_regular: true },
                _ => frame(&pending[start..], separator, 1, is_last, Some(skipped)),
            };
            if above.records < skipped && !is_last {
                continue;
            }
            let start = start + above.end;
            let frame = frame(&pending[start..], separator, 1, is_last, Some(1));
            if frame.end == 0 && !is_last {
                if pending.len() > MAX_RECORD_BYTES {
                    return Err(IngestError::RecordTooLong { path: path.to_owned(), row: 1, limit: MAX_RECORD_BYTES });
                }
                continue;
            }
            if is_last && start + frame.end == pending.len() && ends_within_quotes(&pending[start..], separator) {
                return Err(IngestError::OpenQuote { path: path.to_owned() });
            }
            let line = &pending[start..start + frame.end];
            // The very cells by which the file was recognised: a CR within a row ends it only where nothing stands above.
            let header = if skipped == 0 { header_cells(line, separator) } else { record_cells(line, separator) };
            let header = header.unwrap_or_default();
            layout = Some(Arc::new(Layout::new(header, separator, export)));
            pending.drain(..start + frame.end);
        }
        let fields = layout.as_ref().map_or(1, |layout| layout.header.len());
        let framed = frame(&pending, separator, fields, is_last, None);
        if framed.end > 0 {
            let mut rest = Vec::with_capacity(2 * block_bytes);
            rest.extend_from_slice(&pending[framed.end..]);
            pending.truncate(framed.end);
            let bytes = std::mem::replace(&mut pending, rest);
            if framed.records > 0 {
                let block = Block::Csv { bytes, first_row: next_row, records: framed.records, is_regular: framed.is_regular };
                next_row += framed.records as u64;
                if !sink(block, layout.as_ref()) {
                    return Ok(());
                }
            }
        } else if pending.len() > MAX_RECORD_BYTES {
            return Err(IngestError::RecordTooLong { path: path.to_owned(), row: next_row, limit: MAX_RECORD_BYTES });
        }
        if is_last {
            return Ok(());
        }
    }
}

/// Where the whole records at the start of some bytes end.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    end: usize,
    records: usize,
    is_regular: bool,
}

/// Finds the record ends in `bytes`. A quote opens a quoted field only at the field's start, as the `csv` crate has it.
fn frame(bytes: &[u8], separator: u8, fields: usize, is_last: bool, limit: Option<usize>) -> Frame {
    let (mut at, mut end, mut records) = (0, 0, 0);
    let (mut hidden_separators, mut is_plain) = (0, true);
    // What a record that is not whole yet holds says nothing about the records before it.
    let mut is_regular = true;
    // Record by record: a sum over the block would let one with a field too many hide one with a field too few.
    // A CR at the end of a cell is part of it to the csv crate and nothing to Polars.
    let has_all = |record: &[u8], hidden: usize| {
        memchr_iter(separator, record).count() == hidden + fields.saturating_sub(1) && memchr(b'\r', record).is_none()
    };
    while let Some(offset) = memchr2(b'\n', b'"', &bytes[at..]) {
        let found = at + offset;
        if bytes[found] == b'\n' {
            let line = bytes[end..found].strip_suffix(b"\r").unwrap_or(&bytes[end..found]);
            // Empty lines are no records, and Polars sees them otherwise than the csv crate does.
            if is_empty_line(&bytes[end..found]) {
                is_plain = false;
            } else {
                records += 1;
                is_plain &= has_all(line, hidden_separators);
            }
            at = found + 1;
            end = at;
            hidden_separators = 0;
            is_regular = is_plain;
            if limit == Some(records) {
                break;
            }
            continue;
        }
        let opens = found == end || bytes[found - 1] == separator;
        if !opens {
            is_plain = false;
            at = found + 1;
            continue;
        }
        let mut close = found + 1;
        loop {
            let Some(offset) = memchr(b'"', &bytes[close..]) else {
                close = bytes.len();
                is_plain = false;
                break;
            };
            close += offset + 1;
            if bytes.get(close) == Some(&b'"') {
                close += 1;
            } else {
                break;
            }
        }
        hidden_separators += memchr_iter(separator, &bytes[found..close]).count();
        if !matches!(bytes.get(close), None | Some(b'\n' | b'\r')) && bytes.get(close) != Some(&separator) {
            is_plain = false;
        }
        at = close;
        if at >= bytes.len() {
            break;
        }
    }
    if is_last && limit != Some(records) && end < bytes.len() {
        let is_empty = is_empty_line(&bytes[end..]);
        records += usize::from(!is_empty);
        is_regular = is_plain && !is_empty && has_all(&bytes[end..], hidden_separators);
        end = bytes.len();
    }
    Frame { end, records, is_regular }
}

/// The fast path; `None` where Polars disagrees about the number of rows or refuses, so that no row is lost between the two.
pub(super) fn with_polars(bytes: &[u8], first_row: u64, records: usize, layout: &Layout) -> Option<TextRows> {
    let name = |at: usize| format!("c{at}").into();
    let schema: Schema = (0..layout.header.len()).map(|at| Field::new(name(at), DataType::String)).collect();
    let mut wanted: Vec<usize> = layout.positions.iter().flatten().copied().collect();
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return None;
    }
    let frame: DataFrame = CsvReadOptions::default()
        .with_has_header(false)
        .with_schema(Some(Arc::new(schema)))
        .with_projection(Some(Arc::new(wanted)))
        .with_n_threads(Some(1))
        .with_rechunk(false)
        .map_parse_options(|options| {
            options.with_separator(layout.separator).with_missing_is_null(false).with_truncate_ragged_lines(false)
        })
        .into_reader_with_file_handle(Cursor::new(bytes))
        .finish()
        .ok()?;
    if frame.height() != records {
        return None;
    }
    let columns = layout
        .positions
        .iter()
        .map(|at| match at {
            None => Some(None),
            Some(at) => frame.column(&format!("c{at}")).ok()?.str().ok().cloned().map(|c| Some(Cells::Polars(c))),
        })
        .collect::<Option<Vec<_>>>()?;
    let rows = TextRows { source_rows: (first_row..first_row + records as u64).collect(), columns };
    Some(rows).filter(|_| !repeats_header(&frame, layout))
}

/// Whether the block may hold the header again (joined files); such blocks are read one by one.
fn repeats_header(frame: &DataFrame, layout: &Layout) -> bool {
    let Some(&at) = layout.signature.first() else { return false };
    let Some(column) = frame.column(&format!("c{at}")).ok().and_then(|c| c.str().ok().cloned()) else { return false };
    let name = &layout.header[at];
    let is_name = |cell: &str| {
        cell.trim_matches(|c: char| matches!(c, '\u{feff}' | '"') || c.is_ascii_whitespace()).eq_ignore_ascii_case(name)
    };
    column.iter().flatten().any(|cell| cell.len() >= name.len() && is_name(cell))
}

/// A reader whose records end where [`frame`] ends them: at LF, not at a CR within a row.
pub(in crate::ingest) fn csv_reader<R: Read>(input: R, separator: u8) -> csv::Reader<R> {
    let mut builder = csv::ReaderBuilder::new();
    builder.delimiter(separator).has_headers(false).flexible(true).terminator(csv::Terminator::Any(b'\n')).from_reader(input)
}

/// Whether a line without its LF is one that [`next_record`] takes for empty: nothing, or a CR, which quotes do not hide from it.
fn is_empty_line(line: &[u8]) -> bool {
    matches!(line, b"" | b"\r" | b"\"\"\r" | b"\"\r\"")
}

/// The next record that is no empty line, without the CR of a CRLF.
pub(in crate::ingest) fn next_record<R: Read>(reader: &mut csv::Reader<R>, record: &mut csv::ByteRecord) -> csv::Result<bool> {
    loop {
        if !reader.read_byte_record(record)? {
            return Ok(false);
        }
        let last = record.len().saturating_sub(1);
        if record.get(last).is_some_and(|cell| cell.ends_with(b"\r")) {
            if record.len() == 1 && record[0] == *b"\r" {
                continue;
            }
            let position = record.position().cloned();
            let cells = record.iter().enumerate();
            let mut without: csv::ByteRecord =
                cells.map(|(at, cell)| if at == last { &cell[..cell.len() - 1] } else { cell }).collect();
            without.set_position(position);
            *record = without;
        }
        return Ok(true);
    }
}

/// Whether a record opens a quoted cell and does not close it.
fn ends_within_quotes(record: &[u8], separator: u8) -> bool {
    let mut at = 0;
    while let Some(offset) = memchr(b'"', &record[at..]) {
        let found = at + offset;
        at = found + 1;
        if found > 0 && record[found - 1] != separator && record[found - 1] != b'\n' {
            continue;
        }
        loop {
            let Some(offset) = memchr(b'"', &record[at..]) else { return true };
            at += offset + 1;
            if record.get(at) != Some(&b'"') {
                break;
            }
            at += 1;
        }
    }
    false
}

pub(super) fn one_by_one(bytes: &[u8], first_row: u64, layout: &Layout, rejects: &mut Vec<Reject>) -> TextRows {
    let mut reader = csv_reader(bytes, layout.separator);
    let mut record = csv::ByteRecord::new();
    let mut source_rows = Vec::new();
    let mut columns: Vec<Vec<Option<String>>> = vec![Vec::new(); layout.positions.len()];
    let mut row = first_row;
    // Reading from memory cannot fail, and flexible records cannot be refused: only the end stops this loop.
    while matches!(next_record(&mut reader, &mut record), Ok(true)) {
        let this_row = row;
        row += 1;
        let from = record.position().map_or(0, csv::Position::byte);
        let raw = usize::try_from(from).ok().and_then(|from| bytes.get(from..)).unwrap_or_default();
        if reader.position().byte() == bytes.len() as u64 && ends_within_quotes(raw, layout.separator) {
            // Whatever the quote swallowed is given back line by line.
            let reason = format!("the quote opened in row {this_row} is never closed");
            let lines = raw.split(|&b| b == b'\n').map(<[u8]>::trim_ascii_end).filter(|line| !line.is_empty());
            rejects
                .extend((this_row..).zip(lines).map(|(row, line)| Reject::new(row, "", &String::from_utf8_lossy(line), &reason)));
            break;
        }
        if is_header_again(&record, layout) {
            continue;
        }
        if record.len() != layout.header.len() {
            let reason = format!("the row has {} fields, the header has {}", record.len(), layout.header.len());
            rejects.push(Reject::new(this_row, "", &shown(&record), &reason));
            continue;
        }
        let is_bad = |at: &usize| record.get(*at).is_some_and(|cell| std::str::from_utf8(cell).is_err());
        let bad = layout.positions.iter().flatten().copied().find(is_bad);
        if let Some(at) = bad {
            let value = String::from_utf8_lossy(&record[at]);
            rejects.push(Reject::new(this_row, &layout.header[at], &value, "the text is not UTF-8"));
            continue;
        }
        source_rows.push(this_row);
        for (column, at) in columns.iter_mut().zip(&layout.positions) {
            let cell = at.and_then(|at| record.get(at)).map(|cell| String::from_utf8_lossy(cell).into_owned());
            column.push(cell);
        }
    }
    let columns = columns.into_iter().zip(&layout.positions).map(|(cells, at)| at.map(|_| Cells::Plain(cells))).collect();
    TextRows { source_rows, columns }
}

fn is_header_again(record: &csv::ByteRecord, layout: &Layout) -> bool {
    !layout.signature.is_empty()
        && layout.signature.iter().all(|&at| {
            record.get(at).is_some_and(|cell| {
                let cell = cell.strip_prefix(b"\xef\xbb\xbf").unwrap_or(cell).trim_ascii();
                // Behind a byte order mark quotes are no longer the first character, and stay.
                let cell = cell.strip_prefix(b"\"").and_then(|cell| cell.strip_suffix(b"\"")).unwrap_or(cell);
                cell.eq_ignore_ascii_case(layout.header[at].as_bytes())
            })
        })
}

fn shown(record: &csv::ByteRecord) -> String {
    record.iter().map(String::from_utf8_lossy).collect::<Vec<Cow<'_, str>>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::super::{BLOCK_BYTES, cells};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_end_where_records_end() {
        let whole = |end, records| Frame { end, records, is_regular: true };
        assert_eq!(frame(b"a,b\nc,d\ne", b',', 2, false, None), whole(8, 2));
        assert_eq!(frame(b"a,b\nc,d", b',', 2, true, None), whole(7, 2));
        assert_eq!(frame(b"a,\"x\ny,z\"\nc,d\n", b',', 2, false, None), whole(14, 2));
        assert_eq!(frame(b"a,\"x\"\"\n\"\"y\"\nc", b',', 2, false, None), whole(12, 1));
        // A last line without its end may be as empty as others.
        assert_eq!(frame(b"a,b\n\r", b',', 2, true, None), Frame { end: 5, records: 1, is_regular: false });
        // What a record that is not whole yet holds says nothing about those before it.
        assert_eq!(frame(b"a,b\nc,\"x,y,z", b',', 2, false, None), whole(4, 1));
        assert_eq!(frame(b"a,\"open\nc,d\n", b',', 2, false, None), whole(0, 0));
        for empty in ["\n", "\r\n", "\"\"\r\n", "\"\r\"\n"] {
            assert_eq!(frame(empty.as_bytes(), b',', 2, false, None).records, 0, "{empty:?}");
            let csv = format!("{empty}a,b\n");
            let (mut reader, mut record) = (csv_reader(csv.as_bytes(), b','), csv::ByteRecord::new());
            assert!(next_record(&mut reader, &mut record).expect("memory"));
            assert_eq!(record, csv::ByteRecord::from(vec!["a", "b"]), "{empty:?}");
        }
    }

    /// What becomes of a CSV that is read in blocks of so many bytes: rows with their cells, and rejects.
    type Rows = Vec<(u64, Vec<Option<String>>)>;

    fn read_in(block_bytes: usize, content: &str) -> (Rows, Vec<Reject>) {
        let found = crate::sources::all_exports().find(|r| r.staging() == "mapping_customers").expect("a source");
        let (mut rows, mut rejects) = (Vec::new(), Vec::new());
        let sink = &mut |block: Block, layout: Option<&Arc<Layout>>| {
            let text = cells(block, layout.map(|layout| &**layout), found.export, &mut rejects);
            let column =
                |cells: &Option<Cells>, at: usize| cells.as_ref().and_then(|cells| cells.iter().nth(at)?.map(str::to_owned));
            let cells = |at| text.columns.iter().map(|cells| column(cells, at)).collect();
            rows.extend(text.source_rows.iter().enumerate().map(|(at, &row)| (row, cells(at))));
            true
        };
        blocks(&mut content.as_bytes(), Path::new("x.csv"), block_bytes, Dialect::PLAIN, found.export, sink).expect("a file");
        (rows, rejects)
    }

    proptest! {
        /// Where a block ends is nobody's business: quotes, line ends and ragged rows mean the same on either side of it.
        #[test]
        fn blocks_of_any_size_hold_the_same_rows(cells in prop::collection::vec("[ab]|\"|\"\"|,|,|\n|\n|\r\n|\r", 0..60), block_bytes in 1_usize..50) {
            let content = format!("system,native_id,customer_key\na,b,c\n{}", cells.concat());
            prop_assert_eq!(read_in(block_bytes, &content), read_in(BLOCK_BYTES, &content));
        }
    }

    #[test]
    fn a_header_again_is_no_row_whatever_stands_around_its_names() {
        for again in ["system", " system", "system\t", "\u{feff}system", "\"system\"", "\u{feff}\"system\" "] {
            let content = format!("system,native_id,customer_key\na,b,c\n{again},native_id,customer_key\nd,e,f\n");
            let (rows, rejects) = read_in(BLOCK_BYTES, &content);
            assert_eq!((rows.iter().map(|(row, _)| *row).collect::<Vec<_>>(), rejects), (vec![2, 4], vec![]), "{again:?}");
        }
    }

    #[test]
    fn irregular_blocks_are_told_apart() {
        assert!(!frame(b"a,b\nc\n", b',', 2, false, None).is_regular);
        assert!(!frame(b"a,b,c\nd\n", b',', 2, false, None).is_regular);
        assert!(!frame(b"a,b\n\nc,d\n", b',', 2, false, None).is_regular);
        assert!(!frame(b"a,b\"c\n", b',', 2, false, None).is_regular);
        assert!(!frame(b"a,\"b\"c\n", b',', 2, false, None).is_regular);
    }
}
