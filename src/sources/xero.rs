//! Xero: invoices and credit notes of the accounting API.
//!
//! Source: `XeroAPI/xero-python` (`LineItem`, `Invoice`, `CreditNote`), Xero's pages "Invoices" and "Requests and responses", its published
//! example of `GET /Invoices`. Pages are `{"Invoices":[...]}`. Dates are `/Date(ms+0000)/`, local by their offset, beside the readable
//! `DateString`.
//!
//! - A list without `page=` leaves all lines out and shows `LineItems: []`. That is never read as nothing billed: such an invoice is a
//!   reject that says how to export it.
//! - `LineAmount` is after the line's discount. With `LineAmountTypes: Inclusive` it holds the line's tax, which is taken off (and the
//!   price per unit, which holds tax too, is left out). Amounts then sum to `SubTotal`.
//! - A line of text has neither price nor amount: a memo.
//! - `ACCPAY` is a bill that the MSP pays: accepted as kind `purchase`, which no revenue counts. (Rejecting it would make every usual export
//!   look faulty.)
//! - `VOIDED` and `DELETED` stay in the list, with the lines; `DRAFT` and `SUBMITTED` (not approved) are drafts.
//! - Credit notes are documents of their own with positive amounts: negative lines of their own item and date. Their allocations name
//!   invoices, never lines. Their lines may come without `LineItemID`, which Xero promises for invoices only: the place is the id.
//! - No field has a line's period. Templates of repeating invoices write it into the description, from which it is read (`period_in_text`);
//!   where none is stated, the charge belongs to the month of the invoice's date.
//! - `ContactNumber` is the contact's id in another system, as an integration wrote it; `AccountNumber` the one that people gave it.
//!
//! Assumed: a line of a repeating invoice, or one for a stated period, recurs; any other is a `sale`, of which `facts/billed_line` tells from the
//! rest of the book whether it does; an invoice became known when it was last updated. Without a stated period a line that is billed
//! in arrears, or for a quarter or a year, counts in the one month of its invoice: have the period written into the description
//! (`[Month] [Year]` in templates of repeating invoices).

use super::{Column, DateFormat, Export, LINE_POSITION, Shape, Source};
use crate::lake::Table;

const DATES: &[DateFormat] = &[DateFormat::DotNet, DateFormat::Iso];
const NO_LINES: &str = "a list leaves the lines out (`LineItems: []`); export with ?page=1, ?page=2 and so on, or by single id";

/// The columns of both documents, which differ in the names of their id and number.
macro_rules! columns {
    ($id:literal) => {
        &[
            Column::text($id).required(),
            Column::text("Type").required(),
            Column::text("Contact.ContactID").required(),
            Column::text("Contact.Name"),
            Column::text("Contact.ContactNumber"),
            Column::text("Contact.AccountNumber"),
            Column::instant("Date", DATES),
            Column::instant("DateString", DATES),
            Column::text("Status").required(),
            Column::text("LineAmountTypes"),
            Column::text("RepeatingInvoiceID"),
            Column::currency("CurrencyCode").required(),
            Column::instant("UpdatedDateUTC", DATES),
            Column::text("line.LineItemID").also(&[LINE_POSITION]).required_or(NO_LINES),
            Column::text("line.Description"),
            Column::decimal("line.Quantity"),
            Column::decimal("line.UnitAmount"),
            Column::text("line.ItemCode"),
            Column::text("line.Item.ItemID"),
            Column::text("line.Item.Name"),
            Column::text("line.AccountCode"),
            Column::text("line.RepeatingInvoiceID"),
            Column::decimal("line.TaxAmount"),
            Column::decimal("line.LineAmount"),
        ]
    };
}

/// The system and its exports.
pub static SOURCE: Source = Source {
    system: "xero",
    title: "Xero",
    exports: &[
        Export {
            entity: "invoices",
            how_to_export: "API: GET /api.xro/2.0/Invoices?page=1 (only pages have lines), every page saved as it came",
            shape: Shape::Json { envelope: "Invoices", object: None, lines: Some(&["LineItems"]) },
            signature: &["InvoiceID", "Type", "Contact", "LineAmountTypes"],
            columns: columns!("InvoiceID"),
            nulls: &[],
            target: Table::InvoiceLine,
            beside: &[Table::CustomerLink],
            unique: &["InvoiceID", "line.LineItemID"],
            is_reference: false,
        },
        Export {
            entity: "credit_notes",
            how_to_export: "API: GET /api.xro/2.0/CreditNotes?page=1 (only pages have lines), every page saved as it came",
            shape: Shape::Json { envelope: "CreditNotes", object: None, lines: Some(&["LineItems"]) },
            signature: &["CreditNoteID", "Type", "Contact", "LineAmountTypes"],
            columns: columns!("CreditNoteID"),
            nulls: &[],
            target: Table::InvoiceLine,
            beside: &[],
            unique: &["CreditNoteID", "line.LineItemID"],
            is_reference: false,
        },
    ],
};
