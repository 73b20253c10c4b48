//! User names and passwords that change.

use std::any::TypeId;
use std::cell::Cell;
use std::pin::Pin;

use crate::error::BoxError;
use crate::{Error, Source};

/// A user name and a password, for one new connection.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: String,
    password: String,
}

impl Credentials {
    /// Whom to sign in as, and with what. Neither is percent-encoded.
    #[must_use]
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            password: password.into(),
        }
    }

    /// The user's name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password, or a token in its place. Do not log it.
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

/// What [`Source::credentials`] takes: an `async fn() -> Result<Credentials, E>`, whose error is one of
/// ours or can be boxed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not yield credentials",
    label = "not an async function that does",
    note = "write `async fn credentials() -> Result<reuse_db::Credentials, reuse_db::BoxError>`, and pass `&credentials`"
)]
pub trait ProvideCredentials: Send + Sync + 'static {
    #[doc(hidden)]
    fn ask(&self) -> Asked;

    /// Tells functions apart, which have no address of their own.
    #[doc(hidden)]
    fn function(&self) -> TypeId;
}

type Asked = Pin<Box<dyn Future<Output = Result<Credentials, Error>> + Send>>;

impl<F, A, E> ProvideCredentials for F
where
    F: Fn() -> A + Send + Sync + 'static,
    A: Future<Output = Result<Credentials, E>> + Send + 'static,
    E: Into<BoxError>,
{
    fn ask(&self) -> Asked {
        let asked = self();
        Box::pin(async move { asked.await.map_err(|error| not_given(error.into())) })
    }

    fn function(&self) -> TypeId {
        TypeId::of::<F>()
    }
}

/// They may be had later, unless the function says otherwise with an error of ours.
fn not_given(error: BoxError) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(error) => Error::unavailable(format!("no credentials: {error}")),
    }
}

tokio::task_local! {
    /// Whether the try to connect that is being made is asking for its credentials.
    static ASKING: Cell<bool>;
}

/// Makes a try to connect, and says whether it was asking for credentials when it ended.
pub(crate) async fn watched<T>(attempt: impl Future<Output = T>) -> (T, bool) {
    let attempt = async {
        let result = attempt.await;
        (result, ASKING.with(Cell::get))
    };
    ASKING.scope(Cell::new(false), attempt).await
}

fn asking(is_asking: bool) {
    let _ = ASKING.try_with(|asking| asking.set(is_asking));
}

/// The function of a [`Source`].
#[derive(Clone, Copy)]
pub(crate) struct Provider(pub(crate) &'static dyn ProvideCredentials);

impl PartialEq for Provider {
    fn eq(&self, other: &Self) -> bool {
        // A function's item is of no size, and may have any address.
        self.0.function() == other.0.function()
            && (size_of_val(self.0) == 0
                || std::ptr::addr_eq(std::ptr::from_ref(self.0), std::ptr::from_ref(other.0)))
    }
}

impl Eq for Provider {}

impl Source {
    /// The credentials to sign in with, asked for now; `None` if the source has no function for
    /// them, and the URL says it. For those who implement [`Connect`](crate::Connect).
    ///
    /// # Errors
    ///
    /// What the function answers, as [`Error::unavailable`] unless it is an [`Error`].
    pub async fn current_credentials(&self) -> Result<Option<Credentials>, Error> {
        match self.credentials {
            Some(provider) => {
                asking(true);
                let credentials = provider.0.ask().await;
                asking(false);
                credentials.map(Some)
            }
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn sources_are_equal_if_their_functions_are() {
        assert!(ONE == Source::env("X").credentials(&one));
        assert!(ONE != TWO && ONE != Source::env("X"));
    }

    #[tokio::test]
    async fn an_error_may_pass_unless_it_says_otherwise() {
        let given = ONE.current_credentials().await.expect("given");
        assert_eq!(given, Some(Credentials::new("app", "s3cret")));
        let kind = async |source: Source| {
            let error = source.current_credentials().await.expect_err("not given");
            error.kind()
        };
        assert_eq!(kind(TWO).await, Some(crate::Kind::Rejected));
        let three = Source::env("X").credentials(&three);
        assert_eq!(kind(three).await, Some(crate::Kind::Unavailable));
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
