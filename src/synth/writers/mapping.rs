//! The plain CSV files that an MSP keeps itself: crosswalks, exchange rates and contract terms.

use crate::synth::agreement::{Bands, Terms};
use crate::synth::catalogue::{PROJECT, SERVICES, Service};
use crate::synth::error::SynthError;
use crate::synth::landscape::{Article, Biller, Feed, Msp};
use crate::synth::output::{Output, Table};
use crate::synth::pair::Pair;
use crate::synth::world::World;
use chrono::NaiveDate;
use rust_decimal::Decimal;

/// Writes `mapping/*.csv`.
pub(crate) fn write(world: &World, msp: Msp, output: &mut Output) -> Result<(), SynthError> {
    output.csv("mapping_customers", "mapping/customers.csv", &customers(world, msp))?;
    output.csv("mapping_services", "mapping/services.csv", &services(msp))?;
    output.csv("mapping_fx", "mapping/fx_rates.csv", &exchange_rates(world))?;
    output.csv("mapping_terms", "mapping/contract_terms.csv", &contract_terms(world, msp))
}

/// The feeds of a landscape, one for each system that they come from.
fn systems(msp: Msp) -> Vec<Feed> {
    let is_used = |feed: &Feed| SERVICES.iter().any(|service| msp.feed(service) == Some(*feed));
    let mut feeds: Vec<Feed> = Feed::ALL.into_iter().filter(is_used).collect();
    feeds.dedup_by_key(|feed| feed.system());
    feeds
}

fn customers(world: &World, msp: Msp) -> Table {
    let mut table =
        Table::new(&["system", "native_id", "native_name", "customer_key", "customer_name", "valid_from", "valid_to"]);
    for customer in world.registered() {
        let mut add = |system: &str, id: &str, name: &str| {
            let cells = [system, id, name, &customer.key, &customer.name, "", ""];
            table.rows.push(cells.map(str::to_owned).to_vec());
        };
        add(msp.name(), &customer.company_id.to_string(), &customer.name);
        for feed in systems(msp) {
            for native in feed.customer_ids(customer) {
                add(feed.system(), &native.id, &native.name);
            }
        }
        if msp.biller() == Biller::Stripe {
            add("stripe", &customer.stripe_customer, &customer.name);
        }
    }
    table
}

fn services(msp: Msp) -> Table {
    let mut table = Table::new(&[
        "system",
        "native_sku",
        "native_name",
        "service_key",
        "service_name",
        "unit",
        "unit_factor",
        "valid_from",
        "valid_to",
    ]);
    let mut add = |system: &str, sku: &str, native_name: &str, key: &str, name: &str, unit: &str, factor: u32| {
        let cells = [system, sku, native_name, key, name, unit, &factor.to_string(), "", ""];
        table.rows.push(cells.map(str::to_owned).to_vec());
    };
    let is_stripe = msp.biller() == Biller::Stripe;
    for service in &SERVICES {
        let Service { key, name, unit, .. } = service;
        add(msp.name(), &msp.psa_sku(Article::Service(service)), name, key, name, unit, 1);
        if is_stripe {
            add("stripe", service.stripe_product, name, key, name, unit, 1);
        }
        if let Some(pack) = &service.pack {
            add(msp.name(), &msp.psa_sku(Article::Pack(pack)), pack.name, key, name, unit, pack.size);
            if is_stripe {
                add("stripe", pack.stripe_product, pack.name, key, name, unit, pack.size);
            }
        }
        if let Some(feed) = msp.feed(service) {
            for native in feed.skus(service) {
                add(feed.system(), &native.id, &native.name, key, name, unit, native.factor);
            }
        }
    }
    let projects = "Projects and hardware";
    add(msp.name(), &msp.psa_sku(Article::Single(PROJECT)), projects, "projects", projects, "piece", 1);
    if is_stripe {
        add("stripe", "prod_Projects", projects, "projects", projects, "piece", 1);
    }
    if msp == Msp::Autotask {
        // A credit is a charge of a material that says which service it is for.
        for service in &SERVICES {
            let Service { key, name, unit, .. } = service;
            add(msp.name(), &msp.psa_sku(Article::Single((service.credit_code(), ""))), "Credit", key, name, unit, 1);
        }
    }
    table
}

fn exchange_rates(world: &World) -> Table {
    let mut table = Table::new(&["date", "from_currency", "to_currency", "rate", "source"]);
    for (month, rate) in &world.dollars_per_euro {
        let cells = [month.first_day().to_string(), "EUR".into(), "USD".into(), rate.to_string(), "bank".into()];
        table.rows.push(cells.to_vec());
    }
    table
}

const TERMS: [&str; 16] = [
    "customer_key",
    "service_key",
    "valid_from",
    "valid_to",
    "currency",
    "model",
    "unit_price",
    "included_quantity",
    "minimum_quantity",
    "overage_unit_price",
    "flat_fee",
    "tiers",
    "escalator_percent",
    "escalator_month",
    "markup_percent",
    "quantity_basis",
];

fn contract_terms(world: &World, msp: Msp) -> Table {
    let mut table = Table::new(&TERMS);
    for pair in &world.pairs {
        let Some(terms) = msp.written_terms(pair) else { continue };
        let mut starts: Vec<NaiveDate> = pair.contract_price.changes().collect();
        let end = pair.contract_end();
        starts.retain(|start| end.is_none_or(|end| *start < end));
        // Rises of an escalator are no terms of their own.
        starts.retain(|start| pair.escalator.is_none_or(|escalator| *start <= escalator.began));
        for (place, start) in starts.iter().enumerate() {
            // A row is valid until the day the next one begins.
            let until = starts.get(place + 1).copied().or(end);
            table.rows.push(TERMS.iter().map(|column| term(world, pair, terms, *start, until, column)).collect());
        }
    }
    table
}

fn term(world: &World, pair: &Pair, terms: Terms, start: NaiveDate, until: Option<NaiveDate>, column: &str) -> String {
    let customer = world.customer_of(pair);
    let price = pair.contract_price.at(start).to_string();
    let escalator = pair.escalator.filter(|escalator| escalator.began <= start);
    match (column, terms) {
        ("customer_key", _) => customer.key.clone(),
        ("service_key", _) => pair.service.key.to_owned(),
        ("valid_from", _) => start.to_string(),
        ("valid_to", _) => until.map(|day| day.to_string()).unwrap_or_default(),
        ("currency", _) => customer.currency.code().to_owned(),
        ("model", Terms::PerUnit | Terms::Included) => "per_unit".to_owned(),
        ("model", Terms::FlatFee) => "flat_fee".to_owned(),
        ("model", Terms::CostPlus(_)) => "cost_plus".to_owned(),
        ("model", Terms::Bands) => "tiered_graduated".to_owned(),
        ("tiers", Terms::Bands) => pair.bands.as_ref().map(Bands::text).unwrap_or_default(),
        ("minimum_quantity", _) if pair.minimum > Decimal::ZERO => pair.minimum.to_string(),
        ("escalator_percent", _) => escalator.map(|it| it.percent.to_string()).unwrap_or_default(),
        ("escalator_month", _) => escalator.map(|it| format!("{:02}", it.month_of_year)).unwrap_or_default(),
        ("unit_price", Terms::PerUnit | Terms::Included) | ("flat_fee", Terms::FlatFee) => price,
        ("included_quantity", _) if pair.included > Decimal::ZERO => pair.included.to_string(),
        ("markup_percent", Terms::CostPlus(percent)) => percent.to_string(),
        _ => String::new(),
    }
}
