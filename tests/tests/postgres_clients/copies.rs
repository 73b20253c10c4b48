//! COPY that is rejected, dropped or kept.

use std::time::Duration;

use super::{Function, of_user};

/// rust-postgres 789: a rejected COPY has two answers, and the client expects one.
#[tokio::test]
async fn a_rejected_copy_shifts_no_answer() {
    let function = Function::start("/client").await;
    for n in 0..50 {
        function.ok("copy copy nothing from stdin").await;
        let own = format!("query select 'nonce {n}'");
        assert_eq!(function.ok(&own).await, format!("nonce {n}"));
    }
}

/// rust-postgres 1109: a COPY without its end holds its locks.
#[tokio::test]
async fn a_copy_without_its_end_leaves_nothing() {
    let function = Function::start("/client").await;
    for step in [
        "half-copy copy items from stdin",
        "keep-copy copy items from stdin",
        "ignore copy items from stdin",
        "ignore begin; lock table items; copy items from stdin",
        "half-copy copy items from stdin\nfail",
        "keep-copy copy items from stdin\nfail",
        "keep-copy copy items from stdin\npanic",
        "half-rows copy items to stdout",
    ] {
        let begun = tokio::time::Instant::now();
        let _ = function.run_at("/client", step).await;
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(5), "{step}: {took:?}");
        let mut other = of_user(&function.postgres).await;
        sqlx::raw_sql("set lock_timeout = '2s'; begin; lock table items; rollback")
            .execute(&mut other)
            .await
            .expect("the lock is free");
        function.expect_own_answers().await;
    }
    assert_eq!(function.sandbox.starts(), 1, "the process lives on");
}
