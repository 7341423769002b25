//! What of a leak's money can still be had.
//!
//! ```text
//! detected = recoverable now + recoverable from the next cycle + lost
//! ```
//! | part | is |
//! | --- | --- |
//! | detected | what the finding is counted for, from the leak's beginning to the quarter's end (`leakage` is the quarter's share) |
//! | recoverable now | months that may still be billed: what the contract says was owed, not older than its back-billing limit |
//! | recoverable from next cycle | months that no contract lets the MSP bill after the fact (a price to be renegotiated, a cost to be ended): what mending it brings, cycle by cycle, is of this size |
//! | lost | months older than the limit |
//!
//! The limit counts calendar months back from the day up to which the data reach. It is the contract's own where `contract_terms.csv` states one
//! (`back_billing_months`), else `--back-billing-months`. The default of twelve is an inference: master agreements mostly say six to
//! twenty-four, and Ofgem's rule for energy suppliers, the best known public one, is twelve.
//!
//! Signals of basis `revenue` and family `seam` compare with what is owed, so their money can be billed back; a header may say otherwise
//! (`back_billable: yes` or `no`). Over-billing is the customers' money: nothing of it is here.

use super::cell::{Cell, Subject};
use super::schema::Basis;
use super::signal::Signal;
use crate::money::round_to_minor_unit;
use crate::month::Month;
use rust_decimal::Decimal;
use std::collections::HashMap;

/// Months that may be billed back where nothing else is said.
pub const BACK_BILLING_MONTHS: u32 = 12;

/// Parts of a finding's money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Money {
    /// All of it.
    pub detected: Decimal,
    /// What may be billed today.
    pub now: Decimal,
    /// What only mending brings.
    pub next_cycle: Decimal,
    /// What is too old.
    pub lost: Decimal,
    /// What later invoices show to have come back, of all months of the leak that were ever reported.
    pub recovered: Decimal,
}

impl std::ops::AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        self.detected += other.detected;
        self.now += other.now;
        self.next_cycle += other.next_cycle;
        self.lost += other.lost;
        self.recovered += other.recovered;
    }
}

/// How far back a customer's service may be billed.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The month up to which the data reach.
    pub known_until: Month,
    /// Months back, where no contract says otherwise.
    pub months: u32,
    /// By customer and service.
    pub stated: HashMap<(String, String), u32>,
}

impl Limits {
    /// The oldest month that may still be billed.
    #[must_use]
    pub fn oldest(&self, subject: &Subject) -> Month {
        let pair = subject.customer_key.clone().zip(subject.service_key.clone());
        let months = pair.and_then(|pair| self.stated.get(&pair)).copied().unwrap_or(self.months);
        self.known_until.plus(-i32::try_from(months).unwrap_or(i32::MAX / 2))
    }
}

/// The parts of a finding's money; `cells` are all months of the condition.
#[must_use]
pub fn parts<'a>(signal: &Signal, cells: impl Iterator<Item = &'a Cell>, limits: &Limits) -> Money {
    let mut money = Money::default();
    if signal.basis == Basis::Overbilling {
        return money;
    }
    let mut currency = "";
    for cell in cells {
        currency = &cell.subject.currency;
        let part = match (signal.is_back_billable, cell.month < limits.oldest(&cell.subject)) {
            (false, _) => &mut money.next_cycle,
            (true, true) => &mut money.lost,
            (true, false) => &mut money.now,
        };
        *part += cell.counted;
    }
    for part in [&mut money.now, &mut money.next_cycle, &mut money.lost] {
        *part = round_to_minor_unit(*part, currency);
    }
    money.detected = money.now + money.next_cycle + money.lost;
    money
}
