/// A session of the user `app`, as the server sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The server's name for it: a process id in PostgreSQL, a connection id in MariaDB.
    pub pid: i64,
    /// What it does, in the server's words: `idle`, `active`, `idle in transaction`; in MariaDB
    /// `Sleep`, `Query`.
    pub state: String,
    /// The statement that runs; in PostgreSQL, if none does, the last one.
    pub query: String,
    /// Whether it is in a transaction that holds anything.
    pub in_transaction: bool,
    /// PostgreSQL's `application_name`; nothing in MariaDB.
    pub application_name: String,
}
