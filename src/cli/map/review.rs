//! What `map suggest --accept` writes, and what a person's decisions make of it.
//!
//! The accepted suggestions become a crosswalk, which `map import` lands; the rest a review file beside it. The review file has no key
//! column, so that no ingest takes it for a crosswalk. A person writes into `decision`: `yes` (or `1`, `2`, `3` for a candidate), `no`, or a key.

use super::super::{Failure, render};
use super::lake::{Unmapped, money_text};
use super::suggest::{doubt, score, trail};
use super::{Kind, bundles, table};
use crate::identity::bundles::Proposal;
use crate::identity::suggest::{Suggestion, Verdict};
use crate::ingest::discover;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Column of a review file for what it takes of a SKU to be a unit.
const FACTOR: &str = "suggested_unit_factor";

fn id_column(kind: Kind) -> &'static str {
    if kind == Kind::Customers { "native_id" } else { "native_sku" }
}

/// A row of a crosswalk.
struct CrosswalkRow<'a> {
    system: &'a str,
    native_id: &'a str,
    native_name: &'a str,
    key: &'a str,
    name: &'a str,
    unit_factor: &'a str,
}

impl CrosswalkRow<'_> {
    fn cells(&self, kind: Kind) -> Vec<String> {
        let cell = |column: &&str| match *column {
            "system" => self.system,
            "native_id" | "native_sku" => self.native_id,
            "native_name" => self.native_name,
            "customer_key" | "service_key" => self.key,
            "customer_name" | "service_name" => self.name,
            "unit_factor" => self.unit_factor,
            _ => "",
        };
        table::columns(kind).iter().map(|column| cell(column).to_owned()).collect()
    }
}

/// The crosswalk of what is beyond doubt, and the review file of the rest.
pub(super) fn write(
    out: &Path,
    kind: Kind,
    suggestions: &[Suggestion],
    proposals: &[Proposal],
    unmapped: &[Unmapped],
    top: usize,
) -> Result<(), Failure> {
    let name_of = |system: &str, sku: &str| {
        unmapped
            .iter()
            .find(|entry| entry.id.system == system && entry.id.native_id == sku)
            .map_or("", |entry| entry.id.name())
            .to_owned()
    };
    let mut accepted: Vec<Vec<String>> = suggestions
        .iter()
        .filter(|s| s.verdict == Verdict::Accepted)
        .filter_map(|s| {
            let best = s.candidates.first()?;
            let (native_id, native_name) = (s.of.native_id.as_str(), s.of.name());
            Some(
                CrosswalkRow { system: &s.of.system, native_id, native_name, key: &best.key, name: &best.name, unit_factor: "" }
                    .cells(kind),
            )
        })
        .collect();
    let mut header: Vec<String> =
        ["decision", "system", id_column(kind), "native_name", "at_stake", "doubt"].map(str::to_owned).to_vec();
    if kind == Kind::Services {
        header.push(FACTOR.to_owned());
    }
    for at in 1..=top {
        let number = if at == 1 { "suggested".to_owned() } else { format!("suggested_{at}") };
        header.extend(["key", "name", "score", "because"].map(|column| format!("{number}_{column}")));
    }
    let mut open: Vec<Vec<String>> = Vec::new();
    let mut settled: BTreeSet<(String, String)> = BTreeSet::new();
    for proposal in proposals {
        for row in bundles::rows(proposal, unmapped) {
            settled.insert((row.system.clone(), row.native_sku.clone()));
            let (native_name, factor) = (name_of(&row.system, &row.native_sku), row.unit_factor.normalize().to_string());
            if bundles::is_sure(proposal) {
                let (system, native_id) = (row.system.as_str(), row.native_sku.as_str());
                accepted.push(
                    CrosswalkRow {
                        system,
                        native_id,
                        native_name: &native_name,
                        key: &row.service_key,
                        name: "",
                        unit_factor: &factor,
                    }
                    .cells(kind),
                );
            } else {
                let because = bundles::sentence(proposal);
                open.push(vec![
                    String::new(),
                    row.system,
                    row.native_sku,
                    native_name,
                    String::new(),
                    "a bundle".to_owned(),
                    factor,
                    row.service_key,
                    String::new(),
                    String::new(),
                    because,
                ]);
            }
        }
    }
    for suggestion in suggestions.iter().filter(|s| s.verdict != Verdict::Accepted) {
        let of = &suggestion.of;
        if settled.contains(&(of.system.clone(), of.native_id.clone())) {
            continue;
        }
        let mut row = vec![
            String::new(),
            of.system.clone(),
            of.native_id.clone(),
            of.name().to_owned(),
            money_text(&of.money),
            doubt(suggestion),
        ];
        if kind == Kind::Services {
            row.push(String::new());
        }
        for candidate in &suggestion.candidates {
            row.extend([candidate.key.clone(), candidate.name.clone(), score(candidate.score), trail(candidate)]);
        }
        open.push(row);
    }
    for row in &mut open {
        row.resize(header.len(), String::new());
    }
    table::write(out, table::columns(kind), &accepted)?;
    table::wrote(out, accepted.len(), "accepted rows");
    let review = out.with_extension("review.csv");
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    table::write(&review, &header, &open)?;
    table::wrote(&review, open.len(), "rows to be decided");
    render::note("hint: fill in the column `decision`, then `shortfall map import --lake DIR FILE...` lands either file");
    Ok(())
}

/// The crosswalk that a review file's decisions make, written beside it; none if the file is no review file.
pub(super) fn decided(path: &Path) -> Result<Option<PathBuf>, Failure> {
    let failed = |e: csv::Error| Failure::usage(format!("could not read `{}`: {e}", path.display()));
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(discover::open(path)?);
    let header: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(|cell| cell.trim_start_matches('\u{feff}').trim().to_lowercase()).collect(),
        // Not a review file; what it is, discovering will tell.
        Err(_) => return Ok(None),
    };
    let has = |name: &str| header.iter().any(|known| known == name);
    if !has("decision") || !has("suggested_key") {
        return Ok(None);
    }
    let kind = if has(id_column(Kind::Services)) { Kind::Services } else { Kind::Customers };
    let mut rows = Vec::new();
    let mut open = 0_usize;
    for (at, record) in (1_u64..).zip(reader.records()) {
        let record = record.map_err(failed)?;
        let cell = |name: &str| {
            let place = header.iter().position(|known| known == name);
            place.and_then(|place| record.get(place)).unwrap_or("").trim().to_owned()
        };
        let decision = cell("decision");
        let number = match decision.to_lowercase().as_str() {
            "" => {
                open += 1;
                continue;
            }
            "no" | "n" | "none" => continue,
            "yes" | "y" | "1" => Some(1),
            other => other.parse::<u8>().ok(),
        };
        let (key, name) = match number {
            Some(1) => (cell("suggested_key"), cell("suggested_name")),
            Some(number) => (cell(&format!("suggested_{number}_key")), cell(&format!("suggested_{number}_name"))),
            None => (decision.clone(), String::new()),
        };
        if key.is_empty() {
            let place = format!("{}: row {at}, column `decision`, value `{decision}`", path.display());
            return Err(Failure::usage(format!("{place}: there is no such candidate"))
                .hint("write `yes`, `no`, the number of a candidate, or a key"));
        }
        let (system, native_id, native_name, factor) = (cell("system"), cell(id_column(kind)), cell("native_name"), cell(FACTOR));
        let row = CrosswalkRow {
            system: &system,
            native_id: &native_id,
            native_name: &native_name,
            key: &key,
            name: &name,
            unit_factor: &factor,
        };
        rows.push(row.cells(kind));
    }
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let out = path.with_file_name(format!("{}.decided.csv", stem.trim_end_matches(".review")));
    table::write(&out, table::columns(kind), &rows)?;
    table::wrote(&out, rows.len(), "decided rows");
    if open > 0 {
        render::note(&format!("{open} rows of `{}` have no decision yet", path.display()));
    }
    Ok(Some(out))
}
