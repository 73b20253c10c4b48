//! Private database servers: each in a temporary folder, on a free port of 127.0.0.1, with an
//! ordinary user `app`.
//!
//! A server ends with the process that started it, even if that is killed, and its folder with it.
//! The helpers open a connection of their own for each call, so that a server can be shared by
//! tests, each on its own runtime.

mod certificate;
mod mariadb;
mod pgbouncer;
mod postgres;
mod session;
mod supervised;

pub use mariadb::{Mariadb, MariadbBuilder};
pub use pgbouncer::{PgBouncer, PgBouncerBuilder};
pub use postgres::{Postgres, PostgresBuilder};
pub use session::Session;

/// The password of the user `app`, and of the administrator.
pub const PASSWORD: &str = "s3cret";
