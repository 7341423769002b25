//! Why an export was not made.

use crate::bi::StarError;
use crate::query::run::QueryError;
use std::path::{Path, PathBuf};

/// Why an export was not made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is nothing to export yet.
    #[error("no quarter has been analysed yet")]
    NothingAnalysed,
    /// The folder holds files that no export wrote.
    #[error("`{}` holds other files and no export: nothing was written", folder.display())]
    NotAnExport {
        /// The folder.
        folder: PathBuf,
    },
    /// `export.json` or the change manifest cannot be understood.
    #[error("`{}` is damaged: {detail}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// Another export writes to the folder.
    #[error("another export is writing to `{}`", folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
    /// The star could not be built.
    #[error(transparent)]
    Star(#[from] StarError),
    /// A fact's row has no period.
    #[error("`{table}` has a row without `{column}`: it belongs to no period")]
    NoPeriod {
        /// The fact.
        table: String,
        /// Its period column.
        column: String,
    },
    /// A file could not be read or written.
    #[error("could not {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Rows could not be encoded.
    #[error("could not write `{table}`: {detail}")]
    Encode {
        /// Table in question.
        table: String,
        /// What the library says.
        detail: String,
    },
}

impl ExportError {
    pub(super) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    pub(super) fn encode(table: &str, detail: &impl ToString) -> Self {
        Self::Encode { table: table.to_owned(), detail: detail.to_string() }
    }
}

impl From<QueryError> for ExportError {
    fn from(error: QueryError) -> Self {
        Self::Star(error.into())
    }
}
