//! `optimize`: fewer files, and a lake that says what it said; also when it is killed, and whatever is ingested afterwards.

use super::support::{Place, SEATS, command, mended_seats, on_lake, rows, shortfall};
use super::truth::{self, Cut, DATES, History, RUNTIME, midnight, new_lake};
use chrono::{DateTime, Duration, Utc};
use proptest::prelude::*;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shortfall::check::{Depth, check};
use shortfall::ingest::Silent;
use shortfall::lake::schema::TABLES;
use shortfall::lake::{Lake, Table};
use shortfall::optimize::{Optimized, Request, optimize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Everything that is told of the lake: every row ever ingested, what of it is true, since when, and the views that people read.
fn everything(lake: &Lake, as_of: Option<DateTime<Utc>>) -> BTreeMap<&'static str, truth::Rows> {
    let fixed = [
        "core_history.vendor_usage_version",
        "core_history.usage_arrival",
        "core.change",
        "core.reject",
        "core.customer",
        "core.service",
    ];
    let of_tables = TABLES.iter().filter(|table| table.is_ingested()).flat_map(|table| {
        ["known", "core_history"].map(|schema| {
            let name: &'static str = format!("{schema}.{}", table.name()).leak();
            name
        })
    });
    let views: BTreeSet<&str> = fixed.into_iter().chain(of_tables).chain(["core.vendor_usage", "core.invoice_line"]).collect();
    truth::said(lake, views, as_of)
}

#[expect(clippy::disallowed_methods, reason = "how long files have lain there is told by the clock that dates them")]
fn optimized(lake: &Lake, days: i64) -> Optimized {
    let request = Request { keep: Duration::days(days), dry_run: false, now: Utc::now };
    optimize(lake, request, RUNTIME.handle(), &Silent).expect("optimised")
}

fn files(lake: &Lake, table: Table) -> usize {
    RUNTIME.block_on(lake.files(table, None)).expect("a log").len()
}

#[track_caller]
fn is_whole(lake: &Lake) {
    let health = check(lake, Depth { rows: true }, RUNTIME.handle());
    assert_eq!(health.faults, []);
}

proptest! {
    #![proptest_config(truth::cases(3))]

    /// Files that contradict each other, statements and records, in several ingests: whether and when the lake is optimised between them, with
    /// the old files kept or not, nothing that it says is different, now or as of any date.
    #[test]
    fn optimised_at_any_moment_the_lake_says_the_same(
        history in History::any(),
        seed: u64,
        as_of in prop::sample::select(&DATES[..]),
    ) {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let (place, elsewhere) = (Place::new(), Place::new());
        let mut paths = truth::files(&place, &history, Cut::Rows, &mut dice);
        paths.shuffle(&mut dice);
        let (one, other) = (new_lake(&place), new_lake(&elsewhere));
        for part in paths.chunks(paths.len().div_ceil(4)) {
            truth::land(&one, part.to_vec(), None);
            truth::land(&other, part.to_vec(), None);
            if dice.random_bool(0.6) {
                optimized(&other, if dice.random_bool(0.5) { 0 } else { 7 });
            }
        }
        let before = files(&other, Table::VendorUsage);
        let done = optimized(&other, 0);
        prop_assert!(files(&other, Table::VendorUsage) <= before);
        prop_assert_eq!(done.unfinished_files, 0);
        let as_of = midnight(as_of) + Duration::hours(23);
        for as_of in [None, Some(as_of)] {
            let (expected, found) = (everything(&one, as_of), everything(&other, as_of));
            for (view, rows) in expected {
                prop_assert_eq!(&found[view], &rows, "{} as of {:?}", view, as_of);
            }
            let [sums, rows] = truth::usage_sums(&other, as_of);
            prop_assert_eq!(sums, rows, "sums as of {:?}", as_of);
        }
        is_whole(&other);
        // Offered again, everything is known.
        truth::land(&other, paths, None);
        let again = optimized(&other, 0);
        prop_assert!(again.tables.is_empty() && again.checkpoints == 0, "{:?}", again);
    }
}

/// Usage of one customer in May, a file a day.
fn days(place: &Place, days: std::ops::RangeInclusive<u32>, cost: &str, arrived: Option<&str>) -> Vec<std::path::PathBuf> {
    let header =
        "ChargePeriodStart,ChargePeriodEnd,BilledCost,EffectiveCost,BillingCurrency,ChargeCategory,ServiceName,SubAccountId\n";
    days.map(|day| {
        let row = format!("2026-05-{day:02},2026-05-{:02},{cost},{cost},USD,Usage,EC2,acc\n", day + 1);
        let arrived = arrived.map_or_else(|| format!("2026-05-{:02}", day + 1), str::to_owned);
        place.write(&format!("costs_{day}_{arrived}.csv"), format!("{header}{row}"))
    })
    .collect()
}

fn usage(lake: &Lake) -> Vec<BTreeMap<String, String>> {
    truth::said(lake, BTreeSet::from(["core.vendor_usage"]), None).remove("core.vendor_usage").expect("a view")
}

fn costs(lake: &Lake) -> Vec<String> {
    let mut costs: Vec<String> = usage(lake).into_iter().map(|row| row["cost"].clone()).collect();
    costs.sort();
    costs
}

#[test]
fn many_days_become_one_file_that_a_later_correction_contests_on_its_day_alone() {
    let place = Place::new();
    let lake = new_lake(&place);
    // A commit each, so that the log grows.
    for day in days(&place, 1..=20, "1", None) {
        truth::land(&lake, vec![day], None);
    }
    assert_eq!([files(&lake, Table::VendorUsage), files(&lake, Table::Batch)], [20, 20]);
    let before = usage(&lake);
    let versions = RUNTIME.block_on(lake.content_version(Table::VendorUsage)).expect("a log");

    let done = optimized(&lake, 7);
    assert_eq!([files(&lake, Table::VendorUsage), files(&lake, Table::Batch)], [1, 1]);
    let of_usage = done.tables.iter().find(|table| table.table == "core.vendor_usage").expect("the table");
    assert_eq!([of_usage.files_before, of_usage.files_after, of_usage.vacuumed_files], [20, 1, 0]);
    assert!(of_usage.bytes_after.is_some_and(|bytes| bytes < of_usage.bytes_before / 5), "{of_usage:?}");
    // Both logs have more than ten commits: what is read now is a checkpoint.
    assert!(done.checkpoints >= 2, "{done:?}");
    assert!(place.lake().join("core/vendor_usage/_delta_log/_last_checkpoint").exists());
    assert_eq!(usage(&lake), before);
    assert_eq!(RUNTIME.block_on(lake.content_version(Table::VendorUsage)).expect("a log"), versions);
    // The 20 of usage, their 20 sums, and the 20 of the register.
    assert_eq!(done.kept_files, 60);
    assert_eq!(files(&lake, Table::UsageSum), 1);

    // Days that are there already, and one that is corrected: its version counts, and those of all other days stay.
    let mut corrected = days(&place, 5..=5, "7", Some("2026-06-02"));
    corrected.extend(days(&place, 1..=20, "1", None));
    truth::land(&lake, corrected, None);
    let mut expected = vec!["1"; 19];
    expected.push("7");
    assert_eq!(costs(&lake), expected);
    // The merged file is contested in part: it stays as it is, beside the correction.
    assert!(optimized(&lake, 7).tables.iter().all(|table| table.table != "core.vendor_usage"));
    assert_eq!(files(&lake, Table::VendorUsage), 2);
    assert_eq!(costs(&lake), expected);
    truth::land(&lake, days(&place, 9..=9, "8", Some("2026-06-03")), None);
    optimized(&lake, 7);
    assert_eq!(files(&lake, Table::VendorUsage), 2);
    expected[18] = "7";
    expected[19] = "8";
    assert_eq!(costs(&lake), expected);
    is_whole(&lake);
}

#[test]
fn old_files_stay_for_their_time_and_go_then_but_never_an_original_or_the_register() {
    let place = Place::new();
    let lake = new_lake(&place);
    for day in days(&place, 1..=3, "1", None) {
        truth::land(&lake, vec![day], None);
    }
    let lying = |table: Table| lake.lying(table).expect("a folder").len();
    let originals = || std::fs::read_dir(place.lake().join("files")).expect("the archive").count();
    let view = usage(&lake);
    let before = originals();
    // What a stopped run left: as old as it is written, so that it goes only when nothing is kept.
    let left = RUNTIME.block_on(lake.files(Table::VendorUsage, None)).expect("a log").remove(0);
    let folder = lake.folder(Table::VendorUsage);
    std::fs::copy(folder.join(&left.path), folder.join("part-0123456789abcdef-0.parquet")).expect("copied");

    let ran = on_lake(&place.lake(), &["optimize", "--dry-run", "--keep", "0", "--output", "json"]);
    let said = ran.says(0, &[]).json();
    let of_usage =
        said["tables"].as_array().expect("tables").iter().find(|table| table["table"] == "core.vendor_usage").expect("it");
    assert_eq!([&of_usage["files_before"], &of_usage["files_after"], &of_usage["vacuumed_files"]], [3, 1, 1], "{said}");
    assert_eq!((files(&lake, Table::VendorUsage), lying(Table::VendorUsage)), (3, 4), "nothing was done");

    on_lake(&place.lake(), &["optimize"]).says(0, &["core.vendor_usage", "stay: whoever reads now may need them for 7 days"]);
    assert_eq!((files(&lake, Table::VendorUsage), lying(Table::VendorUsage)), (1, 5));
    on_lake(&place.lake(), &["optimize"]).says(0, &["nothing to do"]);
    on_lake(&place.lake(), &["check"]).says(0, &["the lake is whole", "4 files", "merged by `optimize`"]);

    on_lake(&place.lake(), &["optimize", "--keep", "0"]).says(0, &["core.vendor_usage"]);
    assert_eq!((files(&lake, Table::VendorUsage), lying(Table::VendorUsage)), (1, 1));
    // What an export knew is asked of old versions of the register.
    assert_eq!((files(&lake, Table::Batch), lying(Table::Batch)), (1, 4));
    assert_eq!(originals(), before);
    assert_eq!(usage(&lake), view);
    on_lake(&place.lake(), &["optimize", "--keep", "0"]).says(0, &["nothing to do"]);
    is_whole(&lake);
}

#[test]
fn one_writer_at_a_time_and_whoever_looks_may_look() {
    let place = Place::new();
    let lake = new_lake(&place);
    truth::land(&lake, days(&place, 1..=2, "1", None), None);
    let _lock = lake.lock().expect("a lock file").expect("free");
    on_lake(&place.lake(), &["optimize"]).says(3, &["another process is writing to this lake"]);
    on_lake(&place.lake(), &["optimize", "--dry-run"]).says(0, &["nothing was changed", "core.vendor_usage"]);
    assert_eq!(files(&lake, Table::VendorUsage), 2);
}

/// The rows of a file whose mapping was mended stand in a merged file with others: they are left out, and come back when the mapping does.
#[test]
fn what_was_withdrawn_after_it_was_merged_is_not_seen() {
    let place = Place::new();
    let one = place.write("seats_2026-05-04.csv", "client,sku,code,seats,price\nA,x,y,3,10.5\nA,x,y,many,10.5\n");
    let other = place.write("seats_2026-05-05.csv", "client,sku,code,seats,price\nB,x,z,4,14\nB,x,z,many,14\n");
    let first = place.write("first.toml", SEATS);
    let mended = place.write("mended.toml", mended_seats());
    let lake = new_lake(&place);
    let with = |mapping: &Path, files: &[&Path]| {
        place.ingest(files, &["--mapping", &mapping.display().to_string()]);
    };
    with(&first, &[&one]);
    with(&first, &[&other]);
    optimized(&lake, 0);
    assert_eq!([files(&lake, Table::VendorUsage), files(&lake, Table::Reject)], [1, 1]);
    let said = |view: &'static str, column: &str| -> Vec<String> {
        let rows = truth::said(&lake, BTreeSet::from([view]), None).remove(view).expect("a view");
        rows.into_iter().map(|row| row[column].clone()).collect()
    };
    let skus = || {
        let mut skus = said("core_history.vendor_usage", "native_sku");
        skus.sort();
        skus
    };
    assert_eq!((skus(), said("core.reject", "source_row").len()), (vec!["x".to_owned(), "x".to_owned()], 2));
    with(&mended, &[&one]);
    assert_eq!((skus(), said("core.reject", "source_row").len()), (vec!["x".to_owned(), "y".to_owned()], 2));
    let done = optimized(&lake, 0);
    assert_eq!(done.unfinished_files, 2, "{done:?}");
    assert_eq!((skus(), said("core.reject", "source_row").len()), (vec!["x".to_owned(), "y".to_owned()], 2));
    // Back again: its rows in the merged file are of another attempt and stay hidden there, those of the new one count.
    with(&first, &[&one]);
    let back = || {
        assert_eq!((skus(), said("core.reject", "source_row").len()), (vec!["x".to_owned(), "x".to_owned()], 2));
        let [sums, rows] = truth::usage_sums(&lake, None);
        assert_eq!(sums, rows);
    };
    back();
    // Those of the mended mapping count no more, and alone in their files.
    let done = optimized(&lake, 0);
    assert_eq!([done.unfinished_files, done.dropped_files], [2, 2], "{done:?}");
    back();
    is_whole(&lake);
}

/// The way from a row to its line does not lead through a file's name.
#[test]
fn a_row_of_a_merged_file_is_traced_to_its_line() {
    let place = Place::new();
    let header = "date,from_currency,to_currency,rate\n";
    for (day, rate) in [(1, "1.1"), (2, "1.2"), (3, "1.3")] {
        let text = format!("{header}2026-05-0{day},EUR,USD,{rate}\nnever,EUR,USD,{rate}\n");
        place.ingest(&[&place.write(&format!("fx_2026-05-0{day}.csv"), text)], &[]).says(1, &[]);
    }
    let said = |row: &str| place.run(&["trace", "fx_2026-05-02.csv", row, "--output", "json"]).says(0, &[]).json();
    let before = [said("1"), said("2"), said("3")];
    on_lake(&place.lake(), &["optimize", "--keep", "0"]).says(0, &["core.fx", "core.reject", "core.batch"]);
    assert_eq!([said("1"), said("2"), said("3")], before);
}

/// Kills, each at another moment of the run.
const KILLS: u64 = 12;

fn copied(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from).into_iter().map(|entry| entry.expect("an entry")) {
        let target = to.join(entry.path().strip_prefix(from).expect("below"));
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(target).expect("a folder");
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// Every row of every table of what was ingested, in all columns.
fn all_rows(lake: &Path) -> BTreeMap<&'static str, Vec<BTreeMap<String, String>>> {
    let of_table = |&table: &Table| {
        let mut all = rows(lake, table);
        all.sort();
        (table.name(), all)
    };
    TABLES.iter().filter(|table| table.area() == "core").map(of_table).collect()
}

#[test]
fn killed_at_any_moment_no_row_is_lost_or_doubled_and_the_next_run_ends_it() {
    let place = Place::new();
    let all = place.path("msp").display().to_string();
    shortfall(&["synth", "--out", &all, "--customers", "2", "--months", "12"]).says(0, &[]);
    let lake = place.lake();
    let ran = place.ingest(&[&place.path("msp/exports")], &[]);
    // One of its files holds no records.
    assert!(ran.code <= 1, "{ran}");
    let expected = all_rows(&lake);
    let count =
        |lake: &Path| walkdir::WalkDir::new(lake).into_iter().flatten().filter(|entry| entry.file_type().is_file()).count();
    let run = |lake: &Path| {
        let mut command = command(&["optimize", "--threads", "1", "--lake"]);
        command.arg(lake);
        command
    };
    // How many files a whole run adds.
    let whole = place.path("whole");
    copied(&lake, &whole);
    let before = count(&whole);
    assert!(run(&whole).output().expect("runs").status.success());
    let added = u64::try_from(count(&whole) - before).expect("more");
    let (mut killed, quiet) = (0, std::process::Stdio::null);
    let disturbed = place.path("disturbed");
    copied(&lake, &disturbed);
    for kill in 0..KILLS {
        let target = count(&disturbed) + usize::try_from(added * kill / KILLS / 3).expect("few");
        let mut running = run(&disturbed).stdout(quiet()).stderr(quiet()).spawn().expect("starts");
        while count(&disturbed) < target && running.try_wait().expect("a process").is_none() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        std::thread::sleep(std::time::Duration::from_millis(kill % 4 * 7));
        killed += u64::from(running.try_wait().expect("a process").is_none());
        running.kill().expect("killed");
        running.wait().expect("ended");
        assert_eq!(all_rows(&disturbed), expected, "after kill {kill}");
    }
    assert!(killed >= KILLS / 3, "only {killed} runs were still alive when killed");
    on_lake(&disturbed, &["optimize", "--keep", "0"]).says(0, &[]);
    on_lake(&disturbed, &["optimize", "--keep", "0"]).says(0, &["nothing to do"]);
    assert_eq!(all_rows(&disturbed), expected);
    is_whole(&Lake::open(&disturbed).expect("a lake"));
    let data = |lake: &Path| {
        let lake = Lake::open(lake).expect("a lake");
        TABLES.iter().map(|&table| (table.name(), files(&lake, table))).collect::<Vec<_>>()
    };
    assert_eq!(data(&disturbed), data(&whole));
}
