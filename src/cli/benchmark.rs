//! `shortfall benchmark`: simulated MSPs, analysed and scored, and the table of the README.
//!
//! For each landscape and seed a book with leaks and one without, each in a folder of its own; what an earlier run left there is replaced.

use super::progress::Counter;
use super::score::{Verdict, judge, markdown, markdown_table, share};
use super::{Context, Exit, Failure, OutputFormat, render};
use crate::findings::analyze::{Request, analyze};
use crate::findings::recoverable::BACK_BILLING_MONTHS;
use crate::findings::status::is_open;
use crate::ingest::{self, Silent, mapped, plan};
use crate::lake::Lake;
use crate::steps::Steps as _;
use crate::synth::score::Score;
use crate::synth::score::methods::MethodScore;
use crate::synth::{Config, LeakPlan, Msp, generate};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::json;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folder for the books and their lakes.
    #[arg(long, value_name = "DIR", default_value = "data/out/benchmark")]
    out: PathBuf,
    /// Seeds, one book each.
    #[arg(long, value_delimiter = ',', default_value = "1,2,3")]
    seeds: Vec<u64>,
    /// Customers of each book.
    #[arg(long, default_value_t = 300)]
    customers: usize,
    /// Only these landscapes.
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(Msp::ALL.map(Msp::name)).try_map(|name| name.parse::<Msp>()))]
    msp: Vec<Msp>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let landscapes = if arguments.msp.is_empty() { Msp::ALL.to_vec() } else { arguments.msp.clone() };
    let mut books = Vec::new();
    let mut rows = Vec::new();
    let mut documents = Vec::new();
    let counter = Counter::new("books");
    counter.begin(landscapes.len() * arguments.seeds.len());
    for msp in landscapes {
        for seed in &arguments.seeds {
            counter.step(&format!("{msp}, seed {seed}"));
            if !std::io::stderr().is_terminal() {
                render::note(&format!("{msp}, seed {seed}"));
            }
            let config = Config { customers: arguments.customers, msp, seed: *seed, ..Config::default() };
            let out = arguments.out.join(format!("{msp}_{seed}"));
            let (lake, _) = analysed(context, &config, &out)?;
            let book = judge(context, &lake, &out.join("truth.csv"))?;
            let clean = Config { leaks: LeakPlan::Clean, ..config };
            let (_, in_clean) = analysed(context, &clean, &arguments.out.join(format!("{msp}_{seed}_clean")))?;
            rows.push(book_row(msp, *seed, &book, in_clean));
            documents.push(json!({ "msp": msp.name(), "seed": seed, "score": book.score, "methods": book.methods, "findings_in_clean_book": in_clean }));
            books.push(book);
        }
    }
    drop(counter);
    let scores: Vec<Score> = books.iter().map(|book| book.score.clone()).collect();
    let n_methods = books.first().map_or(0, |book| book.methods.len());
    let methods = (0..n_methods).filter_map(|at| {
        let of_books: Vec<MethodScore> = books.iter().map(|book| book.methods[at].clone()).collect();
        MethodScore::pooled(&of_books)
    });
    let pooled = Verdict { score: Score::pooled(&scores), methods: methods.collect() };
    if context.output == OutputFormat::Json {
        render::document(&json!({ "books": documents, "score": pooled.score, "methods": pooled.methods }));
        return Ok(Exit::Done);
    }
    render::lines(&format!("{}\n\n{}", markdown_table(&BOOKS, &rows), markdown(&pooled)));
    Ok(Exit::Done)
}

/// Simulates, lands and analyses one book. Returns its lake and how many findings there are.
fn analysed(context: &Context, config: &Config, out: &Path) -> Result<(Lake, usize), Failure> {
    match std::fs::remove_dir_all(out) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(Failure::usage(format!("could not replace `{}`: {e}", out.display())));
        }
        _ => {}
    }
    generate(config, out)?;
    if config.msp == Msp::Autotask {
        for name in ["northbridge", "vaultline"] {
            let path = out.join(format!("mapping/{name}.toml"));
            mapped::file::load(&path).map_err(|e| Failure::environment(e.to_string()))?;
        }
    }
    let lake = Lake::create(&out.join("lake"))?;
    let files = plan::files(&[out.join("exports")]).map_err(|e| Failure::environment(e.to_string()))?;
    let options = ingest::Options { system: None, recorded_at: None, threads: context.threads, queries: None };
    let outcomes = ingest::ingest(&lake, &files, &options, context.runtime.handle(), &Silent)?;
    for (path, outcome) in outcomes {
        if let ingest::Outcome::Refused(error) = outcome {
            return Err(Failure::environment(format!("{}: {error}", path.display())));
        }
    }
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
    let analysis = context.runtime.block_on(analyze(&lake, &request))?;
    Ok((lake, analysis.findings.iter().filter(|finding| is_open(finding)).count()))
}

const BOOKS: [&str; 9] = [
    "MSP",
    "seed",
    "planted",
    "recall",
    "by money",
    "precision",
    "money error, median / total",
    "onset within a month",
    "findings in the clean book",
];

fn book_row(msp: Msp, seed: u64, book: &Verdict, in_clean: usize) -> Vec<String> {
    let score = &book.score.figures;
    vec![
        msp.to_string(),
        seed.to_string(),
        score.planted.to_string(),
        share(score.recall),
        share(score.money_weighted_recall),
        share(score.precision),
        format!("{} / {}", share(score.median_joint_money_error), share(score.total_money_error)),
        share(score.onset_within_one),
        in_clean.to_string(),
    ]
}
