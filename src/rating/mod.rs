//! What should have been billed: a customer's month re-rated day by day in exact decimals.
//!
//! Rule (`max` basis): a customer owes what it committed to, and what it used beyond.
//! ```text
//! billable(day) = max(contracted(day), delivered(day)) - included(day), never below zero
//! expected      = sum over days of price(day) x billable(day) / days of the month, rounded half-even once, to the minor unit
//! ```
//! | model | expected |
//! | --- | --- |
//! | `per_unit` | as above; what lies within PSA lines at each line's own price, what lies beyond at the terms' or the newest line's price |
//! | `flat_fee` | fee x days in force / days of the month, whatever was used |
//! | none: no price known | none; the quantity is still stated |
//!
//! Flows (consumption that adds up over the month) are compared with the month's mean commitment. No I/O, no clock, no float.

pub mod month;

pub use month::{ContractSegment, Delivered, Lifecycle, MonthInput, Rated, Segment, TermsSegment, rate};
