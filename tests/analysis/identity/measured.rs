//! The measured claim: 2,000 customers, names with accidents, relatives and strangers. Precision among accepted suggestions at least 0.99,
//! the right customer among the first three at least 0.95 of the time.
//!
//! Seeds 1 to 9 were looked at while the matcher was written; the claim is made on others. For the peers, the same pairs as CSV:
//! `SHORTFALL_PAIRS=DIR cargo test --test analysis identity::measured -- --nocapture`.

use super::noise::{Pairs, pairs};
use shortfall::identity::register::{Customer, Register};
use shortfall::identity::suggest::{Suggestion, Unresolved, Verdict, suggest};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const CUSTOMERS: usize = 2_000;
/// Seeds that nothing was tuned on.
const HELD_OUT: [u64; 3] = [101, 102, 103];

struct Measured {
    accepted: usize,
    right: usize,
    in_top: usize,
    with_truth: usize,
    misses: BTreeMap<&'static str, usize>,
    wrong: Vec<String>,
    lost: Vec<String>,
    seconds: f64,
    suggestions: Vec<Suggestion>,
}

impl Measured {
    #[expect(clippy::cast_precision_loss, reason = "counts of thousands")]
    fn precision(&self) -> f64 {
        self.right as f64 / self.accepted as f64
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of thousands")]
    fn recall(&self) -> f64 {
        self.in_top as f64 / self.with_truth as f64
    }
}

fn customers(pairs: &Pairs) -> Vec<Customer> {
    let customer = |known: &super::noise::Known| Customer {
        key: known.key.clone(),
        name: known.name.clone(),
        names: BTreeSet::new(),
        domains: known.domain.iter().cloned().collect(),
    };
    pairs.known.iter().map(customer).collect()
}

fn unresolved(pairs: &Pairs, with_domains: bool) -> Vec<Unresolved> {
    let id = |tenant: &super::noise::Tenant| Unresolved {
        system: "microsoft_csp".to_owned(),
        native_id: tenant.id.clone(),
        names: BTreeSet::from([tenant.name.clone()]),
        domains: tenant.domain.iter().filter(|_| with_domains).cloned().collect(),
        money: BTreeMap::new(),
    };
    pairs.tenants.iter().map(id).collect()
}

#[expect(clippy::print_stdout, reason = "the measured figures")]
fn measure(pairs: &Pairs, with_domains: bool) -> Measured {
    let started = std::time::Instant::now();
    let register = Register::new(customers(pairs));
    let suggestions = suggest(&register, unresolved(pairs, with_domains), &BTreeSet::new(), 3);
    let took = started.elapsed();
    let by_id: BTreeMap<&str, &Suggestion> = suggestions.iter().map(|s| (s.of.native_id.as_str(), s)).collect();
    let names: BTreeMap<&str, &str> = pairs.known.iter().map(|known| (known.key.as_str(), known.name.as_str())).collect();
    let mut measured = Measured {
        accepted: 0,
        right: 0,
        in_top: 0,
        with_truth: 0,
        misses: BTreeMap::new(),
        wrong: Vec::new(),
        lost: Vec::new(),
        seconds: took.as_secs_f64(),
        suggestions: Vec::new(),
    };
    for tenant in &pairs.tenants {
        let suggestion = by_id[tenant.id.as_str()];
        let best = suggestion.candidates.first().map(|candidate| &candidate.key);
        if suggestion.verdict == Verdict::Accepted {
            measured.accepted += 1;
            if best == tenant.truth.as_ref() {
                measured.right += 1;
            } else {
                let truth = tenant.truth.as_ref().map_or("nobody", |key| names[key.as_str()]);
                let best = &suggestion.candidates[0];
                measured.wrong.push(format!("{:?} taken for {:?} ({:.3}), is {truth:?}", tenant.name, best.name, best.score));
            }
        }
        if let Some(truth) = &tenant.truth {
            measured.with_truth += 1;
            if suggestion.candidates.iter().any(|candidate| candidate.key == *truth) {
                measured.in_top += 1;
            } else {
                for accident in &tenant.accidents {
                    *measured.misses.entry(accident).or_default() += 1;
                }
                measured.lost.push(format!("{:?} {:?} is {:?}", tenant.name, tenant.domain, names[truth.as_str()]));
            }
        }
    }
    println!(
        "domains {with_domains}: precision {:.4} of {} accepted ({} tenants), recall in three {:.4}, {:.1} s",
        measured.precision(),
        measured.accepted,
        pairs.tenants.len(),
        measured.recall(),
        measured.seconds
    );
    measured.suggestions = suggestions;
    measured
}

fn holds(measured: &Measured) {
    assert!(measured.precision() >= 0.99, "precision {}: {:#?}", measured.precision(), measured.wrong);
    assert!(measured.recall() >= 0.95, "recall {}: {:?} {:#?}", measured.recall(), measured.misses, measured.lost);
    // A matcher that accepts next to nothing is no help, however precise.
    assert!(measured.accepted * 10 >= measured.with_truth * 6, "only {} of {} accepted", measured.accepted, measured.with_truth);
}

#[test]
#[expect(clippy::print_stdout, reason = "the measured figures, on request")]
fn suggestions_are_right_and_the_right_customer_is_among_three() {
    let seeds: Vec<u64> = match std::env::var("SHORTFALL_IDENTITY_SEEDS") {
        Ok(list) => list.split(',').map(|seed| seed.parse().expect("a number")).collect(),
        Err(_) => vec![HELD_OUT[0]],
    };
    for seed in seeds {
        let pairs = pairs(seed, CUSTOMERS);
        println!("seed {seed}");
        let measured = measure(&pairs, true);
        if std::env::var("SHORTFALL_IDENTITY_SHOW").is_ok() {
            println!("{:#?}\n{:#?}\n{:?}", measured.wrong, measured.lost, measured.misses);
            measure(&pairs, false);
        }
        holds(&measured);
        if let Ok(folder) = std::env::var("SHORTFALL_PAIRS") {
            write(&pairs, &measured, Path::new(&folder), seed);
        }
    }
}

/// `customers_<seed>.csv`, `tenants_<seed>.csv` and what this matcher said of them, for `benches/peers/identity.py`.
fn write(pairs: &Pairs, measured: &Measured, folder: &Path, seed: u64) {
    std::fs::create_dir_all(folder).expect("a folder");
    let mut known = csv::Writer::from_path(folder.join(format!("customers_{seed}.csv"))).expect("a file");
    known.write_record(["customer_key", "name", "domain"]).expect("written");
    for customer in &pairs.known {
        known.write_record([&customer.key, &customer.name, customer.domain.as_deref().unwrap_or("")]).expect("written");
    }
    known.flush().expect("written");
    let mut tenants = csv::Writer::from_path(folder.join(format!("tenants_{seed}.csv"))).expect("a file");
    tenants.write_record(["native_id", "name", "domain", "truth"]).expect("written");
    for tenant in &pairs.tenants {
        let (domain, truth) = (tenant.domain.as_deref().unwrap_or(""), tenant.truth.as_deref().unwrap_or(""));
        tenants.write_record([&tenant.id, &tenant.name, domain, truth]).expect("written");
    }
    tenants.flush().expect("written");
    let mut said = csv::Writer::from_path(folder.join(format!("shortfall_{seed}.csv"))).expect("a file");
    said.write_record(["native_id", "accepted", "first", "second", "third", "score", "seconds"]).expect("written");
    for suggestion in &measured.suggestions {
        let key = |at: usize| suggestion.candidates.get(at).map_or("", |candidate| candidate.key.as_str());
        let accepted = if suggestion.verdict == Verdict::Accepted { "1" } else { "0" };
        let score = suggestion.candidates.first().map_or(0.0, |best| best.score).to_string();
        let seconds = measured.seconds.to_string();
        said.write_record([&suggestion.of.native_id, accepted, key(0), key(1), key(2), &score, &seconds]).expect("written");
    }
    said.flush().expect("written");
}
