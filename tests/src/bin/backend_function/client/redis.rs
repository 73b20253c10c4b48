//! redis-rs.

use std::time::Duration;

use lambda_http::Error;
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd, pipe};

use super::{Client, state};

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
