//! The simulator's exports, read back: they parse, repeat, agree where they should, and cost what the truth file says.

mod books;

use books::{Books, Pair, decimal, files, json_lines, pages, rows};
use rust_decimal::Decimal;
use shortfall::month::Month;
use shortfall::synth::truth::{self, TruthRow};
use shortfall::synth::{Config, LeakPlan, Summary, SynthError, generate};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;

struct Book {
    folder: TempDir,
    summary: Summary,
    books: Books,
}

/// A book of twenty months: enough for every kind of leak, quick to write.
fn book(leaks: LeakPlan) -> Book {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config { leaks, ..Config::spanning(7, 40, "2025-02".parse().expect("a month"), 20) };
    assert_eq!(config.analysed_quarter.to_string(), "2026Q3");
    let summary = generate(&config, folder.path()).expect("a book");
    let books = Books::read(folder.path());
    Book { folder, summary, books }
}

static LEAKING: LazyLock<Book> = LazyLock::new(|| book(LeakPlan::Planted));
static CLEAN: LazyLock<Book> = LazyLock::new(|| book(LeakPlan::Clean));

fn truth_of(book: &Book) -> Vec<TruthRow> {
    truth::read(&book.folder.path().join("truth.csv")).expect("a truth file")
}

fn pair_of(row: &TruthRow) -> Pair {
    (row.customer_key.clone().expect("a customer"), row.service_key.clone().expect("a service"))
}

fn quarter_months(row: &TruthRow) -> impl Iterator<Item = Month> {
    let first = row.quarter.first_month();
    (0..3).map(move |offset| first.plus(offset))
}

fn contents(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).expect("below the root").to_owned();
                found.insert(name, fs::read(&path).expect("file"));
            }
        }
    }
    found
}

#[test]
fn the_same_seed_writes_the_same_bytes() {
    let write = |seed| {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config::spanning(seed, 8, "2025-10".parse().expect("a month"), 12);
        generate(&config, folder.path()).expect("a book");
        contents(folder.path())
    };
    let first = write(3);
    assert!(first == write(3), "two runs differ");
    let other = write(4);
    for name in ["truth.csv", "exports/mapping/customers.csv", "exports/microsoft/recon_2026-10-06.csv"] {
        assert!(first[Path::new(name)] != other[Path::new(name)], "{name} is the same for two seeds");
    }
}

#[test]
fn every_file_parses_and_holds_as_many_rows_as_the_summary_says() {
    let root = LEAKING.folder.path();
    let count = |folder: &str, start: &str| {
        let all = files(root, folder).into_iter();
        let fitting: Vec<PathBuf> =
            all.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start))).collect();
        let rows: usize = fitting.iter().map(|path| rows_in(path)).sum();
        (fitting.len(), rows)
    };
    let expected = [
        ("connectwise_additions", count("connectwise", "additions_")),
        ("connectwise_agreements", count("connectwise", "agreements_")),
        ("connectwise_companies", count("connectwise", "companies_")),
        ("connectwise_products", count("connectwise", "products_")),
        ("focus", count("focus", "")),
        ("lifecycle", count("lifecycle", "")),
        ("mapping_customers", count("mapping", "customers")),
        ("mapping_fx", count("mapping", "fx_rates")),
        ("mapping_services", count("mapping", "services")),
        ("mapping_terms", count("mapping", "contract_terms")),
        ("partner_center", count("microsoft", "")),
        ("pax8_invoice_items", count("pax8", "invoice_items_")),
        ("pax8_subscriptions", count("pax8", "subscriptions_")),
        ("stripe_credit_notes", count("stripe", "credit_notes_")),
        ("stripe_invoices", count("stripe", "invoices_")),
    ];
    assert_eq!(LEAKING.summary.files.len(), expected.len());
    for (kind, (n_files, n_rows)) in expected {
        let written = LEAKING.summary.files[kind];
        assert_eq!((written.files, written.rows), (n_files, n_rows), "{kind}");
        assert!(n_rows > 0, "{kind} is empty");
    }
}

fn rows_in(path: &Path) -> usize {
    match path.extension().and_then(|it| it.to_str()) {
        Some("csv") => rows(path).len(),
        Some("gz") => json_lines(path).len(),
        _ if path.to_string_lossy().contains("/pax8/") => pages(path, "content").len(),
        _ => {
            let value: serde_json::Value = serde_json::from_slice(&fs::read(path).expect("file")).expect("JSON");
            let list = value.get("data").unwrap_or(&value);
            list.as_array().expect("a list").len()
        }
    }
}

#[test]
fn every_kind_of_leak_is_planted_and_worth_finding() {
    let kinds: Vec<&str> = LEAKING.summary.leaks.keys().map(String::as_str).collect();
    let all = [
        "arpu_decline",
        "cost_charge_drift",
        "orphan_billing",
        "psa_change_not_billed",
        "unbilled_delivery",
        "underbilled_quantity",
        "usage_up_revenue_flat",
    ];
    assert_eq!(kinds, all);
    for row in truth_of(&LEAKING) {
        assert!(row.money() >= Decimal::from(20), "{row:?}");
    }
}

#[test]
fn a_clean_book_has_benign_effects_and_no_leak() {
    assert!(CLEAN.summary.leaks.is_empty());
    assert_eq!(truth_of(&CLEAN), []);
    let effects = &CLEAN.summary.benign;
    for effect in ["trial", "internal_use", "price_cut", "late_usage_rebilled", "correction_passed_on", "bundle"] {
        assert!(effects.contains_key(effect), "{effect} is missing from {effects:?}");
    }
}

#[test]
fn in_a_clean_book_invoices_carry_what_is_owed() {
    let books = &CLEAN.books;
    let (first, last): (Month, Month) = ("2025-02".parse().expect("a month"), "2026-09".parse().expect("a month"));
    for pair in books.contracts.keys().filter(|pair| !books.usage.keys().any(|(used, _)| used == *pair)) {
        for month in (0..=last.index() - first.index()).map(|offset| first.plus(offset)) {
            let gap = books.gap(pair, month);
            // Each line of a mid-month change is rounded by itself.
            assert!(gap.abs() <= Decimal::new(4, 2), "{pair:?} in {month}: {gap}");
        }
    }
}

#[test]
fn in_a_clean_book_usage_invoices_carry_what_was_used() {
    let books = &CLEAN.books;
    let metered = books.usage.iter().filter(|((pair, _), _)| !books.cost_plus.contains(pair));
    for ((pair, month), used) in metered {
        let included = books.terms.get(pair).and_then(|it| it.values().next()).map_or(Decimal::ZERO, |(_, free)| *free);
        let (billed, _) = books.usage_billed(pair, *month);
        assert_eq!(billed, (used - included).max(Decimal::ZERO), "{pair:?} in {month}");
    }
}

#[test]
fn subjects_are_as_many_as_the_vendor_counts() {
    let books = &LEAKING.books;
    let end = "2026-09-30".parse().expect("a date");
    for (pair, events) in &books.subjects {
        let active: i64 = events.range(..=end).map(|(_, change)| change).sum();
        assert_eq!(Decimal::from(active), books.seats_on(pair, end), "{pair:?}");
    }
}

/// The truth of every leak, from the written files alone.
#[test]
fn truth_money_can_be_recomputed_from_the_exports() {
    let books = &LEAKING.books;
    let mut exact = 0;
    let truth = truth_of(&LEAKING);
    for row in &truth {
        let pair = pair_of(row);
        let is_metered = books.usage.keys().any(|(used, _)| *used == pair);
        let lost: Decimal = quarter_months(row)
            .filter(|month| *month >= row.first_month)
            .map(|month| match row.signal.as_str() {
                "cost_charge_drift" => cost_rise(books, &pair, row.first_month, month),
                "orphan_billing" => -books.gap(&pair, month),
                _ if is_metered => unbilled_usage(books, &pair, month),
                _ => books.gap(&pair, month),
            })
            .map(|lost| lost.round_dp(2))
            .sum();
        let difference = (lost - row.money()).abs();
        assert!(difference <= Decimal::new(5, 2), "{row:?}: the exports say {lost}");
        exact += usize::from(difference.is_zero());
    }
    assert!(exact * 10 >= truth.len() * 7, "only {exact} of {} agree to the cent", truth.len());
}

fn unbilled_usage(books: &Books, pair: &Pair, month: Month) -> Decimal {
    let used = books.usage.get(&(pair.clone(), month)).copied().unwrap_or_default();
    let (billed, price) = books.usage_billed(pair, month);
    (used - billed) * price
}

fn cost_rise(books: &Books, pair: &Pair, onset: Month, month: Month) -> Decimal {
    let cost = |month| books.unit_costs[&(pair.clone(), month)];
    let rise = cost(month) - cost(onset.plus(-1));
    if let Some(used) = books.usage.get(&(pair.clone(), month)) {
        return used * rise;
    }
    let days = (0..month.days()).map(|offset| month.first_day() + chrono::Days::new(u64::from(offset)));
    let seat_days: Decimal = days.map(|day| books.seats_on(pair, day)).sum();
    seat_days / Decimal::from(month.days()) * rise
}

#[test]
fn some_vendor_files_are_issued_again_and_some_rows_come_late() {
    let issued: Vec<String> = files(LEAKING.folder.path(), "microsoft")
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    assert!(issued.iter().any(|name| name.contains("-20.csv")), "no corrected edition in {issued:?}");
    assert!(issued.iter().any(|name| name.ends_with(".json.gz")));
    let corrections = files(LEAKING.folder.path(), "focus").into_iter().flat_map(|path| rows(&path)).filter(|row| {
        row["ChargeClass"] == "Correction"
            && row["ChargePeriodStart"][..7] < row["BillingPeriodStart"][..7]
            && decimal(&row["ConsumedQuantity"]) > Decimal::ZERO
    });
    assert!(corrections.count() > 0);
}

#[test]
fn a_book_that_cannot_be_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let month = "2026-01".parse().expect("a month");
    let error = generate(&Config::spanning(1, 5, month, 6), folder.path()).expect_err("too short");
    assert_eq!(error.to_string(), "cannot simulate 6 months for 5 customers: at least 12 months and 1 customer are needed");
    let config = Config { analysed_quarter: "2030Q1".parse().expect("a quarter"), ..Config::default() };
    let error = generate(&config, folder.path()).expect_err("outside");
    assert_eq!(error.to_string(), "quarter 2030Q1 lies outside the simulated span 2024-01 to 2026-09");
    let blocked = folder.path().join("file");
    fs::write(&blocked, "").expect("a file");
    let config = Config::spanning(1, 1, month, 12);
    assert!(matches!(generate(&config, &blocked), Err(SynthError::CreateFolder { path, .. }) if path.starts_with(&blocked)));
}

#[test]
fn a_truth_file_that_cannot_be_read_says_where() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("truth.csv");
    let header = truth::COLUMNS.join(",");
    fs::write(&path, format!("{header}\nL1,arpu_decline,a,b,2026-13,2026-09,2026Q3,USD,1.00,revenue,0.00,\n")).expect("a file");
    let error = truth::read(&path).expect_err("no such month");
    let text = format!("truth file `{}`, line 2, column `first_month`: `2026-13` is not a month such as 2026-07", path.display());
    assert_eq!(error.to_string(), text);
    fs::write(&path, "leak_id,signal\n").expect("a file");
    let error = truth::read(&path).expect_err("no such column");
    assert!(error.to_string().contains("has no column `customer_key`"), "{error}");
}
