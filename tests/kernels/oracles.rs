//! Stored answers of other packages; `tests/oracle/make_oracles.py` writes them, tolerances stand in each file's first line.

use shortfall::kernels::bh_adjust::{bh_adjust, by_adjust};
use shortfall::kernels::change_point::change_point;
use shortfall::kernels::heaping::heaping;
use shortfall::kernels::mann_kendall::mann_kendall;
use shortfall::kernels::median_interval::median_interval;
use shortfall::kernels::run_length::run_length;
use shortfall::kernels::seasonal_mann_kendall::seasonal_mann_kendall;
use shortfall::kernels::segments::segment_ends;
use shortfall::kernels::series::Point;
use shortfall::kernels::tails::{at_least, fair_coin_below, normal_two_sided, share_tail};
use shortfall::kernels::theil_sen::theil_sen;

/// The rows of an oracle file as (column name -> cell).
fn oracle(file: &str) -> Vec<std::collections::HashMap<String, String>> {
    let path = format!("{}/tests/oracle/{file}", env!("CARGO_MANIFEST_DIR"));
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_path(path).unwrap();
    let rows: Vec<_> = reader.deserialize().map(Result::unwrap).collect();
    assert!(rows.len() >= 4, "{file} is too short to be an oracle");
    rows
}

fn numbers(cell: &str) -> Vec<f64> {
    cell.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

fn close(actual: f64, cell: &str, tolerance: f64, what: &str) {
    let expected: f64 = cell.parse().unwrap();
    let scale = expected.abs().max(f64::MIN_POSITIVE);
    let same = actual.to_bits() == expected.to_bits() || (actual - expected).abs() <= tolerance * scale;
    // An exact zero of the oracle may be rounding of order 1e-16 here.
    assert!(same || (expected == 0.0 && actual.abs() < 1e-12), "{what}: {actual} instead of {expected}");
}

fn series(y: &[f64]) -> Vec<Point> {
    (0..).zip(y).map(|(x, &y)| Point { x, y }).collect()
}

#[test]
fn mann_kendall_agrees_with_pymannkendall() {
    for row in oracle("mann_kendall.csv") {
        let name = &row["name"];
        let test = mann_kendall(&series(&numbers(&row["y"]))).unwrap();
        assert_eq!(test.s.to_string(), row["s"].trim_end_matches(".0"), "{name}");
        close(test.var_s, &row["var_s"], 1e-9, name);
        close(test.z_plain, &row["z"], 1e-9, name);
        // pymannkendall takes 1 - cdf, which has no digits left below 1e-13; the far tail is checked in tails.csv.
        let p: f64 = row["p"].parse().unwrap();
        assert!((test.p_plain - p).abs() <= 1e-9 * p + 1e-15, "{name}: p {} instead of {p}", test.p_plain);
    }
}

#[test]
fn seasonal_mann_kendall_agrees_with_pymannkendall() {
    for row in oracle("seasonal_mann_kendall.csv") {
        let name = &row["name"];
        let test = seasonal_mann_kendall(&series(&numbers(&row["y"]))).unwrap();
        assert_eq!(test.s.to_string(), row["s"].trim_end_matches(".0"), "{name}");
        for (value, column) in [(test.var_s, "var_s"), (test.z, "z"), (test.p, "p"), (test.slope, "slope")] {
            close(value, &row[column], 1e-9, &format!("{name}: {column}"));
        }
    }
}

#[test]
fn theil_sen_agrees_with_scipy() {
    for row in oracle("theil_sen.csv") {
        let name = &row["name"];
        let months = numbers(&row["x"]);
        #[expect(clippy::cast_possible_truncation, reason = "month indices in the file are whole and small")]
        let points: Vec<Point> = months.iter().zip(numbers(&row["y"])).map(|(&x, y)| Point { x: x as i32, y }).collect();
        let line = theil_sen(&points).unwrap();
        close(line.slope, &row["slope"], 1e-9, name);
        close(line.intercept, &row["intercept"], 1e-9, name);
        close(line.slope_low, &row["slope_low"], 1e-9, name);
        close(line.slope_high, &row["slope_high"], 1e-9, name);
    }
}

#[test]
fn adjusted_p_values_agree_with_scipy() {
    for row in oracle("bh_adjust.csv") {
        let p: Vec<Option<f64>> = numbers(&row["p"]).into_iter().map(Some).collect();
        for (adjusted, column) in [(bh_adjust(&p), "bh"), (by_adjust(&p), "by")] {
            for (q, expected) in adjusted.iter().zip(row[column].split_whitespace()) {
                close(q.unwrap(), expected, 1e-12, &row["name"]);
            }
        }
    }
}

#[test]
fn tails_agree_with_scipy_far_out() {
    for row in oracle("tails.csv") {
        let (a, b): (f64, f64) = (row["a"].parse().unwrap(), row["b"].parse().unwrap());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts in the file")]
        let value = match row["function"].as_str() {
            "normal_two_sided" => normal_two_sided(a),
            "share_tail" => share_tail(a, b),
            "fair_coin_below" => fair_coin_below(a as usize, b as usize),
            other => panic!("unknown function {other} in tails.csv"),
        };
        close(value, &row["value"], 1e-10, &format!("{}({a}, {b})", row["function"]));
    }
}

#[test]
fn binomial_tail_agrees_with_scipy() {
    for row in oracle("binomial_tail.csv") {
        let (k, n): (usize, usize) = (row["k"].parse().unwrap(), row["n"].parse().unwrap());
        close(at_least(k, n, row["chance"].parse().unwrap()), &row["value"], 1e-10, &format!("at_least({k}, {n})"));
    }
}

#[test]
fn heaping_agrees_with_scipy() {
    for row in oracle("heaping.csv") {
        let name = &row["name"];
        let digits = heaping(&series(&numbers(&row["y"])));
        let counts = [digits.n, digits.tens, digits.fives, digits.stretch].map(|count| count.to_string());
        assert_eq!(counts, ["n", "tens", "fives", "stretch"].map(|column| row[column].clone()), "{name}");
        assert_eq!(digits.start.map(|x| x.to_string()).unwrap_or_default(), row["start"], "{name}");
        assert_eq!(digits.coarse.map(|scale| scale.to_string()).unwrap_or_default(), row["coarse"], "{name}");
        match digits.p {
            Some(p) => close(p, &row["p"], 1e-10, name),
            None => assert_eq!(row["p"], "", "{name}"),
        }
    }
}

#[test]
fn run_length_agrees_with_groupby() {
    for row in oracle("run_length.csv") {
        let run = run_length(&series(&numbers(&row["y"]))).unwrap();
        let counts = [run.length.to_string(), run.start.to_string(), run.longest.to_string(), run.runs.to_string()];
        assert_eq!(counts, ["length", "start", "longest", "runs"].map(|column| row[column].clone()), "{}", row["name"]);
    }
}

#[test]
fn median_interval_agrees_with_scipy() {
    for row in oracle("median_interval.csv") {
        let interval = median_interval(&numbers(&row["y"])).unwrap();
        close(interval.median, &row["median"], 1e-10, "median");
        for (value, column) in [(interval.low, "low"), (interval.high, "high"), (interval.coverage, "coverage")] {
            match value {
                Some(value) => close(value, &row[column], 1e-10, column),
                None => assert_eq!(row[column], "", "n = {}: {column}", row["n"]),
            }
        }
    }
}

#[test]
fn segments_agree_with_ruptures() {
    for row in oracle("segments.csv") {
        let ends = segment_ends(&numbers(&row["y"]), row["penalty"].parse().unwrap(), row["min_length"].parse().unwrap());
        let expected: Vec<usize> = row["ends"].split_whitespace().map(|end| end.parse().unwrap()).collect();
        assert_eq!(ends, expected, "{}", row["name"]);
    }
}

#[test]
fn change_point_agrees_with_ruptures_and_scipy() {
    for row in oracle("change_point.csv") {
        let change = change_point(&series(&numbers(&row["y"]))).unwrap();
        assert_eq!(change.n_before.to_string(), row["split"]);
        close(change.mean_before, &row["mean_before"], 1e-9, "mean_before");
        close(change.mean_after, &row["mean_after"], 1e-9, "mean_after");
        close(change.step_share, &row["step_share"], 1e-9, "step_share");
    }
}

/// The rows of the statistics design note that are not package answers but our own requirement.
#[test]
fn plug_in_correction_leaves_a_negative_autocorrelation_alone() {
    let y = [12.0, 11.5, 13.1, 12.7, 14.2, 13.9, 15.0, 14.1, 16.3, 15.8, 17.0, 16.2];
    let test = mann_kendall(&series(&y)).unwrap();
    close(test.z, "3.3600548585", 1e-9, "z");
    assert_eq!(test.inflation.to_bits(), 1.0_f64.to_bits());
}
