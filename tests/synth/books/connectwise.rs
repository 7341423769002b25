//! ConnectWise additions by snapshots, Stripe invoices.

use super::{Books, Contract, Crosswalk, Line, day, files, json, named, number};
use chrono::{DateTime, Datelike, NaiveDate};
use rust_decimal::Decimal;
use serde_json::Value;
use shortfall::month::Month;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn unix_day(value: &Value) -> NaiveDate {
    DateTime::from_timestamp(value.as_i64().expect("seconds"), 0).expect("a time").date_naive()
}

impl Books {
    pub(super) fn read_connectwise(&mut self, root: &Path, crosswalk: &Crosswalk) {
        let agreements = json(files(root, "connectwise").iter().rfind(|path| named(path, "agreements_")).expect("a file"));
        let customers: BTreeMap<String, String> = agreements
            .as_array()
            .expect("a bare array")
            .iter()
            .map(|it| (it["id"].to_string(), crosswalk.customer("connectwise", &it["company"]["id"].to_string())))
            .collect();
        let mut seen = BTreeSet::new();
        for path in files(root, "connectwise").iter().filter(|path| named(path, "additions_")) {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let snapshot = day(&name["additions_".len()..]);
            for addition in json(path).as_array().expect("a bare array") {
                let sku = addition["product"]["identifier"].as_str().expect("a SKU");
                let (service, factor) = crosswalk.service("connectwise", sku);
                let pair = (customers[&addition["agreementId"].to_string()].clone(), service);
                if addition["billCustomer"] == "DoNotBill" {
                    self.internal.insert(pair, number(&addition["quantity"]) * factor);
                    continue;
                }
                let first = seen.insert(addition["id"].to_string());
                let from = if first { day(addition["effectiveDate"].as_str().expect("a date")) } else { snapshot };
                let mut contract = Contract {
                    quantity: number(&addition["quantity"]) * factor,
                    included: number(&addition["lessIncluded"]),
                    price: addition.get("unitPrice").map(|price| number(price) / factor),
                };
                let mut from = from.min(snapshot);
                if let Some(cancelled) = addition.get("cancelledDate") {
                    from = day(cancelled.as_str().expect("a date"));
                    contract.quantity = Decimal::ZERO;
                    contract.included = Decimal::ZERO;
                    // Another line may begin where this one ended.
                    self.contracts.entry(pair).or_default().entry(from).or_insert(contract);
                    continue;
                }
                self.contracts.entry(pair).or_default().insert(from, contract);
            }
        }
    }

    pub(super) fn read_stripe(&mut self, root: &Path, crosswalk: &Crosswalk) {
        let (mut lines_by_id, mut n_void) = (BTreeMap::new(), 0);
        for path in files(root, "stripe").iter().filter(|path| named(path, "invoices_")) {
            let list = json(path);
            for invoice in list["data"].as_array().expect("a list") {
                let customer = crosswalk.customer("stripe", invoice["customer"].as_str().expect("a customer"));
                let lines = invoice["lines"]["data"].as_array().expect("a list");
                let total = lines.iter().map(|line| line["amount"].as_i64().expect("cents")).sum();
                assert_eq!(invoice["total"].as_i64(), Some(total), "lines add up to the invoice");
                n_void += usize::from(invoice["status"] == "void");
                if invoice["status"] == "void" {
                    continue;
                }
                for line in lines {
                    let (pair, month) = self.read_line(&customer, line, crosswalk);
                    let before = lines_by_id.insert(line["id"].to_string(), (pair, month));
                    assert_eq!(before, None, "a line of its own");
                }
            }
        }
        assert!(n_void > 0, "no voided invoice");
        for note in files(root, "stripe").iter().filter(|path| named(path, "credit_notes_")).map(|path| json(path)) {
            for note in note["data"].as_array().expect("a list") {
                for line in note["lines"]["data"].as_array().expect("a list") {
                    let credited = lines_by_id[&line["invoice_line_item"].to_string()].clone();
                    *self.given_back.entry(credited).or_default() += number(&line["amount"]) / Decimal::ONE_HUNDRED;
                }
            }
        }
    }

    fn read_line(&mut self, customer: &str, line: &Value, crosswalk: &Crosswalk) -> (super::Pair, Month) {
        let product = line["pricing"]["price_details"]["product"].as_str().expect("a product");
        let (service, factor) = crosswalk.service("stripe", product);
        let (from, until) = (unix_day(&line["period"]["start"]), unix_day(&line["period"]["end"]));
        if from.day() == 15 && (until - from).num_days() > 27 {
            self.anchored.insert(customer.to_owned());
        }
        let pair = (customer.to_owned(), service);
        self.lines.entry(pair.clone()).or_default().push(Line {
            from,
            until,
            amount: number(&line["amount"]) / Decimal::ONE_HUNDRED,
            quantity: number(&line["quantity_decimal"]) * factor,
            unit_price: number(&line["pricing"]["unit_amount_decimal"]) / Decimal::ONE_HUNDRED / factor,
        });
        (pair, Month::of(from))
    }
}
