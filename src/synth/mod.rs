//! Seeded MSP simulator: exports in the real formats, planted leaks, and a truth file to score findings against.
//!
//! ```text
//! world (who bought what)  ->  benign effects  ->  leaks  ->  landscape  ->  one writer per export
//!                                                    |
//!                                                    +---->  truth.csv  ->  score
//! ```
//!
//! The simulator knows how an MSP works and nothing about how leaks are found. The same configuration always writes the
//! same bytes: chance comes from the seed, time from the configuration, and no number passes through floating point.
//!
//! | file | holds |
//! |---|---|
//! | `world`, `customers`, `catalogue`, `agreement`, `pair`, `timeline`, `calendar` | the true history |
//! | `benign`, `leaks` | what is done to it |
//! | `invoices` | which invoice carries which line |
//! | `landscape` | which system reports, contracts and bills what: the same world in three MSPs |
//! | `writers` | one writer per export |
//! | `truth`, `score` | what the leaks cost, and how much of it was found |
//! | `baselines` | how much of it simpler methods find |

mod agreement;
pub mod baselines;
mod benign;
mod calendar;
mod catalogue;
mod customers;
mod dice;
mod error;
mod invoices;
mod landscape;
mod leaks;
mod output;
mod pair;
pub mod score;
mod timeline;
pub mod truth;
mod world;
mod writers;

pub use error::SynthError;
pub use landscape::Msp;
pub use output::FileCount;

use crate::month::{Month, Quarter};
use output::{Output, Table};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use world::World;

/// The shortest span with some history before its last quarter.
const MIN_MONTHS: usize = 12;

/// Whether leaks are planted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeakPlan {
    /// Every kind, in three to six percent of the customers each.
    #[default]
    Planted,
    /// None: benign effects only, so that every finding is a false alarm.
    Clean,
}

/// What to simulate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The same seed gives the same book.
    pub seed: u64,
    /// Customers, the MSP's own company not counted.
    pub customers: usize,
    /// First month with exports; most customers are older.
    pub first_month: Month,
    /// Months with exports.
    pub months: usize,
    /// Which systems it works with.
    pub msp: Msp,
    /// Whether leaks are planted.
    pub leaks: LeakPlan,
    /// The quarter whose money the truth file states.
    pub analysed_quarter: Quarter,
}

impl Default for Config {
    /// 300 customers, January 2024 to September 2026, analysed in the third quarter of 2026.
    fn default() -> Self {
        Self::spanning(1, 300, Month::from_index(2024 * 12), 33)
    }
}

impl Config {
    /// A book with leaks over `months` months from `first_month`, analysed in its last full quarter.
    #[must_use]
    pub fn spanning(seed: u64, customers: usize, first_month: Month, months: usize) -> Self {
        let after = first_month.plus(i32::try_from(months).unwrap_or(i32::MAX / 2));
        let analysed_quarter = Quarter::of(Quarter::of(after).first_month().plus(-1));
        Self { seed, customers, first_month, months, msp: Msp::default(), leaks: LeakPlan::Planted, analysed_quarter }
    }

    fn last_month(&self) -> Month {
        self.first_month.plus(i32::try_from(self.months).unwrap_or(i32::MAX / 2) - 1)
    }

    fn check(&self) -> Result<(), SynthError> {
        if self.customers == 0 || self.months < MIN_MONTHS {
            return Err(SynthError::TooSmall { months: self.months, customers: self.customers, min_months: MIN_MONTHS });
        }
        let quarter = self.analysed_quarter;
        if quarter.first_month() < self.first_month || quarter.last_month() > self.last_month() {
            return Err(SynthError::QuarterOutsideSpan { quarter, first_month: self.first_month, last_month: self.last_month() });
        }
        Ok(())
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Files and rows by kind of file.
    pub files: BTreeMap<&'static str, FileCount>,
    /// Rows over all exports.
    pub rows: usize,
    /// Customers, the MSP's own company not counted.
    pub customers: usize,
    /// Months in which each customer was one: what false alarms are counted against.
    pub customer_months: u64,
    /// Planted leaks by the signal that is about them.
    pub leaks: BTreeMap<String, usize>,
    /// Planted benign effects by name.
    pub benign: BTreeMap<&'static str, usize>,
}

/// Writes the exports below `out/exports`, mapping files for some of them into `out/mapping`, and `truth.csv`, `benign.csv` and `manifest.json` into `out`.
///
/// # Errors
/// When the configuration describes no possible book, or a file cannot be written.
pub fn generate(config: &Config, out: &Path) -> Result<Summary, SynthError> {
    config.check()?;
    let mut world = World::build(config.seed, config.customers, config.first_month, config.months);
    let benign = benign::plant(&mut world);
    let leaks = match config.leaks {
        LeakPlan::Planted => leaks::plant(&mut world, config.analysed_quarter),
        LeakPlan::Clean => Vec::new(),
    };
    // What a person would ingest lies apart from what only a scorer may read.
    let mut output = Output::new(&out.join("exports"));
    writers::write(&world, config.msp, &mut output)?;
    let exports = output.counts.clone();
    let mut output = Output::new(out);
    writers::write_mappings(config.msp, &mut output)?;
    let truth = truth::rows(&world, &leaks, config.analysed_quarter);
    write_truth(&mut output, &truth)?;
    write_benign(&mut output, &benign)?;
    let mut summary = Summary {
        rows: exports.values().map(|count| count.rows).sum(),
        files: exports,
        customers: config.customers,
        customer_months: customer_months(&world),
        leaks: BTreeMap::new(),
        benign: BTreeMap::new(),
    };
    for row in &truth {
        *summary.leaks.entry(row.signal.clone()).or_default() += 1;
    }
    for effect in &benign {
        *summary.benign.entry(effect.effect).or_default() += 1;
    }
    output.json("manifest", "manifest.json", 1, &manifest(config, &summary, &truth))?;
    Ok(summary)
}

fn write_truth(output: &mut Output, truth: &[truth::TruthRow]) -> Result<(), SynthError> {
    let mut table = Table::new(&truth::COLUMNS);
    table.rows = truth.iter().map(truth::cells).collect();
    output.csv("truth", "truth.csv", &table)
}

fn write_benign(output: &mut Output, benign: &[benign::Benign]) -> Result<(), SynthError> {
    let mut table = Table::new(&["effect", "customer_key", "service_key", "month", "note"]);
    for effect in benign {
        table.rows.push(vec![
            effect.effect.to_owned(),
            effect.customer_key.clone(),
            effect.service_key.to_owned(),
            effect.month.map(|month| month.to_string()).unwrap_or_default(),
            effect.note.clone(),
        ]);
    }
    output.csv("benign", "benign.csv", &table)
}

/// Months in which each customer was one.
fn customer_months(world: &World) -> u64 {
    let per_customer = world.registered().map(|customer| {
        let months = world.months().filter(|month| {
            let left = customer.left.is_some_and(|left| left <= month.first_day());
            customer.joined < month.plus(1).first_day() && !left
        });
        months.count() as u64
    });
    per_customer.sum()
}

fn manifest(config: &Config, summary: &Summary, truth: &[truth::TruthRow]) -> Value {
    let mut money: BTreeMap<String, Decimal> = BTreeMap::new();
    for row in truth {
        *money.entry(format!("{} {}", row.basis.as_str(), row.currency)).or_default() += row.money();
    }
    let money: BTreeMap<String, String> = money.into_iter().map(|(key, sum)| (key, format!("{sum:.2}"))).collect();
    json!({
        "msp": config.msp.name(),
        "seed": config.seed,
        "customers": config.customers,
        "first_month": config.first_month.to_string(),
        "months": config.months,
        "leaks_planted": config.leaks == LeakPlan::Planted,
        "analysed_quarter": config.analysed_quarter.to_string(),
        "customer_months": summary.customer_months,
        "files": summary.files,
        "leaks": summary.leaks,
        "benign": summary.benign,
        "planted_money": money,
    })
}
