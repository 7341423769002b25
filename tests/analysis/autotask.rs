//! A small book in Autotask and one vendor, from the exports to the money.
//!
//! | service | what happens in 2026Q3 | money |
//! | --- | --- | --- |
//! | `m365_bp`, 22.00 a month | 40 until 15 July, 46 from the 16th; the change was posted and never invoiced, August was billed for 40 | 6 x 22 x 16/31 + 6 x 22 = 68.13 + 132.00 |
//! | | in September the vendor delivers 48, billed are 46 | 2 x 22 = 44.00 |
//! | `edr`, 7.00 a month | the invoice of July was voided | 10 x 7 = 70.00 |
//! | `backup`, 240.00 a year | billed for a year in February, changed from 5 to 6 in May | nothing |

use super::support::Book;
use serde_json::{Value, json};
use std::path::PathBuf;
use tempfile::TempDir;

/// Exports in a folder, as pages of the API.
struct Exports {
    folder: TempDir,
    files: Vec<PathBuf>,
}

impl Exports {
    fn new() -> Self {
        Self { folder: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder"), files: Vec::new() }
    }

    fn write(&mut self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        self.files.push(path);
    }

    fn page(&mut self, name: &str, items: &[Value]) {
        let count = items.len();
        self.write(name, &json!({"items": items, "pageDetails": {"count": count, "nextPageUrl": null}}).to_string());
    }
}

fn unit(id: u32, service: u32, units: u32, price: &str, days: (&str, &str)) -> Value {
    json!({"id": id, "contractID": 1, "contractServiceID": 900 + service, "serviceID": service, "units": units,
           "price": price.parse::<serde_json::Number>().ok(), "startDate": days.0, "endDate": days.1, "approveAndPostDate": null})
}

fn item(id: u32, invoice: u32, service: u32, quantity: u32, amount: &str, date: &str) -> Value {
    json!({"id": id, "billingItemType": 8, "companyID": 100, "contractID": 1, "contractServiceID": 900 + service, "serviceID": service,
           "invoiceID": invoice, "quantity": quantity, "extendedPrice": amount, "itemDate": date, "nonBillable": 0})
}

fn seat(id: u32, sku: &str, quantity: u32, month: &str, next: &str) -> Value {
    json!({"id": format!("it-{id}"), "type": "subscription", "companyId": "px-1", "sku": sku, "quantity": quantity, "term": "Monthly",
           "startPeriod": month, "endPeriod": next, "costTotal": 10, "currencyCode": "EUR"})
}

const MONTHS: [(&str, &str, &str); 5] = [
    ("2026-05-01", "2026-05-31", "2026-06-01"),
    ("2026-06-01", "2026-06-30", "2026-07-01"),
    ("2026-07-01", "2026-07-31", "2026-08-01"),
    ("2026-08-01", "2026-08-31", "2026-09-01"),
    ("2026-09-01", "2026-09-30", "2026-10-01"),
];

fn book() -> Exports {
    let mut exports = Exports::new();
    exports.page(
        "companies_2026-10-05.json",
        &[json!({"id": 100, "companyName": "Harbor Dental", "companyType": 1, "currencyID": 3})],
    );
    exports.page(
        "currencies_2026-10-05.json",
        &[
            json!({"id": 1, "name": "USD", "exchangeRate": 1, "isInternalCurrency": true}),
            json!({"id": 3, "name": "EUR", "exchangeRate": 1.08, "isInternalCurrency": false}),
        ],
    );
    exports.page(
        "contracts_2026-10-05.json",
        &[json!({"id": 1, "companyID": 100, "contractName": "Managed", "contractType": 7, "contractPeriodType": 2, "status": 1,
                 "startDate": "2026-01-01", "endDate": "2027-12-31"})],
    );
    let mut units = vec![
        unit(3, 45, 40, "880", ("2026-07-01", "2026-07-16")),
        unit(4, 45, 46, "1012", ("2026-07-16", "2026-07-31")),
        unit(50, 47, 5, "1200", ("2026-02-15", "2026-05-01")),
        unit(51, 47, 6, "1440", ("2026-05-01", "2027-02-14")),
        unit(52, 47, 6, "1440", ("2027-02-15", "2028-02-14")),
    ];
    let (mut items, mut invoices, mut seats) = (Vec::new(), Vec::new(), Vec::new());
    for (number, (first, last, next)) in (0_u32..).zip(MONTHS) {
        if number != 2 {
            let (count, price) = if number < 2 { (40, "880") } else { (46, "1012") };
            units.push(unit(10 + number, 45, count, price, (first, last)));
        }
        units.push(unit(30 + number, 46, 10, "70", (first, last)));
        let (billed, amount) = if number == 4 { (46, "1012") } else { (40, "880") };
        items.push(item(100 + number, 700 + number, 45, billed, amount, first));
        // Protection has an invoice of its own; the one of July is void.
        items.push(item(200 + number, 800 + number, 46, 10, "70", first));
        for (id, is_voided) in [(700 + number, false), (800 + number, number == 2)] {
            invoices.push(json!({"id": id, "companyID": 100, "invoiceNumber": format!("INV-{id}"), "invoiceDateTime": last,
                                 "fromDate": first, "toDate": last, "invoiceTotal": 0, "isVoided": is_voided}));
        }
        let delivered = [40, 40, 40, 46, 48][number as usize];
        seats.push(seat(2 * number, "M365", delivered, first, next));
        seats.push(seat(2 * number + 1, "EDR", 10, first, next));
    }
    seats.push(seat(20, "M365", 6, "2026-07-16", "2026-08-01"));
    // The change of July was posted, and waits; the year was billed in advance, one more unit for the rest of it.
    items.push(item(300, 0, 45, 6, "68.13", "2026-07-16"));
    items.push(item(301, 700, 47, 5, "1200", "2026-02-15"));
    items.push(item(302, 700, 47, 1, "190.68", "2026-05-01"));
    exports.page("units_2026-10-05.json", &units);
    exports.page("items_2026-10-05.json", &items);
    exports.page("invoices_2026-10-05.json", &invoices);
    exports.write("pax8_2026-10-05.json", &json!({"content": seats, "page": {"number": 0}}).to_string());
    exports.write(
        "customers.csv",
        "system,native_id,customer_key,customer_name\nautotask,100,harbor,Harbor Dental\npax8,px-1,harbor,Harbor Dental\n",
    );
    exports.write(
        "services.csv",
        "system,native_sku,service_key,service_name,unit\nautotask,45,m365_bp,Business Premium,seat\npax8,M365,m365_bp,Business Premium,seat\n\
         autotask,46,edr,Endpoint protection,device\npax8,EDR,edr,Endpoint protection,device\nautotask,47,backup,Backup,server\n",
    );
    exports
}

fn prices() -> Value {
    json!({"id": 945, "contractID": 1, "serviceID": 45, "unitPrice": 22, "unitCost": 17.6})
}

#[test]
fn a_small_book_says_the_money_that_was_lost_and_no_other() {
    let mut exports = book();
    exports.page("services_2026-10-05.json", &[prices()]);
    let book = Book::of(&exports.files);
    let analysis = book.analyze("2026Q3");
    let mut said: Vec<String> = analysis
        .findings
        .iter()
        .map(|f| {
            let service = f.service_key.as_deref().unwrap_or("-");
            format!(
                "{} {service} {} to {}: {} {} of the customer's {}",
                f.signal, f.first_month, f.last_month, f.leakage, f.currency, f.overbilled
            )
        })
        .collect();
    said.sort();
    assert_eq!(
        said,
        [
            "psa_change_not_billed m365_bp 2026-07 to 2026-08: 200.13 EUR of the customer's 0.00",
            "unbilled_delivery edr 2026-07 to 2026-07: 70.00 EUR of the customer's 0.00",
            "underbilled_quantity m365_bp 2026-09 to 2026-09: 44.00 EUR of the customer's 0.00",
        ]
    );
    assert!(analysis.unmapped.is_empty(), "{:?}", analysis.unmapped);
    let months = |service: &str| {
        book.rows(&format!(
            "SELECT month, currency, CAST(expected_revenue AS DECIMAL(20, 2)), CAST(round_money(revenue, currency) AS DECIMAL(20, 2))
             FROM marts.fact_monthly WHERE service_key = '{service}' AND month BETWEEN '2026-06-01' AND '2026-08-01' ORDER BY month"
        ))
        .into_iter()
        .map(|row| row.join(" "))
        .collect::<Vec<_>>()
    };
    // 40 x 22 x 15/31 + 46 x 22 x 16/31: the 16th counts once.
    assert_eq!(
        months("m365_bp"),
        ["2026-06-01 EUR 880.00 880.00", "2026-07-01 EUR 948.13 880.00", "2026-08-01 EUR 1012.00 880.00"]
    );
    // Six servers at 240 a year; 1200 over the 365 days from February and 190.68 over the 290 from May.
    assert_eq!(
        months("backup"),
        ["2026-06-01 EUR 120.00 118.36", "2026-07-01 EUR 120.00 122.30", "2026-08-01 EUR 120.00 122.30"]
    );
    let waiting = "SELECT line_id || ' ' || status || ' ' || CAST(amount AS DECIMAL(20, 2)) FROM core.invoice_line WHERE status <> 'posted' ORDER BY 1";
    assert_eq!(book.column(waiting), ["202 void 70.00", "300 not_invoiced 68.13"]);
}

/// Without the price list a part of a period is priced by the whole one next to it; without `Currencies` money has no name, and is compared
/// with itself.
#[test]
fn a_book_without_prices_and_currencies_still_says_what_was_owed() {
    let mut exports = book();
    exports.files.retain(|file| !file.to_string_lossy().contains("currencies"));
    let book = Book::of(&exports.files);
    let analysis = book.analyze("2026Q3");
    let said: Vec<String> = analysis.findings.iter().map(|f| format!("{} {} {}", f.signal, f.leakage, f.currency)).collect();
    assert!(said.contains(&"psa_change_not_billed 200.13 XXX".to_owned()), "{said:?}");
    // Somebody says what the numbers mean.
    exports.write("currencies.csv", "system,currency_id,currency\nautotask,,USD\nautotask,3,EUR\n");
    book.add(&exports.files);
    let said: Vec<String> =
        book.analyze("2026Q3").findings.iter().map(|f| format!("{} {} {}", f.signal, f.leakage, f.currency)).collect();
    assert!(said.contains(&"psa_change_not_billed 200.13 EUR".to_owned()), "{said:?}");
}
