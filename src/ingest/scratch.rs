//! Files that exist only while they are read: an entry of an archive, a sheet of a workbook, a download.

use crate::lake::Lake;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Folder below the lake for such files. Only the process that holds the lake's lock writes there.
const FOLDER: &str = "incoming";

/// Where an ingest into `lake` keeps them: beside a lake in a folder, else in a folder of this process's own for temporary files.
#[must_use]
pub fn folder(lake: &Lake) -> PathBuf {
    if lake.is_shared() { OWN.clone() } else { lake.root().join(FOLDER) }
}

static OWN: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("shortfall-{}-{:016x}", std::process::id(), rand::random::<u64>())));

/// Removes what a run that was killed left behind.
pub fn clear(lake: &Lake) {
    // What cannot be removed does no harm: names are never used twice.
    let _ = std::fs::remove_dir_all(folder(lake));
}

/// A file that is removed when nobody needs it any more.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A new, empty file in a folder, open for writing.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(folder: &Path) -> std::io::Result<(Self, File)> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{:016x}.part", rand::random::<u64>()));
        let file = File::create_new(&path)?;
        Ok((Self { path }, file))
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
