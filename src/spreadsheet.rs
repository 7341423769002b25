//! Text that a spreadsheet would run: a CSV file has no types, so Excel and LibreOffice take a cell that begins with `=` for a formula.
//!
//! Names come from other people's systems. What this program writes as CSV for people therefore gets an apostrophe before such text, as OWASP
//! ("CSV injection") says; a spreadsheet shows the rest as text. Only text is guarded, by the column's type: `-5.00` in a column of money stays
//! a number, and a customer called `-2` does not become one. JSON and Parquet have types and hold what was read, to the letter. Crosswalks that
//! `map` writes and `ingest` reads back hold it too.

use std::borrow::Cow;

/// What begins a formula, in the script of any language, or hides before one.
const STARTS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// `text` as a cell that is no formula.
///
/// ```
/// use shortfall::spreadsheet::guarded;
/// assert_eq!(guarded("=cmd|'/c calc'!A1"), "'=cmd|'/c calc'!A1");
/// assert_eq!(guarded("Acme + Sons"), "Acme + Sons");
/// ```
#[must_use]
pub fn guarded(text: &str) -> Cow<'_, str> {
    if text.starts_with(STARTS) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}
