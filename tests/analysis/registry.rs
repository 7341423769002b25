//! Walks the folders and names what is missing, and plans every query against a lake without rows.

use super::support::{repository, runtime};
use arrow::datatypes::DataType;
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::physical_plan::displayable;
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::{SelectItem, SetExpr, Statement};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use shortfall::findings::coverage::{NOTHING, coverage};
use shortfall::findings::scorecard::scorecard;
use shortfall::findings::signal::{REQUIRED, Signal};
use shortfall::ingest::conform::raw_schema;
use shortfall::kernels::{FAMILY_KERNELS, KERNELS};
use shortfall::lake::Table;
use shortfall::lake::schema::TABLES;
use shortfall::lake::truth::register_schemas;
use shortfall::lake::{usage_sum, version_span};
use shortfall::query::catalog::Catalog;
use shortfall::query::header::Header;
use shortfall::query::run::{self, Parameters};
use shortfall::query::session;
use shortfall::sources::all_exports;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// `{placeholders}` of an explanation that are a finding's own figures.
const OWN_FIGURES: [&str; 9] =
    ["customer", "service", "leakage", "overbilled", "money", "currency", "first_month", "last_month", "months"];

fn catalog() -> Catalog {
    Catalog::load(None).expect("embedded queries")
}

fn is_file(path: &str) -> bool {
    repository(path).is_file()
}

fn none_missing(missing: &[String]) {
    assert!(missing.is_empty(), "missing or wrong:\n  {}", missing.join("\n  "));
}

/// Names of the files with an ending in a folder, without it.
fn stems(folder: &str, ending: &str) -> BTreeSet<String> {
    let Ok(entries) = std::fs::read_dir(repository(folder)) else { return BTreeSet::new() };
    let names = entries.map(|entry| entry.expect("an entry").path());
    let is_wanted = |path: &std::path::PathBuf| path.extension().is_some_and(|e| e == ending);
    names.filter(is_wanted).filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect()
}

/// The text without comments.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code)).collect::<Vec<_>>().join("\n")
}

/// Tables of `facts`, `known` and `core_history` that a text mentions.
fn mentioned(text: &str) -> BTreeSet<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let words = code(text);
    let words = words.split(|c| !is_word(c));
    let schemas = ["facts.", "known.", "core_history.", "compare."];
    words.filter(|word| schemas.iter().any(|schema| word.starts_with(schema))).map(str::to_owned).collect()
}

/// Whether the outermost select lists `*`.
fn selects_everything(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => {
            select.projection.iter().any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)))
        }
        SetExpr::SetOperation { left, right, .. } => selects_everything(left) || selects_everything(right),
        SetExpr::Query(query) => selects_everything(&query.body),
        _ => false,
    }
}

pub fn parameters() -> Parameters {
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

/// A session over a lake without rows, all facts built.
pub async fn empty_lake(catalog: &Catalog) -> SessionContext {
    let ctx = session::context(1);
    register_schemas(&ctx).expect("schemas");
    for table in TABLES.iter().copied().filter(|table| table.is_ingested()) {
        for schema in ["known", "core_history"] {
            let empty = MemTable::try_new(table.schema(), vec![Vec::new()]).expect("an empty table");
            ctx.register_table(TableReference::partial(schema, table.name()), Arc::new(empty)).expect("registered");
        }
    }
    let sums = MemTable::try_new(usage_sum::schema(), vec![Vec::new()]).expect("an empty table");
    ctx.register_table(TableReference::partial("known", usage_sum::NAME), Arc::new(sums)).expect("registered");
    let versions = MemTable::try_new(version_span::schema(), vec![Vec::new()]).expect("an empty table");
    ctx.register_table(TableReference::partial("core_history", version_span::NAME), Arc::new(versions)).expect("registered");
    let arrivals =
        ctx.sql(&version_span::arrivals("SELECT * FROM core_history.vendor_usage_version")).await.expect("arrivals").into_view();
    ctx.register_table(TableReference::partial("core_history", version_span::ARRIVAL), arrivals).expect("registered");
    for (table, schema) in [("batch", Table::Batch.schema()), ("delivery", shortfall::lake::delivery::schema())] {
        let empty = MemTable::try_new(schema, vec![Vec::new()]).expect("an empty table");
        ctx.register_table(TableReference::partial("core", table), Arc::new(empty)).expect("registered");
    }
    run::build_facts(&ctx, catalog, parameters(), None).await.expect("facts of nothing");
    ctx
}

/// Runs an async test on the stack that plans need.
pub fn on_large_stack<F: Future<Output = ()> + Send + 'static>(test: F) {
    let runtime = runtime();
    runtime.block_on(async { tokio::spawn(test).await.expect("no panic") });
}

#[test]
fn every_signal_has_a_test_of_its_name_and_every_test_a_signal() {
    let catalog = catalog();
    let signals: BTreeSet<String> = catalog.folder("signals").map(|(name, _)| name.to_owned()).collect();
    let tests = stems("tests/slt/signals", "slt");
    let missing: Vec<String> = signals
        .symmetric_difference(&tests)
        .map(|name| format!("tests/slt/signals/{name}.slt <-> queries/signals/{name}.sql"))
        .collect();
    none_missing(&missing);
}

#[test]
fn every_export_has_a_staging_query_and_every_staging_query_an_export() {
    let exports: BTreeSet<String> =
        all_exports().flat_map(|export| export.stagings().map(|(_, name)| name).collect::<Vec<_>>()).collect();
    let queries = stems("queries/staging", "sql");
    let missing: Vec<String> =
        exports.symmetric_difference(&queries).map(|name| format!("queries/staging/{name}.sql <-> sources::SOURCES")).collect();
    none_missing(&missing);
}

#[test]
fn every_kernel_has_sql_examples_and_outside_numbers() {
    let names = KERNELS.iter().map(|kernel| kernel.name).chain(FAMILY_KERNELS.iter().map(|kernel| kernel.name));
    let mut missing = Vec::new();
    for name in names {
        // Both adjustments stand in one table.
        let oracle = if name == "by_adjust" { "bh_adjust" } else { name };
        for path in [format!("tests/slt/kernels/{name}.slt"), format!("tests/oracle/{oracle}.csv")] {
            if !is_file(&path) {
                missing.push(path);
            }
        }
    }
    none_missing(&missing);
}

#[test]
fn every_function_of_money_and_periods_has_sql_examples() {
    let examples: String = stems("tests/slt/functions", "slt")
        .iter()
        .map(|name| std::fs::read_to_string(repository("tests/slt/functions").join(format!("{name}.slt"))).expect("an slt"))
        .collect();
    let functions = shortfall::functions::all();
    let untested = functions.iter().map(|f| f.name().to_owned()).filter(|name| !examples.contains(&format!("{name}(")));
    none_missing(&untested.map(|name| format!("tests/slt/functions: no example of {name}")).collect::<Vec<_>>());
}

#[test]
fn a_signals_id_is_its_file_and_its_header_and_it_is_counted_in_coverage() {
    let catalog = catalog();
    let signals = Signal::load_all(&catalog).expect("sound headers");
    let coverage: BTreeSet<&str> = catalog.folder("coverage").map(|(name, _)| name).collect();
    let mut wrong = Vec::new();
    let mut precedences = BTreeSet::new();
    for signal in &signals {
        let file = Path::new(&signal.query.path).file_stem().map(|stem| stem.to_string_lossy().into_owned());
        if file.as_deref() != Some(signal.id.as_str()) {
            wrong.push(format!("{}: says `signal: {}`", signal.query.path, signal.id));
        }
        if !coverage.contains(signal.id.as_str()) {
            let columns = shortfall::findings::coverage::REQUIRED.join(", ");
            wrong.push(format!(
                "queries/coverage/{}.sql is missing: a row of {columns} per unit that the signal looks at",
                signal.id
            ));
        }
        if !precedences.insert(signal.precedence) {
            wrong.push(format!("{}: precedence {} occurs twice", signal.query.path, signal.precedence));
        }
        for other in &signal.adds_to {
            if signals.iter().position(|s| s.id == *other) >= signals.iter().position(|s| s.id == signal.id) {
                wrong.push(format!("{}: adds to {other}, which does not claim before it", signal.query.path));
            }
        }
        for key in ["grain", "known_false_alarms", "action", "owner"] {
            if Header::parse(&signal.query.text).get(key).is_none() {
                wrong.push(format!("{}: no `{key}`", signal.query.path));
            }
        }
    }
    none_missing(&wrong);
}

#[test]
fn headers_read_what_the_text_reads() {
    let catalog = catalog();
    let mut wrong = Vec::new();
    for (folder, kind) in
        [("facts", "fact"), ("signals", "signal"), ("history", "history"), ("coverage", "coverage"), ("scorecard", "scorecard")]
    {
        for (name, query) in catalog.folder(folder) {
            let header = Header::parse(&query.text);
            let stated: BTreeSet<String> = header.list("reads").into_iter().map(str::to_owned).collect();
            let real = mentioned(&query.text);
            for table in stated.symmetric_difference(&real) {
                wrong.push(format!("{}: `{table}` is in `reads:` or in the text, but not in both", query.path));
            }
            if header.get(kind) != Some(name) {
                wrong.push(format!("{}: the header does not say `{kind}: {name}`", query.path));
            }
            if folder == "coverage" && header.get("unit").is_none() {
                wrong.push(format!("{}: no `unit`", query.path));
            }
            for key in ["grain", if folder == "signals" { "question" } else { "meaning" }] {
                if header.get(key).is_none() {
                    wrong.push(format!("{}: no `{key}`", query.path));
                }
            }
        }
    }
    for (name, query) in catalog.folder("core") {
        let header = Header::parse(&query.text);
        if header.get("view") != Some(&format!("core.{name}")) || header.get("meaning").is_none() {
            wrong.push(format!("{}: the header does not say `view: core.{name}` and a meaning", query.path));
        }
    }
    none_missing(&wrong);
}

#[test]
fn kernels_named_in_a_header_are_those_in_the_text() {
    let catalog = catalog();
    let kernels: Vec<&str> =
        KERNELS.iter().map(|kernel| kernel.name).chain(FAMILY_KERNELS.iter().map(|kernel| kernel.name)).collect();
    let mut wrong = Vec::new();
    for (_, query) in catalog.folder("facts").chain(catalog.folder("signals")) {
        let header = Header::parse(&query.text);
        let stated: BTreeSet<&str> = header.list("kernels").into_iter().collect();
        let text = code(&query.text);
        // A signal also names the kernels of the facts it reads.
        for kernel in kernels.iter().filter(|kernel| text.contains(&format!("{kernel}("))) {
            if !stated.contains(kernel) {
                wrong.push(format!("{}: calls {kernel}, which `kernels:` does not name", query.path));
            }
        }
        wrong.extend(stated.iter().filter(|s| !kernels.contains(s)).map(|s| format!("{}: there is no kernel {s}", query.path)));
    }
    none_missing(&wrong);
}

#[test]
fn signals_name_their_columns() {
    let catalog = catalog();
    let mut wrong = Vec::new();
    for (_, query) in catalog.folder("signals") {
        let statements = Parser::parse_sql(&GenericDialect {}, &query.text).expect(&query.path);
        match statements.as_slice() {
            [Statement::Query(parsed)] if !selects_everything(&parsed.body) => {}
            [Statement::Query(_)] => wrong.push(format!("{}: SELECT * in the outermost select", query.path)),
            _ => wrong.push(format!("{}: not one query", query.path)),
        }
    }
    none_missing(&wrong);
}

#[test]
fn every_fact_and_signal_runs_on_a_lake_without_rows() {
    on_large_stack(async {
        let catalog = catalog();
        let ctx = empty_lake(&catalog).await;
        let mut wrong = Vec::new();
        for signal in Signal::load_all(&catalog).expect("signals") {
            let (schema, rows) = run::rows(&ctx, &signal.query, parameters()).await.expect("a plan");
            assert_eq!(rows.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 0, "{}", signal.id);
            for name in REQUIRED {
                let kind = schema.field_with_name(name).map(|field| field.data_type().clone());
                let is_right = match (name, kind.as_ref()) {
                    ("amount", Ok(DataType::Decimal128(_, _))) | ("month", Ok(DataType::Date32)) => true,
                    ("amount" | "month", _) => false,
                    (_, kind) => matches!(kind, Ok(DataType::Utf8 | DataType::Utf8View)),
                };
                if !is_right {
                    wrong.push(format!("{}: column {name} is {kind:?}", signal.query.path));
                }
            }
            for part in signal.explanation.split('{').skip(1) {
                let name = part.split('}').next().unwrap_or_default();
                if !OWN_FIGURES.contains(&name) && schema.field_with_name(name).is_err() {
                    wrong.push(format!(
                        "{}: the explanation names {{{name}}}, which the query does not return",
                        signal.query.path
                    ));
                }
            }
        }
        let signals = Signal::load_all(&catalog).expect("signals");
        let signals: Vec<&Signal> = signals.iter().collect();
        for coverage in coverage(&ctx, &catalog, &signals, parameters()).await.expect("coverage of nothing") {
            assert_eq!(coverage.parts.len(), 1, "{coverage:?}");
            assert_eq!(coverage.parts[0].untested.as_deref(), Some(NOTHING), "{coverage:?}");
        }
        let scores = scorecard(&ctx, &catalog, parameters(), "2026Q3".parse().expect("a quarter"), &[])
            .await
            .expect("a scorecard of nothing");
        assert_eq!(scores.len(), 6);
        assert!(scores.iter().all(|score| score.value.is_none() && score.trend().is_none()), "{scores:?}");
        // A mart takes a fact's columns by name: one that is missing would be empty without a word.
        let facts = ctx.table("facts.fact_monthly").await.expect("built");
        for field in Table::FactMonthly.schema().fields() {
            match facts.schema().field_with_unqualified_name(field.name()) {
                Ok(found) if found.data_type() == field.data_type() || *found.data_type() == DataType::Utf8View => {}
                Ok(found) => wrong.push(format!("facts.fact_monthly: {} is {}", field.name(), found.data_type())),
                Err(_) => wrong.push(format!("facts.fact_monthly: no column {}", field.name())),
            }
        }
        for (_, query) in catalog.folder("core") {
            run::plan(&ctx, query, parameters()).await.expect("a view");
        }
        // Where one of two names may match, neither is looked up: each row meets the whole crosswalk, for minutes at a cloud bill's length.
        for (_, query) in ["facts", "signals", "coverage", "scorecard"].into_iter().flat_map(|folder| catalog.folder(folder)) {
            let frame = run::plan(&ctx, query, parameters()).await.expect("a plan");
            let plan = frame.create_physical_plan().await.expect("a plan");
            let plan = displayable(plan.as_ref()).indent(false).to_string();
            let by_pairs = plan.lines().filter(|line| {
                line.contains("JoinExec")
                    && line
                        .split_once("filter=")
                        .is_some_and(|(_, filter)| filter.contains("normalise_id(") && filter.contains(" OR "))
            });
            wrong.extend(
                by_pairs.map(|line| format!("{}: an id is normalised for every pair of rows: {}", query.path, line.trim())),
            );
        }
        // Those that compare read two such lakes.
        for (name, query) in catalog.folder("history").filter(|(name, _)| !name.starts_with("compare")) {
            let (_, rows) = run::rows(&ctx, query, parameters()).await.expect(name);
            assert_eq!(rows.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 0, "{name}");
        }
        none_missing(&wrong);
    });
}

#[test]
fn staging_queries_give_every_column_its_type_and_never_make_money_a_float() {
    on_large_stack(async {
        let catalog = catalog();
        let mut wrong = Vec::new();
        let stagings = all_exports().flat_map(|export| {
            export.stagings().map(move |(table, name)| (export, table, format!("staging/{name}.sql"))).collect::<Vec<_>>()
        });
        for (export, target, path) in stagings {
            let text = catalog.text(&path).expect("a staging query");
            let ctx = session::context(1);
            let raw = MemTable::try_new(raw_schema(export.export), vec![Vec::new()]).expect("an empty table");
            ctx.register_table("raw", Arc::new(raw)).expect("registered");
            let frame = ctx.sql(text).await.expect(&path);
            let upper = code(text).to_uppercase();
            if ["DOUBLE", "FLOAT", "REAL)", " / "].iter().any(|word| upper.contains(word)) {
                wrong.push(format!("queries/{path}: floats or divides"));
            }
            for field in frame.schema().fields() {
                let schema = target.schema();
                let Ok(wanted) = schema.field_with_name(field.name()) else {
                    wrong.push(format!("queries/{path}: core.{} has no column {}", target.name(), field.name()));
                    continue;
                };
                let is_money = matches!(wanted.data_type(), DataType::Decimal128(_, _));
                if is_money && !matches!(field.data_type(), DataType::Decimal128(_, 18)) {
                    wrong.push(format!("queries/{path}: {} is {}", field.name(), field.data_type()));
                }
            }
        }
        none_missing(&wrong);
    });
}
