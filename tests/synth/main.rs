//! The simulator's exports, read back: they parse, repeat, agree where they should, and cost what the truth file says, in every
//! landscape; and all landscapes tell the same story. `SHORTFALL_SEED=11 SHORTFALL_CUSTOMERS=120 cargo test --test synth` tells another one.

mod books;

use books::{Books, Pair, decimal, files, json_lines, pages, rows, separated};
use rust_decimal::Decimal;
use shortfall::month::Month;
use shortfall::synth::truth::{self, TruthRow};
use shortfall::synth::{Config, LeakPlan, Msp, Summary, SynthError, generate};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;

struct Book {
    msp: Msp,
    folder: TempDir,
    summary: Summary,
    books: Books,
}

/// A book of twenty months: enough for every kind of leak, quick to write.
fn book(msp: Msp, leaks: LeakPlan) -> Book {
    let folder = tempfile::tempdir().expect("a folder");
    let asked = |name: &str, otherwise: u64| std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"));
    let customers = usize::try_from(asked("SHORTFALL_CUSTOMERS", 40)).expect("a count");
    let first = "2025-02".parse().expect("a month");
    let config = Config { msp, leaks, ..Config::spanning(asked("SHORTFALL_SEED", 7), customers, first, 20) };
    assert_eq!(config.analysed_quarter.to_string(), "2026Q3");
    let summary = generate(&config, folder.path()).expect("a book");
    let books = Books::read(folder.path(), msp);
    Book { msp, folder, summary, books }
}

static LEAKING: LazyLock<[Book; 3]> = LazyLock::new(|| Msp::ALL.map(|msp| book(msp, LeakPlan::Planted)));
static CLEAN: LazyLock<[Book; 3]> = LazyLock::new(|| Msp::ALL.map(|msp| book(msp, LeakPlan::Clean)));

fn truth_of(book: &Book) -> Vec<TruthRow> {
    truth::read(&book.folder.path().join("truth.csv")).expect("a truth file")
}

/// What nobody knows of a pair is empty.
fn pair_of(row: &TruthRow) -> Pair {
    (row.customer_key.clone().unwrap_or_default(), row.service_key.clone().unwrap_or_default())
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
    let write = |msp, seed| {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config { msp, ..Config::spanning(seed, 8, "2025-10".parse().expect("a month"), 12) };
        generate(&config, folder.path()).expect("a book");
        contents(folder.path())
    };
    for (msp, file) in [
        (Msp::ConnectWise, "exports/microsoft/recon_2026-10-06.csv"),
        (Msp::Autotask, "exports/northbridge/subscriptions_2026-10-04.csv"),
        (Msp::HaloPsa, "exports/microsoft/usage_2026-10-07.json.gz"),
    ] {
        let first = write(msp, 3);
        assert!(first == write(msp, 3), "two runs differ");
        let other = write(msp, 4);
        for name in ["truth.csv", "exports/mapping/customers.csv", file] {
            assert!(first[Path::new(name)] != other[Path::new(name)], "{name} is the same for two seeds");
        }
    }
}

#[test]
fn every_file_parses_and_holds_as_many_rows_as_the_summary_says() {
    for book in LEAKING.iter() {
        let root = book.folder.path().join("exports");
        let (mut n_files, mut n_rows) = (0, 0);
        for name in contents(&root).into_keys() {
            n_files += 1;
            n_rows += rows_in(&root.join(&name));
        }
        assert_eq!(book.summary.rows, n_rows, "{}", book.msp);
        let written = book.summary.files.values();
        assert_eq!(written.map(|count| count.files).sum::<usize>(), n_files, "{}", book.msp);
        for (kind, count) in &book.summary.files {
            assert!(count.rows > 0, "{kind} is empty");
        }
    }
}

fn rows_in(path: &Path) -> usize {
    let folder = path.parent().and_then(Path::file_name).and_then(|it| it.to_str()).expect("a folder");
    let name = path.file_name().and_then(|it| it.to_str()).expect("a name");
    match (folder, path.extension().and_then(|it| it.to_str())) {
        ("vaultline", _) => separated(path, b';').len(),
        (_, Some("csv")) => rows(path).len(),
        (_, Some("gz")) => json_lines(path).len(),
        ("pax8", _) => pages(path, "content").len(),
        ("autotask", _) => pages(path, "items").len(),
        ("halopsa", _) => {
            let list = name
                .split("_2")
                .next()
                .expect("a name")
                .trim_start_matches("recurring_")
                .replace("prorata", "invoicedetailproratas");
            pages(path, &list.replace("invoice_changes", "invoicechanges")).len()
        }
        _ => {
            let value: serde_json::Value = serde_json::from_slice(&fs::read(path).expect("file")).expect("JSON");
            let list = value.get("data").unwrap_or(&value);
            list.as_array().expect("a list").len()
        }
    }
}

#[test]
fn every_kind_of_leak_is_planted_and_worth_finding() {
    let all = [
        "arpu_decline",
        "contract_terms_not_enforced",
        "correction_not_passed_on",
        "cost_charge_drift",
        "discount_creep",
        "duplicate_billing",
        "expired_contract_served",
        "fix_habit",
        "flatline_estimate",
        "late_usage_not_rebilled",
        "orphan_billing",
        "psa_change_not_billed",
        "suspended_still_charged",
        "unbilled_delivery",
        "underbilled_quantity",
        "unmapped",
        "usage_up_revenue_flat",
    ];
    for book in LEAKING.iter() {
        let kinds: Vec<&str> = book.summary.leaks.keys().map(String::as_str).collect();
        assert_eq!(kinds, all, "{}", book.msp);
        for row in truth_of(book) {
            assert!(row.money() >= Decimal::from(20), "{row:?}");
        }
    }
    let told =
        |book: &Book| truth_of(book).into_iter().map(|row| (row.leak_id, row.customer_key, row.leakage)).collect::<Vec<_>>();
    assert!(LEAKING.iter().all(|book| told(book) == told(&LEAKING[0])), "the landscapes tell the same truth");
}

#[test]
fn a_clean_book_has_benign_effects_and_no_leak() {
    assert!(CLEAN[0].summary.leaks.is_empty());
    assert_eq!(truth_of(&CLEAN[0]), []);
    let effects = &CLEAN[0].summary.benign;
    for effect in [
        "trial",
        "internal_use",
        "price_cut",
        "late_usage_rebilled",
        "correction_passed_on",
        "bundle",
        "minimum_honoured",
        "escalator_applied",
        "tiers_applied",
        "contract_renewed",
        "suspended_and_returned",
        "service_credit",
    ] {
        assert!(effects.contains_key(effect), "{effect} is missing from {effects:?}");
    }
}

#[test]
fn in_a_clean_book_invoices_carry_what_is_owed() {
    let (first, last): (Month, Month) = ("2025-02".parse().expect("a month"), "2026-09".parse().expect("a month"));
    for Book { msp, books, .. } in CLEAN.iter() {
        for pair in books.contracts.keys().filter(|pair| !books.usage.keys().any(|(used, _)| used == *pair)) {
            for month in (0..=last.index() - first.index()).map(|offset| first.plus(offset)) {
                let gap = books.gap(pair, month);
                // Each line of a mid-month change is rounded by itself.
                assert!(gap.abs() <= Decimal::new(4, 2), "{msp}: {pair:?} in {month}: {gap}");
            }
        }
    }
}

#[test]
fn in_a_clean_book_usage_invoices_carry_what_was_used() {
    for Book { msp, books, .. } in CLEAN.iter() {
        let metered = books.usage.iter().filter(|((pair, _), _)| !books.cost_plus.contains_key(pair));
        for ((pair, month), used) in metered {
            let included = books.terms.get(pair).and_then(|it| it.values().next()).map_or(Decimal::ZERO, |it| it.included);
            let (billed, _) = books.usage_billed(pair, *month);
            assert_eq!(billed, (used - included).max(Decimal::ZERO), "{msp}: {pair:?} in {month}");
        }
    }
}

#[test]
fn subjects_are_as_many_as_the_vendor_counts() {
    let end = "2026-09-30".parse().expect("a date");
    for book in LEAKING.iter() {
        let Book { msp, books, .. } = book;
        let truth = truth_of(book);
        let idle: Vec<Pair> = truth.iter().filter(|row| row.signal == "suspended_still_charged").map(pair_of).collect();
        for (pair, events) in &books.subjects {
            let active: i64 = events.range(..=end).map(|(_, change)| change).sum();
            let (active, charged) = (Decimal::from(active), books.seats_on(pair, end));
            assert!(
                if idle.contains(pair) { active < charged } else { active == charged },
                "{msp}: {pair:?}: {active} of {charged}"
            );
        }
    }
}

/// Seats of every day, usage of every month, agreed quantities and invoiced money are those of the same world in all landscapes.
#[test]
fn every_landscape_tells_the_same_story() {
    let [first, others @ ..] = &*LEAKING;
    for other in others {
        let (msp, one, two) = (other.msp, &first.books, &other.books);
        for (what, left, right) in [
            ("invoice lines", services(one.lines.keys()), services(two.lines.keys())),
            ("seats", services(one.seats.keys()), services(two.seats.keys())),
            ("contracts", services(one.contracts.keys()), services(two.contracts.keys())),
        ] {
            assert!(left.len() > 50, "{what}: {}", left.len());
            assert_eq!(left, right, "{msp}: {what}");
        }
        for pair in services(one.lines.keys()) {
            assert_eq!(one.billed(pair), two.billed(pair), "{msp}: invoiced for {pair:?}");
        }
        for pair in one.seats.keys() {
            let seats = |books: &Books| -> Vec<_> {
                books.seats[pair].iter().filter(|(_, seats)| !seats.is_zero()).map(|(day, seats)| (*day, *seats)).collect()
            };
            assert_eq!(seats(one), seats(two), "{msp}: seats of {pair:?}");
        }
        assert_eq!(one.usage.keys().collect::<Vec<_>>(), two.usage.keys().collect::<Vec<_>>(), "{msp}");
        for (used, quantity) in &one.usage {
            assert_eq!(*quantity, two.usage[used], "{msp}: {used:?}");
        }
        assert_eq!(one.internal.keys().collect::<Vec<_>>(), two.internal.keys().collect::<Vec<_>>(), "{msp}");
        for pair in one.contracts.keys() {
            for day in quarter_days() {
                assert_eq!(one.contracted(pair, day), two.contracted(pair, day), "{msp}: {pair:?} on {day}");
            }
        }
        // What is prepared and never invoiced shows in the PSAs that invoice; so do projects that ConnectWise invoices itself.
        assert!(!two.never_invoiced.is_empty() && !two.projects.is_empty() && !two.credits.is_empty(), "{msp}");
    }
    let [_, autotask, halo] = &*LEAKING;
    assert_eq!(autotask.books.never_invoiced, halo.books.never_invoiced);
    assert_eq!(autotask.books.projects, halo.books.projects);
    assert_eq!(autotask.books.credits, halo.books.credits);
}

fn services<'a>(pairs: impl Iterator<Item = &'a Pair>) -> Vec<&'a Pair> {
    pairs.filter(|(_, service)| service != "projects").collect()
}

fn quarter_days() -> impl Iterator<Item = chrono::NaiveDate> {
    let first: chrono::NaiveDate = "2026-07-01".parse().expect("a date");
    first.iter_days().take(92)
}

/// Money that the MSP prepared and never invoiced is money of its leaks.
#[test]
fn what_was_never_invoiced_is_unbilled_delivery() {
    let truth = truth_of(&LEAKING[1]);
    let leaking: Vec<&str> =
        truth.iter().filter(|row| row.signal == "unbilled_delivery").filter_map(|row| row.customer_key.as_deref()).collect();
    let books = &LEAKING[1].books;
    assert!(books.never_invoiced.iter().all(|(customer, money)| leaking.contains(&customer.as_str()) && *money > Decimal::ZERO));
}

/// The truth of every leak, from the written files alone.
#[test]
fn truth_money_can_be_recomputed_from_the_exports() {
    for book in LEAKING.iter() {
        recompute(book);
    }
}

fn recompute(book: &Book) {
    let books = &book.books;
    let mut exact = 0;
    let truth = truth_of(book);
    for row in &truth {
        let pair = pair_of(row);
        let is_metered = books.usage.keys().any(|(used, _)| *used == pair);
        let lost: Decimal = quarter_months(row)
            .filter(|month| *month >= row.first_month)
            .map(|month| match row.signal.as_str() {
                "cost_charge_drift" => cost_rise(books, &pair, row.first_month, month),
                "suspended_still_charged" => books.idle_cost(&pair, month),
                "unmapped" => books.unmapped.get(&(pair.clone(), month)).copied().unwrap_or_default(),
                "fix_habit" => books.given_back.get(&(pair.clone(), month)).copied().unwrap_or_default(),
                "duplicate_billing" if is_metered => -books.usage_gap(&pair, month),
                "orphan_billing" | "duplicate_billing" => -books.gap(&pair, month),
                _ if is_metered => books.usage_gap(&pair, month),
                _ => books.gap(&pair, month),
            })
            .map(|lost| lost.round_dp(2))
            .sum();
        let difference = (lost - row.money()).abs();
        assert!(difference <= Decimal::new(5, 2), "{}: {row:?}: the exports say {lost}", book.msp);
        exact += usize::from(difference.is_zero());
    }
    assert!(exact * 10 >= truth.len() * 7, "only {exact} of {} agree to the cent", truth.len());
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
    let issued: Vec<String> = files(LEAKING[0].folder.path(), "microsoft")
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    assert!(issued.iter().any(|name| name.contains("-20.csv")), "no corrected edition in {issued:?}");
    assert!(issued.iter().any(|name| name.ends_with(".json.gz")));
    let later = files(LEAKING[0].folder.path(), "focus").into_iter().flat_map(|path| rows(&path)).filter(|row| {
        row["ChargePeriodStart"][..7] < row["BillingPeriodStart"][..7] && decimal(&row["ConsumedQuantity"]) > Decimal::ZERO
    });
    let (corrections, late): (Vec<_>, Vec<_>) = later.partition(|row| row["ChargeClass"] == "Correction");
    assert!(!corrections.is_empty() && !late.is_empty(), "{} corrections, {} late", corrections.len(), late.len());
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
