//! SQLSTATE codes: drivers decide by them whether to try again, to ask differently or to show the message.

use datafusion::arrow::error::ArrowError;
use datafusion::common::{DataFusionError, SchemaError};
use datafusion_postgres::pgwire::error::{ErrorInfo, PgWireError};

/// An error of the engine with its code; others already have theirs.
pub(super) fn stated(error: PgWireError) -> PgWireError {
    let PgWireError::ApiError(inner) = error else { return error };
    match inner.downcast::<DataFusionError>() {
        Ok(error) => user(code(&error), message(&error)),
        Err(inner) => PgWireError::ApiError(inner),
    }
}

/// An error of this severity that ends a statement, not the connection.
pub(super) fn user(code: &str, message: String) -> PgWireError {
    PgWireError::UserError(Box::new(ErrorInfo::new("ERROR".to_owned(), code.to_owned(), message)))
}

/// What went wrong, without the names of the engine's layers.
fn message(error: &DataFusionError) -> String {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(text) if text.starts_with("Failed to allocate") => format!("out of memory: {text}"),
        DataFusionError::Plan(text) | DataFusionError::Execution(text) | DataFusionError::ResourcesExhausted(text) => {
            text.clone()
        }
        DataFusionError::SQL(error, _) => error.to_string(),
        other => other.to_string(),
    }
}

/// The code of <https://www.postgresql.org/docs/16/errcodes-appendix.html> that PostgreSQL gives in the same case.
fn code(error: &DataFusionError) -> &'static str {
    match error.find_root() {
        DataFusionError::SQL(..) => "42601", // syntax_error
        DataFusionError::SchemaError(error, _) => match **error {
            SchemaError::FieldNotFound { .. } => "42703",      // undefined_column
            SchemaError::AmbiguousReference { .. } => "42702", // ambiguous_column
            _ => "42701",                                      // duplicate_column
        },
        DataFusionError::Plan(text) if text.contains("not found") && text.contains("table") => "42P01", // undefined_table
        DataFusionError::Plan(text) if text.contains("Invalid function") => "42883",                    // undefined_function
        DataFusionError::Plan(text) if text.contains("No function matches") => "42883",
        DataFusionError::Plan(_) => "42000", // syntax_error_or_access_rule_violation
        DataFusionError::NotImplemented(_) => "0A000",
        DataFusionError::ResourcesExhausted(text) if text.contains("took longer") => "57014", // query_canceled
        DataFusionError::ResourcesExhausted(text) if text.contains("more than") => "54000",   // program_limit_exceeded
        DataFusionError::ResourcesExhausted(_) => "53200",                                    // out_of_memory
        DataFusionError::ArrowError(error, _) => match **error {
            ArrowError::DivideByZero => "22012",
            ArrowError::CastError(_) | ArrowError::ParseError(_) => "22P02", // invalid_text_representation
            ArrowError::ArithmeticOverflow(_) | ArrowError::InvalidArgumentError(_) => "22003", // numeric_value_out_of_range
            _ => "XX000",
        },
        _ => "XX000", // internal_error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_decides_however_deep_it_lies() {
        let zero = DataFusionError::ArrowError(Box::new(ArrowError::DivideByZero), None);
        let PgWireError::UserError(info) = stated(PgWireError::ApiError(Box::new(zero.context("a projection")))) else {
            panic!("no code")
        };
        assert_eq!([info.code.as_str(), info.message.as_str()], ["22012", "Arrow error: Divide by zero error"]);
    }
}
