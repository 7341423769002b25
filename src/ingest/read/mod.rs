//! Bytes to blocks of text rows, with the place of every row in its file.
//!
//! ```text
//! file ──> blocks of whole records ──┬─ every record has the header's number of fields ──> Polars (fast) ──┐
//!          (quotes understood)       └─ else: ragged, stray quotes, bad UTF-8 ──> csv, row by row ─────────┴─> TextRows + rejects
//! JSON ──> records, one row per line of a record ──────────────────────────────────────────────────────────> TextRows + rejects
//! sheets, Parquet ──> typed cells, written exactly ────────────────────────────────────────────────────────> TextRows + rejects
//! ```
//! A block is cut only where a record ends. Polars reads blocks that a count of separators has proved regular; whatever is not regular goes
//! through the `csv` crate, which says of each record what is wrong with it. Row numbers are those of a spreadsheet: the header of
//! a CSV is row 1, its first record row 2; in JSON and Parquet the first row is 1; a sheet's rows have the numbers that Excel shows.

mod csv;
pub mod encoding;
mod json;
pub mod parquet;
pub mod sheet;

pub(super) use csv::{csv_reader, next_record};
pub use json::{lacks_lines, lines_of, records, whole_json};

use super::IngestError;
use super::discover::{Discovered, Form, open};
use super::reject::Reject;
use crate::sources::{Column, Export};
use arrow::array::RecordBatch;
use serde_json::Value;
use std::sync::Arc;

/// Bytes of a block: large enough to amortise planning, small enough to keep several in memory.
const BLOCK_BYTES: usize = 8 << 20;
/// A longer record is a broken file, not data.
const MAX_RECORD_BYTES: usize = 256 << 20;
/// Rows of a JSON block.
const JSON_BLOCK_ROWS: usize = 16 << 10;

/// A run of whole records, not yet split into cells.
#[derive(Debug)]
pub enum Block {
    /// Bytes of a CSV without its header.
    Csv {
        /// Whole records.
        bytes: Vec<u8>,
        /// Row number of the first.
        first_row: u64,
        /// Records in it.
        records: usize,
        /// Whether counting proved every record to have as many fields as the header.
        is_regular: bool,
    },
    /// JSON rows: the record, and the line within it.
    Json {
        /// Row number and value, or why the row cannot be read.
        rows: Vec<(u64, Result<Value, Reject>)>,
    },
    /// Rows of a sheet: number and JSON array of cells.
    Sheet {
        /// Number and cells.
        rows: Vec<(u64, String)>,
    },
    /// Rows of a Parquet file.
    Parquet {
        /// The columns that are wanted.
        batch: RecordBatch,
        /// By declared column: which of them, and which item of it.
        places: Arc<Vec<Option<parquet::Place>>>,
        /// Row number of the first.
        first_row: u64,
    },
}

/// Columns of text, one cell per row and declared column.
#[derive(Debug)]
pub struct TextRows {
    /// Row number of each row.
    pub source_rows: Vec<u64>,
    /// Cells by declared column; `None` where the file lacks the column.
    pub columns: Vec<Option<Cells>>,
}

/// The cells of one column.
#[derive(Debug)]
pub enum Cells {
    /// As Polars read them.
    Polars(polars::prelude::StringChunked),
    /// Read one by one.
    Plain(Vec<Option<String>>),
    /// Read from a file that knows types.
    Stated {
        /// The texts.
        texts: Vec<Option<String>>,
        /// Whether the file itself says that the cell is a number, a date or a truth value: its text is then plain, whatever a mapping
        /// says of texts.
        stated: Vec<bool>,
    },
}

impl Cells {
    /// The cells from first to last.
    #[must_use]
    pub fn iter(&self) -> Box<dyn Iterator<Item = Option<&str>> + '_> {
        match self {
            Self::Polars(column) => Box::new(column.iter()),
            Self::Plain(cells) | Self::Stated { texts: cells, .. } => Box::new(cells.iter().map(Option::as_deref)),
        }
    }

    /// Hands every cell with its row to `take`; a loop over each kind of column, as this is the hottest loop of an ingest.
    pub fn each<'c>(&'c self, mut take: impl FnMut(usize, Option<&'c str>)) {
        match self {
            Self::Polars(column) => {
                let mut row = 0;
                for chunk in column.downcast_iter() {
                    for cell in chunk.iter() {
                        take(row, cell);
                        row += 1;
                    }
                }
            }
            Self::Plain(cells) | Self::Stated { texts: cells, .. } => {
                cells.iter().enumerate().for_each(|(row, cell)| take(row, cell.as_deref()));
            }
        }
    }

    /// Whether the file itself says what the cell is.
    #[must_use]
    pub fn is_stated(&self, row: usize) -> bool {
        matches!(self, Self::Stated { stated, .. } if stated.get(row).copied().unwrap_or(false))
    }
}

/// How the cells of a CSV are found: its header, and where each declared column stands in it.
#[derive(Clone, Debug)]
pub struct Layout {
    header: Vec<String>,
    positions: Vec<Option<usize>>,
    /// Items of JSON objects that stand in one cell.
    items: Vec<Option<&'static str>>,
    signature: Vec<usize>,
    separator: u8,
}

impl Layout {
    fn new(header: Vec<String>, separator: u8, export: &Export) -> Self {
        let place = |column: &Column| match column.position(&header) {
            Some(at) => (Some(at), None),
            None => column.item_position(&header).map_or((None, None), |(at, item)| (Some(at), Some(item))),
        };
        let (positions, items) = export.columns.iter().map(place).unzip();
        Self {
            separator,
            positions,
            items,
            signature: export.signature.iter().filter_map(|name| export.position(name, &header)).collect(),
            header,
        }
    }
}

/// Cuts a file into blocks and hands each to `sink`; returns the layout for CSV. `sink` returns false to stop.
///
/// # Errors
/// [`IngestError`] if the file cannot be read to its end.
pub fn blocks(found: &Discovered, sink: &mut dyn FnMut(Block, Option<&Arc<Layout>>) -> bool) -> Result<(), IngestError> {
    let (path, export) = (found.path.as_path(), found.recognised.export);
    match found.form {
        Form::Csv(dialect) => {
            let mut input = encoding::decoded(open(path)?, dialect.encoding);
            csv::blocks(&mut input, path, BLOCK_BYTES, dialect, export, sink)
        }
        Form::JsonLines => json::json_lines(path, sink),
        Form::Json => json::values(path, export, sink),
        Form::Sheet { header_row } => sheet::blocks(path, header_row, export, sink),
        Form::Parquet => parquet::blocks(path, export, &mut |block| sink(block, None)),
    }
}

/// Splits a block into cells. Rows that have none go to `rejects`.
#[must_use]
pub fn cells(block: Block, layout: Option<&Layout>, export: &Export, rejects: &mut Vec<Reject>) -> TextRows {
    match (block, layout) {
        (Block::Csv { bytes, first_row, records, is_regular }, Some(layout)) => {
            let fast = if is_regular { csv::with_polars(&bytes, first_row, records, layout) } else { None };
            let mut rows = fast.unwrap_or_else(|| csv::one_by_one(&bytes, first_row, layout, rejects));
            for (cells, item) in rows.columns.iter_mut().zip(&layout.items) {
                if let (Some(whole), Some(key)) = (cells.as_ref(), item) {
                    *cells = Some(items(whole, key));
                }
            }
            rows
        }
        (Block::Json { rows }, _) => json::json_cells(rows, export, rejects),
        (Block::Sheet { rows }, Some(layout)) => sheet::cells(rows, layout, rejects),
        (Block::Parquet { batch, places, first_row }, _) => parquet::cells(&batch, &places, first_row),
        (Block::Csv { .. } | Block::Sheet { .. }, None) => TextRows { source_rows: Vec::new(), columns: Vec::new() },
    }
}

/// One item of the JSON object in each cell; what is no object has none.
fn items(cells: &Cells, key: &str) -> Cells {
    let mut last: (String, Option<String>) = (String::new(), None);
    let mut found = Vec::new();
    cells.each(|_, cell| {
        let text = cell.unwrap_or("");
        // Neighbouring rows are mostly of the same product.
        if text != last.0 {
            let item = serde_json::from_str::<Value>(text).ok().and_then(|object| object.get(key).cloned());
            let item =
                item.filter(|item| !item.is_null()).map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
            last = (text.to_owned(), item);
        }
        found.push(last.1.clone());
    });
    Cells::Plain(found)
}
