//! Flight SQL as ADBC's driver meets it, and the calls that no driver makes.

use super::duckdb::oracle_command;
use super::export::two_quarters;
use super::serve::{GENEROUS, OPEN, certificate, serve};
use serde_json::{Value, json};
use shortfall::serve::{Access, Limits};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

fn uri(address: SocketAddr) -> String {
    format!("grpc://127.0.0.1:{}", address.port())
}

fn ask(job: &str, arguments: &[&str], password: &str) -> Value {
    let mut command = oracle_command("ask_flight.py");
    let output = command.arg(job).args(arguments).env("SHORTFALL_PASSWORD", password).output().expect("Python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_driver_reads_money_parameters_and_the_catalogue() {
    let (_, _, address) = &*OPEN;
    let said = ask("read", &[&uri(*address)], "");
    // Six seats at 22.00 in three months, as an exact decimal.
    assert_eq!([&said["leakage"], &said["is_decimal"]], [&json!("396.000000000000000000"), &json!(true)]);
    assert_eq!(
        said["by_customer"],
        json!([["Acme", "2026-01-01", "396.000000000000000000"], ["Acme", "2026-04-01", "396.000000000000000000"]])
    );
    assert_eq!(said["types"], json!({ "leakage": "decimal128(38, 18)", "signal": "string", "quarter_start": "date32[day]" }));
    let has = |list: &Value, name: &str| list.as_array().is_some_and(|list| list.iter().any(|one| one == name));
    assert!(["dim_customer", "dim_date", "fact_finding", "fact_monthly"].iter().all(|name| has(&said["tables"], name)), "{said}");
    assert!(has(&said["columns"], "leakage") && has(&said["columns"], "quarter_start"), "{said}");
    assert_eq!([&said["vendor"], &said["empty"]], [&json!("Shortfall"), &json!([])]);
    assert_eq!(said["two"], json!([["b", "a"]]));
    assert_eq!(said["explained"], 2);
}

#[test]
fn every_statement_that_does_more_than_read_is_refused() {
    let (_, _, address) = &*OPEN;
    let said = ask("hostile", &[&uri(*address)], "");
    assert_eq!(said["accepted"], json!([]));
    assert!(said["statements"].as_u64() >= Some(50));
    assert_eq!(said["findings"], 2);
}

#[test]
fn plans_uploads_updates_and_forged_tickets_are_refused() {
    let (_, _, address) = &*OPEN;
    let said = ask("calls", &[&uri(*address)], "");
    assert_eq!(said["accepted"], json!([]));
    assert!(said["calls"].as_u64() >= Some(20));
    assert_eq!(said["findings"], 2);
    assert!(!Path::new("/tmp/shortfall_stolen.csv").exists());
}

#[test]
fn a_query_that_wants_too_much_is_cut_off_and_others_go_on() {
    let (seats, ..) = &*OPEN;
    let limits = Limits { rows: 1_000, time: Duration::from_secs(3), ..GENEROUS };
    let (_, address) = serve(seats, Access::default(), limits);
    let said = ask("limits", &[&uri(address)], "");
    let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
    assert!(text("time").contains("took longer than 3 s"), "{said}");
    assert!(text("rows").contains("more than 1000 rows"), "{said}");
    assert_eq!([&said["time_beside"], &said["rows_beside"]], [2, 2]);
}

#[test]
fn only_who_knows_the_password_and_speaks_tls_is_let_in() {
    let (seats, ..) = &*OPEN;
    let folder = tempfile::tempdir().expect("a folder");
    let tls = certificate(folder.path());
    let root = tls.0.display().to_string();
    let access = Access { password: Some("correct horse".to_owned()), tls: Some(tls) };
    let (_, address) = serve(seats, access, GENEROUS);
    let said = ask("connects", &[&format!("grpc+tls://127.0.0.1:{}", address.port()), &root], "correct horse");
    let refused = ["wrong_token", "wrong_password", "nothing", "clear_text", "untrusted"];
    assert_eq!([&said["token"], &said["password"]], [42, 42], "{said}");
    assert!(refused.iter().all(|way| said[way] == "refused"), "{said}");
}

#[test]
fn a_new_run_is_seen_whole_on_an_open_connection() {
    let seats = two_quarters();
    let (_, address) = serve(&seats, Access::default(), GENEROUS);
    let mut command = oracle_command("ask_flight.py");
    let mut client = command.args(["count", &uri(address)]).stdout(Stdio::piped()).spawn().expect("Python");
    let mut lines = BufReader::new(client.stdout.take().expect("output")).lines();
    assert_eq!(lines.next().expect("a line").expect("text"), "ready");
    seats.bill_quarter(["2026-07", "2026-08", "2026-09"], "2026-09-30", 36);
    seats.book.analyze("2026Q3");
    let said: Value = serde_json::from_str(&lines.next().expect("a line").expect("text")).expect("JSON");
    assert_eq!(said, json!({ "first": [2, 2], "then": [3, 3] }));
    assert!(client.wait().expect("ended").success());
}
