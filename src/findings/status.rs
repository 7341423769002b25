//! A finding against what earlier analyses said of the same leak.
//!
//! | status | says |
//! | --- | --- |
//! | `new` | no earlier analysis found it |
//! | `persisting` | the last time it was found it was the same, within a tenth |
//! | `worse` | it costs more than a tenth more each month |
//! | `improving` | it costs more than a tenth less each month, or in the quarter |
//! | `resolved` | it was found before and is no more: a row without money, in the quarter where it stopped and in no later one |
//! | `reopened` | it was resolved, and has returned |
//!
//! Compared is all that a leak costs, also what is counted with another finding on the same months: which of two signals claims a unit of money
//! says nothing about the leak. The last time counts, however many quarters lie between. Found is found in the best informed run of
//! an earlier quarter that knew no more than this one; or, for what is resolved, in an earlier run of the same quarter.
//!
//! Not found is not resolved: a leak is resolved only where the signal could look ([`Tested`]). Else it stays open, and is counted as
//! not tested again.

use super::analyze::AnalyzeError;
use super::cell::{Cell, Subject};
use super::coverage::{Coverage, tested_subjects};
use super::earlier::Earlier;
use super::fold::Folded;
use super::recoverable::Money;
use super::schema::{Basis, Finding};
use crate::month::{Month, Quarter};
use crate::query::catalog::Catalog;
use crate::query::run::Parameters;
use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type};
use chrono::{Duration, NaiveDate};
use datafusion::prelude::SessionContext;
use rust_decimal::Decimal;
use std::collections::{HashMap, HashSet};

/// The status of what has stopped.
pub const RESOLVED: &str = "resolved";
/// The status of what has returned.
pub const REOPENED: &str = "reopened";

/// What became of earlier findings that are found no more.
#[derive(Debug, Default)]
pub struct Gone {
    /// Those that have stopped, as rows of this quarter.
    pub resolved: Vec<Folded>,
    /// Those of which nothing is known, as they were found last.
    pub untested: Vec<Finding>,
}

/// Sets the status of every finding and says what became of those that are found no more.
///
/// # Errors
/// [`AnalyzeError`] if a fact cannot be read.
pub async fn set(
    folded: &mut [Folded],
    earlier: &[Earlier],
    quarter: Quarter,
    tested: &mut Tested<'_>,
) -> Result<Gone, AnalyzeError> {
    let mut last: HashMap<&str, (&Earlier, &Finding)> = HashMap::new();
    for run in earlier.iter().filter(|run| run.quarter < quarter) {
        last.extend(run.findings.iter().map(|finding| (finding.finding_id.as_str(), (run, finding))));
    }
    let found: HashSet<String> = folded.iter().map(|f| f.finding.finding_id.clone()).collect();
    for Folded { finding, cells, .. } in folded.iter_mut() {
        let now = (cells.iter().map(|cell| cell.amount).sum(), cells.len());
        finding.status = match last.get(finding.finding_id.as_str()) {
            None => "new",
            Some((_, before)) if before.status == RESOLVED => REOPENED,
            Some((run, _)) => compared(run.whole.get(&finding.finding_id).copied().unwrap_or_default(), now),
        }
        .to_owned();
    }
    let mut gone = Gone::default();
    let same = earlier.iter().filter(|run| run.quarter == quarter);
    let same = same.flat_map(|run| run.findings.iter().map(move |finding| (run, finding)));
    let before = last.into_values().filter(|(_, finding)| finding.status != RESOLVED);
    let mut seen = found;
    let mut open: Vec<(&Earlier, &Finding)> = before.chain(same).collect();
    // What an earlier quarter said first, so that its money is told.
    open.sort_by(|(a, x), (b, y)| (a.quarter, &x.finding_id).cmp(&(b.quarter, &y.finding_id)));
    for (run, finding) in open {
        if !seen.insert(finding.finding_id.clone()) {
            continue;
        }
        if finding.status == RESOLVED && run.quarter == quarter {
            // Stays in the list of its quarter, however often that is analysed.
            gone.resolved.push(ended(finding, quarter, finding.explanation.clone(), tested));
        } else if tested.has_looked_at(finding).await? {
            let money = finding.leakage + finding.overbilled;
            let (then, currency) = (run.quarter, &finding.currency);
            let sentence = if then == quarter {
                format!(
                    "Not found any more, with what is known now; an earlier analysis of {quarter} had {money} {currency}. It said: "
                )
            } else {
                format!("Not found any more in {quarter}; {then} had {money} {currency}. It said: ")
            };
            gone.resolved.push(ended(finding, quarter, sentence + &finding.explanation, tested));
        } else {
            gone.untested.push(finding.clone());
        }
    }
    Ok(gone)
}

/// Money and months then and now.
fn compared(before: (Decimal, usize), now: (Decimal, usize)) -> &'static str {
    let monthly = |(money, months): (Decimal, usize)| money / Decimal::from(months.max(1));
    let (more, less) = (Decimal::new(11, 1), Decimal::new(9, 1));
    match (monthly(before), monthly(now)) {
        (then, now) if now > then * more => "worse",
        (then, at) if at < then * less || now.0 < before.0 * less => "improving",
        _ => "persisting",
    }
}

/// A finding that has stopped: no money, and the months of the quarter that show it.
fn ended(finding: &Finding, quarter: Quarter, explanation: String, tested: &Tested<'_>) -> Folded {
    let shown = tested.closed(finding).unwrap_or(quarter.last_month()).min(quarter.last_month());
    let subject = subject_of(finding);
    let months = (quarter.first_month().index()..=shown.index()).map(Month::from_index);
    let ended = Finding {
        quarter,
        leakage_low: Decimal::ZERO,
        leakage: Decimal::ZERO,
        leakage_high: Decimal::ZERO,
        annual_run_rate: Decimal::ZERO,
        overbilled: Decimal::ZERO,
        severity: "low".to_owned(),
        status: RESOLVED.to_owned(),
        p_value: None,
        q_value: None,
        slope: None,
        slope_low: None,
        slope_high: None,
        explanation,
        ..finding.clone()
    };
    Folded {
        finding: ended,
        cells: months.map(|month| Cell::empty(subject.clone(), finding.basis, month)).collect(),
        earlier: Vec::new(),
        money: Money::default(),
    }
}

fn subject_of(finding: &Finding) -> Subject {
    Subject {
        customer_key: finding.customer_key.clone(),
        service_key: finding.service_key.clone(),
        currency: finding.currency.clone(),
        scope: None,
    }
}

/// Where the signals of this run could look.
#[expect(missing_debug_implementations, reason = "holds a session")]
pub struct Tested<'a> {
    ctx: &'a SessionContext,
    catalog: &'a Catalog,
    parameters: Parameters,
    quarter: Quarter,
    coverage: &'a [Coverage],
    /// Up to which month the billing of a customer and service has run.
    closed: HashMap<String, HashMap<String, Month>>,
    /// Services of which anything is known in the quarter.
    active: HashSet<String>,
    /// Subjects that a signal looked at, once it was asked.
    subjects: HashMap<String, Option<HashMap<Subject, bool>>>,
}

impl<'a> Tested<'a> {
    /// From the facts of a run.
    ///
    /// # Errors
    /// [`AnalyzeError`] if they cannot be read.
    pub async fn new(
        ctx: &'a SessionContext,
        catalog: &'a Catalog,
        parameters: Parameters,
        quarter: Quarter,
        coverage: &'a [Coverage],
    ) -> Result<Self, AnalyzeError> {
        let mut closed: HashMap<String, HashMap<String, Month>> = HashMap::new();
        let failed = AnalyzeError::arrow("reading facts");
        let sql = "SELECT customer_key, service_key, month FROM facts.closed_month WHERE month IS NOT NULL";
        for batch in super::analyze::texts(ctx, sql).await? {
            let days = cast(batch.column(2), &DataType::Date32).map_err(&failed)?;
            for row in 0..batch.num_rows() {
                let since = Duration::days(i64::from(days.as_primitive::<Date32Type>().value(row)));
                let month = Month::of(NaiveDate::default().checked_add_signed(since).unwrap_or_default());
                let customer = closed.entry(super::analyze::text_at(&batch, 0, row)?).or_default();
                customer.insert(super::analyze::text_at(&batch, 1, row)?, month);
            }
        }
        let mut active = HashSet::new();
        for batch in super::analyze::texts(ctx, "SELECT DISTINCT service_key FROM facts.quarter_activity").await? {
            for row in 0..batch.num_rows() {
                active.insert(super::analyze::text_at(&batch, 0, row)?);
            }
        }
        Ok(Self { ctx, catalog, parameters, quarter, coverage, closed, active, subjects: HashMap::new() })
    }

    /// Up to which month the finding's billing has run: that of its service, or of any if it names none that the customer has.
    fn closed(&self, finding: &Finding) -> Option<Month> {
        let services = self.closed.get(finding.customer_key.as_ref()?)?;
        let own = finding.service_key.as_ref().and_then(|service| services.get(service));
        own.or_else(|| services.values().max()).copied()
    }

    /// Whether the finding's signal could look at its customer and service in the quarter: billing has run for at least one of its months;
    /// and a unit of the two was tested, or there is none any more although the signal and the service have others.
    async fn has_looked_at(&mut self, finding: &Finding) -> Result<bool, AnalyzeError> {
        let Some(coverage) = self.coverage.iter().find(|c| c.signal == finding.signal) else { return Ok(false) };
        if finding.customer_key.is_some() && self.closed(finding).is_none_or(|month| month < self.quarter.first_month()) {
            return Ok(false);
        }
        if !self.subjects.contains_key(&finding.signal) {
            let subjects = tested_subjects(self.ctx, self.catalog, &finding.signal, self.parameters).await?;
            self.subjects.insert(finding.signal.clone(), subjects);
        }
        let Some(Some(subjects)) = self.subjects.get(&finding.signal) else { return Ok(true) };
        Ok(match subjects.get(&subject_of(finding)) {
            Some(is_tested) => *is_tested,
            None => coverage.tested() > 0 && finding.service_key.as_ref().is_none_or(|service| self.active.contains(service)),
        })
    }
}

/// Open findings: not those that have stopped.
#[must_use]
pub fn is_open(finding: &Finding) -> bool {
    finding.status != RESOLVED
}

/// Money of a finding, whoever's it is.
#[must_use]
pub fn money(finding: &Finding) -> Decimal {
    if finding.basis == Basis::Overbilling { finding.overbilled } else { finding.leakage }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(before: (i64, usize), now: (i64, usize)) -> &'static str {
        compared((Decimal::from(before.0), before.1), (Decimal::from(now.0), now.1))
    }

    #[test]
    fn the_monthly_rate_says_whether_it_is_worse() {
        assert_eq!(said((300, 3), (300, 3)), "persisting");
        assert_eq!(said((300, 3), (330, 3)), "persisting");
        assert_eq!(said((300, 3), (331, 3)), "worse");
        // Began in the quarter's last month, and goes on as it was.
        assert_eq!(said((100, 1), (300, 3)), "persisting");
        // Stopped in the first month.
        assert_eq!(said((300, 3), (100, 1)), "improving");
        assert_eq!(said((100, 1), (240, 3)), "improving");
        assert_eq!(said((0, 3), (0, 3)), "persisting");
        assert_eq!(said((0, 0), (5, 1)), "worse");
    }
}
