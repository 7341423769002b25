//! Microsoft CSP Partner Center: the monthly new-commerce licence reconciliation.
//!
//! CSV from the portal (US dates, a byte order mark on some, the header repeated where files were joined, numbers with a leading
//! apostrophe and 18 decimals) or gzip of JSON Lines from the API, of several members. Columns are bound by name whatever their
//! order and case. Sources: Microsoft Learn, "Learn how to read new commerce invoice reconciliation files" and "Reconciliation
//! file charge types".
//!
//! The consumed quantity is `BillableQuantity` over the charge period, a level; `ChargeEndDate` is the last billed day. A change of
//! seats is a negative and a positive row over the rest of the period. The set of charge types is open.

use super::{Column, DateFormat, Export, Shape, Source};
use crate::lake::Table;

const DATES: &[DateFormat] = &[DateFormat::Iso, DateFormat::UsSlash];

/// The system and its exports.
pub static SOURCE: Source = Source {
    system: "microsoft_csp",
    title: "Microsoft Partner Center (CSP)",
    exports: &[Export {
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
        unique: &[],
        is_reference: false,
    }],
};
