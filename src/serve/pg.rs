//! The PostgreSQL wire: accepts connections, authenticates them, and lets the library answer.

use super::auth::{Access, AccessError};
use super::cancel::{Cancel, Connection, Running};
use super::errors::{stated, user};
use super::flight::Flight;
use super::gate::{self, Gate, Reader};
use super::limits::Limits;
use super::statements::statements;
use super::view::Views;
use crate::bi::StarError;
use crate::lake::Lake;
use async_trait::async_trait;
use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::Statement;
use datafusion_postgres::datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use datafusion_postgres::hooks::QueryHook;
use datafusion_postgres::hooks::cursor::CursorStatementHook;
use datafusion_postgres::hooks::set_show::SetShowHook;
use datafusion_postgres::hooks::transactions::TransactionStatementHook;
use datafusion_postgres::pgwire::api::auth::sasl::SASLAuthStartupHandler;
use datafusion_postgres::pgwire::api::auth::sasl::scram::{SCRAM_ITERATIONS, ScramAuth, gen_salted_password};
use datafusion_postgres::pgwire::api::auth::{
    AuthSource, DefaultServerParameterProvider, LoginInfo, Password, StartupHandler, noop::NoopStartupHandler,
};
use datafusion_postgres::pgwire::api::portal::{Format, Portal};
use datafusion_postgres::pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler};
use datafusion_postgres::pgwire::api::results::{FieldFormat, FieldInfo, Response};
use datafusion_postgres::pgwire::api::stmt::{QueryParser, StoredStatement};
use datafusion_postgres::pgwire::api::store::PortalStore;
use datafusion_postgres::pgwire::api::{
    ClientInfo, ClientPortalStore, ConnectionManager, PgWireConnectionState, PgWireServerHandlers, Type,
};
use datafusion_postgres::pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use datafusion_postgres::pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use datafusion_postgres::pgwire::tokio::process_socket;
use datafusion_postgres::{DfSessionService, Parser};
use futures::{Sink, StreamExt as _};
use rust_decimal::Decimal;
use std::fmt::Debug;
use std::future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// How long a client may take to come in.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Connections beyond the allowed ones that are told so at a time.
const TURNED_AWAY: usize = 16;

/// A server that is bound and not yet running.
pub struct Server {
    listener: TcpListener,
    flight: Option<Flight>,
    access: Access,
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
    /// Reads the lake and binds the address.
    ///
    /// # Errors
    /// [`ServeError`] if access is too open, the certificate or the lake cannot be read, or the address is taken.
    pub async fn bind(lake: &Lake, request: &Request) -> Result<Self, ServeError> {
        request.access.check(request.address)?;
        request.access.acceptor(&[])?;
        let views = Views::open(lake, request.threads, request.limits, request.fiscal_start).await?;
        let listen = |source| ServeError::Listen { address: request.address, source };
        let listener = TcpListener::bind(request.address).await.map_err(listen)?;
        let flight = match request.flight {
            Some(address) => Some(Flight::bind(address, &request.access, request.connections).await?),
            None => None,
        };
        let (access, views) = (request.access.clone(), Arc::new(views));
        Ok(Self { listener, flight, access, views, connections: request.connections })
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
    /// [`ServeError`] if the certificate cannot be read.
    pub async fn run(self, tell: impl Fn(&StarError)) -> Result<(), ServeError> {
        let acceptor = self.access.acceptor(&[])?;
        let password = self.access.password.clone().map(Arc::<str>::from);
        let (free, turned_away) = (Arc::new(Semaphore::new(self.connections)), Arc::new(Semaphore::new(TURNED_AWAY)));
        let (manager, running) = (Arc::new(ConnectionManager::new()), Arc::new(Running::default()));
        let needs_tls = acceptor.is_some();
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
                let startup = Arc::new(Startup::new(password.clone(), needs_tls, is_full, &manager));
                let handlers = Handlers {
                    answer: Arc::new(Answer::new(&self.views, &running)),
                    startup: Arc::clone(&startup),
                    cancel: Arc::new(Cancel { manager: Arc::clone(&manager), running: Arc::clone(&running) }),
                };
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // Who has not come in by now holds a place that others want.
                    let too_late = async {
                        tokio::time::sleep(HANDSHAKE).await;
                        if startup.is_in.load(Ordering::Acquire) {
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

/// One connection.
struct Handlers {
    answer: Arc<Answer>,
    startup: Arc<Startup>,
    cancel: Arc<Cancel>,
}

impl PgWireServerHandlers for Handlers {
    fn simple_query_handler(&self) -> Arc<impl SimpleQueryHandler> {
        Arc::clone(&self.answer)
    }

    fn extended_query_handler(&self) -> Arc<impl ExtendedQueryHandler> {
        Arc::clone(&self.answer)
    }

    fn startup_handler(&self) -> Arc<impl StartupHandler> {
        Arc::clone(&self.startup)
    }

    fn cancel_handler(&self) -> Arc<impl datafusion_postgres::pgwire::api::cancel::CancelHandler> {
        Arc::clone(&self.cancel)
    }
}

/// Answers each statement of one connection from the view that is current when it arrives.
struct Answer {
    views: Arc<Views>,
    splitter: Arc<PostgresCompatibilityParser>,
    connection: Connection,
}

impl Answer {
    fn new(views: &Arc<Views>, running: &Arc<Running>) -> Self {
        Self {
            views: Arc::clone(views),
            splitter: Arc::new(PostgresCompatibilityParser::new()),
            connection: Connection::new(running),
        }
    }

    fn hooks() -> Vec<Arc<dyn QueryHook>> {
        vec![
            Arc::new(Gate),
            Arc::new(CursorStatementHook),
            Arc::new(SetShowHook),
            Arc::new(TransactionStatementHook),
            Arc::new(Reader),
        ]
    }

    fn service(&self) -> DfSessionService {
        DfSessionService::new_with_hooks(self.views.current(), Self::hooks())
    }

    /// Rows that can be cancelled, and whose errors have codes.
    fn watched(&self, client: &dyn ClientInfo, response: Response) -> Response {
        let Response::Query(mut rows) = response else { return response };
        rows.row_schema = vectors(&rows.row_schema);
        rows.data_rows = Box::pin(rows.data_rows.map(|row| row.map_err(stated)));
        Response::Query(self.connection.cancellable(client, rows))
    }
}

#[async_trait]
impl SimpleQueryHandler for Answer {
    async fn do_query<C>(&self, client: &mut C, query: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let (ctx, hooks) = (self.views.current(), Self::hooks());
        let statements = statements(&self.splitter, query)?;
        if statements.is_empty() {
            return Ok(vec![Response::EmptyQuery]);
        }
        let mut responses = Vec::with_capacity(statements.len());
        'next: for statement in &statements {
            for hook in &hooks {
                if let Some(response) = hook.handle_simple_query(statement, &ctx, client).await {
                    let mut response = self.watched(client, response.map_err(stated)?);
                    // By this tag psqlODBC knows the rows of its cursor.
                    if let (Statement::Fetch { .. }, Response::Query(rows)) = (statement, &mut response) {
                        rows.set_command_tag("FETCH");
                    }
                    responses.push(response);
                    continue 'next;
                }
            }
            return Err(gate::refused(&statement.to_string()));
        }
        Ok(responses)
    }
}

#[async_trait]
impl ExtendedQueryHandler for Answer {
    type Statement = <DfSessionService as ExtendedQueryHandler>::Statement;
    type QueryParser = OneStatement;

    fn query_parser(&self) -> Arc<Self::QueryParser> {
        let service = self.service();
        Arc::new(OneStatement { inner: service.query_parser(), ctx: self.views.current(), splitter: Arc::clone(&self.splitter) })
    }

    async fn do_query<C>(&self, client: &mut C, portal: &Portal<Self::Statement>, max_rows: usize) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Self::Statement>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let fresh = on_view(portal, &self.views.current()).await.map_err(stated)?;
        let response = ExtendedQueryHandler::do_query(&self.service(), client, &fresh, max_rows).await.map_err(stated)?;
        Ok(self.watched(client, response))
    }
}

/// Columns that are vectors to PostgreSQL and lists here: they are sent as text (statements.rs), under their own type, or psqlODBC misreads them.
fn vectors(schema: &Arc<Vec<FieldInfo>>) -> Arc<Vec<FieldInfo>> {
    let kind = |field: &FieldInfo| match field.name() {
        "indkey" | "indoption" if *field.datatype() == Type::TEXT => Some(Type::INT2_VECTOR),
        "indclass" if *field.datatype() == Type::TEXT => Some(Type::OID_VECTOR),
        _ => None,
    };
    if schema.iter().all(|field| kind(field).is_none()) {
        return Arc::clone(schema);
    }
    let typed = schema.iter().map(|field| match kind(field) {
        Some(kind) => FieldInfo::new(field.name().to_owned(), None, None, kind, FieldFormat::Text),
        None => field.clone(),
    });
    Arc::new(typed.collect())
}

/// A prepared query planned again: its plan is of the view of the moment when it was prepared, and drivers keep statements for as long as a connection.
async fn on_view(portal: &Portal<Prepared>, ctx: &SessionContext) -> PgWireResult<Portal<Prepared>> {
    let known = &portal.statement;
    let statement = match &known.statement {
        (text, Some((statement, _))) if gate::reads(statement) => {
            let plan = gate::plan(statement, ctx).await?;
            fits(portal, &plan)?;
            (text.clone(), Some((statement.clone(), plan)))
        }
        other => other.clone(),
    };
    let mut fresh = Portal::default();
    fresh.name = portal.name.clone();
    fresh.statement = Arc::new(StoredStatement::new(known.id.clone(), statement, known.parameter_types.clone()));
    fresh.parameter_format = portal.parameter_format.clone();
    fresh.parameters = portal.parameters.clone();
    fresh.result_column_format = portal.result_column_format.clone();
    fresh.state = Arc::clone(&portal.state);
    Ok(fresh)
}

/// Refuses amounts with more digits than the library can carry into a query: it would take them for other amounts, silently.
fn fits(portal: &Portal<Prepared>, plan: &LogicalPlan) -> PgWireResult<()> {
    let types = plan.get_parameter_types().map_err(|e| PgWireError::ApiError(Box::new(e)))?;
    for (index, stated) in portal.statement.parameter_types.iter().enumerate() {
        let Some(Some(DataType::Decimal128(_, scale))) = types.get(&format!("${}", index + 1)) else { continue };
        if stated.as_ref().is_some_and(|kind| *kind != Type::NUMERIC) {
            continue;
        }
        let Some(mut amount) = portal.parameter::<Decimal>(index, &Type::NUMERIC)? else { continue };
        let scale = u32::try_from(*scale).unwrap_or_default();
        amount.rescale(scale);
        if amount.scale() != scale {
            // 22003: numeric_value_out_of_range.
            let message = format!(
                "parameter ${}: more than 28 digits, {scale} of them decimals; write the amount into the query",
                index + 1
            );
            return Err(user("22003", message));
        }
    }
    Ok(())
}

type Prepared = <DfSessionService as ExtendedQueryHandler>::Statement;

/// Takes one statement at a time, as PostgreSQL does: the library would leave out those behind the first.
struct OneStatement {
    inner: Arc<Parser>,
    ctx: Arc<SessionContext>,
    splitter: Arc<PostgresCompatibilityParser>,
}

#[async_trait]
impl QueryParser for OneStatement {
    type Statement = <Parser as QueryParser>::Statement;

    async fn parse_sql<C>(&self, client: &C, sql: &str, _: &[Option<Type>]) -> PgWireResult<Option<Self::Statement>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        let mut statements = statements(&self.splitter, sql)?;
        let Some(statement) = statements.pop() else { return Ok(None) };
        if !statements.is_empty() {
            // 42601: syntax_error.
            return Err(user("42601", "a prepared statement holds one statement".to_owned()));
        }
        for hook in Answer::hooks() {
            if let Some(plan) = hook.handle_extended_parse_query(&statement, &self.ctx, client).await {
                return Ok(Some((statement.to_string(), Some((statement, plan.map_err(stated)?)))));
            }
        }
        Err(gate::refused(&statement.to_string()))
    }

    fn get_parameter_types(&self, statement: &Self::Statement) -> PgWireResult<Vec<Type>> {
        self.inner.get_parameter_types(statement)
    }

    fn get_result_schema(&self, statement: &Self::Statement, format: Option<&Format>) -> PgWireResult<Vec<FieldInfo>> {
        self.inner.get_result_schema(statement, format)
    }
}

/// Lets a client in: with the password where there is one, over TLS where there is a certificate.
struct Startup {
    needs_tls: bool,
    /// Every place is taken.
    is_full: bool,
    /// Set when the client has come in.
    is_in: AtomicBool,
    scram: Option<SASLAuthStartupHandler<DefaultServerParameterProvider>>,
    open: Open,
}

struct Open {
    manager: Arc<ConnectionManager>,
}

#[async_trait]
impl NoopStartupHandler for Open {
    fn connection_manager(&self) -> Option<Arc<ConnectionManager>> {
        Some(Arc::clone(&self.manager))
    }
}

impl Startup {
    fn new(password: Option<Arc<str>>, needs_tls: bool, is_full: bool, manager: &Arc<ConnectionManager>) -> Self {
        let scram = password.map(|password| {
            SASLAuthStartupHandler::new(Arc::new(parameters()))
                .with_scram(ScramAuth::new(Arc::new(OnePassword { password })))
                .with_connection_manager(Arc::clone(manager))
        });
        Self { needs_tls, is_full, is_in: AtomicBool::new(false), scram, open: Open { manager: Arc::clone(manager) } }
    }
}

/// What drivers are told of the server.
fn parameters() -> DefaultServerParameterProvider {
    let mut parameters = DefaultServerParameterProvider::default();
    parameters.is_superuser = false;
    parameters.default_transaction_read_only = true;
    parameters
}

#[async_trait]
impl StartupHandler for Startup {
    async fn on_startup<C>(&self, client: &mut C, message: PgWireFrontendMessage) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let refuse = |code: &str, message: &str| {
            let error = ErrorInfo::new("FATAL".to_owned(), code.to_owned(), message.to_owned());
            Err(PgWireError::UserError(Box::new(error)))
        };
        if self.needs_tls && !client.is_secure() {
            // 28000: invalid_authorization_specification.
            return refuse("28000", "this server answers over TLS only (sslmode=require)");
        }
        if self.is_full {
            // 53300: too_many_connections.
            return refuse("53300", "too many connections: try again when others have ended (--max-connections)");
        }
        match &self.scram {
            Some(scram) => scram.on_startup(client, message).await?,
            None => self.open.on_startup(client, message).await?,
        }
        if matches!(client.state(), PgWireConnectionState::ReadyForQuery) {
            self.is_in.store(true, Ordering::Release);
        }
        Ok(())
    }
}

/// One password for every user name.
struct OnePassword {
    password: Arc<str>,
}

impl Debug for OnePassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnePassword")
    }
}

#[async_trait]
impl AuthSource for OnePassword {
    async fn get_password(&self, _: &LoginInfo) -> PgWireResult<Password> {
        let salt: [u8; 16] = rand::random();
        let hash = gen_salted_password(&self.password, &salt, SCRAM_ITERATIONS);
        Ok(Password::new(Some(salt.to_vec()), hash))
    }
}
