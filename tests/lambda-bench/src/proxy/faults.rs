//! The faults of a [`Proxy`]. Each takes effect at once, also in the middle of a read or write.

use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;

use super::flow::{Flow, Order};
use super::{Listener, Proxy, packets};
use crate::wait::until;

impl Proxy {
    /// Delays everything received from now on by `each_way`, in both directions.
    pub fn delay(&self, each_way: Duration) {
        self.switchboard
            .settings(|settings| settings.delay = each_way);
    }

    /// Silences all open connections for good: no data, no FIN, no RST.
    ///
    /// A firewall that has forgotten the connections does the same. New connections work.
    pub fn black_hole(&self) {
        self.switchboard.order(Order::BlackHole, |_| true);
    }

    /// Closes the connections that are black-holed, stalled or vanished.
    ///
    /// The keepalive of client and server does the same in the end.
    pub fn forget(&self) {
        self.switchboard.order(Order::Close, |now| {
            matches!(now, Order::BlackHole | Order::Stall | Order::Vanish)
        });
    }

    /// Makes the peers of all open connections vanish for good, as if their kernels were gone.
    ///
    /// No packet passes in either direction, ACK, FIN and RST included. A black hole, in contrast,
    /// acknowledges what it receives. New connections work.
    pub async fn vanish(&self) {
        let vanishing = self.switchboard.order(Order::Vanish, |_| true);
        until("the end of the proxy's packets", async || {
            let done = |flow: &Arc<Flow>| flow.has_vanished() || flow.has_ended();
            vanishing.iter().all(done)
        })
        .await;
    }

    /// Sets whether new connections get no answer, not even to their first packet.
    pub fn vanish_new(&self, vanish: bool) {
        let listener = self.listener();
        let listener = listener.as_ref().expect("the proxy accepts connections");
        let set = if vanish {
            packets::drop_all
        } else {
            packets::receive
        };
        set(&listener.socket).expect("a filter for a socket");
    }

    /// Sets whether new connections are accepted and then black-holed.
    pub fn black_hole_new(&self, silent: bool) {
        self.switchboard
            .settings(|settings| settings.silent = silent);
    }

    /// Stalls all open connections in both directions until [`resume`](Self::resume).
    pub fn stall(&self) {
        self.switchboard
            .order(Order::Stall, |now| now == Order::Run);
    }

    /// Stalls the first connection on which the server sends `marker`, once.
    ///
    /// The piece that contains the marker is passed on whole. Then the connection is stalled in
    /// both directions until [`resume`](Self::resume).
    pub fn stall_after(&self, marker: impl Into<Vec<u8>>) {
        self.switchboard
            .settings(|settings| settings.marker = Some(marker.into()));
    }

    /// Resumes stalled connections. No data is lost.
    pub fn resume(&self) {
        self.switchboard
            .order(Order::Run, |now| now == Order::Stall);
    }

    /// Ends all open connections with a RST to the client, and waits for their end.
    pub async fn reset(&self) {
        self.end(Order::Reset).await;
    }

    /// Ends all open connections with a FIN to both sides, and waits for their end.
    pub async fn close(&self) {
        self.end(Order::Close).await;
    }

    /// Sets whether the end of a client is hidden from the server.
    ///
    /// The client's FIN and RST are dropped, and the server's side of the connection stays open.
    /// This is what a server sees when a sandbox vanishes with its host.
    pub fn swallow_client_end(&self, swallow: bool) {
        self.switchboard
            .settings(|settings| settings.swallow = swallow);
    }

    /// Refuses new connections, as a server that does not run. Open connections continue.
    pub async fn refuse(&self) {
        let listener = self.listener().take();
        if let Some(Listener { task, socket }) = listener {
            task.abort();
            let _ = task.await;
            // A process that another thread forks at this moment has a copy of the socket until
            // `exec`. To close the socket here would not close the port.
            SockRef::from(&*socket)
                .shutdown(Shutdown::Both)
                .expect("a socket that listens");
        }
    }

    /// Sends new connections to another server, as a failover does.
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

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_copy_of_the_socket_keeps_no_port() {
        let upstream = SocketAddr::from(([127, 0, 0, 1], 9));
        let proxy = Proxy::start(upstream).await;
        // A forked process has such a copy.
        let copy = proxy.listener().as_ref().map(|open| open.socket.clone());
        proxy.refuse().await;
        assert!(TcpStream::connect(proxy.addr()).await.is_err());
        proxy.accept().await;
        assert!(TcpStream::connect(proxy.addr()).await.is_ok());
        drop(copy);
    }
}
