//! Workbooks (`.xlsx`, `.xlsm`, `.xlsb`, `.xls`, `.ods`): each sheet is written down as text, which is then read, hashed and archived like any file.
//!
//! The first line names the sheet; line n + 1 is row n of the spreadsheet, a JSON array of its cells up to the last that is not empty:
//! text as text, numbers as the shortest decimal that reads back as the stored float ([`float_text`]; Excel stores no decimals, and shows
//! 15 digits of up to 17), dates as `{"date": ...}` in ISO 8601, to the millisecond, without a zone, truth values, and errors as the text that Excel shows.
//! Formulas give the value that was stored when the workbook was saved. Hidden sheets and rows are read like others. A number is a date
//! if its format says so.
//!
//! A workbook is read whole: [`MAX_BYTES`] of file and [`MAX_CELLS`] of cells of a sheet are the limits. Protected workbooks are refused.

use super::guard::quietly;
use super::{IngestError, member};
use crate::money::float_text;
use calamine::{Data, DataRef, ExcelDateTime, Ods, Reader as _, Sheets, Xls, Xlsb, Xlsx, open_workbook_from_rs};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufReader, Read as _, Write};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};

/// Bytes of a workbook's file, and of what it unpacks to times eight.
pub const MAX_BYTES: u64 = 256 << 20;
/// Cells of a sheet that are not empty.
pub const MAX_CELLS: usize = 20_000_000;
/// Columns of a sheet: those of Excel.
const MAX_COLUMNS: u32 = 16_384;

/// An open workbook.
pub struct Book {
    path: PathBuf,
    book: Sheets<BufReader<File>>,
}

impl std::fmt::Debug for Book {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Book").field("path", &self.path).finish_non_exhaustive()
    }
}

fn broken(path: &Path, detail: &dyn ToString) -> IngestError {
    IngestError::Workbook { path: path.to_owned(), detail: detail.to_string() }
}

impl Book {
    /// Opens a workbook of any kind, told by its content.
    ///
    /// # Errors
    /// [`IngestError::Workbook`] if it is damaged, protected or too large.
    pub fn open(path: &Path) -> Result<Self, IngestError> {
        let mut file = File::open(path).map_err(|e| IngestError::unreadable(path, &e))?;
        let bytes = file.metadata().map_or(0, |meta| meta.len());
        if bytes > MAX_BYTES {
            return Err(broken(path, &format!("it is larger than {} MiB; save the sheet as CSV", MAX_BYTES >> 20)));
        }
        let mut magic = [0; 4];
        let is_zip = file.read_exact(&mut magic).is_ok() && magic.starts_with(b"PK");
        if is_zip && member::stated_size(path)? > 8 * MAX_BYTES {
            return Err(broken(path, &format!("it unpacks to more than {} MiB; save the sheet as CSV", (8 * MAX_BYTES) >> 20)));
        }
        let file = member::rewound(file).map_err(|e| IngestError::unreadable(path, &e))?;
        let input = BufReader::new(file);
        let opened = quietly(AssertUnwindSafe(|| -> Result<Sheets<BufReader<File>>, String> {
            if !is_zip {
                let failed =
                    |e: calamine::XlsError| format!("{e} (a workbook with a password cannot be read: save it without one)");
                return open_workbook_from_rs::<Xls<_>, _>(input).map(Sheets::Xls).map_err(failed);
            }
            let mut zip =
                zip::ZipArchive::new(BufReader::new(File::open(path).map_err(|e| e.to_string())?)).map_err(|e| e.to_string())?;
            if zip.index_for_name("xl/workbook.bin").is_some() {
                open_workbook_from_rs::<Xlsb<_>, _>(input).map(Sheets::Xlsb).map_err(|e| e.to_string())
            } else if zip.by_name("mimetype").is_ok() {
                open_workbook_from_rs::<Ods<_>, _>(input).map(Sheets::Ods).map_err(|e| e.to_string())
            } else {
                open_workbook_from_rs::<Xlsx<_>, _>(input).map(Sheets::Xlsx).map_err(|e| e.to_string())
            }
        }));
        match opened {
            Some(Ok(book)) => Ok(Self { path: path.to_owned(), book }),
            Some(Err(detail)) => Err(broken(path, &detail)),
            None => Err(broken(path, &"it is damaged")),
        }
    }

    /// Names of its worksheets.
    #[must_use]
    pub fn sheets(&self) -> Vec<String> {
        let sheets = self.book.sheets_metadata().iter();
        sheets.filter(|sheet| sheet.typ == calamine::SheetType::WorkSheet).map(|sheet| sheet.name.clone()).collect()
    }

    /// Writes a sheet down.
    ///
    /// # Errors
    /// [`IngestError::Workbook`] if the sheet is damaged or too large.
    pub fn write(&mut self, sheet: &str, output: &mut dyn Write) -> Result<(), IngestError> {
        let path = self.path.clone();
        let book = &mut self.book;
        let written = quietly(AssertUnwindSafe(|| -> Result<(), String> {
            let mut rows = Rows::new(sheet, output)?;
            match book {
                Sheets::Xlsx(book) => {
                    let mut cells = book.worksheet_cells_reader(sheet).map_err(|e| e.to_string())?;
                    while let Some(cell) = cells.next_cell().map_err(|e| e.to_string())? {
                        rows.take(cell.get_position(), &value(cell.get_value()))?;
                    }
                }
                Sheets::Xlsb(book) => {
                    let mut cells = book.worksheet_cells_reader(sheet).map_err(|e| e.to_string())?;
                    while let Some(cell) = cells.next_cell().map_err(|e| e.to_string())? {
                        rows.take(cell.get_position(), &value(cell.get_value()))?;
                    }
                }
                other => {
                    let range = other.worksheet_range(sheet).map_err(|e| e.to_string())?;
                    let (top, left) = range.start().unwrap_or((0, 0));
                    for (row, column, cell) in range.used_cells() {
                        let at = (top + u32::try_from(row).unwrap_or(u32::MAX), left + u32::try_from(column).unwrap_or(u32::MAX));
                        rows.take(at, &stored(cell))?;
                    }
                }
            }
            rows.finish()
        }));
        match written {
            Some(Ok(())) => Ok(()),
            Some(Err(detail)) => Err(broken(&path, &detail)),
            None => Err(broken(&path, &"the sheet is damaged")),
        }
    }
}

/// Cells in the order of rows, on their way to lines.
struct Rows<'a> {
    output: &'a mut dyn Write,
    /// Lines written, the name of the sheet not counted.
    written: u32,
    row: u32,
    cells: Vec<Value>,
    taken: usize,
}

impl<'a> Rows<'a> {
    fn new(sheet: &str, output: &'a mut dyn Write) -> Result<Self, String> {
        // Without spaces, as the reader's first look expects it.
        writeln!(output, "{}", json!({ super::read::sheet::MARK: sheet })).map_err(|e| e.to_string())?;
        Ok(Self { output, written: 0, row: 0, cells: Vec::new(), taken: 0 })
    }

    fn take(&mut self, (row, column): (u32, u32), value: &Value) -> Result<(), String> {
        if value.is_null() {
            return Ok(());
        }
        if row < self.row {
            return Err("its rows are not in their order".to_owned());
        }
        self.taken += 1;
        if column >= MAX_COLUMNS || row >= 1_048_576 || self.taken > MAX_CELLS {
            return Err(format!("a sheet has more than 1048576 rows, {MAX_COLUMNS} columns or {MAX_CELLS} cells"));
        }
        if row > self.row {
            self.line()?;
            self.row = row;
        }
        let column = column as usize;
        if self.cells.len() <= column {
            self.cells.resize(column + 1, Value::Null);
        }
        self.cells[column] = value.clone();
        Ok(())
    }

    /// Writes the row at hand, and the empty ones before it.
    fn line(&mut self) -> Result<(), String> {
        if self.cells.is_empty() {
            return Ok(());
        }
        let failed = |e: std::io::Error| e.to_string();
        while self.written < self.row {
            self.output.write_all(b"[]\n").map_err(failed)?;
            self.written += 1;
        }
        let cells = Value::Array(std::mem::take(&mut self.cells));
        writeln!(self.output, "{cells}").map_err(failed)?;
        self.written += 1;
        Ok(())
    }

    fn finish(mut self) -> Result<(), String> {
        self.line()?;
        self.output.flush().map_err(|e| e.to_string())
    }
}

fn value(cell: &DataRef) -> Value {
    match cell {
        DataRef::Int(value) => json!(value),
        DataRef::Float(value) => number(*value),
        DataRef::String(text) => text_value(text),
        DataRef::SharedString(text) => text_value(text),
        DataRef::Bool(value) => Value::Bool(*value),
        DataRef::DateTime(value) => date(*value),
        DataRef::DateTimeIso(text) => json!({ super::read::sheet::DATE: text }),
        DataRef::DurationIso(text) => Value::from(text.as_str()),
        DataRef::Error(error) => Value::from(error.to_string()),
        DataRef::Empty => Value::Null,
    }
}

fn stored(cell: &Data) -> Value {
    match cell {
        Data::Int(value) => json!(value),
        Data::Float(value) => number(*value),
        Data::String(text) => text_value(text),
        Data::Bool(value) => Value::Bool(*value),
        Data::DateTime(value) => date(*value),
        Data::DateTimeIso(text) => json!({ super::read::sheet::DATE: text }),
        Data::DurationIso(text) => Value::from(text.as_str()),
        Data::Error(error) => Value::from(error.to_string()),
        _ => Value::Null,
    }
}

/// A cell with spaces alone is empty to whoever looks at it.
fn text_value(text: &str) -> Value {
    if text.trim().is_empty() { Value::Null } else { Value::from(text) }
}

fn number(value: f64) -> Value {
    float_text(value).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null)
}

/// A date, with its time if it has one; a duration stays the number of days that it is.
fn date(value: ExcelDateTime) -> Value {
    match value.as_datetime().filter(|_| value.is_datetime()) {
        Some(instant) => {
            let text = instant.format("%Y-%m-%dT%H:%M:%S%.3f").to_string();
            let text = text.strip_suffix(".000").unwrap_or(&text);
            json!({ super::read::sheet::DATE: text.strip_suffix("T00:00:00").unwrap_or(text) })
        }
        None => number(value.as_f64()),
    }
}
