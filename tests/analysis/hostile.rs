//! Customers whose names are attacks, from exports through the command line to each output: page, CSV, workbook, terminal, JSON. A test per output.

use super::duckdb::oracle;
use super::over_time::{Q1, Q2, Seats};
use calamine::{Data, Reader as _, Xlsx};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;

/// A name, and how it begins where formulas are guarded against.
fn names() -> Vec<String> {
    [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(2)>",
        "=cmd|'/c calc'!A1",
        "+1+1",
        "-2",
        "@SUM(1)",
        "\t=1+1",
        "\r=1+1",
        "＝1+1",
        "\u{202e}gnp.exe",
        "\u{2066}شركة\u{2069} חברה\u{200f}",
        "one\ntwo\tthree\rfour",
        "\u{1b}[31mred\u{1b}[0m\u{1b}]0;title\u{7}",
        "bell\u{7} back\u{8} delete\u{7f} csi\u{9b}31m",
        "{{ 7 * 7 }} &amp; </table></details>",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain(["W".repeat(10_000), "long name ".repeat(1_000) + "end"])
    .collect()
}

/// A lake in which each of them, and nobody else, is billed 40 of 46 seats, over two quarters; and a folder for what is written about them.
struct World {
    seats: Seats,
    folder: TempDir,
    /// As the lake says them.
    names: Vec<String>,
}

fn run(seats: &Seats, arguments: &[&str]) -> Vec<u8> {
    let output = seats.book.shortfall(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn world() -> World {
    let seats = Seats::new();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let hostile = names();
    let of = |record: &dyn Fn(usize, &str) -> Value| -> String {
        json!((0..).zip(&hostile).map(|(n, name)| record(n, name)).collect::<Vec<_>>()).to_string()
    };
    let companies = of(
        &|n, name| json!({ "id": 1000 + n, "identifier": format!("H{n}"), "name": name, "currency": { "id": 7, "currencyCode": "USD" }, "deletedFlag": false }),
    );
    let agreements = of(&|n, name| {
        json!({ "id": 1000 + n, "name": name, "company": { "id": 1000 + n, "identifier": format!("H{n}"), "name": name },
                "startDate": "2026-01-01T00:00:00Z", "billingCycle": { "id": 2, "name": "Monthly" },
                "currency": { "id": 7, "currencyCode": "USD" }, "agreementStatus": "Active", "cancelledFlag": false })
    });
    let additions = of(&|n, name| {
        json!({ "id": 1000 + n, "agreementId": 1000 + n, "product": { "id": 31, "identifier": "SEAT" }, "quantity": 46, "lessIncluded": 0,
                "unitPrice": 22.0, "unitCost": 18.5, "billCustomer": "Billable", "effectiveDate": "2026-01-01T00:00:00Z",
                "invoiceDescription": name, "uom": "each", "agreementStatus": "Active" })
    });
    let mut crosswalk = csv::Writer::from_writer(Vec::new());
    let header = ["system", "native_id", "native_name", "customer_key", "customer_name", "valid_from", "valid_to"];
    crosswalk.write_record(header).expect("written");
    for (n, name) in (0..).zip(&hostile) {
        for (system, id) in [("connectwise", format!("H{n}")), ("stripe", format!("cus_h{n}"))] {
            crosswalk.write_record([system, &id, name, &format!("h{n}"), name, "", ""]).expect("written");
        }
    }
    let crosswalk = String::from_utf8(crosswalk.into_inner().expect("CSV")).expect("UTF-8");
    for (file, text) in [
        ("companies_2026-01-02.json", companies),
        ("agreements_2026-01-02.json", agreements),
        ("additions_2026-01-02.json", additions),
        ("customers_hostile.csv", crosswalk),
    ] {
        let path = folder.path().join(file);
        std::fs::write(&path, text).expect("written");
        run(&seats, &["ingest", path.to_str().expect("UTF-8")]);
    }
    for (quarter, day) in [(Q1, "2026-03-31"), (Q2, "2026-06-30")] {
        let customers: Vec<String> = (0..hostile.len()).map(|n| format!("h{n}")).collect();
        let own = ["acme", "beta"].into_iter().map(|customer| (customer, 46));
        let all = customers.iter().map(|customer| (customer.as_str(), 40)).chain(own);
        let invoices: Vec<_> = all.flat_map(|(customer, billed)| quarter.map(|month| (customer, month, billed))).collect();
        seats.bill(day, &invoices);
    }
    for quarter in ["2026Q1", "2026Q2"] {
        run(&seats, &["analyze", "--quarter", quarter]);
    }
    let found: Value = serde_json::from_slice(&run(&seats, &["findings", "--format", "json"])).expect("JSON");
    let names =
        found.as_array().expect("findings").iter().filter_map(|row| row["customer_name"].as_str().map(str::to_owned)).collect();
    World { seats, folder, names }
}

static WORLD: LazyLock<World> = LazyLock::new(world);

impl World {
    fn run(&self, arguments: &[&str]) -> Vec<u8> {
        run(&self.seats, arguments)
    }

    fn text(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.run(arguments)).expect("UTF-8")
    }

    /// A report in the folder.
    fn report(&self, kind: &str, file: &str) -> PathBuf {
        let path = self.folder.path().join(file);
        self.run(&["report", kind, path.to_str().expect("UTF-8")]);
        path
    }
}

/// Cells of a CSV below its header, and the header.
fn cells(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let row = |record: csv::StringRecord| record.iter().map(str::to_owned).collect();
    (row(reader.headers().expect("a header").clone()), reader.records().map(|record| row(record.expect("a row"))).collect())
}

fn steers(c: char) -> bool {
    (c.is_control() && c != '\n')
        || "\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}"
            .contains(c)
}

#[test]
fn json_has_the_names_to_the_letter_and_steers_no_terminal() {
    let said: BTreeSet<&str> = WORLD.names.iter().map(|name| name.trim()).collect();
    let hostile = names();
    let wanted: BTreeSet<&str> = hostile.iter().map(|name| name.trim()).collect();
    assert_eq!(said, wanted);
    let text = WORLD.text(&["findings", "--format", "json"]);
    assert!(!text.contains(steers), "what steers is escaped: {:?}", text.chars().find(|c| steers(*c)));
}

#[test]
fn csv_guards_text_and_leaves_numbers() {
    let (header, rows) = cells(&WORLD.text(&["findings", "--format", "csv"]));
    // The fixed schema of product.md.
    assert_eq!(
        header.join(","),
        "finding_id,signal,family,quarter,customer_key,customer_name,service_key,service_name,first_month,last_month,currency,\
         leakage_low,leakage,leakage_high,annual_run_rate,severity,confidence,p_value,q_value,slope,slope_low,slope_high,\
         change_month,status,explanation,basis,overbilled"
    );
    assert_eq!(rows.len(), WORLD.names.len());
    for (row, name) in rows.iter().zip(&WORLD.names) {
        let guarded = if name.starts_with(['=', '+', '-', '@', '\t', '\r', '＝']) { format!("'{name}") } else { name.clone() };
        assert_eq!(row[5], guarded);
        assert_eq!(row[12], "396.00");
        assert!(row.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝'])), "{row:?}");
    }
    let sql = "SELECT customer_name, '=1' AS \"=1\", CAST(-5.00 AS DECIMAL(10, 2)) AS minus, -2 AS two, '-2' AS text FROM marts.finding";
    let (header, rows) = cells(&WORLD.text(&["sql", "--csv", sql]));
    assert_eq!(header[1..], ["'=1", "minus", "two", "text"]);
    assert!(rows.iter().all(|row| row[1..] == ["'=1", "-5", "-2", "'-2"]), "{:?}", rows.first());
    assert!(rows.iter().any(|row| row[0] == "'=cmd|'/c calc'!A1"), "{rows:?}");
}

#[test]
fn workbook_has_names_as_text() {
    let bytes = std::fs::read(WORLD.report("--xlsx", "hostile.xlsx")).expect("a workbook");
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(&bytes)).expect("a workbook");
    for sheet in ["Findings", "Evidence"] {
        assert_eq!(book.worksheet_formula(sheet).expect("formulas").used_cells().count(), 0, "{sheet}");
    }
    let range = book.worksheet_range("Findings").expect("a sheet");
    let rows: Vec<&[Data]> = range.rows().skip(1).collect();
    assert_eq!(rows.len(), WORLD.names.len());
    for (row, name) in rows.iter().zip(&WORLD.names) {
        let Data::String(cell) = &row[2] else { panic!("{:?} is no text", row[2]) };
        assert!(cell.chars().count() <= 32_767);
        // Excel writes control characters, and a line break of the old Macintosh, in a way of its own.
        if !name.contains(|c: char| c.is_control()) {
            assert_eq!(cell, name);
        }
    }
}

#[test]
fn terminal_is_not_steered_and_lines_end() {
    let id = WORLD.text(&["sql", "--csv", "SELECT finding_id FROM marts.finding WHERE length(customer_name) > 9000 LIMIT 1"]);
    let id = id.lines().nth(1).expect("a finding").to_owned();
    for arguments in [
        &["findings"][..],
        &["analyze", "--quarter", "2026Q2"],
        &["sql", "SELECT customer_name, explanation FROM marts.finding"],
        &["explain", &id],
        &["map", "draft", "--out", WORLD.folder.path().join("draft").to_str().expect("UTF-8")],
    ] {
        let output = WORLD.seats.book.shortfall(arguments);
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("UTF-8")).concat();
        assert!(!said.contains(steers), "{arguments:?}: {:?}", said.chars().find(|c| steers(*c)));
        assert!(said.len() < 200_000, "{arguments:?} says {} bytes", said.len());
    }
    let table = WORLD.text(&["findings"]);
    let widest = table.lines().map(|line| line.chars().count()).max().unwrap_or_default();
    assert!(widest <= 161, "{widest}");
    assert!(table.lines().count() < 400, "a long name is cut, not broken over {} lines", table.lines().count());
}

#[test]
fn page_shows_names_as_text() {
    let html = std::fs::read_to_string(WORLD.report("--html", "hostile.html")).expect("a page");
    assert!(html.contains("&lt;script&gt;alert(1)&lt;&#x2f;script&gt;"), "the name is there");
    assert_eq!(html.matches("<script").count(), 1, "only the page's own");
    assert!(!html.contains("<img"));
    assert!(!html.contains(|c: char| steers(c) && !"\u{200f}\u{200e}".contains(c)));
}

/// What `tests/oracle/read_page.py` saw of a page.
fn read(pages: &[&Path]) -> Vec<Value> {
    let said = oracle("read_page.py", pages);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said: Value = serde_json::from_slice(&said.stdout).expect("JSON");
    said.as_array().expect("pages").clone()
}

/// The page in Chromium, with a mouse, with keys, on a phone, on paper, without JavaScript, and for axe-core. Needs Debian's `chromium`.
#[test]
fn page_works_in_a_browser_and_reaches_for_nothing() {
    let usual = super::export::two_quarters();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let plain = folder.path().join("plain.html");
    run(&usual, &["report", "--html", plain.to_str().expect("UTF-8")]);
    let hostile = WORLD.report("--html", "browser.html");
    let said = read(&[&plain, &hostile]);
    // To be looked at.
    for page in [&plain, &hostile] {
        let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join(page.with_extension("page.html").file_name().expect("a name"));
        std::fs::copy(page, copy).expect("copied");
    }
    for page in &said {
        assert_eq!(page["wrong"], json!([]), "{}", page["page"]);
        let sections = page["sections"].as_array().expect("sections");
        for section in ["From expected to billed", "By cause", "By customer", "By quarter", "Findings"] {
            assert!(sections.contains(&json!(section)), "{section} is missing: {sections:?}");
        }
    }
    assert_eq!(said[0]["customers"], json!(["Acme"]));
    assert_eq!(said[1]["customers"].as_array().map(Vec::len), Some(WORLD.names.len()));
}
