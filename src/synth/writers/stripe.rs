//! Stripe: invoices with nested lines, one list a month, and credit notes.
//!
//! Amounts are integers of the minor unit, unit prices text in it; a period ends where the next begins.

use super::json::number;
use crate::month::Month;
use crate::synth::dice::stripe_id;
use crate::synth::error::SynthError;
use crate::synth::invoices::{Invoice, Line, LineKind, invoices};
use crate::synth::landscape::Biller;
use crate::synth::output::Output;
use crate::synth::pair::Pair;
use crate::synth::world::World;
use chrono::{NaiveDate, NaiveTime};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Writes `stripe/invoices_*.json` and `stripe/credit_notes_*.json`.
pub(crate) fn write(world: &World, output: &mut Output) -> Result<(), SynthError> {
    let mut by_month: BTreeMap<Month, Vec<Value>> = BTreeMap::new();
    let mut credits = Vec::new();
    let mut line_number = 0;
    for (number, invoice) in invoices(world, Biller::Stripe).iter().enumerate() {
        let stripe = StripeInvoice { world, number, invoice, first_line: line_number, is_void: false };
        line_number += invoice.lines.len();
        // Periods that reach into the first month were invoiced before it; the first export includes them.
        let month = Month::of(invoice.date).max(world.first_month);
        let documents = by_month.entry(month).or_default();
        // Now and then somebody voids an invoice and issues it again.
        if number % 83 == 29 {
            documents.push(StripeInvoice { is_void: true, ..stripe }.document());
        }
        documents.push(stripe.document());
        credits.extend(stripe.credits(credits.len()));
    }
    for (month, documents) in by_month {
        let day = month.plus(1).first_day().pred_opt().unwrap_or(month.first_day()).min(world.exported_on());
        let name = format!("stripe/invoices_{day}.json");
        let count = documents.len();
        output.json("stripe_invoices", &name, count, &list("/v1/invoices", documents))?;
    }
    let count = credits.len();
    let name = format!("stripe/credit_notes_{}.json", world.exported_on());
    output.json("stripe_credit_notes", &name, count, &list("/v1/credit_notes", credits))
}

#[derive(Clone, Copy)]
struct StripeInvoice<'a> {
    world: &'a World,
    number: usize,
    invoice: &'a Invoice,
    first_line: usize,
    /// Issued first, with a mistake that its successor does not have, and taken back.
    is_void: bool,
}

impl StripeInvoice<'_> {
    fn id(&self) -> String {
        stripe_id("in", self.world.seed, self.number as u64 + self.voided())
    }

    fn line_id(&self, place: usize) -> String {
        stripe_id("il", self.world.seed, (self.first_line + place) as u64 + self.voided())
    }

    /// What tells the numbers of a voided invoice from those of its successor.
    fn voided(&self) -> u64 {
        if self.is_void { 1 << 40 } else { 0 }
    }

    fn currency(&self) -> String {
        self.world.customers[self.invoice.customer].currency.code().to_ascii_lowercase()
    }

    fn document(&self) -> Value {
        let customer = &self.world.customers[self.invoice.customer];
        let lines: Vec<Value> = (0..self.invoice.lines.len()).map(|place| self.line(place)).collect();
        let total: i64 = self.invoice.lines.iter().map(|line| minor(line.amount)).sum();
        let created = seconds(self.invoice.date);
        json!({
            "id": self.id(),
            "object": "invoice",
            "amount_due": total,
            "amount_paid": if self.is_void { 0 } else { total },
            "billing_reason": "subscription_cycle",
            "collection_method": "send_invoice",
            "created": created,
            "currency": self.currency(),
            "customer": customer.stripe_customer,
            "customer_name": customer.name,
            "effective_at": created,
            "lines": {
                "object": "list",
                "data": lines,
                "has_more": false,
                "total_count": self.invoice.lines.len(),
                "url": format!("/v1/invoices/{}/lines", self.id()),
            },
            "livemode": true,
            "number": format!("CW-{:05}{}", self.number + 1, if self.is_void { "V" } else { "" }),
            "status": if self.is_void { "void" } else { "paid" },
            "subtotal": total,
            "total": total,
        })
    }

    fn line(&self, place: usize) -> Value {
        let line = &self.invoice.lines[place];
        let (price, product) = self.price_and_product(line);
        json!({
            "id": self.line_id(place),
            "object": "line_item",
            "amount": minor(line.amount),
            "currency": self.currency(),
            "description": line.description,
            "discountable": line.kind != LineKind::Proration,
            "discounts": [],
            "invoice": self.id(),
            "livemode": true,
            "metadata": {},
            "parent": self.parent(line, place),
            "period": { "end": seconds(line.period.until), "start": seconds(line.period.from) },
            "pricing": {
                "price_details": { "price": price, "product": product },
                "type": "price_details",
                "unit_amount_decimal": (line.unit_price * Decimal::ONE_HUNDRED).normalize().to_string(),
            },
            "quantity": number(line.quantity.round()),
            "quantity_decimal": line.quantity.normalize().to_string(),
            "taxes": [],
        })
    }

    fn parent(&self, line: &Line, place: usize) -> Value {
        let item = stripe_id("ii", self.world.seed, (self.first_line + place) as u64);
        let Some(pair) = line.pair.filter(|_| line.kind != LineKind::Manual) else {
            return json!({
                "invoice_item_details": { "invoice_item": item, "proration": false, "subscription": null },
                "subscription_item_details": null,
                "type": "invoice_item_details",
            });
        };
        let is_proration = line.kind == LineKind::Proration;
        json!({
            "invoice_item_details": null,
            "subscription_item_details": {
                "invoice_item": if is_proration { Value::from(item) } else { Value::Null },
                "proration": is_proration,
                "subscription": stripe_id("sub", self.world.seed, self.invoice.customer as u64),
                "subscription_item": stripe_id("si", self.world.seed, pair as u64),
            },
            "type": "subscription_item_details",
        })
    }

    /// A price is a fixed amount of a product, so every agreed amount is a price of its own.
    fn price_and_product(&self, line: &Line) -> (String, &'static str) {
        let service_number = line.pair.map_or(0, |pair| u64::from(self.world.pairs[pair].service.psa_id));
        let amount = line.unit_price.normalize().mantissa().unsigned_abs();
        let fingerprint = service_number * 1_000_000_000 + u64::try_from(amount).unwrap_or(0);
        let price = stripe_id("price", self.world.seed, fingerprint);
        (price, line.pair.map_or("prod_Projects", |pair| product_of(&self.world.pairs[pair])))
    }

    /// Credit notes on lines of this invoice; `before` others were written already.
    fn credits(&self, before: usize) -> Vec<Value> {
        let lines = self.invoice.lines.iter().enumerate();
        let given_back = lines.filter_map(|(place, line)| Some((place, self.world.given_back(line)?)));
        given_back.enumerate().map(|(number, (place, amount))| self.credit_note(before + number, place, amount)).collect()
    }

    fn credit_note(&self, number: usize, place: usize, amount: Decimal) -> Value {
        let line = &self.invoice.lines[place];
        let granted_on = line.period.until.min(self.world.exported_on());
        let id = stripe_id("cn", self.world.seed, number as u64);
        json!({
            "id": id,
            "object": "credit_note",
            "amount": minor(amount),
            "created": seconds(granted_on),
            "currency": self.currency(),
            "customer": self.world.customers[self.invoice.customer].stripe_customer,
            "effective_at": seconds(granted_on),
            "invoice": self.id(),
            "lines": {
                "object": "list",
                "data": [{
                    "id": stripe_id("cnli", self.world.seed, number as u64),
                    "object": "credit_note_line_item",
                    "amount": minor(amount),
                    "description": format!("Service credit: {}", line.description),
                    "invoice_line_item": self.line_id(place),
                    "quantity": null,
                    "type": "invoice_line_item",
                }],
                "has_more": false,
                "url": format!("/v1/credit_notes/{id}/lines"),
            },
            "memo": "Credit for the outage",
            "number": format!("CW-CN-{:04}", number + 1),
            "reason": "product_unsatisfactory",
            "status": "issued",
            "subtotal": minor(amount),
            "total": minor(amount),
            "type": "post_payment",
        })
    }
}

fn product_of(pair: &Pair) -> &'static str {
    pair.pack.map_or(pair.service.stripe_product, |pack| pack.stripe_product)
}

fn list(url: &str, data: Vec<Value>) -> Value {
    json!({ "object": "list", "data": data, "has_more": false, "url": url })
}

/// Cents. Amounts are rounded to cents before they come here.
fn minor(amount: Decimal) -> i64 {
    (amount * Decimal::ONE_HUNDRED).round().to_i64().unwrap_or(0)
}

fn seconds(day: NaiveDate) -> i64 {
    day.and_time(NaiveTime::MIN).and_utc().timestamp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_and_seconds_are_whole() {
        assert_eq!(minor(Decimal::new(-45_419, 2)), -45_419);
        let day = NaiveDate::from_ymd_opt(2026, 7, 1).expect("a date");
        assert_eq!(seconds(day), 1_782_864_000);
    }
}
