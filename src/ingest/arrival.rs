//! When a file became known: a date that somebody states, else the one in its name or folders, else its modification time.

use super::export_run::is_period;
use crate::lake::delivery::guid_in;
use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use std::path::Path;

/// As [`arrival`], of content that has a name and a modification time of its own.
#[must_use]
pub fn arrival_of(name: &Path, modified: Option<DateTime<Utc>>, flag: Option<DateTime<Utc>>) -> (DateTime<Utc>, bool) {
    match flag.or_else(|| date_in_path(name)) {
        Some(stated) => (stated, true),
        None => (modified.unwrap_or(DateTime::UNIX_EPOCH), false),
    }
}

/// When a file became known: the flag, else the last date in its name or folders, else its modification time. The second value
/// says whether the date was stated (flag or name).
#[must_use]
pub fn arrival(path: &Path, flag: Option<DateTime<Utc>>) -> (DateTime<Utc>, bool) {
    let modified = std::fs::metadata(path).and_then(|m| m.modified()).map(DateTime::<Utc>::from);
    arrival_of(path, modified.ok(), flag)
}

/// The date in the file name, else in the nearest folder that has one: `2026-08-05`, `2026-08-05T1430` (UTC) for an instant of it,
/// `2026-08` for its first day; or a folder that is an instant. A folder that says which period its files are of says no date.
pub(super) fn date_in_path(path: &Path) -> Option<DateTime<Utc>> {
    let mut parts = path.components().rev().map(|part| part.as_os_str().to_string_lossy());
    let file = parts.next()?;
    let in_folder = |name: &str| if is_period(name) { None } else { instant(name).or_else(|| date_in(name)) };
    date_in(&file).or_else(|| parts.find_map(|name| in_folder(&name)))
}

/// Whether a folder's name is an instant.
pub(super) fn is_instant(folder: &str) -> bool {
    instant(folder).is_some()
}

/// The instant that the name of a run's folder is: `202309110520` of Azure, `20240911T052010Z` of AWS. Digits of another meaning, such as
/// the number of an account, have no year of this century in front, or no month behind it.
fn instant(folder: &str) -> Option<DateTime<Utc>> {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let digits = match folder.split_once('T') {
        Some((day, time)) => {
            let time = time.strip_suffix('Z').filter(|time| time.len() == 6)?;
            (day.len() == 8 && is_digits(day) && is_digits(time)).then(|| format!("{day}{time}"))?
        }
        None => (folder.len() == 12 && is_digits(folder)).then(|| format!("{folder}00"))?,
    };
    let time = NaiveDateTime::parse_from_str(&digits, "%Y%m%d%H%M%S").ok()?;
    (2010..2100).contains(&time.year()).then(|| time.and_utc())
}

fn date_in(name: &str) -> Option<DateTime<Utc>> {
    // `abcd2023-09ab-…` is no September.
    if let Some(guid) = guid_in(name) {
        return date_in(&format!("{} {}", &name[..guid.start], &name[guid.end..]));
    }
    let bytes = name.as_bytes();
    let is_digits =
        |from: usize, count: usize| bytes.get(from..from + count).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    let at = |from: usize, wanted: u8| bytes.get(from) == Some(&wanted);
    let mut found = None;
    for start in 0..bytes.len() {
        let begins = start == 0 || !bytes[start - 1].is_ascii_digit();
        if !begins || !is_digits(start, 4) || !at(start + 4, b'-') || !is_digits(start + 5, 2) {
            continue;
        }
        let text = |from: usize, to: usize| name.get(start + from..start + to)?.parse::<u32>().ok();
        let has_day = at(start + 7, b'-') && is_digits(start + 8, 2) && !is_digits(start + 10, 1);
        let bare_month = !is_digits(start + 7, 1);
        let day = if has_day { text(8, 10) } else { bare_month.then_some(1) };
        let date = text(0, 4)
            .zip(text(5, 7))
            .zip(day)
            .and_then(|((year, month), day)| NaiveDate::from_ymd_opt(year.cast_signed(), month, day));
        found = date
            .map(|date| date.and_time(name.get(start + 10..).and_then(time_in).unwrap_or(NaiveTime::MIN)).and_utc())
            .or(found);
    }
    found
}

/// The time behind a date: `T1430`, `T14-30`, `T143005`, `T14:30:05Z`. Without the `T` digits behind a date may be anything.
fn time_in(rest: &str) -> Option<NaiveTime> {
    let is_part_of_time = |c: &char| c.is_ascii_digit() || matches!(c, '-' | ':');
    let digits: String = rest.strip_prefix('T')?.chars().take_while(is_part_of_time).filter(char::is_ascii_digit).collect();
    let part = |at: usize| digits.get(at..at + 2).map_or(Some(0), |text| text.parse().ok());
    if digits.len() != 4 && digits.len() != 6 {
        return None;
    }
    NaiveTime::from_hms_opt(part(0)?, part(2)?, part(4)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(path: &str) -> Option<String> {
        date_in_path(Path::new(path)).map(|t| t.format("%Y-%m-%d").to_string())
    }

    #[test]
    fn dates_in_names_win_over_folders_and_bare_months_mean_the_first() {
        assert_eq!(day("x/2026-08-05/additions.json").as_deref(), Some("2026-08-05"));
        assert_eq!(day("x/2026-08-05/additions_2026-09-01.json").as_deref(), Some("2026-09-01"));
        assert_eq!(day("licences_2026-08.csv").as_deref(), Some("2026-08-01"));
        assert_eq!(day("report-20260805.csv"), None);
        assert_eq!(day("a_2026-13-01.csv"), None);
        assert_eq!(day("plain.csv"), None);
        assert_eq!(day("x/BILLING_PERIOD=2026-08/cur-00001.csv"), None);
        assert_eq!(day("x/20260801-20260831/abcd2023-09ab-4111-8111-111111111111/part_0.csv"), None);
        assert_eq!(day("x/123456789012/cur-00001.csv"), None);
    }

    #[test]
    fn times_behind_a_date_tell_two_files_of_a_day_apart() {
        let instant = |name: &str| date_in_path(Path::new(name)).map(|t| t.format("%Y-%m-%dT%H:%M:%S").to_string());
        for (name, expected) in [
            ("usage_2026-08-05T1430.json", "2026-08-05T14:30:00"),
            ("2026-08-05T14-30-05Z/usage.json", "2026-08-05T14:30:05"),
            ("usage_2026-08-05T99.json", "2026-08-05T00:00:00"),
            ("usage_2026-08-05_1430.json", "2026-08-05T00:00:00"),
            ("usage_2026-08-05T2561.json", "2026-08-05T00:00:00"),
            ("20260801-20260831/202608050520/6f0c1f3e-1111-4111-8111-111111111111/part_0.csv", "2026-08-05T05:20:00"),
            ("20260801-20260901/20260805T143005Z/cur-00001.csv", "2026-08-05T14:30:05"),
            ("BILLING_PERIOD=2026-08/2026-08-05T14:30:05.123Z-6f0c1f3e-1111-4111-8111-111111111111/x.csv", "2026-08-05T14:30:05"),
        ] {
            assert_eq!(instant(name).as_deref(), Some(expected), "{name}");
        }
    }
}
