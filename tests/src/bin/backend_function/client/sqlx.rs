//! Connections and pools of sqlx.

use lambda_http::Error;
use sqlx::{Connection as _, MySqlConnection, MySqlPool, PgConnection, PgPool};

use super::{
    Client, MYSQL_ADD, MYSQL_BLOCK, MYSQL_CHANGE, MYSQL_STATE, PG_ADD, PG_BLOCK, PG_CHANGE,
    PG_STATE, REJECTED, WRITE, state,
};

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
