//! The PostgreSQL wire of one connection: who is let in, and how the library answers each statement.

use super::cancel::{Cancel, Connection, Running};
use super::errors::{stated, user};
use super::gate::{self, Gate, Reader};
use super::statements::statements;
use super::view::Views;
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
use datafusion_postgres::{DfSessionService, Parser};
use futures::{Sink, StreamExt as _};
use rust_decimal::Decimal;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One connection.
pub(super) struct Handlers {
    answer: Arc<Answer>,
    startup: Arc<Startup>,
    cancel: Arc<Cancel>,
}

impl Handlers {
    pub(super) fn new(
        views: &Arc<Views>,
        startup: &Arc<Startup>,
        manager: &Arc<ConnectionManager>,
        running: &Arc<Running>,
    ) -> Self {
        Self {
            answer: Arc::new(Answer::new(views, running)),
            startup: Arc::clone(startup),
            cancel: Arc::new(Cancel { manager: Arc::clone(manager), running: Arc::clone(running) }),
        }
    }
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

    fn service(ctx: &Arc<SessionContext>) -> DfSessionService {
        DfSessionService::new_with_hooks(Arc::clone(ctx), Self::hooks())
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
        let ctx = self.views.current();
        let inner = Self::service(&ctx).query_parser();
        Arc::new(OneStatement { inner, ctx, splitter: Arc::clone(&self.splitter) })
    }

    async fn do_query<C>(&self, client: &mut C, portal: &Portal<Self::Statement>, max_rows: usize) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Self::Statement>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let ctx = self.views.current();
        let fresh = on_view(portal, &ctx).await.map_err(stated)?;
        let response = ExtendedQueryHandler::do_query(&Self::service(&ctx), client, &fresh, max_rows).await.map_err(stated)?;
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
                "parameter ${}: more than 28 digits, {scale} of them decimals; write it into the query as CAST('...' AS DECIMAL(38, {scale}))",
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
pub(super) struct Startup {
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
    pub(super) fn new(password: Option<Arc<str>>, needs_tls: bool, is_full: bool, manager: &Arc<ConnectionManager>) -> Self {
        let scram = password.map(|password| {
            SASLAuthStartupHandler::new(Arc::new(parameters()))
                .with_scram(ScramAuth::new(Arc::new(OnePassword { password })))
                .with_connection_manager(Arc::clone(manager))
        });
        Self { needs_tls, is_full, is_in: AtomicBool::new(false), scram, open: Open { manager: Arc::clone(manager) } }
    }

    /// Whether the client has come in.
    pub(super) fn has_come_in(&self) -> bool {
        self.is_in.load(Ordering::Acquire)
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
