//! Starts the servers, prints where they are, and waits to be killed.
//!
//! A test kills this process and checks that the servers end with it.

use std::future::pending;

use lambda_bench::servers::{Mysql, Postgres};

#[tokio::main]
async fn main() {
    let postgres = Postgres::shared().await;
    let mysql = Mysql::shared().await;
    println!("{} {}", postgres.addr(), postgres.folder().display());
    println!("{} {}", mysql.addr(), mysql.folder().display());
    pending::<()>().await;
}
