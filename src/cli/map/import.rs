//! `shortfall map import`: crosswalk files are checked as a whole, then landed as `ingest` lands them.
//!
//! Nothing is landed if anything is wrong. A file that only repeats what is in force is not landed either: exporting and importing changes
//! nothing. A review file of `map suggest` becomes a crosswalk of the rows that a person decided, written beside it.

use super::super::ingest::{instant, summary};
use super::super::{Context, Exit, Failure, LakeArgument, OutputFormat, render};
use super::lake::Reader;
use super::{Kind, review, table};
use crate::identity::crosswalk::{CrosswalkRow, Fault, Known, Of, check, says_the_same};
use crate::ingest::{self, Silent, discover, plan};
use crate::lake::Lake;
use crate::sources::SOURCES;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    lake: LakeArgument,
    /// Crosswalk files: `customers.csv`, `services.csv`, or a review file with decisions.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Accept keys that no customer of the PSA carries.
    #[arg(long)]
    new_keys: bool,
    /// When the crosswalk became known, if its name does not say; it holds for all of history by default.
    #[arg(long, value_name = "DATE")]
    recorded_at: Option<String>,
}

/// A crosswalk file, read.
struct Crosswalk {
    path: PathBuf,
    of: Of,
    rows: Vec<CrosswalkRow>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let recorded_at = arguments.recorded_at.as_deref().map(instant).transpose()?;
    let files = plan::files(&arguments.files).map_err(|e| Failure::usage(e.to_string()))?;
    let mut crosswalks = Vec::new();
    for path in files {
        let path = review::decided(&path)?.unwrap_or(path);
        crosswalks.push(read(&path)?);
    }
    let lake = Lake::create(&arguments.lake.lake)?;
    let reader = Reader::open(context, &lake)?;
    let mut faults: Vec<(String, Fault)> = Vec::new();
    let mut fresh = Vec::new();
    for of in [Of::Customers, Of::Services] {
        let known = known(&reader, of)?;
        for crosswalk in crosswalks.iter().filter(|crosswalk| crosswalk.of == of) {
            let found = check(of, &crosswalk.rows, &known);
            let excused = |fault: &Fault| arguments.new_keys && fault.reason.starts_with("no customer of the PSA");
            faults.extend(found.into_iter().filter(|f| !excused(f)).map(|f| (crosswalk.path.display().to_string(), f)));
            let is_in_force = |row: &CrosswalkRow| known.in_force.iter().any(|other| says_the_same(row, other));
            if !crosswalk.rows.iter().all(is_in_force) {
                fresh.push(crosswalk.path.clone());
            }
        }
    }
    if !faults.is_empty() {
        return Err(refused(context, &faults));
    }
    if fresh.is_empty() {
        if context.output == OutputFormat::Json {
            render::document(
                &json!({ "landed": [], "already_known": crosswalks.len(), "refused": [], "files_with_rejects": [], "unmapped": [] }),
            );
        } else {
            render::lines("every row is in force already; nothing was changed");
        }
        return Ok(Exit::Done);
    }
    let options = ingest::Options { system: Some("mapping".to_owned()), recorded_at, threads: context.threads, queries: None };
    let outcomes = ingest::ingest(&lake, &fresh, &options, context.runtime.handle(), &Silent)?;
    summary(context, &lake, &outcomes, false)
}

/// Every fault with its place, and the failure that ends the command.
fn refused(context: &Context, faults: &[(String, Fault)]) -> Failure {
    if context.output == OutputFormat::Text {
        for (file, fault) in faults {
            render::note(&format!(
                "{file}: row {}, column `{}`, value `{}`: {}",
                fault.row, fault.column, fault.value, fault.reason
            ));
        }
    }
    let (file, first) = &faults[0];
    let message = format!(
        "{} faults, nothing was imported; the first is `{file}`, row {}, column `{}`, value `{}`: {}",
        faults.len(),
        first.row,
        first.column,
        first.value,
        first.reason
    );
    let failure = Failure::usage(message);
    if faults.iter().all(|(_, fault)| fault.reason.starts_with("no customer of the PSA")) {
        return failure.hint("`--new-keys` accepts customers that the PSA does not know");
    }
    failure
}

fn known(reader: &Reader<'_>, of: Of) -> Result<Known, Failure> {
    let mut systems: BTreeSet<String> =
        SOURCES.iter().map(|source| source.system.to_owned()).filter(|name| name != "mapping").collect();
    systems.extend(reader.rows("systems")?.iter().map(|row| row.text("system").to_owned()));
    let query = if of == Of::Customers { "customers_in_force" } else { "services_in_force" };
    let in_force = reader.rows(query)?.iter().map(|row| crosswalk_row(of, 0, |column| row.text(column).to_owned())).collect();
    Ok(Known {
        systems,
        in_force,
        psa_systems: reader.rows("psa_systems")?.iter().map(|row| row.text("system").to_owned()).collect(),
        psa_keys: reader.rows("psa_keys")?.iter().map(|row| row.text("key").to_owned()).collect(),
    })
}

fn read(path: &Path) -> Result<Crosswalk, Failure> {
    let found = discover::discover(path, Some("mapping"))?;
    let of = match found.recognised.export.entity {
        "customers" => Of::Customers,
        "services" => Of::Services,
        other => {
            return Err(Failure::usage(format!("`{}` is a mapping file of {other}, no crosswalk", path.display()))
                .hint("`shortfall ingest` lands it"));
        }
    };
    let failed = |e: csv::Error| Failure::usage(format!("could not read `{}`: {e}", path.display()));
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(discover::open(path)?);
    let header: Vec<String> =
        reader.headers().map_err(failed)?.iter().map(|cell| cell.trim_start_matches('\u{feff}').trim().to_lowercase()).collect();
    let mut rows = Vec::new();
    for (at, record) in (1..).zip(reader.records()) {
        let record = record.map_err(failed)?;
        let cell = |column: &str| {
            let place = header.iter().position(|name| name == column);
            place.and_then(|place| record.get(place)).unwrap_or("").trim().to_owned()
        };
        rows.push(crosswalk_row(of, at, cell));
    }
    Ok(Crosswalk { path: path.to_owned(), of, rows })
}

fn crosswalk_row(of: Of, row: u64, cell: impl Fn(&str) -> String) -> CrosswalkRow {
    let (id, key, kind) = match of {
        Of::Customers => ("native_id", "customer_key", Kind::Customers),
        Of::Services => ("native_sku", "service_key", Kind::Services),
    };
    let is_own = ["system", id, key, "unit_factor", table::COST_SHARE, "valid_from", "valid_to"];
    let names = table::columns(kind).iter().filter(|column| !is_own.contains(column)).map(|column| cell(column)).collect();
    CrosswalkRow {
        row,
        system: cell("system"),
        native_id: cell(id),
        key: cell(key),
        names,
        unit_factor: cell("unit_factor"),
        cost_share: cell(table::COST_SHARE),
        valid_from: cell("valid_from"),
        valid_to: cell("valid_to"),
    }
}
