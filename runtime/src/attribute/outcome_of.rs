//! The outcome of a handler's output, whatever its type.

use std::error::Error as StdError;
use std::ops::Deref;

use super::failure;
use crate::response::{HasOutcome, Outcome};

/// The outcome of a handler's output, whatever its type.
///
/// Method resolution picks the implementation: first that of the output's own type, then, step by
/// step through `Deref`, one that knows less of it. So the handler's type needs no trait, and no
/// trait must be in scope at the attribute. The method's name cannot collide with that of a trait
/// which is in scope and implemented for every type.
#[derive(Debug)]
pub struct Judge<'a, T>(OutcomeOrOutcome<'a, T>);

impl<'a, T> Judge<'a, T> {
    /// Wraps a handler's output.
    pub fn new(output: &'a T) -> Self {
        let output = OrError(OrDeref(OrAnyResult(Anything(output))));
        let output = OutcomeOrAny(OrErrorWithOutcome(OrOutcome(output)));
        Self(OutcomeOrOutcome(OutcomeOrError(OutcomeOrDeref(output))))
    }
}

impl<T: HasOutcome> Judge<'_, T> {
    /// Returns the outcome that the output reports.
    #[must_use]
    pub fn __outcome(&self) -> Outcome {
        self.output().outcome()
    }
}

/// Defines the steps of method resolution, each of which contains the next.
macro_rules! steps {
    ($($(#[$doc:meta])* $step:ident($next:ident);)+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $step<'a, T>($next<'a, T>);

        impl<'a, T> Deref for $step<'a, T> {
            type Target = $next<'a, T>;

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }
    )+};
}

steps! {
    /// A `Result` of two types with an outcome.
    OutcomeOrOutcome(OutcomeOrError);
    /// A `Result` of a type with an outcome, and of an error.
    OutcomeOrError(OutcomeOrDeref);
    /// A `Result` of a type with an outcome, and of what dereferences to an error.
    OutcomeOrDeref(OutcomeOrAny);
    /// A `Result` of a type with an outcome, and of anything.
    OutcomeOrAny(OrErrorWithOutcome);
    /// A `Result` of anything, and of an error with an outcome.
    OrErrorWithOutcome(OrOutcome);
    /// A `Result` of anything, and of a type with an outcome.
    OrOutcome(OrError);
    /// A `Result` of anything, and of an error.
    OrError(OrDeref);
    /// A `Result` of anything, and of what dereferences to an error: a box, `anyhow::Error`.
    OrDeref(OrAnyResult);
    /// Any other `Result`.
    OrAnyResult(Anything);
}

/// Any other type, which cannot report a failure.
#[derive(Debug)]
pub struct Anything<'a, T>(&'a T);

impl<'a, T> Deref for Judge<'a, T> {
    type Target = OutcomeOrOutcome<'a, T>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T> Anything<'_, T> {
    fn output(&self) -> &T {
        self.0
    }

    /// Returns a success.
    #[must_use]
    pub fn __outcome(&self) -> Outcome {
        Outcome::Success
    }
}

impl<T: HasOutcome, E: HasOutcome + StdError + 'static> Judge<'_, Result<T, E>> {
    /// Returns the outcome that the value or the error reports.
    #[must_use]
    pub fn __outcome(&self) -> Outcome {
        self.output().as_ref().map_or_else(of_error, T::outcome)
    }
}

impl<T: HasOutcome, E: HasOutcome> OutcomeOrOutcome<'_, Result<T, E>> {
    /// Returns the outcome that the value or the error reports.
    #[must_use]
    pub fn __outcome(&self) -> Outcome {
        self.output().as_ref().map_or_else(reported, T::outcome)
    }
}

impl<T: HasOutcome, E: StdError + 'static> OutcomeOrError<'_, Result<T, E>> {
    /// Returns the outcome that the value reports, or that the error stands for.
    #[must_use]
    pub fn __outcome(&self) -> Outcome {
        let error = |error: &E| failure::outcome(error);
        self.output().as_ref().map_or_else(error, T::outcome)
    }
}

impl<T: HasOutcome, E: Deref<Target: AsError>> OutcomeOrDeref<'_, Result<T, E>> {
    /// Returns the outcome that the value reports, or that the error stands for.
    #[must_use]
    pub fn __outcome(&self) -> Outcome {
        let error = |error: &E| failure::outcome(error.as_error());
        self.output().as_ref().map_or_else(error, T::outcome)
    }
}

impl<T: HasOutcome, E> OutcomeOrAny<'_, Result<T, E>> {
    /// Returns the outcome that the value reports, or a failure for `Err`.
    #[must_use]
    pub fn __outcome(&self) -> Outcome {
        let output = self.output().as_ref();
        output.map_or(Outcome::Failure, T::outcome)
    }
}

impl<T, E: HasOutcome + StdError + 'static> OrErrorWithOutcome<'_, Result<T, E>> {
    /// Returns a success, or the outcome that the error reports.
    #[must_use]
    pub fn __outcome(&self) -> Outcome {
        let error = self.output().as_ref().err();
        error.map_or(Outcome::Success, of_error)
    }
}

impl<T, E: HasOutcome> OrOutcome<'_, Result<T, E>> {
    /// Returns a success, or the outcome that the error reports.
    #[must_use]
    pub fn __outcome(&self) -> Outcome {
        let error = self.output().as_ref().err();
        error.map_or(Outcome::Success, reported)
    }
}

/// Returns the outcome that an error reports. For a failure, the error of the database in it tells
/// more.
fn of_error<E: HasOutcome + StdError + 'static>(error: &E) -> Outcome {
    match reported(error) {
        Outcome::Failure => failure::outcome(error),
        outcome => outcome,
    }
}

/// Returns the outcome that an error reports. An `Err` commits nothing.
fn reported<E: HasOutcome>(error: &E) -> Outcome {
    match error.outcome() {
        Outcome::Success => Outcome::ClientError,
        outcome => outcome,
    }
}

impl<T, E: StdError + 'static> OrError<'_, Result<T, E>> {
    /// Returns a success, or the outcome that the error stands for.
    #[must_use]
    pub fn __outcome(&self) -> Outcome {
        let error = self.output().as_ref().err();
        error.map_or(Outcome::Success, |error| failure::outcome(error))
    }
}

impl<T, E: Deref<Target: AsError>> OrDeref<'_, Result<T, E>> {
    /// Returns a success, or the outcome that the error stands for.
    #[must_use]
    pub fn __outcome(&self) -> Outcome {
        let error = self.output().as_ref().err();
        error.map_or(Outcome::Success, |error| failure::outcome(error.as_error()))
    }
}

impl<T, E> OrAnyResult<'_, Result<T, E>> {
    /// Returns a failure for `Err`, otherwise a success.
    #[must_use]
    pub fn __outcome(&self) -> Outcome {
        if self.output().is_ok() {
            Outcome::Success
        } else {
            Outcome::Failure
        }
    }
}

/// The target of a box with an error. A box with a `dyn Error` is no error itself.
pub trait AsError {
    /// Returns the error.
    fn as_error(&self) -> &(dyn StdError + 'static);
}

macro_rules! as_error {
    ($($error:ty),+) => {$(
        impl AsError for $error {
            fn as_error(&self) -> &(dyn StdError + 'static) {
                self
            }
        }
    )+};
}

as_error! {
    dyn StdError + 'static, dyn StdError + Send + 'static, dyn StdError + Send + Sync + 'static
}

#[cfg(test)]
mod tests {
    use lambda_http::http::{Response, StatusCode};

    use super::*;

    #[test]
    fn reads_each_shape_of_output() {
        let status = |code: u16| {
            Response::builder()
                .status(code)
                .body(())
                .expect("a response")
        };
        assert_eq!(Judge::new(&status(204)).__outcome(), Outcome::Success);
        assert_eq!(Judge::new(&status(404)).__outcome(), Outcome::ClientError);
        assert_eq!(Judge::new(&status(502)).__outcome(), Outcome::Failure);
        assert_eq!(
            Judge::new(&Ok::<_, ()>(status(500))).__outcome(),
            Outcome::Failure
        );
        assert_eq!(
            Judge::new(&Err::<Response<()>, _>(())).__outcome(),
            Outcome::Failure
        );
        let conflict = StatusCode::CONFLICT;
        assert_eq!(Judge::new(&conflict).__outcome(), Outcome::ClientError);
        assert_eq!(
            Judge::new(&Ok::<_, ()>((conflict, "taken"))).__outcome(),
            Outcome::ClientError
        );
        assert_eq!(
            Judge::new(&(conflict, (), "taken")).__outcome(),
            Outcome::ClientError
        );
        assert_eq!(
            Judge::new(&Err::<(), _>(conflict)).__outcome(),
            Outcome::ClientError
        );
        assert_eq!(
            Judge::new(&Err::<StatusCode, _>(conflict)).__outcome(),
            Outcome::ClientError
        );
        assert_eq!(Judge::new(&Ok::<_, ()>(7)).__outcome(), Outcome::Success);
        assert_eq!(
            Judge::new(&Err::<u8, _>("no")).__outcome(),
            Outcome::Failure
        );
        assert_eq!(Judge::new(&7).__outcome(), Outcome::Success);
        let json = serde_json::json!({"statusCode": "502"});
        assert_eq!(Judge::new(&json).__outcome(), Outcome::Failure);
        assert_eq!(
            Judge::new(&Ok::<_, lambda_http::Error>(json)).__outcome(),
            Outcome::Failure
        );
    }

    #[test]
    fn an_error_with_an_outcome_may_reject_the_request() {
        #[derive(Debug, thiserror::Error)]
        #[error("{0:?}")]
        struct Reported(Outcome);

        impl HasOutcome for Reported {
            fn outcome(&self) -> Outcome {
                self.0
            }
        }

        // An `Err` commits nothing.
        let success = Err::<(), _>(Reported(Outcome::Success));
        assert_eq!(Judge::new(&success).__outcome(), Outcome::ClientError);
        for outcome in [Outcome::ClientError, Outcome::Failure, Outcome::Broken] {
            assert_eq!(
                Judge::new(&Err::<(), _>(Reported(outcome))).__outcome(),
                outcome
            );
            assert_eq!(
                Judge::new(&Err::<StatusCode, _>(Reported(outcome))).__outcome(),
                outcome
            );
        }
    }

    #[test]
    fn reads_a_result_of_an_opaque_type() {
        fn opaque() -> Result<impl Sized, ()> {
            Ok(7)
        }
        assert_eq!(Judge::new(&opaque()).__outcome(), Outcome::Success);
    }

    #[cfg(feature = "_sqlx")]
    #[test]
    fn finds_the_error_of_the_database_in_each_type_of_error() {
        use std::sync::Arc;

        fn error() -> sqlx::Error {
            sqlx::Error::RowNotFound
        }
        type Any = Box<dyn StdError>;
        type Sending = Box<dyn StdError + Send>;
        let rejected = Outcome::Rejected;
        assert_eq!(Judge::new(&Err::<(), _>(error())).__outcome(), rejected);
        assert_eq!(
            Judge::new(&Err::<(), _>(Box::new(error()))).__outcome(),
            rejected
        );
        assert_eq!(
            Judge::new(&Err::<(), _>(Arc::new(error()))).__outcome(),
            rejected
        );
        assert_eq!(
            Judge::new(&Err::<(), Any>(error().into())).__outcome(),
            rejected
        );
        let sending: Sending = Box::new(error());
        assert_eq!(Judge::new(&Err::<(), _>(sending)).__outcome(), rejected);
        let boxed: lambda_http::Error = error().into();
        assert_eq!(
            Judge::new(&Err::<Response<()>, _>(boxed)).__outcome(),
            rejected
        );
        let anyhow = anyhow::Error::new(error()).context("in a handler");
        assert_eq!(Judge::new(&Err::<(), _>(anyhow)).__outcome(), rejected);
        let anyhow = anyhow::Error::from_boxed(error().into());
        assert_eq!(
            Judge::new(&Err::<StatusCode, _>(anyhow)).__outcome(),
            Outcome::Failure
        );
        let ours = crate::Error::broken(error());
        assert_eq!(
            Judge::new(&Err::<StatusCode, _>(ours)).__outcome(),
            rejected
        );
        let text: lambda_http::Error = "a text".into();
        assert_eq!(
            Judge::new(&Err::<(), _>(text)).__outcome(),
            Outcome::Failure
        );
    }
}
