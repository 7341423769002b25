//! Connections to other executors, kept for the next request: a job fetches rows thousands of times, and a port that was closed is not free for a minute.
//! (Ballista's own are private to its crate.)

use async_trait::async_trait;
use ballista_core::client::BallistaClient;
use ballista_core::client_pool::{BallistaClientPool, PooledClient};
use ballista_core::error::Result;
use ballista_core::extension::BallistaConfigGrpcEndpoint;
use ballista_core::utils::GrpcClientConfig;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long one is kept that nobody uses.
const KEPT: Duration = Duration::from_secs(30);

type Key = (String, u16, GrpcClientConfig);
/// The last used last, each with when that was.
type Idle = HashMap<Key, Vec<(BallistaClient, Instant)>>;

/// Those that nobody uses now, by whom they reach.
#[derive(Clone, Default)]
pub(super) struct Connections {
    idle: Arc<Mutex<Idle>>,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

impl Connections {
    fn take(&self, key: &Key) -> Option<BallistaClient> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|_, clients| {
            clients.retain(|(_, since)| since.elapsed() < KEPT);
            !clients.is_empty()
        });
        idle.get_mut(key)?.pop().map(|(client, _)| client)
    }

    fn give_back(&self, key: Key, client: BallistaClient) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.entry(key).or_default().push((client, Instant::now()));
    }
}

#[async_trait]
impl BallistaClientPool for Connections {
    async fn acquire(
        &self,
        host: &str,
        port: u16,
        config: &GrpcClientConfig,
        endpoint: Option<Arc<BallistaConfigGrpcEndpoint>>,
    ) -> Result<PooledClient> {
        let key = (host.to_owned(), port, config.clone());
        let client = match self.take(&key) {
            Some(client) => client,
            None => {
                BallistaClient::try_new(
                    host,
                    port,
                    config.max_message_size,
                    config.use_tls,
                    endpoint,
                    config.io_retries_times,
                    config.io_retry_wait_time_ms,
                    config.initial_connection_window_size,
                    config.initial_stream_window_size,
                )
                .await?
            }
        };
        let home = self.clone();
        Ok(PooledClient::new(client, Box::new(move |client| home.give_back(key, client))))
    }

    /// Done whenever one is asked for.
    async fn evict_idle(&self) {}
}
