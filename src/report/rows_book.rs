//! Rows as a workbook of one sheet, for whoever filters and sums what a command prints (`--format xlsx`).
//!
//! Numbers and amounts are Excel's numbers, which keep 15 digits, dates its dates; everything else is a string cell: a customer called `=cmd()` is a name. The same rows give the same bytes.

use super::ReportError;
use super::workbook::{Column, dated, excel_day, header, text};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Float64Type};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::NaiveDate;
use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};

/// Widest column, in pixels: some sixty characters.
const WIDEST: u32 = 440;

/// The workbook's bytes; at least one batch, and all of one schema.
///
/// # Errors
/// [`ReportError::Workbook`] if the library refuses, which it does for more rows than Excel has.
pub fn rows_book(name: &str, batches: &[RecordBatch]) -> Result<Vec<u8>, ReportError> {
    build(name, batches).map_err(|detail| ReportError::Workbook { detail })
}

fn build(name: &str, batches: &[RecordBatch]) -> Result<Vec<u8>, String> {
    let refused = |e: XlsxError| e.to_string();
    let mut book = Workbook::new();
    // Rows have no day of their own, and a clock would give other bytes each time.
    book.set_properties(&dated(name, NaiveDate::default()).map_err(refused)?);
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let schema = batches[0].schema();
    let sheet = book.add_worksheet();
    let columns: Vec<Column<'_>> = schema.fields().iter().map(|field| (field.name().as_str(), "", 12.0)).collect();
    header(sheet, name, &columns, rows).map_err(refused)?;
    let mut row = 1;
    for batch in batches {
        for (at, column) in (0..).zip(batch.columns()) {
            let cells = Cells::of(column).map_err(|e| e.to_string())?;
            for of in 0..batch.num_rows() {
                let place = row + u32::try_from(of).unwrap_or(u32::MAX);
                cells.write(sheet, place, at, of).map_err(refused)?;
            }
        }
        row += u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
    }
    sheet.set_autofit_max_width(WIDEST).autofit();
    book.save_to_buffer().map_err(refused)
}

/// A column as Excel has it.
enum Cells<'a> {
    Numbers(ArrayRef),
    Days(ArrayRef),
    Texts(&'a dyn Array, ArrayFormatter<'a>),
}

impl<'a> Cells<'a> {
    fn of(column: &'a ArrayRef) -> Result<Self, ArrowError> {
        match column.data_type() {
            kind if kind.is_numeric() => cast(column, &DataType::Float64).map(Self::Numbers),
            DataType::Date32 | DataType::Date64 => cast(column, &DataType::Date32).map(Self::Days),
            _ => ArrayFormatter::try_new(column, &FormatOptions::default()).map(|texts| Self::Texts(column, texts)),
        }
    }

    fn write(&self, sheet: &mut Worksheet, row: u32, column: u16, of: usize) -> Result<(), XlsxError> {
        match self {
            Self::Numbers(numbers) if numbers.is_valid(of) => {
                let number = numbers.as_primitive::<Float64Type>().value(of);
                // Excel has neither NaN nor infinity.
                if number.is_finite() {
                    sheet.write_number(row, column, number)?;
                }
            }
            Self::Days(days) if days.is_valid(of) => {
                if let Some(day) = days.as_primitive::<Date32Type>().value_as_date(of) {
                    match excel_day(day) {
                        Ok(date) => {
                            sheet.write_datetime_with_format(row, column, &date, &Format::new().set_num_format("yyyy-mm-dd"))?
                        }
                        Err(_) => sheet.write_string(row, column, day.to_string())?,
                    };
                }
            }
            Self::Texts(cells, texts) if cells.is_valid(of) => text(sheet, row, column, &texts.value(of).to_string())?,
            _ => {}
        }
        Ok(())
    }
}
