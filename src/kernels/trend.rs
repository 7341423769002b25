//! [`super::mann_kendall`] and [`super::theil_sen`] of one series together, for whoever asks both of a million series.
//!
//! The two share most of their work: the comparisons of all pairs (S and its variance; the ranks of Sen's interval) and the middle
//! slope (the line to remove before the autocorrelation; the answer itself). The answers are those of the two kernels, bit for bit; so are
//! minimum samples and degenerate cases.
//!
//! ```
//! use shortfall::kernels::{mann_kendall::mann_kendall, series::Point, theil_sen::theil_sen, trend::trend};
//! let y = [12.0, 11.5, 13.1, 12.7, 14.2, 13.9, 15.0, 14.1, 16.3, 15.8, 17.0, 16.2];
//! let points: Vec<Point> = (0..).zip(y).map(|(x, y)| Point { x, y }).collect();
//! let both = trend(&points);
//! assert_eq!((both.test, both.line), (mann_kendall(&points), theil_sen(&points)));
//! ```

use super::comparisons::order;
use super::mann_kendall::{MannKendall, test};
use super::series::{Point, monthly};
use super::theil_sen::{TheilSen, line};

/// Both answers; each is `None` where its own kernel's is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// Does the series drift?
    pub test: Option<MannKendall>,
    /// How steeply?
    pub line: Option<TheilSen>,
}

/// Mann-Kendall and Theil-Sen of a monthly series.
#[must_use]
pub fn trend(points: &[Point]) -> Trend {
    let points = monthly(points);
    let order = order(points.iter().map(|point| point.y));
    let line = line(&points, &order);
    Trend { test: line.and_then(|line| test(&points, &order, line.slope)), line }
}
