//! `shortfall map export`: the crosswalks in force as the CSV files that `ingest` and `map import` read.

use super::super::{Context, Exit, Failure, LakeArgument, OutputFormat, render};
use super::lake::Reader;
use super::{Kind, table};
use crate::lake::Lake;
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    lake: LakeArgument,
    /// Folder to write `customers.csv` and `services.csv` to.
    #[arg(short = 'o', long = "out", value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let lake = Lake::open(&arguments.lake.lake)?;
    let reader = Reader::open(context, &lake)?;
    let mut written = Vec::new();
    for (kind, query) in [(Kind::Customers, "customers_in_force"), (Kind::Services, "services_in_force")] {
        let mut header = table::columns(kind).to_vec();
        let found = reader.rows(query)?;
        if found.iter().any(|row| !row.text(table::COST_SHARE).is_empty()) {
            header.push(table::COST_SHARE);
        }
        let rows: Vec<Vec<String>> =
            found.iter().map(|row| header.iter().map(|column| row.text(column).to_owned()).collect()).collect();
        let path = arguments.out.join(format!("{}.csv", table::name(kind)));
        table::write(&path, &header, &rows)?;
        table::wrote(&path, rows.len(), "rows");
        written.push(json!({ "file": path.display().to_string(), "rows": rows.len() }));
    }
    if context.output == OutputFormat::Json {
        render::document(&json!({ "written": written }));
    }
    Ok(Exit::Done)
}
