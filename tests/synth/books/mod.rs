//! A plain reader of the simulator's exports, written from the formats alone, to recompute what the truth file states.

mod autotask;
mod connectwise;
mod halo;
mod mapped;
mod vendors;

pub use mapped::separated;
pub use vendors::json_lines;

use chrono::{Datelike, NaiveDate};
use rust_decimal::Decimal;
use serde_json::Value;
use shortfall::month::Month;
use shortfall::synth::Msp;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
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

/// A row of the contract terms.
#[derive(Clone, Debug)]
pub struct Agreed {
    /// Per unit, or the fee; absent where bands say it.
    pub price: Option<Decimal>,
    pub included: Decimal,
    minimum: Decimal,
    /// Percent, and the month of each year.
    rise: Option<(Decimal, i32)>,
    /// Ends and prices.
    bands: Vec<(Option<Decimal>, Decimal)>,
}

impl Agreed {
    /// The price of terms that began in a month, in a later one.
    fn price_in(&self, began: Month, month: Month) -> Option<Decimal> {
        let (percent, month_of_year) = self.rise.unwrap_or_default();
        let rises = (began.index() + 1..=month.index()).filter(|it| it.rem_euclid(12) + 1 == month_of_year).count();
        let factor = Decimal::ONE + percent / Decimal::ONE_HUNDRED;
        self.price.map(|price| (0..rises).fold(price, |price, _| price * factor))
    }

    /// Each unit at the price of its band, or of the terms.
    fn charge(&self, quantity: Decimal) -> Decimal {
        let Some(price) = self.price else {
            let (mut money, mut from) = (Decimal::ZERO, Decimal::ZERO);
            for (end, price) in &self.bands {
                let until = end.unwrap_or(quantity).min(quantity);
                money += (until - from).max(Decimal::ZERO) * price;
                from = from.max(until);
            }
            return money;
        };
        quantity * price
    }
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
    pub terms: BTreeMap<Pair, BTreeMap<NaiveDate, Agreed>>,
    /// Mark-up in percent.
    pub cost_plus: BTreeMap<Pair, Decimal>,
    pub anchored: BTreeSet<String>,
    /// Given back of a month's charge.
    pub given_back: BTreeMap<(Pair, Month), Decimal>,
    /// What vendors charged for ids without a row in the crosswalks; what is unknown of the pair is empty.
    pub unmapped: BTreeMap<(Pair, Month), Decimal>,
    /// By customer: what was posted or drafted and never invoiced, invoiced once, and given back, where the system that invoices says so.
    pub never_invoiced: BTreeMap<String, Decimal>,
    pub projects: BTreeMap<String, Decimal>,
    pub credits: BTreeMap<String, Decimal>,
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

    /// The pair behind a vendor's ids and the unit factor; what stands in no crosswalk is empty.
    fn pair(&self, system: &str, id: &str, sku: &str) -> (Pair, Decimal) {
        let customer = self.customers.get(&(system.to_owned(), id.to_owned())).cloned().unwrap_or_default();
        let service = self.services.get(&(system.to_owned(), sku.to_owned())).cloned();
        let (service, factor) = service.unwrap_or_else(|| (String::new(), Decimal::ONE));
        ((customer, service), factor)
    }

    fn service(&self, system: &str, sku: &str) -> (String, Decimal) {
        self.services.get(&(system.to_owned(), sku.to_owned())).expect(sku).clone()
    }
}

impl Books {
    pub fn read(root: &Path, msp: Msp) -> Self {
        let crosswalk = Crosswalk::read(root);
        let mut books = Self::default();
        books.read_terms(root);
        match msp {
            Msp::ConnectWise => {
                books.read_connectwise(root, &crosswalk);
                books.read_licences(root, &crosswalk);
                books.read_pax8(root, &crosswalk);
                books.read_stripe(root, &crosswalk);
            }
            Msp::Autotask => {
                books.read_units(root, &crosswalk);
                books.read_subscriptions(root, &crosswalk);
                books.read_statements(root, &crosswalk);
                books.read_billing_items(root, &crosswalk);
            }
            Msp::HaloPsa => {
                books.read_recurring_invoices(root, &crosswalk);
                books.read_licences(root, &crosswalk);
                books.read_rated_usage(root, &crosswalk);
                books.read_halo_invoices(root, &crosswalk);
            }
        }
        books.read_focus(root, &crosswalk);
        books.read_lifecycle(root, &crosswalk);
        books
    }

    fn read_terms(&mut self, root: &Path) {
        let number = |cell: &str| if cell.is_empty() { None } else { Some(decimal(cell)) };
        for row in rows(&root.join("exports/mapping/contract_terms.csv")) {
            let pair = (row["customer_key"].clone(), row["service_key"].clone());
            if row["model"] == "cost_plus" {
                self.cost_plus.insert(pair, decimal(&row["markup_percent"]));
                continue;
            }
            let bands = row["tiers"].split(';').filter_map(|band| band.split_once(':'));
            let agreed = Agreed {
                price: number(&row["unit_price"]).or(number(&row["flat_fee"])),
                included: number(&row["included_quantity"]).unwrap_or_default(),
                minimum: number(&row["minimum_quantity"]).unwrap_or_default(),
                rise: number(&row["escalator_percent"]).map(|it| (it, row["escalator_month"].parse().expect("a month"))),
                bands: bands.map(|(end, price)| (number(end), decimal(price))).collect(),
            };
            self.terms.entry(pair).or_default().insert(day(&row["valid_from"]), agreed);
        }
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
        let agreed = self.terms.get(pair).and_then(|it| it.range(..=day).next_back());
        let included = contract.included.max(agreed.map_or(Decimal::ZERO, |(_, agreed)| agreed.included));
        let minimum = agreed.map_or(Decimal::ZERO, |(_, agreed)| agreed.minimum);
        let quantity = (contract.quantity.max(delivered) - included).max(minimum);
        let written = agreed.and_then(|(began, agreed)| agreed.price_in(Month::of(*began), Month::of(day)));
        let price = contract.price.or(written).expect("a price in the PSA or the terms");
        quantity * price / Decimal::from(self.period_days(&pair.0, day))
    }

    pub fn seats_on(&self, pair: &Pair, day: NaiveDate) -> Decimal {
        self.seats.get(pair).and_then(|it| it.get(&day)).copied().unwrap_or_default()
    }

    /// Units that the PSA commits the customer to.
    pub fn contracted(&self, pair: &Pair, day: NaiveDate) -> Decimal {
        self.contracts[pair].range(..=day).next_back().map_or(Decimal::ZERO, |(_, contract)| contract.quantity)
    }

    /// What the invoices carry for a pair, credits not counted.
    pub fn billed(&self, pair: &Pair) -> Decimal {
        self.lines.get(pair).into_iter().flatten().map(|line| line.amount).sum()
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

    /// What the month's usage should have brought less what its invoices carry.
    pub fn usage_gap(&self, pair: &Pair, month: Month) -> Decimal {
        let used = self.usage.get(&(pair.clone(), month)).copied().unwrap_or_default();
        let lines = self.lines.get(pair).into_iter().flatten();
        let billed: Decimal = lines.filter(|line| Month::of(line.from) == month).map(|line| line.amount).sum();
        if let Some(percent) = self.cost_plus.get(pair) {
            let cost = used * self.unit_costs[&(pair.clone(), month)];
            return cost * (Decimal::ONE + percent / Decimal::ONE_HUNDRED) - billed;
        }
        if let Some((_, agreed)) = self.terms.get(pair).and_then(|it| it.range(..=month.first_day()).next_back()) {
            return agreed.charge((used - agreed.included).max(Decimal::ZERO)) - billed;
        }
        // Without written terms a unit costs what it always cost.
        let (quantity, price) = self.usage_billed(pair, month);
        (used - quantity) * price
    }

    /// Seats that the vendor charges for although nobody uses them, times their price, over the month.
    pub fn idle_cost(&self, pair: &Pair, month: Month) -> Decimal {
        let (first, after) = (month.first_day(), month.plus(1).first_day());
        let idle: Decimal = days(first, after)
            .map(|day| {
                let active: i64 = self.subjects[pair].range(..=day).map(|(_, change)| change).sum();
                self.seats_on(pair, day) - Decimal::from(active)
            })
            .sum();
        idle * self.unit_costs[&(pair.clone(), month)] / Decimal::from(month.days())
    }

    /// Keeps the cost of a row that belongs to nobody or to no service. Whether it was such a row.
    fn is_unmapped(&mut self, pair: &Pair, month: Month, cost: Decimal) -> bool {
        let is_unmapped = pair.0.is_empty() || pair.1.is_empty();
        if is_unmapped {
            *self.unmapped.entry((pair.clone(), month)).or_default() += cost;
        }
        is_unmapped
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
