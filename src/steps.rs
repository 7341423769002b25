//! Where a long computation stands, for who waits for it.

/// Hears of the steps of one computation, in their order.
pub trait Steps: Sync {
    /// There will be so many.
    fn begin(&self, steps: usize);
    /// One begins; the one before it has ended.
    fn step(&self, name: &str);
}

/// Nobody waits.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Steps for Silent {
    fn begin(&self, _: usize) {}
    fn step(&self, _: &str) {}
}
