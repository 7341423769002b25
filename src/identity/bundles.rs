//! Which SKUs are which services, learnt from the months of all customers: bundles in both directions and unit factors.
//!
//! Each month is covered by itself ([`cover`](super::cover)); blocks of covers that are the only best ones are hypotheses. Besides, any single
//! SKU and service that stand in a constant ratio are one (blocks of 100 hours). A hypothesis is then asked of *every* month
//! in which its service or its SKU occurs:
//!
//! | form | it holds in a month if |
//! | --- | --- |
//! | `Sum` | its SKUs, as many as the customer has, add up to the service |
//! | `Each` | every service has the SKU's quantity |
//! | `Parts` | the services, as many as there are, add up to the SKU |
//! | `Ratio` | the service is the SKU times the factor |
//!
//! Proposed is what holds in at least [`MOST_MONTHS`] of its months and at least [`FEWEST_MONTHS`] of them, with at least two different quantities: equal
//! quantities may meet by chance. A SKU and a service stand in one proposal at most: the one that holds in most months, then the plainest.

use super::cover::{Form, Line, Refusal, cover, is_equal};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// Share of its months in which a proposal holds, in percent.
pub const MOST_MONTHS: usize = 67;
/// Fewest months in which it holds.
pub const FEWEST_MONTHS: usize = 3;

/// What one customer has in one month.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// The customer.
    pub customer: String,
    /// The month.
    pub month: String,
    /// PSA quantities by service, as far as mapped SKUs do not deliver them already.
    pub psa: BTreeMap<String, Quantity>,
    /// Vendor quantities by SKU that nothing resolves.
    pub vendor: BTreeMap<String, Quantity>,
}

/// Units, and their cost where it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity {
    /// Units.
    pub units: Decimal,
    /// Cost.
    pub cost: Option<Decimal>,
}

/// How SKUs and services belong together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bundle {
    /// Whether SKUs add up to a service or services to a SKU.
    pub form: Form,
    /// SKUs.
    pub vendor: BTreeSet<String>,
    /// Services.
    pub psa: BTreeSet<String>,
    /// Units of the service in one of the SKU.
    pub factor: Decimal,
}

/// A bundle with its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// What is proposed.
    pub bundle: Bundle,
    /// Months in which it holds.
    pub holds: usize,
    /// Months in which its service or SKU occurs.
    pub months: usize,
    /// A month in which it holds, for people: customer, month, and the sum.
    pub example: String,
}

/// What all months say.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Proposals, the surest first.
    pub proposals: Vec<Proposal>,
    /// Months that were too large to be covered.
    pub refused: Vec<(String, String, Refusal)>,
}

/// Learns bundles from months.
#[must_use]
pub fn learn(cases: &[Case], tolerance: Decimal) -> Evidence {
    let cases: BTreeSet<&Case> = cases.iter().collect();
    let mut hypotheses: BTreeSet<Bundle> = BTreeSet::new();
    let mut refused = Vec::new();
    for case in &cases {
        let (psa, vendor) = (lines(&case.psa), lines(&case.vendor));
        match cover(&psa, &vendor, tolerance) {
            Ok(cover) if cover.is_unique => hypotheses.extend(cover.blocks.iter().map(|block| Bundle {
                form: block.form,
                vendor: block.vendor.iter().map(|&at| vendor[at].id.clone()).collect(),
                psa: block.psa.iter().map(|&at| psa[at].id.clone()).collect(),
                factor: Decimal::ONE,
            })),
            Ok(_) => {}
            Err(refusal) => refused.push((case.customer.clone(), case.month.clone(), refusal)),
        }
    }
    hypotheses.extend(ratios(&cases));
    let mut proposals: Vec<Proposal> = hypotheses.into_iter().filter_map(|bundle| ask(bundle, &cases, tolerance)).collect();
    // Of equal support the plainest: fewer lines, then the order of their names.
    proposals.sort_by(|a, b| {
        let size = |p: &Proposal| p.bundle.vendor.len() + p.bundle.psa.len();
        let share = |p: &Proposal| p.holds * 1000 / p.months;
        share(b).cmp(&share(a)).then(b.holds.cmp(&a.holds)).then(size(a).cmp(&size(b))).then(a.bundle.cmp(&b.bundle))
    });
    let (mut skus, mut services) = (BTreeSet::new(), BTreeSet::new());
    proposals.retain(|proposal| {
        let is_free = proposal.bundle.vendor.is_disjoint(&skus) && proposal.bundle.psa.is_disjoint(&services);
        if is_free {
            skus.extend(proposal.bundle.vendor.iter().cloned());
            services.extend(proposal.bundle.psa.iter().cloned());
        }
        is_free
    });
    Evidence { proposals, refused }
}

fn lines(quantities: &BTreeMap<String, Quantity>) -> Vec<Line> {
    quantities.iter().map(|(id, of)| Line { id: id.clone(), quantity: of.units, cost: of.cost }).collect()
}

/// Pairs of a SKU and a service with the factor of their first months; whether it is constant, [`ask`] finds out.
fn ratios(cases: &BTreeSet<&Case>) -> BTreeSet<Bundle> {
    let mut ratios = BTreeSet::new();
    for case in cases {
        for (sku, delivered) in &case.vendor {
            for (service, committed) in &case.psa {
                if delivered.units <= Decimal::ZERO || committed.units <= Decimal::ZERO {
                    continue;
                }
                // Blocks hold whole units; a ratio such as 1.0833 is chance.
                let whole = committed.units.checked_div(delivered.units).filter(|f| f.fract().is_zero() && *f > Decimal::ONE);
                if let Some(factor) = whole {
                    let one = |id: &String| BTreeSet::from([id.clone()]);
                    ratios.insert(Bundle { form: Form::Sum, vendor: one(sku), psa: one(service), factor: factor.normalize() });
                }
            }
        }
    }
    ratios
}

/// How often a hypothesis holds; none if too seldom.
fn ask(bundle: Bundle, cases: &BTreeSet<&Case>, tolerance: Decimal) -> Option<Proposal> {
    let (mut holds, mut months) = (0, 0);
    let mut quantities: BTreeSet<Vec<Decimal>> = BTreeSet::new();
    let mut has_all = false;
    let mut example = String::new();
    for case in cases {
        let units = |ids: &BTreeSet<String>, of: &BTreeMap<String, Quantity>| -> Vec<(String, Decimal)> {
            ids.iter().filter_map(|id| of.get(id).map(|quantity| (id.clone(), quantity.units))).collect()
        };
        let (vendor, psa) = (units(&bundle.vendor, &case.vendor), units(&bundle.psa, &case.psa));
        if vendor.is_empty() && psa.is_empty() {
            continue;
        }
        months += 1;
        let sum = |lines: &[(String, Decimal)]| lines.iter().try_fold(Decimal::ZERO, |sum, (_, units)| sum.checked_add(*units));
        let (Some(delivered), Some(committed)) = (sum(&vendor).and_then(|sum| sum.checked_mul(bundle.factor)), sum(&psa)) else {
            continue;
        };
        let is_there = !vendor.is_empty() && !psa.is_empty() && delivered > Decimal::ZERO;
        let is_so = is_there
            && match bundle.form {
                Form::Sum | Form::Parts => is_equal(delivered, committed, tolerance),
                Form::Each => {
                    psa.len() == bundle.psa.len() && psa.iter().all(|(_, units)| is_equal(*units, delivered, tolerance))
                }
            };
        if is_so {
            holds += 1;
            let is_whole = vendor.len() == bundle.vendor.len() && psa.len() == bundle.psa.len();
            if is_whole && !has_all {
                has_all = true;
                let text = |lines: &[(String, Decimal)]| {
                    lines.iter().map(|(_, units)| units.normalize().to_string()).collect::<Vec<_>>().join(" + ")
                };
                example = format!("{} {}: {} delivered, {} in the PSA", case.customer, case.month, text(&vendor), text(&psa));
            }
            quantities.insert(vendor.iter().chain(&psa).map(|(_, units)| *units).collect());
        }
    }
    let is_often = holds >= FEWEST_MONTHS && holds * 100 >= months * MOST_MONTHS;
    (is_often && has_all && quantities.len() > 1).then_some(Proposal { bundle, holds, months, example })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(customer: &str, month: &str, psa: &[(&str, i64)], vendor: &[(&str, i64)]) -> Case {
        let side = |list: &[(&str, i64)]| {
            list.iter().map(|(id, units)| ((*id).to_owned(), Quantity { units: (*units).into(), cost: None })).collect()
        };
        Case { customer: customer.to_owned(), month: month.to_owned(), psa: side(psa), vendor: side(vendor) }
    }

    fn said(evidence: &Evidence) -> Vec<String> {
        let list = |ids: &BTreeSet<String>| ids.iter().cloned().collect::<Vec<_>>().join("+");
        let line = |p: &Proposal| {
            format!(
                "{:?} {} = {} x{} in {}/{}",
                p.bundle.form,
                list(&p.bundle.vendor),
                list(&p.bundle.psa),
                p.bundle.factor,
                p.holds,
                p.months
            )
        };
        evidence.proposals.iter().map(line).collect()
    }

    #[test]
    fn bundles_and_factors_are_learnt_over_months() {
        let mut cases = Vec::new();
        for (at, customer) in ["a", "b"].iter().enumerate() {
            for month in 1..=3_i64 {
                let more = month + 10 * i64::try_from(at).expect("small");
                cases.push(case(
                    customer,
                    &format!("2026-0{month}"),
                    &[("seat", 20 + more), ("edr", 7 + more), ("backup", 7 + more), ("hours", 300 + 100 * more)],
                    &[("e3", 15 + more), ("e5", 5), ("suite", 7 + more), ("block", 3 + more)],
                ));
            }
        }
        // A month that is wrong does not spoil the rest.
        cases.push(case("c", "2026-01", &[("seat", 50)], &[("e3", 10), ("e5", 5)]));
        let evidence = learn(&cases, Decimal::ZERO);
        assert_eq!(
            said(&evidence),
            ["Sum block = hours x100 in 6/6", "Each suite = backup+edr x1 in 6/6", "Sum e3+e5 = seat x1 in 6/7"]
        );
        cases.reverse();
        assert_eq!(said(&learn(&cases, Decimal::ZERO)), said(&evidence));
    }

    #[test]
    fn what_holds_by_chance_or_seldom_is_not_proposed() {
        let same: Vec<Case> = (1..=4).map(|month| case("a", &format!("2026-0{month}"), &[("seat", 20)], &[("e3", 20)])).collect();
        assert!(learn(&same, Decimal::ZERO).proposals.is_empty(), "one quantity is no evidence");
        let seldom: Vec<Case> = (1..=6)
            .map(|month| case("a", &format!("2026-0{month}"), &[("seat", 20 + month)], &[("e3", 20 + month % 4)]))
            .collect();
        assert!(learn(&seldom, Decimal::ZERO).proposals.is_empty());
    }
}
