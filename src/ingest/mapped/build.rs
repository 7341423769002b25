//! What one `[[export]]` of a mapping file becomes: its columns, how its cells are written, and the staging query of each table.
//!
//! Checked here: that every column without which a row says nothing has a source, that a constant and each value are allowed where a
//! column has few of them, that numbers and dates are written in a way that says what they mean. A fault names the key.

use super::super::read::encoding::Encoding;
use super::file::{ExportSection, Rule};
use super::staging::{Source as From, Term, select};
use super::{Format, Rules};
use crate::lake::Table;
use crate::lake::schema::TABLES;
use crate::money::{currency_code, parse_decimal};
use crate::sources::column::{NumberFormat, ValueMap};
use crate::sources::{Column, DateFormat, Export, Kind, Shape};
use arrow::datatypes::DataType;
use std::collections::BTreeMap;

/// Columns without which a row says nothing.
fn needed(table: Table) -> &'static [&'static str] {
    match table {
        Table::VendorUsage => &["customer_native_id", "native_sku", "measure", "period_start", "period_end"],
        Table::InvoiceLine => &["invoice_id", "line_id", "customer_native_id", "native_sku", "kind", "amount", "currency"],
        Table::ContractLine => &["contract_id", "line_id", "native_sku", "quantity", "effective_from"],
        Table::Contract => &["contract_id", "customer_native_id", "currency"],
        Table::Company => &["native_id", "native_name"],
        Table::LifecycleEvent => &["customer_native_id", "native_sku", "subject_kind", "subject_id", "event", "event_at"],
        Table::SubjectState => &["customer_native_id", "native_sku", "subject_kind", "subject_id", "state"],
        Table::Product => &["native_sku"],
        Table::Invoice => &["invoice_id"],
        Table::CustomerLink => &["native_id", "other_system", "other_id"],
        Table::Fx => &["date", "from_currency", "to_currency", "rate"],
        Table::CustomerMap => &["native_id", "customer_key"],
        Table::ServiceMap => &["native_sku", "service_key"],
        Table::ContractTerms => &["customer_key", "service_key", "model"],
        _ => &[],
    }
}

/// Columns in which a row without a value is rejected, unless the mapping says otherwise.
const REQUIRED: &[&str] =
    &["amount", "cost", "period_start", "event_at", "invoice_id", "line_id", "contract_id", "currency", "rate", "date"];

/// Columns with few possible values.
fn allowed(table: Table, column: &str) -> Option<&'static [&'static str]> {
    match (table, column) {
        (Table::VendorUsage, "measure") => Some(&["flow", "level"]),
        (Table::VendorUsage, "category") => {
            Some(&["usage", "purchase", "credit", "tax", "adjustment", "trial", "entitled", "unused"])
        }
        (Table::InvoiceLine, "kind") => Some(&["recurring", "usage", "one_off", "credit", "tax"]),
        (Table::LifecycleEvent, "event") => Some(&["provisioned", "suspended", "resumed", "cancelled", "deprovisioned"]),
        (Table::SubjectState, "state") => Some(&["active", "suspended", "cancelled", "deprovisioned"]),
        (Table::LifecycleEvent | Table::SubjectState, "subject_kind") => Some(&["user", "device"]),
        _ => None,
    }
}
/// Text that lives as long as the process, as all names of sources do.
pub(super) fn leaked(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn leaked_all(texts: &[String]) -> &'static [&'static str] {
    let texts: Vec<&'static str> = texts.iter().map(|text| leaked(text)).collect();
    Box::leak(texts.into_boxed_slice())
}

/// Key, and what is wrong with it.
pub(super) type Fault = (String, String);

fn fault<T>(key: &str, detail: impl Into<String>) -> Result<T, Fault> {
    Err((key.to_owned(), detail.into()))
}

/// An export as the rest of ingest knows it.
pub(super) struct Built {
    pub(super) export: Export,
    pub(super) rules: Rules,
    pub(super) stagings: Vec<(String, String)>,
}

pub(super) struct Builder<'a> {
    section: &'a ExportSection,
    system: &'a str,
    columns: Vec<Column>,
    needed: Vec<String>,
    dates: &'static [DateFormat],
    numbers: Kind,
}

impl<'a> Builder<'a> {
    pub(super) fn new(section: &'a ExportSection, system: &'a str) -> Self {
        Self { section, system, columns: Vec::new(), needed: Vec::new(), dates: &[DateFormat::Iso], numbers: Kind::Decimal }
    }

    pub(super) fn build(mut self) -> Result<Built, Fault> {
        let section = self.section;
        self.cells()?;
        let Some(target) = table(&section.table) else {
            let known: Vec<&str> = TABLES.iter().filter(|table| table.is_ingested()).map(|table| table.name()).collect();
            return fault("table", format!("there is no table `{}`; known are {}", section.table, known.join(", ")));
        };
        let staging = format!("{}_{}", self.system, section.name);
        let mut stagings = vec![(staging.clone(), self.statement(target, &section.columns, "columns")?)];
        let mut beside = Vec::new();
        for (name, columns) in &section.beside {
            let Some(other) = table(name).filter(|other| *other != target) else {
                return fault(name, format!("there is no other table `{name}`"));
            };
            stagings.push((format!("{staging}.{name}"), self.statement(other, columns, name)?));
            beside.push(other);
        }
        let unique = section.cells.unique.iter().map(|name| self.text(name)).collect::<Vec<_>>();
        self.needed.extend(section.file.columns.iter().cloned());
        self.needed.sort();
        self.needed.dedup();
        let (rules, shape) = self.rules()?;
        Ok(Built {
            export: Export {
                entity: leaked(&section.name),
                how_to_export: "as its mapping file says",
                shape,
                signature: leaked_all(&self.needed),
                columns: Box::leak(self.columns.into_boxed_slice()),
                nulls: leaked_all(&section.cells.empty),
                target,
                beside: Box::leak(beside.into_boxed_slice()),
                unique: Box::leak(unique.into_boxed_slice()),
                is_reference: matches!(target, Table::CustomerMap | Table::ServiceMap | Table::Fx | Table::ContractTerms),
            },
            rules,
            stagings,
        })
    }

    /// How texts are written.
    fn cells(&mut self) -> Result<(), Fault> {
        let cells = &self.section.cells;
        if let Some(names) = &cells.dates {
            self.dates = dates(names)?;
        }
        let one = |key: &str, text: &Option<String>, usual: Option<char>| -> Result<Option<char>, Fault> {
            let Some(text) = text else { return Ok(usual) };
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (None, None) => Ok(None),
                (Some('?'), None) => fault(key, "the question is still open; the comment beside it says what is asked"),
                (Some(c), None) if !c.is_alphanumeric() && c != '-' => Ok(Some(c)),
                _ => fault(key, format!("{text:?} is no single sign such as \".\" or \",\"")),
            }
        };
        let decimal = one("decimal", &cells.decimal, Some('.'))?.unwrap_or('.');
        let thousands = one("thousands", &cells.thousands, None)?;
        if thousands == Some(decimal) {
            return fault("thousands", "the same sign cannot be the decimal point too");
        }
        if let Some(sign) = cells.signs.iter().find(|sign| sign.contains(['(', ')', '-'])) {
            return fault(
                "signs",
                format!("{sign:?} would turn credits into charges: a minus, and brackets round a number, are read as they are"),
            );
        }
        if decimal != '.' || thousands.is_some() || !cells.signs.is_empty() {
            let mut signs = cells.signs.clone();
            // The longest first: `A$` before `$`.
            signs.sort_by_key(|sign| std::cmp::Reverse(sign.len()));
            let format = NumberFormat { decimal, thousands, signs: leaked_all(&signs) };
            self.numbers = Kind::Number(Box::leak(Box::new(format)));
        }
        Ok(())
    }

    fn rules(&self) -> Result<(Rules, Shape), Fault> {
        let file = &self.section.file;
        let format = match file.format.as_str() {
            "csv" | "tsv" => Format::Csv,
            "json" => Format::Json,
            "jsonl" => Format::JsonLines,
            "xlsx" | "xls" | "xlsb" | "ods" => Format::Excel,
            "parquet" => Format::Parquet,
            other => {
                return fault("format", format!("there is no format `{other}`; known are csv, tsv, json, jsonl, xlsx, parquet"));
            }
        };
        let pattern = |key: &str, text: &Option<String>| -> Result<Option<glob::Pattern>, Fault> {
            let parsed = text.as_ref().map(|text| glob::Pattern::new(text)).transpose();
            parsed.or_else(|e| fault(key, format!("no pattern: {}", e.msg)))
        };
        let separator = match file.separator.as_deref() {
            None => (file.format == "tsv").then_some(b'\t'),
            Some("\t" | "tab") => Some(b'\t'),
            Some(text) if text.len() == 1 && text.is_ascii() && !text.starts_with(['"', '\n', '\r']) => Some(text.as_bytes()[0]),
            Some(text) => return fault("separator", format!("{text:?} is no single sign such as \";\" or \"tab\"")),
        };
        let encoding = match file.encoding.as_deref() {
            None | Some("utf-8") => Encoding::Utf8,
            Some("utf-16") => Encoding::Utf16,
            Some("windows-1252" | "iso-8859-1") => Encoding::Windows1252,
            Some(other) => {
                return fault(
                    "encoding",
                    format!("there is no encoding `{other}`; known are utf-8, utf-16, windows-1252, iso-8859-1"),
                );
            }
        };
        for (key, is_given, wanted) in [
            ("separator", file.separator.is_some(), &[Format::Csv][..]),
            ("encoding", file.encoding.is_some(), &[Format::Csv][..]),
            ("header_row", file.header_row.is_some(), &[Format::Csv, Format::Excel][..]),
            ("sheet", file.sheet.is_some(), &[Format::Excel][..]),
            ("records", file.records.is_some(), &[Format::Json][..]),
            ("lines", file.lines.is_some(), &[Format::Json][..]),
        ] {
            if is_given && !wanted.contains(&format) {
                return fault(key, format!("has no meaning for format `{}`", file.format));
            }
        }
        if file.header_row == Some(0) {
            return fault("header_row", "the first row is 1");
        }
        let shape = match format {
            Format::Json => Shape::Json {
                envelope: leaked(file.records.as_deref().unwrap_or("")),
                object: None,
                lines: file.lines.as_ref().map(|path| leaked_all(std::slice::from_ref(path))),
            },
            Format::JsonLines => Shape::CsvOrJson { envelope: "" },
            _ => Shape::Csv,
        };
        let rules = Rules {
            format: Some(format),
            name: pattern("name", &file.name)?,
            sheet: pattern("sheet", &file.sheet)?,
            separator,
            encoding,
            header_row: file.header_row,
            needed: self.needed.clone(),
        };
        Ok((rules, shape))
    }

    /// The staging query of a table.
    fn statement(&mut self, table: Table, columns: &BTreeMap<String, toml::Value>, section: &str) -> Result<String, Fault> {
        let schema = table.schema();
        let reserved = ["system", "is_always_known", "batch_id", "source_row", "service_month"];
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).filter(|n| !reserved.contains(n)).collect();
        for name in columns.keys() {
            if !names.contains(&name.as_str()) {
                return fault(name, format!("`{}` has no such column; it has {}", table.name(), names.join(", ")));
            }
        }
        for name in needed(table) {
            if !columns.contains_key(*name) {
                return fault(section, format!("`{}` needs `{name}`", table.name()));
            }
        }
        if table == Table::VendorUsage && !columns.contains_key("quantity") && !columns.contains_key("cost") {
            return fault(section, "`vendor_usage` needs `quantity` or `cost`");
        }
        if table == Table::VendorUsage && columns.contains_key("unit_cost") && !columns.contains_key("cost") {
            return fault(
                "unit_cost",
                "says what a unit costs, and nothing says the cost: add `cost`, a column or `{ multiply = [\"QTY\", \"UNIT PRICE\"] }`",
            );
        }
        if table == Table::InvoiceLine && !columns.contains_key("period_start") && !columns.contains_key("invoice_date") {
            return fault(section, "`invoice_line` needs `period_start` or `invoice_date`");
        }
        if columns.contains_key("cost") && !columns.contains_key("currency") {
            return fault(section, "`cost` needs `currency`");
        }
        let mut terms = Vec::new();
        // The currency first: amounts in minor units read it.
        let order =
            columns.iter().filter(|(name, _)| *name == "currency").chain(columns.iter().filter(|(name, _)| *name != "currency"));
        for (name, value) in order {
            let rule = rule(value).map_err(|detail| (name.clone(), detail))?;
            let kind = schema.field_with_name(name).map_or(DataType::Utf8, |field| field.data_type().clone());
            let term = self.term(table, name, &rule, &kind).or_else(|detail| fault(name, detail))?;
            terms.push((name.clone(), term));
        }
        let mut usual: Vec<(&str, Term)> = Vec::new();
        if table == Table::VendorUsage {
            usual = vec![
                ("provider", Term::text(self.system)),
                ("category", Term::text("usage")),
                ("is_correction", Term::Constant("false".to_owned())),
            ];
        } else if table == Table::LifecycleEvent {
            usual = vec![("origin", Term::text("file"))];
        }
        terms.extend(
            usual.into_iter().filter(|(name, _)| !columns.contains_key(*name)).map(|(name, term)| (name.to_owned(), term)),
        );
        Ok(select(&terms))
    }

    /// A raw column of the file, with its kind; the same column may be read as text and as a number.
    fn raw(&mut self, name: &str, also: &[String], kind: Kind, is_required: bool) -> &'static str {
        let known = self.columns.iter_mut().find(|c| c.kind == kind && (c.name == name || c.aliases.first() == Some(&name)));
        if let Some(column) = known {
            column.required |= is_required;
            return column.name;
        }
        let is_taken = self.columns.iter().any(|column| column.name == name);
        let suffix = match kind {
            Kind::Text => "text",
            Kind::Instant(_) => "date",
            Kind::OneOf(_) => "value",
            Kind::Currency => "currency",
            Kind::Boolean => "flag",
            _ => "number",
        };
        let own = if is_taken {
            let count = self.columns.iter().filter(|column| column.aliases.first() == Some(&name)).count();
            leaked(&format!("{name} as {suffix}{}", if count == 0 { String::new() } else { format!(" {count}") }))
        } else {
            leaked(name)
        };
        let aliases: Vec<String> = is_taken.then(|| name.to_owned()).into_iter().chain(also.iter().cloned()).collect();
        if also.is_empty() {
            self.needed.push(name.to_owned());
        }
        self.columns.push(Column { required: is_required, aliases: leaked_all(&aliases), kind, ..Column::text(own) });
        own
    }

    fn text(&mut self, name: &str) -> &'static str {
        self.raw(name, &[], Kind::Text, false)
    }

    fn term(&mut self, table: Table, name: &str, rule: &Rule, kind: &DataType) -> Result<Term, String> {
        let given = [
            rule.column.is_some(),
            rule.constant.is_some(),
            rule.join.is_some(),
            rule.multiply.is_some(),
            rule.arrival.is_some(),
        ];
        if given.iter().filter(|is_given| **is_given).count() != 1 {
            return Err("say one of `column`, `constant`, `join`, `multiply`, `arrival`".to_owned());
        }
        let is_number = matches!(kind, DataType::Decimal128(..));
        let is_date = matches!(kind, DataType::Timestamp(..) | DataType::Date32);
        let is_flag = matches!(kind, DataType::Boolean);
        for (key, is_set, fits) in [
            ("divide", rule.divide.is_some(), is_number),
            ("negate", rule.negate, is_number),
            ("minor_units", rule.minor_units, is_number),
            ("multiply", rule.multiply.is_some(), is_number),
            ("inclusive", rule.inclusive, is_date),
            ("dates", rule.dates.is_some(), is_date),
            ("arrival", rule.arrival.is_some(), is_date),
            ("join", rule.join.is_some(), !is_number && !is_date && !is_flag),
            ("values", rule.values.is_some(), rule.column.is_some()),
            ("otherwise", rule.otherwise.is_some(), rule.values.is_some()),
            ("also", !rule.also.is_empty(), rule.column.is_some()),
        ] {
            if is_set && !fits {
                return Err(format!("`{key}` has no meaning here"));
            }
        }
        let is_required = rule.required.unwrap_or(REQUIRED.contains(&name));
        let check = |text: &str| match allowed(table, name) {
            Some(values) if !values.contains(&text) => Err(format!("`{text}` is not allowed; known are {}", values.join(", "))),
            _ => Ok(()),
        };
        if let Some(constant) = &rule.constant {
            let text = plain(constant);
            check(&text)?;
            if name.ends_with("currency") && currency_code(&text).is_none() {
                return Err(format!("`{text}` is no currency code of ISO 4217"));
            }
            return constant_term(&text, kind);
        }
        if let Some(names) = &rule.join {
            return Ok(Term::Join(names.iter().map(|name| self.text(name).to_owned()).collect()));
        }
        if let Some(arrival) = &rule.arrival {
            return match arrival.as_str() {
                "day" => Ok(Term::Arrival("date_trunc('day', arrived_at)")),
                "month_start" => Ok(Term::Arrival("date_trunc('month', arrived_at)")),
                "month_end" => Ok(Term::Arrival("date_trunc('month', arrived_at) + INTERVAL '1 month'")),
                other => Err(format!("`{other}` is not allowed; known are day, month_start, month_end")),
            };
        }
        if is_number {
            return self.number(rule, is_required);
        }
        let column = rule.column.clone().unwrap_or_default();
        if is_date {
            let formats = rule.dates.as_ref().map(|names| dates(names)).transpose().map_err(|(_, detail)| detail)?;
            let raw = self.raw(&column, &rule.also, Kind::Instant(formats.unwrap_or(self.dates)), is_required);
            return Ok(Term::Instant { column: raw.to_owned(), is_inclusive: rule.inclusive, is_day: *kind == DataType::Date32 });
        }
        if let Some(values) = &rule.values {
            let map = value_map(values, rule.otherwise.as_ref());
            map.entries.iter().try_for_each(|(_, value)| check(value))?;
            let raw = self.raw(&column, &rule.also, Kind::OneOf(Box::leak(Box::new(map))), is_required);
            return if is_flag { Ok(Term::Flag(raw.to_owned())) } else { Ok(Term::Column(raw.to_owned())) };
        }
        if allowed(table, name).is_some() {
            return Err("say with `values` what its texts mean".to_owned());
        }
        let kind = if is_flag {
            Kind::Boolean
        } else if name.ends_with("currency") {
            Kind::Currency
        } else {
            Kind::Text
        };
        Ok(Term::Column(self.raw(&column, &rule.also, kind, is_required).to_owned()))
    }

    fn number(&mut self, rule: &Rule, is_required: bool) -> Result<Term, String> {
        let mut factors: Vec<From> = Vec::new();
        if rule.values.is_some() {
            return Err("`values` has no meaning here".to_owned());
        }
        if let Some(names) = &rule.multiply {
            for name in names {
                factors.push(From::Column(self.raw(name, &[], self.numbers, is_required).to_owned()));
            }
        } else {
            let column = rule.column.clone().unwrap_or_default();
            factors.push(From::Column(self.raw(&column, &rule.also, self.numbers, is_required).to_owned()));
        }
        let divisor = match &rule.divide {
            None => None,
            Some(value @ (toml::Value::Integer(_) | toml::Value::Float(_))) => Some(From::Constant(positive(&plain(value))?)),
            Some(value) => {
                let inner = self::rule(value)?;
                let (Some(column), Some(values)) = (&inner.column, &inner.values) else {
                    return Err(
                        "`divide` is a number, or `{ column = ..., values = { \"text\" = 12 }, otherwise = 1 }`".to_owned()
                    );
                };
                let map = value_map(values, inner.otherwise.as_ref());
                map.entries.iter().try_for_each(|(_, value)| positive(value).map(drop))?;
                let raw = self.raw(column, &[], Kind::OneOf(Box::leak(Box::new(map))), false);
                Some(From::NumberIn(raw.to_owned()))
            }
        };
        let minor = if rule.minor_units {
            let currency = self.section.columns.get("currency").map(self::rule).transpose()?.unwrap_or_default();
            let Some(code) = currency.constant.as_ref().map(plain) else {
                return Err("`minor_units` needs `currency = { constant = ... }`".to_owned());
            };
            Some(10_u64.pow(crate::money::minor_units(&code)))
        } else {
            None
        };
        Ok(Term::Number { factors, divisor, minor, is_negated: rule.negate })
    }
}

fn positive(text: &str) -> Result<String, String> {
    match parse_decimal(text) {
        Ok(value) if value > 0 => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is no number above zero")),
    }
}

fn table(name: &str) -> Option<Table> {
    TABLES.iter().copied().find(|table| table.is_ingested() && table.name() == name)
}

/// A column's name, or a table of keys.
fn rule(value: &toml::Value) -> Result<Rule, String> {
    let is_open = |value: Option<&toml::Value>| value.and_then(toml::Value::as_str) == Some("?");
    if is_open(Some(value)) || is_open(value.get("column")) || is_open(value.get("constant")) {
        return Err("the question is still open; the comment beside it says what is asked".to_owned());
    }
    match value {
        toml::Value::String(column) => Ok(Rule { column: Some(column.clone()), ..Rule::default() }),
        toml::Value::Table(_) => value.clone().try_into::<Rule>().map_err(|e| e.message().to_owned()),
        _ => Err("is neither a column's name nor a table such as `{ constant = ... }`".to_owned()),
    }
}

fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Float(number) => crate::money::float_text(*number).unwrap_or_default(),
        other => other.to_string(),
    }
}

fn value_map(values: &BTreeMap<String, toml::Value>, otherwise: Option<&toml::Value>) -> ValueMap {
    // Exact texts before patterns, long patterns before short ones, `otherwise` last.
    let mut entries: Vec<(String, String)> = values.iter().map(|(text, value)| (text.to_lowercase(), plain(value))).collect();
    entries.sort_by_key(|(text, _)| (text.contains('*'), std::cmp::Reverse(text.len())));
    entries.extend(otherwise.map(|value| ("*".to_owned(), plain(value))));
    ValueMap { entries }
}

fn constant_term(text: &str, kind: &DataType) -> Result<Term, String> {
    match kind {
        DataType::Decimal128(..) => match parse_decimal(text) {
            Ok(_) => Ok(Term::Constant(format!("CAST('{text}' AS DECIMAL(38, 18))"))),
            Err(e) => Err(format!("`{text}`: {e}")),
        },
        DataType::Boolean => match text {
            "true" | "false" => Ok(Term::Constant(text.to_owned())),
            _ => Err(format!("`{text}` is neither true nor false")),
        },
        DataType::Timestamp(..) | DataType::Date32 => {
            let micros = crate::ingest::conform::parse_instant(text, &[DateFormat::Iso]);
            let instant = micros.and_then(chrono::DateTime::from_timestamp_micros);
            let instant = instant.ok_or_else(|| format!("`{text}` is no date such as 2026-07-01"))?;
            let text = instant.format("%Y-%m-%dT%H:%M:%SZ");
            let kind = if *kind == DataType::Date32 { "DATE" } else { "TIMESTAMP" };
            Ok(Term::Constant(format!("CAST('{text}' AS {kind})")))
        }
        _ => Ok(Term::text(text)),
    }
}

/// Forms of dates by name or pattern.
fn dates(names: &[String]) -> Result<&'static [DateFormat], Fault> {
    let mut formats = Vec::new();
    for name in names {
        formats.push(match name.as_str() {
            "iso" => DateFormat::Iso,
            "us" => DateFormat::UsSlash,
            "unix_seconds" => DateFormat::UnixSeconds,
            "unix_millis" => DateFormat::UnixMillis,
            "dotnet" => DateFormat::DotNet,
            "D-MON-YYYY" => DateFormat::Pattern("%d-%b-%Y"),
            "?" => return fault("dates", "the question is still open; the comment beside it says what is asked"),
            pattern if pattern.contains('%') && says_a_day(pattern) => DateFormat::Pattern(leaked(pattern)),
            other => {
                return fault(
                    "dates",
                    format!(
                        "`{other}` is no form of date; known are iso, us, unix_seconds, unix_millis, dotnet, D-MON-YYYY, \
                         and patterns with day, month and year such as %d.%m.%Y"
                    ),
                );
            }
        });
    }
    if formats.is_empty() {
        return fault("dates", "name at least one form");
    }
    Ok(Box::leak(formats.into_boxed_slice()))
}

/// Whether a pattern gives back the day that it was written with.
fn says_a_day(pattern: &str) -> bool {
    let day = chrono::NaiveDate::from_ymd_opt(2026, 10, 7).map(|day| day.and_time(chrono::NaiveTime::MIN).and_utc());
    let is_known = !chrono::format::StrftimeItems::new(pattern).any(|item| item == chrono::format::Item::Error);
    let written = day.filter(|_| is_known).map(|day| day.format(pattern).to_string());
    let micros = written.and_then(|text| crate::ingest::conform::parse_instant(&text, &[DateFormat::Pattern(leaked(pattern))]));
    micros.is_some() && micros == day.map(|day| day.timestamp_micros())
}
