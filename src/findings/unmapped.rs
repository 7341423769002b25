//! Vendor cost that could be tied to nobody: counted and priced, never dropped.

use super::analyze::{text_at, texts};
use super::error::AnalyzeError;
use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{Decimal128Type, Int64Type};
use datafusion::prelude::SessionContext;
use rust_decimal::Decimal;

/// Vendor cost of the quarter that belongs to no known customer or service.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Unmapped {
    /// ISO 4217.
    pub currency: String,
    /// Cost.
    #[serde(with = "rust_decimal_text")]
    pub cost: Decimal,
    /// Usage rows.
    pub source_rows: u64,
    /// Native customer ids and SKUs that nobody knows.
    pub ids: u64,
}

impl Unmapped {
    /// What a summary says of it, and the command that helps.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!(
            "unmapped: {} {} of vendor cost in {} ids belongs to no known customer or service; `shortfall map suggest` looks for candidates",
            self.cost.normalize(),
            self.currency,
            self.ids
        )
    }
}

/// Money in JSON is text, never a float.
mod rust_decimal_text {
    use rust_decimal::Decimal;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.to_string())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        let text = String::deserialize(deserializer)?;
        Decimal::from_str_exact(&text).map_err(D::Error::custom)
    }
}

/// By currency, from `facts.unmapped`.
///
/// # Errors
/// [`AnalyzeError`] if it cannot be read.
pub(super) async fn unmapped(ctx: &SessionContext) -> Result<Vec<Unmapped>, AnalyzeError> {
    // An unknown customer may have a thousand SKUs that are known: it is one id to map.
    let sql = "SELECT currency, sum(cost) AS cost, CAST(sum(source_rows) AS BIGINT), \
               count(DISTINCT CASE WHEN is_customer_unknown THEN system || ' ' || coalesce(customer_native_id, '') END) \
               + count(DISTINCT CASE WHEN is_service_unknown THEN system || ' ' || coalesce(native_sku, '') END) \
               FROM facts.unmapped GROUP BY currency ORDER BY currency";
    let mut rows = Vec::new();
    for batch in texts(ctx, sql).await? {
        let cost = cast(batch.column(1), &crate::functions::exact::MONEY).map_err(AnalyzeError::arrow("reading facts"))?;
        for row in 0..batch.num_rows() {
            let number = |at: usize| u64::try_from(batch.column(at).as_primitive::<Int64Type>().value(row)).unwrap_or(0);
            let scaled = cost.as_primitive::<Decimal128Type>().value(row);
            rows.push(Unmapped {
                currency: text_at(&batch, 0, row)?,
                cost: crate::money::to_decimal(scaled).unwrap_or_default(),
                source_rows: number(2),
                ids: number(3),
            });
        }
    }
    Ok(rows)
}
