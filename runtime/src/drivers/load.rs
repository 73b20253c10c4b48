//! The question for the server's load.

use super::driver_error::DriverError;
use super::target;
use crate::error::Error;
use crate::source::{ServerLoad, Source};
use crate::telemetry::events;

/// Returns `true` if the server may be asked. A pooler multiplexes by itself.
pub(super) fn is_asked(source: &Source) -> bool {
    source.pooler.is_none() && !target::is_proxy(source)
}

/// Returns the load by the answer to a load query. It is `None` if the server rejects the question,
/// or does not report its load.
pub(super) fn of_answer<E: DriverError>(
    answer: Result<Option<ServerLoad>, E>,
) -> Result<Option<ServerLoad>, Error> {
    match answer {
        // A handler that succeeded has left a transaction behind that had failed.
        Err(error) if error.has_code("25P02") => Err(Error::broken(error)),
        // 57014: the query took longer than the session's `statement_timeout`.
        Err(error) if error.is_rejection() || error.has_code("57014") => {
            events::load_unknown(&error);
            Ok(None)
        }
        // Some compatible servers report no limit, or count nothing.
        Ok(load) => Ok(load.filter(|load| load.limit > 0 && load.connections > 0)),
        Err(error) => Err(Error::broken(error)),
    }
}
