//! The pages under the Lambda emulator, on PostgreSQL and Redis.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use lambda_bench::lambda::{Answer, Event, Sandbox};
use lambda_bench::proxy::Proxy;
use lambda_bench::servers::{Postgres, Redis};
use sqlx::{Connection as _, PgConnection};

struct Pages {
    sandbox: Sandbox,
    writer: Proxy,
    reader: Proxy,
    cache: Proxy,
    postgres: Postgres,
    redis: Redis,
}

impl Pages {
    async fn start() -> Self {
        let (postgres, redis) = (Postgres::start().await, Redis::start().await);
        let mut db = PgConnection::connect(&postgres.url())
            .await
            .expect("a connection");
        let schema = sqlx::raw_sql(include_str!("../schema.sql"));
        schema.execute(&mut db).await.expect("a table");
        db.close().await.expect("an end");
        let writer = Proxy::start(postgres.addr()).await;
        let reader = Proxy::start(postgres.addr()).await;
        let cache = Proxy::start(redis.addr()).await;
        let sandbox = Sandbox::builder(env!("CARGO_BIN_EXE_cache"))
            .env("WRITER_URL", postgres.url_at(writer.port()))
            .env("READER_URL", postgres.url_at(reader.port()))
            .env("REDIS_URL", redis.url_at(cache.port()))
            .timeout(Duration::from_secs(10))
            .start()
            .await;
        Self {
            sandbox,
            writer,
            reader,
            cache,
            postgres,
            redis,
        }
    }

    /// Invokes it and waits for the freeze that follows.
    async fn send(&self, event: Event) -> Answer {
        let answer = self.sandbox.invoke(event).await;
        self.sandbox.frozen().await;
        answer
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.send(Event::request("GET", path)).await;
        (answer.status(), answer.text().to_owned())
    }

    async fn put(&self, path: &str, content: &str) -> u16 {
        let event = Event::request("PUT", path).body(content);
        self.send(event).await.status()
    }

    async fn change_behind_the_cache(&self, path: &str) {
        let mut db = PgConnection::connect(&self.postgres.url())
            .await
            .expect("a connection");
        let change = sqlx::query("update pages set content = 'changed' where path = $1").bind(path);
        let changed = change.execute(&mut db).await.expect("a change");
        assert_eq!(changed.rows_affected(), 1);
        db.close().await.expect("an end");
    }

    /// Returns the numbers of connections so far: writer, reader, cache.
    fn connections(&self) -> [u64; 3] {
        [&self.writer, &self.reader, &self.cache].map(Proxy::connections)
    }
}

#[tokio::test]
async fn a_page_is_read_once_and_served_from_the_cache() {
    let pages = Pages::start().await;
    assert_eq!(pages.get("/index").await.0, 404);
    assert_eq!(pages.connections(), [0, 1, 1], "the writer is not needed");
    for content in ["hello", "hello again"] {
        assert_eq!(pages.put("/index", content).await, 204);
        assert_eq!(pages.get("/index").await, (200, content.to_owned()));
        pages.change_behind_the_cache("/index").await;
        for _ in 0..2 {
            assert_eq!(pages.get("/index").await, (200, content.to_owned()));
        }
    }
    assert_eq!(pages.connections(), [1, 1, 1]);
}

#[tokio::test]
async fn without_the_cache_the_two_others_are_released_and_stay_open() {
    let pages = Pages::start().await;
    assert_eq!(pages.put("/index", "hello").await, 204);
    assert_eq!(pages.get("/index").await.0, 200);
    pages.redis.stop().await;
    assert_eq!(pages.get("/index").await.0, 503);
    pages.redis.start_again().await;
    assert_eq!(pages.put("/index", "hello again").await, 204);
    assert_eq!(pages.get("/index").await, (200, "hello again".to_owned()));
    let [writer, reader, _] = pages.connections();
    assert_eq!((writer, reader), (1, 1));
    assert_eq!(pages.postgres.sessions().await.len(), 2);
}
