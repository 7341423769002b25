//! A cluster on this machine, each part a process of its own, the lake in an object store: the same findings as without, also when an executor is
//! killed amid the work; and clear words where there is no cluster to ask.

use super::s3::{SECRET, Server};
use serde_json::Value;
use shortfall::month::Month;
use shortfall::synth::{Config, generate};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Everything that an analysis publishes.
const MARTS: [&str; 8] =
    ["finding", "finding_evidence", "finding_cause", "fact_monthly", "gap_bridge", "coverage", "scorecard", "recovered"];

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shortfall"));
    for name in ["SHORTFALL_LAKE", "SHORTFALL_OUTPUT", "SHORTFALL_CLUSTER", "SHORTFALL_THREADS"] {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Where a lake lies, as `--lake` takes it, and the store if it is in one.
#[derive(Clone, Copy)]
struct Place<'a> {
    lake: &'a str,
    store: Option<&'a Server>,
}

impl Place<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(arguments);
        if let Some(store) = self.store {
            store.known_to(&mut command, SECRET);
        }
        command.args(["--lake", self.lake]);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the command runs")
    }
}

/// A part of the cluster; killed when the test ends.
struct Part {
    process: Child,
    said: Value,
}

impl Part {
    /// Starts it and waits until it says where it is.
    fn start(mut command: Command) -> Self {
        let mut process =
            command.args(["--output", "json"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the command runs");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let mut text = String::new();
        while serde_json::from_str::<Value>(&text).is_err() {
            text += &lines.next().expect("it says where it is").expect("a line");
        }
        Self { process, said: serde_json::from_str(&text).expect("one document") }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // SIGKILL. One that was killed before is dead already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A scheduler, and executors with one thread each.
struct Cluster {
    executors: Vec<Part>,
    _scheduler: Part,
    url: String,
}

impl Cluster {
    /// The store's keys are known to the executors and to nobody else.
    fn of(executors: usize, folder: &Path, store: Option<&Server>) -> Self {
        let scheduler = Part::start(command(&["cluster", "scheduler", "--listen", "127.0.0.1:0", "--executor-timeout", "10"]));
        let url = scheduler.said["url"].as_str().expect("a URL").to_owned();
        let folder = folder.display().to_string();
        let executors = (0..executors)
            .map(|_| {
                let arguments = ["--scheduler", &url, "--listen", "127.0.0.1:0", "--work-dir", &folder];
                let mut command = command(&[&["cluster", "executor", "--threads", "1"], &arguments[..]].concat());
                if let Some(store) = store {
                    store.known_to(&mut command, SECRET);
                }
                Part::start(command)
            })
            .collect();
        Self { executors, _scheduler: scheduler, url }
    }

    /// Analyses with everything sent to the cluster that can be.
    fn analyze(&self, quarter: &str, place: Place<'_>) -> Command {
        let all = ["--cluster-from", "0B", "--cluster-partitions", "3", "--output", "json"];
        place.command(&[&["analyze", "--quarter", quarter, "--cluster", &self.url], &all[..]].concat())
    }
}

/// Executors are registered a moment after they started.
fn run(mut command: Command) -> Output {
    let began = Instant::now();
    loop {
        let ran = command.output().expect("the command runs");
        let waits = said(&ran).contains("has no executor");
        if !waits || began.elapsed() > Duration::from_secs(30) {
            return ran;
        }
    }
}

/// On both streams: with `--output json` a failure is a document.
fn said(ran: &Output) -> String {
    [&ran.stdout, &ran.stderr].map(|stream| String::from_utf8_lossy(stream)).concat()
}

fn is_done(ran: &Output) {
    assert!(ran.status.success(), "{}\n{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
}

/// Everything that the analysis of a lake published, as text.
fn published(place: Place<'_>) -> Vec<String> {
    let rows = |mart: &&str| {
        let ran = place.run(&["sql", &format!("SELECT * FROM marts.{mart}"), "--csv"]);
        is_done(&ran);
        let text = String::from_utf8(ran.stdout).expect("UTF-8");
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines.join("\n")
    };
    MARTS.iter().map(rows).collect()
}

#[track_caller]
fn are_the_same(local: &[String], there: &[String]) {
    for (mart, (local, there)) in MARTS.iter().zip(local.iter().zip(there)) {
        assert_eq!(local, there, "marts.{mart}");
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.expect("an entry");
        let target = to.join(entry.path().strip_prefix(from).expect("below"));
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(target).expect("a folder");
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// What of an analysis ran where.
fn shares(ran: &Output) -> Value {
    let document: Value = serde_json::from_slice(&ran.stdout).expect("one document");
    document["cluster"].clone()
}

#[test]
fn three_executors_find_what_one_machine_finds_also_when_one_is_killed() {
    let out = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let config = Config::spanning(7, 8, Month::new(2025, 9).expect("a month"), 13);
    generate(&config, out.path()).expect("a book");
    let quarter = config.analysed_quarter.to_string();
    let folder = out.path().join("local");
    let local = Place { lake: &folder.display().to_string(), store: None };
    let ran = local.run(&["ingest", &out.path().join("exports").display().to_string()]);
    assert!(matches!(ran.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&ran.stderr));
    let store = Server::start();
    copy(&folder, &store.path("cluster"));
    copy(&folder, &store.path("killed"));
    let [there, killed] = ["s3://bucket/cluster", "s3://bucket/killed"].map(|lake| Place { lake, store: Some(&store) });
    is_done(&local.run(&["analyze", "--quarter", &quarter]));
    let expected = published(local);
    assert!(expected[0].lines().count() > 5, "a book with leaks has findings: {}", expected[0]);

    // Two clusters side by side; each waits more than it works.
    let cluster = Cluster::of(3, out.path(), Some(&store));
    let mut hit = Cluster::of(3, out.path(), Some(&store));
    let [whole, killed_one] = [cluster.analyze(&quarter, there), hit.analyze(&quarter, killed)];
    let (ran, survived) = std::thread::scope(|scope| {
        let (ran, survived) = (scope.spawn(|| run(whole)), scope.spawn(|| run(killed_one)));
        wait_for_facts(&store.path("killed/.work"), 12);
        assert!(!survived.is_finished(), "it is still at work");
        drop(hit.executors.swap_remove(0));
        (ran.join().expect("no panic"), survived.join().expect("no panic"))
    });
    is_done(&ran);
    are_the_same(&expected, &published(there));
    // Whatever could not travel is named.
    let shared = shares(&ran);
    assert_eq!(shared["here"], serde_json::json!({}), "{shared}");
    assert!(shared["there"].as_array().expect("names").len() > 50, "{shared}");
    let left = walkdir::WalkDir::new(store.path("cluster/.work")).into_iter().filter_map(Result::ok);
    assert_eq!(left.filter(|entry| entry.path().extension().is_some_and(|end| end == "parquet")).count(), 0);
    is_done(&survived);
    assert!(said(&survived).contains("is repeated"), "the one that was killed had work in hand: {}", said(&survived));
    are_the_same(&expected, &published(killed));
}

#[test]
fn an_analysis_whose_executors_are_all_gone_says_so_and_publishes_nothing() {
    let out = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let files = [super::support::repository("tests/analysis/worked_example")];
    let book = super::support::Book::of(&files);
    let place = Place { lake: &book.lake.root().display().to_string(), store: None };
    let mut cluster = Cluster::of(1, out.path(), None);
    let analysis = cluster.analyze("2026Q3", place);
    let ran = std::thread::scope(|scope| {
        let ran = scope.spawn(|| run(analysis));
        wait_for_facts(&book.lake.root().join(".work"), 1);
        cluster.executors.clear();
        ran.join().expect("no panic")
    });
    let (code, said) = (ran.status.code(), said(&ran));
    assert!(code == Some(3) && said.contains(&format!("the scheduler at {} has no executor", cluster.url)), "{code:?} {said}");
    let findings = place.run(&["findings"]);
    assert!(String::from_utf8_lossy(&findings.stderr).contains("analyze"), "nothing was published: {findings:?}");
}

/// Waits until an analysis has kept some facts, so that it is amid its work.
fn wait_for_facts(work: &Path, enough: usize) {
    let began = Instant::now();
    let kept = || {
        let folders = walkdir::WalkDir::new(work).min_depth(3).max_depth(3).into_iter().filter_map(Result::ok);
        folders.filter(|entry| entry.file_type().is_dir()).count()
    };
    while kept() < enough {
        assert!(began.elapsed() < Duration::from_secs(600), "{} facts after ten minutes", kept());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_cluster_that_is_not_there_is_named() {
    let files = [super::support::repository("tests/analysis/worked_example")];
    let book = super::support::Book::of(&files);
    let place = Place { lake: &book.lake.root().display().to_string(), store: None };
    let analyze = |url: &str| {
        let ran = place.run(&["analyze", "--quarter", "2026Q3", "--cluster", url]);
        (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
    };
    // A port that nobody listens on.
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let (code, said) = analyze(&format!("http://{free}"));
    assert!(code == Some(3) && said.contains(&format!("no scheduler answers at http://{free}")), "{code:?} {said}");
    let (code, said) = analyze("scheduler:50050");
    assert!(code == Some(2) && said.contains("`scheduler:50050` is no address of a scheduler"), "{code:?} {said}");
    // Somebody else's server.
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", server.local_addr().expect("an address"));
    let (code, said) = std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut client, _) = server.accept().expect("a client");
            let mut request = BufReader::new(client.try_clone().expect("the same")).lines().map_while(Result::ok);
            assert!(request.any(|line| line.is_empty()), "the end of its request");
            client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").expect("an answer");
        });
        analyze(&url)
    });
    assert!(code == Some(3) && said.contains(&format!("what answers at {url} is no scheduler of a cluster")), "{code:?} {said}");
    let scheduler = Part::start(command(&["cluster", "scheduler", "--listen", "127.0.0.1:0"]));
    let url = scheduler.said["url"].as_str().expect("a URL");
    let (code, said) = analyze(url);
    assert!(code == Some(3) && said.contains(&format!("the scheduler at {url} has no executor")), "{code:?} {said}");
    let waits = ["cluster", "executor", "--listen", "127.0.0.1:0", "--wait", "0", "--scheduler"];
    let ran = command(&[&waits[..], &[&format!("http://{free}")]].concat()).output().expect("the command runs");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.code() == Some(3) && said.contains(&format!("no scheduler answers at http://{free}")), "{said}");
}
