//! The views `core.*` that people and BI tools read: the current truth with customers and services resolved.

use super::catalog::Catalog;
use super::run::{Parameters, QueryError, build_facts};
use datafusion::common::TableReference;
use datafusion::prelude::SessionContext;

/// The facts that the views read: crosswalks, which are small.
const CROSSWALKS: [&str; 3] = ["customer_alias", "service_alias", "customer_currency"];
/// The facts that a view is made of: computed when the view is asked for.
const INNER: [&str; 1] = ["subject_event"];

/// Registers every `queries/core/<view>.sql` as `core.<view>`, over `known.*`.
///
/// # Errors
/// [`QueryError`] pointing into the view's file.
pub async fn register(ctx: &SessionContext, catalog: &Catalog) -> Result<(), QueryError> {
    register_if(ctx, catalog, |_| true).await
}

/// Registers the views that a query names, and all if it asks what there is: planning a view costs more than many a query.
///
/// # Errors
/// [`QueryError`] pointing into the view's file.
pub async fn register_for(ctx: &SessionContext, catalog: &Catalog, query: &str) -> Result<(), QueryError> {
    let text = query.to_lowercase();
    let asks_for_all = ["information_schema", "show ", "describe "].iter().any(|word| text.contains(word));
    register_if(ctx, catalog, |name| asks_for_all || text.contains(name)).await
}

async fn register_if(ctx: &SessionContext, catalog: &Catalog, is_wanted: impl Fn(&str) -> bool) -> Result<(), QueryError> {
    let has_views = catalog.folder("core").any(|(name, _)| is_wanted(name));
    let is_needed = |name: &str| CROSSWALKS.contains(&name) && (has_views || is_wanted(name));
    let needed: Vec<&str> = CROSSWALKS.into_iter().filter(|name| is_needed(name)).collect();
    build_facts(ctx, catalog, Parameters::NONE, Some(&needed)).await?;
    let is_inner = |name: &str| INNER.contains(&name) && (has_views || is_wanted(name));
    let inner = catalog.folder("facts").filter(|(name, _)| is_inner(name)).map(|(name, query)| ("facts", name, query));
    let views = catalog.folder("core").filter(|(name, _)| is_wanted(name)).map(|(name, query)| ("core", name, query));
    for (schema, name, query) in inner.chain(views) {
        let failed = |e| QueryError::from_engine(query, &e);
        let view = ctx.sql(&query.text).await.map_err(failed)?.into_view();
        ctx.register_table(TableReference::partial(schema, name), view).map_err(failed)?;
    }
    Ok(())
}
