//! Shortfall beside the methods that are in use today, by the same rules.
//!
//! A method flags customer x service pairs. It has located a leak if it flags the leak's pair, and a flag is right if any leak was planted
//! on its pair: nothing is asked of a method that says no cause. Money is compared where a method states an amount.

use super::Score;
use super::measures::{Weighing, median, per_thousand, relative_error, share};
use crate::findings::Basis;
use crate::synth::truth::TruthRow;
use rust_decimal::Decimal;
use serde::Serialize;
use std::collections::BTreeSet;

/// A pair that a method points at.
#[derive(Clone, Debug, PartialEq)]
pub struct Flag {
    /// Customer.
    pub customer_key: String,
    /// Service.
    pub service_key: String,
    /// ISO 4217 code of the amount.
    pub currency: String,
    /// What the method says was lost; negative if too much was billed. None if it says no amount.
    pub money: Option<Decimal>,
}

/// One method's verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MethodScore {
    /// Its name.
    pub method: String,
    /// Leaks.
    pub planted: usize,
    /// Leaks whose pair it flags.
    pub located: usize,
    /// Located over planted.
    pub recall: Option<f64>,
    /// The same, each leak weighing what it costs.
    pub money_weighted_recall: Option<f64>,
    /// Pairs that it flags; for Shortfall, findings.
    pub flags: usize,
    /// Flags on pairs with a leak, over flags.
    pub precision: Option<f64>,
    /// Flags on pairs without one.
    pub false_alarms: usize,
    /// The same for each thousand months of a customer.
    pub false_alarms_per_1000_customer_months: Option<f64>,
    /// Median over located leaks of |its money - truth| / truth, where it states money.
    pub median_money_error: Option<f64>,
    /// The same over the total.
    pub total_money_error: Option<f64>,
    #[serde(skip)]
    leaks: Vec<Told>,
    #[serde(skip)]
    customer_months: u64,
}

/// A leak and what a method says of it.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    currency: String,
    truth: Decimal,
    is_located: bool,
    money: Option<Decimal>,
}

impl MethodScore {
    /// Shortfall's findings as flags.
    #[must_use]
    pub fn of_findings(score: &Score) -> Self {
        let leaks = score.leaks.iter().map(|leak| {
            let is_located = !leak.signals.is_empty();
            Told { currency: leak.currency.clone(), truth: leak.truth, is_located, money: is_located.then_some(leak.joint_money) }
        });
        Self::of("Shortfall", leaks.collect(), score.figures.findings, score.figures.false_alarms, score.customer_months)
    }

    /// A method that flags pairs.
    #[must_use]
    pub fn of_flags(method: &str, truth: &[TruthRow], flags: &[Flag], customer_months: u64) -> Self {
        let is_on = |flag: &Flag, row: &TruthRow| {
            row.customer_key.as_deref() == Some(&flag.customer_key) && row.service_key.as_deref() == Some(&flag.service_key)
        };
        let leaks = truth.iter().map(|row| {
            let on_pair: Vec<&Flag> = flags.iter().filter(|flag| is_on(flag, row)).collect();
            let stated = on_pair.iter().filter(|flag| flag.currency == row.currency).filter_map(|flag| flag.money);
            let money = match row.basis {
                Basis::Revenue => Some(stated.map(|money| money.max(Decimal::ZERO)).sum()),
                Basis::Overbilling => Some(stated.map(|money| (-money).max(Decimal::ZERO)).sum()),
                // It compares nothing that would be a cost.
                Basis::Cost => None,
            };
            let money = money.filter(|_| on_pair.iter().any(|flag| flag.money.is_some()));
            Told { currency: row.currency.clone(), truth: row.money(), is_located: !on_pair.is_empty(), money }
        });
        let leaks = leaks.collect();
        // A pair counts once, whichever currencies it has.
        let pairs: BTreeSet<(&str, &str)> =
            flags.iter().map(|flag| (flag.customer_key.as_str(), flag.service_key.as_str())).collect();
        let wrong = pairs.iter().filter(|(customer, service)| {
            let is_here =
                |row: &&TruthRow| row.customer_key.as_deref() == Some(*customer) && row.service_key.as_deref() == Some(*service);
            !truth.iter().any(|row| is_here(&row))
        });
        Self::of(method, leaks, pairs.len(), wrong.count(), customer_months)
    }

    /// One method's verdict on several books as if they were one.
    #[must_use]
    pub fn pooled(scores: &[Self]) -> Option<Self> {
        let method = &scores.first()?.method;
        let leaks = scores.iter().flat_map(|score| score.leaks.clone()).collect();
        let sum = |figure: fn(&Self) -> usize| scores.iter().map(figure).sum();
        let customer_months = scores.iter().map(|score| score.customer_months).sum();
        Some(Self::of(method, leaks, sum(|score| score.flags), sum(|score| score.false_alarms), customer_months))
    }

    fn of(method: &str, leaks: Vec<Told>, flags: usize, false_alarms: usize, customer_months: u64) -> Self {
        let located = leaks.iter().filter(|leak| leak.is_located).count();
        let weighed = |told: fn(&Told) -> Option<Decimal>| {
            Weighing::of_money(leaks.iter().map(|leak| (leak.currency.as_str(), leak.truth, told(leak))))
        };
        let errors = leaks.iter().filter_map(|leak| relative_error(leak.money?, leak.truth));
        Self {
            method: method.to_owned(),
            planted: leaks.len(),
            located,
            recall: share(located, leaks.len()),
            money_weighted_recall: weighed(|leak| leak.is_located.then_some(leak.truth)).recall(),
            flags,
            precision: share(flags - false_alarms, flags),
            false_alarms,
            false_alarms_per_1000_customer_months: per_thousand(false_alarms, customer_months),
            median_money_error: median(errors),
            total_money_error: weighed(|leak| leak.money).total_error(),
            leaks,
            customer_months,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::month::{Month, Quarter};

    fn leak(service: &str, money: i64, basis: Basis) -> TruthRow {
        let month: Month = "2026-07".parse().expect("a month");
        let (leakage, overbilled) = if basis == Basis::Overbilling { (0, money) } else { (money, 0) };
        TruthRow {
            leak_id: service.to_owned(),
            signal: "any".to_owned(),
            customer_key: Some("acme".to_owned()),
            service_key: Some(service.to_owned()),
            first_month: month,
            last_month: month,
            quarter: Quarter::of(month),
            currency: "USD".to_owned(),
            leakage: Decimal::from(leakage),
            basis,
            overbilled: Decimal::from(overbilled),
            note: String::new(),
        }
    }

    fn flag(customer: &str, service: &str, money: Option<i64>) -> Flag {
        let money = money.map(Decimal::from);
        Flag { customer_key: customer.to_owned(), service_key: service.to_owned(), currency: "USD".to_owned(), money }
    }

    #[test]
    fn a_flag_counts_by_its_pair_and_its_money_by_its_sign() {
        let truth = [leak("seats", 100, Basis::Revenue), leak("edr", 50, Basis::Overbilling), leak("backup", 50, Basis::Revenue)];
        let flags = [flag("acme", "seats", Some(80)), flag("acme", "edr", Some(-50)), flag("zeta", "seats", Some(5))];
        let score = MethodScore::of_flags("counts", &truth, &flags, 1_000);
        assert_eq!((score.planted, score.located, score.flags, score.false_alarms), (3, 2, 3, 1));
        assert_eq!(score.money_weighted_recall, Some(0.75));
        assert_eq!(score.median_money_error, Some(0.1));
        assert_eq!(score.false_alarms_per_1000_customer_months, Some(1.0));
        let silent = MethodScore::of_flags("silent", &truth, &[flag("acme", "seats", None)], 1_000);
        assert_eq!((silent.located, silent.median_money_error, silent.total_money_error), (1, None, None));
        let both = MethodScore::pooled(&[score.clone(), score]).expect("two books");
        assert_eq!((both.planted, both.flags, both.recall), (6, 6, Some(4.0 / 6.0)));
    }
}
