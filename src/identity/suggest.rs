//! Which customer a native id may be: candidates with score and reason, and which of them are beyond doubt.
//!
//! | evidence | score |
//! | --- | --- |
//! | names | [`compare`](super::compare) |
//! | the same registrable domain | [`SAME_DOMAIN`] |
//! | a domain that spells the name | [`SPELLED_DOMAIN`] x the share of the name that it spells |
//!
//! Names and domains are combined as independent witnesses: `s = max + (1 - max) · min / 2`. Accepted is a candidate that is complete
//! (no word left over on either side, no contradiction) or has the same domain, scores at least [`ACCEPTED`] and is [`MARGIN`] ahead of the next. Two
//! ids of one system may both be one customer only if each carries its name in full or its domain; else the better stays and the other
//! is for a person to judge. The thresholds were set on seeds that the measured test does not use.

use super::compare::{Comparison, Step, compare};
use super::domain;
use super::names::{Name, readings};
use super::register::{Entry, Register};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// Least score that is accepted.
pub const ACCEPTED: f64 = 0.86;
/// Least distance to the next candidate that is accepted.
pub const MARGIN: f64 = 0.08;
/// Score of the same registrable domain.
pub const SAME_DOMAIN: f64 = 0.9;
/// Score of a domain that spells the whole name.
pub const SPELLED_DOMAIN: f64 = 0.92;
/// Scores below are no candidates.
pub const LEAST: f64 = 0.3;
/// With the same domain, names may differ this much.
const LEAST_WITH_DOMAIN: f64 = 0.45;

/// A native id that no crosswalk resolves.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unresolved {
    /// Its system.
    pub system: String,
    /// Its id as the system writes it.
    pub native_id: String,
    /// All names that the system gives it.
    pub names: BTreeSet<String>,
    /// Its domains.
    pub domains: BTreeSet<String>,
    /// Money at stake per currency: cost and charges, without their signs.
    pub money: BTreeMap<String, Decimal>,
}

impl Unresolved {
    /// Its name for people.
    #[must_use]
    pub fn name(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }
}

/// A customer that an id may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// From 0 to 1.
    pub score: f64,
    /// What made them alike.
    pub steps: Vec<Step>,
    /// Every word has its equal: enough for a second id of the same system.
    pub is_exact: bool,
    /// No word is left over, or the domain is the same.
    pub is_complete: bool,
    /// The same domain.
    pub has_domain: bool,
}

/// What becomes of a suggestion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Beyond doubt.
    Accepted,
    /// A person must judge; why.
    Doubtful(String),
    /// Nobody is like it.
    Nobody,
}

/// The candidates of one native id, the best first.
#[derive(Clone, Debug)]
pub struct Suggestion {
    /// The id.
    pub of: Unresolved,
    /// Its candidates.
    pub candidates: Vec<Candidate>,
    /// What becomes of it.
    pub verdict: Verdict,
}

impl Suggestion {
    /// What may be lost by a wrong answer: the largest amount in one currency times the doubt about the best candidate. Amounts of
    /// different currencies are never added.
    #[must_use]
    pub fn at_stake(&self) -> Decimal {
        let money = self.of.money.values().max().copied().unwrap_or_default();
        let doubt = match self.verdict {
            Verdict::Accepted => 0.01,
            Verdict::Doubtful(_) => self.candidates.first().map_or(1.0, |best| (1.0 - best.score).max(0.05)),
            Verdict::Nobody => 1.0,
        };
        money.saturating_mul(Decimal::from_f64_retain(doubt).unwrap_or(Decimal::ONE).round_dp(6))
    }
}

/// Suggests customers for native ids: at most `top` each, dearest and most doubtful first. `holders` says which ids of which system are
/// a customer's already (system, key).
#[must_use]
pub fn suggest(
    register: &Register,
    unresolved: impl IntoIterator<Item = Unresolved>,
    holders: &BTreeSet<(String, String)>,
    top: usize,
) -> Vec<Suggestion> {
    let unresolved: BTreeSet<Unresolved> = unresolved.into_iter().collect();
    let mut suggestions: Vec<Suggestion> = unresolved
        .into_iter()
        .map(|of| {
            let candidates = candidates(register, &of, top.max(2));
            let verdict = verdict(&candidates);
            Suggestion { of, candidates, verdict }
        })
        .collect();
    settle_claims(&mut suggestions, holders);
    for suggestion in &mut suggestions {
        suggestion.candidates.truncate(top);
    }
    suggestions.sort_by(|a, b| {
        let id = |s: &Suggestion| (s.of.system.clone(), s.of.native_id.clone());
        b.at_stake().cmp(&a.at_stake()).then_with(|| id(a).cmp(&id(b)))
    });
    suggestions
}

/// Customers that an id may be, the best first.
#[must_use]
pub fn candidates(register: &Register, of: &Unresolved, most: usize) -> Vec<Candidate> {
    let mut names: Vec<Name> = Vec::new();
    let mut domains: BTreeSet<String> = of.domains.iter().filter_map(|text| domain::registrable(text)).collect();
    for text in &of.names {
        match domain::registrable(text) {
            Some(domain) => _ = domains.insert(domain),
            None => names.extend(readings(text)),
        }
    }
    domains.retain(|domain| !domain::is_provider(domain));
    let weight = |word: &str| register.weight(word);
    let mut candidates: Vec<Candidate> = register
        .near(&names, &domains)
        .into_iter()
        .map(|at| candidate(&register.entries[at], &names, &domains, &weight))
        .filter(|candidate| candidate.score >= LEAST)
        .collect();
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.key.cmp(&b.key)));
    candidates.truncate(most);
    candidates
}

fn candidate(entry: &Entry, names: &[Name], domains: &BTreeSet<String>, weight: &dyn Fn(&str) -> f64) -> Candidate {
    let best = names
        .iter()
        .flat_map(|here| entry.readings.iter().map(move |there| compare(here, there, weight)))
        // Of equal scores the one with the shorter trail explains it better.
        .reduce(|best, next| if (next.score, best.steps.len()) > (best.score, next.steps.len()) { next } else { best });
    let named =
        best.unwrap_or(Comparison { score: 0.0, steps: Vec::new(), is_exact: false, is_complete: false, is_contradicted: false });
    let shared = domains.intersection(&entry.domains).next();
    let spelled = domains
        .iter()
        .map(|domain| {
            let label = domain::label(domain);
            let share = entry.readings.iter().map(|name| domain::spelled(&label, name, weight)).fold(0.0, f64::max);
            (share, domain)
        })
        .fold((0.0, None), |best, (share, domain)| if share > best.0 { (share, Some(domain)) } else { best });
    let mut steps = named.steps;
    let by_domain = match (shared, spelled) {
        (Some(domain), _) => {
            steps.push(Step::SameDomain(domain.clone()));
            SAME_DOMAIN
        }
        (None, (share, Some(domain))) if share > 0.3 => {
            steps.push(Step::DomainSpells(domain.clone()));
            SPELLED_DOMAIN * share
        }
        _ => 0.0,
    };
    let (most, least) = (named.score.max(by_domain), named.score.min(by_domain));
    let mut score = most + (1.0 - most) * least / 2.0;
    let has_domain = shared.is_some() && (names.is_empty() || named.score >= LEAST_WITH_DOMAIN);
    let is_spelled = names.is_empty() && spelled.0 >= 0.999;
    if named.is_contradicted && !has_domain {
        score = score.min(super::compare::CONTRADICTED);
    }
    Candidate {
        key: entry.key.clone(),
        name: entry.name.clone(),
        score,
        steps,
        is_exact: named.is_exact,
        is_complete: named.is_complete || has_domain || is_spelled,
        has_domain,
    }
}

fn verdict(candidates: &[Candidate]) -> Verdict {
    let Some(best) = candidates.first() else { return Verdict::Nobody };
    let next = candidates.get(1);
    if let Some(next) = next.filter(|next| best.score - next.score < MARGIN) {
        return Verdict::Doubtful(format!("ambiguous: `{}` is as like", next.key));
    }
    if !best.is_complete {
        return Verdict::Doubtful("names differ in more than spelling".to_owned());
    }
    if best.score < ACCEPTED {
        return Verdict::Doubtful(format!("score below {ACCEPTED}"));
    }
    Verdict::Accepted
}

/// Two ids of one system that are one customer: allowed where each says so by itself.
fn settle_claims(suggestions: &mut [Suggestion], holders: &BTreeSet<(String, String)>) {
    let mut claims: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
    for (at, suggestion) in suggestions.iter().enumerate() {
        if suggestion.verdict == Verdict::Accepted
            && let Some(best) = suggestion.candidates.first()
        {
            claims.entry((suggestion.of.system.clone(), best.key.clone())).or_default().push(at);
        }
    }
    for (claim, claimants) in claims {
        let is_held = holders.contains(&claim);
        if claimants.len() == 1 && !is_held {
            continue;
        }
        let is_sure = |at: &usize| suggestions[*at].candidates.first().is_some_and(|best| best.is_exact || best.has_domain);
        let score = |at: usize| suggestions[at].candidates.first().map_or(0.0, |best| best.score);
        let mut weak: Vec<usize> = claimants.iter().copied().filter(|at| !is_sure(at)).collect();
        if weak.len() == claimants.len() && !is_held {
            // Nobody is sure: the best stays if it is clearly the best.
            weak.sort_by(|&a, &b| score(b).total_cmp(&score(a)).then(a.cmp(&b)));
            if score(weak[0]) - score(weak[1]) >= MARGIN {
                weak.remove(0);
            }
        }
        for at in weak {
            let reason = format!("`{}` has another id in {} already", claim.1, claim.0);
            suggestions[at].verdict = Verdict::Doubtful(reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::register::Customer;
    use super::*;

    fn register(names: &[&str]) -> Register {
        Register::new(names.iter().map(|name| Customer {
            key: format!("k-{name}"),
            name: (*name).to_owned(),
            names: BTreeSet::new(),
            domains: BTreeSet::new(),
        }))
    }

    fn id(native_id: &str, name: &str) -> Unresolved {
        Unresolved {
            system: "microsoft_csp".to_owned(),
            native_id: native_id.to_owned(),
            names: BTreeSet::from([name.to_owned()]),
            ..Unresolved::default()
        }
    }

    fn verdicts(register: &Register, ids: &[Unresolved]) -> Vec<(String, String, Verdict)> {
        let mut found: Vec<_> = suggest(register, ids.to_vec(), &BTreeSet::new(), 3)
            .into_iter()
            .map(|s| (s.of.native_id, s.candidates.first().map_or(String::new(), |best| best.name.clone()), s.verdict))
            .collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }

    #[test]
    fn two_candidates_alike_are_never_accepted() {
        let register = register(&["Harbor Dental LLC", "Harbor Dental Inc", "Alder Legal"]);
        let found = verdicts(&register, &[id("t1", "Harbor Dental"), id("t2", "Alder Legal Ltd"), id("t3", "Zebra Crossing")]);
        assert!(matches!(found[0].2, Verdict::Doubtful(_)), "{found:?}");
        assert_eq!((found[1].1.as_str(), &found[1].2), ("Alder Legal", &Verdict::Accepted));
        assert_eq!(found[2].2, Verdict::Nobody);
    }

    #[test]
    fn a_tenant_that_is_known_by_its_domain_alone_is_found() {
        let register = register(&["Harbor Dental LLC", "Harbor Legal LLC"]);
        let found = verdicts(&register, &[id("t1", "harbordental.onmicrosoft.com")]);
        assert_eq!((found[0].1.as_str(), &found[0].2), ("Harbor Dental LLC", &Verdict::Accepted), "{found:?}");
    }

    #[test]
    fn two_tenants_of_one_customer_need_its_name_in_full() {
        let register = register(&["Harbor Dental LLC", "Alder Legal"]);
        let sure = verdicts(&register, &[id("t1", "Harbor Dental"), id("t2", "Harbor Dental Inc.")]);
        assert!(sure.iter().all(|(_, _, verdict)| *verdict == Verdict::Accepted), "{sure:?}");
        let doubtful = verdicts(&register, &[id("t1", "Harbor Dental"), id("t2", "Harbour Dental")]);
        assert_eq!(doubtful[0].2, Verdict::Accepted);
        assert!(matches!(doubtful[1].2, Verdict::Doubtful(_)), "{doubtful:?}");
    }

    #[test]
    fn the_order_of_the_input_changes_nothing() {
        let names = ["Harbor Dental LLC", "Harbor Legal", "Alder Legal", "Alder & Sons", "Copper Motors"];
        let ids: Vec<Unresolved> =
            names.iter().enumerate().map(|(at, name)| id(&format!("t{at}"), &name.to_uppercase())).collect();
        let forward = suggest(&register(&names), ids.clone(), &BTreeSet::new(), 3);
        let mut turned = names;
        turned.reverse();
        let backward = suggest(&register(&turned), ids.into_iter().rev(), &BTreeSet::new(), 3);
        assert_eq!(format!("{forward:?}"), format!("{backward:?}"));
    }
}
