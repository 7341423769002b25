//! The SQL face: the same bits in every execution shape, NULL rules, windows, refusals.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, RecordBatch};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext, col};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shortfall::kernels::register;

#[derive(Clone, Copy)]
struct Row(Option<i64>, Option<i32>, Option<f64>);

/// Sixty clients, 0-30 months each, with NULLs, NaN, repeated months and ties.
fn book() -> Vec<Row> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut rows = Vec::new();
    for client in 0..60_i64 {
        for month in 24_000..24_000 + rng.random_range(0..30_i32) {
            let y = match rng.random_range(0..20) {
                0 => None,
                1 => Some(f64::NAN),
                2 => Some(f64::from(rng.random_range(0..3_i32))),
                _ => Some(rng.random_range(0.0..100.0)),
            };
            rows.push(Row(Some(client), Some(month).filter(|_| rng.random_bool(0.95)), y));
            if rng.random_bool(0.05) {
                rows.push(Row(Some(client), Some(month), Some(1e6)));
            }
        }
    }
    rows
}

/// One table over these rows, split into equal partitions of small batches.
fn session(rows: &[Row], partitions: usize, batch_size: usize, is_sorted: bool) -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_batch_size(batch_size)
        .set_usize("datafusion.execution.skip_partial_aggregation_probe_rows_threshold", batch_size * 5);
    let ctx = SessionContext::new_with_config(config);
    register(&ctx);
    let schema = Arc::new(Schema::new(vec![
        Field::new("client", DataType::Int64, true),
        Field::new("month", DataType::Int32, true),
        Field::new("y", DataType::Float64, true),
    ]));
    let batch = |rows: &[Row]| {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|row| row.1).collect::<Int32Array>()),
            Arc::new(rows.iter().map(|row| row.2).collect::<Float64Array>()),
        ];
        RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()
    };
    let parts = rows.chunks(rows.len().div_ceil(partitions).max(1));
    let mut batches: Vec<Vec<RecordBatch>> = parts.map(|part| part.chunks(batch_size).map(batch).collect()).collect();
    if batches.is_empty() {
        batches.push(vec![batch(&[])]);
    }
    let mut table = MemTable::try_new(Arc::clone(&schema), batches).unwrap();
    if is_sorted {
        table = table.with_sort_order(vec![vec![col("client").sort(true, false)]]);
    }
    ctx.register_table("series", Arc::new(table)).unwrap();
    ctx
}

fn run(ctx: &SessionContext, sql: &str) -> Result<RecordBatch, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let frame = ctx.sql(sql).await.map_err(|error| error.to_string())?;
        let schema = Arc::clone(frame.schema().inner());
        let batches = frame.collect().await.map_err(|error| error.to_string())?;
        let schema = batches.first().map_or(schema, RecordBatch::schema);
        concat_batches(&schema, &batches).map_err(|error| error.to_string())
    })
}

/// Every cell of every column, structs opened, as bits.
fn bits(columns: &[ArrayRef]) -> Vec<Option<u64>> {
    let mut cells = Vec::new();
    for column in columns {
        match column.data_type() {
            DataType::Struct(_) => {
                cells.extend((0..column.len()).map(|row| Some(u64::from(column.is_null(row)))));
                cells.extend(bits(column.as_struct().columns()));
            }
            DataType::Int64 => cells.extend(column.as_primitive::<Int64Type>().iter().map(|v| v.map(i64::cast_unsigned))),
            DataType::Float64 => cells.extend(column.as_primitive::<Float64Type>().iter().map(|v| v.map(f64::to_bits))),
            other => panic!("unexpected column type {other}"),
        }
    }
    cells
}

const EVERYTHING: &str = "
    with answers as (
        select client, theil_sen(month, y) as line, mann_kendall(month, y) as trend, change_point(month, y) as change,
               median_interval(y) filter (where month % 2 = 0) as middle, run_length(month, round(y / 30)) as run, seasonal_mann_kendall(month, y) as season, heaping(month, round(y)) as digits
        from series group by client)
    select *, bh_adjust(trend['p']) over () as q, by_adjust(change['p']) over (partition by client % 2) as q_change
    from answers order by client";

#[test]
fn every_execution_shape_gives_the_same_bits() {
    let rows = book();
    let mut shuffled = rows.clone();
    shuffled.shuffle(&mut ChaCha8Rng::seed_from_u64(11));
    let reference = run(&session(&rows, 1, 8192, false), EVERYTHING).unwrap();
    assert!(reference.num_rows() > 50);
    let trends = reference.column_by_name("trend").unwrap();
    assert!(trends.null_count() > 0 && trends.null_count() < 20, "both short and long series are wanted");
    let shapes = [
        ("4 partitions of batches of 3", session(&rows, 4, 3, false)),
        ("shuffled, 4 partitions of batches of 7", session(&shuffled, 4, 7, false)),
        ("shuffled, one batch", session(&shuffled, 1, 8192, false)),
        ("sorted by client: groups are emitted as they end", session(&rows, 1, 5, true)),
    ];
    for (shape, ctx) in shapes {
        let answer = run(&ctx, EVERYTHING).unwrap();
        assert_eq!(bits(answer.columns()), bits(reference.columns()), "{shape}");
    }
}

#[test]
fn ungrouped_aggregates_merge_partitions() {
    let sql = "select mann_kendall(month, y) as trend, median_interval(y) as middle from series where client = 5";
    let rows = book();
    let one = run(&session(&rows, 1, 8192, false), sql).unwrap();
    let four = run(&session(&rows, 4, 3, false), sql).unwrap();
    assert_eq!(bits(one.columns()), bits(four.columns()));
    let none = run(&session(&[], 1, 8192, false), "select theil_sen(month, y) as line from series").unwrap();
    assert!(none.num_rows() == 1 && none.column(0).is_null(0));
}

#[test]
fn sliding_windows_leave_the_tested_month_out_of_its_baseline() {
    let rows: Vec<Row> = (0..10).map(|x| Row(Some(1), Some(x), Some(f64::from(x * x)))).collect();
    let sql = "select median_interval(y) over (order by month rows between 3 preceding and 1 preceding)['median'] as baseline,
                      theil_sen(month, y) over (order by month rows between 2 preceding and current row)['slope'] as slope
               from series order by month";
    let answer = run(&session(&rows, 1, 4, false), sql).unwrap();
    let column = |i: usize| answer.column(i).as_primitive::<Float64Type>().iter().collect::<Vec<_>>();
    assert_eq!(column(0)[..5], [None, Some(0.0), Some(0.5), Some(1.0), Some(4.0)]);
    assert_eq!(column(1)[..4], [None, Some(1.0), Some(2.0), Some(4.0)]);
}

#[test]
fn documented_query_runs() {
    let ctx = session(&book(), 2, 100, false);
    let sql = "with tests as (
                 select client, mann_kendall(month, ln(y + 10) - ln(2)) as trend from series group by client
               )
               select client, trend['p'] as p, bh_adjust(trend['p']) over () as q from tests";
    let answer = run(&ctx, sql).unwrap();
    let p = answer.column(1).as_primitive::<Float64Type>();
    let q = answer.column(2).as_primitive::<Float64Type>();
    assert_eq!(p.null_count(), q.null_count());
    assert!(p.iter().zip(q).all(|(p, q)| p.zip(q).is_none_or(|(p, q)| q >= p)));
}

#[test]
fn numeric_types_are_read_as_months_and_doubles() {
    let ctx = session(&[], 1, 8192, false);
    let sql = "select theil_sen(x, y)['slope'] as slope
               from (values (cast(1 as smallint), cast(2.50 as decimal(10,2))), (2, 3.50), (3, 4.50)) as t(x, y)";
    let answer = run(&ctx, sql).unwrap();
    assert_eq!(answer.column(0).as_primitive::<Float64Type>().value(0).to_bits(), 1.0_f64.to_bits());
}

#[test]
fn misuse_is_refused_with_the_function_named() {
    let ctx = session(&book(), 1, 8192, false);
    for (sql, expected) in [
        ("select mann_kendall(y, month) from series", "mann_kendall(x, y) needs a whole month index"),
        ("select mann_kendall(y) from series", "mann_kendall(x, y) needs a whole month index"),
        ("select median_interval('a') from series", "median_interval(y) needs one numeric value"),
        ("select theil_sen(distinct month, y) from series", "theil_sen does not take DISTINCT"),
        ("select theil_sen(month * cast(1000000 as bigint), y) from series", "theil_sen: month index"),
        ("select bh_adjust(y) over () from series", "bh_adjust needs p-values between 0 and 1"),
    ] {
        let error = run(&ctx, sql).unwrap_err();
        assert!(error.contains(expected), "{sql}\n  gave: {error}");
    }
}
