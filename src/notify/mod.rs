//! Tells people of what an analysis found new or worse, by webhook: a signed JSON document, a Slack message or a Teams card.
//!
//! ```text
//! findings::changes ─> Alert ─┬─ webhook ─┐
//!                             ├─ slack    ├─ delivery ─> receiver
//!                             └─ teams  ──┘     │
//!                                            unsent: kept in the lake until it was delivered
//! ```
//! | question | answer |
//! | --- | --- |
//! | when | after the analysis was committed; a delivery that fails loses nothing of it |
//! | what | findings that are new or worse than in earlier runs ([`crate::findings::changes`]), not the muted ones; nothing else is a reason to send |
//! | how much | JSON: the first 100 by money; Slack and Teams: the first 10, as many as fit; the others are counted, and are in every total |
//! | to whom | `https`, or plain `http` on this machine; redirects are not followed |
//! | how often | four attempts, as `delivery` says; what none of them delivered, the next analysis with the same receiver tells |
//! | secrets | URLs (Slack's and Teams' are keys) and the signing secret are in no message, no error and no `Debug` |

pub mod delivery;
pub mod signature;
mod slack;
pub mod target;
mod teams;
pub mod unsent;
pub mod webhook;

use crate::findings::changes::Change;
use crate::findings::status::money;
use crate::findings::{Basis, Finding};
use crate::foreign::{marks_direction, steers};
use crate::month::Quarter;
use rust_decimal::Decimal;
use serde::Serialize;
use std::collections::BTreeMap;
use target::Format;

/// Findings that a chat message shows; ten fit a screen.
const SHOWN_IN_CHAT: usize = 10;
/// Characters of a name in a chat message.
const NAME: usize = 80;
/// Characters of an explanation in a chat message.
const EXPLANATION: usize = 300;

/// What is told of one analysis.
#[derive(Clone, Debug)]
pub struct Alert {
    /// The run.
    pub run_id: String,
    /// Its quarter.
    pub quarter: Quarter,
    /// The lake's name for people: its folder's.
    pub lake: String,
    /// The lake as the commands that the alert names must call it.
    pub lake_argument: String,
    /// What is new or worse, the dearest first. Never empty where something is sent.
    pub changes: Vec<Change>,
    /// All findings that the run lists, by currency.
    pub quarter_totals: Vec<Total>,
}

/// Money of some findings in one currency; the customers' money is never netted against the MSP's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Total {
    /// ISO 4217.
    pub currency: String,
    /// How many findings.
    pub findings: usize,
    /// The MSP's loss in the quarter.
    #[serde(serialize_with = "text")]
    pub leakage: Decimal,
    /// The customers' money in the quarter.
    #[serde(serialize_with = "text")]
    pub overbilled: Decimal,
}

/// Money as a decimal string: no reader makes a binary fraction of it.
pub(crate) fn text<S: serde::Serializer>(money: &Decimal, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(money)
}

/// Totals by currency of findings with their money.
pub fn totals<'a>(findings: impl Iterator<Item = (&'a Finding, Decimal)>) -> Vec<Total> {
    let mut totals: BTreeMap<&str, (usize, Decimal, Decimal)> = BTreeMap::new();
    for (finding, money) in findings {
        let sums = totals.entry(&finding.currency).or_default();
        sums.0 += 1;
        *if finding.basis == Basis::Overbilling { &mut sums.2 } else { &mut sums.1 } += money;
    }
    let total = |(currency, (findings, leakage, overbilled)): (&str, _)| Total {
        currency: currency.to_owned(),
        findings,
        leakage,
        overbilled,
    };
    totals.into_iter().map(total).collect()
}

impl Alert {
    /// Findings told that no earlier run had.
    #[must_use]
    pub fn n_new(&self) -> usize {
        self.changes.iter().filter(|change| change.before.is_none()).count()
    }

    /// The body of a request in a format.
    ///
    /// # Errors
    /// Only if a value cannot be written as JSON, which no alert holds.
    pub fn body(&self, format: Format, sent_at: &str) -> serde_json::Result<Vec<u8>> {
        match format {
            Format::Json => serde_json::to_vec(&webhook::message(self, sent_at)),
            Format::Slack => serde_json::to_vec(&slack::message(self)),
            Format::Teams => teams::message(self),
        }
    }

    /// `2026Q3: 3 new, 1 worse`.
    fn title(&self) -> String {
        let (new, worse) = (self.n_new(), self.changes.len() - self.n_new());
        let counts = [(new, "new"), (worse, "worse")].into_iter().filter(|(count, _)| *count > 0);
        let counts: Vec<String> = counts.map(|(count, what)| format!("{count} {what}")).collect();
        format!("Shortfall {}: {}", self.quarter, counts.join(", "))
    }

    /// A sentence for each currency.
    fn sums(&self) -> Vec<String> {
        let now = totals(self.changes.iter().map(|change| (&change.finding, money(&change.finding))));
        let more = totals(self.changes.iter().map(|change| (&change.finding, change.increase())));
        let sentence = |(now, more): (&Total, &Total)| {
            let currency = &now.currency;
            let parts = [(now.leakage, more.leakage, "leakage"), (now.overbilled, more.overbilled, "over-billed")];
            let parts = parts.into_iter().filter(|(money, ..)| !money.is_zero());
            let parts: Vec<String> =
                parts.map(|(money, more, what)| format!("{money} {currency} {what}{}", plus(money, more))).collect();
            parts.join("; ")
        };
        now.iter().zip(&more).map(sentence).collect()
    }

    /// How the list that a chat message leaves out is called up.
    fn list_command(&self) -> String {
        format!("shortfall findings --lake {} --quarter {}", self.lake_argument, self.quarter)
    }

    /// How a finding is explained.
    fn explain_command(&self, finding: &Finding) -> String {
        format!("shortfall explain --lake {} {}", self.lake_argument, finding.finding_id)
    }
}

/// ` (+200.00)` where money was there before.
fn plus(money: Decimal, more: Decimal) -> String {
    if money == more || more.is_zero() { String::new() } else { format!(" (+{more})") }
}

/// What a chat message says of one change, besides its explanation and its command: money, and where.
struct Line {
    money: String,
    place: String,
    facts: String,
}

impl Line {
    fn of(change: &Change) -> Self {
        let finding = &change.finding;
        let (amount, more) = (money(finding), change.increase());
        let names = [&finding.customer_name, &finding.customer_key].into_iter().flatten().next();
        let service = [&finding.service_name, &finding.service_key].into_iter().flatten().next();
        let place: Vec<String> = [names, service].into_iter().flatten().map(|name| shown(name, NAME)).collect();
        let worse = change.before.as_ref().map(|before| {
            let severity = if before.severity == finding.severity { String::new() } else { format!(", was {}", before.severity) };
            format!("worse: {} {} in {}{severity}", before.money, finding.currency, before.quarter)
        });
        Self {
            money: format!("{amount} {}{}", finding.currency, plus(amount, more)),
            place: place.join(" / "),
            facts: [finding.signal.clone(), finding.severity.clone(), worse.unwrap_or_else(|| "new".to_owned())].join(", "),
        }
    }
}

/// Foreign text on one line and no longer than `most` characters, without what would turn or steer it.
fn shown(text: &str, most: usize) -> String {
    let clean: String = text.chars().map(|c| if steers(c) || marks_direction(c) { ' ' } else { c }).collect();
    let words = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= most {
        return words;
    }
    words.chars().take(most.saturating_sub(1)).chain(['\u{2026}']).collect()
}
