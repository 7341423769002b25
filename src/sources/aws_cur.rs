//! AWS Cost and Usage Reports: the legacy report (`lineItem/UsageAmount`) and CUR 2.0 of Data Exports (`line_item_usage_amount`).
//!
//! Sources: AWS, "Line item columns", "Data Exports table dictionary"; the anonymised report of the `FinOps` Foundation's converters. The set
//! of columns changes with the services used; maps of CUR 2.0 (`product`, `resource_tags`) are JSON in one cell of a CSV, and maps in Parquet. Numbers
//! come in E-notation (rounded half-even at the 18th decimal), periods are half-open. The account that used the service is the customer, `ProductCode:UsageType` the
//! SKU, `UnblendedCost` the cost: discounts, negated savings plans, credits and refunds are rows of their own, so the sum is the
//! invoice's.
//!
//! A month is written anew, whole, until it is final and sometimes after, and line ids are not the same from one time to the next:
//! payer and billing period name a statement that a later delivery replaces (see [`crate::lake::truth`]). Parts of one run, by
//! its folder, belong together; of no run, those that arrive within the hour. A report of a member account's own speaks for its payer here: keep to reports of
//! the payer.
//!
//! Assumed: refunds and credits are corrections; the quantity of a negation is no consumption.

use super::{Column, Export, Shape, Source};
use crate::lake::Table;

/// The system and its exports.
pub static SOURCE: Source = Source {
    system: "aws_cur",
    title: "AWS Cost and Usage Report",
    exports: &[
        Export {
            entity: "legacy",
            how_to_export: "Billing > Legacy CUR reports, as CSV (GZIP): every file of a month, again whenever AWS has rewritten it",
            shape: Shape::Csv,
            signature: &[
                "bill/PayerAccountId",
                "lineItem/UsageAccountId",
                "lineItem/LineItemType",
                "lineItem/UsageAmount",
                "lineItem/UnblendedCost",
            ],
            columns: &[
                Column::text("identity/LineItemId"),
                Column::text("bill/BillingEntity"),
                Column::text("bill/PayerAccountId").required(),
                Column::iso("bill/BillingPeriodStartDate").required(),
                Column::text("lineItem/UsageAccountId"),
                Column::text("lineItem/LineItemType").required(),
                Column::iso("lineItem/UsageStartDate").required(),
                Column::iso("lineItem/UsageEndDate").required(),
                Column::text("lineItem/ProductCode"),
                Column::text("lineItem/UsageType"),
                Column::text("lineItem/ResourceId"),
                Column::decimal("lineItem/UsageAmount"),
                Column::currency("lineItem/CurrencyCode").required(),
                Column::decimal("lineItem/UnblendedRate"),
                Column::decimal("lineItem/UnblendedCost").required(),
                Column::text("lineItem/LineItemDescription"),
                Column::text("product/ProductName"),
                Column::text("pricing/unit"),
            ],
            nulls: &[],
            target: Table::VendorUsage,
            beside: &[],
            unique: &[],
            is_reference: false,
        },
        Export {
            entity: "cur_2",
            how_to_export: "Billing > Data Exports > CUR 2.0, as CSV or Parquet: every file of a month, again whenever AWS has rewritten it",
            shape: Shape::Csv,
            signature: &[
                "line_item_usage_account_id",
                "line_item_line_item_type",
                "line_item_usage_start_date",
                "line_item_usage_amount",
                "line_item_unblended_cost",
            ],
            columns: &[
                Column::text("identity_line_item_id"),
                Column::text("bill_billing_entity"),
                Column::text("bill_payer_account_id").required(),
                Column::iso("bill_billing_period_start_date").required(),
                Column::text("line_item_usage_account_id"),
                Column::text("line_item_usage_account_name"),
                Column::text("line_item_line_item_type").required(),
                Column::iso("line_item_usage_start_date").required(),
                Column::iso("line_item_usage_end_date").required(),
                Column::text("line_item_product_code"),
                Column::text("line_item_usage_type"),
                Column::text("line_item_resource_id"),
                Column::decimal("line_item_usage_amount"),
                Column::currency("line_item_currency_code").required(),
                Column::decimal("line_item_unblended_rate"),
                Column::decimal("line_item_unblended_cost").required(),
                Column::text("line_item_line_item_description"),
                Column::text("product_product_name").also(&["product['product_name']"]),
                Column::text("pricing_unit"),
            ],
            nulls: &[],
            target: Table::VendorUsage,
            beside: &[],
            unique: &[],
            is_reference: false,
        },
    ],
};
