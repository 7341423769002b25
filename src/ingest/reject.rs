//! Rows that could not be accepted: where, what, why.

/// Characters of a rejected value that are kept: enough to find it, not enough to drown the table.
const SHOWN: usize = 200;

/// One row that was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Row in the file.
    pub source_row: u64,
    /// Column, empty if the row as a whole is at fault.
    pub column: String,
    /// What stood there, shortened.
    pub value: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Reject {
    /// A reject; long values are shortened.
    #[must_use]
    pub fn new(source_row: u64, column: &str, value: &str, reason: &str) -> Self {
        let mut value: String = value.to_owned();
        if value.chars().count() > SHOWN {
            value = value.chars().take(SHOWN).chain("...".chars()).collect();
        }
        Self { source_row, column: column.to_owned(), value, reason: reason.to_owned() }
    }
}
