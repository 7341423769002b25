//! What landed, by export and service month, or by export where that would be a long list.

use super::render;
use crate::ingest::Batch;
use crate::month::Month;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Lines of months that the summary shows before it folds them into one for each export.
const MOST_LINES: usize = 24;

/// Files and rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    files: u64,
    accepted: u64,
    rejected: u64,
}

impl Counts {
    fn add(&mut self, accepted: u64, rejected: u64) {
        self.files += 1;
        self.accepted += accepted;
        self.rejected += rejected;
    }

    fn document(self) -> [(&'static str, Value); 4] {
        let Self { files, accepted, rejected } = self;
        [
            ("files", files.into()),
            ("rows_in", (accepted + rejected).into()),
            ("rows_accepted", accepted.into()),
            ("rows_rejected", rejected.into()),
        ]
    }

    fn cells(self) -> [String; 4] {
        let Self { files, accepted, rejected } = self;
        [files, accepted + rejected, accepted, rejected].map(|count| count.to_string())
    }
}

type Export = (&'static str, &'static str);

/// What landed.
#[derive(Debug, Default)]
pub(super) struct Landed {
    exports: BTreeMap<Export, Counts>,
    /// `None` for rows without a service month, and for rejected rows that could be of several.
    months: BTreeMap<(Export, Option<Month>), Counts>,
    has_months: bool,
}

impl Landed {
    /// Counts one file. A row that was rejected has no month of its own: it counts to that of its file, if all others are of one.
    pub(super) fn take(&mut self, batch: &Batch) {
        let export = (batch.system, batch.entity);
        self.has_months |= batch.months.is_some();
        self.exports.entry(export).or_default().add(batch.rows_accepted, batch.rows_rejected);
        let spoken = batch.months.iter().flat_map(crate::ingest::calendar::Calendar::months);
        let months: Vec<(Month, u64)> = spoken.filter(|(_, of)| of.rows > 0).map(|(month, of)| (month, of.rows)).collect();
        let undated = batch.rows_accepted - months.iter().map(|(_, rows)| rows).sum::<u64>().min(batch.rows_accepted);
        let is_of_one = months.len() == 1 && undated == 0;
        for (month, rows) in &months {
            let rejected = if is_of_one { batch.rows_rejected } else { 0 };
            self.months.entry((export, Some(*month))).or_default().add(*rows, rejected);
        }
        if months.is_empty() || undated > 0 || (batch.rows_rejected > 0 && !is_of_one) {
            self.months.entry((export, None)).or_default().add(undated, batch.rows_rejected);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.exports.is_empty()
    }

    /// The exports of which something landed.
    pub(super) fn exports(&self) -> impl Iterator<Item = Export> {
        self.exports.keys().copied()
    }

    /// Whether an export landed whose rows have service months.
    pub(super) fn has_months(&self) -> bool {
        self.has_months
    }

    pub(super) fn document(&self) -> Value {
        let lines = self.exports.iter().map(|((system, entity), counts)| {
            let own = [("system", json!(system)), ("entity", json!(entity))];
            own.into_iter().chain(counts.document()).map(|(name, value)| (name.to_owned(), value)).collect::<Value>()
        });
        lines.collect()
    }

    pub(super) fn months_document(&self) -> Value {
        let lines = self.months.iter().map(|(((system, entity), month), counts)| {
            let month = month.map(|month| month.to_string());
            let own = [("system", json!(system)), ("entity", json!(entity)), ("month", json!(month))];
            own.into_iter().chain(counts.document()).map(|(name, value)| (name.to_owned(), value)).collect::<Value>()
        });
        lines.collect()
    }

    /// A line for each export and month; for each export alone where that would be long, unless `all` are wanted.
    pub(super) fn print(&self, all: bool) {
        if all || self.months.len() <= MOST_LINES {
            let line = |(((system, entity), month), counts): (&(Export, Option<Month>), &Counts)| {
                let month = month.map_or_else(|| "-".to_owned(), |month| month.to_string());
                [(*system).to_owned(), (*entity).to_owned(), month].into_iter().chain(counts.cells()).collect()
            };
            let rows: Vec<Vec<String>> = self.months.iter().map(line).collect();
            render::table(&["system", "export", "month", "files", "rows in", "accepted", "rejected"], &rows, &[3, 4, 5, 6]);
            return;
        }
        let line = |(export, counts): (&Export, &Counts)| {
            let months = || self.months.keys().filter(|(of, _)| of == export).filter_map(|(_, month)| *month);
            let text = |month: Option<Month>| month.map_or_else(|| "-".to_owned(), |month| month.to_string());
            let own = [export.0.to_owned(), export.1.to_owned(), text(months().min()), text(months().max())];
            own.into_iter().chain(counts.cells()).collect()
        };
        let rows: Vec<Vec<String>> = self.exports.iter().map(line).collect();
        render::table(&["system", "export", "from", "to", "files", "rows in", "accepted", "rejected"], &rows, &[4, 5, 6, 7]);
        render::note(
            "hint: `--by-month` prints a line for each month; `core.source_month` in SQL has those of all that was ingested",
        );
    }
}
