//! Annotated handlers in a user's own tests: parallel `#[tokio::test]`s with one static.
//!
//! The first test runs the module `in_parallel` in a process of its own: `DATABASE_URL` must be set
//! before that process starts.

use std::process::Stdio;
use std::time::Duration;

use lambda_bench::servers::Postgres;
use reuse_db_tests::function::server::Server;
use tokio::process::Command;
use tokio::time::timeout;

#[tokio::test]
async fn parallel_tests_of_one_handler_pass_and_their_process_ends() {
    let server = <Postgres as Server>::launch().await;
    for round in 0..3 {
        let tests = Command::new(std::env::current_exe().expect("this program"))
            .args(["--ignored", "in_parallel::", "--test-threads=4"])
            .env("DATABASE_URL", Server::url(&server))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = timeout(Duration::from_secs(60), tests)
            .await
            .expect("the process ends by itself")
            .expect("the process starts");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("4 passed; 0 failed"),
            "round {round}: {text}"
        );
    }
}

mod in_parallel {
    use std::time::{Duration, Instant};

    use reuse_db::reuse_db;
    use sqlx::{Connection as _, PgConnection};
    use tokio::time::timeout;

    /// Far more than a query takes, and less than the pause in which a test blocks its thread.
    const AT_ONCE: Duration = Duration::from_secs(1);
    const PAUSE: Duration = Duration::from_millis(1_500);

    #[reuse_db]
    async fn double(n: i64, db: &mut PgConnection) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar("select $1::bigint * 2")
            .bind(n)
            .fetch_one(db)
            .await
    }

    async fn several_times() {
        for n in 0..20 {
            let doubled = timeout(AT_ONCE, double(n)).await;
            assert!(
                matches!(doubled, Ok(Ok(doubled)) if doubled == n * 2),
                "{n}: {doubled:?}"
            );
        }
    }

    async fn for_longer_than_the_pause() {
        let begun = Instant::now();
        while begun.elapsed() < PAUSE + Duration::from_millis(500) {
            several_times().await;
        }
    }

    #[tokio::test]
    #[ignore = "another test runs this in a process of its own"]
    async fn in_a_runtime_of_one_thread() {
        for_longer_than_the_pause().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "another test runs this in a process of its own"]
    async fn in_a_runtime_of_several_threads() {
        for_longer_than_the_pause().await;
    }

    /// The pause also stops the reactor of this test's connections.
    #[tokio::test]
    #[ignore = "another test runs this in a process of its own"]
    async fn with_a_blocked_thread() {
        several_times().await;
        std::thread::sleep(PAUSE);
        several_times().await;
    }

    #[tokio::test]
    #[ignore = "another test runs this in a process of its own"]
    async fn with_its_own_connection() {
        let url = std::env::var("DATABASE_URL").expect("the other test sets the variable");
        let mut connection = PgConnection::connect(&url).await.expect("a connection");
        let mut transaction = connection.begin().await.expect("a transaction");
        let doubled = double_with(21, &mut transaction).await;
        assert_eq!(doubled.expect("an answer"), 42);
    }
}
