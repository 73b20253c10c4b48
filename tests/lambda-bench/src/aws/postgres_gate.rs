//! A gate's side of PostgreSQL's start.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::gate::{Shared, malformed, pass};

const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;
const CLEARTEXT_PASSWORD: u32 = 3;

/// The longest message before the sign-in.
const LONGEST: usize = 64 << 10;

/// The first message of a connection, with its length.
struct Start {
    code: u32,
    bytes: Vec<u8>,
}

pub(super) async fn serve(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    loop {
        let start = Start::read(&mut client).await?;
        match start.code {
            SSL_REQUEST => {
                client.write_all(b"S").await?;
                let mut client = shared.identity.0.accept(client).await?;
                let start = Start::read(&mut client).await?;
                return sign_in(client, start, shared).await;
            }
            GSS_REQUEST => client.write_all(b"N").await?,
            CANCEL_REQUEST => return forward(client, &start, shared).await,
            _ => {
                let text = format!(
                    "no pg_hba.conf entry for host \"127.0.0.1\", user \"{}\", database \"{}\", \
                     no encryption",
                    start.parameter("user"),
                    start.parameter("database")
                );
                return reject(&mut client, &text).await;
            }
        }
    }
}

async fn sign_in<C>(mut client: C, start: Start, shared: &Shared) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    if start.code != CANCEL_REQUEST && shared.asks() {
        let mut request = vec![b'R'];
        request.extend(8_u32.to_be_bytes());
        request.extend(CLEARTEXT_PASSWORD.to_be_bytes());
        client.write_all(&request).await?;
        client.flush().await?;
        if client.read_u8().await? != b'p' {
            return Err(malformed("no password"));
        }
        let password = read_rest(&mut client).await?;
        let password = password.strip_suffix(b"\0").unwrap_or(&password);
        let (user, password) = (start.parameter("user"), String::from_utf8_lossy(password));
        if !shared.accepts(&user, &password) {
            let text = format!("PAM authentication failed for user \"{user}\"");
            return reject(&mut client, &text).await;
        }
    }
    forward(client, &start, shared).await
}

async fn forward<C>(client: C, start: &Start, shared: &Shared) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let mut server = shared.connect().await?;
    server.write_all(&start.bytes).await?;
    pass(client, server).await
}

async fn reject(client: &mut (impl AsyncWrite + Unpin), text: &str) -> io::Result<()> {
    let fields = format!("SFATAL\0VFATAL\0C28000\0M{text}\0\0");
    let length = u32::try_from(fields.len() + 4).expect("a short message");
    let message = [b"E".as_slice(), &length.to_be_bytes(), fields.as_bytes()].concat();
    client.write_all(&message).await?;
    client.shutdown().await
}

impl Start {
    async fn read(client: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let rest = read_rest(client).await?;
        let code = rest.first_chunk().ok_or_else(|| malformed("no code"))?;
        let length = u32::try_from(rest.len() + 4).expect("a short message");
        Ok(Self {
            code: u32::from_be_bytes(*code),
            bytes: [&length.to_be_bytes(), rest.as_slice()].concat(),
        })
    }

    fn parameter(&self, name: &str) -> String {
        let texts = self
            .bytes
            .get(8..)
            .unwrap_or_default()
            .split(|byte| *byte == 0);
        let texts: Vec<_> = texts.map(String::from_utf8_lossy).collect();
        let mut pairs = texts.chunks_exact(2);
        let pair = pairs.find(|pair| pair[0] == name);
        pair.map(|pair| pair[1].clone().into_owned())
            .unwrap_or_default()
    }
}

/// Reads a length and as many bytes, less the four of the length.
async fn read_rest(client: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = usize::try_from(client.read_u32().await?).unwrap_or(usize::MAX);
    if !(4..=LONGEST).contains(&length) {
        return Err(malformed("a bad length"));
    }
    let mut rest = vec![0; length - 4];
    client.read_exact(&mut rest).await?;
    Ok(rest)
}
