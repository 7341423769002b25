//! SQL functions that are no statistics: exact money, identity, periods, rating.

mod bridge;
pub(crate) mod exact;
mod guids_under;
pub mod normalise_id;
pub(crate) mod period;
mod period_in_text;
mod rate;
mod row_hash;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use datafusion::prelude::SessionContext;
use std::sync::Arc;

/// Every function of this module.
#[must_use]
pub fn all() -> Vec<ScalarUDF> {
    let mut functions =
        vec![normalise_id::function(), row_hash::function(), rate::function(), bridge::function(), guids_under::function()];
    functions.extend(exact::functions());
    functions.extend(period::functions());
    functions.extend(period_in_text::functions());
    functions
}

/// Makes them known to a session.
pub fn register(ctx: &SessionContext) {
    for function in all() {
        ctx.register_udf(function);
    }
}

/// A function over whole columns, with fixed argument types.
fn columnar(name: &str, arguments: Vec<DataType>, returns: DataType, compute: fn(&[ArrayRef]) -> Result<ArrayRef>) -> ScalarUDF {
    let implementation = move |values: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(values)?;
        compute(&arrays).map(ColumnarValue::Array)
    };
    create_udf(name, arguments, returns, Volatility::Immutable, Arc::new(implementation))
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_name_occurs_twice() {
        let mut names: Vec<String> = super::all().iter().map(|f| f.name().to_owned()).collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
