//! An archive built day by day: what an analysis said on a day, `--as-of` that day says again, byte for byte, from a lake that has
//! since learnt more, in whatever order it learnt it.
//!
//! The law needs an archive that was really built day by day: what a source dates itself (an invoice's creation, an event's recording)
//! must have been exported by the day of the analysis. So the simulator's exports are cut as if somebody had saved Stripe and the
//! lifecycle log on each of [`DAYS`]. Between these days the book gets what makes the law hard: invoices corrected under their old
//! date, and back again; a vendor that restates a month; usage of a month older than any other; months of AWS costs that are written
//! anew in parts until they are final, and once after. The PSA is there as daily snapshots, as the simulator writes them. An earlier
//! quarter analysed again with all that is known must not show either: `status` compares with what was known then.

use super::support::{Book, end_of, request};
use chrono::{DateTime, Utc};
use serde_json::Value;
use shortfall::findings::analyze::Request;
use shortfall::ingest::arrival::arrival;
use shortfall::ingest::plan;
use shortfall::month::Month;
use shortfall::synth::{Config, generate};
use std::path::{Path, PathBuf};

/// The quarter analysed, and the day on which it was: at its end, when vendors have not sent its last month yet, and ten days after.
const DAYS: [(&str, &str); 6] = [
    ("2025Q2", "2025-06-30"),
    ("2025Q2", "2025-07-10"),
    ("2025Q3", "2025-09-30"),
    ("2025Q3", "2025-10-10"),
    ("2025Q4", "2025-12-31"),
    ("2025Q4", "2026-01-10"),
];

/// Exports of a small MSP, saved day by day.
fn archive(out: &Path) -> Vec<PathBuf> {
    let config = Config::spanning(11, 6, Month::new(2025, 1).expect("a month"), 12);
    generate(&config, out).expect("a book");
    let exports = out.join("exports");
    save_records_again(&exports, "stripe/invoices");
    save_records_again(&exports, "stripe/credit_notes");
    save_new_events(&exports.join("lifecycle"));
    restate(&exports.join("focus"));
    write_months_anew(&exports);
    std::fs::write(
        exports.join("mapping/open_terms.csv"),
        "customer_key,service_key,valid_from,valid_to,currency,model,flat_fee\nc0001,retainer,,,USD,flat_fee,100\n",
    )
    .expect("a file");
    // A small book has an export without records now and then.
    let has_records = |file: &PathBuf| std::fs::read(file).expect("a file") != b"[]";
    plan::files(&[exports]).expect("files").into_iter().filter(has_records).collect()
}

/// The files of a kind, taken away.
fn taken(start: &Path) -> Vec<Vec<u8>> {
    let pattern = format!("{}_*", start.display());
    let files = plan::files(&[PathBuf::from(pattern)]).expect("files");
    files
        .iter()
        .map(|file| {
            let content = std::fs::read(file).expect("a file");
            std::fs::remove_file(file).expect("gone");
            content
        })
        .collect()
}

/// On each day all records that were created by then; some of those saved before are corrected, until the next time.
fn save_records_again(exports: &Path, kind: &str) {
    let mut records: Vec<Value> = Vec::new();
    for content in taken(&exports.join(kind)) {
        let mut page: Value = serde_json::from_slice(&content).expect("JSON");
        records.append(page["data"].as_array_mut().expect("records"));
    }
    let created = |record: &Value| record["created"].as_i64().expect("seconds");
    for (at, (_, day)) in DAYS.iter().enumerate() {
        let known_before = at.checked_sub(1).map_or(0, |before| end_of(DAYS[before].1).timestamp());
        let mut known: Vec<Value> = records.iter().filter(|r| created(r) <= end_of(day).timestamp()).cloned().collect();
        for (_, record) in known.iter_mut().enumerate().filter(|(number, r)| number % 7 == at && created(r) <= known_before) {
            let amount = &mut record["lines"]["data"][0]["amount"];
            *amount = Value::from(amount.as_i64().expect("cents") * 9 / 10);
        }
        if !known.is_empty() {
            let page = serde_json::json!({ "object": "list", "data": known, "has_more": false });
            std::fs::write(exports.join(format!("{kind}_{day}.json")), page.to_string()).expect("a file");
        }
    }
}

/// On each day the events recorded since the day before.
fn save_new_events(folder: &Path) {
    let content = taken(&folder.join("subjects")).concat();
    let mut reader = csv::Reader::from_reader(content.as_slice());
    let header = reader.headers().expect("a header").clone();
    let recorded = header.iter().position(|name| name == "recorded_at").expect("a column");
    let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("rows");
    let mut since = DateTime::<Utc>::MIN_UTC;
    for (_, day) in DAYS {
        let mut writer = csv::Writer::from_path(folder.join(format!("subjects_{day}.csv"))).expect("a file");
        writer.write_record(&header).expect("written");
        for row in &rows {
            let at: DateTime<Utc> = row[recorded].parse().expect("an instant");
            if since < at && at <= end_of(day) {
                writer.write_record(row).expect("written");
            }
        }
        writer.flush().expect("written");
        since = end_of(day);
    }
}

/// The first file of each provider again, after a quarter with other costs, after another for a year before.
fn restate(folder: &Path) {
    let first = plan::files(&[folder.to_owned()])
        .expect("files")
        .into_iter()
        .filter(|file| file.display().to_string().ends_with("2025-02-03.csv"));
    for file in first {
        let text = std::fs::read_to_string(&file).expect("a file");
        let provider = file.file_stem().expect("a name").to_string_lossy().replace("2025-02-03", "");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let mut writer = csv::Writer::from_path(folder.join(format!("{provider}restated_2025-07-20.csv"))).expect("a file");
        let header = reader.headers().expect("a header").clone();
        writer.write_record(&header).expect("written");
        for row in reader.records().map(|row| row.expect("a row")) {
            let dearer = header.iter().zip(&row).map(|(name, cell)| if name == "BilledCost" { "7.25" } else { cell });
            writer.write_record(dearer).expect("written");
        }
        writer.flush().expect("written");
        let older = text.replace("2025-01", "2024-01").replace("2025-02", "2024-02");
        std::fs::write(folder.join(format!("{provider}older_2025-10-20.csv")), older).expect("a file");
    }
}

/// AWS costs: each month on the 10th of it and of the next, in two parts, and once more after two months with other rows.
fn write_months_anew(exports: &Path) {
    let append = |name: &str, line: &str| {
        let path = exports.join("mapping").join(name);
        let text = std::fs::read_to_string(&path).expect("a mapping file");
        std::fs::write(path, text + line).expect("a file");
    };
    append("customers.csv", "aws_cur,acc-1,Account,c0001,,,\n");
    append("services.csv", "aws_cur,EC2:Box,Box,aws_box,AWS box,hour,1,,\n");
    let header = "bill/PayerAccountId,bill/BillingPeriodStartDate,lineItem/UsageAccountId,lineItem/LineItemType,lineItem/UsageStartDate,\
                  lineItem/UsageEndDate,lineItem/ProductCode,lineItem/UsageType,lineItem/UsageAmount,lineItem/CurrencyCode,\
                  lineItem/UnblendedCost";
    for month in 4..12_u32 {
        let file = |name: String, days: std::ops::Range<u32>, cost: &str| {
            let row = |day: u32| {
                format!(
                    "p,2025-{month:02}-01,acc-1,Usage,2025-{month:02}-{day:02},2025-{month:02}-{:02},EC2,Box,2,USD,{cost}\n",
                    day + 1
                )
            };
            let rows: String = days.map(row).collect();
            std::fs::write(exports.join(name), format!("{header}\n{rows}")).expect("a file");
        };
        file(format!("cur_{month}_2025-{month:02}-10.csv"), 1..9, "1.25");
        let next = month + 1;
        file(format!("cur_{month}_part-1_2025-{next:02}-10.csv"), 2..15, "1.5");
        file(format!("cur_{month}_part-2_2025-{next:02}-10.csv"), 14..27, "1.5");
        if next < 12 {
            file(format!("cur_{month}_final_2025-{:02}-05.csv", next + 1), 3..20, "2.75");
        }
    }
}

/// All that can be read of the newest analysis: what it says, what it says it on, and what it could not say.
fn said(book: &Book, quarter: &str) -> Vec<String> {
    let printed = |arguments: &[&str]| {
        let output = book.shortfall(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let findings = printed(&["findings", "--format", "csv"]);
    let first = findings.lines().nth(1).and_then(|line| line.split(',').next()).expect("a finding").to_owned();
    let mut said: Vec<String> = findings.lines().map(str::to_owned).collect();
    said.extend(printed(&["explain", &first]).lines().map(str::to_owned));
    // The page names its lake, and the day of its newest file where no day was asked for.
    let page = book.lake.root().with_extension("html");
    printed(&["report", "--quarter", quarter, "--html", &page.display().to_string()]);
    let lake = book.lake.root().display().to_string().replace('/', "&#x2f;");
    let page = std::fs::read_to_string(page).expect("a page").replace(&lake, "LAKE");
    said.extend(page.lines().filter(|line| !line.contains("Lake:") && !line.contains("<title>")).map(str::to_owned));
    said.extend(
        book.rows("SELECT * FROM marts.fact_monthly ORDER BY customer_key, service_key, currency, month")
            .iter()
            .map(|row| row.join(",")),
    );
    said
}

fn knowing(quarter: &str, day: &str) -> Request {
    Request { as_of: Some(end_of(day)), ..request(quarter) }
}

/// What an archive says that grows day by day, on each day.
fn told_then(files: &[PathBuf]) -> Vec<Vec<String>> {
    let daily = Book::empty();
    let on_day = |(quarter, day): &(&str, &str)| {
        let known = |file: &&PathBuf| matches!(arrival(file, None), (at, is_stated) if !is_stated || at <= end_of(day));
        daily.add(&files.iter().filter(known).cloned().collect::<Vec<_>>());
        daily.analyze(quarter);
        said(&daily, quarter)
    };
    DAYS.iter().map(on_day).collect()
}

/// What an archive says as of each day that holds everything; after the second day also with all that is known.
fn told_again(files: &[PathBuf]) -> (Vec<Vec<String>>, Vec<String>) {
    let whole = Book::empty();
    whole.add(&files.iter().rev().cloned().collect::<Vec<_>>());
    let mut knowing_all = Vec::new();
    let as_of = |(at, (quarter, day)): (usize, &(&str, &str))| {
        whole.analyze_with(knowing(quarter, day)).expect("an analysis");
        let again = said(&whole, quarter);
        if at == 1 {
            whole.analyze(quarter);
            knowing_all = said(&whole, quarter);
        }
        again
    };
    (DAYS.iter().enumerate().map(as_of).collect(), knowing_all)
}

#[test]
fn as_of_a_day_is_what_was_said_that_day_byte_for_byte() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let files = archive(folder.path());
    // Side by side: this is the longest test.
    let (then, (again, knowing_all)) = std::thread::scope(|scope| {
        let then = scope.spawn(|| told_then(&files));
        let again = told_again(&files);
        (then.join().expect("the archive that grows"), again)
    });
    for (((quarter, day), then), again) in DAYS.iter().zip(then).zip(&again) {
        let differing: Vec<_> = then.iter().zip(again).filter(|(then, again)| then != again).take(5).collect();
        assert!(differing.is_empty() && then.len() == again.len(), "{quarter} as of {day}: {differing:#?}");
    }
    assert_ne!(knowing_all, again[1], "{}: nothing was learnt after {}, so nothing is tested", DAYS[1].0, DAYS[1].1);
}
