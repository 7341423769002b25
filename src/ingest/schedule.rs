//! In which order files are landed: what others rest on first, then history month by month.
//!
//! ```text
//! 1 currencies and rates   2 customers and services   3 prices   4 contracts      whole, each in order of time
//! then for each month      5 usage and cost, files not looked into yet   6 invoices
//! ```
//! So a backfill that was stopped holds a beginning of the history that can be analysed, not all usage and no invoice. What a lake says in
//! the end does not depend on the order; what it says halfway does.
//!
//! A file's month is that of the period its folder names (`BILLING_PERIOD=2024-09`), else of the date in its name or folders, else of its
//! modification time. Only the beginning of a file is read to learn what it is. JSON above [`MOST_JSON`] has to be read whole for that, and
//! archives, workbooks and objects in a store are not opened before their turn: such files stand among the usage of their month.

use super::discover::{self, Discovered};
use super::{IngestError, Input, arrival, export_run, member};
use crate::lake::Table;
use crate::month::Month;
use chrono::{DateTime, NaiveDate, Utc};
use rayon::prelude::*;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Bytes of JSON that are read before its turn; compressed, a sixteenth of it.
const MOST_JSON: u64 = 16 << 20;

/// A step of the order. Each rests on those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Currencies and exchange rates.
    Rates,
    /// The registers and crosswalks of customers and services.
    Parties,
    /// Price lists.
    Prices,
    /// Contracts, their lines, terms and billing calendars.
    Contracts,
    /// What was used and what it cost; states, events and change logs.
    Usage,
    /// What has to be opened first: an archive, a workbook, an object in a store, large JSON.
    Unopened,
    /// What was billed.
    Invoices,
}

impl Step {
    /// The step of what lands in a table.
    #[must_use]
    pub fn of(table: Table) -> Self {
        match table {
            Table::Currency | Table::Fx => Self::Rates,
            Table::Company | Table::CustomerLink | Table::CustomerMap | Table::ServiceMap => Self::Parties,
            Table::Product => Self::Prices,
            Table::Contract | Table::ContractLine | Table::ContractTerms | Table::BillingCalendar => Self::Contracts,
            Table::Invoice | Table::InvoiceLine => Self::Invoices,
            _ => Self::Usage,
        }
    }

    /// Its place, from 1: what is not opened yet stands with usage.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Rates => 1,
            Self::Parties => 2,
            Self::Prices => 3,
            Self::Contracts => 4,
            Self::Usage | Self::Unopened => 5,
            Self::Invoices => 6,
        }
    }

    /// What it is called.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Rates => "currencies and rates",
            Self::Parties => "customers and services",
            Self::Prices => "prices",
            Self::Contracts => "contracts",
            Self::Usage => "usage and cost",
            Self::Unopened => "not opened yet",
            Self::Invoices => "invoices",
        }
    }

    /// Whether it is landed month by month.
    #[must_use]
    pub fn is_history(self) -> bool {
        self >= Self::Usage
    }
}

/// An input and what is known of it before its turn.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    /// Its place among the inputs.
    pub(super) at: usize,
    pub(super) input: &'a Input,
    pub(super) bytes: u64,
    pub(super) modified: Option<DateTime<Utc>>,
    /// Whether it is one file to land, as it lies there.
    pub(super) is_single: bool,
    /// What it was recognised as, if it was looked into.
    pub(super) found: Option<Result<Discovered, IngestError>>,
    state: Option<(SystemTime, u64)>,
}

impl Turn<'_> {
    pub(super) fn name(&self) -> PathBuf {
        self.input.name()
    }

    pub(super) fn step(&self) -> Step {
        match &self.found {
            Some(Ok(found)) => Step::of(found.recognised.export.target),
            _ => Step::Unopened,
        }
    }

    /// What it was recognised as, unless it was written anew since.
    pub(super) fn recognised(&mut self) -> Option<Result<Discovered, IngestError>> {
        let found = self.found.take()?;
        let Input::Local(path) = self.input else { return Some(found) };
        (state_of(path) == self.state).then_some(found)
    }
}

/// Modification time and length: what tells that a file was written anew.
fn state_of(path: &Path) -> Option<(SystemTime, u64)> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}

/// The inputs in the order in which they are landed. Heads are read on all cores.
pub(super) fn turns<'a>(inputs: &'a [Input], system: Option<&str>) -> Vec<Turn<'a>> {
    let looked = inputs.par_iter().enumerate().map(|(at, input)| match input {
        Input::Remote(remote) => {
            Turn { at, input, bytes: remote.bytes, modified: Some(remote.modified), is_single: false, found: None, state: None }
        }
        Input::Local(path) => {
            let state = state_of(path);
            let bytes = state.map_or(0, |(_, bytes)| bytes);
            let is_single = member::is_single(path);
            let found = (is_single && is_cheap(path, bytes)).then(|| discover::discover(path, system));
            let modified = state.map(|(modified, _)| DateTime::<Utc>::from(modified));
            Turn { at, input, bytes, modified, is_single, found, state }
        }
    });
    let mut turns: Vec<Turn<'a>> = looked.collect();
    turns.sort_by_cached_key(|turn| place(turn.step(), &turn.name(), turn.modified));
    turns
}

type Place = (Step, Month, Step, Option<DateTime<Utc>>, PathBuf);

/// What decides about the order.
fn place(step: Step, name: &Path, modified: Option<DateTime<Utc>>) -> Place {
    let time = arrival::date_in_path(name).or(modified);
    let day = dated(name).or(time.map(|time| time.date_naive())).unwrap_or_default();
    if step.is_history() {
        (Step::Usage, Month::of(day), step, time, name.to_owned())
    } else {
        (step, Month::from_index(0), step, time, name.to_owned())
    }
}

/// The first day of the period that a file's folders name, else the date in its name or folders.
pub(super) fn dated(name: &Path) -> Option<NaiveDate> {
    export_run::period_in_path(name).or_else(|| arrival::date_in_path(name).map(|time| time.date_naive()))
}

/// Whether the beginning of a file tells what it is.
fn is_cheap(path: &Path, bytes: u64) -> bool {
    if bytes <= MOST_JSON / 16 {
        return true;
    }
    let mut head = Vec::new();
    let read = discover::open(path).map(|input| input.take(64).read_to_end(&mut head));
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head).trim_ascii_start();
    let is_json = matches!(read, Ok(Ok(_))) && matches!(text.first(), Some(b'{' | b'['));
    let is_compressed = [&[0x1f, 0x8b][..], &[0x28, 0xb5, 0x2f, 0xfd]].iter().any(|magic| starts_with(path, magic));
    !is_json || (!is_compressed && bytes <= MOST_JSON)
}

fn starts_with(path: &Path, magic: &[u8]) -> bool {
    let mut start = vec![0; magic.len()];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == magic
}

/// Turns in groups of at most so many files and bytes; a larger file stands alone.
pub(super) fn groups<'a>(turns: Vec<Turn<'a>>, files: usize, bytes: u64) -> Vec<Vec<Turn<'a>>> {
    let mut groups: Vec<Vec<Turn<'a>>> = Vec::new();
    let mut sum = 0_u64;
    for turn in turns {
        sum = sum.saturating_add(turn.bytes);
        match groups.last_mut() {
            Some(group) if group.len() < files && sum <= bytes => group.push(turn),
            _ => {
                sum = turn.bytes;
                groups.push(vec![turn]);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_rest_on_comes_first_and_history_month_by_month() {
        let file = |step, name: &str| place(step, Path::new(name), None);
        let mut files = vec![
            file(Step::Invoices, "b/invoices_2024-02-29.json"),
            file(Step::Usage, "a/usage_2024-03-05.csv"),
            file(Step::Invoices, "b/invoices_2024-03-31.json"),
            file(Step::Unopened, "z/2024-02-10.zip"),
            file(Step::Usage, "BILLING_PERIOD=2024-02/2024-03-11T05:20:10.123Z-6f0c1f3e-1111-4111-8111-111111111111/x.csv"),
            file(Step::Contracts, "additions_2026-01-01.json"),
            file(Step::Contracts, "additions_2025-01-01.json"),
            file(Step::Rates, "fx_2026-09-01.csv"),
            file(Step::Prices, "products.csv"),
        ];
        files.sort();
        let order: Vec<String> = files.iter().map(|place| place.4.display().to_string()).collect();
        assert_eq!(
            order,
            [
                "fx_2026-09-01.csv",
                "products.csv",
                "additions_2025-01-01.json",
                "additions_2026-01-01.json",
                "BILLING_PERIOD=2024-02/2024-03-11T05:20:10.123Z-6f0c1f3e-1111-4111-8111-111111111111/x.csv",
                "z/2024-02-10.zip",
                "b/invoices_2024-02-29.json",
                "a/usage_2024-03-05.csv",
                "b/invoices_2024-03-31.json",
            ]
        );
    }

    #[test]
    fn groups_are_bounded_by_files_and_by_bytes() {
        let input = Input::Local(PathBuf::from("x"));
        let turns = [1, 1, 1, 9, 50, 1].iter().enumerate().map(|(at, &bytes)| Turn {
            at,
            input: &input,
            bytes,
            modified: None,
            is_single: true,
            found: None,
            state: None,
        });
        let groups = groups(turns.collect(), 2, 10);
        let sizes: Vec<Vec<u64>> = groups.iter().map(|group| group.iter().map(|turn| turn.bytes).collect()).collect();
        assert_eq!(sizes, [vec![1, 1], vec![1, 9], vec![50], vec![1]]);
    }
}
