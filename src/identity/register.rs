//! The customers that a native id may be, prepared so that candidates are found without comparing with all of them.
//!
//! | index | finds |
//! | --- | --- |
//! | word -> customers | names that share a word |
//! | trigram of a word -> words | words that are misspelt |
//! | beginning, first letter -> words | abbreviations |
//! | joined words, initials -> customers | names written together or as letters |
//! | trigram of the joined name -> customers | names that a domain spells |
//! | domain -> customers | the same domain |
//!
//! Building: linear in the letters of all names. One look-up: the postings of its words, then full comparisons with at most
//! [`MOST_COMPARED`] customers. Postings of a word grow with the number of customers that bear it, so `n` native ids against `n` customers
//! cost at most `n` times the commonest words' postings; words that more than [`COMMON`] customers bear find nobody by themselves.

use super::names::{Name, readings};
use super::words::{How, expanded, is_generic, likeness};
use super::{domain, words};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Weight of a word that no customer bears.
pub const UNKNOWN_WEIGHT: f64 = 8.0;
/// What words of business in general keep of their weight.
const GENERIC_SHARE: f64 = 0.35;
/// Customers compared in full for one native id.
pub const MOST_COMPARED: usize = 24;
/// A word that more customers bear is no way to find one.
pub const COMMON: usize = 2_000;
/// Candidates found by letters of a domain.
const MOST_BY_LETTERS: usize = 12;

/// A customer with everything that is known of its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Customer {
    /// Its key.
    pub key: String,
    /// Its name for people.
    pub name: String,
    /// All names that any system gives it.
    pub names: BTreeSet<String>,
    /// Its domains.
    pub domains: BTreeSet<String>,
}

/// A customer, read.
#[derive(Debug)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// Its name for people.
    pub name: String,
    /// Its names as words.
    pub readings: Vec<Name>,
    /// Its registrable domains, providers of mail left out.
    pub domains: BTreeSet<String>,
}

/// All customers and the ways to find them.
#[derive(Debug)]
pub struct Register {
    /// In the order of their keys.
    pub entries: Vec<Entry>,
    bearers: HashMap<String, Vec<usize>>,
    written_as: HashMap<String, Vec<usize>>,
    by_domain: HashMap<String, Vec<usize>>,
    by_letters: HashMap<[u8; 3], Vec<usize>>,
    vocabulary: Vocabulary,
}

/// Every word that some customer bears.
#[derive(Debug, Default)]
struct Vocabulary {
    words: Vec<String>,
    by_trigram: HashMap<[u8; 3], Vec<usize>>,
    by_beginning: HashMap<String, Vec<usize>>,
    skeletons: HashMap<u8, Vec<usize>>,
    /// Likenesses of words that were looked up before.
    known: RefCell<HashMap<String, Vec<(usize, f64)>>>,
}

impl Register {
    /// Reads the customers; their order does not matter, of equal keys the names are joined.
    #[must_use]
    pub fn new(customers: impl IntoIterator<Item = Customer>) -> Self {
        let mut by_key: BTreeMap<String, Customer> = BTreeMap::new();
        for customer in customers {
            let entry = by_key.entry(customer.key.clone()).or_insert_with(|| customer.clone());
            entry.name = std::cmp::min(entry.name.clone(), customer.name.clone());
            entry.names.extend(customer.names);
            entry.domains.extend(customer.domains);
        }
        let entries: Vec<Entry> = by_key.into_values().map(Entry::read).collect();
        let mut bearers: HashMap<String, Vec<usize>> = HashMap::new();
        let mut written_as: HashMap<String, Vec<usize>> = HashMap::new();
        let mut by_domain: HashMap<String, Vec<usize>> = HashMap::new();
        let mut by_letters: HashMap<[u8; 3], Vec<usize>> = HashMap::new();
        for (at, entry) in entries.iter().enumerate() {
            for name in &entry.readings {
                for word in &name.words {
                    note(&mut bearers, word, at);
                }
                for two in name.words.windows(2) {
                    note(&mut written_as, &two.concat(), at);
                }
                for count in 2..=name.words.len().min(5) {
                    for run in name.words.windows(count) {
                        let initials: String = run.iter().filter_map(|word| word.chars().next()).collect();
                        note(&mut written_as, &initials, at);
                    }
                }
                note(&mut written_as, &name.joined(), at);
                for trigram in trigrams(&name.joined()) {
                    let postings = by_letters.entry(trigram).or_default();
                    if postings.last() != Some(&at) {
                        postings.push(at);
                    }
                }
            }
            for domain in &entry.domains {
                note(&mut by_domain, domain, at);
            }
        }
        let vocabulary = Vocabulary::new(bearers.keys().cloned().collect());
        Self { entries, bearers, written_as, by_domain, by_letters, vocabulary }
    }

    /// How much a word says about who it is: high if few customers bear it.
    #[must_use]
    pub fn weight(&self, word: &str) -> f64 {
        let rarity = match self.bearers.get(word) {
            // Never as high as a word that nobody bears.
            Some(bearers) => rarity(self.entries.len(), bearers.len()).min(UNKNOWN_WEIGHT - 0.1),
            None => UNKNOWN_WEIGHT,
        };
        if is_generic(word) { rarity * GENERIC_SHARE } else { rarity }
    }

    /// Customers that any of the names or domains may mean, the likeliest first by a rough count.
    #[must_use]
    pub fn near(&self, names: &[Name], domains: &BTreeSet<String>) -> Vec<usize> {
        let mut points: BTreeMap<usize, f64> = BTreeMap::new();
        for name in names {
            let mut here: BTreeMap<usize, f64> = BTreeMap::new();
            for word in &name.words {
                let mut word_here: BTreeMap<usize, f64> = BTreeMap::new();
                for (like, likeness) in self.vocabulary.alike(word) {
                    let like = &self.vocabulary.words[like];
                    let Some(bearers) = self.bearers.get(like).filter(|bearers| bearers.len() <= COMMON) else { continue };
                    let gain = likeness * self.weight(like);
                    for &at in bearers {
                        let best = word_here.entry(at).or_default();
                        *best = best.max(gain);
                    }
                }
                self.written(word, UNKNOWN_WEIGHT, &mut word_here);
                for (at, gain) in word_here {
                    *here.entry(at).or_default() += gain;
                }
            }
            for two in name.words.windows(2) {
                self.bearing(&two.concat(), UNKNOWN_WEIGHT, &mut here);
            }
            for count in 2..=name.words.len().min(5) {
                for run in name.words.windows(count) {
                    let initials: String = run.iter().filter_map(|word| word.chars().next()).collect();
                    self.bearing(&initials, UNKNOWN_WEIGHT, &mut here);
                }
            }
            self.bearing(&name.joined(), 2.0 * UNKNOWN_WEIGHT, &mut here);
            for (at, gain) in here {
                // Of two names of a customer, the longer shares more words without being more alike.
                let own = self.entries[at].lightest(&|word| self.weight(word));
                let best = points.entry(at).or_default();
                *best = best.max(gain / (own + name.words.iter().map(|word| self.weight(word)).sum::<f64>()));
            }
        }
        for domain in domains {
            for &at in self.by_domain.get(domain).into_iter().flatten() {
                *points.entry(at).or_default() += 2.0;
            }
            for (at, share) in self.by_label(&domain::label(domain)) {
                *points.entry(at).or_default() += share / 2.0;
            }
        }
        let mut near: Vec<(usize, f64)> = points.into_iter().collect();
        near.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        near.into_iter().take(MOST_COMPARED).map(|(at, _)| at).collect()
    }

    fn written(&self, word: &str, gain: f64, points: &mut BTreeMap<usize, f64>) {
        for &at in self.written_as.get(word).into_iter().flatten() {
            let best = points.entry(at).or_default();
            *best = best.max(gain);
        }
    }

    fn bearing(&self, word: &str, gain: f64, points: &mut BTreeMap<usize, f64>) {
        for &at in self.bearers.get(word).into_iter().chain(self.written_as.get(word)).flatten() {
            let best = points.entry(at).or_default();
            *best = best.max(gain);
        }
    }

    /// Customers whose joined names share most trigrams with a label.
    fn by_label(&self, label: &str) -> Vec<(usize, f64)> {
        let own = trigrams(label);
        let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
        for trigram in &own {
            for &at in self.by_letters.get(trigram).into_iter().flatten() {
                *shared.entry(at).or_default() += 1;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "numbers of trigrams")]
        let mut shares: Vec<(usize, f64)> = shared
            .into_iter()
            .map(|(at, count)| (at, count as f64 / own.len() as f64))
            .filter(|(_, share)| *share >= 0.4)
            .collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        shares.truncate(MOST_BY_LETTERS);
        shares
    }
}

impl Entry {
    fn read(customer: Customer) -> Self {
        let (mut names, mut domains) = (Vec::new(), BTreeSet::new());
        for text in customer.names.iter().chain([&customer.name]) {
            match domain::registrable(text) {
                Some(domain) => _ = domains.insert(domain),
                None => names.extend(readings(text)),
            }
        }
        domains.extend(customer.domains.iter().filter_map(|text| domain::registrable(text)));
        domains.retain(|domain| !domain::is_provider(domain));
        let mut seen = BTreeSet::new();
        names.retain(|name: &Name| seen.insert(name.words.clone()));
        Self { key: customer.key, name: customer.name, readings: names, domains }
    }

    fn lightest(&self, weight: &dyn Fn(&str) -> f64) -> f64 {
        self.readings.iter().map(|name| name.words.iter().map(|word| weight(word)).sum::<f64>()).fold(f64::INFINITY, f64::min)
    }
}

impl Vocabulary {
    fn new(mut words: Vec<String>) -> Self {
        words.sort();
        let mut new = Self { words, ..Self::default() };
        for (at, word) in new.words.iter().enumerate() {
            for trigram in trigrams(&format!(" {word} ")) {
                new.by_trigram.entry(trigram).or_default().push(at);
            }
            for end in 3..=word.len().min(8) {
                if let Some(beginning) = word.get(..end) {
                    new.by_beginning.entry(beginning.to_owned()).or_default().push(at);
                }
            }
            new.skeletons.entry(word.as_bytes().first().copied().unwrap_or(0)).or_default().push(at);
        }
        new
    }

    /// Words alike to this one, with their likeness, in the order of the words.
    fn alike(&self, word: &str) -> Vec<(usize, f64)> {
        if let Some(known) = self.known.borrow().get(word) {
            return known.clone();
        }
        let mut candidates: BTreeSet<usize> = BTreeSet::new();
        let own = trigrams(&format!(" {word} "));
        let mut shared: HashMap<usize, usize> = HashMap::new();
        for trigram in &own {
            for &at in self.by_trigram.get(trigram).into_iter().flatten() {
                *shared.entry(at).or_default() += 1;
            }
        }
        // One wrong letter spoils three trigrams at most; of a short word that leaves few.
        let least = own.len().saturating_sub(6).max(1);
        candidates.extend(shared.into_iter().filter(|(_, count)| *count >= least).map(|(at, _)| at));
        for end in 3..=word.len().min(8) {
            if let Some(at) =
                word.get(..end).and_then(|beginning| self.words.binary_search_by(|w| w.as_str().cmp(beginning)).ok())
            {
                candidates.insert(at);
            }
        }
        candidates.extend(self.by_beginning.get(word).into_iter().flatten());
        let long = words::expanded(word);
        if long != word {
            for text in [long, long.trim_end_matches('s')] {
                candidates.extend(self.by_beginning.get(text.get(..text.len().min(8)).unwrap_or(text)).into_iter().flatten());
            }
        }
        let first = word.as_bytes().first().copied().unwrap_or(0);
        let is_consonant = |word: &str| word.len() <= 6 && !word.bytes().skip(1).any(|byte| b"aeiou".contains(&byte));
        for &at in self.skeletons.get(&first).into_iter().flatten() {
            let other = &self.words[at];
            if is_consonant(word) || is_consonant(other) || expanded(other) != other {
                candidates.insert(at);
            }
        }
        let alike: Vec<(usize, f64)> = candidates
            .into_iter()
            .filter_map(|at| {
                likeness(word, &self.words[at]).filter(|(_, how)| *how != How::Initial).map(|(likeness, _)| (at, likeness))
            })
            .collect();
        self.known.borrow_mut().insert(word.to_owned(), alike.clone());
        alike
    }
}

fn note(index: &mut HashMap<String, Vec<usize>>, text: &str, at: usize) {
    match index.get_mut(text) {
        Some(postings) if postings.last() == Some(&at) => {}
        Some(postings) => postings.push(at),
        None => _ = index.insert(text.to_owned(), vec![at]),
    }
}

/// Different runs of three bytes.
fn trigrams(text: &str) -> BTreeSet<[u8; 3]> {
    text.as_bytes().windows(3).map(|run| [run[0], run[1], run[2]]).collect()
}

#[expect(clippy::cast_precision_loss, reason = "numbers of customers")]
fn rarity(customers: usize, bearers: usize) -> f64 {
    // Two or three customers tell nothing about what is rare: counted as if there were fifty more that do not bear the word.
    ((customers + 50) as f64 / bearers as f64).ln()
}
