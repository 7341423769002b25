//! A European backup vendor's monthly statement, one CSV a month, and `mapping/vaultline.toml` for it.

use super::grouped;
use crate::month::Month;
use crate::synth::calendar::{Span, nth};
use crate::synth::error::SynthError;
use crate::synth::landscape::{Feed, Msp};
use crate::synth::output::{Output, Table};
use crate::synth::pair::Pair;
use crate::synth::world::World;
use chrono::NaiveDate;
use rust_decimal::Decimal;

const COLUMNS: [&str; 9] =
    ["Account", "Customer", "Article", "Description", "From", "To", "Volume GB", "Price per GB", "Amount USD"];

/// What the MSP wrote down about these files.
pub(super) const MAPPING: &str = r#"# Vaultline: the monthly statement of backup storage, a CSV with semicolons.
system = "vaultline"

[[export]]
name = "statement"
table = "vendor_usage"

[export.file]
format = "csv"
separator = ";"
columns = ["Account", "Article", "Volume GB"]

[export.cells]
dates = ["%d.%m.%Y"]
decimal = ","
thousands = "."

[export.columns]
provider = { constant = "Vaultline" }
customer_native_id = "Account"
customer_native_name = "Customer"
native_sku = "Article"
native_name = "Description"
category = { constant = "usage" }
measure = { constant = "flow" }
quantity = "Volume GB"
unit = { constant = "GB" }
unit_cost = "Price per GB"
cost = "Amount USD"
currency = { constant = "USD" }
period_start = "From"
period_end = { column = "To", inclusive = true }
"#;

/// Writes `vaultline/statement_*.csv`; a statement that was wrong is issued again.
pub(crate) fn write(world: &World, msp: Msp, output: &mut Output) -> Result<(), SynthError> {
    for month in world.months() {
        let is_restated = world.is_restated(msp, Feed::BackupVendor, month);
        for (issued_on, is_first) in [(2, true), (20, false)].into_iter().filter(|(_, is_first)| *is_first || is_restated) {
            let mut table = Table::new(&COLUMNS);
            table.separator = b';';
            let sold = world.pairs.iter().filter(|pair| msp.feed(pair.service) == Some(Feed::BackupVendor));
            table.rows = sold.filter_map(|pair| row(world, pair, month, is_first)).collect();
            output.csv("backup_vendor", &format!("vaultline/statement_{}.csv", nth(month.plus(1), issued_on)), &table)?;
        }
    }
    Ok(())
}

fn row(world: &World, pair: &Pair, month: Month, is_first: bool) -> Option<Vec<String>> {
    let unknown = pair.restated.get(&month).filter(|_| is_first).map_or(Decimal::ZERO, |restated| restated.units);
    let volume = pair.usage()?.get(&month)?.delivered() - unknown;
    let span = Span::month(month);
    let (customer, price) = (world.customer_of(pair), pair.unit_cost.at(span.from));
    let article = Feed::BackupVendor.skus(pair.service).into_iter().next()?;
    let number = |value: Decimal| grouped(value.normalize(), '.', ',');
    Some(vec![
        customer.vault_account(),
        customer.name.clone(),
        article.id,
        article.name,
        day(span.from),
        day(span.last_day()),
        number(volume),
        number(price),
        grouped((volume * price).round_dp(2), '.', ','),
    ])
}

/// `01.07.2026`.
fn day(day: NaiveDate) -> String {
    day.format("%d.%m.%Y").to_string()
}
