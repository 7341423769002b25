//! Arrow Flight SQL: results as Arrow columns, for ADBC, JDBC and whatever speaks gRPC.
//!
//! The server keeps nothing between calls: a ticket and the handle of a prepared statement carry the statement itself, which is planned,
//! and checked, again whenever it is asked for. So a forged handle reads what its maker could have asked for anyway, and nothing has to be
//! given back. Only queries are understood: no Substrait plan, no upload, no transaction ([`service`]).

mod catalogue;
mod service;
mod statement;
mod token;

use super::auth::Access;
use super::server::ServeError;
use super::view::Views;
use arrow_flight::flight_service_server::FlightServiceServer;
use futures::Stream;
use service::Service;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use token::Token;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tonic::transport::Server;
use tonic::transport::server::Connected;

/// A client that has not finished its TLS handshake by then is let go.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A connection on which the client does not answer is closed after two of these.
const ALIVE: Duration = Duration::from_secs(30);
/// The largest message, in bytes: a statement, mostly. What a message nests is read by recursion, to any depth since plans of a cluster need more than the
/// usual hundred levels, and a level takes a byte: so this is also what keeps it from filling a thread's stack.
const LARGEST_MESSAGE: usize = 32 << 10;
/// Statements at a time on one connection.
const STREAMS: u32 = 32;

/// A listener that is bound and not yet served.
pub(super) struct Flight {
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    token: Token,
    connections: usize,
}

impl Flight {
    /// Binds the address.
    pub(super) async fn bind(address: SocketAddr, access: &Access, connections: usize) -> Result<Self, ServeError> {
        access.check(address)?;
        let acceptor = access.acceptor(&[b"h2"])?;
        let listener = TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })?;
        Ok(Self { listener, acceptor, token: Token::new(access.password.as_deref()), connections })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Serves until it is dropped.
    pub(super) async fn run(self, views: Arc<Views>) -> Result<(), ServeError> {
        let token = self.token;
        let service = FlightServiceServer::new(
            Service::new(views, token.clone()).map_err(|status| ServeError::Transport(status.to_string()))?,
        )
        .max_decoding_message_size(LARGEST_MESSAGE);
        let guarded = tonic::service::interceptor::InterceptedService::new(service, move |request| token.admit(request));
        let server = Server::builder()
            .http2_keepalive_interval(Some(ALIVE))
            .http2_keepalive_timeout(Some(ALIVE))
            .max_concurrent_streams(STREAMS)
            .add_service(guarded);
        let (sender, receiver) = mpsc::channel(1);
        tokio::select! {
            () = accept(self.listener, self.acceptor, self.connections, sender) => Ok(()),
            ended = server.serve_with_incoming(Incoming(receiver)) => ended.map_err(|e| ServeError::Transport(e.to_string())),
        }
    }
}

/// Takes connections while there are places, and hands them on once TLS stands.
async fn accept(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    places: usize,
    ready: mpsc::Sender<io::Result<Connection>>,
) {
    let free = Arc::new(Semaphore::new(places));
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let Ok(place) = Arc::clone(&free).try_acquire_owned() else { continue };
        let (acceptor, ready) = (acceptor.clone(), ready.clone());
        tokio::spawn(async move {
            // What a client does wrong is its own affair.
            if let Some(io) = secure(socket, acceptor).await {
                let _ = ready.send(Ok(Connection { io, _place: place })).await;
            }
        });
    }
}

async fn secure(socket: TcpStream, acceptor: Option<TlsAcceptor>) -> Option<Box<dyn Io>> {
    let _ = socket.set_nodelay(true);
    match acceptor {
        None => Some(Box::new(socket)),
        Some(acceptor) => match timeout(HANDSHAKE, acceptor.accept(socket)).await {
            Ok(Ok(stream)) => Some(Box::new(stream)),
            _ => None,
        },
    }
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection and its place among those that are allowed.
struct Connection {
    io: Box<dyn Io>,
    _place: OwnedSemaphorePermit,
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

struct Incoming(mpsc::Receiver<io::Result<Connection>>);

impl Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_flight::FlightDescriptor;
    use prost::Message as _;

    #[test]
    fn the_deepest_message_that_is_taken_fits_on_a_stack() {
        // Begins of groups of an unknown field 15, one in the other.
        let nested = vec![15 << 3 | 3; LARGEST_MESSAGE];
        let thread = std::thread::Builder::new().stack_size(crate::STACK);
        let read = thread.spawn(move || FlightDescriptor::decode(&nested[..])).expect("a thread").join().expect("no panic");
        assert!(read.is_err(), "it ends before its groups do");
    }
}
