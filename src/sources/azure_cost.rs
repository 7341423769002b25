//! Azure Cost Management exports, actual or amortised, of every header generation: Enterprise Agreement (`Cost`, later
//! `CostInBillingCurrency`), Microsoft Customer and Partner Agreement (camelCase), pay-as-you-go (`PreTaxCost`), and headers that
//! a localised portal translated with the original name in parentheses.
//!
//! Sources: Microsoft Learn, "Cost and usage details file schema"; header sets of `OpenCost`; samples of the `FinOps` toolkit. One
//! column table serves all generations, and mixtures of them. Dates are US dates, padded or not, or ISO. `BillingPeriodEndDate` is
//! inclusive, `Date` is the day that a row is for. Costs carry up to 28 decimals: rounded half-even at the 18th. Quantities are in
//! blocks (`UnitOfMeasure` of `100 Hours`, `10K`), which `unit_factor` of the service mapping resolves. `Tags` is a list without braces,
//! and not read.
//!
//! Actual and amortised exports have the same columns and say the same cost twice: export one of them. Of two runs in folders of
//! their own the later counts ([`crate::ingest::export_run`]); files of both kinds without such folders add up, and a warning says
//! so. An export is written anew until the month is final: subscription and month name a statement, of which a later delivery replaces everything from its first day on, so that an export of the last seven days does
//! not take the weeks before it away (see [`crate::lake::truth`]).
//!
//! The *usage detail* file of the older Enterprise portal has headers with spaces, `ExtendedCost`, and no currency: that of the agreement,
//! which stands on its invoice alone. The mapping table `currencies` names it (a row for `azure_cost` without a number); without it money
//! is in `XXX`, ISO 4217's code for none. It holds usage only, and states the same months as a cost export of the subscription.
//!
//! Assumed: a row of unused commitment is cost and no consumption; a refund is a correction; a row without a subscription
//! (a purchase of a billing profile) belongs to the profile.

use super::{Column, DateFormat, Export, Shape, Source};
use crate::lake::Table;

const DATES: &[DateFormat] = &[DateFormat::Iso, DateFormat::UsSlash];

/// The system and its exports.
pub static SOURCE: Source = Source { system: "azure_cost", title: "Azure Cost Management", exports: &[COSTS, USAGE_DETAILS] };

const COSTS: Export = Export {
    entity: "costs",
    how_to_export: "Cost Management > Exports > month-to-date cost, actual or amortised but not both; again after the month's end",
    shape: Shape::Csv,
    signature: &["SubscriptionId", "Date", "MeterId", "Quantity", "Cost", "BillingCurrency"],
    columns: &[
        Column::text("BillingAccountId"),
        Column::text("BillingProfileId"),
        Column::text("CustomerName"),
        Column::text("SubscriptionId").also(&["SubscriptionGuid"]),
        Column::text("SubscriptionGuid"),
        Column::text("SubscriptionName"),
        Column::instant("Date", DATES).required().also(&["UsageDateTime", "UsageDate"]),
        Column::text("Product").also(&["ProductName"]),
        Column::text("PartNumber").also(&["ProductId"]),
        Column::text("MeterId"),
        Column::text("MeterName"),
        Column::decimal("Quantity").also(&["UsageQuantity", "ConsumedQuantity"]),
        Column::decimal("EffectivePrice").also(&["ResourceRate"]),
        Column::decimal("Cost").required().also(&["CostInBillingCurrency", "PreTaxCost"]),
        Column::currency("BillingCurrency").required().also(&["BillingCurrencyCode", "Currency"]),
        Column::text("ResourceId").also(&["InstanceId", "InstanceName"]),
        Column::text("UnitOfMeasure"),
        Column::text("ProductOrderId"),
        Column::text("ReservationId"),
        Column::text("BenefitId"),
        Column::text("ChargeType"),
        Column::text("PricingModel"),
    ],
    nulls: &[],
    target: Table::VendorUsage,
    beside: &[],
    unique: &[],
    is_reference: false,
};

const USAGE_DETAILS: Export = Export {
    entity: "usage_details",
    how_to_export: "older Enterprise portal > Usage detail (CSV), and its currency in a mapping file currencies.csv (azure_cost,,USD)",
    shape: Shape::Csv,
    signature: &["SubscriptionGuid", "Date", "Meter ID", "Consumed Quantity", "ResourceRate", "ExtendedCost"],
    columns: &[
        Column::text("SubscriptionGuid").required(),
        Column::text("Subscription Name"),
        Column::instant("Date", DATES).required(),
        Column::text("Product"),
        Column::text("Meter ID"),
        Column::text("Meter Name"),
        Column::decimal("Consumed Quantity"),
        Column::decimal("ResourceRate"),
        Column::decimal("ExtendedCost").required(),
        Column::text("Instance ID"),
        Column::text("Unit Of Measure"),
    ],
    nulls: &[],
    target: Table::VendorUsage,
    beside: &[],
    unique: &[],
    is_reference: false,
};
