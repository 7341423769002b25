//! From what should have been billed to what was: a table whose rows hang from one another, so that it reads without its bars.
//!
//! Each bar lies between what was left before its step and what is left after it. Where the steps are small beside the whole, the scale is cut
//! below them, and the page says so.

use super::{ReportError, Step, StepKind, Waterfall, format};
use rust_decimal::Decimal;
use serde::Serialize;

/// Below this share of the highest level, the steps are lost on a scale from zero.
const FLAT_SPREAD: Decimal = Decimal::from_parts(5, 0, 0, false, 1);
/// A step too small to see still gets a sliver, out of 100.
const SLIVER: Decimal = Decimal::from_parts(4, 0, 0, false, 1);

/// The waterfall of one currency.
#[derive(Debug, Serialize)]
pub(super) struct WaterfallTable {
    currency: String,
    rows: Vec<Row>,
    /// Where the bars begin, if not at zero.
    starts_at: Option<String>,
    has_explained: bool,
    has_raised: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    title: String,
    /// With its sign: what is taken away is negative.
    amount: String,
    /// What is left after it.
    left: String,
    class: &'static str,
    is_total: bool,
    /// Start and width of the bar out of 100.
    bar: (String, String),
}

impl WaterfallTable {
    /// # Errors
    /// [`ReportError::WaterfallDisagrees`] if the steps do not lead to what was billed.
    pub(super) fn new(waterfall: &Waterfall) -> Result<Self, ReportError> {
        let currency = &waterfall.currency;
        let mut level = waterfall.expected;
        let mut spans = vec![(Decimal::ZERO, level)];
        for step in &waterfall.steps {
            spans.push((level, level - step.amount));
            level -= step.amount;
        }
        if level != waterfall.billed {
            return Err(ReportError::WaterfallDisagrees { currency: currency.clone(), billed: waterfall.billed, reached: level });
        }
        spans.push((Decimal::ZERO, level));
        let scale = Scale::of(&spans);
        let money = |amount: Decimal| format::plain_money(amount, currency);
        let total = |title: &str, amount: Decimal| Row {
            title: title.to_owned(),
            amount: money(amount),
            left: money(amount),
            class: "total",
            is_total: true,
            bar: scale.bar(Decimal::ZERO, amount),
        };
        let step = |(step, (from, to)): (&Step, &(Decimal, Decimal))| Row {
            title: format::clean(&step.title),
            amount: format::signed_money(-step.amount, currency),
            left: money(*to),
            class: class(step.kind()),
            is_total: false,
            bar: scale.bar(*from, *to),
        };
        let mut rows = vec![total("Should have been billed", waterfall.expected)];
        rows.extend(waterfall.steps.iter().zip(&spans[1..]).map(step));
        rows.push(total("Was billed", waterfall.billed));
        let any = |kind: StepKind| waterfall.steps.iter().any(|step| step.kind() == kind);
        Ok(Self {
            currency: format::clean(currency),
            rows,
            starts_at: (!scale.low.is_zero()).then(|| format::money(scale.low, currency)),
            has_explained: any(StepKind::Explained),
            has_raised: any(StepKind::Raised),
        })
    }
}

fn class(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Leak => "leak",
        StepKind::Explained => "explained",
        StepKind::Raised => "over",
    }
}

/// The money at both ends of the bars' scale.
struct Scale {
    low: Decimal,
    high: Decimal,
}

impl Scale {
    fn of(spans: &[(Decimal, Decimal)]) -> Self {
        // Both totals reach down to zero; the steps decide how far down there is something to see.
        let steps = &spans[1..spans.len() - 1];
        let ends = || steps.iter().flat_map(|(from, to)| [*from, *to]).chain([spans[0].1]);
        let (least, high) = (ends().min().unwrap_or_default(), ends().max().unwrap_or_default());
        let spread = high - least;
        if least > Decimal::ZERO && !spread.is_zero() && spread < high * FLAT_SPREAD {
            let low = (least - spread / Decimal::TWO).max(Decimal::ZERO);
            return Self { low: low.round_sf(3).unwrap_or(low).min(least), high };
        }
        Self { low: least.min(Decimal::ZERO), high: high.max(Decimal::ZERO) }
    }

    /// Start and width of the bar from one amount to another, out of 100.
    fn bar(&self, from: Decimal, to: Decimal) -> (String, String) {
        let share = |amount: Decimal| {
            let share = (amount - self.low).checked_div(self.high - self.low).unwrap_or_default();
            (share * Decimal::ONE_HUNDRED).clamp(Decimal::ZERO, Decimal::ONE_HUNDRED)
        };
        let (from, to) = (share(from), share(to));
        let width = (from - to).abs().max(SLIVER);
        let start = from.min(to).min(Decimal::ONE_HUNDRED - width);
        (start.round_dp(2).normalize().to_string(), width.round_dp(2).normalize().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waterfall(expected: i64, steps: &[i64], billed: i64) -> Waterfall {
        let step = |amount: &i64| Step { title: "step".into(), is_signal: true, amount: Decimal::from(*amount) };
        Waterfall {
            currency: "EUR".into(),
            expected: expected.into(),
            billed: billed.into(),
            steps: steps.iter().map(step).collect(),
        }
    }

    fn bars(table: &WaterfallTable) -> Vec<(&str, &str)> {
        table.rows.iter().map(|row| (row.bar.0.as_str(), row.bar.1.as_str())).collect()
    }

    #[test]
    fn each_bar_hangs_from_the_one_before() {
        let table = WaterfallTable::new(&waterfall(100, &[60, -20], 60)).expect("it adds up");
        assert_eq!(bars(&table), [("0", "100"), ("40", "60"), ("40", "20"), ("0", "60")]);
        assert_eq!(table.starts_at, None);
        let amounts: Vec<&str> = table.rows.iter().map(|row| row.amount.as_str()).collect();
        assert_eq!(amounts, ["100.00", "-60.00", "+20.00", "60.00"]);
    }

    #[test]
    fn small_steps_are_shown_on_a_scale_that_says_where_it_begins() {
        let table = WaterfallTable::new(&waterfall(1000, &[40], 960)).expect("it adds up");
        assert_eq!(table.starts_at.as_deref(), Some("EUR 940.00"));
        assert_eq!(bars(&table), [("0", "100"), ("33.33", "66.67"), ("0", "33.33")]);
    }

    #[test]
    fn steps_that_lead_elsewhere_are_refused() {
        assert!(WaterfallTable::new(&waterfall(100, &[60], 41)).is_err());
    }
}
