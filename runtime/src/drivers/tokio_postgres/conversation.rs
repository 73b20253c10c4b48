//! The state of a conversation with a server of PostgreSQL, as its messages show it.

use std::borrow::Cow;

use super::messages::Messages;
use crate::drivers::sqlstate;
use crate::response::Outcome;

/// The knowledge of a client that the server has contradicted, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stale {
    /// A prepared statement, whose plan, name or parameters are others by now.
    Statements,
    /// The number of a type that was dropped and created again.
    Types,
}

/// The state of a session's transaction, as the server reports it after each request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Status {
    #[default]
    NoTransaction,
    InTransaction,
    /// A statement in the transaction has failed.
    Failed,
}

/// A conversation with a server. It begins once the sign-in is over.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    sent: Messages,
    received: Messages,
    /// The number of requests whose answer has not ended.
    unanswered: usize,
    /// The names of the statements that are being prepared, each with the number of requests before
    /// its own that are unanswered.
    preparing: Vec<(usize, String)>,
    /// `true` while the messages of a request are sent that its Sync has not ended.
    is_in_request: bool,
    /// `true` while the server waits for the data of a COPY. It ignores a Sync then.
    is_copying_in: bool,
    status: Status,
    /// `true` after a ROLLBACK in the same request, perhaps to a savepoint.
    is_rolled_back: bool,
    /// `true` once a transaction has ended since [`begin_transaction`](Self::begin_transaction).
    has_ended: bool,
    /// `true` once a text was sent that may be a ROLLBACK AND CHAIN. It is answered like a ROLLBACK
    /// to a savepoint.
    may_chain: bool,
    /// `true` if the last command was a COMMIT.
    has_committed: bool,
    stale: Option<Stale>,
    /// The outcome that the last error of the server stands for.
    outcome: Option<Outcome>,
    /// `true` once an answer has come, or will come, that no request waits for.
    is_out_of_step: bool,
}

impl Conversation {
    /// Returns `true` unless each request has its whole answer.
    pub(super) fn is_unfinished(&self) -> bool {
        self.unanswered > 0
            || self.is_in_request
            || !self.sent.is_complete()
            || !self.received.is_complete()
    }

    /// Takes the names of the statements that are being prepared.
    pub(super) fn take_preparing(&mut self) -> Vec<String> {
        let preparing = std::mem::take(&mut self.preparing);
        preparing.into_iter().map(|(_, name)| name).collect()
    }

    /// Returns `true` once an answer has come, or will come, that no request waits for.
    pub(super) fn is_out_of_step(&self) -> bool {
        self.is_out_of_step
    }

    /// Returns what the client knows wrongly.
    pub(super) fn stale(&self) -> Option<Stale> {
        self.stale
    }

    /// Takes the outcome that the last error of the server stands for.
    pub(super) fn take_outcome(&mut self) -> Option<Outcome> {
        self.outcome.take()
    }

    /// Remembers that the client has forgotten it.
    pub(super) fn set_forgotten(&mut self) {
        self.stale = None;
    }

    pub(super) fn status(&self) -> Status {
        self.status
    }

    /// Sets the status after a request of this crate.
    pub(super) fn set_status(&mut self, status: Status) {
        self.status = status;
    }

    /// Begins to watch for the end of the transaction that is open.
    pub(super) fn begin_transaction(&mut self) {
        self.has_ended = false;
    }

    /// Returns `true` if a transaction has ended since
    /// [`begin_transaction`](Self::begin_transaction), even if another one is open by now.
    pub(super) fn has_transaction_ended(&self) -> bool {
        self.has_ended
    }

    /// Returns `true` if the last command was a COMMIT. The server answers ROLLBACK to a COMMIT in
    /// a failed transaction.
    pub(super) fn has_committed(&self) -> bool {
        self.has_committed
    }

    /// Reads bytes of the client.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        let Self {
            sent,
            unanswered,
            preparing,
            is_in_request,
            is_copying_in,
            is_out_of_step,
            may_chain,
            ..
        } = self;
        sent.read(bytes, |kind, body| match kind {
            // A simple query, or the call of a function.
            b'Q' | b'F' => {
                *unanswered += 1;
                *may_chain |= chains(body);
            }
            // The Sync before the data of a COPY was counted.
            b'S' if *is_copying_in => {}
            b'S' => {
                *unanswered += 1;
                *is_in_request = false;
            }
            // The end of a COPY that the server has rejected. tokio-postgres does not expect the
            // answer to the Sync that follows, and would take it for that of the next request.
            b'c' | b'f' if !*is_copying_in => *is_out_of_step = true,
            b'P' => {
                *is_in_request = true;
                *may_chain |= chains(body);
                let name = body.split(|byte| *byte == 0).next().unwrap_or_default();
                if !name.is_empty() {
                    let name = String::from_utf8_lossy(name).into_owned();
                    preparing.push((*unanswered, name));
                }
            }
            // Bind, Describe, Execute, Close, Flush.
            b'B' | b'D' | b'E' | b'C' | b'H' => *is_in_request = true,
            _ => {}
        });
    }

    /// Reads bytes of the server.
    pub(super) fn received(&mut self, bytes: &[u8]) {
        let Self {
            received,
            unanswered,
            preparing,
            is_copying_in,
            status,
            is_rolled_back,
            has_ended,
            may_chain,
            has_committed,
            stale,
            outcome,
            is_out_of_step,
            ..
        } = self;
        received.read(bytes, |kind, body| match kind {
            b'Z' => {
                *status = Status::of(body);
                *has_ended |= *status == Status::NoTransaction;
                *is_copying_in = false;
                *is_rolled_back = false;
                preparing.retain_mut(|(before, _)| {
                    let is_waiting = *before > 0;
                    *before = before.saturating_sub(1);
                    is_waiting
                });
                match unanswered.checked_sub(1) {
                    Some(rest) => *unanswered = rest,
                    None => *is_out_of_step = true,
                }
            }
            b'E' => {
                *stale = Stale::of(body).max(*stale);
                *outcome = Some(sqlstate::outcome(&field(body, b'C'), &field(body, b'M')));
            }
            b'G' => *is_copying_in = true,
            b'C' => {
                let tag = body.strip_suffix(b"\0").unwrap_or(body);
                *has_committed = tag == b"COMMIT";
                *has_ended |= match tag {
                    b"COMMIT" | b"PREPARE TRANSACTION" => true,
                    b"ROLLBACK" => *may_chain,
                    // Otherwise the server warns that a transaction is open.
                    b"BEGIN" | b"START TRANSACTION" => *is_rolled_back,
                    _ => false,
                };
                *is_rolled_back |= tag == b"ROLLBACK";
            }
            _ => {}
        });
    }
}

impl Stale {
    /// Returns what an error of the server contradicts. The text of an internal error is not
    /// translated, and all translations of the other text contain "OID".
    fn of(error: &[u8]) -> Option<Self> {
        let says = |words| field(error, b'M').contains(words);
        match &*field(error, b'C') {
            // A value has the type of the same name in another schema.
            "42804" => Some(Self::Types),
            "42704" if says("OID") => Some(Self::Types),
            "XX000" if says("cache lookup failed") => Some(Self::Types),
            "0A000" | "26000" | "42P05" | "08P01" => Some(Self::Statements),
            _ => None,
        }
    }
}

/// Returns the text of a field in an error or notice, which is empty without that field.
fn field(body: &[u8], kind: u8) -> Cow<'_, str> {
    let mut fields = body.split(|byte| *byte == 0);
    let field = fields.find_map(|field| field.strip_prefix(&[kind]));
    String::from_utf8_lossy(field.unwrap_or_default())
}

/// Returns `true` for a text that may be a ROLLBACK AND CHAIN.
fn chains(text: &[u8]) -> bool {
    let text = text.to_ascii_lowercase();
    let words = text.split(|byte| !byte.is_ascii_alphanumeric());
    let mut words = words.filter(|word| !word.is_empty()).peekable();
    while let Some(word) = words.next() {
        if !matches!(word, b"rollback" | b"abort") {
            continue;
        }
        words.next_if(|word| matches!(*word, b"work" | b"transaction"));
        if words.next_if_eq(&&b"and"[..]).is_some() && words.next_if_eq(&&b"chain"[..]).is_some() {
            return true;
        }
    }
    false
}

impl Status {
    /// Returns the status by the body of a message ReadyForQuery.
    pub(super) fn of(body: &[u8]) -> Self {
        match body.first() {
            Some(b'T') => Self::InTransaction,
            Some(b'E') => Self::Failed,
            _ => Self::NoTransaction,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).expect("a length");
        [&[kind][..], &length.to_be_bytes(), body].concat()
    }

    /// The messages of an answer, and the status at its end.
    type Answer<'a> = (&'a [(u8, &'a [u8])], u8);

    /// Returns a conversation in which a transaction was begun, and the `answers` were received to
    /// a request with a text each.
    fn after(text: &str, answers: &[Answer<'_>]) -> Conversation {
        let mut conversation = Conversation::default();
        conversation.sent(&message(b'Q', b"start transaction\0"));
        conversation.received(&message(b'C', b"START TRANSACTION\0"));
        conversation.received(&message(b'Z', b"T"));
        conversation.begin_transaction();
        for (messages, status) in answers {
            conversation.sent(&message(b'Q', text.as_bytes()));
            for (kind, body) in *messages {
                conversation.received(&message(*kind, body));
            }
            conversation.received(&message(b'Z', &[*status]));
        }
        conversation
    }

    #[test]
    fn the_end_of_a_transaction_is_seen() {
        const COMMIT: (u8, &[u8]) = (b'C', b"COMMIT\0");
        const BEGIN: (u8, &[u8]) = (b'C', b"BEGIN\0");
        const ROLLBACK: (u8, &[u8]) = (b'C', b"ROLLBACK\0");
        for (answers, has_ended) in [
            (&[(&[(b'C', &b"INSERT 0 1\0"[..])][..], b'T')][..], false),
            (&[(&[(b'C', b"RELEASE\0")], b'T')], false),
            // To a savepoint.
            (&[(&[ROLLBACK], b'T')], false),
            (&[(&[ROLLBACK], b'I')], true),
            (&[(&[COMMIT], b'I'), (&[BEGIN], b'T')], true),
            (&[(&[COMMIT, BEGIN], b'T')], true),
            // In one text.
            (&[(&[ROLLBACK, BEGIN], b'T')], true),
            // COMMIT AND CHAIN.
            (&[(&[COMMIT], b'T')], true),
            (&[(&[BEGIN], b'T')], false),
            (&[(&[BEGIN, ROLLBACK, BEGIN], b'T')], true),
            (&[(&[ROLLBACK], b'T'), (&[BEGIN], b'T')], false),
        ] {
            let conversation = after("", answers);
            assert_eq!(
                conversation.has_transaction_ended(),
                has_ended,
                "{answers:?}"
            );
        }
        for (text, has_ended) in [
            ("Rollback\nAND chain", true),
            ("select 1; abort work and chain", true),
            ("rollback and no chain", false),
            (
                "insert into blockchain values ('aborted'); rollback to a",
                false,
            ),
        ] {
            let chain = after(text, &[(&[ROLLBACK], b'T')]);
            assert_eq!(chain.has_transaction_ended(), has_ended, "{text}");
        }
        assert!(after("", &[(&[COMMIT], b'I')]).has_committed());
        assert!(!after("", &[(&[ROLLBACK], b'I')]).has_committed());
        assert_eq!(after("", &[(&[], b'E')]).status(), Status::Failed);
    }

    #[test]
    fn an_error_contradicts_what_the_client_knows() {
        for (error, wanted) in [
            (&b"SERROR\0VERROR\0C23505\0Mduplicate key"[..], None),
            (
                b"SFEHLER\0VERROR\0C0A000\0Mcached plan",
                Some(Stale::Statements),
            ),
            (
                b"SERROR\0VERROR\0CXX000\0Mcache lookup failed for type 7",
                Some(Stale::Types),
            ),
            (b"SERROR\0VERROR\0C26000\0M", Some(Stale::Types)),
        ] {
            let mut conversation = after("", &[(&[(b'E', error)], b'E')]);
            if error.ends_with(b"C26000\0M") {
                conversation.received(&message(b'E', b"SERROR\0C42804\0"));
            }
            assert_eq!(conversation.stale(), wanted);
            conversation.set_forgotten();
            assert_eq!(conversation.stale(), None);
        }
    }

    #[test]
    fn a_request_without_its_answer_is_unfinished() {
        let mut conversation = Conversation::default();
        conversation.sent(&message(b'P', b""));
        assert!(conversation.is_unfinished(), "in the middle of a request");
        conversation.sent(&message(b'S', b""));
        conversation.sent(&message(b'Q', b""));
        conversation.received(&message(b'Z', b"I"));
        assert!(conversation.is_unfinished());
        conversation.received(&message(b'Z', b"I")[..3]);
        conversation.received(&message(b'Z', b"I")[3..]);
        assert!(!conversation.is_unfinished() && !conversation.is_out_of_step());
        conversation.received(&message(b'A', b"a notification"));
        assert!(!conversation.is_unfinished() && !conversation.is_out_of_step());
        conversation.received(&message(b'Z', b"I"));
        assert!(conversation.is_out_of_step());
    }

    #[test]
    fn a_statement_is_being_prepared_until_its_answer() {
        let mut conversation = Conversation::default();
        conversation.sent(&message(b'Q', b"select 1\0"));
        conversation.sent(&message(b'P', b"s7\0select 2\0\0\0"));
        conversation.sent(&message(b'S', b""));
        conversation.sent(&message(b'P', b"\0select 3\0\0\0"));
        conversation.sent(&message(b'S', b""));
        conversation.received(&message(b'Z', b"I"));
        assert_eq!(conversation.preparing.len(), 1);
        conversation.received(&message(b'Z', b"I"));
        assert_eq!(conversation.take_preparing(), [""; 0]);
    }

    #[test]
    fn the_end_of_a_rejected_copy_is_out_of_step() {
        let mut conversation = Conversation::default();
        for kind in [b'B', b'E', b'S'] {
            conversation.sent(&message(kind, b""));
        }
        conversation.received(&message(b'E', b""));
        conversation.received(&message(b'Z', b"I"));
        assert!(!conversation.is_out_of_step());
        conversation.sent(&message(b'f', b""));
        assert!(conversation.is_out_of_step());
    }

    #[test]
    fn the_syncs_of_a_copy_have_one_answer() {
        let mut conversation = Conversation::default();
        for kind in [b'B', b'E', b'S'] {
            conversation.sent(&message(kind, b""));
        }
        conversation.received(&message(b'G', b""));
        for kind in [b'd', b'c', b'S'] {
            conversation.sent(&message(kind, b"rows"));
        }
        assert!(conversation.is_unfinished());
        conversation.received(&message(b'C', b"COPY 1\0"));
        conversation.received(&message(b'Z', b"I"));
        assert!(!conversation.is_unfinished() && !conversation.is_out_of_step());
    }
}
