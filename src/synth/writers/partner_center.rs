//! Microsoft Partner Center: new-commerce invoice reconciliation, one file a month.
//!
//! Most months are CSV, every third is gzip of JSON Lines in several members; beside HaloPSA all are. A change of seats within a month is two
//! rows, the old quantity given back and the new one charged, at a unit price that holds the share of days left.

use super::json::number;
use super::licences::{Charge, Edition, Reason, charges};
use crate::month::Month;
use crate::synth::calendar::nth;
use crate::synth::catalogue::Vendor;
use crate::synth::dice::{Dice, Topic};
use crate::synth::error::SynthError;
use crate::synth::landscape::{Feed, Msp};
use crate::synth::output::{Output, Table};
use crate::synth::world::World;
use chrono::{Datelike, NaiveDate};
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Map, Value};
use std::io::Write;
use std::rc::Rc;

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
pub(crate) fn write(world: &World, msp: Msp, output: &mut Output) -> Result<(), SynthError> {
    // Who bills from HaloPSA gets everything through the API.
    let is_api_only = msp == Msp::HaloPsa;
    for (number, month) in world.months().enumerate() {
        let rows = month_rows(world, msp, month, Edition::First);
        let issued_on = nth(month.plus(1), 6);
        if is_api_only || number % 3 == 1 {
            write_json_lines(output, issued_on, &rows)?;
        } else {
            write_csv(output, number, issued_on, &rows)?;
        }
        if world.is_restated(msp, Feed::PartnerCenter, month) {
            let corrected = month_rows(world, msp, month, Edition::Corrected);
            let issued_on = nth(month.plus(1), 20);
            if is_api_only {
                write_json_lines(output, issued_on, &corrected)?;
            } else {
                write_csv(output, number, issued_on, &corrected)?;
            }
        }
    }
    Ok(())
}

/// One line of a reconciliation file.
struct Row<'a> {
    world: &'a World,
    charge: Rc<Charge<'a>>,
    product: &'a str,
    sku: &'a str,
    invoice_month: Month,
    charge_type: &'static str,
    billable: Decimal,
}

impl Row<'_> {
    /// Microsoft cuts the unit price to cents and then multiplies.
    fn subtotal(&self) -> Decimal {
        self.charge.day_price.round_dp_with_strategy(2, RoundingStrategy::ToZero) * self.billable
    }

    fn cell(&self, column: &str, style: Style) -> String {
        let charge = &self.charge;
        let customer = &self.world.customers[charge.customer];
        let tenant = &customer.tenants[charge.account];
        let text = match column {
            "PartnerId" => "4f1c2ad0-6f0b-4d39-9f56-0d3c6a2b7e11",
            "PartnerName" => "Clearwater IT Services",
            "CustomerId" => return style.customer_id(&tenant.id),
            "CustomerName" => &customer.name,
            "CustomerDomainName" => &tenant.domain,
            "CustomerCountry" => "US",
            "MpnId" => "6123456",
            "ProductId" => self.product,
            "SkuId" => self.sku,
            "AvailabilityId" => "CFQ7TTC0K5BF",
            "SkuName" | "ProductName" | "SubscriptionDescription" => charge.service.name,
            "ChargeType" => self.charge_type,
            "Currency" | "PricingCurrency" => "USD",
            "PublisherName" => "Microsoft Corporation",
            "SubscriptionId" => &charge.subscription,
            "TermAndBillingCycle" if charge.reason == Reason::Trial => "One-Month commitment for trial",
            "TermAndBillingCycle" => "One-Year commitment for monthly/yearly billing",
            "UnitType" => "Licenses",
            "BillingFrequency" => "Monthly",
            "PCToBCExchangeRate" => "1",
            "InvoiceNumber" => return format!("G{:09}", 21_000_000 + self.invoice_month.index()),
            "OrderId" => return charge.subscription.replace('-', "").chars().take(12).collect(),
            "OrderDate" | "SubscriptionStartDate" => return style.date(charge.subscribed_on),
            "ChargeStartDate" => return style.date(charge.charged.from),
            "ChargeEndDate" => return style.date(charge.charged.last_day()),
            "UnitPrice" => return style.number(charge.list_price),
            "EffectiveUnitPrice" => return style.number(charge.day_price),
            "Quantity" => return style.number(charge.after),
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
    /// Older API versions put a prefix before some tenants' ids.
    fn customer_id(self, id: &str) -> String {
        match self {
            Self::Json if id.starts_with(['0', '1', '2']) => format!("org:{id}"),
            _ => id.to_owned(),
        }
    }

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

fn month_rows(world: &World, msp: Msp, month: Month, edition: Edition) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for charge in charges(world, msp, Feed::PartnerCenter, month, edition) {
        let Vendor::Licence { product, sku } = charge.service.vendor else { continue };
        let (before, after) = (charge.before, charge.after);
        let (back, forth) = match (charge.reason, before.is_zero(), after.is_zero()) {
            (Reason::Cycle { is_new: false }, ..) => ("", "cycleCharge"),
            (Reason::Cycle { is_new: true } | Reason::Trial, ..) | (_, true, _) => ("", "New"),
            (_, _, true) => ("cancelImmediate", ""),
            _ => ("removeQuantity", "addQuantity"),
        };
        let charge = Rc::new(charge);
        let row = |charge_type, billable| Row {
            world,
            charge: Rc::clone(&charge),
            product,
            sku,
            invoice_month: month,
            charge_type,
            billable,
        };
        if !before.is_zero() {
            rows.push(row(back, -before));
        }
        if !after.is_zero() {
            rows.push(row(forth, after));
        }
    }
    vary_spelling(world, month, &mut rows);
    rows
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
