//! The answer of an abandoned statement reaches nobody, whenever it arrives. The stress test
//! `sockets` has many more rounds.

use reuse_db_tests::descriptors::can_be_duplicated;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::on_each;
use reuse_db_tests::stress::sockets::abandoned::{Arrival, begins, rounds};

use super::programs;

/// A handler abandons its statement in three ways, which take turns.
const ROUNDS: usize = 6;

async fn reaches_nobody(server: &impl Server, arrival: Arrival) {
    // Only the socket shows an answer that its handler leaves unread.
    if arrival != Arrival::Unread || can_be_duplicated() {
        let found = rounds(server, &programs(), arrival, ROUNDS).await;
        found.assert_sound();
    }
}

on_each! {
    {
        on_postgres Postgres "", on_mysql Mysql "",
        on_postgres_over_tls Postgres "tls", on_mysql_over_tls Mysql "tls"
    }
    async fn an_answer_that_its_handler_leaves_unread_reaches_nobody(server: &impl Server) {
        reaches_nobody(server, Arrival::Unread).await;
    }

    async fn an_answer_after_the_response_reaches_nobody(server: &impl Server) {
        reaches_nobody(server, Arrival::BeforeFreeze).await;
    }

    async fn an_answer_during_the_freeze_reaches_nobody(server: &impl Server) {
        reaches_nobody(server, Arrival::DuringFreeze).await;
    }

    /// The transaction that the server has begun must not contain the next invocation's write.
    async fn a_write_after_an_abandoned_begin_persists(server: &impl Server) {
        if can_be_duplicated() {
            begins(server, &programs(), ROUNDS).await.assert_sound();
        }
    }
}
