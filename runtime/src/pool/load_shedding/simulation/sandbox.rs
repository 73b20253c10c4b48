//! A sandbox: the policy, and the connection that it keeps or closes.

use std::time::Duration;

use super::super::policy::{Policy, Standing};
use super::waiting::Wait;
use crate::source::{LoadShedding, ServerLoad};

const LEAST_IDLE: Duration = Duration::from_secs(30);
const LONGEST_IDLE: Duration = Duration::from_secs(300);

pub(super) struct Sandbox {
    pub(super) policy: Policy,
    pub(super) connection: Option<Connection>,
    /// The time of the last invocation.
    pub(super) invoked: Duration,
    /// The time of the next invocation.
    pub(super) next: Duration,
    pub(super) wait: Wait,
    pub(super) has_opened: bool,
    pub(super) has_asked: bool,
}

pub(super) struct Connection {
    /// The server's number of it.
    pub(super) id: usize,
    pub(super) opened: Duration,
    pub(super) standing: Standing,
    pub(super) idle_since: Option<Duration>,
    pub(super) idle_limit: Duration,
}

impl Sandbox {
    pub(super) fn new() -> Self {
        Self {
            policy: Policy::new(LoadShedding::new()),
            connection: None,
            invoked: Duration::ZERO,
            next: Duration::ZERO,
            wait: Wait::default(),
            has_opened: false,
            has_asked: false,
        }
    }
}

impl Connection {
    pub(super) fn new(id: usize, opened: Duration, found_full: bool) -> Self {
        Self {
            id,
            opened,
            standing: Standing::of_new(found_full),
            idle_since: None,
            idle_limit: LONGEST_IDLE,
        }
    }

    /// Sets the idle limit of the session as a load query does.
    pub(super) fn set_idle_limit(&mut self, load: ServerLoad) {
        let room = (2.0 * load.room(LoadShedding::new())).clamp(0.0, 1.0);
        self.idle_limit = LEAST_IDLE + (LONGEST_IDLE - LEAST_IDLE).mul_f64(room);
    }

    /// Returns the time at which the server ends the idle session.
    pub(super) fn end(&self, now: Duration) -> Duration {
        self.idle_since.unwrap_or(now) + self.idle_limit
    }
}
