//! User names and passwords that change.

use std::any::TypeId;

use lambda_http::BoxFuture;

use super::Source;
use crate::error::{BoxError, Error};

/// A user name and a password, for one new connection.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: String,
    password: String,
}

impl Credentials {
    /// Creates credentials from a user name and a password, neither percent-encoded.
    #[must_use]
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            password: password.into(),
        }
    }

    /// Returns the user name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Returns the password or token. Do not log it.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// An async function that returns credentials, for [`Source::credentials`].
///
/// Implemented for every `async fn() -> Result<Credentials, E>` whose error can be boxed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not return credentials",
    label = "not an async function that returns credentials",
    note = "write `async fn credentials() -> Result<reuse_db::Credentials, reuse_db::BoxError>`, and pass `&credentials`"
)]
pub trait ProvideCredentials: Send + Sync + 'static {
    #[doc(hidden)]
    fn ask(&self) -> BoxFuture<'static, Result<Credentials, Error>>;

    /// Returns the function's type, since functions need not have different addresses.
    #[doc(hidden)]
    fn function(&self) -> TypeId;
}

impl<F, A, E> ProvideCredentials for F
where
    F: Fn() -> A + Send + Sync + 'static,
    A: Future<Output = Result<Credentials, E>> + Send + 'static,
    E: Into<BoxError>,
{
    fn ask(&self) -> BoxFuture<'static, Result<Credentials, Error>> {
        let credentials = self();
        Box::pin(async move {
            credentials
                .await
                .map_err(|error| no_credentials(error.into()))
        })
    }

    fn function(&self) -> TypeId {
        TypeId::of::<F>()
    }
}

/// Converts the function's error. It is transient unless the function returned an [`Error`].
fn no_credentials(error: BoxError) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(error) => Error::unavailable(format!("no credentials: {error}")),
    }
}

/// The function of a [`Source`].
#[derive(Clone, Copy)]
pub(crate) struct Provider(pub(crate) &'static dyn ProvideCredentials);

impl PartialEq for Provider {
    fn eq(&self, other: &Self) -> bool {
        // A function item has no size and may have any address.
        self.0.function() == other.0.function()
            && (size_of_val(self.0) == 0
                || std::ptr::addr_eq(std::ptr::from_ref(self.0), std::ptr::from_ref(other.0)))
    }
}

impl Eq for Provider {}

/// The origin of user name and password, if that is not the URL.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Function(Provider),
    #[cfg(feature = "aws")]
    Aws(super::aws::Method),
}

impl Origin {
    pub(super) const fn function(function: &'static dyn ProvideCredentials) -> Self {
        Self::Function(Provider(function))
    }
}

impl Source {
    /// Sets an async function that returns user name and password for each new connection, in
    /// place of those in the URL. Use it for rotating secrets and expiring tokens. Default: none.
    ///
    /// ```
    /// use reuse_db::{BoxError, Credentials, Source};
    ///
    /// async fn secret() -> Result<Credentials, BoxError> {
    ///     let token = /* … ask AWS … */ String::from("…");
    ///     Ok(Credentials::new("app", token))
    /// }
    ///
    /// const SOURCE: Source = Source::env("DATABASE_URL").credentials(&secret);
    /// ```
    ///
    /// The function is called in each attempt to connect, and its time counts toward
    /// [`attempt_timeout`](Self::attempt_timeout).
    ///
    /// If the server rejects the sign-in, the function is called again at once, and then with
    /// pauses of at least 500 ms plus full jitter, until the lease's time is up. So a rotation is
    /// waited for in which the secret follows the server's password. After that the error is
    /// transient ([`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable)), and the client gets
    /// a 503. Without this function a rejected sign-in is permanent. Any other rejection, such as
    /// an unknown database or an invalid certificate, is permanent in any case. The server counts
    /// each of these attempts if it locks users out (MySQL `FAILED_LOGIN_ATTEMPTS`, MariaDB
    /// `max_password_errors`): allow a dozen for each sandbox.
    ///
    /// An error of the function is retried like a server that cannot be reached, unless it is an
    /// [`Error::rejected`].
    ///
    /// For a pool, the function is called when the pool is opened, when a dead connection is
    /// replaced, when the credentials are older than 5 min, and after a failed invocation (at most
    /// once a second). Connections that sqlx opens by itself use the credentials of the opening or
    /// the last renewal, not those of a replacement. A rejected sign-in of such a connection is
    /// not retried. If the handler returns its error, the client gets a 503. Only the invocation
    /// that triggered the call waits for it, for at most `attempt_timeout`.
    ///
    /// On MySQL, RDS requires an IAM token in clear text. It is sent only if the URL has
    /// `ssl-mode=REQUIRED` or stricter. `AnyConnection` does not support credentials.
    #[must_use]
    pub const fn credentials(mut self, function: &'static dyn ProvideCredentials) -> Self {
        self.credentials = Some(Origin::function(function));
        self
    }

    /// Returns user name and password for a new connection, for implementations of
    /// [`Connect`](crate::Connect). They are those of [`credentials`](Self::credentials), or of a
    /// method for AWS. Returns `None` if there is none; then the URL has the credentials.
    ///
    /// # Errors
    ///
    /// Returns the function's error, as [`Error::unavailable`] unless it is an [`Error`].
    pub async fn current_credentials(&self) -> Result<Option<Credentials>, Error> {
        match self.credentials {
            None => Ok(None),
            Some(Origin::Function(provider)) => provider.0.ask().await.map(Some),
            #[cfg(feature = "aws")]
            Some(Origin::Aws(method)) => self.credentials_of_aws(method).await.map(Some),
        }
    }

    /// Returns the origin of credentials that did not come in time.
    pub(crate) fn slow_origin(&self) -> &'static str {
        match self.credentials {
            #[cfg(feature = "aws")]
            Some(Origin::Aws(method)) => Self::slow_origin_of_aws(method),
            _ => "from the function of `Source::credentials`",
        }
    }

    /// Returns an example of the URL.
    pub(super) fn example(&self) -> &'static str {
        match self.credentials {
            #[cfg(feature = "aws")]
            Some(Origin::Aws(method)) => Self::example_of_aws(method),
            _ => "`postgres://user:password@host/database`",
        }
    }

    /// Returns the advice for a sign-in that kept failing with new credentials.
    pub(crate) fn sign_in_advice(&self) -> &'static str {
        match self.credentials {
            #[cfg(feature = "aws")]
            Some(Origin::Aws(method)) => Self::sign_in_advice_of_aws(method),
            _ => "",
        }
    }

    /// Records that the server has rejected the credentials, before they are asked for again.
    pub(crate) fn doubt_credentials(&self) {
        #[cfg(feature = "aws")]
        if let Some(Origin::Aws(method)) = self.credentials {
            self.doubt_credentials_of_aws(method);
        }
    }

    /// Records that a server has rejected the credentials of some source.
    #[cfg(feature = "_sqlx")]
    pub(crate) fn doubt_all_credentials() {
        #[cfg(feature = "aws")]
        super::aws::doubt_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    async fn one() -> Result<Credentials, BoxError> {
        Ok(Credentials::new("app", "s3cret"))
    }

    async fn two() -> Result<Credentials, Error> {
        Err(Error::rejected("no such role"))
    }

    async fn three() -> Result<Credentials, std::io::Error> {
        Err(std::io::ErrorKind::TimedOut.into())
    }

    const ONE: Source = Source::env("X").credentials(&one);
    const TWO: Source = Source::env("X").credentials(&two);

    #[test]
    fn sources_with_the_same_function_are_equal() {
        assert!(ONE == Source::env("X").credentials(&one));
        assert!(ONE != TWO && ONE != Source::env("X"));
    }

    #[tokio::test]
    async fn an_error_is_transient_unless_it_is_ours() {
        let given = ONE.current_credentials().await.expect("given");
        assert_eq!(given, Some(Credentials::new("app", "s3cret")));
        let kind = async |source: Source| {
            let error = source.current_credentials().await.expect_err("not given");
            error.kind()
        };
        assert_eq!(kind(TWO).await, Some(ErrorKind::Rejected));
        let three = Source::env("X").credentials(&three);
        assert_eq!(kind(three).await, Some(ErrorKind::Unavailable));
        assert_eq!(
            Source::env("X").current_credentials().await.ok(),
            Some(None)
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?} {ONE:?}", Credentials::new("app", "s3cret"));
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
