//! Turns kernels into SQL functions, once: a [`SeriesKernel`] becomes an aggregate, a [`FamilyKernel`] a window function.
//!
//! ```text
//!  (group, x, y) rows in any order                      one struct per group
//!  ┌───────────────┐  append   ┌──────────────┐  counting sort   ┌──────────────┐  kernel.fill
//!  │ RecordBatch   │ ────────► │ flat rows    │ ───────────────► │ points       │ ────────────► StructArray
//!  └───────────────┘           │ (u32,i32,f64)│  then by (x, y)  │ group slices │
//!                              └──────┬───────┘                  └──────────────┘
//!                       state() │  ▲ merge_batch()
//!                               ▼  │
//!                      List<Int32> x, List<Double> y per group
//! ```
//!
//! * Rows with NULL, non-finite or absurd y (beyond 1e100), or NULL x, are dropped on arrival.
//! * Points are sorted by (x, bits of y) before a kernel sees them, so partitioning, batch size and row order cannot
//!   change a bit of the answer.
//! * Groups cost no object each: one vector of 16-byte rows for all groups (`grouped`). The plain accumulator
//!   (`accumulator`) serves ungrouped queries and window frames.

mod accumulator;
mod grouped;
mod window;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Float64Builder, Int64Builder, ListArray, NullBufferBuilder, StructArray,
};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type, Int32Type, Int64Type};
use datafusion::common::{Result, exec_err, not_impl_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility, WindowUDF,
};

use super::bh_adjust::FamilyKernel;
use super::series::{Arguments, FieldKind, Point, SeriesKernel, Value};

/// The SQL aggregate of a series kernel.
#[must_use]
pub fn aggregate(kernel: &'static SeriesKernel) -> AggregateUDF {
    AggregateUDF::new_from_impl(SeriesAggregate { kernel, signature: Signature::user_defined(Volatility::Immutable) })
}

/// The SQL window function of a family kernel.
#[must_use]
pub fn window(kernel: &'static FamilyKernel) -> WindowUDF {
    window::family_window(kernel)
}

#[derive(Debug)]
struct SeriesAggregate {
    kernel: &'static SeriesKernel,
    signature: Signature,
}

// The name identifies a kernel (a test in `super` keeps names unique), and function pointers do not compare.
impl PartialEq for SeriesAggregate {
    fn eq(&self, other: &Self) -> bool {
        self.kernel.name == other.kernel.name
    }
}

impl Eq for SeriesAggregate {}

impl Hash for SeriesAggregate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kernel.name.hash(state);
    }
}

impl AggregateUDFImpl for SeriesAggregate {
    fn name(&self) -> &str {
        self.kernel.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.kernel.name;
        let numeric = |t: &DataType| t.is_numeric() || t.is_null();
        match (self.kernel.arguments, given) {
            (Arguments::MonthAndValue, [x, y]) if (x.is_integer() || x.is_null()) && numeric(y) => {
                Ok(vec![DataType::Int64, DataType::Float64])
            }
            (Arguments::ValueOnly, [y]) if numeric(y) => Ok(vec![DataType::Float64]),
            (Arguments::MonthAndValue, _) => {
                plan_err!("{name}(x, y) needs a whole month index and a numeric value, got {given:?}")
            }
            (Arguments::ValueOnly, _) => {
                plan_err!("{name}(y) needs one numeric value, got {given:?}")
            }
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(output_fields(self.kernel)))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let list = |part: &str, item: DataType| {
            let item = DataType::List(Arc::new(Field::new_list_field(item, true)));
            Arc::new(Field::new(format_state_name(args.name, part), item, true))
        };
        Ok(match self.kernel.arguments {
            Arguments::MonthAndValue => {
                vec![list("x", DataType::Int32), list("y", DataType::Float64)]
            }
            Arguments::ValueOnly => vec![list("y", DataType::Float64)],
        })
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        refuse_distinct(self.kernel, &args)?;
        Ok(Box::new(accumulator::SeriesAccumulator::new(self.kernel)))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        refuse_distinct(self.kernel, &args)?;
        Ok(Box::new(grouped::GroupedPoints::new(self.kernel)))
    }
}

/// DISTINCT would drop equal months silently differently per argument; no signal needs it.
fn refuse_distinct(kernel: &SeriesKernel, args: &AccumulatorArgs) -> Result<()> {
    if args.is_distinct {
        return not_impl_err!("{} does not take DISTINCT: select distinct rows in a subquery", kernel.name);
    }
    Ok(())
}

fn output_fields(kernel: &SeriesKernel) -> Fields {
    kernel
        .fields
        .iter()
        .map(|field| {
            let data_type = match field.kind {
                FieldKind::Whole => DataType::Int64,
                FieldKind::Real => DataType::Float64,
            };
            Field::new(field.name, data_type, true)
        })
        .collect()
}

/// Calls `visit(row, point)` for every usable row of an argument batch.
fn for_each_point(
    kernel: &SeriesKernel,
    arguments: &[ArrayRef],
    mut visit: impl FnMut(usize, Point) -> Result<()>,
) -> Result<()> {
    let (months, values) = match (kernel.arguments, arguments) {
        (Arguments::MonthAndValue, [x, y]) => (Some(x.as_primitive::<Int64Type>()), y.as_primitive::<Float64Type>()),
        (Arguments::ValueOnly, [y]) => (None, y.as_primitive::<Float64Type>()),
        _ => {
            return exec_err!("{} was called with {} arguments", kernel.name, arguments.len());
        }
    };
    for row in 0..values.len() {
        if values.is_null(row) || months.is_some_and(|months| months.is_null(row)) {
            continue;
        }
        let month = months.map_or(0, |months| months.value(row));
        let Ok(x) = i32::try_from(month) else {
            return exec_err!("{}: month index {month} is out of range; x counts months, not days or seconds", kernel.name);
        };
        let point = Point { x, y: values.value(row) };
        if point.is_usable() {
            visit(row, point)?;
        }
    }
    Ok(())
}

/// Calls `visit(row, point)` for every point in the list arrays that `state()` wrote.
fn for_each_state_point(
    kernel: &SeriesKernel,
    states: &[ArrayRef],
    mut visit: impl FnMut(usize, Point) -> Result<()>,
) -> Result<()> {
    let (months, values): (Option<&ListArray>, &ListArray) = match (kernel.arguments, states) {
        (Arguments::MonthAndValue, [x, y]) => (Some(x.as_list()), y.as_list()),
        (Arguments::ValueOnly, [y]) => (None, y.as_list()),
        _ => {
            return exec_err!("{} was merged from {} state columns", kernel.name, states.len());
        }
    };
    let ys = values.values().as_primitive::<Float64Type>();
    let xs = months.map(|months| months.values().as_primitive::<Int32Type>());
    for row in 0..values.len() {
        if values.is_null(row) {
            continue;
        }
        let first_y = item(values.value_offsets()[row])?;
        let first_x = months.map_or(Ok(0), |months| item(months.value_offsets()[row]))?;
        for offset in 0..item(values.value_length(row))? {
            let x = xs.map_or(0, |xs| xs.value(first_x + offset));
            visit(row, Point { x, y: ys.value(first_y + offset) })?;
        }
    }
    Ok(())
}

fn item(offset: i32) -> Result<usize> {
    usize::try_from(offset).or_else(|_| exec_err!("negative list offset {offset}"))
}

/// Builds the struct column row by row; the row buffer is reused for all groups.
struct Answers {
    kernel: &'static SeriesKernel,
    columns: Vec<Column>,
    validity: NullBufferBuilder,
    row: Vec<Value>,
}

enum Column {
    Whole(Int64Builder),
    Real(Float64Builder),
}

impl Answers {
    fn with_capacity(kernel: &'static SeriesKernel, groups: usize) -> Self {
        let column = |kind: FieldKind| match kind {
            FieldKind::Whole => Column::Whole(Int64Builder::with_capacity(groups)),
            FieldKind::Real => Column::Real(Float64Builder::with_capacity(groups)),
        };
        Self {
            kernel,
            columns: kernel.fields.iter().map(|field| column(field.kind)).collect(),
            validity: NullBufferBuilder::new(groups),
            row: vec![Value::Missing; kernel.fields.len()],
        }
    }

    /// Sorts one group's points and appends its answer.
    fn push(&mut self, points: &mut [Point]) {
        if !points.is_sorted_by(|left, right| left.canonical_order(right).is_le()) {
            points.sort_unstable_by(Point::canonical_order);
        }
        self.row.fill(Value::Missing);
        let is_answered = (self.kernel.fill)(points, &mut self.row);
        self.validity.append(is_answered);
        for (column, value) in self.columns.iter_mut().zip(&self.row) {
            match (column, value) {
                (Column::Whole(builder), Value::Whole(whole)) if is_answered => builder.append_value(*whole),
                (Column::Real(builder), Value::Real(real)) if is_answered => builder.append_value(*real),
                (Column::Whole(builder), _) => builder.append_null(),
                (Column::Real(builder), _) => builder.append_null(),
            }
        }
    }

    fn finish(mut self) -> Result<StructArray> {
        let columns = self
            .columns
            .into_iter()
            .map(|column| match column {
                Column::Whole(mut builder) => Arc::new(builder.finish()) as ArrayRef,
                Column::Real(mut builder) => Arc::new(builder.finish()) as ArrayRef,
            })
            .collect();
        Ok(StructArray::try_new(output_fields(self.kernel), columns, self.validity.finish())?)
    }
}
