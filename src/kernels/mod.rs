//! Statistical kernels.
