//! `HaloPSA`: clients, contracts, recurring invoices as dated snapshots, and the invoices that came of them.
//!
//! | file | writes |
//! |---|---|
//! | `register` | clients, contracts, items |
//! | `recurring` | recurring invoices with lines, and the log of their changes |
//! | `invoices` | invoices, credit notes, drafts, pro-rata rows |
//!
//! Pages are `{"record_count": n, "<entities>": [...]}`. Some ids are typed as doubles and come as `12.0`, no date is the year 1900,
//! and every amount stands twice: in the MSP's currency, and `_converted` in the client's.

mod invoices;
mod recurring;
mod register;

use super::json::number;
use crate::synth::customers::Customer;
use crate::synth::error::SynthError;
use crate::synth::output::Output;
use crate::synth::world::World;
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

/// Records on a page.
const PAGE: usize = 100;
/// How the system writes that there is no date.
const NO_DATE: &str = "1900-01-01T00:00:00";
/// Code of a monthly billing period.
const MONTHLY: u32 = 2;

/// Writes `halopsa/*.json`.
pub(crate) fn write(world: &World, output: &mut Output) -> Result<(), SynthError> {
    register::write(world, output)?;
    recurring::write(world, output)?;
    invoices::write(world, output)
}

/// An entity of the API.
struct Entity {
    /// In the summary of what was written.
    kind: &'static str,
    /// Beginning of its files' names.
    file: &'static str,
    /// Key of the list on a page.
    list: &'static str,
}

/// Saves every page of one entity as of `day`.
fn save(output: &mut Output, entity: &'static Entity, day: NaiveDate, records: Vec<Value>) -> Result<(), SynthError> {
    let total = records.len();
    let mut records = records.into_iter();
    let pages = (0..total.div_ceil(PAGE).max(1)).map(|page| {
        let list: Vec<Value> = records.by_ref().take(PAGE).collect();
        (list.len(), json!({ "page_no": page + 1, "page_size": PAGE, "record_count": total, entity.list: list }))
    });
    output.pages(entity.kind, &format!("halopsa/{}_{day}.json", entity.file), &pages.collect::<Vec<_>>())
}

/// Local midnight, without an offset.
fn date(day: NaiveDate) -> String {
    format!("{day}T00:00:00")
}

fn date_or_none(day: Option<NaiveDate>) -> String {
    day.map_or_else(|| NO_DATE.to_owned(), date)
}

/// An id that the system types as a double.
fn double(id: usize) -> Value {
    number(Decimal::new(i64::try_from(id).unwrap_or(0) * 10, 1))
}

fn contract_id(customer: &Customer) -> usize {
    4_000 + customer.agreement_id
}

/// A contract that is not invoiced, for what the MSP uses at the client's site itself.
fn internal_contract_id(customer: &Customer) -> usize {
    6_000 + customer.agreement_id
}

fn recurring_invoice_id(customer: &Customer) -> usize {
    9_000 + customer.agreement_id
}

/// Of a recurring invoice's line; the one that a renewal began has a number of its own.
fn line_id(index: usize, number: usize) -> usize {
    10_000 + 2 * index + 1_000_000 * number
}

/// `name` in the MSP's currency and `name_converted` in the client's.
fn put_amount(fields: &mut Map<String, Value>, name: &str, amount: Decimal, rate: Decimal) {
    fields.insert(name.to_owned(), number((amount * rate).round_dp(4).normalize()));
    fields.insert(format!("{name}_converted"), number(amount.normalize()));
}
