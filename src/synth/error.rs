//! What can go wrong while a book is generated or a truth file is read, always with the path it happened at.

use crate::month::{Month, Quarter};
use std::path::PathBuf;

/// A failure of the simulator.
#[derive(Debug, thiserror::Error)]
pub enum SynthError {
    /// The configuration describes no possible book.
    #[error("cannot simulate {months} months for {customers} customers: at least {min_months} months and 1 customer are needed")]
    TooSmall {
        /// Months asked for.
        months: usize,
        /// Customers asked for.
        customers: usize,
        /// The shortest span that has a history to compare with.
        min_months: usize,
    },
    /// The analysed quarter is not fully covered by the span.
    #[error("quarter {quarter} lies outside the simulated span {first_month} to {last_month}")]
    QuarterOutsideSpan {
        /// The quarter asked for.
        quarter: Quarter,
        /// First simulated month.
        first_month: Month,
        /// Last simulated month.
        last_month: Month,
    },
    /// A folder could not be made.
    #[error("cannot create folder `{}`", path.display())]
    CreateFolder {
        /// The folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// Rows could not be put into CSV form.
    #[error("cannot write CSV rows to `{}`", path.display())]
    WriteCsv {
        /// The file.
        path: PathBuf,
        /// The encoder's reason.
        source: csv::Error,
    },
    /// A document could not be put into JSON form.
    #[error("cannot write JSON to `{}`", path.display())]
    WriteJson {
        /// The file.
        path: PathBuf,
        /// The encoder's reason.
        source: serde_json::Error,
    },
    /// A truth file could not be opened or is no CSV.
    #[error("cannot read truth file `{}`", path.display())]
    ReadTruth {
        /// The file.
        path: PathBuf,
        /// The reader's reason.
        source: csv::Error,
    },
    /// A truth file lacks a column.
    #[error("truth file `{}` has no column `{column}`; expected {expected}", path.display())]
    TruthColumn {
        /// The file.
        path: PathBuf,
        /// The missing column.
        column: &'static str,
        /// The whole header.
        expected: String,
    },
    /// A cell of a truth file does not hold what its column promises.
    #[error("truth file `{}`, line {line}, column `{column}`: `{value}` is not {wanted}", path.display())]
    TruthValue {
        /// The file.
        path: PathBuf,
        /// Line in the file, the header being line 1.
        line: u64,
        /// The column.
        column: &'static str,
        /// The text found.
        value: String,
        /// What was expected instead.
        wanted: &'static str,
    },
}
