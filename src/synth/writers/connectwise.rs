//! ConnectWise PSA: companies, agreements, product items, and agreement additions as dated snapshots.
//!
//! The API shows additions as they are today, so their history is a folder of snapshots: everything on the first of each
//! month, and the agreements that changed on the day they did.

use super::json::number;
use super::snapshots::snapshot_days;
use crate::synth::agreement::Terms;
use crate::synth::calendar::nth;
use crate::synth::catalogue::{PROJECT, Service};
use crate::synth::customers::{Currency, Customer};
use crate::synth::error::SynthError;
use crate::synth::output::Output;
use crate::synth::pair::{AgreedLine, Pair, Volume};
use crate::synth::world::{Channel, World};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The most lines that a book's first agreements have: those of renewals are numbered beyond.
const LINES: usize = 1_000_000;
const HOST: &str = "https://api-na.example-psa.com/v4_6_release/apis/3.0";

/// Writes `connectwise/*.json`.
pub(crate) fn write(world: &World, output: &mut Output) -> Result<(), SynthError> {
    for (day, changed) in snapshot_days(world) {
        let additions = additions(world, day, changed.as_ref());
        let name = format!("connectwise/additions_{day}.json");
        output.json("connectwise_additions", &name, additions.len(), &Value::from(additions))?;
    }
    for month in world.months().chain([world.last_month().plus(1)]).filter(|month| month.index().rem_euclid(3) == 0) {
        masters(world, month.first_day(), output)?;
    }
    masters(world, world.exported_on(), output)?;
    let products = products(world);
    let name = format!("connectwise/products_{}.json", world.exported_on());
    output.json("connectwise_products", &name, products.len(), &Value::from(products))
}

/// Companies and agreements as they stood on `day`.
fn masters(world: &World, day: NaiveDate, output: &mut Output) -> Result<(), SynthError> {
    let known: Vec<&Customer> = world.registered().filter(|customer| customer.joined <= day).collect();
    let companies: Vec<Value> = known.iter().map(|customer| company(customer)).collect();
    let agreements: Vec<Value> = known.iter().map(|customer| agreement(customer, day)).collect();
    let name = format!("connectwise/companies_{day}.json");
    output.json("connectwise_companies", &name, companies.len(), &Value::from(companies))?;
    let name = format!("connectwise/agreements_{day}.json");
    output.json("connectwise_agreements", &name, agreements.len(), &Value::from(agreements))
}

fn additions(world: &World, day: NaiveDate, changed: Option<&BTreeSet<usize>>) -> Vec<Value> {
    let mut additions = Vec::new();
    for (index, pair) in world.pairs.iter().enumerate() {
        let saved = changed.is_none_or(|customers| customers.contains(&pair.customer));
        if pair.missing_in_psa || pair.since > day || !saved {
            continue;
        }
        let lines = pair.agreed_lines().into_iter().filter(|line| line.from <= day);
        additions.extend(lines.map(|line| addition(world, index, pair, line, day)));
        if pair.internal_units > Decimal::ZERO {
            additions.push(internal_addition(world, index, pair));
        }
    }
    additions
}

fn addition(world: &World, index: usize, pair: &Pair, line: AgreedLine, day: NaiveDate) -> Value {
    let customer = world.customer_of(pair);
    let end = line.until.filter(|end| *end <= day);
    // A cancelled line keeps the quantity and price it last had.
    let day = end.and_then(|end| end.pred_opt()).unwrap_or(day);
    let (quantity, price) = match &pair.volume {
        Volume::Level { contracted, .. } => {
            let price = (pair.terms != Some(Terms::PerUnit)).then(|| pair.contract_price.at(day) * pair.pack_size());
            (contracted.at(day) / pair.pack_size(), price)
        }
        // Billed by usage: the line only says that the customer has the service.
        Volume::Flow(_) => (Decimal::ONE, None),
    };
    let less_included = if pair.usage().is_none() { pair.included } else { Decimal::ZERO };
    let cost = price.map(|_| cost_known_on(world, pair.service, day) * pair.pack_size());
    let bill = if pair.do_not_bill { "DoNotBill" } else { "Billable" };
    let status = if customer.left.is_some_and(|left| left <= day) { "Cancelled" } else { "Active" };
    let mut fields = Fields::new();
    fields.put("id", 10_000 + 2 * index + LINES * line.number);
    fields.put("agreementId", customer.agreement_id);
    fields.put("product", product_reference(pair));
    fields.put("quantity", number(quantity.normalize()));
    fields.put("lessIncluded", number(less_included));
    if let Some(price) = price {
        fields.put("unitPrice", number(price));
    }
    if let Some(cost) = cost {
        fields.put("unitCost", number(cost));
    }
    fields.put("billCustomer", bill);
    fields.put("effectiveDate", date_time(line.from));
    if let Some(end) = end {
        fields.put("cancelledDate", date_time(end));
    }
    fields.put("taxableFlag", true);
    fields.put("invoiceDescription", pair.pack.map_or(pair.service.name, |pack| pack.name));
    fields.put("billedQuantity", number(if pair.do_not_bill { Decimal::ZERO } else { (quantity - less_included).normalize() }));
    if let Some(price) = price {
        fields.put("extPrice", number((price * (quantity - less_included)).round_dp(2)));
    }
    fields.put("uom", pair.service.unit);
    fields.put("agreementStatus", status);
    fields.put("_info", json!({ "lastUpdated": date_time(day) }));
    fields.into_value()
}

/// The MSP's own units at a customer's site.
fn internal_addition(world: &World, index: usize, pair: &Pair) -> Value {
    let customer = world.customer_of(pair);
    json!({
        "id": 10_001 + 2 * index,
        "agreementId": customer.agreement_id,
        "product": product_reference(pair),
        "quantity": number(pair.internal_units),
        "lessIncluded": number(Decimal::ZERO),
        "unitPrice": number(Decimal::ZERO),
        "unitCost": number(pair.service.cost().normalize()),
        "billCustomer": "DoNotBill",
        "effectiveDate": date_time(pair.since),
        "taxableFlag": false,
        "invoiceDescription": "Internal use",
        "billedQuantity": number(Decimal::ZERO),
        "uom": pair.service.unit,
        "agreementStatus": "Active",
        "_info": { "lastUpdated": date_time(pair.since) },
    })
}

/// The list cost as typed into the PSA; nobody types in drifts.
fn cost_known_on(world: &World, service: &Service, day: NaiveDate) -> Decimal {
    let factor = service
        .list_change
        .filter(|(offset, _)| world.first_month.plus(*offset).first_day() <= day)
        .map_or(Decimal::ONE, |(_, percent)| Decimal::new(100 + percent, 2));
    (service.cost() * factor).round_dp(2)
}

fn product_reference(pair: &Pair) -> Value {
    let (id, sku) = pair.pack.map_or((pair.service.psa_id, pair.service.psa_sku), |pack| (pack.psa_id, pack.psa_sku));
    json!({ "id": id, "identifier": sku, "_info": { "catalog_href": format!("{HOST}/procurement/catalog/{id}") } })
}

fn company(customer: &Customer) -> Value {
    let id = customer.company_id;
    let tenants: Vec<&str> = customer.tenants.iter().map(|tenant| tenant.domain.as_str()).collect();
    json!({
        "id": id,
        "identifier": customer.identifier,
        "name": customer.name,
        "status": { "id": 1, "name": "Active", "_info": { "status_href": format!("{HOST}/company/companies/statuses/1") } },
        "currency": currency(customer.currency),
        "deletedFlag": false,
        "customFields": [{ "id": 12, "caption": "365 Tenant", "type": "Text", "value": tenants.join("; ") }],
        "_info": { "lastUpdated": date_time(customer.joined) },
    })
}

fn agreement(customer: &Customer, day: NaiveDate) -> Value {
    let company_id = customer.company_id;
    let left = customer.left.filter(|left| *left <= day);
    let mut fields = Fields::new();
    fields.put("id", customer.agreement_id);
    fields.put("name", "Managed Services Agreement");
    fields.put("type", json!({ "id": 4, "name": "Managed Services" }));
    fields.put(
        "company",
        json!({
            "id": company_id,
            "identifier": customer.identifier,
            "name": customer.name,
            "_info": { "company_href": format!("{HOST}/company/companies/{company_id}") },
        }),
    );
    fields.put("startDate", date_time(customer.joined));
    if let Some(left) = left {
        fields.put("endDate", date_time(left));
    }
    fields.put("noEndingDateFlag", left.is_none());
    fields.put("cancelledFlag", left.is_some());
    if let Some(left) = left {
        fields.put("dateCancelled", date_time(left));
        fields.put("reasonCancelled", "Customer left");
    }
    fields.put("billingCycle", json!({ "id": 2, "name": "Monthly" }));
    fields.put("invoicingCycle", "CalendarYear");
    fields.put("prorateFlag", true);
    fields.put("currency", currency(customer.currency));
    fields.put("periodType", customer.billing.period_type());
    fields.put("agreementStatus", if left.is_some() { "Cancelled" } else { "Active" });
    fields.put("_info", json!({ "lastUpdated": date_time(left.unwrap_or(customer.joined)) }));
    fields.into_value()
}

fn currency(currency: Currency) -> Value {
    let (id, symbol, name) = match currency {
        Currency::Usd => (1, "$", "US Dollar"),
        Currency::Eur => (2, "€", "Euro"),
    };
    json!({
        "id": id,
        "symbol": symbol,
        "currencyCode": currency.code(),
        "decimalSeparator": ".",
        "numberOfDecimals": 2,
        "thousandsSeparator": ",",
        "name": name,
    })
}

/// Hardware and projects that the PSA invoiced itself.
fn products(world: &World) -> Vec<Value> {
    let invoiced = world.one_offs.iter().filter(|one_off| one_off.channel == Channel::Psa);
    let products = invoiced.enumerate().map(|(number_of, one_off)| {
        let customer = &world.customers[one_off.customer];
        let invoice = 70_000 + number_of;
        json!({
            "id": 40_000 + number_of,
            "catalogItem": { "id": PROJECT.0, "identifier": PROJECT.1 },
            "description": one_off.description,
            "quantity": 1,
            "price": number(one_off.price),
            "cost": number((one_off.price * Decimal::new(72, 2)).round_dp(2)),
            "discount": 0,
            "priceMethod": "PricePerUnit",
            "billableOption": "Billable",
            "cancelledFlag": false,
            "company": { "id": customer.company_id, "identifier": customer.identifier, "name": customer.name },
            "currency": currency(customer.currency),
            "productClass": "NonInventory",
            "purchaseDate": date_time(one_off.day),
            "invoice": {
                "id": invoice,
                "identifier": format!("CW{invoice}"),
                "_info": { "invoice_href": format!("{HOST}/finance/invoices/{invoice}") },
            },
            "_info": { "lastUpdated": date_time(nth(crate::month::Month::of(one_off.day), 28)) },
        })
    });
    products.collect()
}

/// Dates are midnight in UTC, even where only the day is meant.
fn date_time(day: NaiveDate) -> String {
    format!("{day}T00:00:00Z")
}

/// A JSON object whose empty properties are left out.
struct Fields(Map<String, Value>);

impl Fields {
    fn new() -> Self {
        Self(Map::new())
    }

    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}
