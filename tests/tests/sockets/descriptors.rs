//! No descriptor outlives its connection. The stress test `sockets` opens many more connections.

use reuse_db_tests::function::server::Server;
use reuse_db_tests::on_each;
use reuse_db_tests::stress::sockets::descriptors::rounds;

use super::programs;

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
