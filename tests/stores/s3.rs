//! A real S3 server in the test's own process, which can also be as bad as some stores and networks are.

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError};
use s3s_fs::FileSystem;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

pub const SECRET: &str = "wJalrXUtnFEMI-secret-of-this-test";

/// What is wrong with the store.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// It writes whatever the condition of the request says.
    pub ignores_conditions: bool,
    /// It lets nobody write.
    pub is_read_only: bool,
    /// Of so many conditional writes it carries one out and answers that it failed.
    pub loses_one_answer_of: Option<usize>,
    /// It answers conditional writes of this name (its end) only once so many have been asked for: whoever commits there does so at the same time.
    pub gathers: Option<(&'static str, usize)>,
}

/// How long it waits for them.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server with one bucket; it goes with the value.
pub struct Server {
    folder: TempDir,
    endpoint: String,
    store: Arc<Store>,
    _runtime: Runtime,
}

struct Store {
    folder: PathBuf,
    service: S3Service,
    faults: Faults,
    conditional: Mutex<()>,
    count: AtomicUsize,
    refused: AtomicUsize,
    gathered: AtomicUsize,
}

impl Store {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, HttpError> {
        let is_conditional = request.headers().contains_key("if-none-match");
        if self.faults.is_read_only && request.method() != Method::GET && request.method() != Method::HEAD {
            return Ok(status(StatusCode::FORBIDDEN));
        }
        // The storage would make the bucket.
        let name = request.uri().path().trim_start_matches('/').to_owned();
        if !self.folder.join(name.split('/').next().unwrap_or("")).is_dir() {
            return Ok(status(StatusCode::NOT_FOUND));
        }
        if !is_conditional {
            return self.service.call(request.map(Body::from)).await;
        }
        if let Some((_, all)) = self.faults.gathers.filter(|(end, _)| name.ends_with(end)) {
            self.gathered.fetch_add(1, Ordering::Relaxed);
            let asked = tokio::time::Instant::now();
            while self.gathered.load(Ordering::Relaxed) < all && asked.elapsed() < PATIENCE {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        let is_commit = name.contains("/_delta_log/");
        // The storage looks first and writes then: one at a time, as real stores do it.
        let _one = self.conditional.lock().await;
        if self.faults.ignores_conditions {
            // As if nothing had been there.
            let _ = std::fs::remove_file(self.folder.join(name));
        }
        let answer = self.service.call(request.map(Body::from)).await?;
        let is_lost = |every: usize| self.count.fetch_add(1, Ordering::Relaxed) % every == every - 1;
        if is_commit && answer.status() == StatusCode::PRECONDITION_FAILED {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        if answer.status().is_success() && self.faults.loses_one_answer_of.is_some_and(is_lost) {
            return Ok(status(StatusCode::INTERNAL_SERVER_ERROR));
        }
        Ok(answer)
    }
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

impl Server {
    pub fn start() -> Self {
        Self::with(Faults::default())
    }

    pub fn with(faults: Faults) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("bucket")).expect("a bucket");
        let mut service = S3ServiceBuilder::new(FileSystem::new(folder.path()).expect("a folder"));
        service.set_auth(SimpleAuth::from_single("key-id", SECRET));
        let store = Arc::new(Store {
            folder: folder.path().to_owned(),
            service: service.build(),
            faults,
            conditional: Mutex::new(()),
            count: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            gathered: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&store);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let store = Arc::clone(&store);
                        async move { store.answer(request).await }
                    });
                    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        Self { folder, endpoint, store: shared, _runtime: runtime }
    }

    /// How many commits came second.
    pub fn refused(&self) -> usize {
        self.store.refused.load(Ordering::Relaxed)
    }

    /// How many commits were asked for where it waits for several.
    pub fn gathered(&self) -> usize {
        self.store.gathered.load(Ordering::Relaxed)
    }

    /// Where the server keeps an object.
    pub fn path(&self, key: &str) -> PathBuf {
        self.folder.path().join("bucket").join(key)
    }

    pub fn put(&self, key: &str, content: impl AsRef<[u8]>) {
        let path = self.path(key);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, content).expect("an object");
    }

    /// Gives a command what it needs to reach this server.
    pub fn known_to<'a>(&self, command: &'a mut Command, secret: &str) -> &'a mut Command {
        command
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "key-id")
            .env("AWS_SECRET_ACCESS_KEY", secret)
    }
}
