//! Stripe invoices and credit notes.
//!
//! Source: the `OpenAPI` description and fixtures in `stripe/openapi`. Amounts are integers of the currency's minor unit, unit amounts
//! decimal text of the same; periods are UNIX seconds, half-open. A pro-rated seat change is a negative and a positive line;
//! the mark for it moved from the line's top level to `parent.*.proration`. Credit notes carry positive amounts. An invoice is known
//! from the moment it was created.

use super::{Column, Export, Shape, Source};
use crate::lake::Table;

/// The system and its exports.
pub static SOURCE: Source = Source {
    system: "stripe",
    title: "Stripe",
    exports: &[
        Export {
            entity: "invoices",
            how_to_export: "API: GET /v1/invoices?limit=100 with lines expanded, every page saved as it came",
            shape: Shape::Json { envelope: "data", object: Some("invoice"), lines: Some(&["lines.data"]) },
            signature: &["object", "customer", "lines", "currency"],
            columns: &[
                Column::text("id").required(),
                Column::text("customer").required(),
                Column::text("customer_name"),
                Column::text("status"),
                Column::currency("currency").required(),
                Column::unix_seconds("created"),
                Column::unix_seconds("effective_at"),
                Column::text("line.id").required(),
                Column::minor_units("line.amount", "currency").required(),
                Column::text("line.description"),
                Column::decimal("line.quantity"),
                Column::decimal("line.quantity_decimal"),
                Column::unix_seconds("line.period.start"),
                Column::unix_seconds("line.period.end"),
                Column::minor_units("line.pricing.unit_amount_decimal", "currency"),
                Column::text("line.pricing.price_details.price"),
                Column::text("line.pricing.price_details.product"),
                Column::text("line.price.id"),
                Column::text("line.price.product"),
                Column::text("line.subscription"),
                Column::text("line.parent.type"),
                Column::boolean("line.proration"),
                Column::boolean("line.parent.invoice_item_details.proration"),
                Column::boolean("line.parent.subscription_item_details.proration"),
            ],
            nulls: &[],
            target: Table::InvoiceLine,
            beside: &[],
            unique: &["id", "line.id"],
            is_reference: false,
        },
        Export {
            entity: "credit_notes",
            how_to_export: "API: GET /v1/credit_notes?limit=100, every page saved as it came",
            shape: Shape::Json { envelope: "data", object: Some("credit_note"), lines: Some(&["lines.data"]) },
            signature: &["object", "customer", "invoice", "lines"],
            columns: &[
                Column::text("id").required(),
                Column::text("customer").required(),
                Column::text("invoice"),
                Column::text("status"),
                Column::currency("currency").required(),
                Column::unix_seconds("created"),
                Column::unix_seconds("effective_at"),
                Column::text("line.id").required(),
                Column::minor_units("line.amount", "currency").required(),
                Column::text("line.description"),
                Column::text("line.invoice_line_item"),
                Column::decimal("line.quantity"),
                Column::minor_units("line.unit_amount_decimal", "currency"),
            ],
            nulls: &[],
            target: Table::InvoiceLine,
            beside: &[],
            unique: &["id", "line.id"],
            is_reference: false,
        },
    ],
};
