//! Verified TLS rejects each wrong certificate, and the error names its cause.

use diesel_async::AsyncMysqlConnection;
use lambda_bench::aws::{Authority, Gate, Identity};
use lambda_bench::servers::{Mysql, Postgres};
use lambda_bench::wait::within;
use reuse_db::{Connect, Error, ErrorKind, FromConnection, Lease, Outcome, Source};
use reuse_db_tests::statics::{exclusive, source};
use sqlx::{MySqlConnection, MySqlPool, PgConnection, PgPool};
use tokio_postgres::Client;

/// A server behind a gate without IAM.
trait Behind {
    async fn gate(&self, identity: Identity) -> Gate;
    fn url(gate: &Gate, authority: &Authority) -> String;
}

impl Behind for Postgres {
    async fn gate(&self, identity: Identity) -> Gate {
        Gate::before_postgres(self, identity).await
    }

    fn url(gate: &Gate, authority: &Authority) -> String {
        let (port, file) = (gate.port(), authority.file());
        format!(
            "postgres://app@localhost:{port}/app?sslrootcert={}",
            file.display()
        )
    }
}

impl Behind for Mysql {
    async fn gate(&self, identity: Identity) -> Gate {
        Gate::before_mysql(self, identity).await
    }

    fn url(gate: &Gate, authority: &Authority) -> String {
        let (port, file) = (gate.port(), authority.file());
        format!("mysql://app@localhost:{port}/app?ssl-ca={}", file.display())
    }
}

/// Leases a connection.
async fn lease<H: FromConnection + 'static>(source: Source) -> Result<(), Error> {
    let db = exclusive::<H>(source);
    let mut lease = db.lease().await?;
    Lease::open(&mut lease).await?;
    Lease::settle(lease, Outcome::Success);
    Ok(())
}

async fn pool<P: Connect>(source: Source) -> Result<(), Error> {
    P::connect(&source).await.map(drop)
}

async fn each_wrong_certificate_is_named<S: Behind>(
    server: &S,
    connect: impl AsyncFn(Source) -> Result<(), Error>,
) {
    let authority = Authority::named("Root CA");
    let (other, namesake) = (Authority::new(), Authority::named("Root CA"));
    let connect = async |gate: &Gate, trusted: &Authority| {
        let source = source(S::url(gate, trusted)).verified_tls();
        within("an answer", connect(source)).await
    };
    let right = server.gate(authority.issue(&["localhost"])).await;
    let connected = connect(&right, &authority).await;
    connected.expect("the right name, of the authority");

    let wrong = server.gate(authority.issue(&["db.example"])).await;
    let expired = server.gate(authority.issue_expired(&["localhost"])).await;
    for (gate, trusted, cause) in [
        (&wrong, &authority, "for another name than `localhost`"),
        (&expired, &authority, "the server's certificate has expired"),
        (&right, &other, "no authority that is trusted has signed"),
        (&right, &namesake, "no authority that is trusted has signed"),
    ] {
        let error = connect(gate, trusted).await.expect_err(cause);
        assert!(error.to_string().contains(cause), "{error}");
        assert_eq!(error.kind(), Some(ErrorKind::Rejected), "{error}");
    }
}

#[tokio::test]
async fn each_wrong_certificate_of_postgres_is_named() {
    let server = Gate::postgres().await;
    each_wrong_certificate_is_named(&server, lease::<PgConnection>).await;
    each_wrong_certificate_is_named(&server, lease::<Client>).await;
    each_wrong_certificate_is_named(&server, pool::<PgPool>).await;
}

#[tokio::test]
async fn each_wrong_certificate_of_mysql_is_named() {
    let server = Mysql::start().await;
    each_wrong_certificate_is_named(&server, lease::<MySqlConnection>).await;
    each_wrong_certificate_is_named(&server, lease::<AsyncMysqlConnection>).await;
    each_wrong_certificate_is_named(&server, pool::<MySqlPool>).await;
}
