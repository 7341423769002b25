//! The map commands on a small book: what is unmapped, what is suggested, what an import refuses, and that nothing takes effect by itself.

use super::super::support::Book;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const COMPANIES: &str = r#"[
  {"id": 2000, "identifier": "HarborDental", "name": "Harbor Dental LLC", "status": {"name": "Active"}},
  {"id": 2001, "identifier": "AlderLegal", "name": "Alder Legal", "status": {"name": "Active"}},
  {"id": 2002, "identifier": "CopperNorth", "name": "Copper Motors North", "status": {"name": "Active"}},
  {"id": 2003, "identifier": "CopperSouth", "name": "Copper Motors South", "status": {"name": "Active"}}
]"#;

const RECON: &str = "CustomerId,CustomerName,CustomerDomainName,ProductId,SkuId,SkuName,SubscriptionId,ChargeStartDate,ChargeEndDate,\
EffectiveUnitPrice,Subtotal,Currency,BillableQuantity,ChargeType,InvoiceNumber,OrderId\n\
t-harbor,\"Harbor Dental, Inc.\",harbordental.onmicrosoft.com,P,0001,Seat,s1,2026-07-01,2026-07-31,4.4,44,USD,10,renew,G1,o1\n\
t-copper,Copper Motors,,P,0001,Seat,s2,2026-07-01,2026-07-31,4.4,88,USD,20,renew,G1,o2\n\
t-nobody,Zebra Crossing Ltd,,P,0001,Seat,s3,2026-07-01,2026-07-31,4.4,13.2,USD,3,renew,G1,o3\n";

struct Place {
    book: Book,
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { book: Book::empty(), folder: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder") };
        let companies = place.write("companies_2026-07-01.json", COMPANIES);
        let recon = place.write("recon_2026-08-06.csv", RECON);
        place.book.add(&[companies, recon]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).expect("written");
        self.path(name)
    }

    /// Runs a map command; its exit code, output and remarks.
    fn map(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut all = vec!["map"];
        all.extend(arguments);
        let ran = self.book.shortfall(&all);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (ran.status.code().expect("a code"), text(&ran.stdout), text(&ran.stderr))
    }

    fn import(&self, path: &Path) -> (i32, String, String) {
        self.map(&["import", &path.display().to_string()])
    }

    fn customers(&self) -> Vec<Vec<String>> {
        self.book.rows("SELECT DISTINCT customer_native_id, coalesce(customer_key, '-') FROM core.vendor_usage ORDER BY 1")
    }
}

#[test]
fn suggestions_say_why_and_only_the_unambiguous_are_written_as_a_crosswalk() {
    let place = Place::new();
    let (code, out, _) = place.map(&["suggest", "--output", "json"]);
    assert_eq!(code, 0, "{out}");
    let document: Value = serde_json::from_str(&out).expect("JSON");
    let of = |id: &str| {
        let found = document["customers"].as_array().expect("a list").iter().find(|s| s["native_id"] == id);
        found.unwrap_or_else(|| panic!("no {id} in {out}")).clone()
    };
    // Two relatives are as like: the dearest doubt comes first, and is never accepted.
    assert_eq!(document["customers"][0]["native_id"], "t-copper");
    assert_eq!(of("t-copper")["accepted"], false);
    assert_eq!(of("t-copper")["candidates"].as_array().map(Vec::len), Some(2));
    let harbor = of("t-harbor");
    assert_eq!(
        (&harbor["accepted"], &harbor["candidates"][0]["key"]),
        (&Value::Bool(true), &Value::from("connectwise:HarborDental"))
    );
    assert_eq!(harbor["at_stake"]["USD"], "44");
    let steps = harbor["candidates"][0]["steps"].to_string();
    assert!(steps.contains("legal form `inc`") && steps.contains("harbordental.onmicrosoft.com"), "{steps}");
    assert_eq!(of("t-nobody")["doubt"], "no candidate");

    let crosswalk = place.path("customers.csv");
    let (code, _, err) = place.map(&["suggest", "--accept", "-o", &crosswalk.display().to_string()]);
    assert_eq!(code, 0, "{err}");
    let written = std::fs::read_to_string(&crosswalk).expect("a crosswalk");
    assert_eq!(
        written,
        "system,native_id,native_name,customer_key,customer_name,valid_from,valid_to\n\
         microsoft_csp,t-harbor,\"Harbor Dental, Inc.\",connectwise:HarborDental,Harbor Dental LLC,,\n"
    );
    // Writing is no taking effect.
    assert!(place.customers().iter().all(|row| row[1] == "-"));

    let review = place.path("customers.review.csv");
    let text = std::fs::read_to_string(&review).expect("a review file");
    assert!(
        text.lines().next().is_some_and(|header| header.starts_with("decision,") && !header.contains("customer_key")),
        "{text}"
    );
    let ran = place.book.shortfall(&["ingest", &review.display().to_string()]);
    assert_eq!(ran.status.code(), Some(2), "a review file is no crosswalk");

    let decided: String = text
        .lines()
        .map(|line| match line.split(',').nth(2) {
            Some("t-copper") => format!("connectwise:CopperSouth{line}\n"),
            Some("t-nobody") => format!("no{line}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    std::fs::write(&review, decided).expect("written");
    let (code, out, err) = place.map(&["import", &crosswalk.display().to_string(), &review.display().to_string()]);
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(
        place.customers(),
        [["t-copper", "connectwise:CopperSouth"], ["t-harbor", "connectwise:HarborDental"], ["t-nobody", "-"]]
    );
}

#[test]
fn a_draft_lists_what_is_unmapped_with_its_money_and_exports_come_back_unchanged() {
    let place = Place::new();
    let folder = place.path("out").display().to_string();
    let (code, _, err) = place.map(&["draft", "-o", &folder]);
    assert_eq!(code, 0, "{err}");
    let draft = std::fs::read_to_string(place.path("out/customers.draft.csv")).expect("a draft");
    assert_eq!(
        draft,
        "system,native_id,native_name,customer_key,customer_name,valid_from,valid_to,cost,billed,source_rows\n\
         microsoft_csp,t-copper,Copper Motors,,,,,88.00 USD,,1\n\
         microsoft_csp,t-harbor,\"Harbor Dental, Inc.\",,,,,44.00 USD,,1\n\
         microsoft_csp,t-nobody,Zebra Crossing Ltd,,,,,13.20 USD,,1\n"
    );
    let services = std::fs::read_to_string(place.path("out/services.draft.csv")).expect("a draft");
    assert!(services.contains("microsoft_csp,P:0001,Seat,,,,1,,,145.20 USD,,3"), "{services}");

    let mapping = place.write(
        "customers.csv",
        "system,native_id,native_name,customer_key,customer_name,valid_from,valid_to\n\
         connectwise,2000,Harbor Dental LLC,c1,\"Harbor \"\"Dental\"\"\",,\n\
         microsoft_csp,t-harbor,=name,c1,Harbor,2026-01-01,2026-07-16\n\
         microsoft_csp,T-HARBOR,=name,c1,Harbor,2026-07-16,\n",
    );
    let skus = place.write(
        "services.csv",
        "system,native_sku,native_name,service_key,service_name,unit,unit_factor,valid_from,valid_to\n\
         microsoft_csp,P:0001,Seat,seat,Seat,seat,100,,\n",
    );
    let paths = [mapping.display().to_string(), skus.display().to_string()];
    let (code, out, err) = place.map(&["import", &paths[0], &paths[1]]);
    assert_eq!(code, 0, "{out}{err}");
    let state = || {
        place.book.rows("SELECT system, native_id, customer_key, customer_name, valid_from, valid_to, batch_id FROM core_history.customer_map ORDER BY 1, 2, 5")
    };
    let before = state();
    let (code, _, err) = place.map(&["export", "-o", &folder]);
    assert_eq!(code, 0, "{err}");
    let out = ["customers", "services"].map(|name| place.path(&format!("out/{name}.csv")).display().to_string());
    let (code, said, err) = place.map(&["import", &out[0], &out[1]]);
    assert_eq!(code, 0, "{said}{err}");
    assert!(said.contains("nothing was changed"), "{said}");
    assert_eq!(state(), before);
    assert_eq!(place.book.column("SELECT count(*) FROM core.batch WHERE system = 'mapping'"), ["2"]);
}

#[test]
fn an_import_refuses_with_place_and_reason_and_lands_nothing() {
    let place = Place::new();
    let header = "system,native_id,customer_key,valid_from,valid_to\n";
    for (rows, wanted) in [
        ("microsft,t-harbor,connectwise:HarborDental,,\n", "row 1, column `system`, value `microsft`: there is no such system"),
        ("microsoft_csp,t-harbor,connectwise:harbordental,,\n", "differs only by case from `connectwise:HarborDental`"),
        ("microsoft_csp,t-harbor,c99,,\n", "no customer of the PSA carries this key"),
        (
            "microsoft_csp,t-harbor,connectwise:AlderLegal,,\nmicrosoft_csp,T-HARBOR,connectwise:HarborDental,,\n",
            "the same validity as row 1",
        ),
        (
            "microsoft_csp,t-harbor,connectwise:AlderLegal,,2026-08-01\nmicrosoft_csp,t-harbor,connectwise:HarborDental,2026-07-16,\n",
            "row 2, column `valid_from`, value `2026-07-16`: overlaps row 1",
        ),
        ("microsoft_csp,t-harbor,,,\n", "row 1, column `customer_key`, value ``: must not be empty"),
    ] {
        let file = place.write("bad.csv", &format!("{header}{rows}"));
        let (code, _, err) = place.import(&file);
        assert!(code == 2 && err.contains(wanted), "{rows}: {code} {err}");
    }
    let file = place.write("skus.csv", "system,native_sku,service_key,unit_factor\nmicrosoft_csp,P:0001,seat,0\n");
    let (code, _, err) = place.import(&file);
    assert!(code == 2 && err.contains("row 1, column `unit_factor`, value `0`: must be above zero"), "{err}");
    assert_eq!(place.book.column("SELECT count(*) FROM core.batch WHERE system = 'mapping'"), ["0"]);
    let file = place.write("new.csv", &format!("{header}microsoft_csp,t-harbor,c99,,\n"));
    assert_eq!(place.map(&["import", "--new-keys", &file.display().to_string()]).0, 0);
    let fx = place.write("fx.csv", "date,from_currency,to_currency,rate\n2026-06-30,EUR,USD,1.2\n");
    let (code, _, err) = place.import(&fx);
    assert!(code == 2 && err.contains("no crosswalk") && err.contains("shortfall ingest"), "{err}");
}

#[test]
fn what_is_unmapped_is_priced_in_every_summary_and_says_what_helps() {
    let place = Place::new();
    let more = place.write("recon_2026-09-06.csv", &RECON.replace("2026-07", "2026-08"));
    let ran = place.book.shortfall(&["ingest", &more.display().to_string()]);
    let out = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(
        out.contains("unmapped: 290.4 USD of vendor cost and 0 USD of charges") && out.contains("3 customer ids, 1 SKUs"),
        "{out}"
    );
    assert!(out.contains("shortfall map suggest --lake"), "{out}");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let ran = place.book.shortfall(&["analyze", "--quarter", "2026Q3"]);
    let nothing = "nothing in 2026Q3 belongs to a known customer and service; unmapped: 290.4 USD of vendor cost in 4 ids";
    assert!(ran.status.code() == Some(2) && said(&ran.stderr).contains(nothing), "{}", said(&ran.stderr));
    let customers =
        place.write("customers.csv", "system,native_id,customer_key\nmicrosoft_csp,t-harbor,connectwise:HarborDental\n");
    let services = place.write("services.csv", "system,native_sku,service_key\nmicrosoft_csp,P,seat\n");
    place.book.add(&[customers, services]);
    let ran = place.book.shortfall(&["analyze", "--quarter", "2026Q3"]);
    let wanted = "unmapped: 202.4 USD of vendor cost in 2 ids belongs to no known customer or service; `shortfall map suggest`";
    let words = said(&ran.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(&wanted.replace("unmapped: ", "unmapped ")), "{}{}", said(&ran.stdout), said(&ran.stderr));
    let ran = place.book.shortfall(&["findings"]);
    assert!(said(&ran.stdout).contains(wanted), "{}{}", said(&ran.stdout), said(&ran.stderr));
    let page = place.path("page.html");
    place.book.shortfall(&["report", "--html", &page.display().to_string()]);
    assert!(std::fs::read_to_string(page).expect("a page").contains("202.4 USD of vendor cost in 2 ids"));
}
