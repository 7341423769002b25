//! Speed of the kernels, and the level/power tables of their docs.
//!
//! `cargo bench --bench kernels` times 100,000 series of 36 months.
//! `SHORTFALL_KERNEL_SERIES=FILE` answers the series of a file instead, for `benches/peers/kernels.py`.
//! `SHORTFALL_KERNEL_TABLES=100000 cargo bench --bench kernels` prints the tables instead, from that many series per cell
//! (and a tenth of it for power), the level table of the README first. The figures in `src/kernels/{mann_kendall,change_point,heaping}.rs`
//! come from this command with 100000; seed and streams are fixed, so they reproduce.

#![expect(clippy::print_stdout, reason = "the level and power tables are what this bench is asked for")]

#[path = "../tests/oracle/levels.rs"]
mod levels;
#[path = "../tests/oracle/noise.rs"]
mod noise;
#[path = "support/kernels_peer.rs"]
mod peer;

use criterion::{Criterion, Throughput};
use noise::Noise;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shortfall::kernels::bh_adjust::bh_adjust;
use shortfall::kernels::change_point::change_point;
use shortfall::kernels::heaping::heaping;
use shortfall::kernels::mann_kendall::mann_kendall;
use shortfall::kernels::series::{Point, count};
use shortfall::kernels::theil_sen::theil_sen;
use shortfall::kernels::trend::trend;
use std::fmt::Write as _;
use std::hint::black_box;

const SEED: u64 = 20_261_122;

fn main() -> std::io::Result<()> {
    if let Ok(file) = std::env::var("SHORTFALL_KERNEL_SERIES") {
        return peer::run(&file);
    }
    match std::env::var("SHORTFALL_KERNEL_TABLES").ok().and_then(|runs| runs.parse().ok()) {
        Some(runs) => tables(runs),
        None => timings(),
    }
    Ok(())
}

fn timings() {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let series: Vec<Vec<Point>> = (0..100_000).map(|_| Noise::Ar1(0.4).series(36, &mut rng)).collect();
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let mut group = criterion.benchmark_group("100k_series_x_36_months");
    group.throughput(Throughput::Elements(100_000));
    group.bench_function("mann_kendall", |b| b.iter(|| series.iter().filter_map(|s| mann_kendall(black_box(s))).count()));
    group.bench_function("theil_sen", |b| b.iter(|| series.iter().filter_map(|s| theil_sen(black_box(s))).count()));
    group.bench_function("trend", |b| b.iter(|| series.iter().filter_map(|s| trend(black_box(s)).line).count()));
    group.bench_function("change_point", |b| b.iter(|| series.iter().filter_map(|s| change_point(black_box(s))).count()));
    group.finish();
    let p_values: Vec<Option<f64>> = series.iter().map(|s| mann_kendall(s).map(|test| test.p)).collect();
    let mut group = criterion.benchmark_group("100k_p_values");
    group.bench_function("bh_adjust", |b| b.iter(|| bh_adjust(black_box(&p_values))));
    group.finish();
    criterion.final_summary();
}

/// Shares of p-values at or under each threshold.
fn shares(p_values: &[f64], thresholds: &[f64]) -> Vec<f64> {
    let share = |limit: f64| count(p_values.iter().filter(|&&p| p <= limit).count()) / count(p_values.len());
    thresholds.iter().map(|&limit| share(limit)).collect()
}

fn tables(runs: usize) {
    println!("Level, {runs} series per cell: share with p <= 0.05\n\n{}", level_table(runs, SEED));
    println!("{}", heaping_table(runs, SEED));
    let kinds = [
        Noise::Ar1(0.0),
        Noise::Ar1(0.3),
        Noise::Ar1(0.4),
        Noise::Ar1(0.6),
        Noise::Ar1(0.8),
        Noise::Ar1WithGaps(0.4),
        Noise::Poisson(0.3),
        Noise::Poisson(3.0),
        Noise::Binomial(20),
        Noise::PairedWalk,
        Noise::RawWalk,
    ];
    println!("Level, {runs} series per cell: share with p <= 0.05, 0.01, 1e-3, 1e-4, 1e-5");
    for noise in kinds {
        for n in [6, 8, 12, 18, 24, 36] {
            let mut rng = ChaCha8Rng::seed_from_u64(SEED + count_seed(n));
            let mut columns: [Vec<f64>; 4] = std::array::from_fn(|_| Vec::with_capacity(runs));
            for _ in 0..runs {
                let series = noise.series(n, &mut rng);
                if let Some(test) = mann_kendall(&series) {
                    columns[0].push(test.p_plain);
                    columns[1].push(test.p_ess);
                    columns[2].push(test.p);
                }
                columns[3].extend(change_point(&series).map(|change| change.p));
            }
            let limits = [0.05, 0.01, 1e-3, 1e-4, 1e-5];
            println!(
                "{noise:?} n={n} | plain {:.3?} | ess {:.3?} | mk {:.5?} | cp {:.5?}",
                &shares(&columns[0], &limits)[..1],
                &shares(&columns[1], &limits)[..1],
                shares(&columns[2], &limits),
                shares(&columns[3], &limits)
            );
        }
    }
    power(runs / 10);
    false_discoveries(runs / 5);
}

/// The table as Markdown: a row for each kind and autocorrelation, in a cell the levels at 12, 24, 36 and 60 months. What lies above the
/// promise is in bold.
fn level_table(runs: usize, seed: u64) -> String {
    let mut text = String::from(
        "| series without trend | phi | `mann_kendall.p` | `change_point.p` | plain Mann-Kendall | seasonal Mann-Kendall |\n|---|---|---|---|---|---|\n",
    );
    for kind in 0..levels::nulls(0.0).len() {
        for phi in levels::PHI {
            let (name, noise) = levels::nulls(phi)[kind];
            let cells = levels::MONTHS.map(|n| levels::rates(noise, n, runs, seed));
            let of = |kernel: usize, is_promised: bool| {
                let level = |cell: [f64; 4]| {
                    let mark = if is_promised && cell[kernel] > levels::NOMINAL + levels::TOLERANCE { "**" } else { "" };
                    format!("{mark}{:.3}{mark}", cell[kernel])
                };
                cells.map(level).join(" / ")
            };
            let _ =
                writeln!(text, "| {name} | {phi} | {} | {} | {} | {} |", of(0, true), of(1, true), of(2, false), of(3, false));
        }
    }
    text
}

/// Level of heaping as Markdown: its own null, a seat walk, and counts around a level.
fn heaping_table(runs: usize, seed: u64) -> String {
    let mut text = String::from("| last digits without preference |");
    for n in levels::MONTHS {
        let _ = write!(text, " n = {n}: p <= .05 | p <= .01 |");
    }
    let _ = writeln!(text, "\n|---|{}", "---|".repeat(2 * levels::MONTHS.len()));
    for kind in ["uniform on 20-999", "integer walk with steps", "Poisson(50)"] {
        let _ = write!(text, "| {kind} |");
        for n in levels::MONTHS {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut hits = [0_usize; 2];
            for _ in 0..runs {
                let series: Vec<Point> = match kind {
                    "uniform on 20-999" => {
                        (0..).take(n).map(|x| Point { x, y: f64::from(rng.random_range(20..1_000)) }).collect()
                    }
                    "Poisson(50)" => Noise::Poisson(50.0).series(n, &mut rng),
                    _ => Noise::RawWalk.series(n, &mut rng),
                };
                let p = heaping(&series).p.unwrap_or(1.0);
                hits[0] += usize::from(p <= 0.05);
                hits[1] += usize::from(p <= 0.01);
            }
            for hits in hits {
                let _ = write!(text, " {:.3} |", count(hits) / count(runs));
            }
        }
        text.push('\n');
    }
    text
}

fn count_seed(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

fn power(runs: usize) {
    println!(
        "Power, {runs} series per cell, innovations of sd 1: share with p <= 0.05, 1e-3; change_point also exact month, covered"
    );
    for n in [12, 24, 36] {
        for phi in [0.0, 0.4, 0.6] {
            let slope = |size: f64, x: i32| size * f64::from(x);
            let after = i32::try_from(2 * n / 3).unwrap_or(0);
            let step = |size: f64, x: i32| if x >= after { size } else { 0.0 };
            let shifted = |effect: &dyn Fn(i32) -> f64, rng: &mut ChaCha8Rng| {
                let mut series = Noise::Ar1(phi).series(n, rng);
                for point in &mut series {
                    point.y += effect(point.x);
                }
                series
            };
            for size in [0.1, 0.2, 0.4] {
                let mut rng = ChaCha8Rng::seed_from_u64(SEED);
                let tests: Vec<_> = (0..runs).filter_map(|_| mann_kendall(&shifted(&|x| slope(size, x), &mut rng))).collect();
                let p = |read: fn(&shortfall::kernels::mann_kendall::MannKendall) -> f64| {
                    shares(&tests.iter().map(read).collect::<Vec<_>>(), &[0.05, 1e-3])
                };
                println!(
                    "n={n} phi={phi} slope {size} | plain {:.3?} ess {:.3?} mk {:.3?}",
                    p(|t| t.p_plain),
                    p(|t| t.p_ess),
                    p(|t| t.p)
                );
            }
            for size in [2.0, 4.0, 8.0] {
                let mut rng = ChaCha8Rng::seed_from_u64(SEED);
                let changes: Vec<_> = (0..runs).filter_map(|_| change_point(&shifted(&|x| step(size, x), &mut rng))).collect();
                let p: Vec<f64> = changes.iter().map(|change| change.p).collect();
                let exact = changes.iter().filter(|change| change.month == Some(after)).count();
                let covered =
                    changes.iter().filter(|change| change.month_low <= Some(after) && change.month_high >= Some(after)).count();
                println!(
                    "n={n} phi={phi} step {size} | cp {:.3?} exact {:.3} covered {:.3}",
                    shares(&p, &[0.05, 1e-3]),
                    count(exact) / count(runs),
                    count(covered) / count(runs)
                );
            }
        }
    }
}

/// Books of 20,000 trendless pairs, n 12-33: how many findings does BH at 5 % report?
fn false_discoveries(runs: usize) {
    let books = (runs / 20_000).max(1) * 10;
    println!("False findings at q <= 0.05 in {books} books of 20,000 trendless pairs, n = 12..33: total (books with any)");
    for phi in [0.0, 0.3, 0.6, 0.8] {
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        let mut totals = [[0_usize; 2]; 4];
        for _ in 0..books {
            let mut columns: [Vec<Option<f64>>; 4] = std::array::from_fn(|_| Vec::with_capacity(20_000));
            for i in 0..20_000 {
                let series = Noise::Ar1(phi).series(12 + i % 22, &mut rng);
                let test = mann_kendall(&series);
                columns[0].push(test.map(|test| test.p_plain));
                columns[1].push(test.map(|test| test.p_ess));
                columns[2].push(test.map(|test| test.p));
                columns[3].push(change_point(&series).map(|change| change.p));
            }
            for (total, p_values) in totals.iter_mut().zip(&columns) {
                let found = bh_adjust(p_values).iter().flatten().filter(|&&q| q <= 0.05).count();
                total[0] += found;
                total[1] += usize::from(found > 0);
            }
        }
        println!("phi={phi} | plain {:?} ess {:?} mk {:?} cp {:?}", totals[0], totals[1], totals[2], totals[3]);
    }
}
