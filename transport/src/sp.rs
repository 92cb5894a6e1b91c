//! A publisher that connects, over NNG's own wire protocol, spoken directly.
//!
//! A worker process may fork at any time, and libnng aborts a child that uses it ("nng is not
//! fork-reentrant safe"). It also gives no sign when a queue is full and throws its queues away
//! when it closes. The protocol is small: 8 bytes each way as greeting, then every message with
//! its length before it (the SP mappings for TCP, nanomsg rfc/sp-tcp-mapping-01, and for IPC,
//! where a byte 1 stands before the length). There are no threads here; the calls of the owner's
//! loop drive everything. What is queued for a connection that breaks is lost with it, and the
//! subscriber sees that by the sequence numbers.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::endpoint::Endpoint;
use crate::message::Message;
use crate::socket::{
    Attachment, Error, Flushed, Options, Outlet, Sent, SubscriptionEvent, WhenFull,
};
use crate::tls::Tls;
use crate::unix;
use crate::wait::{PollSet, wait};

/// The greeting of a PUB socket (protocol 0x20) and that of the SUB socket (0x21) it must meet.
const GREETING: [u8; 8] = [0, b'S', b'P', 0, 0, 0x20, 0, 0];
const EXPECTED: [u8; 8] = [0, b'S', b'P', 0, 0, 0x21, 0, 0];
/// How long a dial over TCP may take. Dialling is the one thing here that can wait, and on one machine
/// or one network it is over at once. A host's name is looked up before, for which the system's resolver
/// takes what time it likes: an address, or a name in /etc/hosts, needs none.
const DIAL: Duration = Duration::from_millis(500);
/// How long a peer may take to greet.
const GREET: Duration = Duration::from_secs(5);

pub(crate) struct SpOutlet {
    links: Vec<Link>,
    endpoints: Vec<Endpoint>,
    when_full: WhenFull,
    was_listened: bool,
}

impl SpOutlet {
    pub(crate) fn open(attachments: &[Attachment], options: &Options) -> Result<Self, Error> {
        let endpoints: Vec<Endpoint> = attachments.iter().map(|a| a.endpoint().clone()).collect();
        let links = endpoints
            .iter()
            .map(|endpoint| Link::new(endpoint, options))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            links,
            endpoints,
            when_full: options.when_full,
            was_listened: false,
        })
    }

    fn drive(&mut self) {
        for link in &mut self.links {
            link.drive();
        }
    }
}

impl Outlet for SpOutlet {
    fn send(&mut self, message: Message) -> Result<Sent, Error> {
        self.drive();
        let mut up = self.links.iter_mut().filter(|link| link.is_up());
        if self.when_full == WhenFull::Refuse && up.any(|link| link.is_full()) {
            return Ok(Sent::Busy(message));
        }
        for link in self
            .links
            .iter_mut()
            .filter(|link| link.is_up() && !link.is_full())
        {
            link.enqueue(&message);
        }
        self.drive();
        Ok(Sent::Taken)
    }

    fn subscription_events(&mut self) -> Result<Vec<SubscriptionEvent>, Error> {
        self.drive();
        let is_listened = self.links.iter().any(Link::is_up);
        let event = match (
            std::mem::replace(&mut self.was_listened, is_listened),
            is_listened,
        ) {
            (false, true) => SubscriptionEvent::Added(Vec::new()),
            (true, false) => SubscriptionEvent::Removed(Vec::new()),
            _ => return Ok(Vec::new()),
        };
        Ok(vec![event])
    }

    fn multipart(&self) -> bool {
        false
    }

    fn set_when_full(&mut self, when_full: WhenFull) -> Result<(), Error> {
        self.when_full = when_full;
        Ok(())
    }

    fn is_flushed(&mut self) -> Option<bool> {
        self.drive();
        Some(self.links.iter().all(|link| !link.has_to_write()))
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    fn poll<'a>(&'a self, set: &mut PollSet<'a>) {
        for link in &self.links {
            match &link.connection {
                Some(up) => {
                    set.add_fd(up.stream.as_raw_fd(), link.has_to_write());
                    if !up.is_greeted() {
                        set.wake_by(up.greet_by);
                    }
                }
                None => set.wake_by(link.dial_at),
            }
        }
    }

    fn close(mut self: Box<Self>, linger: Duration) -> Flushed {
        let deadline = Instant::now() + linger;
        // Nothing is left to say where nobody hears, and a dial can wait.
        self.links.retain(|link| link.connection.is_some());
        while self.is_flushed() == Some(false) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Flushed::TimedOut;
            }
            let mut set = PollSet::new();
            self.poll(&mut set);
            drop(wait(&mut set, Some(left)));
        }
        Flushed::Complete
    }
}

/// One endpoint, with or without a connection.
struct Link {
    endpoint: Endpoint,
    connection: Option<Connection>,
    /// Whole messages as they go out, length and all; of the first, `written` bytes are gone.
    queue: VecDeque<Vec<u8>>,
    written: usize,
    max_queue: usize,
    dial_at: Instant,
    pause: Duration,
    pauses: (Duration, Duration),
    tls: Option<Arc<ClientConfig>>,
}

struct Connection {
    stream: Stream,
    /// How much of the peer's greeting has come.
    greeting: Vec<u8>,
    greet_by: Instant,
}

impl Connection {
    fn is_greeted(&self) -> bool {
        self.greeting.len() == EXPECTED.len()
    }
}

impl Link {
    fn new(endpoint: &Endpoint, options: &Options) -> Result<Self, Error> {
        let tls = match endpoint.is_tls() {
            true => {
                let files = Tls::or_environment(options.tls.as_ref(), endpoint)?;
                Some(files.client(endpoint)?)
            }
            false => None,
        };
        Ok(Self {
            tls,
            endpoint: endpoint.clone(),
            connection: None,
            queue: VecDeque::new(),
            written: 0,
            max_queue: options.send_queue,
            dial_at: Instant::now(),
            pause: options.reconnect_min,
            pauses: (options.reconnect_min, options.reconnect_max),
        })
    }

    /// Whether bytes wait that the operating system has not taken yet.
    fn has_to_write(&self) -> bool {
        let holds = |up: &Connection| up.stream.holds_bytes();
        !self.queue.is_empty() || self.connection.as_ref().is_some_and(holds)
    }

    fn is_up(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::is_greeted)
    }

    fn is_full(&self) -> bool {
        self.queue.len() >= self.max_queue
    }

    fn enqueue(&mut self, message: &Message) {
        let mut framed = Vec::with_capacity(message.len_bytes() + 9);
        if !self.endpoint.is_tcp() {
            framed.push(1);
        }
        framed.extend_from_slice(&(message.len_bytes() as u64).to_be_bytes());
        for frame in message.frames() {
            framed.extend_from_slice(frame);
        }
        self.queue.push_back(framed);
    }

    /// Does whatever can be done without waiting: dial, greet, write.
    fn drive(&mut self) {
        if self.connection.is_none() && self.dial_at <= Instant::now() {
            match Stream::dial(&self.endpoint, self.tls.as_ref()) {
                Ok(stream) => self.connection = Some(stream),
                Err(_) => return self.hang_up(),
            }
        }
        if self.connection.is_some() && (self.greet().is_err() || self.write().is_err()) {
            self.hang_up();
        }
    }

    /// Gives the connection up and dials again after a pause that doubles each time.
    fn hang_up(&mut self) {
        self.connection = None;
        self.queue.clear();
        self.written = 0;
        self.dial_at = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(self.pauses.1);
    }

    /// Reads what the peer says: its greeting, and after that nothing but its end.
    fn greet(&mut self) -> io::Result<()> {
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        let mut bytes = [0u8; 64];
        loop {
            let room = EXPECTED.len() - connection.greeting.len();
            let room = if room == 0 { bytes.len() } else { room };
            match connection.stream.read(&mut bytes[..room]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) if !connection.is_greeted() => {
                    connection.greeting.extend_from_slice(&bytes[..read]);
                    if connection.is_greeted() {
                        if connection.greeting != EXPECTED {
                            return Err(io::ErrorKind::InvalidData.into());
                        }
                        self.pause = self.pauses.0;
                    }
                }
                // A subscriber has nothing to say to a publisher, and one that goes on would never be read to
                // its end.
                Ok(_) => return Err(io::ErrorKind::InvalidData.into()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let is_late = !connection.is_greeted() && connection.greet_by <= Instant::now();
        if is_late {
            Err(io::ErrorKind::TimedOut.into())
        } else {
            Ok(())
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        while let Some(first) = self.queue.front() {
            match connection.stream.write(&first[self.written..]) {
                Ok(written) => self.written += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.written == first.len() {
                self.queue.pop_front();
                self.written = 0;
            }
        }
        match connection.stream.flush() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }
}

/// A connected socket that does not wait. (The standard library writes with MSG_NOSIGNAL, so a
/// peer that has gone raises no signal in the application.)
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    fn dial(endpoint: &Endpoint, tls: Option<&Arc<ClientConfig>>) -> io::Result<Connection> {
        let mut stream = match (endpoint.host_and_port(), tls) {
            (Some(place), Some(tls)) => Self::Tls(Box::new(dial_tls(place, tls)?)),
            (Some(place), None) => Self::Tcp(dial_tcp(place)?),
            _ => Self::Unix(unix::connect(endpoint.address())?),
        };
        // Eight bytes always fit the empty buffer of a new socket, or of TLS.
        match &mut stream {
            Self::Tls(tls) => tls.conn.writer().write_all(&GREETING)?,
            plain => plain.write_all(&GREETING)?,
        }
        match &stream {
            Self::Tcp(tcp) => tcp.set_nonblocking(true)?,
            Self::Unix(_) => {}
            Self::Tls(tls) => tls.sock.set_nonblocking(true)?,
        }
        Ok(Connection {
            stream,
            greeting: Vec::new(),
            greet_by: Instant::now() + GREET,
        })
    }
}

fn dial_tls(
    (host, port): (&str, u16),
    tls: &Arc<ClientConfig>,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let connection = ClientConnection::new(tls.clone(), name).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, dial_tcp((host, port))?))
}

fn dial_tcp((host, port): (&str, u16)) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in (host, port).to_socket_addrs()? {
        let address: SocketAddr = address;
        match TcpStream::connect_timeout(&address, DIAL) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Stream {
    /// Whether it took bytes that it has not handed on.
    fn holds_bytes(&self) -> bool {
        match self {
            Self::Tcp(_) | Self::Unix(_) => false,
            Self::Tls(stream) => stream.conn.wants_write(),
        }
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Unix(stream) => stream.as_raw_fd(),
            Self::Tls(stream) => stream.sock.as_raw_fd(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(bytes),
            Self::Unix(stream) => stream.read(bytes),
            Self::Tls(stream) => stream.read(bytes),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(_) | Self::Unix(_) => Ok(()),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
