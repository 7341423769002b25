//! Reports for people: the model of a quarter's result, the self-contained HTML page drawn from it, and the workbooks (`workbook.rs`,
//! `rows_book.rs`).
//!
//! ```text
//! ReportData ─┬─ view.rs ──> display strings ──┐
//!           ├── waterfall.rs, customers.rs ───┤
//!           ├── trend.rs ──> columns.rs ─> SVG ┤
//!           └── series.rs ─> charts.rs ──> SVG ┴─ html.rs + page.{html.j2,css,js} ──> one file
//! ```
//!
//! The page refers to nothing outside itself, reads no clock and gives the same bytes for the same data. Money stays
//! decimal up to the printed text; `f64` appears only for pixel coordinates and for statistics that are `f64` already.

mod charts;
mod columns;
mod customers;
mod format;
mod html;
mod rows_book;
mod series;
mod trend;
mod view;
mod waterfall;
mod workbook;

pub use html::{MAX_FINDINGS, render};
pub use rows_book::rows_book;
pub use workbook::{EvidenceRow, MeasureRow, workbook};

use crate::findings::Finding;
use crate::month::{Month, Quarter};
use chrono::NaiveDate;
use plotters::drawing::DrawingAreaErrorKind;
use rust_decimal::Decimal;
use std::collections::HashMap;

/// Everything a report says about one quarter.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportData {
    /// The analysed quarter.
    pub quarter: Quarter,
    /// The day up to which arrivals were taken into account.
    pub as_of: NaiveDate,
    /// Where the data lies, as the user named it.
    pub lake: String,
    /// One row per currency; currencies are never added together.
    pub totals: Vec<CurrencyTotal>,
    /// One row per signal and currency that found something, in the order they should be read.
    pub by_signal: Vec<SignalTotal>,
    /// From expected to billed, at most one for each currency.
    pub waterfalls: Vec<Waterfall>,
    /// Leakage of the analysed quarters up to this one; a trend is shown where a currency has two or more.
    pub quarters: Vec<QuarterTotal>,
    /// The findings, most important first. The page shows the first [`MAX_FINDINGS`].
    pub findings: Vec<Finding>,
    /// By finding, what happened when it began, in a sentence.
    pub causes: HashMap<String, String>,
    /// Monthly series behind findings, at most one for each; those of findings not shown are ignored.
    pub charts: Vec<FindingChart>,
    /// What each signal could and could not test.
    pub coverage: Vec<CoverageRow>,
    /// Whether revenue integrity rests on systems or on people, for the whole book.
    pub scorecard: Vec<ScoreRow>,
    /// Anything a reader must know before trusting the figures, one paragraph each.
    pub notes: Vec<String>,
    /// Program and version.
    pub generated_by: String,
}

/// The quarter's result in one currency.
#[derive(Clone, Debug, PartialEq)]
pub struct CurrencyTotal {
    /// ISO 4217 code.
    pub currency: String,
    /// Delivered and not charged.
    pub leakage_revenue: Decimal,
    /// Paid for and recovered from nobody.
    pub leakage_cost: Decimal,
    /// `leakage_revenue + leakage_cost`; a report whose parts do not add up is refused.
    pub leakage: Decimal,
    /// Sum of the findings' lower ends.
    pub leakage_low: Decimal,
    /// Sum of the findings' upper ends.
    pub leakage_high: Decimal,
    /// The customers' money, to give back: beside leakage, never netted against it.
    pub overbilled: Decimal,
    /// What should have been billed in the quarter, where it could be rated and billing has run.
    pub expected: Option<Decimal>,
    /// What was billed there, with single charges and credits.
    pub billed: Option<Decimal>,
    /// Findings in this currency, shown or not.
    pub findings: u64,
}

/// What one signal found in one currency.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalTotal {
    /// The signal's id.
    pub signal: String,
    /// Its name for people.
    pub title: String,
    /// The question it answers.
    pub question: String,
    /// `trend` or `seam`.
    pub family: String,
    /// ISO 4217 code.
    pub currency: String,
    /// How many findings.
    pub findings: u64,
    /// The MSP's loss.
    pub leakage: Decimal,
    /// The customers' money.
    pub overbilled: Decimal,
}

/// From what should have been billed to what was, in one currency and in whole minor units: `expected` less all steps is `billed`.
#[derive(Clone, Debug, PartialEq)]
pub struct Waterfall {
    /// ISO 4217 code.
    pub currency: String,
    /// What should have been billed, where it could be rated and billing has run.
    pub expected: Decimal,
    /// What was billed there.
    pub billed: Decimal,
    /// What lies between, in the order in which it is to be read.
    pub steps: Vec<Step>,
}

/// What takes from the expected revenue, or adds to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its name for people.
    pub title: String,
    /// Whether a signal looks for it; the other steps are explanations.
    pub is_signal: bool,
    /// Positive is billed less than expected.
    pub amount: Decimal,
}

impl Step {
    /// What it means for the MSP.
    #[must_use]
    pub fn kind(&self) -> StepKind {
        match (self.amount < Decimal::ZERO, self.is_signal) {
            (true, _) => StepKind::Raised,
            (false, true) => StepKind::Leak,
            (false, false) => StepKind::Explained,
        }
    }
}

/// What a step means for the MSP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// Not billed, and a signal looks for it.
    Leak,
    /// Not billed, and no leak: credits, rounding.
    Explained,
    /// Billed beyond what was expected.
    Raised,
}

/// What an analysed quarter came to in one currency.
#[derive(Clone, Debug, PartialEq)]
pub struct QuarterTotal {
    /// The quarter.
    pub quarter: Quarter,
    /// ISO 4217 code.
    pub currency: String,
    /// Delivered and not charged.
    pub leakage_revenue: Decimal,
    /// Paid for and recovered from nobody.
    pub leakage_cost: Decimal,
    /// The customers' money.
    pub overbilled: Decimal,
    /// How many findings.
    pub findings: u64,
}

impl QuarterTotal {
    /// The MSP's loss.
    #[must_use]
    pub fn leakage(&self) -> Decimal {
        self.leakage_revenue + self.leakage_cost
    }
}

/// Which two series a chart compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChartKind {
    /// Delivered quantity against revenue, both indexed because their units differ.
    UsageRevenue,
    /// Vendor cost against the customer's charge, in money.
    CostCharge,
    /// Revenue per active user, in money, over the number of active users.
    Arpu,
    /// Delivered against billed quantity, in the same unit.
    QuantityBilled,
}

/// The monthly series behind one finding.
#[derive(Clone, Debug, PartialEq)]
pub struct FindingChart {
    /// The [`Finding::finding_id`] it belongs to.
    pub finding_id: String,
    /// What `left` and `right` of each point are.
    pub kind: ChartKind,
    /// ISO 4217 code of the money series.
    pub currency: String,
    /// Unit of the quantity series, such as `seats` or `GB`, where known.
    pub unit: Option<String>,
    /// One point per month; a month that is missing, or `None`, breaks the line.
    pub points: Vec<ChartPoint>,
    /// When the condition began, where a change point was found.
    pub change_month: Option<Month>,
}

/// One month of a chart.
///
/// | kind | `left` | `right` |
/// |---|---|---|
/// | `UsageRevenue` | delivered quantity | revenue |
/// | `CostCharge` | vendor cost | charge |
/// | `Arpu` | revenue per active user | active users |
/// | `QuantityBilled` | delivered quantity | billed quantity |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChartPoint {
    /// The service month.
    pub month: Month,
    /// First series.
    pub left: Option<Decimal>,
    /// Second series.
    pub right: Option<Decimal>,
}

/// What one signal could test and what it could not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoverageRow {
    /// The signal's id.
    pub signal: String,
    /// Its name for people.
    pub title: String,
    /// Series or rows that were tested.
    pub tested: u64,
    /// Series with too little history for a trend.
    pub too_short: u64,
    /// Series that lack an input, such as a contract price.
    pub not_testable: u64,
    /// What was missing, or empty.
    pub why: String,
}

/// One measure of the scorecard, as text for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoreRow {
    /// Its name, with the currency where it is about money.
    pub title: String,
    /// `93.4 %`, `47 days`, `no data`.
    pub now: String,
    /// The earlier value and its quarter, or empty.
    pub before: String,
    /// `better`, `worse`, `same`, `first`, or empty.
    pub trend: String,
}

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A headline that contradicts itself must not be printed.
    #[error("totals in {currency} do not add up: leakage {leakage} is not revenue {leakage_revenue} plus cost {leakage_cost}")]
    TotalsDisagree {
        /// Currency of the row.
        currency: String,
        /// Its total.
        leakage: Decimal,
        /// Its revenue part.
        leakage_revenue: Decimal,
        /// Its cost part.
        leakage_cost: Decimal,
    },
    /// Steps that do not lead from expected to billed must not be drawn.
    #[error("the steps in {currency} lead to {reached}, and {billed} was billed")]
    WaterfallDisagrees {
        /// Its currency.
        currency: String,
        /// What was billed.
        billed: Decimal,
        /// Expected less all steps.
        reached: Decimal,
    },
    /// The drawing library refused.
    #[error("could not draw the leakage by quarter in {currency}")]
    Trend {
        /// Its currency.
        currency: String,
        /// What the drawing library said.
        source: DrawingAreaErrorKind<std::io::Error>,
    },
    /// The library that writes workbooks refused.
    #[error("could not write the workbook: {detail}")]
    Workbook {
        /// What it said.
        detail: String,
    },
    /// The drawing library refused.
    #[error("could not draw the chart of finding {finding_id}")]
    Chart {
        /// The finding.
        finding_id: String,
        /// What the drawing library said.
        source: DrawingAreaErrorKind<std::io::Error>,
    },
    /// The embedded template and the data model disagree: a bug in Shortfall.
    #[error("could not fill the report page; please report this as a bug in shortfall")]
    Template(#[source] minijinja::Error),
}
