//! What customers agreed to: `ContractServices` with prices and no quantity, `ContractServiceUnits` with the quantity of every
//! billing period, and the same for bundles (packs).
//!
//! A change within a period ends its row on the day on which the next begins, so that both name that day. A row's `price` is that
//! of all its units. A row without `approveAndPostDate` was never posted. Each month's file holds the rows that touch the month.

use super::{Entity, contract_id, contract_service_id, date_time, export_days, is_priced, save};
use crate::month::Month;
use crate::synth::calendar::Span;
use crate::synth::error::SynthError;
use crate::synth::output::Output;
use crate::synth::pair::{Pair, Volume};
use crate::synth::timeline::Timeline;
use crate::synth::world::World;
use crate::synth::writers::json::number;
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

static SERVICES: Entity = Entity { kind: "autotask_contract_services", file: "contract_services", path: "ContractServices" };
static UNITS: Entity =
    Entity { kind: "autotask_contract_service_units", file: "contract_service_units", path: "ContractServiceUnits" };
static BUNDLES: Entity =
    Entity { kind: "autotask_contract_service_bundles", file: "contract_service_bundles", path: "ContractServiceBundles" };
static BUNDLE_UNITS: Entity = Entity {
    kind: "autotask_contract_service_bundle_units",
    file: "contract_service_bundle_units",
    path: "ContractServiceBundleUnits",
};

/// Days between the first and the last that a row of units may begin on: numbers them within their service.
const MAX_DAYS: usize = 40_000;

pub(super) fn write(world: &World, output: &mut Output) -> Result<(), SynthError> {
    let agreed = Agreed::all(world);
    for (day, is_full) in price_days(world) {
        let is_saved = |line: &&Agreed<'_>| line.from <= day && (is_full || line.price_changed_on(day));
        for (entity, is_pack) in [(&SERVICES, false), (&BUNDLES, true)] {
            let lines = agreed.iter().filter(|line| line.pair.pack.is_some() == is_pack).filter(is_saved);
            let items: Vec<Value> = lines.map(|line| line.price_record(world, day)).collect();
            if !items.is_empty() {
                save(output, entity, day, items)?;
            }
        }
    }
    for (month, day) in export_days(world) {
        for (entity, is_pack) in [(&UNITS, false), (&BUNDLE_UNITS, true)] {
            let lines = agreed.iter().filter(|line| line.pair.pack.is_some() == is_pack);
            let items = lines.flat_map(|line| line.unit_records(world, month, day)).collect();
            save(output, entity, day, items)?;
        }
    }
    Ok(())
}

/// The days on which prices are saved, and whether all are.
fn price_days(world: &World) -> Vec<(NaiveDate, bool)> {
    let firsts = world.months().chain([world.last_month().plus(1)]).map(|month| month.first_day());
    let firsts: BTreeSet<NaiveDate> = firsts.collect();
    let changes = world.pairs.iter().flat_map(|pair| pair.contract_price.changes().chain([pair.since]).chain(pair.renewed_on));
    let span = world.span();
    let mut days: BTreeSet<NaiveDate> = changes.filter(|day| *day >= span.from && *day < span.until).collect();
    days.extend(&firsts);
    days.into_iter().map(|day| (day, firsts.contains(&day))).collect()
}

/// A service or bundle on a contract.
struct Agreed<'a> {
    id: usize,
    pair: &'a Pair,
    from: NaiveDate,
    /// Articles: packs count as one.
    quantity: Timeline,
    /// The MSP's own units, at no price.
    is_given_away: bool,
}

impl<'a> Agreed<'a> {
    fn all(world: &'a World) -> Vec<Self> {
        let mut agreed = Vec::new();
        for (index, pair) in world.pairs.iter().enumerate().filter(|(_, pair)| !pair.missing_in_psa) {
            let quantity = match &pair.volume {
                Volume::Level { contracted, .. } => contracted.divided_by(pair.pack_size()),
                // Billed by usage: the line only says that the customer has the service.
                Volume::Flow(_) => Timeline::of_span(pair.since, pair.contract_end(), Decimal::ONE),
            };
            for line in pair.agreed_lines() {
                let begun = if line.number == 0 { quantity.clone() } else { quantity.since(line.from) };
                let quantity = line.until.map_or(begun.clone(), |until| begun.until(until));
                let id = contract_service_id(index, line.number);
                agreed.push(Self { id, pair, from: line.from, quantity, is_given_away: pair.do_not_bill });
            }
            if pair.internal_units > Decimal::ZERO {
                let quantity = Timeline::of_span(pair.since, pair.until, pair.internal_units);
                agreed.push(Self {
                    id: contract_service_id(index, 0) + 1,
                    pair,
                    from: pair.since,
                    quantity,
                    is_given_away: true,
                });
            }
        }
        agreed
    }

    /// Price of an article on `day`; none where it stands in written terms or depends on usage.
    fn price(&self, day: NaiveDate) -> Option<Decimal> {
        if self.is_given_away {
            return Some(Decimal::ZERO);
        }
        is_priced(self.pair).then(|| self.pair.contract_price.at(day) * self.pair.pack_size())
    }

    fn price_changed_on(&self, day: NaiveDate) -> bool {
        self.from == day || self.pair.contract_price.changes().any(|changed| changed == day)
    }

    /// The number of the service or bundle, under its own name.
    fn article(&self) -> (&'static str, u32) {
        self.pair.pack.map_or(("serviceID", self.pair.service.psa_id), |pack| ("serviceBundleID", pack.psa_id))
    }

    fn price_record(&self, world: &World, day: NaiveDate) -> Value {
        let customer = world.customer_of(self.pair);
        let rate = world.dollars_per_unit(customer.currency, Month::of(day));
        let price = self.price(day).map_or(Value::Null, |price| number(price.normalize()));
        let own = self.price(day).map_or(Value::Null, |price| number((price * rate).round_dp(4).normalize()));
        let cost = number((self.pair.service.cost() * self.pair.pack_size()).normalize());
        let (article, id) = self.article();
        let name = self.pair.pack.map_or(self.pair.service.name, |pack| pack.name);
        let mut fields = Map::new();
        fields.insert("id".to_owned(), self.id.into());
        fields.insert("contractID".to_owned(), contract_id(customer).into());
        fields.insert(article.to_owned(), id.into());
        fields.insert("unitPrice".to_owned(), price);
        fields.insert("unitCost".to_owned(), cost);
        // In the MSP's own currency.
        fields.insert("internalCurrencyUnitPrice".to_owned(), own.clone());
        fields.insert("internalCurrencyAdjustedPrice".to_owned(), own);
        fields.insert("invoiceDescription".to_owned(), name.into());
        fields.insert("internalDescription".to_owned(), if self.is_given_away { "Internal use" } else { "" }.into());
        fields.insert("quoteItemID".to_owned(), Value::Null);
        Value::Object(fields)
    }

    /// The rows that touch `month`, as known on `day`.
    fn unit_records(&self, world: &World, month: Month, day: NaiveDate) -> Vec<Value> {
        let billing = world.customer_of(self.pair).billing;
        let touched = Span { from: month.first_day(), until: month.plus(1).first_day().min(day.succ_opt().unwrap_or(day)) };
        let mut rows = Vec::new();
        let mut period = billing.period_of(touched.from);
        while period.from < touched.until {
            let start = period.from.max(self.from);
            let changes = self.quantity.changes_between(start, period.until);
            let starts: Vec<NaiveDate> = std::iter::once(start).chain(changes).filter(|start| *start <= day).collect();
            for (place, start) in starts.iter().enumerate() {
                let next = starts.get(place + 1).copied();
                let end = next.unwrap_or(period.last_day());
                let units = self.quantity.at(*start);
                if !units.is_zero() && *start < period.until && end >= touched.from && *start < touched.until {
                    rows.push(self.unit_record(world, *start, end, units));
                }
            }
            period = billing.period_of(period.until);
        }
        rows
    }

    fn unit_record(&self, world: &World, start: NaiveDate, end: NaiveDate, units: Decimal) -> Value {
        let days = usize::try_from((start - self.pair.since).num_days()).unwrap_or(0);
        let (article, id) = self.article();
        let (parent, vendor) = match self.pair.pack {
            Some(_) => ("contractServiceBundleID", Value::Null),
            None => ("contractServiceID", Value::from(4_711)),
        };
        // What is given away is never posted, nor is what billing does not know.
        let posted = !self.is_given_away && self.is_billed(start, units);
        let rate = world.dollars_per_unit(world.customer_of(self.pair).currency, Month::of(start));
        let price = self.price(start).map(|price| price * units);
        let amount = |price: Option<Decimal>| price.map_or(Value::Null, |price| number(price.round_dp(4).normalize()));
        let mut fields = Map::new();
        fields.insert("id".to_owned(), (self.id * MAX_DAYS + days).into());
        fields.insert("contractID".to_owned(), contract_id(world.customer_of(self.pair)).into());
        fields.insert(parent.to_owned(), self.id.into());
        fields.insert(article.to_owned(), id.into());
        fields.insert("units".to_owned(), number(units.normalize()));
        fields.insert("startDate".to_owned(), date_time(start).into());
        fields.insert("endDate".to_owned(), date_time(end).into());
        fields.insert("price".to_owned(), amount(price));
        fields.insert("cost".to_owned(), number((self.pair.service.cost() * self.pair.pack_size() * units).normalize()));
        fields.insert("internalCurrencyPrice".to_owned(), amount(price.map(|price| price * rate)));
        fields.insert("approveAndPostDate".to_owned(), if posted { date_time(start).into() } else { Value::Null });
        fields.insert("vendorCompanyID".to_owned(), vendor);
        Value::Object(fields)
    }

    fn is_billed(&self, day: NaiveDate, units: Decimal) -> bool {
        let Volume::Level { billed, .. } = &self.pair.volume else { return true };
        billed.at(day) + self.pair.included >= units * self.pair.pack_size()
    }
}
