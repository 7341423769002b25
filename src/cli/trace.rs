//! `shortfall trace`.

use super::{Context, Exit, Failure, LakeArgument, OutputFormat, render};
use crate::ingest::trace::{Trace, TracedRow, trace};
use crate::lake::Lake;
use serde_json::{Map, Value, json};

#[derive(Debug, clap::Args)]
#[command(after_help = "`batch_id` and `source_row` stand in every row of `core.*`; `shortfall explain` prints them too:\n  \
                        shortfall sql --lake DIR \"SELECT batch_id, source_row FROM core.invoice_line WHERE line_id = 'il_1'\"\n  \
                        shortfall trace --lake DIR 3f2a 17")]
pub(super) struct Arguments {
    #[command(flatten)]
    lake: LakeArgument,
    /// `batch_id` of a row, or its beginning; or the end of the file's path.
    #[arg(value_name = "BATCH_ID")]
    batch: String,
    /// `source_row` of it; several are shown one after the other. The header of a CSV is row 1.
    #[arg(required = true, value_name = "ROW", value_parser = clap::value_parser!(u64).range(1..))]
    rows: Vec<u64>,
    /// Show the whole record too, where a row is one line of it.
    #[arg(long)]
    record: bool,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let lake = Lake::open(&arguments.lake.lake)?;
    let traced = trace(&lake, &arguments.batch, &arguments.rows, arguments.record);
    print(context, &context.runtime.block_on(traced)?);
    Ok(Exit::Done)
}

fn print(context: &Context, trace: &Trace) {
    let known = trace.recorded_at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let known = known.strip_suffix("T00:00:00Z").unwrap_or(&known);
    let known_by = if trace.is_date_stated { "the date in its name, or --recorded-at" } else { "its modification time" };
    if context.output == OutputFormat::Json {
        let rows: Vec<Value> = trace.rows.iter().map(row_json).collect();
        render::document(&json!({
            "batch_id": trace.batch_id, "file": trace.file, "sha256": trace.sha256, "system": trace.system, "export": trace.entity,
            "recorded_at": known, "recorded_by": known_by, "rows": rows,
        }));
        return;
    }
    render::lines(&format!("{}  ({} {})", trace.file, trace.system, trace.entity));
    render::lines(&format!("batch {}, sha256 {}", trace.batch_id, trace.sha256));
    render::lines(&format!("known since {known}, by {known_by}"));
    for row in &trace.rows {
        render::lines(&format!("\nrow {}\n  {}", row.row, row.line.replace('\n', "\n  ")));
        if let Some(record) = &row.record {
            render::lines(&format!("of the record\n  {record}"));
        }
        if let Some([column, value, reason]) = &row.reject {
            let place = if column.is_empty() { String::new() } else { format!(" {column}") };
            render::lines(&format!("rejected:{place} {value:?}: {reason}"));
        }
        for (table, cells) in &row.became {
            let cells: Vec<String> = cells.iter().map(|(name, value)| format!("{name}={value}")).collect();
            render::lines(&format!("{}.{}\n  {}", table.area(), table.name(), cells.join(", ")));
        }
        if row.reject.is_none() && row.became.is_empty() {
            render::lines("repeats the header: no row of the export");
        }
    }
}

fn row_json(row: &TracedRow) -> Value {
    let became: Vec<Value> = row
        .became
        .iter()
        .map(|(table, cells)| {
            let cells: Map<String, Value> = cells.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
            json!({ "table": format!("{}.{}", table.area(), table.name()), "row": cells })
        })
        .collect();
    let reject = row.reject.as_ref().map(|[column, value, reason]| json!({ "column": column, "value": value, "reason": reason }));
    json!({ "row": row.row, "line": row.line, "record": row.record, "became": became, "reject": reject })
}
