//! What was posted and invoiced: `BillingItems`, `Invoices` that are headers only, and `ContractCharges` for projects and credits.
//!
//! An item has one date and no end, so everything on an invoice belongs to the invoice's period: what is billed on one day for
//! several periods goes on several invoices. A change of units is one item for the difference. A voided invoice keeps its header
//! and loses its items to the next. Items of a leak that were posted and never put on an invoice have none.

use super::{Entity, contract_id, contract_service_id, date_time, export_days, save};
use crate::month::Month;
use crate::synth::calendar::Span;
use crate::synth::catalogue::PROJECT;
use crate::synth::error::SynthError;
use crate::synth::invoices::{Line, LineKind, forgotten, invoices, netted};
use crate::synth::landscape::Biller;
use crate::synth::output::Output;
use crate::synth::world::World;
use crate::synth::writers::json::number;
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::BTreeMap;

static ITEMS: Entity = Entity { kind: "autotask_billing_items", file: "billing_items", path: "BillingItems" };
static INVOICES: Entity = Entity { kind: "autotask_invoices", file: "invoices", path: "Invoices" };
static CHARGES: Entity = Entity { kind: "autotask_contract_charges", file: "contract_charges", path: "ContractCharges" };

/// Kinds of billing items in this tenant's list.
const RECURRING_SERVICE: u32 = 11;
const CONTRACT_CHARGE: u32 = 13;

pub(super) fn write(world: &World, output: &mut Output) -> Result<(), SynthError> {
    let mut ledger = Ledger { world, items: Vec::new(), invoices: Vec::new(), charges: Vec::new() };
    for invoice in invoices(world, Biller::Psa) {
        let mut by_period: BTreeMap<NaiveDate, (Span, Vec<Line>)> = BTreeMap::new();
        for line in netted(invoice.lines) {
            let billing = world.customers[invoice.customer].billing;
            let period = line.service_period(billing);
            by_period.entry(period.from).or_insert_with(|| (period, Vec::new())).1.push(line);
        }
        for (period, lines) in by_period.into_values() {
            ledger.invoice(invoice.customer, invoice.date, period, &lines);
        }
    }
    ledger.forgotten();
    ledger.save(output)
}

/// Records with the day on which they came to be.
struct Ledger<'a> {
    world: &'a World,
    items: Vec<(NaiveDate, Value)>,
    invoices: Vec<(NaiveDate, Value)>,
    charges: Vec<(NaiveDate, Value)>,
}

impl Ledger<'_> {
    fn invoice(&mut self, customer: usize, date: NaiveDate, period: Span, lines: &[Line]) {
        let total: Decimal = lines.iter().map(|line| line.amount).sum();
        // Now and then somebody voids an invoice and issues it again.
        if self.invoices.len() % 97 == 41 {
            self.header(customer, date, period, total, true);
        }
        let number = self.header(customer, date, period, total, false);
        for line in lines {
            self.item(customer, line, date, Some(number));
        }
        for line in lines {
            if let Some(given_back) = self.world.given_back(line) {
                self.credit(customer, line, -given_back);
            }
        }
    }

    /// An amount given back on an invoice of its own, as a negative charge.
    fn credit(&mut self, customer: usize, line: &Line, amount: Decimal) {
        let day = line.period.until.min(self.world.exported_on());
        // It is for the month that is given back, and invoiced after it.
        let last_day = line.period.last_day().min(day);
        let credit = Line {
            kind: LineKind::Manual,
            description: format!("Service credit: {}", line.description),
            quantity: Decimal::ONE,
            unit_price: amount,
            amount,
            period: Span { from: last_day, until: last_day },
            ..line.clone()
        };
        let number = self.header(customer, day, credit.period, amount, false);
        self.item(customer, &credit, day, Some(number));
    }

    fn header(&mut self, customer: usize, date: NaiveDate, period: Span, total: Decimal, is_voided: bool) -> usize {
        let customer = &self.world.customers[customer];
        let id = 1_000 + self.invoices.len();
        let last_day = period.until.pred_opt().unwrap_or(period.until).max(period.from);
        let record = json!({
            "id": id,
            "companyID": customer.company_id,
            "invoiceNumber": format!("{}", 20_000 + self.invoices.len()),
            "invoiceDateTime": date_time(date),
            "fromDate": date_time(period.from),
            "toDate": date_time(last_day),
            "dueDate": date_time(date + chrono::Days::new(30)),
            "invoiceTotal": number(total),
            "totalTaxValue": 0,
            "isVoided": is_voided,
            "voidedDate": if is_voided { Value::from(date_time(date)) } else { Value::Null },
            "paidDate": null,
            "batchID": 300 + id,
            "orderNumber": "",
            "comments": "",
        });
        self.invoices.push((date, record));
        id
    }

    fn item(&mut self, customer: usize, line: &Line, posted: NaiveDate, invoice: Option<usize>) {
        let buyer = &self.world.customers[customer];
        let id = 500_000 + self.items.len();
        let pair = line.pair.map(|index| (index, &self.world.pairs[index]));
        let is_credit = line.kind == LineKind::Manual && line.amount.is_sign_negative();
        let rate = self.world.dollars_per_unit(buyer.currency, Month::of(posted));
        let local = |amount: Decimal| number((amount * rate).round_dp(4).normalize());
        let mut record = json!({
            "id": id,
            "companyID": buyer.company_id,
            "contractID": contract_id(buyer),
            "invoiceID": invoice,
            "billingItemType": if pair.is_some() && !is_credit { RECURRING_SERVICE } else { CONTRACT_CHARGE },
            "subType": null,
            "itemName": line.description,
            "description": line.description,
            "itemDate": date_time(line.period.from),
            "postedDate": date_time(posted),
            "postedOnTime": date_time(posted),
            "quantity": number(line.quantity.normalize()),
            "rate": number(line.unit_price.normalize()),
            "extendedPrice": number(line.amount),
            "taxDollars": 0,
            "totalAmount": number(line.amount),
            "ourCost": null,
            "internalCurrencyRate": local(line.unit_price),
            "internalCurrencyExtendedPrice": local(line.amount),
            "internalCurrencyTaxDollars": 0,
            "internalCurrencyTotalAmount": local(line.amount),
            "nonBillable": 0,
            "billingCodeID": 29_682_801,
            "contractServiceID": null,
            "contractServiceAdjustmentID": null,
            "contractServiceBundleID": null,
            "contractServiceBundleAdjustmentID": null,
            "contractChargeID": null,
            "serviceID": null,
            "serviceBundleID": null,
            "lineItemID": null,
            "webServiceDate": date_time(posted),
        });
        match pair.filter(|_| !is_credit) {
            Some((index, pair)) => {
                let (prefix, article) = pair.pack.map_or(("contractService", ("serviceID", pair.service.psa_id)), |pack| {
                    ("contractServiceBundle", ("serviceBundleID", pack.psa_id))
                });
                record[article.0] = article.1.into();
                // What was used or added by hand is posted for the service, not for a period of the contract.
                if matches!(line.kind, LineKind::Cycle | LineKind::Proration) {
                    record[format!("{prefix}ID")] = contract_service_id(index, pair.line_number_on(line.period.from)).into();
                }
                if line.kind == LineKind::Proration {
                    record[format!("{prefix}AdjustmentID")] = (80_000 + id).into();
                }
            }
            None => {
                let code = pair.map_or(PROJECT.0, |(_, pair)| pair.service.credit_code());
                record["billingCodeID"] = code.into();
                record["contractChargeID"] = self.charge(customer, line, posted, code).into();
            }
        }
        self.items.push((posted, record));
    }

    fn charge(&mut self, customer: usize, line: &Line, posted: NaiveDate, code: u32) -> usize {
        let id = 7_000 + self.charges.len();
        let record = json!({
            "id": id,
            "contractID": contract_id(&self.world.customers[customer]),
            "name": line.description,
            "description": line.description,
            "billingCodeID": code,
            "productID": null,
            "datePurchased": date_time(line.period.from),
            "unitQuantity": number(line.quantity.normalize()),
            "unitPrice": number(line.unit_price),
            "unitCost": 0,
            "billableAmount": number(line.amount),
            "extendedCost": 0,
            "isBillableToCompany": true,
            "isBilled": true,
            "status": 7,
        });
        self.charges.push((posted, record));
        id
    }

    /// Items that were approved and posted like all others, and that no invoice run picked up.
    fn forgotten(&mut self) {
        for (index, pair) in self.world.pairs.iter().enumerate() {
            for line in forgotten(self.world, index) {
                self.item(pair.customer, &line, line.period.from, None);
            }
        }
    }

    fn save(self, output: &mut Output) -> Result<(), SynthError> {
        let first = self.world.first_month;
        for (entity, records) in [(&ITEMS, self.items), (&INVOICES, self.invoices), (&CHARGES, self.charges)] {
            for (month, day) in export_days(self.world) {
                // What is older than the first export is in it.
                let due = records.iter().filter(|(made, _)| Month::of(*made).max(first) == month && *made <= day);
                let due: Vec<Value> = due.map(|(_, record)| record.clone()).collect();
                if !due.is_empty() {
                    save(output, entity, day, due)?;
                }
            }
        }
        Ok(())
    }
}
