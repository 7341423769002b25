//! Turns a finding's monthly figures into the lines of its chart: which share an axis, on what scale, from where.
//!
//! | kind | panels | vertical axis |
//! |---|---|---|
//! | `UsageRevenue` | one, both lines indexed | 100 = mean of the first three months that have both |
//! | `CostCharge`, `QuantityBilled` | one | money, quantity |
//! | `Arpu` | revenue per user above active users | money, users |
//!
//! Degenerate input: a chart without values has no panels; a line whose base is not positive is indexed on its own
//! first positive months, and one that is never positive stays as it is (zero for a line that is zero throughout).

use super::{ChartKind, ChartPoint, FindingChart};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use std::collections::BTreeMap;

/// Months averaged for the base of an index, so that a short first month does not set the scale.
const BASE_MONTHS: usize = 3;
/// Below this share of the largest value, the spread is lost on an axis from zero and the axis is cut.
const FLAT_SPREAD: f64 = 0.35;
impl ChartKind {
    /// What the `left` and the `right` series are called.
    pub(super) fn series(self) -> (&'static str, &'static str) {
        match self {
            Self::UsageRevenue => ("Usage", "Revenue"),
            Self::CostCharge => ("Vendor cost", "Charge"),
            Self::Arpu => ("Revenue per user", "Active users"),
            Self::QuantityBilled => ("Delivered", "Billed"),
        }
    }

    /// Which of the two series are money; the others are quantities.
    pub(super) fn is_money(self) -> (bool, bool) {
        match self {
            Self::UsageRevenue => (false, true),
            Self::CostCharge => (true, true),
            Self::Arpu => (true, false),
            Self::QuantityBilled => (false, false),
        }
    }
}

/// Which of a chart's two series a line shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// One line of a chart: values by [`Month::index`](crate::month::Month::index), broken where a month is missing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) side: Side,
    pub(super) label: &'static str,
    pub(super) values: BTreeMap<i32, f64>,
}

/// Lines that share a vertical axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Panel {
    pub(super) lines: Vec<Line>,
    /// Whether the vertical axis starts above zero.
    pub(super) cut: bool,
    /// Whether some of the area between the lines is shaded as loss.
    pub(super) shaded: bool,
    /// Ends of the vertical axis.
    pub(super) range: (f64, f64),
}

/// The panels of a chart, top to bottom; none where it has no values.
pub(super) fn panels(chart: &FindingChart) -> Vec<Panel> {
    let (left_label, right_label) = chart.kind.series();
    let series = |value: fn(&ChartPoint) -> Option<Decimal>| -> BTreeMap<i32, f64> {
        chart.points.iter().filter_map(|p| Some((p.month.index(), value(p)?.to_f64()?))).collect()
    };
    let mut left = Line { side: Side::Left, label: left_label, values: series(|p| p.left) };
    let mut right = Line { side: Side::Right, label: right_label, values: series(|p| p.right) };
    let groups = match chart.kind {
        ChartKind::UsageRevenue => {
            let months: Vec<i32> =
                left.values.keys().filter(|m| right.values.contains_key(m)).take(BASE_MONTHS).copied().collect();
            left.values = indexed(&left.values, &months);
            right.values = indexed(&right.values, &months);
            vec![vec![left, right]]
        }
        ChartKind::CostCharge | ChartKind::QuantityBilled => vec![vec![left, right]],
        ChartKind::Arpu => vec![vec![left], vec![right]],
    };
    groups.into_iter().filter(|lines| lines.iter().any(|line| !line.values.is_empty())).map(Panel::new).collect()
}

/// `values` with the mean over `base_months` as 100, or that of its first positive months where
/// that base is not positive.
fn indexed(values: &BTreeMap<i32, f64>, base_months: &[i32]) -> BTreeMap<i32, f64> {
    let mean = |chosen: &[f64]| {
        let n = u32::try_from(chosen.len()).unwrap_or(u32::MAX);
        (n > 0).then(|| chosen.iter().sum::<f64>() / f64::from(n)).filter(|mean| *mean > 0.0)
    };
    let common: Vec<f64> = base_months.iter().filter_map(|m| values.get(m)).copied().collect();
    let own: Vec<f64> = values.values().copied().filter(|v| *v > 0.0).take(BASE_MONTHS).collect();
    let base = mean(&common).or_else(|| mean(&own)).unwrap_or(1.0);
    values.iter().map(|(month, value)| (*month, value / base * 100.0)).collect()
}

impl Panel {
    fn new(lines: Vec<Line>) -> Self {
        let values = || lines.iter().flat_map(|line| line.values.values().copied());
        let low = values().fold(f64::INFINITY, f64::min);
        let high = values().fold(f64::NEG_INFINITY, f64::max);
        let spread = high - low;
        let cut = low > 0.0 && spread > 0.0 && spread < FLAT_SPREAD * high;
        let headroom = if high > 0.0 && !cut { high * 0.08 } else { spread * 0.15 };
        let bottom = if cut { (low - spread * 0.5).max(0.0) } else { low.min(0.0) };
        let top = if high + headroom > bottom { high + headroom } else { bottom + 1.0 };
        let mut panel = Self { lines, cut, shaded: false, range: (bottom, top) };
        panel.shaded = !panel.loss_areas().is_empty();
        panel
    }

    /// The polygons between the lines where the first lies above the second, month to month.
    pub(super) fn loss_areas(&self) -> Vec<Vec<(f64, f64)>> {
        let [left, right] = self.lines.as_slice() else {
            return Vec::new();
        };
        let gap = |month: i32| Some((*left.values.get(&month)?, *right.values.get(&month)?)).filter(|(l, r)| l >= r);
        left.values
            .keys()
            .filter_map(|&month| {
                let ((l0, r0), (l1, r1)) = (gap(month)?, gap(month + 1)?);
                let (x0, x1) = (f64::from(month), f64::from(month + 1));
                (l0 > r0 || l1 > r1).then(|| vec![(x0, l0), (x1, l1), (x1, r1), (x0, r0)])
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::month::Month;

    fn chart(kind: ChartKind, values: &[(Option<i64>, Option<i64>)]) -> FindingChart {
        let first = Month::new(2026, 1).expect("a month");
        let points = (0..)
            .zip(values)
            .map(|(offset, (left, right))| ChartPoint {
                month: first.plus(offset),
                left: left.map(Decimal::from),
                right: right.map(Decimal::from),
            })
            .collect();
        FindingChart { finding_id: "f".into(), kind, currency: "EUR".into(), unit: None, points, change_month: None }
    }

    fn values(line: &Line) -> Vec<f64> {
        line.values.values().map(|value| value.round()).collect()
    }

    #[test]
    fn usage_and_revenue_share_a_base() {
        let points = [(50, 5), (100, 10), (150, 15), (200, 10)].map(|(l, r)| (Some(l), Some(r)));
        let panels = panels(&chart(ChartKind::UsageRevenue, &points));
        let [panel] = panels.as_slice() else { panic!("one panel, not {panels:?}") };
        assert_eq!(values(&panel.lines[0]), [50.0, 100.0, 150.0, 200.0]);
        assert_eq!(values(&panel.lines[1]), [50.0, 100.0, 150.0, 100.0]);
        assert!(panel.shaded);
    }

    #[test]
    fn revenue_that_never_came_stays_at_zero() {
        let panels = panels(&chart(ChartKind::UsageRevenue, &[(Some(4), Some(0)), (Some(4), Some(0))]));
        assert_eq!(values(&panels[0].lines[1]), [0.0, 0.0]);
    }

    #[test]
    fn nothing_to_draw_gives_no_panel() {
        assert!(panels(&chart(ChartKind::CostCharge, &[])).is_empty());
        assert!(panels(&chart(ChartKind::Arpu, &[(None, None)])).is_empty());
        assert_eq!(panels(&chart(ChartKind::Arpu, &[(Some(3), None)])).len(), 1);
    }

    #[test]
    fn a_flat_series_is_not_magnified() {
        let panels = panels(&chart(ChartKind::Arpu, &[(Some(100), None), (Some(100), None)]));
        assert!(!panels[0].cut);
        assert!(panels[0].range.0 <= 0.0);
    }
}
