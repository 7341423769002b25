//! What the leaks cost in the analysed quarter, and the truth file that says so.
//!
//! Money is computed from the parties' histories and not from the leak's parameters, per service and month to the cent. A day counts
//! as its share of the customer's billing period.
//!
//! | leak | money |
//! |---|---|
//! | most | what the customer owed less what the invoices carry |
//! | `orphan_billing`, `duplicate_billing` | the same, the other way round |
//! | `fix_habit` | what was given back |
//! | `cost_charge_drift`, `suspended_still_charged`, `unmapped` | what the vendor charged: above the old price, for units that nobody uses, in all |

use super::calendar::{Billing, months};
use super::error::SynthError;
use super::leaks::{Kind, Leak};
use super::pair::Pair;
use super::world::World;
use crate::month::{Month, Quarter};
use rust_decimal::Decimal;
use std::path::Path;

pub use crate::findings::Basis;

/// The columns of `truth.csv`, in order.
pub const COLUMNS: [&str; 12] = [
    "leak_id",
    "signal",
    "customer_key",
    "service_key",
    "first_month",
    "last_month",
    "quarter",
    "currency",
    "leakage",
    "basis",
    "overbilled",
    "note",
];

/// One planted leak that costs money in the analysed quarter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruthRow {
    /// Names the leak within its book.
    pub leak_id: String,
    /// The signal that is about this kind of leak.
    pub signal: String,
    /// Empty for a leak of a whole service, and for an account that nobody knows of.
    pub customer_key: Option<String>,
    /// Empty for a leak of a whole customer, and for an article that nobody knows of.
    pub service_key: Option<String>,
    /// When it began, which may be before the quarter.
    pub first_month: Month,
    /// Its last month within the quarter.
    pub last_month: Month,
    /// The analysed quarter.
    pub quarter: Quarter,
    /// ISO 4217 code of the amounts.
    pub currency: String,
    /// The MSP's loss in the quarter.
    pub leakage: Decimal,
    /// Whose loss it is.
    pub basis: Basis,
    /// The customer's loss in the quarter.
    pub overbilled: Decimal,
    /// What was done, for people.
    pub note: String,
}

impl TruthRow {
    /// The loss in the quarter, whoever bears it.
    #[must_use]
    pub fn money(&self) -> Decimal {
        if self.basis == Basis::Overbilling { self.overbilled } else { self.leakage }
    }
}

/// A leak's money in the quarter.
pub(crate) struct Worth {
    pub(crate) leakage: Decimal,
    pub(crate) overbilled: Decimal,
    /// What the pair should have brought in the months of the quarter that the leak touches.
    pub(crate) turnover: Decimal,
    pub(crate) last_month: Option<Month>,
}

/// What `leak` costs in `quarter` if its pair's history is `pair`.
pub(crate) fn worth(leak: &Leak, pair: &Pair, billing: Billing, quarter: Quarter) -> Worth {
    let mut worth = Worth { leakage: Decimal::ZERO, overbilled: Decimal::ZERO, turnover: Decimal::ZERO, last_month: None };
    for month in months(quarter.first_month(), 3).filter(|month| *month >= leak.first_month) {
        let (expected, billed) = (pair.expected(month, billing), pair.billed(month, billing));
        let lost = match leak.kind {
            Kind::CostChargeDrift => pair.cost_above(month, leak.cost_before),
            Kind::SuspendedStillCharged => pair.cost_of_idle(month),
            Kind::Unmapped => pair.cost(month),
            Kind::FixHabit => pair.credited(month),
            Kind::OrphanBilling | Kind::DuplicateBilling => billed - expected,
            _ => expected - billed,
        };
        if lost.is_zero() {
            continue;
        }
        match leak.kind.basis() {
            Basis::Overbilling => worth.overbilled += lost,
            Basis::Revenue | Basis::Cost => worth.leakage += lost,
        }
        worth.turnover += expected;
        worth.last_month = Some(month);
    }
    worth
}

/// The truth about every leak, in a stable order.
pub(crate) fn rows(world: &World, leaks: &[Leak], quarter: Quarter) -> Vec<TruthRow> {
    let rows = leaks.iter().filter_map(|leak| {
        let pair = &world.pairs[leak.pair];
        let customer = world.customer_of(pair);
        let worth = worth(leak, pair, customer.billing, quarter);
        let currency = if leak.kind.basis() == Basis::Cost { "USD" } else { customer.currency.code() };
        Some(TruthRow {
            leak_id: String::new(),
            signal: leak.kind.signal().to_owned(),
            // Nobody but the simulator knows who is behind an unknown account, or what an unlisted article is.
            customer_key: (!customer.is_unknown).then(|| customer.key.clone()),
            service_key: Some(pair.service.key.to_owned()).filter(|key| !key.is_empty()),
            first_month: leak.first_month,
            last_month: worth.last_month?,
            quarter,
            currency: currency.to_owned(),
            leakage: worth.leakage,
            basis: leak.kind.basis(),
            overbilled: worth.overbilled,
            note: leak.note.clone(),
        })
    });
    let mut rows: Vec<TruthRow> = rows.collect();
    for (number, row) in rows.iter_mut().enumerate() {
        row.leak_id = format!("L{:04}", number + 1);
    }
    rows
}

/// A row as cells, in the order of [`COLUMNS`].
pub(crate) fn cells(row: &TruthRow) -> Vec<String> {
    vec![
        row.leak_id.clone(),
        row.signal.clone(),
        row.customer_key.clone().unwrap_or_default(),
        row.service_key.clone().unwrap_or_default(),
        row.first_month.to_string(),
        row.last_month.to_string(),
        row.quarter.to_string(),
        row.currency.clone(),
        format!("{:.2}", row.leakage),
        row.basis.as_str().to_owned(),
        format!("{:.2}", row.overbilled),
        row.note.clone(),
    ]
}

/// Reads a truth file.
///
/// # Errors
/// Says file, line, column and value of what cannot be understood.
pub fn read(path: &Path) -> Result<Vec<TruthRow>, SynthError> {
    let unreadable = |source| SynthError::ReadTruth { path: path.to_owned(), source };
    let mut reader = csv::Reader::from_path(path).map_err(unreadable)?;
    let header = reader.headers().map_err(unreadable)?.clone();
    let mut places = [0_usize; COLUMNS.len()];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        let named = |name: &str| name.trim_start_matches('\u{feff}').trim() == column;
        *place = header.iter().position(named).ok_or_else(|| SynthError::TruthColumn {
            path: path.to_owned(),
            column,
            expected: COLUMNS.join(","),
        })?;
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        rows.push(Cells { path, record: &record, places: &places }.row()?);
    }
    Ok(rows)
}

struct Cells<'a> {
    path: &'a Path,
    record: &'a csv::StringRecord,
    places: &'a [usize; COLUMNS.len()],
}

impl Cells<'_> {
    fn row(&self) -> Result<TruthRow, SynthError> {
        let [leak_id, signal, customer, service, first, last, quarter, currency, leakage, basis, overbilled, note] =
            std::array::from_fn(|column| column);
        Ok(TruthRow {
            leak_id: self.text(leak_id).to_owned(),
            signal: self.text(signal).to_owned(),
            customer_key: self.optional(customer),
            service_key: self.optional(service),
            first_month: self.parsed(first, "a month such as 2026-07")?,
            last_month: self.parsed(last, "a month such as 2026-07")?,
            quarter: self.parsed(quarter, "a quarter such as 2026Q3")?,
            currency: self.text(currency).to_owned(),
            leakage: self.parsed(leakage, "an amount such as 123.45")?,
            basis: match self.text(basis) {
                "revenue" => Basis::Revenue,
                "cost" => Basis::Cost,
                "overbilling" => Basis::Overbilling,
                _ => return Err(self.refused(basis, "`revenue`, `cost` or `overbilling`")),
            },
            overbilled: self.parsed(overbilled, "an amount such as 123.45")?,
            note: self.text(note).to_owned(),
        })
    }

    fn text(&self, column: usize) -> &str {
        self.record.get(self.places[column]).unwrap_or_default().trim()
    }

    fn optional(&self, column: usize) -> Option<String> {
        Some(self.text(column)).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn parsed<T: std::str::FromStr>(&self, column: usize, wanted: &'static str) -> Result<T, SynthError> {
        self.text(column).parse().map_err(|_| self.refused(column, wanted))
    }

    fn refused(&self, column: usize, wanted: &'static str) -> SynthError {
        SynthError::TruthValue {
            path: self.path.to_owned(),
            line: self.record.position().map_or(0, csv::Position::line),
            column: COLUMNS[column],
            value: self.text(column).to_owned(),
            wanted,
        }
    }
}
