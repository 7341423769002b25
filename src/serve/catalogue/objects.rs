//! What a view holds, as rows: relations, their columns, keys and references.

use super::functions::SETTINGS;
use crate::bi::Star;
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Int16Array, Int16Builder, Int32Array, ListBuilder, RecordBatch, StringArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::CatalogProvider;
use datafusion::common::Result;
use datafusion::logical_expr::TableType;
use datafusion_postgres::arrow_pg::datatypes::into_pg_type;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::oid_field;
use datafusion_postgres::pgwire::api::Type;
use std::sync::Arc;

/// First number of schemas, tables and constraints that are not PostgreSQL's own.
const FIRST: [i32; 3] = [16_384, 20_000, 40_000];
/// Numbers that PostgreSQL gives these always, and clients write down.
const FIXED: [(&str, i32); 10] = [
    ("pg_type", 1247),
    ("pg_attribute", 1249),
    ("pg_proc", 1255),
    ("pg_class", 1259),
    ("pg_database", 1262),
    ("pg_constraint", 2606),
    ("pg_description", 2609),
    ("pg_extension", 3079),
    ("pg_namespace", 2615),
    ("pg_trigger", 2620),
];

/// A table, a view, or the index that stands for a key.
pub(super) struct Relation {
    pub(super) oid: i32,
    pub(super) schema: String,
    namespace: i32,
    pub(super) name: String,
    /// `r`, `v` or `i`.
    kind: &'static str,
    pub(super) comment: Option<String>,
    columns: i16,
    has_index: bool,
}

/// A column.
pub(super) struct Attribute {
    pub(super) relation: i32,
    pub(super) number: i16,
    name: String,
    kind: Type,
    /// Of a numeric: precision and scale as PostgreSQL packs them; else -1.
    modifier: i32,
    is_nullable: bool,
    pub(super) comment: Option<String>,
}

/// A primary key or a reference.
pub(super) struct Constraint {
    pub(super) oid: i32,
    name: String,
    schema: String,
    namespace: i32,
    /// `p` or `f`.
    kind: &'static str,
    relation: i32,
    columns: Vec<i16>,
    pub(super) column_names: Vec<String>,
    /// The index of the key, or of the key referred to.
    pub(super) index: i32,
    /// The table referred to and its columns.
    refers: Option<(i32, Vec<i16>)>,
    pub(super) definition: String,
}

/// Everything that a view holds.
#[derive(Default)]
pub(super) struct Objects {
    schemas: Vec<(i32, String)>,
    pub(super) relations: Vec<Relation>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) constraints: Vec<Constraint>,
}

impl Objects {
    /// Reads the schemas; `system` are the tables of `information_schema`.
    pub(super) async fn walk(database: &dyn CatalogProvider, star: &Star, system: &[String]) -> Result<Self> {
        let mut objects = Self { schemas: vec![(13_000, "information_schema".to_owned())], ..Self::default() };
        let mut names: Vec<String> = database.schema_names().into_iter().filter(|name| name != "information_schema").collect();
        names.sort();
        let mut next = FIRST[0]..;
        for name in names {
            let oid = match name.as_str() {
                "pg_catalog" => 11,
                "public" => 2200,
                _ => next.next().unwrap_or_default(),
            };
            objects.schemas.push((oid, name));
        }
        let mut next = FIRST[1]..;
        for (namespace, schema) in objects.schemas.clone() {
            let Some(provider) = database.schema(&schema) else {
                objects.system(system, namespace, &schema, &mut next);
                continue;
            };
            let mut tables = provider.table_names();
            tables.sort();
            if schema == "pg_catalog" {
                objects.system(&tables, namespace, &schema, &mut next);
                continue;
            }
            for name in tables {
                let Some(table) = provider.table(&name).await? else { continue };
                let described = star.tables.iter().find(|of| schema == "bi" && of.name == name);
                let comment = described.map(|of| format!("{}: {}. One row per {}.", of.title, of.meaning, of.grain));
                let kind = if table.table_type() == TableType::View { "v" } else { "r" };
                let oid = next.next().unwrap_or_default();
                let columns = table.schema();
                for (number, field) in (1_i16..).zip(columns.fields()) {
                    let comment = described.and_then(|of| of.columns.iter().find(|(column, _)| column == field.name()));
                    objects.attributes.push(Attribute::new(oid, number, field, comment.map(|(_, text)| text.clone())));
                }
                let columns = i16::try_from(columns.fields().len()).unwrap_or(i16::MAX);
                let schema = schema.clone();
                objects.relations.push(Relation { oid, schema, namespace, name, kind, comment, columns, has_index: false });
            }
        }
        objects.constrain(star);
        Ok(objects)
    }

    /// Relations of the catalogue itself, without columns.
    fn system(&mut self, names: &[String], namespace: i32, schema: &str, next: &mut impl Iterator<Item = i32>) {
        for name in names {
            let fixed = FIXED.iter().find(|(of, _)| of == name).map(|(_, oid)| *oid);
            let oid = fixed.or_else(|| next.next()).unwrap_or_default();
            let (schema, name) = (schema.to_owned(), name.clone());
            self.relations.push(Relation {
                oid,
                schema,
                namespace,
                name,
                kind: "r",
                comment: None,
                columns: 0,
                has_index: false,
            });
        }
    }

    fn of(&self, table: &str) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.schema == "bi" && relation.name == table)
    }

    fn numbers(&self, relation: i32, columns: &[String]) -> Vec<i16> {
        let number = |name: &String| {
            self.attributes.iter().find(|attribute| attribute.relation == relation && attribute.name == *name).map(|of| of.number)
        };
        columns.iter().filter_map(number).collect()
    }

    /// Keys and references of the star. Each key has an index to its name, as in PostgreSQL, or clients do not find it.
    fn constrain(&mut self, star: &Star) {
        let mut next = FIRST[2]..;
        let mut oid = || next.next().unwrap_or_default();
        let mut indices = Vec::new();
        for table in &star.tables {
            let Some(relation) = self.of(&table.name) else { continue };
            let (name, schema, namespace, relation) =
                (format!("{}_pkey", table.name), relation.schema.clone(), relation.namespace, relation.oid);
            let columns = self.numbers(relation, &table.key);
            if columns.len() != table.key.len() {
                continue;
            }
            let (constraint, index) = (oid(), oid());
            let definition = format!("PRIMARY KEY ({})", table.key.join(", "));
            let count = i16::try_from(columns.len()).unwrap_or(i16::MAX);
            for (number, column) in (1_i16..).zip(&columns) {
                let of = self.attributes.iter().find(|attribute| attribute.relation == relation && attribute.number == *column);
                let copied = of.map(|of| Attribute {
                    relation: index,
                    number,
                    name: of.name.clone(),
                    kind: of.kind.clone(),
                    comment: None,
                    ..*of
                });
                self.attributes.extend(copied);
            }
            indices.push(Relation {
                oid: index,
                schema: schema.clone(),
                namespace,
                name: name.clone(),
                kind: "i",
                comment: None,
                columns: count,
                has_index: false,
            });
            if let Some(indexed) = self.relations.iter_mut().find(|of| of.oid == relation) {
                indexed.has_index = true;
            }
            let column_names = table.key.clone();
            self.constraints.push(Constraint {
                oid: constraint,
                name,
                schema,
                namespace,
                kind: "p",
                relation,
                columns,
                column_names,
                index,
                refers: None,
                definition,
            });
        }
        for of in star.relations() {
            let (Some(from), Some(to)) = (self.of(&of.fact), self.of(&of.dimension)) else { continue };
            let (columns, referred) =
                (self.numbers(from.oid, std::slice::from_ref(&of.column)), self.numbers(to.oid, std::slice::from_ref(&of.key)));
            let Some(index) = self.constraints.iter().find(|key| key.relation == to.oid).map(|key| key.index) else { continue };
            let constraint = Constraint {
                oid: oid(),
                name: format!("{}_{}_fkey", of.fact, of.column),
                schema: from.schema.clone(),
                namespace: from.namespace,
                kind: "f",
                relation: from.oid,
                columns,
                column_names: vec![of.column.clone()],
                index,
                refers: Some((to.oid, referred)),
                definition: format!("FOREIGN KEY ({}) REFERENCES bi.{}({})", of.column, of.dimension, of.key),
            };
            self.constraints.push(constraint);
        }
        self.relations.extend(indices);
    }

    /// The tables that the queries of this folder read.
    pub(super) fn tables(&self) -> Result<Vec<(&'static str, RecordBatch)>> {
        let namespace = batch(vec![
            ("oid", ints(self.schemas.iter().map(|(oid, _)| *oid))),
            ("name", texts(self.schemas.iter().map(|(_, name)| Some(name.as_str())))),
        ])?;
        let relations = &self.relations;
        let relation = batch(vec![
            ("oid", ints(relations.iter().map(|of| of.oid))),
            ("schema", texts(relations.iter().map(|of| Some(of.schema.as_str())))),
            ("namespace", ints(relations.iter().map(|of| of.namespace))),
            ("name", texts(relations.iter().map(|of| Some(of.name.as_str())))),
            ("kind", texts(relations.iter().map(|of| Some(of.kind)))),
            ("comment", texts(relations.iter().map(|of| of.comment.as_deref()))),
            ("columns", shorts(relations.iter().map(|of| of.columns))),
            ("has_index", Arc::new(BooleanArray::from_iter(relations.iter().map(|of| Some(of.has_index))))),
        ])?;
        let attributes = &self.attributes;
        let attribute = batch(vec![
            ("relation", ints(attributes.iter().map(|of| of.relation))),
            ("number", shorts(attributes.iter().map(|of| of.number))),
            ("name", texts(attributes.iter().map(|of| Some(of.name.as_str())))),
            ("type", ints(attributes.iter().map(|of| i32::try_from(of.kind.oid()).unwrap_or_default()))),
            ("type_name", texts(attributes.iter().map(|of| Some(of.kind.name())))),
            ("type_length", shorts(attributes.iter().map(|of| length(&of.kind)))),
            ("standard_name", texts(attributes.iter().map(|of| Some(standard_name(&of.kind))))),
            ("modifier", ints(attributes.iter().map(|of| of.modifier))),
            ("is_nullable", Arc::new(BooleanArray::from_iter(attributes.iter().map(|of| Some(of.is_nullable))))),
            ("comment", texts(attributes.iter().map(|of| of.comment.as_deref()))),
        ])?;
        let constraints = &self.constraints;
        let refers = |of: &Constraint| of.refers.as_ref().map_or(0, |(relation, _)| *relation);
        let constraint = batch(vec![
            ("oid", ints(constraints.iter().map(|of| of.oid))),
            ("name", texts(constraints.iter().map(|of| Some(of.name.as_str())))),
            ("schema", texts(constraints.iter().map(|of| Some(of.schema.as_str())))),
            ("namespace", ints(constraints.iter().map(|of| of.namespace))),
            ("kind", texts(constraints.iter().map(|of| Some(of.kind)))),
            ("relation", ints(constraints.iter().map(|of| of.relation))),
            ("columns", lists(constraints.iter().map(|of| Some(of.columns.as_slice())))),
            ("index", ints(constraints.iter().map(|of| of.index))),
            ("refers", ints(constraints.iter().map(refers))),
            ("referred", lists(constraints.iter().map(|of| of.refers.as_ref().map(|(_, columns)| columns.as_slice())))),
        ])?;
        let setting = batch(vec![
            ("name", texts(SETTINGS.iter().map(|(name, _)| Some(*name)))),
            ("value", texts(SETTINGS.iter().map(|(_, value)| Some(*value)))),
        ])?;
        Ok(vec![
            ("setting", setting),
            ("namespace", namespace),
            ("relation", relation),
            ("attribute", attribute),
            ("constrained", constraint),
        ])
    }
}

impl Attribute {
    fn new(relation: i32, number: i16, field: &Field, comment: Option<String>) -> Self {
        // What has no type of PostgreSQL is sent as text.
        let kind = into_pg_type(field.data_type()).unwrap_or(Type::TEXT);
        let modifier = match field.data_type() {
            DataType::Decimal128(precision, scale) => ((i32::from(*precision) << 16) | i32::from(*scale)) + 4,
            _ => -1,
        };
        Self { relation, number, name: field.name().clone(), kind, modifier, is_nullable: field.is_nullable(), comment }
    }
}

/// Bytes of a type's values; -1 where they differ.
fn length(kind: &Type) -> i16 {
    match *kind {
        Type::BOOL => 1,
        Type::INT2 => 2,
        Type::INT4 | Type::FLOAT4 | Type::DATE => 4,
        Type::INT8 | Type::FLOAT8 | Type::TIMESTAMP | Type::TIMESTAMPTZ | Type::TIME => 8,
        _ => -1,
    }
}

/// A type's name in `information_schema`.
fn standard_name(kind: &Type) -> &str {
    match *kind {
        Type::BOOL => "boolean",
        Type::INT2 => "smallint",
        Type::INT4 => "integer",
        Type::INT8 => "bigint",
        Type::FLOAT4 => "real",
        Type::FLOAT8 => "double precision",
        Type::TIMESTAMP => "timestamp without time zone",
        Type::TIMESTAMPTZ => "timestamp with time zone",
        Type::TIME => "time without time zone",
        _ if kind.name().starts_with('_') => "ARRAY",
        _ => kind.name(),
    }
}

/// Columns that hold numbers of objects, marked as the library marks them: they are sent as `oid`, and compared with numbers written as text.
pub(super) fn marked(schema: &Schema) -> Schema {
    let fields = schema.fields().iter().map(|field| {
        if OIDS.contains(&field.name().as_str()) && *field.data_type() == DataType::Int32 {
            oid_field::oid_field(field.name(), oid_field::kind::OID, field.is_nullable())
        } else {
            field.as_ref().clone()
        }
    });
    Schema::new(fields.collect::<Vec<_>>())
}

/// Such columns.
const OIDS: [&str; 14] = [
    "attrelid",
    "atttypid",
    "classoid",
    "confrelid",
    "conindid",
    "connamespace",
    "conrelid",
    "indexrelid",
    "indrelid",
    "nspowner",
    "objoid",
    "oid",
    "relnamespace",
    "relowner",
];

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    Ok(RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))?)
}

fn ints(values: impl Iterator<Item = i32>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<Int32Array>())
}

fn shorts(values: impl Iterator<Item = i16>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<Int16Array>())
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn lists<'a>(values: impl Iterator<Item = Option<&'a [i16]>>) -> ArrayRef {
    let mut lists = ListBuilder::new(Int16Builder::new());
    for value in values {
        lists.append_option(value.map(|numbers| numbers.iter().map(|number| Some(*number))));
    }
    Arc::new(lists.finish())
}
