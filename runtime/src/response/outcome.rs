//! What a handler's result says about its connection.

use lambda_http::http::{Response, StatusCode};

/// What a handler's result says: whether a transaction is committed, and whether its connection is
/// checked before it is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The handler did what it was asked to: a transaction is committed.
    Success,
    /// The handler refused (an HTTP response of 4xx): a transaction is rolled back, the connection
    /// is as good as after a success.
    Refusal,
    /// The handler failed (`Err`, or an HTTP response of 5xx): a transaction is rolled back, and
    /// the connection is checked before it is used again.
    Failure,
}

impl Outcome {
    /// What an HTTP status says.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        if status.is_server_error() {
            Self::Failure
        } else if status.is_client_error() {
            Self::Refusal
        } else {
            Self::Success
        }
    }
}

/// A response, and what axum makes one of: a status, alone or first in a tuple.
pub trait HasStatus {
    /// The response's.
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

/// Reads the outcome off a handler's output, whatever its type.
///
/// The method is found by the type of the output: what has a status and a `Result` of that first,
/// then, through `Deref`, any other `Result`, then anything. So no trait is asked of the handler's
/// type, and none has to be in scope where the attribute is used. One that is there, for any type,
/// has no method of that name.
#[derive(Debug)]
pub struct Judge<'a, T>(AnyResult<'a, T>);

/// The next guess: any `Result`.
#[derive(Debug)]
pub struct AnyResult<'a, T>(Anything<'a, T>);

/// The last guess: what cannot fail.
#[derive(Debug)]
pub struct Anything<'a, T>(&'a T);

impl<'a, T> Judge<'a, T> {
    /// Of a handler's output.
    pub fn new(output: &'a T) -> Self {
        Self(AnyResult(Anything(output)))
    }
}

impl<T: HasStatus> Judge<'_, T> {
    /// What the output says.
    #[must_use]
    pub fn __outcome(&self) -> Outcome {
        Outcome::of_status(self.0.0.0.status())
    }
}

impl<T: HasStatus, E> Judge<'_, Result<T, E>> {
    /// What the output says.
    #[must_use]
    pub fn __outcome(&self) -> Outcome {
        let output = self.0.0.0.as_ref();
        output.map_or(Outcome::Failure, |output| {
            Outcome::of_status(output.status())
        })
    }
}

impl<T, E> AnyResult<'_, Result<T, E>> {
    /// What the output says.
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
    /// What the output says.
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
        assert_eq!(Judge::new(&status(404)).__outcome(), Outcome::Refusal);
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
        assert_eq!(Judge::new(&conflict).__outcome(), Outcome::Refusal);
        assert_eq!(
            Judge::new(&Ok::<_, ()>((conflict, "taken"))).__outcome(),
            Outcome::Refusal
        );
        assert_eq!(
            Judge::new(&(conflict, (), "taken")).__outcome(),
            Outcome::Refusal
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
