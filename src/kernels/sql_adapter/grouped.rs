//! All series of a query at once, in one flat vector.
//!
//! An accumulator object per group (DataFusion's fallback) costs an allocation, a virtual call and a small array slice
//! per group and batch; with a million pairs that, not the statistics, is the run time. Here a row costs 16 bytes
//! and an append; grouping happens once, by counting sort, when the answer is asked for.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int32Array, ListArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

use super::{Answers, for_each_point, for_each_state_point};
use crate::kernels::series::{Arguments, Point, SeriesKernel};

#[derive(Debug, Clone, Copy)]
struct Row {
    group: u32,
    point: Point,
}

/// The rows of every group, in arrival order.
#[derive(Debug)]
pub(super) struct GroupedPoints {
    kernel: &'static SeriesKernel,
    rows: Vec<Row>,
    groups: usize,
}

impl GroupedPoints {
    pub(super) fn new(kernel: &'static SeriesKernel) -> Self {
        Self { kernel, rows: Vec::new(), groups: 0 }
    }

    fn push(rows: &mut Vec<Row>, group: usize, point: Point) -> Result<()> {
        let Ok(group) = u32::try_from(group) else {
            return exec_err!("more than 2^32 groups in one partition: raise target_partitions");
        };
        rows.push(Row { group, point });
        Ok(())
    }

    /// Takes the emitted groups out: their sizes in group order, and their points laid out in the same order.
    fn take(&mut self, emit_to: EmitTo) -> (Vec<usize>, Vec<Point>) {
        let emitted_groups = match emit_to {
            EmitTo::All => self.groups,
            EmitTo::First(first) => first.min(self.groups),
        };
        let mut sizes = vec![0; emitted_groups];
        for row in &self.rows {
            if let Some(size) = sizes.get_mut(row.group as usize) {
                *size += 1;
            }
        }
        let mut next_place = Vec::with_capacity(emitted_groups);
        let mut total = 0;
        for size in &sizes {
            next_place.push(total);
            total += size;
        }
        let mut points = vec![Point { x: 0, y: 0.0 }; total];
        for row in &self.rows {
            if let Some(place) = next_place.get_mut(row.group as usize) {
                points[*place] = row.point;
                *place += 1;
            }
        }
        self.groups -= emitted_groups;
        if self.groups == 0 {
            self.rows = Vec::new(); // release: the contract of EmitTo::All
        } else if let Ok(shift) = u32::try_from(emitted_groups) {
            self.rows.retain_mut(|row| {
                let stays = row.group >= shift;
                row.group = row.group.saturating_sub(shift);
                stays
            });
        }
        (sizes, points)
    }
}

impl GroupsAccumulator for GroupedPoints {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups = total_num_groups;
        self.rows.reserve(group_indices.len());
        for_each_point(self.kernel, values, |row, point| {
            if is_kept(opt_filter, row) { Self::push(&mut self.rows, group_indices[row], point) } else { Ok(()) }
        })
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.groups = total_num_groups;
        for_each_state_point(self.kernel, values, |row, point| Self::push(&mut self.rows, group_indices[row], point))
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (sizes, mut points) = self.take(emit_to);
        let mut answers = Answers::with_capacity(self.kernel, sizes.len());
        let mut rest = points.as_mut_slice();
        for size in sizes {
            let (group, later) = rest.split_at_mut(size);
            answers.push(group);
            rest = later;
        }
        Ok(Arc::new(answers.finish()?))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (sizes, points) = self.take(emit_to);
        let lists = point_lists(self.kernel, &sizes, &points)?;
        Ok(lists.into_iter().map(|list| Arc::new(list) as ArrayRef).collect())
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, Array::len);
        let mut sizes = vec![0; rows];
        let mut points = Vec::with_capacity(rows);
        for_each_point(self.kernel, values, |row, point| {
            if is_kept(opt_filter, row) {
                sizes[row] = 1;
                points.push(point);
            }
            Ok(())
        })?;
        let lists = point_lists(self.kernel, &sizes, &points)?;
        Ok(lists.into_iter().map(|list| Arc::new(list) as ArrayRef).collect())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.rows.capacity() * size_of::<Row>()
    }
}

/// FILTER (WHERE ...): NULL is not true.
fn is_kept(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

/// Intermediate state: one list per state column, one entry per group.
pub(super) fn point_lists(kernel: &SeriesKernel, sizes: &[usize], points: &[Point]) -> Result<Vec<ListArray>> {
    if i32::try_from(points.len()).is_err() {
        return exec_err!("{}: more than 2^31 rows in one partial state: raise target_partitions", kernel.name);
    }
    let offsets = OffsetBuffer::<i32>::from_lengths(sizes.iter().copied());
    let list = |items: ArrayRef, item: DataType| {
        ListArray::try_new(Arc::new(Field::new_list_field(item, true)), offsets.clone(), items, None)
    };
    let ys = Float64Array::from_iter_values(points.iter().map(|point| point.y));
    let mut lists = Vec::with_capacity(2);
    if kernel.arguments == Arguments::MonthAndValue {
        let xs = Int32Array::from_iter_values(points.iter().map(|point| point.x));
        lists.push(list(Arc::new(xs), DataType::Int32)?);
    }
    lists.push(list(Arc::new(ys), DataType::Float64)?);
    Ok(lists)
}

#[cfg(test)]
mod tests {
    use super::{Arc, Array, ArrayRef, EmitTo, GroupedPoints, GroupsAccumulator};
    use crate::kernels::median_interval;
    use datafusion::arrow::array::{AsArray, BooleanArray, Float64Array};
    use datafusion::arrow::datatypes::Float64Type;

    fn values(values: &[f64]) -> Vec<ArrayRef> {
        vec![Arc::new(Float64Array::from(values.to_vec()))]
    }

    fn medians(answer: &ArrayRef) -> Vec<Option<f64>> {
        answer.as_struct().column(1).as_primitive::<Float64Type>().iter().collect()
    }

    #[test]
    fn emitting_first_groups_shifts_the_rest() {
        let mut grouped = GroupedPoints::new(&median_interval::KERNEL);
        grouped.update_batch(&values(&[1.0, 20.0, 3.0, 300.0]), &[0, 1, 0, 2], None, 4).unwrap();
        assert_eq!(medians(&grouped.evaluate(EmitTo::First(2)).unwrap()), [Some(2.0), Some(20.0)]);
        grouped.update_batch(&values(&[500.0, 7.0]), &[0, 1], None, 2).unwrap();
        assert_eq!(medians(&grouped.evaluate(EmitTo::All).unwrap()), [Some(400.0), Some(7.0)]);
        assert_eq!(grouped.evaluate(EmitTo::All).unwrap().len(), 0);
    }

    #[test]
    fn state_round_trip_keeps_every_point() {
        let filter = BooleanArray::from(vec![Some(true), None, Some(false), Some(true)]);
        let batch = values(&[1.0, 2.0, 3.0, f64::NAN]);
        let single = GroupedPoints::new(&median_interval::KERNEL);
        let converted = single.convert_to_state(&batch, Some(&filter)).unwrap();
        let mut grouped = GroupedPoints::new(&median_interval::KERNEL);
        grouped.merge_batch(&converted, &[0, 0, 1, 1], 2).unwrap();
        grouped.update_batch(&values(&[5.0]), &[0], None, 2).unwrap();
        let state = grouped.state(EmitTo::All).unwrap();
        grouped.merge_batch(&state, &[1, 0], 2).unwrap();
        let answer = grouped.evaluate(EmitTo::All).unwrap();
        assert_eq!(medians(&answer), [None, Some(3.0)]);
        assert!(answer.is_null(0) && answer.is_valid(1));
    }
}
