//! Which run of a scheduled export a file is part of: two runs of one month are two deliveries, however close they stand in time.
//!
//! Vendors write the month to date anew with every run, each into a folder of its own:
//! ```text
//! Azure   <export>/20230901-20230930/202309110520/<guid>/part_0_0001.csv   and manifest.json beside
//!         <export>/20230901-20230930/<guid>/part_0_0001.csv
//!         <export>/20230901-20230930/<export>_<guid>.csv
//! AWS     <report>/20240901-20241001/<assembly id>/<report>-00001.csv.gz   and <report>-Manifest.json in the month's folder
//!         <export>/data/BILLING_PERIOD=2024-09/2024-09-11T05:20:10.123Z-<guid>/<export>-00001.csv.gz
//! ```
//! Sources: Microsoft Learn, "Create and manage Cost Management exports" (folders, `manifest.json`: `runInfo.runId`, `runInfo.submittedTime`,
//! `exportConfig.type`, `blobs`); AWS, "Data Exports: Understanding export delivery", legacy CUR "Report versions" (`assemblyId`, `reportKeys`).
//!
//! When a run was made: its manifest says it, else its folder's date, else the modification time of its files. Of a month of AWS the run that the manifest
//! names is the newest, whatever the times say. Manifests are read where files lie on this machine; in stores and archives the times that they keep count.
//!
//! Assumed (inference): a folder directly below a month's folder is a run; the assembly id of a report changes with each run.

use super::{IngestError, Outcome, arrival};
use crate::lake::Lake;
use crate::lake::delivery::guid_in;
use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::TimestampMicrosecondType;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Copies made together have modification times within this span, in an order that says nothing.
const COPIED_TOGETHER: TimeDelta = TimeDelta::hours(1);
/// Bytes of a manifest; one that names ten thousand parts has two million.
const MANIFEST_BYTES: u64 = 64 << 20;

/// A run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportRun {
    /// What names it.
    pub name: String,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// Whether its folder or a manifest says so.
    pub is_told: bool,
    /// What its manifest says that it holds, such as `AmortizedCost`.
    pub kind: Option<String>,
}

/// Whether a folder's name is a month as vendors write it: `20230901-20230930`, `BILLING_PERIOD=2024-09`.
fn is_month(folder: &str) -> bool {
    let is_span = folder.len() == 17
        && folder.bytes().enumerate().all(|(at, byte)| if at == 8 { byte == b'-' } else { byte.is_ascii_digit() });
    is_span || is_period(folder)
}

/// Whether a folder's name says which month its files are of, and not when they became known.
pub(super) fn is_period(folder: &str) -> bool {
    folder.get(..15).is_some_and(|start| start.eq_ignore_ascii_case("billing_period="))
}

/// The first day of the month that the nearest folder with one names.
pub(super) fn period_in_path(path: &Path) -> Option<NaiveDate> {
    let text = path.to_string_lossy();
    split(&text).0.into_iter().rev().find_map(|folder| {
        let digits: String = folder.chars().filter(char::is_ascii_digit).take(6).collect();
        let first = || NaiveDate::parse_from_str(&format!("{digits}01"), "%Y%m%d").ok();
        if is_month(folder) { first() } else { None }
    })
}

/// The folders above a file, from the outermost, without the archives that it lies in; and the names of those and of itself.
fn split(name: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut folders, mut names) = (Vec::new(), Vec::new());
    for within in name.split('!') {
        let mut parts: Vec<&str> = within.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
        names.extend(parts.pop());
        folders.append(&mut parts);
    }
    (folders, names)
}

/// A run as a path names it.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    run: String,
    /// The folders down to the month's.
    month: String,
    /// The date that stands below the month's folder; one above it dates a copy of the whole.
    at: Option<DateTime<Utc>>,
}

/// The run that folders or the file's name say.
fn named(name: &str) -> Option<Named> {
    let (folders, names) = split(name);
    let month = folders.iter().rposition(|folder| is_month(folder));
    let dated = folders.iter().rposition(|folder| arrival::is_instant(folder));
    let anchor = match (month, dated) {
        (Some(month), Some(dated)) if dated != month + 1 => month,
        (month, dated) => dated.or(month)?,
    };
    let own = dated.filter(|&at| at == anchor).and_then(|at| folders.get(at));
    let run = match folders.get(anchor + 1).or(own) {
        Some(folder) => guid_in(folder).map_or(*folder, |at| &folder[at]),
        None => names.iter().rev().find_map(|name| guid_in(name).map(|at| &name[at]))?,
    };
    let first = if own.is_some() { anchor } else { anchor + 1 };
    let below: PathBuf = folders[first..].iter().chain(names.last()).collect();
    Some(Named {
        run: run.to_ascii_lowercase(),
        month: [if name.starts_with('/') { "/" } else { "" }, &folders[..=month.unwrap_or(anchor)].join("/")].concat(),
        at: arrival::date_in_path(&below),
    })
}

/// What the manifest beside a file of Azure says.
#[derive(Debug)]
struct AzureRun {
    id: String,
    at: DateTime<Utc>,
    kind: Option<String>,
    parts: BTreeSet<String>,
}

/// What lies in a month's folder of AWS.
#[derive(Debug)]
struct AwsMonth {
    current: String,
    /// When the files of each run were last written.
    written: BTreeMap<String, DateTime<Utc>>,
}

/// Manifests that were looked for, by folder: parts of a run share theirs.
#[derive(Debug, Default)]
pub struct Manifests {
    azure: RefCell<HashMap<PathBuf, Option<Rc<AzureRun>>>>,
    aws: RefCell<HashMap<PathBuf, Option<Rc<AwsMonth>>>>,
}

impl Manifests {
    /// The run that a file is part of, if it is part of one.
    #[must_use]
    pub fn run_of(&self, name: &Path, modified: Option<DateTime<Utc>>) -> Option<ExportRun> {
        // Seen from within a month's folder its name is not in the path.
        let whole = std::path::absolute(name).unwrap_or_else(|_| name.to_owned());
        let text = whole.to_string_lossy();
        let azure = whole
            .parent()
            .zip(whole.file_name())
            .and_then(|(folder, file)| self.azure_run(folder).filter(|run| run.parts.contains(&*file.to_string_lossy())));
        let by_path = named(&text);
        let id = azure.as_ref().map(|run| run.id.clone()).or_else(|| by_path.as_ref().map(|named| named.run.clone()))?;
        let dated = by_path.and_then(|named| named.at);
        let told = azure.as_ref().map(|run| run.at).or(dated).map(|at| (at, true));
        let (at, is_told) =
            told.or_else(|| self.aws_time(&whole, &id, modified)).unwrap_or((modified.unwrap_or(DateTime::UNIX_EPOCH), false));
        Some(ExportRun { name: id, at, is_told, kind: azure.and_then(|run| run.kind.clone()) })
    }

    fn azure_run(&self, folder: &Path) -> Option<Rc<AzureRun>> {
        let read = || {
            let manifest = manifest(&folder.join("manifest.json"))?;
            let info = manifest.get("runInfo")?;
            let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
            let parts = manifest
                .get("blobs")?
                .as_array()?
                .iter()
                .filter_map(|blob| blob.get("blobName")?.as_str()?.rsplit('/').next().map(str::to_owned));
            Some(Rc::new(AzureRun {
                id: text(info.get("runId"))?.to_ascii_lowercase(),
                at: text(info.get("submittedTime"))?.parse().ok()?,
                kind: manifest.get("exportConfig").and_then(|config| text(config.get("type"))),
                parts: parts.collect(),
            }))
        };
        self.azure.borrow_mut().entry(folder.to_owned()).or_insert_with(read).clone()
    }

    /// When a run of AWS was made, if the manifest in the month's folder tells the newest from the others.
    fn aws_time(&self, file: &Path, run: &str, modified: Option<DateTime<Utc>>) -> Option<(DateTime<Utc>, bool)> {
        let month =
            file.ancestors().skip(1).find(|folder| folder.file_name().is_some_and(|name| is_month(&name.to_string_lossy())))?;
        let found = self.aws_month(month)?;
        let modified = modified.unwrap_or(DateTime::UNIX_EPOCH);
        let others = found.written.iter().filter(|(name, _)| name.as_str() != run).map(|(_, &at)| at).max();
        let at = match others {
            Some(others) if run == found.current => modified.max(others + TimeDelta::microseconds(1)),
            _ => modified,
        };
        Some((at, true))
    }

    fn aws_month(&self, month: &Path) -> Option<Rc<AwsMonth>> {
        let read = || {
            let mut files: Vec<PathBuf> = std::fs::read_dir(month).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
            files.retain(|path| path.to_string_lossy().to_ascii_lowercase().ends_with("manifest.json"));
            files.sort();
            let current =
                files.iter().find_map(|path| manifest(path)?.get("assemblyId")?.as_str().map(str::to_ascii_lowercase))?;
            let mut written: BTreeMap<String, DateTime<Utc>> = BTreeMap::new();
            for entry in walkdir::WalkDir::new(month).follow_links(true).into_iter().filter_map(Result::ok) {
                let time = entry.metadata().ok().filter(std::fs::Metadata::is_file).and_then(|meta| meta.modified().ok());
                if let (Some(time), Some(Named { run, .. })) =
                    (time.map(DateTime::<Utc>::from), named(&entry.path().to_string_lossy()))
                {
                    let last = written.entry(run).or_insert(time);
                    *last = time.max(*last);
                }
            }
            Some(Rc::new(AwsMonth { current, written }))
        };
        self.aws.borrow_mut().entry(month.to_owned()).or_insert_with(read).clone()
    }
}

fn manifest(path: &Path) -> Option<Value> {
    let file = File::open(path).ok()?;
    let size = file.metadata().ok()?.len();
    let value: Value = (size <= MANIFEST_BYTES).then(|| serde_json::from_reader(std::io::BufReader::new(file)).ok())??;
    is_manifest(&value).then_some(value)
}

/// Whether some JSON describes the files of an export, as Azure, AWS (legacy reports and Data Exports) write it beside them.
#[must_use]
pub fn is_manifest(value: &Value) -> bool {
    let has = |key: &str| value.get(key).is_some();
    let lists = |key: &str| value.get(key).is_some_and(Value::is_array);
    (has("manifestVersion") && lists("blobs")) || (has("assemblyId") && lists("reportKeys")) || lists("dataFiles")
}

/// What a person should know of the runs among the files that have just landed: where nothing but the order of copies tells which
/// of two is the newer, and where two kinds of cost came together.
///
/// # Errors
/// [`IngestError`] if the lake's batches cannot be read.
pub async fn doubts(lake: &Lake, outcomes: &[(PathBuf, Outcome)]) -> Result<Vec<String>, IngestError> {
    let landed: Vec<_> = outcomes
        .iter()
        .filter_map(|(_, outcome)| match outcome {
            Outcome::Landed(batch) => batch.run.as_ref().map(|run| (batch, run)),
            _ => None,
        })
        .collect();
    let kinds: BTreeSet<&str> = landed.iter().filter_map(|(_, run)| run.kind.as_deref()).collect();
    let mut doubts = Vec::new();
    if kinds.contains("ActualCost") && kinds.contains("AmortizedCost") {
        doubts.push(
            "actual and amortised exports came together: they state the same costs twice, so of each subscription and month the run \
             that was made later counts, of whichever kind it is; ingest one kind only"
                .to_owned(),
        );
    }
    let guessed: BTreeSet<(&str, String)> = landed
        .iter()
        .filter(|(_, run)| !run.is_told)
        .filter_map(|(batch, _)| Some((batch.system, month_of(&batch.file)?)))
        .collect();
    if guessed.is_empty() {
        return Ok(doubts);
    }
    // Of each month's folder: the runs, with what decides between them.
    let mut months: BTreeMap<(String, String), BTreeMap<String, (i64, i64)>> = BTreeMap::new();
    for batch in super::ledger::batch_table(lake, None).await? {
        let text = |name: &str| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        let time = |name: &str| batch.column_by_name(name).and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
        let (Some(files), Some(systems), Some(runs)) = (text("file"), text("system"), text("run")) else { continue };
        let (Some(recorded), Some(made)) = (time("recorded_at"), time("run_at")) else { continue };
        for row in (0..batch.num_rows()).filter(|&row| runs.is_valid(row)) {
            let Some(month) = month_of(files.value(row)) else { continue };
            let own = (recorded.value(row), made.value(row));
            let runs_of = months.entry((systems.value(row).to_owned(), month)).or_default();
            let first = runs_of.entry(runs.value(row).to_owned()).or_insert(own);
            *first = own.min(*first);
        }
    }
    for (system, month) in guessed {
        let Some(runs) = months.get(&(system.to_owned(), month.clone())) else { continue };
        let Some((newest, (at, _))) = runs.iter().max_by_key(|(name, times)| (**times, name.as_str())) else { continue };
        let near = runs.values().filter(|(other, _)| at - other <= COPIED_TOGETHER.num_microseconds().unwrap_or(0)).count();
        if near > 1 {
            doubts.push(format!(
                "`{month}` holds {near} runs of one export of {system} whose files were written within an hour, as copies are; of each month `{newest}` \
                 counts. If it is not the newest, ingest the newest again with `--recorded-at` and its date. Keep the manifest beside \
                 the files, or copy them with their times"
            ));
        }
    }
    Ok(doubts)
}

fn month_of(file: &str) -> Option<String> {
    let whole = std::path::absolute(file).ok()?;
    named(&whole.to_string_lossy()).map(|named| named.month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_a_month_says_the_period() {
        let first = |path: &str| period_in_path(Path::new(path)).map(|day| day.to_string());
        assert_eq!(first("x/20240901-20241001/cur.csv").as_deref(), Some("2024-09-01"));
        assert_eq!(first("x/billing_period=2023-12/2024-01-02T00:00:00Z/cur.csv").as_deref(), Some("2023-12-01"));
        assert_eq!(first("x/20241301-20241401/cur.csv"), None);
        assert_eq!(first("x/2024-09-01/cur.csv"), None);
    }

    #[test]
    fn runs_are_named_by_folders_below_a_month() {
        let guid = "6f0c1f3e-1111-4111-8111-111111111111";
        let name = |path: &str| named(path).map(|named| named.run);
        for path in [
            format!("/x/cost/20230901-20230930/202309110520/{guid}/part_0_0001.csv"),
            format!("/x/cost/20230901-20230930/{guid}/part_0_0001.csv"),
            format!("/x/cost/20230901-20230930/cost_{guid}.csv"),
            format!("/x/cost.zip!20230901-20230930/cost_{guid}.csv"),
            format!("/x/202309110520/{guid}/part_0_0001.csv"),
            format!("az://x/BILLING_PERIOD=2024-09/2024-09-11T05:20:10.123Z-{guid}/cur-00001.csv.gz"),
        ] {
            assert_eq!(name(&path).as_deref(), Some(guid), "{path}");
        }
        assert_eq!(
            name("/x/20240901-20241001/20240911T052010Z/cur-00001.csv.zip!cur-00001.csv").as_deref(),
            Some("20240911t052010z")
        );
        assert_eq!(name("/x/20230901-20230930/202309110520/part_0.csv").as_deref(), Some("202309110520"));
        assert_eq!(name("/x/20240901-20241001/cur-00001.csv.zip!cur-00001.csv"), None);
        assert_eq!(name("/x/2023-09-11/part_0.csv"), None);
        assert_eq!(name(&format!("/x/{guid}/part_0.csv")), None);
    }
}
