//! A real S3 server with one bucket, in the test's own process.

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::Body;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

const SECRET: &str = "wJalrXUtnFEMI-secret-of-this-test";

/// A server; it goes with the value.
pub struct Server {
    folder: PathBuf,
    endpoint: String,
    _runtime: Runtime,
}

impl Server {
    /// Keeps what it is given in a folder.
    pub fn start(folder: &Path) -> Self {
        std::fs::create_dir(folder.join("bucket")).expect("a bucket");
        let mut service = S3ServiceBuilder::new(FileSystem::new(folder).expect("a folder"));
        service.set_auth(SimpleAuth::from_single("key-id", SECRET));
        let service = Arc::new((service.build(), Mutex::new(())));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let service = Arc::clone(&service);
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let service = Arc::clone(&service);
                        async move {
                            // The storage looks first and writes then: one at a time, as real stores do it.
                            let _one =
                                if request.headers().contains_key("if-none-match") { Some(service.1.lock().await) } else { None };
                            service.0.call(request.map(Body::from)).await
                        }
                    });
                    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        Self { folder: folder.join("bucket"), endpoint, _runtime: runtime }
    }

    /// Where it keeps an object.
    pub fn path(&self, key: &str) -> PathBuf {
        self.folder.join(key)
    }

    /// Gives a command what it needs to reach this server.
    pub fn known_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "key-id")
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
    }
}
