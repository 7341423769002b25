//! Why a file changed: which run restated its period, and which ingested files speak of that month.

use super::error::ExportError;
use super::manifest::{Change, ChangeKind, State};
use crate::bi::StarError;
use crate::findings::marts::Run;
use crate::lake::truth::TruthError;
use crate::lake::visible::Visible;
use crate::lake::{Lake, Table};
use crate::month::{Month, Quarter};
use crate::query::text_literal;
use arrow::array::{Array as _, AsArray as _};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::DataFusionError;
use datafusion::prelude::SessionContext;
use std::collections::{BTreeMap, BTreeSet};

/// Files that a reason names; the others are counted.
const NAMED: usize = 5;

/// What led to the changes of one export.
pub(super) struct Reasons<'a> {
    runs: &'a [Run],
    before: Option<&'a State>,
    /// Files that arrived since the last export, by month of their rows; of no month: contracts, crosswalks, registers.
    files: BTreeMap<Option<Month>, BTreeSet<String>>,
}

impl<'a> Reasons<'a> {
    pub(super) async fn new(
        ctx: &SessionContext,
        lake: &Lake,
        before: Option<&'a State>,
        runs: &'a [Run],
    ) -> Result<Self, ExportError> {
        let files = match before {
            Some(before) => arrived(ctx, lake, before, runs).await?,
            None => BTreeMap::new(),
        };
        Ok(Self { runs, before, files })
    }

    /// The run that a change's rows come from, and what led to it.
    pub(super) fn of(&self, change: &Change) -> (String, String) {
        let of_quarter = change.period.filter(|_| change.table != "fact_monthly").map(|month| Quarter::of(month).to_string());
        let run = of_quarter.and_then(|quarter| self.runs.iter().find(|run| run.quarter == quarter)).or_else(|| self.runs.last());
        let Some(run) = run else { return (String::new(), String::new()) };
        let why = match (self.before, change.kind) {
            (None, _) => "first export".to_owned(),
            (_, ChangeKind::Repaired) => "the file was missing or had been altered".to_owned(),
            (Some(before), _) => self.since(before, change.period, run),
        };
        (run.run_id.clone(), why)
    }

    fn since(&self, before: &State, period: Option<Month>, run: &Run) -> String {
        let mut why = Vec::new();
        match before.runs.get(&run.quarter) {
            None => why.push(format!("first analysis of {}", run.quarter)),
            Some(known) if *known != run.run_id => why.push(format!("new analysis of {}", run.quarter)),
            Some(_) => {}
        }
        let arrived = period.and_then(|month| self.files.get(&Some(month))).or_else(|| self.files.get(&None));
        why.extend(arrived.map(|files| format!("files: {}", some_of(files))));
        if before.engine_version != env!("CARGO_PKG_VERSION") {
            why.push(format!("Shortfall {} instead of {}", env!("CARGO_PKG_VERSION"), before.engine_version));
        }
        if why.is_empty() {
            why.push("crosswalks, mutes or settings changed".to_owned());
        }
        why.join("; ")
    }
}

fn some_of(files: &BTreeSet<String>) -> String {
    let named: Vec<&str> = files.iter().take(NAMED).map(String::as_str).collect();
    match files.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// Files that the newest run knew and the last export's did not, by month.
async fn arrived(
    ctx: &SessionContext,
    lake: &Lake,
    before: &State,
    runs: &[Run],
) -> Result<BTreeMap<Option<Month>, BTreeSet<String>>, ExportError> {
    let version = |versions: &BTreeMap<String, u64>| versions.get(Table::Batch.name()).copied();
    let now = runs.last().and_then(|run| version(&run.core_versions));
    let (Some(then), Some(now)) = (version(&before.core_versions), now) else { return Ok(BTreeMap::new()) };
    let known = Visible::at(lake, Some(then)).await.map_err(StarError::from)?;
    let new = Visible::at(lake, Some(now)).await.map_err(StarError::from)?;
    let new: Vec<String> = new.batches().filter(|batch| !known.has_batch(batch)).map(text_literal).collect();
    let mut files: BTreeMap<Option<Month>, BTreeSet<String>> = BTreeMap::new();
    if new.is_empty() {
        return Ok(files);
    }
    let new = new.join(", ");
    let sql = format!(
        "WITH spoken AS (
           SELECT batch_id, to_char(period_start, '%Y-%m') AS month FROM core_history.vendor_usage WHERE batch_id IN ({new})
           UNION SELECT batch_id, to_char(period_start, '%Y-%m') FROM core_history.invoice_line WHERE batch_id IN ({new}))
         SELECT batch.file, spoken.month FROM core.batch AS batch LEFT JOIN spoken ON batch.batch_id = spoken.batch_id
         WHERE batch.batch_id IN ({new})"
    );
    let engine = |e: DataFusionError| StarError::from(TruthError::Engine(e));
    for rows in ctx.sql(&sql).await.map_err(engine)?.collect().await.map_err(engine)? {
        let text = |at: usize| cast(rows.column(at), &DataType::Utf8).map_err(|e| engine(e.into()));
        let (names, months) = (text(0)?, text(1)?);
        let (names, months) = (names.as_string::<i32>(), months.as_string::<i32>());
        for row in 0..rows.num_rows() {
            let month = if months.is_valid(row) { months.value(row).parse().ok() } else { None };
            files.entry(month).or_default().insert(names.value(row).to_owned());
        }
    }
    Ok(files)
}
