//! Datto/Kaseya Autotask PSA: companies, contracts, services and bundles with their units, charges, billing items, invoices, configuration
//! items, subscriptions, currencies.
//!
//! Sources: the vendor's developer help ("ContractServiceUnits", "ContractServices", "BillingItems", "Currencies", "About recurring service
//! contract entity relationships") and the client library `AutoTask.Psa.Api`, generated from the vendor's Swagger. Pages are
//! `{"items": [...], "pageDetails": {...}}`; names are matched without case. Every entity has an `id` of its own series, so lines of
//! contracts carry their entity before it (`unit:501`).
//!
//! | native id | is |
//! | --- | --- |
//! | customer | `companyID` |
//! | SKU | `serviceID`; `bundle:` and `serviceBundleID`; `material:` and the billing code for charges and subscriptions; `product:` and `productID` for devices without a service |
//!
//! **Units and prices.** A unit row states how many units a contract has from `startDate` to `endDate`: a billing period, or a part of one
//! where the number changed (the row before then ends on the day on which the next one begins). It needs no snapshots; the same id with other
//! content is a correction. `ContractServices` has the price without the units. Queries of facts join the two
//! (`facts/contract_period`). `price` of a unit row is the price of *all* its units (a public client measured this on live tenants:
//! 11 units at 23.10 say 254.10; the vendor's text does not say).
//!
//! **Posted, invoiced, billed.** `approveAndPostDate` of a unit row (`postedDate` of a subscription period) is empty until it is posted. A
//! billing item is what was posted; `invoiceID` is 0 or empty until it stands on an invoice (status `not_invoiced`), and its `extendedPrice`, in
//! the customer's currency and without tax, is the amount. An item keeps its id when it moves to an invoice.
//!
//! **Currency.** No export but `Currencies` says a code: companies name a currency by number, amounts are in the company's currency. Without a
//! number the tenant's internal currency holds; without `Currencies` (or a mapping file `currencies.csv`) money is in `XXX`,
//! ISO 4217's code for none, which is compared with itself and never added to another.
//!
//! Assumed, since no vendor text settles it: ends are last days that still count, and a day on which two unit rows meet belongs to the
//! later; an invoice's `toDate` is its last day; credits have negative amounts; a user-defined field of a company whose name has "tenant" in
//! it and whose value is a GUID is its Microsoft tenant (nothing is read from names of contracts).
//!
//! Picklists are integers that differ between tenants and are kept as text, except where a meaning is needed: `periodType` (2 monthly, 3
//! quarterly, 4 semi-annual, 5 yearly: the values of the vendor's own list) and `status` of subscriptions (1 active). A tenant with other
//! numbers gives `--queries` a folder with its own `staging/autotask_services.sql`. Contracts of every type land; only recurring service
//! contracts (`contractType` 7) have units.

use super::{Column, Export, Shape, Source};
use crate::lake::Table;

const PAGE: Shape = Shape::Json { envelope: "items", object: None, lines: None };

/// What all exports have in common.
const EXPORT: Export = Export {
    entity: "",
    how_to_export: "",
    shape: PAGE,
    signature: &[],
    columns: &[],
    nulls: &[],
    target: Table::ContractLine,
    beside: &[],
    unique: &["id"],
    is_reference: false,
};

/// The system and its exports.
pub static SOURCE: Source = Source {
    system: "autotask",
    title: "Autotask PSA",
    exports: &[
        Export {
            entity: "companies",
            how_to_export: "API: GET /V1.0/Companies/query, every page saved as it came",
            signature: &["companyName", "companyType"],
            columns: &[
                Column::text("id").required(),
                Column::text("companyName").required(),
                Column::text("companyNumber"),
                Column::text("currencyID"),
                Column::boolean("isActive"),
                Column::text("userDefinedFields"),
            ],
            target: Table::Company,
            beside: &[Table::CustomerLink],
            ..EXPORT
        },
        Export {
            entity: "contracts",
            how_to_export: "API: GET /V1.0/Contracts/query, every page saved as it came",
            signature: &["contractName", "contractType", "companyID"],
            columns: &[
                Column::text("id").required(),
                Column::text("companyID").required(),
                Column::text("billToCompanyID"),
                Column::text("contractName"),
                Column::text("contractPeriodType"),
                Column::text("status"),
                Column::iso("startDate").required(),
                Column::iso("endDate"),
            ],
            target: Table::Contract,
            ..EXPORT
        },
        Export {
            entity: "contract_services",
            how_to_export: "API: GET /V1.0/ContractServices/query, one file per day that carries its date in the name (prices)",
            signature: &["contractID", "serviceID", "unitPrice"],
            columns: &[
                Column::text("id").required(),
                Column::text("contractID").required(),
                Column::text("serviceID").required(),
                Column::text("invoiceDescription"),
                Column::decimal("unitPrice"),
                Column::decimal("unitCost"),
                Column::decimal("adjustedPrice"),
                Column::decimal("internalCurrencyUnitPrice"),
                Column::decimal("internalCurrencyAdjustedPrice"),
            ],
            ..EXPORT
        },
        Export {
            entity: "contract_service_units",
            how_to_export: "API: GET /V1.0/ContractServiceUnits/query, every page saved as it came (quantities)",
            signature: &["contractServiceID", "units", "startDate", "endDate"],
            columns: &[
                Column::text("id").required(),
                Column::text("contractID").required(),
                Column::text("contractServiceID").required(),
                Column::text("serviceID"),
                Column::decimal("units").required(),
                Column::decimal("price"),
                Column::iso("startDate").required(),
                Column::iso("endDate").required(),
                Column::iso("approveAndPostDate"),
            ],
            ..EXPORT
        },
        Export {
            entity: "contract_service_bundles",
            how_to_export: "API: GET /V1.0/ContractServiceBundles/query, one file per day that carries its date in the name (prices)",
            signature: &["contractID", "serviceBundleID", "unitPrice"],
            columns: &[
                Column::text("id").required(),
                Column::text("contractID").required(),
                Column::text("serviceBundleID").required(),
                Column::text("invoiceDescription"),
                Column::decimal("unitPrice"),
                Column::decimal("adjustedPrice"),
                Column::decimal("internalCurrencyUnitPrice"),
                Column::decimal("internalCurrencyAdjustedPrice"),
            ],
            ..EXPORT
        },
        Export {
            entity: "contract_service_bundle_units",
            how_to_export: "API: GET /V1.0/ContractServiceBundleUnits/query, every page saved as it came (quantities)",
            signature: &["contractServiceBundleID", "units", "startDate", "endDate"],
            columns: &[
                Column::text("id").required(),
                Column::text("contractID").required(),
                Column::text("contractServiceBundleID").required(),
                Column::text("serviceBundleID"),
                Column::decimal("units").required(),
                Column::decimal("price"),
                Column::iso("startDate").required(),
                Column::iso("endDate").required(),
                Column::iso("approveAndPostDate"),
            ],
            ..EXPORT
        },
        Export {
            entity: "services",
            how_to_export: "API: GET /V1.0/Services/query, every page saved as it came",
            signature: &["name", "periodType", "markupRate"],
            columns: &[
                Column::text("id").required(),
                Column::text("name").required(),
                Column::text("periodType"),
                Column::decimal("unitPrice"),
                Column::decimal("unitCost"),
                Column::boolean("isActive"),
            ],
            target: Table::Product,
            ..EXPORT
        },
        Export {
            entity: "service_bundles",
            how_to_export: "API: GET /V1.0/ServiceBundles/query, every page saved as it came",
            signature: &["name", "periodType", "percentageDiscount", "unitDiscount"],
            columns: &[
                Column::text("id").required(),
                Column::text("name").required(),
                Column::text("periodType"),
                Column::decimal("unitPrice"),
                Column::decimal("unitCost"),
                Column::boolean("isActive"),
            ],
            target: Table::Product,
            ..EXPORT
        },
        Export {
            entity: "contract_charges",
            how_to_export: "API: GET /V1.0/ContractCharges/query, every page saved as it came",
            signature: &["contractID", "unitQuantity", "billableAmount", "isBilled"],
            columns: &[
                Column::text("id").required(),
                Column::text("contractID").required(),
                Column::text("name"),
                Column::text("billingCodeID"),
                Column::text("productID"),
                Column::iso("datePurchased").required(),
                Column::decimal("unitQuantity").required(),
                Column::decimal("unitPrice"),
                Column::decimal("unitCost"),
                Column::decimal("billableAmount"),
                Column::boolean("isBillableToCompany"),
                Column::boolean("isBilled"),
            ],
            ..EXPORT
        },
        Export {
            entity: "billing_items",
            how_to_export: "API: GET /V1.0/BillingItems/query, every page saved as it came (lines, posted and invoiced)",
            signature: &["companyID", "billingItemType", "extendedPrice"],
            columns: &[
                Column::text("id").required(),
                Column::text("companyID").required(),
                Column::text("contractID"),
                Column::text("contractServiceID"),
                Column::text("contractServiceBundleID"),
                Column::text("contractServiceAdjustmentID"),
                Column::text("contractServiceBundleAdjustmentID"),
                Column::text("contractChargeID"),
                Column::text("configurationItemID"),
                Column::text("timeEntryID"),
                Column::text("expenseItemID"),
                Column::text("milestoneID"),
                Column::text("projectChargeID"),
                Column::text("ticketChargeID"),
                Column::text("ticketID"),
                Column::text("serviceID"),
                Column::text("serviceBundleID"),
                Column::text("billingCodeID"),
                Column::text("invoiceID"),
                Column::text("lineItemID"),
                Column::text("itemName"),
                Column::text("description"),
                Column::text("nonBillable"),
                Column::iso("itemDate"),
                Column::iso("postedDate"),
                Column::decimal("quantity"),
                Column::decimal("rate"),
                Column::decimal("extendedPrice").required(),
            ],
            target: Table::InvoiceLine,
            ..EXPORT
        },
        Export {
            entity: "invoices",
            how_to_export: "API: GET /V1.0/Invoices/query, every page saved as it came (headers)",
            signature: &["companyID", "invoiceDateTime", "invoiceTotal"],
            columns: &[
                Column::text("id").required(),
                Column::text("companyID").required(),
                Column::text("invoiceNumber"),
                Column::iso("invoiceDateTime").required(),
                Column::iso("fromDate"),
                Column::iso("toDate"),
                Column::decimal("invoiceTotal"),
                Column::boolean("isVoided"),
                Column::iso("paidDate"),
            ],
            target: Table::Invoice,
            ..EXPORT
        },
        Export {
            entity: "configuration_items",
            how_to_export: "API: GET /V1.0/ConfigurationItems/query, one file per day that carries its date in the name",
            signature: &["companyID", "installDate", "referenceTitle"],
            columns: &[
                Column::text("id").required(),
                Column::text("companyID").required(),
                Column::text("serviceID"),
                Column::text("serviceBundleID"),
                Column::text("productID"),
                Column::iso("installDate"),
                Column::iso("createDate"),
                Column::boolean("isActive").required(),
            ],
            target: Table::SubjectState,
            beside: &[Table::LifecycleEvent],
            ..EXPORT
        },
        Export {
            entity: "subscriptions",
            how_to_export: "API: GET /V1.0/Subscriptions/query, every page saved as it came",
            signature: &["configurationItemID", "subscriptionName", "periodPrice"],
            columns: &[
                Column::text("id").required(),
                Column::text("configurationItemID").required(),
                Column::text("subscriptionName"),
                Column::text("materialCodeID"),
                Column::text("periodType"),
                Column::text("status"),
                Column::decimal("periodPrice"),
                Column::decimal("periodCost"),
                Column::iso("effectiveDate").required(),
                Column::iso("expirationDate"),
            ],
            beside: &[Table::Contract],
            ..EXPORT
        },
        Export {
            entity: "subscription_periods",
            how_to_export: "API: GET /V1.0/SubscriptionPeriods/query, every page saved as it came",
            signature: &["subscriptionID", "periodDate", "periodPrice"],
            columns: &[
                Column::text("id").required(),
                Column::text("subscriptionID").required(),
                Column::iso("periodDate").required(),
                Column::decimal("periodPrice").required(),
                Column::decimal("periodCost"),
                Column::iso("postedDate"),
            ],
            ..EXPORT
        },
        Export {
            entity: "currencies",
            how_to_export: "API: GET /V1.0/Currencies/query, saved as it came (answers without the multi-currency module too)",
            signature: &["name", "exchangeRate", "isInternalCurrency"],
            columns: &[
                Column::text("id").required(),
                Column::text("name"),
                Column::text("description"),
                Column::boolean("isInternalCurrency").required(),
            ],
            target: Table::Currency,
            is_reference: true,
            ..EXPORT
        },
    ],
};
