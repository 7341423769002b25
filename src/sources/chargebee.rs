//! Chargebee: invoices and credit notes.
//!
//! Source: Chargebee's API reference as its clients mirror it (`ChargeBee::Invoice::LineItem`, `CreditNote`), saved responses in public
//! client tests. Pages are `{"list":[{"invoice":{...}}],"next_offset"}`, a single read `{"invoice":{...}}`. Amounts are integers of the
//! currency's minor unit (none for JPY, a thousandth for KWD); `..._in_decimal` is text in the major unit and, where it stands, the
//! exact price and quantity behind a rounded `amount`.
//!
//! - `amount` is before discounts: the line's own and its share of the invoice's are `discount_amount` together, which is taken off.
//! - With `price_type: tax_inclusive`, `amount` holds the line's tax, which is taken off too.
//! - Credit notes are documents of their own with positive amounts: negative lines that name the invoice's line (`reference_line_item_id`).
//!   Of a change, cancellation or pause in mid-term (`reason_code: subscription_change`, `subscription_cancellation`, `subscription_pause`)
//!   Chargebee itself makes them: the unused time of a plan or add-on, a proration. A change charges the new quantity for the same time.
//! - `pending` invoices are not closed yet: drafts. `voided` stays in the list; `deleted` is kept by a flag.
//! - Plans and add-ons recur, or are usage where `metered`; setup fees, charges and ad-hoc lines are one-off.
//! - `date_from` and `date_to` are instants, the end exclusive: with calendar billing midnights of the site's own time zone, else the second of the
//!   day at which the subscription was activated. A one-off charge has two equal dates and no period.
//!
//! Assumed: minor units are those of ISO 4217; sites within twelve hours of UTC; an invoice became known when it was generated. An instant
//! at a full quarter of an hour is a midnight of some time zone, and the nearest midnight of UTC is the day that is meant; any other belongs to the day
//! of UTC that holds it. A line of a proration has the quantity and the days that
//! it takes back.

use super::{Column, Export, Shape, Source};
use crate::lake::Table;

/// The system and its exports.
pub static SOURCE: Source = Source {
    system: "chargebee",
    title: "Chargebee",
    exports: &[
        Export {
            entity: "invoices",
            how_to_export: "API: GET /api/v2/invoices?limit=100&include_deleted=true, every page saved as it came",
            shape: Shape::Json { envelope: "list.invoice", object: None, lines: Some(&["line_items"]) },
            signature: &["id", "customer_id", "currency_code", "price_type", "line_items", "recurring"],
            columns: &[
                Column::text("id").required(),
                Column::text("customer_id").required(),
                Column::text("status").required(),
                Column::boolean("deleted"),
                Column::text("price_type"),
                Column::currency("currency_code").required(),
                Column::unix_seconds("date").required(),
                Column::unix_seconds("generated_at"),
                Column::text("line.id").required(),
                Column::minor_units("line.amount", "currency_code").required(),
                Column::minor_units("line.discount_amount", "currency_code"),
                Column::minor_units("line.tax_amount", "currency_code"),
                Column::minor_units("line.unit_amount", "currency_code"),
                Column::decimal("line.unit_amount_in_decimal"),
                Column::decimal("line.quantity"),
                Column::decimal("line.quantity_in_decimal"),
                Column::unix_seconds("line.date_from"),
                Column::unix_seconds("line.date_to"),
                Column::text("line.entity_type"),
                Column::text("line.entity_id"),
                Column::text("line.description"),
                Column::boolean("line.metered"),
                Column::text("line.customer_id"),
            ],
            nulls: &[],
            target: Table::InvoiceLine,
            beside: &[],
            unique: &["id", "line.id"],
            is_reference: false,
        },
        Export {
            entity: "credit_notes",
            how_to_export: "API: GET /api/v2/credit_notes?limit=100&include_deleted=true, every page saved as it came",
            shape: Shape::Json { envelope: "list.credit_note", object: None, lines: Some(&["line_items"]) },
            signature: &["id", "customer_id", "currency_code", "price_type", "line_items", "reason_code"],
            columns: &[
                Column::text("id").required(),
                Column::text("customer_id").required(),
                Column::text("status").required(),
                Column::boolean("deleted"),
                Column::text("price_type"),
                Column::text("reason_code"),
                Column::currency("currency_code").required(),
                Column::unix_seconds("date").required(),
                Column::unix_seconds("generated_at"),
                Column::text("line.id").required(),
                Column::minor_units("line.amount", "currency_code").required(),
                Column::minor_units("line.discount_amount", "currency_code"),
                Column::minor_units("line.tax_amount", "currency_code"),
                Column::minor_units("line.unit_amount", "currency_code"),
                Column::decimal("line.unit_amount_in_decimal"),
                Column::decimal("line.quantity"),
                Column::decimal("line.quantity_in_decimal"),
                Column::unix_seconds("line.date_from"),
                Column::unix_seconds("line.date_to"),
                Column::text("line.entity_type"),
                Column::text("line.entity_id"),
                Column::text("line.description"),
                Column::text("line.reference_line_item_id"),
                Column::text("line.customer_id"),
            ],
            nulls: &[],
            target: Table::InvoiceLine,
            beside: &[],
            unique: &["id", "line.id"],
            is_reference: false,
        },
    ],
};
