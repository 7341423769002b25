//! The statements of an evidence pack: for DuckDB, each figure of a finding from the rows that the pack holds.
//!
//! 1. `cell`: the signal's own query, as it stands in `queries/signals`, its parameters filled in, over the facts of the pack.
//! 2. `own`, `counted`: the finding's months, and what of their money is counted here rather than with findings that claim it first
//!    (`findings/overlap`).
//! 3. `figure`: what the finding states, and what these rows give. Money and texts must be the same; a quantity or price is written with at
//!    most four decimals, and must be the same to these.
//!
//! The false discovery rate is controlled over all series of a run, of which a pack holds one: its q is filled in as the run had it. All else
//! is computed again, the kernels that a signal's query calls too; those that facts have called are in the facts' rows.

use super::figures::figures;
use super::schema::{Basis, Finding};
use super::signal::Signal;
use crate::money::minor_units;
use crate::query::run::Parameters;
use crate::query::text_literal;
use std::fmt::Write as _;

/// What the signal's query says of its rows besides the required columns.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// Rows say whose money they are.
    pub basis: bool,
    /// Rows state the lower end of their amount.
    pub amount_low: bool,
    /// Rows state its upper end.
    pub amount_high: bool,
    /// The finding's scope, where rows have one.
    pub scope: Option<String>,
}

/// A condition that a key is this one, or that there is none.
#[must_use]
pub fn is_same(column: &str, key: Option<&str>) -> String {
    key.map_or_else(|| format!("{column} IS NULL"), |key| format!("{column} = {}", text_literal(key)))
}

/// The statements for DuckDB over `facts`.
#[must_use]
pub fn recompute(finding: &Finding, signal: &Signal, columns: &Columns, facts: &[&str], parameters: Parameters) -> String {
    let mut sql = String::new();
    let mut put = |text: &str| {
        let _ = writeln!(sql, "{text}");
    };
    put(&format!("-- Finding {}, {}, {}", finding.finding_id, finding.signal, finding.quarter));
    put(&format!("-- {}", finding.explanation.replace('\n', " ")));
    put("-- In this folder: duckdb -c \".read recompute.sql\"");
    put(&macros(&finding.currency));
    put("CREATE SCHEMA IF NOT EXISTS facts;");
    for fact in facts {
        put(&format!("CREATE VIEW facts.{fact} AS SELECT * FROM 'facts/{fact}.parquet';"));
    }
    put("CREATE VIEW claim AS SELECT * FROM 'claim.parquet';");
    put("CREATE VIEW billed_line AS SELECT * FROM 'billed_line.parquet';");
    put(&format!("\n-- 1. The signal: queries/signals/{}.sql\nCREATE TABLE cell AS", signal.id));
    put(&format!("{};", for_duckdb(&filled(&signal.query.text, parameters), finding.q_value).trim_end()));
    put(&own(finding, columns));
    put("\n-- 3. Each figure of the sentence, the money with its interval, and each month's revenue from the invoice lines.");
    put("CREATE TABLE figure AS");
    put(&stated(finding, signal));
    put("SELECT figure, stated, recomputed,\n       \
         coalesce(abs(TRY_CAST(stated AS DECIMAL(38, 18)) - TRY_CAST(recomputed AS DECIMAL(38, 18))) <= within, stated = recomputed, false) AS agrees\n\
         FROM figure;");
    sql
}

/// The finding's months, and what they are counted for.
fn own(finding: &Finding, columns: &Columns) -> String {
    let mut conditions = vec![
        is_same("customer_key", finding.customer_key.as_deref()),
        is_same("service_key", finding.service_key.as_deref()),
        is_same("currency", Some(&finding.currency)),
    ];
    if columns.basis {
        conditions.push(is_same("basis", Some(finding.basis.as_str())));
    }
    if let Some(scope) = &columns.scope {
        conditions.push(is_same("scope", Some(scope)));
    }
    let end = |is_stated: bool, column: &str, limit: &str| match is_stated {
        true => format!("{limit}(coalesce(own.{column}, own.amount), own.amount)"),
        false => "own.amount".to_owned(),
    };
    format!(
        "\n-- 2. Its months, and what of their money is counted here: what others claim first is not.\n\
         CREATE TABLE own AS\nSELECT * FROM cell\nWHERE {} AND month <= DATE '{}';\n\
         CREATE TABLE counted AS\n\
         WITH taken AS (SELECT month, sum(counted) AS taken FROM claim WHERE claims_first GROUP BY month),\n\
         rest AS (\n  SELECT own.month, own.amount, {} AS amount_low, {} AS amount_high, coalesce(taken.taken, 0) AS taken,\n         \
         CASE WHEN own.amount > coalesce(taken.taken, 0) THEN own.amount - coalesce(taken.taken, 0) ELSE 0 END AS rest\n  \
         FROM own LEFT JOIN taken ON own.month = taken.month\n  WHERE own.month >= DATE '{}'\n)\n\
         SELECT month, amount, amount_low, amount_high, CASE WHEN taken > 0 AND 10 * rest < amount THEN 0 ELSE rest END AS counted FROM rest;",
        conditions.join(" AND "),
        finding.quarter.last_month().first_day(),
        end(columns.amount_low, "amount_low", "least"),
        end(columns.amount_high, "amount_high", "greatest"),
        finding.quarter.first_month().first_day()
    )
}

/// What a figure is computed from.
enum Source {
    /// An expression over tables, rounded to the minor unit.
    Money(&'static str),
    /// `SELECT <this> FROM <that>`, as text.
    Text(String, &'static str),
    /// A column of the last month's row.
    Column(String),
}

const LAST_MONTH: &str = "own WHERE month = (SELECT max(month) FROM own)";
const COUNTED: &str = "sum(counted)";
const NOTHING: &str = "0 * count(*)";
/// The interval of the whole, moved by what others claim.
const LOW: &str = "least(greatest(sum(amount_low) - sum(amount) + sum(counted), 0), sum(counted))";
const HIGH: &str =
    "CASE WHEN sum(counted) = 0 THEN 0 ELSE greatest(sum(amount_high) - sum(amount) + sum(counted), sum(counted)) END";

fn source(name: &str, finding: &Finding) -> Source {
    let is_customers = finding.basis == Basis::Overbilling;
    let known_as = |column: &str, fact: &str, key: &str, nobody: &str| {
        let subject = key.strip_suffix("_key").unwrap_or(key);
        let key_of = if subject == "customer" { &finding.customer_key } else { &finding.service_key };
        let named = is_same(key, key_of.as_deref());
        let text =
            format!("coalesce((SELECT min({column}) FROM facts.{fact} WHERE {named}), max({key}), {})", text_literal(nobody));
        Source::Text(text, "own")
    };
    match name {
        "customer" => known_as("customer_name", "customer_alias", "customer_key", "all customers"),
        "service" => known_as("service_name", "service_alias", "service_key", "all services"),
        "currency" => Source::Text("max(currency)".to_owned(), "own"),
        "leakage" => Source::Money(if is_customers { NOTHING } else { COUNTED }),
        "leakage_low" => Source::Money(if is_customers { NOTHING } else { LOW }),
        "leakage_high" => Source::Money(if is_customers { NOTHING } else { HIGH }),
        "overbilled" => Source::Money(if is_customers { COUNTED } else { NOTHING }),
        "money" => Source::Money(COUNTED),
        "months" => Source::Text("CAST(count(*) AS VARCHAR)".to_owned(), "counted"),
        "last_month" => Source::Text("substr(CAST(max(month) AS VARCHAR), 1, 7)".to_owned(), "own"),
        // A pause of up to two months belongs to the condition.
        "first_month" => Source::Text(
            "substr(CAST(max(month) AS VARCHAR), 1, 7)".to_owned(),
            "(\n    SELECT month, lag(month) OVER (ORDER BY month) AS before FROM own\n  ) AS step \
             WHERE before IS NULL OR month > before + INTERVAL '3 months'",
        ),
        column => Source::Column(column.to_owned()),
    }
}

/// One SELECT per figure.
fn stated(finding: &Finding, signal: &Signal) -> String {
    let mut wanted = figures(&signal.explanation, finding);
    for (name, value) in [
        ("leakage", finding.leakage.to_string()),
        ("leakage_low", finding.leakage_low.to_string()),
        ("leakage_high", finding.leakage_high.to_string()),
        ("overbilled", finding.overbilled.to_string()),
        ("first_month", finding.first_month.to_string()),
        ("last_month", finding.last_month.to_string()),
    ] {
        wanted.push((name.to_owned(), value));
    }
    let mut selects: Vec<String> = Vec::new();
    for (at, (name, value)) in wanted.iter().enumerate() {
        if wanted[..at].contains(&(name.clone(), value.clone())) {
            continue;
        }
        let (recomputed, from, within) = match source(name, finding) {
            Source::Money(sum) => {
                let rounded = format!("round_money(CAST({sum} AS DECIMAL(38, 18)), {})", text_literal(&finding.currency));
                (format!("CAST({rounded} AS VARCHAR)"), "counted", "0")
            }
            Source::Text(text, from) => (text, from, "0"),
            // Written with four decimals at most.
            Source::Column(column) => (format!("coalesce(CAST({column} AS VARCHAR), '?')"), LAST_MONTH, "0.00006"),
        };
        selects.push(format!(
            "SELECT '{name}' AS figure, {} AS stated, {recomputed} AS recomputed, CAST({within} AS DECIMAL(38, 18)) AS within FROM {from}",
            text_literal(value)
        ));
    }
    selects.push(format!(
        "SELECT 'revenue ' || substr(CAST(fact.month AS VARCHAR), 1, 7), CAST(coalesce(fact.revenue, 0) AS VARCHAR),\n       \
         CAST(coalesce(sum(line.amount), 0) AS VARCHAR), CAST(0 AS DECIMAL(38, 18))\nFROM facts.fact_monthly AS fact\nLEFT JOIN billed_line AS line\n  \
         ON fact.customer_key = line.customer_key AND fact.service_key = line.service_key AND fact.currency = line.currency\n  \
         AND fact.month = line.month AND line.kind IN ('recurring', 'usage')\n\
         WHERE fact.month BETWEEN DATE '{}' AND DATE '{}'\n\
         GROUP BY fact.customer_key, fact.service_key, fact.currency, fact.month, fact.revenue",
        finding.quarter.first_month().first_day(),
        finding.quarter.last_month().first_day()
    ));
    format!("{};", selects.join("\nUNION ALL\n"))
}

/// Functions of Shortfall that a signal may call, for DuckDB. A product of decimals is taken in two parts of nine digits after the point, a
/// quotient is put right by its remainder, as the engine's are exact to 18 digits and DuckDB's have scale or digits for one part only.
fn macros(currency: &str) -> String {
    let digits = minor_units(currency);
    let (up, down) =
        (10_u64.pow(digits), if digits == 0 { "1".to_owned() } else { format!("0.{}1", "0".repeat(digits as usize - 1)) });
    let rounding = format!(
        "-- Half to even, at the minor unit of {currency}.\n\
         CREATE OR REPLACE MACRO round_money(amount, currency) AS CAST(\n  \
         (floor(amount * {up}) + CASE WHEN amount * {up} - floor(amount * {up}) > 0.5\n    \
         OR (amount * {up} - floor(amount * {up}) = 0.5 AND CAST(floor(amount * {up}) AS HUGEINT) % 2 <> 0) THEN 1 ELSE 0 END) * {down}\n  \
         AS DECIMAL(38, 18));"
    );
    format!("\n{}\n{rounding}", include_str!("duckdb_macros.sql").trim_end())
}

/// The few words in which DuckDB differs.
fn for_duckdb(sql: &str, q_value: Option<f64>) -> String {
    let q = format!("CAST({} AS DOUBLE)", q_value.unwrap_or(1.0));
    let mut text = sql.replace("* EXCEPT (", "* EXCLUDE (").replace("bh_adjust(p_value) OVER ()", &q);
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
