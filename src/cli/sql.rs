//! `shortfall sql`.

use super::analyze::end_of_day;
use super::findings::{Format, parquet_of};
use super::{Context, Exit, Failure, LakeArgument, OutputFormat, render};
use crate::bi;
use crate::findings::marts;
use crate::lake::Lake;
use crate::lake::truth;
use crate::query::catalog::{Catalog, Query};
use crate::query::run::QueryError;
use crate::query::session;
use crate::query::views;
use crate::report::rows_book;
use crate::spreadsheet::guarded;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Decimal128Type;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::DataFusionError;
use datafusion::execution::context::SQLOptions;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    lake: LakeArgument,
    /// One SELECT. Schemas: `core` (current truth), `core_history` (every version), `marts`, `bi` (the star that `export` writes).
    query: String,
    /// Only what was known at the end of this day.
    #[arg(long, value_name = "DATE")]
    as_of: Option<String>,
    /// How to write the rows. In CSV, text that a spreadsheet would take for a formula begins with an apostrophe; JSON and Parquet are exact; a
    /// workbook's numbers have 15 digits.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The same as `--format csv`.
    #[arg(long, conflicts_with = "format")]
    csv: bool,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let lake = Lake::open(&arguments.lake.lake)?;
    let as_of = arguments.as_of.as_deref().map(end_of_day).transpose()?;
    let query = Query { path: "query".to_owned(), text: arguments.query.clone() };
    let batches = context.runtime.block_on(async {
        let ctx = session::context(context.threads);
        let catalog = Catalog::load(None)?;
        if asks_for_star(&query.text) {
            bi::register(&ctx, &lake, &catalog, as_of, bi::CALENDAR_YEAR).await?;
        } else {
            truth::register(&ctx, &lake, as_of).await?;
            marts::register(&ctx, &lake, None).await?;
            views::register_for(&ctx, &catalog, &query.text).await?;
        }
        // Money is compared with what the user wrote, not with the nearest binary fraction.
        ctx.state_ref().write().config_mut().options_mut().sql_parser.parse_float_as_decimal = true;
        // Reading only: no statement of a user creates, writes or sets anything.
        let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        let failed = |e: DataFusionError| Failure::from(QueryError::from_engine(&query, &e));
        let frame = ctx.sql_with_options(&query.text, options).await.map_err(failed)?;
        let schema = frame.schema().as_arrow().clone();
        let mut batches = frame.collect().await.map_err(failed)?;
        if batches.is_empty() {
            batches.push(RecordBatch::new_empty(schema.into()));
        }
        Ok::<_, Failure>(batches)
    })?;
    print(context, if arguments.csv { Format::Csv } else { arguments.format }, &batches)
}

/// Whether a query may look at the star, which takes planning: at its schema, a dimension, or the list of tables.
fn asks_for_star(query: &str) -> bool {
    let text = query.to_lowercase();
    ["bi.", "dim_", "information_schema", "show tables"].iter().any(|word| text.contains(word))
}

/// Rows as they are asked for; at least one batch.
pub(super) fn print(context: &Context, format: Format, batches: &[RecordBatch]) -> Result<Exit, Failure> {
    let format = if context.output == OutputFormat::Json { Format::Json } else { format };
    if matches!(format, Format::Parquet | Format::Xlsx) {
        let failed = |e: std::io::Error| Failure::environment(format!("could not write to standard output: {e}"));
        let bytes = if format == Format::Xlsx { rows_book("Rows", batches)? } else { parquet_of(batches)? };
        render::bytes(&bytes).map_err(failed)?;
        return Ok(Exit::Done);
    }
    let schema = batches[0].schema();
    let header: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let mut rows: Vec<Vec<Option<String>>> = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            rows.push(batch.columns().iter().map(|column| cell(column.as_ref(), row)).collect());
        }
    }
    if format == Format::Json {
        let objects: Vec<serde_json::Value> = rows
            .into_iter()
            .map(|row| {
                let cells = header.iter().zip(row).map(|(name, cell)| ((*name).to_owned(), cell.into()));
                serde_json::Value::Object(cells.collect())
            })
            .collect();
        render::document(&serde_json::Value::Array(objects));
        return Ok(Exit::Done);
    }
    if format == Format::Csv {
        let failed = |e: csv::Error| Failure::environment(format!("could not write CSV: {e}"));
        let mut writer = csv::Writer::from_writer(Vec::new());
        let is_number: Vec<bool> = schema.fields().iter().map(|f| f.data_type().is_numeric()).collect();
        writer.write_record(header.iter().map(|name| guarded(name).into_owned())).map_err(failed)?;
        for row in rows {
            let cells = row.iter().map(|cell| cell.as_deref().unwrap_or(""));
            let cells = cells.zip(&is_number).map(|(cell, is_number)| if *is_number { cell.into() } else { guarded(cell) });
            writer.write_record(cells.map(std::borrow::Cow::into_owned)).map_err(failed)?;
        }
        let bytes = writer.into_inner().map_err(|e| Failure::environment(e.to_string()))?;
        render::bytes(&bytes).map_err(|e| Failure::environment(format!("could not write to standard output: {e}")))?;
        return Ok(Exit::Done);
    }
    let right: Vec<usize> =
        schema.fields().iter().enumerate().filter(|(_, f)| f.data_type().is_numeric()).map(|(at, _)| at).collect();
    let rows: Vec<Vec<String>> = rows.into_iter().map(|row| row.into_iter().map(Option::unwrap_or_default).collect()).collect();
    render::table(&header, &rows, &right);
    Ok(Exit::Done)
}

/// A cell as text; decimals without padding zeros.
pub(super) fn cell(column: &dyn Array, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    if let Some(amounts) = column.as_primitive_opt::<Decimal128Type>() {
        let text = amounts.value_as_string(row);
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        return Some(text.to_owned());
    }
    let options = FormatOptions::default();
    ArrayFormatter::try_new(column, &options).ok().map(|formatter| formatter.value(row).to_string())
}
