//! The public traits for sqlx's types.

/// Implements [`Connect`](crate::Connect) for a database's connection and pool, and
/// [`FromConnection`](crate::FromConnection) and [`Finish`](crate::Finish) for its transaction.
///
/// A macro, because generic implementations would overlap with those for every `Connect`.
macro_rules! driver {
    ($database:ty, $connection:ty) => {
        #[diagnostic::do_not_recommend]
        impl $crate::connect::Connect for $connection {
            const DRIVER: Option<$crate::connect::Driver<Self>> =
                Some($crate::connect::Driver::of());

            fn connect(
                source: &$crate::source::Source,
            ) -> impl Future<Output = Result<Self, $crate::error::Error>> + Send {
                $crate::drivers::boxed($crate::drivers::sqlx::session::open_single::<$database>(source))
            }

            fn check(
                &mut self,
                source: &$crate::source::Source,
            ) -> impl Future<Output = Result<(), $crate::error::Error>> + Send {
                let source = *source;
                $crate::drivers::boxed(async move {
                    let result = <$database as $crate::drivers::sqlx::Driver>::check(self, &source).await;
                    $crate::drivers::sqlx::session::without_transaction(self, result)
                })
            }

            /// Returns `true`, because sqlx does not report whether a query was cut off:
            /// [`quiesce`](crate::Connect::quiesce) finds out.
            fn needs_quiesce(&self) -> bool {
                true
            }

            // Not boxed: it runs after each invocation, and usually ends at its first poll.
            async fn quiesce(
                &mut self,
                source: &$crate::source::Source,
            ) -> Result<(), $crate::error::Error> {
                let result = <$database as $crate::drivers::sqlx::Driver>::quiesce(self, source).await;
                $crate::drivers::sqlx::session::without_transaction(self, result)
            }

            fn close(self) -> impl Future<Output = ()> + Send {
                $crate::drivers::boxed(async {
                    // An error only means that the server has closed first.
                    let _ = sqlx::Connection::close(self).await;
                })
            }
        }

        impl $crate::connect::DriverConnect for $connection {
            const IS_EXCLUSIVE: bool = true;
            const INSPECTS: bool = true;
            const COUNTS_ABORTED_HANDSHAKES: bool =
                <$database as $crate::drivers::sqlx::Driver>::COUNTS_ABORTED_HANDSHAKES;

            fn resets_all(source: &$crate::source::Source) -> bool {
                <$database as $crate::drivers::sqlx::Driver>::resets_all(source)
            }

            fn connect_attempt<'a>(
                source: &'a $crate::source::Source,
                attempt: &'a $crate::connect::Attempt,
            ) -> lambda_http::BoxFuture<
                'a,
                Result<(Self, $crate::connect::Link), $crate::error::Error>,
            > {
                Box::pin($crate::drivers::sqlx::session::open::<$database>(source, attempt))
            }

            fn end_session(
                source: &$crate::source::Source,
                session: $crate::connect::SessionId,
            ) -> lambda_http::BoxFuture<'_, Result<(), $crate::error::Error>> {
                Box::pin(<$database as $crate::drivers::sqlx::Driver>::end_session(
                    source, session,
                ))
            }

            fn reset<'a>(
                &'a mut self,
                source: &'a $crate::source::Source,
            ) -> lambda_http::BoxFuture<'a, Result<$crate::connect::Reset, $crate::error::Error>>
            {
                Box::pin(async {
                    let result = <$database as $crate::drivers::sqlx::Driver>::reset(self, source).await;
                    $crate::drivers::sqlx::session::without_transaction(self, result)
                })
            }

            fn inspect<'a>(
                &'a mut self,
                source: &'a $crate::source::Source,
            ) -> lambda_http::BoxFuture<'a, Result<bool, $crate::error::Error>> {
                Box::pin(async {
                    let result =
                        <$database as $crate::drivers::sqlx::Driver>::inspect(self, source).await;
                    $crate::drivers::sqlx::session::without_transaction(self, result)
                })
            }

            fn expect_own_session(
                source: &$crate::source::Source,
            ) -> Result<(), $crate::error::Error> {
                $crate::drivers::target::expect_own_session(source)
            }

            fn clear(&mut self) -> lambda_http::BoxFuture<'_, Result<(), $crate::error::Error>> {
                Box::pin(async {
                    let result = <$database as $crate::drivers::sqlx::Driver>::clear(self).await;
                    result.map_err($crate::error::Error::broken)
                })
            }

            fn server_load<'a>(
                &'a mut self,
                source: &'a $crate::source::Source,
                least_idle: std::time::Duration,
            ) -> lambda_http::BoxFuture<
                'a,
                Result<Option<$crate::source::ServerLoad>, $crate::error::Error>,
            > {
                Box::pin($crate::drivers::sqlx::load::ask::<$database>(
                    self, source, least_idle,
                ))
            }
        }

        /// A pool with one open connection. It opens others as they are needed, up to
        /// [`max_connections`](crate::Source::max_connections).
        #[diagnostic::do_not_recommend]
        impl $crate::connect::Connect for sqlx::Pool<$database> {
            const DRIVER: Option<$crate::connect::Driver<Self>> =
                Some($crate::connect::Driver::of());

            fn connect(
                source: &$crate::source::Source,
            ) -> impl Future<Output = Result<Self, $crate::error::Error>> + Send {
                $crate::drivers::boxed($crate::drivers::sqlx::sqlx_pool::open_single::<$database>(source))
            }

            /// Waits until the pool has all its connections back. Sends nothing, because each
            /// connection is checked when it is acquired, unless the source requires a server
            /// that accepts writes.
            fn check(
                &mut self,
                source: &$crate::source::Source,
            ) -> impl Future<Output = Result<(), $crate::error::Error>> + Send {
                let source = *source;
                $crate::drivers::boxed(async move {
                    $crate::drivers::sqlx::sqlx_pool::check(self, &source).await
                })
            }

            /// Returns `true` while a connection is returning: sqlx pings it and rolls back its
            /// transaction.
            fn needs_quiesce(&self) -> bool {
                $crate::drivers::sqlx::sqlx_pool::has_connection_out(self)
            }

            fn close(self) -> impl Future<Output = ()> + Send {
                $crate::drivers::boxed(async move { Self::close(&self).await })
            }
        }

        impl $crate::connect::DriverConnect for sqlx::Pool<$database> {
            const IS_EXCLUSIVE: bool = false;
            const COUNTS_ABORTED_HANDSHAKES: bool =
                <$database as $crate::drivers::sqlx::Driver>::COUNTS_ABORTED_HANDSHAKES;

            fn resets_all(source: &$crate::source::Source) -> bool {
                <$database as $crate::drivers::sqlx::Driver>::resets_all(source)
            }

            fn connect_attempt<'a>(
                source: &'a $crate::source::Source,
                attempt: &'a $crate::connect::Attempt,
            ) -> lambda_http::BoxFuture<
                'a,
                Result<(Self, $crate::connect::Link), $crate::error::Error>,
            > {
                Box::pin(async {
                    let pool = $crate::drivers::sqlx::sqlx_pool::open::<$database>(source, attempt);
                    Ok((pool.await?, $crate::connect::Link::default()))
                })
            }

            fn is_doubtful(&self) -> bool {
                self.is_closed() || self.size() == 0
            }

            fn shut_down(&self, source: &$crate::source::Source) {
                $crate::drivers::sqlx::sqlx_pool::shut_down(self, source);
            }

            fn recover(
                &self,
                source: &$crate::source::Source,
                cure: $crate::connect::Cure,
            ) -> lambda_http::BoxFuture<'static, ()> {
                let pool = self.clone();
                Box::pin($crate::drivers::sqlx::sqlx_pool::recover(pool, *source, cure))
            }

            fn has_abandoned(source: &$crate::source::Source) -> bool {
                $crate::drivers::sqlx::sqlx_pool::has_abandoned(source)
            }

            fn end_abandoned(
                &self,
                source: &$crate::source::Source,
                unused: $crate::connect::Unused,
            ) -> lambda_http::BoxFuture<'static, ()> {
                let pool = self.clone();
                Box::pin($crate::drivers::sqlx::sqlx_pool::end_abandoned(
                    pool, *source, unused,
                ))
            }

            fn take_opened(&self, source: &$crate::source::Source) -> usize {
                $crate::drivers::sqlx::sqlx_pool::take_opened(source)
            }

            fn idle_connections(&self) -> usize {
                self.num_idle()
            }

            fn tend(
                &self,
                source: &$crate::source::Source,
                inspects: bool,
                least_idle: Option<std::time::Duration>,
            ) -> lambda_http::BoxFuture<
                'static,
                Result<Option<$crate::source::ServerLoad>, $crate::error::Error>,
            > {
                let pool = self.clone();
                Box::pin($crate::drivers::sqlx::sqlx_pool::tend(
                    pool, *source, inspects, least_idle,
                ))
            }

            fn close_idle(
                &self,
                source: &$crate::source::Source,
                most: usize,
            ) -> lambda_http::BoxFuture<'static, (usize, usize)> {
                let (pool, limit) = (self.clone(), source.check_timeout);
                Box::pin($crate::drivers::sqlx::sqlx_pool::close_idle(pool, limit, most))
            }

            fn renew<'a>(
                &'a self,
                source: &'a $crate::source::Source,
            ) -> lambda_http::BoxFuture<'a, Result<(), $crate::error::Error>> {
                Box::pin($crate::drivers::sqlx::sqlx_pool::renew(self, source))
            }
        }

        /// A handler that takes `&mut Transaction<'_, DB>` gets an open transaction. It is
        /// committed before the response is returned if the handler succeeded, otherwise rolled
        /// back: after an `Err`, and after an HTTP status of 4xx or 5xx.
        #[diagnostic::do_not_recommend]
        impl<'t> $crate::connect::FromConnection for sqlx::Transaction<'t, $database> {
            type Connection = $connection;
            type Open<'c> = sqlx::Transaction<'c, $database>;

            fn open<'c>(
                connection: &'c mut $connection,
                source: &$crate::source::Source,
            ) -> impl Future<
                Output = Result<sqlx::Transaction<'c, $database>, $crate::error::Error>,
            > + Send {
                let source = *source;
                $crate::drivers::boxed(async move {
                    $crate::drivers::sqlx::transaction::begin(connection, &source).await
                })
            }
        }

        /// A COMMIT waits for its answer for 29 s, or until 120 ms before the invocation's
        /// deadline. If that time is up before COMMIT is sent, the transaction is rolled back.
        /// If it is up later, the outcome is unknown. A ROLLBACK is queued, and sent when the
        /// connection is released.
        #[diagnostic::do_not_recommend]
        impl $crate::connect::Finish for sqlx::Transaction<'_, $database> {
            fn finish(
                self,
                outcome: $crate::response::Outcome,
            ) -> impl Future<Output = Result<(), $crate::error::Error>> + Send {
                $crate::drivers::boxed($crate::drivers::sqlx::transaction::finish(self, outcome))
            }
        }
    };
}

pub(super) use driver;
