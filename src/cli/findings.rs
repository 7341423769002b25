//! `shortfall findings`.

use super::{Context, Exit, Failure, LakeArgument, OutputFormat, plain, render};
use crate::findings::analyze::findings_of;
use crate::findings::marts::{self, Run};
use crate::findings::mute::{Mute, Split, Spoken, split};
use crate::findings::read::to_batch;
use crate::findings::status::money;
use crate::findings::{Basis, Finding};
use crate::lake::Lake;
use crate::month::Quarter;
use crate::report::rows_book;
use crate::spreadsheet::guarded;
use arrow::array::RecordBatch;
use clap::ValueEnum;
use parquet::arrow::ArrowWriter;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    lake: LakeArgument,
    /// Quarter; the newest analysed one by default.
    #[arg(long)]
    quarter: Option<Quarter>,
    /// The muted findings instead of the others.
    #[arg(long)]
    muted: bool,
    /// How to write them. In CSV, text that a spreadsheet would take for a formula begins with an apostrophe; JSON and Parquet are exact; a
    /// workbook's numbers have 15 digits.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// File to write to instead of standard output.
    #[arg(short = 'o', long = "out", value_name = "FILE")]
    out: Option<PathBuf>,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    #[default]
    Table,
    Csv,
    Json,
    Parquet,
    Xlsx,
}

/// Columns of the fixed schema, in their order.
pub(super) const COLUMNS: [&str; 27] = [
    "finding_id",
    "signal",
    "family",
    "quarter",
    "customer_key",
    "customer_name",
    "service_key",
    "service_name",
    "first_month",
    "last_month",
    "currency",
    "leakage_low",
    "leakage",
    "leakage_high",
    "annual_run_rate",
    "severity",
    "confidence",
    "p_value",
    "q_value",
    "slope",
    "slope_low",
    "slope_high",
    "change_month",
    "status",
    "explanation",
    "basis",
    "overbilled",
];

/// Those that are numbers, and may begin with a sign.
const NUMBERS: [&str; 11] = [
    "leakage_low",
    "leakage",
    "leakage_high",
    "annual_run_rate",
    "confidence",
    "p_value",
    "q_value",
    "slope",
    "slope_low",
    "slope_high",
    "overbilled",
];

/// The newest run, of a quarter if one is named.
pub(super) fn newest_run(context: &Context, lake: &Lake, quarter: Option<Quarter>) -> Result<Run, Failure> {
    let runs = context.runtime.block_on(marts::runs(lake))?;
    let wanted = quarter.map(|q| q.to_string());
    runs.into_iter().rev().find(|run| wanted.as_ref().is_none_or(|q| *q == run.quarter)).ok_or_else(|| {
        let what = wanted.map_or_else(|| "no quarter has".to_owned(), |q| format!("{q} has not"));
        Failure::usage(format!("{what} been analysed yet")).hint("`shortfall analyze --lake DIR --quarter 2026Q3` does it")
    })
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let lake = Lake::open(&arguments.lake.lake)?;
    let run = newest_run(context, &lake, arguments.quarter)?;
    let split = context.runtime.block_on(async {
        let findings = findings_of(&lake, &run).await?;
        match Spoken::of(&run) {
            Some(spoken) => split(&lake, spoken, findings).await,
            None => Ok(Split { listed: findings, ..Split::default() }),
        }
    })?;
    let muted: Vec<Finding> = split.muted.iter().map(|(finding, _)| finding.clone()).collect();
    let findings = if arguments.muted { muted } else { split.listed };
    let format = if context.output == OutputFormat::Json { Format::Json } else { arguments.format };
    let data = match format {
        Format::Table if arguments.out.is_none() => {
            if arguments.muted {
                print_reasons(&split.muted);
                return Ok(Exit::Done);
            }
            print_table(&findings);
            print_muted(&split.muted, &split.ended);
            for unmapped in &run.unmapped {
                render::lines(&unmapped.sentence());
            }
            return Ok(Exit::Done);
        }
        Format::Table | Format::Csv => csv_bytes(&findings)?,
        Format::Json => {
            let rows: Vec<serde_json::Value> = findings.iter().map(json_row).collect();
            format!("{}\n", render::json_text(&serde_json::Value::Array(rows))).into_bytes()
        }
        Format::Parquet => parquet_of(&[fixed_schema(&findings, &run.run_id)?])?,
        Format::Xlsx => rows_book("Findings", &[fixed_schema(&findings, &run.run_id)?])?,
    };
    match &arguments.out {
        Some(path) => {
            std::fs::write(path, data).map_err(|e| Failure::usage(format!("could not write `{}`: {e}", path.display())))?
        }
        None => render::bytes(&data).map_err(|e| Failure::environment(format!("could not write to standard output: {e}")))?,
    }
    Ok(Exit::Done)
}

/// What was decided about each muted finding.
fn print_reasons(muted: &[(Finding, Mute)]) {
    let rows: Vec<Vec<String>> = muted
        .iter()
        .map(|(f, mute)| {
            vec![
                f.finding_id.clone(),
                f.signal.clone(),
                f.customer_name.clone().unwrap_or_default(),
                f.service_name.clone().unwrap_or_default(),
                format!("{} {}", money(f), f.currency),
                mute.until.map(|day| day.to_string()).unwrap_or_default(),
                mute.decided_at.format("%Y-%m-%d").to_string(),
                mute.reason.clone(),
            ]
        })
        .collect();
    render::table(&["finding", "signal", "customer", "service", "in the quarter", "until", "muted on", "reason"], &rows, &[4]);
}

/// How many findings were left out, and which are back.
fn print_muted(muted: &[(Finding, Mute)], ended: &[(Finding, String)]) {
    for (label, text) in muted_sentences(muted, ended) {
        render::lines(&format!("{label}: {text}"));
    }
}

/// The same, each with what it is about.
pub(super) fn muted_sentences(muted: &[(Finding, Mute)], ended: &[(Finding, String)]) -> Vec<(&'static str, String)> {
    let mut said: Vec<(&str, String)> =
        ended.iter().map(|(finding, why)| ("listed again", format!("{} {why}", finding.finding_id))).collect();
    let mut sums: BTreeMap<&str, Decimal> = BTreeMap::new();
    for (finding, _) in muted {
        *sums.entry(&finding.currency).or_default() += money(finding);
    }
    if !muted.is_empty() {
        let sums: Vec<String> = sums.iter().map(|(currency, sum)| format!("{sum} {currency}")).collect();
        let (count, sums) = (muted.len(), sums.join(", "));
        said.push(("muted", format!("{count} ({sums}), in no list and no total; `shortfall findings --muted` shows them")));
    }
    said
}

/// Characters of an id in a mail: its beginning is enough for every command.
const SHORT_ID: usize = 8;

/// The dearest findings, one line each.
pub(super) fn short_table(findings: &[&Finding], most: usize) -> String {
    let rows: Vec<Vec<String>> = findings
        .iter()
        .take(most)
        .map(|f| {
            let place = [&f.customer_name, &f.service_name].into_iter().flatten().cloned().collect::<Vec<_>>().join(", ");
            let id = f.finding_id.chars().take(SHORT_ID).collect();
            vec![id, format!("{} {}", money(f), f.currency), f.signal.clone(), place]
        })
        .collect();
    plain::list(&rows, &[1])
}

/// Findings as a table.
fn print_table(findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    let rows: Vec<Vec<String>> = findings
        .iter()
        .map(|f| {
            let money = if f.basis == Basis::Overbilling { f.overbilled } else { f.leakage };
            vec![
                f.finding_id.clone(),
                f.signal.clone(),
                f.customer_name.clone().unwrap_or_default(),
                f.service_name.clone().unwrap_or_default(),
                f.first_month.to_string(),
                format!("{money} {}", f.currency),
                f.basis.as_str().to_owned(),
                f.severity.clone(),
                f.status.clone(),
            ]
        })
        .collect();
    render::table(
        &["finding", "signal", "customer", "service", "since", "in the quarter", "basis", "severity", "status"],
        &rows,
        &[5],
    );
}

/// The fields of a finding as text, in the order of [`COLUMNS`]; empty where not applicable.
pub(super) fn text_row(f: &Finding) -> [String; 27] {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let real = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
    [
        f.finding_id.clone(),
        f.signal.clone(),
        f.family.clone(),
        f.quarter.to_string(),
        text(&f.customer_key),
        text(&f.customer_name),
        text(&f.service_key),
        text(&f.service_name),
        f.first_month.to_string(),
        f.last_month.to_string(),
        f.currency.clone(),
        f.leakage_low.to_string(),
        f.leakage.to_string(),
        f.leakage_high.to_string(),
        f.annual_run_rate.to_string(),
        f.severity.clone(),
        f.confidence.to_string(),
        real(f.p_value),
        real(f.q_value),
        real(f.slope),
        real(f.slope_low),
        real(f.slope_high),
        f.change_month.map(|m| m.to_string()).unwrap_or_default(),
        f.status.clone(),
        f.explanation.clone(),
        f.basis.as_str().to_owned(),
        f.overbilled.to_string(),
    ]
}

fn csv_bytes(findings: &[Finding]) -> Result<Vec<u8>, Failure> {
    let failed = |e: csv::Error| Failure::environment(format!("could not write CSV: {e}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS).map_err(failed)?;
    for finding in findings {
        let row = text_row(finding);
        let guard =
            |(name, cell): (&&str, &String)| if NUMBERS.contains(name) { cell.clone() } else { guarded(cell).into_owned() };
        writer.write_record(COLUMNS.iter().zip(&row).map(guard)).map_err(failed)?;
    }
    writer.into_inner().map_err(|e| Failure::environment(format!("could not write CSV: {e}")))
}

/// Money as decimal strings, months as `YYYY-MM`, null where not applicable.
fn json_row(finding: &Finding) -> serde_json::Value {
    let mut row = serde_json::Map::new();
    let reals =
        [Some(finding.confidence), finding.p_value, finding.q_value, finding.slope, finding.slope_low, finding.slope_high];
    let mut reals = reals.into_iter();
    for (name, cell) in COLUMNS.iter().zip(text_row(finding)) {
        let value = match *name {
            "confidence" | "p_value" | "q_value" | "slope" | "slope_low" | "slope_high" => {
                reals.next().flatten().map_or(serde_json::Value::Null, |v| serde_json::json!(v))
            }
            _ if cell.is_empty() => serde_json::Value::Null,
            _ => serde_json::Value::String(cell),
        };
        row.insert((*name).to_owned(), value);
    }
    serde_json::Value::Object(row)
}

/// The columns of the fixed schema, typed.
fn fixed_schema(findings: &[Finding], run_id: &str) -> Result<RecordBatch, Failure> {
    let failed = |e: &dyn std::fmt::Display| Failure::environment(format!("could not write findings: {e}"));
    let all: Vec<&Finding> = findings.iter().collect();
    let batch = to_batch(&all, run_id).map_err(|e| failed(&e))?;
    let fixed: Vec<usize> = COLUMNS.iter().filter_map(|name| batch.schema().index_of(name).ok()).collect();
    batch.project(&fixed).map_err(|e| failed(&e))
}

/// Rows as one Parquet file; at least one batch, and all of one schema.
pub(super) fn parquet_of(batches: &[RecordBatch]) -> Result<Vec<u8>, Failure> {
    let failed = |e: &dyn std::fmt::Display| Failure::environment(format!("could not write Parquet: {e}"));
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batches[0].schema(), None).map_err(|e| failed(&e))?;
    for batch in batches {
        writer.write(batch).map_err(|e| failed(&e))?;
    }
    writer.close().map_err(|e| failed(&e))?;
    Ok(bytes)
}
