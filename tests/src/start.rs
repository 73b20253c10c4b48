//! The response of a function whose cold start is measured.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_http::{Body, Error, Response};

/// The times of a handler, by the clock of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The beginning of the handler.
    pub began: SystemTime,
    /// The time at which the handler had the answer to its statement.
    pub answered: SystemTime,
}

impl Times {
    /// Reads the body of a [`response`].
    pub fn of(body: &str) -> Option<Self> {
        let mut words = body.split(' ').skip(1);
        let mut time = || {
            let micros = words.next()?.parse().ok()?;
            Some(UNIX_EPOCH + Duration::from_micros(micros))
        };
        Some(Self {
            began: time()?,
            answered: time()?,
        })
    }
}

/// Returns the response of a handler that began at `began` and now has the answer `sum`.
pub fn response(began: SystemTime, sum: i64) -> Result<Response<Body>, Error> {
    let answered = SystemTime::now();
    let mut body = sum.to_string();
    for time in [began, answered] {
        let micros = time.duration_since(UNIX_EPOCH)?.as_micros();
        body += &format!(" {micros}");
    }
    Ok(Response::new(body.into()))
}
