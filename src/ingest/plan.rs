//! Which files a person means: files, folders and everything below them, patterns with `*`, in a fixed order.

use super::member::is_junk;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// A path that names nothing.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is no file, folder or pattern that matches one", path.display())]
pub struct NothingThere {
    path: PathBuf,
}

/// The files behind the arguments, each once, sorted within each argument. Hidden files and what desktops leave behind are left out;
/// a folder that cannot be opened and a link that leads nowhere stand for themselves.
///
/// # Errors
/// [`NothingThere`] for an argument without a single file.
pub fn files(arguments: &[PathBuf]) -> Result<Vec<PathBuf>, NothingThere> {
    let (mut found, mut known) = (Vec::new(), HashSet::new());
    for argument in arguments {
        let mut here: Vec<PathBuf> =
            if argument.exists() { walk(argument) } else { matches(argument).iter().flat_map(|path| walk(path)).collect() };
        if here.is_empty() && !argument.is_dir() {
            return Err(NothingThere { path: argument.clone() });
        }
        here.sort();
        here.retain(|path| known.insert(path.clone()));
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
    let entries = WalkDir::new(path).follow_links(true).into_iter().filter_entry(|entry| !is_hidden(entry));
    let found = entries.filter_map(|entry| match entry {
        Ok(entry) => entry.file_type().is_file().then(|| entry.into_path()),
        // A link to a folder above it holds nothing new. Whatever else cannot be read stays among the files, so that it is said.
        Err(error) if error.loop_ancestor().is_some() => None,
        Err(error) => error.path().map(Path::to_owned),
    });
    found.collect()
}

/// What a pattern matches; a malformed pattern matches nothing.
fn matches(pattern: &Path) -> Vec<PathBuf> {
    glob::glob(&pattern.to_string_lossy()).map(|paths| paths.filter_map(Result::ok).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_once_and_a_link_to_nowhere_is_not_lost() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("below")).expect("a folder");
        std::fs::write(path("below/a.csv"), "a").expect("a file");
        std::fs::write(path(".hidden.csv"), "a").expect("a file");
        std::os::unix::fs::symlink(path("nowhere"), path("gone.csv")).expect("a link");
        std::os::unix::fs::symlink(folder.path(), path("below/above")).expect("a link");
        let found = files(&[folder.path().to_owned(), path("below/a.csv")]).expect("files");
        assert_eq!(found, [path("below/a.csv"), path("gone.csv")]);
    }
}
