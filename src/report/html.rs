//! Fills the page template: one HTML file that needs no network, no font and no JavaScript.
//!
//! Names come from other companies' systems, so two walls stand between them and the reader: the template escapes
//! every value, and a content security policy lets only this page's own script and style sheet run, named by hash.

use super::view::Page;
use super::{ReportData, ReportError};
use minijinja::{Environment, UndefinedBehavior, context};
use sha2::{Digest, Sha256};

/// Findings shown on the page; the rest stay in the totals and in `shortfall findings`.
pub const MAX_FINDINGS: usize = 200;

const TEMPLATE_NAME: &str = "page.html.j2"; // the extension switches escaping on
const TEMPLATE: &str = include_str!("page.html.j2");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The report page for `data`: a whole HTML document, the same bytes for the same data.
///
/// # Errors
/// [`ReportError::TotalsDisagree`] if a headline contradicts its parts; the other variants mean a bug or a drawing
/// library that gave up.
pub fn render(data: &ReportData) -> Result<String, ReportError> {
    for total in &data.totals {
        if total.leakage_revenue + total.leakage_cost != total.leakage {
            return Err(ReportError::TotalsDisagree {
                currency: total.currency.clone(),
                leakage: total.leakage,
                leakage_revenue: total.leakage_revenue,
                leakage_cost: total.leakage_cost,
            });
        }
    }
    let page = Page::new(data)?;
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment
        .render_named_str(
            TEMPLATE_NAME,
            TEMPLATE,
            context! { page, style => STYLE, script => SCRIPT, policy => content_security_policy() },
        )
        .map_err(ReportError::Template)
}

fn content_security_policy() -> String {
    let hash = |text: &str| base64(&Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// Standard base64 with padding, for the two hashes above.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = (0..3).fold(0_usize, |group, i| group << 8 | usize::from(chunk.get(i).copied().unwrap_or(0)));
        for position in 0..4 {
            let digit = DIGITS[group >> (18 - 6 * position) & 63];
            out.push(if position <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_matches_rfc_4648() {
        let encoded = ["", "f", "fo", "foo", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(encoded, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYmFy"]);
    }
}
