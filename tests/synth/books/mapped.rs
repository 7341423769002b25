//! The two vendors whose files need a mapping.

use super::{Books, Crosswalk, days, files};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use shortfall::month::Month;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn english_day(text: &str) -> NaiveDate {
    NaiveDate::parse_from_str(text, "%d-%b-%Y").expect(text)
}

fn german_day(text: &str) -> NaiveDate {
    NaiveDate::parse_from_str(text, "%d.%m.%Y").expect(text)
}

fn dollars(text: &str) -> Decimal {
    assert!(text.trim_start_matches('-').starts_with('$'), "{text}");
    text.replace(['$', ','], "").parse().expect(text)
}

fn european(text: &str) -> Decimal {
    text.replace('.', "").replace(',', ".").parse().expect(text)
}

pub fn separated(path: &Path, separator: u8) -> Vec<BTreeMap<String, String>> {
    let bytes = fs::read(path).expect("file");
    let mut reader = csv::ReaderBuilder::new().delimiter(separator).from_reader(bytes.as_slice());
    let header = reader.headers().expect("header").clone();
    let records = reader.records().map(|record| record.expect("as many cells as columns"));
    records.map(|record| header.iter().map(str::to_owned).zip(record.iter().map(str::to_owned)).collect()).collect()
}

impl Books {
    pub(super) fn read_subscriptions(&mut self, root: &Path, crosswalk: &Crosswalk) {
        // A month's file that is issued again replaces the first one.
        let mut months: BTreeMap<String, Vec<BTreeMap<String, String>>> = BTreeMap::new();
        for path in files(root, "northbridge") {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            months.insert(name[..name.len() - 3].to_owned(), separated(&path, b','));
        }
        for row in months.into_values().flatten().filter(|row| row["CHARGE TYPE"] != "TRIAL") {
            let (pair, _) = crosswalk.pair("northbridge", &row["TENANT ID"], &row["STOCK CODE"]);
            let quantity: Decimal = row["QTY"].replace(',', "").parse().expect("a quantity");
            let price = dollars(&row["UNIT PRICE"]);
            assert_eq!(price * quantity, dollars(&row["TOTAL"]), "{row:?}");
            let (from, last) = (english_day(&row["START USAGE"]), english_day(&row["END USAGE"]));
            if self.is_unmapped(&pair, Month::of(from), price * quantity) {
                continue;
            }
            let seats = self.seats.entry(pair.clone()).or_default();
            for day in days(from, last.succ_opt().expect("a day")) {
                *seats.entry(day).or_default() += quantity;
            }
            if row["CHARGE TYPE"] != "PRORATA" {
                self.unit_costs.insert((pair, Month::of(from)), price);
            }
        }
    }

    pub(super) fn read_statements(&mut self, root: &Path, crosswalk: &Crosswalk) {
        // A statement that is issued again replaces the first one.
        let mut statements = BTreeMap::new();
        for row in files(root, "vaultline").iter().flat_map(|path| separated(path, b';')) {
            let (pair, _) = crosswalk.pair("vaultline", &row["Account"], &row["Article"]);
            let month = Month::of(german_day(&row["From"]));
            assert_eq!(german_day(&row["To"]).succ_opt(), Some(month.plus(1).first_day()));
            statements.insert((pair, month), row);
        }
        for ((pair, month), row) in statements {
            let (volume, price) = (european(&row["Volume GB"]), european(&row["Price per GB"]));
            assert_eq!((volume * price).round_dp(2), european(&row["Amount USD"]));
            if self.is_unmapped(&pair, month, european(&row["Amount USD"])) {
                continue;
            }
            self.usage.insert((pair.clone(), month), volume);
            self.unit_costs.insert((pair, month), price);
        }
    }
}
