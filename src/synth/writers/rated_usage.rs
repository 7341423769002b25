//! Partner Center's daily rated usage, as the API gives it: gzip of JSON Lines, one file a month.
//!
//! Late usage comes in the next month's file under its own usage date. `SubscriptionId` is the billing platform's, `EntitlementId`
//! that of the Azure subscription.

use super::json::number;
use crate::month::Month;
use crate::synth::calendar::{Span, nth};
use crate::synth::catalogue::Meter;
use crate::synth::dice::guid;
use crate::synth::error::SynthError;
use crate::synth::landscape::{Feed, Msp};
use crate::synth::output::Output;
use crate::synth::pair::Pair;
use crate::synth::world::World;
use chrono::NaiveDate;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::io::Write;

/// Writes `microsoft/usage_*.json.gz`; a month that was wrong is issued again.
pub(crate) fn write(world: &World, msp: Msp, output: &mut Output) -> Result<(), SynthError> {
    for month in world.months() {
        write_month(world, msp, month, nth(month.plus(1), 7), true, output)?;
        if world.is_restated(msp, Feed::RatedUsage, month) {
            write_month(world, msp, month, nth(month.plus(1), 20), false, output)?;
        }
    }
    Ok(())
}

fn write_month(
    world: &World,
    msp: Msp,
    month: Month,
    issued_on: NaiveDate,
    is_first: bool,
    output: &mut Output,
) -> Result<(), SynthError> {
    let name = format!("microsoft/usage_{issued_on}.json.gz");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let failed = |source| SynthError::Write { path: output.path(&name), source };
    let mut rows = 0;
    for (index, pair) in world.pairs.iter().enumerate() {
        let Some(meter) = pair.service.meter().filter(|_| msp.feed(pair.service) == Some(Feed::RatedUsage)) else { continue };
        let restated = pair.restated.get(&month).filter(|_| !is_first);
        for (day, known) in pair.days_known_in(month) {
            let found = restated.filter(|restated| restated.day == day).map_or(Decimal::ZERO, |restated| restated.units);
            let line = format!("{}\n", row(world, index, pair, meter, month, day, known + found));
            encoder.write_all(line.as_bytes()).map_err(failed)?;
            rows += 1;
        }
    }
    let bytes = encoder.finish().map_err(failed)?;
    output.bytes("rated_usage", &name, rows, &bytes)
}

fn row(world: &World, index: usize, pair: &Pair, meter: Meter, month: Month, day: NaiveDate, quantity: Decimal) -> Value {
    let customer = world.customer_of(pair);
    let tenant = customer.tenants.first();
    let factor = Decimal::from(meter.unit_factor);
    let unit_cost = pair.unit_cost.at(day);
    let (product, sku) = meter.sku.split_once('/').unwrap_or((meter.sku, ""));
    let span = Span::month(month);
    let entitlement = guid(world.seed, 44, index as u64);
    let cost = number((quantity * unit_cost).normalize());
    let unit_price = number((unit_cost * factor).normalize());
    json!({
        "partnerId": "4f1c2ad0-6f0b-4d39-9f56-0d3c6a2b7e11",
        "partnerName": "Clearwater IT Services",
        "customerId": tenant.map(|tenant| tenant.id.as_str()),
        "customerName": customer.name,
        "customerDomainName": tenant.map(|tenant| tenant.domain.as_str()),
        "customerCountry": "US",
        "mpnId": "6123456",
        "invoiceNumber": format!("G{:09}", 21_000_000 + month.index()),
        "productId": product,
        "skuId": sku,
        "skuName": "Azure plan",
        "productName": "Azure plan",
        "subscriptionId": guid(world.seed, 45, index as u64),
        "chargeStartDate": date_time(span.from),
        "chargeEndDate": date_time(span.last_day()),
        "usageDate": date_time(day),
        "meterType": "1 Compute Hour",
        "meterCategory": meter.service_name,
        "meterId": guid(world.seed, 46, 0),
        "meterName": "D2s v5",
        "meterRegion": "US East",
        "unit": meter.unit,
        "resourceGroup": "rg-production",
        "resourceURI": format!("/subscriptions/{entitlement}/resourceGroups/rg-production"),
        "chargeType": "new",
        "unitPrice": unit_price,
        "effectiveUnitPrice": unit_price,
        "quantity": number((quantity / factor).normalize()),
        "unitType": meter.unit,
        "billingPreTaxTotal": cost,
        "billingCurrency": "USD",
        "pricingPreTaxTotal": cost,
        "pricingCurrency": "USD",
        "pcToBCExchangeRate": 1,
        "entitlementId": entitlement,
        "entitlementDescription": "Azure subscription",
        "partnerEarnedCreditPercentage": 0,
    })
}

fn date_time(day: NaiveDate) -> String {
    format!("{day}T00:00:00.0000000Z")
}
