//! One leak from quarter to quarter: its id, its status, and what is said of it when it stops, returns, or cannot be looked at.

use super::support::Book;
use chrono::{NaiveDate, NaiveTime};
use serde_json::{Value, json};
use shortfall::findings::Finding;
use shortfall::findings::analyze::Analysis;
use shortfall::month::Month;
use tempfile::TempDir;

/// A lake of two customers that have agreed to 46 seats at 22.00 each since January 2026, and the folder their invoices are written to.
pub struct Seats {
    pub book: Book,
    folder: TempDir,
}

impl Seats {
    pub fn new() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let seats = Self { book: Book::empty(), folder };
        let companies = json!([
            { "id": 1, "identifier": "ACME", "name": "Acme", "currency": { "id": 7, "currencyCode": "USD" }, "deletedFlag": false },
            { "id": 2, "identifier": "BETA", "name": "Beta", "currency": { "id": 7, "currencyCode": "USD" }, "deletedFlag": false },
        ]);
        let agreement = |id: u32, company: u32, name: &str| {
            json!({ "id": id, "name": "Managed", "company": { "id": company, "identifier": name, "name": name },
                    "startDate": "2026-01-01T00:00:00Z", "billingCycle": { "id": 2, "name": "Monthly" },
                    "currency": { "id": 7, "currencyCode": "USD" }, "agreementStatus": "Active", "cancelledFlag": false })
        };
        let addition = |id: u32, agreement: u32| {
            json!({ "id": id, "agreementId": agreement, "product": { "id": 31, "identifier": "SEAT" }, "quantity": 46, "lessIncluded": 0,
                    "unitPrice": 22.0, "unitCost": 18.5, "billCustomer": "Billable", "effectiveDate": "2026-01-01T00:00:00Z",
                    "invoiceDescription": "Seat", "uom": "each", "agreementStatus": "Active" })
        };
        seats.add("companies_2026-01-01.json", &companies);
        seats.add("agreements_2026-01-01.json", &json!([agreement(10, 1, "ACME"), agreement(20, 2, "BETA")]));
        seats.add("additions_2026-01-01.json", &json!([addition(100, 10), addition(200, 20)]));
        seats.add_text(
            "customers.csv",
            "system,native_id,native_name,customer_key,customer_name,valid_from,valid_to\n\
             connectwise,ACME,Acme,acme,Acme,,\nstripe,cus_acme,Acme,acme,Acme,,\n\
             connectwise,BETA,Beta,beta,Beta,,\nstripe,cus_beta,Beta,beta,Beta,,\n",
        );
        seats.add_text(
            "services.csv",
            "system,native_sku,native_name,service_key,service_name,unit,unit_factor,valid_from,valid_to\n\
             connectwise,SEAT,Seat,seat,Seat,seat,1,,\nstripe,price_seat,Seat,seat,Seat,seat,1,,\n",
        );
        seats
    }

    pub fn add_text(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        self.book.add(&[path]);
    }

    fn add(&self, name: &str, records: &Value) {
        self.add_text(name, &records.to_string());
    }

    /// Stripe's invoices, each of one line: customer, service month, day of the invoice, seats at 22.00.
    pub fn bill(&self, day: &str, invoices: &[(&str, &str, i64)]) {
        let seconds = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc().timestamp();
        let created = seconds(day.parse().expect("a day"));
        let invoice = |(customer, month, seats): &(&str, &str, i64)| {
            let month: Month = month.parse().expect("a month");
            let id = format!("in_{customer}_{month}_{day}");
            let (start, end) = (seconds(month.first_day()), seconds(month.plus(1).first_day()));
            json!({
                "id": id, "object": "invoice", "created": created, "effective_at": created, "currency": "usd",
                "customer": format!("cus_{customer}"), "status": "paid", "subtotal": seats * 2200, "total": seats * 2200,
                "lines": { "object": "list", "data": [{
                    "id": format!("il_{id}"), "object": "line_item", "amount": seats * 2200, "currency": "usd", "description": "Seat",
                    "invoice": id, "period": { "start": start, "end": end }, "quantity": seats,
                    "parent": { "type": "subscription_item_details", "invoice_item_details": null, "subscription_item_details": {
                        "proration": false, "subscription": "sub", "subscription_item": "si" } },
                    "pricing": { "type": "price_details", "price_details": { "price": "price_seat", "product": "prod_seat" },
                                 "unit_amount_decimal": "2200" },
                }] },
            })
        };
        let page = json!({ "object": "list", "data": invoices.iter().map(invoice).collect::<Vec<_>>() });
        self.add(&format!("invoices_{day}.json"), &page);
    }

    /// The three months of a quarter, billed on its last day.
    pub fn bill_quarter(&self, quarter: [&str; 3], day: &str, acme: i64) {
        let invoices: Vec<_> = quarter.iter().flat_map(|month| [("acme", *month, acme), ("beta", *month, 46)]).collect();
        self.bill(day, &invoices);
    }
}

/// Status and money of each finding.
pub fn said(analysis: &Analysis) -> Vec<String> {
    let line = |f: &Finding| {
        format!("{} {} {} {} to {}", f.customer_key.as_deref().unwrap_or("-"), f.status, f.leakage, f.first_month, f.last_month)
    };
    analysis.findings.iter().map(line).collect()
}

pub const Q1: [&str; 3] = ["2026-01", "2026-02", "2026-03"];
pub const Q2: [&str; 3] = ["2026-04", "2026-05", "2026-06"];
const Q3: [&str; 3] = ["2026-07", "2026-08", "2026-09"];
const Q4: [&str; 3] = ["2026-10", "2026-11", "2026-12"];

#[test]
fn a_leak_keeps_its_id_and_its_status_tells_its_story() {
    let seats = Seats::new();
    let mut ids = Vec::new();
    let mut story = Vec::new();
    for (quarter, months, day, billed) in [
        ("2026Q1", Q1, "2026-03-31", 40),
        ("2026Q2", Q2, "2026-06-30", 40),
        ("2026Q3", Q3, "2026-09-30", 36),
        ("2026Q4", Q4, "2026-12-31", 46),
        ("2027Q1", ["2027-01", "2027-02", "2027-03"], "2027-03-31", 46),
        ("2027Q2", ["2027-04", "2027-05", "2027-06"], "2027-06-30", 43),
        ("2027Q3", ["2027-07", "2027-08", "2027-09"], "2027-09-30", 45),
    ] {
        seats.bill_quarter(months, day, billed);
        let analysis = seats.book.analyze(quarter);
        story.push((quarter, said(&analysis)));
        ids.extend(analysis.findings.iter().map(|f| f.finding_id.clone()));
    }
    let expected = [
        ("2026Q1", vec!["acme new 396.00 2026-01 to 2026-03"]),
        ("2026Q2", vec!["acme persisting 396.00 2026-01 to 2026-06"]),
        ("2026Q3", vec!["acme worse 660.00 2026-01 to 2026-09"]),
        ("2026Q4", vec!["acme resolved 0 2026-01 to 2026-09"]),
        ("2027Q1", vec![]),
        ("2027Q2", vec!["acme reopened 198.00 2027-04 to 2027-06"]),
        ("2027Q3", vec!["acme improving 66.00 2027-04 to 2027-09"]),
    ];
    for ((quarter, story), (of, expected)) in story.iter().zip(&expected) {
        assert_eq!((quarter, story), (of, &expected.iter().map(|&s| s.to_owned()).collect::<Vec<_>>()));
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "one leak, one id");
    let printed = seats.book.shortfall(&["findings", "--quarter", "2026Q4", "--format", "csv"]);
    let printed = String::from_utf8_lossy(&printed.stdout);
    assert!(
        printed.contains("Not found any more in 2026Q4; 2026Q3 had 660.00 USD. It said: The PSA commits Acme to 46"),
        "{printed}"
    );
    // An earlier quarter again, now that later ones are known: it is compared with what lies before it.
    assert_eq!(said(&seats.book.analyze("2026Q2")), ["acme persisting 396.00 2026-01 to 2026-06"]);
}

#[test]
fn what_cannot_be_looked_at_is_not_resolved() {
    let seats = Seats::new();
    seats.bill_quarter(Q1, "2026-03-31", 40);
    let found = seats.book.analyze("2026Q1");
    assert_eq!(said(&found), ["acme new 396.00 2026-01 to 2026-03"]);
    // Acme's invoices of the second quarter are not in the lake.
    seats.bill("2026-06-30", &Q2.map(|month| ("beta", month, 46)));
    let later = seats.book.analyze("2026Q2");
    assert!(later.findings.iter().all(|f| f.signal != "psa_change_not_billed"), "{:?}", said(&later));
    let untested: Vec<&str> = later.untested.iter().map(|f| f.finding_id.as_str()).collect();
    assert_eq!(untested, [found.findings[0].finding_id.as_str()]);
    let text = String::from_utf8(seats.book.shortfall(&["analyze", "--quarter", "2026Q2"]).stdout).expect("UTF-8");
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("1 findings of earlier quarters could not be tested again and stay open"), "{text}");
    // Once they are, the leak goes on where it was; and April, which was due and on no invoice, is settled.
    seats.bill("2026-07-01", &Q2.map(|month| ("acme", month, 40)));
    assert_eq!(
        said(&seats.book.analyze("2026Q2")),
        ["acme persisting 396.00 2026-01 to 2026-06", "acme resolved 0 2026-04 to 2026-04"]
    );
}

#[test]
fn what_is_billed_after_all_is_resolved_in_its_own_quarter_however_often_that_is_analysed() {
    let seats = Seats::new();
    seats.bill_quarter(Q1, "2026-03-31", 40);
    assert_eq!(said(&seats.book.analyze("2026Q1")), ["acme new 396.00 2026-01 to 2026-03"]);
    seats.bill("2026-04-20", &Q1.map(|month| ("acme", month, 6)));
    let again = seats.book.analyze("2026Q1");
    assert_eq!(said(&again), ["acme resolved 0 2026-01 to 2026-03"]);
    assert!(
        again.findings[0].explanation.starts_with("Not found any more, with what is known now; an earlier analysis of 2026Q1")
    );
    assert_eq!(said(&seats.book.analyze("2026Q1")), ["acme resolved 0 2026-01 to 2026-03"]);
    seats.bill_quarter(Q2, "2026-06-30", 46);
    assert_eq!(said(&seats.book.analyze("2026Q1")), ["acme resolved 0 2026-01 to 2026-03"]);
    assert_eq!(said(&seats.book.analyze("2026Q2")), Vec::<String>::new());
    // No alert for what has stopped.
    let code = seats.book.shortfall(&["analyze", "--quarter", "2026Q1", "--fail-on", "low"]).status.code();
    assert_eq!(code, Some(0));
}
