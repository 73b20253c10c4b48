//! After a failover behind the same host name, a warm sandbox moves to the new writer.

use lambda_bench::lambda::{Answer, Outcome};
use lambda_bench::wait::until;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, a_long_freeze};
use reuse_db_tests::on_each_server;

const NOTES: &str = "select count(*) from notes";

/// Returns a warm function whose server has just handed over to `new`.
async fn after_a_failover<S: Server>(old: &S, new: &S, path: &str) -> Function {
    let function = Function::start(old).await;
    for _ in 0..2 {
        function.invoke(path).await.ok();
    }
    assert_eq!(old.number(NOTES).await, 2);
    old.demote().await;
    function.proxy.retarget(new.addr());
    function
}

/// Reports whether the function failed, which is allowed for a write to a read-only server alone.
fn failed(answer: &Answer) -> bool {
    match &answer.outcome {
        Outcome::Failed(error) => {
            assert!(error.message.contains("read"), "{answer:?}");
            true
        }
        _ => false,
    }
}

/// Without a freeze, the answer to a write shows that the server is read-only.
async fn at_most_one_fails<S: Server>(old: &S, path: &str, failed: impl Fn(&Answer) -> bool) {
    let new = S::launch().await;
    let function = after_a_failover(old, &new, path).await;
    // An inspection after a response may find the old server read-only before a write does.
    until(
        "the first failure or the first write to the new server",
        async || failed(&function.invoke(path).await) || new.number(NOTES).await > 0,
    )
    .await;
    let before = new.number(NOTES).await;
    for _ in 0..3 {
        function.invoke(path).await.ok();
    }
    assert_eq!(new.number(NOTES).await, before + 3);
}

async fn none_fails_after_a_long_freeze<S: Server>(old: &S, path: &str) {
    let new = S::launch().await;
    let function = after_a_failover(old, &new, path).await;
    a_long_freeze().await;
    for _ in 0..3 {
        function.invoke(path).await.ok();
    }
    assert_eq!(new.number(NOTES).await, 3);
}

on_each_server! {
    async fn one_invocation_fails_and_the_next_writes(server: &impl Server) {
        at_most_one_fails(server, "/write", failed).await;
    }

    async fn one_invocation_of_a_pool_fails_and_the_next_writes(server: &impl Server) {
        at_most_one_fails(server, "/write-to-a-pool", failed).await;
    }

    async fn one_invocation_of_any_fails_and_the_next_writes(server: &impl Server) {
        at_most_one_fails(server, "/write-to-any", failed).await;
    }

    /// The handler answers a 500, and keeps the server's error to itself.
    async fn one_response_of_500_is_enough_for_the_next_to_write(server: &impl Server) {
        at_most_one_fails(server, "/write-and-answer", |answer| answer.status() == 500).await;
    }

    async fn no_invocation_fails_after_a_long_freeze(server: &impl Server) {
        none_fails_after_a_long_freeze(server, "/write").await;
    }

    async fn no_invocation_of_a_pool_fails_after_a_long_freeze(server: &impl Server) {
        none_fails_after_a_long_freeze(server, "/write-to-a-pool").await;
    }

    /// The name may lead to another server by then.
    async fn without_read_write_failures_replace_the_connection(server: &impl Server) {
        let function = Function::start(server).await;
        function.invoke("/note").await.ok();
        server.demote().await;
        until("the first failure", async || failed(&function.invoke("/note").await)).await;
        let before = function.proxy.connections();
        for _ in 0..3 {
            let answer = function.invoke("/note").await;
            assert!(answer.error().message.contains("read"), "{answer:?}");
        }
        let opened = function.proxy.connections() - before;
        assert!((1..=2).contains(&opened), "{opened} by three invocations");
    }
}
