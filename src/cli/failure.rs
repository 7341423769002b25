//! Errors as a person meets them: what was wrong, and what to do next; sorted by who can mend it.

use crate::cluster::ClusterError;
use crate::findings::analyze::AnalyzeError;
use crate::findings::pack::PackError;
use crate::ingest::IngestError;
use crate::ingest::trace::TraceError;
use crate::lake::LakeError;
use crate::lake::truth::TruthError;
use crate::optimize::OptimizeError;
use crate::query::catalog::CatalogError;
use crate::query::run::QueryError;
use crate::report::ReportError;
use crate::synth::SynthError;
use crate::synth::baselines::BaselineError;

/// A command that could not do its job.
#[derive(Debug)]
pub struct Failure {
    /// What was wrong.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    code: u8,
}

impl Failure {
    /// Bad arguments or input that could not be used at all: exit code 2.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 2 }
    }

    /// The lake or something it depends on failed: exit code 3.
    #[must_use]
    pub fn environment(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 3 }
    }

    /// The same with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The process's exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.code
    }
}

impl From<LakeError> for Failure {
    fn from(error: LakeError) -> Self {
        match error {
            LakeError::NotALake { .. } => {
                Self::usage(error.to_string()).hint("`shortfall ingest --lake DIR PATH...` makes one from exports")
            }
            LakeError::Address(_) => Self::usage(error.to_string()),
            _ => Self::environment(error.to_string()),
        }
    }
}

impl From<TruthError> for Failure {
    fn from(error: TruthError) -> Self {
        match error {
            TruthError::Lake(error) => error.into(),
            TruthError::Engine(_) => Self::environment(error.to_string()),
        }
    }
}

impl From<IngestError> for Failure {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Lake(error) => error.into(),
            IngestError::Truth(error) => error.into(),
            error if error.is_file_fault() => Self::usage(error.to_string()),
            error => Self::environment(error.to_string()),
        }
    }
}

impl From<TraceError> for Failure {
    fn from(error: TraceError) -> Self {
        match error {
            TraceError::Lake(error) => error.into(),
            TraceError::Truth(error) => error.into(),
            TraceError::Unknown { .. } => Self::usage(error.to_string())
                .hint("`shortfall sql --lake DIR \"SELECT batch_id, file FROM core.batch\"` lists them"),
            TraceError::Ambiguous { .. } | TraceError::NoRow { .. } => Self::usage(error.to_string()),
        }
    }
}

impl From<OptimizeError> for Failure {
    fn from(error: OptimizeError) -> Self {
        match error {
            OptimizeError::Lake(error) => error.into(),
            OptimizeError::Truth(error) => error.into(),
            OptimizeError::Locked => Self::environment(error.to_string()),
        }
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        if error.is_of_files() {
            return Self::environment(error.to_string())
                .hint("`shortfall check --lake DIR` says which files of the lake are damaged");
        }
        let Some(cause) = error.of_cluster() else { return Self::usage(error.to_string()) };
        Self { message: error.to_string(), ..cause.clone().into() }
    }
}

impl From<ClusterError> for Failure {
    fn from(error: ClusterError) -> Self {
        let message = error.to_string();
        let failure = match &error {
            ClusterError::Address { .. } => Self::usage(message),
            _ => Self::environment(message),
        };
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<CatalogError> for Failure {
    fn from(error: CatalogError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<AnalyzeError> for Failure {
    fn from(error: AnalyzeError) -> Self {
        match error {
            AnalyzeError::Lake(error) => error.into(),
            AnalyzeError::Truth(error) => error.into(),
            AnalyzeError::Query(error) => error.into(),
            AnalyzeError::Catalog(error) => error.into(),
            AnalyzeError::Cluster(error) => error.into(),
            AnalyzeError::UnknownSignal { .. } | AnalyzeError::NothingMapped { .. } | AnalyzeError::NotYet { .. } => Self::usage(error.to_string()),
            AnalyzeError::NoData { .. } => Self::usage(error.to_string())
                .hint("`shortfall sql --lake DIR \"SELECT system, entity, count(*) FROM core.batch GROUP BY 1, 2\"` shows what was ingested"),
            AnalyzeError::Engine { .. } | AnalyzeError::Locked => Self::environment(error.to_string()),
        }
    }
}

impl From<BaselineError> for Failure {
    fn from(error: BaselineError) -> Self {
        match error {
            BaselineError::Marts(error) => error.into(),
            BaselineError::Query(error) => error.into(),
            BaselineError::Missing(_) => Self::environment(error.to_string()),
        }
    }
}

impl From<PackError> for Failure {
    fn from(error: PackError) -> Self {
        match error {
            PackError::Analyze(error) => error.into(),
            error => Self::usage(error.to_string()),
        }
    }
}

impl From<SynthError> for Failure {
    fn from(error: SynthError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        Self::environment(error.to_string())
    }
}
