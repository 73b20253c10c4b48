//! A proxy between a function and a server, which counts round trips and injects faults.
//!
//! ```no_run
//! # async fn example() {
//! use lambda_bench::{proxy::Proxy, servers::Postgres};
//!
//! let postgres = Postgres::shared().await;
//! let proxy = Proxy::start(postgres.addr()).await;
//! let url = postgres.url_at(proxy.port());
//! // … a client connects to `url` …
//! let before = proxy.counts();
//! // … the client sends a query …
//! assert_eq!((proxy.counts() - before).round_trips, 1);
//! proxy.black_hole(); // From now on the client gets neither data nor an error.
//! # }
//! ```

mod counts;
mod faults;
mod flow;
mod packets;
mod pump;
mod switchboard;
mod turns;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use self::counts::Counts;
use self::flow::Order;
use self::switchboard::Switchboard;
pub use self::turns::{Side, Turn};
use crate::host::free_port;

/// A running proxy.
///
/// It needs the runtime that started it. Dropping it closes its connections.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    switchboard: Arc<Switchboard>,
    /// `None` while connections are refused.
    listener: Mutex<Option<Listener>>,
}

#[derive(Debug)]
struct Listener {
    /// The task that accepts connections.
    task: JoinHandle<()>,
    socket: Arc<TcpListener>,
}

impl Proxy {
    /// Starts a proxy to `upstream` on a free port of 127.0.0.1.
    pub async fn start(upstream: SocketAddr) -> Self {
        let switchboard = Arc::new(Switchboard::new(upstream));
        let proxy = Self {
            port: free_port(),
            switchboard,
            listener: Mutex::default(),
        };
        proxy.accept().await;
        proxy
    }

    /// Returns the address on which the proxy listens.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Returns the port on which the proxy listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the traffic since the start. Subtract an earlier value for the traffic since then.
    pub fn counts(&self) -> Counts {
        self.switchboard.counts()
    }

    /// Returns the number of connections accepted since the start.
    pub fn connections(&self) -> u64 {
        self.counts().connections
    }

    /// Returns the number of [round trips](Counts::round_trips) since the start.
    pub fn round_trips(&self) -> u64 {
        self.counts().round_trips
    }

    /// Records the turns of all connections together from now on.
    pub fn record_turns(&self) {
        self.switchboard
            .settings(|settings| settings.turns = Some(Vec::new()));
    }

    /// Returns the turns since [`record_turns`](Self::record_turns).
    pub fn turns(&self) -> Vec<Turn> {
        self.switchboard
            .settings(|settings| settings.turns.clone().unwrap_or_default())
    }

    /// Returns the number of open connections, silenced ones included.
    pub fn open(&self) -> usize {
        self.switchboard.open()
    }

    /// Accepts connections again after [`refuse`](Self::refuse), on the same port.
    pub async fn accept(&self) {
        if self.listener().is_some() {
            return;
        }
        let socket = TcpListener::bind(self.addr())
            .await
            .expect("the port is still free");
        let socket = Arc::new(socket);
        let switchboard = self.switchboard.clone();
        let task = tokio::spawn({
            let socket = socket.clone();
            async move {
                loop {
                    if let Ok((client, _)) = socket.accept().await {
                        switchboard.connect(client);
                    }
                }
            }
        });
        *self.listener() = Some(Listener { task, socket });
    }

    fn listener(&self) -> MutexGuard<'_, Option<Listener>> {
        self.listener
            .lock()
            .expect("no thread panics while it holds the listener")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.get_mut().ok().and_then(Option::take) {
            listener.task.abort();
        }
        self.switchboard.order(Order::Close, |_| true);
    }
}
