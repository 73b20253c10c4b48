//! A full or restarting server is waited for, until shortly before the deadline. The error names
//! the cause, and the client gets a 503.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, with a message"
)]

mod addresses;
mod broken_handshakes;
mod error_kinds;
mod service_unavailable;
mod unreachable;

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::net::TcpListener;

/// Returns a listener on a free port of 127.0.0.1, and the port.
async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

/// Opens connections until the server is full, and stays full.
async fn fill<C: sqlx::Connection>(url: &str) -> Vec<C> {
    let mut held = Vec::new();
    let mut refused = 0;
    while refused < 3 {
        match C::connect(url).await {
            Ok(connection) => {
                held.push(connection);
                refused = 0;
            }
            // The slot of the administrator, who has looked at the sessions, may become free.
            Err(_) => {
                refused += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    held
}
