//! Clients of object stores: `s3://`, `gs://`, `az://`, `abfss://`.
//!
//! Credentials, region and endpoint come from the environment variables that the stores' own tools use (`AWS_ACCESS_KEY_ID`,
//! `AZURE_STORAGE_ACCOUNT_KEY`, `GOOGLE_APPLICATION_CREDENTIALS`, ...), never from a URL: it stands in `core.batch`, in messages and in
//! shell histories. Requests run on threads of their own: neither a busy query nor a thread that waits for an answer holds them up.
//! What fails for a moment is tried again, up to [`ATTEMPTS`] times (or `AWS_MAX_ATTEMPTS`) and within [`PATIENCE`].

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::SpawnedReqwestConnector;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path as Location;
use object_store::{BackoffConfig, Error, ObjectStore, ObjectStoreScheme, RetryConfig};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};
use url::Url;

/// Beginnings of the environment variables that say how to reach a store.
const SETTINGS: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];
/// What names a setting that nobody may see.
const SECRETS: [&str; 5] = ["SECRET", "KEY", "TOKEN", "PASSWORD", "SAS"];
/// Schemes of URLs that are understood.
const SCHEMES: [&str; 8] = ["s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl"];
/// How often a request is made before it is given up.
const ATTEMPTS: usize = 8;
/// Within which time.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest pause between two of them.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// Why a store did not do what was asked of it. Never holds a secret.
#[derive(Debug, thiserror::Error)]
#[error("`{url}`: {detail}")]
pub struct StoreError {
    /// What was asked for, without credentials.
    pub url: String,
    /// What is wrong, and what to do.
    pub detail: String,
}

impl StoreError {
    pub(crate) fn new(url: &str, detail: impl Into<String>) -> Self {
        Self { url: url.to_owned(), detail: detail.into() }
    }
}

/// A store, and a place in it.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// The whole bucket.
    pub(crate) store: Arc<dyn ObjectStore>,
    /// As it was asked for.
    pub(crate) url: Url,
    /// The place that the URL means.
    pub(crate) location: Location,
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

/// A client for the store that a URL names. Nothing is asked of the store yet.
///
/// # Errors
/// [`StoreError`] if the URL is none, names no store that is known, or holds credentials; or if the environment lacks what the store needs.
pub(crate) fn client(text: &str) -> Result<Client, StoreError> {
    // The text may hold a password: it is shown only once it is known not to.
    let unshown = format!("{}://...", text.split_once("://").map_or("", |(scheme, _)| scheme));
    let url = Url::parse(text).map_err(|e| StoreError::new(&unshown, format!("no URL: {e}")))?;
    if !SCHEMES.contains(&url.scheme()) {
        return Err(StoreError::new(&unshown, "no store that can be read; known are s3, gs, az, abfss, file"));
    }
    if url.password().is_some() || url.query().is_some() || (url.scheme().starts_with("s3") && !url.username().is_empty()) {
        let detail =
            "a URL with credentials or a query is not taken; set them as environment variables, such as AWS_ACCESS_KEY_ID";
        return Err(StoreError::new(&unshown, detail));
    }
    let settings: Vec<(String, String)> = std::env::vars()
        .filter(|(name, _)| SETTINGS.iter().any(|start| name.starts_with(start)))
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    let failed = |e: Error| refused(url.as_str(), &e);
    let requests = requests().map_err(|e| StoreError::new(url.as_str(), e))?;
    let connector = SpawnedReqwestConnector::new(requests);
    let (scheme, location) = ObjectStoreScheme::parse(&url).map_err(|e| failed(e.into()))?;
    // The three builders have the same methods and no trait for them.
    macro_rules! built {
        ($builder:ty) => {{
            let builder =
                settings.into_iter().fold(<$builder>::new().with_url(url.as_str()), |builder, (name, value)| {
                    match name.parse() {
                        Ok(name) => builder.with_config(name, value),
                        Err(_) => builder,
                    }
                });
            Arc::new(builder.with_retry(retries()).with_http_connector(connector).build().map_err(failed)?)
        }};
    }
    let store: Arc<dyn ObjectStore> = match scheme {
        ObjectStoreScheme::GoogleCloudStorage => built!(GoogleCloudStorageBuilder),
        ObjectStoreScheme::MicrosoftAzure => built!(MicrosoftAzureBuilder),
        _ => built!(AmazonS3Builder),
    };
    Ok(Client { store, url, location })
}

fn retries() -> RetryConfig {
    let attempts = std::env::var("AWS_MAX_ATTEMPTS").ok().and_then(|text| text.trim().parse::<usize>().ok());
    RetryConfig {
        backoff: BackoffConfig { max_backoff: LONGEST_PAUSE, ..BackoffConfig::default() },
        max_retries: attempts.unwrap_or(ATTEMPTS).saturating_sub(1),
        retry_timeout: PATIENCE,
    }
}

/// The threads that requests run on. They end with the process: connections outlive whoever opened them.
fn requests() -> Result<Handle, &'static str> {
    static THREADS: OnceLock<Option<Runtime>> = OnceLock::new();
    let threads = THREADS.get_or_init(|| {
        let mut threads = tokio::runtime::Builder::new_multi_thread();
        threads.worker_threads(2).thread_name("object-store").enable_all().build().ok()
    });
    threads.as_ref().map(|runtime| runtime.handle().clone()).ok_or("no threads can be started for its requests")
}

/// Runs to its end what a store is asked for, on the threads of the requests; the caller's thread waits, as it would for a disk.
///
/// # Errors
/// If no thread can be had, or the work stopped unexpectedly.
pub(crate) fn wait<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T, &'static str> {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    requests()?.spawn(async move {
        // Nobody waits any more: the answer is of no use.
        let _ = sender.send(work.await);
    });
    receiver.recv().map_err(|_| "the request stopped unexpectedly; please report this")
}

/// What a store says, in words, without what nobody may see.
pub(crate) fn refused(url: &str, error: &Error) -> StoreError {
    let text = error.to_string();
    let detail = match error {
        Error::NotFound { .. } => NOT_THERE.to_owned(),
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => DENIED.to_owned(),
        // A list that is refused comes back without a kind of its own.
        Error::Generic { .. } => in_words(text),
        _ => first_line(text),
    };
    StoreError { url: url.to_owned(), detail }
}

/// Where a machine in the cloud is told who it is; asked where the environment names nobody.
const ASKED_WHO: &str = "169.254.169.254";
const NOBODY: &str = "there are no credentials; set them in the environment (such as AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), or give this machine a role";
const NOT_THERE: &str = "there is no such bucket or object";
const DENIED: &str = "access is denied; check the credentials in the environment (such as AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), and what they may do";

/// The same for an error that has lost its kind on the way.
pub(crate) fn in_words(text: String) -> String {
    let is_status = |status: &str| text.contains(&format!("status code: {status}"));
    match () {
        () if text.contains(ASKED_WHO) => NOBODY.to_owned(),
        () if is_status("404") => NOT_THERE.to_owned(),
        () if is_status("403") || is_status("401") => DENIED.to_owned(),
        () => first_line(text),
    }
}

fn first_line(text: String) -> String {
    without_secrets(text).lines().next().unwrap_or_default().chars().take(300).collect()
}

/// A text without the values of the settings that nobody may see.
fn without_secrets(mut text: String) -> String {
    let secrets = std::env::vars().filter(|(name, value)| {
        SETTINGS.iter().any(|start| name.starts_with(start)) && SECRETS.iter().any(|part| name.contains(part)) && value.len() > 3
    });
    for (_, value) in secrets {
        text = text.replace(&value, "***");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn urls_are_told_from_paths() {
        assert!(is_url("s3://bucket/x") && is_url("file:///x") && is_url("abfss://a@b/c"));
        assert!(!is_url("a/b") && !is_url("C://x") && !is_url("2026-08-01.csv"));
        assert_eq!(local("file:///a/b%20c.csv").as_deref(), Some(Path::new("/a/b c.csv")));
    }

    #[test]
    fn who_waits_on_the_only_thread_of_a_runtime_still_gets_an_answer() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        assert_eq!(runtime.block_on(async { wait(async { 7 }) }), Ok(7));
    }
}
