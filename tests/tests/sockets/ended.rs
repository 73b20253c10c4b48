//! A connection that ends within `verify_after` fails no invocation. The stress test `sockets` has
//! many more rounds.

use reuse_db_tests::descriptors::can_be_duplicated;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::on_each;
use reuse_db_tests::stress::sockets::ended::{Fault, rounds};

use super::programs;

const ROUNDS: usize = 3;

async fn fails_nobody(server: &impl Server, fault: Fault) {
    if can_be_duplicated() {
        let found = rounds(server, &programs(), fault, ROUNDS).await;
        found.assert_sound();
    }
}

on_each! {
    {
        on_postgres Postgres "", on_mysql Mysql "",
        on_postgres_over_tls Postgres "tls", on_mysql_over_tls Mysql "tls"
    }
    async fn a_session_that_the_server_has_just_ended_fails_nobody(server: &impl Server) {
        fails_nobody(server, Fault::SessionEnded).await;
    }

    async fn a_connection_that_was_just_closed_fails_nobody(server: &impl Server) {
        fails_nobody(server, Fault::Close).await;
    }

    async fn a_connection_that_was_just_reset_fails_nobody(server: &impl Server) {
        fails_nobody(server, Fault::Reset).await;
    }

    async fn a_server_that_has_just_restarted_fails_nobody(server: &impl Server) {
        fails_nobody(server, Fault::Restart).await;
    }
}
