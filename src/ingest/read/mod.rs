//! Bytes to blocks of text rows, with the place of every row in its file.
//!
//! ```text
//! file ──> blocks of whole records ──┬─ every record has the header's number of fields ──> Polars (fast) ──┐
//!          (quotes understood)       └─ else: ragged, stray quotes, bad UTF-8 ──> csv, row by row ─────────┴─> TextRows + rejects
//! JSON ──> records, one row per line of a record ──────────────────────────────────────────────────────────> TextRows + rejects
//! ```
//! A block is cut only where a record ends. Polars reads blocks that a count of separators has proved regular; whatever is not regular goes
//! through the `csv` crate, which says of each record what is wrong with it. Row numbers are those of a spreadsheet: the header of
//! a CSV is row 1, its first record row 2; in JSON the first row is 1.

mod csv;
mod json;

pub(super) use csv::{csv_reader, next_record};
pub use json::{lacks_lines, lines_of, records, whole_json};

use super::IngestError;
use super::discover::{Form, open};
use super::reject::Reject;
use crate::sources::Export;
use serde_json::Value;
use std::path::Path;
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
}

impl Cells {
    /// The cells from first to last.
    #[must_use]
    pub fn iter(&self) -> Box<dyn Iterator<Item = Option<&str>> + '_> {
        match self {
            Self::Polars(column) => Box::new(column.iter()),
            Self::Plain(cells) => Box::new(cells.iter().map(Option::as_deref)),
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
            Self::Plain(cells) => cells.iter().enumerate().for_each(|(row, cell)| take(row, cell.as_deref())),
        }
    }
}

/// How the cells of a CSV are found: its header, and where each declared column stands in it.
#[derive(Clone, Debug)]
pub struct Layout {
    header: Vec<String>,
    positions: Vec<Option<usize>>,
    signature: Vec<usize>,
}

impl Layout {
    fn new(header: Vec<String>, export: &Export) -> Self {
        Self {
            positions: export.columns.iter().map(|column| column.position(&header)).collect(),
            signature: export.signature.iter().filter_map(|name| export.position(name, &header)).collect(),
            header,
        }
    }
}

/// Cuts a file into blocks and hands each to `sink`; returns the layout for CSV. `sink` returns false to stop.
///
/// # Errors
/// [`IngestError`] if the file cannot be read to its end.
pub fn blocks(
    path: &Path,
    form: Form,
    export: &Export,
    sink: &mut dyn FnMut(Block, Option<&Arc<Layout>>) -> bool,
) -> Result<(), IngestError> {
    match form {
        Form::Csv => csv::blocks(&mut open(path)?, path, BLOCK_BYTES, export, sink),
        Form::JsonLines => json::json_lines(path, sink),
        Form::Json => json::values(path, export, sink),
    }
}

/// Splits a block into cells. Rows that have none go to `rejects`.
#[must_use]
pub fn cells(block: Block, layout: Option<&Layout>, export: &Export, rejects: &mut Vec<Reject>) -> TextRows {
    match (block, layout) {
        (Block::Csv { bytes, first_row, records, is_regular }, Some(layout)) => {
            let fast = if is_regular { csv::with_polars(&bytes, first_row, records, layout) } else { None };
            fast.unwrap_or_else(|| csv::one_by_one(&bytes, first_row, layout, rejects))
        }
        (Block::Json { rows }, _) => json::json_cells(rows, export, rejects),
        (Block::Csv { .. }, None) => TextRows { source_rows: Vec::new(), columns: Vec::new() },
    }
}
