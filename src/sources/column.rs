//! The typed columns of an export: what a cell must be, and how its text is read.

/// A column of an export: its name in the file and what its cells must be.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Name in the header, or dotted path in JSON. Lines of a record begin with `line.`.
    pub name: &'static str,
    /// What a cell is.
    pub kind: Kind,
    /// A row without a value here is rejected, a file without the column is refused.
    pub required: bool,
}

/// What a cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A number, stored exactly with 18 decimals.
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
}

/// How an instant is written. A source lists the forms that it uses, tried in order; nothing is guessed per value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateFormat {
    /// `2026-07-01`, `2026-07-01T10:00Z`, `2026-07-01 10:00:00.1234567+02:00`.
    Iso,
    /// `7/1/2026`, `07/01/2026 23:59`: month first.
    UsSlash,
    /// Seconds since 1970.
    UnixSeconds,
}

/// ISO 8601 only.
pub const ISO: Kind = Kind::Instant(&[DateFormat::Iso]);

impl Column {
    /// A text column.
    #[must_use]
    pub const fn text(name: &'static str) -> Self {
        Self { name, kind: Kind::Text, required: false }
    }

    /// An exact number.
    #[must_use]
    pub const fn decimal(name: &'static str) -> Self {
        Self { name, kind: Kind::Decimal, required: false }
    }

    /// An amount in minor units of the currency in another column.
    #[must_use]
    pub const fn minor_units(name: &'static str, currency: &'static str) -> Self {
        Self { name, kind: Kind::MinorUnits { currency }, required: false }
    }

    /// A currency code.
    #[must_use]
    pub const fn currency(name: &'static str) -> Self {
        Self { name, kind: Kind::Currency, required: false }
    }

    /// An ISO 8601 date or instant.
    #[must_use]
    pub const fn iso(name: &'static str) -> Self {
        Self { name, kind: ISO, required: false }
    }

    /// Seconds since 1970.
    #[must_use]
    pub const fn unix_seconds(name: &'static str) -> Self {
        Self { name, kind: Kind::Instant(&[DateFormat::UnixSeconds]), required: false }
    }

    /// An instant in any of the source's own forms.
    #[must_use]
    pub const fn instant(name: &'static str, formats: &'static [DateFormat]) -> Self {
        Self { name, kind: Kind::Instant(formats), required: false }
    }

    /// A truth value.
    #[must_use]
    pub const fn boolean(name: &'static str) -> Self {
        Self { name, kind: Kind::Boolean, required: false }
    }

    /// The same column, with a value demanded in every row.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }
}
