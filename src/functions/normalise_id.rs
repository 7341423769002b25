//! `normalise_id(text)`: the form in which native ids are compared.
//!
//! Case, surrounding space and leading zeros of purely numeric parts do not count: spreadsheets turn the SKU `0001` into `1`,
//! exports differ in the case of GUIDs. Parts are separated by `:`.

use super::columnar;
use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::cast::as_string_array;
use datafusion::logical_expr::ScalarUDF;
use std::sync::Arc;

pub(super) fn function() -> ScalarUDF {
    columnar("normalise_id", vec![DataType::Utf8], DataType::Utf8, |arrays| {
        let texts = as_string_array(&arrays[0])?;
        let normalised: StringArray = texts.iter().map(|text| text.map(normalise_id)).collect();
        let array: ArrayRef = Arc::new(normalised);
        Result::Ok(array)
    })
}

/// The comparable form of a native id.
#[must_use]
pub fn normalise_id(id: &str) -> String {
    let parts: Vec<String> = id.trim().split(':').map(|part| normalise_part(part.trim())).collect();
    parts.join(":")
}

fn normalise_part(part: &str) -> String {
    if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) {
        let trimmed = part.trim_start_matches('0');
        return if trimmed.is_empty() { "0".to_owned() } else { trimmed.to_owned() };
    }
    part.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::normalise_id;

    #[test]
    fn case_space_and_leading_zeros_do_not_count() {
        assert_eq!(normalise_id(" CFQ7TTC0LH18 : 0001 "), "cfq7ttc0lh18:1");
        assert_eq!(normalise_id("000"), "0");
        assert_eq!(normalise_id("00A1"), "00a1");
        assert_eq!(normalise_id(""), "");
    }
}
