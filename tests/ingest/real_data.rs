//! Published samples of real exports, and their habits in files of our own: every row lands, every sum is exact.

use super::support::{Place, fixtures};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The folder of real exports, which is no part of the repository.
fn real(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/real");
    let folder = std::env::var_os("SHORTFALL_REAL_DATA").map_or(beside, PathBuf::from);
    let file = folder.join(name);
    if !file.is_file() {
        eprintln!("skipped: there is no `{}` (set SHORTFALL_REAL_DATA to the folder of real exports)", file.display());
        return None;
    }
    Some(file)
}

/// Units of 10^-20 of a decimal text: a second reader, which shares no code with the first.
fn units(text: &str) -> i128 {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().expect("digits");
    let power = 20 + exponent.parse::<i32>().expect("an exponent") - i32::try_from(fraction.len()).expect("short");
    if power >= 0 {
        digits * 10_i128.pow(power.unsigned_abs())
    } else {
        let divisor = 10_i128.pow(power.unsigned_abs());
        assert_eq!(digits % divisor, 0, "{text} has more than 20 decimals");
        digits / divisor
    }
}

fn billed_by_provider(file: &Path) -> BTreeMap<(String, String), (i128, u64)> {
    sums(file, ["ProviderName", "BillingCurrency", "BilledCost"])
}

/// Cost and rows by a column and the currency, from the file itself.
fn sums(file: &Path, [by, currency, cost]: [&str; 3]) -> BTreeMap<(String, String), (i128, u64)> {
    let mut reader = csv::Reader::from_path(file).expect("a CSV");
    let header = reader.headers().expect("a header").clone();
    let at = |name: &str| header.iter().position(|cell| cell.trim_start_matches('\u{feff}') == name).expect("the column");
    let (provider, currency, cost) = (at(by), at(currency), at(cost));
    let mut sums: BTreeMap<(String, String), (i128, u64)> = BTreeMap::new();
    for record in reader.records().map(|r| r.expect("a record")) {
        let sum = sums.entry((record[provider].to_owned(), record[currency].to_ascii_uppercase())).or_default();
        sum.0 += units(&record[cost]);
        sum.1 += 1;
    }
    sums
}

fn in_lake(place: &Place) -> BTreeMap<(String, String), (i128, u64)> {
    in_lake_by(place, "provider")
}

fn in_lake_by(place: &Place, column: &str) -> BTreeMap<(String, String), (i128, u64)> {
    place
        .sql(&format!("SELECT {column} AS name, currency, sum(cost) AS cost, count(*) AS n FROM core.vendor_usage GROUP BY 1, 2"))
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().expect("a text").to_owned();
            ((text("name"), text("currency")), (units(&text("cost")), text("n").parse().expect("a count")))
        })
        .collect()
}

#[test]
fn the_focus_sample_lands_whole_and_sums_to_the_last_digit() {
    let Some(file) = real("focus-sample-data/focus_sample.csv") else { return };
    let place = Place::new();
    place.ingest(&[&file], &[]).says(0, &[]);
    assert_eq!(place.counts(), (1000, 1000, 0));
    let found = in_lake(&place);
    assert_eq!(found, billed_by_provider(&file));
    // What Python's decimal.Decimal over csv.DictReader gives.
    for (provider, sum, rows) in
        [("AWS", "18.0066386184", 942), ("Oracle", "0.53707392473", 7), ("Microsoft", "1.97651418586", 51)]
    {
        assert_eq!(found[&(provider.to_owned(), "USD".to_owned())], (units(sum), rows), "{provider}");
    }
    assert_eq!(found.len(), 3);
    // 12 rows of Microsoft are negative usage; NULL is no charge class.
    assert_eq!(place.count("core.vendor_usage WHERE cost < 0 AND category = 'usage' AND NOT is_correction"), 12);
    assert_eq!(place.count("core.vendor_usage WHERE customer_native_id = 'NULL' OR subject_id = 'NULL'"), 0);
    // Every original line can be shown again, whatever the order in which it landed.
    assert_eq!(place.count("core.vendor_usage WHERE source_row BETWEEN 2 AND 1001"), 1000);
}

#[test]
fn what_the_real_sample_breaks_is_understood() {
    let file = fixtures().join("focus/quirks_costs.csv");
    let place = Place::new();
    place.ingest(&[&file], &[]).says(0, &[]);
    assert_eq!(place.counts(), (4, 4, 0));
    assert_eq!(in_lake(&place), billed_by_provider(&file));
    let rows = place.sql(
        "SELECT source_row, cost, quantity, unit_cost, currency, category, subject_id, native_sku, period_start, is_correction
         FROM core.vendor_usage ORDER BY source_row",
    );
    let row = |at: usize| -> Vec<String> {
        rows[at].as_object().expect("a row").values().map(|v| v.as_str().unwrap_or("NULL").to_owned()).collect()
    };
    // A date with a space, the letters NULL, padded numbers, a contracted price of 0 beside a cost.
    assert_eq!(row(0), ["2", "0.0000008", "2", "0", "USD", "usage", "NULL", "G95F", "2024-09-18T22:00:00Z", "false"]);
    // Empty texts, no seconds; without a SKU the service's name stands for it, without consumption the priced quantity.
    assert_eq!(
        row(1),
        ["3", "0.07672484638", "1", "NULL", "USD", "usage", "NULL", "Object Storage", "2024-09-18T23:00:00Z", "false"]
    );
    // E-notation, quoted numbers, JSON with a comma in a cell.
    assert_eq!(row(2)[1..4], ["0.0000564902", "0.0000000671", "NULL"]);
    // The last stored digit, a lower-case currency, a stated correction.
    assert_eq!(row(3)[1..5], ["-0.000000000000000001", "-1.5", "0", "USD"]);
    assert_eq!(row(3)[9], "true");
}

#[test]
fn the_anonymous_cost_and_usage_report_lands_whole() {
    let Some(file) = real("aws-cur/sample-anonymous-aws-export-dataset.csv") else { return };
    let place = Place::new();
    place.ingest(&[&file], &[]).says(0, &[]);
    assert_eq!(place.counts(), (1281, 1281, 0));
    let columns = ["lineItem/UsageAccountId", "lineItem/CurrencyCode", "lineItem/UnblendedCost"];
    let found = in_lake_by(&place, "customer_native_id");
    assert_eq!(found, sums(&file, columns));
    // What Python's decimal.Decimal over csv.DictReader gives.
    assert_eq!(found.into_values().collect::<Vec<_>>(), [(units("1.68230869740"), 1281)]);
    assert_eq!(place.count("core.vendor_usage WHERE category = 'tax'"), 12);
    assert_eq!(place.count("core.vendor_usage WHERE service_month = DATE '2023-11-01' AND measure = 'flow'"), 1281);
}

#[test]
fn the_azure_samples_land_whole() {
    let (Some(file), Some(empty)) = (real("azure-cost/EA_ActualCost_Small.csv"), real("azure-cost/EA_NoRows.csv")) else {
        return;
    };
    let place = Place::new();
    place.ingest(&[&file], &[]).says(0, &[]);
    assert_eq!(place.counts(), (11, 11, 0));
    let found = in_lake_by(&place, "customer_native_id");
    assert_eq!(found, sums(&file, ["SubscriptionId", "BillingCurrency", "Cost"]));
    // What Python's decimal.Decimal over csv.DictReader gives.
    assert_eq!(found.values().map(|(cost, _)| cost).sum::<i128>(), units("8.5450077867419368"));
    assert_eq!(place.count("core.vendor_usage WHERE category = 'purchase' AND cost = 3.25"), 1);
    place.ingest(&[&empty], &[]).says(0, &[]);
    assert_eq!(place.count("core.vendor_usage"), 11);
    assert_eq!(place.count("core.batch WHERE rows_in = 0"), 1);
}

/// Units of 10^-18, rounded half to even: a third reader, for numbers with more decimals than are stored.
fn rounded(text: &str) -> i128 {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().expect("digits");
    let power = 18 + exponent.parse::<i32>().expect("an exponent") - i32::try_from(fraction.len()).expect("short");
    if power >= 0 {
        return digits * 10_i128.pow(power.unsigned_abs());
    }
    let divisor = 10_i128.pow(power.unsigned_abs());
    let (below, rest) = (digits.div_euclid(divisor), digits.rem_euclid(divisor) * 2);
    below + i128::from(rest > divisor || (rest == divisor && below % 2 != 0))
}

/// Other real files of the formats that are understood: whole headers as vendors publish them, with values of our own.
#[test]
fn shapes_of_real_exports_that_are_not_given_here_land_whole() {
    for (file, system, columns) in [
        // All 55 columns of the Enterprise Agreement's amortised export, in CAD, with unpadded dates, CRLF and E-notation.
        ("azure_cost/ea_amortized_costs.csv", "azure_cost", ["SubscriptionId", "BillingCurrency", "Cost"]),
        // All 104 columns of Microsoft's FOCUS 1.2 export, with 22 decimals and dates without seconds.
        ("focus/azure_1_2_costs.csv", "focus", ["ProviderName", "BillingCurrency", "BilledCost"]),
        // Google's FOCUS view as BigQuery writes it out: ` UTC`, numbers as computers spell them, NULL as nothing.
        ("focus/quirk_bigquery_costs.csv", "focus", ["ProviderName", "BillingCurrency", "BilledCost"]),
        // All 33 columns of an Oracle report, tags included.
        ("oci/tagged_costs.csv", "oci", ["lineItem/tenantId", "cost/currencyCode", "cost/myCost"]),
        // Data Exports with maps and without the columns that nobody chose; a report of the first generation with few columns.
        (
            "aws_cur/maps_cur_2.csv",
            "aws_cur",
            ["line_item_usage_account_id", "line_item_currency_code", "line_item_unblended_cost"],
        ),
        ("aws_cur/narrow_legacy.csv", "aws_cur", ["lineItem/UsageAccountId", "lineItem/CurrencyCode", "lineItem/UnblendedCost"]),
    ] {
        let path = fixtures().join(file);
        let place = Place::new();
        place.ingest(&[&path], &[]).says(0, &[system]);
        let mut reader = csv::Reader::from_path(&path).expect("a CSV");
        let header = reader.headers().expect("a header").clone();
        let at = |name: &str| header.iter().position(|cell| cell.trim_start_matches('\u{feff}') == name).expect("the column");
        let (currency, cost) = (at(columns[1]), at(columns[2]));
        let mut sums: BTreeMap<String, (i128, u64)> = BTreeMap::new();
        for record in reader.records().map(|record| record.expect("a record")) {
            let sum = sums.entry(record[currency].to_owned()).or_default();
            *sum = (sum.0 + rounded(&record[cost]), sum.1 + 1);
        }
        let found = place.sql("SELECT currency, sum(cost) AS cost, count(*) AS n FROM core.vendor_usage GROUP BY 1");
        let found: BTreeMap<String, (i128, u64)> = found
            .iter()
            .map(|row| {
                let text = |name: &str| row[name].as_str().expect("a text").to_owned();
                (text("currency"), (rounded(&text("cost")), text("n").parse().expect("a count")))
            })
            .collect();
        assert_eq!(found, sums, "{file}");
        assert_eq!(place.count("core.reject"), 0, "{file}");
    }
}

/// Reference lists, descriptions of columns, and a vendor's examples of all its objects: nothing a leak could be found in. Each is refused
/// by name with what it begins with; nothing of it is guessed.
#[test]
fn files_that_are_no_export_are_named_not_guessed() {
    for (name, column) in [
        ("finops-open-data/PricingUnits.csv", "UnitOfMeasure"),
        ("finops-open-data/Regions.csv", "RegionId"),
        ("finops-open-data/Services.csv", "ConsumedService"),
        ("finops-open-data/FocusCost_1.0.json", "DataGenerator"),
        ("finops-open-data/focuscost_1.2.json", "additionalColumns"),
        ("stripe/fixtures3.json", "resources"),
    ] {
        let Some(file) = real(name) else { continue };
        let place = Place::new();
        place.ingest(&[&file], &[]).says(2, &[name, column, "shortfall sources"]);
        assert!(!place.lake().join("core/vendor_usage").exists() && !place.lake().join("core/invoice_line").exists(), "{name}");
    }
}

/// What Stripe describes its invoices and credit notes with lands once it stands in a page, as the API sends it.
#[test]
fn stripes_own_examples_of_an_invoice_and_a_credit_note_land_in_a_page() {
    let Some(file) = real("stripe/fixtures3.json") else { return };
    let text = std::fs::read_to_string(file).expect("a file");
    let examples: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for (kind, lines, sum) in [("invoice", 1, "10"), ("credit_note", 2, "-16.9")] {
        let page = serde_json::json!({ "object": "list", "data": [examples["resources"][kind]], "has_more": false });
        let (place, ran) = Place::offer("page.json", page.to_string());
        ran.says(0, &["stripe"]);
        assert_eq!(place.counts(), (lines, lines, 0), "{kind}");
        assert_eq!(place.sql("SELECT sum(amount) AS amount FROM core.invoice_line")[0]["amount"], sum, "{kind}");
    }
}
