//! A mutex that survives a panic of its holder.

#[cfg(all(feature = "_search", target_os = "linux"))]
use std::sync::TryLockError;
use std::sync::{MutexGuard, PoisonError};

/// A [`std::sync::Mutex`] that ignores poisoning.
///
/// Every critical section in this crate leaves its data valid at each step, so a panic inside
/// one does not make the data unusable.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks without waiting.
    #[cfg(all(feature = "_search", target_os = "linux"))]
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(guard)) => Some(guard.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}
