//! The lake as of one moment, for queries: made anew when something has been committed, swapped in whole.

use super::limits::{GuardRule, Limits};
use super::memory::Budget;
use crate::bi::{self, StarError};
use crate::lake::truth::TruthError;
use crate::lake::{Lake, Table};
use crate::query::catalog::Catalog;
use crate::query::session;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionContext;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::setup_pg_catalog;
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
    limits: Limits,
    budget: Arc<Budget>,
    fiscal_start: u32,
    current: RwLock<(Stamp, Arc<SessionContext>)>,
}

impl Views {
    /// The first view.
    pub(super) async fn open(lake: &Lake, threads: usize, limits: Limits, fiscal_start: u32) -> Result<Self, StarError> {
        let budget = Budget::new(limits.total_memory);
        let guard = GuardRule { limits, budget: Arc::clone(&budget) };
        let first = view(lake, threads, guard, fiscal_start).await?;
        Ok(Self { lake: lake.clone(), threads, limits, budget, fiscal_start, current: RwLock::new(first) })
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
                Ok(_) => {
                    // What older views still run counts too.
                    let guard = GuardRule { limits: self.limits, budget: Arc::clone(&self.budget) };
                    view(&self.lake, self.threads, guard, self.fiscal_start).await
                }
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
    guard: GuardRule,
    fiscal_start: u32,
) -> Result<(Stamp, Arc<SessionContext>), StarError> {
    let guard = Arc::new(guard);
    loop {
        let before = stamp(lake).await?;
        let ctx = session::context(threads);
        bi::register(&ctx, lake, &Catalog::load(None)?, None, fiscal_start).await?;
        if stamp(lake).await? != before {
            continue;
        }
        // What the view is made of is not a client's query: the limits come after it.
        let ctx = SessionContext::new_with_state(
            SessionStateBuilder::new_from_existing(ctx.state())
                .with_physical_optimizer_rule(Arc::<GuardRule>::clone(&guard))
                .build(),
        );
        if let Some(catalog) = ctx.catalog("datafusion") {
            for inner in INNER {
                catalog.deregister_schema(inner, true).map_err(TruthError::from)?;
            }
        }
        setup_pg_catalog(&ctx, "datafusion", EmptyContextProvider).map_err(|e| TruthError::Engine(*e))?;
        return Ok((before, Arc::new(ctx)));
    }
}
