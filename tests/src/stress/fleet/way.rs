/// The ways in which the function gets a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Connection,
    Transaction,
    Pool,
    Lease,
    Any,
    /// Connects in each invocation, without reuse-db.
    Each,
    /// A static pool with sqlx's default settings, without reuse-db.
    Static,
}

impl Way {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Connection => "`&mut` connection",
            Self::Transaction => "transaction",
            Self::Pool => "pool",
            Self::Lease => "`Lease`",
            Self::Any => "`AnyConnection`",
            Self::Each => "connect in each invocation",
            Self::Static => "static pool by hand",
        }
    }

    /// Returns the function's path, without the slash.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Transaction => "transaction",
            Self::Pool => "pool",
            Self::Lease => "lease",
            Self::Any => "any",
            Self::Each => "each",
            Self::Static => "static",
        }
    }

    /// Returns `true` for a way without reuse-db, which promises nothing.
    pub(super) fn is_by_hand(self) -> bool {
        matches!(self, Self::Each | Self::Static)
    }
}
