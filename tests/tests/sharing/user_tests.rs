//! Annotated handlers in a user's own tests: `#[tokio::test]`s in parallel, through one static.
//!
//! The tests in `of_a_user` are run by the first one, in a process of their own, as their
//! `DATABASE_URL` must be set before it starts.

mod function;

use std::process::Stdio;
use std::time::Duration;

use function::server::Server;
use lambda_bench::servers::Postgres;
use tokio::process::Command;
use tokio::time::timeout;

#[tokio::test]
async fn the_tests_of_a_user_pass_and_their_process_ends() {
    let server = <Postgres as Server>::launch().await;
    for round in 0..3 {
        let tests = Command::new(std::env::current_exe().expect("this program"))
            .args(["--ignored", "of_a_user::", "--test-threads=4"])
            .env("DATABASE_URL", Server::url(&server))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = timeout(Duration::from_secs(20), tests)
            .await
            .expect("it ends by itself")
            .expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("4 passed; 0 failed"),
            "round {round}: {text}"
        );
    }
}

mod of_a_user {
    use std::time::{Duration, Instant};

    use reuse_db::reuse_db;
    use sqlx::{Connection as _, PgConnection};
    use tokio::time::timeout;

    #[reuse_db]
    async fn double(n: i64, db: &mut PgConnection) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar("select $1::bigint * 2")
            .bind(n)
            .fetch_one(db)
            .await
    }

    async fn several_times() {
        for n in 0..20 {
            let doubled = timeout(Duration::from_secs(1), double(n)).await;
            assert!(
                matches!(doubled, Ok(Ok(doubled)) if doubled == n * 2),
                "{n}: {doubled:?}"
            );
        }
    }

    /// For longer than the other test sleeps.
    async fn for_a_while() {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(2) {
            several_times().await;
        }
    }

    #[tokio::test]
    #[ignore = "run by another test, in a process of its own"]
    async fn one() {
        for_a_while().await;
    }

    /// Keeps its thread, and with it the reactor of its connections, from doing anything.
    #[tokio::test]
    #[ignore = "run by another test, in a process of its own"]
    async fn two() {
        several_times().await;
        std::thread::sleep(Duration::from_millis(1_500));
        several_times().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "run by another test, in a process of its own"]
    async fn three() {
        for_a_while().await;
    }

    #[tokio::test]
    #[ignore = "run by another test, in a process of its own"]
    async fn with_a_connection_of_its_own() {
        let url = std::env::var("DATABASE_URL").expect("the other test sets it");
        let mut connection = PgConnection::connect(&url).await.expect("a connection");
        let mut transaction = connection.begin().await.expect("a transaction");
        assert_eq!(
            double_with(21, &mut transaction).await.expect("an answer"),
            42
        );
    }
}
