//! What happens in a round of each fault.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::cell::{NEW_PASSWORD, Wanted};
use super::fault::Fault;
use super::process::Stopped;
use super::server::Server;
use super::stage::{FREEZE, Stage};
use lambda_bench::servers::PASSWORD;

/// How long a server is stopped.
const STANDSTILL: Duration = Duration::from_secs(3);
/// How long a handler waits for its query of a second: without a fault it has the answer by then.
const PATIENCE: Duration = Duration::from_secs(3);
/// The same where the end of the connection tells it: it is never over.
const LONG_PATIENCE: Duration = Duration::from_secs(8);

/// One occurrence of a fault, that begins in a frozen sandbox with a sound connection, and ends with
/// one.
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
        Fault::Stopped => standstill(stage).await,
        Fault::PasswordRotated => rotation(stage).await,
        Fault::RoleDropped => dropped_role(stage).await,
        Fault::RoleReplaced => replaced_role(stage).await,
        Fault::Full => full(stage).await,
        Fault::SilencedInConnecting => silence_in_connecting(stage, nth).await,
        Fault::SilencedInQuery => {
            let says = "said the handler";
            in_a_query(stage, PATIENCE, says, async |stage: &Stage<'_, S>| {
                stage.proxy.black_hole();
            })
            .await;
        }
        Fault::ResetInQuery => {
            let says = "communicating with database: Connection reset";
            in_a_query(stage, LONG_PATIENCE, says, async |stage: &Stage<'_, S>| {
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

/// What came and went while the sandbox was frozen fails nothing.
async fn passed<S: Server>(stage: &mut Stage<'_, S>) {
    stage.stay_frozen().await;
    stage.invoke(Wanted::Success).await;
}

/// The two servers change roles.
async fn failover<S: Server>(stage: &mut Stage<'_, S>) {
    let Some(reader) = stage.reader else { return };
    stage.writer.set_read_only(true).await;
    reader.set_read_only(false).await;
    stage.proxy.retarget(reader.addr());
    stage.reader = Some(std::mem::replace(&mut stage.writer, reader));
    passed(stage).await;
}

/// The server accepts connections, as its kernel does that for it, and says nothing.
async fn standstill<S: Server>(stage: &mut Stage<'_, S>) {
    let Some(pid) = stage.writer.pid() else {
        return;
    };
    let stopped = Stopped::with_children(pid);
    let end = Instant::now() + STANDSTILL;
    stage.stay_frozen().await;
    stage
        .invoke_and(Wanted::Success, async {
            sleep_until(end).await;
            drop(stopped);
        })
        .await;
}

/// A session outlives its password. A new one is refused with the old password, and had again when
/// that is rotated back.
async fn rotation<S: Server>(stage: &mut Stage<'_, S>) {
    stage.writer.set_password(NEW_PASSWORD).await;
    passed(stage).await;
    stage.writer.end_sessions().await;
    stage.stay_frozen().await;
    stage.invoke(Wanted::Rejection).await;
    stage.writer.set_password(PASSWORD).await;
    stage.invoke(Wanted::Success).await;
}

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

/// The session outlives its role, and another role of the same name is not its own: no invocation fails
/// of that, neither the next nor one after it.
async fn replaced_role<S: Server>(stage: &mut Stage<'_, S>) {
    stage.writer.drop_role().await;
    stage.writer.create_role().await;
    passed(stage).await;
    passed(stage).await;
}

/// Others take every connection, the function's too.
async fn full<S: Server>(stage: &mut Stage<'_, S>) {
    stage.writer.end_sessions().await;
    let mut others = Vec::new();
    let mut refused = 0;
    // An administrator's connection may still be ending, and leave room for one more.
    while refused < 3 {
        match stage.writer.another().await {
            Some(other) => others.push(other),
            None => {
                refused += 1;
                sleep(FREEZE).await;
            }
        }
    }
    stage.invoke(Wanted::Refusal).await;
    drop(others);
    stage.invoke(Wanted::Success).await;
}

/// The network is silent from the first byte on, or in the middle of the handshake, once.
async fn silence_in_connecting<S: Server>(stage: &mut Stage<'_, S>, nth: usize) {
    stage.proxy.reset().await;
    if nth.is_multiple_of(2) {
        stage.proxy.black_hole_new(true);
    } else {
        stage.proxy.stall_after(S::HANDSHAKE);
    }
    stage.stay_frozen().await;
    // A pool is opened by more than one try, and the second may get through.
    let wanted = if stage.is_pool() && !nth.is_multiple_of(2) {
        Wanted::RefusalAtWorst
    } else {
        Wanted::Refusal
    };
    stage.invoke(wanted).await;
    stage.proxy.black_hole_new(false);
    stage.invoke(Wanted::Success).await;
}

/// The fault hits a query that the server has begun: that invocation fails, and the next does not.
async fn in_a_query<'a, S: Server>(
    stage: &mut Stage<'a, S>,
    patience: Duration,
    says: &'static str,
    strike: impl AsyncFnOnce(&Stage<'a, S>),
) {
    stage.nap(patience, Wanted::Failure(says), strike).await;
    stage.invoke(Wanted::Success).await;
}
