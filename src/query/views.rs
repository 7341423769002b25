//! The views `core.*` that people and BI tools read: the current truth with customers and services resolved.

use super::catalog::Catalog;
use super::run::{QueryError, nullable};
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use std::sync::Arc;

/// The facts that the views read: crosswalks, which are small.
const CROSSWALKS: [&str; 2] = ["customer_alias", "service_alias"];
/// The facts that a view is made of: computed when the view is asked for.
const INNER: [&str; 1] = ["subject_event"];

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
    let inner = catalog.folder("facts").filter(|(name, _)| INNER.contains(name)).map(|(name, query)| ("facts", name, query));
    let views = catalog.folder("core").map(|(name, query)| ("core", name, query));
    for (schema, name, query) in inner.chain(views) {
        let failed = |e| QueryError::from_engine(query, &e);
        let view = ctx.sql(&query.text).await.map_err(failed)?.into_view();
        ctx.register_table(TableReference::partial(schema, name), view).map_err(failed)?;
    }
    Ok(())
}
