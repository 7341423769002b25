//! Stores by the URL that a plan names: this machine's disks, and object stores with the credentials of this machine's own environment.

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry};
use object_store::{ObjectStore, parse_url_opts};
use std::sync::Arc;
use url::Url;

/// Beginnings of the environment variables that say how to reach a store.
const SETTINGS: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];

/// Makes a client for a store when it is first asked for.
#[derive(Debug, Default)]
pub(super) struct Stores {
    known: DefaultObjectStoreRegistry,
}

impl ObjectStoreRegistry for Stores {
    fn register_store(&self, url: &Url, store: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        self.known.register_store(url, store)
    }

    fn deregister_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        self.known.deregister_store(url)
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        if let Ok(known) = self.known.get_store(url) {
            return Ok(known);
        }
        let store = client(url)?;
        self.known.register_store(url, Arc::clone(&store));
        Ok(store)
    }
}

/// A client for the store of a URL. Nothing is asked of the store yet.
fn client(url: &Url) -> Result<Arc<dyn ObjectStore>> {
    let settings = std::env::vars()
        .filter(|(name, _)| SETTINGS.iter().any(|start| name.starts_with(start)))
        .map(|(name, value)| (name.to_ascii_lowercase(), value));
    let (store, _) = parse_url_opts(url, settings).map_err(|e| DataFusionError::ObjectStore(Box::new(e)))?;
    Ok(Arc::from(store))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_and_buckets_are_known_by_their_urls_and_nothing_else_is() {
        let stores = Stores::default();
        let get = |text: &str| stores.get_store(&Url::parse(text).expect("a URL"));
        assert!(get("file:///").is_ok());
        let first = get("s3://bucket/").expect("a client");
        assert!(Arc::ptr_eq(&first, &get("s3://bucket/").expect("the same client")));
        assert!(get("gopher://hole/").is_err());
    }
}
