//! Which files a person means: files, folders and everything below them, patterns with `*`, in a fixed order.

use super::member::is_junk;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// A path that names nothing.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is no file, folder or pattern that matches one", path.display())]
pub struct NothingThere {
    path: PathBuf,
}

/// The files behind the arguments, each once, sorted within each argument. Hidden files and what desktops leave behind are left out.
///
/// # Errors
/// [`NothingThere`] for an argument without a single file.
pub fn files(arguments: &[PathBuf]) -> Result<Vec<PathBuf>, NothingThere> {
    let mut found: Vec<PathBuf> = Vec::new();
    for argument in arguments {
        let mut here: Vec<PathBuf> =
            if argument.exists() { walk(argument) } else { matches(argument).iter().flat_map(|path| walk(path)).collect() };
        if here.is_empty() && !argument.is_dir() {
            return Err(NothingThere { path: argument.clone() });
        }
        here.sort();
        here.retain(|path| !found.contains(path));
        found.append(&mut here);
    }
    Ok(found)
}

/// The files that do not belong to the lake itself: it may lie in the folder that is ingested.
#[must_use]
pub fn outside(files: Vec<PathBuf>, lake: &Path) -> Vec<PathBuf> {
    let Ok(lake) = lake.canonicalize() else { return files };
    files.into_iter().filter(|file| !file.canonicalize().is_ok_and(|file| file.starts_with(&lake))).collect()
}

fn walk(path: &Path) -> Vec<PathBuf> {
    let is_hidden = |entry: &walkdir::DirEntry| entry.depth() > 0 && is_junk(&entry.file_name().to_string_lossy());
    WalkDir::new(path)
        .follow_links(true)
        .into_iter()
        .filter_entry(|entry| !is_hidden(entry))
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect()
}

/// What a pattern matches; a malformed pattern matches nothing.
fn matches(pattern: &Path) -> Vec<PathBuf> {
    glob::glob(&pattern.to_string_lossy()).map(|paths| paths.filter_map(Result::ok).collect()).unwrap_or_default()
}
