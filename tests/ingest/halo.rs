//! What a HaloPSA book means, beyond what single rows say: credit notes net, pro-rata rows stay in view until they are invoiced, a list
//! without lines is no empty invoice, users come and go between lists, links lead to other systems, and leaks are found to the cent.

use super::support::{Place, fixtures};
use serde_json::{Value, json};

/// One column of a query.
#[track_caller]
fn column(place: &Place, query: &str) -> Vec<String> {
    let first =
        |row: &Value| row.as_object().and_then(|row| row.values().next()).and_then(Value::as_str).unwrap_or("NULL").to_owned();
    place.sql(query).iter().map(first).collect()
}

#[track_caller]
fn take(place: &Place, files: &[(&str, Value)]) {
    let paths: Vec<_> = files.iter().map(|(name, content)| place.write(name, content.to_string())).collect();
    let paths: Vec<_> = paths.iter().map(std::path::PathBuf::as_path).collect();
    place.ingest(&paths, &[]).says(0, &[]);
}

fn page(entity: &str, rows: &[Value]) -> Value {
    json!({"record_count": rows.len(), entity: rows})
}

#[test]
fn a_credit_note_nets_whichever_sign_it_is_written_with() {
    let place = Place::new();
    place.ingest(&[&fixtures().join("halopsa/good_invoices.json")], &[]).says(0, &[]);
    let seats = "SELECT sum(amount) FROM core.invoice_line WHERE native_sku = 'M365-BP' AND status = 'posted'";
    assert_eq!(column(&place, seats), ["220"]);
    assert_eq!(column(&place, "SELECT amount FROM core.invoice_line WHERE kind = 'credit' ORDER BY line_id"), ["-44", "-5"]);
}

#[test]
fn a_list_without_lines_is_never_nothing_billed() {
    let head = json!({"id": 1001, "invoicenumber": "INV1001", "client_id": 12, "invoice_date": "2026-05-01T00:00:00",
                      "duedate": "2026-05-31T00:00:00", "currency_code_name": "USD", "total": 264.0});
    let mut empty = head.clone();
    empty["lines"] = json!([]);
    for invoice in [head, empty] {
        let (place, ran) = Place::offer("invoices.json", page("invoices", &[invoice]).to_string());
        ran.says(1, &[]);
        assert_eq!(place.counts(), (1, 0, 1));
        place.rejects_are(&[(
            1,
            "line.id",
            "",
            "a value is required: the list leaves lines out; export it with includelines=true",
        )]);
    }
}

#[test]
fn a_pro_rata_row_is_in_view_until_it_is_invoiced_and_then_counted_once() {
    let place = Place::new();
    let row = |is_invoiced: bool| {
        let row = json!({"id": 61, "invoicedetailid": 9001, "recurring_invoice_id": 301, "client_id": 12, "date": "2026-05-16T00:00:00",
                         "quantity": 2, "unitprice": 11.0, "isinvoiced": is_invoiced, "invoiceheaderid": if is_invoiced { 1001 } else { 0 }});
        page("invoicedetailproratas", &[row])
    };
    let open = "SELECT amount FROM core.invoice_line WHERE status = 'not_invoiced'";
    take(&place, &[("2026-05-20/prorata.json", row(false))]);
    assert_eq!(column(&place, open), ["22"]);
    take(&place, &[("2026-06-20/prorata.json", row(true))]);
    assert!(column(&place, open).is_empty());
    assert_eq!(column(&place, "SELECT status FROM core.invoice_line"), ["itemised"]);
}

#[test]
fn ids_written_as_floats_are_the_same_ids() {
    let place = Place::new();
    let user =
        |id: Value, client: Value| json!({"id": id, "client_id": client, "emailaddress": "a@b.example", "inactive": false});
    let twice = page("users", &[user(json!(12), json!(7)), user(json!(12.0), json!(7.0))]);
    let file = place.write("users_2026-07-01.json", twice.to_string());
    place.ingest(&[&file], &[]).says(1, &[]);
    place.rejects_are(&[(2, "id", "12", "the same key stands in row 1")]);
}

#[test]
fn links_to_other_systems_are_read_from_fields_lists_and_captions() {
    let place = Place::new();
    let (halo, connectwise) = (fixtures().join("halopsa"), fixtures().join("connectwise"));
    let files = [
        halo.join("good_clients.json"),
        halo.join("good_users.json"),
        halo.join("good_licences.json"),
        connectwise.join("good_companies.json"),
    ];
    let files: Vec<_> = files.iter().map(std::path::PathBuf::as_path).collect();
    place.ingest(&files, &["--recorded-at", "2026-05-01"]).says(0, &[]);
    let links = "SELECT DISTINCT system || ' ' || native_id || ' is ' || other_system || ' ' || other_id FROM known.customer_link ORDER BY 1";
    assert_eq!(
        column(&place, links),
        [
            "connectwise 2000 is microsoft_csp 868043ca-0000-4645-83bd-e127fc781cf9",
            "halopsa 12 is connectwise 2000",
            "halopsa 12 is microsoft_csp 868043ca-0000-4645-83bd-e127fc781cf9",
            "halopsa 12 is quickbooks 58",
            "halopsa 12 is stripe cus_9s6XKzkNRiz8i3",
            "halopsa 12 is xero 8694c9c5-7097-4449-a708-b8c1982921a4",
        ]
    );
}

/// The list of a day: ids of users, and whether each is inactive.
fn users(day: &str, active: std::ops::Range<u32>, inactive: std::ops::Range<u32>) -> (String, Value) {
    let user = |id: u32, inactive: bool| json!({"id": id, "client_id": 12, "emailaddress": format!("u{id}@b.example"), "inactive": inactive, "datecreated": "1900-01-01T00:00:00"});
    let rows: Vec<Value> = active.map(|id| user(id, false)).chain(inactive.map(|id| user(id, true))).collect();
    (format!("{day}/users.json"), page("users", &rows))
}

#[test]
fn what_changed_between_two_lists_is_an_event_of_the_later_one() {
    let place = Place::new();
    for (name, list) in [users("2026-07-01", 0..3, 3..4), users("2026-07-16", 0..4, 4..4), users("2026-08-01", 0..1, 1..2)] {
        take(&place, &[(&name, list)]);
    }
    let events = "SELECT CAST(event_at AS DATE) || ' ' || subject_id || ' ' || event || ' by ' || origin FROM core.lifecycle_event ORDER BY event_at, subject_id";
    let expected = [
        "2026-07-01 0 provisioned by snapshot",
        "2026-07-01 1 provisioned by snapshot",
        "2026-07-01 2 provisioned by snapshot",
        "2026-07-01 3 suspended by snapshot",
        "2026-07-16 3 resumed by snapshot",
        // 2 and 3 are in no list of August: that says nothing about them.
        "2026-08-01 1 suspended by snapshot",
    ];
    assert_eq!(column(&place, events), expected);
    // A day told by hand comes first, and the list adds nothing to it.
    let by_hand = "system,customer_native_id,subject_kind,subject_id,native_sku,event,event_at,recorded_at\n\
                   halopsa,12,user,1,user,suspended,2026-07-20,2026-07-21\n";
    let file = place.write("lifecycle.csv", by_hand);
    place.ingest(&[&file], &[]).says(0, &[]);
    let of_1 = "SELECT CAST(event_at AS DATE) || ' ' || event || ' by ' || origin FROM core.lifecycle_event WHERE subject_id = '1' ORDER BY event_at";
    assert_eq!(column(&place, of_1), ["2026-07-01 provisioned by snapshot", "2026-07-20 suspended by file"]);
}

#[test]
fn a_device_that_is_edited_again_and_again_was_suspended_once() {
    let place = Place::new();
    let device = |active: bool, updated: &str| {
        json!([{"id": 9001, "name": "HD-LT-02", "type": {"id": 3, "name": "Workstation"}, "company": {"id": 2000}, "activeFlag": active,
                "installationDate": "2025-02-03T00:00:00Z", "_info": {"lastUpdated": updated}}])
    };
    let lists = [
        ("2026-07-01", true, "2026-05-02T00:00:00Z"),
        ("2026-08-01", false, "2026-07-10T00:00:00Z"),
        ("2026-09-01", false, "2026-08-20T00:00:00Z"),
        ("2026-10-01", false, "2026-09-21T00:00:00Z"),
    ];
    for (day, active, updated) in lists {
        take(&place, &[(&format!("{day}/configurations.json"), device(active, updated))]);
    }
    let events = "SELECT CAST(event_at AS DATE) || ' ' || event || ' by ' || origin FROM core.lifecycle_event ORDER BY event_at";
    assert_eq!(column(&place, events), ["2025-02-03 provisioned by field", "2026-07-10 suspended by field"]);
}

fn recurring(quantity: u32) -> Value {
    let line = json!({"id": 9001, "item_code": "M365-BP", "_itemid": 55, "item_shortdescription": "Microsoft 365 Business Premium",
                      "qty_order": quantity, "unit_price": 22.0});
    page(
        "invoices",
        &[json!({"id": 301, "client_id": 12.0, "client_name": "Harbor Dental", "contract_id": 0, "period": 2,
                              "nextcreationdate": "2026-10-01T00:00:00", "startdate": "2026-01-01T00:00:00",
                              "currency_code_name": "USD", "lines": [line]})],
    )
}

fn invoice(id: u32, month: u32, quantity: u32) -> Value {
    let amount = f64::from(quantity) * 22.0;
    json!({"id": id, "invoicenumber": format!("INV{id}"), "client_id": 12, "client_name": "Harbor Dental",
           "invoice_date": format!("2026-{month:02}-01T00:00:00"), "duedate": format!("2026-{month:02}-28T00:00:00"), "posted": true,
           "period_start_date": format!("2026-{month:02}-01T00:00:00"), "period_end_date": format!("2026-{:02}-01T00:00:00", month + 1),
           "currency_code_name": "USD", "total": amount, "recurring_invoice_id": 301,
           "lines": [{"id": 20_000 + id, "item_code": "M365-BP", "qty_order": quantity, "unit_price": 22.0, "net_amount": amount,
                      "recurring_invoice_line_id": 9001}]})
}

/// Ten seats until July, twelve by the PSA from August, fourteen by Microsoft in September; billed are 10, 10 and 12.
#[test]
fn a_book_of_halo_and_partner_center_gives_its_leaks_to_the_cent() {
    const TENANT: &str = "868043ca-0000-4645-83bd-e127fc781cf9";
    let place = Place::new();
    let seats = |month: u32, quantity: u32| {
        let (days, cost) = (if month == 9 { 30 } else { 31 }, f64::from(quantity) * 17.6);
        json!({"customerId": TENANT, "productId": "CFQ7TTC0LCHC", "skuId": "0002", "subscriptionId": "s-1", "chargeType": "cycleCharge",
               "chargeStartDate": format!("2026-{month:02}-01T00:00:00Z"), "chargeEndDate": format!("2026-{month:02}-{days}T00:00:00Z"),
               "effectiveUnitPrice": 17.6, "unitType": "Licenses", "quantity": quantity, "billableQuantity": quantity,
               "subtotal": (cost * 100.0).round() / 100.0, "currency": "USD"})
        .to_string()
    };
    place.write("book/partner_center_2026-10-02.jsonl", [seats(7, 10), seats(8, 12), seats(9, 14)].join("\n"));
    place.write("book/2026-07-01/recurring.json", recurring(10).to_string());
    place.write("book/2026-08-01/recurring.json", recurring(12).to_string());
    let invoices = page("invoices", &[invoice(1, 7, 10), invoice(2, 8, 10), invoice(3, 9, 12)]);
    place.write("book/invoices_2026-10-01.json", invoices.to_string());
    let customers = format!(
        "system,native_id,native_name,customer_key,customer_name,valid_from,valid_to\n\
                             halopsa,12,Harbor Dental,harbor,Harbor Dental,,\nmicrosoft_csp,{TENANT},Harbor,harbor,Harbor Dental,,\n"
    );
    place.write("book/customers.csv", customers);
    place.write(
        "book/services.csv",
        "system,native_sku,native_name,service_key,service_name,unit,unit_factor,valid_from,valid_to\n\
         halopsa,M365-BP,,m365_bp,Microsoft 365 Business Premium,seat,1,,\nmicrosoft_csp,CFQ7TTC0LCHC:0002,,m365_bp,Microsoft 365 Business Premium,seat,1,,\n",
    );
    place.ingest(&[&place.path("book")], &[]).says(0, &[]);
    place.run(&["analyze", "--quarter", "2026Q3"]).says(0, &[]);
    let found = place.run(&["findings", "--format", "json"]).json();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let mut said: Vec<String> = found
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| {
            ["signal", "customer_key", "service_key", "first_month", "leakage", "currency"].map(|name| text(row, name)).join(" ")
        })
        .collect();
    said.sort();
    assert_eq!(
        said,
        ["psa_change_not_billed harbor m365_bp 2026-08 44.00 USD", "underbilled_quantity harbor m365_bp 2026-09 44.00 USD"]
    );
}
