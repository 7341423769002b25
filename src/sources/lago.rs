//! Lago: invoices with their fees, the list of fees, credit notes.
//!
//! Source: `getlago/lago-openapi` (`FeeObject`, `InvoiceObject`, `CreditObject`, `CreditNoteObject`). A single invoice is `{"invoice":{...}}` and
//! has its `fees`; the list `{"invoices":[...]}` leaves them out, so the list of `fees` is the short way. `amount_cents` are integers of
//! the currency's minor unit, without tax; `units` and `precise_unit_amount` are text.
//!
//! | `item.type` of a fee | means |
//! | --- | --- |
//! | `subscription`, `commitment` | recurring (a commitment is the rest up to a plan's minimum, without a quantity) |
//! | `charge` | usage |
//! | `add_on` | one-off |
//! | `credit` | prepaid credits bought: memo, revenue when they are used |
//!
//! - A true-up fee is the rest up to a charge's minimum: it names its parent fee, counts for that fee's service, and has no quantity.
//! - `credits` of an invoice: a `coupon` takes money off (negative, SKU `coupon:<code>`); what a progressive `invoice` has billed before is
//!   taken off (a credit); a `credit_note` that is used up is a memo, as the note itself is exported. In events they stand without an id:
//!   their place in the invoice is it.
//! - Credit notes have positive amounts: negative lines that name the fee. `coupons_adjustment_amount_cents`, the note's share of the invoice's
//!   coupons, belongs to the whole note and is not taken into its lines. Early notes had no `issuing_date`: they are of the day they were made.
//! - A fee without an invoice, or that is not `invoiceable`, is `not_invoiced` and no revenue yet. The list of fees does not say whether
//!   their invoice is a draft or void: where that matters, ingest the invoices instead.
//! - Periods are instants of the customer's time zone, the end the last second of a day: the nearest midnight of UTC ends it.
//! - The customer is `external_customer_id`, the MSP's own id, which is a link to whatever system has the same.
//!
//! Assumed: minor units are those of ISO 4217; `generating`, `pending`, `open` and `failed` invoices are not issued: drafts.

use super::{Column, Export, LINE_POSITION, Shape, Source};
use crate::lake::Table;

/// The system and its exports.
pub static SOURCE: Source = Source {
    system: "lago",
    title: "Lago",
    exports: &[
        Export {
            entity: "invoices",
            how_to_export: "API: GET /api/v1/invoices/{id} for each invoice (the list has no fees), saved as they came",
            shape: Shape::Json { envelope: "invoices|invoice", object: None, lines: Some(&["fees", "credits"]) },
            signature: &["lago_id", "number", "issuing_date", "invoice_type", "fees_amount_cents"],
            columns: &[
                Column::text("lago_id").required(),
                Column::iso("issuing_date").required(),
                Column::text("status").required(),
                Column::currency("currency").required(),
                Column::text("customer.external_id").also(&["line.external_customer_id", "line.lago_customer_id"]).required(),
                Column::text("customer.name"),
                Column::iso("created_at").also(&["line.created_at"]),
                Column::text("line.lago_id")
                    .also(&[LINE_POSITION])
                    .required_or("the list of invoices leaves the fees out; export each invoice by its id, or the list of fees"),
                Column::minor_units("line.amount_cents", "currency").required(),
                Column::decimal("line.units"),
                Column::decimal("line.precise_unit_amount"),
                Column::iso("line.from_date"),
                Column::iso("line.to_date"),
                Column::text("line.lago_true_up_parent_fee_id"),
                Column::boolean("line.invoiceable"),
                Column::text("line.item.type").required(),
                Column::text("line.item.code"),
                Column::text("line.item.name"),
                Column::text("line.item.lago_item_id"),
            ],
            nulls: &[],
            target: Table::InvoiceLine,
            beside: &[Table::CustomerLink],
            unique: &["lago_id", "line.lago_id"],
            is_reference: false,
        },
        Export {
            entity: "fees",
            how_to_export: "API: GET /api/v1/fees?per_page=100, every page saved as it came",
            shape: Shape::Json { envelope: "fees|fee", object: None, lines: None },
            signature: &["lago_id", "item", "amount_cents", "units"],
            columns: &[
                Column::text("lago_id").required(),
                Column::text("lago_invoice_id"),
                // Nullable: fees of add-ons and credits come without it, and their customer is unknown.
                Column::text("external_customer_id").also(&["lago_customer_id"]),
                Column::currency("amount_currency").required(),
                Column::minor_units("amount_cents", "amount_currency").required(),
                Column::decimal("units"),
                Column::decimal("precise_unit_amount"),
                Column::iso("from_date"),
                Column::iso("to_date"),
                Column::iso("created_at"),
                Column::text("lago_true_up_parent_fee_id"),
                Column::boolean("invoiceable"),
                Column::text("item.type").required(),
                Column::text("item.code"),
                Column::text("item.name"),
                Column::text("item.lago_item_id"),
            ],
            nulls: &[],
            target: Table::InvoiceLine,
            beside: &[Table::CustomerLink],
            unique: &["lago_id"],
            is_reference: false,
        },
        Export {
            entity: "credit_notes",
            how_to_export: "API: GET /api/v1/credit_notes?per_page=100, every page saved as it came",
            shape: Shape::Json { envelope: "credit_notes|credit_note", object: None, lines: Some(&["items"]) },
            signature: &["lago_id", "number", "lago_invoice_id", "issuing_date", "credit_amount_cents"],
            columns: &[
                Column::text("lago_id").required(),
                Column::iso("issuing_date").also(&["created_at"]).required(),
                Column::currency("currency").required(),
                Column::text("line.fee.external_customer_id")
                    .also(&["customer.external_id", "line.fee.lago_customer_id"])
                    .required(),
                Column::iso("created_at"),
                Column::text("line.lago_id").required_or("the note stands here without its items; export it by its id"),
                Column::minor_units("line.amount_cents", "currency").required(),
                Column::text("line.fee.lago_id"),
                Column::text("line.fee.item.code"),
                Column::text("line.fee.item.name"),
                Column::text("line.fee.item.lago_item_id"),
            ],
            nulls: &[],
            target: Table::InvoiceLine,
            beside: &[],
            unique: &["lago_id", "line.lago_id"],
            is_reference: false,
        },
    ],
};
