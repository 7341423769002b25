//! The comment header of a query: `-- key: value`, continued on lines that begin with `--` and two more spaces.

use std::collections::BTreeMap;

/// Keys and values of a header, in lower-case keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    values: BTreeMap<String, String>,
}

impl Header {
    /// Reads the comment lines at the top of a query.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut values: BTreeMap<String, String> = BTreeMap::new();
        let mut last: Option<String> = None;
        for line in text.lines() {
            let Some(comment) = line.strip_prefix("--") else { break };
            let continues = comment.starts_with("   ");
            match (comment.split_once(':'), &last) {
                (Some((key, value)), _) if !continues && is_key(key.trim()) => {
                    let key = key.trim().to_owned();
                    values.insert(key.clone(), value.trim().to_owned());
                    last = Some(key);
                }
                (_, Some(key)) if continues => {
                    if let Some(value) = values.get_mut(key) {
                        value.push(' ');
                        value.push_str(comment.trim());
                    }
                }
                _ => {}
            }
        }
        Self { values }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// A value that lists names separated by commas.
    #[must_use]
    pub fn list(&self, key: &str) -> Vec<&str> {
        self.get(key).map(|value| value.split(',').map(str::trim).filter(|name| !name.is_empty()).collect()).unwrap_or_default()
    }

    /// The facts that a query reads: what stands as `facts.<name>` in its `reads`.
    #[must_use]
    pub fn facts(&self) -> Vec<&str> {
        self.list("reads").into_iter().filter_map(|read| read.strip_prefix("facts.")).collect()
    }
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_continue_on_the_next_line() {
        let header = Header::parse("-- signal: a\n-- question: does it,\n--   or not?\n-- reads: x, y\nSELECT 1 -- late: no\n");
        assert_eq!(header.get("question"), Some("does it, or not?"));
        assert_eq!(header.list("reads"), ["x", "y"]);
        assert_eq!(header.get("late"), None);
    }

    #[test]
    fn facts_are_what_is_read_of_them_and_nothing_else() {
        let header = Header::parse("-- reads: known.usage_sum, facts.service,\n--   facts.usage_list\nSELECT 1");
        assert_eq!(header.facts(), ["service", "usage_list"]);
        assert!(Header::parse("SELECT 1").facts().is_empty());
    }
}
