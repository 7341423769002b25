//! Microsoft CSP Partner Center: the monthly new-commerce licence reconciliation, and the daily rated usage of Azure plans.
//!
//! CSV from the portal (US dates, a byte order mark on some, the header repeated where files were joined, numbers with a leading
//! apostrophe and 18 decimals) or gzip of JSON Lines from the API, of several members. Columns are bound by name whatever their
//! order and case. Sources: Microsoft Learn, "Learn how to read new commerce invoice reconciliation files" and "Reconciliation
//! file charge types".
//!
//! The consumed quantity is `BillableQuantity` over the charge period, a level; `ChargeEndDate` is the last billed day. A change of
//! seats is a negative and a positive row over the rest of the period. The set of charge types is open.
//!
//! Daily rated usage ("Learn how to read daily rated usage reconciliation files") is a flow by day and resource: `EntitlementId` is the
//! Azure subscription, `SubscriptionId` that of the billing platform, which joins to the monthly file. Charge dates are those of the
//! cycle and do not contain late usage; `UsageDate` is the day. The unbilled file shrinks while the month before is
//! being billed: a row that is missing from a later file is not taken back, and a row that comes again with an invoice number is the same
//! row. The monthly file holds the same Azure charges as totals: where it speaks of a SKU and month, the daily rows are left
//! out of the facts (`facts/usage_month`). Graph writes the same fields in camelCase as JSON Lines.

use super::{Column, DateFormat, Export, Shape, Source};
use crate::lake::Table;

const DATES: &[DateFormat] = &[DateFormat::Iso, DateFormat::UsSlash];

/// The system and its exports.
pub static SOURCE: Source = Source {
    system: "microsoft_csp",
    title: "Microsoft Partner Center (CSP)",
    exports: &[LICENCE_RECONCILIATION, DAILY_RATED_USAGE],
};

const LICENCE_RECONCILIATION: Export = Export {
    entity: "licence_reconciliation",
    how_to_export: "Partner Center > Billing > Billing history > invoice > Reconciliation file (new commerce), or the Graph billing export",
    shape: Shape::CsvOrJsonLines,
    signature: &[
        "CustomerId",
        "ProductId",
        "SubscriptionId",
        "ChargeStartDate",
        "ChargeEndDate",
        "EffectiveUnitPrice",
        "Subtotal",
    ],
    columns: &[
        Column::text("CustomerId").required(),
        Column::text("CustomerName"),
        Column::text("CustomerDomainName"),
        Column::text("InvoiceNumber"),
        Column::text("OrderId"),
        Column::text("ProductId").required(),
        Column::text("SkuId"),
        Column::text("SkuName"),
        Column::text("ProductName"),
        Column::text("SubscriptionId"),
        Column::text("ChargeType"),
        Column::text("TermAndBillingCycle"),
        Column::text("UnitType"),
        Column::text("CreditReasonCode"),
        Column::instant("ChargeStartDate", DATES).required(),
        Column::instant("ChargeEndDate", DATES).required(),
        Column::decimal("EffectiveUnitPrice"),
        Column::decimal("Quantity"),
        Column::decimal("BillableQuantity"),
        Column::decimal("Subtotal").required(),
        Column::currency("Currency").required(),
    ],
    nulls: &[],
    target: Table::VendorUsage,
    beside: &[Table::CustomerLink],
    unique: &[],
    is_reference: false,
};

const DAILY_RATED_USAGE: Export = Export {
    entity: "daily_rated_usage",
    how_to_export: "Partner Center > Billing > Billing history > invoice > Daily rated usage (CSV), billed or unbilled, or the Graph billing export",
    shape: Shape::CsvOrJsonLines,
    signature: &[
        "CustomerId",
        "ProductId",
        "SubscriptionId",
        "EntitlementId",
        "UsageDate",
        "MeterId",
        "Quantity",
        "BillingPreTaxTotal",
        "BillingCurrency",
    ],
    columns: &[
        Column::text("CustomerId").required(),
        Column::text("CustomerName"),
        Column::text("CustomerDomainName"),
        Column::text("ProductId").required(),
        Column::text("SkuId"),
        Column::text("SkuName"),
        Column::text("ProductName"),
        Column::text("InvoiceNumber"),
        Column::text("MeterId"),
        Column::text("EntitlementId"),
        Column::text("ResourceURI"),
        Column::text("ChargeType"),
        Column::instant("UsageDate", DATES).required(),
        Column::decimal("EffectiveUnitPrice"),
        Column::decimal("Quantity").required(),
        Column::text("Unit"),
        Column::text("UnitType"),
        Column::decimal("BillingPreTaxTotal").required(),
        Column::currency("BillingCurrency").required(),
    ],
    nulls: &[],
    target: Table::VendorUsage,
    beside: &[Table::CustomerLink],
    unique: &[],
    is_reference: false,
};
