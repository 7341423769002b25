//! Cancel requests: they come on a connection of their own and name the one whose statement is to stop.
//!
//! The library stops what is being planned. Rows are sent later, and stopping them is done here: a stream that is being sent listens for its
//! connection's signal, ends with 57014, and lets go of its work.

use async_trait::async_trait;
use datafusion_postgres::pgwire::api::cancel::CancelHandler;
use datafusion_postgres::pgwire::api::results::QueryResponse;
use datafusion_postgres::pgwire::api::{ClientInfo, ConnectionManager};
use datafusion_postgres::pgwire::error::PgWireError;
use datafusion_postgres::pgwire::messages::cancel::CancelRequest;
use datafusion_postgres::pgwire::messages::startup::SecretKey;
use futures::{FutureExt as _, StreamExt as _, stream};
use std::collections::HashMap;
use std::future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Poll;
use tokio::sync::watch;

type Key = (i32, Vec<u8>);

/// Connections that have sent a statement, by number and secret.
#[derive(Default)]
pub(super) struct Running {
    signals: Mutex<HashMap<Key, watch::Sender<()>>>,
}

fn key(number: i32, secret: &SecretKey) -> Key {
    (number, secret.to_bytes().to_vec())
}

/// One connection's place in [`Running`]; it is given up with the connection.
pub(super) struct Connection {
    running: Arc<Running>,
    signal: OnceLock<(Key, watch::Receiver<()>)>,
}

impl Connection {
    pub(super) fn new(running: &Arc<Running>) -> Self {
        Self { running: Arc::clone(running), signal: OnceLock::new() }
    }

    fn signal(&self, client: &dyn ClientInfo) -> watch::Receiver<()> {
        let (_, signal) = self.signal.get_or_init(|| {
            let (number, secret) = client.pid_and_secret_key();
            let key = key(number, &secret);
            let (sender, receiver) = watch::channel(());
            self.running.signals.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), sender);
            (key, receiver)
        });
        let mut signal = signal.clone();
        // What was cancelled before this statement is over.
        signal.mark_unchanged();
        signal
    }

    /// Rows that end when the connection's statement is cancelled.
    pub(super) fn cancellable(&self, client: &dyn ClientInfo, mut response: QueryResponse) -> QueryResponse {
        let mut signal = self.signal(client);
        let cancelled = async move {
            if signal.changed().await.is_err() {
                future::pending::<()>().await;
            }
        };
        let (mut cancelled, mut rows) = (Box::pin(cancelled), Some(response.data_rows));
        response.data_rows = Box::pin(stream::poll_fn(move |context| {
            let Some(sent) = &mut rows else { return Poll::Ready(None) };
            if cancelled.poll_unpin(context).is_ready() {
                rows = None;
                return Poll::Ready(Some(Err(PgWireError::QueryCanceled)));
            }
            sent.poll_next_unpin(context)
        }));
        response
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some((key, _)) = self.signal.get() {
            self.running.signals.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        }
    }
}

/// Hears cancel requests.
pub(super) struct Cancel {
    pub(super) manager: Arc<ConnectionManager>,
    pub(super) running: Arc<Running>,
}

#[async_trait]
impl CancelHandler for Cancel {
    async fn on_cancel_request(&self, request: CancelRequest) {
        self.manager.cancel(request.pid, &request.secret_key).await;
        let signals = self.running.signals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signal) = signals.get(&key(request.pid, &request.secret_key)) {
            // Nobody listens between statements: then there is nothing to stop.
            let _ = signal.send(());
        }
    }
}
