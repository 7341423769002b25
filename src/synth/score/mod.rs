//! How well findings tell the truth: recall, precision, money, false alarms, onset; and how well simpler methods do ([`methods`]).
//!
//! | term | meaning |
//! |---|---|
//! | found | a finding of the leak's own signal names its customer and service and overlaps the quarter: where *and why* were told |
//! | located | any finding names its customer and service: where was told |
//! | supported | a finding that names the customer, and the service where both give one, of any leak, whatever the signal |
//! | false alarm | a finding that is not supported |
//! | own money | the sum over the findings that found a leak: several may carry parts of it |
//! | joint money | the sum over all findings of the leak's basis on its pair, where signals share its money |
//!
//! *Two names for one leak.* Some leaks make two signals true at once, by their definitions: a quantity that is typed in is below what was
//! delivered (`flatline_estimate`, `underbilled_quantity`); a price that slides lowers what a seat brings (`discount_creep`, `arpu_decline`);
//! an old price that stays on is a step of the billed price against the agreed one (`contract_terms_not_enforced`, `discount_creep`).
//! Such a finding is supported under either name. A leak is *found* under its own only, so recall asks for the cause that was planted, and
//! a finding counts although its money stands with another signal. Money is therefore judged jointly: what all findings of one basis on a
//! pair say that it lost, against what it did lose.
//!
//! A truth or finding without a service is about all services of its customer; without a customer, about the service as a whole, and
//! matches only its like. What is `unmapped` cannot be named in full: there, what either side leaves out matches anything, and no other
//! leak supports such a finding. Findings that are resolved claim nothing and are left out. Ratios are `None` where there is nothing to
//! divide by. Amounts of different currencies are never added: they are compared within their currency, and a currency weighs as many
//! leaks as it has.

mod measures;
pub mod methods;

use super::truth::TruthRow;
use crate::findings::Finding;
use crate::findings::status::{is_open, money as money_of};
use measures::{Weighing, median, per_thousand, relative_error, share};
use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use std::collections::BTreeSet;

pub use measures::CurrencyScore;

/// The signal about ids that stand in no crosswalk.
const UNMAPPED: &str = "unmapped";

/// What is measured of one signal, of a book, or of several.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Leaks in the truth file.
    pub planted: usize,
    /// Leaks that a finding of their own signal found.
    pub found: usize,
    /// Leaks whose customer and service any finding names.
    pub located: usize,
    /// Found over planted.
    pub recall: Option<f64>,
    /// The same, each leak weighing what it costs.
    pub money_weighted_recall: Option<f64>,
    /// Findings in the truth's quarter (all, if no leak was planted).
    pub findings: usize,
    /// Findings that any leak supports, over findings.
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
    /// |joint money - truth| / truth over all found leaks, over- and understatements set off against each other.
    pub total_money_error: Option<f64>,
    /// Median over found leaks of the onset found less the true one, in months, sign dropped.
    pub median_onset_error: Option<f64>,
    /// Found leaks whose onset is right within one month, over found leaks.
    pub onset_within_one: Option<f64>,
}

/// The whole verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Of all signals together.
    #[serde(flatten)]
    pub figures: Figures,
    /// Months in which each customer was one, over all books.
    pub customer_months: u64,
    /// Money in total, one entry a currency.
    pub currencies: Vec<CurrencyScore>,
    /// One entry for each signal that was planted or reported.
    pub signals: Vec<SignalScore>,
    /// One entry a leak.
    pub leaks: Vec<LeakScore>,
    /// Ids of the false alarms.
    pub false_alarm_ids: Vec<String>,
    /// One entry a finding.
    #[serde(skip)]
    verdicts: Vec<Verdict>,
}

/// One signal: its leaks, and its findings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SignalScore {
    /// The signal's id.
    pub signal: String,
    /// Of this signal alone.
    #[serde(flatten)]
    pub figures: Figures,
}

/// One leak.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LeakScore {
    /// The truth row.
    pub leak_id: String,
    /// Its signal.
    pub signal: String,
    /// Its currency.
    pub currency: String,
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
    let is_judged = |finding: &&Finding| is_open(finding) && (quarters.is_empty() || quarters.contains(&finding.quarter));
    let judged: Vec<&Finding> = findings.iter().filter(is_judged).collect();
    let leaks = truth.iter().map(|row| leak_score(row, &judged)).collect();
    let verdicts = judged.iter().map(|finding| Verdict::of(finding, truth)).collect();
    Score::of(leaks, verdicts, customer_months)
}

impl Score {
    /// The verdict on several books as if they were one.
    #[must_use]
    pub fn pooled(scores: &[Self]) -> Self {
        let leaks = scores.iter().flat_map(|score| score.leaks.clone()).collect();
        let verdicts = scores.iter().flat_map(|score| score.verdicts.clone()).collect();
        Self::of(leaks, verdicts, scores.iter().map(|score| score.customer_months).sum())
    }

    fn of(leaks: Vec<LeakScore>, verdicts: Vec<Verdict>, customer_months: u64) -> Self {
        let signals: BTreeSet<&str> =
            leaks.iter().map(|leak| leak.signal.as_str()).chain(verdicts.iter().map(|verdict| verdict.signal.as_str())).collect();
        let signals = signals.into_iter().map(|signal| {
            let leaks: Vec<&LeakScore> = leaks.iter().filter(|leak| leak.signal == signal).collect();
            let verdicts: Vec<&Verdict> = verdicts.iter().filter(|verdict| verdict.signal == signal).collect();
            SignalScore { signal: signal.to_owned(), figures: figures(&leaks, &verdicts, customer_months) }
        });
        let signals = signals.collect();
        let whole = figures(&leaks.iter().collect::<Vec<_>>(), &verdicts.iter().collect::<Vec<_>>(), customer_months);
        let currencies = Weighing::of(leaks.iter()).currencies;
        let alarms = verdicts.iter().filter(|verdict| !verdict.supported);
        Self {
            figures: whole,
            customer_months,
            currencies,
            signals,
            false_alarm_ids: alarms.map(|verdict| verdict.finding_id.clone()).collect(),
            leaks,
            verdicts,
        }
    }
}

/// A finding and whether any leak stands behind it.
#[derive(Clone, Debug, PartialEq)]
struct Verdict {
    finding_id: String,
    signal: String,
    supported: bool,
    own_signal: bool,
}

impl Verdict {
    fn of(finding: &Finding, truth: &[TruthRow]) -> Self {
        let mut behind = truth.iter().filter(|row| names(finding, row)).peekable();
        let supported = behind.peek().is_some();
        let own_signal = behind.any(|row| finds(finding, row));
        Self { finding_id: finding.finding_id.clone(), signal: finding.signal.clone(), supported, own_signal }
    }
}

/// The finding is about the leak's customer and service.
fn names(finding: &Finding, row: &TruthRow) -> bool {
    if finding.quarter != row.quarter || (finding.signal == UNMAPPED) != (row.signal == UNMAPPED) {
        return false;
    }
    if row.signal == UNMAPPED {
        let may_be = |found: &Option<String>, planted: &Option<String>| found.is_none() || planted.is_none() || found == planted;
        return may_be(&finding.customer_key, &row.customer_key) && may_be(&finding.service_key, &row.service_key);
    }
    match (&finding.service_key, &row.service_key) {
        _ if finding.customer_key != row.customer_key => false,
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

/// The findings about a leak; where one says exactly what the truth says, those that only may be about it are left out.
fn on_pair<'a>(row: &TruthRow, findings: &[&'a Finding]) -> Vec<&'a Finding> {
    let about: Vec<&Finding> = findings.iter().copied().filter(|finding| names(finding, row)).collect();
    let is_exact = |finding: &&&Finding| finding.customer_key == row.customer_key && finding.service_key == row.service_key;
    let exact: Vec<&Finding> = about.iter().filter(is_exact).copied().collect();
    if row.signal == UNMAPPED && !exact.is_empty() { exact } else { about }
}

fn leak_score(row: &TruthRow, findings: &[&Finding]) -> LeakScore {
    let on_pair = on_pair(row, findings);
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
        currency: row.currency.clone(),
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

fn figures(leaks: &[&LeakScore], verdicts: &[&Verdict], customer_months: u64) -> Figures {
    let found: Vec<&LeakScore> = leaks.iter().copied().filter(|leak| leak.found).collect();
    let count = |matches: fn(&Verdict) -> bool| verdicts.iter().filter(|verdict| matches(verdict)).count();
    let false_alarms = count(|verdict| !verdict.supported);
    let onsets = || found.iter().filter_map(|leak| leak.onset_error).map(i32::abs);
    let money = Weighing::of(leaks.iter().copied());
    Figures {
        planted: leaks.len(),
        found: found.len(),
        located: leaks.iter().filter(|leak| !leak.signals.is_empty()).count(),
        recall: share(found.len(), leaks.len()),
        money_weighted_recall: money.recall(),
        findings: verdicts.len(),
        precision: share(count(|verdict| verdict.supported), verdicts.len()),
        strict_precision: share(count(|verdict| verdict.own_signal), verdicts.len()),
        false_alarms,
        false_alarms_per_1000_customer_months: per_thousand(false_alarms, customer_months),
        median_money_error: median(found.iter().filter_map(|leak| leak.money_error)),
        median_joint_money_error: median(found.iter().filter_map(|leak| leak.joint_money_error)),
        total_money_error: money.total_error(),
        median_onset_error: median(onsets().map(f64::from)),
        onset_within_one: share(onsets().filter(|months| *months <= 1).count(), onsets().count()),
    }
}

fn as_text<S: Serializer>(amount: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(amount)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Basis;
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
        assert_eq!((score.figures.planted, score.figures.found, score.figures.findings), (2, 1, 4));
        assert_eq!(score.figures.recall, Some(0.5));
        assert_eq!(score.figures.money_weighted_recall, Some(0.25));
        assert_eq!(score.figures.precision, Some(0.75));
        assert_eq!(score.figures.strict_precision, Some(0.5));
        assert_eq!(score.figures.false_alarms_per_1000_customer_months, Some(0.5));
        assert_eq!(score.false_alarm_ids, ["F-duplicate_billing-seats"]);
        assert_eq!(score.figures.median_money_error, Some(0.1));
        assert_eq!(score.figures.median_joint_money_error, Some(0.0));
        assert_eq!(score.leaks[0].onset_error, Some(1));
        assert_eq!(score.leaks[0].signals, ["flatline_estimate", "underbilled_quantity"]);
    }

    #[test]
    fn a_finding_about_the_whole_customer_finds_a_leak_of_any_of_its_services() {
        let truth = [leak("arpu_decline", "edr", 300)];
        let found = score(&truth, &[finding("arpu_decline", Some("acme"), None, 300)], 10);
        assert_eq!((found.figures.found, found.figures.false_alarms), (1, 0));
        let elsewhere = score(&truth, &[finding("arpu_decline", None, Some("edr"), 300)], 10);
        assert_eq!((elsewhere.figures.found, elsewhere.figures.false_alarms), (0, 1));
    }

    #[test]
    fn every_finding_in_a_clean_book_is_a_false_alarm() {
        let clean = score(&[], &[finding("arpu_decline", Some("acme"), None, 300)], 500);
        assert_eq!((clean.figures.recall, clean.figures.precision), (None, Some(0.0)));
        assert_eq!(clean.figures.false_alarms_per_1000_customer_months, Some(2.0));
        assert_eq!(score(&[], &[], 500).figures.precision, None);
    }

    #[test]
    fn a_finding_of_another_signal_does_not_find_a_leak() {
        let truth = [leak("underbilled_quantity", "seats", 100)];
        let verdict = score(&truth, &[finding("flatline_estimate", Some("acme"), Some("seats"), 100)], 10);
        assert_eq!((verdict.figures.found, verdict.figures.false_alarms), (0, 0));
        assert_eq!(verdict.leaks[0].money_error, None);
    }

    #[test]
    fn what_is_unmapped_matches_by_what_is_known_of_it() {
        let account = |service: &str| TruthRow { customer_key: None, basis: Basis::Cost, ..leak("unmapped", service, 50) };
        let article = TruthRow { service_key: None, basis: Basis::Cost, ..leak("unmapped", "-", 70) };
        let cost = |customer, service, money| Finding { basis: Basis::Cost, ..finding("unmapped", customer, service, money) };
        let truth = [account("seats"), account("edr"), article, leak("arpu_decline", "edr", 300)];
        let found = score(&truth, &[cost(None, Some("seats"), 50), cost(Some("acme"), None, 70)], 10);
        let told: Vec<_> = found.leaks.iter().map(|leak| (leak.found, leak.joint_money_error)).collect();
        // What says a service and no customer is not about another service; what says a customer alone may be about his accounts.
        assert_eq!(told[..3], [(true, Some(0.0)), (true, Some(0.4)), (true, Some(0.0))]);
        assert!(!found.leaks[3].found && found.leaks[3].signals.is_empty(), "{:?}", found.leaks[3]);
        let elsewhere = score(&truth, &[cost(Some("zeta"), Some("backup"), 50)], 10);
        assert_eq!(
            (elsewhere.figures.found, elsewhere.figures.false_alarms),
            (0, 1),
            "neither an account's service nor the article's customer"
        );
    }

    #[test]
    fn a_finding_that_is_resolved_claims_nothing() {
        let resolved = Finding { status: "resolved".to_owned(), ..finding("arpu_decline", Some("zeta"), Some("edr"), 0) };
        assert_eq!(score(&[leak("arpu_decline", "edr", 300)], &[resolved], 10).figures.findings, 0);
    }

    #[test]
    fn books_are_pooled_leak_by_leak() {
        let first = score(&[leak("arpu_decline", "edr", 300)], &[finding("arpu_decline", Some("acme"), Some("edr"), 330)], 100);
        let second = score(&[leak("arpu_decline", "edr", 100)], &[finding("arpu_decline", Some("zeta"), Some("edr"), 100)], 100);
        let both = Score::pooled(&[first, second]);
        assert_eq!((both.figures.planted, both.figures.found, both.figures.false_alarms), (2, 1, 1));
        assert_eq!((both.figures.money_weighted_recall, both.figures.total_money_error), (Some(0.75), Some(0.1)));
        assert_eq!(both.figures.false_alarms_per_1000_customer_months, Some(5.0));
        assert_eq!(both.figures.onset_within_one, Some(1.0));
    }
}
