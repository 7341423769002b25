//! Every SQL file: those embedded in the binary, and those of the user's `--queries` folder, which add to or replace them.

use include_dir::{Dir, DirEntry, include_dir};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

static EMBEDDED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/queries");

/// A folder of queries that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("could not read the query `{}`: {detail}", path.display())]
pub struct CatalogError {
    path: PathBuf,
    detail: String,
}

/// SQL texts by path below `queries`, for example `signals/orphan_billing.sql`.
#[derive(Clone, Debug)]
pub struct Catalog {
    files: BTreeMap<String, Query>,
}

/// One SQL file.
#[derive(Clone, Debug)]
pub struct Query {
    /// Where it lies, for messages.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Catalog {
    /// The embedded files, and on top of them those below `folder`. A user's file that stands directly in `folder` is a signal.
    ///
    /// # Errors
    /// [`CatalogError`] if the folder or a file in it cannot be read as text.
    pub fn load(folder: Option<&Path>) -> Result<Self, CatalogError> {
        let mut files = BTreeMap::new();
        collect(&EMBEDDED, &mut files);
        if let Some(folder) = folder {
            let failed = |path: &Path, detail: &dyn ToString| CatalogError { path: path.to_owned(), detail: detail.to_string() };
            for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
                let entry = entry.map_err(|e| failed(folder, &e))?;
                let path = entry.path();
                if !entry.file_type().is_file() || path.extension().is_none_or(|e| e != "sql") {
                    continue;
                }
                let text = std::fs::read_to_string(path).map_err(|e| failed(path, &e))?;
                let below = path.strip_prefix(folder).unwrap_or(path).to_string_lossy().replace('\\', "/");
                let name = if below.contains('/') { below } else { format!("signals/{below}") };
                files.insert(name, Query { path: path.display().to_string(), text });
            }
        }
        Ok(Self { files })
    }

    /// The text of one file.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.files.get(name).map(|query| query.text.as_str())
    }

    /// The files in one folder, by name without folder and ending.
    pub fn folder<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a Query)> + 'a {
        self.files.iter().filter_map(move |(name, query)| {
            let name = name.strip_prefix(folder)?.strip_prefix('/')?.strip_suffix(".sql")?;
            Some((name, query))
        })
    }

    /// One hash over all names and texts, to tell which rules a run was made with.
    #[must_use]
    pub fn sha256(&self) -> String {
        use sha2::{Digest, Sha256};
        let mut hash = Sha256::new();
        for (name, query) in &self.files {
            hash.update(name.as_bytes());
            hash.update([0]);
            hash.update(query.text.as_bytes());
            hash.update([0]);
        }
        crate::lake::archive::hex(&hash.finalize())
    }
}

fn collect(dir: &Dir<'static>, files: &mut BTreeMap<String, Query>) {
    for entry in dir.entries() {
        match entry {
            DirEntry::Dir(inner) => collect(inner, files),
            DirEntry::File(file) => {
                let name = file.path().to_string_lossy().replace('\\', "/");
                if let (true, Some(text)) = (name.ends_with(".sql"), file.contents_utf8()) {
                    files.insert(name.clone(), Query { path: format!("queries/{name}"), text: text.to_owned() });
                }
            }
        }
    }
}
