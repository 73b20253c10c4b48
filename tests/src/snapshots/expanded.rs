//! The expansions, as the snapshots contain them.

#![expect(
    clippy::needless_borrow,
    reason = "the expansion is the same for a borrowed connection and a transaction"
)]

#[rustfmt::skip]
#[path = "../../../macros/snapshots/attributes.expanded.rs"]
pub mod attributes;
#[rustfmt::skip]
#[path = "../../../macros/snapshots/borrowed.expanded.rs"]
pub mod borrowed;
#[rustfmt::skip]
#[path = "../../../macros/snapshots/exclusive.expanded.rs"]
pub mod exclusive;
#[rustfmt::skip]
#[path = "../../../macros/snapshots/owned.expanded.rs"]
pub mod owned;
#[rustfmt::skip]
#[path = "../../../macros/snapshots/signature.expanded.rs"]
pub mod signature;
#[rustfmt::skip]
#[path = "../../../macros/snapshots/transaction.expanded.rs"]
pub mod transaction;
#[rustfmt::skip]
#[path = "../../../macros/snapshots/two_databases.expanded.rs"]
pub mod two_databases;
