//! Files of a lake that do not fit into memory, on their way to a store and from it.

use super::delta::LakeError;
use super::store::{self, Client};
use bytes::Bytes;
use object_store::{Error, MultipartUpload, ObjectStoreExt as _, PutPayload};
use parquet::file::reader::{ChunkReader, Length};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes of a request that reads or writes part of a large object.
pub(super) const PART: usize = 8 << 20;

/// Ends an upload in parts: all of it, or nothing.
pub(super) async fn complete(mut upload: Box<dyn MultipartUpload>, sent: Result<(), Error>) -> Result<(), Error> {
    let done = match sent {
        Ok(()) => upload.complete().await.map(|_| ()),
        Err(error) => Err(error),
    };
    if done.is_err() {
        // What cannot be taken back is invisible.
        let _ = upload.abort().await;
    }
    done
}

/// A file on its way; what is dropped before it is finished never appears.
pub(crate) enum Outgoing {
    /// Beside its place.
    Folder {
        /// What is written to.
        file: File,
        /// Where it is.
        partial: PathBuf,
        /// Where it goes.
        target: PathBuf,
    },
    /// In parts.
    Store(Sending),
}

/// An object of which parts may have been sent.
pub(crate) struct Sending {
    client: Arc<Client>,
    name: String,
    filled: Vec<u8>,
    upload: Option<Box<dyn MultipartUpload>>,
}

impl Write for Outgoing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Folder { file, .. } => file.write(bytes),
            Self::Store(sending) => {
                sending.filled.extend_from_slice(bytes);
                if sending.filled.len() >= PART {
                    sending.send().map_err(io::Error::other)?;
                }
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Outgoing {
    /// Makes the file appear.
    pub(crate) fn finish(self) -> Result<(), LakeError> {
        match self {
            Self::Folder { file, partial, target } => {
                drop(file);
                std::fs::rename(&partial, &target).map_err(|e| LakeError::io("write", &target, e))
            }
            Self::Store(sending) => sending.finish(),
        }
    }
}

impl Sending {
    pub(super) fn new(client: &Arc<Client>, name: &str) -> Self {
        Self { client: Arc::clone(client), name: name.to_owned(), filled: Vec::new(), upload: None }
    }

    fn send(&mut self) -> Result<(), LakeError> {
        let part = PutPayload::from(std::mem::take(&mut self.filled));
        let upload = self.upload.take();
        let sent = self.client.tell(&self.name, |client, at| async move {
            let mut upload = match upload {
                Some(upload) => upload,
                None => client.store.put_multipart(&at).await?,
            };
            match upload.put_part(part).await {
                Ok(()) => Ok(upload),
                Err(error) => {
                    let _ = upload.abort().await;
                    Err(error)
                }
            }
        })?;
        self.upload = Some(sent);
        Ok(())
    }

    fn finish(mut self) -> Result<(), LakeError> {
        if self.upload.is_some() && !self.filled.is_empty() {
            self.send()?;
        }
        let (whole, upload) = (std::mem::take(&mut self.filled), self.upload.take());
        self.client.tell(&self.name, |client, at| async move {
            match upload {
                Some(upload) => complete(upload, Ok(())).await,
                None => client.store.put(&at, whole.into()).await.map(|_| ()),
            }
        })
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(mut upload) = self.upload.take() {
            // What cannot be taken back is invisible.
            let _ = store::wait(async move { upload.abort().await });
        }
    }
}

/// An object of a store whose size is known.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    client: Arc<Client>,
    name: String,
    size: u64,
}

impl Object {
    pub(super) fn new(client: &Arc<Client>, name: &str, size: u64) -> Self {
        Self { client: Arc::clone(client), name: name.to_owned(), size }
    }

    /// Bytes of it, fewer at its end.
    fn range(&self, start: u64, length: usize) -> io::Result<Bytes> {
        let end = self.size.min(start + length as u64);
        if start >= end {
            return Ok(Bytes::new());
        }
        let got = self.client.ask(&self.name, |client, at| async move { client.store.get_range(&at, start..end).await });
        got.and_then(|bytes| bytes.ok_or_else(|| self.client.absent(&self.name))).map_err(io::Error::other)
    }

    /// Everything from a byte on.
    pub(super) fn from(self, start: u64) -> Ranges {
        Ranges { object: self, at: start, part: Bytes::new() }
    }
}

/// An object on its way, range by range.
pub(crate) struct Ranges {
    object: Object,
    at: u64,
    part: Bytes,
}

impl Read for Ranges {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.part.is_empty() {
            self.part = self.object.range(self.at, PART)?;
            self.at += self.part.len() as u64;
        }
        let count = self.part.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.part.split_to(count));
        Ok(count)
    }
}

/// A data file, wherever it is.
pub(crate) enum ParquetFile {
    /// On a disk.
    File(File),
    /// In memory.
    Whole(Bytes),
    /// In a store.
    Object(Object),
}

impl Length for ParquetFile {
    fn len(&self) -> u64 {
        match self {
            Self::File(file) => file.len(),
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Object(object) => object.size,
        }
    }
}

impl ChunkReader for ParquetFile {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(match self {
            Self::File(file) => Box::new(file.get_read(start)?),
            Self::Whole(bytes) => Box::new(bytes.get_read(start)?),
            Self::Object(object) => Box::new(object.clone().from(start)),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        match self {
            Self::File(file) => file.get_bytes(start, length),
            Self::Whole(bytes) => bytes.get_bytes(start, length),
            Self::Object(object) => Ok(object.range(start, length)?),
        }
    }
}
