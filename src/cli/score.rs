//! `shortfall score`.

use super::findings::newest_run;
use super::{Context, Exit, Failure, LakeArgument, OutputFormat, render};
use crate::findings::analyze::findings_of;
use crate::findings::status::is_open;
use crate::lake::Lake;
use crate::synth::score::{Score, score};
use crate::synth::truth;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// `truth.csv` of a simulated MSP.
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,
    #[command(flatten)]
    lake: LakeArgument,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let planted = truth::read(&arguments.truth)?;
    let lake = Lake::open(&arguments.lake.lake)?;
    let run = newest_run(context, &lake, planted.first().map(|row| row.quarter))?;
    let mut findings = context.runtime.block_on(findings_of(&lake, &run))?;
    // What has stopped is no claim about the quarter.
    findings.retain(is_open);
    let result = score(&planted, &findings, customer_months(&arguments.truth));
    if context.output == OutputFormat::Json {
        render::document(&json!(result));
    } else {
        print(&result);
    }
    Ok(Exit::Done)
}

/// Customer-months of the book, from the manifest beside the truth; zero where there is none.
fn customer_months(truth: &Path) -> u64 {
    let manifest = truth.parent().map(|folder| folder.join("manifest.json"));
    let text = manifest.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    manifest
        .get("customer_months")
        .or_else(|| manifest.get("summary").and_then(|s| s.get("customer_months")))
        .and_then(serde_json::Value::as_u64)
        .unwrap_or(0)
}

fn share(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{:.1} %", v * 100.0))
}

fn print(result: &Score) {
    let rows: Vec<Vec<String>> = result
        .signals
        .iter()
        .map(|s| {
            vec![
                s.signal.clone(),
                s.planted.to_string(),
                s.found.to_string(),
                share(s.recall),
                s.findings.to_string(),
                share(s.precision),
                share(s.median_money_error),
                s.median_onset_error.map_or_else(|| "-".to_owned(), |m| format!("{m} months")),
            ]
        })
        .collect();
    render::table(
        &["signal", "planted", "found", "recall", "findings", "precision", "money error, median", "onset error, median"],
        &rows,
        &[1, 2, 3, 4, 5, 6, 7],
    );
    render::lines(&format!(
        "recall {} ({} of {}), precision {} ({} findings, {} false alarms), money error median {}, money-weighted recall {}",
        share(result.recall),
        result.found,
        result.planted,
        share(result.precision),
        result.findings,
        result.false_alarms,
        share(result.median_money_error),
        share(result.money_weighted_recall),
    ));
}
