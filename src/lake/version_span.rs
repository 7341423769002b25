//! Since when and until when each version of a usage row was the truth: `core_history.vendor_usage_version`.
//!
//! `known.vendor_usage` answers for one date. Each customer, service and month has a billing cut-off of its own, and a view of the lake for
//! every one of them would read the whole table as often. Here every version stands with its span of knowledge, so that what was known
//! at any cut-off is a filter:
//! ```text
//! known_from <= cut-off < known_to (none: the truth until today)
//! ```
//! | rows | `known_from` | `known_to` | `first_known_at` |
//! | --- | --- | --- | --- |
//! | of files that no other file contests | when they became known | none | the same |
//! | with keys | when this version did | when the next differing version did | when the key's first version did |
//! | of statements | when they were delivered | the first later delivery that speaks of them again | none: such rows have no lasting ids |
//!
//! `core_history.usage_arrival` says the same of files: when something of each month arrived in them, and when something of it was replaced. It
//! reads files of sums where there are any, so that whoever looks for what came late need not read what did not.
//!
//! The rules that decide between versions are those of [`super::truth`], whose queries are used here. Filters on `service_month` reach the
//! files, as no version leaves its month.

use super::delivery;
use super::schema::{Table, instant};
use super::truth::{deliveries, versions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

/// The one table whose versions are kept apart: what arrives late is usage.
pub const OF: Table = Table::VendorUsage;
/// Its name in `core_history`.
pub const NAME: &str = "vendor_usage_version";

/// The name of the view of files in `core_history`.
pub const ARRIVAL: &str = "usage_arrival";

/// `core_history.usage_arrival` as a query over rows with the columns of `core_history.vendor_usage_version`.
#[must_use]
pub fn arrivals(versions: &str) -> String {
    let columns = "system, entity, provider, service_month, batch_id, known_from, known_to";
    format!("SELECT DISTINCT {columns} FROM ({versions})")
}

/// Columns of `core_history.vendor_usage_version`.
#[must_use]
pub fn schema() -> SchemaRef {
    let mut fields: Vec<Field> = OF.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.push(Field::new("entity", DataType::Utf8, true));
    fields.extend(["known_from", "known_to", "first_known_at"].map(|name| Field::new(name, instant(), true)));
    Schema::new(fields).into()
}

/// The query of the view over the rows of uncontested files, of contested ones, and of statements, each as a query.
pub(super) fn query(plain: &str, contested: Option<&str>, stated: Option<&str>, as_of: Option<&str>) -> String {
    let plain = format!(
        "SELECT {}, delivery.entity, said.recorded_at AS known_from, {NEVER} AS known_to, said.recorded_at AS first_known_at
         FROM ({plain}) AS said JOIN core.delivery AS delivery ON said.batch_id = delivery.batch_id",
        columns("said")
    );
    let others = compared(contested, stated, as_of);
    std::iter::once(plain).chain(others).collect::<Vec<_>>().join(" UNION ALL ")
}

/// The query of the view of files. Of uncontested ones, `plain` has provider, month, file and instant.
pub(super) fn arrival_query(plain: &str, contested: Option<&str>, stated: Option<&str>, as_of: Option<&str>) -> String {
    let plain = format!(
        "SELECT DISTINCT said.system, delivery.entity, said.provider, said.service_month, said.batch_id, said.recorded_at AS known_from, {NEVER} AS known_to
         FROM ({plain}) AS said JOIN core.delivery AS delivery ON said.batch_id = delivery.batch_id"
    );
    let others = compared(contested, stated, as_of).into_iter().map(|versions| arrivals(&versions));
    std::iter::once(plain).chain(others).collect::<Vec<_>>().join(" UNION ALL ")
}

/// No instant.
const NEVER: &str = "arrow_cast(NULL, 'Timestamp(Microsecond, Some(\"UTC\"))')";

fn columns(of: &str) -> String {
    OF.schema().fields().iter().map(|field| format!("{of}.{}", field.name())).collect::<Vec<_>>().join(", ")
}

/// Versions of rows that others replace: of contested files, of statements.
fn compared(contested: Option<&str>, stated: Option<&str>, as_of: Option<&str>) -> Vec<String> {
    let said = columns("said");
    let mut parts = Vec::new();
    if let Some(rows) = contested {
        parts.push(contested_spans(rows, &said, as_of));
    }
    if let Some(rows) = stated {
        parts.push(format!(
            "SELECT {said}, delivery.entity, said.recorded_at AS known_from, replaced.replaced_at AS known_to, {NEVER} AS first_known_at
             FROM ({rows}) AS said JOIN core.delivery AS delivery ON said.batch_id = delivery.batch_id
             LEFT JOIN ({}) AS replaced
               ON said.system = replaced.of_system AND said.statement = replaced.of_statement
               AND said.batch_id = replaced.of_batch AND said.recorded_at = replaced.of_arrival
               AND said.statement_from = replaced.of_from",
            replaced_statements(rows)
        ));
    }
    parts
}

fn contested_spans(rows: &str, said: &str, as_of: Option<&str>) -> String {
    let key = OF.identity().join(", ");
    let delivery = delivery::number(OF, "");
    let versions = versions(OF, rows, "service_month, ", as_of);
    format!(
        "SELECT {said}, said.entity, span.known_from, span.known_to, span.first_known_at
         FROM (
           SELECT row.*, delivery.entity, row_hash(system, {key}) AS version_key, {delivery} AS delivered
           FROM ({rows}) AS row JOIN core.delivery AS delivery ON row.batch_id = delivery.batch_id
         ) AS said
         JOIN (
           SELECT service_month AS of_month, version_key, delivered, known_at AS known_from,
                  lead(known_at) OVER (PARTITION BY service_month, version_key ORDER BY known_at, delivered) AS known_to,
                  first_value(known_at) OVER (PARTITION BY service_month, version_key ORDER BY known_at, delivered) AS first_known_at
           FROM ({versions}) WHERE before IS DISTINCT FROM content
         ) AS span
         ON said.service_month = span.of_month AND said.version_key = span.version_key AND said.delivered = span.delivered"
    )
}

/// For what a delivery of a statement says from an instant on: when the first later delivery spoke of it again.
fn replaced_statements(rows: &str) -> String {
    let deliveries = deliveries(rows);
    format!(
        "SELECT span.system AS of_system, span.statement AS of_statement, span.batch_id AS of_batch, span.recorded_at AS of_arrival,
                span.statement_from AS of_from, min(later.recorded_at) AS replaced_at
         FROM (SELECT DISTINCT system, statement, batch_id, recorded_at, statement_from FROM ({rows})) AS span
         JOIN ({deliveries}) AS own
           ON span.system = own.system AND span.statement = own.statement AND span.batch_id = own.batch_id
           AND span.recorded_at = own.recorded_at
         JOIN ({deliveries}) AS later
           ON span.system = later.system AND span.statement = later.statement AND later.number > own.number
           AND later.speaks_from <= span.statement_from
         GROUP BY span.system, span.statement, span.batch_id, span.recorded_at, span.statement_from"
    )
}
