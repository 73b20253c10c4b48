//! A gate's side of MySQL's handshake.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::gate::{Shared, malformed, pass};

/// The flags of a client.
mod flags {
    pub(super) const CONNECT_WITH_DB: u32 = 0x8;
    pub(super) const SSL: u32 = 0x800;
    pub(super) const SECURE_CONNECTION: u32 = 0x8000;
    pub(super) const PLUGIN_AUTH: u32 = 0x8_0000;
    pub(super) const CONNECT_ATTRS: u32 = 0x10_0000;
    pub(super) const PLUGIN_AUTH_LENENC: u32 = 0x20_0000;
}

const CLEAR_PASSWORD: &[u8] = b"\xfemysql_clear_password\0";

/// The length of a request for TLS, and of what precedes the user's name.
const HEAD: usize = 32;

/// A packet, with its place in the order of both sides.
struct Packet {
    number: u8,
    bytes: Vec<u8>,
}

pub(super) async fn serve(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut server = shared.connect().await?;
    let mut greeting = Packet::read(&mut server).await?;
    let plugin = offer_tls(&mut greeting.bytes)?;
    greeting.write(&mut client).await?;
    let first = Packet::read(&mut client).await?;
    if first.bytes.len() == HEAD && first.flags() & flags::SSL != 0 {
        let mut client = shared.identity.0.accept(client).await?;
        let response = Packet::read(&mut client).await?;
        return sign_in(client, server, &response, &plugin, shared).await;
    }
    let response = Response::parse(&first)?;
    deny(&mut client, first.number, &response.user).await
}

async fn sign_in<C>(
    mut client: C,
    mut server: TcpStream,
    packet: &Packet,
    plugin: &[u8],
    shared: &Shared,
) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let response = Response::parse(packet)?;
    let mut last = packet.number;
    if shared.asks() {
        Packet::new(last + 1, CLEAR_PASSWORD)
            .write(&mut client)
            .await?;
        let password = Packet::read(&mut client).await?;
        last = password.number;
        let password = password
            .bytes
            .strip_suffix(b"\0")
            .unwrap_or(&password.bytes);
        if !shared.accepts(&response.user, &String::from_utf8_lossy(password)) {
            return deny(&mut client, last, &response.user).await;
        }
    }
    Packet::new(1, &response.without_password(plugin))
        .write(&mut server)
        .await?;
    loop {
        let answer = Packet::read(&mut server).await?;
        match answer.bytes.first() {
            // The server asks for a password by another plugin: there is none.
            Some(0xfe) => {
                Packet::new(answer.number + 1, b"")
                    .write(&mut server)
                    .await?;
            }
            // The rest of an exchange that has succeeded.
            Some(1) => {}
            _ => {
                Packet::new(last + 1, &answer.bytes)
                    .write(&mut client)
                    .await?;
                return pass(client, server).await;
            }
        }
    }
}

async fn deny(client: &mut (impl AsyncWrite + Unpin), last: u8, user: &str) -> io::Result<()> {
    let text = format!("Access denied for user '{user}'@'127.0.0.1' (using password: YES)");
    let error = [b"\xff\x15\x04#28000", text.as_bytes()].concat();
    Packet::new(last + 1, &error).write(client).await?;
    client.shutdown().await
}

/// Adds TLS to what a server's greeting offers. Returns the plugin that the greeting names.
fn offer_tls(greeting: &mut [u8]) -> io::Result<Vec<u8>> {
    // The version of the protocol, that of the server, the number of the session, eight bytes of
    // the challenge, and one of padding.
    let end = greeting.iter().skip(1).position(|byte| *byte == 0);
    let flags = end.ok_or_else(|| malformed("a bad greeting"))? + 2 + 4 + 8 + 1;
    let low = greeting
        .get_mut(flags + 1)
        .ok_or_else(|| malformed("a short greeting"))?;
    *low |= 0x08;
    let plugin = greeting.strip_suffix(b"\0").unwrap_or(greeting);
    let begin = plugin.iter().rposition(|byte| *byte == 0);
    Ok(plugin[begin.map_or(0, |begin| begin + 1)..].to_vec())
}

/// The parts of a client's response to the greeting that the server gets.
struct Response {
    flags: u32,
    /// The largest packet, the character set, and what is reserved.
    settings: Vec<u8>,
    user: String,
    database: Option<Vec<u8>>,
}

impl Response {
    fn parse(packet: &Packet) -> io::Result<Self> {
        let flags = packet.flags();
        let bytes = &packet.bytes;
        let settings = bytes
            .get(4..HEAD)
            .ok_or_else(|| malformed("a short response"))?;
        let mut rest = &bytes[HEAD..];
        let user = text(&mut rest)?;
        let length = match rest.split_first() {
            // A length of up to 64 KB, as a token has, with a mark.
            Some((0xfc, more)) if flags & flags::PLUGIN_AUTH_LENENC != 0 => {
                let low = more.first_chunk().ok_or_else(|| malformed("no length"))?;
                rest = &more[2..];
                usize::from(u16::from_le_bytes(*low))
            }
            Some((length, more)) => {
                rest = more;
                usize::from(*length)
            }
            None => return Err(malformed("no password")),
        };
        rest = rest
            .get(length..)
            .ok_or_else(|| malformed("a short password"))?;
        let database = match flags & flags::CONNECT_WITH_DB {
            0 => None,
            _ => Some(text(&mut rest)?),
        };
        Ok(Self {
            flags,
            settings: settings.to_vec(),
            user: String::from_utf8_lossy(&user).into_owned(),
            database,
        })
    }

    /// Returns the response of a client without TLS whose user has no password.
    fn without_password(&self, plugin: &[u8]) -> Vec<u8> {
        let dropped = flags::SSL | flags::CONNECT_ATTRS | flags::PLUGIN_AUTH_LENENC;
        let flags = (self.flags & !dropped) | flags::SECURE_CONNECTION;
        let mut bytes = flags.to_le_bytes().to_vec();
        bytes.extend(&self.settings);
        bytes.extend(self.user.as_bytes());
        // The end of the name, and the length of no password.
        bytes.extend([0, 0]);
        if let Some(database) = &self.database {
            bytes.extend(database);
            bytes.push(0);
        }
        if flags & flags::PLUGIN_AUTH != 0 {
            bytes.extend(plugin);
            bytes.push(0);
        }
        bytes
    }
}

/// Takes a text up to its zero.
fn text(rest: &mut &[u8]) -> io::Result<Vec<u8>> {
    let end = rest.iter().position(|byte| *byte == 0);
    let end = end.ok_or_else(|| malformed("a text without an end"))?;
    let text = rest[..end].to_vec();
    *rest = &rest[end + 1..];
    Ok(text)
}

impl Packet {
    fn new(number: u8, bytes: &[u8]) -> Self {
        let bytes = bytes.to_vec();
        Self { number, bytes }
    }

    fn flags(&self) -> u32 {
        self.bytes
            .first_chunk()
            .copied()
            .map_or(0, u32::from_le_bytes)
    }

    async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let mut head = [0; 4];
        from.read_exact(&mut head).await?;
        let [one, two, three, number] = head;
        let length = u32::from_le_bytes([one, two, three, 0]);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        from.read_exact(&mut bytes).await?;
        Ok(Self { number, bytes })
    }

    async fn write(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let length = u32::try_from(self.bytes.len()).expect("a short packet");
        let [one, two, three, _] = length.to_le_bytes();
        let packet = [&[one, two, three, self.number], self.bytes.as_slice()].concat();
        to.write_all(&packet).await?;
        to.flush().await
    }
}
