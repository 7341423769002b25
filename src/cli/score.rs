//! `shortfall score`.

use super::findings::newest_run;
use super::{Context, Exit, Failure, LakeArgument, OutputFormat, render};
use crate::findings::analyze::findings_of;
use crate::lake::Lake;
use crate::query::catalog::Catalog;
use crate::synth::baselines;
use crate::synth::score::methods::MethodScore;
use crate::synth::score::{Figures, Score, score};
use crate::synth::truth;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// `truth.csv` of a simulated MSP.
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,
    #[command(flatten)]
    lake: LakeArgument,
    /// Print the tables in Markdown.
    #[arg(long)]
    markdown: bool,
}

/// Shortfall's score, and its figures beside those of simpler methods.
pub(super) struct Verdict {
    pub(super) score: Score,
    /// Shortfall first.
    pub(super) methods: Vec<MethodScore>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let lake = Lake::open(&arguments.lake.lake)?;
    let verdict = judge(context, &lake, &arguments.truth)?;
    if context.output == OutputFormat::Json {
        let mut document = json!(verdict.score);
        document["methods"] = json!(verdict.methods);
        render::document(&document);
    } else if arguments.markdown {
        render::lines(&markdown(&verdict));
    } else {
        print(&verdict);
    }
    Ok(Exit::Done)
}

/// Scores the newest run of the truth's quarter.
pub(super) fn judge(context: &Context, lake: &Lake, truth: &Path) -> Result<Verdict, Failure> {
    let planted = truth::read(truth)?;
    let run = newest_run(context, lake, planted.first().map(|row| row.quarter))?;
    let findings = context.runtime.block_on(findings_of(lake, &run))?;
    let months = customer_months(truth);
    let score = score(&planted, &findings, months);
    let mut methods = vec![MethodScore::of_findings(&score)];
    let quarter = run.quarter.parse().map_err(|_| Failure::environment(format!("the lake holds a run of `{}`", run.quarter)))?;
    for (method, flags) in context.runtime.block_on(baselines::flags(lake, &run, quarter, &Catalog::load(None)?))? {
        methods.push(MethodScore::of_flags(method, &planted, &flags, months));
    }
    Ok(Verdict { score, methods })
}

/// Customer-months of the book, from the manifest beside the truth; zero where there is none.
fn customer_months(truth: &Path) -> u64 {
    let manifest = truth.parent().map(|folder| folder.join("manifest.json"));
    let text = manifest.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let manifest: Value = serde_json::from_str(&text).unwrap_or_default();
    manifest
        .get("customer_months")
        .or_else(|| manifest.get("summary").and_then(|s| s.get("customer_months")))
        .and_then(Value::as_u64)
        .unwrap_or(0)
}

pub(super) fn share(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{:.1} %", v * 100.0))
}

fn rate(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{v:.2}"))
}

const SIGNALS: [&str; 11] = [
    "signal",
    "planted",
    "found",
    "recall",
    "by money",
    "located",
    "findings",
    "precision",
    "false alarms / 1,000 months",
    "money error, median / total",
    "onset within a month",
];

fn signal_rows(score: &Score) -> Vec<Vec<String>> {
    let rows = score.signals.iter().map(|signal| figures_row(&signal.signal, &signal.figures));
    rows.chain([figures_row("all", &score.figures)]).collect()
}

fn figures_row(name: &str, figures: &Figures) -> Vec<String> {
    vec![
        name.to_owned(),
        figures.planted.to_string(),
        figures.found.to_string(),
        share(figures.recall),
        share(figures.money_weighted_recall),
        figures.located.to_string(),
        figures.findings.to_string(),
        share(figures.precision),
        rate(figures.false_alarms_per_1000_customer_months),
        format!("{} / {}", share(figures.median_joint_money_error), share(figures.total_money_error)),
        share(figures.onset_within_one),
    ]
}

const METHODS: [&str; 9] = [
    "method",
    "located",
    "recall",
    "by money",
    "flags",
    "precision",
    "false alarms",
    "/ 1,000 months",
    "money error, median / total",
];

fn method_rows(methods: &[MethodScore]) -> Vec<Vec<String>> {
    let rows = methods.iter().map(|m| {
        vec![
            m.method.clone(),
            format!("{} of {}", m.located, m.planted),
            share(m.recall),
            share(m.money_weighted_recall),
            m.flags.to_string(),
            share(m.precision),
            m.false_alarms.to_string(),
            rate(m.false_alarms_per_1000_customer_months),
            format!("{} / {}", share(m.median_money_error), share(m.total_money_error)),
        ]
    });
    rows.collect()
}

fn print(verdict: &Verdict) {
    let right: Vec<usize> = (1..SIGNALS.len()).collect();
    render::table(&SIGNALS, &signal_rows(&verdict.score), &right);
    let right: Vec<usize> = (1..METHODS.len()).collect();
    render::table(&METHODS, &method_rows(&verdict.methods), &right);
    let result = &verdict.score.figures;
    render::lines(&format!(
        "recall {} ({} of {}), precision {} ({} findings, {} false alarms), money error median {}, money-weighted recall {}",
        share(result.recall),
        result.found,
        result.planted,
        share(result.precision),
        result.findings,
        result.false_alarms,
        share(result.median_joint_money_error),
        share(result.money_weighted_recall),
    ));
}

/// Both tables, as a README shows them.
pub(super) fn markdown(verdict: &Verdict) -> String {
    let methods = markdown_table(&METHODS, &method_rows(&verdict.methods));
    format!("{methods}\n\n{}", markdown_table(&SIGNALS, &signal_rows(&verdict.score)))
}

pub(super) fn markdown_table(header: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[&str]| format!("| {} |", cells.join(" | "));
    let mut lines = vec![line(header), line(&vec!["---"; header.len()])];
    lines.extend(rows.iter().map(|row| line(&row.iter().map(String::as_str).collect::<Vec<_>>())));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_in_markdown_has_a_rule_below_its_header() {
        let rows = [vec!["z-score".to_owned(), "3".to_owned()]];
        assert_eq!(markdown_table(&["method", "flags"], &rows), "| method | flags |\n| --- | --- |\n| z-score | 3 |");
    }
}
