//! The views `core.*` that people and BI tools read: the current truth with customers and services resolved.

use super::catalog::Catalog;
use super::run::{Parameters, QueryError, build_facts};
use datafusion::common::TableReference;
use datafusion::prelude::SessionContext;

/// The facts that the views read: crosswalks, which are small.
const CROSSWALKS: [&str; 2] = ["customer_alias", "service_alias"];

/// Registers every `queries/core/<view>.sql` as `core.<view>`, over `known.*`.
///
/// # Errors
/// [`QueryError`] pointing into the view's file.
pub async fn register(ctx: &SessionContext, catalog: &Catalog) -> Result<(), QueryError> {
    build_facts(ctx, catalog, Parameters::NONE, Some(&CROSSWALKS)).await?;
    for (name, query) in catalog.folder("core") {
        let failed = |e| QueryError::from_engine(query, &e);
        let view = ctx.sql(&query.text).await.map_err(failed)?.into_view();
        ctx.register_table(TableReference::partial("core", name), view).map_err(failed)?;
    }
    Ok(())
}
