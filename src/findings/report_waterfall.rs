//! From what should have been billed to what was: the bridge of a run, summed over customers, services and months.

use super::analyze::AnalyzeError;
use super::report_data::{money, query, text};
use super::signal::Signal;
use crate::money::{minor_units, round_to_minor_unit};
use crate::report::{Step, Waterfall};
use datafusion::prelude::SessionContext;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// What explains a gap and is no signal: cause and name, in the order in which they are shown, after the signals.
const EXPLANATIONS: [(&str, &str); 8] = [
    ("unbilled_commitment", "Agreed, neither delivered nor billed"),
    ("credit", "Credits given"),
    ("one_off", "Single charges beside the recurring lines"),
    ("calendar", "Months of unequal length in lines split by days"),
    ("overbilled_quantity", "More units billed than delivered or agreed"),
    ("billed_above_terms", "Billed above the agreed price"),
    ("unexplained", "Unexplained"),
    (ROUNDING, "Rounding"),
];
const ROUNDING: &str = "rounding";

/// Expected and billed by currency, and what lies between by currency and cause; exact.
#[derive(Debug, Default)]
struct Bridge {
    ends: BTreeMap<String, (Decimal, Decimal)>,
    parts: BTreeMap<String, BTreeMap<String, Decimal>>,
}

/// One waterfall for each currency in which something was expected or billed, by currency. `marts.*` must be registered for one run.
///
/// # Errors
/// [`AnalyzeError`] if the marts cannot be read.
pub(super) async fn waterfalls(ctx: &SessionContext, signals: &[Signal]) -> Result<Vec<Waterfall>, AnalyzeError> {
    let mut bridge = Bridge::default();
    // The bridge has a row per cause, and each repeats what its cell expected.
    let ends = "SELECT currency, sum(expected), sum(billed)
                FROM (SELECT DISTINCT customer_key, service_key, month, currency, expected, billed FROM marts.gap_bridge)
                WHERE currency IS NOT NULL GROUP BY currency";
    for batch in query(ctx, ends).await? {
        for row in 0..batch.num_rows() {
            let amount = |column| money(&batch, column, row).unwrap_or_default();
            bridge.ends.insert(text(&batch, 0, row), (amount(1), amount(2)));
        }
    }
    let parts = "SELECT currency, cause, sum(amount) FROM marts.gap_bridge WHERE cause <> '' GROUP BY currency, cause";
    for batch in query(ctx, parts).await? {
        for row in 0..batch.num_rows() {
            let amount = money(&batch, 2, row).unwrap_or_default();
            bridge.parts.entry(text(&batch, 0, row)).or_default().insert(text(&batch, 1, row), amount);
        }
    }
    let name = |cause: &str| {
        let known = signals.iter().find(|signal| signal.id == cause);
        known.map_or_else(|| explanation(cause), |signal| (signal.title.clone(), true))
    };
    Ok(bridge.ends.iter().map(|(currency, ends)| waterfall(currency, *ends, bridge.parts.get(currency), &name)).collect())
}

fn explanation(cause: &str) -> (String, bool) {
    let known = EXPLANATIONS.iter().find(|(known, _)| *known == cause);
    (known.map_or_else(|| cause.replace('_', " "), |(_, name)| (*name).to_owned()), false)
}

/// Signals first, the largest of them before the others, then the explanations in their order.
fn waterfall(
    currency: &str,
    (expected, billed): (Decimal, Decimal),
    parts: Option<&BTreeMap<String, Decimal>>,
    name: &dyn Fn(&str) -> (String, bool),
) -> Waterfall {
    let round = |amount: Decimal| round_to_minor_unit(amount, currency);
    let (expected, billed) = (round(expected), round(billed));
    let mut amounts: BTreeMap<&str, Decimal> =
        parts.into_iter().flatten().map(|(cause, amount)| (cause.as_str(), round(*amount))).collect();
    // Parts that are exact and each rounded may miss a few cents; more than that is no rounding, and is not called so.
    let rest = expected - billed - amounts.values().sum::<Decimal>();
    let cents = Decimal::new(1, minor_units(currency)) * Decimal::from(amounts.len() + 2);
    let missing = if rest.abs() <= cents {
        *amounts.entry(ROUNDING).or_default() += rest;
        Decimal::ZERO
    } else {
        rest
    };
    let place = |cause: &str| EXPLANATIONS.iter().position(|(known, _)| *known == cause).unwrap_or(EXPLANATIONS.len());
    let mut steps: Vec<(usize, Step)> = amounts
        .into_iter()
        .filter(|(_, amount)| !amount.is_zero())
        .map(|(cause, amount)| {
            let (title, is_signal) = name(cause);
            (if is_signal { 0 } else { 1 + place(cause) }, Step { title, is_signal, amount })
        })
        .collect();
    if !missing.is_zero() {
        let title = "Not broken down: the parts in the lake do not add up".to_owned();
        steps.push((usize::MAX, Step { title, is_signal: false, amount: missing }));
    }
    steps.sort_by(|(a, left), (b, right)| (a, right.amount, &left.title).cmp(&(b, left.amount, &right.title)));
    Waterfall { currency: currency.to_owned(), expected, billed, steps: steps.into_iter().map(|(_, step)| step).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::catalog::Catalog;
    use crate::rating::bridge::CAUSES;

    fn dec(text: &str) -> Decimal {
        text.parse().expect("a decimal")
    }

    fn of(expected: &str, billed: &str, parts: &[(&str, &str)]) -> Vec<String> {
        let parts = parts.iter().map(|(cause, amount)| ((*cause).to_owned(), dec(amount))).collect();
        let name = |cause: &str| if cause.contains("billed_quantity") { (cause.to_owned(), true) } else { explanation(cause) };
        let waterfall = waterfall("EUR", (dec(expected), dec(billed)), Some(&parts), &name);
        let sum: Decimal = waterfall.steps.iter().map(|step| step.amount).sum();
        assert_eq!(waterfall.expected - sum, waterfall.billed);
        waterfall.steps.iter().map(|step| format!("{} {}", step.title, step.amount)).collect()
    }

    #[test]
    fn signals_come_first_and_cents_are_called_rounding() {
        let parts = [("credit", "5.005"), ("underbilled_quantity", "10.334"), ("rounding", "0.661"), ("one_off", "-6")];
        assert_eq!(
            of("100", "90", &parts),
            [
                "underbilled_quantity 10.33",
                "Credits given 5.00",
                "Single charges beside the recurring lines -6.00",
                "Rounding 0.67"
            ]
        );
        assert!(of("100", "100", &[]).is_empty());
    }

    #[test]
    fn what_does_not_add_up_is_said() {
        let said = of("100", "80", &[("credit", "5")]);
        assert_eq!(said, ["Credits given 5.00", "Not broken down: the parts in the lake do not add up 15.00"]);
    }

    #[test]
    fn every_cause_has_a_name() {
        let signals = Signal::load_all(&Catalog::load(None).expect("queries")).expect("signals");
        for cause in CAUSES {
            let is_named =
                signals.iter().any(|signal| signal.id == cause) || EXPLANATIONS.iter().any(|(known, _)| *known == cause);
            assert!(is_named, "{cause}");
        }
    }
}
