//! The snapshots of the attribute's expansion, compiled beside the functions that they expand.
//!
//! No lint that a strict user enables may fire because of the expansion.

#![warn(
    clippy::pedantic,
    missing_docs,
    unreachable_pub,
    unused,
    unused_qualifications
)]

pub mod expanded;

#[path = "../../../macros/snapshots/attributes.rs"]
pub mod attributes;
#[path = "../../../macros/snapshots/borrowed.rs"]
pub mod borrowed;
#[path = "../../../macros/snapshots/exclusive.rs"]
pub mod exclusive;
#[path = "../../../macros/snapshots/owned.rs"]
pub mod owned;
#[path = "../../../macros/snapshots/signature.rs"]
pub mod signature;
#[path = "../../../macros/snapshots/transaction.rs"]
pub mod transaction;
#[path = "../../../macros/snapshots/two_databases.rs"]
pub mod two_databases;
