//! tokio-postgres.

use lambda_http::Error;
use tokio_postgres::types::{ToSql, Type};

use super::{Client, PG_ADD, PG_BLOCK, PG_CHANGE, PG_STATE, REJECTED, WRITE, state};

impl Client for &mut tokio_postgres::Client {
    async fn add(&mut self, n: i64) -> Result<(i64, i64), Error> {
        let n: (&(dyn ToSql + Sync), _) = (&n, Type::INT8);
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
