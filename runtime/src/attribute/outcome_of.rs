//! The outcome of a handler's output, whatever its type.

use lambda_http::http::{Response, StatusCode};

use crate::response::Outcome;

/// A type with an HTTP status: a response, or what axum converts into one (a status, alone or
/// first in a tuple).
pub trait HasStatus {
    /// Returns the response's status.
    fn status(&self) -> StatusCode;
}

impl<B> HasStatus for Response<B> {
    fn status(&self) -> StatusCode {
        self.status()
    }
}

impl HasStatus for StatusCode {
    fn status(&self) -> StatusCode {
        *self
    }
}

macro_rules! first_in_a_tuple {
    ($(($($part:ident),+))*) => {$(
        impl<$($part),+> HasStatus for (StatusCode, $($part),+) {
            fn status(&self) -> StatusCode {
                self.0
            }
        }
    )*};
}

first_in_a_tuple! { (A) (A, B) (A, B, C) (A, B, C, D) }

/// The outcome of a handler's output, whatever its type.
///
/// Method resolution picks the implementation: first a type with a status or a `Result` of one,
/// then, through `Deref`, any other `Result`, then any type. So the handler's type needs no
/// trait, and no trait must be in scope at the attribute. The method's name cannot collide with
/// that of a trait which is in scope and implemented for every type.
#[derive(Debug)]
pub struct Judge<'a, T>(AnyResult<'a, T>);

/// The second choice: any `Result`.
#[derive(Debug)]
pub struct AnyResult<'a, T>(Anything<'a, T>);

/// The last choice: any other type, which cannot report a failure.
#[derive(Debug)]
pub struct Anything<'a, T>(&'a T);

impl<'a, T> Judge<'a, T> {
    /// Wraps a handler's output.
    pub fn new(output: &'a T) -> Self {
        Self(AnyResult(Anything(output)))
    }
}

impl<T: HasStatus> Judge<'_, T> {
    /// Returns the outcome that the status stands for.
    #[must_use]
    pub fn __outcome(&self) -> Outcome {
        Outcome::of_status(self.0.0.0.status())
    }
}

impl<T: HasStatus, E> Judge<'_, Result<T, E>> {
    /// Returns a failure for `Err`, otherwise the outcome that the status stands for.
    #[must_use]
    pub fn __outcome(&self) -> Outcome {
        let output = self.0.0.0.as_ref();
        output.map_or(Outcome::Failure, |output| {
            Outcome::of_status(output.status())
        })
    }
}

impl<T, E> AnyResult<'_, Result<T, E>> {
    /// Returns a failure for `Err`, otherwise a success.
    #[must_use]
    pub fn __outcome(&self) -> Outcome {
        if self.0.0.is_ok() {
            Outcome::Success
        } else {
            Outcome::Failure
        }
    }
}

impl<T> Anything<'_, T> {
    /// Returns a success.
    #[must_use]
    pub fn __outcome(&self) -> Outcome {
        Outcome::Success
    }
}

impl<'a, T> std::ops::Deref for Judge<'a, T> {
    type Target = AnyResult<'a, T>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'a, T> std::ops::Deref for AnyResult<'a, T> {
    type Target = Anything<'a, T>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

#[cfg(test)]
mod tests {
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
            Outcome::Failure
        );
        assert_eq!(Judge::new(&Ok::<_, ()>(7)).__outcome(), Outcome::Success);
        assert_eq!(
            Judge::new(&Err::<u8, _>("no")).__outcome(),
            Outcome::Failure
        );
        assert_eq!(Judge::new(&7).__outcome(), Outcome::Success);
    }

    #[test]
    fn reads_a_result_of_an_opaque_type() {
        fn opaque() -> Result<impl Sized, ()> {
            Ok(7)
        }
        assert_eq!(Judge::new(&opaque()).__outcome(), Outcome::Success);
    }
}
