//! The typed columns of an export: what a cell must be, and how its text is read.

/// A column of an export: its name in the file and what its cells must be.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Name in the header, or dotted path in JSON. Lines of a record begin with `line.`. Of an array in brackets the numbers are summed:
    /// `taxes[].amount` of all its items, `taxes[tax_behavior=inclusive].amount` of those that have this value.
    pub name: &'static str,
    /// What a cell is.
    pub kind: Kind,
    /// A row without a value here is rejected, a file without the column is refused.
    pub required: bool,
    /// Names of the same column in other generations of the header, tried after `name`.
    pub aliases: &'static [&'static str],
    /// What to do about a value that is required and missing, where the source makes that likely.
    pub advice: Option<&'static str>,
}

/// What a cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// An id that some exports write as a float: `12.0` and `12` are one.
    Id,
    /// A number, stored with 18 decimals; what has more is rounded half-even at the 18th.
    Decimal,
    /// An amount in the minor unit of the row's currency, which stands in the named column (`1999` with `usd` is 19.99).
    MinorUnits {
        /// Column with the currency code.
        currency: &'static str,
    },
    /// An ISO 4217 code, stored in upper case.
    Currency,
    /// An instant; texts without an offset are UTC.
    Instant(&'static [DateFormat]),
    /// `true`/`false`, `1`/`0`, `yes`/`no`.
    Boolean,
    /// A number as a mapping file says that it is written.
    Number(&'static NumberFormat),
    /// One of some texts, each of which stands for a value; any other is rejected.
    OneOf(&'static ValueMap),
}

/// How numbers are written as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberFormat {
    /// The decimal point.
    pub decimal: char,
    /// What stands between groups of three digits.
    pub thousands: Option<char>,
    /// Currency signs and the like, which are stripped; longer ones first.
    pub signs: &'static [&'static str],
}

/// Texts and what they stand for; texts are in lower case and may hold `*`. The first that fits counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueMap {
    /// Text and value.
    pub entries: Vec<(String, String)>,
}

impl ValueMap {
    /// What a text stands for.
    #[must_use]
    pub fn value(&self, text: &str) -> Option<&str> {
        let text = text.trim().to_lowercase();
        self.entries.iter().find(|(pattern, _)| fits(pattern, &text)).map(|(_, value)| value.as_str())
    }
}

/// Whether a text is the pattern, where `*` is anything.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(left) = text.strip_prefix(start) else { return false };
    let mut ends = left.char_indices().map(|(at, _)| at).chain([left.len()]);
    ends.any(|at| fits(rest, &left[at..]))
}

/// How an instant is written. A source lists the forms that it uses, tried in order; nothing is guessed per value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateFormat {
    /// `2026-07-01`, `2026-07-01T10:00Z`, `2026-07-01 10:00:00.1234567+02:00`.
    Iso,
    /// `7/1/2026`, `07/01/2026 23:59`: month first.
    UsSlash,
    /// `2026-07`: the first day of a month.
    IsoMonth,
    /// Seconds since 1970.
    UnixSeconds,
    /// Milliseconds since 1970.
    UnixMillis,
    /// As a mapping file says, in the patterns of `strftime`; names of months are English.
    Pattern(&'static str),
    /// `/Date(1419937200000+1300)/`: milliseconds since 1970, and the offset that makes them the local time that is meant.
    DotNet,
}

/// The place of a line among those of its record, from 1: the id of lines that have none.
pub const LINE_POSITION: &str = "line_position";

/// ISO 8601 only.
pub const ISO: Kind = Kind::Instant(&[DateFormat::Iso]);

impl Column {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, required: false, aliases: &[], advice: None }
    }

    /// A text column.
    #[must_use]
    pub const fn text(name: &'static str) -> Self {
        Self::new(name, Kind::Text)
    }

    /// An id, which may be written as a float.
    #[must_use]
    pub const fn id(name: &'static str) -> Self {
        let mut column = Self::text(name);
        column.kind = Kind::Id;
        column
    }

    /// A number. Doubles that systems print in full have more decimals than are stored (a third of a cent has 19): a rounding below any unit
    /// of money, which costs no row its place.
    #[must_use]
    pub const fn decimal(name: &'static str) -> Self {
        Self::new(name, Kind::Decimal)
    }

    /// An amount in minor units of the currency in another column.
    #[must_use]
    pub const fn minor_units(name: &'static str, currency: &'static str) -> Self {
        Self::new(name, Kind::MinorUnits { currency })
    }

    /// A currency code.
    #[must_use]
    pub const fn currency(name: &'static str) -> Self {
        Self::new(name, Kind::Currency)
    }

    /// An ISO 8601 date or instant.
    #[must_use]
    pub const fn iso(name: &'static str) -> Self {
        Self::new(name, ISO)
    }

    /// Seconds since 1970.
    #[must_use]
    pub const fn unix_seconds(name: &'static str) -> Self {
        Self::new(name, Kind::Instant(&[DateFormat::UnixSeconds]))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn unix_millis(name: &'static str) -> Self {
        Self::new(name, Kind::Instant(&[DateFormat::UnixMillis]))
    }

    /// An instant in any of the source's own forms.
    #[must_use]
    pub const fn instant(name: &'static str, formats: &'static [DateFormat]) -> Self {
        Self::new(name, Kind::Instant(formats))
    }

    /// A truth value.
    #[must_use]
    pub const fn boolean(name: &'static str) -> Self {
        Self::new(name, Kind::Boolean)
    }

    /// The same column, with a value demanded in every row.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The same column, with a value demanded in every row, and what to do where it is missing.
    #[must_use]
    pub const fn required_or(mut self, advice: &'static str) -> Self {
        self.required = true;
        self.advice = Some(advice);
        self
    }

    /// The same column, under other names in other generations of the header.
    #[must_use]
    pub const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// Where the column stands in a header.
    #[must_use]
    pub fn position(&self, header: &[String]) -> Option<usize> {
        std::iter::once(self.name).chain(self.aliases.iter().copied()).find_map(|name| position(header, name))
    }

    /// Where the column stands as an item of a map, structure or JSON object, for files that have such: `product/region`, `product['region']` and
    /// `product.region` are the item `region` of the column `product`.
    #[must_use]
    pub fn item_position(&self, header: &[String]) -> Option<(usize, &'static str)> {
        std::iter::once(self.name).chain(self.aliases.iter().copied()).find_map(|name| {
            let (base, item) = match name.split_once('[') {
                Some((base, rest)) => (base, rest.strip_suffix(']')?.trim_matches(['\'', '"'])),
                None => name.split_once('/').or_else(|| name.split_once('.'))?,
            };
            Some((header.iter().position(|there| there.eq_ignore_ascii_case(base))?, item))
        })
    }
}

/// Where a name stands in a header: as a whole cell, else as the original name that a translated header adds in parentheses,
/// `Ressourcengruppe (ResourceGroup)`. Case does not matter.
#[must_use]
pub fn position(header: &[String], name: &str) -> Option<usize> {
    let is_original = |cell: &String| {
        let inner = cell.strip_suffix(')').and_then(|cell| cell.rsplit_once('('));
        inner.is_some_and(|(_, original)| original.trim().eq_ignore_ascii_case(name))
    };
    header.iter().position(|cell| cell.eq_ignore_ascii_case(name)).or_else(|| header.iter().position(is_original))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_under_every_name_that_they_have() {
        let header = ["Kosten (alt)", "Ressourcengruppe (ResourceGroup)", "PRETAXCOST", "Preis (EUR) (Cost )"].map(str::to_owned);
        assert_eq!(Column::decimal("CostInBillingCurrency").also(&["PreTaxCost", "Cost"]).position(&header), Some(2));
        assert_eq!(Column::text("resourceGroup").position(&header), Some(1));
        assert_eq!(Column::decimal("Cost").position(&header), Some(3));
        assert_eq!(Column::text("Kosten").position(&header), None);
    }
}
