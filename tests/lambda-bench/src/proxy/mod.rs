//! A proxy on the wire between a function and a server: it counts what goes over it, and breaks it
//! as networks do.
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
//! // … it sends a query …
//! assert_eq!((proxy.counts() - before).round_trips, 1);
//! proxy.black_hole(); // … and never hears of that connection again
//! # }
//! ```

mod counts;
mod flow;
mod pump;
mod switchboard;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use self::counts::Counts;
use self::flow::{Flow, Order};
use self::switchboard::Switchboard;
use crate::host::free_port;
use crate::wait::until;

/// A running proxy. It lives on the runtime that started it, and dropping it closes its
/// connections.
///
/// Whatever is ordered takes effect at once, also on a connection in the middle of reading or
/// writing.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    switchboard: Arc<Switchboard>,
    /// Accepts connections; none while they are refused.
    listener: Mutex<Option<JoinHandle<()>>>,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1, and passes on to `upstream`.
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

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The port where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What has gone over the wire since the start. Subtract an earlier one for what has since.
    pub fn counts(&self) -> Counts {
        self.switchboard.counts()
    }

    /// Connections accepted since the start.
    pub fn connections(&self) -> u64 {
        self.counts().connections
    }

    /// Round trips since the start: how often the first byte of an answer followed one or more
    /// bytes of the client's.
    pub fn round_trips(&self) -> u64 {
        self.counts().round_trips
    }

    /// Connections that are open now, those that a fault silenced included.
    pub fn open(&self) -> usize {
        self.switchboard.open()
    }

    /// From now on all that is received is passed on this much later, each way.
    pub fn delay(&self, each_way: Duration) {
        self.switchboard
            .settings(|settings| settings.delay = each_way);
    }

    /// All connections open now are never read or written again, and no FIN and no RST is sent:
    /// what a firewall does that has forgotten them. New ones work.
    pub fn black_hole(&self) {
        self.switchboard.order(Order::BlackHole, |_| true);
    }

    /// Ends the connections that are black-holed or stand still, as the keepalive of the server and of the
    /// client does in the end.
    pub fn forget(&self) {
        self.switchboard.order(Order::Close, |now| {
            matches!(now, Order::BlackHole | Order::Stall)
        });
    }

    /// Whether new connections are accepted and then met with silence.
    pub fn black_hole_new(&self, silent: bool) {
        self.switchboard
            .settings(|settings| settings.silent = silent);
    }

    /// All connections open now stand still in both directions until [`resume`](Self::resume).
    pub fn stall(&self) {
        self.switchboard
            .order(Order::Stall, |now| now == Order::Run);
    }

    /// The first connection on which the server sends `marker` stands still after that: the piece
    /// that contains it is passed on whole, and then nothing in either direction until
    /// [`resume`](Self::resume). It happens once.
    pub fn stall_after(&self, marker: impl Into<Vec<u8>>) {
        self.switchboard
            .settings(|settings| settings.marker = Some(marker.into()));
    }

    /// Lets stalled connections go on. Nothing was lost.
    pub fn resume(&self) {
        self.switchboard
            .order(Order::Run, |now| now == Order::Stall);
    }

    /// Ends all connections open now with a RST to the client, and waits until that is done.
    pub async fn reset(&self) {
        self.end(Order::Reset).await;
    }

    /// Ends all connections open now with a FIN to both sides, and waits until that is done.
    pub async fn close(&self) {
        self.end(Order::Close).await;
    }

    /// Whether the end of a client is kept from the server from now on: its FIN and RST are
    /// swallowed, and the server's side of the connection stays open, as when a sandbox vanishes
    /// with its host.
    pub fn swallow_client_end(&self, swallow: bool) {
        self.switchboard
            .settings(|settings| settings.swallow = swallow);
    }

    /// From now on connections are refused, as by a server that is not there. Those open go on.
    pub async fn refuse(&self) {
        let listener = self.listener.lock().expect("nobody panics with it").take();
        if let Some(listener) = listener {
            listener.abort();
            // Its end is the listener's.
            let _ = listener.await;
        }
    }

    /// Connections are accepted again, on the same port.
    pub async fn accept(&self) {
        if self
            .listener
            .lock()
            .expect("nobody panics with it")
            .is_some()
        {
            return;
        }
        let listener = TcpListener::bind(self.addr())
            .await
            .expect("the port is still free");
        let switchboard = self.switchboard.clone();
        let task = tokio::spawn(async move {
            loop {
                if let Ok((client, _)) = listener.accept().await {
                    switchboard.connect(client);
                }
            }
        });
        *self.listener.lock().expect("nobody panics with it") = Some(task);
    }

    /// New connections go to another server: a failover.
    pub fn retarget(&self, upstream: SocketAddr) {
        self.switchboard
            .settings(|settings| settings.upstream = upstream);
    }

    async fn end(&self, how: Order) {
        let ending: Vec<Arc<Flow>> = self.switchboard.order(how, |_| true);
        until("the end of the proxy's connections", async || {
            ending.iter().all(|flow| flow.has_ended())
        })
        .await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.get_mut().ok().and_then(Option::take) {
            listener.abort();
        }
        self.switchboard.order(Order::Close, |_| true);
    }
}
