//! SeaORM.

use lambda_http::Error;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, TransactionTrait as _};

use super::{
    Client, MYSQL_ADD, MYSQL_BLOCK, MYSQL_CHANGE, MYSQL_STATE, PG_ADD, PG_BLOCK, PG_CHANGE,
    PG_STATE, REJECTED, WRITE, state,
};

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
