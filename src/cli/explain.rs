//! `shortfall explain`.

use super::findings::text_row;
use super::{Context, Exit, Failure, LakeArgument, OutputFormat, findings, render};
use crate::findings::Basis;
use crate::findings::explain::{Explanation, FIGURES, explain};
use crate::findings::marts;
use crate::findings::pack::pack;
use crate::lake::Lake;
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    lake: LakeArgument,
    /// Id of a finding, or its beginning.
    finding_id: String,
    /// Write the rows behind it, and the SQL by which DuckDB computes each figure of its sentence again, into this folder.
    #[arg(long, value_name = "DIR")]
    pack: Option<PathBuf>,
    /// Folder with queries that the analysis was made with, for `--pack`.
    #[arg(long, value_name = "DIR", requires = "pack")]
    queries: Option<PathBuf>,
}

/// Characters of an original line that are shown on a terminal.
const LINE_WIDTH: usize = 400;

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let lake = Lake::open(&arguments.lake.lake)?;
    let runs = context.runtime.block_on(marts::runs(&lake))?;
    for run in runs.iter().rev() {
        let found = context.runtime.block_on(explain(&lake, run, &arguments.finding_id, context.threads))?;
        if let Some(explanation) = found {
            if let Some(folder) = &arguments.pack {
                let id = &explanation.finding.finding_id;
                let queries = arguments.queries.as_deref();
                context.runtime.block_on(pack(&lake, run, id, folder, queries, context.threads))?;
                render::note(&format!(
                    "evidence: {0}; in that folder, `duckdb -c \".read recompute.sql\"` computes the figures again",
                    folder.display()
                ));
            }
            print(context, &explanation);
            return Ok(Exit::Done);
        }
    }
    Err(Failure::usage(format!("there is no finding `{}`", arguments.finding_id)).hint("`shortfall findings` lists them"))
}

fn print(context: &Context, explanation: &Explanation) {
    let finding = &explanation.finding;
    if context.output == OutputFormat::Json {
        let fields: serde_json::Map<String, serde_json::Value> =
            findings::COLUMNS.iter().zip(text_row(finding)).map(|(name, cell)| ((*name).to_owned(), cell.into())).collect();
        let months: Vec<_> = explanation
            .months
            .iter()
            .map(|m| {
                let figures: serde_json::Map<String, serde_json::Value> = m
                    .figures
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), json!(value.map(|v| v.normalize().to_string()))))
                    .collect();
                json!({ "month": m.month.to_string(), "counted": m.counted.normalize().to_string(),
                        "corroborates": m.corroborates.normalize().to_string(), "figures": figures })
            })
            .collect();
        let rows: Vec<_> = explanation
            .rows
            .iter()
            .map(|r| json!({ "kind": r.kind, "file": r.file, "batch_id": r.batch_id, "row": r.source_row, "line": r.line }))
            .collect();
        let causes: Vec<_> = explanation
            .causes
            .iter()
            .map(|(cause, row)| {
                let figure = |value: Option<rust_decimal::Decimal>| json!(value.map(|v| v.to_string()));
                json!({ "event": cause.event, "happened_on": cause.happened_on.to_string(), "before": figure(cause.before),
                        "after": figure(cause.after), "detail": cause.detail, "system": cause.system, "source": cause.source,
                        "file": row.as_ref().map(|r| &r.file), "batch_id": row.as_ref().map(|r| &r.batch_id),
                        "row": row.as_ref().map(|r| r.source_row), "line": row.as_ref().map(|r| &r.line) })
            })
            .collect();
        render::document(&json!({ "finding": fields, "causes": causes, "months": months, "source_rows": rows,
                                  "row_counts": explanation.row_counts }));
        return;
    }
    let money = if finding.basis == Basis::Overbilling { finding.overbilled } else { finding.leakage };
    render::lines(&format!(
        "{}  {}  {} {} ({})",
        finding.finding_id,
        finding.signal,
        money,
        finding.currency,
        finding.basis.as_str()
    ));
    render::sentence(&finding.explanation);
    for (cause, row) in &explanation.causes {
        render::sentence(&format!("{} {}", if cause.rank == 1 { "what happened then:" } else { "  also:" }, cause.detail));
        if let Some(row) = row {
            let line: String = row.line.chars().take(LINE_WIDTH).collect();
            render::lines(&format!("    {} row {} (batch {})\n    {line}", row.file, row.source_row, row.batch_id));
        }
    }
    if let (Some(p), Some(q), Some(slope)) = (finding.p_value, finding.q_value, finding.slope) {
        let (low, high) = (finding.slope_low.unwrap_or(slope), finding.slope_high.unwrap_or(slope));
        render::lines(&format!(
            "statistics: slope {slope:.4} a month [{low:.4}, {high:.4}] of the log ratio, p {p:.2e}, q {q:.2e}"
        ));
    }
    // Figures that no month has are left out, and names may break between their words.
    let known: Vec<&str> = FIGURES
        .iter()
        .copied()
        .filter(|name| explanation.months.iter().any(|m| m.figures.get(name).copied().flatten().is_some()))
        .collect();
    let header: Vec<String> =
        ["month"].iter().chain(&known).chain(&["counted", "corroborates"]).map(|name| name.replace('_', " ")).collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let shown = |value: Option<rust_decimal::Decimal>| value.map(|v| v.round_dp(4).normalize().to_string()).unwrap_or_default();
    let rows: Vec<Vec<String>> = explanation
        .months
        .iter()
        .map(|m| {
            let mut row = vec![m.month.to_string()];
            row.extend(known.iter().map(|name| shown(m.figures.get(name).copied().flatten())));
            row.extend([shown(Some(m.counted)), shown(Some(m.corroborates))]);
            row
        })
        .collect();
    let right: Vec<usize> = (1..header.len()).collect();
    render::table(&header, &rows, &right);
    if let Some(row) = explanation.rows.first() {
        let (batch, row) = (&row.batch_id, row.source_row);
        render::note(&format!("hint: `shortfall trace --lake DIR {batch} {row}` shows a row whole, with what it became"));
    }
    for (kind, count) in &explanation.row_counts {
        render::lines(&format!("{kind}: {count} source rows"));
        for row in explanation.rows.iter().filter(|row| row.kind == *kind) {
            let line: String = row.line.chars().take(LINE_WIDTH).collect();
            render::lines(&format!("  {} row {} (batch {})\n    {line}", row.file, row.source_row, row.batch_id));
        }
    }
}
