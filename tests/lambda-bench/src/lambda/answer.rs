use std::fmt;
use std::process::ExitStatus;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use serde_json::Value;

use super::log::Log;

/// The result of an invocation, as its client receives it.
#[derive(Clone)]
pub struct Answer {
    /// The event in short form, such as `GET /count`.
    pub event: String,
    /// The time at which the last byte of the answer arrived.
    pub at: SystemTime,
    /// The time from the call of `invoke` to the last byte, a cold start included.
    pub took: Duration,
    /// The way in which the invocation ended.
    pub outcome: Outcome,
    pub(super) log: Log,
}

/// The ways in which an invocation ends.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// An HTTP response.
    Http(Http),
    /// JSON that is not an HTTP response.
    Payload(Value),
    /// The function returned an error or failed to initialize.
    Failed(FunctionError),
    /// The deadline passed and the process was killed. The next invocation is a cold start.
    TimedOut,
    /// The process ended by itself. The next invocation is a cold start.
    Crashed(ExitStatus),
}

/// An HTTP response, whole or streamed.
#[derive(Clone)]
pub struct Http {
    /// The status code.
    pub status: u16,
    /// The headers. Cookies are `set-cookie` headers.
    pub headers: HeaderMap,
    /// The body, decoded.
    pub body: Vec<u8>,
    /// The time from the call of `invoke` to the first byte of a streamed body.
    pub first_byte: Option<Duration>,
    /// The error with which a streamed body ended.
    pub stream_error: Option<FunctionError>,
}

/// An error that the function reported to Lambda.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    /// The field `errorType`.
    pub error_type: String,
    /// The field `errorMessage`.
    pub message: String,
}

/// Each method panics if the outcome is another than the method expects. The message shows the
/// answer and the function's output.
impl Answer {
    /// Returns the HTTP response.
    pub fn http(&self) -> &Http {
        match &self.outcome {
            Outcome::Http(http) => http,
            _ => panic!("not an HTTP response: {self:#?}"),
        }
    }

    /// Returns the status code of the HTTP response.
    pub fn status(&self) -> u16 {
        self.http().status
    }

    /// Returns the first value of a header of the HTTP response.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.http().headers.get(name)?.to_str().ok()
    }

    /// Returns this answer if it is an HTTP response with a status of 200 to 299.
    pub fn ok(&self) -> &Self {
        assert!(
            (200..300).contains(&self.status()),
            "not a status of 200 to 299: {self:#?}"
        );
        self
    }

    /// Returns the body of the HTTP response, whatever its status.
    pub fn text(&self) -> &str {
        match str::from_utf8(&self.http().body) {
            Ok(text) => text,
            Err(_) => panic!("the body is not text: {self:#?}"),
        }
    }

    /// Returns the payload, or the body of an HTTP response of any status, as JSON.
    pub fn json(&self) -> Value {
        match &self.outcome {
            Outcome::Payload(payload) => payload.clone(),
            _ => serde_json::from_str(self.text())
                .unwrap_or_else(|error| panic!("the body is not JSON: {error}: {self:#?}")),
        }
    }

    /// Returns the error that the function reported.
    pub fn error(&self) -> &FunctionError {
        match &self.outcome {
            Outcome::Failed(error) => error,
            _ => panic!("not a function error: {self:#?}"),
        }
    }

    /// Returns `true` if the deadline passed. Never panics.
    pub fn timed_out(&self) -> bool {
        matches!(self.outcome, Outcome::TimedOut)
    }

    /// Returns the exit status of the process.
    pub fn crash(&self) -> ExitStatus {
        match self.outcome {
            Outcome::Crashed(status) => status,
            _ => panic!("the process did not end: {self:#?}"),
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered in {:?} by ", self.event, self.took)?;
        self.outcome.fmt(f)?;
        write!(f, "\n--- output of the function ---\n{}", self.log.text())
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body", &String::from_utf8_lossy(&self.body))
            .field("first_byte", &self.first_byte)
            .field("stream_error", &self.stream_error)
            .finish()
    }
}
