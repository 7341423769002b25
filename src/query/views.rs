//! The views `core.*` that people and BI tools read: the current truth with customers and services resolved.

use super::catalog::Catalog;
use super::run::{QueryError, nullable};
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use std::sync::Arc;

/// The facts that the views read: crosswalks, which are small.
const CROSSWALKS: [&str; 3] = ["customer_alias", "service_alias", "customer_currency"];

/// Registers every `queries/core/<view>.sql` as `core.<view>`, over `known.*`.
///
/// # Errors
/// [`QueryError`] pointing into the view's file.
pub async fn register(ctx: &SessionContext, catalog: &Catalog) -> Result<(), QueryError> {
    for (name, query) in catalog.folder("facts").filter(|(name, _)| CROSSWALKS.contains(name)) {
        let failed = |e| QueryError::from_engine(query, &e);
        let frame = ctx.sql(&query.text).await.map_err(failed)?;
        let schema = nullable(frame.schema().as_arrow());
        let parts = frame.collect_partitioned().await.map_err(failed)?;
        let table = MemTable::try_new(schema, parts).map_err(failed)?;
        ctx.register_table(TableReference::partial("facts", name), Arc::new(table)).map_err(failed)?;
    }
    for (name, query) in catalog.folder("core") {
        let failed = |e| QueryError::from_engine(query, &e);
        let view = ctx.sql(&query.text).await.map_err(failed)?.into_view();
        ctx.register_table(TableReference::partial("core", name), view).map_err(failed)?;
    }
    Ok(())
}
