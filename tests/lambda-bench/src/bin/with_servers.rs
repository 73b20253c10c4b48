//! Starts the servers, prints where they are, and waits to be killed.
//!
//! A test kills this process and checks that the servers end with it.

use std::future::pending;

use lambda_bench::servers::{Mariadb, Postgres};

#[tokio::main]
async fn main() {
    let postgres = Postgres::shared().await;
    let mariadb = Mariadb::shared().await;
    println!("{} {}", postgres.addr(), postgres.folder().display());
    println!("{} {}", mariadb.addr(), mariadb.folder().display());
    pending::<()>().await;
}
