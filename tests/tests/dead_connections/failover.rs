//! After a failover a warm sandbox writes to the new writer, which has the old one's name.

mod function;

use function::server::Server;
use function::{Function, a_long_freeze};
use lambda_bench::lambda::{Answer, Outcome};
use lambda_bench::wait::until;

/// Whose server has just handed over to another, behind the same name.
async fn after_a_failover<S: Server>(old: &S, new: &S, path: &str) -> Function {
    let function = Function::start(old).await;
    for _ in 0..2 {
        function.invoke(path).await.ok();
    }
    assert_eq!(old.number("select count(*) from notes").await, 2);
    old.demote().await;
    function.proxy.retarget(new.addr());
    function
}

async fn one_invocation_fails_and_no_more<S: Server>(old: &S, path: &str) {
    one_fails_and_no_more(old, path, |answer| match &answer.outcome {
        Outcome::Failed(error) => {
            assert!(error.message.contains("read"), "{answer:?}");
            true
        }
        _ => false,
    })
    .await;
}

async fn one_fails_and_no_more<S: Server>(
    old: &S,
    path: &str,
    is_failure: impl Fn(&Answer) -> bool,
) {
    let new = S::launch().await;
    let function = after_a_failover(old, &new, path).await;
    // In the middle of its work: only the server can tell, as soon as the session has heard of it.
    until("the first failure", async || {
        is_failure(&function.invoke(path).await)
    })
    .await;
    for _ in 0..3 {
        function.invoke(path).await.ok();
    }
    assert_eq!(new.number("select count(*) from notes").await, 3);
}

async fn none_fails_after_a_long_freeze<S: Server>(old: &S, path: &str) {
    let new = S::launch().await;
    let function = after_a_failover(old, &new, path).await;
    a_long_freeze().await;
    for _ in 0..3 {
        function.invoke(path).await.ok();
    }
    assert_eq!(new.number("select count(*) from notes").await, 3);
}

on_each_server! {
    async fn row_12_an_invocation_that_meets_it_fails_and_the_next_writes(server: &impl Server) {
        one_invocation_fails_and_no_more(server, "/write").await;
    }

    async fn the_same_of_a_pool(server: &impl Server) {
        one_invocation_fails_and_no_more(server, "/write-to-a-pool").await;
    }

    async fn the_same_of_any_connection(server: &impl Server) {
        one_invocation_fails_and_no_more(server, "/write-to-any").await;
    }

    /// It answers a 500 by itself, and keeps the server's error.
    async fn the_same_where_the_handler_answers_for_itself(server: &impl Server) {
        let is_failure = |answer: &Answer| answer.status() == 500;
        one_fails_and_no_more(server, "/write-and-answer", is_failure).await;
    }

    async fn after_a_long_freeze_none_fails(server: &impl Server) {
        none_fails_after_a_long_freeze(server, "/write").await;
    }

    async fn nor_with_a_pool(server: &impl Server) {
        none_fails_after_a_long_freeze(server, "/write-to-a-pool").await;
    }

    /// So it is the source that makes the difference.
    async fn a_source_that_does_not_say_so_stays_where_it_is(server: &impl Server) {
        let function = Function::start(server).await;
        function.invoke("/note").await.ok();
        server.demote().await;
        until("the first failure", async || {
            matches!(function.invoke("/note").await.outcome, Outcome::Failed(_))
        })
        .await;
        for _ in 0..3 {
            let answer = function.invoke("/note").await;
            assert!(answer.error().message.contains("read"), "{answer:?}");
        }
        assert_eq!(function.proxy.connections(), 1);
    }
}
