//! `shortfall analyze`.

use super::cluster::{self, ClusterArguments};
use super::ingest::instant;
use super::progress::Counter;
use super::{Context, Exit, Failure, LakeArgument, OutputFormat, notify, render, summary};
use crate::findings::analyze::{Request, analyze_in_steps};
use crate::findings::recoverable::BACK_BILLING_MONTHS;
use crate::findings::status::is_open;
use crate::lake::Lake;
use crate::month::Quarter;
use crate::query::session::LEAST_MEMORY;
use bytesize::ByteSize;
use chrono::{DateTime, Duration, Utc};
use clap::ValueEnum;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    lake: LakeArgument,
    /// Quarter to analyse, such as 2026Q3.
    #[arg(long)]
    quarter: Quarter,
    /// Only what was known at the end of this day.
    #[arg(long, value_name = "DATE")]
    as_of: Option<String>,
    /// Only these signals.
    #[arg(long = "signal", value_name = "ID")]
    signals: Vec<String>,
    /// Folder with queries that add to or replace the built-in ones.
    #[arg(long, value_name = "DIR")]
    queries: Option<PathBuf>,
    /// Months that may be billed back, where the contract's terms say no other number.
    #[arg(long, value_name = "MONTHS", default_value_t = BACK_BILLING_MONTHS)]
    back_billing_months: u32,
    /// Memory for facts and queries, such as `1GiB`; what needs more goes to temporary files. By default there is no limit.
    #[arg(long, value_name = "SIZE", env = "SHORTFALL_MEMORY_LIMIT")]
    memory_limit: Option<ByteSize>,
    #[command(flatten)]
    cluster: ClusterArguments,
    /// Exit with code 4 if a finding is at least this severe.
    #[arg(long, value_enum)]
    fail_on: Option<Severity>,
    #[command(flatten)]
    notify: notify::NotifyArguments,
    /// Say on standard error what each fact cost.
    #[arg(long, env = "SHORTFALL_TRACE", value_parser = clap::builder::FalseyValueParser::new())]
    timings: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let lake = Lake::open(&arguments.lake.lake)?;
    let request = Request {
        quarter: arguments.quarter,
        as_of: arguments.as_of.as_deref().map(end_of_day).transpose()?,
        signals: arguments.signals.clone(),
        queries: arguments.queries.clone(),
        threads: context.threads,
        back_billing_months: arguments.back_billing_months,
        memory: arguments.memory_limit.map(bytes).transpose()?,
        cluster: arguments.cluster.target(),
    };
    if request.cluster.is_some() {
        cluster::listen_to_client();
    }
    let receivers = notify::receivers(context, &lake, &arguments.notify)?;
    let counter = Counter::new("analysing");
    let analysis = match context.runtime.block_on(analyze_in_steps(&lake, &request, &counter)) {
        Ok(analysis) => analysis,
        Err(error) => {
            receivers.forget();
            return Err(error.into());
        }
    };
    counter.say("sending alerts");
    let told = receivers.tell(context, &lake, &arguments.lake.lake, &analysis)?;
    drop(counter);
    if context.output == OutputFormat::Json {
        let mut document = summary::document(&analysis);
        document["alerts"] = told.iter().map(notify::Told::document).collect();
        if let Some(shares) = &analysis.shares {
            document["cluster"] = cluster::document(shares);
        }
        render::document(&document);
    } else {
        summary::print(&analysis, &arguments.lake.lake);
        analysis.shares.iter().for_each(cluster::say);
    }
    for told in &told {
        told.say(context);
    }
    if arguments.timings {
        for fact in &analysis.timings {
            render::note(&format!("facts.{}: {} rows in {:.3} s", fact.name, fact.rows, fact.took.as_secs_f64()));
        }
    }
    let is_alert = arguments.fail_on.is_some_and(|least| {
        analysis
            .findings
            .iter()
            .filter(|f| is_open(f))
            .any(|f| Severity::from_str(&f.severity, true).is_ok_and(|severity| severity >= least))
    });
    // Whoever asked for 4 wants to know of the findings; that an alert did not arrive stands on standard error either way.
    Ok(if is_alert {
        Exit::Alert
    } else if told.iter().any(notify::Told::has_failed) {
        Exit::Undelivered
    } else {
        Exit::Done
    })
}

/// A limit that something can be done within.
fn bytes(limit: ByteSize) -> Result<usize, Failure> {
    let bytes = usize::try_from(limit.as_u64()).unwrap_or(usize::MAX);
    if bytes < LEAST_MEMORY {
        let least = ByteSize::b(LEAST_MEMORY as u64);
        return Err(Failure::usage(format!("{limit} of memory is too little for any analysis"))
            .hint(format!("`--memory-limit` takes {least} and more")));
    }
    Ok(bytes)
}

/// A date includes its day; an instant is taken as it is.
pub(super) fn end_of_day(text: &str) -> Result<DateTime<Utc>, Failure> {
    let start = instant(text)?;
    Ok(if text.len() == 10 { start + Duration::days(1) - Duration::microseconds(1) } else { start })
}
