//! Years of exports in one folder: what is planned is what happens, in order of time; what is missing in the calendar is named, and nothing else.

use super::support::{Place, command, on_lake, rows};
use chrono::{Datelike as _, Days, Months, NaiveDate};
use serde_json::{Value, json};
use shortfall::lake::{Lake, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;

const FIRST: NaiveDate = NaiveDate::from_ymd_opt(2022, 1, 1).expect("a date");
/// Of the history; all of it is 2022 to 2024.
const MONTHS: u32 = 36;
/// The vendor's file of this month is broken in every row.
const BROKEN: &str = "2023-09";
/// Nobody exported the invoices of this month.
const UNBILLED: &str = "2024-01";

fn months() -> impl Iterator<Item = NaiveDate> {
    (0..MONTHS).map(|month| FIRST + Months::new(month))
}

fn name(month: NaiveDate) -> String {
    month.format("%Y-%m").to_string()
}

/// A month of costs by day; nothing was used on two days of February 2024.
fn costs(month: NaiveDate) -> String {
    let mut text =
        "ChargePeriodStart,ChargePeriodEnd,BilledCost,EffectiveCost,BillingCurrency,ChargeCategory,ServiceName,SubAccountId\n"
            .to_owned();
    let is_idle = |day: NaiveDate| name(day) == "2024-02" && (10..=11).contains(&day.day());
    for day in month.iter_days().take_while(|day| day.month() == month.month()).filter(|&day| !is_idle(day)) {
        let start = if name(month) == BROKEN { "never".to_owned() } else { day.to_string() };
        writeln!(text, "{start},{},1.5,1.5,USD,Usage,EC2,acc-1", day + Days::new(1)).expect("memory");
    }
    text
}

fn seconds(day: NaiveDate) -> i64 {
    day.and_hms_opt(0, 0, 0).expect("midnight").and_utc().timestamp()
}

fn invoice(month: NaiveDate) -> String {
    let id = name(month);
    let (start, end) = (seconds(month), seconds(month + Months::new(1)));
    let line = json!({ "id": format!("il_{id}"), "amount": 1000, "quantity": 1, "period": { "start": start, "end": end } });
    let invoice = json!({ "id": format!("in_{id}"), "object": "invoice", "customer": "cus_1", "currency": "usd", "created": start,
                          "status": "paid", "lines": { "data": [line] } });
    json!({ "data": [invoice] }).to_string()
}

fn credit(day: &str) -> String {
    let day = day.parse().expect("a date");
    let note = json!({ "id": format!("cn_{day}"), "object": "credit_note", "customer": "cus_1", "currency": "usd", "created": seconds(day),
                       "invoice": "in_1", "status": "issued", "lines": { "data": [{ "id": format!("cnli_{day}"), "amount": 5 }] } });
    json!({ "data": [note] }).to_string()
}

/// A year that is billed at once, in advance.
fn year(year: i32) -> String {
    format!(
        "Account: ID,Account: Currency,Invoice: ID,Invoice: Invoice Date,Invoice: Status,Invoice Item: ID,Invoice Item: Charge Name,\
         Invoice Item: Charge Amount,Invoice Item: Quantity,Invoice Item: SKU,Invoice Item: Service Start Date,Invoice Item: Service End Date\n\
         acc-9,USD,inv-{year},{year}-01-01,Posted,item-{year},Backup,120,1,SKU-1,{year}-01-01,{year}-12-31\n"
    )
}

/// An MSP's exports: two vendors' and billing systems' files by month and by year, mappings, a copy, and a file that is none.
fn exports(place: &Place) {
    for month in months() {
        let arrived = month + Months::new(1) + Days::new(4);
        place.write(&format!("msp/vendor/focus_{arrived}.csv"), costs(month));
        if name(month) != UNBILLED {
            place.write(&format!("msp/billing/invoices_{}-28.json", name(month)), invoice(month));
        }
    }
    for day in ["2022-03-15", "2024-08-15"] {
        place.write(&format!("msp/billing/credit_notes_{day}.json"), credit(day));
    }
    for of in 2022..2025 {
        place.write(&format!("msp/annual/items_{of}-01-02.csv"), year(of));
    }
    place.write("msp/zz_mapping/fx.csv", "date,from_currency,to_currency,rate\n2022-01-01,EUR,USD,1.1\n");
    place.write("msp/zz_mapping/customers.csv", "system,native_id,customer_key,customer_name\nstripe,cus_1,K1,One\n");
    place.write("msp/copies/focus_2022-03-05.csv", costs(FIRST + Months::new(1)));
    place.write("msp/notes.txt", "ask Bob about March\n");
}

fn list<'a>(document: &'a Value, name: &str) -> &'a Vec<Value> {
    document[name].as_array().unwrap_or_else(|| panic!("no list `{name}` in {document}"))
}

fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_else(|| panic!("no number: {value}"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Files in the order in which a plan would land them.
fn order(plan: &Value) -> Vec<String> {
    list(plan, "order").iter().map(|file| text(&file["file"])).collect()
}

/// Files that stand in a lake; none where there is no lake yet.
fn standing(lake: &Path) -> BTreeSet<String> {
    if Lake::open(lake).is_err() {
        return BTreeSet::new();
    }
    let batches = rows(lake, Table::Batch);
    let files: BTreeSet<String> = batches.iter().map(|batch| batch["file"].clone()).collect();
    assert_eq!(files.len(), batches.len(), "a file stands twice");
    files
}

/// `column` of rows by system and export.
fn by_export(rows: &[Value], column: &str) -> BTreeMap<(String, String), u64> {
    let mut sums = BTreeMap::new();
    for row in rows {
        *sums.entry((text(&row["system"]), text(&row["entity"]))).or_default() += number(&row[column]);
    }
    sums
}

#[test]
fn what_is_planned_is_what_happens() {
    let place = Place::new();
    exports(&place);
    let folder = place.path("msp");
    let plan = place.ingest(&[&folder], &["--dry-run", "--output", "json"]).says(1, &[]).json();
    assert!(!place.lake().exists(), "a plan makes no lake");
    place.ingest(&[&folder], &["--dry-run"]).says(
        1,
        &[
            "1 currencies and rates",
            "2022-02-05",
            "2025-01-05",
            "unknown",
            "1 are known already",
            "notes.txt` is no export",
            "nothing was changed",
        ],
    );
    assert!(!place.lake().exists());

    // What others rest on first; then no month before an earlier one, and in a month what was used before what was billed.
    let steps: Vec<(u64, String)> = list(&plan, "order")
        .iter()
        .map(|file| (number(&file["step"]), file["dated"].as_str().unwrap_or("").to_owned()))
        .collect();
    let history: Vec<(String, u64)> =
        steps.iter().filter(|(step, _)| *step > 4).map(|(step, day)| (day[..7].to_owned(), *step)).collect();
    assert_eq!(steps.iter().take_while(|(step, _)| *step <= 4).count() + history.len(), steps.len(), "{steps:?}");
    assert!(history.is_sorted() && steps[0].0 == 1 && history.len() == 76, "{steps:?}");

    let done = place.ingest(&[&folder], &["--output", "json"]).says(1, &[]).json();
    let planned = by_export(list(&plan, "exports"), "new");
    assert_eq!(planned, by_export(list(&done, "landed"), "files"));
    assert_eq!(planned.values().sum::<u64>(), number(&plan["new"]));
    for same in ["already_known", "manifests", "passed_over", "refused"] {
        assert_eq!(plan[same], done[same], "{same}");
    }
    assert_eq!(order(&plan).into_iter().collect::<BTreeSet<_>>(), standing(&place.lake()));
    let bytes = place.sql("SELECT sum(bytes) AS bytes FROM core.batch");
    assert_eq!(number(&plan["bytes"]), number(&bytes[0]["bytes"]));

    // The summary's months sum to what the lake says of its files.
    let batches = place.sql("SELECT system, entity, rows_in, rows_accepted, rows_rejected FROM core.batch");
    for count in ["rows_in", "rows_accepted", "rows_rejected"] {
        let expected = by_export(&batches, count);
        assert_eq!(by_export(list(&done, "landed"), count), expected, "{count}");
        assert_eq!(by_export(list(&done, "months"), count), expected, "{count}");
    }
    let months = list(&done, "months");
    let leap = months.iter().find(|line| line["entity"] == "costs" && line["month"] == "2024-02").expect("a line of the month");
    assert_eq!((number(&leap["files"]), number(&leap["rows_accepted"])), (1, 27), "{leap}");
    let rejected: Vec<&Value> = months.iter().filter(|line| number(&line["rows_rejected"]) > 0).collect();
    assert!(rejected.len() == 1 && rejected[0]["month"].is_null() && number(&rejected[0]["rows_rejected"]) == 30, "{rejected:?}");

    // Neither credits, which come when something happens, nor a year that is billed at once leave gaps.
    let gap = |system: &str, entity: &str, grain: &str, missing: &[&str], among: u64| json!({ "system": system, "entity": entity, "grain": grain, "missing": missing, "among": among });
    let days = 366 + 365 + 365 - 30;
    let expected = [
        gap("focus", "costs", "month", &[BROKEN], 36),
        gap("focus", "costs", "day", &["2024-02-10", "2024-02-11"], days),
        gap("stripe", "invoices", "month", &[UNBILLED], 36),
    ];
    assert_eq!(*list(&done, "gaps"), expected);
    let asked = place.sql("SELECT system, grain, missing FROM core.calendar_gap ORDER BY system, missing");
    let asked: Vec<String> =
        asked.iter().map(|row| format!("{} {} {}", text(&row["system"]), text(&row["grain"]), text(&row["missing"]))).collect();
    assert_eq!(asked, ["focus month 2023-09-01", "focus day 2024-02-10", "focus day 2024-02-11", "stripe month 2024-01-01"]);

    // Again: nothing is new, and the plan says so.
    let again = place.ingest(&[&folder], &["--plan", "--output", "json"]).says(1, &[]).json();
    assert_eq!((number(&again["new"]), number(&again["already_known"])), (0, number(&plan["new"]) + 1));
    let again = place.ingest(&[&folder], &["--output", "json"]).says(1, &[]).json();
    assert_eq!(number(&again["already_known"]), number(&plan["new"]) + 1);
    assert!(list(&again, "months").is_empty() && list(&again, "gaps").is_empty());
}

#[test]
fn a_long_history_is_folded_and_can_be_unfolded() {
    let place = Place::new();
    let files: Vec<_> =
        months().map(|month| place.write(&format!("in/invoices_{}-28.json", name(month)), invoice(month))).collect();
    let files: Vec<&Path> = files.iter().map(std::path::PathBuf::as_path).collect();
    let ran = place.ingest(&files, &[]);
    ran.says(0, &["in the lake: stripe invoices 2022-01 to 2024-12", "`--by-month`"]);
    assert!(ran.out.lines().any(|line| ["stripe", "2022-01", "2024-12", "36"].iter().all(|cell| line.contains(cell))), "{ran}");
    let other = place.path("other");
    let paths: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    let mut arguments = vec!["ingest", "--by-month"];
    arguments.extend(paths.iter().map(String::as_str));
    let ran = on_lake(&other, &arguments);
    assert!(months().all(|month| ran.out.lines().any(|line| line.contains("stripe") && line.contains(&name(month)))), "{ran}");
    // As many lines as are read at a glance are not folded.
    let few = place.path("few");
    let mut arguments = vec!["ingest"];
    arguments.extend(paths.iter().take(3).map(String::as_str));
    let ran = on_lake(&few, &arguments);
    assert!(ran.out.lines().filter(|line| line.contains("stripe") && line.contains("2022-0")).count() >= 3, "{ran}");
    assert!(!ran.err.contains("--by-month"), "{ran}");
}

#[test]
fn watermarks_move_on_with_what_is_ingested_later() {
    let place = Place::new();
    let file = |month: NaiveDate, days: usize, arrived: &str| {
        let text: String = costs(month).lines().take(1 + days).map(|line| format!("{line}\n")).collect();
        place.write(&format!("in/focus_{arrived}.csv"), text)
    };
    let march: NaiveDate = "2024-03-01".parse().expect("a date");
    let marks = || {
        let rows = place.sql(
            "SELECT system, entity, first_month, last_month, last_day, recorded_at, files, rows FROM core.watermark ORDER BY system",
        );
        rows.iter()
            .map(|row| row.as_object().expect("a row").values().map(|cell| cell.as_str().unwrap_or("-").to_owned()).collect())
            .collect()
    };
    place.write("in/fx_2024-01-01.csv", "date,from_currency,to_currency,rate\n2024-01-01,EUR,USD,1.1\n");
    file(march, 31, "2024-04-02");
    let first = place.ingest(&[&place.path("in")], &["--output", "json"]).says(0, &[]).json();
    let of_fx = "- mapping 1 - - - 2024-01-01T00:00:00Z 1";
    let told = |marks: Vec<Vec<String>>| -> Vec<BTreeSet<String>> {
        marks.into_iter().map(|cells| cells.into_iter().collect()).collect()
    };
    let cells = |text: &str| -> BTreeSet<String> { text.split(' ').map(str::to_owned).collect() };
    assert_eq!(
        told(marks()),
        [cells("costs focus 2024-03-01 2024-03-31 2024-04-02T00:00:00Z 1 31"), cells(&format!("{of_fx} fx"))]
    );
    let of_focus = |document: &Value| {
        let found = list(document, "watermarks").iter().find(|mark| mark["system"] == "focus").cloned().expect("a watermark");
        [&found["first_month"], &found["last_month"], &found["last_day"]].map(text)
    };
    assert_eq!(of_focus(&first), ["2024-03", "2024-03", "2024-03-31"]);
    // Half of June, and an old January besides: both ends move, and what lies between is missing.
    file(march + Months::new(3), 14, "2024-06-15");
    file(march - Months::new(2), 31, "2024-02-02");
    let second = place.ingest(&[&place.path("in")], &["--output", "json"]).says(0, &[]).json();
    assert_eq!(of_focus(&second), ["2024-01", "2024-06", "2024-06-14"]);
    assert_eq!(
        told(marks()),
        [cells("costs focus 2024-01-01 2024-06-01 2024-06-14 2024-06-15T00:00:00Z 3 76"), cells(&format!("{of_fx} fx"))]
    );
    let gaps = list(&second, "gaps");
    assert!(gaps.len() == 1 && gaps[0]["missing"] == json!(["2024-02", "2024-04", "2024-05"]), "{gaps:?}");
    let said = place.ingest(&[&file(march + Months::new(3), 15, "2024-06-16")], &[]);
    said.says(0, &["warning: focus costs: nothing for 2024-02, 2024-04 to 2024-05 (3 of 6 months)", "2024-01 to 2024-06-15"]);
    // What is added later fills the gap.
    for (month, arrived) in [(2, "2024-03-02"), (4, "2024-05-02"), (5, "2024-06-02")] {
        file(NaiveDate::from_ymd_opt(2024, month, 1).expect("a month"), 31, arrived);
    }
    let third = place.ingest(&[&place.path("in")], &["--output", "json"]).says(0, &[]).json();
    assert!(list(&third, "gaps").iter().all(|gap| gap["grain"] == "day"), "{third}");
}

#[test]
fn after_every_kill_a_beginning_of_the_history_stands() {
    let place = Place::new();
    exports(&place);
    let folder = place.path("msp");
    let plan = place.ingest(&[&folder], &["--dry-run", "--output", "json"]).says(1, &[]).json();
    let order = order(&plan);
    let whole = place.path("whole");
    on_lake(&whole, &["ingest", &folder.display().to_string()]).says(1, &[]);
    let killed = place.lake();
    let files =
        || walkdir::WalkDir::new(&killed).into_iter().filter_map(Result::ok).filter(|entry| entry.file_type().is_file()).count();
    let mut seen = BTreeSet::new();
    for more in [20, 150, 60, 30] {
        let before = files();
        let mut ingest = command(&["ingest", "--threads", "1"]);
        let quiet = Stdio::null;
        let mut running = ingest.arg("--lake").arg(&killed).arg(&folder).stdout(quiet()).stderr(quiet()).spawn().expect("starts");
        while files() < before + more && running.try_wait().expect("a process").is_none() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        running.kill().expect("killed");
        running.wait().expect("ended");
        let standing = standing(&killed);
        assert_eq!(standing, order.iter().take(standing.len()).cloned().collect::<BTreeSet<_>>(), "not a beginning of the order");
        seen.insert(standing.len());
    }
    assert!(seen.iter().any(|&count| count < order.len()), "no run was killed before its end");
    on_lake(&killed, &["ingest", &folder.display().to_string()]).says(1, &[]);
    let comparable = |lake: &Path| -> BTreeSet<BTreeMap<String, String>> {
        let mut batches = rows(lake, Table::Batch);
        // Named by lot.
        batches.iter_mut().for_each(|batch| drop(batch.remove("attempt")));
        batches.into_iter().collect()
    };
    assert_eq!(comparable(&killed), comparable(&whole));
    on_lake(&killed, &["check"]).says(0, &["the lake is whole"]);
    for view in ["source_month", "watermark", "calendar_gap"] {
        let all = format!("SELECT * FROM core.{view} ORDER BY 1, 2, 3, 4");
        assert_eq!(super::support::sql(&killed, &all), super::support::sql(&whole, &all), "{view}");
    }
}

#[test]
fn what_has_no_calendar_is_an_export_that_exists() {
    let view = include_str!("../../queries/core/calendar_gap.sql");
    let (_, list) = view.split_once("entity NOT IN (").expect("a list");
    let names: Vec<&str> =
        list.split_once(')').expect("its end").0.split(',').map(|name| name.trim().trim_matches('\'')).collect();
    assert!(names.len() > 1);
    for name in names {
        let mut found = shortfall::sources::all_exports().filter(|found| found.export.entity == name).peekable();
        assert!(found.peek().is_some(), "no export is called {name}");
        assert!(found.all(|found| found.export.target == Table::InvoiceLine), "{name}");
    }
}
