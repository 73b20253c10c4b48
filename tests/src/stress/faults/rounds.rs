//! The rounds of each fault.

use std::time::Duration;

use lambda_bench::servers::PASSWORD;
use tokio::time::{Instant, sleep, sleep_until};

use super::cell::{NEW_PASSWORD, Wanted};
use super::fault::Fault;
use super::process::Stopped;
use super::server::Server;
use super::stage::{FREEZE, Stage};

/// The time for which a server is stopped.
const STOPPED_FOR: Duration = Duration::from_secs(3);
/// The time that a handler waits for its query, which takes 1 s without a fault.
const PATIENCE: Duration = Duration::from_secs(2);
/// A time longer than any query. The end of the connection ends the wait first.
const LONG_PATIENCE: Duration = Duration::from_secs(8);

/// Runs one round. It begins and ends with a frozen sandbox that has a working connection.
pub(super) async fn round<S: Server>(fault: Fault, stage: &mut Stage<'_, S>, nth: usize) {
    match fault {
        Fault::Ended => {
            stage.writer.end_sessions().await;
            passed(stage).await;
        }
        Fault::Restarted => {
            stage.writer.restart().await;
            passed(stage).await;
        }
        Fault::FailedOver => failover(stage).await,
        Fault::Reset => {
            stage.proxy.reset().await;
            passed(stage).await;
        }
        Fault::Silenced => {
            stage.proxy.black_hole();
            passed(stage).await;
        }
        Fault::Stopped => stopped_server(stage).await,
        Fault::PasswordRotated => rotation(stage).await,
        Fault::RoleDropped => dropped_role(stage).await,
        Fault::RoleReplaced => replaced_role(stage).await,
        Fault::Full => full(stage).await,
        Fault::SilencedInConnecting => silence_in_connecting(stage, nth).await,
        Fault::SilencedInQuery => {
            let text = "said the handler";
            in_a_query(stage, PATIENCE, text, async |stage: &Stage<'_, S>| {
                stage.proxy.black_hole();
            })
            .await;
        }
        Fault::ResetInQuery => {
            let text = "communicating with database: Connection reset";
            in_a_query(stage, LONG_PATIENCE, text, async |stage: &Stage<'_, S>| {
                stage.proxy.reset().await;
            })
            .await;
        }
        Fault::EndedInQuery => {
            in_a_query(
                stage,
                LONG_PATIENCE,
                S::ENDED,
                async |stage: &Stage<'_, S>| {
                    stage.writer.end_sessions().await;
                },
            )
            .await;
        }
    }
    stage.proxy.forget();
}

/// Checks that a fault during the freeze fails no invocation.
async fn passed<S: Server>(stage: &mut Stage<'_, S>) {
    stage.stay_frozen().await;
    stage.invoke(Wanted::Success).await;
}

/// Exchanges the roles of the two servers.
async fn failover<S: Server>(stage: &mut Stage<'_, S>) {
    let Some(reader) = stage.reader else { return };
    stage.writer.set_read_only(true).await;
    reader.set_read_only(false).await;
    stage.proxy.retarget(reader.addr());
    stage.reader = Some(std::mem::replace(&mut stage.writer, reader));
    passed(stage).await;
}

/// Stops the server. The kernel still accepts connections, but the server sends nothing.
async fn stopped_server<S: Server>(stage: &mut Stage<'_, S>) {
    let Some(pid) = stage.writer.pid() else {
        return;
    };
    let stopped = Stopped::with_children(pid);
    let end = Instant::now() + STOPPED_FOR;
    stage.stay_frozen().await;
    stage
        .invoke_and(Wanted::Success, async {
            sleep_until(end).await;
            drop(stopped);
        })
        .await;
}

/// Rotates the password. The session outlives it, and a new one with the old password is rejected.
///
/// Once the old password is valid again, so is a new session.
async fn rotation<S: Server>(stage: &mut Stage<'_, S>) {
    stage.writer.set_password(NEW_PASSWORD).await;
    passed(stage).await;
    stage.writer.end_sessions().await;
    stage.stay_frozen().await;
    stage.invoke(Wanted::Rejection).await;
    stage.writer.set_password(PASSWORD).await;
    stage.invoke(Wanted::Success).await;
}

/// Drops the role and creates it again, once before the next connection and once after it.
async fn dropped_role<S: Server>(stage: &mut Stage<'_, S>) {
    let server = stage.writer;
    server.end_sessions().await;
    server.drop_role().await;
    server.create_role().await;
    passed(stage).await;
    server.end_sessions().await;
    server.drop_role().await;
    stage.stay_frozen().await;
    stage.invoke(Wanted::Rejection).await;
    server.create_role().await;
    stage.invoke(Wanted::Success).await;
}

/// Replaces the role under a live session. A new role of the same name has another id.
///
/// Neither the next invocation nor the one after it fails.
async fn replaced_role<S: Server>(stage: &mut Stage<'_, S>) {
    stage.writer.drop_role().await;
    stage.writer.create_role().await;
    passed(stage).await;
    passed(stage).await;
}

/// Lets the user `others` take every connection of the server, also the function's.
async fn full<S: Server>(stage: &mut Stage<'_, S>) {
    stage.writer.end_sessions().await;
    let mut others = Vec::new();
    let mut refused = 0;
    // An administrator's connection may be about to end, and leave room for one more.
    while refused < 3 {
        match stage.writer.another().await {
            Some(other) => others.push(other),
            None => {
                refused += 1;
                sleep(FREEZE).await;
            }
        }
    }
    stage.invoke(Wanted::Unavailable).await;
    drop(others);
    stage.invoke(Wanted::Success).await;
}

/// Silences the network from the first byte on, or once in the middle of the handshake.
async fn silence_in_connecting<S: Server>(stage: &mut Stage<'_, S>, nth: usize) {
    stage.proxy.reset().await;
    if nth.is_multiple_of(2) {
        stage.proxy.black_hole_new(true);
    } else {
        stage.proxy.stall_after(S::HANDSHAKE);
    }
    stage.stay_frozen().await;
    // A pool may connect in a second attempt, which is not silenced.
    let wanted = if stage.is_pool() && !nth.is_multiple_of(2) {
        Wanted::UnavailableAtWorst
    } else {
        Wanted::Unavailable
    };
    stage.invoke(wanted).await;
    stage.proxy.black_hole_new(false);
    stage.invoke(Wanted::Success).await;
}

/// Checks that a fault during a query fails that invocation, and not the next one.
async fn in_a_query<'a, S: Server>(
    stage: &mut Stage<'a, S>,
    patience: Duration,
    text: &'static str,
    strike: impl AsyncFnOnce(&Stage<'a, S>),
) {
    stage.query(patience, Wanted::Failure(text), strike).await;
    stage.invoke(Wanted::Success).await;
}
