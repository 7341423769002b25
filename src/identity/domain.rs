//! Domains as evidence: the part that somebody registered, and whether it spells a name.
//!
//! `mail.acme.co.uk` is `acme.co.uk` by the Public Suffix List. A Microsoft tenant's first domain (`acme.onmicrosoft.com`) names the
//! tenant before it. Domains of mail providers say nothing about who their users are; the list is a convention of ours.

use super::names::Name;

/// Domains in which everybody may have an address.
const PROVIDERS: [&str; 24] = [
    "gmail.com",
    "googlemail.com",
    "outlook.com",
    "hotmail.com",
    "live.com",
    "msn.com",
    "yahoo.com",
    "yahoo.co.uk",
    "icloud.com",
    "me.com",
    "aol.com",
    "gmx.de",
    "gmx.net",
    "web.de",
    "t-online.de",
    "orange.fr",
    "proton.me",
    "protonmail.com",
    "comcast.net",
    "verizon.net",
    "att.net",
    "btinternet.com",
    "mail.com",
    "zoho.com",
];

/// What stands after the tenant's name in Microsoft's own domains.
const TENANT_SUFFIX: &str = ".onmicrosoft.com";

/// The registrable domain of a domain, an e-mail address or a web address; none if the text is none of these.
#[must_use]
pub fn registrable(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    if text.chars().any(char::is_whitespace) {
        return None;
    }
    let host = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
    let host = host.split(['/', '?', '#']).next().unwrap_or(host);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = host.split(':').next().unwrap_or(host).trim_end_matches('.');
    let is_host = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
    if !host.contains('.') || !host.chars().all(is_host) {
        return None;
    }
    if let Some(tenant) = host.strip_suffix(TENANT_SUFFIX) {
        // `acme.mail.onmicrosoft.com` is the tenant `acme`.
        let tenant = tenant.split('.').next().filter(|tenant| !tenant.is_empty())?;
        return Some(format!("{tenant}{TENANT_SUFFIX}"));
    }
    let suffix = psl::suffix(host.as_bytes())?;
    if !suffix.is_known() {
        return None;
    }
    psl::domain_str(host).map(str::to_owned)
}

/// Whether a domain belongs to a provider of mail.
#[must_use]
pub fn is_provider(domain: &str) -> bool {
    PROVIDERS.contains(&domain)
}

/// The registered word itself: `acme` of `acme.co.uk`, without hyphens.
#[must_use]
pub fn label(domain: &str) -> String {
    domain.split('.').next().unwrap_or(domain).replace('-', "")
}

/// How much of a name a label spells, from 0 to 1: words in their order, whole or by their first letters, the label used up. A legal
/// form or a digit at the end of the label is nobody's.
#[must_use]
pub fn spelled(label: &str, name: &Name, weight: &dyn Fn(&str) -> f64) -> f64 {
    let total: f64 = name.words.iter().map(|word| weight(word)).sum();
    if label.len() < 3 || total <= 0.0 {
        return 0.0;
    }
    let mut labels = vec![label.to_owned()];
    let bare = label.trim_end_matches(|c: char| c.is_ascii_digit());
    if bare.len() >= 4 && bare.len() < label.len() {
        labels.push(bare.to_owned());
    }
    let forms = ["llc", "inc", "ltd", "gmbh", "corp", "group", "co", "limited", "plc"];
    let owned = name.forms().map(str::to_owned);
    for form in owned.chain(forms.iter().map(|&form| form.to_owned())) {
        for known in labels.clone() {
            if let Some(rest) = known.strip_suffix(form.as_str()).filter(|rest| rest.len() >= 4) {
                labels.push(rest.to_owned());
            }
        }
    }
    labels.iter().map(|label| longest(label, &name.words, weight) / total).fold(0.0, f64::max)
}

/// The largest weight of words that spell the label in their order, all of the label used. From the last word back: `best[at]` is what
/// the words from here on can make of the label from `at` on.
fn longest(label: &str, words: &[String], weight: &dyn Fn(&str) -> f64) -> f64 {
    let mut best = vec![f64::NEG_INFINITY; label.len() + 1];
    best[label.len()] = 0.0;
    for word in words.iter().rev() {
        let own = weight(word);
        let after = best.clone();
        for at in 0..label.len() {
            let common = word.bytes().zip(label.bytes().skip(at)).take_while(|(a, b)| a == b).count();
            for taken in 1..=common {
                // One or two letters of a long word are an initial; it says little.
                let part = match taken {
                    _ if taken == word.len() => 1.0,
                    1 | 2 => 0.5,
                    _ => 0.8,
                };
                best[at] = best[at].max(part * own + after[at + taken]);
            }
        }
    }
    best[0]
}

#[cfg(test)]
mod tests {
    use super::super::names::readings;
    use super::*;

    #[test]
    fn what_somebody_registered() {
        for (text, domain) in [
            ("mail.acme.co.uk", Some("acme.co.uk")),
            ("https://www.Acme.com/contact", Some("acme.com")),
            ("jane@acme.com.au", Some("acme.com.au")),
            ("acme.onmicrosoft.com", Some("acme.onmicrosoft.com")),
            ("acme.mail.onmicrosoft.com", Some("acme.onmicrosoft.com")),
            ("Acme Inc.", None),
            ("Acme", None),
            ("co.uk", None),
            ("St.Marys", None),
        ] {
            assert_eq!(registrable(text).as_deref(), domain, "{text}");
        }
    }

    #[test]
    fn a_label_spells_a_name_or_part_of_it() {
        let name = |text: &str| readings(text).swap_remove(0);
        let share = |label: &str, text: &str| spelled(label, &name(text), &|_| 1.0);
        assert!((share("harbordental", "Harbor Dental LLC") - 1.0).abs() < 1e-9);
        assert!((share("harbordentalllc", "Harbor Dental LLC") - 1.0).abs() < 1e-9);
        assert!((share("harbordental2", "Harbor Dental LLC") - 1.0).abs() < 1e-9);
        assert!((share("harbor", "Harbor Dental") - 0.5).abs() < 1e-9);
        assert!((share("harbordent", "Harbor Dental") - 0.9).abs() < 1e-9);
        assert!(share("copper", "Harbor Dental") <= 0.0);
    }
}
