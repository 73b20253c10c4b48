//! The transaction of tokio-postgres as a parameter.

use lambda_bench::lambda::Answer;

use super::Function;

const INSERT: &str = "sql insert into items values (1, 'one')";

impl Function {
    /// Returns the number of items, and removes them.
    async fn take_items(&self) -> String {
        let count = self
            .run_at(
                "/client",
                "query select count(*) from items\nsql delete from items",
            )
            .await;
        count.ok().text().to_owned()
    }

    async fn insert_and(&self, steps: &str) -> Answer {
        self.run_at("/transaction", &format!("{INSERT}\n{steps}"))
            .await
    }
}

#[tokio::test]
async fn a_success_commits_and_a_failure_rolls_back() {
    let function = Function::start("/transaction").await;
    for (steps, items) in [("query select 1", "1"), ("fail", "0"), ("panic", "0")] {
        let answer = function.insert_and(steps).await;
        assert_eq!(function.take_items().await, items, "{steps}: {answer:?}");
    }
    assert_eq!(function.sandbox.starts(), 1, "the process lives on");
}

/// rust-postgres 1334: a COMMIT that the server answers with ROLLBACK is a success to the client.
#[tokio::test]
async fn a_transaction_that_cannot_commit_is_an_error() {
    let function = Function::start("/transaction").await;
    for (steps, explanation) in [
        ("ignore select 1/0", "a statement in the transaction failed"),
        (
            "half-rows select (1 / (3 - n))::text from generate_series(1, 9) n",
            "a statement in the transaction failed",
        ),
        (
            "abandon select pg_sleep(60)",
            "that the handler has abandoned",
        ),
        (
            "sql rollback",
            "a statement of the handler ended the transaction",
        ),
        (
            "sql commit",
            "a statement of the handler ended the transaction",
        ),
        (
            "sql rollback; begin",
            "a statement of the handler ended the transaction",
        ),
        (
            "sql rollback and chain",
            "a statement of the handler ended the transaction",
        ),
        (
            "sql commit and chain",
            "a statement of the handler ended the transaction",
        ),
        (
            "sql alter table items add constraint later unique (id) deferrable initially deferred\n\
             sql insert into items values (1, 'twice')",
            "duplicate key",
        ),
    ] {
        let answer = function.insert_and(steps).await;
        let error = format!("{:?}", answer.error());
        assert!(error.contains(explanation), "{steps}: {error}");
        let kept = if steps.contains("commit") { "1" } else { "0" };
        assert_eq!(function.take_items().await, kept, "{steps}");
    }
}

#[tokio::test]
async fn a_savepoint_or_a_second_begin_changes_nothing() {
    let function = Function::start("/transaction").await;
    for steps in [
        "sql savepoint a; insert into items values (2, 'two'); rollback to a",
        "sql savepoint a\nsql release a",
        "sql begin",
    ] {
        function.insert_and(steps).await.ok();
        assert_eq!(function.take_items().await, "1", "{steps}");
    }
}
