//! Money counted once: where several signals point to one customer, service and month, each unit belongs to one of them.
//!
//! Signals claim in the order of their precedence: exact seams before trends. What a later one would add in a cell that is
//! already claimed is reduced by the claim; if little is left (less than a tenth), it corroborates and adds nothing. A signal that
//! prices only what lies beyond another's money says so in its header (`adds_to`), and is not reduced by that one: those that read
//! their money from different causes of the bridge never share a unit. Revenue that was never charged is another unit of money than
//! a cost, so that costs claimed before do not reduce it. Money of the customer (over-billing) is a matter of its own and never netted.

use super::cell::{Cell, Subject};
use super::schema::Basis;
use super::signal::Signal;
use crate::month::Month;
use rust_decimal::Decimal;
use std::collections::HashMap;

/// What a signal is counted for in a cell.
struct Claim {
    signal: String,
    basis: Basis,
    money: Decimal,
}

/// Sets [`Cell::counted`] of every signal's cells. `found` is in the order of precedence.
pub fn count_once(found: &mut [(Signal, Vec<Cell>)]) {
    let mut claimed: HashMap<(Subject, Month), Vec<Claim>> = HashMap::new();
    for (signal, cells) in found.iter_mut() {
        for cell in cells.iter_mut().filter(|cell| cell.basis != Basis::Overbilling) {
            let claims = claimed.entry((cell.subject.clone(), cell.month)).or_default();
            let is_shared = |claim: &&Claim| {
                !signal.adds_to.contains(&claim.signal) && (cell.basis == Basis::Cost || claim.basis == Basis::Revenue)
            };
            let taken: Decimal = claims.iter().filter(is_shared).map(|claim| claim.money).sum();
            let left = (cell.amount - taken).max(Decimal::ZERO);
            cell.counted = if taken > Decimal::ZERO && left * Decimal::TEN < cell.amount { Decimal::ZERO } else { left };
            claims.push(Claim { signal: signal.id.clone(), basis: cell.basis, money: cell.counted });
        }
    }
}
