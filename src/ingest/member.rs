//! What is recognised and landed as one file: a *member*.
//!
//! ```text
//! plain file, .gz, .zst ─────────────────────────────> itself
//! .zip ── each entry, read to its end first ──────────> archive.zip!folder/entry.csv      (a .zip within: one level)
//! .xlsx, .xlsb, .xls, .ods ── each sheet ─────────────> book.xlsx!Sheet
//! a workbook or Parquet within .gz or .zst ───────────> itself, unpacked
//! ```
//! A member's identity is the hash of its own bytes: those of the file that unpacking the archive would leave, or of the sheet as
//! [`super::workbook`] writes it down. So the same CSV within an archive and beside it is the same batch, and a workbook that was saved again
//! without a change too. A member is complete and checked before anything of it is landed. Each is unpacked to a file beside the lake
//! when its turn comes and removed afterwards: memory stays bounded, and the disk holds one large member, or a few
//! small ones that are read together, at a time.
//!
//! Limits, against archives that are made to fill a disk: [`MAX_ENTRIES`], [`MAX_RATIO`] and [`MAX_ENTRY_BYTES`].

use super::discover::{OLE, open};
use super::scratch::Scratch;
use super::{IngestError, workbook};
use chrono::{DateTime, NaiveDate, Utc};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use zip::ZipArchive;
use zip::result::ZipError;

/// Entries of one archive.
pub const MAX_ENTRIES: usize = 10_000;
/// How many times larger than in its archive an entry may be, beyond [`FREE_BYTES`]. Cost exports shrink to a twentieth, seldom to a hundredth.
pub const MAX_RATIO: u64 = 250;
/// An entry up to this size may be packed as tightly as it likes.
pub const FREE_BYTES: u64 = 64 << 20;
/// Bytes of an unpacked entry.
pub const MAX_ENTRY_BYTES: u64 = 64 << 30;

/// One thing to land.
#[derive(Debug)]
pub struct Member {
    /// Its name, in `core.batch` and in messages.
    pub name: PathBuf,
    /// Where its bytes lie.
    pub content: PathBuf,
    /// When it was last written, as far as its container says.
    pub modified: Option<DateTime<Utc>>,
    /// Keeps unpacked content while it is needed.
    pub scratch: Option<Scratch>,
    /// Whether it is a sheet: one of several, of which most workbooks have some that are no export.
    pub is_sheet: bool,
}

/// Whether a file with this name holds nothing that anybody exported: hidden files, what desktops leave behind, locks of Excel.
#[must_use]
pub fn is_junk(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    name.starts_with('.')
        || name.starts_with("~$")
        || ["__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "$recycle.bin"].contains(&lower.as_str())
}

/// What the first bytes of a file say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// To be read as it is.
    Plain,
    /// A ZIP archive, or a workbook that is one.
    Zip,
    /// A workbook of old.
    Ole,
    /// Parquet.
    Parquet,
}

fn kind(head: &[u8]) -> Kind {
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        Kind::Zip
    } else if head.starts_with(&OLE) {
        Kind::Ole
    } else if head.starts_with(b"PAR1") {
        Kind::Parquet
    } else {
        Kind::Plain
    }
}

fn head(mut input: impl Read) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    input.by_ref().take(8).read_to_end(&mut head)?;
    Ok(head)
}

/// Whether a file is a member itself, and can be landed as it lies there.
#[must_use]
pub fn is_single(path: &Path) -> bool {
    let Ok(raw) = File::open(path).and_then(head) else { return true };
    let is_compressed = raw.starts_with(&[0x1f, 0x8b]) || raw.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    match kind(&raw) {
        Kind::Plain if is_compressed => {
            open(path).ok().and_then(|input| head(input).ok()).is_none_or(|head| kind(&head) == Kind::Plain)
        }
        Kind::Plain | Kind::Parquet => true,
        Kind::Zip | Kind::Ole => false,
    }
}

/// Takes what becomes of a container: a member, or a name with the reason why it is none. An error it returns ends the walk.
pub type Visit<'a> = dyn FnMut(Result<Member, (PathBuf, IngestError)>) -> Result<(), IngestError> + 'a;

/// Hands every member of a file to `visit`, unpacked below `folder`.
///
/// # Errors
/// What `visit` returns; faults of the file are handed to it.
pub fn members(file: Member, folder: &Path, visit: &mut Visit) -> Result<(), IngestError> {
    walk(file, folder, 0, visit)
}

fn walk(file: Member, folder: &Path, depth: usize, visit: &mut Visit) -> Result<(), IngestError> {
    let name = file.name.clone();
    let refuse = |visit: &mut Visit, error: IngestError| visit(Err((name.clone(), error.named(&name))));
    let raw = match File::open(&file.content).and_then(head) {
        Ok(raw) => raw,
        Err(e) => return refuse(visit, IngestError::unreadable(&file.content, &e)),
    };
    match kind(&raw) {
        Kind::Zip => match zip_kind(&file.content) {
            Ok(true) => sheets(&file, folder, visit),
            Ok(false) => entries(&file, folder, depth, visit),
            Err(error) => refuse(visit, error),
        },
        Kind::Ole => sheets(&file, folder, visit),
        Kind::Parquet => visit(Ok(file)),
        Kind::Plain => {
            let is_compressed = raw.starts_with(&[0x1f, 0x8b]) || raw.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
            let inner = if is_compressed { open(&file.content).ok().and_then(|input| head(input).ok()) } else { None };
            if depth > 1 || inner.is_none_or(|head| kind(&head) == Kind::Plain) {
                return visit(Ok(file));
            }
            // Its reader has to jump about in it, which a compressed stream does not allow.
            let mut input = match open(&file.content) {
                Ok(input) => input,
                Err(error) => return refuse(visit, error),
            };
            match unpack(&mut input, raw_size(&file.content), folder) {
                Ok(scratch) => {
                    let content = scratch.path().to_owned();
                    walk(Member { content, scratch: Some(scratch), ..file }, folder, depth + 1, visit)
                }
                Err(error) => refuse(visit, error.unreadable(&file.content)),
            }
        }
    }
}

fn raw_size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |meta| meta.len())
}

/// Why a stream could not be unpacked.
enum Unpacking {
    Io(std::io::Error),
    TooLarge(u64),
}

impl Unpacking {
    fn unreadable(self, path: &Path) -> IngestError {
        match self {
            Self::Io(e) => IngestError::unreadable(path, &e),
            Self::TooLarge(bytes) => IngestError::TooLarge { path: path.to_owned(), bytes, ratio: MAX_RATIO },
        }
    }
}

/// A stream as a file of its own, within the limits.
fn unpack(input: &mut dyn Read, packed: u64, folder: &Path) -> Result<Scratch, Unpacking> {
    let (scratch, mut output) = Scratch::create(folder).map_err(Unpacking::Io)?;
    let limit = packed.saturating_mul(MAX_RATIO).clamp(FREE_BYTES, MAX_ENTRY_BYTES);
    let copied = std::io::copy(&mut input.take(limit + 1), &mut output).map_err(Unpacking::Io)?;
    if copied > limit {
        return Err(Unpacking::TooLarge(limit));
    }
    output.flush().map_err(Unpacking::Io)?;
    Ok(scratch)
}

fn damaged(path: &Path, error: &ZipError) -> IngestError {
    let detail = match error {
        ZipError::Io(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => "it ends too early".to_owned(),
        other => other.to_string(),
    };
    IngestError::Zip { path: path.to_owned(), detail }
}

fn archive(path: &Path) -> Result<ZipArchive<BufReader<File>>, IngestError> {
    let file = File::open(path).map_err(|e| IngestError::unreadable(path, &e))?;
    super::guard::quietly(std::panic::AssertUnwindSafe(|| ZipArchive::new(BufReader::new(file))))
        .unwrap_or(Err(ZipError::InvalidArchive("its directory is damaged".into())))
        .map_err(|e| damaged(path, &e))
}

/// Whether an archive is a workbook. One with too much in it is refused.
fn zip_kind(path: &Path) -> Result<bool, IngestError> {
    let mut zip = archive(path)?;
    if zip.len() > MAX_ENTRIES {
        return Err(IngestError::TooManyEntries { path: path.to_owned(), limit: MAX_ENTRIES });
    }
    if zip.has_overlapping_files().unwrap_or(false) {
        return Err(IngestError::Zip { path: path.to_owned(), detail: "its entries overlap".to_owned() });
    }
    if zip.index_for_name("[Content_Types].xml").is_some() {
        return Ok(true);
    }
    let Some(at) = zip.index_for_name("mimetype") else { return Ok(false) };
    let mut kind = String::new();
    let read = zip.by_index(at).map(|entry| entry.take(100).read_to_string(&mut kind));
    Ok(read.is_ok() && kind.starts_with("application/vnd.oasis.opendocument.spreadsheet"))
}

/// The entries of an archive, in its order.
fn entries(file: &Member, folder: &Path, depth: usize, visit: &mut Visit) -> Result<(), IngestError> {
    let mut zip = match archive(&file.content) {
        Ok(zip) => zip,
        Err(error) => return visit(Err((file.name.clone(), error.named(&file.name)))),
    };
    if depth > 1 {
        let error = IngestError::Zip { path: file.name.clone(), detail: "it lies in an archive within an archive".to_owned() };
        return visit(Err((file.name.clone(), error)));
    }
    let mut landed = 0_usize;
    for at in 0..zip.len() {
        let unpacked = super::guard::quietly(std::panic::AssertUnwindSafe(|| entry(&mut zip, at, file, folder)));
        let unpacked = unpacked.unwrap_or_else(|| {
            let name = PathBuf::from(format!("{}!{at}", file.name.display()));
            let error = IngestError::Zip { path: name.clone(), detail: "the entry is damaged".to_owned() };
            Err((name, error))
        });
        match unpacked {
            Ok(None) => {}
            Ok(Some(member)) => {
                landed += 1;
                walk(member, folder, depth + 1, visit)?;
            }
            Err(refused) => {
                landed += 1;
                visit(Err(refused))?;
            }
        }
    }
    if landed == 0 {
        visit(Err((file.name.clone(), IngestError::Empty { path: file.name.clone() })))?;
    }
    Ok(())
}

/// One entry as a file; nothing for folders and junk.
fn entry(
    zip: &mut ZipArchive<BufReader<File>>,
    at: usize,
    file: &Member,
    folder: &Path,
) -> Result<Option<Member>, (PathBuf, IngestError)> {
    let named = |entry: &str| PathBuf::from(format!("{}!{entry}", file.name.display()));
    let (name, is_file, is_encrypted, packed, modified) = {
        let raw = zip.by_index_raw(at).map_err(|e| {
            let name = named(&at.to_string());
            (name.clone(), damaged(&name, &e))
        })?;
        let text = raw.name().map_or_else(|_| String::from_utf8_lossy(raw.name_raw()).into_owned(), std::borrow::Cow::into_owned);
        // A name is shown, never followed; what a terminal would take for a command is not shown either.
        let text: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        let modified = raw.last_modified().filter(|date| date.year() > 1980).and_then(|date| {
            let day = NaiveDate::from_ymd_opt(i32::from(date.year()), date.month().into(), date.day().into())?;
            // Archives write local time without saying which; a day is what counts.
            Some(day.and_hms_opt(date.hour().into(), date.minute().into(), date.second().into())?.and_utc())
        });
        (text, !raw.is_dir() && !raw.is_symlink(), raw.encrypted(), raw.compressed_size(), modified)
    };
    if !is_file || name.split(['/', '\\']).any(is_junk) {
        return Ok(None);
    }
    let name = named(&name);
    if is_encrypted {
        return Err((name.clone(), IngestError::Encrypted { path: name }));
    }
    let refuse = |error: IngestError| (name.clone(), error);
    let mut entry = zip.by_index(at).map_err(|e| refuse(damaged(&name, &e)))?;
    let scratch = unpack(&mut entry, packed, folder).map_err(|error| {
        refuse(match error {
            Unpacking::TooLarge(bytes) => IngestError::TooLarge { path: name.clone(), bytes, ratio: MAX_RATIO },
            Unpacking::Io(e) => IngestError::Zip {
                path: name.clone(),
                detail: match e.kind() {
                    std::io::ErrorKind::UnexpectedEof => "it ends too early; copy the archive again".to_owned(),
                    _ => format!("{e}; copy the archive again"),
                },
            },
        })
    })?;
    let content = scratch.path().to_owned();
    Ok(Some(Member { name, content, modified: modified.or(file.modified), scratch: Some(scratch), is_sheet: false }))
}

/// The sheets of a workbook, in its order.
fn sheets(file: &Member, folder: &Path, visit: &mut Visit) -> Result<(), IngestError> {
    let refuse = |visit: &mut Visit, error: IngestError| visit(Err((file.name.clone(), error.named(&file.name))));
    let mut book = match workbook::Book::open(&file.content) {
        Ok(book) => book,
        Err(error) => return refuse(visit, error),
    };
    for sheet in book.sheets() {
        let name = PathBuf::from(format!("{}!{sheet}", file.name.display()));
        let written = Scratch::create(folder).map_err(|e| IngestError::unreadable(folder, &e)).and_then(|(scratch, output)| {
            book.write(&sheet, &mut std::io::BufWriter::new(output))?;
            Ok(scratch)
        });
        match written {
            Ok(scratch) => {
                let content = scratch.path().to_owned();
                visit(Ok(Member { name, content, modified: file.modified, scratch: Some(scratch), is_sheet: true }))?;
            }
            Err(error) => visit(Err((name.clone(), error.named(&name))))?,
        }
    }
    Ok(())
}

/// Bytes of entries as an archive's directory states them, checked against the limits before a reader takes them all into memory.
pub(super) fn stated_size(path: &Path) -> Result<u64, IngestError> {
    let mut zip = archive(path)?;
    let mut sum = 0_u64;
    for at in 0..zip.len() {
        let entry = zip.by_index_raw(at).map_err(|e| damaged(path, &e))?;
        let limit = entry.compressed_size().saturating_mul(MAX_RATIO).max(FREE_BYTES);
        if entry.size() > limit {
            return Err(IngestError::TooLarge { path: path.to_owned(), bytes: limit, ratio: MAX_RATIO });
        }
        sum = sum.saturating_add(entry.size());
    }
    Ok(sum)
}

/// Starts a file again from its beginning.
pub(super) fn rewound(mut file: File) -> std::io::Result<File> {
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}
