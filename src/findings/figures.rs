//! The values that a finding's sentence states, taken out of it again by the template it was made from.

use super::schema::Finding;

/// The values that the sentence states for the template's placeholders, in its order.
#[must_use]
pub fn figures(template: &str, finding: &Finding) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let (mut template, mut text) = (template, finding.explanation.as_str());
    while let Some((before, rest)) = template.split_once('{') {
        let Some((name, after)) = rest.split_once('}') else { break };
        let Some(following) = text.strip_prefix(before) else { break };
        let literal = after.split('{').next().unwrap_or_default();
        let known = match name {
            "customer" => finding.customer_name.clone(),
            "service" => finding.service_name.clone(),
            _ => None,
        };
        // Names may hold anything; figures do not hold the words that follow them.
        let length = match known.filter(|known| following.starts_with(known.as_str())) {
            Some(known) => known.len(),
            None if literal.is_empty() => following.len(),
            None => following.find(literal).unwrap_or(following.len()),
        };
        let (value, rest) = following.split_at(length);
        found.push((name.to_owned(), value.to_owned()));
        (template, text) = (after, rest);
    }
    found
}
