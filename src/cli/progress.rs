//! Progress on a terminal: bytes, the file of so many, rows a second and time left, or the steps of a computation. Silent elsewhere.

use crate::ingest::Progress;
use crate::steps::Steps;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// How often a clock that counts on is drawn.
const TICK: Duration = Duration::from_millis(200);

/// A bar on standard error, hidden unless that is a terminal.
fn bar(template: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// How far the reading of files is.
pub struct Bar {
    bar: ProgressBar,
    rows: AtomicU64,
    /// All files, and the number of the one that is furthest on.
    files: AtomicUsize,
    furthest: AtomicUsize,
}

impl Bar {
    /// A bar without a length, until that is known.
    pub fn new() -> Self {
        let bar = bar("{spinner} {msg}");
        Self { bar, rows: AtomicU64::new(0), files: AtomicUsize::new(0), furthest: AtomicUsize::new(0) }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Bar {
    fn plan(&self, files: usize) {
        self.bar.set_message(format!("looking at {}", of_files(files)));
        self.bar.tick();
    }

    fn start(&self, bytes: u64, files: usize) {
        self.files.store(files, Ordering::Relaxed);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes}  {prefix}{msg}  {eta} left") {
            self.bar.set_style(style);
        }
        self.bar.set_message("");
        self.bar.set_length(bytes);
        // Time left is that of reading, not of planning.
        self.bar.reset_eta();
    }

    fn file(&self, number: usize, system: &str, entity: &str) {
        // Several are read side by side: the number never falls.
        let furthest = self.furthest.fetch_max(number, Ordering::Relaxed).max(number);
        let files = HumanCount(self.files.load(Ordering::Relaxed) as u64);
        self.bar.set_prefix(format!("file {} of {files} ({system} {entity}), ", HumanCount(furthest as u64)));
    }

    fn advance(&self, rows: u64, bytes: u64) {
        let all = self.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        self.bar.inc(bytes);
        let milliseconds = u64::try_from(self.bar.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        self.bar.set_message(format!("{all} rows, {} rows/s", all.saturating_mul(1000) / milliseconds));
    }
}

fn of_files(count: usize) -> String {
    format!("{} {}", HumanCount(count as u64), if count == 1 { "file" } else { "files" })
}

/// Which of the steps of a computation is running, and since when it runs.
pub struct Counter {
    bar: ProgressBar,
}

impl Counter {
    /// A counter for the steps of what `name` says.
    pub fn new(name: &str) -> Self {
        let bar = bar("{spinner} {prefix} {pos}/{len} {wide_msg} {elapsed}");
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(TICK);
        Self { bar }
    }

    /// Says what follows the steps.
    pub fn say(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }
}

impl Steps for Counter {
    fn begin(&self, steps: usize) {
        self.bar.set_length(steps as u64);
    }

    fn step(&self, name: &str) {
        self.bar.inc(1);
        self.bar.set_message(name.to_owned());
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
