//! Why an analysis failed.

use crate::cluster::ClusterError;
use crate::lake::LakeError;
use crate::lake::truth::TruthError;
use crate::month::Quarter;
use crate::query::catalog::CatalogError;
use crate::query::run::QueryError;
use chrono::NaiveDate;
use datafusion::common::DataFusionError;

/// Why an analysis failed.
#[derive(Debug, thiserror::Error)]
pub enum AnalyzeError {
    /// The lake.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The view of the lake.
    #[error(transparent)]
    Truth(#[from] TruthError),
    /// A folder of queries.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A query.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A signal that does not exist.
    #[error("there is no signal `{name}`; there are {known}")]
    UnknownSignal {
        /// Asked for.
        name: String,
        /// Existing ones.
        known: String,
    },
    /// Nothing to analyse.
    #[error("the lake has no delivery, cost or charge for {quarter}")]
    NoData {
        /// The quarter.
        quarter: Quarter,
    },
    /// The quarter is still to come.
    #[error("{quarter} begins after {known_until}, up to which the data reach")]
    NotYet {
        /// The quarter.
        quarter: Quarter,
        /// The last day of which something is known.
        known_until: NaiveDate,
    },
    /// There is something to analyse, but nobody knows whose it is.
    #[error("nothing in {quarter} belongs to a known customer and service; {unmapped}")]
    NothingMapped {
        /// The quarter.
        quarter: Quarter,
        /// What is unmapped.
        unmapped: String,
    },
    /// Another process is writing.
    #[error("another `shortfall` is writing to this lake; wait for it to end")]
    Locked,
    /// The engine, outside a query file.
    #[error("the query engine failed while {action}: {detail}")]
    Engine {
        /// What was done.
        action: &'static str,
        /// What it says.
        detail: String,
    },
}

impl AnalyzeError {
    pub(super) fn engine(action: &'static str) -> impl Fn(DataFusionError) -> Self {
        move |e| Self::Engine { action, detail: e.strip_backtrace() }
    }

    pub(super) fn arrow(action: &'static str) -> impl Fn(arrow::error::ArrowError) -> Self {
        move |e| Self::Engine { action, detail: e.to_string() }
    }
}
