//! Written terms: how a quantity becomes money, by the version in force on a day.
//!
//! | model | charge for a quantity `q` of which `c` is committed |
//! | --- | --- |
//! | [`Model::PerUnit`] | `q` x price |
//! | [`Model::FlatFee`] | the fee, whatever was used |
//! | [`Model::Graduated`], [`Model::Volume`] | the tiers' charge for `q` |
//! | [`Model::CostPlus`] | vendor cost x (1 + mark-up / 100), whatever the quantity |
//!
//! With an *overage price* the model prices only what is committed and each unit beyond costs the overage price: for a price per
//! unit or tiers the commitment is the larger of the contracted quantity and the minimum (without either, everything beyond the
//! allowance is overage), for a fee it is the allowance. An *escalator* raises price, fee, tiers and overage price by its percentage
//! in its month of each year after the terms began; raised prices are not rounded, money is, once.

use super::tiers::Tiers;
use rust_decimal::Decimal;

/// Terms as they stood on some days; they outrank the PSA's prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// First day.
    pub from: i32,
    /// Day after the last.
    pub to: i32,
    /// How quantity becomes money.
    pub model: Model,
    /// Price of each unit beyond the commitment.
    pub overage_unit_price: Option<Decimal>,
    /// Free units.
    pub included: Decimal,
    /// Units that are billed even if neither committed nor used.
    pub minimum: Decimal,
    /// Which quantity counts.
    pub basis: Basis,
    /// How days become a share of the month.
    pub proration: Proration,
}

/// How quantity becomes money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Model {
    /// A price for each unit; none: the PSA's own prices.
    PerUnit(Option<Decimal>),
    /// A fee for the month.
    FlatFee(Decimal),
    /// Each unit at the price of its band.
    Graduated(Tiers),
    /// All units at the price of one band.
    Volume(Tiers),
    /// Mark-up on vendor cost, in percent.
    CostPlus(Decimal),
    /// Terms that cannot be read: the month is left without a price rather than rated wrongly.
    Unreadable,
}

/// Which quantity a service is billed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Basis {
    /// The larger of the two.
    #[default]
    Max,
    /// What the PSA says.
    Contracted,
    /// What was delivered.
    Delivered,
}

/// How some days of a month become a share of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proration {
    /// Days over the days of the month.
    #[default]
    ActualDays,
    /// Every month has 30 days: its last day ends the thirtieth, a 31st counts for nothing.
    ThirtyDays,
}

impl Proration {
    /// Share of the month that lies in `from..to` (days of the month counted from 0), as a fraction `(part, whole)`.
    #[must_use]
    pub fn share(self, from: i32, to: i32, length: i32) -> (Decimal, Decimal) {
        match self {
            Self::ActualDays => (Decimal::from(to - from), Decimal::from(length)),
            Self::ThirtyDays => {
                let at = |day: i32| if day == length { 30 } else { day.min(30) };
                (Decimal::from(at(to) - at(from)), Decimal::from(30))
            }
        }
    }
}

/// A yearly rise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Escalator {
    /// By how many percent.
    pub percent: Decimal,
    /// In which month of each year, 1 to 12.
    pub month: u32,
}

impl Escalator {
    /// Reads the month as `7`, `07` or the first one as `2027-07`. `None` if it is no month.
    #[must_use]
    pub fn parse(percent: Decimal, month: &str) -> Option<Self> {
        let text = month.trim();
        let number = text.split('-').nth(1).unwrap_or(text).parse::<u32>().ok()?;
        (1..=12).contains(&number).then_some(Self { percent, month: number })
    }

    /// What prices of terms that began in a month are multiplied with in a later one. Months are counted from year 0, January.
    #[must_use]
    pub fn factor(&self, began: i32, month: i32) -> Option<Decimal> {
        let target = i32::try_from(self.month).ok()? - 1;
        // Rises lie in the months m = target (mod 12) with began < m <= month.
        let rises = (month - target).div_euclid(12) - (began - target).div_euclid(12);
        let once = Decimal::ONE.checked_add(self.percent.checked_div(Decimal::ONE_HUNDRED)?)?;
        (0..rises.max(0)).try_fold(Decimal::ONE, |factor, _| factor.checked_mul(once))
    }
}

impl Model {
    /// The model at prices times `factor`. A mark-up is a share, not a price, and stays.
    #[must_use]
    pub fn scaled(self, factor: Decimal) -> Option<Self> {
        Some(match self {
            Self::PerUnit(price) => Self::PerUnit(match price {
                Some(price) => Some(price.checked_mul(factor)?),
                None => None,
            }),
            Self::FlatFee(fee) => Self::FlatFee(fee.checked_mul(factor)?),
            Self::Graduated(tiers) => Self::Graduated(tiers.scaled(factor)?),
            Self::Volume(tiers) => Self::Volume(tiers.scaled(factor)?),
            other => other,
        })
    }
}

impl Terms {
    /// Money for a month with `quantity` billable units of which `committed` are owed anyway, at `own_price` where the terms have none.
    ///
    /// Outer `None`: beyond 28 digits. Inner `None`: these terms price no quantity (cost-plus, unreadable, no price known).
    #[must_use]
    pub fn charge(&self, quantity: Decimal, committed: Decimal, own_price: Option<Decimal>) -> Option<Option<Decimal>> {
        let within = match self.overage_unit_price {
            Some(_) => quantity.min(committed),
            None => quantity,
        };
        let base = match &self.model {
            Model::PerUnit(price) => match price.or(own_price) {
                Some(price) => within.checked_mul(price)?,
                None => return Some(None),
            },
            Model::FlatFee(fee) => {
                // The fee covers the allowance; `quantity` is what lies beyond it.
                let beyond = self.overage_unit_price.map_or(Some(Decimal::ZERO), |price| quantity.checked_mul(price))?;
                return fee.checked_add(beyond).map(Some);
            }
            Model::Graduated(tiers) => tiers.graduated(within)?,
            Model::Volume(tiers) => tiers.volume(within)?,
            Model::CostPlus(_) | Model::Unreadable => return Some(None),
        };
        let beyond = self.overage_unit_price.map_or(Some(Decimal::ZERO), |price| (quantity - within).checked_mul(price))?;
        base.checked_add(beyond).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dec(text: &str) -> Decimal {
        text.parse().expect("a decimal")
    }

    fn terms(model: Model) -> Terms {
        Terms {
            from: 0,
            to: 31,
            model,
            overage_unit_price: None,
            included: Decimal::ZERO,
            minimum: Decimal::ZERO,
            basis: Basis::Max,
            proration: Proration::ActualDays,
        }
    }

    #[test]
    fn overage_begins_where_the_commitment_ends() {
        let over = |model| Terms { overage_unit_price: Some(dec("3")), ..terms(model) };
        let charge = |terms: &Terms, q: &str, c: &str| terms.charge(dec(q), dec(c), None);
        let per_unit = over(Model::PerUnit(Some(dec("2"))));
        assert_eq!(charge(&per_unit, "8", "10"), Some(Some(dec("16"))));
        assert_eq!(charge(&per_unit, "12", "10"), Some(Some(dec("26"))));
        let fee = over(Model::FlatFee(dec("100")));
        assert_eq!(charge(&fee, "0", "0"), Some(Some(dec("100"))));
        assert_eq!(charge(&fee, "4", "0"), Some(Some(dec("112"))));
        let tiers = over(Model::Graduated(Tiers::parse("5:4;:2").expect("tiers")));
        assert_eq!(charge(&tiers, "9", "7"), Some(Some(dec("30"))));
    }

    #[test]
    fn an_escalator_rises_in_its_month_of_each_year_after_the_beginning() {
        let july = Escalator::parse(dec("10"), "07").expect("a month");
        let month = |year: i32, month: i32| year * 12 + month - 1;
        let factor = |began, at| july.factor(began, at).expect("small");
        // Terms that begin with the rise are at their own price.
        assert_eq!(factor(month(2025, 7), month(2025, 7)), dec("1"));
        assert_eq!(factor(month(2025, 7), month(2026, 6)), dec("1"));
        assert_eq!(factor(month(2025, 7), month(2026, 7)), dec("1.1"));
        assert_eq!(factor(month(2025, 3), month(2025, 6)), dec("1"));
        assert_eq!(factor(month(2025, 3), month(2026, 8)), dec("1.21"));
        assert_eq!(Escalator::parse(dec("10"), "2027-07"), Some(july));
        assert_eq!(Escalator::parse(dec("10"), "13"), None);
    }

    #[test]
    fn thirty_day_months_add_up_to_a_month() {
        for length in 28..=31 {
            for cut in 0..=length {
                let share = |from, to| Proration::ThirtyDays.share(from, to, length).0;
                assert_eq!(share(0, cut) + share(cut, length), dec("30"), "{cut} of {length}");
            }
        }
        assert_eq!(Proration::ThirtyDays.share(15, 31, 31).0, dec("15"));
        assert_eq!(Proration::ThirtyDays.share(14, 28, 28).0, dec("16"));
    }
}
