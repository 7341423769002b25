//! `analyze --notify`: what is told, to whom, how often, and what nobody gets to see.

use super::duckdb::oracle;
use super::over_time::{Q1, Seats};
use super::receiver::{Answer, Receiver, Request};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use shortfall::findings::changes::{Before, Change};
use shortfall::findings::{Basis, Finding};
use shortfall::notify::delivery::{DeliveryError, Patience, deliver};
use shortfall::notify::signature::Secret;
use shortfall::notify::target::{Format, Target};
use shortfall::notify::{Alert, totals};
use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::time::Duration;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const SOON: Patience = Patience {
    connect: Duration::from_secs(2),
    attempt: Duration::from_millis(300),
    pause: Duration::from_millis(1),
    longest_pause: Duration::from_secs(2),
    retries: 3,
};

fn clock() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).expect("an instant")
}

fn finding(id: &str, customer: &str, leakage: i64) -> Finding {
    let month = "2026-07".parse().expect("a month");
    let money = rust_decimal::Decimal::new(leakage, 2);
    Finding {
        finding_id: id.to_owned(),
        signal: "psa_change_not_billed".to_owned(),
        family: "seam".to_owned(),
        quarter: "2026Q3".parse().expect("a quarter"),
        customer_key: Some("acme".to_owned()),
        customer_name: Some(customer.to_owned()),
        service_key: Some("seat".to_owned()),
        service_name: Some(customer.to_owned()),
        first_month: month,
        last_month: month,
        currency: "USD".to_owned(),
        leakage_low: money,
        leakage: money,
        leakage_high: money,
        annual_run_rate: money,
        severity: "high".to_owned(),
        confidence: 1.0,
        p_value: None,
        q_value: None,
        slope: None,
        slope_low: None,
        slope_high: None,
        change_month: None,
        status: "new".to_owned(),
        explanation: format!("{customer} was delivered 22 and billed 20"),
        basis: Basis::Revenue,
        overbilled: rust_decimal::Decimal::ZERO,
    }
}

fn alert(changes: Vec<Change>) -> Alert {
    let quarter_totals = totals(changes.iter().map(|change| (&change.finding, change.finding.leakage)));
    Alert {
        run_id: "a1b2".to_owned(),
        quarter: "2026Q3".parse().expect("a quarter"),
        lake: "lake".to_owned(),
        lake_argument: "data/lake".to_owned(),
        changes,
        quarter_totals,
    }
}

fn target(receiver: &Receiver, format: Format) -> Target {
    Target::new(&receiver.url(), Some(format), Some(&Secret::parse(SECRET).expect("a secret"))).expect("a target")
}

fn delivered(receiver: &Receiver) -> Result<usize, DeliveryError> {
    let alert = alert(vec![Change { finding: finding("f1", "Acme", 4400), before: None }]);
    super::support::runtime().block_on(deliver(&alert, &target(receiver, Format::Json), SOON, clock))
}

/// Asserts that somebody else's library finds every signature good, and none with another body.
fn verified(heard: &[Request]) {
    let requests: Vec<Value> = heard
        .iter()
        .map(|r| json!({ "headers": r.headers.iter().cloned().collect::<BTreeMap<_, _>>(), "body": r.body }))
        .collect();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let file = folder.path().join("requests.json");
    std::fs::write(&file, json!({ "secret": SECRET, "requests": requests }).to_string()).expect("written");
    let checked = oracle("verify_webhook.py", &[&file]);
    let said = String::from_utf8_lossy(&checked.stdout).trim().to_owned();
    assert_eq!(said, heard.len().to_string(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn a_busy_receiver_is_asked_again_with_the_same_id_and_body() {
    let busy = "429 Too Many Requests\r\nretry-after: 0";
    let receiver = Receiver::answering([busy, "503 Service Unavailable", "204 No Content"].map(Answer::Status).into());
    assert_eq!(delivered(&receiver).expect("delivered"), 3);
    let heard = receiver.heard();
    assert_eq!(heard.len(), 3);
    assert!(heard[0].header("webhook-id").starts_with("msg_"), "{heard:?}");
    assert!(
        heard.iter().all(|r| r.header("webhook-id") == heard[0].header("webhook-id") && r.body == heard[0].body),
        "{heard:?}"
    );
}

#[test]
fn an_answer_that_will_not_change_is_final() {
    for status in ["400 Bad Request", "404 Not Found", "410 Gone", "302 Found\r\nlocation: http://127.0.0.1:9/"] {
        let receiver = Receiver::answering(vec![Answer::Status(status)]);
        let error = delivered(&receiver).expect_err(status).to_string();
        assert!(error.contains(&status[..3]) && !error.contains("HUSH"), "{error}");
        assert_eq!(receiver.heard().len(), 1, "{status}");
    }
    // Asked to wait longer than anybody would.
    let receiver = Receiver::answering(vec![Answer::Status("429 Too Many Requests\r\nretry-after: 86400")]);
    delivered(&receiver).expect_err("given up");
    assert_eq!(receiver.heard().len(), 1);
}

#[test]
fn a_receiver_that_never_answers_is_given_up() {
    let receiver = Receiver::answering(vec![Answer::Silence]);
    let error = delivered(&receiver).expect_err("given up").to_string();
    assert!(error.contains("no answer within 0.3 seconds"), "{error}");
    assert_eq!(receiver.heard().len(), 4);
}

/// Every string in a document, with the type of the object that it stands in.
fn strings<'a>(value: &'a Value, within: &'a str, found: &mut Vec<(&'a str, &'a str)>) {
    match value {
        Value::String(text) => found.push((within, text)),
        Value::Array(values) => values.iter().for_each(|value| strings(value, within, found)),
        Value::Object(object) => {
            let within = object.get("type").and_then(Value::as_str).unwrap_or(within);
            object.values().for_each(|value| strings(value, within, found));
        }
        _ => {}
    }
}

#[test]
fn a_hostile_name_is_only_a_name_in_a_chat_and_no_message_is_too_long() {
    let name = format!("<!channel> <https://evil.example|a & b> [c](https://evil.example)\n\u{202e}{}", "&".repeat(10_000));
    let changes: Vec<Change> =
        (0..60).map(|at| Change { finding: finding(&format!("f{at}"), &name, 100 * at), before: None }).collect();
    let alert = alert(changes);
    let slack: Value = serde_json::from_slice(&alert.body(Format::Slack, "").expect("a body")).expect("JSON");
    assert!(slack["blocks"].as_array().expect("blocks").len() <= 50);
    let mut found = Vec::new();
    strings(&slack, "", &mut found);
    for (kind, text) in found {
        assert!(!text.contains(['<', '>', '\u{202e}']) && text.chars().count() <= 3000, "{text}");
        assert!(kind != "mrkdwn" || !text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "").contains('&'), "{text}");
    }
    assert!(slack.to_string().contains("and 50 more"), "{slack}");
    let body = alert.body(Format::Teams, "").expect("a body");
    assert!(body.len() <= 28 * 1024, "{}", body.len());
    let teams: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(teams["attachments"][0]["content"]["version"], "1.4");
    let mut found = Vec::new();
    strings(&teams, "", &mut found);
    for (kind, text) in found.into_iter().filter(|(_, text)| text.contains("evil.example")) {
        assert!(kind == "TextRun" && !text.contains(['\n', '\u{202e}']), "{kind}: {text}");
    }
}

#[test]
fn by_how_much_a_finding_is_worse_is_said() {
    let before = Before {
        run_id: "r1".to_owned(),
        quarter: "2026Q2".parse().expect("a quarter"),
        money: rust_decimal::Decimal::new(3000, 2),
        severity: "medium".to_owned(),
    };
    let alert = alert(vec![Change { finding: finding("f1", "Acme", 4400), before: Some(before) }]);
    let json: Value = serde_json::from_slice(&alert.body(Format::Json, "now").expect("a body")).expect("JSON");
    let row = &json["data"]["findings"][0];
    assert_eq!(
        (&row["change"], &row["increase"], &row["before"]["money"]),
        (&json!("worsened"), &json!("14.00"), &json!("30.00"))
    );
    assert_eq!(row["explain"], "shortfall explain --lake data/lake f1");
    for format in [Format::Slack, Format::Teams] {
        let text = String::from_utf8(alert.body(format, "").expect("a body")).expect("UTF-8");
        assert!(text.contains("44.00 USD (+14.00)") && text.contains("worse: 30.00 USD in 2026Q2, was medium"), "{text}");
    }
}

fn analyze(seats: &Seats, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shortfall"));
    command.args(["analyze", "--lake"]).arg(seats.book.lake.root()).args(arguments);
    command.env("SHORTFALL_NOTIFY_SECRET", SECRET).env_remove("SHORTFALL_NOTIFY").env_remove("SHORTFALL_OUTPUT");
    command.output().expect("the command runs")
}

#[track_caller]
fn says(ran: &Output, code: i32, text: &str) {
    let said = [&ran.stdout, &ran.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    assert!(ran.status.code() == Some(code) && said.contains(text), "exit {:?}\n{said}", ran.status.code());
    assert!(!said.contains("HUSH") && !said.contains("MfKQ9r8"), "{said}");
}

#[test]
fn only_what_is_new_or_worse_is_told_and_only_once() {
    let seats = Seats::new();
    let receiver = Receiver::ok();
    let (json, slack) = (receiver.url(), Receiver::ok());
    let slack_url = slack.url();
    seats.bill_quarter(Q1, "2026-03-31", 40);
    let told = |quarter: &str| analyze(&seats, &["--quarter", quarter, "--notify", &json]);
    says(&told("2026Q1"), 0, "was told of 1 new and 0 worse findings");
    says(&told("2026Q1"), 0, "nothing is new or worse");
    assert_eq!(receiver.heard().len(), 1);
    // Unchanged in the next quarter, then worse.
    seats.bill_quarter(["2026-04", "2026-05", "2026-06"], "2026-06-30", 40);
    says(&told("2026Q2"), 0, "nothing is new or worse");
    seats.bill_quarter(["2026-07", "2026-08", "2026-09"], "2026-09-30", 39);
    says(&told("2026Q3"), 0, "was told of 0 new and 1 worse findings");
    let heard = receiver.heard();
    assert_eq!(heard.len(), 2);
    let (first, second) = (heard[0].json(), heard[1].json());
    assert_eq!(first["data"]["totals"], json!([{ "currency": "USD", "findings": 1, "leakage": "396.00", "overbilled": "0" }]));
    assert_eq!(second["data"]["findings"][0]["increase"], "66.00");
    assert_eq!(second["data"]["findings"][0]["before"]["quarter"], "2026Q2");
    assert_eq!(first["data"]["lake"], "lake");
    // Another format for a receiver that this lake has never told: there is nothing new for it either.
    let ran = analyze(&seats, &["--quarter", "2026Q3", "--notify", &slack_url, "--notify-format", "slack"]);
    says(&ran, 0, "nothing is new or worse");
    assert!(slack.heard().is_empty());
    verified(&heard);
}

#[test]
fn what_was_not_delivered_is_told_by_the_next_analysis() {
    let seats = Seats::new();
    seats.bill_quarter(Q1, "2026-03-31", 40);
    let receiver = Receiver::answering(["404 Not Found", "404 Not Found", "200 OK"].map(Answer::Status).into());
    let url = receiver.url();
    let ran = analyze(&seats, &["--quarter", "2026Q1", "--notify", &url]);
    says(&ran, 3, "was not delivered: it answered 404 Not Found");
    assert!(String::from_utf8_lossy(&ran.stdout).contains("396.00 leakage"), "the analysis is printed all the same");
    // Findings that are severe enough go before the failed delivery; JSON says both.
    let ran = analyze(&seats, &["--quarter", "2026Q1", "--notify", &url, "--fail-on", "low", "--output", "json"]);
    says(&ran, 4, "404 Not Found");
    let document: Value = serde_json::from_slice(&ran.stdout).expect("one document");
    assert_eq!((&document["alerts"][0]["sent"], &document["alerts"][0]["new"]), (&json!(false), &json!(1)));
    says(&analyze(&seats, &["--quarter", "2026Q1", "--notify", &url]), 0, "was told of 1 new and 0 worse findings");
    let heard = receiver.heard();
    assert_eq!(heard.len(), 3);
    assert!(heard.iter().all(|r| r.header("webhook-id") == heard[0].header("webhook-id")), "one message, tried three times");
    says(&analyze(&seats, &["--quarter", "2026Q1", "--notify", &url]), 0, "nothing is new or worse");
}

#[test]
fn whom_to_tell_is_checked_before_anything_is_computed() {
    let seats = Seats::new();
    let with = |arguments: &[&str]| analyze(&seats, &[&["--quarter", "2026Q1"], arguments].concat());
    says(&with(&["--notify", "http://example.org/HUSH"]), 2, "`example.org` must be reached by https");
    says(&with(&["--notify", "HUSH"]), 2, "cannot be read");
    let file = seats.book.lake.root().with_extension("secret");
    std::fs::write(&file, "HUSH\n").expect("written");
    let file = file.display().to_string();
    says(&with(&["--notify", "https://example.org/", "--notify-secret-file", &file]), 2, "shorter than 24 bytes");
    assert!(!seats.book.lake.root().join(".unsent").exists());
}
