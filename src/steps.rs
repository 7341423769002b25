//! Where a long computation stands, for who waits for it.

/// Hears of the steps of one computation, as they begin.
pub trait Steps: Sync {
    /// There will be so many.
    fn begin(&self, steps: usize);
    /// One begins; of those before it some may still run.
    fn step(&self, name: &str);
}

/// Nobody waits.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Steps for Silent {
    fn begin(&self, _: usize) {}
    fn step(&self, _: &str) {}
}
