//! Pax8: invoice items, subscriptions, usage lines.
//!
//! Source: Pax8's partner API description. Pages are `{"content": [...], "page": {...}}`. `cost` and `costTotal` are what the MSP pays; `price`,
//! `subTotal` and `total` are its customer's side and not read. Signs: credits and rebates are negative; a line that takes money
//! back takes seats back. An item has an id in the description but not in its examples, and no invoice date.
//!
//! Subscriptions are what the vendor holds ready, not what the customer owes: they land beside usage as category `entitled`, which no
//! quantity is summed from, because the invoice items of the same seats are. Usage lines name no company, only their summary, unless
//! whoever saves them adds `companyId` or `subscriptionId`; the customer is then whichever id they carry. A vendor's later push
//! overwrites the day without a mark: the later file counts. Usage lines come back, as one sum, in the next invoice's items: ingest
//! one of the two for a product.
//!
//! Draft items (`GET /v1/invoices/draftItems`) are what the next invoice may say, of next month unless asked otherwise, without usage: the
//! vendor calls them "not an actual invoice". They are refused. They differ from the items of an invoice by `subtotal` for `subTotal`, and have
//! neither an id nor a purchase order.
//!
//! Assumed: an item's end on the first of a month, or on the day of the month on which it started, is the first day that is no longer
//! billed, any other the last one that is (the vendor's examples have both); a list of subscriptions
//! holds for the month in which it was taken.

use super::{Column, Export, Lookalike, Shape, Source};
use crate::lake::Table;

const PAGE: Shape = Shape::Json { envelope: "content", object: None, lines: None };

/// A forecast in the shape of an invoice's items.
pub static DRAFT_ITEMS: Lookalike = Lookalike {
    of: ("pax8", "invoice_items"),
    key: "subtotal",
    lacks: &["subTotal", "id", "purchaseOrderNumber"],
    what: "draft items of Pax8, a forecast and no invoice",
    reason: "what they cost is not owed yet and may change; export the items of each invoice, GET /v1/invoices/{id}/items",
};

/// The system and its exports.
pub static SOURCE: Source = Source {
    system: "pax8",
    title: "Pax8",
    exports: &[
        Export {
            entity: "invoice_items",
            how_to_export: "API: GET /v1/invoices/{id}/items?size=200, every page of every invoice saved as it came (no draft items)",
            shape: PAGE,
            signature: &["companyId", "startPeriod", "endPeriod", "costTotal"],
            columns: &[
                Column::text("id"),
                Column::text("type").required(),
                Column::text("companyId").required(),
                Column::text("companyName"),
                Column::iso("startPeriod").required(),
                Column::iso("endPeriod"),
                Column::decimal("quantity"),
                Column::text("unitOfMeasure"),
                Column::text("term"),
                Column::text("sku"),
                Column::text("productId"),
                Column::text("productName"),
                Column::text("description"),
                Column::text("subscriptionId"),
                Column::decimal("cost"),
                Column::decimal("costTotal").required(),
                Column::currency("currencyCode").required(),
            ],
            nulls: &[],
            target: Table::VendorUsage,
            beside: &[],
            unique: &[],
            is_reference: false,
        },
        Export {
            entity: "subscriptions",
            how_to_export: "API: GET /v1/subscriptions?size=200, every page saved as it came, at least once a month",
            shape: PAGE,
            signature: &["companyId", "productId", "quantity", "startDate", "billingTerm"],
            columns: &[
                Column::text("id").required(),
                Column::text("companyId").required(),
                Column::text("productId").required(),
                Column::text("productName"),
                Column::decimal("quantity").required(),
                Column::text("status").required(),
                Column::text("billingTerm"),
                Column::decimal("partnerCost"),
                Column::currency("currencyCode"),
            ],
            nulls: &[],
            target: Table::VendorUsage,
            beside: &[],
            unique: &["id"],
            is_reference: false,
        },
        Export {
            entity: "usage_lines",
            how_to_export: "API: GET /v1/usage-summaries/{id}/usage-lines?size=200, every page saved as it came",
            shape: PAGE,
            signature: &["usageDate", "productId", "quantity", "partnerTotal"],
            columns: &[
                Column::text("companyId"),
                Column::text("subscriptionId"),
                Column::text("usageSummaryId"),
                Column::iso("usageDate").required(),
                Column::text("productId").required(),
                Column::text("productName"),
                Column::text("resourceGroup"),
                Column::text("unitOfMeasure"),
                Column::decimal("quantity"),
                Column::decimal("unitPrice"),
                Column::decimal("partnerTotal").required(),
                Column::currency("currencyCode").required(),
                Column::boolean("isTrial"),
            ],
            nulls: &[],
            target: Table::VendorUsage,
            beside: &[],
            unique: &[],
            is_reference: false,
        },
    ],
};
