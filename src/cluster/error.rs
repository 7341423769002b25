//! What can go wrong between the machines of a cluster.

use std::path::PathBuf;

/// A cluster that does not do what is asked of it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClusterError {
    /// The address is none.
    #[error("`{url}` is no address of a scheduler: {detail}")]
    Address {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        detail: String,
    },
    /// Nobody answers.
    #[error("no scheduler answers at {url}: {detail}")]
    Unreachable {
        /// Who was asked.
        url: String,
        /// What the network says.
        detail: String,
    },
    /// Somebody else answers.
    #[error("what answers at {url} is no scheduler of a cluster")]
    NotAScheduler {
        /// Who was asked.
        url: String,
    },
    /// There is nobody to do the work.
    #[error("the scheduler at {url} has no executor")]
    NoExecutor {
        /// Who was asked.
        url: String,
    },
    /// A job failed, as often as it was asked for.
    #[error("the cluster at {url} could not run it: {detail}")]
    Job {
        /// Who was asked.
        url: String,
        /// What it says.
        detail: String,
    },
    /// A place for files cannot be used.
    #[error("could not {action} `{}`: {detail}", path.display())]
    Folder {
        /// What was tried.
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
    /// A scheduler or an executor that could not start, or could not go on.
    #[error("the {who} stopped: {detail}")]
    Stopped {
        /// Which.
        who: &'static str,
        /// Why.
        detail: String,
    },
}

impl ClusterError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Address { .. } => Some("such as http://127.0.0.1:50050"),
            Self::Unreachable { .. } | Self::NotAScheduler { .. } => {
                Some("`shortfall cluster scheduler` starts one, and says its address")
            }
            Self::NoExecutor { .. } => {
                Some("`shortfall cluster executor --scheduler URL` starts one, on as many machines as you like")
            }
            Self::Job { detail, .. } if is_of_files(detail) => Some(
                "every executor must see the lake under the same path as this machine, or have its own credentials for the store",
            ),
            Self::Job { detail, .. } if detail.contains(super::build::REFUSED) => {
                Some("install the same version of shortfall on all machines of the cluster")
            }
            _ => None,
        }
    }
}

/// Whether an executor could not read what it was told to.
fn is_of_files(detail: &str) -> bool {
    !detail.contains(super::client::FETCHING)
        && ["NotFound", "not found", "No such file", "PermissionDenied", "Permission denied", "Unauthenticated"]
            .iter()
            .any(|sign| detail.contains(sign))
}
