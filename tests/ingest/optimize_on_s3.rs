//! `optimize` of a lake in an object store, where nothing is locked: others write at the same time, and lose nothing.

use super::lake_on_s3::{on_s3, rates, rows, standing};
use super::s3::{Faults, SECRET, Server};
use super::support::Place;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

const LAKE: &str = "s3://bucket/lakes/many";
const FOLDER: &str = "lakes/many";

/// Data files that the newest version of a table names.
#[track_caller]
fn named(server: &Server, lake: &str, table: &str) -> u64 {
    let health = on_s3(server, lake, &["check", "--rows", "--output", "json"]).says(0, &[]).json();
    assert_eq!(health["faults"], Value::Array(Vec::new()), "{health}");
    let tables = health["tables"].as_array().expect("tables");
    tables.iter().find(|of| of["table"] == table).and_then(|of| of["files"].as_u64()).unwrap_or(0)
}

fn lying(folder: &Path) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(folder).into_iter().flatten().map(walkdir::DirEntry::into_path);
    files
        .filter(|path| {
            path.extension().is_some_and(|kind| kind == "parquet") && !path.display().to_string().contains("_delta_log")
        })
        .collect()
}

/// A lake of so many small files in each table, and their exports.
#[track_caller]
fn many(server: &Server, place: &Place, lake: &str, days: std::ops::RangeInclusive<usize>) -> Vec<String> {
    days.map(|day| {
        let file = rates(place, "early/fx", day).display().to_string();
        on_s3(server, lake, &["ingest", &file]).says(1, &[]);
        file
    })
    .collect()
}

#[test]
fn whoever_ingests_or_optimises_at_the_same_time_loses_nothing() {
    // Every third conditional write is carried out, and said to have failed. Four commits at least are asked for on the same version of the rates: of
    // two ingests, and of two merges of the same files.
    let gathers = Some(("core/fx/_delta_log/00000000000000000005.json", 4));
    let faults = Faults { loses_one_answer_of: Some(3), gathers, ..Faults::default() };
    let (server, place) = (Server::with(faults), Place::new());
    let early = many(&server, &place, LAKE, 1..=4);
    let late: Vec<String> = (5..=10).map(|day| rates(&place, "late/fx", day).display().to_string()).collect();
    let start = |arguments: &[&str], code: i32| {
        let mut command = server.command_as(SECRET, arguments);
        command.args(["--lake", LAKE, "--threads", "1"]).stdout(Stdio::null()).stderr(Stdio::piped());
        (command.spawn().expect("starts"), code)
    };
    let ingest = |paths: &[String], code: i32| {
        let paths: Vec<&str> = std::iter::once("ingest").chain(paths.iter().map(String::as_str)).collect();
        start(&paths, code)
    };
    // Both ingests offer the files of one another, and what is being merged.
    let writers = [
        ingest(&[&late[..4], &early[..]].concat(), 1),
        start(&["optimize", "--keep", "0"], 0),
        ingest(&late[2..], 1),
        start(&["optimize", "--keep", "0"], 0),
    ];
    for (writer, code) in writers {
        let output = writer.wait_with_output().expect("ends");
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let expected = ["10", "10", "20", "20", "10"];
    assert_eq!(standing(&server, LAKE), expected);
    assert!(server.gathered() >= 4 && server.refused() >= 3, "nobody came second");
    on_s3(&server, LAKE, &["optimize"]).says(0, &[]);
    // Of what came second the rows are in the tables still, and in no merged file.
    let contested = ["core.fx", "core.reject"].map(|table| named(&server, LAKE, table));
    assert!(contested.iter().all(|files| *files < 10), "{contested:?}");
    assert_eq!(named(&server, LAKE, "core.batch"), 1);
    assert_eq!(standing(&server, LAKE), expected);
    let known = rows(&on_s3(&server, LAKE, &["sql", "SELECT sum(rate) AS s FROM known.fx", "--output", "json"]));
    assert_eq!(known[0]["s"], "20");
    on_s3(&server, LAKE, &[&["ingest"][..], &late.iter().map(String::as_str).collect::<Vec<_>>()].concat())
        .says(0, &["6 files were ingested before"]);
}

#[test]
fn only_what_nobody_can_need_is_removed_from_a_store() {
    let (server, place) = (Server::start(), Place::new());
    many(&server, &place, LAKE, 1..=3);
    let folder = server.path(FOLDER);
    let fx = folder.join("core/fx");
    let small = lying(&fx);
    assert_eq!(small.len(), 3);
    // What a run that was stopped has left, and what another process is about to commit.
    let left = |name: &str, days: u64| {
        let path = fx.join(name);
        std::fs::copy(&small[0], &path).expect("copied");
        #[expect(clippy::disallowed_methods, reason = "how long files have lain there is told by the clock that dates them")]
        let written = std::time::SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60);
        std::fs::File::options().write(true).open(&path).and_then(|file| file.set_modified(written)).expect("dated");
        path
    };
    let (old, young) = (left("part-0123456789abcdef-a-00000.parquet", 3), left("part-0123456789abcdef-b-00000.parquet", 1));
    let would = on_s3(&server, LAKE, &["optimize", "--dry-run", "--keep", "0", "--output", "json"]).says(0, &[]).json();
    assert_eq!(would["keep_days"], 2, "{would}");
    assert!(old.exists() && lying(&fx).len() == 5, "nothing was done");
    on_s3(&server, LAKE, &["optimize", "--keep", "0"]).says(0, &["core.fx", "may need them for 2 days"]);
    // The merged file, the three it is made of, and what is younger than two days.
    assert!(!old.exists() && young.exists());
    assert_eq!(lying(&fx).len(), 5);
    let answer = standing(&server, LAKE);
    assert_eq!(answer, ["3", "3", "6", "6", "3"]);
    on_s3(&server, LAKE, &["optimize", "--keep", "0"]).says(0, &["nothing to do"]);
    let rest: Vec<String> = walkdir::WalkDir::new(&folder)
        .max_depth(1)
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(rest, [".conditional"], "no object stays that only told the time");
}

#[test]
fn killed_at_any_moment_an_optimised_store_says_the_same() {
    let (server, place) = (Server::start(), Place::new());
    many(&server, &place, LAKE, 1..=6);
    let expected = standing(&server, LAKE);
    let objects = server.path(FOLDER);
    let count = || walkdir::WalkDir::new(&objects).into_iter().flatten().filter(|entry| entry.file_type().is_file()).count();
    let mut killed = 0;
    // A whole run writes three merged files and commits each.
    for more in [1, 1, 2] {
        let target = count() + more;
        let mut command = server.command_as(SECRET, &["optimize", "--threads", "1", "--lake", LAKE]);
        let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        while count() < target && running.try_wait().expect("a process").is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        killed += u32::from(running.try_wait().expect("a process").is_none());
        running.kill().expect("killed");
        running.wait().expect("ended");
        assert_eq!(standing(&server, LAKE), expected);
    }
    assert!(killed > 0, "no run was alive when it was killed");
    on_s3(&server, LAKE, &["optimize"]).says(0, &[]);
    let files = ["core.fx", "core.reject", "core.batch"].map(|table| named(&server, LAKE, table));
    assert_eq!(files, [1, 1, 1]);
    assert_eq!(standing(&server, LAKE), expected);
}
