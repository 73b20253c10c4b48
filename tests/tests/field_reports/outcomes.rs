//! A failure inside a successful value commits nothing (row 11).

use lambda_bench::lambda::{Event, Sandbox};
use reuse_db_tests::function::program;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::on_each_server;
use serde_json::json;

on_each_server! {
    async fn a_failure_inside_a_value_commits_nothing(server: &impl Server) {
        let sandbox = Sandbox::builder(program("outcome_function"))
            .env("DATABASE_URL", server.url())
            .start()
            .await;
        let mut stored = 0;
        for form in ["json", "result", "api-gateway", "load-balancer", "function-url", "graphql"] {
            for (status, is_kept) in [(200, true), (404, false), (500, false), (200, true)] {
                let event = json!({"form": form, "status": status});
                sandbox.invoke(Event::json(event)).await;
                sandbox.frozen().await;
                stored += i64::from(is_kept);
                let rows = server.number("select count(*) from notes").await;
                assert_eq!(rows, stored, "{form} {status}");
            }
        }
    }
}
