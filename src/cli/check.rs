//! `shortfall check`.

use super::{Context, Exit, Failure, LakeArgument, OutputFormat, render};
use crate::check::{Depth, Health, check};
use crate::lake::Lake;
use indicatif::HumanBytes;
use serde_json::json;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    lake: LakeArgument,
    /// Decode every row of every data file too, instead of their footers only.
    #[arg(long)]
    rows: bool,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let lake = Lake::open(&arguments.lake.lake)?;
    let health = check(&lake, Depth { rows: arguments.rows }, context.runtime.handle());
    if context.output == OutputFormat::Json {
        render::document(&json!(health));
    } else {
        print(&health);
    }
    Ok(if health.faults.is_empty() { Exit::Done } else { Exit::Damaged })
}

fn print(health: &Health) {
    let rows: Vec<Vec<String>> = health
        .tables
        .iter()
        .map(|table| {
            vec![table.table.clone(), table.files.to_string(), table.rows.to_string(), HumanBytes(table.bytes).to_string()]
        })
        .collect();
    render::table(&["table", "files", "rows", "size"], &rows, &[1, 2, 3]);
    let Health { batches, rows_in, rows_accepted, rows_rejected, originals, .. } = health;
    render::lines(&format!(
        "{batches} files ingested: {rows_in} rows = {rows_accepted} accepted + {rows_rejected} rejected; {originals} originals as they came"
    ));
    for left in &health.leftovers {
        render::lines(&format!(
            "{} files ({}) in {} that nothing names: left by a run that was stopped, or merged by `optimize`, which removes them in time",
            left.files,
            HumanBytes(left.bytes),
            left.place
        ));
    }
    if health.faults.is_empty() {
        render::lines("the lake is whole");
        return;
    }
    let rows: Vec<Vec<String>> = health.faults.iter().map(|fault| vec![fault.place.clone(), fault.what.clone()]).collect();
    render::table(&["what is damaged", "how"], &rows, &[]);
}
