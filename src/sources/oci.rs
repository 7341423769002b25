//! Oracle Cloud Infrastructure cost reports.
//!
//! Sources: Oracle, "Cost and usage reports overview"; the report among the tests of the `FinOps` Foundation's converters. Hourly rows with
//! two shapes of date in one row, 18 decimals and E-notation (rounded half-even where there are more); one column per tag key, not read. Reports are only added to, never
//! rewritten: a correction is a row of its own with `isCorrection` and, in `backreferenceNo`, the line that it corrects. `referenceNo`
//! identifies a line, and both numbers of a correction are kept in `line_key`.
//!
//! Rows of myCost 0 mostly have neither a currency nor a unit price (free transfers). They are taken to be in the only currency of their tenancy,
//! else of the report; a cost without a currency is in the system's own (the mapping table `currencies`), else in `XXX`.
//!
//! Assumed: the amounts of a correction are the difference and add up with the line that it corrects; `myCost` holds the whole
//! cost, its overage included; the tenancy is the customer.

use super::{Column, Export, Shape, Source};
use crate::lake::Table;

/// The system and its exports.
pub static SOURCE: Source = Source {
    system: "oci",
    title: "Oracle Cloud Infrastructure",
    exports: &[Export {
        entity: "costs",
        how_to_export: "Billing & Cost Management > Cost and usage reports > cost reports, every file",
        shape: Shape::Csv,
        signature: &[
            "lineItem/referenceNo",
            "lineItem/tenantId",
            "lineItem/intervalUsageStart",
            "lineItem/intervalUsageEnd",
            "cost/productSku",
            "cost/myCost",
            "cost/currencyCode",
        ],
        columns: &[
            Column::text("lineItem/referenceNo").required(),
            Column::text("lineItem/tenantId").required(),
            Column::iso("lineItem/intervalUsageStart").required(),
            Column::iso("lineItem/intervalUsageEnd").required(),
            Column::text("product/service"),
            Column::text("product/compartmentName"),
            Column::text("product/resourceId"),
            Column::text("product/Description"),
            Column::decimal("usage/billedQuantity"),
            Column::text("cost/productSku"),
            Column::decimal("cost/unitPrice"),
            Column::decimal("cost/myCost"),
            Column::currency("cost/currencyCode"),
            Column::text("cost/billingUnitReadable"),
            Column::text("cost/skuUnitDescription"),
            Column::boolean("lineItem/isCorrection"),
            Column::text("lineItem/backreferenceNo"),
        ],
        nulls: &[],
        target: Table::VendorUsage,
        beside: &[],
        unique: &[],
        is_reference: false,
    }],
};
