//! A program of its own, because one build has sqlx either with rustls or with native-tls. It
//! opens a connection to each URL of its arguments, with verified TLS, and prints the outcome.

use reuse_db::{Connect, Source};
use sqlx::{MySqlConnection, PgConnection};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for url in std::env::args().skip(1) {
        let url: &'static str = url.leak();
        let source = Source::env("NO_SUCH_VARIABLE").or(url).verified_tls();
        let result = if url.starts_with("mysql") {
            MySqlConnection::connect(&source).await.map(drop)
        } else {
            PgConnection::connect(&source).await.map(drop)
        };
        match result {
            Ok(()) => println!("connected"),
            Err(error) => println!("{:?}: {error}", error.kind()),
        }
    }
}
