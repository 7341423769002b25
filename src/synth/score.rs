//! Scorer (being written).
