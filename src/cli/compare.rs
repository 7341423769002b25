//! `shortfall compare`.

use super::analyze::end_of_day;
use super::findings::Format;
use super::{Context, Exit, Failure, LakeArgument, OutputFormat, render, sql};
use crate::findings::compare::{Comparison, Request, compare};
use crate::lake::Lake;
use crate::month::Quarter;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Decimal128Type;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "gap: expected less billed. Of the gap that is known at the later date, `missed_then` was known by the month's cut-off \
                        and not billed; `late_not_rebilled` became known after it and no invoice covers it; `overbilled` is the \
                        customer's money, never netted. The cut-off is the date of \
                        the first invoice that covers the month, or what `billing_calendar.csv` says \
                        (system,customer_key,service_month,cutoff_date)."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    lake: LakeArgument,
    /// Quarter to compare, such as 2026Q3.
    #[arg(long)]
    quarter: Quarter,
    /// The earlier state: what was known at the end of this day.
    #[arg(long, value_name = "DATE")]
    before: String,
    /// The later state.
    #[arg(long, value_name = "DATE")]
    after: String,
    /// Folder with queries that add to or replace the built-in ones.
    #[arg(long, value_name = "DIR")]
    queries: Option<PathBuf>,
    /// How to write it; CSV and Parquet have the months, with all columns.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Rows of each table that are printed.
    #[arg(long, default_value_t = 40)]
    limit: usize,
}

/// Money that is summed by currency.
const SUMS: [&str; 14] = [
    "expected_before",
    "expected_after",
    "billed_before",
    "billed_after",
    "gap_before",
    "gap_after",
    "missed_then",
    "could_not_be_known",
    "late_not_rebilled",
    "overbilled",
    "rebilled",
    "known_in_time",
    "known_late",
    "rebilled_since",
];

/// What a person sees of a row; JSON has all columns.
const SHOWN: [&str; 13] = [
    "customer_key",
    "service_key",
    "month",
    "currency",
    "cutoff_date",
    "expected_before",
    "expected_after",
    "billed_before",
    "billed_after",
    "missed_then",
    "late_not_rebilled",
    "overbilled",
    "rebilled",
];

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let lake = Lake::open(&arguments.lake.lake)?;
    let request = Request {
        quarter: arguments.quarter,
        before: end_of_day(&arguments.before)?,
        after: end_of_day(&arguments.after)?,
        queries: arguments.queries.clone(),
        threads: context.threads,
    };
    if request.before >= request.after {
        return Err(Failure::usage(format!("--before {} is not before --after {}", arguments.before, arguments.after)));
    }
    let comparison = context.runtime.block_on(compare(&lake, &request))?;
    if context.output == OutputFormat::Text && matches!(arguments.format, Format::Csv | Format::Parquet | Format::Xlsx) {
        return sql::print(context, arguments.format, &[comparison.money]);
    }
    print(context, arguments, &comparison);
    Ok(Exit::Done)
}

fn print(context: &Context, arguments: &Arguments, comparison: &Comparison) {
    let totals = totals(&comparison.money);
    if context.output == OutputFormat::Json || arguments.format == Format::Json {
        let totals: Vec<Value> = totals
            .iter()
            .map(|(currency, sums)| {
                let mut object = Map::from_iter([("currency".to_owned(), Value::from(currency.as_str()))]);
                object.extend(sums.iter().map(|(name, sum)| ((*name).to_owned(), sum.normalize().to_string().into())));
                Value::Object(object)
            })
            .collect();
        render::document(&json!({
            "quarter": arguments.quarter.to_string(), "before": arguments.before, "after": arguments.after,
            "cutoff_dates": comparison.cutoffs, "totals": totals, "months": objects(&comparison.money), "sources": objects(&comparison.sources),
        }));
        return;
    }
    let quarter = arguments.quarter;
    if comparison.money.num_rows() == 0 && comparison.sources.num_rows() == 0 {
        render::lines(&format!("{quarter}: nothing was learnt between {} and {}", arguments.before, arguments.after));
        return;
    }
    render::lines("what was said otherwise");
    let all: Vec<String> = comparison.sources.schema().fields().iter().map(|field| field.name().clone()).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    table(&comparison.sources, &all, arguments.limit);
    render::lines("what it means in money");
    table(&comparison.money, &SHOWN, arguments.limit);
    for (currency, sums) in totals {
        let of = |name: &str| sums.get(name).copied().unwrap_or_default().normalize();
        render::lines(&format!(
            "{quarter}: gap {} {currency} as of {}, {} {currency} as of {}: {} {currency} missed then, {} {currency} came late and was \
             never rebilled, {} {currency} billed too much ({} {currency} could not be known at the cut-off; {} {currency} rebilled after it)",
            of("gap_before"),
            arguments.before,
            of("gap_after"),
            arguments.after,
            of("missed_then"),
            of("late_not_rebilled"),
            of("overbilled"),
            of("could_not_be_known"),
            of("rebilled"),
        ));
    }
}

fn table(rows: &RecordBatch, columns: &[&str], limit: usize) {
    let mut right = Vec::new();
    for (at, name) in columns.iter().enumerate() {
        if rows.column_by_name(name).is_some_and(|column| column.data_type().is_numeric()) {
            right.push(at);
        }
    }
    let line = |row: usize| columns.iter().map(|name| cell(rows, name, row).unwrap_or_default()).collect();
    let lines: Vec<Vec<String>> = (0..rows.num_rows().min(limit)).map(line).collect();
    render::table(columns, &lines, &right);
    if rows.num_rows() > limit {
        render::lines(&format!("and {} more; --limit or --output json shows all", rows.num_rows() - limit));
    }
}

fn objects(rows: &RecordBatch) -> Vec<Value> {
    let schema = rows.schema();
    let object = |row: usize| {
        let cells = schema.fields().iter().map(|field| (field.name().clone(), cell(rows, field.name(), row).into()));
        Value::Object(cells.collect())
    };
    (0..rows.num_rows()).map(object).collect()
}

/// Sums of money by currency; months without a price count with what was billed alone.
fn totals(rows: &RecordBatch) -> BTreeMap<String, BTreeMap<&'static str, Decimal>> {
    let mut totals: BTreeMap<String, BTreeMap<&'static str, Decimal>> = BTreeMap::new();
    for row in 0..rows.num_rows() {
        let sums = totals.entry(cell(rows, "currency", row).unwrap_or_default()).or_default();
        for name in SUMS {
            let amount = cell(rows, name, row).and_then(|text| text.parse::<Decimal>().ok());
            *sums.entry(name).or_default() += amount.unwrap_or_default();
        }
    }
    totals
}

/// A cell as text; decimals without padding zeros.
fn cell(rows: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = rows.column_by_name(name)?;
    if column.is_null(row) {
        return None;
    }
    if let Some(amounts) = column.as_primitive_opt::<Decimal128Type>() {
        let text = amounts.value_as_string(row);
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        return Some(text.to_owned());
    }
    ArrayFormatter::try_new(column, &FormatOptions::default()).ok().map(|cells| cells.value(row).to_string())
}
