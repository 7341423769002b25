//! What a data file says about the batches whose rows it holds.
//!
//! A file that ingest wrote holds one batch, which its name says. One that [`super::merge`] wrote holds the rows of many files: what each
//! of those was, so far as planning asks, stands with the file in the table log (the tag [`TAG`]). Readers then decide about its
//! parts as they decided about the files (see [`super::contest`]), so that merging changes no answer.
//!
//! Cost: some 70 bytes of log per merged file, about what the log said of it before.

use super::delta::DataFile;
use super::schema::Table;
use std::collections::{BTreeSet, HashMap};

/// Name of the tag that lists the parts.
pub const TAG: &str = "shortfall.parts";

/// The rows of one batch that once were one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// Their batch.
    pub batch_id: String,
    /// The attempt to ingest it that wrote them; empty where it was not noted, in lakes of former versions.
    pub attempt: String,
    /// Smallest and largest `period_start`, in microseconds; none if some rows have none.
    pub period_start: Option<(i64, i64)>,
    /// Smallest and largest `recorded_at`, in microseconds; none if some rows have none.
    pub recorded_at: Option<(i64, i64)>,
    /// Whether all its rows, or none, are on an invoice of the vendor; nothing if some are, or nobody counted.
    pub is_invoiced: Option<bool>,
}

/// The parts of a merged file as a tag: batch, first and last period, first and last `recorded_at`, whether invoiced (1 or 0), attempt, with commas,
/// empty where there is none; `;` between them.
///
/// Where the key of the table holds no period, versions are looked for among all rows, and one part for each batch and instant is enough.
#[must_use]
pub fn tag(table: Table, files: &[DataFile]) -> String {
    let has_period = table.key().contains(&"period_start");
    let parts: BTreeSet<Part> = files
        .iter()
        .flat_map(|file| &file.parts)
        .map(|part| Part { period_start: part.period_start.filter(|_| has_period), ..part.clone() })
        .collect();
    let number = |value: Option<i64>| value.map(|value| value.to_string()).unwrap_or_default();
    let ends = |span: Option<(i64, i64)>| format!("{},{}", number(span.map(|span| span.0)), number(span.map(|span| span.1)));
    let text = |part: &Part| {
        let is_invoiced = number(part.is_invoiced.map(i64::from));
        format!("{},{},{},{is_invoiced},{}", part.batch_id, ends(part.period_start), ends(part.recorded_at), part.attempt)
    };
    parts.iter().map(text).collect::<Vec<_>>().join(";")
}

/// The parts that a file's tags list; nothing if they list none.
#[must_use]
pub fn from_tags(tags: Option<&HashMap<String, Option<String>>>) -> Option<Vec<Part>> {
    let text = tags?.get(TAG)?.as_deref()?;
    text.split(';').map(part).collect()
}

fn part(text: &str) -> Option<Part> {
    let mut cells = text.split(',');
    let batch_id = cells.next()?.to_owned();
    // What was merged before attempts were noted ends here.
    let attempt = text.split(',').nth(6).unwrap_or_default().to_owned();
    let mut number = || match cells.next()? {
        "" => Some(None),
        digits => digits.parse().ok().map(Some),
    };
    let mut span = || Some(number()?.zip(number()?));
    let (period_start, recorded_at) = (span()?, span()?);
    let is_invoiced = number()?.map(|flag| flag == 1);
    Some(Part { batch_id, attempt, period_start, recorded_at, is_invoiced })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn any_part()(
            batch in "[0-9a-f]{16}",
            attempt in "[0-9a-f]{16}|",
            period in prop::option::of(any::<(i64, i64)>()),
            recorded in prop::option::of(any::<(i64, i64)>()),
            is_invoiced: Option<bool>,
        ) -> Part {
            Part { batch_id: batch, attempt, period_start: period, recorded_at: recorded, is_invoiced }
        }
    }

    fn file(parts: Vec<Part>) -> DataFile {
        DataFile { parts, ..DataFile::default() }
    }

    proptest! {
        #[test]
        fn parts_come_back_from_the_log_as_they_were(parts in prop::collection::vec(any_part(), 1..9)) {
            let tags = HashMap::from([(TAG.to_owned(), Some(tag(Table::VendorUsage, &[file(parts.clone())])))]);
            let expected: BTreeSet<Part> = parts.into_iter().collect();
            prop_assert_eq!(from_tags(Some(&tags)), Some(expected.into_iter().collect()));
        }
    }

    #[test]
    fn what_was_merged_before_attempts_were_noted_is_read() {
        let tags = HashMap::from([(TAG.to_owned(), Some("0123456789abcdef,1,2,3,3,1".to_owned()))]);
        let part = Part {
            batch_id: "0123456789abcdef".to_owned(),
            attempt: String::new(),
            period_start: Some((1, 2)),
            recorded_at: Some((3, 3)),
            is_invoiced: Some(true),
        };
        assert_eq!(from_tags(Some(&tags)), Some(vec![part]));
    }
}
