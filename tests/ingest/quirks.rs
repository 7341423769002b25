//! The register of quirks: each habit of real exports that has broken readers stands in `tests/sources/quirks.csv` with a fixture that has
//! it and a test that says what it means. A detector per quirk looks whether the fixture really has it; a quirk without a fixture, a
//! fixture without its quirk and a test that does not exist are named.

use super::support::{Place, fixtures, on_lake};
use flate2::read::{GzDecoder, MultiGzDecoder};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Files of a fixture, decompressed.
struct Fixture {
    raw: Vec<Vec<u8>>,
    texts: Vec<String>,
}

impl Fixture {
    fn read(names: &str) -> Self {
        let raw: Vec<Vec<u8>> =
            names.split(';').map(|name| std::fs::read(fixtures().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))).collect();
        let text = |bytes: &Vec<u8>| {
            let mut unpacked = Vec::new();
            if bytes.starts_with(&[0x1f, 0x8b]) {
                MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut unpacked).expect("gzip");
            } else {
                unpacked.clone_from(bytes);
            }
            String::from_utf8_lossy(&unpacked).into_owned()
        };
        let texts = raw.iter().map(text).collect();
        Self { raw, texts }
    }

    fn text(&self) -> &str {
        &self.texts[0]
    }

    fn has(&self, text: &str) -> bool {
        self.texts.iter().any(|content| content.contains(text))
    }

    /// Records of the first file as CSV, header first.
    fn table(&self) -> Vec<Vec<String>> {
        table(self.text())
    }

    /// Cells of a column of a file, by a name in any case.
    fn column(&self, file: usize, name: &str) -> Vec<String> {
        let rows = table(&self.texts[file]);
        let at = rows[0].iter().position(|cell| cell.trim().eq_ignore_ascii_case(name));
        at.map(|at| rows[1..].iter().filter_map(|row| row.get(at).cloned()).collect()).unwrap_or_default()
    }

    /// Cells, or scalars of JSON, of all files.
    fn words(&self) -> Vec<String> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || ".-+:/'".contains(c);
        self.texts.iter().flat_map(|text| text.split(|c| !is_part(c)).map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    fn any_word(&self, fits: impl Fn(&str) -> bool) -> bool {
        self.words().iter().any(|word| fits(word))
    }
}

fn table(text: &str) -> Vec<Vec<String>> {
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    reader.records().map(|record| record.expect("a record").iter().map(str::to_owned).collect()).collect()
}

fn decimals(word: &str) -> usize {
    let word = word.trim_start_matches(['\'', '-']);
    let (mantissa, exponent) = word.split_once(['e', 'E']).unwrap_or((word, "0"));
    let Some((whole, fraction)) = mantissa.split_once('.') else { return 0 };
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    match exponent.parse::<i64>() {
        Ok(exponent) if is_number(whole) && is_number(fraction) => {
            usize::try_from(i64::try_from(fraction.len()).expect("short") - exponent).unwrap_or(0)
        }
        _ => 0,
    }
}

/// Whether a word has this form: `9` stands for a digit, `#` for one digit or two, everything else for itself.
fn is_like(word: &str, form: &str) -> bool {
    let mut rest = word.as_bytes();
    for wanted in form.bytes() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let taken = match wanted {
            b'9' => usize::from(digits >= 1),
            b'#' => digits.min(2),
            other => usize::from(rest.first() == Some(&other)),
        };
        if taken == 0 {
            return false;
        }
        rest = &rest[taken..];
    }
    rest.is_empty()
}

fn number(text: &str) -> f64 {
    text.trim_start_matches('\'').parse().unwrap_or(f64::NAN)
}

/// Fraction digits of the seconds of an ISO instant.
fn fraction(word: &str) -> Option<usize> {
    let time = word.split_once('T').filter(|(date, _)| is_like(date, "9999-99-99"))?.1;
    time.split_once('.').map(|(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count())
}

type Detector = fn(&Fixture) -> bool;

/// Every quirk with the look of it.
const QUIRKS: &[(&str, Detector)] = &[
    ("bom", |f| f.raw[0].starts_with(b"\xef\xbb\xbf")),
    ("repeated_header", |f| f.table()[1..].contains(&f.table()[0])),
    ("several_gzip_members", |f| {
        let mut first = Vec::new();
        GzDecoder::new(f.raw[0].as_slice()).read_to_end(&mut first).expect("gzip");
        first.len() < f.text().len()
    }),
    ("csv_in_zip", |f| f.raw[0].starts_with(b"PK") && f.has(".csv")),
    ("other_columns", |f| f.table()[0].iter().any(|c| c == "somethingNew") && f.table()[0].iter().any(|c| c == "subscriptionid")),
    ("bilingual_header", |f| f.table()[0].iter().filter(|cell| cell.contains(" (") && cell.ends_with(')')).count() > 3),
    ("null_literal", |f| f.table().concat().iter().any(|cell| cell == "NULL")),
    ("empty_text", |f| f.table().concat().iter().any(String::is_empty)),
    ("absent_property", |f| {
        let records: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(f.text()).expect("records");
        records.iter().any(|record| record.contains_key("cancelledDate"))
            && records.iter().any(|r| !r.contains_key("cancelledDate"))
    }),
    ("leading_apostrophe", |f| f.any_word(|word| word.starts_with('\'') && number(word).is_finite())),
    ("eighteen_decimals", |f| f.any_word(|word| decimals(word) == 18)),
    ("more_than_eighteen_decimals", |f| f.any_word(|word| decimals(word) > 18)),
    ("zero_in_e_notation", |f| f.has("'0E-20")),
    ("e_notation", |f| f.any_word(|word| word.contains("E-") && word.contains('.') && number(word).is_finite())),
    ("padded_zeros", |f| f.any_word(|word| is_like(word, "0009"))),
    ("padded_us_date", |f| f.any_word(|word| is_like(word, "09/09/9999"))),
    ("unpadded_us_date", |f| f.any_word(|word| is_like(word, "9/9/9999"))),
    ("iso_without_fraction", |f| f.any_word(|word| is_like(word, "9999-99-99T99:99:99Z"))),
    ("iso_with_3_digits", |f| f.any_word(|word| fraction(word) == Some(3))),
    ("iso_with_7_digits", |f| f.any_word(|word| fraction(word) == Some(7))),
    ("iso_with_offset", |f| f.any_word(|word| fraction(word).is_some() && word.ends_with("-08:00"))),
    ("iso_without_seconds", |f| f.any_word(|word| is_like(word, "9999-99-99T99:99Z"))),
    ("iso_with_a_space", |f| f.table().concat().iter().any(|cell| is_like(cell, "9999-99-99 99:99:99"))),
    ("iso_with_utc", |f| f.table().concat().iter().any(|cell| is_like(cell, "9999-99-99 99:99:99 UTC"))),
    ("unix_seconds", |f| f.any_word(|word| is_like(word, "1799999999") || is_like(word, "1899999999"))),
    ("millis_as_text", |f| f.texts.iter().any(|t| t.split('"').any(|part| is_like(part, "1999999999999")))),
    ("negative_quantity_positive_price", |f| {
        let pairs = f.column(0, "BillableQuantity").into_iter().zip(f.column(0, "EffectiveUnitPrice"));
        pairs.into_iter().any(|(quantity, price)| number(&quantity) < 0.0 && number(&price) > 0.0)
    }),
    ("both_rows_of_a_seat_change", |f| {
        let changes = f.column(0, "ChargeType").into_iter().zip(f.column(0, "Subtotal"));
        let signs: BTreeSet<bool> =
            changes.filter(|(kind, _)| kind == "addQuantity").map(|(_, sum)| number(&sum) < 0.0).collect();
        signs.len() == 2
    }),
    ("credit_document_with_positive_sign", |f| f.has("\"credit_note\"") && !f.has("\"amount\":-") && !f.has("\"amount\": -")),
    ("json_in_csv", |f| f.table().concat().iter().any(|cell| cell.starts_with("{\"") && cell.ends_with('}'))),
    ("tags_without_braces", |f| f.column(0, "Tags").iter().any(|cell| cell.starts_with('"') && cell.contains("\": \""))),
    ("json_array_as_text", |f| f.table().concat().iter().any(|cell| cell.starts_with("[{\"") && cell.ends_with(']'))),
    ("invoice_id_comes_later", |f| {
        let empty = |file: usize| f.column(file, "bill/InvoiceId").iter().all(String::is_empty);
        empty(0) && !empty(1) && !f.column(1, "bill/InvoiceId").is_empty()
    }),
    ("unbilled_file_shrinks_and_returns", |f| {
        let days = |file: usize| f.column(file, "UsageDate").into_iter().collect::<BTreeSet<_>>();
        days(1).is_subset(&days(0)) && days(1).len() < days(0).len() && days(0).is_subset(&days(2))
    }),
    ("same_day_overwrite", |f| {
        let line = |file: usize| {
            let page: serde_json::Value = serde_json::from_str(&f.texts[file]).expect("a page");
            (page["content"][1]["usageDate"].clone(), page["content"][1]["partnerTotal"].clone())
        };
        line(0).0 == line(1).0 && line(0).1 != line(1).1
    }),
    ("several_currencies", |f| f.has("\"usd\"") && f.has("\"jpy\"")),
    ("exchange_rate_with_its_date", |f| {
        f.column(0, "PCToBCExchangeRate").iter().any(|rate| number(rate) < 1.0)
            && f.column(0, "PCToBCExchangeRateDate").iter().any(|day| is_like(day, "#/#/9999"))
    }),
    ("truncated_not_rounded", |f| {
        let columns = ["EffectiveUnitPrice", "BillableQuantity", "Subtotal"].map(|name| f.column(0, name));
        (0..columns[0].len()).any(|row| {
            let [price, quantity, total] = [0, 1, 2].map(|at| number(&columns[at][row]));
            let cents = price * quantity * 100.0;
            (total * 100.0 - cents.floor()).abs() < 1e-6 && cents.round() > cents.floor()
        })
    }),
    ("trial", |f| f.has("\"isTrial\": true") || f.has("\"isTrial\":true")),
    ("free_units", |f| {
        f.any_word(|_| true) && f.text().split("\"lessIncluded\":").skip(1).any(|rest| !rest.trim_start().starts_with('0'))
    }),
    ("minimum_quantity", |f| f.column(0, "minimum_quantity").iter().any(|cell| number(cell) > 0.0)),
    ("slash_date", |f| f.has("/Date(")),
    ("service_account", |f| f.has("\"isserviceaccount\": true") || f.has("\"ignoreautomatedbilling\": true")),
    ("free_units_of_a_rule", |f| f.has("\"qty_free\"")),
    ("credit_document_of_an_accounting_system", |f| {
        f.has("\"CreditNotes\"") && !f.has("\"LineAmount\":-") && !f.has("\"LineAmount\": -")
    }),
    ("heading_with_object_and_colon", |f| f.table()[0].iter().any(|cell| cell.starts_with("Invoice Item: "))),
    ("shell_query_response", |f| f.has("\"QueryResponse\"")),
    ("shell_list", |f| f.has("\"list\"") && f.text().trim_start().starts_with('{')),
    ("shell_record_count", |f| f.has("\"record_count\"")),
    ("shell_bare_array", |f| f.text().trim_start().starts_with('[')),
    ("shell_content", |f| f.has("\"content\"") && f.text().trim_start().starts_with('{')),
    ("shell_data", |f| f.has("\"data\"") && f.text().trim_start().starts_with('{')),
    ("shell_of_its_entity", |f| f.has("\"subscriptions\"") && f.text().trim_start().starts_with('{')),
    ("shell_items", |f| f.has("\"items\"") && f.text().trim_start().starts_with('{')),
    ("thousands_separator", |f| f.table().concat().iter().any(|cell| is_like(cell.trim_start_matches('$'), "#,999.99"))),
    ("currency_sign", |f| f.table().concat().iter().any(|cell| cell.starts_with('$')) && f.has("AUD ")),
    ("day_month_name_year", |f| f.any_word(|word| is_like(word, "9-JAN-9999")) && f.any_word(|word| is_like(word, "#-Jan-9999"))),
    ("comma_decimal", |f| f.text().split([';', '"']).any(|cell| is_like(cell, "#,99 €"))),
    // The manifest is no export; what its eTag says is that a blob of the same invoice has other content.
    ("etag_changes", |f| f.table()[0] == table(&f.texts[1])[0] && f.texts[0] != f.texts[1]),
    ("shell_json_lines", |f| {
        f.text().lines().count() > 1 && f.text().lines().all(|line| line.starts_with('{') && line.ends_with('}'))
    }),
];

/// Quirk, seen in, fixture, test.
fn registered() -> Vec<[String; 4]> {
    let mut reader = csv::Reader::from_path(fixtures().join("quirks.csv")).expect("the register");
    reader.records().map(|row| row.map(|row| [0, 1, 2, 3].map(|at| row[at].to_owned())).expect("four cells")).collect()
}

/// Names of the test functions of this repository.
fn tests() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let files = walkdir::WalkDir::new(folder).into_iter().map(|entry| entry.expect("an entry").into_path());
    let sources = files.filter(|path| path.extension().is_some_and(|e| e == "rs"));
    let texts: Vec<String> = sources.map(|path| std::fs::read_to_string(path).expect("UTF-8")).collect();
    let names = texts.iter().flat_map(|text| text.split("fn ").skip(1).filter_map(|rest| rest.split('(').next()));
    names.map(str::to_owned).collect()
}

#[test]
fn every_quirk_of_real_exports_is_in_a_fixture_that_lands() {
    let (registered, tests) = (registered(), tests());
    let mut wrong = Vec::new();
    for (quirk, _) in QUIRKS {
        if !registered.iter().any(|row| row[0] == *quirk) {
            wrong.push(format!("{quirk}: no fixture in tests/sources/quirks.csv"));
        }
    }
    let mut files: BTreeSet<PathBuf> = BTreeSet::new();
    for [quirk, seen_in, fixture, test] in &registered {
        match QUIRKS.iter().find(|(name, _)| name == quirk) {
            None => wrong.push(format!("{quirk}: no detector")),
            Some((_, is_in)) if !is_in(&Fixture::read(fixture)) => wrong.push(format!("{quirk}: is not in {fixture}")),
            Some(_) => {}
        }
        if !tests.contains(test) {
            wrong.push(format!("{quirk}: there is no test {test}"));
        }
        if seen_in.is_empty() {
            wrong.push(format!("{quirk}: seen where?"));
        }
        files.extend(fixture.split(';').map(|name| fixtures().join(name)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let place = Place::new();
    let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let mappings = files.iter().map(|file| file.with_extension("toml")).filter(|file| file.exists());
    let options: Vec<String> = mappings.flat_map(|file| ["--mapping".to_owned(), file.display().to_string()]).collect();
    place.ingest(&paths, &options.iter().map(String::as_str).collect::<Vec<_>>()).says(0, &[]);
    assert_eq!(place.count("core.batch"), files.len() as u64);
    assert_eq!(place.count("core.reject"), 0);
    assert_eq!(place.count("core.batch WHERE file LIKE '%quirk_members%' AND rows_accepted = 3"), 1, "rows of the second member");
    assert_eq!(place.count("core.batch WHERE file LIKE '%quirk_columns%' AND rows_accepted = 1"), 1);
    assert_eq!(place.count("core.batch WHERE file LIKE '%quirk_export.zip!%' AND rows_accepted = 1"), 1);
}

#[test]
fn detectors_see_nothing_in_a_file_that_is_as_it_should_be() {
    let plain = Fixture { raw: vec![b"a,b\n1,2\n".to_vec()], texts: vec!["a,b\n1,2\n".to_owned()] };
    let of_text = [
        "bom",
        "repeated_header",
        "bilingual_header",
        "null_literal",
        "empty_text",
        "leading_apostrophe",
        "eighteen_decimals",
        "more_than_eighteen_decimals",
        "e_notation",
        "padded_zeros",
        "padded_us_date",
        "unpadded_us_date",
        "iso_with_utc",
        "json_in_csv",
        "tags_without_braces",
        "truncated_not_rounded",
        "shell_json_lines",
        "minimum_quantity",
    ];
    for (quirk, is_in) in QUIRKS.iter().filter(|(name, _)| of_text.contains(name)) {
        assert!(!is_in(&plain), "{quirk}");
    }
}

#[test]
fn seat_changes_net_and_truncated_totals_stay_as_they_are() {
    let place = Place::new();
    place.ingest(&[&fixtures().join("microsoft_csp/quirk_seat_change.csv")], &[]).says(0, &[]);
    let rows = place.sql("SELECT sum(quantity) AS seats, sum(cost) AS cost, count(*) AS n FROM core.vendor_usage");
    assert_eq!((&rows[0]["seats"], &rows[0]["cost"], &rows[0]["n"]), (&"2".into(), &"18.16".into(), &"2".into()));
    let place = Place::new();
    place.ingest(&[&fixtures().join("microsoft_csp/quirk_truncation.csv")], &[]).says(0, &[]);
    assert_eq!(place.count("core.vendor_usage WHERE cost = 63.58 AND quantity = 7 AND unit_cost = 9.0839"), 1);
    assert_eq!(place.count("core.vendor_usage WHERE cost = 27.25"), 1);
}

/// What a person reads in the two spreadsheets.
#[test]
fn spreadsheet_spellings_mean_what_a_mapping_says() {
    let ingested = |name: &str| {
        let place = Place::new();
        let file = fixtures().join("mapping").join(name);
        place
            .ingest(&[&file.with_extension("csv")], &["--mapping", &file.with_extension("toml").display().to_string()])
            .says(0, &[]);
        assert_eq!(place.count("core.reject"), 0);
        place
    };
    let rows = |place: &Place, query: &str| -> Vec<String> {
        let text = |cell: &serde_json::Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
        let row = |row: &serde_json::Value| row.as_object().expect("a row").values().map(text).collect::<Vec<_>>().join(" ");
        place.sql(query).iter().map(row).collect()
    };
    let usage = "SELECT line_key, quantity, cost, currency, substr(CAST(period_start AS VARCHAR), 1, 10) AS s,
        substr(CAST(period_end AS VARCHAR), 1, 10) AS e FROM core.vendor_usage ORDER BY line_key";
    assert_eq!(
        rows(&ingested("quirk_distributor"), usage),
        [
            "R-1 1250 27500 AUD 2026-01-01 2026-02-01",
            "R-2 -3 -66 AUD 2026-01-15 2026-02-01",
            "R-3 2 18.1 AUD 2026-02-03 2026-03-01",
        ]
    );
    let lines = "SELECT invoice_id, customer_native_id, quantity, amount, currency FROM core.invoice_line ORDER BY invoice_id";
    assert_eq!(
        rows(&ingested("quirk_localised"), lines),
        [
            "RE-1001 Praxis Müller 1024.5 22539 EUR",
            "RE-1002 Praxis Müller 1.25 27.5 EUR",
            "RE-1003 Anwälte Groß & Söhne 340 -8.5 EUR",
        ]
    );
}

#[test]
fn late_rows_shrinking_files_and_overwritten_days_of_the_fixtures_count_once() {
    for (system, files, sums) in [
        ("aws_cur", vec!["quirk_open_2026-07-10.csv", "quirk_final_2026-08-07.csv"], ["0.75", "1"]),
        (
            "microsoft_csp",
            vec!["quirk_unbilled_2026-09-04.csv", "quirk_unbilled_2026-09-06.csv", "quirk_unbilled_2026-09-08.csv"],
            ["6.66", "11.1"],
        ),
        ("pax8", vec!["quirk_usage_2026-07-10T0800.json", "quirk_usage_2026-07-10T2000.json"], ["3", "6"]),
    ] {
        let place = Place::new();
        let paths: Vec<PathBuf> = files.iter().rev().map(|name| fixtures().join(system).join(name)).collect();
        place.ingest(&paths.iter().map(PathBuf::as_path).collect::<Vec<_>>(), &[]).says(0, &[]);
        let sum = |as_of: &[&str]| {
            let query = "SELECT sum(cost) AS cost FROM core.vendor_usage";
            let ran = on_lake(&place.lake(), &[&["sql", query, "--output", "json"], as_of].concat());
            ran.says(0, &[]).json()[0]["cost"].as_str().unwrap_or("NULL").to_owned()
        };
        let earlier = match system {
            "aws_cur" => "2026-07-31",
            "microsoft_csp" => "2026-09-07",
            _ => "2026-07-10T12:00:00Z",
        };
        assert_eq!([sum(&["--as-of", earlier]), sum(&[])], sums, "{system}");
    }
    // The currency is the billing currency; the rate is the file's business.
    let place = Place::new();
    place.ingest(&[&fixtures().join("microsoft_csp/quirk_unbilled_2026-09-04.csv")], &[]).says(0, &[]);
    assert_eq!(place.count("core.vendor_usage WHERE currency = 'EUR'"), 3);
}
