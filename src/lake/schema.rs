//! The canonical tables: their columns, types and partitions, in one place.
//!
//! Names are a contract (`README.md`, "What is in the lake"). Quantities, prices and amounts are `Decimal128(38, 18)`, instants are
//! UTC microseconds, periods are half-open. `key` names the columns that say which rows are versions of one another; the version known
//! last is the current truth (see [`crate::lake::truth`]).

use crate::money::{PRECISION, SCALE};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;

/// A table of the lake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// What vendors say was consumed, and what it cost.
    VendorUsage,
    /// The same, summed by month file by file ([`crate::lake::usage_sum`]).
    UsageSum,
    /// What was billed.
    InvoiceLine,
    /// What the PSA says a customer is entitled to and owes for.
    ContractLine,
    /// Headers of PSA contracts: who, which currency, until when.
    Contract,
    /// What a system sells or buys, by its own codes.
    Product,
    /// Headers of invoices whose lines stand in other exports: period, date, status.
    Invoice,
    /// Users, devices and seats that come and go, where the source dates it.
    LifecycleEvent,
    /// Users and devices as one dated list shows them: what changed between two lists is an event too.
    SubjectState,
    /// What a system's own change log says was edited: field, before, after.
    ChangeLog,
    /// The PSA's register of customers.
    Company,
    /// Ids of the same customer in other systems, as an export carries them.
    CustomerLink,
    /// Currencies by a system's own numbers, and which of them is its own.
    Currency,
    /// Crosswalk: customer ids of other systems.
    CustomerMap,
    /// Crosswalk: SKUs of other systems.
    ServiceMap,
    /// Exchange rates.
    Fx,
    /// Terms that no PSA export carries.
    ContractTerms,
    /// Until when service months could be billed in the normal run.
    BillingCalendar,
    /// One row per ingested file; a file is visible once it stands here.
    Batch,
    /// Rows that could not be accepted.
    Reject,
    /// One row per customer, service, month and currency.
    FactMonthly,
    /// What should have been billed and was not, split into causes.
    GapBridge,
    /// What an analysis says.
    Finding,
    /// The fact rows behind each finding.
    FindingEvidence,
    /// What happened when each finding began, the most likely cause first.
    FindingCause,
    /// Which signals could be tested on how much, and why not on the rest.
    Coverage,
    /// Whether revenue integrity rests on systems or on people, per run.
    Scorecard,
    /// Months of earlier findings whose money has come back.
    Recovered,
    /// What somebody decided about findings: appended, never part of a run.
    Mute,
    /// One row per analysis; an analysis is visible once it stands here.
    Run,
}

/// Every table of the lake.
pub const TABLES: &[Table] = &[
    Table::VendorUsage,
    Table::UsageSum,
    Table::InvoiceLine,
    Table::ContractLine,
    Table::Contract,
    Table::Product,
    Table::Invoice,
    Table::LifecycleEvent,
    Table::SubjectState,
    Table::ChangeLog,
    Table::Company,
    Table::CustomerLink,
    Table::Currency,
    Table::CustomerMap,
    Table::ServiceMap,
    Table::Fx,
    Table::ContractTerms,
    Table::BillingCalendar,
    Table::Batch,
    Table::Reject,
    Table::FactMonthly,
    Table::GapBridge,
    Table::Finding,
    Table::FindingEvidence,
    Table::FindingCause,
    Table::Coverage,
    Table::Scorecard,
    Table::Recovered,
    Table::Mute,
    Table::Run,
];

const TEXT: DataType = DataType::Utf8;
const DECIMAL: DataType = DataType::Decimal128(PRECISION, SCALE as i8);
const DATE: DataType = DataType::Date32;
const FLAG: DataType = DataType::Boolean;
const COUNT: DataType = DataType::Int64;
const REAL: DataType = DataType::Float64;

/// UTC microseconds, the type of every instant.
#[must_use]
pub fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

impl Table {
    /// Where it lies below the lake, such as `core/batch`.
    #[must_use]
    pub fn path(self) -> String {
        format!("{}/{}", self.area(), self.name())
    }

    /// Where a file of it lies below the lake, such as `core/batch/part-1.parquet`.
    #[must_use]
    pub fn file(self, path: &str) -> String {
        format!("{}/{path}", self.path())
    }

    /// Schema in SQL: `core` for what was ingested, `marts` for what was computed.
    #[must_use]
    pub fn area(self) -> &'static str {
        match self {
            Self::FactMonthly
            | Self::GapBridge
            | Self::Finding
            | Self::FindingEvidence
            | Self::FindingCause
            | Self::Coverage
            | Self::Scorecard
            | Self::Recovered
            | Self::Mute
            | Self::Run => "marts",
            _ => "core",
        }
    }

    /// Name in SQL and of the folder.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::VendorUsage => "vendor_usage",
            Self::UsageSum => "usage_sum",
            Self::InvoiceLine => "invoice_line",
            Self::ContractLine => "contract_line",
            Self::Contract => "contract",
            Self::Product => "product",
            Self::Invoice => "invoice",
            Self::LifecycleEvent => "lifecycle_event",
            Self::SubjectState => "subject_state",
            Self::ChangeLog => "change_log",
            Self::Company => "company",
            Self::CustomerLink => "customer_link",
            Self::Currency => "currency",
            Self::CustomerMap => "customer_map",
            Self::ServiceMap => "service_map",
            Self::Fx => "fx",
            Self::ContractTerms => "contract_terms",
            Self::BillingCalendar => "billing_calendar",
            Self::Batch => "batch",
            Self::Reject => "reject",
            Self::FactMonthly => "fact_monthly",
            Self::GapBridge => "gap_bridge",
            Self::Finding => "finding",
            Self::FindingEvidence => "finding_evidence",
            Self::FindingCause => "finding_cause",
            Self::Coverage => "coverage",
            Self::Scorecard => "scorecard",
            Self::Recovered => "recovered",
            Self::Mute => "mute",
            Self::Run => "run",
        }
    }

    /// Columns by which files are split into folders, after the data columns.
    #[must_use]
    pub fn partition_columns(self) -> &'static [&'static str] {
        match self {
            Self::VendorUsage | Self::UsageSum | Self::InvoiceLine => &["system", "service_month"],
            Self::GapBridge
            | Self::Finding
            | Self::FindingEvidence
            | Self::FindingCause
            | Self::Coverage
            | Self::Scorecard
            | Self::Recovered => &["quarter"],
            _ => &[],
        }
    }

    /// Columns by which the rows of a file are sorted, so that statistics prune and neighbours compress.
    #[must_use]
    pub fn sort_columns(self) -> &'static [&'static str] {
        match self {
            Self::VendorUsage | Self::InvoiceLine => &["customer_native_id", "native_sku", "period_start", "source_row"],
            Self::FactMonthly => &["customer_key", "service_key", "currency", "month"],
            _ => &[],
        }
    }

    /// Rows with equal values here are versions of one thing. Empty for tables without versions.
    #[must_use]
    pub fn key(self) -> &'static [&'static str] {
        match self {
            Self::VendorUsage => &[
                "customer_native_id",
                "native_sku",
                "subject_id",
                "line_key",
                "category",
                "is_correction",
                "currency",
                "period_start",
                "period_end",
            ],
            Self::InvoiceLine => &["invoice_id", "line_id"],
            Self::ContractLine => &["contract_id", "line_id"],
            Self::Contract => &["contract_id"],
            Self::LifecycleEvent => &["customer_native_id", "native_sku", "subject_kind", "subject_id", "event", "event_at"],
            Self::Product => &["native_sku"],
            Self::Invoice => &["invoice_id"],
            Self::SubjectState => &["customer_native_id", "native_sku", "subject_kind", "subject_id"],
            Self::ChangeLog => &["subject_kind", "subject_id", "parent_id", "field_name", "changed_at"],
            Self::Company => &["native_id"],
            Self::CustomerLink => &["native_id", "other_system", "other_id"],
            Self::Currency => &["native_id"],
            Self::CustomerMap => &["native_id", "valid_from"],
            Self::ServiceMap => &["native_sku", "valid_from"],
            Self::Fx => &["date", "from_currency", "to_currency"],
            Self::ContractTerms => &["customer_key", "service_key", "valid_from"],
            Self::BillingCalendar => &["customer_key", "service_month"],
            _ => &[],
        }
    }

    /// What makes two rows versions of one thing, in SQL: the key, but that PSA items exist before they are invoiced, and keep their number when
    /// they come to an invoice or go from a voided one to the next.
    #[must_use]
    pub fn identity(self) -> &'static [&'static str] {
        match self {
            Self::InvoiceLine => &["CASE WHEN system IN ('autotask', 'connectwise') THEN NULL ELSE invoice_id END", "line_id"],
            _ => self.key(),
        }
    }

    /// Whether ingest fills it, so that its rows carry `system`, `recorded_at`, `batch_id` and `source_row`.
    #[must_use]
    pub fn is_ingested(self) -> bool {
        !self.key().is_empty()
    }

    /// Columns in their order, partition columns included.
    #[must_use]
    pub fn schema(self) -> SchemaRef {
        let mut columns = self.columns();
        if self.is_ingested() {
            columns.insert(0, ("system", TEXT));
            if self.partition_columns().contains(&"service_month") {
                columns.push(("service_month", DATE));
            }
            columns.push(("recorded_at", instant()));
            columns.push(("is_always_known", FLAG));
            columns.push(("batch_id", TEXT));
            columns.push(("source_row", COUNT));
        }
        Arc::new(Schema::new(columns.into_iter().map(|(name, kind)| Field::new(name, kind, true)).collect::<Vec<_>>()))
    }

    fn columns(self) -> Vec<(&'static str, DataType)> {
        match self {
            Self::VendorUsage => vec![
                ("provider", TEXT),
                ("customer_native_id", TEXT),
                ("customer_native_name", TEXT),
                ("native_sku", TEXT),
                ("native_name", TEXT),
                ("subject_id", TEXT),
                ("line_key", TEXT),
                ("category", TEXT),
                ("measure", TEXT),
                ("quantity", DECIMAL),
                ("unit", TEXT),
                ("unit_cost", DECIMAL),
                ("cost", DECIMAL),
                ("currency", TEXT),
                ("period_start", instant()),
                ("period_end", instant()),
                ("is_correction", FLAG),
                // Rows of one statement are replaced together, from `statement_from` on, by the next delivery of it.
                ("statement", TEXT),
                ("statement_from", instant()),
                // The vendor's invoice, where an export comes both before and after it.
                ("vendor_invoice", TEXT),
            ],
            Self::UsageSum => vec![
                ("system", TEXT),
                ("provider", TEXT),
                ("customer_native_id", TEXT),
                ("native_sku", TEXT),
                ("currency", TEXT),
                ("measure", TEXT),
                ("category", TEXT),
                // Only of what must be spread over days.
                ("from_at", instant()),
                ("to_at", instant()),
                ("quantity", DECIMAL),
                ("cost", DECIMAL),
                ("source_rows", COUNT),
                ("recorded_at", instant()),
                ("batch_id", TEXT),
                ("service_month", DATE),
            ],
            Self::InvoiceLine => vec![
                ("invoice_id", TEXT),
                ("line_id", TEXT),
                ("customer_native_id", TEXT),
                ("customer_native_name", TEXT),
                ("native_sku", TEXT),
                ("native_name", TEXT),
                ("native_product", TEXT),
                // The line of the same system that this one takes money off: its service counts, and its period where none is said.
                ("origin_line_id", TEXT),
                // `recurring`, `usage`, `one_off`, `credit`, `sale` (its source does not say whether it recurs), `charge` (beside a
                // contract, by usage or single: its source does not say); no revenue: `tax`, `memo` (text, totals, movements of balances), `purchase`.
                ("kind", TEXT),
                ("is_proration", FLAG),
                ("status", TEXT),
                ("quantity", DECIMAL),
                ("unit_price", DECIMAL),
                ("amount", DECIMAL),
                ("currency", TEXT),
                ("period_start", instant()),
                ("period_end", instant()),
                ("invoice_date", DATE),
                // Lines with one value here are printed as one.
                ("group_id", TEXT),
                // The line of `contract_line` that it bills, where the source says so: its billing period is the line's.
                ("contract_line_id", TEXT),
            ],
            Self::ContractLine => vec![
                ("contract_id", TEXT),
                ("line_id", TEXT),
                // What a row states. `level` (or none): a quantity as a dated list shows it, in force from its list to the next.
                // `dated`: a quantity on stated days, which a later export can only correct. `price`: the price of the `dated` rows that
                // name it as their `parent_id`. `one_off`: a single charge.
                ("measure", TEXT),
                ("parent_id", TEXT),
                ("native_sku", TEXT),
                ("native_name", TEXT),
                ("quantity", DECIMAL),
                ("included_quantity", DECIMAL),
                ("unit_price", DECIMAL),
                ("unit_cost", DECIMAL),
                // The price of all its units for all its days, where the source states that instead of a unit price.
                ("amount", DECIMAL),
                ("billing_cycle", TEXT),
                ("status", TEXT),
                ("effective_from", instant()),
                ("effective_to", instant()),
            ],
            Self::Contract => vec![
                ("contract_id", TEXT),
                ("contract_name", TEXT),
                ("customer_native_id", TEXT),
                ("customer_native_name", TEXT),
                // Who pays, if not the customer itself.
                ("bill_to_native_id", TEXT),
                // The device that it is for; its customer is the contract's where the contract names none.
                ("subject_id", TEXT),
                ("currency", TEXT),
                ("billing_cycle", TEXT),
                ("status", TEXT),
                ("effective_from", instant()),
                ("effective_to", instant()),
            ],
            Self::LifecycleEvent => vec![
                ("customer_native_id", TEXT),
                ("native_sku", TEXT),
                ("subject_kind", TEXT),
                ("subject_id", TEXT),
                ("event", TEXT),
                ("event_at", instant()),
                // `field` (a dated field of the record), `log` (a change log), `file` (stated by hand); `snapshot` stands in views only.
                ("origin", TEXT),
            ],
            Self::SubjectState => vec![
                ("customer_native_id", TEXT),
                ("native_sku", TEXT),
                ("subject_kind", TEXT),
                ("subject_id", TEXT),
                // `active`, `suspended`, `cancelled`, `deprovisioned`; `not_billable`: there, but billed to nobody (service accounts).
                ("state", TEXT),
                // From when, where the source says so; else the day of the list counts.
                ("state_since", instant()),
            ],
            Self::ChangeLog => vec![
                // `invoice`, `invoice_line`, `licence`.
                ("subject_kind", TEXT),
                ("subject_id", TEXT),
                // What it is part of: the invoice of a line.
                ("parent_id", TEXT),
                ("customer_native_id", TEXT),
                ("field_name", TEXT),
                ("old_value", TEXT),
                ("new_value", TEXT),
                ("changed_by", TEXT),
                ("changed_at", instant()),
            ],
            Self::Product => vec![
                ("native_sku", TEXT),
                ("native_name", TEXT),
                // The same thing's code in another list of the same system (an item's number and its code).
                ("other_sku", TEXT),
                ("unit_price", DECIMAL),
                ("unit_cost", DECIMAL),
                ("billing_cycle", TEXT),
                ("status", TEXT),
            ],
            Self::Invoice => vec![
                ("invoice_id", TEXT),
                ("invoice_number", TEXT),
                ("customer_native_id", TEXT),
                ("customer_native_name", TEXT),
                ("kind", TEXT),
                ("status", TEXT),
                ("total", DECIMAL),
                ("currency", TEXT),
                ("period_start", instant()),
                ("period_end", instant()),
                ("invoice_date", DATE),
            ],
            Self::Company => vec![
                ("native_id", TEXT),
                ("native_identifier", TEXT),
                ("native_name", TEXT),
                // A code of ISO 4217, or the number of one in `currency`.
                ("currency", TEXT),
                ("status", TEXT),
            ],
            Self::Currency => vec![("native_id", TEXT), ("currency", TEXT), ("is_default", FLAG)],
            Self::CustomerLink => vec![("native_id", TEXT), ("other_system", TEXT), ("other_id", TEXT)],
            Self::CustomerMap => vec![
                ("native_id", TEXT),
                ("native_name", TEXT),
                ("customer_key", TEXT),
                ("customer_name", TEXT),
                ("valid_from", instant()),
                ("valid_to", instant()),
            ],
            Self::ServiceMap => vec![
                ("native_sku", TEXT),
                ("native_name", TEXT),
                ("service_key", TEXT),
                ("service_name", TEXT),
                ("unit", TEXT),
                ("unit_factor", DECIMAL),
                // Part of the cost that this service bears where one SKU is several services (`facts/service_alias`).
                ("cost_share", DECIMAL),
                ("valid_from", instant()),
                ("valid_to", instant()),
            ],
            Self::Fx => {
                vec![("date", instant()), ("from_currency", TEXT), ("to_currency", TEXT), ("rate", DECIMAL), ("source", TEXT)]
            }
            Self::ContractTerms => vec![
                ("customer_key", TEXT),
                ("service_key", TEXT),
                ("valid_from", instant()),
                ("valid_to", instant()),
                ("currency", TEXT),
                ("model", TEXT),
                ("unit_price", DECIMAL),
                ("included_quantity", DECIMAL),
                ("minimum_quantity", DECIMAL),
                ("overage_unit_price", DECIMAL),
                ("flat_fee", DECIMAL),
                ("tiers", TEXT),
                ("escalator_percent", DECIMAL),
                ("escalator_month", TEXT),
                ("markup_percent", DECIMAL),
                ("quantity_basis", TEXT),
                ("proration", TEXT),
                // How many months back the contract lets the MSP bill.
                ("back_billing_months", DECIMAL),
            ],
            Self::BillingCalendar => vec![("customer_key", TEXT), ("service_month", DATE), ("cutoff_date", DATE)],
            Self::Batch => vec![
                ("batch_id", TEXT),
                ("file", TEXT),
                ("sha256", TEXT),
                ("bytes", COUNT),
                ("system", TEXT),
                ("entity", TEXT),
                ("rows_in", COUNT),
                ("rows_accepted", COUNT),
                ("rows_rejected", COUNT),
                ("recorded_at", instant()),
                // The mapping file that it was read through; kept beside the originals.
                ("mapping_sha256", TEXT),
                // The run of a scheduled export that it is part of, and when that was made: `ingest::export_run`.
                ("run", TEXT),
                ("run_at", instant()),
                // The months and days that its rows speak of (`ingest::calendar`); nothing where its rows have no service month.
                ("months", TEXT),
                // The attempt whose files hold its rows: `lake::visible`.
                ("attempt", TEXT),
            ],
            Self::Reject => {
                vec![("batch_id", TEXT), ("source_row", COUNT), ("column_name", TEXT), ("value", TEXT), ("reason", TEXT)]
            }
            Self::FactMonthly => vec![
                ("customer_key", TEXT),
                ("service_key", TEXT),
                ("month", DATE),
                ("currency", TEXT),
                ("delivered_quantity", DECIMAL),
                ("contracted_quantity", DECIMAL),
                ("billable_quantity", DECIMAL),
                ("billable_contracted_quantity", DECIMAL),
                ("billed_quantity", DECIMAL),
                ("cost", DECIMAL),
                ("cost_original", DECIMAL),
                ("cost_currency", TEXT),
                ("revenue", DECIMAL),
                ("one_off_revenue", DECIMAL),
                ("credit", DECIMAL),
                ("expected_revenue", DECIMAL),
                ("expected_contracted_revenue", DECIMAL),
                ("expected_billed_revenue", DECIMAL),
                ("contract_price", DECIMAL),
                ("billed_price", DECIMAL),
                ("price_model", TEXT),
                ("active_subjects", DECIMAL),
                ("suspended_subjects", DECIMAL),
                ("is_contracted", FLAG),
                ("is_billed", FLAG),
                ("is_delivered", FLAG),
                ("is_trial", FLAG),
                ("is_not_billable", FLAG),
            ],
            Self::GapBridge => vec![
                ("customer_key", TEXT),
                ("service_key", TEXT),
                ("quarter", TEXT),
                ("month", DATE),
                ("currency", TEXT),
                ("expected", DECIMAL),
                ("billed", DECIMAL),
                ("gap", DECIMAL),
                ("cause", TEXT),
                ("amount", DECIMAL),
                ("run_id", TEXT),
            ],
            Self::Finding => vec![
                ("finding_id", TEXT),
                ("signal", TEXT),
                ("family", TEXT),
                ("quarter", TEXT),
                ("customer_key", TEXT),
                ("customer_name", TEXT),
                ("service_key", TEXT),
                ("service_name", TEXT),
                ("first_month", DATE),
                ("last_month", DATE),
                ("currency", TEXT),
                ("leakage_low", DECIMAL),
                ("leakage", DECIMAL),
                ("leakage_high", DECIMAL),
                ("annual_run_rate", DECIMAL),
                ("severity", TEXT),
                ("confidence", REAL),
                ("p_value", REAL),
                ("q_value", REAL),
                ("slope", REAL),
                ("slope_low", REAL),
                ("slope_high", REAL),
                ("change_month", DATE),
                ("status", TEXT),
                ("explanation", TEXT),
                ("basis", TEXT),
                ("overbilled", DECIMAL),
                ("rank", COUNT),
                ("run_id", TEXT),
                // From the leak's beginning; `detected` is the sum of the three that follow (`findings/recoverable.rs`).
                ("detected", DECIMAL),
                ("recoverable_now", DECIMAL),
                ("recoverable_from_next_cycle", DECIMAL),
                ("lost", DECIMAL),
                // What later invoices show to have come back.
                ("recovered", DECIMAL),
            ],
            Self::FindingEvidence => vec![
                ("finding_id", TEXT),
                ("quarter", TEXT),
                ("customer_key", TEXT),
                ("service_key", TEXT),
                ("month", DATE),
                ("currency", TEXT),
                ("counted", DECIMAL),
                ("corroborates", DECIMAL),
                ("run_id", TEXT),
                // What was billed for the month when the run was made.
                ("billed", DECIMAL),
            ],
            Self::FindingCause => vec![
                ("finding_id", TEXT),
                ("quarter", TEXT),
                // 1 is the most likely.
                ("rank", COUNT),
                // One of `findings::cause::EVENTS`.
                ("event", TEXT),
                ("happened_on", DATE),
                ("value_before", DECIMAL),
                ("value_after", DECIMAL),
                ("detail", TEXT),
                ("system", TEXT),
                // `contract`, `terms`, `catalogue`, `lifecycle`, `usage`, `invoice`.
                ("source", TEXT),
                // The row that states it; empty where a month of rows shows it.
                ("batch_id", TEXT),
                ("source_row", COUNT),
                ("run_id", TEXT),
            ],
            Self::Coverage => vec![
                ("signal", TEXT),
                ("quarter", TEXT),
                ("currency", TEXT),
                // Nothing where the units were tested, else why not.
                ("untested", TEXT),
                ("units", COUNT),
                ("money", DECIMAL),
                ("unit", TEXT),
                ("run_id", TEXT),
            ],
            Self::Scorecard => vec![
                ("measure", TEXT),
                ("title", TEXT),
                ("unit", TEXT),
                ("better", TEXT),
                // None for the whole book.
                ("system", TEXT),
                ("currency", TEXT),
                ("quarter", TEXT),
                ("part", DECIMAL),
                ("whole", DECIMAL),
                ("value", DECIMAL),
                ("previous_quarter", TEXT),
                ("previous_value", DECIMAL),
                // `better`, `worse`, `same`, `first`.
                ("trend", TEXT),
                ("run_id", TEXT),
            ],
            Self::Recovered => vec![
                ("finding_id", TEXT),
                ("found_quarter", TEXT),
                ("quarter", TEXT),
                ("customer_key", TEXT),
                ("service_key", TEXT),
                ("month", DATE),
                ("currency", TEXT),
                ("basis", TEXT),
                ("lost", DECIMAL),
                ("billed_then", DECIMAL),
                ("billed_now", DECIMAL),
                ("recovered", DECIMAL),
                ("run_id", TEXT),
            ],
            Self::Mute => vec![
                ("finding_id", TEXT),
                ("is_muted", FLAG),
                ("reason", TEXT),
                ("until", DATE),
                ("quarter", TEXT),
                ("money", DECIMAL),
                ("currency", TEXT),
                ("decided_at", instant()),
                ("number", COUNT),
            ],
            Self::Run => vec![
                ("run_id", TEXT),
                ("quarter", TEXT),
                ("as_of", instant()),
                ("engine_version", TEXT),
                ("queries_sha256", TEXT),
                ("core_versions", TEXT),
                ("mart_versions", TEXT),
                // What belonged to no known customer or service, as JSON per currency.
                ("unmapped", TEXT),
                ("findings", COUNT),
                ("fact_rows", COUNT),
                ("number", COUNT),
                // The day up to which its data reach.
                ("known_until", DATE),
                ("back_billing_months", COUNT),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sorts_and_partitions_name_existing_columns() {
        for &table in TABLES {
            let schema = table.schema();
            for column in table.key().iter().chain(table.sort_columns()).chain(table.partition_columns()) {
                assert!(schema.field_with_name(column).is_ok(), "{} has no column {column}", table.name());
            }
        }
    }
}
