//! The calls of Flight SQL that are answered: queries, prepared queries, and what there is. Every other one keeps the protocol library's
//! answer, which is `UNIMPLEMENTED`: updates, uploads, Substrait plans, transactions, savepoints.

use super::catalogue;
use super::statement::{self, Handle, Rows};
use super::token::Token;
use crate::serve::view::Views;
use arrow::datatypes::SchemaRef;
use arrow_flight::decode::{DecodedPayload, FlightDataDecoder};
use arrow_flight::error::FlightError;
use arrow_flight::sql::metadata::{SqlInfoData, XdbcTypeInfoData};
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult,
    CommandGetCatalogs, CommandGetDbSchemas, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables, CommandGetXdbcTypeInfo,
    CommandPreparedStatementQuery, CommandStatementQuery, DoPutPreparedStatementResult, ProstMessageExt, SqlInfo,
    TicketStatementQuery,
};
use arrow_flight::{Action, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest, HandshakeResponse, Ticket};
use datafusion::prelude::SessionContext;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use prost::Message as _;
use std::sync::Arc;
use tonic::{Request, Response, Status, Streaming};

/// Answers each call from the view that is current when it arrives.
pub(super) struct Service {
    views: Arc<Views>,
    token: Token,
    about: SqlInfoData,
    types: XdbcTypeInfoData,
}

type Answer<T> = Result<Response<T>, Status>;

impl Service {
    pub(super) fn new(views: Arc<Views>, token: Token) -> Result<Self, Status> {
        Ok(Self { views, token, about: catalogue::about()?, types: catalogue::types()? })
    }

    fn ctx(&self) -> Arc<SessionContext> {
        self.views.current()
    }
}

/// Where the rows are: here, by this ticket.
fn info(schema: &SchemaRef, ticket: &impl ProstMessageExt, request: Request<FlightDescriptor>) -> Answer<FlightInfo> {
    let ticket = Ticket { ticket: ticket.as_any().encode_to_vec().into() };
    let info = FlightInfo::new().with_endpoint(FlightEndpoint::new().with_ticket(ticket)).with_descriptor(request.into_inner());
    Ok(Response::new(info.try_with_schema(schema).map_err(|e| Status::internal(e.to_string()))?))
}

#[tonic::async_trait]
impl FlightSqlService for Service {
    type FlightService = Self;

    /// Gives the password back as a token, to whoever sent it: the interceptor let nobody else through.
    async fn do_handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Answer<BoxStream<'static, Result<HandshakeResponse, Status>>> {
        let said = HandshakeResponse { protocol_version: 0, payload: Vec::new().into() };
        let mut response = Response::new(futures::stream::once(async { Ok(said) }).boxed());
        if let Some(bearer) = self.token.bearer() {
            response.metadata_mut().insert("authorization", bearer);
        }
        Ok(response)
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        let handle = Handle::of(query.query);
        let schema = statement::schema(&handle.plan(&self.ctx()).await?);
        info(&schema, &TicketStatementQuery { statement_handle: handle.bytes() }, request)
    }

    async fn do_get_statement(&self, ticket: TicketStatementQuery, _: Request<Ticket>) -> Answer<Rows> {
        let ctx = self.ctx();
        let plan = Handle::read(&ticket.statement_handle)?.plan(&ctx).await?;
        Ok(Response::new(statement::rows(plan, &ctx).await?))
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        _: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let handle = Handle::of(query.query);
        let plan = handle.plan(&self.ctx()).await?;
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: handle.bytes(),
            dataset_schema: statement::message(&statement::schema(&plan))?,
            parameter_schema: statement::message(&statement::parameters(&plan)?)?,
        })
    }

    /// Nothing was kept, so nothing is given back.
    async fn do_action_close_prepared_statement(
        &self,
        _: ActionClosePreparedStatementRequest,
        _: Request<Action>,
    ) -> Result<(), Status> {
        Ok(())
    }

    /// Binds: the client goes on with the handle that it is given here.
    async fn do_put_prepared_statement_query(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let mut handle = Handle::read(&query.prepared_statement_handle)?;
        let mut sent = FlightDataDecoder::new(request.into_inner().map_err(|status| FlightError::Tonic(Box::new(status))));
        let (mut schema, mut rows) = (None, Vec::new());
        while let Some(message) = sent.try_next().await.map_err(Status::from)? {
            match message.payload {
                DecodedPayload::None => {}
                DecodedPayload::Schema(columns) => schema = Some(columns),
                DecodedPayload::RecordBatch(batch) => rows.push(batch),
            }
            if rows.len() > 1 {
                return Err(Status::invalid_argument("a query takes one row of parameters"));
            }
        }
        let schema = schema.ok_or_else(|| Status::invalid_argument("parameters came without their columns"))?;
        handle.bind(&schema, &rows)?;
        Ok(DoPutPreparedStatementResult { prepared_statement_handle: Some(handle.bytes()) })
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        let plan = Handle::read(&query.prepared_statement_handle)?.plan(&self.ctx()).await?;
        info(&statement::schema(&plan), &query, request)
    }

    async fn do_get_prepared_statement(&self, query: CommandPreparedStatementQuery, _: Request<Ticket>) -> Answer<Rows> {
        let ctx = self.ctx();
        let plan = Handle::read(&query.prepared_statement_handle)?.plan(&ctx).await?;
        Ok(Response::new(statement::rows(plan, &ctx).await?))
    }

    async fn get_flight_info_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        info(&query.into_builder().schema(), &query, request)
    }

    async fn do_get_catalogs(&self, query: CommandGetCatalogs, _: Request<Ticket>) -> Answer<Rows> {
        Ok(Response::new(catalogue::catalogs(query, &self.ctx())?))
    }

    async fn get_flight_info_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        info(&query.clone().into_builder().schema(), &query, request)
    }

    async fn do_get_schemas(&self, query: CommandGetDbSchemas, _: Request<Ticket>) -> Answer<Rows> {
        Ok(Response::new(catalogue::schemas(query, &self.ctx())?))
    }

    async fn get_flight_info_tables(&self, query: CommandGetTables, request: Request<FlightDescriptor>) -> Answer<FlightInfo> {
        info(&query.clone().into_builder().schema(), &query, request)
    }

    async fn do_get_tables(&self, query: CommandGetTables, _: Request<Ticket>) -> Answer<Rows> {
        Ok(Response::new(catalogue::tables(query, &self.ctx()).await?))
    }

    async fn get_flight_info_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        info(&query.into_builder().schema(), &query, request)
    }

    async fn do_get_table_types(&self, query: CommandGetTableTypes, _: Request<Ticket>) -> Answer<Rows> {
        Ok(Response::new(catalogue::table_types(query)?))
    }

    async fn get_flight_info_sql_info(&self, query: CommandGetSqlInfo, request: Request<FlightDescriptor>) -> Answer<FlightInfo> {
        info(&query.clone().into_builder(&self.about).schema(), &query, request)
    }

    async fn do_get_sql_info(&self, query: CommandGetSqlInfo, _: Request<Ticket>) -> Answer<Rows> {
        let found = query.into_builder(&self.about).build().map_err(Status::from)?;
        Ok(Response::new(statement::batch(found)))
    }

    async fn get_flight_info_xdbc_type_info(
        &self,
        query: CommandGetXdbcTypeInfo,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        info(&query.into_builder(&self.types).schema(), &query, request)
    }

    async fn do_get_xdbc_type_info(&self, query: CommandGetXdbcTypeInfo, _: Request<Ticket>) -> Answer<Rows> {
        let found = query.into_builder(&self.types).build().map_err(Status::from)?;
        Ok(Response::new(statement::batch(found)))
    }

    async fn register_sql_info(&self, _: i32, _: &SqlInfo) {}
}
