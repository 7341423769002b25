//! `shortfall synth`.

use super::progress::Counter;
use super::{Context, Exit, Failure, OutputFormat, render};
use crate::month::Month;
use crate::steps::Steps as _;
use crate::synth::{Config, LeakPlan, Msp, Summary, generate};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folder to write to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The same seed gives the same bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Customers of the simulated MSP.
    #[arg(long, default_value_t = 300)]
    customers: usize,
    /// First month of its history.
    #[arg(long, default_value = "2024-01")]
    first_month: Month,
    /// Months of history.
    #[arg(long, default_value_t = 33)]
    months: usize,
    /// Whose systems are simulated: the PSA, and the vendors and billing that go with it.
    #[arg(long, default_value_t, value_parser = PossibleValuesParser::new(Msp::ALL.map(Msp::name)).try_map(|name| name.parse::<Msp>()))]
    msp: Msp,
    /// Plant no leaks, only effects that explain themselves.
    #[arg(long)]
    clean: bool,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let mut config = Config::spanning(arguments.seed, arguments.customers, arguments.first_month, arguments.months);
    config.msp = arguments.msp;
    if arguments.clean {
        config.leaks = LeakPlan::Clean;
    }
    let counter = Counter::new("simulating");
    counter.begin(1);
    counter.step(&format!("exports of {} customers", arguments.customers));
    let summary = generate(&config, &arguments.out)?;
    drop(counter);
    if context.output == OutputFormat::Json {
        render::document(&json!({ "out": arguments.out, "quarter": config.analysed_quarter.to_string(), "summary": summary }));
    } else {
        print(&summary);
        if arguments.msp == Msp::Autotask {
            let mapping = arguments.out.join("mapping");
            render::lines(&format!("ingest with --mapping {0}/northbridge.toml --mapping {0}/vaultline.toml", mapping.display()));
        }
        render::lines(&format!("exports in `{}`, quarter {}", arguments.out.join("exports").display(), config.analysed_quarter));
    }
    Ok(Exit::Done)
}

/// What was written and planted.
pub(super) fn print(summary: &Summary) {
    let rows: Vec<Vec<String>> = summary
        .files
        .iter()
        .map(|(kind, count)| vec![(*kind).to_owned(), count.files.to_string(), count.rows.to_string()])
        .collect();
    render::table(&["export", "files", "rows"], &rows, &[1, 2]);
    let leaks: Vec<String> = summary.leaks.iter().map(|(signal, count)| format!("{count} {signal}")).collect();
    let leaks = if leaks.is_empty() { "none".to_owned() } else { leaks.join(", ") };
    render::lines(&format!("planted leaks: {leaks}"));
}
