//! sqlx's connections, pools and transactions as what can be kept.

mod connection;
mod errors;
mod kind;
mod place;
mod pool;
mod refused;
mod transaction;

#[cfg(feature = "any")]
mod any;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::net::IpAddr;
use std::time::Duration;

use sqlx::{Connection, Database};

use crate::guard::Load;
use crate::{Credentials, Error, Source};

/// How one connects to a database.
type Options<DB> = <<DB as Database>::Connection as Connection>::Options;

/// What differs between sqlx's databases.
trait Driver: Database {
    /// The options to connect with, as the source's URL says, and with what else can be asked for
    /// without a round trip.
    fn options(url: &str, source: &Source) -> Result<Options<Self>, Error>;

    /// The same, signed in as somebody else; `None` where there is no server to sign in at.
    fn sign_in(_options: Options<Self>, _credentials: &Credentials) -> Option<Options<Self>> {
        None
    }

    /// Whether a path leads to the server, or is the database itself.
    fn is_by_socket(_options: &Options<Self>) -> bool {
        true
    }

    /// The host whose addresses may be taken in place of its name: not that of a socket's path, nor one
    /// whose name is verified, as sqlx has the name from nowhere else.
    fn host(_options: &Options<Self>) -> Option<String> {
        None
    }

    /// The same, at this address of the host.
    fn at(options: Options<Self>, _address: IpAddr) -> Options<Self> {
        options
    }

    /// Whether a connection was refused because of what [`options`](Self::options) adds to the URL;
    /// from then on it adds nothing.
    fn was_too_much(_error: &sqlx::Error, _source: &Source) -> bool {
        false
    }

    /// SQL that asks for an end of the session when it is idle; a server that refuses it is connected
    /// to without.
    fn idle_limit(_source: &Source) -> Option<String> {
        None
    }

    /// SQL that sets up a new connection, beside [`Source::on_connect`].
    fn set_up(_source: &Source) -> Option<String> {
        None
    }

    /// Runs SQL as it is, in one round trip.
    fn execute(
        connection: &mut Self::Connection,
        sql: String,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// One round trip that fails if the connection is dead, or has a transaction open that cannot
    /// be ended.
    fn check(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// The same, and that the server takes writes.
    fn check_writer(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send {
        Self::check(connection)
    }

    /// A check of a connection whose invocation has failed, which also takes back what that has set in
    /// the session.
    fn reset(
        connection: &mut Self::Connection,
        source: &Source,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send {
        let read_write = source.read_write;
        async move {
            if read_write {
                Self::check_writer(connection).await
            } else {
                Self::check(connection).await
            }
        }
    }

    /// How full the server is.
    fn load(
        _connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Option<Load>, sqlx::Error>> + Send {
        std::future::ready(Ok(None))
    }

    /// Ends sessions of other sandboxes, no more than `most`, and says how many.
    fn reap(
        _connection: &mut Self::Connection,
        _idle: Duration,
        _most: u64,
    ) -> impl Future<Output = Result<u64, sqlx::Error>> + Send {
        std::future::ready(Ok(0))
    }

    /// See [`Connect::rest`](crate::Connect::rest).
    fn rest(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send {
        connection::rest::<Self>(connection)
    }
}

/// `Connect` for a database's connection and its pool, `Handle` and `Finish` for its transaction.
macro_rules! driver {
    ($database:ty, $connection:ty) => {
        #[diagnostic::do_not_recommend]
        impl $crate::Connect for $connection {
            const EXCLUSIVE: Option<bool> = Some(true);

            async fn connect(source: &$crate::Source) -> Result<Self, $crate::Error> {
                $crate::drivers::connection::open::<$database>(source).await
            }

            async fn check(&mut self) -> Result<(), $crate::Error> {
                let result = <$database as $crate::drivers::Driver>::check(self).await;
                $crate::drivers::connection::without_transaction(self, result)
            }

            async fn check_writer(&mut self) -> Result<(), $crate::Error> {
                let result = <$database as $crate::drivers::Driver>::check_writer(self).await;
                $crate::drivers::connection::without_transaction(self, result)
            }

            async fn reset(&mut self, source: &$crate::Source) -> Result<(), $crate::Error> {
                let result = <$database as $crate::drivers::Driver>::reset(self, source).await;
                $crate::drivers::connection::without_transaction(self, result)
            }

            /// It cannot be told from outside whether a query was cut off:
            /// [`rest`](crate::Connect::rest) finds out.
            fn unfinished(&self) -> bool {
                true
            }

            async fn rest(&mut self) -> Result<(), $crate::Error> {
                let result = <$database as $crate::drivers::Driver>::rest(self).await;
                $crate::drivers::connection::without_transaction(self, result)
            }

            async fn load(&mut self) -> Result<Option<$crate::__private::Load>, $crate::Error> {
                let load = <$database as $crate::drivers::Driver>::load(self).await;
                load.map_err($crate::Error::unsound)
            }

            async fn reap(
                &mut self,
                idle: std::time::Duration,
                most: u64,
            ) -> Result<u64, $crate::Error> {
                let ended = <$database as $crate::drivers::Driver>::reap(self, idle, most).await;
                ended.map_err($crate::Error::unsound)
            }

            async fn close(self) {
                // An error says no more than that the server was quicker.
                let _ = sqlx::Connection::close(self).await;
            }
        }

        /// A pool with one connection open. It opens others as they are used, up to
        /// [`max_connections`](crate::Source::max_connections).
        #[diagnostic::do_not_recommend]
        impl $crate::Connect for sqlx::Pool<$database> {
            const EXCLUSIVE: Option<bool> = Some(false);

            async fn connect(source: &$crate::Source) -> Result<Self, $crate::Error> {
                $crate::drivers::pool::open::<$database>(source).await
            }

            /// Asks nothing of the server, as each connection is checked when it is acquired; but a
            /// pool that nobody uses must get all of its connections back.
            async fn check(&mut self) -> Result<(), $crate::Error> {
                while self.unfinished() {
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
                Ok(())
            }

            async fn check_writer(&mut self) -> Result<(), $crate::Error> {
                self.check().await?;
                let mut connection = self.acquire().await.map_err($crate::Error::unsound)?;
                $crate::Connect::check_writer(&mut *connection).await?;
                // Before the handler asks for one, or the pool would open another.
                connection.return_to_pool().await;
                Ok(())
            }

            /// A connection on its way back is pinged by sqlx, which also rolls back what is open
            /// on it.
            fn unfinished(&self) -> bool {
                u32::try_from(self.num_idle()).is_ok_and(|idle| idle < self.size())
            }

            async fn renew(&self, source: &$crate::Source) -> Result<(), $crate::Error> {
                $crate::drivers::pool::renew(self, source).await
            }

            async fn close(self) {
                Self::close(&self).await;
            }
        }

        /// A handler that takes `&mut Transaction<'_, DB>` gets one that is open: committed before
        /// the response is returned if the handler succeeded (no `Err`, no HTTP status of 4xx or
        /// 5xx), else rolled back.
        #[diagnostic::do_not_recommend]
        impl<'t> $crate::Handle for sqlx::Transaction<'t, $database> {
            type Connection = $connection;
            type Open<'c> = sqlx::Transaction<'c, $database>;

            async fn open(
                connection: &mut $connection,
            ) -> Result<sqlx::Transaction<'_, $database>, $crate::Error> {
                $crate::drivers::transaction::begin(connection).await
            }
        }

        /// A COMMIT waits for its answer, for 29 s or until 50 ms before the invocation's
        /// deadline: cut off, it may or may not have happened; later than that it is not sent, and
        /// the transaction rolled back. A ROLLBACK is queued, and sent when the connection is
        /// settled.
        #[diagnostic::do_not_recommend]
        impl $crate::Finish for sqlx::Transaction<'_, $database> {
            async fn finish(self, outcome: $crate::Outcome) -> Result<(), $crate::Error> {
                $crate::drivers::transaction::finish(self, outcome).await
            }
        }
    };
}

use driver;
