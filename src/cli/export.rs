//! `shortfall export`.

use super::progress::Counter;
use super::{Context, Exit, Failure, LakeArgument, OutputFormat, render};
use crate::bi::{CALENDAR_YEAR, StarError};
use crate::export::{Change, ExportError, Request, export_in_steps};
use crate::lake::Lake;
use chrono::{DateTime, Utc};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    lake: LakeArgument,
    /// Folder to write to: a new one, or that of an earlier export, of which only what changed is written again.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Month in which the fiscal year begins.
    #[arg(long, value_name = "MONTH", default_value_t = CALENDAR_YEAR, env = "SHORTFALL_FISCAL_YEAR_START", value_parser = clap::value_parser!(u32).range(1..=12))]
    fiscal_year_start: u32,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let lake = Lake::open(&arguments.lake.lake)?;
    let request =
        Request { folder: arguments.out.clone(), fiscal_start: arguments.fiscal_year_start, threads: context.threads, at: now() };
    let counter = Counter::new("exporting");
    let exported = context.runtime.block_on(export_in_steps(&lake, &request, &counter))?;
    drop(counter);
    if context.output == OutputFormat::Json {
        render::document(&json!({
            "out": arguments.out,
            "files": exported.files,
            "rows": exported.rows,
            "changes": exported.changes,
        }));
        return Ok(Exit::Done);
    }
    changes(&exported.changes);
    let changed = match exported.changes.len() {
        0 => "nothing changed".to_owned(),
        1 => "1 file changed".to_owned(),
        many => format!("{many} files changed"),
    };
    let out = arguments.out.display();
    render::lines(&format!("{out}: {} files, {} rows; {changed}", exported.files, exported.rows));
    render::lines(&format!(
        "next: {out}/power_bi/Shortfall.pbip in Power BI Desktop, {out}/dictionary.md for every table and column"
    ));
    Ok(Exit::Done)
}

#[expect(clippy::disallowed_methods, reason = "the manifest says when each export was made; no row depends on it")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

/// One line per table, kind and reason: a first export has hundreds of files.
fn changes(changes: &[Change]) {
    let mut groups: BTreeMap<(&str, &str, &str), Vec<&Change>> = BTreeMap::new();
    for change in changes {
        groups.entry((&change.table, change.kind.as_str(), &change.why)).or_default().push(change);
    }
    let row = |((table, kind, why), files): (&(&str, &str, &str), &Vec<&Change>)| {
        let periods: Vec<String> = files.iter().filter_map(|change| change.period).map(|month| month.to_string()).collect();
        let periods = match (periods.first(), periods.last()) {
            (Some(first), Some(last)) if periods.len() > 1 => format!("{first} to {last}"),
            (Some(only), _) => only.clone(),
            _ => String::new(),
        };
        let rows: u64 = files.iter().filter_map(|change| change.rows_after).sum();
        vec![(*table).to_owned(), (*kind).to_owned(), periods, files.len().to_string(), rows.to_string(), (*why).to_owned()]
    };
    let rows: Vec<Vec<String>> = groups.iter().map(row).collect();
    if !rows.is_empty() {
        render::table(&["table", "change", "periods", "files", "rows", "why"], &rows, &[3, 4]);
    }
}

impl From<StarError> for Failure {
    fn from(error: StarError) -> Self {
        match error {
            StarError::Query(error) => error.into(),
            StarError::Catalog(error) => error.into(),
            StarError::Truth(error) => error.into(),
            StarError::Findings(error) => error.into(),
        }
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::NothingAnalysed => {
                Self::usage(error.to_string()).hint("`shortfall analyze --lake DIR --quarter 2026Q3` does it")
            }
            ExportError::NotAnExport { .. } => Self::usage(error.to_string()).hint("name a new folder"),
            ExportError::Damaged { .. } => Self::usage(error.to_string()).hint("remove the folder and export again"),
            ExportError::Busy { .. } => Self::environment(error.to_string()).hint("try again when it has ended"),
            ExportError::Star(error) => error.into(),
            error => Self::environment(error.to_string()),
        }
    }
}
