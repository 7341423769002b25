//! Reports for people: the model of a quarter's result, the self-contained HTML page drawn from it, and the workbook (`workbook.rs`).
//!
//! ```text
//! ReportData ── view.rs ──> display strings ──┐
//!           └── series.rs ─> charts.rs ─> SVG ┴─ html.rs + page.{html.j2,css,js} ──> one file
//! ```
//!
//! The page refers to nothing outside itself, reads no clock and gives the same bytes for the same data. Money stays
//! decimal up to the printed text; `f64` appears only for pixel coordinates and for statistics that are `f64` already.

mod charts;
mod format;
mod html;
mod series;
mod view;
mod workbook;

pub use html::{MAX_FINDINGS, render};
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
    /// What should have been billed in the quarter, where it could be rated.
    pub expected: Option<Decimal>,
    /// What was billed for the quarter.
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
