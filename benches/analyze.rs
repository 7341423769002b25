//! Lake to `fact_monthly`, to slopes, and to findings, in usage rows per second: `cargo bench --bench analyze`.

mod support;

use criterion::{Criterion, Throughput};
use shortfall::findings::analyze::{Request, analyze, parameters};
use shortfall::findings::recoverable::BACK_BILLING_MONTHS;
use shortfall::lake::{Lake, truth};
use shortfall::month::Quarter;
use shortfall::query::catalog::Catalog;
use shortfall::query::{run, session};
use std::hint::black_box;
use std::time::Duration;
use support::{Exports, THREADS};
use tempfile::TempDir;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the peers in `benches/peers` compute as well.
const SLOPES: &str = "
    SELECT customer_key, service_key, currency, theil_sen(x, y) AS line, mann_kendall(x, y) AS trend
    FROM (
      SELECT customer_key, service_key, currency, ln(CAST(delivered_quantity AS DOUBLE)) AS y,
             CAST(date_part('year', month) * 12 + date_part('month', month) AS BIGINT) AS x
      FROM facts.fact_monthly WHERE delivered_quantity > 0
    )
    GROUP BY customer_key, service_key, currency";

fn main() {
    let runtime = support::runtime();
    let exports = Exports::write();
    let root = TempDir::new().expect("a temporary folder");
    let lake = exports.ingest(root.path(), &runtime);
    let quarter: Quarter = "2025Q4".parse().expect("a quarter");
    let request = Request {
        quarter,
        as_of: None,
        signals: Vec::new(),
        queries: None,
        threads: THREADS,
        back_billing_months: BACK_BILLING_MONTHS,
        memory: None,
        cluster: None,
    };
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("analyze");
    group.throughput(Throughput::Elements(exports.rows)).sample_size(10).measurement_time(Duration::from_secs(8));

    group.bench_function("usage_native", |bench| bench.iter(|| runtime.block_on(facts(&lake, quarter, "usage_native", None))));
    group.bench_function("fact_monthly", |bench| bench.iter(|| runtime.block_on(facts(&lake, quarter, "fact_monthly", None))));
    group.bench_function("fact_monthly and slopes", |bench| {
        bench.iter(|| runtime.block_on(facts(&lake, quarter, "fact_monthly", Some(SLOPES))));
    });
    group.bench_function("whole", |bench| {
        bench.iter(|| runtime.block_on(analyze(&lake, &request)).expect("an analysis without faults"));
    });
    group.finish();
    criterion.final_summary();
}

/// Builds one fact and those it reads from a fresh view of the lake, then runs a query on them.
async fn facts(lake: &Lake, quarter: Quarter, wanted: &str, query: Option<&str>) {
    let ctx = session::context(THREADS);
    truth::register(&ctx, lake, None).await.expect("a sound lake");
    let catalog = Catalog::load(None).expect("sound queries");
    let parameters = parameters(lake, quarter, None).await.expect("a sound lake");
    run::build_facts(&ctx, &catalog, parameters, Some(&[wanted])).await.expect("sound facts");
    if let Some(sql) = query {
        let frame = ctx.sql(sql).await.expect("a sound query");
        black_box(frame.collect().await.expect("slopes"));
    }
}
