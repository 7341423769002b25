//! What should have been billed: a customer's month re-rated day by day in exact decimals.
//!
//! Rule (`max` basis): a customer owes what it committed to, and what it used beyond.
//! ```text
//! billable(day) = max(max(contracted(day), delivered(day)) - included(day), minimum(day)), never below zero
//! expected      = sum over days of charge(billable(day)) x share of the month, rounded half-even once, to the minor unit
//! ```
//! | model | charge for a month like this day |
//! | --- | --- |
//! | `per_unit` | quantity x price; what lies within PSA lines at each line's own price, what lies beyond at the terms' or the newest line's price |
//! | `flat_fee` | the fee, whatever was used; with an overage price what lies beyond the allowance besides |
//! | `tiered_graduated`, `tiered_volume` | by bands ([`tiers`]) |
//! | `cost_plus` | vendor cost x (1 + mark-up) |
//! | none: no price known | none; the quantity is still stated |
//!
//! Overage prices, escalators and conventions of proration: [`terms`]. Flows (consumption that adds up over the month) are compared
//! with the month's mean commitment, and charged as one quantity. The same terms price the billed quantity (`expected_billed`), so
//! that a gap splits exactly into quantity and price. How vendors round what they charge: [`vendor`]. No I/O, no clock, no float.

pub mod bridge;
mod day;
pub mod input;
pub mod month;
pub mod terms;
pub mod tiers;
pub mod vendor;

pub use input::{ContractSegment, Delivered, Lifecycle, MonthInput, Segment};
pub use month::{PriceModel, Rated, rate};
pub use terms::Terms;
