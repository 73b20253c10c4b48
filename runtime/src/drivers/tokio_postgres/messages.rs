//! The messages between a client and a server of PostgreSQL, cut out of the stream.

/// The longest beginning of a message's body that is looked at: a text of SQL, the tag of a
/// command, or the code and the first words of an error.
const LONGEST: usize = 2048;

/// The messages of one direction. The connection's start has other messages, and comes before.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// The header of the next message, as far as it has come: its type, and its length.
    header: Vec<u8>,
    /// The beginning of its body.
    body: Vec<u8>,
    /// The rest of its body.
    left: usize,
}

impl Messages {
    /// Reads bytes, and calls `each` with the type of each message that ends in them, and with the
    /// beginning of its body.
    pub(super) fn read(&mut self, mut bytes: &[u8], mut each: impl FnMut(u8, &[u8])) {
        while !bytes.is_empty() {
            if self.header.len() < 5 {
                let (header, rest) = bytes.split_at(bytes.len().min(5 - self.header.len()));
                self.header.extend_from_slice(header);
                bytes = rest;
                let [_, a, b, c, d] = self.header[..] else {
                    return;
                };
                // The length counts itself.
                let length = u32::from_be_bytes([a, b, c, d]).saturating_sub(4);
                self.left = usize::try_from(length).unwrap_or(usize::MAX);
            }
            let (body, rest) = bytes.split_at(bytes.len().min(self.left));
            let room = LONGEST.saturating_sub(self.body.len());
            self.body.extend_from_slice(&body[..body.len().min(room)]);
            self.left -= body.len();
            bytes = rest;
            if self.left == 0 {
                each(self.header[0], &self.body);
                self.header.clear();
                self.body.clear();
            }
        }
    }

    /// Returns `true` unless a message has begun and not ended.
    pub(super) fn is_complete(&self) -> bool {
        self.header.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_however_the_bytes_are_cut() {
        let mut stream = Vec::new();
        for (kind, body) in [
            (b'C', &b"SELECT 1\0"[..]),
            (b'n', b""),
            (b'd', &[7; 3000]),
            (b'Z', b"I"),
        ] {
            stream.push(kind);
            stream.extend(
                u32::try_from(body.len() + 4)
                    .expect("a length")
                    .to_be_bytes(),
            );
            stream.extend(body);
        }
        for size in 1..stream.len() {
            let mut messages = Messages::default();
            let mut found = Vec::new();
            for part in stream.chunks(size) {
                messages.read(part, |kind, body| found.push((kind, body.to_vec())));
            }
            let wanted = [
                (b'C', b"SELECT 1\0".to_vec()),
                (b'n', Vec::new()),
                (b'd', vec![7; LONGEST]),
                (b'Z', b"I".to_vec()),
            ];
            assert_eq!(found, wanted, "{size}");
            assert!(messages.is_complete());
        }
        let mut messages = Messages::default();
        messages.read(&stream[..3], |_, _| {});
        assert!(!messages.is_complete());
    }
}
