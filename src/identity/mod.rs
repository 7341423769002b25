//! Which native id of one system is which customer or service of another: suggestions for people, bundles, checks of crosswalks.
//!
//! Evidence in its order: ids that match (links that an export carries, `facts/customer_link`), the user's mapping files, and last
//! suggestions by name, domain and quantity. A suggestion never takes effect by itself: it becomes a row of a crosswalk that a person
//! (or `map suggest --accept`, for the unambiguous ones) writes and `map import` lands.
//!
//! Pure functions over plain values: no I/O, no clock, the same answer whatever the order of the input. `cli/map` reads the lake.

pub mod bundles;
pub mod compare;
pub mod cover;
pub mod crosswalk;
pub mod domain;
pub mod names;
pub mod register;
pub mod suggest;
pub mod words;
