//! Companies, contracts, services, bundles and currencies, as they stood at the beginning of each quarter and on the last day.

use super::{Entity, contract_id, currency_id, date_time, save};
use crate::synth::catalogue::{Pack, SERVICES, Service};
use crate::synth::customers::{Currency, Customer};
use crate::synth::error::SynthError;
use crate::synth::output::Output;
use crate::synth::world::World;
use crate::synth::writers::json::number;
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Value, json};

static COMPANIES: Entity = Entity { kind: "autotask_companies", file: "companies", path: "Companies" };
static CONTRACTS: Entity = Entity { kind: "autotask_contracts", file: "contracts", path: "Contracts" };
static SERVICE_LIST: Entity = Entity { kind: "autotask_services", file: "services", path: "Services" };
static BUNDLES: Entity = Entity { kind: "autotask_service_bundles", file: "service_bundles", path: "ServiceBundles" };
static CURRENCIES: Entity = Entity { kind: "autotask_currencies", file: "currencies", path: "Currencies" };

pub(super) fn write(world: &World, output: &mut Output) -> Result<(), SynthError> {
    let quarters = world.months().chain([world.last_month().plus(1)]).filter(|month| month.index().rem_euclid(3) == 0);
    let days = quarters.map(|month| month.first_day()).chain([world.exported_on()]);
    for day in days.collect::<std::collections::BTreeSet<_>>() {
        let known: Vec<&Customer> = world.registered().filter(|customer| customer.joined <= day).collect();
        save(output, &COMPANIES, day, known.iter().map(|customer| company(customer, day)).collect())?;
        save(output, &CONTRACTS, day, known.iter().map(|customer| contract(customer, day)).collect())?;
    }
    let day = world.exported_on();
    save(output, &SERVICE_LIST, day, SERVICES.iter().map(service).collect())?;
    let packs = SERVICES.iter().filter_map(|service| Some((service, service.pack.as_ref()?)));
    save(output, &BUNDLES, day, packs.map(|(service, pack)| bundle(service, pack)).collect())?;
    save(output, &CURRENCIES, day, [Currency::Usd, Currency::Eur].map(|it| currency(world, it)).to_vec())
}

fn company(customer: &Customer, day: NaiveDate) -> Value {
    let tenants = customer.tenants.iter().take(1);
    let fields: Vec<Value> = tenants.map(|tenant| json!({ "name": "Microsoft 365 tenant ID", "value": tenant.id })).collect();
    json!({
        "id": customer.company_id,
        "companyName": customer.name,
        "companyNumber": customer.identifier,
        "companyType": 1,
        "isActive": customer.left.is_none_or(|left| left > day),
        "parentCompanyID": null,
        "currencyID": currency_id(customer.currency),
        "invoiceMethod": null,
        "isTaxExempt": false,
        "taxID": "",
        "createDate": date_time(customer.joined),
        "lastTrackedModifiedDateTime": date_time(customer.joined),
        "userDefinedFields": fields,
    })
}

fn contract(customer: &Customer, day: NaiveDate) -> Value {
    let left = customer.left.filter(|left| *left <= day);
    // The last day of the contract; running ones are renewed far ahead.
    let end = left.and_then(|left| left.pred_opt()).map_or_else(|| "2049-12-31T00:00:00Z".to_owned(), date_time);
    json!({
        "id": contract_id(customer),
        "companyID": customer.company_id,
        "billToCompanyID": null,
        "contractName": "Managed Services",
        "contractNumber": format!("MS-{}", customer.company_id),
        "contractType": 7,
        "contractPeriodType": 2,
        "contractCategory": 11,
        "status": i32::from(left.is_none()),
        "startDate": date_time(customer.joined),
        "endDate": end,
        "billingPreference": 1,
        "setupFee": 0,
        "renewedContractID": null,
        "purchaseOrderNumber": "",
        "isDefaultContract": true,
        "userDefinedFields": [],
    })
}

fn service(service: &Service) -> Value {
    json!({
        "id": service.psa_id,
        "name": service.name,
        "description": null,
        "sku": service.psa_sku,
        "periodType": 2,
        "unitPrice": number(service.price().normalize()),
        "unitCost": number(service.cost().normalize()),
        "markupRate": null,
        "isActive": true,
        "vendorCompanyID": null,
        "billingCodeID": 29_682_801,
    })
}

fn bundle(service: &Service, pack: &Pack) -> Value {
    let size = Decimal::from(pack.size);
    json!({
        "id": pack.psa_id,
        "name": pack.name,
        "description": null,
        "periodType": 2,
        "unitPrice": number((service.price() * size).normalize()),
        "unitCost": number((service.cost() * size).normalize()),
        "percentageDiscount": null,
        "unitDiscount": 0,
        "isActive": true,
        "billingCodeID": 29_682_801,
    })
}

fn currency(world: &World, currency: Currency) -> Value {
    let (rate, symbol) = match currency {
        Currency::Usd => (Decimal::ONE, "$"),
        Currency::Eur => (world.dollars_per_euro.last().map_or(Decimal::ONE, |(_, rate)| *rate), "€"),
    };
    json!({
        "id": currency_id(currency),
        "name": currency.code(),
        "description": if currency == Currency::Usd { "US Dollar" } else { "Euro" },
        "currencyNegativeFormat": 1,
        "currencyPositiveFormat": 0,
        "displaySymbol": symbol,
        "exchangeRate": number(rate),
        "isActive": true,
        "isInternalCurrency": currency == Currency::Usd,
    })
}
