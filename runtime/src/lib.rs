//! reuse-db
