//! Kill Bill: invoices with their items.
//!
//! Source: killbill.github.io "Invoice Item"; the integration tests of `killbill/killbill`; saved responses of public clients. Pages are bare
//! arrays. Amounts are decimals, dates local days, the end exclusive.
//!
//! | `itemType` | means |
//! | --- | --- |
//! | `RECURRING`, `USAGE` | a charge of its period |
//! | `FIXED`, `EXTERNAL_CHARGE` | one-off |
//! | `REPAIR_ADJ` | takes back a part of the linked item, over a period of its own: a negative recurring line of the linked item's service |
//! | `ITEM_ADJ` | money back on the linked item, over its period: a credit (its own dates are the day on which it was made) |
//! | `TAX` | tax |
//! | `CBA_ADJ`, `CREDIT_ADJ` | movements of the account's credit balance, no revenue: memo |
//! | `PARENT_SUMMARY` | the sum of a child account's invoice, which is exported itself: memo |
//!
//! A change of plan is `RECURRING` again, `REPAIR_ADJ` of the old charge, and `CBA_ADJ` of the difference: without the last the lines say what
//! was billed. `DRAFT` and `VOID` invoices stand in the list. `rate` is the price; recurring charges have no quantity, and none is made up.
//!
//! A list without `includeInvoiceComponents` shows `items: []`: such an invoice is a reject that says how to export it.
//!
//! Assumed: types that are not listed (plug-ins add none) move balances and are memos.

use super::{Column, Export, Shape, Source};
use crate::lake::Table;

/// The system and its exports.
pub static SOURCE: Source = Source {
    system: "killbill",
    title: "Kill Bill",
    exports: &[Export {
        entity: "invoices",
        how_to_export: "API: GET /1.0/kb/accounts/{id}/invoices?includeInvoiceComponents=true&includeVoidedInvoices=true, each saved as it came",
        shape: Shape::Json { envelope: "", object: None, lines: Some(&["items"]) },
        signature: &["invoiceId", "accountId", "invoiceDate", "invoiceNumber", "status"],
        columns: &[
            Column::text("invoiceId").required(),
            Column::text("accountId").required(),
            Column::iso("invoiceDate").required(),
            Column::text("status").required(),
            Column::currency("currency").required(),
            Column::text("line.invoiceItemId")
                .required_or("the invoice stands here without its items; export with includeInvoiceComponents=true"),
            Column::text("line.itemType").required(),
            Column::decimal("line.amount").required(),
            Column::text("line.linkedInvoiceItemId"),
            Column::text("line.productName"),
            Column::text("line.planName"),
            Column::text("line.usageName"),
            Column::text("line.description"),
            Column::iso("line.startDate"),
            Column::iso("line.endDate"),
            Column::decimal("line.quantity"),
            Column::decimal("line.rate"),
        ],
        nulls: &[],
        target: Table::InvoiceLine,
        beside: &[],
        unique: &["line.invoiceItemId"],
        is_reference: false,
    }],
};
