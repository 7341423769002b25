//! Which files can hold versions of each other's rows, and which cannot.
//!
//! Where the key of a table holds the period, two batches contest each other only within a partition, and only if their periods overlap;
//! else every two batches of the table do. What is contested is compared row by row ([`super::truth`]), the rest is true as it stands, so
//! that a history of disjoint months costs nothing.
//!
//! ```text
//! batch a  ├────┤                     uncontested
//! batch b            ├────────┤       contested: one cluster
//! batch c                 ├──────┤
//! ```
//! Of a merged file the parts are looked at, as if they were files still ([`super::part`]). Where some of them are contested and some are
//! not, rows are told apart by their period: clusters do not overlap, so that a row's period says in which it lies.
//!
//! Files of one delivery that became known at one instant are one batch in this, a large month being cut into many files
//! ([`super::delivery`]): no row of theirs replaces another's. What is invoiced and what is not are two deliveries.

use super::delivery::Deliveries;
use super::delta::DataFile;
use super::part::Part;
use super::schema::Table;
use arrow::datatypes::DataType;
use chrono::DateTime;
use std::collections::{BTreeMap, BTreeSet};

/// Files of a table by what must be done about their rows.
#[derive(Debug, Default)]
pub struct Split {
    /// No other batch can have versions of their rows.
    pub plain: Vec<DataFile>,
    /// Others can.
    pub contested: Vec<DataFile>,
    /// Merged files of which a part is contested, and a part is not.
    pub mixed: Vec<DataFile>,
    /// A condition in SQL that holds for the contested rows of `mixed`, and for no others of them.
    pub is_contested: String,
}

type Partition = Vec<Option<String>>;

/// The period of a part, whose word it is, and the place of its file.
type Said<'a> = ((i64, i64), Speaker<'a>, usize);

/// Whose word a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Speaker<'a> {
    Batch(&'a str),
    /// Its number, whether it is invoiced, and when it became known.
    Delivery(i64, bool, i64),
}

fn speaker<'a>(table: Table, part: &'a Part, deliveries: &Deliveries) -> Speaker<'a> {
    let instant = part.recorded_at.filter(|(first, last)| first == last).map(|(first, _)| first);
    match (deliveries.get(&part.batch_id), part.is_invoiced, instant) {
        (Some(delivery), Some(is_invoiced), Some(known_at)) if table == Table::VendorUsage => {
            Speaker::Delivery(*delivery, is_invoiced, known_at)
        }
        _ => Speaker::Batch(&part.batch_id),
    }
}

/// Splits the files of a table that hold no statements. What became known after `limit` (microseconds) is taken for not there.
#[must_use]
pub fn split(table: Table, files: Vec<DataFile>, deliveries: &Deliveries, limit: Option<i64>) -> Split {
    let by_period = table.key().contains(&"period_start");
    let partition =
        |file: &DataFile| -> Partition { if by_period { file.partition.values().cloned().collect() } else { Vec::new() } };
    let span = |part: &Part| match part.period_start {
        Some(span) if by_period => span,
        _ => (i64::MIN, i64::MAX),
    };
    let mut groups: BTreeMap<Partition, Vec<Said<'_>>> = BTreeMap::new();
    for (at, file) in files.iter().enumerate() {
        let known = |part: &&Part| limit.is_none_or(|limit| part.recorded_at.is_none_or(|(first, _)| first <= limit));
        let parts = file.parts.iter().filter(known).map(|part| (span(part), speaker(table, part, deliveries), at));
        groups.entry(partition(file)).or_default().extend(parts);
    }
    let (mut has_plain, mut has_contested) = (vec![false; files.len()], vec![false; files.len()]);
    let mut contested_spans: BTreeMap<Partition, Vec<(i64, i64)>> = BTreeMap::new();
    for (partition, mut parts) in groups {
        parts.sort_unstable();
        let mut rest = parts.as_slice();
        while let Some(&((first, mut last), speaker, _)) = rest.first() {
            let mut length = 0;
            while let Some(&((_, to), _, _)) = rest.get(length).filter(|((from, _), _, _)| *from <= last) {
                last = last.max(to);
                length += 1;
            }
            let (cluster, behind) = rest.split_at(length);
            let is_contested = cluster.iter().any(|(_, other, _)| *other != speaker);
            for (_, _, at) in cluster {
                (if is_contested { &mut has_contested } else { &mut has_plain })[*at] = true;
            }
            if is_contested {
                contested_spans.entry(partition.clone()).or_default().push((first, last));
            }
            rest = behind;
        }
    }
    let mut split = Split::default();
    let mut mixed_in = BTreeSet::new();
    for (at, file) in files.into_iter().enumerate() {
        match (has_plain[at], has_contested[at]) {
            (true, true) => {
                mixed_in.insert(partition(&file));
                split.mixed.push(file);
            }
            (false, true) => split.contested.push(file),
            // Of a file without any part that is known, no row passes the filters.
            _ => split.plain.push(file),
        }
    }
    let conditions: Vec<String> =
        mixed_in.iter().filter_map(|partition| Some(condition(table, partition, contested_spans.get(partition)?))).collect();
    split.is_contested = conditions.join(" OR ");
    split
}

/// Whether a row lies in this partition and in one of these spans.
fn condition(table: Table, partition: &Partition, spans: &[(i64, i64)]) -> String {
    let schema = table.schema();
    let mut columns: Vec<&str> = table.partition_columns().to_vec();
    // As the values of a file's partition are.
    columns.sort_unstable();
    let of_partition = columns.iter().zip(partition).map(|(column, value)| match value {
        None => format!("({column} IS NULL)"),
        Some(value) => {
            let is_date = schema.field_with_name(column).is_ok_and(|field| field.data_type() == &DataType::Date32);
            let kind = if is_date { "DATE " } else { "" };
            // In brackets, as what follows `FROM` would take the next condition with it.
            format!("({column} IS NOT DISTINCT FROM {kind}'{}')", value.replace('\'', "''"))
        }
    });
    let instant = |micros: i64| {
        let at = DateTime::from_timestamp_micros(micros).unwrap_or_default();
        // `TIMESTAMP '...'` counts nanoseconds, and ends in 2262.
        format!("arrow_cast('{}', 'Timestamp(Microsecond, Some(\"UTC\"))')", at.format("%Y-%m-%dT%H:%M:%S%.6fZ"))
    };
    let of_spans = spans.iter().map(|(first, last)| format!("(period_start BETWEEN {} AND {})", instant(*first), instant(*last)));
    let of_spans = of_spans.collect::<Vec<_>>().join(" OR ");
    let all: Vec<String> = of_partition.chain([format!("({of_spans})")]).collect();
    format!("({})", all.join(" AND "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(batch: &str, span: (i64, i64)) -> Part {
        Part {
            batch_id: batch.to_owned(),
            attempt: String::new(),
            period_start: Some(span),
            recorded_at: Some(span),
            is_invoiced: Some(false),
        }
    }

    fn merged(parts: Vec<Part>) -> DataFile {
        DataFile { path: format!("{parts:?}"), parts, ..DataFile::default() }
    }

    fn file(batch: &str, span: (i64, i64)) -> DataFile {
        merged(vec![part(batch, span)])
    }

    fn ids(files: &[DataFile]) -> Vec<&str> {
        files.iter().flat_map(|file| &file.parts).map(|part| part.batch_id.as_str()).collect()
    }

    #[test]
    fn only_overlapping_batches_are_compared() {
        let files = vec![file("a", (0, 10)), file("b", (11, 20)), file("c", (15, 30)), file("d", (31, 40)), file("d", (35, 50))];
        let split = split(Table::VendorUsage, files, &Deliveries::new(), None);
        assert_eq!(ids(&split.plain), ["a", "d", "d"]);
        assert_eq!(ids(&split.contested), ["b", "c"]);
        assert!(split.mixed.is_empty());
    }

    #[test]
    fn parts_of_one_delivery_do_not_contest_each_other() {
        let said_at = |batch, instant, is_invoiced| {
            merged(vec![Part { recorded_at: Some((instant, instant)), is_invoiced, ..part(batch, (0, 10)) }])
        };
        let deliveries = Deliveries::from(["a", "b", "c"].map(|batch| (batch.to_owned(), 1)));
        let contested = |files: Vec<DataFile>| split(Table::VendorUsage, files, &deliveries, None).contested.len();
        let (invoiced, not) = (Some(true), Some(false));
        assert_eq!(contested(vec![said_at("a", 5, not), said_at("b", 5, not), said_at("c", 5, not)]), 0);
        assert_eq!(contested(vec![said_at("a", 5, not), said_at("b", 5, invoiced)]), 2, "what is billed replaces what was not");
        assert_eq!(contested(vec![said_at("a", 5, not), said_at("b", 6, not)]), 2, "known at two instants");
        assert_eq!(contested(vec![said_at("a", 5, not), said_at("other", 5, not)]), 2, "of another delivery");
        assert_eq!(contested(vec![said_at("a", 5, not), said_at("b", 5, None)]), 2, "nobody counted");
    }

    #[test]
    fn keys_without_a_period_are_compared_across_all_batches() {
        let split = split(Table::InvoiceLine, vec![file("a", (0, 1)), file("b", (5, 6))], &Deliveries::new(), None);
        assert!(split.plain.is_empty());
        assert_eq!(split.contested.len(), 2);
    }

    #[test]
    fn what_became_known_later_contests_nothing() {
        let files = vec![merged(vec![part("a", (0, 10)), part("b", (5, 20))])];
        assert_eq!(split(Table::VendorUsage, files.clone(), &Deliveries::new(), Some(4)).plain.len(), 1);
        assert_eq!(split(Table::VendorUsage, files, &Deliveries::new(), Some(5)).contested.len(), 1);
    }

    proptest! {
        /// A part is contested or not whatever files it lies in, and where a file has both, the condition's spans tell which.
        #[test]
        fn merging_changes_nothing(
            parts in prop::collection::vec((0_u8..6, 0_i64..60, 0_i64..8, 0_usize..4), 1..24),
            limit in prop::option::of(0_i64..60),
        ) {
            let parts: Vec<(Part, usize)> = parts
                .into_iter()
                .map(|(batch, from, length, file)| (part(&batch.to_string(), (from, from + length)), file))
                .collect();
            let is_known = |part: &Part| limit.is_none_or(|limit| part.recorded_at.is_some_and(|(first, _)| first <= limit));
            let alone: Vec<DataFile> = parts.iter().map(|(part, _)| merged(vec![part.clone()])).collect();
            let known: Vec<DataFile> = alone.into_iter().filter(|file| is_known(&file.parts[0])).collect();
            let expected: BTreeMap<Part, bool> = {
                let split = split(Table::VendorUsage, known, &Deliveries::new(), limit);
                prop_assert!(split.mixed.is_empty());
                let of = |files: Vec<DataFile>, is: bool| files.into_iter().map(move |mut file| (file.parts.remove(0), is));
                of(split.plain, false).chain(of(split.contested, true)).collect()
            };
            let together: Vec<DataFile> = (0..4)
                .map(|at| merged(parts.iter().filter(|(_, file)| *file == at).map(|(part, _)| part.clone()).collect()))
                .filter(|file| !file.parts.is_empty())
                .collect();
            let split = split(Table::VendorUsage, together, &Deliveries::new(), limit);
            for (files, is_contested) in [(&split.plain, Some(false)), (&split.contested, Some(true)), (&split.mixed, None)] {
                for part in files.iter().flat_map(|file| &file.parts).filter(|part| is_known(part)) {
                    let (first, last) = part.period_start.expect("a span");
                    let instant = |micros: i64| format!("'1970-01-01T00:00:00.{micros:06}Z'");
                    // The condition is read as SQL would: rows at both ends of the part lie within one of its spans, or in none.
                    let within = |at: i64| split.is_contested.split(" OR ").any(|span| {
                        let quoted: Vec<&str> = span.split('\'').filter(|text| text.starts_with("1970-")).collect();
                        let at = instant(at);
                        let at = at.trim_matches('\'');
                        quoted.len() == 2 && quoted[0] <= at && at <= quoted[1]
                    });
                    let found = is_contested.unwrap_or_else(|| within(first));
                    prop_assert_eq!(found, expected[part]);
                    if is_contested.is_none() {
                        prop_assert_eq!(within(first), within(last));
                    }
                }
            }
        }
    }
}
