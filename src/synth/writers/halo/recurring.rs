//! Recurring invoices: one a client, with a line for each agreed service, as they stood on the days they were saved; and the
//! audit of edits to their lines.

use super::{
    Entity, MONTHLY, contract_id, date, date_or_none, double, internal_contract_id, line_id, put_amount, recurring_invoice_id,
    save,
};
use crate::month::Month;
use crate::synth::agreement::Terms;
use crate::synth::customers::Customer;
use crate::synth::error::SynthError;
use crate::synth::output::Output;
use crate::synth::pair::{AgreedLine, Pair, Volume};
use crate::synth::world::World;
use crate::synth::writers::json::number;
use crate::synth::writers::snapshots::snapshot_days;
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

static RECURRING: Entity = Entity { kind: "halopsa_recurring_invoices", file: "recurring_invoices", list: "invoices" };
static CHANGES: Entity = Entity { kind: "halopsa_invoice_changes", file: "invoice_changes", list: "invoicechanges" };

pub(super) fn write(world: &World, output: &mut Output) -> Result<(), SynthError> {
    for (day, changed) in snapshot_days(world) {
        let mut lines: BTreeMap<usize, Vec<Value>> = BTreeMap::new();
        for (index, pair) in world.pairs.iter().enumerate() {
            let is_saved = changed.as_ref().is_none_or(|customers| customers.contains(&pair.customer));
            if pair.missing_in_psa || pair.since > day || !is_saved {
                continue;
            }
            let lines = lines.entry(pair.customer).or_default();
            let agreed = pair.agreed_lines().into_iter().filter(|line| line.from <= day);
            lines.extend(agreed.map(|agreed| line(world, index, pair, agreed, day)));
            if pair.internal_units > Decimal::ZERO {
                lines.push(internal_line(world, index, pair, day));
            }
        }
        let invoices = lines.into_iter().map(|(customer, lines)| recurring_invoice(&world.customers[customer], day, lines));
        save(output, &RECURRING, day, invoices.collect())?;
    }
    save(output, &CHANGES, world.exported_on(), changes(world))
}

fn recurring_invoice(customer: &Customer, day: NaiveDate, lines: Vec<Value>) -> Value {
    let next = customer.billing.period_of(day).until;
    json!({
        "id": recurring_invoice_id(customer),
        "client_id": double(customer.company_id),
        "client_name": customer.name,
        "site_id": double(customer.company_id + 20_000),
        "contract_id": contract_id(customer),
        "is_recurring_invoice": true,
        "period": MONTHLY,
        "period_type": 0,
        "startdate": date(customer.joined),
        "enddate": date_or_none(customer.left.filter(|left| *left <= day).and_then(|left| left.pred_opt())),
        "nextcreationdate": date(next),
        "lastcreated": date(customer.billing.period_of(day).from),
        "schedule_id": 1,
        "invoice_prorata_periods_ahead": 1,
        "contains_calculated_quantity": false,
        "currency_code_name": customer.currency.code(),
        "disabled": false,
        "lines": lines,
    })
}

fn line(world: &World, index: usize, pair: &Pair, agreed: AgreedLine, day: NaiveDate) -> Value {
    let end = agreed.until.filter(|end| *end <= day);
    // An ended line keeps the quantity and price it last had.
    let day = end.and_then(|end| end.pred_opt()).unwrap_or(day);
    let (quantity, price) = match &pair.volume {
        Volume::Level { contracted, .. } => (contracted.at(day) / pair.pack_size(), agreed_price(pair, day)),
        // Billed by usage: the line only says that the customer has the service.
        Volume::Flow(_) => (Decimal::ONE, None),
    };
    let id = line_id(index, agreed.number);
    let mut fields = common(world, id, pair, day, price);
    fields.insert("id".to_owned(), id.into());
    fields.insert("qty_order".to_owned(), number(quantity.normalize()));
    fields.insert("is_meter".to_owned(), pair.usage().is_some().into());
    fields.insert("startdate".to_owned(), date(agreed.from).into());
    fields.insert("enddate".to_owned(), date_or_none(end.and_then(|end| end.pred_opt())).into());
    fields.insert("isinactive".to_owned(), end.is_some().into());
    Value::Object(fields)
}

/// The MSP's own units at a client's site, at no price.
fn internal_line(world: &World, index: usize, pair: &Pair, day: NaiveDate) -> Value {
    let id = line_id(index, 0);
    let mut fields = common(world, id, pair, day, Some(Decimal::ZERO));
    fields.insert("id".to_owned(), (id + 1).into());
    fields.insert("item_longdescription".to_owned(), "Internal use".into());
    fields.insert("contract_id".to_owned(), internal_contract_id(world.customer_of(pair)).into());
    fields.insert("qty_order".to_owned(), number(pair.internal_units));
    fields.insert("startdate".to_owned(), date(pair.since).into());
    fields.insert("enddate".to_owned(), date_or_none(None).into());
    fields.insert("isinactive".to_owned(), false.into());
    Value::Object(fields)
}

fn common(world: &World, line: usize, pair: &Pair, day: NaiveDate, price: Option<Decimal>) -> Map<String, Value> {
    let customer = world.customer_of(pair);
    let (id, code, name) = pair
        .pack
        .map_or((pair.service.psa_id, pair.service.psa_sku, pair.service.name), |pack| (pack.psa_id, pack.psa_sku, pack.name));
    let mut fields = Map::new();
    fields.insert("ihid".to_owned(), recurring_invoice_id(customer).into());
    fields.insert("item_code".to_owned(), code.into());
    fields.insert("item_shortdescription".to_owned(), name.into());
    fields.insert("item_longdescription".to_owned(), name.into());
    fields.insert("_itemid".to_owned(), id.into());
    if let Some(price) = price {
        put_amount(&mut fields, "unit_price", price, world.dollars_per_unit(customer.currency, Month::of(day)));
    }
    fields.insert("unit_cost".to_owned(), number((pair.service.cost() * pair.pack_size()).normalize()));
    fields.insert("discount_perc".to_owned(), 0.into());
    fields.insert("billingperiod".to_owned(), MONTHLY.into());
    fields.insert("autorenew".to_owned(), true.into());
    fields.insert("onetimecharge".to_owned(), false.into());
    fields.insert("contract_id".to_owned(), contract_id(customer).into());
    fields.insert("recurring_invoice_line_id".to_owned(), line.into());
    fields
}

/// Price of an article; none where it stands in written terms only.
fn agreed_price(pair: &Pair, day: NaiveDate) -> Option<Decimal> {
    if pair.do_not_bill {
        return Some(Decimal::ZERO);
    }
    (pair.terms != Some(Terms::PerUnit)).then(|| pair.contract_price.at(day) * pair.pack_size())
}

/// Who changed which quantity or price of a line, in the order of days.
fn changes(world: &World) -> Vec<Value> {
    let mut logged: Vec<(NaiveDate, usize, &str, Decimal, Decimal)> = Vec::new();
    for (index, pair) in world.pairs.iter().enumerate().filter(|(_, pair)| !pair.missing_in_psa) {
        let Volume::Level { contracted, .. } = &pair.volume else { continue };
        for (field, timeline, size) in
            [("qty_order", contracted, pair.pack_size()), ("unit_price", &pair.contract_price, Decimal::ONE)]
        {
            if field == "unit_price" && (pair.do_not_bill || pair.terms == Some(Terms::PerUnit)) {
                continue;
            }
            let factor = if field == "unit_price" { pair.pack_size() } else { Decimal::ONE };
            let value = |day: NaiveDate| timeline.at(day) * factor / size;
            for day in timeline.changes().filter(|day| *day > pair.since && *day >= world.span().from) {
                let before = day.pred_opt().unwrap_or(day);
                logged.push((day, index, field, value(before), value(day)));
            }
        }
    }
    logged.sort_by_key(|(day, index, field, ..)| (*day, *index, *field));
    let last = Month::of(world.exported_on()).first_day();
    let logged = logged.into_iter().filter(|(day, ..)| *day <= last).enumerate();
    let records = logged.map(|(number, (day, index, field, before, after))| {
        let pair = &world.pairs[index];
        json!({
            "id": 700_000 + number,
            "invoice_id": recurring_invoice_id(world.customer_of(pair)),
            "invoice_line_id": line_id(index, pair.line_number_on(day)),
            "field_name": field,
            "old_value": before.normalize().to_string(),
            "new_value": after.normalize().to_string(),
            "who": "Dana Whitfield",
            "datetime": format!("{day}T09:15:00"),
        })
    });
    records.collect()
}
