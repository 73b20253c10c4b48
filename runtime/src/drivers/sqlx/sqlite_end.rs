//! The end of a statement of SQLite that its handler has abandoned.
//!
//! sqlx runs each connection in a thread, which finishes a statement that nobody waits for. SQLite
//! asks a connection during a long statement whether to go on, and at each COMMIT whether to roll
//! back instead.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use sqlx::SqliteConnection;
use tokio::time::{Instant, sleep};

use crate::connect::SessionId;
use crate::sync::Mutex;

/// The number of operations of SQLite's virtual machine between two questions, about 1 ms.
const OPERATIONS: i32 = 100_000;

/// The connections, and whether their statements are to end.
static ENDS: Mutex<Vec<(u32, Weak<AtomicBool>)>> = Mutex::new(Vec::new());

/// Makes a connection one whose statements can be ended.
pub(super) async fn identify(connection: &mut SqliteConnection) -> Result<SessionId, sqlx::Error> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let ends = Arc::new(AtomicBool::new(false));
    {
        let mut all = ENDS.lock();
        all.retain(|(_, ends)| ends.strong_count() > 0);
        all.push((number, Arc::downgrade(&ends)));
    }
    let at_commit = Arc::clone(&ends);
    let mut handle = connection.lock_handle().await?;
    handle.set_progress_handler(OPERATIONS, move || !ends.load(Ordering::Relaxed));
    handle.set_commit_hook(move || !at_commit.load(Ordering::Relaxed));
    Ok(SessionId {
        number,
        server: 0,
        seen: 0,
        identified: Instant::now(),
    })
}

/// Ends the statement of a connection that was dropped, and waits until its thread has closed it.
/// The caller limits the wait.
pub(super) async fn end(session: SessionId) {
    let find = |(number, ends): &(u32, Weak<_>)| (*number == session.number).then(|| ends.clone());
    let Some(ends) = ENDS.lock().iter().find_map(find) else {
        return;
    };
    if let Some(ends) = ends.upgrade() {
        ends.store(true, Ordering::Relaxed);
    }
    while ends.strong_count() > 0 {
        sleep(Duration::from_millis(1)).await;
    }
}
