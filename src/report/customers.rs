//! The customers that leak most, and the others in one row, so that each table adds up to the headline.

use super::{ReportData, format, view::bar};
use crate::findings::Finding;
use rust_decimal::Decimal;
use serde::Serialize;
use std::collections::BTreeMap;

/// Customers that get a row of their own.
const SHOWN: usize = 12;
/// Characters of a name.
const NAME: usize = 80;

/// The customers of one currency.
#[derive(Debug, Serialize)]
pub(super) struct CustomerTable {
    currency: String,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    findings: String,
    leakage: String,
    overbilled: String,
    /// Widths out of 100, on one scale for the whole table.
    leakage_bar: String,
    overbilled_bar: String,
    /// Several customers, or none in particular.
    is_summed: bool,
}

#[derive(Clone, Default)]
struct Sums {
    name: String,
    is_summed: bool,
    findings: u64,
    leakage: Decimal,
    overbilled: Decimal,
}

impl Sums {
    fn add(&mut self, finding: &Finding) {
        self.findings += 1;
        self.leakage += finding.leakage;
        self.overbilled += finding.overbilled;
    }
}

/// One table per currency, in the order of the totals.
pub(super) fn tables(data: &ReportData) -> Vec<CustomerTable> {
    data.totals.iter().filter_map(|total| table(&data.findings, &total.currency)).collect()
}

fn table(findings: &[Finding], currency: &str) -> Option<CustomerTable> {
    // By key: two customers may have one name.
    let mut by_customer: BTreeMap<&str, Sums> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.currency == currency) {
        let stated = |text: &Option<String>| text.as_deref().filter(|text| !text.trim().is_empty()).map(str::to_owned);
        let name = stated(&finding.customer_name).or_else(|| stated(&finding.customer_key));
        let sums = by_customer.entry(finding.customer_key.as_deref().unwrap_or_default()).or_default();
        sums.add(finding);
        sums.is_summed = name.is_none();
        sums.name = name.unwrap_or_else(|| "No single customer: all of a service, or not mapped".to_owned());
    }
    let mut sums: Vec<Sums> = by_customer.into_values().collect();
    sums.sort_by(|a, b| (b.leakage, b.overbilled, &a.name).cmp(&(a.leakage, a.overbilled, &b.name)));
    if sums.len() > SHOWN + 1 {
        let others = sums.split_off(SHOWN);
        let sum = |of: fn(&Sums) -> Decimal| others.iter().map(of).sum();
        sums.push(Sums {
            name: format!("{} others", others.len()),
            is_summed: true,
            findings: others.iter().map(|sums| sums.findings).sum(),
            leakage: sum(|sums| sums.leakage),
            overbilled: sum(|sums| sums.overbilled),
        });
    }
    let largest = sums.iter().map(|sums| sums.leakage.max(sums.overbilled)).max()?;
    let row = |sums: &Sums| Row {
        name: format::shortened(&sums.name, NAME),
        findings: format::count(sums.findings),
        leakage: format::plain_money(sums.leakage, currency),
        overbilled: format::plain_money(sums.overbilled, currency),
        leakage_bar: bar(sums.leakage, largest),
        overbilled_bar: bar(sums.overbilled, largest),
        is_summed: sums.is_summed,
    };
    Some(CustomerTable { currency: format::clean(currency), rows: sums.iter().map(row).collect() })
}
