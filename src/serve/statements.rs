//! Text to statements, as PostgreSQL reads it: what clients ask its catalogue and the engine's planner does not know is written otherwise.
//!
//! | PostgreSQL | here |
//! | --- | --- |
//! | `array(SELECT x FROM ...)` | `(SELECT array_agg(x) FROM ...)` |
//! | `SELECT generate_subscripts(a, 1)`, and other functions that return sets | `SELECT unnest(generate_subscripts(a, 1))` |
//! | `(composite).field` | `get_field(composite, 'field')` |
//! | `indkey[0]`, counted from zero | `indkey[1]` |
//! | `SELECT indkey`, sent as `1 2` | `SELECT array_to_string(indkey, ' ') AS indkey` |
//! | `(SELECT x FROM pg_t WHERE ...)`, one value of an outer row | `(SELECT max(x) FROM pg_t WHERE ...)` |
//! | `a LIKE b ESCAPE '/'` | `a LIKE replace(b, '/', '\\')` |
//! | `'x'::name` | `'x'::text` |
//! | `indisprimary = 't'` | `indisprimary = true` |
//! | `typreceive = pg_proc.oid`: here the functions of types are names | `typreceive = pg_proc.proname` |
//! | `SELECT NULL, NULL` | `SELECT NULL AS "?column?", NULL AS "?column?2"` |
//! | `SHOW server_version` | `SELECT '16.6' AS server_version` |

use super::catalogue::setting;
use super::errors::user;
use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, Query, Select, SelectItem, SetExpr, Statement, Subscript, TableFactor, Value, Visit,
    VisitMut as _, Visitor, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
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
        if let Statement::Query(query) = statement
            && let SetExpr::Select(select) = query.body.as_mut()
        {
            send_vectors(select);
        }
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

/// Tables of the catalogue that hold nothing here; what asks them for a value is not planned, as it speaks of outer rows in ways the engine does not know.
const EMPTY: [&str; 2] = ["pg_attrdef", "pg_sequence"];

struct Translation;

impl VisitorMut for Translation {
    type Break = ();

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let SetExpr::Select(select) = query.body.as_mut() {
            name_literals(select);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function) if named(function, &["array"]) => {
                if let FunctionArguments::Subquery(query) = &mut function.args
                    && let SetExpr::Select(select) = query.body.as_mut()
                    && let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] =
                        select.projection.as_mut_slice()
                {
                    *item = call("array_agg", vec![item.clone()]);
                    query.order_by = None;
                    // Of a list of the outer row: in the catalogue such lists are empty.
                    let is_table = select.from.iter().all(|from| matches!(from.relation, TableFactor::Table { args: None, .. }));
                    *expr = if is_table { Expr::Subquery(query.clone()) } else { empty() };
                }
            }
            Expr::Subquery(query) if table(query).is_some_and(|name| EMPTY.contains(&name)) => {
                // Parameters stay, or those behind them would move up.
                let mut parameters = Parameters::default();
                let _ = Visit::visit(&**query, &mut parameters);
                *expr = call("pg_get_serial_sequence", parameters.0);
            }
            Expr::Subquery(query) => one_value(query),
            Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
                if let Some(escape) = escape_char.take() {
                    let text = |text: &str| Expr::value(Value::SingleQuotedString(text.to_owned()));
                    let escape = Expr::Value(escape);
                    **pattern = call("replace", vec![(**pattern).clone(), escape, text("\\")]);
                }
            }
            Expr::Cast { data_type: DataType::Custom(name, _), expr: of, .. } => {
                let name = name.0.last().and_then(|part| part.as_ident()).map(|name| name.value.to_lowercase());
                match name.as_deref() {
                    Some("name") => *expr = text_of((**of).clone()),
                    Some("regclass") if is_parameter(of) => {
                        if let Some(number) = relation(of) {
                            *expr = number;
                        }
                    }
                    _ => {}
                }
            }
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => look_in_catalogue(left, right),
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => compare(left, right),
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

/// The parameters below an expression, as text.
#[derive(Default)]
struct Parameters(Vec<Expr>);

impl Visitor for Parameters {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if is_parameter(expr) {
            self.0.push(text_of(expr.clone()));
        }
        ControlFlow::Continue(())
    }
}

fn is_parameter(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if matches!(value.value, Value::Placeholder(_)))
}

fn text_of(expr: Expr) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type: DataType::Text, array: false, format: None }
}

/// The number of the relation that a parameter names; the library knows literals only.
fn relation(parameter: &Expr) -> Option<Expr> {
    let sql = format!(
        "(SELECT max(c.oid) FROM pg_catalog.pg_class AS c WHERE c.relname = reverse(split_part(reverse(CAST({parameter} AS TEXT)), '.', 1)))"
    );
    Parser::new(&PostgreSqlDialect {}).try_with_sql(&sql).ok()?.parse_expr().ok()
}

/// `'pg_class'::regclass` has become a query for a relation of the current schema; PostgreSQL looks into `pg_catalog` first.
fn look_in_catalogue(left: &Expr, right: &mut Expr) {
    let Expr::BinaryOp { left: length, op: BinaryOperator::Eq, .. } = left else { return };
    let is_name = matches!(&**length, Expr::Function(function) if named(function, &["array_length"]));
    let Expr::BinaryOp { left: schema, op: BinaryOperator::Eq, right: current } = right else { return };
    if is_name && matches!(&**current, Expr::Function(function) if named(function, &["current_schema"])) {
        let catalogue = Expr::value(Value::SingleQuotedString("pg_catalog".to_owned()));
        *right = Expr::InList { expr: schema.clone(), list: vec![catalogue, (**current).clone()], negated: false };
    }
}

/// The table that a query begins with.
fn table(query: &Query) -> Option<&str> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    match &select.from.first()?.relation {
        TableFactor::Table { name, .. } => name.0.last()?.as_ident().map(|name| name.value.as_str()),
        _ => None,
    }
}

/// A subquery that stands for one value: the engine wants it aggregated where it speaks of an outer row. Only of the catalogue, where keys make it one.
fn one_value(query: &mut Query) {
    let is_catalogue = table(query).is_some_and(|name| name.starts_with("pg_"));
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    if let (true, [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }]) =
        (is_catalogue, select.projection.as_mut_slice())
        && !matches!(item, Expr::Function(function) if named(function, &["max", "min", "count", "array_agg", "string_agg"]))
    {
        *item = call("max", vec![item.clone()]);
        query.order_by = None;
        query.limit_clause = None;
    }
}

/// The last name of a column.
fn column(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(names) => names.last(),
        _ => None,
    }
}

/// Columns of the catalogue whose type is not PostgreSQL's.
fn compare(left: &mut Expr, right: &mut Expr) {
    let name = |expr: &Expr| column(expr).map(|name| name.value.to_lowercase()).unwrap_or_default();
    let (first, second) = (name(left), name(right));
    if first.starts_with("indis") {
        let flag = match right {
            Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(text) if text == "t" => Some(true),
                Value::SingleQuotedString(text) if text == "f" => Some(false),
                _ => None,
            },
            _ => None,
        };
        if let Some(flag) = flag {
            *right = Expr::value(Value::Boolean(flag));
        }
        return;
    }
    let functions = ["typinput", "typoutput", "typreceive", "typsend"];
    let (of, other) = if functions.contains(&first.as_str()) {
        (second, right)
    } else if functions.contains(&second.as_str()) {
        (first, left)
    } else {
        return;
    };
    match other {
        Expr::Identifier(name) if of == "oid" => name.value = "proname".to_owned(),
        Expr::CompoundIdentifier(names) if of == "oid" => {
            names.last_mut().into_iter().for_each(|name| name.value = "proname".to_owned())
        }
        // `'array_in'::regproc` has become the query of its number.
        Expr::Subquery(query) => {
            if let SetExpr::Select(select) = query.body.as_mut() {
                select.projection = vec![SelectItem::UnnamedExpr(call("max", vec![Expr::Identifier(Ident::new("proname"))]))];
            }
        }
        _ => {}
    }
}

/// Vectors are sent as `1 2`: psqlODBC reads on and on in anything else, until it crashes.
fn send_vectors(select: &mut Select) {
    for item in &mut select.projection {
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { continue };
        let Some(name) = column(expr).filter(|name| VECTORS.contains(&name.value.to_lowercase().as_str())).cloned() else {
            continue;
        };
        let space = Expr::value(Value::SingleQuotedString(" ".to_owned()));
        let text = call("array_to_string", vec![expr.clone(), space]);
        match item {
            SelectItem::ExprWithAlias { expr, .. } => *expr = text,
            _ => *item = SelectItem::ExprWithAlias { expr: text, alias: name },
        }
    }
}

/// Names for literals, as PostgreSQL gives them; the engine takes each name once.
fn name_literals(select: &mut Select) {
    let mut count = 0;
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr @ Expr::Value(_)) = item {
            count += 1;
            let name = if count == 1 { "?column?".to_owned() } else { format!("?column?{count}") };
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', name) };
        }
    }
}

fn one() -> Expr {
    Expr::value(Value::Number("1".to_owned(), false))
}

/// A list of text that is NULL.
fn empty() -> Expr {
    let text = Expr::value(Value::SingleQuotedString("List(Utf8)".to_owned()));
    call("arrow_cast", vec![Expr::value(Value::Null), text])
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
            ("SELECT i.indkey FROM i", "SELECT array_to_string(i.indkey, ' ') AS indkey FROM i"),
            (
                "SELECT 1 AS a FROM pg_type AS t WHERE (SELECT c.relkind FROM pg_class AS c WHERE c.oid = t.typrelid) = 'c'",
                "SELECT 1 AS a FROM pg_catalog.pg_type AS t WHERE (SELECT max(c.relkind) FROM pg_catalog.pg_class AS c WHERE c.oid = t.typrelid) = 'c'",
            ),
            ("SELECT a LIKE b ESCAPE '/' FROM t", "SELECT a LIKE replace(b, '/', '\\') FROM t"),
            ("SELECT a FROM i WHERE i.indisprimary = 't'", "SELECT a FROM i WHERE i.indisprimary = true"),
            ("SELECT NULL, NULL", "SELECT NULL AS \"?column?\", NULL AS \"?column?2\""),
            ("SHOW TRANSACTION ISOLATION LEVEL", "SELECT 'read committed' AS transaction_isolation"),
        ];
        for (asked, written) in cases {
            let statements = statements(&PostgresCompatibilityParser::new(), asked).expect(asked);
            assert!(statements[0].to_string().starts_with(written), "{asked}: {}", statements[0]);
        }
        assert!(statements(&PostgresCompatibilityParser::new(), "SELEC 1").is_err());
    }
}
