//! The databases of AWS: sign-in by IAM, Aurora DSQL, and secrets.

mod secret;

use url::Url;

use self::secret::Name;
#[cfg(feature = "_sqlx")]
pub(super) use self::secret::doubt_all;
use super::address::{self, Address};
use super::credentials::Origin;
use super::tls::Tls;
use super::{Credentials, Source};
use crate::aws;
use crate::error::Error;

/// A way to sign in to a database of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    RdsIam,
    Dsql,
    Secret(Name),
}

impl Source {
    /// Signs in to RDS, Aurora or RDS Proxy by IAM: with a token in place of a password. Default:
    /// with the URL's password.
    ///
    /// ```
    /// # use reuse_db::Source;
    /// // DATABASE_URL=postgres://app@shop.abc.eu-central-1.rds.amazonaws.com/shop
    /// const SOURCE: Source = Source::env("DATABASE_URL").rds_iam();
    /// ```
    ///
    /// Each new connection gets a token of its own, which is signed here, without a request. The
    /// user, the host and the port are the URL's, and the host must be the endpoint's own name. The
    /// region is in the host's name, or in `AWS_REGION`. The keys are those of the function's
    /// role, which Lambda puts into the environment, or with SnapStart behind an address.
    ///
    /// A token is valid for 15 minutes from the last full five minutes. Within five minutes
    /// sandboxes with the same keys sign the same one, because RDS limits the rate of tokens that
    /// it has not seen, and of no others. A rejected sign-in is retried as for
    /// [`credentials`](Self::credentials).
    ///
    /// TLS is required: `verify-full`, as by [`verified_tls`](Self::verified_tls), unless the URL
    /// asks for `sslmode=require`, or for MySQL `ssl-mode=REQUIRED`. tokio-postgres verifies the
    /// certificate in each mode. MySQL gets the token in clear text over TLS, as RDS demands. To a
    /// server of this machine, `sslmode=disable` is accepted.
    ///
    /// At the server: `grant rds_iam to app`, or for MySQL `create user app identified with
    /// AWSAuthenticationPlugin as 'RDS'`. The function's role needs `rds-db:connect` for
    /// `arn:aws:rds-db:REGION:ACCOUNT:dbuser:RESOURCE/app`.
    /// [On AWS](crate::docs::on_aws) has templates.
    #[must_use]
    pub const fn rds_iam(mut self) -> Self {
        self.credentials = Some(Origin::Aws(Method::RdsIam));
        if matches!(self.tls, Tls::AsUrl) {
            self.tls = Tls::Encrypted;
        }
        self
    }

    /// Connects to Aurora DSQL, and signs in by IAM. For PostgreSQL's clients.
    ///
    /// ```
    /// # use reuse_db::Source;
    /// // DATABASE_URL=postgres://app@abc.dsql.eu-central-1.on.aws
    /// const SOURCE: Source = Source::env("DATABASE_URL").dsql();
    /// ```
    ///
    /// The token is signed as for [`rds_iam`](Self::rds_iam), and TLS is required in the same way.
    /// The user is `admin` if the URL names none, and the database `postgres`. The function's role
    /// needs `dsql:DbConnect`, or `dsql:DbConnectAdmin` for `admin`.
    ///
    /// A session ends after 60 minutes at DSQL, and here after 50 to 55, unless
    /// [`max_lifetime`](Self::max_lifetime) is shorter. Nothing is sent that DSQL does not know:
    /// no limits of the session, no question for the load, no reset. So after a failed invocation
    /// a new connection replaces the old one.
    ///
    /// A serialization failure (40001, with `OC000` or `OC001` in its text) reaches the caller with
    /// its code, from COMMIT too. Retry the transaction in the handler.
    #[must_use]
    pub const fn dsql(mut self) -> Self {
        self.credentials = Some(Origin::Aws(Method::Dsql));
        if matches!(self.tls, Tls::AsUrl) {
            self.tls = Tls::Encrypted;
        }
        self
    }

    /// Returns user name and password for a new connection.
    pub(super) async fn credentials_of_aws(&self, method: Method) -> Result<Credentials, Error> {
        match method {
            Method::RdsIam => {
                self.expect_schemes(&["postgres", "postgresql", "mysql", "mariadb"], "rds_iam")?;
                let Address {
                    host, port, user, ..
                } = self.address()?;
                let user = user.ok_or_else(|| self.no_user())?;
                let token = aws::rds_token(&host, port, &user).await?;
                Ok(Credentials::new(user, token))
            }
            Method::Dsql => {
                self.expect_schemes(&["postgres", "postgresql"], "dsql")?;
                let Address { host, user, .. } = self.address()?;
                let user = user.unwrap_or_else(|| "admin".to_owned());
                let token = aws::dsql_token(&host, &user).await?;
                Ok(Credentials::new(user, token))
            }
            Method::Secret(name) => self.credentials_of_secret(name).await,
        }
    }

    /// Records that the server has rejected what was returned last.
    pub(super) fn doubt_credentials_of_aws(&self, method: Method) {
        match method {
            Method::RdsIam | Method::Dsql => aws::forget_keys(),
            Method::Secret(_) => self.doubt_secret(),
        }
    }

    /// Returns the origin of credentials that did not come in time.
    pub(super) fn slow_origin_of_aws(method: Method) -> &'static str {
        match method {
            Method::RdsIam | Method::Dsql => "from the endpoint for keys of AWS",
            Method::Secret(_) => {
                "from the AWS Parameters and Secrets Lambda Extension: add its layer to the \
                 function, and in a VPC an endpoint for Secrets Manager"
            }
        }
    }

    /// Returns the advice for a sign-in that kept failing.
    pub(super) fn sign_in_advice_of_aws(method: Method) -> &'static str {
        match method {
            Method::RdsIam => {
                "; check that IAM authentication is on, that the user exists and has `rds_iam` \
                 (MySQL: `AWSAuthenticationPlugin`), that the role of the function has \
                 `rds-db:connect` for this user and the resource's ID, and that the host is the \
                 endpoint's own name; a password in the URL is not used"
            }
            Method::Dsql => {
                "; check that the role of the function has `dsql:DbConnect`, for the user `admin` \
                 `dsql:DbConnectAdmin`, that the role is granted to the user (`AWS IAM GRANT`), and \
                 that the host is the cluster's own endpoint"
            }
            Method::Secret(_) => {
                "; check that the secret is that of this server and user; the extension keeps a \
                 secret for up to 300 s (`SECRETS_MANAGER_TTL`)"
            }
        }
    }

    /// Returns a URL with what the method fills in.
    pub(super) fn completed(&self, url: String) -> String {
        if url.trim() != url {
            // Rejected as the URL of any source is.
            return url;
        }
        match self.credentials {
            Some(Origin::Aws(Method::RdsIam)) => with_standard_port(url),
            Some(Origin::Aws(Method::Dsql)) => with_standard_port(with_database(url, "postgres")),
            Some(Origin::Aws(Method::Secret(_))) => self.filled_by_secret(url),
            _ => url,
        }
    }

    #[cfg(feature = "_database")]
    pub(super) fn is_declared_dsql(&self) -> bool {
        self.credentials == Some(Origin::Aws(Method::Dsql))
    }

    fn expect_schemes(&self, schemes: &[&str], method: &str) -> Result<(), Error> {
        let url = self.url()?;
        if !url.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return Err(self.problem(format!(
                "is not a database URL: it must begin with `{}:`, without white space or quotes \
                 before it",
                schemes[0]
            )));
        }
        let scheme = url.split("://").next().unwrap_or_default();
        if schemes.contains(&scheme) {
            return Ok(());
        }
        Err(self.problem(format!(
            "is no `{}:` URL, for which `Source::{method}` signs in",
            schemes[0]
        )))
    }

    fn address(&self) -> Result<Address, Error> {
        let url = self.url()?;
        if let Err(cause) = Url::parse(&url) {
            return Err(self.problem(format!(
                "is not a usable database URL: {cause}; percent-encode special characters in its \
                 user and password"
            )));
        }
        Address::of(&url).ok_or_else(|| {
            self.problem(
                "names no host, for whose name a token is signed: write \
                 `scheme://user@host/database`",
            )
        })
    }

    fn no_user(&self) -> Error {
        self.problem("names no user: write `scheme://user@host/database`")
    }

    /// Returns an example of the URL, for a variable that is not set.
    pub(super) fn example_of_aws(method: Method) -> &'static str {
        match method {
            Method::RdsIam => "`postgres://user@host/database`",
            Method::Dsql => "`postgres://user@ID.dsql.REGION.on.aws`",
            Method::Secret(_) => "`postgres://host/database`, without what the secret has",
        }
    }
}

/// Adds the port for which a token is signed. Otherwise sqlx takes one from `PGPORT`.
fn with_standard_port(url: String) -> String {
    match Url::parse(&url) {
        Ok(mut parsed) if !address::is_path(&url) => {
            if let Some(port) = address::standard_port(parsed.scheme()) {
                add_port(&mut parsed, port);
            }
            parsed.into()
        }
        _ => url,
    }
}

/// Adds a port to a URL that names none.
fn add_port(url: &mut Url, port: u16) {
    let names_port = url.port().is_some() || url.query_pairs().any(|(key, _)| key == "port");
    if !names_port && url.set_port(Some(port)).is_err() {
        // The host is a parameter, too.
        url.query_pairs_mut().append_pair("port", &port.to_string());
    }
}

fn with_database(url: String, database: &str) -> String {
    match Url::parse(&url) {
        Ok(mut parsed) if matches!(parsed.path(), "" | "/") => {
            parsed.set_path(database);
            parsed.into()
        }
        _ => url,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_of_dsql_is_postgres() {
        let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE").dsql();
        let url = |url| source.or(url).url().expect("a URL");
        assert_eq!(
            url("postgres://abc.dsql.us-east-1.on.aws"),
            "postgres://abc.dsql.us-east-1.on.aws:5432/postgres?sslmode=verify-full"
        );
        assert_eq!(
            url("postgres://app@abc.dsql.us-east-1.on.aws/other?sslmode=require"),
            "postgres://app@abc.dsql.us-east-1.on.aws:5432/other?sslmode=require"
        );
    }

    #[tokio::test]
    async fn a_url_for_which_no_token_can_be_signed_is_explained() {
        const SOURCE: Source = Source::env("REUSE_DB_NO_SUCH_VARIABLE").rds_iam();
        for (url, expected) in [
            ("postgres://app@h:99999/d", "invalid port number; percent"),
            ("postgres://app:s3cret/2@h/d", "percent-encode"),
            (" postgres://app@h/d", "without white space or quotes"),
            ("'postgres://app@h/d'", "without white space or quotes"),
            ("sqlite://d", "is no `postgres:` URL"),
            ("postgres:///d", "names no host"),
            ("postgres://h/d", "names no user"),
        ] {
            let error = SOURCE.or(url).current_credentials().await;
            let text = error.map(drop).expect_err(url).to_string();
            assert!(
                text.contains(expected) && !text.contains("s3cret"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_token_and_a_connection_have_one_port() {
        let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE").rds_iam();
        for (url, expected) in [
            (
                "mysql://app@db?ssl-mode=REQUIRED",
                "mysql://app@db:3306?ssl-mode=REQUIRED",
            ),
            (
                "postgres://app@db:1/a?sslmode=require",
                "postgres://app@db:1/a?sslmode=require",
            ),
            (
                "postgres:///a?user=app&host=db&sslmode=require",
                "postgres:///a?user=app&host=db&port=5432&sslmode=require",
            ),
            (
                "postgres://app@db/a?port=2&sslmode=require",
                "postgres://app@db/a?port=2&sslmode=require",
            ),
        ] {
            assert_eq!(source.or(url).url().expect("a URL"), expected);
        }
    }
}
