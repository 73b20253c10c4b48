//! Connections that end within `verify_after`, so that no health check finds their end.

use std::time::Duration;

use futures_util::future::join_all;
use lambda_bench::wait::until;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Fleet, Found};
use crate::descriptors;
use crate::function::Function;
use crate::function::server::Server;
use crate::stress::{Programs, random};

/// The forms of a handler.
const FORMS: [&str; 5] = ["/conn", "/tx", "/lease-once", "/pool", "/any"];

/// The shortest and the longest time between two uses.
const PAUSE: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(900)];

/// The end of a connection while its sandbox is frozen.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// The administrator ends the session: a last message and a FIN.
    SessionEnded,
    /// A FIN without a message.
    Close,
    /// A RST.
    Reset,
    /// The server stops and starts again.
    Restart,
}

/// Ends the connections of all forms at a random time after their last use, and uses them again 20
/// to 900 ms after that last use, or as soon as the server has started again.
pub async fn rounds(
    server: &impl Server,
    programs: &Programs,
    fault: Fault,
    rounds: usize,
) -> Found {
    let mut found = Found::default();
    let fleet = Fleet::start(server, programs, &FORMS, &mut found).await;
    for n in 0..rounds {
        // A connection is checked after a failed invocation, so a success comes before each fault.
        fleet.ask(n, "before a fault", &mut found).await;
        let used = Instant::now();
        let pause = PAUSE[0] + (PAUSE[1] - PAUSE[0]).mul_f64(random());
        sleep(pause.mul_f64(random())).await;
        match fault {
            Fault::SessionEnded => drop(server.end_sessions().await),
            Fault::Restart => server.restart().await,
            Fault::Close => all(&fleet, async |function| function.proxy.close().await).await,
            Fault::Reset => all(&fleet, async |function| function.proxy.reset().await).await,
        }
        // Before it has arrived, nobody can know it.
        let has_arrived = async || !fleet.functions.iter().any(|(_, one)| is_connected(one));
        until("the end of each connection", has_arrived).await;
        sleep_until(used + pause).await;
        let what = format!("{fault:?}, {:?} after the last use", used.elapsed());
        fleet.ask(n, &what, &mut found).await;
    }
    found
}

/// Returns `true` while no end of the function's connections has arrived at its kernel.
fn is_connected(function: &Function) -> bool {
    let sockets = descriptors::sockets(function.sandbox.pid());
    let established = descriptors::established_to(function.proxy.port());
    !sockets.is_disjoint(&established)
}

async fn all(fleet: &Fleet, act: impl AsyncFn(&Function)) {
    join_all(fleet.functions.iter().map(|(_, function)| act(function))).await;
}
