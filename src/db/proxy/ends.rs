//! The two ends of a recorded connection: where the proxy listens, and the server that it forwards to. TCP or a Unix socket,
//! encrypted or not, each end as it was asked for.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect as _};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::TlsAcceptor;

use super::forward::Socket;
use crate::db::connect::{DatabaseUrl, Host, TlsMode, tls_connector};

/// Bytes of any kind of connection.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection, whatever it runs over.
pub(super) enum Io {
    Tcp(TcpStream),
    Unix(UnixStream),
    Encrypted(Box<dyn Stream>),
}

impl Io {
    /// Whether its bytes are the socket's.
    pub(super) fn is_plain(&self) -> bool {
        match self {
            Self::Tcp(_) | Self::Unix(_) => true,
            Self::Encrypted(_) => false,
        }
    }

    /// The socket, for who forwards without a runtime.
    ///
    /// # Errors
    /// Where the runtime does not let go of it, or the connection is encrypted.
    pub(super) fn into_socket(self) -> io::Result<Socket> {
        match self {
            Self::Tcp(stream) => {
                let stream = stream.into_std()?;
                Ok(Socket::Tcp(mio::net::TcpStream::from_std(stream)))
            }
            Self::Unix(stream) => {
                let stream = stream.into_std()?;
                Ok(Socket::Unix(mio::net::UnixStream::from_std(stream)))
            }
            Self::Encrypted(_) => Err(ErrorKind::Unsupported.into()),
        }
    }

    fn stream(&mut self) -> Pin<&mut dyn Stream> {
        match self {
            Self::Tcp(stream) => Pin::new(stream),
            Self::Unix(stream) => Pin::new(stream),
            Self::Encrypted(stream) => Pin::new(&mut **stream),
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(context, buffer)
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }
}

/// Where a proxy listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAt {
    /// An address; port 0 is any that is free.
    Tcp(SocketAddr),
    /// A Unix socket's folder, and the port that is part of its name.
    Socket(PathBuf, u16),
}

/// PostgreSQL's port.
const PORT: u16 = 5432;

impl ListenAt {
    /// A free port that only this machine reaches.
    pub const ANY_PORT: Self = Self::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0));
}

impl fmt::Display for ListenAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Socket(folder, port) => {
                write!(f, "{}", folder.join(format!(".s.PGSQL.{port}")).display())
            }
        }
    }
}

impl FromStr for ListenAt {
    type Err = String;

    /// `6432`, `127.0.0.1:6432`, `[::1]:6432`, or a folder with a slash in it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('/') {
            return Ok(Self::Socket(PathBuf::from(text), PORT));
        }
        if let Ok(port) = text.parse() {
            return Ok(Self::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
        }
        let local = text
            .strip_prefix("localhost:")
            .map(|port| format!("127.0.0.1:{port}"));
        local
            .as_deref()
            .unwrap_or(text)
            .parse()
            .map(Self::Tcp)
            .map_err(|_| {
                "expected a port (6432), an address with a port (127.0.0.1:6432), or the folder of a Unix socket (./run)"
                    .to_owned()
            })
    }
}

/// A listener, bound. A Unix socket's file goes with it.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Socket {
        listener: UnixListener,
        _file: SocketFile,
    },
}

/// Removed when it is dropped.
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    pub(super) async fn bind(at: &ListenAt) -> io::Result<(Self, ListenAt)> {
        match at {
            ListenAt::Tcp(address) => {
                let listener = TcpListener::bind(address).await?;
                let bound = ListenAt::Tcp(listener.local_addr()?);
                Ok((Self::Tcp(listener), bound))
            }
            ListenAt::Socket(folder, port) => {
                let path = folder.join(format!(".s.PGSQL.{port}"));
                remove_if_left_over(&path).await?;
                let listener = UnixListener::bind(&path)?;
                let file = SocketFile(path);
                only_for_oneself(&file.0)?;
                Ok((
                    Self::Socket {
                        listener,
                        _file: file,
                    },
                    at.clone(),
                ))
            }
        }
    }

    pub(super) async fn accept(&self) -> io::Result<Io> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                let _ = stream.set_nodelay(true);
                Ok(Io::Tcp(stream))
            }
            Self::Socket { listener, .. } => Ok(Io::Unix(listener.accept().await?.0)),
        }
    }
}

/// The socket of a proxy that was killed: nobody answers there any more.
async fn remove_if_left_over(path: &Path) -> io::Result<()> {
    match UnixStream::connect(path).await {
        Ok(_) => Err(io::Error::new(
            ErrorKind::AddrInUse,
            format!("a server listens at {} already", path.display()),
        )),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        Err(_) => Ok(()),
    }
}

/// The server may trust the operating system's user, who is pgproof's own on every connection that comes through here.
fn only_for_oneself(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

/// The certificate that clients see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificate {
    /// One made for this run, which signs itself: clients that verify it refuse it.
    OwnMade,
    /// PEM files of the certificate with its chain, and of its key.
    Files(PathBuf, PathBuf),
}

/// Takes TLS connections of clients.
///
/// # Errors
/// Where a file is no usable PEM file, or the key is not the certificate's.
pub(super) fn acceptor(certificate: &Certificate) -> io::Result<TlsAcceptor> {
    let (chain, key) = match certificate {
        Certificate::OwnMade => {
            let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
            let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
            let key = PrivateKeyDer::try_from(made.signing_key.serialize_der());
            (
                vec![made.cert.der().clone()],
                key.map_err(|reason| io::Error::other(reason.to_owned()))?,
            )
        }
        Certificate::Files(certificate, key) => {
            let unusable = |path: &Path, error: rustls::pki_types::pem::Error| {
                io::Error::other(format!("{} is no usable PEM file: {error}", path.display()))
            };
            let chain = CertificateDer::pem_file_iter(certificate)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| unusable(certificate, error))?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, error))?;
            (chain, key)
        }
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(io::Error::other)?;
    // Clients of 17 and later that begin with TLS name the protocol.
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The server that is forwarded to.
#[derive(Clone)]
pub(super) struct Upstream {
    servers: Vec<(Host, u16)>,
    mode: TlsMode,
    connector: MakeRustlsConnect,
}

/// A connection to the server.
pub(super) struct Connected {
    pub(super) io: Io,
    pub(super) is_encrypted: bool,
}

/// A server that does not answer costs a client no longer than this.
const PATIENCE: Duration = Duration::from_secs(10);
/// What asks a server for TLS.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

impl Upstream {
    pub(super) fn of(url: &DatabaseUrl) -> io::Result<Self> {
        Ok(Self {
            servers: url.servers(),
            mode: url.tls().mode,
            connector: tls_connector(url.tls()).map_err(io::Error::other)?,
        })
    }

    /// Connects to the first server that answers.
    pub(super) async fn open(&self) -> io::Result<Connected> {
        let mut failure = io::Error::other("no server is named");
        for (host, port) in &self.servers {
            let opened = tokio::time::timeout(PATIENCE, self.open_one(host, *port)).await;
            match opened {
                Ok(Ok(connected)) => return Ok(connected),
                Ok(Err(error)) => failure = error,
                Err(_) => failure = io::Error::new(ErrorKind::TimedOut, "no answer in 10 s"),
            }
        }
        Err(failure)
    }

    async fn open_one(&self, host: &Host, port: u16) -> io::Result<Connected> {
        let name = match host {
            Host::Tcp(name) => name,
            Host::Unix(folder) => {
                let socket = folder.join(format!(".s.PGSQL.{port}"));
                let io = Io::Unix(UnixStream::connect(socket).await?);
                return Ok(Connected {
                    io,
                    is_encrypted: false,
                });
            }
        };
        let mut stream = TcpStream::connect((name.as_str(), port)).await?;
        let _ = stream.set_nodelay(true);
        let offers_tls = self.mode != TlsMode::Disable && {
            stream.write_all(&SSL_REQUEST).await?;
            stream.read_u8().await? == b'S'
        };
        if offers_tls {
            let mut connector = self.connector.clone();
            let connect = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut connector, name)
                .map_err(io::Error::other)?;
            let encrypted = connect.connect(stream).await?;
            return Ok(Connected {
                io: Io::Encrypted(Box::new(encrypted)),
                is_encrypted: true,
            });
        }
        if !matches!(self.mode, TlsMode::Disable | TlsMode::Prefer) {
            return Err(io::Error::other(format!(
                "the server offers no TLS, and sslmode is {}",
                self.mode.as_str()
            )));
        }
        Ok(Connected {
            io: Io::Tcp(stream),
            is_encrypted: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let tcp = |text: &str| ListenAt::Tcp(text.parse().unwrap());
        assert_eq!("6432".parse(), Ok(tcp("127.0.0.1:6432")));
        assert_eq!("localhost:6432".parse(), Ok(tcp("127.0.0.1:6432")));
        assert_eq!("0.0.0.0:6432".parse(), Ok(tcp("0.0.0.0:6432")));
        assert_eq!("[::1]:6432".parse(), Ok(tcp("[::1]:6432")));
        assert_eq!("./run".parse(), Ok(ListenAt::Socket("./run".into(), 5432)));
        for wrong in ["", "here", "70000", "db.example:x"] {
            assert!(wrong.parse::<ListenAt>().is_err(), "{wrong}");
        }
    }
}
