//! The commands that matter beyond their answers.

/// A kind of command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Multi,
    Watch,
    Unwatch,
    Exec,
    Discard,
    /// Waits at the server for something to happen.
    Blocking,
    /// Changes what belongs to the session: its user, database, name or modes.
    Session,
    /// Makes the session useless for other handlers: its answers are not one for each request, or
    /// its sign-in is gone.
    Last,
    Other,
}

impl Command {
    /// Returns the kind of a command, by its first two words in capitals.
    pub(super) fn of(words: &[u8]) -> Self {
        let mut words = words.split(|byte| *byte == b' ');
        match (words.next().unwrap_or_default(), words.next()) {
            (b"MULTI", _) => Self::Multi,
            (b"WATCH", _) => Self::Watch,
            (b"UNWATCH", _) => Self::Unwatch,
            (b"EXEC", _) => Self::Exec,
            (b"DISCARD", _) => Self::Discard,
            (
                b"BLMOVE" | b"BLMPOP" | b"BLPOP" | b"BRPOP" | b"BRPOPLPUSH" | b"BZMPOP"
                | b"BZPOPMAX" | b"BZPOPMIN" | b"WAIT" | b"WAITAOF" | b"XREAD" | b"XREADGROUP",
                _,
            ) => Self::Blocking,
            (
                b"HELLO" | b"MONITOR" | b"PSUBSCRIBE" | b"PSYNC" | b"PUNSUBSCRIBE" | b"QUIT"
                | b"REPLCONF" | b"RESET" | b"SSUBSCRIBE" | b"SUBSCRIBE" | b"SUNSUBSCRIBE" | b"SYNC"
                | b"UNSUBSCRIBE",
                _,
            )
            | (b"CLIENT", Some(b"REPLY"))
            | (b"SCRIPT", Some(b"DEBUG")) => Self::Last,
            (
                b"CLIENT",
                Some(
                    b"GETNAME" | b"GETREDIR" | b"HELP" | b"ID" | b"INFO" | b"KILL" | b"LIST"
                    | b"PAUSE" | b"TRACKINGINFO" | b"UNBLOCK" | b"UNPAUSE",
                ),
            ) => Self::Other,
            (b"ASKING" | b"AUTH" | b"CLIENT" | b"READONLY" | b"READWRITE" | b"SELECT", _) => {
                Self::Session
            }
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_known_by_its_first_words() {
        for (words, command) in [
            ("GET A", Command::Other),
            ("MULTI", Command::Multi),
            ("BLPOP Q", Command::Blocking),
            ("CLIENT ID", Command::Other),
            ("CLIENT SETNAME", Command::Session),
            ("CLIENT REPLY", Command::Last),
            ("CLIENT", Command::Session),
            ("SUBSCRIBE C", Command::Last),
            ("", Command::Other),
        ] {
            assert_eq!(Command::of(words.as_bytes()), command, "{words}");
        }
    }
}
