//! Starts the servers, tells where they are, and waits to be killed: on it is tried that they end
//! with their process.

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
