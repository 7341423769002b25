//! `kill -9` at any moment of an ingest: after the next run the lake is as if nothing had happened.

use super::support::{Place, command, ingested, on_lake, shortfall, sql};
use std::path::Path;
use std::time::{Duration, Instant};

/// Kills, each at another moment of the run.
const KILLS: u32 = 30;
/// Kills that a lake suffers in a row before a run is let be.
const IN_A_ROW: u32 = 3;

fn ingest(lake: &Path, exports: &Path) -> std::process::Command {
    let mut ingest = command(&["ingest", "--threads", "2"]);
    ingest.arg("--lake").arg(lake).arg(exports);
    ingest
}

/// A small book with every kind of export, and a file with rejects.
fn exports(place: &Place) -> std::path::PathBuf {
    let all = place.path("msp").display().to_string();
    shortfall(&["synth", "--out", &all, "--customers", "12", "--months", "12"]).says(0, &[]);
    let exports = place.path("msp/exports");
    for folder in std::fs::read_dir(&exports).expect("exports").map(|entry| entry.expect("an entry").path()) {
        let mut files: Vec<_> =
            std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        // Two of a kind are enough, and keep a run short.
        let kind = |file: &Path| file.file_name().expect("a name").to_string_lossy()[..5].to_owned();
        for window in files.windows(3).filter(|window| kind(&window[0]) == kind(&window[2])) {
            std::fs::remove_file(&window[0]).expect("removed");
        }
    }
    place.write(
        "msp/exports/zz_2024-01-01.csv",
        "date,from_currency,to_currency,rate\n2024-01-01,EUR,USD,1.1\nnever,EUR,USD,1.1\n2024-01-02,X,USD,1\n",
    );
    exports
}

fn logs(lake: &Path) -> Vec<serde_json::Value> {
    let columns = "batch_id, file, sha256, bytes, system, entity, rows_in, rows_accepted, rows_rejected, recorded_at";
    let mut rows = sql(lake, &format!("SELECT {columns} FROM core.batch ORDER BY batch_id"));
    rows.extend(sql(lake, "SELECT * FROM core.reject ORDER BY batch_id, source_row"));
    rows
}

/// A query for the number and the content of all rows, in all columns, of every table and view of the current truth.
fn digest_query(lake: &Path) -> String {
    let views = ["vendor_usage", "invoice_line", "contract_line", "lifecycle_event", "customer", "service"];
    let names = ingested().map(|table| format!("known.{table}")).chain(views.iter().map(|view| format!("core.{view}")));
    let parts: Vec<String> = names
        .map(|name| {
            let header = on_lake(lake, &["sql", &format!("SELECT * FROM {name} LIMIT 0"), "--csv"]);
            let columns = header.says(0, &[]).out.trim().to_owned();
            format!("SELECT '{name}' AS name, count(*) AS n, sum(row_hash({columns})) AS content FROM {name}")
        })
        .collect();
    format!("SELECT * FROM ({}) ORDER BY name", parts.join(" UNION ALL "))
}

#[test]
fn killed_at_any_moment_the_next_run_mends_it() {
    let place = Place::new();
    let exports = exports(&place);
    let undisturbed = place.path("undisturbed");
    let started = Instant::now();
    let status = ingest(&undisturbed, &exports).output().expect("runs").status;
    let whole = started.elapsed();
    assert_eq!(status.code(), Some(1), "the rejects are there");
    let digest = digest_query(&undisturbed);
    let (expected_log, expected) = (logs(&undisturbed), sql(&undisturbed, &digest));
    // A fixed sequence (MINSTD), so that a failure can be had again on the same machine.
    let mut state = 20_261_122_u64;
    let mut killed = 0;
    for lake in 0..KILLS / IN_A_ROW {
        let lake = place.path(&format!("lake-{lake}"));
        for _ in 0..IN_A_ROW {
            state = state * 48_271 % 2_147_483_647;
            let share = f64::from(u32::try_from(state).expect("31 bits")) / 2_147_483_647.0;
            let mut running = ingest(&lake, &exports)
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .expect("starts");
            std::thread::sleep(whole.mul_f64(share).max(Duration::from_millis(1)));
            killed += u32::from(running.try_wait().expect("a process").is_none());
            running.kill().expect("killed");
            running.wait().expect("ended");
        }
        let again = ingest(&lake, &exports).output().expect("runs");
        let said = String::from_utf8_lossy(&again.stderr);
        assert!(matches!(again.status.code(), Some(0 | 1)), "{said}");
        assert_eq!(logs(&lake), expected_log, "{}", lake.display());
        assert_eq!(sql(&lake, &digest), expected, "{}", lake.display());
    }
    assert!(killed > KILLS / 2, "only {killed} of {KILLS} runs were still alive when killed");
}
