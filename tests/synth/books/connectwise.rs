//! ConnectWise additions by snapshots, Stripe invoices.

use super::{Books, Contract, Crosswalk, Line, day, files, json, named, number};
use chrono::{DateTime, Datelike, NaiveDate};
use rust_decimal::Decimal;
use serde_json::Value;
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
                }
                self.contracts.entry(pair).or_default().insert(from, contract);
            }
        }
    }

    pub(super) fn read_stripe(&mut self, root: &Path, crosswalk: &Crosswalk) {
        for path in files(root, "stripe").iter().filter(|path| named(path, "invoices_")) {
            let list = json(path);
            for invoice in list["data"].as_array().expect("a list") {
                let customer = crosswalk.customer("stripe", invoice["customer"].as_str().expect("a customer"));
                let mut total = 0;
                for line in invoice["lines"]["data"].as_array().expect("a list") {
                    total += line["amount"].as_i64().expect("cents");
                    self.read_line(&customer, line, crosswalk);
                }
                assert_eq!(invoice["total"].as_i64(), Some(total), "lines add up to the invoice");
            }
        }
    }

    fn read_line(&mut self, customer: &str, line: &Value, crosswalk: &Crosswalk) {
        let product = line["pricing"]["price_details"]["product"].as_str().expect("a product");
        let (service, factor) = crosswalk.service("stripe", product);
        let (from, until) = (unix_day(&line["period"]["start"]), unix_day(&line["period"]["end"]));
        if from.day() == 15 && (until - from).num_days() > 27 {
            self.anchored.insert(customer.to_owned());
        }
        self.lines.entry((customer.to_owned(), service)).or_default().push(Line {
            from,
            until,
            amount: number(&line["amount"]) / Decimal::ONE_HUNDRED,
            quantity: number(&line["quantity_decimal"]) * factor,
            unit_price: number(&line["pricing"]["unit_amount_decimal"]) / Decimal::ONE_HUNDRED / factor,
        });
    }
}
