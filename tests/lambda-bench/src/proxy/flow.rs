use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::pump::{Direction, Pump};
use super::switchboard::Switchboard;

/// What a connection is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Pass on.
    Run,
    /// Stand still.
    Stall,
    /// Stand still for ever.
    BlackHole,
    /// End with a FIN to both.
    Close,
    /// End with a RST to the client.
    Reset,
}

/// One connection of a client through the proxy.
#[derive(Debug)]
pub(super) struct Flow {
    order: watch::Sender<Order>,
    /// Whether the client has said something that the server has not answered yet.
    asked: AtomicBool,
    ended: AtomicBool,
}

impl Flow {
    pub(super) fn new(order: Order) -> Self {
        Self {
            order: watch::Sender::new(order),
            asked: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Gives the order if `if_now` says yes to the present one, and says whether it was given. An
    /// end is final.
    pub(super) fn order_if(&self, order: Order, if_now: impl Fn(Order) -> bool) -> bool {
        self.order.send_if_modified(|now| {
            let given = if_now(*now) && !matches!(now, Order::Close | Order::Reset);
            if given {
                *now = order;
            }
            given
        })
    }

    /// Passes on between the client and the server until one of them, or an order, ends it.
    pub(super) async fn run(self: Arc<Self>, client: TcpStream, switchboard: Arc<Switchboard>) {
        // Whatever went wrong, the sockets are closed after it.
        let _ = self.pass_on(client, &switchboard).await;
        self.ended.store(true, Ordering::Release);
    }

    async fn pass_on(&self, mut client: TcpStream, switchboard: &Switchboard) -> io::Result<()> {
        client.set_nodelay(true)?;
        let mut server = tokio::select! {
            end = self.wait_for(|order| matches!(order, Order::Close | Order::Reset)) => return finish(end, client, None).await,
            server = self.reach_server(switchboard) => match server {
                Ok(server) => server,
                Err(_) => return finish(Order::Reset, client, None).await,
            },
        };
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
            end = self.wait_for(|order| matches!(order, Order::Close | Order::Reset)) => end,
            ends = async { tokio::try_join!(up.run(), down.run()) } => match ends {
                Ok(_) => Order::Close,
                Err(_) => Order::Reset,
            },
        };
        finish(end, client, Some(server)).await
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

    /// The client has said something.
    pub(super) fn asked(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// The server has said something: does it answer the client?
    pub(super) fn answered(&self) -> bool {
        self.asked.swap(false, Ordering::Relaxed)
    }

    async fn wait_for(&self, wanted: impl Fn(Order) -> bool) -> Order {
        let mut orders = self.orders();
        let order = orders.wait_for(|order| wanted(*order)).await;
        *order.expect("the flow holds the sender")
    }
}

async fn finish(end: Order, mut client: TcpStream, server: Option<TcpStream>) -> io::Result<()> {
    if end == Order::Reset {
        return client.set_zero_linger();
    }
    client.shutdown().await?;
    if let Some(mut server) = server {
        server.shutdown().await?;
    }
    Ok(())
}
