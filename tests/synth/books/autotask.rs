//! Autotask unit rows, and billing items with the periods of their invoices.

use super::{Books, Contract, Crosswalk, Line, day, files, named, number, pages};
use chrono::{Datelike, NaiveDate};
use rust_decimal::Decimal;
use serde_json::Value;
use shortfall::month::Month;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Every version of every record, the newest last.
fn records(root: &Path, start: &str) -> Vec<Value> {
    let files = files(root, "autotask").into_iter();
    files.filter(|path| named(path, &format!("{start}_2"))).flat_map(|path| pages(&path, "items")).collect()
}

fn newest(root: &Path, start: &str) -> BTreeMap<u64, Value> {
    records(root, start).into_iter().map(|record| (record["id"].as_u64().expect("an id"), record)).collect()
}

fn sku(record: &Value) -> String {
    match &record["serviceID"] {
        Value::Null => format!("bundle:{}", record["serviceBundleID"]),
        id => id.to_string(),
    }
}

impl Books {
    pub(super) fn read_units(&mut self, root: &Path, crosswalk: &Crosswalk) {
        let customers: BTreeMap<String, String> = newest(root, "contracts")
            .values()
            .map(|it| (it["id"].to_string(), crosswalk.customer("autotask", &it["companyID"].to_string())))
            .collect();
        let given_away: BTreeSet<String> = ["contract_services", "contract_service_bundles"]
            .iter()
            .flat_map(|kind| newest(root, kind).into_values())
            .filter(|record| record["internalDescription"] == "Internal use")
            .map(|record| record["id"].to_string())
            .collect();
        let mut rows: BTreeMap<super::Pair, BTreeMap<NaiveDate, (NaiveDate, Contract)>> = BTreeMap::new();
        for (kind, parent) in
            [("contract_service_units", "contractServiceID"), ("contract_service_bundle_units", "contractServiceBundleID")]
        {
            for row in newest(root, kind).into_values() {
                let (service, factor) = crosswalk.service("autotask", &sku(&row));
                let pair = (customers[&row["contractID"].to_string()].clone(), service);
                let units = number(&row["units"]) * factor;
                if given_away.contains(&row[parent].to_string()) {
                    self.internal.insert(pair, units);
                    continue;
                }
                let date = |field: &str| day(row[field].as_str().expect("a date"));
                let price = row["price"].as_number().map(|_| number(&row["price"]) / units);
                let contract = Contract { quantity: units, included: Decimal::ZERO, price };
                let before = rows.entry(pair).or_default().insert(date("startDate"), (date("endDate"), contract));
                assert!(before.is_none(), "two rows begin on a day: {row}");
            }
        }
        for (pair, rows) in rows {
            let contracts = self.contracts.entry(pair).or_default();
            for (start, (end, contract)) in &rows {
                contracts.insert(*start, contract.clone());
                let next = end.succ_opt().expect("a day");
                // A row that is changed within its period ends on the day of the change.
                if !rows.contains_key(&next) && !rows.contains_key(end) {
                    contracts.insert(next, Contract { quantity: Decimal::ZERO, ..contract.clone() });
                }
            }
        }
    }

    pub(super) fn read_billing_items(&mut self, root: &Path, crosswalk: &Crosswalk) {
        let invoices = newest(root, "invoices");
        let mut totals: BTreeMap<u64, Decimal> = BTreeMap::new();
        let charges = newest(root, "contract_charges");
        for item in newest(root, "billing_items").into_values() {
            let customer = crosswalk.customer("autotask", &item["companyID"].to_string());
            let amount = number(&item["extendedPrice"]);
            let Some(invoice) = item["invoiceID"].as_u64() else {
                *self.never_invoiced.entry(customer).or_default() += amount;
                continue;
            };
            *totals.entry(invoice).or_default() += amount;
            let invoice = &invoices[&invoice];
            assert_eq!(invoice["isVoided"], false, "items of a voided invoice move on");
            assert_eq!(invoice["companyID"], item["companyID"]);
            let date = |record: &Value, field: &str| day(record[field].as_str().expect("a date"));
            let from = date(&item, "itemDate");
            let last = date(invoice, "toDate");
            assert!(date(invoice, "fromDate") <= from && from <= last, "{item} on {invoice}");
            if item["contractChargeID"].is_number() {
                assert_eq!(number(&charges[&item["contractChargeID"].as_u64().expect("an id")]["billableAmount"]), amount);
                if amount.is_sign_negative() {
                    let (service, _) = crosswalk.service("autotask", &format!("material:{}", item["billingCodeID"]));
                    *self.given_back.entry(((customer.clone(), service), Month::of(from))).or_default() -= amount;
                    *self.credits.entry(customer).or_default() += amount;
                } else {
                    *self.projects.entry(customer).or_default() += amount;
                }
                continue;
            }
            let (service, factor) = crosswalk.service("autotask", &sku(&item));
            if from.day() == 15 && (last - from).num_days() > 26 {
                self.anchored.insert(customer.clone());
            }
            self.lines.entry((customer, service)).or_default().push(Line {
                from,
                until: last.succ_opt().expect("a day"),
                amount,
                quantity: number(&item["quantity"]) * factor,
                unit_price: number(&item["rate"]) / factor,
            });
        }
        for (id, invoice) in &invoices {
            let sum = totals.get(id).copied().unwrap_or_default();
            assert!(invoice["isVoided"] == true || number(&invoice["invoiceTotal"]) == sum, "{invoice}: items make {sum}");
        }
        assert!(invoices.values().any(|invoice| invoice["isVoided"] == true), "no voided invoice");
    }
}
