//! The contract ended, and billing or delivery did not.

use super::{Leak, Site};
use crate::month::Month;
use crate::synth::pair::{Pair, Volume};
use crate::synth::timeline::Timeline;
use rust_decimal::Decimal;

/// The service ended, or was never agreed, and is still on the invoice.
pub(super) fn orphan_billing(site: &Site<'_>, pair: &mut Pair, leak: &mut Leak) {
    let end = site.customer.billing.period_starting_in(leak.first_month).from;
    let Volume::Level { delivered, contracted, billed } = &mut pair.volume else { return };
    if pair.service.key == "web_hosting" {
        *contracted = Timeline::default();
        pair.missing_in_psa = true;
        leak.first_month = Month::of(pair.since).max(site.world.first_month);
        leak.note = "billed since the beginning, never in the PSA".to_owned();
        return;
    }
    billed.freeze(end);
    contracted.hold(end, Decimal::ZERO);
    if !delivered.at(end).is_zero() {
        delivered.hold(end, Decimal::ZERO);
    }
    leak.note = format!("cancelled on {end}, still billed");
}

/// The contract line ended and took the invoice line with it; the customer uses the service as before.
pub(super) fn expired(site: &Site<'_>, pair: &mut Pair, leak: &mut Leak) {
    let end = site.customer.billing.period_starting_in(leak.first_month).from;
    // What is owed for is the last price that was agreed.
    pair.contract_price.freeze(end.pred_opt().unwrap_or(end));
    match &mut pair.volume {
        Volume::Level { contracted, billed, .. } => {
            contracted.hold(end, Decimal::ZERO);
            billed.hold(end, Decimal::ZERO);
        }
        Volume::Flow(months) => {
            // Usage is invoiced by calendar months.
            pair.line_ended = Some(leak.first_month.first_day());
            for (_, usage) in months.range_mut(leak.first_month..) {
                usage.billed = None;
            }
        }
    }
    leak.note = format!("contract line ended with {}, delivery goes on unbilled", leak.first_month.plus(-1));
}
