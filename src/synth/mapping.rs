//! The plain CSV files that an MSP keeps itself: crosswalks, exchange rates and contract terms.

use super::catalogue::{SERVICES, Service, Vendor};
use super::error::SynthError;
use super::output::{Output, Table};
use super::pair::{Pair, Terms};
use super::world::World;
use chrono::NaiveDate;
use rust_decimal::Decimal;

/// Writes `mapping/*.csv`.
pub(crate) fn write(world: &World, output: &mut Output) -> Result<(), SynthError> {
    output.csv("mapping_customers", "mapping/customers.csv", &customers(world))?;
    output.csv("mapping_services", "mapping/services.csv", &services())?;
    output.csv("mapping_fx", "mapping/fx_rates.csv", &exchange_rates(world))?;
    output.csv("mapping_terms", "mapping/contract_terms.csv", &contract_terms(world))
}

fn customers(world: &World) -> Table {
    let mut table =
        Table::new(&["system", "native_id", "native_name", "customer_key", "customer_name", "valid_from", "valid_to"]);
    for customer in &world.customers {
        let mut add = |system: &str, id: &str, name: &str| {
            let cells = [system, id, name, &customer.key, &customer.name, "", ""];
            table.rows.push(cells.map(str::to_owned).to_vec());
        };
        add("connectwise", &customer.company_id.to_string(), &customer.name);
        for tenant in &customer.tenants {
            add("microsoft_csp", &tenant.id, &tenant.domain);
        }
        add("focus", &customer.focus_account, &customer.name);
        add("stripe", &customer.stripe_customer, &customer.name);
    }
    table
}

fn services() -> Table {
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
    for service in &SERVICES {
        let Service { key, name, unit, .. } = service;
        add("connectwise", service.psa_sku, name, key, name, unit, 1);
        add("stripe", service.stripe_product, name, key, name, unit, 1);
        if let Some(pack) = &service.pack {
            add("connectwise", pack.psa_sku, pack.name, key, name, unit, pack.size);
            add("stripe", pack.stripe_product, pack.name, key, name, unit, pack.size);
        }
        match service.vendor {
            Vendor::PartnerCenter { product, sku } => {
                add("microsoft_csp", &format!("{product}:{sku}"), name, key, name, unit, 1);
            }
            Vendor::Focus(meter) => {
                add("focus", meter.sku, meter.service_name, key, name, unit, meter.unit_factor);
                // Tax rows name the service and no SKU.
                add("focus", meter.service_name, meter.service_name, key, name, unit, meter.unit_factor);
            }
            Vendor::None => {}
        }
    }
    add("connectwise", "PROJECT", "Projects and hardware", "projects", "Projects and hardware", "piece", 1);
    add("stripe", "prod_Projects", "Projects and hardware", "projects", "Projects and hardware", "piece", 1);
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

fn contract_terms(world: &World) -> Table {
    let mut table = Table::new(&TERMS);
    for pair in &world.pairs {
        let Some(terms) = pair.terms else { continue };
        let mut starts: Vec<NaiveDate> = pair.contract_price.changes().collect();
        let end = pair.contract_end();
        starts.retain(|start| end.is_none_or(|end| *start < end));
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
    match (column, terms) {
        ("customer_key", _) => customer.key.clone(),
        ("service_key", _) => pair.service.key.to_owned(),
        ("valid_from", _) => start.to_string(),
        ("valid_to", _) => until.map(|day| day.to_string()).unwrap_or_default(),
        ("currency", _) => customer.currency.code().to_owned(),
        ("model", Terms::PerUnit | Terms::Included) => "per_unit".to_owned(),
        ("model", Terms::FlatFee) => "flat_fee".to_owned(),
        ("model", Terms::CostPlus(_)) => "cost_plus".to_owned(),
        ("unit_price", Terms::PerUnit | Terms::Included) | ("flat_fee", Terms::FlatFee) => price,
        ("included_quantity", _) if pair.included > Decimal::ZERO => pair.included.to_string(),
        ("markup_percent", Terms::CostPlus(percent)) => percent.to_string(),
        _ => String::new(),
    }
}
