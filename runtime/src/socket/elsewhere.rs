//! A system, or a set of features, without sockets that can be looked at.

use std::convert::Infallible;

#[cfg(feature = "_search")]
use super::Found;
#[cfg(feature = "_sqlx")]
use super::Missing;
#[cfg(feature = "_driver")]
use super::{Options, State};

/// A socket that cannot be found.
#[derive(Debug)]
pub(crate) struct Socket(Infallible);

/// The identity of a socket that cannot be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SocketId(Infallible);

impl Socket {
    /// Finds nothing.
    #[cfg(feature = "_stream")]
    pub(crate) fn of<S>(_: &S, _: Options) -> Option<Self> {
        None
    }

    pub(crate) fn id(&self) -> SocketId {
        match self.0 {}
    }

    #[cfg(feature = "_driver")]
    pub(crate) fn state(&self) -> State {
        match self.0 {}
    }

    pub(crate) fn is_quiet(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn shut_down(&self) {
        match self.0 {}
    }
}

impl SocketId {
    pub(crate) fn socket(self) -> Option<Socket> {
        match self.0 {}
    }
}

/// Returns the state of no socket.
#[cfg(feature = "_sqlx")]
pub(crate) fn worst_state(_: &mut Vec<SocketId>) -> State {
    State::Quiet
}

/// Polls a connect future, and finds nothing.
#[cfg(feature = "_search")]
pub(crate) async fn connecting<T, E>(
    _port: Option<u16>,
    _options: Options,
    connect: impl Future<Output = Result<T, E>>,
) -> (Result<T, E>, Found) {
    (connect.await, Found::default())
}

/// Finds nothing.
#[cfg(feature = "_sqlx")]
pub(crate) fn claim_new(_port: u16, _missing: &mut Missing, _options: Options) -> Vec<SocketId> {
    Vec::new()
}
