//! Seeded MSP simulator.
