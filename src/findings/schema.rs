//! The fixed schema of a finding: the contract that exports, BI tools and people's scripts rely on.

use crate::month::{Month, Quarter};
use rust_decimal::Decimal;

/// Whose loss a finding's money is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// The MSP delivered and did not charge.
    Revenue,
    /// The MSP pays for something that nobody pays back.
    Cost,
    /// The customer paid too much: reported beside leakage, never netted against it.
    Overbilling,
}

impl Basis {
    /// The basis of a text in a header or a `basis` column.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Revenue, Self::Cost, Self::Overbilling].into_iter().find(|basis| basis.as_str() == text)
    }

    /// The text in the `basis` column.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revenue => "revenue",
            Self::Cost => "cost",
            Self::Overbilling => "overbilling",
        }
    }
}

/// One finding, one row. Column names and order are those of `columns`.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Stable over quarters and runs: hash of signal, customer, service and currency.
    pub finding_id: String,
    /// The signal's id, which is also its SQL file's name.
    pub signal: String,
    /// `trend` or `seam`.
    pub family: String,
    /// The analysed quarter.
    pub quarter: Quarter,
    /// Empty where the finding is about a service as a whole.
    pub customer_key: Option<String>,
    /// The customer's name for people.
    pub customer_name: Option<String>,
    /// Empty where the finding is about a customer as a whole.
    pub service_key: Option<String>,
    /// The service's name for people.
    pub service_name: Option<String>,
    /// First service month of the condition, which may lie before the quarter.
    pub first_month: Month,
    /// Last service month of the condition within the quarter; of a resolved one, the last before.
    pub last_month: Month,
    /// ISO 4217 code of every amount in the row.
    pub currency: String,
    /// Lower end of the interval for `leakage`.
    pub leakage_low: Decimal,
    /// The MSP's loss in the analysed quarter; zero where the loss is not the MSP's.
    pub leakage: Decimal,
    /// Upper end of the interval for `leakage`.
    pub leakage_high: Decimal,
    /// Twelve times the monthly mean over the affected months of the quarter.
    pub annual_run_rate: Decimal,
    /// `critical`, `high`, `medium` or `low`.
    pub severity: String,
    /// 0 to 1: exact for seam signals, 1 - q for trend signals.
    pub confidence: f64,
    /// Unadjusted p-value of a trend.
    pub p_value: Option<f64>,
    /// Benjamini-Hochberg adjusted p-value of a trend.
    pub q_value: Option<f64>,
    /// Theil-Sen slope per month of the log ratio that the signal tests.
    pub slope: Option<f64>,
    /// Lower 95 % limit of the slope.
    pub slope_low: Option<f64>,
    /// Upper 95 % limit of the slope.
    pub slope_high: Option<f64>,
    /// When the condition began, where a change point was found.
    pub change_month: Option<Month>,
    /// Against earlier analyses: `new`, `persisting`, `worse`, `improving`, `resolved`, `reopened` (`findings/status.rs`).
    pub status: String,
    /// Plain language with the numbers in it.
    pub explanation: String,
    /// Whose loss it is.
    pub basis: Basis,
    /// The customer's money; zero unless `basis` is over-billing.
    pub overbilled: Decimal,
}
