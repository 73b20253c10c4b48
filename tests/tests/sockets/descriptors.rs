//! No descriptor outlives its connection, and a connection needs one to open. The stress test
//! `sockets` opens many more connections.

use reuse_db_tests::descriptors::leave_free;
use reuse_db_tests::function::Function;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::on_each;
use reuse_db_tests::stress::sockets::descriptors::rounds;

use super::{programs, scripted};

const CONNECTIONS: u64 = 200;

on_each! {
    {
        on_postgres Postgres "", on_mysql Mysql "",
        on_postgres_over_tls Postgres "tls", on_mysql_over_tls Mysql "tls"
    }
    async fn closed_connections_leave_no_descriptor(server: &impl Server) {
        rounds(server, &programs(), CONNECTIONS).await.assert_sound();
    }
}

/// Returns the status and the text of the answer to a statement.
async fn ask(function: &Function, form: &str) -> (u16, String) {
    let answer = function.script(form, "raw select 'own'").await;
    (answer.status(), format!("{answer:?}"))
}

on_each! {
    {
        on_postgres Postgres "", on_mysql Mysql "",
        on_postgres_over_tls Postgres "tls", on_mysql_over_tls Mysql "tls"
    }
    async fn one_free_descriptor_is_enough_for_a_connection(server: &impl Server) {
        for form in ["/conn", "/tx", "/pool", "/any"] {
            let function = scripted(server, "plain").await;
            // By then the process has opened what it needs for itself.
            function.sandbox.frozen().await;
            let pid = function.sandbox.pid();
            if form == "/conn" {
                leave_free(pid, 0);
                let (status, answer) = ask(&function, form).await;
                assert_eq!(status, 503, "{form}, none free: {answer}");
            }
            leave_free(pid, 1);
            for n in 0..3 {
                let (status, answer) = ask(&function, form).await;
                assert_eq!(status, 200, "{form}, invocation {n} with one free: {answer}");
            }
            assert_eq!(function.proxy.connections(), 1, "{form}: invocations connect again");
            assert_eq!(function.sandbox.starts(), 1, "{form}: the process was replaced");
        }
    }
}
