//! Why rows of a file were rejected: what the summary of an ingest says, so that nobody has to ask the lake for it first.

use super::sql::cell;
use super::{Context, Failure};
use crate::lake::scan::FileTable;
use crate::lake::visible::Visible;
use crate::lake::{Lake, Table};
use crate::query::catalog::Query;
use crate::query::run::QueryError;
use crate::query::{session, text_literal};
use datafusion::common::DataFusionError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The commonest reason of a file.
pub(super) struct Reason {
    pub(super) column: String,
    pub(super) value: String,
    pub(super) reason: String,
    pub(super) rows: String,
}

impl Reason {
    pub(super) fn sentence(&self) -> String {
        let Self { column, value, reason, rows } = self;
        let place = if column.is_empty() { String::new() } else { format!("`{column}`") };
        let example = if value.is_empty() { String::new() } else { format!(" ({})", value.chars().take(40).collect::<String>()) };
        let colon = if place.is_empty() && example.is_empty() { "" } else { ": " };
        format!("{rows} of them for {place}{example}{colon}{reason}")
    }
}

/// By batch, of those that are named; nothing is read if none is.
pub(super) fn reasons(context: &Context, lake: &Lake, batches: &[&str]) -> Result<BTreeMap<String, Reason>, Failure> {
    if batches.is_empty() {
        return Ok(BTreeMap::new());
    }
    let wanted: Vec<String> = batches.iter().map(|id| text_literal(id)).collect();
    let text = format!(
        "SELECT batch_id, coalesce(column_name, ''), coalesce(value, ''), reason, rows
         FROM (SELECT *, row_number() OVER (PARTITION BY batch_id ORDER BY rows DESC, column_name, reason) AS place
               FROM (SELECT batch_id, column_name, reason, min(value) AS value, count(*) AS rows
                     FROM reject WHERE batch_id IN ({}) GROUP BY batch_id, column_name, reason))
         WHERE place = 1",
        wanted.join(", ")
    );
    let query = Query { path: "reasons of rejects".to_owned(), text };
    let failed = |e: DataFusionError| Failure::from(QueryError::from_engine(&query, &e));
    let found = context.runtime.block_on(async {
        let ctx = session::context(context.threads);
        // Of what is known nothing else is asked.
        let visible = Visible::now(lake).await?;
        let mut files = lake.files(Table::Reject, None).await?;
        visible.keep(&mut files);
        ctx.register_table("reject", Arc::new(FileTable::new(lake, Table::Reject, files))).map_err(failed)?;
        let rows = ctx.sql(&query.text).await.map_err(failed)?.collect().await.map_err(failed)?;
        Ok::<_, Failure>(rows)
    })?;
    let mut reasons = BTreeMap::new();
    for batch in &found {
        for row in 0..batch.num_rows() {
            let text = |at: usize| cell(batch.column(at).as_ref(), row).unwrap_or_default();
            reasons.insert(text(0), Reason { column: text(1), value: text(2), reason: text(3), rows: text(4) });
        }
    }
    Ok(reasons)
}
