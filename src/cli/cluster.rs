//! `shortfall cluster`: the scheduler and the executors that `analyze --cluster` works with.

use super::serve::{address, stopped};
use super::{Context, Exit, Failure, OutputFormat, render};
use crate::cluster::{ExecutorOptions, LITTLE, SchedulerOptions, Shares, Target, run_executor, run_scheduler};
use bytesize::ByteSize;
use clap::{Args, Subcommand};
use log::{LevelFilter, Metadata, Record};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Part,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Take plans from `analyze --cluster`, and share them out among executors. One for each cluster.
    Scheduler(SchedulerArguments),
    /// Ask a scheduler for tasks and run them; `--threads` of them at a time. As many as there are machines.
    Executor(ExecutorArguments),
}

#[derive(Debug, clap::Args)]
struct SchedulerArguments {
    /// Address to listen on. Whoever can reach it can read the lakes that the executors see: never open it to other networks.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:50050")]
    listen: String,
    /// Seconds without a sign of life after which an executor is given up and others do its work; 10 at least.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    executor_timeout: u64,
    /// Say what it does, besides what goes wrong.
    #[arg(long)]
    verbose: bool,
}

#[derive(Debug, clap::Args)]
struct ExecutorArguments {
    /// URL of the scheduler.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:50050")]
    scheduler: String,
    /// Address to give rows to other executors and to clients; port 0 takes any free one. Whoever can reach it can read them.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:50051")]
    listen: String,
    /// Host by which the others find it; what the scheduler sees by default.
    #[arg(long, value_name = "HOST")]
    advertise: Option<String>,
    /// Folder for rows on their way and for what does not fit into memory; that of temporary files by default.
    #[arg(long, value_name = "DIR")]
    work_dir: Option<PathBuf>,
    /// Memory of all tasks together, such as `8GiB`; 70 % of the machine's by default.
    #[arg(long, value_name = "SIZE", env = "SHORTFALL_MEMORY_LIMIT")]
    memory_limit: Option<ByteSize>,
    /// Seconds to wait for a scheduler that does not answer yet.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
    /// Say what it does, besides what goes wrong.
    #[arg(long)]
    verbose: bool,
}

/// The cluster to work with.
#[derive(Clone, Debug, Args)]
pub(super) struct ClusterArguments {
    /// URL of a cluster's scheduler, such as http://127.0.0.1:50050: what reads much runs there. All its executors must see the lake.
    #[arg(long, value_name = "URL", env = "SHORTFALL_CLUSTER")]
    cluster: Option<String>,
    /// Parts that work is cut into there: one to four times the threads of all its executors.
    #[arg(long, value_name = "N", default_value_t = 16, requires = "cluster")]
    cluster_partitions: usize,
    /// What reads less than this is computed here.
    #[arg(long, value_name = "SIZE", default_value = "32MiB", requires = "cluster")]
    cluster_from: ByteSize,
}

impl ClusterArguments {
    /// Which cluster, if one is asked for.
    pub(super) fn target(&self) -> Option<Target> {
        let url = self.cluster.clone()?;
        Some(Target { url, partitions: self.cluster_partitions, least_bytes: self.cluster_from.as_u64() })
    }
}

/// What ran where, for programs.
pub(super) fn document(shares: &Shares) -> Value {
    json!({ "there": shares.there, "here": shares.here })
}

/// The same for people; what reads little needs no names.
pub(super) fn say(shares: &Shares) {
    let (little, others): (Vec<_>, Vec<_>) = shares.here.iter().partition(|(_, why)| *why == LITTLE);
    render::note(&format!("{} queries ran on the cluster; {} here, as each {LITTLE}", shares.there.len(), little.len()));
    for (what, why) in others {
        render::note(&format!("{what} ran here: it {why}"));
    }
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Part::Scheduler(arguments) => scheduler(context, arguments),
        Part::Executor(arguments) => executor(context, arguments),
    }
}

fn scheduler(context: &Context, arguments: &SchedulerArguments) -> Result<Exit, Failure> {
    listen_to_log(arguments.verbose);
    let options = SchedulerOptions { address: address(&arguments.listen)?, executor_timeout: arguments.executor_timeout };
    let listens = |address: std::net::SocketAddr| {
        let url = format!("http://{address}");
        if context.output == OutputFormat::Json {
            render::document(&json!({ "address": address.to_string(), "url": url }));
        }
        render::note(&format!("scheduler on {url}; stop with Ctrl-C"));
    };
    context.runtime.block_on(async {
        tokio::select! {
            ended = run_scheduler(options, listens) => ended?,
            () = stopped() => {}
        }
        Ok::<_, Failure>(Exit::Done)
    })
}

fn executor(context: &Context, arguments: &ExecutorArguments) -> Result<Exit, Failure> {
    listen_to_log(arguments.verbose);
    let options = ExecutorOptions {
        scheduler: arguments.scheduler.clone(),
        address: address(&arguments.listen)?,
        advertise: arguments.advertise.clone(),
        folder: arguments.work_dir.clone(),
        threads: context.threads,
        memory: arguments.memory_limit.map(|size| size.as_u64()),
        patience: Duration::from_secs(arguments.wait),
    };
    let starts = |address: std::net::SocketAddr| {
        if context.output == OutputFormat::Json {
            render::document(&json!({ "address": address.to_string(), "scheduler": arguments.scheduler }));
        }
        render::note(&format!("executor on {address} for {}; stop with Ctrl-C", arguments.scheduler));
    };
    context.runtime.block_on(run_executor(options, starts, stopped()))?;
    Ok(Exit::Done)
}

/// What a part of a cluster says of itself, on standard error.
struct Log {
    /// Modules that may speak.
    of: &'static [&'static str],
}

impl log::Log for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.of.iter().any(|module| metadata.target().starts_with(module))
    }

    fn log(&self, record: &Record<'_>) {
        let text = record.args().to_string();
        // Executors measure no operators, on purpose.
        if self.enabled(record.metadata()) && !text.starts_with("The metrics for stage") {
            render::note(&format!("{} {text}", record.level().as_str().to_lowercase()));
        }
    }

    fn flush(&self) {}
}

/// Shows what goes wrong in a scheduler or an executor, or all that it does.
fn listen_to_log(is_verbose: bool) {
    listen(&Log { of: &["ballista", "shortfall"] }, if is_verbose { LevelFilter::Info } else { LevelFilter::Warn });
}

/// Shows what a client asks for again; what Ballista says of it is part of that.
pub(super) fn listen_to_client() {
    listen(&Log { of: &["shortfall"] }, LevelFilter::Warn);
}

fn listen(log: &'static Log, level: LevelFilter) {
    // Nobody else of this process listens.
    if log::set_logger(log).is_ok() {
        log::set_max_level(level);
    }
}
