//! The same files again, and corrected ones: what changes and what does not.

use super::support::{Place, fixtures, on_lake, shortfall};
use shortfall::lake::schema::TABLES;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Newest version of every table log.
fn versions(lake: &Path) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for area in ["core", "marts"] {
        let Ok(tables) = std::fs::read_dir(lake.join(area)) else { continue };
        for table in tables.map(|entry| entry.expect("an entry").path()) {
            let commits = std::fs::read_dir(table.join("_delta_log")).expect("a log").count();
            found.insert(table.display().to_string(), commits);
        }
    }
    found
}

/// All rows and columns of the current truth, by table, as `column=value` texts; in one query, because each costs a start.
fn truth(lake: &Path) -> BTreeMap<&'static str, BTreeSet<String>> {
    let tables = || TABLES.iter().filter(|table| table.is_ingested());
    let parts: Vec<String> = tables()
        .map(|table| {
            let schema = table.schema();
            let cells: Vec<String> = schema
                .fields()
                .iter()
                .map(|field| format!("'{0}=' || coalesce(CAST({0} AS VARCHAR), 'NULL')", field.name()))
                .collect();
            let (name, cells) = (table.name(), cells.join(", "));
            format!("SELECT '{name}' AS name, concat_ws('; ', {cells}) AS row FROM known.{name}")
        })
        .collect();
    let mut truth: BTreeMap<_, BTreeSet<String>> = tables().map(|table| (table.name(), BTreeSet::new())).collect();
    for row in super::support::sql(lake, &parts.join(" UNION ALL ")) {
        let rows = row["name"].as_str().and_then(|name| truth.get_mut(name)).expect("a table");
        assert!(rows.insert(row["row"].as_str().expect("a row").to_owned()), "{row} stands twice");
    }
    assert!(truth.values().any(|rows| !rows.is_empty()));
    truth
}

#[test]
fn the_same_folder_again_changes_nothing() {
    let place = Place::new();
    place.ingest(&[&fixtures().join("*/[gq]*")], &[]).says(0, &[]);
    let (before, rows) = (versions(&place.lake()), truth(&place.lake()));
    let files = before.len();
    place.ingest(&[&fixtures().join("*/[gq]*")], &[]).says(0, &["were ingested before and changed nothing"]);
    // Other names, other folder: a file is its content.
    let copy = place.write("copy/renamed.txt", std::fs::read(fixtures().join("focus/good_costs.csv")).expect("a fixture"));
    place.ingest(&[&copy], &[]).says(0, &["1 files were ingested before"]);
    let mut after = versions(&place.lake());
    after.retain(|table, commits| before[table] != *commits);
    assert!(after.keys().all(|table| table.ends_with("/batch")), "{after:?} of {files}");
    assert_eq!(truth(&place.lake()), rows);
}

#[test]
fn the_same_file_twice_in_one_run_is_one_batch() {
    let place = Place::new();
    let content = std::fs::read(fixtures().join("focus/good_costs.csv")).expect("a fixture");
    place.write("in/a.csv", &content);
    place.write("in/b.csv", &content);
    place.ingest(&[&place.path("in"), &place.path("in/a.csv")], &[]).says(0, &["1 files were ingested before"]);
    assert_eq!(place.counts(), (8, 8, 0));
}

const COSTS: &str =
    "ChargePeriodStart,ChargePeriodEnd,BilledCost,EffectiveCost,BillingCurrency,ChargeCategory,ServiceName,SubAccountId\n";

#[test]
fn a_corrected_file_changes_only_the_corrected_keys() {
    let row = |day: u32, account: u32, cost: &str| {
        format!("2026-07-{day:02},2026-07-{:02},{cost},{cost},USD,Usage,EC2,acc-{account}\n", day + 1)
    };
    let all = |changed: &str| -> String {
        let rows = (1..=20).flat_map(|day| (1..=3).map(move |account| (day, account)));
        COSTS.to_owned() + &rows.map(|(d, a)| row(d, a, if (d, a) == (7, 2) { changed } else { "1.5" })).collect::<String>()
    };
    let place = Place::new();
    let first = place.write("focus_2026-08-03.csv", all("1.5"));
    let other = fixtures().join("mapping/good*");
    place.ingest(&[&first, &other], &[]).says(0, &[]);
    let before = truth(&place.lake());
    // The vendor sends the month again, with one row corrected and one that came late.
    let second = place.write("focus_2026-08-20.csv", all("9.75") + &row(25, 9, "3"));
    place.ingest(&[&second], &[]).says(0, &[]);
    let after = truth(&place.lake());
    for table in before.keys().copied() {
        let gone: Vec<_> = before[table].difference(&after[table]).collect();
        let come: Vec<_> = after[table].difference(&before[table]).collect();
        if table == "vendor_usage" {
            // Unchanged rows keep their batch and their row in the file, or they would stand on both sides.
            assert_eq!((gone.len(), come.len()), (1, 2), "{gone:#?} {come:#?}");
            assert!(
                gone[0].contains("customer_native_id=acc-2;") && gone[0].contains("period_start=2026-07-07T00:00:00Z;"),
                "{gone:?}"
            );
            assert!(
                come.iter().any(|row| row.contains("cost=9.75")) && come.iter().any(|row| row.contains("=acc-9;")),
                "{come:?}"
            );
        } else {
            assert_eq!((gone, come), (vec![], vec![]), "{table}");
        }
    }
    assert_eq!(place.count("core_history.vendor_usage"), 121);
    // What was known earlier can still be asked.
    let earlier = |as_of: &str| {
        let ran = on_lake(
            &place.lake(),
            &["sql", "SELECT sum(cost) AS cost FROM core.vendor_usage", "--as-of", as_of, "--output", "json"],
        );
        ran.says(0, &[]).json()[0]["cost"].as_str().unwrap_or("NULL").to_owned()
    };
    assert_eq!(earlier("2026-08-02"), "NULL");
    assert_eq!(earlier("2026-08-03"), "90");
    assert_eq!(earlier("2026-08-19"), "90");
    assert_eq!(earlier("2026-08-20"), "101.25");
}

#[test]
fn files_that_arrive_in_another_order_end_in_the_same_truth() {
    let row = |cost: &str| format!("{COSTS}2026-07-01,2026-07-02,{cost},1,USD,Usage,EC2,acc-1\n");
    let sums: Vec<_> = [[0, 1, 2], [2, 1, 0], [1, 2, 0]]
        .iter()
        .map(|order| {
            let place = Place::new();
            let files = [("f_2026-08-01.csv", "1"), ("f_2026-08-02.csv", "2"), ("f_2026-08-03.csv", "1")]
                .map(|(name, cost)| place.write(name, row(cost)));
            for &at in order {
                place.ingest(&[&files[at]], &[]).says(0, &[]);
            }
            place.sql("SELECT cost, recorded_at FROM core.vendor_usage")
        })
        .collect();
    // The third file says again what the first said: it is the newest statement, on its own date.
    assert_eq!(sums[0], sums[1]);
    assert_eq!(sums[0], sums[2]);
    assert_eq!(sums[0][0]["recorded_at"], "2026-08-03T00:00:00Z");
}

#[test]
fn a_correction_under_the_sources_own_date_is_known_from_its_arrival() {
    let place = Place::new();
    // Created on 2026-08-01, whenever it is exported.
    let invoice = |amount: u32, more: &str| {
        let line = |id: u32, amount: u32| format!("{{\"id\":\"il_{id}\",\"amount\":{amount},\"quantity\":1}}");
        format!(
            "{{\"data\":[{{\"id\":\"in_1\",\"object\":\"invoice\",\"customer\":\"cus_1\",\"currency\":\"usd\",\"created\":1785542400,\
             \"status\":\"paid\"{more},\"lines\":{{\"data\":[{},{}]}}}}]}}",
            line(1, amount),
            line(2, 100)
        )
    };
    // Whatever the hashes of the files are, the later one wins.
    for amount in 200..202 {
        let name = |day: u32| format!("{amount}/invoices_2026-08-{day:02}.json");
        let lake = place.path(&format!("lake-{amount}"));
        for (file, content) in [
            (place.write(&name(5), invoice(amount, "")), "first"),
            (place.write(&name(20), invoice(amount * 2, "")), "corrected"),
            (place.write(&name(21), invoice(amount * 2, ",\"number\":\"A-1\"")), "repeated"),
        ] {
            on_lake(&lake, &["ingest", &file.display().to_string()]).says(0, &[content].map(|_| "stripe"));
        }
        let lines = |more: &[&str]| {
            let query = "SELECT line_id, amount, recorded_at, batch_id FROM core.invoice_line ORDER BY line_id";
            let ran = on_lake(&lake, &[&["sql", query, "--output", "json"], more].concat());
            ran.says(0, &[]).json().as_array().expect("rows").clone()
        };
        let (now, before) = (lines(&[]), lines(&["--as-of", "2026-08-19"]));
        let (cents, old_cents) = ((amount * 2) / 100, amount / 100);
        assert!(now[0]["amount"].as_str().is_some_and(|text| text.starts_with(&cents.to_string())), "{now:?}");
        assert!(before[0]["amount"].as_str().is_some_and(|text| text.starts_with(&old_cents.to_string())), "{before:?}");
        assert_eq!(now[1], before[1], "the other line keeps where it came from");
        assert_eq!(lines(&["--as-of", "2026-07-31"]).len(), 0);
        assert_eq!(lines(&["--as-of", "2026-08-01"]).len(), 2);
    }
}

#[test]
fn analyze_as_of_an_earlier_date_gives_the_earlier_findings() {
    let place = Place::new();
    let out = place.path("msp").display().to_string();
    let synth =
        shortfall(&["synth", "--out", &out, "--customers", "5", "--months", "12", "--output", "json"]).says(0, &[]).json();
    let quarter = synth["quarter"].as_str().expect("a quarter").to_owned();
    let exports = place.path("msp/exports");
    place.ingest(&[&exports], &[]).says(0, &[]);
    let findings = |as_of: Option<&str>| {
        let mut arguments = vec!["analyze", "--quarter", &quarter];
        arguments.extend(as_of.map(|date| ["--as-of", date]).into_iter().flatten());
        place.run(&arguments).says(0, &[]);
        place.run(&["findings", "--format", "csv"]).says(0, &[]).out.clone()
    };
    let first = findings(None);
    assert!(first.lines().count() > 1, "no findings, so nothing is tested:\n{first}");
    // Long after, every invoice turns out to have been for nothing.
    let invoices = std::fs::read_dir(exports.join("stripe")).expect("a folder").map(|entry| entry.expect("an entry").path());
    for file in invoices.filter(|file| file.display().to_string().contains("invoices_")) {
        let text = std::fs::read_to_string(&file).expect("JSON");
        let mut pages: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        for line in pages["data"]
            .as_array_mut()
            .expect("invoices")
            .iter_mut()
            .flat_map(|i| i["lines"]["data"].as_array_mut().expect("lines"))
        {
            line["amount"] = 0.into();
        }
        place.write(&format!("late/{}", file.file_name().expect("a name").display()), pages.to_string());
    }
    place.ingest(&[&place.path("late")], &["--recorded-at", "2150-01-01"]).says(0, &[]);
    let billed = |more: &[&str]| {
        let query = "SELECT sum(amount) AS amount FROM core.invoice_line";
        place.run(&[&["sql", query, "--output", "json"], more].concat()).says(0, &[]).json()[0]["amount"].clone()
    };
    assert_ne!(billed(&[]), billed(&["--as-of", "2140-01-01"]), "the correction changes nothing, so nothing is tested");
    assert_eq!(findings(Some("2140-01-01")), first);
}
