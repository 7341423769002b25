//! The lake as of one moment, for queries: made anew when something has been committed, swapped in whole.

use super::catalogue::{self, DATABASE, SCHEMA};
use super::limits::{GuardRule, Limits, Turns};
use super::memory::Budget;
use crate::bi::{self, Star, StarError};
use crate::lake::truth::TruthError;
use crate::lake::{Lake, Table};
use crate::query::catalog::Catalog;
use crate::query::session;
use datafusion::catalog::{CatalogProvider, CatalogProviderList as _, MemoryCatalogProviderList};
use datafusion::common::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionContext;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// How often the lake is asked whether something has been committed.
const EVERY: Duration = Duration::from_secs(2);
/// Schemas that views are made of and nobody asks for.
const INNER: [&str; 2] = ["known", "facts"];

/// How often what was committed: a view holds until one of these moves.
type Stamp = [Option<u64>; 3];

/// The newest view of a lake.
pub(super) struct Views {
    lake: Lake,
    threads: usize,
    /// The budget and the turns in it are of all views: what older ones still run counts too.
    guard: Arc<GuardRule>,
    fiscal_start: u32,
    current: RwLock<(Stamp, Arc<SessionContext>)>,
}

impl Views {
    /// The first view.
    pub(super) async fn open(lake: &Lake, threads: usize, limits: Limits, fiscal_start: u32) -> Result<Self, StarError> {
        let guard = Arc::new(GuardRule { limits, budget: Budget::new(limits.total_memory), turns: Turns::new(threads) });
        let first = view(lake, threads, &guard, fiscal_start).await?;
        Ok(Self { lake: lake.clone(), threads, guard, fiscal_start, current: RwLock::new(first) })
    }

    /// What the next statement runs on.
    pub(super) fn current(&self) -> Arc<SessionContext> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).1)
    }

    /// Watches the lake for as long as it is polled; `tell` hears of what could not be read, once each time.
    pub(super) async fn watch(&self, tell: impl Fn(&StarError)) {
        loop {
            tokio::time::sleep(EVERY).await;
            let known = self.current.read().unwrap_or_else(PoisonError::into_inner).0;
            let moved = match stamp(&self.lake).await {
                Ok(now) if now == known => continue,
                Ok(_) => view(&self.lake, self.threads, &self.guard, self.fiscal_start).await,
                Err(error) => Err(error),
            };
            match moved {
                Ok(view) => *self.current.write().unwrap_or_else(PoisonError::into_inner) = view,
                Err(error) => tell(&error),
            }
        }
    }
}

async fn stamp(lake: &Lake) -> Result<Stamp, StarError> {
    Ok([lake.version(Table::Batch).await?, lake.version(Table::Run).await?, lake.version(Table::Mute).await?])
}

/// A view of one moment: what was committed while it was made is taken up by making it again.
async fn view(
    lake: &Lake,
    threads: usize,
    guard: &Arc<GuardRule>,
    fiscal_start: u32,
) -> Result<(Stamp, Arc<SessionContext>), StarError> {
    loop {
        let before = stamp(lake).await?;
        let ctx = session::context(threads);
        let queries = Catalog::load(None)?;
        let star = bi::register(&ctx, lake, &queries, None, fiscal_start).await?;
        if stamp(lake).await? != before {
            continue;
        }
        let database = ctx.catalog("datafusion").ok_or_else(|| DataFusionError::Internal("no catalog".to_owned()));
        let database = database.map_err(TruthError::from)?;
        hide(database.as_ref(), &star).map_err(TruthError::from)?;
        let databases = MemoryCatalogProviderList::new();
        databases.register_catalog(DATABASE.to_owned(), database);
        let mut config =
            ctx.copied_config().with_default_catalog_and_schema(DATABASE, SCHEMA).with_create_default_catalog_and_schema(false);
        // The engine's own would hide ours, and names types as Arrow does.
        config.options_mut().catalog.information_schema = false;
        // What the view is made of is not a client's query: the limits come after it.
        let state = SessionStateBuilder::new_from_existing(ctx.state())
            .with_config(config)
            .with_catalog_list(Arc::new(databases))
            .with_physical_optimizer_rule(Arc::<GuardRule>::clone(guard))
            .build();
        let ctx = SessionContext::new_with_state(state);
        catalogue::register(&ctx, &star).await?;
        return Ok((before, Arc::new(ctx)));
    }
}

/// Takes away what views are made of and nobody asks for; their plans hold it already.
fn hide(database: &dyn CatalogProvider, star: &Star) -> Result<(), DataFusionError> {
    for inner in INNER {
        database.deregister_schema(inner, true)?;
    }
    for name in database.schema_names() {
        let Some(schema) = database.schema(&name) else { continue };
        for table in schema.table_names() {
            if table.starts_with('_') || name == SCHEMA && !star.tables.iter().any(|of| of.name == table) {
                schema.deregister_table(&table)?;
            }
        }
    }
    Ok(())
}
