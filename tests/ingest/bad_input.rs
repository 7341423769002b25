//! Broken input: a clear message or a reject row each, never a panic, never a lost row.

use super::support::{Place, binary_junk, fixtures, shortfall};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fmt::Write as _;
use std::io::Write as _;

const FX: &str = "date,from_currency,to_currency,rate,source\n";
const CUSTOMERS: &str = "system,native_id,customer_key,customer_name\n";
const COSTS: &str =
    "ChargePeriodStart,ChargePeriodEnd,BilledCost,EffectiveCost,BillingCurrency,ChargeCategory,ServiceName,SubAccountId\n";
const RECON: &str = "CustomerId,ProductId,SkuId,SubscriptionId,ChargeStartDate,ChargeEndDate,EffectiveUnitPrice,BillableQuantity,Subtotal,Currency,ProductName\n";

fn cost(day: u32, cost: &str) -> String {
    format!("2026-07-{day:02},2026-07-{:02},{cost},{cost},USD,Usage,EC2,acc-1\n", day + 1)
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

// --- files that say nothing

#[test]
fn an_empty_file_is_named() {
    for content in ["", "\n\r\n  \n", "\u{feff}"] {
        let (_place, ran) = Place::offer("nothing.csv", content);
        ran.says(2, &["nothing.csv` is empty", "none of the files could be used"]);
    }
}

#[test]
fn a_header_without_rows_lands_with_zero_rows() {
    for header in [FX.to_owned(), FX.trim_end().to_owned(), format!("\u{feff}{}", FX.replace('\n', "\r\n"))] {
        let (place, ran) = Place::offer("fx.csv", header);
        ran.says(0, &["fx"]);
        assert_eq!(place.counts(), (0, 0, 0));
    }
}

#[test]
fn json_without_records_is_named() {
    for content in ["[]", "{\"object\":\"list\",\"data\":[]}", "[][]"] {
        let (_place, ran) = Place::offer("page.json", content);
        ran.says(2, &["page.json` holds no records"]);
    }
}

#[test]
fn binary_junk_is_named() {
    let junk = binary_junk();
    let (_place, ran) = Place::offer("photo.csv", &junk);
    ran.says(2, &["photo.csv` is not a text file"]);
    let without_zero: Vec<u8> = junk.iter().map(|&b| if b == 0 { 1 } else { b }).collect();
    let (_place, ran) = Place::offer("photo.csv", without_zero);
    ran.says(2, &["photo.csv` is not a text file"]);
}

#[test]
fn one_line_of_ten_megabytes_is_named() {
    let (_place, ran) = Place::offer("long.csv", "x".repeat(10 << 20));
    ran.says(2, &["long.csv` is not a text file"]);
    let (_place, ran) = Place::offer("long.csv", "x,".repeat(5 << 20));
    ran.says(2, &["long.csv` is no export that Shortfall knows"]);
    let (_place, ran) = Place::offer("long.json", format!("[{}", "[".repeat(10 << 20)));
    ran.says(2, &["long.json`:1:", "broken JSON"]);
}

#[test]
fn a_header_line_of_ten_megabytes_loses_no_row() {
    let (place, ran) = Place::offer(
        "fx.csv",
        format!("{}{}\n2026-06-30,EUR,USD,1.1,ECB,\n", FX.trim_end(), ",".to_owned() + &"x".repeat(10 << 20)),
    );
    ran.says(0, &[]);
    assert_eq!(place.counts(), (1, 1, 0));
}

#[test]
fn one_cell_of_ten_megabytes_is_a_cell() {
    let long = "x".repeat(10 << 20);
    let (place, ran) =
        Place::offer("fx.csv", format!("{FX}2026-06-30,EUR,USD,1.1,{long}\n2026-06-30,GBP,USD,1.2,{long},too many\n"));
    ran.says(1, &["1 rows of", "fx.csv"]);
    assert_eq!(place.counts(), (2, 1, 1));
    let (row, column, value, reason) = place.rejects().remove(0);
    assert_eq!((row, column.as_str(), reason.as_str()), (3, "", "the row has 6 fields, the header has 5"));
    assert!(value.len() < 300, "{}", value.len());
}

// --- headers

#[test]
fn a_wrong_header_says_what_stands_there() {
    let (_place, ran) = Place::offer("wrong.csv", "Datum,Betrag\n2026-01-01,5\n");
    ran.says(2, &["wrong.csv` is no export that Shortfall knows (its columns begin Datum, Betrag)", "shortfall sources"]);
}

#[test]
fn a_header_that_lacks_a_column_says_which() {
    let (_place, ran) = Place::offer("fx.csv", "date,from_currency,to_currency,price\n2026-01-01,EUR,USD,1.1\n");
    ran.says(2, &["fx.csv` looks like mapping fx but lacks the columns rate"]);
    let (_place, ran) = Place::offer("recon.csv", RECON.replace(",Currency", ""));
    ran.says(2, &["recon.csv` looks like microsoft_csp licence_reconciliation but lacks the columns Currency"]);
}

#[test]
fn other_separators_are_read_where_the_header_is_a_known_one() {
    for separator in [";", "\t", "|"] {
        let (place, ran) = Place::offer("fx.csv", format!("{FX}2026-06-30,EUR,USD,1.1,ECB\n").replace(',', separator));
        ran.says(0, &[]);
        assert_eq!(place.count("core_history.fx WHERE rate = 1.1 AND source = 'ECB'"), 1);
    }
    // What the commas of its numbers mean is not concluded from that.
    let (place, ran) = Place::offer("fx.csv", format!("{}2026-06-30;EUR;USD;1,1;ECB\n", FX.replace(',', ";")));
    ran.says(1, &[]);
    place.rejects_are(&[(2, "rate", "1,1", "not a number")]);
    let (_place, ran) = Place::offer("other.csv", "a;b\n1;2\n");
    ran.says(2, &["other.csv` is no export that Shortfall knows (its columns begin a;b)"]);
}

#[test]
fn titles_above_the_header_are_no_rows_and_move_the_numbers() {
    let (place, ran) = Place::offer("fx.csv", format!("sep=,\nRates of June\n\n{FX}2026-06-30,EUR,USD,1.1,ECB\nx,EUR,USD,1,\n"));
    ran.says(1, &[]);
    assert_eq!(place.counts(), (2, 1, 1));
    // Empty lines are not counted, titles are.
    place.rejects_are(&[(5, "date", "x", "not a date")]);
}

#[test]
fn a_header_in_other_order_case_and_quotes_is_the_same_header() {
    let (place, ran) = Place::offer(
        "fx.csv",
        "\u{feff}\"RATE\", Source ,\"To_Currency\",extra,from_currency,Date\r\n1.1,ECB,usd,?,EUR,2026-06-30\r\n",
    );
    ran.says(0, &[]);
    assert_eq!(place.counts(), (1, 1, 0));
    assert_eq!(
        place.count("core_history.fx WHERE from_currency = 'EUR' AND to_currency = 'USD' AND rate = 1.1 AND source = 'ECB'"),
        1
    );
}

#[test]
fn a_header_repeated_within_the_file_is_no_row() {
    let row = |n: u32| format!("c-{n},P,0001,s-{n},7/1/2026,7/31/2026,1,{n},{n},USD,M365\n");
    for mark in ["", "\u{feff}"] {
        let (place, ran) = Place::offer("recon.csv", format!("{mark}{RECON}{}{mark}{RECON}{}{}", row(1), row(2), row(3)));
        ran.says(0, &[]);
        assert_eq!(place.counts(), (3, 3, 0));
        let rows = place.sql("SELECT source_row FROM core.vendor_usage ORDER BY source_row");
        assert_eq!(rows.iter().map(|r| r["source_row"].as_str().unwrap_or("")).collect::<Vec<_>>(), ["2", "4", "5"]);
    }
    let quoted = "\"system\",\"native_id\",\"customer_key\"\n";
    let (place, ran) = Place::offer("customers.csv", format!("\u{feff}{quoted}stripe,1,A\n\u{feff}{quoted}stripe,2,B\n"));
    ran.says(0, &[]);
    assert_eq!(place.counts(), (2, 2, 0));
}

// --- encodings

#[test]
fn utf_16_is_named() {
    let text: Vec<u8> = FX.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (_place, ran) = Place::offer("fx.csv", [b"\xff\xfe".to_vec(), text.clone()].concat());
    ran.says(2, &["fx.csv` is UTF-16; save it as UTF-8"]);
    let (_place, ran) = Place::offer("fx.csv", text);
    ran.says(2, &["fx.csv` is UTF-16; save it as UTF-8"]);
}

#[test]
fn latin_1_bytes_reject_their_rows_only() {
    let content = [FX.as_bytes(), b"2026-06-30,EUR,USD,1.1,Nationalbank \xd6sterreich\n2026-06-30,GBP,USD,1.2,BoE\n"].concat();
    let (place, ran) = Place::offer("fx.csv", content);
    ran.says(1, &["1 rows of", "fx.csv", "core.reject"]);
    assert_eq!(place.counts(), (2, 1, 1));
    place.rejects_are(&[(2, "source", "Nationalbank \u{fffd}sterreich", "the text is not UTF-8")]);
}

#[test]
fn latin_1_where_nobody_looks_does_no_harm() {
    let content = [
        b"date,from_currency,to_currency,rate,Anmerkung f\xfcr uns\n2026-06-30,EUR,USD,1.1,\xd6\n".as_slice(),
        // A stray quote makes the reader take the rows one by one; the answer must be the same.
        b"2026-06-30,GBP,USD,1.2,5\" \xd6\n",
    ];
    for (part, rows) in [(content[..1].concat(), 1), (content.concat(), 2)] {
        let (place, ran) = Place::offer("fx.csv", part);
        ran.says(0, &[]);
        assert_eq!(place.counts(), (rows, rows, 0));
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_column() {
    let (place, ran) = Place::offer("fx.csv", format!("\u{feff}{FX}2026-06-30,EUR,USD,1.1,ECB\n"));
    ran.says(0, &[]);
    assert_eq!(place.counts(), (1, 1, 0));
    let (place, ran) = Place::offer("companies.json", "\u{feff}[{\"id\":1,\"identifier\":\"A\",\"name\":\"Ä\"}]");
    ran.says(0, &[]);
    assert_eq!(place.counts(), (1, 1, 0));
}

#[test]
fn line_ends_of_all_kinds_lose_no_row() {
    let rows = format!("{FX}2026-06-30,EUR,USD,1.1,ECB\n2026-06-30,GBP,USD,1.2,\"a\nb\"\n\n2026-06-30,CHF,USD,1.3,ECB");
    for text in [rows.clone(), rows.replace('\n', "\r\n"), format!("{rows}\n"), format!("\n\n{rows}\n\n\n")] {
        let (place, ran) = Place::offer("fx.csv", text);
        ran.says(0, &[]);
        assert_eq!(place.counts(), (3, 3, 0));
    }
    let (_place, ran) = Place::offer("fx.csv", rows.replace('\n', "\r"));
    ran.says(2, &["fx.csv", "ends its lines with CR alone", "LF"]);
    // A lone CR within a row is a part of its cell, on the fast path and on the slow one.
    for more in ["", "2026-06-30,CHF,USD\n"] {
        let (place, _) =
            Place::offer("fx.csv", format!("{FX}2026-06-30,EUR,USD,1.1,E\rCB\n2026-06-30,GBP,USD,1.2,BoE\r\n{more}"));
        assert_eq!(place.counts().1, 2, "{:?}", place.rejects());
        assert_eq!(place.count("core_history.fx WHERE source = 'BoE' AND source_row = 3"), 1);
    }
}

// --- rows

#[test]
fn ragged_rows_are_rejected_with_their_place() {
    let (place, ran) = Place::offer(
        "fx.csv",
        format!("{FX}2026-06-30,EUR,USD,1.1,ECB\n2026-06-30,GBP,USD\n2026-06-30,CHF,USD,1.3,ECB,more\n2026-06-30,SEK,USD,0.1,\n"),
    );
    ran.says(1, &["2 rows of", "fx.csv", "core.reject"]);
    assert_eq!(place.counts(), (4, 2, 2));
    place.rejects_are(&[
        (3, "", "2026-06-30,GBP,USD", "the row has 3 fields, the header has 5"),
        (4, "", "2026-06-30,CHF,USD,1.3,ECB,more", "the row has 6 fields, the header has 5"),
    ]);
}

#[test]
fn a_row_too_long_beside_one_too_short_is_not_regular() {
    let (place, ran) = Place::offer("fx.csv", format!("{FX}2026-06-30,EUR,USD,1.1\n2026-06-30,GBP,USD,1.2,BoE,more\n"));
    ran.says(1, &[]);
    assert_eq!(place.counts(), (2, 0, 2));
}

#[test]
fn a_stray_quote_stays_within_its_row() {
    let (place, ran) = Place::offer(
        "fx.csv",
        format!("{FX}2026-06-30,EUR,USD,1.1,19\" rack\n2026-06-30,GBP,USD,1.2,\"a\"b\n2026-06-30,CHF,USD,1.3,x\n"),
    );
    ran.says(0, &[]);
    assert_eq!(place.counts(), (3, 3, 0));
    assert_eq!(place.count("core_history.fx WHERE source = '19\" rack' AND rate = 1.1"), 1);
}

#[test]
fn a_row_with_a_field_too_many_does_not_make_up_for_one_with_a_field_too_few() {
    let rows = "2026-06-30,EUR,USD,1.08,bank,more\n2026-06-30,GBP,USD,1.27\n2026-06-30,SEK,USD,0.1,bank\n";
    let (place, ran) = Place::offer("fx.csv", FX.to_owned() + rows);
    ran.says(1, &[]);
    assert_eq!(place.counts(), (3, 1, 2));
    place.rejects_are(&[
        (2, "", "2026-06-30,EUR,USD,1.08,bank,more", "the row has 6 fields, the header has 5"),
        (3, "", "2026-06-30,GBP,USD,1.27", "the row has 4 fields, the header has 5"),
    ]);
}

#[test]
fn a_header_whose_quote_never_closes_swallows_no_row() {
    let (_place, ran) = Place::offer("fx.csv", FX.replace("source", "\"source") + "2026-06-30,EUR,USD,1.08,bank\n");
    ran.says(2, &["fx.csv`: a quote in the header row is never closed"]);
}

#[test]
fn a_quote_that_never_closes_swallows_no_row() {
    let rest: String = (1..=20).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "2026-05-{n:02},CHF,USD,1.3,ECB");
        text
    });
    // In the last column the record would have the right number of fields.
    for opening in ["2026-06-30,GBP,USD,1.2,\"open\n", "2026-06-30,\"GBP,USD,1.2,open\n"] {
        let (place, ran) = Place::offer("fx.csv", format!("{FX}2026-06-30,EUR,USD,1.1,ECB\n{opening}{rest}"));
        ran.says(1, &["21 rows of", "fx.csv"]);
        assert_eq!(place.counts(), (22, 1, 21));
        let rejects = place.rejects();
        assert_eq!(rejects[0].0, 3);
        assert!(rejects.iter().all(|reject| reject.3 == "the quote opened in row 3 is never closed"), "{rejects:#?}");
        assert_eq!(rejects[20].2, "2026-05-20,CHF,USD,1.3,ECB");
    }
}

#[test]
fn a_file_cut_short_rejects_its_last_row() {
    let whole: String = COSTS.to_owned() + &(1..=9).map(|day| cost(day, "1.5")).collect::<String>();
    let (place, ran) = Place::offer("focus.csv", &whole[..whole.len() - 20]);
    ran.says(1, &["1 rows of", "focus.csv"]);
    assert_eq!(place.counts(), (9, 8, 1));
    place.rejects_are(&[(10, "", "2026-07-09,2026-07-10,1.5,1.5,", "the row has 5 fields, the header has 8")]);
}

#[test]
fn a_bad_number_is_rejected_with_row_column_and_value() {
    let values = ["12,5", "$3.00", "n/a", "1e40", "", "99999999999999999999999"];
    let rows: String = values.iter().map(|value| format!("2026-07-01,2026-07-02,\"{value}\",1,USD,Usage,EC2,acc-1\n")).collect();
    let (place, ran) = Place::offer("focus.csv", format!("{COSTS}{}{rows}", cost(1, "1.5")));
    ran.says(1, &["6 rows of", "focus.csv", "core.reject"]);
    assert_eq!(place.counts(), (7, 1, 6));
    place.rejects_are(&[
        (3, "BilledCost", "12,5", "not a number"),
        (4, "BilledCost", "$3.00", "not a number"),
        (5, "BilledCost", "n/a", "not a number"),
        (6, "BilledCost", "1e40", "more than 20 digits before the point"),
        (7, "BilledCost", "", "a value is required"),
        (8, "BilledCost", "99999999999999999999999", "more than 20 digits before the point"),
    ]);
}

/// It was rejected, unless its source was known for it, until real exports showed that every system which prints its doubles in full
/// writes such numbers, and that a price lost its row's money.
#[test]
fn a_number_with_more_digits_than_are_stored_is_rounded_at_the_last_of_them() {
    let rate = "0.1999968000511991808131";
    let (place, ran) = Place::offer("fx.csv", format!("date,from_currency,to_currency,rate\n2026-07-01,EUR,USD,{rate}\n"));
    ran.says(0, &[]);
    assert_eq!(place.count("known.fx WHERE rate = 0.199996800051199181"), 1);
    let (place, ran) = Place::offer("focus.csv", format!("{COSTS}{}", cost(1, "1.2345678901234567895E-1")));
    ran.says(0, &[]);
    assert_eq!(place.count("core.vendor_usage WHERE cost = 0.123456789012345679"), 1);
}

#[test]
fn blanks_are_no_value() {
    let (place, ran) = Place::offer("customers.csv", format!("{CUSTOMERS}stripe,  ,C1,A\nstripe,cus_1,C1,  \n"));
    ran.says(1, &[]);
    assert_eq!(place.counts(), (2, 1, 1));
    place.rejects_are(&[(2, "native_id", "", "a value is required")]);
}

#[test]
fn an_amount_that_overflows_is_rejected() {
    let item = |id: u32, quantity: &str, price: &str| {
        format!("{{\"id\":{id},\"catalogItem\":{{\"id\":1}},\"quantity\":{quantity},\"price\":{price},\"invoice\":{{\"id\":7}}}}")
    };
    let (place, ran) = Place::offer("products.json", format!("[{},{}]", item(1, "1e12", "1e12"), item(2, "2", "1.25")));
    ran.says(1, &["1 rows of", "products.json"]);
    assert_eq!(place.counts(), (2, 1, 1));
    place.rejects_are(&[(1, "", "", "the amount is missing, or larger than can be stored")]);
}

#[test]
fn a_bad_date_is_rejected_with_row_column_and_value() {
    let values = ["2026-02-30", "31/12/2026", "1 July 2026", "20260701", "0206-07-01", "2026-07-01T24:30:00Z"];
    let rows: String = values.iter().map(|value| format!("{value},EUR,USD,1.1,ECB\n")).collect();
    let (place, ran) = Place::offer("fx.csv", format!("{FX}{rows}"));
    ran.says(1, &["6 rows of"]);
    assert_eq!(place.counts(), (6, 0, 6));
    let expected: Vec<_> =
        values.iter().zip(2..).map(|(value, row)| (row, "date", *value, "not a date: expected `2026-07-01`")).collect();
    place.rejects_are(&expected);
}

#[test]
fn a_period_that_ends_before_it_begins_is_rejected() {
    let (place, ran) =
        Place::offer("focus.csv", format!("{COSTS}2026-07-05,2026-07-01,1,1,USD,Usage,EC2,acc-1\n{}", cost(1, "1")));
    ran.says(1, &["1 rows of"]);
    assert_eq!(place.counts(), (2, 1, 1));
    place.rejects_are(&[(2, "", "", "the period ends before it begins")]);
}

#[test]
fn a_bad_currency_is_rejected_with_row_column_and_value() {
    let (place, ran) =
        Place::offer("fx.csv", format!("{FX}2026-06-30,EURO,USD,1.1,\n2026-06-30,EUR,U$D,1.1,\n2026-06-30, eur ,Usd,1.1,\n"));
    ran.says(1, &["2 rows of"]);
    assert_eq!(place.counts(), (3, 1, 2));
    place.rejects_are(&[(2, "from_currency", "EURO", "not a currency code"), (3, "to_currency", "U$D", "not a currency code")]);
}

#[test]
fn a_key_that_stands_twice_is_rejected_the_second_time() {
    let (place, ran) =
        Place::offer("customers.csv", format!("{CUSTOMERS}stripe,cus_1,C1,A\nstripe,cus_2,C2,B\nStripe,CUS_1,C3,C\n"));
    ran.says(1, &["1 rows of"]);
    assert_eq!(place.counts(), (3, 2, 1));
    place.rejects_are(&[(4, "system, native_id, valid_from", "stripe, cus_1, ", "the same key stands in row 2 of this file")]);
}

#[test]
fn vendor_rows_that_repeat_a_key_are_all_kept() {
    let (place, ran) = Place::offer("focus.csv", format!("{COSTS}{}{}", cost(1, "1.5"), cost(1, "1.5")));
    ran.says(0, &[]);
    assert_eq!(place.counts(), (2, 2, 0));
    assert_eq!(place.count("core.vendor_usage"), 2);
}

#[test]
fn an_unknown_customer_stays_in_view_without_a_key() {
    let place = Place::new();
    let customers = place.write("customers.csv", format!("{CUSTOMERS}focus,acc-1,C1,Harbor\n"));
    let unknown = cost(2, "40").replace("acc-1", "acc-unknown");
    let costs = place.write("focus.csv", format!("{COSTS}{}{unknown}", cost(1, "1.5")));
    place.ingest(&[&customers, &costs], &[]).says(0, &[]);
    assert_eq!(place.count("core.vendor_usage WHERE customer_key = 'C1'"), 1);
    assert_eq!(
        place.count("core.vendor_usage WHERE customer_key IS NULL AND customer_native_id = 'acc-unknown' AND cost = 40"),
        1
    );
    assert_eq!(place.count("core.reject"), 0);
}

// --- compressed files

#[test]
fn gzip_of_several_members_is_read_to_its_end() {
    let members = [gzip(COSTS.as_bytes()), gzip(cost(1, "1").as_bytes()), gzip(cost(2, "2").as_bytes())].concat();
    let (place, ran) = Place::offer("focus.csv.gz", members);
    ran.says(0, &[]);
    assert_eq!(place.counts(), (2, 2, 0));
    let (place, ran) =
        Place::offer("focus.csv.zst", zstd::encode_all(format!("{COSTS}{}", cost(1, "1")).as_bytes(), 1).expect("memory"));
    ran.says(0, &[]);
    assert_eq!(place.counts(), (1, 1, 0));
}

#[test]
fn gzip_cut_short_is_refused_whole() {
    // Noise does not compress, so that the cut lies beyond what is read to recognise the file.
    let mut state = 1_u64;
    let mut rows = COSTS.to_owned();
    for _ in 0..12_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let _ = writeln!(rows, "2026-07-01,2026-07-02,1.{state},1.0,USD,Usage,EC2,acc-{state:x}");
    }
    let rows = rows.replace("1.1", "1.");
    let whole = gzip(rows.as_bytes());
    for kept in [100, whole.len() / 2, whole.len() - 4] {
        let (place, ran) = Place::offer("focus.csv.gz", &whole[..kept]);
        ran.says(2, &["could not read", "focus.csv.gz`", "it ends too early"]);
        on_no_batch(&place);
    }
}

#[track_caller]
fn on_no_batch(place: &Place) {
    assert!(!place.lake().join("core/batch").exists());
    assert!(!place.lake().join("core/vendor_usage/_delta_log").exists());
}

#[test]
fn junk_behind_gzip_is_refused_whole() {
    let content = [gzip(format!("{COSTS}{}", cost(1, "1")).as_bytes()), b"junk that is no member".to_vec()].concat();
    let (place, ran) = Place::offer("focus.csv.gz", content);
    ran.says(2, &["could not read", "focus.csv.gz`"]);
    on_no_batch(&place);
}

// --- JSON

#[test]
fn json_cut_short_says_where() {
    let (place, ran) = Place::offer("companies.json", "[{\"id\":1,\"identifier\":\"A\",\"name\":\"A\"},\n {\"id\":2,\"ident");
    ran.says(2, &["companies.json`:2:", "broken JSON", "EOF"]);
    on_no_batch(&place);
}

fn recon_line(id: u32) -> String {
    format!(
        "{{\"customerId\":\"c-{id}\",\"productId\":\"P\",\"subscriptionId\":\"s-{id}\",\"chargeStartDate\":\"2026-07-01\",\"chargeEndDate\":\"2026-07-31\",\
         \"effectiveUnitPrice\":1,\"billableQuantity\":{id},\"subtotal\":{id},\"currency\":\"USD\"}}\n"
    )
}

#[test]
fn one_broken_json_line_is_one_reject() {
    let broken = "{\"customerId\":\"c-2\",\"prod\n";
    let (place, ran) = Place::offer("recon.json", format!("{}{broken}{}[1]\n", recon_line(1), recon_line(3)));
    ran.says(1, &["2 rows of", "recon.json"]);
    assert_eq!(place.counts(), (4, 2, 2));
    place.rejects_are(&[(2, "", broken.trim_end(), "not a JSON object"), (4, "", "[1]", "not a JSON object")]);
}

#[test]
fn a_first_json_line_that_is_broken_is_one_reject() {
    let broken = "{\"customerId\":\"c-1\",\"prod\n";
    let (place, ran) = Place::offer("recon.json", format!("{broken}{}{}", recon_line(2), recon_line(3)));
    ran.says(1, &["1 rows of", "recon.json"]);
    assert_eq!(place.counts(), (3, 2, 1));
    place.rejects_are(&[(1, "", broken.trim_end(), "not a JSON object")]);
}

#[test]
fn json_records_of_another_kind_are_rejects() {
    let (place, ran) = Place::offer(
        "companies.json",
        "[{\"id\":1,\"identifier\":\"A\",\"name\":\"A\"},null,[],{\"id\":\"\",\"name\":\"B\"},{\"id\":1,\"name\":\"C\"}]",
    );
    ran.says(1, &["4 rows of"]);
    assert_eq!(place.counts(), (5, 1, 4));
    place.rejects_are(&[
        (2, "", "null", "not a JSON object"),
        (3, "", "[]", "not a JSON object"),
        (4, "id", "", "a value is required"),
        (5, "id", "1", "the same key stands in row 1"),
    ]);
}

#[test]
fn a_stripe_invoice_with_lines_left_out_is_not_taken_for_whole() {
    let line = "{\"id\":\"il_1\",\"amount\":100,\"quantity\":1}";
    let invoice = |more: bool| {
        format!(
            "{{\"object\":\"list\",\"data\":[{{\"id\":\"in_1\",\"object\":\"invoice\",\"customer\":\"cus_1\",\"currency\":\"usd\",\"created\":1785542400,\
             \"lines\":{{\"data\":[{line}],\"has_more\":{more}}}}}],\"has_more\":true}}"
        )
    };
    let (place, ran) = Place::offer("invoices.json", invoice(false));
    ran.says(0, &[]);
    assert_eq!(place.counts(), (1, 1, 0));
    let (place, ran) = Place::offer("invoices.json", invoice(true));
    ran.says(1, &["1 rows of"]);
    assert_eq!(place.counts(), (2, 1, 1));
    place.rejects_are(&[(2, "lines.has_more", "true", "the export leaves out further lines of in_1")]);
}

// --- several files

#[test]
fn one_broken_file_does_not_hide_the_others() {
    let place = Place::new();
    place.write("in/a.csv", "no,export\n1,2\n");
    place.write("in/b.json", "[{\"id\":");
    place.write("in/c.csv", format!("{FX}2026-06-30,EUR,USD,1.1,ECB\n"));
    place.write("in/.hidden.csv", "not looked at");
    let ran = place.ingest(&[&place.path("in")], &[]);
    ran.says(1, &["a.csv", "b.json", "fx"]);
    assert!(!ran.err.contains("hidden"), "{ran}");
    assert_eq!(place.counts(), (1, 1, 0));
}

#[test]
fn the_lake_itself_is_never_an_export() {
    let place = Place::new();
    place.write("fx.csv", format!("{FX}2026-06-30,EUR,USD,1.1,ECB\n"));
    for _ in 0..3 {
        place.ingest(&[&place.path("")], &[]).says(0, &[]);
    }
    assert_eq!(place.counts(), (1, 1, 0));
}

#[test]
fn names_of_files_and_lakes_may_hold_anything() {
    let place = Place::new();
    let file = place.write("ex ports/100% #1 Ü=ü+&.csv", format!("{FX}2026-06-30,EUR,USD,1.1,ECB\n"));
    let focus = place.write("ex ports/[focus] {x}.csv", format!("{COSTS}{}", cost(1, "1.5")));
    let lake = place.path("my lake 100% #2 [a] Ü");
    let lake_text = lake.display().to_string();
    let arguments = ["ingest", "--lake", &lake_text, &file.display().to_string(), &focus.display().to_string()];
    shortfall(&arguments).says(0, &[]);
    let rows = super::support::sql(&lake, "SELECT f.rate, u.cost FROM core_history.fx AS f CROSS JOIN core.vendor_usage AS u");
    assert_eq!((rows[0]["rate"].as_str(), rows[0]["cost"].as_str()), (Some("1.1"), Some("1.5")));
}

#[test]
fn terms_that_could_not_be_rated_are_refused_with_the_column_that_is_wrong() {
    let header = "customer_key,service_key,currency,model,flat_fee,tiers,escalator_percent,escalator_month,markup_percent,quantity_basis,proration";
    let cases = [
        ("per_unti,,,,,,,", "model", "per_unti"),
        ("flat_fee,,,,,,,", "flat_fee", ""),
        ("cost_plus,,,,,,,", "markup_percent", ""),
        ("tiered_volume,,10:5;10:4,,,,,", "tiers", "10:5;10:4"),
        ("tiered_graduated,,,,,,,", "tiers", ""),
        ("per_unit,,,3,13,,,", "escalator_month", "13"),
        ("per_unit,,,,,,most,", "quantity_basis", "most"),
        ("per_unit,,,,,,,weekly", "proration", "weekly"),
    ];
    let rows: Vec<String> = cases.iter().enumerate().map(|(at, (row, ..))| format!("c,s{at},USD,{row}")).collect();
    let (place, ran) = Place::offer("terms.csv", format!("{header}\n{}\nc,s,USD,per_unit,,,,,,,\n", rows.join("\n")));
    assert_eq!(ran.code, 1, "{ran}");
    assert_eq!(place.counts(), (9, 1, 8));
    let found = place.rejects();
    let found: Vec<(&str, &str)> = found.iter().map(|reject| (reject.1.as_str(), reject.2.as_str())).collect();
    let wanted: Vec<(&str, &str)> = cases.iter().map(|&(_, column, value)| (column, value)).collect();
    assert_eq!(found, wanted);
}

#[test]
fn a_header_that_a_stray_cr_hides_behind_a_row_loses_no_row_and_stops_no_worker() {
    let good = std::fs::read_to_string(fixtures().join("microsoft_csp/good_licence_reconciliation.csv")).expect("a file");
    let mut lines: Vec<&str> = good.trim_start_matches('\u{feff}').lines().collect();
    let header = lines.remove(0);
    // A row of data, then one that a CR joins with the header, as a cut and paste between systems leaves it.
    let joined = format!("{}\r{header}", lines[1]);
    let (place, ran) = Place::offer("recon.csv", format!("{}\n{joined}\n{}\n", lines[0], lines[2..].join("\n")));
    assert!(ran.code == 1 || ran.code == 2, "{ran}");
    assert!(!ran.to_string().contains("please report this"), "{ran}");
    if ran.code == 1 {
        place.counts();
    }
}
