use std::future::pending;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::packets;
use super::pump::{Direction, Pump};
use super::switchboard::Switchboard;

/// The current order of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Pass data on.
    Run,
    /// Neither read nor write until the next order.
    Stall,
    /// Neither read nor write any more.
    BlackHole,
    /// Neither read nor write any more, and drop what the kernel receives.
    Vanish,
    /// End with a FIN to both sides.
    Close,
    /// End with a RST to the client.
    Reset,
}

/// A connection of a client through the proxy.
#[derive(Debug)]
pub(super) struct Flow {
    order: watch::Sender<Order>,
    /// The client has sent bytes that the server has not answered yet.
    unanswered: AtomicBool,
    vanished: AtomicBool,
    ended: AtomicBool,
}

impl Flow {
    pub(super) fn new(order: Order) -> Self {
        Self {
            order: watch::Sender::new(order),
            unanswered: AtomicBool::new(false),
            vanished: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    pub(super) fn has_vanished(&self) -> bool {
        self.vanished.load(Ordering::Acquire)
    }

    /// Replaces the current order if `if_now` accepts it. Returns `true` if it was replaced.
    ///
    /// `Close` and `Reset` are final.
    pub(super) fn order_if(&self, order: Order, if_now: impl Fn(Order) -> bool) -> bool {
        self.order.send_if_modified(|now| {
            let replace = if_now(*now) && !matches!(now, Order::Close | Order::Reset);
            if replace {
                *now = order;
            }
            replace
        })
    }

    /// Passes data on until the client, the server or an order ends the connection.
    pub(super) async fn run(self: Arc<Self>, client: TcpStream, switchboard: Arc<Switchboard>) {
        // The sockets are closed after any error.
        let _ = self.pass_on(client, &switchboard).await;
        self.ended.store(true, Ordering::Release);
    }

    async fn pass_on(&self, mut client: TcpStream, switchboard: &Switchboard) -> io::Result<()> {
        client.set_nodelay(true)?;
        let mut sockets = vec![second_handle(&client)?];
        let mut server = tokio::select! {
            end = self.end() => return finish(end, client, None, &sockets).await,
            error = self.vanish(&sockets) => return Err(error),
            server = self.reach_server(switchboard) => match server {
                Ok(server) => server,
                Err(_) => return finish(Order::Reset, client, None, &sockets).await,
            },
        };
        sockets.push(second_handle(&server)?);
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let up = Pump {
            direction: Direction::Up,
            flow: self,
            switchboard,
            from: from_client,
            to: to_server,
        };
        let down = Pump {
            direction: Direction::Down,
            flow: self,
            switchboard,
            from: from_server,
            to: to_client,
        };
        let end = tokio::select! {
            end = self.end() => end,
            error = self.vanish(&sockets) => return Err(error),
            ends = async { tokio::try_join!(up.run(), down.run()) } => match ends {
                Ok(_) => Order::Close,
                Err(_) => Order::Reset,
            },
        };
        finish(end, client, Some(server), &sockets).await
    }

    async fn reach_server(&self, switchboard: &Switchboard) -> io::Result<TcpStream> {
        self.wait_for(|order| order == Order::Run).await;
        let server = TcpStream::connect(switchboard.settings(|settings| settings.upstream)).await?;
        server.set_nodelay(true)?;
        Ok(server)
    }

    pub(super) fn orders(&self) -> watch::Receiver<Order> {
        self.order.subscribe()
    }

    pub(super) fn stall(&self) {
        self.order_if(Order::Stall, |now| now == Order::Run);
    }

    /// Records that the client has sent bytes.
    pub(super) fn client_sent(&self) {
        self.unanswered.store(true, Ordering::Relaxed);
    }

    /// Records that the server has sent bytes. Returns `true` if they complete a round trip.
    pub(super) fn server_sent(&self) -> bool {
        self.unanswered.swap(false, Ordering::Relaxed)
    }

    /// Lets the kernel drop the packets of `sockets` from the order to vanish on.
    ///
    /// Returns an error if the kernel does not.
    async fn vanish(&self, sockets: &[OwnedFd]) -> io::Error {
        self.wait_for(|order| order == Order::Vanish).await;
        for socket in sockets {
            if let Err(error) = packets::drop_all(socket) {
                return error;
            }
        }
        self.vanished.store(true, Ordering::Release);
        pending().await
    }

    async fn end(&self) -> Order {
        self.wait_for(|order| matches!(order, Order::Close | Order::Reset))
            .await
    }

    async fn wait_for(&self, wanted: impl Fn(Order) -> bool) -> Order {
        let mut orders = self.orders();
        let order = orders.wait_for(|order| wanted(*order)).await;
        *order.expect("the flow holds the sender")
    }
}

/// Returns a handle that does not borrow the stream, whose halves are in use.
fn second_handle(stream: &TcpStream) -> io::Result<OwnedFd> {
    stream.as_fd().try_clone_to_owned()
}

async fn finish(
    end: Order,
    mut client: TcpStream,
    server: Option<TcpStream>,
    sockets: &[OwnedFd],
) -> io::Result<()> {
    // A peer learns of the end only if the kernel receives its packets again.
    for socket in sockets {
        packets::receive(socket)?;
    }
    if end == Order::Reset {
        return client.set_zero_linger();
    }
    client.shutdown().await?;
    if let Some(mut server) = server {
        server.shutdown().await?;
    }
    Ok(())
}
