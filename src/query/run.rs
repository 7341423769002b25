//! Runs queries against a view of the lake: facts in the order of what they read, then signals.
//!
//! A fact is a query in `queries/facts`; its result is kept ([`super::kept`]) as the table `facts.<name>` for those that read it. Errors
//! name the file, line and column, and what the engine suggests.

use super::catalog::{Catalog, Query};
use super::header::Header;
use super::{kept, shared};
use crate::cluster::{Cluster, ClusterError};
use crate::steps::{Silent, Steps};
use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use chrono::{Months, NaiveDate};
use datafusion::common::{DataFusionError, ScalarValue, TableReference};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Rows of a fact that keeps all threads busy alone, as do those that read it. Two of its kind at a time take turns in the caches and hold more
/// memory: of a hundred million rows of usage, 3.3 million of `usage_native`, an analysis took 54 s with two and 38 s with one (medians of three).
const LARGE: usize = 1_000_000;

/// Months of a year before its last quarter.
const BEFORE_QUARTER: Months = Months::new(9);

/// The values of the `$parameters` of queries.
#[derive(Clone, Copy, Debug)]
pub struct Parameters {
    /// `$quarter_start`: first month of the analysed quarter. `$year_start` follows from it: first month of the year that ends with the quarter.
    pub quarter_start: NaiveDate,
    /// `$last_month`: its last month; nothing later is looked at.
    pub last_month: NaiveDate,
    /// `$first_day`: the earliest month in the lake, for terms without a beginning.
    pub first_day: NaiveDate,
    /// `$window_start`: first month of the trend window.
    pub window_start: NaiveDate,
    /// `$min_months`: shortest series that is tested.
    pub min_months: i64,
    /// `$max_q`: largest adjusted p-value that is reported.
    pub max_q: f64,
}

impl Parameters {
    /// For queries that ask for none: crosswalks hold at all times.
    pub const NONE: Self = Self {
        quarter_start: NaiveDate::MIN,
        last_month: NaiveDate::MIN,
        first_day: NaiveDate::MIN,
        window_start: NaiveDate::MIN,
        min_months: 0,
        max_q: 0.0,
    };

    fn values(self) -> Vec<(&'static str, ScalarValue)> {
        let date = |date: NaiveDate| ScalarValue::Date32(i32::try_from((date - NaiveDate::default()).num_days()).ok());
        vec![
            ("quarter_start", date(self.quarter_start)),
            ("year_start", date(self.quarter_start.checked_sub_months(BEFORE_QUARTER).unwrap_or(NaiveDate::MIN))),
            ("last_month", date(self.last_month)),
            ("first_day", date(self.first_day)),
            ("window_start", date(self.window_start)),
            ("min_months", ScalarValue::Int64(Some(self.min_months))),
            ("max_q", ScalarValue::Float64(Some(self.max_q))),
        ]
    }
}

/// A query that failed, with the place in its file.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {message}{notes}")]
pub struct QueryError {
    place: String,
    message: String,
    notes: String,
    fault: Fault,
}

/// Who is to blame.
#[derive(Debug)]
enum Fault {
    Query,
    /// A file of the lake, or the place that it lies in.
    File,
    Cluster(Box<ClusterError>),
}

impl QueryError {
    /// A fault of a file that no engine error describes.
    #[must_use]
    pub fn new(query: &Query, message: &str) -> Self {
        Self { place: query.path.clone(), message: message.to_owned(), notes: String::new(), fault: Fault::Query }
    }

    /// An error of the engine, with its place in the query.
    #[must_use]
    pub fn from_engine(query: &Query, error: &DataFusionError) -> Self {
        let root = error.find_root();
        if let DataFusionError::ResourcesExhausted(said) = root {
            let (message, notes) = ("memory is short".to_owned(), short_memory(said));
            return Self { place: query.path.clone(), message, notes, fault: Fault::Query };
        }
        if let DataFusionError::External(cause) = root
            && let Some(cause) = cause.downcast_ref::<ClusterError>()
        {
            let message = cause.to_string();
            return Self {
                place: query.path.clone(),
                message,
                notes: String::new(),
                fault: Fault::Cluster(Box::new(cause.clone())),
            };
        }
        if let Some(diagnostic) = error.diagnostic() {
            let place = diagnostic
                .span
                .map_or_else(|| query.path.clone(), |span| format!("{}:{}:{}", query.path, span.start.line, span.start.column));
            let notes = diagnostic.notes.iter().map(|n| &n.message).chain(diagnostic.helps.iter().map(|h| &h.message));
            let notes = notes.map(|note| format!("\n  {note}")).collect();
            return Self { place, message: diagnostic.message.clone(), notes, fault: Fault::Query };
        }
        let message = root.strip_backtrace();
        let place = line_and_column(&message)
            .map_or_else(|| query.path.clone(), |(line, column)| format!("{}:{line}:{column}", query.path));
        let fault = if is_of_files(root) { Fault::File } else { Fault::Query };
        Self { place, message, notes: String::new(), fault }
    }

    /// What a cluster could not do, if it is that.
    #[must_use]
    pub fn of_cluster(&self) -> Option<&ClusterError> {
        match &self.fault {
            Fault::Cluster(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the query is well, and a file that it reads, or writes, is not.
    #[must_use]
    pub fn is_of_files(&self) -> bool {
        matches!(self.fault, Fault::File)
    }
}

fn is_of_files(error: &DataFusionError) -> bool {
    match error {
        DataFusionError::ParquetError(_) | DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) => true,
        DataFusionError::ArrowError(error, _) => matches!(**error, ArrowError::ParquetError(_) | ArrowError::IoError(..)),
        _ => false,
    }
}

/// What to do where memory is short; the first line of what the engine says names the operator that asked.
fn short_memory(said: &str) -> String {
    let asked = said.lines().next().unwrap_or_default().trim_end_matches(':');
    format!(
        "\n  it needs more than `--memory-limit` leaves it: give more, or fewer `--threads` (each needs its own)\n  the engine says: {asked}"
    )
}

/// The parser's own `Line: 3, Column: 7`.
fn line_and_column(message: &str) -> Option<(u64, u64)> {
    let rest = message.split_once("Line: ")?.1;
    let (line, rest) = rest.split_once(", Column: ")?;
    let column: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((line.parse().ok()?, column.parse().ok()?))
}

/// Plans a query without running it.
///
/// # Errors
/// [`QueryError`] pointing into the file.
pub async fn plan(ctx: &SessionContext, query: &Query, parameters: Parameters) -> Result<DataFrame, QueryError> {
    let failed = |e: DataFusionError| QueryError::from_engine(query, &e);
    let frame = ctx.sql(&query.text).await.map_err(failed)?;
    let used: Vec<(&str, ScalarValue)> =
        parameters.values().into_iter().filter(|(name, _)| query.text.contains(&format!("${name}"))).collect();
    if used.is_empty() {
        return Ok(frame);
    }
    frame.with_param_values(used).map_err(failed)
}

/// Runs a query and returns its rows.
///
/// # Errors
/// [`QueryError`] pointing into the file.
pub async fn rows(
    ctx: &SessionContext,
    query: &Query,
    parameters: Parameters,
) -> Result<(SchemaRef, Vec<RecordBatch>), QueryError> {
    let name = query.path.clone();
    let collect = move |frame: DataFrame| {
        let name = name.clone();
        async move {
            let schema: SchemaRef = Arc::new(frame.schema().as_arrow().clone());
            let context = frame.task_ctx();
            let Some(cluster) = Cluster::of(context.session_config()) else { return Ok((schema, frame.collect().await?)) };
            let plan = frame.create_physical_plan().await?;
            Ok((schema, cluster.rows(&name, plan, Arc::new(context)).await?))
        }
        .boxed()
    };
    with_spare_joins(ctx, query, parameters, collect).await
}

/// Plans and runs a query. A hash join cannot go to disk: where one of them does not fit into limited memory, the query is run again with
/// sort-merge joins, which can. (`work` answers with what borrows nothing: else no future above could go to another thread, rust-lang/rust#102211.)
async fn with_spare_joins<T>(
    ctx: &SessionContext,
    query: &Query,
    parameters: Parameters,
    work: impl Fn(DataFrame) -> BoxFuture<'static, datafusion::common::Result<T>>,
) -> Result<T, QueryError> {
    let failed = |e: &DataFusionError| QueryError::from_engine(query, e);
    let first = work(plan(ctx, query, parameters).await?).await;
    let is_short = matches!(&first, Err(e) if matches!(e.find_root(), DataFusionError::ResourcesExhausted(_)));
    if !is_short || !(kept::is_limited(ctx) || Cluster::of(ctx.state_ref().read().config()).is_some()) {
        return first.map_err(|e| failed(&e));
    }
    // Others are planned side by side with this one: their session stays as it is.
    let mut state = ctx.state();
    state.config_mut().options_mut().optimizer.prefer_hash_join = false;
    let spare = plan(&SessionContext::new_with_state(state), query, parameters).await?;
    work(spare).await.map_err(|e| failed(&e))
}

/// What a fact cost.
#[derive(Clone, Debug)]
pub struct FactTiming {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: usize,
    /// Planning, running and keeping it, while others are built beside it.
    pub took: std::time::Duration,
}

/// Builds `facts.*`, each after those that it reads; only what `wanted` needs, or all.
///
/// # Errors
/// [`QueryError`] for a query that fails, reads an unknown fact, or takes part in a circle.
pub async fn build_facts(
    ctx: &SessionContext,
    catalog: &Catalog,
    parameters: Parameters,
    wanted: Option<&[&str]>,
) -> Result<Vec<FactTiming>, QueryError> {
    build_facts_in_steps(ctx, catalog, parameters, wanted, &Silent).await
}

/// The same; each fact is a step. As many are built side by side as there are threads: most are small, and planning one leaves the other
/// threads idle. Within limited memory they are built one by one, and as soon as one is [`LARGE`].
///
/// # Errors
/// As [`build_facts`].
pub async fn build_facts_in_steps(
    ctx: &SessionContext,
    catalog: &Catalog,
    parameters: Parameters,
    wanted: Option<&[&str]>,
    steps: &dyn Steps,
) -> Result<Vec<FactTiming>, QueryError> {
    let facts: Vec<(&str, &Query)> = catalog.folder("facts").collect();
    let order = in_order(&facts, wanted)?;
    let mut waiting: Vec<Waiting> = order
        .iter()
        .filter_map(|name| {
            let (_, query) = facts.iter().find(|(known, _)| known == name)?;
            let reads = Header::parse(&query.text).facts().into_iter().map(str::to_owned).collect();
            Some(Waiting { name: name.clone(), query: (*query).clone(), reads })
        })
        .collect();
    let is_limited = kept::is_limited(ctx);
    let is_clustered = Cluster::of(ctx.state_ref().read().config()).is_some();
    let threads = ctx.copied_config().target_partitions();
    let mut running = JoinSet::new();
    let mut timings: Vec<FactTiming> = Vec::new();
    loop {
        let is_large = !is_clustered && timings.iter().any(|built| built.rows >= LARGE);
        let at_once = if is_limited || is_large { 1 } else { threads };
        while running.len() < at_once {
            let is_built = |read: &String| timings.iter().any(|built| built.name == *read);
            let Some(next) = waiting.iter().position(|fact| fact.reads.iter().all(is_built)) else { break };
            let fact = waiting.remove(next);
            steps.step(&fact.name);
            running.spawn(build_fact(ctx.clone(), fact, parameters));
        }
        match running.join_next().await {
            None => break,
            Some(Ok(Ok(built))) => timings.push(built),
            Some(Ok(Err(error))) => {
                // The runtime may go with this error; what it would stop in the midst of collecting rows panics.
                running.shutdown().await;
                return Err(error);
            }
            Some(Err(stopped)) => std::panic::resume_unwind(stopped.into_panic()),
        }
    }
    timings.sort_by_key(|built| order.iter().position(|name| *name == built.name));
    Ok(timings)
}

/// A fact that waits for those that it reads.
struct Waiting {
    name: String,
    query: Query,
    reads: Vec<String>,
}

async fn build_fact(ctx: SessionContext, fact: Waiting, parameters: Parameters) -> Result<FactTiming, QueryError> {
    let Waiting { name, query, .. } = fact;
    let started = std::time::Instant::now();
    let kept_as = name.clone();
    let keep = move |frame: DataFrame| {
        let name = kept_as.clone();
        async move {
            let schema = nullable(frame.schema().as_arrow());
            let context = Arc::new(frame.task_ctx());
            let plan = frame.create_physical_plan().await?;
            match Cluster::of(context.session_config()) {
                Some(cluster) => shared::keep(&cluster, &name, plan, context, schema).await,
                None => kept::keep(plan, context, schema).await,
            }
        }
        .boxed()
    };
    let (table, rows) = with_spare_joins(&ctx, &query, parameters, keep).await?;
    let place = TableReference::partial("facts", name.as_str());
    ctx.register_table(place, table).map_err(|e| QueryError::from_engine(&query, &e))?;
    Ok(FactTiming { name, rows, took: started.elapsed() })
}

/// The schema with every column nullable: what the planner proves never empty and what a batch says may differ.
#[must_use]
pub fn nullable(schema: &Schema) -> SchemaRef {
    let fields: Vec<Field> = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    Arc::new(Schema::new(fields))
}

/// The facts in an order in which each comes after those it reads.
fn in_order(facts: &[(&str, &Query)], wanted: Option<&[&str]>) -> Result<Vec<String>, QueryError> {
    let mut done: Vec<String> = Vec::new();
    let roots: Vec<&str> = wanted.map_or_else(|| facts.iter().map(|(name, _)| *name).collect(), <[&str]>::to_vec);
    for root in roots {
        visit(root, facts, &mut done, &mut BTreeSet::new())?;
    }
    Ok(done)
}

fn visit<'a>(
    name: &'a str,
    facts: &[(&'a str, &'a Query)],
    done: &mut Vec<String>,
    above: &mut BTreeSet<&'a str>,
) -> Result<(), QueryError> {
    if done.iter().any(|known| known == name) {
        return Ok(());
    }
    let Some((name, query)) = facts.iter().find(|(known, _)| *known == name).copied() else { return Ok(()) };
    if !above.insert(name) {
        return Err(QueryError::new(query, &format!("`facts.{name}` reads itself, through the facts named in `reads:`")));
    }
    for fact in Header::parse(&query.text).facts() {
        let Some((inner, _)) = facts.iter().find(|(known, _)| *known == fact) else {
            return Err(QueryError::new(query, &format!("reads `facts.{fact}`, but there is no `facts/{fact}.sql`")));
        };
        visit(inner, facts, done, above)?;
    }
    above.remove(name);
    done.push(name.to_owned());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query { path: "facts/x.sql".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn facts_come_after_what_they_read() {
        let (a, b, c) = (query("-- reads: facts.b, facts.c\n"), query("-- reads: facts.c\n"), query("SELECT 1"));
        let order = in_order(&[("a", &a), ("b", &b), ("c", &c)], None).expect("an order");
        assert_eq!(order, ["c", "b", "a"]);
    }

    #[test]
    fn circles_and_unknown_facts_are_named() {
        let (a, b) = (query("-- reads: facts.b\n"), query("-- reads: facts.a\n"));
        assert!(in_order(&[("a", &a), ("b", &b)], None).is_err());
        let lost = query("-- reads: facts.nothing\n");
        let message = in_order(&[("lost", &lost)], None).expect_err("unknown").to_string();
        assert!(message.contains("facts/nothing.sql"), "{message}");
    }
}
