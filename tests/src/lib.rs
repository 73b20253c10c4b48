//! The test bench of reuse-db.
