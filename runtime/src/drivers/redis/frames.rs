//! The values of the Redis protocol in a stream of bytes, counted without keeping them.
//!
//! RESP2 and RESP3 have the same frames: a line that begins with the value's type, perhaps followed
//! by bytes or by other values (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).

/// The number of bytes of a word that are kept: enough for the name of a command.
const KEPT_OF_A_WORD: usize = 24;

/// The number of bytes of an error that are kept: enough for that of a script.
const KEPT_OF_AN_ERROR: usize = 240;

/// The answer to a write, of a server that accepts none.
const READ_ONLY: &[u8] = b"READONLY ";

/// The number of words that are kept: the name of a command, and of its subcommand.
const WORDS: usize = 2;

/// A complete value on the top level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// The byte that names its type.
    kind: u8,
    /// The first two words of a request in capitals, or the text of an error. Both are cut off.
    pub(super) text: &'a [u8],
    /// `true` if an error in it says that the server accepts no writes. A script names the error of
    /// its statement.
    pub(super) is_read_only: bool,
}

impl Frame<'_> {
    /// Returns `true` for a message that answers no request.
    pub(super) fn is_push(&self) -> bool {
        self.kind == b'>'
    }

    pub(super) fn is_error(&self) -> bool {
        matches!(self.kind, b'-' | b'!')
    }
}

/// A counter of frames.
pub(super) struct Frames {
    part: Part,
    /// The numbers of values that are still to come in each open value.
    open: Vec<u64>,
    /// The type of the value on the top level.
    kind: u8,
    text: Text,
    /// The current error, at any depth.
    error: Vec<u8>,
    is_read_only: bool,
}

/// The text of a value on the top level that is kept.
#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    /// The number of complete words.
    words: usize,
    /// The number of bytes of the current word.
    length: usize,
}

/// The part of a frame that the next byte belongs to.
enum Part {
    Type,
    /// The line after the type. The number counts for types that have a length.
    Line {
        kind: u8,
        number: u64,
        is_null: bool,
    },
    /// So many bytes of a text, with its line end.
    Text {
        kind: u8,
        left: u64,
    },
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            part: Part::Type,
            open: Vec::new(),
            kind: 0,
            text: Text::default(),
            error: Vec::new(),
            is_read_only: false,
        }
    }
}

impl Frames {
    /// Returns `true` if all bytes so far belong to complete values.
    pub(super) fn is_complete(&self) -> bool {
        self.open.is_empty() && matches!(self.part, Part::Type)
    }

    /// Reads the next bytes of the stream. Calls `found` for each value that they complete.
    pub(super) fn read(&mut self, mut bytes: &[u8], mut found: impl FnMut(Frame<'_>)) {
        while let [byte, rest @ ..] = bytes {
            match &mut self.part {
                Part::Type => {
                    if self.open.is_empty() {
                        self.kind = *byte;
                        self.text.clear();
                        self.is_read_only = false;
                    }
                    self.error.clear();
                    self.part = Part::Line {
                        kind: *byte,
                        number: 0,
                        is_null: false,
                    };
                    bytes = rest;
                }
                Part::Line {
                    kind,
                    number,
                    is_null,
                } => {
                    match byte {
                        b'0'..=b'9' => {
                            *number = number
                                .saturating_mul(10)
                                .saturating_add((byte - b'0').into());
                        }
                        b'-' => *is_null = true,
                        _ => {}
                    }
                    if *kind == b'-' && !byte.is_ascii_control() {
                        push_up_to(KEPT_OF_AN_ERROR, &mut self.error, &[*byte]);
                    }
                    let (kind, number, is_null) = (*kind, *number, *is_null);
                    bytes = rest;
                    if *byte == b'\n' {
                        self.end_line(kind, number, is_null, &mut found);
                    }
                }
                Part::Text { kind, left } => {
                    let taken = bytes.len().min((*left).try_into().unwrap_or(usize::MAX));
                    let (taken, rest) = bytes.split_at(taken);
                    // The line end is no part of the text.
                    let of_text = left.saturating_sub(2).try_into().unwrap_or(usize::MAX);
                    let text = &taken[..taken.len().min(of_text)];
                    *left -= taken.len() as u64;
                    let is_complete = *left == 0;
                    bytes = rest;
                    if *kind == b'!' {
                        push_up_to(KEPT_OF_AN_ERROR, &mut self.error, text);
                    } else {
                        self.text.push_word(text);
                    }
                    if is_complete {
                        self.text.end_word();
                        self.end_value(&mut found);
                    }
                }
            }
        }
    }

    fn end_line(
        &mut self,
        kind: u8,
        number: u64,
        is_null: bool,
        found: &mut impl FnMut(Frame<'_>),
    ) {
        self.part = Part::Type;
        match kind {
            _ if is_null && matches!(kind, b'$' | b'*' | b'!' | b'=' | b'%' | b'~') => {
                self.end_value(found);
            }
            b'$' | b'!' | b'=' => {
                self.part = Part::Text {
                    kind,
                    left: number.saturating_add(2),
                }
            }
            // The attributes of a value come before it.
            b'|' => self.begin(number.saturating_mul(2).saturating_add(1), found),
            b'%' => self.begin(number.saturating_mul(2), found),
            b'*' | b'~' | b'>' => self.begin(number, found),
            _ => self.end_value(found),
        }
    }

    /// Begins a value that consists of others.
    fn begin(&mut self, values: u64, found: &mut impl FnMut(Frame<'_>)) {
        if values == 0 {
            self.end_value(found);
        } else {
            self.open.push(values);
        }
    }

    fn end_value(&mut self, found: &mut impl FnMut(Frame<'_>)) {
        self.part = Part::Type;
        let mut words = self.error.windows(READ_ONLY.len());
        self.is_read_only |= words.any(|words| words == READ_ONLY);
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return;
            }
            self.open.pop();
        }
        let frame = Frame {
            kind: self.kind,
            text: &self.text.bytes,
            is_read_only: self.is_read_only,
        };
        found(match self.kind {
            b'-' | b'!' => Frame {
                text: &self.error,
                ..frame
            },
            _ => frame,
        });
    }
}

impl Text {
    /// Forgets the text, and keeps its memory.
    fn clear(&mut self) {
        self.bytes.clear();
        (self.words, self.length) = (0, 0);
    }

    fn push_word(&mut self, bytes: &[u8]) {
        if self.words == WORDS {
            return;
        }
        let taken = bytes.len().min(KEPT_OF_A_WORD.saturating_sub(self.length));
        self.length += taken;
        let taken = &bytes[..taken];
        self.bytes.extend(taken.iter().map(u8::to_ascii_uppercase));
    }

    fn end_word(&mut self) {
        if self.words < WORDS {
            self.words += 1;
            self.length = 0;
            if self.words < WORDS {
                self.bytes.push(b' ');
            }
        }
    }
}

/// Appends bytes, of which no more than `most` are kept in all.
fn push_up_to(most: usize, kept: &mut Vec<u8>, bytes: &[u8]) {
    let taken = bytes.len().min(most.saturating_sub(kept.len()));
    kept.extend_from_slice(&bytes[..taken]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the frames of a stream that arrives in pieces of some length.
    fn frames(bytes: &[u8], piece: usize) -> (Vec<String>, bool) {
        let mut frames = Frames::default();
        let mut found = Vec::new();
        for piece in bytes.chunks(piece) {
            frames.read(piece, |frame| {
                found.push(if frame.is_push() {
                    "push".to_owned()
                } else {
                    String::from_utf8_lossy(frame.text).trim_end().to_owned()
                });
            });
        }
        (found, frames.is_complete())
    }

    /// Checks a stream in pieces of each length.
    fn assert_frames(bytes: &str, wanted: &[&str]) {
        for piece in 1..=bytes.len() {
            let (found, is_complete) = frames(bytes.as_bytes(), piece);
            assert_eq!(found, wanted, "{bytes:?} in pieces of {piece}");
            assert!(is_complete, "{bytes:?} in pieces of {piece}");
        }
    }

    #[test]
    fn requests_are_counted_by_their_commands() {
        assert_frames("*1\r\n$4\r\nPING\r\n", &["PING"]);
        let long = "x".repeat(100);
        let long = format!("*2\r\n$3\r\nGET\r\n$100\r\n{long}\r\n");
        assert_frames(&long, &[&format!("GET {}", "X".repeat(24))]);
        assert_frames(
            "*3\r\n$3\r\nset\r\n$1\r\na\r\n$6\r\n*1\r\n$9\r\n*1\r\n$5\r\nmulti\r\n",
            &["SET A", "MULTI"],
        );
        assert_frames("*2\r\n$3\r\nGET\r\n$0\r\n\r\n", &["GET"]);
    }

    #[test]
    fn each_reply_is_one_value() {
        assert_frames(
            "+OK\r\n-ERR wrong 7 -1\r\n:-12\r\n",
            &["", "ERR wrong 7 -1", ""],
        );
        assert_frames("$-1\r\n*-1\r\n_\r\n#t\r\n,-1.5\r\n(-123\r\n", &[""; 6]);
        assert_frames("*2\r\n*0\r\n*2\r\n:1\r\n$2\r\nab\r\n+OK\r\n", &["AB", ""]);
        assert_frames(
            "%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n~1\r\n:1\r\n",
            &["", ""],
        );
        assert_frames("=7\r\ntxt:abc\r\n!3\r\nERR\r\n", &["TXT:ABC", "ERR"]);
    }

    #[test]
    fn a_push_and_an_attribute_are_no_replies() {
        assert_frames(
            ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n+OK\r\n",
            &["push", ""],
        );
        assert_frames("|1\r\n+ttl\r\n:3600\r\n*1\r\n:1\r\n+OK\r\n", &["", ""]);
    }

    #[test]
    fn a_part_of_a_value_is_not_complete() {
        let stream = "*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
        for end in 1..stream.len() {
            let (found, is_complete) = frames(&stream.as_bytes()[..end], 3);
            assert_eq!((found.len(), is_complete), (0, false), "{end}");
        }
    }
}
