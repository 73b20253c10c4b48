#![deny(warnings)]

use reuse_db::{Source, reuse_db};
use sqlx::SqliteConnection;

const MEMORY: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    struct Local(i64);

    #[reuse_db(source = MEMORY)]
    async fn handler(Local(id): Local, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
        #[reuse_db(source = MEMORY)]
        async fn nested(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
            sqlx::query_scalar("select 1").fetch_one(db).await
        }
        let one = nested().await?;
        let id: i64 = sqlx::query_scalar("select $1").bind(id).fetch_one(db).await?;
        Ok(id + one)
    }

    assert_eq!(handler(Local(6)).await?, 7);
    let both = async {
        {
            #[reuse_db(source = MEMORY)]
            async fn handler(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
                sqlx::query_scalar("select 8").fetch_one(db).await
            }
            handler().await
        }
    };
    assert_eq!(both.await?, 8);
    assert_eq!(HANDLER_DB.stats().opened, 1);
    Ok(())
}
