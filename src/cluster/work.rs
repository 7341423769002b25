//! Folders that last as long as a process: facts that all executors read, what an executor shuffles.
//!
//! Each holds a lock that goes with its process, however that ends, so that the next to start removes what a killed one left, and nothing of
//! one that is at work.

use super::ClusterError;
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The lock inside a folder, and the one of all folders beside each other.
const LOCK: &str = ".lock";

/// A folder of this process; it is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Work {
    folder: PathBuf,
    lock: Option<File>,
}

impl Work {
    /// A new folder in `parent`, which is made if need be. Folders there that nobody uses any more are removed.
    ///
    /// # Errors
    /// [`ClusterError::Folder`] if it cannot be made or locked.
    pub(super) fn new(parent: &Path) -> Result<Self, ClusterError> {
        let failed = |action: &'static str, path: &Path, e: std::io::Error| ClusterError::Folder {
            action,
            path: path.to_owned(),
            detail: e.to_string(),
        };
        std::fs::create_dir_all(parent).map_err(|e| failed("create", parent, e))?;
        // Between the making of a folder and its lock nobody may take it for one that was left.
        let of_all = parent.join(LOCK);
        let lock = File::create(&of_all).map_err(|e| failed("create", &of_all, e))?;
        lock.lock().map_err(|e| failed("lock", &of_all, e))?;
        remove_left(parent);
        let folder = parent.join(format!("{:016x}", rand::random::<u64>()));
        std::fs::create_dir(&folder).map_err(|e| failed("create", &folder, e))?;
        let path = folder.join(LOCK);
        let own = File::create(&path).map_err(|e| failed("create", &path, e))?;
        own.lock().map_err(|e| failed("lock", &path, e))?;
        Ok(Self { folder, lock: Some(own) })
    }

    /// Where it is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // NFS keeps a file that somebody has open, under another name in the same folder.
        drop(self.lock.take());
        // What cannot be removed now is removed by the next.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Removes folders whose processes have ended.
fn remove_left(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for folder in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
        // On NFS only a file that is open for writing can be locked.
        let is_left = match OpenOptions::new().read(true).write(true).open(folder.join(LOCK)) {
            Ok(lock) => lock.try_lock().is_ok(),
            // Removed by halves: nobody is between making a folder and its lock now.
            Err(error) => error.kind() == ErrorKind::NotFound,
        };
        if is_left {
            let _ = std::fs::remove_dir_all(&folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_goes_and_what_is_in_use_stays() {
        let parent = tempfile::tempdir().expect("a folder");
        let (left, used) = (parent.path().join("left"), Work::new(parent.path()).expect("a folder"));
        std::fs::create_dir(&left).expect("a folder");
        std::fs::write(left.join(LOCK), "").expect("a file");
        let by_halves = parent.path().join("by halves");
        std::fs::create_dir_all(by_halves.join("facts")).expect("a folder");
        let next = Work::new(parent.path()).expect("a folder");
        assert!(!left.exists() && !by_halves.exists() && used.folder().is_dir() && next.folder().is_dir());
        let folder = used.folder().to_owned();
        drop(used);
        assert!(!folder.exists());
    }
}
