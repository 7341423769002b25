//! One day of a month: what was committed, what was delivered, and what a month like this day would cost.

use super::input::{ContractSegment, Lifecycle, MonthInput, Segment, level};
use super::terms::{Basis, Model, Terms};
use rust_decimal::Decimal;

/// Quantities and prices that hold on some days; money is that of a whole month like them.
#[derive(Clone, Debug)]
pub(super) struct Day {
    pub(super) delivered: Option<Decimal>,
    pub(super) contracted: Option<Decimal>,
    pub(super) billable: Decimal,
    pub(super) billable_contracted: Decimal,
    pub(super) included: Decimal,
    pub(super) active: Option<Decimal>,
    pub(super) suspended: Option<Decimal>,
    /// What vendors say is there.
    pub(super) reported: Option<Decimal>,
    /// Suspended ones that vendors still count.
    pub(super) suspended_charged: Decimal,
    pub(super) money: Option<Decimal>,
    pub(super) money_contracted: Option<Decimal>,
    /// Price of a unit where units have one.
    pub(super) unit_price: Option<Decimal>,
    /// The terms in force: written ones, or the PSA's prices as terms.
    pub(super) terms: Terms,
    /// The PSA's price of a unit, where the terms have none.
    pub(super) own_price: Option<Decimal>,
}

/// The PSA's prices as terms: a price per unit that stands with the line.
fn unwritten(input: &MonthInput) -> Terms {
    Terms {
        from: input.month_start,
        to: input.month_end,
        model: Model::PerUnit(None),
        overage_unit_price: None,
        included: Decimal::ZERO,
        minimum: Decimal::ZERO,
        basis: Basis::default(),
        proration: super::terms::Proration::default(),
    }
}

/// Rates one day. `None` beyond 28 digits.
pub(super) fn rate_day(input: &MonthInput, day: i32) -> Option<Day> {
    let lines: Vec<&ContractSegment> = input.contract.iter().filter(|line| line.days.from <= day && day < line.days.to).collect();
    let written = input.terms.iter().rev().find(|t| t.from <= day && day < t.to);
    let terms = written.cloned().unwrap_or_else(|| unwritten(input));
    // A line without a price beside metered consumption is a placeholder ("1 x as used"), not a commitment.
    let commits = |line: &&&ContractSegment| line.unit_price.is_some() || input.delivered.flow.is_none();
    let contracted =
        if lines.is_empty() { None } else { Some(lines.iter().filter(commits).map(|l| l.days.quantity).sum::<Decimal>()) };
    let vendor = level(&input.delivered.levels, day);
    let (active, suspended) = lifecycle_counts(&input.lifecycle, day);
    let delivered = delivered_level(vendor, contracted, active, suspended, input.lifecycle.is_complete);
    let suspended_charged = suspended_charged(vendor, delivered, contracted, suspended, input.lifecycle.is_complete);

    // Units that the contract gives away: allowances, and lines that are kept but not billed.
    let given_away: Decimal = lines.iter().map(|l| if l.is_billable { l.included } else { l.days.quantity }).sum::<Decimal>();
    let included = given_away + terms.included;
    let committed = contracted.unwrap_or_default();
    let (owed, owed_by_contract) = owed(terms.basis, committed, delivered.unwrap_or_default());
    let billable = (owed - included).max(terms.minimum).max(Decimal::ZERO);
    let billable_contracted = (owed_by_contract - included).max(terms.minimum).max(Decimal::ZERO);

    let priced: Vec<(&&ContractSegment, Decimal)> =
        lines.iter().filter(|l| l.is_billable).filter_map(|l| Some((l, l.unit_price?))).collect();
    let own_price = priced.iter().max_by_key(|(l, _)| l.days.from).map(|(_, price)| *price);
    let mut result = Day {
        delivered,
        contracted,
        billable,
        billable_contracted,
        included,
        active,
        suspended,
        reported: vendor,
        suspended_charged,
        money: None,
        money_contracted: None,
        unit_price: None,
        terms,
        own_price,
    };
    let terms = &result.terms;
    match &terms.model {
        Model::Unreadable => return Some(result),
        Model::CostPlus(markup) => {
            let factor = Decimal::ONE.checked_add(markup.checked_div(Decimal::ONE_HUNDRED)?)?;
            let money = input.delivered.cost.map_or(Some(None), |cost| cost.checked_mul(factor).map(Some))?;
            (result.money, result.money_contracted) = (money, money);
            return Some(result);
        }
        Model::PerUnit(price) => result.unit_price = price.or(own_price),
        Model::FlatFee(_) => result.unit_price = terms.overage_unit_price,
        Model::Graduated(_) | Model::Volume(_) => {}
    }
    let Some(all) = terms.charge(billable, billable_contracted, own_price)? else {
        // A line that is given away has a price: nothing.
        let is_free = !lines.is_empty() && lines.iter().all(|l| !l.is_billable);
        result.money = is_free.then_some(Decimal::ZERO);
        result.money_contracted = result.money;
        return Some(result);
    };
    let contracted_alone = terms.charge(billable_contracted, billable_contracted, own_price)??;
    let differ = priced.iter().any(|(_, price)| Some(*price) != own_price);
    let money_contracted = if matches!(terms.model, Model::PerUnit(None)) && differ {
        // Lines at different prices: each covers its own units, the allowance stays with its line.
        priced.iter().try_fold(Decimal::ZERO, |sum, (line, price)| {
            sum.checked_add((line.days.quantity - line.included).max(Decimal::ZERO).checked_mul(*price)?)
        })?
    } else {
        contracted_alone
    };
    let beyond = all.checked_sub(contracted_alone)?;
    result.money_contracted = Some(money_contracted);
    result.money = Some(money_contracted.checked_add(beyond)?.max(Decimal::ZERO));
    if result.unit_price.is_none() && !billable.is_zero() {
        result.unit_price = all.checked_div(billable);
    }
    Some(result)
}

/// What is owed of a commitment and a use, and what of it the contract alone says.
pub(super) fn owed(basis: Basis, committed: Decimal, used: Decimal) -> (Decimal, Decimal) {
    match basis {
        Basis::Max => (committed.max(used), committed),
        Basis::Contracted => (committed, committed),
        Basis::Delivered => (used, Decimal::ZERO),
    }
}

fn lifecycle_counts(lifecycle: &Lifecycle, day: i32) -> (Option<Decimal>, Option<Decimal>) {
    if lifecycle.active.is_empty() && lifecycle.suspended.is_empty() {
        return (None, None);
    }
    let count = |segments: &[Segment]| level(segments, day).unwrap_or_default();
    (Some(count(&lifecycle.active)), Some(count(&lifecycle.suspended)))
}

/// A suspended user or device is no delivery, though its vendor may still charge for it.
///
/// With a complete list the delivery is what is active, as far as the vendor says it exists. With suspensions alone they are taken
/// off what the vendor says, but never below what the PSA still lists: the vendor may have dropped them already. Nor below those that a list
/// shows alive, even if it lists a part: who retires devices and replaces them has suspended ones that nobody charges for.
fn delivered_level(
    vendor: Option<Decimal>,
    contracted: Option<Decimal>,
    active: Option<Decimal>,
    suspended: Option<Decimal>,
    is_complete: bool,
) -> Option<Decimal> {
    let (Some(active), Some(suspended)) = (active, suspended) else { return vendor };
    let Some(vendor) = vendor else { return is_complete.then_some(active) };
    let listed = contracted.map_or(Decimal::ZERO, |contracted| contracted.min(vendor));
    let alive = active.min(vendor);
    let living = if is_complete { alive } else { alive.max(vendor - suspended) };
    Some(living.max(listed))
}

/// Units that vendors count beyond what is delivered, as far as suspended ones explain them. With neither a complete list nor a contract
/// nobody can say whether the vendor has dropped them already.
fn suspended_charged(
    vendor: Option<Decimal>,
    delivered: Option<Decimal>,
    contracted: Option<Decimal>,
    suspended: Option<Decimal>,
    is_complete: bool,
) -> Decimal {
    let (Some(vendor), Some(delivered), Some(suspended)) = (vendor, delivered, suspended) else { return Decimal::ZERO };
    if !is_complete && contracted.is_none() {
        return Decimal::ZERO;
    }
    (vendor - delivered).clamp(Decimal::ZERO, suspended.max(Decimal::ZERO))
}
