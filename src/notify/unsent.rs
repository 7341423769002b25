//! What a receiver may not have heard of: kept in the lake from before an analysis until its delivery, so that neither a failed delivery
//! nor a stop between commit and delivery loses an alert.
//!
//! One small file per receiver, `.unsent/<hash of the URL>`: the number of the newest run that it was in step with. While it stands, the next
//! analysis that tells this receiver compares with runs up to that number only.

use super::target::Target;
use crate::lake::Lake;
use std::io;
use std::path::{Path, PathBuf};

/// The mark of one receiver.
#[derive(Debug)]
pub struct Unsent {
    path: PathBuf,
    is_new: bool,
    /// Number of the newest run that counts as told.
    pub until: usize,
}

impl Unsent {
    /// Sets the mark to `newest`, the number of the newest run, or keeps an older one.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn mark(lake: &Lake, target: &Target, newest: usize) -> io::Result<Self> {
        let folder = lake.root().join(".unsent");
        let path = folder.join(target.fingerprint());
        match std::fs::read_to_string(&path) {
            // A text that is no number tells more than needed, never less.
            Ok(text) => Ok(Self { path, is_new: false, until: text.trim().parse().unwrap_or(0).min(newest) }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                std::fs::create_dir_all(&folder)?;
                write(&path, newest)?;
                Ok(Self { path, is_new: true, until: newest })
            }
            Err(e) => Err(e),
        }
    }

    /// The receiver is in step.
    ///
    /// # Errors
    /// If the file cannot be removed.
    pub fn told(self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }

    /// Nothing was analysed: an older mark stands, this one goes.
    pub fn forget(self) {
        if self.is_new {
            // One that stays makes the next alert say more, not less.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Whole or not at all.
fn write(path: &Path, number: usize) -> io::Result<()> {
    let beside = path.with_extension("part");
    std::fs::write(&beside, number.to_string())?;
    std::fs::rename(beside, path)
}
