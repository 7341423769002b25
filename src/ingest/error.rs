//! Why a file, or the whole ingest, failed: what was wrong, where, and what to do next.

use crate::lake::LakeError;
use crate::lake::truth::TruthError;
use chrono::{DateTime, Utc};
use std::path::PathBuf;

/// Why a file, or the whole ingest, failed.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The file cannot be read to its end.
    #[error("could not read `{}`: {detail}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system or the decompressor says.
        detail: String,
    },
    /// Nothing in it.
    #[error("`{}` is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// JSON without a single record, which does not say what it is.
    #[error("`{}` holds no records, so it cannot be told what it is", path.display())]
    NoRecords {
        /// The file.
        path: PathBuf,
    },
    /// Not UTF-8.
    #[error("`{}` is {encoding}; save it as UTF-8", path.display())]
    Encoding {
        /// The file.
        path: PathBuf,
        /// What it seems to be.
        encoding: &'static str,
    },
    /// Not text at all.
    #[error("`{}` is not a text file that Shortfall can read", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// An archive that cannot be read.
    #[error("`{}` is a damaged ZIP archive, or part of one: {detail}", path.display())]
    Zip {
        /// The archive or the entry.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// An entry with a password.
    #[error("`{}` is encrypted; unpack it first", path.display())]
    Encrypted {
        /// The entry.
        path: PathBuf,
    },
    /// An archive with too many entries.
    #[error("`{}` has more than {limit} entries; unpack it first", path.display())]
    TooManyEntries {
        /// The archive.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// An archive made to fill a disk, it seems.
    #[error("`{}` is over {ratio} times larger unpacked than packed ({bytes} bytes and more), as no export is; unpack it first", path.display())]
    TooLarge {
        /// The entry.
        path: PathBuf,
        /// Where unpacking stopped.
        bytes: u64,
        /// The limit.
        ratio: u64,
    },
    /// A workbook that cannot be read.
    #[error("`{}` is a workbook that cannot be read: {detail}", path.display())]
    Workbook {
        /// The workbook or the sheet.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A workbook without an export.
    #[error("`{}`: none of its sheets ({sheets}) is an export that Shortfall knows", path.display())]
    NoKnownSheet {
        /// The workbook.
        path: PathBuf,
        /// Names of its sheets.
        sheets: String,
    },
    /// A Parquet file that cannot be read.
    #[error("`{}` is a Parquet file that cannot be read: {detail}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// Another content under the name and the date of a file that was ingested.
    #[error(
        "`{}` was ingested before with another content, as of the same date: if this one corrects it, say when it came with `--recorded-at` \
         (later than {}); if it is another file, give it another name",
        path.display(), recorded_at.format("%Y-%m-%dT%H:%M:%SZ")
    )]
    OtherContent {
        /// The file.
        path: PathBuf,
        /// The date that both have.
        recorded_at: DateTime<Utc>,
    },
    /// Known, but nothing to find leakage in.
    #[error("`{}` holds {what}: {reason}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// Why it is not taken, and what to export in its place.
        reason: &'static str,
    },
    /// Two mappings mean it.
    #[error("`{}` is meant by {first} and by {second}; say in one of them which columns, name or sheet tell them apart", path.display())]
    Ambiguous {
        /// The file.
        path: PathBuf,
        /// One mapping.
        first: String,
        /// The other.
        second: String,
    },
    /// A mapping means it by its name, but not by its columns.
    #[error("`{}` is meant by {mapping} but lacks the columns {}", path.display(), missing.join(", "))]
    MissingMapped {
        /// The file.
        path: PathBuf,
        /// The mapping.
        mapping: String,
        /// What is missing.
        missing: Vec<String>,
    },
    /// Lines end as on systems before 2001.
    #[error("`{}` ends its lines with CR alone; save it with LF or CRLF", path.display())]
    LineEnds {
        /// The file.
        path: PathBuf,
    },
    /// Broken JSON.
    #[error("`{}`:{line}:{column}: broken JSON: {detail}", path.display())]
    BrokenJson {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the parser says.
        detail: String,
    },
    /// A description of an export's files.
    #[error("`{}` describes an export's files and holds none of its rows", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
    },
    /// No source has such columns.
    #[error("`{}` is no export that Shortfall knows (its columns begin {found})", path.display())]
    Unrecognised {
        /// The file.
        path: PathBuf,
        /// Its first columns.
        found: String,
    },
    /// Nearly an export.
    #[error("`{}` looks like {system} {entity} but lacks the columns {}", path.display(), missing.join(", "))]
    MissingColumns {
        /// The file.
        path: PathBuf,
        /// System it looks like.
        system: &'static str,
        /// Export it looks like.
        entity: &'static str,
        /// What is missing.
        missing: Vec<String>,
    },
    /// All rows are within the header.
    #[error("`{}`: a quote in the header row is never closed", path.display())]
    OpenQuote {
        /// The file.
        path: PathBuf,
    },
    /// A record that does not end.
    #[error("`{}`: the record in row {row} is longer than {limit} bytes; a quote is probably not closed", path.display())]
    RecordTooLong {
        /// The file.
        path: PathBuf,
        /// The row.
        row: u64,
        /// The limit.
        limit: usize,
    },
    /// A staging query failed.
    #[error("`{}`: query `staging/{query}.sql` failed: {detail}", path.display())]
    Staging {
        /// The file.
        path: PathBuf,
        /// Name of the query.
        query: String,
        /// What the engine says.
        detail: String,
    },
    /// Rows went missing between reading and writing: a defect of Shortfall.
    #[error("`{}`: {rows_in} rows in but {accepted} accepted and {rejected} rejected; nothing of it was committed. Please report this", path.display())]
    NotConserved {
        /// The file.
        path: PathBuf,
        /// Rows read.
        rows_in: u64,
        /// Rows written.
        accepted: u64,
        /// Rows rejected.
        rejected: u64,
    },
    /// A store does not give it.
    #[error(transparent)]
    Fetch(#[from] crate::lake::store::StoreError),
    /// Another process is writing.
    #[error("another `shortfall` is writing to this lake; wait for it to end")]
    Locked,
    /// The lake failed.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The lake could not be read.
    #[error(transparent)]
    Truth(#[from] TruthError),
}

impl IngestError {
    pub(crate) fn unreadable(path: &std::path::Path, source: &std::io::Error) -> Self {
        let detail = match source.kind() {
            std::io::ErrorKind::UnexpectedEof => "it ends too early; export or copy it again".to_owned(),
            _ => source.to_string(),
        };
        Self::Unreadable { path: path.to_owned(), detail }
    }

    /// The same fault under the name that a person knows the file by.
    #[must_use]
    pub(crate) fn named(mut self, name: &std::path::Path) -> Self {
        match &mut self {
            Self::Unreadable { path, .. }
            | Self::Empty { path }
            | Self::NoRecords { path }
            | Self::Encoding { path, .. }
            | Self::NotText { path }
            | Self::Zip { path, .. }
            | Self::Encrypted { path }
            | Self::TooManyEntries { path, .. }
            | Self::TooLarge { path, .. }
            | Self::Workbook { path, .. }
            | Self::NoKnownSheet { path, .. }
            | Self::Parquet { path, .. }
            | Self::Ambiguous { path, .. }
            | Self::OtherContent { path, .. }
            | Self::Unfit { path, .. }
            | Self::MissingMapped { path, .. }
            | Self::LineEnds { path }
            | Self::BrokenJson { path, .. }
            | Self::Manifest { path }
            | Self::Unrecognised { path, .. }
            | Self::MissingColumns { path, .. }
            | Self::OpenQuote { path }
            | Self::RecordTooLong { path, .. }
            | Self::Staging { path, .. }
            | Self::NotConserved { path, .. } => name.clone_into(path),
            Self::Fetch(_) | Self::Locked | Self::Lake(_) | Self::Truth(_) => {}
        }
        self
    }

    /// Whether it says no more than that the content is no export.
    pub(super) fn is_foreign(&self) -> bool {
        matches!(self, Self::Unrecognised { .. } | Self::Empty { .. } | Self::NotText { .. })
    }

    /// Whether the fault is the file's: others can still be ingested.
    #[must_use]
    pub fn is_file_fault(&self) -> bool {
        !matches!(self, Self::Lake(_) | Self::Truth(_) | Self::Locked | Self::Staging { .. } | Self::NotConserved { .. })
    }
}
