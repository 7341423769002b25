//! The command line: argument types here, one file per command, and `render` as the only place that prints.

mod analyze;
mod benchmark;
mod calendar;
mod check;
mod cluster;
mod compare;
mod demo;
mod docs;
mod explain;
mod export;
mod failure;
mod findings;
mod ingest;
mod landed;
mod map;
mod mute;
mod notify;
mod optimize;
mod plain;
mod plan;
mod progress;
mod rejects;
mod render;
mod report;
mod score;
mod serve;
mod settings;
mod sources;
mod sql;
mod summary;
mod synth;
mod trace;
mod twice;

pub use failure::Failure;

use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// How a command ended; the exit code is a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// Done, but some rows or files were rejected.
    Rejected,
    /// Nothing of the input could be used; it was said which and why.
    Unusable,
    /// Done, but an alert of `--notify` was not delivered.
    Undelivered,
    /// Done, and the lake is damaged; it was said where.
    Damaged,
    /// Findings at or above `--fail-on`.
    Alert,
}

impl Exit {
    /// The process's exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Rejected => 1,
            Self::Unusable => 2,
            Self::Undelivered | Self::Damaged => 3,
            Self::Alert => 4,
        }
    }
}

/// What each exit code means: a contract, here and in `docs`.
const EXIT_CODES: [(u8, &str); 5] = [
    (0, "done"),
    (1, "done, but some rows or files were rejected; they are listed"),
    (2, "bad arguments, or input that could not be used at all"),
    (3, "the lake is damaged, or something it depends on failed; also: analysed, but an alert of `--notify` was not delivered"),
    (4, "findings at or above `--fail-on`, whether or not alerts were delivered"),
];

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Tables and sentences for people.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

/// Finds revenue leakage at managed service providers: exports in, priced and explained findings out.
#[derive(Debug, Parser)]
#[command(name = "shortfall", version, about, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// How results are printed.
    #[arg(long, global = true, value_enum, default_value_t, env = "SHORTFALL_OUTPUT")]
    output: OutputFormat,
    /// Threads to use; all cores by default.
    #[arg(long, global = true, env = "SHORTFALL_THREADS")]
    threads: Option<usize>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The whole job on a generated MSP: exports, lake, findings, report.
    Demo(demo::Arguments),
    /// Land exports in a lake; each file is recognised by its content.
    Ingest(ingest::Arguments),
    /// Which systems and exports are understood, and how to export them.
    Sources,
    /// Crosswalks and mapping files: what is unmapped, drafts, suggestions with their reasons, export and import.
    Map(map::Arguments),
    /// Compute the findings of a quarter.
    Analyze(analyze::Arguments),
    /// Run a scheduler or an executor of a cluster, for `analyze --cluster`.
    Cluster(cluster::Arguments),
    /// Print the findings of a quarter in the fixed schema.
    Findings(findings::Arguments),
    /// Leave a finding out of lists and totals, with a reason.
    Mute(mute::Arguments),
    /// List a muted finding again.
    Unmute(mute::UnmuteArguments),
    /// The arithmetic and the source rows behind one finding.
    Explain(explain::Arguments),
    /// The original line behind a row of the lake, and what became of it.
    Trace(trace::Arguments),
    /// What changed between two states of knowledge, and what of it could have been billed.
    Compare(compare::Arguments),
    /// Write the report of a quarter for people.
    Report(report::Arguments),
    /// Write the star schema for BI tools: Parquet by period, with a change manifest.
    Export(export::Arguments),
    /// Answer read-only SQL of BI tools over the PostgreSQL wire.
    Serve(serve::Arguments),
    /// Whether a lake is whole: rows conserved, files as they were written, originals as they came.
    Check(check::Arguments),
    /// Merge the lake's small files into large ones and remove what nobody needs; nothing that it says changes.
    Optimize(optimize::Arguments),
    /// Ad-hoc SQL over the lake.
    Sql(sql::Arguments),
    /// Write the exports of a simulated MSP with planted leaks.
    Synth(synth::Arguments),
    /// Compare findings with the truth of a simulated MSP.
    Score(score::Arguments),
    /// Write the reference: commands, signals, tables, exit codes, BI tools, manual pages.
    Docs(docs::Arguments),
    /// Print a shell's completions.
    Completions(docs::CompletionArguments),
    /// Simulate MSPs, analyse and score them, and print the tables in Markdown.
    Benchmark(benchmark::Arguments),
}

/// The lake to work on.
#[derive(Clone, Debug, clap::Args)]
pub struct LakeArgument {
    /// Folder of the lake, or a URL of a store: `s3://bucket/prefix`.
    #[arg(long, env = "SHORTFALL_LAKE", value_name = "DIR")]
    lake: PathBuf,
}

/// Everything a command needs besides its own arguments.
struct Context {
    output: OutputFormat,
    threads: usize,
    runtime: tokio::runtime::Runtime,
}

/// Parses the arguments and runs the command. Returns the exit code.
#[must_use]
pub fn main() -> u8 {
    let given: Vec<OsString> = std::env::args_os().collect();
    let matches = match Cli::command().try_get_matches_from(&given) {
        Ok(matches) => matches,
        Err(error) => return not_understood(&error),
    };
    let cli = match settings::with_file(&given, &matches) {
        Ok(cli) => cli,
        Err(failure) => {
            render::failure(&failure, matches.get_one("output").copied().unwrap_or_default());
            return failure.code();
        }
    };
    let output = cli.output;
    match run(cli) {
        Ok(exit) => exit.code(),
        Err(failure) => {
            render::failure(&failure, output);
            failure.code()
        }
    }
}

/// Help and versions go where they are read; what is wrong with the arguments is told as it was asked for, if that can be made out.
fn not_understood(error: &clap::Error) -> u8 {
    let wants_json = asks_for_json(std::env::args().skip(1), std::env::var("SHORTFALL_OUTPUT").ok().as_deref());
    if !error.use_stderr() || !wants_json {
        error.exit();
    }
    let text = error.to_string();
    let text = text.trim().strip_prefix("error: ").unwrap_or(text.trim());
    let (message, hint) = text.split_once("\n\n").map_or((text, None), |(message, rest)| (message, Some(rest.trim())));
    let failure = Failure::usage(message);
    let failure = if let Some(hint) = hint { failure.hint(hint) } else { failure };
    render::failure(&failure, OutputFormat::Json);
    failure.code()
}

/// Whether `--output json` stands anywhere, or the environment says so and no flag says otherwise.
fn asks_for_json(arguments: impl Iterator<Item = String>, environment: Option<&str>) -> bool {
    let mut wanted = environment.map(str::to_owned);
    let mut is_next = false;
    for argument in arguments {
        if is_next || argument.starts_with("--output=") {
            wanted = Some(argument.trim_start_matches("--output=").to_owned());
        }
        is_next = argument == "--output";
    }
    wanted.as_deref() == Some("json")
}

fn run(cli: Cli) -> Result<Exit, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cli.threads.unwrap_or(cores).max(1);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_stack_size(crate::STACK)
        .enable_all()
        .build()
        .map_err(|e| Failure::environment(format!("could not start the runtime: {e}")))?;
    let context = Context { output: cli.output, threads, runtime };
    match cli.command {
        Command::Demo(arguments) => demo::run(&context, &arguments),
        Command::Ingest(arguments) => ingest::run(&context, &arguments),
        Command::Sources => sources::run(&context),
        Command::Map(arguments) => map::run(&context, &arguments),
        Command::Analyze(arguments) => analyze::run(&context, &arguments),
        Command::Cluster(arguments) => cluster::run(&context, &arguments),
        Command::Findings(arguments) => findings::run(&context, &arguments),
        Command::Mute(arguments) => mute::run(&context, &arguments),
        Command::Unmute(arguments) => mute::run_unmute(&context, &arguments),
        Command::Explain(arguments) => explain::run(&context, &arguments),
        Command::Trace(arguments) => trace::run(&context, &arguments),
        Command::Compare(arguments) => compare::run(&context, &arguments),
        Command::Report(arguments) => report::run(&context, &arguments),
        Command::Export(arguments) => export::run(&context, &arguments),
        Command::Serve(arguments) => serve::run(&context, &arguments),
        Command::Check(arguments) => check::run(&context, &arguments),
        Command::Optimize(arguments) => optimize::run(&context, &arguments),
        Command::Sql(arguments) => sql::run(&context, &arguments),
        Command::Synth(arguments) => synth::run(&context, &arguments),
        Command::Score(arguments) => score::run(&context, &arguments),
        Command::Docs(arguments) => docs::run(&context, &arguments),
        Command::Completions(arguments) => docs::completions(&context, &arguments),
        Command::Benchmark(arguments) => benchmark::run(&context, &arguments),
    }
}
