//! One series at a time: ungrouped aggregates and window frames.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::Accumulator;

use super::grouped::point_lists;
use super::{Answers, for_each_point, for_each_state_point};
use crate::kernels::series::{Point, SeriesKernel};

/// The points seen so far, in arrival order: a sliding frame drops them from the front.
#[derive(Debug)]
pub(super) struct SeriesAccumulator {
    kernel: &'static SeriesKernel,
    points: Vec<Point>,
}

impl SeriesAccumulator {
    pub(super) fn new(kernel: &'static SeriesKernel) -> Self {
        Self { kernel, points: Vec::new() }
    }
}

impl Accumulator for SeriesAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for_each_point(self.kernel, values, |_, point| {
            self.points.push(point);
            Ok(())
        })
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let mut leaving = 0;
        for_each_point(self.kernel, values, |_, _| {
            leaving += 1;
            Ok(())
        })?;
        // A frame only ever moves forward, so the rows that leave are the oldest ones.
        if leaving > self.points.len() {
            return exec_err!("{}: more rows left the window frame than had entered it", self.kernel.name);
        }
        self.points.drain(..leaving);
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        // A window evaluates after every row: the points must stay, in arrival order.
        let mut answers = Answers::with_capacity(self.kernel, 1);
        answers.push(&mut self.points.clone());
        Ok(ScalarValue::Struct(Arc::new(answers.finish()?)))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let points = std::mem::take(&mut self.points);
        let lists = point_lists(self.kernel, &[points.len()], &points)?;
        Ok(lists.into_iter().map(|list| ScalarValue::List(Arc::new(list))).collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for_each_state_point(self.kernel, states, |_, point| {
            self.points.push(point);
            Ok(())
        })
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.points.capacity() * size_of::<Point>()
    }
}
