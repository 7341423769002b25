//! `pg_catalog` and `information_schema`: what clients ask before they ask anything else.
//!
//! ```text
//! schemas of the view ──> namespace, relation, attribute, constrained (objects.rs) ──> *.sql, one a table ──> pg_catalog.*, information_schema.*
//! ```
//! Each is worked out once for a view and kept in memory. Numbers of objects follow from their names, so they stay the same from view to view as long
//! as no table is added. Comments, keys and references are those of the star's headers; types, operators and settings are the library's.

mod functions;
mod objects;

pub(super) use functions::setting;

use crate::bi::Star;
use crate::lake::truth::TruthError;
use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::catalog::{MemTable, MemorySchemaProvider, SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::prelude::SessionContext;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::setup_pg_catalog;
use objects::Objects;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The database as clients name it; any other name in a connection string is taken for it.
pub(super) const DATABASE: &str = "shortfall";
/// Where names without a schema are looked up.
pub(super) const SCHEMA: &str = "bi";

macro_rules! tables {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!($name, ".sql")))),*] };
}

/// Tables of `pg_catalog` that stand in for the library's.
const PG_CATALOG: [(&str, &str); 10] = tables![
    "pg_attribute",
    "pg_class",
    "pg_constraint",
    "pg_database",
    "pg_description",
    "pg_index",
    "pg_namespace",
    "pg_settings",
    "pg_tables",
    "pg_views",
];

/// Tables of `information_schema`.
const INFORMATION_SCHEMA: [(&str, &str); 8] = tables![
    "columns",
    "key_column_usage",
    "referential_constraints",
    "routines",
    "schemata",
    "table_constraints",
    "tables",
    "views",
];

/// Adds both schemas to a view.
///
/// # Errors
/// [`TruthError::Engine`] if a table cannot be worked out.
pub(super) async fn register(ctx: &SessionContext, star: &Star) -> std::result::Result<(), TruthError> {
    setup_pg_catalog(ctx, DATABASE, EmptyContextProvider).map_err(|e| TruthError::Engine(*e))?;
    add(ctx, star).await.map_err(TruthError::Engine)
}

async fn add(ctx: &SessionContext, star: &Star) -> Result<()> {
    let database = ctx.catalog(DATABASE).ok_or_else(|| DataFusionError::Internal(format!("no catalog `{DATABASE}`")))?;
    let system: Vec<String> = INFORMATION_SCHEMA.iter().map(|(name, _)| (*name).to_owned()).collect();
    let objects = Objects::walk(database.as_ref(), star, &system).await?;
    let inner = SessionContext::new();
    for (name, batch) in objects.tables()? {
        inner.register_batch(name, batch)?;
    }
    if let Some(library) = database.schema("pg_catalog") {
        let own = worked_out(&inner, &PG_CATALOG).await?;
        database.register_schema("pg_catalog", Arc::new(Overlaid { own, library }))?;
    }
    let information = MemorySchemaProvider::new();
    for (name, table) in worked_out(&inner, &INFORMATION_SCHEMA).await? {
        information.register_table(name, table)?;
    }
    database.register_schema("information_schema", Arc::new(information))?;
    functions::register(ctx, &objects);
    Ok(())
}

/// What queries give, as tables.
async fn worked_out(inner: &SessionContext, queries: &[(&str, &str)]) -> Result<BTreeMap<String, Arc<dyn TableProvider>>> {
    let mut tables: BTreeMap<String, Arc<dyn TableProvider>> = BTreeMap::new();
    for (name, sql) in queries {
        let frame = inner.sql(sql).await?;
        let schema = Arc::new(objects::marked(frame.schema().as_arrow()));
        let batches = frame.collect().await?;
        let batches: Vec<_> = batches
            .into_iter()
            .map(|batch| RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec()))
            .collect::<std::result::Result<_, _>>()?;
        tables.insert((*name).to_owned(), Arc::new(MemTable::try_new(schema, vec![batches])?));
    }
    Ok(tables)
}

/// The library's schema with some tables of our own.
#[derive(Debug)]
struct Overlaid {
    own: BTreeMap<String, Arc<dyn TableProvider>>,
    library: Arc<dyn SchemaProvider>,
}

#[async_trait]
impl SchemaProvider for Overlaid {
    fn table_names(&self) -> Vec<String> {
        self.library.table_names()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        match self.own.get(name) {
            Some(table) => Ok(Some(Arc::clone(table))),
            None => self.library.table(name).await,
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.own.contains_key(name) || self.library.table_exist(name)
    }
}
