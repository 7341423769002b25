//! What a contract says beyond a price for each unit: terms that no PSA export carries, yearly rises, bands.

use crate::month::Month;
use chrono::NaiveDate;
use rust_decimal::Decimal;

/// Contract terms that no PSA export carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Terms {
    /// The unit price stands in the contract only, and with it a minimum or a yearly rise where there is one.
    PerUnit,
    FlatFee,
    /// A free monthly allowance, then a price per unit.
    Included,
    /// The vendor's cost and a mark-up in percent.
    CostPlus(i64),
    /// Each unit of a month's usage at the price of its band.
    Bands,
}

/// A price that rises once a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Escalator {
    pub(crate) percent: i64,
    /// In which month of each year, from its first day on.
    pub(crate) month_of_year: u32,
    /// The terms' first day; the first rise comes after its month.
    pub(crate) began: NaiveDate,
}

/// Bands of a month's usage with falling prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bands {
    /// The last unit of each band and its price; the last band has no end.
    steps: Vec<(Option<Decimal>, Decimal)>,
    /// From this month on invoices charge every unit at the price of the month's last one.
    ignored_from: Option<Month>,
}

impl Bands {
    /// Three bands from `price` down: the first `size` units, three times as many, and the rest.
    pub(crate) fn falling(price: Decimal, size: Decimal) -> Self {
        let part = |percent: i64| (price * Decimal::new(percent, 2)).round_dp(4);
        let steps = vec![(Some(size), price), (Some(size * Decimal::from(4)), part(90)), (None, part(78))];
        Self { steps, ignored_from: None }
    }

    /// The same bands, and nobody who minds them from `month` on.
    pub(crate) fn ignored_from(self, month: Month) -> Self {
        Self { ignored_from: Some(month), ..self }
    }

    /// As the terms file writes them.
    pub(crate) fn text(&self) -> String {
        let bands = self.steps.iter().map(|(end, price)| format!("{}:{price}", end.map(|it| it.to_string()).unwrap_or_default()));
        bands.collect::<Vec<_>>().join(";")
    }

    /// Units and price of each band that a month's usage reaches.
    pub(crate) fn graduated(&self, quantity: Decimal) -> Vec<(Decimal, Decimal)> {
        let mut parts = Vec::new();
        let mut from = Decimal::ZERO;
        for (end, price) in &self.steps {
            let until = end.map_or(quantity, |end| end.min(quantity));
            if until > from {
                parts.push((until - from, *price));
            }
            from = end.unwrap_or(quantity);
        }
        parts
    }

    /// Units and prices as the invoice of `month` has them.
    pub(crate) fn invoiced(&self, month: Month, quantity: Decimal) -> Vec<(Decimal, Decimal)> {
        let parts = self.graduated(quantity);
        match parts.last() {
            Some((_, last)) if self.ignored_from.is_some_and(|from| from <= month) => vec![(quantity, *last)],
            _ => parts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_is_charged_in_its_band_until_nobody_minds_them() {
        let month: Month = "2026-07".parse().expect("a month");
        let bands = Bands::falling(Decimal::new(25, 2), Decimal::from(500));
        assert_eq!(bands.text(), "500:0.25;2000:0.2250;:0.1950");
        let dec = |text: &str| text.parse::<Decimal>().expect("a number");
        let parts = [(dec("500"), dec("0.25")), (dec("1500"), dec("0.2250")), (dec("100.5"), dec("0.1950"))];
        assert_eq!(bands.invoiced(month, dec("2100.5")), parts);
        assert_eq!(bands.clone().ignored_from(month.plus(1)).invoiced(month, dec("2100.5")), parts);
        assert_eq!(bands.ignored_from(month).invoiced(month, dec("2100.5")), [(dec("2100.5"), dec("0.1950"))]);
    }
}
