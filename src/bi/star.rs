//! Tables of the star: what their headers say, and the views `bi.*`.
//!
//! A header states `table`, `title`, `meaning`, `key`, `columns` (`name: description; name: description`) and, of a fact, `grain` and `period`:
//! the column by whose month its files are told apart. It may state `sums`: amounts that can be added up within a currency, and `semi_additive`: those
//! of them that are not added over periods. A fact's column that is some dimension's whole key refers to that dimension; its period refers to `dim_date`.

use super::catalogue;
use crate::findings::analyze::AnalyzeError;
use crate::findings::marts;
use crate::lake::truth::{self, TruthError};
use crate::lake::{Lake, LakeError};
use crate::query::catalog::{Catalog, CatalogError, Query};
use crate::query::header::Header;
use crate::query::run::QueryError;
use crate::query::views;
use chrono::{DateTime, Utc};
use datafusion::common::{ScalarValue, TableReference};
use datafusion::prelude::SessionContext;

/// A fiscal year that is the calendar year.
pub const CALENDAR_YEAR: u32 = 1;
/// The calendar of the star.
const CALENDAR: &str = "dim_date";

/// One table of the star.
#[derive(Clone, Debug)]
pub struct StarTable {
    /// `dim_customer`, `fact_monthly`.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// What it holds.
    pub meaning: String,
    /// What a row is; of a dimension its key.
    pub grain: String,
    /// Columns that tell rows apart.
    pub key: Vec<String>,
    /// The date column by whose month a fact's files are told apart.
    pub period: Option<String>,
    /// Amounts of money that may be added up within one currency.
    pub sums: Vec<String>,
    /// Those of them that count from a beginning and are repeated by each period: they are added within one period only.
    pub semi_additive: Vec<String>,
    /// Columns in their order, each with its description.
    pub columns: Vec<(String, String)>,
    query: Query,
}

/// A fact's column that holds keys of a dimension.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Relation {
    /// The fact.
    pub fact: String,
    /// Its column.
    pub column: String,
    /// The dimension.
    pub dimension: String,
    /// The dimension's key.
    pub key: String,
}

/// Every table of the star, dimensions first.
#[derive(Clone, Debug)]
pub struct Star {
    /// The tables.
    pub tables: Vec<StarTable>,
}

/// Why the star could not be built.
#[derive(Debug, thiserror::Error)]
pub enum StarError {
    /// A query is wrong.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The queries cannot be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The lake cannot be read.
    #[error(transparent)]
    Truth(#[from] TruthError),
    /// Findings or what was decided about them cannot be read.
    #[error(transparent)]
    Findings(#[from] AnalyzeError),
}

impl From<LakeError> for StarError {
    fn from(error: LakeError) -> Self {
        Self::Truth(error.into())
    }
}

impl Star {
    /// The tables of `queries/bi`.
    ///
    /// # Errors
    /// [`QueryError`] for a header that lacks something or contradicts its file name.
    pub fn load(catalog: &Catalog) -> Result<Self, QueryError> {
        let tables = catalog.folder("bi").map(|(name, query)| StarTable::load(name, query)).collect::<Result<_, _>>()?;
        Ok(Self { tables })
    }

    /// The dimensions.
    pub fn dimensions(&self) -> impl Iterator<Item = &StarTable> {
        self.tables.iter().filter(|table| !table.is_fact())
    }

    /// Which columns of facts refer to which dimensions, in order.
    #[must_use]
    pub fn relations(&self) -> Vec<Relation> {
        let mut relations = Vec::new();
        for fact in self.tables.iter().filter(|table| table.is_fact()) {
            for (column, _) in &fact.columns {
                let to = if fact.period.as_ref() == Some(column) {
                    self.dimensions().find(|table| table.name == CALENDAR)
                } else {
                    self.dimensions().find(|table| table.key == [column.as_str()])
                };
                relations.extend(to.map(|to| Relation {
                    fact: fact.name.clone(),
                    column: column.clone(),
                    dimension: to.name.clone(),
                    key: to.key[0].clone(),
                }));
            }
        }
        relations
    }
}

impl StarTable {
    fn load(name: &str, query: &Query) -> Result<Self, QueryError> {
        let header = Header::parse(&query.text);
        let stated = |key: &str| {
            let value = header.get(key).filter(|value| !value.is_empty()).map(str::to_owned);
            value.ok_or_else(|| QueryError::new(query, &format!("the header lacks `{key}`")))
        };
        if stated("table")? != name {
            return Err(QueryError::new(query, "the header's `table` is not the file's name"));
        }
        let column = |text: &str| {
            let (name, description) = text.split_once(':').unwrap_or((text, ""));
            (name.trim().to_owned(), description.trim().to_owned())
        };
        let columns: Vec<(String, String)> = stated("columns")?.split(';').map(column).collect();
        if let Some((undescribed, _)) = columns.iter().find(|(_, description)| description.is_empty()) {
            return Err(QueryError::new(query, &format!("the header does not say what `{undescribed}` is")));
        }
        let key: Vec<String> = header.list("key").into_iter().map(str::to_owned).collect();
        let period = header.get("period").map(str::to_owned);
        let sums: Vec<String> = header.list("sums").into_iter().map(str::to_owned).collect();
        let semi_additive: Vec<String> = header.list("semi_additive").into_iter().map(str::to_owned).collect();
        if let Some(stray) = semi_additive.iter().find(|column| !sums.contains(column)) {
            return Err(QueryError::new(query, &format!("`{stray}` is `semi_additive` and not among the `sums`")));
        }
        for named in key.iter().chain(&period).chain(&sums) {
            if !columns.iter().any(|(column, _)| column == named) {
                return Err(QueryError::new(query, &format!("`{named}` is no column")));
            }
        }
        Ok(Self {
            name: name.to_owned(),
            title: stated("title")?,
            meaning: stated("meaning")?,
            grain: header.get("grain").map_or_else(|| key.join(" x "), str::to_owned),
            key,
            period,
            sums,
            semi_additive,
            columns,
            query: query.clone(),
        })
    }

    /// Whether it is told apart by period.
    #[must_use]
    pub fn is_fact(&self) -> bool {
        self.period.is_some()
    }

    /// Its rows in the order in which they are written, in SQL: by period, then by key.
    #[must_use]
    pub fn sorted(&self) -> String {
        let columns: Vec<String> = self.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let order: Vec<String> = self.period.iter().chain(&self.key).map(|name| format!("\"{name}\"")).collect();
        format!("SELECT {} FROM bi.\"{}\" ORDER BY {}", columns.join(", "), self.name, order.join(", "))
    }

    /// An error that points to its file.
    pub(crate) fn failed(&self, error: &datafusion::common::DataFusionError) -> QueryError {
        QueryError::from_engine(&self.query, error)
    }
}

/// Registers `core.*`, `marts.*` and the star: `bi.*`, its dimensions also as `marts.dim_*`; of `core` only what was known at `as_of`. The fiscal
/// year begins in the month `fiscal_start` (1 to 12).
///
/// # Errors
/// [`StarError`] if the lake cannot be read, or a query is wrong.
pub async fn register(
    ctx: &SessionContext,
    lake: &Lake,
    catalog: &Catalog,
    as_of: Option<DateTime<Utc>>,
    fiscal_start: u32,
) -> Result<Star, StarError> {
    truth::register(ctx, lake, as_of).await?;
    marts::register(ctx, lake, None).await?;
    views::register(ctx, catalog).await?;
    catalogue::register(ctx, lake, catalog).await?;
    let star = Star::load(catalog)?;
    for table in &star.tables {
        let failed = |e| table.failed(&e);
        let mut frame = ctx.sql(&table.query.text).await.map_err(failed)?;
        if table.query.text.contains("$fiscal_start") {
            let start = ScalarValue::Int32(i32::try_from(fiscal_start).ok());
            frame = frame.with_param_values(vec![("fiscal_start", start)]).map_err(failed)?;
        }
        let view = frame.into_view();
        if !table.is_fact() {
            ctx.register_table(TableReference::partial("marts", table.name.as_str()), view.clone()).map_err(failed)?;
        }
        ctx.register_table(TableReference::partial("bi", table.name.as_str()), view).map_err(failed)?;
    }
    Ok(star)
}
