//! How vendors compute what they charge, so that a recomputation differs only where the vendor is wrong.
//!
//! Microsoft Partner Center truncates, in an order that differs for usage and seats (Microsoft Learn, "Learn how to read the line
//! items in your Partner Center reconciliation files"):
//! ```text
//! usage: ROUNDDOWN(ROUNDDOWN(EffectiveUnitPrice x BillableQuantity, 2) x PCToBCExchangeRate, 2)
//! seats: ROUNDDOWN(EffectiveUnitPrice x PCToBCExchangeRate, 2) x BillableQuantity
//! ```
//! Truncation is towards zero, so a refund is the charge with its sign turned. Two decimals whatever the currency, as Microsoft writes.

use rust_decimal::{Decimal, RoundingStrategy};

/// Which of Microsoft's two orders applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MicrosoftCharge {
    /// Azure and other consumption.
    Usage,
    /// Licences.
    Seats,
}

/// What Partner Center charges before tax, in the billing currency. `None` beyond 28 digits.
#[must_use]
pub fn microsoft_subtotal(
    kind: MicrosoftCharge,
    effective_unit_price: Decimal,
    quantity: Decimal,
    exchange_rate: Decimal,
) -> Option<Decimal> {
    let down = |value: Decimal| value.round_dp_with_strategy(2, RoundingStrategy::ToZero);
    match kind {
        MicrosoftCharge::Usage => down(effective_unit_price.checked_mul(quantity)?).checked_mul(exchange_rate).map(down),
        MicrosoftCharge::Seats => down(effective_unit_price.checked_mul(exchange_rate)?).checked_mul(quantity),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microsoft_truncates_in_its_own_order() {
        let dec = |text: &str| text.parse::<Decimal>().expect("a decimal");
        let charge = |kind, price, quantity, rate| microsoft_subtotal(kind, dec(price), dec(quantity), dec(rate)).expect("small");
        assert_eq!(charge(MicrosoftCharge::Usage, "0.0337", "317.5", "0.9312"), dec("9.95"));
        assert_eq!(charge(MicrosoftCharge::Seats, "17.599", "3", "0.9312"), dec("49.14"));
        assert_eq!(charge(MicrosoftCharge::Seats, "17.599", "-3", "0.9312"), dec("-49.14"));
        // Rounding half-even would say 49.16: a false finding of two cents.
        assert_eq!((dec("17.599") * dec("3") * dec("0.9312")).round_dp(2), dec("49.16"));
    }
}
