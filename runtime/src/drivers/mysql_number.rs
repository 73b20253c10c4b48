//! The meaning of the error numbers of MySQL and MariaDB, and of RDS Proxy before them.

use crate::error::{ErrorKind, Finding};
use crate::response::Outcome;

/// Returns the kind of an error of connecting.
pub(super) fn kind(number: u16, state: &str) -> ErrorKind {
    match number {
        // Too many connections to the server or for the user; the hourly quota; no thread left;
        // no free connection in RDS Proxy.
        1040 | 1203 | 1226 | 1135 | 9501 => ErrorKind::Saturated,
        // The server is out of memory, shutting down, or offline; the session was ended.
        1041 | 1053 | 1079 | 1927 | 3032 => ErrorKind::Unavailable,
        // The host is blocked after many failed connects. Each further one makes it worse.
        1129 => ErrorKind::Rejected,
        // The server's `init_connect` fails for this user.
        1184 => ErrorKind::Rejected,
        // The network; a cluster node that is not ready (1047).
        _ if state == "08S01" => ErrorKind::Unavailable,
        _ => ErrorKind::Rejected,
    }
}

/// Returns what an answer says beyond its kind.
pub(super) fn finding(number: u16, message: &str) -> Finding {
    match number {
        1129 => Finding::HostBlocked,
        // The name of the limit is not translated.
        1226 if message.contains("_per_hour") => Finding::HourlyQuota,
        // RDS Proxy had no session in time, or limits the rate of connections or of sign-ins.
        9501 => Finding::Throttled,
        1040 if message.contains("rate limit exceeded") => Finding::Throttled,
        number if rejects_sign_in(number) => Finding::SignInRejected,
        _ => Finding::Nothing,
    }
}

/// MySQL and MariaDB: the password is wrong or missing (1045, 1698), the password has expired
/// (1862, in MariaDB 1820), or the account is locked (3118, in MariaDB 4151).
///
/// 1044 and 1130 are none: the user signed in and lacks rights on the database, which may not
/// exist, or no user may sign in from this host. Nor is 3955: the account is locked for days after
/// failed sign-ins, and more of them would not end that.
fn rejects_sign_in(number: u16) -> bool {
    matches!(number, 1045 | 1698 | 1820 | 1862 | 3118 | 4151)
}

/// Returns the outcome of a handler that met an answer.
pub(super) fn outcome(number: u16, state: &str) -> Outcome {
    match number {
        // Unknown statement; wrong arguments; too many statements; to be prepared again.
        1243 | 1210 | 1461 | 1615 => Outcome::Stale,
        // The table exists. A temporary one stays until its session ends.
        1050 => Outcome::Broken,
        // The server or the session is read-only. After a failover, the host's name leads to a
        // server that is not.
        1290 | 1792 | 1836 => Outcome::Broken,
        // The user's password had expired when the session began.
        1820 => Outcome::Broken,
        // The server has ended the session: by KILL, or because it was idle.
        1927 | 4031 => Outcome::Failure,
        _ if state == "08S01" => Outcome::Failure,
        _ => Outcome::Rejected,
    }
}

/// The answers that no server of the test bench can be made to give. The bench's test `retries`
/// meets the others.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_answers_have_their_kind() {
        use ErrorKind::{Rejected, Saturated, Unavailable};

        for (number, state, kind) in [
            (1135, "HY000", Saturated),
            (9501, "HY000", Saturated),
            (1041, "HY000", Unavailable),
            (1047, "08S01", Unavailable),
            (1053, "08S01", Unavailable),
            (1079, "08S01", Unavailable),
            (1158, "08S01", Unavailable),
            (1927, "70100", Unavailable),
            (3032, "HY000", Unavailable),
            (1129, "HY000", Rejected),
            (1251, "08004", Rejected),
            (4151, "HY000", Rejected),
        ] {
            assert_eq!(super::kind(number, state), kind, "{number}");
        }
    }

    #[test]
    fn only_an_answer_about_user_or_password_rejects_the_sign_in() {
        for (number, expected) in [
            (1045, true),
            (1698, true),
            (1862, true),
            (3118, true),
            (4151, true),
            (1044, false),
            (1049, false),
            (1130, false),
            (3955, false),
        ] {
            assert_eq!(rejects_sign_in(number), expected, "{number}");
        }
    }
}
