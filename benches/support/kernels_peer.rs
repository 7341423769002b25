//! Shortfall's side of `benches/peers/kernels.py`: Mann-Kendall and Theil-Sen of all series in a file, on all threads of rayon.
//!
//! The file holds series after series, MONTHS values each as little-endian f64, months in order and without gaps. Timed is from values in memory to
//! answers in memory, as for the peers. The answers go to `FILE.answers` (S, p, slope, low, high as f64 each), the seconds of each run to standard output, as JSON.

use rayon::prelude::*;
use shortfall::kernels::series::Point;
use shortfall::kernels::trend::trend;
use std::time::Instant;

const MONTHS: usize = 36;
const RUNS: usize = 5;

/// Reads the series, answers them several times, writes the answers, says how long it took.
pub fn run(file: &str) -> std::io::Result<()> {
    let bytes = std::fs::read(file)?;
    let values: Vec<f64> = bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    let (series, _) = values.as_chunks::<MONTHS>();
    let mut seconds = Vec::new();
    let mut answers: Vec<[f64; 5]> = Vec::new();
    for _ in 0..RUNS {
        let started = Instant::now();
        answers = series.par_iter().map(answer).collect();
        seconds.push(started.elapsed().as_secs_f64());
    }
    let bytes: Vec<u8> = answers.iter().flatten().flat_map(|cell| cell.to_le_bytes()).collect();
    std::fs::write(format!("{file}.answers"), bytes)?;
    println!("{{\"series\": {}, \"threads\": {}, \"seconds\": {seconds:?}}}", series.len(), rayon::current_num_threads());
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "|S| is at most 630")]
fn answer(series: &[f64; MONTHS]) -> [f64; 5] {
    let mut points = [Point { x: 0, y: 0.0 }; MONTHS];
    for ((point, x), y) in points.iter_mut().zip(0..).zip(series) {
        *point = Point { x, y: *y };
    }
    let both = trend(&points);
    let (Some(test), Some(line)) = (both.test, both.line) else { return [f64::NAN; 5] };
    [test.s as f64, test.p, line.slope, line.slope_low, line.slope_high]
}
