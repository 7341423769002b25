//! What every command prints: one JSON document where that is asked for, and text that fits a mail.

use super::over_time::{Q1, Seats};
use calamine::{Data, DataType as _, Reader as _, Xlsx};
use clap::CommandFactory as _;
use serde_json::Value;
use shortfall::cli::Cli;
use std::io::{BufRead as _, BufReader, Cursor};
use std::process::{Command, Output, Stdio};

/// Every command that has no commands below it, as it is called.
fn leaves(command: &clap::Command, above: &str, found: &mut Vec<String>) {
    let below: Vec<_> = command.get_subcommands().filter(|c| c.get_name() != "help").collect();
    for command in &below {
        leaves(command, format!("{above} {}", command.get_name()).trim(), found);
    }
    if below.is_empty() {
        found.push(above.to_owned());
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shortfall"));
    for name in ["SHORTFALL_LAKE", "SHORTFALL_OUTPUT", "SHORTFALL_NOTIFY"] {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the command runs")
}

/// A call of each command on a lake with one finding, in an order that works. `LAKE`, `OUT`, `ID` and `URL` (of the scheduler) stand for what the test has.
const CALLS: [&str; 26] = [
    "sources",
    "synth --out OUT/synth --customers 2 --months 12",
    "docs --out OUT/docs",
    "completions bash",
    "ingest --lake LAKE OUT/synth/exports/mapping/fx_rates.csv",
    "map draft --lake LAKE",
    "map suggest --lake LAKE --kind services",
    "map export --lake LAKE --out OUT/map",
    "map import --lake LAKE OUT/map/customers.csv",
    "analyze --lake LAKE --quarter 2026Q1",
    "findings --lake LAKE",
    "mute --lake LAKE ID --reason agreed",
    "unmute --lake LAKE ID",
    "explain --lake LAKE ID",
    "trace --lake LAKE invoices_2026-03-31.json 2",
    "compare --lake LAKE --quarter 2026Q1 --before 2026-02-01 --after 2026-04-30",
    "report --lake LAKE --html OUT/report.html",
    "export --lake LAKE --out OUT/bi",
    "optimize --lake LAKE",
    "check --lake LAKE",
    "sql --lake LAKE SELECT_1",
    "serve --lake LAKE --pg 127.0.0.1:0",
    "cluster scheduler --listen 127.0.0.1:0",
    "cluster executor --listen 127.0.0.1:0 --scheduler URL",
    "demo --out OUT/demo --customers 8",
    "score --lake OUT/demo/lake --truth OUT/demo/truth.csv",
];

/// It simulates and analyses two books for each seed: minutes that say nothing about its document, which is printed as every other is.
const TOO_LONG: &str = "benchmark";

#[test]
fn every_command_prints_one_json_document_and_nothing_else() {
    let mut known = Vec::new();
    leaves(&Cli::command(), "", &mut known);
    let called = |leaf: &String| CALLS.iter().any(|call| *call == leaf || call.starts_with(&format!("{leaf} ")));
    let missing: Vec<&String> = known.iter().filter(|leaf| !called(leaf) && *leaf != TOO_LONG).collect();
    assert!(missing.is_empty(), "commands without a call in CALLS of tests/analysis/terminal.rs: {missing:?}");
    let seats = Seats::new();
    seats.bill_quarter(Q1, "2026-03-31", 40);
    let id = seats.book.analyze("2026Q1").findings[0].finding_id.clone();
    let out = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let (lake, out) = (seats.book.lake.root().display().to_string(), out.path().display().to_string());
    let mut scheduler = None;
    for call in CALLS.iter().filter(|call| known.iter().any(|leaf| call.starts_with(leaf.as_str()))) {
        let words: Vec<String> = call
            .split(' ')
            .map(|word| match word {
                "LAKE" => lake.clone(),
                "ID" => id.clone(),
                "URL" => scheduler
                    .as_ref()
                    .map_or_else(String::new, |(_, said): &(Server, Value)| said["url"].as_str().expect("a URL").to_owned()),
                "SELECT_1" => "SELECT 1 AS one".to_owned(),
                word => word.replace("OUT", &out),
            })
            .collect();
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        words.extend(["--output", "json"]);
        if ["serve", "cluster"].contains(&words[0]) {
            let served = served(&words);
            scheduler = scheduler.or_else(|| (words[1] == "scheduler").then_some(served));
            continue;
        }
        let ran = run(&words);
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{call}: {said}\n{}", String::from_utf8_lossy(&ran.stdout));
        assert!(serde_json::from_slice::<Value>(&ran.stdout).is_ok(), "{call}: {}", String::from_utf8_lossy(&ran.stdout));
    }
}

/// A running server; it is killed when this is dropped.
struct Server(std::process::Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("ended");
    }
}

/// A server prints its document when it listens.
fn served(words: &[&str]) -> (Server, Value) {
    let mut server = Server(command(words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the command runs"));
    let mut text = String::new();
    let mut lines = BufReader::new(server.0.stdout.take().expect("a pipe")).lines();
    while serde_json::from_str::<Value>(&text).is_err() {
        match lines.next() {
            Some(line) => text += &line.expect("a line"),
            None => break,
        }
    }
    let document: Value = serde_json::from_str(&text).expect("one document");
    assert!(document["address"].as_str().is_some_and(|address| address.starts_with("127.0.0.1:")), "{document}");
    (server, document)
}

#[test]
fn what_is_wrong_with_the_arguments_is_told_as_json_too() {
    for arguments in [&["fly", "--output", "json"][..], &["analyze", "--output=json"], &["sql", "--output", "json", "--fly"]] {
        let ran = run(arguments);
        assert_eq!(ran.status.code(), Some(2));
        let document: Value = serde_json::from_slice(&ran.stdout).expect("one document");
        assert!(document["exit_code"] == 2 && document["error"].is_string() && ran.stderr.is_empty(), "{document}");
    }
    let ran = run(&["fly"]);
    assert!(ran.status.code() == Some(2) && ran.stdout.is_empty() && !ran.stderr.is_empty());
    assert_eq!(run(&["--help", "--output", "json"]).status.code(), Some(0));
}

#[test]
fn the_summary_of_an_analysis_can_be_pasted_into_a_mail() {
    let seats = Seats::new();
    seats.bill_quarter(Q1, "2026-03-31", 40);
    let ran = seats.book.shortfall(&["analyze", "--quarter", "2026Q1"]);
    let text = String::from_utf8(ran.stdout).expect("UTF-8");
    assert!(text.starts_with("Revenue leakage in 2026Q1: 1 finding\n"), "{text}");
    assert!(text.contains("USD  396.00 leakage (396.00 revenue, 0 cost); 0 over-billed"), "{text}");
    assert!(text.contains("396.00 USD  psa_change_not_billed  Acme, Seat\n"), "{text}");
    assert!(text.contains("report: shortfall report --lake "), "{text}");
    // A command is left whole, however long the path of its lake is.
    let is_command = |line: &str| line.contains("shortfall explain") || line.contains("shortfall report");
    for line in text.lines().filter(|line| !is_command(line)) {
        assert!(line.chars().count() <= 78 && line.trim_end() == line && !line.contains(['\u{1b}', '\u{2500}']), "{line}");
    }
    assert!(ran.stderr.is_empty(), "no progress where there is no terminal: {}", String::from_utf8_lossy(&ran.stderr));
}

/// Rows of a workbook's only sheet.
fn rows(book: Vec<u8>) -> Vec<Vec<Data>> {
    let mut book: Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(book)).expect("a workbook");
    let sheet = book.worksheet_range_at(0).expect("a sheet").expect("readable");
    sheet.rows().map(<[Data]>::to_vec).collect()
}

#[test]
fn a_workbook_has_the_columns_of_csv_with_numbers_days_and_names() {
    let seats = Seats::new();
    seats.bill_quarter(Q1, "2026-03-31", 40);
    seats.book.analyze("2026Q1");
    let book = rows(seats.book.shortfall(&["findings", "--format", "xlsx"]).stdout);
    let csv = seats.book.shortfall(&["findings", "--format", "csv"]).stdout;
    let csv = String::from_utf8(csv).expect("UTF-8");
    let header: Vec<&str> = csv.lines().next().expect("a header").split(',').collect();
    assert_eq!(book[0].iter().map(|cell| cell.as_string().expect("a name")).collect::<Vec<_>>(), header);
    let cell = |name: &str| &book[1][header.iter().position(|column| *column == name).expect("a column")];
    assert_eq!((book.len(), cell("leakage"), cell("customer_name")), (2, &Data::Float(396.0), &Data::String("Acme".to_owned())));
    assert_eq!(cell("first_month").as_date().map(|day| day.to_string()).as_deref(), Some("2026-01-01"));
    assert_eq!(cell("p_value"), &Data::Empty);

    let query = "SELECT '=1+1' AS name, DATE '1066-10-14' AS old, -12.50 AS amount, CAST('NaN' AS DOUBLE) AS none, true AS yes";
    let book = rows(seats.book.shortfall(&["sql", query, "--format", "xlsx"]).stdout);
    let text = |text: &str| Data::String(text.to_owned());
    assert_eq!(book[1], [text("=1+1"), text("1066-10-14"), Data::Float(-12.5), Data::Empty, text("true")]);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_fault() {
    let seats = Seats::new();
    seats.bill_quarter(Q1, "2026-03-31", 40);
    seats.book.analyze("2026Q1");
    let lake = seats.book.lake.root().display().to_string();
    for format in ["table", "csv", "json", "parquet"] {
        let mut reading = command(&["findings", "--lake", &lake, "--format", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command runs");
        drop(reading.stdout.take());
        let ended = reading.wait_with_output().expect("ended");
        assert!(ended.status.success() && ended.stderr.is_empty(), "{format}: {}", String::from_utf8_lossy(&ended.stderr));
    }
}

#[test]
fn settings_beside_the_lake_yield_to_the_environment_and_that_to_flags() {
    let seats = Seats::new();
    let lake = seats.book.lake.root().to_owned();
    let file = lake.parent().expect("a folder").join("shortfall.toml");
    let is_json =
        |command: &mut Command| serde_json::from_slice::<Value>(&command.output().expect("the command runs").stdout).is_ok();
    let called = |more: &[&str]| command(&[&["check", "--lake", lake.to_str().expect("UTF-8")], more].concat());
    assert!(!is_json(&mut called(&[])));
    std::fs::write(&file, "output = \"json\"\n").expect("written");
    assert!(is_json(&mut called(&[])));
    assert!(!is_json(called(&[]).env("SHORTFALL_OUTPUT", "text")));
    assert!(is_json(called(&["--output", "json"]).env("SHORTFALL_OUTPUT", "text")));
    std::fs::write(&file, "outptu = \"json\"\n").expect("written");
    let ran = called(&[]).output().expect("the command runs");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(
        ran.status.code() == Some(2)
            && said.contains("there is no setting `outptu`; known are ")
            && said.contains("memory_limit"),
        "{said}"
    );
}
