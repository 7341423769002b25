//! Customers of an MSP and the names that other systems give them. Shares no code and no table with the matcher that is measured on it.
//!
//! A register of customers; for each a tenant (for some two) whose name went through one to three of the accidents below; tenants that
//! belong to nobody in the register, a third of them relatives of somebody who does ("Acme Care West" beside "Acme Care North").

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

/// A customer as the PSA has it.
#[derive(Clone, Debug)]
pub struct Known {
    pub key: String,
    pub name: String,
    pub domain: Option<String>,
}

/// A tenant as a vendor has it, and whose it is.
#[derive(Clone, Debug)]
pub struct Tenant {
    pub id: String,
    pub name: String,
    pub domain: Option<String>,
    pub truth: Option<String>,
    /// What happened to its name.
    pub accidents: Vec<&'static str>,
}

/// A book of customers and tenants.
#[derive(Clone, Debug)]
pub struct Pairs {
    pub known: Vec<Known>,
    pub tenants: Vec<Tenant>,
}

const SURNAMES: &str = "Abbott Adeyemi Almeida Andersen Arslan Bakker Barlow Becker Bernard Blackwood Brennan Caldwell Castellano Chaudhry Christensen Cooper \
Dahl Davenport Delacroix Dimitrov Donnelly Ekström Ellison Fairchild Ferreira Fischer Fontaine Gallagher García Goodwin Grant Grünwald Hargreaves Hartmann \
Haugen Henderson Holloway Ivanov Jansen Jefferson Jørgensen Kapoor Keller Kowalski Kramer Lafontaine Lambert Larsen Lindqvist Lombardi MacLeod Marchetti \
Martin Matsuda McAllister Mendoza Moreau Müller Nakamura Navarro Newcombe Nielsen Núñez Oakley Okafor Osborne Papadopoulos Patel Pedersen Pellegrini Petrov \
Quinn Ramsey Reinhardt Reyes Rossi Rutherford Sandoval Schäfer Schwartz Sinclair Skovgaard Sokolov Sørensen Stewart Sutherland Tanaka Thackeray Thornton \
Tremblay Underhill Van-Dijk Vasquez Vogel Wadsworth Wagner Weatherby Whitaker Winslow Wójcik Yamamoto Yilmaz Zellweger Zimmermann";
const PLACES: &str = "Amber Ashgrove Aspen Beacon Birchfield Blackwater Blue-Ridge Bridgeport Brookside Canyon Cascade Castlegate Cedar-Hill Clearwater Cliffside \
Crescent Crestview Cypress Deepwell Dovetail Eagle Eastgate Edgewater Elmwood Evergreen Fairview Falcon Fernwood Firebrand Foxhill Frontier Glenwood Golden-Gate \
Granite Greenfield Halcyon Hawthorn Heritage Highland Hillcrest Horizon Ironbridge Ivy Kingsway Lakeshore Larkspur Lighthouse Longmeadow Magnolia Mapleton \
Mayflower Millbrook Mistral Moonlight Mountain-View Northstar Oakridge Oceanic Old-Town Orchid Palisade Peachtree Pebble Pinnacle Port-City Redstone Ridgeway \
Riverdale Rockport Rosewood Sandstone Seaside Silverlake Skyline Southport Springfield Stonegate Summerhill Sunrise Tamarack Three-Rivers Timberline Trinity \
Valley-Forge Vanguard Victoria Walnut Waterford Westfield Whitestone Wildwood Windermere Woodland";
const TRADES: &str = "Accountants|Advisory Group|Animal Hospital|Architects|Auto Repair|Bakery|Builders|Capital Management|Care Homes|Catering|Chiropractic|Civil \
Engineering|Construction|Credit Union|Dental Practice|Dermatology|Design Studio|Distribution|Electrical Services|Engineering|Estate Agents|Family Clinic|Farms|\
Financial Planning|Flooring|Food Products|Freight Services|Furniture|Garden Centre|Glass|Healthcare|Heating and Cooling|Hotels|Insurance Brokers|Interiors|\
International Logistics|Labs|Landscaping|Law Office|Machine Works|Manufacturing|Marine Supplies|Marketing|Medical Centre|Metal Fabrication|Montessori School|\
Motors|Nursery|Orthodontics|Packaging Solutions|Pharmacy|Physiotherapy|Plastics|Plumbing|Precision Tools|Printing|Property Management|Recruitment|Roofing|\
Seafood|Security Systems|Software|Solicitors|Structural Engineers|Surveyors|Technologies|Textiles|Transport|Veterinary Clinic|Wealth Management|Wholesale|Wines";
const SYLLABLES: &str = "ve ra lu no xi tri zen qua mer dor pho lex nu kal bri tel sol vor an di gen ar po cy";
const FORMS: &str = "Ltd|Limited|LLC|Inc|Inc.|GmbH|Pty Ltd|B.V.|S.A.|SARL|AB|AS|ApS|LLP|Corp|Co|& Co|S.r.l.|plc|Oy|GmbH & Co. KG|L.L.C.|Corporation|PLLC|Sp. z o.o.|||";
const CITIES: &str = "Boston Leeds Dallas Perth Oslo Lyon Porto Hamburg Toronto Denver Bristol Cardiff Austin Geneva Antwerp";
const KIN: &str =
    "North|South|East|West|Holdings|Properties|Group|Services|Training|II|Europe|Asia|Foundation|Academy|Online|Retail|2|3";
const SHORT: &str = "Services=Svcs International=Intl Management=Mgmt Engineering=Engrg Manufacturing=Manuf Solicitors=Solrs Practice=Prac Financial=Fin Centre=Ctr \
Property=Prop Technologies=Tech Construction=Constr Insurance=Insur Group=Grp Distribution=Distrib Veterinary=Vet Medical=Med Logistics=Log Accountants=Accts Systems=Sys";

fn pick<'a>(dice: &mut ChaCha8Rng, list: &'a [&'a str]) -> &'a str {
    list.choose(dice).expect("a list that is not empty")
}

fn words_of(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// A name without its legal form.
fn base(dice: &mut ChaCha8Rng) -> String {
    let (surnames, places) = (words_of(SURNAMES), words_of(PLACES));
    let trades: Vec<&str> = TRADES.split('|').collect();
    let syllables = words_of(SYLLABLES);
    let own = |dice: &mut ChaCha8Rng, list: &[&str]| pick(dice, list).replace('-', " ");
    match dice.random_range(0..100) {
        0..=29 => format!("{} {}", own(dice, &places), pick(dice, &trades)),
        30..=49 => format!("{} {}", own(dice, &surnames), pick(dice, &trades)),
        50..=64 => format!("{} & {} {}", own(dice, &surnames), own(dice, &surnames), pick(dice, &trades)),
        65..=74 => format!("{} {} {}", own(dice, &surnames), own(dice, &places), pick(dice, &trades)),
        75..=79 => format!("The {} {}", own(dice, &places), pick(dice, &trades)),
        _ => {
            let coined: String = (0..dice.random_range(2..=4)).map(|_| pick(dice, &syllables)).collect();
            let coined = capital(&coined);
            if dice.random_bool(0.7) { format!("{coined} {}", pick(dice, &trades)) } else { coined }
        }
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn with_form(dice: &mut ChaCha8Rng, base: &str) -> String {
    let forms: Vec<&str> = FORMS.split('|').collect();
    let form = pick(dice, &forms);
    match form {
        "" => base.to_owned(),
        form if dice.random_bool(0.2) => format!("{base}, {form}"),
        form => format!("{base} {form}"),
    }
}

fn plain(c: char) -> char {
    match c {
        'á' | 'ä' => 'a',
        'é' => 'e',
        'í' => 'i',
        'ó' | 'ö' | 'ø' => 'o',
        'ü' | 'ú' => 'u',
        'ñ' => 'n',
        other => other,
    }
}

fn slug(text: &str) -> String {
    text.to_lowercase().chars().map(plain).filter(char::is_ascii_alphanumeric).collect()
}

/// `customers` in the register, and their tenants and strangers.
pub fn pairs(seed: u64, customers: usize) -> Pairs {
    let dice = &mut ChaCha8Rng::seed_from_u64(seed);
    let kin: Vec<&str> = KIN.split('|').collect();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut bases: Vec<String> = Vec::new();
    while bases.len() < customers {
        let name = base(dice);
        if !taken.insert(slug(&name)) {
            continue;
        }
        bases.push(name.clone());
        // Families: a company and its sisters, all of them customers.
        if dice.random_bool(0.05) {
            for _ in 0..dice.random_range(1..=3) {
                let sister = format!("{name} {}", pick(dice, &kin));
                if bases.len() < customers && taken.insert(slug(&sister)) {
                    bases.push(sister);
                }
            }
        }
    }
    let mut known = Vec::new();
    let mut tenants: Vec<Tenant> = Vec::new();
    for (at, base) in bases.iter().enumerate() {
        let key = format!("c{:04}", at + 1);
        let domain = dice.random_bool(0.6).then(|| domain(dice, base));
        let mut name = with_form(dice, base);
        // Some customers are known by a trade name beside their legal one.
        if dice.random_bool(0.04) {
            let legal = unused(dice, &mut taken);
            name = format!("{} dba {base}", with_form(dice, &legal));
        }
        let count = if dice.random_bool(0.05) { 2 } else { 1 };
        for number in 0..count {
            let (tenant, accidents) = accident(dice, base);
            let own_domain = match (dice.random_range(0..100), &domain) {
                (0..=34, Some(domain)) => Some(domain.clone()),
                (0..=54, _) => Some(format!("{}.onmicrosoft.com", slug(base).chars().take(14).collect::<String>())),
                (55..=64, _) => Some(other_domain(dice)),
                _ => None,
            };
            tenants.push(Tenant {
                id: format!("t{at:04}-{number}"),
                name: tenant,
                domain: own_domain,
                truth: Some(key.clone()),
                accidents,
            });
        }
        known.push(Known { key, name, domain });
    }
    for number in 0..customers * 15 / 100 {
        let is_relative = number % 3 == 0;
        let name = if is_relative {
            let of = bases.choose(dice).expect("customers").clone();
            let sister = format!("{of} {}", pick(dice, &kin));
            if !taken.insert(slug(&sister)) {
                continue;
            }
            sister
        } else {
            unused(dice, &mut taken)
        };
        let (noisy, accidents) = accident(dice, &name);
        let own_domain = dice.random_bool(0.5).then(|| domain(dice, &name));
        tenants.push(Tenant { id: format!("x{number:04}"), name: noisy, domain: own_domain, truth: None, accidents });
    }
    Pairs { known, tenants }
}

/// A name that nobody bears yet.
fn unused(dice: &mut ChaCha8Rng, taken: &mut BTreeSet<String>) -> String {
    loop {
        let name = base(dice);
        if taken.insert(slug(&name)) {
            return name;
        }
    }
}

fn domain(dice: &mut ChaCha8Rng, base: &str) -> String {
    let ends = [".com", ".com", ".com", ".co.uk", ".de", ".com.au", ".net", ".no", ".fr"];
    let words: Vec<String> = base.split_whitespace().map(slug).filter(|word| !word.is_empty() && word != "the").collect();
    let label = match dice.random_range(0..10) {
        0..=4 => words.concat(),
        5..=6 => words.join("-"),
        7 => words.iter().take(1).chain(words.iter().skip(1).take(1)).cloned().collect(),
        _ => words.iter().filter_map(|word| word.chars().next()).chain("online".chars()).collect(),
    };
    format!("{label}{}", pick(dice, &ends))
}

fn other_domain(dice: &mut ChaCha8Rng) -> String {
    let syllables = words_of(SYLLABLES);
    let label: String = (0..4).map(|_| pick(dice, &syllables)).collect();
    format!("{label}.io")
}

/// The name after one to three accidents.
fn accident(dice: &mut ChaCha8Rng, base: &str) -> (String, Vec<&'static str>) {
    let mut words: Vec<String> = base.split_whitespace().map(str::to_owned).collect();
    let mut happened = Vec::new();
    for _ in 0..dice.random_range(1..=3) {
        let kind = dice.random_range(0..100);
        let done = match kind {
            0..=24 => "form",
            25..=39 => shorten(dice, &mut words),
            40..=49 => reorder(dice, &mut words),
            50..=66 => typo(dice, &mut words),
            67..=73 => unaccented(&mut words),
            74..=80 => ampersand(dice, &mut words),
            81..=87 => city(dice, &mut words),
            88..=91 => together(dice, &mut words),
            92..=94 => trade(dice, &mut words),
            _ => "case",
        };
        if !done.is_empty() && !happened.contains(&done) {
            happened.push(done);
        }
    }
    let mut name = with_form(dice, &words.join(" "));
    if happened.contains(&"case") {
        name = if dice.random_bool(0.5) { name.to_uppercase() } else { name.to_lowercase() };
    }
    (name, happened)
}

fn shorten(dice: &mut ChaCha8Rng, words: &mut [String]) -> &'static str {
    let table: Vec<(&str, &str)> = SHORT.split_whitespace().filter_map(|pair| pair.split_once('=')).collect();
    for word in words.iter_mut() {
        if let Some((_, short)) = table.iter().find(|(long, _)| long == word) {
            *word = (*short).to_owned();
            return "abbreviation";
        }
    }
    let long: Vec<usize> = (0..words.len()).filter(|&at| words[at].chars().count() >= 8).collect();
    let Some(&at) = long.choose(dice) else { return "" };
    let letters: Vec<char> = words[at].chars().collect();
    words[at] = if dice.random_bool(0.6) {
        let end = if dice.random_bool(0.5) { "." } else { "" };
        letters[..dice.random_range(4..=5)].iter().collect::<String>() + end
    } else {
        let vowel = |c: &char| "aeiou".contains(*c);
        letters.iter().take(1).chain(letters.iter().skip(1).filter(|c| !vowel(c)).take(5)).collect()
    };
    "abbreviation"
}

fn reorder(dice: &mut ChaCha8Rng, words: &mut Vec<String>) -> &'static str {
    if words.len() < 2 {
        return "";
    }
    if dice.random_bool(0.5) {
        let first = words.remove(0);
        let last = words.len() - 1;
        words[last].push(',');
        words.push(first);
    } else {
        let at = dice.random_range(0..words.len() - 1);
        words.swap(at, at + 1);
    }
    "reordered"
}

/// Swapped, lost, doubled or neighbouring letters.
fn typo(dice: &mut ChaCha8Rng, words: &mut [String]) -> &'static str {
    let long: Vec<usize> = (0..words.len()).filter(|&at| words[at].chars().count() >= 5).collect();
    let Some(&at) = long.choose(dice) else { return "" };
    let mut letters: Vec<char> = words[at].chars().collect();
    let place = dice.random_range(1..letters.len() - 1);
    match dice.random_range(0..4) {
        0 => letters.swap(place, place + 1),
        1 => _ = letters.remove(place),
        2 => letters.insert(place, letters[place]),
        _ => {
            let rows = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];
            let near = rows.iter().find_map(|row| {
                let keys: Vec<char> = row.chars().collect();
                let key = keys.iter().position(|key| *key == letters[place])?;
                keys.get(key + 1).or_else(|| keys.get(key.checked_sub(1)?)).copied()
            });
            letters[place] = near.unwrap_or('e');
        }
    }
    words[at] = letters.into_iter().collect();
    "typo"
}

fn unaccented(words: &mut [String]) -> &'static str {
    let before = words.to_vec();
    for word in words.iter_mut() {
        *word = word.chars().map(plain).collect();
    }
    if before == words { "" } else { "accents" }
}

fn ampersand(dice: &mut ChaCha8Rng, words: &mut Vec<String>) -> &'static str {
    for word in words.iter_mut() {
        match word.as_str() {
            "&" => *word = "and".to_owned(),
            "and" => *word = "&".to_owned(),
            _ => continue,
        }
        return "ampersand";
    }
    if words.first().is_some_and(|word| word == "The") {
        words.remove(0);
    } else if dice.random_bool(0.7) {
        words.insert(0, "The".to_owned());
    }
    "the"
}

fn city(dice: &mut ChaCha8Rng, words: &mut Vec<String>) -> &'static str {
    let city = pick(dice, &words_of(CITIES)).to_owned();
    let text = match dice.random_range(0..3) {
        0 => format!("({city})"),
        1 => format!("- {city}"),
        _ => city,
    };
    words.push(text);
    "city"
}

fn together(dice: &mut ChaCha8Rng, words: &mut Vec<String>) -> &'static str {
    if words.len() < 2 {
        return "";
    }
    let at = dice.random_range(0..words.len() - 1);
    let second = words.remove(at + 1);
    words[at].push_str(&second);
    "together"
}

fn trade(dice: &mut ChaCha8Rng, words: &mut Vec<String>) -> &'static str {
    let surname = pick(dice, &words_of(SURNAMES)).to_owned();
    let markers = ["dba", "t/a", "trading as", "d/b/a"];
    let mut legal = vec![surname, "Holdings".to_owned(), "LLC".to_owned(), pick(dice, &markers).to_owned()];
    legal.append(words);
    *words = legal;
    "dba"
}
