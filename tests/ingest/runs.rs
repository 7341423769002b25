//! Runs of a scheduled export: each writes the month to date anew into a folder of its own, and the month costs what the latest says.

use crate::support::Place;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const FIRST: &str = "5f0c1f3e-1111-4111-8111-111111111111";
/// Its name is the smaller one: it counts by its time alone.
const SECOND: &str = "2f0c1f3e-2222-4222-8222-222222222222";

/// An export of one subscription: (day of September, cost).
fn azure(rows: &[(u32, &str)]) -> String {
    let row = |(day, cost): &(u32, &str)| format!("s,9/{day}/2026,m,1,{cost},USD\n");
    let rows: String = rows.iter().map(row).collect();
    format!("SubscriptionId,Date,MeterId,Quantity,CostInBillingCurrency,BillingCurrency\n{rows}")
}

/// A legacy report of one payer's September: (day, cost).
fn aws(rows: &[(u32, &str)]) -> String {
    let row = |(day, cost): &(u32, &str)| {
        format!("p,2026-09-01T00:00:00Z,a,Usage,2026-09-{day:02}T00:00:00Z,2026-09-{:02}T00:00:00Z,1,USD,{cost}\n", day + 1)
    };
    let rows: String = rows.iter().map(row).collect();
    format!(
        "bill/PayerAccountId,bill/BillingPeriodStartDate,lineItem/UsageAccountId,lineItem/LineItemType,lineItem/UsageStartDate,\
         lineItem/UsageEndDate,lineItem/UsageAmount,lineItem/CurrencyCode,lineItem/UnblendedCost\n{rows}"
    )
}

/// As an export to FOCUS writes it, without row identities: (day, cost).
fn focus(rows: &[(u32, &str)]) -> String {
    let row = |(day, cost): &(u32, &str)| format!("2026-09-{day:02},2026-09-{:02},{cost},{cost},USD,Usage,EC2,acc\n", day + 1);
    let rows: String = rows.iter().map(row).collect();
    format!(
        "ChargePeriodStart,ChargePeriodEnd,BilledCost,EffectiveCost,BillingCurrency,ChargeCategory,ServiceName,SubAccountId\n{rows}"
    )
}

fn azure_manifest(run: &str, submitted: &str, kind: &str, parts: &[&str]) -> String {
    let blobs: Vec<String> = parts.iter().map(|part| format!(r#"{{"blobName":"cost/x/{part}","byteCount":1}}"#)).collect();
    format!(
        r#"{{"manifestVersion":"2024-04-01","blobCount":{},"exportConfig":{{"exportName":"cost","type":"{kind}"}},
           "runInfo":{{"submittedTime":"{submitted}","runId":"{run}"}},"blobs":[{}]}}"#,
        parts.len(),
        blobs.join(",")
    )
}

/// Gives files one modification time, as an archive does that is unpacked, or a checkout.
fn written_at_once(files: &[&Path]) {
    let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    for file in files {
        let file = File::options().append(true).open(file).expect("a file");
        file.set_modified(noon).expect("a modification time");
    }
}

#[track_caller]
fn costs(place: &Place, expected: &str) {
    let rows = place.sql("SELECT sum(cost) AS cost FROM known.vendor_usage");
    assert_eq!(rows[0]["cost"], expected, "{rows:?}");
    // A row of a run that was replaced is no truth any more, at any cut-off.
    let open = "SELECT sum(cost) AS cost FROM core_history.vendor_usage_version WHERE known_to IS NULL";
    assert_eq!(place.sql(open)[0]["cost"], expected);
}

/// Lands the files of two runs in one ingest and in two, in both orders.
#[track_caller]
fn however_it_comes(write: &dyn Fn(&Place) -> [Vec<PathBuf>; 2], expected: &str, warns: bool) {
    for order in [[0, 1], [1, 0]] {
        for is_at_once in [true, false] {
            let place = Place::new();
            let runs = write(&place);
            let ordered: Vec<&[PathBuf]> = order.iter().map(|&run| runs[run].as_slice()).collect();
            let parts = if is_at_once { vec![ordered.concat()] } else { ordered.iter().map(|run| run.to_vec()).collect() };
            let mut said = String::new();
            for part in parts {
                let ran = place.ingest(&part.iter().map(PathBuf::as_path).collect::<Vec<_>>(), &[]);
                ran.says(0, &[]);
                said += &ran.err;
            }
            assert_eq!(said.contains("written within an hour"), warns, "{said}");
            costs(&place, expected);
        }
    }
}

/// Rows, a day and a cost each, as a file.
type Content<'a> = &'a dyn Fn(&[(u32, &str)]) -> String;

/// Two runs in folders, each of two parts that have a row in common, of one modification time.
fn two_runs(place: &Place, folders: [&str; 2], content: Content<'_>) -> [Vec<PathBuf>; 2] {
    let run = |folder: &str, parts: [&[(u32, &str)]; 2]| {
        let file = |(number, rows): (usize, &&[(u32, &str)])| place.write(&format!("{folder}/part_{number}.csv"), content(rows));
        parts.iter().enumerate().map(file).collect::<Vec<_>>()
    };
    let first = run(folders[0], [&[(1, "1")], &[(2, "2")]]);
    // The first part has not changed, to the byte.
    let second = run(folders[1], [&[(1, "1")], &[(2, "4"), (3, "8")]]);
    written_at_once(&first.iter().chain(&second).map(PathBuf::as_path).collect::<Vec<_>>());
    [first, second]
}

#[test]
fn runs_of_azure_are_told_apart_by_the_instant_of_their_folder() {
    let month = "cost/20260901-20260930";
    let folders = [format!("{month}/202609100520/{FIRST}"), format!("{month}/202609110520/{SECOND}")];
    let folders = folders.each_ref().map(String::as_str);
    however_it_comes(&|place| two_runs(place, folders, &azure), "13", false);
    however_it_comes(&|place| two_runs(place, folders, &focus), "13", false);
}

#[test]
fn a_manifest_says_which_run_of_azure_is_the_later() {
    let month = "cost/20260901-20260930";
    let folders = [format!("{month}/{FIRST}"), format!("{month}/{SECOND}")];
    let write = |place: &Place| {
        let mut runs = two_runs(place, folders.each_ref().map(String::as_str), &azure);
        for (at, (id, day)) in [(FIRST, 10), (SECOND, 11)].into_iter().enumerate() {
            let text =
                azure_manifest(id, &format!("2026-09-{day}T05:20:03.5130286Z"), "ActualCost", &["part_0.csv", "part_1.csv"]);
            runs[at].push(place.write(&format!("{}/manifest.json", folders[at]), text));
        }
        runs
    };
    however_it_comes(&write, "13", false);
}

#[test]
fn the_manifest_of_a_month_names_the_current_run_of_aws() {
    let month = "report/20260901-20261001";
    let folders = [format!("{month}/{FIRST}"), format!("{month}/{SECOND}")];
    let write = |place: &Place| {
        let mut runs = two_runs(place, folders.each_ref().map(String::as_str), &aws);
        let text =
            format!(r#"{{"assemblyId":"{SECOND}","account":"p","reportKeys":["x/{SECOND}/report-00001.csv.gz"],"bucket":"b"}}"#);
        runs[1].push(place.write(&format!("{month}/report-Manifest.json"), text));
        runs
    };
    however_it_comes(&write, "13", false);
}

#[test]
fn runs_that_nothing_tells_apart_never_add_up_and_a_warning_says_which_counts() {
    for (month, content) in [
        ("cost/20260901-20260930", &azure as Content<'_>),
        ("report/20260901-20261001", &aws),
        ("export/data/BILLING_PERIOD=2026-09", &focus),
    ] {
        // By name: that of the greater one.
        let folders = [format!("{month}/{SECOND}"), format!("{month}/{FIRST}")];
        however_it_comes(&|place| two_runs(place, folders.each_ref().map(String::as_str), content), "13", true);
    }
}

#[test]
fn the_later_modification_time_decides_where_nothing_else_does() {
    for is_hour_apart in [true, false] {
        let write = |place: &Place| {
            let older = place.write(&format!("cost/20260901-20260930/cost_{FIRST}.csv"), azure(&[(1, "1"), (2, "2")]));
            let newer = place.write(&format!("cost/20260901-20260930/cost_{SECOND}.csv"), azure(&[(1, "1"), (2, "4"), (3, "8")]));
            written_at_once(&[&older]);
            let later = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000 + if is_hour_apart { 7200 } else { 2 });
            File::options().append(true).open(&newer).expect("a file").set_modified(later).expect("a modification time");
            [vec![older], vec![newer]]
        };
        however_it_comes(&write, "13", !is_hour_apart);
    }
}

#[test]
fn a_run_stated_again_for_a_later_date_is_a_delivery_of_that_date() {
    let place = Place::new();
    let month = "cost/20260901-20260930";
    let [wrong, right] = two_runs(&place, [&format!("{month}/{FIRST}"), &format!("{month}/{SECOND}")], &azure);
    let all: Vec<&Path> = wrong.iter().chain(&right).map(PathBuf::as_path).collect();
    place.ingest(&all, &[]).says(0, &["written within an hour", FIRST, "--recorded-at"]);
    costs(&place, "3");
    // What the warning says helps.
    let right: Vec<&Path> = right.iter().map(PathBuf::as_path).collect();
    place.ingest(&right, &["--recorded-at", "2026-11-26"]).says(0, &[]);
    costs(&place, "13");
    place.ingest(&all, &[]).says(0, &["4 files were ingested before"]);
    costs(&place, "13");
}

#[test]
fn manifests_beside_the_files_are_left_out_with_a_note() {
    let place = Place::new();
    let run = "cost/20260901-20260930/202609100520/5f0c1f3e-1111-4111-8111-111111111111";
    place.write(&format!("{run}/part_0.csv"), azure(&[(1, "1")]));
    place.write(&format!("{run}/manifest.json"), azure_manifest(FIRST, "2026-09-10T05:20:03Z", "ActualCost", &["part_0.csv"]));
    place.write("report/report-Manifest.json", "{\n  \"assemblyId\":\"x\",\n  \"reportKeys\":[\"x\"]\n}");
    place.write("export/metadata/export-Manifest.json", r#"{"executionId":"x","dataFiles":["s3://b/x"]}"#);
    let folder = place.path("");
    let ran = place.ingest(&[&folder.join("cost"), &folder.join("report"), &folder.join("export")], &[]);
    ran.says(0, &["left out: 3 manifests"]);
    assert!(!ran.err.contains("warning"), "{ran}");
    costs(&place, "1");
    // One alone is nothing to land, and no fault either.
    place.ingest(&[&folder.join("report")], &[]).says(0, &["left out: 1 manifests"]);
}

/// Actual costs and amortised ones of a machine that a reservation covers.
fn covered(cost: &str, more: &str) -> String {
    format!(
        "SubscriptionId,Date,MeterId,Quantity,CostInBillingCurrency,BillingCurrency,ChargeType,PricingModel,ReservationId\n\
         s,9/1/2026,m,24,{cost},USD,Usage,Reservation,r\ns,9/1/2026,n,1,2,USD,Usage,OnDemand,\n{more}"
    )
}

#[test]
fn actual_and_amortised_costs_in_one_delivery_are_warned_of() {
    let place = Place::new();
    let actual = place.write("actual/part_0.csv", covered("0", "s,9/1/2026,p,1,90,USD,Purchase,Reservation,r\n"));
    let amortised = place.write("amortized/part_0.csv", covered("3", ""));
    written_at_once(&[&actual, &amortised]);
    let ran = place.ingest(&[&actual], &[]);
    assert!(!ran.err.contains("warning"), "{ran}");
    place.ingest(&[&amortised], &[]).says(0, &["actual and amortised costs", "`s|2026-09`", "--recorded-at"]);
    // What the warning says helps.
    let ran = place.ingest(&[&amortised], &["--recorded-at", "2026-11-26"]);
    assert!(!ran.err.contains("warning"), "{ran}");
    costs(&place, "5");
}

#[test]
fn runs_of_both_kinds_never_add_up_and_are_warned_of_by_their_manifests() {
    let place = Place::new();
    for (export, id, kind, cost) in [("actual", FIRST, "ActualCost", "0"), ("amortized", SECOND, "AmortizedCost", "3")] {
        let run = format!("{export}/20260901-20260930/202609110520/{id}");
        place.write(&format!("{run}/part_0.csv"), covered(cost, ""));
        let submitted = format!("2026-09-11T05:2{}:00Z", cost);
        place.write(&format!("{run}/manifest.json"), azure_manifest(id, &submitted, kind, &["part_0.csv"]));
    }
    place
        .ingest(&[&place.path("actual"), &place.path("amortized")], &[])
        .says(0, &["actual and amortised exports came together"]);
    costs(&place, "5");
}
