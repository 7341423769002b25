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

/// Writes `vaultline/statement_*.csv`.
pub(crate) fn write(world: &World, msp: Msp, output: &mut Output) -> Result<(), SynthError> {
    for month in world.months() {
        let mut table = Table::new(&COLUMNS);
        table.separator = b';';
        let sold = world.pairs.iter().filter(|pair| msp.feed(pair.service) == Some(Feed::BackupVendor));
        table.rows = sold.filter_map(|pair| row(world, pair, month)).collect();
        output.csv("backup_vendor", &format!("vaultline/statement_{}.csv", nth(month.plus(1), 2)), &table)?;
    }
    Ok(())
}

fn row(world: &World, pair: &Pair, month: Month) -> Option<Vec<String>> {
    let volume = pair.usage()?.get(&month)?.delivered();
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
