//! Leakage quarter by quarter, as columns and as the table that says the same.

use super::charts::{self, NARROW, WIDE};
use super::view::Drawing;
use super::{QuarterTotal, ReportData, ReportError, columns, format};
use crate::month::Quarter;
use rust_decimal::Decimal;
use serde::Serialize;

/// The trend in one currency.
#[derive(Debug, Serialize)]
pub(super) struct Trend {
    currency: String,
    title: String,
    description: String,
    drawings: Vec<Drawing>,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    quarter: String,
    is_this: bool,
    leakage: String,
    revenue: String,
    cost: String,
    overbilled: String,
    findings: String,
}

/// One for each currency of which at least two quarters were analysed.
///
/// # Errors
/// [`ReportError::Trend`] if the drawing library gives up.
pub(super) fn trends(data: &ReportData) -> Result<Vec<Trend>, ReportError> {
    let mut currencies: Vec<&str> = Vec::new();
    for total in &data.quarters {
        if !currencies.contains(&total.currency.as_str()) {
            currencies.push(&total.currency);
        }
    }
    let mut trends = Vec::new();
    for currency in currencies {
        let mut totals: Vec<&QuarterTotal> = data.quarters.iter().filter(|total| total.currency == currency).collect();
        totals.sort_by_key(|total| total.quarter);
        if totals.len() > 1 {
            trends.push(Trend::new(currency, &totals, data.quarter)?);
        }
    }
    Ok(trends)
}

impl Trend {
    fn new(currency: &str, totals: &[&QuarterTotal], this: Quarter) -> Result<Self, ReportError> {
        let drawings = [("wide", WIDE), ("narrow", NARROW)]
            .into_iter()
            .map(|(size, canvas)| {
                let markup = columns::draw(totals, this, canvas)
                    .map_err(|source| ReportError::Trend { currency: currency.to_owned(), source })?;
                Ok(Drawing { size, width: canvas.width, height: canvas.height, markup: charts::classes_for_colours(&markup) })
            })
            .collect::<Result<_, ReportError>>()?;
        let money = |amount: Decimal| format::money(amount, currency);
        let said = |total: &QuarterTotal| format!("{} in {}", money(total.leakage()), format::quarter(total.quarter));
        let description = totals.iter().map(|total| said(total)).collect::<Vec<_>>().join(", ");
        let plain = |amount: Decimal| format::plain_money(amount, currency);
        let row = |total: &&QuarterTotal| Row {
            quarter: format::quarter(total.quarter),
            is_this: total.quarter == this,
            leakage: plain(total.leakage()),
            revenue: plain(total.leakage_revenue),
            cost: plain(total.leakage_cost),
            overbilled: plain(total.overbilled),
            findings: format::count(total.findings),
        };
        let currency = format::clean(currency);
        Ok(Self {
            title: format!("Leakage by quarter, {currency}"),
            description: format!("{description}."),
            drawings,
            rows: totals.iter().map(row).collect(),
            currency,
        })
    }
}
