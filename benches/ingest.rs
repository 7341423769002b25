//! CSV to lake, whole and by step, in rows per second: `cargo bench --bench ingest`.

mod support;

use criterion::{BatchSize, Criterion, Throughput};
use shortfall::ingest::conform::{SeenKeys, conform};
use shortfall::ingest::discover::{Discovered, discover};
use shortfall::ingest::read::{TextRows, blocks, cells};
use shortfall::lake::archive;
use std::hint::black_box;
use std::time::Duration;
use support::Exports;
use tempfile::TempDir;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let exports = Exports::write();
    let runtime = support::runtime();
    let usage: Vec<Discovered> = exports
        .files()
        .iter()
        .map(|path| discover(path, None).expect("a known export"))
        .filter(|found| found.recognised.source.system == "focus")
        .collect();
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("ingest");
    group.throughput(Throughput::Elements(exports.rows)).sample_size(10).measurement_time(Duration::from_secs(8));

    group.bench_function("whole", |bench| {
        // The lake is handed back, so that removing it is not measured.
        bench.iter_batched(
            || TempDir::new().expect("a temporary folder"),
            |root| {
                exports.ingest(root.path(), &runtime);
                root
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("fingerprint", |bench| {
        bench.iter(|| usage.iter().map(|found| archive::fingerprint(&found.path).expect("a readable file").1).sum::<u64>());
    });
    group.bench_function("read", |bench| bench.iter(|| read(&usage, |_, rows| drop(black_box(rows)))));
    group.bench_function("read and conform", |bench| {
        bench.iter(|| {
            read(&usage, |found, rows| {
                let arrived = chrono::DateTime::UNIX_EPOCH;
                let export = found.recognised.export;
                let typed = conform(&rows, export, arrived, &mut SeenKeys::new(), &mut Vec::new());
                drop(black_box(typed.expect("columns of equal length")));
            });
        });
    });
    group.finish();
    criterion.final_summary();
}

/// Splits every file into cells, on this thread.
fn read(usage: &[Discovered], mut take: impl FnMut(&Discovered, TextRows)) {
    for found in usage {
        let export = found.recognised.export;
        blocks(found, &mut |block, layout| {
            take(found, cells(block, layout.map(AsRef::as_ref), export, &mut Vec::new()));
            true
        })
        .expect("a readable file");
    }
}
