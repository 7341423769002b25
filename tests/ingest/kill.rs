//! `kill -9` at any moment of an ingest: after the next run the lake is as if nothing had happened.

use super::support::{Place, command, rows, shortfall, sql};
use shortfall::lake::Table;
use shortfall::lake::schema::TABLES;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Kills, each at another moment of the run.
const KILLS: u32 = 30;
/// Kills that a lake suffers in a row before a run is let be.
const IN_A_ROW: u32 = 3;
/// The longest wait after a file has appeared, so that a kill also falls between two files.
const AFTER_A_FILE: Duration = Duration::from_millis(40);

fn ingest(lake: &Path, exports: &Path) -> std::process::Command {
    let mut ingest = command(&["ingest", "--threads", "1"]);
    ingest.arg("--lake").arg(lake).arg(exports);
    ingest
}

/// A small book with every kind of export, and a file with rejects.
pub fn exports(place: &Place) -> std::path::PathBuf {
    let all = place.path("msp").display().to_string();
    shortfall(&["synth", "--out", &all, "--customers", "3", "--months", "12"]).says(0, &[]);
    let exports = place.path("msp/exports");
    for folder in std::fs::read_dir(&exports).expect("exports").map(|entry| entry.expect("an entry").path()) {
        let mut files: Vec<_> =
            std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        // The last of a kind is enough, and keeps a run short.
        let kind = |file: &Path| file.file_name().expect("a name").to_string_lossy().chars().take(5).collect::<String>();
        for pair in files.windows(2).filter(|pair| kind(&pair[0]) == kind(&pair[1])) {
            std::fs::remove_file(&pair[0]).expect("removed");
        }
    }
    place.write(
        "msp/exports/zz_2024-01-01.csv",
        "date,from_currency,to_currency,rate\n2024-01-01,EUR,USD,1.1\nnever,EUR,USD,1.1\n2024-01-02,X,USD,1\n",
    );
    exports
}

/// Every row that ingest has made visible, in all columns, the logs included.
fn visible(lake: &Path) -> BTreeMap<&'static str, Vec<BTreeMap<String, String>>> {
    let batches = rows(lake, Table::Batch);
    let ids: Vec<&String> = batches.iter().map(|batch| &batch["batch_id"]).collect();
    let of_table = |&table: &Table| {
        let mut all = rows(lake, table);
        all.retain(|row| ids.contains(&&row["batch_id"]));
        // Named by lot.
        all.iter_mut().for_each(|row| drop(row.remove("attempt")));
        all.sort();
        (table.name(), all)
    };
    TABLES.iter().filter(|table| table.area() == "core").map(of_table).collect()
}

/// Files below a folder: what a run has done so far, however fast the machine is.
fn files(folder: &Path) -> usize {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.file_type().is_file()))
        .count()
}

/// Kills a run once it has written so many files more, and a moment has passed. `false` if it came to its end before.
fn killed_after(lake: &Path, exports: &Path, more: usize, moment: Duration) -> bool {
    let before = files(lake);
    let quiet = std::process::Stdio::null;
    let mut running = ingest(lake, exports).stdout(quiet()).stderr(quiet()).spawn().expect("starts");
    while files(lake) < before + more && running.try_wait().expect("a process").is_none() {
        std::thread::sleep(Duration::from_millis(2));
    }
    std::thread::sleep(moment);
    let alive = running.try_wait().expect("a process").is_none();
    running.kill().expect("killed");
    running.wait().expect("ended");
    alive
}

#[test]
fn killed_at_any_moment_the_next_run_mends_it() {
    let place = Place::new();
    let exports = exports(&place);
    let undisturbed = place.path("undisturbed");
    let status = ingest(&undisturbed, &exports).output().expect("runs").status;
    let all_files = files(&undisturbed);
    assert_eq!(status.code(), Some(1), "the rejects are there");
    // The current truth follows from the visible rows: these are compared after each mended run, the views above them at the end.
    let expected = visible(&undisturbed);
    // A fixed sequence (MINSTD), so that a failure can be had again on the same machine.
    let mut state = 20_261_122_u64;
    let mut killed = 0;
    let mut mended = undisturbed.clone();
    for lake in 0..KILLS / IN_A_ROW {
        let lake = place.path(&format!("lake-{lake}"));
        for _ in 0..IN_A_ROW {
            state = state * 48_271 % 2_147_483_647;
            let more = all_files * usize::try_from(state).expect("31 bits") / 2_147_483_647;
            state = state * 48_271 % 2_147_483_647;
            let moment = AFTER_A_FILE.mul_f64(f64::from(u32::try_from(state).expect("31 bits")) / 2_147_483_647.0);
            // Files that an earlier run has archived are not written again, so that the end may come first.
            killed += u32::from(killed_after(&lake, &exports, more, moment));
        }
        let again = ingest(&lake, &exports).output().expect("runs");
        let said = String::from_utf8_lossy(&again.stderr);
        assert!(matches!(again.status.code(), Some(0 | 1)), "{said}");
        assert_eq!(visible(&lake), expected, "{}", lake.display());
        mended = lake;
    }
    for view in ["vendor_usage", "invoice_line", "contract_line"] {
        let all = format!("SELECT * FROM core.{view} ORDER BY batch_id, source_row");
        assert_eq!(sql(&mended, &all), sql(&undisturbed, &all), "{view}");
    }
    assert!(killed > KILLS / 2, "only {killed} of {KILLS} runs were still alive when killed");
}
