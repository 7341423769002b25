//! What invoices of billing systems mean beyond one row: lines sum to what the document says, credits and discounts take money off
//! the right service and month, and what is no revenue is none.

use super::support::{Place, fixtures, rows, sql};
use serde_json::Value;
use shortfall::ingest::original::original_rows;
use shortfall::lake::{Lake, Table};

fn landed(system: &str) -> Place {
    let place = Place::new();
    place.ingest(&[&fixtures().join(format!("{system}/good*"))], &["--recorded-at", "2026-10-02"]).says(0, &[system]);
    place
}

/// The only cell of a query's only row.
#[track_caller]
fn one(place: &Place, query: &str) -> String {
    let found = sql(&place.lake(), query);
    assert_eq!(found.len(), 1, "{query}: {found:?}");
    let cells = found[0].as_object().expect("a row");
    cells.values().next().and_then(Value::as_str).unwrap_or("NULL").to_owned()
}

#[track_caller]
fn sum(place: &Place, condition: &str) -> String {
    one(place, &format!("SELECT sum(amount) AS amount FROM core.invoice_line WHERE {condition}"))
}

#[test]
fn a_quickbooks_invoice_with_a_bundle_and_a_discount_sums_to_its_total() {
    let place = landed("quickbooks");
    assert_eq!(sum(&place, "invoice_id = '130' AND kind <> 'memo'"), "1651.16");
    assert_eq!(sum(&place, "invoice_id = '130' AND kind = 'tax'"), "122.31");
    // Seats and the two inner lines of the bundle, less a tenth; neither the bundle's total nor the subtotal.
    assert_eq!(sum(&place, "invoice_id = '130' AND kind IN ('recurring', 'sale')"), "1528.85");
    assert_eq!(sum(&place, "invoice_id = '132' AND kind NOT IN ('memo', 'tax')"), "104.25");
    assert_eq!(sum(&place, "invoice_id = 'CreditMemo 130' AND kind <> 'memo'"), "-71.44");
}

#[test]
fn an_inner_line_of_a_bundle_is_shown_as_it_stands_in_the_file() {
    let place = landed("quickbooks");
    let batch = sql(&place.lake(), "SELECT sha256 FROM core.batch WHERE entity = 'invoices'");
    let hash = batch[0]["sha256"].as_str().expect("a hash");
    let lake = Lake::open(&place.lake()).expect("a lake");
    let shown = original_rows(&lake, hash, "quickbooks", "invoices", &[3, 7, 8]).expect("the archive");
    assert_eq!(shown.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [3, 7, 8]);
    for ((_, line), text) in shown.iter().zip(["\"GroupLineDetail\"", "\"Backup\"", "\"TaxLineDetail\""]) {
        assert!(line.contains(text), "{line}");
    }
    assert!(!shown[1].1.contains("CustomerRef") && !shown[1].1.contains("Endpoint"), "{}", shown[1].1);
}

#[test]
fn an_inclusive_xero_invoice_sums_to_its_subtotal_and_bills_to_pay_are_no_sales() {
    let place = landed("xero");
    assert_eq!(sum(&place, "invoice_id = 'd4956132-ed94-4dd7-9eaa-aa22dfdf06f2'"), "1681.22");
    assert_eq!(sum(&place, "kind = 'purchase'"), "1178.1");
    assert_eq!(sum(&place, "kind = 'credit'"), "-283.26");
    assert_eq!(sum(&place, "invoice_id = '9df8949c-b71f-40c0-bbcf-39f2f450f288'"), "-210");
    let links = sql(
        &place.lake(),
        "SELECT other_id FROM core_history.customer_link WHERE native_id = 'a3675fc4-f8dd-4f03-ba5b-f1870566bcd7' ORDER BY 1",
    );
    assert_eq!(links.iter().map(|row| row["other_id"].as_str().expect("an id")).collect::<Vec<_>>(), ["CW-2000", "HARBOR"]);
    // The vendor's contact is nobody's customer.
    assert_eq!(rows(&place.lake(), Table::CustomerLink).iter().filter(|row| row["other_id"] == "V-12").count(), 0);
}

#[test]
fn stripe_documents_sum_to_their_totals_without_tax_however_discounts_are_stated() {
    let place = landed("stripe");
    // Of lines and totals alike; inside of prices; of a coupon with exclusive tax, $22.68 - $1.68; of yen that only the total states.
    for (document, total) in
        [("in_3", "280"), ("in_4", "130"), ("in_5", "16.67"), ("in_6", "21"), ("in_7", "3400"), ("cn_2", "-24")]
    {
        assert_eq!(sum(&place, &format!("invoice_id = '{document}'")), total, "{document}");
    }
}

#[test]
fn a_stripe_discount_on_an_invoice_with_lines_left_out_is_not_taken_from_the_others() {
    // Half of the invoice is here, and half of the discount with it.
    let invoice = "{\"id\":\"in_1\",\"object\":\"invoice\",\"customer\":\"c\",\"currency\":\"usd\",\"created\":1785542400,\"subtotal\":4000,\"total\":3000,\
                   \"total_discount_amounts\":[{\"amount\":1000}],\
                   \"lines\":{\"has_more\":true,\"data\":[{\"id\":\"l1\",\"amount\":2000,\"type\":\"subscription\"}]}}";
    let (place, ran) = Place::offer("invoice.json", invoice);
    ran.says(1, &["1 rows of"]);
    assert_eq!(place.counts(), (2, 1, 1));
    assert_eq!(one(&place, "SELECT amount FROM core.invoice_line"), "15");
}

#[test]
fn stripe_events_are_what_they_are_about() {
    let page = std::fs::read_to_string(fixtures().join("stripe/good_invoices.json")).expect("a file");
    let page: Value = serde_json::from_str(&page).expect("JSON");
    let wrapped = |invoice: &Value| {
        serde_json::json!({ "id": "evt_1", "object": "event", "type": "invoice.paid", "created": 1_785_542_400,
                            "data": { "object": invoice, "previous_attributes": { "status": "open" } } })
    };
    let events: Vec<Value> = page["data"].as_array().expect("invoices").iter().map(wrapped).collect();
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    let contents = [page.to_string(), Value::from(events).to_string(), lines.join("\n")];
    let found: Vec<_> = contents
        .into_iter()
        .map(|content| {
            let (place, ran) = Place::offer("events.json", content);
            ran.says(0, &["stripe"]);
            sql(&place.lake(), "SELECT * EXCEPT (batch_id) FROM core.invoice_line ORDER BY source_row")
        })
        .collect();
    assert!(found[0].len() == 17 && found.iter().all(|rows| *rows == found[0]), "{found:#?}");
}

#[test]
fn the_msp_s_own_ids_of_customers_are_links() {
    for (system, expected) in [
        ("lago", vec![("2000", "", "2000"), ("2001", "", "2001")]),
        ("recurly", vec![("2000", "", "2000"), ("alder-legal", "", "alder-legal")]),
        (
            "zuora",
            vec![
                ("2c92c0f87270a5970172747e289a5e66", "", "A00000977"),
                ("2c92c0f87270a5970172747e289a5e66", "crm", "0018b00001AbCdEAAV"),
                ("2c92c0f87270a5970172747e289a5e67", "", "A00000978"),
            ],
        ),
    ] {
        let place = landed(system);
        let mut links: Vec<(String, String, String)> = rows(&place.lake(), Table::CustomerLink)
            .into_iter()
            .map(|mut row| {
                let mut take = |name: &str| row.remove(name).expect("a column");
                (take("native_id"), take("other_system"), take("other_id"))
            })
            .collect();
        links.sort();
        links.dedup();
        let links: Vec<(&str, &str, &str)> = links.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
        assert_eq!(links, expected, "{system}");
    }
}

const MAPPED: &[(&str, &str)] = &[
    ("quickbooks", "24"),
    ("xero", "a3675fc4-f8dd-4f03-ba5b-f1870566bcd7"),
    ("zuora", "2c92c0f87270a5970172747e289a5e66"),
    ("chargebee", "cb_harbor"),
    ("lago", "2000"),
    ("killbill", "acc-harbor"),
    ("recurly", "2000"),
];

const SERVICES: &[(&str, &str, &str)] = &[
    ("quickbooks", "5", "seats"),
    ("quickbooks", "58", "edr"),
    ("quickbooks", "59", "backup"),
    ("xero", "M365-BP", "seats"),
    ("zuora", "SKU-001", "seats"),
    ("zuora", "SKU-DOM", "domain"),
    ("chargebee", "m365-bp-USD-Monthly", "seats"),
    ("chargebee", "backup-USD-Monthly", "backup"),
    ("chargebee", "setup-USD", "seats"),
    ("lago", "managed", "seats"),
    ("lago", "backup_gb", "backup"),
    ("lago", "setup", "seats"),
    ("killbill", "m365-bp-monthly", "seats"),
    ("killbill", "m365-basic-monthly", "basic"),
    ("killbill", "backup-gb", "backup"),
    ("killbill", "onboarding", "seats"),
    ("recurly", "m365-bp", "seats"),
    ("recurly", "backup-gb", "backup"),
];

/// `month service quantity revenue one_off credit` of the customer, as analysed.
fn months(system: &str) -> Vec<String> {
    let place = landed(system);
    let customer = MAPPED.iter().find(|(name, _)| *name == system).expect("a customer").1;
    let customers = format!(
        "system,native_id,native_name,customer_key,customer_name,valid_from,valid_to\n{system},{customer},,harbor,Harbor,,\n"
    );
    let mut services = "system,native_sku,native_name,service_key,service_name,unit,unit_factor,valid_from,valid_to\n".to_owned();
    for (_, sku, key) in SERVICES.iter().filter(|(name, ..)| *name == system) {
        services += &format!("{system},{sku},,{key},{key},{},1,,\n", if *key == "backup" { "gb" } else { "seat" });
    }
    let files = [place.write("mapping/customers.csv", customers), place.write("mapping/services.csv", services)];
    place.ingest(&[&files[0], &files[1]], &[]).says(0, &[]);
    let ran = place.run(&["analyze", "--quarter", "2026Q3"]);
    assert!(ran.code == 0, "{ran}");
    let facts = sql(
        &place.lake(),
        "SELECT month, service_key, billed_quantity, revenue, one_off_revenue, credit FROM marts.fact_monthly
         WHERE customer_key = 'harbor' AND (revenue IS NOT NULL OR one_off_revenue IS NOT NULL OR credit IS NOT NULL)
           AND month < DATE '2026-10-01'
         ORDER BY month, service_key, currency",
    );
    let cell = |row: &Value, name: &str| row[name].as_str().unwrap_or("-").to_owned();
    let names = ["month", "service_key", "billed_quantity", "revenue", "one_off_revenue", "credit"];
    facts.iter().map(|row| names.map(|name| cell(row, name)).join(" ")).collect()
}

#[test]
fn money_of_a_quickbooks_service_stands_in_its_month() {
    // Billed in August for July, as its text says; what was sold once, and nothing else is known of, is a single charge; the discount on
    // the whole invoice belongs to no service.
    assert_eq!(
        months("quickbooks"),
        ["2026-07-01 seats 66 1611.72 - -73.26", "2026-08-01 backup - - 30 -", "2026-08-01 edr - - 57 -"]
    );
}

#[test]
fn a_credit_note_of_xero_takes_back_in_the_month_that_its_text_states() {
    assert_eq!(months("xero"), ["2026-06-01 seats - - - -73.26", "2026-07-01 seats 66 1611.72 - -"]);
}

#[test]
fn a_zuora_discount_counts_for_the_item_that_it_is_applied_to() {
    let months = months("zuora");
    // 1,611.72 - 161.17, by the API in July and by the CSV in August; three seats credited.
    assert_eq!(months[0], "2026-07-01 domain 1 11.805479452054794521 - -");
    assert_eq!(months[1], "2026-07-01 seats 66 1450.55 - -73.26");
    assert_eq!(months[3], "2026-08-01 seats 66 1450.55 - -");
    assert_eq!(months.len(), 5, "{months:#?}");
}

#[test]
fn chargebee_credit_notes_take_back_what_their_lines_were() {
    // Onboarding, credited in August without a period of its own, is back to nothing in July: 24.41 - 24.41; the seats by 65.94.
    assert_eq!(months("chargebee"), ["2026-06-01 backup 185000.5 104.51 - -", "2026-07-01 seats 66 1450.55 24.41 -90.35"]);
}

#[test]
fn lago_true_up_fees_add_money_and_no_units() {
    // The first row is of the list of fees: dinars, to the thousandth.
    assert_eq!(
        months("lago"),
        [
            "2026-07-01 backup 12.345 12.345 - -",
            "2026-07-01 backup 185000.5 100 - -",
            "2026-07-01 seats 66 1621.23 - -73.26",
            "2026-08-01 seats - - 25 -15"
        ]
    );
}

#[test]
fn a_kill_bill_repair_takes_half_a_month_back_and_balances_are_no_revenue() {
    // 1,249.95 - 645.14; the new plan's half month; onboarding less its adjustment of August, in the month that it was for.
    assert_eq!(
        months("killbill"),
        ["2026-06-01 backup 249 49.8 - -", "2026-07-01 basic - 774.19 - -", "2026-07-01 seats - 604.81 250 -50",]
    );
    let place = landed("killbill");
    assert_eq!(sum(&place, "invoice_id = 'kb-1'"), "1549.75");
    assert_eq!(sum(&place, "invoice_id = 'kb-2' AND kind <> 'memo'"), "129.05");
    assert_eq!(sum(&place, "kind = 'memo'"), "1870.94");
}

#[test]
fn recurly_credit_invoices_are_negative_once() {
    // The setup fee carries the plan's code, and is one-off beside it.
    assert_eq!(months("recurly"), ["2026-06-01 backup 125 25 - -", "2026-07-01 seats 66 1450.55 250 -65.93"]);
}

#[test]
fn an_invoice_that_is_voided_later_is_revenue_no_longer() {
    let page = |status: &str, updated: u64| {
        format!(
            "{{\"Invoices\":[{{\"Type\":\"ACCREC\",\"InvoiceID\":\"i1\",\"Contact\":{{\"ContactID\":\"c1\"}},\"DateString\":\"2026-07-01T00:00:00\",\
             \"Status\":\"{status}\",\"LineAmountTypes\":\"Exclusive\",\"CurrencyCode\":\"USD\",\"UpdatedDateUTC\":\"/Date({updated}+0000)/\",\
             \"LineItems\":[{{\"LineItemID\":\"l1\",\"Quantity\":1,\"UnitAmount\":5,\"LineAmount\":5,\"ItemCode\":\"A\"}}]}}]}}"
        )
    };
    let place = Place::new();
    let first = place.write("invoices_2026-07-02.json", page("AUTHORISED", 1_782_864_000_000));
    let second = place.write("invoices_2026-08-02.json", page("VOIDED", 1_785_628_800_000));
    place.ingest(&[&second, &first], &[]).says(0, &[]);
    assert_eq!(one(&place, "SELECT status FROM core.invoice_line"), "voided");
}

#[test]
fn empty_pages_say_whose_they_are() {
    for (content, system) in [
        ("{\"QueryResponse\":{},\"time\":\"2026-08-05T01:00:01.000-07:00\"}", "quickbooks"),
        ("{\"QueryResponse\":{\"startPosition\":1,\"maxResults\":0}}", "quickbooks"),
        ("{\"Id\":\"x\",\"Status\":\"OK\",\"Invoices\":[]}", "xero"),
        ("{\"Id\":\"x\",\"Status\":\"OK\",\"CreditNotes\":[]}", "xero"),
        ("{\"list\":[]}", "chargebee"),
        ("{\"fees\":[],\"meta\":{\"total_count\":0}}", "lago"),
    ] {
        let (place, ran) = Place::offer("page.json", content);
        ran.says(0, &[system]);
        assert_eq!(place.counts(), (0, 0, 0), "{content}");
        assert_eq!(rows(&place.lake(), Table::Batch)[0]["system"], system, "{content}");
    }
    // Several systems write such a page, or it is no answer of theirs at all.
    for content in ["{\"object\":\"list\",\"has_more\":false,\"data\":[]}", "[]"] {
        let (_place, ran) = Place::offer("page.json", content);
        ran.says(2, &["holds no records"]);
    }
    for content in ["{\"Fault\":{\"Error\":[{\"code\":\"3200\"}]}}", "{\"QueryResponse\":{\"Bill\":[{\"Id\":\"1\"}]}}"] {
        let (_place, ran) = Place::offer("page.json", content);
        ran.says(2, &["no export that Shortfall knows"]);
    }
}

#[test]
fn an_invoice_whose_lines_are_left_out_is_a_reject_that_says_what_to_do() {
    for (content, column, advice) in [
        (
            "{\"Invoices\":[{\"Type\":\"ACCREC\",\"InvoiceID\":\"i1\",\"Contact\":{\"ContactID\":\"c1\"},\"DateString\":\"2018-10-20 00:00:00\",\
             \"Status\":\"VOIDED\",\"LineAmountTypes\":\"Exclusive\",\"LineItems\":[],\"SubTotal\":40.0,\"CurrencyCode\":\"NZD\"}]}",
            "line.LineItemID",
            "?page=1",
        ),
        (
            "[{\"invoiceId\":\"i1\",\"accountId\":\"a\",\"invoiceDate\":\"2026-07-01\",\"invoiceNumber\":\"1\",\"status\":\"COMMITTED\",\
             \"currency\":\"USD\",\"amount\":5,\"items\":[]}]",
            "line.invoiceItemId",
            "includeInvoiceComponents=true",
        ),
        (
            "{\"invoices\":[{\"lago_id\":\"i1\",\"number\":\"1\",\"issuing_date\":\"2026-07-01\",\"invoice_type\":\"subscription\",\
             \"status\":\"finalized\",\"currency\":\"USD\",\"fees_amount_cents\":100,\"customer\":{\"external_id\":\"c\"}}]}",
            "line.lago_id",
            "export each invoice by its id",
        ),
        (
            "{\"data\":[{\"id\":\"i1\",\"accountId\":\"a\",\"invoiceNumber\":\"1\",\"invoiceDate\":\"2026-07-01\",\"status\":\"Posted\",\
             \"currency\":\"USD\",\"amount\":5}]}",
            "line.id",
            "expand[]=invoiceitems",
        ),
        (
            "{\"QueryResponse\":{\"Invoice\":[{\"Id\":\"1\",\"TxnDate\":\"2026-07-01\",\"CustomerRef\":{\"value\":\"2\"},\"Line\":[],\
             \"TotalAmt\":5,\"Balance\":5,\"CurrencyRef\":{\"value\":\"USD\"}}]}}",
            "line.DetailType",
            "with its lines",
        ),
    ] {
        let (place, ran) = Place::offer("page.json", content);
        ran.says(1, &["1 rows of"]);
        assert_eq!(place.counts(), (1, 0, 1), "{content}");
        let rejects = place.rejects();
        assert!(rejects[0].1 == column && rejects[0].3.contains(advice), "{rejects:?}");
    }
}

#[test]
fn lines_that_continue_elsewhere_are_said_to_be_missing() {
    let page = |list: &str| {
        format!(
            "{{\"object\":\"list\",\"has_more\":false,\"data\":[{{\"id\":\"r1\",\"object\":\"invoice\",\"account\":{{\"code\":\"a\"}},\"state\":\"paid\",\
             \"currency\":\"USD\",\"created_at\":\"2026-07-01T00:00:00Z\",{list}}}]}}"
        )
    };
    let line = "{\"id\":\"l1\",\"type\":\"charge\",\"origin\":\"plan\",\"plan_code\":\"p\",\"subtotal\":5.0}";
    for list in [
        format!("\"line_items\":{{\"object\":\"list\",\"has_more\":true,\"data\":[{line}]}}"),
        format!("\"has_more_line_items\":true,\"line_items\":[{line}]"),
    ] {
        let (place, ran) = Place::offer("page.json", page(&list));
        ran.says(1, &["recurly", "1 rows of"]);
        assert_eq!(place.counts(), (2, 1, 1), "{list}");
        assert!(place.rejects()[0].3.contains("leaves out further lines of r1"), "{:?}", place.rejects());
    }
}

#[test]
fn a_quickbooks_invoice_without_a_currency_is_in_the_companys_own() {
    let (place, ran) = Place::offer(
        "page.json",
        "{\"Invoice\":{\"Id\":\"1\",\"TxnDate\":\"2026-07-01\",\"CustomerRef\":{\"value\":\"2\"},\"TotalAmt\":150.0,\"Balance\":150.0,\
         \"Line\":[{\"Id\":\"1\",\"Amount\":150.0,\"DetailType\":\"SalesItemLineDetail\",\"SalesItemLineDetail\":{\"ItemRef\":{\"value\":\"1\"}}},\
         {\"Amount\":150.0,\"DetailType\":\"SubTotalLineDetail\",\"SubTotalLineDetail\":{}}]},\"time\":\"2026-07-24T10:35:08-07:00\"}",
    );
    ran.says(0, &[]);
    assert_eq!(place.counts(), (2, 2, 0));
    let currency = || one(&place, "SELECT currency FROM core.invoice_line WHERE kind <> 'memo'");
    // None is guessed; whoever knows it says so once.
    assert_eq!(currency(), "NULL");
    let own = place.write("currencies.csv", "system,currency_id,currency\nQuickBooks,,GBP\n");
    place.ingest(&[&own], &[]).says(0, &[]);
    assert_eq!(currency(), "GBP");
}

#[test]
fn a_quickbooks_document_needs_no_balance_but_says_which_it_is() {
    let document = |more: &str| {
        format!(
            "{{\"Id\":\"1\",\"TxnDate\":\"2026-07-01\",\"CustomerRef\":{{\"value\":\"2\"}},\"CurrencyRef\":{{\"value\":\"USD\"}}{more},\"Line\":[{{\"Id\":\"1\",\
             \"Amount\":150.0,\"DetailType\":\"SalesItemLineDetail\",\"SalesItemLineDetail\":{{\"ItemRef\":{{\"value\":\"1\"}}}}}}]}}"
        )
    };
    let amount = |content: String| {
        let (place, ran) = Place::offer("page.json", content);
        ran.says(0, &[]);
        one(&place, "SELECT amount FROM core.invoice_line")
    };
    assert_eq!(amount(format!("{{\"QueryResponse\":{{\"Invoice\":[{}]}}}}", document(""))), "150");
    assert_eq!(amount(format!("{{\"QueryResponse\":{{\"CreditMemo\":[{}]}}}}", document(""))), "-150");
    // Without the shell of the answer, one of the columns that only one of them has tells which it is; without any, neither is guessed.
    assert_eq!(amount(format!("[{}]", document(",\"DueDate\":\"2026-07-31\""))), "150");
    assert_eq!(amount(format!("[{}]", document(",\"RemainingCredit\":0"))), "-150");
    let (_, ran) = Place::offer("page.json", format!("[{}]", document("")));
    ran.says(2, &["looks like quickbooks invoices but lacks the columns DueDate"]);
}

#[test]
fn what_stands_between_invoices_is_not_passed_over() {
    // A wrapper of another kind, a null and an answer of another entity cost a row each.
    let invoice = "{\"invoice\":{\"id\":\"1\",\"customer_id\":\"c\",\"currency_code\":\"USD\",\"price_type\":\"tax_exclusive\",\"recurring\":true,\
                   \"status\":\"paid\",\"date\":1782864000,\"line_items\":[{\"id\":\"li\",\"amount\":100,\"entity_type\":\"plan\"}]}}";
    let (place, ran) = Place::offer("page.json", format!("{{\"list\":[{invoice},{{\"customer\":{{\"id\":\"c\"}}}},null]}}"));
    ran.says(1, &["chargebee", "2 rows of"]);
    assert_eq!(place.counts(), (3, 1, 2));
}
