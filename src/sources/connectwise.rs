//! `ConnectWise` PSA (Manage): companies, agreements, additions as dated snapshots, product items, configurations.
//!
//! Files are bare JSON arrays (one page or several in a row), properties in camelCase, references nested with an `_info` map,
//! empty properties left out. Dates are UTC instants even for pure dates and are not shifted. Field names and types: the vendor's
//! `OpenAPI` description as mirrored in `pyconnectwise`.
//!
//! A sub-agreement (`parentAgreement`) is a contract of its own company: its additions belong to that company whoever is billed, and where it
//! names no currency its parent's holds. A product item on a credit memo takes back, whichever sign its price has: the sign could not be
//! verified. The Microsoft tenant of a company is a GUID in a custom field whose caption has "tenant" in it, alone or within a link.
//! Configurations are states of a dated list ([`crate::lake::Table::SubjectState`]); for an inactive one `lastUpdated` is not before the day on
//! which it went out of use, and is not read again once a list has shown it inactive.
//!
//! Two readings that no vendor text settles: `cancelledDate` is the first day that is no longer in force, and an addition's
//! quantity in a snapshot holds from the snapshot's date (from `effectiveDate` in the first one) until the next snapshot.

use super::{Column, Export, Shape, Source};
use crate::lake::Table;

const BARE_ARRAY: Shape = Shape::Json { envelope: "items", object: None, lines: None };

/// The system and its exports.
pub static SOURCE: Source = Source {
    system: "connectwise",
    title: "ConnectWise PSA",
    exports: &[
        Export {
            entity: "companies",
            how_to_export: "API: GET /company/companies, every page saved as it came",
            shape: BARE_ARRAY,
            signature: &["identifier", "name"],
            columns: &[
                Column::text("id").required(),
                Column::text("identifier"),
                Column::text("name").required(),
                Column::text("status.name"),
                Column::text("currency.currencyCode"),
                Column::boolean("deletedFlag"),
                Column::text("customFields"),
            ],
            nulls: &[],
            target: Table::Company,
            beside: &[Table::CustomerLink],
            unique: &["id"],
            is_reference: false,
        },
        Export {
            entity: "agreements",
            how_to_export: "API: GET /finance/agreements, every page saved as it came",
            shape: BARE_ARRAY,
            signature: &["name", "company", "startDate"],
            columns: &[
                Column::text("id").required(),
                Column::text("name"),
                Column::text("company.id").required(),
                Column::text("company.identifier"),
                Column::text("company.name"),
                Column::text("parentAgreement.id"),
                Column::currency("currency.currencyCode"),
                Column::text("billingCycle.name"),
                Column::text("agreementStatus"),
                Column::boolean("cancelledFlag"),
                Column::iso("startDate").required(),
                Column::iso("endDate"),
                Column::iso("dateCancelled"),
            ],
            nulls: &[],
            target: Table::Contract,
            beside: &[],
            unique: &["id"],
            is_reference: false,
        },
        Export {
            entity: "additions",
            how_to_export: "API: GET /finance/agreements/{id}/additions, one file per day that carries its date in the name",
            shape: BARE_ARRAY,
            signature: &["agreementId", "product", "quantity"],
            columns: &[
                Column::text("id").required(),
                Column::text("agreementId").required(),
                Column::text("product.id"),
                Column::text("product.identifier"),
                Column::text("description"),
                Column::text("invoiceDescription"),
                Column::decimal("quantity").required(),
                Column::decimal("lessIncluded"),
                Column::decimal("unitPrice"),
                Column::decimal("unitCost"),
                Column::text("billCustomer"),
                Column::text("agreementStatus"),
                Column::iso("effectiveDate").required(),
                Column::iso("cancelledDate"),
            ],
            nulls: &[],
            target: Table::ContractLine,
            beside: &[],
            unique: &["agreementId", "id"],
            is_reference: false,
        },
        Export {
            entity: "products",
            how_to_export: "API: GET /procurement/products, every page saved as it came",
            shape: BARE_ARRAY,
            signature: &["catalogItem", "quantity", "price"],
            columns: &[
                Column::text("id").required(),
                Column::text("catalogItem.id"),
                Column::text("catalogItem.identifier"),
                Column::text("description"),
                Column::decimal("quantity").required(),
                Column::decimal("price").required(),
                Column::decimal("cost"),
                Column::text("billableOption"),
                Column::boolean("cancelledFlag"),
                Column::decimal("quantityCancelled"),
                Column::text("productClass"),
                Column::text("agreement.id"),
                Column::text("company.id"),
                Column::text("company.name"),
                Column::text("invoice.id"),
                Column::text("invoice.identifier"),
                Column::text("invoice.billingType"),
                Column::currency("currency.currencyCode"),
                Column::iso("purchaseDate"),
                Column::iso("invoice.date"),
            ],
            nulls: &[],
            target: Table::InvoiceLine,
            beside: &[],
            unique: &["id"],
            is_reference: false,
        },
        Export {
            entity: "configurations",
            how_to_export: "API: GET /company/configurations, one file per day that carries its date in the name",
            shape: BARE_ARRAY,
            signature: &["name", "type", "company", "activeFlag"],
            columns: &[
                Column::text("id").required(),
                Column::text("type.id"),
                Column::text("type.name"),
                Column::text("company.id").required(),
                Column::text("status.name"),
                Column::boolean("activeFlag").required(),
                Column::iso("installationDate"),
                Column::iso("_info.lastUpdated"),
            ],
            nulls: &[],
            target: Table::SubjectState,
            beside: &[],
            unique: &["id"],
            is_reference: false,
        },
    ],
};
