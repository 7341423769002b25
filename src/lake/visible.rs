//! Which data files count: those of batches that stand in `core/batch`, written by the attempt that stands there.
//!
//! Two processes that ingest the same file name its rows alike, as the id of a batch is that of its content. Each writes files of its own, and
//! both may commit them to the core tables; but only one brings the batch into `core/batch`, and its attempt with it (see
//! `src/decisions/0016`). The files of the other are never seen, like those of a run that was killed.
//!
//! Batches of lakes that were written before attempts were noted have none: then all their files count, as only one process wrote at a time.

use super::delta::{DataFile, Lake};
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
        Self::of(lake, lake.files(Table::Batch, None).await?).await
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

    /// Whether a batch is visible.
    #[must_use]
    pub fn has_batch(&self, batch_id: &str) -> bool {
        self.attempts.contains_key(batch_id)
    }

    /// Whether the rows of a file are.
    #[must_use]
    pub fn has(&self, file: &DataFile) -> bool {
        let attempt = self.attempts.get(&file.batch_id);
        attempt.is_some_and(|attempt| attempt.as_ref().is_none_or(|attempt| *attempt == file.attempt))
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
    use std::collections::BTreeMap;

    #[test]
    fn of_a_batch_the_files_of_its_attempt_count_and_all_where_none_is_noted() {
        let file = |batch: &str, attempt: &str| DataFile {
            path: String::new(),
            size: 1,
            rows: 1,
            partition: BTreeMap::new(),
            batch_id: batch.to_owned(),
            attempt: attempt.to_owned(),
            period_start: None,
            recorded_at: None,
            is_stated: false,
            is_invoiced: None,
        };
        let attempts = [("new", Some("2")), ("old", None)].map(|(id, attempt)| (id.to_owned(), attempt.map(str::to_owned)));
        let visible = Visible { attempts: HashMap::from(attempts) };
        let seen =
            [("new", "1"), ("new", "2"), ("old", "1"), ("old", "2"), ("none", "2")].map(|(id, by)| visible.has(&file(id, by)));
        assert_eq!(seen, [false, true, true, true, false]);
    }
}
