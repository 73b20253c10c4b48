/// A session of the user `app`, as the server lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The server's id of the session: a process id in PostgreSQL, a connection id in MariaDB.
    pub pid: i64,
    /// The state in the server's own terms.
    ///
    /// PostgreSQL has `idle`, `active` and `idle in transaction`. MariaDB has `Sleep` and `Query`.
    pub state: String,
    /// The running statement. PostgreSQL shows the last statement of an idle session.
    pub query: String,
    /// The session is in a transaction. MariaDB counts only one that has touched a table.
    pub in_transaction: bool,
    /// The `application_name` in PostgreSQL, empty in MariaDB.
    pub application_name: String,
}
