//! A distributor's list of what it charged for subscriptions, one CSV a month, and `mapping/northbridge.toml` for it.
//!
//! Columns and dates follow the workbook of a real distributor of Microsoft licences. The last day is one that is charged; a change of seats
//! is one row for the difference, at the part of the price that falls on the days left.

use super::grouped;
use crate::month::Month;
use crate::synth::calendar::nth;
use crate::synth::error::SynthError;
use crate::synth::landscape::{Feed, Msp};
use crate::synth::output::{Output, Table};
use crate::synth::world::World;
use crate::synth::writers::licences::{Charge, Edition, Reason, charges};
use chrono::NaiveDate;
use rust_decimal::Decimal;

const COLUMNS: [&str; 14] = [
    "TENANT ID",
    "TENANT NAME",
    "SUBSCRIPTION ID",
    "STOCK CODE",
    "STOCK DESCRIPTION",
    "REFERENCE",
    "QTY",
    "CHARGE TYPE",
    "STATUS",
    "UNIT PRICE",
    "UNIT RRP",
    "TOTAL",
    "START USAGE",
    "END USAGE",
];

/// What the MSP wrote down about these files.
pub(super) const MAPPING: &str = r#"# Northbridge Distribution: what it charged for subscriptions, one CSV a month.
system = "northbridge"

[[export]]
name = "subscriptions"
table = "vendor_usage"

[export.file]
format = "csv"
columns = ["STOCK CODE", "STATUS", "REFERENCE"]

[export.cells]
dates = ["D-MON-YYYY"]
decimal = "."
thousands = ","
signs = ["$"]

[export.columns]
provider = { constant = "Northbridge Distribution" }
customer_native_id = "TENANT ID"
customer_native_name = "TENANT NAME"
native_sku = "STOCK CODE"
native_name = "STOCK DESCRIPTION"
subject_id = "SUBSCRIPTION ID"
line_key = "CHARGE TYPE"
category = { column = "CHARGE TYPE", values = { "TRIAL" = "trial" }, otherwise = "usage" }
measure = { constant = "level" }
quantity = "QTY"
unit_cost = "UNIT PRICE"
cost = "TOTAL"
currency = { constant = "USD" }
period_start = "START USAGE"
# The last day is still charged.
period_end = { column = "END USAGE", inclusive = true }
"#;

/// Writes `northbridge/subscriptions_*.csv`.
pub(crate) fn write(world: &World, msp: Msp, output: &mut Output) -> Result<(), SynthError> {
    for month in world.months() {
        write_month(world, msp, month, Edition::First, output)?;
        if world.is_restated(msp, Feed::Distributor, month) {
            write_month(world, msp, month, Edition::Corrected, output)?;
        }
    }
    Ok(())
}

fn write_month(world: &World, msp: Msp, month: Month, edition: Edition, output: &mut Output) -> Result<(), SynthError> {
    let issued_on = nth(month.plus(1), if edition == Edition::First { 4 } else { 20 });
    let mut table = Table::new(&COLUMNS);
    let charges = charges(world, msp, Feed::Distributor, month, edition);
    table.rows = charges.iter().map(|charge| COLUMNS.map(|column| cell(world, charge, column)).to_vec()).collect();
    output.csv("distributor", &format!("northbridge/subscriptions_{issued_on}.csv"), &table)
}

fn cell(world: &World, charge: &Charge<'_>, column: &str) -> String {
    let tenant = &world.customers[charge.customer].tenants[charge.account];
    let quantity = charge.after - charge.before;
    let unit_price = charge.day_price.round_dp(2);
    match column {
        "TENANT ID" => tenant.id.clone(),
        "TENANT NAME" => tenant.domain.clone(),
        "SUBSCRIPTION ID" => charge.subscription.clone(),
        "STOCK CODE" => Feed::Distributor.skus(charge.service).swap_remove(0).id,
        "STOCK DESCRIPTION" => charge.service.name.to_owned(),
        "QTY" => grouped(quantity.normalize(), ',', '.'),
        "CHARGE TYPE" => match charge.reason {
            Reason::Cycle { is_new: true } => "NEW",
            Reason::Cycle { is_new: false } => "CYCLE",
            Reason::Change | Reason::Correction => "PRORATA",
            Reason::Trial => "TRIAL",
        }
        .to_owned(),
        "STATUS" => if charge.after.is_zero() { "CANCELLED" } else { "ACTIVE" }.to_owned(),
        "UNIT PRICE" => dollars(unit_price),
        "UNIT RRP" => dollars(charge.service.price().round_dp(2)),
        "TOTAL" => dollars((unit_price * quantity).round_dp(2)),
        "START USAGE" => day(charge.charged.from),
        "END USAGE" => day(charge.charged.last_day()),
        _ => String::new(),
    }
}

/// `1-Jan-2026`.
fn day(day: NaiveDate) -> String {
    day.format("%-d-%b-%Y").to_string()
}

/// `$1,234.50`, `-$3.20`.
fn dollars(amount: Decimal) -> String {
    let text = grouped(amount.abs(), ',', '.');
    let text = if text.contains('.') { text } else { format!("{text}.00") };
    if amount.is_sign_negative() && !amount.is_zero() { format!("-${text}") } else { format!("${text}") }
}
