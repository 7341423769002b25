//! Clients, contracts and items, as they stood at the beginning of each quarter and on the last day.

use super::{Entity, MONTHLY, NO_DATE, contract_id, date, date_or_none, double, internal_contract_id, save};
use crate::synth::catalogue::{CREDIT, PROJECT, SERVICES};
use crate::synth::customers::Customer;
use crate::synth::error::SynthError;
use crate::synth::output::Output;
use crate::synth::world::World;
use crate::synth::writers::json::number;
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::BTreeSet;

static CLIENTS: Entity = Entity { kind: "halopsa_clients", file: "clients", list: "clients" };
static CONTRACTS: Entity = Entity { kind: "halopsa_contracts", file: "contracts", list: "contracts" };
static ITEMS: Entity = Entity { kind: "halopsa_items", file: "items", list: "items" };

pub(super) fn write(world: &World, output: &mut Output) -> Result<(), SynthError> {
    let quarters = world.months().chain([world.last_month().plus(1)]).filter(|month| month.index().rem_euclid(3) == 0);
    let days: BTreeSet<NaiveDate> = quarters.map(|month| month.first_day()).chain([world.exported_on()]).collect();
    for day in days {
        let known: Vec<&Customer> = world.registered().filter(|customer| customer.joined <= day).collect();
        save(output, &CLIENTS, day, known.iter().map(|customer| client(customer, day)).collect())?;
        let own = known.iter().filter(|customer| world.uses_at(customer)).map(|customer| internal_contract(customer, day));
        save(output, &CONTRACTS, day, known.iter().map(|customer| contract(customer, day)).chain(own).collect())?;
    }
    save(output, &ITEMS, world.exported_on(), items())
}

fn client(customer: &Customer, day: NaiveDate) -> Value {
    let tenants: Vec<Value> =
        customer.tenants.iter().map(|tenant| json!({ "azure_tenant_id": tenant.id, "details_name": tenant.domain })).collect();
    json!({
        "id": customer.company_id,
        "name": customer.name,
        "toplevel_id": 1,
        "toplevel_name": "Clients",
        "inactive": customer.left.is_some_and(|left| left <= day),
        "accountsid": customer.identifier,
        "startdate": date(customer.joined),
        "enddate": date_or_none(customer.left.filter(|left| *left <= day)),
        "currencyisocode": customer.currency.code(),
        "connectwiseid": 0,
        "autotaskid": 0,
        "datto_id": "",
        "xeroid": "",
        "stripe_customer_id": "",
        "external_links": [],
        "azure_tenants": tenants,
        "customfields": [],
    })
}

fn contract(customer: &Customer, day: NaiveDate) -> Value {
    let left = customer.left.filter(|left| *left <= day);
    json!({
        "id": contract_id(customer),
        "client_id": double(customer.company_id),
        "client_name": customer.name,
        "ref": format!("MS-{}", customer.company_id),
        "refextra": "Managed services",
        "start_date": date(customer.joined),
        // The last day of the contract.
        "end_date": date_or_none(left.and_then(|left| left.pred_opt())),
        "started": true,
        "expired": left.is_some(),
        "active": left.is_none(),
        "status": i32::from(left.is_none()),
        "contract_status": if left.is_some() { "Ended" } else { "Active" },
        "billingperiod": MONTHLY,
        "billing_period_string": "Monthly",
        "next_invoice_date": NO_DATE,
        "periodchargeamount": 0,
        "rollingcontract": left.is_none(),
        "numberofunitsfree": 0,
        "dontinvoice": customer.is_internal,
        "contracttype_name": "Managed services",
        "currency_code_name": customer.currency.code(),
    })
}

fn internal_contract(customer: &Customer, day: NaiveDate) -> Value {
    let mut contract = contract(customer, day);
    contract["id"] = internal_contract_id(customer).into();
    contract["ref"] = format!("INT-{}", customer.company_id).into();
    contract["refextra"] = "Internal use".into();
    contract["dontinvoice"] = true.into();
    contract
}

fn items() -> Vec<Value> {
    let item = |id: u32, code: &str, name: &str, price: Decimal, cost: Decimal, is_recurring: bool| {
        json!({
            "id": id,
            "name": name,
            "item_code": code,
            "baseprice": number(price.normalize()),
            "costprice": number(cost.normalize()),
            "recurringprice": number(if is_recurring { price.normalize() } else { Decimal::ZERO }),
            "recurringcost": number(if is_recurring { cost.normalize() } else { Decimal::ZERO }),
            "isrecurringitem": is_recurring,
            "supplier_part_code": "",
            "item_default_billing_period": MONTHLY,
            "nominalcode": "4000",
        })
    };
    let mut items = Vec::new();
    for service in &SERVICES {
        items.push(item(service.psa_id, service.psa_sku, service.name, service.price(), service.cost(), true));
        if let Some(pack) = &service.pack {
            let size = Decimal::from(pack.size);
            items.push(item(pack.psa_id, pack.psa_sku, pack.name, service.price() * size, service.cost() * size, true));
        }
    }
    items.push(item(PROJECT.0, PROJECT.1, "Projects and hardware", Decimal::ZERO, Decimal::ZERO, false));
    items.push(item(CREDIT.0, CREDIT.1, "Credit", Decimal::ZERO, Decimal::ZERO, false));
    items
}
