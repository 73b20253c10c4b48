//! No client reads another's rows, and no success hides a failure.

use reuse_db_tests::function::Function;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::on_each_server;

on_each_server! {
    async fn each_form_runs_a_script(server: &impl Server) {
        let function = Function::start_scripted(server, "plain").await;
        for form in ["/conn", "/tx", "/pool"] {
            let rows = function.rows(form, "select 'a'").await;
            assert_eq!(rows, ["a"], "{form}");
        }
    }
}
