use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::net::TcpStream;

use super::counts::Counts;
use super::flow::{Flow, Order};
use super::turns::{self, Side, Turn};

/// The state that all connections of a proxy share.
#[derive(Debug)]
pub(super) struct Switchboard {
    settings: Mutex<Settings>,
    counts: Mutex<Counts>,
    flows: Mutex<Vec<Arc<Flow>>>,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) upstream: SocketAddr,
    pub(super) delay: Duration,
    pub(super) silent: bool,
    pub(super) swallow: bool,
    /// The bytes from the server after which a connection stalls.
    pub(super) marker: Option<Vec<u8>>,
    /// The turns so far, if they are recorded.
    pub(super) turns: Option<Vec<Turn>>,
}

impl Switchboard {
    pub(super) fn new(upstream: SocketAddr) -> Self {
        let settings = Settings {
            upstream,
            delay: Duration::ZERO,
            silent: false,
            swallow: false,
            marker: None,
            turns: None,
        };
        Self {
            settings: Mutex::new(settings),
            counts: Mutex::default(),
            flows: Mutex::default(),
        }
    }

    pub(super) fn connect(self: &Arc<Self>, client: TcpStream) {
        self.count(|counts| counts.connections += 1);
        self.turn(Side::Connecting);
        let first = if self.settings(|settings| settings.silent) {
            Order::BlackHole
        } else {
            Order::Run
        };
        let flow = Arc::new(Flow::new(first));
        self.flows().push(flow.clone());
        tokio::spawn(flow.run(client, self.clone()));
    }

    /// Gives `order` to the open connections whose current order `if_now` accepts.
    ///
    /// Returns those connections.
    pub(super) fn order(&self, order: Order, if_now: impl Fn(Order) -> bool) -> Vec<Arc<Flow>> {
        let flows = self.flows();
        flows
            .iter()
            .filter(|flow| flow.order_if(order, &if_now))
            .cloned()
            .collect()
    }

    pub(super) fn open(&self) -> usize {
        self.flows().len()
    }

    pub(super) fn counts(&self) -> Counts {
        *self.counts.lock().expect("no thread panics while counting")
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut self.counts.lock().expect("no thread panics while counting"));
    }

    /// Records that a side acts, if turns are recorded.
    pub(super) fn turn(&self, by: Side) {
        self.settings(|settings| {
            if let Some(turns) = &mut settings.turns {
                turns::record(turns, by);
            }
        });
    }

    /// Reads or changes the settings.
    pub(super) fn settings<T>(&self, change: impl FnOnce(&mut Settings) -> T) -> T {
        change(
            &mut self
                .settings
                .lock()
                .expect("no thread panics while it holds the settings"),
        )
    }

    /// Returns the connections that have not ended.
    fn flows(&self) -> MutexGuard<'_, Vec<Arc<Flow>>> {
        let mut flows = self
            .flows
            .lock()
            .expect("no thread panics while it holds the flows");
        flows.retain(|flow| !flow.has_ended());
        flows
    }
}
