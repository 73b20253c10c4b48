//! diesel-async.

use diesel::IntoSql as _;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{
    AnsiTransactionManager, AsyncConnection as _, AsyncMysqlConnection, AsyncPgConnection,
    RunQueryDsl as _, SimpleAsyncConnection as _, TransactionManager as _,
};
use lambda_http::Error;

use super::{
    Client, MYSQL_BLOCK, MYSQL_CHANGE, MYSQL_STATE, PG_BLOCK, PG_CHANGE, PG_STATE, REJECTED, WRITE,
    state,
};

#[diesel::declare_sql_function]
extern "SQL" {
    fn pg_backend_pid() -> Integer;
    fn connection_id() -> Unsigned<BigInt>;
}

#[derive(diesel::QueryableByName)]
struct State {
    #[diesel(sql_type = Text)]
    session: String,
    #[diesel(sql_type = BigInt)]
    writes: i64,
}

macro_rules! connection {
    ($connection:ty, $number:ident: $session:ty, $block:ident, $change:ident, $state:ident, $end:literal) => {
        impl Client for &mut $connection {
            async fn add(&mut self, n: i64) -> Result<(i64, i64), Error> {
                let query = diesel::select((n.into_sql::<BigInt>() + 1_i64, $number()));
                let (sum, session): (i64, $session) = query.get_result(*self).await?;
                Ok((sum, session.try_into()?))
            }

            async fn block(&mut self) -> Result<(), Error> {
                diesel::sql_query($block).execute(*self).await?;
                Ok(())
            }

            async fn change(&mut self) -> Result<(), Error> {
                self.batch_execute($change).await?;
                AnsiTransactionManager::begin_transaction(*self).await?;
                diesel::sql_query(WRITE).execute(*self).await?;
                Ok(())
            }

            async fn reject(&mut self) -> Result<(), Error> {
                diesel::sql_query(REJECTED).execute(*self).await?;
                Ok(())
            }

            async fn transact(&mut self) -> Result<(), Error> {
                let transaction = self.transaction(async |connection| {
                    diesel::sql_query("select 1").execute(connection).await
                });
                transaction.await?;
                Ok(())
            }

            async fn state(&mut self) -> Result<String, Error> {
                let sql = $state.replacen($end, concat!($end, " as session"), 1);
                let sql = sql.replacen("from notes)", "from notes) as writes", 1);
                let found: State = diesel::sql_query(sql).get_result(*self).await?;
                Ok(state(&found.session, found.writes))
            }
        }
    };
}

connection!(AsyncPgConnection, pg_backend_pid: i32, PG_BLOCK, PG_CHANGE, PG_STATE, "end");
connection!(AsyncMysqlConnection, connection_id: u64, MYSQL_BLOCK, MYSQL_CHANGE, MYSQL_STATE, "as char)");
