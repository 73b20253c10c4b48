//! The attribute of reuse-db.
