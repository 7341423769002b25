//! Google Workspace subscriptions, as the Reseller API lists them.
//!
//! Source: Google, "Resource: Subscription" of the Reseller API. A page is `{"kind", "subscriptions": [...], "nextPageToken"}`; times are
//! milliseconds since 1970 as text. Which number of seats Google charges for depends on the plan: `numberOfSeats` with an annual
//! commitment, whoever uses them; else the users there are (`licensedNumberOfSeats`), at most `maximumNumberOfSeats`. There is no
//! price: the rows are levels without cost. A subscription's id changes when the subscription does, so customer and SKU identify it.
//!
//! Assumed: a list's row is that of the month in which it was taken, from the subscription's creation on, and a later list of the same month
//! replaces it there; which level held on which days of the month is told by all lists
//! (`queries/facts/usage_list.sql`). A suspended commitment is still charged for, a suspended flexible plan is not.

use super::{Column, Export, Shape, Source};
use crate::lake::Table;

/// The system and its exports.
pub static SOURCE: Source = Source {
    system: "google_workspace",
    title: "Google Workspace (Reseller API)",
    exports: &[Export {
        entity: "subscriptions",
        how_to_export: "API: GET /apps/reseller/v1/subscriptions, every page saved as it came, at least once a month",
        shape: Shape::Json { envelope: "subscriptions", object: None, lines: None },
        signature: &["customerId", "subscriptionId", "skuId", "seats", "plan"],
        columns: &[
            Column::text("customerId").required(),
            Column::text("customerDomain"),
            Column::text("subscriptionId").required(),
            Column::text("skuId").required(),
            Column::text("skuName"),
            Column::unix_millis("creationTime"),
            Column::text("plan.planName").required(),
            Column::boolean("plan.isCommitmentPlan"),
            Column::decimal("seats.numberOfSeats"),
            Column::decimal("seats.licensedNumberOfSeats"),
            Column::decimal("seats.maximumNumberOfSeats"),
            Column::boolean("trialSettings.isInTrial"),
            Column::text("status"),
        ],
        nulls: &[],
        target: Table::VendorUsage,
        beside: &[],
        unique: &["customerId", "subscriptionId"],
        is_reference: false,
    }],
};
