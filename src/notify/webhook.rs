//! The generic format: one JSON document for programs, signed as Standard Webhooks have it ([`super::signature`]).

use super::{Alert, Total, text, totals};
use crate::findings::Finding;
use crate::findings::changes::{Before, Change};
use crate::findings::status::money;
use rust_decimal::Decimal;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Findings in one document: some 70 KB, which receivers take.
const MOST: usize = 100;

/// The document.
#[derive(Debug, Serialize)]
pub(super) struct Message<'a> {
    r#type: &'static str,
    timestamp: &'a str,
    data: Data<'a>,
}

#[derive(Debug, Serialize)]
struct Data<'a> {
    run_id: &'a str,
    quarter: String,
    lake: &'a str,
    new: usize,
    worsened: usize,
    /// Money of what is told, and by how much it rose.
    totals: Vec<Total>,
    increases: Vec<Total>,
    /// Money of all that the run lists.
    quarter_totals: &'a [Total],
    findings: Vec<Row>,
    /// Told of in the totals only.
    not_listed: usize,
    list: String,
}

#[derive(Debug, Serialize)]
struct Row {
    change: &'static str,
    #[serde(serialize_with = "text")]
    money: Decimal,
    #[serde(serialize_with = "text")]
    increase: Decimal,
    before: Option<Was>,
    finding_id: String,
    signal: String,
    family: String,
    quarter: String,
    customer_key: Option<String>,
    customer_name: Option<String>,
    service_key: Option<String>,
    service_name: Option<String>,
    first_month: String,
    last_month: String,
    currency: String,
    #[serde(serialize_with = "text")]
    leakage_low: Decimal,
    #[serde(serialize_with = "text")]
    leakage: Decimal,
    #[serde(serialize_with = "text")]
    leakage_high: Decimal,
    #[serde(serialize_with = "text")]
    annual_run_rate: Decimal,
    severity: String,
    confidence: f64,
    status: String,
    explanation: String,
    basis: &'static str,
    #[serde(serialize_with = "text")]
    overbilled: Decimal,
    explain: String,
}

#[derive(Debug, Serialize)]
struct Was {
    run_id: String,
    quarter: String,
    #[serde(serialize_with = "text")]
    money: Decimal,
    severity: String,
}

impl From<&Before> for Was {
    fn from(before: &Before) -> Self {
        Self {
            run_id: before.run_id.clone(),
            quarter: before.quarter.to_string(),
            money: before.money,
            severity: before.severity.clone(),
        }
    }
}

fn row(alert: &Alert, change: &Change) -> Row {
    let f: &Finding = &change.finding;
    Row {
        change: if change.before.is_none() { "new" } else { "worsened" },
        money: money(f),
        increase: change.increase(),
        before: change.before.as_ref().map(Was::from),
        finding_id: f.finding_id.clone(),
        signal: f.signal.clone(),
        family: f.family.clone(),
        quarter: f.quarter.to_string(),
        customer_key: f.customer_key.clone(),
        customer_name: f.customer_name.clone(),
        service_key: f.service_key.clone(),
        service_name: f.service_name.clone(),
        first_month: f.first_month.to_string(),
        last_month: f.last_month.to_string(),
        currency: f.currency.clone(),
        leakage_low: f.leakage_low,
        leakage: f.leakage,
        leakage_high: f.leakage_high,
        annual_run_rate: f.annual_run_rate,
        severity: f.severity.clone(),
        confidence: f.confidence,
        status: f.status.clone(),
        explanation: f.explanation.clone(),
        basis: f.basis.as_str(),
        overbilled: f.overbilled,
        explain: alert.explain_command(f),
    }
}

fn data(alert: &Alert) -> Data<'_> {
    Data {
        run_id: &alert.run_id,
        quarter: alert.quarter.to_string(),
        lake: &alert.lake,
        new: alert.n_new(),
        worsened: alert.changes.len() - alert.n_new(),
        totals: totals(alert.changes.iter().map(|change| (&change.finding, money(&change.finding)))),
        increases: totals(alert.changes.iter().map(|change| (&change.finding, change.increase()))),
        quarter_totals: &alert.quarter_totals,
        findings: alert.changes.iter().take(MOST).map(|change| row(alert, change)).collect(),
        not_listed: alert.changes.len().saturating_sub(MOST),
        list: alert.list_command(),
    }
}

pub(super) fn message<'a>(alert: &'a Alert, timestamp: &'a str) -> Message<'a> {
    Message { r#type: "findings.changed", timestamp, data: data(alert) }
}

/// The id of a message: of what it says and to whom, so that it is the same however often that is tried, also by another process.
#[must_use]
pub fn id(alert: &Alert, url: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(url.as_bytes());
    hash.update([0]);
    hash.update(serde_json::to_vec(&data(alert)).unwrap_or_default());
    format!("msg_{}", crate::lake::archive::hex(&hash.finalize()[..16]))
}
