//! Crosswalk files as the map commands write them: the columns of the mapping files first, in their order.

use super::super::{Failure, render};
use super::Kind;
use std::path::Path;

/// Columns of `customers.csv`.
pub(super) const CUSTOMERS: [&str; 7] =
    ["system", "native_id", "native_name", "customer_key", "customer_name", "valid_from", "valid_to"];
/// Columns of `services.csv`.
pub(super) const SERVICES: [&str; 9] =
    ["system", "native_sku", "native_name", "service_key", "service_name", "unit", "unit_factor", "valid_from", "valid_to"];
/// A column more, where one SKU is several services.
pub(super) const COST_SHARE: &str = "cost_share";

/// The columns of a kind's crosswalk.
pub(super) fn columns(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Customers => &CUSTOMERS,
        Kind::Services => &SERVICES,
    }
}

/// Name of a kind, and of its file without ending.
pub(super) fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Customers => "customers",
        Kind::Services => "services",
    }
}

/// Writes a CSV file. Cells stand as they came: a crosswalk that is read back must be what it was.
pub(super) fn write(path: &Path, header: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
    let failed = |e: &dyn std::fmt::Display| Failure::usage(format!("could not write `{}`: {e}", path.display()));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header).map_err(|e| failed(&e))?;
    for row in rows {
        writer.write_record(row).map_err(|e| failed(&e))?;
    }
    let bytes = writer.into_inner().map_err(|e| failed(&e))?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| failed(&e))?;
    }
    std::fs::write(path, bytes).map_err(|e| failed(&e))
}

/// Says what was written where.
pub(super) fn wrote(path: &Path, rows: usize, what: &str) {
    render::note(&format!("wrote {rows} {what} to `{}`", path.display()));
}
