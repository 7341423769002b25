//! What a crosswalk must be before it is landed: rows that say one thing about an id at a time.
//!
//! | fault | why |
//! | --- | --- |
//! | a cell that must be filled is empty | the row says nothing |
//! | an unknown system | no export carries such ids: a misspelt name would map nothing, silently |
//! | two rows of an id from the same day (and, of services, the same key) | one would be taken, the other lost |
//! | validities that overlap | the later row would cut the earlier one short |
//! | keys that differ only by case | two customers where one is meant |
//! | a key that no customer of the PSA carries | a customer that never has a contract |
//! | `unit_factor` of zero or less, shares that do not fit together | quantities and cost would be wrong |
//!
//! Rows of one SKU with the same validity and different services are a bundle, not an overlap. Rows in force take part in the checks
//! where the file does not replace them.

use crate::functions::normalise_id::normalise_id;
use chrono::NaiveDate;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// A row of either crosswalk, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrosswalkRow {
    /// Row of the file, the header not counted; 0 for a row that is in force.
    pub row: u64,
    /// System.
    pub system: String,
    /// Native id or SKU.
    pub native_id: String,
    /// Customer or service.
    pub key: String,
    /// Native name, name, unit: what else the row says.
    pub names: Vec<String>,
    /// Factor of a service; empty is 1.
    pub unit_factor: String,
    /// Share of a service in the cost of a bundle.
    pub cost_share: String,
    /// First day, empty for always.
    pub valid_from: String,
    /// Day after the last, empty for ever.
    pub valid_to: String,
}

/// Which crosswalk rows belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// `customers.csv`.
    Customers,
    /// `services.csv`.
    Services,
}

impl Of {
    fn id_column(self) -> &'static str {
        if self == Self::Customers { "native_id" } else { "native_sku" }
    }

    fn key_column(self) -> &'static str {
        if self == Self::Customers { "customer_key" } else { "service_key" }
    }
}

/// What is wrong with which cell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Row of the file.
    pub row: u64,
    /// Column.
    pub column: &'static str,
    /// Its value.
    pub value: String,
    /// Why it cannot stand.
    pub reason: String,
}

/// What the lake knows.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Systems that exports come from.
    pub systems: BTreeSet<String>,
    /// Rows in force.
    pub in_force: Vec<CrosswalkRow>,
    /// Systems that are PSAs.
    pub psa_systems: BTreeSet<String>,
    /// Keys that companies of a PSA carry; empty where there is no PSA, and then nothing is asked of keys.
    pub psa_keys: BTreeSet<String>,
}

type Span = (NaiveDate, NaiveDate);

fn day(text: &str) -> Option<NaiveDate> {
    text.trim().get(..10).and_then(|day| day.parse().ok())
}

/// The days on which a row holds; none if a date cannot be read.
fn span(row: &CrosswalkRow) -> Option<Span> {
    let from = if row.valid_from.trim().is_empty() { Some(NaiveDate::MIN) } else { day(&row.valid_from) };
    let to = if row.valid_to.trim().is_empty() { Some(NaiveDate::MAX) } else { day(&row.valid_to) };
    from.zip(to)
}

/// The id that a row speaks of.
fn id(row: &CrosswalkRow) -> (String, String) {
    (row.system.trim().to_lowercase(), normalise_id(&row.native_id))
}

/// Whether two rows say the same, whatever file and row they stand in.
#[must_use]
pub fn says_the_same(a: &CrosswalkRow, b: &CrosswalkRow) -> bool {
    let number = |text: &str| Decimal::from_str_exact(text.trim()).ok().map(|number| number.normalize());
    a.system.trim().to_lowercase() == b.system.trim().to_lowercase()
        && a.native_id == b.native_id
        && a.key == b.key
        && a.names == b.names
        && number(&a.unit_factor) == number(&b.unit_factor)
        && number(&a.cost_share) == number(&b.cost_share)
        && span(a) == span(b)
}

/// Everything that is wrong with the rows of a file, in their order.
#[must_use]
pub fn check(of: Of, rows: &[CrosswalkRow], known: &Known) -> Vec<Fault> {
    let mut faults = BTreeSet::new();
    for row in rows {
        cells(of, row, known, &mut faults);
    }
    keys(of, rows, known, &mut faults);
    validities(of, rows, known, &mut faults);
    if of == Of::Services {
        bundles(rows, &mut faults);
    }
    faults.into_iter().collect()
}

fn fault(faults: &mut BTreeSet<Fault>, row: &CrosswalkRow, column: &'static str, value: &str, reason: String) {
    faults.insert(Fault { row: row.row, column, value: value.to_owned(), reason });
}

fn cells(of: Of, row: &CrosswalkRow, known: &Known, faults: &mut BTreeSet<Fault>) {
    for (column, value) in [("system", &row.system), (of.id_column(), &row.native_id), (of.key_column(), &row.key)] {
        if value.trim().is_empty() {
            fault(faults, row, column, "", "must not be empty; fill it in or remove the row".to_owned());
        }
    }
    let system = row.system.trim().to_lowercase();
    if !system.is_empty() && !known.systems.contains(&system) {
        let list: Vec<&str> = known.systems.iter().map(String::as_str).collect();
        fault(faults, row, "system", &row.system, format!("there is no such system; known are {}", list.join(", ")));
    }
    for (column, value) in [("valid_from", &row.valid_from), ("valid_to", &row.valid_to)] {
        if !value.trim().is_empty() && day(value).is_none() {
            fault(faults, row, column, value, "is no date such as `2026-07-01`".to_owned());
        }
    }
    if let Some((from, to)) = span(row)
        && to <= from
    {
        fault(faults, row, "valid_to", &row.valid_to, "the validity ends before it begins".to_owned());
    }
    let number = |text: &str| Decimal::from_str_exact(text.trim());
    if !row.unit_factor.trim().is_empty() {
        match number(&row.unit_factor) {
            Ok(factor) if factor > Decimal::ZERO => {}
            Ok(_) => fault(faults, row, "unit_factor", &row.unit_factor, "must be above zero".to_owned()),
            Err(_) => fault(faults, row, "unit_factor", &row.unit_factor, "is no number".to_owned()),
        }
    }
    if !row.cost_share.trim().is_empty() && number(&row.cost_share).map_or(true, |share| share < Decimal::ZERO) {
        fault(faults, row, "cost_share", &row.cost_share, "must be a number of zero or more".to_owned());
    }
}

fn keys(of: Of, rows: &[CrosswalkRow], known: &Known, faults: &mut BTreeSet<Fault>) {
    let mut spellings: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for row in rows.iter().chain(&known.in_force) {
        spellings.entry(row.key.to_lowercase()).or_default().insert(&row.key);
    }
    for key in known.psa_keys.iter().filter(|_| of == Of::Customers) {
        spellings.entry(key.to_lowercase()).or_default().insert(key);
    }
    let by_psa: BTreeSet<&str> = rows
        .iter()
        .filter(|row| known.psa_systems.contains(&row.system.trim().to_lowercase()))
        .map(|row| row.key.as_str())
        .chain(known.psa_keys.iter().map(String::as_str))
        .chain(known.in_force.iter().map(|row| row.key.as_str()))
        .collect();
    for row in rows.iter().filter(|row| !row.key.trim().is_empty()) {
        let alike = &spellings[&row.key.to_lowercase()];
        if alike.len() > 1 {
            let others: Vec<String> = alike.iter().filter(|key| **key != row.key).map(|key| format!("`{key}`")).collect();
            fault(faults, row, of.key_column(), &row.key, format!("differs only by case from {}", others.join(", ")));
        }
        if of == Of::Customers && !known.psa_keys.is_empty() && !by_psa.contains(row.key.as_str()) {
            fault(faults, row, of.key_column(), &row.key, "no customer of the PSA carries this key".to_owned());
        }
    }
}

fn validities(of: Of, rows: &[CrosswalkRow], known: &Known, faults: &mut BTreeSet<Fault>) {
    let begin = |row: &CrosswalkRow| (id(row), span(row).map(|span| span.0));
    let replaced: BTreeSet<_> = rows.iter().map(begin).collect();
    let mut by_id: BTreeMap<(String, String), Vec<&CrosswalkRow>> = BTreeMap::new();
    for row in rows.iter().chain(known.in_force.iter().filter(|row| !replaced.contains(&begin(row)))) {
        if span(row).is_some() && !row.native_id.trim().is_empty() {
            by_id.entry(id(row)).or_default().push(row);
        }
    }
    for rows in by_id.values_mut() {
        rows.sort_by_key(|row| (span(row), row.row));
        for (at, later) in rows.iter().enumerate() {
            for earlier in &rows[..at] {
                let (Some(a), Some(b)) = (span(earlier), span(later)) else { continue };
                let is_bundle = of == Of::Services && a == b && earlier.key != later.key;
                if is_bundle || a.1 <= b.0 {
                    continue;
                }
                // The place of the file's own row, where the other is in force.
                let (place, other) = if later.row > 0 { (later, earlier) } else { (earlier, later) };
                let whose = if other.row > 0 { format!("row {}", other.row) } else { "a row in force".to_owned() };
                let reason = if a.0 == b.0 {
                    format!("the same validity as {whose} of this id")
                } else {
                    format!("overlaps {whose} of this id, which maps it to `{}`; end the earlier one on {}", other.key, b.0)
                };
                fault(faults, place, "valid_from", &place.valid_from, reason);
            }
        }
    }
}

fn bundles(rows: &[CrosswalkRow], faults: &mut BTreeSet<Fault>) {
    let mut sets: BTreeMap<_, Vec<&CrosswalkRow>> = BTreeMap::new();
    for row in rows {
        sets.entry((id(row), span(row))).or_default().push(row);
    }
    for set in sets.values().filter(|set| set.len() > 1) {
        let stated: Vec<Option<Decimal>> = set.iter().map(|row| Decimal::from_str_exact(row.cost_share.trim()).ok()).collect();
        let sum: Decimal = stated.iter().flatten().sum();
        let is_partly = stated.iter().any(Option::is_some) && stated.iter().any(Option::is_none);
        let is_nothing = stated.iter().all(Option::is_some) && sum.is_zero();
        for row in set.iter().filter(|_| is_partly || is_nothing) {
            let reason =
                if is_partly { "all services of a bundle state a share, or none" } else { "the shares of a bundle are all zero" };
            fault(faults, row, "cost_share", &row.cost_share, reason.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(at: u64, system: &str, id: &str, key: &str, from: &str, to: &str) -> CrosswalkRow {
        let text = str::to_owned;
        CrosswalkRow {
            row: at,
            system: text(system),
            native_id: text(id),
            key: text(key),
            valid_from: text(from),
            valid_to: text(to),
            ..CrosswalkRow::default()
        }
    }

    fn known() -> Known {
        Known {
            systems: ["connectwise", "stripe"].map(str::to_owned).into(),
            in_force: vec![row(0, "stripe", "cus_9", "c9", "", "")],
            psa_systems: ["connectwise".to_owned()].into(),
            psa_keys: ["c1", "c2"].map(str::to_owned).into(),
        }
    }

    fn reasons(of: Of, rows: &[CrosswalkRow]) -> Vec<(u64, &'static str, String)> {
        check(of, rows, &known()).into_iter().map(|f| (f.row, f.column, f.reason)).collect()
    }

    #[test]
    fn a_sound_file_has_no_faults() {
        let rows = [
            row(1, "stripe", "cus_1", "c1", "", "2026-07-16"),
            row(2, "Stripe", "cus_1", "c2", "2026-07-16", ""),
            row(3, "connectwise", "2009", "c3", "", ""),
            row(4, "stripe", "cus_9", "c9", "", ""),
        ];
        assert_eq!(reasons(Of::Customers, &rows), []);
    }

    #[test]
    fn each_fault_has_its_place_and_reason() {
        let rows = [
            row(1, "strip", "cus_1", "c1", "", ""),
            row(2, "stripe", "cus_2", "C1", "", ""),
            row(3, "stripe", "cus_3", "c7", "", ""),
            row(4, "stripe", "cus_4", "c1", "", ""),
            row(5, "stripe", "CUS_4", "c2", "", ""),
            row(6, "stripe", "cus_5", "c1", "", "2026-08-01"),
            row(7, "stripe", "cus_5", "c2", "2026-07-16", ""),
            row(8, "stripe", "cus_9", "c2", "2026-01-01", ""),
            row(9, "stripe", "cus_6", "", "2026-01-01", "2025-01-01"),
            row(10, "stripe", "cus_7", "c1", "soon", ""),
        ];
        let found = reasons(Of::Customers, &rows);
        let has = |row: u64, column: &str, part: &str| {
            assert!(found.iter().any(|f| f.0 == row && f.1 == column && f.2.contains(part)), "{row} {column} {part}: {found:#?}");
        };
        has(1, "system", "no such system; known are connectwise, stripe");
        has(2, "customer_key", "differs only by case from `c1`");
        has(3, "customer_key", "no customer of the PSA");
        has(5, "valid_from", "the same validity as row 4");
        has(7, "valid_from", "overlaps row 6 of this id, which maps it to `c1`; end the earlier one on 2026-07-16");
        has(8, "valid_from", "a row in force");
        has(9, "customer_key", "must not be empty");
        has(9, "valid_to", "ends before it begins");
        has(10, "valid_from", "no date");
    }

    #[test]
    fn a_bundle_is_no_overlap_but_its_shares_must_fit() {
        let bundle = |shares: [&str; 2]| {
            let mut rows = [row(1, "stripe", "BUNDLE", "seat", "", ""), row(2, "stripe", "BUNDLE", "backup", "", "")];
            for (row, share) in rows.iter_mut().zip(shares) {
                row.cost_share = share.to_owned();
            }
            reasons(Of::Services, &rows)
        };
        assert_eq!(bundle(["", ""]), []);
        assert_eq!(bundle(["0.7", "0.3"]), []);
        assert_eq!(bundle(["0.7", ""]).len(), 2);
        assert_eq!(bundle(["0", "0"]).len(), 2);
        let mut zero = row(1, "stripe", "X", "seat", "", "");
        zero.unit_factor = "0".to_owned();
        assert_eq!(reasons(Of::Services, &[zero])[0].1, "unit_factor");
    }
}
