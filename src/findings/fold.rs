//! Cells to findings: the months of one condition make one finding, if it reaches into the analysed quarter.

use super::cell::{Cell, Subject};
use super::recoverable::Money;
use super::schema::{Basis, Finding};
use super::signal::Signal;
use crate::lake::archive::hex;
use crate::money::round_to_minor_unit;
use crate::month::Quarter;
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

/// Months without a cell that still belong to one condition: a leak that pauses for a month is the same leak.
const LONGEST_PAUSE: i32 = 2;

/// Names of customers and services for people.
#[derive(Debug, Default)]
pub struct Names {
    /// By customer key.
    pub customers: HashMap<String, String>,
    /// By service key.
    pub services: HashMap<String, String>,
}

/// A finding and the cells of the quarter that it rests on.
#[derive(Debug)]
pub struct Folded {
    /// The finding.
    pub finding: Finding,
    /// Its cells within the quarter.
    pub cells: Vec<Cell>,
    /// Cells of the same condition before the quarter.
    pub earlier: Vec<Cell>,
    /// What of its money can still be had.
    pub money: Money,
}

/// Folds the cells of one signal.
#[must_use]
pub fn fold(signal: &Signal, cells: Vec<Cell>, quarter: Quarter, names: &Names) -> Vec<Folded> {
    let mut by_subject: BTreeMap<(Subject, Basis), Vec<Cell>> = BTreeMap::new();
    for cell in cells {
        by_subject.entry((cell.subject.clone(), cell.basis)).or_default().push(cell);
    }
    by_subject.into_values().filter_map(|cells| one_finding(signal, cells, quarter, names)).collect()
}

fn one_finding(signal: &Signal, cells: Vec<Cell>, quarter: Quarter, names: &Names) -> Option<Folded> {
    // The condition that reaches into the quarter, followed back to its beginning.
    let mut condition: Vec<Cell> = Vec::new();
    for cell in cells.into_iter().filter(|cell| cell.month <= quarter.last_month()).rev() {
        if let Some(next) = condition.last()
            && next.month.index() - cell.month.index() > LONGEST_PAUSE + 1
        {
            break;
        }
        condition.push(cell);
    }
    condition.reverse();
    let onset = condition.first()?.month;
    let (earlier, current): (Vec<Cell>, Vec<Cell>) = condition.into_iter().partition(|cell| cell.month < quarter.first_month());
    let last = current.last()?.clone();
    let is_overbilling = last.basis == Basis::Overbilling;
    let sum = |get: fn(&Cell) -> Decimal| current.iter().map(get).sum::<Decimal>();
    let currency = last.subject.currency.clone();
    let money = sum(|cell| cell.counted);
    let whole = sum(|cell| cell.amount);
    let shown = |value: Decimal| round_to_minor_unit(value, &currency);
    // The interval of what is counted: that of the whole, moved by what others claim.
    let moved = whole - money;
    let low = (sum(|cell| cell.amount_low) - moved).max(Decimal::ZERO).min(money);
    let high = if money.is_zero() { Decimal::ZERO } else { (sum(|cell| cell.amount_high) - moved).max(money) };
    let months = Decimal::from(current.len());
    let annual = shown(money / months * Decimal::from(12));
    let leakage = if is_overbilling { Decimal::ZERO } else { money };
    let confidence = last.q_value.map_or(1.0, |q| (1.0 - q).clamp(0.0, 1.0));
    let name = |names: &HashMap<String, String>, key: &Option<String>| {
        key.as_ref().map(|key| names.get(key).cloned().unwrap_or_else(|| key.clone()))
    };
    let customer_name = name(&names.customers, &last.subject.customer_key);
    let service_name = name(&names.services, &last.subject.service_key);
    let mut finding = Finding {
        finding_id: identity(&signal.id, &last.subject, last.basis),
        signal: signal.id.clone(),
        family: signal.family.clone(),
        quarter,
        customer_key: last.subject.customer_key.clone(),
        customer_name,
        service_key: last.subject.service_key.clone(),
        service_name,
        first_month: onset,
        last_month: last.month,
        currency: currency.clone(),
        leakage_low: shown(if is_overbilling { Decimal::ZERO } else { low }),
        leakage: shown(leakage),
        leakage_high: shown(if is_overbilling { Decimal::ZERO } else { high }),
        annual_run_rate: annual,
        severity: severity(annual).to_owned(),
        confidence,
        p_value: last.p_value,
        q_value: last.q_value,
        slope: last.slope,
        slope_low: last.slope_low,
        slope_high: last.slope_high,
        change_month: last.change_month,
        status: "new".to_owned(),
        explanation: String::new(),
        basis: last.basis,
        overbilled: shown(if is_overbilling { money } else { Decimal::ZERO }),
    };
    finding.explanation = explain(&signal.explanation, &finding, &last, current.len());
    // A habit that lost nothing has no money anywhere else either.
    if money.is_zero() && !whole.is_zero() && !is_overbilling {
        finding.explanation.push_str(". The money is counted with another finding on the same months; this one corroborates it");
    }
    Some(Folded { finding, cells: current, earlier, money: Money::default() })
}

/// The same leak keeps its id from quarter to quarter: a hash of signal, customer, service, currency and whose money it is. Not of the onset,
/// which a window that slides, or a file that comes later, finds in another month (`decisions/0011-identity-of-findings.md`).
#[must_use]
pub fn identity(signal: &str, subject: &Subject, basis: Basis) -> String {
    let mut hash = Sha256::new();
    let (customer, service) = (subject.customer_key.as_deref(), subject.service_key.as_deref());
    let parts = [signal, customer.unwrap_or(""), service.unwrap_or(""), &subject.currency, basis.as_str()];
    for part in parts.into_iter().chain(subject.scope.as_deref()) {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex(&hash.finalize()[..8])
}

/// By annual run rate, in units of the finding's currency.
fn severity(annual: Decimal) -> &'static str {
    match annual {
        a if a >= Decimal::from(25_000) => "critical",
        a if a >= Decimal::from(5_000) => "high",
        a if a >= Decimal::from(500) => "medium",
        _ => "low",
    }
}

/// Fills `{placeholders}`: the finding's own figures, else the column of the last month's cell.
fn explain(template: &str, finding: &Finding, last: &Cell, months: usize) -> String {
    let mut text = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            text.push('{');
            rest = after;
            continue;
        };
        let value = match name {
            "customer" => finding.customer_name.clone().unwrap_or_else(|| "all customers".to_owned()),
            "service" => finding.service_name.clone().unwrap_or_else(|| "all services".to_owned()),
            "leakage" => finding.leakage.to_string(),
            "overbilled" => finding.overbilled.to_string(),
            // Whoever's it is.
            "money" => (finding.leakage + finding.overbilled).to_string(),
            "currency" => finding.currency.clone(),
            "first_month" => finding.first_month.to_string(),
            "last_month" => finding.last_month.to_string(),
            "months" => months.to_string(),
            column => last.texts.get(column).cloned().unwrap_or_else(|| "?".to_owned()),
        };
        text.push_str(&value);
        rest = after;
    }
    text.push_str(rest);
    text
}
