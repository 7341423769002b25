//! Pax8: the items of each month's invoice, and the subscriptions behind them, in pages as the API gives them.
//!
//! Seats are charged ahead for the month and pro-rated by day when they change: the difference is one `prorate` item. Metered
//! services are charged in arrears. Whole months end on the first of the next, parts of one on their last day: the examples
//! of the vendor's API have both. No file is issued twice: what was forgotten is an item of the next invoice.

use super::json::number;
use super::licences::{Charge, Edition, Reason, caught_up, charges};
use crate::month::Month;
use crate::synth::calendar::{Span, nth};
use crate::synth::catalogue::Service;
use crate::synth::dice::guid;
use crate::synth::error::SynthError;
use crate::synth::landscape::{Feed, Msp};
use crate::synth::output::Output;
use crate::synth::pair::Pair;
use crate::synth::world::World;
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// Records on a page.
const PAGE: usize = 200;
const FEED: Feed = Feed::Pax8;

/// Writes `pax8/invoice_items_*.json` and `pax8/subscriptions_*.json`.
pub(crate) fn write(world: &World, msp: Msp, output: &mut Output) -> Result<(), SynthError> {
    for month in world.months() {
        let mut items = Items { world, month, items: Vec::new() };
        let late = caught_up(world, msp, FEED, month);
        for charge in charges(world, msp, FEED, month, Edition::First).into_iter().chain(late) {
            items.seats(&charge);
        }
        for (index, pair) in metered(world, msp) {
            items.usage(index, pair);
        }
        // The invoice of the fifth holds the changes and the usage of the month before.
        let name = format!("pax8/invoice_items_{}.json", nth(month.plus(1), 5));
        output.pages("pax8_invoice_items", &name, &pages(items.items))?;
        let day = month.plus(1).first_day();
        let name = format!("pax8/subscriptions_{day}.json");
        output.pages("pax8_subscriptions", &name, &pages(subscriptions(world, msp, day)))?;
    }
    Ok(())
}

fn metered(world: &World, msp: Msp) -> impl Iterator<Item = (usize, &Pair)> {
    let pairs = world.pairs.iter().enumerate();
    pairs.filter(move |(_, pair)| pair.service.is_metered() && msp.feed(pair.service) == Some(FEED))
}

/// The items of one month's invoice.
struct Items<'a> {
    world: &'a World,
    month: Month,
    items: Vec<Value>,
}

impl Items<'_> {
    fn seats(&mut self, charge: &Charge<'_>) {
        let quantity = charge.after - charge.before;
        let Span { from, until } = charge.charged;
        let (kind, end) = match charge.reason {
            Reason::Cycle { .. } | Reason::Trial => ("subscription", until),
            Reason::Change | Reason::Correction => ("prorate", charge.charged.last_day()),
        };
        let term = if charge.reason == Reason::Trial { "Trial" } else { "Monthly" };
        let cost = charge.day_price.round_dp(2);
        // Seats given back are a positive number at a negative cost.
        let cost = if quantity.is_sign_negative() { -cost } else { cost };
        self.add(charge.customer, charge.service, &charge.subscription, (kind, term), (from, end), quantity.abs(), cost);
    }

    fn usage(&mut self, index: usize, pair: &Pair) {
        let subscription = subscription_of(self.world, index);
        let month = self.month;
        let mut add = |month: Month, quantity: Decimal| {
            let span = Span::month(month);
            let cost = pair.unit_cost.at(span.from);
            let kind = ("subscription", "Arrears");
            self.add(pair.customer, pair.service, &subscription, kind, (span.from, span.until), quantity, cost);
        };
        let known: Decimal = pair.days_known_in(month).iter().map(|(_, quantity)| *quantity).sum();
        if pair.usage().is_some_and(|months| months.contains_key(&month)) {
            add(month, known);
        }
        let earlier = month.plus(-1);
        if let Some(restated) = pair.restated.get(&earlier) {
            add(earlier, restated.units);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of an item")]
    fn add(
        &mut self,
        customer: usize,
        service: &Service,
        subscription: &str,
        (kind, term): (&str, &str),
        (start, end): (NaiveDate, NaiveDate),
        quantity: Decimal,
        cost: Decimal,
    ) {
        let customer = &self.world.customers[customer];
        let place = self.month.index().unsigned_abs() as u64 * 1_000_000 + self.items.len() as u64;
        let cost_total = (cost * quantity).round_dp(2);
        let resale = service.price();
        self.items.push(json!({
            "id": guid(self.world.seed, 41, place),
            "purchaseOrderNumber": "N/A",
            "type": kind,
            "companyId": customer.pax8_company,
            "externalId": customer.company_id.to_string(),
            "companyName": customer.name,
            "startPeriod": start.to_string(),
            "endPeriod": end.to_string(),
            "quantity": number(quantity.normalize()),
            "unitOfMeasure": service.unit,
            "term": term,
            "sku": service.pax8_sku(),
            "description": service.name,
            "rateType": "flat",
            "chargeType": "per",
            "price": number(resale.normalize()),
            "subTotal": number((resale * quantity).round_dp(2)),
            "cost": number(cost.normalize()),
            "costTotal": number(cost_total),
            "total": number((resale * quantity).round_dp(2)),
            "offeredBy": "Pax8",
            "billedByPax8": false,
            "productId": product_of(self.world, service),
            "productName": service.name,
            "billingFee": 0,
            "billingFeeRate": 0,
            "amountDue": number(cost_total),
            "currencyCode": "USD",
            "salesTax": 0,
            "subscriptionId": subscription,
        }));
    }
}

/// Subscriptions as the API shows them on `day`.
fn subscriptions(world: &World, msp: Msp, day: NaiveDate) -> Vec<Value> {
    let sold = world.pairs.iter().enumerate().filter(|(_, pair)| msp.feed(pair.service) == Some(FEED) && pair.since < day);
    let subscriptions = sold.map(|(index, pair)| {
        let before = day.pred_opt().unwrap_or(day);
        let seats = pair.charged().at(before);
        let ended = pair.until.filter(|until| *until <= day);
        let quantity = if pair.service.is_metered() { Decimal::ONE } else { seats };
        let mut fields = json!({
            "id": subscription_of(world, index),
            "companyId": world.customer_of(pair).pax8_company,
            "productId": product_of(world, pair.service),
            "vendorSkuId": pair.service.psa_sku,
            "productName": pair.service.name,
            "quantity": number(quantity.normalize()),
            "startDate": format!("{}T08:30:00Z", pair.since),
            "createdDate": pair.since.to_string(),
            "billingStart": pair.since.to_string(),
            "status": if ended.is_some() { "Cancelled" } else { "Active" },
            "price": number(pair.service.price().normalize()),
            "partnerCost": number(pair.unit_cost.at(before).normalize()),
            "currencyCode": "USD",
            "billingTerm": if pair.service.is_metered() { "Arrears" } else { "Monthly" },
        });
        if let (Some(end), Some(fields)) = (ended, fields.as_object_mut()) {
            fields.insert("endDate".to_owned(), Value::from(format!("{end}T08:30:00Z")));
        }
        fields
    });
    subscriptions.collect()
}

fn subscription_of(world: &World, index: usize) -> String {
    // The number that `licences` gives to the subscription of a pair's first account.
    guid(world.seed, 30, index as u64 * 4)
}

fn product_of(world: &World, service: &Service) -> String {
    guid(world.seed, 42, u64::from(service.psa_id))
}

/// Pages that hold all of `records`, at least one.
fn pages(records: Vec<Value>) -> Vec<(usize, Value)> {
    let total = records.len();
    let total_pages = total.div_ceil(PAGE).max(1);
    let mut records = records.into_iter();
    let pages = (0..total_pages).map(|page| {
        let content: Vec<Value> = records.by_ref().take(PAGE).collect();
        let page = json!({ "size": PAGE, "totalElements": total, "totalPages": total_pages, "number": page });
        (content.len(), json!({ "content": content, "page": page }))
    });
    pages.collect()
}
