//! Messages, exit codes and JSON of the commands.

use super::support::{Place, command, fixtures, on_lake, shortfall};

fn filled() -> Place {
    let place = Place::new();
    let paths = ["focus", "stripe", "mapping", "connectwise"].map(|system| fixtures().join(system).join("[gq]*"));
    place.ingest(&paths.each_ref().map(std::path::PathBuf::as_path), &[]).says(0, &[]);
    place
}

#[test]
fn sources_lists_every_export_and_how_to_get_it() {
    shortfall(&["sources"])
        .says(0, &["connectwise", "additions", "microsoft_csp", "focus", "stripe", "credit_notes", "mapping", "BilledCost"]);
}

#[test]
fn nothing_analysed_yet_says_so() {
    let place = filled();
    place.run(&["findings"]).says(2, &["no quarter has been analysed yet", "shortfall analyze"]);
    place.run(&["findings", "--quarter", "2026Q1"]).says(2, &["2026Q1 has not been analysed yet"]);
    place.run(&["explain", "F-nothing"]).says(2, &["there is no finding `F-nothing`", "shortfall findings"]);
    let page = place.path("page.html").display().to_string();
    place.run(&["report", "--html", &page]).says(2, &["no quarter has been analysed yet"]);
}

#[test]
fn timings_may_be_asked_for_by_any_word_that_is_not_no() {
    let place = Place::new();
    let lake = place.path("missing").display().to_string();
    for word in ["1", "true", "yes", "0"] {
        let ran =
            command(&["analyze", "--quarter", "2026Q3", "--lake", &lake]).env("SHORTFALL_TRACE", word).output().expect("runs");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(said.contains("is not a lake"), "SHORTFALL_TRACE={word}: {said}");
    }
}

#[test]
fn a_folder_that_is_no_lake_is_named() {
    let place = Place::new();
    place.write("elsewhere/file.txt", "no lake");
    for folder in ["missing", "elsewhere", "elsewhere/file.txt"] {
        let lake = place.path(folder);
        for arguments in [
            vec!["findings"],
            vec!["explain", "x"],
            vec!["trace", "x", "2"],
            vec!["compare", "--quarter", "2026Q3", "--before", "2026-08-01", "--after", "2026-10-01"],
            vec!["sql", "SELECT 1"],
            vec!["report"],
            vec!["analyze", "--quarter", "2026Q3"],
        ] {
            on_lake(&lake, &arguments).says(2, &["is not a lake", "shortfall ingest --lake DIR"]);
        }
    }
    assert!(!place.path("missing").exists());
}

#[test]
fn a_lake_that_cannot_be_made_is_the_environments_fault() {
    let place = Place::new();
    let export = place.write("fx.csv", "date,from_currency,to_currency,rate\n");
    let file = place.write("file", "in the way");
    let lake = file.join("lake");
    on_lake(&lake, &["ingest", &export.display().to_string()]).says(3, &["could not create", "file/lake"]);
}

#[test]
fn a_damaged_table_log_is_the_environments_fault() {
    let place = filled();
    let log = place.lake().join("core/fx/_delta_log");
    for entry in std::fs::read_dir(&log).expect("a log").map(|entry| entry.expect("an entry").path()) {
        std::fs::write(entry, "{\"commitInfo\":").expect("written");
    }
    place.run(&["sql", "SELECT 1"]).says(3, &["table `fx`", "could not read the table log"]);
    let export = place.write("new.csv", "date,from_currency,to_currency,rate\n2026-06-30,EUR,USD,1.2\n");
    place.ingest(&[&export], &[]).says(3, &["table `fx`"]);
}

#[test]
fn two_writers_do_not_meet() {
    let place = filled();
    let lock = std::fs::File::open(place.lake().join(".lock")).expect("a lock file");
    lock.lock().expect("locked");
    let export = place.write("new.csv", "date,from_currency,to_currency,rate\n2026-06-30,EUR,USD,1.2\n");
    place.ingest(&[&export], &[]).says(3, &["another `shortfall` is writing to this lake"]);
    drop(lock);
    place.ingest(&[&export], &[]).says(0, &[]);
}

#[test]
fn bad_arguments_end_with_two_and_say_what_is_good() {
    let place = filled();
    let export = fixtures().join("mapping/good_fx.csv");
    place.ingest(&[&export], &["--source", "quickbucks"]).says(2, &["there is no source `quickbucks`", "known are connectwise"]);
    place.ingest(&[&export], &["--recorded-at", "yesterday"]).says(2, &["`yesterday` is no date such as `2026-10-05`"]);
    place.ingest(&[&place.path("nowhere/*.csv")], &[]).says(2, &["nowhere/*.csv` is no file, folder or pattern"]);
    let empty = place.path("empty");
    std::fs::create_dir(&empty).expect("a folder");
    place.ingest(&[&empty], &[]).says(2, &["no files"]);
    for quarter in ["2026Q5", "2026", "Q3", "2026-09", "20263", ""] {
        place.run(&["analyze", "--quarter", quarter]).says(2, &["--quarter", "2026Q3"]);
    }
    place.run(&["analyze", "--quarter", "2026Q3", "--as-of", "2026-13-01"]).says(2, &["`2026-13-01` is no date"]);
    place.run(&["analyze", "--quarter", "2026Q3", "--signal", "astrology"]).says(2, &["astrology"]);
    place.run(&["findings", "--format", "docx"]).says(2, &["docx"]);
    shortfall(&["ingest", "x.csv"]).says(2, &["--lake"]);
    shortfall(&["fly"]).says(2, &["fly"]);
}

#[test]
fn a_forced_source_narrows_the_choice() {
    let place = Place::new();
    let export = fixtures().join("mapping/good_fx.csv");
    place.ingest(&[&export], &["--source", "stripe"]).says(2, &["good_fx.csv` is no export that Shortfall knows"]);
    place.ingest(&[&export], &["--source", "mapping"]).says(0, &[]);
}

#[test]
fn sql_reads_one_statement_and_nothing_else() {
    let place = filled();
    for query in [
        "DROP TABLE core.batch",
        "SELECT 1; SELECT 2",
        "SELECT nothing FROM core.batch",
        "SELEC 1",
        "",
        "SET x = 1",
        "COPY core.batch TO '/tmp/x.csv'",
    ] {
        place.run(&["sql", query]).says(2, &["error: "]);
    }
    place.run(&["sql", "SELECT rows_in FROM core.batch WHERE entity = 'fx'"]).says(0, &["rows_in", "2"]);
    let empty = place.run(&["sql", "SELECT system FROM core.batch WHERE false", "--csv"]);
    assert_eq!(empty.says(0, &[]).out.trim(), "system");
}

#[test]
fn every_command_prints_one_json_document() {
    let place = filled();
    let json = |arguments: &[&str], code: i32| {
        let mut all = arguments.to_vec();
        all.extend(["--output", "json"]);
        place.run(&all).says(code, &[]).json()
    };
    shortfall(&["sources", "--output", "json"]).says(0, &[]).json();
    let exports = place.path("synth").display().to_string();
    shortfall(&["synth", "--out", &exports, "--customers", "2", "--months", "12", "--output", "json"]).says(0, &[]).json();
    let fx = fixtures().join("mapping/good_fx.csv").display().to_string();
    assert_eq!(json(&["ingest", &fx], 0)["already_known"], 1);
    assert_eq!(json(&["sql", "SELECT 1 AS one"], 0)[0]["one"], "1");
    for failing in [
        vec!["findings"],
        vec!["report"],
        vec!["explain", "x"],
        vec!["trace", "x", "2"],
        vec!["compare", "--quarter", "2026Q3", "--before", "2026-08-01", "--after", "2026-07-01"],
        vec!["sql", "SELEC"],
        vec!["analyze", "--quarter", "2026Q3", "--signal", "astrology"],
        vec!["score", "--truth", "nowhere.csv"],
    ] {
        let failure = json(&failing, 2);
        assert!(failure["error"].is_string() && failure["exit_code"] == 2, "{failing:?}: {failure}");
    }
    let bad = place.write("bad.csv", "no,export\n").display().to_string();
    let refused = json(&["ingest", &bad], 2);
    assert!(refused["refused"][0]["reason"].as_str().is_some_and(|reason| reason.contains("no export")), "{refused}");
    let rejects = place.write("rejects.csv", "date,from_currency,to_currency,rate\nnever,EUR,USD,1.1\n").display().to_string();
    assert_eq!(json(&["ingest", &rejects], 1)["files_with_rejects"][0]["rows_rejected"], 1);
}

/// Names that a spreadsheet, a terminal or a CSV reader would take for something else.
const HOSTILE: [&str; 5] = [
    "=HYPERLINK(\"http://x\";\"y\")",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "a,\"b\"\nc",
    "\u{1b}[2J\u{202e}evil",
    "<script>alert(1)</script>",
];

#[test]
fn hostile_names_come_out_of_csv_as_they_went_in_and_steer_no_terminal() {
    let place = Place::new();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["system", "native_id", "customer_key", "customer_name"]).expect("memory");
    for (at, name) in HOSTILE.iter().enumerate() {
        writer.write_record(["stripe", &format!("cus_{at}"), &format!("K{at}"), name]).expect("memory");
    }
    let file = place.write("customers.csv", writer.into_inner().expect("memory"));
    place.ingest(&[&file], &[]).says(0, &[]);
    let query = "SELECT customer_name FROM core.customer ORDER BY customer_key";
    let printed = place.run(&["sql", query, "--csv"]).says(0, &[]).out.clone();
    let names: Vec<String> =
        csv::Reader::from_reader(printed.as_bytes()).records().map(|r| r.expect("a record")[0].to_owned()).collect();
    assert_eq!(names.len(), HOSTILE.len());
    for (name, hostile) in names.iter().zip(HOSTILE) {
        assert_eq!(name.trim_start_matches('\''), hostile);
    }
    let table = place.run(&["sql", query]).says(0, &[]).out.clone();
    assert!(!table.contains('\u{1b}') && !table.contains('\u{202e}'), "{table}");
    let bad = place.write("\u{1b}[2Jbad.csv", "no,export\n");
    let ran = place.ingest(&[&bad], &[]);
    assert!(!ran.says(2, &["bad.csv"]).err.contains('\u{1b}'), "{ran}");
}

#[test]
fn what_most_rows_were_rejected_for_is_said_at_once() {
    let place = Place::new();
    let rates = "date,from_currency,to_currency,rate\n6/30/26,EUR,USD,1.2\n7/31/26,EUR,USD,1.2\n2026-08-31,EUR,USD,none\n";
    let export = place.write("fx.csv", rates);
    place.ingest(&[&export], &[]).says(1, &["3 rows of `", "fx.csv` were rejected, 2 of them for `date` (6/30/26)"]);
}
