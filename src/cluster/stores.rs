//! Stores by the URL that a plan names: this machine's disks, and object stores with the credentials of this machine's own environment
//! ([`crate::lake::store`]).

use crate::lake::store;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry};
use object_store::ObjectStore;
use std::sync::Arc;
use url::Url;

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
        let store = store::client(url.as_str()).map_err(|e| DataFusionError::External(Box::new(e)))?.store;
        self.known.register_store(url, Arc::clone(&store));
        Ok(store)
    }
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
