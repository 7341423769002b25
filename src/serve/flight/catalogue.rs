//! What there is: catalogs, schemas, tables with their columns, and what the server can do, in the shapes of the protocol
//! ([Flight SQL](https://arrow.apache.org/docs/format/FlightSql.html)).

use super::statement::{Rows, batch, status, travelling};
use arrow_flight::error::FlightError;
use arrow_flight::sql::metadata::{SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder};
use arrow_flight::sql::{
    CommandGetCatalogs, CommandGetDbSchemas, CommandGetTableTypes, CommandGetTables, Nullable, Searchable, SqlInfo,
    SqlSupportedTransaction, XdbcDataType,
};
use datafusion::datasource::TableType;
use datafusion::prelude::SessionContext;
use tonic::Status;

/// How the protocol calls the kinds of tables.
fn kind(table: TableType) -> &'static str {
    match table {
        TableType::View => "VIEW",
        TableType::Base | TableType::Temporary => "TABLE",
    }
}

fn failed(error: FlightError) -> Status {
    Status::internal(error.to_string())
}

pub(super) fn catalogs(query: CommandGetCatalogs, ctx: &SessionContext) -> Result<Rows, Status> {
    let mut builder = query.into_builder();
    ctx.catalog_names().into_iter().for_each(|name| builder.append(name));
    Ok(batch(builder.build().map_err(failed)?))
}

pub(super) fn schemas(query: CommandGetDbSchemas, ctx: &SessionContext) -> Result<Rows, Status> {
    let mut builder = query.into_builder();
    for name in ctx.catalog_names() {
        let schemas = ctx.catalog(&name).map(|catalog| catalog.schema_names()).unwrap_or_default();
        schemas.iter().for_each(|schema| builder.append(&name, schema));
    }
    Ok(batch(builder.build().map_err(failed)?))
}

pub(super) async fn tables(query: CommandGetTables, ctx: &SessionContext) -> Result<Rows, Status> {
    let mut builder = query.into_builder();
    for catalog_name in ctx.catalog_names() {
        let Some(catalog) = ctx.catalog(&catalog_name) else { continue };
        for schema_name in catalog.schema_names() {
            let Some(schema) = catalog.schema(&schema_name) else { continue };
            for name in schema.table_names() {
                if let Some(table) = schema.table(&name).await.map_err(|e| status(&e))? {
                    let columns = travelling(&table.schema());
                    builder.append(&catalog_name, &schema_name, &name, kind(table.table_type()), &columns).map_err(failed)?;
                }
            }
        }
    }
    Ok(batch(builder.build().map_err(failed)?))
}

pub(super) fn table_types(query: CommandGetTableTypes) -> Result<Rows, Status> {
    let mut builder = query.into_builder();
    ["TABLE", "VIEW"].into_iter().for_each(|name| builder.append(name));
    Ok(batch(builder.build().map_err(failed)?))
}

/// What drivers ask about the server.
pub(super) fn about() -> Result<SqlInfoData, Status> {
    let mut info = SqlInfoDataBuilder::new();
    info.append(SqlInfo::FlightSqlServerName, "Shortfall");
    info.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    info.append(SqlInfo::FlightSqlServerArrowVersion, "1.3");
    info.append(SqlInfo::FlightSqlServerReadOnly, true);
    info.append(SqlInfo::FlightSqlServerSql, true);
    info.append(SqlInfo::FlightSqlServerSubstrait, false);
    info.append(SqlInfo::FlightSqlServerTransaction, SqlSupportedTransaction::None as i32);
    info.append(SqlInfo::FlightSqlServerCancel, false);
    info.append(SqlInfo::FlightSqlServerBulkIngestion, false);
    info.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    info.append(SqlInfo::SqlDdlCatalog, false);
    info.append(SqlInfo::SqlDdlSchema, false);
    info.append(SqlInfo::SqlDdlTable, false);
    info.build().map_err(failed)
}

/// Types that results may have, by their SQL names.
pub(super) fn types() -> Result<XdbcTypeInfoData, Status> {
    let named = [
        ("BIGINT", XdbcDataType::XdbcBigint, 19, None),
        ("BOOLEAN", XdbcDataType::XdbcBit, 1, None),
        ("DATE", XdbcDataType::XdbcDate, 10, Some("'")),
        ("DECIMAL", XdbcDataType::XdbcDecimal, 38, None),
        ("DOUBLE", XdbcDataType::XdbcDouble, 15, None),
        ("INTEGER", XdbcDataType::XdbcInteger, 10, None),
        ("TIMESTAMP", XdbcDataType::XdbcTimestamp, 26, Some("'")),
        ("VARCHAR", XdbcDataType::XdbcVarchar, i32::MAX, Some("'")),
    ];
    let mut types = XdbcTypeInfoDataBuilder::new();
    for (name, data_type, size, quote) in named {
        types.append(XdbcTypeInfo {
            type_name: name.to_owned(),
            data_type,
            column_size: Some(size),
            literal_prefix: quote.map(str::to_owned),
            literal_suffix: quote.map(str::to_owned),
            nullable: Nullable::NullabilityNullable,
            case_sensitive: matches!(data_type, XdbcDataType::XdbcVarchar),
            searchable: Searchable::Full,
            sql_data_type: data_type,
            ..XdbcTypeInfo::default()
        });
    }
    types.build().map_err(failed)
}
