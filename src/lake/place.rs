//! Where a lake lies, a folder or a prefix of an object store, and the files there that are no Delta table's log.
//!
//! | | in a folder | in a store |
//! | --- | --- | --- |
//! | small files, originals | written beside, then renamed | put, or uploaded in parts: a reader sees all of an object or none |
//! | data files | written in place: no log names them yet | the same as above, parts side by side |
//! | read | as files | in ranges of [`PART`] bytes |
//!
//! Names are relative to the lake, with `/` between folders. All of it blocks, as files do: what waits for a store does so in
//! [`store::wait`]. An upload in parts that a killed process leaves behind is invisible; a rule of the bucket removes it.

use super::delta::LakeError;
use super::object::{Object, Outgoing, PART, ParquetFile, Sending, complete};
use super::store::{self, Client, StoreError, refused};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use deltalake_core::DeltaResult;
use deltalake_core::logstore::{LogStore, LogStoreFactory, ObjectStoreRef, StorageConfig, default_logstore, logstore_factories};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path as Location;
use object_store::{Error, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use url::Url;

/// An object that shows whether a store has conditional writes.
const PROBE: &str = ".conditional";
/// The beginning of an object that is written to learn the time.
const CLOCK: &str = ".clock";
/// Parts of one object on their way at a time.
const AT_A_TIME: usize = 4;
/// Objects that are being removed at a time.
const REMOVED_AT_A_TIME: usize = 16;

/// A file as it lies there.
#[derive(Clone, Debug)]
pub(crate) struct Lying {
    /// Below the lake.
    pub(crate) name: String,
    /// Bytes.
    pub(crate) size: u64,
    /// When it was written.
    pub(crate) modified: DateTime<Utc>,
}

/// A folder, or a prefix of a store.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// Absolute, without links.
    Folder(PathBuf),
    /// A store; the URL ends with `/`.
    Store(Arc<Client>),
}

impl Place {
    /// The place that a URL of a store means; nothing for a path, and for a `file://` URL, which is one.
    pub(crate) fn of_url(root: &Path) -> Result<Option<Self>, LakeError> {
        let Some(text) = root.to_str().filter(|text| store::is_url(text) && !root.exists()) else { return Ok(None) };
        if store::local(text).is_some() {
            return Ok(None);
        }
        Ok(Some(Self::of_client(store::client(text).map_err(LakeError::Address)?)))
    }

    /// The place that a client was made for.
    pub(super) fn of_client(client: Client) -> Self {
        if let Ok(scheme) = Url::parse(&format!("{}://", client.url.scheme())) {
            logstore_factories().insert(scheme, Arc::new(Logs));
        }
        Self::Store(Arc::new(client))
    }

    /// Refuses a store that overwrites an object where it should only create it: the commit of one of two writers would be lost.
    pub(crate) fn check_conditional_writes(&self) -> Result<(), LakeError> {
        let Self::Store(client) = self else { return Ok(()) };
        let is_created = || {
            client.tell(PROBE, |client, at| async move {
                let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
                match client.store.put_opts(&at, PutPayload::from_static(b"shortfall"), create).await {
                    Ok(_) => Ok(true),
                    Err(Error::AlreadyExists { .. }) => Ok(false),
                    Err(e) => Err(e),
                }
            })
        };
        // It stays, so that the next process needs one request.
        if is_created()? && is_created()? {
            self.remove(PROBE)?;
            let detail = "this store ignores conditional writes (`If-None-Match: *`), so that two writers would overwrite each other; \
                          a lake needs a store that has them";
            return Err(StoreError::new(client.url.as_str(), detail).into());
        }
        Ok(())
    }

    /// Whether anything lies below a folder.
    pub(crate) fn has_any(&self, folder: &str) -> Result<bool, LakeError> {
        match self {
            Self::Folder(root) => Ok(root.join(folder).is_dir()),
            Self::Store(client) => {
                let first = |client: Arc<Client>, at| async move { Ok(client.store.list(Some(&at)).try_next().await?.is_some()) };
                Ok(client.ask(folder, first)?.unwrap_or(false))
            }
        }
    }

    /// The content of a file; nothing if there is none.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, LakeError> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                absent(std::fs::read(&path)).map_err(|e| LakeError::io("read", &path, e))
            }
            Self::Store(client) => {
                let got = client.ask(name, |client, at| async move { client.store.get(&at).await?.bytes().await })?;
                Ok(got.map(|bytes| bytes.to_vec()))
            }
        }
    }

    /// The size of a file; nothing if there is none.
    pub(crate) fn size(&self, name: &str) -> Result<Option<u64>, LakeError> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                absent(std::fs::metadata(&path).map(|meta| meta.len())).map_err(|e| LakeError::io("read", &path, e))
            }
            Self::Store(client) => client.ask(name, |client, at| async move { Ok(client.store.head(&at).await?.size) }),
        }
    }

    /// A file from its beginning.
    pub(crate) fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, LakeError> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                let file = File::open(&path).map_err(|e| LakeError::io("read", &path, e))?;
                Ok(Box::new(file))
            }
            Self::Store(client) => {
                let size = self.size(name)?.ok_or_else(|| client.absent(name))?;
                Ok(Box::new(Object::new(client, name, size).from(0)))
            }
        }
    }

    /// Writes a small file, whole or not at all.
    pub(crate) fn write(&self, name: &str, content: Vec<u8>) -> Result<(), LakeError> {
        let mut file = self.create(name)?;
        file.write_all(&content).map_err(|e| self.unwritten(name, e))?;
        file.finish()
    }

    /// Writes a data file: nothing names it before it is complete, and nothing else has its name.
    pub(crate) fn write_data(&self, name: &str, content: Vec<u8>) -> Result<(), LakeError> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder).map_err(|e| LakeError::io("create", folder, e))?;
                }
                std::fs::write(&path, content).map_err(|e| LakeError::io("write", &path, e))
            }
            Self::Store(client) => {
                let content = Bytes::from(content);
                client.tell(name, |client, at| async move {
                    if content.len() <= PART {
                        return client.store.put(&at, content.into()).await.map(|_| ());
                    }
                    let mut upload = client.store.put_multipart(&at).await?;
                    let starts = (0..content.len()).step_by(PART);
                    let parts: Vec<_> = starts
                        .map(|start| upload.put_part(content.slice(start..content.len().min(start + PART)).into()))
                        .collect();
                    let sent = stream::iter(parts).buffer_unordered(AT_A_TIME).try_collect::<()>().await;
                    complete(upload, sent).await
                })
            }
        }
    }

    /// A new file, which appears when it is finished.
    pub(crate) fn create(&self, name: &str) -> Result<Outgoing, LakeError> {
        match self {
            Self::Folder(folder) => {
                let target = folder.join(name);
                let partial = target.with_extension("partial");
                if let Some(folder) = target.parent() {
                    std::fs::create_dir_all(folder).map_err(|e| LakeError::io("create", folder, e))?;
                }
                let file = File::create(&partial).map_err(|e| LakeError::io("write", &partial, e))?;
                Ok(Outgoing::Folder { file, partial, target })
            }
            Self::Store(client) => Ok(Outgoing::Store(Sending::new(client, name))),
        }
    }

    /// Removes a file; one that is not there is no error.
    pub(crate) fn remove(&self, name: &str) -> Result<(), LakeError> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                absent(std::fs::remove_file(&path)).map(|_| ()).map_err(|e| LakeError::io("remove", &path, e))
            }
            Self::Store(client) => client.ask(name, |client, at| async move { client.store.delete(&at).await }).map(|_| ()),
        }
    }

    /// Removes files, many at a time where each takes a request; such as are not there are no error.
    pub(crate) fn remove_all(&self, names: &[String]) -> Result<(), LakeError> {
        let Self::Store(client) = self else { return names.iter().try_for_each(|name| self.remove(name)) };
        let all: Vec<Location> = names.iter().map(|name| client.at(name)).collect();
        // Of the folder that is named nothing is asked: it only stands in the message.
        let removed = client.ask("", |client, _| async move {
            let removals = all.into_iter().map(|at| {
                let client = Arc::clone(&client);
                async move {
                    match client.store.delete(&at).await {
                        Err(e) if !matches!(e, Error::NotFound { .. }) => Err(e),
                        _ => Ok(()),
                    }
                }
            });
            stream::iter(removals).buffer_unordered(REMOVED_AT_A_TIME).try_collect::<()>().await
        });
        removed.map(|_| ())
    }

    /// What time it is where files get their dates, if that is another clock than this machine's: a store dates what is written to it.
    pub(crate) fn clock(&self) -> Result<Option<DateTime<Utc>>, LakeError> {
        let Self::Store(client) = self else { return Ok(None) };
        let name = format!("{CLOCK}-{:016x}", rand::random::<u64>());
        let dated = client.tell(&name, |client, at| async move {
            client.store.put(&at, PutPayload::from_static(b"shortfall")).await?;
            Ok(client.store.head(&at).await?.last_modified)
        })?;
        self.remove(&name)?;
        Ok(Some(dated))
    }

    /// Files below a folder; none where there is no such folder. Logs of tables are left out.
    pub(crate) fn list(&self, folder: &str) -> Result<Vec<Lying>, LakeError> {
        let is_log = |part: &str| part == "_delta_log";
        match self {
            Self::Folder(root) => {
                let folder = root.join(folder);
                if !folder.is_dir() {
                    return Ok(Vec::new());
                }
                let mut found = Vec::new();
                let entries = walkdir::WalkDir::new(&folder).into_iter();
                for entry in entries.filter_entry(|entry| !entry.file_name().to_str().is_some_and(is_log)) {
                    let entry = entry.map_err(|e| LakeError::io("list", &folder, e.into()))?;
                    if let (true, Ok(name)) = (entry.file_type().is_file(), entry.path().strip_prefix(root)) {
                        let failed = |e| LakeError::io("list", entry.path(), e);
                        let meta = entry.metadata().map_err(|e| failed(e.into()))?;
                        let modified = meta.modified().map_err(failed)?.into();
                        let name = name.to_string_lossy().replace('\\', "/");
                        found.push(Lying { name, size: meta.len(), modified });
                    }
                }
                Ok(found)
            }
            Self::Store(client) => {
                let prefix = client.location.as_ref().to_owned();
                let all =
                    client.ask(folder, |client, at| async move { client.store.list(Some(&at)).try_collect::<Vec<_>>().await })?;
                let named = all.into_iter().flatten().filter_map(|object| {
                    let name = object.location.as_ref().strip_prefix(&prefix)?.trim_start_matches('/').to_owned();
                    let lying = Lying { name, size: object.size, modified: object.last_modified };
                    (!lying.name.split('/').any(is_log)).then_some(lying)
                });
                Ok(named.collect())
            }
        }
    }

    /// A data file as Parquet readers want it. All of its rows are read at once, or only its footer.
    pub(crate) fn parquet(&self, name: &str, size: u64, is_all: bool) -> Result<ParquetFile, LakeError> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                File::open(&path).map(ParquetFile::File).map_err(|e| LakeError::io("read", &path, e))
            }
            // Page by page it would be a request for each.
            Self::Store(client) if is_all => Ok(ParquetFile::Whole(self.read(name)?.ok_or_else(|| client.absent(name))?.into())),
            Self::Store(client) => Ok(ParquetFile::Object(Object::new(client, name, size))),
        }
    }

    fn unwritten(&self, name: &str, error: io::Error) -> LakeError {
        match self {
            Self::Folder(folder) => LakeError::io("write", &folder.join(name), error),
            Self::Store(client) => StoreError::new(&client.named(name), error.to_string()).into(),
        }
    }
}

/// Nothing instead of the error that says so.
fn absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Table logs in stores: commits are conditional writes, as on a disk.
struct Logs;

impl LogStoreFactory for Logs {
    fn with_options(
        &self,
        prefixed_store: ObjectStoreRef,
        root_store: ObjectStoreRef,
        location: &Url,
        options: &StorageConfig,
    ) -> DeltaResult<Arc<dyn LogStore>> {
        Ok(default_logstore(prefixed_store, root_store, location, options))
    }
}

impl Client {
    /// The URL of a file of the lake.
    pub(crate) fn named(&self, name: &str) -> String {
        format!("{}/{name}", self.url.as_str().trim_end_matches('/'))
    }

    /// The key of a file of the lake.
    pub(crate) fn at(&self, name: &str) -> Location {
        self.location.parts().chain(Location::from(name).parts()).collect()
    }

    pub(super) fn absent(&self, name: &str) -> LakeError {
        StoreError::new(&self.named(name), "there is no such object").into()
    }

    /// What the store answers about a file; nothing if there is none.
    pub(crate) fn ask<T, F>(
        self: &Arc<Self>,
        name: &str,
        question: impl FnOnce(Arc<Self>, Location) -> F,
    ) -> Result<Option<T>, LakeError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let url = self.named(name);
        match store::wait(question(Arc::clone(self), self.at(name))).map_err(|e| StoreError::new(&url, e))? {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(refused(&url, &e).into()),
        }
    }

    /// The same where "there is none" is an error: the bucket is missing.
    pub(super) fn tell<T, F>(self: &Arc<Self>, name: &str, order: impl FnOnce(Arc<Self>, Location) -> F) -> Result<T, LakeError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.ask(name, order)?.ok_or_else(|| StoreError::new(&self.named(name), "there is no such bucket").into())
    }
}
