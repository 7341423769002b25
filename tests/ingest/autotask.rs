//! Autotask's exports: entities that look alike are told apart, items keep their identity on their way to an invoice, and what was posted and
//! not billed stays in view.

use super::exports::good_files;
use super::support::{Place, fixtures};
use serde_json::{Map, Value, json};
use shortfall::sources::{Recognised, all_exports};

fn exports() -> impl Iterator<Item = Recognised> {
    all_exports().filter(|found| found.source.system == "autotask")
}

/// The names of the first record of a good file.
fn names_in(file: &std::path::Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).expect("UTF-8");
    let page: Value = serde_json::Deserializer::from_str(&text).into_iter().next().expect("a page").expect("JSON");
    page["items"][0].as_object().expect("a record").keys().cloned().collect()
}

#[test]
fn no_entity_is_taken_for_another() {
    let (good, place) = (good_files(), Place::new());
    for found in exports() {
        let name = found.export.entity;
        let names = names_in(&good[&("autotask".to_owned(), name.to_owned())][0]);
        let is_whole =
            |other: &Recognised| other.export.signature.iter().all(|wanted| other.export.position(wanted, &names).is_some());
        let fits: Vec<&str> = all_exports().filter(is_whole).map(|other| other.export.entity).collect();
        assert_eq!(fits, [name], "a full record of {name}");
        // Whoever asks the API for few fields gets what is needed and nothing else.
        let columns = found.export.columns.iter().filter(|column| column.required).map(|column| column.name);
        let value = |name: &str| if name.to_lowercase().contains("date") { "2026-04-01" } else { "1" };
        let record: Map<String, Value> =
            columns.chain(found.export.signature.iter().copied()).map(|name| (name.to_owned(), value(name).into())).collect();
        place.write(&format!("few/{name}.json"), json!({"items": [record]}).to_string());
    }
    place.ingest(&[&place.path("few")], &[]).says(0, &[]);
    let batches = place.sql("SELECT system, entity, file FROM core.batch");
    assert_eq!(batches.len(), exports().count());
    for batch in batches {
        let (entity, file) = (batch["entity"].as_str().expect("an entity"), batch["file"].as_str().expect("a file"));
        assert!(batch["system"] == "autotask" && file.ends_with(&format!("few/{entity}.json")), "{batch}");
    }
}

fn item(id: u32, invoice: Value, amount: u32) -> Value {
    json!({"id": id, "companyID": 100, "billingItemType": 8, "extendedPrice": amount, "itemDate": "2026-07-01", "invoiceID": invoice, "serviceID": 45})
}

fn page(place: &Place, name: &str, items: &[Value]) {
    let file = place.write(name, json!({ "items": items }).to_string());
    place.ingest(&[&file], &[]).says(0, &[]);
}

#[test]
fn an_item_is_one_item_before_on_and_between_invoices() {
    let place = Place::new();
    let lines = |more: &str| {
        let rows = place.sql(&format!("SELECT line_id, invoice_id, status FROM core.invoice_line {more} ORDER BY line_id"));
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or("-").to_owned();
        rows.iter().map(|row| [text(row, "line_id"), text(row, "invoice_id"), text(row, "status")].join(" ")).collect::<Vec<_>>()
    };
    page(&place, "items_2026-08-01.json", &[item(1, 0.into(), 880), item(2, Value::Null, 70)]);
    assert_eq!(lines(""), ["1 - not_invoiced", "2 - not_invoiced"]);
    page(&place, "items_2026-08-05.json", &[item(1, 700.into(), 880), item(2, 0.into(), 70)]);
    assert_eq!(lines(""), ["1 700 posted", "2 - not_invoiced"]);
    let header = |id: u32, is_voided: bool| {
        json!({"id": id, "companyID": 100, "invoiceNumber": "N", "invoiceDateTime": "2026-08-04", "invoiceTotal": 880, "isVoided": is_voided,
               "fromDate": "2026-07-01", "toDate": "2026-07-31"})
    };
    page(&place, "invoices_2026-08-06.json", &[header(700, true)]);
    assert_eq!(lines(""), ["1 700 void", "2 - not_invoiced"]);
    // Written anew, and later taken off again.
    page(&place, "items_2026-08-07.json", &[item(1, 701.into(), 880)]);
    assert_eq!(lines(""), ["1 701 posted", "2 - not_invoiced"]);
    page(&place, "items_2026-08-09.json", &[item(1, 0.into(), 880)]);
    assert_eq!(lines(""), ["1 - not_invoiced", "2 - not_invoiced"]);
    assert_eq!(place.count("core_history.invoice_line"), 6);
}

#[test]
fn unit_rows_that_are_exported_again_are_corrected() {
    let place = Place::new();
    let unit = |id: u32, units: u32, end: &str, posted: Option<&str>| {
        json!({"id": id, "contractID": 1, "contractServiceID": 900, "serviceID": 45, "units": units, "startDate": "2026-07-01",
               "endDate": end, "approveAndPostDate": posted})
    };
    page(&place, "units_2026-07-05.json", &[unit(1, 40, "2026-07-31", None)]);
    page(&place, "units_2026-08-05.json", &[unit(1, 41, "2026-07-16", Some("2026-08-01"))]);
    let rows = place.sql("SELECT quantity, effective_to, status FROM core.contract_line");
    assert_eq!(rows, [json!({"quantity": "41", "effective_to": "2026-07-17T00:00:00Z", "status": "posted"})]);
    // A period that is over and was never posted says so.
    page(&place, "units_2026-09-05.json", &[unit(2, 41, "2026-08-31", None), unit(3, 41, "2026-09-30", None)]);
    let rows = place.sql("SELECT line_id, status FROM core.contract_line WHERE line_id <> 'unit:1' ORDER BY 1");
    assert_eq!(rows, [json!({"line_id": "unit:2", "status": "not_posted"}), json!({"line_id": "unit:3", "status": "open"})]);
}

#[test]
fn what_was_not_billed_and_what_else_the_good_files_say_stays_in_view() {
    let place = Place::new();
    place.ingest(&[&fixtures().join("autotask/good*")], &["--recorded-at", "2026-05-01"]).says(0, &[]);
    let not_billed = "SELECT line_id, status FROM core.contract_line WHERE status IN ('not_posted', 'not_billed') ORDER BY 1";
    let said: Vec<String> = place
        .sql(not_billed)
        .iter()
        .map(|row| format!("{} {}", row["line_id"].as_str().unwrap_or("-"), row["status"].as_str().unwrap_or("-")))
        .collect();
    assert_eq!(
        said,
        [
            "bundle_unit:5002 not_posted",
            "charge:300 not_billed",
            "period:611 not_posted",
            "unit:5002 not_posted",
            "unit:5003 not_posted"
        ]
    );
    // Amounts are in the currency of the company, by its number.
    let money = "SELECT line_id, currency FROM core.invoice_line WHERE line_id IN ('26001', '26004') ORDER BY 1";
    assert_eq!(
        place.sql(money),
        [json!({"line_id": "26001", "currency": "USD"}), json!({"line_id": "26004", "currency": "EUR"})]
    );
    let links = "SELECT native_id, other_system, other_id FROM known.customer_link";
    assert_eq!(
        place.sql(links),
        [json!({"native_id": "29683500", "other_system": "microsoft_csp", "other_id": "24de7aa9-bd53-4e79-8b68-87f6dd3c925e"})]
    );
    // Dated by a field where the record has one; else by the list that first shows a device, or shows it inactive.
    let devices =
        "SELECT concat_ws(' ', subject_id, event, CAST(event_at AS DATE), origin) AS said FROM core.lifecycle_event ORDER BY 1";
    let said: Vec<String> = place.sql(devices).iter().map(|row| row["said"].as_str().unwrap_or("-").to_owned()).collect();
    assert_eq!(
        said,
        [
            "4100 provisioned 2025-02-03 field",
            "4101 provisioned 2025-03-01 field",
            "4101 suspended 2026-05-01 snapshot",
            "4102 provisioned 2026-05-01 snapshot"
        ]
    );
    let contracts =
        "SELECT contract_id, subject_id, billing_cycle FROM known.contract WHERE subject_id IS NOT NULL ORDER BY 1 LIMIT 1";
    assert_eq!(
        place.sql(contracts),
        [json!({"contract_id": "subscription:60", "subject_id": "4100", "billing_cycle": "Monthly"})]
    );
}
