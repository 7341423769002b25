//! `row_hash(column, ...)`: one number for the values of a row, NULL included, so that versions of a row can be compared and joined.
//!
//! The first 96 bits of SHA-256 over the row's unambiguous encoding, as `Decimal128(38, 0)`: a billion different rows collide with
//! a probability below 10^-11, and a sum of a billion such numbers still fits, which makes it an order-free hash of a set of rows.

use arrow::array::{Array, Decimal128Array};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use sha2::{Digest, Sha256};
use std::sync::Arc;

pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(RowHash { signature: Signature::variadic_any(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct RowHash {
    signature: Signature,
}

impl ScalarUDFImpl for RowHash {
    fn name(&self) -> &'static str {
        "row_hash"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Decimal128(38, 0))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let fields = arrays.iter().map(|array| SortField::new(array.data_type().clone())).collect();
        let rows = RowConverter::new(fields)?.convert_columns(&arrays)?;
        let hashes: Decimal128Array = rows
            .iter()
            .map(|row| {
                let digest = Sha256::digest(row.as_ref());
                Some(digest[..12].iter().fold(0_i128, |hash, byte| (hash << 8) | i128::from(*byte)))
            })
            .collect();
        Ok(ColumnarValue::Array(Arc::new(hashes.with_precision_and_scale(38, 0)?)))
    }
}
