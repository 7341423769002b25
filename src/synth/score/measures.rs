//! Shares, medians, and money of several currencies in one figure.

use super::LeakScore;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Serialize;
use std::collections::BTreeMap;

/// Money in one currency.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CurrencyScore {
    /// ISO 4217 code.
    pub currency: String,
    /// Leaks whose money is in it.
    pub leaks: usize,
    /// True cost of all leaks.
    #[serde(serialize_with = "super::as_text")]
    pub planted: Decimal,
    /// True cost of the leaks that were found.
    #[serde(serialize_with = "super::as_text")]
    pub found: Decimal,
    /// What the findings say the found leaks cost.
    #[serde(serialize_with = "super::as_text")]
    pub reported: Decimal,
    /// Money-weighted recall.
    pub recall: Option<f64>,
    /// |reported - found| / found, over- and understatements set off against each other.
    pub total_error: Option<f64>,
}

/// Leaks weighed by their money within their currencies, and currencies by their leaks.
pub(super) struct Weighing {
    pub(super) currencies: Vec<CurrencyScore>,
}

impl Weighing {
    pub(super) fn of<'a>(leaks: impl Iterator<Item = &'a LeakScore>) -> Self {
        let leaks = leaks.map(|leak| (leak.currency.as_str(), leak.truth, leak.found.then_some(leak.joint_money)));
        Self::of_money(leaks)
    }

    /// Of currency, true money, and what was reported where the leak was found.
    pub(super) fn of_money<'a>(leaks: impl Iterator<Item = (&'a str, Decimal, Option<Decimal>)>) -> Self {
        let mut sums: BTreeMap<&str, (usize, Decimal, Decimal, Decimal)> = BTreeMap::new();
        for (currency, truth, told) in leaks {
            let (count, planted, found, reported) = sums.entry(currency).or_default();
            *count += 1;
            *planted += truth;
            if let Some(told) = told {
                *found += truth;
                *reported += told;
            }
        }
        let scores = sums.into_iter().map(|(currency, (leaks, planted, found, reported))| CurrencyScore {
            currency: currency.to_owned(),
            leaks,
            planted,
            found,
            reported,
            recall: ratio(found, planted),
            total_error: relative_error(reported, found),
        });
        Self { currencies: scores.collect() }
    }

    pub(super) fn recall(&self) -> Option<f64> {
        self.mean(|currency| currency.recall)
    }

    pub(super) fn total_error(&self) -> Option<f64> {
        self.mean(|currency| currency.total_error)
    }

    /// The mean over the currencies that have the figure.
    fn mean(&self, figure: impl Fn(&CurrencyScore) -> Option<f64>) -> Option<f64> {
        let known: Vec<(usize, f64)> = self.currencies.iter().filter_map(|it| Some((it.leaks, figure(it)?))).collect();
        let all = known.iter().map(|(leaks, _)| leaks).sum();
        (all > 0).then(|| known.iter().filter_map(|(leaks, value)| Some(share(*leaks, all)? * value)).sum())
    }
}

pub(super) fn relative_error(reported: Decimal, truth: Decimal) -> Option<f64> {
    ratio((reported - truth).abs(), truth)
}

fn ratio(part: Decimal, whole: Decimal) -> Option<f64> {
    part.checked_div(whole)?.to_f64()
}

#[expect(clippy::cast_precision_loss, reason = "counts of findings are far below 2^52")]
pub(super) fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[expect(clippy::cast_precision_loss, reason = "counts of findings and customer months are far below 2^52")]
pub(super) fn per_thousand(count: usize, whole: u64) -> Option<f64> {
    (whole > 0).then(|| count as f64 * 1_000.0 / whole as f64)
}

pub(super) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 { Some(upper) } else { Some(f64::midpoint(*values.get(middle - 1)?, upper)) }
}
