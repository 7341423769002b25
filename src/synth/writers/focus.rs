//! FOCUS 1.0 to 1.2 cost and usage, one CSV per provider and month.
//!
//! Providers differ in what the specification leaves open or in how they break it: date form, and what a missing value
//! looks like. The version, and with it the set of columns, rises during the simulated span.

use crate::month::Month;
use crate::synth::agreement::Terms;
use crate::synth::calendar::{Span, nth};
use crate::synth::catalogue::{Meter, SERVICES};
use crate::synth::dice::{Dice, Topic};
use crate::synth::error::SynthError;
use crate::synth::landscape::{Feed, Msp};
use crate::synth::output::{Output, Table};
use crate::synth::pair::Pair;
use crate::synth::world::World;
use chrono::NaiveDate;
use rust_decimal::Decimal;

const COLUMNS_1_0: [&str; 43] = [
    "AvailabilityZone",
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "CommitmentDiscountCategory",
    "CommitmentDiscountId",
    "CommitmentDiscountName",
    "CommitmentDiscountStatus",
    "CommitmentDiscountType",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "SkuId",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "Tags",
];
const ADDED_IN_1_1: [&str; 7] = [
    "CapacityReservationId",
    "CapacityReservationStatus",
    "CommitmentDiscountQuantity",
    "CommitmentDiscountUnit",
    "ServiceSubcategory",
    "SkuMeter",
    "SkuPriceDetails",
];
const ADDED_IN_1_2: [&str; 7] = [
    "BillingAccountType",
    "InvoiceId",
    "PricingCurrency",
    "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice",
    "SubAccountType",
];

/// List price over contracted price.
const LIST_FACTOR: Decimal = Decimal::from_parts(108, 0, 0, false, 2);

/// Writes `focus/<provider>_*.csv`.
pub(crate) fn write(world: &World, msp: Msp, output: &mut Output) -> Result<(), SynthError> {
    let exported = SERVICES.iter().filter(|service| msp.feed(service) == Some(Feed::Focus));
    for meter in exported.filter_map(|service| service.meter()) {
        for (number, month) in world.months().enumerate() {
            let provider = Provider::of(meter, number);
            let mut table = Table::new(&provider.columns());
            let rows = month_rows(world, meter, month);
            table.rows = rows.iter().map(|row| table.header.iter().map(|column| row.cell(column, provider)).collect()).collect();
            let name = format!("focus/{}_focus_{}.csv", meter.provider.to_ascii_lowercase(), nth(month.plus(1), 3));
            output.csv("focus", &name, &table)?;
        }
    }
    Ok(())
}

/// A provider's habits.
#[derive(Clone, Copy)]
struct Provider {
    meter: Meter,
    /// 0, 1 or 2 for FOCUS 1.0, 1.1, 1.2.
    minor_version: usize,
    spaced_dates: bool,
    null: &'static str,
}

impl Provider {
    fn of(meter: Meter, month_number: usize) -> Self {
        let is_aws = meter.provider == "AWS";
        let minor_version = if meter.daily { (month_number / 12).min(2) } else { 0 };
        Self { meter, minor_version, spaced_dates: is_aws, null: if is_aws { "NULL" } else { "" } }
    }

    fn columns(self) -> Vec<&'static str> {
        let mut columns = COLUMNS_1_0.to_vec();
        if self.minor_version >= 1 {
            columns.extend(ADDED_IN_1_1);
        }
        if self.minor_version >= 2 {
            columns.extend(ADDED_IN_1_2);
        }
        columns
    }

    fn date(self, day: NaiveDate) -> String {
        if self.spaced_dates { format!("{day} 00:00:00") } else { format!("{day}T00:00:00Z") }
    }
}

/// A row's charge category.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Category {
    Usage,
    Tax,
    Credit,
    Adjustment,
}

impl Category {
    fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "Usage",
            Self::Tax => "Tax",
            Self::Credit => "Credit",
            Self::Adjustment => "Adjustment",
        }
    }
}

/// One charge.
struct Row<'a> {
    world: &'a World,
    pair: &'a Pair,
    billing_month: Month,
    charged: Span,
    category: Category,
    is_correction: bool,
    /// In the exported unit.
    quantity: Decimal,
    unit_price: Decimal,
    cost: Decimal,
}

impl Row<'_> {
    fn cell(&self, column: &str, provider: Provider) -> String {
        let customer = self.world.customer_of(self.pair);
        let meter = provider.meter;
        let is_usage = self.category == Category::Usage;
        let billing = Span::month(self.billing_month);
        let text = match column {
            "BilledCost" | "EffectiveCost" | "ContractedCost" | "PricingCurrencyEffectiveCost" => {
                return plain(self.cost);
            }
            "ListCost" if is_usage => return plain(self.cost * LIST_FACTOR),
            "ListCost" => return plain(self.cost),
            "BillingAccountId" => "880012345678",
            "BillingAccountName" => "Clearwater IT Services",
            "BillingCurrency" | "PricingCurrency" => "USD",
            "BillingPeriodStart" => return provider.date(billing.from),
            "BillingPeriodEnd" => return provider.date(billing.until),
            "ChargePeriodStart" => return provider.date(self.charged.from),
            "ChargePeriodEnd" => return provider.date(self.charged.until),
            "ChargeCategory" => self.category.as_str(),
            "ChargeClass" if self.is_correction => "Correction",
            "ChargeDescription" => self.pair.service.name,
            "ChargeFrequency" if is_usage && provider.spaced_dates => "Usage-based",
            "ChargeFrequency" if is_usage => "Usage-Based",
            "ChargeFrequency" => "One-Time",
            "ConsumedQuantity" | "PricingQuantity" if is_usage => return plain(self.quantity),
            "ConsumedUnit" | "PricingUnit" if is_usage => meter.unit,
            "ContractedUnitPrice" | "PricingCurrencyContractedUnitPrice" if is_usage => {
                return scientific(self.unit_price);
            }
            "ListUnitPrice" | "PricingCurrencyListUnitPrice" if is_usage => {
                return plain(self.unit_price * LIST_FACTOR);
            }
            "InvoiceIssuerName" | "ProviderName" | "PublisherName" => meter.provider,
            "PricingCategory" if is_usage => "Standard",
            "RegionId" => "us-east-1",
            "RegionName" => "US East",
            "ResourceId" if is_usage => return format!("res-{}-{}", customer.company_id, self.pair.service.psa_id),
            "ServiceCategory" => meter.category,
            "ServiceName" => meter.service_name,
            "SkuId" if self.category != Category::Tax => meter.sku,
            "SkuPriceId" if is_usage => return format!("{}-OD", meter.sku),
            "SubAccountId" => &customer.focus_account,
            "SubAccountName" => &customer.name,
            "SubAccountType" => "Account",
            "BillingAccountType" => "Billing account",
            "Tags" if is_usage => "{}",
            "InvoiceId" => return format!("{}-{}", meter.provider, self.billing_month),
            _ => provider.null,
        };
        text.to_owned()
    }
}

fn month_rows(world: &World, meter: Meter, month: Month) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for (index, pair) in world.pairs.iter().enumerate() {
        if pair.service.meter() != Some(meter) {
            continue;
        }
        let before = rows.len();
        // Late usage is no correction: nothing was charged for it before.
        for (day, quantity) in pair.days_known_in(month) {
            rows.push(usage_row(world, pair, meter, month, day, quantity, false));
        }
        let cost: Decimal = rows[before..].iter().map(|row| row.cost).sum();
        if let Some(restated) = pair.restated.get(&month.plus(-1)) {
            rows.push(usage_row(world, pair, meter, month, restated.day, restated.units, true));
        }
        // Who passes on the vendor's cost line by line would pass these on too; such contracts have none. Nor have accounts that nobody
        // knows of, so that what they cost is their usage.
        let is_plain = matches!(pair.terms, Some(Terms::CostPlus(_))) || world.customer_of(pair).is_unknown;
        if !cost.is_zero() && !is_plain {
            rows.extend(extras(world, pair, index, month, cost));
        }
    }
    rows
}

fn usage_row<'a>(
    world: &'a World,
    pair: &'a Pair,
    meter: Meter,
    billing_month: Month,
    day: NaiveDate,
    quantity: Decimal,
    is_correction: bool,
) -> Row<'a> {
    let factor = Decimal::from(meter.unit_factor);
    let until = if meter.daily { day.succ_opt().unwrap_or(day) } else { Month::of(day).plus(1).first_day() };
    let unit_cost = pair.unit_cost.at(day);
    Row {
        world,
        pair,
        billing_month,
        charged: Span { from: day, until },
        category: Category::Usage,
        is_correction,
        quantity: quantity / factor,
        unit_price: unit_cost * factor,
        cost: quantity * unit_cost,
    }
}

/// Tax on some accounts, and now and then a small credit or a rounding adjustment.
fn extras<'a>(world: &'a World, pair: &'a Pair, index: usize, month: Month, cost: Decimal) -> Vec<Row<'a>> {
    let place = usize::try_from(month.index()).unwrap_or(0) * 100_000 + index;
    let dice = &mut Dice::new(world.seed, Topic::Extras, place);
    let row = |category, cost: Decimal| Row {
        world,
        pair,
        billing_month: month,
        charged: Span::month(month),
        category,
        is_correction: false,
        quantity: Decimal::ZERO,
        unit_price: Decimal::ZERO,
        cost,
    };
    let mut rows = Vec::new();
    if pair.customer % 17 == 3 {
        rows.push(row(Category::Tax, (cost * Decimal::new(2, 2)).round_dp(4)));
    }
    if dice.chance(2) {
        rows.push(row(Category::Credit, (cost * Decimal::new(-dice.between(1, 3), 2)).round_dp(4)));
    }
    if dice.chance(1) {
        rows.push(row(Category::Adjustment, Decimal::new(dice.between(-40, 40), 2)));
    }
    rows
}

fn plain(value: Decimal) -> String {
    value.normalize().to_string()
}

/// `0.096` as `9.6E-2`: allowed, and what some exports do to small numbers.
fn scientific(value: Decimal) -> String {
    let value = value.normalize();
    if value.is_zero() || value >= Decimal::ONE {
        return value.to_string();
    }
    let digits = value.mantissa().to_string();
    let exponent = i64::try_from(digits.len()).unwrap_or(0) - 1 - i64::from(value.scale());
    let (first, rest) = digits.split_at(1);
    if rest.is_empty() { format!("{first}E{exponent}") } else { format!("{first}.{rest}E{exponent}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_are_written_with_an_exponent() {
        assert_eq!(scientific(Decimal::new(96, 3)), "9.6E-2");
        assert_eq!(scientific(Decimal::new(5, 1)), "5E-1");
        assert_eq!(scientific(Decimal::new(116, 1)), "11.6");
    }
}
