//! Messages that a server sends during the handshake make no connection doubtful, such as the
//! session tickets of TLS 1.3.

use std::time::Duration;

use lambda_bench::lambda::Event;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, program};
use reuse_db_tests::on_each;
use tokio::time::sleep;

on_each! {
    {
        on_postgres Postgres "", on_mysql Mysql "",
        on_postgres_over_tls Postgres "tls", on_mysql_over_tls Mysql "tls"
    }
    async fn a_new_connection_is_not_checked(server: &impl Server) {
        for form in ["conn", "pool"] {
            let env = [("SOURCE", "plain"), ("WARM", form)];
            let program = program("field_function");
            let function = Function::start_sandbox(program, server, &env, |sandbox| sandbox).await;
            // Whatever the server sends unasked has arrived.
            sleep(Duration::from_millis(100)).await;
            for n in 1..=3 {
                let event = Event::post(&format!("/{form}"), "raw select 1");
                let answer = function.sandbox.invoke(event).await;
                let stats = &answer.ok().json()["stats"];
                let found = [&stats["opened"], &stats["checked"], &stats["stale"]];
                assert_eq!(found, [1, 0, 0], "{form}, invocation {n}: {stats}");
            }
        }
    }
}
