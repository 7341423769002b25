//! What the map commands read from the lake: the queries of `queries/identity`, as text.

use super::super::sql::cell;
use super::super::{Context, Failure};
use crate::identity::suggest::Unresolved;
use crate::lake::{Lake, truth};
use crate::query::catalog::Catalog;
use crate::query::run::{Parameters, QueryError, build_facts};
use crate::query::session;
use datafusion::common::DataFusionError;
use datafusion::prelude::SessionContext;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// The facts that the queries read; none of them asks for a quarter.
const FACTS: [&str; 3] = ["customer_alias", "service_alias", "contract_segment"];

/// A view of the lake with the crosswalks built.
pub(in crate::cli) struct Reader<'a> {
    context: &'a Context,
    catalog: Catalog,
    ctx: SessionContext,
}

/// Rows as text, cells by column name.
pub(in crate::cli) struct Rows {
    header: Vec<String>,
    rows: Vec<Vec<Option<String>>>,
}

/// A row of [`Rows`].
#[derive(Clone, Copy)]
pub(in crate::cli) struct Row<'a> {
    header: &'a [String],
    cells: &'a [Option<String>],
}

impl Row<'_> {
    /// The text of a column, empty if there is none.
    pub(in crate::cli) fn text(&self, column: &str) -> &str {
        let at = self.header.iter().position(|name| name == column);
        at.and_then(|at| self.cells[at].as_deref()).unwrap_or("")
    }

    /// The number of a column, zero if there is none.
    pub(in crate::cli) fn number(&self, column: &str) -> Decimal {
        Decimal::from_str_exact(self.text(column)).unwrap_or_default()
    }
}

impl Rows {
    pub(in crate::cli) fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|cells| Row { header: &self.header, cells })
    }
}

impl<'a> Reader<'a> {
    pub(in crate::cli) fn open(context: &'a Context, lake: &Lake) -> Result<Self, Failure> {
        let catalog = Catalog::load(None)?;
        let ctx = context.runtime.block_on(async {
            let ctx = session::context(context.threads);
            truth::register(&ctx, lake, None).await?;
            build_facts(&ctx, &catalog, Parameters::NONE, Some(&FACTS)).await?;
            Ok::<_, Failure>(ctx)
        })?;
        Ok(Self { context, catalog, ctx })
    }

    /// The rows of `queries/identity/<name>.sql`.
    pub(in crate::cli) fn rows(&self, name: &str) -> Result<Rows, Failure> {
        let query = self.catalog.folder("identity").find(|(known, _)| *known == name).map(|(_, query)| query);
        let query = query.ok_or_else(|| Failure::environment(format!("there is no query `identity/{name}.sql`")))?;
        let failed = |e: DataFusionError| Failure::from(QueryError::from_engine(query, &e));
        self.context.runtime.block_on(async {
            let frame = self.ctx.sql(&query.text).await.map_err(failed)?;
            let header = frame.schema().fields().iter().map(|field| field.name().clone()).collect();
            let mut rows = Vec::new();
            for batch in frame.collect().await.map_err(failed)? {
                for row in 0..batch.num_rows() {
                    rows.push(batch.columns().iter().map(|column| cell(column.as_ref(), row)).collect());
                }
            }
            Ok(Rows { header, rows })
        })
    }

    /// Ids of a query such as `unmapped_customers`, each once, with all names and the money of each currency.
    pub(in crate::cli) fn unresolved(&self, name: &str) -> Result<Vec<Unmapped>, Failure> {
        let mut ids: BTreeMap<(String, String), Unmapped> = BTreeMap::new();
        for row in self.rows(name)?.iter() {
            let key = (row.text("system").to_owned(), row.text("id").to_owned());
            let entry = ids.entry(key).or_insert_with(|| Unmapped {
                id: Unresolved {
                    system: row.text("system").to_owned(),
                    native_id: row.text("native_id").to_owned(),
                    ..Unresolved::default()
                },
                normalised: row.text("id").to_owned(),
                cost: BTreeMap::new(),
                billed: BTreeMap::new(),
                source_rows: Decimal::ZERO,
            });
            let name = row.text("native_name").trim();
            if !name.is_empty() {
                entry.id.names.insert(name.to_owned());
            }
            entry.source_rows += row.number("source_rows");
            let currency = row.text("currency");
            if !currency.is_empty() {
                let (cost, billed) = (row.number("cost"), row.number("amount"));
                *entry.cost.entry(currency.to_owned()).or_default() += cost;
                *entry.billed.entry(currency.to_owned()).or_default() += billed;
            }
        }
        for entry in ids.values_mut() {
            for (currency, cost) in &entry.cost {
                let stake = cost.abs() + entry.billed.get(currency).copied().unwrap_or_default().abs();
                entry.id.money.insert(currency.clone(), stake);
            }
        }
        Ok(ids.into_values().collect())
    }

    /// Domains by (system, normalised id), and by customer key.
    pub(in crate::cli) fn domains(&self) -> Result<(DomainsOfIds, BTreeMap<String, BTreeSet<String>>), Failure> {
        let (mut of_ids, mut of_keys) = (DomainsOfIds::new(), BTreeMap::<String, BTreeSet<String>>::new());
        for row in self.rows("domains")?.iter() {
            let domain = row.text("domain").to_owned();
            if row.text("key").is_empty() {
                of_ids.entry((row.text("system").to_owned(), row.text("id").to_owned())).or_default().insert(domain);
            } else {
                of_keys.entry(row.text("key").to_owned()).or_default().insert(domain);
            }
        }
        Ok((of_ids, of_keys))
    }
}

/// Domains by system and normalised id.
pub(in crate::cli) type DomainsOfIds = BTreeMap<(String, String), BTreeSet<String>>;

/// An id that nothing resolves, with what it costs and brings.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Unmapped {
    pub(in crate::cli) id: Unresolved,
    pub(in crate::cli) normalised: String,
    pub(in crate::cli) cost: BTreeMap<String, Decimal>,
    pub(in crate::cli) billed: BTreeMap<String, Decimal>,
    pub(in crate::cli) source_rows: Decimal,
}

/// Money of several currencies in one cell: `12.5 USD, 3 EUR`; currencies without any are left out.
pub(in crate::cli) fn money_text(money: &BTreeMap<String, Decimal>) -> String {
    let parts: Vec<String> = money
        .iter()
        .filter(|(_, amount)| !amount.is_zero())
        .map(|(currency, amount)| format!("{} {currency}", crate::money::round_to_minor_unit(*amount, currency)))
        .collect();
    parts.join(", ")
}
