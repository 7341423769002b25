//! Autotask PSA: who the customers are, what they agreed to, what was posted and what was invoiced, in pages of 500.
//!
//! | file | writes |
//! |---|---|
//! | `register` | companies, contracts, services, bundles, currencies |
//! | `units` | prices and units of contract services and bundles |
//! | `billing` | billing items, invoices, contract charges |
//!
//! Unit rows hold their own history; prices do not, so `ContractServices` is saved on the first of each month and on days on
//! which a price changes.

mod billing;
mod register;
mod units;

use crate::month::Month;
use crate::synth::customers::{Currency, Customer};
use crate::synth::error::SynthError;
use crate::synth::output::Output;
use crate::synth::pair::Pair;
use crate::synth::world::World;
use chrono::NaiveDate;
use serde_json::{Value, json};

const HOST: &str = "https://webservices.example-psa.net/atservicesrest/v1.0";
/// Items on a page.
const PAGE: usize = 500;

/// Writes `autotask/*.json`.
pub(crate) fn write(world: &World, output: &mut Output) -> Result<(), SynthError> {
    register::write(world, output)?;
    units::write(world, output)?;
    billing::write(world, output)
}

/// Saves every page of one entity as of `day`.
fn save(output: &mut Output, entity: &'static Entity, day: NaiveDate, items: Vec<Value>) -> Result<(), SynthError> {
    output.pages(entity.kind, &format!("autotask/{}_{day}.json", entity.file), &pages(entity.path, items))
}

/// An entity of the API.
struct Entity {
    /// In the summary of what was written.
    kind: &'static str,
    /// Beginning of its files' names.
    file: &'static str,
    /// In its address.
    path: &'static str,
}

fn pages(path: &str, items: Vec<Value>) -> Vec<(usize, Value)> {
    let n_pages = items.len().div_ceil(PAGE).max(1);
    let mut items = items.into_iter();
    let url = |page: usize| Value::from(format!("{HOST}/{path}/query/next?paging=%7b%22page%22%3a{page}%7d"));
    let pages = (0..n_pages).map(|page| {
        let items: Vec<Value> = items.by_ref().take(PAGE).collect();
        let details = json!({
            "count": items.len(),
            "requestCount": PAGE,
            "prevPageUrl": if page == 0 { Value::Null } else { url(page - 1) },
            "nextPageUrl": if page + 1 == n_pages { Value::Null } else { url(page + 1) },
        });
        (items.len(), json!({ "items": items, "pageDetails": details }))
    });
    pages.collect()
}

/// Dates are midnight in UTC.
fn date_time(day: NaiveDate) -> String {
    format!("{day}T00:00:00Z")
}

fn contract_id(customer: &Customer) -> usize {
    29_680_000 + customer.agreement_id
}

/// Of a contract's service, or of its bundle; the one that a renewal began has a number of its own.
fn contract_service_id(index: usize, number: usize) -> usize {
    50_000 + 2 * index + 1_000_000 * number
}

fn currency_id(currency: Currency) -> u32 {
    match currency {
        Currency::Usd => 1,
        Currency::Eur => 4,
    }
}

/// The customer's months with exports, and the one in which the last export was made.
fn export_days(world: &World) -> impl Iterator<Item = (Month, NaiveDate)> {
    let exported_on = world.exported_on();
    let months = world.months().chain([world.last_month().plus(1)]);
    months.map(move |month| (month, month.plus(1).first_day().min(exported_on)))
}

/// Billed by its own price, and not given away or written down elsewhere.
fn is_priced(pair: &Pair) -> bool {
    use crate::synth::agreement::Terms;
    pair.usage().is_none() && pair.terms != Some(Terms::PerUnit)
}
