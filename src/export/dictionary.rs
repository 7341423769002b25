//! The data dictionary: every table and column of an export, for people and for programs.

use super::error::ExportError;
use crate::bi::page;
use crate::bi::star::{Star, StarTable};
use serde_json::json;
use std::collections::BTreeMap;

/// Columns with their types, by table.
pub(super) type Columns = BTreeMap<String, Vec<(String, String)>>;

/// The files by their place.
pub(super) fn files(star: &Star, columns: &Columns) -> Result<Vec<(String, String)>, ExportError> {
    let document = json!({
        "tables": star.tables.iter().map(|table| table_json(star, table, columns)).collect::<Vec<_>>(),
    });
    let document = serde_json::to_string_pretty(&document).map_err(|e| ExportError::encode("dictionary", &e))? + "\n";
    Ok(vec![("dictionary.json".to_owned(), document), ("dictionary.md".to_owned(), markdown(star, columns))])
}

fn type_of<'a>(columns: &'a Columns, table: &str, column: &str) -> &'a str {
    let of_table = columns.get(table).map_or(&[][..], Vec::as_slice);
    // A fact without a row has no file to tell.
    of_table.iter().find(|(name, _)| name == column).map_or("", |(_, kind)| kind)
}

fn table_json(star: &Star, table: &StarTable, columns: &Columns) -> serde_json::Value {
    let relations = star.relations();
    let refers = |column: &str| {
        let to = relations.iter().find(|relation| relation.fact == table.name && relation.column == column);
        to.map(|relation| format!("{}.{}", relation.dimension, relation.key))
    };
    json!({
        "table": table.name,
        "title": table.title,
        "description": table.meaning,
        "grain": table.grain,
        "key": table.key,
        "period": table.period,
        "columns": table.columns.iter().map(|(name, description)| json!({
            "name": name,
            "type": type_of(columns, &table.name, name),
            "description": description,
            "refers_to": refers(name),
        })).collect::<Vec<_>>(),
    })
}

fn markdown(star: &Star, columns: &Columns) -> String {
    let mut text = String::from(
        "# Data dictionary\n\nOne file per dimension (`dim_*.parquet`), one folder per month of a fact (`fact_*/period=YYYY-MM/`). A period begins with its first day and \
         ends before the next begins. Amounts are exact decimals in the currency of their row; amounts of different currencies are never to be added. \
         `change_manifest.json` and `.parquet` name every file that an export added, restated or removed, and why.\n",
    );
    for table in &star.tables {
        let of_column = |column: &str| type_of(columns, &table.name, column).to_owned();
        text.push_str(&page::section(star, table, Some(&of_column)));
    }
    text
}
