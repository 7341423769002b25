//! A company's name as words that can be compared, and what was set aside on the way.
//!
//! ```text
//! "Zoë's Café & Söhne (formerly ABC) Ltd."  ─ accents ─ case ─ marks ─ fillers ─ legal forms ─>  [zoes cafe sohne] Ltd
//!                                                                                         and  [abc]
//! ```
//! One text may be read in several ways: a trade name beside the legal one (`dba`, `trading as`, `formerly`), words in brackets that
//! belong to the name or do not. A bracket or dash closes a part, so that a form before it is still found.

use super::words::{is_end_form, is_filler, is_form};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// What was set aside before comparing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aside {
    /// Accents and ligatures.
    Accents,
    /// A legal form.
    LegalForm(String),
    /// `The`, `and`, `&`.
    Filler,
    /// Another name, after `dba` and the like.
    TradeName,
    /// Words in brackets.
    Brackets,
    /// Letters with points or spaces between them, drawn together.
    SpacedLetters,
}

/// One way to read a text as a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Words in their order: lower case, no accents, no marks, no forms, no fillers.
    pub words: Vec<String>,
    /// What was set aside.
    pub aside: Vec<Aside>,
}

impl Name {
    /// The words without spaces.
    #[must_use]
    pub fn joined(&self) -> String {
        self.words.concat()
    }

    /// First letters of the words.
    #[must_use]
    pub fn initials(&self) -> String {
        self.words.iter().filter_map(|word| word.chars().next()).collect()
    }

    /// Legal forms that were set aside.
    pub fn forms(&self) -> impl Iterator<Item = &str> {
        self.aside.iter().filter_map(|aside| if let Aside::LegalForm(form) = aside { Some(form.as_str()) } else { None })
    }
}

/// What stands between a name and another name of the same company.
const TRADE_MARKERS: [&str; 12] = [
    " doing business as ",
    " trading as ",
    " also known as ",
    " formerly known as ",
    " formerly ",
    " d/b/a ",
    " dba ",
    " t/a ",
    " f/k/a ",
    " fka ",
    " a/k/a ",
    " aka ",
];

/// Every way to read a text as a name; none if it has no letter or digit.
#[must_use]
pub fn readings(text: &str) -> Vec<Name> {
    let (folded, has_accents) = fold(text);
    let mut readings: Vec<Name> = Vec::new();
    let mut add = |part: &str, more: &[Aside]| {
        if let Some(mut name) = read(part) {
            name.aside.extend(more.iter().cloned());
            if has_accents {
                name.aside.push(Aside::Accents);
            }
            name.aside.sort();
            name.aside.dedup();
            if !readings.iter().any(|known| known.words == name.words) {
                readings.push(name);
            }
        }
    };
    let (outside, inside) = brackets(&folded);
    let names = trade_names(&outside);
    let trade: &[Aside] = if names.len() > 1 { &[Aside::TradeName] } else { &[] };
    for name in &names {
        add(name, trade);
    }
    for inner in inside {
        let marked = trade_names(&format!(" {inner} "));
        match marked.as_slice() {
            // "(formerly Acme)": nothing before the marker.
            [only] if only.trim().len() < inner.trim().len() => add(only, &[Aside::TradeName]),
            _ => {
                let whole = format!("{} - {inner}", names.first().map_or("", String::as_str));
                add(&whole, &[Aside::Brackets]);
            }
        }
    }
    readings
}

/// Lower case without accents and ligatures; whether there were any.
fn fold(text: &str) -> (String, bool) {
    let mut folded = String::with_capacity(text.len() + 2);
    let mut has_accents = false;
    folded.push(' ');
    for c in text.nfkd() {
        if is_combining_mark(c) {
            has_accents = true;
            continue;
        }
        let plain = match c {
            'ß' | 'ẞ' => "ss",
            'æ' | 'Æ' => "ae",
            'œ' | 'Œ' => "oe",
            'ø' | 'Ø' => "o",
            'ł' | 'Ł' => "l",
            'đ' | 'Đ' | 'ð' | 'Ð' => "d",
            'þ' | 'Þ' => "th",
            'ı' => "i",
            _ => {
                folded.extend(c.to_lowercase());
                continue;
            }
        };
        has_accents = true;
        folded.push_str(plain);
    }
    folded.push(' ');
    (folded, has_accents)
}

/// The text outside of brackets, and what stands in each.
fn brackets(text: &str) -> (String, Vec<String>) {
    let (mut outside, mut inside, mut depth) = (String::new(), Vec::new(), 0_usize);
    let mut inner = String::new();
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    inside.push(std::mem::take(&mut inner));
                    outside.push_str(" - ");
                }
            }
            _ if depth > 0 => inner.push(c),
            _ => outside.push(c),
        }
    }
    if !inner.is_empty() {
        inside.push(inner);
    }
    (outside, inside)
}

/// The parts between markers of trade names, empty ones left out.
fn trade_names(text: &str) -> Vec<String> {
    let mut parts = vec![format!(" {} ", text.replace(['.', ':'], "\u{1}"))];
    // Points stay for spaced letters, but "d.b.a." is a marker as well.
    for part in &mut parts {
        *part = part.replace("d\u{1}b\u{1}a\u{1}", "dba").replace("t\u{1}a\u{1}", "t/a");
    }
    for marker in TRADE_MARKERS {
        parts = parts.iter().flat_map(|part| part.split(marker).map(|p| format!(" {p} ")).collect::<Vec<_>>()).collect();
    }
    parts.into_iter().map(|part| part.replace('\u{1}', ".")).filter(|part| part.chars().any(char::is_alphanumeric)).collect()
}

/// A word and the part of the name that it stands in.
struct Word {
    text: String,
    part: usize,
    is_spaced: bool,
}

fn read(text: &str) -> Option<Name> {
    let mut aside = Vec::new();
    let mut words = split(text);
    if words.iter().any(|word| word.is_spaced) {
        aside.push(Aside::SpacedLetters);
    }
    // "& Co" belongs to the form; fillers go first so that it stands at the end.
    let kept = |word: &Word| !is_filler(&word.text);
    if words.iter().any(|word| !kept(word)) && words.iter().any(kept) {
        words.retain(kept);
        aside.push(Aside::Filler);
    }
    if text.contains('&') || text.contains('+') {
        aside.push(Aside::Filler);
    }
    let count = words.len();
    let is_last = |at: usize, words: &[Word]| words.get(at + 1).is_none_or(|next| next.part != words[at].part);
    let mut gone = vec![false; count];
    for at in (0..count).rev() {
        let next_gone = gone.get(at + 1).copied().unwrap_or(false);
        let at_end = is_last(at, &words) || next_gone;
        gone[at] = is_form(&words[at].text)
            || (at_end && is_end_form(&words[at].text))
            || (words[at].is_spaced && at_end && words[at].text == "spa");
    }
    if gone.iter().all(|gone| *gone) {
        gone = vec![false; count];
    }
    let mut name = Vec::with_capacity(count);
    for (word, gone) in words.into_iter().zip(gone) {
        if gone { aside.push(Aside::LegalForm(word.text)) } else { name.push(word.text) }
    }
    (!name.is_empty()).then_some(Name { words: name, aside })
}

/// Words; runs of single letters are drawn together (`A.B.C.` is `abc`, `sp. z o.o.` is `spzoo`).
fn split(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut part = 0;
    let mut word = String::new();
    let mut end = |word: &mut String, part: usize| {
        if !word.is_empty() {
            words.push(Word { text: std::mem::take(word), part, is_spaced: false });
        }
    };
    let mut before = ' ';
    for c in text.chars() {
        match c {
            _ if c.is_alphanumeric() => word.push(c),
            // An apostrophe, straight or curly, is part of its word.
            '\'' | '\u{2019}' | '`' | '\u{b4}' => {}
            '&' | '+' => {
                end(&mut word, part);
                word.push_str("and");
                end(&mut word, part);
            }
            _ => {
                end(&mut word, part);
                let closes = matches!(c, ',' | ';' | '|') || (c == '-' && before == ' ') || matches!(c, '\u{2013}' | '\u{2014}');
                part += usize::from(closes);
            }
        }
        before = c;
    }
    end(&mut word, part);
    let mut drawn: Vec<Word> = Vec::with_capacity(words.len());
    let mut run = 0;
    for word in words {
        let is_letter = word.text.chars().count() == 1 && word.text.chars().all(char::is_alphabetic);
        run = if is_letter { run + 1 } else { 0 };
        match drawn.last_mut() {
            Some(last) if run > 1 && last.part == word.part => {
                last.text.push_str(&word.text);
                last.is_spaced = true;
            }
            _ => {
                run = usize::from(is_letter);
                drawn.push(word);
            }
        }
    }
    // Polish "sp. z o.o." and Czech "spol. s r.o." keep their first word apart.
    let mut at = 0;
    while at + 1 < drawn.len() {
        if matches!((drawn[at].text.as_str(), drawn[at + 1].text.as_str()), ("sp", "zoo") | ("spol", "sro")) {
            drawn[at + 1].text = if drawn[at].text == "sp" { "spzoo".to_owned() } else { "sro".to_owned() };
            drawn.remove(at);
        }
        at += 1;
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        readings(text).iter().map(|name| name.words.join(" ")).collect()
    }

    #[test]
    fn forms_of_many_countries_are_set_aside() {
        for text in [
            "Harbor Dental",
            "HARBOR DENTAL, L.L.C.",
            "Harbor Dental Pty. Ltd.",
            "The Harbor Dental Company",
            "Harbor Dental GmbH & Co. KG",
            "Harbor Dental S.p.A.",
            "Harbor Dental Sp. z o.o.",
            "Harbor Dental B.V.",
            "Harbor & Dental, Inc",
            "LLC Harbor Dental",
            "Harbor Dental A/S",
            "Harbor Dental spol. s r.o.",
            "Hárbor Déntal",
            "Harbor Dental S. à r.l.",
        ] {
            assert_eq!(words(text)[0], "harbor dental", "{text}");
        }
        assert_eq!(words("Harbor Day Spa"), ["harbor day spa"]);
        assert_eq!(words("Co-op Foods"), ["co op foods"]);
        assert_eq!(words("Limited Inc"), ["limited inc"], "nothing but forms stays as it is");
        assert!(words(" -- ").is_empty());
    }

    #[test]
    fn other_names_and_brackets_are_readings_of_their_own() {
        assert_eq!(words("Smith Holdings Ltd dba Harbor Dental"), ["smith holdings", "harbor dental"]);
        assert_eq!(words("Smith Ltd t/a Harbor Dental"), ["smith", "harbor dental"]);
        assert_eq!(words("Harbor Dental (formerly Alder Legal LLC)"), ["harbor dental", "alder legal"]);
        assert_eq!(words("Harbor Dental Ltd (Boston)"), ["harbor dental", "harbor dental boston"]);
        assert_eq!(words("Harbor Dental Ltd - Boston"), ["harbor dental boston"]);
        assert_eq!(words("A.B.C. Motors"), ["abc motors"]);
        assert_eq!(words("Joe's Bäckerei & Söhne"), ["joes backerei sohne"]);
    }
}
