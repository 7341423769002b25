//! Kinds of change told apart, from files to `core.*`: what adds up, what replaces, what merely is not repeated, and how each is named in
//! `core.change`.

use super::support::{Place, on_lake};
use std::path::{Path, PathBuf};

/// The cells of a query's rows, `NULL` where there is nothing.
#[track_caller]
fn rows(place: &Place, query: &str) -> Vec<String> {
    let text = |cell: &serde_json::Value| cell.as_str().unwrap_or("NULL").to_owned();
    let line = |row: &serde_json::Value| row.as_object().expect("a row").values().map(text).collect::<Vec<_>>().join(" ");
    place.sql(query).iter().map(line).collect()
}

/// Kind, sums before and after, and the day on which each became known.
#[track_caller]
fn changes(place: &Place) -> Vec<String> {
    rows(
        place,
        "SELECT change_kind, sum(money_before) AS before, sum(money) AS after, CAST(CAST(known_at AS DATE) AS VARCHAR) AS day
         FROM core.change GROUP BY change_kind, CAST(known_at AS DATE) ORDER BY day, change_kind",
    )
}

#[track_caller]
fn cost(place: &Place, as_of: &[&str]) -> String {
    let query = "SELECT sum(cost) AS cost FROM core.vendor_usage";
    let ran = on_lake(&place.lake(), &[&["sql", query, "--output", "json"], as_of].concat());
    ran.says(0, &[]).json()[0]["cost"].as_str().unwrap_or("NULL").to_owned()
}

const FOCUS: &str = "ChargePeriodStart,ChargePeriodEnd,BilledCost,EffectiveCost,BillingCurrency,ChargeCategory,ChargeClass,ServiceName,\
                     SubAccountId,BillingPeriodStart\n";

fn focus(place: &Place, name: &str, rows: &[(&str, &str, &str)]) -> PathBuf {
    let row = |(class, account, cost): &(&str, &str, &str)| {
        format!("2026-07-01,2026-07-02,{cost},{cost},USD,Usage,{class},EC2,{account},2026-07-01\n")
    };
    place.write(name, FOCUS.to_owned() + &rows.iter().map(row).collect::<String>())
}

#[track_caller]
fn land(place: &Place, files: &[PathBuf]) {
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    place.ingest(&files, &[]).says(0, &[]);
}

/// A report split by row count: the cut goes through a key, equal rows stand in both parts, and the parts come in any order.
#[test]
fn a_key_torn_over_the_parts_of_one_delivery_adds_up() {
    for order in [[0, 1, 2], [2, 0, 1]] {
        let place = Place::new();
        let parts = [
            focus(&place, "2026-08-03/part-0.csv", &[("", "a", "1"), ("", "a", "2"), ("", "b", "4")]),
            focus(&place, "2026-08-03/part-1.csv", &[("", "a", "2"), ("", "a", "8")]),
            focus(&place, "costs_2026-08-03_part-2.csv", &[("", "b", "16")]),
        ];
        for at in order {
            land(&place, &parts[at..=at]);
        }
        assert_eq!(cost(&place, &[]), "33");
        // The whole again on another day, cut elsewhere: nothing new, and the first delivery stays what is shown.
        let before = rows(&place, "SELECT batch_id, source_row FROM core.vendor_usage ORDER BY 1, 2");
        let whole = [("", "b", "16"), ("", "a", "2"), ("", "a", "8"), ("", "a", "2"), ("", "b", "4"), ("", "a", "1")];
        land(&place, &[focus(&place, "costs_2026-08-04.csv", &whole)]);
        assert_eq!(cost(&place, &[]), "33");
        assert_eq!(rows(&place, "SELECT batch_id, source_row FROM core.vendor_usage ORDER BY 1, 2"), before);
        assert_eq!(changes(&place), [""; 0]);
        // A later day that differs is a version: the parts of the day before do not add to it.
        land(&place, &[focus(&place, "costs_2026-08-05.csv", &[("", "a", "32")])]);
        assert_eq!(cost(&place, &[]), "52");
        assert_eq!(changes(&place), ["restated 13 32 2026-08-05"]);
        assert_eq!(cost(&place, &["--as-of", "2026-08-04"]), "33");
    }
}

#[test]
fn a_time_in_the_name_tells_two_deliveries_of_a_day_apart() {
    let place = Place::new();
    let files = [
        focus(&place, "costs_2026-08-03T0900.csv", &[("", "a", "1"), ("", "b", "2")]),
        focus(&place, "costs_2026-08-03T1700.csv", &[("", "a", "4"), ("", "b", "2")]),
    ];
    land(&place, &files);
    assert_eq!(cost(&place, &[]), "6");
    assert_eq!(changes(&place), ["restated 1 4 2026-08-03"]);
}

/// Flag and difference, or reversal and restatement: both are the source's own corrections and add up with what they correct.
#[test]
fn corrections_that_the_source_states_add_up() {
    let place = Place::new();
    land(
        &place,
        &[
            focus(&place, "costs_2026-08-03.csv", &[("", "a", "100"), ("", "b", "50")]),
            focus(&place, "delta_2026-09-03.csv", &[("Correction", "a", "-10")]),
            focus(&place, "ledger_2026-09-04.csv", &[("Correction", "b", "-50"), ("Correction", "b", "45")]),
        ],
    );
    assert_eq!(cost(&place, &[]), "135");
    assert_eq!(changes(&place), ["stated_correction NULL -10 2026-09-03", "stated_correction NULL -5 2026-09-04"]);
    assert_eq!(place.count("core.vendor_usage WHERE is_correction"), 3);
}

/// Pax8: a vendor pushes a day again and overwrites its lines without a mark.
#[test]
fn a_day_that_the_vendor_overwrites_counts_once_as_said_last() {
    let place = Place::new();
    let lines = |name: &str, lines: &[(u32, &str)]| {
        let line = |(day, cost): &(u32, &str)| {
            format!(
                "{{\"usageDate\":\"2026-07-{day:02}\",\"productId\":\"p\",\"companyId\":\"c\",\"quantity\":1,\"partnerTotal\":{cost},\
                 \"currencyCode\":\"USD\",\"isTrial\":false}}"
            )
        };
        let lines: Vec<String> = lines.iter().map(line).collect();
        place.write(name, format!("{{\"content\":[{}],\"page\":{{\"number\":0}}}}", lines.join(",")))
    };
    let files = [
        lines("usage_2026-07-10T0800.json", &[(8, "1"), (9, "2")]),
        // The same day, later: the 9th said anew; then the same again on another day.
        lines("usage_2026-07-10T2000.json", &[(8, "1"), (9, "5")]),
        lines("usage_2026-07-11.json", &[(8, "1"), (9, "5"), (10, "7")]),
    ];
    for order in [[0, 1, 2], [1, 2, 0]] {
        let lake = place.path(&format!("lake-{}", order[0]));
        for at in order {
            on_lake(&lake, &["ingest", &files[at].display().to_string()]).says(0, &[]);
        }
        let sum = |as_of: &[&str]| {
            let query = "SELECT sum(cost) AS cost FROM core.vendor_usage";
            let ran = on_lake(&lake, &[&["sql", query, "--output", "json"], as_of].concat());
            ran.says(0, &[]).json()[0]["cost"].as_str().unwrap_or("NULL").to_owned()
        };
        assert_eq!(sum(&[]), "13");
        assert_eq!(sum(&["--as-of", "2026-07-10T12:00:00Z"]), "3");
        assert_eq!(sum(&["--as-of", "2026-07-10"]), "6");
        let found = super::support::sql(&lake, "SELECT change_kind, money_before, money FROM core.change");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            (&found[0]["change_kind"], &found[0]["money_before"], &found[0]["money"]),
            (&"overwritten".into(), &"2".into(), &"5".into())
        );
    }
}

/// Microsoft: unbilled days disappear until the month before is billed, and return; then they come billed, in parts.
#[test]
fn unbilled_days_that_disappear_and_return_are_no_correction() {
    let place = Place::new();
    let file = |name: &str, invoice: &str, days: &[(u32, &str)]| {
        let row = |(day, cost): &(u32, &str)| format!("c,b-1,e-1,{invoice},DZH,0001,9/{day}/2026,m,/vm,new,24,{cost},USD\n");
        let rows: String = days.iter().map(row).collect();
        let header = "CustomerId,SubscriptionId,EntitlementId,InvoiceNumber,ProductId,SkuId,UsageDate,MeterId,ResourceURI,ChargeType,Quantity,\
                      BillingPreTaxTotal,BillingCurrency";
        place.write(name, format!("{header}\n{rows}"))
    };
    land(&place, &[file("unbilled_2026-09-04.csv", "", &[(1, "1"), (2, "2"), (3, "4")])]);
    assert_eq!(cost(&place, &[]), "7");
    land(&place, &[file("unbilled_2026-09-06.csv", "", &[(3, "4")])]);
    assert_eq!(cost(&place, &[]), "7", "nothing is lost");
    assert_eq!(changes(&place), ["not_repeated 3 3 2026-09-06"]);
    land(&place, &[file("unbilled_2026-09-08.csv", "", &[(1, "1"), (2, "2"), (3, "4"), (4, "8")])]);
    assert_eq!(cost(&place, &[]), "15", "nothing is counted twice");
    // Billed in two parts, on the day of one more unbilled file: the 1st torn over both with more hours, the 2nd dearer.
    land(
        &place,
        &[
            file("2026-10-06/billed-1.csv", "G1", &[(1, "0.5"), (2, "3")]),
            file("2026-10-06/billed-2.csv", "G1", &[(1, "0.5"), (3, "4")]),
            file("2026-10-06/unbilled.csv", "", &[(2, "2"), (4, "8"), (5, "16")]),
        ],
    );
    assert_eq!(cost(&place, &[]), "32");
    assert_eq!(cost(&place, &["--as-of", "2026-10-05"]), "15");
    let of_october = changes(&place).into_iter().filter(|change| change.ends_with("2026-10-06")).collect::<Vec<_>>();
    assert_eq!(of_october, ["billed 4 4 2026-10-06", "not_repeated 5 5 2026-10-06", "restated 3 4 2026-10-06"]);
    // What was known in September keeps its provenance; the evidence is the file that first said it.
    assert_eq!(place.count("core.vendor_usage AS usage JOIN core.batch AS batch ON usage.batch_id = batch.batch_id WHERE batch.file LIKE '%billed-%'"), 3);
}

/// AWS and Azure: a month is written anew, whole, until it is final.
#[test]
fn a_replaced_month_shows_what_it_said_before() {
    let place = Place::new();
    let cur = |name: &str, rows: &[(u32, &str, &str)]| {
        let row = |(day, account, cost): &(u32, &str, &str)| {
            format!(
                "p,2026-07-01T00:00:00Z,{account},Usage,2026-07-{day:02}T00:00:00Z,2026-07-{:02}T00:00:00Z,EC2,Box,1,USD,{cost}\n",
                day + 1
            )
        };
        let header = "bill/PayerAccountId,bill/BillingPeriodStartDate,lineItem/UsageAccountId,lineItem/LineItemType,lineItem/UsageStartDate,\
                      lineItem/UsageEndDate,lineItem/ProductCode,lineItem/UsageType,lineItem/UsageAmount,lineItem/CurrencyCode,lineItem/UnblendedCost\n";
        place.write(name, header.to_owned() + &rows.iter().map(row).collect::<String>())
    };
    land(
        &place,
        &[
            cur("cur_2026-07-10.csv", &[(1, "a", "1"), (2, "a", "2"), (3, "gone", "4"), (4, "same", "8")]),
            cur("cur_2026-08-03.csv", &[(2, "a", "16"), (4, "same", "8"), (5, "new", "32")]),
        ],
    );
    assert_eq!(cost(&place, &[]), "56");
    assert_eq!(
        rows(&place, "SELECT customer_native_id, change_kind, money_before, money FROM core.change ORDER BY 1"),
        ["a month_replaced 3 16", "gone month_replaced 4 NULL", "new month_replaced NULL 32"]
    );
}

/// What nobody corrected: a PSA that changed its mind, and a credit note.
#[test]
fn changes_of_the_psa_and_credit_notes_have_names_of_their_own() {
    let place = Place::new();
    let additions = |name: &str, quantity: u32| {
        let addition = serde_json::json!([{"id": 1, "agreementId": 5, "product": {"identifier": "SEAT"}, "quantity": quantity,
                                           "unitPrice": 2.5, "effectiveDate": "2026-01-01T00:00:00Z"}]);
        place.write(name, addition.to_string())
    };
    let note = serde_json::json!({"object": "list", "data": [{"id": "cn_1", "object": "credit_note", "customer": "cus_1", "currency": "usd",
        "invoice": "in_1", "created": 1_785_542_400, "lines": {"data": [{"id": "cnli_1", "amount": 1190, "quantity": 1}], "has_more": false}}]});
    land(
        &place,
        &[
            additions("additions_2026-07-01.json", 40),
            additions("additions_2026-07-16.json", 46),
            additions("additions_2026-08-01.json", 46),
            place.write("notes_2026-08-02.json", note.to_string()),
        ],
    );
    assert_eq!(
        rows(&place, "SELECT lands_in, change_kind, quantity_before, quantity, money FROM core.change ORDER BY known_at"),
        ["contract_line psa_changed 40 46 2.5", "invoice_line stated_correction NULL 1 -11.9"]
    );
}
