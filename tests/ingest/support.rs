//! Runs the real binary in a folder of its own and asks the lake what became of the files.

use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use shortfall::lake::delta::DataFile;
use shortfall::lake::part::Part;
use shortfall::lake::schema::TABLES;
use shortfall::lake::{Lake, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What a command said.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Exit code and every one of `texts` somewhere in what was printed.
    #[track_caller]
    pub fn says(&self, code: i32, texts: &[&str]) -> &Self {
        assert_eq!(self.code, code, "exit code\n{self}");
        for text in texts {
            assert!(self.out.contains(text) || self.err.contains(text), "`{text}` is not in\n{self}");
        }
        self
    }

    /// Standard output as one JSON document.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("not one JSON document: {e}\n{self}"))
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {}\n--- out\n{}\n--- err\n{}", self.code, self.out, self.err)
    }
}

/// The command, free of the caller's settings.
pub fn command<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shortfall"));
    for name in ["SHORTFALL_LAKE", "SHORTFALL_OUTPUT", "SHORTFALL_THREADS", "RUST_BACKTRACE"] {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs it to its end. No input whatever makes it panic or die of a signal.
#[track_caller]
pub fn shortfall<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Ran {
    let output = command(arguments).output().expect("the binary starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("prints UTF-8");
    let ran = Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) };
    assert!((0..=4).contains(&ran.code) && !ran.err.contains("panicked"), "{ran}");
    ran
}

/// A folder with a lake in it.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn lake(&self) -> PathBuf {
        self.path("lake")
    }

    /// Writes a file, with its folders.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        std::fs::write(&path, content).expect("a file");
        path
    }

    /// Runs a command with `--lake`.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Ran {
        on_lake(&self.lake(), arguments)
    }

    #[track_caller]
    pub fn ingest(&self, paths: &[&Path], more: &[&str]) -> Ran {
        let mut arguments = vec!["ingest".to_owned()];
        arguments.extend(paths.iter().map(|path| path.display().to_string()));
        arguments.extend(more.iter().map(|&text| text.to_owned()));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.run(&arguments)
    }

    #[track_caller]
    pub fn sql(&self, query: &str) -> Vec<Value> {
        sql(&self.lake(), query)
    }

    /// One file that never changes its meaning: offered, and its place returned.
    #[track_caller]
    pub fn offer(name: &str, content: impl AsRef<[u8]>) -> (Self, Ran) {
        let place = Self::new();
        let file = place.write(name, content);
        let ran = place.ingest(&[&file], &[]);
        (place, ran)
    }

    /// Rows in, accepted, rejected of the only batch; checked against the rows that stand in the lake.
    #[track_caller]
    pub fn counts(&self) -> (u64, u64, u64) {
        let batches = self.rows(Table::Batch);
        assert_eq!(batches.len(), 1, "{batches:?}");
        let batch = &batches[0];
        let [rows_in, accepted, rejected]: [usize; 3] =
            ["rows_in", "rows_accepted", "rows_rejected"].map(|name| batch[name].parse().expect("a count"));
        assert_eq!(rows_in, accepted + rejected, "{batch:?}");
        let of_batch = |table: Table| self.rows(table).iter().filter(|row| row["batch_id"] == batch["batch_id"]).count();
        let export = shortfall::sources::find(&batch["system"], &batch["entity"]).expect("a source").export;
        let is_beside = |table: &Table| export.beside.contains(table) && *table != export.target;
        let counted = TABLES.iter().filter(|table| table.is_ingested() && !is_beside(table));
        let standing: usize = counted.map(|&table| of_batch(table)).sum();
        assert_eq!((standing, of_batch(Table::Reject)), (accepted, rejected), "{batch:?}");
        (rows_in as u64, accepted as u64, rejected as u64)
    }

    #[track_caller]
    fn rows(&self, table: Table) -> Vec<BTreeMap<String, String>> {
        rows(&self.lake(), table)
    }

    #[track_caller]
    pub fn count(&self, from: &str) -> u64 {
        let rows = self.sql(&format!("SELECT count(*) AS n FROM {from}"));
        rows[0]["n"].as_str().and_then(|text| text.parse().ok()).expect("a count")
    }

    /// The rejects as (row, column, value, reason), in the order of the file.
    #[track_caller]
    pub fn rejects(&self) -> Vec<(u64, String, String, String)> {
        let text = |row: &BTreeMap<String, String>, name: &str| row[name].clone();
        let mut rejects: Vec<_> = self
            .rows(Table::Reject)
            .iter()
            .map(|r| {
                (text(r, "source_row").parse().expect("a number"), text(r, "column_name"), text(r, "value"), text(r, "reason"))
            })
            .collect();
        rejects.sort();
        rejects
    }

    /// Asserts that the rejects are these; reasons need only begin so.
    #[track_caller]
    pub fn rejects_are(&self, expected: &[(u64, &str, &str, &str)]) {
        let found = self.rejects();
        let fits = found.len() == expected.len()
            && found.iter().zip(expected).all(|(f, e)| f.0 == e.0 && f.1 == e.1 && f.2 == e.2 && f.3.starts_with(e.3));
        assert!(fits, "expected {expected:#?}\nfound {found:#?}");
    }
}

/// A file of exchange rates, of which one line is rejected.
pub const RATES: &str =
    "date,from_currency,to_currency,rate\n2024-01-01,EUR,USD,1.1\nnever,EUR,USD,1.1\n2024-01-02,USD,EUR,0.9\n";

/// A lake of these rates.
#[track_caller]
pub fn place_of_rates() -> Place {
    let place = Place::new();
    let file = place.write("fx_2024-01-01.csv", RATES);
    place.ingest(&[&file], &[]).says(1, &[]);
    place
}

/// A mapping file for lists of seats (`client,sku,code,seats,price`).
pub const SEATS: &str = r#"
system = "rmm"
[[export]]
name = "seats"
table = "vendor_usage"
file = { format = "csv" }
[export.columns]
customer_native_id = "client"
native_sku = "sku"
measure = { constant = "level" }
quantity = "seats"
cost = "price"
currency = { constant = "USD" }
period_start = { arrival = "month_start" }
period_end = { arrival = "month_end" }
"#;

/// The same after it was mended: another column holds the SKU.
pub fn mended_seats() -> String {
    SEATS.replace(r#"native_sku = "sku""#, r#"native_sku = "code""#)
}

#[track_caller]
pub fn on_lake(lake: &Path, arguments: &[&str]) -> Ran {
    let lake = lake.display().to_string();
    let mut all = arguments.to_vec();
    all.extend(["--lake", &lake]);
    shortfall(&all)
}

#[track_caller]
pub fn sql(lake: &Path, query: &str) -> Vec<Value> {
    let ran = on_lake(lake, &["sql", query, "--output", "json"]);
    assert_eq!(ran.code, 0, "{query}\n{ran}");
    ran.json().as_array().expect("rows").clone()
}

/// Bytes as a photo has them: no text in any encoding.
pub fn binary_junk() -> Vec<u8> {
    (0..4096_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// The fixtures of the repository.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sources")
}

/// Every row of a table's files, as text by column; read without SQL, which costs a debug build a quarter of a second. Of a batch that is
/// visible only the files of its attempt count.
#[track_caller]
pub fn rows(lake: &Path, table: Table) -> Vec<BTreeMap<String, String>> {
    let lake = Lake::open(lake).expect("a lake");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let files = |table| runtime.block_on(lake.files(table, None)).expect("a table log");
    let batches: Vec<_> = files(Table::Batch).iter().flat_map(|file| rows_of(&lake, Table::Batch, file)).collect();
    if table == Table::Batch {
        return batches;
    }
    // Of a merged file the rows of another attempt are left out, of any other the file.
    let attempts: BTreeMap<&String, &String> = batches.iter().map(|batch| (&batch["batch_id"], &batch["attempt"])).collect();
    let is_other = |part: &&Part| attempts.get(&part.batch_id).is_some_and(|attempt| **attempt != part.attempt);
    let mut rows = Vec::new();
    for file in files(table) {
        let others: BTreeSet<String> = file.parts.iter().filter(is_other).map(|part| part.batch_id.clone()).collect();
        rows.extend(rows_of(&lake, table, &file).into_iter().filter(|row| !others.contains(&row["batch_id"])));
    }
    rows
}

fn rows_of(lake: &Lake, table: Table, file: &DataFile) -> Vec<BTreeMap<String, String>> {
    let mut rows = Vec::new();
    let parquet = std::fs::File::open(lake.folder(table).join(&file.path)).expect("a data file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(parquet).and_then(|b| b.build()).expect("Parquet");
    for batch in reader.map(|batch| batch.expect("rows")) {
        let schema = batch.schema();
        let options = FormatOptions::default();
        for at in 0..batch.num_rows() {
            let cell = |column: usize| {
                let cells = ArrayFormatter::try_new(batch.column(column), &options).expect("a printable type");
                (schema.field(column).name().clone(), cells.value(at).to_string())
            };
            rows.push((0..batch.num_columns()).map(cell).collect());
        }
    }
    rows
}
