//! `guids_under(text, word)`: the GUIDs in a text, in lower case and each once; of a JSON list of custom fields only those that stand in
//! a field whose caption has the word in it.
//!
//! Custom fields are where the ids of other systems are kept by hand: `[{"caption": "365 Tenant", "value": "https://.../<guid>"}]`, in other
//! systems `name` or `label` with `value` or `display`. Nothing but a GUID is read from them, and an empty word means the whole text.

use super::columnar;
use arrow::array::{ArrayRef, ListBuilder, StringBuilder};
use arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::common::cast::as_string_array;
use datafusion::logical_expr::ScalarUDF;
use serde_json::Value;
use std::sync::Arc;

/// Hexadecimal digits of the parts of a GUID.
const PARTS: [usize; 5] = [8, 4, 4, 4, 12];
const LENGTH: usize = 36;

pub(super) fn function() -> ScalarUDF {
    let list = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
    columnar("guids_under", vec![DataType::Utf8, DataType::Utf8], list, |arrays| {
        let (texts, words) = (as_string_array(&arrays[0])?, as_string_array(&arrays[1])?);
        let mut lists = ListBuilder::new(StringBuilder::new());
        for (text, word) in texts.iter().zip(words) {
            for guid in guids_under(text.unwrap_or(""), word.unwrap_or("")) {
                lists.values().append_value(guid);
            }
            lists.append(true);
        }
        let array: ArrayRef = Arc::new(lists.finish());
        Result::Ok(array)
    })
}

fn guids_under(text: &str, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    if word.is_empty() {
        gather(text, &mut found);
        return found;
    }
    let Ok(Value::Array(fields)) = serde_json::from_str(text) else { return found };
    let word = word.to_lowercase();
    for field in &fields {
        let text_of = |key: &str| field.get(key).and_then(Value::as_str).unwrap_or("");
        if ["caption", "label", "name"].iter().any(|key| text_of(key).to_lowercase().contains(&word)) {
            ["value", "display"].iter().for_each(|key| gather(text_of(key), &mut found));
        }
    }
    found
}

/// Adds what has the shape of a GUID and is no part of a longer word.
fn gather(text: &str, found: &mut Vec<String>) {
    let bytes = text.as_bytes();
    let is_word = |at: usize| bytes.get(at).is_some_and(|b| b.is_ascii_alphanumeric());
    let mut at = 0;
    while at + LENGTH <= bytes.len() {
        let starts = at == 0 || !is_word(at - 1);
        if starts && !is_word(at + LENGTH) && is_guid(&bytes[at..at + LENGTH]) {
            let guid = String::from_utf8_lossy(&bytes[at..at + LENGTH]).to_lowercase();
            if !found.contains(&guid) {
                found.push(guid);
            }
            at += LENGTH;
        } else {
            at += 1;
        }
    }
}

fn is_guid(bytes: &[u8]) -> bool {
    let mut parts = bytes.split(|&b| b == b'-');
    PARTS.iter().all(|&length| parts.next().is_some_and(|part| part.len() == length && part.iter().all(u8::is_ascii_hexdigit)))
        && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::guids_under;

    const TENANT: &str = "868043ca-0000-4645-83bd-e127fc781cf9";

    #[test]
    fn only_guids_under_the_caption_are_read() {
        let link = format!("https://portal.example.com/{}/overview", TENANT.to_uppercase());
        let fields = format!(
            r#"[{{"caption":"365 Tenant","value":"{link}"}},{{"caption":"Object","value":"00000000-0000-0000-0000-000000000001"}},
                {{"caption":"Tenant ID","value":"{TENANT}"}},{{"label":"tenant name","value":"harbor.onmicrosoft.com"}},{{"caption":"Tenant","value":7}}]"#
        );
        assert_eq!(guids_under(&fields, "Tenant"), [TENANT]);
        assert!(guids_under("no list", "tenant").is_empty());
        assert!(guids_under(&format!("é{TENANT}0"), "").is_empty());
        assert_eq!(guids_under(&format!("é {TENANT}é"), ""), [TENANT]);
    }
}
