//! In a sandbox that forbids `pidfd_getfd`, everything works except what needs the call.

use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, LOGGED, a_long_freeze, program};
use reuse_db_tests::on_each;

const FORMS: [&str; 4] = ["/conn", "/tx", "/pool", "/any"];

/// Returns the value of a line of `/proc/PID/status`.
fn status(pid: i32, name: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.expect("a line of that name")
        .trim_matches([':', '\t'])
        .to_owned()
}

async fn in_a_process_without_the_call(server: &impl Server) -> Function {
    let launcher = program("without_pidfd_getfd");
    Function::start_sandbox(launcher, server, &LOGGED, |sandbox| {
        sandbox.argument(program("field_function"))
    })
    .await
}

on_each! {
    {
        on_postgres Postgres "", on_mysql Mysql "",
        on_postgres_over_tls Postgres "tls", on_mysql_over_tls Mysql "tls"
    }
    async fn an_idle_sessions_end_fails_nobody(server: &impl Server) {
        for form in FORMS {
            let function = in_a_process_without_the_call(server).await;
            let ask = async |n: usize| {
                let answer = function.script(form, &format!("raw select 'own {n}'")).await;
                assert_eq!(answer.status(), 200, "{form}, invocation {n}: {answer:?}");
                let rows = &answer.json()["rows"];
                assert_eq!(rows[0], format!("own {n}"), "{form}, invocation {n}");
            };
            for n in 0..5 {
                ask(n).await;
            }
            assert_eq!(function.proxy.connections(), 1, "{form}: warm invocations connect again");
            let mode = status(function.sandbox.pid(), "Seccomp");
            assert_eq!(mode, "2", "{form}: no filter in the process of the function");
            assert!(server.end_sessions().await >= 1, "{form}: no session");
            a_long_freeze().await;
            for n in 5..8 {
                ask(n).await;
            }
            assert_eq!(function.proxy.connections(), 2, "{form}: one connection takes over");
            assert_eq!(function.sandbox.starts(), 1, "{form}: the process was replaced");
        }
    }
}
