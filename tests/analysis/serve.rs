//! The server as PostgreSQL's own driver meets it: what it answers, what it refuses, what it cuts off, and what becomes visible when.

use super::duckdb::oracle_command;
use super::export::two_quarters;
use super::over_time::Seats;
use serde_json::{Value, json};
use shortfall::serve::{Access, Limits, Request, ServeError, Server};
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

/// A lake that no test changes, and the server on it that anybody on this machine may ask.
pub static OPEN: LazyLock<(Seats, SocketAddr, SocketAddr)> = LazyLock::new(|| {
    let seats = two_quarters();
    let (wire, flight) = serve(&seats, Access::default(), GENEROUS);
    (seats, wire, flight)
});

pub const GENEROUS: Limits = Limits { memory: 256 << 20, total_memory: 1 << 30, rows: 100_000, time: Duration::from_secs(60) };

fn request(access: Access, limits: Limits) -> Request {
    let address = "127.0.0.1:0".parse().expect("an address");
    Request { address, flight: Some(address), access, limits, connections: 80, threads: 2, fiscal_start: 1 }
}

/// Serves a lake on its own runtime until the test's process ends: PostgreSQL wire, Flight SQL.
pub fn serve(seats: &Seats, access: Access, limits: Limits) -> (SocketAddr, SocketAddr) {
    serve_places(seats, access, limits, 80)
}

fn serve_places(seats: &Seats, access: Access, limits: Limits, connections: usize) -> (SocketAddr, SocketAddr) {
    let lake = seats.book.lake.clone();
    let request = Request { connections, ..request(access, limits) };
    let bound = seats
        .book
        .runtime
        .block_on(async move { tokio::spawn(async move { Server::bind(&lake, &request).await }).await.expect("no panic") });
    let server = bound.expect("a server");
    let addresses = (server.address().expect("an address"), server.flight_address().expect("an address"));
    seats.book.runtime.spawn(server.run(|error| panic!("{error}")));
    addresses
}

/// Certificate and key for `localhost`.
pub fn certificate(folder: &Path) -> (PathBuf, PathBuf) {
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&chain)
        .output()
        .expect("openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (chain, key)
}

pub fn conninfo(address: SocketAddr, more: &str) -> String {
    format!("host=127.0.0.1 port={} dbname=shortfall user=analyst {more}", address.port())
}

pub fn ask(job: &str, conninfo: &str, password: Option<&str>) -> Value {
    let mut command = oracle_command("ask_server.py");
    command.args([job, conninfo]).env_remove("PGPASSWORD");
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    let output = command.output().expect("Python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_driver_reads_money_dates_cursors_and_the_catalogue() {
    let (_, address, _) = &*OPEN;
    let said = ask("read", &conninfo(*address, ""), None);
    // Six seats at 22.00 in three months, as exact numerics.
    assert_eq!([&said["leakage"], &said["is_decimal"]], [&json!("396.000000000000000000"), &json!(true)]);
    assert_eq!(
        said["by_customer"],
        json!([["Acme", "2026-01-01", "396.000000000000000000"], ["Acme", "2026-04-01", "396.000000000000000000"]])
    );
    assert_eq!([&said["walked"], &said["named"]], [&json!(12), &json!(12)]);
    assert_eq!(said["schemas"], json!(["bi", "core", "core_history", "information_schema", "marts", "pg_catalog"]));
    let classes = said["classes"].as_object().expect("schemas");
    assert!(["bi", "core", "marts"].iter().all(|schema| classes.get(*schema).and_then(Value::as_u64) > Some(5)), "{classes:?}");
}

#[test]
fn every_statement_that_does_more_than_read_is_refused() {
    let (_, address, _) = &*OPEN;
    let said = ask("hostile", &conninfo(*address, ""), None);
    assert_eq!(said["accepted"], json!([]));
    assert!(said["statements"].as_u64() >= Some(50));
    assert_eq!(said["findings"], 2);
    for stolen in ["/tmp/shortfall_stolen.csv", "/tmp/shortfall_stolen.parquet"] {
        assert!(!Path::new(stolen).exists(), "{stolen}");
    }
}

#[test]
fn a_query_that_wants_too_much_is_cut_off_and_others_go_on() {
    let (seats, ..) = &*OPEN;
    let limits = Limits { memory: 32 << 20, rows: 1_000, time: Duration::from_secs(3), ..GENEROUS };
    let (address, _) = serve(seats, Access::default(), limits);
    let said = ask("limits", &conninfo(address, ""), None);
    let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
    assert!(text("time").contains("took longer than 3 s"), "{said}");
    assert!(said["time_seconds"].as_f64() < Some(10.0), "{said}");
    assert!(text("rows").contains("more than 1000 rows"), "{said}");
    assert!(text("memory").contains("out of memory") || text("memory").contains("took longer"), "{said}");
    for beside in ["time_beside", "rows_beside", "memory_beside"] {
        assert_eq!(said[beside], 2, "{said}");
    }
}

/// More queries than the cores can serve: who waits for its turn uses up no seconds, and an open cursor that nobody reads on keeps no place.
#[test]
fn queries_wait_for_their_turn_and_lose_nothing_by_it() {
    let (seats, ..) = &*OPEN;
    let limits = Limits { time: Duration::from_secs(10), ..GENEROUS };
    let (address, _) = serve(seats, Access::default(), limits);
    let said = ask("turns", &conninfo(address, ""), None);
    assert_eq!(said["fetched"], 24, "{said}");
    assert_eq!(said["ends"].as_array().map(Vec::len), Some(1), "{said}");
    assert!(said["ends"][0].as_str().is_some_and(|end| end.contains("took longer than 10 s")), "{said}");
    assert_eq!(said["small"], json!([2, 2, 2, 2]), "{said}");
    // Eight times ten seconds in four places; were waiting counted, all would be over after ten.
    assert!(said["seconds"].as_f64() >= Some(20.0), "{said}");
}

#[test]
fn only_who_knows_the_password_and_speaks_tls_is_let_in() {
    let (seats, ..) = &*OPEN;
    let folder = tempfile::tempdir().expect("a folder");
    let tls = certificate(folder.path());
    let root = tls.0.display().to_string();
    let access = Access { password: Some("correct horse".to_owned()), tls: Some(tls) };
    let (address, _) = serve(seats, access, GENEROUS);
    let verified = conninfo(address, &format!("sslmode=verify-full sslrootcert={root}"));
    assert_eq!(ask("connects", &verified, Some("correct horse")), json!({ "answer": 42 }));
    let refused = |conninfo: &str, password: Option<&str>| {
        ask("connects", conninfo, password)["refused"].as_str().unwrap_or_default().to_owned()
    };
    for wrong in [Some("wrong"), Some(""), Some("correct hors"), Some("correct horse ")] {
        assert!(!refused(&verified, wrong).is_empty(), "{wrong:?}");
    }
    assert!(refused(&conninfo(address, "sslmode=disable"), Some("correct horse")).contains("TLS only"));
    // Junk, an oversized packet, and a handshake that ends at each of its bytes: each connection ends, and the server answers the next.
    let startup = b"\x00\x00\x00\x22\x00\x03\x00\x00user\x00analyst\x00database\x00x\x00\x00";
    let ssl: &[u8] = &[0, 0, 0, 8, 4, 210, 22, 47];
    let oversized: Vec<u8> = [&[0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0], [b'x'; 4096].as_slice()].concat();
    let mut junk: Vec<Vec<u8>> = vec![b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![0xff; 512], oversized, [ssl, startup].concat()];
    junk.extend((0..startup.len()).map(|end| startup[..end].to_vec()));
    junk.extend((0..ssl.len()).map(|end| ssl[..end].to_vec()));
    for bytes in junk {
        ends(address, &bytes);
    }
    assert_eq!(ask("connects", &verified, Some("correct horse")), json!({ "answer": 42 }));
}

/// Sends bytes and no more; the server ends the connection.
fn ends(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(address).expect("a connection");
    let mut said = Vec::new();
    // A server that has ended it already may refuse the rest.
    let _ = socket.write_all(bytes).and_then(|()| socket.shutdown(Shutdown::Write));
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    if let Err(error) = socket.read_to_end(&mut said) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    }
    said
}

#[test]
fn an_answer_to_an_older_handshake_lets_nobody_in() {
    let (seats, ..) = &*OPEN;
    let access = Access { password: Some("correct horse".to_owned()), tls: None };
    let (address, _) = serve(seats, access, GENEROUS);
    assert_eq!(ask("connects", &conninfo(address, ""), Some("correct horse")), json!({ "answer": 42 }));
    assert_eq!(ask("replay", &conninfo(address, ""), Some("correct horse")), json!({ "first": "R", "replayed": "28P01" }));
}

#[test]
fn who_never_speaks_holds_no_place_and_who_is_too_many_is_told() {
    let (seats, ..) = &*OPEN;
    let (address, _) = serve_places(seats, Access::default(), GENEROUS, 2);
    let silent: Vec<TcpStream> = (0..2).map(|_| TcpStream::connect(address).expect("a connection")).collect();
    let refused = ask("state", &conninfo(address, ""), None);
    assert_eq!(refused, json!({ "refused": "53300" }));
    for mut socket in silent {
        socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        assert_eq!(socket.read(&mut [0; 16]).expect("an end"), 0);
    }
    assert_eq!(ask("state", &conninfo(address, ""), None), json!({ "answer": 42 }));
}

#[test]
fn beyond_this_machine_nothing_is_served_without_password_and_tls() {
    let (seats, ..) = &*OPEN;
    let open = Request { address: "0.0.0.0:0".parse().expect("an address"), ..request(Access::default(), GENEROUS) };
    let bound = seats.book.runtime.block_on(Server::bind(&seats.book.lake, &open));
    assert!(matches!(bound, Err(ServeError::Access(_))));
    let output = seats.book.shortfall(&["serve", "--pg", "0.0.0.0:0"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("a password and TLS"));
}

#[test]
fn a_new_run_is_seen_whole_on_an_open_connection() {
    let seats = two_quarters();
    let (address, _) = serve(&seats, Access::default(), GENEROUS);
    let mut command = oracle_command("ask_server.py");
    let mut client = command.args(["count", &conninfo(address, "")]).stdout(Stdio::piped()).spawn().expect("Python");
    let mut lines = BufReader::new(client.stdout.take().expect("output")).lines();
    assert_eq!(lines.next().expect("a line").expect("text"), "ready");
    seats.bill_quarter(["2026-07", "2026-08", "2026-09"], "2026-09-30", 36);
    seats.book.analyze("2026Q3");
    let said: Value = serde_json::from_str(&lines.next().expect("a line").expect("text")).expect("JSON");
    assert_eq!(said, json!({ "first": [2, 2], "then": [3, 3] }));
    assert!(client.wait().expect("ended").success());
}
