//! What the summary of an ingest says of money that belongs to no known customer or service.

use super::super::{Context, Failure};
use super::lake::Reader;
use crate::lake::{Lake, Table};
use rust_decimal::Decimal;
use serde_json::json;

/// Money of one currency that nothing resolves, of all time.
pub(in crate::cli) struct UnmappedMoney {
    currency: String,
    cost: Decimal,
    billed: Decimal,
    customer_ids: Decimal,
    service_ids: Decimal,
}

/// What is unmapped in the lake; nothing is read where no vendor and no invoice is in it.
pub(in crate::cli) fn unmapped_money(context: &Context, lake: &Lake) -> Result<Vec<UnmappedMoney>, Failure> {
    if !lake.has(Table::VendorUsage)? && !lake.has(Table::InvoiceLine)? {
        return Ok(Vec::new());
    }
    let reader = Reader::open(context, lake)?;
    let rows = reader.rows("unmapped_money")?;
    let money = rows.iter().map(|row| UnmappedMoney {
        currency: row.text("currency").to_owned(),
        cost: row.number("cost"),
        billed: row.number("amount"),
        customer_ids: row.number("customer_ids"),
        service_ids: row.number("service_ids"),
    });
    Ok(money.collect())
}

impl UnmappedMoney {
    /// For people, with the command that helps.
    pub(in crate::cli) fn sentence(&self, lake: &str) -> String {
        format!(
            "unmapped: {} {currency} of vendor cost and {} {currency} of charges belong to no known customer or service \
             ({} customer ids, {} SKUs); `shortfall map suggest --lake {lake}` looks for candidates",
            self.cost.normalize(),
            self.billed.normalize(),
            self.customer_ids,
            self.service_ids,
            currency = self.currency,
        )
    }

    /// For programs.
    pub(in crate::cli) fn document(&self) -> serde_json::Value {
        json!({ "currency": self.currency, "cost": self.cost.normalize().to_string(), "billed": self.billed.normalize().to_string(),
                "customer_ids": self.customer_ids.to_string(), "service_ids": self.service_ids.to_string() })
    }
}
