//! A PostgreSQL session outlives its role. A new role of the same name has other rights, and the
//! old session none.

use std::time::Duration;

use lambda_bench::servers::Postgres;
use reuse_db::{Lease, Outcome, SharedLease};
use reuse_db_tests::statics::{exclusive, shared, source};
use sqlx::{AnyConnection, PgConnection, PgPool};

/// `write` works with the first role `app`, and with the second.
async fn writes_with_both_roles<T>(
    server: &Postgres,
    write: impl AsyncFn() -> Result<T, sqlx::Error>,
    parameter: &str,
) {
    write().await.expect("the right to write");
    server.execute("drop role app").await;
    server
        .execute("create role app login password 's3cret' in role writers")
        .await;
    let written = write().await;
    assert!(written.is_ok(), "{parameter}: {:?}", written.err());
}

#[tokio::test]
async fn a_session_of_a_replaced_role_is_replaced() {
    let server = Postgres::start().await;
    for sql in [
        "alter database app owner to postgres",
        "create role writers",
        "grant writers to app",
        "create table notes (text text)",
        "grant select, insert on notes to writers",
    ] {
        server.execute(sql).await;
    }
    // In the administrator's database, which holds the table.
    let url = server.url();
    let url = url.strip_suffix("app").expect("the database of the URL");
    let source = source(format!("{url}postgres")).verify_after(Duration::ZERO);
    let note = "insert into notes values ('a note')";

    macro_rules! writes_with_both_roles {
        ($connection:ty) => {
            let db = exclusive::<$connection>(source);
            let write = async || {
                let mut lease = db.lease().await?;
                let open = Lease::open(&mut lease).await?;
                let written = sqlx::raw_sql(note).fetch_all(open).await;
                Lease::settle(lease, Outcome::Success);
                written
            };
            writes_with_both_roles(&server, write, stringify!($connection)).await;
        };
    }
    writes_with_both_roles!(PgConnection);
    writes_with_both_roles!(AnyConnection);
    let db = shared::<PgPool>(source);
    let write = async || {
        let lease = db.lease().await?;
        let written = sqlx::raw_sql(note)
            .fetch_all(SharedLease::get(&lease))
            .await;
        SharedLease::settle(lease, Outcome::Success);
        written
    };
    writes_with_both_roles(&server, write, "PgPool").await;
}
