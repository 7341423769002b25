//! The staging query that a mapping comes to: one line per canonical column. Quotients and products are the exact functions, never SQL's.

use crate::query::text_literal;
use std::fmt::Write as _;

/// Where a number comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// A column with numbers.
    Column(String),
    /// A column whose texts were mapped to numbers.
    NumberIn(String),
    /// A number.
    Constant(String),
}

impl Source {
    fn sql(&self) -> String {
        match self {
            Self::Column(name) => quoted(name),
            Self::NumberIn(name) => format!("CAST({} AS DECIMAL(38, 18))", quoted(name)),
            Self::Constant(number) => format!("CAST('{number}' AS DECIMAL(38, 18))"),
        }
    }
}

/// Where a canonical column comes from.
#[derive(Clone, Debug)]
pub(super) enum Term {
    /// A column as it is.
    Column(String),
    /// A truth value, as text.
    Flag(String),
    /// SQL without columns.
    Constant(String),
    /// Columns with a bar between them.
    Join(Vec<String>),
    /// When the file became known.
    Arrival(&'static str),
    /// A date.
    Instant {
        /// The column.
        column: String,
        /// The last day that counts, where the first that does not is wanted.
        is_inclusive: bool,
        /// A day, not an instant.
        is_day: bool,
    },
    /// A number.
    Number {
        /// What is multiplied.
        factors: Vec<Source>,
        /// What it is divided by.
        divisor: Option<Source>,
        /// Minor units in one unit of the currency.
        minor: Option<u64>,
        /// Whether its sign is the other.
        is_negated: bool,
    },
}

impl Term {
    pub(super) fn text(text: &str) -> Self {
        Self::Constant(text_literal(text))
    }

    fn sql(&self) -> String {
        match self {
            Self::Column(name) => quoted(name),
            Self::Flag(name) => format!("lower({}) IN ('true', '1', 'yes')", quoted(name)),
            Self::Constant(sql) => sql.clone(),
            Self::Join(names) => {
                let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
                format!("nullif(concat_ws('|', {}), '')", names.join(", "))
            }
            Self::Arrival(sql) => (*sql).to_owned(),
            Self::Instant { column, is_inclusive, is_day } => {
                let column = quoted(column);
                let instant = if *is_inclusive { format!("date_trunc('day', {column}) + INTERVAL '1 day'") } else { column };
                if *is_day { format!("CAST({instant} AS DATE)") } else { instant }
            }
            Self::Number { factors, divisor, minor, is_negated } => {
                let product =
                    factors.iter().map(Source::sql).reduce(|a, b| format!("exact_product({a}, {b})")).unwrap_or_default();
                let minor = minor.map(|minor| Source::Constant(minor.to_string()));
                let number = divisor.iter().chain(&minor).fold(product, |a, b| format!("exact_quotient({a}, {})", b.sql()));
                if *is_negated { format!("-({number})") } else { number }
            }
        }
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The query over `raw`.
pub(super) fn select(terms: &[(String, Term)]) -> String {
    let mut sql = "SELECT\n".to_owned();
    for (name, term) in terms {
        // Writing to a text cannot fail.
        let _ = writeln!(sql, "  {} AS {},", term.sql(), quoted(name));
    }
    sql + "  source_row\nFROM raw\n"
}
