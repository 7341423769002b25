//! Microsoft CSP Partner Center: the monthly new-commerce licence reconciliation, and the daily rated usage of Azure plans.
//!
//! CSV from the portal (US dates, a byte order mark on some, the header repeated where files were joined, numbers with a leading
//! apostrophe and 18 decimals), gzip of JSON Lines from the API, of several members, or pages of the older Partner Center API
//! (`{"totalCount": 3, "items": [...]}`, "Get invoice line items"). Columns are bound by name whatever their order and case; records leave out
//! what has no value. Sources: Microsoft Learn, "Learn how to read new commerce invoice reconciliation files" and "Reconciliation
//! file charge types".
//!
//! The consumed quantity is `BillableQuantity` over the charge period, a level; `ChargeEndDate` is the last billed day. A change of
//! seats is a negative and a positive row over the rest of the period. The set of charge types is open.
//!
//! The *legacy* licence file ("Understand the fields in Partner Center license-based reconciliation files") is of offers sold before new
//! commerce: `DurableOfferId` is the price list's id of an offer, `SyndicationPartnerSubscriptionNumber` the subscription as Partner Center shows
//! it, `Subtotal` the cost after discounts and before tax; a charge ends at 23:59 of its last billed day. It names no invoice. Assumed
//! (inference): its prorations of a change of seats take the old number back and charge the new one, over the rest of the period.
//!
//! Daily rated usage ("Learn how to read daily rated usage reconciliation files") is a flow by day and resource: `EntitlementId` is the
//! Azure subscription, `SubscriptionId` that of the billing platform, which joins to the monthly file. Charge dates are those of the
//! cycle and do not contain late usage; `UsageDate` is the day. The unbilled file shrinks while the month before is
//! being billed: a row that is missing from a later file is not taken back, and a row that comes again with an invoice number is the same
//! row. The monthly file holds the same Azure charges as totals: where it speaks of a SKU and month, the daily rows are left
//! out of the facts (`facts/usage_month`). Graph writes the same fields in camelCase as JSON Lines. A
//! marketplace resource has no entitlement.

use super::{Column, DateFormat, Export, Shape, Source};
use crate::lake::Table;

const DATES: &[DateFormat] = &[DateFormat::Iso, DateFormat::UsSlash];

/// The system and its exports.
pub static SOURCE: Source = Source {
    system: "microsoft_csp",
    title: "Microsoft Partner Center (CSP)",
    exports: &[LICENCE_RECONCILIATION, LEGACY_LICENCE_RECONCILIATION, DAILY_RATED_USAGE],
};

/// The portal's files, Graph's JSON Lines, and the pages of the Partner Center API.
const FILE_OR_PAGE: Shape = Shape::CsvOrJson { envelope: "items" };

const LICENCE_RECONCILIATION: Export = Export {
    entity: "licence_reconciliation",
    how_to_export: "Partner Center > Billing > Billing history > invoice > Reconciliation file (new commerce), or the Graph billing export",
    shape: FILE_OR_PAGE,
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

const LEGACY_LICENCE_RECONCILIATION: Export = Export {
    entity: "legacy_licence_reconciliation",
    how_to_export: "Partner Center > Billing > Billing history > invoice > Reconciliation file (license-based, before new commerce)",
    shape: FILE_OR_PAGE,
    signature: &["CustomerId", "OfferId", "SubscriptionId", "ChargeStartDate", "ChargeEndDate", "UnitPrice", "Subtotal"],
    columns: &[
        Column::text("CustomerId").required(),
        Column::text("CustomerName"),
        Column::text("DomainName"),
        Column::text("OrderId"),
        Column::text("SubscriptionId"),
        Column::text("SyndicationPartnerSubscriptionNumber").also(&["Syndication_Partner_Subscription_Number"]),
        Column::text("OfferId").required(),
        Column::text("DurableOfferId"),
        Column::text("OfferName"),
        Column::instant("ChargeStartDate", DATES).required(),
        Column::instant("ChargeEndDate", DATES).required(),
        Column::text("ChargeType"),
        Column::decimal("UnitPrice"),
        Column::decimal("Quantity"),
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
    shape: FILE_OR_PAGE,
    signature: &[
        "CustomerId",
        "ProductId",
        "SubscriptionId",
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
