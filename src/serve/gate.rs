//! Which statements are answered: those that read, and those by which drivers set up their own connection.
//!
//! Whatever is not named here is refused before it is planned; what is planned is checked again, so that no statement nested in another one
//! writes, creates or sets. Settings hold for the connection that makes them.

use super::errors::user;
use async_trait::async_trait;
use datafusion::common::ParamValues;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser;
use datafusion::sql::sqlparser::ast::{ContextModifier, Declare, DeclareType, Ident, Set, Statement};
use datafusion_postgres::arrow_pg::datatypes::df::encode_dataframe;
use datafusion_postgres::hooks::{HookClient, QueryHook};
use datafusion_postgres::pgwire::api::ClientInfo;
use datafusion_postgres::pgwire::api::portal::{Format, Portal};
use datafusion_postgres::pgwire::api::results::{Response, Tag};
use datafusion_postgres::pgwire::api::stmt::StoredStatement;
use datafusion_postgres::pgwire::api::store::{MemPortalStore, PortalStore as _};
use datafusion_postgres::pgwire::error::{PgWireError, PgWireResult};
use datafusion_postgres::pgwire::messages::response::TransactionStatus;
use datafusion_postgres::pgwire::types::format::FormatOptions;
use std::sync::Arc;

/// What the library keeps of a statement: its text, and its plan where there is one.
type DfStatement = (String, Option<(Statement, LogicalPlan)>);

/// Settings that drivers make for their own connection, beside those that the library understands. They are taken note of and change nothing.
const HARMLESS: [&str; 18] = [
    "application_name",
    "bytea_output",
    "client_encoding",
    "client_min_messages",
    "datestyle",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "extra_float_digits",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "intervalstyle",
    "jit",
    "lock_timeout",
    "row_security",
    "search_path",
    "standard_conforming_strings",
    "statement_timeout",
    "timezone",
];

/// What becomes of a statement.
enum Verdict {
    /// A query, for [`Reader`].
    Read,
    /// For one of the library's hooks: transactions, cursors, `SHOW`.
    PassOn,
    /// Answered with this tag, without effect.
    Acknowledge(&'static str),
    /// Refused.
    Refuse,
}

fn judge(statement: &Statement) -> Verdict {
    match statement {
        Statement::Query(_) | Statement::Explain { .. } | Statement::ExplainTable { .. } => Verdict::Read,
        Statement::ShowTables { .. } | Statement::ShowColumns { .. } => Verdict::Read,
        // Known settings are queries by now (statements.rs).
        Statement::ShowVariable { .. } => Verdict::PassOn,
        Statement::Savepoint { .. } => Verdict::Acknowledge("SAVEPOINT"),
        Statement::ReleaseSavepoint { .. } => Verdict::Acknowledge("RELEASE"),
        Statement::StartTransaction { .. } | Statement::Commit { .. } | Statement::Rollback { .. } => Verdict::PassOn,
        Statement::Declare { .. } | Statement::Fetch { .. } | Statement::Close { .. } => Verdict::PassOn,
        Statement::Deallocate { .. } => Verdict::Acknowledge("DEALLOCATE"),
        Statement::Discard { .. } => Verdict::Acknowledge("DISCARD ALL"),
        Statement::Set(Set::SetTimeZone { .. } | Set::SetTransaction { .. } | Set::SetNames { .. }) => {
            Verdict::Acknowledge("SET")
        }
        Statement::Set(Set::SingleAssignment {
            scope: None | Some(ContextModifier::Session | ContextModifier::Local),
            variable,
            ..
        }) => {
            let name = variable.to_string().to_lowercase();
            if HARMLESS.contains(&name.as_str()) { Verdict::Acknowledge("SET") } else { Verdict::Refuse }
        }
        _ => Verdict::Refuse,
    }
}

/// Whether a statement is a query.
pub(super) fn reads(statement: &Statement) -> bool {
    matches!(judge(statement), Verdict::Read)
}

/// Whether nothing in a plan does more than read.
pub(super) fn only_reads(plan: &LogicalPlan) -> bool {
    let reading = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    reading.verify_plan(plan).is_ok()
}

/// What whoever sent a statement that does more than read is told.
pub(super) fn refusal(what: &str) -> String {
    let first: String = what.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    format!("this server only reads: `{first} ...` is refused")
}

/// The error of a statement that does more than read.
pub(super) fn refused(what: &str) -> PgWireError {
    // 25006: read_only_sql_transaction.
    user("25006", refusal(what))
}

/// The error of `FETCH` in the extended protocol.
fn unsupported() -> PgWireError {
    // 0A000: feature_not_supported.
    user("0A000", "FETCH is answered in the simple query protocol only; a plain query streams its rows".to_owned())
}

/// The error of `SHOW` for a setting that is not known.
fn unknown(setting: &str) -> PgWireError {
    // 42704: undefined_object.
    user("42704", format!("unrecognized configuration parameter `{setting}`"))
}

/// What a transaction that failed, or a return to a savepoint, makes of a statement.
fn in_transaction(statement: &Statement, client: &dyn HookClient) -> Option<PgWireResult<Response>> {
    let failed = client.transaction_status() == TransactionStatus::Error;
    match statement {
        // Nothing was written, so there is nothing to take back; a transaction that failed is over with it.
        Statement::Rollback { savepoint: Some(_), .. } if failed => Some(Ok(Response::TransactionEnd(Tag::new("ROLLBACK")))),
        Statement::Rollback { savepoint: Some(_), .. } => Some(Ok(Response::Execution(Tag::new("ROLLBACK")))),
        Statement::Commit { .. } | Statement::Rollback { .. } => None,
        _ if failed => {
            // 25P02: in_failed_sql_transaction.
            let message = "current transaction is aborted, commands ignored until end of transaction block";
            Some(Err(user("25P02", message.to_owned())))
        }
        _ => None,
    }
}

/// Plans a statement and makes sure that nothing in it does more than read.
pub(super) async fn plan(statement: &Statement, ctx: &SessionContext) -> PgWireResult<LogicalPlan> {
    let failed = |e| PgWireError::ApiError(Box::new(e));
    let plan = ctx.state().statement_to_plan(parser::Statement::Statement(Box::new(statement.clone()))).await.map_err(failed)?;
    if only_reads(&plan) { Ok(plan) } else { Err(refused(&statement.to_string())) }
}

/// Stands before the library's own hooks: refuses, and answers settings.
#[derive(Debug)]
pub(super) struct Gate;

#[async_trait]
impl QueryHook for Gate {
    async fn handle_simple_query(
        &self,
        statement: &Statement,
        ctx: &SessionContext,
        client: &mut dyn HookClient,
    ) -> Option<PgWireResult<Response>> {
        if let Some(answer) = in_transaction(statement, client) {
            return Some(answer);
        }
        match judge(statement) {
            Verdict::Refuse => Some(Err(refused(&statement.to_string()))),
            Verdict::Acknowledge(tag) => Some(Ok(Response::Execution(Tag::new(tag)))),
            Verdict::Read => None,
            Verdict::PassOn => match statement {
                Statement::Declare { stmts } => Some(declare(stmts, ctx, client.portal_store()).await),
                Statement::ShowVariable { variable } => show(variable),
                _ => None,
            },
        }
    }

    async fn handle_extended_parse_query(
        &self,
        statement: &Statement,
        ctx: &SessionContext,
        _: &(dyn ClientInfo + Send + Sync),
    ) -> Option<PgWireResult<LogicalPlan>> {
        match judge(statement) {
            Verdict::Refuse => Some(Err(refused(&statement.to_string()))),
            Verdict::Acknowledge(_) => Some(Ok(nothing())),
            Verdict::Read => Some(plan(statement, ctx).await),
            // What a cursor returns is not known when its FETCH is parsed, and drivers do not expect rows that nobody described.
            Verdict::PassOn if matches!(statement, Statement::Fetch { .. }) => Some(Err(unsupported())),
            Verdict::PassOn => matches!(statement, Statement::Declare { .. }).then(|| Ok(nothing())),
        }
    }

    async fn handle_extended_query(
        &self,
        statement: &Statement,
        _: &LogicalPlan,
        _: &ParamValues,
        ctx: &SessionContext,
        client: &mut dyn HookClient,
    ) -> Option<PgWireResult<Response>> {
        if let Some(answer) = in_transaction(statement, client) {
            return Some(answer);
        }
        match (judge(statement), statement) {
            (Verdict::Refuse, _) => Some(Err(refused(&statement.to_string()))),
            (Verdict::Acknowledge(tag), _) => Some(Ok(Response::Execution(Tag::new(tag)))),
            (Verdict::PassOn, Statement::Declare { stmts }) => Some(declare(stmts, ctx, client.portal_store()).await),
            (Verdict::PassOn, Statement::ShowVariable { variable }) => show(variable),
            (Verdict::Read | Verdict::PassOn, _) => None,
        }
    }
}

/// Settings that are known neither here nor to the library.
fn show(variable: &[Ident]) -> Option<PgWireResult<Response>> {
    let name = variable.iter().map(|word| word.value.to_lowercase()).collect::<Vec<_>>().join(" ");
    if HARMLESS.contains(&name.as_str()) || name == "all" { None } else { Some(Err(unknown(&name))) }
}

/// A plan without a row and without a column.
fn nothing() -> LogicalPlan {
    let schema = Arc::new(datafusion::common::DFSchema::empty());
    LogicalPlan::EmptyRelation(datafusion::logical_expr::EmptyRelation { produce_one_row: false, schema })
}

/// Opens a cursor on a query that reads. The library's own leaves out what its columns are, and drivers that ask fall over.
async fn declare(declared: &[Declare], ctx: &SessionContext, cursors: &MemPortalStore<DfStatement>) -> PgWireResult<Response> {
    for cursor in declared {
        let (Some(DeclareType::Cursor), Some(name), Some(query)) =
            (&cursor.declare_type, cursor.names.first(), &cursor.for_query)
        else {
            return Err(refused(&cursor.to_string()));
        };
        let (name, text, query) = (name.value.clone(), query.to_string(), Statement::Query(query.clone()));
        let plan = plan(&query, ctx).await?;
        let frame = ctx.execute_logical_plan(plan.clone()).await.map_err(|e| PgWireError::ApiError(Box::new(e)))?;
        let rows = encode_dataframe(frame, &Format::UnifiedText, None).await?;
        let portal = Portal::new_cursor(name.clone(), Arc::new(StoredStatement::new(name, (text, Some((query, plan))), vec![])));
        portal.start(rows).await;
        cursors.put_portal(Arc::new(portal));
    }
    Ok(Response::Execution(Tag::new("DECLARE CURSOR")))
}

/// Stands behind the library's hooks and runs what is left: queries.
#[derive(Debug)]
pub(super) struct Reader;

#[async_trait]
impl QueryHook for Reader {
    async fn handle_simple_query(
        &self,
        statement: &Statement,
        ctx: &SessionContext,
        client: &mut dyn HookClient,
    ) -> Option<PgWireResult<Response>> {
        let options = Arc::new(FormatOptions::from_client_metadata(client.metadata()));
        let answer = async {
            let plan = plan(statement, ctx).await?;
            let frame = ctx.execute_logical_plan(plan).await.map_err(|e| PgWireError::ApiError(Box::new(e)))?;
            Ok(Response::Query(encode_dataframe(frame, &Format::UnifiedText, Some(options)).await?))
        };
        Some(answer.await)
    }

    async fn handle_extended_parse_query(
        &self,
        _: &Statement,
        _: &SessionContext,
        _: &(dyn ClientInfo + Send + Sync),
    ) -> Option<PgWireResult<LogicalPlan>> {
        None
    }

    async fn handle_extended_query(
        &self,
        _: &Statement,
        _: &LogicalPlan,
        _: &ParamValues,
        _: &SessionContext,
        _: &mut dyn HookClient,
    ) -> Option<PgWireResult<Response>> {
        None
    }
}
