//! A route for each kind of handler.

/// Defines the handlers for a database. The databases differ in SQL only.
macro_rules! handlers {
    (
        $module:ident, $database:ident, $connection:ident,
        session: $session:literal, add: $add:literal, nap: $nap:literal,
        long_nap: $long_nap:literal, idle_limit: $idle_limit:literal
    ) => {
        pub(crate) mod $module {
            use std::time::Duration;

            use lambda_http::{Body, Error, Request, Response};
            use reuse_db::{LoadShedding, Source, reuse_db};
            use reuse_db_tests::query::{number, word};
            use sqlx::{Connection as _, Pool, Transaction, $connection, $database};
            use tokio::time::timeout;

            use crate::answer::{self, answer};

            /// Runs two statements. The first answer depends on this invocation.
            #[reuse_db]
            pub(crate) async fn add(
                request: Request,
                db: &mut $connection,
            ) -> Result<Response<Body>, Error> {
                let sum: i64 = sqlx::query_scalar($add)
                    .bind(number(&request, "n"))
                    .fetch_one(&mut *db)
                    .await?;
                let session: i64 = sqlx::query_scalar($session).fetch_one(&mut *db).await?;
                answer(200, sum, session)
            }

            /// Runs a statement, and ends in the way of the parameter `how`.
            #[reuse_db]
            pub(crate) async fn end(
                request: Request,
                db: &mut $connection,
            ) -> Result<Response<Body>, Error> {
                let session: i64 = sqlx::query_scalar($session).fetch_one(&mut *db).await?;
                match word(&request, "how").as_str() {
                    "fail" => {
                        let _: String = sqlx::query_scalar("select 'last words'")
                            .fetch_one(&mut *db)
                            .await?;
                        Err(answer::failure())
                    }
                    "panic" => panic!("the handler panics"),
                    "cut" => {
                        let nap = sqlx::query($nap).execute(&mut *db);
                        assert!(
                            timeout(Duration::from_millis(50), nap).await.is_err(),
                            "the nap was cut off"
                        );
                        answer(200, 0, session)
                    }
                    "cut-long" => {
                        let nap = sqlx::query($long_nap).execute(&mut *db);
                        assert!(
                            timeout(Duration::from_millis(50), nap).await.is_err(),
                            "the nap was cut off"
                        );
                        answer(200, 0, session)
                    }
                    "cut-begin" => {
                        let begin = timeout(Duration::from_millis(10), db.begin());
                        assert!(begin.await.is_err(), "the begin was cut off");
                        answer(200, 0, session)
                    }
                    "cut-off" => {
                        sqlx::query($nap).execute(&mut *db).await?;
                        answer(200, 0, session)
                    }
                    "drop-transaction" => {
                        let mut transaction = db.begin().await?;
                        sqlx::query("insert into notes (text) values ('dropped')")
                            .execute(&mut *transaction)
                            .await?;
                        let _: String = sqlx::query_scalar("select 'last words'")
                            .fetch_one(&mut *transaction)
                            .await?;
                        drop(transaction);
                        answer(200, 0, session)
                    }
                    "begin" => {
                        sqlx::raw_sql("begin").execute(&mut *db).await?;
                        sqlx::raw_sql("insert into notes (text) values ('begun')")
                            .execute(&mut *db)
                            .await?;
                        Err(answer::failure())
                    }
                    status => {
                        let _: String = sqlx::query_scalar("select 'last words'")
                            .fetch_one(&mut *db)
                            .await?;
                        answer(status.parse().unwrap_or(200), 0, session)
                    }
                }
            }

            /// Writes a note in a transaction, and ends in the way of the parameter `how`.
            #[reuse_db]
            pub(crate) async fn note(
                request: Request,
                db: &mut Transaction<'_, $database>,
            ) -> Result<Response<Body>, Error> {
                sqlx::query("insert into notes (text) values ('noted')")
                    .execute(&mut **db)
                    .await?;
                let session: i64 = sqlx::query_scalar($session).fetch_one(&mut **db).await?;
                match word(&request, "how").as_str() {
                    "fail" => Err(answer::failure()),
                    "panic" => panic!("the handler panics"),
                    "last-words" => {
                        let _: String = sqlx::query_scalar("select 'last words'")
                            .fetch_one(&mut **db)
                            .await?;
                        answer(200, 0, session)
                    }
                    status => answer(
                        status.parse().unwrap_or(200),
                        number(&request, "n") + 1,
                        session,
                    ),
                }
            }

            /// Returns the idle time after which the server ends the session.
            #[reuse_db]
            pub(crate) async fn idle_limit(db: &mut $connection) -> Result<Response<Body>, Error> {
                let limit: String = sqlx::query_scalar($idle_limit).fetch_one(db).await?;
                Ok(Response::new(limit.into()))
            }

            const POOL: Source = Source::env("DATABASE_URL").max_connections(1);

            /// Runs statements on a pool of one connection. The last transaction is dropped with
            /// `how=drop-transaction`.
            #[reuse_db(source = POOL)]
            pub(crate) async fn pool(
                request: Request,
                pool: &Pool<$database>,
            ) -> Result<Response<Body>, Error> {
                let sum: i64 = sqlx::query_scalar($add)
                    .bind(number(&request, "n"))
                    .fetch_one(pool)
                    .await?;
                let mut transaction = pool.begin().await?;
                let session: i64 = sqlx::query_scalar($session)
                    .fetch_one(&mut *transaction)
                    .await?;
                let _: String = sqlx::query_scalar("select 'last words'")
                    .fetch_one(&mut *transaction)
                    .await?;
                if word(&request, "how") != "drop-transaction" {
                    transaction.commit().await?;
                }
                answer(200, sum, session)
            }

            /// Uses a pool by value, with one more query for `how=last-words`.
            #[reuse_db(source = POOL)]
            pub(crate) async fn own_pool(
                request: Request,
                pool: Pool<$database>,
            ) -> Result<Response<Body>, Error> {
                let sum: i64 = sqlx::query_scalar($add)
                    .bind(number(&request, "n"))
                    .fetch_one(&pool)
                    .await?;
                if word(&request, "how") == "last-words" {
                    sqlx::query("select 'last words'").execute(&pool).await?;
                }
                answer(200, sum, 0)
            }

            const WRITER: Source = Source::env("DATABASE_URL").read_write();

            /// Needs a server that accepts writes.
            #[reuse_db(source = WRITER)]
            pub(crate) async fn write(db: &mut $connection) -> Result<Response<Body>, Error> {
                sqlx::query("insert into notes (text) values ('written')")
                    .execute(&mut *db)
                    .await?;
                answer(200, 0, sqlx::query_scalar($session).fetch_one(db).await?)
            }

            /// Answers a 500 in place of an error.
            #[reuse_db(source = WRITER)]
            pub(crate) async fn write_and_answer(
                db: &mut $connection,
            ) -> Result<Response<Body>, Error> {
                let note = sqlx::query("insert into notes (text) values ('written')");
                let status = if note.execute(db).await.is_ok() {
                    200
                } else {
                    500
                };
                answer(status, 0, 0)
            }

            const WRITING_POOL: Source = POOL.read_write();

            #[reuse_db(source = WRITING_POOL)]
            pub(crate) async fn write_to_a_pool(
                pool: &Pool<$database>,
            ) -> Result<Response<Body>, Error> {
                sqlx::query("insert into notes (text) values ('written')")
                    .execute(pool)
                    .await?;
                answer(200, 0, sqlx::query_scalar($session).fetch_one(pool).await?)
            }

            const SHEDDING: Source = Source::env("DATABASE_URL").load_shedding(
                LoadShedding::new()
                    .threshold_percent(50)
                    .interval(Duration::ZERO),
            );

            /// Closes its connection above half of the server's limit.
            #[reuse_db(source = SHEDDING)]
            pub(crate) async fn shedding(db: &mut $connection) -> Result<Response<Body>, Error> {
                answer(200, 0, sqlx::query_scalar($session).fetch_one(db).await?)
            }

            /// Two of three handlers with the same connection type and source, in two modules.
            pub(crate) mod first {
                use super::*;

                #[reuse_db]
                pub(crate) async fn one(db: &mut $connection) -> Result<i64, sqlx::Error> {
                    sqlx::query($nap).execute(&mut *db).await?;
                    sqlx::query_scalar($session).fetch_one(db).await
                }

                #[reuse_db]
                pub(crate) async fn two(db: &mut $connection) -> Result<i64, sqlx::Error> {
                    sqlx::query($nap).execute(&mut *db).await?;
                    sqlx::query_scalar($session).fetch_one(db).await
                }
            }

            pub(crate) mod second {
                use super::*;

                #[reuse_db]
                pub(crate) async fn three(db: &mut $connection) -> Result<i64, sqlx::Error> {
                    sqlx::query_scalar($session).fetch_one(db).await
                }
            }

            const KEEP_ONE: Source = Source::env("DATABASE_URL").keep(1);

            #[reuse_db(source = KEEP_ONE)]
            pub(crate) async fn kept_alone(db: &mut $connection) -> Result<i64, sqlx::Error> {
                sqlx::query($nap).execute(&mut *db).await?;
                sqlx::query_scalar($session).fetch_one(db).await
            }

            pub(crate) async fn route(request: Request) -> Result<Response<Body>, Error> {
                match request.uri().path() {
                    "/add" => add(request).await,
                    "/wrapped" => match first::two().await {
                        Ok(session) => answer(200, 0, session),
                        Err(error) => Err(answer::wrapped(&word(&request, "how"), error)),
                    },
                    "/end" if word(&request, "how") == "cut-off" => {
                        let cut = timeout(Duration::from_millis(50), end(request)).await;
                        assert!(cut.is_err(), "the handler was cut off");
                        answer(200, 0, 0)
                    }
                    "/end" => end(request).await,
                    "/note" => note(request).await,
                    "/shedding" => shedding().await,
                    "/write" => write().await,
                    "/write-and-answer" => write_and_answer().await,
                    "/write-to-a-pool" => write_to_a_pool().await,
                    "/idle-limit" => idle_limit().await,
                    "/pool" => pool(request).await,
                    "/own-pool" => own_pool(request).await,
                    "/one-after-the-other" => answer::sessions(&[
                        first::one().await?,
                        first::two().await?,
                        second::three().await?,
                    ]),
                    "/two-at-once" => {
                        let (one, two) = tokio::join!(first::one(), first::two());
                        answer::sessions(&[one?, two?])
                    }
                    "/two-at-once-keep-one" => {
                        let (one, two) = tokio::join!(kept_alone(), kept_alone());
                        answer::sessions(&[one?, two?])
                    }
                    path => Err(format!("no route {path}").into()),
                }
            }
        }
    };
}

handlers! {
    postgres, Postgres, PgConnection,
    session: "select pg_backend_pid()::bigint",
    add: "select $1::bigint + 1",
    nap: "select pg_sleep(0.2)",
    long_nap: "select pg_sleep(5)",
    idle_limit: "show idle_session_timeout"
}

handlers! {
    mysql, MySql, MySqlConnection,
    session: "select cast(connection_id() as signed)",
    add: "select cast(? + 1 as signed)",
    nap: "select sleep(0.2)",
    long_nap: "select sleep(5)",
    idle_limit: "select cast(@@session.wait_timeout as char)"
}
