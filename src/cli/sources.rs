//! `shortfall sources`.

use super::{Context, Exit, Failure, OutputFormat, render};
use crate::sources::all_exports;
use serde_json::json;

pub(super) fn run(context: &Context) -> Result<Exit, Failure> {
    if context.output == OutputFormat::Json {
        let exports: Vec<_> = all_exports()
            .map(|r| {
                json!({
                    "system": r.source.system,
                    "title": r.source.title,
                    "export": r.export.entity,
                    "recognised_by": r.export.signature,
                    "required_columns": r.export.needed(),
                    "lands_in": format!("{}.{}", r.export.target.area(), r.export.target.name()),
                    "how_to_export": r.export.how_to_export,
                })
            })
            .collect();
        render::document(&json!(exports));
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = all_exports()
        .map(|r| {
            vec![
                r.source.system.to_owned(),
                r.export.entity.to_owned(),
                r.export.needed().join(", "),
                r.export.how_to_export.to_owned(),
            ]
        })
        .collect();
    render::table(&["system", "export", "required columns", "how to export it"], &rows, &[]);
    Ok(Exit::Done)
}
