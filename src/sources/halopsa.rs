//! `HaloPSA`: clients, users, contracts, recurring invoices, invoices, pro-rata rows, licences, assets, items and the logs of what changed.
//!
//! Source: the vendor's Swagger (API v2) as mirrored in `halopsa-rest`, and public clients that read live tenants. Pages are
//! `{"record_count": n, "<entities>": [...]}`; a list leaves lines out unless it was asked for them, and such a record is rejected: no
//! line is not nothing billed. Ids may be written `12.0`; 0 and -1 mean no id, dates of 1899, 1900 and the year 1 no date.
//!
//! | native id | is |
//! | --- | --- |
//! | customer | `client_id` |
//! | SKU | `item_code`, else `_itemid`; `user` for users; the asset type's name for assets |
//! | contract | `contract_id`; `recurring:` and the id of a recurring invoice without one; `items:` and the client for recurring items |
//!
//! **Currency.** Amounts stand twice: plain in the MSP's currency, `_converted` in the client's, which `currency_code_name` names. The
//! client's is read throughout; without the twin the plain amount is taken for it, which is right where both are the same.
//!
//! **Price of a month.** A line's price is that of its billing period, whose codes are bare integers that no vendor text explains. Its label
//! counts (`Monthly`, `Quarterly`, ...), else the header's own period dates, else code 2, which a public client verified as monthly;
//! anything else leaves the line without a price rather than with a guessed one. `contract_line.unit_price` is the price of a unit and
//! month, after the line's discount.
//!
//! **Billed.** `net_amount` is after discount and without tax. A credit note (linked to an invoice, or with a negative total) takes back,
//! whichever sign its lines have. An invoice that is neither posted nor sent to the accounts nor paid is a draft. A pro-rata row is
//! `not_invoiced` until `isinvoiced`; then its money stands on the invoice's own lines, and the row is `itemised`.
//!
//! **Seats.** Users and assets have no date of leaving: they are states of a dated list ([`crate::lake::Table::SubjectState`]). A service account or
//! one that automated billing ignores is `not_billable`. Licences are what the vendor holds ready (category `entitled`), for the month of
//! the list; vendor files state the same seats and their cost, so neither is summed from here.
//!
//! **Period.** The line's days, else the invoice's, else what the line's text states (`period_in_text`).
//!
//! Assumed: an invoice's period that ends on the day of the month on which it began is whole months, and that day is no longer billed; any
//! other end is the last day that is. The end of a contract and of its lines is the last day, and a rolling contract goes on beyond it. A
//! calculated quantity is net of free units; a line set inactive ended with the first list that says so; recurring items are priced by the
//! month; nothing under a contract that is not to be invoiced (`dontinvoice`) is owed.

use super::{Column, Export, Shape, Source};
use crate::lake::Table;

/// What a record without lines is rejected with.
const ASK_FOR_LINES: &str = "the list leaves lines out; export it with includelines=true";

/// How the system writes that there is no date.
const NO_DATE: &[&str] = &[
    "0001-01-01T00:00:00",
    "0001-01-01T00:00:00Z",
    "1899-12-30T00:00:00",
    "1899-12-30T00:00:00Z",
    "1899-12-31T00:00:00",
    "1900-01-01T00:00:00",
    "1900-01-01T00:00:00Z",
    "1900-01-01T00:00:00.000Z",
];

const fn page(envelope: &'static str) -> Shape {
    Shape::Json { envelope, object: None, lines: None }
}

const fn page_with_lines(envelope: &'static str) -> Shape {
    Shape::Json { envelope, object: None, lines: Some(&["lines"]) }
}

/// What all exports have in common.
const EXPORT: Export = Export {
    entity: "",
    how_to_export: "",
    shape: page(""),
    signature: &[],
    columns: &[],
    nulls: NO_DATE,
    target: Table::InvoiceLine,
    beside: &[],
    unique: &["id"],
    is_reference: false,
};

/// The system and its exports.
pub static SOURCE: Source = Source {
    system: "halopsa",
    title: "HaloPSA",
    exports: &[
        Export {
            entity: "clients",
            how_to_export: "API: GET /api/Client?includedetails=true&includeinactive=true&pageinate=true, every page saved as it came",
            shape: page("clients"),
            signature: &["toplevel_id", "name", "inactive"],
            columns: &[
                Column::id("id").required(),
                Column::text("name").required(),
                Column::boolean("inactive"),
                Column::currency("currencyisocode"),
                Column::id("connectwiseid"),
                Column::id("autotaskid"),
                Column::text("xeroid"),
                Column::id("qboid"),
                Column::text("stripe_customer_id"),
                Column::text("azure_tenant_id"),
                Column::text("azure_tenants"),
                Column::text("customfields"),
            ],
            target: Table::Company,
            beside: &[Table::CustomerLink],
            ..EXPORT
        },
        Export {
            entity: "users",
            how_to_export: "API: GET /api/Users?includeinactive=true&includedetails=true&pageinate=true, one folder per day with its date in the name",
            shape: page("users"),
            signature: &["emailaddress", "client_id", "inactive"],
            columns: &[
                Column::id("id").required(),
                Column::id("client_id").required(),
                Column::boolean("inactive").required(),
                Column::boolean("isserviceaccount"),
                Column::boolean("ignoreautomatedbilling"),
                Column::iso("datecreated"),
                Column::text("azure_tenant_id"),
            ],
            target: Table::SubjectState,
            beside: &[Table::CustomerLink],
            ..EXPORT
        },
        Export {
            entity: "contracts",
            how_to_export: "API: GET /api/ClientContract?includeinactive=true&includedetails=true&pageinate=true, every page saved as it came",
            shape: page("contracts|clientcontracts"),
            signature: &["ref", "client_id", "start_date"],
            columns: &[
                Column::id("id").required(),
                Column::id("client_id").required(),
                Column::text("client_name"),
                Column::text("ref"),
                Column::text("refextra"),
                Column::iso("start_date"),
                Column::iso("end_date"),
                Column::boolean("active"),
                Column::boolean("expired"),
                Column::boolean("rollingcontract"),
                Column::boolean("dontinvoice"),
                Column::text("contract_status"),
                Column::id("billingperiod"),
                Column::text("billing_period_string"),
                Column::currency("currency_code_name"),
            ],
            target: Table::Contract,
            ..EXPORT
        },
        Export {
            entity: "recurring_invoices",
            how_to_export: "API: GET /api/RecurringInvoice?includelines=true&pageinate=true, one folder per day with its date in the name",
            shape: page_with_lines("invoices|recurringinvoices"),
            signature: &["id", "client_id", "nextcreationdate"],
            columns: &[
                Column::boolean("is_recurring_invoice"),
                Column::id("id").required(),
                Column::id("client_id").required(),
                Column::text("client_name"),
                Column::id("contract_id"),
                Column::boolean("disabled"),
                Column::id("period"),
                Column::text("period_string"),
                Column::text("billing_period_string"),
                Column::iso("period_start_date"),
                Column::iso("period_end_date"),
                Column::iso("startdate"),
                Column::iso("enddate"),
                Column::currency("currency_code_name"),
                Column::id("line.id").required_or(ASK_FOR_LINES),
                Column::id("line.contract_id"),
                Column::text("line.item_code"),
                Column::id("line._itemid"),
                Column::text("line.item_shortdescription"),
                Column::decimal("line.qty_order"),
                Column::decimal("line.unit_price"),
                Column::decimal("line.unit_price_converted"),
                Column::decimal("line.unit_cost"),
                Column::decimal("line.cost_converted"),
                Column::decimal("line.discount_perc"),
                Column::iso("line.startdate"),
                Column::iso("line.enddate"),
                Column::boolean("line.isinactive"),
                Column::boolean("line.onetimecharge"),
                Column::boolean("line.isgroupdesc"),
            ],
            target: Table::ContractLine,
            beside: &[Table::Contract],
            unique: &["id", "line.id"],
            ..EXPORT
        },
        Export {
            entity: "recurring_items",
            how_to_export: "API: GET /api/RecurringItem, every page saved as it came",
            shape: page("recurringitems|items"),
            signature: &["client_id", "item_id", "sellingprice"],
            columns: &[
                Column::id("id").required(),
                Column::id("client_id").required(),
                Column::text("client_name"),
                Column::id("item_id"),
                Column::text("item_code"),
                Column::text("item_name"),
                Column::decimal("quantity").required(),
                Column::decimal("sellingprice"),
                Column::decimal("costprice"),
                Column::iso("startdate"),
                Column::iso("enddate"),
                Column::boolean("dontinvoice"),
            ],
            target: Table::ContractLine,
            beside: &[Table::Contract],
            ..EXPORT
        },
        Export {
            entity: "invoices",
            how_to_export: "API: GET /api/Invoice?includelines=true&includecredits=true&includeinvoices=true&pageinate=true, every page saved as it came",
            shape: page_with_lines("invoices"),
            signature: &["client_id", "invoice_date", "invoicenumber"],
            columns: &[
                Column::text("invoicenumber"),
                Column::text("duedate"),
                Column::id("id").required(),
                Column::id("client_id").required(),
                Column::text("client_name"),
                Column::iso("invoice_date").required(),
                Column::boolean("posted"),
                Column::iso("dateposted"),
                Column::boolean("voided"),
                Column::text("xeroid"),
                Column::id("qboid"),
                Column::decimal("amountpaid"),
                Column::decimal("total"),
                Column::iso("period_start_date"),
                Column::iso("period_end_date"),
                Column::currency("currency_code_name").required(),
                Column::id("recurring_invoice_id"),
                Column::id("creditlinkedtoinvoiceid"),
                Column::id("line.id").required_or(ASK_FOR_LINES),
                Column::text("line.item_code"),
                Column::id("line._itemid"),
                Column::text("line.item_shortdescription"),
                Column::text("line.item_longdescription"),
                Column::decimal("line.qty_order"),
                Column::decimal("line.unit_price"),
                Column::decimal("line.unit_price_converted"),
                Column::decimal("line.net_amount"),
                Column::decimal("line.net_amount_converted"),
                Column::decimal("line.discount_perc"),
                Column::iso("line.startdate"),
                Column::iso("line.enddate"),
                Column::id("line.recurring_invoice_id"),
                Column::id("line.recurring_invoice_line_id"),
                Column::id("line.creditlinkedidid"),
                Column::boolean("line.onetimecharge"),
                Column::boolean("line.is_meter"),
                Column::boolean("line.isgroupdesc"),
            ],
            target: Table::InvoiceLine,
            unique: &["id", "line.id"],
            ..EXPORT
        },
        Export {
            entity: "prorata",
            how_to_export: "API: GET /api/InvoiceDetailProRata, every page saved as it came, at least once a month",
            shape: page("invoicedetailproratas|proratas"),
            signature: &["invoicedetailid", "isinvoiced", "quantity"],
            columns: &[
                Column::id("id").required(),
                Column::id("client_id").required(),
                Column::id("invoicedetailid"),
                Column::id("recurring_invoice_id"),
                Column::text("item_code"),
                Column::id("_itemid"),
                Column::iso("date").required(),
                Column::decimal("quantity").required(),
                Column::decimal("unitprice").required(),
                Column::currency("currency_code_name"),
                Column::boolean("isinvoiced").required(),
                Column::boolean("isfuturepr"),
            ],
            target: Table::InvoiceLine,
            ..EXPORT
        },
        Export {
            entity: "invoice_changes",
            how_to_export: "API: GET /api/InvoiceChange, every page saved as it came",
            shape: page("invoicechanges"),
            signature: &["invoice_line_id", "field_name", "old_value"],
            columns: &[
                Column::id("invoice_id"),
                Column::id("invoice_line_id"),
                Column::text("field_name").required(),
                Column::text("old_value"),
                Column::text("new_value"),
                Column::text("who"),
                Column::iso("datetime").required(),
            ],
            target: Table::ChangeLog,
            unique: &[],
            ..EXPORT
        },
        Export {
            entity: "licences",
            how_to_export: "API: GET /api/SoftwareLicence?includeinactive=true&pageinate=true, every page saved as it came, at least once a month",
            shape: page("licences|softwarelicences"),
            signature: &["client_id", "licences_in_use", "name"],
            columns: &[
                Column::id("id").required(),
                Column::text("name").required(),
                Column::id("client_id"),
                Column::decimal("count").required(),
                Column::text("tenant_id"),
                Column::text("vendor"),
                Column::text("distributor"),
                Column::text("product_sku"),
                Column::text("vendor_product_sku"),
                Column::decimal("purchase_price"),
                Column::currency("currency_code_name"),
                Column::text("billing_cycle"),
                Column::boolean("is_active"),
                Column::boolean("deleted"),
            ],
            target: Table::VendorUsage,
            beside: &[Table::CustomerLink],
            ..EXPORT
        },
        Export {
            entity: "licence_changes",
            how_to_export: "API: GET /api/LicenceChange (or /api/SubscriptionQuantityChange), every page saved as it came",
            shape: page("licencechanges|subscriptionquantitychanges"),
            signature: &["licence_id", "current_quantity", "new_quantity"],
            columns: &[
                Column::id("licence_id").required(),
                Column::id("client_id"),
                Column::text("current_quantity"),
                Column::text("new_quantity").required(),
                Column::text("who"),
                Column::iso("change_date").required(),
            ],
            target: Table::ChangeLog,
            unique: &[],
            ..EXPORT
        },
        Export {
            entity: "assets",
            how_to_export: "API: GET /api/Asset?includeinactive=true&pageinate=true, one folder per day with its date in the name",
            shape: page("assets"),
            signature: &["inventory_number", "client_id", "assettype_name"],
            columns: &[
                Column::id("id").required(),
                Column::id("client_id").required(),
                Column::id("assettype_id"),
                Column::text("assettype_name"),
                Column::boolean("inactive"),
                Column::iso("stock_date"),
                Column::iso("commissiondate"),
            ],
            target: Table::SubjectState,
            ..EXPORT
        },
        Export {
            entity: "items",
            how_to_export: "API: GET /api/Item?includedetails=true&pageinate=true, every page saved as it came",
            shape: page("items"),
            signature: &["name", "baseprice", "costprice"],
            columns: &[
                Column::id("id").required(),
                Column::text("name"),
                Column::text("item_code"),
                Column::decimal("baseprice"),
                Column::decimal("costprice"),
                Column::decimal("recurringprice"),
                Column::decimal("recurringcost"),
                Column::boolean("isrecurringitem"),
                Column::boolean("inactive"),
                Column::text("item_default_billing_period"),
            ],
            target: Table::Product,
            ..EXPORT
        },
    ],
};
