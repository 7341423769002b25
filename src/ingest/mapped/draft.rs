//! A first mapping file from what a file begins with: names of columns and forms of values suggest what they are. Every doubt is a comment, and what
//! cannot be told apart is a `"?"`, which ingest refuses until a person has answered.

use super::super::conform::parse_instant;
use super::super::sample::Sample;
use crate::lake::Table;
use crate::sources::DateFormat;
use std::fmt::Write as _;

/// Words that name a canonical column, the clearest first. A column whose name is or contains one of them is taken.
type Words = &'static [(&'static str, &'static [&'static str])];

const USAGE: Words = &[
    (
        "customer_native_id",
        &[
            "tenant id",
            "customer id",
            "client id",
            "company id",
            "account id",
            "customer",
            "tenant",
            "client",
            "kunde",
            "company",
            "account",
        ],
    ),
    (
        "customer_native_name",
        &[
            "tenant name",
            "customer name",
            "client name",
            "company name",
            "account name",
            "kundenname",
            "customer",
            "client",
            "tenant",
            "company",
            "kunde",
        ],
    ),
    (
        "native_sku",
        &[
            "sku",
            "stock code",
            "product id",
            "product code",
            "part number",
            "item code",
            "article",
            "artikel",
            "offer id",
            "plan",
            "product",
        ],
    ),
    ("native_name", &["description", "product name", "item name", "sku name", "service name", "name"]),
    ("subject_id", &["subscription id", "resource id", "device id", "user", "device", "subscription"]),
    ("quantity", &["quantity", "qty", "seats", "units", "licences", "licenses", "menge", "usage", "count"]),
    ("unit_cost", &["unit cost", "unit price", "price per unit", "rate", "price"]),
    (
        "cost",
        &[
            "total cost",
            "extended cost",
            "ext cost",
            "partner total",
            "extended price",
            "extended amount",
            "extended",
            "line total",
            "total",
            "cost",
            "amount",
            "subtotal",
            "betrag",
            "charge",
        ],
    ),
    ("currency", &["currency", "waehrung", "währung"]),
    (
        "period_start",
        &[
            "period start",
            "charge start",
            "start usage",
            "usage start",
            "start date",
            "valid from",
            "start",
            "from",
            "von",
            "usage date",
            "date",
        ],
    ),
    ("period_end", &["period end", "charge end", "end usage", "usage end", "end date", "valid to", "end", "to", "bis"]),
];

const INVOICE: Words = &[
    ("invoice_id", &["invoice number", "invoice id", "invoice no", "invoice", "rechnung"]),
    ("line_id", &["line id", "line number", "line no", "line", "position"]),
    ("customer_native_id", USAGE[0].1),
    ("customer_native_name", USAGE[1].1),
    ("native_sku", USAGE[2].1),
    ("native_name", USAGE[3].1),
    ("quantity", USAGE[5].1),
    ("unit_price", &["unit price", "rate", "price"]),
    ("amount", &["line amount", "extended price", "line total", "net amount", "amount", "total", "betrag"]),
    ("currency", USAGE[8].1),
    ("period_start", &["period start", "service start", "start date", "start", "from", "von"]),
    ("period_end", &["period end", "service end", "end date", "end", "to", "bis"]),
    ("invoice_date", &["invoice date", "issue date", "date", "datum"]),
];

/// Words, or their beginnings, for a customer, and those that make an id of it: where an id stands beside a name, it is the id that is stable.
const CUSTOMERS: &[&str] = &["tenant", "customer", "client", "company", "kunde", "debitor", "mandant", "account"];
const IDS: &[&str] = &["id", "no", "nr", "num", "number", "nummer", "code", "ref", "reference", "key", "guid", "uuid"];

/// Names that a column has which tells a row from every other.
const KEYS: &[&str] =
    &["beleg", "document", "doc", "voucher", "entry", "line", "row", "record", "transaction", "posten", "position", "zeile"];

/// What the columns of a sample seem to be.
struct Guess {
    table: Table,
    /// Canonical column and the column of the file.
    found: Vec<(&'static str, usize)>,
}

fn words(name: &str) -> String {
    let mut text = String::new();
    let mut was_lower = false;
    for c in name.chars() {
        if c.is_alphanumeric() {
            if c.is_uppercase() && was_lower {
                text.push(' ');
            }
            was_lower = c.is_lowercase();
            text.extend(c.to_lowercase());
        } else {
            was_lower = false;
            text.push(' ');
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn guess(sample: &Sample, table: Table, roles: Words) -> Guess {
    let names: Vec<String> = sample.header.iter().map(|name| words(name)).collect();
    let mut taken = vec![false; names.len()];
    let mut found = Vec::new();
    if let Some(at) = customer_id(&names) {
        taken[at] = true;
        found.push(("customer_native_id", at));
    }
    // Whole names first, so that `price` does not take what is `unit price` to another.
    for is_whole in [true, false] {
        for (role, synonyms) in roles {
            if found.iter().any(|(known, _)| known == role) {
                continue;
            }
            let is_at = |at: &usize, word: &str| {
                !taken[*at]
                    && if is_whole { names[*at] == word } else { format!(" {} ", names[*at]).contains(&format!(" {word} ")) }
            };
            let place = synonyms.iter().find_map(|word| (0..names.len()).find(|at| is_at(at, word) && fits(sample, *at, role)));
            if let Some(at) = place {
                taken[at] = true;
                found.push((*role, at));
            }
        }
    }
    if table == Table::VendorUsage
        && let Some(at) = line_key(sample, &names, &taken)
    {
        found.push(("line_key", at));
    }
    Guess { table, found }
}

/// The column that is an id of the customer by its name, such as `Client ID`, `Kundennr`.
fn customer_id(names: &[String]) -> Option<usize> {
    let is_id = |name: &String, stem: &str| {
        let parts: Vec<&str> = name.split(' ').collect();
        parts.iter().enumerate().any(|(at, part)| {
            let rest = part.strip_prefix(stem);
            let is_next = parts.get(at + 1).is_some_and(|next| IDS.contains(next));
            // `kunde` and `nr` are `kundennr`, with or without a space.
            rest.is_some_and(|rest| {
                IDS.contains(&rest.strip_prefix('n').unwrap_or(rest)) || IDS.contains(&rest) || (rest.len() < 2 && is_next)
            })
        })
    };
    CUSTOMERS.iter().find_map(|stem| names.iter().position(|name| is_id(name, stem)))
}

/// The column that tells a row from every other: filled and different in all rows looked at, and an id by its name.
fn line_key(sample: &Sample, names: &[String], taken: &[bool]) -> Option<usize> {
    let is_unique = |at: &usize| {
        let mut seen = std::collections::HashSet::new();
        let texts: Vec<&str> = values(sample, *at).map(|(text, _)| text).filter(|text| !text.is_empty()).collect();
        texts.len() == sample.rows.len() && texts.len() > 1 && texts.iter().all(|text| seen.insert(*text))
    };
    let is_key =
        |at: &usize| names[*at].split(' ').any(|word| IDS.contains(&word) || KEYS.iter().any(|key| word.starts_with(key)));
    (0..names.len()).filter(|at| !taken[*at] && is_key(at)).find(is_unique)
}

fn values(sample: &Sample, at: usize) -> impl Iterator<Item = (&str, bool)> {
    sample.rows.iter().filter_map(move |row| row.get(at)).filter_map(|(text, stated)| Some((text.as_deref()?.trim(), *stated)))
}

/// Whether the values can be of the role.
fn fits(sample: &Sample, at: usize, role: &str) -> bool {
    let mut all = values(sample, at).take(50);
    match role {
        "quantity" | "unit_cost" | "cost" | "unit_price" | "amount" => {
            all.all(|(text, _)| text.contains(|c: char| c.is_ascii_digit()))
        }
        "period_start" | "period_end" | "invoice_date" => {
            let mut all = all.peekable();
            all.peek().is_none() || all.any(|(text, stated)| stated || !forms(text).is_empty())
        }
        _ => true,
    }
}

/// Forms of dates with their names in a mapping file.
const FORMS: &[(&str, DateFormat)] = &[
    ("iso", DateFormat::Iso),
    ("us", DateFormat::UsSlash),
    ("%d/%m/%Y", DateFormat::Pattern("%d/%m/%Y")),
    ("%d.%m.%Y", DateFormat::Pattern("%d.%m.%Y")),
    ("%d-%m-%Y", DateFormat::Pattern("%d-%m-%Y")),
    ("%m-%d-%Y", DateFormat::Pattern("%m-%d-%Y")),
    ("%Y/%m/%d", DateFormat::Pattern("%Y/%m/%d")),
    ("D-MON-YYYY", DateFormat::Pattern("%d-%b-%Y")),
    ("%d %b %Y", DateFormat::Pattern("%d %b %Y")),
    ("%d/%m/%Y %H:%M", DateFormat::Pattern("%d/%m/%Y %H:%M")),
    ("%d.%m.%Y %H:%M", DateFormat::Pattern("%d.%m.%Y %H:%M")),
    ("unix_seconds", DateFormat::UnixSeconds),
    ("unix_millis", DateFormat::UnixMillis),
];

fn forms(text: &str) -> Vec<&'static str> {
    let is_form = |(name, form): &&(&'static str, DateFormat)| {
        // A small number is a number.
        !(name.starts_with("unix") && text.len() < 9) && parse_instant(text, &[*form]).is_some()
    };
    FORMS.iter().filter(is_form).map(|(name, _)| *name).collect()
}

/// Forms that every text of a column has.
fn common_forms(sample: &Sample, at: usize) -> Vec<&'static str> {
    let mut common: Option<Vec<&'static str>> = None;
    for text in values(sample, at).filter(|(_, stated)| !stated).map(|(text, _)| text) {
        let here = forms(text);
        common = Some(match common {
            None => here,
            Some(before) => before.into_iter().filter(|form| here.contains(form)).collect(),
        });
    }
    common.unwrap_or_default()
}

/// How texts of numbers seem to be written.
#[derive(Debug, Default)]
struct Numbers {
    /// Texts from which the decimal point follows: `1.234,5` or `0,25`.
    comma: Option<String>,
    point: Option<String>,
    /// A text in which a sign could be either: `1,234`.
    open: Option<String>,
    thousands: Option<char>,
    signs: Vec<String>,
}

impl Numbers {
    fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut numbers = Self::default();
        for text in texts {
            let is_part = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '+' | '\'' | ' ' | '\u{a0}' | '\u{202f}');
            let sign: String = text.chars().filter(|c| !is_part(*c)).collect();
            if !sign.is_empty() && sign.chars().count() <= 4 && !sign.eq_ignore_ascii_case("e") && !numbers.signs.contains(&sign)
            {
                numbers.signs.push(sign);
            }
            let digits: String =
                text.chars().filter(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '\'' | ' ' | '\u{a0}')).collect();
            let digits = digits.trim();
            let (commas, points) = (digits.matches(',').count(), digits.matches('.').count());
            let last = digits.rfind([',', '.']);
            let after = last.map_or(0, |at| digits.len() - at - 1);
            for other in ['\'', ' ', '\u{a0}'] {
                if digits.contains(other) {
                    numbers.thousands = Some(if other == '\u{a0}' { ' ' } else { other });
                }
            }
            let shown = || Some(text.to_owned());
            match (commas, points) {
                (0, 0) => {}
                (0, 1) | (1, 0) if after != 3 => {
                    let side = if commas == 1 { &mut numbers.comma } else { &mut numbers.point };
                    *side = side.take().or_else(shown);
                }
                (0, 1) | (1, 0) => numbers.open = numbers.open.take().or_else(shown),
                (_, 0) => {
                    numbers.thousands = Some(',');
                    numbers.point = numbers.point.take().or_else(shown);
                }
                (0, _) => {
                    numbers.thousands = Some('.');
                    numbers.comma = numbers.comma.take().or_else(shown);
                }
                _ => {
                    let is_comma = last.is_some_and(|at| digits[at..].starts_with(','));
                    numbers.thousands = Some(if is_comma { '.' } else { ',' });
                    let side = if is_comma { &mut numbers.comma } else { &mut numbers.point };
                    *side = side.take().or_else(shown);
                }
            }
        }
        numbers
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// The text of a mapping file for a sample of the file `name`.
#[must_use]
pub fn draft(sample: &Sample, name: &str, system: Option<&str>) -> String {
    let usage = guess(sample, Table::VendorUsage, USAGE);
    let invoice = guess(sample, Table::InvoiceLine, INVOICE);
    let is_invoice =
        invoice.found.iter().any(|(role, _)| *role == "invoice_id") && invoice.found.iter().any(|(role, _)| *role == "line_id");
    let guess = if is_invoice { invoice } else { usage };
    // Writing to a text cannot fail.
    let mut out = String::new();
    let stem = words(name.split('.').next().unwrap_or(name)).replace(' ', "_");
    let stem: String = stem.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let _ = writeln!(
        out,
        "# Drafted from `{name}`: {} columns, {} rows looked at. Every line is a proposal; read it before it is used.",
        sample.header.len(),
        sample.rows.len()
    );
    let _ = writeln!(out, "# A \"?\" is a question: `shortfall ingest --mapping` refuses the file until it is answered.\n");
    let asked = if system.is_some() {
        "the name of this system in crosswalks"
    } else {
        "question: which name has this system in crosswalks?"
    };
    let _ = writeln!(out, "system = {}  # {asked}", quoted(system.unwrap_or("?")));
    let _ = writeln!(out, "\n[[export]]\nname = {}", quoted(if stem.is_empty() { "lines" } else { &stem }));
    let _ = writeln!(
        out,
        "table = {}  # what a row is: vendor_usage, invoice_line, contract_line, lifecycle_event, company, ...",
        quoted(guess.table.name())
    );
    let _ = writeln!(out, "\n[export.file]\nformat = {}", quoted(sample.format));
    if let Some(sheet) = &sample.sheet {
        let _ = writeln!(out, "sheet = {}", quoted(sheet));
    }
    if !sample.others.is_empty() {
        let _ = writeln!(out, "# not looked at: {}", sample.others.join(", "));
    }
    if sample.format == "csv" && sample.separator != b',' {
        let _ = writeln!(out, "separator = {}", quoted(&char::from(sample.separator).to_string()));
    }
    if sample.encoding != "utf-8" {
        let _ = writeln!(out, "encoding = {}  # concluded from bytes that are no UTF-8", quoted(sample.encoding));
    }
    if let Some(row) = sample.header_row {
        let _ = writeln!(out, "header_row = {row}");
    }
    if let Some(records) = &sample.records {
        let _ = writeln!(out, "records = {}", quoted(records));
    }
    cells(&mut out, sample, &guess);
    columns(&mut out, sample, &guess);
    out
}

fn cells(out: &mut String, sample: &Sample, guess: &Guess) {
    let _ = writeln!(out, "\n[export.cells]");
    let is_date = |role: &str| matches!(role, "period_start" | "period_end" | "invoice_date");
    let dates: Vec<usize> = guess.found.iter().filter(|(role, _)| is_date(role)).map(|(_, at)| *at).collect();
    let has_texts = |at: &usize| values(sample, *at).any(|(_, stated)| !stated);
    let mut common: Option<Vec<&'static str>> = None;
    for at in dates.iter().filter(|at| has_texts(at)) {
        let here = common_forms(sample, *at);
        common = Some(match common {
            None => here,
            Some(before) => before.into_iter().filter(|form| here.contains(form)).collect(),
        });
    }
    let example = dates.iter().find_map(|at| values(sample, *at).find(|(_, stated)| !stated).map(|(text, _)| text.to_owned()));
    match common.as_deref() {
        None => {}
        Some([form]) => {
            let _ = writeln!(out, "dates = [{}]  # such as {}", quoted(form), quoted(&example.unwrap_or_default()));
        }
        Some([]) => {
            let _ = writeln!(
                out,
                "dates = [\"?\"]  # question: how are dates written, such as {}? (%d day, %m month, %Y year)",
                quoted(&example.unwrap_or_default())
            );
        }
        Some(several) => {
            let names: Vec<String> = several.iter().map(|form| quoted(form)).collect();
            let _ = writeln!(
                out,
                "dates = [\"?\"]  # question: {} can be read as {}; which is it?",
                quoted(&example.unwrap_or_default()),
                names.join(" or ")
            );
        }
    }
    let is_number = |role: &str| matches!(role, "quantity" | "unit_cost" | "cost" | "unit_price" | "amount");
    let columns = guess.found.iter().filter(|(role, _)| is_number(role)).map(|(_, at)| *at);
    let texts = columns.flat_map(|at| values(sample, at).filter(|(_, stated)| !stated).map(|(text, _)| text).collect::<Vec<_>>());
    let numbers = Numbers::of(texts);
    match (&numbers.comma, &numbers.point, &numbers.open) {
        (Some(comma), Some(point), _) => {
            let _ = writeln!(
                out,
                "decimal = \"?\"  # question: {} and {} stand side by side; which sign is the decimal point?",
                quoted(comma),
                quoted(point)
            );
        }
        (Some(comma), None, _) => {
            let _ = writeln!(out, "decimal = \",\"  # such as {}", quoted(comma));
        }
        (None, None, Some(open)) => {
            let _ = writeln!(out, "decimal = \"?\"  # question: is {} a thousand, or one and a fraction?", quoted(open));
        }
        _ => {}
    }
    let usual = match (&numbers.comma, &numbers.point, &numbers.open) {
        (Some(_), None, Some(_)) => Some('.'),
        (None, Some(_), Some(open)) if open.contains(',') => Some(','),
        _ => None,
    };
    if let Some(thousands) = numbers.thousands.or(usual) {
        let _ = writeln!(out, "thousands = {}", quoted(&thousands.to_string()));
    }
    if !numbers.signs.is_empty() {
        let signs: Vec<String> = numbers.signs.iter().take(6).map(|sign| quoted(sign)).collect();
        let _ = writeln!(out, "signs = [{}]", signs.join(", "));
    }
}

fn columns(out: &mut String, sample: &Sample, guess: &Guess) {
    let _ = writeln!(out, "\n[export.columns]");
    let roles: Words = if guess.table == Table::InvoiceLine { INVOICE } else { USAGE };
    let needed: &[&str] = if guess.table == Table::InvoiceLine {
        &["invoice_id", "line_id", "customer_native_id", "native_sku", "amount"]
    } else {
        &["customer_native_id", "native_sku", "period_start", "period_end"]
    };
    for (role, _) in roles {
        let found = guess.found.iter().find(|(known, _)| known == role).map(|(_, at)| *at);
        match found {
            Some(at) => {
                let example = values(sample, at).next().map_or("", |(text, _)| text);
                let shown: String = example.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect();
                let name = quoted(&sample.header[at]);
                if *role == "period_end" {
                    let _ = writeln!(
                        out,
                        "{role} = {{ column = {name}, inclusive = true }}  # such as {shown}; doubt: is this the last day that counts, or the first that does not?"
                    );
                } else {
                    let _ = writeln!(out, "{role} = {name}  # such as {shown}");
                }
            }
            None if *role == "currency" => {
                let _ =
                    writeln!(out, "currency = {{ constant = \"?\" }}  # question: no column names it; which code, such as USD?");
            }
            None if *role == "cost" && guess.table == Table::VendorUsage => {
                let of = |wanted: &str| {
                    guess.found.iter().find(|(known, _)| *known == wanted).map(|(_, at)| quoted(&sample.header[*at]))
                };
                if let (Some(quantity), Some(price)) = (of("quantity"), of("unit_cost")) {
                    let _ = writeln!(out, "cost = {{ multiply = [{quantity}, {price}] }}  # doubt: no column names it");
                }
            }
            None if needed.contains(role) => {
                let _ = writeln!(out, "{role} = \"?\"  # question: which column is it?");
            }
            None => {}
        }
    }
    if let Some((_, at)) = guess.found.iter().find(|(role, _)| *role == "line_key") {
        let _ = writeln!(
            out,
            "line_key = {}  # different in each of the {} rows looked at. A row of a later file replaces the one with its key; without a key, the one of \
             the same customer, article and period",
            quoted(&sample.header[*at]),
            sample.rows.len()
        );
    }
    if guess.table == Table::InvoiceLine {
        let _ = writeln!(
            out,
            "kind = {{ constant = \"?\" }}  # question: recurring, usage, one_off, credit or tax? Or {{ column = ..., values = {{ \"text\" = \"recurring\" }} }}"
        );
    } else {
        let _ = writeln!(
            out,
            "measure = {{ constant = \"?\" }}  # question: level (seats held over the period) or flow (consumption that adds up)?"
        );
    }
    let left: Vec<&str> = (0..sample.header.len())
        .filter(|at| !guess.found.iter().any(|(_, taken)| taken == at))
        .map(|at| sample.header[at].as_str())
        .filter(|name| !name.is_empty())
        .collect();
    if !left.is_empty() {
        let _ = writeln!(out, "# not used: {}", left.join(", ").replace(['\n', '\r'], " "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_customer_is_preferred_to_its_name() {
        let found = |names: &[&str]| customer_id(&names.iter().map(|name| words(name)).collect::<Vec<_>>());
        assert_eq!(found(&["Kunde", "Kundennr"]), Some(1));
        assert_eq!(found(&["Customer", "CustomerNumber", "Tenant ID"]), Some(2));
        assert_eq!(found(&["Client", "Client No."]), Some(1));
        assert_eq!(found(&["Customer", "Account Manager", "Company name"]), None);
    }
}
