//! Rows whose cells are each in order, but not together: what is wrong with them, after staging has given columns their meaning.

use crate::lake::Table;
use crate::rating::terms::Escalator;
use crate::rating::tiers::Tiers;
use arrow::array::{Array, AsArray, Decimal128Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, TimestampMicrosecondType};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Why a staged row cannot be taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Fault {
    /// The column that shows it, if one does.
    pub(super) column: &'static str,
    /// Its value.
    pub(super) value: String,
    /// The reason.
    pub(super) reason: String,
}

impl Fault {
    fn of_row(reason: &str) -> Self {
        Self { reason: reason.to_owned(), ..Self::default() }
    }
}

/// What is wrong with which staged row.
pub(super) fn faults(staged: &RecordBatch, table: Table) -> BTreeMap<usize, Fault> {
    let mut faults = BTreeMap::new();
    let instants = |name: &str| staged.column_by_name(name).and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
    if let (Some(starts), Some(ends)) = (instants("period_start"), instants("period_end")) {
        let backward = |row: &usize| starts.is_valid(*row) && ends.is_valid(*row) && ends.value(*row) < starts.value(*row);
        let rows = (0..staged.num_rows()).filter(backward);
        faults.extend(rows.map(|row| (row, Fault::of_row("the period ends before it begins"))));
    }
    // Where quantity and price stand for the amount, they may not fit together into 38 digits.
    if table == Table::InvoiceLine
        && let Some(amounts) = staged.column_by_name("amount")
    {
        let missing = (0..staged.num_rows()).filter(|&row| amounts.is_null(row));
        faults.extend(missing.map(|row| (row, Fault::of_row("the amount is missing, or larger than can be stored"))));
    }
    if table == Table::ServiceMap {
        let number = |name: &str| staged.column_by_name(name).and_then(|c| c.as_primitive_opt::<Decimal128Type>());
        let breaks = |name: &str, least: i128| {
            let numbers = number(name);
            let is_less = move |&row: &usize| numbers.is_some_and(|n| n.is_valid(row) && n.value(row) < least);
            (0..staged.num_rows()).filter(is_less).collect::<Vec<_>>()
        };
        let of = |rows: Vec<usize>, reason: &'static str| rows.into_iter().map(move |row| (row, Fault::of_row(reason)));
        faults.extend(of(breaks("unit_factor", 1), "the unit factor must be above zero"));
        faults.extend(of(breaks("cost_share", 0), "a share of cost must not be below zero"));
    }
    if table == Table::ContractTerms {
        let terms = TermsColumns { staged };
        faults.extend((0..staged.num_rows()).filter_map(|row| Some((row, terms.fault(row)?))));
    }
    faults
}

/// Staged contract terms.
struct TermsColumns<'a> {
    staged: &'a RecordBatch,
}

impl TermsColumns<'_> {
    fn text(&self, name: &str, row: usize) -> Option<String> {
        let column = cast(self.staged.column_by_name(name)?, &DataType::Utf8).ok()?;
        let column = column.as_string_opt::<i32>()?;
        column.is_valid(row).then(|| column.value(row).to_owned())
    }

    fn amount(&self, name: &str, row: usize) -> Option<Decimal> {
        let column: &Decimal128Array = self.staged.column_by_name(name)?.as_primitive_opt::<Decimal128Type>()?;
        column.is_valid(row).then(|| crate::money::to_decimal(column.value(row))).flatten()
    }

    /// Terms that would leave a month without a price are refused where somebody can still mend them.
    fn fault(&self, row: usize) -> Option<Fault> {
        let wrong = |column: &'static str, reason: &str| {
            Some(Fault { column, value: self.text(column, row).unwrap_or_default(), reason: reason.to_owned() })
        };
        let model = self.text("model", row).unwrap_or_default();
        match model.as_str() {
            "per_unit" => {}
            "flat_fee" if self.amount("flat_fee", row).is_none() => return wrong("flat_fee", "a flat fee needs its amount"),
            "cost_plus" if self.amount("markup_percent", row).is_none() => {
                return wrong("markup_percent", "cost-plus needs a mark-up in percent; 0 passes cost on as it is");
            }
            "flat_fee" | "cost_plus" => {}
            "tiered_graduated" | "tiered_volume" => {
                let tiers = self.text("tiers", row).unwrap_or_default();
                if let Err(error) = Tiers::parse(&tiers) {
                    return wrong("tiers", &error.to_string());
                }
            }
            _ => return wrong("model", "the model is per_unit, flat_fee, tiered_graduated, tiered_volume or cost_plus"),
        }
        if let Some(percent) = self.amount("escalator_percent", row) {
            let month = self.text("escalator_month", row).unwrap_or_default();
            if Escalator::parse(percent, &month).is_none() {
                return wrong("escalator_month", "an escalator needs its month, 1 to 12");
            }
        }
        let allowed = |name: &str, words: &[&str]| self.text(name, row).is_none_or(|text| words.contains(&text.as_str()));
        if !allowed("quantity_basis", &["max", "contracted", "delivered"]) {
            return wrong("quantity_basis", "the basis is max, contracted or delivered");
        }
        if !allowed("proration", &["actual_days", "thirty_days"]) {
            return wrong("proration", "the proration is actual_days or thirty_days");
        }
        None
    }
}
