//! A lake in an object store: the same answers as in a folder, and several writers at a time of which none loses a commit.

use super::kill::exports;
use super::s3::{Faults, SECRET, Server, ran};
use super::support::{Place, Ran, SEATS, mended_seats, on_lake};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const LAKE: &str = "s3://bucket/lakes/one";
const QUARTER: &str = "2024Q4";

/// Runs a command on a lake in the store.
#[track_caller]
pub fn on_s3(server: &Server, lake: &str, arguments: &[&str]) -> Ran {
    let mut all = arguments.to_vec();
    all.extend(["--lake", lake]);
    server.run(&all)
}

#[track_caller]
pub fn rows(ran: &Ran) -> Vec<Value> {
    ran.says(0, &[]).json().as_array().expect("rows").clone()
}

/// What stands in a lake of exchange rates: batches, different batches, rows, different rows, rejects.
#[track_caller]
pub fn standing(server: &Server, lake: &str) -> Vec<String> {
    let query = "SELECT (SELECT count(*) FROM core.batch) AS a, (SELECT count(DISTINCT batch_id) FROM core.batch) AS b, \
                 (SELECT count(*) FROM core_history.fx) AS c, \
                 (SELECT count(*) FROM (SELECT DISTINCT batch_id, source_row FROM core_history.fx)) AS d, \
                 (SELECT count(*) FROM core.reject) AS e";
    let found = rows(&on_s3(server, lake, &["sql", query, "--output", "json"]));
    ["a", "b", "c", "d", "e"].iter().map(|name| found[0][name].as_str().expect("a count").to_owned()).collect()
}

/// A file of two rates and a row that is rejected.
pub fn rates(place: &Place, name: &str, day: usize) -> PathBuf {
    let lines = format!(
        "date,from_currency,to_currency,rate\n2024-01-{day:02},EUR,USD,1.1\nnever,EUR,USD,1\n2024-02-{day:02},USD,EUR,0.9\n"
    );
    place.write(&format!("{name}_2024-03-{day:02}.csv"), lines)
}

#[test]
fn every_command_says_the_same_as_on_a_folder() {
    let (server, place) = (Server::start(), Place::new());
    let exports = exports(&place).display().to_string();
    let folder = place.lake();
    let local = |arguments: &[&str]| on_lake(&folder, arguments);
    let remote = |arguments: &[&str]| on_s3(&server, LAKE, arguments);
    let both = |arguments: &[&str]| {
        let (here, there) = (local(arguments), remote(arguments));
        assert_eq!((here.code, &here.out), (there.code, &there.out), "{arguments:?}\n{here}\n{there}");
        here
    };
    let planned = both(&["ingest", "--dry-run", &exports, "--output", "json"]).json();
    assert!(planned["new"].as_u64() > Some(5) && planned["already_known"] == 0, "{planned}");
    assert!(!folder.exists(), "a plan makes no lake");
    remote(&["sql", "SELECT 1"]).says(2, &["is not a lake"]);
    // One first, so that there is something to merge.
    let first = format!("{exports}/zz_2024-01-01.csv");
    for ran in [local(&["ingest", &first]), remote(&["ingest", &first])] {
        ran.says(1, &[]);
    }
    let said = |ran: Ran, lake: &str| (ran.code, ran.out.replace(lake, "LAKE"));
    let here = said(local(&["ingest", &exports]), &folder.canonicalize().expect("a lake").display().to_string());
    assert_eq!(here, said(remote(&["ingest", &exports]), LAKE));
    both(&["ingest", &exports]).says(1, &["files were ingested before"]);
    let again = both(&["ingest", "--dry-run", &exports, "--output", "json"]).json();
    assert_eq!((&again["new"], &again["already_known"]), (&Value::from(0), &planned["new"]));
    both(&["sql", "SELECT * FROM core.watermark ORDER BY system, entity", "--output", "json"]);
    let analyse = ["analyze", "--quarter", QUARTER, "--output", "json"];
    local(&analyse).says(0, &[]);
    // Within a limit of memory the engine has a runtime of its own, which has to learn of the store, too.
    remote(&[&analyse[..], &["--memory-limit", "64MiB"]].concat()).says(0, &[]);
    let findings = both(&["findings", "--format", "csv"]);
    let id = findings.out.lines().nth(1).and_then(|line| line.split(',').next()).expect("a finding").to_owned();
    both(&["explain", &id]).says(0, &[]);
    both(&["sql", "SELECT * FROM core.vendor_usage ORDER BY batch_id, source_row", "--output", "json"]);
    both(&["sql", "SELECT batch_id, file, sha256, rows_in FROM core.batch ORDER BY batch_id", "--output", "json"]);
    both(&["map", "suggest"]);
    both(&["compare", "--from", "2024-06-30", "--to", "2024-12-31"]);
    let batch = rows(&both(&["sql", "SELECT min(batch_id) AS id FROM core.invoice_line", "--output", "json"]))[0]["id"].clone();
    both(&["trace", batch.as_str().expect("an id"), "1"]).says(0, &[]);
    both(&["mute", &id, "--reason", "agreed"]).says(0, &[]);
    both(&["findings", "--muted", "--format", "csv"]).says(0, &[&id]);
    // Sizes differ by what is drawn by lot: the names of attempts, and the days on which a finding was muted, compress differently.
    let without_bytes = |mut said: Value, names: &[&str]| {
        for table in said["tables"].as_array_mut().expect("tables") {
            names.iter().for_each(|name| table[name] = Value::Null);
        }
        said["kept_bytes"] = Value::Null;
        said
    };
    let optimize = ["optimize", "--output", "json"];
    let optimised = [local(&optimize), remote(&optimize)]
        .map(|ran| without_bytes(ran.says(0, &[]).json(), &["bytes_before", "bytes_after", "vacuumed_bytes"]));
    assert_eq!(optimised[0], optimised[1]);
    assert!(optimised[0]["tables"].as_array().is_some_and(|tables| tables.iter().any(|table| table["table"] == "core.batch")));
    // What was merged says what it said: the same analysis is the same run.
    both(&["findings", "--muted", "--format", "csv"]).says(0, &[&id]);
    remote(&analyse).says(0, &[]);
    let runs = rows(&both(&["sql", "SELECT count(*) AS n FROM marts.run", "--output", "json"]));
    assert_eq!(runs[0]["n"], "1");
    let healths = [local(&["check", "--rows", "--output", "json"]), remote(&["check", "--rows", "--output", "json"])];
    let [here, there] = healths.map(|ran| {
        let mut health = without_bytes(ran.says(0, &[]).json(), &["bytes"]);
        for leftover in health["leftovers"].as_array_mut().expect("leftovers") {
            leftover["bytes"] = Value::Null;
        }
        health
    });
    assert_eq!(here, there);
    let export = place.path("star").display().to_string();
    remote(&["export", "--out", &export]).says(0, &[]);
    let (page, other) = (place.path("a.html"), place.path("b.html"));
    local(&["report", "--html", &page.display().to_string()]).says(0, &[]);
    remote(&["report", "--html", &other.display().to_string()]).says(0, &[]);
    let page_of = |path: &Path, lake: &str| {
        std::fs::read_to_string(path).expect("a page").replace(&lake.replace('/', "&#x2f;"), "LAKE").replace(lake, "LAKE")
    };
    let here = page_of(&page, &folder.canonicalize().expect("a lake").display().to_string());
    assert!(here == page_of(&other, LAKE), "the pages differ in more than the name of the lake");
}

#[test]
fn a_served_lake_is_read_from_the_store() {
    let (server, place) = (Server::start(), Place::new());
    let file = rates(&place, "fx", 1).display().to_string();
    on_s3(&server, LAKE, &["ingest", &file]).says(1, &[]);
    let mut command = server.command_as(SECRET, &["serve", "--lake", LAKE, "--pg", "127.0.0.1:0"]);
    let mut serving = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
    let said = BufReader::new(serving.stderr.take().expect("a pipe")).lines().map(|line| line.expect("text"));
    let mut ports = said.filter_map(|line| Some(line.split_once("wire on 127.0.0.1:")?.1.split(',').next()?.to_owned()));
    let port = ports.next().expect("a port");
    let query = "SELECT value FROM core.reject UNION ALL SELECT file FROM core.batch ORDER BY 1";
    let mut psql = Command::new("psql");
    psql.args(["-X", "-A", "-t", "-h", "127.0.0.1", "-U", "analyst", "-d", "shortfall", "-p", &port, "-c", query]);
    let answer = psql.output().expect("psql: apt-get install postgresql-client");
    serving.kill().expect("killed");
    serving.wait().expect("ended");
    assert_eq!(
        String::from_utf8_lossy(&answer.stdout),
        format!("{file}\nnever\n"),
        "{}",
        String::from_utf8_lossy(&answer.stderr)
    );
}

/// The first commit of a table after the one that made it.
const FIRST_BATCH: &str = "core/batch/_delta_log/00000000000000000001.json";
const WRITERS: usize = 3;

#[test]
fn writers_at_the_same_time_lose_nothing_and_land_nothing_twice() {
    // All of them have read an empty register when the first may write to it. Without faults, and with answers that get lost on the way.
    for loses_one_answer_of in [None, Some(2)] {
        let faults = Faults { loses_one_answer_of, gathers: Some((FIRST_BATCH, WRITERS)), ..Faults::default() };
        let (server, place) = (Server::with(faults), Place::new());
        let common: Vec<PathBuf> = (1..=4).map(|day| rates(&place, "common/fx", day)).collect();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let own = (0..2).map(|at| rates(&place, &format!("own-{writer}/fx"), 10 + 2 * writer + at));
                let mut command = server.command_as(SECRET, &["ingest", "--threads", "1", "--output", "json", "--lake", LAKE]);
                command.args(&common).args(own);
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts")
            })
            .collect();
        let (mut landed, mut known) = (0, 0);
        for writer in writers {
            let output = writer.wait_with_output().expect("ends");
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(output.status.code(), Some(1), "{said}{}", String::from_utf8_lossy(&output.stderr));
            let said: Value = serde_json::from_str(&said).expect("JSON");
            known += said["already_known"].as_u64().expect("a count");
            let files = |landed: &Value| landed["files"].as_u64().expect("a count");
            landed += said["landed"].as_array().expect("exports").iter().map(files).sum::<u64>();
        }
        // Each common file was landed by one writer and known to the two others.
        assert_eq!((landed, known), (4 + 6, 8));
        assert_eq!(standing(&server, LAKE), ["10", "10", "20", "20", "10"]);
        on_s3(&server, LAKE, &["check", "--rows"]).says(0, &["30 rows = 20 accepted + 10 rejected", "the lake is whole"]);
        assert!(server.gathered() >= WRITERS && server.refused() >= WRITERS - 1, "nobody came second");
    }
}

#[test]
fn analyses_and_decisions_at_the_same_time_all_stand() {
    let faults = Faults {
        loses_one_answer_of: Some(3),
        gathers: Some(("marts/mute/_delta_log/00000000000000000001.json", 3)),
        ..Faults::default()
    };
    let (server, place) = (Server::with(faults), Place::new());
    let exports = exports(&place).display().to_string();
    on_s3(&server, LAKE, &["ingest", &exports]).says(1, &[]);
    let side_by_side = |commands: &[Vec<&str>]| {
        let running: Vec<_> = commands
            .iter()
            .map(|arguments| {
                let mut command = server.command_as(SECRET, arguments);
                command.args(["--lake", LAKE, "--threads", "1"]).stdout(Stdio::null()).stderr(Stdio::piped());
                command.spawn().expect("starts")
            })
            .collect();
        for process in running {
            let output = process.wait_with_output().expect("ends");
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        }
    };
    side_by_side(&["2024Q3", QUARTER, QUARTER].map(|quarter| vec!["analyze", "--quarter", quarter]));
    // The two of one quarter are one analysis, unless one of them knew that of the other quarter.
    let runs = rows(&on_s3(
        &server,
        LAKE,
        &["sql", "SELECT quarter, number, run_id FROM marts.run ORDER BY number", "--output", "json"],
    ));
    let ids: BTreeSet<String> = runs.iter().map(|run| run["run_id"].to_string()).collect();
    let numbers: Vec<String> = runs.iter().map(|run| run["number"].as_str().expect("a number").to_owned()).collect();
    assert!(ids.len() == runs.len() && (2..=3).contains(&runs.len()), "{runs:?}");
    assert_eq!(numbers, (1..=runs.len()).map(|number| number.to_string()).collect::<Vec<_>>());
    // What each quarter's newest run says is what an undisturbed analysis would say.
    let local = |arguments: &[&str]| on_lake(&place.lake(), arguments);
    local(&["ingest", &exports]).says(1, &[]);
    local(&["analyze", "--quarter", "2024Q3"]).says(0, &[]);
    let csv = ["findings", "--quarter", "2024Q3", "--format", "csv"];
    let findings = on_s3(&server, LAKE, &csv).says(0, &[]).out.clone();
    assert_eq!(findings, local(&csv).out);
    let mutable: Vec<&str> = findings
        .lines()
        .skip(1)
        .filter(|line| !line.contains("resolved"))
        .filter_map(|line| line.split(',').next())
        .take(3)
        .collect();
    assert_eq!(mutable.len(), 3, "{findings}");
    side_by_side(&mutable.iter().map(|id| vec!["mute", id, "--reason", "agreed"]).collect::<Vec<_>>());
    let muted =
        rows(&on_s3(&server, LAKE, &["sql", "SELECT finding_id, number FROM marts.mute ORDER BY number", "--output", "json"]));
    let ids: BTreeSet<&str> = muted.iter().map(|row| row["finding_id"].as_str().expect("an id")).collect();
    assert_eq!(ids, mutable.into_iter().collect());
    let numbers: Vec<&str> = muted.iter().map(|row| row["number"].as_str().expect("a number")).collect();
    assert_eq!(numbers, ["1", "2", "3"]);
    assert!(server.gathered() >= 3);
    on_s3(&server, LAKE, &["check"]).says(0, &["the lake is whole"]);
}

#[test]
fn an_ingest_that_is_killed_leaves_nothing_to_be_seen_and_the_next_one_mends_it() {
    let (server, place) = (Server::start(), Place::new());
    for day in 1..=8 {
        rates(&place, "all/fx", day);
    }
    let all = place.path("all").display().to_string();
    let mut cut = BTreeSet::new();
    // An object is there before the first file; each file leaves its original and its rates, then all leave their rejects, then come the commits.
    for (round, objects_before) in [4, 19, 27, 29].into_iter().enumerate() {
        let lake = format!("s3://bucket/killed-{round}");
        let objects = server.path(&format!("killed-{round}"));
        let count = || walkdir::WalkDir::new(&objects).into_iter().flatten().filter(|entry| entry.file_type().is_file()).count();
        let mut command = server.command_as(SECRET, &["ingest", "--threads", "1", "--lake", &lake, &all]);
        let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        // Another moment in each round: among the files, and among the commits behind them.
        while count() < objects_before && running.try_wait().expect("a process").is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        running.kill().expect("killed");
        running.wait().expect("ended");
        cut.insert(count());
        on_s3(&server, &lake, &["ingest", &all]).says(1, &[]);
        assert_eq!(standing(&server, &lake), ["8", "8", "16", "16", "8"], "{lake}");
        on_s3(&server, &lake, &["check", "--rows"]).says(0, &["24 rows = 16 accepted + 8 rejected", "the lake is whole"]);
    }
    assert!(cut.len() > 2, "killed at the same moment each time: {cut:?}");
}

#[test]
fn originals_of_several_parts_come_back_as_they_were() {
    let (server, place) = (Server::start(), Place::new());
    // Digits drawn by lot: no compression makes one part of them.
    let mut text = "date,from_currency,to_currency,rate,source\n".to_owned();
    let mut state = 1_u64;
    for day in 1..=28 {
        text.push_str(&format!("2024-01-{day:02},EUR,USD,1.1,"));
        for _ in 0..1 << 16 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(&format!("{:016x}", state ^ (state >> 29)));
        }
        text.push('\n');
    }
    let file = place.write("fx_2024-01-01.csv", &text);
    on_s3(&server, LAKE, &["ingest", &file.display().to_string()]).says(0, &[]);
    on_s3(&server, LAKE, &["check"]).says(0, &["the lake is whole"]);
    let original =
        walkdir::WalkDir::new(server.path("lakes/one/files")).into_iter().flatten().find(|entry| entry.file_type().is_file());
    assert!(original.expect("an original").metadata().expect("a size").len() > 9 << 20);
}

#[test]
fn what_is_wrong_with_a_store_is_said_with_its_url_and_without_the_secret() {
    let (server, place) = (Server::start(), Place::new());
    let file = rates(&place, "fx", 1).display().to_string();
    let ingest = |lake: &str, secret: &str| server.run_as(secret, &["ingest", "--lake", lake, &file]);
    ingest("s3://nowhere/lake", SECRET).says(3, &["s3://nowhere/lake", "there is no such bucket"]);
    on_s3(&server, "s3://nowhere/lake", &["findings"]).says(3, &["s3://nowhere/lake", "there is no such bucket"]);
    ingest(LAKE, "another-secret-altogether").says(3, &[LAKE, "access is denied; check the credentials"]);
    server.run_as("another-secret-altogether", &["analyze", "--lake", LAKE, "--quarter", QUARTER]).says(3, &["access is denied"]);
    on_s3(&server, LAKE, &["analyze", "--quarter", QUARTER]).says(2, &["`s3://bucket/lakes/one` is not a lake"]);
    for lake in ["s3://key-id:hunter22@bucket/x", "ftp://user:hunter22@host/x", "s3://bucket/x?token=hunter22"] {
        let ran = ingest(lake, SECRET);
        assert!(ran.code == 2 && !ran.to_string().contains("hunter22"), "{ran}");
    }
    ingest("ftp://host/x", SECRET).says(2, &["no store that can be read; known are s3"]);
    // Nobody listens there; every command gives up after the attempts that it was allowed.
    let mut nobody = server.command_as(SECRET, &["findings", "--lake", LAKE]);
    nobody.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").env("AWS_MAX_ATTEMPTS", "2");
    ran(nobody, SECRET).says(3, &[LAKE]);
}

#[test]
fn stores_that_would_lose_commits_or_take_none_are_refused() {
    let place = Place::new();
    let file = rates(&place, "fx", 1).display().to_string();
    let server = Server::with(Faults { ignores_conditions: true, ..Faults::default() });
    on_s3(&server, LAKE, &["ingest", &file]).says(3, &["ignores conditional writes"]);
    assert!(!server.path("lakes/one/core").exists());
    let server = Server::with(Faults { is_read_only: true, ..Faults::default() });
    on_s3(&server, LAKE, &["ingest", &file]).says(3, &[LAKE, "access is denied"]);
}

#[test]
fn of_two_mappings_of_one_file_at_the_same_time_one_counts() {
    // Both have read an empty register when the first may write to it.
    let faults = Faults { gathers: Some((FIRST_BATCH, 2)), ..Faults::default() };
    let (server, place) = (Server::with(faults), Place::new());
    let csv =
        place.write("seats_2026-05-04.csv", "client,sku,code,seats,price\nA,x,y,3,10.5\nB,x,z,4,14\n").display().to_string();
    let mappings = [place.write("first.toml", SEATS), place.write("mended.toml", mended_seats())];
    let writers = mappings.each_ref().map(|mapping| {
        let mut command = server.command_as(SECRET, &["ingest", "--lake", LAKE, &csv, "--mapping"]);
        command.arg(mapping).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts")
    });
    for writer in writers {
        let output = writer.wait_with_output().expect("ends");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let query = "SELECT (SELECT count(*) FROM core.batch) AS b, native_sku, cost FROM core_history.vendor_usage ORDER BY cost";
    let found = rows(&on_s3(&server, LAKE, &["sql", query, "--output", "json"]));
    let cells = |name: &str| found.iter().map(|row| row[name].as_str().expect("text").to_owned()).collect::<Vec<_>>();
    assert_eq!((cells("b"), cells("cost")), (vec!["1".to_owned(); 2], vec!["10.5".to_owned(), "14".to_owned()]), "{found:?}");
    assert!([["y", "z"], ["x", "x"]].iter().any(|skus| cells("native_sku") == *skus), "{found:?}");
    assert!(server.gathered() >= 2);
}
