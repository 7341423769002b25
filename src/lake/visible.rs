//! Which rows count: those of batches that stand in `core/batch`, written by the attempt that stands there.
//!
//! Two processes that ingest the same file name its rows alike, as the id of a batch is that of its content. Each writes files of its own, and
//! both may commit them to the core tables; but only one brings the batch into `core/batch`, and its attempt with it (see
//! `src/decisions/0016`). The files of the other are never seen, like those of a run that was killed.
//!
//! | a file's parts ([`super::part`]) | the file |
//! | --- | --- |
//! | none of them is visible | is left out |
//! | all are | counts |
//! | some are: the mapping of others was mended after they were merged, or their batch came in since this was read | is read without the rows of those ([`DataFile::hidden`]) |
//!
//! A merged file never holds a batch of two attempts, as only what was visible at one moment was merged. So a row's batch says whether it is
//! hidden in its file, while the same batch may be seen in another: it was ingested again when its mapping came back.
//!
//! Batches of lakes that were written before attempts were noted have none: then all their files count, as only one process wrote at a time.

use super::delta::{DataFile, Lake};
use super::part::Part;
use super::scan::FileTable;
use super::schema::Table;
use super::truth::TruthError;
use arrow::array::{Array, AsArray, RecordBatch};
use datafusion::prelude::SessionContext;
use std::collections::HashMap;
use std::sync::Arc;

/// The visible batches, each with its attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visible {
    attempts: HashMap<String, Option<String>>,
}

impl Visible {
    /// What is visible now.
    ///
    /// # Errors
    /// [`TruthError`] if the batch table cannot be read.
    pub async fn now(lake: &Lake) -> Result<Self, TruthError> {
        Self::at(lake, None).await
    }

    /// What was visible at a version of the batch table, or is at the newest.
    ///
    /// # Errors
    /// [`TruthError`] if it cannot be read.
    pub async fn at(lake: &Lake, version: Option<u64>) -> Result<Self, TruthError> {
        Self::of(lake, lake.files(Table::Batch, version).await?).await
    }

    /// What is visible while these are the files of the batch table.
    ///
    /// # Errors
    /// [`TruthError`] if they cannot be read.
    pub async fn of(lake: &Lake, batches: Vec<DataFile>) -> Result<Self, TruthError> {
        let frame = SessionContext::new().read_table(Arc::new(FileTable::new(lake, Table::Batch, batches)))?;
        let rows = frame.select_columns(&["batch_id", "attempt"])?.collect().await?;
        Ok(Self { attempts: rows.iter().flat_map(attempts).collect() })
    }

    /// The batches.
    pub fn batches(&self) -> impl Iterator<Item = &str> {
        self.attempts.keys().map(String::as_str)
    }

    /// Whether a batch is visible.
    #[must_use]
    pub fn has_batch(&self, batch_id: &str) -> bool {
        self.attempts.contains_key(batch_id)
    }

    /// Whether these rows are.
    #[must_use]
    pub fn has(&self, part: &Part) -> bool {
        let attempt = self.attempts.get(&part.batch_id);
        attempt.is_some_and(|attempt| attempt.as_ref().is_none_or(|attempt| *attempt == part.attempt))
    }

    /// Whether all rows of a file are, and it is known whose they are.
    #[must_use]
    pub fn has_all(&self, file: &DataFile) -> bool {
        !file.parts.is_empty() && file.parts.iter().all(|part| self.has(part))
    }

    /// Keeps the files, and of merged ones the parts, that are visible, and notes which batches of a file must not be seen.
    pub fn keep(&self, files: &mut Vec<DataFile>) {
        files.retain_mut(|file| {
            let (seen, hidden): (Vec<Part>, Vec<Part>) =
                std::mem::take(&mut file.parts).into_iter().partition(|part| self.has(part));
            file.parts = seen;
            file.hidden = hidden.into_iter().map(|part| part.batch_id).collect();
            !file.parts.is_empty()
        });
    }
}

fn attempts(rows: &RecordBatch) -> Vec<(String, Option<String>)> {
    let (ids, attempts) = (rows.column(0).as_string_view(), rows.column(1).as_string_view());
    (0..rows.num_rows())
        .map(|row| (ids.value(row).to_owned(), attempts.is_valid(row).then(|| attempts.value(row).to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn part(batch: &str, attempt: &str) -> Part {
        let (batch_id, attempt) = (batch.to_owned(), attempt.to_owned());
        Part { batch_id, attempt, period_start: None, recorded_at: None, is_invoiced: None }
    }

    fn visible() -> Visible {
        let attempts = [("new", Some("2")), ("old", None)].map(|(id, attempt)| (id.to_owned(), attempt.map(str::to_owned)));
        Visible { attempts: HashMap::from(attempts) }
    }

    #[test]
    fn of_a_batch_the_rows_of_its_attempt_count_and_all_where_none_is_noted() {
        let seen = [("new", "1"), ("new", "2"), ("new", ""), ("old", "1"), ("old", "2"), ("old", ""), ("none", "2")];
        let seen = seen.map(|(id, by)| visible().has(&part(id, by)));
        assert_eq!(seen, [false, true, false, true, true, true, false]);
    }

    #[test]
    fn what_is_not_visible_is_hidden_where_it_cannot_be_left_out_with_its_file() {
        let file = |parts: &[Part]| DataFile { parts: parts.to_vec(), ..DataFile::default() };
        let mut files = vec![
            file(&[part("old", "1"), part("gone", "1")]),
            file(&[part("unfinished", "1")]),
            file(&[part("new", "2")]),
            // The batch was withdrawn, and came back with another attempt: its rows here are not those that count.
            file(&[part("new", "1"), part("old", "2")]),
            file(&[]),
        ];
        visible().keep(&mut files);
        let left = |file: &DataFile| (file.parts.clone(), file.hidden.iter().map(String::as_str).collect::<Vec<_>>().join(" "));
        let expected = [(vec![part("old", "1")], "gone"), (vec![part("new", "2")], ""), (vec![part("old", "2")], "new")];
        assert_eq!(files.iter().map(left).collect::<Vec<_>>(), expected.map(|(parts, hidden)| (parts, hidden.to_owned())));
        assert_eq!(files[1].hidden, BTreeSet::new());
    }
}
