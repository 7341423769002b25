//! A signal: one SQL file with a header, checked when it is loaded.
//!
//! The query returns one row per customer, service and month (a *cell*) with at least the columns of [`REQUIRED`]. Of the others some
//! mean something to the engine:
//!
//! | column | means |
//! | --- | --- |
//! | `amount_low`, `amount_high` | interval of the amount |
//! | `p_value`, `q_value`, `slope`, `slope_low`, `slope_high`, `change_month` | statistics of a trend |
//! | `basis` | whose money the row's is, where it is not the header's: rows of each basis make a finding of their own |
//! | `scope` | tells findings apart that name neither customer nor service |
//!
//! Every column may be used in the header's `explanation`.

use super::cause::EVENTS;
use super::schema::Basis;
use crate::query::catalog::{Catalog, Query};
use crate::query::header::Header;
use crate::query::run::QueryError;

/// Columns that every signal returns.
pub const REQUIRED: [&str; 5] = ["customer_key", "service_key", "currency", "month", "amount"];

/// Header keys that every signal states.
const STATED: [&str; 9] =
    ["signal", "title", "question", "family", "basis", "reads", "fires_when", "stays_silent_when", "explanation"];

/// One signal.
#[derive(Clone, Debug)]
pub struct Signal {
    /// Its id: file name, header, `finding.signal`.
    pub id: String,
    /// Short name for people.
    pub title: String,
    /// What it answers, as a reader would ask.
    pub question: String,
    /// `trend` or `seam`.
    pub family: String,
    /// Whose loss it prices.
    pub basis: Basis,
    /// Signals with a lower number claim money first.
    pub precedence: u32,
    /// Signals whose money lies beside this one's by construction: their claims do not reduce it.
    pub adds_to: Vec<String>,
    /// By what such a leak begins, the most likely first (`findings/cause.rs`).
    pub caused_by: Vec<String>,
    /// Whether its money is owed for past months, so that it can be billed after the fact.
    pub is_back_billable: bool,
    /// What a finance person does about it.
    pub action: String,
    /// Template of the explanation.
    pub explanation: String,
    /// The file.
    pub query: Query,
}

impl Signal {
    /// Every signal of the catalogue in the order in which they claim money.
    ///
    /// # Errors
    /// [`QueryError`] for a header that lacks something or contradicts its file name.
    pub fn load_all(catalog: &Catalog) -> Result<Vec<Self>, QueryError> {
        let mut signals =
            catalog.folder("signals").map(|(name, query)| Self::load(name, query)).collect::<Result<Vec<_>, _>>()?;
        for signal in &signals {
            if let Some(unknown) = signal.adds_to.iter().find(|id| !signals.iter().any(|other| other.id == **id)) {
                return Err(QueryError::new(&signal.query, &format!("`adds_to: {unknown}` names no signal")));
            }
        }
        signals.sort_by(|a, b| (a.precedence, &a.id).cmp(&(b.precedence, &b.id)));
        Ok(signals)
    }

    fn load(name: &str, query: &Query) -> Result<Self, QueryError> {
        let header = Header::parse(&query.text);
        let missing: Vec<&str> = STATED.into_iter().filter(|key| header.get(key).is_none()).collect();
        if !missing.is_empty() {
            return Err(QueryError::new(query, &format!("the header lacks `{}`", missing.join("`, `"))));
        }
        let text = |key: &str| header.get(key).unwrap_or_default().to_owned();
        if text("signal") != name {
            let message = format!("the header says `signal: {}`, the file is named `{name}.sql`", text("signal"));
            return Err(QueryError::new(query, &message));
        }
        let family = text("family");
        if !["trend", "seam"].contains(&family.as_str()) {
            return Err(QueryError::new(query, &format!("`family: {family}` is neither `trend` nor `seam`")));
        }
        let basis = Basis::parse(&text("basis")).ok_or_else(|| {
            let message = format!("`basis: {}` is none of `revenue`, `cost`, `overbilling`", text("basis"));
            QueryError::new(query, &message)
        })?;
        let precedence = header.get("precedence").unwrap_or("100");
        let precedence = precedence
            .parse()
            .map_err(|_| QueryError::new(query, &format!("`precedence: {precedence}` is not a whole number")))?;
        let is_back_billable = match header.get("back_billable") {
            Some("yes") => true,
            Some("no") => false,
            None => family == "seam" && basis == Basis::Revenue,
            Some(other) => {
                return Err(QueryError::new(query, &format!("`back_billable: {other}` is neither `yes` nor `no`")));
            }
        };
        let caused_by = header.list("caused_by");
        if let Some(unknown) = caused_by.iter().find(|event| !EVENTS.contains(event)) {
            let message = format!("`caused_by: {unknown}` is none of `{}`", EVENTS.join("`, `"));
            return Err(QueryError::new(query, &message));
        }
        Ok(Self {
            id: name.to_owned(),
            title: text("title"),
            question: text("question"),
            family,
            basis,
            precedence,
            adds_to: header.list("adds_to").into_iter().map(str::to_owned).collect(),
            caused_by: caused_by.into_iter().map(str::to_owned).collect(),
            is_back_billable,
            action: text("action"),
            explanation: text("explanation"),
            query: query.clone(),
        })
    }
}
