//! Who the simulated MSP serves: names, ids in every system, currency, billing habits, coming and going.

use super::calendar::{Billing, nth};
use super::dice::{Dice, Topic, guid, stripe_id};
use crate::month::Month;
use chrono::NaiveDate;

/// The currency a customer pays in. Vendors always charge dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Currency {
    Usd,
    Eur,
}

impl Currency {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Usd => "USD",
            Self::Eur => "EUR",
        }
    }
}

/// A Microsoft tenant.
#[derive(Clone, Debug)]
pub(crate) struct Tenant {
    pub(crate) id: String,
    pub(crate) domain: String,
}

/// A customer and its identity in each system.
#[derive(Clone, Debug)]
pub(crate) struct Customer {
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) company_id: usize,
    pub(crate) identifier: String,
    pub(crate) agreement_id: usize,
    pub(crate) tenants: Vec<Tenant>,
    pub(crate) focus_account: String,
    pub(crate) pax8_company: String,
    pub(crate) stripe_customer: String,
    pub(crate) currency: Currency,
    pub(crate) billing: Billing,
    pub(crate) joined: NaiveDate,
    /// First day on which it was no customer any more.
    pub(crate) left: Option<NaiveDate>,
    /// The MSP's own company.
    pub(crate) is_internal: bool,
    /// An account at the vendors that stands in no register of the MSP.
    pub(crate) is_unknown: bool,
}

impl Customer {
    /// Its account with the backup vendor.
    pub(crate) fn vault_account(&self) -> String {
        format!("VLT-{:05}", self.company_id)
    }
}

const PLACES: [&str; 30] = [
    "Harbor",
    "Alder",
    "Granite",
    "Prairie",
    "Summit",
    "Willow",
    "Cedar",
    "Lakeside",
    "Orchard",
    "Copper",
    "Maple",
    "Juniper",
    "Riverbend",
    "Northgate",
    "Sterling",
    "Bluestone",
    "Foxglove",
    "Kestrel",
    "Meridian",
    "Pinecrest",
    "Quarry",
    "Redwood",
    "Saltmarsh",
    "Thornhill",
    "Umber",
    "Vista",
    "Westbrook",
    "Yarrow",
    "Ashford",
    "Birchwood",
];
const TRADES: [&str; 12] = [
    "Dental",
    "Legal",
    "Logistics",
    "Architects",
    "Veterinary",
    "Foods",
    "Engineering",
    "Insurance",
    "Accounting",
    "Motors",
    "Printing",
    "Clinics",
];
const FORMS: [&str; 6] = ["LLC", "Inc", "Group", "Partners", "Ltd", "& Co"];

/// `count` customers of the MSP, and its own company last.
pub(crate) fn customers(seed: u64, count: usize, first_month: Month, n_months: i32) -> Vec<Customer> {
    let mut customers: Vec<Customer> = (0..count).map(|index| customer(seed, index, first_month, n_months)).collect();
    let mut own = customer(seed, count, first_month, n_months);
    own.name = "Clearwater IT Services (internal)".to_owned();
    own.identifier = "ClearwaterIT".to_owned();
    own.tenants.truncate(1);
    for tenant in &mut own.tenants {
        tenant.domain = "clearwaterit.onmicrosoft.com".to_owned();
    }
    own.currency = Currency::Usd;
    own.billing = Billing::Advance;
    own.joined = first_month.plus(-24).first_day();
    own.left = None;
    own.is_internal = true;
    customers.push(own);
    customers
}

/// An account that somebody opened at the vendors and told nobody of. `index` is its place among all customers.
pub(crate) fn unknown(seed: u64, index: usize, since: NaiveDate) -> Customer {
    let mut account = customer(seed, index, Month::of(since), 12);
    account.name = format!("Sandbox {index}");
    account.identifier = format!("Sandbox{index}");
    account.tenants.truncate(1);
    for tenant in &mut account.tenants {
        tenant.domain = format!("sandbox{index}.onmicrosoft.com");
    }
    account.currency = Currency::Usd;
    account.billing = Billing::Advance;
    account.joined = since;
    account.left = None;
    account.is_unknown = true;
    account
}

fn customer(seed: u64, index: usize, first_month: Month, n_months: i32) -> Customer {
    let dice = &mut Dice::new(seed, Topic::Customer, index);
    let name = name_of(index);
    let identifier: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let billing = match dice.between(1, 100) {
        1..=60 => Billing::Advance,
        61..=87 => Billing::Arrears,
        _ => Billing::Anchor15,
    };
    let joined = joined(dice, billing, first_month, n_months);
    let domain = identifier.to_ascii_lowercase();
    let number = index as u64;
    let n_tenants = if dice.chance(7) { 2 } else { 1 };
    let tenants = (0..n_tenants)
        .map(|tenant| Tenant {
            id: guid(seed, 10 + tenant, number),
            domain: if tenant == 0 { format!("{domain}.onmicrosoft.com") } else { format!("{domain}2.onmicrosoft.com") },
        })
        .collect();
    Customer {
        key: format!("c{:04}", index + 1),
        identifier,
        company_id: 2_000 + index,
        agreement_id: 500 + index,
        tenants,
        focus_account: guid(seed, 20, number),
        pax8_company: guid(seed, 21, number),
        stripe_customer: stripe_id("cus", seed, number),
        currency: if dice.chance(15) { Currency::Eur } else { Currency::Usd },
        billing,
        left: left(dice, billing, joined, first_month, n_months),
        joined,
        is_internal: false,
        is_unknown: false,
        name,
    }
}

/// Most customers were there before the exports begin; the others come on any day.
fn joined(dice: &mut Dice, billing: Billing, first_month: Month, n_months: i32) -> NaiveDate {
    if dice.chance(82) || n_months < 9 {
        let month = first_month.plus(-dice.months(1, 30));
        return billing.period_starting_in(month).from;
    }
    let month = first_month.plus(dice.months(2, n_months - 4));
    let day = dice.pick([1, 1, 1, 8, 11, 18, 22]);
    nth(month, day)
}

/// About one in twelve leaves, at the end of a billing period.
fn left(dice: &mut Dice, billing: Billing, joined: NaiveDate, first_month: Month, n_months: i32) -> Option<NaiveDate> {
    let earliest = Month::of(joined).max(first_month).plus(6);
    let month = earliest.plus(dice.months(0, n_months));
    let leaves = dice.chance(14) && month < first_month.plus(n_months);
    leaves.then(|| billing.period_starting_in(month).from)
}

fn name_of(index: usize) -> String {
    let place = PLACES[index % PLACES.len()];
    let trade = TRADES[(index + index / PLACES.len()) % TRADES.len()];
    let form = FORMS[(index / 7) % FORMS.len()];
    // Thirty places and twelve trades make 60 to 360 distinct pairs; a number keeps bigger books apart.
    let round = index / (PLACES.len() * TRADES.len());
    if round == 0 { format!("{place} {trade} {form}") } else { format!("{place} {trade} {} {form}", round + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_customers_share_a_name() {
        let names: BTreeSet<String> = (0..2_000).map(name_of).collect();
        assert_eq!(names.len(), 2_000);
    }
}
