//! What becomes of a workbook as a whole: one with an export in it may have other sheets; one without any is refused as a whole.

use super::IngestError;
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

/// Outcomes of members, in which those of sheets that are no export are settled. `settled` makes an outcome: of a sheet that is passed
/// over, or of a workbook that is refused.
pub(super) fn settled<T>(
    outcomes: Vec<(PathBuf, T)>,
    sheets: &HashSet<PathBuf>,
    is_foreign: impl Fn(&T) -> bool,
    settle: impl Fn(Option<IngestError>) -> T,
) -> Vec<(PathBuf, T)> {
    let book_of = |name: &PathBuf| -> Option<(PathBuf, String)> {
        let text = name.to_string_lossy();
        let (book, sheet) = text.rsplit_once('!')?;
        sheets.contains(name).then(|| (PathBuf::from(book), sheet.to_owned()))
    };
    let mut books: BTreeMap<PathBuf, (bool, Vec<String>)> = BTreeMap::new();
    for (name, outcome) in &outcomes {
        if let Some((book, sheet)) = book_of(name) {
            let (has_export, names) = books.entry(book).or_default();
            *has_export |= !is_foreign(outcome);
            names.push(sheet);
        }
    }
    let mut settled = Vec::with_capacity(outcomes.len());
    for (name, outcome) in outcomes {
        let book = book_of(&name).filter(|_| is_foreign(&outcome));
        match book.and_then(|(book, _)| books.get(&book).map(|(has_export, names)| (book, *has_export, names.clone()))) {
            Some((_, true, _)) => settled.push((name, settle(None))),
            Some((book, false, names)) if names.len() > 1 => {
                if settled.last().is_none_or(|(last, _): &(PathBuf, T)| *last != book) {
                    let sheets = names.join(", ");
                    settled.push((book.clone(), settle(Some(IngestError::NoKnownSheet { path: book, sheets }))));
                }
            }
            _ => settled.push((name, outcome)),
        }
    }
    settled
}
