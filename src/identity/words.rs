//! Words of company names: which of them say nothing about who it is, and how alike two words are.
//!
//! Legal forms are those of the countries that MSPs of Europe, the Americas and Australia meet most; the list is a convention of ours,
//! not of any register. A form that is also a word (`AS`, `CO`, `PA`) counts as a form only at the end of a name.

use strsim::osa_distance;

/// Forms that are no words: set aside wherever they stand.
const FORMS: [&str; 53] = [
    "llc",
    "llp",
    "lllp",
    "pllc",
    "inc",
    "incorporated",
    "ltd",
    "limited",
    "corp",
    "corporation",
    "plc",
    "gmbh",
    "mbh",
    "ggmbh",
    "ug",
    "ohg",
    "kg",
    "kgaa",
    "eg",
    "ev",
    "ek",
    "sarl",
    "sas",
    "sasu",
    "eurl",
    "srl",
    "srls",
    "snc",
    "bv",
    "vof",
    "nv",
    "bvba",
    "sprl",
    "aps",
    "oy",
    "oyj",
    "asa",
    "hb",
    "sro",
    "doo",
    "kft",
    "zrt",
    "spzoo",
    "pty",
    "pte",
    "pvt",
    "bhd",
    "sdn",
    "kk",
    "ltda",
    "eireli",
    "slu",
    "cic",
];

/// Forms that are also words or initials: set aside at the end only.
const END_FORMS: [&str; 17] = [
    "co",
    "company",
    "sa",
    "as",
    "ab",
    "ag",
    "pa",
    "pc",
    "lp",
    "se",
    "sl",
    "cv",
    "gp",
    "unlimited",
    "private",
    "proprietary",
    "cie",
];

/// Words that a name has or has not.
const FILLERS: [&str; 15] = ["the", "and", "und", "et", "of", "for", "y", "e", "og", "och", "de", "der", "die", "das", "la"];

/// Words of business in general: they say little about who it is.
const GENERIC: [&str; 44] = [
    "group",
    "holding",
    "holdings",
    "services",
    "service",
    "solutions",
    "systems",
    "consulting",
    "consultants",
    "international",
    "global",
    "partners",
    "partner",
    "associates",
    "management",
    "enterprises",
    "enterprise",
    "industries",
    "industrial",
    "technologies",
    "technology",
    "ventures",
    "trading",
    "agency",
    "firm",
    "office",
    "offices",
    "center",
    "centre",
    "practice",
    "specialists",
    "professionals",
    "experts",
    "brothers",
    "sons",
    "worldwide",
    "national",
    "regional",
    "team",
    "gruppe",
    "groupe",
    "grupo",
    "studio",
    "works",
];

/// Abbreviations whose letters are no prefix or skeleton of the word, or that are as good as the word.
const ABBREVIATIONS: [(&str, &str); 40] = [
    ("intl", "international"),
    ("int", "international"),
    ("mfg", "manufacturing"),
    ("svcs", "services"),
    ("svc", "services"),
    ("assoc", "associates"),
    ("assocs", "associates"),
    ("mgmt", "management"),
    ("grp", "group"),
    ("hldg", "holdings"),
    ("hldgs", "holdings"),
    ("bros", "brothers"),
    ("natl", "national"),
    ("tech", "technologies"),
    ("techs", "technologies"),
    ("sys", "systems"),
    ("soln", "solutions"),
    ("solns", "solutions"),
    ("eng", "engineering"),
    ("engr", "engineering"),
    ("ins", "insurance"),
    ("acctg", "accounting"),
    ("acct", "accounting"),
    ("arch", "architects"),
    ("dist", "distribution"),
    ("constr", "construction"),
    ("const", "construction"),
    ("dev", "development"),
    ("ctr", "center"),
    ("centre", "center"),
    ("st", "saint"),
    ("mt", "mount"),
    ("ft", "fort"),
    ("univ", "university"),
    ("hosp", "hospital"),
    ("med", "medical"),
    ("vet", "veterinary"),
    ("labs", "laboratories"),
    ("lab", "laboratory"),
    ("dr", "doctor"),
];

/// Shortest word in which one wrong letter is a typo and not another word.
const TYPO_LETTERS: usize = 4;
/// Shortest word in which two wrong letters are.
const TWO_TYPO_LETTERS: usize = 8;
/// Shortest beginning of a word that may stand for it.
const PREFIX_LETTERS: usize = 3;

/// How two words are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// Letter by letter.
    Same,
    /// Singular and plural.
    Plural,
    /// One is short for the other.
    Abbreviation,
    /// One or two letters differ.
    Typo,
    /// An initial.
    Initial,
}

/// Whether a word is a legal form, wherever it stands.
#[must_use]
pub fn is_form(word: &str) -> bool {
    FORMS.contains(&word)
}

/// Whether a word is a legal form where it ends a name.
#[must_use]
pub fn is_end_form(word: &str) -> bool {
    is_form(word) || END_FORMS.contains(&word)
}

/// Whether a name is the same with and without the word.
#[must_use]
pub fn is_filler(word: &str) -> bool {
    FILLERS.contains(&word)
}

/// Whether a word is of business in general.
#[must_use]
pub fn is_generic(word: &str) -> bool {
    GENERIC.contains(&word) || GENERIC.contains(&expanded(word))
}

/// The word that an abbreviation of the table stands for, else the word itself.
#[must_use]
pub fn expanded(word: &str) -> &str {
    ABBREVIATIONS.iter().find(|(short, _)| *short == word).map_or(word, |(_, long)| long)
}

/// How alike two words are, from 0 to 1; none if they are different words. Symmetric.
#[must_use]
pub fn likeness(a: &str, b: &str) -> Option<(f64, How)> {
    if a == b {
        return Some((1.0, How::Same));
    }
    if has_digit(a) || has_digit(b) {
        return None;
    }
    let (short, long) = if (a.len(), a) <= (b.len(), b) { (a, b) } else { (b, a) };
    if is_plural(short, long) {
        return Some((0.98, How::Plural));
    }
    let (wide_short, wide_long) = (expanded(short), expanded(long));
    if (wide_short, wide_long) != (short, long) && (wide_short == wide_long || is_plural_either(wide_short, wide_long)) {
        return Some((0.97, How::Abbreviation));
    }
    if !short.is_ascii() || !long.is_ascii() {
        return typo(short, long);
    }
    if short.len() == 1 {
        return long.starts_with(short).then_some((0.6, How::Initial));
    }
    if let Some(like) = typo(short, long) {
        return Some(like);
    }
    if short.len() >= PREFIX_LETTERS && long.len() >= short.len() + 2 && long.starts_with(short) {
        // `kaltelservices` is more than `kaltel`: two words, not one and its short form.
        return (!is_generic(&long[short.len()..])).then_some((0.88, How::Abbreviation));
    }
    is_skeleton(short, long).then_some((0.84, How::Abbreviation))
}

fn has_digit(word: &str) -> bool {
    word.bytes().any(|byte| byte.is_ascii_digit())
}

fn is_plural_either(a: &str, b: &str) -> bool {
    is_plural(a, b) || is_plural(b, a)
}

/// `clinic` and `clinics`, `technology` and `technologies`.
fn is_plural(short: &str, long: &str) -> bool {
    let ending = long.strip_prefix(short);
    let ies = || short.strip_suffix('y').is_some_and(|stem| long.strip_prefix(stem) == Some("ies"));
    short.len() >= 3 && (matches!(ending, Some("s" | "es")) || ies())
}

/// One wrong, missing, doubled or swapped letter, two in a long word; the first letter is seldom wrong.
fn typo(short: &str, long: &str) -> Option<(f64, How)> {
    let letters = short.chars().count().min(long.chars().count());
    if letters < TYPO_LETTERS || long.len() - short.len() > 2 {
        return None;
    }
    let most = if letters >= TWO_TYPO_LETTERS { 2 } else { 1 };
    if letters_apart(short, long) > 2 * most {
        return None;
    }
    let distance = osa_distance(short, long);
    let longest = short.chars().count().max(long.chars().count());
    #[expect(clippy::cast_precision_loss, reason = "lengths of words")]
    let likeness = 1.0 - 1.2 * distance as f64 / longest as f64;
    let same_start = short.chars().next() == long.chars().next();
    (distance <= most).then_some((if same_start { likeness } else { likeness - 0.08 }, How::Typo))
}

/// Letters that one word has and the other has not: a lower bound of twice the distance, cheap enough to rule out most pairs.
fn letters_apart(a: &str, b: &str) -> usize {
    let mut counts = [0_i16; 32];
    for byte in a.bytes() {
        counts[usize::from(byte & 31)] += 1;
    }
    for byte in b.bytes() {
        counts[usize::from(byte & 31)] -= 1;
    }
    counts.iter().map(|count| usize::from(count.unsigned_abs())).sum()
}

/// `mfg` of `manufacturing`: same first letter, the other letters in order, vowels left out.
fn is_skeleton(short: &str, long: &str) -> bool {
    if short.len() < 2 || short.len() > 6 || long.len() < short.len() + 3 || short.as_bytes()[0] != long.as_bytes()[0] {
        return false;
    }
    let is_vowel = |byte: u8| matches!(byte, b'a' | b'e' | b'i' | b'o' | b'u');
    if short.bytes().skip(1).any(is_vowel) {
        return false;
    }
    let mut rest = long.bytes();
    short.bytes().all(|wanted| rest.any(|byte| byte == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn how(a: &str, b: &str) -> Option<How> {
        assert_eq!(likeness(a, b), likeness(b, a), "{a} {b}");
        likeness(a, b).map(|(_, how)| how)
    }

    #[test]
    fn words_are_alike_for_a_reason_that_is_named() {
        assert_eq!(how("dental", "dental"), Some(How::Same));
        assert_eq!(how("clinic", "clinics"), Some(How::Plural));
        assert_eq!(how("technology", "technologies"), Some(How::Plural));
        assert_eq!(how("mfg", "manufacturing"), Some(How::Abbreviation));
        assert_eq!(how("arch", "architects"), Some(How::Abbreviation));
        assert_eq!(how("tech", "technology"), Some(How::Abbreviation));
        assert_eq!(how("logistcs", "logistics"), Some(How::Typo));
        assert_eq!(how("harobr", "harbor"), Some(How::Typo));
        assert_eq!(how("j", "john"), Some(How::Initial));
    }

    #[test]
    fn other_words_are_other_words() {
        for (a, b) in [("north", "south"), ("east", "west"), ("2", "3"), ("unit1", "unit2"), ("fox", "box"), ("alder", "copper")]
        {
            assert_eq!(how(a, b), None, "{a} {b}");
        }
    }
}
