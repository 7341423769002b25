//! Which systems and exports are understood: one file per system, one entry per export, all listed in [`SOURCES`].
//!
//! An [`Export`] says how a file is recognised by its content, which columns it carries and how each is typed. Reading, typing,
//! rejecting, archiving and writing are the same for all ([`crate::ingest`]); what remains for a source is its column table and
//! one staging query `queries/staging/<system>_<entity>.sql` that gives columns their canonical names and units.

pub mod autotask;
pub mod aws_cur;
pub mod azure_cost;
pub mod chargebee;
pub mod column;
pub mod connectwise;
pub mod focus;
pub mod google_workspace;
pub mod halopsa;
pub mod killbill;
pub mod lago;
pub mod mapping;
pub mod microsoft_csp;
pub mod oci;
pub mod pax8;
pub mod quickbooks;
pub mod recurly;
pub mod stripe;
pub mod xero;
pub mod zuora;

pub use column::{Column, DateFormat, Kind, LINE_POSITION};

use crate::lake::schema::Table;

/// One system whose exports are understood.
#[derive(Debug)]
pub struct Source {
    /// The name in every `system` column and in mapping files.
    pub system: &'static str,
    /// The system's name for people.
    pub title: &'static str,
    /// Its exports.
    pub exports: &'static [Export],
}

/// One kind of file that a system exports.
#[derive(Debug)]
pub struct Export {
    /// The thing a row is, and the second half of the staging query's file name.
    pub entity: &'static str,
    /// How a person gets this file out of the system.
    pub how_to_export: &'static str,
    /// How rows stand in the file.
    pub shape: Shape,
    /// Columns that together tell this export from every other (compared without case).
    pub signature: &'static [&'static str],
    /// Every column the staging query may use.
    pub columns: &'static [Column],
    /// Texts that mean "no value" besides the empty text.
    pub nulls: &'static [&'static str],
    /// Where its rows land: a row each.
    pub target: Table,
    /// Tables that its rows say something about besides: none, one or several rows each, by staging queries of their own.
    pub beside: &'static [Table],
    /// Columns that no two rows of one file may share; empty where the source has no row identity.
    pub unique: &'static [&'static str],
    /// Reference data (crosswalks, rates, terms): known at all times unless its file says a date.
    pub is_reference: bool,
}

impl Export {
    /// Whether rows with one key in several files of one delivery are parts of one sum. So it is where an export without row
    /// identities is cut by size (a report in parts). Where records have ids, or come in pages, the same key on two pages is the same
    /// record seen twice.
    #[must_use]
    pub fn parts_add_up(&self) -> bool {
        let is_cut_by_size = !matches!(self.shape, Shape::Json { .. });
        self.target == Table::VendorUsage && self.unique.is_empty() && is_cut_by_size
    }

    /// What a file must have: the columns by which it is recognised, and those that every row needs.
    #[must_use]
    pub fn needed(&self) -> Vec<&'static str> {
        let required: Vec<&'static str> =
            self.columns.iter().filter(|column| column.required).map(|column| column.name).collect();
        let stands_for = |name: &str, column: &str| {
            let head = column.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name));
            head && column.as_bytes().get(name.len()).is_none_or(|&next| next == b'.')
        };
        let is_new = |name: &&'static str| !required.iter().any(|column| stands_for(name, column));
        self.signature.iter().copied().filter(is_new).chain(required.iter().copied()).collect()
    }

    /// Where a column of the signature stands in a header.
    #[must_use]
    pub fn position(&self, name: &str, header: &[String]) -> Option<usize> {
        match self.columns.iter().find(|column| column.name == name) {
            Some(column) => column.position(header),
            None => column::position(header, name),
        }
    }
}

/// How rows stand in a file.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Delimited text with a header row.
    Csv,
    /// Delimited text, JSON Lines or JSON pages with the same field names.
    CsvOrJson {
        /// Where the records stand in a page, as in [`Shape::Json`].
        envelope: &'static str,
    },
    /// JSON: arrays or pages of records, one or several written one after the other.
    Json {
        /// Where the records stand in a page: keys joined by points, `QueryResponse.Invoice`. Arrays on the way are gone through
        /// (`list.invoice` is the `invoice` of every item of `list`), a record may come without the outer part of its shell
        /// or without any, and `invoices|invoice` names two ways. Empty where pages are bare arrays.
        envelope: &'static str,
        /// A value of the record's `object` field that it must have, for exports that mix kinds.
        object: Option<&'static str>,
        /// Arrays of lines inside a record, as paths like `lines.data` or, for lines within lines, `Line.GroupLineDetail.Line`.
        /// Each line becomes one row that also carries the record's fields, and stands in it as `line`. A record without any
        /// line is a row itself, which the columns of the line that are required reject: nothing passes unseen.
        lines: Option<&'static [&'static str]>,
    },
}

/// Files that look like an export, and are known to be none.
#[derive(Debug)]
pub struct Lookalike {
    /// The system and the export that it looks like.
    pub of: (&'static str, &'static str),
    /// A key that only the lookalike has, in exactly this case.
    pub key: &'static str,
    /// Keys of which the export has one at least, in exactly this case.
    pub lacks: &'static [&'static str],
    /// What it is.
    pub what: &'static str,
    /// Why it is not taken, and what to export in its place.
    pub reason: &'static str,
}

/// Every known lookalike.
pub const LOOKALIKES: &[&Lookalike] = &[&pax8::DRAFT_ITEMS];

/// Every system, in the order in which `shortfall sources` prints them.
pub const SOURCES: &[&Source] = &[
    &connectwise::SOURCE,
    &autotask::SOURCE,
    &halopsa::SOURCE,
    &microsoft_csp::SOURCE,
    &focus::SOURCE,
    &aws_cur::SOURCE,
    &azure_cost::SOURCE,
    &oci::SOURCE,
    &pax8::SOURCE,
    &google_workspace::SOURCE,
    &stripe::SOURCE,
    &quickbooks::SOURCE,
    &xero::SOURCE,
    &zuora::SOURCE,
    &chargebee::SOURCE,
    &lago::SOURCE,
    &killbill::SOURCE,
    &recurly::SOURCE,
    &mapping::SOURCE,
];

/// An export together with the system it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Recognised {
    /// The system.
    pub source: &'static Source,
    /// Its export.
    pub export: &'static Export,
}

impl Recognised {
    /// Name of the staging query: `<system>_<entity>`.
    #[must_use]
    pub fn staging(&self) -> String {
        format!("{}_{}", self.source.system, self.export.entity)
    }

    /// Every table that the export fills, with the name of its staging query: `<system>_<entity>` for the target,
    /// `<system>_<entity>.<table>` for those beside it.
    pub fn stagings(&self) -> impl Iterator<Item = (Table, String)> {
        let target = (self.export.target, self.staging());
        let name = self.staging();
        let beside = self.export.beside.iter().map(move |&table| (table, format!("{name}.{}", table.name())));
        std::iter::once(target).chain(beside)
    }
}

/// The export of this name.
#[must_use]
pub fn find(system: &str, entity: &str) -> Option<Recognised> {
    all_exports().find(|found| found.source.system == system && found.export.entity == entity)
}

/// Every export of every system.
pub fn all_exports() -> impl Iterator<Item = Recognised> {
    SOURCES.iter().flat_map(|&source| source.exports.iter().map(move |export| Recognised { source, export }))
}
