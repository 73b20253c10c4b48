//! The narrowest limit counts: the server's less the reserved slots, the role's, the database's, or
//! the account's. Other clients fill each of them.

use lambda_bench::servers::{Mysql, PASSWORD, Postgres};
use lambda_bench::wait::until;
use reuse_db_tests::function::Function;
use reuse_db_tests::function::server::Server;
use sqlx::{Connection, MySqlConnection, PgConnection};

use crate::{ABOVE, LIMIT, NOTHING, SHARE, fill, run};

const FORMS: [&str; 3] = ["/conn", "/pool", "/any"];

/// Fills a server up to three numbers of connections, and checks whether a sandbox keeps its own.
///
/// `url` is that of the clients whose connections count toward the limit.
async fn counts<C: Connection>(server: &impl Server, url: &str) {
    let mut others = fill::<C>(url, SHARE - 4).await;
    for form in FORMS {
        let function = Function::start_scripted(server, "plain").await;
        for _ in 0..2 {
            run(&function, form, NOTHING).await;
        }
        assert_eq!(function.proxy.connections(), 1, "{form}: there is room");
    }

    others.extend(fill(url, ABOVE - others.len()).await);
    for form in FORMS {
        let function = Function::start_scripted(server, "plain").await;
        run(&function, form, NOTHING).await;
        let stats = run(&function, form, NOTHING).await;
        let counted = (stats.get("opened"), stats.get("shed"));
        assert_eq!(counted, (2, 1), "{form}: there is none; {stats:?}");
    }

    // The server lists an ended session for a moment.
    until("the limit", async || match C::connect(url).await {
        Ok(other) => {
            others.push(other);
            false
        }
        Err(_) => others.len() == LIMIT,
    })
    .await;
    let function = Function::start_scripted(server, "plain").await;
    let meets_it = async {
        until("a rejected attempt", async || {
            function.proxy.connections() >= 2
        })
        .await;
        drop(others.pop());
    };
    let (answer, ()) = tokio::join!(function.script("/conn", NOTHING), meets_it);
    answer.ok();
    let stats = run(&function, "/conn", NOTHING).await;
    let counted = (stats.get("load_queries"), stats.get("shed"));
    assert_eq!(counted, (0, 1), "it met the limit; {stats:?}");
}

/// Checks that a sandbox keeps its connection beside clients whose connections do not count.
async fn counts_not<C: Connection>(server: &impl Server, url: &str) {
    let _others = fill::<C>(url, ABOVE).await;
    for form in FORMS {
        let function = Function::start_scripted(server, "plain").await;
        for _ in 0..3 {
            let stats = run(&function, form, NOTHING).await;
            assert_eq!((stats.get("opened"), stats.get("shed")), (1, 0), "{form}");
        }
    }
}

/// Starts a server with the user and the database `other`.
async fn postgres(settings: &[(&str, &str)]) -> Postgres {
    let mut builder = Postgres::builder();
    for (name, value) in settings {
        builder = builder.setting(name, value);
    }
    let server = builder.start().await;
    let role = format!("create role other login password '{PASSWORD}'");
    server.execute(&role).await;
    server.execute("create database other").await;
    server
}

fn postgres_url(server: &Postgres, user: &str, database: &str) -> String {
    let url = server.url().replace("//app:", &format!("//{user}:"));
    let (server, _) = url.rsplit_once('/').expect("a URL with a database");
    format!("{server}/{database}")
}

#[tokio::test]
async fn the_servers_limit_counts_on_postgres() {
    let server = postgres(&[
        ("max_connections", "25"),
        ("superuser_reserved_connections", "5"),
    ])
    .await;
    counts::<PgConnection>(&server, &postgres_url(&server, "other", "other")).await;
}

#[tokio::test]
async fn the_roles_limit_counts_on_postgres() {
    let server = postgres(&[]).await;
    server.execute("alter role app connection limit 20").await;
    counts_not::<PgConnection>(&server, &postgres_url(&server, "other", "app")).await;
    counts::<PgConnection>(&server, &postgres_url(&server, "app", "other")).await;
}

#[tokio::test]
async fn the_databases_limit_counts_on_postgres() {
    let server = postgres(&[]).await;
    server
        .execute("alter database app connection limit 20")
        .await;
    counts_not::<PgConnection>(&server, &postgres_url(&server, "app", "other")).await;
    counts::<PgConnection>(&server, &postgres_url(&server, "other", "app")).await;
}

/// The role's limit is the nearest of three.
#[tokio::test]
async fn the_narrowest_limit_counts_on_postgres() {
    let server = postgres(&[("max_connections", "40")]).await;
    server
        .execute("alter database app connection limit 30")
        .await;
    server.execute("alter role app connection limit 20").await;
    counts::<PgConnection>(&server, &postgres_url(&server, "app", "app")).await;
}

/// Starts a server with the user `other`.
async fn mysql(settings: &[(&str, &str)]) -> Mysql {
    let mut builder = Mysql::builder();
    for (name, value) in settings {
        builder = builder.setting(name, value);
    }
    let server = builder.start().await;
    let user = format!("create user other@'%' identified by '{PASSWORD}'");
    server.execute(&user).await;
    server.execute("grant all on app.* to other@'%'").await;
    server
}

fn mysql_url(server: &Mysql, user: &str) -> String {
    server.url().replace("//app:", &format!("//{user}:"))
}

#[tokio::test]
async fn the_servers_limit_counts_on_mysql() {
    let server = mysql(&[("max-connections", "20")]).await;
    counts::<MySqlConnection>(&server, &mysql_url(&server, "other")).await;
}

#[tokio::test]
async fn the_accounts_limit_counts_on_mysql() {
    let server = mysql(&[]).await;
    server
        .execute("alter user app@'%' with max_user_connections 20")
        .await;
    counts_not::<MySqlConnection>(&server, &mysql_url(&server, "other")).await;
    counts::<MySqlConnection>(&server, &mysql_url(&server, "app")).await;
}

#[tokio::test]
async fn the_limit_of_all_accounts_counts_on_mysql() {
    let server = mysql(&[("max-user-connections", "20")]).await;
    counts_not::<MySqlConnection>(&server, &mysql_url(&server, "other")).await;
    counts::<MySqlConnection>(&server, &mysql_url(&server, "app")).await;
}
