//! `shortfall map draft`: what is unmapped, the dearest first, as crosswalk files whose keys a person fills in.

use super::super::{Context, Exit, Failure, OutputFormat, render};
use super::lake::{Reader, Unmapped, money_text};
use super::{Kind, table};
use crate::lake::Lake;
use rust_decimal::Decimal;
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// An export that no source knows (CSV, JSON, a workbook, Parquet, or an archive of them): drafts its mapping file.
    #[arg(required_unless_present = "lake")]
    file: Option<PathBuf>,
    /// Folder of the lake: drafts the crosswalks of what is unmapped in it.
    #[arg(long, env = "SHORTFALL_LAKE", value_name = "DIR")]
    lake: Option<PathBuf>,
    /// The sheet of a workbook, or the entry of an archive; the first with a table if not said.
    #[arg(long, value_name = "NAME", requires = "file")]
    sheet: Option<String>,
    /// Name of the system, as crosswalks will have it.
    #[arg(long, value_name = "NAME", requires = "file")]
    system: Option<String>,
    /// File to write the mapping to, or folder for `customers.draft.csv` and `services.draft.csv`; printed without it.
    #[arg(short = 'o', long = "out", value_name = "PATH")]
    out: Option<PathBuf>,
}

/// Columns beside those of a crosswalk: what the person needs to decide.
const BESIDE: [&str; 3] = ["cost", "billed", "source_rows"];

/// What nothing resolves, the dearest first. Currencies are not added: the largest amount in one of them counts.
pub(super) fn unmapped(reader: &Reader<'_>, kind: Kind) -> Result<Vec<Unmapped>, Failure> {
    let mut found = reader.unresolved(match kind {
        Kind::Customers => "unmapped_customers",
        Kind::Services => "unmapped_services",
    })?;
    let stake = |entry: &Unmapped| entry.id.money.values().max().copied().unwrap_or(Decimal::ZERO);
    found.sort_by(|a, b| stake(b).cmp(&stake(a)).then_with(|| a.id.cmp(&b.id)));
    Ok(found)
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    if let Some(file) = &arguments.file {
        let (sheet, system) = (arguments.sheet.as_deref(), arguments.system.as_deref());
        return super::draft_file::run(context, file, sheet, system, arguments.out.as_deref());
    }
    let Some(lake) = &arguments.lake else { return Err(Failure::usage("`map draft` needs a file or `--lake`".to_owned())) };
    let lake = Lake::open(lake)?;
    let reader = Reader::open(context, &lake)?;
    let mut kinds = Vec::new();
    for kind in [Kind::Customers, Kind::Services] {
        let found = unmapped(&reader, kind)?;
        if let Some(folder) = &arguments.out {
            let header: Vec<&str> = table::columns(kind).iter().copied().chain(BESIDE).collect();
            let rows: Vec<Vec<String>> = found.iter().map(|entry| draft_row(entry, &header)).collect();
            let path = folder.join(format!("{}.draft.csv", table::name(kind)));
            table::write(&path, &header, &rows)?;
            table::wrote(&path, rows.len(), &format!("unmapped {}", table::name(kind)));
        }
        kinds.push((kind, found));
    }
    if context.output == OutputFormat::Json {
        let list = |found: &[Unmapped]| {
            let entry = |entry: &Unmapped| {
                json!({ "system": entry.id.system, "native_id": entry.id.native_id, "native_name": entry.id.name(),
                        "cost": texts(&entry.cost), "billed": texts(&entry.billed), "source_rows": entry.source_rows.to_string() })
            };
            found.iter().map(entry).collect::<Vec<_>>()
        };
        let document: serde_json::Map<String, serde_json::Value> =
            kinds.iter().map(|(kind, found)| (table::name(*kind).to_owned(), json!(list(found)))).collect();
        render::document(&serde_json::Value::Object(document));
    } else if arguments.out.is_none() {
        for (kind, found) in &kinds {
            print(*kind, found);
        }
    }
    if arguments.out.is_some() {
        render::note("hint: fill in the keys, remove what stays open, then `shortfall map import --lake DIR FILE...`");
    } else if kinds.iter().any(|(_, found)| !found.is_empty()) {
        render::note(
            "hint: `shortfall map suggest --lake DIR` looks for candidates, `shortfall map draft -o DIR` writes files to fill in",
        );
    }
    Ok(Exit::Done)
}

/// Amounts by currency as decimal text.
pub(super) fn texts(money: &std::collections::BTreeMap<String, Decimal>) -> serde_json::Value {
    money
        .iter()
        .map(|(currency, amount)| (currency.clone(), json!(amount.normalize().to_string())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn draft_row(entry: &Unmapped, header: &[&str]) -> Vec<String> {
    let cell = |column: &&str| match *column {
        "system" => entry.id.system.clone(),
        "native_id" | "native_sku" => entry.id.native_id.clone(),
        "native_name" => entry.id.name().to_owned(),
        "unit_factor" => "1".to_owned(),
        "cost" => money_text(&entry.cost),
        "billed" => money_text(&entry.billed),
        "source_rows" => entry.source_rows.to_string(),
        _ => String::new(),
    };
    header.iter().map(cell).collect()
}

fn print(kind: Kind, found: &[Unmapped]) {
    if found.is_empty() {
        render::lines(&format!("all {} are mapped", table::name(kind)));
        return;
    }
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|entry| {
            vec![
                entry.id.system.clone(),
                entry.id.native_id.clone(),
                entry.id.name().to_owned(),
                money_text(&entry.cost),
                money_text(&entry.billed),
                entry.source_rows.to_string(),
            ]
        })
        .collect();
    render::lines(&format!("unmapped {}: {}", table::name(kind), found.len()));
    render::table(&["system", "id", "name", "cost", "billed", "rows"], &rows, &[3, 4, 5]);
}
