//! Crosswalks that change on a date and bundles, end to end: quantities and cost of the facts sum exactly to what the vendor charged.

use super::super::support::Book;
use rust_decimal::Decimal;
use std::path::PathBuf;
use tempfile::TempDir;

fn decimal(text: &str) -> Decimal {
    Decimal::from_str_exact(text).expect("a number")
}

fn book(files: &[(&str, &str)]) -> (Book, TempDir) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let paths: Vec<PathBuf> = files
        .iter()
        .map(|(name, text)| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        })
        .collect();
    let book = Book::of(&paths);
    (book, folder)
}

const SUBSCRIPTIONS: &str = "CustomerId,CustomerName,ProductId,SkuId,SkuName,SubscriptionId,ChargeStartDate,ChargeEndDate,\
EffectiveUnitPrice,Subtotal,Currency,BillableQuantity,ChargeType,InvoiceNumber,OrderId\n\
t-moving,Moving,P,0001,Seat,s1,2026-07-01,2026-07-31,4.4,44,USD,10,renew,G1,o1\n\
t-moving,Moving,P,0001,Seat,s1,2026-08-01,2026-08-31,4.4,44,USD,10,renew,G2,o1\n\
t-moving,Moving,S,0001,Suite,s2,2026-07-01,2026-07-31,10,100.01,USD,7,renew,G1,o1\n\
t-moving,Moving,S,0001,Suite,s2,2026-08-01,2026-08-31,10,100.01,USD,7,renew,G2,o1\n";

// Daily flows: one unit and one dollar a day.
fn daily() -> String {
    let mut text = "ProviderName,BillingAccountId,SubAccountId,ServiceName,SkuId,ResourceId,ChargeCategory,ChargeClass,ChargeDescription,\
ConsumedQuantity,ConsumedUnit,PricingQuantity,PricingUnit,ContractedUnitPrice,BilledCost,EffectiveCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd\n"
        .to_owned();
    for day in 1..=31 {
        let next = if day == 31 { "2026-08-01".to_owned() } else { format!("2026-07-{:02}", day + 1) };
        let days = format!("2026-07-{day:02}T00:00:00Z,{next}T00:00:00Z");
        text.push_str(&format!("AWS,ba,t-moving,Storage,GB,disk,Usage,,Disk,1,GB,1,GB,1,1,1,USD,{days}\n"));
    }
    text
}

#[test]
fn a_tenant_that_moves_and_a_bundle_are_split_by_day_and_share_exactly() {
    let (book, _folder) = book(&[
        ("recon_2026-09-06.csv", SUBSCRIPTIONS),
        ("focus_2026-08-02.csv", &daily()),
        (
            "customers.csv",
            "system,native_id,customer_key,customer_name,valid_from,valid_to\n\
             microsoft_csp,t-moving,acme,Acme,,2026-07-16\nmicrosoft_csp,t-moving,brook,Brook,2026-07-16,\n\
             focus,t-moving,acme,Acme,,2026-07-16\nfocus,t-moving,brook,Brook,2026-07-16,\n",
        ),
        (
            "services.csv",
            "system,native_sku,service_key,service_name,unit,unit_factor,cost_share\n\
             microsoft_csp,P,seat,Seat,seat,1,\nmicrosoft_csp,S:1,seat,Seat,seat,1,0.5\nmicrosoft_csp,S:1,backup,Backup,seat,2,0.3\n\
             microsoft_csp,S:1,edr,Protection,seat,1,0.2\nfocus,GB,storage,Storage,GB,1,\n",
        ),
    ]);
    book.analyze("2026Q3");
    let rows = book.rows(
        "SELECT customer_key, service_key, CAST(month AS VARCHAR), delivered_quantity, cost FROM marts.fact_monthly
         WHERE month IN (DATE '2026-07-01', DATE '2026-08-01') AND (delivered_quantity IS NOT NULL OR cost IS NOT NULL)",
    );
    let of = |customer: &str, service: &str, month: &str| -> (Decimal, Decimal) {
        let row = rows.iter().find(|row| row[0] == customer && row[1] == service && row[2] == month);
        row.map_or((Decimal::ZERO, Decimal::ZERO), |row| (decimal(&row[3]), decimal(&row[4])))
    };
    // A level of 10 (and the suite's 7) holds on 15 and on 16 days of July's 31.
    let month = Decimal::from(31);
    assert_eq!(of("acme", "seat", "2026-07-01").0.round_dp(12), (Decimal::from(17 * 15) / month).round_dp(12));
    assert_eq!(of("brook", "seat", "2026-07-01").0.round_dp(12), (Decimal::from(17 * 16) / month).round_dp(12));
    assert_eq!(of("brook", "seat", "2026-08-01"), (Decimal::from(17), decimal("94.005")));
    assert_eq!(of("brook", "backup", "2026-08-01"), (Decimal::from(14), decimal("30.003")));
    assert_eq!(of("acme", "seat", "2026-08-01"), (Decimal::ZERO, Decimal::ZERO));
    // Days of consumption belong to whom they fall on.
    assert_eq!(of("acme", "storage", "2026-07-01"), (Decimal::from(15), Decimal::from(15)));
    assert_eq!(of("brook", "storage", "2026-07-01"), (Decimal::from(16), Decimal::from(16)));
    let total: Decimal = rows.iter().map(|row| decimal(&row[4])).sum();
    assert_eq!(total, decimal("319.02"));
    // The view says the same of the bundle.
    assert_eq!(book.column("SELECT sum(cost) FROM core.vendor_usage")[0].parse::<Decimal>().expect("money"), decimal("319.02"));
}

/// A book in which nobody has mapped a SKU: seats are two licences together, a suite is two services, hours come in blocks of 100.
fn unmapped_services() -> (Book, TempDir) {
    let companies = (0..2)
        .map(|at| {
            format!(r#"{{"id": {}, "identifier": "C{at}", "name": "Company {at}", "status": {{"name": "Active"}}}}"#, 2000 + at)
        })
        .collect::<Vec<_>>()
        .join(",");
    let agreements = (0..2)
        .map(|at| {
            format!(
                r#"{{"id": {}, "name": "Agreement", "company": {{"id": {}, "identifier": "C{at}", "name": "Company {at}"}},
                    "startDate": "2026-01-01T00:00:00Z", "billingCycle": {{"id": 2, "name": "Monthly"}}, "agreementStatus": "Active",
                    "currency": {{"currencyCode": "USD"}}}}"#,
                500 + at,
                2000 + at
            )
        })
        .collect::<Vec<_>>()
        .join(",");
    let mut files = vec![
        ("companies_2026-01-01.json".to_owned(), format!("[{companies}]")),
        ("agreements_2026-01-01.json".to_owned(), format!("[{agreements}]")),
        (
            "customers.csv".to_owned(),
            "system,native_id,customer_key\nconnectwise,2000,c0\nconnectwise,2001,c1\nmicrosoft_csp,t0,c0\nmicrosoft_csp,t1,c1\n"
                .to_owned(),
        ),
    ];
    let mut recon = SUBSCRIPTIONS.lines().next().expect("a header").to_owned() + "\n";
    for month in 1..=4 {
        let mut additions = Vec::new();
        for at in 0..2 {
            let more = 3 * month + 10 * at;
            for (place, (sku, quantity)) in
                [("SEAT", 20 + more), ("EDR", 7 + more), ("BACKUP", 7 + more), ("HOURS", 300 + 100 * more)].iter().enumerate()
            {
                additions.push(format!(
                    r#"{{"id": {}, "agreementId": {}, "product": {{"id": {place}, "identifier": "{sku}"}}, "quantity": {quantity}, "lessIncluded": 0,
                        "unitPrice": 5, "unitCost": 3, "billCustomer": "Billable", "effectiveDate": "2026-01-01T00:00:00Z", "agreementStatus": "Active"}}"#,
                    9000 + 10 * at + i64::try_from(place).expect("small"),
                    500 + at
                ));
            }
            for (sku, quantity) in [("E3", 15 + more), ("E5", 5), ("SUITE", 7 + more), ("BLOCK", 3 + more)] {
                let last = if month == 2 { 28 } else { 30 + i32::from(month % 2 == 1) };
                recon.push_str(&format!(
                    "t{at},Company {at},{sku},,{sku},s{sku}{at},2026-{month:02}-01,2026-{month:02}-{last},1,{quantity},USD,{quantity},renew,G{month},o{at}\n"
                ));
            }
        }
        files.push((format!("additions_2026-{month:02}-01.json"), format!("[{}]", additions.join(","))));
    }
    files.push(("recon_2026-05-06.csv".to_owned(), recon));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    book(&files)
}

#[test]
fn bundles_are_proposed_with_their_months_and_an_accepted_one_counts_nothing_twice() {
    let (book, folder) = unmapped_services();
    let ran = book.shortfall(&["map", "suggest", "--kind", "services", "--output", "json"]);
    let document: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    let said: Vec<&str> =
        document["bundles"].as_array().expect("bundles").iter().map(|b| b["says"].as_str().expect("a sentence")).collect();
    let has = |part: &str| assert!(said.iter().any(|text| text.contains(part)), "{part}: {said:#?}");
    has(
        "`microsoft_csp e3` + `microsoft_csp e5` = `seat`: in 8 of 8 customer months, such as c0 2026-01: 18 + 5 delivered, 23 in the PSA",
    );
    has("`microsoft_csp suite` holds one each of `backup` and `edr`: in 8 of 8");
    has("100 x `microsoft_csp block` = `hours`: in 8 of 8");
    let crosswalk = folder.path().join("out/services.csv").display().to_string();
    let ran = book.shortfall(&["map", "suggest", "--kind", "services", "--accept", "-o", &crosswalk]);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let ran = book.shortfall(&["map", "import", &crosswalk]);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    book.analyze("2026Q1");
    let rows = book.rows(
        "SELECT service_key, delivered_quantity, contracted_quantity, cost FROM marts.fact_monthly
         WHERE customer_key = 'c1' AND month = DATE '2026-03-01' ORDER BY 1",
    );
    let rows: Vec<Vec<String>> = rows.into_iter().map(|row| row.into_iter().map(|cell| decimal_or(&cell)).collect()).collect();
    // Each service has what the PSA says; the suite's 26 dollars are shared by the two.
    assert_eq!(
        rows,
        [["backup", "26", "26", "13"], ["edr", "26", "26", "13"], ["hours", "2200", "2200", "22"], ["seat", "39", "39", "39"]]
    );
}

/// A number without padding, another text as it is.
fn decimal_or(cell: &str) -> String {
    Decimal::from_str_exact(cell).map_or_else(|_| cell.to_owned(), |number| number.normalize().to_string())
}
