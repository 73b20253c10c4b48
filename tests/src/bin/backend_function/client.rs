//! The work of the function with each client.

use std::time::Duration;

use lambda_http::Error;
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd, pipe};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, TransactionTrait as _};
use sqlx::{Connection as _, MySqlConnection, MySqlPool, PgConnection, PgPool};
use tokio_postgres::types::{ToSql, Type as PgType};

/// A client of any kind.
pub(crate) trait Client: Send {
    /// Returns `n` plus one, and the number of the session, in one round trip.
    fn add(&mut self, n: i64) -> impl Future<Output = Result<(i64, i64), Error>> + Send;
    /// Runs a statement of a minute.
    fn block(&mut self) -> impl Future<Output = Result<(), Error>> + Send;
    /// Changes the session, and begins a transaction with a write.
    fn change(&mut self) -> impl Future<Output = Result<(), Error>> + Send;
    /// Runs a statement that the server rejects.
    fn reject(&mut self) -> impl Future<Output = Result<(), Error>> + Send;
    /// Runs a statement in a transaction.
    fn transact(&mut self) -> impl Future<Output = Result<(), Error>> + Send;
    /// Closes the client, if that is a pool.
    fn close(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
    /// Returns `clean` if nothing of a change is seen.
    fn state(&mut self) -> impl Future<Output = Result<String, Error>> + Send;
}

fn state(session: &str, writes: i64) -> String {
    match (session, writes) {
        ("", 0) => "clean".to_owned(),
        _ => format!("session {session:?}, {writes} writes"),
    }
}

const PG_ADD: &str = "select $1::int8 + 1, pg_backend_pid()::int8";
const PG_BLOCK: &str = "select pg_sleep(60)";
const PG_CHANGE: &str = "set application_name = 'changed'";
const PG_STATE: &str = "select case when current_setting('application_name') = 'changed' \
    then 'changed' else '' end, (select count(*) from notes)";

const MYSQL_ADD: &str = "select cast(? + 1 as signed), cast(connection_id() as signed)";
const MYSQL_BLOCK: &str = "select sleep(60)";
const MYSQL_CHANGE: &str = "set @changed = 'changed'";
const MYSQL_STATE: &str =
    "select cast(coalesce(@changed, '') as char), (select count(*) from notes)";

const REJECTED: &str = "select nothing from notes";
const WRITE: &str = "insert into notes (text) values ('begun')";

macro_rules! connection {
    ($connection:ty, $add:ident, $block:ident, $change:ident, $state:ident) => {
        impl Client for &mut $connection {
            async fn add(&mut self, n: i64) -> Result<(i64, i64), Error> {
                Ok(sqlx::query_as($add).bind(n).fetch_one(&mut **self).await?)
            }

            async fn block(&mut self) -> Result<(), Error> {
                sqlx::query($block).execute(&mut **self).await?;
                Ok(())
            }

            async fn change(&mut self) -> Result<(), Error> {
                sqlx::raw_sql($change).execute(&mut **self).await?;
                sqlx::raw_sql("begin").execute(&mut **self).await?;
                sqlx::raw_sql(WRITE).execute(&mut **self).await?;
                Ok(())
            }

            async fn reject(&mut self) -> Result<(), Error> {
                sqlx::query(REJECTED).execute(&mut **self).await?;
                Ok(())
            }

            async fn transact(&mut self) -> Result<(), Error> {
                let mut transaction = self.begin().await?;
                sqlx::query("select 1").execute(&mut *transaction).await?;
                Ok(transaction.commit().await?)
            }

            async fn state(&mut self) -> Result<String, Error> {
                let (session, writes): (String, i64) =
                    sqlx::query_as($state).fetch_one(&mut **self).await?;
                Ok(state(&session, writes))
            }
        }
    };
}

connection!(PgConnection, PG_ADD, PG_BLOCK, PG_CHANGE, PG_STATE);
connection!(
    MySqlConnection,
    MYSQL_ADD,
    MYSQL_BLOCK,
    MYSQL_CHANGE,
    MYSQL_STATE
);

macro_rules! pool {
    ($pool:ty, $add:ident, $block:ident, $change:ident, $state:ident) => {
        impl Client for &$pool {
            async fn add(&mut self, n: i64) -> Result<(i64, i64), Error> {
                Ok(sqlx::query_as($add).bind(n).fetch_one(*self).await?)
            }

            async fn block(&mut self) -> Result<(), Error> {
                sqlx::query($block).execute(*self).await?;
                Ok(())
            }

            async fn change(&mut self) -> Result<(), Error> {
                sqlx::raw_sql($change).execute(*self).await?;
                let mut transaction = self.begin().await?;
                sqlx::raw_sql(WRITE).execute(&mut *transaction).await?;
                Ok(())
            }

            async fn reject(&mut self) -> Result<(), Error> {
                sqlx::query(REJECTED).execute(*self).await?;
                Ok(())
            }

            async fn transact(&mut self) -> Result<(), Error> {
                let mut transaction = self.begin().await?;
                sqlx::query("select 1").execute(&mut *transaction).await?;
                Ok(transaction.commit().await?)
            }

            async fn close(&mut self) {
                <$pool>::close(self).await;
            }

            async fn state(&mut self) -> Result<String, Error> {
                let (session, writes): (String, i64) =
                    sqlx::query_as($state).fetch_one(*self).await?;
                Ok(state(&session, writes))
            }
        }
    };
}

pool!(PgPool, PG_ADD, PG_BLOCK, PG_CHANGE, PG_STATE);
pool!(MySqlPool, MYSQL_ADD, MYSQL_BLOCK, MYSQL_CHANGE, MYSQL_STATE);

impl Client for &DatabaseConnection {
    async fn add(&mut self, n: i64) -> Result<(i64, i64), Error> {
        let backend = self.get_database_backend();
        let sql = match backend {
            DbBackend::Postgres => PG_ADD,
            _ => MYSQL_ADD,
        };
        let statement = sea_orm::Statement::from_sql_and_values(backend, sql, [n.into()]);
        let row = self.query_one_raw(statement).await?.ok_or("no row")?;
        Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))
    }

    async fn block(&mut self) -> Result<(), Error> {
        let sql = match self.get_database_backend() {
            DbBackend::Postgres => PG_BLOCK,
            _ => MYSQL_BLOCK,
        };
        self.execute_unprepared(sql).await?;
        Ok(())
    }

    async fn change(&mut self) -> Result<(), Error> {
        let sql = match self.get_database_backend() {
            DbBackend::Postgres => PG_CHANGE,
            _ => MYSQL_CHANGE,
        };
        self.execute_unprepared(sql).await?;
        let transaction = self.begin().await?;
        transaction.execute_unprepared(WRITE).await?;
        Ok(())
    }

    async fn reject(&mut self) -> Result<(), Error> {
        self.execute_unprepared(REJECTED).await?;
        Ok(())
    }

    async fn transact(&mut self) -> Result<(), Error> {
        self.transaction::<_, (), DbErr>(|transaction| {
            Box::pin(async move { transaction.execute_unprepared("select 1").await.map(drop) })
        })
        .await?;
        Ok(())
    }

    async fn close(&mut self) {
        let _ = (*self).clone().close().await;
    }

    async fn state(&mut self) -> Result<String, Error> {
        let backend = self.get_database_backend();
        let sql = match backend {
            DbBackend::Postgres => PG_STATE,
            _ => MYSQL_STATE,
        };
        let statement = sea_orm::Statement::from_string(backend, sql);
        let row = self.query_one_raw(statement).await?.ok_or("no row")?;
        let session: String = row.try_get_by_index(0)?;
        Ok(state(&session, row.try_get_by_index(1)?))
    }
}

impl Client for &mut tokio_postgres::Client {
    async fn add(&mut self, n: i64) -> Result<(i64, i64), Error> {
        let n: (&(dyn ToSql + Sync), _) = (&n, PgType::INT8);
        let rows = self.query_typed(PG_ADD, &[n]).await?;
        let row = rows.first().ok_or("no row")?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    async fn block(&mut self) -> Result<(), Error> {
        Ok(self.batch_execute(PG_BLOCK).await?)
    }

    async fn change(&mut self) -> Result<(), Error> {
        self.batch_execute(PG_CHANGE).await?;
        self.batch_execute("begin").await?;
        self.execute(WRITE, &[]).await?;
        Ok(())
    }

    async fn reject(&mut self) -> Result<(), Error> {
        self.execute(REJECTED, &[]).await?;
        Ok(())
    }

    async fn transact(&mut self) -> Result<(), Error> {
        let transaction = self.transaction().await?;
        transaction.batch_execute("select 1").await?;
        Ok(transaction.commit().await?)
    }

    async fn state(&mut self) -> Result<String, Error> {
        let row = self.query_one(PG_STATE, &[]).await?;
        Ok(state(row.try_get(0)?, row.try_get(1)?))
    }
}

impl Client for &mut MultiplexedConnection {
    async fn add(&mut self, n: i64) -> Result<(i64, i64), Error> {
        let mut both = pipe();
        both.cmd("ECHO").arg(n + 1).cmd("CLIENT").arg("ID");
        Ok(both.query_async(*self).await?)
    }

    async fn block(&mut self) -> Result<(), Error> {
        let mut command = cmd("BLPOP");
        command.arg("nothing").arg(60);
        command.exec_async(*self).await?;
        // After MULTI the server queues it.
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(())
    }

    async fn change(&mut self) -> Result<(), Error> {
        cmd("CLIENT")
            .arg("SETNAME")
            .arg("changed")
            .exec_async(*self)
            .await?;
        cmd("SELECT").arg(3).exec_async(*self).await?;
        cmd("WATCH").arg("notes").exec_async(*self).await?;
        cmd("MULTI").exec_async(*self).await?;
        Ok(cmd("INCR").arg("notes").exec_async(*self).await?)
    }

    async fn reject(&mut self) -> Result<(), Error> {
        cmd("SET").arg("text").arg("x").exec_async(*self).await?;
        Ok(cmd("LPUSH").arg("text").arg(1).exec_async(*self).await?)
    }

    async fn transact(&mut self) -> Result<(), Error> {
        let mut both = pipe();
        both.atomic().cmd("ECHO").arg(1).ignore();
        Ok(both.exec_async(*self).await?)
    }

    async fn state(&mut self) -> Result<String, Error> {
        let name: Option<String> = cmd("CLIENT").arg("GETNAME").query_async(*self).await?;
        let info: RedisResult<String> = cmd("CLIENT").arg("INFO").query_async(*self).await;
        let database = if info?.contains(" db=0 ") {
            ""
        } else {
            "a database"
        };
        let writes: Option<i64> = cmd("GET").arg("notes").query_async(*self).await?;
        let session = format!("{}{database}", name.unwrap_or_default());
        Ok(state(&session, writes.unwrap_or_default()))
    }
}
