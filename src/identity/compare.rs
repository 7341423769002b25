//! How alike two names are, word by word, and which steps made them alike.
//!
//! Words are paired, the surest pairs first: equal, joined (`blue stone` and `bluestone`), initials (`ibm`), plural, abbreviation, typo.
//! The score is Dice's coefficient over weights (`weight` is high for words that few customers share):
//!
//! ```text
//! score = 2 Σ likeness · w  /  (2 Σ w of pairs + Σ w of words left over on either side)
//! ```
//! A pair weighs what the candidate's word weighs: a misspelt word is rare only because it is misspelt. Words in another order cost 1 %.
//! Names with words left over on both sides say different things (`Acme North`, `Acme South`): that is a contradiction, and so is a
//! number that only one of them has; the score is then at most [`CONTRADICTED`]. Words of business in general contradict nothing.
//! Cost: words of one name times words of the other.

use super::names::{Aside, Name};
use super::words::{How, is_generic, likeness};
use std::collections::BTreeSet;
use std::fmt;

/// Highest score of names that contradict each other.
pub const CONTRADICTED: f64 = 0.75;
/// What words in another order keep of the score.
const REORDERED: f64 = 0.99;
/// Likeness of words drawn together.
const JOINED: f64 = 0.98;
/// Likeness of initials.
const INITIALS: f64 = 0.8;
/// Fewest letters of initials.
const INITIALS_LETTERS: usize = 2;

/// A step that made two names alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Letter by letter the same, apart from case and marks.
    SameName,
    /// A legal form that only one has, or a different one.
    LegalForm(String),
    /// Accents.
    Accents,
    /// Articles, `and`.
    Filler,
    /// A second name.
    TradeName,
    /// Words in brackets.
    Brackets,
    /// Letters with points or spaces.
    SpacedLetters,
    /// Words in another order.
    Reordered,
    /// Words written together.
    Joined(String, String),
    /// Singular and plural.
    Plural(String, String),
    /// A short form.
    Abbreviation(String, String),
    /// First letters of words.
    Initials(String, String),
    /// Wrong letters.
    Typo(String, String),
    /// The same registrable domain.
    SameDomain(String),
    /// A domain that spells the name.
    DomainSpells(String),
    /// A word that only the native name has.
    OnlyHere(String),
    /// A word that only the customer's name has.
    OnlyThere(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameName => write!(f, "same words"),
            Self::LegalForm(form) => write!(f, "legal form `{form}`"),
            Self::Accents => write!(f, "accents"),
            Self::Filler => write!(f, "`the`, `and`"),
            Self::TradeName => write!(f, "trade name"),
            Self::Brackets => write!(f, "brackets"),
            Self::SpacedLetters => write!(f, "spaced letters"),
            Self::Reordered => write!(f, "reordered words"),
            Self::Joined(a, b) => write!(f, "joined `{a}` = `{b}`"),
            Self::Plural(a, b) => write!(f, "plural `{a}` = `{b}`"),
            Self::Abbreviation(a, b) => write!(f, "abbreviation `{a}` = `{b}`"),
            Self::Initials(a, b) => write!(f, "initials `{a}` = `{b}`"),
            Self::Typo(a, b) => write!(f, "typo `{a}` = `{b}`"),
            Self::SameDomain(domain) => write!(f, "same domain `{domain}`"),
            Self::DomainSpells(domain) => write!(f, "domain `{domain}` spells the name"),
            Self::OnlyHere(word) => write!(f, "but `{word}` only in the native name"),
            Self::OnlyThere(word) => write!(f, "but `{word}` only in the customer's name"),
        }
    }
}

/// What comparing two names says.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// From 0 to 1.
    pub score: f64,
    /// How they became alike, and what they do not share.
    pub steps: Vec<Step>,
    /// Every word of both has its equal, plural or short form: nothing is left over and nothing is misspelt.
    pub is_exact: bool,
    /// Nothing is left over on either side.
    pub is_complete: bool,
    /// They say different things.
    pub is_contradicted: bool,
}

/// Words of one name paired with words of the other.
struct Pair {
    here: Vec<usize>,
    there: Vec<usize>,
    likeness: f64,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Same,
    Joined,
    Plural,
    Abbreviation,
    Typo,
    Initials,
    Initial,
}

/// Compares a native name with a customer's.
#[must_use]
pub fn compare(here: &Name, there: &Name, weight: &dyn Fn(&str) -> f64) -> Comparison {
    let (here_words, there_words) = (&here.words, &there.words);
    let mut free_here = vec![true; here_words.len()];
    let mut free_there = vec![true; there_words.len()];
    let mut chosen: Vec<Pair> = Vec::new();
    let mut pairs = pairs(here_words, there_words, weight);
    pairs.sort_by(|a, b| {
        a.kind.cmp(&b.kind).then(b.likeness.total_cmp(&a.likeness)).then(a.there.cmp(&b.there)).then(a.here.cmp(&b.here))
    });
    for pair in pairs {
        if pair.here.iter().all(|&at| free_here[at]) && pair.there.iter().all(|&at| free_there[at]) {
            pair.here.iter().for_each(|&at| free_here[at] = false);
            pair.there.iter().for_each(|&at| free_there[at] = false);
            chosen.push(pair);
        }
    }
    let only_here: Vec<&String> = left(here_words, &free_here);
    let only_there: Vec<&String> = left(there_words, &free_there);
    let mut matched = 0.0;
    let mut total = 0.0;
    chosen.sort_by(|a, b| a.there.cmp(&b.there));
    for pair in &chosen {
        let own: f64 = pair.there.iter().map(|&at| weight(&there_words[at])).sum();
        matched += 2.0 * pair.likeness * own;
        total += 2.0 * own;
    }
    total += only_here.iter().chain(&only_there).map(|word| weight(word)).sum::<f64>();
    let is_reordered = chosen.windows(2).any(|two| two[0].here > two[1].here);
    let mut score = if total > 0.0 { matched / total } else { 0.0 };
    if is_reordered {
        score *= REORDERED;
    }
    let is_number = |word: &&&String| word.bytes().all(|byte| byte.is_ascii_digit());
    let says_more = |words: &[&String]| words.iter().any(|word| !is_generic(word));
    let is_contradicted = (says_more(&only_here) && says_more(&only_there))
        || only_here.iter().chain(&only_there).any(|word| is_number(&word))
        || (!only_here.is_empty() && !only_there.is_empty());
    if is_contradicted {
        score = score.min(CONTRADICTED);
    }
    let is_complete = only_here.is_empty() && only_there.is_empty() && !chosen.is_empty();
    let is_sure = |pair: &Pair| matches!(pair.kind, Kind::Same | Kind::Joined | Kind::Plural | Kind::Abbreviation);
    let is_exact = is_complete && chosen.iter().all(is_sure);
    let mut steps = set_aside(here, there);
    steps.extend(chosen.iter().filter_map(|pair| step(pair, here_words, there_words)));
    if is_reordered {
        steps.push(Step::Reordered);
    }
    if is_complete && steps.is_empty() {
        steps.push(Step::SameName);
    }
    steps.extend(only_here.iter().map(|word| Step::OnlyHere((*word).clone())));
    steps.extend(only_there.iter().map(|word| Step::OnlyThere((*word).clone())));
    Comparison { score, steps, is_exact, is_complete, is_contradicted }
}

fn left<'a>(words: &'a [String], free: &[bool]) -> Vec<&'a String> {
    words.iter().zip(free).filter(|(_, free)| **free).map(|(word, _)| word).collect()
}

fn pairs(here: &[String], there: &[String], weight: &dyn Fn(&str) -> f64) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (i, a) in here.iter().enumerate() {
        for (j, b) in there.iter().enumerate() {
            let Some((mut likeness, how)) = likeness(a, b) else { continue };
            let kind = match how {
                How::Same => Kind::Same,
                How::Plural => Kind::Plural,
                How::Abbreviation => Kind::Abbreviation,
                How::Typo => Kind::Typo,
                How::Initial => Kind::Initial,
            };
            // A word that other customers bear is less likely a misspelling of this one's.
            if how == How::Typo && weight(a) < super::register::UNKNOWN_WEIGHT {
                likeness -= 0.12;
            }
            pairs.push(Pair { here: vec![i], there: vec![j], likeness, kind });
        }
    }
    runs(here, there, &mut |run, word| pairs.push(Pair { here: run.0, there: vec![word], likeness: run.1, kind: run.2 }));
    runs(there, here, &mut |run, word| pairs.push(Pair { here: vec![word], there: run.0, likeness: run.1, kind: run.2 }));
    pairs
}

/// Runs of words on one side that one word on the other stands for: written together, or by their initials.
fn runs(many: &[String], single: &[String], found: &mut dyn FnMut((Vec<usize>, f64, Kind), usize)) {
    for (at, word) in single.iter().enumerate() {
        for from in 0..many.len() {
            for to in from + 2..=many.len().min(from + 5) {
                let run = &many[from..to];
                if run.concat() == *word {
                    found(((from..to).collect(), JOINED, Kind::Joined), at);
                } else if to - from >= INITIALS_LETTERS
                    && word.len() == to - from
                    && run.iter().zip(word.bytes()).all(|(word, letter)| word.as_bytes().first() == Some(&letter))
                {
                    found(((from..to).collect(), INITIALS, Kind::Initials), at);
                }
            }
        }
    }
}

fn step(pair: &Pair, here: &[String], there: &[String]) -> Option<Step> {
    let text = |words: &[String], at: &[usize]| at.iter().map(|&at| words[at].as_str()).collect::<Vec<_>>().join(" ");
    let (a, b) = (text(here, &pair.here), text(there, &pair.there));
    Some(match pair.kind {
        Kind::Same => return None,
        Kind::Joined => Step::Joined(a, b),
        Kind::Plural => Step::Plural(a, b),
        Kind::Abbreviation | Kind::Initial => Step::Abbreviation(a, b),
        Kind::Typo => Step::Typo(a, b),
        Kind::Initials => Step::Initials(a, b),
    })
}

/// What had to be set aside on either side for the words to be compared; what both have alike is no step.
fn set_aside(here: &Name, there: &Name) -> Vec<Step> {
    let own: BTreeSet<&Aside> = here.aside.iter().collect();
    let other: BTreeSet<&Aside> = there.aside.iter().collect();
    own.symmetric_difference(&other)
        .map(|aside| match aside {
            Aside::Accents => Step::Accents,
            Aside::LegalForm(form) => Step::LegalForm(form.clone()),
            Aside::Filler => Step::Filler,
            Aside::TradeName => Step::TradeName,
            Aside::Brackets => Step::Brackets,
            Aside::SpacedLetters => Step::SpacedLetters,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::names::readings;
    use super::*;

    fn compared(a: &str, b: &str) -> Comparison {
        let name = |text: &str| readings(text).swap_remove(0);
        compare(&name(a), &name(b), &|word| if is_generic(word) { 2.0 } else { super::super::register::UNKNOWN_WEIGHT })
    }

    fn trail(a: &str, b: &str) -> String {
        compared(a, b).steps.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn the_trail_says_which_steps_made_names_alike() {
        assert_eq!(trail("Harbor Dental LLC", "HARBOR DENTAL L.L.C."), "spaced letters");
        assert_eq!(trail("Dental Harbor", "Harbor Dental, Inc."), "legal form `inc`; reordered words");
        assert_eq!(trail("Harbor Mfg", "Harbor Manufacturing"), "abbreviation `mfg` = `manufacturing`");
        assert_eq!(trail("Harbr Dental", "Harbor Dental"), "typo `harbr` = `harbor`");
        assert_eq!(trail("Blue Stone Foods", "Bluestone Foods"), "joined `blue stone` = `bluestone`");
        assert_eq!(trail("HVS Foods", "Harbor View Schools Foods"), "initials `hvs` = `harbor view schools`");
        assert_eq!(trail("Harbor Dental Boston", "Harbor Dental"), "but `boston` only in the native name");
    }

    #[test]
    fn relatives_contradict_each_other_whatever_they_share() {
        for (a, b) in [
            ("Acme Tools North", "Acme Tools South"),
            ("Acme 2", "Acme 3"),
            ("Acme 2", "Acme"),
            ("Acme Services", "Acme Solutions"),
        ] {
            let compared = compared(a, b);
            assert!(compared.is_contradicted && compared.score <= CONTRADICTED, "{a} / {b}: {compared:?}");
        }
        assert!(compared("Acme Tools", "Acme Tools Ltd").is_exact);
    }
}
