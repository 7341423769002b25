//! QuickBooks Online: invoices and credit memos.
//!
//! Source: Intuit's description of the entities `Invoice` and `CreditMemo`, and saved responses of public clients. A query answers
//! `{"QueryResponse":{"Invoice":[...]}}` (without the key where there are none), a single read `{"Invoice":{...}}`, change data capture
//! several such in `CDCResponse`. Amounts are decimals without tax.
//!
//! | `DetailType` | means |
//! | --- | --- |
//! | `SalesItemLineDetail` | a charge; the item `SHIPPING_ITEM_ID` is one-off |
//! | `DiscountLineDetail` | the positive amount is taken off the whole invoice: a negative line of SKU `discount:<account>`; a percentage comes with its amount |
//! | `GroupLineDetail` | a bundle: its inner lines are charges of their own, the bundle's line repeats their sum or 0 and is a memo |
//! | `SubTotalLineDetail`, `DescriptionOnly` | no charge: memo |
//! | `TaxLineDetail` (in `TxnTaxDetail`) | tax |
//!
//! All lines but memos sum to `TotalAmt`. A credit memo has positive amounts and names no invoice: its lines become negative, of their own
//! item and date, and its id is written `CreditMemo <id>` because ids are unique per entity only. A voided invoice keeps its lines at
//! zero and says `Voided` in `PrivateNote`; there is no draft. An invoice that is deleted is no longer exported, and stays as it was
//! last seen.
//!
//! **Period.** One date, `ServiceDate`. A period that the line's description states (`period_in_text`) and that holds this date, if there is one, is the
//! line's; else the charge belongs to the month of `ServiceDate`, else of the invoice. So a quarter or a year whose text does not say
//! so counts in its first month.
//!
//! Currency: `CurrencyRef` is required only where a company has turned on several currencies; where it is left out, no setting of the file says
//! which it is. Money is then in the company's home currency, which the mapping table `currencies` names (a row for `quickbooks` without a
//! number, as for PSAs), else in `XXX`, ISO 4217's code for none; none is guessed.
//!
//! Assumed: a line for a stated period recurs; any other is a `sale`, of which `facts/billed_line` tells from the rest of the book whether it does;
//! with `GlobalTaxCalculation: TaxInclusive`, `Amount` is still without tax (`TaxInclusiveAmt` is with it).

use super::{Column, Export, Shape, Source};
use crate::lake::Table;

const LINES: &[&str] = &["Line", "Line.GroupLineDetail.Line", "TxnTaxDetail.TaxLine"];

/// The columns of both documents, and one that only this kind has: it tells single records without a shell apart.
macro_rules! columns {
    ($own:literal) => {
        &[
            Column::text($own),
            Column::text("Id").required(),
            Column::iso("TxnDate").required_or("a deleted document says no more than its id; what was read of it before stays"),
            Column::text("CustomerRef.value").required(),
            Column::text("CustomerRef.name"),
            Column::currency("CurrencyRef.value"),
            Column::text("PrivateNote"),
            Column::decimal("TotalAmt"),
            Column::decimal("Balance"),
            Column::iso("MetaData.CreateTime"),
            Column::text("line.DetailType")
                .required_or("export the entity with its lines, by `select * from Invoice` or `CreditMemo`"),
            Column::text("line.Id"),
            Column::decimal("line.Amount"),
            Column::text("line.Description"),
            Column::text("line.SalesItemLineDetail.ItemRef.value"),
            Column::text("line.SalesItemLineDetail.ItemRef.name"),
            Column::decimal("line.SalesItemLineDetail.Qty"),
            Column::decimal("line.SalesItemLineDetail.UnitPrice"),
            Column::iso("line.SalesItemLineDetail.ServiceDate"),
            Column::text("line.DiscountLineDetail.DiscountAccountRef.value"),
            Column::text("line.GroupLineDetail.GroupItemRef.value"),
            Column::text("line.GroupLineDetail.GroupItemRef.name"),
            Column::decimal("line.GroupLineDetail.Quantity"),
            Column::text("line.GroupLineDetail.Line"),
            Column::text("line.TaxLineDetail.TaxRateRef.value"),
        ]
    };
}

/// Lines of discounts, subtotals and taxes have no id, but there is one of each (of a tax, one per rate).
const UNIQUE: &[&str] = &["Id", "line.Id", "line.DetailType", "line.TaxLineDetail.TaxRateRef.value"];

/// The system and its exports.
pub static SOURCE: Source = Source {
    system: "quickbooks",
    title: "QuickBooks Online",
    exports: &[
        Export {
            entity: "invoices",
            how_to_export: "API: GET /v3/company/{id}/query?query=select * from Invoice startposition 1 maxresults 1000&minorversion=75, \
                            every page saved as it came",
            shape: Shape::Json { envelope: "CDCResponse.QueryResponse.Invoice", object: None, lines: Some(LINES) },
            signature: &["CustomerRef", "TxnDate", "Line"],
            columns: columns!("DueDate"),
            nulls: &["[]"],
            target: Table::InvoiceLine,
            beside: &[],
            unique: UNIQUE,
            is_reference: false,
        },
        Export {
            entity: "credit_memos",
            how_to_export: "API: GET /v3/company/{id}/query?query=select * from CreditMemo startposition 1 maxresults 1000&minorversion=75, \
                            every page saved as it came",
            shape: Shape::Json { envelope: "CDCResponse.QueryResponse.CreditMemo", object: None, lines: Some(LINES) },
            signature: &["CustomerRef", "TxnDate", "Line"],
            columns: columns!("RemainingCredit"),
            nulls: &["[]"],
            target: Table::InvoiceLine,
            beside: &[],
            unique: UNIQUE,
            is_reference: false,
        },
    ],
};
