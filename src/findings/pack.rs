//! An evidence pack: the rows behind one finding as Parquet and CSV, and the SQL by which DuckDB computes each number of its sentence again.
//!
//! | file | holds |
//! | --- | --- |
//! | `finding.parquet` | the finding as `marts.finding` has it |
//! | `facts/<fact>.parquet` | what the signal's query reads: of facts by customer and service the finding's rows, of others all |
//! | `claim.parquet` | what other findings are counted for in the same months, and which of them claim first |
//! | `billed_line.parquet` | invoice lines of the finding's months, shared over service months |
//! | `source_rows.csv` | the lines of the exports: file, row, text |
//! | `recompute.sql` | the signal's own query and what follows from it, for DuckDB |
//!
//! `duckdb -c ".read recompute.sql"` in the folder prints a table of every figure: stated, recomputed, whether they agree. The signal's query is
//! not copied by hand: it is the text of `queries/signals`, with its parameters filled in, and the functions that DuckDB lacks defined as
//! macros. What that cannot repeat: a quotient has the 15 digits of a double; the adjustment of p-values over all series needs all of
//! them, so `recompute.sql` leaves p as it is (q is at least p). If the lake has learnt more since the analysis, figures differ, and say
//! so: analyse again.

use super::analyze::{AnalyzeError, findings_of, parameters, texts};
use super::explain::source_rows;
use super::marts::{self, Run};
use super::schema::{Basis, Finding};
use super::signal::Signal;
use super::status::is_open;
use crate::lake::{Lake, truth};
use crate::money::minor_units;
use crate::query::catalog::Catalog;
use crate::query::header::Header;
use crate::query::run::{Parameters, build_facts};
use crate::query::session;
use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use chrono::DateTime;
use datafusion::common::TableReference;
use datafusion::prelude::SessionContext;
use parquet::arrow::ArrowWriter;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a pack could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The lake could not be read.
    #[error(transparent)]
    Analyze(#[from] AnalyzeError),
    /// The folder could not be written.
    #[error("could not write `{}`: {detail}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
    /// The finding's signal is not in this program.
    #[error("signal `{0}` has no query here; `--queries DIR` names the folder that it came from")]
    NoSignal(String),
    /// There is nothing to recompute.
    #[error("finding `{0}` is resolved; a pack shows the money of one that is not")]
    Resolved(String),
}

impl PackError {
    fn write(path: &Path, detail: &impl ToString) -> Self {
        Self::Write { path: path.to_owned(), detail: detail.to_string() }
    }
}

/// Writes the pack of the finding whose id begins with `id`; `None` if the run has none.
///
/// # Errors
/// [`PackError`].
pub async fn pack(
    lake: &Lake,
    run: &Run,
    id: &str,
    folder: &Path,
    queries: Option<&Path>,
    threads: usize,
) -> Result<Option<Finding>, PackError> {
    let Some(finding) = findings_of(lake, run).await?.into_iter().find(|f| f.finding_id.starts_with(id)) else {
        return Ok(None);
    };
    if !is_open(&finding) {
        return Err(PackError::Resolved(finding.finding_id));
    }
    let catalog = Catalog::load(queries).map_err(AnalyzeError::from)?;
    let signals = Signal::load_all(&catalog).map_err(AnalyzeError::from)?;
    let Some(signal) = signals.iter().find(|signal| signal.id == finding.signal) else {
        return Err(PackError::NoSignal(finding.signal));
    };
    let ctx = session::context(threads);
    let as_of = run.as_of.and_then(DateTime::from_timestamp_micros);
    truth::register(&ctx, lake, as_of).await.map_err(AnalyzeError::from)?;
    marts::register(&ctx, lake, Some(run)).await.map_err(AnalyzeError::from)?;
    let parameters = parameters(lake, finding.quarter, as_of).await.map_err(AnalyzeError::from)?;
    let header = Header::parse(&signal.query.text);
    let reads = header.list("reads");
    let facts: Vec<&str> = reads.iter().filter_map(|read| read.strip_prefix("facts.")).collect();
    let mut wanted = facts.clone();
    wanted.extend(["fact_monthly", "billed_line", "customer_alias", "service_alias"]);
    build_facts(&ctx, &catalog, parameters, Some(&wanted)).await.map_err(AnalyzeError::from)?;
    std::fs::create_dir_all(folder.join("facts")).map_err(|e| PackError::write(folder, &e))?;
    let mut shown = facts;
    if !shown.contains(&"fact_monthly") {
        shown.push("fact_monthly");
    }
    for fact in &shown {
        let rows = of_subject(&ctx, fact, &finding).await?;
        write_parquet(&folder.join(format!("facts/{fact}.parquet")), &rows)?;
    }
    let own = format!("SELECT * FROM marts.finding WHERE finding_id = '{}'", finding.finding_id);
    write_parquet(&folder.join("finding.parquet"), &texts(&ctx, &own).await?)?;
    write_parquet(&folder.join("claim.parquet"), &claims(&ctx, &finding, signal, &signals).await?)?;
    let lines = of_subject(&ctx, "billed_line", &finding).await?;
    write_parquet(&folder.join("billed_line.parquet"), &lines)?;
    let (rows, _) = source_rows(&ctx, lake, &finding, usize::MAX).await?;
    write_source_rows(&folder.join("source_rows.csv"), &rows)?;
    let sql = recompute(&finding, signal, &shown, parameters);
    let path = folder.join("recompute.sql");
    std::fs::write(&path, sql).map_err(|e| PackError::write(&path, &e))?;
    Ok(Some(finding))
}

/// Rows of a fact: those of the finding's customer and service where it has these columns.
async fn of_subject(ctx: &SessionContext, fact: &str, finding: &Finding) -> Result<Vec<RecordBatch>, AnalyzeError> {
    let failed = AnalyzeError::engine("reading the evidence");
    let table = ctx.table(TableReference::partial("facts", fact)).await.map_err(&failed)?;
    let schema = table.schema().as_arrow().clone();
    let mut conditions = Vec::new();
    for (column, key) in [("customer_key", &finding.customer_key), ("service_key", &finding.service_key)] {
        if let (Some(key), true) = (key, schema.field_with_name(column).is_ok()) {
            conditions.push(format!("{column} = {}", quoted(key)));
        }
    }
    let filter = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let mut rows = texts(ctx, &format!("SELECT * FROM facts.{fact}{filter}")).await?;
    if rows.is_empty() {
        rows.push(RecordBatch::new_empty(Arc::new(schema)));
    }
    Ok(rows)
}

/// What the findings of the run are counted for on the finding's customer and service, and whether they claim before it.
async fn claims(
    ctx: &SessionContext,
    finding: &Finding,
    signal: &Signal,
    signals: &[Signal],
) -> Result<Vec<RecordBatch>, AnalyzeError> {
    let same = |column: &str, key: &Option<String>| match key {
        Some(key) => format!("evidence.{column} = {}", quoted(key)),
        None => format!("evidence.{column} IS NULL"),
    };
    let sql = format!(
        "SELECT evidence.finding_id, finding.signal, evidence.month, evidence.counted
         FROM marts.finding_evidence AS evidence JOIN marts.finding AS finding ON evidence.finding_id = finding.finding_id
         WHERE {} AND {} AND evidence.currency = {} ORDER BY finding.signal, evidence.month",
        same("customer_key", &finding.customer_key),
        same("service_key", &finding.service_key),
        quoted(&finding.currency)
    );
    // Those before it in the order of precedence, unless its header says that its money lies beside theirs.
    let before = signals.iter().take_while(|other| other.id != signal.id);
    let first: Vec<&str> = before
        .filter(|other| {
            let is_shared = finding.basis == Basis::Cost || (finding.basis == Basis::Revenue && other.basis == Basis::Revenue);
            is_shared && other.basis != Basis::Overbilling && !signal.adds_to.contains(&other.id)
        })
        .map(|other| other.id.as_str())
        .collect();
    let mut rows = Vec::new();
    for batch in texts(ctx, &sql).await? {
        let is_first: BooleanArray = (0..batch.num_rows())
            .map(|row| super::analyze::text_at(&batch, 1, row).map(|id| Some(first.contains(&id.as_str()))))
            .collect::<Result<_, _>>()?;
        let mut fields: Vec<Field> = batch.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
        fields.push(Field::new("claims_first", DataType::Boolean, true));
        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        columns.push(Arc::new(is_first));
        let row = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns);
        rows.push(row.map_err(AnalyzeError::arrow("reading the evidence"))?);
    }
    Ok(rows)
}

fn write_parquet(path: &Path, rows: &[RecordBatch]) -> Result<(), PackError> {
    let Some(first) = rows.first() else { return Ok(()) };
    let failed = |e: &dyn std::fmt::Display| PackError::write(path, &e);
    let file = std::fs::File::create(path).map_err(|e| failed(&e))?;
    let mut writer = ArrowWriter::try_new(file, first.schema(), None).map_err(|e| failed(&e))?;
    for batch in rows {
        writer.write(batch).map_err(|e| failed(&e))?;
    }
    writer.close().map(drop).map_err(|e| failed(&e))
}

fn write_source_rows(path: &Path, rows: &[super::explain::SourceRow]) -> Result<(), PackError> {
    let failed = |e: &dyn std::fmt::Display| PackError::write(path, &e);
    let mut writer = csv::Writer::from_path(path).map_err(|e| failed(&e))?;
    writer.write_record(["kind", "file", "batch_id", "source_row", "line"]).map_err(|e| failed(&e))?;
    for row in rows {
        let number = row.source_row.to_string();
        writer.write_record([&row.kind, &row.file, &row.batch_id, &number, &row.line]).map_err(|e| failed(&e))?;
    }
    writer.flush().map_err(|e| failed(&e))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The values that the sentence states for the template's placeholders, in its order.
#[must_use]
pub fn figures(template: &str, finding: &Finding) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let (mut template, mut text) = (template, finding.explanation.as_str());
    while let Some((before, rest)) = template.split_once('{') {
        let Some((name, after)) = rest.split_once('}') else { break };
        let Some(following) = text.strip_prefix(before) else { break };
        let literal = after.split('{').next().unwrap_or_default();
        let known = match name {
            "customer" => finding.customer_name.clone(),
            "service" => finding.service_name.clone(),
            _ => None,
        };
        // Names may hold anything; figures do not hold the words that follow them.
        let length = match known.filter(|known| following.starts_with(known.as_str())) {
            Some(known) => known.len(),
            None if literal.is_empty() => following.len(),
            None => following.find(literal).unwrap_or(following.len()),
        };
        let (value, rest) = following.split_at(length);
        found.push((name.to_owned(), value.to_owned()));
        (template, text) = (after, rest);
    }
    found
}

/// The statements for DuckDB.
fn recompute(finding: &Finding, signal: &Signal, facts: &[&str], parameters: Parameters) -> String {
    let mut sql = String::new();
    let put = |sql: &mut String, text: &str| {
        let _ = writeln!(sql, "{text}");
    };
    put(&mut sql, &format!("-- Finding {}, {}, {}", finding.finding_id, finding.signal, finding.quarter));
    put(&mut sql, &format!("-- {}", finding.explanation.replace('\n', " ")));
    put(&mut sql, "-- In this folder: duckdb -c \".read recompute.sql\"");
    put(&mut sql, &macros(&finding.currency));
    put(&mut sql, "CREATE SCHEMA IF NOT EXISTS facts;");
    for fact in facts {
        put(&mut sql, &format!("CREATE VIEW facts.{fact} AS SELECT * FROM 'facts/{fact}.parquet';"));
    }
    put(&mut sql, "CREATE VIEW claim AS SELECT * FROM 'claim.parquet';");
    put(&mut sql, "CREATE VIEW billed_line AS SELECT * FROM 'billed_line.parquet';");
    put(&mut sql, &format!("\n-- 1. The signal: queries/signals/{}.sql\nCREATE TABLE cell AS", signal.id));
    put(&mut sql, &format!("{};", filled(&for_duckdb(&signal.query.text), parameters).trim_end()));
    let same = |column: &str, key: &Option<String>| match key {
        Some(key) => format!("{column} = {}", quoted(key)),
        None => format!("{column} IS NULL"),
    };
    // A signal may speak of two kinds of money.
    let own_basis = if signal.query.text.contains(" AS basis") {
        format!(" AND basis = {}", quoted(finding.basis.as_str()))
    } else {
        String::new()
    };
    put(
        &mut sql,
        &format!(
            "\n-- 2. Its months, and what of their money is counted here: what others claim first is not.\n\
             CREATE TABLE own AS\nSELECT * FROM cell\nWHERE {} AND {} AND currency = {}{own_basis} AND month <= DATE '{}';",
            same("customer_key", &finding.customer_key),
            same("service_key", &finding.service_key),
            quoted(&finding.currency),
            finding.quarter.last_month().first_day()
        ),
    );
    put(
        &mut sql,
        &format!(
            "CREATE TABLE counted AS\n\
             WITH taken AS (SELECT month, sum(counted) AS taken FROM claim WHERE claims_first GROUP BY month),\n\
             rest AS (\n  SELECT own.month, own.amount, coalesce(taken.taken, 0) AS taken,\n         \
             CASE WHEN own.amount > coalesce(taken.taken, 0) THEN own.amount - coalesce(taken.taken, 0) ELSE 0 END AS rest\n  \
             FROM own LEFT JOIN taken ON own.month = taken.month\n  WHERE own.month >= DATE '{}'\n)\n\
             SELECT month, amount, CASE WHEN taken > 0 AND 10 * rest < amount THEN 0 ELSE rest END AS counted FROM rest;",
            finding.quarter.first_month().first_day()
        ),
    );
    put(&mut sql, "\n-- 3. Each figure of the sentence, and each month's revenue from the invoice lines.");
    put(&mut sql, "CREATE TABLE figure AS");
    put(&mut sql, &stated(finding, signal));
    put(
        &mut sql,
        "SELECT figure, stated, recomputed,\n       \
         coalesce(abs(TRY_CAST(stated AS DOUBLE) - TRY_CAST(recomputed AS DOUBLE)) < 0.00006, stated = recomputed, false) AS agrees\n\
         FROM figure;",
    );
    sql
}

/// One SELECT per figure.
fn stated(finding: &Finding, signal: &Signal) -> String {
    // A finding that corroborates tells of the money that is counted with another.
    let told = if finding.leakage.is_zero() && finding.overbilled.is_zero() { "amount" } else { "counted" };
    let money = format!(
        "CAST(round_money(CAST(sum({told}) AS DECIMAL(38, 18)), {}) AS VARCHAR) FROM counted",
        quoted(&finding.currency)
    );
    let mut selects = Vec::new();
    for (name, value) in figures(&signal.explanation, finding) {
        let recomputed = match name.as_str() {
            "customer" | "service" | "currency" => continue,
            "leakage" if finding.basis == Basis::Overbilling => continue,
            "leakage" | "overbilled" | "money" => money.clone(),
            "months" => "CAST(count(*) AS VARCHAR) FROM counted".to_owned(),
            "last_month" => "substr(CAST(max(month) AS VARCHAR), 1, 7) FROM own".to_owned(),
            // A pause of up to two months belongs to the condition.
            "first_month" => "substr(CAST(max(month) AS VARCHAR), 1, 7) FROM (
    SELECT month, lag(month) OVER (ORDER BY month) AS before FROM own
  ) AS step WHERE before IS NULL OR month > before + INTERVAL '3 months'"
                .to_owned(),
            column => format!("CAST({column} AS VARCHAR) FROM own WHERE month = (SELECT max(month) FROM own)"),
        };
        selects.push(format!("SELECT '{name}' AS figure, {} AS stated, {recomputed} AS recomputed", quoted(&value)));
    }
    // `... FROM x AS recomputed` would name the table: the name goes before FROM.
    for select in &mut selects {
        if let Some(end) = select.strip_suffix(" AS recomputed") {
            *select = end.replacen(" FROM ", " AS recomputed FROM ", 1);
        }
    }
    selects.push(format!(
        "SELECT 'revenue ' || substr(CAST(fact.month AS VARCHAR), 1, 7), CAST(coalesce(fact.revenue, 0) AS VARCHAR),\n       \
         CAST(coalesce(sum(line.amount), 0) AS VARCHAR)\nFROM facts.fact_monthly AS fact\nLEFT JOIN billed_line AS line\n  \
         ON fact.customer_key = line.customer_key AND fact.service_key = line.service_key AND fact.currency = line.currency\n  \
         AND fact.month = line.month AND line.kind IN ('recurring', 'usage')\n\
         WHERE fact.month BETWEEN DATE '{}' AND DATE '{}'\n\
         GROUP BY fact.customer_key, fact.service_key, fact.currency, fact.month, fact.revenue",
        finding.quarter.first_month().first_day(),
        finding.quarter.last_month().first_day()
    ));
    format!("{};", selects.join("\nUNION ALL\n"))
}

/// Functions of Shortfall that a signal may call, for DuckDB.
fn macros(currency: &str) -> String {
    let digits = minor_units(currency);
    let (up, down) =
        (10_u64.pow(digits), if digits == 0 { "1".to_owned() } else { format!("0.{}1", "0".repeat(digits as usize - 1)) });
    format!(
        "\n-- Decimals of nine digits on each side multiply exactly.\n\
         CREATE OR REPLACE MACRO exact_product(a, b) AS CAST(a AS DECIMAL(38, 9)) * CAST(b AS DECIMAL(38, 9));\n\
         CREATE OR REPLACE MACRO exact_quotient(a, b) AS CASE WHEN b <> 0 THEN CAST(CAST(a AS DOUBLE) / CAST(b AS DOUBLE) AS DECIMAL(38, 18)) END;\n\
         CREATE OR REPLACE MACRO to_char(instant, format) AS strftime(instant, format);\n\
         -- Half to even, at the minor unit of {currency}.\n\
         CREATE OR REPLACE MACRO round_money(amount, currency) AS CAST(\n  \
         (floor(amount * {up}) + CASE WHEN amount * {up} - floor(amount * {up}) > 0.5\n    \
         OR (amount * {up} - floor(amount * {up}) = 0.5 AND CAST(floor(amount * {up}) AS HUGEINT) % 2 <> 0) THEN 1 ELSE 0 END) * {down}\n  \
         AS DECIMAL(38, 18));"
    )
}

/// The few words in which DuckDB differs.
fn for_duckdb(sql: &str) -> String {
    let mut text = sql.replace("* EXCEPT (", "* EXCLUDE (").replace("bh_adjust(", "max(");
    // As an aggregate, `first_value(x ORDER BY y)` is `first(x ORDER BY y)`.
    let mut from = 0;
    while let Some(at) = text[from..].find("first_value(").map(|at| at + from) {
        let open = at + "first_value(".len();
        let inside = text[open..].split(')').next().unwrap_or_default();
        if inside.contains(" ORDER BY ") {
            text.replace_range(at..open, "first(");
        }
        from = at + 1;
    }
    text
}

/// A query with its `$parameters` as literals.
fn filled(sql: &str, parameters: Parameters) -> String {
    let date = |day: chrono::NaiveDate| format!("DATE '{day}'");
    let values = [
        ("$quarter_start", date(parameters.quarter_start)),
        ("$last_month", date(parameters.last_month)),
        ("$first_day", date(parameters.first_day)),
        ("$window_start", date(parameters.window_start)),
        ("$min_months", parameters.min_months.to_string()),
        ("$max_q", parameters.max_q.to_string()),
    ];
    values.iter().fold(sql.to_owned(), |sql, (name, value)| sql.replace(name, value))
}
