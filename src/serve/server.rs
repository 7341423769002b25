//! The server: binds its addresses, accepts connections of the PostgreSQL wire as long as there is place, and keeps the view of the lake new.

use super::auth::{Access, AccessError};
use super::cancel::Running;
use super::flight::Flight;
use super::limits::Limits;
use super::pg::{Handlers, Startup};
use super::view::Views;
use crate::bi::StarError;
use crate::lake::Lake;
use datafusion_postgres::pgwire::api::ConnectionManager;
use datafusion_postgres::pgwire::tokio::process_socket;
use std::future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

/// How long a client may take to come in.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Connections beyond the allowed ones that are told so at a time.
const TURNED_AWAY: usize = 16;

/// A server that is bound and not yet running.
pub struct Server {
    listener: TcpListener,
    flight: Option<Flight>,
    acceptor: Option<TlsAcceptor>,
    password: Option<Arc<str>>,
    views: Arc<Views>,
    connections: usize,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Not like that.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The lake cannot be read.
    #[error(transparent)]
    Star(#[from] StarError),
    /// The address cannot be used.
    #[error("could not listen on `{address}`: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// Flight SQL ended.
    #[error("Flight SQL cannot be served: {0}")]
    Transport(String),
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// Where to listen for Flight SQL, if at all.
    pub flight: Option<SocketAddr>,
    /// Who may connect.
    pub access: Access,
    /// What one query may use.
    pub limits: Limits,
    /// Connections at a time.
    pub connections: usize,
    /// Threads.
    pub threads: usize,
    /// Month in which the fiscal year begins.
    pub fiscal_start: u32,
}

impl Server {
    /// Binds the addresses and reads the lake; who connects meanwhile waits.
    ///
    /// # Errors
    /// [`ServeError`] if access is too open, the certificate or the lake cannot be read, or an address is taken.
    pub async fn bind(lake: &Lake, request: &Request) -> Result<Self, ServeError> {
        request.access.check(request.address)?;
        let acceptor = request.access.acceptor(&[])?;
        let listen = |source| ServeError::Listen { address: request.address, source };
        let listener = TcpListener::bind(request.address).await.map_err(listen)?;
        let flight = match request.flight {
            Some(address) => Some(Flight::bind(address, &request.access, request.connections).await?),
            None => None,
        };
        let views = Arc::new(Views::open(lake, request.threads, request.limits, request.fiscal_start).await?);
        let password = request.access.password.as_deref().map(Arc::from);
        Ok(Self { listener, flight, acceptor, password, views, connections: request.connections })
    }

    /// Where it listens for Flight SQL.
    #[must_use]
    pub fn flight_address(&self) -> Option<SocketAddr> {
        self.flight.as_ref().and_then(Flight::address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Serves until it is dropped; `tell` hears what went wrong with the lake.
    ///
    /// # Errors
    /// [`ServeError`] if Flight SQL ends.
    pub async fn run(self, tell: impl Fn(&StarError)) -> Result<(), ServeError> {
        let (free, turned_away) = (Arc::new(Semaphore::new(self.connections)), Arc::new(Semaphore::new(TURNED_AWAY)));
        let (manager, running) = (Arc::new(ConnectionManager::new()), Arc::new(Running::default()));
        let needs_tls = self.acceptor.is_some();
        let accept = async {
            loop {
                let Ok((socket, _)) = self.listener.accept().await else { continue };
                let (place, is_full) = match Arc::clone(&free).try_acquire_owned() {
                    Ok(place) => (place, false),
                    // It is told why, and a cancel request is heard. Beyond that there is no answer.
                    Err(_) => match Arc::clone(&turned_away).try_acquire_owned() {
                        Ok(place) => (place, true),
                        Err(_) => continue,
                    },
                };
                let startup = Arc::new(Startup::new(self.password.clone(), needs_tls, is_full, &manager));
                let handlers = Handlers::new(&self.views, &startup, &manager, &running);
                let acceptor = self.acceptor.clone();
                tokio::spawn(async move {
                    // Who has not come in by now holds a place that others want.
                    let too_late = async {
                        tokio::time::sleep(HANDSHAKE).await;
                        if startup.has_come_in() {
                            future::pending::<()>().await;
                        }
                    };
                    // What a client does wrong is its own affair.
                    tokio::select! {
                        _ = process_socket(socket, acceptor, handlers) => {}
                        () = too_late => {}
                    }
                    drop(place);
                });
            }
        };
        let flight = async {
            match self.flight {
                Some(flight) => flight.run(Arc::clone(&self.views)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = accept => Ok(()),
            ended = flight => ended,
            () = self.views.watch(tell) => Ok(()),
        }
    }
}
