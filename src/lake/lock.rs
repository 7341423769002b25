//! One writer at a time in a folder: an advisory lock on its `.lock`, which goes with the process however that ends.
//!
//! A process that this one starts meanwhile has the file open as well until it has become another program, and the lock is held for as long
//! as anybody has the file open. So it is given back by name when it is dropped, not by closing the file alone.

use super::delta::LakeError;
use std::fs::{File, TryLockError};
use std::path::Path;

/// The right to write; it ends when this is dropped.
#[derive(Debug)]
pub struct WriteLock {
    /// None where nothing is locked: in a store.
    file: Option<File>,
}

impl WriteLock {
    /// Where several write at a time, and the order of their commits decides.
    pub(super) fn of_store() -> Self {
        Self { file: None }
    }
}

impl Drop for WriteLock {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            // Where this fails, closing it does the same a moment later.
            let _ = file.unlock();
        }
    }
}

/// Takes a folder's lock; nothing if another process holds it.
///
/// # Errors
/// [`LakeError::Io`] if the lock file cannot be made.
pub(crate) fn lock(folder: &Path) -> Result<Option<WriteLock>, LakeError> {
    let path = folder.join(".lock");
    let file = File::create(&path).map_err(|e| LakeError::io("create", &path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(WriteLock { file: Some(file) })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(LakeError::io("lock", &path, e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_ends_with_its_holder_even_if_a_process_that_just_starts_has_the_file_open() {
        let folder = tempfile::tempdir().expect("a folder");
        let held = lock(folder.path()).expect("a file").expect("nobody holds it");
        let inherited = held.file.as_ref().expect("a file").try_clone().expect("the same open file");
        assert!(lock(folder.path()).expect("a file").is_none());
        drop(held);
        assert!(lock(folder.path()).expect("a file").is_some(), "still held");
        drop(inherited);
    }
}
