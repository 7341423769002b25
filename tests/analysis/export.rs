//! Exports as BI tools meet them: what they add up to, what changes in the folder and what does not, and what the manifest says of it.

use super::duckdb::oracle;
use super::over_time::{Q1, Q2, Seats};
use super::support::repository;
use chrono::{DateTime, TimeZone as _, Utc};
use serde_json::{Value, json};
use shortfall::export::{Change, ExportError, Exported, Request, export};
use shortfall::lake::archive::fingerprint;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Two customers over two quarters: Acme is billed 40 of its 46 seats.
pub fn two_quarters() -> Seats {
    let seats = Seats::new();
    seats.bill_quarter(Q1, "2026-03-31", 40);
    seats.bill_quarter(Q2, "2026-06-30", 40);
    seats.book.analyze("2026Q1");
    seats.book.analyze("2026Q2");
    seats
}

/// The same, shared by the tests that add nothing to it.
static SHARED: LazyLock<Seats> = LazyLock::new(two_quarters);

fn at(day: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 7, day, 6, 0, 0).single().expect("an instant")
}

fn export_to(seats: &Seats, folder: &Path, day: u32) -> Result<Exported, ExportError> {
    let request = Request { folder: folder.to_owned(), fiscal_start: 4, threads: 2, at: at(day) };
    let lake = seats.book.lake.clone();
    seats.book.runtime.block_on(async { tokio::spawn(async move { export(&lake, &request).await }).await.expect("no panic") })
}

/// Every file of a folder with the hash of its content.
pub fn hashes(folder: &Path) -> BTreeMap<PathBuf, String> {
    let files = walkdir::WalkDir::new(folder).into_iter().map(|entry| entry.expect("an entry"));
    let files = files.filter(|entry| entry.file_type().is_file() && entry.file_name() != ".lock");
    files
        .map(|entry| {
            let place = entry.path().strip_prefix(folder).expect("below").to_owned();
            (place, fingerprint(entry.path()).expect("a file").0)
        })
        .collect()
}

fn document(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
}

#[test]
fn other_engines_read_what_the_marts_say() {
    let seats = &*SHARED;
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("bi");
    export_to(seats, &out, 1).expect("an export");
    let said = oracle("read_export.py", &[&out, seats.book.lake.root()]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said: Value = serde_json::from_slice(&said.stdout).expect("JSON");
    assert_eq!(said["wrong"], json!([]));
    // Six seats at 22.00 in each of six months; Beta's 46 are billed.
    assert_eq!(
        said["sums"],
        json!({
            "fact_finding.leakage": "792.00",
            "fact_finding_month.counted": "792.00",
            "fact_gap.gap": "792.00",
            "fact_gap_cause.amount": "792.00",
            "fact_monthly.revenue": "11352.00",
        })
    );
    // Whole calendar years and the whole fiscal years, from April on, that overlap them.
    assert_eq!(said["calendar"], json!(["04-01", "03-31"]));
    let rows = |table: &str| said["rows"][table].as_u64();
    assert_eq!([rows("fact_finding"), rows("dim_finding"), rows("fact_finding_month")], [Some(2), Some(2), Some(6)]);
    // Two customers and two services' worth of names: those of the crosswalks, and the member for none of them.
    assert_eq!([rows("dim_customer"), rows("dim_service"), rows("fact_gap")], [Some(3), Some(2), Some(12)]);
}

#[test]
fn an_unchanged_lake_changes_no_byte() {
    let seats = &*SHARED;
    let folder = tempfile::tempdir().expect("a folder");
    let first = export_to(seats, folder.path(), 1).expect("an export");
    assert!(!first.changes.is_empty() && first.changes.iter().all(|change| change.why == "first export"));
    let before = hashes(folder.path());
    seats.book.analyze("2026Q2");
    let again = export_to(seats, folder.path(), 2).expect("an export");
    assert_eq!((again.changes, again.rows), (vec![], first.rows));
    assert_eq!(hashes(folder.path()), before);
}

#[test]
fn a_correction_of_an_old_month_restates_that_month_and_says_why() {
    let seats = two_quarters();
    let folder = tempfile::tempdir().expect("a folder");
    export_to(&seats, folder.path(), 1).expect("an export");
    let before = hashes(folder.path());
    // The six seats of February are billed after all.
    seats.bill("2026-07-05", &[("acme", "2026-02", 6)]);
    seats.book.analyze("2026Q1");
    seats.book.analyze("2026Q2");
    let exported = export_to(&seats, folder.path(), 6).expect("an export");
    let after = hashes(folder.path());
    let is_data = |place: &&PathBuf| place.starts_with("dim_finding.parquet") || place.to_string_lossy().starts_with("fact_");
    let changed: BTreeSet<String> = before
        .keys()
        .chain(after.keys())
        .filter(is_data)
        .filter(|place| before.get(*place) != after.get(*place))
        .map(|place| place.display().to_string())
        .collect();
    let of_manifest: BTreeSet<String> = exported.changes.iter().map(|change| change.file.clone()).collect();
    assert_eq!(changed, of_manifest, "the manifest names every file that changed, and no other");
    // February's own facts; what is said of the quarters that know of it: their findings begin in January.
    for table in ["fact_monthly", "fact_gap", "fact_gap_cause", "fact_finding_month"] {
        let of_table: Vec<&Change> = exported.changes.iter().filter(|change| change.table == table).collect();
        let periods: Vec<String> = of_table.iter().filter_map(|change| change.period).map(|month| month.to_string()).collect();
        assert_eq!(periods, ["2026-02"], "{table}: {of_table:?}");
        assert!(of_table[0].why.contains("invoices_2026-07-05.json"), "{}", of_table[0].why);
    }
    // Power BI and others read the same from the manifest's files.
    let manifest = document(&folder.path().join("change_manifest.json"));
    let second: Vec<&Value> = manifest.as_array().expect("changes").iter().filter(|change| change["export"] == 2).collect();
    assert_eq!(second.len(), exported.changes.len());
    assert!(second.iter().all(|change| change["exported_at"] == "2026-07-06T06:00:00Z"));
    // What is exported anew elsewhere is what stands here.
    let fresh = tempfile::tempdir().expect("a folder");
    export_to(&seats, fresh.path(), 7).expect("an export");
    let data = |hashes: BTreeMap<PathBuf, String>| -> BTreeMap<PathBuf, String> {
        hashes
            .into_iter()
            .filter(|(place, _)| {
                place.extension().is_some_and(|e| e == "parquet") && !place.starts_with("change_manifest.parquet")
            })
            .collect()
    };
    assert_eq!(data(hashes(fresh.path())), data(after));
}

#[test]
fn files_that_somebody_touched_are_written_again_and_strangers_are_left_alone() {
    let seats = &*SHARED;
    let folder = tempfile::tempdir().expect("a folder");
    export_to(seats, folder.path(), 1).expect("an export");
    let before = hashes(folder.path());
    let (removed, altered) =
        (folder.path().join("fact_gap/period=2026-02/data.parquet"), folder.path().join("dim_service.parquet"));
    std::fs::remove_file(&removed).expect("removed");
    std::fs::write(&altered, "x").expect("written");
    let exported = export_to(seats, folder.path(), 2).expect("an export");
    let said: Vec<String> =
        exported.changes.iter().map(|change| format!("{} {} {}", change.file, change.kind.as_str(), change.why)).collect();
    assert_eq!(
        said,
        [
            "dim_service.parquet repaired the file was missing or had been altered",
            "fact_gap/period=2026-02/data.parquet repaired the file was missing or had been altered",
        ]
    );
    let after = hashes(folder.path());
    for place in [removed, altered] {
        let place = place.strip_prefix(folder.path()).expect("below");
        assert_eq!(after.get(place), before.get(place));
    }
    let strange = tempfile::tempdir().expect("a folder");
    std::fs::write(strange.path().join("thesis.docx"), "years of work").expect("written");
    let refused = export_to(seats, strange.path(), 3);
    assert!(matches!(refused, Err(ExportError::NotAnExport { .. })), "{refused:?}");
    assert_eq!(std::fs::read_dir(strange.path()).expect("a folder").count(), 1);
    let output = seats.book.shortfall(&["export", "--out", strange.path().to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(2));
    let empty = Seats::new();
    let output = empty.book.shortfall(&["export", "--out", "nowhere"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no quarter has been analysed"));
}

#[test]
fn the_dictionary_is_a_contract() {
    let seats = &*SHARED;
    let folder = tempfile::tempdir().expect("a folder");
    export_to(seats, folder.path(), 1).expect("an export");
    let dictionary = std::fs::read_to_string(folder.path().join("dictionary.md")).expect("a dictionary");
    let golden = repository("tests/analysis/export_dictionary.md");
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    if dictionary != expected {
        let written = Path::new(env!("CARGO_TARGET_TMPDIR")).join("export_dictionary.md");
        std::fs::write(&written, &dictionary).expect("written");
        panic!("tables, columns or types are others than {}: compare {}", golden.display(), written.display());
    }
}

#[test]
fn the_power_bi_project_knows_every_table_column_and_relation_once() {
    let seats = &*SHARED;
    let folder = tempfile::tempdir().expect("a folder");
    export_to(seats, folder.path(), 1).expect("an export");
    let model = folder.path().join("power_bi/Shortfall.SemanticModel/definition");
    let text = |path: &str| std::fs::read_to_string(model.join(path)).expect(path);
    let dictionary = document(&folder.path().join("dictionary.json"));
    let tables = dictionary["tables"].as_array().expect("tables");
    let references = text("model.tmdl");
    let (mut measures, mut refers) = (BTreeSet::new(), 0);
    for table in tables {
        let name = table["table"].as_str().expect("a name");
        assert!(references.contains(&format!("ref table {name}\n")), "{name}");
        let tmdl = text(&format!("tables/{name}.tmdl"));
        assert!(
            tmdl.lines()
                .filter(|line| !line.is_empty())
                .all(|line| line.starts_with('\t') || line.starts_with("///") || line.starts_with("table "))
        );
        let columns = table["columns"].as_array().expect("columns");
        let names: BTreeSet<&str> = columns.iter().filter_map(|column| column["name"].as_str()).collect();
        let stated = |prefix: &str| -> Vec<String> {
            tmdl.lines()
                .filter_map(|line| line.strip_prefix(prefix))
                .map(|rest| rest.split(" =").next().unwrap_or(rest).trim_matches('\'').to_owned())
                .collect()
        };
        assert_eq!(stated("\tcolumn ").iter().map(String::as_str).collect::<BTreeSet<_>>(), names, "{name}");
        for measure in stated("\tmeasure ") {
            assert!(!names.contains(measure.to_lowercase().as_str()), "{name}: `{measure}` is a column");
            assert!(measures.insert(measure.clone()), "`{measure}` stands twice");
        }
        let is_fact = !table["period"].is_null();
        assert_eq!(tmdl.contains("RangeStart"), is_fact, "{name}");
        assert_eq!(tmdl.contains("pollingExpression"), is_fact, "{name}");
        assert_eq!(tmdl.matches("\tpartition ").count(), 1, "{name}");
        refers += columns.iter().filter(|column| !column["refers_to"].is_null()).count();
    }
    // Leakage is of its quarter; what was detected since the beginning stands in each quarter again.
    let money = text("tables/fact_finding.tmdl");
    assert!(money.contains("IF(HASONEVALUE(dim_currency[currency]), SUM(fact_finding[leakage]))"), "{money}");
    let once = "HASONEVALUE(dim_currency[currency]) && HASONEVALUE(fact_finding[quarter_start]), SUM(fact_finding[detected])";
    assert!(money.contains(once), "{money}");
    let relations = text("relationships.tmdl");
    assert_eq!(relations.matches("relationship ").count(), refers);
    let expressions = text("expressions.tmdl");
    assert!(expressions.contains("expression RangeStart = #datetime(2026, 1, 1, 0, 0, 0)"), "{expressions}");
    assert!(expressions.contains("expression RangeEnd = #datetime(2026, 7, 1, 0, 0, 0)"), "{expressions}");
    for entry in walkdir::WalkDir::new(folder.path().join("power_bi")).into_iter().filter_map(Result::ok) {
        let ending = entry.path().extension().and_then(|e| e.to_str()).unwrap_or_default();
        if ["json", "pbip", "pbir", "pbism", "platform"].contains(&ending) {
            assert!(document(entry.path())["version"].is_string() || document(entry.path())["$schema"].is_string());
        }
    }
}
