//! Usage summed as far as it can be before anybody knows what its ids mean: `known.usage_sum`.
//!
//! ```text
//! one group = system, customer id, SKU, service month, currency, measure, category, days (only of what must be spread over days),
//!             and where it comes from: provider, file, when it became known
//! quantity  = sum of what is usage or trial,  cost = sum,  source_rows = count
//! ```
//! A day's rows of a cloud bill add up to a thirtieth of their number, and most files never change again. So every data file of
//! `core/vendor_usage` gets a file of its sums when it is written, while its rows are sorted and at hand: `core/usage_sum/<same path>`. An analysis
//! reads sums where a file counts as a whole, and rows where it does not:
//!
//! | file | read |
//! | --- | --- |
//! | no other batch can hold a version of its rows, all known by the as-of date | its sums |
//! | contested, of statements that are replaced, known only in part, or without a file of sums | its rows, summed by [`query`] |
//!
//! When each month's usage arrived is told by the same files ([`super::version_span`]): whoever looks for what came late reads no row of what did not.
//!
//! Sums are a copy: losing them, or a stop between the commits of the two tables, costs time and nothing else. Several rows may
//! belong to one group (one of each file); whoever reads adds them up. Where a sum does not fit a `DECIMAL(38, 18)` the file has no sums.
//!
//! Cost: at ingest one comparison a row with the row before; at most a row a row, where each has days of its own.

use super::schema::Table;
use crate::month::Spread;
use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Int64Array, PrimitiveArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{ArrowPrimitiveType, Decimal128Type, Schema, SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use std::collections::HashMap;
use std::sync::Arc;

/// The table whose rows are summed.
pub const OF: Table = Table::VendorUsage;
/// The view's name in `known`.
pub const NAME: &str = "usage_sum";

/// Columns of `known.usage_sum` and of `core/usage_sum`.
#[must_use]
pub fn schema() -> SchemaRef {
    Table::UsageSum.schema()
}

/// The columns, as a query names them.
pub(super) fn column_list() -> String {
    schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(", ")
}

/// The same sums as a query over `rows`, a query with the columns of `core/vendor_usage`.
#[must_use]
pub fn query(rows: &str) -> String {
    format!(
        "SELECT system, provider, customer_native_id, native_sku, currency, measure, category,
                segment_start(measure, period_start, period_end) AS from_at, segment_end(measure, period_start, period_end) AS to_at,
                sum(CASE WHEN category IN ('usage', 'trial') THEN quantity END) AS quantity, sum(cost) AS cost, count(*) AS source_rows,
                recorded_at, batch_id, service_month
         FROM ({rows})
         GROUP BY system, provider, customer_native_id, native_sku, service_month, currency, measure, category,
                  segment_start(measure, period_start, period_end), segment_end(measure, period_start, period_end), recorded_at, batch_id"
    )
}

/// What tells the groups of one customer and SKU apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Group<'a> {
    provider: Option<&'a str>,
    currency: Option<&'a str>,
    measure: Option<&'a str>,
    category: Option<&'a str>,
    days: Option<(i64, i64)>,
    recorded_at: Option<i64>,
    batch: Option<&'a str>,
}

/// Customer and SKU.
type Pair<'a> = (Option<&'a str>, Option<&'a str>);

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    quantity: Option<i128>,
    cost: Option<i128>,
    rows: i64,
}

/// The columns of some rows that matter here.
struct Rows<'a> {
    customer: &'a StringArray,
    sku: &'a StringArray,
    currency: &'a StringArray,
    measure: &'a StringArray,
    category: &'a StringArray,
    from: &'a TimestampMicrosecondArray,
    to: &'a TimestampMicrosecondArray,
    quantity: &'a Decimal128Array,
    cost: &'a Decimal128Array,
    provider: &'a StringArray,
    recorded_at: &'a TimestampMicrosecondArray,
    batch: &'a StringArray,
}

impl<'a> Rows<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
        let instants = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>();
        let decimals = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<Decimal128Type>();
        Some(Self {
            customer: text("customer_native_id")?,
            sku: text("native_sku")?,
            currency: text("currency")?,
            measure: text("measure")?,
            category: text("category")?,
            from: instants("period_start")?,
            to: instants("period_end")?,
            quantity: decimals("quantity")?,
            cost: decimals("cost")?,
            provider: text("provider")?,
            recorded_at: instants("recorded_at")?,
            batch: text("batch_id")?,
        })
    }
}

/// The sums of the rows of one data file, given in the order of customers, then SKUs (as places in `batches`, or as they stand); nothing if
/// a sum does not fit.
///
/// # Errors
/// [`ArrowError`] if the sums do not fit the schema, which would be a fault of this module.
pub(super) fn sums(batches: &[RecordBatch], order: Option<&[(usize, usize)]>) -> Result<Option<RecordBatch>, ArrowError> {
    let Some(parts) = batches.iter().map(Rows::of).collect::<Option<Vec<_>>>() else { return Ok(None) };
    let mut summed = Summed::default();
    let mut places: Box<dyn Iterator<Item = (usize, usize)>> = match order {
        Some(order) => Box::new(order.iter().copied()),
        None => Box::new(batches.iter().enumerate().flat_map(|(at, batch)| (0..batch.num_rows()).map(move |row| (at, row)))),
    };
    let fits = places.try_for_each(|(at, row)| summed.add(&parts[at], row)).is_some();
    if fits { summed.finish().map(Some) } else { Ok(None) }
}

/// Sums on their way: those of the customer and SKU at hand, and those that are complete.
#[derive(Default)]
struct Summed<'a> {
    spread: Spread,
    /// Customer and SKU of the rows at hand.
    pair: Option<Pair<'a>>,
    /// Their groups' places among the complete ones.
    groups: HashMap<Group<'a>, usize, foldhash::fast::RandomState>,
    last: Option<(Group<'a>, usize)>,
    keys: Vec<(Pair<'a>, Group<'a>)>,
    sums: Vec<Sum>,
}

impl<'a> Summed<'a> {
    /// Takes one row; nothing if a sum grows too large.
    fn add(&mut self, rows: &Rows<'a>, row: usize) -> Option<()> {
        let text = |column: &'a StringArray| column.is_valid(row).then(|| column.value(row));
        let pair = (text(rows.customer), text(rows.sku));
        if self.pair != Some(pair) {
            self.pair = Some(pair);
            self.groups.clear();
            self.last = None;
        }
        let measure = text(rows.measure);
        let days = value(rows.from, row).zip(value(rows.to, row));
        let group = Group {
            provider: text(rows.provider),
            currency: text(rows.currency),
            measure,
            category: text(rows.category),
            days: days.filter(|&(from, to)| self.spread.is_spread(measure == Some("level"), from, to)),
            recorded_at: value(rows.recorded_at, row),
            batch: text(rows.batch),
        };
        let at = match self.last {
            Some((known, at)) if known == group => at,
            _ => *self.groups.entry(group).or_insert_with(|| {
                self.keys.push((pair, group));
                self.sums.push(Sum::default());
                self.sums.len() - 1
            }),
        };
        self.last = Some((group, at));
        let sum = &mut self.sums[at];
        sum.rows += 1;
        if matches!(group.category, Some("usage" | "trial")) {
            sum.quantity = plus(sum.quantity, value(rows.quantity, row))?;
        }
        sum.cost = plus(sum.cost, value(rows.cost, row))?;
        Some(())
    }

    /// The groups in the order of customers and SKUs, without the columns that folders state.
    fn finish(self) -> Result<RecordBatch, ArrowError> {
        let (precision, scale) = (crate::money::PRECISION, crate::money::SCALE as i8);
        let texts = |of: fn(&(Pair<'a>, Group<'a>)) -> Option<&'a str>| -> ArrayRef {
            Arc::new(self.keys.iter().map(of).collect::<StringArray>())
        };
        let instants = |of: fn(&Group<'a>) -> Option<i64>| -> ArrayRef {
            let values: TimestampMicrosecondArray = self.keys.iter().map(|(_, group)| of(group)).collect();
            Arc::new(values.with_timezone("UTC"))
        };
        let decimals = |of: fn(&Sum) -> Option<i128>| -> Result<ArrayRef, ArrowError> {
            let values: Decimal128Array = self.sums.iter().map(of).collect();
            Ok(Arc::new(values.with_precision_and_scale(precision, scale)?))
        };
        let columns = vec![
            texts(|(_, group)| group.provider),
            texts(|(pair, _)| pair.0),
            texts(|(pair, _)| pair.1),
            texts(|(_, group)| group.currency),
            texts(|(_, group)| group.measure),
            texts(|(_, group)| group.category),
            instants(|group| group.days.map(|days| days.0)),
            instants(|group| group.days.map(|days| days.1)),
            decimals(|sum| sum.quantity)?,
            decimals(|sum| sum.cost)?,
            Arc::new(self.sums.iter().map(|sum| sum.rows).collect::<Int64Array>()),
            instants(|group| group.recorded_at),
            texts(|(_, group)| group.batch),
        ];
        RecordBatch::try_new(file_schema(), columns)
    }
}

/// The schema of a file: what its folder does not state.
pub(super) fn file_schema() -> SchemaRef {
    let outside = Table::UsageSum.partition_columns();
    let inside = schema().fields().iter().filter(|field| !outside.contains(&field.name().as_str())).cloned().collect::<Vec<_>>();
    Arc::new(Schema::new(inside))
}

fn value<T: ArrowPrimitiveType>(column: &PrimitiveArray<T>, row: usize) -> Option<T::Native> {
    column.is_valid(row).then(|| column.value(row))
}

/// The sum, where a missing value adds nothing; nothing at all if it has more digits than the type.
#[expect(clippy::option_option, reason = "a sum of no values is none, a sum that does not fit is no sum")]
fn plus(sum: Option<i128>, value: Option<i128>) -> Option<Option<i128>> {
    let Some(value) = value else { return Some(sum) };
    let total = sum.unwrap_or(0).checked_add(value)?;
    (total.unsigned_abs() < 10_u128.pow(u32::from(crate::money::PRECISION))).then_some(Some(total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::Lake;
    use crate::lake::scan::FileTable;
    use crate::lake::write::{TableWriter, Written};
    use crate::query::session;
    use arrow::array::Date32Array;
    use arrow::datatypes::DataType;
    use arrow::util::pretty::pretty_format_batches;
    use proptest::prelude::*;

    const DAY: i64 = 86_400_000_000;

    type Row = (Option<u8>, Option<u8>, Option<u8>, Option<i64>, i64, Option<i64>, Option<i64>);

    /// Rows of few customers, SKUs and kinds, so that groups meet; periods of hours to months around the turn of a year.
    fn any_rows() -> impl Strategy<Value = Vec<Row>> {
        let small = || prop::option::of(0_u8..3);
        let start = prop::option::of((0_i64..40).prop_map(|day| (20_440 + day) * DAY));
        let length = prop::sample::select(vec![DAY / 24, DAY, 3 * DAY, 31 * DAY]);
        let amount = || prop::option::of(-1_000_000_000_000_i64..1_000_000_000_000);
        prop::collection::vec((small(), small(), small(), start, length, amount(), amount()), 1..60)
    }

    fn batch(rows: &[Row]) -> RecordBatch {
        let names = |prefix: &'static str, of: fn(&Row) -> Option<u8>| -> ArrayRef {
            Arc::new(rows.iter().map(|row| of(row).map(|number| format!("{prefix}{number}"))).collect::<StringArray>())
        };
        let chosen = |words: [&'static str; 3], of: fn(&Row) -> u8| -> ArrayRef {
            Arc::new(rows.iter().map(|row| Some(words[usize::from(of(row)) % 3])).collect::<StringArray>())
        };
        let instants = |of: fn(&Row) -> Option<i64>| -> ArrayRef {
            Arc::new(rows.iter().map(of).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        };
        let decimals = |of: fn(&Row) -> Option<i64>| -> ArrayRef {
            let values: Decimal128Array = rows.iter().map(|row| of(row).map(i128::from)).collect();
            Arc::new(values.with_precision_and_scale(38, 18).expect("a decimal"))
        };
        let schema = OF.schema();
        let columns = schema.fields().iter().map(|field| match field.name().as_str() {
            "system" => Arc::new(StringArray::from(vec!["focus"; rows.len()])) as ArrayRef,
            "service_month" => Arc::new(Date32Array::from(vec![20_454; rows.len()])),
            "customer_native_id" => names("c", |row| row.0),
            "native_sku" => names("s", |row| row.1),
            "currency" => names("X", |row| row.2),
            "provider" => names("p", |row| row.0.filter(|_| row.1.is_none())),
            "batch_id" => Arc::new(StringArray::from(vec!["batch"; rows.len()])),
            "recorded_at" => instants(|row| Some(row.4)),
            "measure" => chosen(["flow", "level", "flow"], |row| row.2.unwrap_or(0) + row.0.unwrap_or(0)),
            "category" => chosen(["usage", "tax", "trial"], |row| row.1.unwrap_or(0)),
            "period_start" => instants(|row| row.3),
            "period_end" => instants(|row| row.3.map(|start| start + row.4)),
            "quantity" => decimals(|row| row.5),
            "cost" => decimals(|row| row.6),
            "source_row" => Arc::new((0..i64::try_from(rows.len()).expect("few")).collect::<Int64Array>()),
            _ => arrow::array::new_null_array(field.data_type(), rows.len()),
        });
        RecordBatch::try_new(Arc::clone(&schema), columns.collect()).expect("rows of usage")
    }

    /// What two files say, added up.
    async fn added_up(lake: &Lake, table: Table, adds: Vec<deltalake_core::kernel::Add>, sql: &str) -> String {
        let ctx = session::context(1);
        lake.commit(table, adds, crate::lake::delta::Mode::Append).await.expect("a commit");
        let files = lake.files(table, None).await.expect("files");
        ctx.register_table("said", Arc::new(FileTable::new(lake, table, files))).expect("registered");
        let group = "provider, customer_native_id, native_sku, service_month, currency, measure, category, from_at, to_at, recorded_at, batch_id";
        let sql = format!(
            "SELECT {group}, sum(quantity) AS quantity, sum(cost) AS cost, sum(source_rows) AS source_rows FROM ({sql}) GROUP BY {group} ORDER BY {group}"
        );
        pretty_format_batches(&ctx.sql(&sql).await.expect("a plan").collect().await.expect("rows")).expect("text").to_string()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn files_of_sums_say_what_their_rows_say(parts in prop::collection::vec(any_rows(), 1..4)) {
            let folder = tempfile::tempdir().expect("a folder");
            let lake = Lake::create(folder.path()).expect("a lake");
            let mut writer = TableWriter::new(&lake, OF, "batch", "attempt");
            for rows in &parts {
                writer.push(&batch(rows)).expect("buffered");
            }
            let Written { files, sums } = writer.finish().expect("written");
            let names = |adds: &[deltalake_core::kernel::Add]| adds.iter().map(|add| add.path.clone()).collect::<Vec<_>>();
            prop_assert_eq!(names(&files), names(&sums));
            let runtime = tokio::runtime::Builder::new_multi_thread().thread_stack_size(crate::STACK).build().expect("a runtime");
            let (of_rows, of_sums) = runtime.block_on(async {
                (added_up(&lake, OF, files, &query("SELECT * FROM said")).await, added_up(&lake, Table::UsageSum, sums, "SELECT * FROM said").await)
            });
            prop_assert_eq!(of_rows, of_sums);
        }
    }

    #[test]
    fn what_does_not_fit_has_no_sums() {
        let mut rows = batch(&[(Some(0), Some(0), Some(0), Some(0), DAY, Some(1), Some(1)); 2]);
        let at = rows.schema().index_of("cost").expect("a column");
        let most = 10_i128.pow(38) - 1;
        let costs = Decimal128Array::from(vec![most, 1]).with_precision_and_scale(38, 18).expect("a decimal");
        let mut columns = rows.columns().to_vec();
        columns[at] = Arc::new(costs);
        rows = RecordBatch::try_new(rows.schema(), columns).expect("rows");
        assert_eq!(rows.column(at).data_type(), &DataType::Decimal128(38, 18));
        assert!(sums(&[rows], None).expect("no fault").is_none());
    }
}
