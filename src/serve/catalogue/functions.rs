//! Functions of `pg_catalog` that clients call while they read the catalogue, and the library lacks.

use super::SCHEMA;
use super::objects::Objects;
use datafusion::arrow::array::{
    Array as _, ArrayRef, AsArray as _, Int32Array, Int32Builder, ListArray, ListBuilder, StringArray, StructArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Fields, Int32Type, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use datafusion::prelude::SessionContext;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whether an object can be named without its schema; whether something may be done with it: of reading, always.
const ALWAYS: [&str; 13] = [
    "has_column_privilege",
    "has_function_privilege",
    "pg_collation_is_visible",
    "pg_conversion_is_visible",
    "pg_function_is_visible",
    "pg_opclass_is_visible",
    "pg_operator_is_visible",
    "pg_opfamily_is_visible",
    "pg_statistics_obj_is_visible",
    "pg_ts_config_is_visible",
    "pg_ts_dict_is_visible",
    "pg_ts_parser_is_visible",
    "pg_type_is_visible",
];
/// What there is nothing of, as text.
const NOTHING: [&str; 19] = [
    "inet_client_addr",
    "inet_server_addr",
    "json_build_object",
    "pg_get_function_arguments",
    "pg_get_function_identity_arguments",
    "pg_get_function_result",
    "pg_get_function_sqlbody",
    "pg_get_functiondef",
    "pg_get_ruledef",
    "pg_get_serial_sequence",
    "pg_get_triggerdef",
    "pg_get_viewdef",
    "pg_size_pretty",
    "pg_tablespace_location",
    "shobj_description",
    "to_regclass",
    "to_regtype",
    "pg_char_to_encoding",
    "pg_get_statisticsobjdef",
];

/// Settings that clients read.
pub(super) const SETTINGS: [(&str, &str); 22] = [
    ("block_size", "8192"),
    ("client_encoding", "UTF8"),
    ("datestyle", "ISO, YMD"),
    ("default_table_access_method", "heap"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "on"),
    ("integer_datetimes", "on"),
    ("intervalstyle", "postgres"),
    ("is_superuser", "off"),
    ("lc_collate", "C"),
    ("lc_ctype", "C"),
    ("max_identifier_length", "63"),
    ("max_index_keys", "32"),
    ("search_path", SCHEMA),
    ("server_encoding", "UTF8"),
    ("server_version", "16.6"),
    ("server_version_num", "160006"),
    ("session_authorization", "postgres"),
    ("standard_conforming_strings", "on"),
    ("timezone", "UTC"),
    ("transaction_isolation", "read committed"),
    ("transaction_read_only", "on"),
];

/// What `version()` says: clients take the number behind `PostgreSQL` for what they may ask.
fn version() -> String {
    format!("PostgreSQL 16.6 (Shortfall {}, read only)", env!("CARGO_PKG_VERSION"))
}

/// Registers them; comments and definitions are those of `objects`.
pub(super) fn register(ctx: &SessionContext, objects: &Objects) {
    for name in ALWAYS {
        ctx.register_udf(Constant::function(name, ScalarValue::from(true)));
    }
    for name in NOTHING {
        ctx.register_udf(Constant::function(name, ScalarValue::Utf8(None)));
    }
    for (name, value) in [
        ("current_schema", ScalarValue::from(SCHEMA)),
        ("getdatabaseencoding", ScalarValue::from("UTF8")),
        ("pg_is_in_recovery", ScalarValue::from(true)),
        ("pg_table_size", ScalarValue::from(0_i64)),
        ("txid_current", ScalarValue::from(1_i64)),
        ("version", ScalarValue::from(version())),
    ] {
        ctx.register_udf(Constant::function(name, value));
    }
    let mut comments = BTreeMap::new();
    for of in &objects.relations {
        comments.extend(of.comment.clone().map(|text| ((i64::from(of.oid), 0), text)));
    }
    for of in &objects.attributes {
        comments.extend(of.comment.clone().map(|text| ((i64::from(of.relation), i64::from(of.number)), text)));
    }
    let comments = Arc::new(comments);
    ctx.register_udf(Lookup::function("obj_description", Arc::clone(&comments)));
    ctx.register_udf(Lookup::function("col_description", comments));
    let (mut definitions, mut indices) = (BTreeMap::new(), BTreeMap::new());
    for of in &objects.constraints {
        definitions.insert((i64::from(of.oid), 0), of.definition.clone());
        if of.definition.starts_with("PRIMARY") {
            for (number, column) in (1..).zip(&of.column_names) {
                indices.insert((i64::from(of.index), number), column.clone());
            }
        }
    }
    ctx.register_udf(Lookup::function("pg_get_constraintdef", Arc::new(definitions)));
    ctx.register_udf(Lookup::function("pg_get_indexdef", Arc::new(indices)));
    ctx.register_udf(ScalarUDF::new_from_impl(Subscripts::new()));
    ctx.register_udf(ScalarUDF::new_from_impl(Expanded::new()));
    ctx.register_udf(ScalarUDF::new_from_impl(Setting::new()));
}

/// Answers the same, whatever it is asked.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Constant {
    name: &'static str,
    value: ScalarValue,
    signature: Signature,
}

impl Constant {
    fn function(name: &'static str, value: ScalarValue) -> ScalarUDF {
        let signature = Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::VariadicAny], Volatility::Stable);
        ScalarUDF::new_from_impl(Self { name, value, signature })
    }
}

impl ScalarUDFImpl for Constant {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.value.data_type())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(self.value.clone()))
    }
}

/// Text by the number of an object, and by the number of its part if that is asked for.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Lookup {
    name: &'static str,
    known: Arc<BTreeMap<(i64, i64), String>>,
    signature: Signature,
}

impl Lookup {
    fn function(name: &'static str, known: Arc<BTreeMap<(i64, i64), String>>) -> ScalarUDF {
        ScalarUDF::new_from_impl(Self { name, known, signature: Signature::variadic_any(Volatility::Stable) })
    }
}

impl ScalarUDFImpl for Lookup {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let arrays = arguments.args.iter().map(|of| of.clone().into_array(rows)).collect::<Result<Vec<_>>>()?;
        // The second argument is a column's number, or the name of a catalogue, or whether to write it prettily.
        let number = |index: usize| {
            let of: Option<&ArrayRef> = arrays.get(index);
            of.filter(|of| of.data_type().is_integer()).map(|of| cast(of, &DataType::Int64)).transpose()
        };
        let Some(objects) = number(0)? else { return exec_err!("{} asks for the number of an object", self.name) };
        let parts = number(1)?;
        let objects = objects.as_primitive::<Int64Type>();
        let text = (0..rows).map(|row| {
            let part = parts.as_ref().map_or(0, |parts| parts.as_primitive::<Int64Type>().value(row));
            self.known.get(&(objects.value(row), part)).map(String::as_str)
        });
        Ok(ColumnarValue::Array(Arc::new(text.collect::<StringArray>())))
    }
}

/// Lists as `int4`, one for each row.
fn lists(arguments: ScalarFunctionArgs) -> Result<ArrayRef> {
    let rows = arguments.number_rows;
    let Some(first) = arguments.args.into_iter().next() else { return exec_err!("a list is asked for") };
    let of = Field::new_list_field(DataType::Int32, true);
    Ok(cast(&first.into_array(rows)?, &DataType::List(Arc::new(of)))?)
}

/// `generate_subscripts(list, 1)`: 1, 2, ... as a list.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Subscripts {
    signature: Signature,
}

impl Subscripts {
    fn new() -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Subscripts {
    fn name(&self) -> &str {
        "generate_subscripts"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::new_list(DataType::Int32, true))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let lists = lists(arguments)?;
        let mut numbered = ListBuilder::new(Int32Builder::new());
        for list in lists.as_list::<i32>().iter() {
            numbered.append_option(list.map(|list| (1..).take(list.len()).map(Some)));
        }
        Ok(ColumnarValue::Array(Arc::new(numbered.finish())))
    }
}

/// `_pg_expandarray(list)`: pairs of value `x` and place `n`, as a list.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Expanded {
    signature: Signature,
}

impl Expanded {
    fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }

    fn fields() -> Fields {
        vec![Field::new("x", DataType::Int32, true), Field::new("n", DataType::Int32, true)].into()
    }
}

impl ScalarUDFImpl for Expanded {
    fn name(&self) -> &str {
        "_pg_expandarray"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::new_list(DataType::Struct(Self::fields()), true))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let lists = lists(arguments)?;
        let (mut values, mut places, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for list in lists.as_list::<i32>().iter() {
            let list = list.unwrap_or_else(|| Arc::new(Int32Array::from(Vec::<i32>::new())));
            values.extend(list.as_primitive::<Int32Type>().iter());
            places.extend((1..).take(list.len()).map(Some));
            lengths.push(list.len());
        }
        let columns: Vec<ArrayRef> = vec![Arc::new(Int32Array::from(values)), Arc::new(Int32Array::from(places))];
        let pairs = StructArray::new(Self::fields(), columns, None);
        let of = Arc::new(Field::new_list_field(DataType::Struct(Self::fields()), true));
        let lists = ListArray::new(of, OffsetBuffer::from_lengths(lengths), Arc::new(pairs), None);
        Ok(ColumnarValue::Array(Arc::new(lists)))
    }
}

/// `current_setting(name)`: the few that clients read; the others are empty.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Setting {
    signature: Signature,
}

impl Setting {
    fn new() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Stable) }
    }
}

impl ScalarUDFImpl for Setting {
    fn name(&self) -> &str {
        "current_setting"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(ColumnarValue::Scalar(name)) = arguments.args.first() else { return exec_err!("one setting at a time") };
        let name = name.try_as_str().flatten().unwrap_or_default().to_lowercase();
        Ok(ColumnarValue::Scalar(ScalarValue::from(setting(&name).unwrap_or_default())))
    }
}

/// A setting's value as `SHOW` and `current_setting` give it.
pub(in crate::serve) fn setting(name: &str) -> Option<&'static str> {
    SETTINGS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}
