//! How a connection begins: what a client asks for before its session (TLS, GSSAPI, the cancelling of a statement), and who
//! authenticates it. Everything else of the protocol is forwarded as it comes.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio_rustls::TlsAcceptor;

use super::ends::{Io, Upstream};

/// A session that begins.
pub(super) struct Opened {
    pub(super) client: Io,
    pub(super) server: Io,
    /// The client's first message, which the server has not got yet.
    pub(super) startup: Vec<u8>,
    pub(super) encrypted: Encrypted,
}

/// Which ends are encrypted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encrypted {
    client: bool,
    server: bool,
}

const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;
/// The first byte of a TLS handshake: a client that does not ask first.
const HANDSHAKE: u8 = 0x16;
/// PostgreSQL takes no longer startup message.
const LONGEST_STARTUP: usize = 10_000;
/// Nor longer messages while a client authenticates.
const LONGEST_ANSWER: usize = 65_536;
/// `authentication_timeout`'s default.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads what a client sends first and connects it to the server. `None` where that was all: a cancel request, which has been
/// forwarded, or a client that could not be served and has got the reason.
pub(super) async fn open(
    client: Io,
    upstream: &Upstream,
    tls: Option<&TlsAcceptor>,
) -> io::Result<Option<Opened>> {
    tokio::time::timeout(PATIENCE, exchange(client, upstream, tls))
        .await
        .unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

async fn exchange(
    mut client: Io,
    upstream: &Upstream,
    tls: Option<&TlsAcceptor>,
) -> io::Result<Option<Opened>> {
    let mut is_encrypted = false;
    loop {
        let mut head = [0; 8];
        client.read_exact(&mut head).await?;
        if head[0] == HANDSHAKE {
            let Some(acceptor) = tls.filter(|_| !is_encrypted) else {
                return Ok(None);
            };
            let rewound = Rewound::new(&head, client);
            client = Io::Encrypted(Box::new(acceptor.accept(rewound).await?));
            is_encrypted = true;
            continue;
        }
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let code = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
        match code {
            SSL_REQUEST => match tls.filter(|_| !is_encrypted) {
                Some(acceptor) => {
                    client.write_all(b"S").await?;
                    client.flush().await?;
                    client = Io::Encrypted(Box::new(acceptor.accept(client).await?));
                    is_encrypted = true;
                }
                None => client.write_all(b"N").await?,
            },
            GSS_REQUEST => client.write_all(b"N").await?,
            _ if !(8..=LONGEST_STARTUP).contains(&length) => return Ok(None),
            _ => {
                let mut startup = head.to_vec();
                startup.resize(length, 0);
                client.read_exact(&mut startup[8..]).await?;
                let mut server = match upstream.open().await {
                    Ok(server) => server,
                    Err(error) => {
                        let message = format!("pgproof's proxy cannot reach the server: {error}");
                        client.write_all(&fatal("08001", &message)).await?;
                        client.shutdown().await?;
                        return Ok(None);
                    }
                };
                if code == CANCEL_REQUEST {
                    server.io.write_all(&startup).await?;
                    server.io.flush().await?;
                    // The server closes once it has passed the request on, and the client waits for that.
                    let _ = server.io.read(&mut [0; 1]).await;
                    return Ok(None);
                }
                return Ok(Some(Opened {
                    client,
                    server: server.io,
                    startup,
                    encrypted: Encrypted {
                        client: is_encrypted,
                        server: server.is_encrypted,
                    },
                }));
            }
        }
    }
}

/// Takes the session as far as the server's first demand for a password, where that needs somebody between.
///
/// A server over TLS offers SCRAM bound to its certificate, which is not the one that the client sees, if any. So a client
/// without TLS is offered SCRAM without that. One with TLS would take the missing offer for an attack: it is asked for its
/// password in its encrypted session, and the password proves itself to the server.
///
/// # Errors
/// Where either side closes.
pub(super) async fn authenticate(
    opened: &mut Opened,
    from_server: &mut impl FnMut(&[u8]),
    from_client: &mut impl FnMut(&[u8]),
) -> io::Result<()> {
    if !opened.encrypted.server {
        return Ok(());
    }
    let exchange = async {
        // Before it the server may only say which protocol it speaks, or that it refuses.
        let demand = loop {
            let message = message(&mut opened.server).await?;
            if message[0] == b'R' {
                break message;
            }
            give(&mut opened.client, &message, from_server).await?;
            if message[0] == b'E' {
                return Ok(());
            }
        };
        const SASL: &[u8] = &10_u32.to_be_bytes();
        if demand.get(5..9) != Some(SASL) {
            return give(&mut opened.client, &demand, from_server).await;
        }
        if !opened.encrypted.client {
            let offer = without_binding(&demand);
            return give(&mut opened.client, &offer, from_server).await;
        }
        const PASSWORD: &[u8] = &[b'R', 0, 0, 0, 8, 0, 0, 0, 3];
        give(&mut opened.client, PASSWORD, from_server).await?;
        let answer = message(&mut opened.client).await?;
        from_client(&answer);
        let password = answer.get(5..).unwrap_or_default();
        let password = password.strip_suffix(&[0]).unwrap_or(password);
        match scram(&mut opened.server, password).await? {
            Some(refusal) => give(&mut opened.client, &refusal, from_server).await,
            None => Ok(()),
        }
    };
    tokio::time::timeout(PATIENCE, exchange)
        .await
        .unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

/// Authenticates with the server. What it says when it refuses; after `None` its AuthenticationOk comes next.
async fn scram(server: &mut Io, password: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut scram = ScramSha256::new(password, ChannelBinding::unsupported());
    let first = scram.message();
    let mut body = SCRAM_SHA_256.as_bytes().to_vec();
    body.push(0);
    body.extend_from_slice(&u32::try_from(first.len()).unwrap_or(0).to_be_bytes());
    body.extend_from_slice(first);
    server.write_all(&framed(b'p', &body)).await?;
    server.flush().await?;
    let answer = message(server).await?;
    if answer[0] != b'R' {
        return Ok(Some(answer));
    }
    scram.update(answer.get(9..).unwrap_or_default())?;
    server.write_all(&framed(b'p', scram.message())).await?;
    server.flush().await?;
    let answer = message(server).await?;
    if answer[0] != b'R' {
        return Ok(Some(answer));
    }
    scram.finish(answer.get(9..).unwrap_or_default())?;
    Ok(None)
}

async fn give(client: &mut Io, bytes: &[u8], seen: &mut impl FnMut(&[u8])) -> io::Result<()> {
    client.write_all(bytes).await?;
    client.flush().await?;
    seen(bytes);
    Ok(())
}

/// One message, whole.
async fn message(from: &mut Io) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 5];
    from.read_exact(&mut message).await?;
    let length = u32::from_be_bytes([message[1], message[2], message[3], message[4]]) as usize;
    if !(4..=LONGEST_ANSWER).contains(&length) {
        return Err(ErrorKind::InvalidData.into());
    }
    message.resize(length + 1, 0);
    from.read_exact(&mut message[5..]).await?;
    Ok(message)
}

fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    let mut message = vec![kind];
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(body);
    message
}

/// The server's list of mechanisms without those that are bound to its certificate.
fn without_binding(offer: &[u8]) -> Vec<u8> {
    let mut body = offer[5..9].to_vec();
    let names = offer[9..].split(|byte| *byte == 0);
    for name in names.filter(|name| !name.is_empty() && !name.ends_with(b"-PLUS")) {
        body.extend_from_slice(name);
        body.push(0);
    }
    body.push(0);
    framed(b'R', &body)
}

/// An error that ends a connection.
fn fatal(code: &str, message: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (field, text) in [
        (b'S', "FATAL"),
        (b'V', "FATAL"),
        (b'C', code),
        (b'M', message),
    ] {
        body.push(field);
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    framed(b'E', &body)
}

/// A connection of which the first bytes are read already.
struct Rewound {
    read: [u8; 8],
    at: usize,
    rest: Io,
}

impl Rewound {
    fn new(read: &[u8; 8], rest: Io) -> Self {
        Self {
            read: *read,
            at: 0,
            rest,
        }
    }
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.at < self.read.len() {
            let end = self.read.len().min(self.at + buffer.remaining());
            buffer.put_slice(&self.read[self.at..end]);
            self.at = end;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.rest).poll_read(context, buffer)
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.rest).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.rest).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.rest).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_bound_to_the_certificate_is_left_out() {
        let mut body = 10_u32.to_be_bytes().to_vec();
        body.extend_from_slice(b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
        let offer = without_binding(&framed(b'R', &body));
        let mut expected = 10_u32.to_be_bytes().to_vec();
        expected.extend_from_slice(b"SCRAM-SHA-256\0\0");
        assert_eq!(offer, framed(b'R', &expected));
        assert_eq!(without_binding(&offer), offer);
    }

    #[test]
    fn an_error_has_its_code_and_message() {
        let error = fatal("08001", "gone");
        assert_eq!(error[..5], [b'E', 0, 0, 0, 32]);
        assert_eq!(error.len(), 33);
        assert!(error.ends_with(b"SFATAL\0VFATAL\0C08001\0Mgone\0\0"));
    }
}
