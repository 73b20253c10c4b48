use std::fmt;
use std::process::ExitStatus;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use serde_json::Value;

use super::log::Log;

/// What came of an invocation, as its client has it.
#[derive(Clone)]
pub struct Answer {
    /// The event in short, such as `GET /count`.
    pub event: String,
    /// When the last byte of the answer was there.
    pub at: SystemTime,
    /// The time from the call of `invoke` to the last byte, a cold start included.
    pub took: Duration,
    /// The answer itself.
    pub outcome: Outcome,
    pub(super) log: Log,
}

/// The ways in which an invocation ends.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// An HTTP response.
    Http(Http),
    /// JSON that is no HTTP response.
    Payload(Value),
    /// The function returned an error, or could not initialize.
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
    /// The headers; cookies are `set-cookie` headers.
    pub headers: HeaderMap,
    /// The body, decoded.
    pub body: Vec<u8>,
    /// If it was streamed: the time from the call of `invoke` to the first byte of the body.
    pub first_byte: Option<Duration>,
    /// If it was streamed: the error that the stream ended with.
    pub stream_error: Option<FunctionError>,
}

/// An error that a function reported to Lambda.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    /// `errorType`
    pub error_type: String,
    /// `errorMessage`
    pub message: String,
}

impl Answer {
    /// The HTTP response. Panics, and shows the answer and the function's output, if there is none;
    /// so do all that follow.
    pub fn http(&self) -> &Http {
        match &self.outcome {
            Outcome::Http(http) => http,
            _ => panic!("no HTTP response: {self:#?}"),
        }
    }

    /// The HTTP status code.
    pub fn status(&self) -> u16 {
        self.http().status
    }

    /// The first value of a header of the HTTP response.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.http().headers.get(name)?.to_str().ok()
    }

    /// This answer, known to be an HTTP response of 200 to 299.
    pub fn ok(&self) -> &Self {
        assert!(
            (200..300).contains(&self.status()),
            "not a success: {self:#?}"
        );
        self
    }

    /// The body of the HTTP response, of any status.
    pub fn text(&self) -> &str {
        match str::from_utf8(&self.http().body) {
            Ok(text) => text,
            Err(_) => panic!("the body is not text: {self:#?}"),
        }
    }

    /// The payload, or the body of the HTTP response of any status, as JSON.
    pub fn json(&self) -> Value {
        match &self.outcome {
            Outcome::Payload(payload) => payload.clone(),
            _ => serde_json::from_str(self.text())
                .unwrap_or_else(|error| panic!("not JSON, {error}: {self:#?}")),
        }
    }

    /// The error that the function reported.
    pub fn error(&self) -> &FunctionError {
        match &self.outcome {
            Outcome::Failed(error) => error,
            _ => panic!("no function error: {self:#?}"),
        }
    }

    /// Whether the deadline passed.
    pub fn timed_out(&self) -> bool {
        matches!(self.outcome, Outcome::TimedOut)
    }

    /// The status that the process ended with.
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
