//! `shortfall demo`: the whole job on a generated MSP.

use super::progress::{Bar, Counter};
use super::{Context, Exit, Failure, OutputFormat, findings, ingest, render, report, summary, synth};
use crate::findings::analyze::{Request, analyze_in_steps};
use crate::findings::recoverable::BACK_BILLING_MONTHS;
use crate::ingest::{self as ingestion, plan};
use crate::lake::Lake;
use crate::synth::{Config, generate};
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folder for exports, lake and report; what a former demo left there is replaced.
    #[arg(long, value_name = "DIR", default_value = "data/out/demo")]
    out: PathBuf,
    /// Customers of the generated MSP.
    #[arg(long, default_value_t = 120)]
    customers: usize,
}

/// What a demo leaves in its folder, and may therefore replace.
const LEFT_BEHIND: [&str; 6] = ["exports", "lake", "truth.csv", "benign.csv", "manifest.json", "report.html"];

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    clear(&arguments.out)?;
    let config = Config { customers: arguments.customers, ..Config::default() };
    render::note("1/4 simulating an MSP: ConnectWise, Partner Center, Pax8, FOCUS, Stripe");
    let is_text = context.output == OutputFormat::Text;
    let generated = generate(&config, &arguments.out)?;
    if is_text {
        synth::print(&generated);
    }
    render::note("2/4 landing its exports in a lake");
    let lake_folder = arguments.out.join("lake");
    let lake = Lake::create(&lake_folder)?;
    let files = plan::files(&[arguments.out.join("exports")]).map_err(|e| Failure::environment(e.to_string()))?;
    let options = ingestion::Options { system: None, recorded_at: None, threads: context.threads, queries: None };
    let bar = Bar::new();
    let outcomes = ingestion::ingest(&lake, &files, &options, context.runtime.handle(), &bar);
    bar.finish();
    let outcomes = outcomes?;
    if is_text {
        ingest::summary(context, &lake, &outcomes, false)?;
    }
    render::note(&format!("3/4 analysing {}", config.analysed_quarter));
    let request = Request {
        quarter: config.analysed_quarter,
        as_of: None,
        signals: Vec::new(),
        queries: None,
        threads: context.threads,
        back_billing_months: BACK_BILLING_MONTHS,
        memory: None,
        cluster: None,
    };
    let counter = Counter::new("analysing");
    let analysis = context.runtime.block_on(analyze_in_steps(&lake, &request, &counter))?;
    drop(counter);
    if is_text {
        summary::print(&analysis, &lake_folder);
    }
    render::note("4/4 writing the report");
    let html = arguments.out.join("report.html");
    let run = findings::newest_run(context, &lake, Some(config.analysed_quarter))?;
    report::write(context, &lake, &run, &html)?;
    if !is_text {
        render::document(&json!({
            "out": arguments.out, "lake": lake_folder, "report": html, "quarter": config.analysed_quarter.to_string(),
            "files": outcomes.len(), "exports": generated, "analysis": summary::document(&analysis),
        }));
        return Ok(Exit::Done);
    }
    let lake = lake_folder.display();
    render::lines(&format!("report: {}", html.display()));
    if let Some(first) = analysis.findings.first() {
        render::lines(&format!("next:   shortfall explain --lake {lake} {}", first.finding_id));
        render::lines(&format!("        shortfall score --lake {lake} --truth {}", arguments.out.join("truth.csv").display()));
    }
    Ok(Exit::Done)
}

/// Removes what a former demo left, and nothing else.
fn clear(out: &std::path::Path) -> Result<(), Failure> {
    for name in LEFT_BEHIND {
        let path = out.join(name);
        let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        match removed {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::usage(format!("could not replace `{}`: {e}", path.display())));
            }
            _ => {}
        }
    }
    Ok(())
}
