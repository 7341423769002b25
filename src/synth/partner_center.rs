//! Microsoft Partner Center: new-commerce invoice reconciliation, one file a month.
//!
//! Most months are CSV, every third is gzip of JSON Lines in several members. A change of seats within a month is two
//! rows, the old quantity given back and the new one charged, at a unit price that holds the share of days left.

use super::calendar::{Span, nth};
use super::catalogue::{Service, Vendor};
use super::dice::{Dice, Topic, guid};
use super::error::SynthError;
use super::json::number;
use super::output::{Output, Table};
use super::pair::{Pair, Volume};
use super::world::World;
use crate::month::Month;
use chrono::{Datelike, NaiveDate};
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Map, Value};
use std::io::Write;

const KIND: &str = "partner_center";

const COLUMNS: [&str; 38] = [
    "PartnerId",
    "PartnerName",
    "CustomerId",
    "CustomerName",
    "CustomerDomainName",
    "CustomerCountry",
    "InvoiceNumber",
    "MpnId",
    "Tier2MpnId",
    "OrderId",
    "OrderDate",
    "ProductId",
    "SkuId",
    "AvailabilityId",
    "SkuName",
    "ProductName",
    "ChargeType",
    "UnitPrice",
    "Quantity",
    "Subtotal",
    "TaxTotal",
    "Total",
    "Currency",
    "PriceAdjustmentDescription",
    "PublisherName",
    "PublisherId",
    "SubscriptionDescription",
    "SubscriptionId",
    "ChargeStartDate",
    "ChargeEndDate",
    "TermAndBillingCycle",
    "EffectiveUnitPrice",
    "UnitType",
    "BillableQuantity",
    "BillingFrequency",
    "PricingCurrency",
    "PCToBCExchangeRate",
    "SubscriptionStartDate",
];

/// Writes `microsoft/recon_*`.
pub(crate) fn write(world: &World, output: &mut Output) -> Result<(), SynthError> {
    for (number, month) in world.months().enumerate() {
        let rows = month_rows(world, month, Edition::First);
        let issued_on = nth(month.plus(1), 6);
        if number % 3 == 1 {
            write_json_lines(output, issued_on, &rows)?;
        } else {
            write_csv(output, number, issued_on, &rows)?;
        }
        if world.reissues.iter().any(|reissue| reissue.month == month) {
            let corrected = month_rows(world, month, Edition::Corrected);
            write_csv(output, number, nth(month.plus(1), 20), &corrected)?;
        }
    }
    Ok(())
}

/// Whether a file is the first of its month or was issued again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edition {
    First,
    Corrected,
}

/// One line of a reconciliation file.
struct Row<'a> {
    world: &'a World,
    service: &'a Service,
    customer: usize,
    tenant: usize,
    product: &'a str,
    sku: &'a str,
    invoice_month: Month,
    subscription: String,
    subscribed_on: NaiveDate,
    charge_type: &'static str,
    /// Charged days; the file gives the last one.
    charged: Span,
    list_price: Decimal,
    effective_price: Decimal,
    seats_now: Decimal,
    billable: Decimal,
    is_trial: bool,
}

impl Row<'_> {
    /// Microsoft cuts the unit price to cents and then multiplies.
    fn subtotal(&self) -> Decimal {
        self.effective_price.round_dp_with_strategy(2, RoundingStrategy::ToZero) * self.billable
    }

    fn cell(&self, column: &str, style: Style) -> String {
        let customer = &self.world.customers[self.customer];
        let tenant = &customer.tenants[self.tenant];
        let text = match column {
            "PartnerId" => "4f1c2ad0-6f0b-4d39-9f56-0d3c6a2b7e11",
            "PartnerName" => "Clearwater IT Services",
            "CustomerId" => &tenant.id,
            "CustomerName" => &customer.name,
            "CustomerDomainName" => &tenant.domain,
            "CustomerCountry" => "US",
            "MpnId" => "6123456",
            "ProductId" => self.product,
            "SkuId" => self.sku,
            "AvailabilityId" => "CFQ7TTC0K5BF",
            "SkuName" | "ProductName" | "SubscriptionDescription" => self.service.name,
            "ChargeType" => self.charge_type,
            "Currency" | "PricingCurrency" => "USD",
            "PublisherName" => "Microsoft Corporation",
            "SubscriptionId" => &self.subscription,
            "TermAndBillingCycle" if self.is_trial => "One-Month commitment for trial",
            "TermAndBillingCycle" => "One-Year commitment for monthly/yearly billing",
            "UnitType" => "Licenses",
            "BillingFrequency" => "Monthly",
            "PCToBCExchangeRate" => "1",
            "InvoiceNumber" => return format!("G{:09}", 21_000_000 + self.invoice_month.index()),
            "OrderId" => return self.subscription.replace('-', "").chars().take(12).collect(),
            "OrderDate" | "SubscriptionStartDate" => return style.date(self.subscribed_on),
            "ChargeStartDate" => return style.date(self.charged.from),
            "ChargeEndDate" => return style.date(self.charged.last_day()),
            "UnitPrice" => return style.number(self.list_price),
            "EffectiveUnitPrice" => return style.number(self.effective_price),
            "Quantity" => return style.number(self.seats_now),
            "BillableQuantity" => return style.number(self.billable),
            "Subtotal" | "Total" => return style.number(self.subtotal()),
            "TaxTotal" => return style.number(Decimal::ZERO),
            _ => "",
        };
        text.to_owned()
    }
}

/// How a file writes dates and numbers.
#[derive(Clone, Copy)]
enum Style {
    /// US dates; with the apostrophe that keeps spreadsheets from touching a number.
    Csv { apostrophe: bool },
    /// ISO dates with seven digits of a second.
    Json,
}

impl Style {
    fn date(self, day: NaiveDate) -> String {
        match self {
            Self::Csv { .. } => format!("{}/{}/{}", day.month(), day.day(), day.year()),
            Self::Json => format!("{day}T00:00:00.0000000Z"),
        }
    }

    fn number(self, value: Decimal) -> String {
        match self {
            Self::Csv { apostrophe: true } if value.is_zero() => "'0E-20".to_owned(),
            Self::Csv { apostrophe: true } => format!("'{value:.18}"),
            Self::Csv { apostrophe: false } => value.normalize().to_string(),
            Self::Json => value.to_string(),
        }
    }
}

fn month_rows(world: &World, month: Month, edition: Edition) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for (index, pair) in world.pairs.iter().enumerate() {
        let Vendor::PartnerCenter { product, sku } = pair.service.vendor else { continue };
        let missed = match edition {
            Edition::First => world.reissues.iter().find(|reissue| reissue.pair == index && reissue.month == month),
            Edition::Corrected => None,
        };
        let source = Subscriptions { world, index, pair, product, sku, missed: missed.map_or(Decimal::ZERO, |it| it.units) };
        for tenant in 0..world.customer_of(pair).tenants.len() {
            let late = pair.late_changes == Some(month);
            rows.extend(source.cycle(tenant, month));
            rows.extend(source.changes(tenant, month, month).into_iter().filter(|_| !late));
            if pair.late_changes == Some(month.plus(-1)) {
                rows.extend(source.changes(tenant, month.plus(-1), month));
            }
        }
    }
    rows.extend(trials(world, month));
    vary_spelling(world, month, &mut rows);
    rows
}

/// The subscriptions behind one pair: one for each tenant.
struct Subscriptions<'a> {
    world: &'a World,
    index: usize,
    pair: &'a Pair,
    product: &'a str,
    sku: &'a str,
    /// Units of the first tenant that this edition of the file does not know yet.
    missed: Decimal,
}

impl<'a> Subscriptions<'a> {
    /// Seats of a tenant: a quarter sits in the second, the rest and every change in the first.
    fn seats(&self, tenant: usize, day: NaiveDate) -> Decimal {
        let Volume::Level { delivered, .. } = &self.pair.volume else { return Decimal::ZERO };
        let all = delivered.at(day);
        let tenants = self.world.customer_of(self.pair).tenants.len();
        let elsewhere = (delivered.least() / Decimal::from(4)).floor();
        match tenant {
            _ if all.is_zero() => all,
            0 if tenants == 1 => all - self.missed,
            0 => all - elsewhere - self.missed,
            _ => elsewhere,
        }
    }

    /// The charge for a month that begins with seats.
    fn cycle(&self, tenant: usize, month: Month) -> Option<Row<'a>> {
        let span = Span::month(month);
        let seats = self.seats(tenant, span.from);
        let is_new = self.pair.since == span.from;
        let charge_type = if is_new { "New" } else { "cycleCharge" };
        (!seats.is_zero()).then(|| self.row(tenant, month, span, charge_type, seats, seats))
    }

    /// What happened between the second and the last day of `month`.
    fn changes(&self, tenant: usize, month: Month, invoice_month: Month) -> Vec<Row<'a>> {
        let Volume::Level { delivered, .. } = &self.pair.volume else { return Vec::new() };
        let span = Span::month(month);
        let mut rows = Vec::new();
        for day in delivered.changes_between(span.from, span.until) {
            let before = self.seats(tenant, day.pred_opt().unwrap_or(day));
            let after = self.seats(tenant, day);
            let rest = Span { from: day, until: span.until };
            if before == after {
                continue;
            }
            let (back, forth) = match (before.is_zero(), after.is_zero()) {
                (true, _) => ("", "New"),
                (_, true) => ("cancelImmediate", ""),
                _ => ("removeQuantity", "addQuantity"),
            };
            if !before.is_zero() {
                rows.push(self.row(tenant, invoice_month, rest, back, after, -before));
            }
            if !after.is_zero() {
                rows.push(self.row(tenant, invoice_month, rest, forth, after, after));
            }
        }
        rows
    }

    fn row(
        &self,
        tenant: usize,
        invoice_month: Month,
        charged: Span,
        charge_type: &'static str,
        seats_now: Decimal,
        billable: Decimal,
    ) -> Row<'a> {
        let list_price = self.pair.unit_cost.at(charged.from);
        let month_days = Span::month(Month::of(charged.from)).n_days();
        let effective_price = if charged.n_days() == month_days {
            list_price
        } else {
            (list_price * Decimal::from(charged.n_days()) / Decimal::from(month_days)).round_dp(18)
        };
        Row {
            world: self.world,
            service: self.pair.service,
            customer: self.pair.customer,
            tenant,
            product: self.product,
            sku: self.sku,
            invoice_month,
            subscription: guid(self.world.seed, 30, (self.index * 4 + tenant) as u64),
            subscribed_on: self.pair.since,
            charge_type,
            charged,
            list_price,
            effective_price,
            seats_now,
            billable,
            is_trial: false,
        }
    }
}

fn trials(world: &World, month: Month) -> impl Iterator<Item = Row<'_>> {
    let running = world.trials.iter().enumerate().filter(move |(_, trial)| trial.month == month);
    running.filter_map(move |(number, trial)| {
        let Vendor::PartnerCenter { product, sku } = trial.service.vendor else { return None };
        Some(Row {
            world,
            service: trial.service,
            customer: trial.customer,
            tenant: 0,
            product,
            sku,
            invoice_month: month,
            subscription: guid(world.seed, 31, number as u64),
            subscribed_on: month.first_day(),
            charge_type: "New",
            charged: Span::month(month),
            list_price: Decimal::ZERO,
            effective_price: Decimal::ZERO,
            seats_now: trial.seats,
            billable: trial.seats,
            is_trial: true,
        })
    })
}

/// Case varies within one file.
fn vary_spelling(world: &World, month: Month, rows: &mut [Row<'_>]) {
    let place = usize::try_from(month.index()).unwrap_or(0);
    let dice = &mut Dice::new(world.seed, Topic::Spelling, place);
    for row in rows {
        row.charge_type = match (row.charge_type, dice.between(0, 9)) {
            ("cycleCharge", 0) => "CycleCharge",
            ("cycleCharge", 1) => "cyclecharge",
            ("addQuantity", 0..=2) => "AddQuantity",
            ("removeQuantity", 0..=2) => "RemoveQuantity",
            ("New", 0..=4) => "new",
            (same, _) => same,
        };
    }
}

fn write_csv(output: &mut Output, number: usize, issued_on: NaiveDate, rows: &[Row<'_>]) -> Result<(), SynthError> {
    let style = Style::Csv { apostrophe: number.is_multiple_of(2) };
    let mut table = Table::new(&COLUMNS);
    table.marked = number % 4 < 2;
    table.header_again_before = (number % 5 == 2).then_some(rows.len() / 2);
    table.rows = rows.iter().map(|row| COLUMNS.iter().map(|column| row.cell(column, style)).collect()).collect();
    output.csv(KIND, &format!("microsoft/recon_{issued_on}.csv"), &table)
}

fn write_json_lines(output: &mut Output, issued_on: NaiveDate, rows: &[Row<'_>]) -> Result<(), SynthError> {
    const MEMBERS: usize = 3;
    let name = format!("microsoft/recon_{issued_on}.json.gz");
    let mut bytes = Vec::new();
    for (member, part) in rows.chunks(rows.len().div_ceil(MEMBERS).max(1)).enumerate() {
        let mut encoder = GzEncoder::new(bytes, Compression::default());
        for row in part {
            // The second member writes its numbers as text, as some API versions do.
            let line = format!("{}\n", json_row(row, member == 1));
            encoder.write_all(line.as_bytes()).map_err(|source| SynthError::Write { path: output.path(&name), source })?;
        }
        bytes = encoder.finish().map_err(|source| SynthError::Write { path: output.path(&name), source })?;
    }
    output.bytes(KIND, &name, rows.len(), &bytes)
}

fn json_row(row: &Row<'_>, numbers_as_text: bool) -> Value {
    let mut fields = Map::new();
    for column in COLUMNS {
        let text = row.cell(column, Style::Json);
        let is_number = matches!(
            column,
            "UnitPrice" | "EffectiveUnitPrice" | "Quantity" | "BillableQuantity" | "Subtotal" | "Total" | "TaxTotal"
        );
        let value = match text.parse::<Decimal>() {
            Ok(value) if is_number && !numbers_as_text => number(value),
            _ => Value::from(text),
        };
        fields.insert(json_name(column), value);
    }
    Value::Object(fields)
}

fn json_name(column: &str) -> String {
    match column {
        "Total" => "totalForCustomer".to_owned(),
        "PCToBCExchangeRate" => "pcToBCExchangeRate".to_owned(),
        _ => {
            let (first, rest) = column.split_at(1);
            format!("{}{rest}", first.to_ascii_lowercase())
        }
    }
}
