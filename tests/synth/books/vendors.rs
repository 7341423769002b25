//! Partner Center, Pax8 and FOCUS.

use super::{Books, Crosswalk, Pair, day, days, decimal, files, named, number, pages, rows};
use chrono::NaiveDate;
use flate2::read::MultiGzDecoder;
use rust_decimal::Decimal;
use serde_json::Value;
use shortfall::month::Month;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

fn us_day(text: &str) -> NaiveDate {
    NaiveDate::parse_from_str(text, "%m/%d/%Y").expect(text)
}

/// One row of a vendor's licence file.
#[derive(Clone, Debug)]
struct Licence {
    pair: Pair,
    from: NaiveDate,
    last_day: NaiveDate,
    seats: Decimal,
    unit_price: Decimal,
    is_trial: bool,
}

impl Books {
    pub(super) fn read_licences(&mut self, root: &Path, crosswalk: &Crosswalk) {
        // A file that is issued again for an invoice replaces the first one.
        let mut invoices: BTreeMap<String, Vec<Licence>> = BTreeMap::new();
        for path in files(root, "microsoft").into_iter().filter(|path| named(path, "recon_")) {
            let rows = if path.extension().is_some_and(|it| it == "gz") { json_lines(&path) } else { rows(&path) };
            let number = rows[0]["InvoiceNumber"].clone();
            invoices.insert(number, rows.iter().map(|row| licence(row, crosswalk)).collect());
        }
        for row in invoices.into_values().flatten().filter(|row| !row.is_trial) {
            if self.is_unmapped(&row.pair, Month::of(row.from), row.unit_price * row.seats) {
                continue;
            }
            let until = row.last_day.succ_opt().expect("a day");
            let seats = self.seats.entry(row.pair.clone()).or_default();
            for day in days(row.from, until) {
                *seats.entry(day).or_default() += row.seats;
            }
            let month = Month::of(row.from);
            if until == month.plus(1).first_day() && row.from == month.first_day() {
                self.unit_costs.insert((row.pair, month), row.unit_price);
            }
        }
    }

    pub(super) fn read_pax8(&mut self, root: &Path, crosswalk: &Crosswalk) {
        for path in files(root, "pax8").iter().filter(|path| named(path, "invoice_items_")) {
            for item in pages(path, "content") {
                let text = |field: &str| item[field].as_str().expect(field);
                let (pair, _) = crosswalk.pair("pax8", text("companyId"), text("sku"));
                let (cost, quantity) = (number(&item["cost"]), number(&item["quantity"]));
                assert_eq!((cost * quantity).round_dp(2), number(&item["costTotal"]), "{item}");
                let (from, end) = (day(text("startPeriod")), day(text("endPeriod")));
                // Whole months end on the first of the next, parts of one on their last day.
                let until = if text("type") == "prorate" { end.succ_opt().expect("a day") } else { end };
                let month = Month::of(from);
                if self.is_unmapped(&pair, month, number(&item["costTotal"])) {
                    continue;
                }
                if text("term") == "Arrears" {
                    *self.usage.entry((pair.clone(), month)).or_default() += quantity;
                    self.unit_costs.insert((pair, month), cost);
                    continue;
                }
                let seats = self.seats.entry(pair.clone()).or_default();
                for day in days(from, until) {
                    *seats.entry(day).or_default() += if cost.is_sign_negative() { -quantity } else { quantity };
                }
                if text("type") == "subscription" {
                    self.unit_costs.insert((pair, month), cost);
                }
            }
        }
    }

    pub(super) fn read_focus(&mut self, root: &Path, crosswalk: &Crosswalk) {
        for row in files(root, "focus").iter().flat_map(|path| rows(path)) {
            let pair_of = |sku: &str| crosswalk.pair("focus", &row["SubAccountId"], sku);
            if row["ChargeCategory"] != "Usage" {
                assert!(matches!(row["ConsumedQuantity"].as_str(), "" | "NULL"), "only usage has a quantity");
                let (pair, _) = pair_of(if row["ChargeCategory"] == "Tax" { &row["ServiceName"] } else { &row["SkuId"] });
                assert!(!pair.0.is_empty() && !pair.1.is_empty(), "{row:?}");
                continue;
            }
            let (pair, factor) = pair_of(&row["SkuId"]);
            let month = Month::of(day(&row["ChargePeriodStart"]));
            let quantity = decimal(&row["ConsumedQuantity"]);
            assert_eq!(quantity * decimal(&row["ContractedUnitPrice"]), decimal(&row["BilledCost"]));
            if self.is_unmapped(&pair, month, decimal(&row["BilledCost"])) {
                continue;
            }
            *self.usage.entry((pair.clone(), month)).or_default() += quantity * factor;
            self.unit_costs.insert((pair, month), decimal(&row["ContractedUnitPrice"]) / factor);
        }
    }

    pub(super) fn read_rated_usage(&mut self, root: &Path, crosswalk: &Crosswalk) {
        // A month that is issued again replaces its days.
        let mut days: BTreeMap<(Pair, NaiveDate), (Decimal, Decimal)> = BTreeMap::new();
        for path in files(root, "microsoft").iter().filter(|path| named(path, "usage_")) {
            for row in json_lines(path) {
                let sku = format!("{}:{}", row["ProductId"], row["SkuId"]);
                let (pair, factor) = crosswalk.pair("microsoft_csp", &row["CustomerId"], &sku);
                let (quantity, price) = (decimal(&row["Quantity"]), decimal(&row["EffectiveUnitPrice"]));
                assert_eq!(quantity * price, decimal(&row["BillingPreTaxTotal"]));
                days.insert((pair, day(&row["UsageDate"])), (quantity * factor, price / factor));
            }
        }
        for ((pair, day), (quantity, price)) in days {
            let month = Month::of(day);
            if !self.is_unmapped(&pair, month, quantity * price) {
                *self.usage.entry((pair.clone(), month)).or_default() += quantity;
                self.unit_costs.insert((pair, month), price);
            }
        }
    }
}

/// A gzip of several members, with the column names of the CSV files.
pub fn json_lines(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut text = String::new();
    MultiGzDecoder::new(fs::File::open(path).expect("file")).read_to_string(&mut text).expect("gzip");
    let row = |line: &str| {
        let value: Value = serde_json::from_str(line).expect("JSON");
        let fields = value.as_object().expect("an object").iter();
        let cells = fields.map(|(name, value)| {
            let (first, rest) = name.split_at(1);
            let cell = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (format!("{}{rest}", first.to_ascii_uppercase()), cell)
        });
        cells.collect()
    };
    text.lines().map(row).collect()
}

fn licence(row: &BTreeMap<String, String>, crosswalk: &Crosswalk) -> Licence {
    let date = |column: &str| {
        let text = &row[column];
        if text.contains('/') { us_day(text) } else { day(text) }
    };
    let sku = format!("{}:{}", row["ProductId"], row["SkuId"]);
    let (pair, _) = crosswalk.pair("microsoft_csp", row["CustomerId"].trim_start_matches("org:"), &sku);
    let unit_price = decimal(&row["EffectiveUnitPrice"]);
    let seats = decimal(&row["BillableQuantity"]);
    assert_eq!(unit_price.trunc_with_scale(2) * seats, decimal(&row["Subtotal"]), "Microsoft truncates the unit price");
    Licence {
        pair,
        from: date("ChargeStartDate"),
        last_day: date("ChargeEndDate"),
        seats,
        unit_price,
        is_trial: row["TermAndBillingCycle"].contains("trial"),
    }
}
