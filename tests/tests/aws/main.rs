//! Databases of AWS: sign-in by IAM, rotated secrets, verified certificates.
//!
//! The host names of the function are those of AWS, and lead to this machine.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, with a message"
)]

mod certificates;
mod dsql;
mod encryption;
mod iam;
mod native_tls;
mod secrets;
mod stage;
