//! ARPU decomposition: why does revenue per active user differ between two periods, for whoever must act on a falling one.
//!
//! # Formula
//! Revenue of an item (a customer of a service line, a service of a customer) is a chain; a total A of active users is shared by items:
//!
//! revenue = A x (share of actives) x (billed units per active) x (contract price) x (billed by contract) + credit
//!
//! The links are turned from *before* to *now* one after the other; what the revenue changes by at a link is its part:
//!
//! | part | link | in words |
//! |---|---|---|
//! | `population` | A | more or fewer active users, everything else as before: (A1 - A0) x ARPU before |
//! | `mix` | share of actives | users moved to dearer or cheaper items; items that came or went |
//! | `quantity` | billed units per active | units that are used and not billed, or billed and not used |
//! | `price` | contract price | what was agreed changed |
//! | `discount` | billed by contract | what was agreed and what was charged parted |
//! | `credit` | credit | given back beside the lines |
//!
//! The chain is walked forwards (before to now) and backwards, and each part is the mean of both: no order is preferred, and exchanging the
//! periods turns every sign. All parts but `population` are the change of ARPU times the active users.
//!
//! # Source
//! Chain substitution; its symmetric mean is Bennet's (1920, J. R. Stat. Soc. 83:455). Additivity is by construction: parts are
//! differences of neighbouring revenues, each computed once and rounded to 12 decimals, so they telescope to the true change whatever was
//! rounded. Property tests: `tests/kernels/arpu.rs`.
//!
//! # Minimum samples
//! One item in two periods. Nothing is estimated.
//!
//! # Degenerate cases
//! | item | answer |
//! |---|---|
//! | came or went (active users in one period only) | its revenue is `mix`, but for its share of the change of `population` |
//! | billed without active users in either period | its change is `quantity`, `price`, `discount` |
//! | billed units in one period only | the rest of its change is `quantity` |
//! | no contract price (`at_contract` empty) in either period | what was charged counts as agreed: `price`, no `discount` |
//! | no active users at all before | `population` nothing, the rest as above |
//! | amounts beyond 28 digits | no answer |
//!
//! # NULL, NaN, infinity
//! Decimals know neither; a missing quantity or amount is nothing.
//!
//! # Cost
//! Constant per item, no allocation.
//!
//! ```
//! use rust_decimal::Decimal;
//! use shortfall::kernels::arpu::{Item, decompose};
//! let whole = |n: i64| Decimal::from(n);
//! let seats = |active, billed, charged| Item {
//!     active: whole(active), quantity: whole(billed), at_contract: Some(whole(billed * 22)), revenue: whole(charged), credit: whole(0),
//! };
//! // Fifty seats at 22; two more come, none of them is billed, and the price slips to 21.
//! let parts = decompose(&[seats(50, 50, 1100)], &[seats(52, 50, 1050)]).unwrap();
//! assert_eq!(parts.sum(), whole(-50));
//! assert!(parts.discount < whole(-48) && parts.quantity < whole(-40) && parts.population > whole(40));
//! ```

use rust_decimal::Decimal;

/// Decimals of the revenues between which parts are differences.
const DIGITS: u32 = 12;

/// An item in one period: sums, or means per month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// Active users, seats or devices.
    pub active: Decimal,
    /// Billed units.
    pub quantity: Decimal,
    /// What the billed units come to at the contract's terms; none where no contract prices them.
    pub at_contract: Option<Decimal>,
    /// What was charged for them, before credits.
    pub revenue: Decimal,
    /// Credits, negative.
    pub credit: Decimal,
}

/// A change of revenue in parts that sum exactly to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Active users.
    pub population: Decimal,
    /// Where they are.
    pub mix: Decimal,
    /// Billed units for each of them.
    pub quantity: Decimal,
    /// Agreed price.
    pub price: Decimal,
    /// Charged against agreed price.
    pub discount: Decimal,
    /// Credits.
    pub credit: Decimal,
}

impl Parts {
    /// All of them: the change of revenue.
    #[must_use]
    pub fn sum(&self) -> Decimal {
        self.population + self.mix + self.quantity + self.price + self.discount + self.credit
    }

    fn checked_add(&self, other: &Self) -> Option<Self> {
        Some(Self {
            population: plus(self.population, other.population)?,
            mix: plus(self.mix, other.mix)?,
            quantity: plus(self.quantity, other.quantity)?,
            price: plus(self.price, other.price)?,
            discount: plus(self.discount, other.discount)?,
            credit: plus(self.credit, other.credit)?,
        })
    }
}

/// Parts of the change of all items together; the same place is the same item. `None` if lengths differ or an amount leaves 28 digits.
#[must_use]
pub fn decompose(before: &[Item], now: &[Item]) -> Option<Parts> {
    if before.len() != now.len() {
        return None;
    }
    let active = |items: &[Item]| items.iter().try_fold(Decimal::ZERO, |sum, item| plus(sum, item.active));
    let (all_before, all_now) = (active(before)?, active(now)?);
    before
        .iter()
        .zip(now)
        .try_fold(Parts::default(), |sum, (before, now)| sum.checked_add(&item_parts(before, now, all_before, all_now)?))
}

/// One item's contribution, given the active users of all items together.
#[must_use]
pub fn item_parts(before: &Item, now: &Item, all_before: Decimal, all_now: Decimal) -> Option<Parts> {
    let forwards = walk(before, now, all_before, all_now)?;
    let backwards = walk(now, before, all_now, all_before)?;
    let part = |link: usize| -> Option<Decimal> {
        let there = minus(forwards[link + 1], forwards[link])?;
        let back = minus(backwards[link + 1], backwards[link])?;
        half(minus(there, back)?)
    };
    let parts = Parts {
        population: part(0)?,
        mix: part(1)?,
        quantity: part(2)?,
        price: part(3)?,
        discount: part(4)?,
        credit: minus(now.credit, before.credit)?,
    };
    let change = minus(plus(now.revenue, now.credit)?, plus(before.revenue, before.credit)?)?;
    // Halves may need one digit more than there is; then there is no answer rather than one that does not add up.
    (parts.sum() == change).then_some(parts)
}

/// A sum that kept every digit: beyond 28 of them decimals round without a word.
fn plus(left: Decimal, right: Decimal) -> Option<Decimal> {
    if left.is_zero() || right.is_zero() {
        return Some(if left.is_zero() { right } else { left });
    }
    left.checked_add(right).filter(|sum| sum.scale() >= left.scale().max(right.scale()))
}

fn minus(left: Decimal, right: Decimal) -> Option<Decimal> {
    plus(left, -right)
}

fn half(value: Decimal) -> Option<Decimal> {
    value.checked_mul(Decimal::new(5, 1))
}

/// Revenue after 0 to 5 links have been turned from one period to the other.
fn walk(from: &Item, to: &Item, all_from: Decimal, all_to: Decimal) -> Option<[Decimal; 6]> {
    let was_there = !from.active.is_zero();
    let is_there = !to.active.is_zero();
    let population = if was_there { scaled(from.revenue, all_to, all_from)? } else { from.revenue };
    let mix = match (was_there, is_there) {
        (true, _) => scaled(from.revenue, to.active, from.active)?,
        (false, true) => to.revenue,
        (false, false) => from.revenue,
    };
    let came_or_went = was_there != is_there;
    let (quantity, price) = if came_or_went || from.quantity.is_zero() {
        (to.revenue, to.revenue)
    } else {
        let quantity = scaled(from.revenue, to.quantity, from.quantity)?;
        let price = match (from.at_contract, to.at_contract) {
            (Some(agreed_from), Some(agreed_to)) if !agreed_from.is_zero() => scaled(from.revenue, agreed_to, agreed_from)?,
            _ => to.revenue,
        };
        (quantity, price)
    };
    Some([from.revenue, population, mix, quantity, price, to.revenue])
}

/// value x to / from; the value itself where nothing changed or there is nothing to divide by.
fn scaled(value: Decimal, to: Decimal, from: Decimal) -> Option<Decimal> {
    if to == from || from.is_zero() {
        return Some(value);
    }
    // Divided first where the product would leave 28 digits.
    let exact = value.checked_mul(to).filter(|product| product.scale() < 28).and_then(|product| product.checked_div(from));
    exact.or_else(|| value.checked_div(from)?.checked_mul(to)).map(|scaled| scaled.round_dp(DIGITS))
}
