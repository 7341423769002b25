//! Recurly: invoices (of charges and of credits) with their line items.
//!
//! Source: Recurly's clients (`Recurly::Resources::LineItem`, `Invoice`; crate `recurly`) and the examples of its API description. Lists are
//! `{"object":"list","has_more","next","data":[...]}`; `line_items` is such a list in older versions of the API and an array, with
//! `has_more_line_items`, in newer ones. Amounts are decimals of the major unit.
//!
//! - `subtotal` is quantity times price; `discount` is taken off, and `tax` too where the line is `tax_inclusive`. Lines then sum to the
//!   invoice's subtotal less its discount.
//! - Credits are lines of `type: credit`, on credit invoices (documents of their own) or beside charges: negative, whatever sign the export gives
//!   them. One that was made from a charge names it (`previous_line_item_id`). A prorated credit of a plan or add-on is recurring.
//! - Legacy `applied_credit` and `carryforward` lines move balances: memo.
//! - Plans and add-ons recur; setup fees and all else are one-off.
//! - `voided` invoices stay in the list. `failed` ones were billed and not paid.
//! - The customer is `account.code`, which the MSP chose, and a link to whatever system has the same.
//! - `start_date` and `end_date` are instants, the end exclusive: midnights of the site's own time zone, or the second at which the account
//!   signed up.
//!
//! Assumed: ends are exclusive (a month from the start, and the next line's start, in examples); sites within twelve hours of UTC. An instant at
//! a full quarter of an hour is a midnight of some time zone, and the nearest midnight of UTC is the day that is meant; any other belongs to the
//! day of UTC that holds it.

use super::{Column, Export, Shape, Source};
use crate::lake::Table;

/// The system and its exports.
pub static SOURCE: Source = Source {
    system: "recurly",
    title: "Recurly",
    exports: &[Export {
        entity: "invoices",
        how_to_export: "API: GET /invoices?limit=200 (charges and credits), every page saved as it came",
        shape: Shape::Json { envelope: "data", object: Some("invoice"), lines: Some(&["line_items.data", "line_items"]) },
        signature: &["object", "account", "line_items", "currency", "state"],
        columns: &[
            Column::text("id").required(),
            Column::text("account.code").also(&["account.id"]).required(),
            Column::text("account.company"),
            Column::text("state").required(),
            Column::currency("currency").required(),
            Column::iso("created_at").required(),
            Column::text("line.id").required_or("the invoice stands here without its line items; export it by its id"),
            Column::text("line.type").required(),
            Column::text("line.legacy_category"),
            Column::text("line.origin"),
            Column::decimal("line.subtotal").required(),
            Column::decimal("line.discount"),
            Column::decimal("line.tax"),
            Column::boolean("line.tax_inclusive"),
            Column::decimal("line.quantity"),
            Column::decimal("line.quantity_decimal"),
            Column::decimal("line.unit_amount"),
            Column::decimal("line.unit_amount_decimal"),
            Column::decimal("line.proration_rate"),
            Column::text("line.item_code"),
            Column::text("line.add_on_code"),
            Column::text("line.plan_code"),
            Column::text("line.product_code"),
            Column::text("line.item_id").also(&["line.add_on_id", "line.plan_id"]),
            Column::text("line.description"),
            Column::text("line.previous_line_item_id"),
            Column::iso("line.start_date"),
            Column::iso("line.end_date"),
        ],
        nulls: &[],
        target: Table::InvoiceLine,
        beside: &[Table::CustomerLink],
        unique: &["id", "line.id"],
        is_reference: false,
    }],
};
