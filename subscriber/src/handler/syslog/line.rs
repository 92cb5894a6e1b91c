//! What carries syslog messages: datagrams and streams, over the network or a unix socket.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_platform_verifier::BuilderVerifierExt;

use super::super::outbox::Wire;
use super::super::socket::{connect, is_closed};

/// How long sending may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Target {
    Udp(String, u16),
    Tcp(String, u16),
    Tls(String, u16),
    Unix(PathBuf),
}

/// How a stream is divided into messages (RFC 6587).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// The length before each.
    OctetCounting,
    /// A line feed behind each, and none within.
    Newline,
    /// Nothing: messages end themselves.
    Bare,
}

impl Target {
    /// Reads `udp://host:514` and the like; a port may be left out.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let problem = || {
            format!(
                "{text:?} is no address of a syslog server; write udp://HOST:514, tcp://HOST:601, \
                 tls://HOST:6514 or unix:///dev/log"
            )
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(problem)?;
        if scheme == "unix" && rest.starts_with('/') {
            return Ok(Target::Unix(rest.into()));
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, Some(port.parse().map_err(|_| problem())?))
            }
            _ => (rest, None),
        };
        let host = host.trim_matches(['[', ']']);
        if host.is_empty() || host.contains('/') {
            return Err(problem());
        }
        let host = host.to_owned();
        match scheme {
            "udp" => Ok(Target::Udp(host, port.unwrap_or(514))),
            "tcp" => Ok(Target::Tcp(host, port.unwrap_or(601))),
            "tls" => Ok(Target::Tls(host, port.unwrap_or(6514))),
            _ => Err(problem()),
        }
    }
}

/// A connection to a syslog server.
pub(super) struct Line {
    target: Target,
    framing: Framing,
    /// Bytes of a datagram.
    most: usize,
    ca_file: Option<PathBuf>,
    connection: Option<Connection>,
}

enum Connection {
    Udp(UdpSocket),
    UnixDatagram(UnixDatagram),
    UnixStream(UnixStream),
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Line {
    pub(super) fn new(
        target: Target,
        framing: Framing,
        most: usize,
        ca_file: Option<PathBuf>,
    ) -> Self {
        Self {
            target,
            framing,
            most,
            ca_file,
            connection: None,
        }
    }

    /// A message as a stream has it.
    fn framed(&self, message: &[u8]) -> Vec<u8> {
        match self.framing {
            Framing::OctetCounting => [format!("{} ", message.len()).as_bytes(), message].concat(),
            Framing::Newline => {
                let mut line: Vec<u8> = message
                    .iter()
                    .map(|byte| if *byte == b'\n' { b' ' } else { *byte })
                    .collect();
                line.push(b'\n');
                line
            }
            Framing::Bare => message.to_vec(),
        }
    }

    /// A message as a datagram has it: cut, where it is too long, between two characters.
    fn cut<'a>(&self, message: &'a [u8]) -> &'a [u8] {
        if message.len() <= self.most {
            return message;
        }
        let mut end = self.most;
        while end > 0 && message[end] & 0xc0 == 0x80 {
            end -= 1;
        }
        &message[..end]
    }
}

impl Wire for Line {
    fn connect(&mut self) -> io::Result<()> {
        let is_over = match &self.connection {
            Some(Connection::Tcp(stream)) => is_closed(stream)?,
            Some(Connection::Tls(stream)) => is_closed(&stream.sock)?,
            Some(_) => false,
            None => true,
        };
        if is_over {
            self.connection = None;
            self.connection = Some(open(&self.target, self.ca_file.as_deref())?);
        }
        Ok(())
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let datagram = self.cut(message);
        let frame = self.framed(message);
        match &mut self.connection {
            Some(Connection::Udp(socket)) => match socket.send(datagram) {
                // The answer to an earlier datagram; this one was not sent for it.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    socket.send(datagram).map(drop)
                }
                result => result.map(drop),
            },
            Some(Connection::UnixDatagram(socket)) => socket.send(datagram).map(drop),
            Some(Connection::UnixStream(stream)) => stream.write_all(&frame),
            Some(Connection::Tcp(stream)) => stream.write_all(&frame),
            Some(Connection::Tls(stream)) => {
                stream.write_all(&frame)?;
                stream.flush()
            }
            None => Err(ErrorKind::NotConnected.into()),
        }
    }

    fn disconnect(&mut self) {
        if let Some(Connection::Tls(mut stream)) = self.connection.take() {
            // The other side should know that nothing was cut off; if it is gone it need not.
            stream.conn.send_close_notify();
            let _told = stream.flush();
        }
    }
}

fn open(target: &Target, ca_file: Option<&Path>) -> io::Result<Connection> {
    Ok(match target {
        Target::Udp(host, port) => {
            let socket = UdpSocket::bind(("0.0.0.0", 0))?;
            socket.connect((host.as_str(), *port))?;
            Connection::Udp(socket)
        }
        Target::Unix(path) => {
            let socket = UnixDatagram::unbound()?;
            match socket.connect(path) {
                Ok(()) => {
                    socket.set_write_timeout(Some(PATIENCE))?;
                    Connection::UnixDatagram(socket)
                }
                // The server listens for streams.
                Err(_) => {
                    let stream = UnixStream::connect(path)?;
                    stream.set_write_timeout(Some(PATIENCE))?;
                    Connection::UnixStream(stream)
                }
            }
        }
        Target::Tcp(host, port) => Connection::Tcp(connect(host, *port)?),
        Target::Tls(host, port) => {
            let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
            let config = tls_config(ca_file)?;
            let session =
                ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
            let mut stream = StreamOwned::new(session, connect(host, *port)?);
            stream.sock.set_read_timeout(Some(PATIENCE))?;
            // The server's certificate is judged before anything is said.
            stream.conn.complete_io(&mut stream.sock)?;
            Connection::Tls(Box::new(stream))
        }
    })
}

fn tls_config(ca_file: Option<&Path>) -> io::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let Some(path) = ca_file else {
        let verified = builder.with_platform_verifier().map_err(io::Error::other)?;
        return Ok(verified.with_no_client_auth());
    };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).map_err(io::Error::other)?;
    for certificate in certificates {
        let certificate = certificate.map_err(io::Error::other)?;
        roots.add(certificate).map_err(io::Error::other)?;
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Udp(host, port) => write!(f, "udp://{host}:{port}"),
            Target::Tcp(host, port) => write!(f, "tcp://{host}:{port}"),
            Target::Tls(host, port) => write!(f, "tls://{host}:{port}"),
            Target::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}
