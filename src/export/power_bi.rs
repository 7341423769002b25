//! A Power BI project (PBIP, model in TMDL) over the exported files: tables, relations, measures and incremental refresh.
//!
//! Facts are filtered by `RangeStart` and `RangeEnd` on the names of their period folders, so a refresh opens only what it needs. The refresh policy
//! looks at the change manifest for each month: a month whose folder an export wrote again is loaded again, however old, and no other.
//! Source: Microsoft, "Advanced incremental refresh with the XMLA endpoint: custom queries for detect data changes" (120 months of each).
//!
//! Identifiers are made from names, so the same export gives the same bytes.

use super::error::ExportError;
use super::manifest::State;
use crate::bi::star::{Relation, Star, StarTable};
use crate::lake::archive::hex;
use crate::month::Month;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::path::Path;

/// Microsoft's schemas of project files.
const SCHEMAS: &str = "https://developer.microsoft.com/json-schemas/fabric";
/// Months that the refresh policy keeps and looks at.
const MONTHS: u32 = 120;
/// A report's one page.
const PAGE: &str = "findings";

/// The project's files by their place.
pub(super) fn files(star: &Star, state: &State, folder: &Path) -> Result<Vec<(String, String)>, ExportError> {
    let mut files = vec![
        ("Shortfall.SemanticModel/definition/database.tmdl".to_owned(), "database\n\tcompatibilityLevel: 1600\n".to_owned()),
        ("Shortfall.SemanticModel/definition/model.tmdl".to_owned(), model(star)),
        ("Shortfall.SemanticModel/definition/expressions.tmdl".to_owned(), expressions(state, folder)),
        ("Shortfall.SemanticModel/definition/relationships.tmdl".to_owned(), star.relations().iter().map(relationship).collect()),
    ];
    for table in &star.tables {
        files.push((format!("Shortfall.SemanticModel/definition/tables/{}.tmdl", table.name), table_tmdl(star, table, state)));
    }
    for (path, document) in documents() {
        let text = serde_json::to_string_pretty(&document).map_err(|e| ExportError::encode("power_bi", &e))?;
        files.push((path.to_owned(), text + "\n"));
    }
    Ok(files.into_iter().map(|(path, text)| (format!("power_bi/{path}"), text)).collect())
}

fn documents() -> [(&'static str, Value); 9] {
    let schema = |path: &str| format!("{SCHEMAS}/{path}/schema.json");
    let platform = |kind: &str| {
        json!({
            "$schema": schema("gitIntegration/platformProperties/2.0.0"),
            "metadata": { "type": kind, "displayName": "Shortfall" },
            "config": { "version": "2.0", "logicalId": guid(kind) },
        })
    };
    let theme = "CY24SU10";
    [
        (
            "Shortfall.pbip",
            json!({
                "$schema": schema("pbip/pbipProperties/1.0.0"),
                "version": "1.0",
                "artifacts": [{ "report": { "path": "Shortfall.Report" } }],
                "settings": { "enableAutoRecovery": true },
            }),
        ),
        ("Shortfall.SemanticModel/.platform", platform("SemanticModel")),
        (
            "Shortfall.SemanticModel/definition.pbism",
            json!({ "$schema": schema("item/semanticModel/definitionProperties/1.0.0"), "version": "4.2", "settings": {} }),
        ),
        ("Shortfall.Report/.platform", platform("Report")),
        (
            "Shortfall.Report/definition.pbir",
            json!({
                "$schema": schema("item/report/definitionProperties/2.0.0"),
                "version": "4.0",
                "datasetReference": { "byPath": { "path": "../Shortfall.SemanticModel" } },
            }),
        ),
        (
            "Shortfall.Report/definition/version.json",
            json!({ "$schema": schema("item/report/definition/versionMetadata/1.0.0"), "version": "2.0.0" }),
        ),
        (
            "Shortfall.Report/definition/report.json",
            json!({
                "$schema": schema("item/report/definition/report/1.2.0"),
                "themeCollection": { "baseTheme": { "name": theme, "reportVersionAtImport": "5.55", "type": "SharedResources" } },
                "layoutOptimization": "None",
                "resourcePackages": [{
                    "name": "SharedResources",
                    "type": "SharedResources",
                    "items": [{ "name": theme, "path": format!("BaseThemes/{theme}.json"), "type": "BaseTheme" }],
                }],
            }),
        ),
        (
            "Shortfall.Report/definition/pages/pages.json",
            json!({ "$schema": schema("item/report/definition/pagesMetadata/1.0.0"), "pageOrder": [PAGE], "activePageName": PAGE }),
        ),
        (
            "Shortfall.Report/definition/pages/findings/page.json",
            json!({
                "$schema": schema("item/report/definition/page/1.3.0"),
                "name": PAGE,
                "displayName": "Findings",
                "displayOption": "FitToPage",
                "height": 720,
                "width": 1280,
            }),
        ),
    ]
}

/// An identifier made from a name.
fn guid(name: &str) -> String {
    let hash = hex(&Sha256::digest(format!("shortfall {name}"))[..16]);
    format!("{}-{}-{}-{}-{}", &hash[..8], &hash[8..12], &hash[12..16], &hash[16..20], &hash[20..])
}

fn model(star: &Star) -> String {
    let mut text = String::from(
        "model Model\n\tculture: en-US\n\tdefaultPowerBIDataSourceVersion: powerBI_V3\n\tdiscourageImplicitMeasures\n\tsourceQueryCulture: en-US\n\n",
    );
    for table in &star.tables {
        let _ = writeln!(text, "ref table {}", table.name);
    }
    text
}

/// The parameters: the folder, and the range that incremental refresh fills in.
fn expressions(state: &State, folder: &Path) -> String {
    let periods = || state.files.values().filter_map(|held| held.period);
    let start =
        |month: Month| format!("#datetime({}, {}, 1, 0, 0, 0)", month.first_day().format("%Y"), month.first_day().format("%-m"));
    let first = periods().min().unwrap_or(Month::from_index(2000 * 12));
    let end = periods().max().unwrap_or(first).plus(1);
    let parameter = |name: &str, value: &str, kind: &str| {
        format!("expression {name} = {value} meta [IsParameterQuery=true, Type=\"{kind}\", IsParameterQueryRequired=true]\n\n")
    };
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned()).display().to_string().replace('"', "\"\"");
    parameter("RangeStart", &start(first), "DateTime")
        + &parameter("RangeEnd", &start(end), "DateTime")
        + "/// Where the export lies, as Power BI sees it: a local folder, a share, a mounted bucket.\n"
        + &parameter("ExportFolder", &format!("\"{folder}\""), "Text")
}

fn relationship(relation: &Relation) -> String {
    let Relation { fact, column, dimension, key } = relation;
    format!(
        "relationship {}\n\tfromColumn: {fact}.{column}\n\ttoColumn: {dimension}.{key}\n\n",
        guid(&format!("{fact}.{column}"))
    )
}

fn table_tmdl(star: &Star, table: &StarTable, state: &State) -> String {
    let is_calendar = table.columns.iter().any(|(column, _)| table.key == [column.as_str()] && column == "date");
    let mut text = format!("/// {}\ntable {}\n", table.meaning, table.name);
    if is_calendar {
        text.push_str("\tdataCategory: Time\n");
    }
    let relations = star.relations();
    for name in &table.sums {
        let _ = write!(text, "\n{}", measure(star, table, name));
    }
    for (name, description) in &table.columns {
        let kind = state.columns.get(&table.name).and_then(|columns| columns.iter().find(|(column, _)| column == name));
        let (kind, format) = tabular(kind.map_or("", |(_, kind)| kind));
        let _ = write!(text, "\n\t/// {description}\n\tcolumn {name}\n\t\tdataType: {kind}\n");
        if table.key == [name.as_str()] {
            text.push_str("\t\tisKey\n");
        }
        let refers = relations.iter().any(|relation| relation.fact == table.name && relation.column == *name);
        if refers || table.sums.contains(name) {
            text.push_str("\t\tisHidden\n");
        }
        if let Some(format) = format {
            let _ = writeln!(text, "\t\tformatString: {format}");
        }
        let _ = write!(text, "\t\tsummarizeBy: none\n\t\tsourceColumn: {name}\n");
    }
    if table.is_fact() {
        let _ = write!(
            text,
            "\n\trefreshPolicy\n\t\tpolicyType: basic\n\t\trollingWindowGranularity: month\n\t\trollingWindowPeriods: {MONTHS}\n\
             \t\tincrementalGranularity: month\n\t\tincrementalPeriods: {MONTHS}\n\t\tpollingExpression =\n{}\t\tsourceExpression =\n{}",
            indented(&polling(table)),
            indented(&source(table, state)),
        );
    }
    let _ = write!(text, "\n\tpartition {} = m\n\t\tmode: import\n\t\tsource =\n{}", table.name, indented(&source(table, state)));
    text
}

/// The sum of an amount, where one currency is chosen: amounts of two are never added. What every period repeats is not added over periods.
fn measure(star: &Star, table: &StarTable, column: &str) -> String {
    let is_shared = star.tables.iter().any(|other| other.name != table.name && other.sums.iter().any(|sum| sum == column));
    // No measure may be called as a column of its table is.
    let mut name = format!("Total {}", column.replace('_', " "));
    if is_shared {
        name = format!("{name} ({})", table.title);
    }
    let description = table.columns.iter().find(|(known, _)| known == column).map_or("", |(_, text)| text);
    let (fact, one_currency) = (&table.name, "HASONEVALUE(dim_currency[currency])");
    let (chosen, condition) = match table.period.as_ref().filter(|_| table.semi_additive.iter().any(|of| of == column)) {
        Some(period) => ("one currency and one quarter are", format!("{one_currency} && HASONEVALUE({fact}[{period}])")),
        None => ("one currency is", one_currency.to_owned()),
    };
    format!(
        "\t/// {description}. Blank unless {chosen} chosen\n\tmeasure '{name}' = IF({condition}, SUM({fact}[{column}]))\n\t\tformatString: #,0.00\n"
    )
}

/// A type of the dictionary in a tabular model, and how it is shown.
fn tabular(kind: &str) -> (&'static str, Option<&'static str>) {
    match kind {
        "BIGINT" => ("int64", Some("0")),
        "DOUBLE" => ("double", None),
        "BOOLEAN" => ("boolean", None),
        "DATE" => ("dateTime", Some("yyyy-mm-dd")),
        // Fixed decimal: four decimals, exact sums.
        kind if kind.starts_with("DECIMAL") => ("decimal", Some("#,0.00##")),
        _ => ("string", None),
    }
}

/// The same in Power Query.
fn power_query(kind: &str) -> &'static str {
    match kind {
        "BIGINT" => "Int64.Type",
        "DOUBLE" => "type number",
        "BOOLEAN" => "type logical",
        "DATE" => "type date",
        kind if kind.starts_with("DECIMAL") => "Currency.Type",
        _ => "type text",
    }
}

/// How a table is read.
fn source(table: &StarTable, state: &State) -> String {
    let columns = state.columns.get(&table.name).map_or(&[][..], Vec::as_slice);
    let names: Vec<String> = columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let types: Vec<String> = columns.iter().map(|(name, kind)| format!("{{\"{name}\", {}}}", power_query(kind))).collect();
    let name = &table.name;
    let read = if table.is_fact() {
        format!(
            "    Files = Table.SelectRows(Folder.Files(ExportFolder & \"/{name}\"), each [Name] = \"data.parquet\"),\n    \
             Dated = Table.AddColumn(Files, \"period\", each try DateTime.FromText(Text.Middle([Folder Path], Text.PositionOf([Folder Path], \"period=\") + 7, 7) & \"-01\") otherwise null),\n    \
             Kept = Table.SelectRows(Dated, each [period] <> null and [period] >= RangeStart and [period] < RangeEnd),\n    \
             Rows = Table.Combine(List.Transform(Kept[Content], each Parquet.Document(_)), {{{}}}),\n",
            names.join(", ")
        )
    } else {
        format!("    Rows = Parquet.Document(File.Contents(ExportFolder & \"/{name}.parquet\")),\n")
    };
    format!("let\n{read}    Typed = Table.TransformColumnTypes(Rows, {{{}}})\nin\n    Typed\n", types.join(", "))
}

/// The newest export that changed a month: another value than at the last refresh, and Power BI loads the month again.
fn polling(table: &StarTable) -> String {
    format!(
        "let\n    Changes = Parquet.Document(File.Contents(ExportFolder & \"/change_manifest.parquet\")),\n    \
         Mine = Table.SelectRows(Changes, each [table] = \"{}\" and [period_start] <> null and DateTime.From([period_start]) >= RangeStart \
         and DateTime.From([period_start]) < RangeEnd),\n    Newest = List.Max(Mine[export])\nin\n    Newest\n",
        table.name
    )
}

/// A block of an expression, as TMDL indents it.
fn indented(text: &str) -> String {
    text.lines().map(|line| format!("\t\t\t\t{line}\n")).collect()
}
