//! Text to statements, as PostgreSQL reads it: what clients ask its catalogue and the engine's planner does not know is written otherwise.
//!
//! | PostgreSQL | here |
//! | --- | --- |
//! | `array(SELECT x FROM ...)` | `(SELECT array_agg(x) FROM ...)` |
//! | `SELECT generate_subscripts(a, 1)`, and other functions that return sets | `SELECT unnest(generate_subscripts(a, 1))` |
//! | `(composite).field` | `get_field(composite, 'field')` |
//! | `indkey[0]`, counted from zero | `indkey[1]` |
//! | `SHOW server_version` | `SELECT '16.6' AS server_version` |

use super::catalogue::setting;
use super::errors::user;
use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, SelectItem, SetExpr, Statement, Subscript, Value, VisitMut as _, VisitorMut,
};
use datafusion_postgres::datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use datafusion_postgres::pgwire::error::PgWireResult;
use std::ops::ControlFlow;

/// Functions that return a set of rows where PostgreSQL finds them in a select list; here they return a list.
const SETS: [&str; 3] = ["_pg_expandarray", "generate_subscripts", "generate_series"];
/// Columns of `pg_index` of type `int2vector` and `oidvector`: their subscripts begin with zero.
const VECTORS: [&str; 3] = ["indkey", "indoption", "indclass"];

/// The statements of a text.
///
/// # Errors
/// 42601 where it is no SQL.
pub(super) fn statements(parser: &PostgresCompatibilityParser, sql: &str) -> PgWireResult<Vec<Statement>> {
    let mut statements = parser.parse(sql).map_err(|e| user("42601", e.to_string()))?;
    for statement in &mut statements {
        if let Some(shown) = shown(parser, statement) {
            *statement = shown;
        }
        let _ = statement.visit(&mut Translation);
    }
    Ok(statements)
}

/// The query that shows a setting.
fn shown(parser: &PostgresCompatibilityParser, statement: &Statement) -> Option<Statement> {
    let Statement::ShowVariable { variable } = statement else { return None };
    let words: Vec<String> = variable.iter().map(|word| word.value.to_lowercase()).collect();
    let name = match words.join("_") {
        name if name == "transaction_isolation_level" => "transaction_isolation".to_owned(),
        name if name == "time_zone" => "timezone".to_owned(),
        name => name,
    };
    let value = setting(&name)?;
    parser.parse(&format!("SELECT '{value}' AS {name}")).ok()?.pop()
}

struct Translation;

impl VisitorMut for Translation {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function) if named(function, &["array"]) => {
                if let FunctionArguments::Subquery(query) = &mut function.args
                    && let SetExpr::Select(select) = query.body.as_mut()
                    && let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] = select.projection.as_mut_slice()
                {
                    *item = call("array_agg", vec![item.clone()]);
                    query.order_by = None;
                    *expr = Expr::Subquery(query.clone());
                }
            }
            Expr::Function(function) if named(function, &SETS) => *expr = call("unnest", vec![expr.clone()]),
            Expr::CompoundFieldAccess { root, access_chain } => match access_chain.as_mut_slice() {
                [AccessExpr::Dot(Expr::Identifier(field))] if matches!(**root, Expr::Nested(_)) => {
                    let field = Expr::value(Value::SingleQuotedString(field.value.to_lowercase()));
                    *expr = call("get_field", vec![(**root).clone(), field]);
                }
                chain => {
                    let last = match (&**root, chain.iter().rev().nth(1)) {
                        (_, Some(AccessExpr::Dot(Expr::Identifier(name)))) | (Expr::Identifier(name), None) => Some(name),
                        (Expr::CompoundIdentifier(names), None) => names.last(),
                        _ => None,
                    };
                    let is_vector = last.is_some_and(|name| VECTORS.contains(&name.value.to_lowercase().as_str()));
                    if let (true, Some(AccessExpr::Subscript(Subscript::Index { index }))) = (is_vector, chain.last_mut()) {
                        let (left, right) = (Box::new(Expr::Nested(Box::new(index.clone()))), Box::new(one()));
                        *index = Expr::BinaryOp { left, op: BinaryOperator::Plus, right };
                    }
                }
            },
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn one() -> Expr {
    Expr::value(Value::Number("1".to_owned(), false))
}

fn named(function: &Function, names: &[&str]) -> bool {
    let last = function.name.0.last().and_then(|part| part.as_ident());
    last.is_some_and(|name| names.contains(&name.value.to_lowercase().as_str()))
}

fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: vec![] }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_ask_of_postgresql_is_written_as_the_engine_knows_it() {
        let cases = [
            ("SELECT array(SELECT x FROM t ORDER BY x)", "SELECT (SELECT array_agg(x) FROM t)"),
            ("SELECT generate_subscripts(a, 1) FROM t", "SELECT unnest(generate_subscripts(a, 1)) FROM t"),
            ("SELECT * FROM generate_series(1, 3) AS s (i)", "SELECT * FROM generate_series(1, 3) AS s (i)"),
            ("SELECT (r.keys).x FROM t AS r", "SELECT get_field((r.keys), 'x') FROM t AS r"),
            ("SELECT i.indkey[a.attnum - 1] FROM i", "SELECT i.indkey[(a.attnum - 1) + 1] FROM i"),
            ("SELECT conkey[1] FROM c", "SELECT conkey[1] FROM c"),
            ("SHOW TRANSACTION ISOLATION LEVEL", "SELECT 'read committed' AS transaction_isolation"),
        ];
        for (asked, written) in cases {
            let statements = statements(&PostgresCompatibilityParser::new(), asked).expect(asked);
            assert!(statements[0].to_string().starts_with(written), "{asked}: {}", statements[0]);
        }
        assert!(statements(&PostgresCompatibilityParser::new(), "SELEC 1").is_err());
    }
}
