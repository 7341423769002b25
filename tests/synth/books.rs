//! A plain reader of the simulator's exports, written from the formats alone, to recompute what the truth file states.

use chrono::{DateTime, Datelike, NaiveDate};
use flate2::read::MultiGzDecoder;
use rust_decimal::Decimal;
use serde_json::Value;
use shortfall::month::Month;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A customer key and a service key.
pub type Pair = (String, String);

/// What the PSA says about a pair from one snapshot on.
#[derive(Clone, Debug)]
pub struct Contract {
    pub quantity: Decimal,
    pub included: Decimal,
    /// Per unit; absent where the PSA has no price.
    pub price: Option<Decimal>,
}

/// One invoice line in units of the service.
#[derive(Clone, Debug)]
pub struct Line {
    pub from: NaiveDate,
    pub until: NaiveDate,
    pub amount: Decimal,
    pub quantity: Decimal,
    pub unit_price: Decimal,
}

impl Line {
    fn n_days(&self) -> Decimal {
        Decimal::from((self.until - self.from).num_days())
    }
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

/// Everything read back.
#[derive(Default)]
pub struct Books {
    pub contracts: BTreeMap<Pair, BTreeMap<NaiveDate, Contract>>,
    pub internal: BTreeMap<Pair, Decimal>,
    pub lines: BTreeMap<Pair, Vec<Line>>,
    /// Seats of each day.
    pub seats: BTreeMap<Pair, BTreeMap<NaiveDate, Decimal>>,
    pub usage: BTreeMap<(Pair, Month), Decimal>,
    pub unit_costs: BTreeMap<(Pair, Month), Decimal>,
    pub subjects: BTreeMap<Pair, BTreeMap<NaiveDate, i64>>,
    /// Unit price and allowance by the contract terms.
    pub terms: BTreeMap<Pair, BTreeMap<NaiveDate, (Decimal, Decimal)>>,
    pub cost_plus: BTreeSet<Pair>,
    pub anchored: BTreeSet<String>,
}

pub fn files(root: &Path, folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(root.join("exports").join(folder)).expect("folder").map(|entry| entry.expect("entry").path()).collect();
    files.sort();
    files
}

pub fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let bytes = fs::read(path).expect("file");
    let text = String::from_utf8(bytes).expect("UTF-8");
    let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let header = reader.headers().expect("header").clone();
    let records = reader.records().map(|record| record.expect("as many cells as columns"));
    let rows = records.filter(|record| *record != header);
    rows.map(|record| header.iter().map(str::to_owned).zip(record.iter().map(str::to_owned)).collect()).collect()
}

/// A number as any of the exports writes it.
pub fn decimal(text: &str) -> Decimal {
    let text = text.trim_start_matches('\'');
    text.parse().or_else(|_| Decimal::from_scientific(text)).expect(text)
}

fn number(value: &Value) -> Decimal {
    decimal(value.to_string().trim_matches('"'))
}

fn day(text: &str) -> NaiveDate {
    text[..10].parse().expect(text)
}

fn us_day(text: &str) -> NaiveDate {
    NaiveDate::parse_from_str(text, "%m/%d/%Y").expect(text)
}

fn unix_day(value: &Value) -> NaiveDate {
    DateTime::from_timestamp(value.as_i64().expect("seconds"), 0).expect("a time").date_naive()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("file")).expect("JSON")
}

/// The records of pages that were saved one after the other, each page as it says of itself.
pub fn pages(path: &Path, list: &str) -> Vec<Value> {
    let bytes = fs::read(path).expect("file");
    let pages = serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>();
    let records = pages.flat_map(|page| page.expect("JSON")[list].as_array().expect("a list").clone());
    records.collect()
}

fn days(from: NaiveDate, until: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    from.iter_days().take_while(move |day| *day < until)
}

struct Crosswalk {
    customers: BTreeMap<(String, String), String>,
    services: BTreeMap<(String, String), (String, Decimal)>,
}

impl Crosswalk {
    fn read(root: &Path) -> Self {
        let customers = rows(&root.join("exports/mapping/customers.csv")).into_iter();
        let services = rows(&root.join("exports/mapping/services.csv")).into_iter();
        Self {
            customers: customers
                .map(|row| ((row["system"].clone(), row["native_id"].clone()), row["customer_key"].clone()))
                .collect(),
            services: services
                .map(|row| {
                    let factor = decimal(&row["unit_factor"]);
                    ((row["system"].clone(), row["native_sku"].clone()), (row["service_key"].clone(), factor))
                })
                .collect(),
        }
    }

    fn customer(&self, system: &str, id: &str) -> String {
        self.customers.get(&(system.to_owned(), id.to_owned())).expect(id).clone()
    }

    fn service(&self, system: &str, sku: &str) -> (String, Decimal) {
        self.services.get(&(system.to_owned(), sku.to_owned())).expect(sku).clone()
    }
}

impl Books {
    pub fn read(root: &Path) -> Self {
        let crosswalk = Crosswalk::read(root);
        let mut books = Self::default();
        books.read_terms(root);
        books.read_psa(root, &crosswalk);
        books.read_licences(root, &crosswalk);
        books.read_pax8(root, &crosswalk);
        books.read_focus(root, &crosswalk);
        books.read_stripe(root, &crosswalk);
        books.read_lifecycle(root, &crosswalk);
        books
    }

    fn read_terms(&mut self, root: &Path) {
        for row in rows(&root.join("exports/mapping/contract_terms.csv")) {
            let pair = (row["customer_key"].clone(), row["service_key"].clone());
            if row["model"] == "cost_plus" {
                self.cost_plus.insert(pair);
            } else {
                let price = if row["unit_price"].is_empty() { &row["flat_fee"] } else { &row["unit_price"] };
                let included =
                    if row["included_quantity"].is_empty() { Decimal::ZERO } else { decimal(&row["included_quantity"]) };
                self.terms.entry(pair).or_default().insert(day(&row["valid_from"]), (decimal(price), included));
            }
        }
    }

    fn read_psa(&mut self, root: &Path, crosswalk: &Crosswalk) {
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

    fn read_licences(&mut self, root: &Path, crosswalk: &Crosswalk) {
        // A file that is issued again for an invoice replaces the first one.
        let mut invoices: BTreeMap<String, Vec<Licence>> = BTreeMap::new();
        for path in files(root, "microsoft") {
            let rows = if path.extension().is_some_and(|it| it == "gz") { json_lines(&path) } else { rows(&path) };
            let number = rows[0]["InvoiceNumber"].clone();
            invoices.insert(number, rows.iter().map(|row| licence(row, crosswalk)).collect());
        }
        for row in invoices.into_values().flatten().filter(|row| !row.is_trial) {
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

    fn read_pax8(&mut self, root: &Path, crosswalk: &Crosswalk) {
        for path in files(root, "pax8").iter().filter(|path| named(path, "invoice_items_")) {
            for item in pages(path, "content") {
                let text = |field: &str| item[field].as_str().expect(field);
                let customer = crosswalk.customer("pax8", text("companyId"));
                let (service, _) = crosswalk.service("pax8", text("sku"));
                let pair = (customer, service);
                let (cost, quantity) = (number(&item["cost"]), number(&item["quantity"]));
                assert_eq!((cost * quantity).round_dp(2), number(&item["costTotal"]), "{item}");
                let (from, end) = (day(text("startPeriod")), day(text("endPeriod")));
                // Whole months end on the first of the next, parts of one on their last day.
                let until = if text("type") == "prorate" { end.succ_opt().expect("a day") } else { end };
                let month = Month::of(from);
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

    fn read_focus(&mut self, root: &Path, crosswalk: &Crosswalk) {
        for row in files(root, "focus").iter().flat_map(|path| rows(path)) {
            let pair_of = |sku: &str| {
                let (service, factor) = crosswalk.service("focus", sku);
                ((crosswalk.customer("focus", &row["SubAccountId"]), service), factor)
            };
            if row["ChargeCategory"] != "Usage" {
                assert!(matches!(row["ConsumedQuantity"].as_str(), "" | "NULL"), "only usage has a quantity");
                pair_of(if row["ChargeCategory"] == "Tax" { &row["ServiceName"] } else { &row["SkuId"] });
                continue;
            }
            let (pair, factor) = pair_of(&row["SkuId"]);
            let month = Month::of(day(&row["ChargePeriodStart"]));
            let quantity = decimal(&row["ConsumedQuantity"]);
            assert_eq!(quantity * decimal(&row["ContractedUnitPrice"]), decimal(&row["BilledCost"]));
            *self.usage.entry((pair.clone(), month)).or_default() += quantity * factor;
            self.unit_costs.insert((pair, month), decimal(&row["ContractedUnitPrice"]) / factor);
        }
    }

    fn read_stripe(&mut self, root: &Path, crosswalk: &Crosswalk) {
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

    fn read_lifecycle(&mut self, root: &Path, crosswalk: &Crosswalk) {
        let mut provisioned = BTreeSet::new();
        for row in files(root, "lifecycle").iter().flat_map(|path| rows(path)) {
            let customer = crosswalk.customer(&row["system"], &row["customer_native_id"]);
            let (service, _) = crosswalk.service(&row["system"], &row["native_sku"]);
            let change = match row["event"].as_str() {
                "provisioned" | "resumed" => 1,
                _ => -1,
            };
            let is_first = provisioned.insert((service.clone(), row["subject_id"].clone()));
            assert_eq!(is_first, row["event"] == "provisioned", "a subject begins with being provisioned, once");
            *self.subjects.entry((customer, service)).or_default().entry(day(&row["event_at"])).or_default() += change;
        }
    }

    /// What the pair owes for a day at the quantity that was both contracted or delivered, and billing's day rate.
    pub fn owed(&self, pair: &Pair, day: NaiveDate) -> Decimal {
        let Some((_, contract)) = self.contracts.get(pair).and_then(|it| it.range(..=day).next_back()) else {
            return Decimal::ZERO;
        };
        let internal = self.internal.get(pair).copied().unwrap_or_default();
        let delivered = self.seats_on(pair, day) - internal;
        let quantity = (contract.quantity.max(delivered) - contract.included).max(Decimal::ZERO);
        let agreed = self.terms.get(pair).and_then(|it| it.range(..=day).next_back()).map(|(_, (price, _))| *price);
        let price = contract.price.or(agreed).expect("a price in the PSA or the terms");
        quantity * price / Decimal::from(self.period_days(&pair.0, day))
    }

    pub fn seats_on(&self, pair: &Pair, day: NaiveDate) -> Decimal {
        self.seats.get(pair).and_then(|it| it.get(&day)).copied().unwrap_or_default()
    }

    /// Owed less billed over a month, each line counting with its days in the month.
    pub fn gap(&self, pair: &Pair, month: Month) -> Decimal {
        let (first, after) = (month.first_day(), month.plus(1).first_day());
        let owed: Decimal = days(first, after).map(|day| self.owed(pair, day)).sum();
        let billed = self.lines.get(pair).into_iter().flatten().map(|line| {
            let n_days = (line.until.min(after) - line.from.max(first)).num_days();
            if n_days > 0 { line.amount * Decimal::from(n_days) / line.n_days() } else { Decimal::ZERO }
        });
        owed - billed.sum::<Decimal>()
    }

    /// Quantity and price on the usage invoices for a month, and the last price known by then.
    pub fn usage_billed(&self, pair: &Pair, month: Month) -> (Decimal, Decimal) {
        let lines = || self.lines.get(pair).into_iter().flatten();
        let quantity = lines().filter(|line| Month::of(line.from) == month).map(|line| line.quantity).sum();
        let known = lines().filter(|line| Month::of(line.from) <= month).max_by_key(|line| line.from);
        (quantity, known.expect("an earlier invoice").unit_price)
    }

    fn period_days(&self, customer: &str, day: NaiveDate) -> i64 {
        let month = Month::of(day);
        if !self.anchored.contains(customer) {
            return i64::from(month.days());
        }
        i64::from(if day.day() >= 15 { month.days() } else { month.plus(-1).days() })
    }
}

fn named(path: &Path, start: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start))
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
    let (service, _) = crosswalk.service("microsoft_csp", &format!("{}:{}", row["ProductId"], row["SkuId"]));
    let unit_price = decimal(&row["EffectiveUnitPrice"]);
    let seats = decimal(&row["BillableQuantity"]);
    assert_eq!(unit_price.trunc_with_scale(2) * seats, decimal(&row["Subtotal"]), "Microsoft truncates the unit price");
    Licence {
        pair: (crosswalk.customer("microsoft_csp", row["CustomerId"].trim_start_matches("org:")), service),
        from: date("ChargeStartDate"),
        last_day: date("ChargeEndDate"),
        seats,
        unit_price,
        is_trial: row["TermAndBillingCycle"].contains("trial"),
    }
}
