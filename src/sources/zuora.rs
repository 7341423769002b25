//! Zuora: invoices and credit memos of the API, invoice items of the data source export.
//!
//! Source: Zuora's pages "List invoices" and "Retrieve a credit memo item" (object queries, with their samples), "Invoice Item Data Source",
//! "Field descriptions of the CSV output file". Headings of the CSV are `Object: Field`; exports by query language write `Object.Field`.
//!
//! - `Charge Amount` is without tax.
//! - `Service End Date` is the *last day* of the period ("i.e., the last day of the period"; a January charge runs from the 1st to the 31st):
//!   the day after ends it here.
//! - A discount is a row of its own, negative, with a SKU of its own and the id of the item that it takes money off
//!   (`AppliedToInvoiceItemId`). It counts for that item's service and its own period, and without a quantity, so that money per service
//!   and month is right and a price per unit is net. Processing types are words in the CSV and numbers in the API (0 charge, 1 discount,
//!   2 prepayment, 3 tax).
//! - Credit memos are documents of their own with positive amounts: negative lines that name the invoice item they come from.
//! - `Draft`, `Generating` and `PendingForTax` are drafts; `Canceled` and `Error` are void. A posted invoice is reversed by a credit memo for all of
//!   it, so both count. A credit memo is reversed by a debit memo, which is not read: a memo that is `reversed` is void.
//! - The customer is the account id; its number and the id of the account in the CRM are links.
//!
//! Assumed: without a charge type (the API's items have none) a charge recurs; reversals as said; an item became known when its
//! invoice was posted.

use super::{Column, Export, Shape, Source};
use crate::lake::Table;

/// The system and its exports.
pub static SOURCE: Source = Source {
    system: "zuora",
    title: "Zuora",
    exports: &[
        Export {
            entity: "invoices",
            how_to_export: "API: GET /object-query/invoices?expand[]=invoiceitems&expand[]=account&pageSize=99, every page saved as it came",
            shape: Shape::Json { envelope: "data", object: None, lines: Some(&["invoiceItems"]) },
            signature: &["accountId", "invoiceNumber", "invoiceDate", "status"],
            columns: &[
                Column::text("id").required(),
                Column::text("invoiceNumber").required(),
                Column::text("accountId").required(),
                Column::text("account.name"),
                Column::text("account.accountNumber"),
                Column::text("account.crmId"),
                Column::currency("currency").also(&["account.currency"]).required_or("export the invoices with expand[]=account"),
                Column::iso("invoiceDate").required(),
                Column::iso("postedDate"),
                Column::text("status").required(),
                Column::text("line.id")
                    .required_or("the invoice stands here without its items; export with expand[]=invoiceitems"),
                Column::decimal("line.chargeAmount").required(),
                Column::text("line.chargeName"),
                Column::text("line.processingType"),
                Column::text("line.appliedToInvoiceItemId"),
                Column::decimal("line.quantity"),
                Column::decimal("line.unitPrice"),
                Column::text("line.sKU"),
                Column::text("line.productRatePlanChargeId"),
                Column::iso("line.serviceStartDate"),
                Column::iso("line.serviceEndDate"),
            ],
            nulls: &[],
            target: Table::InvoiceLine,
            beside: &[Table::CustomerLink],
            unique: &["line.id"],
            is_reference: false,
        },
        Export {
            entity: "credit_memos",
            how_to_export: "API: GET /object-query/credit-memos?expand[]=creditmemoitems&expand[]=account&pageSize=99, every page saved as it came",
            shape: Shape::Json { envelope: "data", object: None, lines: Some(&["creditMemoItems"]) },
            signature: &["accountId", "memoNumber", "memoDate", "status"],
            columns: &[
                Column::text("id").required(),
                Column::text("accountId").required(),
                Column::text("account.name"),
                Column::currency("currency").also(&["account.currency"]).required_or("export the memos with expand[]=account"),
                Column::iso("memoDate").required(),
                Column::iso("postedDate").also(&["postedOn"]),
                Column::text("status").required(),
                Column::boolean("reversed"),
                Column::text("line.id")
                    .required_or("the memo stands here without its items; export with expand[]=creditmemoitems"),
                Column::decimal("line.amountWithoutTax").also(&["line.amount"]).required(),
                Column::text("line.chargeName"),
                Column::text("line.processingType"),
                Column::text("line.invoiceItemId").also(&["line.creditFromItemId"]),
                Column::decimal("line.quantity"),
                Column::decimal("line.unitPrice"),
                Column::text("line.sku"),
                Column::text("line.productRatePlanChargeId"),
                Column::iso("line.serviceStartDate"),
                Column::iso("line.serviceEndDate"),
            ],
            nulls: &[],
            target: Table::InvoiceLine,
            beside: &[],
            unique: &["line.id"],
            is_reference: false,
        },
        Export {
            entity: "invoice_items",
            how_to_export: "Reporting > Data Sources > Invoice Item (CSV), with the fields of Invoice, Account and Rate Plan Charge",
            shape: Shape::Csv,
            signature: &["Invoice Item: Charge Amount", "Invoice Item: Service Start Date", "Invoice: ID", "Account: ID"],
            columns: &[
                Column::text("Invoice Item: ID").also(&["InvoiceItem.Id"]).required(),
                Column::text("Invoice: ID").also(&["Invoice.Id"]).required(),
                Column::text("Account: ID").also(&["Account.Id"]).required(),
                Column::text("Account: Name").also(&["Account.Name"]),
                Column::text("Account: Account Number").also(&["Account.AccountNumber"]),
                Column::text("Account: CRM Account ID").also(&["Account.CrmId"]),
                Column::currency("Account: Currency").also(&["Account.Currency", "Invoice: Currency"]).required(),
                Column::iso("Invoice: Invoice Date").also(&["Invoice.InvoiceDate"]).required(),
                Column::iso("Invoice: Posted Date").also(&["Invoice.PostedDate"]),
                Column::text("Invoice: Status").also(&["Invoice.Status"]).required(),
                Column::decimal("Invoice Item: Charge Amount").also(&["InvoiceItem.ChargeAmount"]).required(),
                Column::text("Invoice Item: Charge Name").also(&["InvoiceItem.ChargeName"]),
                Column::text("Invoice Item: Processing Type").also(&["InvoiceItem.ProcessingType"]),
                Column::text("Invoice Item: Applied To Invoice Item Id")
                    .also(&["Invoice Item: AppliedToInvoiceItemId", "InvoiceItem.AppliedToInvoiceItemId"]),
                Column::decimal("Invoice Item: Quantity").also(&["InvoiceItem.Quantity"]),
                Column::decimal("Invoice Item: Unit Price").also(&["InvoiceItem.UnitPrice"]),
                Column::text("Invoice Item: SKU").also(&["InvoiceItem.SKU"]),
                Column::text("Product Rate Plan Charge: ID").also(&["ProductRatePlanCharge.Id"]),
                Column::text("Rate Plan Charge: Charge Type").also(&[
                    "Product Rate Plan Charge: Charge Type",
                    "RatePlanCharge.ChargeType",
                    "Invoice Item: ChargeType",
                ]),
                Column::iso("Invoice Item: Service Start Date").also(&["InvoiceItem.ServiceStartDate"]),
                Column::iso("Invoice Item: Service End Date").also(&["InvoiceItem.ServiceEndDate"]),
            ],
            nulls: &[],
            target: Table::InvoiceLine,
            beside: &[Table::CustomerLink],
            unique: &["Invoice Item: ID"],
            is_reference: false,
        },
    ],
};
