//! Exports in object stores: `s3://`, `gs://`, `az://`, `abfss://`, one object, all below a prefix, or a pattern with `*`.
//!
//! Credentials, region and endpoint come from the environment variables that the stores' own tools use (`AWS_ACCESS_KEY_ID`,
//! `AZURE_STORAGE_ACCOUNT_KEY`, `GOOGLE_APPLICATION_CREDENTIALS`, ...), never from the URL: it stands in `core.batch`, in messages and in shell histories. Each object is streamed to a
//! file beside the lake when its turn comes; `object_store` retries. `file://` is a path like any other.

use super::member::is_junk;
use super::scratch::Scratch;
use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use object_store::path::Path as Location;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt as _, parse_url_opts};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use url::Url;

/// Beginnings of the environment variables that say how to reach a store.
const SETTINGS: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];
/// What names a setting that nobody may see.
const SECRETS: [&str; 5] = ["SECRET", "KEY", "TOKEN", "PASSWORD", "SAS"];

/// Why a store did not give what was asked for. Never holds a secret.
#[derive(Debug, thiserror::Error)]
#[error("`{url}`: {detail}")]
pub struct FetchError {
    /// What was asked for, without credentials.
    pub url: String,
    /// What is wrong, and what to do.
    pub detail: String,
}

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

/// Whether an argument is a URL of a store, not a path.
#[must_use]
pub fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| scheme.len() > 1 && scheme.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The path that a `file://` URL means.
#[must_use]
pub fn local(text: &str) -> Option<std::path::PathBuf> {
    Url::parse(text).ok().filter(|url| url.scheme() == "file").and_then(|url| url.to_file_path().ok())
}

/// The objects that a URL means, in the order of their names.
///
/// # Errors
/// [`FetchError`] if there are none, or the store refuses.
pub async fn list(text: &str) -> Result<Vec<Remote>, FetchError> {
    // The text may hold a password: it is shown only once it is known not to.
    let unshown = text.split_once("://").map_or("", |(scheme, _)| scheme);
    let fail = |url: &str, detail: &str| FetchError { url: url.to_owned(), detail: detail.to_owned() };
    let url = Url::parse(text).map_err(|e| fail(&format!("{unshown}://..."), &format!("no URL: {e}")))?;
    if !["s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl"].contains(&url.scheme()) {
        return Err(fail(&format!("{unshown}://..."), "no store that can be read; known are s3, gs, az, abfss, file"));
    }
    if url.password().is_some() || url.query().is_some() || (url.scheme().starts_with("s3") && !url.username().is_empty()) {
        let detail =
            "a URL with credentials or a query is not taken; set them as environment variables, such as AWS_ACCESS_KEY_ID";
        return Err(fail(&format!("{unshown}://..."), detail));
    }
    let shown = url.as_str();
    let settings: Vec<(String, String)> = std::env::vars()
        .filter(|(name, _)| SETTINGS.iter().any(|start| name.starts_with(start)))
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    let (store, location) = parse_url_opts(&url, settings).map_err(|e| refused(shown, &e))?;
    let store: Arc<dyn ObjectStore> = Arc::from(store);
    let wanted = location.as_ref().to_owned();
    let is_pattern = wanted.contains(['*', '[']);
    let mut objects: Vec<ObjectMeta> = Vec::new();
    if is_pattern {
        let start = wanted.split(['*', '[']).next().unwrap_or("");
        let prefix = Location::from(start.rsplit_once('/').map_or("", |(folder, _)| folder));
        let pattern = glob::Pattern::new(&wanted).map_err(|e| fail(shown, &format!("no pattern: {}", e.msg)))?;
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
        return Err(fail(shown, "there is no such object, and nothing below it"));
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
    /// [`FetchError`] if the store fails for good or the disk is full.
    pub async fn download(&self, folder: &Path) -> Result<Scratch, FetchError> {
        let disk = |e: std::io::Error| FetchError {
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
            return Err(FetchError { url: self.url.clone(), detail });
        }
        Ok(scratch)
    }
}

/// What a store says, in words, without what nobody may see.
fn refused(url: &str, error: &Error) -> FetchError {
    // A list that is refused comes back without a kind of its own.
    let text = error.to_string();
    let is_status = |status: &str| matches!(error, Error::Generic { .. }) && text.contains(&format!("status code: {status}"));
    let detail = match error {
        _ if matches!(error, Error::NotFound { .. }) || is_status("404") => "there is no such bucket or object".to_owned(),
        _ if matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. }) || is_status("403") || is_status("401") => {
            "access is denied; check the credentials in the environment (such as AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), and what they may read"
                .to_owned()
        }
        _ => {
            let mut text = text;
            let secrets = std::env::vars().filter(|(name, value)| {
                SETTINGS.iter().any(|start| name.starts_with(start)) && SECRETS.iter().any(|part| name.contains(part)) && value.len() > 3
            });
            for (_, value) in secrets {
                text = text.replace(&value, "***");
            }
            text.lines().next().unwrap_or_default().chars().take(300).collect()
        }
    };
    FetchError { url: url.to_owned(), detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_told_from_paths() {
        assert!(is_url("s3://bucket/x") && is_url("file:///x") && is_url("abfss://a@b/c"));
        assert!(!is_url("a/b") && !is_url("C://x") && !is_url("2026-08-01.csv"));
        assert_eq!(local("file:///a/b%20c.csv").as_deref(), Some(Path::new("/a/b c.csv")));
    }
}
