//! A lake in a folder of its own, and short ways to fill and question it.

use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, Duration, NaiveDate, NaiveTime, Utc};
use shortfall::findings::analyze::{Analysis, AnalyzeError, Request, analyze};
use shortfall::findings::marts;
use shortfall::findings::recoverable::BACK_BILLING_MONTHS;
use shortfall::ingest::{self, Outcome, Silent, plan};
use shortfall::lake::{Lake, truth};
use shortfall::query::catalog::Catalog;
use shortfall::query::{session, views};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// A path below this repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A runtime as the command has it: plans of facts recurse deeply.
pub fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).thread_stack_size(shortfall::STACK).enable_all().build().expect("a runtime")
}

/// The end of a day, which an as-of date includes.
pub fn end_of(day: &str) -> DateTime<Utc> {
    let day: NaiveDate = day.parse().expect("a date");
    day.and_time(NaiveTime::MIN).and_utc() + Duration::days(1) - Duration::microseconds(1)
}

/// A lake and the runtime that works on it.
pub struct Book {
    _folder: TempDir,
    pub lake: Lake,
    pub runtime: Runtime,
}

impl Book {
    /// A lake with these files; every row of them must have been accepted.
    pub fn of(paths: &[PathBuf]) -> Self {
        let book = Self::empty();
        book.add(paths);
        book
    }

    /// A lake with nothing in it.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let lake = Lake::create(&folder.path().join("lake")).expect("a lake");
        Self { _folder: folder, lake, runtime: runtime() }
    }

    /// Ingests files, of which some may be known; every row must be accepted.
    pub fn add(&self, paths: &[PathBuf]) {
        let files = plan::files(paths).expect("files");
        let options = ingest::Options { system: None, recorded_at: None, threads: 2, queries: None };
        let outcomes = ingest::ingest(&self.lake, &files, &options, self.runtime.handle(), &Silent).expect("an ingest");
        for (path, outcome) in outcomes {
            match outcome {
                Outcome::Landed(batch) => assert_eq!(batch.rows_rejected, 0, "{}", path.display()),
                Outcome::Known | Outcome::PassedOver | Outcome::Manifest => {}
                Outcome::Refused(error) => panic!("{}: {error}", path.display()),
            }
        }
    }

    /// Analyses a quarter with all that is known, on two threads.
    pub fn analyze(&self, quarter: &str) -> Analysis {
        self.analyze_with(request(quarter)).expect("an analysis")
    }

    /// Analyses as asked.
    pub fn analyze_with(&self, request: Request) -> Result<Analysis, AnalyzeError> {
        let lake = self.lake.clone();
        self.runtime.block_on(async { tokio::spawn(async move { analyze(&lake, &request).await }).await.expect("no panic") })
    }

    /// Rows as text over everything that `shortfall sql` sees.
    pub fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        self.runtime.block_on(async {
            let ctx = session::context(2);
            truth::register(&ctx, &self.lake, None).await.expect("a view of the lake");
            views::register(&ctx, &Catalog::load(None).expect("queries")).await.expect("views");
            marts::register(&ctx, &self.lake, None).await.expect("marts");
            let batches = ctx.sql(sql).await.expect(sql).collect().await.expect(sql);
            let options = FormatOptions::default();
            let mut rows = Vec::new();
            for batch in batches {
                let columns: Vec<_> =
                    batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).expect("a printable column")).collect();
                rows.extend((0..batch.num_rows()).map(|row| columns.iter().map(|c| c.value(row).to_string()).collect()));
            }
            rows
        })
    }

    /// One column as text.
    pub fn column(&self, sql: &str) -> Vec<String> {
        self.rows(sql).into_iter().map(|mut row| row.swap_remove(0)).collect()
    }

    /// Runs the command on this lake.
    pub fn shortfall(&self, arguments: &[&str]) -> Output {
        let lake = self.lake.root();
        Command::new(env!("CARGO_BIN_EXE_shortfall")).args(arguments).arg("--lake").arg(lake).output().expect("the command runs")
    }
}

/// A quarter with everything known.
pub fn request(quarter: &str) -> Request {
    Request {
        quarter: quarter.parse().expect("a quarter"),
        as_of: None,
        signals: Vec::new(),
        queries: None,
        threads: 2,
        back_billing_months: BACK_BILLING_MONTHS,
        memory: None,
        cluster: None,
    }
}
