//! Statements of Flight SQL: their text and parameters in a handle, their plan, their rows as a stream.

use crate::serve::gate;
use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::{FlightData, IpcMessage, SchemaAsIpc};
use datafusion::common::{DataFusionError, ParamValues, ScalarValue};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use prost::Message;
use prost::bytes::Bytes;
use std::sync::Arc;
use tonic::Status;

/// A statement as clients carry it about.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Handle {
    /// Its text.
    #[prost(string, tag = "1")]
    pub(super) query: String,
    /// One row of values, a column each, as an Arrow IPC stream; none before something is bound.
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(super) parameters: Option<Bytes>,
}

impl Handle {
    pub(super) fn of(query: String) -> Self {
        Self { query, parameters: None }
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, Status> {
        Self::decode(bytes).map_err(|_| Status::invalid_argument("this is no handle that this server gave"))
    }

    pub(super) fn bytes(&self) -> Bytes {
        self.encode_to_vec().into()
    }

    /// Binds one row; no column unbinds.
    pub(super) fn bind(&mut self, schema: &SchemaRef, rows: &[RecordBatch]) -> Result<(), Status> {
        let row = concat_batches(schema, rows).map_err(|e| Status::invalid_argument(e.to_string()))?;
        if row.num_rows() > 1 {
            return Err(Status::invalid_argument(format!("a query takes one row of parameters, not {}", row.num_rows())));
        }
        let mut stream = Vec::new();
        let written = StreamWriter::try_new(&mut stream, schema).and_then(|mut writer| {
            writer.write(&row)?;
            writer.finish()
        });
        written.map_err(|e| Status::invalid_argument(e.to_string()))?;
        self.parameters = (row.num_columns() > 0 && row.num_rows() == 1).then(|| stream.into());
        Ok(())
    }

    /// The plan, with what has been bound.
    pub(super) async fn plan(&self, ctx: &SessionContext) -> Result<LogicalPlan, Status> {
        let plan = plan(&self.query, ctx).await?;
        match &self.parameters {
            None => Ok(plan),
            Some(bytes) => plan.with_param_values(values(bytes)?).map_err(|e| status(&e)),
        }
    }
}

/// Plans one query, and refuses whatever is not one.
async fn plan(query: &str, ctx: &SessionContext) -> Result<LogicalPlan, Status> {
    let state = ctx.state();
    let dialect = state.config_options().sql_parser.dialect;
    let statement = state.sql_to_statement(query, &dialect).map_err(|e| status(&e))?;
    let reads = match &statement {
        parser::Statement::Statement(one) => gate::reads(one),
        parser::Statement::Explain(_) => true,
        _ => false,
    };
    if !reads {
        return Err(refused(query));
    }
    let plan = state.statement_to_plan(statement).await.map_err(|e| status(&e))?;
    if gate::only_reads(&plan) { Ok(plan) } else { Err(refused(query)) }
}

fn refused(query: &str) -> Status {
    Status::permission_denied(gate::refusal(query))
}

/// One row of an IPC stream: by number where every column is called `$1` or `1`, else by name.
fn values(stream: &[u8]) -> Result<ParamValues, Status> {
    let bad = |e: ArrowError| Status::invalid_argument(format!("the parameters cannot be read: {e}"));
    let reader = StreamReader::try_new(stream, None).map_err(bad)?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(bad)?;
    let row = concat_batches(&schema, &batches).map_err(bad)?;
    if row.num_rows() != 1 {
        return Err(Status::invalid_argument("the parameters are not one row"));
    }
    let mut named: Vec<(String, ScalarValue)> = Vec::with_capacity(row.num_columns());
    for (field, column) in schema.fields().iter().zip(row.columns()) {
        let value = ScalarValue::try_from_array(column, 0).map_err(|e| status(&e))?;
        named.push((field.name().trim_start_matches('$').to_owned(), value));
    }
    let numbers: Option<Vec<usize>> = named.iter().map(|(name, _)| name.parse().ok()).collect();
    Ok(match numbers {
        Some(numbers) => {
            let mut numbered: Vec<_> = numbers.into_iter().zip(named.into_iter().map(|(_, value)| value)).collect();
            numbered.sort_by_key(|(number, _)| *number);
            ParamValues::from(numbered.into_iter().map(|(_, value)| value).collect::<Vec<_>>())
        }
        // Drivers that bind by position name the columns as they like.
        None => ParamValues::from(named.into_iter().map(|(_, value)| value).collect::<Vec<_>>()),
    })
}

/// Types of `$1`, `$2`, ... in this order; `Null` where nothing in the statement tells one.
pub(super) fn parameters(plan: &LogicalPlan) -> Result<Schema, Status> {
    let types = plan.get_parameter_types().map_err(|e| status(&e))?;
    let mut sorted: Vec<_> = types.into_iter().collect();
    sorted.sort_by_key(|(name, _)| (name.trim_start_matches('$').parse::<usize>().unwrap_or(usize::MAX), name.clone()));
    let field = |(name, kind): (String, Option<_>)| Field::new(name, kind.unwrap_or(DataType::Null), true);
    Ok(Schema::new(sorted.into_iter().map(field).collect::<Vec<_>>()))
}

/// The columns of a plan as they travel. Strict drivers compare what is announced with what comes.
pub(super) fn schema(plan: &LogicalPlan) -> SchemaRef {
    travelling(plan.schema().as_arrow())
}

/// Columns of kinds that every driver knows: string views and dictionaries came to Arrow later than most of them.
pub(super) fn travelling(schema: &Schema) -> SchemaRef {
    let plain = |kind: &DataType| match kind {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, values) if **values == DataType::Utf8View => DataType::Utf8,
        DataType::Dictionary(_, values) => (**values).clone(),
        other => other.clone(),
    };
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_data_type(plain(field.data_type())));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn onto(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| cast(column, field.data_type()));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns.collect::<Result<_, _>>()?, &options)
}

/// A schema as an IPC message.
pub(super) fn message(schema: &Schema) -> Result<Bytes, Status> {
    let options = IpcWriteOptions::default();
    let IpcMessage(bytes) =
        SchemaAsIpc::new(schema, &options).try_into().map_err(|e: ArrowError| Status::internal(e.to_string()))?;
    Ok(bytes)
}

/// Rows on their way.
pub(super) type Rows = BoxStream<'static, Result<FlightData, Status>>;

/// Runs a plan; rows are made as the client takes them.
pub(super) async fn rows(plan: LogicalPlan, ctx: &SessionContext) -> Result<Rows, Status> {
    let schema = schema(&plan);
    let columns = Arc::clone(&schema);
    let frame = ctx.execute_logical_plan(plan).await.map_err(|e| status(&e))?;
    let batches = frame.execute_stream().await.map_err(|e| status(&e))?;
    let batches = batches.map(move |batch| {
        let batch = batch.map_err(|e| FlightError::Tonic(Box::new(status(&e))))?;
        onto(&batch, &columns).map_err(FlightError::from)
    });
    Ok(FlightDataEncoderBuilder::new().with_schema(schema).build(batches).map_err(Status::from).boxed())
}

/// One batch as a stream.
pub(super) fn batch(batch: RecordBatch) -> Rows {
    let schema = batch.schema();
    let one = futures::stream::once(async move { Ok(batch) });
    FlightDataEncoderBuilder::new().with_schema(schema).build(one).map_err(Status::from).boxed()
}

/// What went wrong, in the protocol's codes: the client's fault, too much, or ours.
pub(super) fn status(error: &DataFusionError) -> Status {
    let text = error.strip_backtrace();
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => Status::resource_exhausted(text),
        DataFusionError::SQL(..)
        | DataFusionError::Plan(_)
        | DataFusionError::SchemaError(..)
        | DataFusionError::Diagnostic(..) => Status::invalid_argument(text),
        DataFusionError::NotImplemented(_) => Status::unimplemented(text),
        DataFusionError::Execution(_) | DataFusionError::ArrowError(..) => Status::failed_precondition(text),
        _ => Status::internal(text),
    }
}
