//! What the analysed quarters came to: of each the run that knew most, but nothing that the reported one did not know yet.

use super::analyze::{AnalyzeError, findings_of};
use super::earlier::best_informed;
use super::marts::Run;
use super::mute::{self, Split, Spoken};
use super::schema::{Basis, Finding};
use super::status::is_open;
use crate::lake::Lake;
use crate::month::Quarter;
use crate::report::QuarterTotal;
use std::collections::{BTreeMap, BTreeSet};

/// Quarters of a trend, the reported one included.
const QUARTERS: usize = 12;

/// A run's findings that count, those that have stopped, and how many are muted.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) open: Vec<Finding>,
    pub(super) resolved: usize,
    pub(super) muted: usize,
}

/// # Errors
/// [`AnalyzeError`] if the marts cannot be read.
pub(super) async fn listed(lake: &Lake, run: &Run) -> Result<Listed, AnalyzeError> {
    let all = findings_of(lake, run).await?;
    let split = match Spoken::of(run) {
        Some(spoken) => mute::split(lake, spoken, all).await?,
        None => Split { listed: all, ..Split::default() },
    };
    let muted = split.muted.len();
    let (open, resolved): (Vec<Finding>, Vec<Finding>) = split.listed.into_iter().partition(is_open);
    Ok(Listed { open, resolved: resolved.len(), muted })
}

/// The quarters up to the one of `run`, in their order, each with every currency that one of them has; `reported` are the findings of `run`.
///
/// # Errors
/// [`AnalyzeError`] if the marts cannot be read.
pub(super) async fn quarters(
    lake: &Lake,
    run: &Run,
    quarter: Quarter,
    reported: &[Finding],
) -> Result<Vec<QuarterTotal>, AnalyzeError> {
    let mut found: BTreeMap<Quarter, Vec<Finding>> = BTreeMap::new();
    let before = best_informed(lake, quarter, run.as_of).await?;
    for (of, run) in before.range(..quarter).rev().take(QUARTERS - 1) {
        found.insert(*of, listed(lake, run).await?.open);
    }
    found.insert(quarter, reported.to_vec());
    let currencies: BTreeSet<&str> = found.values().flatten().map(|finding| finding.currency.as_str()).collect();
    let total = |quarter: Quarter, currency: &str, findings: &[Finding]| {
        let of = || findings.iter().filter(|finding| finding.currency == currency);
        let leakage = |basis: Basis| of().filter(|finding| finding.basis == basis).map(|finding| finding.leakage).sum();
        QuarterTotal {
            quarter,
            currency: currency.to_owned(),
            leakage_revenue: leakage(Basis::Revenue),
            leakage_cost: leakage(Basis::Cost),
            overbilled: of().map(|finding| finding.overbilled).sum(),
            findings: of().count() as u64,
        }
    };
    Ok(found
        .iter()
        .flat_map(|(quarter, findings)| currencies.iter().map(move |currency| total(*quarter, currency, findings)))
        .collect())
}
