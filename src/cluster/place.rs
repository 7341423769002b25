//! Where the files of one analysis lie that all executors read: a folder below the lake, or a prefix in the lake's store.
//!
//! They go with the analysis. What a killed one left: in a folder the next analysis removes it ([`Work`] holds a lock); a store has no locks, so that an
//! analysis removes there what nobody has written to for [`OLD`].

use super::ClusterError;
use super::work::Work;
use crate::lake::Lake;
use crate::lake::place::{Lying, Place};
use chrono::{DateTime, TimeDelta, Utc};
use datafusion::common::Result;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path as StorePath;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use url::Position;

/// Folder below the lake for what lasts as long as an analysis.
const WORK: &str = ".work";
/// No analysis takes that long over one of its facts.
const OLD: TimeDelta = TimeDelta::days(2);

/// The place of one analysis.
#[derive(Debug)]
pub(super) struct Shelf {
    /// The store, as plans name it.
    pub(super) url: ObjectStoreUrl,
    /// The folder in it.
    pub(super) path: StorePath,
    store: Arc<dyn ObjectStore>,
    _held: Held,
}

/// What removes the files when it is dropped.
#[derive(Debug)]
enum Held {
    Folder { _work: Work },
    Store { place: Place, name: String },
}

impl Drop for Held {
    fn drop(&mut self) {
        let Self::Store { place, name } = self else { return };
        // What cannot be removed now is removed by a later analysis.
        let _ = place.list(name).and_then(|found| place.remove_all(&names(&found)));
    }
}

impl Shelf {
    /// A new place below a lake; what others left there is removed.
    ///
    /// # Errors
    /// [`ClusterError::Folder`] if nothing can be written there.
    pub(super) fn below(lake: &Lake) -> Result<Self, ClusterError> {
        let failed = |action: &'static str, path: PathBuf, detail: String| ClusterError::Folder { action, path, detail };
        match lake.place() {
            Place::Folder(root) => {
                let work = Work::new(&root.join(WORK))?;
                let folder = work.folder().to_owned();
                let path = StorePath::from_absolute_path(&folder).map_err(|e| failed("name as URL", folder, e.to_string()))?;
                let (url, store) = (ObjectStoreUrl::local_filesystem(), Arc::new(LocalFileSystem::new()));
                Ok(Self { url, path, store, _held: Held::Folder { _work: work } })
            }
            place @ Place::Store(client) => {
                let name = format!("{WORK}/{:016x}", rand::random::<u64>());
                let url = ObjectStoreUrl::parse(&client.url[..Position::BeforePath])
                    .map_err(|e| failed("name as URL", lake.root().to_owned(), e.strip_backtrace()))?;
                let left = place.list(WORK).map_err(|e| failed("list", lake.root().join(WORK), e.to_string()))?;
                // Whoever may write there, but not delete, can still analyse.
                let _ = place.remove_all(&names(&abandoned(left, today())));
                let (path, store) = (client.at(&name), Arc::clone(&client.store));
                Ok(Self { url, path, store, _held: Held::Store { place: place.clone(), name } })
            }
        }
    }

    /// Makes the store known to a session.
    pub(super) fn register(&self, runtime: &RuntimeEnv) {
        runtime.register_object_store(self.url.as_ref(), Arc::clone(&self.store));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long ago a store was written to is asked of its clock; no result depends on it"
)]
fn today() -> DateTime<Utc> {
    Utc::now()
}

fn names(files: &[Lying]) -> Vec<String> {
    files.iter().map(|file| file.name.clone()).collect()
}

/// The files of analyses that have written nothing for long.
fn abandoned(files: Vec<Lying>, now: DateTime<Utc>) -> Vec<Lying> {
    let mut analyses: BTreeMap<String, Vec<Lying>> = BTreeMap::new();
    for file in files {
        let analysis = file.name.split('/').take(2).collect::<Vec<_>>().join("/");
        analyses.entry(analysis).or_default().push(file);
    }
    analyses.into_values().filter(|files| files.iter().all(|file| now - file.modified > OLD)).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_store_only_what_nobody_writes_to_any_more_is_removed() {
        let now = DateTime::UNIX_EPOCH;
        let lying = |name: &str, days: i64| Lying { name: name.to_owned(), size: 1, modified: now - TimeDelta::days(days) };
        let files = vec![
            lying(".work/a/facts/x/1-0.parquet", 3),
            lying(".work/a/facts/y/1-0.parquet", 4),
            lying(".work/b/facts/x/1-0.parquet", 3),
            lying(".work/b/facts/y/1-0.parquet", 1),
        ];
        assert_eq!(names(&abandoned(files, now)), [".work/a/facts/x/1-0.parquet", ".work/a/facts/y/1-0.parquet"]);
    }
}
