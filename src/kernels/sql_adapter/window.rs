//! Functions over a whole family of p-values: `bh_adjust(p) over (...)`.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Float64Array};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{LimitEffect, PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl};
use datafusion::physical_expr::PhysicalExpr;

use crate::kernels::bh_adjust::FamilyKernel;

pub(super) fn family_window(kernel: &'static FamilyKernel) -> WindowUDF {
    let signature = Signature::exact(vec![DataType::Float64], Volatility::Immutable);
    WindowUDF::new_from_impl(FamilyWindow { kernel, signature })
}

#[derive(Debug)]
struct FamilyWindow {
    kernel: &'static FamilyKernel,
    signature: Signature,
}

impl PartialEq for FamilyWindow {
    fn eq(&self, other: &Self) -> bool {
        self.kernel.name == other.kernel.name
    }
}

impl Eq for FamilyWindow {}

impl Hash for FamilyWindow {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kernel.name.hash(state);
    }
}

impl WindowUDFImpl for FamilyWindow {
    fn name(&self) -> &str {
        self.kernel.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn partition_evaluator(&self, _: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(FamilyEvaluator { kernel: self.kernel }))
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), DataType::Float64, true)))
    }

    fn limit_effect(&self, _: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        LimitEffect::Unknown // every row depends on all rows: a LIMIT must not be pushed below
    }
}

#[derive(Debug)]
struct FamilyEvaluator {
    kernel: &'static FamilyKernel,
}

impl PartitionEvaluator for FamilyEvaluator {
    fn evaluate_all(&mut self, values: &[ArrayRef], _: usize) -> Result<ArrayRef> {
        let name = self.kernel.name;
        let Some(p_values) = values.first() else {
            return exec_err!("{name} needs one argument, the p-value");
        };
        let p_values: Vec<Option<f64>> = p_values.as_primitive::<Float64Type>().iter().collect();
        if let Some(p) = p_values.iter().flatten().find(|p| **p < 0.0 || **p > 1.0) {
            return exec_err!("{name} needs p-values between 0 and 1, got {p}");
        }
        Ok(Arc::new(Float64Array::from((self.kernel.adjust)(&p_values))))
    }
}
