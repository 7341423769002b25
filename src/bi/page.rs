//! A table of the star as a section of a page.

use super::star::{Star, StarTable};
use std::fmt::Write as _;

/// Heading, grain, columns and what they refer to. `type_of` names the type of a column; without it there is no column of types.
#[must_use]
pub fn section(star: &Star, table: &StarTable, type_of: Option<&dyn Fn(&str) -> String>) -> String {
    let mut text =
        format!("\n## {}: {}\n\n{}. One row per {}.\n\n", table.name, table.title, sentence(&table.meaning), table.grain);
    text.push_str(if type_of.is_some() {
        "| column | type | what it is |\n| --- | --- | --- |\n"
    } else {
        "| column | what it is |\n| --- | --- |\n"
    });
    for (name, description) in &table.columns {
        let key = if table.key.contains(name) { ", key" } else { "" };
        let kind = type_of.map(|type_of| format!(" {}{key} |", type_of(name))).unwrap_or_default();
        let _ = writeln!(text, "| `{name}` |{kind} {} |", description.replace('|', "\\|"));
    }
    let relations = star.relations();
    let to: Vec<String> = relations
        .iter()
        .filter(|relation| relation.fact == table.name)
        .map(|relation| format!("`{}` to `{}.{}`", relation.column, relation.dimension, relation.key))
        .collect();
    if !to.is_empty() {
        let _ = write!(text, "\nRefers: {}.\n", to.join(", "));
    }
    text
}

/// The first letter of a text as a capital.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
