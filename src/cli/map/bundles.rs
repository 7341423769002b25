//! Bundles and unit factors that the quantities of all months suggest, as rows of the service crosswalk.

use super::super::Failure;
use super::lake::{Reader, Unmapped};
use crate::identity::bundles::{Case, Evidence, Proposal, Quantity, learn};
use crate::identity::cover::Form;
use rust_decimal::Decimal;
use serde_json::json;
use std::collections::BTreeMap;

/// Share of its months, in percent, in which a bundle must hold to be accepted without a person.
const SURE_PERCENT: usize = 90;
/// Fewest months for that.
const SURE_MONTHS: usize = 6;

/// A row that a proposal would add to the crosswalk.
#[derive(Clone, Debug)]
pub(super) struct ServiceRow {
    pub(super) system: String,
    pub(super) native_sku: String,
    pub(super) service_key: String,
    pub(super) unit_factor: Decimal,
}

/// What the months say of SKUs that nothing resolves.
pub(super) fn evidence(reader: &Reader<'_>, tolerance: Decimal) -> Result<Evidence, Failure> {
    let mut cases: BTreeMap<(String, String), Case> = BTreeMap::new();
    for row in reader.rows("bundle_lines")?.iter() {
        let (customer, month) = (row.text("customer_key").to_owned(), row.text("month").get(..7).unwrap_or("").to_owned());
        let case = cases.entry((customer.clone(), month.clone())).or_insert_with(|| Case { customer, month, ..Case::default() });
        let quantity = Quantity { units: row.number("units"), cost: None };
        let side = if row.text("side") == "psa" { &mut case.psa } else { &mut case.vendor };
        side.insert(row.text("id").to_owned(), quantity);
    }
    let cases: Vec<Case> = cases.into_values().collect();
    Ok(learn(&cases, tolerance))
}

/// Whether a proposal holds so often that no person needs to look.
pub(super) fn is_sure(proposal: &Proposal) -> bool {
    // Services that are parts of one SKU must first become one service, which only a person can name.
    proposal.bundle.form != Form::Parts && proposal.holds >= SURE_MONTHS && proposal.holds * 100 >= proposal.months * SURE_PERCENT
}

/// The crosswalk rows of a proposal; `unmapped` knows how the systems write their SKUs.
pub(super) fn rows(proposal: &Proposal, unmapped: &[Unmapped]) -> Vec<ServiceRow> {
    let spelled = |id: &str| {
        let (system, sku) = id.split_once('|').unwrap_or(("", id));
        let own = unmapped.iter().find(|entry| entry.id.system == system && entry.normalised == sku);
        (system.to_owned(), own.map_or_else(|| sku.to_owned(), |entry| entry.id.native_id.clone()))
    };
    let bundle = &proposal.bundle;
    let row = |id: &String, service: &String| {
        let (system, native_sku) = spelled(id);
        ServiceRow { system, native_sku, service_key: service.clone(), unit_factor: bundle.factor }
    };
    bundle.vendor.iter().flat_map(|id| bundle.psa.iter().map(move |service| row(id, service))).collect()
}

/// What a proposal means, for people.
pub(super) fn sentence(proposal: &Proposal) -> String {
    let list = |ids: &std::collections::BTreeSet<String>, with: &str| {
        ids.iter().map(|id| format!("`{}`", id.replace('|', " "))).collect::<Vec<_>>().join(with)
    };
    let bundle = &proposal.bundle;
    let factor = if bundle.factor == Decimal::ONE { String::new() } else { format!("{} x ", bundle.factor.normalize()) };
    let what = match bundle.form {
        Form::Sum => format!("{factor}{} = {}", list(&bundle.vendor, " + "), list(&bundle.psa, " + ")),
        Form::Each => format!("{} holds one each of {}", list(&bundle.vendor, ""), list(&bundle.psa, " and ")),
        Form::Parts => format!("{} = {}, which are one service", list(&bundle.vendor, ""), list(&bundle.psa, " + ")),
    };
    format!("{what}: in {} of {} customer months, such as {}", proposal.holds, proposal.months, proposal.example)
}

/// For programs.
pub(super) fn document(proposal: &Proposal, unmapped: &[Unmapped]) -> serde_json::Value {
    let row = |row: &ServiceRow| {
        json!({ "system": row.system, "native_sku": row.native_sku, "service_key": row.service_key,
                "unit_factor": row.unit_factor.normalize().to_string() })
    };
    let form = match proposal.bundle.form {
        Form::Sum => "sum",
        Form::Each => "each",
        Form::Parts => "parts",
    };
    json!({ "form": form, "holds": proposal.holds, "months": proposal.months, "example": proposal.example, "accepted": is_sure(proposal),
            "says": sentence(proposal), "rows": rows(proposal, unmapped).iter().map(row).collect::<Vec<_>>() })
}
