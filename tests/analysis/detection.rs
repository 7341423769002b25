//! Whether the analysis finds what the simulator planted, and keeps silent where it planted nothing, in every landscape.
//!
//! The simulator plants leaks of every kind; a kind is demanded as soon as there is a signal of its name in `queries/signals`.

use super::support::Book;
use shortfall::findings::analyze::Analysis;
use shortfall::ingest::mapped;
use shortfall::month::Month;
use shortfall::query::catalog::Catalog;
use shortfall::synth::score::score;
use shortfall::synth::{Config, LeakPlan, Msp, Summary, generate, truth};
use std::path::Path;

fn config(msp: Msp, seed: u64, customers: usize, leaks: LeakPlan) -> Config {
    let first = Month::new(2024, 5).expect("a month");
    Config { msp, leaks, ..Config::spanning(seed, customers, first, 29) }
}

/// Everything that the simulator wrote, landed and analysed.
fn analysed(config: &Config, out: &Path) -> (Summary, Analysis) {
    let summary = generate(config, out).expect("a book");
    if config.msp == Msp::Autotask {
        for name in ["northbridge", "vaultline"] {
            mapped::file::load(&out.join(format!("mapping/{name}.toml"))).expect("a mapping");
        }
    }
    let book = Book::of(&[out.join("exports")]);
    let analysis = book.analyze(&config.analysed_quarter.to_string());
    let wrong = book.rows(COUNTED_TWICE);
    assert!(wrong.is_empty(), "counted for more than there is: {wrong:#?}");
    (summary, analysis)
}

/// Customers, services and months of which findings are counted for more than the bridge finds owed, more than it finds over-billed, or more
/// than they cost. Where no price is known, there is no bridge: then revenue is what trends make of it, and only the others are bounded.
const COUNTED_TWICE: &str = "
    WITH counted AS (
      SELECT evidence.customer_key, evidence.service_key, evidence.month, evidence.currency,
             sum(CASE WHEN finding.basis = 'revenue' THEN evidence.counted ELSE 0 END) AS revenue,
             sum(CASE WHEN finding.basis = 'overbilling' THEN evidence.counted ELSE 0 END) AS overbilled,
             sum(CASE WHEN finding.basis = 'cost' THEN evidence.counted ELSE 0 END) AS cost,
             array_to_string(array_agg(finding.signal ORDER BY finding.signal), ', ') AS signals
      FROM marts.finding_evidence AS evidence JOIN marts.finding AS finding ON evidence.finding_id = finding.finding_id
      GROUP BY evidence.customer_key, evidence.service_key, evidence.month, evidence.currency
    ),
    cell AS (
      SELECT customer_key, service_key, month, currency, sum(greatest(amount, 0)) AS owed, -sum(least(amount, 0)) AS given_back
      FROM marts.gap_bridge GROUP BY customer_key, service_key, month, currency
    )
    SELECT counted.*, cell.owed, cell.given_back, fact.cost AS paid
    FROM counted
    JOIN marts.fact_monthly AS fact
      ON counted.customer_key = fact.customer_key AND counted.service_key = fact.service_key AND counted.month = fact.month
      AND counted.currency = fact.currency
    LEFT JOIN cell
      ON counted.customer_key = cell.customer_key AND counted.service_key = cell.service_key AND counted.month = cell.month
      AND counted.currency = cell.currency
    WHERE counted.revenue > cell.owed OR counted.overbilled > cell.given_back OR counted.cost > fact.cost";

#[expect(clippy::print_stdout, reason = "the measured figures, on request")]
fn planted_leaks_are_found_and_little_else(msp: Msp, seed: u64) {
    let out = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let (summary, analysis) = analysed(&config(msp, seed, 40, LeakPlan::Planted), out.path());
    let planted = truth::read(&out.path().join("truth.csv")).expect("the truth");
    let catalog = Catalog::load(None).expect("queries");
    let has_signal = |name: &str| catalog.folder("signals").any(|(signal, _)| signal == name);
    let verdict = score(&planted, &analysis.findings, summary.customer_months);
    let leaks: Vec<_> = verdict.leaks.iter().filter(|leak| has_signal(&leak.signal)).collect();
    let found = leaks.iter().filter(|leak| leak.found).count();
    let (recall, precision) = (found as f64 / leaks.len() as f64, verdict.figures.precision.unwrap_or(0.0));
    println!(
        "{msp}: {found} of {} leaks ({} planted), {} findings, recall {recall:.3}, precision {precision:.3}",
        leaks.len(),
        verdict.figures.planted,
        verdict.figures.findings
    );
    assert!(verdict.figures.planted >= 17, "a leak of each kind: {}", verdict.figures.planted);
    assert!(leaks.len() >= 7, "kinds with a signal: {}", leaks.len());
    let missed: Vec<_> = leaks.iter().filter(|l| !l.found).map(|l| (&l.leak_id, &l.signal, &l.signals)).collect();
    assert!(recall >= 0.9, "recall {recall}: missed {missed:?}");
    let wrong = analysis.findings.iter().filter(|f| verdict.false_alarm_ids.contains(&f.finding_id));
    let wrong: Vec<&String> = wrong.map(|finding| &finding.explanation).collect();
    assert!(precision >= 0.9, "precision {precision}: {wrong:#?}");
    let error = verdict.figures.median_joint_money_error.unwrap_or(1.0);
    assert!(error <= 0.05, "median money error {error}");
}

fn a_clean_book_gives_no_finding(msp: Msp, seed: u64) {
    let out = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let (summary, analysis) = analysed(&config(msp, seed, 30, LeakPlan::Clean), out.path());
    assert!(summary.benign.values().sum::<usize>() > 20, "{:?}", summary.benign);
    let said: Vec<&String> = analysis.findings.iter().map(|f| &f.explanation).collect();
    assert!(said.is_empty(), "{said:#?}");
    assert!(analysis.coverage.iter().all(|c| c.tested() > 0), "{:?}", analysis.coverage);
}

mod connectwise {
    use super::*;

    #[test]
    fn planted() {
        planted_leaks_are_found_and_little_else(Msp::ConnectWise, 5);
    }

    #[test]
    fn clean() {
        a_clean_book_gives_no_finding(Msp::ConnectWise, 6);
    }
}

mod autotask {
    use super::*;

    #[test]
    fn planted() {
        planted_leaks_are_found_and_little_else(Msp::Autotask, 5);
    }

    #[test]
    fn clean() {
        a_clean_book_gives_no_finding(Msp::Autotask, 6);
    }
}

mod halopsa {
    use super::*;

    #[test]
    fn planted() {
        planted_leaks_are_found_and_little_else(Msp::HaloPsa, 5);
    }

    #[test]
    fn clean() {
        a_clean_book_gives_no_finding(Msp::HaloPsa, 6);
    }
}
