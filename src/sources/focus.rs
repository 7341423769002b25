//! FOCUS 1.0 to 1.2 cost and usage: AWS, Azure, Google, Oracle and whoever else writes the `FinOps` specification.
//!
//! Source: `FOCUS_Spec` 1.2, columns and attributes. Real files break it: dates without `T` and `Z`, the letters `NULL` for a
//! missing value, padded and quoted numbers, E-notation; Google's, out of `BigQuery`, end dates with ` UTC`. Numbers that a provider computed in
//! binary have up to 25 decimals: rounded half-even at the 18th. Periods are half-open. `ConsumedQuantity` is a flow that adds up over the
//! month and is null unless the charge is usage; every charge category may be negative. `ChargeClass = Correction` marks corrections of
//! invoiced periods only, so its absence proves nothing.
//!
//! `ContractedUnitPrice` is the price of one *pricing* unit, of which `PricingQuantity` counts: 4.00 for each of 5 units of "1000000 Tokens", beside
//! 5,000,000 Tokens consumed. The unit cost is that of the unit in which the quantity is given; where the quotient has more than 18 decimals,
//! there is none. The provider is `ProviderName`, `ServiceProviderName` (1.3), `Provider` (0.5), else who invoices. Google's view in `BigQuery` has
//! repeated fields, so it is exported as JSON Lines.
//!
//! Providers correct an invoiced period in one of two styles, in a later billing period and under the charge period of the original:
//! *delta*, one row with the difference, or *ledger*, a row that reverses the original and one that states it anew. Both are
//! right when all rows are summed, so corrections of different billing periods stand side by side, while a file that repeats a billing
//! period replaces what that period said before. Within a billing period that is still open rows are rewritten without a mark.
//! `InvoiceId` (1.2) comes late and tells no rows apart. Of the columns that providers add, `x_CustomerId`, `x_CustomerName` and
//! `x_EffectiveUnitPrice` (Microsoft) are read. A charge to no sub-account belongs to the billing account.

use super::{Column, Export, Shape, Source};
use crate::lake::Table;

/// The system and its exports.
pub static SOURCE: Source = Source {
    system: "focus",
    title: "FOCUS 1.0-1.2 (AWS, Azure, Google, Oracle)",
    exports: &[Export {
        entity: "costs",
        how_to_export: "AWS Data Exports > FOCUS; Azure Cost Management > Exports > FOCUS; OCI > Cost reports > FOCUS; Google's view in BigQuery as JSON Lines",
        shape: Shape::CsvOrJson { envelope: "" },
        signature: &["BilledCost", "EffectiveCost", "BillingCurrency", "ChargePeriodStart", "ChargePeriodEnd", "ChargeCategory"],
        columns: &[
            Column::text("ProviderName"),
            Column::text("ServiceProviderName"),
            Column::text("Provider"),
            Column::text("InvoiceIssuerName"),
            Column::text("SubAccountId"),
            Column::text("SubAccountName"),
            Column::text("x_CustomerId"),
            Column::text("x_CustomerName"),
            Column::text("BillingAccountId"),
            Column::text("BillingAccountName"),
            Column::iso("BillingPeriodStart"),
            Column::text("SkuId"),
            Column::text("SkuPriceId"),
            Column::text("ServiceName"),
            Column::text("ResourceId"),
            Column::text("ChargeCategory").required(),
            Column::text("ChargeClass"),
            Column::text("ConsumedUnit"),
            Column::text("PricingUnit"),
            Column::decimal("ConsumedQuantity"),
            Column::decimal("PricingQuantity"),
            Column::decimal("ContractedUnitPrice"),
            Column::decimal("x_EffectiveUnitPrice"),
            Column::decimal("BilledCost").required(),
            Column::currency("BillingCurrency").required(),
            Column::iso("ChargePeriodStart").required(),
            Column::iso("ChargePeriodEnd").required(),
        ],
        nulls: &["NULL"],
        target: Table::VendorUsage,
        beside: &[],
        unique: &[],
        is_reference: false,
    }],
};
