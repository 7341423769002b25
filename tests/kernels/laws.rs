//! Kernels against deliberately plain versions, and laws any version must obey.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use shortfall::kernels::bh_adjust::{bh_adjust, by_adjust};
use shortfall::kernels::change_point::{MIN_SEGMENT, change_point};
use shortfall::kernels::heaping::heaping;
use shortfall::kernels::mann_kendall::mann_kendall;
use shortfall::kernels::median_interval::median_interval;
use shortfall::kernels::run_length::run_length;
use shortfall::kernels::seasonal_mann_kendall::seasonal_mann_kendall;
use shortfall::kernels::segments::segment_ends;
use shortfall::kernels::series::Point;
use shortfall::kernels::theil_sen::theil_sen;

fn fixed() -> ProptestConfig {
    ProptestConfig { cases: 96, rng_seed: RngSeed::Fixed(20_261_122), failure_persistence: None, ..Default::default() }
}

/// Months with gaps and values with ties.
fn tied_series() -> impl Strategy<Value = Vec<Point>> {
    prop::collection::btree_map(0..60_i32, -6..7_i32, 6..40)
        .prop_map(|months| months.into_iter().map(|(x, y)| Point { x, y: f64::from(y) }).collect())
}

/// Anything a column may hold, in any order, months repeated.
fn wild_series() -> impl Strategy<Value = Vec<Point>> {
    let value = prop_oneof![any::<f64>(), -1e3..1e3_f64, Just(0.0), Just(-0.0), Just(f64::NAN), Just(1e308), Just(5e-324)];
    prop::collection::vec((-30..30_i32, value).prop_map(|(x, y)| Point { x, y }), 0..40)
}

fn mapped(points: &[Point], y: impl Fn(f64) -> f64) -> Vec<Point> {
    points.iter().map(|point| Point { x: point.x, y: y(point.y) }).collect()
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-9 * left.abs().max(right.abs()).max(1e-300) || (left - right).abs() < 1e-12
}

fn pair_slopes(points: &[Point]) -> Vec<f64> {
    let mut slopes = Vec::new();
    for (i, left) in points.iter().enumerate() {
        for right in &points[i + 1..] {
            slopes.push((right.y - left.y) / f64::from(right.x - left.x));
        }
    }
    slopes.sort_by(f64::total_cmp);
    slopes
}

fn middle(sorted: &[f64]) -> f64 {
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}

fn squared_error(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / f64::from(u32::try_from(values.len()).unwrap());
    values.iter().map(|value| (value - mean).powi(2)).sum()
}

/// Every way to cut, by recursion.
fn cheapest(values: &[f64], penalty: f64, min_length: usize) -> f64 {
    let mut best = squared_error(values);
    for end in min_length..=values.len().saturating_sub(min_length) {
        best = best.min(squared_error(&values[..end]) + penalty + cheapest(&values[end..], penalty, min_length));
    }
    best
}

proptest! {
    #![proptest_config(fixed())]

    #[test]
    fn s_is_the_double_loop(points in tied_series()) {
        let mut s = 0_i64;
        for (i, left) in points.iter().enumerate() {
            for right in &points[i + 1..] {
                s += i64::from(right.y > left.y) - i64::from(right.y < left.y);
            }
        }
        prop_assert_eq!(mann_kendall(&points).unwrap().s, s);
    }

    #[test]
    fn slope_is_the_sorted_list_of_all_pairs(points in tied_series()) {
        prop_assert!(close(theil_sen(&points).unwrap().slope, middle(&pair_slopes(&points))));
    }

    #[test]
    fn change_is_the_best_of_all_cuts(points in tied_series()) {
        let values: Vec<f64> = points.iter().map(|point| point.y).collect();
        let error = |split: usize| squared_error(&values[..split]) + squared_error(&values[split..]);
        let best = (MIN_SEGMENT..=values.len() - MIN_SEGMENT).map(error).fold(f64::INFINITY, f64::min);
        let change = change_point(&points).unwrap();
        if change.month.is_some() {
            prop_assert!(close(error(change.n_before), best));
            prop_assert!(change.month_low <= change.month && change.month <= change.month_high);
        }
    }

    #[test]
    fn segments_are_the_cheapest_of_all_cuttings(values in prop::collection::vec(-4..5_i32, 2..11), penalty in 0.0..20.0_f64) {
        let values: Vec<f64> = values.into_iter().map(f64::from).collect();
        let ends = segment_ends(&values, penalty, 2);
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let cost: f64 = starts.zip(&ends).map(|(start, &end)| squared_error(&values[start..end]) + penalty).sum();
        prop_assert!((cost - penalty - cheapest(&values, penalty, 2)).abs() < 1e-9);
    }

    #[test]
    fn adjusted_p_is_the_definition(p in prop::collection::vec(prop::option::of(0.0..=1.0_f64), 0..30)) {
        let tested: Vec<f64> = p.iter().flatten().copied().collect();
        let count = |limit: f64| f64::from(u32::try_from(tested.iter().filter(|&&other| other <= limit).count()).unwrap());
        let m = f64::from(u32::try_from(tested.len()).unwrap());
        let definition = |p: f64| tested.iter().filter(|&&other| other >= p).map(|&other| (other * m / count(other)).min(1.0)).fold(1.0, f64::min);
        for (q, p) in bh_adjust(&p).iter().zip(&p) {
            prop_assert_eq!(q.is_some(), p.is_some());
            prop_assert!(q.zip(*p).is_none_or(|(q, p)| close(q, definition(p)) && q >= p));
        }
        for (by, bh) in by_adjust(&p).iter().zip(bh_adjust(&p)) {
            prop_assert!(by.zip(bh).is_none_or(|(by, bh)| by >= bh));
        }
    }

    #[test]
    fn reversing_time_flips_the_sign(points in tied_series()) {
        let reversed: Vec<Point> = points.iter().map(|point| Point { x: -point.x, y: point.y }).collect();
        let (test, back) = (mann_kendall(&points).unwrap(), mann_kendall(&reversed).unwrap());
        prop_assert_eq!(test.s, -back.s);
        prop_assert!(close(test.z, -back.z) && close(test.p, back.p));
        let (line, back) = (theil_sen(&points).unwrap(), theil_sen(&reversed).unwrap());
        prop_assert!(close(line.slope, -back.slope));
    }

    #[test]
    fn another_unit_changes_slopes_and_steps_but_no_p(points in tied_series(), shift in -1000..1000_i32) {
        let moved = mapped(&points, |y| 4.0 * y + f64::from(shift));
        let (test, after) = (mann_kendall(&points).unwrap(), mann_kendall(&moved).unwrap());
        prop_assert!(test.s == after.s && close(test.p, after.p) && close(test.p_ess, after.p_ess));
        let (change, after) = (change_point(&points).unwrap(), change_point(&moved).unwrap());
        prop_assert!(change.month == after.month && close(4.0 * change.step, after.step) && close(change.p, after.p));
        let (line, after) = (theil_sen(&points).unwrap(), theil_sen(&moved).unwrap());
        prop_assert!(close(4.0 * line.slope, after.slope) && close(4.0 * line.slope_low, after.slope_low));
    }

    #[test]
    fn row_order_changes_no_bit(points in wild_series().prop_shuffle()) {
        let mut sorted = points.clone();
        sorted.sort_by(Point::canonical_order);
        prop_assert_eq!(format!("{:?}", mann_kendall(&points)), format!("{:?}", mann_kendall(&sorted)));
        prop_assert_eq!(format!("{:?}", theil_sen(&points)), format!("{:?}", theil_sen(&sorted)));
        prop_assert_eq!(format!("{:?}", change_point(&points)), format!("{:?}", change_point(&sorted)));
    }

    #[test]
    fn nothing_is_nan_and_p_is_a_probability(points in wild_series()) {
        let values: Vec<f64> = points.iter().map(|point| point.y).collect();
        let answers = format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            seasonal_mann_kendall(&points), mann_kendall(&points), theil_sen(&points), change_point(&points), median_interval(&values), run_length(&points), heaping(&points)
        );
        prop_assert!(!answers.contains("NaN"), "{}", answers);
        for p in mann_kendall(&points).iter().flat_map(|test| [test.p, test.p_ess, test.p_plain]) {
            prop_assert!((0.0..=1.0).contains(&p));
        }
        prop_assert!(mann_kendall(&points).is_none_or(|test| test.inflation >= 1.0));
        prop_assert!(change_point(&points).is_none_or(|change| (0.0..=1.0).contains(&change.p)));
        let digits = heaping(&points);
        prop_assert!(digits.p.is_none_or(|p| (0.0..=1.0).contains(&p)) && digits.tens <= digits.fives && digits.fives <= digits.n);
    }

    #[test]
    fn runs_are_counted_one_month_after_the_other(points in tied_series()) {
        let run = run_length(&points).unwrap();
        let (mut runs, mut length, mut longest) = (1, 1, 1);
        for pair in points.windows(2) {
            if pair[0].y == pair[1].y { length += 1; } else { (runs, length) = (runs + 1, 1); }
            longest = longest.max(length);
        }
        prop_assert_eq!((run.runs, run.length, run.longest, run.n), (runs, length, longest, points.len()));
        prop_assert_eq!(run.start, points[points.len() - length].x);
    }

    #[test]
    fn heaping_knows_no_repetition(values in prop::collection::vec(0..400_i32, 0..40)) {
        let twice: Vec<i32> = values.iter().flat_map(|value| [*value, *value]).collect();
        let of = |values: &[i32]| heaping(&(0..).zip(values).map(|(x, y)| Point { x, y: f64::from(*y) }).collect::<Vec<_>>());
        let (once, twice) = (of(&values), of(&twice));
        prop_assert_eq!((once.n, once.tens, once.fives, once.stretch, once.p), (twice.n, twice.tens, twice.fives, twice.stretch, twice.p));
        prop_assert_eq!(once.start.map(|x| 2 * x), twice.start);
    }

    #[test]
    fn constant_series_has_no_trend_and_no_change(level in -1e6..1e6_f64, n in 6..40_i32) {
        let points: Vec<Point> = (0..n).map(|x| Point { x, y: level }).collect();
        prop_assert_eq!(mann_kendall(&points).unwrap().p, 1.0);
        prop_assert_eq!(theil_sen(&points).unwrap().slope, 0.0);
        prop_assert_eq!(change_point(&points).unwrap().p, 1.0);
    }
}

#[test]
fn long_series_select_the_same_slopes_without_listing_them() {
    let points: Vec<Point> = (0..1_100).map(|x| Point { x, y: f64::from(x * 7_919 % 1_009) * 0.37 + f64::from(x) }).collect();
    let line = theil_sen(&points).unwrap();
    assert!(close(line.slope, middle(&pair_slopes(&points))));
    assert!(line.slope_low <= line.slope && line.slope <= line.slope_high);
}
