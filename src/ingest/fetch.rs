//! Exports in object stores: `s3://`, `gs://`, `az://`, `abfss://`, one object, all below a prefix, or a pattern with `*`.
//!
//! How a store is reached is said in [`crate::lake::store`]. Each object is streamed to a file beside the lake when its turn comes.
//! `file://` is a path like any other.

use super::member::is_junk;
use super::scratch::Scratch;
use crate::lake::store::{Client, StoreError, client, refused};
use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use object_store::path::Path as Location;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt as _};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// One object.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Its URL.
    pub url: String,
    /// Its size.
    pub bytes: u64,
    /// When it was written.
    pub modified: DateTime<Utc>,
    store: Arc<dyn ObjectStore>,
    location: Location,
}

/// The objects that a URL means, in the order of their names.
///
/// # Errors
/// [`StoreError`] if there are none, or the store refuses.
pub async fn list(text: &str) -> Result<Vec<Remote>, StoreError> {
    let Client { store, url, location } = client(text)?;
    let shown = url.as_str();
    let wanted = location.as_ref().to_owned();
    let is_pattern = wanted.contains(['*', '[']);
    let mut objects: Vec<ObjectMeta> = Vec::new();
    if is_pattern {
        let start = wanted.split(['*', '[']).next().unwrap_or("");
        let prefix = Location::from(start.rsplit_once('/').map_or("", |(folder, _)| folder));
        let pattern = glob::Pattern::new(&wanted).map_err(|e| StoreError::new(shown, format!("no pattern: {}", e.msg)))?;
        let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
        objects = below(&store, &prefix).await.map_err(|e| refused(shown, &e))?;
        objects.retain(|object| pattern.matches_with(object.location.as_ref(), options));
    } else {
        let is_folder = wanted.is_empty() || shown.ends_with('/');
        if !is_folder {
            match store.head(&location).await {
                Ok(object) => objects.push(object),
                Err(Error::NotFound { .. }) => {}
                Err(e) => return Err(refused(shown, &e)),
            }
        }
        if objects.is_empty() {
            objects = below(&store, &location).await.map_err(|e| refused(shown, &e))?;
            let inside = |object: &ObjectMeta| object.location.as_ref().trim_start_matches(&wanted).split('/').any(is_junk);
            objects.retain(|object| !inside(object));
        }
    }
    if objects.is_empty() {
        return Err(StoreError::new(shown, "there is no such object, and nothing below it"));
    }
    objects.sort_by(|a, b| a.location.cmp(&b.location));
    let root = shown.strip_suffix(url.path()).unwrap_or(shown);
    let remote = |object: ObjectMeta| Remote {
        url: format!("{root}/{}", object.location),
        bytes: object.size,
        modified: object.last_modified,
        store: Arc::clone(&store),
        location: object.location,
    };
    Ok(objects.into_iter().map(remote).collect())
}

async fn below(store: &Arc<dyn ObjectStore>, prefix: &Location) -> Result<Vec<ObjectMeta>, Error> {
    let prefix = Some(prefix).filter(|prefix| !prefix.as_ref().is_empty());
    // An object without a byte and a name that ends in `/` is how consoles show a folder.
    store.list(prefix).try_filter(|object| futures::future::ready(object.size > 0)).try_collect().await
}

impl Remote {
    /// The object as a file below `folder`, complete.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails for good or the disk is full.
    pub async fn download(&self, folder: &Path) -> Result<Scratch, StoreError> {
        let disk = |e: std::io::Error| StoreError {
            url: self.url.clone(),
            detail: format!("could not be written beside the lake: {e}"),
        };
        let (scratch, mut file) = Scratch::create(folder).map_err(disk)?;
        let failed = |e: Error| refused(&self.url, &e);
        let mut stream = self.store.get(&self.location).await.map_err(failed)?.into_stream();
        let mut bytes = 0;
        while let Some(part) = stream.try_next().await.map_err(failed)? {
            file.write_all(&part).map_err(disk)?;
            bytes += part.len() as u64;
        }
        file.flush().map_err(disk)?;
        if bytes != self.bytes {
            let detail = format!("it has {bytes} bytes where the list says {}; it is being written, ingest it again", self.bytes);
            return Err(StoreError { url: self.url.clone(), detail });
        }
        Ok(scratch)
    }
}
