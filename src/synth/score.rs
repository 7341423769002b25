//! How well findings tell the truth: recall, precision, money, false alarms, onset.
//!
//! | term | meaning |
//! |---|---|
//! | found | a finding of the leak's own signal names its customer and service and overlaps the quarter |
//! | supported | a finding that names the customer, and the service where both give one, of any leak, whatever the signal |
//! | false alarm | a finding that is not supported |
//! | own money | the sum over the findings that found a leak: several may carry parts of it |
//! | joint money | the sum over all findings of the leak's basis on its pair, where signals share its money |
//!
//! A truth or finding without a service is about all services of its customer; without a customer, about the service as
//! a whole, and matches only its like. Ratios are `None` where there is nothing to divide by. Amounts of different
//! currencies are never added: they are compared within their currency, and a leak's weight in the overall
//! money-weighted recall is its share of its currency's planted money times that currency's share of the leaks.

use super::truth::TruthRow;
use crate::findings::{Basis, Finding};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// The whole verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Leaks in the truth file.
    pub planted: usize,
    /// Leaks that a finding of their own signal found.
    pub found: usize,
    /// Found over planted.
    pub recall: Option<f64>,
    /// The same, each leak weighing what it costs.
    pub money_weighted_recall: Option<f64>,
    /// Findings in the truth's quarter (all, if no leak was planted).
    pub findings: usize,
    /// Supported findings over findings.
    pub precision: Option<f64>,
    /// Findings that match a leak of their own signal, over findings.
    pub strict_precision: Option<f64>,
    /// Findings that no leak supports.
    pub false_alarms: usize,
    /// False alarms for each thousand months of a customer.
    pub false_alarms_per_1000_customer_months: Option<f64>,
    /// Median over found leaks of |own money - truth| / truth.
    pub median_money_error: Option<f64>,
    /// Median over found leaks of |joint money - truth| / truth.
    pub median_joint_money_error: Option<f64>,
    /// Median over found leaks of the onset found less the true one, in months, sign dropped.
    pub median_onset_error: Option<f64>,
    /// Money in total, one entry a currency.
    pub currencies: Vec<CurrencyScore>,
    /// One entry for each signal that was planted or reported.
    pub signals: Vec<SignalScore>,
    /// One entry a leak.
    pub leaks: Vec<LeakScore>,
    /// Ids of the false alarms.
    pub false_alarm_ids: Vec<String>,
}

/// Money in one currency.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CurrencyScore {
    /// ISO 4217 code.
    pub currency: String,
    /// True cost of all leaks.
    #[serde(serialize_with = "as_text")]
    pub planted: Decimal,
    /// True cost of the leaks that were found.
    #[serde(serialize_with = "as_text")]
    pub found: Decimal,
    /// What the findings say the found leaks cost.
    #[serde(serialize_with = "as_text")]
    pub reported: Decimal,
    /// Money-weighted recall.
    pub recall: Option<f64>,
    /// |reported - found| / found, over- and understatements set off against each other.
    pub total_error: Option<f64>,
}

/// One signal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SignalScore {
    /// The signal's id.
    pub signal: String,
    /// Leaks of this kind.
    pub planted: usize,
    /// Leaks of this kind that were found.
    pub found: usize,
    /// Found over planted.
    pub recall: Option<f64>,
    /// Findings of this signal.
    pub findings: usize,
    /// Findings of this signal that any leak supports, over its findings.
    pub precision: Option<f64>,
    /// Findings of this signal that match a leak of this kind, over its findings.
    pub strict_precision: Option<f64>,
    /// Median over found leaks of |own money - truth| / truth.
    pub median_money_error: Option<f64>,
    /// Median over found leaks of the onset error in months, sign dropped.
    pub median_onset_error: Option<f64>,
}

/// One leak.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LeakScore {
    /// The truth row.
    pub leak_id: String,
    /// Its signal.
    pub signal: String,
    /// Whether it was found.
    pub found: bool,
    /// Signals of all findings on its pair.
    pub signals: Vec<String>,
    /// What it costs.
    #[serde(serialize_with = "as_text")]
    pub truth: Decimal,
    /// What the findings of its own signal say.
    #[serde(serialize_with = "as_text")]
    pub own_money: Decimal,
    /// What all findings of its basis on its pair say.
    #[serde(serialize_with = "as_text")]
    pub joint_money: Decimal,
    /// |own money - truth| / truth, if found.
    pub money_error: Option<f64>,
    /// |joint money - truth| / truth, if found.
    pub joint_money_error: Option<f64>,
    /// Onset found less true onset in months: positive is late.
    pub onset_error: Option<i32>,
}

/// Compares findings with the truth. `customer_months` is what false alarms are counted against.
#[must_use]
pub fn score(truth: &[TruthRow], findings: &[Finding], customer_months: u64) -> Score {
    let quarters: BTreeSet<_> = truth.iter().map(|row| row.quarter).collect();
    let judged = findings.iter().filter(|finding| quarters.is_empty() || quarters.contains(&finding.quarter));
    let verdicts: Vec<Verdict<'_>> = judged.map(|finding| Verdict::of(finding, truth)).collect();
    let leaks: Vec<LeakScore> = truth.iter().map(|row| leak_score(row, &verdicts)).collect();
    let found = leaks.iter().filter(|leak| leak.found).count();
    let currencies = currency_scores(truth, &leaks);
    let supported = verdicts.iter().filter(|verdict| verdict.supported).count();
    let strict = verdicts.iter().filter(|verdict| verdict.own_signal).count();
    let false_alarms = verdicts.len() - supported;
    Score {
        planted: truth.len(),
        found,
        recall: share(found, truth.len()),
        money_weighted_recall: weighted_recall(truth, &currencies),
        findings: verdicts.len(),
        precision: share(supported, verdicts.len()),
        strict_precision: share(strict, verdicts.len()),
        false_alarms,
        false_alarms_per_1000_customer_months: per_thousand(false_alarms, customer_months),
        median_money_error: median(leaks.iter().filter_map(|leak| leak.money_error)),
        median_joint_money_error: median(leaks.iter().filter_map(|leak| leak.joint_money_error)),
        median_onset_error: median(leaks.iter().filter_map(LeakScore::onset_distance)),
        currencies,
        signals: signal_scores(&leaks, &verdicts),
        false_alarm_ids: verdicts
            .iter()
            .filter(|verdict| !verdict.supported)
            .map(|verdict| verdict.finding.finding_id.clone())
            .collect(),
        leaks,
    }
}

/// A finding and whether any leak stands behind it.
struct Verdict<'a> {
    finding: &'a Finding,
    supported: bool,
    own_signal: bool,
}

impl<'a> Verdict<'a> {
    fn of(finding: &'a Finding, truth: &[TruthRow]) -> Self {
        let mut behind = truth.iter().filter(|row| names(finding, row)).peekable();
        let supported = behind.peek().is_some();
        Self { finding, supported, own_signal: behind.any(|row| finds(finding, row)) }
    }
}

/// The finding is about the leak's customer and service.
fn names(finding: &Finding, row: &TruthRow) -> bool {
    if finding.quarter != row.quarter || finding.customer_key != row.customer_key {
        return false;
    }
    match (&finding.service_key, &row.service_key) {
        (Some(found), Some(planted)) => found == planted,
        // About a whole customer, which has to be named then.
        _ => row.customer_key.is_some(),
    }
}

/// The finding is about this very leak.
fn finds(finding: &Finding, row: &TruthRow) -> bool {
    let overlaps = finding.first_month <= row.quarter.last_month() && finding.last_month >= row.quarter.first_month();
    finding.signal == row.signal && overlaps && names(finding, row)
}

fn leak_score(row: &TruthRow, verdicts: &[Verdict<'_>]) -> LeakScore {
    let on_pair: Vec<&Finding> = verdicts.iter().map(|verdict| verdict.finding).filter(|finding| names(finding, row)).collect();
    let own: Vec<&Finding> = on_pair.iter().copied().filter(|finding| finds(finding, row)).collect();
    let money = |findings: &[&Finding]| -> Decimal {
        let comparable = findings.iter().filter(|finding| finding.currency == row.currency && finding.basis == row.basis);
        comparable.map(|finding| money_of(finding)).sum()
    };
    let (own_money, joint_money) = (money(&own), money(&on_pair));
    let found = !own.is_empty();
    let error = |money: Decimal| found.then(|| relative_error(money, row.money())).flatten();
    let onsets = own.iter().map(|finding| finding.change_month.unwrap_or(finding.first_month));
    let signals: BTreeSet<&str> = on_pair.iter().map(|finding| finding.signal.as_str()).collect();
    LeakScore {
        leak_id: row.leak_id.clone(),
        signal: row.signal.clone(),
        found,
        signals: signals.into_iter().map(str::to_owned).collect(),
        truth: row.money(),
        own_money,
        joint_money,
        money_error: error(own_money),
        joint_money_error: error(joint_money),
        onset_error: onsets.min().map(|onset| onset.index() - row.first_month.index()),
    }
}

impl LeakScore {
    fn onset_distance(&self) -> Option<f64> {
        self.onset_error.map(|months| f64::from(months.abs()))
    }
}

fn money_of(finding: &Finding) -> Decimal {
    if finding.basis == Basis::Overbilling { finding.overbilled } else { finding.leakage }
}

fn currency_scores(truth: &[TruthRow], leaks: &[LeakScore]) -> Vec<CurrencyScore> {
    let mut sums: BTreeMap<&str, (Decimal, Decimal, Decimal)> = BTreeMap::new();
    for (row, leak) in truth.iter().zip(leaks) {
        let (planted, found, reported) = sums.entry(&row.currency).or_default();
        *planted += leak.truth;
        if leak.found {
            *found += leak.truth;
            *reported += leak.own_money;
        }
    }
    let scores = sums.into_iter().map(|(currency, (planted, found, reported))| CurrencyScore {
        currency: currency.to_owned(),
        planted,
        found,
        reported,
        recall: ratio(found, planted),
        total_error: relative_error(reported, found),
    });
    scores.collect()
}

fn weighted_recall(truth: &[TruthRow], currencies: &[CurrencyScore]) -> Option<f64> {
    let mut recall = None;
    for score in currencies {
        let rows = truth.iter().filter(|row| row.currency == score.currency).count();
        let weight = share(rows, truth.len())?;
        recall = Some(recall.unwrap_or(0.0) + weight * score.recall?);
    }
    recall
}

fn signal_scores(leaks: &[LeakScore], verdicts: &[Verdict<'_>]) -> Vec<SignalScore> {
    let planted = leaks.iter().map(|leak| leak.signal.as_str());
    let names: BTreeSet<&str> = planted.chain(verdicts.iter().map(|verdict| verdict.finding.signal.as_str())).collect();
    let scores = names.into_iter().map(|signal| {
        let leaks: Vec<&LeakScore> = leaks.iter().filter(|leak| leak.signal == signal).collect();
        let verdicts: Vec<&Verdict<'_>> = verdicts.iter().filter(|verdict| verdict.finding.signal == signal).collect();
        let found = leaks.iter().filter(|leak| leak.found).count();
        let count = |matches: fn(&Verdict<'_>) -> bool| verdicts.iter().filter(|verdict| matches(verdict)).count();
        SignalScore {
            signal: signal.to_owned(),
            planted: leaks.len(),
            found,
            recall: share(found, leaks.len()),
            findings: verdicts.len(),
            precision: share(count(|verdict| verdict.supported), verdicts.len()),
            strict_precision: share(count(|verdict| verdict.own_signal), verdicts.len()),
            median_money_error: median(leaks.iter().filter_map(|leak| leak.money_error)),
            median_onset_error: median(leaks.iter().filter_map(|leak| leak.onset_distance())),
        }
    });
    scores.collect()
}

fn relative_error(reported: Decimal, truth: Decimal) -> Option<f64> {
    ratio((reported - truth).abs(), truth)
}

fn ratio(part: Decimal, whole: Decimal) -> Option<f64> {
    part.checked_div(whole)?.to_f64()
}

#[expect(clippy::cast_precision_loss, reason = "counts of findings are far below 2^52")]
fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[expect(clippy::cast_precision_loss, reason = "counts of findings and customer months are far below 2^52")]
fn per_thousand(count: usize, whole: u64) -> Option<f64> {
    (whole > 0).then(|| count as f64 * 1_000.0 / whole as f64)
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 { Some(upper) } else { Some(f64::midpoint(*values.get(middle - 1)?, upper)) }
}

fn as_text<S: Serializer>(amount: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(amount)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::month::{Month, Quarter};

    fn month(text: &str) -> Month {
        text.parse().expect("a month")
    }

    fn quarter() -> Quarter {
        "2026Q3".parse().expect("a quarter")
    }

    fn leak(signal: &str, service: &str, leakage: i64) -> TruthRow {
        TruthRow {
            leak_id: format!("L-{signal}-{service}"),
            signal: signal.to_owned(),
            customer_key: Some("acme".to_owned()),
            service_key: Some(service.to_owned()),
            first_month: month("2026-06"),
            last_month: month("2026-09"),
            quarter: quarter(),
            currency: "USD".to_owned(),
            leakage: Decimal::from(leakage),
            basis: Basis::Revenue,
            overbilled: Decimal::ZERO,
            note: String::new(),
        }
    }

    fn finding(signal: &str, customer: Option<&str>, service: Option<&str>, leakage: i64) -> Finding {
        Finding {
            finding_id: format!("F-{signal}-{}", service.unwrap_or("all")),
            signal: signal.to_owned(),
            family: "seam".to_owned(),
            quarter: quarter(),
            customer_key: customer.map(str::to_owned),
            customer_name: None,
            service_key: service.map(str::to_owned),
            service_name: None,
            first_month: month("2026-07"),
            last_month: month("2026-09"),
            currency: "USD".to_owned(),
            leakage_low: Decimal::ZERO,
            leakage: Decimal::from(leakage),
            leakage_high: Decimal::ZERO,
            annual_run_rate: Decimal::ZERO,
            severity: "low".to_owned(),
            confidence: 1.0,
            p_value: None,
            q_value: None,
            slope: None,
            slope_low: None,
            slope_high: None,
            change_month: None,
            status: "new".to_owned(),
            explanation: String::new(),
            basis: Basis::Revenue,
            overbilled: Decimal::ZERO,
        }
    }

    #[test]
    fn parts_of_a_leak_add_up_and_corroboration_is_no_false_alarm() {
        let truth = [leak("underbilled_quantity", "seats", 100), leak("arpu_decline", "edr", 300)];
        let findings = [
            finding("underbilled_quantity", Some("acme"), Some("seats"), 60),
            finding("underbilled_quantity", Some("acme"), Some("seats"), 30),
            finding("flatline_estimate", Some("acme"), Some("seats"), 10),
            finding("duplicate_billing", Some("zeta"), Some("seats"), 5),
        ];
        let score = score(&truth, &findings, 2_000);
        assert_eq!((score.planted, score.found, score.findings), (2, 1, 4));
        assert_eq!(score.recall, Some(0.5));
        assert_eq!(score.money_weighted_recall, Some(0.25));
        assert_eq!(score.precision, Some(0.75));
        assert_eq!(score.strict_precision, Some(0.5));
        assert_eq!(score.false_alarms_per_1000_customer_months, Some(0.5));
        assert_eq!(score.false_alarm_ids, ["F-duplicate_billing-seats"]);
        assert_eq!(score.median_money_error, Some(0.1));
        assert_eq!(score.median_joint_money_error, Some(0.0));
        assert_eq!(score.leaks[0].onset_error, Some(1));
        assert_eq!(score.leaks[0].signals, ["flatline_estimate", "underbilled_quantity"]);
    }

    #[test]
    fn a_finding_about_the_whole_customer_finds_a_leak_of_any_of_its_services() {
        let truth = [leak("arpu_decline", "edr", 300)];
        let found = score(&truth, &[finding("arpu_decline", Some("acme"), None, 300)], 10);
        assert_eq!((found.found, found.false_alarms), (1, 0));
        let elsewhere = score(&truth, &[finding("arpu_decline", None, Some("edr"), 300)], 10);
        assert_eq!((elsewhere.found, elsewhere.false_alarms), (0, 1));
    }

    #[test]
    fn every_finding_in_a_clean_book_is_a_false_alarm() {
        let clean = score(&[], &[finding("arpu_decline", Some("acme"), None, 300)], 500);
        assert_eq!((clean.recall, clean.precision), (None, Some(0.0)));
        assert_eq!(clean.false_alarms_per_1000_customer_months, Some(2.0));
        assert_eq!(score(&[], &[], 500).precision, None);
    }

    #[test]
    fn a_finding_of_another_signal_does_not_find_a_leak() {
        let truth = [leak("underbilled_quantity", "seats", 100)];
        let verdict = score(&truth, &[finding("flatline_estimate", Some("acme"), Some("seats"), 100)], 10);
        assert_eq!((verdict.found, verdict.false_alarms), (0, 0));
        assert_eq!(verdict.leaks[0].money_error, None);
    }
}
