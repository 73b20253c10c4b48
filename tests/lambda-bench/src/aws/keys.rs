use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The keys of a role, with which a function signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The value of `AWS_ACCESS_KEY_ID`.
    pub id: String,
    /// The value of `AWS_SECRET_ACCESS_KEY`.
    pub secret: String,
    /// The value of `AWS_SESSION_TOKEN`.
    pub session_token: String,
}

impl Keys {
    /// Makes keys that no role has had.
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            id: format!("ASIABENCH{number:011}"),
            secret: format!("secret+of/bench{number:025}"),
            // As long as those of AWS, and with characters that a URL encodes.
            session_token: format!("IQoJb3JpZ2lu/{}+{number}==", "Zm9v/YmFy+".repeat(70)),
        }
    }

    /// Returns the variables that Lambda sets.
    pub fn variables(&self) -> [(&'static str, &str); 3] {
        [
            ("AWS_ACCESS_KEY_ID", &self.id),
            ("AWS_SECRET_ACCESS_KEY", &self.secret),
            ("AWS_SESSION_TOKEN", &self.session_token),
        ]
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::new()
    }
}

/// A role, whose keys a test exchanges. Clones are the same role.
#[derive(Clone, Debug, Default)]
pub struct Role {
    keys: Arc<Mutex<Keys>>,
}

impl Role {
    /// Returns the keys that are valid.
    pub fn keys(&self) -> Keys {
        self.lock().clone()
    }

    /// Exchanges the keys. Those before are invalid from now on.
    pub fn renew(&self) {
        *self.lock() = Keys::new();
    }

    fn lock(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
