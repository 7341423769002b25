//! Exports that no source knows, read through a mapping file: what its cells mean, what it refuses, and what becomes of rows when it is mended.

use super::containers::zipped;
use super::support::{Place, Ran, SEATS, mended_seats, rows};
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use shortfall::ingest::mapped::{self, Mapped};
use shortfall::lake::{Lake, Table};
use std::path::Path;

/// Dicker Data: the price is for the whole term, also where it is billed monthly.
const DICKER: &str = r#"
system = "dicker"
title = "Dicker Data"

[[export]]
name = "details"
table = "vendor_usage"

[export.file]
format = "xlsx"
sheet = "DETAILS"

[export.cells]
dates = ["D-MON-YYYY"]
thousands = ","
signs = ["$"]

[export.columns]
customer_native_id = "TENANT ID"
customer_native_name = "TENANT NAME"
native_sku = "STOCK CODE"
native_name = "STOCK DESCRIPTION"
subject_id = "SUBSCRIPTION ID"
line_key = { join = ["REFERENCE", "CHARGE TYPE"] }
category = { column = "CHARGE TYPE", values = { "Cycle fee" = "usage", "*refund*" = "credit" } }
measure = { constant = "level" }
quantity = "QTY"
unit_cost = { column = "UNIT PRICE", divide = { column = "STOCK CODE", values = { "P1Y:*:1:" = 12 }, otherwise = 1 } }
cost = { multiply = ["QTY", "UNIT PRICE"], divide = { column = "STOCK CODE", values = { "P1Y:*:1:" = 12 }, otherwise = 1 } }
currency = { constant = "AUD" }
period_start = "START USAGE"
period_end = { column = "END USAGE", inclusive = true }
"#;

const HEADER: [&str; 14] = [
    "TENANT ID",
    "TENANT NAME",
    "SUBSCRIPTION ID",
    "STOCK CODE",
    "STOCK DESCRIPTION",
    "REFERENCE",
    "QTY",
    "CHARGE TYPE",
    "STATUS",
    "UNIT PRICE",
    "UNIT RRP",
    "REVALUATION PERIOD",
    "START USAGE",
    "END USAGE",
];

fn dicker_book() -> Vec<u8> {
    let mut book = Workbook::new();
    book.add_worksheet().set_name("Summary").expect("a name").write(0, 0, "Total due").expect("a cell");
    let sheet = book.add_worksheet().set_name("DETAILS").expect("a name");
    for (column, name) in (0..).zip(HEADER) {
        sheet.write(0, column, name).expect("a cell");
    }
    let rows = [
        ("P1Y:CFQ7TTC0LCHC:0002:1:", "Cycle fee", "$1,200.60", "1-Jan-2026", "31-Jan-2026"),
        ("P1M:CFQ7TTC0LH18:0001:1:", "Cycle fee", "$22.00", "1-Jan-2026", "31-Jan-2026"),
        ("P1M:CFQ7TTC0LH18:0001:1:", "Cancel refund", "-$11.00", "15-Jan-2026", "31-Jan-2026"),
        ("P1M:CFQ7TTC0LH18:0001:1:", "Something new", "$5.00", "1-Jan-2026", "31-Jan-2026"),
        ("P1M:CFQ7TTC0LH18:0001:1:", "Cycle fee", "5,00 €", "1-Jan-2026", "31-Jan-2026"),
        ("P1M:CFQ7TTC0LH18:0001:1:", "Cycle fee", "$5.00", "01/02/2026", "31-Jan-2026"),
    ];
    for (row, (code, kind, price, start, end)) in (1..).zip(rows) {
        for (column, text) in [
            (0, "t-1"),
            (1, "Alder Legal"),
            (2, "s-1"),
            (3, code),
            (4, "A licence"),
            (5, "r"),
            (7, kind),
            (9, price),
            (12, start),
            (13, end),
        ] {
            sheet.write(row, column, text).expect("a cell");
        }
        sheet.write(row, 6, 3).expect("a cell");
    }
    // A real number and real dates mean themselves, whatever is said of texts.
    let day = Format::new().set_num_format("yyyy-mm-dd");
    for (column, text) in [(0, "t-2"), (1, "Harbor"), (2, "s-2"), (3, "P1M:X:1:1:"), (4, "B"), (5, "r"), (7, "Cycle fee")] {
        sheet.write(7, column, text).expect("a cell");
    }
    sheet.write(7, 6, 2.5).expect("a cell");
    sheet.write(7, 9, 1234.5).expect("a cell");
    for (column, day_of_month) in [(12, 1), (13, 31)] {
        let date = ExcelDateTime::from_ymd(2026, 1, day_of_month).expect("a date");
        sheet.write_with_format(7, column, &date, &day).expect("a cell");
    }
    book.save_to_buffer().expect("memory")
}

fn with_mapping(place: &Place, files: &[&Path], mapping: &Path) -> Ran {
    place.ingest(files, &["--mapping", &mapping.display().to_string()])
}

#[track_caller]
fn cells(place: &Place, query: &str) -> Vec<Vec<String>> {
    let text = |cell: &serde_json::Value| cell.as_str().map_or_else(|| cell.to_string().replace("null", "NULL"), str::to_owned);
    place.sql(query).iter().map(|row| row.as_object().expect("a row").values().map(text).collect()).collect()
}

#[test]
fn what_is_being_read_keeps_its_mapping_when_the_file_is_loaded_again() {
    let text = DICKER.replace("dicker", "dicker_again");
    let current = || {
        let of_system = |map: &&&Mapped| map.source.system == "dicker_again";
        mapped::all().iter().find(of_system).copied().expect("a loaded export")
    };
    let load = || mapped::register(mapped::file::parse("dicker.toml", &text).expect("a mapping"));
    load();
    let (found, first) = (current().recognised(), current());
    load();
    assert!(!std::ptr::eq(current(), first), "the newer one recognises files");
    assert!(mapped::behind(found).is_some_and(|map| std::ptr::eq(map, first)));
    assert_eq!(mapped::all().iter().filter(|map| map.source.system == "dicker_again").count(), 1);
}

#[test]
fn a_distributors_workbook_means_what_its_mapping_says() {
    let place = Place::new();
    let mapping = place.write("dicker.toml", DICKER);
    let book = place.write("dicker_2026-02-02.xlsx", dicker_book());
    with_mapping(&place, &[&book], &mapping).says(1, &["dicker", "details", "3 rows of", "passed over"]);
    place.rejects_are(&[
        (5, "CHARGE TYPE", "Something new", "the mapping does not say what this means"),
        (6, "UNIT PRICE", "5,00 €", "not a number as the mapping says"),
        (7, "START USAGE", "01/02/2026", "not a date: expected %d-%b-%Y"),
    ]);
    let found = cells(
        &place,
        "SELECT source_row, customer_native_id, native_sku, category, quantity, unit_cost, cost, currency, period_start, period_end, line_key
         FROM core.vendor_usage ORDER BY source_row",
    );
    let (start, end) = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    let year = "P1Y:CFQ7TTC0LCHC:0002:1:";
    let month = "P1M:CFQ7TTC0LH18:0001:1:";
    assert_eq!(
        found,
        [
            ["2", "t-1", year, "usage", "3", "100.05", "300.15", "AUD", start, end, "r|Cycle fee"],
            ["3", "t-1", month, "usage", "3", "22", "66", "AUD", start, end, "r|Cycle fee"],
            ["4", "t-1", month, "credit", "3", "-11", "-33", "AUD", "2026-01-15T00:00:00Z", end, "r|Cancel refund"],
            ["8", "t-2", "P1M:X:1:1:", "usage", "2.5", "1234.5", "3086.25", "AUD", start, end, "r|Cycle fee"],
        ]
    );
    // The way back, without the mapping at hand.
    let batch = rows(&place.lake(), Table::Batch).remove(0);
    let lake = Lake::open(&place.lake()).expect("a lake");
    let shown = shortfall::ingest::original::original_rows(&lake, &batch["sha256"], "dicker", "details", &[4, 8]).expect("kept");
    assert!(shown[0].1.contains("Cancel refund") && shown[1].1.contains(r#""2026-01-31"]"#), "{shown:?}");
    assert_eq!(batch["mapping_sha256"].len(), 64);
    // Offered again, with and without the mapping, it is known.
    with_mapping(&place, &[&book], &mapping).says(0, &["1 files were ingested before"]);
    place.ingest(&[&book], &[]).says(0, &["1 files were ingested before"]);
}

#[test]
fn another_content_under_the_name_and_date_of_a_file_is_refused_and_a_later_date_corrects_it() {
    let place = Place::new();
    let seats = place.write("seats.toml", SEATS);
    let cut = place.write("seats_2026-05-04.csv", "client,sku,code,seats,price\nA,x,y,3,10.5\n");
    with_mapping(&place, &[&cut], &seats).says(0, &[]);
    let whole = place.write("seats_2026-05-04.csv", "client,sku,code,seats,price\nA,x,y,3,10.5\nB,x,z,4,14\n");
    let cost = || cells(&place, "SELECT sum(cost) AS cost, count(*) AS n FROM core.vendor_usage");
    with_mapping(&place, &[&whole], &seats).says(2, &["was ingested before with another content", "`--recorded-at`"]);
    assert_eq!(cost(), [["10.5", "1"]]);
    let late = ["--mapping", &seats.display().to_string(), "--recorded-at", "2026-05-05"];
    place.ingest(&[&whole], &late).says(0, &[]);
    assert_eq!(cost(), [["24.5", "2"]], "the row that both have counts once");
}

#[test]
fn a_mended_mapping_takes_the_place_of_the_one_before() {
    let place = Place::new();
    let csv = place.write("seats_2026-05-04.csv", "client,sku,code,seats,price\nA,x,y,3,10.5\nB,x,z,4,14\n");
    let first = place.write("first.toml", SEATS);
    with_mapping(&place, &[&csv], &first).says(0, &[]);
    assert_eq!(
        cells(&place, "SELECT sum(cost) AS c, min(period_end) AS e FROM core.vendor_usage"),
        [["24.5", "2026-06-01T00:00:00Z"]]
    );
    let mended = place.write("mended.toml", mended_seats());
    with_mapping(&place, &[&csv], &mended).says(0, &["seats"]);
    let found = cells(&place, "SELECT native_sku, cost FROM core_history.vendor_usage ORDER BY native_sku");
    assert_eq!(found, [["y", "10.5"], ["z", "14"]]);
    assert_eq!(rows(&place.lake(), Table::Batch).len(), 1);
    // Back again: the rows of the first are there already.
    with_mapping(&place, &[&csv], &first).says(0, &["seats"]);
    assert_eq!(cells(&place, "SELECT DISTINCT native_sku FROM core_history.vendor_usage"), [["x"]]);
    assert_eq!(cells(&place, "SELECT count(*) AS n FROM core_history.vendor_usage"), [["2"]]);
}

#[test]
fn delimited_text_of_any_tenant_is_read_as_its_mapping_says() {
    let place = Place::new();
    let mapping = place.write(
        "hub.toml",
        r#"
system = "msp_hub"
[[export]]
name = "charges"
table = "vendor_usage"
[export.file]
format = "csv"
separator = ";"
encoding = "windows-1252"
header_row = 3
name = "abrechnung*.csv"
[export.cells]
dates = ["%d.%m.%Y"]
decimal = ","
thousands = "."
signs = ["€"]
empty = ["-"]
unique = ["Beleg"]
[export.columns]
customer_native_id = "Kunde"
native_sku = "Artikel"
measure = { constant = "flow" }
quantity = { column = "Menge", negate = true }
cost = { column = "Betrag", required = true }
currency = { constant = "EUR" }
period_start = "Von"
period_end = { column = "Bis", inclusive = true }
"#,
    );
    let text = "Abrechnung\nStand;heute\nBeleg;Kunde;Artikel;Menge;Betrag;Von;Bis\n\
                1;Müller;A;-2;\"1.234,50 €\";01.07.2026;31.07.2026\n\
                2;Größe;B;-;0,5;01.07.2026;31.07.2026\n\
                2;Doppelt;B;1;1;01.07.2026;31.07.2026\n\
                3;Punkt;B;1;1234.5;01.07.2026;31.07.2026\n";
    let latin: Vec<u8> = text.chars().map(|c| if c == '€' { 0x80 } else { u8::try_from(u32::from(c)).expect("Latin") }).collect();
    let archive = place.write("post.zip", zipped(&[("Abrechnung_2026-08.csv", &latin)]));
    with_mapping(&place, &[&archive], &mapping).says(1, &[]);
    place.rejects_are(&[
        (6, "Beleg", "2", "the same key stands in row 5"),
        (7, "Betrag", "1234.5", "not a number as the mapping says"),
    ]);
    let found = cells(&place, "SELECT source_row, customer_native_id, quantity, cost FROM core.vendor_usage ORDER BY source_row");
    assert_eq!(found, [["4", "Müller", "2", "1234.5"], ["5", "Größe", "NULL", "0.5"]]);
    let batch = rows(&place.lake(), Table::Batch).remove(0);
    let lake = Lake::open(&place.lake()).expect("a lake");
    let shown = shortfall::ingest::original::original_rows(&lake, &batch["sha256"], "msp_hub", "charges", &[4]).expect("kept");
    assert_eq!(shown[0].1, "1;Müller;A;-2;1.234,50 €;01.07.2026;31.07.2026");
    // Another name is not meant.
    let other = place.write("other.csv", latin);
    with_mapping(&place, &[&other], &mapping).says(2, &["other.csv"]);
}

#[test]
fn json_records_and_tables_beside_are_read() {
    let place = Place::new();
    let mapping = place.write(
        "psa.toml",
        r#"
system = "homegrown"
[[export]]
name = "lines"
table = "contract_line"
[export.file]
format = "json"
records = "rows"
[export.cells]
dates = ["unix_millis"]
[export.columns]
contract_id = "contract.id"
line_id = "id"
native_sku = "item.code"
quantity = "count"
unit_price = { column = "cents", minor_units = true, divide = 12 }
billing_cycle = { constant = "monthly" }
effective_from = "since"
currency_is_no_column_here = "x"
[export.beside.contract]
contract_id = "contract.id"
customer_native_id = "contract.client"
currency = { constant = "USD" }
"#,
    );
    let json = place.write(
        "lines.json",
        r#"{"rows":[{"id":1,"contract":{"id":"c1","client":"k1"},"item":{"code":"x"},"count":3,"cents":12000,"since":"1764547200000"},
                   {"id":2,"contract":{"id":"c1","client":"k1"},"item":{"code":"y"},"count":"many","cents":1,"since":1764547200000}]}"#,
    );
    with_mapping(&place, &[&json], &mapping)
        .says(2, &["psa.toml`:19", "currency_is_no_column_here", "has no such column", "unit_price"]);
    let text = std::fs::read_to_string(&mapping).expect("the file").replace("currency_is_no_column_here = \"x\"\n", "");
    let mapping = place.write("psa.toml", text.replace("minor_units = true, ", ""));
    with_mapping(&place, &[&json], &mapping).says(1, &["homegrown", "lines"]);
    place.rejects_are(&[(2, "count", "many", "not a number")]);
    let query = "SELECT line.contract_id, line.line_id, line.quantity, line.unit_price, line.effective_from, contract.customer_native_id
                 FROM core_history.contract_line AS line JOIN core_history.contract AS contract ON line.contract_id = contract.contract_id";
    assert_eq!(cells(&place, query), [["c1", "1", "3", "1000", "2025-12-01T00:00:00Z", "k1"]]);
}

#[test]
fn what_is_wrong_with_a_mapping_is_said_with_file_line_and_key() {
    let place = Place::new();
    let csv = place.write("x.csv", "a,b\n1,2\n");
    for (from, to, line, said) in [
        ("system = \"dicker\"", "sytem = \"dicker\"", 2, "unknown field `sytem`, expected one of"),
        ("system = \"dicker\"", "system = \"Dicker Data\"", 2, "`system`: a name is lower-case"),
        ("table = \"vendor_usage\"", "table = \"usage\"", 7, "`table`: there is no table `usage`; known are vendor_usage"),
        ("format = \"xlsx\"", "format = \"excel\"", 10, "`format`: there is no format `excel`; known are csv, tsv"),
        ("sheet = \"DETAILS\"", "separator = \";\"", 11, "`separator`: has no meaning for format `xlsx`"),
        ("dates = [\"D-MON-YYYY\"]", "dates = [\"%d.%m\"]", 14, "`dates`: `%d.%m` is no form of date; known are iso"),
        ("thousands = \",\"", "thousands = \".\"", 15, "`thousands`: the same sign cannot be the decimal point too"),
        ("signs = [\"$\"]", "sings = [\"$\"]", 16, "unknown field `sings`"),
        (
            "measure = { constant = \"level\" }",
            "measure = { constant = \"seats\" }",
            26,
            "`measure`: `seats` is not allowed; known are flow, level",
        ),
        ("\"Cycle fee\" = \"usage\"", "\"Cycle fee\" = \"fee\"", 25, "`category`: `fee` is not allowed; known are usage"),
        ("constant = \"AUD\"", "constant = \"Dollar\"", 30, "`currency`: `Dollar` is no currency code"),
        ("inclusive = true", "inclusiv = true", 32, "`period_end`: unknown field `inclusiv`"),
        (
            "quantity = \"QTY\"",
            "quantity = { column = \"QTY\", inclusive = true }",
            27,
            "`quantity`: `inclusive` has no meaning here",
        ),
        ("quantity = \"QTY\"", "quantity = { negate = true }", 27, "`quantity`: say one of `column`"),
        (
            "values = { \"P1Y:*:1:\" = 12 }, otherwise = 1 } }\ncost",
            "values = { \"P1Y:*:1:\" = 0 }, otherwise = 1 } }\ncost",
            28,
            "`unit_cost`: `0` is no number above zero",
        ),
        ("period_start = \"START USAGE\"\n", "", 18, "`columns`: `vendor_usage` needs `period_start`"),
        ("currency = { constant = \"AUD\" }\n", "", 18, "`columns`: `cost` needs `currency`"),
    ] {
        assert!(DICKER.contains(from), "{from}");
        let mapping = place.write("broken.toml", DICKER.replacen(from, to, 1));
        let ran = with_mapping(&place, &[&csv], &mapping);
        ran.says(2, &[said]);
        let place = format!("broken.toml`:{line}: ");
        assert!(ran.err.contains(&place) || said.starts_with("`columns`"), "{place}\n{ran}");
    }
    let mapping = place.write("dicker.toml", DICKER);
    let mut near = Workbook::new();
    let sheet = near.add_worksheet().set_name("DETAILS").expect("a name");
    for (column, name) in (0..).zip(HEADER.iter().filter(|name| **name != "QTY")) {
        sheet.write(0, column, *name).expect("a cell");
    }
    let book = place.write("near.xlsx", near.save_to_buffer().expect("memory"));
    with_mapping(&place, &[&book], &mapping)
        .says(2, &["near.xlsx!DETAILS` is meant by dicker details (dicker.toml) but lacks the columns QTY"]);
    let twin = place.write("twin.toml", DICKER.replace("\"dicker\"", "\"twin\""));
    let whole = place.write("whole.xlsx", dicker_book());
    let both = ["--mapping", &mapping.display().to_string(), "--mapping", &twin.display().to_string()];
    place.ingest(&[&whole], &both).says(2, &["is meant by dicker details (dicker.toml) and by twin details (twin.toml)"]);
}

// --- drafts

/// Answers the questions of a draft.
fn answered(text: &str, answers: &[(&str, &str)]) -> String {
    let answer = |line: &str| {
        let found = answers.iter().find(|(key, _)| line.starts_with(&format!("{key} = ")));
        found.map_or_else(|| line.to_owned(), |(key, value)| format!("{key} = {value}"))
    };
    text.lines().map(answer).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_draft_asks_what_it_cannot_know_and_lands_when_answered() {
    let place = Place::new();
    let csv = place.write(
        "hub_2026-09-02.csv",
        "Report;of;August\n\nCustomerId;ProductName;SKU;Qty;PartnerTotal;ValidFrom;ValidTo;Note\n\
         t-1;Business Premium;CFQ7:0001;3;66,60 €;01/08/2026;10/08/2026;x\n\
         t-2;Business Premium;CFQ7:0001;1;1.022,20 €;01/08/2026;10/08/2026;\n",
    );
    let draft = place.path("hub.toml");
    let out = draft.display().to_string();
    super::support::shortfall(&["map", "draft", &csv.display().to_string(), "-o", &out]).says(0, &["questions are open"]);
    let text = std::fs::read_to_string(&draft).expect("the draft");
    for line in [
        "format = \"csv\"",
        "separator = \";\"",
        "header_row = 2",
        "customer_native_id = \"CustomerId\"",
        "native_sku = \"SKU\"",
        "quantity = \"Qty\"",
        "cost = \"PartnerTotal\"",
        "period_start = \"ValidFrom\"",
        "decimal = \",\"",
        "thousands = \".\"",
        "signs = [\"€\"]",
        "# not used: Note",
        "\"01/08/2026\" can be read as \"us\" or \"%d/%m/%Y\"; which is it?",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    // Not until every question is answered.
    with_mapping(&place, &[&csv], &draft).says(2, &["hub.toml`:4", "`system`"]);
    let mut answers = vec![("system", "\"hub\"")];
    for (key, value) in
        [("dates", "[\"%d/%m/%Y\"]"), ("currency", "{ constant = \"EUR\" }"), ("measure", "{ constant = \"level\" }")]
    {
        let draft = place.write("hub.toml", answered(&text, &answers));
        with_mapping(&place, &[&csv], &draft).says(2, &[&format!("`{key}`: the question is still open")]);
        answers.push((key, value));
    }
    let draft = place.write("hub.toml", answered(&text, &answers));
    with_mapping(&place, &[&csv], &draft).says(0, &["hub"]);
    let found = cells(
        &place,
        "SELECT source_row, customer_native_id, quantity, cost, period_start, period_end FROM core.vendor_usage ORDER BY 1",
    );
    let (start, end) = ("2026-08-01T00:00:00Z", "2026-08-11T00:00:00Z");
    assert_eq!(found, [["3", "t-1", "3", "66.6", start, end], ["4", "t-2", "1", "1022.2", start, end]]);
    // A draft does not overwrite what somebody has answered.
    super::support::shortfall(&["map", "draft", &csv.display().to_string(), "-o", &out]).says(2, &["could not write"]);
}

#[test]
fn drafts_of_workbooks_json_and_parquet_name_their_columns() {
    let place = Place::new();
    let book = place.write("dicker.xlsx", dicker_book());
    let ran =
        super::support::shortfall(&["map", "draft", &book.display().to_string(), "--sheet", "DETAILS", "--system", "dicker"]);
    ran.says(
        0,
        &[
            "format = \"xlsx\"",
            "sheet = \"DETAILS\"",
            "customer_native_id = \"TENANT ID\"",
            "native_sku = \"STOCK CODE\"",
            "system = \"dicker\"",
        ],
    );
    let json =
        place.write("x.json", r#"{"count":1,"rows":[{"client":{"id":"a"},"sku":"s","qty":2,"total":1.5,"date":"2026-08-01"}]}"#);
    let ran = super::support::shortfall(&["map", "draft", &json.display().to_string()]);
    ran.says(0, &["format = \"json\"", "records = \"rows\"", "customer_native_id = \"client.id\"", "dates = [\"iso\"]"]);
    let cur = place.write("cur.parquet", super::containers::cur_2_parquet(parquet::basic::Compression::SNAPPY));
    super::support::shortfall(&["map", "draft", &cur.display().to_string()])
        .says(0, &["format = \"parquet\"", "currency = \"line_item_currency_code\""]);
    let ran = super::support::shortfall(&["map", "draft", &place.write("e.csv", "").display().to_string()]);
    ran.says(2, &["e.csv` is empty"]);
}
