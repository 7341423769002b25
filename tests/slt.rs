//! Every `tests/slt/**/*.slt`, in two execution shapes with one golden: one partition with batches of 8,192 rows, and four partitions
//! with batches of three rows in reversed order.
//!
//! | in a file | means |
//! | --- | --- |
//! | `INSERT INTO facts.fact_monthly (...) VALUES ...` | every table of `facts`, `known` and `core_history` is there, empty, in its real schema |
//! | `RUN facts/contract_month` | the real query over those tables; its rows become `facts.contract_month` |
//! | `RUN signals/orphan_billing` | the same for a signal; its rows become `signals.orphan_billing` |
//!
//! Parameters are those of an analysis of 2026Q3. `SHORTFALL_BLESS=1 cargo test --test slt` writes what queries answer into the files.

use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::common::{DataFusionError, TableReference};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use libtest_mimic::{Arguments, Failed, Trial};
use shortfall::lake::schema::TABLES;
use shortfall::lake::truth::register_schemas;
use shortfall::lake::{usage_sum, version_span};
use shortfall::query::catalog::Catalog;
use shortfall::query::run::{self, Parameters, QueryError, nullable};
use shortfall::query::session;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

/// How a query is executed.
#[derive(Clone, Copy, Debug)]
struct Shape {
    name: &'static str,
    partitions: usize,
    batch_size: usize,
}

const SHAPES: [Shape; 2] =
    [Shape { name: "1x8192", partitions: 1, batch_size: 8192 }, Shape { name: "4x3", partitions: 4, batch_size: 3 }];

/// Plans of facts recurse deeply, in a debug build above all.
const STACK: usize = 64 << 20;

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::load(None).expect("embedded queries"));

/// Names and schemas of all facts, as the real queries give them.
static FACTS: LazyLock<Vec<(String, SchemaRef)>> = LazyLock::new(|| {
    wait_on_large_stack(|| async {
        let ctx = session::context(1);
        register_tables(&ctx, SHAPES[0]).expect("tables");
        register_usage_views(&ctx).await.expect("views");
        run::build_facts(&ctx, &CATALOG, parameters(), None).await.expect("facts of nothing");
        let mut facts = Vec::new();
        for (name, _) in CATALOG.folder("facts") {
            let table = ctx.table_provider(TableReference::partial("facts", name)).await.expect("a fact");
            facts.push((name.to_owned(), table.schema()));
        }
        facts
    })
});

fn wait_on_large_stack<T: Send, F: Future<Output = T>>(work: impl FnOnce() -> F + Send) -> T {
    std::thread::scope(|scope| {
        let run = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(work())
        };
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, run).expect("a thread");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn parameters() -> Parameters {
    let day = |text: &str| text.parse().expect("a date");
    Parameters {
        quarter_start: day("2026-07-01"),
        last_month: day("2026-09-01"),
        first_day: day("2024-10-01"),
        window_start: day("2024-10-01"),
        min_months: 6,
        max_q: 0.05,
    }
}

fn empty(schema: SchemaRef, shape: Shape) -> Result<Arc<MemTable>, DataFusionError> {
    Ok(Arc::new(MemTable::try_new(schema, vec![Vec::new(); shape.partitions])?))
}

/// What a lake without rows has.
fn register_tables(ctx: &SessionContext, shape: Shape) -> Result<(), DataFusionError> {
    register_schemas(ctx).map_err(|e| DataFusionError::External(Box::new(e)))?;
    for table in TABLES.iter().copied().filter(|table| table.is_ingested()) {
        for schema in ["known", "core_history"] {
            ctx.register_table(TableReference::partial(schema, table.name()), empty(table.schema(), shape)?)?;
        }
    }
    ctx.register_table(TableReference::partial("core_history", version_span::NAME), empty(version_span::schema(), shape)?)?;
    Ok(())
}

/// What the lake tells of usage beside its rows, from those that stand there now.
async fn register_usage_views(ctx: &SessionContext) -> Result<(), DataFusionError> {
    let sums = usage_sum::query("SELECT * FROM known.vendor_usage");
    let arrivals = version_span::arrivals("SELECT * FROM core_history.vendor_usage_version");
    for (schema, name, sql) in [("known", usage_sum::NAME, sums), ("core_history", version_span::ARRIVAL, arrivals)] {
        let view = ctx.sql(&sql).await?.into_view();
        let name = TableReference::partial(schema, name);
        ctx.deregister_table(name.clone())?;
        ctx.register_table(name, view)?;
    }
    Ok(())
}

/// A session that a file talks to.
struct Session {
    ctx: SessionContext,
    shape: Shape,
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("{}", .0.strip_backtrace())]
    Engine(#[from] DataFusionError),
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("there is no query `{0}`")]
    NoQuery(String),
}

impl Session {
    async fn new(shape: Shape) -> Result<Self, Fault> {
        let ctx = session::context(shape.partitions);
        register_tables(&ctx, shape)?;
        for (name, schema) in &*FACTS {
            ctx.register_table(TableReference::partial("facts", name.as_str()), empty(Arc::clone(schema), shape)?)?;
        }
        if let Some(catalog) = ctx.catalog("datafusion") {
            catalog.register_schema("signals", Arc::new(MemorySchemaProvider::new()) as Arc<dyn SchemaProvider>)?;
        }
        let session = Self { ctx, shape };
        session.set("execution.batch_size", shape.batch_size).await?;
        Ok(session)
    }

    async fn set(&self, option: &str, value: impl std::fmt::Display) -> Result<(), Fault> {
        self.ctx.sql(&format!("SET datafusion.{option} = {value}")).await?.collect().await?;
        Ok(())
    }

    /// Runs the real query; its rows become the table of its name.
    async fn run_query(&self, path: &str) -> Result<(), Fault> {
        let missing = || Fault::NoQuery(path.to_owned());
        let (folder, name) = path.split_once('/').ok_or_else(missing)?;
        let (_, query) = CATALOG.folder(folder).find(|(known, _)| *known == name).ok_or_else(missing)?;
        register_usage_views(&self.ctx).await?;
        let (schema, batches) = run::rows(&self.ctx, query, parameters()).await?;
        self.replace(&TableReference::partial(folder, name), nullable(&schema), &batches)
    }

    /// Spreads rows over the partitions of the shape, in reversed order where there are several.
    fn replace(&self, name: &TableReference, schema: SchemaRef, batches: &[RecordBatch]) -> Result<(), Fault> {
        let rows = concat_batches(&schema, batches.iter()).map_err(DataFusionError::from)?;
        let mut parts = vec![Vec::new(); self.shape.partitions];
        let count = u32::try_from(rows.num_rows()).expect("few rows");
        let order = if self.shape.partitions > 1 { (0..count).rev().collect::<Vec<_>>() } else { (0..count).collect() };
        for (number, chunk) in order.chunks(self.shape.batch_size).enumerate() {
            let chosen = take_record_batch(&rows, &UInt32Array::from(chunk.to_vec())).map_err(DataFusionError::from)?;
            parts[number % self.shape.partitions].push(chosen);
        }
        self.ctx.deregister_table(name.clone())?;
        self.ctx.register_table(name.clone(), Arc::new(MemTable::try_new(schema, parts)?))?;
        Ok(())
    }

    async fn answer(&self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Fault> {
        let sql = sql.trim();
        if let Some(path) = sql.strip_prefix("RUN ") {
            self.set("sql_parser.parse_float_as_decimal", false).await?;
            self.run_query(path.trim()).await?;
            return Ok(DBOutput::StatementComplete(0));
        }
        // Numbers in VALUES are what exports hold: decimals. In queries a literal with a point is a float, as in the product.
        self.set("sql_parser.parse_float_as_decimal", sql.contains("VALUES") && !sql.starts_with("SELECT")).await?;
        let frame = self.ctx.sql(sql).await?;
        if let Some(rest) = sql.strip_prefix("INSERT INTO ") {
            frame.collect().await?;
            let name = TableReference::from(rest.split([' ', '(', '\n']).next().unwrap_or_default());
            let table = self.ctx.table(name.clone()).await?;
            let schema = nullable(table.schema().as_arrow());
            let rows = table.collect().await?;
            self.replace(&name, schema, &rows)?;
            return Ok(DBOutput::StatementComplete(0));
        }
        let columns = frame.schema().fields().len();
        let mut rows = Vec::new();
        for batch in frame.collect().await? {
            for row in 0..batch.num_rows() {
                rows.push(batch.columns().iter().map(|column| shown(column, row)).collect::<Result<Vec<_>, _>>()?);
            }
        }
        Ok(DBOutput::Rows { types: vec![DefaultColumnType::Any; columns], rows })
    }
}

/// A value as a person would write it: decimals without padding, floats with nine digits.
fn shown(column: &dyn Array, row: usize) -> Result<String, DataFusionError> {
    if column.is_null(row) {
        return Ok("NULL".to_owned());
    }
    Ok(match column.data_type() {
        DataType::Decimal128(_, scale) if *scale > 0 => trimmed(&column.as_primitive::<Decimal128Type>().value_as_string(row)),
        DataType::Float64 => trimmed(&format!("{:.9}", column.as_primitive::<Float64Type>().value(row))),
        _ => {
            let text = ArrayFormatter::try_new(column, &FormatOptions::default())?.value(row).to_string();
            if text.is_empty() { "(empty)".to_owned() } else { text }
        }
    })
}

fn trimmed(text: &str) -> String {
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short.is_empty() || short == "-" { "0".to_owned() } else { short.to_owned() }
}

#[async_trait::async_trait]
impl AsyncDB for Session {
    type Error = Fault;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Fault> {
        self.answer(sql).await
    }

    fn engine_name(&self) -> &'static str {
        "shortfall"
    }

    async fn shutdown(&mut self) {}
}

fn run_file(path: &Path, shape: Shape) -> Result<(), Failed> {
    wait_on_large_stack(|| async {
        let mut runner = Runner::new(|| Session::new(shape));
        if std::env::var_os("SHORTFALL_BLESS").is_some() && shape.partitions == 1 {
            let validator = sqllogictest::default_validator;
            let columns = sqllogictest::default_column_validator;
            let normalizer = sqllogictest::default_normalizer;
            return runner.update_test_file(path, " ", validator, normalizer, columns).await.map_err(|e| e.to_string());
        }
        runner.run_file_async(path).await.map_err(|e| e.to_string())
    })
    .map_err(Failed::from)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().filter_map(Result::ok);
    entries.map(walkdir::DirEntry::into_path).filter(|path| path.extension().is_some_and(|e| e == "slt")).collect()
}

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let mut trials = Vec::new();
    for path in files(&folder) {
        let name = path.strip_prefix(&folder).unwrap_or(&path).with_extension("").to_string_lossy().replace('\\', "/");
        for shape in SHAPES {
            let path = path.clone();
            trials.push(Trial::test(format!("{name}@{}", shape.name), move || run_file(&path, shape)));
        }
    }
    // A binary that was compiled in a folder which has gone would pass without a single run.
    assert!(!trials.is_empty(), "no .slt file below {}", folder.display());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
