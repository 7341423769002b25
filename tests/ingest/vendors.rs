//! What vendors' files mean beyond one row: generations of a header, months written anew, corrections that add up.

use super::support::{Place, fixtures, on_lake};
use shortfall::ingest::original::original_rows;
use shortfall::lake::Lake;
use std::path::PathBuf;

/// The cells of a query's rows, `NULL` where there is nothing.
#[track_caller]
fn rows(place: &Place, query: &str) -> Vec<Vec<String>> {
    let text = |cell: &serde_json::Value| cell.as_str().map_or_else(|| cell.to_string().replace("null", "NULL"), str::to_owned);
    place.sql(query).iter().map(|row| row.as_object().expect("a row").values().map(text).collect()).collect()
}

/// The sum of cost that stands in the lake now, or stood there on a date.
#[track_caller]
fn cost(place: &Place, as_of: &[&str]) -> String {
    let query = "SELECT sum(cost) AS cost FROM core.vendor_usage";
    let ran = on_lake(&place.lake(), &[&["sql", query, "--output", "json"], as_of].concat());
    ran.says(0, &[]).json()[0]["cost"].as_str().unwrap_or("NULL").to_owned()
}

#[test]
fn every_generation_of_an_azure_header_says_the_same() {
    for (file, expected) in [
        (
            "ea_2021",
            vec!["sub-ea", "EA", "m-ea", "Queues v2", "usage", "0.0129", "10K", "0.0000564902", "CAD", "2026-09-02T00:00:00Z"],
        ),
        (
            "mca",
            vec![
                "sub-mca",
                "Alder Legal",
                "m-mca",
                "IP Addresses - Basic",
                "usage",
                "3",
                "1 Hour",
                "0.011",
                "EUR",
                "2026-09-02T00:00:00Z",
            ],
        ),
        (
            "payg",
            vec![
                "sub-payg",
                "NULL",
                "m-payg",
                "Included LB Rules",
                "usage",
                "3",
                "100 Hours",
                "0.075",
                "USD",
                "2026-09-02T00:00:00Z",
            ],
        ),
        (
            "german",
            vec![
                "sub-de",
                "NULL",
                "m-payg",
                "Included LB Rules",
                "usage",
                "3",
                "100 Hours",
                "0.08",
                "USD",
                "2026-09-02T00:00:00Z",
            ],
        ),
    ] {
        let place = Place::new();
        place.ingest(&[&fixtures().join(format!("azure_cost/{file}_costs.csv"))], &[]).says(0, &["azure_cost"]);
        let found = rows(
            &place,
            "SELECT customer_native_id, customer_native_name, native_sku, native_name, category, quantity, unit, cost, currency, period_start
             FROM core.vendor_usage WHERE category = 'usage'",
        );
        assert_eq!(found, [expected], "{file}");
        if file == "mca" {
            let purchase =
                rows(&place, "SELECT customer_native_id, native_sku, cost FROM core.vendor_usage WHERE category = 'purchase'");
            assert_eq!(purchase, [["prof", "DZH-RI", "100"]]);
        }
    }
}

const CUR: &str = "bill/PayerAccountId,bill/BillingPeriodStartDate,lineItem/UsageAccountId,lineItem/LineItemType,lineItem/UsageStartDate,\
                   lineItem/UsageEndDate,lineItem/ProductCode,lineItem/UsageType,lineItem/UsageAmount,lineItem/CurrencyCode,\
                   lineItem/UnblendedCost\n";

fn cur(payer: &str, month: u32, rows: &[(u32, &str, &str)]) -> String {
    let row = |(day, account, cost): &(u32, &str, &str)| {
        format!(
            "{payer},2026-{month:02}-01T00:00:00Z,{account},Usage,2026-{month:02}-{day:02}T00:00:00Z,2026-{month:02}-{:02}T00:00:00Z,\
             EC2,Box,1,USD,{cost}\n",
            day + 1
        )
    };
    CUR.to_owned() + &rows.iter().map(row).collect::<String>()
}

#[test]
fn a_month_that_is_written_anew_replaces_the_month_with_the_rows_that_vanished() {
    let files = |place: &Place| -> Vec<PathBuf> {
        vec![
            place.write("cur_2026-07-10.csv", cur("p", 7, &[(1, "a", "1"), (2, "a", "2"), (3, "gone", "4")])),
            // The same month again, in two parts of one delivery: a row changed, two vanished, one came. Equal rows in both parts add up.
            place.write("2026-08-03/part-1.csv", cur("p", 7, &[(2, "a", "16"), (9, "a", "32")])),
            place.write("2026-08-03/part-2.csv", cur("p", 7, &[(9, "a", "32"), (20, "b", "64")])),
            // Another month and another payer say nothing about it.
            place.write("cur_2026-09-03.csv", cur("p", 8, &[(1, "a", "128")])),
            place.write("other/cur_2026-09-04.csv", cur("q", 7, &[(1, "a", "256")])),
        ]
    };
    for order in [[0, 1, 2, 3, 4], [4, 2, 0, 3, 1], [1, 0, 3, 4, 2]] {
        let place = Place::new();
        let files = files(&place);
        for at in order {
            place.ingest(&[&files[at]], &[]).says(0, &[]);
        }
        assert_eq!(cost(&place, &[]), "528", "{order:?}");
        assert_eq!(cost(&place, &["--as-of", "2026-08-02"]), "7");
        assert_eq!(cost(&place, &["--as-of", "2026-08-03"]), "144");
        assert_eq!(place.count("core.vendor_usage WHERE customer_native_id = 'gone'"), 0);
        assert_eq!(place.count("core_history.vendor_usage"), 9);
    }
}

#[test]
fn cur_2_of_a_month_replaces_the_legacy_report_of_that_month() {
    let place = Place::new();
    let legacy = place.write("cur_2026-07-10.csv", cur("p", 7, &[(1, "a", "1")]));
    let header = "bill_payer_account_id,bill_billing_period_start_date,line_item_usage_account_id,line_item_line_item_type,\
                  line_item_usage_start_date,line_item_usage_end_date,LINE_ITEM_USAGE_AMOUNT,line_item_currency_code,line_item_unblended_cost";
    let row = "p,2026-07-01T00:00:00Z,a,Usage,2026-07-05T00:00:00Z,2026-07-06T00:00:00Z,1,USD,2";
    let newer = place.write("cur2_2026-07-20.csv", format!("{header}\n{row}\n"));
    place.ingest(&[&legacy, &newer], &[]).says(0, &["legacy", "cur_2"]);
    assert_eq!(cost(&place, &[]), "2");
}

#[test]
fn an_azure_export_of_some_days_leaves_the_days_before_it() {
    let place = Place::new();
    let export = |name: &str, rows: &[(&str, u32, &str)]| {
        let row = |(subscription, day, cost): &(&str, u32, &str)| format!("{subscription},9/{day}/2026,m,1,{cost},USD\n");
        let rows: String = rows.iter().map(row).collect();
        place.write(name, format!("SubscriptionId,Date,MeterId,Quantity,CostInBillingCurrency,BillingCurrency\n{rows}"))
    };
    let month_to_date = export("azure_2026-09-10.csv", &[("s", 1, "1"), ("s", 8, "2"), ("s", 9, "4"), ("t", 9, "8")]);
    let last_days = export("azure_2026-09-15.csv", &[("s", 8, "16"), ("s", 14, "32")]);
    place.ingest(&[&month_to_date, &last_days], &[]).says(0, &[]);
    // The 9th of `s` vanished; the 1st was not spoken of, nor was `t`.
    assert_eq!(cost(&place, &[]), "57");
    let whole = export("azure_2026-10-05.csv", &[("s", 1, "64"), ("t", 1, "128")]);
    place.ingest(&[&whole], &[]).says(0, &[]);
    assert_eq!(cost(&place, &[]), "192");
    assert_eq!(cost(&place, &["--as-of", "2026-09-12"]), "15");
}

#[test]
fn corrections_of_several_billing_periods_add_up_and_a_repeated_period_replaces_its_own() {
    let place = Place::new();
    let file = |name: &str, period: &str, rows: &[(&str, &str)]| {
        let row =
            |(class, cost): &(&str, &str)| format!("2026-07-01,2026-07-02,{cost},{cost},USD,Usage,{class},EC2,acc,{period}\n");
        let rows: String = rows.iter().map(row).collect();
        let header = "ChargePeriodStart,ChargePeriodEnd,BilledCost,EffectiveCost,BillingCurrency,ChargeCategory,ChargeClass,ServiceName,\
                      SubAccountId,BillingPeriodStart";
        place.write(name, format!("{header}\n{rows}"))
    };
    let files = [
        file("focus_2026-08-01.csv", "2026-07-01", &[("", "100")]),
        // Delta in August, sent again with another difference; ledger in September.
        file("focus_2026-09-01.csv", "2026-08-01", &[("Correction", "-10")]),
        file("focus_2026-09-05.csv", "2026-08-01", &[("Correction", "-20")]),
        file("focus_2026-10-01.csv", "2026-09-01", &[("Correction", "-80"), ("Correction", "85")]),
    ];
    place.ingest(&files.each_ref().map(PathBuf::as_path), &[]).says(0, &[]);
    assert_eq!(cost(&place, &[]), "85");
    assert_eq!(cost(&place, &["--as-of", "2026-09-02"]), "90");
    assert_eq!(rows(&place, "SELECT sum(cost) AS cost FROM core.vendor_usage WHERE is_correction"), [["-15"]]);
}

#[test]
fn an_unbilled_file_that_shrinks_takes_nothing_back_and_billed_rows_are_not_counted_twice() {
    let place = Place::new();
    let file = |name: &str, invoice: &str, days: &[u32]| {
        let row = |day: &u32| format!("c,b-1,e-1,{invoice},DZH,0001,9/{day}/2026,m,/vm,new,24,1.5,USD\n");
        let rows: String = days.iter().map(row).collect();
        let header = "CustomerId,SubscriptionId,EntitlementId,InvoiceNumber,ProductId,SkuId,UsageDate,MeterId,ResourceURI,ChargeType,Quantity,\
                      BillingPreTaxTotal,BillingCurrency";
        place.write(name, format!("{header}\n{rows}"))
    };
    let files = [
        file("unbilled_2026-09-05.csv", "", &[1, 2, 3]),
        file("unbilled_2026-09-08.csv", "", &[3]),
        file("billed_2026-10-06.csv", "G1", &[1, 2, 3, 4]),
    ];
    place.ingest(&[&files[0], &files[1]], &[]).says(0, &["daily_rated_usage"]);
    assert_eq!(cost(&place, &[]), "4.5");
    place.ingest(&[&files[2]], &[]).says(0, &[]);
    assert_eq!(cost(&place, &[]), "6");
}

#[test]
fn subscription_lists_hold_for_their_month_and_a_later_list_of_the_month_replaces_it() {
    let place = Place::new();
    let list = |name: &str, seats: u32, created: &str| {
        let subscription = format!(
            "{{\"customerId\":\"C1\",\"subscriptionId\":\"{seats}\",\"skuId\":\"S\",\"creationTime\":\"{created}\",\"status\":\"ACTIVE\",\
             \"plan\":{{\"planName\":\"FLEXIBLE\"}},\"seats\":{{\"licensedNumberOfSeats\":{seats},\"maximumNumberOfSeats\":99}}}}"
        );
        place.write(name, format!("{{\"kind\":\"reseller#subscriptions\",\"subscriptions\":[{subscription}]}}"))
    };
    // Created on 2026-07-16; its id changes with the plan, as Google says it may.
    let created = "1784160000000";
    let lists =
        [list("s_2026-07-20.json", 5, created), list("s_2026-07-28.json", 7, created), list("s_2026-08-02.json", 8, created)];
    place.ingest(&lists.each_ref().map(PathBuf::as_path), &[]).says(0, &["google_workspace"]);
    let found = rows(&place, "SELECT quantity, period_start, period_end FROM core.vendor_usage ORDER BY period_start");
    assert_eq!(
        found,
        [["7", "2026-07-16T00:00:00Z", "2026-08-01T00:00:00Z"], ["8", "2026-08-01T00:00:00Z", "2026-09-01T00:00:00Z"]]
    );
}

/// Pages of the Partner Center API, whether a record stands on many lines, on one, or all on one, and the rows that they show again.
#[test]
fn pages_of_partner_center_say_the_same_however_they_are_laid_out() {
    let text = std::fs::read_to_string(fixtures().join("microsoft_csp/good_licence_reconciliation.json")).expect("a page");
    let page: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let items = page["items"].as_array().expect("items");
    let by_line = items.iter().map(ToString::to_string).collect::<Vec<_>>();
    let lines = by_line.join("\n");
    let cases = [
        text.clone(),
        page.to_string(),
        format!("{page}\n{{\"totalCount\":0,\"items\":[]}}\n"),
        format!("{{\"totalCount\":2,\"items\":[\n{}\n]}}", by_line.join(",\n")),
        page["items"].to_string(),
        lines,
    ];
    for content in cases {
        let (place, ran) = Place::offer("page.json", &content);
        ran.says(0, &["microsoft_csp"]);
        assert_eq!(place.counts(), (2, 2, 0), "{content}");
        let found = rows(&place, "SELECT source_row, quantity, cost FROM core.vendor_usage ORDER BY source_row");
        assert_eq!(found, [["1", "8", "140.8"], ["2", "25", "0"]], "{content}");
        let hash = place.sql("SELECT sha256 FROM core.batch")[0]["sha256"].as_str().expect("a hash").to_owned();
        let lake = Lake::open(&place.lake()).expect("a lake");
        let shown = original_rows(&lake, &hash, "microsoft_csp", "licence_reconciliation", &[2]).expect("the archive");
        let record: serde_json::Value = serde_json::from_str(&shown[0].1).expect("a record");
        assert_eq!((shown.len(), &record), (1, &items[1]), "{content}");
    }
}

#[test]
fn draft_items_of_pax8_are_no_cost() {
    let place = Place::new();
    let file = fixtures().join("pax8/draft_items.json");
    place.ingest(&[&file], &[]).says(2, &["draft items of Pax8", "/v1/invoices/{id}/items"]);
    assert!(!place.lake().join("core/vendor_usage").exists());
}

/// What costs nothing needs no currency; a cost without one is kept, and gets the one that somebody names.
#[test]
fn cost_without_a_currency_is_kept_and_named_once() {
    let place = Place::new();
    let files = ["azure_cost/good_usage_details.csv", "oci/good_costs.csv"].map(|file| fixtures().join(file));
    let own = place.write("currencies.csv", "system,currency_id,currency\nazure_cost,,CAD\n");
    place.ingest(&[&files[0], &files[1], &own], &[]).says(0, &[]);
    let found = rows(&place, "SELECT system, currency, sum(cost) AS cost FROM core.vendor_usage GROUP BY 1, 2 ORDER BY 1, 2");
    assert_eq!(found[0], ["azure_cost", "CAD", "1.2000000007"]);
    let free = rows(&place, "SELECT currency FROM core.vendor_usage WHERE system = 'oci' AND cost = 0 ORDER BY 1");
    assert_eq!(free, [["GBP"], ["NULL"]]);
    let unnamed = rows(&place, "SELECT cost FROM core.vendor_usage WHERE system = 'oci' AND currency IS NULL AND cost <> 0");
    assert_eq!(unnamed, [["2.139"]]);
}
