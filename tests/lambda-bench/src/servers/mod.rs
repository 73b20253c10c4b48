//! Private database servers, each with an ordinary user `app`.
//!
//! Each server listens on a free port of 127.0.0.1 and keeps its files in a temporary folder. The
//! server and its folder are removed with the process that started it, even if that process is
//! killed. Each helper opens a connection of its own, so tests on different runtimes can share a
//! server.

mod certificate;
mod database;
mod folder;
mod installation;
mod mysql;
mod pgbouncer;
mod postgres;
mod redis;
mod session;
mod supervised;

pub use installation::{Engine, Installation};
pub use mysql::{Mysql, MysqlBuilder};
pub use pgbouncer::{PgBouncer, PgBouncerBuilder};
pub use postgres::{Postgres, PostgresBuilder};
pub use redis::{Redis, RedisBuilder};
pub use session::Session;

/// The password of the user `app` and of the administrators.
pub const PASSWORD: &str = "s3cret";
