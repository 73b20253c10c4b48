//! The state that a pool's hooks and its driver share.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use tokio::runtime::{Handle, Id};

use super::failures::FailureTimes;
use super::sockets::Sockets;
use crate::connect::SessionId;
use crate::source::Source;
use crate::sync::Mutex;

/// The state of one source's pool in one runtime.
#[derive(Debug, Default)]
pub(super) struct Hooks {
    pub(super) failures: Arc<FailureTimes>,
    /// The connections that were opened since the number was taken last.
    opened: AtomicUsize,
    /// The sessions of the pool, also of connections that have ended.
    sessions: Mutex<Vec<SessionId>>,
    /// `true` if a statement was abandoned since this was asked last.
    abandoned: AtomicBool,
    /// The sockets of the pool, once its first connection is open.
    pub(super) sockets: Mutex<Option<Sockets>>,
}

/// The number of sessions that are remembered.
const MOST_SESSIONS: usize = 256;

impl Hooks {
    /// Finds the state of a source in the current runtime, or makes it.
    ///
    /// A pool's hooks cannot be reached through the pool, so both find their state here.
    pub(super) fn of(source: &Source) -> Arc<Self> {
        type Entry = (Option<Id>, Source, Weak<Hooks>);
        static ALL: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

        let runtime = Handle::try_current().ok().map(|runtime| runtime.id());
        let mut all = ALL.lock();
        all.retain(|(.., hooks)| hooks.strong_count() > 0);
        let mut known = all.iter();
        let known = known.find(|(id, known, _)| *id == runtime && known == source);
        if let Some(hooks) = known.and_then(|(.., hooks)| hooks.upgrade()) {
            return hooks;
        }
        let hooks = Arc::new(Self::default());
        all.push((runtime, *source, Arc::downgrade(&hooks)));
        hooks
    }

    /// Records that a connection was opened.
    pub(super) fn opened(&self, session: Option<SessionId>) {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let mut sessions = self.sessions.lock();
        sessions.extend(session);
        let excess = sessions.len().saturating_sub(MOST_SESSIONS);
        sessions.drain(..excess);
    }

    /// Records that a connection was dropped in the middle of a statement.
    pub(super) fn abandoned(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    /// Returns `true` if a connection was dropped so, and the sessions are known.
    pub(super) fn has_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed) && !self.sessions.lock().is_empty()
    }

    /// Shuts the sockets of the pool down.
    pub(super) fn shut_down(&self) {
        if let Some(sockets) = &*self.sockets.lock() {
            sockets.shut_down();
        }
    }

    /// Shuts the socket down if the pool has only one connection.
    pub(super) fn shut_down_only(&self) {
        if let Some(sockets) = &mut *self.sockets.lock()
            && sockets.state_of_only().is_some()
        {
            sockets.shut_down();
        }
    }

    /// Returns the sessions of the pool if one was abandoned since this was called last.
    pub(super) fn take_abandoned(&self) -> Option<Vec<SessionId>> {
        let is_abandoned = self.abandoned.swap(false, Ordering::Relaxed);
        let sessions = self.sessions.lock();
        (is_abandoned && !sessions.is_empty()).then(|| sessions.clone())
    }

    /// Takes the number of connections that were opened since this was called last.
    pub(super) fn take_opened(&self) -> usize {
        self.opened.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_source_has_its_own_state_in_each_runtime() {
        let (one, two) = (Source::env("ONE"), Source::env("TWO"));
        let hooks = Hooks::of(&one);
        assert!(Arc::ptr_eq(&hooks, &Hooks::of(&one)));
        assert!(!Arc::ptr_eq(&hooks, &Hooks::of(&two)));
        let elsewhere = std::thread::spawn(move || Hooks::of(&one));
        assert!(!Arc::ptr_eq(&hooks, &elsewhere.join().expect("hooks")));
    }
}
