//! Laws of the ARPU decomposition: whatever the books say, the parts are the change, to the last digit.

use proptest::prelude::*;
use rust_decimal::Decimal;
use shortfall::kernels::arpu::{Item, Parts, decompose};

/// Books as bad as they come: nobody active, nothing billed, no contract, eighteen decimals, over-billing.
fn item() -> impl Strategy<Value = Item> {
    let money = || prop_oneof![Just(Decimal::ZERO), (-10_000_i64..10_000_000).prop_map(|cents| Decimal::new(cents, 2)), long()];
    let units = || {
        prop_oneof![
            Just(Decimal::ZERO),
            (0_i64..500).prop_map(Decimal::from),
            (0_i64..5_000_000).prop_map(|n| Decimal::new(n, 4))
        ]
    };
    (units(), units(), prop::option::of(money()), money(), (-100_000_i64..1).prop_map(|cents| Decimal::new(cents, 2)))
        .prop_map(|(active, quantity, at_contract, revenue, credit)| Item { active, quantity, at_contract, revenue, credit })
}

fn long() -> impl Strategy<Value = Decimal> {
    (0_i64..1_000_000_000_000_000_000).prop_map(|n| Decimal::new(n, 14))
}

fn books() -> impl Strategy<Value = (Vec<Item>, Vec<Item>)> {
    prop::collection::vec((item(), item()), 1..8).prop_map(|pairs| pairs.into_iter().unzip())
}

fn revenue(items: &[Item]) -> Decimal {
    items.iter().map(|item| item.revenue + item.credit).sum()
}

/// 50 seats billed at 22 as agreed.
fn agreed() -> Item {
    let whole = Decimal::from;
    Item { active: whole(50), quantity: whole(50), at_contract: Some(whole(1_100)), revenue: whole(1_100), credit: whole(0) }
}

fn money(text: &str) -> Decimal {
    text.parse().unwrap()
}

proptest! {
    #[test]
    fn parts_sum_exactly((before, now) in books()) {
        let parts = decompose(&before, &now).unwrap();
        prop_assert_eq!(parts.sum(), revenue(&now) - revenue(&before));
    }

    #[test]
    fn exchanging_the_periods_turns_every_sign((before, now) in books()) {
        let (there, back) = (decompose(&before, &now).unwrap(), decompose(&now, &before).unwrap());
        let parts = |p: Parts| [p.population, p.mix, p.quantity, p.price, p.discount, p.credit];
        prop_assert_eq!(parts(there), parts(back).map(|part| -part));
    }

    #[test]
    fn nothing_changed_nothing_to_explain((before, _) in books()) {
        prop_assert_eq!(decompose(&before, &before), Some(Parts::default()));
    }

    /// As many users of every item, and only the invoice's price differs: all of it is discount.
    #[test]
    fn a_discount_is_nothing_else((before, _) in books(), cents in prop::collection::vec(-1_000_i64..1_000, 8)) {
        let before: Vec<Item> = before.into_iter().map(|item| Item { at_contract: Some(item.at_contract.unwrap_or(Decimal::ONE)), ..item })
            .filter(|item| !item.quantity.is_zero() && !item.at_contract.unwrap().is_zero()).collect();
        let now: Vec<Item> = before.iter().zip(cents).map(|(item, cents)| Item { revenue: item.revenue + Decimal::new(cents, 2), ..*item }).collect();
        let parts = decompose(&before, &now).unwrap();
        prop_assert_eq!(parts, Parts { discount: revenue(&now) - revenue(&before), ..Parts::default() });
    }
}

#[test]
fn each_link_is_told_apart() {
    let parts = |now: Item| decompose(&[agreed()], &[now]).unwrap();
    let whole = Decimal::from;
    let now = Item { quantity: whole(40), at_contract: Some(whole(880)), revenue: whole(880), ..agreed() };
    assert_eq!(parts(now), Parts { quantity: whole(-220), ..Parts::default() });
    let now = Item { at_contract: Some(whole(1_000)), revenue: whole(1_000), ..agreed() };
    assert_eq!(parts(now), Parts { price: whole(-100), ..Parts::default() });
    let now = Item { revenue: whole(1_045), ..agreed() };
    assert_eq!(parts(now), Parts { discount: whole(-55), ..Parts::default() });
    let now = Item { credit: whole(-30), ..agreed() };
    assert_eq!(parts(now), Parts { credit: whole(-30), ..Parts::default() });
    let now = Item { active: whole(60), quantity: whole(60), at_contract: Some(whole(1_320)), revenue: whole(1_320), ..agreed() };
    assert_eq!(parts(now), Parts { population: whole(220), ..Parts::default() });
}

/// As many users in all, but ten moved from a seat at 22 to one at 5: 170 less, and nobody's price or discount changed.
#[test]
fn users_who_move_to_a_cheaper_item_are_mix() {
    let seats = |active: i64, price: i64| {
        let [active, money] = [active, active * price].map(Decimal::from);
        Item { active, quantity: active, at_contract: Some(money), revenue: money, credit: Decimal::ZERO }
    };
    let parts = decompose(&[seats(50, 22), seats(10, 5)], &[seats(40, 22), seats(20, 5)]).unwrap();
    assert_eq!(parts, Parts { mix: Decimal::from(-170), ..Parts::default() });
}

#[test]
fn customers_who_leave_and_come_are_mix_and_population() {
    let gone = decompose(&[agreed(), agreed()], &[agreed(), Item::default()]).unwrap();
    assert_eq!(gone.sum(), Decimal::from(-1_100));
    assert_eq!((gone.quantity, gone.price, gone.discount, gone.credit), Default::default());
    assert!(gone.population < Decimal::from(-1_000), "{gone:?}");
}

#[test]
fn without_a_contract_price_what_was_charged_is_the_price() {
    let free = Item { at_contract: None, ..agreed() };
    let now = Item { revenue: money("1089.99"), ..free };
    assert_eq!(decompose(&[free], &[now]), Some(Parts { price: money("-10.01"), ..Parts::default() }));
}

#[test]
fn amounts_beyond_28_digits_and_books_of_unequal_length_have_no_answer() {
    let huge = Item { revenue: money("9999999999999999999999999999"), ..agreed() };
    let fine = Item { revenue: money("0.000000000000000001"), ..agreed() };
    assert_eq!(decompose(&[huge], &[fine]), None);
    assert_eq!(decompose(&[agreed()], &[]), None);
}
