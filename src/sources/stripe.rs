//! Stripe invoices and credit notes.
//!
//! Source: the `OpenAPI` description and fixtures in `stripe/openapi`, Stripe's API upgrades. Amounts are integers of the currency's minor unit,
//! unit amounts decimal text of the same; periods are UNIX seconds, half-open. An invoice is known from the moment it was created. Pages
//! are read, single objects, and events of webhooks around one. An account stays at the version of the API at which it began:
//!
//! | what | since 2025-03-31 (basil) | before |
//! | --- | --- | --- |
//! | an item added by hand | `parent.type` = `invoice_item_details` | `type` = `invoiceitem` |
//! | pro-rated seats: a negative and a positive line | `parent.*.proration` | `proration` |
//! | price | `pricing` | `price`, before that (and beside it) `plan` |
//! | tax of a line | `taxes` | `tax_amounts` |
//! | discount of a line | `discount_amounts` | the same, before 2020-08-27 none |
//! | moment | `created` | `date` before 2019-03-14 |
//!
//! - `amount` is before discounts and with inclusive tax. Taken off: the line's `discount_amounts`, which hold its share of what the whole
//!   invoice was discounted by, and its inclusive taxes (the price per unit, which holds tax too, is left out then). Lines then sum to
//!   `total_excluding_tax`.
//! - Where no line states a discount and the invoice does (`total_discount_amounts`; with a coupon before them `subtotal` and exclusive tax less
//!   `total`), it is shared among the lines with a positive amount that are `discountable` and no prorations, by amount, to the cent.
//! - Credit notes have positive amounts, before `discount_amount` too.
//!
//! Assumed: an invoice whose lines state discounts states all of them there (the totals are aggregates of lines).

use super::{Column, Export, Shape, Source};
use crate::lake::Table;

/// What of a line's amount is tax.
const INCLUSIVE_TAX: Column = Column::minor_units("line.taxes[tax_behavior=inclusive].amount", "currency")
    .also(&["line.tax_amounts[inclusive=true].amount"]);

/// The system and its exports.
pub static SOURCE: Source = Source {
    system: "stripe",
    title: "Stripe",
    exports: &[
        Export {
            entity: "invoices",
            how_to_export: "API: GET /v1/invoices?limit=100 with lines expanded, every page saved as it came",
            shape: Shape::Json { envelope: "data.object", object: Some("invoice"), lines: Some(&["lines.data"]) },
            signature: &["object", "customer", "lines", "currency"],
            columns: &[
                Column::text("id").required(),
                Column::text("customer").required(),
                Column::text("customer_name"),
                Column::text("status"),
                Column::currency("currency").required(),
                Column::unix_seconds("created").also(&["date"]),
                Column::unix_seconds("effective_at"),
                Column::minor_units("subtotal", "currency"),
                Column::minor_units("total", "currency"),
                Column::minor_units("tax", "currency"),
                Column::minor_units("total_tax_amounts[inclusive=false].amount", "currency"),
                Column::minor_units("total_discount_amounts[].amount", "currency"),
                Column::text("discount.coupon.id"),
                Column::text("line.id").required(),
                Column::minor_units("line.amount", "currency").required(),
                Column::minor_units("line.discount_amounts[].amount", "currency"),
                INCLUSIVE_TAX,
                Column::boolean("line.discountable"),
                Column::text("line.description"),
                Column::decimal("line.quantity"),
                Column::decimal("line.quantity_decimal"),
                Column::unix_seconds("line.period.start"),
                Column::unix_seconds("line.period.end"),
                Column::minor_units("line.pricing.unit_amount_decimal", "currency").also(&[
                    "line.price.unit_amount_decimal",
                    "line.price.unit_amount",
                    "line.plan.amount_decimal",
                    "line.plan.amount",
                ]),
                Column::decimal("line.price.transform_quantity.divide_by").also(&["line.plan.transform_usage.divide_by"]),
                Column::text("line.pricing.price_details.price"),
                Column::text("line.pricing.price_details.product"),
                Column::text("line.price.id").also(&["line.plan.id"]),
                Column::text("line.price.product").also(&["line.plan.product"]),
                Column::text("line.plan.nickname").also(&["line.plan.name"]),
                Column::text("line.subscription"),
                Column::text("line.type"),
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
            shape: Shape::Json { envelope: "data.object", object: Some("credit_note"), lines: Some(&["lines.data"]) },
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
                Column::minor_units("line.discount_amount", "currency").also(&["line.discount_amounts[].amount"]),
                INCLUSIVE_TAX,
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
