//! Prices by quantity: graduated (each unit at the price of its own band) and volume (all units at the price of the band that the
//! quantity falls in).
//!
//! Written as `upto:price;upto:price;:price`; a band ends with the quantity that it names, which still belongs to it; the last band
//! may be open. Quantities beyond a closed last band are charged at its price.
//!
//! | tiers `10:5;20:4;:3` | 25 units graduated | 25 units volume |
//! | --- | --- | --- |
//! | charge | 10 x 5 + 10 x 4 + 5 x 3 = 105 | 25 x 3 = 75 |
//!
//! Degenerate: nothing costs nothing; a negative quantity (a correction larger than its month) is charged as nothing.

use rust_decimal::Decimal;

/// Bands with rising ends. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tiers {
    bands: Vec<Band>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Band {
    /// The last quantity at this price; none for the open band.
    up_to: Option<Decimal>,
    unit_price: Decimal,
}

/// Why a text is no list of tiers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TiersError {
    /// No band at all.
    #[error("no tiers; write `10:5.00;:4.00` (up to 10 units 5.00 each, then 4.00)")]
    Empty,
    /// A band without its colon, or with a number that is none.
    #[error("`{band}` is no tier; write `upto:price`, the last one `:price`")]
    Malformed {
        /// The band as written.
        band: String,
    },
    /// Ends that do not rise, or an open band before the last.
    #[error("the tiers do not rise at `{band}`")]
    NotRising {
        /// The band as written.
        band: String,
    },
}

impl Tiers {
    /// Reads `upto:price;upto:price;:price`.
    ///
    /// # Errors
    /// [`TiersError`] with the band that is wrong.
    pub fn parse(text: &str) -> Result<Self, TiersError> {
        let mut bands: Vec<Band> = Vec::new();
        for band in text.split(';').map(str::trim).filter(|band| !band.is_empty()) {
            let malformed = || TiersError::Malformed { band: band.to_owned() };
            let (up_to, unit_price) = band.split_once(':').ok_or_else(malformed)?;
            let number = |text: &str| text.trim().parse::<Decimal>().map_err(|_| malformed());
            let up_to = if up_to.trim().is_empty() { None } else { Some(number(up_to)?) };
            let unit_price = number(unit_price)?;
            let before = bands.last().map(|band| band.up_to);
            let rises = match (before, up_to) {
                (None, Some(end)) => end > Decimal::ZERO,
                (Some(Some(before)), Some(end)) => end > before,
                (Some(None), _) => false,
                (_, None) => true,
            };
            if !rises {
                return Err(TiersError::NotRising { band: band.to_owned() });
            }
            bands.push(Band { up_to, unit_price });
        }
        if bands.is_empty() { Err(TiersError::Empty) } else { Ok(Self { bands }) }
    }

    /// Each unit at the price of its own band. `None` beyond 28 digits.
    #[must_use]
    pub fn graduated(&self, quantity: Decimal) -> Option<Decimal> {
        let (mut money, mut from) = (Decimal::ZERO, Decimal::ZERO);
        let last = self.bands.len().saturating_sub(1);
        for (at, band) in self.bands.iter().enumerate() {
            let to = if at == last { quantity } else { band.up_to.map_or(quantity, |end| end.min(quantity)) };
            if to > from {
                money = money.checked_add((to - from).checked_mul(band.unit_price)?)?;
                from = to;
            }
        }
        Some(money)
    }

    /// All units at the price of the band that the quantity falls in. `None` beyond 28 digits.
    #[must_use]
    pub fn volume(&self, quantity: Decimal) -> Option<Decimal> {
        let quantity = quantity.max(Decimal::ZERO);
        let band = self.bands.iter().find(|band| band.up_to.is_none_or(|end| quantity <= end)).or(self.bands.last())?;
        quantity.checked_mul(band.unit_price)
    }

    /// The same bands at prices times `factor`.
    #[must_use]
    pub fn scaled(&self, factor: Decimal) -> Option<Self> {
        let scaled = |band: &Band| Some(Band { up_to: band.up_to, unit_price: band.unit_price.checked_mul(factor)? });
        Some(Self { bands: self.bands.iter().map(scaled).collect::<Option<_>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dec(text: &str) -> Decimal {
        text.parse().expect("a decimal")
    }

    #[test]
    fn graduated_fills_bands_and_volume_chooses_one() {
        let tiers = Tiers::parse("10:5; 20:4; :3").expect("tiers");
        for (quantity, graduated, volume) in
            [("0", "0", "0"), ("10", "50", "50"), ("10.5", "52", "42"), ("20", "90", "80"), ("25", "105", "75"), ("-4", "0", "0")]
        {
            assert_eq!(tiers.graduated(dec(quantity)), Some(dec(graduated)), "{quantity} graduated");
            assert_eq!(tiers.volume(dec(quantity)), Some(dec(volume)), "{quantity} volume");
        }
        let closed = Tiers::parse("10:5;20:4").expect("tiers");
        assert_eq!((closed.graduated(dec("30")), closed.volume(dec("30"))), (Some(dec("130")), Some(dec("120"))));
    }

    #[test]
    fn what_is_no_list_of_tiers_is_said_to_be_none() {
        assert_eq!(Tiers::parse(" ; "), Err(TiersError::Empty));
        assert_eq!(Tiers::parse("10-5"), Err(TiersError::Malformed { band: "10-5".to_owned() }));
        assert_eq!(Tiers::parse("ten:5"), Err(TiersError::Malformed { band: "ten:5".to_owned() }));
        assert_eq!(Tiers::parse("10:5;10:4"), Err(TiersError::NotRising { band: "10:4".to_owned() }));
        assert_eq!(Tiers::parse(":5;10:4"), Err(TiersError::NotRising { band: "10:4".to_owned() }));
    }

    proptest! {
        /// One unit after the other, each at the price of the band that it falls in.
        #[test]
        fn agrees_with_counting_units(ends in prop::collection::btree_set(1_u32..40, 1..5), prices in prop::collection::vec(0_u32..900, 6), quantity in 0_u32..60) {
            let ends: Vec<u32> = ends.into_iter().collect();
            let mut text: Vec<String> = ends.iter().zip(&prices).map(|(end, price)| format!("{end}:{price}")).collect();
            text.push(format!(":{}", prices[5]));
            let tiers = Tiers::parse(&text.join(";")).expect("tiers");
            let price_of = |unit: u32| ends.iter().position(|&end| unit <= end).map_or(prices[5], |at| prices[at]);
            let graduated: u32 = (1..=quantity).map(price_of).sum();
            prop_assert_eq!(tiers.graduated(quantity.into()), Some(graduated.into()));
            let volume = if quantity == 0 { 0 } else { quantity * price_of(quantity) };
            prop_assert_eq!(tiers.volume(quantity.into()), Some(volume.into()));
        }
    }
}
