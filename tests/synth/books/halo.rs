//! HaloPSA recurring invoices by snapshots, and invoices with their lines.

use super::{Books, Contract, Crosswalk, Line, day, files, named, number, pages};
use chrono::Datelike;
use rust_decimal::Decimal;
use serde_json::Value;
use shortfall::month::Month;
use std::collections::BTreeMap;
use std::path::Path;

/// `2001.0` and `2001` are one id.
fn id(value: &Value) -> String {
    value.to_string().trim_end_matches(".0").to_owned()
}

fn date(record: &Value, field: &str) -> Option<chrono::NaiveDate> {
    Some(day(record[field].as_str().expect(field))).filter(|day| day.year() > 1900)
}

impl Books {
    pub(super) fn read_recurring_invoices(&mut self, root: &Path, crosswalk: &Crosswalk) {
        let mut seen = std::collections::BTreeSet::new();
        for path in files(root, "halopsa").iter().filter(|path| named(path, "recurring_invoices_")) {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let snapshot = day(&name["recurring_invoices_".len()..]);
            for invoice in pages(path, "invoices") {
                let customer = crosswalk.customer("halopsa", &id(&invoice["client_id"]));
                for line in invoice["lines"].as_array().expect("lines") {
                    let (service, factor) = crosswalk.service("halopsa", line["item_code"].as_str().expect("a code"));
                    let pair = (customer.clone(), service);
                    let quantity = number(&line["qty_order"]) * factor;
                    let price = line.get("unit_price_converted").map(|price| number(price) / factor);
                    if price == Some(Decimal::ZERO) {
                        self.internal.insert(pair, quantity);
                        continue;
                    }
                    let first = seen.insert(id(&line["id"]));
                    let from = if first { date(line, "startdate").expect("a date") } else { snapshot };
                    let contracts = self.contracts.entry(pair).or_default();
                    if let Some(last) = date(line, "enddate") {
                        assert_eq!(line["isinactive"], true);
                        let ended = Contract { quantity: Decimal::ZERO, included: Decimal::ZERO, price };
                        // Another line may begin where this one ended.
                        contracts.entry(last.succ_opt().expect("a day")).or_insert(ended);
                    } else {
                        contracts.insert(from.min(snapshot), Contract { quantity, included: Decimal::ZERO, price });
                    }
                }
            }
        }
    }

    pub(super) fn read_halo_invoices(&mut self, root: &Path, crosswalk: &Crosswalk) {
        let mut posted: BTreeMap<String, Decimal> = BTreeMap::new();
        let mut n_voided = 0;
        for path in files(root, "halopsa").iter().filter(|path| named(path, "invoices_")) {
            for invoice in pages(path, "invoices") {
                let customer = crosswalk.customer("halopsa", &id(&invoice["client_id"]));
                let total = number(&invoice["total"]);
                let lines = invoice["lines"].as_array().expect("lines");
                let sum: Decimal = lines.iter().map(|line| number(&line["net_amount_converted"])).sum();
                assert_eq!(sum, total, "{invoice}");
                if invoice["voided"] == true {
                    n_voided += 1;
                } else if invoice["posted"] == false {
                    *self.never_invoiced.entry(customer).or_default() += total;
                } else if id(&invoice["creditlinkedtoinvoiceid"]) != "0" {
                    assert!(
                        posted.contains_key(&id(&invoice["creditlinkedtoinvoiceid"])),
                        "a credit on an invoice that is there"
                    );
                    for line in lines {
                        let (service, _) = crosswalk.service("halopsa", line["item_code"].as_str().expect("a code"));
                        let month = Month::of(date(line, "startdate").expect("a date"));
                        *self.given_back.entry(((customer.clone(), service), month)).or_default() -=
                            number(&line["net_amount_converted"]);
                    }
                    *self.credits.entry(customer).or_default() += total;
                } else {
                    posted.insert(id(&invoice["id"]), total);
                    for line in lines {
                        self.read_halo_line(&customer, line, crosswalk);
                    }
                }
            }
        }
        assert!(n_voided > 0, "no voided invoice");
    }

    fn read_halo_line(&mut self, customer: &str, line: &Value, crosswalk: &Crosswalk) {
        let amount = number(&line["net_amount_converted"]);
        let (service, factor) = crosswalk.service("halopsa", line["item_code"].as_str().expect("a code"));
        if service == "projects" {
            *self.projects.entry(customer.to_owned()).or_default() += amount;
            return;
        }
        let (from, last) = (date(line, "startdate").expect("a date"), date(line, "enddate").expect("a date"));
        if from.day() == 15 && (last - from).num_days() > 26 {
            self.anchored.insert(customer.to_owned());
        }
        self.lines.entry((customer.to_owned(), service)).or_default().push(Line {
            from,
            until: last.succ_opt().expect("a day"),
            amount,
            quantity: number(&line["qty_order"]) * factor,
            unit_price: number(&line["unit_price_converted"]) / factor,
        });
    }
}
